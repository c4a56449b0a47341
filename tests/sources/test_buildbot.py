"""Buildbot: builds by request, waiting requests, and builders that seldom build."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from sources.buildbot import Buildbot
from statusboard.errors import NotFound
from statusboard.model import Build
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_one

URL = "https://bb.example/bot"


def build(number: int, builder: int = 1, results: int | None = 0, **more: Any) -> dict[str, Any]:
    done = results is not None
    return {
        "buildid": number,
        "buildrequestid": 100 + number,
        "builderid": builder,
        "number": number,
        "complete": done,
        "results": results,
        "started_at": 1767323045,
        "complete_at": 1767323105 if done else None,
        "state_string": "build successful" if results == 0 else "failed 'make test'",
        "properties": {
            "branch": ["main", "Build"],
            "got_revision": ["abc123", "Git"],
            "owners": [["Ann <ann@a.example>"], "Build"],
            "scheduler": ["force", "Scheduler"],
            "project": ["", "Build"],
        },
        **more,
    }


def request(number: int, builder: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "buildrequestid": number,
        "builderid": builder,
        "complete": False,
        "complete_at": None,
        "claimed": False,
        "results": -1,
        "submitted_at": 1767323045,
        **more,
    }


class Server:
    """Buildbot's REST API, with the filters that the source uses."""

    def __init__(self) -> None:
        self.builders = [
            {"builderid": 1, "name": "unit", "tags": ["ci"], "masterids": [1]},
            {"builderid": 2, "name": "nightly", "tags": [], "masterids": [1]},
            {"builderid": 3, "name": "removed", "tags": [], "masterids": []},
        ]
        self.builds = [build(5, results=None), build(4), build(3, results=2), build(1, 2, results=4)]
        self.requests = [request(200)]
        #: When builds were asked for; None for a server that cannot be asked for several.
        self.submitted: dict[int, int] | None = {}

    def __call__(self, call: Call) -> Answer:
        parts = call.path.removeprefix("/bot/api/v2/").split("/")
        match parts:
            case ["builders"]:
                return Answer.of({"builders": self.builders})
            case ["builds"]:
                return self.answer(self.builds, call)
            case ["builders", number, "builds"]:
                return self.answer([b for b in self.builds if b["builderid"] == int(number)], call)
            case ["buildrequests", number, "builds"]:
                return self.answer([b for b in self.builds if b["buildrequestid"] == int(number)], call)
            case ["buildrequests"] if wanted := call.query.get("buildrequestid__in"):
                if self.submitted is None:
                    return Answer.of({"error": "unrecognized query parameter"}, 400)
                known = {str(number): when for number, when in self.submitted.items()}
                rows = [{"buildrequestid": int(n), "submitted_at": known[n]} for n in wanted if n in known]
                return Answer.of({"buildrequests": rows})
            case ["buildrequests"]:
                return Answer.of({"buildrequests": [r for r in self.requests if not r["complete"]]})
            case ["buildrequests", number]:
                found = [r for r in self.requests if r["buildrequestid"] == int(number)]
                return Answer.of({"buildrequests": found}) if found else Answer.of({"error": "not found"}, 404)
        return Answer.of({"error": "invalid path"}, 404)

    def answer(self, builds: list[dict[str, Any]], call: Call) -> Answer:
        if wanted := call.query.get("builderid__in"):
            builds = [b for b in builds if str(b["builderid"]) in wanted]
        if complete := call.param("complete"):
            builds = [b for b in builds if b["complete"] == (complete == "true")]
        return Answer.of({"builds": builds[: int(call.param("limit", "1000"))], "meta": {"total": len(builds)}})


class TestContract(SourceContract):
    source = Buildbot
    options: ClassVar = {"url": URL}
    state_fields = ("results", "complete")
    time_fields = ("started_at", "complete_at", "submitted_at")
    id_fields = ("buildrequestid", "builderid", "masterids")

    def vendor(self, call: Call) -> Answer:
        return Server()(call)


async def read(server: Server, **options: Any) -> Any:
    source = make_source(Buildbot, {"url": URL, **options})
    http = FakeHttp(server, URL)
    return source, http, await read_one(source, http)


async def test_a_build_is_told_by_its_request() -> None:
    _, _, part = await read(Server())
    assert [(item.key, item.state) for item in part.items] == [
        ("buildbot:build:200", "queued"),
        ("buildbot:build:105", "running"),
        ("buildbot:build:104", "success"),
        ("buildbot:build:103", "failed"),
        ("buildbot:build:101", "failed"),
    ]
    assert part.items[3] == Build(
        key="buildbot:build:103",
        source="buildbot",
        title="unit",
        state="failed",
        raw_state="failure",
        reason="failed 'make test'",
        pipeline="unit",
        run_number=3,
        branch="main",
        revision="abc123",
        url="https://bb.example/bot/#/builders/1/builds/3",
        labels={"builder": "unit", "tags": "ci"},
        actor="Ann <ann@a.example>",
        trigger="force",
        started_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 3, 5, 5, tzinfo=UTC),
        ended_at=datetime(2026, 1, 2, 3, 5, 5, tzinfo=UTC),
    )
    assert part.reach == "window"


async def test_when_builds_were_asked_for_is_asked_once() -> None:
    server = Server()
    server.submitted = {103: 1767323045 - 90, 104: 1767323045}
    source, http, part = await read(server)
    waited = {item.key.rpartition(":")[2]: item.queued_at for item in part.items}
    assert waited["103"] == datetime(2026, 1, 2, 3, 2, 35, tzinfo=UTC)
    assert waited["104"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert waited["105"] is None  # the server does not know it any more
    assert waited["200"] is None  # it waits still
    http.calls.clear()
    again = await read_one(source, http)
    assert again.items == part.items
    assert not any("buildrequestid__in" in call.query for call in http.calls)
    server.builds.insert(0, build(6))
    http.calls.clear()
    await read_one(source, http)
    assert [call.query["buildrequestid__in"] for call in http.calls if "buildrequestid__in" in call.query] == [["106"]]


async def test_a_server_that_does_not_tell_when_builds_were_asked_for_is_read_all_the_same() -> None:
    server = Server()
    server.submitted = None
    _, _, part = await read(server)
    assert part.error is None
    assert len(part.items) == 5
    assert all(item.queued_at is None for item in part.items)


@pytest.mark.parametrize(
    "results,state",
    [(0, "success"), (1, "warning"), (2, "failed"), (3, "skipped"), (4, "failed"), (5, "queued"), (6, "cancelled"),
     (7, "unknown"), (-1, "unknown")],
)  # fmt: skip
async def test_results(results: int, state: str) -> None:
    server = Server()
    server.builds, server.requests = [build(1, results=results)], []
    _, _, part = await read(server)
    assert part.items[0].state == state


async def test_a_running_build_does_not_change_with_every_step() -> None:
    server = Server()
    source, http, before = await read(server)
    server.builds[0]["state_string"] = "compiling 80%"
    assert (await read_one(source, http)).items == before.items


async def test_a_retried_build_waits_again_as_the_same_item() -> None:
    server = Server()
    server.builds, server.requests = [build(4, results=5)], [request(104)]
    _, _, part = await read(server)
    assert [(item.key, item.state) for item in part.items] == [("buildbot:build:104", "queued")]
    server.builds.insert(0, build(5, results=0, buildrequestid=104))
    server.requests = []
    _, _, part = await read(server)
    assert [(item.key, item.state) for item in part.items] == [("buildbot:build:104", "success")]


async def test_builders_are_chosen_by_name_and_tag() -> None:
    for options, names in (
        ({"builders": ["night*"]}, {"nightly"}),
        ({"builders": ["unit", "x"]}, {"unit"}),
        ({"tags": ["ci"]}, {"unit"}),
        ({}, {"unit", "nightly"}),
    ):
        _, http, part = await read(Server(), **options)
        assert {item.title for item in part.items} == names
        wanted = next(call for call in http.calls if call.path.endswith("/builds")).query.get("builderid__in")
        assert bool(wanted) == (names != {"unit", "nightly"})


async def test_no_builder_is_a_fault_not_an_empty_board() -> None:
    with pytest.raises(NotFound, match="no builder"):
        await read(Server(), builders=["unti"])


async def test_a_builder_that_seldom_builds_is_read_beyond_the_window_once() -> None:
    server = Server()
    source, http, part = await read(server, limit=3)
    assert "buildbot:build:101" in [item.key for item in part.items]  # it failed long before the window
    rare = [call for call in http.calls if call.path.endswith("/builders/2/builds")]
    assert len(rare) == 1
    again = await read_one(source, http)
    assert again.items == part.items
    assert [call for call in http.calls if call.path.endswith("/builders/2/builds")] == rare


async def test_after_a_gap_seldom_builders_are_read_again() -> None:
    server = Server()
    source, http, _ = await read(server, limit=3)
    server.builds = [build(99), build(98), build(97), build(50, 2, results=2)]
    part = await read_one(source, http)
    assert "buildbot:build:150" in [item.key for item in part.items]


async def test_builders_are_asked_for_every_five_minutes() -> None:
    source, http, _ = await read(Server())
    await read_one(source, http)
    assert sum(call.path.endswith("/builders") for call in http.calls) == 1
    source.clock.advance(301)
    await read_one(source, http)
    assert sum(call.path.endswith("/builders") for call in http.calls) == 2


async def test_branches_and_pull_requests() -> None:
    server = Server()
    server.builds = [build(1, properties={"branch": ["refs/pull/17/merge", "Change"], "revision": ["r", "Build"]})]
    _, _, part = await read(server, default_branch="main")
    assert (part.items[1].change, part.items[1].default_branch, part.items[1].revision) == ("17", "main", "r")


@pytest.mark.parametrize(
    "value,text",
    [([{"a": "1", "b": "2"}, "Git"], "1, 2"), ([None, "x"], ""), ([], ""), ("odd", ""), ([7, "x"], "7"), (None, "")],
)
async def test_properties_of_any_shape(value: Any, text: str) -> None:
    server = Server()
    server.builds, server.requests = [build(1, properties={"got_revision": value})], []
    _, _, part = await read(server)
    assert part.items[0].revision == text


async def test_items_are_read_again_by_request() -> None:
    server = Server()
    source, http, _ = await read(server)
    failed = await source.lookup("build", "103", http)
    assert (failed.key, failed.state) == ("buildbot:build:103", "failed")
    server.requests[0].update(complete=True, results=6, complete_at=1767323105)
    cancelled = await source.lookup("build", "200", http)
    assert (cancelled.key, cancelled.state) == ("buildbot:build:200", "cancelled")
    assert cancelled.ended_at == datetime(2026, 1, 2, 3, 5, 5, tzinfo=UTC)
    with pytest.raises(NotFound):
        await source.lookup("build", "9999", http)
