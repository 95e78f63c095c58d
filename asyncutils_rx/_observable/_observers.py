"""The observers of one observable: an ordered set with a cached snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Self

    from ._core import Core

__all__ = ["Observers", "Subscription"]


class Observers:
    """An ordered set of callables, each with what is called in its place.

    Attributes:
        calls: What to call, by the observer that the user gave.
        taps: Calls that no user added: they come after the observers, and are not listed. The value tells whether
            somebody listens there.
        plain: Whether users' observers can be added and removed with nothing more to do: there are some, and nothing
            is put off or about to end.
        snapshot_or_none: What :meth:`snapshot` returned last, or None where something changed since.
    """

    __slots__ = ("calls", "plain", "snapshot_or_none", "taps")

    def __init__(self) -> None:
        self.calls: dict[Callable[..., object], Callable[..., object]] = {}
        self.taps: dict[Callable[..., object], bool] = {}
        self.plain = False
        self.snapshot_or_none: list[Callable[..., object]] | None = None

    def __len__(self) -> int:
        return len(self.calls)

    def __iter__(self) -> Iterator[Callable[..., object]]:
        return iter(self.calls)

    def add(self, observer: Callable[..., object], call: Callable[..., object]) -> bool:
        """Append an observer; return False, and change nothing, where it is there already."""
        if observer in self.calls:
            return False
        self.calls[observer] = call
        self.snapshot_or_none = None
        return True

    def remove(self, observer: Callable[..., object]) -> Callable[..., object] | None:
        """Remove an observer and return what was called in its place; None where it was not there."""
        call = self.calls.pop(observer, None)
        if call is not None:
            self.snapshot_or_none = None
        return call

    def add_tap(self, tap: Callable[..., object]) -> None:
        """Append a call that is not listed; somebody listens there."""
        self.taps[tap] = True
        self.snapshot_or_none = None

    def add_branch(self, tap: Callable[..., object]) -> None:
        """Append a call that is not listed; whether somebody listens there is told in another way."""
        self.taps[tap] = False
        self.snapshot_or_none = None

    def in_demand(self) -> bool:
        """Whether somebody listens."""
        return bool(self.calls) or any(self.taps.values())

    def remove_tap(self, tap: Callable[..., object]) -> None:
        """Remove a call that is not listed."""
        self.taps.pop(tap, None)
        self.snapshot_or_none = None

    def snapshot(self) -> list[Callable[..., object]]:
        """Return what to call, in order of subscription; the list is shared and not to be changed."""
        snapshot = self.snapshot_or_none
        if snapshot is None:
            snapshot = self.snapshot_or_none = [*self.calls.values(), *self.taps]
        return snapshot


class Subscription:
    """The subscription of one observer; see :class:`asyncutils_rx.types.SubscriptionRV`.

    Whoever makes one sets both attributes: to have that done here would take longer than all else that a subscription
    costs.

    Attributes:
        observable: Where the observer is subscribed.
        observer: The observer, as the user gave it.
    """

    __slots__ = ("observable", "observer")

    observable: Core
    observer: Callable[..., object]

    def __call__(self, strict: bool = False) -> None:
        """Remove the observer at once.

        Args:
            strict: Whether it is an error that the observer is not subscribed any more.

        Raises:
            NotSubscribedError: ``strict`` is true and the observer is not subscribed.
        """
        self.observable._remove(self.observer, strict)  # a part of it

    def __enter__(self) -> Self:
        """Return the subscription itself."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """Remove the observer, if it is still subscribed."""
        self()

    def __repr__(self) -> str:
        from ..exceptions import shown

        return f"<Subscription of {shown(self.observer)} to {self.observable!r}>"
