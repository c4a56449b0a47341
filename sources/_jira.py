"""Jira's answers as data, and its words as ours.  Pure; `sources.jira` does the reading.

Names of statuses, priorities and resolutions are each site's own, and in its language.  What an issue's state means is
told by the key of its status category, which nobody can rename.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from sources._shared.rows import need, remote_id
from sources._shared.words import meaning
from statusboard.api import Incident, IncidentState, Severity, Source, Ticket, TicketState, parse_time

#: status.statusCategory.key; ``undefined`` is a status that nobody has put into a category.
TICKET_STATES: Mapping[str, TicketState] = {
    "new": "open",
    "indeterminate": "in_progress",
    "done": "done",
    "undefined": "unknown",
}
INCIDENT_STATES: Mapping[str, IncidentState] = {
    "new": "open",
    "indeterminate": "acknowledged",
    "done": "resolved",
    "undefined": "unknown",
}
#: Resolutions that Jira comes with (or came with) and that say that the work was not done.
NOT_DONE: Final = frozenset(
    {
        "won't do",
        "won't fix",
        "duplicate",
        "cannot reproduce",
        "incomplete",
        "declined",
        "canceled",
        "cancelled",
        "rejected",
        "invalid",
    }
)
#: The priorities that Jira comes with, and those it came with before version 7.
SEVERITIES: Mapping[str, Severity] = {
    "highest": "critical",
    "high": "high",
    "medium": "medium",
    "low": "low",
    "lowest": "info",
    "blocker": "critical",
    "critical": "critical",
    "major": "high",
    "minor": "low",
    "trivial": "info",
}

#: The fields that issues are asked for; Cloud gives none that are not named, Data Center lacks the last one.
FIELDS: Final = (
    "summary,status,priority,assignee,reporter,resolution,issuetype,project,labels,components,"
    "created,updated,resolutiondate,duedate,statuscategorychangedate"
)
_TOKEN = re.compile(r""" "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | \border\s+by\b """, re.VERBOSE | re.IGNORECASE)


class Named(msgspec.Struct, frozen=True):
    name: str | None = None


class Category(msgspec.Struct, frozen=True):
    key: str | None = None


class Status(msgspec.Struct, frozen=True, rename="camel"):
    name: str | None = None
    status_category: Category | None = None


class User(msgspec.Struct, frozen=True, rename="camel"):
    """``name`` is Data Center's; Cloud names people by their display name only."""

    display_name: str | None = None
    name: str | None = None


class Project(msgspec.Struct, frozen=True):
    key: str | None = None


class Fields(msgspec.Struct, frozen=True):
    summary: str | None = None
    status: Status | None = None
    priority: Named | None = None
    assignee: User | None = None
    reporter: User | None = None
    resolution: Named | None = None
    issuetype: Named | None = None
    project: Project | None = None
    labels: list[str] | None = None
    components: list[Named] | None = None
    created: str | int | float | None = None
    updated: str | int | float | None = None
    resolutiondate: str | int | float | None = None
    duedate: str | int | float | None = None
    statuscategorychangedate: str | int | float | None = None


class Issue(msgspec.Struct, frozen=True):
    """``id`` stays when an issue moves to another project, ``key`` does not."""

    id: str | int | None = None
    key: str | None = None
    fields: Fields | None = None


class Page(msgspec.Struct, frozen=True, rename="camel"):
    """A page of a search: Cloud tells the next one by a token, Data Center the total."""

    issues: list[Any]
    next_page_token: str | None = None
    is_last: bool | None = None
    total: int | None = None
    warning_messages: list[str] | None = None


class ServerInfo(msgspec.Struct, frozen=True, rename="camel"):
    """``deployment_type`` is Cloud, or Server (which Data Center calls itself as well)."""

    base_url: str
    deployment_type: str | None = None


class Me(msgspec.Struct, frozen=True, rename="camel"):
    account_id: str | None = None
    name: str | None = None
    key: str | None = None


def split_order(jql: str) -> tuple[str, str]:
    """The condition of a query and its ``ORDER BY`` clause, either of which may be empty."""
    for match in _TOKEN.finditer(jql):
        if match[0][0] not in "\"'":
            return jql[: match.start()].strip(), jql[match.start() :].strip()
    return jql.strip(), ""


def quoted(text: str) -> str:
    """``text`` as a value in JQL."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def ticket_of(source: Source[Any], site: str, issue: Issue) -> Ticket:
    """An issue as a ticket; ``site`` is where its page is."""
    fields = need(issue.fields, "fields")
    category, raw_state, resolution = _state(fields)
    state = meaning(TICKET_STATES, category)
    if state == "done" and resolution.lower().replace("\u2019", "'") in NOT_DONE:
        state = "cancelled"
    over = state in ("done", "cancelled")
    return Ticket(
        key=source.key("ticket", remote_id(need(issue.id, "id"))),
        source=source.name,
        title=fields.summary or issue.key or f"issue {issue.id}",
        state=state,
        raw_state=raw_state,
        reason=resolution,
        ticket_id=issue.key or str(issue.id),
        priority=_name(fields.priority),
        assignee=_person(fields.assignee),
        actor=_person(fields.reporter),
        url=_page(site, issue),
        labels=_labels(fields),
        started_at=parse_time(fields.created),
        updated_at=parse_time(fields.updated),
        ended_at=parse_time(fields.resolutiondate) or parse_time(fields.statuscategorychangedate) if over else None,
    )


def incident_of(source: Source[Any], site: str, issue: Issue, severities: Mapping[str, Severity]) -> Incident:
    """An issue as an incident; ``severities`` has priorities in lower case."""
    fields = need(issue.fields, "fields")
    category, raw_state, resolution = _state(fields)
    state = meaning(INCIDENT_STATES, category)
    changed_at = parse_time(fields.statuscategorychangedate)
    priority = _name(fields.priority)
    severity = meaning(severities, priority)
    # A word that we do not know may be one that the catalog knows.
    word = {"severity": priority} if severity == "unknown" and priority else {}
    return Incident(
        key=source.key("incident", remote_id(need(issue.id, "id"))),
        source=source.name,
        title=": ".join(filter(None, (issue.key, fields.summary))) or f"issue {issue.id}",
        state=state,
        raw_state=raw_state,
        reason=resolution,
        severity=severity,
        assignee=_person(fields.assignee),
        actor=_person(fields.reporter),
        acknowledged_at=changed_at if state == "acknowledged" else None,
        url=_page(site, issue),
        labels={**_labels(fields), **word},
        started_at=parse_time(fields.created),
        updated_at=parse_time(fields.updated),
        ended_at=parse_time(fields.resolutiondate) or changed_at if state == "resolved" else None,
    )


def _state(fields: Fields) -> tuple[str | None, str, str]:
    """The category's key, the status as the site calls it, and the resolution."""
    status = fields.status or Status()
    return (status.status_category or Category()).key, status.name or "", _name(fields.resolution)


def _name(named: Named | None) -> str:
    return (named.name or "") if named else ""


def _person(user: User | None) -> str:
    return (user.display_name or user.name or "") if user else ""


def _page(site: str, issue: Issue) -> str:
    return f"{site}/browse/{issue.key}" if issue.key else ""


def _labels(fields: Fields) -> dict[str, str]:
    components = [named.name for named in fields.components or () if named.name]
    due = fields.duedate
    said = {
        "project": (fields.project.key or "") if fields.project else "",
        "type": _name(fields.issuetype),
        "component": components[0] if components else "",
        "components": ", ".join(components) if len(components) > 1 else "",
        "due": due if isinstance(due, str) else "",
    }
    return {
        **{label: "" for label in fields.labels or () if label},
        **{name: value for name, value in said.items() if value},
    }
