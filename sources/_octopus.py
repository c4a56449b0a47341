"""Octopus Deploy's answers as data, and its words as ours.  Pure; `sources.octopus` does the reading.

Words from octopus.com's reference of the API (dashboard, deployments) and octopus.com/docs/cli/octopus-task-list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from sources._shared.rows import Rows, need
from sources._shared.words import meaning
from statusboard.api import BadAnswer, Release, ReleaseState, Source, clean, parse_time

#: task.State, which is a deployment's too.
STATES: Mapping[str, ReleaseState] = {
    "pending": "queued",
    "queued": "queued",
    "executing": "running",
    "cancelling": "running",
    "success": "success",
    "failed": "failed",
    "timedout": "failed",
    "canceled": "cancelled",
}
#: States that never change again.
FINISHED = frozenset({"success", "warning", "failed", "cancelled"})
_ID = re.compile(r"[\w-]{1,100}", re.ASCII)


class Space(msgspec.Struct, frozen=True, rename="pascal"):
    id: str | None = None
    name: str | None = None
    slug: str | None = None
    is_default: bool | None = None


class Named(msgspec.Struct, frozen=True, rename="pascal"):
    """A project, environment or tenant."""

    id: str | None = None
    name: str | None = None


class Task(msgspec.Struct, frozen=True, rename="pascal"):
    """How a deployment goes; the dashboard's items say the same in the same words."""

    id: str | None = None
    state: str | None = None
    has_pending_interruptions: bool | None = None
    has_pending_preconditions: bool | None = None
    has_warnings_or_errors: bool | None = None
    pending_interruption_types: list[str] | None = None
    pending_precondition_types: list[str] | None = None
    error_message: str | None = None
    queue_time: Any = None
    start_time: Any = None
    completed_time: Any = None


class DashboardItem(Task, frozen=True, rename="pascal"):
    deployment_id: str | None = None
    project_id: str | None = None
    environment_id: str | None = None
    tenant_id: str | None = None
    release_id: str | None = None
    release_version: str | None = None
    task_id: str | None = None
    created: Any = None


class Dashboard(msgspec.Struct, frozen=True, rename="pascal"):
    """``project_limit`` is set where the server shows no more projects than that."""

    items: list[Any]
    projects: list[Any]
    environments: list[Any]
    tenants: list[Any] | None = None
    project_limit: int | None = None


class Deployment(msgspec.Struct, frozen=True, rename="pascal"):
    id: str | None = None
    project_id: str | None = None
    environment_id: str | None = None
    tenant_id: str | None = None
    release_id: str | None = None
    task_id: str | None = None
    comments: str | None = None
    deployed_by: str | None = None
    created: Any = None


class Version(msgspec.Struct, frozen=True, rename="pascal"):
    """A release: what Octopus deploys."""

    id: str | None = None
    version: str | None = None


class Collection(msgspec.Struct, frozen=True, rename="pascal"):
    items: list[Any]
    total_results: int | None = None


class Names:
    """What the projects, environments and tenants of a space are called."""

    def __init__(self, *lists: Iterable[Named]) -> None:
        self._names = {row.id: row.name for rows in lists for row in rows if row.id and row.name}

    def of(self, id: str | None) -> str:
        """The name, or the id where it is not known; ``""`` for none."""
        return self._names.get(id or "", id or "")


def named(rows: Iterable[Any]) -> list[Named]:
    """Those of these rows that can be read."""
    return Rows("name", Named, rows).good


def names_of(dashboard: Dashboard) -> Names:
    """What the projects, environments and tenants on a dashboard are called."""
    return Names(*map(named, (dashboard.projects, dashboard.environments, dashboard.tenants or [])))


def is_id(id: str | None) -> bool:
    """Whether this may be an id: Octopus' are like Deployments-123."""
    return bool(id and _ID.fullmatch(id))


def id_of(row: DashboardItem | Deployment) -> str:
    """What tells a deployment from others; `BadAnswer` where nothing does."""
    id = need((row.deployment_id if isinstance(row, DashboardItem) else "") or row.id, "Id")
    if not is_id(id):
        raise BadAnswer(f"no id of Octopus: {clean(id, 40)}")
    return id


def state_of(task: Task) -> ReleaseState:
    """How a deployment goes: what waits for a person is blocked, and a success with warnings is a warning."""
    state = meaning(STATES, task.state)
    if state in ("queued", "running") and (task.has_pending_interruptions or task.has_pending_preconditions):
        return "blocked"
    return "warning" if state == "success" and task.has_warnings_or_errors else state


def release_of(
    source: Source[Any], root: str, space: Space, names: Names, row: Deployment, task: Task, version: str
) -> Release:
    """A deployment, with how its task goes and the version that it deploys.

    Its target is the project, with the tenant: two projects may be of one service, and a good deployment of the one
    must not stand for a failed one of the other.
    """
    state = state_of(task)
    number = id_of(row)
    project, environment = names.of(row.project_id), names.of(row.environment_id)
    ended_at = parse_time(task.completed_time) if state in FINISHED else None
    reason = task.error_message or ""
    if state == "blocked":
        reason = ", ".join(task.pending_interruption_types or task.pending_precondition_types or ())
    tenant = names.of(row.tenant_id)
    labels = {"application": project, "space": space.name or "", "tenant": tenant}
    return Release(
        key=source.key("release", f"{space.id}/{number}"),
        source=source.name,
        title=" to ".join(filter(None, (f"{project} {version}".strip(), environment))),
        description=row.comments or "",
        state=state,
        raw_state=task.state or "",
        reason=reason,
        environment=environment,
        target="/".join(filter(None, (project, tenant))),
        version=version,
        url=f"{root}/app#/{space.id}/deployments/{number}",
        labels={name: value for name, value in labels.items() if value},
        actor=row.deployed_by or "",
        started_at=parse_time(task.start_time) or parse_time(task.queue_time) or parse_time(row.created),
        updated_at=ended_at,
        ended_at=ended_at,
    )
