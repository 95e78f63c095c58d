"""How the examples are run and loaded."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


class RunExample(Protocol):
    """Runs an example in a process of its own, with warnings as errors."""

    def __call__(
        self, name: str, *args: str | Path, cwd: Path | None = None, python: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """Let programs that tests start take a SIGINT: what a shell starts in the background ignores it, and all below."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def example_command(name: str, *args: str | Path, python: tuple[str, ...] = ()) -> list[str]:
    return [sys.executable, "-W", "error", *python, str(EXAMPLES / name), *map(str, args)]


def example_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}


@pytest.fixture
def run_example() -> RunExample:
    def run(
        name: str, *args: str | Path, cwd: Path | None = None, python: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            example_command(name, *args, python=python),
            cwd=cwd,
            env=example_environment(),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=20,
            check=False,
        )

    return run


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"_example_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def flight_monitor() -> ModuleType:
    return _load(EXAMPLES / "flight_monitor.py")


@pytest.fixture(scope="session")
def audit_trail() -> ModuleType:
    return _load(EXAMPLES / "audit_trail.py")


@pytest.fixture(scope="session")
def make_extract() -> ModuleType:
    return _load(EXAMPLES / "data" / "make_extract.py")
