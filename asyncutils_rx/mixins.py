"""The life cycle that the objects of this package share."""

from __future__ import annotations

from asyncio import AbstractEventLoop, CancelledError, Future, Task, current_task, get_running_loop, isfuture, wait
from typing import TYPE_CHECKING, Any, TypeVar

from ._arguments import check_awaitable
from ._runner import Runner, runner_for

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from types import TracebackType
    from typing import Self

    from .exceptions import ClosedError

__all__ = ["LoopContextMixin"]

T = TypeVar("T")


class LoopContextMixin:
    """An object that belongs to one event loop, owns tasks, and has a clean end.

    It can be made without a running loop, and belongs to the loop on which it is used first. ``async with`` runs
    :meth:`__setup__` on entry and ends the object on exit: :meth:`__cleanup__` first, then every task that it owns
    is cancelled and awaited. :meth:`aclose` is the same end without a context. A subclass overrides the two hooks.
    """

    def __init__(self) -> None:
        self._loop: AbstractEventLoop | None = None
        self._runner: Runner | None = None
        self._entered = False
        self._body_failed = False
        self._closing: Future[None] | None = None
        self._closer: Task[Any] | None = None
        self._closed = False
        self._owned: set[Task[Any]] = set()

    # The loop

    @property
    def loop(self) -> AbstractEventLoop:
        """The event loop that this object belongs to; an object that has none yet is bound to the running one.

        Raises:
            NoLoopError: The object has no loop yet, and none is running.
        """
        if self._loop is None:
            self._bind()
        assert self._loop is not None
        return self._loop

    def _bind(self) -> Runner:
        """Bind to the running loop, or see that it is the one bound to; return its runner."""
        try:
            loop = get_running_loop()
        except RuntimeError:
            from .exceptions import NoLoopError

            raise NoLoopError(
                repr(self), "this needs a running event loop; call it from a coroutine, under asyncio.run()"
            ) from None
        if self._runner is None:
            self._loop = loop
            self._runner = runner_for(loop)
            self._on_bound()
        elif self._loop is not loop:
            from .exceptions import WrongLoopError

            raise WrongLoopError(
                repr(self), "it belongs to another event loop; make one object per loop, or reach it thread-safely"
            )
        return self._runner

    def _on_bound(self) -> None:
        """What happens once the object has a loop."""

    def _check_open(self) -> None:
        if self._closing is not None or self._closed:
            raise self._closed_error("it is closed; make a new one")

    def _closed_error(self, remedy: str) -> ClosedError:
        from .exceptions import ClosedError

        return ClosedError(repr(self), remedy)

    # Owned tasks

    @property
    def running_tasks(self) -> frozenset[Task[Any]]:
        """The tasks that this object owns and that have not ended."""
        return frozenset(task for task in self._owned if not task.done())

    def make(self, awaitable: Awaitable[T], /) -> Task[T]:
        """Run ``awaitable`` in a task that this object owns: it ends, at the latest, when the object is closed.

        An error of the task is its awaiter's; asyncio reports it where nobody takes it. :meth:`__cleanup__` can still
        make tasks.

        Raises:
            ArgumentTypeError: It cannot be awaited.
            ClosedError: The object is closed. The coroutine, if it is one, was closed.
            NoLoopError: No loop is running.
            WrongLoopError: The object belongs to another loop, or ``awaitable`` is a task or future that does.
        """
        check_awaitable(f"{type(self).__name__}.make", "awaitable", awaitable)
        try:
            loop = self._bind().loop
            if self._closer is None or current_task() is not self._closer:
                self._check_open()
        except BaseException:
            close = getattr(awaitable, "close", None)
            if close is not None:
                close()
            raise
        if isfuture(awaitable) and awaitable.get_loop() is not loop:
            from .exceptions import WrongLoopError, shown

            raise WrongLoopError(
                shown(awaitable), f"it belongs to another event loop than {self!r}, which could not await its end"
            )
        task: Task[T]
        if isinstance(awaitable, Task):
            task = awaitable
        elif hasattr(awaitable, "send"):
            task = loop.create_task(awaitable)  # type: ignore[arg-type]  # it has the methods of a coroutine
        else:
            task = loop.create_task(_await(awaitable))
        return self._own(task)

    def _own(self, task: Task[T]) -> Task[T]:
        self._owned.add(task)
        task.add_done_callback(self._owned.discard)
        return task

    # The life cycle

    async def __setup__(self) -> None:
        """What happens on entry. A failure leaves nothing behind: owned tasks are cancelled and awaited."""

    async def __cleanup__(self) -> None:
        """What happens first at the end, while the object still works."""

    async def __aenter__(self) -> Self:
        """Bind to the running loop and run :meth:`__setup__`.

        Raises:
            AlreadyEnteredError: It was entered before.
            ClosedError: It is closed.

        Cancellation: as a failing set-up: nothing is left behind, and the object is closed.
        """
        self._bind()
        if self._entered:
            from .exceptions import AlreadyEnteredError

            raise AlreadyEnteredError(repr(self), "its context was entered before; make a new object")
        self._check_open()
        self._entered = True
        try:
            await self.__setup__()
        except BaseException:
            self._body_failed = True
            await self._end(cleanup=False)
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """End the object; see :meth:`aclose`."""
        self._body_failed = exc_type is not None
        await self.aclose()

    async def aclose(self) -> None:
        """End the object: run :meth:`__cleanup__`, then cancel and await every task that it owns.

        Closing again is harmless: it waits for a close that is under way, and does nothing after it, or where the
        close that is under way is what calls it.

        Cancellation: the clean-up is cut short, owned tasks are cancelled and awaited, and then CancelledError is
        raised; the object is closed.
        """
        if self._closed:
            return
        self._bind()
        if self._closing is None:
            await self._end(cleanup=True)
        elif current_task() is not self._closer:
            await wait([self._closing])

    async def _end(self, *, cleanup: bool) -> None:
        assert self._loop is not None
        self._closing = self._loop.create_future()
        self._closer = current_task()
        try:
            if cleanup:
                await self.__cleanup__()
        finally:
            try:
                await self._cancel_owned()
            finally:
                if self._runner is not None and self._runner.standby is not None:
                    self._runner.standby.dismiss()
                self._closed = True
                self._closer = None
                self._closing.set_result(None)

    async def _cancel_owned(self) -> None:
        """Cancel the owned tasks, but for the one that runs this, and await them; report what they raised."""
        assert self._runner is not None
        cancelled: CancelledError | None = None
        mine = current_task()
        while tasks := {task for task in self._owned if task is not mine and not task.done()}:
            for task in tasks:
                task.cancel()
            try:
                await wait(tasks)
            except CancelledError as error:
                cancelled = error
            for task in tasks:
                if task.done() and not task.cancelled() and (failure := task.exception()) is not None:
                    self._runner.report(f"a task of {self!r} failed while it was being closed", failure, self)
        if cancelled is not None:
            try:
                raise cancelled
            finally:
                cancelled = None


async def _await(awaitable: Awaitable[T]) -> T:
    return await awaitable
