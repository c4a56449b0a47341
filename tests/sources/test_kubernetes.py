"""Kubernetes: rollouts, missing pods, Flux and Argo Rollouts, paging, RBAC, kubeconfigs."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import httpx
import msgspec
import pytest

from sources import _kubernetes_access
from sources._kubernetes_access import files_of, from_kubeconfig, in_cluster
from sources.kubernetes import PAGES, Kubernetes
from statusboard.client import SourceClient, mock
from statusboard.clock import FakeClock
from statusboard.errors import AuthError, BadAnswer, NotFound, Refused, TooLarge
from statusboard.model import Incident, Part, Release
from statusboard.source import Source, TLSData
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all

API = "https://kube.example:6443"
T1, T2, T3 = "2026-01-02T02:00:00Z", "2026-01-02T02:05:00Z", "2026-01-02T02:10:00Z"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def condition(type: str, status: str, reason: str = "", **more: Any) -> dict[str, Any]:
    times = {"lastTransitionTime": T2, "lastUpdateTime": T3}
    return {"type": type, "status": status, "reason": reason, "message": f"{reason}.", **times, **more}


def thing(name: str, spec: dict[str, Any], status: dict[str, Any] | None, **meta: Any) -> dict[str, Any]:
    metadata = {
        "name": name,
        "namespace": "shop",
        "uid": f"uid-{name}",
        "generation": 2,
        "creationTimestamp": T1,
        "labels": {"app.kubernetes.io/name": name},
        **meta,
    }
    return {"metadata": metadata, "spec": spec, **({"status": status} if status is not None else {})}


def pods(image: str) -> dict[str, Any]:
    return {"metadata": {"labels": {}}, "spec": {"containers": [{"name": "web", "image": image}, {"image": "side:1"}]}}


def deployment(
    name: str, progress: dict[str, Any] | None, available: str = "True", revision: str = "2", **more: Any
) -> dict[str, Any]:
    """A Deployment of two pods, both of them new and there."""
    conditions = [condition("Available", available, "MinimumReplicas"), *([progress] if progress else [])]
    counts = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2, **more.pop("counts", {})}
    spec = {"replicas": 2, "progressDeadlineSeconds": 600, "template": pods("r.example/shop/web:1.4.2"), **more}
    status = {"observedGeneration": 2, **counts, "conditions": conditions}
    return thing(name, spec, status, annotations={"deployment.kubernetes.io/revision": revision})


DONE = condition("Progressing", "True", "NewReplicaSetAvailable")
MOVING = condition("Progressing", "True", "ReplicaSetUpdated")
LATE = condition("Progressing", "False", "ProgressDeadlineExceeded")


def replicaset(owner: str, revision: str, **annotations: str) -> dict[str, Any]:
    owners = [{"uid": f"uid-{owner}", "kind": "Deployment", "controller": True}]
    notes = {"deployment.kubernetes.io/revision": revision, **annotations}
    meta = {"name": f"{owner}-{revision}", "namespace": "shop", "uid": f"rs-{owner}-{revision}"}
    return {"metadata": {**meta, "creationTimestamp": T1, "ownerReferences": owners, "annotations": notes}}


def stateful(**status: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "observedGeneration": 2,
        "replicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
        "updatedReplicas": 2,
    }
    same: dict[str, Any] = {"currentRevision": "db-1", "updateRevision": "db-1"}
    return thing("db", {"replicas": 2, "template": pods("postgres:16")}, {**whole, **same, **status})


def daemon(**status: Any) -> dict[str, Any]:
    whole = {"observedGeneration": 2, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 3}
    return thing("agent", {"template": pods("agent@sha256:" + "ab" * 32)}, {**whole, **status})


def rollout(phase: str, **status: Any) -> dict[str, Any]:
    conditions = [condition("Available", "True"), condition("Completed", "True"), condition("Progressing", "True")]
    notes = {"rollout.argoproj.io/revision": "5"}
    told = {"observedGeneration": "2", "phase": phase, "message": "canary failed", "conditions": conditions, **status}
    return thing("web", {"replicas": 1, "template": pods("web:2.0")}, told, annotations=notes)


def kustomization(ready: dict[str, Any] | None, revision: str = "main@sha1:" + "c" * 40, **more: Any) -> dict[str, Any]:
    status = {
        "observedGeneration": more.pop("observed", 2),
        "conditions": [ready] if ready else [],
        "lastAttemptedRevision": revision,
        "lastAppliedRevision": more.pop("applied", revision),
        "history": [{"digest": "x", "firstReconciled": T2, "lastReconciled": T3, "metadata": {"revision": revision}}],
        **more.pop("status", {}),
    }
    return thing("apps", {"path": "./apps", **more}, status)


def helmrelease(ready: dict[str, Any], *more: dict[str, Any], **status: Any) -> dict[str, Any]:
    history = [
        {"version": 4, "status": "deployed", "chartName": "web", "chartVersion": "2.1.0", "lastDeployed": T2},
        {"version": 3, "status": "superseded", "chartName": "web", "chartVersion": "2.0.0", "lastDeployed": T1},
    ]
    told = {"observedGeneration": 2, "conditions": [ready, *more], "lastAttemptedRevision": "2.1.0", "history": history}
    return thing("web", {"chart": {}}, {**told, **status})


READY = condition("Ready", "True", "ReconciliationSucceeded", observedGeneration=2)
UNREADY = condition("Ready", "False", "HealthCheckFailed", observedGeneration=2)
BUSY = condition("Ready", "Unknown", "Progressing", observedGeneration=2)

PATHS = {
    "apps/v1": ("deployments", "statefulsets", "daemonsets", "replicasets"),
    "argoproj.io/v1alpha1": ("rollouts",),
    "kustomize.toolkit.fluxcd.io/v1": ("kustomizations",),
    "helm.toolkit.fluxcd.io/v2": ("helmreleases",),
}


class Server:
    """The parts of an API server that the source asks for."""

    def __init__(self, *, extras: bool = True) -> None:
        self.objects: dict[str, list[dict[str, Any]]] = {
            "deployments": [
                deployment("checkout", DONE),
                deployment("till", LATE, "False", counts={"availableReplicas": 0, "replicas": 3}),
                deployment("search", MOVING, counts={"replicas": 3, "updatedReplicas": 1}),
            ],
            "statefulsets": [stateful(availableReplicas=1)],
            "daemonsets": [daemon(updatedNumberScheduled=1)],
            "replicasets": [replicaset("checkout", "2")],
            "rollouts": [rollout("Degraded")],
            "kustomizations": [kustomization(READY)],
            "helmreleases": [helmrelease(READY)],
        }
        self.namespaces = {"shop"}
        self.groups = set(PATHS) if extras else {"apps/v1"}
        self.page = 100
        self.expired = 0
        self.forbidden: set[str] = set()

    def __call__(self, call: Call) -> Answer:
        parts = call.path.strip("/").split("/")
        match parts:
            case ["apis", group, version] if f"{group}/{version}" in self.groups:
                names = [{"name": name, "kind": name} for name in PATHS[f"{group}/{version}"]]
                return Answer.of({"kind": "APIResourceList", "groupVersion": "x", "resources": names})
            case ["apis", group, version, *where, name] if f"{group}/{version}" in self.groups and name in self.objects:
                return self.list(name, where[1] if where else "", call)
            case ["api", "v1", "namespaces", name] if name in self.namespaces:
                return self.refuse("namespaces") or Answer.of({"kind": "Namespace", "metadata": {"name": name}})
        return self.status(404, "NotFound", "the server could not find the requested resource")

    def list(self, name: str, namespace: str, call: Call) -> Answer:
        if refused := self.refuse(name):
            return refused
        if self.expired and call.param("continue"):
            self.expired -= 1
            return self.status(410, "Expired", "The provided continue parameter is too old")
        found = [row for row in self.objects[name] if namespace in ("", row["metadata"]["namespace"])]
        if wanted := call.param("labelSelector"):
            label, _, value = wanted.partition("=")
            found = [row for row in found if row["metadata"]["labels"].get(label) == value]
        start = int(call.param("continue") or 0)
        end = start + min(self.page, int(call.param("limit")))
        more: dict[str, Any] = {"continue": str(end)} if end < len(found) else {}
        bare = "PartialObject" in call.headers.get("accept", "")
        kind = "PartialObjectMetadataList" if bare else f"{name[:-1].title()}List"
        metadata = {"resourceVersion": "7", **more}
        return Answer.of({"kind": kind, "metadata": metadata, "items": found[start:end]})

    def refuse(self, name: str) -> Answer | None:
        message = f'{name} is forbidden: User "system:serviceaccount:x:y" cannot list resource "{name}"'
        return self.status(403, "Forbidden", message) if name in self.forbidden else None

    def status(self, code: int, reason: str, message: str) -> Answer:
        body = {"kind": "Status", "status": "Failure", "message": message, "reason": reason, "code": code}
        return Answer.of(body, status=code)


class TestContract(SourceContract):
    source = Kubernetes
    options: ClassVar = {"url": API, "resources": ["deployments", "statefulsets", "daemonsets"]}
    state_fields = ("reason",)
    time_fields = ("lastTransitionTime", "lastUpdateTime", "creationTimestamp")
    id_fields = ("uid", "name", "namespace")

    def vendor(self, call: Call) -> Answer:
        return Server(extras=False)(call)


class TestContractOfExtras(SourceContract):
    source = Kubernetes
    options: ClassVar = {"url": API, "resources": ["rollouts", "kustomizations", "helmreleases"]}
    state_fields = ("phase",)
    time_fields = ("lastTransitionTime", "lastDeployed", "firstReconciled")
    id_fields = ("uid", "name", "namespace", "version")

    def vendor(self, call: Call) -> Answer:
        return Server()(call)


def kubernetes(clock: FakeClock | None = None, **options: Any) -> Source[Any]:
    return make_source(Kubernetes, {"url": API, **options}, clock)


async def parts_of(source: Source[Any], http: FakeHttp) -> dict[str, Part]:
    return {part.scope: part for part in (await read_all(source, http)).parts}


async def items_of(rows: list[dict[str, Any]], resource: str = "deployments", kind: str = "release") -> list[Any]:
    server = Server()
    server.objects[resource] = rows
    source = kubernetes(resources=[resource], kinds=[kind])
    part = (await parts_of(source, FakeHttp(server, API)))[f"{resource} {kind}"]
    if part.error:
        raise part.error
    return list(part.items)


async def release(row: dict[str, Any], resource: str = "deployments") -> Release:
    found: Release = (await items_of([row], resource))[0]
    return found


async def state_of(row: dict[str, Any], resource: str = "deployments") -> str:
    return (await release(row, resource)).state


# -- releases ----------------------------------------------------------------------------------------------------------


async def test_a_rollout_is_a_release() -> None:
    assert await release(deployment("checkout", DONE)) == Release(
        key="kubernetes:release:deployments/shop/checkout@2",
        source="kubernetes",
        title="checkout 1.4.2",
        description="r.example/shop/web:1.4.2",
        state="success",
        raw_state="Progressing=True NewReplicaSetAvailable",
        services=("checkout",),
        target="shop/checkout",
        version="1.4.2",
        labels={
            "app.kubernetes.io/name": "checkout",
            "namespace": "shop",
        },
        started_at=at(T1),
        updated_at=at(T3),
        ended_at=at(T3),
    )


@pytest.mark.parametrize(
    "status,reason,state",
    [
        ("True", "NewReplicaSetAvailable", "success"),
        ("true", "NEWREPLICASETAVAILABLE", "success"),
        ("True", "NewReplicaSetCreated", "running"),
        ("True", "FoundNewReplicaSet", "running"),
        ("True", "ReplicaSetUpdated", "running"),
        ("Unknown", "DeploymentPaused", "success"),  # all pods are of this rollout, and there
        ("Unknown", "DeploymentResumed", "running"),
        ("False", "ProgressDeadlineExceeded", "failed"),
        ("False", "ReplicaSetCreateError", "failed"),
        ("False", "NextYearsWord", "unknown"),
        ("True", "NextYearsWord", "unknown"),
        ("Maybe", "NewReplicaSetAvailable", "unknown"),
    ],
)
async def test_states_of_deployments(status: str, reason: str, state: str) -> None:
    assert await state_of(deployment("x", condition("Progressing", status, reason))) == state


async def test_a_condition_counts_only_for_the_generation_it_is_of() -> None:
    row = deployment("x", DONE)
    row["metadata"]["generation"] = 3
    assert (await release(row)).state == "running"
    del row["status"]["observedGeneration"]
    assert (await release(row)).state == "running"
    del row["status"]
    with pytest.raises(BadAnswer, match="no status"):
        await release(row)
    row["metadata"]["generation"] = 1  # born this moment
    assert (await release(row)).state == "running"


async def test_pods_of_the_version_before_belie_the_condition() -> None:
    assert await state_of(deployment("x", DONE, counts={"replicas": 3, "updatedReplicas": 2})) == "running"


async def test_a_paused_rollout_is_blocked() -> None:
    paused = condition("Progressing", "Unknown", "DeploymentPaused")
    row = deployment("x", paused, counts={"replicas": 3, "updatedReplicas": 1})
    assert (await release(row)).state == "blocked"


async def test_without_a_deadline_there_is_no_condition_and_pods_are_counted() -> None:
    whole = deployment("x", None, progressDeadlineSeconds=2_147_483_647)
    assert (await release(whole)).state == "success"
    assert (await release(whole)).ended_at is None
    for count in ({"updatedReplicas": 1}, {"availableReplicas": 1}, {"replicas": 3}):
        row = deployment("x", None, progressDeadlineSeconds=2_147_483_647, counts=count)
        assert (await release(row)).state == "running"
    assert await state_of(deployment("x", None)) == "unknown"


@pytest.mark.parametrize(
    "image,pods_label,own_label,version,revision",
    [
        ("r.example:5000/shop/web:1.4.2", "", "", "1.4.2", ""),
        ("r.example:5000/shop/web", "", "", "", ""),
        ("web:1.4.2@sha256:" + "ab" * 32, "", "", "1.4.2", ""),
        ("web@sha256:" + "ab" * 32, "", "", "abababababab", ""),
        ("web@sha256:" + "ab" * 32, "", "7.1", "7.1", ""),
        ("web:latest", "", "", "latest", ""),
        ("web:latest", "", "7.1", "7.1", ""),
        ("web:" + "a" * 40, "", "", "a" * 40, "a" * 40),
        ("web:sha-" + "a" * 40, "", "", "sha-" + "a" * 40, "a" * 40),
        ("web:1.4.2", "7.1", "", "7.1", ""),
        ("web:1.4.2", "", "7.1", "1.4.2", ""),  # `kubectl set image` leaves the label as it was
    ],
)
async def test_versions(image: str, pods_label: str, own_label: str, version: str, revision: str) -> None:
    row = deployment("x", DONE, template=pods(image))
    row["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/version"] = pods_label
    row["metadata"]["labels"]["app.kubernetes.io/version"] = own_label
    found = await release(row)
    assert (found.version, found.revision) == (version, revision)


async def test_why_a_deployment_was_changed_is_its_description() -> None:
    row = deployment("x", DONE)
    row["metadata"]["annotations"]["kubernetes.io/change-cause"] = "kubectl set image"
    assert (await release(row)).description == "kubectl set image"


async def test_the_container_named_like_the_workload_tells_its_version() -> None:
    row = deployment("side", DONE)
    row["spec"]["template"]["spec"]["containers"][1]["name"] = "side"
    assert (await release(row)).version == "1"


async def test_a_rollout_began_when_its_replicaset_was_born() -> None:
    server = Server()
    server.objects["deployments"] = [deployment("a", MOVING, revision="3"), deployment("b", MOVING)]
    server.objects["replicasets"] = [
        replicaset("a", "2"),
        replicaset("a", "3"),
        replicaset("b", "2", **{"deployment.kubernetes.io/revision-history": "1"}),  # rolled back to: it is older
    ]
    source, http = kubernetes(resources=["deployments"], kinds=["release"]), FakeHttp(server, API)
    for _ in range(2):
        part = (await parts_of(source, http))["deployments release"]
        assert [item.started_at for item in part.items] == [at(T1), None]
    asked = [call for call in http.calls if call.path.endswith("/replicasets")]
    assert [call.headers["accept"].partition(",")[0] for call in asked] == [
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    ]
    server.objects["deployments"][0]["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "4"
    await parts_of(source, http)
    assert len([call for call in http.calls if call.path.endswith("/replicasets")]) == 2


async def test_without_replicasets_rollouts_have_no_beginning() -> None:
    server = Server()
    server.forbidden = {"replicasets"}
    source, http = kubernetes(resources=["deployments"]), FakeHttp(server, API)
    for _ in range(2):
        part = (await parts_of(source, http))["deployments release"]
        assert part.error is None
        assert {item.started_at for item in part.items} == {None}
        assert part.notes == ("when rollouts began is not known: the replicasets cannot be listed",)
    assert len([call for call in http.calls if call.path.endswith("/replicasets")]) == 1
    server.forbidden = set()
    server.objects["deployments"].append(deployment("new", MOVING))
    assert (await parts_of(source, http))["deployments release"].notes == ()


async def test_what_was_rolled_out_before_stands_beside_the_newest() -> None:
    server = Server()
    source, http = kubernetes(resources=["deployments"], kinds=["release"]), FakeHttp(server, API)

    async def states(*rows: dict[str, Any]) -> dict[str, str]:
        server.objects["deployments"] = list(rows)
        part = (await parts_of(source, http))["deployments release"]
        return {item.key.rpartition("/")[2]: item.state for item in part.items}

    assert await states(deployment("x", LATE, revision="1")) == {"x@1": "failed"}
    # Not seen yet by the controller: this may already be what will be the second.
    unseen = deployment("x", LATE, revision="1")
    unseen["metadata"]["generation"] = 3
    assert await states(unseen) == {"x@1": "running"}
    assert await states(deployment("x", MOVING, revision="2")) == {"x@2": "running", "x@1": "failed"}
    assert await states(deployment("x", DONE, revision="3")) == {"x@3": "success", "x@2": "cancelled", "x@1": "failed"}
    assert await states(deployment("x", DONE, revision="4")) == {"x@4": "success", "x@3": "success", "x@2": "cancelled"}
    assert await states() == {}
    paused = condition("Progressing", "Unknown", "DeploymentPaused")
    assert await states(deployment("y", DONE, revision="1")) == {"y@1": "success"}
    assert await states(deployment("y", paused, revision="1", counts={"updatedReplicas": 0})) == {"y@1": "blocked"}
    assert await states(deployment("y", MOVING, revision="2")) == {"y@2": "running", "y@1": "success"}
    newborn = deployment("x", None, revision="")
    newborn["status"] = {}
    assert await states(newborn) == {"x": "running"}
    assert await states(deployment("x", DONE, revision="1")) == {"x@1": "success"}


# -- other workloads ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status,spec,state",
    [
        ({}, {}, "success"),
        ({"observedGeneration": 1}, {}, "running"),
        ({"updateRevision": "db-2", "updatedReplicas": 1}, {}, "running"),
        ({"updateRevision": "db-2"}, {"updateStrategy": {"type": "OnDelete"}}, "blocked"),
        (
            {"updateRevision": "db-2", "updatedReplicas": 1},
            {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}},
            "success",
        ),
        ({"replicas": 1, "readyReplicas": 1}, {}, "running"),  # they start one after the other
        ({"readyReplicas": 0}, {}, "running"),
        ({"replicas": 0, "readyReplicas": 0}, {"replicas": 0}, "success"),
    ],
)
async def test_states_of_statefulsets(status: dict[str, Any], spec: dict[str, Any], state: str) -> None:
    row = stateful(**status)
    row["spec"].update(spec)
    found = await release(row, "statefulsets")
    assert (found.key, found.state) == ("kubernetes:release:statefulsets/shop/db", state)


@pytest.mark.parametrize(
    "status,strategy,state",
    [
        ({}, "RollingUpdate", "success"),
        ({"observedGeneration": 1}, "RollingUpdate", "running"),
        ({"updatedNumberScheduled": 2}, "RollingUpdate", "running"),
        ({"updatedNumberScheduled": 2}, "OnDelete", "blocked"),
        ({"desiredNumberScheduled": 0, "updatedNumberScheduled": 0}, "RollingUpdate", "success"),
    ],
)
async def test_states_of_daemonsets(status: dict[str, Any], strategy: str, state: str) -> None:
    row = daemon(**status)
    row["spec"]["updateStrategy"] = {"type": strategy}
    found = await release(row, "daemonsets")
    assert (found.state, found.version, found.target) == (state, "abababababab", "shop/daemonset/agent")


@pytest.mark.parametrize(
    "phase,status,state,ended",
    [
        ("Healthy", {}, "success", T2),
        ("healthy", {}, "success", T2),
        ("Degraded", {}, "failed", T2),
        ("Degraded", {"abort": True, "abortedAt": T3}, "rolled_back", T3),
        ("Progressing", {}, "running", None),
        ("Paused", {}, "blocked", None),
        ("NextYearsWord", {}, "unknown", None),
        ("", {}, "unknown", None),
        ("Healthy", {"observedGeneration": "1"}, "running", None),
        ("Healthy", {"observedGeneration": "5d8f7c"}, "running", None),
    ],
)
async def test_states_of_argo_rollouts(phase: str, status: dict[str, Any], state: str, ended: str | None) -> None:
    found = await release(rollout(phase, **status), "rollouts")
    assert (found.key, found.state) == ("kubernetes:release:rollouts/shop/web@5", state)
    assert found.ended_at == (at(ended) if ended else None)


# -- Flux --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ready,more,state,reason",
    [
        (READY, {}, "success", ""),
        (UNREADY, {}, "failed", "HealthCheckFailed."),
        (BUSY, {"applied": "main@sha1:" + "b" * 40}, "running", ""),
        (condition("Ready", "False", "DependencyNotReady", observedGeneration=2), {}, "blocked", "DependencyNotReady."),
        (condition("Ready", "Maybe", observedGeneration=2), {}, "unknown", "."),
        (condition("Ready", "TRUE", observedGeneration=2), {}, "success", ""),
        (None, {}, "queued", ""),
        # status.observedGeneration stays behind while an object fails; its condition does not.
        (UNREADY, {"observed": 1}, "failed", "HealthCheckFailed."),
        (READY, {"observed": -1}, "success", ""),
        (condition("Ready", "True", observedGeneration=1), {}, "running", ""),
        (condition("Ready", "True"), {}, "success", ""),
        (condition("Ready", "True"), {"observed": 1}, "running", ""),
        (READY, {"suspend": True}, "success", "suspended"),
        (UNREADY, {"suspend": True}, "failed", "suspended: HealthCheckFailed."),
        (BUSY, {"suspend": True}, "blocked", "suspended: Progressing."),
        (None, {"suspend": True}, "blocked", "suspended"),
    ],
)
async def test_states_of_kustomizations(
    ready: dict[str, Any] | None, more: dict[str, Any], state: str, reason: str
) -> None:
    found = await release(kustomization(ready, **more), "kustomizations")
    assert (found.state, found.reason) == (state, reason)
    assert found.ended_at == (at(T2) if state in ("success", "failed") else None)


async def test_the_time_of_another_revision_is_none_of_this() -> None:
    row = kustomization(READY)
    row["status"]["history"][0]["metadata"]["revision"] = "main@sha1:" + "9" * 40
    assert (await release(row, "kustomizations")).ended_at is None


async def test_a_stalled_object_has_failed() -> None:
    stalled = condition("Stalled", "True", "RetriesExceeded", observedGeneration=2)
    row = helmrelease(condition("Ready", "False", "UpgradeFailed", observedGeneration=1), stalled, observedGeneration=1)
    assert (await release(row, "helmreleases")).state == "failed"


@pytest.mark.parametrize(
    "revision,version,commit",
    [
        ("main@sha1:" + "c" * 40, "c" * 12, "c" * 40),
        ("v1.2.3@sha1:" + "c" * 40, "v1.2.3", "c" * 40),
        ("sha256:" + "d" * 64, "d" * 12, "d" * 64),
        ("6.1.0@sha256:" + "d" * 64, "6.1.0", "d" * 64),
        ("odd", "odd", ""),
        ("", "", ""),
    ],
)
async def test_revisions_of_flux(revision: str, version: str, commit: str) -> None:
    found = await release(kustomization(READY, revision), "kustomizations")
    assert (found.version, found.revision) == (version, commit)


async def test_what_is_applied_is_not_on_its_way_whenever_flux_looks_at_it_again() -> None:
    server = Server()
    source, http = kubernetes(resources=["kustomizations"]), FakeHttp(server, API)

    async def state(row: dict[str, Any]) -> str:
        server.objects["kustomizations"] = [row]
        return str((await parts_of(source, http))["kustomizations release"].items[0].state)

    assert await state(kustomization(READY)) == "success"
    assert await state(kustomization(BUSY)) == "success"
    assert await state(kustomization(BUSY, "main@sha1:" + "e" * 40, applied="main@sha1:" + "c" * 40)) == "running"
    assert await state(kustomization(UNREADY)) == "failed"
    assert await state(kustomization(BUSY)) == "running"


async def test_releases_of_helm() -> None:
    newest, before = await items_of([helmrelease(READY)], "helmreleases")
    assert newest == Release(
        key="kubernetes:release:helmreleases/shop/web@4",
        source="kubernetes",
        title="web 2.1.0",
        state="success",
        raw_state="Ready=True ReconciliationSucceeded",
        services=("web",),
        target="shop/helmrelease/web",
        version="2.1.0",
        previous_version="2.0.0",
        labels={"app.kubernetes.io/name": "web", "namespace": "shop"},
        started_at=at(T2),
    )
    assert (before.key, before.state) == ("kubernetes:release:helmreleases/shop/web@3", "inactive")
    remedy = condition("Remediated", "True", "RollbackSucceeded", observedGeneration=2)
    rolled_back = await release(helmrelease(UNREADY, remedy), "helmreleases")
    assert (rolled_back.state, rolled_back.reason) == ("rolled_back", "RollbackSucceeded.")
    never = await release(helmrelease(UNREADY, history=[]), "helmreleases")
    assert (never.key, never.version) == ("kubernetes:release:helmreleases/shop/web", "2.1.0")


@pytest.mark.parametrize(
    "word,state",
    [
        ("deployed", "success"),
        ("Superseded", "inactive"),
        ("uninstalled", "inactive"),
        ("uninstalling", "running"),
        ("failed", "failed"),
        ("pending-install", "running"),
        ("pending-upgrade", "running"),
        ("pending-rollback", "running"),
        ("unknown", "unknown"),
        ("next-years-word", "unknown"),
    ],
)
async def test_states_of_helms_history(word: str, state: str) -> None:
    history = [{"version": 2, "status": "deployed"}, {"version": 1, "status": word}]
    _, before = await items_of([helmrelease(READY, history=history)], "helmreleases")
    assert before.state == state


# -- incidents ---------------------------------------------------------------------------------------------------------


async def test_a_deployment_without_enough_pods_is_an_incident() -> None:
    assert await items_of(
        [deployment("checkout", DONE), deployment("till", LATE, "False", counts={"availableReplicas": 0})],
        kind="incident",
    ) == [
        Incident(
            key="kubernetes:incident:deployments/shop/till/available",
            source="kubernetes",
            title="till: no pod is available",
            description="MinimumReplicas.",
            state="open",
            raw_state="Available=False MinimumReplicas",
            severity="high",
            services=("till",),
            target="shop/till",
            labels={"app.kubernetes.io/name": "till", "namespace": "shop"},
            started_at=at(T2),
            updated_at=at(T2),
        )
    ]
    (some,) = await items_of([deployment("x", DONE, "FALSE", counts={"availableReplicas": 1})], kind="incident")
    assert (some.state, some.severity, some.title) == ("open", "medium", "x: not enough pods are available")
    for word in ("Unknown", "Maybe"):
        (unknown,) = await items_of([deployment("x", DONE, word)], kind="incident")
        assert unknown.state == "unknown"


async def test_what_was_unavailable_stays_so_until_the_controller_says_otherwise() -> None:
    row = deployment("x", DONE, "False")
    row["metadata"]["generation"] = 3
    (found,) = await items_of([row], kind="incident")
    assert found.state == "open"
    del row["status"]["conditions"]
    assert await items_of([row], kind="incident") == []
    row["status"]["observedGeneration"] = 3
    with pytest.raises(BadAnswer, match="no condition Available"):
        await items_of([row], kind="incident")


async def test_a_deployment_that_has_just_begun_is_no_incident_yet() -> None:
    def born(progress: dict[str, Any], revision: str = "1", since: str = T1) -> dict[str, Any]:
        row = deployment("x", progress, revision=revision, counts={"availableReplicas": 0})
        row["status"]["conditions"][0] = condition("Available", "False", lastTransitionTime=since)
        return row

    for row, state in (
        (born(MOVING), "pending"),
        (born(LATE), "open"),
        (born(MOVING, "2"), "open"),
        (born(MOVING, since=T3), "open"),  # its pods were there before
    ):
        (found,) = await items_of([row], kind="incident")
        assert found.state == state


async def test_pods_that_cannot_be_created_are_an_incident() -> None:
    row = deployment("x", MOVING)
    row["status"]["conditions"].append(condition("ReplicaFailure", "True", "FailedCreate", message="exceeded quota"))
    (found,) = await items_of([row], kind="incident")
    assert (found.key.rpartition("/")[2], found.state, found.severity) == ("replicafailure", "open", "medium")
    assert (found.title, found.description) == ("x: pods cannot be created", "exceeded quota")
    row["status"]["conditions"][-1]["status"] = "False"
    assert await items_of([row], kind="incident") == []


@pytest.mark.parametrize(
    "status,severity",
    [
        ({}, None),
        ({"availableReplicas": 1}, "medium"),
        ({"availableReplicas": 0}, "high"),
        ({"availableReplicas": 1, "updateRevision": "db-2"}, None),  # one after the other
        ({"availableReplicas": 0, "updateRevision": "db-2"}, "high"),
        ({"availableReplicas": 0, "observedGeneration": 1}, "high"),
        ({"availableReplicas": 1, "observedGeneration": 1}, None),  # there are to be more or less of them
    ],
)
async def test_incidents_of_statefulsets(status: dict[str, Any], severity: str | None) -> None:
    found = await items_of([stateful(**status)], "statefulsets", "incident")
    assert [item.severity for item in found] == ([severity] if severity else [])
    assert all(item.started_at is None for item in found)


async def test_what_was_born_this_moment_lacks_nothing() -> None:
    row = stateful(availableReplicas=0)
    del row["status"]["observedGeneration"]
    with pytest.raises(BadAnswer, match="no observedGeneration"):
        await items_of([row], "statefulsets", "incident")
    row["metadata"]["generation"] = 1
    assert await items_of([row], "statefulsets", "incident") == []


@pytest.mark.parametrize("status,count", [({}, 0), ({"numberAvailable": 2}, 0), ({"numberAvailable": 0}, 1)])
async def test_incidents_of_daemonsets(status: dict[str, Any], count: int) -> None:
    assert len(await items_of([daemon(**status)], "daemonsets", "incident")) == count


async def test_an_argo_rollout_without_pods_is_an_incident() -> None:
    row = rollout("Degraded", conditions=[condition("Available", "False", "AvailableReason")])
    (found,) = await items_of([row], "rollouts", "incident")
    assert (found.state, found.target) == ("open", "shop/rollout/web")


# -- what is read ------------------------------------------------------------------------------------------------------


async def test_one_part_a_resource_namespace_and_kind() -> None:
    parts = await parts_of(kubernetes(), FakeHttp(Server(), API))
    assert sorted(parts) == [
        "daemonsets incident", "daemonsets release", "deployments incident", "deployments release",
        "helmreleases release", "kustomizations release", "rollouts incident", "rollouts release",
        "statefulsets incident", "statefulsets release",
    ]  # fmt: skip
    assert {part.reach for part in parts.values()} == {"complete"}
    http = FakeHttp(Server(extras=False), API)
    parts = await parts_of(kubernetes(namespaces=["shop", "shop"], kinds=["release"]), http)
    assert sorted(parts) == ["shop/daemonsets release", "shop/deployments release", "shop/statefulsets release"]
    assert {call.path for call in http.calls if "deployments" in call.path} == {
        "/apis/apps/v1/namespaces/shop/deployments"
    }


async def test_both_kinds_are_in_one_list() -> None:
    http = FakeHttp(Server(extras=False), API)
    source = kubernetes()
    await parts_of(source, http)
    http.calls.clear()
    await parts_of(source, http)
    assert sorted(call.path for call in http.calls) == [
        "/apis/apps/v1/daemonsets", "/apis/apps/v1/deployments", "/apis/apps/v1/statefulsets",
    ]  # fmt: skip
    assert isinstance(source, Kubernetes) and not source._lists, "nobody needs them until the next poll"


async def test_flux_and_argo_are_looked_for_now_and_then() -> None:
    clock, server = FakeClock(), Server(extras=False)
    source, http = kubernetes(clock), FakeHttp(server, API)
    assert "rollouts release" not in await parts_of(source, http)
    server.groups = set(PATHS)
    assert "rollouts release" not in await parts_of(source, http)
    clock.advance(601)
    assert "rollouts release" in await parts_of(source, http)


@pytest.mark.parametrize("body", [{"kind": "Status"}, {"resources": []}, [], {"kind": "List", "items": []}])
async def test_what_is_no_api_server_is_named_as_such(body: Any) -> None:
    with pytest.raises(BadAnswer):
        await parts_of(kubernetes(), FakeHttp(lambda call: Answer.of(body), API))
    parts = await parts_of(kubernetes(resources=["deployments"]), FakeHttp(lambda call: Answer.of(body), API))
    assert all(part.error for part in parts.values())


async def test_a_resource_that_is_named_must_be_there() -> None:
    part = (await parts_of(kubernetes(resources=["rollouts"]), FakeHttp(Server(extras=False), API)))["rollouts release"]
    assert isinstance(part.error, NotFound)


async def test_pages() -> None:
    server = Server()
    server.page = 1
    part = (await parts_of(kubernetes(), FakeHttp(server, API)))["deployments release"]
    assert len(part.items) == 3
    server.objects["deployments"] = [deployment(f"d{n}", DONE) for n in range(PAGES + 1)]
    part = (await parts_of(kubernetes(), FakeHttp(server, API)))["deployments release"]
    assert isinstance(part.error, TooLarge)
    assert "name `namespaces` or a `selector`" in str(part.error)


async def test_a_list_that_expires_while_it_is_read_is_begun_again() -> None:
    server = Server()
    server.page, server.expired = 1, 2
    source = kubernetes(resources=["deployments"], kinds=["release"])
    part = (await parts_of(source, FakeHttp(server, API)))["deployments release"]
    assert (part.error, len(part.items)) == (None, 3)
    server.expired = 3
    part = (await parts_of(source, FakeHttp(server, API)))["deployments release"]
    assert isinstance(part.error, BadAnswer)


async def test_a_namespace_that_is_not_there_is_not_merely_empty() -> None:
    server = Server(extras=False)
    server.objects["daemonsets"] = []
    http = FakeHttp(server, API)
    parts = await parts_of(kubernetes(namespaces=["shop", "shpo"]), http)
    assert {name for name, part in parts.items() if part.error} == {
        f"shpo/{name} {kind}"
        for name in ("deployments", "statefulsets", "daemonsets")
        for kind in ("release", "incident")
    }
    assert "there is no namespace shpo" in str(parts["shpo/deployments release"].error)
    server.forbidden = {"namespaces"}
    parts = await parts_of(kubernetes(namespaces=["shop"]), http)
    assert parts["shop/daemonsets release"].error is None
    assert parts["shop/daemonsets release"].notes == (
        "whether the namespace shop exists, this credential may not know",
    )


async def test_a_selector_narrows_and_says_so_when_it_finds_nothing() -> None:
    http = FakeHttp(Server(extras=False), API)
    parts = await parts_of(kubernetes(selector="app.kubernetes.io/name=till"), http)
    assert [item.title for item in parts["deployments release"].items] == ["till 1.4.2"]
    assert parts["daemonsets release"].notes == ("daemonsets: none has the labels that `selector` asks for",)


async def test_environments_links_and_clusters() -> None:
    server = Server()
    server.objects["deployments"] = [deployment("a b", DONE), deployment("x", DONE)]
    server.objects["deployments"][1]["metadata"]["namespace"] = "shop-dev"
    del server.objects["deployments"][1]["metadata"]["labels"]
    source = kubernetes(
        environments={"*-dev": "development", "shop": "production"},
        cluster="eu-1",
        link="https://x.example/{namespace}/{resource}?n={name}",
    )
    first, second = (await parts_of(source, FakeHttp(server, API)))["deployments release"].items
    assert (first.environment, second.environment) == ("production", "development")
    assert first.url == "https://x.example/shop/deployments?n=a%20b"
    assert (second.target, second.services, second.labels["namespace"]) == ("eu-1/shop-dev/x", ("x",), "shop-dev")


@pytest.mark.parametrize(
    "options,says",
    [
        ({"context": "a"}, "two ways"),
        ({"url": "", "kubeconfig": "/x"}, "`kubeconfig` needs a `context`"),
        ({"url": "", "context": "a", "tls": {"ca": "/x"}}, "`tls` goes with `url`"),
        ({"namespaces": ["Shop"]}, "no name of a namespace"),
        ({"namespaces": ["../x"]}, "no name of a namespace"),
        ({"resources": ["pods"]}, "resources"),
    ],
)
def test_options_are_checked(options: dict[str, Any], says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        kubernetes(**options)


# -- access ------------------------------------------------------------------------------------------------------------


def client_of(source: Source[Any], vendor: Callable[[Call], Answer], seen: list[httpx.Request]) -> SourceClient:
    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer = vendor(Call(method=request.method, url=str(request.url), headers=headers))
        return httpx.Response(answer.status, content=answer.body, headers=answer.headers)

    return mock(source, handle, environ={"TOKEN": "own-token-0123"})


async def test_errors_say_which_verb_is_missing() -> None:
    server = Server()
    seen: list[httpx.Request] = []
    server.forbidden = {"deployments"}
    source = kubernetes(token="env:TOKEN")
    parts = {part.scope: part for part in (await source.poll(client_of(source, server, seen).factory)).parts}
    error = parts["deployments release"].error
    assert isinstance(error, AuthError)
    assert 'cannot list resource "deployments"; its role needs that verb' in str(error)
    assert parts["statefulsets release"].error is None
    assert {request.headers["authorization"] for request in seen} == {"Bearer own-token-0123"}
    source = kubernetes()
    with pytest.raises(AuthError, match="missing, wrong or expired"):
        await source.poll(client_of(source, lambda call: Answer(status=401), seen).factory)


def kubeconfig(folder: Path, user: dict[str, Any], cluster: dict[str, Any] | None = None) -> Path:
    file = folder / "config"
    file.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "other",
                "contexts": [
                    {"name": "other", "context": {"cluster": "none", "user": "none"}},
                    {"name": "prod", "context": {"cluster": "c", "user": "u", "namespace": "shop"}},
                ],
                "clusters": [{"name": "c", "cluster": {"server": API, **(cluster or {})}}],
                "users": [{"name": "u", "user": user}],
            }
        )
    )
    return file


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_context_says_where_and_as_whom(tmp_path: Path) -> None:
    user = {"client-certificate-data": b64("CERT"), "client-key-data": b64("KEY"), "token": "t"}
    access = from_kubeconfig((kubeconfig(tmp_path, user, {"certificate-authority-data": b64("CA")}),), "prod")
    assert (access.server, access.token, access.tls) == (API, "t", TLSData(ca="CA", cert="CERT", key="KEY"))
    assert "CERT" not in repr(access) + str(access)
    (tmp_path / "ca.crt").write_text("CA FILE")
    (tmp_path / "me.crt").write_text("CERT FILE")
    (tmp_path / "me.key").write_text("KEY FILE")
    user = {"client-certificate": "me.crt", "client-key": str(tmp_path / "me.key"), "tokenFile": "token", "token": "t"}
    access = from_kubeconfig((kubeconfig(tmp_path, user, {"certificate-authority": "ca.crt"}),), "prod")
    assert access.tls == TLSData(ca="CA FILE", cert="CERT FILE", key="KEY FILE")
    assert (access.token, access.token_file) == ("", str(tmp_path / "token"))
    user, cluster = {"username": "a", "password": "b"}, {"insecure-skip-tls-verify": True}
    relaxed = from_kubeconfig((kubeconfig(tmp_path, user, cluster),), "prod")
    assert (relaxed.tls.verify, relaxed.username, relaxed.password) == (False, "a", "b")


@pytest.mark.parametrize(
    "user,cluster,says",
    [
        ({"exec": {"command": "aws"}}, {}, "runs a command to get its credential, .* give the token of a service acc"),
        ({"auth-provider": {"name": "gcp"}}, {}, "of a kind that kubectl itself dropped"),
        ({"as": "admin", "token": "t"}, {}, "in the name of somebody else"),
        ({}, {"proxy-url": "http://p"}, "HTTPS_PROXY"),
        ({}, {"tls-server-name": "x"}, "give the server as `url`"),
        ({}, {"server": ""}, "has no server"),
        ({}, {"certificate-authority-data": "%%%"}, "no base64"),
        ({}, {"certificate-authority": "none.crt"}, "none.crt cannot be read: no such file"),
    ],
)
def test_what_a_kubeconfig_holds_that_we_cannot_use(
    tmp_path: Path, user: dict[str, Any], cluster: dict[str, Any], says: str
) -> None:
    with pytest.raises(AuthError, match=says):
        from_kubeconfig((kubeconfig(tmp_path, user, cluster),), "prod")


def test_a_kubeconfig_of_somebody_elses_picks_no_file_of_ours_to_send(tmp_path: Path) -> None:
    for file in ("/etc/hostname", "../token", "~/.ssh/id"):
        kubeconfig(tmp_path, {"tokenFile": file})
        assert from_kubeconfig((tmp_path / "config",), "prod").token_file
    kubeconfig(tmp_path, {"tokenFile": "/etc/hostname"})
    with pytest.raises(AuthError, match="outside of the kubeconfig's folder"):
        from_kubeconfig((tmp_path / "config",), "prod", own=False)
    kubeconfig(tmp_path, {"tokenFile": "sub/token"})
    assert from_kubeconfig((tmp_path / "config",), "prod", own=False).token_file == str(tmp_path / "sub/token")


async def test_what_is_no_token_is_not_sent(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, {"tokenFile": "token"})
    seen: list[httpx.Request] = []
    for text in ("", "two words", "two\nlines", "-----BEGIN KEY-----"):
        (tmp_path / "token").write_text(text)
        source = make_source(Kubernetes, {"context": "prod", "kubeconfig": str(file)})
        with pytest.raises(AuthError, match="token holds no token"):
            await source.poll(client_of(source, Server(), seen).factory)
    assert seen == []


def test_with_a_token_of_our_own_the_user_of_a_context_does_not_matter(tmp_path: Path) -> None:
    access = from_kubeconfig((kubeconfig(tmp_path, {"exec": {"command": "aws"}}),), "prod", token=True)
    assert (access.server, access.token) == (API, "")


def test_which_kubeconfig(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, {"token": "t"})
    for context, says in (("none", "has no context none; it has: other, prod"), ("other", "has no cluster none")):
        with pytest.raises(AuthError, match=says):
            from_kubeconfig((file,), context)
    with pytest.raises(AuthError, match=r"no kubeconfig: /no/such cannot be read"):
        from_kubeconfig((Path("/no/such"),), "prod")
    more = tmp_path / "more"
    more.write_text("contexts: [{name: prod, context: {cluster: z}}, {name: dev, context: {cluster: c, user: u}}]")
    assert from_kubeconfig((Path("/no/such"), more, file), "dev").server == API
    with pytest.raises(AuthError, match="has no cluster z"):  # the first of a name wins
        from_kubeconfig((more, file), "prod")
    for text, says in (("[", "is no YAML"), ("[1]", "is no kubeconfig"), ("contexts: 5", "it has: none")):
        more.write_text(text)
        with pytest.raises(AuthError, match=says):
            from_kubeconfig((more,), "prod")
    assert files_of("/x", {"KUBECONFIG": "/a:/b"}) == (Path("/x"),)
    assert files_of("", {"KUBECONFIG": "/a::/b"}) == (Path("/a"), Path("/b"))
    assert files_of("", {}) == (Path("~/.kube/config").expanduser(),)


async def test_a_context_is_read_anew_when_its_file_changes_or_its_token_is_refused(tmp_path: Path) -> None:
    clock, server = FakeClock(), Server(extras=False)
    seen: list[httpx.Request] = []
    good = "token-1-0123456789"

    def vendor(call: Call) -> Answer:
        return server(call) if call.headers["authorization"] == f"Bearer {good}" else Answer(status=401)

    file = kubeconfig(tmp_path, {"token": good})
    source = make_source(Kubernetes, {"context": "prod", "kubeconfig": str(file)}, clock)
    client = client_of(source, vendor, seen)
    assert not any(part.error for part in (await source.poll(client.factory)).parts)
    assert str(seen[0].url).startswith(f"{API}/apis/")
    good = "token-2-0123456789"
    clock.advance(601)
    with pytest.raises(AuthError):
        await source.poll(client.factory)
    kubeconfig(tmp_path, {"token": good})
    assert not any(part.error for part in (await source.poll(client.factory)).parts)
    good = "token-33-0123456789"
    kubeconfig(tmp_path, {"token": good})
    clock.advance(61)
    assert not any(part.error for part in (await source.poll(client.factory)).parts)
    kubeconfig(tmp_path, {"token": good}, {"server": "https://elsewhere.example"})
    clock.advance(61)
    with pytest.raises(Refused, match="another server than before"):
        await source.poll(client.factory)


async def test_in_a_pod_the_token_is_read_as_it_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ca.crt").write_text("CA")
    (tmp_path / "token").write_text("pod-token-1\n")
    assert in_cluster(tmp_path).tls == TLSData(ca="CA")
    with pytest.raises(AuthError, match="outside of a pod, name `context` or `url`"):
        in_cluster(tmp_path / "none")
    clock = FakeClock()
    seen: list[httpx.Request] = []
    source = make_source(Kubernetes, {}, clock)
    monkeypatch.setattr(_kubernetes_access.in_cluster, "__defaults__", (tmp_path,))
    client = client_of(source, Server(extras=False), seen)
    await source.poll(client.factory)
    (tmp_path / "token").write_text("pod-token-2")
    await source.poll(client.factory)
    assert {request.headers["authorization"] for request in seen} == {"Bearer pod-token-1"}
    assert seen[0].url.host == "kubernetes.default.svc"
    clock.advance(61)
    await source.poll(client.factory)
    assert seen[-1].headers["authorization"] == "Bearer pod-token-2"
