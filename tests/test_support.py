"""The support of the tests does what the tests rely on: each of its checks sees what it is there for."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.support import DeadlockError, VirtualTimeLoop, live_subscriptions, tick
from tests.support.plugin import STACK_DEPTH

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent

# None of these may pass: each leaves something behind. Key: the name; value: what has to be said about it.
BAD_TESTS = {
    "pending_task": "pending task left on the loop: .*Event.wait",
    "timer": "timer left on the loop: .*TimerHandle",
    "unretrieved_task_error": "reached the loop's exception handler: .*never retrieved.*nobody asks",
    "loop_error": "reached the loop's exception handler: .*told to the handler",
    "loop_error_that_was_not_cleared": "reached the loop's exception handler: .*told to the handler",
    "failing_callback": "reached the loop's exception handler: .*invalid literal",
    "coroutine_never_awaited": "coroutine 'sleep' was never awaited",
    "coroutine_never_awaited_in_a_cycle": "coroutine 'sleep' was never awaited",
    "thread": "thread left running",
    "thread_died": "died of ValueError",
    "unraisable": "in a destructor",
    "unraisable_in_a_cycle": "in a destructor",
    "resource_warning": "unclosed file",
    "error_on_a_loop_of_its_own": "reached the loop's exception handler: .*nobody asks",
    "subscription_to_a_subject": "RxPY subscription left alive: .*print",
    "subscription_to_an_operator": "RxPY subscription left alive: ",
    "standstill_of_the_virtual_clock": "the virtual clock stands still",
    "example_of_a_property": "pending task left on the loop",
    "warning": "DeprecationWarning: old",
    "failure_with_a_task_left": "AssertionError: this is what failed",
}
BAD_FILE = """
import asyncio, threading, warnings
import pytest
from hypothesis import given, settings, strategies

forever = []

class Bad:
    def __del__(self):
        raise LookupError("in a destructor")

async def fail():
    raise LookupError("nobody asks")

async def forget_a_failure():
    asyncio.create_task(fail())
    await asyncio.sleep(0)
    await asyncio.sleep(0)

async def test_pending_task():
    task = asyncio.create_task(asyncio.Event().wait())

async def test_timer():
    asyncio.get_running_loop().call_later(3600, print)

async def test_unretrieved_task_error():
    await forget_a_failure()

async def test_loop_error():
    asyncio.get_running_loop().call_exception_handler({"message": "told to the handler"})

async def test_loop_error_that_was_not_cleared(loop_errors):
    asyncio.get_running_loop().call_exception_handler({"message": "told to the handler"})
    assert len(loop_errors) == 1

async def test_failing_callback():
    asyncio.get_running_loop().call_soon(int, "no number")
    await asyncio.sleep(0)

async def test_coroutine_never_awaited():
    asyncio.sleep(0)

def test_coroutine_never_awaited_in_a_cycle():
    cycle = [asyncio.sleep(0)]
    cycle.append(cycle)

def test_thread():
    forever.append(stop := threading.Event())
    threading.Thread(target=stop.wait, daemon=True).start()

def test_thread_died():
    thread = threading.Thread(target=int, args=["no number"])
    thread.start()
    thread.join()

def test_unraisable():
    Bad()

def test_unraisable_in_a_cycle():
    bad = Bad()
    bad.itself = bad

def test_resource_warning():
    open(__file__)

def test_error_on_a_loop_of_its_own():
    asyncio.run(forget_a_failure())

def test_subscription_to_a_subject():
    from reactivex.subject import Subject
    forever.append(subject := Subject())
    subject.subscribe(print)

async def test_subscription_to_an_operator():
    import reactivex
    from reactivex import operators
    forever.append(reactivex.never().pipe(operators.map(str)).subscribe(print))

@pytest.mark.virtual_time
async def test_standstill_of_the_virtual_clock():
    await asyncio.Event().wait()

@settings(database=None)
@given(strategies.integers())
async def test_example_of_a_property(number):
    task = asyncio.create_task(asyncio.Event().wait())

def test_warning():
    warnings.warn("old", DeprecationWarning)

async def test_failure_with_a_task_left():
    task = asyncio.create_task(asyncio.Event().wait())
    raise AssertionError("this is what failed")

async def test_that_leaves_nothing_after_all_these():
    pass
"""


@pytest.fixture(scope="module")
def bad_run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[list[str], str]]:
    """The outcome of each bad test: the kinds of its failures, and what was said."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "conftest.py").write_text('pytest_plugins = ["tests.support.plugin"]\n')
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    filters = "".join(f"    {line}\n" for line in options["filterwarnings"])
    (folder / "pytest.ini").write_text(f"[pytest]\nfilterwarnings =\n{filters}")
    (folder / "test_bad.py").write_text(BAD_FILE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=result.xml"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))}
    environment["PYTHONPATH"] = str(ROOT)
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    cases = ET.parse(folder / "result.xml").getroot().iter("testcase")
    return {
        case.attrib["name"].removeprefix("test_"): (
            [problem.tag for problem in case],
            "\n".join(f"{problem.attrib['message']}\n{problem.text}" for problem in case),
        )
        for case in cases
    }


@pytest.mark.parametrize("name", BAD_TESTS)
def test_leak_check_fails_a_bad_test(bad_run: dict[str, tuple[list[str], str]], name: str) -> None:
    problems, text = bad_run[name]
    assert len(problems) == 1
    assert re.search(BAD_TESTS[name], text), text


def test_leak_check_blames_no_other_test(bad_run: dict[str, tuple[list[str], str]]) -> None:
    assert bad_run["that_leaves_nothing_after_all_these"] == ([], "")
    assert len(bad_run) == len(BAD_TESTS) + 1


def test_leak_check_leaves_the_failure_of_a_test_alone(bad_run: dict[str, tuple[list[str], str]]) -> None:
    problems, text = bad_run["failure_with_a_task_left"]
    assert problems == ["failure"]
    assert "left something behind" not in text


async def test_loop_errors_can_be_expected(loop_errors: list[dict[str, object]]) -> None:
    asyncio.get_running_loop().call_exception_handler({"message": "expected"})
    assert [error["message"] for error in loop_errors] == ["expected"]
    loop_errors.clear()


async def test_tick_runs_that_many_turns() -> None:
    turns: list[int] = []

    def turn() -> None:
        turns.append(len(turns))
        if len(turns) < 5:
            asyncio.get_running_loop().call_soon(turn)

    turn()
    await tick(3)
    assert turns == [0, 1, 2, 3]
    await tick()
    assert turns == [0, 1, 2, 3, 4]


def test_live_subscriptions_counts_until_disposal() -> None:
    import reactivex

    before = len(live_subscriptions())
    subscription = reactivex.never().subscribe(print)
    assert len(live_subscriptions()) == before + 1
    subscription.dispose()
    assert len(live_subscriptions()) == before


async def test_coroutine_test_runs_in_debug_mode_on_the_chosen_loop(request: pytest.FixtureRequest) -> None:
    loop = asyncio.get_running_loop()
    assert loop.get_debug()
    assert type(loop).__module__.startswith("uvloop") == request.config.getoption("--uvloop")


async def test_coroutine_test_has_few_frames_noted_of_what_it_makes() -> None:
    noted = asyncio.get_running_loop().create_future()._source_traceback  # type: ignore[attr-defined]  # of debug mode
    assert 0 < len(noted) <= STACK_DEPTH


@pytest.mark.virtual_time
async def test_virtual_time_jumps_to_the_next_timer_exactly() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    assert loop.time() == 0
    await asyncio.sleep(3600)
    assert loop.time() == 3600
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await asyncio.Event().wait()
    assert loop.time() == 3600.1


@pytest.mark.virtual_time
async def test_virtual_time_is_exact_when_it_is_late() -> None:
    loop = asyncio.get_running_loop()
    await asyncio.sleep(1e12)
    await asyncio.sleep(0.5)
    assert loop.time() == 1e12 + 0.5


@pytest.mark.virtual_time
async def test_virtual_time_runs_timers_in_order() -> None:
    order: list[str] = []

    async def note(name: str, delay: float) -> None:
        await asyncio.sleep(delay)
        order.append(f"{name} {asyncio.get_running_loop().time():g}")

    await asyncio.gather(note("c", 3), note("a", 1), note("b", 2), note("b2", 2))
    assert order == ["a 1", "b 2", "b2 2", "c 3"]


@pytest.mark.virtual_time
async def test_virtual_time_waits_for_the_executor() -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(5):
        assert await loop.run_in_executor(None, _slow, 7) == 7
    assert loop.time() == 0


@pytest.mark.virtual_time
async def test_virtual_time_waits_for_a_thread_that_calls_back() -> None:
    loop = asyncio.get_running_loop()
    future = loop.create_future()

    def call_back() -> None:
        loop.call_soon_threadsafe(future.set_result, _slow(8))

    thread = threading.Thread(target=call_back)
    thread.start()
    assert await future == 8
    thread.join()


@pytest.mark.virtual_time
async def test_virtual_time_jumps_past_a_thread_that_does_not_call_back() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    await asyncio.sleep(1)
    assert asyncio.get_running_loop().time() == 1
    stop.set()
    thread.join()


def test_virtual_time_raises_where_it_would_wait_for_ever() -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner, pytest.raises(DeadlockError, match="stands still"):
        runner.run(asyncio.Event().wait())


def test_virtual_time_does_not_count_an_idle_worker() -> None:
    async def main() -> None:
        await asyncio.to_thread(_slow, 0)
        started = time.monotonic()
        for _ in range(20):
            await asyncio.sleep(1)
        assert time.monotonic() - started < 1

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())


@pytest.fixture
def made_by_a_fixture() -> Callable[[], int]:
    return lambda: 5


async def test_coroutine_test_takes_fixtures(made_by_a_fixture: Callable[[], int]) -> None:
    assert made_by_a_fixture() == 5


def _slow(result: int) -> int:
    time.sleep(0.02)
    return result
