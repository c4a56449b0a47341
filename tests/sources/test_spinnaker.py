"""Spinnaker: executions of pipelines, where they deploy to, and what went wrong in them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import httpx
import msgspec
import pytest

from sources.spinnaker import Spinnaker
from statusboard.current import slot_of
from statusboard.errors import AuthError, BadAnswer, NotFound, ServerError
from statusboard.model import Release
from statusboard.source import Source
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all, read_one

URL = "https://gate.example"
DECK = "https://spinnaker.example"
START = 1767321000000  # 2026-01-02T02:30:00Z


def stage(name: str, status: str = "SUCCEEDED", type: str = "deploy", **more: Any) -> dict[str, Any]:
    return {"id": name, "type": type, "name": name, "status": status, "context": {}, "tasks": [], **more}


def execution(number: int, status: str = "SUCCEEDED", pipeline: str = "Deploy", **more: Any) -> dict[str, Any]:
    return {
        "type": "PIPELINE",
        "id": f"01KE{number}",
        "application": "checkout",
        "name": pipeline,
        "pipelineConfigId": pipeline.lower(),
        "status": status,
        "buildTime": START - 1000,
        "startTime": START + number,
        "endTime": None if status == "RUNNING" else START + 600_000,
        "canceled": status == "CANCELED",
        "trigger": {
            "type": "docker",
            "user": "ann",
            "dryRun": False,
            "strategy": False,
            "tag": "1.4.2",
            "parameters": {},
            "artifacts": [],
        },
        "authentication": {"user": "spinnaker"},
        "stages": [stage("Bake", type="bake"), stage("Deploy")],
        **more,
    }


def config(name: str, *stages: dict[str, Any]) -> dict[str, Any]:
    return {"id": name.lower(), "name": name, "application": "checkout", "stages": list(stages)}


def to(account: str, *regions: str) -> dict[str, Any]:
    """A stage that deploys server groups."""
    zones: dict[str, list[str]] = {region: [f"{region}a"] for region in regions}
    return {"type": "deploy", "clusters": [{"account": account, "availabilityZones": zones}]}


class Server:
    """The parts of Gate that the source asks for; one application."""

    def __init__(self) -> None:
        self.executions = [execution(3, "RUNNING"), execution(2, "TERMINAL"), execution(1, pipeline="Nightly")]
        self.configs = [config("Deploy", {"type": "bake"}, to("prod", "us-east-1", "eu-west-1")), config("Nightly")]
        self.applications = {"checkout"}

    def __call__(self, call: Call) -> Answer:
        match call.path.strip("/").split("/"):
            case ["applications", name]:
                return Answer.of({"name": name}) if name in self.applications else Answer.of({"error": "no"}, 404)
            case ["applications", name, "pipelines"]:
                assert call.param("expand") == "false"
                return Answer.of(self.executions if name == "checkout" else [])
            case ["applications", name, "pipelineConfigs"]:
                return Answer.of(self.configs if name == "checkout" else [])
            case ["pipelines", number]:
                found = [row for row in self.executions if row["id"] == number]
                return Answer.of(found[0]) if found else Answer.of({"error": "Pipeline not found"}, 404)
        return Answer(status=404)


class TestContract(SourceContract):
    source = Spinnaker
    options: ClassVar = {"url": URL, "applications": ["checkout"]}
    state_fields = ("status",)
    time_fields = ("buildTime", "startTime", "endTime")

    def vendor(self, call: Call) -> Answer:
        return Server()(call)

    def test_the_sign_in_page_is_a_refusal(self) -> None:
        def server(request: httpx.Request) -> httpx.Response:
            if request.url.path == "/login":
                return httpx.Response(200, content=b"<html>Login</html>", headers={"content-type": "text/html"})
            return httpx.Response(302, headers={"location": f"{URL}/login"})

        self._all_failed(self._run(server), "a redirect to sign in", AuthError)


def spinnaker(**options: Any) -> Source[Any]:
    return make_source(Spinnaker, {"url": URL, "applications": ["checkout"], "ui_url": DECK, **options})


async def releases(server: Server, **options: Any) -> list[Release]:
    part = await read_one(spinnaker(**options), FakeHttp(server, URL))
    return [item for item in part.items if isinstance(item, Release)]


async def release(**fields: Any) -> Release:
    server = Server()
    server.executions = [{**execution(3), **fields}]
    return (await releases(server))[0]


async def test_an_execution_is_a_release() -> None:
    assert await release(status="TERMINAL", stages=[stage("Bake"), stage("Deploy", "TERMINAL")]) == Release(
        key="spinnaker:release:checkout/01KE3",
        source="spinnaker",
        title="checkout: Deploy 1.4.2",
        state="failed",
        raw_state="TERMINAL",
        reason="1 of 2 stages: Deploy",
        environment="prod",
        target="Deploy",
        version="1.4.2",
        url="https://spinnaker.example/#/applications/checkout/executions/details/01KE3",
        labels={
            "application": "checkout",
            "pipeline": "Deploy",
            "account": "prod",
            "regions": "prod/eu-west-1, prod/us-east-1",
        },
        actor="ann",
        trigger="docker",
        started_at=datetime(2026, 1, 2, 2, 30, 0, 3_000, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 2, 40, tzinfo=UTC),
        ended_at=datetime(2026, 1, 2, 2, 40, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "status,state",
    [("NOT_STARTED", "queued"), ("BUFFERED", "queued"), ("RUNNING", "running"), ("running", "running"),
     ("REDIRECT", "running"), ("PAUSED", "blocked"), ("SUSPENDED", "blocked"), ("SUCCEEDED", "success"),
     ("Succeeded", "success"), ("FAILED_CONTINUE", "warning"), ("TERMINAL", "failed"), ("STOPPED", "failed"),
     ("CANCELED", "cancelled"), ("SKIPPED", "cancelled"), ("DREAMING", "unknown"), (None, "unknown")],
)  # fmt: skip
async def test_states(status: str | None, state: str) -> None:
    assert (await release(status=status)).state == state


@pytest.mark.parametrize("status", ["FAILED_CONTINUE", "stopped"])
async def test_a_pipeline_that_went_on_after_a_failed_stage_is_not_green(status: str) -> None:
    stages = [stage("Bake"), stage("Verify", status), stage("Deploy"), stage("inner", status, parentStageId="x")]
    found = await release(stages=stages)
    assert (found.state, found.reason) == ("warning", "1 of 3 stages: Verify")


async def test_what_waits_for_a_person_is_blocked() -> None:
    judging = [stage("Bake"), stage("Go?", "RUNNING", "manualJudgment")]
    found = await release(status="RUNNING", stages=judging)
    assert (found.state, found.reason, found.ended_at) == ("blocked", "Go?", None)
    judged = [stage("Go?", "SUCCEEDED", "manualJudgment"), stage("Deploy", "RUNNING")]
    assert (await release(status="RUNNING", stages=judged)).state == "running"


async def test_who_cancelled_and_why() -> None:
    found = await release(status="CANCELED", canceledBy="bob", cancellationReason="wrong tag")
    assert (found.state, found.reason) == ("cancelled", "bob: wrong tag")


async def test_what_is_deployed() -> None:
    image = {"type": "docker/image", "name": "shop", "version": "2.0", "reference": "registry.example/shop:2.0"}
    found = await release(trigger={"type": "pubsub", "artifacts": [{"type": "git/repo"}, image], "user": "[anonymous]"})
    assert (found.version, found.labels["image"], found.actor) == ("2.0", "registry.example/shop:2.0", "")
    found = await release(trigger={"type": "manual", "parameters": {"version": 7, "tag": "x"}})
    assert (found.version, found.actor) == ("7", "spinnaker")
    found = await release(trigger={"type": "git", "hash": "c" * 40, "project": "acme", "slug": "checkout"})
    assert (found.revision, found.repository, found.version) == ("c" * 40, "acme/checkout", "")
    build = {"scm": [{"sha1": None}, {"sha1": "d" * 40}], "url": "https://ci.example/7"}
    found = await release(trigger={"type": "jenkins", "buildInfo": build})
    assert (found.revision, found.links) == ("d" * 40, {"build": "https://ci.example/7"})


async def test_trial_runs_and_strategies_are_no_releases() -> None:
    server = Server()
    server.executions = [execution(1), execution(2, trigger={"dryRun": True}), execution(3, trigger={"strategy": True})]
    assert [found.key for found in await releases(server)] == ["spinnaker:release:checkout/01KE1"]


async def test_without_a_web_interface_there_is_no_link() -> None:
    assert (await releases(Server(), ui_url=""))[0].url == ""


# -- where to ----------------------------------------------------------------------------------------------------------


async def places(*configs: dict[str, Any]) -> dict[str, tuple[str, str]]:
    server = Server()
    server.configs = list(configs)
    server.executions = [execution(n, pipeline=c["name"]) for n, c in enumerate(configs)]
    return {found.target: (found.environment, found.labels.get("regions", "")) for found in await releases(server)}


async def test_accounts_and_regions() -> None:
    manifest = {"type": "deployManifest", "account": "k8s-prod", "namespaceOverride": "shop"}
    worked_out = {"type": "deployManifest", "account": "${ parameters.account }"}
    other = {"type": "findImage", "account": "nowhere"}
    assert await places(
        config("Servers", to("prod", "us-east-1"), to("test", "us-east-1")),
        config("Region", {"type": "deploy", "clusters": [{"account": "prod", "region": "eu"}]}),
        config("Manifest", manifest, other),
        config("Expression", worked_out),
        config("Many", to("prod", "a", "b", "c", "d", "e", "f")),
    ) == {
        "Servers": ("", "prod/us-east-1, test/us-east-1"),
        "Region": ("prod", "prod/eu"),
        "Manifest": ("k8s-prod", "k8s-prod/shop"),
        "Expression": ("", ""),
        "Many": ("prod", "prod/a, prod/b, prod/c, prod/d and 2 more"),
    }


async def test_what_competes_with_what_is_the_pipeline_s_and_stays_so() -> None:
    """A good run of one must not stand for a failed one of another, nor a new region leave a failure behind."""
    server = Server()
    server.configs = [config("Web", to("prod", "eu")), config("Worker", to("prod", "eu"))]
    server.executions = [execution(1, pipeline="Web"), execution(2, pipeline="Worker")]
    before = {slot_of(found) for found in await releases(server)}
    assert len(before) == 2
    server.configs = [config("Web", to("prod", "eu", "us")), config("Worker", to("prod", "eu"))]
    assert {slot_of(found) for found in await releases(server)} == before


async def test_configurations_are_read_hourly_and_sooner_for_a_new_pipeline() -> None:
    server, source = Server(), spinnaker()
    http = FakeHttp(server, URL)

    async def read_after(seconds: float) -> list[str]:
        source.clock.advance(seconds)  # type: ignore[attr-defined]
        http.calls.clear()
        await read_one(source, http)
        return [call.path.rpartition("/")[2] for call in http.calls]

    assert await read_after(0) == ["pipelines", "pipelineConfigs"]
    assert await read_after(600) == ["pipelines"]
    server.executions.append(execution(4, pipeline="New"))
    assert await read_after(0) == ["pipelines", "pipelineConfigs"]
    assert await read_after(200) == ["pipelines"]
    assert await read_after(200) == ["pipelines", "pipelineConfigs"]


async def test_configurations_that_cannot_be_read_cost_no_release() -> None:
    server = Server()

    def vendor(call: Call) -> Answer:
        return Answer(status=500) if call.path.endswith("/pipelineConfigs") else server(call)

    source, http = spinnaker(), FakeHttp(vendor, URL)
    (part,) = (await read_all(source, http)).parts
    assert isinstance(part.error, ServerError)
    assert {item.environment for item in part.items} == {""}
    await read_all(source, http)
    assert sum(call.path.endswith("/pipelineConfigs") for call in http.calls) == 1  # it is not asked at every poll
    http.handler = server
    source.clock.advance(301)  # type: ignore[attr-defined]
    before = await read_one(source, http)
    http.handler = vendor
    source.clock.advance(3601)  # type: ignore[attr-defined]
    assert (await read_one(source, http)).items == before.items  # what was known stays


async def test_a_pipeline_that_is_gone_takes_its_executions_with_it() -> None:
    """Else its last one, if it failed, would be failing for good."""
    server, source = Server(), spinnaker()
    http = FakeHttp(server, URL)
    await read_one(source, http)
    nightly = server.executions.pop()
    assert (await read_one(source, http)).reach == "window"  # it is there, and has not run for long
    server.executions.append(nightly)
    await read_one(source, http)
    del server.executions[-1], server.configs[1]
    part = await read_one(source, http)
    assert (part.reach, part.retire_only) == ("complete", frozenset({"spinnaker:release:checkout/01KE1"}))
    assert (await read_one(source, http)).reach == "window"


# -- what is read ------------------------------------------------------------------------------------------------------


async def test_one_part_an_application() -> None:
    source, http = spinnaker(applications=["checkout", "chekcout", "checkout"]), FakeHttp(Server(), URL)
    parts = {part.scope: part for part in (await read_all(source, http)).parts}
    assert list(parts) == ["checkout releases", "chekcout releases"]
    assert isinstance(parts["chekcout releases"].error, NotFound)
    assert len(parts["checkout releases"].items) == 3


async def test_an_application_that_never_ran_a_pipeline_is_no_fault() -> None:
    server = Server()
    server.applications.add("new")
    assert await releases(server, applications=["new"]) == []


async def test_pipelines_by_name() -> None:
    assert {found.labels["pipeline"] for found in await releases(Server(), pipelines=["Night*"])} == {"Nightly"}
    (part,) = (await read_all(spinnaker(pipelines=["Deploy", "Depoly"]), FakeHttp(Server(), URL))).parts
    assert isinstance(part.error, NotFound)
    assert "Depoly" in str(part.error)
    assert len(part.items) == 2


async def test_an_execution_without_an_id_is_a_fault_and_the_others_are_read() -> None:
    server = Server()
    server.executions[0]["id"] = None
    (part,) = (await read_all(spinnaker(), FakeHttp(server, URL))).parts
    assert isinstance(part.error, BadAnswer)
    assert len(part.items) == 2


async def test_an_execution_is_read_again_by_id() -> None:
    source, http = spinnaker(), FakeHttp(Server(), URL)
    for item in (await read_one(source, http)).items:
        assert await source.lookup("release", item.key.split(":", 2)[2], http) == item
    with pytest.raises(NotFound):
        await source.lookup("release", "checkout/01KE9", http)


@pytest.mark.parametrize(
    "options,message",
    [({"applications": []}, "`applications`"), ({"applications": [""]}, "`applications`"),
     ({"pipelines": [""]}, "`pipelines`"),
     ({"ui_url": "spinnaker.example"}, "`ui_url`"), ({"executions": 0}, "executions"), ({"apps": ["x"]}, "apps")],
)  # fmt: skip
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        spinnaker(**options)
