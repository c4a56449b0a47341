"""The demo as a whole: its configuration and files, its story as it is seen through HTTP, its blindness, its end."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import click
import httpx
import pytest

from statusboard.cli.demo import command as demo_command
from statusboard.config import load_config
from statusboard.demo import start
from statusboard.demo.deploylog import LINES, DeployLog
from statusboard.demo.names import ALERTS
from statusboard.demo.records import FAULTS, VENDORS
from statusboard.demo.settings import BUSY, config_yaml
from statusboard.demo.world import World
from statusboard.registry import Registry
from tests.demo.conftest import START, HandClock, Play, client

READS = {
    "github": "/repos/acme/checkout/actions/runs",
    "alertmanager": "/api/v2/alerts",
    "buildbot": "/api/v2/builds",
    "roundup": "/rest/data/issue",
}


def lines_of(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# ------------------------------------------------------------------------------------------------------ configuration


def test_the_configuration_names_every_source(play):
    assert list(play.sources) == ["github", "alertmanager", "buildbot", "roundup", "deploy-log"]
    for type, source in play.sources.items():
        if type != "deploy-log":
            assert source["url"] == play.demo.urls[type]
            assert source["url"].startswith("http://127.0.0.1:")
    assert Path(play.sources["deploy-log"]["path"]).as_uri() == play.demo.urls["deploy-log"]
    assert play.sources["alertmanager"]["expect"] == "Watchdog"
    assert play.config["environments"]["production"]["tier"] == "production"


def test_the_configuration_knows_every_service(play):
    services, world = play.config["services"], play.demo.world
    assert list(services) == [service.name for service in world.services]
    assert all(services[service.name]["team"] == service.team for service in world.services)
    assert set(play.sources["github"]["repos"]) == {service.repo for service in world.hosted}
    assert len({service["team"] for service in services.values()}) >= 4


async def test_what_is_configured_can_be_read(play):
    for repo in play.sources["github"]["repos"]:
        assert (await play.github.get(f"/repos/{repo}/actions/runs")).json()["total_count"] > 0
    for vendor, path in READS.items():
        assert (await play.clients[vendor].get(path)).status_code == 200


def test_secrets_are_in_files_that_only_their_owner_reads(play):
    for type, kind in (("github", "token"), ("roundup", "username"), ("roundup", "password")):
        path = Path(play.sources[type][kind].removeprefix("file:"))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert play.secret("github", "token") not in play.demo.config_yaml
    assert play.secret("roundup", "password") not in play.demo.config_yaml


async def test_a_large_company_has_a_configuration_too(tmp_path, clock):
    async with await start(size=20, folder=tmp_path, clock=clock) as demo:
        assert demo.config_yaml.count("team: ") > 30
        assert 'interval: "20s"' in demo.config_yaml


@pytest.mark.parametrize("size", [1, 2, BUSY - 1, BUSY, 20, 40, 90, 200])
def test_the_board_accepts_the_configuration_of_every_size(size, tmp_path):
    (sizes,) = [option.type for option in demo_command.params if option.name == "size"]
    assert isinstance(sizes, click.IntRange) and sizes.min == 1 and sizes.max == 200
    files = {name: tmp_path / name for name in ("token", "username", "password", "log")}
    for file in files.values():
        file.write_text("x\n", encoding="utf-8")
    urls: dict[str, str] = dict.fromkeys(VENDORS, "http://127.0.0.1:9")
    path = tmp_path / "config.yaml"
    path.write_text(config_yaml(World(seed=7, start=START, size=size), urls=urls, files=files), encoding="utf-8")
    assert len(load_config(path, registry=Registry.installed(), env={}).sources) == 5


async def test_a_folder_can_be_used_again(tmp_path, clock):
    for _ in range(2):
        async with await start(folder=tmp_path, clock=clock):
            assert lines_of(tmp_path / "deploys.jsonl")[0]["service"] in ("warehouse", "invoicing")
    tokens = (tmp_path / "token").read_text().splitlines()
    assert len(tokens) == 1


# -------------------------------------------------------------------------------------------------------------- story


class Watcher:
    """Looks at the vendors that can be read, and notes what it has seen."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self.seen: set[str] = set()
        self.firing: set[str] = set()
        self.broken: set[str] = set()
        self.tickets: set[str] = set()

    async def look(self) -> None:
        blind = self.play.demo.world.faults
        if "alertmanager" not in blind:
            await self.alerts()
        if "github" not in blind:
            for repo in self.play.sources["github"]["repos"]:
                await self.repository(repo)
        if "roundup" not in blind:
            params = {"@fields": "title", "priority": "critical"}
            found = (await self.play.roundup.get("/rest/data/issue", params=params)).json()["data"]["collection"]
            self.note("urgent ticket", any(": " in issue["title"] for issue in found))
        for vendor, fault in blind.items():
            self.seen |= {f"{vendor} blind", fault}

    async def alerts(self) -> None:
        found = (await self.play.alertmanager.get("/api/v2/alerts")).json()
        story = [alert for alert in found if alert["labels"]["alertname"] in {name for name, _, _ in ALERTS}]
        for alert in story:
            self.note("alert open", alert["status"]["state"] == "active")
            self.note("alert silenced", bool(alert["status"]["silencedBy"]))
            self.note("alert inhibited", bool(alert["status"]["inhibitedBy"]))
            self.note("alert critical", alert["labels"]["severity"] == "critical")
        now = {alert["fingerprint"] for alert in story}
        self.note("alert over", bool(self.firing - now))
        self.firing = now

    async def repository(self, repo: str) -> None:
        params: dict[str, str] = {"event": "push", "branch": "main", "per_page": "10"}
        runs = (await self.play.github.get(f"/repos/{repo}/actions/runs", params=params)).json()["workflow_runs"]
        verdict = next(run["conclusion"] for run in runs if run["name"] == "CI" and run["conclusion"])
        if verdict == "failure":
            self.broken.add(repo)
        self.note("build broken", verdict == "failure")
        self.note("build mended", verdict == "success" and repo in self.broken)
        params = {"environment": "production", "per_page": "2"}
        for deployment in (await self.play.github.get(f"/repos/{repo}/deployments", params=params)).json():
            statuses = (await self.play.github.get(deployment["statuses_url"])).json()
            self.note(f"{deployment['task']} {statuses[0]['state']}", True)

    def note(self, what: str, so: bool) -> None:
        if so:
            self.seen.add(what)


async def test_the_story_is_seen_through_http(play):
    watcher = Watcher(play)
    for _ in range(48):
        play.turn(20)
        await watcher.look()
    assert watcher.seen >= {
        "alert open", "alert silenced", "alert inhibited", "alert critical", "alert over", "build broken",
        "build mended", "deploy in_progress", "deploy success", "deploy inactive", "rollback success", "urgent ticket",
        "github blind", "alertmanager blind", "buildbot blind", "roundup blind",
    }  # fmt: skip


async def test_an_alert_follows_a_release_by_two_to_four_minutes_and_a_rollback_heals_it(still):
    world = still.demo.world
    service = world.service("payments")
    before = service.version
    world.act("release", "payments")
    still.turn(45)
    deployed = next(d for d in reversed(service.deployments) if d.environment == "production")
    assert (deployed.state, service.version) == ("success", deployed.version)
    alerts: list[str] = []
    while not alerts:
        still.turn(5)
        found = (await still.alertmanager.get("/api/v2/alerts", params={"filter": 'service="payments"'})).json()
        alerts = [alert["startsAt"] for alert in found]
    assert 120 <= world.alerts[-1].starts - deployed.updated <= 240
    still.turn(120)
    assert (await still.alertmanager.get("/api/v2/alerts", params={"filter": 'service="payments"'})).json() == []
    assert service.version == before
    newest = (await still.github.get("/repos/acme/payments/deployments?environment=production")).json()[0]
    assert (newest["task"], newest["ref"]) == ("rollback", before)
    assert deployed.state == "inactive"


async def test_a_deployment_that_fails_is_tried_again(still):
    world = still.demo.world
    service = world.service("payments")
    world.story.release(service, fails=True, approval=10)
    still.turn(120)
    path = "/repos/acme/payments/deployments"
    second, first = (await still.github.get(path, params={"environment": "production", "per_page": 2})).json()
    states = [s["state"] for s in (await still.github.get(first["statuses_url"])).json()]
    assert states == ["failure", "in_progress", "waiting", "queued"]
    assert (await still.github.get(second["statuses_url"])).json()[0]["state"] == "success"
    assert first["ref"] == second["ref"] == service.version


# ---------------------------------------------------------------------------------------------------------- blindness


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_vendor_goes_blind_and_comes_back_and_the_others_are_read(still, vendor, fault):
    still.demo.world.act("blind", vendor=vendor, fault=fault)
    for other, path in READS.items():
        if other != vendor:
            assert (await still.clients[other].get(path)).status_code == 200
    try:
        answer = await still.clients[vendor].get(READS[vendor], timeout=0.05)
    except httpx.ReadTimeout:
        assert fault == "hang"
    except (httpx.RemoteProtocolError, httpx.ReadError):
        assert fault in ("drop", "cut")
    else:
        assert (fault, answer.status_code) == ("unavailable", 503)
    still.turn(51)
    assert (await still.clients[vendor].get(READS[vendor])).status_code == 200


async def test_a_blind_vendor_can_be_made_to_see(still):
    still.demo.world.act("blind", vendor="buildbot")
    assert (await still.buildbot.get(READS["buildbot"])).status_code == 503
    still.demo.world.act("see", vendor="buildbot")
    assert (await still.buildbot.get(READS["buildbot"])).status_code == 200


# --------------------------------------------------------------------------------------------------------- deploy log


def test_the_deploy_log_holds_the_past_and_goes_on(still):
    path = Path(still.sources["deploy-log"]["path"])
    before = lines_of(path)
    assert len(before) > 10
    for line in before:
        assert {"ts", "id", "service", "version", "env", "status", "user"} <= line.keys()
        assert line["status"] in ("running", "success", "failed")
    assert [line["ts"] for line in before] == sorted(line["ts"] for line in before)
    still.demo.world.act("release", "warehouse")
    still.turn(70)
    more = lines_of(path)[len(before) :]
    mine = [line for line in more if line["service"] == "warehouse" and line["env"] == "prod"]
    assert {line["region"] for line in mine if line["status"] == "success"} == {"eu-central", "us-east", "ap-south"}
    assert len({line["version"] for line in mine}) == 1
    assert len({line["id"] for line in mine}) == 3


def test_the_deploy_log_is_rotated(tmp_path):
    world = World(start=START)
    log = DeployLog(world, tmp_path / "deploys.jsonl")
    log.write()
    first = lines_of(log.path)
    for number in range(LINES + 1):
        world.deploy_lines.append({"id": f"more-{number}"})
        log.write()
    old = tmp_path / "deploys.jsonl.1"
    assert lines_of(old)[: len(first)] == first
    assert [line["id"] for line in lines_of(old)[len(first) :] + lines_of(log.path)] == [
        f"more-{number}" for number in range(LINES + 1)
    ]


def test_nothing_is_written_when_nothing_happens(tmp_path):
    world = World(start=START)
    world.deploy_lines.clear()
    log = DeployLog(world, tmp_path / "deploys.jsonl")
    log.write()
    assert not log.path.exists()


# ---------------------------------------------------------------------------------------------------------------- end


async def test_the_story_goes_on_by_itself(tmp_path):
    clock = HandClock()
    async with await start(folder=tmp_path, clock=clock) as demo:
        clock.turn(100)
        async with asyncio.timeout(60):
            while demo.world.now < START + 100:
                await asyncio.sleep(0.01)


async def test_nothing_is_left_behind(tmp_path, clock):
    demo = await start(folder=tmp_path, clock=clock)
    demo.world.act("blind", vendor="github", fault="hang")
    async with client(timeout=None) as http:
        await http.get(demo.urls["buildbot"] + READS["buildbot"])
        hanging = asyncio.create_task(http.get(demo.urls["github"]))
        await asyncio.wait({hanging}, timeout=0.05)
        await demo.close()
        with pytest.raises(httpx.HTTPError):
            await hanging
        with pytest.raises(httpx.ConnectError):
            await http.get(demo.urls["buildbot"])
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_impossible_options_start_nothing(tmp_path):
    with pytest.raises(ValueError, match="size"):
        await start(size=0, folder=tmp_path / "never")
    assert not (tmp_path / "never").exists()
    assert asyncio.all_tasks() == {asyncio.current_task()}
