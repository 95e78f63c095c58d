"""The pytest plugin: runs coroutine tests, on the loop they ask for, and fails tests that leave something behind."""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
import traceback
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from asyncutils_rx import _alone

from .leaks import LeakWatch
from .loops import VirtualTimeLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterator

WATCH = pytest.StashKey[LeakWatch]()
CALL_PASSED = pytest.StashKey[bool]()

STACK_DEPTH = 5
"""So many frames does debug mode note of whatever is made; for futures CPython would note all, those of pytest too."""

CLOSING_PATIENCE = 3.0
"""So many seconds the tasks, generators and threads that a test left get to end."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--uvloop`` and ``--standby``."""
    parser.addoption("--uvloop", action="store_true", help="run the tests on uvloop, except those on virtual time")
    parser.addoption("--standby", action="store_true", help="run what may share a task in one from the first call on")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, see to ``--standby``, and keep debug mode fast, which would take long for its stacks."""
    if config.getoption("--standby"):
        _alone.CALLS_BEFORE_STANDBY = 1  # pyright: ignore[reportConstantRedefinition]
    config.addinivalue_line("markers", "virtual_time: run on a loop whose clock jumps to the next timer")
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    walk_stack = traceback.walk_stack
    patch.setattr(traceback, "walk_stack", lambda frame: islice(walk_stack(frame), STACK_DEPTH))
    patch.setattr("asyncio.constants.DEBUG_STACK_DEPTH", STACK_DEPTH)


def pytest_report_header(config: pytest.Config) -> str:
    """Tell the loop."""
    return f"loop: {_real_loop_factory(config).__module__}"


def pytest_collection_finish() -> None:
    """Keep the collections at the end of each test fast: what is alive now is never looked at again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note whether the test itself passed."""
    report = yield
    if report.when == "call":
        item.stash[CALL_PASSED] = report.passed
    return report


@pytest.fixture(autouse=True)
def leak_watch(request: pytest.FixtureRequest) -> Iterator[LeakWatch]:
    """Fail the test if it leaves anything behind.

    A test that failed by itself is not blamed for leaks too: a traceback keeps things alive.
    """
    _forget_last_failure()
    watch = request.node.stash[WATCH] = LeakWatch()
    watch.start()
    yield watch
    watch.stop()
    found = watch.found()
    if found and request.node.stash.get(CALL_PASSED, False):
        pytest.fail("the test left something behind:\n" + "\n".join(found), pytrace=False)


@pytest.fixture
def loop_errors(leak_watch: LeakWatch) -> list[dict[str, Any]]:
    """What reached the loop's exception handler; a test that expects some clears the list."""
    return leak_watch.loop_errors


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Let hypothesis call a coroutine test: each example runs on a loop of its own."""
    handle = getattr(pyfuncitem.obj, "hypothesis", None)
    inner = getattr(handle, "inner_test", None)
    if handle is None or not inspect.iscoroutinefunction(inner):
        return (yield)

    def example(*args: Any, **kwargs: Any) -> None:
        _run(pyfuncitem, inner, args, kwargs)

    handle.inner_test = example
    try:
        return (yield)
    finally:
        handle.inner_test = inner


class CoroutineTests:
    """Runs coroutine tests."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """Run a coroutine test on a new loop."""
        if not inspect.iscoroutinefunction(pyfuncitem.obj):
            return None
        names = pyfuncitem._fixtureinfo.argnames
        _run(pyfuncitem, pyfuncitem.obj, (), {name: pyfuncitem.funcargs[name] for name in names})
        return True


def pytest_plugin_registered(plugin: object, manager: pytest.PytestPluginManager) -> None:
    """Bring the runner along: a module can have only one implementation of a hook."""
    if plugin is sys.modules[__name__]:
        manager.register(CoroutineTests())


def _run(
    item: pytest.Function,
    function: Callable[..., Coroutine[Any, Any, object]],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> None:
    watch = item.stash[WATCH]
    virtual = item.get_closest_marker("virtual_time") is not None
    factory = VirtualTimeLoop if virtual else _real_loop_factory(item.config)
    loop = factory()
    try:
        loop.set_debug(True)
        loop.set_exception_handler(watch.on_loop_error)
        loop.run_until_complete(function(*args, **kwargs))
        watch.check_loop(loop)
    finally:
        _close(loop, watch)


def _close(loop: asyncio.AbstractEventLoop, watch: LeakWatch) -> None:
    """End what is left on a loop, as ``asyncio.run`` does, but without waiting for ever for what does not end."""
    try:
        loop.set_task_factory(None)
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        for ends in (_gather(left), loop.shutdown_asyncgens(), loop.shutdown_default_executor()):
            ending = loop.create_task(ends)
            loop.run_until_complete(asyncio.wait({ending}, timeout=CLOSING_PATIENCE))
        watch.problems += [f"task that no cancellation ends: {task!r}" for task in left if not task.done()]
    finally:
        loop.close()


async def _gather(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


def _real_loop_factory(config: pytest.Config) -> Callable[[], asyncio.AbstractEventLoop]:
    if config.getoption("--uvloop"):
        import uvloop

        return uvloop.new_event_loop
    return asyncio.SelectorEventLoop


def _forget_last_failure() -> None:
    """Free what the traceback of an earlier failure keeps alive, before this test could be blamed for it."""
    if hasattr(sys, "last_value"):
        for name in ("last_type", "last_value", "last_traceback", "last_exc"):
            if hasattr(sys, name):
                delattr(sys, name)
        hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
        gc.collect()
        sys.unraisablehook = hook
