"""The public class: the engine and the operators, with the calls that users make."""

from __future__ import annotations

from asyncio import current_task, get_running_loop, wait
from contextvars import copy_context
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, overload

from .._alone import start_alone
from .._arguments import check_count, check_hashable_callable, check_iterable, check_size, check_timeout
from .._fanout import FanOut
from .._runner import CALLS_BETWEEN_TURNS
from ._cascade import Cascade, Item, Notification
from ._interop import Interop
from ._observers import Subscription
from ._operators import merge_method

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Sequence

    from .._runner import Runner
    from ..types import Observer, SubscriptionRV

__all__ = ["Observable"]

P = ParamSpec("P")

_INSIDE = "inside an observer this would wait for that observer; "


class Observable(Interop[P]):
    """A stream of notifications whose observers are awaited.

    ``notify`` starts every observer concurrently, in order of subscription, and returns when all of them have ended,
    those of derived observables included. Observers are functions, methods or any other callables, synchronous or
    not; they have to be hashable, and each is subscribed once. One notification runs at a time: what is notified
    meanwhile is queued. An observable can be used without entering it; ``async with``, or :meth:`aclose`, adds the
    clean end.

    Args:
        init_observers: The first observers, in order.
        maxsize: How many notifications may be queued; 0 is any number. With None nothing is queued: a ``notify``
            waits until it is its turn.

    Raises:
        ArgumentTypeError: ``init_observers`` is not iterable, one of them is not callable or not hashable, or
            ``maxsize`` is no integer.
        ArgumentValueError: ``maxsize`` is negative.

    >>> import asyncio
    >>> async def main() -> None:
    ...     async with Observable[[str]]() as words:
    ...         words.subscribe_nowait(print)
    ...         await words.notify("hello")
    >>> asyncio.run(main())
    hello
    """

    def __init__(self, init_observers: Iterable[Observer[P]] = (), maxsize: int | None = 0) -> None:
        observers = list(check_iterable("Observable", "init_observers", init_observers))
        for observer in observers:
            check_hashable_callable("Observable", "init_observers", observer)
        if maxsize is not None:
            check_size("Observable", "maxsize", maxsize)
        super().__init__(maxsize)
        for observer in observers:
            self._add(observer, observer)

    # Notifying

    if TYPE_CHECKING:

        @overload
        async def notify(self, *args: P.args, **kwargs: P.kwargs) -> None: ...

        @overload
        async def notify(self, *args: object, _ret_exc_: bool, **kwargs: object) -> None: ...

    async def notify(  # type: ignore[misc]  # P.kwargs takes whatever is not named here
        self, *args: Any, _ret_exc_: bool = False, **kwargs: Any
    ) -> None:
        """Call every observer with the parameters, and wait for all of them.

        While another notification is running this one is queued and the call returns; with a full queue it waits for
        room. What is queued is delivered, first in, first out, by the call that is running, which raises its errors
        too.
        With ``maxsize=None`` the call waits for its turn instead. An observer added meanwhile sees the
        next notification; one removed meanwhile is not started.

        Args:
            *args: Positional parameters.
            _ret_exc_: Whether errors of observers are logged instead of raised.
            **kwargs: Keyword parameters.

        Raises:
            Exception: What the only failing observer raised; every other one has ended all the same.
            ExceptionGroup: What several observers raised, in order of subscription.
            ObservableClosed: The observable is closed.
            ReentrancyError: Called from inside an observer where it would have to wait for that observer: with
                ``maxsize=None``, or with a full queue.
            NoLoopError: No event loop is running.
            WrongLoopError: The observable belongs to another loop.

        Cancellation: the observers that this call started are cancelled and awaited; what others had queued is
        delivered in the background. A call that waited for its turn or for room is withdrawn.
        """
        runner = self._runner
        if runner is None or runner.loop is not get_running_loop():
            runner = self._bind()
        if self._finishing or self._closing is not None:
            self._check_open()
        runner.calls += 1
        if runner.calls >= CALLS_BETWEEN_TURNS:
            await runner.breathe()
            self._check_open()
        if self._turn is not None:
            await self._notify_later(runner, (args, kwargs), _ret_exc_)
        elif self._next_waiters is not None or _ret_exc_ or self._quiet:
            await self._notify_with_emissions(runner, (args, kwargs), _ret_exc_)
        else:
            observers = self._observers
            calls: Sequence[Callable[..., object]] | None = observers.snapshot_or_none
            if calls is None:
                calls = observers.snapshot()
            subject = self._subject
            if (
                (len(calls) == 1 if subject is None else not calls)
                and runner.eager is None
                and runner.has_eager_tasks
                and runner.loop.get_task_factory() is None
            ):
                # One observer, here or further down, is all there is as far as can be told.
                self._turn = flight = self._flight or self._new_flight()
                flight.caller = current_task() if runner.tasks else None
                if subject is not None:
                    if not flight.route(runner, subject, args, kwargs):
                        if self._turn is flight:
                            self._release(None)
                        else:
                            await flight.end_route()
                        return
                    calls, args, kwargs = flight.calls, flight.args, flight.kwargs
                try:
                    task = start_alone(runner, flight, calls[0], args, kwargs)
                except BaseException as error:
                    await self._end_unstarted(flight, error)
                else:
                    if task is None and self._turn is flight and not self._put_off:
                        self._turn = None
                        if flight.caller is not None:
                            flight.caller = None
                        if subject is None or flight.leave_target():
                            return
                    end = flight.end(task)
                    del task  # the traceback of an error holds this frame
                    await end
            elif subject is not None:
                await self._notify_with_emissions(runner, (args, kwargs), False)
            elif calls:
                fan = self._fan
                if fan is None:
                    fan = FanOut(runner, calls, args, kwargs, self._ended_alone, self)
                else:
                    self._fan = None
                    fan.renew(calls, args, kwargs)
                self._turn = fan
                try:
                    has_ended = fan.start()
                except BaseException as error:
                    await self._end_unstarted(fan, error)
                else:
                    if has_ended and fan.owner is self and not fan.errors and not self._put_off:
                        self._turn = None
                        fan.forget()
                        self._fan = fan
                    else:
                        await self._end_of_alone(fan)

    async def _notify_with_emissions(self, runner: Runner, notification: Notification, quiet: bool) -> None:
        cascade = Cascade(runner, quiet, background=False)
        if runner.eager is not None or runner.tasks:
            cascade.caller = current_task()
        cascade.begin()
        self._open_now(cascade, None, (notification,))
        await cascade.run()

    async def _notify_later(self, runner: Runner, notification: Notification, quiet: bool) -> None:
        """Have it queued, or wait for its turn: another notification is running."""
        if self._maxsize is None:
            await self._notify_in_turn(notification, quiet)
            return
        item = Item(self, (notification,), None, None, copy_context(), quiet)
        if self._has_room():
            self._accumulate(item)
        else:
            self._check_outside(runner, f"its queue of {self._maxsize} is full: {_INSIDE}pass a larger maxsize")
            await self._accumulate_in_turn(item)

    if TYPE_CHECKING:

        @overload
        def notify_sequential(self, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[Any]: ...

        @overload
        def notify_sequential(
            self, *args: object, _silent_: bool, _persistent_: bool = ..., **kwargs: object
        ) -> AsyncGenerator[Any]: ...

        @overload
        def notify_sequential(
            self, *args: object, _silent_: bool = ..., _persistent_: bool, **kwargs: object
        ) -> AsyncGenerator[Any]: ...

    def notify_sequential(  # type: ignore[misc]  # P.kwargs takes whatever is not named here
        self, *args: Any, _silent_: bool = False, _persistent_: bool = False, **kwargs: Any
    ) -> AsyncGenerator[Any]:
        """Call the observers one after another, and yield the result of each.

        The first step waits until it is this notification's turn. After the last observer the derived observables have
        the notification too, and what was queued meanwhile is delivered. Leaving the loop early gives the turn back;
        observers that were not reached are not called.

        Args:
            *args: Positional parameters.
            _silent_: Whether the first error ends the iteration quietly. Together with ``_persistent_``: whether what
                fails is skipped quietly.
            _persistent_: Whether an error is logged and the next observer called.
            **kwargs: Keyword parameters.

        Yields:
            What each observer returned, awaited where it is awaitable.

        Raises:
            Exception: What the first failing observer raised, unless one of the flags is set.
            ObservableClosed: The observable is closed.
            ReentrancyError: Stepped inside an observer of the notification that is running.

        Cancellation: the observer that is running is cancelled and awaited; the others are not called.
        """
        from ._sequential import sequential

        return sequential(self, args, kwargs, _silent_, _persistent_)

    # The queue

    def start_accumulation(self) -> bool:
        """Queue what is notified while a notification is running, from now on.

        Returns:
            Whether this changed anything: False where notifications are queued already.
        """
        if self._maxsize is not None:
            return False
        self._maxsize = 0
        return True

    async def restart_accumulation(self, flush: bool = False) -> None:
        """Queue notifications from now on, in a queue of the same size as before.

        Args:
            flush: Whether to wait first until what is queued has been delivered. Otherwise it stays queued, in order.

        Raises:
            ReentrancyError: ``flush`` is true, inside an observer of the notification that is running.

        Cancellation: raises CancelledError; nothing was changed.
        """
        if flush:
            await self.handle_notifications()
        self.start_accumulation()

    async def handle_notifications(self) -> None:
        """Wait until every notification that is queued now has been delivered.

        Their errors are raised by the call that delivers them, not here.

        Raises:
            ReentrancyError: Called from inside an observer of the notification that is running.

        Cancellation: raises CancelledError; the deliveries go on.
        """
        await self._wait_outside("handle_notifications", None)

    async def handle_unsubscriptions(self) -> None:
        """Remove at once the observers that :meth:`unsubscribe_eventually` put off.

        Cancellation: does not wait.
        """
        self._apply_eventual()

    # Observers

    def subscribe(self, observer: Observer[P]) -> Coroutine[Any, Any, SubscriptionRV]:
        """Wait until the observable is idle, then add an observer.

        From inside an observer of the running notification it is added without waiting; it sees the next one.

        Args:
            observer: A hashable callable. One that is subscribed already stays where it is.

        Returns:
            An awaitable for the subscription: call it, or leave it as a context, to remove the observer.

        Raises:
            ArgumentTypeError: ``observer`` is not callable or not hashable; raised by the call itself.
            ObservableClosed: The observable is closed.

        Cancellation: raises CancelledError; the observer was not added.
        """
        check_hashable_callable("Observable.subscribe", "observer", observer)
        return self._subscribe(observer)

    async def _subscribe(self, observer: Observer[P]) -> SubscriptionRV:
        runner = self._bind()
        self._check_open()
        if not self._is_inside(runner):
            await self._wait_idle()
        return self._add(observer, observer)

    def subscribe_nowait(self, observer: Observer[P]) -> SubscriptionRV:
        """Add an observer now; a notification that is running does not reach it.

        Args:
            observer: A hashable callable. One that is subscribed already stays where it is.

        Returns:
            The subscription: call it, or leave it as a context, to remove the observer.

        Raises:
            ArgumentTypeError: ``observer`` is not callable or not hashable.
            ObservableClosed: The observable is closed.
            WrongLoopError: It belongs to another loop than the one that runs here.
        """
        # What is plainly right is done here and now: a call for each step would take several times as long.
        observers = self._observers
        if observers.plain:
            calls = observers.calls
            try:
                if (
                    observer not in calls
                    and (type(observer) is FunctionType or callable(observer))  # type: ignore[redundant-expr]
                    and self._loop is get_running_loop()
                ):
                    calls[observer] = observer
                    observers.snapshot_or_none = None
                    subscription = Subscription()
                    subscription.observable = self
                    subscription.observer = observer
                    return subscription
            except (TypeError, RuntimeError):  # not hashable, or no loop is running
                pass
        check_hashable_callable("Observable.subscribe_nowait", "observer", observer)
        self._check_usable()
        return self._add(observer, observer)

    def subscribe_syncf(self, observer: Observer[P]) -> SubscriptionRV:
        """Add a synchronous observer that is called in a thread, so that it does not block the loop.

        It is awaited as any other. A cancelled ``notify`` waits for a thread that has begun.

        Args:
            observer: A hashable callable, safe to call from another thread.

        Returns:
            The subscription; the observer is listed, and removable, as itself.

        Raises:
            ArgumentTypeError: ``observer`` is not callable or not hashable.
            ObservableClosed: The observable is closed.
            WrongLoopError: It belongs to another loop than the one that runs here.
        """
        check_hashable_callable("Observable.subscribe_syncf", "observer", observer)
        self._check_usable()
        from ._wrappers import ThreadedObserver

        return self._add(observer, ThreadedObserver(self, observer))

    def ntimes(self, observer: Observer[P], n: int | None = None) -> SubscriptionRV:
        """Add an observer now that is called ``n`` times and then removed.

        Exactly ``n`` times, also where notifications overlap: it is removed as its last call begins.

        Args:
            observer: A hashable callable. One that is subscribed already stays as it is.
            n: How many notifications, at least 1; ``OBSERVABLE_DEFAULT_NTIMES_N`` of the context if not passed.

        Returns:
            The subscription; the observer is listed, and removable, as itself.

        Raises:
            ArgumentTypeError: ``observer`` is not callable or not hashable, or ``n`` is no integer.
            ArgumentValueError: ``n`` is less than 1.
            ObservableClosed: The observable is closed.
            WrongLoopError: It belongs to another loop than the one that runs here.
        """
        check_hashable_callable("Observable.ntimes", "observer", observer)
        from ..context import peek
        from ._wrappers import CountedObserver

        count = check_count("Observable.ntimes", "n", peek().OBSERVABLE_DEFAULT_NTIMES_N if n is None else n)
        self._check_usable()
        return self._add(observer, CountedObserver(self, observer, count))

    def unsubscribe(self, observer: Observer[P], strict: bool = False) -> Coroutine[Any, Any, None]:
        """Wait until the observable is idle, then remove an observer.

        From inside an observer of the running notification it is removed without waiting.

        Args:
            observer: The observer, as it was subscribed.
            strict: Whether it is an error that it is not subscribed.

        Returns:
            An awaitable for the removal.

        Raises:
            ArgumentTypeError: ``observer`` is not callable or not hashable; raised by the call itself.
            NotSubscribedError: ``strict`` is true and it is not subscribed.

        Cancellation: raises CancelledError; the observer was not removed.
        """
        check_hashable_callable("Observable.unsubscribe", "observer", observer)
        return self._unsubscribe(observer, strict)

    async def _unsubscribe(self, observer: Observer[P], strict: bool) -> None:
        runner = self._bind()
        if not self._is_inside(runner):
            await self._wait_idle()
        self._remove(observer, strict)

    def unsubscribe_nowait(self, observer: Observer[P], strict: bool = False) -> None:
        """Remove an observer now; the running notification does not start it where it has not done so.

        Args:
            observer: The observer, as it was subscribed.
            strict: Whether it is an error that it is not subscribed.

        Raises:
            ArgumentTypeError: ``observer`` is not callable or not hashable.
            NotSubscribedError: ``strict`` is true and it is not subscribed.
        """
        observers = self._observers
        if self._turn is None and observers.plain:
            calls = observers.calls
            try:
                del calls[observer]
            except (KeyError, TypeError):
                pass
            else:
                observers.snapshot_or_none = None
                if not calls:
                    self._demand_changed()
                return
        check_hashable_callable("Observable.unsubscribe_nowait", "observer", observer)
        self._remove(observer, strict)

    def unsubscribe_eventually(self, observer: Observer[P], asap: bool = False) -> None:
        """Have an observer removed when the notification that is running, or else the next one, has ended.

        Subscribing it again before takes that back.

        Args:
            observer: The observer, as it was subscribed. One that is not subscribed is ignored.
            asap: Whether to remove it now if no notification is running.

        Raises:
            ArgumentTypeError: ``observer`` is not callable or not hashable.
        """
        check_hashable_callable("Observable.unsubscribe_eventually", "observer", observer)
        if asap and self._turn is None:
            self._remove(observer, False)
        elif observer in self._observers.calls:
            self._put_off = True
            self._observers.plain = False
            if self._eventual is None:
                self._eventual = {}
            self._eventual[observer] = None

    # Looking

    def __iter__(self) -> Iterator[Observer[P]]:
        """Iterate over the observers, in order of subscription.

        Raises:
            RuntimeError: Observers were added or removed while the iteration was under way.
        """
        return self._iterate_over(list(self._observers), self._observers.snapshot())

    def _iterate_over(self, listed: list[Observer[P]], snapshot: object) -> Iterator[Observer[P]]:
        for observer in (*listed, None):
            if self._observers.snapshot_or_none is not snapshot:
                if list(self._observers) != listed:
                    raise RuntimeError(f"{self!r}: its observers changed during iteration")
                snapshot = self._observers.snapshot()
            if observer is not None:
                yield observer

    async def __aiter__(self) -> AsyncGenerator[Observer[P]]:
        """Iterate over the observers as they are at the first step, in order of subscription.

        Cancellation: does not wait.
        """
        for observer in list(self._observers):
            yield observer

    # Waiting

    def wait_for_next(
        self,
        timeout: float | None = None,
        strict: bool = False,  # noqa: ARG002  # kept for code that passes it
    ) -> Coroutine[Any, Any, tuple[tuple[Any, ...], dict[str, Any]]]:
        """Wait for the next notification to begin.

        What waits is not among the observers, so nothing can remove it.

        Args:
            timeout: Seconds, not negative; None is as long as it takes.
            strict: Whether it is an error that something else removed what waits. Nothing can, so it does not matter.

        Returns:
            An awaitable for the parameters of the notification, ``(args, kwargs)``.

        Raises:
            ArgumentTypeError: ``timeout`` is no number; raised by the call itself.
            ArgumentValueError: ``timeout`` is negative or NaN; raised by the call itself.
            ObservableTimeout: No notification began within ``timeout``.
            ReentrancyError: Called from inside an observer of the notification that is running.
            ObservableClosed: The observable is closed, or was closed meanwhile.

        Cancellation: raises CancelledError; nothing is left behind.
        """
        return self._wait_for_next(check_timeout("Observable.wait_for_next", "timeout", timeout))

    async def _wait_for_next(self, timeout: float | None) -> Notification:
        runner = self._bind()
        self._check_open()
        self._check_outside(runner, f"wait_for_next(): {_INSIDE}call it from another task")
        waiter: Future[Notification] = runner.loop.create_future()
        if self._next_waiters is None:
            self._next_waiters = []
        self._next_waiters.append(waiter)
        self._demand_changed()
        try:
            await wait([waiter], timeout=timeout)
            if waiter.done():
                return waiter.result()
            from ..exceptions import ObservableTimeout

            assert timeout is not None
            raise ObservableTimeout(repr(self), "waiting for the next notification", timeout)
        finally:
            if waiter.done():
                waiter.exception()
            elif self._next_waiters is not None:  # pyright: ignore[reportUnnecessaryComparison]  # as it is by now
                self._next_waiters.remove(waiter)
                self._demand_changed()

    def wait_until_idle(self, timeout: float | None = None) -> Coroutine[Any, Any, None]:
        """Wait until no notification is running or queued.

        Args:
            timeout: Seconds, not negative; None is as long as it takes.

        Returns:
            An awaitable for that moment.

        Raises:
            ArgumentTypeError: ``timeout`` is no number; raised by the call itself.
            ArgumentValueError: ``timeout`` is negative or NaN; raised by the call itself.
            ObservableTimeout: It was not idle within ``timeout``.
            ReentrancyError: Called from inside an observer of the notification that is running.

        Cancellation: raises CancelledError; the notifications go on.
        """
        return self._wait_outside("wait_until_idle", check_timeout("Observable.wait_until_idle", "timeout", timeout))

    async def _wait_outside(self, call: str, timeout: float | None) -> None:
        self._check_outside(self._bind(), f"{call}(): {_INSIDE}call it from another task")
        await self._wait_idle(timeout)

    merge: ClassVar[merge_method] = merge_method()
