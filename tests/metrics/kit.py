"""Short ways to releases, incidents and ledgers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from statusboard.clock import to_us
from statusboard.metrics import Deployment, Inputs, Ledger, Report, Scope, Stretch, episode_of, report_of, window_of
from statusboard.model import Annotation, Incident, Release

T0 = datetime(2026, 3, 2, tzinfo=UTC)
"""A Monday, at midnight."""
DAYS = 28
NOW = T0 + timedelta(days=DAYS)
ALWAYS = (Stretch(T0 - timedelta(days=200), NOW),)


def at(hours: float) -> datetime:
    return T0 + timedelta(hours=hours)


def release(n: object, version: str, hours: float | None, **more: Any) -> Release:
    """A deployment that was out so many hours after `T0`, ten minutes after it began."""
    out = None if hours is None else at(hours)
    common: dict[str, Any] = {
        "key": f"cd:release:{n}",
        "source": "cd",
        "state": "success",
        "version": version,
        "services": ("checkout",),
        "team": "payments",
        "environment": "production",
        "started_at": None if out is None else out - timedelta(minutes=10),
        "ended_at": out,
    }
    return Release(**{**common, **more})


def incident(n: object, hours: float, lasted: float | None = 1.0, **more: Any) -> Incident:
    """An incident that began so many hours after `T0`; it is open where it has not ``lasted`` any."""
    common: dict[str, Any] = {
        "key": f"am:incident:{n}",
        "source": "am",
        "state": "open" if lasted is None else "resolved",
        "severity": "high",
        "services": ("checkout",),
        "team": "payments",
        "environment": "production",
        "started_at": at(hours),
        "ended_at": None if lasted is None else at(hours + lasted),
    }
    return Incident(**{**common, **more})


def verdict(incident: Incident, release: Release, what: str = "suspect_confirmed", **more: Any) -> Annotation:
    common: dict[str, Any] = {
        "key": f"people:annotation:{incident.key}-{release.key}",
        "source": "people",
        "state": "set",
        "target": incident.key,
        "episode": incident.started_at,
        "what": what,
        "text": release.key,
    }
    return Annotation(**{**common, **more})


def ledger_of(*facts: Release | Incident | Annotation, withdrawn: Iterable[str] = ()) -> Ledger:
    """A ledger that knows these."""
    ledger = Ledger(lambda name: name == "production")
    tell(ledger, *facts, withdrawn=withdrawn)
    return ledger


def tell(ledger: Ledger, *facts: Release | Incident | Annotation, withdrawn: Iterable[str] = ()) -> None:
    for fact in facts:
        if isinstance(fact, Release):
            ledger.put_release(fact)
        elif isinstance(fact, Incident):
            began = fact.started_at
            id_ = (fact.key, 0 if began is None else to_us(began))
            ledger.put_episode(id_, episode_of(fact, began or T0, withdrawn=fact.key in withdrawn))
        else:
            ledger.say(fact)
    for _ in ledger.settled():
        pass


def deployments(*facts: Release | Incident | Annotation, withdrawn: Iterable[str] = ()) -> list[Deployment]:
    """The deployments to production, by when they came out."""
    return list(ledger_of(*facts, withdrawn=withdrawn).gathered(Scope()).deployments)


def report(
    *facts: Release | Incident | Annotation,
    days: int = DAYS + 1,  # today has only begun
    scope: Scope = Scope(),  # noqa: B008 - frozen
    inputs: Inputs = Inputs(ALWAYS, ALWAYS),  # noqa: B008 - frozen
    now: datetime = NOW,
    withdrawn: Iterable[str] = (),
    **more: Any,
) -> Report:
    """The numbers of all of it."""
    ledger = ledger_of(*facts, withdrawn=withdrawn)
    window = window_of(days, now, more.get("zone", UTC))
    gathered = ledger.gathered(scope)
    return report_of(scope, window, gathered.deployments, inputs, unlinked=ledger.unlinked(scope), **more)
