"""Argo CD's answers as data, and its words as ours.  Pure; `sources.argocd` does the reading.

`sources._argocd_items` makes items of them.

Words from argoproj/argo-cd: gitops-engine/pkg/health/health.go, gitops-engine/pkg/sync/common/types.go and
pkg/apis/application/v1alpha1/types.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from sources._shared.rows import need
from sources._shared.words import meaning
from statusboard.api import BadAnswer, IncidentState, ReleaseState, clean, parse_time

#: status.operationState.phase, as a release.
PHASES: Mapping[str, ReleaseState] = {
    "running": "running",
    "terminating": "running",
    "failed": "failed",
    "error": "failed",
    "succeeded": "success",
}
#: The same as an incident; None for what is none.  While an operation runs, what the one before it said holds.
SYNC_INCIDENTS: Mapping[str, IncidentState | Literal["none", "as before"]] = {
    "running": "as before",
    "terminating": "as before",
    "failed": "open",
    "error": "open",
    "succeeded": "none",
}
#: status.health.status as an incident.
HEALTH_INCIDENTS: Mapping[str, IncidentState | Literal["none"]] = {
    "healthy": "none",
    "progressing": "none",
    "suspended": "none",
    "degraded": "open",
    "missing": "open",
}
#: status.sync.status; Unknown is all that remains when the wanted state could not be worked out.
SYNC_KNOWN: Final = frozenset({"synced", "outofsync"})

#: What the list is asked for.  The server knows these names alone (pkg/apiclient/application/forwarder_overwrite.go):
#: the history, an operation's message and conditions are in the answer for a single application only.
FIELDS: Final = (
    "metadata.name",
    "metadata.namespace",
    "metadata.labels",
    "metadata.deletionTimestamp",
    "spec",
    "status.sync.status",
    "status.health",
    "status.summary",
    "status.operationState.phase",
    "status.operationState.startedAt",
    "status.operationState.finishedAt",
)
_TAG = re.compile(r"v?\d+\.\d+\.\d+[\w.+-]*", re.ASCII)


class Health(msgspec.Struct, frozen=True, rename="camel"):
    status: str | None = None
    message: str | None = None
    last_transition_time: Any = None


class Metadata(msgspec.Struct, frozen=True, rename="camel"):
    name: str | None = None
    namespace: str | None = None
    labels: dict[str, str | None] | None = None
    deletion_timestamp: Any = None


class AppSource(msgspec.Struct, frozen=True, rename="camel"):
    """One place that manifests come from; ``chart`` is set for a Helm repository, whose revision is a version."""

    repo_url: str | None = msgspec.field(default=None, name="repoURL")
    path: str | None = None
    chart: str | None = None
    target_revision: str | None = None


class Destination(msgspec.Struct, frozen=True):
    server: str | None = None
    name: str | None = None
    namespace: str | None = None


class Spec(msgspec.Struct, frozen=True):
    project: str | None = None
    source: AppSource | None = None
    sources: list[AppSource] | None = None
    destination: Destination | None = None


class Initiator(msgspec.Struct, frozen=True):
    username: str | None = None
    automated: bool | None = None


class SyncOperation(msgspec.Struct, frozen=True, rename="camel"):
    """``resources`` is set where only some were synced."""

    dry_run: bool | None = None
    resources: list[Any] | None = None
    revision: str | None = None
    revisions: list[str] | None = None


class Operation(msgspec.Struct, frozen=True, rename="camel"):
    sync: SyncOperation | None = None
    initiated_by: Initiator | None = None


class SyncResult(msgspec.Struct, frozen=True):
    revision: str | None = None
    revisions: list[str] | None = None
    source: AppSource | None = None
    sources: list[AppSource] | None = None


class OperationState(msgspec.Struct, frozen=True, rename="camel"):
    phase: str | None = None
    message: str | None = None
    started_at: Any = None
    finished_at: Any = None
    operation: Operation | None = None
    sync_result: SyncResult | None = None


class History(msgspec.Struct, frozen=True, rename="camel"):
    """One good sync of the whole application; ``deploy_started_at`` is the operation's ``started_at``."""

    revision: str | None = None
    revisions: list[str] | None = None
    source: AppSource | None = None
    sources: list[AppSource] | None = None
    deployed_at: Any = None
    deploy_started_at: Any = None
    initiated_by: Initiator | None = None


class Resource(msgspec.Struct, frozen=True):
    kind: str | None = None
    name: str | None = None
    health: Health | None = None


class Condition(msgspec.Struct, frozen=True):
    type: str | None = None
    message: str | None = None


class SyncStatus(msgspec.Struct, frozen=True):
    status: str | None = None


class Summary(msgspec.Struct, frozen=True):
    images: list[str] | None = None
    urls: list[str] | None = msgspec.field(default=None, name="externalURLs")


class Status(msgspec.Struct, frozen=True, rename="camel"):
    sync: SyncStatus | None = None
    health: Health | None = None
    summary: Summary | None = None
    operation_state: OperationState | None = None
    history: list[History] | None = None
    conditions: list[Condition] | None = None
    resources: list[Resource] | None = None


class Application(msgspec.Struct, frozen=True):
    metadata: Metadata = Metadata()
    spec: Spec = Spec()
    status: Status = Status()

    @property
    def name(self) -> str:
        return _kubernetes_name(need(self.metadata.name, "metadata.name"))

    @property
    def place(self) -> str:
        """What tells this application from all others of the server."""
        return "/".join(filter(None, (_kubernetes_name(self.metadata.namespace or ""), self.name)))

    @property
    def destination(self) -> str:
        """Cluster and namespace; the cluster that Argo CD itself runs in goes without saying."""
        to = self.spec.destination or Destination()
        cluster = to.name or (to.server or "").removeprefix("https://").removeprefix("http://")
        if cluster in ("in-cluster", "kubernetes.default.svc"):
            cluster = ""
        return "/".join(filter(None, (cluster, to.namespace)))

    @property
    def target(self) -> str:
        """Where it goes, and its own name if that says something else.

        Neighbours in one place may be of one service: a good sync of the one must not stand for a failed one of the
        other.
        """
        where = self.destination
        named = where.rpartition("/")[2] == self.name
        return where if named else "/".join(filter(None, (where, self.name)))

    @property
    def health(self) -> Health:
        return self.status.health or Health()

    @property
    def operation(self) -> OperationState:
        return self.status.operation_state or OperationState()

    @property
    def is_compared(self) -> bool:
        """Whether the wanted state is known; it is not where manifests could not be made."""
        return ((self.status.sync or SyncStatus()).status or "").lower() in SYNC_KNOWN

    @property
    def is_dry_run(self) -> bool:
        """Whether the last operation only pretended to deploy."""
        operation = self.operation.operation
        return bool(operation and operation.sync and operation.sync.dry_run)


class Deploy(msgspec.Struct, frozen=True, kw_only=True):
    """One sync of an application, from its operation, its history, or both."""

    app: Application
    started_at: Any
    ended_at: Any
    phase: str
    message: str = ""
    revisions: tuple[str, ...] = ()
    sources: tuple[AppSource, ...] = ()
    by: Initiator = Initiator()
    partial: int = 0
    newest: bool = False
    previous: str = ""

    @property
    def version(self) -> str:
        """A chart's version, else the tag that was asked for, else the revision."""
        for source, revision in zip(self.sources, self.revisions, strict=False):
            if source.chart:
                return revision
            if source.target_revision and _TAG.fullmatch(source.target_revision):
                return source.target_revision
        return next(iter(self.revisions), "")


def deploys_of(app: Application, limit: int) -> list[Deploy]:
    """At most ``limit`` syncs of the application, newest first: its operation, and what its history remembers.

    The history has good syncs of the whole application only.
    """
    history = app.status.history or []
    found = [_from_history(app, entry) for entry in reversed(history)]
    state = app.status.operation_state
    if state is not None and not app.is_dry_run:
        deploy = _from_operation(app, state)
        twin = next((known for known in found if _same(known.started_at, state.started_at)), None)
        if (
            twin is None
            and history
            and history[-1].deploy_started_at is None
            and meaning(PHASES, deploy.phase) == "success"
        ):
            twin = deploy = found[0]  # an old server, which does not say when the syncs of its history began
        if twin is not None:
            found.remove(twin)
            deploy = msgspec.structs.replace(
                deploy, revisions=twin.revisions or deploy.revisions, sources=twin.sources or deploy.sources
            )
        found.insert(0, deploy)
    versions = [*(deploy.version for deploy in found[1:]), ""]
    return [
        msgspec.structs.replace(deploy, newest=number == 0, previous=versions[number])
        for number, deploy in enumerate(found[:limit])
    ]


def _kubernetes_name(name: str) -> str:
    """The name, which goes into a URL; `BadAnswer` for what Kubernetes would not take."""
    if len(name) > 253 or "/" in name:
        raise BadAnswer(f"no name of Kubernetes: {clean(name, 40)}")
    return name


def _from_operation(app: Application, state: OperationState) -> Deploy:
    operation = state.operation or Operation()
    sync, result = operation.sync or SyncOperation(), state.sync_result or SyncResult()
    done = meaning(PHASES, state.phase) in ("success", "failed")
    return Deploy(
        app=app,
        started_at=state.started_at,
        ended_at=state.finished_at if done else None,
        phase=state.phase or "",
        message=state.message or "",
        revisions=_revisions(result.revision, result.revisions) or _revisions(sync.revision, sync.revisions),
        sources=_sources(result.source, result.sources) or _sources(app.spec.source, app.spec.sources),
        by=operation.initiated_by or Initiator(),
        partial=len(sync.resources or ()),
    )


def _from_history(app: Application, entry: History) -> Deploy:
    return Deploy(
        app=app,
        started_at=entry.deploy_started_at or entry.deployed_at,
        ended_at=entry.deployed_at,
        phase="Succeeded",
        revisions=_revisions(entry.revision, entry.revisions),
        sources=_sources(entry.source, entry.sources),
        by=entry.initiated_by or Initiator(),
    )


def _revisions(one: str | None, many: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(filter(None, many or (one or "",)))


def _sources(one: AppSource | None, many: Sequence[AppSource] | None) -> tuple[AppSource, ...]:
    return tuple(many or (one,) if one else many or ())


def _same(one: object, other: object) -> bool:
    moment = parse_time(one)
    return moment is not None and moment == parse_time(other)


def moment_id(value: object) -> str:
    """A moment as part of a key."""
    moment = parse_time(value)
    return str(value) if moment is None else moment.strftime("%Y%m%dT%H%M%SZ")
