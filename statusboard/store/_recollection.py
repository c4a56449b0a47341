"""What `MemoryStore` remembers, and the moments that one steps through in it.  What `_recall` is to a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from statusboard.clock import from_us, to_us
from statusboard.model import Change, Kind
from statusboard.store._facts import KINDS, Facts, Kept, word_of
from statusboard.store._hindsight import still_known
from statusboard.store.base import Backfilled, Mark, Moment, Remembered


def hear(facts: Facts[str], change: Change) -> None:
    """Take the next change in, if it says something of what is remembered."""
    if change.body is None or change.kind not in KINDS:
        return
    time = None if change.time is None else to_us(change.time)
    at = to_us(change.observed_at)
    facts.hear(word_of(change.seq, change.key, change.kind, at, change.origin, time, change.prev_seq, change.body))


def neighbour(
    changes: Mapping[int, Change],
    facts: Facts[str],
    seq: int,
    step: Literal[-1, 1],
    incidents: bool,
    whole_at: datetime | None,
) -> Moment | None:
    """The moment beside a revision; before ``whole_at`` there is none to show."""
    came_in = [change for change in changes.values() if change.origin != "backfill"]
    if incidents:
        moments = {from_us(fact.first_seen) for fact in facts.by_seq.values() if _opened(fact)}
    else:
        moments = {change.observed_at for change in came_in}
    if whole_at is not None:
        moments = {moment for moment in moments if moment >= whole_at}
    here = max((change.observed_at for change in came_in if change.seq <= seq), default=None)
    if seq > max(changes, default=0):
        at = max(moments, default=None) if step == -1 else None
    elif step == 1:
        at = min((moment for moment in moments if here is None or moment > here), default=None)
    else:
        at = max((moment for moment in moments if here is not None and moment < here), default=None)
    if at is None:
        return None
    return Moment(seq=max((c.seq for c in changes.values() if c.observed_at <= at), default=0), observed_at=at)


def _opened(fact: Kept[str]) -> bool:
    return fact.kind == "incident" and fact.live and fact.what != ""


def remembered(
    changes: Mapping[int, Change],
    facts: Facts[str],
    kind: Kind,
    since: datetime,
    until: datetime | None,
    after: int,
) -> list[Remembered]:
    """The last words on what began between two moments, oldest first."""
    start, end = to_us(since), None if until is None else to_us(until)
    found = [
        fact
        for fact in facts.by_seq.values()
        if fact.kind == kind and fact.seq > after and fact.at >= start and (end is None or fact.at < end)
    ]
    return [_remembered(changes[fact.seq], fact) for fact in sorted(found, key=lambda fact: (fact.at, fact.seq))]


def facts_at(changes: Mapping[int, Change], facts: Facts[str], kind: Kind, upto: int) -> Facts[str]:
    """The facts of a kind as they were at a revision: of what was changed since they are folded again."""
    since = {fact.key for fact in facts.by_seq.values() if fact.kind == kind and fact.seq > upto}
    found = Facts(fact for fact in facts.by_seq.values() if fact.kind == kind and fact.key not in since)
    for seq, change in changes.items():
        if seq <= upto and change.key in since:
            hear(found, change)
    return found


def filled_by(changes: Iterable[Change], stretches: Sequence[Backfilled], upto: int) -> list[Backfilled]:
    """What of backfilled stretches had been read at a revision, as far as that can be told."""
    read: dict[tuple[str, str], tuple[datetime | None, int]] = {}
    for change in changes:
        if change.origin == "backfill":
            where = change.source, change.part
            oldest, _ = read.get(where, (None, 0))
            if change.seq <= upto and change.time is not None:
                oldest = change.time if oldest is None else min(oldest, change.time)
            read[where] = oldest, change.seq
    return still_known(stretches, read, upto)


def _remembered(change: Change, fact: Kept[str]) -> Remembered:
    assert change.body is not None
    return Remembered(
        key=change.key,
        kind=change.kind,
        source=change.source,
        part=change.part,
        episode=fact.episode,
        at=from_us(fact.at),
        first_seen=from_us(fact.first_seen),
        seq=change.seq,
        observed_at=change.observed_at,
        origin=change.origin,
        body=change.body,
    )


def marks(facts: Facts[str], since: datetime, until: datetime, step: timedelta) -> list[Mark]:
    """Incidents, releases and failed builds that began between two moments, by steps of time."""
    counts: Counter[tuple[datetime, Kind, str]] = Counter()
    for fact in facts.by_seq.values():
        at = from_us(fact.at)
        marked = fact.kind in ("incident", "release") or (fact.kind == "build" and fact.what == "failed")
        if since <= at < until and fact.what and marked:
            counts[since + (at - since) // step * step if step else at, fact.kind, fact.what] += 1
    return [Mark(at=at, kind=kind, what=what, count=count) for (at, kind, what), count in sorted(counts.items())]
