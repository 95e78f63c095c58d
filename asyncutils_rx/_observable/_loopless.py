"""Emission where no event loop runs: RxPY's way, on the stack of the source, for observers that need no loop.

What holds on a loop holds here as far as it can. An observable emits one notification at a time: what is pushed in
meanwhile is queued, and emitted by whoever emits already. An observer that raises starves nobody, and stands in no
operator's way: its error is kept until the outermost push has done everything else, and is raised out of that one.
"""

from __future__ import annotations

from threading import local
from typing import TYPE_CHECKING, Any

from .._alone import is_awaitable
from ..exceptions import NoLoopError
from ._cascade import Item, logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVarTuple

    from ._cascade import Notification
    from ._core import Core

    Ts = TypeVarTuple("Ts")

__all__ = ["emit", "note", "run"]


class _Stack(local):
    """What belongs to the outermost push on this thread.

    Attributes:
        errors: What went wrong so far; None where nothing is being pushed.
        quiet: Whether errors are logged instead, on the branch that is being emitted to.
    """

    errors: list[BaseException] | None = None
    quiet = False


_stack = _Stack()


def note(error: BaseException) -> None:
    """Keep an error for the outermost push; raise it where there is none."""
    if _stack.quiet:
        logger.error("an observer failed, and no event loop is running", exc_info=error)
    elif _stack.errors is None:
        raise error
    else:
        _stack.errors.append(error)


def run(call: Callable[[*Ts], object], *args: *Ts) -> None:
    """Call something that notes errors; the outermost call on a stack raises them, several as a group."""
    if _stack.errors is not None:
        call(*args)
        return
    errors: list[BaseException] = []
    _stack.errors = errors
    try:
        call(*args)
    except Exception as error:
        errors.append(error)
    finally:
        _stack.errors = None
    if errors:
        raise errors[0] if len(errors) == 1 else BaseExceptionGroup(f"{len(errors)} observers failed", errors)


def emit(site: Core, notifications: Sequence[Notification]) -> None:
    """Emit on this stack; or, where ``site`` is emitting already, leave it to that emission.

    Raises:
        Exception: What observers raised, if this is the outermost push.
    """
    item = Item(site, notifications, None, None, None, False)
    if site._turn is not None:
        site._append(item)
    else:
        site._turn = item
        run(_emit_in_turn, site, item)


def _emit_in_turn(site: Core, item: Item) -> None:
    outer, _stack.quiet = _stack.quiet, _stack.quiet or site._quiet
    try:
        for notification in item.notifications:
            _deliver(site, notification)
        while site._queue:
            for notification in site._queue.popleft().notifications:
                _deliver(site, notification)
    except BaseException:
        site._turn = None
        raise
    finally:
        _stack.quiet = outer
    site._release(None)


def _deliver(site: Core, notification: Notification) -> None:
    args, kwargs = notification
    calls = site._observers.snapshot()
    for call in calls:
        if site._observers.snapshot_or_none is not calls and call not in site._observers.snapshot():
            continue  # removed by one of those before
        try:
            result: Any = call(*args, **kwargs)
        except Exception as error:
            note(error)
        else:
            if is_awaitable(result):
                if hasattr(result, "close"):
                    result.close()
                note(NoLoopError(repr(site), f"the asynchronous observer {call!r} needs a running event loop"))
    if site._subject is not None:
        site._subject.on_next(notification)
