"""The ways in and out: RxPY, asynchronous iteration, other threads."""

from __future__ import annotations

from asyncio import current_task
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast, overload

from .._arguments import check_callable, check_choice, check_count, check_size, wrong_type
from ._cascade import Cascade, Item
from ._operators import Operators

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Iterable, Iterator
    from concurrent.futures import Future as ThreadFuture

    import reactivex
    from reactivex.abc import ObservableBase

    from .._rx._subject import LoopSubject
    from .._threads import ThreadsafeCall
    from ..types import MapMode, OverflowPolicy, SingleValued, Subscribable
    from ._cascade import Notification
    from ._iteration import Iteration
    from ._observable import Observable

__all__ = ["Interop"]

P = ParamSpec("P")
T = TypeVar("T")


class Interop(Operators[P]):
    """What joins an observable to RxPY, to ``async for`` and to other threads."""

    # RxPY

    if TYPE_CHECKING:

        @overload
        @classmethod
        def from_rx(
            cls, source: ObservableBase[T], *, maxsize: int = ..., overflow: OverflowPolicy = ...
        ) -> Observable[[T]]: ...

        @overload
        @classmethod
        def from_rx(
            cls, source: Subscribable, *, maxsize: int = ..., overflow: OverflowPolicy = ...
        ) -> Observable[[Any]]: ...

    @classmethod
    def from_rx(cls, source: Any, *, maxsize: int = 0, overflow: OverflowPolicy = "raise") -> Interop[...]:
        """Return an observable of what an RxPY observable emits.

        The source is subscribed to when the first observer comes, direct or derived, or on entering the context; it is
        disposed of when the last one has gone, and on leaving the context. It may emit on any thread: observers run on
        the loop's own. Order is kept; what comes while observers are busy waits in a buffer.

        Args:
            source: Anything with RxPY's ``subscribe``, of RxPY 3 to 6.
            maxsize: How many values the buffer takes; 0 is any number.
            overflow: What happens to a value that meets a full buffer. ``"wait"`` lets a foreign thread wait;
                on the loop's own thread, which cannot, it is as ``"raise"``. ``"drop_oldest"``, ``"drop_newest"`` and
                ``"latest"`` (only the newest stays) drop. ``"raise"`` ends the observable with OverflowPolicyError.

        Returns:
            An observable that ends with the source: closed where that completes, by its error where it fails.

        Raises:
            ArgumentTypeError: ``source`` cannot be subscribed to, or ``maxsize`` is no integer.
            ArgumentValueError: ``maxsize`` is negative, or ``overflow`` is unknown.
        """
        is_class = isinstance(source, type) or hasattr(source, "__origin__")
        if is_class or not callable(getattr(source, "subscribe", None)) or isinstance(source, Operators):
            raise wrong_type("Observable.from_rx", "source", source, "an RxPY observable")
        check_size("Observable.from_rx", "maxsize", maxsize)
        from ._buffer import POLICIES

        check_choice("Observable.from_rx", "overflow", overflow, POLICIES)
        from .._rx._bridge import connect
        from ._deriving import clock_of
        from ._inlet import Inlet

        target = cls()  # type: ignore[call-arg]  # the public class has defaults
        target._label = "from_rx()"
        target._put_off = True
        target._inlet = Inlet(target, connect(source, clock_of(target)), maxsize, overflow)
        return target

    if TYPE_CHECKING:

        @overload
        def to_rx(self: SingleValued[T]) -> reactivex.Observable[T]: ...

        @overload
        def to_rx(self) -> reactivex.Observable[Notification]: ...

    def to_rx(self) -> reactivex.Observable[Any]:
        """Return an RxPY observable of the values of this one.

        A value is the argument of a notification that has exactly one positional argument, else the pair
        ``(args, kwargs)``. It completes when this observable is closed, and passes on the error that ended it. What a
        subscriber raises is raised by the ``notify`` that reached it. A scheduler given at ``subscribe`` is what this
        observable and those it is derived from use wherever they were given none.
        """
        from .._rx._bridge import outward
        from ._derived import Outward

        return outward(self._own_subject, Outward(self))

    def _own_subject(self) -> LoopSubject:
        if self._subject is None:
            from .._rx._subject import LoopSubject

            self._subject = LoopSubject()
            if self._closed:
                if self._failure is None:
                    self._subject.on_completed()
                else:
                    self._subject.on_error(self._failure)
        return self._subject

    # Iteration

    def values(self: SingleValued[T], *, maxsize: int | None = None, overflow: OverflowPolicy = "wait") -> Iteration[T]:
        """Return an iterator over the values: the argument of each notification that has exactly one.

        It is registered by the call. A notification without exactly one positional argument is a TypeError to its
        notifier.

        Args:
            maxsize: How many values wait at most to be taken; 0 is any number.
                ``OBSERVABLE_STREAM_DEFAULT_BUFFER_SIZE`` of the context if not passed.
            overflow: What happens to a value that meets a full buffer. ``"wait"``: its notifier waits for room.
                ``"raise"``: its notifier gets OverflowPolicyError. ``"drop_oldest"``, ``"drop_newest"`` and
                ``"latest"`` (only the newest stays) drop, and count.

        Raises:
            ArgumentTypeError: ``maxsize`` is no integer.
            ArgumentValueError: ``maxsize`` is negative, or ``overflow`` is unknown.
            ObservableClosed: This observable is closed.
            NoLoopError: No event loop is running.
        """
        from ._iteration import one_value

        return cast("Interop[...]", self)._iterate("Observable.values", maxsize, overflow, one_value)

    def notifications(
        self, *, maxsize: int | None = None, overflow: OverflowPolicy = "wait"
    ) -> Iteration[tuple[tuple[Any, ...], dict[str, Any]]]:
        """Return an iterator over the notifications, each as ``(args, kwargs)``; otherwise as :meth:`values`.

        Args:
            maxsize: How many notifications wait at most to be taken; 0 is any number.
            overflow: What happens to a notification that meets a full buffer.

        Raises:
            ArgumentTypeError: ``maxsize`` is no integer.
            ArgumentValueError: ``maxsize`` is negative, or ``overflow`` is unknown.
            ObservableClosed: This observable is closed.
            NoLoopError: No event loop is running.
        """
        from ._iteration import whole_notification

        return self._iterate("Observable.notifications", maxsize, overflow, whole_notification)

    def _iterate(
        self, label: str, maxsize: int | None, overflow: str, item_of: Callable[[str, Notification], T]
    ) -> Iteration[T]:
        from ..context import peek
        from ._buffer import POLICIES
        from ._iteration import Iteration

        size = peek().OBSERVABLE_STREAM_DEFAULT_BUFFER_SIZE if maxsize is None else maxsize
        check_size(label, "maxsize", size)
        check_choice(label, "overflow", overflow, POLICIES)
        self._bind()
        self._check_open()
        return Iteration(self, item_of, label, size, overflow)

    # Asynchronous mapping

    if TYPE_CHECKING:

        @overload
        def map_async(
            self,
            fn: Callable[P, Awaitable[T]],
            *,
            mode: MapMode = ...,
            max_concurrent: int | None = ...,
            ret_exc: bool = ...,
        ) -> Observable[[T]]: ...

        @overload
        def map_async(
            self,
            fn: Callable[P, Awaitable[T] | T],
            *,
            mode: MapMode = ...,
            max_concurrent: int | None = ...,
            ret_exc: bool = ...,
        ) -> Observable[[T]]: ...

    def map_async(
        self,
        fn: Callable[P, Any],
        *,
        mode: MapMode = "ordered",
        max_concurrent: int | None = None,
        ret_exc: bool = False,
    ) -> Observable[[Any]]:
        """Return an observable of what an asynchronous function makes of each notification.

        The calls run in the background, owned by the derived observable, each in a task that begins in the loop's next
        turn. ``notify`` does not wait for the result, but waits for a place where ``max_concurrent`` calls are under
        way; inside ``fn``, or an observer of a result, where it would wait for itself, the call waits for the place and
        ``notify`` returns. A call keeps its place until its result has been delivered. An error of ``fn`` drops its
        notification and goes to the loop's exception handler. On leaving the context of either observable, the calls
        that have begun are awaited and their results emitted.

        Args:
            fn: Takes the parameters of a notification; its result, awaited if awaitable, is the value to emit.
            mode: ``"ordered"``: results are emitted in the order of the notifications. ``"unordered"``: as they come.
                ``"latest"``: a notification cancels the call before it, unless the result of that is being delivered.
            max_concurrent: How many calls may be under way; None is any number.
            ret_exc: Whether errors of the branch are logged instead of reported.

        Raises:
            ArgumentTypeError: ``fn`` cannot be called, or ``max_concurrent`` is no integer.
            ArgumentValueError: ``mode`` is unknown, or ``max_concurrent`` is less than 1.
            ObservableClosed: This observable is closed.
        """
        check_callable("Observable.map_async", "fn", fn)
        from ._async_map import MODES, AsyncMap

        check_choice("Observable.map_async", "mode", mode, MODES)
        if max_concurrent is not None:
            check_count("Observable.map_async", "max_concurrent", max_concurrent)
        self._check_usable()
        from ._observable import Observable

        target: Observable[[Any]] = Observable()
        AsyncMap(self, target, fn, mode, max_concurrent, bool(ret_exc))
        return target

    # Feeding

    def feed(self: SingleValued[T], iterable: AsyncIterable[T] | Iterable[T], /) -> Coroutine[Any, Any, None]:
        """Notify each item of an iterable, one after another, and wait for the observers of each.

        Args:
            iterable: Anything for ``async for`` or ``for``; each item is the only argument of its notification.

        Returns:
            An awaitable for the end of the last notification.

        Raises:
            ArgumentTypeError: It cannot be iterated; raised by the call itself.
            Exception: What the first failing notification, or the iterable, raised; the items after it are not taken.
            ObservableClosed: The observable is closed.
            ReentrancyError: Called from inside an observer of the notification that is running.

        Cancellation: as that of ``notify``; the items after the one that is running are not taken.
        """
        observable = cast("Interop[...]", self)
        if not hasattr(type(iterable), "__aiter__"):
            try:
                items = iter(iterable)  # type: ignore[arg-type]  # whether it can be iterated is being found out
            except TypeError:
                rule = "an iterable, asynchronous or not"
                raise wrong_type("Observable.feed", "iterable", iterable, rule) from None
            return observable._feed(items)  # pyright: ignore[reportUnknownArgumentType]  # of whatever is in there
        return observable._feed_async(cast("AsyncIterable[T]", iterable))

    async def _feed(self, items: Iterator[Any]) -> None:
        self._bind()
        self._check_open()
        for item in items:
            await self._notify_to_the_end((item,), {})

    async def _feed_async(self, items: AsyncIterable[Any]) -> None:
        self._bind()
        self._check_open()
        async for item in items:
            await self._notify_to_the_end((item,), {})

    async def _notify_to_the_end(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Notify, and wait for the end also where the notification is queued."""
        if self._turn is None:
            await self.notify(*args, **kwargs)
        else:
            self._bind()
            self._check_open()
            await self._notify_in_turn((args, kwargs), False)

    if TYPE_CHECKING:

        async def notify(self, *args: Any, **kwargs: Any) -> None:
            """Call every observer; see the public class."""

    async def _notify_in_turn(self, notification: Notification, quiet: bool) -> None:
        runner = self._bound()
        self._check_outside(
            runner,
            "inside an observer this would wait for that observer; use notify() of an observable with a queue "
            "(maxsize not None), or notify from another task",
        )
        cascade = Cascade(runner, quiet, background=False)
        cascade.caller = current_task()
        self._enqueue(Item(self, (notification,), cascade, None, copy_context(), quiet))
        await cascade.run()

    def notify_threadsafe(self, *args: P.args, **kwargs: P.kwargs) -> ThreadFuture[None]:
        """Notify from another thread.

        Notifications of one thread are begun in the order of its calls. One that was called for before the observable
        began to close is delivered all the same.

        Args:
            *args: Positional parameters.
            **kwargs: Keyword parameters.

        Returns:
            A future that is done when every observer has ended, with what ``notify`` would raise. Cancelling it cancels
            the notification. An error that nobody asks it for goes to the loop's exception handler.

        Raises:
            NoLoopError: The observable belongs to no loop yet, or its loop is closed. (Enter it, or use it on the loop,
                before other threads do.) When the loop is closed before the notification has begun, the future
                raises it.
            ObservableClosed: The observable is closed.
        """
        loop = self._loop
        if loop is None:
            from ..exceptions import NoLoopError

            raise NoLoopError(repr(self), "it belongs to no event loop yet; enter it before other threads notify")
        self._check_open()
        from .._threads import Errand, ThreadsafeCall

        future = ThreadsafeCall(loop, self._report_for_thread, "notify()")
        errand = Errand(partial(self._notify_for_thread, args, kwargs), future, self, "notification")
        self._deliveries.add(future)
        try:
            loop.call_soon_threadsafe(errand)
        except RuntimeError:
            errand.drop()
            self._deliveries.discard(future)
            from ..exceptions import NoLoopError

            raise NoLoopError(repr(self), "its event loop is closed") from None
        future.add_done_callback(self._delivered)
        return future

    def _report_for_thread(self, error: Exception) -> None:
        self._bound().report("an error of notify_threadsafe() that nobody asked its future for", error, self)

    def _delivered(self, future: ThreadFuture[None]) -> None:
        """Count a delivery less: on the loop's thread, or, where the future was cancelled, on any."""
        self._deliveries.discard(future)
        if not self._deliveries and self._closing is not None:
            with suppress(RuntimeError):  # the loop was closed in between
                self._bound().loop.call_soon_threadsafe(self._deliveries_ended)

    def _notify_for_thread(self, args: Any, kwargs: Any, future: ThreadsafeCall) -> None:
        if not future.cancelled():
            future.follow(self._bound().loop.create_task(self._deliver_for_thread(args, kwargs)))

    async def _deliver_for_thread(self, args: Any, kwargs: Any) -> None:
        if self._closed or self._finishing:
            self._check_open()
        await self._emit_to_the_end((args, kwargs))

    # The end

    async def wait_closed(self) -> None:
        """Wait until the observable is closed.

        Raises:
            Exception: What ended it, where an error did.
            ReentrancyError: Called from inside an observer of the notification that is running, or inside the function
                of ``map_async`` whose end it would wait for.

        Cancellation: raises CancelledError; nothing else changes.
        """
        runner = self._bind()
        if not self._closed:
            remedy = "wait_closed(): inside an observer this would wait for that observer"
            self._check_outside(runner, remedy)
            if self._chain is not None and self._chain.runs(current_task()):
                from ..exceptions import ReentrancyError

                raise ReentrancyError(repr(self), remedy)
            waiter: Future[None] = runner.loop.create_future()
            if self._end_waiters is None:
                self._end_waiters = []
            self._end_waiters.append(waiter)
            await waiter
        if self._failure is not None:
            raise self._failure
