"""Woodpecker: repositories by number, pipelines, deployments, and the field names of 2.x and 3.x."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import msgspec
import pytest

from sources.woodpecker import Woodpecker
from statusboard.clock import FakeClock
from statusboard.errors import AuthError, BadAnswer, NotFound
from statusboard.model import Build, Part, Release
from statusboard.source import Credentials, Source
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all

URL = "https://ci.example/wp"
REPO = "acme/shop/checkout"
WARNING = {"type": "deprecation", "message": "an old key", "is_warning": True}
START = datetime(2026, 1, 2, 3, tzinfo=UTC)


def when(minutes: float) -> int:
    return int((START + timedelta(minutes=minutes)).timestamp())


def pipeline(number: Any, status: str = "success", event: str = "push", **more: Any) -> dict[str, Any]:
    began = status not in ("created", "pending", "blocked")
    return {
        "id": 1000 + number,
        "number": number,
        "author": "ann",
        "parent": 0,
        "event": event,
        "event_reason": [""],
        "status": status,
        "errors": None,
        "created": when(number),
        "updated": when(number + 1),
        "started": when(number + 0.5) if began else 0,
        "finished": when(number + 1) if began and status != "running" else 0,
        "deploy_to": "",
        "deploy_task": "",
        "commit": "a" * 40,
        "branch": "main",
        "rerun_count": 0,
        "ref": "refs/heads/main",
        "refspec": "",
        "forge_url": "https://git.example/acme/shop/checkout/commit/aaa",
        "reviewed_by": "",
        "title": "",
        "message": "Fix the till\n\nIt rang twice.\n",
        "sender": "ann",
        "version": "3.17.0",
        **more,
    }


def old(row: dict[str, Any]) -> dict[str, Any]:
    """The row as servers before 3.0 send it: other names for times, no reruns."""
    names = {"created": "created_at", "updated": "updated_at", "started": "started_at", "finished": "finished_at"}
    kept = {name: value for name, value in row.items() if name not in ("rerun_count", "version", "event_reason")}
    return {names.get(name, name): value for name, value in kept.items()}


def deployment(number: int, status: str = "success", **more: Any) -> dict[str, Any]:
    return pipeline(number, status, "deployment", **{"deploy_to": "production", "parent": 11, "author": "bob", **more})


class Server:
    """The parts of Woodpecker's API that the source asks for; it knows one repository."""

    def __init__(self) -> None:
        self.pipelines = [
            pipeline(18, "pending"),
            deployment(17, "running"),
            pipeline(16, "running", rerun_count=1, parent=12),
            deployment(15, "failure", deploy_to="staging", deploy_task="migrate"),
            pipeline(14, "failure", "pull_request", ref="refs/pull/7/head", refspec="till:main", from_fork=True),
            pipeline(13, "canceled", cancel_info={"superseded_by": 14}),
            pipeline(
                12, "error", errors=[{"type": "linter", "message": "no steps", "is_warning": False, "data": None}]
            ),
            old(pipeline(11)),
        ]
        self.repository: dict[str, Any] = {"id": 42, "full_name": REPO, "default_branch": "main", "active": True}
        self.token = ""
        self.filters = True  # by event and branch: since 3.0

    def __call__(self, call: Call) -> Answer:
        if self.token and call.headers.get("authorization") != f"Bearer {self.token}":
            return Answer(status=401)
        number = str(self.repository["id"])
        match call.path.partition("/api/repos/")[2].split("/"):
            case ["lookup", *name] if "/".join(name) == REPO:
                return Answer.of(self.repository)
            case [repo] if repo == number:
                return Answer.of(self.repository)
            case [repo, "pipelines"] if repo == number:
                return self.list(call)
            case [repo, "pipelines", wanted] if repo == number:
                for row in self.pipelines:
                    if str(row["number"]) == wanted:
                        return Answer.of({**row, "workflows": []})
        return Answer(status=404)

    def list(self, call: Call) -> Answer:
        rows = self.pipelines
        if self.filters and (branch := call.param("branch")):
            rows = [row for row in rows if row["branch"] == branch]
        if self.filters and (events := call.param("event")):
            rows = [row for row in rows if row["event"] in events.split(",")]
        size, page = min(int(call.param("perPage", "50")), 50), int(call.param("page", "1"))
        return Answer.of(rows[(page - 1) * size : page * size])


class TestContract(SourceContract):
    source = Woodpecker
    options: ClassVar = {"url": URL, "repos": [REPO]}
    state_fields = ("status",)
    time_fields = ("created", "started", "finished", "created_at", "started_at", "finished_at")
    id_fields = ("number", "id")

    def vendor(self, call: Call) -> Answer:
        return Server()(call)


def woodpecker(**options: Any) -> Source[Any]:
    return make_source(Woodpecker, {"url": URL, "repos": [REPO], **options}, FakeClock(START + timedelta(minutes=30)))


async def part_of(source: Source[Any], server: Server | FakeHttp, kind: str) -> Part:
    http = server if isinstance(server, FakeHttp) else FakeHttp(server, URL)
    (part,) = [part for part in (await read_all(source, http)).parts if part.kind == kind]
    if part.error:
        raise part.error
    return part


def server_of(*rows: dict[str, Any]) -> Server:
    server = Server()
    server.pipelines = list(rows)
    return server


async def one_build(**fields: Any) -> Build:
    (item,) = (await part_of(woodpecker(), server_of(pipeline(11, **fields)), "build")).items
    assert isinstance(item, Build)
    return item


async def one_release(**fields: Any) -> Release:
    (item,) = (await part_of(woodpecker(), server_of(deployment(17, **fields)), "release")).items
    assert isinstance(item, Release)
    return item


# -- builds ------------------------------------------------------------------------------------------------------------


async def test_pipelines_without_deployments() -> None:
    part = await part_of(woodpecker(), Server(), "build")
    assert (part.scope, part.reach) == (f"{REPO} builds", "window")
    assert [(item.key.rsplit("/", 1)[1], item.state) for item in part.items] == [
        ("18", "queued"),
        ("16", "running"),
        ("14", "failed"),
        ("13", "cancelled"),
        ("12", "failed"),
        ("11", "success"),
    ]
    assert part.items[4] == Build(
        key=f"woodpecker:build:{REPO}/12",
        source="woodpecker",
        title="Fix the till",
        state="failed",
        raw_state="error",
        reason="no steps",
        pipeline="pipeline",
        run_number=12,
        branch="main",
        default_branch="main",
        revision="a" * 40,
        repository=REPO,
        url="https://ci.example/wp/repos/42/pipeline/12",
        links={"commit": "https://git.example/acme/shop/checkout/commit/aaa"},
        actor="ann",
        trigger="push",
        started_at=START + timedelta(minutes=12.5),
        queued_at=START + timedelta(minutes=12),
        updated_at=START + timedelta(minutes=13),
        ended_at=START + timedelta(minutes=13),
    )


@pytest.mark.parametrize(
    "status,state,released",
    [
        ("created", "queued", "queued"),
        ("pending", "queued", "queued"),
        ("running", "running", "running"),
        ("blocked", "blocked", "blocked"),
        ("success", "success", "success"),
        ("failure", "failed", "failed"),
        ("error", "failed", "failed"),
        ("killed", "cancelled", "cancelled"),
        ("canceled", "cancelled", "cancelled"),
        ("declined", "cancelled", "cancelled"),
        ("skipped", "skipped", "cancelled"),
        ("next_years_word", "unknown", "unknown"),
        ("", "unknown", "unknown"),
    ],
)
async def test_states_in_any_case(status: str, state: str, released: str) -> None:
    for word in (status, status.upper(), status.title()):
        assert (await one_build(status=word)).state == state
        item = await one_release(status=word)
        assert (item.state, item.raw_state) == (released, word)


@pytest.mark.parametrize("form", [dict, old])
async def test_times_by_their_names_before_and_since_3(form: Any) -> None:
    rows = [form(pipeline(12, "running")), form(pipeline(11)), form(pipeline(10, "blocked"))]
    running, done, blocked = (await part_of(woodpecker(), server_of(*rows), "build")).items
    assert (running.started_at, running.ended_at) == (START + timedelta(minutes=12.5), None)
    assert (done.started_at, done.ended_at) == (START + timedelta(minutes=11.5), START + timedelta(minutes=12))
    assert (blocked.started_at, blocked.ended_at) == (START + timedelta(minutes=10), None)


@pytest.mark.parametrize(
    "fields,reason",
    [
        ({"status": "blocked"}, "waits to be approved"),
        ({"status": "declined", "reviewed_by": "bob"}, "declined by bob"),
        ({"status": "declined"}, "declined"),
        ({"status": "error", "errors": [WARNING, {"message": "no steps"}]}, "no steps"),
        ({"status": "failure", "errors": [WARNING]}, ""),
        ({"status": "failure", "errors": []}, ""),
        ({"status": "canceled", "cancel_info": {"superseded_by": 14}}, "superseded by #14"),
        ({"status": "killed", "cancel_info": {"canceled_by_user": "bob"}}, "cancelled by bob"),
        ({"status": "killed", "cancel_info": None}, ""),
    ],
)  # fmt: skip
async def test_reasons(fields: dict[str, Any], reason: str) -> None:
    assert (await one_build(**fields)).reason == reason


@pytest.mark.parametrize(
    "fields,branch,change,fork",
    [
        ({}, "main", "", ""),
        ({"event": "pull_request", "ref": "refs/pull/7/head", "refspec": "till:main"}, "till", "7", ""),
        ({"event": "pull_request_closed", "ref": "refs/merge-requests/8/head", "refspec": "a:main"}, "a", "8", ""),
        ({"event": "pull_request_metadata", "ref": "refs/pull-requests/9/from", "refspec": ""}, "main", "9", ""),
        ({"event": "pull_request", "ref": "refs/heads/main", "from_fork": True}, "main", "unknown", "unknown"),
        ({"event": "tag", "ref": "refs/tags/v1.2"}, "v1.2", "", ""),
        ({"event": "release", "ref": "refs/tags/v1.2"}, "v1.2", "", ""),
        ({"event": "manual", "branch": "side", "ref": "refs/heads/side"}, "side", "", ""),
    ],
)  # fmt: skip
async def test_branches_pull_requests_and_forks(fields: dict[str, Any], branch: str, change: str, fork: str) -> None:
    item = await one_build(**fields)
    assert (item.branch, item.change, item.fork) == (branch, change, fork)
    assert list(item.links) == (["pull request"] if change else ["commit"])


@pytest.mark.parametrize("fields", [{"cron": "nightly", "sender": "nightly"}, {"sender": "nightly"}])
async def test_a_cron_job_is_a_pipeline_of_its_own(fields: dict[str, Any]) -> None:
    item = await one_build(event="cron", message="", author="", **fields)
    assert (item.pipeline, item.title, item.actor, item.trigger) == ("nightly", "pipeline 11", "", "cron")


@pytest.mark.parametrize("form,attempts", [(dict, [3, 2, 1]), (old, [3, 2, 1])])
async def test_attempts_of_restarts(form: Any, attempts: list[int]) -> None:
    rows = [pipeline(13, parent=12, rerun_count=2), pipeline(12, parent=11, rerun_count=1), pipeline(11)]
    part = await part_of(woodpecker(), server_of(*map(form, rows)), "build")
    assert [item.attempt for item in part.items if isinstance(item, Build)] == attempts
    assert part.items[0].labels == {"restarted_from": "#12"}


# -- releases ----------------------------------------------------------------------------------------------------------


async def test_deployments_are_releases() -> None:
    part = await part_of(woodpecker(), Server(), "release")
    assert (part.scope, part.reach) == (f"{REPO} releases", "window")
    assert [(item.title, item.state) for item in part.items] == [
        ("pipeline 11 to production", "running"),
        ("pipeline 11 to staging", "failed"),
    ]
    assert part.items[1] == Release(
        key=f"woodpecker:release:{REPO}/15",
        source="woodpecker",
        title="pipeline 11 to staging",
        description="Fix the till",
        state="failed",
        raw_state="failure",
        environment="staging",
        revision="a" * 40,
        repository=REPO,
        url="https://ci.example/wp/repos/42/pipeline/15",
        links={"pipeline": "https://ci.example/wp/repos/42/pipeline/11"},
        labels={"task": "migrate"},
        actor="bob",
        trigger="deployment",
        started_at=START + timedelta(minutes=15.5),
        updated_at=START + timedelta(minutes=16),
        ended_at=START + timedelta(minutes=16),
    )


async def test_a_deployed_tag_is_a_version() -> None:
    item = await one_release(ref="refs/tags/v1.2", parent=0)
    assert (item.version, item.title, item.links) == ("v1.2", "v1.2 to production", {})


async def test_a_server_that_cannot_filter_gives_the_same_deployments() -> None:
    filtering, listing = Server(), Server()
    listing.filters = False
    one, other = [await part_of(woodpecker(), server, "release") for server in (filtering, listing)]
    assert one.items == other.items


# -- what is read ------------------------------------------------------------------------------------------------------


def paths(http: FakeHttp) -> list[str]:
    return [call.url.removeprefix(f"{URL}/api/repos/") for call in http.calls]


async def test_a_repository_is_looked_up_once_for_all() -> None:
    source, http = woodpecker(), FakeHttp(Server(), URL)
    await read_all(source, http)
    assert sorted(paths(http)) == [
        "42/pipelines?page=1&perPage=25",
        "42/pipelines?page=1&perPage=25&event=deployment",
        f"lookup/{REPO}",
    ]
    for _ in range(2):
        http.calls.clear()
        await read_all(source, http)
        assert len(http.calls) == 2
        assert not any("lookup" in path for path in paths(http))
    source.clock.advance(3601)  # type: ignore[attr-defined]
    http.calls.clear()
    await read_all(source, http)
    assert paths(http)[0] == "42"  # its details, by number
    assert not any("lookup" in path for path in paths(http))


async def test_a_repository_that_was_removed_and_added_again_is_looked_up_anew() -> None:
    server = Server()
    source, http = woodpecker(kinds=["build"]), FakeHttp(server, URL)
    for moment in (0.0, 3601.0):  # when its number is in use, and when its details are read again
        await part_of(source, http, "build")
        server.repository["id"] += 1
        source.clock.advance(moment)  # type: ignore[attr-defined]
        with pytest.raises(NotFound):
            await part_of(source, http, "build")
        assert len((await part_of(source, http, "build")).items) == 6


async def test_at_first_and_after_a_gap_the_default_branch_is_read_further_back() -> None:
    def pull(number: int) -> dict[str, Any]:
        return pipeline(number, event="pull_request", ref="refs/pull/7/head", refspec="till:main")

    server = server_of(pull(30), pull(29), pipeline(12, "failure"))
    source, http = woodpecker(builds=2, kinds=["build"]), FakeHttp(server, URL)
    part = await part_of(source, http, "build")
    further = "42/pipelines?page=1&perPage=2&branch=main&event=push%2Ccron%2Cmanual"
    assert paths(http)[1:] == ["42/pipelines?page=1&perPage=2", further]
    assert [item.state for item in part.items] == ["success", "success", "failed"]
    http.calls.clear()
    await part_of(source, http, "build")
    assert len(http.calls) == 1
    server.pipelines[:2] = [pull(50), pull(49), pipeline(40, "failure")]
    part = await part_of(source, http, "build")
    assert part.items[-2].key.endswith("/40")


async def test_a_wrong_repository_harms_no_other() -> None:
    source = woodpecker(repos=["acme/gone", REPO])
    parts = {part.scope: part for part in (await read_all(source, FakeHttp(Server(), URL))).parts}
    assert {name for name, part in parts.items() if part.error} == {"acme/gone builds", "acme/gone releases"}
    assert all(isinstance(parts[name].error, NotFound) for name in ("acme/gone builds", "acme/gone releases"))


async def test_a_repository_that_is_not_enabled_is_a_fault() -> None:
    server = Server()
    server.repository["active"] = False
    with pytest.raises(NotFound, match="not enabled"):
        await part_of(woodpecker(), server, "build")


async def test_an_odd_row_does_not_cost_the_others() -> None:
    for odd in ({"number": None}, {"event": None}, {"errors": "many"}):
        part, _ = (await read_all(woodpecker(), FakeHttp(server_of(pipeline(12), {**pipeline(11), **odd}), URL))).parts
        assert [item.key for item in part.items] == [f"woodpecker:build:{REPO}/12"]
        assert isinstance(part.error, BadAnswer)


async def test_items_are_read_again_by_number() -> None:
    server = Server()
    source, http = woodpecker(), FakeHttp(server, URL)
    running = await source.lookup("build", f"{REPO}/16", http)
    assert isinstance(running, Build)
    assert (running.key, running.state, running.attempt) == (f"woodpecker:build:{REPO}/16", "running", 2)
    released = await source.lookup("release", f"{REPO}/17", http)
    assert released is not None
    assert (released.key, released.state) == (f"woodpecker:release:{REPO}/17", "running")
    assert await source.lookup("release", f"{REPO}/16", http) is None
    with pytest.raises(NotFound):
        await source.lookup("build", f"{REPO}/99", http)


# -- credentials and options -------------------------------------------------------------------------------------------


def test_the_token_is_a_bearer_token() -> None:
    assert woodpecker().sign(Credentials(token="t1")) == {"Authorization": "Bearer t1"}


async def test_a_wrong_token_is_told() -> None:
    server = Server()
    server.token = "t1"
    with pytest.raises(AuthError):
        await part_of(woodpecker(), server, "build")


@pytest.mark.parametrize("options", [{"repos": []}, {"repos": ["acme"]}, {"repos": ["a/b/../c"]}, {"builds": 51}])
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"repos|builds"):
        woodpecker(**options)
