"""Where another object feeds an observable, notification by notification, and waits for what each one causes."""

from __future__ import annotations

from asyncio import current_task
from typing import TYPE_CHECKING

from ..exceptions import ReentrancyError
from ._cascade import Cascade, Item, is_inside

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._runner import Runner
    from ._cascade import Notification
    from ._core import Core

__all__ = ["Delivery", "Feed"]


class Delivery(Cascade):
    """What one notification causes, for somebody who is told of its end.

    Args:
        runner: The runner of the loop.
        on_end: Called once with the delivery when all has ended, unless that was so when :meth:`Feed.take` returned.

    Attributes:
        error: What went wrong, once all has ended.
    """

    __slots__ = ("_on_end", "error", "under_way")

    def __init__(self, runner: Runner, on_end: Callable[[Delivery], None]) -> None:
        super().__init__(runner, background=False)
        self.error: BaseException | None = None
        self.under_way = False
        self._on_end = on_end

    def wake(self) -> None:
        """Tell whoever waits, once nothing is pending any more."""
        if self.under_way and not self.pending:
            self.under_way = False
            self.error = self.outcome()
            self._on_end(self)


class Feed:
    """The flow from one other object into one observable, for as long as somebody listens there.

    The observable holds its feed, and the feed holds the observable: who holds either holds both.

    Args:
        observable: Where it flows into; new.
        label: What the observable is called in messages.
        on_demand: Called with whether somebody listens, when that changes.
    """

    def __init__(self, observable: Core, label: str, on_demand: Callable[[bool], None]) -> None:
        self._observable = observable
        self._on_demand = on_demand
        self._wanted = False
        observable._label = label
        observable._put_off = True
        observable._inlet = self

    @staticmethod
    def is_open(observable: Core) -> bool:
        """Whether an observable takes notifications."""
        return not observable._finishing and observable._closing is None

    @staticmethod
    async def close(observable: Core) -> None:
        """Close an observable; from inside one of its observers, have it end with what it emits now.

        Cancellation: as that of ``aclose``.
        """
        try:
            await observable.aclose()
        except ReentrancyError:
            observable._finish()

    def take(self, notification: Notification, on_end: Callable[[Delivery], None]) -> Delivery | None:
        """Emit a notification, in turn.

        Inside an observer of what the observable is emitting it is queued, and nobody waits for it: that would be to
        wait for oneself.

        Returns:
            None where all has ended, or where nobody is to wait; else what is under way.

        Raises:
            Exception: What went wrong, where all has ended.
        """
        observable = self._observable
        runner = observable._bind()
        task = current_task()
        if observable._turn is not None and is_inside(runner, task, (observable,)):
            observable._accumulate(Item(observable, (notification,), None, None, None, False))
            return None
        delivery = Delivery(runner, on_end)
        delivery.caller = task
        if observable._turn is None:
            delivery.begin()
            observable._open_now(delivery, None, (notification,))
            delivery.start()
        else:
            observable._enqueue(Item(observable, (notification,), delivery, None, None, False))
        if delivery.pending:
            delivery.under_way = True
            return delivery
        error = delivery.outcome()
        if error is not None:
            raise error
        return None

    # What the observable tells

    def demand_changed(self, wanted: bool) -> None:
        """Begin, or end, to take notifications."""
        if wanted != self._wanted:
            self._wanted = wanted
            self._on_demand(wanted)

    def bound(self) -> None:
        """Nothing came before there was a loop."""

    def enter(self) -> None:
        """Nothing is missed as long as nobody listens."""

    def resume(self) -> None:
        """Nothing is held back here."""

    def holds_back(self) -> bool:
        """Nothing is held back here."""
        return False

    def stop(self) -> None:
        """Take no more notifications."""
        self.demand_changed(False)

    async def drain(self) -> None:
        """Take no more notifications; there are none that wait here."""
        self.stop()
