"""Notification of one observer after another, as an asynchronous generator over their results."""

from __future__ import annotations

from asyncio import CancelledError, current_task
from typing import TYPE_CHECKING, Any

from .._alone import is_awaitable
from .._fanout import FanOut
from .._runner import CALLS_BETWEEN_TURNS
from ..exceptions import ObservableClosed, ReentrancyError
from ._cascade import MUTE, Cascade, Emission, Item, is_inside, logger

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from ._cascade import Notification, Witness
    from ._core import Core

__all__ = ["sequential"]

_PATIENCE = 4
"""So many turns of the loop a generator has to be stepped again where its observable is closing."""


class Walk:
    """The turn of an observable that is walked, observer by observer; an emission whose pieces begin when asked for."""

    _watches: tuple[Witness, ...] = ()

    def __init__(self, observable: Core, notification: Notification, quiet: object) -> None:
        self.observable = observable
        self.quiet = quiet
        self.notification = notification
        self.cascade: Cascade | None = None
        self.emission: Emission | None = None
        self.results: list[object] = []
        self._steps = 0

    # What an item needs of a site, while the walk waits for its turn

    def _open(self, cascade: Cascade, parent: Emission | None, item: Item) -> None:  # noqa: ARG002  # a site's protocol
        self.emission = Emission(cascade, parent, self.observable, self.quiet, False)
        self.observable._turn = self.emission
        self.observable._resolve_next(self.notification)
        for watch in self.observable._watches:
            watch.notified(self.notification, self.emission)
        cascade.wake()

    def _release(self, emission: Emission | None) -> None:
        self.observable._release(emission)

    async def begin(self) -> Emission:
        """Wait for the turn and take it.

        Cancellation: raises CancelledError; the turn goes to the next in line.
        """
        observable = self.observable
        runner = observable._bind()
        observable._check_open()
        runner.calls += 1
        if runner.calls >= CALLS_BETWEEN_TURNS:
            await runner.breathe()
            observable._check_open()
        cascade = self.cascade = Cascade(runner, background=False)
        task = current_task()
        item = Item(self, (self.notification,), cascade, None, None, False)
        if observable._turn is None:
            cascade.begin()
            self._open(cascade, None, item)
        else:
            if is_inside(runner, task, (observable,)):
                raise ReentrancyError(
                    repr(observable),
                    "notify_sequential() inside an observer would wait for that observer; use notify(), which queues",
                )
            observable._enqueue(item)
            cascade.caller = task
            try:
                while self.emission is None:
                    await cascade.wait()
            except BaseException:
                if self.emission is None:
                    cascade.cancel()
                else:
                    self.emission.piece_ended()
                raise
        assert self.emission is not None
        observable._walks.add(self)
        return self.emission

    async def step(self, call: Callable[..., Any]) -> object:
        """Run one observer and return its result; raise what it raised."""
        emission, cascade = self.emission, self.cascade
        assert emission is not None
        assert cascade is not None
        args, kwargs = self.notification
        self.results.clear()
        self._steps += 1

        async def observed(*args: Any, **kwargs: Any) -> None:
            result = call(*args, **kwargs)
            if result is not None and is_awaitable(result):
                result = await result
            self.results.append(result)

        fan = FanOut(cascade.runner, (observed,), args, kwargs, self._fan_ended, emission)
        cascade.live[fan] = None
        cascade.begin()
        cancelled: CancelledError | None = None
        cascade.caller = current_task()
        if fan.start():
            self._fan_ended(fan)
        while fan in cascade.live:
            try:
                await cascade.wait()
            except CancelledError as error:
                cancelled = error
                fan.cancel()
        if cancelled is not None:
            raise cancelled
        if fan.errors:
            raise fan.errors[0][1]
        return self.results[0]

    def _fan_ended(self, fan: FanOut) -> None:
        assert self.cascade is not None
        self.cascade.live.pop(fan, None)
        for _, error in fan.errors:
            for watch in self.observable._watches:
                watch.failed(error, self.cascade)
        self.cascade.end()
        self.cascade.wake()
        if self.observable._closing is not None or self.observable._finishing:
            self._revoke_after(_PATIENCE, self._steps)

    def _revoke_after(self, turns: int, steps: int) -> None:
        """Give the turn back unless somebody steps on within some turns of the loop: the end does not wait for them."""
        assert self.cascade is not None
        if turns:
            self.cascade.runner.loop.call_soon(self._revoke_after, turns - 1, steps)
        elif steps == self._steps:
            self.revoke()

    async def reach_derived(self) -> None:
        """Let the derived observables have the notification, and wait for all that it causes and for the queue."""
        emission, cascade = self.emission, self.cascade
        assert emission is not None
        assert cascade is not None
        self.emission = None
        self.observable._walks.discard(self)
        subject = self.observable._subject
        if subject is not None:
            self.observable._route(emission, subject, (self.notification,))
        emission.piece_ended()
        await cascade.run()

    def end(self) -> None:
        """Give the turn back, if it is still held; what is queued goes on in the background."""
        emission, self.emission = self.emission, None
        if emission is not None:
            self.observable._walks.discard(self)
            emission.cascade.background = True
            emission.piece_ended()

    def revoke(self) -> None:
        """Give the turn back while nobody is stepping: the observable is closing, and would wait forever."""
        if self.cascade is not None and not self.cascade.live:
            self.end()


async def sequential(
    observable: Core, args: Sequence[Any], kwargs: dict[str, Any], silent: bool, persistent: bool
) -> AsyncGenerator[Any]:
    """Yield the result of each observer; see ``Observable.notify_sequential``."""
    walk = Walk(observable, (tuple(args), kwargs), MUTE if silent else persistent)
    await walk.begin()
    try:
        observers = observable._observers
        for observer in [*observers.calls, *observers.taps]:
            if walk.emission is None:
                raise ObservableClosed(repr(observable), "it was closed between two of its observers")
            is_tap = observer in observers.taps
            call = observer if is_tap else observers.calls.get(observer)
            told: tuple[object, ...] = observable._watches
            if call in told:
                continue  # it was told at the beginning
            if call is None or (observable._skip is not None and call in observable._skip):
                continue  # removed meanwhile; one that was added again first sees the next notification
            try:
                result = await walk.step(call)
            except Exception as error:
                if persistent:
                    if not silent:
                        logger.error("%r: an observer failed", observable, exc_info=error)
                    continue
                if silent:
                    break
                raise
            if not is_tap:
                yield result
        if walk.emission is not None:
            await walk.reach_derived()
    finally:
        walk.end()
