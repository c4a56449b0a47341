"""Spinnaker's answers as data, and its words as ours.  Pure; `sources.spinnaker` does the reading.

Words from spinnaker/orca: orca-api, ExecutionStatus.java; how stages make a pipeline's status from orca-queue,
CompleteExecutionHandler.kt (a pipeline whose stage failed and was told to go on is SUCCEEDED all the same).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from sources._shared.rows import need, remote_id
from sources._shared.words import meaning
from statusboard.api import Release, ReleaseState, Source, parse_time

#: execution.status
STATES: Mapping[str, ReleaseState] = {
    "not_started": "queued",
    "buffered": "queued",
    "running": "running",
    "redirect": "running",
    "paused": "blocked",
    "suspended": "blocked",
    "succeeded": "success",
    "failed_continue": "warning",
    "terminal": "failed",
    "stopped": "failed",
    "canceled": "cancelled",
    "skipped": "cancelled",
}
#: stage.status of what went wrong, whatever the whole came to.
BAD_STAGES: Final = frozenset({"failed_continue", "terminal", "stopped"})
#: Stages that wait for a person while they run.
JUDGMENTS: Final = frozenset({"manualjudgment"})
FINISHED: Final = frozenset({"success", "warning", "failed", "cancelled"})
_IMAGES: Final = ("docker/image", "gce/image", "amazon/image", "helm/chart")


class Stage(msgspec.Struct, frozen=True, rename="camel"):
    """A stage; those that Spinnaker puts before, into and after others have a parent."""

    type: str | None = None
    name: str | None = None
    status: str | None = None
    parent_stage_id: str | None = None


class Artifact(msgspec.Struct, frozen=True):
    type: str | None = None
    name: str | None = None
    version: str | None = None
    reference: str | None = None


class Commit(msgspec.Struct, frozen=True):
    sha1: str | None = None


class BuildInfo(msgspec.Struct, frozen=True):
    scm: list[Commit] | None = None
    url: str | None = None


class Trigger(msgspec.Struct, frozen=True, rename="camel"):
    """What started an execution; ``tag`` is a Docker image's, ``hash``, ``project`` and ``slug`` are of a Git push."""

    type: str | None = None
    user: str | None = None
    dry_run: bool | None = None
    strategy: bool | None = None
    tag: str | None = None
    hash: str | None = None
    project: str | None = None
    slug: str | None = None
    parameters: dict[str, Any] | None = None
    artifacts: list[Artifact] | None = None
    build_info: BuildInfo | None = None


class Authentication(msgspec.Struct, frozen=True):
    user: str | None = None


class Execution(msgspec.Struct, frozen=True, rename="camel"):
    """A run of a pipeline."""

    id: str | None = None
    application: str | None = None
    name: str | None = None
    pipeline_config_id: str | None = None
    status: str | None = None
    build_time: Any = None
    start_time: Any = None
    end_time: Any = None
    canceled_by: str | None = None
    cancellation_reason: str | None = None
    trigger: Trigger | None = None
    authentication: Authentication | None = None
    stages: list[Stage] | None = None


class Cluster(msgspec.Struct, frozen=True, rename="camel"):
    """What a stage deploys to; the keys of ``availability_zones`` are regions."""

    account: str | None = None
    region: str | None = None
    availability_zones: dict[str, Any] | None = None


class StageConfig(msgspec.Struct, frozen=True, rename="camel"):
    type: str | None = None
    account: str | None = None
    region: str | None = None
    namespace_override: str | None = None
    clusters: list[Cluster] | None = None

    def places(self) -> Iterable[tuple[str, str]]:
        """Accounts and regions that this stage deploys to; what only a run works out is left out."""
        for cluster in self.clusters or ():
            for region in cluster.availability_zones or (cluster.region or "",):
                if cluster.account and "${" not in cluster.account + region:
                    yield cluster.account, region
        if (self.type or "").startswith("deploy") and self.account:
            region = self.region or self.namespace_override or ""
            if "${" not in self.account + region:
                yield self.account, region


class PipelineConfig(msgspec.Struct, frozen=True):
    id: str | None = None
    name: str | None = None
    stages: list[StageConfig] | None = None


class Place(msgspec.Struct, frozen=True):
    """Where a pipeline deploys to: its account, where that is only one, and accounts with regions."""

    pipeline: str
    account: str = ""
    regions: str = ""


def places_of(configs: Iterable[PipelineConfig]) -> dict[str, Place]:
    """Where each pipeline of an application deploys to, by its id."""
    found: dict[str, Place] = {}
    for config in configs:
        if config.id:
            places = sorted({place for stage in config.stages or () for place in stage.places()})
            accounts = {account for account, _ in places}
            regions = ["/".join(filter(None, place)) for place in places]
            more = f" and {len(regions) - 4} more" if len(regions) > 4 else ""
            found[config.id] = Place(
                pipeline=config.name or config.id,
                account=accounts.pop() if len(accounts) == 1 else "",
                regions=", ".join(regions[:4]) + more,
            )
    return found


def release_of(source: Source[Any], page: str, application: str, place: Place | None, row: Execution) -> Release | None:
    """An execution as a release; None for a trial run, and for a strategy, which is a part of another execution.

    Its target is the pipeline: a good run of one must not stand for a failed one of another, and where a pipeline
    deploys to may change, which must not leave its failures behind.

    ``page`` is where Spinnaker's own pages of the application are, or ``""``.
    """
    trigger = row.trigger or Trigger()
    if trigger.dry_run or trigger.strategy:
        return None
    number = need(row.id, "id")
    state, reason = _state(row)
    ended_at = parse_time(row.end_time) if state in FINISHED else None
    place = place or Place(pipeline=row.name or row.pipeline_config_id or "")
    version, image = _version(trigger)
    revision = trigger.hash or next((commit.sha1 for commit in _commits(trigger) if commit.sha1), "")
    user = trigger.user or (row.authentication or Authentication()).user or ""
    labels = {
        "application": application,
        "pipeline": row.name,
        "account": place.account,
        "regions": place.regions,
        "image": image,
    }
    build = trigger.build_info.url if trigger.build_info else None
    return Release(
        key=source.key("release", remote_id(f"{application}/{number}")),
        source=source.name,
        title=" ".join(filter(None, (f"{application}: {row.name or number}", version))),
        state=state,
        raw_state=row.status or "",
        reason=reason,
        environment=place.account,
        target=row.name or place.pipeline,
        version=version,
        revision=revision,
        repository="/".join(filter(None, (trigger.project, trigger.slug))) if trigger.slug else "",
        url=f"{page}/executions/details/{number}" if page else "",
        links={"build": build} if build else {},
        labels={name: value for name, value in labels.items() if value},
        actor="" if user.strip("[]") == "anonymous" else user,
        trigger=trigger.type or "",
        started_at=parse_time(row.start_time) or parse_time(row.build_time),
        updated_at=ended_at,
        ended_at=ended_at,
    )


def _state(row: Execution) -> tuple[ReleaseState, str]:
    """How an execution goes, and why."""
    state = meaning(STATES, row.status)
    stages = [stage for stage in row.stages or () if not stage.parent_stage_id]
    bad = [stage for stage in stages if (stage.status or "").lower() in BAD_STAGES]
    if state == "running":
        waiting = [
            stage.name or "manual judgment"
            for stage in stages
            if (stage.type or "").lower() in JUDGMENTS and (stage.status or "").lower() == "running"
        ]
        return ("blocked", ", ".join(waiting)) if waiting else ("running", "")
    if state == "cancelled":
        return state, ": ".join(filter(None, (row.canceled_by, row.cancellation_reason)))
    if state == "success" and bad:
        state = "warning"
    if state in ("warning", "failed") and bad:
        names = ", ".join(stage.name or stage.type or "?" for stage in bad[:3])
        return state, f"{len(bad)} of {len(stages)} stages: {names}"
    return state, ""


def _version(trigger: Trigger) -> tuple[str, str]:
    """The version that is deployed and the image that it is of, as far as the trigger tells."""
    parameters = trigger.parameters or {}
    for name in ("version", "tag", "release"):
        value = parameters.get(name)
        if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
            return str(value), ""
    for artifact in trigger.artifacts or ():
        if artifact.type in _IMAGES and artifact.version:
            return artifact.version, artifact.reference or artifact.name or ""
    return trigger.tag or "", ""


def _commits(trigger: Trigger) -> list[Commit]:
    return (trigger.build_info.scm or []) if trigger.build_info else []
