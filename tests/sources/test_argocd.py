"""Argo CD: syncs and their history as releases, health and failed syncs as incidents."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import pytest

from sources.argocd import DETAILS_AT_ONCE, FAILURES_AT_ONCE, ArgoCD
from statusboard.errors import AuthError, BadAnswer, NotFound, ServerError
from statusboard.model import Incident, Release
from statusboard.source import Credentials, Source
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all

URL = "https://argocd.example/cd"
OLD, NEW = "a" * 40, "b" * 40
GIT = {"repoURL": "https://git.example/acme/deploy.git", "path": "checkout", "targetRevision": "HEAD"}


def at(minute: int) -> str:
    return f"2026-01-02T02:{minute:02}:00Z"


def past(minute: int, revision: str = OLD, **more: Any) -> dict[str, Any]:
    return {
        "id": minute,
        "revision": revision,
        "deployStartedAt": at(minute),
        "deployedAt": at(minute + 1),
        "source": GIT,
        "initiatedBy": {"automated": True},
        **more,
    }


def operation(phase: str = "Succeeded", minute: int = 30, revision: str = NEW, **more: Any) -> dict[str, Any]:
    sync = {"revision": revision, "prune": True}
    return {
        "operation": {"sync": sync, "initiatedBy": {"username": "ann"}},
        "phase": phase,
        "message": f"the sync is {phase}",
        "syncResult": {"revision": revision, "source": GIT},
        "startedAt": at(minute),
        "finishedAt": None if phase in ("Running", "Terminating") else at(minute + 1),
        **more,
    }


def app(name: str, health: str = "Healthy", **status: Any) -> dict[str, Any]:
    """An application as the answer for it alone holds it."""
    return {
        "metadata": {"name": name, "namespace": "argocd", "labels": {"team": "payments"}},
        "spec": {
            "project": "payments",
            "source": GIT,
            "destination": {"server": "https://kubernetes.default.svc", "namespace": name},
        },
        "status": {
            "sync": {"status": "Synced"},
            "health": {"status": health, "lastTransitionTime": at(40)},
            "summary": {"images": ["registry.example/checkout:1.4.2"], "externalURLs": ["https://shop.example"]},
            "operationState": operation(),
            "history": [past(10), past(30, NEW)],
            "resources": [
                {"kind": "Service", "name": name, "health": {"status": "Healthy"}},
                {"kind": "Deployment", "name": name, "health": {"status": health, "message": "no replica is ready"}},
                {"kind": "ConfigMap", "name": name},
            ],
            **status,
        },
    }


def listed(full: dict[str, Any]) -> dict[str, Any]:
    """The same with the fields that the list knows."""
    row = copy.deepcopy(full)
    status = row["status"]
    for name in ("history", "resources", "conditions"):
        status.pop(name, None)
    if state := status.get("operationState"):
        status["operationState"] = {name: state[name] for name in ("phase", "startedAt", "finishedAt")}
    return row


class Server:
    """The parts of Argo CD's API that the source asks for, with its habits about what may not be seen."""

    def __init__(self) -> None:
        self.apps = [
            app("checkout"),
            app("ledger", "Degraded", operationState=operation("Failed", 50)),
            app("till", operationState=operation("Running", 50)),
        ]
        self.projects = {"payments", "empty"}
        self.may = True

    def __call__(self, call: Call) -> Answer:
        match call.path.removeprefix("/cd/api/v1/").split("/"):
            case ["applications"]:
                wanted = call.query.get("projects")
                assert "refresh" not in call.query
                rows = [a for a in self.apps if not wanted or a["spec"]["project"] in wanted]
                fields = call.param("fields").split(",")
                assert "items.status.health" in fields
                return Answer.of({"metadata": {}, "items": [listed(a) for a in rows] or None})
            case ["applications", name]:
                found = [a for a in self.apps if a["metadata"]["name"] == name]
                if not found:
                    return Answer.of({"error": "permission denied"}, 404 if call.param("project") else 403)
                return Answer.of(found[0])
            case ["account", "can-i", "applications", "get", _, "*"]:
                return Answer.of({"value": "yes" if self.may else "no"})
            case ["projects", name]:
                return Answer.of({"metadata": {"name": name}}) if name in self.projects else Answer(status=404)
        return Answer.of({"error": "Not Found", "code": 5}, 404)


class TestContract(SourceContract):
    source = ArgoCD
    options: ClassVar = {"url": URL, "projects": ["payments"]}
    state_fields = ("status", "phase")
    time_fields = ("startedAt", "finishedAt", "deployedAt", "deployStartedAt", "lastTransitionTime")
    # Without a history there are fewer syncs, without an operation no failed one; neither is missing, then.
    id_fields = ("name", "metadata", "items", "history", "operationState", "status")

    def vendor(self, call: Call) -> Answer:
        server = Server()
        server.apps = server.apps[1:]
        return server(call)


def argocd(**options: Any) -> Source[Any]:
    return make_source(ArgoCD, {"url": URL, **options})


async def part_of(server: Any, kind: str, source: Source[Any] | None = None, http: FakeHttp | None = None) -> Any:
    snapshot = await read_all(source or argocd(), http or FakeHttp(server, URL))
    (part,) = [part for part in snapshot.parts if part.kind == kind]
    if part.error:
        raise part.error
    return part


async def items(kind: str, *apps: dict[str, Any], **options: Any) -> Any:
    server = Server()
    server.apps = list(apps)
    return (await part_of(server, kind, argocd(**options))).items


# -- releases ----------------------------------------------------------------------------------------------------------


async def test_a_sync_is_a_release() -> None:
    newest, before = await items("release", app("checkout"))
    assert newest == Release(
        key="argocd:release:argocd/checkout/20260102T023000Z",
        source="argocd",
        title=f"checkout {NEW[:12]}",
        state="success",
        raw_state="Succeeded",
        target="checkout",
        version=NEW,
        revision=NEW,
        previous_version=OLD,
        repository="acme/deploy",
        url="https://argocd.example/cd/applications/argocd/checkout",
        links={"application": "https://shop.example"},
        labels={
            "application": "checkout",
            "project": "payments",
            "cluster": "https://kubernetes.default.svc",
            "namespace": "checkout",
            "team": "payments",
            "sync": "Synced",
            "health": "Healthy",
            "images": "registry.example/checkout:1.4.2",
        },
        actor="ann",
        started_at=datetime(2026, 1, 2, 2, 30, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 2, 31, tzinfo=UTC),
        ended_at=datetime(2026, 1, 2, 2, 31, tzinfo=UTC),
    )
    assert (before.key, before.state) == ("argocd:release:argocd/checkout/20260102T021000Z", "success")
    assert (before.version, before.trigger, before.actor) == (OLD, "automated", "")
    assert "health" not in before.labels  # it says nothing of a sync that was followed by another


@pytest.mark.parametrize(
    "phase,state",
    [("Running", "running"), ("Terminating", "running"), ("Failed", "failed"), ("Error", "failed"),
     ("Succeeded", "success"), ("SUCCEEDED", "success"), ("failed", "failed"), ("Paused", "unknown"), ("", "unknown")],
)  # fmt: skip
async def test_states_of_syncs(phase: str, state: str) -> None:
    releases = await items("release", app("checkout", operationState=operation(phase, 50)))
    assert (releases[0].state, releases[0].key[-16:]) == (state, "20260102T025000Z")
    assert len(releases) == 3


async def test_a_running_sync_becomes_the_entry_of_the_history_that_it_ends_as() -> None:
    (running, *_) = await items("release", app("checkout", operationState=operation("Running"), history=[past(10)]))
    (done, *_) = await items("release", app("checkout"))
    assert (running.state, done.state, running.key) == ("running", "success", done.key)
    assert running.ended_at is None


async def test_a_good_sync_of_what_is_degraded_is_not_green() -> None:
    for health in ("Degraded", "missing"):
        newest, before = await items("release", app("checkout", health))
        assert (newest.state, newest.reason) == ("warning", f"{health} after the sync")
        assert before.state == "success"


async def test_out_of_sync_is_only_a_label() -> None:
    row = app("checkout", sync={"status": "OutOfSync"})
    (newest, *_) = await items("release", row)
    assert (newest.state, newest.labels["sync"]) == ("success", "OutOfSync")
    assert await items("incident", row) == ()


async def test_several_sources() -> None:
    chart = {"repoURL": "https://charts.example", "chart": "shop", "targetRevision": "2.*"}
    entry = past(30, "", sources=[GIT, chart], revisions=[NEW, "2.7.1"])
    (newest, *_) = await items("release", app("checkout", history=[entry]))
    assert (newest.version, newest.revision, newest.labels["revisions"]) == ("2.7.1", NEW, f"{NEW}, 2.7.1")
    assert newest.repository == "acme/deploy"


@pytest.mark.parametrize("asked,version", [("v1.4.2", "v1.4.2"), ("release-1.4", NEW), ("main", NEW), (None, NEW)])
async def test_a_tag_that_was_asked_for_is_the_version(asked: str | None, version: str) -> None:
    entry = past(30, NEW, source={**GIT, "targetRevision": asked})
    assert (await items("release", app("checkout", history=[entry])))[0].version == version


@pytest.mark.parametrize(
    "url,repository",
    [("git@git.example:acme/deploy.git", "acme/deploy"), ("ssh://git@git.example:22/acme/deploy", "acme/deploy"),
     ("https://git.example/acme/deploy/", "acme/deploy"), ("odd", "odd"), (None, "")],
)  # fmt: skip
async def test_repositories(url: str | None, repository: str) -> None:
    entry = past(30, NEW, source={**GIT, "repoURL": url})
    assert (await items("release", app("checkout", history=[entry])))[0].repository == repository


async def test_where_it_goes() -> None:
    one, two, three = app("one"), app("two"), app("three")
    one["spec"]["destination"] = {"server": "https://eu.example:6443", "namespace": "shop"}
    two["spec"]["destination"] = {"name": "us", "namespace": "shop"}
    three["spec"]["destination"] = {"name": "in-cluster"}
    releases = {r.labels["application"]: r.target for r in await items("release", one, two, three)}
    assert releases == {"one": "eu.example:6443/shop/one", "two": "us/shop/two", "three": "three"}


async def test_neighbours_in_one_place_are_told_apart() -> None:
    """Both may be of one service: then a good sync of the one must not stand for the failed one of the other."""
    one, two = app("one"), app("two")
    two["spec"] = {**two["spec"], "destination": one["spec"]["destination"], "project": "others"}
    alone = {r.target for r in await items("release", one)}
    assert alone == {"one"}
    assert {r.target for r in await items("release", one, two)} == {*alone, "one/two"}  # and none of them moves


async def test_dry_runs_are_no_releases_and_partial_syncs_are_marked() -> None:
    state = operation("Failed", 50)
    state["operation"]["sync"]["dryRun"] = True
    row = app("checkout", operationState=state)
    assert [r.state for r in await items("release", row)] == ["success", "success"]
    assert await items("incident", row) == ()
    state = operation("Succeeded", 50)
    state["operation"]["sync"]["resources"] = [{"kind": "Deployment", "name": "x"}]
    assert (await items("release", app("checkout", operationState=state)))[0].labels["partial"] == "1 resources"


async def test_an_old_server_does_not_say_when_a_sync_of_its_history_began() -> None:
    history = [past(10, deployStartedAt=None), past(30, NEW, deployStartedAt=None)]
    releases = await items("release", app("checkout", history=history))
    assert [r.key[-16:] for r in releases] == ["20260102T023100Z", "20260102T021100Z"]
    releases = await items("release", app("checkout", history=history, operationState=operation("Failed", 50)))
    assert [r.state for r in releases] == ["failed", "success", "success"]


async def test_the_history_is_read_no_further_than_asked() -> None:
    row = app("checkout", history=[past(minute) for minute in range(1, 9)], operationState=None)
    releases = await items("release", row, history=2)
    assert [r.key[-16:] for r in releases] == ["20260102T020800Z", "20260102T020700Z"]
    assert releases[1].previous_version == OLD


# -- incidents ---------------------------------------------------------------------------------------------------------


async def test_bad_health_is_an_incident() -> None:
    assert await items("incident", app("checkout", "Degraded")) == (
        Incident(
            key="argocd:incident:argocd/checkout/health",
            source="argocd",
            title="checkout is Degraded",
            reason="Deployment checkout: no replica is ready",
            state="open",
            raw_state="Degraded",
            fingerprint="argocd/checkout/health",
            target="checkout",
            repository="acme/deploy",
            url="https://argocd.example/cd/applications/argocd/checkout",
            labels={
                "application": "checkout",
                "project": "payments",
                "cluster": "https://kubernetes.default.svc",
                "namespace": "checkout",
                "team": "payments",
                "sync": "Synced",
                "health": "Degraded",
                "images": "registry.example/checkout:1.4.2",
            },
            started_at=datetime(2026, 1, 2, 2, 40, tzinfo=UTC),
        ),
    )


@pytest.mark.parametrize(
    "health,state",
    [("Healthy", None), ("PROGRESSING", None), ("suspended", None), ("Degraded", "open"), ("degraded", "open"),
     ("Missing", "open"), ("Unknown", "unknown"), ("Exploded", "unknown"), ("", "unknown")],
)  # fmt: skip
async def test_states_of_health(health: str, state: str | None) -> None:
    found = await items("incident", app("checkout", health))
    assert [incident.state for incident in found] == ([state] if state else [])


async def test_what_was_never_synced_or_is_on_its_way_is_missing_without_alarm() -> None:
    for state in (None, operation("Running")):
        (incident,) = await items("incident", app("checkout", "Missing", operationState=state))
        assert incident.state == "pending"
    row = app("checkout", "Missing")
    row["metadata"]["deletionTimestamp"] = at(50)
    assert await items("incident", row) == ()


async def test_a_failed_sync_is_an_incident() -> None:
    (incident,) = await items("incident", app("checkout", operationState=operation("Failed", 50)))
    assert (incident.key, incident.state) == ("argocd:incident:argocd/checkout/sync", "open")
    assert (incident.title, incident.reason) == ("checkout: sync failed", "the sync is Failed")
    assert incident.started_at == datetime(2026, 1, 2, 2, 51, tzinfo=UTC)
    (incident,) = await items("incident", app("checkout", operationState=operation("Paused")))
    assert incident.state == "unknown"


async def test_a_failed_sync_is_not_over_while_it_is_tried_again() -> None:
    server, source = Server(), argocd()
    server.apps = [app("checkout", operationState=operation("Failed", 40))]
    failed = (await part_of(server, "incident", source)).items
    server.apps = [app("checkout", operationState=operation("Running", 50))]
    assert (await part_of(server, "incident", source)).items == failed
    server.apps = [app("checkout", operationState=operation("Failed", 50))]
    assert (await part_of(server, "incident", source)).items == failed  # since the first time
    server.apps = [app("checkout", operationState=operation("Succeeded", 50))]
    assert (await part_of(server, "incident", source)).items == ()


async def test_a_wanted_state_that_cannot_be_worked_out() -> None:
    condition = {"type": "ComparisonError", "message": "chart not found"}
    (incident,) = await items("incident", app("checkout", sync={"status": "Unknown"}, conditions=[condition]))
    assert (incident.state, incident.raw_state) == ("unknown", "Unknown")
    (incident,) = await items(
        "incident", app("checkout", "Unknown", sync={"status": "Unknown"}, conditions=[condition], resources=[])
    )
    assert (incident.state, incident.reason) == ("unknown", "chart not found")


async def test_many_bad_resources_are_counted() -> None:
    bad = [{"kind": "Pod", "name": f"p{n}", "health": {"status": "Degraded"}} for n in range(5)]
    (incident,) = await items("incident", app("checkout", "Degraded", resources=bad))
    assert incident.reason == "Pod p0: Degraded; Pod p1: Degraded; Pod p2: Degraded and 2 more"


# -- what is asked -----------------------------------------------------------------------------------------------------


def lists(http: FakeHttp) -> int:
    return sum(call.path.endswith("/applications") for call in http.calls)


def details(http: FakeHttp) -> list[str]:
    return [call.path.rpartition("/")[2] for call in http.calls if "/applications/" in call.path]


async def test_both_kinds_share_one_reading_and_only_news_are_read_by_themselves() -> None:
    server, source = Server(), argocd()
    http = FakeHttp(server, URL)
    await read_all(source, http)
    assert lists(http) == 1
    assert isinstance(source, ArgoCD) and not source._round, "nobody needs it until the next poll"
    assert details(http) == ["ledger", "till", "checkout"]  # the troubled one first, then the one at work
    assert http.calls[1].query == {"appNamespace": ["argocd"], "project": ["payments"]}
    http.calls.clear()
    before = await read_all(source, http)
    assert (lists(http), details(http)) == (1, [])
    server.apps[2]["status"]["operationState"] = operation("Succeeded", 50)
    after = await read_all(source, http)
    assert details(http) == ["till"]
    assert before.parts[0].items == after.parts[0].items  # the incidents
    http.calls.clear()
    source.clock.advance(301)  # type: ignore[attr-defined]
    await read_all(source, http)
    assert details(http) == ["ledger"]


async def test_many_applications_are_read_some_at_a_poll() -> None:
    server, source = Server(), argocd()
    server.apps = [app(f"app-{n}") for n in range(DETAILS_AT_ONCE + 1)] + [app("bad", "Degraded")]
    http = FakeHttp(server, URL)
    part = await part_of(server, "release", source, http)
    assert len(details(http)) == DETAILS_AT_ONCE
    assert details(http)[0] == "bad"
    assert len({item.labels["application"] for item in part.items}) == DETAILS_AT_ONCE + 2
    http.calls.clear()
    part = await part_of(server, "release", source, http)
    assert len(details(http)) == 2
    assert len(part.items) == 2 * (DETAILS_AT_ONCE + 2)


async def test_incidents_alone_read_only_what_is_troubled() -> None:
    http = FakeHttp(Server(), URL)
    await part_of(None, "incident", argocd(kinds=["incident"]), http)
    assert details(http) == ["ledger"]


async def test_one_part_a_project_and_kind() -> None:
    http = FakeHttp(Server(), URL)
    scopes = await argocd(projects=["payments", "empty"]).scopes(http)
    assert [scope.name for scope in scopes] == [
        "payments releases",
        "payments incidents",
        "empty releases",
        "empty incidents",
    ]
    assert [scope.reach for scope in scopes[:2]] == ["window", "complete"]
    scopes = await argocd(projects=["payments", "empty"], applications=["till"], kinds=["release"]).scopes(http)
    assert [scope.name for scope in scopes] == ["payments, empty releases"]
    assert [scope.name for scope in await argocd().scopes(http)] == ["all projects releases", "all projects incidents"]


async def test_applications_by_name() -> None:
    for names, found in ((["till", "led*"], {"till", "ledger"}), (["argocd/ch*"], {"checkout"})):
        part = await part_of(Server(), "release", argocd(applications=names))
        assert {item.labels["application"] for item in part.items} == found


async def test_an_application_that_is_not_there_is_a_fault_and_the_others_are_read() -> None:
    snapshot = await read_all(argocd(applications=["till", "tiil"]), FakeHttp(Server(), URL))
    for part in snapshot.parts:
        assert isinstance(part.error, NotFound)
        assert "tiil" in str(part.error)
    assert any(part.items for part in snapshot.parts)


async def test_an_empty_answer_is_believed_only_where_the_server_vouches_for_it() -> None:
    assert (await part_of(Server(), "incident", argocd(projects=["empty"]))).items == ()
    with pytest.raises(NotFound):
        await part_of(Server(), "incident", argocd(projects=["no-such"]))
    blind = Server()
    blind.may, blind.apps = False, []
    for options in ({}, {"projects": ["payments"]}):
        with pytest.raises(AuthError, match="the token may not read"):
            await part_of(blind, "incident", argocd(**options))
    new = Server()
    new.apps = []
    assert (await part_of(new, "incident")).items == ()
    for more in ({"selector": "team=x"}, {"applications": ["x"]}):
        with pytest.raises(NotFound, match="no application"):
            await part_of(new, "incident", argocd(**more))


async def test_an_application_that_is_gone_takes_its_releases_with_it() -> None:
    """Else its last sync, if it failed, would be failing for good."""
    server, source = Server(), argocd()
    http = FakeHttp(server, URL)
    before = await part_of(server, "release", source, http)
    ledger = server.apps.pop(1)
    part = await part_of(server, "release", source, http)
    assert part.reach == "complete"
    assert part.retire_only == {item.key for item in before.items if item.labels["application"] == "ledger"}
    assert (await part_of(server, "release", source, http)).reach == "window"
    server.apps.append(ledger)
    assert (await part_of(server, "release", source, http)).reach == "window"


async def test_an_application_deleted_meanwhile_is_no_fault() -> None:
    server = Server()

    def vendor(call: Call) -> Answer:
        return Answer(status=404) if call.path.endswith("/applications/till") else server(call)

    part = await part_of(vendor, "release")
    assert {item.labels["application"] for item in part.items} == {"checkout", "ledger"}


async def test_an_application_that_cannot_be_read_harms_no_other() -> None:
    server, source = Server(), argocd()

    def vendor(call: Call) -> Answer:
        return Answer(status=500) if call.path.endswith("/applications/ledger") else server(call)

    http = FakeHttp(vendor, URL)
    incidents, releases = (await read_all(source, http)).parts
    assert isinstance(releases.error, ServerError)
    assert "argocd/ledger" in str(releases.error)
    assert len(releases.items) == 6  # of ledger the newest alone, as the list tells
    assert incidents.error is None  # the list says what is wrong, and all that is
    assert sorted(item.key[16:] for item in incidents.items) == ["argocd/ledger/health", "argocd/ledger/sync"]
    assert "argocd/ledger" in incidents.notes[0]
    http.calls.clear()
    assert (await read_all(source, http)).parts[1].error == releases.error
    assert details(http) == []  # it is not asked for at every poll
    source.clock.advance(301)  # type: ignore[attr-defined]
    http.handler = server
    assert [part.error for part in (await read_all(source, http)).parts] == [None, None]


async def test_where_nothing_can_be_read_not_all_is_tried() -> None:
    def vendor(call: Call) -> Answer:
        return Answer(status=500) if "/applications/" in call.path else server(call)

    server = Server()
    server.apps = [app(f"app-{n}") for n in range(9)]
    http = FakeHttp(vendor, URL)
    await read_all(argocd(), http)
    assert len(details(http)) == FAILURES_AT_ONCE


async def test_a_sync_is_read_again_by_its_application() -> None:
    server, source = Server(), argocd()
    http = FakeHttp(server, URL)
    await read_all(source, http)
    running = await source.lookup("release", "argocd/till/20260102T025000Z", http)
    assert running is not None
    assert (running.key, running.state) == ("argocd:release:argocd/till/20260102T025000Z", "running")
    assert await source.lookup("release", "argocd/till/20250102T025000Z", http) is None
    server.apps.clear()
    with pytest.raises(NotFound):  # since the project is known
        await source.lookup("release", "argocd/till/20260102T025000Z", http)


async def test_the_answer_for_another_application_is_not_taken() -> None:
    def vendor(call: Call) -> Answer:
        return Answer.of(app("other")) if call.path.endswith("/applications/till") else Server()(call)

    with pytest.raises(BadAnswer, match="another application"):
        await part_of(vendor, "release")


def test_how_the_token_is_sent() -> None:
    assert argocd().sign(Credentials(token="x")) == {"Authorization": "Bearer x"}


@pytest.mark.parametrize("options", [{"projects": [""]}, {"applications": [""]}, {"history": 0}, {"app": "x"}])
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        argocd(**options)
