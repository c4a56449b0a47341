"""Windows of whole local days, and stretches of time that were watched.  Pure.

A window of N days is today, as far as it has come, and the N - 1 days before it, from midnight to midnight in the
configured zone; the window before it is the N days before those.  A day is a day however many hours the change to or
from summer time gives it: frequencies are counted per local day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from typing import Final

from msgspec import Struct

DAY: Final = timedelta(days=1)


class Stretch(Struct, frozen=True, gc=False, order=True):
    """From ``since`` up to and without ``until`` (UTC)."""

    since: datetime
    until: datetime


class Window(Struct, frozen=True, gc=False):
    """``days`` local days, from midnight; ``until`` is now, or midnight where the window is over."""

    days: int
    since: datetime
    until: datetime

    @property
    def stretch(self) -> Stretch:
        """The whole of it."""
        return Stretch(self.since, self.until)


def window_of(days: int, now: datetime, zone: tzinfo = UTC) -> Window:
    """The window that ends now."""
    today = now.astimezone(zone).date()
    return Window(days, midnight(today - (days - 1) * DAY, zone), now)


def window_before(window: Window, zone: tzinfo = UTC) -> Window:
    """The equally many whole days before a window."""
    first = window.since.astimezone(zone).date()
    return Window(window.days, midnight(first - window.days * DAY, zone), window.since)


def days_of(window: Window, zone: tzinfo = UTC) -> list[Stretch]:
    """The local days of a window, oldest first; the last one ends where the window does."""
    first = window.since.astimezone(zone).date()
    starts = [midnight(first + n * DAY, zone) for n in range(window.days + 1)]
    return [Stretch(a, min(b, window.until)) for a, b in pairwise(starts) if a < window.until]


def midnight(day: date, zone: tzinfo) -> datetime:
    """When a local day begins, in UTC; where its midnight does not exist, when the clocks have gone forward."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def days_between(since: datetime, until: datetime, zone: tzinfo = UTC) -> float:
    """How many local days lie between: from noon to noon it is 1, also in the night when the clocks change."""
    if since.tzinfo is UTC and zone is UTC:
        return max(0.0, (until - since) / DAY)
    start, end = since.astimezone(zone).replace(tzinfo=None), until.astimezone(zone).replace(tzinfo=None)
    return max(0.0, (end - start) / DAY)


# -- stretches -------------------------------------------------------------------------------------------------------


def joined(stretches: Iterable[Stretch], gap: timedelta = timedelta(0)) -> list[Stretch]:
    """The same time as few stretches, in order; what lies at most ``gap`` apart is one."""
    found: list[Stretch] = []
    for stretch in sorted(stretches):
        if stretch.until < stretch.since:
            continue
        if found and stretch.since - found[-1].until <= gap:
            found[-1] = Stretch(found[-1].since, max(found[-1].until, stretch.until))
        else:
            found.append(stretch)
    return found


def shared(one: Sequence[Stretch], two: Sequence[Stretch]) -> list[Stretch]:
    """The time that lies in both; each is in order and its stretches lie apart."""
    found: list[Stretch] = []
    i = j = 0
    while i < len(one) and j < len(two):
        since, until = max(one[i].since, two[j].since), min(one[i].until, two[j].until)
        if since < until:
            found.append(Stretch(since, until))
        if one[i].until <= two[j].until:
            i += 1
        else:
            j += 1
    return found


def total_days(stretches: Iterable[Stretch], zone: tzinfo = UTC) -> float:
    """How many local days they are together."""
    return sum(days_between(stretch.since, stretch.until, zone) for stretch in stretches)
