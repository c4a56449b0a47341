"""What deploys: what each vendor answers when it is asked for releases, in its documented shape."""

from __future__ import annotations

from typing import Any

from tests.real.vendors.shape import ITEMS, Place, Request, Vendor, failed, login

HISTORY = 4
"""Past syncs of each of Argo CD's applications."""

# -- Argo CD: <server>/swagger-ui; 25 applications with 4 syncs each


def _argocd(place: Place, ask: Request) -> Any:
    match ask.parts[2:]:
        case ["applications"]:
            apps = [_application(place, a) for a in range(ITEMS // HISTORY)]
            for app in apps:
                del app["status"]["history"]
            return {"metadata": {}, "items": apps}
        case ["applications", name]:
            return _application(place, int(name.rpartition("-")[2]))
    return None


def _application(place: Place, a: int) -> dict[str, Any]:
    name, newest = f"{place.name}-{a}", a * HISTORY
    git = {"repoURL": f"https://git.example/acme/{place.name}.git", "path": name, "targetRevision": "HEAD"}
    syncs = [
        {
            "id": HISTORY - s,
            "revision": place.sha(newest + s),
            "deployStartedAt": place.iso(newest + s),
            "deployedAt": place.iso(newest + s, 2),
            "source": git,
            "initiatedBy": {"username": login(a)},
        }
        for s in reversed(range(HISTORY))
    ]
    return {
        "metadata": {"name": name, "namespace": "argocd", "labels": {"team": "payments"}},
        "spec": {
            "project": "payments",
            "source": git,
            "destination": {"server": "https://kubernetes.default.svc", "namespace": name},
        },
        "status": {
            "sync": {"status": "Synced", "revision": place.sha(newest)},
            "health": {"status": "Healthy", "lastTransitionTime": place.iso(newest, 3)},
            "summary": {"images": [f"registry.example/{name}:1.4.{a}"], "externalURLs": [f"https://{name}.example"]},
            "operationState": {
                "operation": {"sync": {"revision": place.sha(newest)}, "initiatedBy": {"username": login(a)}},
                "phase": "Succeeded",
                "message": "successfully synced",
                "syncResult": {"revision": place.sha(newest), "source": git},
                "startedAt": place.iso(newest),
                "finishedAt": place.iso(newest, 2),
            },
            "history": syncs,
            "resources": [{"kind": "Deployment", "name": name, "health": {"status": "Healthy"}}],
        },
    }


# -- Octopus Deploy: octopus.com/docs/octopus-rest-api


def _octopus(place: Place, ask: Request) -> Any:
    numbers = range(min(ask.number("take", 30), ITEMS))
    ids = ask.one("ids")
    if ids:
        numbers = [ITEMS - int(id.rpartition("-")[2]) % 1_000_000 for id in ids.split(",")]  # type: ignore[assignment]
    match ask.parts[1:]:
        case ["spaces", "all"]:
            return [{"Id": "Spaces-1", "Name": "Default", "Slug": "default", "IsDefault": True}]
        case [_, "dashboard"]:
            return {
                "Projects": [{"Id": "Projects-1", "Name": place.name, "Slug": place.name}],
                "Environments": [{"Id": f"Environments-{n}", "Name": f"Region {n}"} for n in range(ITEMS)],
                "Tenants": [],
                "Items": [],
                "ProjectLimit": None,
            }
        case [_, ("deployments" | "tasks" | "releases") as what]:
            shape = {"deployments": _deployment, "tasks": _task, "releases": _version}[what]
            rows = [shape(place, n) for n in numbers]
            return {"ItemType": what, "Items": rows, "TotalResults": len(rows), "ItemsPerPage": len(rows), "Links": {}}
    return None


def _deployment(place: Place, n: int) -> dict[str, Any]:
    number = place.id(n)
    return {
        "Id": f"Deployments-{number}",
        "SpaceId": "Spaces-1",
        "ProjectId": "Projects-1",
        "EnvironmentId": f"Environments-{n}",
        "TenantId": None,
        "ReleaseId": f"Releases-{number}",
        "ChannelId": "Channels-1",
        "DeploymentProcessId": "deploymentprocess-Projects-1",
        "ManifestVariableSetId": f"variableset-{number}",
        "TaskId": f"ServerTasks-{number}",
        "Name": f"Deploy to Region {n}",
        "Comments": "",
        "DeployedBy": login(n),
        "Created": place.iso(n),
        "Links": {"Self": f"/api/Spaces-1/deployments/Deployments-{number}", "Web": "/app"},
    }


def _task(place: Place, n: int) -> dict[str, Any]:
    return {
        "Id": f"ServerTasks-{place.id(n)}",
        "Name": "Deploy",
        "Description": f"Deploy {place.name} to Region {n}",
        "State": "Failed" if failed(n) else "Success",
        "HasPendingInterruptions": False,
        "HasWarningsOrErrors": failed(n),
        "ErrorMessage": "step 2 failed" if failed(n) else "",
        "QueueTime": place.iso(n),
        "StartTime": place.iso(n),
        "CompletedTime": place.iso(n, 4),
    }


def _version(place: Place, n: int) -> dict[str, Any]:
    return {"Id": f"Releases-{place.id(n)}", "Version": f"1.4.{ITEMS - n}", "ProjectId": "Projects-1"}


# -- Spinnaker: spinnaker.io/docs/reference/api, Gate; 20 pipelines with 5 executions each


def _spinnaker(place: Place, ask: Request) -> Any:
    match ask.parts:
        case ["applications", _, "pipelines"]:
            return [_execution(place, n) for n in range(ITEMS)]
        case ["applications", _, "pipelineConfigs"]:
            return [
                {
                    "id": f"deploy-{p}",
                    "name": f"Deploy {p}",
                    "application": place.name,
                    "stages": [
                        {"type": "bake"},
                        {"type": "deploy", "clusters": [{"account": f"prod-{p}", "availabilityZones": {"eu-1": []}}]},
                    ],
                }
                for p in range(20)
            ]
    return None


def _execution(place: Place, n: int) -> dict[str, Any]:
    def stage(name: str, type: str, went_wrong: bool = False) -> dict[str, Any]:
        status = "TERMINAL" if went_wrong else "SUCCEEDED"
        return {"id": f"{name}-{n}", "type": type, "name": name, "status": status, "context": {}, "tasks": []}

    return {
        "type": "PIPELINE",
        "id": f"01KE{place.id(n)}",
        "application": place.name,
        "name": f"Deploy {n % 20}",
        "pipelineConfigId": f"deploy-{n % 20}",
        "status": "TERMINAL" if failed(n) else "SUCCEEDED",
        "buildTime": place.unix(n) * 1000,
        "startTime": place.unix(n) * 1000,
        "endTime": place.unix(n, 4) * 1000,
        "canceled": False,
        "trigger": {
            "type": "docker",
            "user": login(n),
            "account": "registry",
            "repository": f"acme/{place.name}",
            "dryRun": False,
            "strategy": False,
            "tag": f"1.4.{ITEMS - n}",
            "parameters": {},
            "artifacts": [],
        },
        "authentication": {"user": "spinnaker", "allowedAccounts": ["prod"]},
        "stages": [stage("Bake", "bake"), stage("Deploy", "deploy", failed(n))],
        "systemNotifications": [],
        "initialConfig": {},
        "origin": "api",
    }


# -- what nobody has heard of, mapped


def _unheard_of(place: Place, ask: Request) -> Any:
    return [
        {
            "id": f"{place.name}-{n}",
            "title": f"{place.name} {ITEMS - n} to region {n}",
            "state": "failed" if failed(n) else "success",
            "where": f"region-{n}",
            "what": place.name,
            "at": place.iso(n),
            "over": place.iso(n, 3),
            "link": f"https://deploys.example/{place.name}/{n}",
        }
        for n in range(ITEMS)
    ]


MAPPING = {
    "path": "/deploys",
    "kind": "release",
    "id": "id",
    "fields": {
        "title": "title",
        "state": "state",
        "environment": "where",
        "services": "[what]",
        "started_at": "at",
        "ended_at": "over",
        "url": "link",
    },
}


# -- Kubernetes: its API reference, apps/v1


def _kubernetes(place: Place, ask: Request) -> Any:
    match ask.parts:
        case ["apis", "apps", "v1", "deployments"]:
            return _list("DeploymentList", [_rollout(place, n) for n in range(ITEMS)])
        case ["apis", "apps", "v1", "replicasets"]:
            return _list("PartialObjectMetadataList", [_replicaset(place, n) for n in range(ITEMS)])
    return None


def _list(kind: str, rows: list[Any]) -> dict[str, Any]:
    return {"kind": kind, "apiVersion": "apps/v1", "metadata": {"resourceVersion": "7"}, "items": rows}


def _meta(place: Place, n: int, **more: Any) -> dict[str, Any]:
    name = f"{place.name}-{n}"
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": place.name}
    times = {"generation": 2, "creationTimestamp": place.iso(n), "resourceVersion": str(place.id(n))}
    return {"name": name, "namespace": "shop", "uid": f"uid-{place.id(n)}", "labels": labels, **times, **more}


def _rollout(place: Place, n: int) -> dict[str, Any]:
    name = f"{place.name}-{n}"

    def condition(type: str, reason: str) -> dict[str, Any]:
        times = {"lastTransitionTime": place.iso(n), "lastUpdateTime": place.iso(n, 2)}
        return {"type": type, "status": "True", "reason": reason, "message": f"{reason}.", **times}

    container = {
        "name": "web",
        "image": f"registry.example/{name}:1.4.{n}",
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": "LEVEL", "value": "info"}],
        "resources": {"limits": {"memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"}, "periodSeconds": 10},
    }
    return {
        "metadata": _meta(place, n, annotations={"deployment.kubernetes.io/revision": "2"}),
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "progressDeadlineSeconds": 600,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
        },
        "status": {
            "observedGeneration": 2,
            "replicas": 2,
            "updatedReplicas": 2,
            "availableReplicas": 2,
            "readyReplicas": 2,
            "conditions": [
                condition("Available", "MinimumReplicasAvailable"),
                condition("Progressing", "NewReplicaSetAvailable"),
            ],
        },
    }


def _replicaset(place: Place, n: int) -> dict[str, Any]:
    owner = {"uid": f"uid-{place.id(n)}", "kind": "Deployment", "name": f"{place.name}-{n}", "controller": True}
    notes = {"deployment.kubernetes.io/revision": "2"}
    return {"metadata": _meta(place, n, uid=f"rs-{place.id(n)}", ownerReferences=[owner], annotations=notes)}


def _only(**options: Any) -> Any:
    return lambda place: options


VENDORS = (
    Vendor("argocd", _only(history=HISTORY), _argocd),
    Vendor("octopus", _only(deployments=ITEMS), _octopus),
    Vendor("spinnaker", lambda place: {"applications": [place.name]}, _spinnaker),
    Vendor("http-json", _only(**MAPPING), _unheard_of),
    Vendor("kubernetes", _only(resources=["deployments"]), _kubernetes),
)
