"""The defaults of this package, kept per :mod:`contextvars` context in the manner of :mod:`decimal`.

A call that is not told otherwise takes its default from the context that is current where it is made:

>>> from asyncutils_rx.context import getcontext, localcontext
>>> getcontext().EVENT_BUS_DEFAULT_MAX_CONCURRENT
64
>>> with localcontext(EVENT_BUS_DEFAULT_MAX_CONCURRENT=8):
...     getcontext().EVENT_BUS_DEFAULT_MAX_CONCURRENT
8

The same names can be read as attributes of this module, which gives the current value.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from ._arguments import check_count, check_duration, check_size, check_timeout, wrong_type

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["Context", "getcontext", "localcontext", "setcontext"]


def _check_flag(owner: str, parameter: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise wrong_type(owner, parameter, value, "True or False")
    return value


_FIELDS: dict[str, tuple[object, Callable[[str, str, object], object]]] = {
    "EVENT_BUS_DEFAULT_MAX_CONCURRENT": (64, check_count),
    "EVENT_BUS_PUBLISH_DEFAULT_SAFE": (True, _check_flag),
    "EVENT_BUS_STREAM_DEFAULT_BUFFER_SIZE": (100, check_size),
    "EVENT_BUS_STREAM_DEFAULT_ITEM_TIMEOUT": (None, check_timeout),
    "EVENT_BUS_STREAM_DEFAULT_TIMEOUT": (None, check_timeout),
    "OBSERVABLE_DEFAULT_NTIMES_N": (1, check_count),
    "OBSERVABLE_STREAM_DEFAULT_BUFFER_SIZE": (100, check_size),
    "RENDEZVOUS_MAINTENANCE_INTERVAL": (30.0, check_duration),
}


class Context:
    """A set of defaults. Attributes can be assigned; each assignment is checked.

    Args:
        **changes: Values that differ from the package's own defaults, by attribute name.

    Raises:
        ArgumentTypeError: A name is unknown, or a value is of the wrong kind.
        ArgumentValueError: A value is outside its range. Nothing was changed.
    """

    __slots__ = tuple(_FIELDS)

    EVENT_BUS_DEFAULT_MAX_CONCURRENT: int
    """How many callbacks of one bus may run at a time; at least 1."""
    EVENT_BUS_PUBLISH_DEFAULT_SAFE: bool
    """Whether a publication lets every subscriber finish before it raises."""
    EVENT_BUS_STREAM_DEFAULT_BUFFER_SIZE: int
    """How many events an event stream buffers; 0 is unbounded."""
    EVENT_BUS_STREAM_DEFAULT_ITEM_TIMEOUT: float | None
    """After how many seconds without an event a stream ends; None is never."""
    EVENT_BUS_STREAM_DEFAULT_TIMEOUT: float | None
    """How many seconds a publisher waits for room in a stream's buffer; None is as long as it takes."""
    OBSERVABLE_DEFAULT_NTIMES_N: int
    """How many notifications ``Observable.ntimes`` passes on; at least 1."""
    OBSERVABLE_STREAM_DEFAULT_BUFFER_SIZE: int
    """How many notifications an iteration over an observable buffers; 0 is unbounded."""
    RENDEZVOUS_MAINTENANCE_INTERVAL: float
    """How many seconds lie between two clean-ups of a rendezvous that is in use."""

    def __init__(self, **changes: Any) -> None:
        for name, (default, _) in _FIELDS.items():
            object.__setattr__(self, name, default)
        self._update(changes)

    def _update(self, changes: dict[str, Any]) -> None:
        unknown = next((name for name in changes if name not in _FIELDS), None)
        if unknown is not None:
            raise wrong_type("Context", "changes", unknown, "one of " + ", ".join(_FIELDS))
        checked = {name: _FIELDS[name][1]("Context", name, value) for name, value in changes.items()}
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _FIELDS:
            raise AttributeError(f"Context has no default named {name!r}; it has {', '.join(_FIELDS)}")
        self._update({name: value})

    def copy(self, **changes: Any) -> Context:
        """Return a new context with the values of this one, except for ``changes``.

        Raises:
            ArgumentTypeError: A name is unknown, or a value is of the wrong kind.
            ArgumentValueError: A value is outside its range.
        """
        return type(self)(**{name: getattr(self, name) for name in _FIELDS} | changes)

    __copy__ = copy

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Context):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _FIELDS)

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # mutable, so not hashable

    def __reduce__(self) -> tuple[Callable[[dict[str, Any]], Context], tuple[dict[str, Any]]]:
        return _rebuild, ({name: getattr(self, name) for name in _FIELDS},)

    def __repr__(self) -> str:
        return f"Context({', '.join(f'{name}={getattr(self, name)!r}' for name in _FIELDS)})"


def _rebuild(values: dict[str, Any]) -> Context:
    return Context(**values)


_current: ContextVar[Context] = ContextVar("asyncutils_rx.context")


peek: Callable[[], Context] = partial(_current.get, Context())
"""Returns the current context, to read from; without one the package's defaults, and none is made."""


def getcontext() -> Context:
    """Return the current context; the first call in a context without one makes it, with the package's defaults.

    The object is shared with the tasks that are started from here, as with :func:`decimal.getcontext`; use
    :func:`localcontext` for a change that ends with a block.
    """
    try:
        return _current.get()
    except LookupError:
        context = Context()
        _current.set(context)
        return context


def setcontext(context: Context, /) -> None:
    """Make ``context`` the current one, here and in the tasks that are started from here.

    Raises:
        ArgumentTypeError: It is not a :class:`Context`.
    """
    if not isinstance(context, Context):
        raise wrong_type("setcontext", "context", context, "a Context")
    _current.set(context)


@contextmanager
def localcontext(context: Context | None = None, /, **changes: Any) -> Generator[Context, None, None]:
    """Use a copy of a context, with ``changes``, for the length of a ``with`` block.

    Args:
        context: What to copy; the current context if not passed.
        **changes: Values by attribute name.

    Yields:
        The copy, which is current inside the block.

    Raises:
        ArgumentTypeError: ``context`` is no context, a name is unknown, or a value is of the wrong kind.
        ArgumentValueError: A value is outside its range.
    """
    if context is not None and not isinstance(context, Context):
        raise wrong_type("localcontext", "context", context, "a Context")
    local = (getcontext() if context is None else context).copy(**changes)
    token = _current.set(local)
    try:
        yield local
    finally:
        _current.reset(token)


def __getattr__(name: str) -> Any:
    if name in _FIELDS:
        return getattr(getcontext(), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
