"""CircleCI: pipelines and their workflows, what is kept, reruns, errored pipelines, page tokens in the body."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import msgspec
import pytest

from sources.circleci import CircleCI
from statusboard.clock import FakeClock
from statusboard.current import order_of, slot_of
from statusboard.errors import AuthError, BadAnswer, NotFound, ServerError, TooLarge
from statusboard.model import Build, Part
from statusboard.source import Credentials
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all, read_one

URL = "https://circleci.com"
SLUG = "gh/acme/checkout"
REPO = "https://github.com/acme/checkout"
START = datetime(2026, 1, 2, 3, tzinfo=UTC)


def when(minutes: float) -> str:
    """A time as CircleCI writes it, so many minutes after START."""
    return (START + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def uuid(number: int, what: str = "0") -> str:
    return f"{number:08d}-0000-4000-8000-{what:0>12}"


def pipeline(number: Any, state: str = "created", branch: str | None = "main", **more: Any) -> dict[str, Any]:
    vcs = {
        "provider_name": "GitHub",
        "origin_repository_url": REPO,
        "target_repository_url": REPO,
        "revision": "a" * 40,
        "commit": {"subject": "Fix the till", "body": "It rang twice."},
        **({"branch": branch} if branch else {}),
        **more.pop("vcs", {}),
    }
    return {
        "id": uuid(number),
        "number": number,
        "project_slug": SLUG,
        "state": state,
        "errors": [],
        "created_at": when(number),
        "updated_at": when(number),
        "trigger": {"type": "webhook", "received_at": when(number), "actor": {"login": "ann", "avatar_url": None}},
        "vcs": vcs,
        **more,
    }


def errored(number: int, **more: Any) -> dict[str, Any]:
    errors = [{"type": "config", "message": "Unable to parse YAML"}]
    return pipeline(number, "errored", errors=errors, **more)


def workflow(number: int, status: str = "success", name: str = "build", run: int = 1, **more: Any) -> dict[str, Any]:
    """The ``run``-th workflow of this name in the pipeline of this number."""
    running = status in ("running", "failing", "on_hold")
    return {
        "id": uuid(number, f"{run}{name[:6].encode().hex()}"[:12]),
        "name": name,
        "status": status,
        "pipeline_id": uuid(number),
        "pipeline_number": number,
        "project_slug": SLUG,
        "started_by": uuid(1, "a"),
        "created_at": when(number + run * 0.25),
        "stopped_at": None if running else when(number + run * 0.25 + 0.125),
        **more,
    }


class Server:
    """CircleCI's API with one project, which lists by page tokens."""

    def __init__(self) -> None:
        self.pipelines = [
            pipeline(16, "pending"),
            errored(15),
            pipeline(14),
            pipeline(13, branch="side"),
            pipeline(12),
        ]
        self.workflows: dict[int, list[dict[str, Any]]] = {
            14: [workflow(14, "running"), workflow(14, "on_hold", "deploy")],
            13: [workflow(13, "failed", run=2), workflow(13, "failed")],
            12: [workflow(12), workflow(12, "canceled", "deploy")],
        }
        self.project: dict[str, Any] = {
            "id": uuid(1, "c"),
            "slug": SLUG,
            "name": "checkout",
            "organization_name": "acme",
            "vcs_info": {"provider": "GitHub", "default_branch": "main", "vcs_url": REPO},
        }
        self.page = 20
        self.token = ""
        self.failing = ""

    def __call__(self, call: Call) -> Answer:
        if self.token and call.headers.get("circle-token") != self.token:
            return Answer.of({"message": "You must log in first."}, 401)
        if self.failing and call.path.startswith(self.failing):
            return Answer.of({"message": "An internal server error has occurred."}, 500)
        match call.path.removeprefix("/api/v2/").split("/"):
            case ["project", *slug, "pipeline"] if "/".join(slug) == self.project["slug"]:
                branch = call.param("branch")
                return self.list([p for p in self.pipelines if not branch or p["vcs"].get("branch") == branch], call)
            case ["project", *slug] if "/".join(slug) == self.project["slug"]:
                return Answer.of(self.project)
            case ["pipeline", key, "workflow"] if number := self.number(key):
                return self.list(self.workflows.get(number, []), call)
            case ["pipeline", key] if number := self.number(key):
                return Answer.of(next(p for p in self.pipelines if p["number"] == number))
        return Answer.of({"message": "Project not found"}, 404)

    def number(self, key: str) -> int | None:
        return next((p["number"] for p in self.pipelines if p["id"] == key), None)

    def list(self, rows: list[dict[str, Any]], call: Call) -> Answer:
        start = int(call.param("page-token", "0"))
        following = str(start + self.page) if len(rows) > start + self.page else None
        return Answer.of({"items": rows[start : start + self.page], "next_page_token": following})


class TestContract(SourceContract):
    source = CircleCI
    options: ClassVar = {"projects": [SLUG]}
    state_fields = ("status", "state")
    time_fields = ("created_at", "updated_at", "stopped_at")
    id_fields = ("id", "name")

    def vendor(self, call: Call) -> Answer:
        return Server()(call)


Reading = tuple[Any, FakeHttp, Part]


async def read(server: Server, **options: Any) -> Reading:
    source = make_source(CircleCI, {"projects": [SLUG], **options}, FakeClock(START + timedelta(minutes=20)))
    http = FakeHttp(server, URL)
    return source, http, await read_one(source, http)


def builds(part: Part) -> list[Build]:
    return [item for item in part.items if isinstance(item, Build)]


def states(part: Part) -> dict[str, str]:
    """States by number and name."""
    return {f"{item.run_number} {item.pipeline}": item.state for item in builds(part)}


async def one(state: str = "created", status: str = "success", **fields: Any) -> Build:
    """The build of a pipeline with one workflow."""
    server = Server()
    server.pipelines = [pipeline(12, state, **fields)]
    server.workflows = {12: [workflow(12, status)]}
    _, _, part = await read(server)
    (item,) = builds(part)
    return item


def asked(http: FakeHttp) -> list[int]:
    """The pipelines whose workflows were asked for."""
    return [int(call.path.split("/")[4][:8]) for call in http.calls if call.path.endswith("/workflow")]


# -- builds ------------------------------------------------------------------------------------------------------------


async def test_workflows_are_builds() -> None:
    _, _, part = await read(Server())
    assert part.scope == "gh/acme/checkout builds"
    assert part.reach == "window"
    assert states(part) == {
        "15 build": "failed",
        "14 build": "running",
        "14 deploy": "blocked",
        "13 build": "failed",
        "12 build": "success",
        "12 deploy": "cancelled",
    }
    assert next(item for item in builds(part) if item.run_number == 13) == Build(
        key=f"circleci:build:{uuid(13)}/build",
        source="circleci",
        title="Fix the till",
        state="failed",
        raw_state="failed",
        pipeline="build",
        run_number=13,
        attempt=2,
        branch="side",
        default_branch="main",
        revision="a" * 40,
        repository="acme/checkout",
        url=f"https://app.circleci.com/pipelines/github/acme/checkout/13/workflows/{workflow(13, run=2)['id']}",
        actor="ann",
        trigger="webhook",
        started_at=START + timedelta(minutes=13.5),
        updated_at=START + timedelta(minutes=13.625),
        ended_at=START + timedelta(minutes=13.625),
    )


@pytest.mark.parametrize(
    "status,state,reason",
    [
        ("success", "success", ""),
        ("running", "running", ""),
        ("failing", "running", "a job has failed"),
        ("on_hold", "blocked", "waits to be approved"),
        ("queued", "queued", ""),
        ("failed", "failed", ""),
        ("error", "failed", "error"),
        ("unauthorized", "failed", "unauthorized"),
        ("canceled", "cancelled", ""),
        ("not_run", "skipped", ""),
        ("next_years_word", "unknown", ""),
    ],
)
async def test_states_in_any_case(status: str, state: str, reason: str) -> None:
    for word in (status, status.upper(), status.title()):
        item = await one(status=word)
        assert (item.state, item.raw_state, item.reason) == (state, word, reason)


async def test_what_waits_to_be_approved_has_passed_so_far() -> None:
    held = await one(status="on_hold")
    assert (held.state, held.verdict) == ("blocked", "success")
    assert (await one(status="running")).verdict == ""


async def test_a_rerun_of_older_code_says_nothing_of_newer() -> None:
    server = Server()
    server.pipelines = [pipeline(13), pipeline(12)]
    server.workflows = {
        13: [workflow(13, "failed")],
        12: [workflow(12, run=2, created_at=when(15), stopped_at=when(16)), workflow(12, "failed")],
    }
    _, _, part = await read(server)
    newer, older = builds(part)
    assert (newer.state, older.state, older.attempt) == ("failed", "success", 2)
    assert slot_of(newer) == slot_of(older)
    assert order_of(newer) > order_of(older)
    server.pipelines = [pipeline(12)]
    _, _, part = await read(server)
    assert [item.started_at for item in builds(part)] == [START + timedelta(minutes=15)]


@pytest.mark.parametrize("state", ["pending", "setup-pending", "setup", "created", "CREATED"])
async def test_what_a_pipeline_says_of_itself_hides_no_workflow(state: str) -> None:
    assert (await one(state)).state == "success"


async def test_an_unknown_pipeline_is_unknown_beside_its_workflows() -> None:
    server = Server()
    server.pipelines = [pipeline(12, "next_years_word")]
    _, _, part = await read(server)
    assert sorted(states(part).items()) == [("12 build", "success"), ("12 deploy", "cancelled")]
    assert [item.state for item in builds(part)] == ["unknown", "success", "cancelled"]


@pytest.mark.parametrize(
    "fields,branch,change,fork",
    [
        ({}, "main", "", ""),
        ({"branch": "side", "vcs": {"review_id": "7"}}, "side", "7", ""),
        ({"branch": "main", "vcs": {"review_id": "7"}}, "main", "", ""),
        ({"branch": "pull/7"}, "pull/7", "7", ""),
        ({"branch": "pull/7/head"}, "pull/7/head", "7", ""),
        ({"vcs": {"review_id": 7, "origin_repository_url": "https://github.com/eve/x"}}, "main", "7", "eve/x"),
        ({"branch": None, "vcs": {"tag": "v1.2"}}, "v1.2", "", ""),
    ],
)  # fmt: skip
async def test_branches_pull_requests_and_forks(fields: dict[str, Any], branch: str, change: str, fork: str) -> None:
    item = await one(**fields)
    assert (item.branch, item.change, item.fork) == (branch, change, fork)


async def test_a_pull_request_is_linked() -> None:
    item = await one(branch="side", vcs={"review_id": "7", "review_url": f"{REPO}/pull/7"})
    assert item.links == {"pull request": f"{REPO}/pull/7"}


async def test_gitlab_tells_of_itself_in_the_parameters() -> None:
    server = Server()
    server.project |= {
        "slug": "circleci/Org1/Proj1",
        "vcs_info": {"provider": "CircleCI", "default_branch": "main", "vcs_url": "//circleci.com/Org1/Proj1"},
    }
    gitlab = {
        "branch": "trunk",
        "default_branch": "trunk",
        "checkout_sha": "b" * 40,
        "commit_title": "Count the coins",
        "user_username": "bob",
        "web_url": "https://gitlab.com/acme/checkout",
    }
    row = pipeline(12, trigger_parameters={"gitlab": gitlab, "circleci": {"trigger_type": "gitlab"}})
    del row["vcs"], row["trigger"]
    server.pipelines, server.workflows = [row], {12: [workflow(12)]}
    _, _, part = await read(server, projects=["circleci/Org1/Proj1"])
    (item,) = builds(part)
    assert (item.branch, item.default_branch, item.revision) == ("trunk", "trunk", "b" * 40)
    assert (item.title, item.actor, item.repository) == ("Count the coins", "bob", "acme/checkout")
    assert item.url.startswith("https://app.circleci.com/pipelines/circleci/Org1/Proj1/12/workflows/")


@pytest.mark.parametrize(
    "url,slug,page",
    [
        ("", SLUG, "https://app.circleci.com/pipelines/github/acme/checkout/12/"),
        ("https://ci.acme.example", SLUG, "https://app.ci.acme.example/pipelines/github/acme/checkout/12/"),
        ("https://app.ci.acme.example/", SLUG, "https://app.ci.acme.example/pipelines/github/acme/checkout/12/"),
        ("http://127.0.0.1:8080", SLUG, "http://127.0.0.1:8080/pipelines/github/acme/checkout/12/"),
        ("http://localhost:8080", SLUG, "http://localhost:8080/pipelines/github/acme/checkout/12/"),
        ("", "bb/acme/checkout", "https://app.circleci.com/pipelines/bitbucket/acme/checkout/12/"),
    ],
)
async def test_links_lead_to_the_web_app(url: str, slug: str, page: str) -> None:
    server = Server()
    server.project["slug"] = slug
    _, _, part = await read(server, projects=[slug], **({"url": url} if url else {}))
    assert builds(part)[-1].url.startswith(page)


# -- errored pipelines -------------------------------------------------------------------------------------------------


async def test_an_errored_pipeline_is_a_failed_build_of_what_did_not_run() -> None:
    _, http, part = await read(Server())
    assert builds(part)[0] == Build(
        key=f"circleci:build:{uuid(15)}",
        source="circleci",
        title="Fix the till",
        state="failed",
        raw_state="errored",
        reason="config: Unable to parse YAML",
        pipeline="build",
        run_number=15,
        branch="main",
        default_branch="main",
        revision="a" * 40,
        repository="acme/checkout",
        url="https://app.circleci.com/pipelines/github/acme/checkout/15",
        actor="ann",
        trigger="webhook",
        started_at=START + timedelta(minutes=15),
        updated_at=START + timedelta(minutes=15),
        ended_at=START + timedelta(minutes=15),
    )
    assert 15 not in asked(http)


async def test_the_usual_workflow_of_the_branch_names_an_errored_pipeline() -> None:
    server = Server()
    server.pipelines = [
        errored(19),
        *(pipeline(n) for n in (18, 17, 16)),
        *(pipeline(n, branch="b") for n in range(1, 9)),
    ]
    server.workflows = {
        18: [workflow(18, name="nightly")],
        17: [workflow(17, name="test"), workflow(17, name="prepare", tag="setup")],
        16: [workflow(16, name="test"), workflow(16, name="prepare", tag="setup")],
        **{n: [workflow(n, name="side")] for n in range(1, 9)},
    }
    source, http, part = await read(server)
    assert builds(part)[0].pipeline == "test"
    server.pipelines[1:4] = []  # they have left the list, and the name stays
    assert builds(await read_one(source, http))[0].pipeline == "test"


async def test_an_errored_pipeline_of_a_project_without_workflows_gets_its_name_later() -> None:
    server = Server()
    server.pipelines = [errored(15)]
    source, http, part = await read(server)
    assert builds(part)[0].pipeline == "config"
    server.pipelines.insert(0, pipeline(16))
    server.workflows[16] = [workflow(16)]
    assert states(await read_one(source, http)) == {"15 build": "failed", "16 build": "success"}


# -- what is asked for, and kept ---------------------------------------------------------------------------------------


async def test_a_quiet_poll_is_one_request_a_project() -> None:
    server = Server()
    server.pipelines = [pipeline(13, branch="side"), pipeline(12)]
    source, http, first = await read(server)
    assert asked(http) == [13, 12]
    for _ in range(3):
        http.calls.clear()
        part = await read_one(source, http)
        assert [call.path for call in http.calls] == [f"/api/v2/project/{SLUG}/pipeline"]
        assert part.items == first.items
        source.clock.advance(30)


async def test_a_quiet_hour_takes_no_more_requests_than_it_is_said_to() -> None:
    server = Server()
    server.pipelines = [pipeline(number) for number in range(40, 20, -1)]
    server.workflows = {number: [workflow(number)] for number in range(21, 41)}
    source, http, _ = await read(server)
    http.calls.clear()
    for _ in range(60):
        source.clock.advance(60)
        await read_one(source, http)
    count, _each = CircleCI.requests
    assert (count - 1) * 60 < len(http.calls) <= count * 60


async def test_only_pipelines_that_run_are_asked_for_again() -> None:
    server = Server()
    source, http, _ = await read(server)
    http.calls.clear()
    server.workflows[14] = [workflow(14), workflow(14, "failed", "deploy")]
    server.workflows[16] = [workflow(16, "running")]
    server.pipelines[0]["state"] = "created"
    part = await read_one(source, http)
    assert asked(http) == [16, 14]
    assert (states(part)["14 build"], states(part)["14 deploy"], states(part)["16 build"]) == (
        "success",
        "failed",
        "running",
    )
    http.calls.clear()
    await read_one(source, http)
    assert asked(http) == [16]


async def test_a_pipeline_without_workflows_is_asked_for_ten_minutes() -> None:
    server = Server()
    server.pipelines, server.workflows = [pipeline(18)], {}
    source, http, _ = await read(server)
    await read_one(source, http)
    source.clock.advance(600)
    await read_one(source, http)
    await read_one(source, http)
    assert asked(http) == [18, 18, 18]


async def test_what_is_on_hold_for_days_is_asked_for_seldom() -> None:
    server = Server()
    server.pipelines, server.workflows = [pipeline(12)], {12: [workflow(12, "on_hold")]}
    source, http, _ = await read(server)
    source.clock.advance(2 * 86_400)
    await read_one(source, http)
    http.calls.clear()
    await read_one(source, http)
    assert asked(http) == []
    source.clock.advance(121)
    server.workflows[12] = [workflow(12)]
    part = await read_one(source, http)
    assert states(part) == {"12 build": "success"}


async def test_a_rerun_of_the_last_pipeline_of_a_branch_is_seen_within_two_minutes() -> None:
    server = Server()
    server.pipelines, server.workflows = (
        [pipeline(12), pipeline(11)],
        {
            12: [workflow(12, "failed")],
            11: [workflow(11, "failed")],
        },
    )
    source, http, before = await read(server)
    server.workflows[12].insert(0, workflow(12, "running", run=2))
    http.calls.clear()
    source.clock.advance(121)
    during = await read_one(source, http)
    assert asked(http) == [12]  # 11 is not the last of its branch
    server.workflows[12][0] = workflow(12, "success", run=2, auto_rerun_number=1)
    after = await read_one(source, http)
    items = [builds(part)[0] for part in (before, during, after)]
    assert [(item.state, item.attempt) for item in items] == [("failed", 1), ("running", 2), ("success", 2)]
    assert len({item.key for item in items}) == 1
    assert items[2].url.endswith(f"/12/workflows/{workflow(12, run=2)['id']}")


async def test_reruns_of_other_pipelines_are_seen_in_time_a_few_at_a_time() -> None:
    server = Server()
    server.pipelines = [pipeline(number) for number in range(18, 8, -1)]
    server.workflows = {number: [workflow(number)] for number in range(9, 19)}
    source, http, _ = await read(server)
    source.clock.advance(901)
    looks = []
    for _ in range(5):
        http.calls.clear()
        await read_one(source, http)
        looks.append(asked(http))
        source.clock.advance(1)
    assert looks == [[18, 17, 16], [15, 14, 13], [12, 11, 10], [9], []]


async def test_what_was_read_before_a_failure_is_not_asked_for_again() -> None:
    server = Server()
    server.failing = f"/api/v2/pipeline/{uuid(12)}"
    source = make_source(CircleCI, {"projects": [SLUG]}, FakeClock(START + timedelta(minutes=20)))
    http = FakeHttp(server, URL)
    (part,) = (await read_all(source, http)).parts
    assert isinstance(part.error, ServerError)
    http.calls.clear()
    server.failing = ""
    assert "12 build" in states(await read_one(source, http))
    assert asked(http) == [16, 14, 12]  # not 13, which had ended


async def test_pages_are_read_by_the_tokens_in_the_body() -> None:
    server = Server()
    server.page = 2
    _, http, part = await read(server)
    lists = [call.param("page-token") for call in http.calls if call.path == f"/api/v2/project/{SLUG}/pipeline"]
    assert lists == ["", "2", "4"]
    assert len(part.items) == 6
    _, http, part = await read(server, builds=2, branches=["main"])
    assert {item.run_number for item in builds(part)} == {15}


async def test_pages_without_end_are_an_error() -> None:
    server = Server()

    def endless(call: Call) -> Answer:
        if call.path.endswith("/pipeline"):
            following = str(int(call.param("page-token", "0")) + 1)
            return Answer.of({"items": [], "next_page_token": following})
        return server(call)

    def circling(call: Call) -> Answer:
        return Answer.of({"items": [], "next_page_token": "1"}) if call.path.endswith("/pipeline") else server(call)

    def huge(call: Call) -> Answer:
        odd = {"items": [], "next_page_token": "x" * 100_000}
        return Answer.of(odd) if call.path.endswith("/pipeline") else server(call)

    for vendor, kind in ((endless, TooLarge), (circling, BadAnswer), (huge, BadAnswer)):
        (part,) = (await read_all(make_source(CircleCI, {"projects": [SLUG]}), FakeHttp(vendor, URL))).parts
        assert isinstance(part.error, kind)


async def test_at_first_and_after_a_gap_the_default_branch_is_read_further_back() -> None:
    def branches(http: FakeHttp) -> list[str]:
        return [call.param("branch") for call in http.calls if call.path == f"/api/v2/project/{SLUG}/pipeline"]

    server = Server()
    server.page = 2
    server.pipelines = [pipeline(19, branch="a"), pipeline(18, branch="b"), pipeline(12)]
    source, http, part = await read(server, builds=2)
    assert branches(http) == ["", "main"]
    assert "12 build" in states(part)
    http.calls.clear()
    await read_one(source, http)
    assert branches(http) == [""]
    server.pipelines[:2] = [pipeline(40, branch="a"), pipeline(39, branch="b"), pipeline(30)]
    server.workflows[30] = [workflow(30, "failed")]
    part = await read_one(source, http)
    assert branches(http) == ["", "", "main"]
    assert states(part)["30 build"] == "failed"


# -- projects and branches ---------------------------------------------------------------------------------------------


async def test_the_default_branch_is_asked_for_once_an_hour() -> None:
    source, http, _ = await read(Server())
    for _ in range(3):
        await read_one(source, http)
    assert sum(call.path == f"/api/v2/project/{SLUG}" for call in http.calls) == 1
    source.clock.advance(3601)
    await read_one(source, http)
    assert sum(call.path == f"/api/v2/project/{SLUG}" for call in http.calls) == 2


async def test_a_default_branch_that_is_only_a_guess_must_have_been_seen() -> None:
    server = Server()
    server.project["vcs_info"] = {"provider": "CircleCI", "default_branch": "main", "vcs_url": "//circleci.com/a/b"}
    server.pipelines = [pipeline(12, branch="trunk")]
    source, http, part = await read(server)
    assert {item.default_branch for item in builds(part)} == {""}
    server.pipelines.insert(0, pipeline(13))
    assert {item.default_branch for item in builds(await read_one(source, http))} == {"main"}
    server.pipelines.pop(0)
    assert {item.default_branch for item in builds(await read_one(source, http))} == {"main"}


async def test_the_default_branch_may_be_named() -> None:
    _, _, part = await read(Server(), default_branch="trunk")
    assert {item.default_branch for item in builds(part)} == {"trunk"}


async def test_branches_are_parts_of_their_own_and_a_wrong_one_is_a_fault() -> None:
    source = make_source(CircleCI, {"projects": [SLUG], "branches": ["main", "side", "mian", "main"]})
    parts = {part.scope: part for part in (await read_all(source, FakeHttp(Server(), URL))).parts}
    assert sorted(parts) == [f"{SLUG} builds on {branch}" for branch in ("main", "mian", "side")]
    assert states(parts[f"{SLUG} builds on side"]) == {"13 build": "failed"}
    assert isinstance(parts[f"{SLUG} builds on mian"].error, NotFound)
    assert "mian" in str(parts[f"{SLUG} builds on mian"].error)


async def test_a_wrong_project_harms_no_other() -> None:
    source = make_source(CircleCI, {"projects": ["gh/acme/gone", SLUG]})
    whole, gone = (await read_all(source, FakeHttp(Server(), URL))).parts
    assert (whole.scope, gone.scope) == (f"{SLUG} builds", "gh/acme/gone builds")
    assert whole.error is None
    assert isinstance(gone.error, NotFound)


async def test_a_pipeline_without_an_id_is_a_fault_and_costs_no_other() -> None:
    for odd in (None, "", "../../me", "x" * 100):
        server = Server()
        server.pipelines[3]["id"] = odd
        (part,) = (await read_all(make_source(CircleCI, {"projects": [SLUG]}), FakeHttp(server, URL))).parts
        assert isinstance(part.error, BadAnswer)
        assert {item.run_number for item in builds(part)} == {15, 14, 12}


async def test_a_project_without_pipelines_is_noted() -> None:
    server = Server()
    server.pipelines = []
    _, _, part = await read(server)
    assert (part.items, part.notes) == ((), (f"{SLUG}: no pipelines yet",))


async def test_a_workflow_is_read_again_with_its_pipeline() -> None:
    server = Server()
    source, http, _ = await read(server)
    server.workflows[14] = [workflow(14, "success", run=2), workflow(14, "failed")]
    found = await source.lookup("build", f"{uuid(14)}/build", http)
    assert (found.key, found.state, found.attempt) == (f"circleci:build:{uuid(14)}/build", "success", 2)
    assert await source.lookup("build", f"{uuid(14)}/deploy", http) is None
    failed = await source.lookup("build", uuid(15), http)
    assert (failed.state, failed.pipeline) == ("failed", "build")
    with pytest.raises(NotFound):
        await source.lookup("build", f"{uuid(99)}/build", http)
    server.pipelines[2]["project_slug"] = "gh/acme/other"
    assert await source.lookup("build", f"{uuid(14)}/build", http) is None  # no longer asked for


# -- credentials and options -------------------------------------------------------------------------------------------


def test_the_token_has_a_header_of_its_own() -> None:
    source = make_source(CircleCI, {"projects": [SLUG]})
    assert source.sign(Credentials(token="ccipat_1")) == {"Circle-Token": "ccipat_1"}
    assert source.sign(Credentials()) == {}


async def test_a_wrong_token_is_told() -> None:
    server = Server()
    server.token = "ccipat_1"
    with pytest.raises(AuthError):
        await read(server)


@pytest.mark.parametrize(
    "options,message",
    [
        ({}, "projects"),
        ({"projects": []}, "`projects` is empty"),
        ({"projects": ["acme/checkout"]}, "no project slug"),
        ({"projects": ["gh/acme/.."]}, "no project slug"),
        ({"projects": ["gh/../checkout"]}, "no project slug"),
        ({"projects": ["gh/acme/x?y"]}, "no project slug"),
        ({"projects": ["https://app.circleci.com/pipelines/github/acme/checkout"]}, "no project slug"),
        ({"projects": [SLUG], "branches": [""]}, "`branches`"),
        ({"projects": [SLUG], "pipelines": 0}, "pipelines"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        make_source(CircleCI, options)
