"""GitHub's answers as data, and its words as ours.  Pure; `sources.github` does the reading.

Words from octokit/webhooks, payload-schemas, and github/rest-api-description.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

import msgspec

from sources._shared.brought import Brought, brought
from sources._shared.rows import need
from sources._shared.versions import before
from sources._shared.words import meaning
from statusboard.api import BadAnswer, Release, ReleaseState, Source, Ticket, TicketState, parse_time

#: deployment_status.state; a deployment without any status is pending.
DEPLOYMENT_STATES: Mapping[str, ReleaseState] = {
    "pending": "queued",
    "queued": "queued",
    "waiting": "blocked",
    "in_progress": "running",
    "success": "success",
    "failure": "failed",
    "error": "failed",
    "inactive": "inactive",
}
#: issue.state and issue.state_reason
ISSUE_STATES: Mapping[tuple[str, str], TicketState] = {
    ("open", ""): "open",
    ("open", "reopened"): "open",
    ("closed", ""): "done",
    ("closed", "completed"): "done",
    ("closed", "not_planned"): "cancelled",
    ("closed", "duplicate"): "cancelled",
}

#: The word in a key, and where that thing is found in the API.
PATHS: Mapping[str, str] = {
    "run": "actions/runs",
    "deployment": "deployments",
    "release": "releases",
    "issue": "issues",
}
#: States of deployments that came into being, whatever became of them later.
DEPLOYED: Final = frozenset({"success", "inactive"})
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ROLLBACK = re.compile(r"\broll[-_ ]?back\b", re.IGNORECASE)
_REPOSITORY_URL = re.compile(r"https?://[^?#]*/repos/([A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100})/?")


class User(msgspec.Struct, frozen=True):
    login: str | None = None


class Repository(msgspec.Struct, frozen=True):
    full_name: str | None = None
    default_branch: str | None = None
    archived: bool | None = None
    disabled: bool | None = None
    has_issues: bool | None = None


class Workflow(msgspec.Struct, frozen=True):
    id: int | str
    name: str | None = None
    path: str | None = None


class Workflows(msgspec.Struct, frozen=True):
    workflows: list[Workflow]


class Deployment(msgspec.Struct, frozen=True):
    id: int | None = None
    node_id: str | None = None
    sha: str | None = None
    ref: str | None = None
    task: str | None = None
    payload: Any = None
    environment: str | None = None
    description: str | None = None
    creator: User | None = None
    created_at: str | None = None
    updated_at: str | None = None


class DeploymentStatus(msgspec.Struct, frozen=True):
    state: str | None = None
    description: str | None = None
    log_url: str | None = None
    target_url: str | None = None
    environment_url: str | None = None
    created_at: str | None = None


class PublishedRelease(msgspec.Struct, frozen=True):
    id: int | None = None
    tag_name: str | None = None
    target_commitish: str | None = None
    name: str | None = None
    draft: bool | None = None
    prerelease: bool | None = None
    html_url: str | None = None
    author: User | None = None
    published_at: str | None = None


class Label(msgspec.Struct, frozen=True):
    name: str | None = None


class Issue(msgspec.Struct, frozen=True):
    number: int | None = None
    title: str | None = None
    state: str | None = None
    state_reason: str | None = None
    html_url: str | None = None
    user: User | None = None
    assignee: User | None = None
    labels: list[Label | str] | None = None
    pull_request: Any = None
    repository_url: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    closed_at: str | None = None


class Found(msgspec.Struct, frozen=True):
    """What a search finds.  ``incomplete_results``: it was given up after GitHub's time limit."""

    items: list[Issue]
    incomplete_results: bool = False


class AnyFound(msgspec.Struct, frozen=True):
    items: list[Any]
    incomplete_results: bool = False


class _Person(msgspec.Struct, frozen=True):
    date: str | None = None


class _Commit(msgspec.Struct, frozen=True):
    committer: _Person | None = None


class _Compared(msgspec.Struct, frozen=True):
    commit: _Commit | None = None


class Comparison(msgspec.Struct, frozen=True):
    """What lies between two commits."""

    total_commits: int | None = None
    commits: list[_Compared] | None = None

    def brought(self) -> Brought:
        """The times of the commits; a comparison lists some hundred of them at most."""
        commits = self.commits or []
        times = [one.commit.committer.date if one.commit and one.commit.committer else None for one in commits]
        return brought(times, self.total_commits)


class History(msgspec.Struct, frozen=True):
    """What came before and after a deployment: the version that it replaced, and the one that undid it."""

    previous: str = ""
    undone_by: str = ""


def deployment_of(
    source: Source[Any],
    repo: str,
    deployment: Deployment,
    status: DeploymentStatus,
    history: History | None = None,
    web: str = "",
) -> Release:
    """A deployment with its newest status.  ``web`` is where people see the repository."""
    history = history or History()
    state = DEPLOYMENT_STATES.get((status.state or "").lower(), "unknown")
    version = version_of(deployment)
    environment = deployment.environment or ""
    links = {"log": status.log_url or status.target_url, "environment": status.environment_url}
    page = f"{web}/{repo}/deployments/{quote(environment, safe='')}" if web and environment else ""
    finished_at = parse_time(status.created_at) if state in ("success", "failed") else None
    undone = bool(history.undone_by) and state in DEPLOYED
    return Release(
        key=source.key("release", f"{repo}/deployment/{need(deployment.id, 'id')}"),
        source=source.name,
        title=" to ".join(filter(None, (_short(version), environment))),
        description=status.description or deployment.description or "",
        reason=f"rolled back to {_short(history.undone_by)}" if undone else "",
        state="rolled_back" if undone else state,
        raw_state=status.state or "",
        environment=environment,
        version=version,
        previous_version=history.previous,
        revision=deployment.sha or "",
        repository=repo,
        url=status.log_url or status.target_url or page or status.environment_url or "",
        links={name: url for name, url in links.items() if url},
        labels={"task": deployment.task} if deployment.task and deployment.task != "deploy" else {},
        actor=login_of(deployment.creator),
        started_at=parse_time(deployment.created_at),
        updated_at=parse_time(status.created_at),
        ended_at=finished_at,
    )


def histories(
    deployments: Iterable[Deployment],
    statuses: Mapping[int, DeploymentStatus],
    before: Mapping[int, History] = MappingProxyType({}),
) -> dict[int, History]:
    """What came before and after each of a repository's deployments, by id, as far as these tell.

    ``before`` is what was told last time, of deployments whose predecessors are no longer listed.

    GitHub knows no rollbacks.  Where whoever deploys says so, by a task such as ``rollback``, the deployment that was
    in place until then was rolled back; a mere return to an older version may have been planned.
    """
    found: dict[int, History] = {}
    in_place: dict[str, int] = {}  # by environment: the last that came into being
    last: dict[str, int] = {}  # and the last that ended, well or not
    unsure: set[str] = set()  # environments where an earlier one may yet turn out to be in place
    by_number = {deployment.id: deployment for deployment in deployments if deployment.id is not None}
    for number, deployment in sorted(by_number.items()):
        environment = deployment.environment or ""
        state = meaning(DEPLOYMENT_STATES, statuses[number].state)
        version, previous = version_of(deployment), _word(deployment.payload, _PREVIOUS)
        replaced = in_place.get(environment)
        if state in DEPLOYED and replaced is not None and replaced == last[environment]:
            undone = by_number[replaced]
            by = version if version_of(undone) != version else deployment.sha if undone.sha != deployment.sha else ""
            if by and _ROLLBACK.search(deployment.task or "") and previous in (version_of(undone), ""):
                found[replaced] = msgspec.structs.replace(found[replaced], undone_by=by)
        if not previous and state != "unknown":
            if replaced is not None:
                previous = version_of(by_number[replaced])
            elif environment not in unsure and number in before:
                previous = before[number].previous
        found[number] = History(previous=previous if previous != version else "")
        if state in DEPLOYED:
            in_place[environment] = number
        if state in DEPLOYED or state == "failed":
            last[environment] = number
        else:
            unsure.add(environment)
    return found


def version_of(deployment: Deployment) -> str:
    """What was deployed: the version in the payload, else the tag, branch or commit."""
    return _word(deployment.payload, _VERSION) or deployment.ref or ""


def publication_of(source: Source[Any], repo: str, release: PublishedRelease, previous: str = "") -> Release | None:
    """A published release; None for a draft."""
    if release.draft:
        return None
    tag = release.tag_name or ""
    commitish = release.target_commitish or ""
    published_at = parse_time(release.published_at)
    return Release(
        key=source.key("release", f"{repo}/release/{need(release.id, 'id')}"),
        source=source.name,
        title=release.name or tag,
        state="success",
        raw_state="published",
        type="publication",
        version=tag,
        previous_version=previous,
        revision=commitish if _SHA.fullmatch(commitish) else "",
        prerelease=bool(release.prerelease),
        repository=repo,
        url=release.html_url or "",
        actor=login_of(release.author),
        started_at=published_at,
        ended_at=published_at,
    )


def publications_before(releases: Sequence[PublishedRelease]) -> dict[int, str]:
    """The tag of the version before each published release's, by id, of those that were there; newest come first."""
    published = [release for release in releases if release.tag_name and not release.draft]
    tags = [release.tag_name or "" for release in published]
    return {
        release.id: before(tags[place], tags[place + 1 :])
        for place, release in enumerate(published)
        if release.id is not None
    }


def ticket_of(source: Source[Any], repo: str, issue: Issue) -> Ticket | None:
    """An issue; None for a pull request, which the API lists among them."""
    if issue.pull_request is not None:
        return None
    state, reason = (issue.state or "").lower(), (issue.state_reason or "").lower()
    number = need(issue.number, "number")
    names = [label if isinstance(label, str) else label.name for label in issue.labels or ()]
    return Ticket(
        key=source.key("ticket", f"{repo}/issue/{number}"),
        source=source.name,
        title=issue.title or f"issue {number}",
        state=ISSUE_STATES.get((state, reason), ISSUE_STATES.get((state, ""), "unknown")),
        raw_state="/".join(filter(None, (issue.state, issue.state_reason))),
        ticket_id=f"#{number}",
        assignee=login_of(issue.assignee),
        repository=repo,
        url=issue.html_url or "",
        labels={name: "" for name in names if name},
        actor=login_of(issue.user),
        started_at=parse_time(issue.created_at),
        updated_at=parse_time(issue.updated_at),
        ended_at=parse_time(issue.closed_at),
    )


def repository_of(issue: Issue) -> str:
    """Where a found issue is from; searches name it by its API address only."""
    match = _REPOSITORY_URL.fullmatch(need(issue.repository_url, "repository_url"))
    if match is None:
        raise BadAnswer("a repository_url is no repository's")
    return match[1]


def login_of(user: User | None) -> str:
    return (user.login or "") if user else ""


_VERSION = ("version", "tag", "release")
_PREVIOUS = ("previous_version", "previous")


def _word(payload: object, names: tuple[str, ...]) -> str:
    """The first of these in a deployment's payload: an object, or JSON in a string, as its maker liked."""
    if isinstance(payload, str):
        try:
            payload = msgspec.json.decode(payload)
        except (msgspec.MsgspecError, RecursionError):
            return ""
    if not isinstance(payload, dict):
        return ""
    words = (payload.get(name) for name in names)
    return next((str(word) for word in words if isinstance(word, str | int | float) and word), "")


def _short(version: str) -> str:
    return version[:12] if _SHA.fullmatch(version) else version
