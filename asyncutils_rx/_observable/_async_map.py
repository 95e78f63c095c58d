"""Mapping by an asynchronous function: in order, as results come, or only the latest."""

from __future__ import annotations

from asyncio import Future, Task, current_task, sleep, wait
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from .._alone import is_awaitable
from .._runner import Work
from ._cascade import is_inside, logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ._core import Core

__all__ = ["MODES", "AsyncMap"]

MODES = ("ordered", "unordered", "latest")


class AsyncMap:
    """The calls of one derived observable; it stands where other derived observables have a chain of operators.

    Args:
        source: Whose notifications are mapped.
        target: The derived observable, new; held weakly but by the calls that are under way.
        fn: The function.
        mode: One of :data:`MODES`.
        limit: How many calls may be under way; None is any number.
        quiet: Whether errors are logged instead of reported.
    """

    holds = False

    def __init__(
        self, source: Core, target: Core, fn: Callable[..., Any], mode: str, limit: int | None, quiet: bool
    ) -> None:
        self._source = source
        self._target = ref(target)
        self._fn = fn
        self._mode = mode
        self._free = limit
        self._quiet = quiet
        self._waiting: deque[Future[bool]] = deque()
        self._admitted = 0
        self._newest = 0
        self._calls: dict[Task[None], bool] = {}
        self._work = Work()
        self._work.owner = ref(self)
        self._tail: Future[None] | None = None
        self._completed = False
        self._failure: Exception | None = None
        name = getattr(fn, "__qualname__", type(fn).__name__)
        target._label = f"map_async({name}, {mode})"
        target._sources = (source,)
        target._quiet = quiet
        target._chain = self
        if source._children is None:
            source._children = WeakKeyDictionary()
        source._children[target] = None
        # The source holds the branch, and that holds nothing: so the derived observable can be collected.
        self._branch = _Branch(self)
        source._observers.add_branch(self._branch)

    # Taking notifications

    def take(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Awaitable[None] | None:
        """Begin a call, or return an awaitable that does so when there is a place."""
        target = self._target()
        if target is None or self._completed:
            return None
        self._newest += 1
        if self._mode == "latest":
            self._supersede()
        if self._free is None or (self._free > 0 and not self._waiting):
            self._begin(target, args, kwargs)
            return None
        if is_inside(target._bound(), current_task(), (self._work.owner,)):
            # The place that the notifier would wait for may be its own: so nobody waits, as for what is queued.
            self._begin_when_free(target, args, kwargs)
            return None
        return self._take_when_free(target, args, kwargs)

    def _supersede(self) -> None:
        """Let go of all that came before the newest notification, but for a result that is being delivered."""
        for task, computing in self._calls.items():
            if computing:
                self._calls[task] = False
                task.cancel()
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(False)

    async def _take_when_free(self, target: Core, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Wait for a place, first come, first served.

        Cancellation: raises CancelledError; the call does not begin.
        """
        place: Future[bool] = target._bound().loop.create_future()
        self._waiting.append(place)
        number = self._newest
        try:
            admitted = await place
        except BaseException:
            if place in self._waiting:
                self._waiting.remove(place)
            elif place.done() and not place.cancelled() and place.result():
                self._admitted -= 1
                self._give_back()
            raise
        if admitted:
            self._begin_admitted(target, args, kwargs, number)

    def _begin_when_free(self, target: Core, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Begin a call when there is a place, in line with those who wait for one."""
        number = self._newest

        def go_on(place: Future[bool]) -> None:
            if not place.cancelled() and place.result():
                self._begin_admitted(target, args, kwargs, number)

        place: Future[bool] = target._bound().loop.create_future()
        place.add_done_callback(go_on)
        self._waiting.append(place)

    def _begin_admitted(self, target: Core, args: tuple[Any, ...], kwargs: dict[str, Any], number: int) -> None:
        self._admitted -= 1
        if target._closed or (self._mode == "latest" and number != self._newest):  # cut short meanwhile
            self._give_back()
            return
        assert self._free is not None
        self._free += 1
        self._begin(target, args, kwargs)

    def _admit(self) -> None:
        while self._waiting and self._free:
            place = self._waiting.popleft()
            if not place.done():
                self._free -= 1
                self._admitted += 1
                place.set_result(True)

    # One call

    def _begin(self, target: Core, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._free is not None:
            self._free -= 1
        loop = target._bind().loop
        done: Future[None] = loop.create_future()
        before, self._tail = self._tail, done
        task = loop.create_task(self._call(target, args, kwargs, self._newest, before, done))
        self._calls.setdefault(task, True)
        target._own(task)
        task.add_done_callback(partial(self._ended, done))

    async def _call(
        self,
        target: Core,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        number: int,
        before: Future[None] | None,
        done: Future[None],
    ) -> None:
        task = current_task()
        assert task is not None
        # What the call does is known as its doing: it must not wait for its own place.
        works = target._bound().tasks
        works[task] = self._work
        try:
            result = self._fn(*args, **kwargs)
            if is_awaitable(result):
                result = await result
            if before is not None and self._mode == "ordered":
                await wait([before])
            before = None
            if target._closed or (self._mode == "latest" and number != self._newest):
                return  # it would not be cancelled
            self._calls[task] = False
            await target._emit_to_the_end(((result,), {}))
        except Exception as error:
            if self._calls[task]:  # it is of the function; observers' errors are told where they happen
                for watch in target._watches:
                    watch.failed(error, None)
            if self._quiet:
                logger.error("%r: a notification was dropped", target, exc_info=error)
            else:
                target._bound().report(f"an error in {target!r} that no notify() waits for", error, target)
        finally:
            del works[task]
            done.set_result(None)

    def _ended(self, done: Future[None], task: Task[None]) -> None:
        del self._calls[task]
        if not done.done():  # cancelled before it began
            done.set_result(None)
        self._give_back()

    def _give_back(self) -> None:
        """Give a place back; where nothing is under way any more and nothing can come, end."""
        if self._free is not None:
            self._free += 1
            self._admit()
        if not self._busy():
            self._tail = None
            target = self._target()
            if self._completed and target is not None:
                target._finish(self._failure)

    def _busy(self) -> bool:
        return bool(self._calls or self._waiting or self._admitted)

    # What a chain of operators does too

    def complete(self) -> None:
        """Take no more notifications."""
        self._completed = True

    def exhausted(self, failure: Exception | None) -> bool:
        """Take no more notifications; return whether nothing more will be emitted."""
        self._completed = True
        self._failure = failure
        return not self._busy()

    def may_be_left(self) -> bool:
        """Return whether the end need not wait for what is still held here: what has begun is awaited."""
        return False

    def hold(self, target: object) -> None:
        """Do nothing: the calls that are under way hold the derived observable."""

    async def drain(self) -> None:
        """Wait until every call has ended, those that wait for a place included.

        Cancellation: raises CancelledError; the calls go on.
        """
        while self._calls or self._admitted:
            if self._calls:
                await wait(self._calls)
            else:
                await sleep(0)

    def runs(self, task: Task[Any] | None) -> bool:
        """Return whether ``task`` is a call that is under way."""
        return task in self._calls

    def __del__(self) -> None:
        # The collector may run on any thread: one removal from a dictionary, and a snapshot that is made anew.
        if hasattr(self, "_branch"):
            self._source._observers.remove_tap(self._branch)

    def dispose(self) -> None:
        """Detach from the source."""
        self._source._observers.remove_tap(self._branch)


class _Branch:
    """What the source calls; it holds the calls weakly."""

    __slots__ = ("__weakref__", "_calls")

    def __init__(self, calls: AsyncMap) -> None:
        self._calls = ref(calls)

    def __call__(self, *args: Any, **kwargs: Any) -> Awaitable[None] | None:
        calls = self._calls()
        return None if calls is None else calls.take(args, kwargs)
