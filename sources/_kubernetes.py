"""Kubernetes' objects as data, and what their conditions mean.  Pure; `sources.kubernetes` does the reading.

A controller's word counts only where it has seen the object as it is now: ``status.observedGeneration`` says so, but
Flux moves that on success only, and says in each condition which generation it is of.  A Deployment whose new pods
stand beside old ones is on its way even where its condition still praises the rollout before
(kubernetes/kubernetes#124264), so pods are counted as well.  Words from the API's own types: kubernetes/api apps/v1,
kubernetes pkg/controller/deployment/util, fluxcd/pkg apis/meta, kustomize-controller api/v1, helm-controller api/v2,
argoproj/argo-rollouts v1alpha1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from sources._shared.rows import need
from sources._shared.words import meaning
from statusboard.api import BadAnswer, IncidentState, ReleaseState, parse_time

Resource = Literal["deployments", "statefulsets", "daemonsets", "rollouts", "kustomizations", "helmreleases"]

#: The API group and version of each resource, and the one word for an object of it.
GROUPS: Final[Mapping[Resource, tuple[str, str]]] = {
    "deployments": ("apps/v1", "deployment"),
    "statefulsets": ("apps/v1", "statefulset"),
    "daemonsets": ("apps/v1", "daemonset"),
    "rollouts": ("argoproj.io/v1alpha1", "rollout"),
    "kustomizations": ("kustomize.toolkit.fluxcd.io/v1", "kustomization"),
    "helmreleases": ("helm.toolkit.fluxcd.io/v2", "helmrelease"),
}
#: Condition Progressing of a Deployment: its status and reason.
PROGRESSING: Final[Mapping[str, ReleaseState]] = {
    "true newreplicasetavailable": "success",
    "true newreplicasetcreated": "running",
    "true foundnewreplicaset": "running",
    "true replicasetupdated": "running",
    "unknown deploymentpaused": "blocked",
    "unknown deploymentresumed": "running",
    "false progressdeadlineexceeded": "failed",
    "false replicasetcreateerror": "failed",
}
#: Condition Ready of Flux's objects.  Of its reasons (any word), one is no failure of the object's own.
READY: Final[Mapping[str, ReleaseState]] = {"true": "success", "false": "failed", "unknown": "running"}
WAITING: Final = "dependencynotready"
#: status.phase of an Argo Rollout.
PHASES: Final[Mapping[str, ReleaseState]] = {
    "healthy": "success",
    "degraded": "failed",
    "progressing": "running",
    "paused": "blocked",
}
#: Helm's own states of one release in a HelmRelease's history (helm.sh/helm pkg/release/status.go).
HELM: Final[Mapping[str, ReleaseState]] = {
    "deployed": "success",
    "superseded": "inactive",
    "uninstalled": "inactive",
    "uninstalling": "running",
    "failed": "failed",
    "pending-install": "running",
    "pending-upgrade": "running",
    "pending-rollback": "running",
}
#: Condition Available.
AVAILABLE: Final[Mapping[str, IncidentState]] = {"true": "resolved", "false": "open", "unknown": "unknown"}

REVISIONS: Final = ("deployment.kubernetes.io/revision", "rollout.argoproj.io/revision")
HISTORY: Final = ("deployment.kubernetes.io/revision-history", "rollout.argoproj.io/revision-history")
_NO_DEADLINE: Final = 2_147_483_647
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Struct(msgspec.Struct, frozen=True, rename="camel"):
    """Fields in the API's spelling; what a server leaves out is not there, or zero."""


class Owner(Struct, frozen=True):
    uid: str | None = None


class Metadata(Struct, frozen=True):
    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    generation: int | None = None
    creation_timestamp: Any = None
    labels: dict[str, str | None] | None = None
    annotations: dict[str, str | None] | None = None
    owner_references: list[Owner] | None = None

    def annotation(self, *names: str) -> str:
        annotations = self.annotations or {}
        return next((text for name in names if (text := annotations.get(name))), "")


class Condition(Struct, frozen=True):
    type: str | None = None
    status: str | None = None
    reason: str | None = None
    message: str | None = None
    last_transition_time: Any = None
    last_update_time: Any = None
    observed_generation: int | None = None

    @property
    def words(self) -> str:
        return f"{self.status or ''} {self.reason or ''}".strip()


class Container(Struct, frozen=True):
    name: str | None = None
    image: str | None = None


class PodSpec(Struct, frozen=True):
    containers: list[Container] | None = None


class Template(Struct, frozen=True):
    metadata: Metadata | None = None
    spec: PodSpec | None = None


class RollingUpdate(Struct, frozen=True):
    partition: int | None = None


class UpdateStrategy(Struct, frozen=True):
    type: str | None = None
    rolling_update: RollingUpdate | None = None


class Spec(Struct, frozen=True):
    replicas: int | None = None
    paused: bool | None = None
    suspend: bool | None = None
    progress_deadline_seconds: int | None = None
    template: Template | None = None
    update_strategy: UpdateStrategy | None = None


class Snapshot(Struct, frozen=True):
    """One entry of a HelmRelease's or Kustomization's history, newest first."""

    version: int | None = None
    status: str | None = None
    chart_name: str | None = None
    chart_version: str | None = None
    app_version: str | None = None
    last_deployed: Any = None
    first_reconciled: Any = None
    metadata: dict[str, str | None] | None = None


class Status(Struct, frozen=True):
    observed_generation: int | str | None = None  # text in Argo Rollouts
    conditions: list[Condition] | None = None
    replicas: int | None = None
    updated_replicas: int | None = None
    ready_replicas: int | None = None
    available_replicas: int | None = None
    current_revision: str | None = None
    update_revision: str | None = None
    desired_number_scheduled: int | None = None
    updated_number_scheduled: int | None = None
    number_available: int | None = None
    phase: str | None = None
    message: str | None = None
    abort: bool | None = None
    aborted_at: Any = None
    last_applied_revision: str | None = None
    last_attempted_revision: str | None = None
    history: list[Snapshot] | None = None


class Object(Struct, frozen=True):
    """Whatever is listed; one shape for all resources."""

    metadata: Metadata | None = None
    spec: Spec | None = None
    status: Status | None = None

    @property
    def meta(self) -> Metadata:
        return need(self.metadata, "metadata")

    @property
    def name(self) -> str:
        return need(self.meta.name, "name")

    @property
    def namespace(self) -> str:
        return need(self.meta.namespace, "namespace")

    @property
    def told(self) -> Status:
        """What its controller says; empty for an object that no controller has seen yet."""
        if self.status is None and (self.meta.generation or 0) > 1:
            raise BadAnswer("no status")
        return self.status or Status()

    @property
    def wanted(self) -> int:
        """How many pods there should be."""
        return need(self.spec.replicas if self.spec else None, "replicas")

    @property
    def observed(self) -> bool:
        """Whether its controller has seen it as it is now."""
        generation = need(self.meta.generation, "generation")
        seen = self.told.observed_generation
        return str(seen).isdecimal() and int(str(seen)) >= generation

    def condition(self, type: str) -> Condition | None:
        return next((c for c in self.told.conditions or () if need(c.type, "condition type") == type), None)


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What an object's controller says of its newest rollout, before it is a `Release`.

    ``number`` tells it from the rollouts before it, where the vendor counts them and gives them times; while it is
    ``early``, the number may still be that of the rollout before.  ``again``: what was applied already is looked at
    once more, as Flux does at every interval.
    """

    state: ReleaseState
    raw_state: str
    reason: str = ""
    number: str = ""
    version: str = ""
    revision: str = ""
    previous_version: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    early: bool = False
    again: bool = False


def told_of(resource: Resource, thing: Object) -> Told:
    """The newest rollout of an object."""
    match resource:
        case "deployments":
            return _deployment(thing)
        case "rollouts":
            return _argo(thing)
        case "statefulsets":
            return _stateful(thing)
        case "daemonsets":
            return _daemon(thing)
        case "kustomizations":
            return _kustomization(thing)
        case "helmreleases":
            return _helm(thing)


def _deployment(thing: Object) -> Told:
    version, revision = version_of(thing)
    number = thing.meta.annotation(*REVISIONS)
    told = Told(state="running", raw_state="not observed yet", number=number, version=version, revision=revision)
    if not thing.observed:
        return msgspec.structs.replace(told, early=True)
    status, progress = thing.told, thing.condition("Progressing")
    updated = status.updated_replicas or 0
    old = (status.replicas or 0) > updated
    complete = not old and updated >= thing.wanted and (status.available_replicas or 0) >= thing.wanted
    if progress is None:
        deadline = thing.spec.progress_deadline_seconds if thing.spec else None
        if deadline not in (None, _NO_DEADLINE):
            return msgspec.structs.replace(told, raw_state="no condition", state="unknown")
        # Without a deadline the controller keeps no such condition.
        state: ReleaseState = "success" if complete else "running"
        return msgspec.structs.replace(told, state=state, raw_state=f"{updated} updated")
    state = meaning(PROGRESSING, progress.words)
    if state == "success" and old:
        state = "running"
    elif state == "blocked" and complete:  # paused after the rollout was over
        state = "success"
    ended = {"success": progress.last_update_time, "failed": progress.last_transition_time}.get(state)
    return msgspec.structs.replace(
        told,
        state=state,
        raw_state=f"Progressing={progress.words}",
        reason=(progress.message or progress.reason or "") if state in ("failed", "blocked", "unknown") else "",
        ended_at=parse_time(ended) if progress.reason != "DeploymentPaused" else None,
        early=state == "blocked" and not updated,  # paused before it began
    )


def _argo(thing: Object) -> Told:
    version, revision = version_of(thing)
    number = thing.meta.annotation(*REVISIONS)
    told = Told(state="running", raw_state="not observed yet", number=number, version=version, revision=revision)
    if not thing.observed:
        return msgspec.structs.replace(told, early=True)
    status = thing.told
    state = meaning(PHASES, status.phase)
    if state == "failed" and status.abort:
        state = "rolled_back"  # the pods of the version before serve on
    over = {"success": "Completed", "failed": "Progressing"}.get(state)
    done = thing.condition(over) if over else None
    return msgspec.structs.replace(
        told,
        state=state,
        raw_state=f"{status.phase or ''}{' (aborted)' if status.abort else ''}",
        reason=(status.message or "") if state not in ("success", "running") else "",
        ended_at=parse_time(done.last_transition_time if done else status.aborted_at),
    )


def _stateful(thing: Object) -> Told:
    """StatefulSets give no times, and never say that a rollout failed."""
    version, revision = version_of(thing)
    status = thing.told
    state: ReleaseState = "running"
    raw = f"{status.updated_replicas or 0} of {thing.wanted} updated"
    strategy = (thing.spec.update_strategy if thing.spec else None) or UpdateStrategy()
    kept = (strategy.rolling_update and strategy.rolling_update.partition) or 0
    if thing.observed:
        need(status.update_revision, "update revision")
        if status.update_revision == status.current_revision:
            whole = (status.replicas or 0) >= thing.wanted and (bool(status.ready_replicas) or not thing.wanted)
            state = "success" if whole else "running"
        elif strategy.type == "OnDelete":
            state = "blocked"
        elif kept and (status.updated_replicas or 0) >= thing.wanted - kept:
            state = "success"  # all that the partition lets through
    return Told(state=state, raw_state=raw, version=version, revision=revision)


def _daemon(thing: Object) -> Told:
    version, revision = version_of(thing)
    status = thing.told
    desired, updated = status.desired_number_scheduled, status.updated_number_scheduled or 0
    state: ReleaseState = "running"
    if thing.observed:
        if updated >= need(desired, "desiredNumberScheduled"):
            state = "success"
        elif thing.spec and thing.spec.update_strategy and thing.spec.update_strategy.type == "OnDelete":
            state = "blocked"
    return Told(state=state, raw_state=f"{updated} of {desired or 0} updated", version=version, revision=revision)


def _kustomization(thing: Object) -> Told:
    status = thing.told
    state, raw, reason = _ready(thing)
    version, revision = _flux_revision(status.last_attempted_revision or status.last_applied_revision or "")
    newest = next(iter(status.history or ()), None)
    same = newest is not None and (newest.metadata or {}).get("revision") == status.last_attempted_revision
    at = parse_time(newest.first_reconciled) if newest and same and state in ("success", "failed") else None
    again = _again(thing, state, status.last_applied_revision)
    return Told(state=state, raw_state=raw, reason=reason, version=version, revision=revision, ended_at=at, again=again)


def _helm(thing: Object) -> Told:
    status = thing.told
    state, raw, reason = _ready(thing)
    remedy = thing.condition("Remediated")
    if state != "running" and remedy is not None and remedy.words.lower() == "true rollbacksucceeded":
        state, raw, reason = "rolled_back", f"Remediated={remedy.words}", remedy.message or ""
    if state == "success":
        need(status.history, "history")
    newest, before = [*(status.history or ()), None, None][:2]
    attempted = status.last_attempted_revision or ""
    return Told(
        state=state,
        raw_state=raw,
        reason=reason,
        number=str(newest.version) if newest and newest.version else "",
        version=(newest.chart_version if newest else "") or attempted,
        previous_version=(before.chart_version or "") if before else "",
        started_at=parse_time(newest.last_deployed) if newest else None,
        again=_again(thing, state, newest.chart_version if newest else None),
    )


def _again(thing: Object, state: ReleaseState, applied: str | None) -> bool:
    return state == "running" and thing.observed and bool(applied) and thing.told.last_attempted_revision == applied


def _ready(thing: Object) -> tuple[ReleaseState, str, str]:
    """State, the vendor's word, and why, from the conditions that all of Flux' objects have."""
    ready, stalled = thing.condition("Ready"), thing.condition("Stalled")
    suspended = bool(thing.spec and thing.spec.suspend)
    stuck = stalled is not None and stalled.words.lower().startswith("true") and _of_now(thing, stalled)
    if ready is None or not (suspended or stuck or _of_now(thing, ready)):
        state: ReleaseState = "blocked" if suspended else "queued" if ready is None else "running"
        return state, "suspended" if suspended else "not observed yet", "suspended" if suspended else ""
    state = meaning(READY, ready.status)
    if state == "failed" and (ready.reason or "").lower() == WAITING:
        state = "blocked"
    if stuck and state != "unknown":
        state = "failed"
    elif suspended and state == "running":
        state = "blocked"  # nothing moves until somebody resumes it
    why = (ready.message or ready.reason or "") if state not in ("success", "running") else ""
    return state, f"Ready={ready.words}", ": ".join(filter(None, ("suspended" if suspended else "", why)))


def _of_now(thing: Object, condition: Condition) -> bool:
    """Whether a condition of Flux is about the object as it is now."""
    if condition.observed_generation is None:
        return thing.observed
    return condition.observed_generation >= need(thing.meta.generation, "generation")


def version_of(thing: Object) -> tuple[str, str]:
    """Version and revision: of the pods' recommended label, else the tag of their image.

    The object's own label comes last but for a digest: it is easily forgotten when the image is changed.
    """
    name, _, digest = image_of(thing).partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    revision = tag.removeprefix("sha-")
    template = thing.spec.template if thing.spec else None
    pods = template.metadata if template else None
    versions = (
        _label(pods, "app.kubernetes.io/version"),
        tag if tag != "latest" else "",
        _label(thing.metadata, "app.kubernetes.io/version"),
        digest.rpartition(":")[2][:12],
        tag,
    )
    return next(filter(None, versions), ""), revision if _COMMIT.fullmatch(revision) else ""


def image_of(thing: Object) -> str:
    """The image of the container that is named like the object, else of the first; ``""`` where none is described."""
    template = thing.spec.template if thing.spec else None
    containers = (template.spec.containers if template and template.spec else None) or []
    images = [c.image for c in sorted(containers, key=lambda c: c.name != thing.name) if c.image]
    return next(iter(images), "")


def _label(meta: Metadata | None, name: str) -> str:
    return ((meta.labels if meta else None) or {}).get(name) or ""


def _flux_revision(text: str) -> tuple[str, str]:
    """Version and revision of ``main@sha1:…``, ``v1.2.3@sha256:…`` or a bare digest, as Flux writes them."""
    name, _, digest = text.rpartition("@")
    commit = digest.rpartition(":")[2]
    revision = commit if _COMMIT.fullmatch(commit) else ""
    tagged = re.match(r"v?\d", name)
    return (name if tagged else revision[:12] or text), revision


def past_of(thing: Object) -> list[Told]:
    """What Helm released before the newest, as the history of a HelmRelease tells."""
    return [
        Told(
            state=meaning(HELM, old.status),
            raw_state=old.status or "",
            number=str(old.version),
            version=old.chart_version or "",
            started_at=parse_time(old.last_deployed),
        )
        for old in (thing.told.history or ())[1:]
        if old.version
    ]
