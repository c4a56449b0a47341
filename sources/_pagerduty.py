"""PagerDuty's answers as data, and its words as ours.  Pure; `sources.pagerduty` does the reading.

Words from PagerDuty/api-schema, reference/REST/openapiv3.json.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from sources._shared.rows import need, remote_id
from sources._shared.words import meaning
from statusboard.api import Incident, IncidentState, Severity, Source, parse_time

#: incident.status
STATES: Mapping[str, IncidentState] = {
    "triggered": "open",
    "acknowledged": "acknowledged",
    "resolved": "resolved",
}
#: incident.urgency, of incidents without a priority
URGENCIES: Mapping[str, Severity] = {"high": "high", "low": "low"}


class Reference(msgspec.Struct, frozen=True):
    """A user, service, team or policy as others refer to it; ``summary`` is its name."""

    id: str | None = None
    name: str | None = None
    summary: str | None = None

    def __str__(self) -> str:
        return self.summary or self.name or ""


NOBODY = Reference()


class Assignment(msgspec.Struct, frozen=True):
    at: str | int | float | None = None
    assignee: Reference | None = None


class Acknowledgement(msgspec.Struct, frozen=True):
    at: str | int | float | None = None
    acknowledger: Reference | None = None


class PendingAction(msgspec.Struct, frozen=True):
    """``type`` is unacknowledge, escalate, resolve or urgency_change."""

    type: str | None = None
    at: str | int | float | None = None


class ResolveReason(msgspec.Struct, frozen=True):
    """``incident`` is what this one was merged into."""

    incident: Reference | None = None


class Row(msgspec.Struct, frozen=True):
    """An incident.  ``updated_at`` moves with every grouped alert, and is not read."""

    id: str | None = None
    incident_number: int | None = None
    title: str | None = None
    summary: str | None = None
    status: str | None = None
    urgency: str | None = None
    incident_key: str | None = None
    html_url: str | None = None
    created_at: str | int | float | None = None
    last_status_change_at: str | int | float | None = None
    resolved_at: str | int | float | None = None
    service: Reference | None = None
    escalation_policy: Reference | None = None
    priority: Reference | None = None
    teams: list[Reference] | None = None
    assignments: list[Assignment] | None = None
    acknowledgements: list[Acknowledgement] | None = None
    pending_actions: list[PendingAction] | None = None
    first_trigger_log_entry: Reference | None = None
    last_status_change_by: Reference | None = None
    resolve_reason: ResolveReason | None = None


class Incidents(msgspec.Struct, frozen=True):
    incidents: list[Any]
    more: bool | None = None


def incident_of(source: Source[Any], row: Row, on_call: str) -> Incident:
    """``on_call``: who is on call for the incident's escalation policy; a fact about the service, not an assignee."""
    state = meaning(STATES, row.status)
    priority = str(row.priority or "")
    acknowledgements = [ack for ack in row.acknowledgements or () if ack.acknowledger]
    teams = _names(row.teams or ())
    open_again = None
    if state == "acknowledged":
        pending = [action.at for action in row.pending_actions or () if (action.type or "").lower() == "unacknowledge"]
        open_again = min(_times(pending), default=None)
    labels = {
        "severity": priority,
        "priority": priority,
        "urgency": row.urgency or "",
        "escalation_policy": str(row.escalation_policy or ""),
        "on_call": on_call if state != "resolved" else "",
        "teams": ", ".join(teams) if len(teams) > 1 else "",
    }
    started_at = parse_time(row.created_at)
    # Of a triggered incident, `last_status_change_at` is no more than the time of its last alert.
    changed_at = parse_time(row.last_status_change_at) if state in ("acknowledged", "resolved") else None
    assigned_at = max(_times(assignment.at for assignment in row.assignments or ()), default=None)
    return Incident(
        key=source.key("incident", remote_id(need(row.id, "id"))),
        source=source.name,
        title=row.title or row.summary or f"incident {row.incident_number or row.id}",
        state=state,
        raw_state=row.status or "",
        reason=_reason(row, state, open_again),
        severity="unknown" if priority else meaning(URGENCIES, row.urgency),
        fingerprint=row.incident_key or "",
        services=tuple(_names([row.service])),
        team=teams[0] if teams else "",
        url=row.html_url or "",
        labels={name: text for name, text in labels.items() if text},
        trigger=str(row.first_trigger_log_entry or ""),
        actor=str(row.last_status_change_by or "") if state == "resolved" else "",
        assignee=", ".join(_names(assignment.assignee for assignment in row.assignments or ())),
        acknowledged_by=", ".join(_names(ack.acknowledger for ack in acknowledgements)),
        acknowledged_at=min(_times(ack.at for ack in acknowledgements), default=None),
        suppressed_until=open_again,
        started_at=started_at,
        updated_at=changed_at or assigned_at or started_at,
        ended_at=parse_time(row.resolved_at) or changed_at if state == "resolved" else None,
    )


def _reason(row: Row, state: str, open_again: datetime | None) -> str:
    if open_again is not None:
        return f"triggers again at {open_again.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if state == "resolved" and row.resolve_reason and row.resolve_reason.incident:
        return f"merged into {row.resolve_reason.incident}"
    return ""


def _names(references: Iterable[Reference | None]) -> list[str]:
    """The names, each once."""
    return list(dict.fromkeys(str(reference) for reference in references if reference and str(reference)))


def _times(values: Iterable[object]) -> list[datetime]:
    return [moment for value in values if (moment := parse_time(value)) is not None]
