"""incident.io's answers as data, and its words as ours.  Pure; `sources.incident_io` does the reading.

Words from incident-io/terraform-provider-incident, internal/client/client.gen.go, and docs.incident.io/api-reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from sources._shared.rows import need, remote_id
from sources._shared.words import meaning
from statusboard.api import Incident, IncidentState, Severity, Source, parse_time

#: incident_status.category, in both vocabularies.
STATES: Mapping[str, IncidentState] = {
    "triage": "open",
    "live": "open",
    "active": "open",
    "paused": "open",
    "learning": "resolved",
    "post-incident": "resolved",
    "closed": "resolved",
    "declined": "resolved",
    "merged": "resolved",
    "canceled": "resolved",
}
#: The organization's severities from the most severe down; further ones are the last of these.
SEVERITIES: Sequence[Severity] = ("critical", "high", "medium", "low", "info")
#: incident.mode that is no real incident
UNREAL: Final = frozenset({"test", "tutorial"})


class Status(msgspec.Struct, frozen=True):
    """``name`` is the organization's own."""

    category: str | None = None
    name: str | None = None


class Rank(msgspec.Struct, frozen=True):
    """A severity."""

    id: str | None = None
    name: str | None = None
    rank: int | None = None


class Named(msgspec.Struct, frozen=True):
    name: str | None = None
    role_type: str | None = None
    title: str | None = None
    value: str | None = None
    issue_permalink: str | None = None


NOBODY: Final = Named()


class Assignment(msgspec.Struct, frozen=True):
    """``role.role_type`` is lead, reporter or custom."""

    role: Named | None = None
    assignee: Named | None = None


class Creator(msgspec.Struct, frozen=True):
    user: Named | None = None
    alert: Named | None = None
    workflow: Named | None = None
    api_key: Named | None = None


class Moment(msgspec.Struct, frozen=True):
    value: str | int | float | None = None


class Timestamp(msgspec.Struct, frozen=True):
    incident_timestamp: Named | None = None
    value: Moment | None = None


class FieldValue(msgspec.Struct, frozen=True):
    value_catalog_entry: Named | None = None
    value_option: Named | None = None
    value_text: str | None = None


class FieldEntry(msgspec.Struct, frozen=True):
    custom_field: Named | None = None
    values: list[FieldValue] | None = None


class Row(msgspec.Struct, frozen=True):
    """IncidentV2.  ``updated_at`` moves with whatever is done to it, and is not read."""

    id: str | None = None
    reference: str | None = None
    name: str | None = None
    summary: str | None = None
    mode: str | None = None
    permalink: str | None = None
    call_url: str | None = None
    postmortem_document_url: str | None = None
    slack_channel_name: str | None = None
    created_at: str | int | float | None = None
    incident_status: Status | None = None
    severity: Rank | None = None
    incident_type: Named | None = None
    creator: Creator | None = None
    external_issue_reference: Named | None = None
    incident_role_assignments: list[Assignment] | None = None
    incident_timestamp_values: list[Timestamp] | None = None
    custom_field_entries: list[FieldEntry] | None = None


def severities_of(rows: Iterable[Rank]) -> dict[str, Severity]:
    """What an organization's severities are to us, by id."""
    ranked = sorted(rows, key=lambda row: -(row.rank or 0))
    last = len(SEVERITIES) - 1
    return {row.id: SEVERITIES[min(place, last)] for place, row in enumerate(ranked) if row.id}


def is_unreal(row: Row) -> bool:
    """Whether this is a test or a lesson."""
    return (row.mode or "").strip().lower() in UNREAL


def incident_of(source: Source[Any], row: Row, severities: Mapping[str, Severity]) -> Incident:
    """``severities`` by id, from `severities_of`."""
    status, severity = row.incident_status or Status(), row.severity or Rank()
    state = meaning(STATES, status.category)
    roles = [(a.role or NOBODY, a.assignee.name) for a in row.incident_role_assignments or () if a.assignee]
    leads = [name for role, name in roles if name and (role.role_type or "").lower() == "lead"]
    times = _times(row)
    started_at = parse_time(row.created_at)
    labels = {
        **_fields(row),
        **{role.name.lower(): name for role, name in roles if role.name},
        "severity": severity.name,
        "incident_type": (row.incident_type or NOBODY).name,
        "slack_channel": row.slack_channel_name,
    }
    links = {
        "call": row.call_url,
        "postmortem": row.postmortem_document_url,
        "issue": (row.external_issue_reference or NOBODY).issue_permalink,
    }
    return Incident(
        key=source.key("incident", remote_id(need(row.id, "id"))),
        source=source.name,
        title=": ".join(filter(None, (row.reference, row.name))) or f"incident {row.id}",
        description=row.summary or "",
        state=state,
        raw_state=status.category or "",
        reason=status.name or "",
        severity=severities.get(severity.id or "", "unknown"),
        url=row.permalink or "",
        links={name: url for name, url in links.items() if url},
        labels={name: text for name, text in labels.items() if text},
        actor=_creator(row.creator or Creator()),
        assignee=", ".join(dict.fromkeys(leads)),
        started_at=started_at,
        updated_at=max(filter(None, (started_at, *times.values())), default=None),
        ended_at=_told(times, "resolved") or _told(times, "closed") if state == "resolved" else None,
    )


def _times(row: Row) -> dict[str, datetime]:
    """When what happened: the organization's own names, in lower case, with their times."""
    found: dict[str, datetime] = {}
    for entry in row.incident_timestamp_values or ():
        moment = parse_time(entry.value.value) if entry.value else None
        if moment is not None and entry.incident_timestamp:
            found[(entry.incident_timestamp.name or "").lower()] = moment
    return found


def _fields(row: Row) -> dict[str, str]:
    """The custom fields by name, in lower case, as other tools write their labels."""
    found: dict[str, str] = {}
    for entry in row.custom_field_entries or ():
        texts = [
            value.value_text
            or (value.value_option.value if value.value_option else None)
            or (value.value_catalog_entry.name if value.value_catalog_entry else None)
            for value in entry.values or ()
        ]
        if entry.custom_field and entry.custom_field.name:
            found[entry.custom_field.name.lower()] = ", ".join(text for text in texts if text)
    return found


def _told(times: Mapping[str, datetime], word: str) -> datetime | None:
    """The time whose name begins so: ``Resolved at``."""
    return next((time for name, time in times.items() if name.startswith(word)), None)


def _creator(creator: Creator) -> str:
    """Who or what declared an incident."""
    whos = (creator.user, creator.workflow, creator.api_key, creator.alert)
    return next((who.name or who.title or "" for who in whos if who and (who.name or who.title)), "")
