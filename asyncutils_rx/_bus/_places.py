"""How many callbacks of one bus run at a time, and how one that waits for a publication of that bus steps aside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._fanout import Gate

if TYPE_CHECKING:
    from asyncio import Task

    from .._runner import Runner

__all__ = ["Places"]


class Absence:
    """A callback that waits for publications of its own bus.

    Attributes:
        waits: For how many of them.
        place: Whether it has, or counts as having, a place again.
    """

    __slots__ = ("place", "waits")

    def __init__(self) -> None:
        self.waits = 0
        self.place = True


class Places(Gate):
    """The places of the running callbacks. A callback lends its own for as long as it waits for a publication.

    It gets one back before others that wait, and never more are taken than there are. One that is cancelled while it
    waits for its place does not stay for it: it ends without one, and the next place that is given back counts as
    its own.

    Attributes:
        owing: How many run without a place.
    """

    __slots__ = ("_absent", "owing")

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._absent: dict[Task[Any], Absence] = {}
        self.owing = 0

    def leave(self) -> None:
        """Give a place back; whoever runs without one gets it first, then whoever waits longest."""
        if self.owing:
            self.owing -= 1
        else:
            super().leave()

    def lend(self, callback: Task[Any]) -> None:
        """Give the place of ``callback`` to others; each call needs one of :meth:`take_back` or :meth:`go_without`."""
        absence = self._absent.get(callback)
        if absence is None:
            absence = self._absent[callback] = Absence()
        absence.waits += 1
        if absence.place:
            absence.place = False
            self.leave()

    async def take_back(self, callback: Task[Any], runner: Runner) -> None:
        """End one wait of ``callback``; after the last one, wait until it has a place again.

        Cancellation: raises CancelledError; the callback goes on without a place.
        """
        absence = self._absent[callback]
        absence.waits -= 1
        if absence.waits or self._placed(callback, absence):
            return
        there = runner.loop.create_future()

        def resume() -> bool:
            needed = not absence.waits and not absence.place
            if needed:
                self._settle(callback, absence)
            if not there.done():
                there.set_result(None)
            return needed

        self.urgent[resume] = None
        self.urgent.move_to_end(resume, last=False)
        try:
            await there
        except BaseException:
            if self.withdraw(resume):
                self._owe(callback, absence)
            raise

    def go_without(self, callback: Task[Any]) -> None:
        """End one wait of ``callback``, which has no time to wait for a place."""
        absence = self._absent[callback]
        absence.waits -= 1
        if not absence.waits and not self._placed(callback, absence):
            self._owe(callback, absence)

    def _placed(self, callback: Task[Any], absence: Absence) -> bool:
        if not absence.place and self.free > 0:
            self.free -= 1
            self._settle(callback, absence)
        return absence.place

    def _owe(self, callback: Task[Any], absence: Absence) -> None:
        if not absence.waits and not absence.place:
            self.owing += 1
            self._settle(callback, absence)

    def _settle(self, callback: Task[Any], absence: Absence) -> None:
        absence.place = True
        del self._absent[callback]
