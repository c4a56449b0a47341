"""GitLab's past: pipelines, deployments, releases, closed issues and incidents, resolved alerts."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import unquote

import msgspec

from sources.gitlab import GitLab
from statusboard.model import Build, Incident
from statusboard.testing import Answer, Call, HistoryContract
from tests.sources.pasts import NOW, at, page, within
from tests.sources.test_gitlab import DETAILS, REPO, URL, alert, deployment, incident, issue, pipeline


def without_details(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in DETAILS}


ROWS: dict[str, list[dict[str, Any]]] = {
    "pipelines": [
        without_details(pipeline(9_000 - n, created_at=at(3 * n + 1), updated_at=at(3 * n + 0.5)))
        for n in range(500)
    ],
    "deployments": [
        deployment(
            5_000 - n,
            created_at=at(9 * n + 2),
            updated_at=at(9 * n + 1),
            deployable={"name": "deploy", "tag": True, "started_at": at(9 * n + 2), "finished_at": at(9 * n + 1)},
        )
        for n in range(250)
    ],
    "releases": [{"tag_name": f"v{300 - n}", "released_at": at(12 * n + 1)} for n in range(220)],
    "issues": [
        (incident if n % 2 else issue)(
            900 - n, state="closed", created_at=at(6 * n + 9), updated_at=at(6 * n + 2), closed_at=at(6 * n + 2)
        )
        for n in range(400)
    ],
    "alerts": [alert(700 - n, "RESOLVED", startedAt=at(8 * n + 4), endedAt=at(8 * n + 3)) for n in range(200)],
}  # fmt: skip


class Server:
    """GitLab's lists, newest first, a hundred rows on a page at most."""

    def __call__(self, call: Call) -> Answer:
        if call.path.endswith("/graphql"):
            return self.graphql(call)
        match unquote(call.path).removeprefix("/git/api/v4/projects/acme/checkout").strip("/"):
            case "":
                return Answer.of({"path_with_namespace": REPO, "default_branch": "main", "web_url": f"{URL}/{REPO}"})
            case "environments":
                return Answer.of([{"id": 9, "name": "production", "tier": "production"}])
            case "pipelines":
                assert call.param("order_by") == "id", "by updated_at GitLab times out"
                rows = within(ROWS["pipelines"], "updated_at", call.param("updated_after"))
            case "deployments":
                rows = ROWS["deployments"]
            case "releases":
                rows = ROWS["releases"]
            case "issues":
                assert call.param("state") == "closed"
                rows = within(ROWS["issues"], "updated_at", call.param("updated_after"))
                if kind := call.param("issue_type"):
                    rows = [row for row in rows if row["issue_type"] == kind]
            case _:
                return Answer.of({"message": "404"}, 404)
        return Answer.of(page(rows, call))

    @staticmethod
    def graphql(call: Call) -> Answer:
        request = msgspec.json.decode(call.body)
        assert "statuses: [RESOLVED]" in request["query"] and "STARTED_AT_DESC" in request["query"]
        first = int(request["variables"]["after"] or 0)
        some = ROWS["alerts"][first : first + 50]
        info = {"hasNextPage": first + 50 < len(ROWS["alerts"]), "endCursor": str(first + 50)}
        found = {"nodes": some, "pageInfo": info}
        project = {"userPermissions": {"pushCode": True}, "alertManagementAlerts": found}
        return Answer.of({"data": {"project": project}})


class GitLabPast(HistoryContract):
    source = GitLab

    def vendor(self, call: Call) -> Answer:
        return Server()(call)


class TestBuilds(GitLabPast):
    options: ClassVar = {"url": URL, "projects": (REPO,), "kinds": ("build",)}
    expected = 240

    def test_times_are_those_that_the_list_has(self) -> None:
        item = self.walk(days=1).items[f"gitlab:build:{REPO}/-/pipelines/9000"]
        assert isinstance(item, Build) and item.approximate
        assert (f"{item.started_at:%H:%M}", f"{item.ended_at:%H:%M}") == ("23:00", "23:30")


class TestReleases(GitLabPast):
    options: ClassVar = {"url": URL, "projects": (REPO,), "kinds": ("release",), "token": "env:HOME"}
    expected = 80 + 60

    def test_without_a_token_there_are_no_deployments(self) -> None:
        class Anonymous(TestReleases):
            options: ClassVar = {"url": URL, "projects": (REPO,), "kinds": ("release",)}

        walk = Anonymous().walk()
        assert walk.unsupported == {f"{REPO} deployments": "GitLab tells of deployments only with a token"}


class TestTickets(GitLabPast):
    options: ClassVar = {"url": URL, "projects": (REPO,), "kinds": ("ticket",)}
    expected = 120  # incidents are tickets where they are nothing else


class TestIncidents(GitLabPast):
    options: ClassVar = {"url": URL, "projects": (REPO,), "kinds": ("incident",), "alerts": True, "token": "env:HOME"}
    expected = 60 + 90

    def test_how_they_went(self) -> None:
        items = self.walk(days=2).items
        over = items[f"gitlab:incident:{REPO}/-/alerts/700"]
        assert isinstance(over, Incident) and over.state == "resolved" and over.ended_at is not None
        assert over.ended_at < NOW
