"""The callbacks of one publication."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._alone import outcome_alone
from .._fanout import FanOut

if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import Sequence

    from ._brief import Brief
    from ._publication import Publication

__all__ = ["Callbacks"]


class Callbacks(FanOut):
    """The callbacks of one publication, which tell it when they fail.

    Attributes:
        publication: The publication.
        calls: What is called; wildcards are partials.
        specific: How many of these are the topic's own.
    """

    publication: Publication
    calls: Sequence[Any]
    specific: int

    _alone: Brief | None = None

    def take_over(self, brief: Brief) -> None:
        """Go on with what was begun without this. The task, if there still is one, is a driver of this from now on."""
        self._rest = brief.rest
        self._calls = brief.numbered
        self._turn += 1
        errors, brief.errors = brief.errors, []
        brief.callbacks = self
        brief.caller = None
        for index, error in errors:
            self.failed(index, error)
        driver, brief.driver = brief.driver, None
        if driver is None:
            self.publication.core.places.leave()
            return
        if len(self.calls) == 1:
            self._alone = brief
        self._watch(driver)

    def go_on(self) -> None:
        """Start what is left, before whoever comes after this."""
        if self.waiting:
            self._advance(first=True)
        self._over = self.ended

    def stop(self) -> None:
        """Start no more."""
        self._stop()

    def failed(self, index: int, error: BaseException) -> None:
        """Take note of a callback's error."""
        self._note(index, error)

    def _settle(self, task: Task[Any]) -> None:
        brief, self._alone = self._alone, None
        if brief is not None:
            error = outcome_alone(task, brief)
            if error is not None:
                self._note(0, error)
        super()._settle(task)

    def _note(self, index: int, error: BaseException) -> None:
        super()._note(index, error)
        self.publication.callback_failed(error)
