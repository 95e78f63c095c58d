"""The observable: its engine, its operators and the class that joins them.

* ``_cascade``: what one notification causes, and who waits for it
* ``_observers``: the ordered set of observers
* ``_wrappers``: what some observers are wrapped in
* ``_core``: the turn, the queue, arrivals, the end
* ``_derived``: how a derived observable hangs on its sources
* ``_operators``: the operators, in terms of RxPY's, and RxPY's own
* ``_deriving``: what all of them have in common, loaded with the first
* ``_merge``: the one that is called on the class too
* ``_sequential``: notification of one observer after another
* ``_observable``: the public class
"""

from __future__ import annotations

from ._observable import Observable

__all__ = ["Observable"]
