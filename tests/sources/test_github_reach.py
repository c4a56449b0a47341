"""GitHub: organisations, branches, workflows, searches, GraphQL, and tokens that run out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, ClassVar

import httpx
import msgspec
import pytest

from sources._github_options import GitHubOptions, graphql_url, web_url
from sources.github import GitHub
from statusboard.client import ClientPool, ValidatorCache, mock
from statusboard.clock import FakeClock, SystemClock
from statusboard.errors import AuthError, BadAnswer, NotFound, RateLimited, ServerError
from statusboard.model import Build, Part, Ticket
from statusboard.source import Source
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all
from tests.sources.test_github import API, REPO, Server, issue, run

SIGNED = {"Authorization": "Bearer x"}


def repository(name: str, **more: Any) -> dict[str, Any]:
    """A repository as the list of an organisation's holds it."""
    return {
        "id": 1,
        "name": name,
        "full_name": f"acme/{name}",
        "archived": False,
        "disabled": False,
        "has_issues": True,
        "default_branch": "main",
        "pushed_at": "2026-01-02T02:00:00Z",
        **more,
    }


def found(number: int, repo: str = REPO, **more: Any) -> dict[str, Any]:
    """An issue as a search finds it."""
    return issue(number, repository_url=f"{API}/repos/{repo}", score=1.0, **more)


class Company(Server):
    """An organisation at GitHub."""

    def __init__(self) -> None:
        super().__init__()
        self.repositories = [repository("checkout"), repository("shop", has_issues=False)]
        self.workflows = [{"id": 7, "name": "CI", "path": ".github/workflows/ci.yml", "state": "active"}]
        self.lacking: set[str] = set()
        self.branches = {"main", "next"}
        self.found = [found(41), found(42, "acme/shop")]
        self.incomplete = False
        self.graphql_status = 200
        self.graphql: Callable[[list[str]], Any] = self.nodes
        for row in self.deployments:
            row["node_id"] = f"DE_{row['id']}"

    def nodes(self, ids: list[str]) -> dict[str, Any]:
        return {"data": {"nodes": [self.node(int(number.removeprefix("DE_"))) for number in ids]}}

    def node(self, number: int) -> dict[str, Any]:
        statuses = self.statuses.get(number)
        latest = None
        if statuses:
            latest = {
                "state": statuses[0]["state"].upper(),
                "description": None,
                "logUrl": statuses[0].get("log_url"),
                "environmentUrl": None,
                "createdAt": statuses[0]["created_at"],
            }
        return {"id": f"DE_{number}", "latestStatus": latest}

    def __call__(self, call: Call) -> Answer:
        if self.status != 200:
            return Answer(status=self.status)
        match call.path.split("/")[1:]:
            case ["orgs", "acme", "repos"]:
                return Answer.of(self.repositories)
            case ["orgs", *_]:
                return Answer.of({"message": "Not Found"}, 404)
            case ["repos", "acme", name, "branches", branch]:
                known = branch in self.branches and name not in self.lacking
                return Answer.of({"name": branch}) if known else Answer.of({"message": "Branch not found"}, 404)
            case ["search", "issues"]:
                return Answer.of(
                    {"total_count": len(self.found), "incomplete_results": self.incomplete, "items": self.found}
                )
            case ["graphql"]:
                if self.graphql_status != 200:
                    return Answer.of({"message": "no"}, self.graphql_status)
                return Answer.of(self.graphql(msgspec.json.decode(call.body)["variables"]["ids"]))
            case ["repos", "acme", name, "actions", "workflows"]:
                workflows = [] if name in self.lacking else self.workflows
                return Answer.of({"total_count": len(workflows), "workflows": workflows})
            case ["repos", "acme", _, "actions", "workflows", _, "runs"]:
                return Answer.of({"total_count": len(self.runs), "workflow_runs": self.runs})
        return super().__call__(call)


class TestOrganisation(SourceContract):
    source = GitHub
    options: ClassVar = {
        "org": "acme",
        "headers": SIGNED,
        "branches": ["main"],
        "workflows": ["ci.yml"],
        "query": "label:bug",
    }
    state_fields = ("status", "conclusion", "state")
    time_fields = ("created_at", "updated_at", "run_started_at", "published_at", "closed_at", "createdAt")
    id_fields = ("id", "number", "full_name", "repository_url", "name", "path")

    def vendor(self, call: Call) -> Answer:
        server = Company()
        # One of each will do: every field of it is tried in turn.
        server.repositories = [repository("checkout")]
        server.runs, server.found = server.runs[1:2], server.found[:1]
        server.deployments, server.releases = server.deployments[:1], server.releases[:1]
        return server(call)

    def documents(self) -> list[Any]:
        """Those that the other contract does not read: repositories, workflows, found issues, GraphQL's answer."""
        return [
            document
            for document in super().documents()
            if any(name in str(document) for name in ("'archived'", "'workflows'", "'items'", "'latestStatus'"))
        ]


def github(**options: Any) -> Source[Any]:
    return make_source(GitHub, options)


async def parts(source: Source[Any], server: Callable[[Call], Answer]) -> dict[str, Part]:
    return {part.scope: part for part in (await read_all(source, FakeHttp(server, API))).parts}


# -- options -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options,message",
    [
        ({}, "at least one of"),
        ({"org": "acme/checkout"}, "`org`"),
        ({"repos": [REPO], "branches": [""]}, "`branches`"),
        ({"repos": [REPO], "workflows": ["a\nb"]}, "`workflows`"),
        ({"repos": [REPO], "branches": list("abcd"), "workflows": list("efgh")}, "more than 12"),
        ({"repos": [REPO], "query": " "}, "`query` is blank"),
        ({"repos": [REPO], "query": "label:a\x1b"}, "not printable"),
        ({"repos": [REPO], "query": "is:pr label:a"}, "pull requests"),
        ({"repos": [REPO], "query": "label:a", "kinds": ["build"]}, "`kinds` leaves out"),
        ({"query": "label:a -repo:acme/x"}, "where to search"),
        ({"query": "repo:acme/a repo:acme/b"}, "joins several places by AND"),
        ({"repos": [f"a{n}/b" for n in range(21)], "query": "label:a"}, "more than 20"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        github(**options)


@pytest.mark.parametrize(
    "options,searches",
    [
        ({"org": "acme"}, ["label:a is:issue is:open org:acme"]),
        ({"repos": [REPO, "Acme/Checkout"]}, [f"label:a is:issue is:open repo:{REPO}"]),
        (
            {"org": "ACME", "repos": [REPO, "eve/x"]},
            ["label:a is:issue is:open org:ACME", "label:a is:issue is:open repo:eve/x"],
        ),
        ({"query": "org:acme state:closed type:issue x"}, ["org:acme state:closed type:issue x"]),
        (
            {"query": "(repo:acme/a OR repo:acme/b) label:p"},
            ["((repo:acme/a OR repo:acme/b) label:p) is:issue is:open"],
        ),
        (
            {"query": "repo:acme/a repo:acme/b", "url": "https://ghe.example/api/v3"},
            ["repo:acme/a repo:acme/b is:issue is:open"],
        ),
    ],
)
def test_what_is_searched_for(options: dict[str, Any], searches: list[str]) -> None:
    bound = github(**{"query": "label:a", **options}).options
    assert isinstance(bound, GitHubOptions)
    assert list(bound.searches()) == searches


def test_where_things_are() -> None:
    there = [
        (graphql_url(url), web_url(url)) for url in (API, "https://api.acme.ghe.com", "https://ghe.example/api/v3/")
    ]
    assert there == [
        ("/graphql", "https://github.com"),
        ("/graphql", "https://acme.ghe.com"),
        ("https://ghe.example/api/graphql", "https://ghe.example"),
    ]
    assert web_url("http://127.0.0.1:8000") == ""


# -- organisations -----------------------------------------------------------------------------------------------------


async def test_all_repositories_of_an_organisation() -> None:
    server = Company()
    server.repositories += [repository("old", archived=True), repository("gone", disabled=True)]
    read = await parts(github(org="acme", repos=["ACME/Checkout", "eve/x"]), server)
    assert list(read) == sorted(
        f"{repo} {kind}s"
        for repo in ("ACME/Checkout", "acme/shop", "eve/x")
        for kind in ("build", "release", "ticket")
        if (repo, kind) != ("acme/shop", "ticket")  # it has no issues
    )
    assert not any(part.error for part in read.values())


async def test_the_list_is_asked_for_every_ten_minutes() -> None:
    server, source = Company(), github(org="acme", kinds=["build"])
    http = FakeHttp(server, API)
    for _ in range(2):
        await read_all(source, http)
    assert [call.path for call in http.calls].count("/orgs/acme/repos") == 1
    # It says what the default branches are, too.
    assert "/repos/acme/shop" not in [call.path for call in http.calls]
    (call,) = [call for call in http.calls if call.path == "/orgs/acme/repos"]
    assert (call.param("sort"), call.param("direction")) == ("pushed", "desc")
    source.clock.advance(601)  # type: ignore[attr-defined]
    server.repositories.append(repository("new"))
    assert "acme/new builds" in await parts(source, server)


async def test_no_more_repositories_than_wanted() -> None:
    server = Company()
    server.repositories = [repository(f"r{number}") for number in range(5)]
    read = await parts(github(org="acme", org_repos=2, kinds=["build"]), server)
    assert list(read) == ["acme/r0 builds", "acme/r1 builds"]
    assert read["acme/r0 builds"].notes == ("acme: only the 2 repositories that were pushed to last are read",)


async def test_an_endless_list_of_archived_repositories() -> None:
    server = Company()

    def vendor(call: Call) -> Answer:
        if not call.path.startswith("/orgs/"):
            return server(call)
        page = int(call.param("page", "1"))
        rows = [repository("checkout")] if page == 1 else [repository(f"old{page}", archived=True)]
        return Answer.of(rows, link=f'<{API}/orgs/acme/repos?page={page + 1}>; rel="next"')

    read = await parts(github(org="acme", kinds=["build"]), vendor)
    assert list(read) == ["acme/checkout builds"]
    assert "only the 50" in read["acme/checkout builds"].notes[0]


@pytest.mark.parametrize("repositories", [[], [repository("old", archived=True)]])
async def test_an_organisation_without_repositories_is_an_error(repositories: list[Any]) -> None:
    server = Company()
    server.repositories = repositories
    with pytest.raises(NotFound, match="no repository that can be seen"):
        await parts(github(org="acme"), server)


async def test_an_organisation_that_is_a_person() -> None:
    with pytest.raises(NotFound, match="person's repositories are named under repos"):
        await parts(github(org="eve"), Company())


async def test_when_the_list_cannot_be_had_the_known_and_the_named_are_read() -> None:
    server = Company()

    def vendor(call: Call) -> Answer:
        return Answer(status=500) if call.path.startswith("/orgs/") else server(call)

    source = github(org="acme", kinds=["build"])
    with pytest.raises(ServerError):
        await parts(source, vendor)
    await parts(source, server)
    source.clock.advance(601)  # type: ignore[attr-defined]
    for known in (await parts(source, vendor), await parts(source, vendor)):
        assert isinstance(known.pop("acme repositories").error, ServerError)
        assert [len(part.items) for part in known.values()] == [3, 3]
    source.clock.advance(61)  # type: ignore[attr-defined]
    assert "acme repositories" not in await parts(source, server)
    named = await parts(github(org="acme", repos=["eve/x"], kinds=["ticket"]), vendor)
    assert {scope: bool(part.error) for scope, part in named.items()} == {
        "acme repositories": True,
        "eve/x tickets": False,
    }


async def test_a_repository_that_cannot_be_read_is_not_left_out_in_silence() -> None:
    server = Company()
    server.repositories[1]["full_name"] = None
    read = await parts(github(org="acme", kinds=["build"]), server)
    assert isinstance(read["acme repositories"].error, BadAnswer)
    assert len(read["acme/checkout builds"].items) == 3


async def test_of_many_repositories_published_releases_are_read_every_five_minutes() -> None:
    server = Company()
    server.repositories = [repository(f"r{number}") for number in range(11)]
    source, http = github(org="acme", kinds=["release"]), FakeHttp(server, API)
    asked = []
    for _ in range(3):
        await read_all(source, http)
        asked.append(sum(call.path == "/repos/acme/r0/releases" for call in http.calls))
        source.clock.advance(200)  # type: ignore[attr-defined]
    assert asked == [1, 1, 2]


# -- branches and workflows --------------------------------------------------------------------------------------------


async def test_one_part_a_branch_and_workflow() -> None:
    source = github(repos=[REPO], branches=["main", "next"], workflows=["CI"], kinds=["build"])
    http = FakeHttp(Company(), API)
    snapshot = await read_all(source, http)
    assert [part.scope for part in snapshot.parts] == [f"{REPO} builds of CI on main", f"{REPO} builds of CI on next"]
    lists = [call for call in http.calls if call.path.endswith("/runs")]
    assert {call.path for call in lists} == {f"/repos/{REPO}/actions/workflows/7/runs"}
    assert {call.param("branch") for call in lists} == {"main", "next"}


async def test_workflows_go_by_name_or_file_and_are_looked_up_hourly() -> None:
    for word in ("ci.yml", "CI", "ci"):
        source, http = github(repos=[REPO], workflows=[word], kinds=["build"]), FakeHttp(Company(), API)
        for _ in range(2):
            (part,) = (await read_all(source, http)).parts
            assert len(part.items) == 3
        assert sum(call.path.endswith("/actions/workflows") for call in http.calls) == 1
        source.clock.advance(3601)  # type: ignore[attr-defined]
        await read_all(source, http)
        assert sum(call.path.endswith("/actions/workflows") for call in http.calls) == 2


async def test_a_workflow_that_a_named_repository_lacks_is_an_error() -> None:
    server, source = Company(), github(repos=[REPO], workflows=["deploy"], kinds=["build"])
    (part,) = (await parts(source, server)).values()
    assert isinstance(part.error, NotFound)
    server.workflows.append({"id": 8, "name": "Deploy", "path": ".github/workflows/deploy.yml"})
    (part,) = (await parts(source, server)).values()
    assert part.error is None


async def test_a_workflow_that_not_all_of_an_organisation_have() -> None:
    server = Company()
    server.lacking = {"shop"}
    read = await parts(github(org="acme", workflows=["CI"], kinds=["build"]), server)
    assert [(len(part.items), part.error) for part in read.values()] == [(3, None), (0, None)]
    assert read["acme/shop builds of CI"].notes == ("acme/shop: no workflow is called CI",)


async def test_a_misspelt_branch_of_a_named_repository_is_an_error() -> None:
    server, source = Company(), github(repos=[REPO], branches=["mian"], kinds=["build"])
    server.runs = []
    (part,) = (await parts(source, server)).values()
    assert isinstance(part.error, NotFound)
    assert "no branch is called mian" in str(part.error)
    server.branches.add("mian")
    (part,) = (await parts(source, server)).values()
    assert (part.items, part.notes, part.error) == ((), (), None)


async def test_a_branch_that_not_all_of_an_organisation_have_is_noted_and_one_that_none_has_is_an_error() -> None:
    server = Company()
    server.runs, server.lacking = [], {"shop"}
    source = github(org="acme", branches=["main"], kinds=["build"])
    read = await parts(source, server)
    assert {name: (part.notes, part.error) for name, part in read.items()} == {
        "acme/checkout builds on main": ((), None),
        "acme/shop builds on main": (("acme/shop: no branch is called main",), None),
    }
    server.lacking = {"shop", "checkout"}
    await parts(source, server)
    assert [type(part.error) for part in (await parts(source, server)).values()] == [NotFound, NotFound]


async def test_who_may_not_read_the_code_cannot_tell_whether_a_branch_exists() -> None:
    server = Company()
    server.runs = []

    def vendor(call: Call) -> Answer:
        return Answer(status=403) if "/branches/" in call.path else server(call)

    (part,) = (await parts(github(repos=[REPO], branches=["main"], kinds=["build"]), vendor)).values()
    assert (part.items, part.error) == ((), None)


async def test_repositories_of_an_organisation_that_are_left_out() -> None:
    read = await parts(github(org="acme", exclude=["Acme/sh*"], kinds=["build"]), Company())
    assert list(read) == ["acme/checkout builds"]


async def test_a_workflow_that_none_of_an_organisation_has_is_an_error() -> None:
    server = Company()
    server.lacking = {"shop", "checkout"}
    source = github(org="acme", workflows=["CI"], kinds=["build"])
    await parts(source, server)
    assert [type(part.error) for part in (await parts(source, server)).values()] == [NotFound, NotFound]


async def test_two_workflows_of_one_name_are_read_both() -> None:
    server = Company()
    server.workflows.append({"id": 8, "name": "CI", "path": ".github/workflows/ci2.yml"})
    http = FakeHttp(server, API)
    (part,) = (await read_all(github(repos=[REPO], workflows=["CI"], kinds=["build"]), http)).parts
    assert len(part.items) == 3
    assert {call.path.split("/")[-2] for call in http.calls if call.path.endswith("/runs")} == {"7", "8"}


async def test_a_pattern_picks_branches_from_the_newest_runs() -> None:
    server = Company()
    server.runs = [run(1, head_branch="release/1"), run(2, head_branch="main"), run(3, head_branch="release/2")]
    http = FakeHttp(server, API)
    (part,) = (await read_all(github(repos=[REPO], branches=["release/*"], kinds=["build"]), http)).parts
    assert [item.branch for item in part.items if isinstance(item, Build)] == ["release/1", "release/2"]
    (call,) = [call for call in http.calls if call.path.endswith("/runs")]
    assert (call.param("per_page"), call.param("branch")) == ("100", "")


# -- searches ----------------------------------------------------------------------------------------------------------


async def test_tickets_that_a_search_finds() -> None:
    server = Company()
    http = FakeHttp(server, API)
    source = github(query="org:acme label:bug")
    (part,) = (await read_all(source, http)).parts
    assert part.scope == "search org:acme label:bug is:issue is:open"
    assert [item.key for item in part.items] == [
        "github:ticket:acme/checkout/issue/41",
        "github:ticket:acme/shop/issue/42",
    ]
    assert [item.repository for item in part.items] == [REPO, "acme/shop"]
    (call,) = http.calls
    asked = [call.param(name) for name in ("q", "sort", "order", "per_page")]
    assert asked == ["org:acme label:bug is:issue is:open", "updated", "desc", "100"]


async def test_a_search_that_was_given_up_is_no_whole_answer() -> None:
    server = Company()
    server.incomplete = True
    (part,) = (await parts(github(query="org:acme"), server)).values()
    assert isinstance(part.error, BadAnswer)
    assert "gave the search up" in str(part.error)
    assert len(part.items) == 2


async def test_a_search_in_what_may_not_be_seen_is_an_error() -> None:
    def vendor(call: Call) -> Answer:
        return Answer.of({"message": "Validation Failed"}, 422)

    (part,) = (await parts(github(query="org:secret"), vendor)).values()
    assert isinstance(part.error, BadAnswer)


async def test_no_more_than_three_pages_of_a_search() -> None:
    def vendor(call: Call) -> Answer:
        page = int(call.param("page", "1"))
        answer = {"total_count": 900, "incomplete_results": False, "items": [found(page)]}
        return Answer.of(answer, link=f'<{API}/search/issues?q=x&page={page + 1}>; rel="next"')

    source = github(query="org:acme")
    (part,) = (await parts(source, vendor)).values()
    assert len(part.items) == 3
    assert "only the 300 issues" in part.notes[0]
    # What else it found nobody knows, so an open issue is one of them.
    assert await source.lookup("ticket", f"{REPO}/issue/41", FakeHttp(Company(), API)) is not None


async def test_an_issue_that_no_search_finds_any_more() -> None:
    server = Company()
    source, http = github(query="org:acme label:bug"), FakeHttp(server, API)
    assert isinstance(await source.lookup("ticket", f"{REPO}/issue/41", http), Ticket), "nothing was searched yet"
    server.found.clear()
    await read_all(source, http)
    assert await source.lookup("ticket", f"{REPO}/issue/41", http) is None  # it is open, and has lost its label
    server.issues[0].update(state="closed", closed_at="2026-01-02T03:00:00Z")
    closed = await source.lookup("ticket", f"{REPO}/issue/41", http)
    assert isinstance(closed, Ticket)
    assert closed.state == "done"
    assert await source.lookup("ticket", "a/../b/issue/1", http) is None


# -- GraphQL -----------------------------------------------------------------------------------------------------------


def signed(**options: Any) -> Source[Any]:
    return github(repos=[REPO], kinds=["release"], token="env:GITHUB_TOKEN", **options)


def asked(http: FakeHttp) -> list[str]:
    """How the statuses were asked for."""
    paths = [call.path.rpartition("/")[2] for call in http.calls]
    http.calls.clear()
    return [path for path in paths if path in ("graphql", "statuses")]


async def test_one_request_tells_how_all_deployments_went() -> None:
    server = Company()
    server.statuses[21] = []
    alone, together = FakeHttp(server, API), FakeHttp(server, API)
    by_rest = (await read_all(github(repos=[REPO], kinds=["release"]), alone)).parts[0].items
    by_graphql = (await read_all(signed(), together)).parts[0].items
    assert by_graphql == by_rest
    assert [item.raw_state for item in by_graphql] == ["in_progress", "failure", "pending", "published"]
    assert (asked(alone), asked(together)) == (["statuses"] * 3, ["graphql"])


async def test_graphql_is_asked_where_it_is() -> None:
    company = Company()

    def vendor(call: Call) -> Answer:
        return company(msgspec.structs.replace(call, url=re.sub("/api/(v3/)?", "/", call.url)))

    http = FakeHttp(vendor, "https://ghe.example/api/v3")
    await read_all(signed(url="https://ghe.example/api/v3"), http)
    (call,) = [call for call in http.calls if call.method == "POST"]
    assert call.url == "https://ghe.example/api/graphql"
    body = msgspec.json.decode(call.body)
    assert body["variables"] == {"ids": ["DE_23", "DE_22", "DE_21"]}
    assert re.fullmatch(r"query\(\$ids: \[ID!\]!\) \{ nodes\(ids: \$ids\) \{ .* \} \}", body["query"])


async def test_once_anything_may_have_changed_all_is_told_anew() -> None:
    server, source = Company(), signed()
    http = FakeHttp(server, API)
    await read_all(source, http)
    server.statuses[21] = [{"state": "failure", "created_at": "2026-01-02T02:56:00Z"}]  # late, and on its way is 23
    part = (await read_all(source, http)).parts[0]
    assert [item.state for item in part.items] == ["running", "failed", "failed", "success"]
    server.statuses[23] = [{"state": "success", "created_at": "2026-01-02T02:57:00Z"}]
    await read_all(source, http)
    asked(http)
    await read_all(source, http)
    assert asked(http) == []  # nothing is on its way
    source.clock.advance(901)  # type: ignore[attr-defined]
    await read_all(source, http)
    assert asked(http) == ["graphql"]


@pytest.mark.parametrize(
    "status,answer",
    [
        (404, None),
        (403, None),
        (200, {"errors": [{"message": "Something went wrong", "type": "INTERNAL"}]}),
        (200, {"data": None}),
        (200, {"data": {"nodes": [None, None, None]}, "errors": [{"type": "FORBIDDEN", "message": "no"}]}),
        (200, []),
    ],
)
async def test_where_graphql_refuses_rest_goes_on_for_an_hour(status: int, answer: Any) -> None:
    server, source = Company(), signed()
    server.graphql_status, server.graphql = status, lambda ids: answer
    http = FakeHttp(server, API)
    (part,) = (await read_all(source, http)).parts
    assert [item.state for item in part.items] == ["running", "failed", "inactive", "success"]
    assert asked(http) == ["graphql", "statuses", "statuses", "statuses"]
    await read_all(source, http)
    assert asked(http) == ["statuses"]
    source.clock.advance(3601)  # type: ignore[attr-defined]
    server.graphql_status, server.graphql = 200, server.nodes
    await read_all(source, http)
    assert asked(http) == ["graphql"]


async def test_where_graphql_is_down_it_is_tried_again_soon() -> None:
    server, source = Company(), signed()
    server.graphql_status = 502
    http = FakeHttp(server, API)
    await read_all(source, http)
    server.graphql_status = 200
    source.clock.advance(200)  # type: ignore[attr-defined]
    asked(http)
    await read_all(source, http)
    assert asked(http) == ["statuses"]
    source.clock.advance(200)  # type: ignore[attr-defined]
    await read_all(source, http)
    assert asked(http) == ["graphql"]


async def test_graphql_s_own_limit_is_not_that_of_rest() -> None:
    server, source = Company(), signed()
    server.graphql = lambda ids: {"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}
    http = FakeHttp(server, API)
    assert (await read_all(source, http)).parts[0].error is None
    assert asked(http) == ["graphql", "statuses", "statuses", "statuses"]
    server.graphql = server.nodes
    await read_all(source, http)
    assert asked(http) == ["graphql"]


async def test_a_secondary_limit_is_obeyed_everywhere() -> None:
    server = Company()
    server.graphql = lambda ids: {"errors": [{"message": "You have exceeded a secondary rate limit."}]}
    http = FakeHttp(server, API)
    error = (await read_all(signed(), http)).parts[0].error
    assert isinstance(error, RateLimited)
    assert error.retry_after == 60
    assert asked(http) == ["graphql"]


async def test_what_graphql_leaves_out_rest_tells() -> None:
    server = Company()
    server.graphql = lambda ids: {"data": {"nodes": [server.node(23), None, {"id": "DE_21"}]}}
    http = FakeHttp(server, API)
    (part,) = (await read_all(signed(), http)).parts
    assert [item.state for item in part.items] == ["running", "failed", "inactive", "success"]
    assert asked(http) == ["graphql", "statuses", "statuses"]


# -- tokens ------------------------------------------------------------------------------------------------------------


class App:
    """GitHub, as it answers an App's installation token: void after an hour, and ETags with it."""

    def __init__(self) -> None:
        self.company = Company()
        self.company.repositories = [repository(f"r{number}") for number in range(4)]
        self.company.graphql_status = 404  # as a server may be that has no GraphQL
        self.environ = {"TOKEN": "first-token-of-the-app"}
        self.good = self.environ["TOKEN"]
        self.asked: list[tuple[int, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        answer = self.company(Call(method=request.method, url=str(request.url), body=request.content))
        tag = f'W/"{self.good}"'
        status, body = answer.status, answer.body
        if request.headers["authorization"] != f"Bearer {self.good}":
            status, body = 401, b'{"message":"Bad credentials"}'
        elif request.headers.get("if-none-match") == tag:
            status, body = 304, b""
        self.asked.append((status, request.url.path))
        return httpx.Response(status, content=body, headers={"etag": tag, "content-type": "application/json"})


async def test_a_token_that_ran_out_costs_one_request_and_no_storm() -> None:
    app, clock, cache = App(), FakeClock(), ValidatorCache()
    for row in app.company.deployments:
        app.company.statuses[row["id"]] = [{"state": "success", "created_at": "2026-01-02T02:55:00Z"}]
    source = make_source(GitHub, {"org": "acme", "token": "env:TOKEN"}, clock)
    client = mock(source, app, environ=app.environ, validators=cache)

    async def poll() -> list[Part]:
        app.asked.clear()
        snapshot = await source.poll(client.factory)
        for part in snapshot.parts:
            client.commit(part.validators)
        return list(snapshot.parts)

    def statuses() -> int:
        return sum(path.endswith("/statuses") for _, path in app.asked)

    assert not any(part.error for part in await poll())
    assert statuses() == 12
    for _ in range(2):
        clock.advance(60)
        await poll()
    assert {status for status, path in app.asked if not path.endswith("/releases")} == {304}
    clock.advance(60)
    app.good = app.environ["TOKEN"] = "second-token-of-the-app"
    assert all(isinstance(part.error, AuthError) for part in await poll())
    assert len(app.asked) == 1, "who asks on with a void token is locked out"
    assert not any(part.error for part in await poll())
    assert {status for status, _ in app.asked} == {200}, "the ETags of the first token are of no use"
    assert statuses() == 0, "how finished deployments went is known"
    await poll()
    assert {status for status, path in app.asked if not path.endswith("/releases")} == {304}


class Impatient(GitHub):
    patience = 0.01


async def test_a_repository_that_hangs_does_not_hold_up_the_others() -> None:
    """Not even where it is the first one, for whose answer they wait."""
    server, hung = Company(), asyncio.Event()

    async def vendor(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/repos/acme/hangs"):
            await hung.wait()
        answer = server(Call(method=request.method, url=str(request.url)))
        return httpx.Response(answer.status, content=answer.body, headers=answer.headers)

    source = make_source(Impatient, {"repos": ["acme/hangs", REPO], "kinds": ["ticket"]}, SystemClock())
    async with ClientPool(source.clock, transport=httpx.MockTransport(vendor), patience=0.01, salt=b"test") as pool:
        read = source.stream(pool.for_source(source).factory)
        assert (await anext(read)).scope == f"{REPO} tickets"
        hung.set()
        assert (await anext(read)).scope == "acme/hangs tickets"


async def test_a_refusal_of_one_repository_is_not_that_of_the_token() -> None:
    server = Company()

    def vendor(call: Call) -> Answer:
        return Answer(status=403) if call.path.startswith("/repos/acme/secret") else server(call)

    read = await parts(github(repos=["acme/secret", REPO], kinds=["build"]), vendor)
    assert isinstance(read["acme/secret builds"].error, AuthError)
    assert read[f"{REPO} builds"].error is None
