"""Wrong uses of what joins ``Observable`` to RxPY, to ``async for`` and to other threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncutils_rx import Observable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import reactivex


def use(*_: object) -> None: ...


def to_text(number: int) -> str:
    return str(number)


async def of_text(text: str) -> str:
    return text


async def texts() -> AsyncIterator[str]:
    yield "text"


def from_rx(obs: Observable[[int]], numbers: reactivex.Observable[int], policy: str) -> None:
    Observable.from_rx(5)  # rejected: call-overload, reportArgumentType
    Observable.from_rx([1, 2])  # rejected: call-overload, reportArgumentType
    Observable.from_rx(obs)  # rejected: call-overload, reportArgumentType
    Observable.from_rx(numbers, overflow="drop")  # rejected: call-overload, reportArgumentType
    Observable.from_rx(numbers, overflow=policy)  # rejected: call-overload, reportArgumentType
    Observable.from_rx(numbers, 3)  # rejected: call-overload, reportCallIssue
    wrong: Observable[[str]] = Observable.from_rx(numbers)  # rejected
    use(wrong)


def to_rx(obs: Observable[[int]]) -> None:
    wrong: reactivex.Observable[str] = obs.to_rx()  # rejected: assignment, reportAssignmentType
    use(wrong)


async def values(obs: Observable[[int]], pairs: Observable[[int, str]], nothing: Observable[[]]) -> None:
    wrong: AsyncIterator[str] = obs.values()  # rejected
    use(wrong)
    pairs.values()  # rejected: misc, reportAttributeAccessIssue
    nothing.values()  # rejected: misc, reportAttributeAccessIssue
    obs.values(3)  # rejected: call-arg, reportCallIssue
    obs.values(maxsize="3")  # rejected: arg-type, reportArgumentType
    obs.values(overflow="drop")  # rejected: arg-type, reportArgumentType
    pairs.notifications(overflow="newest")  # rejected: arg-type, reportArgumentType
    list(obs.values())  # rejected: call-overload, reportArgumentType


def map_async(obs: Observable[[int]], mode: str) -> None:
    obs.map_async(of_text)  # rejected: arg-type, reportArgumentType
    obs.map_async(lambda: 1)  # rejected
    obs.map_async(to_text, mode="fastest")  # rejected: call-overload, reportArgumentType
    obs.map_async(to_text, mode=mode)  # rejected: call-overload, reportArgumentType
    obs.map_async(to_text, max_concurrent="3")  # rejected: call-overload, reportArgumentType
    obs.map_async(to_text, "latest")  # rejected: call-overload, reportCallIssue
    obs.map_async(to_text).subscribe_nowait(to_text)  # rejected: arg-type, reportArgumentType


async def feed(obs: Observable[[int]], pairs: Observable[[int, str]]) -> None:
    await obs.feed(["text"])  # rejected
    await obs.feed(texts())  # rejected: arg-type, reportArgumentType
    await obs.feed(5)  # rejected: arg-type, reportArgumentType
    await pairs.feed([(1, "one")])  # rejected: misc, reportAttributeAccessIssue


def threads(obs: Observable[[int, str]]) -> None:
    obs.notify_threadsafe(1, "one")
    obs.notify_threadsafe("one", 1)  # rejected: arg-type, reportArgumentType
    obs.notify_threadsafe(1)  # rejected: call-arg, reportCallIssue
    obs.notify_threadsafe(1, "one", key=2)  # rejected: call-arg, reportCallIssue
