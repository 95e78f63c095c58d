"""The engine of an observable: its observers, its turn and its queue, what it reaches, and its end.

An observable emits one notification at a time. Whoever holds the *turn* is the running emission; what arrives
meanwhile waits in one queue, in order of arrival, whether its caller waits for it or not.
"""

from __future__ import annotations

from asyncio import (
    CancelledError,
    Future,
    _get_running_loop,  # pyright: ignore[reportPrivateUsage]  # gives None where the public one raises
    current_task,
    get_running_loop,
    wait,
)
from collections import deque
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from .._fanout import FanOut
from .._runner import Work
from ..mixins import LoopContextMixin
from ._cascade import Cascade, Emission, Item, Notification, emission_of, is_inside
from ._flight import Flight, scope_of
from ._observers import Observers, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence
    from concurrent.futures import Future as ThreadFuture
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import Context
    from weakref import WeakKeyDictionary

    from .._runner import Runner
    from .._rx._bridge import Clock
    from .._rx._chain import Chain
    from .._rx._subject import LoopSubject
    from ..exceptions import ObservableClosed
    from ._async_map import AsyncMap
    from ._buffer import Buffer
    from ._cascade import Witness
    from ._feed import Feed
    from ._inlet import Inlet
    from ._sequential import Walk

__all__ = ["Core"]

_UNBOUNDED = 0


class Core(LoopContextMixin):
    """The part of an observable that delivers. Every method is for the loop's own thread."""

    # What the mixin sets is named here too. There are more attributes than a dict of instances can have at hand, and as
    # long as that is empty the methods are at hand as well.
    __slots__ = (
        "_accumulated",
        "_body_failed",
        "_buffers",
        "_chain",
        "_children",
        "_clock",
        "_closed",
        "_closer",
        "_closing",
        "_deliveries",
        "_delivery_waiter",
        "_detacher",
        "_end_waiters",
        "_entered",
        "_eventual",
        "_executor",
        "_failure",
        "_failure_heard",
        "_fan",
        "_finishing",
        "_flight",
        "_idle_waiters",
        "_in_demand",
        "_inlet",
        "_kept",
        "_label",
        "_left",
        "_loop",
        "_maxsize",
        "_next_waiters",
        "_observers",
        "_overflow",
        "_owned",
        "_put_off",
        "_queue",
        "_quiet",
        "_runner",
        "_skip",
        "_sources",
        "_subject",
        "_subscribers",
        "_turn",
        "_walks",
        "_will_end",
    )

    # Who is told of errors and of the end; on the class, as hardly any observable has one.
    _watches: tuple[Witness, ...] = ()

    def __init__(self, maxsize: int | None) -> None:
        super().__init__()
        self._observers = Observers()
        self._eventual: dict[Callable[..., object], None] | None = None
        self._maxsize: int | None = maxsize
        self._turn: Emission | Work | Item | None = None
        # What marked the last notification that ended at once, for the next one.
        self._flight: Flight | None = None
        self._fan: FanOut | None = None
        # Whether something waits for the end of a notification: the queue, a waiter, a removal, the end.
        self._put_off = False
        self._queue: deque[Item] | None = None
        self._accumulated = 0
        self._overflow: deque[tuple[Item, Future[None] | None]] | None = None
        self._idle_waiters: list[Future[None]] | None = None
        self._next_waiters: list[Future[Notification]] | None = None
        self._skip: set[Callable[..., object]] | None = None
        self._walks: set[Walk] = set()
        self._subject: LoopSubject | None = None
        self._executor: ThreadPoolExecutor | None = None
        # As a derived observable
        self._label = ""
        self._quiet = False
        self._sources: tuple[Core, ...] = ()
        self._chain: Chain | AsyncMap | None = None
        self._detacher: object = None
        self._in_demand = False
        # As a bridge to RxPY
        self._inlet: Inlet | Feed | None = None
        self._subscribers = 0
        self._clock: Clock | None = None
        self._buffers: dict[Buffer[Any], None] | None = None
        self._deliveries: set[ThreadFuture[None]] = set()
        self._delivery_waiter: Future[None] | None = None
        # As a source of derived observables
        self._children: WeakKeyDictionary[Core, None] | None = None  # in order of derivation
        self._kept: set[Core] | None = None
        # The end
        self._will_end = False
        # Whether it was left, or something that it is derived from: then nothing is waited for that operators hold.
        self._left = False
        self._finishing = False
        self._failure: Exception | None = None
        self._failure_heard = False
        self._end_waiters: list[Future[None]] | None = None

    def _on_bound(self) -> None:
        if self._inlet is not None:
            self._inlet.bound()

    async def __setup__(self) -> None:
        """Subscribe to the source that flows into this observable, if one does."""
        if self._inlet is not None:
            self._inlet.enter()

    # State

    @property
    def idle(self) -> bool:
        """Whether no notification is running or queued."""
        return self._turn is None

    @property
    def notifying(self) -> bool:
        """Whether a notification is running or queued."""
        return self._turn is not None

    def __repr__(self) -> str:
        try:
            return self._described()
        except AttributeError:  # not initialised, or not wholly
            return object.__repr__(self)

    def _described(self) -> str:
        if self._closed:
            state = "closed"
        elif self._closing is not None or self._finishing:
            state = "closing"
        else:
            state = "idle" if self._turn is None else "notifying"
        name = f"{type(self).__name__} {self._label}".rstrip()
        count = len(self._observers)
        waiting = 0 if self._queue is None else sum(not item.withdrawn for item in self._queue)
        return f"<{name} {state}, {count} observer{'s' * (count != 1)}, {waiting} queued, at {id(self):#x}>"

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, str]:
        """Return pictures of the operator graph, by MIME type; as IPython asks for them."""
        from ._picture import pictures  # drawn only where somebody looks

        return pictures(self, include, exclude)

    def _is_inside(self, runner: Runner) -> bool:
        """Whether the running task is one that a running emission of this observable waits for."""
        return self._turn is not None and is_inside(runner, current_task(), (self,))

    def _check_outside(self, runner: Runner, remedy: str) -> None:
        if self._is_inside(runner):
            from ..exceptions import ReentrancyError

            raise ReentrancyError(repr(self), remedy)

    # Observers

    def _add(self, observer: Callable[..., object], call: Callable[..., object]) -> Subscription:
        if self._eventual is not None:
            self._eventual.pop(observer, None)
        if self._observers.add(observer, call) and len(self._observers) == 1:
            self._demand_changed()
        subscription = Subscription()
        subscription.observable = self
        subscription.observer = observer
        return subscription

    def _remove(self, observer: Callable[..., object], strict: bool) -> None:
        if self._eventual is not None:
            self._eventual.pop(observer, None)
        call = self._observers.remove(observer)
        if call is None:
            if strict:
                from ..exceptions import NotSubscribedError

                raise NotSubscribedError(repr(self), observer)
            return
        if isinstance(self._turn, Work):
            self._promote(self._turn)
        if isinstance(self._turn, Emission):
            self._skip_from_now_on(call)
        self._demand_changed()

    def _forget(self, observer: Callable[..., object], call: Callable[..., object]) -> None:
        """Remove an observer if ``call`` is still what is called in its place."""
        if self._observers.calls.get(observer) is call:
            self._remove(observer, False)

    def _skip_from_now_on(self, call: Callable[..., object]) -> None:
        """Have the running emission not start ``call`` where it has not done so."""
        self._put_off = True
        if self._skip is None:
            self._skip = set()
            assert isinstance(self._turn, Emission)
            cascade = self._turn.cascade
            for fan in [*cascade.live, *(fan for _, fan in cascade.starts)]:
                if fan.owner is self._turn:
                    fan.skip = self._skip
        self._skip.add(call)

    def _threads(self) -> ThreadPoolExecutor:
        if self._executor is None:
            from ._wrappers import new_executor

            self._executor = new_executor()
        return self._executor

    # The turn

    def _open(self, cascade: Cascade, parent: Emission | None, item: Item) -> None:
        """Begin an emission: collect the fan-outs, its own first, and route on. The turn is the caller's."""
        self._open_now(cascade, parent, item.notifications, item.context)

    def _open_now(
        self,
        cascade: Cascade,
        parent: Emission | None,
        notifications: Sequence[Notification],
        context: Context | None = None,
    ) -> None:
        quiet = (parent is not None and parent.quiet) or self._quiet
        emission = Emission(cascade, parent, self, quiet, len(notifications) > 1)
        self._turn = emission
        self._pass_on(emission, notifications, context)
        emission.piece_ended()

    def _promote(self, work: Work) -> Emission:
        """Make an emission of a notification that began without one; what it began with is its only piece."""
        owner = work.owner
        if isinstance(owner, Emission):
            return owner
        if isinstance(work, Flight):
            return work.promote()
        cascade = Cascade(self._bound(), background=False)
        cascade.caller = work.caller
        cascade.begin()
        emission = Emission(cascade, None, self, self._quiet, False)
        work.owner = self._turn = emission
        assert isinstance(work, FanOut)
        cascade.live[work] = None
        return emission

    def _new_flight(self) -> Flight:
        """Return what marks a notification as one of this observable; it serves again and again."""
        self._flight = Flight(self)
        return self._flight

    async def _end_of_alone(self, fan: FanOut) -> None:
        """See a fan-out that began without an emission to its end."""
        if fan.ended and fan.owner is self and not fan.errors and not self._queue:
            self._release(None)
            return
        emission = self._promote(fan)
        if fan.ended:
            emission.fan_ended(fan)
        await emission.cascade.run()

    async def _end_unstarted(self, work: Work, error: BaseException) -> None:
        """See what could not be started to its end, and raise why."""
        emission = self._promote(work)
        cascade = emission.cascade
        if isinstance(work, FanOut) and not work.ended:
            # What has started was cancelled, which is no error of its own.
            cascade.cancelled = True
            cascade.caller = current_task()
            await cascade.join(cascade.cancel)
            raise error
        cascade.note(emission, emission.order, 0, error)
        if isinstance(work, FanOut):
            emission.fan_ended(work)
        else:
            emission.piece_ended()
        await cascade.run()

    @staticmethod
    def _ended_alone(fan: FanOut) -> None:
        """Take the end of a fan-out that began without an emission, if it has one by now."""
        if isinstance(fan.owner, Emission):
            fan.owner.fan_ended(fan)

    def _pass_on(
        self, emission: Emission, notifications: Sequence[Notification], context: Context | None = None
    ) -> None:
        calls = self._observers.snapshot_or_none or self._observers.snapshot()
        if self._next_waiters is not None:
            self._resolve_next(notifications[0])
        if calls:
            cascade = emission.cascade
            for args, kwargs in notifications:
                fan = FanOut(cascade.runner, calls, args, kwargs, emission.fan_ended, emission, context)
                if self._skip is not None:
                    fan.skip = self._skip
                emission.pending += 1
                cascade.starts.append((emission, fan))
        if self._subject is not None:
            self._route(emission, self._subject, notifications)

    def _route(self, emission: Emission, subject: LoopSubject, notifications: Sequence[Notification]) -> None:
        """Push into the subject: what RxPY's operators pass on arrives below ``emission``."""
        runner = emission.cascade.runner
        outer, runner.scope = runner.scope, emission
        try:
            for notification in notifications:
                subject.on_next(notification)
        except BaseException as error:
            # What gets past the operators must not leave the turn behind: it is the notifier's, as any other.
            emission.cascade.note(emission, emission.order, 0, error)
        finally:
            runner.scope = outer

    def _resolve_next(self, notification: Notification) -> None:
        if self._next_waiters is not None:
            waiters, self._next_waiters = self._next_waiters, None
            for waiter in waiters:
                waiter.set_result(notification)
            self._demand_changed()

    def _release(self, emission: Emission | None) -> None:
        """Give the turn to what waits longest, or apply what was put off and be idle."""
        if not self._put_off:
            self._turn = None
            return
        self._skip = None
        while self._queue:
            item = self._queue.popleft()
            if item.withdrawn:
                continue
            if item.cascade is None:
                self._accumulated -= 1
                self._refill()
            self._turn = item
            item.grant(emission, self._bound())
            return
        self._turn = None
        self._put_off = self._inlet is not None
        self._apply_eventual()
        if self._idle_waiters is not None:
            waiters, self._idle_waiters = self._idle_waiters, None
            for waiter in waiters:
                waiter.set_result(None)
        if self._finishing and not self._holds_back():
            self._shut()
        elif self._inlet is not None:
            self._inlet.resume()

    def _apply_eventual(self) -> None:
        if self._eventual is not None:
            eventual, self._eventual = self._eventual, None
            for observer in eventual:
                self._observers.remove(observer)
            self._demand_changed()

    def _bound(self) -> Runner:
        assert self._runner is not None
        return self._runner

    # The queue

    def _enqueue(self, item: Item) -> None:
        item.queued()
        if self._overflow:
            self._overflow.append((item, None))
        else:
            self._append(item)

    def _append(self, item: Item) -> None:
        self._put_off = True
        if self._queue is None:
            self._queue = deque()
        self._queue.append(item)

    def _has_room(self) -> bool:
        return not self._overflow and (not self._maxsize or self._accumulated < self._maxsize)

    def _accumulate(self, item: Item) -> None:
        self._accumulated += 1
        self._append(item)

    async def _accumulate_in_turn(self, item: Item) -> None:
        """Wait for room in the queue, first come, first served."""
        if self._overflow is None:
            self._overflow = deque()
        waiter = self._bound().loop.create_future()
        entry = (item, waiter)
        self._overflow.append(entry)
        try:
            await waiter
        except BaseException:
            # Cancelled after it was given room: it is queued, as if the call had returned before.
            if entry in self._overflow:
                self._overflow.remove(entry)
            raise

    def _refill(self) -> None:
        """Move into the queue what waits for room in it, and what came after that."""
        while self._overflow:
            item, waiter = self._overflow[0]
            if waiter is not None and self._maxsize and self._accumulated >= self._maxsize:
                return
            self._overflow.popleft()
            if waiter is None:
                self._append(item)
            elif not waiter.done():
                waiter.set_result(None)
                self._accumulate(item)

    # What comes from elsewhere: a source's emission through RxPY, a timer, another thread's hand-over

    def _arrive(self, notifications: Sequence[Notification], soon: bool = False) -> None:
        """Emit what RxPY's operators passed on: as a part of whatever it was caused by, else in the background.

        Args:
            notifications: What to emit.
            soon: Whether observers that nothing waits for start in the loop's next turn, instead of on this stack.
        """
        runner = self._runner
        if runner is None:
            if _get_running_loop() is None:
                from ._loopless import emit

                emit(self, notifications)
                return
            runner = self._bind()
        scope = scope_of(runner)
        if scope is None:
            self._arrive_from_outside(runner, notifications, soon)
        elif self._turn is None:
            observers = self._observers
            if observers.calls or observers.taps or self._next_waiters or self._quiet or len(notifications) > 1:
                self._emit_below(scope, notifications)
            elif self._subject is not None:
                for notification in notifications:
                    self._subject.on_next(notification)
        else:
            self._arrive_while_busy(runner, scope, notifications)

    def _emit_below(self, scope: Emission, notifications: Sequence[Notification]) -> None:
        scope.pending += 1
        quiet = scope.quiet or self._quiet
        emission = Emission(scope.cascade, scope, self, quiet, scope.wave or len(notifications) > 1)
        self._turn = emission
        self._pass_on(emission, notifications)
        emission.piece_ended()

    def _arrive_while_busy(self, runner: Runner, scope: Emission, notifications: Sequence[Notification]) -> None:
        turn = self._turn
        if scope.wave and isinstance(turn, Emission) and turn.parent is scope and turn.pending:
            turn.pending += 1
            self._pass_on(turn, notifications)
            turn.piece_ended()
            return
        cascade = scope.cascade
        caller = cascade.waiting_task or (None if cascade.background else current_task())
        if scope.is_inside((self,)) or is_inside(runner, caller, (self,)):
            # To wait here would be to wait for oneself; so it is queued as a re-entrant notify() is.
            self._accumulated += 1
            self._enqueue(Item(self, notifications, None, None, copy_context(), scope.quiet))
        else:
            self._enqueue(Item(self, notifications, cascade, scope, copy_context(), scope.quiet))

    def _arrive_from_outside(self, runner: Runner, notifications: Sequence[Notification], soon: bool) -> None:
        scope = emission_of(runner, current_task()) if self._may_be_inside(runner) else None
        if scope is not None and not scope.cascade.cancelled and scope.pending:
            if self._turn is None:
                self._emit_below(scope, notifications)
            else:
                self._arrive_while_busy(runner, scope, notifications)
            scope.cascade.start_soon()
            return
        cascade = Cascade(runner)
        item = Item(self, notifications, cascade, None, copy_context(), self._quiet)
        if self._turn is None:
            cascade.begin()
            self._open(cascade, None, item)
            if soon:
                cascade.start_soon()
            else:
                cascade.start()
        else:
            self._enqueue(item)

    async def _emit_to_the_end(self, notification: Notification) -> None:
        """Emit, in turn, and wait for all that it reaches; raise what went wrong.

        Cancellation: what was started is cancelled and awaited; what waits for its turn is withdrawn.
        """
        runner = self._bound()
        cascade = Cascade(runner, self._quiet, background=False)
        cascade.caller = current_task()
        item = Item(self, (notification,), cascade, None, copy_context(), self._quiet)
        if self._turn is None:
            cascade.begin()
            self._open(cascade, None, item)
        else:
            self._enqueue(item)
        await cascade.run()

    def _may_be_inside(self, runner: Runner) -> bool:
        return bool(runner.tasks) or runner.eager is not None

    # Waiting

    async def _wait_idle(self, timeout: float | None = None) -> None:
        if self._turn is None:
            return
        waiter: Future[None] = self._bound().loop.create_future()
        self._put_off = True
        if self._idle_waiters is None:
            self._idle_waiters = []
        self._idle_waiters.append(waiter)
        try:
            await wait([waiter], timeout=timeout)
            if not waiter.done():
                from ..exceptions import ObservableTimeout

                assert timeout is not None
                raise ObservableTimeout(repr(self), "waiting for it to be idle", timeout)
        finally:
            if not waiter.done():
                self._idle_waiters.remove(waiter)

    # Demand: a derived observable that somebody listens to lives as long as its source.

    def _demand_changed(self) -> None:
        """Have the sources keep this observable, or let it go."""
        ends = self._finishing or self._closing is not None or self._closed
        self._observers.plain = bool(self._observers.calls) and self._eventual is None and not ends
        wanted = not self._closed and bool(
            self._observers.in_demand() or self._kept or self._next_waiters or self._subscribers
        )
        if wanted != self._in_demand:
            self._in_demand = wanted
            for source in self._sources:
                if self._in_demand != wanted:
                    return  # the one before has ended it at once, and all has been let go
                source._keep(self, wanted)
            if self._will_end or (self._chain is not None and self._chain.holds):
                self._hold_out()
            if self._inlet is not None:
                self._inlet.demand_changed(wanted)

    def _keep(self, child: Core, wanted: bool) -> None:
        if wanted:
            if self._kept is None:
                self._kept = set()
            self._kept.add(child)
        elif self._kept is not None:
            self._kept.discard(child)
        self._demand_changed()

    def _runner_of_family(self) -> Runner | None:
        """Return the runner of this observable, or else of what it is derived from."""
        return next((site._runner for site in self._lineage() if site._runner is not None), None)

    def _lineage(self) -> Iterator[Core]:
        """Yield this observable and all that it is derived from."""
        found: list[Core] = [self]
        for site in found:
            yield site
            found.extend(source for source in site._sources if source not in found)

    def _descendants(self) -> Iterator[Core]:
        """Yield this observable and all that is derived from it, each once."""
        seen: set[Core] = {self}
        found: list[Core] = [self]
        for site in found:
            yield site
            for child in list(site._children or ()):  # of the same class
                if child not in seen:
                    seen.add(child)
                    found.append(child)

    # The end

    def _check_open(self) -> None:
        if self._closing is not None or self._closed or self._finishing:
            raise self._closed_error("it is closed; make a new one")

    def _closed_error(self, remedy: str) -> ObservableClosed:
        from ..exceptions import ObservableClosed

        return ObservableClosed(repr(self), remedy)

    def _check_usable(self) -> None:
        """See that it is open, and that no other loop than its own is running here."""
        self._check_open()
        if self._loop is not None:
            try:
                running = get_running_loop()
            except RuntimeError:
                return
            if running is not self._loop:
                self._bind()  # raises

    def _finish(self, failure: Exception | None = None) -> None:
        """End as soon as what runs and what is queued has been delivered."""
        if not self._finishing:
            self._finishing = True
            self._observers.plain = False
            self._failure = failure
            self._put_off = True
            if self._turn is None and not self._holds_back():
                self._shut()

    def _holds_back(self) -> bool:
        """Whether something still waits that comes before the end."""
        return self._inlet is not None and self._inlet.holds_back()

    def _is_unheard(self) -> bool:
        """Whether an error ends this observable, and reaches nobody here, further down or further up."""
        if self._failure is None:
            return False
        if self._failure_heard or self._subscribers or self._end_waiters or self._buffers:
            self._failure_heard = True
            return False
        return not self._children and not any(
            site._failure_heard for site in self._lineage() if site._failure is self._failure
        )

    def _shut(self) -> None:
        """End now: nothing runs, and nothing is queued."""
        failure, unheard = self._failure, self._is_unheard()
        self._closed = True
        if self._executor is not None:
            self._executor.shutdown()
        for buffer in list(self._buffers or ()):
            buffer.end(failure)
        for watch in self._watches:
            watch.ended(failure)
        if self._subject is not None:
            if self._failure is None:
                self._subject.on_completed()
            else:
                self._subject.on_error(self._failure)
        for child in list(self._children or ()):
            child._source_ended()  # of the same class
        if self._chain is not None:
            self._chain.dispose()
        for waiter in self._next_waiters or ():
            waiter.set_exception(self._closed_error("it was closed before its next notification"))
        self._next_waiters = None
        self._demand_changed()
        for task in self._owned:
            task.cancel()
        for ended in self._end_waiters or ():
            if not ended.done():
                ended.set_result(None)
        self._end_waiters = None
        if unheard:
            assert failure is not None
            for site in self._lineage():
                if site._failure is failure:  # once is enough, however many branches there are
                    site._failure_heard = True
            runner = self._runner_of_family()
            if runner is None:
                from ._loopless import note

                note(failure)
            else:
                Cascade(runner).report(failure)

    def _source_ended(self) -> None:
        """End with the last source, even where an operator has not passed its completion on."""
        if all(source._closed for source in self._sources):
            self._will_end = True
            self._left = self._left or any(source._left for source in self._sources)
            failure = next((source._failure for source in self._sources if source._failure is not None), None)
            if self._chain is None or self._chain.exhausted(failure):
                self._finish(failure)
            elif self._left:
                self._leave(failure)
            else:
                self._hold_out()

    def _hold_out(self) -> None:
        """Be held by operators that may still emit, and so by their timers: it may be that nobody else holds it."""
        assert self._chain is not None  # the operators
        self._chain.hold(self if self._in_demand and not self._closed else None)

    def _leave(self, failure: Exception | None = None) -> None:
        """End without what operators still hold: the sources have ended, and their context has been left."""
        self._left = True
        if self._chain is not None and self._chain.may_be_left():
            self._finish(failure)

    async def _wait_ended(self) -> None:
        """Wait until this observable, and all derived ones that end with it, have ended."""
        if not self._closed:
            waiter: Future[None] = self._bind().loop.create_future()
            if self._end_waiters is None:
                self._end_waiters = []
            self._end_waiters.append(waiter)
            await waiter
        if self._owned:
            await self._cancel_owned()

    async def aclose(self) -> None:
        """End the observable: serve the calls that wait, emit what operators hold back, complete what is derived.

        What ``debounce`` and ``buffer`` still hold is emitted; a derived observable ends with the last of its
        sources. Errors of these last emissions go to the loop's exception handler. Closing again is harmless.

        Raises:
            ReentrancyError: Called from inside an observer that it would have to wait for. Nothing was changed.

        Cancellation: emissions in the background are cancelled and awaited, owned tasks too, and then
        CancelledError is raised; the observable is closed.
        """
        if not self._closed:
            runner = self._bind()
            if self._runs_inside(runner):
                from ..exceptions import ReentrancyError

                raise ReentrancyError(
                    repr(self),
                    "aclose() inside an observer, or inside a function of map_async(), would wait for itself; "
                    "close it from another task",
                )
        elif self._closing is None and self._runner is not None and not self._runs_inside(self._runner):
            # Its source ended it; what map_async() had begun by then may not have ended.
            family = list(self._descendants())
            self._wait_for_no_consumer(family)
            await self._wait_family_ended(family)
        await super().aclose()

    def _runs_inside(self, runner: Runner) -> bool:
        """Whether the current task is work that the end of this observable waits for."""
        task, family = current_task(), set(self._descendants())
        return is_inside(runner, task, family) or any(site._chain and site._chain.runs(task) for site in family)

    async def _wait_family_ended(self, family: Sequence[Core]) -> None:
        """Wait until those of ``family`` that are ending have ended.

        Cancellation: cancels and awaits what they wait for, then raises CancelledError.
        """
        try:
            for site in family:
                if site._will_end:  # of the same class
                    site._leave()  # of the same class
                if site._finishing or site._will_end:  # of the same class
                    await site._wait_ended()  # of the same class
        except CancelledError:
            for site in family:
                if site._will_end and site._owned:  # of the same class
                    site._finish()  # of the same class
                    await site._cancel_owned()  # of the same class
            raise

    def _wait_for_no_consumer(self, family: Sequence[Core]) -> None:
        """Have no emission wait any more for somebody to iterate, or to step a sequential notification."""
        for site in self._ending_with_this(family):
            for walk in list(site._walks):  # of the same class
                walk.revoke()
            for buffer in list(site._buffers or ()):  # of the same class
                buffer.open_wide()

    def _ending_with_this(self, family: Sequence[Core]) -> set[Core]:
        """Return those of ``family`` that this observable's end ends: all but what has another source that goes on."""
        ending: set[Core] = {self}
        found = 0
        while len(ending) > found:
            found = len(ending)
            ending.update(site for site in family[1:] if all(s._closed or s in ending for s in site._sources))
        return ending

    async def _end(self, *, cleanup: bool) -> None:
        self._observers.plain = False
        if not cleanup:  # the set-up failed
            if self._inlet is not None:
                self._inlet.stop()
            self._left = True
            self._finish()
        await super()._end(cleanup=cleanup)

    async def __cleanup__(self) -> None:
        """Deliver what is queued and held back, then complete."""
        family = list(self._descendants())
        self._left = True
        try:
            self._wait_for_no_consumer(family)
            if self._inlet is not None:
                await self._inlet.drain()
            await self._wait_deliveries()
            await self._wait_idle()
            if self._chain is not None:
                self._chain.complete()
                await self._chain.drain()
                await self._wait_idle()
            self._finish()
            await self._wait_family_ended(family)
        except CancelledError:
            for site in family:
                site._abort()  # of the same class
            raise
        finally:
            self._finish()

    async def _wait_deliveries(self) -> None:
        """Wait for what other threads notify.

        Cancellation: raises CancelledError; the deliveries go on.
        """
        while self._deliveries:
            self._delivery_waiter = self._bound().loop.create_future()
            await self._delivery_waiter

    def _deliveries_ended(self) -> None:
        if self._delivery_waiter is not None and not self._delivery_waiter.done():
            self._delivery_waiter.set_result(None)

    def _abort(self) -> None:
        """Cancel what runs here and no call waits for."""
        turn = self._turn
        if isinstance(turn, Emission) and turn.cascade.background and turn.cascade.sponsor is None:
            turn.cascade.cancel()
