"""Type checkers accept the programs in this folder, and reject exactly the marked lines of those in ``rejected``."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
REJECTED = sorted(path for path in (HERE / "rejected").glob("*.py") if path.name != "__init__.py")
ACCEPTED = sorted(path for path in HERE.glob("*.py") if not path.name.startswith(("test_", "__")))
MARK = "# rejected"

pytestmark = pytest.mark.timeout(300)

Lines = set[tuple[str, int]]
Errors = dict[tuple[str, int], str]


def marked() -> Lines:
    return {
        (path.name, number)
        for path in REJECTED
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if line.rstrip().endswith(MARK)
    }


def run(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


def mypy_errors(*paths: Path) -> Errors:
    """Return the errors of the programs; those of the package are found by its own check."""
    output = run(
        *(sys.executable, "-m", "mypy", "--strict", "--no-pretty", "--no-color-output", "--no-error-summary"),
        *("--hide-error-context", "--show-error-codes", *map(str, paths)),
    )
    names = {path.name for path in paths}
    found: Errors = {}
    for line in output.splitlines():
        match = re.match(r"(?P<path>.+?):(?P<line>\d+)(?::\d+)?: error: (?P<message>.+)", line)
        if match and Path(match["path"]).name in names:
            found[Path(match["path"]).name, int(match["line"])] = match["message"]
    return found


def pyright_errors(project: Path, *paths: Path) -> Errors:
    """Return the errors of the programs, as copies in a project of their own: ours excludes those to be rejected."""
    for path in paths:
        shutil.copy(path, project)
    settings = {"typeCheckingMode": "strict", "pythonVersion": "3.11", "extraPaths": [str(ROOT)]}
    (project / "pyrightconfig.json").write_text(json.dumps(settings))
    command = (sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--project", str(project))
    report = json.loads(run(*command, "--outputjson"))
    assert report["summary"]["filesAnalyzed"] == len(paths)
    return {
        (Path(found["file"]).name, found["range"]["start"]["line"] + 1): found["message"]
        for found in report["generalDiagnostics"]
        if found["severity"] == "error"
    }


@pytest.fixture(scope="module")
def by_mypy() -> Errors:
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed")
    return mypy_errors(*REJECTED)


@pytest.fixture(scope="module")
def by_pyright(tmp_path_factory: pytest.TempPathFactory) -> Errors:
    if importlib.util.find_spec("pyright") is None:
        pytest.skip("pyright is not installed")
    return pyright_errors(tmp_path_factory.mktemp("rejected"), *REJECTED)


def shown(errors: Errors, lines: Lines) -> list[str]:
    return [f"{name}:{line}: {errors.get((name, line), 'no error')}" for name, line in sorted(lines)]


def test_mypy_accepts_right_programs() -> None:
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed")
    errors = mypy_errors(*ACCEPTED)
    assert shown(errors, set(errors)) == []


def test_mypy_rejects_every_marked_line(by_mypy: Errors) -> None:
    assert shown(by_mypy, marked() - set(by_mypy)) == []


def test_mypy_rejects_no_other_line(by_mypy: Errors) -> None:
    assert shown(by_mypy, set(by_mypy) - marked()) == []


def test_pyright_accepts_right_programs(tmp_path: Path) -> None:
    if importlib.util.find_spec("pyright") is None:
        pytest.skip("pyright is not installed")
    errors = pyright_errors(tmp_path, *ACCEPTED)
    assert shown(errors, set(errors)) == []


def test_pyright_rejects_every_marked_line(by_pyright: Errors) -> None:
    assert shown(by_pyright, marked() - set(by_pyright)) == []


def test_pyright_rejects_no_other_line(by_pyright: Errors) -> None:
    assert shown(by_pyright, set(by_pyright) - marked()) == []


def test_there_are_programs_of_both_kinds() -> None:
    assert len(ACCEPTED) >= 2
    assert len(marked()) >= 40
