"""The protocols and aliases that the signatures of this package name.

Everything here is for annotations, except :data:`WILDCARD`, which is the value of ``EventBus.WILDCARD``, and
:class:`StateSnapshot`, which ``Rendezvous.state_snapshot`` returns.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Final, Literal, NamedTuple, Never, ParamSpec, Protocol, Self, TypeAlias, TypeVar

from ._wildcard import WildcardType

__all__ = [
    "WILDCARD",
    "Chaperone",
    "DualContextManager",
    "ErrorHandler",
    "MapMode",
    "Middleware",
    "Observer",
    "OverflowPolicy",
    "SingleValued",
    "SpecificLambda",
    "SpecificSubscriber",
    "StateSnapshot",
    "Subscribable",
    "SubscriptionRV",
    "WildcardLambda",
    "WildcardSubscriber",
    "WildcardType",
]

P = ParamSpec("P")
T_co = TypeVar("T_co", covariant=True)
T_contra = TypeVar("T_contra", contravariant=True)

Observer: TypeAlias = Callable[P, object]
"""What an ``Observable[P]`` calls: sync or async, any result; an awaitable result is awaited."""

Middleware: TypeAlias = Callable[[str, Any], object] | Callable[[str, Any], Awaitable[object]]
"""``(event_type, data) -> data``, sync or async; what it gives goes to the next middleware, and at last out."""

SpecificSubscriber: TypeAlias = Callable[[Any], object]
"""``(data) -> anything``, sync or async: a subscriber of one topic."""

WildcardSubscriber: TypeAlias = Callable[[str, Any], object]
"""``(event_type, data) -> anything``, sync or async: a subscriber of every topic."""

ErrorHandler: TypeAlias = Callable[[BaseException], object]
"""``(error) -> anything``, sync or async: the handler of a bus."""

Chaperone: TypeAlias = Callable[[Any], object]
"""``(error) -> anything``, sync or async: takes the errors of one publication, each an ``Exception``."""

MapMode: TypeAlias = Literal["ordered", "unordered", "latest"]
"""What ``map_async`` emits: results in the order of the notifications, as they come, or of the latest one only."""

OverflowPolicy: TypeAlias = Literal["wait", "drop_oldest", "drop_newest", "latest", "raise"]
"""What happens to an item that meets a full buffer."""


WILDCARD: Final = WildcardType.WILDCARD
"""The event type of subscribers that take every topic; it is no topic itself and equals no string."""


class StateSnapshot(NamedTuple):
    """What is waiting at a rendezvous; an exchange that waits counts as one getter and one putter."""

    num_getters: int
    """How many gets (and get halves of exchanges) wait for a value."""
    num_putters: int
    """How many puts (and put halves of exchanges) wait to be taken."""
    num_ops: int
    """The sum of both."""
    idle: bool
    """Whether nothing waits."""


class SingleValued(Protocol[T_contra]):
    """An observable of values: one that can be notified of a single positional argument.

    ``Observable[[T]]`` is a ``SingleValued[T]``, and so is an observable whose other parameters can be left out;
    ``Observable[[int, str]]`` is not. What takes or gives values, such as ``feed`` and ``pipe``, is there for these.
    """

    async def notify(self, value: T_contra, /) -> None:
        """Call every observer with the value, and wait for all of them.

        Cancellation: the observers are cancelled and awaited.
        """


class Subscribable(Protocol):
    """An observable of RxPY, of any version, and whatever else is subscribed to in the same way."""

    def subscribe(self, on_next: Any, on_error: Any, on_completed: Any, /) -> Any:
        """Call the three functions with each value, with the error that ends it, or at its end; return a disposable."""


class SpecificLambda(Protocol):
    """Where a type checker looks up the parameter of a lambda that is subscribed to a topic.

    A subscriber that is returned as it is has a type variable as its type, which says nothing about parameters. No
    function that returns is one of these, so nothing else is taken for one.
    """

    def __call__(self, data: Any, /) -> Never:  # pyright: ignore[reportReturnType]  # a protocol has no bodies
        """Take the data."""


class WildcardLambda(Protocol):
    """Where a type checker looks up the parameters of a lambda that is subscribed to every topic."""

    def __call__(self, event_type: str, data: Any, /) -> Never:  # pyright: ignore[reportReturnType]  # a protocol has no bodies
        """Take the event type and the data."""


class SubscriptionRV(Protocol):
    """What the ``subscribe`` methods return: call it, or leave it as a context, to unsubscribe."""

    def __call__(self, strict: bool = False) -> None:
        """Remove the observer at once.

        Args:
            strict: Whether it is an error that the observer is not subscribed any more.

        Raises:
            NotSubscribedError: ``strict`` is true and the observer is not subscribed.
        """

    def __enter__(self) -> Self:  # pyright: ignore[reportReturnType]  # a protocol has no bodies
        """Return the subscription itself."""
        ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """Remove the observer, if it is still subscribed."""


class DualContextManager(Protocol[T_co]):
    """A context manager for both ``with`` and ``async with``."""

    def __enter__(self) -> T_co:  # pyright: ignore[reportReturnType]  # a protocol has no bodies
        """Enter without waiting."""
        ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> bool | None:
        """Leave without waiting."""
        ...

    async def __aenter__(self) -> T_co:  # pyright: ignore[reportReturnType]  # a protocol has no bodies
        """Enter."""
        ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> bool | None:
        """Leave."""
        ...
