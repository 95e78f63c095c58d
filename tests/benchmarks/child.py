"""One row in one process: ``python -m tests.benchmarks.child ROW ROUND_SECONDS ROUNDS LOOP [CONTESTANT ...]``."""

from __future__ import annotations

import json
import logging
import sys
import warnings

from .importing import import_times
from .rows import find_row
from .timing import Effort, measure
from .weighing import weigh

MEASURES = {"time": measure, "memory": weigh, "import": import_times}


def main(arguments: list[str]) -> None:
    """Measure, and print what came of it as the last line, in JSON."""
    # What some peers say about themselves is nobody's work here.
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    name, round_seconds, rounds, loop, *only = arguments
    row = find_row(name)
    results = MEASURES[row.kind](row, Effort(float(round_seconds), int(rounds), loop), tuple(only))
    print(json.dumps(results), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
