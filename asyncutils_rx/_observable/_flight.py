"""A notification that needs no emissions: what it causes is one observer at most, and nobody waits behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._alone import outcome_alone
from .._fanout import Alone, FanOut
from .._runner import Work
from ._cascade import Cascade, Emission

if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import Callable, Sequence

    from .._runner import Runner
    from .._rx._subject import LoopSubject
    from ._core import Core

__all__ = ["Flight", "scope_of"]

_NOTHING: dict[str, Any] = {}


class Flight(Work):
    """One notification that is on its way without emissions, until something asks for them.

    It holds the turn of the observable where it began, and of the only one where it has reached observers; these are
    the same, or the second is derived from the first. As soon as anything happens that takes more, it is *promoted*:
    it gets the cascade and the emissions that it would have had from the beginning. One that was not is used again.

    Args:
        source: Where it begins.

    Attributes:
        source: Where it begins.
        target: Where it has reached observers; None while it has not.
        calls: These observers.
        args: The positional arguments for them.
        kwargs: The keyword arguments for them.
    """

    def __init__(self, source: Core) -> None:
        super().__init__(source)
        self.source = source
        self.target: Core | None = source
        self.calls: Sequence[Callable[..., object]] = ()
        self.args: tuple[Any, ...] = ()
        self.kwargs = _NOTHING
        self._routing = False

    def route(self, runner: Runner, subject: LoopSubject, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Push the notification into the subject of the source; return whether it has reached exactly one observer.

        Where it has reached more than one, or something else happened on the way, it has been promoted.
        """
        self.target = None
        self._routing = True
        outer, runner.scope = runner.scope, self
        try:
            notification = (args, kwargs)
            for member in subject.current or subject.refreshed():  # as in its on_next
                feed = member()
                if feed is not None:
                    feed.on_next(notification)
            if len(self.calls) > 1:
                self.promote()
        except BaseException as error:
            # What gets past the operators must not leave the turn behind: it is the notifier's, as any other.
            top = self.promote()
            top.cascade.note(top, top.order, 0, error)
        finally:
            runner.scope = outer
            self._routing = False
        return len(self.calls) == 1 and self.source._turn is self

    async def end_route(self) -> None:
        """Go on with the emissions that have been asked for on the way."""
        top = self.owner
        assert isinstance(top, Emission)
        top.piece_ended()
        await top.cascade.run()

    def leave_target(self) -> bool:
        """Give back the turn of the target; where that takes more, take the turn of the source again and return False.

        Nothing is held after that: whoever is derived lives as long as others need it.
        """
        target = self.target
        assert target is not None
        if target._put_off:
            self.source._turn = self
            return False
        target._turn = None
        self.target = self.source
        self.calls = ()
        self.args = ()
        self.kwargs = _NOTHING
        return True

    async def end(self, task: Task[None] | None) -> None:
        """See the task of the observer to its end, which it has not come to or which was no simple one."""
        emission = self.promote()
        cascade = emission.cascade
        # The traceback of an error holds this frame: neither the error nor its task may be in it when that is raised.
        if task is None:
            emission.piece_ended()
        elif task.done():
            self._note_failure(emission, outcome_alone(task, self))
            emission.piece_ended()
        else:
            cascade.live[Alone(cascade.runner, task, emission.fan_ended, emission, self)] = None
        del task
        await cascade.run()

    @staticmethod
    def _note_failure(emission: Emission, error: BaseException | None) -> None:
        if error is not None:
            emission.cascade.note(emission, emission.order, 0, error)
            for watch in emission.site._watches:
                watch.failed(error, emission.cascade)

    def promote(self) -> Emission:
        """Return the emission at what this has come to, which from now on is the owner."""
        owner = self.owner
        if isinstance(owner, Emission):
            return owner
        source, target = self.source, self.target
        runner = source._bound()
        cascade = Cascade(runner, background=False)
        cascade.caller = self.caller
        cascade.begin()
        top = Emission(cascade, None, source, source._quiet, False)
        source._turn = self.owner = top
        source._flight = None
        if self._routing:
            if runner.scope is self:
                runner.scope = top
            if target is not None:
                top.pending += 1
                below = target._turn = Emission(cascade, top, target, top.quiet or target._quiet, False)
                fan = FanOut(runner, self.calls, self.args, self.kwargs, below.fan_ended, below)
                cascade.starts.append((below, fan))
        elif target is not None and target is not source:
            target._turn = self.owner = Emission(cascade, top, target, top.quiet or target._quiet, False)
        return self.owner


def scope_of(runner: Runner) -> Emission | None:
    """Return the emission that is being routed on the stack now, or None."""
    scope: Emission | Flight | None = runner.scope
    return scope.promote() if isinstance(scope, Flight) else scope
