"""The answers of Gitea and Forgejo as data, and their words as ours.  Pure; `sources.gitea` does the reading.

Words from go-gitea/gitea: models/actions/status.go and services/convert/action.go (`ToActionsStatus`); shapes from
modules/structs of Gitea and of Forgejo.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from sources._shared.rows import need
from sources._shared.words import meaning
from statusboard.api import Build, BuildState, Release, Source, Ticket, TicketState, parse_time

#: The words that Gitea and Forgejo keep inside; Forgejo's runs and everybody's tasks have them as ``status``.
INTERNAL_STATES: Mapping[str, BuildState] = {
    "waiting": "queued",  # for a runner
    "pending": "queued",
    "blocked": "blocked",  # by jobs before it, or as nobody has approved it
    "running": "running",
    "running_with_failure": "running",
    "cancelling": "running",
    "success": "success",
    "failure": "failed",
    "cancelled": "cancelled",
    "skipped": "skipped",
    "unknown": "unknown",
}
#: The status of Gitea's runs, in GitHub's words; ``completed`` is told by its conclusion.
RUN_STATES: Mapping[str, BuildState] = {
    "queued": "queued",
    "requested": "queued",
    "pending": "queued",
    "waiting": "blocked",  # for an approval, on older servers also for other jobs: not what the word means inside
    "in_progress": "running",
}
CONCLUSIONS: Mapping[str, BuildState] = {
    "success": "success",
    "failure": "failed",
    "cancelled": "cancelled",
    "skipped": "skipped",
}
#: issue.state
ISSUE_STATES: Mapping[str, TicketState] = {"open": "open", "closed": "done"}

#: The word in a key, and where that thing is found in the API.
PATHS: Mapping[str, str] = {"run": "actions/runs", "release": "releases", "issue": "issues"}
_INTERNAL_FIRST: Mapping[str, BuildState] = {**RUN_STATES, **INTERNAL_STATES}
_RUNS_FIRST: Mapping[str, BuildState] = {**INTERNAL_STATES, **RUN_STATES}
FINISHED = frozenset({"success", "failed", "cancelled", "skipped"})
REPO = re.compile(r"(?!\.\.?/)[A-Za-z0-9_.-]{1,100}/(?!\.\.?$)[A-Za-z0-9_.-]{1,100}")
_PULL = re.compile(r"(?:refs/pull/|#)(\d{1,15})(?:/(?:head|merge))?", re.ASCII)
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

Time = str | int | float | None


class User(msgspec.Struct, frozen=True):
    login: str | None = None


class Repository(msgspec.Struct, frozen=True):
    """A repository; what it can be used for is missing on servers that did not tell yet."""

    full_name: str | None = None
    default_branch: str | None = None
    archived: bool | None = None
    has_actions: bool | None = None
    has_issues: bool | None = None
    has_releases: bool | None = None
    external_tracker: Any = None

    @property
    def name(self) -> str:
        """``owner/name``, ``""`` where that is not what the servers allow."""
        name = self.full_name or ""
        return name if REPO.fullmatch(name) else ""


class PullRequest(msgspec.Struct, frozen=True):
    number: int | None = None


class Run(msgspec.Struct, frozen=True):
    """A run of Gitea (1.25 and newer), one of Forgejo, or a task, which is an attempt at one job of a run."""

    id: int | None = None
    status: str | None = None
    html_url: str | None = None
    # Gitea's run and, as far as they go, a task
    conclusion: str | None = None
    display_title: str | None = None
    path: str | None = None
    event: str | None = None
    run_number: int | None = None
    run_attempt: int | None = None
    head_branch: str | None = None
    head_sha: str | None = None
    created_at: Time = None
    updated_at: Time = None
    started_at: Time = None
    completed_at: Time = None
    actor: User | None = None
    trigger_actor: User | None = None
    pull_requests: list[PullRequest] | None = None
    # a task alone
    name: str | None = None
    url: str | None = None
    run_started_at: Time = None
    # Forgejo's run, and the first of them a task as well
    workflow_id: str | None = None
    title: str | None = None
    index_in_repo: int | None = None
    prettyref: str | None = None
    commit_sha: str | None = None
    trigger_event: str | None = None
    trigger_user: User | None = None
    need_approval: bool | None = None
    created: Time = None
    started: Time = None
    stopped: Time = None

    @property
    def is_forgejos(self) -> bool:
        return any(value is not None for value in (self.index_in_repo, self.prettyref, self.commit_sha))


class Runs(msgspec.Struct, frozen=True):
    workflow_runs: list[Run]
    total_count: int | None = None


class AnyRuns(msgspec.Struct, frozen=True):
    workflow_runs: list[Any]
    total_count: Any = None


class PublishedRelease(msgspec.Struct, frozen=True):
    id: int | None = None
    tag_name: str | None = None
    target_commitish: str | None = None
    name: str | None = None
    html_url: str | None = None
    draft: bool | None = None
    prerelease: bool | None = None
    published_at: Time = None
    author: User | None = None


class Label(msgspec.Struct, frozen=True):
    name: str | None = None
    exclusive: bool | None = None


class Issue(msgspec.Struct, frozen=True):
    number: int | None = None
    title: str | None = None
    state: str | None = None
    html_url: str | None = None
    user: User | None = None
    assignees: list[User] | None = None
    labels: list[Label] | None = None
    pull_request: Any = None
    repository: Repository | None = None
    created_at: Time = None
    updated_at: Time = None
    closed_at: Time = None


def state_of(status: str | None, conclusion: str | None, *, internal: bool) -> BuildState:
    """What a run's or task's words mean; ``waiting`` and ``pending`` depend on whose they are."""
    if (status or "").lower() == "completed":
        return meaning(CONCLUSIONS, conclusion)
    return meaning(_INTERNAL_FIRST if internal else _RUNS_FIRST, status)


def build_of(
    source: Source[Any], repo: str, default_branch: str, run: Run, *, task: bool = False, overtaken: bool = False
) -> Build:
    """A run, or a task where the server tells of nothing else: then each job of a workflow is a pipeline.

    One that is ``overtaken`` by a newer one keeps its place when it is run again, as far as its server tells when it
    was made.
    """
    state = state_of(run.status, run.conclusion, internal=task or run.is_forgejos)
    if run.need_approval and state == "queued":
        state = "blocked"
    number = need(run.id, "id")
    pipeline, change, branch = line_of(run, task=task)
    stopped_at = parse_time(run.completed_at) or parse_time(run.stopped)
    ended_at = (stopped_at or parse_time(run.updated_at)) if state in FINISHED else None
    created_at = parse_time(run.created_at) or parse_time(run.created)
    started_at = next(filter(None, map(parse_time, (run.started_at, run.started, run.run_started_at))), None)
    return Build(
        key=source.key("build", f"{repo}/{'task' if task else 'run'}/{number}"),
        source=source.name,
        title=run.display_title or run.title or pipeline,
        state=state,
        raw_state="/".join(filter(None, (run.status, run.conclusion))),
        reason="" if state in ("success", "queued", "running") else (run.conclusion or run.status or ""),
        pipeline=pipeline,
        run_number=run.run_number if run.index_in_repo is None else run.index_in_repo,
        attempt=run.run_attempt or 1,
        branch=branch,
        default_branch=default_branch,
        revision=run.head_sha or run.commit_sha or "",
        change=change,
        repository=repo,
        url=(run.url if task else run.html_url) or "",
        actor=_login(run.trigger_actor) or _login(run.actor) or _login(run.trigger_user),
        trigger=_event(run),
        started_at=(created_at if overtaken else None) or started_at or created_at,
        updated_at=ended_at,  # while it runs it moves with every step, and would be a change at every poll
        ended_at=ended_at,
        approximate=ended_at is not None and stopped_at is None,
    )


def _event(run: Run) -> str:
    return run.trigger_event or run.event or ""


def line_of(run: Run, *, task: bool = False) -> tuple[str, str, str]:
    """What the newest of its siblings speaks for: the pipeline, the pull request, and the branch or tag."""
    file, _, ref = (run.path or "").partition("@")
    workflow = file.rpartition("/")[2] or run.workflow_id or ""
    return (": ".join(filter(None, (workflow, run.name if task else ""))), *_place(run, ref, _event(run)))


def _place(run: Run, ref: str, event: str) -> tuple[str, str]:
    """The pull request, else the branch or tag, that a run is of.

    Gitea tells the branch of neither pull requests nor tags, but the whole ref behind the workflow's path.
    """
    pretty = run.prettyref or run.head_branch or ""
    pull = _PULL.fullmatch(ref) or _PULL.fullmatch(pretty)
    if pull:
        return pull[1], ""
    branch = pretty or ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    if not event.startswith("pull_request"):
        return "", branch
    # Such a run is of the base branch by its ref, and of a pull request in truth.
    numbers = [pull_request.number for pull_request in run.pull_requests or () if pull_request.number]
    return (str(numbers[0]) if numbers else "unknown"), branch


def publication_of(source: Source[Any], repo: str, release: PublishedRelease) -> Release | None:
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
        revision=commitish if _SHA.fullmatch(commitish) else "",
        prerelease=bool(release.prerelease),
        repository=repo,
        url=release.html_url or "",
        actor=_login(release.author),
        started_at=published_at,
        ended_at=published_at,
    )


def ticket_of(source: Source[Any], repo: str, issue: Issue) -> Ticket | None:
    """An issue; None for a pull request."""
    if issue.pull_request is not None:
        return None
    number = need(issue.number, "number")
    labels = _labels(issue.labels or ())
    return Ticket(
        key=source.key("ticket", f"{repo}/issue/{number}"),
        source=source.name,
        title=issue.title or f"issue {number}",
        state=meaning(ISSUE_STATES, issue.state),
        raw_state=issue.state or "",
        priority=next((value for name, value in labels.items() if name.lower() == "priority"), ""),
        ticket_id=f"#{number}",
        assignee=_logins(issue.assignees),
        repository=repo,
        url=issue.html_url or "",
        labels=labels,
        actor=_login(issue.user),
        started_at=parse_time(issue.created_at),
        updated_at=parse_time(issue.updated_at),
        ended_at=parse_time(issue.closed_at),
    )


def _labels(labels: Iterable[Label]) -> dict[str, str]:
    """Labels by name; an exclusive one (``Priority/High``) is a name and a value."""
    found: dict[str, str] = {}
    for label in labels:
        name, _, value = (label.name or "").rpartition("/")
        if label.exclusive and name:
            found[name] = value
        elif label.name:
            found[label.name] = ""
    return found


def _login(user: User | None) -> str:
    return (user.login or "") if user else ""


def _logins(users: Sequence[User] | None) -> str:
    return ", ".join(filter(None, map(_login, users or ())))
