"""The installed RxPY: imported without its warnings, and the facts in which its versions 4 to 6 differ.

RxPY 4.0 reads the clock through ``datetime.utcnow`` and ``datetime.utcfromtimestamp``, which Python deprecates from
3.12 on. Under ``-W error`` that makes ``import reactivex`` fail, and afterwards every subscription, because each one
asks for the time. The import is done here, once, with that one warning off. What runs later gets two functions that
return the same and do not warn: turning warnings off around each subscription would change the filters of every
thread, and those of an operator that subscribes during a notification could not be reached at all.
"""

from __future__ import annotations

import re
import sys
import warnings
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

with warnings.catch_warnings():
    warnings.filterwarnings(
        "ignore", r"datetime\.datetime\.utc", DeprecationWarning, module=r"reactivex\.internal\.constants"
    )
    import reactivex

from reactivex.internal.constants import UTC_ZERO
from reactivex.scheduler import scheduler as _scheduler_module

if TYPE_CHECKING:
    from collections.abc import Callable

    from reactivex import abc

__all__ = ["AWARE", "RX_VERSION", "UTC_ZERO", "subscribe"]


def parse_version(text: str) -> tuple[int, int, int]:
    """Return the first three numbers of a version; one that is not there counts as 0."""
    numbers = [int(number) for number in re.findall(r"\d+", text)[:3]]
    major, minor, micro = (*numbers, 0, 0, 0)[:3]
    return major, minor, micro


RX_VERSION: Final = parse_version(reactivex.__version__)
"""The version of the installed RxPY, as ``(major, minor, micro)``."""

AWARE: Final = UTC_ZERO.tzinfo is not None
"""Whether RxPY's datetimes carry a time zone: they do since 4.1; those of 4.0 are UTC without saying so."""


def subscribe(
    source: Any,
    on_next: Callable[[Any], object],
    on_error: Callable[[Exception], object],
    on_completed: Callable[[], object],
    scheduler: abc.SchedulerBase | None = None,
) -> abc.DisposableBase:
    """Subscribe to a source by position, as every RxPY since 3 understands.

    Args:
        source: An object with RxPY's ``subscribe``.
        on_next: Takes each value.
        on_error: Takes the error that ends the source.
        on_completed: Called when the source completes.
        scheduler: What the source's operators run on where they were given none of their own.

    Returns:
        The disposable of the subscription.
    """
    disposable: abc.DisposableBase = source.subscribe(on_next, on_error, on_completed, scheduler=scheduler)
    return disposable


def mend_clock(module: Any, *, aware: bool, python: tuple[int, ...]) -> bool:
    """Replace what reads the clock in a deprecated way; return whether that was needed.

    Args:
        module: RxPY's ``reactivex.scheduler.scheduler``.
        aware: Whether this RxPY's datetimes carry a time zone; then nothing in it is deprecated.
        python: The version of Python.
    """
    if aware or python < (3, 12):
        return False
    convert = module.Scheduler.to_datetime.__func__

    def to_datetime(cls: type, value: datetime | timedelta | float) -> datetime:
        timed = value if isinstance(value, (datetime, timedelta)) else timedelta(seconds=value)
        converted: datetime = convert(cls, timed)
        return converted

    module.Scheduler.to_datetime = classmethod(to_datetime)
    module.default_now = _naive_now
    return True


def _naive_now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


mend_clock(_scheduler_module, aware=AWARE, python=sys.version_info[:2])
