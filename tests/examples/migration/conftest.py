"""How the examples of the migration guide are run and loaded."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.examples.conftest import EXAMPLES, example_command, example_environment

if TYPE_CHECKING:
    from types import ModuleType

# reactivex 4 reads the clock through functions that Python deprecated in 3.12, and these programs import it themselves.
QUIET = ("-W", "ignore:datetime.datetime.utc:DeprecationWarning")


class RunProgram(Protocol):
    """Runs an example of the guide, checks that it ended well and quietly, and returns what it printed, by lines."""

    def __call__(self, name: str, typed: str = "") -> list[str]: ...


def program_command(name: str, *args: str) -> list[str]:
    return example_command(f"migration/{name}.py", *args, python=QUIET)


@pytest.fixture
def run_program() -> RunProgram:
    def run(name: str, typed: str = "") -> list[str]:
        ended = subprocess.run(
            program_command(name),
            env=example_environment(),
            input=typed,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=40,
            check=False,
        )
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout.splitlines()

    return run


def load_program(name: str) -> ModuleType:
    """Load an example as a module that can be found by its name, as dataclasses want it."""
    spec = importlib.util.spec_from_file_location(
        f"_migration_{Path(name).stem}", EXAMPLES / "migration" / f"{name}.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
