"""Ask every library that is installed, and print what it says.

``--write`` keeps that in ``docs/why.md``; ``--requirements`` prints instead what to install for what the page says now.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import logging

from .adapters import PEERS, Peer
from .page import answered, read, write


def installed(kind: type[Peer]) -> bool:
    """Whether the library is here."""
    try:
        importlib.import_module(kind.module)
    except ImportError:
        return False
    return True


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(prog="python -m tests.peers", description=__doc__)
    parser.add_argument("--requirements", action="store_true", help="print the versions that the page is about")
    parser.add_argument("--write", action="store_true", help="change the page")
    parser.add_argument("names", nargs="*", help="which libraries; all that are installed, if none is named")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    columns = read()
    if options.requirements:
        # RxPY is here already; one of the others wants an older one.
        print(*(f"{kind.distribution}=={columns[kind.name]['version']}" for kind in PEERS[2:]), sep="\n")
        return
    for kind in PEERS:
        if (not options.names or kind.name in options.names) and installed(kind):
            columns[kind.name] = asyncio.run(answered(kind))
            print(kind.name, *columns[kind.name].items(), sep="\n    ")
    if options.write:
        write(columns)


if __name__ == "__main__":
    main()
