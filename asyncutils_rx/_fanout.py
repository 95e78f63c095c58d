"""The structured fan-out: start callables in order, concurrently, and end when all of them have ended.

Knows no observable and no bus. The rules it keeps:

* Callables start in order. One that suspends has a task of its own from its start to its end. Those that end
  without suspending may share one, until one of them changes a context variable or cancels its task.
* A *driver* is the task that takes callables from the shared iterator. As soon as a driver is suspended, the next
  callables are taken by another one. So a fan-out makes one task, and one more for each callable that suspends.
* Where tasks can start eagerly, every callable has started when :meth:`FanOut.start` returns (unless the gate is
  shut). Where they cannot, the drivers are made in the loop's next turns, twice as many in each.
* No failing callable stops another one, unless ``fail_fast`` is set, or it raised ``KeyboardInterrupt`` or
  ``SystemExit``: these cancel the others, and are noted like any error for whoever waits.
"""

from __future__ import annotations

from asyncio import CancelledError, Task, current_task
from collections import OrderedDict
from contextvars import copy_context
from operator import length_hint
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from ._alone import ENDING, differs, is_awaitable, outcome_alone
from ._runner import EAGER_DEPTH, HAS_EAGER_TASKS, Runner, Work

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
    from contextvars import Context, ContextVar

__all__ = ["Alone", "FanOut", "Gate", "Scope"]


class Gate:
    """How many drivers may be alive at a time, over all the fan-outs that share the gate; first come, first served.

    A fan-out that has been let in is the first one in line until all its callables have a driver, so the next one
    starts none before.

    Args:
        limit: The number of drivers, at least 1.

    Attributes:
        shut: How many were let in and are about to go on; nobody else is let in before.
        urgent: Who waits to go on with what is under way: before all the others, and whether the gate is shut or not.
        waiting: Who else waits.
    """

    __slots__ = ("free", "limit", "shut", "urgent", "waiting")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.free = limit
        self.shut = 0
        self.urgent: OrderedDict[Callable[[], bool], None] = OrderedDict()
        self.waiting: OrderedDict[Callable[[], bool], None] = OrderedDict()

    @property
    def taken(self) -> int:
        """How many places are in use."""
        return self.limit - self.free

    @property
    def open(self) -> bool:
        """Whether whoever comes is let in at once."""
        return self.free > 0 and not self.waiting and not self.shut

    def enter(self, resume: Callable[[], bool], *, first: bool = False, urgent: bool = False) -> bool:
        """Take a place and return True, or return False and call ``resume`` once, later, with a place taken for it.

        Args:
            resume: Returns whether it keeps that place.
            first: Whether it was let in before, and needs one more.
            urgent: Whether it belongs to what is under way.
        """
        if self.free > 0 and (first or urgent or not (self.waiting or self.shut)):
            self.free -= 1
            self.waiting.pop(resume, None)
            return True
        if urgent:
            self.urgent[resume] = None
        else:
            self.waiting[resume] = None
            if first:
                self.waiting.move_to_end(resume, last=False)
        return False

    def leave(self) -> None:
        """Give a place back; whoever is next in line and has a use for it gets it at once."""
        self.free += 1
        self.admit()

    def admit(self) -> None:
        """Let in whoever waits, for as long as there are places."""
        while self.free > 0 and (self.urgent or (self.waiting and not self.shut)):
            resume, _ = (self.urgent or self.waiting).popitem(last=False)
            self.free -= 1
            if not resume():
                self.free += 1

    def withdraw(self, resume: Callable[[], bool]) -> bool:
        """Stop waiting; return whether ``resume`` was waiting."""
        for line in (self.urgent, self.waiting):
            if resume in line:
                del line[resume]
                return True
        return False


class Scope:
    """What one call waits for: pieces of work that begin and end, and a wake-up when there is something to do.

    Args:
        runner: The runner of the loop.
    """

    __slots__ = ("_waiter", "caller", "pending", "runner")

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.pending: int = 0
        self.caller: Task[Any] | None = None
        self._waiter: Future[None] | None = None

    def begin(self) -> None:
        """Count one more piece of work."""
        self.pending += 1

    def end(self) -> None:
        """Count one piece of work less, and wake the call after the last one."""
        self.pending -= 1
        if self.pending == 0:
            self.wake()

    def wake(self) -> None:
        """Let the call look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> None:
        """Wait for the next :meth:`wake`.

        Cancellation: raises CancelledError; the work goes on, and whoever cancelled has to cancel it too.
        """
        self._waiter = self.runner.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def join(self, cancel: Callable[[], None]) -> None:
        """Wait until no work is pending. A cancellation cancels the work, by ``cancel``, and still awaits its end.

        Cancellation: raises CancelledError once all the work has ended; each one calls ``cancel``.
        """
        cancelled: CancelledError | None = None
        while self.pending:
            try:
                await self.wait()
            except CancelledError as error:
                cancelled = error
                cancel()
        if cancelled is not None:
            try:
                raise cancelled
            finally:
                cancelled = None


# What most fan-outs never have, shared by them: who adds to it makes one of its own.
_NO_ERRORS: list[tuple[int, BaseException]] = []
_NO_TASKS: dict[Task[Any], None] = {}
_NO_KEYWORDS: dict[str, Any] = {}
_NONE: Iterator[Callable[..., object]] = iter(())
_NONE_NUMBERED = enumerate(_NONE)


class FanOut(Work):
    """One concurrent start of some callables with the same arguments.

    Args:
        runner: The runner of the loop.
        calls: The callables, in the order of their start. Not changed; must not change meanwhile.
        args: The positional arguments for each.
        kwargs: The keyword arguments for each.
        on_end: Called once with the fan-out when nothing runs or will be started, unless :meth:`start` returned True.
        owner: Whatever started it; opaque here.
        context: The context whose copies the drivers run in; the current one if None.
        gate: A limit shared with other fan-outs, or None.
        fail_fast: Whether the first error cancels the other callables.

    Attributes:
        errors: ``(index, error)`` of each callable that raised, in the order of the failures.
        skip: Callables that are not to be started any more, or None.
        urgent: Whether it belongs to what is under way behind the gate already.
    """

    def __init__(
        self,
        runner: Runner,
        calls: Sequence[Callable[..., object]],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        on_end: Callable[[FanOut], None],
        owner: object = None,
        context: Context | None = None,
        gate: Gate | None = None,
        fail_fast: bool = False,
    ) -> None:
        # What any work has is set here too: one more call would be felt.
        self.caller = None
        self.outer = None
        self.coro = None
        self.owner = owner
        self.runner = runner
        self.args: tuple[Any, ...] = args
        self.kwargs: Mapping[str, Any] = kwargs
        self.on_end = on_end
        self.fail_fast = fail_fast
        self.skip: Collection[object] | None = None
        self.urgent = False
        self.errors = _NO_ERRORS
        self._rest = iter(calls)
        self._calls = enumerate(self._rest)
        self._context = context
        self._gate = gate
        self._live = _NO_TASKS
        self._over = False
        self._stopped = False
        self._turn = 0
        self._width = 1

    def renew(self, calls: Sequence[Callable[..., object]], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Be as good as new, after a start that ended at once and well; a new one costs several times as much."""
        self.args = args
        self.kwargs = kwargs
        self._rest = rest = iter(calls)
        self._calls = enumerate(rest)
        self._over = False

    def forget(self) -> None:
        """Hold nothing of what is past, until it is renewed."""
        self.caller = None
        self.args = ()
        self.kwargs = _NO_KEYWORDS
        self._rest = _NONE
        self._calls = _NONE_NUMBERED  # the one that was used up still holds the last of them

    @property
    def ended(self) -> bool:
        """Whether every callable has ended, or was not started and never will be."""
        return not self._live and not self._left

    @property
    def running(self) -> int:
        """How many tasks run its callables."""
        return len(self._live)

    @property
    def waiting(self) -> int:
        """How many callables have not been taken, and will be."""
        return self._left

    @property
    def _left(self) -> int:
        """How many callables have not been taken, and will be."""
        return 0 if self._stopped else length_hint(self._rest)

    def start(self) -> bool:
        """Start the callables; return whether all of them have ended already."""
        left = length_hint(self._rest)
        if left:
            runner = self.runner
            if runner.eager is not None or runner.tasks:
                self.caller = current_task(runner.loop)
            try:
                if (
                    self._gate is None
                    and runner.depth < EAGER_DEPTH
                    and runner.has_eager_tasks
                    and runner.loop.get_task_factory() is None
                ):
                    self._start_on_the_spot(runner, left)
                    # Nothing is left that will be taken.
                    self._over = not self._live
                    return self._over
                self._advance()
            except BaseException:
                self.cancel()
                raise
        self._over = not self._live and not self._left
        return self._over

    def _start_on_the_spot(self, runner: Runner, left: int) -> None:
        """Make the drivers eagerly, without a gate: as :meth:`_start_drivers`, without what only others need.

        These drivers say themselves when they have ended; a callback each would cost as much again.
        """
        coro: Coroutine[Any, Any, None]
        loop, rest = runner.loop, self._rest
        self.outer = outer = runner.eager
        runner.eager = self
        runner.depth += 1
        try:
            while left:
                if left == 1:
                    context = None if self._context is None else self._context.copy()
                    coro = self._drive_one()
                else:
                    context = copy_context() if self._context is None else self._context.copy()
                    coro = self._drive(self._turn, context)
                self.coro = coro
                task: Task[None]
                try:
                    if HAS_EAGER_TASKS:
                        task = Task(coro, loop=loop, context=context, eager_start=True)  # type: ignore[call-arg]  # since 3.12
                    else:
                        task = runner.start_eagerly(coro, context)
                except BaseException:
                    coro.close()
                    raise
                if not task.done():
                    if not self._live:
                        self._live = {}
                    self._live[task] = None
                    runner.tasks[task] = self
                    self._turn += 1
                left = 0 if self._stopped else length_hint(rest)
        finally:
            runner.depth -= 1
            runner.eager = outer
            self.outer = self.coro = None

    def _driver_ends(self) -> None:
        """Count out the driver that runs this, if it was suspended and nobody else counts it out."""
        try:
            task = current_task()
        except RuntimeError:  # destroyed with its loop
            return
        if task is not None and task in self._live:
            del self._live[task]
            del self.runner.tasks[task]
            if not self._live:
                self._finish()

    def cancel(self) -> None:
        """Start no further callable, and cancel those that run."""
        self._stop()
        for task in list(self._live):
            task.cancel()
        self._finish()

    # Taking turns

    def _advance(self, *, first: bool = False) -> None:
        """Start what is left, unless the gate is shut: then go on when it opens."""
        if self._next_place(first):
            self._start_drivers()

    def _admitted(self) -> bool:
        """Go on with a place of the gate taken; return whether it was of use."""
        if not self._left:
            return False
        self._start_unattended()
        self._finish()
        return True

    def _start_unattended(self) -> None:
        """Start drivers where nobody on the stack waits for them: what keeps one from starting is its own error."""
        try:
            self._start_drivers()
        except BaseException as error:
            index, _ = next(self._calls, (0, None))
            self._stop()
            self._note(index, error)

    def _start_late(self) -> None:
        """Go on, on a fresh stack, with the place of the gate that was taken before."""
        gate = self._gate
        if gate is None:
            self._admitted()
            return
        gate.shut -= 1
        if self._admitted():
            gate.admit()
        else:
            gate.leave()

    def _finish(self) -> None:
        if self.ended and not self._over:
            self._over = True
            self.on_end(self)

    def _start_drivers(self) -> None:
        """Start drivers on top of the stack, so that the runner can tell whose task is running meanwhile."""
        runner = self.runner
        if runner.depth >= EAGER_DEPTH:
            if self._gate is not None:
                self._gate.shut += 1
            runner.loop.call_soon(self._start_late)
            return
        eagerly = runner.starts_eagerly()
        if eagerly and self._gate is None:
            self._start_on_the_spot(runner, self._left)
            return
        # What starts on the stack can give places back, and those are not for whoever comes after this.
        gate = self._gate if self._left > 1 else None
        if gate is not None:
            gate.shut += 1
        self.outer = runner.eager
        runner.eager = self
        runner.depth += 1
        try:
            self._make_drivers(eagerly)
        finally:
            try:
                if gate is not None:
                    gate.shut -= 1
                    gate.admit()  # on top of this stack, whose depth counts
            finally:
                runner.depth -= 1
                runner.eager = self.outer
                self.outer = None
                self.coro = None

    def _make_drivers(self, eagerly: bool) -> None:
        """Make drivers, the first with the place taken: all that are needed, or some if they start in the next turn."""
        width = unstarted = min(self._width, self._left)
        self._width *= 2
        while True:
            left = self._left
            try:
                task = self._make_driver(eagerly)
            except BaseException:
                if self._gate is not None:
                    self._gate.leave()
                raise
            self._watch(task)
            now = self._left
            if not now:
                return
            begun = now < left
            if begun:
                # A task factory can start it at once too. It is suspended or left a trace: it takes no more.
                self._turn += 1
            else:
                width -= 1
            if width == 0 or not self._next_place(True):
                if not begun:
                    # Where each that is left has its driver, they start before whatever is let in meanwhile.
                    shut = None if unstarted - width >= now else self._gate
                    if shut is not None:
                        shut.shut += 1
                    self.runner.loop.call_soon(self._continue, shut)
                return

    def _make_driver(self, eagerly: bool) -> Task[None]:
        if eagerly:
            context = copy_context() if self._context is None else self._context.copy()
            self.coro = self._drive(self._turn, context)
            return self.runner.start_eagerly(self.coro, context)
        self.coro = coro = self._drive(self._turn, None)
        try:
            return self.runner.start_soon(coro, self._context)
        except BaseException:
            # The task factory raised, and may not have closed what it was given.
            coro.close()
            raise

    def _continue(self, shut: Gate | None) -> None:
        """In the turn after the drivers' first step: those that are suspended take no more, others go on."""
        self._turn += 1
        if shut is not None:
            shut.shut -= 1
        try:
            if self._left:
                if self._next_place(True):
                    self._start_unattended()
                self._finish()
        finally:
            if shut is not None:
                shut.admit()

    def _next_place(self, first: bool) -> bool:
        if self._gate is None or self._gate.enter(self._admitted, first=first, urgent=self.urgent):
            return True
        if self._context is None:
            # Whoever opens the gate calls back in a context of its own.
            self._context = copy_context()
        return False

    def _watch(self, task: Task[Any]) -> None:
        if task.done():
            self._settle(task)
        else:
            if not self._live:
                self._live = {}
            self._live[task] = None
            self.runner.tasks[task] = self
            task.add_done_callback(self._ended)

    def _ended(self, task: Task[Any]) -> None:
        del self._live[task]
        del self.runner.tasks[task]
        self._settle(task)
        if not self._live:
            self._finish()

    def _settle(self, task: Task[Any]) -> None:
        """Take what a driver left: its place, and an error that it could not note itself."""
        if not task.cancelled():
            error = task.exception()
            if error is not None and not any(error is noted for _, noted in self.errors):
                self._note(len(self.errors), error)
        if self._gate is not None:
            self._gate.leave()

    def _stop(self) -> None:
        """Take no further callable."""
        self._turn += 1
        self._stopped = True
        if self._gate is not None:
            self._gate.withdraw(self._admitted)

    def _note(self, index: int, error: BaseException) -> None:
        if not self.errors:
            self.errors = []
        self.errors.append((index, error))
        if self.fail_fast or isinstance(error, ENDING):
            self.fail_fast = False
            running = current_task(self.runner.loop)
            self._stop()
            for task in list(self._live):
                if task is not running:
                    task.cancel()

    async def _drive_one(self) -> None:
        """Take the last callable, eagerly."""
        index, call = next(self._calls)
        try:
            if self.skip is None or call not in self.skip:
                args, kwargs = self.args, self.kwargs
                result = call(args[0]) if len(args) == 1 and not kwargs else call(*args, **kwargs)
                if result is not None and (type(result) is CoroutineType or is_awaitable(result)):
                    await result  # type: ignore[misc]  # is_awaitable was true
        except CancelledError as error:
            self._note(index, error)
            raise
        except BaseException as error:  # see _drive
            self._note(index, error)
        finally:
            if self._live:
                self._driver_ends()

    async def _drive(self, turn: int, context: Context | None) -> None:
        """Take callables, one after another, for as long as none of them suspends or leaves a trace."""
        args = self.args
        kwargs = self.kwargs
        # By itself, one argument is passed much faster than a tuple of one is unpacked.
        single = len(args) == 1 and not kwargs
        value = args[0] if single else None
        own = copy_context() if context is None else context
        before = own.copy()
        held: tuple[tuple[ContextVar[Any], object], ...] = ()
        cancelling: Callable[[], int] | None = None
        index = -1
        try:
            for index, call in self._calls:
                if self.skip is not None and call in self.skip:
                    continue
                try:
                    result = call(value) if single else call(*args, **kwargs)
                    if result is not None and (type(result) is CoroutineType or is_awaitable(result)):
                        await result  # type: ignore[misc]  # is_awaitable was true
                except (CancelledError, GeneratorExit):
                    raise
                except BaseException as error:
                    # KeyboardInterrupt and its like too: whoever waits for the fan-out raises it. A task that died of
                    # it would leave an error that nobody asks for.
                    self._note(index, error)
                if self._turn != turn:
                    return
                if cancelling is None:
                    if self._stopped or not length_hint(self._rest):
                        return
                    task = current_task()
                    assert task is not None
                    cancelling = task.cancelling
                    held = tuple(before.items()) if before else ()
                # Whoever leaves a trace, in the context or as a cancellation of the task, is the last of this driver.
                if context is None:
                    own = copy_context()
                if (differs(own, before, held) if held else own) or cancelling():
                    return
        except CancelledError as error:
            self._note(index, error)
            raise
        except BaseException as error:
            self._note(index, error)
        finally:
            if context is not None and self._gate is None and self._live:
                self._driver_ends()


class Alone(FanOut):
    """The fan-out of a single callable whose task was started without one, and is suspended.

    Args:
        runner: The runner of the loop.
        task: The task, as :func:`start_alone` returned it.
        on_end: Called once with the fan-out when the task has ended.
        owner: Whatever started it; opaque here.
        work: What the task was started for.
    """

    def __init__(
        self, runner: Runner, task: Task[None], on_end: Callable[[FanOut], None], owner: object, work: Work
    ) -> None:
        super().__init__(runner, (), (), {}, on_end, owner)
        self._work = work
        self._watch(task)

    def _settle(self, task: Task[Any]) -> None:
        error = outcome_alone(task, self._work)
        if error is not None:
            self._note(0, error)
