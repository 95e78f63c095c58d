"""What a recorder notes: marks, with the time, and never the values themselves."""

from __future__ import annotations

from reprlib import Repr
from typing import TYPE_CHECKING, Any

from ._score import AT_THE_END, Mark

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Recording"]


_SHORT = 7


class _Repr(Repr):
    """Shows values in the room of a marble."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 60

    def repr_float(self, value: float, _level: int) -> str:
        """Return a number as it is written, or with six digits where that is long."""
        text = repr(value)
        return text if len(text) <= _SHORT else f"{value:.6g}"


class Recording:
    """The marks of one recording.

    Args:
        limit: How many are kept; those that come later are counted.
        clock: Tells the time, in seconds.

    Attributes:
        marks: The marks.
        missing: How many were not kept.
        began: When it began, by the clock; None until it does.
        duration: How long it took; None until it has ended.
    """

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self.marks: list[Mark] = []
        self.missing = 0
        self.began: float | None = None
        self.duration: float | None = None
        self._limit = limit
        self._clock = clock
        # Causes and groups are objects of others; they are held meanwhile so that none takes the place of another.
        self._numbers: dict[object, int] = {}
        self._repr = _Repr()

    def begin(self) -> None:
        """Count the time from now on."""
        self.began = self._clock()

    def end(self) -> None:
        """Stop the time."""
        self.duration = self.elapsed()
        self._numbers.clear()

    def elapsed(self) -> float:
        """Return how long it took, or has taken until now."""
        if self.duration is not None:
            return self.duration
        return 0.0 if self.began is None else max(self._clock() - self.began, 0.0)

    def emitted(
        self, line: int, args: tuple[Any, ...], kwargs: dict[str, Any], cause: object, group: object, /
    ) -> None:
        """Note a notification; where causes or groups are the same object they are one, and None is none."""
        if self._has_room():
            words = [self._text(arg) for arg in args] + [f"{name}={self._text(arg)}" for name, arg in kwargs.items()]
            text = ", ".join(words) or "()"
            self.marks.append(Mark(line, self.elapsed(), "value", text, self._number(cause), self._number(group)))

    def failed(self, line: int, error: BaseException, cause: object, /) -> None:
        """Note an error that does not end the line."""
        if self._has_room():
            self.marks.append(Mark(line, self.elapsed(), "error", _described(error), self._number(cause)))

    def ended(self, line: int, failure: BaseException | None, /) -> None:
        """Note the end of a line."""
        if self._has_room():
            kind, text = ("completed", "") if failure is None else ("failed", _described(failure))
            self.marks.append(Mark(line, self.elapsed(), kind, text, AT_THE_END))

    def _has_room(self) -> bool:
        if len(self.marks) < self._limit:
            return True
        self.missing += 1
        return False

    def _number(self, identity: object) -> int:
        return 0 if identity is None else self._numbers.setdefault(identity, len(self._numbers) + 1)

    def _text(self, value: object) -> str:
        try:
            return self._repr.repr(value)
        except Exception:
            return object.__repr__(value)


def _described(error: BaseException) -> str:
    name = type(error).__name__
    try:
        words = str(error)
    except Exception:
        return name
    return f"{name}: {words}" if words else name
