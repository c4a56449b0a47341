"""Octopus Deploy: the dashboard, recent deployments and their tasks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import pytest

from sources.octopus import IDS_AT_ONCE, Octopus
from statusboard.current import slot_of
from statusboard.errors import AuthError, BadAnswer, NotFound, TooLarge
from statusboard.model import Release
from statusboard.source import Credentials, Source, basic
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all, read_one

URL = "https://octopus.example/vdir"
TASK = {
    "State": "Success",
    "HasPendingInterruptions": False,
    "HasPendingPreconditions": False,
    "PendingInterruptionTypes": [],
    "PendingPreconditionTypes": [],
    "HasWarningsOrErrors": False,
    "ErrorMessage": "",
    "QueueTime": "2026-01-02T02:29:00.5+00:00",
    "StartTime": "2026-01-02T02:30:00.5+00:00",
    "CompletedTime": "2026-01-02T02:40:00.5+00:00",
}
EXECUTING = {"State": "Executing", "CompletedTime": None}


def deployment(number: int, environment: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "Id": f"Deployments-{number}",
        "ProjectId": "Projects-1",
        "EnvironmentId": f"Environments-{environment}",
        "TenantId": None,
        "ReleaseId": f"Releases-{number}",
        "TaskId": f"ServerTasks-{number}",
        "Name": "Deploy",
        "Comments": "go",
        "DeployedBy": "ann",
        "Created": "2026-01-02T02:28:00.5+00:00",
        **more,
    }


class Server:
    """The parts of Octopus' API that the source asks for, with two spaces of the same content."""

    def __init__(self) -> None:
        self.spaces = [
            {"Id": "Spaces-1", "Name": "Default", "Slug": "default", "IsDefault": True},
            {"Id": "Spaces-2", "Name": "Payments", "Slug": "payments", "IsDefault": False},
        ]
        self.deployments = [deployment(5), deployment(4, 2), deployment(3), deployment(1)]  # newest first
        self.tasks = {n: {"Id": f"ServerTasks-{n}", **TASK} for n in (1, 3, 4, 5)}
        self.tasks[5] |= EXECUTING
        self.tasks[3] |= {"State": "Failed", "ErrorMessage": "step 2 failed"}
        self.shown = [5, 4]  # what the dashboard shows
        self.limit: int | None = None
        self.projects = [{"Id": "Projects-1", "Name": "Checkout", "Slug": "checkout"}]

    def __call__(self, call: Call) -> Answer:
        match call.path.removeprefix("/vdir/api/").split("/"):
            case ["spaces", "all"]:
                return Answer.of(self.spaces)
            case [space, *_] if space not in {s["Id"] for s in self.spaces}:
                return Answer.of({"ErrorMessage": "not found"}, 404)
            case [_, "dashboard"]:
                assert call.param("showAll") == "true"
                return Answer.of(self.dashboard())
            case [_, "deployments", id]:
                found = self.named("deployments", [id])
                return Answer.of(found[0]) if found else Answer(status=404)
            case [_, ("deployments" | "tasks" | "releases") as what]:
                ids, take = call.param("ids"), int(call.param("take", "30"))
                found = self.named(what, ids.split(",")) if ids else self.deployments
                return Answer.of({"ItemType": what, "Items": found[:take], "TotalResults": len(found)})
        return Answer(status=404)

    def named(self, what: str, ids: list[str]) -> list[dict[str, Any]]:
        versions = [{"Id": f"Releases-{n}", "Version": f"1.{n}"} for n in range(200)]
        rows = {"deployments": self.deployments, "tasks": list(self.tasks.values()), "releases": versions}[what]
        return [row for row in rows if row["Id"] in ids]

    def dashboard(self) -> dict[str, Any]:
        items = []
        for number in self.shown:
            row = next(d for d in self.deployments if d["Id"] == f"Deployments-{number}")
            left_out = {name: row[name] for name in row if name not in ("Comments", "DeployedBy", "Name")}
            task = {name: value for name, value in self.tasks[number].items() if name != "Id"}
            items.append({**left_out, **task, "DeploymentId": row["Id"], "ReleaseVersion": f"1.{number}"})
        return {
            "Projects": self.projects,
            "Environments": [{"Id": "Environments-1", "Name": "Production"}, {"Id": "Environments-2", "Name": "Test"}],
            "Tenants": [{"Id": "Tenants-1", "Name": "Aus-East"}],
            "Items": items,
            "ProjectLimit": self.limit,
        }


class TestContract(SourceContract):
    source = Octopus
    options: ClassVar = {"url": URL}
    state_fields = ("State",)
    time_fields = ("Created", "QueueTime", "StartTime", "CompletedTime")
    id_fields = ("Id", "DeploymentId", "Items", "Projects")

    def vendor(self, call: Call) -> Answer:
        return Server()(call)


def octopus(**options: Any) -> Source[Any]:
    return make_source(Octopus, {"url": URL, **options})


async def releases(server: Any, source: Source[Any] | None = None) -> dict[str, Release]:
    part = await read_one(source or octopus(), FakeHttp(server, URL))
    return {item.key.rpartition("-")[2]: item for item in part.items if isinstance(item, Release)}


async def test_a_deployment_is_a_release() -> None:
    found = await releases(Server())
    assert {number: item.state for number, item in found.items()} == {
        "5": "running", "4": "success", "3": "failed", "1": "success"}  # fmt: skip
    assert found["3"] == Release(
        key="octopus:release:Spaces-1/Deployments-3",
        source="octopus",
        title="Checkout 1.3 to Production",
        description="go",
        state="failed",
        raw_state="Failed",
        reason="step 2 failed",
        environment="Production",
        target="Checkout",
        version="1.3",
        url="https://octopus.example/vdir/app#/Spaces-1/deployments/Deployments-3",
        labels={"application": "Checkout", "space": "Default"},
        actor="ann",
        started_at=datetime(2026, 1, 2, 2, 30, 0, 500_000, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 2, 40, 0, 500_000, tzinfo=UTC),
        ended_at=datetime(2026, 1, 2, 2, 40, 0, 500_000, tzinfo=UTC),
    )


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize(
    "task,state",
    [
        ({"State": "Pending"}, "queued"),
        ({"State": "Queued"}, "queued"),
        ({"State": "Executing"}, "running"),
        ({"State": "Cancelling"}, "running"),
        ({"State": "Success"}, "success"),
        ({"State": "SUCCESS", "HasWarningsOrErrors": True}, "warning"),
        ({"State": "Failed", "HasWarningsOrErrors": True}, "failed"),
        ({"State": "timedout"}, "failed"),
        ({"State": "Canceled"}, "cancelled"),
        ({"State": "Executing", "HasPendingInterruptions": True}, "blocked"),
        ({"State": "Queued", "HasPendingPreconditions": True}, "blocked"),
        ({"State": "Failed", "HasPendingInterruptions": True}, "failed"),
        ({"State": "Dreaming"}, "unknown"),
        ({"State": None}, "unknown"),
    ],
)
async def test_states(task: dict[str, Any], state: str, shown: bool) -> None:
    """As the dashboard says them, and as the tasks of other deployments do."""
    server = Server()
    server.shown = [4] if shown else []
    server.tasks[4] |= task
    assert (await releases(server))["4"].state == state


async def test_what_a_deployment_waits_for() -> None:
    server = Server()
    server.tasks[5] |= {"HasPendingInterruptions": True, "PendingInterruptionTypes": ["ManualIntervention"]}
    assert (await releases(server))["5"].reason == "ManualIntervention"
    server.tasks[5] = {
        "Id": "ServerTasks-5",
        **TASK,
        **EXECUTING,
        "HasPendingPreconditions": True,
        "PendingPreconditionTypes": ["Approval"],
    }
    assert (await releases(server))["5"].reason == "Approval"


async def test_project_and_tenant_are_the_target() -> None:
    server = Server()
    server.deployments[0]["TenantId"] = "Tenants-1"
    found = (await releases(server))["5"]
    assert (found.target, found.labels["tenant"]) == ("Checkout/Aus-East", "Aus-East")


async def test_projects_of_one_service_compete_with_themselves_alone() -> None:
    """Else a good deployment of the one would hide the failed one of the other."""
    server = Server()
    server.deployments[0]["ProjectId"] = "Projects-9"
    found = (await releases(server)).values()
    slots = {slot_of(msgspec.structs.replace(item, services=("shop",), environment="p")) for item in found}
    assert len(slots) == 2


async def test_a_project_that_is_gone_takes_its_deployments_with_it() -> None:
    """Else its last one, if it failed, would be failing for good."""
    server, source = Server(), octopus()
    server.projects.append({"Id": "Projects-9", "Name": "Till", "Slug": "till"})
    server.deployments[0]["ProjectId"] = "Projects-9"
    http = FakeHttp(server, URL)
    assert (await read_one(source, http)).reach == "window"
    del server.projects[1], server.deployments[0]
    server.shown.remove(5)
    server.limit = 1
    (part,) = (await read_all(source, http)).parts
    assert (part.reach, type(part.error)) == ("window", TooLarge)  # it may only be one too many for the dashboard
    server.limit = None
    part = await read_one(source, http)
    assert (part.reach, part.retire_only) == ("complete", frozenset({"octopus:release:Spaces-1/Deployments-5"}))
    assert (await read_one(source, http)).reach == "window"


async def test_a_deployment_that_leaves_the_dashboard_says_the_same() -> None:
    server, source = Server(), octopus()
    before = (await releases(server, source))["4"]
    server.shown = [5]
    assert (await releases(server, source))["4"] == before
    server.deployments.remove(server.deployments[1])
    server.shown = [5]
    assert "4" not in await releases(server, source)


async def test_a_deployment_that_only_the_dashboard_shows_is_read_once() -> None:
    server, source = Server(), octopus(deployments=1)
    http = FakeHttp(server, URL)
    for _ in range(2):
        (item,) = [item for item in (await read_one(source, http)).items if item.key.endswith("-4")]
        assert item.actor == "ann"
    asked = [call.param("ids") for call in http.calls if call.param("ids") and call.path.endswith("/deployments")]
    assert asked == ["Deployments-4"]


async def test_one_that_cannot_be_read_by_id_any_more_is_shown_as_the_dashboard_has_it() -> None:
    server, source = Server(), octopus(deployments=1)
    answer = server.named

    def named(what: str, ids: list[str]) -> list[dict[str, Any]]:
        return [] if what == "deployments" else answer(what, ids)

    server.named = named  # type: ignore[method-assign]
    http = FakeHttp(server, URL)
    for _ in range(2):
        (item,) = [item for item in (await read_one(source, http)).items if item.key.endswith("-4")]
        assert (item.state, item.actor, item.started_at) == (
            "success",
            "",
            datetime(2026, 1, 2, 2, 30, 0, 500_000, UTC),
        )
    assert sum(bool(call.param("ids")) and "/deployments" in call.path for call in http.calls) == 1


async def test_a_quiet_poll_is_two_requests() -> None:
    server, source = Server(), octopus()
    http = FakeHttp(server, URL)
    first = await read_one(source, http)
    assert [call.path.rpartition("/")[2] for call in http.calls] == [
        "all", "dashboard", "deployments", "tasks", "releases"]  # fmt: skip
    http.calls.clear()
    assert (await read_one(source, http)).items == first.items
    assert [call.path.rpartition("/")[2] for call in http.calls] == ["dashboard", "deployments"]
    server.tasks[5] |= {"State": "Failed", "CompletedTime": "2026-01-02T02:55:00+00:00"}
    assert (await read_one(source, http)).items[0].state == "failed"


async def test_what_is_under_way_off_the_dashboard_is_asked_for_at_each_poll() -> None:
    server, source = Server(), octopus()
    server.shown = [4]
    http = FakeHttp(server, URL)
    await read_one(source, http)
    http.calls.clear()
    server.tasks[5] |= {"State": "Success"}
    (item,) = [item for item in (await read_one(source, http)).items if item.key.endswith("-5")]
    assert item.state == "success"
    assert [call.param("ids") for call in http.calls if call.path.endswith("/tasks")] == ["ServerTasks-5"]


async def test_many_ids_are_asked_for_in_several_requests() -> None:
    server = Server()
    server.deployments = [deployment(n) for n in range(199, 119, -1)]
    server.tasks = {n: {"Id": f"ServerTasks-{n}", **TASK} for n in range(120, 200)}
    server.shown = [199]
    http = FakeHttp(server, URL)
    part = await read_one(octopus(deployments=80), http)
    assert {item.state for item in part.items} == {"success"}
    assert len(part.items) == 80
    asked = [len(call.param("ids").split(",")) for call in http.calls if call.path.endswith("/tasks")]
    assert asked == [IDS_AT_ONCE, 79 - IDS_AT_ONCE]


# -- spaces ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name,space", [("Payments", "Spaces-2"), ("payments", "Spaces-2"), ("Spaces-1", "Spaces-1")])
async def test_spaces_by_name_slug_and_id(name: str, space: str) -> None:
    part = await read_one(octopus(spaces=[name]), FakeHttp(Server(), URL))
    assert part.scope == f"{name} releases"
    assert part.items[0].key.startswith(f"octopus:release:{space}/")


async def test_a_space_that_is_not_there_is_a_fault_and_the_other_is_read() -> None:
    source, http = octopus(spaces=["Payments", "Paymetns"]), FakeHttp(Server(), URL)
    parts = {part.scope: part for part in (await read_all(source, http)).parts}
    assert isinstance(parts["Paymetns releases"].error, NotFound)
    assert (parts["Payments releases"].error, len(parts["Payments releases"].items)) == (None, 4)
    server = Server()
    server.spaces[0]["IsDefault"] = False
    with pytest.raises(NotFound, match="name one in `spaces`"):
        await releases(server)


async def test_spaces_are_asked_for_hourly() -> None:
    source, http = octopus(spaces=["Default", "Payments"]), FakeHttp(Server(), URL)
    for _ in range(2):
        await read_all(source, http)
    assert sum(call.path.endswith("/spaces/all") for call in http.calls) == 1
    source.clock.advance(3601)  # type: ignore[attr-defined]
    await read_all(source, http)
    assert sum(call.path.endswith("/spaces/all") for call in http.calls) == 2


async def test_a_space_without_projects_is_a_key_that_may_see_none() -> None:
    server = Server()
    server.projects, server.deployments, server.shown = [], [], []
    with pytest.raises(AuthError, match="no project of the space Default"):
        await releases(server)


async def test_a_limited_dashboard_is_not_the_whole() -> None:
    server = Server()
    server.limit = 1
    (part,) = (await read_all(octopus(), FakeHttp(server, URL))).parts
    assert isinstance(part.error, TooLarge)
    assert len(part.items) == 4
    server.limit = 2
    assert len(await releases(server)) == 4


async def test_a_deployment_without_an_id_is_a_fault_and_the_others_are_read() -> None:
    server = Server()
    server.deployments[3]["Id"] = None
    (part,) = (await read_all(octopus(), FakeHttp(server, URL))).parts
    assert isinstance(part.error, BadAnswer)
    assert len(part.items) == 3


# -- the rest ----------------------------------------------------------------------------------------------------------


async def test_a_deployment_is_read_again_by_id() -> None:
    source, http = octopus(), FakeHttp(Server(), URL)
    part = await read_one(source, http)
    for item in part.items:
        assert await source.lookup("release", item.key.split(":", 2)[2], http) == item
    assert await source.lookup("release", "Spaces-9/Deployments-1", http) is None
    with pytest.raises(NotFound):
        await source.lookup("release", "Spaces-1/Deployments-99", http)


def test_how_the_key_is_sent() -> None:
    source = octopus()
    assert source.sign(Credentials(token="API-X")) == {"X-Octopus-ApiKey": "API-X"}
    assert source.sign(Credentials(token="eyJ0.e30.x")) == {"Authorization": "Bearer eyJ0.e30.x"}
    assert source.sign(Credentials(username="u", password="p")) == {"Authorization": basic("u", "p")}


@pytest.mark.parametrize("options", [{"spaces": [""]}, {"deployments": 0}, {"space": "x"}])
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        octopus(**options)
