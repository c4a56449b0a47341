"""CircleCI's answers as data, and its words as ours.  Pure; `sources.circleci` does the reading.

Words from the OpenAPI description of API v2 (circleci.com/api/v2/openapi.json); the address of a workflow's page from
circleci.com/docs/reference/outbound-webhooks-reference, that of a server's web app from its admin's overview.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from sources._shared.forges import repository_of
from sources._shared.rows import need, remote_id
from sources._shared.words import meaning
from statusboard.api import BadAnswer, Build, BuildState, Source, clean, parse_time

#: workflow.status
WORKFLOW_STATES: Mapping[str, BuildState] = {
    "queued": "queued",
    "running": "running",
    "failing": "running",  # a job has failed, others still run
    "on_hold": "blocked",  # a job waits to be approved
    "success": "success",
    "failed": "failed",
    "error": "failed",
    "unauthorized": "failed",  # whoever started it may not use its context
    "canceled": "cancelled",
    "not_run": "skipped",
}
#: pipeline.state, which says nothing of how its workflows go: whether they are all there is to say of it.
PIPELINE_STATES: Mapping[str, str] = {
    "pending": "coming",
    "setup-pending": "coming",
    "setup": "coming",
    "created": "complete",
    "errored": "errored",  # its configuration could not be had, read or allowed: it has no workflows
}
FINAL: Final = frozenset({"success", "failed", "cancelled", "skipped"})
#: The name that a pipeline without workflows goes by while no workflow of its project is known.
NAMELESS: Final = "config"

#: pipeline.id, a UUID; it becomes part of an address.
ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
_PROVIDERS: Final = {"gh": "github", "bb": "bitbucket"}
_PULL: Final = re.compile(r"pull/(\d+)(?:/.*)?")


class Actor(msgspec.Struct, frozen=True):
    login: str | None = None


class Trigger(msgspec.Struct, frozen=True):
    type: str | None = None
    actor: Actor | None = None


class Commit(msgspec.Struct, frozen=True):
    subject: str | None = None


class Vcs(msgspec.Struct, frozen=True):
    """``branch`` and ``tag`` exclude each other; the origin is a fork's where it differs from the target."""

    branch: str | None = None
    tag: str | None = None
    revision: str | None = None
    commit: Commit | None = None
    review_id: str | int | None = None
    review_url: str | None = None
    origin_repository_url: str | None = None
    target_repository_url: str | None = None


class PipelineError(msgspec.Struct, frozen=True):
    type: str | None = None
    message: str | None = None


class GitLab(msgspec.Struct, frozen=True):
    """What GitLab told of a push; such pipelines have no ``vcs``."""

    branch: str | None = None
    default_branch: str | None = None
    checkout_sha: str | None = None
    commit_title: str | None = None
    user_username: str | None = None
    web_url: str | None = None


class Parameters(msgspec.Struct, frozen=True):
    gitlab: GitLab | None = None


class Pipeline(msgspec.Struct, frozen=True):
    id: str | None = None
    number: int | None = None
    project_slug: str | None = None
    state: str | None = None
    errors: list[PipelineError] | None = None
    created_at: int | float | str | None = None
    updated_at: int | float | str | None = None
    trigger: Trigger | None = None
    trigger_parameters: Parameters | None = None
    vcs: Vcs | None = None

    @property
    def branch(self) -> str:
        """The branch, or the tag, that it was started for."""
        vcs, gitlab = self.vcs or Vcs(), self.gitlab
        return vcs.branch or vcs.tag or gitlab.branch or ""

    @property
    def gitlab(self) -> GitLab:
        return (self.trigger_parameters.gitlab if self.trigger_parameters else None) or GitLab()


class Workflow(msgspec.Struct, frozen=True):
    """A rerun is a further workflow of the same name; ``tag`` tells a setup workflow from one that it set up."""

    id: str | None = None
    name: str | None = None
    status: str | None = None
    tag: str | None = None
    created_at: int | float | str | None = None
    stopped_at: int | float | str | None = None
    auto_rerun_number: int | None = None

    @property
    def final(self) -> bool:
        """Whether it will never change."""
        return meaning(WORKFLOW_STATES, self.status) in FINAL and parse_time(self.stopped_at) is not None


class VcsInfo(msgspec.Struct, frozen=True):
    provider: str | None = None
    default_branch: str | None = None
    vcs_url: str | None = None


class Details(msgspec.Struct, frozen=True):
    """A project."""

    slug: str
    name: str | None = None
    organization_name: str | None = None
    vcs_info: VcsInfo | None = None


class Project(msgspec.Struct, frozen=True):
    """What all builds of a project have in common; ``pages`` is the address that their pages' begin with."""

    default_branch: str
    repository: str
    pages: str


def pages_of(base: str, slug: str) -> str:
    """Where the pages of a project's pipelines are: the web app stands beside the API, at ``app.``."""
    parts = urlsplit(base)
    host = parts.hostname or ""
    bare = host.startswith("app.") or "." not in host or ":" in host or host.replace(".", "").isdecimal()
    provider, _, rest = slug.partition("/")
    return (
        f"{parts.scheme}://{'' if bare else 'app.'}{parts.netloc}/pipelines/{_PROVIDERS.get(provider, provider)}/{rest}"
    )


def repository(slug: str, details: Details) -> str:
    """``acme/checkout``: out of the slug, or for CircleCI's own projects what they are called."""
    provider, _, name = slug.partition("/")
    if provider != "circleci":
        return name
    return "/".join(filter(None, (details.organization_name, details.name)))


def same_project(one: str, other: str) -> bool:
    """Whether two slugs name the same project: ``gh`` is ``github``."""

    def plain(slug: str) -> str:
        provider, _, rest = slug.lower().partition("/")
        return f"{_PROVIDERS.get(provider, provider)}/{rest}"

    return plain(one) == plain(other)


def kind_of(pipeline: Pipeline) -> str:
    """``coming``, ``complete``, ``errored`` or ``unknown``."""
    return meaning(PIPELINE_STATES, pipeline.state)


def id_of(pipeline: Pipeline) -> str:
    """What a pipeline is asked for by; `BadAnswer` for what is no id."""
    if not ID.fullmatch(need(pipeline.id, "id")):
        raise BadAnswer(f"{clean(pipeline.id, 60)} is no id of a pipeline")
    return pipeline.id or ""


class Attempt(msgspec.Struct, frozen=True):
    """Which attempt a workflow is, and when the first one was made."""

    number: int = 1
    first_at: int | float | str | None = None


def attempts_of(workflows: Iterable[Workflow]) -> dict[str, Attempt]:
    """Of the workflows of one pipeline, the id of the last of each name, and which attempt it is."""
    runs: dict[tuple[str, str], dict[str, Workflow]] = {}
    for workflow in workflows:
        if workflow.id:
            runs.setdefault((workflow.name or "", workflow.tag or ""), {}).setdefault(workflow.id, workflow)
    return {
        max(same.values(), key=_began).id or "": Attempt(len(same), min(same.values(), key=_began).created_at)
        for same in runs.values()
    }


def _began(workflow: Workflow) -> tuple[float, int]:
    began = parse_time(workflow.created_at)
    return (began.timestamp() if began else 0.0, workflow.auto_rerun_number or 0)


def build_of(
    source: Source[Any],
    project: Project,
    pipeline: Pipeline,
    workflow: Workflow,
    attempt: Attempt,
    *,
    overtaken: bool = False,
) -> Build:
    """A workflow and its reruns: one build, of which this is the last attempt.

    One that is ``overtaken`` by a newer pipeline keeps its place when it is rerun: how older code does now says nothing
    of the newer.  One on hold has no failed job, and counts as well: many a workflow ends with an approval that nobody
    ever gives.
    """
    name = need(workflow.name, "name")
    state = meaning(WORKFLOW_STATES, workflow.status)
    ended_at = parse_time(workflow.stopped_at) if state in FINAL else None
    setup = (workflow.tag,) if workflow.tag else ()
    page = f"/{pipeline.number}/workflows/{need(workflow.id, 'id')}" if pipeline.number else ""
    return msgspec.structs.replace(
        _any_build(source, project, pipeline, name),
        key=source.key("build", remote_id("/".join((id_of(pipeline), name, *setup)))),
        state=state,
        verdict="success" if state == "blocked" else "",
        raw_state=workflow.status or "",
        reason=_reason(workflow),
        attempt=attempt.number,
        url=f"{project.pages}{page}" if page else "",
        started_at=(parse_time(attempt.first_at) if overtaken else None) or parse_time(workflow.created_at),
        updated_at=ended_at,
        ended_at=ended_at,
    )


def whole_build_of(source: Source[Any], project: Project, pipeline: Pipeline, usual: str) -> Build | None:
    """The build that stands for a pipeline itself: one that has failed before it had workflows, or nobody knows how.

    ``usual`` is the workflow that mostly runs on its branch: it goes by that name, since this is what did not run,
    and what says in the end that all is well again.  None for a pipeline that its workflows tell all of.
    """
    key, kind = id_of(pipeline), kind_of(pipeline)
    if kind in ("coming", "complete"):
        return None
    ended_at = (parse_time(pipeline.updated_at) or parse_time(pipeline.created_at)) if kind == "errored" else None
    faults = [": ".join(filter(None, (fault.type, fault.message))) for fault in pipeline.errors or ()]
    return msgspec.structs.replace(
        _any_build(source, project, pipeline, usual or NAMELESS),
        key=source.key("build", key),
        state="failed" if kind == "errored" else "unknown",
        raw_state=pipeline.state or "",
        reason="; ".join(faults),
        url=f"{project.pages}/{pipeline.number}" if pipeline.number else "",
        started_at=parse_time(pipeline.created_at),
        updated_at=ended_at,
        ended_at=ended_at,
    )


def _any_build(source: Source[Any], project: Project, pipeline: Pipeline, name: str) -> Build:
    """What a build of this pipeline has in common with the others."""
    vcs, gitlab, trigger = pipeline.vcs or Vcs(), pipeline.gitlab, pipeline.trigger or Trigger()
    ours, theirs = repository_of(vcs.target_repository_url), repository_of(vcs.origin_repository_url)
    fork = theirs if ours and theirs and ours.lower() != theirs.lower() else ""
    branch = pipeline.branch
    pull = _PULL.fullmatch(branch)
    # A push to a branch with an open pull request names it too. One from the default branch is still its build.
    reviewed = vcs.review_id and (fork or branch != project.default_branch)
    subject = (vcs.commit.subject if vcs.commit else None) or gitlab.commit_title or ""
    return Build(
        key="",
        source=source.name,
        title=subject or name,
        state="unknown",
        pipeline=name,
        run_number=pipeline.number,
        branch=branch,
        default_branch=project.default_branch,
        fork=fork,
        revision=vcs.revision or gitlab.checkout_sha or "",
        change=str(vcs.review_id) if reviewed else pull[1] if pull else "",
        repository=ours or project.repository or repository_of(gitlab.web_url),
        links={"pull request": vcs.review_url} if vcs.review_url else {},
        actor=(trigger.actor.login if trigger.actor else None) or gitlab.user_username or "",
        trigger=trigger.type or "",
    )


def _reason(workflow: Workflow) -> str:
    match (workflow.status or "").strip().lower():
        case "failing":
            return "a job has failed"
        case "on_hold":
            return "waits to be approved"
        case "unauthorized" | "error" as word:
            return word
        case _:
            return ""
