"""GitLab's issues, incidents and alerts as data, and what they mean.  Pure; `sources.gitlab` does the reading.

Words from gitlab-org/gitlab: app/models/concerns/incident_management/escalatable.rb, app/models/issuable_severity.rb.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from sources._gitlab import PATH, Environment, Links, User, name_of
from sources._shared.rows import need, remote_id
from sources._shared.words import meaning
from statusboard.api import Incident, IncidentState, Severity, Source, Ticket, TicketState, parse_time

#: issue.state
ISSUE_STATES: Mapping[str, TicketState] = {"opened": "open", "reopened": "open", "closed": "done"}
INCIDENT_STATES: Mapping[str, IncidentState] = {"opened": "open", "reopened": "open", "closed": "resolved"}
#: The status of alerts, and the escalation status of open incidents.
ALERT_STATES: Mapping[str, IncidentState] = {
    "triggered": "open",
    "acknowledged": "acknowledged",
    "resolved": "resolved",
    "ignored": "suppressed",
}
SEVERITIES: Mapping[str, Severity] = {
    "critical": "critical",
    "high": "high",
    "medium": "medium",
    "low": "low",
    "info": "info",
}


class Label(msgspec.Struct, frozen=True):
    name: str | None = None


class References(msgspec.Struct, frozen=True):
    full: str | None = None


class Issue(msgspec.Struct, frozen=True):
    id: int | None = None
    iid: int | None = None
    title: str | None = None
    description: str | None = None
    state: str | None = None
    issue_type: str | None = None
    severity: str | None = None
    web_url: str | None = None
    author: User | None = None
    assignees: list[User] | None = None
    labels: list[Label | str] | None = None
    references: References | None = None
    moved_to_id: int | None = None
    links: Links | None = msgspec.field(default=None, name="_links")
    created_at: str | int | float | None = None
    updated_at: str | int | float | None = None
    closed_at: str | int | float | None = None

    @property
    def is_incident(self) -> bool:
        return (self.issue_type or "").lower() == "incident"

    def repository(self, otherwise: str) -> str:
        """The path of its project, which an issue tells as ``group/project#41``."""
        path = ((self.references.full if self.references else "") or "").rpartition("#")[0]
        return path if PATH.fullmatch(path) else otherwise


class Nodes(msgspec.Struct, frozen=True):
    nodes: list[User] | None = None


class AlertIssue(msgspec.Struct, frozen=True, rename="camel"):
    web_url: str | None = None


class Alert(msgspec.Struct, frozen=True, rename="camel"):
    """AlertManagementAlert (GraphQL)."""

    iid: str | int | None = None
    title: str | None = None
    description: str | None = None
    severity: str | None = None
    status: str | None = None
    service: str | None = None
    monitoring_tool: str | None = None
    started_at: str | int | float | None = None
    ended_at: str | int | float | None = None
    details_url: str | None = None
    runbook: str | None = None
    environment: Environment | None = None
    issue: AlertIssue | None = None
    assignees: Nodes | None = None


def ticket_of(source: Source[Any], repo: str, issue: Issue) -> Ticket:
    """An issue.  One that was moved or is another's duplicate goes on there, and is cancelled here."""
    number = need(issue.iid, "iid")
    state = meaning(ISSUE_STATES, issue.state)
    elsewhere = issue.moved_to_id or (issue.links and issue.links.closed_as_duplicate_of)
    labels = _labels(issue.labels or ())
    return Ticket(
        key=source.key("ticket", f"{repo}/-/issues/{number}"),
        source=source.name,
        title=issue.title or f"issue {number}",
        state="cancelled" if state == "done" and elsewhere else state,
        raw_state=issue.state or "",
        priority=labels.get("priority", ""),
        ticket_id=f"#{number}",
        assignee=_names(issue.assignees),
        repository=repo,
        url=issue.web_url or "",
        labels=labels,
        actor=name_of(issue.author),
        started_at=parse_time(issue.created_at),
        updated_at=parse_time(issue.updated_at),
        ended_at=parse_time(issue.closed_at),
    )


def incident_of(source: Source[Any], repo: str, issue: Issue, status: str | None) -> Incident:
    """An issue of type incident, with its escalation status where that is known."""
    number = need(issue.iid, "iid")
    state = meaning(INCIDENT_STATES, issue.state)
    if state == "open" and status:
        state = meaning(ALERT_STATES, status)
    return Incident(
        key=source.key("incident", f"{repo}/-/issues/{number}"),
        source=source.name,
        title=issue.title or f"incident {number}",
        description=issue.description or "",
        state=state,
        raw_state="/".join(filter(None, (issue.state, status))),
        severity=meaning(SEVERITIES, issue.severity),
        assignee=_names(issue.assignees),
        repository=repo,
        url=issue.web_url or "",
        labels=_labels(issue.labels or ()),
        actor=name_of(issue.author),
        started_at=parse_time(issue.created_at),
        ended_at=parse_time(issue.closed_at),
    )


def incident_of_alert(source: Source[Any], repo: str, alert: Alert) -> Incident:
    """An alert of GitLab's alert management."""
    number = need(alert.iid, "iid")
    links = {"runbook": alert.runbook, "incident": alert.issue.web_url if alert.issue else None}
    labels = {"service": alert.service, "monitoring_tool": alert.monitoring_tool}
    return Incident(
        key=source.key("incident", f"{repo}/-/alerts/{remote_id(number)}"),
        source=source.name,
        title=alert.title or f"alert {number}",
        description=alert.description or "",
        state=meaning(ALERT_STATES, alert.status),
        raw_state=alert.status or "",
        severity=meaning(SEVERITIES, alert.severity),
        assignee=_names(alert.assignees.nodes) if alert.assignees else "",
        environment=(alert.environment.name or "") if alert.environment else "",
        repository=repo,
        url=alert.details_url or "",
        links={name: url for name, url in links.items() if url},
        labels={name: text for name, text in labels.items() if text},
        started_at=parse_time(alert.started_at),
        ended_at=parse_time(alert.ended_at),
    )


def _labels(labels: Iterable[Label | str]) -> dict[str, str]:
    """Labels by name; a scoped one (``priority::high``) is a name and a value."""
    found: dict[str, str] = {}
    for label in labels:
        text = label if isinstance(label, str) else label.name or ""
        name, scoped, value = text.rpartition("::")
        if scoped and name:
            found[name] = value
        elif text:
            found[text] = ""
    return found


def _names(users: Sequence[User] | None) -> str:
    return ", ".join(filter(None, map(name_of, users or ())))
