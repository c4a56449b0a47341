"""Reading what the vendors still have of the past, page by page, into the store.

It runs beside whoever polls and takes nothing from it: never more than half of a quota is used, one page of a source is
read at a time, and a server gets as long a rest as it took to answer.  How far each part of a source has come is noted
with every page, so that what was killed goes on where it was; what is stored already is not stored again.

Every source by itself, and every part of it: what one of them does harms no other.
"""

from statusboard.backfill._progress import PartProgress, SourceProgress
from statusboard.backfill._reader import RESERVE
from statusboard.backfill._run import Backfill, can_tell

LEASE = "backfill"
"""The lease that a run holds: two at once would fetch everything twice."""

__all__ = ["LEASE", "RESERVE", "Backfill", "PartProgress", "SourceProgress", "can_tell"]
