"""A wall as configured."""

from __future__ import annotations

from datetime import datetime, time, tzinfo
from typing import Final

from msgspec import Struct

from statusboard.view import OVERVIEW, ViewSpec

EVERY: Final = 30.0


class Night(Struct, frozen=True):
    """The hours in which a wall is dimmed, in the board's time zone; they may go past midnight."""

    begin: time = time(22)
    end: time = time(6)

    def holds(self, now: datetime, zone: tzinfo) -> bool:
        """Whether it is night."""
        at = now.astimezone(zone).time().replace(tzinfo=None)
        if self.begin <= self.end:
            return self.begin <= at < self.end
        return at >= self.begin or at < self.end


class WallSpec(Struct, frozen=True, kw_only=True):
    """A wall as configured: its views in their order, how long each is shown (seconds), the wall's own filter."""

    views: tuple[ViewSpec, ...] = (OVERVIEW,)
    every: float = EVERY
    night: Night | None = None
    filter: str = ""
