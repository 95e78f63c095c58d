"""What a live view shows: counts in, rates and tables out, and the places where a table is kept up to date.

Knows no loop, no observable and no bus. What is counted, and when it is looked at, is the business of those who watch.
"""

from __future__ import annotations
