"""Where a foreign source flows into an observable: from any thread, in order, through a buffer with a policy.

What arrives on the loop's thread while the observable is idle is emitted on the spot. Everything else waits in the
buffer and is emitted one by one, on the loop's thread, as the observable becomes idle.
"""

from __future__ import annotations

from asyncio import CancelledError, current_task, get_running_loop, wait
from collections import deque
from contextlib import suppress
from contextvars import copy_context
from threading import Condition, get_ident
from typing import TYPE_CHECKING, Any

from .._runner import CALLS_BETWEEN_TURNS
from ..exceptions import NoLoopError, OverflowPolicyError
from . import _loopless
from ._cascade import Item, emission_of, is_inside
from ._flight import scope_of

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable
    from contextvars import Context

    from ._core import Core

    Connect = Callable[["Inlet"], Callable[[], None]]

__all__ = ["Early", "Inlet"]

_LOOK_AGAIN = 0.5
"""After so many seconds, a thread that waits for room looks whether the event loop is still there."""


class Inlet:
    """The flow from one source into one observable.

    Args:
        observable: Where the source flows into.
        connect: Subscribes this inlet to the source, and returns what ends the subscription.
        maxsize: How many values wait at most while the observable is busy; 0 is any number.
        overflow: What happens to a value that meets a full buffer.

    Attributes:
        dropped: How many values the policy dropped.
    """

    def __init__(self, observable: Core, connect: Connect, maxsize: int, overflow: str) -> None:
        self.dropped = 0
        self._observable = observable
        self._connect = connect
        self._maxsize = maxsize
        self._overflow = overflow
        # Each value with the item that a notify() waits for, if one does, and the context of the source.
        self._items: deque[tuple[Any, Item | None, Context]] = deque()
        self._waiting = 0
        self._discarded: list[Item] = []
        self._guard = Condition()
        self._disconnect: Callable[[], None] | None = None
        self._connected = False
        self._home: int | None = None
        self._entered = False
        self._closing = False
        self._over = False
        self._failure: Exception | None = None
        self._scheduled = False
        self._pumping = False
        self._drained: Future[None] | None = None

    # The subscription to the source

    def enter(self) -> None:
        """Subscribe, and stay subscribed whoever comes and goes: the context of the observable was entered."""
        self._entered = True
        self.start()

    def demand_changed(self, wanted: bool) -> None:
        """Subscribe when the first observer has come; unsubscribe when the last one has gone, outside of a context."""
        if wanted or self._entered:
            self.start()
        else:
            self.stop()

    def start(self) -> None:
        """Subscribe to the source, if that has not been done; one that cannot be subscribed to ends with that error."""
        if self._connected or self._over or self._closing:
            return
        self._connected = True
        self._home = get_ident()
        # Other threads reach the observable through its loop, and may be the first to emit.
        if self._observable._runner is None:
            with suppress(NoLoopError):
                self._observable._bind()
        try:
            disconnect = self._connect(self)
        except Exception as error:
            if self._over:
                raise  # what a subscriber raised when it was told of the end
            self.on_error(error)
            return
        except BaseException:
            self._connected = False
            raise
        if self._connected:
            self._disconnect = disconnect
        else:
            disconnect()

    def stop(self) -> None:
        """End the subscription."""
        self._connected = False
        disconnect, self._disconnect = self._disconnect, None
        if disconnect is not None:
            disconnect()

    # From the source, on any thread

    def on_next(self, value: Any) -> None:
        """Take a value.

        Raises:
            NoLoopError: The event loop is closed, so the value can reach nobody. The source was disposed of.
        """
        if self._over or not self._connected:
            return
        observable = self._observable
        if not self._is_here():
            self._store(value, None, may_wait=get_ident() != self._home)
        elif self._items or not observable.idle:
            self._store(value, self._item_of_notifier(value), may_wait=False)
        else:
            observable._arrive((((value,), {}),))
            return
        if not self._schedule():
            raise self._nobody()

    def on_error(self, error: object) -> None:
        """Take the error that ends the source; some sources give a mere string."""
        self._end(error if isinstance(error, Exception) else Exception(error))

    def on_completed(self) -> None:
        """Take the source's completion."""
        self._end(None)

    def _end(self, failure: Exception | None) -> None:
        with self._guard:
            if self._over or not self._connected:
                return
            self._over = True
            self._failure = failure
            self._guard.notify_all()
        if self._is_here() and not self._items and not self._waiting:
            self._finish()
        else:
            self._schedule()

    def _is_here(self) -> bool:
        """Whether this is the loop's thread; or, before there is a loop, the thread that subscribed."""
        loop = self._observable._loop
        try:
            running = get_running_loop()
        except RuntimeError:
            return loop is None and get_ident() == self._home
        return running is loop or (loop is None and get_ident() == self._home)

    def _item_of_notifier(self, value: Any) -> Item | None:
        """Return what the notify() on whose call stack the value arrived waits for; None where there is none."""
        observable = self._observable
        runner = observable._runner
        if runner is None:
            return None
        scope = scope_of(runner) or emission_of(runner, current_task())
        if scope is None or scope.cascade.cancelled or not scope.pending:
            return None
        cascade = scope.cascade
        caller = cascade.waiting_task or (None if cascade.background else current_task())
        if scope.is_inside((observable,)) or is_inside(runner, caller, (observable,)):
            return None  # it would wait for itself
        item = Item(observable, (((value,), {}),), cascade, scope, copy_context(), scope.quiet)
        item.queued()
        return item

    # The buffer

    def _store(self, value: Any, item: Item | None, may_wait: bool) -> None:
        with self._guard:
            waited = False
            if not self._has_room():
                if self._overflow == "wait" and may_wait:
                    self._wait_for_room()
                    waited = True
                elif not self._make_room():
                    self._discard(item)
                    return
            # Where another thread ends the source, what was waiting for room by then still counts.
            if waited or not self._over:
                self._items.append((value, item, copy_context()))
            else:  # pragma: no cover  # another thread would have to end the source within this call
                self._discard(item)

    def _wait_for_room(self) -> None:
        self._waiting += 1
        try:
            while not self._has_room():
                self._guard.wait(_LOOK_AGAIN)
                if self._loop_is_gone():
                    raise self._nobody()
        finally:
            self._waiting -= 1

    def _has_room(self) -> bool:
        return not self._maxsize or len(self._items) < self._maxsize or self._closing or self._over

    def _make_room(self) -> bool:
        """Apply the policy to a full buffer; return whether the newcomer goes in."""
        policy = self._overflow
        if policy in ("raise", "wait"):
            self._over = True
            self._failure = OverflowPolicyError(repr(self._observable), self._maxsize)
            return False
        if policy == "drop_newest":
            self.dropped += 1
            return False
        dropped = len(self._items) if policy == "latest" else 1
        self.dropped += dropped
        for _ in range(dropped):
            self._discard(self._items.popleft()[1])
        return True

    def _discard(self, item: Item | None) -> None:
        """Let whoever waits for an item wait no more: soon, since this may be another thread."""
        if item is not None:
            self._discarded.append(item)

    # Into the observable, on the loop's thread

    def bound(self) -> None:
        """Emit what came before the observable had a loop."""
        self._home = get_ident()
        if self._items or self._over:
            self._schedule()

    def resume(self) -> None:
        """Go on, now that the observable is idle."""
        if self._items or self._over or self._drained is not None:
            self._schedule(here=True)

    def holds_back(self) -> bool:
        """Whether the observable must not end before what waits here; where the source ends it, nothing does."""
        return False

    def _schedule(self, here: bool = False) -> bool:
        """Have what waits emitted; return False where the event loop is closed.

        Args:
            here: Whether this is certainly the loop's thread; then it need not be woken.
        """
        loop = self._observable._loop
        if loop is None:
            if not self._pumping and self._is_here():
                self._pump()
            return True
        if self._loop_is_gone():
            return False
        with self._guard:
            if self._scheduled:
                return True
            self._scheduled = True
        try:
            (loop.call_soon if here else loop.call_soon_threadsafe)(self._pump)
        except RuntimeError:  # pragma: no cover  # its own thread would have to close it between these lines
            return not self._loop_is_gone()
        return True

    def _loop_is_gone(self) -> bool:
        """Whether the event loop is closed; then the source is disposed of, and what waits is forgotten."""
        loop = self._observable._loop
        if loop is None or not loop.is_closed():
            return False
        self._over = True
        self._items.clear()
        self.stop()
        return True

    def _nobody(self) -> NoLoopError:
        return NoLoopError(
            repr(self._observable),
            "its event loop is closed, so what the source emits reaches nobody; close the observable before the loop",
        )

    def _pump(self) -> None:
        """Emit what waits, one after another, until an observer suspends; the loop gets its turn in between."""
        with self._guard:
            self._scheduled = False
        observable = self._observable
        self._pumping = True
        try:
            emitted = 0
            while self._items and observable.idle and not observable._closed:
                if emitted == CALLS_BETWEEN_TURNS and observable._loop is not None:
                    break
                emitted += 1
                with self._guard:
                    value, item, context = self._items.popleft()
                    self._guard.notify()
                if item is None:
                    context.run(observable._arrive, (((value,), {}),))
                elif not item.withdrawn:
                    item.start()
        finally:
            self._pumping = False
        self._let_go()
        if not observable.idle:
            return
        if self._items and not observable._closed:
            self._schedule(here=True)
            return
        if self._over and not self._waiting:
            self._finish()
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def _let_go(self) -> None:
        """Release whoever waits for what will not be emitted."""
        if self._observable._closed:
            with self._guard:
                for _, item, _ in self._items:
                    self._discard(item)
                self._items.clear()
        while self._discarded:
            item = self._discarded.pop()
            if not item.withdrawn:
                assert item.cascade is not None
                item.cascade.items.pop(item, None)
                item.withdraw()

    def _finish(self) -> None:
        self.stop()
        if self._observable._runner is None:
            _loopless.run(self._observable._finish, self._failure)
        else:
            self._observable._finish(self._failure)

    async def drain(self) -> None:
        """Unsubscribe, then wait until everything that has come is emitted.

        Cancellation: raises CancelledError; what has not been emitted is not.
        """
        self.stop()
        with self._guard:
            self._closing = True
            self._guard.notify_all()
        try:
            while (self._items or self._waiting) and not self._observable._closed:
                self._drained = self._observable._bound().loop.create_future()
                self._schedule()
                await wait([self._drained])
        except CancelledError:
            with self._guard:
                for _, item, _ in self._items:
                    self._discard(item)
                self._items.clear()
            raise
        finally:
            self._let_go()


class Early(Inlet):
    """What operators emitted while they were being applied, before anybody could listen; the first to listen has it.

    Args:
        observable: The derived observable.
        events: The calls that have to be made, in order: the name of a method of this class, and its arguments.
    """

    def __init__(self, observable: Core, events: list[tuple[str, tuple[Any, ...]]]) -> None:
        def connect(inlet: Inlet) -> Callable[[], None]:
            while events:
                name, args = events.pop(0)
                getattr(inlet, name)(*args)
            return lambda: None

        super().__init__(observable, connect, 0, "raise")

    def enter(self) -> None:
        """Wait for somebody to listen all the same."""

    def holds_back(self) -> bool:
        """Whether something still waits that operators emitted before they ended."""
        return bool(self._items)
