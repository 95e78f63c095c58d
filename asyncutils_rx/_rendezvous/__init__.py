"""Values handed over one by one, as over an unbuffered channel.

``_line`` is a queue that operations can leave from the middle, ``_waking`` how tasks wait and are woken, ``_matching``
the synchronous core that brings getters and putters together, ``_calls`` what a call does while it is awaited, and
``_rendezvous`` the class.
"""

from __future__ import annotations

from ._rendezvous import Rendezvous

__all__ = ["Rendezvous"]
