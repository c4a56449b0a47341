"""What is said while a past moment is shown, and which stretch the line of time has.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from statusboard.clock import EPOCH, age
from statusboard.keys import key_name
from statusboard.rewind import Since
from statusboard.store.base import Coverage
from widgets.scrubber import Gap

SPANS: Final = (1, 7, 90)
"""Days that the line of time can have."""


def distance(at: datetime, now: datetime) -> str:
    """How far the moment is from now: ``2 h ago``."""
    seconds = (now - at).total_seconds()
    if seconds < 60:
        return f"{max(0, int(seconds))} s ago"
    told = age(now, at)
    return f"{told[:-1]} {told[-1:].replace('m', 'min')} ago"


def bar_texts(what: str, moment: str, far: str, since: Sequence[str]) -> list[str]:
    """The upper line of the scrubber, the longest first: ``REWOUND to Fri 14:23:05, 2 h ago; 14 changes since``."""
    head = f"{what} to {moment}, {far}" if what == "REWOUND" else f"{what} {moment}, {far}"
    return [*(f"{head}; {words}" for words in since), head, f"{what} {moment}", what]


def since_texts(since: Since) -> list[str]:
    """What has happened since, the longest first: ``14 changes since: 2 incidents opened, 1 release``."""
    if not since.changes:
        return ["nothing has changed since"]
    counted = (
        (since.incidents, "1 incident opened", "{} incidents opened"),
        (since.releases, "1 release", "{} releases"),
        (since.failed_builds, "1 build failed", "{} builds failed"),
    )
    told = [one if count == 1 else many.format(f"{count:,}") for count, one, many in counted if count]
    changes = "1 change since" if since.changes == 1 else f"{since.changes:,} changes since"
    return [f"{changes}: {', '.join(told[:end])}" for end in range(len(told), 0, -1)] + [changes]


def key_hints(
    keys_of: Callable[[str], Sequence[str]], *, live: bool, plays: bool = False, playing: bool = False
) -> list[str]:
    """What the keys do here, as they are bound now: the longest text first."""

    def told(action: str, what: str, *more: str) -> str:
        return " ".join(key_name(keys_of(each)[0]) for each in (action, *more)) + f" {what}"

    steps = told("earlier", "step", "later")
    jumps = told("earlier_incident", "incident", "later_incident")
    ask, back, zoom = told("moment", "time"), told("present", "live"), told("zoom", "zoom")
    if live:
        return [f"{steps}  {jumps}  {ask}  {zoom}", f"{steps}  {ask}"]
    hold = [told("fold", "pauses" if playing else "plays")] if plays else []
    return [
        "  ".join([steps, jumps, ask, *hold, zoom, back]),
        "  ".join([steps, jumps, *hold, back]),
        "  ".join([*hold, back]),
    ]


# -- the line of time ------------------------------------------------------------------------------------------------


def stretch_of(at: datetime, now: datetime, days: int) -> tuple[datetime, datetime, bool]:
    """From when to when the line of time goes, and whether it reaches to now: ``days`` long, with the moment on it.

    Now is a whole minute: a line that moved with each second would be drawn anew each time.
    """
    now = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    length = timedelta(days=days)
    if at >= now - length:
        return now - length, now, True
    # Of what is farther away a stretch that stays the same while one goes about in it.
    step = length / 4
    until = min(now, EPOCH + (at - EPOCH) // step * step + 3 * step)
    return until - length, until, until == now


def days_for(at: datetime, now: datetime, wanted: int) -> int:
    """The days that a line needs to reach from the moment to now: those that are wanted, or more."""
    return next((days for days in SPANS if days >= wanted and at >= now - timedelta(days=days)), wanted)


def gaps_of(
    coverage: Iterable[Coverage], since: datetime, until: datetime, configured: Collection[str], *, slack: timedelta
) -> list[Gap]:
    """When nobody watched from ``since`` to ``until``, and when only some sources were watched, in their order.

    A source counts from when it was watched first, and one that is no longer ``configured`` until it was watched last.
    Between two stretches that lie no more than ``slack`` apart it was watched: polls take turns.
    """
    watched: dict[str, list[tuple[datetime, datetime]]] = {}
    for row in sorted(coverage, key=lambda row: row.since):
        spans = watched.setdefault(row.source, [])
        if spans and row.since - spans[-1][1] <= slack:
            spans[-1] = (spans[-1][0], max(spans[-1][1], row.last_success))
        else:
            spans.append((row.since, row.last_success))
    # How many sources watch, and how many should, from each moment on.
    turns: list[tuple[datetime, int, int]] = []
    for source, spans in watched.items():
        turns.append((spans[0][0], 0, 1))
        if source not in configured:
            turns.append((spans[-1][1], 0, -1))
        for begin, end in spans:
            turns += [(begin, 1, 0), (end + slack, -1, 0)]
    gaps: list[Gap] = []
    watching = expected = 0
    begin = since
    for moment, more, wanted in [*sorted(turns), (until, 0, 0)]:
        end = min(max(moment, since), until)
        if end > begin and (not watching or watching < expected):
            if gaps and gaps[-1].until == begin and gaps[-1].partly == bool(watching):
                gaps[-1] = gaps[-1]._replace(until=end)
            else:
                gaps.append(Gap(begin, end, partly=bool(watching)))
        begin = max(begin, end)
        watching += more
        expected += wanted
    return gaps
