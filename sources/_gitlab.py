"""GitLab's projects, pipelines, deployments and releases as data, and its words as ours.

Pure; `sources.gitlab` does the reading.  Issues are in `sources._gitlab_issues`.

Words from gitlab-org/gitlab: app/models/concerns/ci/has_status.rb, app/models/concerns/enums/ci/pipeline.rb,
app/models/deployment.rb.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from sources._shared.rows import need, remote_id
from sources._shared.words import meaning
from statusboard.api import (
    Build,
    BuildState,
    Release,
    ReleaseState,
    Source,
    parse_time,
)

#: pipeline.status
PIPELINE_STATES: Mapping[str, BuildState] = {
    "created": "queued",
    "waiting_for_resource": "queued",
    "preparing": "queued",
    "waiting_for_callback": "queued",
    "pending": "queued",
    "scheduled": "queued",  # a delayed job runs by itself later
    "running": "running",
    "canceling": "running",
    "manual": "blocked",  # a manual job that may not be left out waits for somebody
    "success": "success",  # or a warning, see `WARNINGS`
    "failed": "failed",
    "canceled": "cancelled",
    "skipped": "skipped",
}
#: detailed_status.group of a success in which jobs failed that may fail.
WARNINGS = frozenset({"success-with-warnings", "success_with_warnings"})
#: pipeline.source whose pipelines run the same jobs of a branch: the newest of them speaks for it.
ORDINARY = frozenset(
    {"push", "web", "trigger", "api", "pipeline", "chat", "unknown", "merge_request_event",
     "external_pull_request_event"}
)  # fmt: skip
#: pipeline.source whose pipelines GitLab itself leaves out of a branch's status (its "dangling" ones): a child pipeline
#: counts through its parent, the others check something else than the code.
DANGLING = frozenset(
    {"parent_pipeline", "webide", "ondemand_dast_scan", "ondemand_dast_validation", "security_orchestration_policy",
     "container_registry_push", "duo_workflow", "pipeline_execution_policy_schedule"}
)  # fmt: skip
#: deployment.status
DEPLOYMENT_STATES: Mapping[str, ReleaseState] = {
    "created": "queued",
    "blocked": "blocked",  # a manual job, or an approval is missing
    "running": "running",
    "success": "success",
    "failed": "failed",
    "canceled": "cancelled",
    "skipped": "cancelled",
}

FINISHED = frozenset({"success", "failed", "cancelled", "skipped"})
WAITING = frozenset({"queued", "blocked"})
_MERGE_REQUEST = re.compile(r"refs/merge-requests/(\d{1,15})/(?:head|merge|train)", re.ASCII)
PATH = re.compile(r"(?=.{1,300}$)[\w.-]+(?:/[\w.-]+)+", re.ASCII)  # a key must hold it
_JOBS_NAMED = 3


class User(msgspec.Struct, frozen=True):
    username: str | None = None


class Project(msgspec.Struct, frozen=True):
    """A project; ``*_access_level`` is disabled, private or enabled, and missing on servers without that feature."""

    path_with_namespace: str | None = None
    default_branch: str | None = None
    web_url: str | None = None
    builds_access_level: str | None = None
    environments_access_level: str | None = None
    releases_access_level: str | None = None

    @property
    def path(self) -> str:
        """Its full path, ``""`` where that is not what GitLab allows as one."""
        path = self.path_with_namespace or ""
        return path if PATH.fullmatch(path) else ""


class DetailedStatus(msgspec.Struct, frozen=True):
    group: str | None = None


class Pipeline(msgspec.Struct, frozen=True):
    """A pipeline.  Lists leave out what stands behind ``created_at``."""

    id: int | None = None
    iid: int | None = None
    name: str | None = None
    status: str | None = None
    source: str | None = None
    ref: str | None = None
    sha: str | None = None
    web_url: str | None = None
    updated_at: str | int | float | None = None
    created_at: str | int | float | None = None
    started_at: str | int | float | None = None
    finished_at: str | int | float | None = None
    user: User | None = None
    yaml_errors: str | None = None
    detailed_status: DetailedStatus | None = None

    @property
    def state(self) -> BuildState:
        return meaning(PIPELINE_STATES, self.status)

    @property
    def line(self) -> tuple[str, str]:
        """What its newest sibling speaks for: the ref, and the kind of pipeline."""
        return self.ref or "", kind_of(self.source)

    @property
    def is_dangling(self) -> bool:
        return (self.source or "").lower() in DANGLING


class Commit(msgspec.Struct, frozen=True):
    id: str | None = None
    title: str | None = None


class Job(msgspec.Struct, frozen=True):
    name: str | None = None
    tag: bool | None = None
    allow_failure: bool | None = None
    failure_reason: str | None = None
    started_at: str | int | float | None = None
    finished_at: str | int | float | None = None
    web_url: str | None = None
    user: User | None = None
    pipeline: Pipeline | None = None
    commit: Commit | None = None


class Environment(msgspec.Struct, frozen=True):
    id: int | None = None
    name: str | None = None
    tier: str | None = None
    external_url: str | None = None


class _Compared(msgspec.Struct, frozen=True):
    committed_date: str | None = None


class Comparison(msgspec.Struct, frozen=True):
    """What lies between two commits."""

    commits: list[_Compared]


class Deployment(msgspec.Struct, frozen=True):
    """A deployment; ``deployable`` is the job that made it, null where somebody told GitLab of it by API."""

    id: int | None = None
    ref: str | None = None
    sha: str | None = None
    status: str | None = None
    created_at: str | int | float | None = None
    updated_at: str | int | float | None = None
    user: User | None = None
    environment: Environment | None = None
    deployable: Job | None = None

    @property
    def state(self) -> ReleaseState:
        return meaning(DEPLOYMENT_STATES, self.status)

    @property
    def place(self) -> str:
        """The name of its environment."""
        return (self.environment.name or "") if self.environment else ""


class Links(msgspec.Struct, frozen=True):
    page: str | None = msgspec.field(default=None, name="self")
    closed_as_duplicate_of: str | None = None


class PublishedRelease(msgspec.Struct, frozen=True):
    """A release; without permission to read the code it has no ``tag_name``."""

    tag_name: str | None = None
    name: str | None = None
    released_at: str | int | float | None = None
    upcoming_release: bool | None = None
    author: User | None = None
    commit: Commit | None = None
    links: Links | None = msgspec.field(default=None, name="_links")


def kind_of(source: str | None) -> str:
    """The kind of a pipeline: ``pipeline`` for the ordinary ones, else what started it (``schedule``)."""
    word = (source or "unknown").lower()
    return "pipeline" if word in ORDINARY else word.replace("_", " ")


def build_of(
    source: Source[Any], project: Project, repo: str, pipeline: Pipeline, failed_jobs: Sequence[Job] | None = None
) -> Build | None:
    """A pipeline; None for one that GitLab leaves out of its branch's status.

    One that waits for somebody counts as what its jobs have said so far: many a pipeline ends with a manual job that
    nobody ever starts.  What its commit says is told with its jobs alone, so only of one in which any failed.
    """
    if pipeline.is_dangling:
        return None
    state, ref = pipeline.state, pipeline.ref or ""
    group = (pipeline.detailed_status.group or "").lower() if pipeline.detailed_status else ""
    warned = state == "success" and group in WARNINGS
    merge_request = _MERGE_REQUEST.fullmatch(ref)
    finished_at = parse_time(pipeline.finished_at)
    ended_at = (finished_at or parse_time(pipeline.updated_at)) if state in FINISHED else None
    kind, sha = kind_of(pipeline.source), pipeline.sha or ""
    jobs = failed_jobs or ()
    log = next((job.web_url for job in jobs if job.web_url), "")
    subject = next((job.commit.title for job in jobs if job.commit and job.commit.title), "")
    verdict: BuildState | Literal[""] = ""
    if state == "blocked" and failed_jobs is not None:
        verdict = "failed" if failed_jobs else "success"
    return Build(
        key=source.key("build", f"{repo}/-/pipelines/{need(pipeline.id, 'id')}"),
        source=source.name,
        title=": ".join(filter(None, (pipeline.name, subject))) or (f"commit {sha[:8]}" if sha else kind),
        state="warning" if warned else state,
        verdict=verdict,
        raw_state=f"{pipeline.status}/{group}" if warned else pipeline.status or "",
        reason=_reason(jobs) or (pipeline.yaml_errors or "" if state == "failed" else ""),
        pipeline=kind,
        run_number=pipeline.iid,
        branch="" if merge_request else ref,
        default_branch=project.default_branch or "",
        revision=sha,
        change=merge_request[1] if merge_request else "",
        repository=repo,
        url=pipeline.web_url or "",
        links={"log": log} if log else {},
        actor=name_of(pipeline.user),
        trigger=pipeline.source or "",
        started_at=parse_time(pipeline.started_at) or parse_time(pipeline.created_at),
        queued_at=parse_time(pipeline.created_at) if parse_time(pipeline.started_at) else None,
        updated_at=ended_at,  # while it runs it moves with every job, and would be a change at every poll
        ended_at=ended_at,
        approximate=ended_at is not None and finished_at is None,
    )


def deployment_of(source: Source[Any], project: Project, repo: str, deployment: Deployment, tier: str) -> Release:
    """A deployment.  That it brings back what ran before is nothing that GitLab says."""
    job = deployment.deployable or Job()
    environment = deployment.environment or Environment()
    state, ref, sha = deployment.state, deployment.ref or "", deployment.sha or ""
    version = ref if job.tag else sha[:8]
    what = version if job.tag or not ref else f"{ref} ({version})" if version else ref
    links = {
        "environment": environment.external_url,
        "pipeline": job.pipeline.web_url if job.pipeline else None,
    }
    page = f"{project.web_url}/-/environments/{environment.id}" if project.web_url and environment.id else ""
    ended_at = parse_time(job.finished_at) or parse_time(deployment.updated_at) if state in FINISHED else None
    return Release(
        key=source.key("release", f"{repo}/-/deployments/{need(deployment.id, 'id')}"),
        source=source.name,
        title=" to ".join(filter(None, (what, environment.name))),
        state=state,
        raw_state=deployment.status or "",
        reason=(job.failure_reason or "").replace("_", " ") if state == "failed" else "",
        environment=environment.name or "",
        version=version,
        revision=sha,
        repository=repo,
        url=job.web_url or page,
        links={name: url for name, url in links.items() if url},
        labels={name: text for name, text in (("tier", tier), ("job", job.name)) if text},
        actor=name_of(job.user) or name_of(deployment.user),  # whoever plays a manual job is known to the job alone
        started_at=parse_time(job.started_at) or parse_time(deployment.created_at),
        updated_at=ended_at,
        ended_at=ended_at,
    )


def publication_of(source: Source[Any], repo: str, release: PublishedRelease) -> Release | None:
    """A published release; None for one that is only announced."""
    if release.upcoming_release:
        return None
    tag = need(release.tag_name, "tag_name")
    released_at = parse_time(release.released_at)
    return Release(
        key=source.key("release", f"{repo}/-/releases/{remote_id(tag)}"),
        source=source.name,
        title=release.name or tag,
        state="success",
        raw_state="released",
        type="publication",
        version=tag,
        revision=(release.commit.id or "") if release.commit else "",
        repository=repo,
        url=(release.links.page or "") if release.links else "",
        actor=name_of(release.author),
        started_at=released_at,
        ended_at=released_at,
    )


def _reason(jobs: Sequence[Job]) -> str:
    """The jobs that failed, by name as far as that can be read at a glance."""
    names = list(dict.fromkeys(job.name for job in jobs if job.name))
    named = ", ".join(names[:_JOBS_NAMED])
    more = len(names) - _JOBS_NAMED
    return f"{named} and {more} more" if more > 0 else named


def name_of(user: User | None) -> str:
    return (user.username or "") if user else ""
