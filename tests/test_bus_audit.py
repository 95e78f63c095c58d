"""The way between ``sys.audit`` and a bus."""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING, Any

import pytest

from asyncutils_rx import EventBus
from asyncutils_rx._bus import _audit
from asyncutils_rx.exceptions import ArgumentTypeError, BusShutDown, NoLoopError
from tests.observable_kit import Held, begin, collect_errors, failing, settle, within
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Ours:
    """Notes the events of these tests, and none of Python's own, such as those of asyncio's debug mode."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []

    def __call__(self, event: str, args: Any) -> None:
        if event.startswith("test."):
            self.seen.append((event, args))


foreign: list[tuple[str, tuple[Any, ...]]] = []
objections: list[BaseException] = []


def foreign_hook(event: str, args: tuple[Any, ...]) -> None:
    """Stand for the hook of somebody else; it cannot be removed."""
    if event.startswith("published."):
        foreign.append((event, args))
        if objections:
            raise objections.pop()


@pytest.fixture(scope="module", autouse=True)
def hook_of_somebody_else() -> None:
    sys.addaudithook(foreign_hook)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    foreign.clear()
    yield
    assert _audit._hook.auditors == ()


# From the interpreter to the bus


async def test_audit_events_become_publications_of_their_names_and_arguments() -> None:
    bus = EventBus()
    ours = Ours()
    bus.subscribe(ours)
    bus.start_audit()
    sys.audit("test.one", 1, "two")
    sys.audit("test.none")
    assert ours.seen == []  # never inside what is audited
    await settle()
    assert ours.seen == [("test.one", (1, "two")), ("test.none", ())]
    bus.stop_audit()


async def test_audit_events_of_python_itself_are_published(tmp_path: Path) -> None:
    bus = EventBus()
    seen: list[Any] = []

    @bus.subscribe_to("open")
    def opened(args: Any) -> None:
        seen.append(args[0])

    path = tmp_path / "file"
    with bus.audit_context():
        path.touch()
        path.read_bytes()
    await settle()
    assert [os.fspath(opened) for opened in seen][-1] == str(path)


async def test_audit_events_pass_middlewares_streams_and_statistics() -> None:
    bus = EventBus(tracking_stats=True)
    ours = Ours()
    bus.subscribe(ours)
    bus.add_middleware(lambda event, args: (*args, "processed") if event.startswith("test.") else args)
    stream = bus.event_stream("test.one")
    bus.start_audit()
    sys.audit("test.one", 1)
    assert await within(stream.__anext__()) == (1, "processed")
    bus.stop_audit()
    await settle()
    assert ours.seen == [("test.one", (1, "processed"))]
    assert bus.get_event_stats()["test.one"] == 1


async def test_audit_events_are_published_in_order() -> None:
    bus = EventBus(max_concurrent=3)
    seen: list[int] = []

    @bus.subscribe_to("test.many")
    async def note(args: Any) -> None:
        seen.append(args[0])
        await tick(args[0] % 3)

    bus.start_audit()
    for number in range(50):
        sys.audit("test.many", number)
    bus.stop_audit()
    await bus.shutdown()
    assert seen == list(range(50))


async def test_audit_events_of_other_threads_are_published_on_the_loops_thread() -> None:
    bus = EventBus()
    threads: list[threading.Thread] = []
    arrived = asyncio.Event()

    @bus.subscribe_to("test.thread")
    def note(_: Any) -> None:
        threads.append(threading.current_thread())
        arrived.set()

    bus.start_audit()
    thread = threading.Thread(target=sys.audit, args=("test.thread", 1))
    thread.start()
    await within(arrived.wait())
    thread.join()
    bus.stop_audit()
    assert threads == [threading.current_thread()]
    await settle()


async def test_several_buses_see_the_same_event() -> None:
    buses = [EventBus(), EventBus()]
    ours = Ours()
    for bus in buses:
        bus.subscribe(ours)
        bus.start_audit()
    sys.audit("test.shared")
    await settle()
    assert ours.seen == [("test.shared", ())] * 2
    for bus in buses:
        bus.stop_audit()


async def test_an_error_of_a_subscriber_is_reported() -> None:
    reported: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context.get("exception")))
    bus = EventBus()
    error = ValueError()
    subscriber = failing(error)
    bus.subscribe(subscriber, "test.bad")
    with bus.audit_context():
        sys.audit("test.bad")
    await settle()
    assert [type(report) for report in reported] == [ExceptionGroup]


async def test_auditing_tells_and_sets_whether_the_bus_is_connected() -> None:
    bus = EventBus()
    ours = Ours()
    bus.subscribe(ours)
    assert not bus.is_auditing()
    assert not bus.auditing
    bus.auditing = True
    bus.auditing = True
    assert bus.is_auditing()
    assert bus.auditing
    sys.audit("test.one")
    bus.auditing = False
    bus.auditing = False
    assert not bus.is_auditing()
    sys.audit("test.two")
    await settle()
    assert ours.seen == [("test.one", ())]


@pytest.mark.parametrize("value", [None, 1, "yes"])
async def test_auditing_refuses_what_is_no_bool(value: Any) -> None:
    bus = EventBus()
    with pytest.raises(ArgumentTypeError, match="auditing must be True or False"):
        bus.auditing = value
    assert not bus.auditing


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_audit_context_audits_inside(asynchronous: bool) -> None:
    bus = EventBus()
    ours = Ours()
    bus.subscribe(ours)
    context = bus.audit_context()
    sys.audit("test.before")
    if asynchronous:
        async with context as entered:
            sys.audit("test.inside")
    else:
        with context as entered:
            sys.audit("test.inside")
    sys.audit("test.after")
    assert entered is None
    await settle()
    assert ours.seen == [("test.inside", ())]


async def test_audit_contexts_can_overlap() -> None:
    bus = EventBus()
    first, second = bus.audit_context(), bus.audit_context()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert bus.auditing
    second.__exit__(None, None, None)
    assert not bus.is_auditing()
    await settle()


async def test_audit_context_leaves_a_bus_auditing_that_was_started() -> None:
    bus = EventBus()
    bus.start_audit()
    with bus.audit_context():
        pass
    assert bus.auditing
    with bus.audit_context():
        bus.stop_audit()
        assert not bus.is_auditing()
    assert not bus.is_auditing()
    await settle()


def test_audit_needs_a_loop() -> None:
    bus = EventBus("lonely")
    with pytest.raises(NoLoopError, match="lonely"):
        bus.start_audit()
    with pytest.raises(NoLoopError, match="lonely"):
        bus.audit_context().__enter__()
    assert not bus.auditing


async def test_audit_after_shutdown_raises() -> None:
    bus = EventBus("gone")
    await bus.shutdown()
    with pytest.raises(BusShutDown, match="gone"):
        bus.start_audit()
    with pytest.raises(BusShutDown, match="gone"):
        bus.auditing = True
    with pytest.raises(BusShutDown, match="gone"):
        bus.audit_context().__enter__()
    bus.stop_audit()
    assert not bus.is_auditing()


async def test_the_auditor_is_a_function_of_the_instance() -> None:
    bus = EventBus()
    ours = Ours()
    bus.subscribe(ours)
    assert inspect.isfunction(bus.auditor)
    assert vars(bus)["auditor"] is bus.auditor
    bus.auditor("test.ignored", ())
    bus.start_audit()
    bus.auditor("test.direct", (1,))
    bus.stop_audit()
    await settle()
    assert ours.seen == [("test.direct", (1,))]


def test_the_process_gets_one_hook_however_many_buses_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    added: list[Any] = []
    monkeypatch.setattr(sys, "addaudithook", added.append)
    monkeypatch.setattr(_audit, "_hook", _audit._Hook())

    async def main() -> None:
        for _ in range(3):
            bus = EventBus()
            bus.start_audit()
            bus.stop_audit()

    assert added == []
    asyncio.run(main())
    assert len(added) == 1


def test_the_child_of_a_fork_forgets_the_buses_of_its_parent() -> None:
    hook = _audit._Hook()
    hook.auditors = (EventBus().auditor,)
    hook._forget()
    assert not hook.auditors


# From the bus to the interpreter


async def test_publications_are_audited_while_auditing() -> None:
    bus = EventBus()
    bus.add_middleware(lambda _, data: data * 2)
    await bus.publish("published.before", 1)
    bus.start_audit()
    await bus.publish("published.inside", 2)
    bus.stop_audit()
    await bus.publish("published.after", 3)
    assert foreign == [("published.inside", (4,))]
    await settle()


async def test_the_bus_does_not_publish_the_audit_of_its_own_publications() -> None:
    bus = EventBus()
    seen: list[Any] = []

    @bus.subscribe_to("published.once")
    def note(data: Any) -> None:
        seen.append(data)

    bus.start_audit()
    await bus.publish("published.once", 1)
    await settle()
    bus.stop_audit()
    assert seen == [1]
    assert foreign == [("published.once", (1,))]
    await settle()


async def test_another_bus_sees_them_and_that_is_the_end_of_it() -> None:
    bus, other = EventBus(), EventBus()
    seen: list[Any] = []

    def note(data: Any) -> None:
        seen.append(data)

    bus.subscribe(note, "published.once")
    other.subscribe(note, "published.once")
    bus.start_audit()
    other.start_audit()
    await bus.publish("published.once", "data")
    await settle()
    bus.stop_audit()
    other.stop_audit()
    assert seen == ["data", ("data",)]
    assert foreign == [("published.once", ("data",))]
    await settle()


async def test_a_hook_that_objects_to_a_publication_is_heard() -> None:
    bus = EventBus()
    seen: list[Any] = []
    bus.subscribe(seen.append, "published.bad", weak=False)
    objections.append(PermissionError("no"))
    bus.start_audit()
    with pytest.raises(PermissionError):
        await bus.publish("published.bad", 1)
    await bus.publish("published.bad", 2)
    bus.stop_audit()
    assert seen == [2]
    await settle()


@pytest.mark.parametrize("topic", ["published.\0", "published.\ud800"])
async def test_a_topic_that_can_be_no_name_of_an_audit_event_is_published_all_the_same(topic: str) -> None:
    bus = EventBus()
    seen: list[Any] = []
    bus.subscribe(seen.append, topic, weak=False)
    bus.start_audit()
    await bus.publish(topic, 1)
    bus.stop_audit()
    assert seen == [1]
    assert foreign == []
    await settle()


# No echo


async def test_what_a_subscriber_does_while_handling_an_audit_event_is_not_published() -> None:
    bus = EventBus()
    seen: list[str] = []

    @bus.subscribe
    async def echo(event: str, _: Any) -> None:
        if event.startswith("test."):
            seen.append(event)
            sys.audit("test.echo")
            await tick()
            sys.audit("test.late echo")
            await asyncio.create_task(elsewhere())
            await asyncio.to_thread(sys.audit, "test.threaded echo")

    async def elsewhere() -> None:
        sys.audit("test.spawned echo")

    bus.start_audit()
    sys.audit("test.original")
    await asyncio.sleep(0.05)
    sys.audit("test.second")
    await asyncio.sleep(0.05)
    bus.stop_audit()
    await bus.shutdown()
    assert seen == ["test.original", "test.second"]


async def test_what_a_subscriber_publishes_while_handling_an_audit_event_is_not_audited() -> None:
    bus = EventBus()
    seen: list[Any] = []

    @bus.subscribe_to("test.original")
    async def alert(args: Any) -> None:
        await bus.publish("published.alert", args)
        bus.sync_start_publish("published.alert", args)

    bus.subscribe(seen.append, "published.alert", weak=False)
    bus.start_audit()
    sys.audit("test.original", 1)
    await settle()
    bus.stop_audit()
    assert seen == [(1,), (1,)]
    assert foreign == []
    await settle()


async def test_what_the_report_of_an_error_does_is_not_published() -> None:
    ours = Ours()
    reports: list[Any] = []

    def reporter(_: Any, context: Any) -> None:
        reports.append(context)
        sys.audit("test.echo")

    asyncio.get_running_loop().set_exception_handler(reporter)
    bus = EventBus()
    subscriber = failing(ValueError())
    bus.subscribe(ours)
    bus.subscribe(subscriber, "test.bad")
    bus.start_audit()
    sys.audit("test.bad")
    await settle()
    bus.stop_audit()
    assert len(reports) == 1
    assert ours.seen == [("test.bad", ())]
    await settle()


async def test_what_a_handler_does_is_not_published() -> None:
    ours = Ours()

    async def handler(_: BaseException) -> None:
        await tick()
        sys.audit("test.echo")

    bus = EventBus(handler=handler)
    subscriber = failing(ValueError())
    bus.subscribe(ours)
    bus.subscribe(subscriber, "test.bad")
    bus.start_audit()
    sys.audit("test.bad")
    await settle()
    bus.stop_audit()
    assert ours.seen == [("test.bad", ())]
    await settle()


async def test_a_publication_held_up_by_another_one_is_not_taken_for_an_echo_of_it() -> None:
    bus = EventBus(max_concurrent=1)
    held = Held()
    ours = Ours()
    bus.subscribe(held, "test.original")

    @bus.subscribe_to("ordinary")
    def ordinary(_: Any) -> None:
        sys.audit("test.genuine")

    bus.start_audit()
    sys.audit("test.original", 1)
    await settle()
    publishing = await begin(bus.publish("ordinary"))
    bus.subscribe(ours)
    held.release()
    await within(publishing)
    await within(bus.shutdown())
    assert ours.seen == [("test.genuine", ())]


async def test_an_event_raised_inside_the_hook_is_ignored() -> None:
    bus = EventBus()
    ours = Ours()
    bus.subscribe(ours)
    bus.start_audit()
    loop = asyncio.get_running_loop()

    class Loop:
        def __getattr__(self, name: str) -> Any:
            sys.audit("test.inside the hook")
            return getattr(loop, name)

    bus._core.audit._loop = Loop()  # type: ignore[assignment]  # it has all that a loop has
    sys.audit("test.original")
    bus._core.audit._loop = loop
    await settle()
    bus.stop_audit()
    assert ours.seen == [("test.original", ())]
    await settle()


# Whatever the state


async def test_stop_audit_publishes_what_was_noted_before() -> None:
    bus = EventBus()
    ours = Ours()
    bus.subscribe(ours)
    bus.start_audit()
    sys.audit("test.noted")
    bus.stop_audit()
    await settle()
    assert ours.seen == [("test.noted", ())]


async def test_shutdown_publishes_what_was_noted_before() -> None:
    bus = EventBus(max_concurrent=1)
    ours = Ours()

    @bus.subscribe_to("test.slow")
    async def slow(_: Any) -> None:
        await tick(3)

    bus.subscribe(ours)
    bus.start_audit()
    for _ in range(5):
        sys.audit("test.slow")
    await within(bus.shutdown())
    assert ours.seen == [("test.slow", ())] * 5
    assert not bus.auditing


async def test_immediate_shutdown_drops_what_was_noted_before() -> None:
    bus = EventBus()
    ours = Ours()
    bus.subscribe(ours)
    bus.start_audit()
    sys.audit("test.noted")
    await within(bus.shutdown(immediate=True))
    sys.audit("test.late")
    await settle()
    assert not ours.seen


async def test_shutdown_from_inside_an_audit_event() -> None:
    bus = EventBus()

    @bus.subscribe_to("test.quit")
    async def finish(_: Any) -> None:
        sys.audit("test.echo")
        await bus.shutdown()

    bus.start_audit()
    sys.audit("test.quit")
    await settle()
    with pytest.raises(BusShutDown):
        bus.raise_for_shutdown()


def test_audited_code_is_not_harmed_when_the_loop_is_closed() -> None:
    bus = EventBus()

    async def main() -> None:
        bus.start_audit()

    asyncio.run(main())
    assert bus.auditing
    sys.audit("test.after the loop", object())
    assert not bus.is_auditing()
    sys.audit("test.again")


def test_a_loop_that_stands_still_collects_no_more_than_the_backlog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_audit, "BACKLOG", 10)
    loop = asyncio.new_event_loop()
    reports: list[str] = []
    loop.set_exception_handler(lambda _, context: reports.append(context["message"]))
    bus = EventBus("standing")
    ours = Ours()
    bus.subscribe(ours)

    async def start() -> None:
        bus.start_audit()

    loop.run_until_complete(start())
    for number in range(25):
        sys.audit("test.many", number)
    bus.stop_audit()
    loop.run_until_complete(bus.shutdown())
    assert [args[0] for _, args in ours.seen] <= list(range(10))
    assert len(reports) == 1
    assert "standing" in reports[0]
    assert "audit events were dropped" in reports[0]
    loop.close()


async def test_a_bus_that_is_collected_while_auditing_harms_nobody() -> None:
    bus = EventBus()
    bus.start_audit()
    sys.audit("test.noted")
    auditor = bus.auditor
    del bus
    gc.collect()
    sys.audit("test.after the bus")
    auditor("test.direct", ())
    await settle()
    gc.collect()
    sys.audit("test.after the end")
    _audit._hook.disconnect(auditor)


async def test_an_error_inside_the_hook_is_not_raised() -> None:
    bus = EventBus()
    bus.start_audit()
    bus._core.audit._backlog = None  # type: ignore[assignment]  # whatever may go wrong
    sys.audit("test.broken")
    bus.auditor("test.broken", ())
    bus.stop_audit()


# Python traces no audit hook, so the lines below it are counted as run only where it is called as what it is


async def test_the_hook_by_itself() -> None:
    bus = EventBus()
    ours = Ours()
    bus.subscribe(ours)
    hook = _audit._hook._made()
    bus.start_audit()
    hook("test.one", (1,))
    bus.stop_audit()
    hook("test.two", (2,))
    await settle()
    assert ours.seen == [("test.one", (1,))]


async def test_the_auditor_ignores_what_it_is_not_to_publish(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = EventBus()
    backlog = bus._core.audit._backlog
    bus.start_audit()
    loop = asyncio.get_running_loop()
    bus.auditor("sys._getframe", ())
    assert ("sys._getframe", ()) not in backlog
    loop.set_debug(False)
    bus.auditor("sys._getframe", ())
    assert ("sys._getframe", ()) in backlog
    loop.set_debug(True)
    monkeypatch.setattr(_audit, "BACKLOG", len(backlog))
    bus.auditor("test.dropped", ())
    assert ("test.dropped", ()) not in backlog
    _audit._local.busy = True
    bus.auditor("test.busy", ())
    _audit._local.busy = False
    _audit._local.sender = bus._core.audit
    bus.auditor("test.sent", ())
    _audit._local.sender = None
    bus.stop_audit()
    assert {event for event, _ in backlog} & {"test.busy", "test.sent"} == set()
    bus._core.audit.drop()
    bus._core.audit._dropped = 0
    await settle()


def test_the_auditor_gives_up_when_the_loop_is_closed() -> None:
    bus = EventBus()

    async def main() -> None:
        bus.start_audit()

    asyncio.run(main())
    bus.auditor("test.late", ())
    assert not bus.auditing
    assert not bus._core.audit._backlog


async def test_asyncios_debug_mode_makes_no_publications() -> None:
    bus = EventBus()
    seen: list[str] = []

    @bus.subscribe
    def note(event: str, _: Any) -> None:
        seen.append(event)

    bus.start_audit()
    asyncio.get_running_loop().create_future()
    await asyncio.sleep(0.001)
    await bus.publish("ordinary")
    await settle()
    bus.stop_audit()
    await settle()
    assert not _audit._DEBUG_EVENTS.intersection(seen)


async def test_an_auditing_bus_stops_when_all_tasks_are_cancelled() -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "test.slow")
    bus.start_audit()
    sys.audit("test.slow", 1)
    await settle()
    for task in bus.running_tasks:
        task.cancel()
    await settle()
    assert not bus.auditing
    assert held.cancelled == [(1,)]


async def test_a_subscriber_that_raises_cancelled_error_does_not_stop_the_audit() -> None:
    bus = EventBus()
    ours = Ours()
    subscriber = failing(asyncio.CancelledError())
    bus.subscribe(subscriber, "test.bad")
    bus.subscribe(ours)
    bus.start_audit()
    sys.audit("test.bad")
    await settle()
    assert bus.auditing
    bus.stop_audit()
    await settle()
    assert ours.seen == [("test.bad", ())]


async def test_events_that_are_due_when_the_bus_has_closed_are_dropped() -> None:
    bus = EventBus()
    bus.start_audit()
    publish = bus._audit_publisher()
    bus.stop_audit()
    await bus.shutdown()
    assert publish("test.late", ()) is None


async def test_recursion_at_the_limit_of_the_stack_is_the_audited_codes_own() -> None:
    bus = EventBus()
    bus.start_audit()

    def deep(level: int) -> int:
        sys.audit("test.deep", level)
        return deep(level + 1)

    with pytest.raises(RecursionError):
        deep(0)
    bus.stop_audit()
    await bus.shutdown(immediate=True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
async def test_the_child_of_a_fork_does_not_audit() -> None:
    bus = EventBus()
    bus.start_audit()
    child = os.fork()
    if not child:
        sys.audit("test.child")
        os._exit(("test.child", ()) in bus._core.audit._backlog or len(_audit._hook.auditors))
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    sys.audit("test.parent")
    assert ("test.parent", ()) in bus._core.audit._backlog
    bus.stop_audit()
    await bus.shutdown(immediate=True)
    assert os.waitstatus_to_exitcode(status) == 0


def run(program: str) -> str:
    result = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)},
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


def test_the_exit_of_the_interpreter_is_not_disturbed() -> None:
    out = run(
        """
        import asyncio, atexit, sys
        from asyncutils_rx import EventBus
        bus = EventBus()

        class Late:
            def __del__(self):
                sys.audit("test.late")

        late = Late()
        atexit.register(sys.audit, "test.atexit")

        async def main():
            asyncio.get_running_loop().slow_callback_duration = 10
            bus.subscribe(lambda event, args: None, weak=False)
            bus.start_audit()
            open(__import__("os").devnull).close()
            await asyncio.sleep(0)

        asyncio.run(main())
        print("done")
        """
    )
    assert out == "done\n"


def test_a_program_that_audits_everything_ends() -> None:
    out = run(
        """
        import asyncio, os, threading
        from asyncutils_rx import EventBus

        async def main():
            asyncio.get_running_loop().slow_callback_duration = 10
            count = 0
            async with EventBus(tracking_stats=True) as bus:
                @bus.subscribe
                async def note(event, args):
                    nonlocal count
                    count += 1
                    with open(os.devnull) as file:
                        await asyncio.sleep(0)
                with bus.audit_context():
                    def work():
                        for _ in range(200):
                            open(os.devnull).close()
                    threads = [threading.Thread(target=work) for _ in range(4)]
                    for thread in threads:
                        thread.start()
                    while any(thread.is_alive() for thread in threads):
                        await asyncio.sleep(0.001)
                    import json.decoder, xml.dom.minidom
                await bus.shutdown(preserve_stats=True)
            stats = bus.get_event_stats()
            assert count == sum(stats.values()), (count, stats)
            print(stats["open"] >= 800, stats["import"] > 0)

        asyncio.run(main())
        """
    )
    assert out == "True True\n"


async def test_collected_reports_of_these_tests_are_none(loop_errors: list[dict[str, Any]]) -> None:
    assert collect_errors(loop_errors) == []
