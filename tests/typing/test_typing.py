"""Type checkers accept the programs in this folder, and reject exactly the marked lines of those in ``rejected``.

A mark may name the errors to expect by mypy's code and by pyright's rule: ``# rejected: arg-type, reportCallIssue``.
``# rejected by mypy`` is for what mypy does not know although pyright does.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.docs.pages import blocks

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
REJECTED = sorted(path for path in (HERE / "rejected").glob("*.py") if path.name != "__init__.py")
ACCEPTED = sorted(path for path in HERE.glob("*.py") if not path.name.startswith(("test_", "__")))
PAGE = ROOT / "docs" / "typing.md"
MARK = re.compile(r"  # rejected(?: by (?P<checker>\w+))?(?:: (?P<errors>[\w-]+(?:, [\w-]+)*))?$")

pytestmark = pytest.mark.timeout(300)


class Place(NamedTuple):
    file: str
    line: int


Errors = dict[Place, str]


def marked(checker: str) -> dict[Place, list[str]]:
    """Return the lines that ``checker`` has to reject, with the names of its errors as far as the marks tell."""
    found: dict[Place, list[str]] = {}
    for path in REJECTED:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            mark = MARK.search(line)
            assert mark or "# rejected" not in line, f"{path.name}:{number}: what is this mark?"
            if mark and mark["checker"] in {None, checker}:
                names = (mark["errors"] or "").split(", ")
                of_pyright = checker == "pyright"
                found[Place(path.name, number)] = [n for n in names if n and n.startswith("report") == of_pyright]
    return found


def require(checker: str) -> None:
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed")


def run(*command: str, env: dict[str, str] | None = None) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=env).stdout


def mypy_errors(*paths: Path) -> Errors:
    """Return the errors of the programs; those of the package are found by its own check."""
    require("mypy")
    output = run(
        *(sys.executable, "-m", "mypy", "--strict", "--no-pretty", "--no-color-output", "--no-error-summary"),
        *("--hide-error-context", "--show-error-codes", *map(str, paths)),
    )
    names = {path.name for path in paths}
    found: Errors = {}
    for line in output.splitlines():
        match = re.match(r"(?P<path>.+?):(?P<line>\d+)(?::\d+)?: error: (?P<message>.+)", line)
        if match and Path(match["path"]).name in names:
            place = Place(Path(match["path"]).name, int(match["line"]))
            found[place] = "\n".join(filter(None, (found.get(place), match["message"])))
    return found


def pyright_errors(project: Path, *paths: Path) -> Errors:
    """Return the errors of the programs, as copies in a project of their own: ours excludes those to be rejected."""
    require("pyright")
    for path in paths:
        shutil.copy(path, project)
    settings = {"typeCheckingMode": "strict", "pythonVersion": "3.11", "extraPaths": [str(ROOT)]}
    (project / "pyrightconfig.json").write_text(json.dumps(settings))
    command = (sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--project", str(project))
    report = json.loads(run(*command, "--outputjson"))
    assert report["summary"]["filesAnalyzed"] == len(paths)
    found: Errors = {}
    for each in report["generalDiagnostics"]:
        if each["severity"] == "error":
            place = Place(Path(each["file"]).name, each["range"]["start"]["line"] + 1)
            message = f"{each['message']} ({each.get('rule')})"
            found[place] = "\n".join(filter(None, (found.get(place), message)))
    return found


@pytest.fixture(scope="module")
def by_mypy() -> Errors:
    return mypy_errors(*REJECTED)


@pytest.fixture(scope="module")
def by_pyright(tmp_path_factory: pytest.TempPathFactory) -> Errors:
    return pyright_errors(tmp_path_factory.mktemp("rejected"), *REJECTED)


def shown(errors: Errors, places: set[Place]) -> list[str]:
    return [f"{place.file}:{place.line}: {errors.get(place, 'no error')}" for place in sorted(places)]


def unexpected(errors: Errors, expected: dict[Place, list[str]]) -> list[str]:
    """Return the lines that are rejected for another reason than the one that their mark names."""
    others = {
        place
        for place, names in expected.items()
        if any(not re.search(rf"[(\[]{re.escape(name)}[)\]]", errors.get(place, "")) for name in names)
    }
    return shown(errors, others)


def test_mypy_accepts_right_programs() -> None:
    errors = mypy_errors(*ACCEPTED)
    assert shown(errors, set(errors)) == []


def test_mypy_rejects_every_marked_line(by_mypy: Errors) -> None:
    assert shown(by_mypy, set(marked("mypy")) - set(by_mypy)) == []


def test_mypy_rejects_no_other_line(by_mypy: Errors) -> None:
    assert shown(by_mypy, set(by_mypy) - set(marked("mypy"))) == []


def test_mypy_rejects_lines_for_the_reason_in_the_mark(by_mypy: Errors) -> None:
    assert unexpected(by_mypy, marked("mypy")) == []


def test_pyright_accepts_right_programs(tmp_path: Path) -> None:
    errors = pyright_errors(tmp_path, *ACCEPTED)
    assert shown(errors, set(errors)) == []


def test_pyright_rejects_every_marked_line(by_pyright: Errors) -> None:
    assert shown(by_pyright, set(marked("pyright")) - set(by_pyright)) == []


def test_pyright_rejects_no_other_line(by_pyright: Errors) -> None:
    assert shown(by_pyright, set(by_pyright) - set(marked("pyright"))) == []


def test_pyright_rejects_lines_for_the_reason_in_the_mark(by_pyright: Errors) -> None:
    assert unexpected(by_pyright, marked("pyright")) == []


def page_as_program(folder: Path) -> Path:
    """Write down what the page shows as one program, each line where the page has it."""
    lines = [""] * len(PAGE.read_text().splitlines())
    for block in blocks(PAGE.read_text()):
        if block.info == "python":
            source = block.source.splitlines()
            lines[block.line - 1 : block.line - 1 + len(source)] = source
    program = folder / "typing_page.py"
    program.write_text("\n".join(lines))
    return program


def test_page_tells_what_mypy_infers(tmp_path: Path) -> None:
    program = page_as_program(tmp_path)
    told = {
        number: match[1]
        for number, line in enumerate(program.read_text().splitlines(), 1)
        if (match := re.search(r"  # mypy: (.+)$", line))
    }
    errors = {place.line: message for place, message in mypy_errors(program).items()}
    assert told
    assert errors.keys() == told.keys()
    assert [errors[line] for line in told if f'is of type "{told[line]}"' not in errors[line]] == []


def test_page_tells_what_pyright_infers(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    errors = pyright_errors(project, page_as_program(tmp_path))
    assert shown(errors, set(errors)) == []


def test_everything_public_has_a_type() -> None:
    require("pyright")
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    command = (sys.executable, "-m", "pyright", "--outputjson", "--ignoreexternal", "--verifytypes", "asyncutils_rx")
    report = json.loads(run(*command, env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}))
    completeness = report["typeCompleteness"]
    unknown = [symbol["name"] for symbol in completeness["symbols"] if not symbol["isTypeKnown"]]
    assert completeness["exportedSymbolCounts"]["withKnownType"] > 100
    assert (unknown, completeness["completenessScore"]) == ([], 1)


def test_there_are_programs_of_both_kinds() -> None:
    assert len(ACCEPTED) >= 6
    assert len(marked("mypy")) > len(marked("pyright")) >= 150
    assert sum(map(bool, marked("mypy").values())) >= 80
    assert sum(map(bool, marked("pyright").values())) >= 80
