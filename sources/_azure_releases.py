"""Azure DevOps' deployments as data, and its words as ours: of classic releases, and of YAML pipelines.  Pure.

Words from MicrosoftDocs/vsts-rest-api-specs, specification/release/7.1/release.json and
specification/distributedTask/7.1/taskAgent.json.  Examples there send the same words capitalised.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from sources._azure_devops import Identity, Links, folder_of, labels, person, short_branch, web
from sources._shared.rows import need
from sources._shared.words import meaning
from statusboard.api import Release, ReleaseState, Source, parse_time

#: deployment.deploymentStatus where that settles it ...
DEPLOYED: Mapping[str, ReleaseState] = {
    "succeeded": "success",
    "partiallysucceeded": "warning",
    "failed": "failed",
}
#: ... and where deployment.operationStatus says more.
UNSETTLED: Final = frozenset({"undefined", "notdeployed", "inprogress"})
OPERATIONS: Mapping[str, ReleaseState] = {
    "undefined": "unknown",
    "queued": "queued",
    "scheduled": "queued",
    "deferred": "queued",
    "approved": "queued",
    "queuedforagent": "queued",
    "queuedforpipeline": "queued",
    "pending": "blocked",  # somebody is to approve
    "manualinterventionpending": "blocked",
    "evaluatinggates": "blocked",
    "phaseinprogress": "running",
    "phasesucceeded": "running",
    "phasepartiallysucceeded": "running",
    "cancelling": "running",
    "phasefailed": "failed",
    "gatefailed": "failed",
    "rejected": "cancelled",
    "canceled": "cancelled",
    "phasecanceled": "cancelled",
}
#: environmentDeploymentExecutionRecord.result; without one it is under way.
RECORD_RESULTS: Mapping[str, ReleaseState] = {
    "succeeded": "success",
    "succeededwithissues": "warning",
    "failed": "failed",
    "canceled": "cancelled",
    "skipped": "cancelled",
    "abandoned": "failed",  # the agent was lost
}
FINISHED: Final = frozenset({"success", "warning", "failed", "cancelled"})
#: The stage and the job of a YAML pipeline that names none.
_IMPLIED: Final = "__default"


class Reference(msgspec.Struct, frozen=True):
    id: int | str | None = None
    name: str | None = None
    path: str | None = None
    links: Links | None = msgspec.field(default=None, name="_links")


class Artifact(msgspec.Struct, frozen=True, rename="camel"):
    """Something that is deployed; ``definition_reference`` holds its version, repository and branch."""

    is_primary: bool | None = None
    definition_reference: dict[str, Reference | None] | None = None

    def of(self, what: str, field: str = "name") -> str:
        reference = (self.definition_reference or {}).get(what) or Reference()
        return str(getattr(reference, field) or "")


class ClassicRelease(msgspec.Struct, frozen=True):
    id: int | None = None
    name: str | None = None
    artifacts: list[Artifact] | None = None
    links: Links | None = msgspec.field(default=None, name="_links")


class Deployment(msgspec.Struct, frozen=True, rename="camel"):
    """One attempt to deploy a classic release to one of its stages."""

    id: int | None = None
    attempt: int | None = None
    reason: str | None = None
    deployment_status: str | None = None
    operation_status: str | None = None
    release: ClassicRelease | None = None
    release_definition: Reference | None = None
    release_environment: Reference | None = None
    requested_for: Identity | None = None
    requested_by: Identity | None = None
    queued_on: Any = None
    started_on: Any = None
    completed_on: Any = None


class Attempt(msgspec.Struct, frozen=True, rename="camel"):
    """The same as a release's own answer tells it."""

    deployment_id: int | None = None
    attempt: int | None = None
    reason: str | None = None
    status: str | None = None
    operation_status: str | None = None
    requested_for: Identity | None = None
    requested_by: Identity | None = None
    queued_on: Any = None
    last_modified_on: Any = None


class Stage(msgspec.Struct, frozen=True, rename="camel"):
    id: int | None = None
    name: str | None = None
    deploy_steps: list[Attempt] | None = None


class WholeRelease(msgspec.Struct, frozen=True, rename="camel"):
    id: int | None = None
    name: str | None = None
    artifacts: list[Artifact] | None = None
    environments: list[Stage] | None = None
    release_definition: Reference | None = None
    links: Links | None = msgspec.field(default=None, name="_links")

    def deployment(self, number: int) -> Deployment | None:
        """The deployment with this id."""
        for stage in self.environments or ():
            for step in stage.deploy_steps or ():
                if step.deployment_id == number:
                    return self._deployment(stage, step)
        return None

    def _deployment(self, stage: Stage, step: Attempt) -> Deployment:
        done = state_of(step.status, step.operation_status) in FINISHED
        return Deployment(
            id=step.deployment_id,
            attempt=step.attempt,
            reason=step.reason,
            deployment_status=step.status,
            operation_status=step.operation_status,
            release=ClassicRelease(id=self.id, name=self.name, artifacts=self.artifacts, links=self.links),
            release_definition=self.release_definition,
            release_environment=Reference(id=stage.id, name=stage.name),
            requested_for=step.requested_for,
            requested_by=step.requested_by,
            started_on=step.queued_on,
            completed_on=step.last_modified_on if done else None,
        )


class Record(msgspec.Struct, frozen=True, rename="camel"):
    """One job of a YAML pipeline that deployed to an environment; ``owner`` is the run."""

    id: int | None = None
    definition: Reference | None = None
    owner: Reference | None = None
    stage_name: str | None = None
    stage_attempt: int | None = None
    job_name: str | None = None
    job_attempt: int | None = None
    queue_time: Any = None
    start_time: Any = None
    finish_time: Any = None
    result: str | None = None


class Environment(msgspec.Struct, frozen=True):
    id: int | None = None
    name: str | None = None


class Ids(msgspec.Struct, frozen=True, rename="camel"):
    """workItemQueryResult"""

    work_items: list[Environment]  # only their ids count


def state_of(deployment_status: str | None, operation_status: str | None) -> ReleaseState:
    """What the two words of a deployment say together: notDeployed and phaseFailed is a failure."""
    status = (deployment_status or "").strip().lower()
    if status not in UNSETTLED:
        return meaning(DEPLOYED, status)
    state = meaning(OPERATIONS, operation_status)
    # One phase may fail or end while others go on.
    return "running" if status == "inprogress" and state not in ("blocked", "unknown") else state


def deployment_of(source: Source[Any], root: str, project: str, row: Deployment) -> Release:
    """A deployment of a classic release.

    The definition is the target: stages of several definitions may have one name, and each must go well.
    """
    release, stage = row.release or ClassicRelease(), row.release_environment or Reference()
    defined_by = row.release_definition or Reference()
    definition = defined_by.name or ""
    release_id = need(release.id, "release.id")
    state = state_of(row.deployment_status, row.operation_status)
    artifacts = release.artifacts or [Artifact()]
    primary = next((artifact for artifact in artifacts if artifact.is_primary), artifacts[0])
    ended_at = parse_time(row.completed_on) if state in FINISHED else None
    words = "/".join(filter(None, (row.deployment_status, row.operation_status)))
    number, name = need(row.id, "id"), release.name or ""
    return Release(
        key=source.key("release", f"{project}/deployment/{release_id}/{number}"),
        source=source.name,
        title=" to ".join(filter(None, (f"{definition} {name}".strip(), stage.name))),
        state=state,
        raw_state=words,
        reason="" if state in ("success", "running", "queued") else (row.operation_status or ""),
        environment=stage.name or "",
        target="/".join(filter(None, (folder_of(defined_by.path), definition))),
        version=name,
        revision=primary.of("sourceVersion", "id"),
        repository=_repository(primary, project),
        url=web(release.links) or f"{root}/_releaseProgress?releaseId={release_id}",
        labels=labels(
            application=definition,
            project=project,
            build=primary.of("version"),
            branch=short_branch(primary.of("branch")),
            attempt=str(row.attempt) if (row.attempt or 1) > 1 else "",
        ),
        actor=person(row.requested_for) or person(row.requested_by),
        trigger=row.reason or "",
        started_at=parse_time(row.started_on) or parse_time(row.queued_on),
        updated_at=ended_at,
        ended_at=ended_at,
    )


def _repository(artifact: Artifact, project: str) -> str:
    """``owner/name``, or ``project/name`` where the code lies in Azure Repos, as builds have it."""
    name = artifact.of("repository")
    return name if not name or "/" in name else f"{artifact.of('project') or project}/{name}"


def record_of(source: Source[Any], root: str, project: str, environment: Environment, row: Record) -> Release:
    """A job of a YAML pipeline that deployed to an environment.

    The pipeline, stage and job are the target: there may be several for one environment, and each must go well.
    """
    definition, run = row.definition or Reference(), row.owner or Reference()
    finish_time = parse_time(row.finish_time)
    if row.result:
        state: ReleaseState = meaning(RECORD_RESULTS, row.result)
    elif finish_time is not None:
        state = "unknown"
    else:
        state = "running" if parse_time(row.start_time) else "queued"
    ended_at = finish_time if state in FINISHED else None
    number = need(row.id, "id")
    return Release(
        key=source.key("release", f"{project}/environment/{need(environment.id, 'environmentId')}/{number}"),
        source=source.name,
        title=" to ".join(filter(None, (f"{definition.name or ''} {run.name or ''}".strip(), environment.name))),
        state=state,
        raw_state=row.result or "",
        environment=environment.name or "",
        target="/".join(word for word in (definition.name, row.stage_name, row.job_name) if word and word != _IMPLIED),
        version=run.name or "",
        url=web(run.links) or (f"{root}/_build/results?buildId={run.id}" if run.id else ""),
        labels=labels(
            application=definition.name,
            project=project,
            stage=row.stage_name,
            attempt=str(row.stage_attempt) if (row.stage_attempt or 1) > 1 else "",
        ),
        started_at=parse_time(row.start_time) or parse_time(row.queue_time),
        updated_at=ended_at,
        ended_at=ended_at,
    )
