"""The past of Buildkite, Buildbot and Gitea, whose servers the tests of these sources have already."""

from __future__ import annotations

from typing import Any, ClassVar

from sources.buildbot import Buildbot
from sources.buildkite import Buildkite
from sources.gitea import Gitea
from statusboard.model import Build
from statusboard.testing import Answer, Call, HistoryContract
from tests.sources import test_buildbot, test_buildkite, test_gitea
from tests.sources.pasts import NOW, at, page, unix, within


class TestBuildkite(HistoryContract):
    source = Buildkite
    options: ClassVar = {"organization": "acme", "pipelines": ("checkout",)}
    expected = 240
    builds: ClassVar = [
        test_buildkite.build(
            1000 - n, created_at=at(3 * n + 1), started_at=at(3 * n + 0.9), finished_at=at(3 * n + 0.5)
        )
        for n in range(400)
    ]

    def vendor(self, call: Call) -> Answer:
        assert call.param("created_from") and call.param("exclude_jobs") == "true"
        low, high = call.param("created_from"), call.param("created_to")
        rows = [row for row in within(self.builds, "created_at", low) if not high or row["created_at"] < high]
        return Answer.of(page(rows, call))


class TestBuildbot(HistoryContract):
    source = Buildbot
    options: ClassVar = {"url": test_buildbot.URL}
    expected = 360
    builds: ClassVar = [
        test_buildbot.build(900 - n, results=n % 3, started_at=unix(2 * n + 1), complete_at=unix(2 * n + 0.5))
        for n in range(700)
    ]

    def vendor(self, call: Call) -> Answer:
        if call.path.endswith("/builders"):
            return Answer.of({"builders": [{"builderid": 1, "name": "unit", "tags": [], "masterids": [1]}]})
        if call.path.endswith("/buildrequests"):
            wanted = {int(number) for number in call.query["buildrequestid__in"]}
            found = [{"buildrequestid": number, "submitted_at": unix(2000)} for number in wanted]
            return Answer.of({"buildrequests": found})
        assert call.param("complete") == "true" and call.param("order") == "-buildid"
        before = int(call.param("buildid__lt") or 10**9)
        rows = [row for row in self.builds if row["buildid"] < before][: int(call.param("limit"))]
        return Answer.of({"builds": rows, "meta": {}})

    def test_new_builds_move_nothing(self) -> None:
        """A cursor is the number of a build: what comes in front meanwhile is on no page behind."""
        cursors = [page.older for pages in self.walk().pages.values() for page in pages]
        assert cursors[:2] == ["801", "701"]


class TestGitea(HistoryContract):
    source = Gitea
    options: ClassVar = {"url": test_gitea.URL, "repos": (test_gitea.REPO,)}
    expected = 180 + 60 + 90
    most = 50
    only_tasks = False
    runs: ClassVar = [
        test_gitea.run(900 - n, run_attempt=1, started_at=at(4 * n + 1), completed_at=at(4 * n + 0.5))
        for n in range(300)
    ]
    tasks: ClassVar = [
        test_gitea.task(900 - n, created_at=at(4 * n + 1), run_started_at=at(4 * n + 1), updated_at=at(4 * n + 0.5))
        for n in range(300)
    ]
    releases: ClassVar = [{"id": 500 - n, "tag_name": f"v{n}", "published_at": at(12 * n + 1)} for n in range(120)]
    issues: ClassVar = [
        test_gitea.issue(700 - n, state="closed", updated_at=at(8 * n + 1), closed_at=at(8 * n + 1)) for n in range(200)
    ]

    def vendor(self, call: Call) -> Answer:
        rows: list[dict[str, Any]]
        match call.path.removeprefix(f"/forge/api/v1/repos/{test_gitea.REPO}").strip("/"):
            case "":
                return Answer.of({"full_name": test_gitea.REPO, "default_branch": "main"})
            case "actions/runs" if not self.only_tasks:
                found = page(self.runs, call, size="limit", most=self.most)
                return Answer.of({"workflow_runs": found, "total_count": len(self.runs)})
            case "actions/tasks":
                found = page(self.tasks, call, size="limit", most=self.most)
                return Answer.of({"workflow_runs": found, "total_count": len(self.tasks)})
            case "releases":
                rows = self.releases
            case "issues":
                assert call.param("state") == "closed"
                rows = within(self.issues, "updated_at", call.param("since"))
            case _:
                return test_gitea.NOT_FOUND
        return Answer.of(page(rows, call, size="limit", most=self.most))


class TestGiteaWithFewerOnAPage(TestGitea):
    most = 30


class TestGiteaWithTasks(TestGitea):
    only_tasks = True

    def test_each_job_is_a_build(self) -> None:
        builds = [item for item in self.walk(days=1).items.values() if isinstance(item, Build)]
        assert builds and all("/task/" in build.key for build in builds)
        assert all(build.ended_at and build.ended_at <= NOW for build in builds)
