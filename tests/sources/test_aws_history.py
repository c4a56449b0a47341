"""AWS' past: changes of alarms, builds and executions by name, deployments by day."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from sources.aws import Aws
from statusboard.clock import FakeClock
from statusboard.errors import BadAnswer
from statusboard.model import Build, Incident, Release
from statusboard.source import Past, history_of, scopes_of
from statusboard.testing import Answer, Call, HistoryContract, make_source
from tests.sources.pasts import NOW, unix
from tests.sources.test_aws import ENVIRON, KEYS, alarm, build, client_of, deployment, error, execution

HOUR = timedelta(hours=1)


def change(name: str, hours: float, state: str, before: str = "", **more: Any) -> dict[str, Any]:
    """An alarm came to a state so many hours before now."""
    data = {
        "version": "1.0",
        "oldState": {"stateValue": before or ("ALARM" if state == "OK" else "OK"), "stateReason": "it was so"},
        "newState": {"stateValue": state, "stateReason": f"Threshold Crossed: {name}"},
    }
    return {
        "AlarmName": name,
        "AlarmType": "MetricAlarm",
        "Timestamp": unix(hours) + 0.442,
        "HistoryItemType": "StateUpdate",
        "HistorySummary": f"Alarm updated to {state}",
        "HistoryData": json.dumps(data),
        **more,
    }


def span(name: str, begin: float, end: float) -> list[dict[str, Any]]:
    return [change(name, end, "OK"), change(name, begin, "ALARM")]


class Server:
    """What the four services tell of the past, on pages as they are documented."""

    def __init__(self, *changes: dict[str, Any], size: int = 100, old: bool = False, **rows: Any) -> None:
        self.changes = sorted(changes, key=lambda row: -row["Timestamp"])
        self.alarms = [alarm("till-1"), alarm("till-2", "OK")]
        self.projects: dict[str, list[dict[str, Any]]] = rows.get("projects", {})
        self.pipelines: dict[str, list[dict[str, Any]]] = rows.get("pipelines", {})
        self.deployments: list[dict[str, Any]] = rows.get("deployments", [])
        self.asked: list[dict[str, Any]] = []
        self.size = size
        self.old = old

    def __call__(self, call: Call) -> Answer:
        operation = call.headers["x-amz-target"].rpartition(".")[2]
        body = json.loads(call.body)
        self.asked.append({"": operation, **body})
        answer = getattr(self, operation)(body)
        return answer if isinstance(answer, Answer) else Answer.of(answer)

    def page(self, rows: list[Any], token: object, most: int) -> tuple[list[Any], dict[str, str]]:
        start = int(str(token or 0))
        more = {"nextToken": str(start + most)} if start + most < len(rows) else {}
        return rows[start : start + most], more

    def DescribeAlarmHistory(self, body: dict[str, Any]) -> object:
        if self.old and "LogAlarm" in body["AlarmTypes"]:
            return error("ValidationException", "1 validation error detected: AlarmTypes ... must satisfy enum")
        assert (body["HistoryItemType"], body["ScanBy"]) == ("StateUpdate", "TimestampDescending")
        low, high = body.get("StartDate", 0), body["EndDate"]
        found = [row for row in self.changes if low <= row["Timestamp"] < high]
        found = [row for row in found if body.get("AlarmName", row["AlarmName"]) == row["AlarmName"]]
        some, more = self.page(found, body.get("NextToken"), min(body["MaxRecords"], 100))
        return {"AlarmHistoryItems": some, "NextToken": more.get("nextToken")}

    def DescribeAlarms(self, body: dict[str, Any]) -> object:
        assert len(body["AlarmNames"]) <= 100
        found = [row for row in self.alarms if row["AlarmName"] in body["AlarmNames"]]
        return {"MetricAlarms": found, "CompositeAlarms": []}

    def ListProjects(self, body: dict[str, Any]) -> object:
        return {"projects": sorted(self.projects)}

    def ListBuildsForProject(self, body: dict[str, Any]) -> object:
        assert "sortOrder" not in body
        if body["projectName"] not in self.projects:
            return error("ResourceNotFoundException", "no such project")
        ids = [row["id"] for row in self.projects[body["projectName"]]]
        some, more = self.page(ids, body.get("nextToken"), 100)
        return {"ids": some, **more}

    def BatchGetBuilds(self, body: dict[str, Any]) -> object:
        assert len(body["ids"]) <= 100
        return {"builds": [row for rows in self.projects.values() for row in rows if row["id"] in body["ids"]]}

    def ListPipelines(self, body: dict[str, Any]) -> object:
        return {"pipelines": [{"name": name, "version": 1} for name in self.pipelines]}

    def ListPipelineExecutions(self, body: dict[str, Any]) -> object:
        rows = self.pipelines.get(body["pipelineName"], [])
        some, more = self.page(rows, body.get("nextToken"), min(body["maxResults"], 100))
        return {"pipelineExecutionSummaries": some, **more}

    def ListDeployments(self, body: dict[str, Any]) -> object:
        low, high = body["createTimeRange"]["start"], body["createTimeRange"]["end"]
        found = [row["deploymentId"] for row in self.deployments if low <= row["createTime"] < high]
        some, more = self.page(sorted(found), body.get("nextToken"), self.size)  # in no order of time
        return {"deployments": some, **more}

    def BatchGetDeployments(self, body: dict[str, Any]) -> object:
        assert len(body["deploymentIds"]) <= 25
        return {"deploymentsInfo": [row for row in self.deployments if row["deploymentId"] in body["deploymentIds"]]}


REGION: dict[str, Any] = {"region": "eu-west-1", **KEYS}


class AwsPast(HistoryContract):
    source = Aws
    server: ClassVar[Server]

    def vendor(self, call: Call) -> Answer:
        return self.server(call)


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("botocore", reason="comes with the extra aws")
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)


class TestAlarms(AwsPast):
    options: ClassVar = {"apis": ["cloudwatch"], **REGION}
    expected = 240
    server = Server(*[row for n in range(400) for row in span(f"till-{n}", 3 * n + 2, 3 * n + 1)], old=True)


PROJECTS = {
    "checkout": [build(900 - n, startTime=unix(3 * n + 2), endTime=unix(3 * n + 1)) for n in range(500)],
    "empty": [],
    "ledger": [
        build(90 - n, "FAILED", "ledger", startTime=unix(12 * n + 2), endTime=unix(12 * n + 1)) for n in range(90)
    ],
}


class TestBuilds(AwsPast):
    options: ClassVar = {"apis": ["codebuild"], **REGION}
    expected = 240 + 60
    server = Server(projects=PROJECTS)


class TestExecutions(AwsPast):
    options: ClassVar = {"apis": ["codepipeline"], "pipelines": ["shop-*"], **REGION}
    expected = 240 + 120
    server = Server(
        pipelines={
            "shop-b": [execution(n, startTime=unix(3 * n + 2), lastUpdateTime=unix(3 * n + 1)) for n in range(420)],
            "shop-a/ä": [execution(n, startTime=unix(6 * n + 2), lastUpdateTime=unix(6 * n + 1)) for n in range(130)],
            "other": [execution(1, startTime=unix(2), lastUpdateTime=unix(1))],
        }
    )


class TestDeployments(AwsPast):
    options: ClassVar = {"apis": ["codedeploy"], "applications": ["checkout"], **REGION}
    expected = 320
    server = Server(
        size=10,
        deployments=[
            deployment(
                700 - n,
                createTime=unix(1.5 * n + 1),
                completeTime=unix(1.5 * n + 0.5),
                applicationName="other" if n % 3 == 2 else "checkout",
            )
            for n in range(600)
        ],
    )


# -- how it went -----------------------------------------------------------------------------------------------------


async def pages_of(server: Any, api: str, days: float = 30, cursor: str = "", **options: Any) -> list[Past]:
    """The pages of the only scope back to the horizon, or from a cursor on."""
    source = make_source(Aws, {"apis": [api], **REGION, **options}, FakeClock(NOW))
    http = client_of(source, server).factory("")
    (scope,) = await scopes_of(source, http)
    pages: list[Past] = []
    while not pages or (pages[-1].older and len(pages) < 100):
        cursor = pages[-1].older if pages else cursor
        pages.append(await history_of(source, scope, http, since=NOW - timedelta(days=days), cursor=cursor))
    return pages


async def incidents_of(*changes: dict[str, Any], **options: Any) -> list[Incident]:
    found = [item for page in await pages_of(Server(*changes), "cloudwatch", **options) for item in page.items]
    return [item for item in found if isinstance(item, Incident)]


def times(incident: Incident) -> tuple[float, float]:
    """How many hours before now it began and ended."""
    assert incident.started_at and incident.ended_at
    return round((NOW - incident.started_at) / HOUR, 2), round((NOW - incident.ended_at) / HOUR, 2)


async def test_an_alarm_that_is_over_is_told_with_what_it_is_about() -> None:
    (found,) = await incidents_of(*span("till-1", 5, 3))
    assert (found.key, found.state, found.raw_state) == ("aws:incident:eu-west-1/cloudwatch/till-1", "resolved", "OK")
    assert found.started_at == NOW - 5 * HOUR + timedelta(seconds=0.442), "as the poll tells of it"
    assert found.ended_at == found.updated_at == NOW - 3 * HOUR + timedelta(seconds=0.442)
    assert (found.title, found.reason) == ("till-1", "Threshold Crossed: till-1")
    assert found.labels["metric"] == "TargetResponseTime"
    assert (found.description, found.suppressed_by) == ("The till is slow.", "")


async def test_an_alarm_that_was_deleted_is_told_by_its_name() -> None:
    (found,) = await incidents_of(*span("gone", 5, 3))
    assert (found.title, found.labels, found.state) == ("gone", {}, "resolved")


async def test_each_time_is_an_episode_and_one_that_goes_on_is_left_to_the_polls() -> None:
    found = await incidents_of(*span("till-1", 9, 8), *span("till-1", 5, 3), change("till-1", 1, "ALARM"))
    assert [times(one) for one in found] == [(5, 3), (9, 8)]


INSUFFICIENT = "INSUFFICIENT_DATA"


@pytest.mark.parametrize(
    ("changes", "no_data", "told"),
    [
        ([(9, "ALARM", "OK"), (7, INSUFFICIENT, "ALARM"), (5, "OK", INSUFFICIENT)], "unknown", [(9, 5)]),
        ([(9, "ALARM", "OK"), (7, INSUFFICIENT, "ALARM"), (6, "ALARM", INSUFFICIENT), (5, "OK", "ALARM")], "unknown",
         [(9, 5)]),
        ([(9, INSUFFICIENT, "OK"), (7, "ALARM", INSUFFICIENT), (5, "OK", "ALARM")], "pending", [(7, 5)]),
        ([(9, INSUFFICIENT, "OK"), (7, "ALARM", INSUFFICIENT), (5, "OK", "ALARM")], "open", [(9, 5)]),
        ([(9, INSUFFICIENT, "OK"), (5, "OK", INSUFFICIENT)], "unknown", []),
        ([(9, INSUFFICIENT, "OK"), (5, "OK", INSUFFICIENT)], "open", [(9, 5)]),
        ([(9, "NEXT_YEARS_WORD", "OK"), (5, "OK", "NEXT_YEARS_WORD")], "unknown", []),
        ([(9, "alarm", "ok"), (5, "ok", "alarm")], "unknown", [(9, 5)]),
        ([(5, "OK", "ALARM")], "unknown", []),  # when it began is forgotten
        ([(5, "OK", INSUFFICIENT)], "unknown", []),
    ],
)  # fmt: skip
async def test_what_lies_between_alarm_and_ok(
    changes: list[tuple[float, str, str]], no_data: str, told: list[tuple[float, float]]
) -> None:
    rows = [change("till-1", hours, state, before) for hours, state, before in changes]
    assert [times(one) for one in await incidents_of(*rows, no_data=no_data)] == told


async def test_only_alarms_that_are_asked_for() -> None:
    found = await incidents_of(*span("till-1", 5, 3), *span("disk", 4, 2), alarms=["ti", "x"])
    assert [one.title for one in found] == ["till-1"]


async def test_what_began_on_a_page_before_is_looked_for() -> None:
    """Also where that is behind the horizon; and what was told by one page is not told by the next."""
    noise = [row for n in range(60) for row in span(f"noise-{n}", 24 + n / 60, 24 + n / 60 - 0.001)]
    slow = [change("till-1", 80, "ALARM"), change("till-1", 60, INSUFFICIENT, "ALARM")]
    server = Server(change("till-1", 1, "OK", INSUFFICIENT), *noise, *slow)
    pages = await pages_of(server, "cloudwatch", days=2)
    found = [item for page in pages for item in page.items if item.title == "till-1"]
    assert len(pages) == 2 and len(found) == 1 and isinstance(found[0], Incident)
    assert times(found[0]) == (80, 1)
    assert [body.get("AlarmName") for body in server.asked if body[""] == "DescribeAlarmHistory"].count("till-1") == 1


async def test_more_changes_of_one_second_than_a_page_holds() -> None:
    storm = [change(f"till-{n}", hours, state) for n in range(230) for hours, state in ((5, "ALARM"), (3, "OK"))]
    found = await incidents_of(*storm)
    assert {one.title for one in found} == {f"till-{n}" for n in range(230)}
    assert {times(one) for one in found} == {(5, 3)}


@pytest.mark.parametrize("data", [None, "", "no JSON", "[]", "{}", '{"newState": {}}'])
async def test_a_change_that_cannot_be_read_is_said(data: str | None) -> None:
    odd = change("odd", 4, "ALARM", HistoryData=data)
    (page,) = await pages_of(Server(*span("till-1", 5, 3), odd), "cloudwatch")
    assert [item.title for item in page.items] == ["till-1"]
    assert isinstance(page.error, BadAnswer) and "change of an alarm" in str(page.error)


async def test_projects_are_read_one_after_another_and_no_further_than_is_wanted() -> None:
    server = Server(projects=PROJECTS)
    pages = await pages_of(server, "codebuild")
    assert [page.older for page in pages] == ["checkout 100", "checkout 200", "empty", "ledger", ""]
    assert [page.share for page in pages] == sorted(page.share for page in pages)
    assert [page.reached for page in pages] == [None] * 4 + [NOW - timedelta(days=30)]
    assert [body[""] for body in server.asked].count("BatchGetBuilds") == 4
    first = pages[4].items[0]
    assert isinstance(first, Build) and (first.state, first.pipeline, first.run_number) == ("failed", "ledger", 90)


async def test_a_cursor_leads_on_though_its_project_is_gone() -> None:
    """And so does one whose project is gone since the names were asked for."""
    pages = await pages_of(Server(projects=PROJECTS), "codebuild", cursor="dropped 300")
    assert [page.older for page in pages] == ["ledger", ""]
    server = Server(projects={"a": [build(1, project="a", startTime=unix(2), endTime=unix(1))], "b": []})

    def gone(call: Call) -> Answer:
        if json.loads(call.body).get("projectName") == "b":
            return error("ResourceNotFoundException", "Project cannot be found")
        return server(call)

    pages = await pages_of(gone, "codebuild")
    assert [page.older for page in pages] == ["b", ""] and len(pages[0].items) == 1


async def test_a_token_that_is_none_is_no_cursor() -> None:
    class Odd(Server):
        def ListPipelineExecutions(self, body: dict[str, Any]) -> object:
            return {"pipelineExecutionSummaries": [execution(1)], "nextToken": "x" * 3_000}

    with pytest.raises(BadAnswer, match="the token of the next page is none"):
        await pages_of(Odd(pipelines={"shop": []}), "codepipeline")


async def test_why_executions_failed_is_not_asked_for() -> None:
    server = Server(pipelines={"shop": [execution(1, "Failed", startTime=unix(2), lastUpdateTime=unix(1))]})
    (page,) = await pages_of(server, "codepipeline")
    (item,) = page.items
    assert isinstance(item, Build) and (item.state, item.reason) == ("failed", "")
    assert [body[""] for body in server.asked] == ["ListPipelines", "ListPipelineExecutions"]


async def test_deployments_are_read_day_by_day() -> None:
    rows = [deployment(n, createTime=unix(10 * n), completeTime=unix(10 * n - 1)) for n in range(1, 6)]
    pages = await pages_of(Server(size=3, deployments=rows), "codedeploy", days=2.5)
    assert [page.older for page in pages] == ["2026-02-28T00:00:00Z", "2026-02-27T00:00:00Z", ""]
    assert [page.reached for page in pages] == [NOW - timedelta(days=days) for days in (1, 2, 2.5)]
    found = [item for page in pages for item in page.items]
    assert [item.key.rpartition("-")[2] for item in found] == ["1", "2", "3", "4", "5"]
    assert all(isinstance(item, Release) and item.state == "success" for item in found)


async def test_a_busy_day_has_several_pages() -> None:
    rows = [deployment(n, createTime=unix(n), completeTime=unix(n - 0.5)) for n in range(1, 6)]
    pages = await pages_of(Server(size=2, deployments=rows), "codedeploy", days=1)
    assert [page.older for page in pages] == ["2026-03-01T00:00:00Z 2", "2026-03-01T00:00:00Z 4", ""]
    assert [page.reached for page in pages] == [None, None, NOW - timedelta(days=1)]
