"""GitHub: runs, deployments with their statuses, published releases, issues."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import pytest

from sources.github import GitHub
from statusboard.current import order_of, slot_of
from statusboard.errors import NotFound, ServerError
from statusboard.model import Build, Release, Ticket
from statusboard.source import Source
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all

API = "https://api.github.com"
REPO = "acme/checkout"


NIGHTLY = {"name": "Nightly", "path": ".github/workflows/nightly.yml"}


def run(number: int, status: str = "completed", conclusion: str | None = "success", **more: Any) -> dict[str, Any]:
    """A run as the list of runs holds it: its repository is the minimal one, without a default branch."""
    repository = {"id": 1, "name": "checkout", "full_name": REPO}
    return {
        "id": number,
        "name": "CI",
        "path": ".github/workflows/ci.yml",
        "display_title": "Fix the till",
        "run_number": 7,
        "run_attempt": 1,
        "event": "push",
        "status": status,
        "conclusion": conclusion,
        "head_branch": "main",
        "head_sha": "a" * 40,
        "html_url": f"https://github.com/{REPO}/actions/runs/{number}",
        "created_at": "2026-01-02T02:00:00Z",
        "run_started_at": "2026-01-02T02:30:00Z",
        "updated_at": "2026-01-02T02:40:00Z",
        "actor": {"login": "ann"},
        "triggering_actor": {"login": "bob"},
        "repository": repository,
        "head_repository": repository,
        "pull_requests": [],
        **more,
    }


def deployment(number: int, environment: str = "production", **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "sha": "b" * 40,
        "ref": f"v{number}",
        "task": "deploy",
        "payload": {},
        "environment": environment,
        "description": "",
        "creator": {"login": "ann"},
        "created_at": "2026-01-02T02:50:00Z",
        "updated_at": "2026-01-02T02:50:00Z",
        **more,
    }


def issue(number: int, **more: Any) -> dict[str, Any]:
    return {
        "number": number,
        "title": f"Issue {number}",
        "state": "open",
        "state_reason": None,
        "html_url": f"https://github.com/{REPO}/issues/{number}",
        "user": {"login": "ann"},
        "assignee": None,
        "labels": [{"name": "bug"}],
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-02T00:00:00Z",
        "closed_at": None,
        **more,
    }


class Server:
    """The parts of GitHub's API that the source asks for, one repository's data for all."""

    def __init__(self) -> None:
        self.runs = [run(11), run(12, "in_progress", None), run(13, conclusion="failure", **NIGHTLY)]
        self.jobs: dict[int, list[dict[str, Any]]] = {}
        self.deployments = [deployment(23), deployment(22, "staging"), deployment(21)]
        self.statuses: dict[int, list[dict[str, Any]]] = {
            21: [{"state": "inactive", "created_at": "2026-01-02T02:55:00Z"}],
            22: [{"state": "failure", "created_at": "2026-01-02T02:55:00Z", "log_url": "https://log.example/22"}],
            23: [{"state": "in_progress", "created_at": "2026-01-02T02:55:00Z"}],
        }
        self.releases = [
            {"id": 31, "tag_name": "v1.2", "name": "Winter", "draft": False, "prerelease": True,
             "html_url": "https://github.com/r/31", "author": {"login": "ann"}, "target_commitish": "main",
             "published_at": "2026-01-02T01:00:00Z"},
            {"id": 32, "tag_name": "v1.3", "draft": True},
        ]  # fmt: skip
        self.issues = [issue(41), issue(42, state_reason="reopened"), issue(43, pull_request={"url": "x"})]
        self.status = 200

    def __call__(self, call: Call) -> Answer:
        if self.status != 200:
            return Answer(status=self.status)
        match call.path.split("/")[4:]:
            case []:
                return Answer.of({"full_name": REPO, "default_branch": "main"})
            case ["actions", "runs"]:
                return Answer.of({"total_count": len(self.runs), "workflow_runs": self.runs})
            case ["actions", "runs", number]:
                return Answer.of(next(r for r in self.runs if r["id"] == int(number)))
            case ["actions", "runs", number, "jobs"] if int(number) in self.jobs:
                return Answer.of({"total_count": 2, "jobs": self.jobs[int(number)]})
            case ["deployments"]:
                return Answer.of(self.deployments)
            case ["deployments", number, "statuses"]:
                return Answer.of(self.statuses.get(int(number), []))
            case ["deployments", number]:
                return Answer.of(next(d for d in self.deployments if d["id"] == int(number)))
            case ["releases"]:
                return Answer.of(self.releases)
            case ["issues"]:
                return Answer.of(self.issues)
            case ["issues", number]:
                return Answer.of(next(i for i in self.issues if i["number"] == int(number)))
        return Answer.of({"message": "Not Found"}, 404)


class TestContract(SourceContract):
    source = GitHub
    options: ClassVar = {"repos": [REPO]}
    state_fields = ("status", "conclusion", "state")
    time_fields = ("created_at", "updated_at", "run_started_at", "published_at", "closed_at")
    id_fields = ("id", "number")
    gone_is_fine = frozenset({410})

    def vendor(self, call: Call) -> Answer:
        return Server()(call)


def github(**options: Any) -> Source[Any]:
    return make_source(GitHub, {"repos": [REPO], **options})


async def part_of(source: Source[Any], http: FakeHttp, kind: str) -> Any:
    (part,) = [part for part in (await read_all(source, http)).parts if part.kind == kind]
    if part.error:
        raise part.error
    return part


async def build(**fields: Any) -> Build:
    server = Server()
    server.runs = [run(11, **fields)]
    part = await part_of(github(kinds=["build"]), FakeHttp(server, API), "build")
    item: Build = part.items[0]
    return item


# -- scopes ------------------------------------------------------------------------------------------------------------


async def test_one_part_a_repository_and_kind() -> None:
    source = github(repos=["acme/a", "acme/b", "ACME/A"], kinds=["build", "ticket"])
    scopes = await source.scopes(FakeHttp(Server(), API))
    assert [scope.name for scope in scopes] == ["acme/a builds", "acme/a tickets", "acme/b builds", "acme/b tickets"]


@pytest.mark.parametrize(
    "repos", [[], ["acme"], ["acme/x/y"], ["acme/../x?y"], ["acme/.."], ["../x"], ["https://github.com/acme/x"]]
)
def test_repositories_are_checked(repos: list[str]) -> None:
    with pytest.raises(msgspec.ValidationError, match="`repos`"):
        github(repos=repos)


async def test_one_failing_repository_leaves_the_others_whole() -> None:
    server = Server()

    def vendor(call: Call) -> Answer:
        return Answer(status=404) if call.path.startswith("/repos/acme/gone") else server(call)

    source = github(repos=[REPO, "acme/gone"], kinds=["build"])
    parts = {part.scope: part for part in (await read_all(source, FakeHttp(vendor, API))).parts}
    assert isinstance(parts["acme/gone builds"].error, NotFound)
    assert len(parts[f"{REPO} builds"].items) == 3


# -- builds ------------------------------------------------------------------------------------------------------------


async def test_a_run_is_a_build() -> None:
    assert await build(conclusion="failure") == Build(
        key="github:build:acme/checkout/run/11",
        source="github",
        title="Fix the till",
        state="failed",
        raw_state="completed/failure",
        reason="failure",
        pipeline="CI",
        run_number=7,
        attempt=1,
        branch="main",
        default_branch="main",
        revision="a" * 40,
        repository=REPO,
        url="https://github.com/acme/checkout/actions/runs/11",
        actor="bob",
        trigger="push",
        labels={"workflow": ".github/workflows/ci.yml"},
        started_at=datetime(2026, 1, 2, 2, 30, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 2, 40, tzinfo=UTC),
        ended_at=datetime(2026, 1, 2, 2, 40, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "status,conclusion,state",
    [
        ("queued", None, "queued"),
        ("requested", None, "queued"),
        ("pending", None, "queued"),
        ("waiting", None, "blocked"),
        ("in_progress", None, "running"),
        ("completed", "success", "success"),
        ("completed", "neutral", "success"),
        ("completed", "skipped", "skipped"),
        ("completed", "cancelled", "cancelled"),
        ("completed", "stale", "cancelled"),
        ("completed", "action_required", "blocked"),
        ("completed", "failure", "failed"),
        ("completed", "timed_out", "failed"),
        ("completed", "startup_failure", "failed"),
        ("completed", None, "unknown"),
        ("completed", "next_years_word", "unknown"),
        ("next_years_word", "success", "unknown"),
    ],
)
async def test_states_of_runs(status: str, conclusion: str | None, state: str) -> None:
    assert (await build(status=status, conclusion=conclusion)).state == state


async def test_a_rerun_is_the_same_build_with_a_higher_attempt() -> None:
    again = await build(run_attempt=2, run_started_at="2026-01-02T03:00:00Z")
    assert again.key == (await build()).key
    assert again.attempt == 2
    assert again.started_at == datetime(2026, 1, 2, 3, tzinfo=UTC)


async def pipelines(*runs: dict[str, Any], source: Source[Any] | None = None) -> dict[int, str]:
    """The pipeline of each of these runs, by their numbers."""
    server = Server()
    server.runs = list(runs)
    part = await part_of(source or github(kinds=["build"]), FakeHttp(server, API), "build")
    return {int(item.key.rpartition("/")[2]): item.pipeline for item in part.items}


async def test_a_run_of_a_file_that_github_cannot_read_is_of_the_same_pipeline_as_the_next() -> None:
    path = ".github/workflows/ci.yml"
    broken = run(12, conclusion="failure", name=path)
    assert await pipelines(run(13), broken, run(11)) == dict.fromkeys((11, 12, 13), "CI")
    source = github(kinds=["build"])
    assert await pipelines(run(11), source=source) == {11: "CI"}
    assert await pipelines(broken, source=source) == {12: "CI"}
    assert await pipelines(broken) == {12: path}


async def test_a_workflow_that_got_a_new_name_is_the_same_pipeline() -> None:
    assert await pipelines(run(12, name="Checks"), run(11, conclusion="failure")) == {12: "Checks", 11: "Checks"}


async def test_two_workflows_of_one_name_do_not_speak_for_each_other() -> None:
    other = run(12, conclusion="failure", path=".github/workflows/windows.yml@main")
    assert await pipelines(other, run(11)) == {12: "CI (windows.yml)", 11: "CI (ci.yml)"}
    by_turns = [run(14, head_sha="d"), {**other, "id": 13, "head_sha": "c"}, run(12, head_sha="b")]
    assert await pipelines(*by_turns) == {14: "CI (ci.yml)", 13: "CI (windows.yml)", 12: "CI (ci.yml)"}


async def test_a_workflow_whose_file_was_moved_is_the_same_pipeline() -> None:
    moved = {"path": ".github/workflows/checks.yml"}
    rows = [run(14, head_sha="d", **moved), run(13, head_sha="c", **moved), run(12, conclusion="failure", head_sha="b")]
    assert await pipelines(*rows) == {14: "CI", 13: "CI", 12: "CI"}
    side = run(15, head_sha="e", head_branch="side")  # which has the old file still
    assert await pipelines(side, *rows) == {15: "CI", 14: "CI", 13: "CI", 12: "CI"}


async def test_the_next_of_dependabots_runs_speaks_for_the_one_before() -> None:
    def update(number: int, name: str) -> dict[str, Any]:
        return run(number, name=name, display_title=name, path="dynamic/dependabot/dependabot-updates", event="dynamic")

    assert await pipelines(
        update(13, "pip in /. - Update #1043"),
        update(12, "pip in /. for jinja2, mako - Update #1042"),
        update(11, "npm_and_yarn in /web - Update #1041"),
    ) == {13: "pip in /.", 12: "pip in /.", 11: "npm_and_yarn in /web"}


@pytest.mark.parametrize(
    "jobs,verdict",
    [
        ([("completed", "success"), ("waiting", None)], "success"),
        ([("COMPLETED", "Success"), ("completed", "skipped"), ("Waiting", None)], "success"),
        ([("completed", "success"), ("completed", "failure"), ("waiting", None)], "failed"),
        ([("completed", "success"), ("in_progress", None), ("waiting", None)], ""),
        ([("completed", "next_years_word"), ("completed", "success"), ("waiting", None)], ""),
        ([("completed", "skipped"), ("waiting", None)], ""),
        ([("waiting", None)], ""),
    ],
)
async def test_a_run_that_waits_for_somebody_counts_as_what_its_jobs_have_said(
    jobs: list[tuple[str, str | None]], verdict: str
) -> None:
    server = Server()
    server.runs = [run(12, "waiting", None), run(11, "waiting", None), run(10, conclusion="failure")]
    server.jobs[12] = [{"status": status, "conclusion": conclusion} for status, conclusion in jobs]
    source, http = github(kinds=["build"]), FakeHttp(server, API)
    for _ in range(2):
        items = (await part_of(source, http, "build")).items
        assert [(item.state, item.verdict) for item in items] == [("blocked", verdict), ("blocked", ""), ("failed", "")]
    assert [call.path for call in http.calls if call.path.endswith("/jobs")] == [f"/repos/{REPO}/actions/runs/12/jobs"]


async def test_a_rerun_of_older_code_says_nothing_of_newer() -> None:
    again = run(11, run_attempt=2, created_at="2026-01-02T01:00:00Z", run_started_at="2026-01-02T03:00:00Z")
    newer = run(12, conclusion="failure", created_at="2026-01-02T02:00:00Z", run_started_at="2026-01-02T02:00:00Z")
    server = Server()
    server.runs = [newer, again]
    failed, rerun = (await part_of(github(kinds=["build"]), FakeHttp(server, API), "build")).items
    assert slot_of(failed) == slot_of(rerun)
    assert order_of(failed) > order_of(rerun)
    server.runs = [again]
    (alone,) = (await part_of(github(kinds=["build"]), FakeHttp(server, API), "build")).items
    assert alone.started_at == datetime(2026, 1, 2, 3, tzinfo=UTC)


async def test_a_rerun_that_fell_out_of_the_list_keeps_its_place() -> None:
    server = Server()
    server.runs = [run(11, "in_progress", None, run_attempt=2, run_started_at="2026-01-02T03:00:00Z")]
    item = await github().lookup("build", f"{REPO}/run/11", FakeHttp(server, API))
    assert item is not None
    assert item.started_at == datetime(2026, 1, 2, 2, tzinfo=UTC)


async def test_a_running_run_does_not_change_with_every_step() -> None:
    first = await build(status="in_progress", conclusion=None)
    later = await build(status="in_progress", conclusion=None, updated_at="2026-01-02T02:59:00Z")
    assert first == later


async def test_forks_and_pull_requests_are_told_apart_from_the_branch() -> None:
    fork = {"full_name": "eve/checkout"}
    assert (await build(event="pull_request", head_repository=fork)).fork == "eve/checkout"
    assert (await build(event="pull_request", head_repository=None)).fork == "unknown"
    assert (await build(event="pull_request", pull_requests=[{"number": 5}])).change == "5"
    assert (await build(event="pull_request_target")).change == "unknown"  # closed: the list is empty then
    # A push to a branch with an open pull request is still a run of that branch.
    assert (await build(pull_requests=[{"number": 5}])).change == ""


async def test_a_build_of_a_pull_request_leads_to_it() -> None:
    item = await build(event="pull_request", pull_requests=[{"number": 5}])
    assert item.links == {"pull request": "https://github.com/acme/checkout/pull/5"}
    assert (await build(event="pull_request_target")).links == {}


async def test_a_renamed_repository_is_not_its_own_fork() -> None:
    renamed = {"full_name": "acme/till"}
    assert (await build(repository=renamed, head_repository=renamed)).fork == ""


async def test_the_default_branch_is_asked_for_once_an_hour() -> None:
    source, http = github(kinds=["build"]), FakeHttp(Server(), API)
    for _ in range(3):
        await part_of(source, http, "build")
    assert sum(call.path == f"/repos/{REPO}" for call in http.calls) == 1
    source.clock.advance(3601)  # type: ignore[attr-defined]
    await part_of(source, http, "build")
    assert sum(call.path == f"/repos/{REPO}" for call in http.calls) == 2


async def test_after_a_gap_the_default_branch_is_read_further_back() -> None:
    server = Server()
    source, http = github(kinds=["build"], builds=3), FakeHttp(server, API)
    await part_of(source, http, "build")
    assert [call.param("branch") for call in http.calls if call.path.endswith("/runs")] == ["", "main"]
    await part_of(source, http, "build")
    server.runs = [run(90), run(91), run(92)]  # none of the runs that were known
    await part_of(source, http, "build")
    assert [call.param("branch") for call in http.calls if call.path.endswith("/runs")] == ["", "main", "", "", "main"]


# -- releases ----------------------------------------------------------------------------------------------------------


async def test_deployments_and_published_releases() -> None:
    part = await part_of(github(kinds=["release"]), FakeHttp(Server(), API), "release")
    running, failed, inactive, published = part.items
    assert (running.state, failed.state, inactive.state) == ("running", "failed", "inactive")
    assert failed == Release(
        key="github:release:acme/checkout/deployment/22",
        source="github",
        title="v22 to staging",
        state="failed",
        raw_state="failure",
        environment="staging",
        version="v22",
        revision="b" * 40,
        repository=REPO,
        url="https://log.example/22",
        links={"log": "https://log.example/22"},
        actor="ann",
        started_at=datetime(2026, 1, 2, 2, 50, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 2, 55, tzinfo=UTC),
        ended_at=datetime(2026, 1, 2, 2, 55, tzinfo=UTC),
    )
    assert (published.type, published.version, published.prerelease) == ("publication", "v1.2", True)
    assert "v1.3" not in [item.version for item in part.items]  # a draft


@pytest.mark.parametrize(
    "payload,version",
    [({"version": "2.1"}, "2.1"), ('{"tag": "v3"}', "v3"), ("no json", "v1"), ("", "v1"), (None, "v1"), ([1], "v1")],
)
async def test_the_version_of_a_deployment(payload: Any, version: str) -> None:
    server = Server()
    server.deployments, server.releases = [deployment(1, payload=payload)], []
    part = await part_of(github(kinds=["release"]), FakeHttp(server, API), "release")
    assert part.items[0].version == version


async def test_a_deployment_without_a_status_is_pending() -> None:
    server = Server()
    server.statuses = {}
    part = await part_of(github(kinds=["release"]), FakeHttp(server, API), "release")
    assert {item.state for item in part.items if item.type == "deployment"} == {"queued"}


def reads(http: FakeHttp) -> list[int]:
    """The deployments whose status was asked for."""
    return [int(call.path.split("/")[5]) for call in http.calls if call.path.endswith("/statuses")]


async def test_only_statuses_that_may_change_are_read_again() -> None:
    source, http = github(kinds=["release"]), FakeHttp(Server(), API)
    await part_of(source, http, "release")
    assert reads(http) == [23, 22, 21]
    http.calls.clear()
    await part_of(source, http, "release")
    assert reads(http) == [23]  # it is on its way
    http.calls.clear()
    source.clock.advance(901)  # type: ignore[attr-defined]
    await part_of(source, http, "release")
    assert reads(http) == [23, 22]  # the newest of each environment


async def test_a_new_deployment_makes_the_one_before_it_be_read_again() -> None:
    server = Server()
    server.statuses[23] = [{"state": "success"}]
    source, http = github(kinds=["release"]), FakeHttp(server, API)
    await part_of(source, http, "release")
    http.calls.clear()
    server.deployments.insert(0, deployment(24))
    server.statuses[23] = [{"state": "inactive"}]
    part = await part_of(source, http, "release")
    assert reads(http) == [24, 23]
    assert part.items[1].state == "inactive"


async def test_a_304_for_the_list_says_nothing_of_the_statuses() -> None:
    server = Server()

    def vendor(call: Call) -> Answer:
        if call.path.endswith("/deployments"):
            if call.headers.get("if-none-match") == '"1"':
                return Answer(status=304)
            return Answer.of(server.deployments, etag='"1"')
        return server(call)

    source, http = github(kinds=["release"]), FakeHttp(vendor, API)
    await part_of(source, http, "release")
    server.statuses[23] = [{"state": "success", "created_at": "2026-01-02T03:00:00Z"}]
    part = await part_of(source, http, "release")
    assert not part.unchanged
    assert [item.state for item in part.items] == ["success", "failed", "inactive", "success"]


async def test_after_a_failure_all_is_read_anew() -> None:
    server = Server()
    source, http = github(kinds=["release"]), FakeHttp(server, API)
    await part_of(source, http, "release")
    server.status = 500
    with pytest.raises(ServerError):
        await part_of(source, http, "release")
    server.status = 200
    http.calls.clear()
    await part_of(source, http, "release")
    assert reads(http) == [23, 22, 21]
    assert all("if-none-match" not in call.headers for call in http.calls)


def deployed(server: Server, *states: str) -> None:
    """The newest first: deployments 3, 2, 1 to production, each with its state."""
    numbers = range(len(states), 0, -1)
    server.deployments = [deployment(number) for number in numbers]
    server.statuses = {number: [{"state": state}] for number, state in zip(numbers, states, strict=True)}
    server.releases = []


async def releases(server: Server, source: Source[Any] | None = None) -> list[Release]:
    part = await part_of(source or github(kinds=["release"]), FakeHttp(server, API), "release")
    return list(part.items)


async def test_what_a_deployment_replaced() -> None:
    server = Server()
    deployed(server, "in_progress", "failure", "success", "inactive")
    server.deployments.insert(2, deployment(9, "staging"))
    server.statuses[9] = [{"state": "success"}]
    before = {item.version: item.previous_version for item in await releases(server)}
    assert before == {"v4": "v2", "v3": "v2", "v9": "", "v2": "v1", "v1": ""}
    server.deployments[0]["payload"] = {"previous_version": "v1.5"}  # who deploys knows better
    assert (await releases(server))[0].previous_version == "v1.5"


async def test_what_a_deployment_replaced_is_known_when_that_is_no_longer_listed() -> None:
    server, source = Server(), github(kinds=["release"])
    deployed(server, "success", "inactive")
    assert [item.previous_version for item in await releases(server, source)] == ["v1", ""]
    del server.deployments[1]
    assert [item.previous_version for item in await releases(server, source)] == ["v1"]


async def rolled_back(task: str, *states: str, **more: Any) -> list[str]:
    """The states of deployments 3, 2, 1; the newest, done for this task, deploys v1 again."""
    server = Server()
    deployed(server, *states)
    server.deployments[0].update({"task": task, "ref": "v1", **more})
    return [item.state for item in await releases(server)]


async def test_what_was_rolled_back() -> None:
    assert await rolled_back("rollback", "success", "inactive", "inactive") == ["success", "rolled_back", "inactive"]
    assert await rolled_back("deploy:ROLL_BACK", "inactive", "success", "inactive") == [
        "inactive",
        "rolled_back",
        "inactive",
    ]
    # It was nobody's rollback, is not done, undid what had failed, or says of itself that it undid something else.
    assert await rolled_back("deploy", "success", "inactive", "inactive") == ["success", "inactive", "inactive"]
    assert await rolled_back("rollback", "in_progress", "success", "inactive") == ["running", "success", "inactive"]
    assert await rolled_back("rollback", "success", "failure", "inactive") == ["success", "failed", "inactive"]
    said = {"payload": {"previous_version": "v7"}}
    assert await rolled_back("rollback", "success", "inactive", "inactive", **said) == [
        "success",
        "inactive",
        "inactive",
    ]
    again = {"ref": "v2"}  # the same was deployed once more
    assert await rolled_back("rollback", "success", "inactive", "inactive", **again) == [
        "success",
        "inactive",
        "inactive",
    ]


async def test_a_rollback_of_a_branch_is_told_by_its_commits() -> None:
    server = Server()
    deployed(server, "success", "inactive")
    server.deployments = [
        deployment(2, ref="main", sha="a" * 40, task="rollback"),
        deployment(1, ref="main", sha="b" * 40),
    ]
    undone = (await releases(server))[1]
    assert (undone.state, undone.raw_state, undone.reason) == ("rolled_back", "inactive", f"rolled back to {'a' * 12}")


async def test_a_deployment_without_a_log_has_a_page() -> None:
    server = Server()
    server.deployments = [deployment(1, "eu/blue green")]
    assert (await releases(server))[0].url == f"https://github.com/{REPO}/deployments/eu%2Fblue%20green"
    there = github(kinds=["release"], url="https://ghe.example/prefix/api/v3")
    assert (await releases(server, there))[0].url == f"https://ghe.example/prefix/{REPO}/deployments/eu%2Fblue%20green"


async def test_the_version_before_a_published_release() -> None:
    server = Server()
    tags = ["v2.0.1", "v1.9.1", "v2.0.0", "v2.0.0-rc.1", "web-v1.0", "v1.9.0"]
    server.releases = [{"id": number, "tag_name": tag} for number, tag in enumerate(tags)]
    server.deployments = []
    before = {item.version: item.previous_version for item in await releases(server)}
    assert before == {
        "v2.0.1": "v2.0.0",
        "v1.9.1": "v1.9.0",  # an old line is still mended
        "v2.0.0": "v1.9.0",
        "v2.0.0-rc.1": "v1.9.0",
        "web-v1.0": "",
        "v1.9.0": "",
    }


async def test_the_ten_newest_published_releases_are_shown() -> None:
    server = Server()
    server.releases = [{"id": number, "tag_name": f"v{number}", "draft": number == 30} for number in range(30, 10, -1)]
    server.deployments = []
    shown = await releases(server)
    assert [item.version for item in shown] == [f"v{number}" for number in range(29, 19, -1)]
    assert shown[-1].previous_version == "v19"


# -- tickets -----------------------------------------------------------------------------------------------------------


async def test_issues_are_tickets_and_pull_requests_are_not() -> None:
    part = await part_of(github(kinds=["ticket"]), FakeHttp(Server(), API), "ticket")
    assert [item.ticket_id for item in part.items] == ["#41", "#42"]
    assert part.items[0] == Ticket(
        key="github:ticket:acme/checkout/issue/41",
        source="github",
        title="Issue 41",
        state="open",
        raw_state="open",
        ticket_id="#41",
        repository=REPO,
        url="https://github.com/acme/checkout/issues/41",
        labels={"bug": ""},
        actor="ann",
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    assert part.reach == "window"


async def test_turned_off_issues_are_no_fault() -> None:
    part = await part_of(github(kinds=["ticket"]), FakeHttp(lambda call: Answer(status=410), API), "ticket")
    assert part.items == ()
    assert part.notes == (f"{REPO}: issues are turned off",)


async def test_more_issues_than_are_read_are_noted() -> None:
    def vendor(call: Call) -> Answer:
        page = int(call.param("page", "1"))
        link = f'<{API}/repositories/1/issues?page={page + 1}>; rel="next"'
        return Answer.of([issue(page)], link=link)

    part = await part_of(github(kinds=["ticket"]), FakeHttp(vendor, API), "ticket")
    assert len(part.items) == 10
    assert part.notes == (f"{REPO}: only the 1000 open issues that changed last are read",)


# -- lookup ------------------------------------------------------------------------------------------------------------


async def test_items_are_read_again_by_id() -> None:
    server = Server()
    server.issues[0].update(state="closed", state_reason="not_planned", closed_at="2026-01-02T03:00:00Z")
    source, http = github(), FakeHttp(server, API)
    closed = await source.lookup("ticket", f"{REPO}/issue/41", http)
    assert isinstance(closed, Ticket)
    assert (closed.state, closed.ended_at) == ("cancelled", datetime(2026, 1, 2, 3, tzinfo=UTC))
    failed = await source.lookup("build", f"{REPO}/run/13", http)
    assert failed is not None
    assert (failed.key, failed.state) == (f"github:build:{REPO}/run/13", "failed")
    deployed = await source.lookup("release", f"{REPO}/deployment/22", http)
    assert deployed is not None
    assert deployed.state == "failed"
    assert await source.lookup("build", "other/repo/run/13", http) is None


def test_what_is_asked_of_every_request() -> None:
    source = github(url="https://ghe.example/api/v3")
    assert source.concurrency == 1
    assert source.request_headers() == {
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
