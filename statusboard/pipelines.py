"""How pipelines are, over a stretch of time: flaky, red for how long and since whose commit, slower, waiting.  Pure.

What is looked at are *attempts*: facts of builds, where a re-run is another attempt of the same key.  A *line* is a
pipeline on its default branch, as in `statusboard.current.slot_of`; pull requests, forks and side branches are left
out.  docs/metrics.md has the definitions in words ("Build health").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import Final

from msgspec import Struct

from statusboard.current import UNDER_WAY, Order, Slot, on_default_branch, order_of, slot_of
from statusboard.model import Build

GOOD: Final = frozenset({"success", "warning"})
BAD: Final = frozenset({"failed"})
NEWEST: Final = 20
"""Among so many verdicts a line's turns are counted."""
TURNS: Final = 3
"""A line that turned red so often among them alternates."""
LEAST: Final = 5
"""Fewer durations than that have no median worth comparing."""
MOST: Final = 0.9
"""The share of builds that waited no longer than `Waits.most`."""


class Outcome(Struct, frozen=True, gc=False):
    """How one attempt went, and when that was known.  ``at`` is at the latest then where the source tells no end."""

    build: Build
    good: bool
    at: datetime
    order: Order


class Twice(Struct, frozen=True):
    """One revision that was both good and bad, and the outcomes that say so, oldest first."""

    revision: str
    outcomes: tuple[Outcome, ...]


class Flaky(Struct, frozen=True):
    """Why a line is not to be trusted.

    ``both``: revisions with both outcomes, the newest first, of ``again`` that were tested more than once, of
    ``revisions`` in all.  ``turns``: how often it turned red among its newest ``of`` verdicts.
    """

    both: tuple[Twice, ...]
    again: int
    revisions: int
    turns: int
    of: int

    @property
    def alternates(self) -> bool:
        """Whether it turned red so often that its verdict says little, whatever the revisions were."""
        return self.turns >= TURNS

    def __bool__(self) -> bool:
        return bool(self.both) or self.alternates


class Red(Struct, frozen=True):
    """A stretch in which a line was red: ``until`` is None while it is.

    ``first`` is the oldest bad attempt since the last ``good`` one; without that one nobody knows whether it began even
    earlier.  ``people`` made the bad ones, whoever broke it first.
    """

    since: datetime
    until: datetime | None
    first: Build
    good: Build | None
    mended: Build | None
    runs: int
    people: tuple[str, ...]

    def lasted(self, now: datetime) -> timedelta:
        """How long, until ``now`` where it is not over."""
        return (self.until or now) - self.since

    @property
    def same_revision(self) -> bool:
        """Whether the revision that broke it had been good just before: then it was not the revision."""
        return self.good is not None and bool(self.first.revision) and self.good.revision == self.first.revision


class Growth(Struct, frozen=True):
    """Medians (seconds) of how long good builds took in a stretch and in the one before it, of how many each."""

    before: float
    after: float
    n_before: int
    n_after: int
    #: Three quarters of those before took no longer than this.
    quartile: float

    @property
    def ratio(self) -> float:
        """How many times as long."""
        return self.after / self.before if self.before else 1.0

    @property
    def grown(self) -> bool:
        """Whether it takes longer, beyond its usual ups and downs: half of them take longer than most did before."""
        return self.after > self.quartile and self.after > self.before


class Waits(Struct, frozen=True):
    """How long builds waited before they began (seconds): the median, and what nine of ten did not exceed.

    ``untold`` counts those of which the source does not tell it; with ``n`` 0 nothing is known.
    """

    n: int
    median: float | None
    most: float | None
    untold: int


class PipelineHealth(Struct, frozen=True, kw_only=True):
    """One line over a stretch of time.  ``red`` is the stretch it is in now; ``longest`` the longest one that reached
    into this time, as long as it was in all.  ``growth`` is None where there is too little to compare."""

    slot: Slot
    newest: Build
    runs: int
    outcomes: int
    failed: int
    flaky: Flaky
    red: Red | None
    longest: Red | None
    growth: Growth | None
    waits: Waits
    took: float | None

    @property
    def name(self) -> str:
        """What people call it."""
        return self.newest.pipeline or self.newest.title


def health(builds: Iterable[Build], *, since: datetime, until: datetime) -> list[PipelineHealth]:
    """Each line with an attempt in ``[since, until)``: those that are red first, then the flaky ones, then by name.

    ``builds`` may hold older ones: of twice that length durations are compared with, and a line may be red from before.
    Of two facts of one attempt the one given last counts.
    """
    lines: dict[Slot, dict[tuple[str, int], Build]] = {}
    for build in builds:
        if on_default_branch(build) and (slot := slot_of(build)) is not None:
            lines.setdefault(slot, {})[build.key, build.attempt] = build
    found = [line_health(slot, list(runs.values()), since=since, until=until) for slot, runs in lines.items()]
    return sorted((each for each in found if each is not None), key=lambda each: _rank(each, until))


def line_health(slot: Slot, runs: Sequence[Build], *, since: datetime, until: datetime) -> PipelineHealth | None:
    """One line from its attempts (each once); None where none of them is of this time."""
    now = [run for run in runs if (at := _moment(run)) is not None and since <= at < until]
    if not now:
        return None
    known = [each for each in outcomes(runs) if each.at < until]
    here = [each for each in known if each.at >= since]
    stretches = [red for red in reds(known) if red.until is None or red.until > since]
    last = stretches[-1] if stretches else None
    took = durations(now)
    return PipelineHealth(
        slot=slot,
        newest=max(now, key=order_of),
        runs=len(now),
        outcomes=len(here),
        failed=sum(not each.good for each in here),
        flaky=flaky(here),
        red=last if last is not None and last.until is None else None,
        longest=max(stretches, key=lambda red: red.lasted(until), default=None),
        growth=growth(durations(run for run in runs if _within(run, since - (until - since), since)), took),
        waits=waits(now),
        took=median(took) if took else None,
    )


def outcomes(runs: Iterable[Build]) -> list[Outcome]:
    """What these attempts of one line said, in the order in which it was known.

    An attempt that is under way carries the verdict of the one before it, which may not be among ``runs``.
    """
    runs = list(runs)
    told = {(run.key, run.attempt) for run in runs if run.state in GOOD | BAD}
    found = []
    for run in runs:
        word, at = run.state, _end(run)
        if word in UNDER_WAY and run.verdict and (run.key, run.attempt - 1) not in told:
            word, at = run.verdict, run.started_at or run.updated_at
        if at is not None and (word in GOOD or word in BAD):
            found.append(Outcome(run, word in GOOD, at, order_of(run)))
    return sorted(found, key=lambda each: (each.at, each.order))


def reds(known: Sequence[Outcome]) -> list[Red]:
    """The stretches in which a line was red, from its outcomes as `outcomes` sorts them, oldest first.

    As on the board: what began last speaks for the line, so that older code which is done later changes nothing.
    """
    found: list[Red] = []
    newest: Order | None = None
    good: Outcome | None = None
    bad: list[Outcome] = []
    since: datetime | None = None
    for each in known:
        overtaken = newest is not None and each.order < newest
        if not overtaken:
            newest = each.order
        if each.good and not overtaken:
            if since is not None and each.at > since:
                found.append(_red(since, bad, good, each))
            good, bad, since = each, [], None
        elif each.good:
            if good is None or each.order > good.order:
                good = each if not bad or each.order < min(one.order for one in bad) else good
        elif not overtaken or (bad and (good is None or each.order > good.order)):
            since = since or each.at
            bad.append(each)
    if since is not None:
        found.append(_red(since, bad, good, None))
    return found


def _red(since: datetime, bad: Sequence[Outcome], good: Outcome | None, mended: Outcome | None) -> Red:
    ordered = [each.build for each in sorted(bad, key=lambda each: each.order)]
    people = dict.fromkeys(build.actor for build in ordered if build.actor)
    return Red(
        since=since,
        until=mended.at if mended is not None else None,
        first=ordered[0],
        good=good.build if good is not None else None,
        mended=mended.build if mended is not None else None,
        runs=len(ordered),
        people=tuple(people),
    )


def flaky(known: Sequence[Outcome]) -> Flaky:
    """What speaks against a line's verdict, from its outcomes as `outcomes` sorts them."""
    by_revision: dict[str, list[Outcome]] = {}
    for each in known:
        if each.build.revision:
            by_revision.setdefault(each.build.revision, []).append(each)
    both = [Twice(name, tuple(told)) for name, told in by_revision.items() if len({each.good for each in told}) == 2]
    newest = known[-NEWEST:]
    return Flaky(
        both=tuple(sorted(both, key=lambda twice: twice.outcomes[-1].at, reverse=True)),
        again=sum(len(told) > 1 for told in by_revision.values()),
        revisions=len(by_revision),
        turns=sum(one.good and not other.good for one, other in pairwise(newest)),
        of=len(newest),
    )


def durations(runs: Iterable[Build]) -> list[float]:
    """How long the good ones took, in seconds.

    First attempts alone: a re-run often runs only what had failed.  Times that we inferred are left out.
    """
    found = []
    for run in runs:
        if run.state in GOOD and run.attempt == 1 and not run.approximate and run.started_at and run.ended_at:
            seconds = (run.ended_at - run.started_at).total_seconds()
            if seconds >= 0:
                found.append(seconds)
    return found


def growth(before: Sequence[float], after: Sequence[float]) -> Growth | None:
    """Durations of two stretches beside each other; None where one has fewer than `LEAST`."""
    if min(len(before), len(after)) < LEAST:
        return None
    return Growth(median(before), median(after), len(before), len(after), quantile(before, 0.75))


def waits(runs: Iterable[Build]) -> Waits:
    """How long these attempts waited until they began; those that have not begun yet are not counted."""
    found, untold = [], 0
    for run in runs:
        if run.state == "queued" or run.started_at is None:
            continue
        if run.queued_at is None or run.queued_at > run.started_at:
            untold += 1
        else:
            found.append((run.started_at - run.queued_at).total_seconds())
    if not found:
        return Waits(0, None, None, untold)
    return Waits(len(found), median(found), quantile(found, MOST), untold)


def median(numbers: Sequence[float]) -> float:
    """The middle one, or the mean of the two in the middle (`statistics` takes 5 ms to import)."""
    ordered, middle = sorted(numbers), len(numbers) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def quantile(numbers: Sequence[float], share: float) -> float:
    """The smallest of these that ``share`` of them do not exceed."""
    return sorted(numbers)[max(0, ceil(share * len(numbers)) - 1)]


def _rank(line: PipelineHealth, now: datetime) -> tuple[int, float, str, Slot]:
    if line.red is not None:
        return (0, -line.red.lasted(now).total_seconds(), line.name, line.slot)
    if line.flaky:
        return (1, -float(len(line.flaky.both)), line.name, line.slot)
    return (2, 0.0, line.name, line.slot)


def _end(run: Build) -> datetime | None:
    return run.ended_at or run.updated_at or run.started_at


def _moment(run: Build) -> datetime | None:
    """The time by which an attempt belongs to a stretch: its end; of one that is not over, its start."""
    return run.ended_at or run.started_at or run.updated_at


def _within(run: Build, since: datetime, until: datetime) -> bool:
    at = _moment(run)
    return at is not None and since <= at < until
