"""What a bus is made of, joined: the rooms, the publications that run, and what becomes of errors.

Knows no bus: whoever calls says for whom. So a bus is in no cycle, and is gone when the last reference to it is.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from .._alone import is_awaitable
from .._wildcard import WILDCARD

# With the first bus: the exit of the interpreter is no time to import.
from . import _closing  # noqa: F401  # pyright: ignore[reportUnusedImport]
from ._audit import Audit
from ._brief import Brief
from ._callers import callers, works
from ._middleware import Middlewares
from ._observables import Observables
from ._places import Places
from ._publication import Publication
from ._sinks import Sinks
from ._statistics import Statistics
from ._streams import Streams
from ._topics import Topics

if TYPE_CHECKING:
    from asyncio import Future, Task
    from collections.abc import Callable, Coroutine

    from .._runner import Runner
    from ..types import Chaperone, ErrorHandler, WildcardType
    from ._buffer import Buffer
    from ._subscriber_set import SubscriberSet

__all__ = ["Core"]


class Core:
    """The inside of one bus.

    Args:
        label: What the bus is called in the errors of its streams.
        handler: What takes the errors that no caller can receive, or None.
        max_concurrent: How many callbacks run at a time.
        tracking: Whether publications are counted.
        owned: The tasks of the bus, which end with it.

    Attributes:
        state: ``"open"``; ``"draining"`` while what runs is waited for; ``"ending"`` while it is cut short;
            ``"closed"``.
        runner: The runner of the loop, once the bus is bound to one.
        running: The publications that have begun and not ended, in order, but for a brief one.
        brief: What stands for the publication that is under way on the stack now, if a brief one is.
        spare: What the next one can use.
        unstarted: How many of them have not had their first step.
        waits: The tasks that wait for an event, each with what it waits at.
        reports: The tasks of asynchronous handlers, for errors which nobody waits for.
        errands: One None for each publication that another thread has called for, and that has not begun.
        closers: For each call that is closing the bus, its task and those that wait for that.
        hurried: Whether what runs is not waited for any more.
        immediate: Whether streams end at once.
        watches: Who is told of each error of a publication, with the topic; none of these may raise.
    """

    __slots__ = (
        "_watchers",
        "audit",
        "brief",
        "closers",
        "errands",
        "handler",
        "hurried",
        "immediate",
        "middlewares",
        "observables",
        "owned",
        "places",
        "reports",
        "runner",
        "running",
        "sinks",
        "spare",
        "state",
        "statistics",
        "streams",
        "topics",
        "unstarted",
        "waits",
        "watches",
    )

    runner: Runner

    def __init__(
        self, label: str, handler: ErrorHandler | None, max_concurrent: int, tracking: bool, owned: set[Task[Any]]
    ) -> None:
        self.handler = handler
        self.owned = owned
        self.state: Literal["open", "draining", "ending", "closed"] = "open"
        self.topics = Topics()
        self.middlewares = Middlewares()
        self.statistics = Statistics(tracking)
        self.sinks = Sinks()
        self.streams = Streams(label, self.sinks)
        self.observables = Observables(self.sinks)
        self.places = Places(max_concurrent)
        self.audit = Audit(label, max_concurrent)
        self.running: dict[Publication, None] = {}
        self.brief: Brief | None = None
        self.spare: Brief | None = None
        self.unstarted = 0
        self.waits: dict[Task[Any], Buffer] = {}
        self.reports: set[Task[Any]] = set()
        self.errands: deque[None] = deque()
        self.closers: list[frozenset[Task[Any]]] = []
        self.hurried = False
        self.immediate = False
        self.watches: tuple[Callable[[str, BaseException], None], ...] = ()
        self._watchers: list[Future[None]] = []

    # Subscribers

    def unsubscribe(self, subscriber: Callable[..., object], event_type: str | WildcardType) -> bool:
        """Remove a subscriber, and have no running publication start it any more; return whether it was there."""
        if not self.topics.discard(subscriber, event_type):
            return False
        for publication in self.publications:
            publication.skip(event_type, subscriber)
        return True

    def clear(self, event_type: str | WildcardType) -> SubscriberSet[Any] | None:
        """Remove the subscribers of one event type in the same way; return them, or None."""
        removed = self.topics.clear(event_type)
        for publication in self.publications:
            publication.skip(event_type)
        return removed

    def clear_all(self) -> None:
        """Remove all subscribers in the same way."""
        self.clear(WILDCARD)
        for event_type in self.topics.names():
            self.clear(event_type)

    # Publications

    @property
    def publications(self) -> list[Publication | Brief]:
        """Those that have begun and not ended, in order."""
        return [*self.running] if self.brief is None else [*self.running, self.brief]

    def publication(
        self,
        bus: object,
        event_type: str,
        data: Any,
        safe: bool,
        timeout: float | None = None,
        chaperone: Chaperone | None = None,
    ) -> Publication:
        """Return a publication that has not begun."""
        return Publication(bus, self, event_type, data, safe, timeout, chaperone)

    def new_brief(self) -> Brief:
        """Return what runs callbacks for as long as none is suspended."""
        self.spare = Brief(self.places)
        return self.spare

    def can_start_at_once(self) -> bool:
        """Whether callbacks can start now, in a task that starts on the spot."""
        runner = self.runner
        return runner.eager is None and self.places.open and runner.starts_eagerly()

    def began(self, publication: Publication) -> None:
        """Take note of a publication."""
        self.running[publication] = None

    def ended(self, publication: Publication) -> None:
        """Forget a publication."""
        publication.task = None
        self.running.pop(publication, None)
        if self._watchers:
            self.note_change()

    def passed(self, event_type: str, data: Any) -> None:
        """Take note that a publication has passed the middlewares."""
        if self.statistics.active:
            self.statistics.count(event_type)
        if self.audit.active:
            self.audit.send(event_type, data)

    def tell(self, event_type: str, error: BaseException) -> None:
        """Tell those who watch of an error."""
        for watch in self.watches:
            watch(event_type, error)

    def start(self, publication: Publication, run: Coroutine[Any, Any, None]) -> Task[None]:
        """Run a publication in a task of the bus; those that are started so start in order."""
        self.began(publication)
        self.unstarted += 1
        publication.in_background = publication.unstarted = True
        publication.task = task = self.own(self.runner.loop.create_task(run))
        task.add_done_callback(partial(self._left, publication))
        return task

    def _left(self, publication: Publication, _: Task[None]) -> None:
        """For the task that was cancelled before its first step."""
        self.took_first_step(publication)
        self.ended(publication)

    def took_first_step(self, publication: Publication) -> None:
        """Take note that a publication has started."""
        if publication.unstarted:
            publication.unstarted = False
            self.unstarted -= 1

    async def run_for_nobody(self, publication: Publication, bus: object) -> None:
        """Run a publication whose errors no caller can receive.

        Cancellation: as of the publication.
        """
        try:
            await publication.run()
        except Exception as error:
            await self.handle(error, bus)

    def callback_inside(self) -> Task[Any] | None:
        """Return the callback of this bus that runs, or that waits for what runs; the innermost one."""
        runner = self.runner
        if runner.tasks or runner.eager is not None:
            for task, work in works(runner):
                if work.owner is self.places:
                    return task
        return None

    def is_inside(self) -> bool:
        """Whether a running publication waits for what runs."""
        chain = set(callers(self.runner))
        return any(publication.task in chain for publication in self.publications)

    # Tasks

    def own(self, task: Task[Any]) -> Task[Any]:
        """Have a task end with the bus, at the latest."""
        self.owned.add(task)
        task.add_done_callback(self.owned.discard)
        return task

    def own_wait(self, task: Task[Any], buffer: Buffer) -> None:
        """Own a task that waits for an event at ``buffer``, which is a sink for as long as it does."""
        self.own(task)
        self.waits[task] = buffer
        task.add_done_callback(self._waited)

    def _waited(self, task: Task[Any]) -> None:
        buffer = self.waits.pop(task)
        self.sinks.remove(buffer, buffer.event_type)
        self.note_change()

    def _own_report(self, task: Task[Any]) -> None:
        self.own(task)
        self.reports.add(task)
        task.add_done_callback(self._reported)

    def _reported(self, task: Task[Any]) -> None:
        self.reports.discard(task)
        self.note_change()

    # What a closing call waits for

    async def next_change(self) -> None:
        """Wait until something has ended.

        Cancellation: raises CancelledError; nothing was changed.
        """
        watcher = self.runner.loop.create_future()
        self._watchers.append(watcher)
        try:
            await watcher
        finally:
            self._watchers.remove(watcher)

    def note_change(self) -> None:
        """Wake whoever waits for the end of something."""
        for watcher in self._watchers:
            if not watcher.done():
                watcher.set_result(None)

    def hurry(self) -> None:
        """Wait no more for what runs."""
        self.hurried = True
        self.note_change()

    # Errors

    async def handle(self, error: Exception, bus: object) -> None:
        """Give an error to the handler, and wait for it; without one, to the loop.

        Cancellation: the handler is cancelled.
        """
        if self.handler is None:
            self.to_loop("an error that no caller of an event bus can receive", error, bus)
        else:
            await self.give(self.handler, error, bus)

    async def give(self, receiver: Callable[[Any], object], error: Exception, bus: object) -> None:
        """Give an error to a handler or a chaperone, and wait for it; what that one raises goes to the loop.

        Cancellation: the receiver is cancelled.
        """
        try:
            result = receiver(error)
            if is_awaitable(result):
                await result  # type: ignore[misc]  # is_awaitable was true
        except Exception as failure:
            self._receiver_failed(receiver, error, failure, bus)

    def report(self, error: Exception, bus: object) -> None:
        """Give an error to the handler, and do not wait for it; without one, to the loop."""
        handler = self.handler
        if handler is None or self.state == "closed":
            self.to_loop("an error that no caller of an event bus can receive", error, bus)
            return
        try:
            result = handler(error)
        except Exception as failure:
            self._receiver_failed(handler, error, failure, bus)
        else:
            if is_awaitable(result):
                self._own_report(self.runner.loop.create_task(self._finish_report(result, error, bus)))

    async def _finish_report(self, result: Any, error: Exception, bus: object) -> None:
        try:
            await result
        except Exception as failure:
            assert self.handler is not None
            self._receiver_failed(self.handler, error, failure, bus)

    def _receiver_failed(self, receiver: object, error: Exception, failure: Exception, bus: object) -> None:
        if failure is not error and failure.__context__ is None:
            failure.__context__ = error
        self.to_loop(f"{receiver!r} failed to handle an error of an event bus", failure, bus)

    def to_loop(self, message: str, error: BaseException, bus: object) -> None:
        """Give an error to the loop's exception handler."""
        self.runner.report(message, error, bus)
