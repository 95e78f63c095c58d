"""The seam to RxPY: the only room of this package that imports :mod:`reactivex`, versions 4 to 6.

It is imported when something of RxPY is first needed, and brings RxPY in with it, quietly: from then on the modules in
here import :mod:`reactivex` as any other package.
"""

from __future__ import annotations

from . import _compat as _compat  # before every other module in here, whichever of them is imported first
