"""Sentry's answers as data, and its words as ours.  Pure; `sources.sentry` does the reading.

Words from getsentry/sentry-api-schema, and from getsentry/sentry: models/group.py and types/activity.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from sources._shared.rows import need, remote_id
from sources._shared.versions import is_prerelease
from sources._shared.words import meaning
from statusboard.api import (
    BadAnswer,
    Incident,
    IncidentState,
    Release,
    ReleaseState,
    Reply,
    Severity,
    Source,
    parse_time,
)

#: issue.status; what Sentry calls archived is ``ignored`` here.
ISSUE_STATES: Mapping[str, IncidentState] = {
    "unresolved": "open",
    "ignored": "suppressed",
    "muted": "suppressed",  # before 9.0
    "resolved": "resolved",
    "resolvedinnextrelease": "resolved",
    "pending_deletion": "resolved",
    "deletion_in_progress": "resolved",
    "pending_merge": "resolved",
    "reprocessing": "unknown",
}
#: issue.substatus, where it is news; the rest (new, ongoing, archived_...) goes without saying.
NEWS: Mapping[str, str] = {
    "regressed": "is back after it was resolved",
    "escalating": "is escalating",
}
#: issue.substatus of an archived issue
ARCHIVED: Mapping[str, str] = {
    "archived_until_escalating": "archived until it escalates",
    "archived_until_condition_met": "archived until a condition is met",
    "archived_forever": "archived for good",
}
#: issue.priority, which Sentry has had since 2024
PRIORITIES: Mapping[str, Severity] = {"high": "high", "medium": "medium", "low": "low"}
#: issue.level, for issues without a priority
LEVELS: Mapping[str, Severity] = {
    "fatal": "critical",
    "error": "high",
    "warning": "medium",
    "info": "info",
    "debug": "info",
    "sample": "info",
}
#: release.status
RELEASE_STATES: Mapping[str, ReleaseState] = {
    "open": "success",
    "archived": "inactive",
}
#: Numbers of events and users are told by these alone: a row should not change at every poll.
STEPS = (1_000_000, 100_000, 10_000, 1_000, 100, 10)

LONGEST_VERSION: Final = 250  # for Sentry


class Named(msgspec.Struct, frozen=True):
    type: str | None = None
    name: str | None = None
    slug: str | None = None


class StatusDetails(msgspec.Struct, frozen=True, rename="camel"):
    ignore_until: str | int | float | None = None
    actor: Named | None = None


class Lifetime(msgspec.Struct, frozen=True, rename="camel"):
    """Numbers since the issue was first seen; they only grow."""

    count: int | None = None
    user_count: int | None = None


class Activity(msgspec.Struct, frozen=True, rename="camel"):
    type: str | None = None
    date_created: str | int | float | None = None
    user: Named | None = None


class Issue(msgspec.Struct, frozen=True, rename="camel"):
    """``activity`` comes only with an issue that is read by its id, ``lifetime`` only with a list.

    Without ``lifetime`` the numbers are those since the issue was first seen, with it those of the list's period.
    """

    id: str | int | None = None
    short_id: str | None = None
    title: str | None = None
    culprit: str | None = None
    permalink: str | None = None
    level: str | None = None
    priority: str | None = None
    status: str | None = None
    substatus: str | None = None
    status_details: StatusDetails | None = None
    project: Named | None = None
    assigned_to: Named | None = None
    issue_category: str | None = None
    first_seen: str | int | float | None = None
    last_seen: str | int | float | None = None
    count: int | None = None
    user_count: int | None = None
    lifetime: Lifetime | None = None
    activity: list[Activity] | None = None


class Deploy(msgspec.Struct, frozen=True, rename="camel"):
    id: str | int | None = None
    environment: str | None = None
    url: str | None = None
    date_started: str | int | float | None = None
    date_finished: str | int | float | None = None


class Repository(msgspec.Struct, frozen=True):
    name: str | None = None


class Commit(msgspec.Struct, frozen=True):
    id: str | None = None
    repository: Repository | None = None


class Version(msgspec.Struct, frozen=True, rename="camel"):
    """A release."""

    version: str | None = None
    short_version: str | None = None
    status: str | None = None
    ref: str | None = None
    url: str | None = None
    date_created: str | int | float | None = None
    date_released: str | int | float | None = None
    commit_count: int | None = None
    deploy_count: int | None = None
    last_commit: Commit | None = None
    last_deploy: Deploy | None = None
    projects: list[Named] | None = None


def incident_of(source: Source[Any], row: Issue, environment: str = "") -> Incident:
    """``environment``: the only one that was asked for."""
    state = meaning(ISSUE_STATES, row.status)
    substatus = (row.substatus or "").lower()
    details = row.status_details or StatusDetails()
    project, assignee = row.project or Named(), row.assigned_to or Named()
    labels = {
        "project": project.slug or "",
        "issue": row.short_id or "",
        "level": row.level or "",
        "priority": row.priority or "",
        "category": row.issue_category or "",
    }
    resolved_at, actor = _resolved(row) if state == "resolved" else (None, "")
    return Incident(
        key=source.key("incident", remote_id(need(row.id, "id"))),
        source=source.name,
        title=row.title or row.short_id or f"issue {row.id}",
        description=row.culprit or "",
        state=state,
        raw_state="/".join(filter(None, (row.status, row.substatus))),
        reason=_reason(row, substatus) if state == "open" else "",
        severity=meaning(PRIORITIES, row.priority) if row.priority else meaning(LEVELS, row.level),
        services=(project.slug,) if project.slug else (),
        team=(assignee.name or "").lstrip("#") if (assignee.type or "").lower() == "team" else "",
        environment=environment,
        url=row.permalink or "",
        labels={name: text for name, text in labels.items() if text},
        assignee=assignee.name or "",
        actor=actor,
        suppressed_by=_suppressed_by(details, substatus) if state == "suppressed" else "",
        suppressed_until=parse_time(details.ignore_until) if state == "suppressed" else None,
        started_at=parse_time(row.first_seen),
        updated_at=resolved_at,
        ended_at=resolved_at,
    )


def publication_of(source: Source[Any], row: Version, page: str) -> Release:
    """A release of a version; ``page`` is where a person reads about it."""
    version = need(row.version, "version")
    created_at = parse_time(row.date_created)
    released_at = parse_time(row.date_released) or created_at
    commit = row.last_commit or Commit()
    return Release(
        key=source.key("release", remote_id(f"release/{version}")),
        source=source.name,
        title=row.short_version or version,
        state=meaning(RELEASE_STATES, row.status),
        raw_state=row.status or "",
        type="publication",
        version=version,
        prerelease=is_prerelease(version),
        revision=row.ref or commit.id or "",
        commits=row.commit_count,
        services=tuple(project.slug for project in row.projects or () if project.slug),
        repository=(commit.repository.name or "") if commit.repository else "",
        url=page,
        links={"release": row.url} if row.url else {},
        started_at=created_at,
        updated_at=released_at,
        ended_at=released_at,
    )


def deployment_of(source: Source[Any], row: Version, deploy: Deploy, page: str) -> Release:
    """A deploy of a version.  Sentry is told of deploys that are over, and not how they went: they are there."""
    published = publication_of(source, row, page)
    finished_at = parse_time(deploy.date_finished)
    return msgspec.structs.replace(
        published,
        key=source.key("release", remote_id(f"deploy/{need(deploy.id, 'id of a deploy')}")),
        title=f"{published.title} to {deploy.environment}" if deploy.environment else published.title,
        state="success" if finished_at else "unknown",
        raw_state="deployed",
        type="deployment",
        environment=deploy.environment or "",
        links={**published.links, "deploy": deploy.url} if deploy.url else published.links,
        started_at=parse_time(deploy.date_started) or finished_at,
        updated_at=finished_at,
        ended_at=finished_at,
    )


def page_of(base: str, organization: str, version: str) -> str:
    """The page of a release.  People read at sentry.io what is served from us.sentry.io and de.sentry.io."""
    host = urlsplit(base).hostname or ""
    root = "https://sentry.io" if host.endswith(".sentry.io") else base.rstrip("/")
    return f"{root}/organizations/{organization}/releases/{quote(version, safe='')}/"


def _reason(row: Issue, substatus: str) -> str:
    lifetime = row.lifetime or Lifetime(count=row.count, user_count=row.user_count)
    numbers = (_coarse(lifetime.count, "events"), _coarse(lifetime.user_count, "users"))
    return ", ".join(filter(None, (NEWS.get(substatus, ""), *numbers)))


def _coarse(number: int | None, what: str) -> str:
    return next((f"over {step:,} {what}" for step in STEPS if number is not None and number >= step), "")


def _suppressed_by(details: StatusDetails, substatus: str) -> str:
    how = ARCHIVED.get(substatus, "archived")
    return f"{how} by {details.actor.name}" if details.actor and details.actor.name else how


def _resolved(row: Issue) -> tuple[datetime | None, str]:
    """When an issue was resolved, and by whom, as far as its activity tells."""
    for activity in row.activity or ():  # newest first
        if (activity.type or "").lower().startswith("set_resolved"):
            return parse_time(activity.date_created), (activity.user.name or "") if activity.user else ""
    return None, ""


def last_deploy(row: Version) -> list[Any]:
    """What the list of releases tells of a release's deploys."""
    return [] if row.last_deploy is None else [msgspec.to_builtins(row.last_deploy)]


def cursor_of(reply: Reply) -> str:
    """Where the next page begins.  Its address is not followed: its host may be another one of Sentry's."""
    cursor = parse_qs(urlsplit(reply.next_url).query).get("cursor")
    if not cursor:
        raise BadAnswer("a page of issues names a next one without a cursor")
    return cursor[0]
