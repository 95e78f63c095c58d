"""What the tests of the fan-out share: an owner that starts and awaits one, on each way that tasks can start."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from asyncutils_rx._fanout import FanOut, Gate, Scope
from asyncutils_rx._runner import runner_for
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextvars import Context

TaskFactory: TypeAlias = "Callable[..., asyncio.Task[Any]] | None"


def plain_factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
    """Make a task that starts in the loop's next turn, as every task does before Python 3.12."""
    return asyncio.Task(coro, loop=loop, **options)


def eager_factory(
    loop: asyncio.AbstractEventLoop, coro: Any, *, eager_start: object = None, **options: Any
) -> asyncio.Task[Any]:
    """Make a task that starts at once; takes the option that uvloop passes and that asyncio's own does not know."""
    if sys.version_info >= (3, 12):
        return asyncio.eager_task_factory(loop, coro, **options)
    raise NotImplementedError


FACTORIES: dict[str, TaskFactory] = {"no factory": None, "plain factory": plain_factory}
if sys.version_info >= (3, 12):
    FACTORIES["eager factory"] = eager_factory

var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="unset")


def raising(error: BaseException, turns: int | None = None) -> Callable[[], object]:
    """A callable that raises ``error``: at once where ``turns`` is None, else from a coroutine after so many turns."""

    def at_once() -> object:
        raise error

    async def later() -> None:
        await tick(turns or 0)
        raise error

    return at_once if turns is None else later


class Owner:
    """Starts one fan-out and waits for it, as an observable or a bus does."""

    def __init__(
        self,
        calls: Sequence[Callable[..., object]],
        *args: Any,
        kwargs: dict[str, Any] | None = None,
        context: Context | None = None,
        gate: Gate | None = None,
        fail_fast: bool = False,
        skip: set[object] | None = None,
    ) -> None:
        self.runner = runner_for(asyncio.get_running_loop())
        self.scope = Scope(self.runner)
        self.ends: list[FanOut] = []
        self.fan = FanOut(self.runner, calls, args, kwargs or {}, self.on_end, self, context, gate, fail_fast)
        self.fan.skip = skip

    def on_end(self, fan: FanOut) -> None:
        self.ends.append(fan)
        self.scope.end()

    def start(self) -> bool:
        """Start the callables; return whether they have all ended already."""
        self.scope.begin()
        if self.fan.start():
            self.scope.end()
            return True
        return False

    async def join(self) -> list[tuple[int, BaseException]]:
        """Wait for the end of all that was started; return the errors."""
        await self.scope.join(self.fan.cancel)
        return self.fan.errors

    async def run(self) -> list[tuple[int, BaseException]]:
        """Start and join."""
        self.start()
        return await self.join()


@pytest.fixture(params=FACTORIES)
def own(request: pytest.FixtureRequest) -> Callable[..., Owner]:
    """Makes owners, on a loop with each of the task factories in turn."""
    factory = FACTORIES[request.param]

    def make(calls: Sequence[Callable[..., object]], *args: Any, **options: Any) -> Owner:
        asyncio.get_running_loop().set_task_factory(factory)
        return Owner(calls, *args, **options)

    return make
