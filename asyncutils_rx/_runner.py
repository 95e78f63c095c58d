"""What all objects on one event loop share: how a task is started, and how often the loop gets a turn.

Knows asyncio and nothing else of this package. Every object that is bound to a loop holds that loop's
:class:`Runner`; the runner lives as long as one of them does.
"""

from __future__ import annotations

import sys
from asyncio import Task, _enter_task, _leave_task, current_task, sleep
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Handle
    from collections.abc import Callable, Coroutine
    from contextvars import Context

    from ._alone import Standby

__all__ = ["CALLS_BETWEEN_TURNS", "EAGER_DEPTH", "HAS_EAGER_TASKS", "EarlyStart", "Runner", "Work", "runner_for"]

T = TypeVar("T")

HAS_EAGER_TASKS = sys.version_info >= (3, 12)
"""Whether Python can have a task run up to its first suspension while it is being made."""

CALLS_BETWEEN_TURNS = 96
"""After so many calls that did not suspend, the next one lets the loop run."""

_CALLS_AT_MOST = 100
"""So many calls may be made, at most, before any other task has its turn."""

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
        failure: What the only callable of the work has raised, where it notes that, until somebody takes it.
        returned: Whether that has returned, in the same way.
    """

    # Defaults on the class would make it slow to set these.
    def __init__(self, owner: object = None) -> None:
        self.caller: Task[Any] | None = None
        self.outer: Work | None = None
        self.coro: Coroutine[Any, Any, Any] | None = None
        self.owner = owner
        self.failure: BaseException | None = None
        self.returned = False

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
        has_eager_tasks: Whether tasks can start eagerly on this loop, unless it has a task factory.
        regular: Which task, by its id, asked last for a callable to be started alone.
        regularity: How often it has done so in a row.
        scope: What is being routed on the stack now; opaque here, set and reset on one stack.
        standby: The task that is kept for callables that are started alone.
        tasks: The tasks of all works that are suspended, or were.
    """

    __slots__ = (
        "__weakref__",
        "_calling",
        "_due",
        "_early",
        "_turned_away",
        "calls",
        "depth",
        "eager",
        "has_eager_tasks",
        "loop",
        "regular",
        "regularity",
        "scope",
        "standby",
        "tasks",
    )

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self.calls = 0
        self._turned_away = 0
        self._due: deque[Callable[[], object]] = deque()
        self._calling = False
        self.depth = 0
        self.eager: Work | None = None
        self.scope: Any = None
        self.standby: Standby | None = None
        self.regular = 0
        self.regularity = 0
        self.tasks: dict[Task[Any], Work] = {}
        self._early = None if HAS_EAGER_TASKS else EarlyStart(loop)
        self.has_eager_tasks = self._early is None or self._early.works()

    # Fairness: a caller adds 1 to `calls` and awaits `breathe` where CALLS_BETWEEN_TURNS is reached. The count
    # starts anew as soon as one of those has its turn again; until then every caller lets the loop run.

    async def breathe(self) -> None:
        """Let the loop run once.

        Cancellation: raises CancelledError; nothing was changed.
        """
        # Whoever comes when others have used the calls up has made none yet. Those who have may not go on for long
        # before it has its turn.
        turned_away = self.calls > CALLS_BETWEEN_TURNS
        if turned_away:
            self._turned_away += 1
        elif self.calls == CALLS_BETWEEN_TURNS:
            self.calls += 1
        try:
            await sleep(0)
        finally:
            if turned_away:
                self._turned_away -= 1
            self.calls = 2 * CALLS_BETWEEN_TURNS - _CALLS_AT_MOST if self._turned_away else 0

    # Turns

    def call_in_turn(self, call: Callable[[], object]) -> None:
        """Have something called in the loop's next turn, in the order of the requests.

        What asks for this meanwhile has its turn in the same one, if that does not become too long.
        """
        self._due.append(call)
        if len(self._due) == 1 and not self._calling:
            self.loop.call_soon(self._call_due)

    def _call_due(self) -> None:
        due = self._due
        self._calling = True
        try:
            for _ in range(CALLS_BETWEEN_TURNS):
                if not due:
                    break
                due.popleft()()
        finally:
            self._calling = False
            if due:
                self.loop.call_soon(self._call_due)

    # Starting

    def starts_eagerly(self) -> bool:
        """Whether tasks can start eagerly on this loop: not past a task factory."""
        return self.has_eager_tasks and self.loop.get_task_factory() is None

    def start_eagerly(
        self, coro: Coroutine[Any, Any, T], context: Context | None, kind: type[Task[T]] | None = None
    ) -> Task[T]:
        """Return a task that has run up to its first suspension in ``context``, or in a copy of the current one."""
        if self._early is None:
            return (kind or Task)(coro, loop=self.loop, context=context, eager_start=True)  # type: ignore[call-arg]  # since 3.12
        return self._early.start(coro, context, kind)

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


class EarlyStart:
    """Eager tasks on one event loop for Python 3.11, which has none.

    A new task asks its loop, by ``call_soon``, to take its first step. That call is caught, and the step is taken on
    the spot, with the task as the current one. From then on it is a task like any other.

    Args:
        loop: The event loop.
    """

    __slots__ = ("_attributes", "_caught", "_loop")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._attributes: dict[str, Any] = getattr(loop, "__dict__", {})
        self._caught: list[tuple[Callable[..., object], Context | None]] = []

    def works(self) -> bool:
        """Find out, with a task that does nothing, whether the loop lets itself be treated so."""

        async def nothing() -> None:
            pass

        return self.start(nothing(), None).done()

    def start(
        self, coro: Coroutine[Any, Any, T], context: Context | None, kind: type[Task[T]] | None = None
    ) -> Task[T]:
        """Return a task that has run up to its first suspension in ``context``, or in a copy of the current one."""
        loop, caught = self._loop, self._caught
        task = self._make(coro, context, kind)
        if not caught:
            return task
        step, its_context = caught.pop()
        while step.__self__ is not task:  # type: ignore[attr-defined]  # that it has one was seen in _catch
            loop.call_soon(step, context=its_context)  # of a task that a finaliser made
            step, its_context = caught.pop()
        outer = current_task(loop)
        if outer is not None:
            _leave_task(loop, outer)
        try:
            its_context.run(step)  # type: ignore[union-attr]  # a task passes its own
        finally:
            if outer is not None:
                _enter_task(loop, outer)
        return task  # type: ignore[no-any-return]  # as which it has just been found

    def _make(self, coro: Coroutine[Any, Any, T], context: Context | None, kind: type[Task[T]] | None) -> Task[T]:
        attributes = self._attributes
        own = attributes.get("call_soon")
        attributes["call_soon"] = self._catch
        try:
            return (kind or Task)(coro, loop=self._loop, context=context)
        finally:
            if own is None:
                del attributes["call_soon"]
            else:
                attributes["call_soon"] = own

    def _catch(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Handle | None:
        if not args and isinstance(getattr(callback, "__self__", None), Task):
            self._caught.append((callback, context))
            return None
        # Of a finaliser that happens to run.
        handle: Handle = type(self._loop).call_soon(self._loop, callback, *args, context=context)
        return handle


_runners: WeakValueDictionary[int, Runner] = WeakValueDictionary()


def runner_for(loop: AbstractEventLoop) -> Runner:
    """Return the runner of ``loop``; all callers on one loop get the same."""
    runner = _runners.get(id(loop))
    if runner is None:
        runner = _runners[id(loop)] = Runner(loop)
    return runner
