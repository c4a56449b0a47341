"""Datadog's answers as data, and its words as ours.  Pure; `sources.datadog` does the reading.

Words from DataDog/datadog-api-client-python: .generator/schemas/v1/openapi.yaml for monitors, and the models of v2 for
downtimes and incidents.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from sources._shared.rows import need, remote_id
from sources._shared.words import meaning
from statusboard.api import Incident, IncidentState, Severity, Source, parse_time

#: monitor.overall_state and the status of a group.  ``no data`` is only shown where nobody asked to be told of it.
MONITOR_STATES: Mapping[str, IncidentState] = {
    "alert": "open",
    "warn": "open",
    "no data": "open",
    "ok": "resolved",
    "ignored": "suppressed",
    "skipped": "suppressed",
    "unknown": "unknown",
}
#: monitor.priority; without one the state tells.
PRIORITIES: Mapping[int, Severity] = {1: "critical", 2: "high", 3: "medium", 4: "low", 5: "info"}
STATE_SEVERITIES: Mapping[str, Severity] = {"alert": "high", "warn": "medium", "no data": "medium"}
#: incident.state
INCIDENT_STATES: Mapping[str, IncidentState] = {
    "active": "open",
    "stable": "open",
    "resolved": "resolved",
    "completed": "resolved",
}
#: incident.severity
SEVERITIES: Mapping[str, Severity] = {
    "sev-0": "critical",
    "sev-1": "critical",
    "sev-2": "high",
    "sev-3": "medium",
    "sev-4": "low",
    "sev-5": "info",
}
#: Sites whose pages are at app.SITE; those of the others are at SITE itself.
APP_SITES: Final = frozenset({"datadoghq.com", "datadoghq.eu", "ddog-gov.com"})
GROUPS_NAMED: Final = 3
_TAG: Final = re.compile(r"[^\s:\"()*?]+:[^\s\"()*?]+")


class MonitorOptions(msgspec.Struct, frozen=True):
    notify_no_data: bool | None = None
    on_missing_data: str | None = None


class Group(msgspec.Struct, frozen=True):
    status: str | None = None
    last_triggered_ts: str | int | float | None = None
    last_nodata_ts: str | int | float | None = None


class MonitorState(msgspec.Struct, frozen=True):
    """``groups`` by their tags, ``env:prod,host:a``; a monitor without groups has one, ``*``."""

    groups: dict[str, Group] | None = None


class MatchingDowntime(msgspec.Struct, frozen=True):
    """A downtime as a monitor tells of it: of old ones (v1) only."""

    id: str | int | None = None
    scope: list[str] | None = None
    end: str | int | float | None = None


class Monitor(msgspec.Struct, frozen=True):
    id: str | int | None = None
    name: str | None = None
    message: str | None = None
    type: str | None = None
    tags: list[str] | None = None
    priority: int | None = None
    overall_state: str | None = None
    overall_state_modified: str | int | float | None = None
    draft_status: str | None = None
    options: MonitorOptions | None = None
    state: MonitorState | None = None
    matching_downtimes: list[MatchingDowntime] | None = None


class MonitorIdentifier(msgspec.Struct, frozen=True):
    """Either one monitor, or all that have every one of these tags; ``*`` stands for any."""

    monitor_id: str | int | None = None
    monitor_tags: list[str] | None = None


class Period(msgspec.Struct, frozen=True):
    end: str | int | float | None = None


class Schedule(msgspec.Struct, frozen=True):
    """``current_downtime`` is the period of a recurring one."""

    end: str | int | float | None = None
    current_downtime: Period | None = None


class DowntimeAttributes(msgspec.Struct, frozen=True):
    monitor_identifier: MonitorIdentifier | None = None
    scope: str | None = None
    message: str | None = None
    status: str | None = None
    schedule: Schedule | None = None


class Downtime(msgspec.Struct, frozen=True):
    id: str | None = None
    attributes: DowntimeAttributes | None = None


class UserAttributes(msgspec.Struct, frozen=True):
    name: str | None = None
    handle: str | None = None


class UserData(msgspec.Struct, frozen=True):
    attributes: UserAttributes | None = None


class User(msgspec.Struct, frozen=True):
    data: UserData | None = None


class Field(msgspec.Struct, frozen=True):
    value: Any = None


class IncidentAttributes(msgspec.Struct, frozen=True):
    public_id: int | None = None
    title: str | None = None
    state: str | None = None
    severity: str | None = None
    created: str | int | float | None = None
    detected: str | int | float | None = None
    resolved: str | int | float | None = None
    customer_impacted: bool | None = None
    is_test: bool | None = None
    commander: User | None = None
    fields: dict[str, Field] | None = None


class IncidentData(msgspec.Struct, frozen=True):
    id: str | None = None
    attributes: IncidentAttributes | None = None


class IncidentRow(msgspec.Struct, frozen=True):
    data: IncidentData | None = None


class Mute(msgspec.Struct, frozen=True):
    """A downtime that a monitor falls under: for which groups, why, and until when (None: until somebody ends it)."""

    scope: str
    why: str
    until: datetime | None


def state_of(row: Monitor) -> IncidentState:
    """A monitor's state, whatever is muted.  Where no data troubles nobody, it is no more than pending."""
    state = meaning(MONITOR_STATES, row.overall_state)
    if (row.overall_state or "").strip().lower() != "no data":
        return state
    options = row.options or MonitorOptions()
    told = options.notify_no_data or (options.on_missing_data or "").lower() == "show_and_notify_no_data"
    return state if told else "pending"


def groups_of(row: Monitor) -> list[str]:
    """The groups of a monitor that are not well, by name."""
    groups = row.state.groups if row.state and row.state.groups else {}
    return sorted(name for name, group in groups.items() if meaning(MONITOR_STATES, group.status) == "open")


def mutes_of(row: Monitor, downtimes: Iterable[Downtime], now: datetime) -> list[Mute]:
    """The downtimes that are on for a monitor, or for some of its groups."""
    found: list[Mute] = []
    for downtime in downtimes:
        if _is_for(downtime, row):
            attributes = downtime.attributes or DowntimeAttributes()
            schedule = attributes.schedule or Schedule()
            end = schedule.current_downtime.end if schedule.current_downtime else schedule.end
            found.append(_mute(attributes.scope or "", attributes.message or "", parse_time(end)))
    found += [_mute(",".join(old.scope or ()), "", parse_time(old.end)) for old in row.matching_downtimes or ()]
    return [mute for mute in found if mute.until is None or mute.until > now]


def monitor_incident(source: Source[Any], row: Monitor, mutes: Sequence[Mute], page: str) -> Incident:
    """What a monitor says; ``page`` is the root of the pages that people read."""
    number = need(row.id, "id")
    state, groups = state_of(row), groups_of(row)
    told_of = (groups or ["*"]) if state in ("open", "pending") else []
    muted = [mute for group in told_of if (mute := _longest(group, mutes)) is not None]
    quiet = bool(told_of) and len(muted) == len(told_of)
    ends = [mute.until for mute in muted if mute.until is not None]
    tags = _by_name([*(row.tags or ()), *_common_tags(groups)])
    changed_at = parse_time(row.overall_state_modified)
    word = (row.overall_state or "").strip().lower()
    return Incident(
        key=source.key("incident", remote_id(f"monitor/{number}")),
        source=source.name,
        title=row.name or f"monitor {number}",
        description=row.message or "",
        state="suppressed" if quiet else state,
        raw_state=row.overall_state or "",
        reason=_reason(word, groups, len(muted)),
        severity=PRIORITIES.get(row.priority or 0) or meaning(STATE_SEVERITIES, word),
        services=tuple(tags.get("service", ())),
        team=(tags.get("team") or [""])[0],
        environment=_only(tags.get("env") or tags.get("environment")),
        url=f"{page}/monitors/{number}",
        labels={**{name: ", ".join(values) for name, values in tags.items()}, "type": row.type or "monitor"},
        suppressed_by="; ".join(sorted({mute.why for mute in muted}))
        if quiet
        else word
        if state == "suppressed"
        else "",
        suppressed_until=min(ends, default=None) if quiet else None,
        started_at=changed_at or _triggered_at(row),
        updated_at=changed_at,
    )


def declared_incident(source: Source[Any], row: IncidentData, page: str) -> Incident | None:
    """An incident that somebody declared; None for a test."""
    found = row.attributes or IncidentAttributes()
    if found.is_test:
        return None
    commander = (found.commander.data.attributes if found.commander and found.commander.data else None) or (
        UserAttributes()
    )
    resolved_at = parse_time(found.resolved)
    state = meaning(INCIDENT_STATES, found.state)
    teams = _values(found, "teams")
    labels = {
        "severity": found.severity or "",
        "teams": ", ".join(teams),
        "customer_impact": "yes" if found.customer_impacted else "",
    }
    return Incident(
        key=source.key("incident", remote_id(f"incident/{need(row.id, 'id')}")),
        source=source.name,
        title=found.title or f"IR-{found.public_id}",
        description=", ".join(_values(found, "summary")),
        state=state,
        raw_state=found.state or "",
        severity=meaning(SEVERITIES, found.severity),
        services=tuple(_values(found, "services")),
        team=teams[0] if teams else "",
        url=f"{page}/incidents/{found.public_id}" if found.public_id else "",
        labels={name: text for name, text in labels.items() if text},
        assignee=commander.name or commander.handle or "",
        started_at=parse_time(found.detected) or parse_time(found.created),
        updated_at=resolved_at if state == "resolved" else None,
        ended_at=resolved_at if state == "resolved" else None,
    )


def page_of(url: str) -> str:
    """The root of the pages that belong to an API's base URL."""
    site = url.rstrip("/").removeprefix("https://api.")
    if site == url.rstrip("/"):
        return site
    return f"https://app.{site}" if site in APP_SITES else f"https://{site}"


def _is_for(downtime: Downtime, row: Monitor) -> bool:
    found = downtime.attributes or DowntimeAttributes()
    if (found.status or "active").lower() != "active":
        return False
    identifier = found.monitor_identifier or MonitorIdentifier()
    if identifier.monitor_id is not None:
        return str(identifier.monitor_id) == str(row.id)
    tags = {tag.lower() for tag in row.tags or ()}
    wanted = identifier.monitor_tags or ()
    return bool(wanted) and all(tag == "*" or tag.lower() in tags for tag in wanted)


def _mute(scope: str, message: str, until: datetime | None) -> Mute:
    what = message or ("" if scope.strip() == "*" else scope)
    return Mute(scope, f"downtime: {what}" if what else "downtime", until)


def _longest(group: str, mutes: Iterable[Mute]) -> Mute | None:
    """The downtime that keeps a group quiet for longest."""
    longest: Mute | None = None
    for mute in mutes:
        if not _covers(mute.scope, group):
            continue
        if mute.until is None:
            return mute
        if longest is None or longest.until is None or mute.until > longest.until:
            longest = mute
    return longest


def _covers(scope: str, group: str) -> bool:
    """Whether a scope takes a group in.  Scopes are queries: of one that is more than tags we cannot tell."""
    if scope.strip() == "*":
        return True
    terms = [term.strip().lower() for term in re.split(r"\s+AND\s+|,", scope)]
    tags = {tag.strip().lower() for tag in group.split(",")}
    return all(_TAG.fullmatch(term) and term in tags for term in terms)


def _reason(word: str, groups: Sequence[str], muted: int) -> str:
    named = [group for group in groups if group != "*"]
    told: list[str] = []
    if word == "no data":
        told.append("no data")
    if named:
        more = ", …" if len(named) > GROUPS_NAMED else ""
        count = f"{len(named)} groups: " if len(named) > 1 else ""
        told.append(count + "; ".join(named[:GROUPS_NAMED]) + more)
    if 0 < muted < len(groups):
        told.append(f"{muted} of them muted")
    return ", ".join(told)


def _triggered_at(row: Monitor) -> datetime | None:
    """When the first of the groups that are not well became so."""
    groups = (row.state.groups or {}) if row.state else {}
    times = [parse_time(groups[name].last_triggered_ts or groups[name].last_nodata_ts) for name in groups_of(row)]
    return min((time for time in times if time is not None), default=None)


def _common_tags(groups: Sequence[str]) -> list[str]:
    """The tags that all groups have: what they say of one they say of all."""
    tags = [group.split(",") for group in groups]
    return [tag for tag in tags[0] if all(tag in more for more in tags)] if tags else []


def _by_name(tags: Iterable[str]) -> dict[str, list[str]]:
    """The values of ``name:value`` tags by name, each once; other tags are left out."""
    found: dict[str, dict[str, None]] = {}
    for tag in tags:
        name, colon, value = tag.partition(":")
        if colon and name.strip() and value.strip():
            found.setdefault(name.strip(), {})[value.strip()] = None
    return {name: list(values) for name, values in found.items()}


def _only(values: Sequence[str] | None) -> str:
    return values[0] if values and len(values) == 1 else ""


def _values(found: IncidentAttributes, name: str) -> list[str]:
    """The values of a field, which may be one or several."""
    value = (found.fields or {}).get(name, Field()).value
    values = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str) and text]
