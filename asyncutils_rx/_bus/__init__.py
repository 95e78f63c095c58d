"""The event bus, as a cluster of rooms.

* ``_bus`` on ``_publishing`` on ``_registry``: the public class, in three layers.
* ``_core``: joins the rooms below, and knows what is running.
* ``_topics``, ``_subscribers``, ``_subscriber_set``: who is subscribed, held weakly or strongly.
* ``_middleware``: which middlewares are in force; the way through them is ``asyncutils_rx._pipeline``.
* ``_publication``: one publication; ``_brief`` and ``_callbacks`` run its callbacks, ``_outcome`` hands over what these
  raised, and ``_interruption`` ends it from outside.
* ``_places``: how many callbacks run at a time; ``_callers`` tells who waits for whom.
* ``_sinks``, ``_buffer``, ``_streams``, ``_waiting``: where else publications go.
* ``_statistics``, ``_audit``, ``_closing``: counting, audit events, the end.
"""

from __future__ import annotations

from ._bus import EventBus

__all__ = ["EventBus"]
