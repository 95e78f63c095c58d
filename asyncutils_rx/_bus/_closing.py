"""How a bus ends: what runs is waited for, then what is left is cut short, then everything is let go."""

from __future__ import annotations

from asyncio import CancelledError
from typing import TYPE_CHECKING, Any, NamedTuple

from ..exceptions import BusShutDown
from ._callers import callers

if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import Collection

    from ._brief import Brief
    from ._core import Core
    from ._publication import Publication

__all__ = ["Manner", "close", "exempt_tasks", "wait_for_stragglers"]


class Manner(NamedTuple):
    """How a bus is to end.

    Attributes:
        immediate: Whether what runs is cut short at once.
        timeout: After how many seconds it is; None is never.
        preserve_stats: Whether the statistics can be read afterwards.
    """

    immediate: bool = False
    timeout: float | None = None
    preserve_stats: bool = False


async def close(core: Core, bus: object, manner: Manner) -> None:
    """End a bus. What waits for this very call, such as the publication whose callback made it, goes on.

    Cancellation: what runs is cut short and awaited; the bus is closed.
    """
    core.state = "draining"
    core.audit.stop()
    core.hurried = core.hurried or manner.immediate
    try:
        if not core.hurried:
            core.audit.flush()
            core.streams.lift()
            await _drain(core, manner.timeout)
    finally:
        core.state = "ending"
        core.audit.drop()
        try:
            await _cut_short(core, bus)
            await core.observables.close()
        finally:
            core.streams.end(keep=not core.immediate)
            core.middlewares.clear()
            core.topics.clear_all()
            core.statistics.close(manner.preserve_stats)
            core.state = "closed"


async def _drain(core: Core, timeout: float | None) -> None:
    """Wait until nothing runs that does not wait for this, or for so many seconds."""
    loop = core.runner.loop
    timer = None if timeout is None else loop.call_later(timeout, core.hurry)
    try:
        while not core.hurried and (core.errands or core.audit.waiting or _is_busy(core)):
            await core.next_change()
        for buffer in core.waits.values():
            buffer.end(keep=True)
        while not core.hurried and _tasks(core, core.waits):
            await core.next_change()
    finally:
        if timer is not None:
            timer.cancel()


async def _cut_short(core: Core, bus: object, exempt: Collection[Task[Any]] | None = None) -> None:
    """Cancel the publications that still run, and await them, whatever happens meanwhile."""
    label = repr(bus)
    for publication in _outermost(core, _others(core, exempt)):
        publication.abort(BusShutDown(label, "it was shut down before this publication had ended"))
    cancelled: CancelledError | None = None
    while _has_others(core, exempt):
        try:
            await core.next_change()
        except CancelledError as error:
            cancelled = error
    if cancelled is not None:
        try:
            raise cancelled
        finally:
            cancelled = None


def _others(core: Core, exempt: Collection[Task[Any]] | None = None) -> list[Publication | Brief]:
    """Return the running publications whose tasks are not exempt: not of those that close the bus, by default."""
    if exempt is None:
        exempt = exempt_tasks(core)
    return [publication for publication in core.publications if publication.task not in exempt]


def _has_others(core: Core, exempt: Collection[Task[Any]] | None = None) -> bool:
    """Whether there are any of these; asked after the end of each."""
    if exempt is None:
        exempt = exempt_tasks(core)
    brief = core.brief
    if brief is not None and brief.task not in exempt:
        return True
    return any(publication.task not in exempt for publication in core.running)


def _is_busy(core: Core) -> bool:
    return _has_others(core) or bool(_tasks(core, core.reports))


def exempt_tasks(core: Core) -> set[Task[Any]]:
    """Return the tasks that close the bus, and those that wait for them."""
    return {task for chain in core.closers for task in chain}


def _tasks(core: Core, tasks: Collection[Task[Any]]) -> set[Task[Any]]:
    return set(tasks) - exempt_tasks(core)


def _outermost(core: Core, publications: list[Publication | Brief]) -> list[Publication | Brief]:
    """Leave out those that a callback or a middleware of another one waits for: they end with that."""
    found: list[Publication | Brief] = []
    tasks: set[Task[Any]] = set()
    for publication in publications:
        assert publication.task is not None  # it runs
        if tasks.isdisjoint(callers(core.runner, publication.task)):
            found.append(publication)
        tasks.add(publication.task)
    return found


async def wait_for_stragglers(core: Core, bus: object, mine: Collection[Task[Any]], *, immediate: bool) -> None:
    """Wait for the publications that closed the bus too, and have not ended since; for all but those of ``mine``.

    Cancellation: raises CancelledError; they go on.
    """
    if immediate:
        await _cut_short(core, bus, mine)
    while _has_others(core, mine):
        await core.next_change()
