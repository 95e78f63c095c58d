"""What is asked of each library, and how the answer is found out: with two coroutine functions that observe."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from importlib.metadata import distribution, requires
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from .adapters import Observer, Peer

__all__ = ["METADATA", "QUESTIONS", "Question", "answers"]

YES, NO = "yes", "no"
PATIENCE = 4.0
"""So many seconds for what either happens at once or never."""


class Question(NamedTuple):
    """One row of the table.

    Attributes:
        text: What is asked.
        probe: Finds the answer out.
    """

    text: str
    probe: Callable[[type[Peer]], Awaitable[str]]


class ObserverError(Exception):
    """What observers raise on purpose."""


@asynccontextmanager
async def opened(kind: type[Peer], *observers: Observer) -> AsyncIterator[Peer]:
    """Make an object with observers, and end it."""
    peer = kind()
    await peer.open()
    for observer in observers:
        await peer.subscribe(observer)
    try:
        yield peer
    finally:
        await peer.close()


async def fails(_: int) -> None:
    """Observe, and raise."""
    raise ObserverError


async def fails_too(_: int) -> None:
    """Observe, and raise."""
    raise ObserverError


def said(truth: object) -> str:
    """Say yes or no."""
    return YES if truth else NO


async def emitted(peer: Peer, value: int = 1) -> BaseException | None:
    """Emit, and return what was raised."""
    try:
        async with asyncio.timeout(PATIENCE):
            await peer.emit(value)
    except Exception as error:
        return error
    return None


def has_failures(error: BaseException | None) -> int:
    """Return how many of the observers' errors are in what was raised."""
    if isinstance(error, BaseExceptionGroup):
        return sum(has_failures(inner) for inner in error.exceptions)
    return isinstance(error, ObserverError)


async def waits(kind: type[Peer]) -> str:
    """Whether emitting takes as long as the observer."""
    release = asyncio.Event()
    begun = asyncio.Event()

    async def observer(_: int) -> None:
        begun.set()
        await release.wait()

    async with opened(kind, observer) as peer:
        emitting = asyncio.ensure_future(peer.emit(1))
        await begun.wait()
        await asyncio.wait([emitting], timeout=0.1)
        waited = not emitting.done()
        release.set()
        await emitting
    return said(waited)


async def concurrent(kind: type[Peer]) -> str:
    """Whether the second observer is called while the first one waits."""
    second = asyncio.Event()
    met: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def first(_: int) -> None:
        try:
            await asyncio.wait_for(second.wait(), PATIENCE / 2)
        except TimeoutError:
            met.set_result(False)
        else:
            met.set_result(True)

    async def then(_: int) -> None:
        second.set()

    async with opened(kind, first, then) as peer:
        await emitted(peer)
        return said(await met)


async def raises(kind: type[Peer]) -> str:
    """Whether the emitter gets the error of an observer."""
    async with opened(kind, fails) as peer:
        return said(has_failures(await emitted(peer)))


async def raises_both(kind: type[Peer]) -> str:
    """Whether the emitter gets both errors, where two fail."""
    async with opened(kind, fails, fails_too) as peer:
        count = has_failures(await emitted(peer))
        kept = peer.errors_kept()
    return {2: YES, 1: f"the first{' (keeps both)' * (kept > 1)}"}.get(count, NO)


async def calls_the_others(kind: type[Peer]) -> str:
    """Whether an observer is called although the one before it failed."""
    called = asyncio.Event()

    async def observer(_: int) -> None:
        called.set()

    async with opened(kind, fails, observer) as peer:
        await emitted(peer)
        await asyncio.sleep(0.1)
    return said(called.is_set())


async def goes_on(kind: type[Peer]) -> str:
    """Whether an observer that failed once gets the next value."""
    got: list[int] = []

    async def observer(value: int) -> None:
        got.append(value)
        if value == 1:
            raise ObserverError

    async with opened(kind, observer) as peer:
        for value in (1, 2):
            await emitted(peer, value)
            await asyncio.sleep(0.1)
    return said(got == [1, 2])


async def cancels(kind: type[Peer]) -> str:
    """Whether cancelling the emitter cancels the observers, and has awaited their end."""
    begun, release, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def observer(_: int) -> None:
        begun.set()
        try:
            await release.wait()
        finally:
            await asyncio.sleep(0)
            ended.set()

    async with opened(kind, observer) as peer:
        emitting = asyncio.ensure_future(peer.emit(1))
        await begun.wait()
        emitting.cancel()
        await asyncio.wait([emitting])
        answer = said(ended.is_set())
        release.set()
        await ended.wait()
    return answer


async def nests(kind: type[Peer]) -> str:
    """Whether an observer can emit, and wait, on the same object."""
    got: list[int] = []
    peers: list[Peer] = []

    async def observer(value: int) -> None:
        if value:
            await peers[0].emit(value - 1)
        got.append(value)

    async with opened(kind, observer) as peer:
        peers.append(peer)
        error = await emitted(peer, 2)
        await asyncio.sleep(0.1)
    return said(sorted(got) == [0, 1, 2]) if error is None else "hangs" if isinstance(error, TimeoutError) else NO


async def keeps_order(kind: type[Peer]) -> str:
    """Whether a second value, emitted while the first is being handled, is handled after it."""
    log: list[str] = []
    done = asyncio.Event()

    async def observer(value: int) -> None:
        log.append(f"{value} begins")
        await asyncio.sleep(0.02)
        log.append(f"{value} ends")
        if len(log) == 4:  # lines
            done.set()

    async with opened(kind, observer) as peer:
        await asyncio.gather(peer.emit(1), peer.emit(2))
        await done.wait()
    return said(log == ["1 begins", "1 ends", "2 begins", "2 ends"])


QUESTIONS = (
    Question("emitting waits for an `async` observer", waits),
    Question("observers run concurrently", concurrent),
    Question("a second value waits until the first was handled", keeps_order),
    Question("the emitter gets the error of an observer", raises),
    Question("… and both errors, where two fail", raises_both),
    Question("the others are called when one fails", calls_the_others),
    Question("one that failed gets the next value", goes_on),
    Question("cancelling the emitter cancels and awaits the observers", cancels),
    Question("an observer can emit on the same object, in that way", nests),
)


def version(kind: type[Peer]) -> str:
    """Return the version that is installed."""
    return distribution(kind.distribution).version


def needed_python(kind: type[Peer]) -> str:
    """Return the oldest Python."""
    specifiers = distribution(kind.distribution).metadata["Requires-Python"] or "any"
    return ", ".join(sorted(each.strip() for each in specifiers.split(",")))


def needs(kind: type[Peer]) -> str:
    """Return what has to be installed with it."""
    names = {
        "".join(character if character.isalnum() or character in "-_." else " " for character in need).split()[0]
        for need in requires(kind.distribution) or ()
        if "extra ==" not in need
    }
    return ", ".join(sorted(names, key=str.lower)) or "nothing"


def typed(kind: type[Peer]) -> str:
    """Return whether it tells type checkers that it is typed."""
    spec = find_spec(kind.module.partition(".")[0])
    assert spec is not None
    assert spec.origin is not None
    return said(Path(spec.origin).with_name("py.typed").exists())


METADATA: tuple[tuple[str, Callable[[type[Peer]], str]], ...] = (
    ("version", version),
    ("needs Python", needed_python),
    ("installs", needs),
    ("typed (`py.typed`)", typed),
)


async def answers(kind: type[Peer]) -> list[str]:
    """Ask all questions, one after another."""
    return [await question.probe(kind) for question in QUESTIONS]
