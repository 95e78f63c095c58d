"""A callable in a task: one of its own, or one that is kept for whatever ends without being suspended.

To make a task costs more than all the rest of a call that ends at once. So where one task makes such calls again and
again, the loop has a task on *standby*, which waits for nothing. A callable is run as a part of it: with it as the
current task, and in a context of its own. If the callable ends and has left no trace, the task is as it was, and serves
again. If it is suspended, the task is its own from then on: it goes on in it as in any other.

A trace is whatever the next one could notice: a cancellation, a name, a callback, an attribute, or that anybody still
refers to the task. A task with a trace has ended by the time that this is seen.
"""

from __future__ import annotations

import sys
from asyncio import CancelledError, Task, _leave_task, _register_task, _unregister_task, current_task
from contextvars import Context, copy_context
from gc import get_referents
from inspect import CO_ITERABLE_COROUTINE
from sys import getrefcount
from types import CoroutineType, GeneratorType, coroutine
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import getweakrefcount

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
    from contextvars import ContextVar

    from ._runner import Runner, Work

__all__ = [
    "CALLS_BEFORE_STANDBY",
    "ENDING",
    "Standby",
    "differs",
    "drive_alone",
    "is_awaitable",
    "outcome_alone",
    "start_alone",
    "start_coroutine",
]

T = TypeVar("T")

ENDING = (KeyboardInterrupt, SystemExit)
"""What ends the program: it is raised by whoever waits for the callable, and goes to no handler."""

CALLS_BEFORE_STANDBY = 8
"""So many calls in a row have to be made by one task, and to end at once, before a task is made for them."""

# One call from C: a signal can raise before or after it, and not in between.
if sys.version_info >= (3, 12):
    from asyncio.tasks import _swap_current_task as make_current
else:
    from asyncio.tasks import (  # type: ignore[attr-defined]
        _current_tasks,  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]
    )

    make_current: Any = _current_tasks.__setitem__  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def is_awaitable(value: object) -> bool:
    """Whether ``value`` can be awaited."""
    return (
        type(value) is CoroutineType
        or hasattr(type(value), "__await__")
        or (type(value) is GeneratorType and bool(value.gi_code.co_flags & CO_ITERABLE_COROUTINE))
    )


def differs(context: Context, before: Context, held: tuple[tuple[ContextVar[Any], object], ...]) -> bool:
    """Whether a variable holds another object than before, be it one that equals that.

    No value is asked whether it equals another: that may take long, fail, or be true of what is not the same.

    Args:
        context: A context.
        before: Another one.
        held: The items of that.
    """
    if len(context) != len(held):
        return True
    # Contexts share what they hold where nothing was set, but to see that takes as long as to look at a few.
    if len(held) > _FEW and get_referents(context)[-1] is get_referents(before)[-1]:
        return False
    for variable, value in held:  # noqa: SIM110  # takes less time
        if context.get(variable, _UNSET) is not value:
            return True
    return False


_NO_CONTEXT = Context()
_FEW = 7
_UNSET: Any = object()


# Starting


def start_alone(
    runner: Runner,
    work: Work,
    call: Callable[..., object],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Task[None] | None:
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
    context = copy_context()
    standby = runner.standby or _new_standby(runner)
    if standby is None:
        return _start_in_its_own(runner, work, call, args, kwargs, context)
    runner.standby = None
    standby.context = context
    waits_for: object = None
    # A signal can raise as soon as any call here has returned, and must find a way back from there.
    outer = current_task(runner.loop)
    try:
        runner.eager = work
        work.coro = standby.coro
        make_current(runner.loop, standby.task)
        waits_for = context.run(standby.send, (call, args, kwargs))
    except BaseException as error:
        # Where it was raised through must not lead to the tasks that are known here.
        work.failure = error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
    finally:
        runner.eager = work.coro = None
        if outer is None:
            _leave_task(runner.loop, standby.task)
        else:
            make_current(runner.loop, outer)
    if (
        waits_for is standby
        and not standby.task.is_marked
        and getrefcount(standby.task) == standby.references
        and not getweakrefcount(standby.task)
    ):
        standby.context = _NO_CONTEXT
        runner.standby = standby
        return None
    try:
        return standby.go_on(work, waits_for)
    finally:
        outer = None  # the traceback of an error holds this frame


def _start_in_its_own(
    runner: Runner,
    work: Work,
    call: Callable[..., object],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    context: Context,
) -> Task[None] | None:
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


def _new_standby(runner: Runner) -> Standby | None:
    """Return a task on standby where it pays: calls are regular, and nothing is left over of them."""
    user = current_task()
    if runner.regular != id(user):
        runner.regular = id(user)
        runner.regularity = 0
    runner.regularity += 1
    if runner.regularity < CALLS_BEFORE_STANDBY or user is None:
        return None
    runner.regularity = 0
    return Standby(runner, user)


class StandbyTask(Task[None]):
    """The task on standby. It notes what is done to it; to ask it what was done would take as long as to make another.

    Attributes:
        is_marked: Whether it was given a name, a callback or an attribute, or was cancelled.
        standby: What runs in it.
    """

    __slots__ = ("is_marked", "standby")

    def add_done_callback(self, fn: Callable[[Any], object], /, *, context: Context | None = None) -> None:
        """Note it."""
        self.is_marked = True
        super().add_done_callback(fn, context=context)

    def set_name(self, value: object, /) -> None:
        """Note it."""
        self.is_marked = True
        super().set_name(value)

    if sys.version_info >= (3, 12):

        def get_context(self) -> Context:
            """Return the context of what runs in it."""
            standby: Standby = self.standby
            return standby.context

    def __setattr__(self, name: str, value: object) -> None:
        """Note it."""
        super().__setattr__("is_marked", True)
        super().__setattr__(name, value)


class Standby:
    """A task that waits until something is to be run as a part of it.

    The task waits for this object, which has as much of a future as a task asks for. What runs in the task, without it
    knowing, is a generator.

    Args:
        runner: The runner of the loop.
        user: The task that makes the calls. This is not to live longer than that.

    Attributes:
        task: The task, until it is given away.
        coro: The coroutine of the task.
        context: The context of the callable; an empty one while there is none.
        references: How many references to the task there are.
        serves: Whether the task has not been given away.
        send: Has the generator run a callable, ``(call, args, kwargs)``; returns this object once that has ended.
    """

    __slots__ = (
        "__weakref__",
        "_asyncio_future_blocking",
        "_generator",
        "_loop",
        "_resume",
        "_runner",
        "_user",
        "_waits_for",
        "_work",
        "context",
        "coro",
        "references",
        "send",
        "serves",
        "task",
    )

    def __init__(self, runner: Runner, user: Task[Any]) -> None:
        self._runner = runner
        self._loop = runner.loop
        self._asyncio_future_blocking = False
        self._waits_for: Any = self
        self._work: Work | None = None
        self.serves = True
        self.context = _NO_CONTEXT
        self._generator: Any = self._serve()  # typed as what can be awaited, which is not how it is used
        self.send = self._generator.send
        next(self._generator)
        self.coro = self._stand_by()
        self._resume: Callable[[object], object]
        try:
            self.task = cast("StandbyTask", runner.start_eagerly(self.coro, Context(), StandbyTask))
        except BaseException:
            self.coro.close()
            raise
        # Nobody is to find it among the tasks that run, or to be told that it still waits when the loop has ended.
        _unregister_task(self.task)
        self.task._log_destroy_pending = False  # noqa: SLF001  # as asyncio does
        self.task.standby = self
        self.task.is_marked = False
        self.references = getrefcount(self.task)
        self._user = user
        user.add_done_callback(self.dismiss)

    def dismiss(self, _ended: object = None) -> None:
        """End the task if it serves nobody now."""
        if self.serves:
            self._runner.standby = None
            self.go_on(None, self)

    def go_on(self, work: Work | None, waits_for: object) -> Task[None]:
        """Have the task go on by itself.

        Args:
            work: What it belongs to, which knows what the callable raised; None where it has served nobody.
            waits_for: What the callable waits for; this object where it has ended.

        Returns:
            The task, which has ended unless the callable has not.
        """
        self.serves = False
        self._user.remove_done_callback(self.dismiss)
        self._work = work
        self._waits_for = waits_for
        task, resume = self.task, self._resume
        # What an error was raised through must not lead to the task that holds the error.
        del self.task, self._resume, self._user, self._runner
        outer = current_task(self._loop)
        try:
            if outer is not None:
                _leave_task(self._loop, outer)
            resume(self)
        finally:
            if outer is not None:
                make_current(self._loop, outer)
        try:
            # As late as this, for one that a signal has kept from being resumed never ends.
            task._log_destroy_pending = True  # noqa: SLF001  # see __init__
            _register_task(task)
            return task
        finally:
            del task, resume, outer  # the traceback of an error holds this frame

    # What the task sees of a future

    def add_done_callback(self, resume: Callable[[object], object], *, context: Context) -> None:  # noqa: ARG002  # its own
        """Take from the task what resumes it."""
        self._resume = resume

    def cancel(self, msg: object = None) -> bool:  # noqa: ARG002  # as a future's
        """Note that the callable asked for a cancellation of its task.

        Returns:
            False, for "the task has to see to that", as one that runs does.
        """
        self.task.is_marked = True
        return False

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
        while self._waits_for is self:
            call, args, kwargs = yield self
            result = call(args[0]) if len(args) == 1 and not kwargs else call(*args, **kwargs)
            if type(result) is CoroutineType and result.cr_await is None:
                yield from result  # type: ignore[misc]  # as a generator that is a coroutine may
            elif result is not None and is_awaitable(result):  # pyright: ignore[reportUnknownArgumentType]
                yield from _await(result)  # pyright: ignore[reportUnknownArgumentType]
            del call, args, kwargs, result

    async def _stand_by(self) -> None:
        """Wait until the task has something of its own to do, and see that to its end, as :func:`drive_alone` does."""
        try:
            await self._wait()
        except CancelledError as error:
            self._cancel_again(error)
        work = self._work
        try:
            if work is None:
                return
            if work.failure is not None:
                raise work.failure  # noqa: TRY301
            if self._waits_for is not self:
                await self._see_to_the_end()
        except BaseException as error:
            assert work is not None
            work.failure = error
            if not isinstance(error, ENDING):
                raise
        finally:
            self._work = None
            self._generator.close()

    @staticmethod
    def _cancel_again(error: CancelledError) -> None:
        """Have the task be cancelled where it goes on, as the callable has asked for, and not here."""
        task = current_task()
        assert task is not None
        task.cancel(*error.args)
        task.uncancel()

    @coroutine
    def _see_to_the_end(self) -> Generator[Any, Any, None]:
        """Go on with the callable, which waits for something already."""
        generator, waits_for, run = self._generator, self._waits_for, self.context.run
        self._waits_for = None
        while True:
            failure: BaseException | None = None
            try:
                yield waits_for
            except BaseException as error:
                failure = error
            # Not where that is being handled: the callable would see that it is.
            try:
                waits_for = run(generator.send, None) if failure is None else run(generator.throw, failure)
            except StopIteration:
                return
            finally:
                del failure


async def _await(awaitable: Awaitable[object]) -> None:
    await awaitable


async def drive_alone(
    work: Work, call: Callable[..., object], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> None:
    """Run a single callable, and note with ``work`` that it returned, or what it raised.

    What ends the program is not let out: a task that died of it would report it.
    """
    try:
        result = call(args[0]) if len(args) == 1 and not kwargs else call(*args, **kwargs)
        if result is not None and (type(result) is CoroutineType or is_awaitable(result)):
            await result  # type: ignore[misc]  # is_awaitable was true
    except BaseException as error:
        work.failure = error
        if not isinstance(error, ENDING):
            raise
    else:
        work.returned = True


def outcome_alone(task: Task[None], work: Work) -> BaseException | None:
    """Return what the callable of a task of :func:`start_alone` raised; it is the caller's from now on.

    The task does not tell: a callable can ask for its cancellation and end without meeting that, which then is all that
    the task knows; and a cancellation that was raised is told once, to whoever asks first.
    """
    failure, work.failure = work.failure, None
    if not task.cancelled():
        error = task.exception()
        if failure is None:
            failure = error
    return failure
