"""The configuration that all tests share."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = ["tests.support.plugin"]

# A loaded machine makes single examples slow now and then, which says nothing about the code.
settings.register_profile("asyncutils_rx", deadline=None)
settings.load_profile("asyncutils_rx")
