"""The part of a bus that keeps who takes part: subscribers, middlewares, statistics. None of it needs a loop."""

from __future__ import annotations

from asyncio import isfuture
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from .._arguments import check_callable, check_count, check_hashable_callable, wrong_type, wrong_value
from .._wildcard import WILDCARD, WildcardType
from ..context import peek
from ..mixins import LoopContextMixin
from ._calls import (
    MISSING,
    Missing,
    check_event_type,
    check_flag,
    check_future,
    check_optional_callable,
    check_topic,
)

if TYPE_CHECKING:
    from asyncio import Future
    from collections import defaultdict
    from collections.abc import Callable, Container, Mapping
    from typing import Literal, TypeGuard
    from weakref import WeakSet

    from ..exceptions import BusShutDown
    from ..types import (
        DualContextManager,
        ErrorHandler,
        Middleware,
        SpecificLambda,
        SpecificSubscriber,
        WildcardLambda,
        WildcardSubscriber,
    )

__all__ = ["Registry"]

Specific = TypeVar("Specific", bound="SpecificSubscriber")
Wildcard = TypeVar("Wildcard", bound="WildcardSubscriber")

_numbers = count(1)


class Registry(LoopContextMixin):
    """Subscribers, middlewares and statistics of an event bus."""

    WILDCARD: Final = WILDCARD
    """The event type of subscribers that take every topic."""

    def __init__(
        self,
        name: str | None = None,
        *,
        handler: ErrorHandler | None = None,
        max_concurrent: int | None = None,
        tracking_stats: bool = False,
    ) -> None:
        if name is not None:
            check_topic("EventBus", "name", name)
        check_optional_callable("EventBus", "handler", handler)
        if max_concurrent is None:
            max_concurrent = peek().EVENT_BUS_DEFAULT_MAX_CONCURRENT
        else:
            check_count("EventBus", "max_concurrent", max_concurrent)
        check_flag("EventBus", "tracking_stats", tracking_stats)
        super().__init__()
        self._name = f"bus-{next(_numbers)}" if name is None else name
        from ._core import Core  # with all that a bus consists of, when there is one

        self._core = Core(f"EventBus {self._name!r}", handler, max_concurrent, tracking_stats, self._owned)

    def _on_bound(self) -> None:
        self._core.runner = self._bind()

    @property
    def name(self) -> str:
        """The name of the bus, which its errors show."""
        return self._name

    def __repr__(self) -> str:
        try:
            return self._described()
        except AttributeError:  # not initialised, or not wholly
            return object.__repr__(self)

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, str]:
        """Return pictures of the topics and of who takes part, by MIME type; as IPython asks for them."""
        from ._picture import pictures  # drawn only where somebody looks

        return pictures(self._core, self, self._name, include, exclude)

    def _described(self) -> str:
        core = self._core
        state = "shut down" if self._closed else "open" if self._closing is None else "shutting down"
        topics, subscribers = core.topics.tally()
        running = len(core.publications)
        return (
            f"<{type(self).__name__} {self._name!r} {state}, {topics} topic{'s' * (topics != 1)}, "
            f"{subscribers} subscriber{'s' * (subscribers != 1)}, {running} publishing>"
        )

    def raise_for_shutdown(self) -> None:
        """Do nothing while the bus is open.

        Raises:
            BusShutDown: It is being shut down, or was.
        """
        self._check_open()

    def _closed_error(self, remedy: str) -> BusShutDown:
        from ..exceptions import BusShutDown

        return BusShutDown(repr(self), remedy)

    @staticmethod
    def is_valid_event_type(event_type: object) -> TypeGuard[str | WildcardType]:
        """Whether something can be subscribed to: a string, which can be published too, or the wildcard."""
        return isinstance(event_type, str | WildcardType)

    # Subscribers

    @overload
    def subscribe(self, subscriber: Specific | SpecificLambda, /, event_type: str, *, weak: bool = ...) -> Specific: ...

    @overload
    def subscribe(
        self, subscriber: Wildcard | WildcardLambda, /, event_type: WildcardType = ..., *, weak: bool = ...
    ) -> Wildcard: ...

    def subscribe(
        self, subscriber: Callable[..., object], /, event_type: str | WildcardType = WILDCARD, *, weak: bool = True
    ) -> Callable[..., object]:
        """Have ``subscriber`` called with each publication of a topic, or of all topics.

        Subscribers of a topic are called with the data, wildcards with the event type and the data; they may be
        synchronous or not. Publications that have started already do not reach it. To subscribe again changes
        nothing but, with ``weak=False``, how it is held.

        Args:
            subscriber: A hashable callable. It is held weakly: a function as long as somebody else keeps it, a bound
                method as long as its instance lives. One that is gone without ever having been called gives a
                ``RuntimeWarning``.
            event_type: A topic; every one if not passed.
            weak: False to have the bus keep the subscriber alive, as an inline ``lambda`` needs it.

        Returns:
            The subscriber, so that this can be used as a decorator.

        Raises:
            ArgumentTypeError: It is not callable, not hashable, or cannot be referenced weakly, as ``list.append``;
                or ``event_type`` is neither a string nor the wildcard.
            BusShutDown: The bus was shut down.
        """
        self._check_subscription("EventBus.subscribe", subscriber, event_type)
        check_flag("EventBus.subscribe", "weak", weak)
        self._check_open()
        self._core.topics.add(subscriber, event_type, weak=weak)
        return subscriber

    @staticmethod
    def _check_subscription(owner: str, subscriber: object, event_type: object) -> None:
        check_hashable_callable(owner, "subscriber", subscriber)
        check_event_type(owner, event_type)

    @overload
    def subscribe_to(self, event_type: str, *, weak: bool = ...) -> Callable[[Specific], Specific]: ...

    @overload
    def subscribe_to(self, event_type: WildcardType, *, weak: bool = ...) -> Callable[[Wildcard], Wildcard]: ...

    def subscribe_to(self, event_type: str | WildcardType, *, weak: bool = True) -> Callable[[Any], Any]:
        """Return a decorator that subscribes what it decorates; see :meth:`subscribe`.

        Args:
            event_type: A topic, or the wildcard.
            weak: False to have the bus keep the subscriber alive.

        Raises:
            ArgumentTypeError: ``event_type`` is neither a string nor the wildcard.
        """
        check_event_type("EventBus.subscribe_to", event_type)
        check_flag("EventBus.subscribe_to", "weak", weak)

        def decorate(subscriber: Callable[..., object]) -> Callable[..., object]:
            return self.subscribe(subscriber, event_type, weak=weak)

        return decorate

    @overload
    def unsubscribe(self, subscriber: SpecificSubscriber, /, event_type: str) -> bool: ...

    @overload
    def unsubscribe(self, subscriber: WildcardSubscriber, /, event_type: WildcardType = ...) -> bool: ...

    def unsubscribe(self, subscriber: Callable[..., object], /, event_type: str | WildcardType = WILDCARD) -> bool:
        """Remove a subscriber. A publication that has not started it yet does not start it any more.

        Args:
            subscriber: What was subscribed.
            event_type: Where; among the wildcards if not passed.

        Returns:
            Whether it was there.

        Raises:
            ArgumentTypeError: It is not callable or not hashable, or ``event_type`` is neither a string nor the
                wildcard.
            BusShutDown: The bus was shut down.
        """
        self._check_subscription("EventBus.unsubscribe", subscriber, event_type)
        self._check_open()
        return self._core.unsubscribe(subscriber, event_type)

    @overload
    def is_subscribed(self, subscriber: SpecificSubscriber, event_type: str = ...) -> bool: ...

    @overload
    def is_subscribed(self, subscriber: WildcardSubscriber, event_type: WildcardType = ...) -> bool: ...

    def is_subscribed(
        self, subscriber: Callable[..., object], event_type: str | WildcardType | Missing = MISSING
    ) -> bool:
        """Whether something is subscribed.

        Args:
            subscriber: What to look for.
            event_type: Where; anywhere, the wildcards included, if not passed.

        Raises:
            ArgumentTypeError: It is not callable or not hashable, or ``event_type`` is neither a string nor the
                wildcard.
        """
        if event_type is MISSING:
            check_hashable_callable("EventBus.is_subscribed", "subscriber", subscriber)
            return self._core.topics.contains_anywhere(subscriber)
        self._check_subscription("EventBus.is_subscribed", subscriber, event_type)
        return self._core.topics.contains(subscriber, event_type)

    def has_subscribers(self, event_type: str | WildcardType) -> bool:
        """Whether a topic has subscribers of its own, or with the wildcard whether there are wildcards.

        Raises:
            ArgumentTypeError: ``event_type`` is neither a string nor the wildcard.
        """
        check_event_type("EventBus.has_subscribers", event_type)
        return self._core.topics.count(event_type) > 0

    def subscriber_count(self, event_type: str | WildcardType) -> int:
        """How many subscribers a topic has of its own, or with the wildcard how many wildcards there are.

        Raises:
            ArgumentTypeError: ``event_type`` is neither a string nor the wildcard.
        """
        check_event_type("EventBus.subscriber_count", event_type)
        return self._core.topics.count(event_type)

    @property
    def total_subscribers(self) -> int:
        """How many subscribers there are, of all topics and of the wildcard."""
        return self._core.topics.total()

    @property
    def wildcard_count(self) -> int:
        """How many wildcard subscribers there are."""
        return self._core.topics.count(WILDCARD)

    @property
    def wildcards(self) -> WeakSet[WildcardSubscriber]:
        """A snapshot of the wildcard subscribers; see :meth:`subscribers_for`."""
        return self._core.topics.members(WILDCARD)

    @overload
    def subscribers_for(self, event_type: str) -> WeakSet[SpecificSubscriber]: ...

    @overload
    def subscribers_for(self, event_type: WildcardType) -> WeakSet[WildcardSubscriber]: ...

    def subscribers_for(self, event_type: str | WildcardType) -> WeakSet[Any]:
        """Return a snapshot of the subscribers of a topic, or of the wildcards.

        Returns:
            A weak set in order of subscription, in which bound methods stay as long as their instances live. What was
            subscribed with ``weak=False`` is held strongly. To change it changes nothing at the bus.

        Raises:
            ArgumentTypeError: ``event_type`` is neither a string nor the wildcard.
        """
        check_event_type("EventBus.subscribers_for", event_type)
        return self._core.topics.members(event_type)

    def event_names(self) -> set[str]:
        """Return the topics that have a live subscriber of their own."""
        return self._core.topics.names()

    @overload
    def clear(self, event_type: str) -> WeakSet[SpecificSubscriber] | None: ...

    @overload
    def clear(self, event_type: WildcardType) -> WeakSet[WildcardSubscriber] | None: ...

    @overload
    def clear(self) -> None: ...

    def clear(self, event_type: str | WildcardType | Missing = MISSING) -> WeakSet[Any] | None:
        """Remove the subscribers of a topic, or the wildcards, or all; statistics stay.

        Args:
            event_type: A topic, or the wildcard; all event types if not passed.

        Returns:
            What was removed, as :meth:`subscribers_for` gives it; None where there was nothing, or without an event
            type.

        Raises:
            ArgumentTypeError: ``event_type`` is neither a string nor the wildcard.
        """
        if event_type is MISSING:
            self._core.clear_all()
            return None
        check_event_type("EventBus.clear", event_type)
        return self._core.clear(event_type)

    def clear_wildcards(self) -> WeakSet[WildcardSubscriber] | None:
        """Remove the wildcard subscribers; return them, or None where there are none."""
        return self.clear(WILDCARD)

    def clear_all(self) -> None:
        """Remove all subscribers, and forget the statistics."""
        self.clear()
        self.clear_stats()

    # Middlewares

    def add_middleware(self, middleware: Middleware) -> int:
        """Add a middleware at the end of the line.

        A middleware takes the event type and the data, and returns the data for the next one, at once or as a
        coroutine. The first gets what was published, and subscribers get what the last returns. One that is not
        concerned returns the data as it is. One middleware can be added several times. A publication that has started
        is not affected.

        Args:
            middleware: Any callable, hashable or not.

        Returns:
            The cookie for :meth:`remove_middleware`, which no other middleware of this bus will have.

        Raises:
            ArgumentTypeError: It is not callable.
            BusShutDown: The bus was shut down.
        """
        check_callable("EventBus.add_middleware", "middleware", middleware)
        self._check_open()
        return self._core.middlewares.add(middleware)

    def add_temp_middleware(self, middleware: Middleware, until: Future[Any]) -> None:
        """Add a middleware that is in force until a future is done.

        Args:
            middleware: Any callable; see :meth:`add_middleware`.
            until: The future. Its result is what removing the middleware gives; :meth:`remove_middleware` takes it in
                place of a cookie.

        Raises:
            ArgumentTypeError: ``middleware`` is not callable, or ``until`` is no future.
            BusShutDown: The bus was shut down.
        """
        check_callable("EventBus.add_temp_middleware", "middleware", middleware)
        check_future("EventBus.add_temp_middleware", "until", until)
        self._check_open()
        self._core.middlewares.add_until(middleware, until)

    def remove_middleware(self, cookie: int | Future[Any], *, result: object = None, strict: bool = False) -> Any:
        """Remove a middleware, in constant time.

        Args:
            cookie: What :meth:`add_middleware` returned, or the future that was passed to
                :meth:`add_temp_middleware`, which stands for all middlewares that were added with it.
            result: What to return; also what a future that is not done yet is set to, unless it is a task.
            strict: Whether it is an error that there is no such middleware.

        Returns:
            The result of the future where it is done already; else ``result``.

        Raises:
            ArgumentTypeError: ``cookie`` is neither an integer nor a future.
            ArgumentValueError: ``strict`` is true, and it was never added or is removed already.
            BaseException: What the future failed with; ``CancelledError`` where it was cancelled. The middleware is
                removed.
        """
        if isinstance(cookie, bool) or not (isinstance(cookie, int) or isfuture(cookie)):
            raise wrong_type("EventBus.remove_middleware", "cookie", cookie, "an int, or a future")
        check_flag("EventBus.remove_middleware", "strict", strict)
        from ._middleware import UNKNOWN

        removed = self._core.middlewares.remove(cookie, result)
        if removed is not UNKNOWN:
            return removed
        if strict:
            rule = "the cookie of a middleware that is there (pass strict=False if that is fine)"
            raise wrong_value("EventBus.remove_middleware", "cookie", cookie, rule)
        return result

    # Statistics

    def start_tracking(self) -> None:
        """Count publications by topic from now on; to start again changes nothing.

        A publication counts once, when it has passed the middlewares, whether anybody is subscribed or not.

        Raises:
            BusShutDown: The bus was shut down.
        """
        self._check_open()
        self._core.statistics.start()

    @overload
    def stop_tracking(self, ret_stats: Literal[False] = ...) -> None: ...

    @overload
    def stop_tracking(self, ret_stats: Literal[True]) -> defaultdict[str, int]: ...

    def stop_tracking(self, ret_stats: bool = False) -> defaultdict[str, int] | None:
        """Stop counting, and forget what was counted.

        Args:
            ret_stats: Whether to return that.

        Returns:
            The number of publications by topic, or None.

        Raises:
            BusStatsError: ``ret_stats`` is true and nothing was counted.
        """
        check_flag("EventBus.stop_tracking", "ret_stats", ret_stats)
        counts = self._core.statistics.stop()
        if not ret_stats:
            return None
        if counts is None:
            from ..exceptions import BusStatsError

            raise BusStatsError(repr(self))
        return counts

    def get_event_stats(self) -> defaultdict[str, int]:
        """Return a copy of the number of publications by topic.

        Raises:
            BusStatsError: Nothing is counted, and nothing was preserved by :meth:`shutdown`.
        """
        counts = self._core.statistics.get()
        if counts is None:
            from ..exceptions import BusStatsError

            raise BusStatsError(repr(self))
        return counts

    def clear_stats(self) -> None:
        """Forget what was counted; counting goes on."""
        self._core.statistics.clear()

    def tracking_context(self, stats_receiver: Future[Mapping[str, int]] | None = None) -> DualContextManager[None]:
        """Return a context, for ``with`` and ``async with``, in which publications are counted.

        Contexts can overlap, and each has its own count. :meth:`get_event_stats` works in them. Where the bus was
        counting already, it goes on after the context.

        Args:
            stats_receiver: A future that gets the number of publications by topic when the context is left.

        Raises:
            ArgumentTypeError: ``stats_receiver`` is no future.
            BusShutDown: The bus was shut down; raised on entry.
        """
        if stats_receiver is not None:
            check_future("EventBus.tracking_context", "stats_receiver", stats_receiver)

        def enter() -> Callable[[], None]:
            self._check_open()
            return self._core.statistics.open_context(stats_receiver)

        from ._contexts import DualContext

        return DualContext(f"tracking context of {self!r}", enter)
