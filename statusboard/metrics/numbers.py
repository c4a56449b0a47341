"""The five numbers of some deployments, each with what it rests on.  Pure.

No data is None, never 0: a rate of nothing, a median of nothing, a frequency of less than a day's watching.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from statusboard.metrics.deployments import Deployment
from statusboard.metrics.kinds import DEFINITIONS, Definition, Metric, Unit
from statusboard.metrics.record import Record

LEAST_DAYS: Final = 1.0
"""Local days that must have been watched before a frequency is told: two deployments in an hour are not 48 a day."""

ALIKE: Final = 0.01
"""A change by at most this part of the greater value is none."""
LEAST_BEFORE: Final = 0.5
"""The part of the window before that must have been watched for anything to be compared with it."""

Trend: TypeAlias = Literal["better", "worse", "same", ""]


class Linking(Struct, frozen=True, gc=False):
    """How it is known that deployments failed: incidents by how they were linked, and failures without any.

    ``told``: deployments that failed by the deployer's own word, or by a rollback after them, and had no incident.
    """

    confirmed: int = 0
    declared: int = 0
    suspected: int = 0
    told: int = 0


class Covered(Struct, frozen=True, gc=False):
    """The time that all inputs of a number cover within a window.

    ``days`` are local days of it, of the ``of`` that the window has; it lies between ``since`` and ``until``, which
    are None where it is empty.  ``known`` is False where no source tells of this at all.
    """

    since: datetime | None = None
    until: datetime | None = None
    days: float = 0.0
    of: float = 0.0
    known: bool = True

    @property
    def whole(self) -> bool:
        """Whether nothing of the window is missing (an hour at most, as after a restart)."""
        return self.days > 0 and self.of - self.days < 0.05


class Number(Struct, frozen=True, kw_only=True, gc=False):
    """One number.

    ``value`` in ``unit``, or None and ``why``.  ``n`` is how many `Definition.counts` it rests on; ``missing`` how many
    more there were of which something is not known (no commit times, not recovered yet), ``silent`` the sources that
    should have told.  ``counted`` are those it rests on; ``behind`` those that make it what it is (of a rate the failed
    ones).  ``before`` is the value in the window before (None too where less
    than half of that was watched), ``before_n`` and ``before_covered`` what that rests on.
    """

    metric: Metric
    value: float | None
    n: int
    missing: int = 0
    why: str = ""
    covered: Covered
    linked: Linking = Linking()
    counted: tuple[Deployment, ...] = ()
    behind: tuple[Deployment, ...] = ()
    silent: tuple[str, ...] = ()
    before: float | None = None
    before_n: int = 0
    before_covered: Covered = Covered()

    @property
    def definition(self) -> Definition:
        """What it is a number of."""
        return DEFINITIONS[self.metric]

    @property
    def unit(self) -> Unit:
        """The unit of ``value``."""
        return DEFINITIONS[self.metric].unit

    @property
    def change(self) -> float | None:
        """The value less that of the window before; None where either is not known."""
        return None if self.value is None or self.before is None else self.value - self.before

    @property
    def trend(self) -> Trend:
        """Whether it is better than in the window before; ``""`` where that cannot be said."""
        change = self.change
        if change is None:
            return ""
        if abs(change) <= ALIKE * max(abs(self.value or 0.0), abs(self.before or 0.0)):
            return "same"
        return "better" if (change < 0) == (self.definition.better == "lower") else "worse"

    @property
    def evidence(self) -> tuple[str, ...]:
        """The keys of the releases behind it, each once, and of their incidents where it depends on those."""
        if "incident" in self.definition.needs:
            return tuple(dict.fromkeys(key for deployment in self.behind for key in deployment.keys))
        return tuple(release.key for deployment in self.behind for release in deployment.releases)


class Tally(Struct, frozen=True, gc=False):
    """One value, before it is set beside another."""

    value: float | None
    n: int
    missing: int
    why: str
    counted: Sequence[Deployment]
    behind: Sequence[Deployment]
    silent: tuple[str, ...] = ()


def median(values: Sequence[float]) -> float | None:
    """The middle of the values, between the two middle ones where their number is even; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def tally(metric: Metric, record: Record, covered: Covered) -> Tally:
    """One number of the deployments that came out in a stretch."""
    if not covered.known:
        kinds = " or ".join(f"{kind}s" for kind in DEFINITIONS[metric].needs)
        return Tally(None, 0, 0, f"no source tells of {kinds} here", (), ())
    if covered.days <= 0:
        return Tally(None, 0, 0, "nothing of this window was watched", (), ())
    match metric:
        case "lead_time":
            return _lead_time(record.fresh)
        case "deployment_frequency":
            return _frequency(record.out, covered)
        case "recovery_time":
            return _recovery(record)
        case "change_fail_rate":
            return _rate(record.all, record.failed)
        case _:
            return _rate(record.all, record.rework)


def _lead_time(fresh: Sequence[Deployment]) -> Tally:
    known = [d for d in fresh if d.lead is not None]
    why = ""
    if not known:
        why = "no deployment says when its commits were made" if fresh else "nothing new was deployed"
    value = median([d.lead for d in known if d.lead is not None])
    silent = []
    if len(known) < len(fresh):
        silent = sorted({source for sources in {d.sources for d in fresh if d.lead is None} for source in sources})
    return Tally(value, len(known), len(fresh) - len(known), why, known, known, tuple(silent))


def _frequency(out: Sequence[Deployment], covered: Covered) -> Tally:
    if covered.days < LEAST_DAYS:
        return Tally(None, len(out), 0, "watched for less than a day", out, out)
    return Tally(len(out) / covered.days, len(out), 0, "" if out else "watched, and nothing was deployed", out, out)


def _recovery(record: Record) -> Tally:
    failed = record.failed
    over = [d for d in failed if d.recovery is not None]
    why = ""
    if not over:
        why = "none of the failed deployments has recovered" if failed else "no deployment failed"
        if not record.all:
            why = "nothing was deployed"
    value = median([d.recovery for d in over if d.recovery is not None])
    return Tally(value, len(over), len(failed) - len(over), why, over, failed if over else ())


def _rate(deployments: Sequence[Deployment], hits: Sequence[Deployment]) -> Tally:
    if not deployments:
        return Tally(None, 0, 0, "nothing was deployed", (), ())
    return Tally(len(hits) / len(deployments), len(deployments), 0, "", deployments, hits)


def linking_of(deployments: Sequence[Deployment]) -> Linking:
    """How the failures among deployments are known.  An episode that is linked to several counts once."""
    how: dict[tuple[str, datetime], str] = {}
    suspected = sum([d.suspected for d in deployments])  # an episode has one suspect at most
    told = 0
    for deployment in [d for d in deployments if not d.suspected or len(d.links) > d.suspected]:
        for link in deployment.links:
            if link.how != "suspected":
                how[link.episode.incident.key, link.episode.began] = link.how
        if not deployment.links and deployment.failure:
            told += 1
    words = list(how.values())
    return Linking(words.count("confirmed"), words.count("declared"), suspected, told)


def number(metric: Metric, record: Record, covered: Covered, before: Tally, before_covered: Covered) -> Number:
    """One number of a window, beside what it was in the window before."""
    found = tally(metric, record, covered)
    needs_incidents = "incident" in DEFINITIONS[metric].needs
    return Number(
        metric=metric,
        value=found.value,
        n=found.n,
        missing=found.missing,
        why=found.why,
        covered=covered,
        linked=linking_of(found.behind) if needs_incidents and found.behind else _NONE,
        counted=tuple(found.counted),
        behind=tuple(found.behind),
        silent=found.silent,
        before=before.value if before_covered.days >= LEAST_BEFORE * before_covered.of else None,
        before_n=before.n,
        before_covered=before_covered,
    )


_NONE: Final = Linking()
