"""What status pages say as data, and their words as ours.  Pure; `sources.statuspage` does the reading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from sources._shared.rows import need, remote_id
from sources._shared.words import meaning
from statusboard.api import Incident, IncidentState, Severity, Source, parse_time

#: incident.status and scheduled_maintenance.status; what is only scheduled is not shown.
STATES: Mapping[str, IncidentState] = {
    "investigating": "open",
    "identified": "open",
    "monitoring": "open",
    "resolved": "resolved",
    "postmortem": "resolved",
    "in_progress": "suppressed",
    "verifying": "suppressed",
    "maintenance_in_progress": "suppressed",
    "completed": "resolved",
    "maintenance_complete": "resolved",
}
SCHEDULED: Final = frozenset({"scheduled", "maintenance_scheduled"})
#: incident.impact and status.indicator
IMPACTS: Mapping[str, Severity] = {
    "none": "info",
    "maintenance": "info",
    "minor": "medium",
    "major": "high",
    "critical": "critical",
}
#: component.status, but for ``operational``
COMPONENTS: Mapping[str, tuple[IncidentState, Severity]] = {
    "degraded_performance": ("open", "medium"),
    "partial_outage": ("open", "high"),
    "major_outage": ("open", "critical"),
    "full_outage": ("open", "critical"),
    "under_maintenance": ("suppressed", "info"),
}


class Page(msgspec.Struct, frozen=True):
    name: str | None = None
    url: str | None = None


class Indicator(msgspec.Struct, frozen=True):
    indicator: str | None = None
    description: str | None = None


class Component(msgspec.Struct, frozen=True):
    """``group`` marks one that only sums up others, which name it as their ``group_id``."""

    id: str | None = None
    name: str | None = None
    status: str | None = None
    description: str | None = None
    group: bool | None = None
    group_id: str | None = None
    updated_at: str | int | float | None = None


class Update(msgspec.Struct, frozen=True):
    body: str | None = None
    display_at: str | int | float | None = None
    created_at: str | int | float | None = None


class Row(msgspec.Struct, frozen=True):
    """An incident or a maintenance; ``incident_updates`` are newest first."""

    id: str | None = None
    name: str | None = None
    status: str | None = None
    impact: str | None = None
    shortlink: str | None = None
    created_at: str | int | float | None = None
    started_at: str | int | float | None = None
    resolved_at: str | int | float | None = None
    scheduled_for: str | int | float | None = None
    scheduled_until: str | int | float | None = None
    incident_updates: list[Update] | None = None
    components: list[Component] | None = None


def incident_of(source: Source[Any], page: Page, row: Row) -> Incident:
    """An incident, over or not."""
    state = meaning(STATES, row.status)
    newest = (row.incident_updates or [Update()])[0]
    started_at = _first(row.started_at, row.created_at)
    ended_at = parse_time(row.resolved_at) if state == "resolved" else None
    return _item(
        source,
        page,
        f"incident/{need(row.id, 'id')}",
        row.name or "incident",
        description=newest.body or "",
        state=state,
        raw_state=row.status or "",
        reason=", ".join(component.name for component in row.components or () if component.name),
        severity=meaning(IMPACTS, row.impact),
        url=row.shortlink or page.url or source.options.url,
        labels={"impact": row.impact} if row.impact else {},
        started_at=started_at,
        updated_at=ended_at or _first(newest.display_at, newest.created_at) or started_at,
        ended_at=ended_at,
    )


def maintenance_of(source: Source[Any], page: Page, row: Row) -> Incident:
    """A maintenance that is going on, as an incident that needs nobody."""
    incident = incident_of(source, page, row)
    return msgspec.structs.replace(
        incident,
        key=source.key("incident", remote_id(f"maintenance/{row.id}")),
        suppressed_by="maintenance" if incident.state == "suppressed" else "",
        suppressed_until=parse_time(row.scheduled_until) if incident.state == "suppressed" else None,
        started_at=parse_time(row.scheduled_for) or incident.started_at,
    )


def component_of(source: Source[Any], page: Page, row: Component) -> Incident:
    """A component that is not well.  When it last changed is when it fell ill, as far as anybody tells."""
    unknown: tuple[IncidentState, Severity] = ("unknown", "unknown")
    word = (row.status or "").strip().lower()
    state, severity = COMPONENTS.get(word, unknown)
    changed_at = parse_time(row.updated_at)
    return _item(
        source,
        page,
        f"component/{need(row.id or row.name, 'id')}",
        row.name or "component",
        description=row.description or "",
        state=state,
        raw_state=row.status or "",
        reason=word.replace("_", " "),
        severity=severity,
        suppressed_by="maintenance" if state == "suppressed" else "",
        started_at=changed_at,
        updated_at=changed_at,
        approximate=changed_at is not None,
    )


def verdict_of(source: Source[Any], page: Page, status: Indicator | None) -> Incident | None:
    """The page's own verdict on the whole, if it is a bad one."""
    word = (status.indicator or "").strip().lower() if status else "none"
    if status is None or word in ("none", "maintenance"):
        return None
    severity = meaning(IMPACTS, word)
    state: IncidentState = "unknown" if severity == "unknown" else "open"
    title = status.description or "not all is well"
    return _item(source, page, "page", title, state=state, raw_state=status.indicator or "", severity=severity)


def names_of(component: Component) -> set[str]:
    """What tells a component from others: its id, or its name where the page gives no ids."""
    return {component.id or component.name or ""} - {""}


def concerned(rows: Iterable[Row]) -> set[str]:
    """The components that incidents name."""
    return {name for row in rows for component in row.components or () for name in names_of(component)}


def _item(source: Source[Any], page: Page, id: str, title: str, **fields: Any) -> Incident:
    return Incident(
        key=source.key("incident", remote_id(id)),
        source=source.name,
        title=f"{page.name}: {title}" if page.name else title,
        services=(page.name,) if page.name else (),
        **{"url": page.url or source.options.url, **fields},
    )


def _first(*values: object) -> datetime | None:
    return next((moment for value in values if (moment := parse_time(value)) is not None), None)
