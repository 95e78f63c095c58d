"""Wrong uses of ``EventBus``: each marked line has to be an error, and no other."""

from __future__ import annotations

import asyncio

from asyncutils_rx import EventBus


def use(*_: object) -> None: ...


def specific(data: int) -> str:
    return str(data)


def wildcard(event_type: str, data: object) -> None: ...


def without_parameters() -> None: ...


async def with_three(first: str, second: int, third: bytes) -> None: ...


def construction() -> None:
    EventBus(name=5)  # rejected: arg-type, reportArgumentType
    EventBus("name", print)  # rejected: call-arg, reportCallIssue
    EventBus(handler=without_parameters)  # rejected: arg-type, reportArgumentType
    EventBus(max_concurrent="3")  # rejected: arg-type, reportArgumentType


def subscribing(bus: EventBus) -> None:
    bus.subscribe(specific)  # rejected
    bus.subscribe(wildcard, "topic")  # rejected
    bus.subscribe(without_parameters, "topic")  # rejected
    bus.subscribe(with_three)  # rejected
    bus.subscribe("topic", specific)  # rejected: call-overload
    bus.subscribe(specific, 5)  # rejected: call-overload, reportArgumentType
    bus.subscribe(specific, "topic", False)  # rejected: call-overload, reportCallIssue
    bus.subscribe(lambda: None, "topic")  # rejected
    bus.subscribe(lambda data: data)  # rejected
    bus.subscribe(specific, "topic")("data")  # rejected: arg-type, reportArgumentType
    bus.unsubscribe(specific)  # rejected
    bus.subscribers_for(None)  # rejected: call-overload, reportArgumentType


def decorating(bus: EventBus) -> None:
    @bus.subscribe  # rejected
    def one_parameter(data: int) -> None: ...

    @bus.subscribe_to("topic")  # rejected: type-var, reportArgumentType
    def two_parameters(event_type: str, data: object) -> None: ...

    @bus.subscribe_to(EventBus.WILDCARD)
    def everything(event_type: str, data: object) -> float:
        return len(event_type)

    everything("topic")  # rejected: call-arg, reportCallIssue
    use(one_parameter, two_parameters)


async def publishing(bus: EventBus) -> None:
    await bus.publish()  # rejected: call-arg, reportCallIssue
    await bus.publish(5)  # rejected: arg-type, reportArgumentType
    await bus.publish(EventBus.WILDCARD)  # rejected: arg-type, reportArgumentType
    await bus.publish("topic", 1, False)  # rejected: call-arg, reportCallIssue
    await bus.publish("topic", timeout="1")  # rejected: arg-type, reportArgumentType
    await bus.publish("topic", chaperone=without_parameters)  # rejected: arg-type, reportArgumentType
    wrong: tuple[None] = bus.sync_start_publish("topic")  # rejected
    use(wrong)


async def streams(bus: EventBus) -> None:
    bus.event_stream("topic", 3)  # rejected: call-overload, reportCallIssue
    bus.event_stream(bufsize=None)  # rejected: call-overload, reportArgumentType
    list(bus.event_stream("topic"))  # rejected: call-overload, reportArgumentType
    async for event_type, data in bus.event_stream():
        use(event_type + 1, data)  # rejected: operator, reportOperatorIssue
    await bus.feed_event(1, 2)  # rejected: call-overload, reportArgumentType
    await bus.wait_for_event("topic", condition=without_parameters)  # rejected: arg-type, reportArgumentType
    future: asyncio.Future[int] = asyncio.Future()
    await bus.subscribe_until(future, specific)  # rejected: arg-type, reportArgumentType
    await bus.subscribe_until("future", specific, "topic")  # rejected: call-overload, reportArgumentType


def observing(bus: EventBus) -> None:
    bus.observable("topic").subscribe_nowait(wildcard)  # rejected: arg-type, reportArgumentType
    bus.observable().subscribe_nowait(specific)  # rejected: arg-type, reportArgumentType
    bus.observable().values()  # rejected: misc, reportAttributeAccessIssue


def looking(bus: EventBus) -> None:
    bus.name = "other"  # rejected: misc, reportAttributeAccessIssue
    bus.auditing = "yes"  # rejected: assignment, reportAttributeAccessIssue
    bus.add_middleware(specific)  # rejected: arg-type, reportArgumentType
    bus.remove_middleware("cookie")  # rejected: arg-type, reportArgumentType
    wrong: dict[str, int] = bus.stop_tracking()  # rejected
    use(wrong)
