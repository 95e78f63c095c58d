"""The way between ``sys.audit`` and a bus, in both directions and without an echo.

Python calls an audit hook in the middle of whatever is audited: on any thread, inside imports, finalizers and the exit
of the interpreter. So the hook only notes the event, and never raises; the loop publishes it later. What happens while
an audit event is being handled is not published: it is told by a context variable, which every task that is started
for it inherits, and a thread-local mark covers the hook itself.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any
from weakref import ref

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task
    from collections.abc import Callable
    from typing import TypeAlias

    Auditor: TypeAlias = Callable[[str, tuple[Any, ...]], None]
    Publish: TypeAlias = Callable[[str, tuple[Any, ...]], Task[None] | None]

__all__ = ["BACKLOG", "Audit"]

BACKLOG = 65_536
"""So many events wait, at most, until the loop publishes them; those beyond are counted and reported, and dropped."""

_DEBUG_EVENTS = frozenset({"sys._getframe", "object.__getattr__", "builtins.id"})
"""What the debug mode of a loop raises all the time, since it looks at the stack for each future and callback; those of
the bus itself included, so to publish them would be an echo."""

_muted: ContextVar[bool] = ContextVar("asyncutils_rx.audit_muted", default=False)


class _Local(threading.local):
    """What one thread is about.

    Attributes:
        busy: Whether it is inside the hook.
        sender: The audit that sends an event of its own, or None.
    """

    busy = False
    sender: object = None


_local = _Local()


class _Hook:
    """The one audit hook of the process; it cannot be removed, so it is added when first needed, and only once."""

    def __init__(self) -> None:
        self.auditors: tuple[Auditor, ...] = ()
        self._lock = threading.Lock()
        self._added = False

    def connect(self, auditor: Auditor) -> None:
        """Call ``auditor`` with each event from now on."""
        with self._lock:
            if not self._added:
                self._added = True
                sys.addaudithook(self._made())
                os.register_at_fork(after_in_child=self._forget)
            self.auditors = (*self.auditors, auditor)

    def disconnect(self, auditor: Auditor) -> None:
        """Call ``auditor`` no more."""
        with self._lock:
            self.auditors = tuple(other for other in self.auditors if other is not auditor)

    def _forget(self) -> None:
        """In the child of a fork, the loops of the parent's buses do not run."""
        self.auditors = ()
        self._lock = threading.Lock()

    def _made(self) -> Callable[[str, tuple[Any, ...]], None]:
        def hook(event: str, args: tuple[Any, ...], state: _Hook = self) -> None:
            for auditor in state.auditors:
                auditor(event, args)

        return hook


_hook = _Hook()


def _auditor_of(audit: ref[Audit]) -> Auditor:
    def auditor(event: str, args: tuple[Any, ...], /) -> None:
        """Take an audit event. Never raises, whatever the state of the bus, its loop or the interpreter."""
        try:
            listening = audit()
            if listening is not None and listening.active:
                listening.note(event, args)
        except Exception:  # noqa: S110  # an error here would be raised by whatever is being audited
            pass

    return auditor


class Audit:
    """The audit events of one bus.

    Args:
        label: What the bus is called in reports.
        limit: How many audit events are being published at a time.

    Attributes:
        active: Whether the bus is connected.
        auditor: What the hook calls.
    """

    __slots__ = (
        "__weakref__",
        "_backlog",
        "_context",
        "_contexts",
        "_dropped",
        "_explicit",
        "_label",
        "_limit",
        "_loop",
        "_publish",
        "_publishing",
        "_scheduled",
        "active",
        "auditor",
    )

    _loop: AbstractEventLoop
    _publish: Publish

    def __init__(self, label: str, limit: int) -> None:
        self.active = False
        self.auditor = _auditor_of(ref(self))
        self._label = label
        self._limit = limit
        self._backlog: deque[tuple[str, tuple[Any, ...]]] = deque()
        self._dropped = 0
        self._scheduled = False
        self._publishing = 0
        self._explicit = False
        self._contexts = 0
        # Not that of whoever starts the audit: its variables are none of the subscribers' business.
        self._context = Context()
        self._context.run(_muted.set, True)

    # On and off

    def start(self, loop: AbstractEventLoop, publish: Publish) -> None:
        """Publish audit events from now on, and audit publications."""
        self._explicit = True
        self._activate(loop, publish)

    def _activate(self, loop: AbstractEventLoop, publish: Publish) -> None:
        self._loop = loop
        self._publish = publish
        if not self.active:
            self.active = True
            _hook.connect(self.auditor)

    def stop(self) -> None:
        """Take no more audit events; those that were noted are published still."""
        self._explicit = False
        self.active = False
        _hook.disconnect(self.auditor)

    def open_context(self, loop: AbstractEventLoop, publish: Publish) -> Callable[[], None]:
        """Start for a context; return what stops it, unless something else wants it."""
        self._contexts += 1
        self._activate(loop, publish)

        def leave() -> None:
            self._contexts -= 1
            if not self._contexts and not self._explicit:
                self.stop()

        return leave

    # From the interpreter to the bus

    def note(self, event: str, args: tuple[Any, ...]) -> None:
        """Keep an event for the loop, unless it is an echo."""
        local = _local
        if local.busy or local.sender is self or _muted.get():
            return
        local.busy = True
        try:
            if self._loop.is_closed():
                self._give_up()
            elif event in _DEBUG_EVENTS and self._loop.get_debug():
                pass
            elif len(self._backlog) >= BACKLOG:
                self._dropped += 1
            else:
                self._backlog.append((event, args))
                if not self._scheduled:
                    self._scheduled = True
                    self._loop.call_soon_threadsafe(self._drain, context=self._context)
        finally:
            local.busy = False

    def _give_up(self) -> None:
        """The loop is closed, or about to be."""
        self.stop()
        self.drop()

    def _drain(self) -> None:
        """On the loop: publish what waits, so many at a time."""
        self._scheduled = False
        while self._backlog and self._publishing < self._limit:
            task = self._publish(*self._backlog.popleft())
            if task is None:
                self.drop()
                return
            self._publishing += 1
            task.add_done_callback(self._published, context=self._context)
        if self._dropped and not self._backlog:
            dropped, self._dropped = self._dropped, 0
            message = f"{self._label}: {dropped} audit events were dropped, because {BACKLOG} others were waiting"
            self._loop.call_exception_handler({"message": message})

    def _published(self, task: Task[None]) -> None:
        self._publishing -= 1
        if task.cancelled() and task.cancelling():
            # By somebody who cancels all tasks, as asyncio.run does at its end: new ones would be left pending.
            self._give_up()
        if self._backlog:
            self._drain()

    @property
    def waiting(self) -> bool:
        """Whether some events are not being published yet."""
        return bool(self._backlog)

    def flush(self) -> None:
        """Begin to publish what waits."""
        self._context.copy().run(self._drain)

    def drop(self) -> None:
        """Forget what waits."""
        self._backlog.clear()

    # From the bus to the interpreter

    def send(self, event_type: str, data: Any) -> None:
        """Raise an audit event for a publication, unless it is an echo, or its topic cannot be the name of one.

        Raises:
            BaseException: Another audit hook objects.
        """
        if _muted.get() or "\0" in event_type or not _can_be_encoded(event_type):
            return
        local = _local
        sender, local.sender = local.sender, self
        try:
            sys.audit(event_type, data)
        finally:
            local.sender = sender


def _can_be_encoded(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
