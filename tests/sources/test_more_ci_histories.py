"""The past of CircleCI and Azure DevOps."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import msgspec

from sources.azure_devops import AzureDevOps
from sources.circleci import CircleCI
from statusboard.testing import Answer, Call, HistoryContract
from tests.sources import test_azure_devops as azure
from tests.sources import test_circleci as circle
from tests.sources.pasts import at, within


class TestCircleCI(HistoryContract):
    source = CircleCI
    options: ClassVar = {"projects": (circle.SLUG,)}
    expected = 120
    pipelines: ClassVar = [
        circle.pipeline(500 - n, created_at=at(6 * n + 1), updated_at=at(6 * n + 1)) for n in range(200)
    ]

    def vendor(self, call: Call) -> Answer:
        if call.path == f"/api/v2/project/{circle.SLUG}":
            return Answer.of({"slug": circle.SLUG, "vcs_info": {"provider": "GitHub", "default_branch": "main"}})
        if found := re.fullmatch(r"/api/v2/pipeline/0*(\d+)-.*/workflow", call.path):
            number = int(found[1])
            began = 6 * (500 - number) + 1
            rows = [circle.workflow(number, created_at=at(began), stopped_at=at(began - 0.5))]
            return Answer.of({"items": rows, "next_page_token": None})
        first = int(call.param("page-token", "0") or 0)
        some = self.pipelines[first : first + 20]
        more = str(first + 20) if first + 20 < len(self.pipelines) else None
        return Answer.of({"items": some, "next_page_token": more})


class TestAzureDevOps(HistoryContract):
    source = AzureDevOps
    options: ClassVar = {"projects": ("Shop",), "organization": "acme", "environments": ("shop-*",)}
    expected = 360 + 120 + 2 * 60 + 90
    builds: ClassVar = [
        azure.run(2000 - n, queueTime=at(2 * n + 1), startTime=at(2 * n + 0.9), finishTime=at(2 * n + 0.5))
        for n in range(600)
    ]
    deployments: ClassVar = [
        azure.deployment(900 - n, "succeeded", "Approved", startedOn=at(6 * n + 1), completedOn=at(6 * n + 0.5))
        for n in range(250)
    ]
    records: ClassVar = [
        azure.record(700 - n, queueTime=at(12 * n + 1), startTime=at(12 * n + 1), finishTime=at(12 * n + 0.5))
        for n in range(150)
    ]
    items: ClassVar = [
        azure.item(
            3000 - n,
            "Closed",
            **{"System.ChangedDate": at(8 * n + 1), "Microsoft.VSTS.Common.ClosedDate": at(8 * n + 1)},
        )
        for n in range(400)
    ]

    def vendor(self, call: Call) -> Answer:
        rows: list[dict[str, Any]]
        match call.path.partition("/_apis/")[2].split("/"):
            case ["build", "builds"]:
                assert call.param("statusFilter") == "completed"
                rows = within(self.builds, "queueTime", call.param("minTime"), call.param("maxTime"))
                return Answer.of({"value": rows[: int(call.param("$top"))]})
            case ["build", "definitions"]:
                return Answer.of({"value": [{"id": 7, "repository": {"defaultBranch": "refs/heads/main"}}]})
            case ["release", "deployments"]:
                assert "vsrm" in call.url
                return self.tokens(within(self.deployments, "startedOn", call.param("minStartedTime")), call)
            case ["distributedtask", "environments"]:
                return Answer.of({"value": [{"id": 3, "name": "shop-prod"}, {"id": 4, "name": "shop-test"}]})
            case ["distributedtask", "environments", _, "environmentdeploymentrecords"]:
                return self.tokens(self.records, call)
            case ["wit", "workitemtypes"]:
                return Answer.of(
                    {"value": [{"name": "Bug", "states": azure.states(New="Proposed", Closed="Completed")}]}
                )
            case ["wit", "wiql"]:
                query = msgspec.json.decode(call.body)["query"]
                assert "[System.State] IN ('Closed')" in query and call.param("timePrecision") == "true"
                low, high = (re.search(rf"ChangedDate\] {sign} '([^']+)'", query) for sign in (">=", "<="))
                assert low is not None
                found = [
                    {"id": row["id"]}
                    for row in self.items
                    if low[1] <= row["fields"]["System.ChangedDate"] <= (high[1] if high else "9999")
                ]
                return Answer.of({"workItems": found[: int(call.param("$top"))]})
            case _:
                ids = msgspec.json.decode(call.body)["ids"]
                assert len(ids) <= 200
                return Answer.of({"value": [row for row in self.items if row["id"] in ids]})

    @staticmethod
    def tokens(rows: list[dict[str, Any]], call: Call) -> Answer:
        """Newest first, from the id that the token names on."""
        token = int(call.param("continuationToken") or 10**9)
        rows = [row for row in rows if row["id"] <= token]
        some, rest = rows[:100], rows[100:]
        if not rest:
            return Answer.of({"value": some})
        return Answer.of({"value": some}, x_ms_continuationtoken=str(rest[0]["id"]))
