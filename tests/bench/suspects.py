"""How often the suspects are right, on generated histories by which no weight was chosen.

The weights were chosen on `TUNED` seeds of `worlds`.  Here they are measured on other seeds of it, and on the second
kind of history, `other_worlds`; twice each: by what is known when somebody looks at a new incident (nothing has been
rolled back yet, what runs has not ended), and by all that is known afterwards.

top-1, top-3: of the incidents that a release caused, those for which it is named first, or among the three.
"no suspect" precision: of the incidents that get none, those without a cause.  Every incident counts, also where its
cause lies outside the window or was never told.
"""

from __future__ import annotations

import statistics
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec import structs

from statusboard.catalog import Catalog
from statusboard.model import Incident, Release
from statusboard.suspects import Candidates, Suspect, Weights
from tests.bench import other_worlds, worlds
from tests.bench.labelled import History, Rollout
from tests.bench.table import Row

TUNED = range(30)
UNSEEN = range(1_000, 1_006)
LOOKED = timedelta(minutes=5)
"""How long after an incident began somebody looks at it."""
KEPT = timedelta(hours=48)
"""How long a board keeps what is over."""


class Figures(NamedTuple):
    """Counts of incidents; those of several histories are added up.  ``oracle`` and ``none`` as `worlds` has them."""

    caused: int = 0
    uncaused: int = 0
    first: int = 0
    among: int = 0
    none: int = 0
    none_right: int = 0
    latest: int = 0
    latest_of_service: int = 0
    oracle_first: int = 0
    oracle_among: int = 0
    oracle_none: int = 0
    oracle_none_right: int = 0

    def plus(self, other: Figures) -> Figures:
        return Figures(*(one + two for one, two in zip(self, other, strict=True)))

    @property
    def top_1(self) -> float:
        return 100 * self.first / self.caused

    @property
    def top_3(self) -> float:
        return 100 * self.among / self.caused

    @property
    def precision(self) -> float:
        return 100 * self.none_right / self.none if self.none else 100.0


def production(environment: str) -> bool:
    """The tier of generated environments."""
    return environment == "production"


def asked(history: History, weights: Weights, *, hindsight: bool) -> Iterator[tuple[Incident, list[Suspect]]]:
    """Each incident with its suspects."""
    if hindsight:
        candidates = Candidates(history.releases, weights=weights, depends_on=history.depends_on, production=production)
        for incident in history.incidents:
            candidates.put_incident(incident.key, incident)
        for incident in history.incidents:
            yield incident, candidates.of(incident)
        return
    for incident, known in as_known(history):
        candidates = Candidates(known, weights=weights, depends_on=history.depends_on, production=production)
        assert incident.started_at is not None
        for other in history.incidents:
            if other.started_at is not None and other.started_at <= incident.started_at + LOOKED:
                candidates.put_incident(other.key, other)
        yield incident, candidates.of(incident)


def as_known(history: History) -> Iterator[tuple[Incident, list[Release]]]:
    """Each incident with the releases that a board had when somebody looked at it."""
    ordered = sorted((began, release.key, release) for release in history.releases if (began := _began(release)))
    times = [began for began, _, _ in ordered]
    for incident in history.incidents:
        assert incident.started_at is not None
        now = incident.started_at + LOOKED
        past = ordered[bisect_left(times, now - KEPT) : bisect_left(times, now)]
        yield incident, [_told(release, now) for _, _, release in past]


def _began(release: Release) -> datetime | None:
    return release.started_at or release.ended_at or release.updated_at


def _told(release: Release, now: datetime) -> Release:
    """A release as its source told of it then."""
    if release.ended_at is not None and release.ended_at > now:
        return structs.replace(release, state="running", ended_at=None, updated_at=release.started_at)
    if release.updated_at is not None and release.updated_at > now:
        state = "success" if release.state == "rolled_back" else release.state
        return structs.replace(release, state=state, updated_at=release.ended_at or release.started_at)
    return release


def measured(history: History, weights: Weights, *, hindsight: bool) -> Figures:
    """The figures of one history."""
    return judged(history, asked(history, weights, hindsight=hindsight))


def judged(history: History, answers: Iterable[tuple[Incident, list[Suspect]]]) -> Figures:
    """What these answers are worth."""
    counts = dict.fromkeys(Figures._fields, 0)
    for incident, suspects in answers:
        cause = history.cause_of[incident.key]
        named = [history.rollout_of[suspect.release.key] for suspect in suspects]
        counts["caused" if cause is not None else "uncaused"] += 1
        counts["none"] += not named
        if cause is None:
            counts["none_right"] += not named
        else:
            counts["first"] += named[:1] == [cause]
            counts["among"] += cause in named
    return Figures(**counts)


def compared(history: History, *, hindsight: bool) -> Figures:
    """The same of the baselines, and of who knows how the history was made."""
    counts = dict.fromkeys(Figures._fields, 0)
    latest = _Latest(history)
    for incident in history.incidents:
        cause = history.cause_of[incident.key]
        belief = history.believe(incident, hindsight)
        none = belief.none >= sum(belief.rollouts.values())
        counts["oracle_none"] += none
        if cause is None:
            counts["oracle_none_right"] += none
            continue
        ranked = sorted(belief.rollouts, key=belief.rollouts.__getitem__, reverse=True)
        counts["oracle_first"] += ranked[:1] == [cause]
        counts["oracle_among"] += cause in ranked[:3]
        counts["latest"] += latest.of(incident) == cause
        counts["latest_of_service"] += latest.of_service(incident) == cause
    return Figures(**counts)


class _Latest:
    """The baselines: the latest release before the incident; that of its own service, else the latest of all."""

    def __init__(self, history: History) -> None:
        self._rollout_of = history.rollout_of
        self._begun: dict[str, list[tuple[datetime, str]]] = {}
        for release in history.releases:
            began = _began(release)
            if release.type == "deployment" and release.environment in ("production", "") and began is not None:
                for service in ("", *release.services):
                    self._begun.setdefault(service, []).append((began, release.key))
        for begun in self._begun.values():
            begun.sort()

    def of(self, incident: Incident) -> Rollout | None:
        assert incident.started_at is not None
        begun = self._begun.get("", [])
        place = bisect_left(begun, (incident.started_at, ""))
        return self._rollout_of[begun[place - 1][1]] if place else None

    def of_service(self, incident: Incident) -> Rollout | None:
        assert incident.started_at is not None
        begun = self._begun.get(incident.service, []) if incident.service else []
        place = bisect_left(begun, (incident.started_at, ""))
        if place and incident.started_at - begun[place - 1][0] < timedelta(hours=24):
            return self._rollout_of[begun[place - 1][1]]
        return self.of(incident)


def ingested(history: History) -> History:
    """The history as ingest would have it: where no source says which service it is, the repository does."""
    resolve = Catalog().resolve
    resolved = [release for item in history.releases if isinstance(release := resolve(item), Release)]
    return history._replace(releases=resolved)


def total(make: Callable[[int], History], seeds: Iterable[int], weights: Weights, *, hindsight: bool) -> Figures:
    """The figures of several histories, compared with what else one could do."""
    figures = Figures()
    for seed in seeds:
        history = ingested(make(seed))
        figures = figures.plus(measured(history, weights, hindsight=hindsight))
        figures = figures.plus(compared(history, hindsight=hindsight))
    return figures


def rows() -> list[Row]:
    """All rows of the suspects."""
    weights = Weights()
    found: list[Row] = []
    for name, make in (("one by one", worlds.history), ("by train", other_worlds.history)):
        for hindsight in (False, True):
            figures = total(make, UNSEEN, weights, hindsight=hindsight)
            found += _rows(f"suspects, {name}, {'afterwards' if hindsight else 'at once'}", figures)
    return [*found, *_speed()]


def _rows(name: str, figures: Figures) -> list[Row]:
    caused, uncaused = figures.caused, figures.uncaused
    latest = 100 * figures.latest / caused
    of_service = 100 * figures.latest_of_service / caused
    oracle = [100 * n / caused for n in (figures.oracle_first, figures.oracle_among)]
    oracle_precision = 100 * figures.oracle_none_right / max(1, figures.oracle_none)
    kept = f"{100 * figures.none_right / uncaused:.0f}% of those without a cause get none"
    oracle_kept = f"{100 * figures.oracle_none_right / uncaused:.0f}%"
    return [
        Row(f"{name}: top-1", figures.top_1, 60, "%", f"best possible {oracle[0]:.0f}%; n={caused}", least=True),
        Row(f"{name}: top-3", figures.top_3, 85, "%", f"best possible {oracle[1]:.0f}%", least=True),
        Row(
            *(f'{name}: "no suspect" precision', figures.precision, 90, "%"),
            note=f"n={figures.none}, {kept}; who knows all, at even odds: {oracle_precision:.0f}%, {oracle_kept}",
            least=True,
        ),
        Row(
            *(f"{name}: top-1 over the baseline", figures.top_1 - latest, 15, "%"),
            note=f"the latest release is right in {latest:.0f}%, that of its own service in {of_service:.0f}%",
            least=True,
        ),
    ]


def _speed() -> list[Row]:
    """90 days of 220 services in memory.  Of each incident the quickest of five times: what else runs is not ours."""
    history = ingested(worlds.history(UNSEEN[0], days=90))
    start = time.perf_counter()
    candidates = Candidates(history.releases, depends_on=history.depends_on, production=production)
    for incident in history.incidents:
        candidates.put_incident(incident.key, incident)
    indexed = f"{len(history.releases):,} releases, indexed in {(time.perf_counter() - start) * 1e3:.0f} ms"
    all_told = _times(candidates.of, history.incidents)
    first_only = _times(candidates.first, history.incidents)
    note = f"worst {max(first_only) * 1e3:.2f} ms; {indexed}"
    return [
        Row("suspects of one incident, worst", max(all_told) * 1e3, 5, "ms", f"p50 {_median(all_told):.0f} us"),
        Row("the first of them, as metrics ask 30,000 times, p50", _median(first_only), 50, "us", note),
    ]


def _times(ask: Callable[[Incident], object], incidents: Iterable[Incident]) -> list[float]:
    taken = []
    for incident in incidents:
        rounds = []
        for _ in range(5):
            start = time.perf_counter()
            ask(incident)
            rounds.append(time.perf_counter() - start)
        taken.append(min(rounds))
    return taken


def _median(taken: list[float]) -> float:
    """In microseconds."""
    return statistics.median(taken) * 1e6
