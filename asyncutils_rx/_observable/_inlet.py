"""Where a foreign source flows into an observable: from any thread, in order, through a buffer with a policy.

What arrives on the loop's thread while the observable is idle is emitted on the spot. Everything else waits in the
buffer and is emitted one by one, on the loop's thread, as the observable becomes idle.
"""

from __future__ import annotations

from asyncio import get_running_loop, wait
from collections import deque
from threading import Condition, get_ident
from typing import TYPE_CHECKING, Any

from .._runner import CALLS_BETWEEN_TURNS
from ..exceptions import OverflowPolicyError

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable

    from ._core import Core

    Connect = Callable[["Inlet"], Callable[[], None]]

__all__ = ["Inlet"]


class Inlet:
    """The flow from one source into one observable.

    Args:
        observable: Where the source flows into.
        connect: Subscribes this inlet to the source, and returns what ends the subscription.
        maxsize: How many items wait at most while the observable is busy; 0 is any number.
        overflow: What happens to an item that meets a full buffer.

    Attributes:
        dropped: How many items the policy dropped.
        entered: Whether the context of the observable was entered, so that the source is wanted in any case.
    """

    def __init__(self, observable: Core, connect: Connect, maxsize: int, overflow: str) -> None:
        self.dropped = 0
        self.entered = False
        self._observable = observable
        self._connect = connect
        self._maxsize = maxsize
        self._overflow = overflow
        self._items: deque[Any] = deque()
        self._guard = Condition()
        self._disconnect: Callable[[], None] | None = None
        self._connected = False
        self._connecting_thread: int | None = None
        self._closing = False
        self._over = False
        self._failure: Exception | None = None
        self._scheduled = False
        self._drained: Future[None] | None = None

    # The subscription to the source

    def demand_changed(self, wanted: bool) -> None:
        """Subscribe when the first observer has come; unsubscribe when the last one has gone, outside of a context."""
        if wanted or self.entered:
            self.start()
        else:
            self.stop()

    def start(self) -> None:
        """Subscribe to the source, if that has not been done."""
        if self._connected or self._over or self._closing:
            return
        self._connected = True
        self._connecting_thread = get_ident()
        try:
            disconnect = self._connect(self)
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
        """Take a value."""
        if self._over or not self._connected:
            return
        if self._may_emit_here():
            if not self._items and self._observable.idle:
                self._observable._arrive((((value,), {}),))
                return
            self._store(value, may_wait=False)
        else:
            self._store(value, may_wait=True)
        self._schedule()

    def on_error(self, error: Exception) -> None:
        """Take the error that ends the source."""
        self._end(error)

    def on_completed(self) -> None:
        """Take the source's completion."""
        self._end(None)

    def _end(self, failure: Exception | None) -> None:
        with self._guard:
            if self._over:
                return
            self._over = True
            self._failure = failure
            self._guard.notify_all()
        if self._may_emit_here() and not self._items:
            self._finish()
        else:
            self._schedule()

    def _may_emit_here(self) -> bool:
        """Whether this is the loop's thread; or, before there is a loop, the thread that subscribed."""
        loop = self._observable._loop
        try:
            running = get_running_loop()
        except RuntimeError:
            return loop is None and get_ident() == self._connecting_thread
        return loop is None or loop is running

    def _store(self, value: Any, may_wait: bool) -> None:
        with self._guard:
            if self._maxsize and len(self._items) >= self._maxsize and not self._closing:
                if self._overflow == "wait" and may_wait:
                    self._guard.wait_for(self._has_room)
                elif not self._make_room():
                    return
            if not self._over:
                self._items.append(value)

    def _has_room(self) -> bool:
        return len(self._items) < self._maxsize or self._closing or self._over

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
        if policy == "latest":
            self.dropped += len(self._items)
            self._items.clear()
        else:
            self.dropped += 1
            self._items.popleft()
        return True

    # Into the observable, on the loop's thread

    def bound(self) -> None:
        """Emit what came before the observable had a loop."""
        if self._items or self._over:
            self._schedule()

    def resume(self) -> None:
        """Go on, now that the observable is idle."""
        if self._items or self._over or self._drained is not None:
            self._schedule()

    def _schedule(self) -> None:
        loop = self._observable._loop
        with self._guard:
            if loop is None or self._scheduled or loop.is_closed():
                return
            self._scheduled = True
        loop.call_soon_threadsafe(self._pump)

    def _pump(self) -> None:
        """Emit what waits, one after another, until an observer suspends; the loop gets its turn in between."""
        with self._guard:
            self._scheduled = False
        observable = self._observable
        for _ in range(CALLS_BETWEEN_TURNS):
            if not observable.idle or observable._closed:
                return
            with self._guard:
                if not self._items:
                    break
                value = self._items.popleft()
                self._guard.notify()
            observable._arrive((((value,), {}),))
        if self._items:
            if observable.idle:
                self._schedule()
        elif observable.idle:
            if self._over:
                self._finish()
            if self._drained is not None and not self._drained.done():
                self._drained.set_result(None)

    def _finish(self) -> None:
        self.stop()
        self._observable._finish(self._failure)

    async def drain(self) -> None:
        """Unsubscribe, then wait until everything that has come is emitted.

        Cancellation: raises CancelledError; what has not been emitted is not.
        """
        self.stop()
        with self._guard:
            self._closing = True
            self._guard.notify_all()
        while self._items and not self._observable._closed:
            self._drained = self._observable._bound().loop.create_future()
            self._schedule()
            await wait([self._drained])
