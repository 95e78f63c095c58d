"""What all objects on one event loop share: how a task is started, and how often the loop gets a turn.

Knows asyncio and nothing else of this package. Every object that is bound to a loop holds that loop's
:class:`Runner`; the runner lives as long as one of them does.
"""

from __future__ import annotations

import sys
from asyncio import Task, current_task, sleep
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Coroutine
    from contextvars import Context

__all__ = ["CALLS_BETWEEN_TURNS", "EAGER_DEPTH", "HAS_EAGER_TASKS", "Runner", "Work", "runner_for"]

HAS_EAGER_TASKS = sys.version_info >= (3, 12)
"""Whether a task can run up to its first suspension while it is being made."""

CALLS_BETWEEN_TURNS = 48
"""After so many calls that did not suspend, the next one lets the loop run. Where two tasks began in the same turn, one
of them can come to twice as many, less one, before the other has done its first; 100 is the most that may be."""

EAGER_DEPTH = 12
"""So many eager starts may nest on one stack; a deeper one begins on a fresh stack, in the loop's next turn."""


class Work:
    """A piece of work that drives tasks; the runner tells which piece a task belongs to.

    Attributes:
        caller: The task that started this work, where there was other work under way that it could be a part of; else
            None.
        outer: The work on whose stack this one starts eagerly, while it does.
        coro: The coroutine that is being started eagerly at this moment, while it is.
        owner: Whatever started the work; opaque here.
    """

    caller: Task[Any] | None = None
    outer: Work | None = None
    coro: Coroutine[Any, Any, Any] | None = None
    owner: object = None

    @property
    def waiting_task(self) -> Task[Any] | None:
        """The task that waits for this work, as far as it is known: the caller, or else who waits for the owner."""
        if self.caller is not None:
            return self.caller
        waiting: Task[Any] | None = getattr(self.owner, "waiting_task", None)
        return waiting


class Runner:
    """The state that one event loop's objects share. Not thread-safe: for the loop's own thread only.

    Attributes:
        loop: The event loop.
        calls: How many calls ended without suspending since the loop last had its turn.
        depth: How many eager starts are nested on the stack now.
        eager: The innermost work that is starting eagerly now.
        scope: What is being routed on the stack now; opaque here, set and reset on one stack.
        tasks: The tasks of all works that are suspended, or were.
    """

    __slots__ = ("__weakref__", "_turn_requested", "calls", "depth", "eager", "loop", "scope", "tasks")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self.calls = 0
        self.depth = 0
        self.eager: Work | None = None
        self.scope: Any = None
        self.tasks: dict[Task[Any], Work] = {}
        self._turn_requested = False

    # Fairness: a caller adds 1 to `calls` and awaits `breathe` where CALLS_BETWEEN_TURNS is reached. The count
    # starts anew only when the loop has really run, so no other task's call can use up a task's turn.

    async def breathe(self) -> None:
        """Let the loop run once.

        Cancellation: raises CancelledError; nothing was changed.
        """
        if not self._turn_requested:
            self._turn_requested = True
            self.loop.call_soon(self._turn_over)
        await sleep(0)
        # What others did since the loop ran is not this task's doing.
        self.calls = 0

    def _turn_over(self) -> None:
        self._turn_requested = False
        self.calls = 0

    # Starting

    def starts_eagerly(self) -> bool:
        """Whether tasks can start eagerly on this loop: not before Python 3.12, and not past a task factory."""
        return HAS_EAGER_TASKS and self.loop.get_task_factory() is None

    def start_eagerly(self, coro: Coroutine[Any, Any, None], context: Context) -> Task[None]:
        """Return a task that has run up to its first suspension in ``context``."""
        return Task(coro, loop=self.loop, context=context, eager_start=True)  # type: ignore[call-arg]  # since 3.12

    def start_soon(self, coro: Coroutine[Any, Any, None], context: Context | None) -> Task[None]:
        """Return a task made by the loop's task factory, with a copy of ``context`` (of the current one if None)."""
        if context is None:
            return self.loop.create_task(coro)
        return context.copy().run(self.loop.create_task, coro)

    # Who is calling

    def current_work(self) -> Work | None:
        """Return the work whose task is running now, or None where the running task is nobody's work."""
        task = current_task(self.loop)
        return None if task is None else self.work_of(task)

    def work_of(self, task: Task[Any]) -> Work | None:
        """Return the work that ``task`` was started for, or None."""
        work = self.tasks.get(task)
        if work is not None:
            return work
        coro = task.get_coro()
        work = self.eager
        while work is not None and work.coro is not coro:
            work = work.outer
        return work

    def report(self, message: str, error: BaseException, source: object) -> None:
        """Give an error that no caller can receive to the loop's exception handler."""
        self.loop.call_exception_handler({"message": message, "exception": error, "source": source})


_runners: WeakValueDictionary[int, Runner] = WeakValueDictionary()


def runner_for(loop: AbstractEventLoop) -> Runner:
    """Return the runner of ``loop``; all callers on one loop get the same."""
    runner = _runners.get(id(loop))
    if runner is None:
        runner = _runners[id(loop)] = Runner(loop)
    return runner
