"""Linear's answers as data, and its words as ours.  Pure; `sources.linear` does the reading.

Words and fields from linear/linear, packages/sdk/src/schema.graphql and error.ts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from sources._shared.rows import need, remote_id
from sources._shared.words import meaning
from statusboard.api import (
    AuthError,
    BadAnswer,
    RateLimited,
    ServerError,
    Source,
    SourceError,
    Ticket,
    TicketState,
    clean,
    parse_time,
)

#: WorkflowState.type; its name is each team's own.
STATES: Mapping[str, TicketState] = {
    "triage": "open",
    "backlog": "open",
    "unstarted": "open",
    "started": "in_progress",
    "completed": "done",
    "canceled": "cancelled",
    "duplicate": "cancelled",
}
OVER: Final = ("completed", "canceled", "duplicate")
WAITING: Final = ("triage", "backlog")
#: Issue.priority; 0 is none.
PRIORITIES: Mapping[float, str] = {1: "Urgent", 2: "High", 3: "Medium", 4: "Low"}
#: extensions.type, and extensions.code with its underscores as spaces.
ERRORS: Mapping[str, type[SourceError]] = {
    "authentication error": AuthError,
    "forbidden": AuthError,
    "feature not accessible": AuthError,
    "ratelimited": RateLimited,
    "internal error": ServerError,
    "internal server error": ServerError,
    "network error": ServerError,
    "lock timeout": ServerError,
}

ISSUE: Final = """
id identifier title url priority trashed createdAt updatedAt completedAt canceledAt dueDate
state { name type } team { name } project { name }
assignee { displayName } creator { displayName } labels(first: 10) { nodes { name } }
"""
_ISSUES: Final = f"""($team: TeamFilter, $issues: IssueFilter, $first: Int, $after: String) {{
  teams(first: 1, filter: $team) {{ nodes {{ key }} }}
  issues(first: $first, after: $after, filter: $issues, orderBy: updatedAt%s) {{
    nodes {{ {ISSUE} }} pageInfo {{ hasNextPage endCursor }}
  }}
}}"""
OPEN_ISSUES: Final = "query OpenIssues" + _ISSUES % ""
#: Linear archives what has been over for some months.
PAST_ISSUES: Final = "query PastIssues" + _ISSUES % ", includeArchived: true"
ONE_ISSUE: Final = f"""
query OneIssue($issues: IssueFilter) {{
  issues(first: 1, filter: $issues, includeArchived: true) {{ nodes {{ {ISSUE} }} }}
}}"""


class Named(msgspec.Struct, frozen=True):
    name: str | None = None


class State(msgspec.Struct, frozen=True):
    name: str | None = None
    type: str | None = None


class User(msgspec.Struct, frozen=True, rename="camel"):
    display_name: str | None = None


class Labels(msgspec.Struct, frozen=True):
    nodes: list[Named] | None = None


class Issue(msgspec.Struct, frozen=True, rename="camel"):
    """``id`` stays when an issue moves to another team, ``identifier`` does not."""

    id: str | None = None
    identifier: str | None = None
    title: str | None = None
    url: str | None = None
    priority: float | None = None
    trashed: bool | None = None
    state: State | None = None
    team: Named | None = None
    project: Named | None = None
    assignee: User | None = None
    creator: User | None = None
    labels: Labels | None = None
    created_at: str | int | float | None = None
    updated_at: str | int | float | None = None
    completed_at: str | int | float | None = None
    canceled_at: str | int | float | None = None
    due_date: str | int | float | None = None


class PageInfo(msgspec.Struct, frozen=True, rename="camel"):
    has_next_page: bool
    end_cursor: str | None = None


class Page(msgspec.Struct, frozen=True, rename="camel"):
    nodes: list[Any]
    page_info: PageInfo


class Nodes(msgspec.Struct, frozen=True):
    nodes: list[Any]


class Issues(msgspec.Struct, frozen=True):
    """What `OPEN_ISSUES` and `PAST_ISSUES` give: a team, where there is one, and a page of issues."""

    teams: Nodes
    issues: Page


class OneIssue(msgspec.Struct, frozen=True):
    """What `ONE_ISSUE` gives."""

    issues: Nodes


class Extensions(msgspec.Struct, frozen=True, rename="camel"):
    type: str | None = None
    code: str | None = None
    user_presentable_message: str | None = None


class Fault(msgspec.Struct, frozen=True):
    message: str | None = None
    extensions: Extensions | None = None


class Envelope(msgspec.Struct, frozen=True):
    data: Any = None
    errors: Any = None


def fault_of(errors: object) -> tuple[type[SourceError], str]:
    """What kind of error the first of an answer's ``errors`` is, and what it says."""
    try:
        fault = msgspec.convert(errors, list[Fault], strict=False)[0]
    except msgspec.ValidationError:
        return BadAnswer, "errors of a form that Linear does not document"
    said = fault.extensions or Extensions()
    words = [word.lower().replace("_", " ") for word in (said.type, said.code) if word]
    kind = next((ERRORS[word] for word in words if word in ERRORS), BadAnswer)
    return kind, clean(said.user_presentable_message or fault.message or "an error without words", 200)


def ticket_of(source: Source[Any], issue: Issue) -> Ticket | None:
    """An issue; None for one that is in the bin."""
    if issue.trashed:
        return None
    status = issue.state or State()
    state = meaning(STATES, status.type)
    ended_at = parse_time(issue.completed_at) or parse_time(issue.canceled_at)
    return Ticket(
        key=source.key("ticket", remote_id(need(issue.id, "id"))),
        source=source.name,
        title=issue.title or issue.identifier or f"issue {issue.id}",
        state=state,
        raw_state=status.name or status.type or "",
        ticket_id=issue.identifier or "",
        priority=PRIORITIES.get(issue.priority or 0, ""),
        assignee=_person(issue.assignee),
        actor=_person(issue.creator),
        team=_name(issue.team),
        url=issue.url or "",
        labels=_labels(issue),
        started_at=parse_time(issue.created_at),
        updated_at=parse_time(issue.updated_at),
        ended_at=ended_at if state in ("done", "cancelled") else None,
    )


def _name(named: Named | None) -> str:
    return (named.name or "") if named else ""


def _person(user: User | None) -> str:
    return (user.display_name or "") if user else ""


def _labels(issue: Issue) -> dict[str, str]:
    names = [label.name for label in (issue.labels.nodes if issue.labels else None) or () if label.name]
    said = {"project": _name(issue.project), "due": issue.due_date if isinstance(issue.due_date, str) else ""}
    return {**dict.fromkeys(names, ""), **{name: value for name, value in said.items() if value}}
