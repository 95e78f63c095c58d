"""A callable in a task: one of its own, or one that is kept for whatever ends without being suspended.

To make a task costs more than all the rest of a call that ends at once. So where one task makes such calls again and
again, the loop has a task on *standby*, which waits for nothing. A callable is run as a part of it: in its context, and
with it as the current task. If the callable ends and has left no trace, the task is as it was, and serves again. If it
is suspended, the task is its own from then on: it goes on in it as in any other.

A trace is whatever the next one could notice: a context variable that was set, a cancellation, a name, a callback, or
that anybody still holds the task. A task with a trace has ended by the time that this is seen.
"""

from __future__ import annotations

import sys
from asyncio import CancelledError, Task, _enter_task, _leave_task, _register_task, _unregister_task, current_task
from contextvars import copy_context
from sys import getrefcount
from traceback import walk_tb
from types import CoroutineType, coroutine
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Coroutine, Generator, Mapping
    from contextvars import Context, ContextVar

    from ._runner import Runner, Work

__all__ = [
    "CALLS_BEFORE_STANDBY",
    "Standby",
    "differs",
    "doubtful_variables",
    "drive_alone",
    "is_awaitable",
    "outcome_alone",
    "start_alone",
    "start_coroutine",
]

T = TypeVar("T")

CALLS_BEFORE_STANDBY = 8
"""So many calls in a row have to be made by one task, and to end at once, before a task is made for them."""

if sys.version_info >= (3, 12):
    from asyncio.tasks import _swap_current_task as swap_current_task
else:

    def swap_current_task(loop: AbstractEventLoop, task: Task[Any] | None) -> Task[Any] | None:
        """Make ``task`` the current one; return which one was."""
        before = current_task(loop)
        if before is not None:
            _leave_task(loop, before)
        if task is not None:
            _enter_task(loop, task)
        return before


def is_awaitable(value: object) -> bool:
    """Whether ``value`` can be awaited."""
    return type(value) is CoroutineType or hasattr(type(value), "__await__")


# What a context says of itself


def doubtful_variables(context: Context) -> dict[ContextVar[Any], object]:
    """Return the variables that can be set to something else that equals what they hold."""
    return {
        variable: value
        for variable, value in context.items()
        if type(value).__eq__ is not _BY_IDENTITY and type(value) not in _PLAIN
    }


_BY_IDENTITY: Any = object.__eq__
_PLAIN = (str, bytes)


def differs(context: Context, values: dict[ContextVar[Any], object]) -> bool:
    """Whether one of the variables holds another object."""
    return any(context.get(variable) is not value for variable, value in values.items())


# Starting


def start_alone(
    runner: Runner,
    work: Work,
    call: Callable[..., object],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Task[BaseException | None] | None:
    """Run a callable up to its first suspension, in a task; nothing may be starting eagerly on the stack.

    Tasks have to start eagerly on this loop.

    Args:
        runner: The runner of the loop.
        work: What the task belongs to.
        call: What to run; what it returns is awaited where it is awaitable.
        args: Its positional arguments.
        kwargs: Its keyword arguments.

    Returns:
        None where it has ended well and left no trace. Else the task, for :func:`outcome_alone`.
    """
    standby = runner.standby
    context = copy_context()
    try:
        if standby is None or context != standby.before:
            standby = _renewed(runner, context)
    except Exception:  # values that differ cannot be compared
        standby = None
    if standby is None:
        return _start_in_its_own(runner, work, call, args, kwargs, context)
    runner.standby = None
    failure: BaseException | None = None
    waits_for: object = None
    outer = swap_current_task(runner.loop, standby.task)
    runner.eager = work
    work.coro = standby.coro
    try:
        waits_for = standby.enter(standby.send, (call, args, kwargs))
    except BaseException as error:
        # Where it was raised through must not lead to the tasks that are known here.
        failure = error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
    finally:
        swap_current_task(runner.loop, outer)
        runner.eager = work.coro = None
    if waits_for is standby and standby.is_as_it_was():
        runner.standby = standby
        return None
    try:
        return standby.go_on(waits_for, failure)
    finally:
        failure = outer = None  # the traceback of an error holds this frame


def _start_in_its_own(
    runner: Runner,
    work: Work,
    call: Callable[..., object],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    context: Context,
) -> Task[BaseException | None] | None:
    work.returned = False
    task = start_coroutine(runner, work, drive_alone(work, call, args, kwargs), context)
    if work.returned:
        return None
    runner.regularity = 0
    try:
        return task
    finally:
        del task  # the traceback of an error holds this frame


def start_coroutine(runner: Runner, work: Work, coro: Coroutine[Any, Any, T], context: Context) -> Task[T]:
    """Run a coroutine up to its first suspension, in a task of its own; else as :func:`start_alone`."""
    work.coro = coro
    runner.eager = work
    try:
        return runner.start_eagerly(coro, context)
    except BaseException:
        coro.close()
        raise
    finally:
        runner.eager = work.coro = None


def _renewed(runner: Runner, context: Context) -> Standby | None:
    """Return a task on standby for ``context``, where it pays: calls are regular, and nothing is left over of them."""
    user = current_task()
    if runner.regular != id(user):
        runner.regular = id(user)
        runner.regularity = 0
    runner.regularity += 1
    if runner.regularity < CALLS_BEFORE_STANDBY or user is None:
        return None
    runner.regularity = 0
    if doubtful_variables(context):
        return None
    if runner.standby is not None:
        runner.standby.dismiss()
    return Standby(runner, context, user)


class StandbyTask(Task[BaseException | None]):
    """The task on standby. It notes what is done to it; to ask it what was done would take as long as to make another.

    Attributes:
        is_marked: Whether it was given a name, or a callback.
    """

    __slots__ = ("is_marked",)

    def add_done_callback(self, fn: Callable[[Any], object], /, *, context: Context | None = None) -> None:
        """Note it."""
        self.is_marked = True
        super().add_done_callback(fn, context=context)

    def set_name(self, value: object, /) -> None:
        """Note it."""
        self.is_marked = True
        super().set_name(value)


class Standby:
    """A task that waits until something is to be run as a part of it.

    The task waits for this object, which has as much of a future as a task asks for. What runs in the task, without it
    knowing, is a generator.

    Args:
        runner: The runner of the loop.
        context: The context that the task gets a copy of.
        user: The task that the context is of. What a context holds is not to live longer than that.

    Attributes:
        task: The task; None once it was given away.
        coro: The coroutine of the task.
        before: What its context has to be; None where it serves no more.
        enter: Runs something in the context.
        send: Has the generator run a callable, ``(call, args, kwargs)``; returns this object once that has ended.
    """

    __slots__ = (
        "__weakref__",
        "_asyncio_future_blocking",
        "_callable_waits_for",
        "_cancelled",
        "_context",
        "_failure",
        "_generator",
        "_loop",
        "_references",
        "_resume",
        "_user",
        "before",
        "coro",
        "enter",
        "send",
        "task",
    )

    def __init__(self, runner: Runner, context: Context, user: Task[Any]) -> None:
        self._loop = runner.loop
        self._asyncio_future_blocking = False
        self._cancelled: tuple[object] | None = None
        self._failure: BaseException | None = None
        self._callable_waits_for: Any = self
        self.before: Context | None = context
        self._context = context.copy()
        self.enter = self._context.run
        self._generator: Any = self._serve()  # typed as what can be awaited, which is not how it is used
        self.send = self._generator.send
        self.enter(self._generator.__next__)
        self.coro = self._stand_by()
        self._resume: Callable[[object], object]
        try:
            self.task = cast("StandbyTask", runner.start_eagerly(self.coro, self._context, StandbyTask))
        except BaseException:
            self.coro.close()
            raise
        # Nobody is to find it among the tasks that run, or to be told that it still waits when the loop has ended.
        _unregister_task(self.task)
        self.task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001  # as asyncio does
        self.task.is_marked = False
        self._references = getrefcount(self.task)
        self._user = user
        user.add_done_callback(self.dismiss)

    def is_as_it_was(self) -> bool:
        """Whether what has ended left no trace."""
        try:
            return (
                self._context == self.before
                and self._cancelled is None
                and not self.task.is_marked
                and getrefcount(self.task) == self._references
            )
        except Exception:  # values that differ cannot be compared
            return False

    def dismiss(self, _ended: object = None) -> None:
        """End the task if it serves nobody now."""
        if self.before is not None:
            self.go_on(self, None)

    def go_on(self, waits_for: object, failure: BaseException | None) -> Task[BaseException | None]:
        """Have the task go on by itself.

        Args:
            waits_for: What the callable waits for; this object where it has ended.
            failure: What it raised.

        Returns:
            The task, which has ended unless the callable has not.
        """
        self.before = None
        self._user.remove_done_callback(self.dismiss)
        self._callable_waits_for = waits_for
        self._failure = failure
        task, enter, resume = self.task, self.enter, self._resume
        _register_task(task)
        task._log_destroy_pending = True  # type: ignore[attr-defined]  # noqa: SLF001  # see __init__
        # What an error was raised through must not lead to the task that holds the error, nor this keep a context.
        del self.task, self.enter, self._context, self._resume, self._user
        outer = current_task(self._loop)
        if outer is not None:
            _leave_task(self._loop, outer)
        try:
            enter(resume, self)
        finally:
            if outer is not None:
                _enter_task(self._loop, outer)
        try:
            return task
        finally:
            del task, enter, resume, outer, failure  # the traceback of an error holds this frame

    # What the task sees of a future

    def add_done_callback(self, resume: Callable[[object], object], *, context: Context) -> None:  # noqa: ARG002  # its own
        """Take from the task what resumes it."""
        self._resume = resume

    def cancel(self, msg: object = None) -> bool:
        """Note that the callable asked for a cancellation of its task.

        Returns:
            True, for "the task will see it when it is resumed".
        """
        self._cancelled = (msg,)
        return True

    def result(self) -> None:
        """Resume the task: nothing was waited for."""

    @coroutine
    def _wait(self) -> Generator[Any, None, None]:
        self._asyncio_future_blocking = True
        yield self

    # What runs

    @coroutine
    def _serve(self) -> Generator[Any, tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]], None]:
        """Run one callable after another, for as long as the task is on standby."""
        while self._callable_waits_for is self:
            call, args, kwargs = yield self
            result = call(args[0]) if len(args) == 1 and not kwargs else call(*args, **kwargs)
            if type(result) is CoroutineType:
                yield from result  # type: ignore[misc]  # as a generator that is a coroutine may
            elif result is not None and is_awaitable(result):
                yield from result.__await__()
            del call, args, kwargs, result

    async def _stand_by(self) -> BaseException | None:
        """Wait until the task has something of its own to do, and see that to its end, as :func:`drive_alone` does."""
        await self._wait()
        try:
            if self._failure is not None:
                raise self._failure
            if self._callable_waits_for is not self:
                await self._see_to_the_end()
        except (KeyboardInterrupt, SystemExit) as error:
            return error
        finally:
            self._failure = None
            self._generator.close()
        return None

    @coroutine
    def _see_to_the_end(self) -> Generator[Any, Any, None]:
        """Go on with the callable, which waits for something already."""
        generator, waits_for, cancelled = self._generator, self._callable_waits_for, self._cancelled
        self._callable_waits_for = None
        if cancelled is not None:
            task = current_task()
            assert task is not None
            # As the task would have done, had it been asked while it ran this.
            if not task.cancelling() or (waits_for is not None and waits_for.cancel(*cancelled)):
                cancelled = None
        while True:
            try:
                yield waits_for
                if cancelled is not None:
                    raise CancelledError(*(message for message in cancelled if message is not None))  # noqa: TRY301
            except BaseException as error:
                cancelled = None
                try:
                    waits_for = generator.throw(error)
                except StopIteration:
                    return
            else:
                yield from generator
                return


async def drive_alone(
    work: Work, call: Callable[..., object], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> BaseException | None:
    """Run a single callable, and note with ``work`` that it returned.

    Returns:
        What ends the program, if the callable raised that: a task that died of it would report it.
    """
    try:
        result = call(args[0]) if len(args) == 1 and not kwargs else call(*args, **kwargs)
        if result is not None and (type(result) is CoroutineType or is_awaitable(result)):
            await result  # type: ignore[misc]  # is_awaitable was true
    except (KeyboardInterrupt, SystemExit) as error:
        return error
    work.returned = True
    return None


def outcome_alone(task: Task[BaseException | None]) -> BaseException | None:
    """Return what the callable of a task of :func:`start_alone` raised."""
    try:
        return task.exception() or task.result()
    except CancelledError as error:
        # Where it was raised through just now must not lead to the task, which holds it.
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
        return None if _is_left_behind(error) else error


def _is_left_behind(error: CancelledError) -> bool:
    """Whether a task of :func:`start_alone` ended with a cancellation that its callable never saw.

    A callable can ask for the cancellation of its task and end without being suspended. What it did not let out itself
    has never been in the coroutine.
    """
    return all(frame.f_code not in _CODES for frame, _ in walk_tb(error.__traceback__))


_CODES = (drive_alone.__code__, Standby._stand_by.__code__)  # noqa: SLF001  # of the class above
