"""What a hand-over is made of, read from a store."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeVar

import msgspec

from statusboard.board import BLIND, Board
from statusboard.catalog import Catalog
from statusboard.clock import EPOCH
from statusboard.handover.compose import DAYS, compose, first_release
from statusboard.handover.told import Facts, Goals, Handover, Unread
from statusboard.measuring import Measure
from statusboard.model import Annotation, Build, Incident, Kind, Release, SourceHealth, decode, health_key
from statusboard.rewind import Watching
from statusboard.store.base import Store
from statusboard.suspects import Weights

GOAL_DAYS: Final = 30
"""Days of the window in which numbers are judged."""
_WORDS: Final = 400
"""Transitions of one source that are looked at."""
_AT_ONCE: Final = 500
"""Facts decoded between two turns of the event loop."""
_SHORTEST: Final = timedelta(seconds=5)
"""Of a source that was not read for less nobody needs to know."""
_LONGEST: Final = timedelta(days=14)
"""Builds that began so long before are still told of: what is red may have become so then."""

_KEPT: Final = timedelta(days=401)
"""Nothing is remembered for longer."""
_DAYS_AT_ONCE: Final[Mapping[Kind, timedelta]] = {
    "incident": timedelta(days=60),
    "release": timedelta(days=20),
    "build": timedelta(days=2),
    "annotation": timedelta(days=60),
}
"""What is read of the store at a time."""

F = TypeVar("F", Incident, Release, Build, Annotation)


async def gather(
    store: Store,
    board: Board,
    catalog: Catalog,
    *,
    since: datetime,
    until: datetime,
    team: str = "",
    measure: Measure | None = None,
    weights: Weights | None = None,
) -> Handover:
    """The hand-over of ``[since, until)``; ``board`` is how things are at its end.  Raises `StoreError`.

    ``measure`` judges the goals that it has.
    """
    live = [row.fact for row in board.items() if isinstance(row.fact, Incident)]
    kept = await _remembered(store, "incident", Incident, until - _KEPT, until)
    past = [
        (incident, at)
        for incident, at in kept
        if at >= since or (incident.state == "resolved" and (incident.ended_at or incident.updated_at or at) >= since)
    ]
    first = first_release(since, [at for _, at in past] + [incident.started_at for incident in live], weights)
    releases = [release for release, _ in await _remembered(store, "release", Release, first, until)]
    builds = [
        build for build, _ in await _remembered(store, "build", Build, until - timedelta(days=DAYS) - _LONGEST, until)
    ]
    said = [note for note, _ in await _remembered(store, "annotation", Annotation, first, until)]
    said += [note for incident in live for note in board.annotations(incident.key)]
    facts = Facts(
        live=live,
        past=past,
        around=[incident for incident, _ in kept],
        releases=releases,
        builds=builds,
        said=list({note.key: note for note in said}.values()),
        unread=await _unread(store, board.health, since, until),
    )
    goals = await _goals(measure, team, until) if measure is not None and measure.goals else None
    return await asyncio.to_thread(
        compose,
        facts,
        since=since,
        until=until,
        team=team,
        production=lambda environment: catalog.tier_of(environment) == "production",
        depends_on=catalog.depends_on,
        weights=weights,
        goals=goals,
    )


async def _remembered(
    store: Store, kind: Kind, type: type[F], since: datetime, until: datetime
) -> list[tuple[F, datetime]]:
    """The last words of a kind, each with when it began; what cannot be read is left out.

    Some days at a time: a screen beside it stays alive.
    """
    found: list[tuple[F, datetime]] = []
    start = since
    while start < until:
        end = min(start + _DAYS_AT_ONCE[kind], until)
        for count, row in enumerate(await store.remembered(kind, since=start, until=end), 1):
            try:
                fact = decode(row.body)
            except msgspec.MsgspecError:
                continue
            if isinstance(fact, type):
                found.append((fact, row.at))
            if count % _AT_ONCE == 0:
                await asyncio.sleep(0)
        start = end
    return found


async def _goals(measure: Measure, team: str, now: datetime) -> Goals:
    judged = [
        each
        for report in await measure.by_team(GOAL_DAYS, now)
        for each in report.goals
        if not team or each.goal.team.casefold() == team.casefold()
    ]
    return Goals(days=GOAL_DAYS, judged=tuple(judged))


# -- what was not read -------------------------------------------------------------------------------------------------


async def _unread(store: Store, healths: Mapping[str, SourceHealth], since: datetime, until: datetime) -> list[Unread]:
    """What nobody watched, and what was read in part or not at all, with the reason where one is known."""
    watching = Watching(await store.coverage())
    found: list[Unread] = []
    for name, health in sorted(healths.items()):
        told = _stretches(await _transitions(store, name), since, until)
        found += told
        for begin, end in watching.gaps(name, health.interval, until):
            # What was known to be unread is told of already, with its reason.
            if end > since and begin < until and not any(_covers(each, begin, end, until) for each in told):
                found.append(
                    Unread(
                        source=name,
                        since=max(begin, since),
                        until=None if end >= until else end,
                        why="not watched",
                    )
                )
    found = [each for each in found if (each.until or until) - each.since >= _SHORTEST]
    return _nobody(found, healths.keys(), until)


async def _transitions(store: Store, source: str) -> list[SourceHealth]:
    """The stored states of a source, oldest first, as far as they are kept."""
    found = []
    for change in await store.history(health_key(source), limit=_WORDS):
        fact = decode(change.body) if change.body is not None else None
        if isinstance(fact, SourceHealth):
            # When it was stored, and not when its state began: that is told again with each new error.
            found.append(msgspec.structs.replace(fact, updated_at=change.observed_at))
    return found[::-1]


def _stretches(states: Iterable[SourceHealth], since: datetime, until: datetime) -> list[Unread]:
    """From when to when a source was blind, within the time that is asked for."""
    found: list[Unread] = []
    begun: tuple[datetime, str] | None = None
    source = ""
    for state in states:
        source = state.source
        at = state.updated_at or EPOCH
        blind = state.state in BLIND - {"starting"} or bool(state.error)
        if blind:
            why = state.error or (state.errors[0].error if state.errors else "") or state.state
            begun = begun if begun is not None else (at, why)
        elif begun is not None and state.state != "starting":
            found.append(Unread(source=state.source, since=begun[0], until=at, why=begun[1]))
            begun = None
    if begun is not None:
        found.append(Unread(source=source, since=begun[0], until=None, why=begun[1]))
    return [
        Unread(
            source=each.source,
            since=max(each.since, since),
            until=None if each.until is None or each.until >= until else each.until,
            why=each.why,
        )
        for each in found
        if each.since < until and (each.until is None or each.until > since)
    ]


def _covers(told: Unread, begin: datetime, end: datetime, until: datetime) -> bool:
    """Whether a stretch that is told lies over the most of a gap."""
    shared = min(told.until or until, end) - max(told.since, begin)
    return shared * 2 >= end - begin


def _nobody(found: list[Unread], sources: Collection[str], until: datetime) -> list[Unread]:
    """Where no source at all was watched, no board ran: that is one stretch."""
    unwatched = [each for each in found if each.why == "not watched"]
    left = [each for each in found if each.why != "not watched"]
    while unwatched:
        first = unwatched.pop(0)
        alike = [each for each in unwatched if _alike(first, each, until)]
        if len(sources) > 1 and {first.source, *(each.source for each in alike)} >= set(sources):
            latest = max(each.since for each in (first, *alike))
            left.append(Unread(source="", since=latest, until=first.until, why="no board ran"))
            unwatched = [each for each in unwatched if each not in alike]
        else:
            left.append(first)
    return left


def _alike(one: Unread, other: Unread, until: datetime) -> bool:
    """Whether two stretches are the same but for how often their sources are read."""
    close = timedelta(minutes=5)
    ends = abs((one.until or until) - (other.until or until))
    return one.source != other.source and abs(one.since - other.since) <= close and ends <= close
