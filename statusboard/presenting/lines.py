"""The lines of the details, and how times and lengths are told in them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, tzinfo
from typing import TypeAlias

from statusboard import clock
from statusboard.current import AHEAD
from statusboard.model import Release
from statusboard.presenting.glyphs import Cell

Line: TypeAlias = tuple[str, str | tuple[Cell, ...], str]
"""(label, text or words with a style name each, style name of what has none of its own).

Words are parted before one that begins with a blank, if the line has to be broken.  A text with the style ``link`` is
a URL that is safe to open.
"""
Section: TypeAlias = tuple[str, list[Line]]
"""(heading, lines).  What stands above all others has no heading."""


def filled(sections: Iterable[Section]) -> list[Section]:
    """The sections without lines that say nothing, and without sections that have no line left."""
    return [(heading, kept) for heading, lines in sections if (kept := [line for line in lines if line[1]])]


def listed(words: Iterable[Cell]) -> tuple[Cell, ...]:
    """Words with a comma after each but the last; a line may be broken before each but the first.  Empty ones go."""
    kept = [word for word in words if word[0]]
    last = len(kept) - 1
    return tuple(
        (f"{' ' if place else ''}{text}{',' if place < last else ''}", style)
        for place, (text, style) in enumerate(kept)
    )


def moment(at: datetime | None, now: datetime, zone: tzinfo) -> str:
    """A time in full, with its age; ``""`` for one that is not known."""
    if at is None:
        return ""
    age = f"{clock.age(now, at)} ago" if at <= now else "ahead of our clock"
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S} ({age})"


def since(now: datetime, at: datetime) -> str:
    """How long ago in at most five cells, or that it lies ahead of our clock by more than clocks differ: ``in 1h``."""
    if at - now <= AHEAD:
        return clock.age(now, at)
    told = f"in {clock.age(at, now)}"
    return told if len(told) <= 5 else "ahead"


def time_of_day(at: datetime, day: datetime, zone: tzinfo) -> str:
    """The time of day, with the date unless it is the day of ``day``."""
    local = at.astimezone(zone)
    return f"{local:%H:%M}" if local.date() == day.astimezone(zone).date() else f"{local:%Y-%m-%d %H:%M}"


def length(seconds: float) -> str:
    """How long something took, in at most two units: ``42s``, ``4m10s``, ``1h2m``, ``3d4h``."""
    minutes, s = divmod(max(0, round(seconds)), 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    for large, unit, small, lesser in ((days, "d", h, "h"), (hours, "h", m, "m"), (minutes, "m", s, "s")):
        if large:
            return f"{large}{unit}" + (f"{small}{lesser}" if small else "")
    return f"{s}s"


def setting_of(release: Release) -> str:
    """What a change of configuration set, and to what: ``timeout = 3s``."""
    if release.setting and release.version:
        return f"{release.setting} = {release.version}"
    return release.setting or release.title


def short_revision(revision: str) -> str:
    """A commit's hash in the ten digits that tell it apart; any other revision as it is."""
    is_hash = len(revision) >= 32 and all(sign in "0123456789abcdefABCDEF" for sign in revision)
    return revision[:10] if is_hash else revision
