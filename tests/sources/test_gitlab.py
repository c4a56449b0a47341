"""GitLab: pipelines with their details, deployments, releases, issues, incidents and alerts; projects and groups."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import unquote

import msgspec
import pytest

from sources._gitlab_issues import Issue, incident_of
from sources.gitlab import GitLab
from statusboard.current import order_of, slot_of
from statusboard.errors import AuthError, BadAnswer, NotFound, ServerError, Timeout, TooLarge
from statusboard.model import Build, Incident, Part, Release, Ticket
from statusboard.source import Credentials, Source
from statusboard.testing import Answer, Call, FakeHttp, FakeReply, SourceContract, make_source, read_all

URL = "https://gitlab.example/git"
REPO = "acme/checkout"
WEB = f"{URL}/{REPO}"
SHA = "b3d0c2f4" * 5
NOT_FOUND = Answer.of({"message": "404 Not found"}, 404)
#: What a list leaves out of a pipeline.
DETAILS = ("started_at", "finished_at", "user", "yaml_errors", "detailed_status")


def user(name: str) -> dict[str, Any]:
    return {"username": name}


def pipeline(number: int, status: str = "success", **more: Any) -> dict[str, Any]:
    done = status in ("success", "failed", "canceled")
    return {
        "id": number,
        "iid": number - 40,
        "name": None,
        "status": status,
        "source": "push",
        "ref": "main",
        "sha": SHA,
        "web_url": f"{WEB}/-/pipelines/{number}",
        "created_at": "2026-01-02T02:00:00.000Z",
        "updated_at": "2026-01-02T02:40:01.000Z",
        "yaml_errors": None,
        "user": user("ann"),
        "started_at": "2026-01-02T02:30:00.000Z",
        "finished_at": "2026-01-02T02:40:00.000Z" if done else None,
        "detailed_status": {"group": status},
        **more,
    }


def deployment(number: int, status: str = "success", environment: str = "production", **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "ref": "main",
        "sha": SHA,
        "created_at": "2026-01-02T02:41:00.000Z",
        "updated_at": "2026-01-02T02:46:00.000Z",
        "status": status,
        "user": user("ann"),
        "environment": {"id": 9, "name": environment, "external_url": "https://shop.example"},
        "deployable": {
            "name": "deploy",
            "tag": False,
            "started_at": "2026-01-02T02:42:00.000Z",
            "finished_at": "2026-01-02T02:45:00.000Z",
            "web_url": f"{WEB}/-/jobs/{700 + number}",
            "user": user("bob"),
            "pipeline": {"web_url": f"{WEB}/-/pipelines/52"},
        },
        **more,
    }


def issue(number: int, repo: str = REPO, **more: Any) -> dict[str, Any]:
    return {
        "id": 1000 + number,
        "iid": number,
        "title": f"Issue {number}",
        "description": "It is broken.",
        "state": "opened",
        "issue_type": "issue",
        "severity": "UNKNOWN",
        "web_url": f"{URL}/{repo}/-/issues/{number}",
        "author": user("ann"),
        "assignees": [user("bob")],
        "labels": ["bug", "priority::high"],
        "references": {"full": f"{repo}#{number}"},
        "moved_to_id": None,
        "_links": {"closed_as_duplicate_of": None},
        "created_at": "2026-01-01T00:00:00.000Z",
        "updated_at": "2026-01-02T00:00:00.000+00:00",
        "closed_at": None,
        **more,
    }


def incident(number: int, **more: Any) -> dict[str, Any]:
    return issue(number, issue_type="incident", severity="HIGH", **more)


def alert(number: int, status: str = "TRIGGERED", **more: Any) -> dict[str, Any]:
    return {
        "iid": str(number),
        "title": "Till is slow",
        "description": "p99 above 2 s",
        "severity": "CRITICAL",
        "status": status,
        "service": "checkout",
        "monitoringTool": "Prometheus",
        "startedAt": "2026-01-02T02:50:00Z",
        "endedAt": None,
        "detailsUrl": f"{WEB}/-/alert_management/{number}/details",
        "runbook": "https://runbooks.example/slow",
        "environment": {"name": "production"},
        "issue": {"webUrl": f"{WEB}/-/issues/71"},
        "assignees": {"nodes": [{"username": "bob"}]},
        **more,
    }


class Server:
    """The parts of GitLab's API that the source asks for, one project's data for all."""

    def __init__(self) -> None:
        self.project: dict[str, Any] = {
            "path_with_namespace": REPO,
            "default_branch": "main",
            "web_url": WEB,
            "builds_access_level": "enabled",
            "environments_access_level": "enabled",
            "releases_access_level": "enabled",
        }
        self.projects = [self.project, {**self.project, "path_with_namespace": "acme/shop/till"}]
        self.pipelines = [
            pipeline(52, "running"),
            pipeline(51, "failed"),
            pipeline(50, ref="refs/merge-requests/7/head", source="merge_request_event"),
        ]
        self.jobs = [
            {"name": "lint", "allow_failure": True},
            {"name": "unit", "allow_failure": False, "web_url": f"{WEB}/-/jobs/81",
             "commit": {"id": SHA, "title": "Fix the till"}},
            {"name": "e2e", "allow_failure": False},
        ]  # fmt: skip
        self.branches = ["main"]
        self.environments = [
            {"name": "production", "tier": "production"},
            {"name": "staging", "tier": "staging"},
            {"name": "review/7", "tier": "development"},
        ]
        self.deployments = [
            deployment(63, "running"),
            deployment(62, "failed", "staging"),
            deployment(61, environment="review/7"),
            deployment(60),
        ]
        self.releases = [
            {
                "tag_name": "v1.2",
                "name": "Winter",
                "released_at": "2026-01-02T01:00:00.000Z",
                "upcoming_release": False,
                "author": user("ann"),
                "commit": {"id": SHA},
                "_links": {"self": f"{WEB}/-/releases/v1.2"},
            }
        ]
        self.issues = [issue(41), issue(42, labels=[]), incident(71)]
        self.escalation: dict[int, str | None] = {1071: "ACKNOWLEDGED"}
        self.alerts = [alert(3), alert(4, "IGNORED")]
        self.permissions = {"createDeployment": True, "createPipeline": True, "pushCode": True}
        self.labels = ["bug"]
        self.graphql_error = ""
        self.failing: dict[str, int] = {}  # status by the end of a path

    def __call__(self, call: Call) -> Answer:
        path = call.path.removeprefix("/git")
        for end, status in self.failing.items():
            if path.endswith(end):
                return Answer.of({"message": f"{status}"}, status)
        if path == "/api/graphql":
            return self.graphql(json.loads(call.body))
        match [unquote(part) for part in path.removeprefix("/api/v4/").split("/")]:
            case ["groups", "acme", "projects"]:
                return self.page(self.projects, call)
            case ["groups", "acme", *rest] if rest:
                return self.below(rest, call)
            case ["projects", name, *rest] if name in (REPO, "acme/shop/till", "1", "Acme/Checkout"):
                return self.below(rest, call)
        return NOT_FOUND

    def below(self, path: list[str], call: Call) -> Answer:
        match path:
            case []:
                return Answer.of(self.project)
            case ["pipelines"]:
                rows = [p for p in self.pipelines if call.param("ref", p["ref"]) == p["ref"]]
                rows = rows[: int(call.param("per_page", "20"))]
                return Answer.of([{k: v for k, v in row.items() if k not in DETAILS} for row in rows])
            case ["pipelines", number]:
                return found(self.pipelines, "id", number)
            case ["pipelines", _, "jobs"]:
                return Answer.of(self.jobs if call.param("scope[]") == "failed" else [])
            case ["repository", "branches", name]:
                return Answer.of({"name": name}) if name in self.branches else NOT_FOUND
            case ["environments"]:
                return Answer.of(self.environments)
            case ["deployments"]:
                assert (call.param("order_by"), call.param("sort")) == ("id", "desc")
                wanted = call.param("environment")
                rows = [d for d in self.deployments if wanted in ("", d["environment"]["name"])]
                return Answer.of(rows[: int(call.param("per_page", "20"))])
            case ["deployments", number]:
                return found(self.deployments, "id", number)
            case ["releases"]:
                return Answer.of(self.releases)
            case ["releases", tag]:
                return found(self.releases, "tag_name", tag)
            case ["issues"]:
                wanted = call.param("issue_type")
                labels = [label for label in call.param("labels").split(",") if label]
                rows = [i for i in self.issues if wanted in ("", i["issue_type"]) and set(labels) <= set(i["labels"])]
                return self.page([i for i in rows if i["state"] == call.param("state")], call)
            case ["issues", number]:
                return found(self.issues, "iid", number)
            case ["labels", name]:
                return Answer.of({"name": name}) if name in self.labels else NOT_FOUND
        return NOT_FOUND

    def page(self, rows: list[dict[str, Any]], call: Call) -> Answer:
        """One page, with the links of GitLab's offset pagination."""
        size, page = int(call.param("per_page", "20")), int(call.param("page", "1"))
        base = call.url.replace(f"&page={page}", "")
        link = f'<{base}&page=1>; rel="first"'
        if len(rows) > size * page:
            link = f'<{base}&page={page + 1}>; rel="next", {link}'
        return Answer.of(rows[size * (page - 1) : size * page], link=link)

    def graphql(self, asked: dict[str, Any]) -> Answer:
        if self.graphql_error:
            return Answer.of({"errors": [{"message": self.graphql_error}]})
        if "alertManagementAlerts" in asked["query"]:
            start = int(asked["variables"]["after"] or 0)
            page = {"hasNextPage": start + 50 < len(self.alerts), "endCursor": str(start + 50)}
            nodes = self.alerts[start : start + 50]
            project = {
                "userPermissions": self.permissions,
                "alertManagementAlerts": {"nodes": nodes, "pageInfo": page},
            }
            return Answer.of({"data": {"project": project if asked["variables"]["path"] == REPO else None}})
        nodes = [{"id": f"gid://gitlab/Issue/{n}", "escalationStatus": s} for n, s in self.escalation.items()]
        what = "group" if "group(fullPath" in asked["query"] else "project"
        return Answer.of({"data": {what: {"issues": {"nodes": nodes}}}})


def found(rows: list[dict[str, Any]], field: str, value: str) -> Answer:
    return next((Answer.of(row) for row in rows if str(row[field]) == value), NOT_FOUND)


class TestContract(SourceContract):
    """What a project's code comes to; its issues are in a class of their own, which halves the time of both."""

    source = GitLab
    options: ClassVar = {
        "url": URL, "projects": [REPO], "token": "env:STATUSBOARD_TEST_GITLAB", "kinds": ["build", "release"]
    }  # fmt: skip
    state_fields: ClassVar[tuple[str, ...]] = ("status",)
    time_fields: ClassVar[tuple[str, ...]] = (
        "created_at", "updated_at", "started_at", "finished_at", "released_at"
    )  # fmt: skip
    id_fields: ClassVar[tuple[str, ...]] = ("id", "tag_name", "path_with_namespace")

    @pytest.fixture(autouse=True)
    def credential(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STATUSBOARD_TEST_GITLAB", "glpat-1")

    def vendor(self, call: Call) -> Answer:
        return Server()(call)


class TestContractOfIssues(TestContract):
    options: ClassVar = {**TestContract.options, "kinds": ["ticket", "incident"]}
    state_fields = ("state", "status", "escalationStatus")
    time_fields = ("created_at", "updated_at", "closed_at", "startedAt", "endedAt")
    id_fields = ("id", "iid", "path_with_namespace")


def gitlab(**options: Any) -> Source[Any]:
    return make_source(GitLab, {"url": URL, "projects": [REPO], "token": "keyring:gitlab", **options})


async def parts_of(source: Source[Any], http: FakeHttp) -> dict[str, Part]:
    return {part.scope: part for part in (await read_all(source, http)).parts}


async def part_of(source: Source[Any], http: FakeHttp, what: str) -> Part:
    """The part whose name ends so; its error is raised."""
    (part,) = [part for name, part in (await parts_of(source, http)).items() if name.endswith(what)]
    if part.error:
        raise part.error
    return part


async def build(**fields: Any) -> Build:
    server = Server()
    server.pipelines = [pipeline(51, **fields)]
    part = await part_of(gitlab(kinds=["build"]), FakeHttp(server, URL), "builds")
    (item,) = part.items
    assert isinstance(item, Build)
    return item


def at(hour: int, minute: int) -> datetime:
    return datetime(2026, 1, 2, hour, minute, tzinfo=UTC)


def asked(http: FakeHttp, *ends: str) -> list[str]:
    """The requests to these paths, by the end of each."""
    paths = [call.path for call in http.calls]
    return [path.rpartition("checkout/")[2] for path in paths if path.endswith(ends)]


# -- scopes and options ------------------------------------------------------------------------------------------------


async def test_one_part_a_project_and_matter() -> None:
    source = gitlab(projects=[REPO, "Acme/Checkout", "acme/till"])
    scopes = await source.scopes(FakeHttp(Server(), URL))
    whats = ("builds", "deployments", "releases", "tickets", "incidents", "alerts")
    assert [scope.name for scope in scopes] == [f"{repo} {what}" for repo in (REPO, "acme/till") for what in whats]
    assert [scope.kind for scope in scopes[:6]] == ["build", "release", "release", "ticket", "incident", "incident"]
    assert [scope.reach for scope in scopes[:6]] == ["window"] * 4 + ["complete"] * 2


async def test_kinds_branches_and_alerts_narrow_what_is_read() -> None:
    async def names(**options: Any) -> list[str]:
        return [scope.name for scope in await gitlab(**options).scopes(FakeHttp(Server(), URL))]

    assert await names(kinds=["build"], branches=["main", "v2"]) == [f"{REPO} builds on main", f"{REPO} builds on v2"]
    assert await names(kinds=["incident"], alerts=False) == [f"{REPO} incidents"]
    assert await names(kinds=["incident"], token="") == [f"{REPO} incidents"]  # nobody is shown alerts without one


@pytest.mark.parametrize(
    "options,message",
    [
        ({"projects": []}, "`projects`"),
        ({"projects": ["acme"]}, "group/project"),
        ({"projects": ["https://gitlab.com/acme/x"]}, "without the server"),
        ({"projects": ["acme/../x"]}, "group/project"),
        ({"projects": ["acme/x?a=b"]}, "group/project"),
        ({"groups": ["acme/"]}, "`groups`"),
        ({"groups": [".."]}, "`groups`"),
        ({"groups": ["acme", "Acme/shop"]}, "part of acme"),
        ({"branches": ["release-*"]}, "`branches`"),
        ({"auth": "basic"}, "auth"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        gitlab(**options)


@pytest.mark.parametrize("project", ["acme/checkout", "acme/shop/sub.group/check_out-2", "123"])
def test_projects_by_path_and_by_number(project: str) -> None:
    assert gitlab(projects=[project]).options.projects == (project,)


def test_how_the_token_is_sent() -> None:
    credentials = Credentials(token="glpat-1", username="proxy", password="secret")
    assert gitlab().sign(credentials) == {"Authorization": "Bearer glpat-1"}
    assert gitlab(auth="private-token").sign(credentials) == {
        "PRIVATE-TOKEN": "glpat-1",
        "Authorization": "Basic cHJveHk6c2VjcmV0",
    }
    assert gitlab(auth="private-token").sign(Credentials(token="glpat-1")) == {"PRIVATE-TOKEN": "glpat-1"}
    assert gitlab(auth="private-token").sign(Credentials()) == {}


async def test_a_wrong_project_is_no_empty_board() -> None:
    parts = await parts_of(gitlab(projects=["acme/chekout", REPO]), FakeHttp(Server(), URL))
    wrong = {name: part.error for name, part in parts.items() if name.startswith("acme/chekout ")}
    assert len(wrong) == 6
    assert all(isinstance(error, NotFound) for error in wrong.values())
    assert [part.error for name, part in parts.items() if name not in wrong] == [None] * 6


async def test_a_project_by_its_number_is_shown_by_its_path() -> None:
    part = await part_of(gitlab(projects=["1"], kinds=["build"]), FakeHttp(Server(), URL), "builds")
    assert part.scope == "1 builds"
    assert {(item.repository, item.key) for item in part.items} >= {(REPO, f"gitlab:build:{REPO}/-/pipelines/52")}


# -- groups ------------------------------------------------------------------------------------------------------------


async def test_a_group_is_all_its_projects_and_its_issues_are_read_at_once() -> None:
    source, http = gitlab(projects=[], groups=["acme"]), FakeHttp(Server(), URL)
    names = [scope.name for scope in await source.scopes(http)]
    matters = ("builds", "deployments", "releases")
    assert names == [
        *(f"{repo} {what}" for repo in (REPO, "acme/shop/till") for what in matters),
        "acme/* tickets",
        "acme/* incidents",
    ]
    (call,) = http.calls
    assert (call.param("include_subgroups"), call.param("archived"), call.param("with_shared")) == (
        "true",
        "false",
        "false",
    )
    assert "acme/shop/till alerts" in [s.name for s in await gitlab(groups=["acme"], alerts=True).scopes(http)]


async def test_the_issues_of_a_group_tell_their_project() -> None:
    server = Server()
    server.issues = [issue(1), issue(2, "acme/shop/till"), issue(3, "acme/old")]
    source = gitlab(projects=[], groups=["acme"], exclude=["ACME/ol?"], kinds=["ticket"])
    part = await part_of(source, FakeHttp(server, URL), "tickets")
    assert [(item.key, item.repository) for item in part.items] == [
        ("gitlab:ticket:acme/checkout/-/issues/1", REPO),
        ("gitlab:ticket:acme/shop/till/-/issues/2", "acme/shop/till"),
    ]


async def test_a_project_of_a_group_that_is_also_named_is_read_once() -> None:
    source = gitlab(projects=["Acme/Checkout"], groups=["acme"], kinds=["build", "ticket"])
    names = [scope.name for scope in await source.scopes(FakeHttp(Server(), URL))]
    assert names == ["Acme/Checkout builds", "acme/shop/till builds", "acme/* tickets"]


async def test_a_group_is_listed_every_ten_minutes_and_saves_asking_for_each_project() -> None:
    source, http = gitlab(projects=[], groups=["acme"], kinds=["build"]), FakeHttp(Server(), URL)
    for _ in range(3):
        await read_all(source, http)
    assert [call.path for call in http.calls if call.path.endswith(("projects", "checkout"))] == [
        "/git/api/v4/groups/acme/projects"
    ]
    source.clock.advance(601)  # type: ignore[attr-defined]
    await read_all(source, http)
    assert sum(call.path.endswith("groups/acme/projects") for call in http.calls) == 2


async def test_while_a_group_cannot_be_listed_its_known_projects_are_read_and_it_says_so() -> None:
    server = Server()
    source, http = gitlab(projects=[], groups=["acme"], kinds=["build"]), FakeHttp(server, URL)
    await read_all(source, http)
    source.clock.advance(601)  # type: ignore[attr-defined]
    server.failing["groups/acme/projects"] = 502
    parts = await parts_of(source, http)
    assert isinstance(parts.pop("acme/* projects").error, ServerError)
    assert [part.error for part in parts.values()] == [None, None]
    server.failing.clear()
    assert "acme/* projects" not in await parts_of(source, http)


async def test_a_group_that_was_never_listed_fails_as_a_whole() -> None:
    """With fewer parts than before a restart, the board would take the projects for withdrawn."""
    server = Server()
    server.failing["groups/acme/projects"] = 502
    with pytest.raises(ServerError):
        await read_all(gitlab(groups=["acme"]), FakeHttp(server, URL))


@pytest.mark.parametrize("exclude", [[], ["*"]])
async def test_a_group_without_projects_is_a_fault(exclude: list[str]) -> None:
    server = Server()
    if not exclude:
        server.projects = []
    with pytest.raises(NotFound, match="no projects"):
        await read_all(gitlab(projects=[], groups=["acme"], exclude=exclude), FakeHttp(server, URL))


async def test_a_group_with_too_many_projects_says_that_not_all_are_read() -> None:
    server = Server()
    server.projects = [{**server.project, "path_with_namespace": f"acme/p{n}"} for n in range(201)]
    scopes = await gitlab(projects=[], groups=["acme"], kinds=["build"]).scopes(FakeHttp(server, URL))
    assert len(scopes) == 201
    assert scopes[-1].name == "acme/* projects"
    with pytest.raises(TooLarge, match="200"):
        await gitlab().read(scopes[-1], FakeHttp(server, URL))


# -- builds ------------------------------------------------------------------------------------------------------------


async def test_a_pipeline_is_a_build() -> None:
    assert await build(status="failed", name="Checkout") == Build(
        key="gitlab:build:acme/checkout/-/pipelines/51",
        source="gitlab",
        title="Checkout: Fix the till",
        state="failed",
        raw_state="failed",
        reason="unit, e2e",
        pipeline="pipeline",
        run_number=11,
        branch="main",
        default_branch="main",
        revision=SHA,
        repository=REPO,
        url=f"{WEB}/-/pipelines/51",
        links={"log": f"{WEB}/-/jobs/81"},
        actor="ann",
        trigger="push",
        started_at=at(2, 30),
        queued_at=at(2, 0),
        updated_at=at(2, 40),
        ended_at=at(2, 40),
    )


@pytest.mark.parametrize(
    "status,state",
    [
        ("created", "queued"),
        ("waiting_for_resource", "queued"),
        ("waiting_for_callback", "queued"),
        ("preparing", "queued"),
        ("pending", "queued"),
        ("scheduled", "queued"),
        ("running", "running"),
        ("canceling", "running"),
        ("manual", "blocked"),
        ("success", "success"),
        ("failed", "failed"),
        ("canceled", "cancelled"),
        ("skipped", "skipped"),
        ("next_years_word", "unknown"),
        (None, "unknown"),
    ],
)
async def test_states_of_pipelines(status: str | None, state: str) -> None:
    item = await build(status=status)
    assert item.state == state
    assert (item.ended_at is not None) == (state in ("success", "failed", "cancelled", "skipped"))


async def test_a_pipeline_that_waits_for_somebody_counts_as_what_its_jobs_have_said() -> None:
    server = Server()
    server.pipelines = [pipeline(52, "manual"), pipeline(51, "failed", created_at="2026-01-01T02:00:00.000Z")]
    server.pipelines[1]["started_at"] = server.pipelines[1]["created_at"]
    server.jobs = [{"name": "lint", "allow_failure": True}]
    waiting, failed = (await part_of(gitlab(kinds=["build"]), FakeHttp(server, URL), "builds")).items
    assert isinstance(waiting, Build)
    assert (waiting.state, waiting.verdict, waiting.reason) == ("blocked", "success", "")
    assert slot_of(waiting) == slot_of(failed)
    assert order_of(waiting) > order_of(failed)
    server.jobs.append({"name": "unit", "allow_failure": False})
    waiting, failed = (await part_of(gitlab(kinds=["build"]), FakeHttp(server, URL), "builds")).items
    assert isinstance(waiting, Build)
    assert (waiting.state, waiting.verdict, waiting.reason) == ("blocked", "failed", "unit")


async def test_a_title_says_which_commit_where_nothing_says_more() -> None:
    assert (await build()).title == "commit b3d0c2f4"
    assert (await build(status="failed")).title == "Fix the till"
    assert (await build(name="Nightly checks")).title == "Nightly checks"
    assert (await build(sha=None, source="schedule")).title == "schedule"


async def test_failures_that_are_allowed_are_a_warning() -> None:
    for group in ("success-with-warnings", "success_with_warnings"):
        item = await build(detailed_status={"group": group})
        assert (item.state, item.raw_state) == ("warning", f"success/{group}")
    assert (await build(status="failed", detailed_status={"group": "success-with-warnings"})).state == "failed"


async def test_pipelines_of_merge_requests_are_not_of_a_branch() -> None:
    for end in ("head", "merge", "train"):
        item = await build(ref=f"refs/merge-requests/17/{end}", source="merge_request_event")
        assert (item.change, item.branch, item.pipeline) == ("17", "", "pipeline")


async def test_what_started_a_pipeline_tells_it_from_others_of_its_branch() -> None:
    assert {(await build(source=source)).pipeline for source in ("push", "web", "api", "trigger", None)} == {"pipeline"}
    assert (await build(source="schedule")).pipeline == "schedule"
    assert (await build(source="external")).pipeline == "external"


@pytest.mark.parametrize("source", ["parent_pipeline", "webide", "ondemand_dast_scan", "DUO_WORKFLOW"])
async def test_pipelines_that_say_nothing_of_their_branch_are_left_out(source: str) -> None:
    server = Server()
    server.pipelines = [pipeline(52, "failed", source=source), pipeline(51)]
    http = FakeHttp(server, URL)
    part = await part_of(gitlab(kinds=["build"]), http, "builds")
    assert [item.key for item in part.items] == ["gitlab:build:acme/checkout/-/pipelines/51"]
    assert asked(http, "pipelines/52") == []


async def test_why_a_pipeline_failed() -> None:
    server = Server()
    server.pipelines = [pipeline(51, "failed", yaml_errors="jobs:unit config is broken")]
    server.jobs = [{"name": f"job{n}"} for n in range(5)]
    source = gitlab(kinds=["build"])
    part = await part_of(source, FakeHttp(server, URL), "builds")
    assert part.items[0].reason == "job0, job1, job2 and 2 more"
    server.jobs = []
    part = await part_of(gitlab(kinds=["build"]), FakeHttp(server, URL), "builds")
    assert part.items[0].reason == "jobs:unit config is broken"


async def test_finished_pipelines_are_asked_for_once_and_running_ones_when_they_move() -> None:
    server = Server()
    source, http = gitlab(kinds=["build"]), FakeHttp(server, URL)
    first = await part_of(source, http, "builds")
    every = ["pipelines/52", "pipelines/51", "pipelines/50"]
    assert sorted(asked(http, "/50", "/51", "/52")) == sorted(every)
    assert asked(http, "jobs") == ["pipelines/51/jobs"]
    http.calls.clear()
    server.pipelines[0]["updated_at"] = "2026-01-02T02:59:00.000Z"  # one of its jobs is done
    again = await part_of(source, http, "builds")
    assert asked(http, "/50", "/51", "/52", "jobs") == []
    assert again.items == first.items
    server.pipelines[0].update(pipeline(52), updated_at="2026-01-02T03:00:00.000Z")
    server.pipelines[1].update(pipeline(51, "running"), updated_at="2026-01-02T03:00:00.000Z")  # somebody retries it
    last = await part_of(source, http, "builds")
    assert sorted(asked(http, "/50", "/51", "/52")) == ["pipelines/51", "pipelines/52"]
    assert [item.state for item in last.items] == ["success", "running", "success"]


async def test_a_pipeline_that_was_retried_between_two_polls_is_asked_for_again() -> None:
    server = Server()
    source, http = gitlab(kinds=["build"]), FakeHttp(server, URL)
    await read_all(source, http)
    http.calls.clear()
    server.jobs = [{"name": "deploy"}]
    server.pipelines[1].update(updated_at="2026-01-02T03:00:00.000Z", finished_at="2026-01-02T02:59:00.000Z")
    part = await part_of(source, http, "builds")
    assert asked(http, "/50", "/51", "/52") == ["pipelines/51"]
    assert (part.items[1].reason, part.items[1].ended_at) == ("deploy", at(2, 59))


async def test_a_list_that_did_not_change_costs_one_request() -> None:
    server = Server()

    def vendor(call: Call) -> Answer:
        if call.path.endswith("/pipelines"):
            if call.headers.get("if-none-match") == 'W/"1"':
                return Answer(status=304)
            return msgspec.structs.replace(server(call), headers={"etag": 'W/"1"'})
        return server(call)

    source, http = gitlab(kinds=["build"]), FakeHttp(vendor, URL)
    await read_all(source, http)
    http.calls.clear()
    assert (await part_of(source, http, "builds")).unchanged
    assert len(http.calls) == 1


async def test_old_pipelines_that_are_not_the_newest_of_their_branch_need_no_details() -> None:
    server = Server()
    old = {"created_at": "2025-12-01T02:00:00Z", "updated_at": "2025-12-01T02:40:00Z"}
    server.pipelines = [
        pipeline(53, "manual", **old),
        pipeline(52, **old),
        pipeline(51, **old),
        pipeline(50, "running", **old),
    ]
    http = FakeHttp(server, URL)
    part = await part_of(gitlab(kinds=["build"]), http, "builds")
    assert sorted(asked(http, "/50", "/51", "/52", "/53")) == ["pipelines/50", "pipelines/52", "pipelines/53"]
    newest, without = part.items[1:3]
    assert without.ended_at == datetime(2025, 12, 1, 2, 40, tzinfo=UTC)
    assert without.approximate  # when it was last touched is all that the list tells
    assert not newest.approximate


async def test_details_are_asked_for_a_few_at_a_time_those_that_matter_first() -> None:
    server = Server()
    server.pipelines = [pipeline(n, ref=f"feature{n}") for n in range(79, 71, -1)] + [pipeline(n) for n in (71, 70)]

    def vendor(call: Call) -> Answer:
        if not call.path.endswith("/pipelines"):
            return server(call)
        if call.headers.get("if-none-match"):
            return Answer(status=304)
        return msgspec.structs.replace(server(call), headers={"etag": 'W/"1"'})

    source, http = gitlab(kinds=["build"]), FakeHttp(vendor, URL)
    await part_of(source, http, "builds")
    assert sorted(asked(http, *(f"/{n}" for n in range(70, 80)))) == [
        f"pipelines/{n}" for n in (70, 71, 76, 77, 78, 79)
    ]
    part = await part_of(source, http, "builds")
    assert len(asked(http, *(f"/{n}" for n in range(70, 80)))) == 10
    assert not any(item.approximate for item in part.items)
    assert (await part_of(source, http, "builds")).unchanged


async def test_details_that_came_in_time_are_kept_where_others_did_not() -> None:
    class Slow(FakeHttp):
        async def get(self, url: str, **more: Any) -> FakeReply:
            reply = await super().get(url, **more)
            if url.endswith("/pipelines/51"):
                await asyncio.sleep(60)
            return reply

    source, http = gitlab(kinds=["build"]), Slow(Server(), URL)
    snapshot = await source.poll(lambda scope: http, timeout=0.05)
    assert isinstance(snapshot.parts[0].error, Timeout)
    quick = FakeHttp(Server(), URL)
    await part_of(source, quick, "builds")
    assert asked(quick, "/50", "/51", "/52") == ["pipelines/51"]


async def test_details_that_cannot_be_read_cost_no_item() -> None:
    server = Server()
    server.failing["pipelines/51"] = 500
    (part,) = (await parts_of(gitlab(kinds=["build"]), FakeHttp(server, URL))).values()
    assert isinstance(part.error, ServerError)
    assert [item.state for item in part.items] == ["running", "failed", "success"]


async def test_a_pipeline_that_was_deleted_meanwhile_is_no_fault() -> None:
    server = Server()
    server.failing["pipelines/51"] = 404
    part = await part_of(gitlab(kinds=["build"]), FakeHttp(server, URL), "builds")
    assert [item.state for item in part.items] == ["running", "failed", "success"]


async def test_the_project_is_asked_for_once_an_hour() -> None:
    source, http = gitlab(kinds=["build"]), FakeHttp(Server(), URL)
    for _ in range(3):
        await read_all(source, http)
    assert len(asked(http, "acme%2Fcheckout")) == 1
    source.clock.advance(3601)  # type: ignore[attr-defined]
    await read_all(source, http)
    assert len(asked(http, "acme%2Fcheckout")) == 2


async def test_after_a_gap_the_default_branch_is_read_further_back() -> None:
    server = Server()
    source, http = gitlab(kinds=["build"], builds=3), FakeHttp(server, URL)
    lists = lambda: [call.param("ref") for call in http.calls if call.path.endswith("/pipelines")]  # noqa: E731
    await read_all(source, http)
    await read_all(source, http)
    assert lists() == ["", "main", ""]
    server.pipelines = [pipeline(n, ref="topic") for n in (92, 91, 90)] + [pipeline(80, "failed")]
    part = await part_of(source, http, "builds")
    assert lists() == ["", "main", "", "", "main"]
    assert part.items[-1].state == "failed"


async def test_only_pipelines_of_the_branches_that_are_asked_for() -> None:
    class Newer(Server):
        def below(self, path: list[str], call: Call) -> Answer:
            """Newer servers answer for a branch with those of its merge requests too."""
            if path == ["pipelines"]:
                return Answer.of([{k: v for k, v in row.items() if k not in DETAILS} for row in self.pipelines])
            return super().below(path, call)

    part = await part_of(gitlab(kinds=["build"], branches=["main"]), FakeHttp(Newer(), URL), "on main")
    assert [item.state for item in part.items] == ["running", "failed"]


async def test_a_branch_that_does_not_exist_is_a_fault() -> None:
    with pytest.raises(NotFound):
        await part_of(gitlab(kinds=["build"], branches=["mian"]), FakeHttp(Server(), URL), "on mian")
    server = Server()
    server.branches.append("new")
    part = await part_of(gitlab(kinds=["build"], branches=["new"]), FakeHttp(server, URL), "on new")
    assert part.items == ()


async def test_what_is_turned_off_is_noted_and_not_asked_for() -> None:
    server = Server()
    for what in ("builds", "environments", "releases"):
        server.project[f"{what}_access_level"] = "disabled"
    http = FakeHttp(server, URL)
    parts = await parts_of(gitlab(kinds=["build", "release"]), http)
    assert {name: (part.error, part.notes) for name, part in parts.items()} == {
        f"{REPO} builds": (None, (f"{REPO}: CI/CD is turned off",)),
        f"{REPO} deployments": (None, (f"{REPO}: environments are turned off",)),
        f"{REPO} releases": (None, (f"{REPO}: releases are turned off",)),
    }
    assert asked(http, "pipelines", "deployments", "releases") == []


# -- releases ----------------------------------------------------------------------------------------------------------


async def test_a_deployment_is_a_release() -> None:
    server = Server()
    server.deployments = [deployment(62, "failed", deployable={**deployment(62)["deployable"],
                                                               "failure_reason": "script_failure"})]  # fmt: skip
    part = await part_of(gitlab(), FakeHttp(server, URL), "deployments")
    assert part.items == (
        Release(
            key="gitlab:release:acme/checkout/-/deployments/62",
            source="gitlab",
            title="main (b3d0c2f4) to production",
            state="failed",
            raw_state="failed",
            reason="script failure",
            environment="production",
            version="b3d0c2f4",
            revision=SHA,
            repository=REPO,
            url=f"{WEB}/-/jobs/762",
            links={"environment": "https://shop.example", "pipeline": f"{WEB}/-/pipelines/52"},
            labels={"tier": "production", "job": "deploy"},
            actor="bob",
            started_at=at(2, 42),
            updated_at=at(2, 45),
            ended_at=at(2, 45),
        ),
    )


@pytest.mark.parametrize(
    "status,state",
    [
        ("created", "queued"),
        ("blocked", "blocked"),
        ("running", "running"),
        ("success", "success"),
        ("FAILED", "failed"),
        ("canceled", "cancelled"),
        ("skipped", "cancelled"),
        ("next_years_word", "unknown"),
        (None, "unknown"),
    ],
)
async def test_states_of_deployments(status: str | None, state: str) -> None:
    server = Server()
    server.deployments = [deployment(62, status)]  # type: ignore[arg-type]
    part = await part_of(gitlab(), FakeHttp(server, URL), "deployments")
    assert part.items[0].state == state


async def test_a_tag_is_the_version_and_a_deployment_without_a_job_leads_to_its_environment() -> None:
    server = Server()
    job = {**deployment(1)["deployable"], "tag": True}
    server.deployments = [deployment(62, ref="v1.2", deployable=job), deployment(61, deployable=None)]
    tagged, told = (await part_of(gitlab(), FakeHttp(server, URL), "deployments")).items
    assert isinstance(tagged, Release)
    assert (tagged.version, tagged.title) == ("v1.2", "v1.2 to production")
    assert (told.url, told.actor, told.started_at) == (f"{WEB}/-/environments/9", "ann", at(2, 41))


async def test_of_the_deployments_that_nobody_started_only_the_newest_is_shown() -> None:
    server = Server()
    server.deployments = [
        deployment(66, "blocked"),
        deployment(65, "created"),
        deployment(64),
        deployment(63, "blocked"),
        deployment(62, "blocked", "staging"),
    ]
    source, http = gitlab(), FakeHttp(server, URL)
    part = await part_of(source, http, "deployments")
    assert [item.key.rpartition("/")[2] for item in part.items] == ["66", "64", "62"]
    # One that was shown until a newer one came is read again by id, and is gone.
    assert await source.lookup("release", f"{REPO}/-/deployments/65", http) is None
    assert await source.lookup("release", f"{REPO}/-/deployments/66", http) == part.items[0]


async def test_review_apps_are_left_out_unless_they_are_asked_for() -> None:
    async def environments(**options: Any) -> list[str]:
        part = await part_of(gitlab(**options), FakeHttp(Server(), URL), "deployments")
        return [item.environment for item in part.items]

    assert await environments() == ["production", "staging", "production"]
    assert await environments(environments=["review/*"]) == ["review/7"]
    assert await environments(environments=["prod*", "staging"]) == ["production", "staging", "production"]
    with pytest.raises(NotFound, match="no environment"):
        await environments(environments=["prodution"])


async def test_an_environment_that_is_seldom_deployed_to_is_read_beyond_the_window_once() -> None:
    server = Server()
    server.deployments = [deployment(n, environment="review/7") for n in (66, 65, 64)] + [
        deployment(50, "blocked"),
        deployment(49, "failed"),
        deployment(48),
    ]
    source, http = gitlab(kinds=["release"], deployments=3), FakeHttp(server, URL)
    wanted = lambda: [c.param("environment") for c in http.calls if c.path.endswith("deployments")]  # noqa: E731
    part = await part_of(source, http, "deployments")
    assert [(item.environment, item.state) for item in part.items] == [
        ("production", "failed"),
        ("production", "success"),
    ]
    assert wanted() == ["", "production", "staging"]
    assert (await part_of(source, http, "deployments")).items == part.items
    assert wanted() == ["", "production", "staging", ""]
    server.deployments = [deployment(n, environment="review/7") for n in (96, 95, 94)]  # there was a gap
    await part_of(source, http, "deployments")
    assert wanted()[4:] == ["", "production", "staging"]


async def test_without_a_token_deployments_are_not_told_of() -> None:
    http = FakeHttp(Server(), URL)
    part = await part_of(gitlab(token=""), http, "deployments")
    assert part.notes == (f"{REPO}: GitLab tells of deployments only with a token",)
    assert asked(http, "deployments") == []
    signed = gitlab(token="", headers={"Private-Token": "env:TOKEN"})
    assert len((await part_of(signed, http, "deployments")).items) == 3


async def test_published_releases() -> None:
    server = Server()
    server.releases.append({**server.releases[0], "tag_name": "v2", "upcoming_release": True})
    part = await part_of(gitlab(), FakeHttp(server, URL), f"{REPO} releases")
    assert part.items == (
        Release(
            key="gitlab:release:acme/checkout/-/releases/v1.2",
            source="gitlab",
            title="Winter",
            state="success",
            raw_state="released",
            type="publication",
            version="v1.2",
            revision=SHA,
            repository=REPO,
            url=f"{WEB}/-/releases/v1.2",
            actor="ann",
            started_at=at(1, 0),
            ended_at=at(1, 0),
        ),
    )


async def test_releases_whose_tag_we_may_not_see_are_a_fault() -> None:
    server = Server()
    del server.releases[0]["tag_name"]  # GitLab's answer to those who may not read the code
    with pytest.raises(BadAnswer, match="tag_name"):
        await part_of(gitlab(), FakeHttp(server, URL), f"{REPO} releases")


# -- tickets -----------------------------------------------------------------------------------------------------------


async def test_issues_are_tickets_and_incidents_are_not() -> None:
    part = await part_of(gitlab(), FakeHttp(Server(), URL), "tickets")
    assert [item.key.rpartition("/")[2] for item in part.items] == ["41", "42"]
    assert part.items[0] == Ticket(
        key="gitlab:ticket:acme/checkout/-/issues/41",
        source="gitlab",
        title="Issue 41",
        state="open",
        raw_state="opened",
        priority="high",
        ticket_id="#41",
        assignee="bob",
        repository=REPO,
        url=f"{WEB}/-/issues/41",
        labels={"bug": "", "priority": "high"},
        actor="ann",
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    assert part.reach == "window"
    alone = await part_of(gitlab(kinds=["ticket"]), FakeHttp(Server(), URL), "tickets")
    assert len(alone.items) == 3  # where nobody asks for incidents, they are issues like others


@pytest.mark.parametrize(
    "fields,state",
    [
        ({"state": "opened"}, "open"),
        ({"state": "Reopened"}, "open"),
        ({"state": "closed"}, "done"),
        ({"state": "closed", "moved_to_id": 7}, "cancelled"),
        ({"state": "closed", "_links": {"closed_as_duplicate_of": f"{URL}/api/v4/projects/1/issues/2"}}, "cancelled"),
        ({"state": "next_years_word"}, "unknown"),
        ({"state": None}, "unknown"),
    ],
)
async def test_states_of_issues(fields: dict[str, Any], state: str) -> None:
    server = Server()
    server.issues = [issue(41, **fields)]
    ticket = await gitlab().lookup("ticket", f"{REPO}/-/issues/41", FakeHttp(server, URL))
    assert ticket is not None
    assert ticket.state == state


async def test_all_pages_of_issues_are_read() -> None:
    server = Server()
    server.issues = [issue(n) for n in range(1, 251)]
    http = FakeHttp(server, URL)
    part = await part_of(gitlab(kinds=["ticket"]), http, "tickets")
    assert len(part.items) == 250
    assert part.notes == ()
    assert len(http.calls) == 3


async def test_more_issues_than_are_read_are_noted() -> None:
    server = Server()
    server.issues = [issue(n) for n in range(1, 1202)]
    part = await part_of(gitlab(kinds=["ticket"]), FakeHttp(server, URL), "tickets")
    assert len(part.items) == 1000
    assert part.notes == (f"{REPO}: only the 1000 open issues that changed last are read",)


async def test_labels_narrow_tickets_and_a_misspelt_one_is_a_fault() -> None:
    part = await part_of(gitlab(labels=["bug"], kinds=["ticket"]), FakeHttp(Server(), URL), "tickets")
    assert [item.key.rpartition("/")[2] for item in part.items] == ["41", "71"]
    with pytest.raises(NotFound):
        await part_of(gitlab(labels=["bgu"], kinds=["ticket"]), FakeHttp(Server(), URL), "tickets")
    server = Server()
    server.issues = []
    assert (await part_of(gitlab(labels=["bug"], kinds=["ticket"]), FakeHttp(server, URL), "tickets")).items == ()


# -- incidents and alerts ----------------------------------------------------------------------------------------------


async def test_an_issue_of_type_incident_is_an_incident() -> None:
    part = await part_of(gitlab(), FakeHttp(Server(), URL), "incidents")
    assert part.items == (
        Incident(
            key="gitlab:incident:acme/checkout/-/issues/71",
            source="gitlab",
            title="Issue 71",
            description="It is broken.",
            state="acknowledged",
            raw_state="opened/ACKNOWLEDGED",
            severity="high",
            assignee="bob",
            repository=REPO,
            url=f"{WEB}/-/issues/71",
            labels={"bug": "", "priority": "high"},
            actor="ann",
            started_at=datetime(2026, 1, 1, tzinfo=UTC),
        ),
    )
    assert part.reach == "complete"


@pytest.mark.parametrize(
    "status,state",
    [
        ("TRIGGERED", "open"),
        ("acknowledged", "acknowledged"),
        ("RESOLVED", "resolved"),
        ("IGNORED", "suppressed"),
        ("NEXT_YEARS_WORD", "unknown"),
        (None, "open"),
    ],
)
async def test_states_of_incidents(status: str | None, state: str) -> None:
    server = Server()
    server.escalation = {1071: status}
    part = await part_of(gitlab(), FakeHttp(server, URL), "incidents")
    assert part.items[0].state == state


def test_an_incident_that_was_closed_is_over_whatever_its_status() -> None:
    closed = incident_of(gitlab(), REPO, Issue(iid=71, state="closed"), "TRIGGERED")
    assert closed.state == "resolved"


@pytest.mark.parametrize(
    "word,severity", [("CRITICAL", "critical"), ("high", "high"), ("MEDIUM", "medium"), ("LOW", "low"),
                      ("UNKNOWN", "unknown"), (None, "unknown")]
)  # fmt: skip
async def test_severities(word: str | None, severity: str) -> None:
    server = Server()
    server.issues = [{**incident(71), "severity": word}]
    part = await part_of(gitlab(), FakeHttp(server, URL), "incidents")
    assert isinstance(part.items[0], Incident)
    assert part.items[0].severity == severity


async def test_a_server_that_knows_no_type_of_issue_does_not_make_all_of_them_incidents() -> None:
    class Older(Server):
        def below(self, path: list[str], call: Call) -> Answer:
            return Answer.of(self.issues) if path == ["issues"] else super().below(path, call)

    part = await part_of(gitlab(), FakeHttp(Older(), URL), "incidents")
    assert [item.key.rpartition("/")[2] for item in part.items] == ["71"]


async def test_without_open_incidents_nobody_is_asked_who_acknowledged_them() -> None:
    server = Server()
    server.issues = []
    http = FakeHttp(server, URL)
    assert (await part_of(gitlab(alerts=False, kinds=["incident"]), http, "incidents")).items == ()
    assert [call.method for call in http.calls] == ["GET"]


async def test_what_graphql_refuses_is_noted_and_what_was_known_stays() -> None:
    server = Server()
    source, http = gitlab(alerts=False), FakeHttp(server, URL)
    before = await part_of(source, http, "incidents")
    server.graphql_error = "Field 'escalationStatus' doesn't exist on type 'Issue'"
    part = await part_of(source, http, "incidents")
    assert part.items == before.items
    (note,) = part.notes
    assert "escalationStatus" in note
    assert (await part_of(gitlab(alerts=False), http, "incidents")).items[0].state == "open"


async def test_the_incidents_of_a_group() -> None:
    source = gitlab(projects=[], groups=["acme"], kinds=["incident"])
    http = FakeHttp(Server(), URL)
    part = await part_of(source, http, "acme/* incidents")
    assert [item.state for item in part.items] == ["acknowledged"]
    (call,) = [call for call in http.calls if call.method == "POST"]
    assert "group(fullPath: $path)" in json.loads(call.body)["query"]
    assert "includeSubgroups: true" in json.loads(call.body)["query"]


async def test_an_alert_is_an_incident() -> None:
    part = await part_of(gitlab(), FakeHttp(Server(), URL), "alerts")
    assert part.items[0] == Incident(
        key="gitlab:incident:acme/checkout/-/alerts/3",
        source="gitlab",
        title="Till is slow",
        description="p99 above 2 s",
        state="open",
        raw_state="TRIGGERED",
        severity="critical",
        assignee="bob",
        environment="production",
        repository=REPO,
        url=f"{WEB}/-/alert_management/3/details",
        links={"runbook": "https://runbooks.example/slow", "incident": f"{WEB}/-/issues/71"},
        labels={"service": "checkout", "monitoring_tool": "Prometheus"},
        started_at=at(2, 50),
    )
    assert part.items[1].state == "suppressed"
    assert part.reach == "complete"


async def test_all_pages_of_alerts_are_read_and_too_many_are_a_fault() -> None:
    server = Server()
    server.alerts = [alert(n) for n in range(120)]
    assert len((await part_of(gitlab(), FakeHttp(server, URL), "alerts")).items) == 120
    server.alerts = [alert(n) for n in range(501)]
    with pytest.raises(TooLarge, match="500 alerts"):
        await part_of(gitlab(), FakeHttp(server, URL), "alerts")


async def test_alerts_that_we_may_not_see_are_no_empty_list() -> None:
    server = Server()
    server.alerts, server.permissions = [], dict.fromkeys(server.permissions, False)
    part = await part_of(gitlab(), FakeHttp(server, URL), "alerts")
    assert part.notes == (f"{REPO}: alerts are only shown to the role Developer",)
    with pytest.raises(AuthError, match="Developer"):
        await part_of(gitlab(alerts=True), FakeHttp(server, URL), "alerts")
    server.alerts = [alert(3)]  # an auditor's, say
    assert len((await part_of(gitlab(alerts=True), FakeHttp(server, URL), "alerts")).items) == 1
    server.alerts, server.permissions["pushCode"] = [], True
    assert (await part_of(gitlab(alerts=True), FakeHttp(server, URL), "alerts")).notes == ()


@pytest.mark.parametrize(
    "answer",
    [
        {"errors": [{"message": "Query has complexity of 300"}]},
        {"errors": [{"message": "Timeout"}], "data": {"project": None}},
        {"errors": "odd"},
        {"data": {}},
        {"data": None},
        [],
    ],
)
async def test_errors_of_graphql_come_with_status_200(answer: Any) -> None:
    def vendor(call: Call) -> Answer:
        return Answer.of(answer) if call.method == "POST" else Server()(call)

    with pytest.raises(BadAnswer, match="GraphQL"):
        await part_of(gitlab(), FakeHttp(vendor, URL), "alerts")


# -- lookup ------------------------------------------------------------------------------------------------------------


async def test_items_are_read_again_by_id() -> None:
    server = Server()
    server.pipelines[0].update(pipeline(52, "failed"))
    server.issues[0].update(state="closed", closed_at="2026-01-02T03:00:00.000Z")
    source, http = gitlab(), FakeHttp(server, URL)
    failed = await source.lookup("build", f"{REPO}/-/pipelines/52", http)
    assert isinstance(failed, Build)
    assert (failed.state, failed.reason, failed.default_branch) == ("failed", "unit, e2e", "main")
    deployed = await source.lookup("release", f"{REPO}/-/deployments/62", http)
    assert isinstance(deployed, Release)
    assert (deployed.state, deployed.labels["tier"]) == ("failed", "staging")
    closed = await source.lookup("ticket", f"{REPO}/-/issues/41", http)
    assert isinstance(closed, Ticket)
    assert (closed.state, closed.ended_at) == ("done", at(3, 0))
    with pytest.raises(NotFound):
        await source.lookup("build", f"{REPO}/-/pipelines/99", http)


async def test_a_tag_with_a_slash_is_found_again() -> None:
    server = Server()
    server.releases[0]["tag_name"] = "till/v1.2"
    part = await part_of(gitlab(), FakeHttp(server, URL), f"{REPO} releases")
    key = part.items[0].key
    assert key == "gitlab:release:acme/checkout/-/releases/till/v1.2"
    assert await gitlab().lookup("release", key.split(":", 2)[2], FakeHttp(server, URL)) == part.items[0]
