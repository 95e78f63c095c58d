"""Values handed over one by one, as over an unbuffered channel.

``_line`` is a queue that operations can leave from the middle, ``_matching`` the synchronous core that brings getters
and putters together, and ``_rendezvous`` the class with its waiting methods.
"""

from __future__ import annotations

from ._rendezvous import Rendezvous

__all__ = ["Rendezvous"]
