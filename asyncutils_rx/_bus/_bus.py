"""The public class: streams, waiting and audit, on top of publishing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, overload
from weakref import ref

from .._arguments import check_size, check_timeout, wrong_value
from .._runner import CALLS_BETWEEN_TURNS
from .._wildcard import WILDCARD, WildcardType
from ..context import peek
from ._calls import (
    MISSING,
    Missing,
    check_event_type,
    check_flag,
    check_future,
    check_optional_callable,
    check_topic,
    checks_first,
)
from ._publishing import Publishing

if TYPE_CHECKING:
    from asyncio import Future, Queue, Task
    from collections.abc import AsyncGenerator, Callable, Coroutine

    from .._observable import Observable
    from ..types import DualContextManager, ErrorHandler, SpecificSubscriber, WildcardSubscriber

__all__ = ["EventBus"]

T = TypeVar("T")


class EventBus(Publishing):
    """A bus on which publications travel, by topic, through middlewares to subscribers and streams.

    ``publish`` sends the data through the middlewares in their order, starts the topic's own subscribers and then the
    wildcards, each in order of subscription and concurrently, and returns when all of them have ended. A bus can be
    made without a running loop, and used without entering it; ``async with``, :meth:`shutdown` or :meth:`aclose` add
    the clean end: a bus that is left after a clean body serves what was published, one that is left by an exception
    ends at once. All but :meth:`publish_threadsafe` and the auditor is for the loop's own thread.

    Args:
        name: What it is called in errors; a number is chosen if not passed.
        handler: Takes the errors of subscribers that are not taken by a ``chaperone``, and those that no caller can
            receive; synchronous or not. Without one they are raised, or go to the loop's exception handler.
        max_concurrent: How many callbacks may run at a time, at least 1; ``EVENT_BUS_DEFAULT_MAX_CONCURRENT`` of the
            context if not passed. A callback that waits for a publication of the same bus does not count meanwhile.
        tracking_stats: Whether publications are counted from the beginning; see :meth:`start_tracking`.

    Attributes:
        auditor: What is called with the interpreter's audit events while auditing: a function of the event's name and
            its arguments, for any thread, which never raises.

    Raises:
        ArgumentTypeError: ``name`` is no string, ``handler`` is not callable, ``max_concurrent`` is no integer, or
            ``tracking_stats`` is no bool.
        ArgumentValueError: ``max_concurrent`` is less than 1.

    >>> import asyncio
    >>> async def main() -> None:
    ...     async with EventBus("shop") as bus:
    ...         bus.subscribe(print, "sold")
    ...         await bus.publish("sold", "a book")
    >>> asyncio.run(main())
    a book
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        handler: ErrorHandler | None = None,
        max_concurrent: int | None = None,
        tracking_stats: bool = False,
    ) -> None:
        super().__init__(name, handler=handler, max_concurrent=max_concurrent, tracking_stats=tracking_stats)
        self.auditor: Callable[[str, tuple[object, ...]], None] = self._core.audit.auditor

    # Streams

    @overload
    def event_stream(
        self, event_type: str, *, timeout: float | None = ..., item_timeout: float | None = ..., bufsize: int = ...
    ) -> AsyncGenerator[Any, None]: ...

    @overload
    def event_stream(
        self,
        event_type: WildcardType = ...,
        *,
        timeout: float | None = ...,
        item_timeout: float | None = ...,
        bufsize: int = ...,
    ) -> AsyncGenerator[tuple[str, Any], None]: ...

    def event_stream(
        self,
        event_type: str | WildcardType = WILDCARD,
        *,
        timeout: float | Missing | None = MISSING,
        item_timeout: float | Missing | None = MISSING,
        bufsize: int | Missing = MISSING,
    ) -> AsyncGenerator[Any, None]:
        """Open a stream of the events of a topic, or of all of them.

        It sees every publication from this call on, in the order in which they passed the middlewares, and starts with
        what :meth:`feed_event` has left for it. Each stream has its own buffer. While that is full, publishers wait.
        The task that read last waits for no room in a stream without a ``timeout``, as only itself could make any.

        Args:
            event_type: The topic; all of them if not passed, and then the items are pairs of event type and data.
            timeout: For how many seconds a publisher waits for room before this delivery fails with a
                ``BusTimeout``, which it gets as any subscriber's error; None is for as long as it takes.
                ``EVENT_BUS_STREAM_DEFAULT_TIMEOUT`` of the context if not passed.
            item_timeout: After how many seconds without an event the stream ends, counted from the first step that
                found nothing; None is never. ``EVENT_BUS_STREAM_DEFAULT_ITEM_TIMEOUT`` of the context if not passed.
            bufsize: How many events are buffered; 0 is any number. ``EVENT_BUS_STREAM_DEFAULT_BUFFER_SIZE`` of the
                context if not passed.

        Returns:
            An async generator. A cancelled step loses nothing, and the next one goes on. It ends when it is closed or
            collected, at its ``item_timeout``, and with the bus: after what was buffered, or at once by an
            immediate shutdown.

        Raises:
            ArgumentTypeError: An argument is of the wrong kind.
            ArgumentValueError: A timeout is negative or NaN, or ``bufsize`` is negative.
            BusShutDown: The bus was shut down.
        """
        from ._streams import EventStream

        owner = "EventBus.event_stream"
        context = peek()
        check_event_type(owner, event_type)
        if timeout is MISSING:
            timeout = context.EVENT_BUS_STREAM_DEFAULT_TIMEOUT
        if item_timeout is MISSING:
            item_timeout = context.EVENT_BUS_STREAM_DEFAULT_ITEM_TIMEOUT
        if bufsize is MISSING:
            bufsize = context.EVENT_BUS_STREAM_DEFAULT_BUFFER_SIZE
        timeout = check_timeout(owner, "timeout", timeout)
        item_timeout = check_timeout(owner, "item_timeout", item_timeout)
        check_size(owner, "bufsize", bufsize)
        self._check_open()
        return EventStream(self._core.streams.add(event_type, timeout, item_timeout, bufsize), self._bind)

    @property
    def stream_queue(self) -> Queue[Any]:
        """The buffer of the newest open stream; with none open, what :meth:`feed_event` fills for the next one.

        Its items are pairs of event type and data where the stream is one of all topics, else just the data.
        """
        return self._core.streams.queue(peek().EVENT_BUS_STREAM_DEFAULT_BUFFER_SIZE)

    @overload
    def feed_event(self, data: object, /, *, timeout: float | None = ...) -> Coroutine[Any, Any, None]: ...

    @overload
    def feed_event(
        self, event_type: str, data: object, /, *, timeout: float | None = ...
    ) -> Coroutine[Any, Any, None]: ...

    @checks_first
    def feed_event(  # noqa: D417  # the arguments have their names in the overloads
        self, first: Any, second: object = MISSING, /, *, timeout: float | Missing | None = MISSING
    ) -> Coroutine[Any, Any, None]:
        """Put an event into the open streams, past middlewares and subscribers; or leave it for the next stream.

        With an event type it goes to each open stream that takes that type, without one to the newest open stream.
        Where there is none, the next stream that takes it starts with it.

        Args:
            event_type: The topic. It may be left out, and then the stream gives the data as it is.
            data: The data.
            timeout: For how many seconds to wait for room; None is for as long as it takes.
                ``EVENT_BUS_STREAM_DEFAULT_TIMEOUT`` of the context if not passed.

        Raises:
            ArgumentTypeError: ``event_type`` is no string, or ``timeout`` is no number; raised by the call itself.
            ArgumentValueError: ``timeout`` is negative or NaN.
            BusTimeout: There was no room in time, so that stream will not have the event.
            ExceptionGroup: There was none in several streams; it holds a ``BusTimeout`` for each.
            BusShutDown: The bus was shut down, before or while waiting for room.

        Cancellation: raises CancelledError; streams that had no room will not have the event.
        """
        owner = "EventBus.feed_event"
        context = peek()
        if timeout is MISSING:
            timeout = context.EVENT_BUS_STREAM_DEFAULT_TIMEOUT
        bufsize = context.EVENT_BUS_STREAM_DEFAULT_BUFFER_SIZE
        timeout = check_timeout(owner, "timeout", timeout)
        if second is MISSING:
            return self._feed(MISSING, first, timeout, bufsize)
        check_topic(owner, "event_type", first)
        return self._feed(first, second, timeout, bufsize)

    async def _feed(self, event_type: str | Missing, data: object, timeout: float | None, bufsize: int) -> None:
        runner = self._bind()
        self._check_open()
        runner.calls += 1
        if runner.calls >= CALLS_BETWEEN_TURNS:
            await runner.breathe()
            self._check_open()
        await self._core.streams.feed(runner, event_type, data, timeout, bufsize)

    # Waiting

    @checks_first
    def wait_for_event(
        self, event_type: str, *, timeout: float | None = None, condition: Callable[[Any], object] | None = None
    ) -> Coroutine[Any, Any, Task[Any]]:
        """Begin to wait for an event of a topic; return a task for its data once that is so.

        Args:
            event_type: The topic.
            timeout: After how many seconds the task fails; None is never.
            condition: Takes the data, and tells whether it is what is waited for; synchronous or not. Every event
                satisfies it if not passed. Publishers do not wait for it.

        Returns:
            The task. It gives the data, and raises ``BusTimeout`` at the timeout, and whatever the condition raises.
            It is cancelled when the bus is shut down, after what was published before.

        Raises:
            ArgumentTypeError: An argument is of the wrong kind; raised by the call itself, as is the next one.
            ArgumentValueError: ``timeout`` is negative or NaN.
            BusShutDown: The bus was shut down.

        Cancellation: does not wait. Cancelling the task ends the wait.
        """
        owner = "EventBus.wait_for_event"
        check_topic(owner, "event_type", event_type)
        check_optional_callable(owner, "condition", condition)
        return self._wait_for_event(event_type, check_timeout(owner, "timeout", timeout), condition)

    async def _wait_for_event(
        self, event_type: str, timeout: float | None, condition: Callable[[Any], object] | None
    ) -> Task[Any]:
        from ._buffer import Buffer
        from ._waiting import first_event

        loop = self._bind().loop
        self._check_open()
        core = self._core
        buffer = Buffer(f"EventBus {self._name!r}", event_type)
        core.sinks.add(buffer, event_type)
        deadline = loop.time() + (timeout or 0)
        task: Task[Any] = loop.create_task(first_event(self, loop, buffer, condition, timeout, deadline))
        core.own_wait(task, buffer)
        return task

    @overload
    def observable(self, event_type: str) -> Observable[[Any]]: ...

    @overload
    def observable(self, event_type: WildcardType = ...) -> Observable[[str, Any]]: ...

    def observable(self, event_type: str | WildcardType = WILDCARD) -> Observable[...]:
        """Return a topic as an observable, so that every operator applies.

        A publication of the topic, once the middlewares have processed it, notifies the observable of its data; of all
        topics, of the event type and the data. The publisher waits for the observers, derived ones too, and gets their
        errors as those of subscribers; they take no place among the callbacks that ``max_concurrent`` limits.
        While nobody listens, nothing is notified. It is closed with the bus.

        Args:
            event_type: The topic; all of them if not passed.

        Returns:
            The observable; the same for as long as it is alive and open.

        Raises:
            ArgumentTypeError: ``event_type`` is neither a string nor the wildcard.
            BusShutDown: The bus was shut down.
        """
        check_event_type("EventBus.observable", event_type)
        self._check_open()
        shown = "" if event_type is WILDCARD else repr(event_type)
        return self._core.observables.of(event_type, f"of {self._name!r}({shown})")

    @overload
    def subscribe_until(
        self,
        fut: Future[T],
        subscriber: SpecificSubscriber,
        event_type: str,
        *,
        till_permanent: float | None = ...,
        weak: bool = ...,
    ) -> Coroutine[Any, Any, Task[T]]: ...

    @overload
    def subscribe_until(
        self,
        fut: Future[T],
        subscriber: WildcardSubscriber,
        event_type: WildcardType = ...,
        *,
        till_permanent: float | None = ...,
        weak: bool = ...,
    ) -> Coroutine[Any, Any, Task[T]]: ...

    @checks_first
    def subscribe_until(
        self,
        fut: Future[T],
        subscriber: Callable[..., object],
        event_type: str | WildcardType = WILDCARD,
        *,
        till_permanent: float | None = None,
        weak: bool = True,
    ) -> Coroutine[Any, Any, Task[T]]:
        """Subscribe until a future is done; return a task for its result.

        The task keeps the subscriber alive. At the end it removes it and gives the result of the future.

        Args:
            fut: The future, of the running loop; it is never cancelled by this.
            subscriber: What to subscribe; see :meth:`subscribe`.
            event_type: A topic; every one if not passed.
            till_permanent: After how many seconds the task fails with ``BusTimeout``, and the subscriber stays; None
                is never.
            weak: How the bus holds it; from ``till_permanent`` on nothing else does.

        Returns:
            The task. Cancelling it removes the subscriber, and shutting the bus down cancels it.

        Raises:
            ArgumentTypeError: An argument is of the wrong kind; raised by the call itself, as is the next one.
            ArgumentValueError: ``till_permanent`` is negative or NaN, or ``fut`` belongs to another loop.
            BusShutDown: The bus was shut down.

        Cancellation: does not wait.
        """
        owner = "EventBus.subscribe_until"
        check_future(owner, "fut", fut)
        self._check_subscription(owner, subscriber, event_type)
        check_flag(owner, "weak", weak)
        till_permanent = check_timeout(owner, "till_permanent", till_permanent)
        return self._subscribe_until(fut, subscriber, event_type, till_permanent, weak)

    async def _subscribe_until(
        self,
        fut: Future[T],
        subscriber: Callable[..., object],
        event_type: str | WildcardType,
        till_permanent: float | None,
        weak: bool,
    ) -> Task[T]:
        from ._waiting import result_until

        loop = self._bind().loop
        self._check_open()
        if fut.get_loop() is not loop:
            raise wrong_value("EventBus.subscribe_until", "fut", fut, "a future of the running event loop")
        self._core.topics.add(subscriber, event_type, weak=weak)
        remove = partial(self._core.unsubscribe, subscriber, event_type)
        return self._own_until(loop.create_task(result_until(self, fut, remove, till_permanent)), remove)

    def _own_until(self, task: Task[T], remove: Callable[[], object]) -> Task[T]:
        def ended(task: Task[T]) -> None:
            if task.cancelled():  # before its first step, or it has done this itself
                remove()

        task.add_done_callback(ended)
        return self._own(task)

    # Audit

    def is_auditing(self) -> bool:
        """Whether the bus is connected to ``sys.audit``."""
        return self._core.audit.active

    @property
    def auditing(self) -> bool:
        """Whether the bus is connected to ``sys.audit``; setting it connects or disconnects."""
        return self._core.audit.active

    @auditing.setter
    def auditing(self, value: bool) -> None:
        if check_flag("EventBus", "auditing", value):
            self.start_audit()
        else:
            self.stop_audit()

    def start_audit(self) -> None:
        """Publish the interpreter's audit events, and raise audit events for the bus's own publications.

        Each event of any thread becomes a publication of its name, with the tuple of its arguments as data, in a task
        of the bus. What happens while one is being handled, by the bus, a subscriber, or the tasks and threads (by
        ``asyncio.to_thread``) that they start, is not published and not audited. Events that come faster than they are
        published wait; once 65,536 do, others are dropped, and their number goes to the loop's exception handler.
        None of this is ever raised into what is audited. While the loop is in debug mode, ``sys._getframe``,
        ``object.__getattr__`` and ``builtins.id``, which that raises all the time, are left out. Python cannot remove
        an audit hook: the one of the process stays, and does next to nothing while no bus listens.

        Raises:
            BusShutDown: The bus was shut down.
            NoLoopError: The bus belongs to no loop yet, and none is running.
            WrongLoopError: It belongs to another loop than the running one.
        """
        loop = self._bind().loop
        self._check_open()
        self._core.audit.start(loop, self._audit_publisher())

    def _audit_publisher(self) -> Callable[[str, tuple[Any, ...]], Task[None] | None]:
        """Return what the audit publishes with; it does not keep the bus alive."""
        weak_self = ref(self)

        def publish(event: str, args: tuple[Any, ...]) -> Task[None] | None:
            bus = weak_self()
            return None if bus is None else bus._publish_audit_event(event, args)  # noqa: SLF001  # it is self

        return publish

    def _publish_audit_event(self, event: str, args: tuple[Any, ...]) -> Task[None] | None:
        if self._core.state not in {"open", "draining"}:
            return None
        return self._start(self._core.publication(self, event, args, safe=True, timeout=None, chaperone=None))

    def stop_audit(self) -> None:
        """Disconnect the bus from ``sys.audit``; events that were noted before are published still."""
        self._core.audit.stop()

    def audit_context(self) -> DualContextManager[None]:
        """Return a context, for ``with`` and ``async with``, in which the bus is connected to ``sys.audit``.

        Contexts can overlap; the last one that is left disconnects, unless :meth:`start_audit` was called.

        Raises:
            BusShutDown: The bus was shut down; raised on entry, as are the next ones.
            NoLoopError: The bus belongs to no loop yet, and none is running.
            WrongLoopError: It belongs to another loop than the running one.
        """

        def enter() -> Callable[[], None]:
            loop = self._bind().loop
            self._check_open()
            return self._core.audit.open_context(loop, self._audit_publisher())

        from ._contexts import DualContext

        return DualContext(f"audit context of {self!r}", enter)
