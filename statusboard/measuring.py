"""Delivery metrics out of a store: read once, then kept up to date by what is new.

A `Measure` holds what is remembered of releases and incidents as a `Ledger`.  Each `update` reads only what the store
has learned since; a new local day (or another store) begins it anew.  All of it is done a few milliseconds at a time:
a screen beside it stays alive.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections import deque
from collections.abc import AsyncIterator, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from typing import Final, Literal, Protocol, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from statusboard import recalling
from statusboard.catalog import Catalog
from statusboard.clock import breathe, from_us, to_us
from statusboard.metrics import (
    Goal,
    Inputs,
    Ledger,
    Metric,
    Report,
    Scope,
    Stretch,
    Window,
    episode_of,
    window_before,
    window_of,
)
from statusboard.metrics.finds import Memory
from statusboard.metrics.ledger import EpisodeId
from statusboard.metrics.over import values_over
from statusboard.metrics.report import reporting
from statusboard.metrics.watched import RELEASE_GAP, Part, covered, watched_together
from statusboard.metrics.windows import joined
from statusboard.model import Annotation, Incident, ItemKind, Kind, Release
from statusboard.store.base import Backfilled, Bundle, Coverage, Head, Live, Remembered
from statusboard.weights import Weights

Told: TypeAlias = Literal["release", "incident", "annotation"]

SLICE: Final = 0.008
"""Seconds of work between two turns of the event loop."""
LONGEST: Final = 90
"""Days of the longest window that is kept ready; a longer one that is asked for has everything read anew."""
FOREWORD: Final = 30
"""Days before the first window that are read too: what stood there before tells a rollback from a new version."""
_DAYS_AT_ONCE: Final[Mapping[Told, timedelta]] = {
    "release": timedelta(days=5),
    "incident": timedelta(days=5),
    "annotation": timedelta(days=400),
}
"""What is read of the store at a time."""
_TOLD: Final[tuple[Told, ...]] = ("release", "incident", "annotation")
_AHEAD: Final = 3
"""Stretches that the store is asked for at once."""
_AT_ONCE: Final = 50
"""Words taken in between two looks at the time: some tenths of a millisecond each."""
_EVER: Final = datetime.max.replace(tzinfo=UTC)
_FRESH: Final = timedelta(minutes=1)
"""How old a report may be of which nothing has changed but the time."""

F = TypeVar("F", Release, Incident, Annotation)
R = TypeVar("R")


class Knowledge(Protocol):
    """What is read of a `statusboard.store.base.Store`, which says what these give; or of what one knew once."""

    @property
    def store_id(self) -> str: ...
    async def remembered(
        self, kind: Kind, *, since: datetime, until: datetime | None = None, after: int = 0
    ) -> list[Remembered]: ...
    async def bundled(
        self, kind: Kind, *, since: datetime, until: datetime | None = None, after: int = 0
    ) -> list[Bundle]: ...
    async def seq_at(self, at: datetime) -> int: ...
    async def get(self, keys: Collection[str]) -> list[Live]: ...
    async def coverage(self, source: str | None = None, since: datetime | None = None) -> list[Coverage]: ...
    async def backfilled(self, source: str | None = None) -> list[Backfilled]: ...
    async def kept(self, what: str) -> dict[str, bytes]: ...
    async def keep(self, what: str, parts: Mapping[str, bytes | None]) -> None: ...


class Input(Struct, frozen=True, kw_only=True):
    """A configured source as far as metrics depend on it; ``team`` and ``service`` where all it tells is of these."""

    source: str
    kinds: frozenset[ItemKind]
    team: str = ""
    service: str = ""
    optional: bool = False


@contextmanager
def _uncollected(lasting: bool) -> Iterator[None]:
    """All is read anew, and nearly all of it stays: the collector need not look at it, if it is ``lasting`` not even
    later."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            if lasting:
                gc.freeze()
            gc.enable()


class _Pace:
    """Gives the event loop its turn whenever a slice of work is over: ``if pace.over(): await pace.rest()``."""

    def __init__(self) -> None:
        self._end = time.perf_counter() + SLICE

    def over(self) -> bool:
        """Whether the slice is over; nearly always not, so that this is no call to be awaited."""
        return time.perf_counter() > self._end

    async def rest(self) -> None:
        """Let others work."""
        await breathe()
        self._end = time.perf_counter() + SLICE

    async def through(self, steps: Generator[None, None, R]) -> R:
        """What comes of work that is done in steps."""
        while True:
            try:
                next(steps)
            except StopIteration as done:
                found: R = done.value
                return found
            if self.over():
                await self.rest()


class Measure:
    """Reports on one store.  For one event loop.

    ``inputs`` are the configured sources; without any, all that have told of releases or incidents.  ``zone`` is that
    of the days.
    """

    def __init__(
        self,
        store: Knowledge,
        catalog: Catalog,
        *,
        inputs: Sequence[Input] = (),
        goals: Sequence[Goal] = (),
        zone: tzinfo = UTC,
        weights: Weights | None = None,
    ) -> None:
        self.store = store
        self.catalog = catalog
        self.inputs = tuple(inputs)
        self.goals = tuple(goals)
        self.zone = zone
        self._weights = weights
        #: Whether it is asked again and again; one of a past moment is let go of as soon as another is shown.
        self.lasting = True
        self._lock = asyncio.Lock()
        self._longest = LONGEST
        self._for: tuple[str, object, int] | None = None
        self._begin()

    def _begin(self, memory: Memory | None = None) -> None:
        catalog = self.catalog
        self._ledger = Ledger(
            lambda name: catalog.tier_of(name) == "production",
            weights=self._weights,
            depends_on=self.catalog.depends_on,
            memory=memory,
        )
        self._after: dict[Told, int] = {"release": 0, "incident": 0, "annotation": 0}
        self._telling: set[Part] = set()
        #: The episodes of each key, and when each was observed last (microseconds).
        self._episodes: dict[str, tuple[tuple[int, int], ...]] = {}
        self._coverage: Mapping[Part, Sequence[Stretch]] = {}
        self._inputs_of: dict[Scope, tuple[int, Inputs]] = {}
        self._releases_together: dict[frozenset[Part], tuple[Stretch, ...]] = {}
        self._incidents_together: dict[tuple[frozenset[str], int], tuple[Stretch, ...]] = {}
        self._edition = 0
        self._reports: dict[tuple[Scope, int], tuple[object, Report]] = {}

    # -- asking --------------------------------------------------------------------------------------------------

    async def report(self, scope: Scope, days: int, now: datetime) -> Report:
        """The numbers of a scope in the window of so many days that ends now.  Raises `StoreError`."""
        await self.update(now, days, scope.environment)
        pace = _Pace()
        await pace.through(self._ledger.gathering(scope))
        return await self._report(scope, days, now, pace)

    async def by_service(self, days: int, now: datetime, *, team: str = "", environment: str = "") -> list[Report]:
        """A report for each service that has had deployments or incidents in the window or the one before."""
        await self.update(now, days, environment)
        scopes = (Scope(service, team, environment) for service in self._ledger.services)
        return await self._all(scopes, days, now)

    async def by_team(self, days: int, now: datetime, *, environment: str = "") -> list[Report]:
        """A report for each team, those that have goals among them."""
        await self.update(now, days, environment)
        teams = sorted({*self._ledger.teams, *(goal.team for goal in self.goals)})
        return await self._all((Scope("", team, environment) for team in teams), days, now, always=True)

    def over(self, scope: Scope, metric: Metric, spans: Sequence[Stretch]) -> tuple[float | None, ...]:
        """A number in each of these stretches, as of the last `update`; None where there is no data."""
        gathered = self._ledger.gathered(scope)
        return values_over(metric, spans, gathered.record, self._inputs(scope), self.zone)

    @property
    def services(self) -> list[str]:
        """The services that the last update knew deployments or incidents of."""
        return self._ledger.services

    @property
    def teams(self) -> list[str]:
        """The teams that the last update knew deployments of."""
        return self._ledger.teams

    async def _all(self, scopes: Iterable[Scope], days: int, now: datetime, *, always: bool = False) -> list[Report]:
        pace = _Pace()
        reports = []
        for scope in scopes:
            report = await self._report(scope, days, now, pace)
            if always or report.unlinked.episodes or any(number.n or number.before_n for number in report.numbers):
                reports.append(report)
            if pace.over():
                await pace.rest()
        return reports

    async def _report(self, scope: Scope, days: int, now: datetime, pace: _Pace) -> Report:
        gathered, inputs = self._ledger.gathered(scope), self._inputs(scope)
        state = (gathered.edition, self._ledger.unlinked_edition(scope), id(inputs))
        known = self._reports.get((scope, days))
        if known is not None and known[0] == state and timedelta(0) <= now - known[1].window.until < _FRESH:
            return known[1]
        window = window_of(days, now, self.zone)
        own = not scope.service and not scope.environment
        steps = reporting(
            scope,
            window,
            gathered.record,
            inputs,
            self._ledger.unlinked(scope),
            [goal for goal in self.goals if own and goal.team == scope.team],
            self._notes(scope, window),
            self.zone,
        )
        report = await pace.through(steps)
        self._reports[scope, days] = (state, report)
        return report

    def _notes(self, scope: Scope, window: Window) -> list[str]:
        left_out = self._ledger.left_out(scope, window.since, window.until)
        return [
            f"{count} {'release' if count == 1 else 'releases'} {why} {'is' if count == 1 else 'are'} in no number"
            for why, count in sorted(left_out.items())
        ]

    # -- reading -------------------------------------------------------------------------------------------------

    async def update(self, now: datetime, days: int = LONGEST, environment: str = "") -> None:
        """Take in what the store has learned since.  Raises `StoreError`; what was known stays.

        ``environment`` is one that is to be reported on beside production.
        """
        async with self._lock:
            self._longest = max(self._longest, days)
            wanted = (self.store.store_id, now.astimezone(self.zone).date(), self._longest)
            if self._for == wanted:
                await self._read(now, environment)
                return
            kept = await recalling.recalled(self.store)
            self._begin(Memory(kept, recalling.rules()))
            self._for = None
            with _uncollected(self.lasting):
                await self._read(now, environment)
            self._for = wanted
            await recalling.keep(self.store, self._ledger.found_anew(), kept, now)

    async def _read(self, now: datetime, environment: str) -> None:
        pace = _Pace()
        window = window_before(window_of(self._longest, now, self.zone), self.zone)
        since = window.since - timedelta(days=FOREWORD)
        changed = False
        async for kind, bundle in self._news(since, now):
            changed = changed or kind != "annotation"
            for _ in self._take_in(kind, bundle):
                if pace.over():
                    await pace.rest()
        await self._look_after_open(pace)
        for _ in self._ledger.settled(environment):
            if pace.over():
                await pace.rest()
        await self._read_coverage(since)
        if changed:
            self._edition += 1

    async def _news(self, since: datetime, now: datetime) -> AsyncIterator[tuple[Told, Bundle]]:
        """What the store has learned since it was asked last, one kind after the other, some at a time."""
        newest = dict(self._after)
        # While all is read anew, another word may come in on what has been read already.
        most = await self.store.seq_at(_EVER) if self._for is None else None
        reading: deque[tuple[Told, asyncio.Task[list[Bundle]]]] = deque()
        coming = ((kind, *stretch) for kind in _TOLD for stretch in self._stretches(kind, since, now))
        try:
            while True:
                # The store reads on while these are taken in.
                for kind, start, end in islice(coming, _AHEAD - len(reading)):
                    asked = self.store.bundled(kind, since=start, until=end, after=self._after[kind])
                    reading.append((kind, asyncio.ensure_future(asked)))
                if not reading:
                    break
                kind, bundles = reading[0]
                for bundle in await bundles:
                    newest[kind] = max(newest[kind], max(head.seq for head in bundle.heads))
                    yield kind, bundle
                reading.popleft()
        finally:
            for _, bundles in reading:
                bundles.cancel()
        self._after = newest if most is None else {kind: min(seq, most) for kind, seq in newest.items()}

    def _stretches(self, kind: Told, since: datetime, now: datetime) -> Iterator[tuple[datetime, datetime | None]]:
        """What is read of the store at a time."""
        # What is new is little; what began in the future (a clock that is ahead) comes with the last of it.
        while self._for is None and since + _DAYS_AT_ONCE[kind] <= now:
            yield since, since + _DAYS_AT_ONCE[kind]
            since += _DAYS_AT_ONCE[kind]
        yield since, None

    def _take_in(self, kind: Told, bundle: Bundle) -> Iterator[None]:
        """Take some words in, a few at each step."""
        if kind == "release":
            for count, (head, release) in enumerate(_decoded(bundle, _RELEASE), 1):
                self._ledger.put_release(release, (head.source, head.part), head.seq)
                if not count % _AT_ONCE:
                    yield
        elif kind == "incident":
            for count, (head, incident) in enumerate(_decoded(bundle, _INCIDENT), 1):
                self._telling.add((head.source, head.part))
                self._put_episode(head, incident)
                if not count % _AT_ONCE:
                    yield
        else:
            for _, note in _decoded(bundle, _ANNOTATION):
                self._ledger.say(note)
        yield

    def _put_episode(self, head: Head, incident: Incident) -> None:
        key, episode = incident.key, head.episode
        began = incident.started_at or from_us(head.at)
        seen = (episode, head.observed_at)
        known = self._episodes.get(key)
        if known is None:
            self._episodes[key] = (seen,)
        else:
            kept = [each for each in known if each[0] != episode]
            if len(kept) == len(known):
                # Where a vendor tells another start of what was not over then, it is the same episode told otherwise.
                kept = [each for each in kept if not self._is_told_otherwise(key, each, began)]
            self._episodes[key] = (*kept, seen)
        self._ledger.put_episode((key, episode), episode_of(incident, began), head.seq)

    def _is_told_otherwise(self, key: str, seen: tuple[int, int], began: datetime) -> bool:
        """Whether an episode was not over when another one of its key ``began``; it is no other one then."""
        episode, observed_at = seen
        held = self._ledger.episode((key, episode))
        last = held.ended if held is not None and held.ended is not None else from_us(observed_at)
        if held is not None and began >= last:
            return False
        self._ledger.forget_episode((key, episode))
        return True

    async def _look_after_open(self, pace: _Pace) -> None:
        """Of what is not over, find what was taken off the board, or has begun anew without an end."""
        episodes = self._ledger.open_episodes()
        live: dict[str, EpisodeId] = {}
        for row in await self.store.get([id_[0] for id_, _ in episodes]) if episodes else ():
            try:
                began = _INCIDENT.decode(row.body).started_at
            except msgspec.MsgspecError:
                continue
            live[row.key] = (row.key, 0 if began is None else to_us(began))
            if pace.over():
                await pace.rest()
        for id_, episode in episodes:
            gone = id_[0] not in live
            if gone or (live[id_[0]] != id_ and episode.incident.started_at is not None):
                word = episode_of(episode.incident, episode.began, withdrawn=gone, superseded=not gone)
                self._ledger.put_episode(id_, word)

    # -- what was watched ----------------------------------------------------------------------------------------

    async def _read_coverage(self, since: datetime) -> None:
        watched: dict[Part, list[Stretch]] = {}
        for row in await self.store.coverage(since=since):
            # To the next full minute: nothing is known that happened later, and what is known need not be told anew.
            until = row.last_success.replace(second=0, microsecond=0) + timedelta(minutes=1)
            watched.setdefault((row.source, row.part), []).append(Stretch(row.since, until))
        for filled in await self.store.backfilled():
            watched.setdefault((filled.source, filled.part), []).append(Stretch(filled.since, filled.until))
        found = {part: tuple(joined(stretches)) for part, stretches in watched.items()}
        if found != self._coverage:
            self._coverage = found
            self._inputs_of.clear()
            self._releases_together.clear()
            self._incidents_together.clear()

    def _inputs(self, scope: Scope) -> Inputs:
        known = self._inputs_of.get(scope)
        if known is not None and known[0] == self._edition:
            return known[1]
        inputs = Inputs(self._releases_watched(scope), self._incidents_watched(scope))
        if known is not None and known[1] == inputs:
            inputs = known[1]
        self._inputs_of[scope] = (self._edition, inputs)
        return inputs

    def _releases_watched(self, scope: Scope) -> tuple[Stretch, ...] | None:
        """When all parts that tell of this scope's deployments were watched."""
        configured = {entry.source for entry in self.inputs if "release" in entry.kinds}
        parts = {part for part in self._ledger.parts(scope) if not configured or part[0] in configured}
        if not parts:
            return None
        asked = frozenset(parts)
        if asked not in self._releases_together:
            self._releases_together[asked] = covered([self._coverage.get(part, ()) for part in parts], RELEASE_GAP)
        return self._releases_together[asked]

    def _incidents_watched(self, scope: Scope) -> tuple[Stretch, ...] | None:
        """When all sources were watched that would have told of this scope's incidents."""
        sources: Collection[str] = {source for source, _ in self._telling}
        if self.inputs:
            sources = {
                entry.source
                for entry in self.inputs
                if "incident" in entry.kinds and not entry.optional and self._concerns(entry, scope)
            }
        if not sources:
            return None
        asked = frozenset(sources), len(self._telling)
        if asked not in self._incidents_together:
            watched = []
            for source in sources:
                parts = {part for part in self._coverage if part[0] == source}
                watched.append(watched_together([self._coverage[part] for part in parts & self._telling or parts]))
            self._incidents_together[asked] = covered(watched)
        return self._incidents_together[asked]

    def _concerns(self, entry: Input, scope: Scope) -> bool:
        """Whether a source may tell of a scope: one of which all is another team's does not."""
        if entry.service and scope.service:
            return entry.service == scope.service
        team = scope.team or (self.catalog.team_of(scope.service) if scope.service else "")
        return not (entry.team and team) or entry.team == team


_RELEASE: Final = msgspec.json.Decoder(Release)
_INCIDENT: Final = msgspec.json.Decoder(Incident)
_ANNOTATION: Final = msgspec.json.Decoder(Annotation)


def _decoded(bundle: Bundle, decoder: msgspec.json.Decoder[F]) -> Iterator[tuple[Head, F]]:
    """The words with what they say; one that cannot be read says nothing."""
    decode, bodies, end = decoder.decode, bundle.bodies, 0
    for head in bundle.heads:
        start, end = end, end + head.size
        try:
            yield head, decode(bodies[start:end])
        except msgspec.MsgspecError:
            continue
