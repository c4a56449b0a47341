"""How every service is, and what runs where: the board's rows folded into one line for each service.  Pure.

**What counts.**  What has a place in a lane: a slot's current item, its newest one, and what is under way.  The filter
decides which items count; a failing one that it leaves out still keeps its service from being called well.

**Health.**  ``failing`` where an item is (``acknowledged`` where somebody is at every one of them), ``hidden`` where
only items that the filter leaves out are, ``unknown`` where a state could not be read, ``unread`` where a source that
may know better is blind: one that told of this service, or a required one that reads incidents, whose silence would
else look like peace.  Then ``warning`` and ``ok``; ``nothing`` where nothing is known at all.

**Order.**  Failing first, by the worst of what is wrong (a failed release ranks with high incidents where people are
served, elsewhere with low ones; a failed build with medium ones), then what is hidden, unknown and unread, the rest by
name, and last what nothing is known about.  It never depends on the time of day.
"""

from __future__ import annotations

from statusboard.services.line import (
    NO_SERVICE,
    WRONG,
    Builds,
    Deployed,
    Group,
    Health,
    Service,
    by_team,
    sort_key,
    version_of,
)
from statusboard.services.matrix import MOST_ENVIRONMENTS, MatrixChange, ServiceMatrix

__all__ = [
    "MOST_ENVIRONMENTS",
    "NO_SERVICE",
    "WRONG",
    "Builds",
    "Deployed",
    "Group",
    "Health",
    "MatrixChange",
    "Service",
    "ServiceMatrix",
    "by_team",
    "sort_key",
    "version_of",
]
