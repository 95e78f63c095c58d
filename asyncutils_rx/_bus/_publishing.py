"""The part of a bus that publishes, and that ends."""

from __future__ import annotations

from asyncio import current_task, get_running_loop
from functools import partial
from typing import TYPE_CHECKING, Any

from .._arguments import check_callable, check_timeout, wrong_type
from .._runner import CALLS_BETWEEN_TURNS
from ..context import peek
from ._calls import check_flag, checks_first
from ._registry import Registry

if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import Callable, Coroutine, Sequence
    from concurrent.futures import Future as ThreadFuture

    from .._threads import ThreadsafeCall
    from ..types import Chaperone, ErrorHandler
    from ._closing import Manner
    from ._publication import Publication

__all__ = ["Publishing"]


class Publishing(Registry):
    """Publications of an event bus, and its life cycle."""

    def __init__(
        self,
        name: str | None = None,
        *,
        handler: ErrorHandler | None = None,
        max_concurrent: int | None = None,
        tracking_stats: bool = False,
    ) -> None:
        super().__init__(name, handler=handler, max_concurrent=max_concurrent, tracking_stats=tracking_stats)
        self._manner: Manner | None = None

    @property
    def active_tasks(self) -> int:
        """How many callbacks are running now; those that wait for a publication of this bus do not count."""
        return self._core.places.taken

    # Publishing

    @checks_first
    def publish(
        self,
        event_type: str,
        data: object = None,
        *,
        wait: bool = True,
        safe: bool | None = None,
        timeout: float | None = None,
        chaperone: Chaperone | None = None,
    ) -> Coroutine[Any, Any, None]:
        """Publish data on a topic, and wait until every subscriber has ended.

        The data goes through the middlewares in force, one after another. Then the streams have it, and the
        subscribers are started: at most ``max_concurrent`` callbacks of the bus run at a time. Inside a callback of
        the same bus this waits like anywhere else, and that callback's place is free for others meanwhile; so no depth
        of nesting stands still.

        Args:
            event_type: The topic; any string.
            data: What the first middleware gets.
            wait: False to return once the publication is begun, in a task of the bus. Those tasks start in order, and
                before what is published later. Their errors go to the ``handler``, else to the loop's exception
                handler.
            safe: Whether every subscriber ends in its own time, whatever the others raise. With False the first error
                cancels the others, and is raised as it is. ``EVENT_BUS_PUBLISH_DEFAULT_SAFE`` of the context if not
                passed.
            timeout: After how many seconds the publication is ended, middlewares included; None is never.
            chaperone: Takes the errors of subscribers, one after another, when all have ended, and that of a
                middleware as a ``BusPublishingError``; synchronous or not. With ``safe=False`` only the latter.

        Raises:
            ArgumentTypeError: An argument is of the wrong kind; raised by the call itself, as is the next one.
            ArgumentValueError: ``timeout`` is negative or NaN.
            ExceptionGroup: What subscribers and streams raised, flat and in order; not with a ``chaperone`` or a
                ``handler``.
            BusPublishingError: A middleware raised the ``__cause__`` of this; no subscriber saw the data.
            BusTimeout: The timeout was reached; what ran was cancelled and has ended.
            BusShutDown: The bus was shut down, before or meanwhile.
            CancelledError: A subscriber raised it; all have ended.
            NoLoopError: No loop is running.
            WrongLoopError: The bus belongs to another loop.

        Cancellation: the middleware or the subscribers that run are cancelled and awaited; errors that they had raised
        go to the ``handler``, else to the loop's exception handler. With ``wait=False`` nothing is cancelled.
        """
        if wait is True and safe is None and timeout is None and chaperone is None and type(event_type) is str:
            return self._publish(event_type, data, peek().EVENT_BUS_PUBLISH_DEFAULT_SAFE)
        owner = "EventBus.publish"
        check_flag(owner, "wait", wait)
        safe, timeout = _check_publication(owner, event_type, safe, timeout, chaperone)
        if wait:
            return self._publish(event_type, data, safe, timeout, chaperone)
        return self._publish_later(self._core.publication(self, event_type, data, safe, timeout, chaperone))

    async def _publish(
        self,
        event_type: str,
        data: object,
        safe: bool,
        timeout: float | None = None,
        chaperone: Chaperone | None = None,
    ) -> None:
        runner = self._runner
        if runner is None or runner.loop is not get_running_loop():
            runner = self._bind()
        if self._closing is not None:
            self._check_may_publish()
        core = self._core
        if (
            timeout is None
            and runner.calls < CALLS_BETWEEN_TURNS
            and not (core.unstarted or core.middlewares.entries or core.statistics.active or core.audit.active)
        ):
            # Nothing comes before the delivery, so that no publication is needed as long as nobody has to wait. This is
            # in one piece, because one more call would be felt.
            publication: Publication | None = None
            topics = core.topics
            topic = topics.topics.get(event_type)
            sinks = () if not core.sinks.any else core.sinks.found.get(event_type) or core.sinks.of(event_type)
            if sinks:
                if topic is None and not topics.wildcards:
                    for sink in sinks:
                        if not sink.accept(event_type, data):
                            publication = core.publication(self, event_type, data, safe, timeout, chaperone)
                            publication.go_on_with(sinks[sinks.index(sink) :])
                            runner.calls += 1
                            break
                else:
                    publication = core.publication(self, event_type, data, safe, timeout, chaperone)
            elif (
                runner.eager is None
                and (places := core.places).free > 0
                and not (places.waiting or places.shut)
                and runner.has_eager_tasks
                and runner.loop.get_task_factory() is None
                and (publisher := current_task(runner.loop)) is not None
            ):
                calls: Sequence[Callable[..., object]]
                if topic is not None and topic.only is not None and not topics.wildcards:
                    call, specific = topic.only(), 1
                    calls = () if call is None else (call,)
                else:
                    calls, specific = topics.calls(event_type)
                if calls:
                    core.brief = brief = core.spare or core.new_brief()
                    is_left_over = brief.start(core, runner, publisher, calls, data, safe)
                    publisher = None  # the traceback of an error holds this frame
                    if is_left_over:
                        publication = core.publication(self, event_type, data, safe, timeout, chaperone)
                        publication.adopt(brief, calls, specific)
                        del brief
                        runner.calls += 1
            else:
                publication = core.publication(self, event_type, data, safe, timeout, chaperone)
            if publication is None:
                runner.calls += 1
                if runner.calls >= CALLS_BETWEEN_TURNS:
                    await runner.breathe()
                return
        else:
            publication = core.publication(self, event_type, data, safe, timeout, chaperone)
        await publication.run()

    async def _publish_later(self, publication: Publication) -> None:
        runner = self._bind()
        self._check_open()
        self._start(publication)
        runner.calls += 1
        if runner.calls >= CALLS_BETWEEN_TURNS:
            await runner.breathe()

    def _check_may_publish(self) -> None:
        core = self._core
        # What a running callback waits for is a part of what is being served.
        if core.state != "draining" or not core.is_inside():
            self._check_open()

    def _start(self, publication: Publication) -> Task[None]:
        core = self._core
        return core.start(publication, core.run_for_nobody(publication, self))

    def sync_start_publish(
        self,
        event_type: str,
        data: object = None,
        *,
        safe: bool | None = None,
        timeout: float | None = None,
        chaperone: Chaperone | None = None,
    ) -> None:
        """Begin a publication in a task of the bus, as :meth:`publish` does with ``wait=False``.

        Args:
            event_type: The topic.
            data: What the first middleware gets.
            safe: As for :meth:`publish`.
            timeout: As for :meth:`publish`.
            chaperone: As for :meth:`publish`.

        Raises:
            ArgumentTypeError: An argument is of the wrong kind.
            ArgumentValueError: ``timeout`` is negative or NaN.
            BusShutDown: The bus was shut down.
            NoLoopError: No loop is running.
            WrongLoopError: The bus belongs to another loop.
        """
        safe, timeout = _check_publication("EventBus.sync_start_publish", event_type, safe, timeout, chaperone)
        self._bind()
        self._check_open()
        self._start(self._core.publication(self, event_type, data, safe, timeout, chaperone))

    def publish_threadsafe(
        self,
        event_type: str,
        data: object = None,
        *,
        safe: bool | None = None,
        timeout: float | None = None,
        chaperone: Chaperone | None = None,
    ) -> ThreadFuture[None]:
        """Begin a publication from another thread.

        Publications of one thread start in order. One that was called for before the bus began to close is served. The
        bus has to belong to a loop already, which it does once it was entered or used there.

        Args:
            event_type: The topic.
            data: What the first middleware gets.
            safe: As for :meth:`publish`.
            timeout: As for :meth:`publish`.
            chaperone: As for :meth:`publish`; called on the loop's thread.

        Returns:
            A future for the end of the publication: it raises what :meth:`publish` would, and cancelling it cancels the
            publication. An error that nobody asks it for goes to the ``handler``, else to the loop's exception handler.

        Raises:
            ArgumentTypeError: An argument is of the wrong kind.
            ArgumentValueError: ``timeout`` is negative or NaN.
            BusShutDown: The bus was shut down; when it is shut down at once before the publication has begun or ended,
                the future raises it.
            NoLoopError: The bus belongs to no loop yet, or its loop is closed; when it is closed before the publication
                has begun, the future raises it.
        """
        safe, timeout = _check_publication("EventBus.publish_threadsafe", event_type, safe, timeout, chaperone)
        self._check_open()
        loop = self._loop
        if loop is None:
            from ..exceptions import NoLoopError

            raise NoLoopError(repr(self), "it belongs to no event loop yet; enter it, or use it on its loop first")
        from .._threads import Errand, ThreadsafeCall

        future = ThreadsafeCall(loop, partial(self._core.report, bus=self), "publish()")
        publication = self._core.publication(self, event_type, data, safe, timeout, chaperone)
        errand = Errand(partial(self._start_from_thread, publication), future, self, "publication")
        errands = self._core.errands
        errands.append(None)
        try:
            loop.call_soon_threadsafe(errand)
        except RuntimeError:
            errands.pop()
            errand.drop()
            from ..exceptions import NoLoopError

            raise NoLoopError(repr(self), "its event loop is closed; make a new bus") from None
        return future

    def _start_from_thread(self, publication: Publication, future: ThreadsafeCall) -> None:
        core = self._core
        core.errands.pop()
        if future.cancelled():
            core.note_change()
        elif core.state in {"open", "draining"}:  # it was open at the call
            future.follow(core.start(publication, publication.run()))
        else:
            future.refuse(self._closed_error("it was shut down before this publication had begun"))

    @checks_first
    def handle_exception(self, e: BaseException) -> Coroutine[Any, Any, None]:
        """Give an exception to the ``handler``, and wait for it; without one, to the loop's exception handler.

        A handler that raises is reported to the loop's exception handler.

        Args:
            e: The exception.

        Raises:
            ArgumentTypeError: It is no exception; raised by the call itself.
            BaseException: ``e`` itself, where it is ``KeyboardInterrupt``, ``SystemExit``, ``CancelledError`` or
                another that is no ``Exception``: no handler gets these.

        Cancellation: an asynchronous handler is cancelled.
        """
        if not isinstance(e, BaseException):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise wrong_type("EventBus.handle_exception", "e", e, "an exception")
        return self._handle_exception(e)

    async def _handle_exception(self, error: BaseException) -> None:
        self._bind()
        if not isinstance(error, Exception):
            raise error
        await self._core.handle(error, self)

    # The life cycle

    async def __setup__(self) -> None:
        """Nothing is needed.

        Cancellation: does not wait.
        """

    async def __cleanup__(self) -> None:
        """End the bus; see :meth:`shutdown`.

        Cancellation: what runs is cut short and awaited.
        """
        from ._closing import Manner, close, exempt_tasks

        manner = self._manner
        if manner is None:
            manner = Manner(immediate=self._body_failed)
        self._core.immediate = self._core.immediate or manner.immediate
        try:
            await close(self._core, self, manner)
        finally:
            # Publications that wait for this very call end by themselves.
            self._owned.difference_update(
                publication.task
                for publication in self._core.running
                if publication.task is not None and publication.task in exempt_tasks(self._core)
            )

    @checks_first
    def shutdown(
        self, immediate: bool = False, *, timeout: float | None = None, preserve_stats: bool = False
    ) -> Coroutine[Any, Any, None]:
        """End the bus: wait for what is being published, then let everything go.

        From the call on nothing new is published, but for what a running callback waits for. Streams buffer what
        their publishers still wait with, and end after it. Then subscribers and middlewares are gone, tasks of the bus
        are cancelled and awaited, and whatever needs an open bus raises ``BusShutDown``. To shut down again is
        harmless, and waits for the first; an immediate shutdown makes one that is under way immediate. A callback or a
        middleware may do this: its own publication is not waited for, and goes on.

        Args:
            immediate: Whether to cancel what runs at once, and end streams and their queues without what is buffered.
            timeout: For how many seconds to wait; then the rest is cancelled and awaited, and its publishers get
                ``BusShutDown``. None is for as long as it takes.
            preserve_stats: Whether :meth:`get_event_stats` still works afterwards, if publications were counted.

        Raises:
            ArgumentTypeError: An argument is of the wrong kind; raised by the call itself, as is the next one.
            ArgumentValueError: ``timeout`` is negative or NaN.

        Cancellation: what runs is cancelled and awaited, and the bus is shut down.
        """
        from ._closing import Manner

        owner = "EventBus.shutdown"
        check_flag(owner, "immediate", immediate)
        check_flag(owner, "preserve_stats", preserve_stats)
        return self._shutdown(Manner(immediate, check_timeout(owner, "timeout", timeout), preserve_stats))

    async def _shutdown(self, manner: Manner) -> None:
        if self._closing is None:
            self._manner = manner
        elif manner.immediate:
            self._core.immediate = True
            self._core.hurry()
        await self.aclose()

    async def aclose(self) -> None:
        """End the bus as :meth:`shutdown` does.

        Cancellation: what runs is cancelled and awaited, and the bus is shut down.
        """
        from ._callers import callers
        from ._closing import wait_for_stragglers

        core = self._core
        if self._closed and not core.running:
            return
        runner = self._bind()
        chain = frozenset(callers(runner))
        inside = core.is_inside()
        lender = core.callback_inside()
        if lender is not None:
            core.places.lend(lender)
        core.closers.append(chain)
        core.note_change()
        try:
            await super().aclose()
            if not inside:
                await wait_for_stragglers(core, self, chain, immediate=self._body_failed)
        finally:
            core.closers.remove(chain)
            if lender is not None:
                core.places.go_without(lender)


def _check_publication(
    owner: str, event_type: object, safe: bool | None, timeout: object, chaperone: object
) -> tuple[bool, float | None]:
    """Refuse bad arguments; return ``safe`` and the timeout, with the defaults filled in."""
    if not isinstance(event_type, str):
        raise wrong_type(owner, "event_type", event_type, "a string")
    if safe is None:
        safe = peek().EVENT_BUS_PUBLISH_DEFAULT_SAFE
    else:
        check_flag(owner, "safe", safe)
    if timeout is not None:
        timeout = check_timeout(owner, "timeout", timeout)
    if chaperone is not None:
        check_callable(owner, "chaperone", chaperone)
    return safe, timeout
