"""The package as a whole: its public face, what importing it costs, its architecture, and what is built from it."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import metadata, requires, version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import asyncutils_rx
from asyncutils_rx import channels

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parent.parent
CLASSES = ["EventBus", "Observable", "Rendezvous"]
PUBLIC_MODULES = ["channels", "context", "exceptions", "live", "mixins", "pictures", "scheduler", "types"]


def imported_by(statement: str) -> set[str]:
    """The modules that a new interpreter has imported after ``statement``."""
    code = f"import sys, json; {statement}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, check=True)
    return set(json.loads(done.stdout))


def rooms(modules: Iterable[str]) -> set[str]:
    return {name.split(".")[1] for name in modules if name.startswith("asyncutils_rx.")}


# The public face


def test_package_all_is_the_three_classes() -> None:
    assert asyncutils_rx.__all__ == CLASSES
    assert channels.__all__ == CLASSES


@pytest.mark.parametrize("name", CLASSES)
def test_package_and_channels_give_the_same_class(name: str) -> None:
    public = getattr(asyncutils_rx, name)
    assert isinstance(public, type)
    assert public.__name__ == name
    assert getattr(channels, name) is public


@pytest.mark.parametrize("module", [asyncutils_rx, channels])
def test_package_has_no_other_attributes(module: object) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Observer'"):
        _ = module.Observer  # type: ignore[attr-defined]  # what the test is about


@pytest.mark.parametrize("module", [asyncutils_rx, channels])
def test_package_dir_lists_the_classes_before_they_are_loaded(module: object) -> None:
    assert set(CLASSES) <= set(dir(module))


def test_package_star_import_gives_the_three_classes() -> None:
    namespace: dict[str, object] = {}
    exec("from asyncutils_rx import *", namespace)
    assert sorted(name for name in namespace if name != "__builtins__") == CLASSES


def test_package_version_is_that_of_the_distribution() -> None:
    assert asyncutils_rx.__version__ == version("asyncutils-rx")
    assert "__version__" in dir(asyncutils_rx)


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_public_module_has_a_docstring_and_a_sorted_all(name: str) -> None:
    module = importlib.import_module(f"asyncutils_rx.{name}")
    assert module.__doc__
    assert set(module.__all__) <= set(dir(module))
    assert all(not public.startswith("_") for public in module.__all__)


def test_public_modules_are_the_ones_without_an_underscore() -> None:
    found = [path.stem for path in Path(asyncutils_rx.__path__[0]).iterdir() if not path.name.startswith("_")]
    assert sorted(name for name in found if name != "py") == PUBLIC_MODULES


def test_package_depends_on_reactivex_alone() -> None:
    core = [requirement for requirement in requires("asyncutils-rx") or [] if "extra ==" not in requirement]
    assert core == ["reactivex<7,>=4.0.4"]


def test_package_needs_python_3_11() -> None:
    assert metadata("asyncutils-rx")["Requires-Python"] == ">=3.11"


@pytest.mark.parametrize("name", ["ipykernel", "jupytext", "matplotlib", "nbclient", "nbformat"])
def test_extra_dev_brings_what_runs_the_notebooks(name: str) -> None:
    # Their tests are skipped where it is missing, as in the matrix, and nobody would notice.
    brought = [requirement for requirement in requires("asyncutils-rx") or [] if "extra == 'dev'" in requirement]
    assert any(requirement.startswith(f"{name}>=") for requirement in brought)


# What importing costs


def test_import_of_the_package_imports_nothing_else_of_it() -> None:
    modules = imported_by("import asyncutils_rx")
    assert rooms(modules) == set()
    assert not modules & {"asyncio", "reactivex", "importlib.metadata", "dataclasses"}


def test_import_of_rendezvous_imports_no_other_room() -> None:
    modules = imported_by("from asyncutils_rx import Rendezvous")
    assert rooms(modules) <= {"_rendezvous", "_runner", "_arguments", "context"}
    assert "reactivex" not in modules


def test_import_of_event_bus_imports_no_observable_and_not_what_a_bus_consists_of() -> None:
    modules = imported_by("from asyncutils_rx import EventBus")
    assert rooms(modules) <= {"_bus", "mixins", "_runner", "_arguments", "context", "_wildcard"}
    assert "asyncutils_rx._bus._core" not in modules


def test_import_of_observable_imports_no_other_room_and_not_what_operators_and_iteration_need() -> None:
    modules = imported_by("from asyncutils_rx import Observable")
    assert rooms(modules) <= {"_observable", "_fanout", "_alone", "_runner", "_arguments", "mixins"}
    later = [
        "async_map",
        "buffer",
        "derived",
        "deriving",
        "inlet",
        "iteration",
        "loopless",
        "merge",
        "sequential",
        "wrappers",
    ]
    assert not modules & {f"asyncutils_rx._observable._{name}" for name in later}


def test_the_first_notification_of_an_observable_imports_nothing_more() -> None:
    imports = "from asyncutils_rx import Observable; import asyncio"
    notifies = "it = Observable(); it.subscribe_nowait(str); asyncio.run(it.notify(1))"
    assert imported_by(f"{imports}; {notifies}") == imported_by(imports)


def test_a_bus_imports_no_observable_until_one_is_asked_for() -> None:
    assert "_observable" not in rooms(imported_by("from asyncutils_rx import EventBus; EventBus()"))


def test_end_of_a_bus_imports_nothing() -> None:
    """It can be the interpreter that exits, which is no time for imports."""
    program = (
        "import asyncio, sys; from asyncutils_rx import EventBus\n"
        "async def main():\n"
        "    bus = EventBus()\n"
        "    await bus.publish('topic')\n"
        "    {}\n"
        "asyncio.run(main())"
    )
    ended = imported_by(program.format("await bus.shutdown(timeout=1)"))
    assert ended == imported_by(program.format("pass"))


def test_import_of_all_classes_imports_no_live_view() -> None:
    assert not rooms(imported_by("from asyncutils_rx import *")) & {"live", "_live", "_pictures", "pictures"}


def test_import_of_the_live_view_imports_nothing_that_an_extra_brings() -> None:
    modules = imported_by("from asyncutils_rx.live import watch")
    assert not modules & {"IPython", "anywidget", "ipywidgets", "reactivex", "rich"}


@pytest.mark.parametrize("statement", ["from asyncutils_rx import *", "from asyncutils_rx.channels import *"])
def test_import_of_all_classes_does_not_import_rxpy(statement: str) -> None:
    modules = imported_by(statement)
    assert "asyncutils_rx._bus" in modules
    assert "reactivex" not in modules


@pytest.mark.parametrize("name", [name for name in PUBLIC_MODULES if name != "scheduler"])
def test_import_of_a_public_module_does_not_import_rxpy(name: str) -> None:
    assert "reactivex" not in imported_by(f"import asyncutils_rx.{name}")


def test_import_under_warnings_as_errors_and_in_any_order() -> None:
    imported_by("import asyncutils_rx.channels, asyncutils_rx.mixins, asyncutils_rx; asyncutils_rx.Rendezvous")


# The architecture


def test_import_contracts_are_kept() -> None:
    command = Path(sysconfig.get_path("scripts")) / "lint-imports"
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# What is built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel under test: the one that was built already, where there is one, else a new one."""
    built = os.environ.get("ASYNCUTILS_RX_DIST")
    if built is None:
        for tool in ("build", "hatchling"):
            pytest.importorskip(tool, reason="the wheel is built where the tools for it are installed")
        built = str(tmp_path_factory.mktemp("dist"))
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", built]
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    [path] = Path(built).glob("*.whl")
    return path


def test_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"asyncutils_rx", f"asyncutils_rx-{version('asyncutils-rx')}.dist-info"}
    package = Path(asyncutils_rx.__path__[0])
    sources = {str(path.relative_to(package.parent)) for path in package.rglob("*.py")}
    others = {"asyncutils_rx/py.typed", "asyncutils_rx/_live/widget.js"}
    assert {name for name in names if name.startswith("asyncutils_rx/")} == sources | others


def test_wheel_is_typed_and_licensed(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "asyncutils_rx/py.typed" in names
    assert any(name.endswith("/LICENSE") for name in names)
