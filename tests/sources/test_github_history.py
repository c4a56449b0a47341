"""GitHub's past: runs by when they were made, deployments with how they went, releases, closed issues."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

import msgspec

from sources.github import GitHub
from statusboard.clock import parse_time
from statusboard.model import Release
from statusboard.testing import Answer, Call, HistoryContract
from statusboard.testing._history_contract import NOW
from tests.sources.test_github import REPO, deployment, run


def at(hours: float) -> str:
    return f"{NOW - timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"


RUNS = [
    run(10_000 - n, created_at=at(2 * n + 1), run_started_at=at(2 * n + 1), updated_at=at(2 * n + 0.5))
    for n in range(600)
]
DEPLOYMENTS = [
    deployment(5_000 - n, created_at=at(8 * n + 1), node_id=f"D{5_000 - n}", task="deploy") for n in range(250)
]
RELEASES = [
    {"id": 900 - n, "tag_name": f"v{900 - n}", "draft": False, "published_at": at(24 * n + 3)} for n in range(120)
]
ISSUES: list[dict[str, Any]] = [
    {
        "number": 700 - n,
        "title": "Broken",
        "state": "closed",
        "created_at": at(12 * n + 9),
        "updated_at": at(12 * n + 3),
        "closed_at": at(12 * n + 3),
        "repository_url": f"https://api.github.com/repos/{REPO}",
    }
    for n in range(150)
]


def statuses(row: dict[str, Any]) -> list[dict[str, Any]]:
    """A deployment succeeds in ten minutes; the next one makes it inactive."""
    created = parse_time(row["created_at"])
    assert created is not None
    done = f"{created + timedelta(minutes=10):%Y-%m-%dT%H:%M:%SZ}"
    found = [{"state": "success", "created_at": done}, {"state": "in_progress", "created_at": row["created_at"]}]
    if row["id"] < 5_000:
        found.insert(0, {"state": "inactive", "created_at": f"{created + timedelta(hours=8):%Y-%m-%dT%H:%M:%SZ}"})
    return found


def within(rows: list[dict[str, Any]], field: str, span: str) -> list[dict[str, Any]]:
    """GitHub's range syntax: ``>=A`` or ``A..B``."""
    low, _, high = span.removeprefix(">=").partition("..")
    return [row for row in rows if low <= str(row[field]) <= (high or "9999")]


class Server:
    """GitHub's lists of the past: filtered by ``created``, ``since`` and ``updated``, a hundred rows on a page."""

    graphql = True

    def __call__(self, call: Call) -> Answer:
        match call.path.split("/")[4:] if call.path.startswith("/repos/") else call.path:
            case ["actions", "runs"]:
                assert call.param("created"), "without it the list goes back for ever"
                return Answer.of({"workflow_runs": self.page(within(RUNS, "created_at", call.param("created")), call)})
            case ["deployments"]:
                return Answer.of(self.page(DEPLOYMENTS, call))
            case ["deployments", number, "statuses"]:
                return Answer.of(statuses(next(row for row in DEPLOYMENTS if str(row["id"]) == number)))
            case ["releases"]:
                return Answer.of(self.page(RELEASES, call))
            case ["issues"]:
                assert call.param("state") == "closed"
                return Answer.of(self.page([r for r in ISSUES if str(r["updated_at"]) >= call.param("since")], call))
            case "/search/issues":
                words = call.param("q").split()
                assert "is:closed" in words
                span = next(word for word in words if word.startswith("updated:")).removeprefix("updated:")
                found = self.page(within(ISSUES, "updated_at", span), call)
                return Answer.of({"items": found, "incomplete_results": False})
            case "/graphql":
                ids = msgspec.json.decode(call.body)["variables"]["ids"]
                if not self.graphql:
                    return Answer.of({"message": "no"}, 403)
                rows = [row for row in DEPLOYMENTS if row["node_id"] in ids]
                nodes = [
                    {"id": row["node_id"], "statuses": {"nodes": [self.node(s) for s in statuses(row)]}} for row in rows
                ]
                return Answer.of({"data": {"nodes": nodes}})
            case _:
                return Answer.of({"full_name": REPO, "default_branch": "main"})

    @staticmethod
    def node(status: dict[str, Any]) -> dict[str, Any]:
        return {"state": status["state"].upper(), "createdAt": status["created_at"]}

    @staticmethod
    def page(rows: list[dict[str, Any]], call: Call) -> list[dict[str, Any]]:
        size, page = int(call.param("per_page", "30")), int(call.param("page", "1"))
        assert size * page <= 1_000, "GitHub gives the first thousand only"
        return rows[size * (page - 1) : size * page]


class TestBuilds(HistoryContract):
    source = GitHub
    options: ClassVar = {"repos": (REPO,), "kinds": ("build",)}
    expected = 360

    def vendor(self, call: Call) -> Answer:
        return Server()(call)


class TestReleases(HistoryContract):
    source = GitHub
    options: ClassVar = {"repos": (REPO,), "kinds": ("release",), "token": "env:HOME"}
    expected = 90 + 30

    def vendor(self, call: Call) -> Answer:
        return Server()(call)

    def test_when_it_was_deployed_is_told_of_what_another_has_replaced(self) -> None:
        releases = {key: item for key, item in self.walk(days=4).items.items() if isinstance(item, Release)}
        old = releases[f"github:release:{REPO}/deployment/4990"]
        created = parse_time(DEPLOYMENTS[10]["created_at"])
        assert created is not None and old.state == "inactive"
        assert (old.started_at, old.ended_at) == (created, created + timedelta(minutes=10))
        assert old.previous_version == "v4989" and old.version == "v4990"

    def test_without_graphql_each_is_asked_for(self) -> None:
        server = Server()
        server.graphql = False
        walk = self.walk(server, days=4)
        assert f"github:release:{REPO}/deployment/4990" in walk.items
        assert sum(call.path.endswith("/statuses") for call in walk.calls) in (30, 100)


class TestReleasesWithCommits(HistoryContract):
    """Also where a page ends it is known what a deployment replaced, once the next one is read."""

    source = GitHub
    options: ClassVar = {**TestReleases.options, "commits": True}
    expected = 90 + 30
    shas: ClassVar = {row["id"]: f"{row['id']:040x}" for row in DEPLOYMENTS}

    def vendor(self, call: Call) -> Answer:
        if "/compare/" in call.path:
            newer = int(call.path.rpartition("...")[2], 16)
            date = DEPLOYMENTS[5_000 - newer]["created_at"]
            return Answer.of({"total_commits": 1, "commits": [{"commit": {"committer": {"date": date}}}]})
        answer = Server()(call)
        if call.path.endswith("/deployments"):
            rows = [{**row, "sha": self.shas[row["id"]]} for row in msgspec.json.decode(answer.body)]
            return Answer.of(rows)
        return answer

    def test_when_commits_were_made(self) -> None:
        releases = [item for item in self.walk(days=60).items.values() if isinstance(item, Release)]
        deployed = [item for item in releases if item.type == "deployment"]
        assert len(deployed) > 150
        assert sum(item.committed_at is None for item in deployed) == 1  # the last one of the last page
        assert sum(not item.previous_version for item in deployed) == 1
        assert all(item.committed_at == item.started_at for item in deployed if item.committed_at)


class TestTickets(HistoryContract):
    source = GitHub
    options: ClassVar = {"repos": (REPO,), "kinds": ("ticket",)}
    expected = 60

    def vendor(self, call: Call) -> Answer:
        return Server()(call)


class TestSearches(HistoryContract):
    source = GitHub
    options: ClassVar = {"repos": (REPO,), "kinds": ("ticket",), "query": "label:incident"}
    expected = 60

    def vendor(self, call: Call) -> Answer:
        return Server()(call)


def test_many_runs_of_one_second_are_all_read() -> None:
    same = [run(20_000 - n, created_at=at(5), updated_at=at(4)) for n in range(250)]

    class Busy(TestBuilds):
        def vendor(self, call: Call) -> Answer:
            if call.path.endswith("/actions/runs"):
                rows = within([*same, *RUNS[10:]], "created_at", call.param("created"))
                return Answer.of({"workflow_runs": Server.page(rows, call)})
            return Server()(call)

    assert len([key for key in Busy().walk(days=2).items if "/run/19" in key or "/run/20" in key]) == 250


def test_the_newest_name_of_a_workflow_counts() -> None:
    rows = [*RUNS[:150]]
    rows[140:] = [{**row, "name": "Old name"} for row in rows[140:]]

    class Renamed(TestBuilds):
        def vendor(self, call: Call) -> Answer:
            if call.path.endswith("/actions/runs"):
                return Answer.of(
                    {"workflow_runs": Server.page(within(rows, "created_at", call.param("created")), call)}
                )
            return Server()(call)

    assert {item.pipeline for item in Renamed().walk().items.values()} == {"CI"}  # type: ignore[union-attr]


def test_times_are_in_utc() -> None:
    assert datetime.fromisoformat(at(0)) == NOW
