"""Wrong uses of ``Observable``: each marked line has to be an error, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncutils_rx import Observable

if TYPE_CHECKING:
    from asyncutils_rx.types import Observer


def use(*_: object) -> None: ...


def one_parameter(number: int) -> None: ...


def two_parameters(number: int, name: str) -> None: ...


def wrong_parameter(number: str) -> None: ...


async def wrong_async_parameter(number: bytes) -> None: ...


async def observers(obs: Observable[[int]]) -> None:
    obs.subscribe_nowait(one_parameter)
    obs.subscribe_nowait(two_parameters)  # rejected
    obs.subscribe_nowait(wrong_parameter)  # rejected
    obs.subscribe_nowait(wrong_async_parameter)  # rejected
    obs.subscribe_nowait(lambda: None)  # rejected
    obs.subscribe_nowait("not callable")  # rejected
    await obs.subscribe(wrong_parameter)  # rejected
    obs.subscribe_syncf(wrong_parameter)  # rejected
    obs.ntimes(two_parameters, 2)  # rejected
    obs.ntimes(one_parameter, "2")  # rejected
    obs.unsubscribe_nowait(wrong_parameter)  # rejected
    observer: Observer[[int]] = wrong_parameter  # rejected
    observer(1)


async def notifications(obs: Observable[[int, str]]) -> None:
    await obs.notify(1, "one")
    await obs.notify("one", 1)  # rejected
    await obs.notify(1)  # rejected
    await obs.notify(1, "one", 2)  # rejected
    await obs.notify(1, "one", key=2)  # rejected
    await obs.notify()  # rejected
    await obs.notify(1, "one", _ret_exc_="yes")  # rejected


async def sequences(obs: Observable[[int]]) -> None:
    async for _ in obs.notify_sequential(1):
        pass
    async for _ in obs.notify_sequential("one"):  # rejected
        pass
    async for _ in obs.notify_sequential(1, 2):  # rejected
        pass


def construction() -> None:
    first: Observable[[int]] = Observable([one_parameter])
    second: Observable[[str]] = Observable([one_parameter])  # rejected
    third: Observable[[int]] = Observable(maxsize="3")  # rejected
    fourth: Observable[[str]] = first  # rejected
    use(second, third, fourth)


async def waits(obs: Observable[[int]]) -> None:
    await obs.wait_for_next("1")  # rejected
    await obs.wait_until_idle([])  # rejected
    name: str = obs.idle  # rejected
    obs.idle = True  # rejected
    use(name)
