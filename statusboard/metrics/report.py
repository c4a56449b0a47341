"""The numbers of one scope in one window, and what they leave out.  Pure.

A number spans only time that all of its inputs cover: a deployment counts that came out while the sources of releases
were watched and, for what needs incidents, those of incidents too.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Final

from msgspec import Struct

from statusboard.metrics.deployments import Deployment, Episode
from statusboard.metrics.goals import Goal
from statusboard.metrics.kinds import DEFINITIONS, METRICS, Metric
from statusboard.metrics.numbers import Covered, Number, number, tally
from statusboard.metrics.record import Record
from statusboard.metrics.steps import done
from statusboard.metrics.windows import Stretch, Window, days_between, shared, total_days, window_before

WINDOWS: Final = (7, 30, 90)
"""Days."""


class Scope(Struct, frozen=True, gc=False):
    """What the numbers are of: a service, a team, an environment, each ``""`` for all.

    Without an environment it is every one whose tier is production.
    """

    service: str = ""
    team: str = ""
    environment: str = ""

    @property
    def text(self) -> str:
        """In words: ``checkout in staging``."""
        what = " of ".join(filter(None, (self.service, self.team and f"team {self.team}"))) or "everything"
        return f"{what} in {self.environment or 'production'}"


class Inputs(Struct, frozen=True):
    """When what a scope's numbers rest on was watched: stretches in order, that lie apart; None: no source at all.

    ``releases`` is the time that all sources of its releases cover together, ``incidents`` likewise.
    """

    releases: tuple[Stretch, ...] | None = None
    incidents: tuple[Stretch, ...] | None = None

    def of(self, metric: Metric) -> tuple[Stretch, ...] | None:
        """The time that all inputs of a number cover."""
        needs = DEFINITIONS[metric].needs
        return self.both if "incident" in needs else self.releases

    @property
    def both(self) -> tuple[Stretch, ...] | None:
        """The time in which releases and incidents were watched."""
        if self.releases is None or self.incidents is None:
            return None
        return tuple(shared(self.releases, self.incidents))


class Judged(Struct, frozen=True, gc=False):
    """A goal and whether it is met; ``met`` is None where there is no number to judge."""

    goal: Goal
    met: bool | None
    number: Number


class Unlinked(Struct, frozen=True, gc=False):
    """The incidents of a scope that no release is linked to: shown, and in no rate."""

    episodes: tuple[Episode, ...] = ()


class Report(Struct, frozen=True, kw_only=True):
    """The five numbers of a scope, in the order of `METRICS`."""

    scope: Scope
    window: Window
    numbers: tuple[Number, ...]
    unlinked: Unlinked = Unlinked()
    goals: tuple[Judged, ...] = ()
    notes: tuple[str, ...] = ()

    def __getitem__(self, metric: Metric) -> Number:
        return self.numbers[METRICS.index(metric)]


def covered_in(window: Window, inputs: Sequence[Stretch] | None, zone: tzinfo = UTC) -> tuple[list[Stretch], Covered]:
    """The watched stretches within a window, and what they come to."""
    of = days_between(window.since, window.until, zone)
    if inputs is None:
        return [], Covered(of=of, known=False)
    found = shared([window.stretch], inputs)
    if not found:
        return [], Covered(of=of)
    days = total_days(found, zone)
    return found, Covered(found[0].since, found[-1].until, days, of)


def report_of(
    scope: Scope,
    window: Window,
    deployments: Sequence[Deployment],
    inputs: Inputs,
    *,
    unlinked: Sequence[Episode] = (),
    goals: Sequence[Goal] = (),
    notes: Sequence[str] = (),
    zone: tzinfo = UTC,
) -> Report:
    """The report of a scope.

    ``deployments`` are all of the scope, by when they came out; ``unlinked`` its episodes without a
    release, of any time; ``goals`` those that are to be judged by this scope.
    """
    return done(reporting(scope, window, Record.of(deployments), inputs, unlinked, goals, notes, zone))


def reporting(
    scope: Scope,
    window: Window,
    record: Record,
    inputs: Inputs,
    unlinked: Sequence[Episode],
    goals: Sequence[Goal],
    notes: Sequence[str],
    zone: tzinfo,
) -> Generator[None, None, Report]:
    """`report_of` in steps of a few milliseconds, however many deployments there are."""
    earlier = window_before(window, zone)
    stretches: dict[bool, tuple[Covered, Record, Covered, Record]] = {}
    for needs_incidents in (False, True):
        watched = inputs.both if needs_incidents else inputs.releases
        now, covered = covered_in(window, watched, zone)
        then, covered_then = covered_in(earlier, watched, zone)
        stretches[needs_incidents] = covered, record.within(now), covered_then, record.within(then)
    numbers = []
    for metric in METRICS:
        covered, found, covered_then, found_then = stretches["incident" in DEFINITIONS[metric].needs]
        yield
        before = tally(metric, found_then, covered_then)
        yield
        numbers.append(number(metric, found, covered, before, covered_then))
    by_metric: Mapping[Metric, Number] = {number.metric: number for number in numbers}
    return Report(
        scope=scope,
        window=window,
        numbers=tuple(numbers),
        unlinked=Unlinked(tuple(e for e in unlinked if window.since <= e.began < window.until)),
        goals=tuple(Judged(goal, goal.met_by(by_metric[goal.metric].value), by_metric[goal.metric]) for goal in goals),
        notes=tuple(notes),
    )
