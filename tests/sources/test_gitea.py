"""Gitea and Forgejo: runs in three shapes and two vocabularies, releases, issues; repositories and organisations."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

import msgspec
import pytest

from sources.gitea import Gitea
from statusboard.current import order_of, slot_of
from statusboard.errors import BadAnswer, NotFound, ServerError, TooLarge
from statusboard.model import Build, Part, Release, Ticket
from statusboard.source import Credentials, LookupUnsupported, Source
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all

URL = "https://git.example/forge"
REPO = "acme/checkout"
SHA = "a1b2c3d4" * 5
NOT_FOUND = Answer.of({"message": "The target couldn't be found."}, 404)
NO_TIME = "1970-01-01T01:00:00+01:00"  # how a time that was never set comes


def run(number: int, status: str = "completed", conclusion: str | None = "success", **more: Any) -> dict[str, Any]:
    """A run as Gitea tells of it since 1.25."""
    return {
        "id": number,
        "html_url": f"{URL}/{REPO}/actions/runs/{number - 100}",
        "display_title": "Fix the till",
        "path": "ci.yml@refs/heads/main",
        "event": "push",
        "run_attempt": 2,
        "run_number": number - 100,
        "head_sha": SHA,
        "head_branch": "main",
        "status": status,
        "conclusion": conclusion,
        "started_at": "2026-01-02T03:30:00+01:00",
        "completed_at": "2026-01-02T03:40:00+01:00" if status == "completed" else NO_TIME,
        "actor": {"login": "ann"},
        "trigger_actor": {"login": "bob"},
        **more,
    }


def forgejo_run(number: int, status: str = "success", **more: Any) -> dict[str, Any]:
    """A run as Forgejo tells of it."""
    done = status in ("success", "failure", "cancelled", "skipped")
    return {
        "id": number,
        "title": "Fix the till",
        "workflow_id": "ci.yml",
        "index_in_repo": number - 100,
        "trigger_user": {"login": "ann"},
        "prettyref": "main",
        "commit_sha": SHA,
        "need_approval": False,
        "event": "",
        "trigger_event": "push",
        "status": status,
        "started": "2026-01-02T02:30:00Z",
        "stopped": "2026-01-02T02:40:00Z" if done else "0001-01-01T00:00:00Z",
        "created": "2026-01-02T02:00:00Z",
        "updated": "2026-01-02T02:41:00Z",
        "html_url": f"{URL}/{REPO}/actions/runs/{number - 100}",
        **more,
    }


def task(number: int, status: str = "success", **more: Any) -> dict[str, Any]:
    """A task, which is all that older servers tell of."""
    return {
        "id": number,
        "name": "test",
        "head_branch": "main",
        "head_sha": SHA,
        "run_number": 7,
        "event": "push",
        "display_title": "Fix the till",
        "status": status,
        "workflow_id": "ci.yml",
        "url": f"{URL}/{REPO}/actions/runs/7",
        "created_at": "2026-01-02T02:00:00Z",
        "updated_at": "2026-01-02T02:40:00Z",
        "run_started_at": "2026-01-02T02:30:00Z",
        **more,
    }


def issue(number: int, repo: str = REPO, **more: Any) -> dict[str, Any]:
    return {
        "number": number,
        "title": f"Issue {number}",
        "state": "open",
        "html_url": f"{URL}/{repo}/issues/{number}",
        "user": {"login": "ann"},
        "assignees": [{"login": "bob"}, {"login": "eve"}],
        "labels": [{"name": "Kind/Bug", "exclusive": False}, {"name": "Priority/High", "exclusive": True}],
        "pull_request": None,
        "repository": {"full_name": repo},
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-02T00:00:00Z",
        "closed_at": None,
        **more,
    }


class Server:
    """The parts of the API that the source asks for, one repository's data for all.

    ``tells`` is what the server knows of Actions.  It serves no more than ``most`` rows at once.
    """

    def __init__(self, tells: Literal["gitea", "forgejo", "tasks"] = "gitea", most: int = 50) -> None:
        self.tells = tells
        self.most = most
        self.repository: dict[str, Any] = {
            "full_name": REPO,
            "default_branch": "main",
            "archived": False,
            "has_actions": True,
            "has_issues": True,
            "has_releases": True,
        }
        self.repositories = [
            self.repository,
            {**self.repository, "full_name": "acme/till"},
            {**self.repository, "full_name": "acme/old", "archived": True},
        ]
        self.runs = {
            "gitea": [run(113, "in_progress", ""), run(112, conclusion="failure"), run(111)],
            "forgejo": [forgejo_run(113, "running"), forgejo_run(112, "failure"), forgejo_run(111)],
            "tasks": [],
        }[tells]
        self.tasks = [task(33, "running"), task(32, "failure", name="lint"), task(31)]
        self.releases = [
            {
                "id": 31,
                "tag_name": "v1.2",
                "target_commitish": SHA,
                "name": "Winter",
                "html_url": f"{URL}/{REPO}/releases/tag/v1.2",
                "draft": False,
                "prerelease": True,
                "published_at": "2026-01-02T01:00:00Z",
                "author": {"login": "ann"},
            }
        ]
        self.issues = [issue(41), issue(42, labels=[], assignees=None)]
        self.failing: dict[str, int] = {}  # status by the end of a path

    def __call__(self, call: Call) -> Answer:
        path = call.path.removeprefix("/forge/api/v1/")
        for end, status in self.failing.items():
            if path.endswith(end):
                return Answer.of({"message": f"{status}"}, status)
        match path.split("/"):
            case ["orgs", "acme", "repos"]:
                return self.page(self.repositories, call)
            case ["repos", "issues", "search"]:
                assert (call.param("owner"), call.param("type")) == ("acme", "issues")
                return self.page([i for i in self.issues if i["state"] == call.param("state")], call)
            case ["repos", owner, name, *rest] if f"{owner}/{name}" in (REPO, "acme/till", "Acme/Checkout"):
                return self.below(rest, call)
        return NOT_FOUND

    def below(self, path: list[str], call: Call) -> Answer:
        match path:
            case []:
                return Answer.of(self.repository)
            case ["actions", "runs"] if self.tells != "tasks":
                wanted = (
                    call.param("branch") if self.tells == "gitea" else call.param("ref").removeprefix("refs/heads/")
                )
                rows = [r for r in self.runs if wanted in ("", r.get("head_branch") or r.get("prettyref"))]
                return self.counted(rows, call)
            case ["actions", "runs", number] if self.tells != "tasks":
                return found(self.runs, "id", number)
            case ["actions", "tasks"]:
                return self.counted(self.tasks, call)
            case ["releases"]:
                return Answer.of(self.releases)
            case ["releases", number]:
                return found(self.releases, "id", number)
            case ["issues"]:
                assert call.param("type") == "issues"
                return self.page([i for i in self.issues if i["state"] == call.param("state")], call)
            case ["issues", number]:
                return found(self.issues, "number", number)
        return NOT_FOUND

    def size(self, call: Call) -> int:
        if self.tells == "forgejo" and not call.param("page"):
            return min(30, self.most)  # it leaves `limit` aside then
        return min(int(call.param("limit", "30")), self.most)

    def counted(self, rows: list[dict[str, Any]], call: Call) -> Answer:
        """One page of runs or tasks, which come without links."""
        size, page = self.size(call), int(call.param("page", "1"))
        return Answer.of({"workflow_runs": rows[size * (page - 1) : size * page], "total_count": len(rows)})

    def page(self, rows: list[dict[str, Any]], call: Call) -> Answer:
        size, page = self.size(call), int(call.param("page", "1"))
        link = f'<{call.url}>; rel="last"'
        if len(rows) > size * page:
            link = f'<{call.url.replace(f"page={page}", f"page={page + 1}")}>; rel="next",{link}'
        return Answer.of(rows[size * (page - 1) : size * page], link=link)


def found(rows: list[dict[str, Any]], field: str, value: str) -> Answer:
    return next((Answer.of(row) for row in rows if str(row[field]) == value), NOT_FOUND)


class TestContract(SourceContract):
    source = Gitea
    options: ClassVar[dict[str, Any]] = {"url": URL, "repos": [REPO]}
    state_fields = ("status", "conclusion", "state")
    time_fields: ClassVar[tuple[str, ...]] = (
        "created_at", "updated_at", "started_at", "completed_at", "published_at", "closed_at"
    )  # fmt: skip
    id_fields = ("id", "number", "full_name")

    def vendor(self, call: Call) -> Answer:
        return Server()(call)


class TestContractOfForgejo(TestContract):
    options: ClassVar[dict[str, Any]] = {**TestContract.options, "kinds": ["build"]}
    time_fields: ClassVar[tuple[str, ...]] = ("started", "stopped", "created", "updated")

    def vendor(self, call: Call) -> Answer:
        return Server("forgejo")(call)


class TestContractOfTasks(TestContractOfForgejo):
    time_fields: ClassVar[tuple[str, ...]] = ("created_at", "updated_at", "run_started_at")

    def vendor(self, call: Call) -> Answer:
        return Server("tasks")(call)


def gitea(**options: Any) -> Source[Any]:
    return make_source(Gitea, {"url": URL, "repos": [REPO], **options})


async def parts_of(source: Source[Any], http: FakeHttp) -> dict[str, Part]:
    return {part.scope: part for part in (await read_all(source, http)).parts}


async def part_of(source: Source[Any], http: FakeHttp, what: str) -> Part:
    """The part whose name ends so; its error is raised."""
    (part,) = [part for name, part in (await parts_of(source, http)).items() if name.endswith(what)]
    if part.error:
        raise part.error
    return part


async def build(row: dict[str, Any], tells: Literal["gitea", "forgejo", "tasks"] = "gitea") -> Build:
    server = Server(tells)
    server.runs = server.tasks = [row]
    (item,) = (await part_of(gitea(kinds=["build"]), FakeHttp(server, URL), "builds")).items
    assert isinstance(item, Build)
    return item


def at(hour: int, minute: int) -> datetime:
    return datetime(2026, 1, 2, hour, minute, tzinfo=UTC)


def asked(http: FakeHttp, end: str) -> int:
    return sum(call.path.endswith(end) for call in http.calls)


# -- scopes and options ------------------------------------------------------------------------------------------------


async def test_one_part_a_repository_and_matter() -> None:
    source = gitea(repos=[REPO, "Acme/Checkout", "acme/till"], kinds=["build", "ticket"])
    scopes = await source.scopes(FakeHttp(Server(), URL))
    assert [(scope.name, scope.kind) for scope in scopes] == [
        (f"{REPO} builds", "build"),
        (f"{REPO} tickets", "ticket"),
        ("acme/till builds", "build"),
        ("acme/till tickets", "ticket"),
    ]


@pytest.mark.parametrize(
    "options,message",
    [
        ({"repos": []}, "`repos`"),
        ({"repos": [], "org": ""}, "`org`"),
        ({"repos": ["acme"]}, "owner/name"),
        ({"repos": ["acme/.."]}, "owner/name"),
        ({"repos": ["../x"]}, "owner/name"),
        ({"repos": ["acme/x?y"]}, "owner/name"),
        ({"repos": ["https://codeberg.org/acme/x"]}, "owner/name"),
        ({"org": "acme/x"}, "`org`"),
        ({"org": [".."]}, "`org`"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        gitea(**options)


def test_how_the_credential_is_sent() -> None:
    assert gitea().sign(Credentials(token="t")) == {"Authorization": "token t"}
    assert gitea().sign(Credentials(username="ann", password="p")) == {"Authorization": "Basic YW5uOnA="}
    assert gitea().sign(Credentials()) == {}


async def test_a_wrong_repository_is_no_empty_board() -> None:
    parts = await parts_of(gitea(repos=["acme/chekout", REPO]), FakeHttp(Server(), URL))
    assert {name: type(part.error) for name, part in parts.items()} == {
        "acme/chekout builds": NotFound,
        "acme/chekout releases": NotFound,
        "acme/chekout tickets": NotFound,
        f"{REPO} builds": type(None),
        f"{REPO} releases": type(None),
        f"{REPO} tickets": type(None),
    }


async def test_what_is_turned_off_is_noted_and_not_asked_for() -> None:
    server = Server()
    server.repository.update(has_actions=False, has_releases=False, has_issues=False)
    http = FakeHttp(server, URL)
    parts = await parts_of(gitea(), http)
    assert {name: (part.error, part.notes) for name, part in parts.items()} == {
        f"{REPO} builds": (None, (f"{REPO}: Actions are turned off",)),
        f"{REPO} releases": (None, (f"{REPO}: releases are turned off",)),
        f"{REPO} tickets": (None, (f"{REPO}: issues are turned off, or kept elsewhere",)),
    }
    assert {call.path for call in http.calls} == {f"/forge/api/v1/repos/{REPO}"}


async def test_issues_of_a_tracker_elsewhere_are_noted() -> None:
    server = Server()
    server.repository["external_tracker"] = {"external_tracker_url": "https://bugs.example"}
    part = await part_of(gitea(), FakeHttp(server, URL), "tickets")
    assert part.notes == (f"{REPO}: issues are turned off, or kept elsewhere",)


# -- organisations -----------------------------------------------------------------------------------------------------


async def test_an_organisation_is_all_its_repositories_and_its_issues_are_read_at_once() -> None:
    source, http = gitea(repos=[], org="acme"), FakeHttp(Server(), URL)
    assert [scope.name for scope in await source.scopes(http)] == [
        f"{REPO} builds",
        f"{REPO} releases",
        "acme/till builds",
        "acme/till releases",
        "acme/* tickets",
    ]
    narrowed = gitea(repos=["other/x", "Acme/Checkout"], org=["acme"], exclude=["*/TILL"])
    assert [scope.name for scope in await narrowed.scopes(http)] == [
        "Acme/Checkout builds",
        "Acme/Checkout releases",
        "other/x builds",
        "other/x releases",
        "other/x tickets",
        "acme/* tickets",
    ]


async def test_the_issues_of_an_organisation_tell_their_repository() -> None:
    server = Server()
    server.issues = [issue(1), issue(2, "acme/till"), issue(3, "acme/old")]
    source = gitea(repos=[], org=["Acme"], kinds=["ticket"])
    part = await part_of(source, FakeHttp(server, URL), "tickets")
    assert [(item.key, item.repository) for item in part.items] == [
        ("gitea:ticket:acme/checkout/issue/1", REPO),
        ("gitea:ticket:acme/till/issue/2", "acme/till"),
    ]
    del server.issues[0]["repository"]
    with pytest.raises(BadAnswer, match="repository"):
        await part_of(source, FakeHttp(server, URL), "tickets")


async def test_an_organisation_is_listed_every_ten_minutes() -> None:
    source, http = gitea(repos=[], org=["acme"], kinds=["build"]), FakeHttp(Server(), URL)
    for _ in range(2):
        await read_all(source, http)
    assert (asked(http, "orgs/acme/repos"), asked(http, REPO)) == (1, 0)
    source.clock.advance(601)  # type: ignore[attr-defined]
    await read_all(source, http)
    assert asked(http, "orgs/acme/repos") == 2


async def test_while_an_organisation_cannot_be_listed_its_known_repositories_are_read_and_it_says_so() -> None:
    server = Server()
    source, http = gitea(repos=[], org=["acme"], kinds=["build"]), FakeHttp(server, URL)
    server.failing["orgs/acme/repos"] = 502
    with pytest.raises(ServerError):  # nothing is known yet
        await read_all(source, http)
    server.failing.clear()
    await read_all(source, http)
    source.clock.advance(601)  # type: ignore[attr-defined]
    server.failing["orgs/acme/repos"] = 502
    parts = await parts_of(source, http)
    assert isinstance(parts.pop("acme/* repositories").error, ServerError)
    assert [(name, part.error) for name, part in parts.items()] == [
        (f"{REPO} builds", None),
        ("acme/till builds", None),
    ]


async def test_an_organisation_without_repositories_or_with_too_many_is_a_fault() -> None:
    server = Server()
    server.repositories = [{**server.repository, "full_name": f"acme/r{n}"} for n in range(201)]
    scopes = await gitea(repos=[], org=["acme"], kinds=["build"]).scopes(FakeHttp(server, URL))
    assert len(scopes) == 201
    with pytest.raises(TooLarge, match="200"):
        await gitea().read(scopes[-1], FakeHttp(server, URL))
    server.repositories = server.repositories[:0]
    with pytest.raises(NotFound, match="no repositories"):
        await read_all(gitea(org=["acme"]), FakeHttp(server, URL))


# -- builds ------------------------------------------------------------------------------------------------------------


async def test_a_run_of_gitea_is_a_build() -> None:
    assert await build(run(112, conclusion="failure")) == Build(
        key="gitea:build:acme/checkout/run/112",
        source="gitea",
        title="Fix the till",
        state="failed",
        raw_state="completed/failure",
        reason="failure",
        pipeline="ci.yml",
        run_number=12,
        attempt=2,
        branch="main",
        default_branch="main",
        revision=SHA,
        repository=REPO,
        url=f"{URL}/{REPO}/actions/runs/12",
        actor="bob",
        trigger="push",
        started_at=at(2, 30),
        updated_at=at(2, 40),
        ended_at=at(2, 40),
    )


async def test_a_run_of_forgejo_is_a_build() -> None:
    assert await build(forgejo_run(112, "failure"), "forgejo") == Build(
        key="gitea:build:acme/checkout/run/112",
        source="gitea",
        title="Fix the till",
        state="failed",
        raw_state="failure",
        reason="failure",
        pipeline="ci.yml",
        run_number=12,
        branch="main",
        default_branch="main",
        revision=SHA,
        repository=REPO,
        url=f"{URL}/{REPO}/actions/runs/12",
        actor="ann",
        trigger="push",
        started_at=at(2, 30),
        updated_at=at(2, 40),
        ended_at=at(2, 40),
    )


async def test_where_only_tasks_are_told_of_each_job_is_a_build() -> None:
    assert await build(task(32, "failure", name="lint"), "tasks") == Build(
        key="gitea:build:acme/checkout/task/32",
        source="gitea",
        title="Fix the till",
        state="failed",
        raw_state="failure",
        reason="failure",
        pipeline="ci.yml: lint",
        run_number=7,
        branch="main",
        default_branch="main",
        revision=SHA,
        repository=REPO,
        url=f"{URL}/{REPO}/actions/runs/7",
        trigger="push",
        started_at=at(2, 30),
        updated_at=at(2, 40),
        ended_at=at(2, 40),
        approximate=True,
    )


@pytest.mark.parametrize(
    "status,conclusion,state",
    [
        ("queued", "", "queued"),
        ("requested", "", "queued"),
        ("pending", "", "queued"),
        ("waiting", "", "blocked"),
        ("in_progress", "", "running"),
        ("completed", "success", "success"),
        ("Completed", "FAILURE", "failed"),
        ("completed", "cancelled", "cancelled"),
        ("completed", "skipped", "skipped"),
        ("completed", "", "unknown"),
        ("completed", "next_years_word", "unknown"),
        ("next_years_word", "success", "unknown"),
        ("success", None, "success"),
        ("", None, "unknown"),
        (None, None, "unknown"),
    ],
)
async def test_states_in_githubs_words(status: str | None, conclusion: str | None, state: str) -> None:
    assert (await build(run(111, status, conclusion))).state == state  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "status,state",
    [
        ("waiting", "queued"),
        ("pending", "queued"),
        ("blocked", "blocked"),
        ("running", "running"),
        ("running_with_failure", "running"),
        ("cancelling", "running"),
        ("success", "success"),
        ("FAILURE", "failed"),
        ("cancelled", "cancelled"),
        ("skipped", "skipped"),
        ("unknown", "unknown"),
        ("next_years_word", "unknown"),
        (None, "unknown"),
        ("in_progress", "running"),
    ],
)
async def test_states_in_the_servers_own_words(status: str | None, state: str) -> None:
    assert (await build(forgejo_run(111, status), "forgejo")).state == state  # type: ignore[arg-type]
    assert (await build(task(31, status), "tasks")).state == state  # type: ignore[arg-type]


async def test_a_run_that_nobody_approved_is_blocked() -> None:
    assert (await build(forgejo_run(111, "waiting", need_approval=True), "forgejo")).state == "blocked"
    assert (await build(forgejo_run(111, "running", need_approval=True), "forgejo")).state == "running"


async def test_pull_requests_and_tags_are_told_apart_from_the_branch() -> None:
    def line(item: Build) -> tuple[str, str]:
        return item.change, item.branch

    pull = {"head_branch": "", "event": "pull_request", "path": ".gitea/workflows/ci.yml@refs/pull/17/head"}
    item = await build(run(111, **pull))
    assert (line(item), item.pipeline) == (("17", ""), "ci.yml")
    assert line(await build(run(111, head_branch="", path="ci.yml@refs/tags/v1.2"))) == ("", "v1.2")
    assert line(await build(run(111, head_branch=None, path="ci.yml@refs/heads/a/b"))) == ("", "a/b")
    assert line(await build(forgejo_run(111, prettyref="#17"), "forgejo")) == ("17", "")
    assert line(await build(task(31, head_branch="#17"), "tasks")) == ("17", "")
    # Its ref is the base branch, and it is no run of that.
    target = run(111, event="pull_request_target")
    assert line(await build(target)) == ("unknown", "main")
    assert line(await build({**target, "pull_requests": [{"number": 17}]})) == ("17", "main")
    # A push to a branch with an open pull request is still a run of that branch.
    assert line(await build(run(111, pull_requests=[{"number": 17}]))) == ("", "main")


async def test_a_rerun_of_older_code_says_nothing_of_newer() -> None:
    server = Server("forgejo")
    again = forgejo_run(111, created="2026-01-02T01:00:00Z", started="2026-01-02T03:00:00Z")
    server.runs = [forgejo_run(112, "failure"), again]
    failed, rerun = (await part_of(gitea(kinds=["build"]), FakeHttp(server, URL), "builds")).items
    assert slot_of(failed) == slot_of(rerun)
    assert order_of(failed) > order_of(rerun)
    assert (await build(again, "forgejo")).started_at == at(3, 0)


async def test_a_running_run_does_not_change_with_every_step() -> None:
    first = await build(run(111, "in_progress", ""))
    later = await build(run(111, "in_progress", "", updated_at="2026-01-02T02:59:00Z"))
    assert first == later
    assert (first.started_at, first.ended_at) == (at(2, 30), None)


async def test_a_run_that_has_not_begun_has_been_created() -> None:
    assert (await build(forgejo_run(111, "waiting", started="0001-01-01T00:00:00Z"), "forgejo")).started_at == at(2, 0)
    assert (await build(run(111, "queued", "", started_at=NO_TIME))).started_at is None


async def test_a_server_without_runs_is_asked_for_them_once_a_day() -> None:
    server = Server("tasks")
    source, http = gitea(repos=[REPO, "acme/till"], kinds=["build"]), FakeHttp(server, URL)
    first = await read_all(source, http)
    assert [len(part.items) for part in first.parts] == [3, 3]
    http.calls.clear()
    for _ in range(2):
        await read_all(source, http)
    assert (asked(http, "runs"), asked(http, "tasks")) == (0, 4)
    source.clock.advance(43_200)  # type: ignore[attr-defined]
    await read_all(source, http)
    assert asked(http, "runs") == 0
    source.clock.advance(43_200)  # type: ignore[attr-defined]
    server.tells, server.runs = "gitea", [run(111)]  # it was upgraded
    part = (await read_all(source, http)).parts[0]
    assert [item.key for item in part.items] == ["gitea:build:acme/checkout/run/111"]


async def test_actions_that_are_not_for_us_are_no_sign_of_an_old_server() -> None:
    server = Server()
    server.failing = {"checkout/actions/runs": 404, "checkout/actions/tasks": 404}
    source, http = gitea(repos=[REPO, "acme/till"], kinds=["build"]), FakeHttp(server, URL)
    hidden, shown = (await read_all(source, http)).parts
    assert isinstance(hidden.error, NotFound)
    assert str(hidden.error) == f"{REPO}: Actions are turned off, or not for this credential to see"
    assert [item.key.rpartition("/")[0] for item in shown.items] == ["gitea:build:acme/checkout/run"] * 3
    await read_all(source, http)
    assert asked(http, "till/actions/tasks") == 0


async def test_a_failing_server_is_not_taken_for_an_old_one() -> None:
    server = Server()
    server.failing["actions/runs"] = 500
    http = FakeHttp(server, URL)
    with pytest.raises(ServerError):
        await part_of(gitea(kinds=["build"]), http, "builds")
    assert asked(http, "tasks") == 0


@pytest.mark.parametrize("tells", ["gitea", "forgejo"])
async def test_after_a_gap_the_default_branch_is_read_further_back(tells: Literal["gitea", "forgejo"]) -> None:
    server = Server(tells, most=2)  # the administrator allows no more
    row = run if tells == "gitea" else forgejo_run
    branch = "head_branch" if tells == "gitea" else "prettyref"
    source, http = gitea(kinds=["build"]), FakeHttp(server, URL)
    await part_of(source, http, "builds")
    await part_of(source, http, "builds")
    assert [c.param("branch") for c in http.calls if c.path.endswith("runs")] == ["", "main", ""]
    server.runs = [row(n, **{branch: "topic"}) for n in (193, 192, 191)] + [row(190)]
    part = await part_of(source, http, "builds")
    assert [item.key.rpartition("/")[2] for item in part.items] == ["193", "192", "190"]


async def test_after_a_gap_tasks_are_read_further_back() -> None:
    server = Server("tasks", most=2)
    server.tasks = [task(n) for n in range(40, 20, -1)]
    source, http = gitea(kinds=["build"]), FakeHttp(server, URL)
    assert len((await part_of(source, http, "builds")).items) == 6  # three pages, and no further
    assert len((await part_of(source, http, "builds")).items) == 2


async def test_a_list_that_is_whole_is_not_read_further_back() -> None:
    http = FakeHttp(Server(), URL)
    await part_of(gitea(kinds=["build"], builds=3), http, "builds")
    assert asked(http, "runs") == 1


async def test_a_server_that_tells_no_total_is_read_further_back_where_the_window_is_full() -> None:
    server = Server()

    def vendor(call: Call) -> Answer:
        answer = server(call)
        return msgspec.structs.replace(answer, body=answer.body.replace(b'"total_count":3', b'"total_count":null'))

    for limit, lists in ((3, 2), (4, 1)):
        http = FakeHttp(vendor, URL)
        await part_of(gitea(kinds=["build"], builds=limit), http, "builds")
        assert asked(http, "runs") == lists


async def test_forgejo_is_told_the_page_so_that_it_minds_the_limit() -> None:
    server = Server("forgejo")
    server.runs = [forgejo_run(n) for n in range(140, 100, -1)]
    http = FakeHttp(server, URL)
    assert len((await part_of(gitea(kinds=["build"], builds=50), http, "builds")).items) == 40
    assert asked(http, "runs") == 1


async def test_links_lead_to_pages_and_not_into_the_api() -> None:
    assert (await build(run(111, html_url=None, url=f"{URL}/api/v1/repos/{REPO}/actions/runs/111"))).url == ""


async def test_the_repository_is_asked_for_once_an_hour() -> None:
    source, http = gitea(kinds=["build"]), FakeHttp(Server(), URL)
    for _ in range(3):
        await read_all(source, http)
    assert asked(http, REPO) == 1
    source.clock.advance(3601)  # type: ignore[attr-defined]
    await read_all(source, http)
    assert asked(http, REPO) == 2


# -- releases and tickets ----------------------------------------------------------------------------------------------


async def test_published_releases() -> None:
    server = Server()
    server.releases.append({**server.releases[0], "id": 32, "draft": True})
    part = await part_of(gitea(), FakeHttp(server, URL), "releases")
    assert part.items == (
        Release(
            key="gitea:release:acme/checkout/release/31",
            source="gitea",
            title="Winter",
            state="success",
            raw_state="published",
            type="publication",
            version="v1.2",
            revision=SHA,
            prerelease=True,
            repository=REPO,
            url=f"{URL}/{REPO}/releases/tag/v1.2",
            actor="ann",
            started_at=at(1, 0),
            ended_at=at(1, 0),
        ),
    )


async def test_a_branch_is_no_revision() -> None:
    server = Server()
    server.releases[0].update(target_commitish="main", name="")
    (item,) = (await part_of(gitea(), FakeHttp(server, URL), "releases")).items
    assert isinstance(item, Release)
    assert (item.revision, item.title) == ("", "v1.2")


async def test_issues_are_tickets_and_pull_requests_are_not() -> None:
    server = Server()
    server.issues.append(issue(43, pull_request={"merged": False}))
    part = await part_of(gitea(), FakeHttp(server, URL), "tickets")
    assert [item.key.rpartition("/")[2] for item in part.items] == ["41", "42"]
    assert part.items[0] == Ticket(
        key="gitea:ticket:acme/checkout/issue/41",
        source="gitea",
        title="Issue 41",
        state="open",
        raw_state="open",
        priority="High",
        ticket_id="#41",
        assignee="bob, eve",
        repository=REPO,
        url=f"{URL}/{REPO}/issues/41",
        labels={"Kind/Bug": "", "Priority": "High"},
        actor="ann",
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, tzinfo=UTC),
    )


async def test_all_pages_of_issues_are_read_and_more_are_noted() -> None:
    server = Server()
    server.issues = [issue(n) for n in range(1, 121)]
    part = await part_of(gitea(), FakeHttp(server, URL), "tickets")
    assert (len(part.items), part.notes) == (120, ())
    server.issues = [issue(n) for n in range(1, 502)]
    part = await part_of(gitea(), FakeHttp(server, URL), "tickets")
    assert len(part.items) == 500
    assert part.notes == (f"{REPO}: only the 500 newest open issues are read",)


# -- lookup ------------------------------------------------------------------------------------------------------------


async def test_items_are_read_again_by_id() -> None:
    server = Server()
    server.runs[0].update(run(113, conclusion="cancelled"))
    server.issues[0].update(state="closed", closed_at="2026-01-02T03:00:00Z")
    source, http = gitea(), FakeHttp(server, URL)
    ended = await source.lookup("build", f"{REPO}/run/113", http)
    assert isinstance(ended, Build)
    assert (ended.key, ended.state, ended.default_branch) == (f"gitea:build:{REPO}/run/113", "cancelled", "main")
    closed = await source.lookup("ticket", f"{REPO}/issue/41", http)
    assert isinstance(closed, Ticket)
    assert (closed.state, closed.ended_at) == ("done", at(3, 0))
    with pytest.raises(NotFound):
        await source.lookup("build", f"{REPO}/run/999", http)


async def test_a_task_is_looked_for_in_the_list_as_far_as_that_goes() -> None:
    server = Server("tasks", most=2)
    server.tasks = [task(n) for n in (40, 39, 37, 36, 35, 34, 33, 32)]
    source, http = gitea(), FakeHttp(server, URL)
    ended = await source.lookup("build", f"{REPO}/task/36", http)
    assert ended is not None
    assert (ended.key, ended.state) == (f"gitea:build:{REPO}/task/36", "success")
    assert await source.lookup("build", f"{REPO}/task/38", http) is None  # deleted
    with pytest.raises(LookupUnsupported):
        await source.lookup("build", f"{REPO}/task/32", http)
