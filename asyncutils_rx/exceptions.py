"""Every error that this package raises on its own account.

The whole family, each error beside the built-in class that it also is::

    AsyncutilsRxError (Exception)
    ├── ArgumentError
    │   ├── ArgumentTypeError (TypeError)        the argument is of the wrong kind
    │   └── ArgumentValueError (ValueError)      the kind is right, the value is outside its range
    ├── LifecycleError (RuntimeError)
    │   ├── AlreadyEnteredError                  ``async with`` on an object that was entered before
    │   ├── ClosedError                          the object was closed, or its context was left
    │   │   ├── ObservableClosed
    │   │   └── BusShutDown
    │   └── LoopError
    │       ├── NoLoopError                      a running event loop is needed, and there is none
    │       └── WrongLoopError                   the object belongs to another event loop
    ├── ReentrancyError (RuntimeError)           waiting here could never end
    ├── NotSubscribedError (LookupError)         strict removal of what is not subscribed
    ├── SubscriptionLostError (RuntimeError)     another operation removed a temporary subscriber
    ├── OperationTimeout (TimeoutError)
    │   ├── ObservableTimeout
    │   ├── BusTimeout
    │   └── RendezvousTimeout
    ├── OverflowPolicyError (RuntimeError)       a full buffer whose policy is to raise
    ├── BusPublishingError (RuntimeError)        a middleware failed, so nothing was published
    ├── BusStatsError (RuntimeError)             statistics were asked for and none are kept
    └── MissingExtraError (ImportError)          an optional dependency is not installed

An error keeps its fields in ``args`` and builds its sentence in ``__str__``, so that it survives
:mod:`pickle` and :mod:`copy`. One class of error answers one question: who has to do what about it.

Two dozen classes take longer to make than most modules to import, so none is made before an error is raised, or asked
for by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, TypeVar

    E = TypeVar("E", bound="AsyncutilsRxError")

__all__ = [
    "AlreadyEnteredError",
    "ArgumentError",
    "ArgumentTypeError",
    "ArgumentValueError",
    "AsyncutilsRxError",
    "BusPublishingError",
    "BusShutDown",
    "BusStatsError",
    "BusTimeout",
    "ClosedError",
    "LifecycleError",
    "LoopError",
    "MissingExtraError",
    "NoLoopError",
    "NotSubscribedError",
    "ObservableClosed",
    "ObservableTimeout",
    "OperationTimeout",
    "OverflowPolicyError",
    "ReentrancyError",
    "RendezvousTimeout",
    "SubscriptionLostError",
    "WrongLoopError",
]


class AsyncutilsRxError(Exception):
    """The base of the family: ``except AsyncutilsRxError`` catches whatever this package raises itself."""


class ArgumentError(AsyncutilsRxError):
    """An argument was refused at the call, before anything changed.

    Attributes:
        owner: The call that refused it, such as ``"Observable.debounce"``.
        parameter: The name of the parameter.
        value: The value that was passed. What cannot be pickled is pickled as its ``repr``.
        rule: What the parameter has to be.
    """

    def __init__(self, owner: str, parameter: str, value: object, rule: str) -> None:
        super().__init__(owner, parameter, value, rule)
        self.owner = owner
        self.parameter = parameter
        self.value = value
        self.rule = rule

    def __str__(self) -> str:
        return f"{self.owner}: {self.parameter} must be {self.rule}, not {shown(self.value)}"

    def __copy__(self) -> ArgumentError:
        return _copied(self)

    def __reduce__(self) -> tuple[type[AsyncutilsRxError], tuple[object, ...], dict[str, Any]]:
        value = _portable(self.value)
        return type(self), (self.owner, self.parameter, value, self.rule), vars(self) | {"value": value}


class ArgumentTypeError(ArgumentError, TypeError):
    """The argument is of the wrong kind: not callable, not hashable, not a number, not a string."""


class ArgumentValueError(ArgumentError, ValueError):
    """The argument is of the right kind and outside its range."""


class LifecycleError(AsyncutilsRxError, RuntimeError):
    """The object is in the wrong state for this call.

    Attributes:
        owner: The ``repr`` of the object, as it was when the error was raised.
        remedy: What was wrong and the way out, as a sentence without its full stop.
    """

    def __init__(self, owner: str, remedy: str) -> None:
        super().__init__(owner, remedy)
        self.owner = owner
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.owner}: {self.remedy}"


class AlreadyEnteredError(LifecycleError):
    """``async with`` was used on an object whose context had been entered before."""


class ClosedError(LifecycleError):
    """The object was closed, by ``aclose``, by ``shutdown`` or by leaving its context."""


class ObservableClosed(ClosedError):
    """The observable is closed, so it takes no notification and no observer."""


class BusShutDown(ClosedError):
    """The event bus was shut down, so it takes no publication, subscriber, stream or middleware."""


class LoopError(LifecycleError):
    """The object and the running event loop do not go together."""


class NoLoopError(LoopError):
    """The call needs a running event loop, and none is running in this thread."""


class WrongLoopError(LoopError):
    """The object was used on one event loop before and is now used from another."""


class ReentrancyError(AsyncutilsRxError, RuntimeError):
    """A call from inside an observer or subscriber would wait for that very observer to end.

    Attributes:
        owner: The ``repr`` of the object.
        remedy: What would wait for what, and the way out.
    """

    def __init__(self, owner: str, remedy: str) -> None:
        super().__init__(owner, remedy)
        self.owner = owner
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.owner}: {self.remedy}"


class NotSubscribedError(AsyncutilsRxError, LookupError):
    """A strict removal named an observer that is not subscribed.

    Attributes:
        owner: The ``repr`` of the object.
        observer: The callable that was to be removed. Pickled as its ``repr`` where it cannot be pickled.
    """

    def __init__(self, owner: str, observer: object) -> None:
        super().__init__(owner, observer)
        self.owner = owner
        self.observer = observer

    def __str__(self) -> str:
        return f"{self.owner}: {shown(self.observer)} is not subscribed; pass strict=False if that is fine"

    def __copy__(self) -> NotSubscribedError:
        return _copied(self)

    def __reduce__(self) -> tuple[type[AsyncutilsRxError], tuple[object, ...], dict[str, Any]]:
        observer = _portable(self.observer)
        return type(self), (self.owner, observer), vars(self) | {"observer": observer}


class SubscriptionLostError(AsyncutilsRxError, RuntimeError):
    """A temporary subscriber was removed by something else before it had done its work.

    Attributes:
        owner: The ``repr`` of the object.
        purpose: What the subscriber was waiting for.
    """

    def __init__(self, owner: str, purpose: str) -> None:
        super().__init__(owner, purpose)
        self.owner = owner
        self.purpose = purpose

    def __str__(self) -> str:
        return f"{self.owner}: the subscriber waiting for {self.purpose} was removed by another operation"


class OperationTimeout(AsyncutilsRxError, TimeoutError):
    """An operation did not end within its timeout.

    Attributes:
        owner: The ``repr`` of the object.
        operation: What was waited for.
        timeout: The timeout, in seconds.
    """

    def __init__(self, owner: str, operation: str, timeout: float) -> None:
        # Given to the base class, which is an OSError, they would be read as errno, strerror and filename.
        super().__init__()
        self.args: tuple[Any, ...] = (owner, operation, timeout)
        self.owner = owner
        self.operation = operation
        self.timeout = timeout

    def __str__(self) -> str:
        return f"{self.owner}: {self.operation} did not end within {self.timeout:g} s"


class ObservableTimeout(OperationTimeout):
    """A wait on an observable reached its timeout; the observable goes on as if nobody had waited."""


class BusTimeout(OperationTimeout):
    """A publication, a delivery to a stream or a wait for an event reached its timeout."""


class RendezvousTimeout(OperationTimeout):
    """A ``get``, ``put`` or ``exchange`` reached its timeout and was withdrawn."""


class OverflowPolicyError(AsyncutilsRxError, RuntimeError):
    """A bounded buffer was full and its overflow policy is to raise.

    Attributes:
        owner: The ``repr`` of the object that holds the buffer.
        maxsize: How many items the buffer takes.
    """

    def __init__(self, owner: str, maxsize: int) -> None:
        super().__init__(owner, maxsize)
        self.owner = owner
        self.maxsize = maxsize

    def __str__(self) -> str:
        return (
            f"{self.owner}: the buffer of {self.maxsize} items is full and its overflow policy is 'raise'; "
            f"consume faster, pass a larger maxsize, or choose 'wait' or one of the dropping policies"
        )


class BusPublishingError(AsyncutilsRxError, RuntimeError):
    """A middleware raised, so the publication stopped and no subscriber saw it.

    The middleware's own exception is the ``__cause__``.

    Attributes:
        owner: The ``repr`` of the bus.
        event_type: The topic of the publication.
        middleware: The ``repr`` of the middleware that raised.
    """

    def __init__(self, owner: str, event_type: str, middleware: str) -> None:
        super().__init__(owner, event_type, middleware)
        self.owner = owner
        self.event_type = event_type
        self.middleware = middleware

    def __str__(self) -> str:
        return (
            f"{self.owner}: middleware {self.middleware} failed on a publication of {self.event_type!r}, "
            f"which reached no subscriber; its own error is the cause of this one"
        )


class BusStatsError(AsyncutilsRxError, RuntimeError):
    """Statistics were asked for while none are kept.

    Attributes:
        owner: The ``repr`` of the bus.
    """

    def __init__(self, owner: str) -> None:
        super().__init__(owner)
        self.owner = owner

    def __str__(self) -> str:
        return (
            f"{self.owner}: no statistics are kept; call start_tracking() or pass tracking_stats=True, "
            f"and preserve_stats=True to shutdown() to read them afterwards"
        )


class MissingExtraError(AsyncutilsRxError, ImportError):
    """A feature needs an optional dependency that is not installed.

    Attributes:
        feature: What was asked for.
        extra: The extra of the distribution that brings the dependency.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(feature, extra)
        self.feature = feature
        self.extra = extra

    def __str__(self) -> str:
        return f"{self.feature} needs an optional dependency: pip install 'asyncutils-rx[{self.extra}]'"


def shown(value: object) -> str:
    """Return a ``repr`` of limited length that never raises."""
    try:
        text = repr(value)
    except Exception:
        text = object.__repr__(value)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[: _SHOWN_LENGTH - 1]}…"


def shown_function(function: object) -> str:
    """Return the name of a callable; of an object that says no more of itself than where it is, its class."""
    name = getattr(function, "__qualname__", None)
    if isinstance(name, str):
        return name
    return type(function).__qualname__ if type(function).__repr__ is object.__repr__ else shown(function)


_SHOWN_LENGTH = 120


class _Shown(str):
    """The ``repr`` of something that is not there any more; it shows as that."""

    __slots__ = ()

    __repr__ = str.__str__


def _portable(value: object) -> object:
    """Return ``value`` where it survives pickling for certain, else its ``repr``."""
    return value if value is None or isinstance(value, (str, int, float, bytes)) else _Shown(shown(value))


def _copied(error: E) -> E:
    """Return a copy that holds the very fields of ``error``."""
    copied = type(error)(*error.args)
    vars(copied).update(vars(error))
    return copied
