"""Drone: builds, promotions and rollbacks, and what of them has dropped out of the list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import msgspec
import pytest

from sources.drone import Drone
from statusboard.clock import FakeClock
from statusboard.current import order_of, slot_of
from statusboard.errors import AuthError, BadAnswer, NotFound
from statusboard.model import Build, Part, Release
from statusboard.source import Credentials, Source
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all

URL = "https://drone.example"
REPO = "acme/checkout"
START = datetime(2026, 1, 2, 3, tzinfo=UTC)


def when(minutes: float) -> int:
    return int((START + timedelta(minutes=minutes)).timestamp())


def build(number: Any, status: str = "success", event: str = "push", **more: Any) -> dict[str, Any]:
    done = status not in ("pending", "running", "blocked", "waiting_on_dependencies")
    began = status not in ("pending", "blocked", "waiting_on_dependencies")
    return {
        "id": 1000,
        "repo_id": 1,
        "trigger": "@hook",
        "number": number,
        "status": status,
        "event": event,
        "action": "",
        "link": "https://git.example/acme/checkout/commit/aaa",
        "timestamp": 0,
        "message": "Fix the till\n\nIt rang twice.\n",
        "before": "b" * 40,
        "after": "a" * 40,
        "ref": "refs/heads/main",
        "source_repo": "",
        "source": "main",
        "target": "main",
        "author_login": "ann",
        "author_name": "Ann",
        "sender": "ann",
        "started": when(number + 0.5) if began else 0,
        "finished": when(number + 1) if done else 0,
        "created": when(number),
        "updated": when(number + 1),
        "version": 3,
        **more,
    }


def promotion(number: int, status: str = "success", **more: Any) -> dict[str, Any]:
    return build(
        number, status, **{"event": "promote", "deploy_to": "production", "parent": 11, "trigger": "bob", **more}
    )


class Server:
    """The parts of Drone's API that the source asks for; it knows one repository."""

    def __init__(self) -> None:
        self.builds = [
            build(18, "pending"),
            promotion(17, "running"),
            build(16, "running"),
            promotion(15, event="rollback", parent=10),
            build(14, "failure", "pull_request", ref="refs/pull/7/head", source="till", source_repo="eve/checkout"),
            promotion(13, "failure", deploy_to="staging"),
            build(12, "error", error="yaml: line 3: did not find expected key"),
            build(11),
        ]
        self.repository: dict[str, Any] = {"id": 1, "slug": REPO, "default_branch": "main", "active": True}
        self.token = ""

    def __call__(self, call: Call) -> Answer:
        if self.token and call.headers.get("authorization") != f"Bearer {self.token}":
            return Answer.of({"message": "Unauthorized"}, 401)
        match call.path.removeprefix("/api/repos/").split("/"):
            case ["acme", "checkout"]:
                return Answer.of(self.repository)
            case ["acme", "checkout", "builds"]:
                size, page = int(call.param("per_page", "25")), int(call.param("page", "1"))
                branch = call.param("branch")
                rows = [b for b in self.builds if not branch or b["ref"] == f"refs/heads/{branch}"]
                return Answer.of(rows[(page - 1) * size : page * size])
            case ["acme", "checkout", "builds", "deployments"]:
                newest: dict[str, Any] = {}
                for row in self.builds:
                    if row["event"] in ("promote", "rollback"):
                        newest.setdefault(row["deploy_to"], row)
                return Answer.of(list(newest.values()))
            case ["acme", "checkout", "builds", number]:
                for row in self.builds:
                    if str(row["number"]) == number:
                        return Answer.of({**row, "stages": [{"number": 1, "name": "default", "status": row["status"]}]})
        return Answer.of({"message": "Not Found"}, 404)


class TestContract(SourceContract):
    source = Drone
    options: ClassVar = {"url": URL, "repos": [REPO]}
    state_fields = ("status",)
    time_fields = ("created", "started", "finished")
    id_fields = ("number",)

    def vendor(self, call: Call) -> Answer:
        return Server()(call)


def drone(**options: Any) -> Source[Any]:
    return make_source(Drone, {"url": URL, "repos": [REPO], **options}, FakeClock(START + timedelta(minutes=30)))


async def part_of(source: Source[Any], http: FakeHttp, kind: str) -> Part:
    (part,) = [part for part in (await read_all(source, http)).parts if part.kind == kind]
    if part.error:
        raise part.error
    return part


def server_of(*rows: dict[str, Any]) -> Server:
    server = Server()
    server.builds = list(rows)
    return server


async def one_build(**fields: Any) -> Build:
    (item,) = (await part_of(drone(), FakeHttp(server_of(build(11, **fields)), URL), "build")).items
    assert isinstance(item, Build)
    return item


async def one_release(**fields: Any) -> Release:
    (item,) = (await part_of(drone(), FakeHttp(server_of(promotion(17, **fields)), URL), "release")).items
    assert isinstance(item, Release)
    return item


# -- builds ------------------------------------------------------------------------------------------------------------


async def test_builds_without_promotions() -> None:
    part = await part_of(drone(), FakeHttp(Server(), URL), "build")
    assert (part.scope, part.reach) == ("acme/checkout builds", "window")
    assert [(item.key.rsplit("/", 1)[1], item.state) for item in part.items] == [
        ("18", "queued"),
        ("16", "running"),
        ("14", "failed"),
        ("12", "failed"),
        ("11", "success"),
    ]
    assert part.items[3] == Build(
        key="drone:build:acme/checkout/12",
        source="drone",
        title="Fix the till",
        state="failed",
        raw_state="error",
        reason="yaml: line 3: did not find expected key",
        pipeline="build",
        run_number=12,
        branch="main",
        default_branch="main",
        revision="a" * 40,
        repository="acme/checkout",
        url="https://drone.example/acme/checkout/12",
        links={"commit": "https://git.example/acme/checkout/commit/aaa"},
        actor="ann",
        trigger="push",
        started_at=START + timedelta(minutes=12.5),
        queued_at=START + timedelta(minutes=12),
        updated_at=START + timedelta(minutes=13),
        ended_at=START + timedelta(minutes=13),
    )


STATES = [
    ("pending", "queued", "queued"),
    ("waiting_on_dependencies", "queued", "queued"),
    ("running", "running", "running"),
    ("blocked", "blocked", "blocked"),
    ("success", "success", "success"),
    ("failure", "failed", "failed"),
    ("error", "failed", "failed"),
    ("killed", "cancelled", "cancelled"),
    ("declined", "cancelled", "cancelled"),
    ("skipped", "skipped", "cancelled"),
    ("next_years_word", "unknown", "unknown"),
    ("", "unknown", "unknown"),
]


@pytest.mark.parametrize("status,state,released", STATES)
async def test_states_in_any_case(status: str, state: str, released: str) -> None:
    for word in (status, status.upper(), status.title()):
        item = await one_build(status=word)
        assert (item.state, item.raw_state) == (state, word)
        assert (await one_release(status=word)).state == released


async def test_only_what_is_over_has_an_end() -> None:
    assert (await one_build(status="blocked", finished=when(20))).ended_at is None
    assert (await one_build(status="killed", finished=when(20))).ended_at == START + timedelta(minutes=20)
    assert (await one_build(status="pending", started=0)).started_at == START + timedelta(minutes=11)


@pytest.mark.parametrize(
    "fields,branch,change,fork",
    [
        ({}, "main", "", ""),
        ({"event": "pull_request", "ref": "refs/pull/7/head", "source": "till"}, "till", "7", ""),
        ({"event": "PULL_REQUEST", "ref": "refs/pull/7/merge", "source": "till"}, "till", "7", ""),
        ({"event": "pull_request", "ref": "refs/merge-requests/8/head", "source": "till"}, "till", "8", ""),
        ({"event": "pull_request", "ref": "odd", "source_repo": "ACME/checkout"}, "main", "unknown", ""),
        ({"event": "pull_request", "ref": "refs/pull/7/head", "source_repo": "eve/x"}, "main", "7", "eve/x"),
        ({"event": "push", "source_repo": "eve/x"}, "main", "", ""),
        ({"event": "tag", "ref": "refs/tags/v1.2", "source": "", "target": "main"}, "v1.2", "", ""),
        ({"event": "custom", "target": "side"}, "side", "", ""),
    ],
)  # fmt: skip
async def test_branches_pull_requests_and_forks(fields: dict[str, Any], branch: str, change: str, fork: str) -> None:
    item = await one_build(**fields)
    assert (item.branch, item.change, item.fork) == (branch, change, fork)


async def test_a_cron_job_is_a_pipeline_of_its_own() -> None:
    item = await one_build(event="cron", cron="nightly", trigger="@cron", title="")
    assert (item.pipeline, item.title, item.trigger) == ("nightly", "Fix the till", "cron")


@pytest.mark.parametrize(
    "fields,actor",
    [
        ({}, "ann"),
        ({"trigger": "bob"}, "bob"),
        ({"trigger": "@cron", "sender": ""}, "ann"),
        ({"trigger": None, "sender": "", "author_login": ""}, "Ann"),
    ],
)
async def test_the_actor(fields: dict[str, Any], actor: str) -> None:
    assert (await one_build(**fields)).actor == actor


async def test_a_title_and_the_lack_of_one() -> None:
    assert (await one_build(title="A better till")).title == "A better till"
    assert (await one_build(message="")).title == "build 11"


async def test_attempts_of_restarts_stay_when_the_first_build_leaves_the_list() -> None:
    server = server_of(build(13, parent=12), build(12, parent=11), build(11))
    source, http = drone(), FakeHttp(server, URL)

    async def attempts() -> list[int]:
        return [item.attempt for item in (await part_of(source, http, "build")).items if isinstance(item, Build)]

    assert await attempts() == [3, 2, 1]
    server.builds = [build(14, parent=13), build(13, parent=12)]
    assert await attempts() == [4, 3]
    found = await source.lookup("build", f"{REPO}/13", http)
    assert isinstance(found, Build)
    assert (found.attempt, found.labels) == (3, {"restarted_from": "#12"})


async def test_a_restart_of_older_code_says_nothing_of_newer() -> None:
    server = server_of(build(13, parent=11), build(12, "failure"), build(11, "failure"))
    source, http = drone(), FakeHttp(server, URL)
    restarted, newer, _ = (await part_of(source, http, "build")).items
    assert (restarted.state, newer.state) == ("success", "failed")
    assert slot_of(restarted) == slot_of(newer)
    assert order_of(restarted) < order_of(newer)
    server.builds = [build(14, parent=13), build(12, "failure")]  # the first one has left the list
    again, newer = (await part_of(source, http, "build")).items
    assert order_of(again) < order_of(newer)
    server.builds = [build(15, parent=12), build(12, "failure")]
    mended, _ = (await part_of(source, http, "build")).items
    assert mended.started_at == START + timedelta(minutes=15.5)


# -- releases ----------------------------------------------------------------------------------------------------------


async def test_promotions_and_rollbacks_are_releases() -> None:
    part = await part_of(drone(), FakeHttp(Server(), URL), "release")
    assert (part.scope, part.reach) == ("acme/checkout releases", "window")
    assert [(item.title, item.state) for item in part.items] == [
        ("build 11 to production", "running"),
        ("back to build 10 in production", "rolled_back"),
        ("build 11 to staging", "failed"),
    ]
    assert part.items[2] == Release(
        key="drone:release:acme/checkout/13",
        source="drone",
        title="build 11 to staging",
        description="Fix the till",
        state="failed",
        raw_state="failure",
        environment="staging",
        revision="a" * 40,
        repository="acme/checkout",
        url="https://drone.example/acme/checkout/13",
        links={"build": "https://drone.example/acme/checkout/11"},
        actor="bob",
        trigger="promote",
        started_at=START + timedelta(minutes=13.5),
        updated_at=START + timedelta(minutes=14),
        ended_at=START + timedelta(minutes=14),
    )


async def test_a_promoted_tag_is_a_version() -> None:
    item = await one_release(ref="refs/tags/v1.2")
    assert (item.version, item.title) == ("v1.2", "v1.2 to production")


async def test_a_deployment_of_no_build_and_to_no_target() -> None:
    item = await one_release(parent=0, deploy_to="")
    assert (item.title, item.environment, item.links) == ("aaaaaaaaaa to no environment", "", {})


@pytest.mark.parametrize("status,state", [("success", "rolled_back"), ("failure", "failed"), ("running", "running")])
async def test_a_rollback_that_went_well_is_one(status: str, state: str) -> None:
    item = await one_release(event="Rollback", status=status)
    assert (item.state, item.raw_state, item.trigger) == (state, f"rollback/{status}", "rollback")


# -- what is read ------------------------------------------------------------------------------------------------------


def lists(http: FakeHttp) -> list[str]:
    return [call.url.partition("/builds")[2] for call in http.calls if "/builds" in call.url]


async def test_a_quiet_poll_is_one_request_a_repository_and_kind() -> None:
    source, http = drone(), FakeHttp(Server(), URL)
    await read_all(source, http)
    assert [call.path for call in http.calls].count(f"/api/repos/{REPO}") == 1  # for both parts
    for _ in range(2):
        http.calls.clear()
        await read_all(source, http)
        assert lists(http) == ["?page=1&per_page=25"] * 2
        assert len(http.calls) == 2
    source.clock.advance(3601)  # type: ignore[attr-defined]
    http.calls.clear()
    await read_all(source, http)
    assert [call.path for call in http.calls].count(f"/api/repos/{REPO}") == 1


async def test_at_first_and_after_a_gap_what_dropped_out_of_the_list_is_read() -> None:
    pulls = [build(number, event="pull_request", ref="refs/pull/7/head") for number in (30, 29, 28)]
    server = server_of(*pulls, build(12, "failure"), promotion(11))
    source, http = drone(builds=3), FakeHttp(server, URL)
    built = await part_of(source, http, "build")
    assert [item.state for item in built.items][-1] == "failed"
    assert sorted(lists(http)) == [
        "/deployments",
        "?branch=main&page=1&per_page=3",
        "?page=1&per_page=3",
        "?page=1&per_page=3",
    ]
    released = await part_of(source, http, "release")
    assert released.items == ()  # it is stored by now
    assert lists(http)[4:] == ["?page=1&per_page=3"] * 2
    server.builds[:3] = [build(number, event="pull_request") for number in (45, 44, 43)] + [promotion(42, "failure")]
    released = await part_of(source, http, "release")
    assert [item.state for item in released.items] == ["failed"]


async def test_kinds_narrow_the_parts() -> None:
    scopes = await drone(repos=[REPO, "acme/ledger", "ACME/Checkout"], kinds=["release"]).scopes(
        FakeHttp(Server(), URL)
    )
    assert [scope.name for scope in scopes] == ["acme/checkout releases", "acme/ledger releases"]


async def test_a_wrong_repository_harms_no_other() -> None:
    parts = {p.scope: p for p in (await read_all(drone(repos=["acme/gone", REPO]), FakeHttp(Server(), URL))).parts}
    assert {name for name, part in parts.items() if part.error} == {"acme/gone builds", "acme/gone releases"}
    assert all(isinstance(parts[name].error, NotFound) for name in ("acme/gone builds", "acme/gone releases"))


async def test_a_repository_that_is_not_activated_is_a_fault() -> None:
    server = Server()
    server.repository["active"] = False
    with pytest.raises(NotFound, match="not activated"):
        await part_of(drone(), FakeHttp(server, URL), "build")


async def test_an_odd_row_does_not_cost_the_others() -> None:
    for odd in ({"number": None}, {"event": None}, {"status": 7}):
        server = server_of(build(12), {**build(11), **odd})
        part, _ = (await read_all(drone(), FakeHttp(server, URL))).parts
        assert [item.key for item in part.items] == ["drone:build:acme/checkout/12"]
        assert isinstance(part.error, BadAnswer)


async def test_a_build_without_a_number_of_its_own_is_read_all_the_same() -> None:
    part = await part_of(drone(), FakeHttp(server_of(build(12), {**build(11), "number": 0}), URL), "build")
    assert [item.key for item in part.items] == ["drone:build:acme/checkout/12", "drone:build:acme/checkout/0"]


async def test_items_are_read_again_by_number() -> None:
    server = Server()
    source, http = drone(), FakeHttp(server, URL)
    server.builds[1].update(status="success", finished=when(20))
    released = await source.lookup("release", f"{REPO}/17", http)
    assert released is not None
    assert (released.key, released.state) == ("drone:release:acme/checkout/17", "success")
    running = await source.lookup("build", f"{REPO}/16", http)
    assert running is not None
    assert (running.key, running.state) == ("drone:build:acme/checkout/16", "running")
    assert await source.lookup("build", f"{REPO}/17", http) is None  # a promotion
    assert await source.lookup("build", "acme/other/16", http) is None  # no longer asked for
    with pytest.raises(NotFound):
        await source.lookup("build", f"{REPO}/99", http)


# -- credentials and options -------------------------------------------------------------------------------------------


def test_the_token_is_a_bearer_token() -> None:
    assert drone().sign(Credentials(token="t1")) == {"Authorization": "Bearer t1"}


async def test_a_wrong_token_is_told() -> None:
    server = Server()
    server.token = "t1"
    with pytest.raises(AuthError):
        await part_of(drone(), FakeHttp(server, URL), "build")


@pytest.mark.parametrize("repos", [[], ["acme"], ["acme/../x"], ["acme/x?y"], ["https://drone.example/acme/checkout"]])
def test_repositories_are_checked(repos: list[str]) -> None:
    with pytest.raises(msgspec.ValidationError, match="`repos`"):
        drone(repos=repos)
