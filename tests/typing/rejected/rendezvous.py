"""Wrong uses of ``Rendezvous``: each marked line has to be an error, and no other."""

from __future__ import annotations

from asyncutils_rx import Rendezvous


def use(*_: object) -> None: ...


async def putting(meeting: Rendezvous[int]) -> None:
    await meeting.put("text")  # rejected: arg-type, reportArgumentType
    await meeting.put()  # rejected: call-arg, reportCallIssue
    await meeting.put(value=1)  # rejected: call-arg, reportCallIssue
    await meeting.put(1, 3)  # rejected: call-arg, reportCallIssue
    await meeting.put(1, timeout="3")  # rejected: arg-type, reportArgumentType
    await meeting.raising_put(1)  # rejected: call-arg, reportCallIssue
    await meeting.exchange("text")  # rejected: arg-type, reportArgumentType


async def getting(meeting: Rendezvous[int]) -> None:
    text: str = await meeting.get()  # rejected: assignment, reportAssignmentType
    number: int = await meeting.get(None)  # rejected: arg-type, reportAssignmentType
    await meeting.get(timeout="3")  # rejected: call-overload, reportArgumentType
    (await meeting.exchange(1)).upper()  # rejected: attr-defined, reportAttributeAccessIssue
    use(text, number)


def looking(meeting: Rendezvous[int]) -> None:
    meeting.state_snapshot().num_ops = 3  # rejected: misc, reportAttributeAccessIssue
    other: Rendezvous[str] = meeting  # rejected: assignment, reportAssignmentType
    Rendezvous(5)  # rejected: call-arg, reportCallIssue
    use(other)
