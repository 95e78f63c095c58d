"""Who waits for the task that is running: the chain of calls across tasks."""

from __future__ import annotations

from asyncio import current_task
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import Iterator

    from .._runner import Runner, Work

__all__ = ["callers", "works"]


def callers(runner: Runner, task: Task[Any] | None = None) -> Iterator[Task[Any]]:
    """Yield a task (the running one by default), the task that waits for it, and so on.

    Only what a fan-out started is known to be waited for: a task that a callback spawned is nobody's.
    """
    if task is None:
        task = current_task(runner.loop)
    while task is not None:
        yield task
        work = runner.work_of(task)
        task = None if work is None else work.waiting_task


def works(runner: Runner) -> Iterator[tuple[Task[Any], Work]]:
    """Yield the running task, if a fan-out started it, with that; then the same for the task that waits for it."""
    for task in callers(runner):
        work = runner.work_of(task)
        if work is not None:
            yield task, work
