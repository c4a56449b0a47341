"""TeamCity: what runs, waits and has finished, and the newest build of every configuration's default branch."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, ClassVar

import httpx
import msgspec
import pytest

from sources.teamcity import TeamCity
from statusboard.client import mock
from statusboard.errors import BadAnswer, NotFound, TooLarge
from statusboard.model import Build, Part
from statusboard.source import Source
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all, read_one

URL = "https://tc.example/ci"
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SHA = "a" * 40


def build(number: int, status: str | None = "SUCCESS", state: str | None = "finished", **more: Any) -> dict[str, Any]:
    kind = more.get("buildTypeId", "Shop_Build")
    dates = {"queuedDate": "20260102T040405+0100", "startDate": "20260102T030405+0000"}
    if state == "finished":
        dates["finishDate"] = "20260102T030405+0000"
    return {
        "id": number,
        "number": str(number),
        "state": state,
        "running": state == "running",
        "status": status,
        "statusText": "Tests failed: 2, passed: 30" if status == "FAILURE" else "Success",
        "branchName": "main",
        "defaultBranch": True,
        "personal": False,
        "composite": False,
        "failedToStart": False,
        "webUrl": f"https://tc.example/ci/viewLog.html?buildId={number}",
        "buildTypeId": kind,
        "buildType": {"name": kind.rpartition("_")[2], "projectName": "Shop"},
        "triggered": {"type": "user", "user": {"name": "Ann", "username": "ann"}},
        "revisions": {"revision": [{"version": SHA, "vcsBranchName": "refs/heads/main"}]},
        "tags": {"tag": []},
        **dates,
        **more,
    }


class Server:
    """TeamCity's REST API, with the locators that the source uses; builds are newest first."""

    def __init__(self, *builds: dict[str, Any], kinds: tuple[str, ...] = ("Shop_Build", "Shop_Nightly")) -> None:
        self.builds = list(builds)
        self.kinds = dict.fromkeys(kinds, False)
        self.calls: list[Call] = []
        self.page = 100

    def __call__(self, call: Call) -> Answer:
        self.calls.append(call)
        path = call.path.removeprefix("/ci/app/rest").removeprefix("/ci/guestAuth/app/rest")
        locator, fields = call.param("locator"), call.param("fields")
        project = re.search(r"affectedProject:\(id:(\w+)\)", locator)
        kind = re.search(r"(?:buildType:\(|^)id:(\w+)", locator)
        if (project and project[1] not in ("_Root", "Shop")) or (kind and kind[1] not in self.kinds):
            return Answer(status=404, body=b"Nothing is found by locator", headers={"content-type": "text/plain"})
        kinds = [kind[1]] if kind else list(self.kinds)
        if path == "/builds":
            return self.answer(locator, fields, kinds)
        if path == "/buildTypes":
            return self.configurations(locator, fields, kinds)
        if number := re.fullmatch(r"/builds/id:(\d+)", path):
            found = [one for one in self.builds if one["id"] == int(number[1]) or one.get("was") == int(number[1])]
            return Answer.of(found[0]) if found else Answer(status=404)
        return Answer(status=404)

    def chosen(self, locator: str, kinds: list[str]) -> list[dict[str, Any]]:
        assert "defaultFilter:false" in locator  # else TeamCity leaves most builds out
        states = re.findall(r"(queued|running):true", locator) or ["finished"]
        found = [one for one in self.builds if (one["state"] or "finished") in states and one["buildTypeId"] in kinds]
        if "personal:false" in locator:
            found = [one for one in found if not one["personal"]]
        if "branch:(default:true)" in locator:
            found = [one for one in found if one["defaultBranch"] is not False]
        count = re.search(r"count:(\d+)", locator)
        assert count
        return found[: int(count[1])]

    def answer(self, locator: str, fields: str, kinds: list[str]) -> Answer:
        assert fields.startswith("count,build(id,number,state,")
        found = self.chosen(locator, kinds)
        return Answer.of({"count": len(found), "build": found})

    def configurations(self, locator: str, fields: str, kinds: list[str]) -> Answer:
        inner = re.search(r"builds\(\$locator\((.*)\),count,build", fields)
        assert inner
        start = int(re.findall(r"start:(\d+)|$", locator)[0] or 0)
        shown = kinds[start : start + self.page]
        rows = []
        for kind in shown:
            builds = self.chosen(inner[1], [kind])
            nested = {"count": len(builds), "build": builds}
            rows.append({"id": kind, "paused": self.kinds[kind], "builds": nested})
        answer: dict[str, Any] = {"count": len(rows), "buildType": rows}
        if start + self.page < len(kinds):
            following = f"affectedProject:(id:_Root),start:{start + self.page}"
            answer["nextHref"] = f"/ci/app/rest/buildTypes?locator={following}&fields={fields}"
        return Answer.of(answer)


class TestContract(SourceContract):
    source = TeamCity
    options: ClassVar = {"url": URL, "token": "env:TOKEN", "projects": ["Shop"]}
    state_fields = ("state", "status")
    time_fields = ("queuedDate", "startDate", "finishDate")
    id_fields = ("id", "buildTypeId")

    def make(self, **more: object) -> Source[Any]:
        return super().make(token="", **more)

    def vendor(self, call: Call) -> Answer:
        return Server(
            build(9, None, "queued", approvalInfo={"status": "waitingForApproval"}),
            build(8, "SUCCESS", "running"),
            build(7, "FAILURE"),
            build(6, "UNKNOWN", canceledInfo={"text": "no use"}, tags={"tag": [{"name": "old"}]}),
            build(5, "FAILURE", branchName="topic", defaultBranch=False),
            build(4, "ERROR", buildTypeId="Shop_Nightly"),
        )(call)


def teamcity(**options: Any) -> Source[Any]:
    return make_source(TeamCity, {"url": URL, **options})


async def read(server: Server, source: Source[Any] | None = None, **options: Any) -> Part:
    return await read_one(source or teamcity(**options), FakeHttp(server, URL))


async def items(server: Server, source: Source[Any] | None = None, **options: Any) -> dict[int, Build]:
    """Every item by its number."""
    part = await read(server, source, **options)
    return {int(item.key.removeprefix("teamcity:build:")): item for item in part.items}  # type: ignore[misc]


async def one(id: int, /, *args: Any, **more: Any) -> Build:
    return (await items(Server(build(id, *args, **more))))[id]


# -- builds ------------------------------------------------------------------------------------------------------------


async def test_a_build() -> None:
    assert await one(1, "FAILURE", tags={"tag": [{"name": "release"}]}) == Build(
        key="teamcity:build:1",
        source="teamcity",
        title="#1",
        state="failed",
        raw_state="finished/FAILURE",
        reason="Tests failed: 2, passed: 30",
        pipeline="Shop / Build",
        run_number=1,
        branch="main",
        default_branch="main",
        revision=SHA,
        url="https://tc.example/ci/viewLog.html?buildId=1",
        labels={"build_type": "Shop_Build", "release": ""},
        actor="Ann",
        trigger="user",
        started_at=WHEN,
        queued_at=WHEN,
        updated_at=WHEN,
        ended_at=WHEN,
    )


CANCELED = {"text": "Not needed"}


@pytest.mark.parametrize(
    "status,state,more,expected",
    [
        (None, "queued", {}, "queued"),
        (None, "Queued", {"approvalInfo": {"status": "approved"}}, "queued"),
        (None, "queued", {"approvalInfo": {"status": "waitingForApproval"}}, "blocked"),
        (None, "queued", {"approvalInfo": {"status": "WAITINGFORAPPROVAL"}}, "blocked"),
        (None, "queued", {"approvalInfo": {"status": "timedOut"}}, "queued"),
        (None, "queued", {"approvalInfo": {"status": "pondered"}}, "queued"),
        ("SUCCESS", "running", {}, "running"),
        ("FAILURE", "RUNNING", {}, "running"),
        ("SUCCESS", "finished", {}, "success"),
        ("success", "Finished", {}, "success"),
        ("FAILURE", "finished", {}, "failed"),
        ("Failure", "finished", {}, "failed"),
        ("FAILURE", "finished", {"canceledInfo": CANCELED}, "failed"),
        ("ERROR", "finished", {}, "failed"),
        ("error", "finished", {}, "failed"),
        ("UNKNOWN", "finished", {"canceledInfo": CANCELED}, "cancelled"),
        ("unknown", "finished", {"canceledInfo": CANCELED}, "cancelled"),
        ("UNKNOWN", "finished", {}, "unknown"),
        ("UNKNOWN", "finished", {"failedToStart": True, "canceledInfo": CANCELED}, "failed"),
        ("FAILURE", "finished", {"failedToStart": True}, "failed"),
        ("SPLENDID", "finished", {}, "unknown"),
        (None, "finished", {}, "unknown"),
        ("SUCCESS", "unknown", {}, "unknown"),
        ("SUCCESS", "pondering", {}, "unknown"),
    ],
)
async def test_states(status: str | None, state: str, more: dict[str, Any], expected: str) -> None:
    source = teamcity()
    found = build(1, status, state, **more)
    assert (await source.lookup("build", "1", FakeHttp(lambda call: Answer.of(found), URL))).state == expected  # type: ignore[union-attr]


async def test_a_deleted_build_is_none() -> None:
    http = FakeHttp(lambda call: Answer.of(build(1, "SUCCESS", "deleted")), URL)
    assert await teamcity().lookup("build", "1", http) is None


@pytest.mark.parametrize(
    "running,status,expected",
    [(True, "SUCCESS", "running"), (False, "FAILURE", "failed"), (None, "FAILURE", "failed"), (None, None, "unknown")],
)
async def test_old_servers_say_running_instead_of_a_state(running: Any, status: Any, expected: str) -> None:
    found = {
        "id": 1,
        "number": "7",
        "running": running,
        "status": status,
        "buildTypeId": "bt2",
        "webUrl": "https://x.y",
    }
    item = await teamcity().lookup("build", "1", FakeHttp(lambda call: Answer.of(found), URL))
    assert isinstance(item, Build)
    assert (item.state, item.title, item.pipeline) == (expected, "#7", "bt2")


async def test_a_build_without_a_number_is_called_as_its_configuration() -> None:
    rows = [build(n) | {"number": number} for n, number in ((3, "1.4.212"), (2, "N/A"), (1, None))]
    found = await items(Server(*rows))
    assert {n: item.title for n, item in found.items()} == {3: "#1.4.212", 2: "Shop / Build", 1: "Shop / Build"}


async def test_why_it_went_so() -> None:
    assert (await one(1, "SUCCESS")).reason == ""
    assert (await one(1, "UNKNOWN", canceledInfo=CANCELED)).reason == "Not needed"
    assert (await one(1, "UNKNOWN", canceledInfo={}, statusText="Canceled")).reason == "Canceled"
    assert (await one(1, "FAILURE", failedToStart=True, statusText="No VCS")).reason == "No VCS"
    assert (await one(1, "FAILURE", "running")).reason == "failing"
    assert (await one(1, "SUCCESS", "running")).reason == ""
    assert (await one(1, None, "queued", approvalInfo={"status": "waitingForApproval"})).reason == "waits for approval"


async def test_a_running_build_does_not_change_with_every_test() -> None:
    first = await one(1, "FAILURE", "running", statusText="Tests passed: 1", percentageComplete=1)
    assert first == await one(1, "FAILURE", "running", statusText="Tests passed: 9", percentageComplete=9)
    assert (first.started_at, first.updated_at, first.ended_at) == (WHEN, None, None)


async def test_a_waiting_build_has_waited_since_it_was_queued() -> None:
    item = await one(1, None, "queued", startDate=None)
    assert (item.started_at, item.ended_at, item.raw_state) == (WHEN, None, "queued")


@pytest.mark.parametrize(
    "number,run_number,labels",
    [("217", 217, {}), ("1.4.217", None, {"number": "1.4.217"}), ("N/A", None, {"number": "N/A"}), (None, None, {})],
)
async def test_numbers(number: str | None, run_number: int | None, labels: dict[str, str]) -> None:
    item = (await items(Server({**build(1), "number": number})))[1]
    assert (item.run_number, item.labels) == (run_number, {"build_type": "Shop_Build", **labels})


async def test_composite_builds_are_marked() -> None:
    assert (await one(1, composite=True)).labels["composite"] == "true"


async def test_the_default_branch() -> None:
    topic = build(2, "FAILURE", branchName="topic", defaultBranch=False)
    found = await items(Server(topic, build(1)))
    assert (found[1].branch, found[1].default_branch) == ("main", "main")
    assert (found[2].branch, found[2].default_branch) == ("topic", "main")
    assert (await items(Server(topic)))[2].default_branch == "<default>"  # not its own branch, whatever the name
    assert (await one(1, branchName=None, defaultBranch=None)).default_branch == ""


@pytest.mark.parametrize(
    "branch,vcs,change",
    [("pull/17", "", "17"), ("refs/pull/17/head", "", "17"), ("17/merge", "refs/pull/17/merge", "17"),
     ("merge-requests/5", "", "5"), ("refs/merge-requests/5/head", "", "5"), ("pull-requests/3/from", "", "3"),
     ("topic", "refs/heads/topic", ""), ("pull/me", "", ""), ("pull/17x", "", "")],
)  # fmt: skip
async def test_pull_requests(branch: str, vcs: str, change: str) -> None:
    revisions = {"revision": [{"version": SHA, "vcsBranchName": vcs}]}
    item = await one(1, branchName=branch, defaultBranch=False, revisions=revisions)
    assert (item.branch, item.change) == (branch, change)


async def test_triggers_without_a_person() -> None:
    item = await one(1, triggered={"type": "vcs", "details": "jetbrains.git"})
    assert (item.trigger, item.actor) == ("vcs", "")
    assert (await one(1, triggered={"type": "user", "user": {"username": "bob"}})).actor == "bob"


async def test_personal_builds_only_where_they_are_asked_for() -> None:
    server = Server(build(2, personal=True), build(1))
    assert set(await items(server)) == {1}
    assert set(await items(server, personal=True)) == {1, 2}
    assert all("personal:false" in call.param("locator") for call in server.calls[:2])


# -- what is read ------------------------------------------------------------------------------------------------------


async def test_running_and_waiting_builds_come_beside_the_newest() -> None:
    server = Server(build(5, None, "queued"), build(4, "SUCCESS", "running"), build(3), build(2), build(1))
    part = await read(server, builds=2)
    assert [item.key.rpartition(":")[2] for item in part.items] == ["5", "4", "3", "2"]
    assert (part.reach, part.notes) == ("window", ())
    assert [call.param("locator") for call in server.calls] == [
        "defaultFilter:false,branch:(default:any),personal:false,affectedProject:(id:_Root),"
        "state:(queued:true,running:true),count:100",
        "defaultFilter:false,branch:(default:any),personal:false,affectedProject:(id:_Root),state:finished,count:2",
        "affectedProject:(id:_Root),count:100",
    ]


async def test_very_many_waiting_builds_are_said_to_be_cut() -> None:
    server = Server(*(build(number, None, "queued") for number in range(200, 90, -1)), build(1))
    part = await read(server)
    assert len(part.items) == 101
    assert part.notes == ("only 100 running and waiting builds are read",)


async def test_a_configuration_that_is_seldom_built_is_read_beyond_the_window() -> None:
    rare = build(1, "FAILURE", buildTypeId="Shop_Nightly")
    server, source = Server(*(build(number) for number in range(9, 1, -1)), rare), teamcity(builds=3)
    for _ in range(2):
        assert {number: item.state for number, item in (await items(server, source)).items()} == {
            9: "success", 8: "success", 7: "success", 1: "failed",
        }  # fmt: skip
    assert sum(call.path.endswith("/buildTypes") for call in server.calls) == 1
    source.clock.advance(901)  # type: ignore[attr-defined]
    await items(server, source)
    assert sum(call.path.endswith("/buildTypes") for call in server.calls) == 2


async def test_what_was_cancelled_does_not_hide_the_verdict_before() -> None:
    cancelled = [build(number, "UNKNOWN", canceledInfo=CANCELED, buildTypeId="Shop_Nightly") for number in (3, 2)]
    failed = build(1, "FAILURE", buildTypeId="Shop_Nightly")
    found = await items(Server(build(9), build(8), *cancelled, failed), builds=2)
    assert {number: item.state for number, item in found.items()} == {9: "success", 8: "success", 1: "failed"}


async def test_a_verdict_outlives_any_number_of_cancelled_builds() -> None:
    failed = build(1, "FAILURE", buildTypeId="Shop_Nightly")
    server, source = Server(failed), teamcity(builds=1)
    assert set(await items(server, source)) == {1}
    for number in range(2, 9):
        server.builds.insert(0, build(number, "UNKNOWN", canceledInfo=CANCELED, buildTypeId="Shop_Nightly"))
    source.clock.advance(901)  # type: ignore[attr-defined]
    part = await read(server, source)
    assert [item.state for item in part.items] == ["cancelled", "failed"]
    assert part.reach == "window"


async def test_what_leaves_the_window_is_remembered_as_it_was_last_told() -> None:
    changed = build(2, "FAILURE")
    server, source = Server(changed, build(1)), teamcity(builds=1)
    await items(server, source)
    changed["status"] = "SUCCESS"  # somebody marked it so
    await items(server, source)
    server.builds.insert(0, build(3, branchName="topic", defaultBranch=False))
    assert (await items(server, source))[2].state == "success"


async def test_after_a_gap_configurations_are_read_again() -> None:
    server, source = Server(build(2), build(1)), teamcity(builds=2)
    await items(server, source)
    nightly = build(10, "FAILURE", buildTypeId="Shop_Nightly")
    server.builds = [build(number) for number in range(19, 10, -1)] + [nightly]
    assert (await items(server, source))[10].state == "failed"


async def test_paused_and_deleted_configurations_leave_the_board() -> None:
    nightly = build(1, "FAILURE", buildTypeId="Shop_Nightly")
    server, source = Server(build(2), nightly), teamcity()
    part = await read(server, source)
    assert (len(part.items), part.reach) == (2, "window")
    server.kinds["Shop_Nightly"] = True
    source.clock.advance(901)  # type: ignore[attr-defined]
    part = await read(server, source)
    assert [item.key for item in part.items] == ["teamcity:build:2"]
    assert (part.reach, part.retire_only) == ("complete", frozenset({"teamcity:build:1"}))
    assert (await read(server, source)).reach == "window"  # it has left
    server.builds.remove(build(2))
    del server.kinds["Shop_Build"]
    source.clock.advance(901)  # type: ignore[attr-defined]
    part = await read(server, source)
    assert part.retire_only == frozenset({"teamcity:build:1", "teamcity:build:2"})


async def test_configurations_come_in_pages() -> None:
    kinds = tuple(f"Shop_{number}" for number in range(25))
    server = Server(*(build(number, buildTypeId=kind) for number, kind in enumerate(kinds)), kinds=kinds)
    server.page = 10
    assert len(await items(server, builds=1)) == 25
    pages = [call.url for call in server.calls if call.path.endswith("/buildTypes")]
    assert [url.startswith(f"{URL}/guestAuth/app/rest/buildTypes?") for url in pages] == [True, True, True]


async def test_pages_without_end_and_in_a_circle() -> None:
    def endless(step: int) -> Any:
        def vendor(call: Call) -> Answer:
            if not call.path.endswith("/buildTypes"):
                return Answer.of({"count": 0, "build": []})
            start = int(call.param("start", "0")) + step
            row = {"id": "Shop_Build", "builds": {"count": 0, "build": []}}
            return Answer.of({"count": 1, "buildType": [row], "nextHref": f"/app/rest/buildTypes?start={start}"})

        return vendor

    with pytest.raises(TooLarge):
        await read_one(teamcity(), FakeHttp(endless(1), URL))
    with pytest.raises(BadAnswer, match="circle"):
        await read_one(teamcity(), FakeHttp(endless(0), URL))


async def test_a_next_page_elsewhere_is_refused() -> None:
    row = {"id": "Shop_Build", "builds": {"count": 0, "build": []}}
    answers = {"build": [], "buildType": [row], "nextHref": "https://evil.example/"}
    with pytest.raises(BadAnswer, match="next page"):
        await read_one(teamcity(), FakeHttp(lambda call: Answer.of({"count": 0, **answers}), URL))


async def test_fewer_rows_than_announced_are_a_fault() -> None:
    def vendor(call: Call) -> Answer:
        return Answer.of({"count": 3, "build": [build(1)]})

    with pytest.raises(BadAnswer, match="3 builds are announced, and 1 came"):
        await read_one(teamcity(), FakeHttp(vendor, URL))


async def test_no_configuration_is_a_fault_not_an_empty_board() -> None:
    with pytest.raises(NotFound, match="no build configuration"):
        await read(Server(kinds=()))


@pytest.mark.parametrize("builds,more", [([], [{"id": 7}]), ([{"id": "x"}], [])])
async def test_what_is_odd_among_configurations_costs_only_itself(builds: list[Any], more: list[Any]) -> None:
    def vendor(call: Call) -> Answer:
        if not call.path.endswith("/buildTypes"):
            return Answer.of({"count": 0, "build": []})
        nested = {"count": 1, "build": [build(1), *builds]}
        return Answer.of({"count": 1, "buildType": [{"id": "Shop_Build", "builds": nested}, *more]})

    source, http = teamcity(), FakeHttp(vendor, URL)
    for _ in range(2):  # it is said at every poll
        (part,) = (await read_all(source, http)).parts
        assert len(part.items) == 1
        assert isinstance(part.error, BadAnswer)


async def test_a_part_for_each_project_and_configuration() -> None:
    server = Server(build(2), build(1, buildTypeId="Shop_Nightly"))
    source = teamcity(projects=["Shop", "Legder"], build_types=["Shop_Nightly", "Shop_Nihgtly"])
    found = {part.scope: part for part in (await read_all(source, FakeHttp(server, URL))).parts}
    assert {name: len(part.items) for name, part in found.items()} == {
        "Shop builds": 2,
        "Legder builds": 0,
        "Shop_Nightly builds": 1,
        "Shop_Nihgtly builds": 0,
    }
    assert isinstance(found["Legder builds"].error, NotFound)
    assert isinstance(found["Shop_Nihgtly builds"].error, NotFound)


async def test_builds_are_read_again_by_id() -> None:
    source, http = teamcity(), FakeHttp(Server(build(5, "FAILURE")), URL)
    item = await source.lookup("build", "5", http)
    assert (item.key, item.state) == ("teamcity:build:5", "failed")  # type: ignore[union-attr]
    with pytest.raises(NotFound):
        await source.lookup("build", "6", http)


async def test_a_waiting_build_that_was_replaced_by_an_equal_one_is_gone() -> None:
    http = FakeHttp(Server(build(8, was=5)), URL)
    assert await teamcity().lookup("build", "5", http) is None


# -- credentials and options -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options,header,path",
    [
        ({"token": "env:SECRET"}, "Bearer s3cret", "/ci/app/rest/builds"),
        ({"username": "env:NAME", "password": "env:SECRET"}, "Basic YW5uOnMzY3JldA==", "/ci/app/rest/builds"),
        ({"headers": {"Authorization": "env:SECRET"}}, "s3cret", "/ci/app/rest/builds"),
        ({}, None, "/ci/guestAuth/app/rest/builds"),
    ],
)
async def test_credentials_and_guests(options: dict[str, Any], header: str | None, path: str) -> None:
    seen: list[httpx.Request] = []
    server = Server(build(1))

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        answer = server(Call(method=request.method, url=str(request.url)))
        return httpx.Response(answer.status, content=answer.body, headers=answer.headers)

    source = teamcity(**options)
    client = mock(source, handle, environ={"NAME": "ann", "SECRET": "s3cret"})
    (part,) = (await source.poll(client.factory)).parts
    assert (part.error, len(part.items)) == (None, 1)
    assert {request.headers.get("authorization") for request in seen} == {header}
    assert {request.headers["accept"] for request in seen} == {"application/json"}  # XML is the default
    assert seen[0].url.path == path


@pytest.mark.parametrize(
    "options,field",
    [
        ({"projects": ["My shop"]}, "projects"),
        ({"projects": ["Shop),personal:(true"]}, "projects"),
        ({"build_types": [""]}, "build_types"),
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
    ],
)
def test_options_are_checked(options: dict[str, Any], field: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=field):
        teamcity(**options)
