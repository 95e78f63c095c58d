"""One row, measured in this process: rounds of all contestants in turn, in CPU time.

A round of a contestant is so many operations that it takes about the time asked for. Rounds are interleaved, and a
contestant is compared with the round of the bound beside it, so that a machine that slows down slows both. What each
round delivered is counted, outside the measured time, and has to add up. The garbage collector is on for everybody; it
starts each round with nothing to do, and what was set up is out of its sight.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from .model import BOUND, OURS, Contestant, Row, UnavailableError, need

if TYPE_CHECKING:
    from collections.abc import Callable

    from .model import Job

__all__ = ["Effort", "MiscountError", "measure"]

# No single operation takes longer, unless it hangs.
PATIENCE = 20.0


class MiscountError(Exception):
    """What a round delivered does not add up."""


class Effort(NamedTuple):
    """How long to measure.

    Attributes:
        round_seconds: What one round of one contestant takes, about.
        rounds: How many rounds.
        loop: ``asyncio`` or ``uvloop``.
    """

    round_seconds: float
    rounds: int
    loop: str


class Driver(Protocol):
    """Runs rounds of one contestant."""

    def round(self, count: int) -> float:
        """Run so many operations; return the CPU time of one, in seconds."""

    def close(self) -> None:
        """Take down what was set up."""


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes the loops that are called so."""
    if name == "uvloop":
        factory: Callable[[], asyncio.AbstractEventLoop] = need("uvloop").new_event_loop
        return factory
    return asyncio.new_event_loop


async def timed(job: Job, count: int) -> float:
    """Run one round; return the CPU time of one operation.

    Raises:
        MiscountError: It delivered too little, or too much.
    """
    before = job.delivered()
    start = process_time()
    await job.run(count)
    spent = process_time() - start
    delivered = job.delivered() - before
    if delivered != count * job.per_operation:
        raise MiscountError(f"delivered {delivered} of {count * job.per_operation}")
    return spent / count


class AsyncioDriver:
    """A contestant on an asyncio loop of its own."""

    def __init__(self, contestant: Contestant, size: int, loop: str) -> None:
        self._runner = asyncio.Runner(loop_factory=loop_factory(loop))
        self._context = contestant.set_up(size)
        try:
            self._job = self._runner.run(self._set_up())
        except BaseException:
            self._runner.close()
            raise

    async def _set_up(self) -> Job:
        async with asyncio.timeout(PATIENCE):
            job: Job = await self._context.__aenter__()
            await job.check()
            return job

    async def _take_down(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self._context.__aexit__(None, None, None)

    async def _round(self, count: int) -> float:
        # A task, because a timeout inside of what is measured would be part of it.
        task = asyncio.create_task(timed(self._job, count))
        await asyncio.wait([task], timeout=PATIENCE)
        if not task.done():
            task.cancel()
            raise MiscountError(f"no end within {PATIENCE:g} s")
        return task.result()

    def round(self, count: int) -> float:
        return self._runner.run(self._round(count))

    def close(self) -> None:
        try:
            self._runner.run(self._take_down())
        finally:
            self._runner.close()


class TrioDriver:
    """A contestant on trio, which is set up anew for each round."""

    def __init__(self, contestant: Contestant, size: int) -> None:
        self._trio = need("trio")
        self._contestant = contestant
        self._size = size

    def round(self, count: int) -> float:
        async def main() -> float:
            with self._trio.fail_after(PATIENCE):
                async with self._contestant.set_up(self._size) as job:
                    return await timed(job, count)

        spent: float = self._trio.run(main)
        return spent

    def close(self) -> None:
        pass


class Lane:
    """One contestant's place in the rounds.

    Args:
        contestant: Who it is.
        row: What is measured.
        effort: How long.
    """

    def __init__(self, contestant: Contestant, row: Row, effort: Effort) -> None:
        self.contestant = contestant
        self.units = row.units
        self.times: list[float] = []
        self.ratios: list[float] = []
        self.count = row.at_least
        self.every = 1
        self.driver: Driver
        if contestant.kernel == "trio":
            self.driver = TrioDriver(contestant, row.size)
        else:
            self.driver = AsyncioDriver(contestant, row.size, effort.loop)
        try:
            self._calibrate(row, effort)
        except BaseException:
            self.close()
            raise

    def _calibrate(self, row: Row, effort: Effort) -> None:
        """Find how many operations make a round; this warms everything up as well."""
        self.driver.round(1)
        while True:
            each = self.driver.round(self.count)
            if each * self.count >= effort.round_seconds / 4:
                break
            # CPU time has a resolution, and the first operations are slow.
            self.count = min(self.count * 8, int(self.count + effort.round_seconds / max(each, 1e-9)) + 1)
        self.count = max(row.at_least, round(effort.round_seconds / each))
        # One that takes much longer than a round takes part in few of them.
        self.every = max(1, min(effort.rounds // 3, round(each * self.count / effort.round_seconds / 4)))

    def result(self) -> dict[str, Any]:
        """Return what the rounds say: the median of the times, and of the ratios to the bound beside them."""
        return {
            "status": "measured",
            "value": median(self.times) / self.units * 1e9,
            "ratio": median(self.ratios),
            "quartiles": [quantile(self.ratios, 0.25), quantile(self.ratios, 0.75)],
            "rounds": len(self.times),
            "operations": self.count,
        }

    def close(self) -> None:
        """Take down what was set up; one that cannot do that has been measured all the same."""
        try:
            self.driver.close()
        except Exception as error:
            print(f"{self.contestant.name} did not close: {error!r}", file=sys.stderr)


def measure(row: Row, effort: Effort, only: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
    """Measure a row; return what became of each contestant.

    Args:
        row: What to measure.
        effort: How long.
        only: The contestants to measure beside the bound; all, if empty.

    Raises:
        MiscountError: What the bound or the library delivered does not add up.
    """
    results: dict[str, dict[str, Any]] = {}
    lanes: list[Lane] = []
    try:
        for contestant in row.contestants:
            if not only or contestant.name in (BOUND, *only):
                lane = _enter(contestant, row, effort, results)
                if lane is not None:
                    lanes.append(lane)
        gc.collect()
        gc.freeze()
        _take_rounds(lanes, effort, results)
    finally:
        gc.unfreeze()
        for lane in lanes:
            lane.close()
    return results


def _take_rounds(lanes: list[Lane], effort: Effort, results: dict[str, dict[str, Any]]) -> None:
    """Run the rounds of all contestants in turn, and note what they took."""
    failed: set[Lane] = set()
    deadline = perf_counter() + 30 * effort.round_seconds * effort.rounds * len(lanes) + PATIENCE
    for number in range(effort.rounds):
        reference = 0.0
        for lane in lanes:
            if number % lane.every or lane in failed:
                continue
            gc.collect()
            try:
                each = lane.driver.round(lane.count)
            except Exception as error:
                failed.add(lane)
                _failed(lane.contestant, error, results)
                continue
            if lane.contestant.name == BOUND:
                reference = each
            lane.times.append(each)
            lane.ratios.append(each / reference)
        if perf_counter() > deadline:
            break
    for lane in lanes:
        if lane not in failed:
            results[lane.contestant.name] = lane.result()


def quantile(figures: list[float], part: float) -> float:
    """Return the figure below which that part of them lies."""
    return sorted(figures)[min(int(part * len(figures)), len(figures) - 1)]


def _enter(contestant: Contestant, row: Row, effort: Effort, results: dict[str, dict[str, Any]]) -> Lane | None:
    try:
        return Lane(contestant, row, effort)
    except UnavailableError as error:
        if contestant.name in (BOUND, OURS):
            raise
        results[contestant.name] = {"status": "skipped", "reason": str(error)}
    except Exception as error:
        _failed(contestant, error, results)
    return None


def _failed(contestant: Contestant, error: Exception, results: dict[str, dict[str, Any]]) -> None:
    if contestant.name in (BOUND, OURS):
        raise MiscountError(f"{contestant.name}: {type(error).__name__}: {error}") from error
    status = "wrong" if contestant.wrong else "failed"
    reason = contestant.wrong or f"{type(error).__name__}: {error}"
    results[contestant.name] = {"status": status, "reason": reason}
