"""What GitLab tells by GraphQL alone: alerts, and how far the response to an incident is.

Fields and arguments from gitlab-org/gitlab, app/graphql/types/alert_management/alert_type.rb and issue_type.rb.  At
these page sizes both stay well below the complexity that a query may have (250; 200 without a credential).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from sources._gitlab_issues import Alert
from sources._shared.answers import shaped
from sources._shared.rows import Rows
from statusboard.api import BadAnswer, Http, NotFound, TooLarge, clean

T = TypeVar("T")

ALERT_PAGES: Final = 10
ALERTS: Final = """query($path: ID!, $after: String) { project(fullPath: $path) {
  userPermissions { createDeployment createPipeline pushCode }
  alertManagementAlerts(statuses: [TRIGGERED, ACKNOWLEDGED, IGNORED], first: 50, after: $after) {
    nodes {
      iid title description severity status service monitoringTool startedAt endedAt detailsUrl runbook
      environment { name } issue { webUrl } assignees { nodes { username } }
    }
    pageInfo { hasNextPage endCursor }
  }
} }"""
RESOLVED_ALERTS: Final = ALERTS.replace(
    "(statuses: [TRIGGERED, ACKNOWLEDGED, IGNORED], first", "(statuses: [RESOLVED], sort: STARTED_AT_DESC, first"
)
ESCALATION: Final = """query($path: ID!) { %s(fullPath: $path) {
  issues(types: [INCIDENT], state: opened, first: 100%s) { nodes { id escalationStatus } }
} }"""


class _PageInfo(msgspec.Struct, frozen=True, rename="camel"):
    has_next_page: bool | None = None
    end_cursor: str | None = None


class _Connection(msgspec.Struct, frozen=True, rename="camel"):
    nodes: list[Any]
    page_info: _PageInfo = _PageInfo()


class _Project(msgspec.Struct, frozen=True, rename="camel"):
    alert_management_alerts: _Connection
    user_permissions: dict[str, bool | None] | None = None


class _Issue(msgspec.Struct, frozen=True, rename="camel"):
    id: str | None = None
    escalation_status: str | None = None


class _Issues(msgspec.Struct, frozen=True):
    nodes: list[_Issue | None]


class _Issuing(msgspec.Struct, frozen=True):
    issues: _Issues


async def alerts(path: str, http: Http) -> tuple[Rows[Alert], bool]:
    """The alerts of the project ``path`` that are not resolved, and whether we may see them at all.

    Who may not is given an empty list; the permissions that are asked for come with the same role, Developer.
    """
    rows: Rows[Alert] = Rows("alert", Alert)
    after: str | None = None
    for _ in range(ALERT_PAGES):
        project = await _ask(ALERTS, {"path": path, "after": after}, "project", _Project, http)
        rows.add(project.alert_management_alerts.nodes)
        page = project.alert_management_alerts.page_info
        if not page.has_next_page or not page.end_cursor or page.end_cursor == after:
            return rows, bool(rows.good) or any((project.user_permissions or {}).values())
        after = page.end_cursor
    raise TooLarge(f"{path} has more than {ALERT_PAGES * 50} alerts that are not resolved")


async def resolved_alerts(path: str, http: Http, after: str) -> tuple[Rows[Alert], str, bool]:
    """A page of the alerts that are over, the last to start first; where the next begins; whether we may see any."""
    project = await _ask(RESOLVED_ALERTS, {"path": path, "after": after or None}, "project", _Project, http)
    found = project.alert_management_alerts
    rows = Rows("alert", Alert, found.nodes)
    older = (found.page_info.end_cursor or "") if found.page_info.has_next_page else ""
    return rows, "" if older == after else older, bool(rows.good) or any((project.user_permissions or {}).values())


async def escalation(path: str, http: Http, *, group: bool) -> dict[str, str | None]:
    """The escalation status of a project's or group's open incidents, by ``gid://gitlab/Issue/1``."""
    what = "group" if group else "project"
    query = ESCALATION % (what, ", includeSubgroups: true" if group else "")
    found = await _ask(query, {"path": path}, what, _Issuing, http)
    return {node.id: node.escalation_status for node in found.issues.nodes if node and node.id}


async def _ask(query: str, variables: Mapping[str, Any], what: str, shape: type[T], http: Http) -> T:
    """``what`` of the answer.  What went wrong comes with status 200, and what we may not see is null."""
    answer = (await http.post("/api/graphql", json={"query": query, "variables": variables})).json()
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict) or answer.get("errors") or what not in data:
        raise BadAnswer(f"GraphQL: {_complaint(answer)}")
    if data[what] is None:
        raise NotFound(f"GraphQL: there is no {what} {variables['path']} that this credential may see")
    return shaped(data[what], shape)


def _complaint(answer: object) -> str:
    errors = answer.get("errors") if isinstance(answer, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    message = first.get("message") if isinstance(first, dict) else None
    return clean(message, 200) if isinstance(message, str) else "the answer is none"
