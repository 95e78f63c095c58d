"""Wrong uses of what ``Observable`` derives: each marked line has to be an error, and no other."""

from __future__ import annotations

from asyncutils_rx import Observable


def use(*_: object) -> None: ...


def to_number(value: int) -> int:
    return value


def to_tuple(value: int) -> tuple[int, int]:
    return value, value


def to_pair(value: int) -> tuple[list[int], dict[str, object]]:
    return [value], {}


def of_text(value: str) -> bool:
    return bool(value)


def text_to_pair(value: str) -> tuple[list[str], dict[str, object]]:
    return [value], {}


def transforms(obs: Observable[[int]]) -> None:
    obs.map(to_pair)
    obs.map(to_number)  # rejected
    obs.map(to_tuple)  # rejected
    obs.map(text_to_pair)  # rejected
    obs.map(lambda value: value + 1)  # rejected
    obs.map(None)  # rejected


def functions(obs: Observable[[int]]) -> None:
    obs.filter(of_text)  # rejected
    obs.filter(lambda: True)  # rejected
    obs.at_change(of_text)  # rejected
    obs.at_change(5)  # rejected


def numbers(obs: Observable[[int]]) -> None:
    obs.debounce("1")  # rejected
    obs.throttle(None)  # rejected
    obs.buffer(1.5)  # rejected
    obs.buffer()  # rejected


def schedulers(obs: Observable[[int]]) -> None:
    obs.debounce(1, scheduler="now")  # rejected
    obs.throttle(1, False, None)  # rejected


def sources(obs: Observable[[int]], other: Observable[[str]]) -> None:
    Observable.merge(obs, 5)  # rejected
    obs.merge("other")  # rejected
    wrong: Observable[[str]] = obs.fork()  # rejected
    also_wrong: Observable[[str]] = obs.merge(obs)  # rejected
    use(wrong, also_wrong, other)


def chains(obs: Observable[[int]]) -> None:
    obs.filter(lambda value: value > 1).subscribe_nowait(of_text)  # rejected
    obs.buffer(2).at_change().debounce(1).subscribe_nowait(of_text)  # rejected
