"""AWS: alarms, builds, pipelines, deployments; signatures, credentials, errors."""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import httpx
import msgspec
import pytest

from sources import _aws_auth
from sources._aws_asking import MOST
from sources.aws import Aws
from statusboard.client import SourceClient, mock
from statusboard.clock import FakeClock
from statusboard.errors import AuthError, BadAnswer, NotFound, RateLimited, Refused, SourceError, TooLarge
from statusboard.model import Build, Incident, Part, Release
from statusboard.source import Source
from statusboard.testing import Answer, Call, SourceContract, make_source

pytest.importorskip("botocore", reason="comes with the extra aws")

KEY_ID, SECRET, SESSION = "AKIDEXAMPLE0123", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session-token-0123456789"
ENVIRON = {"AWS_TEST_ID": KEY_ID, "AWS_TEST_SECRET": SECRET, "AWS_TEST_SESSION": SESSION}
KEYS = {"username": "env:AWS_TEST_ID", "password": "env:AWS_TEST_SECRET"}
ARN = "arn:aws:{}:eu-west-1:123456789012:{}"
#: 2026-01-02 02:00, 02:10 and 02:20.
T1, T2, T3 = 1767319200.0, 1767319800.123, 1767320400.5


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def alarm(name: str, state: str = "ALARM", **more: Any) -> dict[str, Any]:
    return {
        "AlarmName": name,
        "AlarmArn": ARN.format("cloudwatch", f"alarm:{name}"),
        "AlarmDescription": "The till is slow.",
        "ActionsEnabled": True,
        "StateValue": state,
        "StateReason": "Threshold Crossed: 1 datapoint [612.5 (02/01/26 02:05:00)] was greater than 500.0.",
        "StateTransitionedTimestamp": T2,
        "Namespace": "AWS/ApplicationELB",
        "MetricName": "TargetResponseTime",
        "Dimensions": [{"Name": "LoadBalancer", "Value": "app/till/1"}],
        **more,
    }


def composite(name: str, **more: Any) -> dict[str, Any]:
    row = alarm(name)
    for field in ("Namespace", "MetricName", "Dimensions"):
        del row[field]
    return {**row, "AlarmRule": "ALARM(a) AND ALARM(b)", **more}


def build(number: int, status: str = "SUCCEEDED", project: str = "checkout", **more: Any) -> dict[str, Any]:
    over = {"endTime": T3, "buildComplete": True} if status != "IN_PROGRESS" else {"buildComplete": False}
    return {
        "id": f"{project}:uuid-{number}",
        "arn": ARN.format("codebuild", f"build/{project}:uuid-{number}"),
        "buildNumber": number,
        "startTime": T1,
        **over,
        "currentPhase": "COMPLETED",
        "buildStatus": status,
        "sourceVersion": "refs/heads/main^{" + "a" * 40 + "}",
        "resolvedSourceVersion": "a" * 40,
        "projectName": project,
        "phases": [
            {"phaseType": "INSTALL", "phaseStatus": "SUCCEEDED"},
            {"phaseType": "BUILD", "phaseStatus": status, "contexts": [{"message": "make: exit 2"}]},
            {"phaseType": "COMPLETED"},
        ],
        "source": {"type": "GITHUB", "location": "https://github.com/acme/checkout.git"},
        "logs": {"deepLink": "https://console.aws.amazon.com/cloudwatch/log"},
        "initiator": "ann",
        **more,
    }


def execution(number: int, status: str = "Succeeded", **more: Any) -> dict[str, Any]:
    return {
        "pipelineExecutionId": f"exec-{number}",
        "status": status,
        "startTime": T1,
        "lastUpdateTime": T3,
        "sourceRevisions": [
            {"revisionId": "b" * 40, "revisionSummary": "Fix the till",
             "revisionUrl": "https://github.com/acme/checkout/commit/b"}
        ],
        "trigger": {"triggerType": "StartPipelineExecution", "triggerDetail": "arn:aws:iam::123456789012:user/ann"},
        **more,
    }  # fmt: skip


def action(status: str, category: str = "Deploy", **result: Any) -> dict[str, Any]:
    return {
        "stageName": "Production",
        "actionName": "deploy",
        "status": status,
        "input": {"actionTypeId": {"category": category}},
        "output": {"executionResult": result},
    }


def deployment(number: int, status: str = "Succeeded", **more: Any) -> dict[str, Any]:
    over = {"completeTime": T2} if status in ("Succeeded", "Failed", "Stopped") else {}
    return {
        "deploymentId": f"d-{number}",
        "applicationName": "checkout",
        "deploymentGroupName": "checkout-prod",
        "status": status,
        "createTime": T1,
        **over,
        "creator": "user",
        "description": "by hand",
        "revision": {"gitHubLocation": {"repository": "acme/checkout", "commitId": "c" * 40}},
        "previousRevision": {"s3Location": {"key": "app/checkout-1.4.1.zip"}},
        "computePlatform": "Server",
        **more,
    }


class Server:
    """The parts of the four services that the source asks for."""

    def __init__(self) -> None:
        self.alarms = [alarm("till-latency"), alarm("disk", "INSUFFICIENT_DATA"), alarm("fine", "OK")]
        self.composites = [composite("till-down", ActionsSuppressedBy="Alarm", ActionsSuppressedReason="deploy-window")]
        self.logs: list[dict[str, Any]] | None = None
        self.builds = [build(3, "IN_PROGRESS", currentPhase="QUEUED"), build(2, "FAILED"), build(1)]
        self.pipelines = {
            "checkout": [execution(3, "InProgress"), execution(2, "Failed"), execution(1)],
        }
        self.actions = {
            "exec-3": [action("InProgress", "Approval")],
            "exec-2": [
                action("Failed", externalExecutionUrl="https://x.example/run", errorDetails={"message": "health"}),
                action("Succeeded"),
            ],
        }
        self.deployments = [deployment(2, "InProgress"), deployment(1)]
        self.asked: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.page = 100

    def __call__(self, call: Call) -> Answer:
        target = call.headers.get("x-amz-target", "")
        body = json.loads(call.body)
        operation = target.rpartition(".")[2]
        self.asked.append(operation)
        self.bodies.append(body)
        expected = "application/x-amz-json-1.0" if target.startswith("Granite") else "application/x-amz-json-1.1"
        if call.headers["content-type"] != expected or call.method != "POST" or call.path != "/":
            return error("UnknownOperationException", "")
        answer = getattr(self, operation)(body)
        return answer if isinstance(answer, Answer) else Answer.of(answer)

    def DescribeAlarms(self, body: dict[str, Any]) -> object:
        types = body["AlarmTypes"]
        if self.logs is None and "LogAlarm" in types:
            return error("ValidationException", "1 validation error detected: AlarmTypes ... must satisfy enum")

        def chosen(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
            state, prefix = body.get("StateValue"), body.get("AlarmNamePrefix", "")
            right = [row for row in rows if state in (None, row["StateValue"])]
            return [row for row in right if row["AlarmName"].startswith(prefix)][: body["MaxRecords"]]

        lists = {"MetricAlarms": chosen(self.alarms), "CompositeAlarms": chosen(self.composites)}
        return {**lists, "LogAlarms": chosen(self.logs)} if self.logs is not None else lists

    def ListProjects(self, body: dict[str, Any]) -> object:
        names = sorted({row["projectName"] for row in self.builds})
        start = int(body.get("nextToken", 0))
        more = {"nextToken": str(start + self.page)} if start + self.page < len(names) else {}
        return {"projects": names[start : start + self.page], **more}

    def ListBuildsForProject(self, body: dict[str, Any]) -> object:
        assert "sortOrder" not in body, "with more than 100 builds that is refused"
        found = [row["id"] for row in self.builds if row["projectName"] == body["projectName"]]
        return {"ids": found} if found else error("ResourceNotFoundException", "Project cannot be found")

    def BatchGetBuilds(self, body: dict[str, Any]) -> object:
        found = [row for row in self.builds if row["id"] in body["ids"]]
        known = {row["id"] for row in found}
        return {"builds": found, "buildsNotFound": [name for name in body["ids"] if name not in known]}

    def ListPipelines(self, body: dict[str, Any]) -> object:
        return {"pipelines": [{"name": name, "version": 1} for name in self.pipelines]}

    def ListPipelineExecutions(self, body: dict[str, Any]) -> object:
        found = self.pipelines.get(body["pipelineName"])
        if found is None:
            return error("PipelineNotFoundException", "no such pipeline")
        return {"pipelineExecutionSummaries": found[: body["maxResults"]]}

    def ListActionExecutions(self, body: dict[str, Any]) -> object:
        return {"actionExecutionDetails": self.actions.get(body["filter"]["pipelineExecutionId"], [])}

    def ListDeployments(self, body: dict[str, Any]) -> object:
        since = body["createTimeRange"]["start"]
        return {"deployments": [row["deploymentId"] for row in self.deployments if row["createTime"] >= since]}

    def BatchGetDeployments(self, body: dict[str, Any]) -> object:
        assert len(body["deploymentIds"]) <= 25
        return {"deploymentsInfo": [row for row in self.deployments if row["deploymentId"] in body["deploymentIds"]]}


def error(code: str, message: str, status: int = 400) -> Answer:
    return Answer.of({"__type": code, "message": message}, status=status)


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of this machine's own credentials."""
    for name in (
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)


class OneService(SourceContract):
    source = Aws

    def vendor(self, call: Call) -> Answer:
        server = Server()
        server.logs = []
        return server(call)


class TestContractOfAlarms(OneService):
    options: ClassVar = {"region": "eu-west-1", "apis": ["cloudwatch"], **KEYS}
    state_fields = ("StateValue",)
    time_fields = ("StateTransitionedTimestamp",)
    id_fields = ("AlarmName",)


class TestContractOfBuilds(OneService):
    options: ClassVar = {"region": "eu-west-1", "apis": ["codebuild"], **KEYS}
    state_fields = ("buildStatus",)
    time_fields = ("startTime", "endTime")
    id_fields = ("id", "ids", "projects")


class TestContractOfPipelines(OneService):
    options: ClassVar = {"region": "eu-west-1", "apis": ["codepipeline"], **KEYS}
    state_fields = ("status",)
    time_fields = ("startTime", "lastUpdateTime")
    id_fields = ("pipelineExecutionId", "name")


class TestContractOfDeployments(OneService):
    options: ClassVar = {"region": "eu-west-1", "apis": ["codedeploy"], **KEYS}
    state_fields = ("status",)
    time_fields = ("createTime", "completeTime")
    id_fields = ("deploymentId", "deployments")


def aws(clock: FakeClock | None = None, **options: Any) -> Source[Any]:
    given = {"region": "eu-west-1", **KEYS, **options}
    return make_source(Aws, {name: value for name, value in given.items() if value is not None}, clock)


def client_of(source: Source[Any], server: Any, seen: list[httpx.Request] | None = None) -> SourceClient:
    def handle(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(method=request.method, url=str(request.url), headers=headers, body=request.content)
        answer = server(call)
        return httpx.Response(answer.status, content=answer.body, headers=answer.headers)

    return mock(source, handle, environ=ENVIRON)


async def parts_of(source: Source[Any], client: SourceClient) -> dict[str, Part]:
    return {part.scope: part for part in (await source.poll(client.factory)).parts}


async def part_of(server: Any, api: str, clock: FakeClock | None = None, **options: Any) -> Part:
    source = aws(clock, apis=[api], **options)
    (part,) = (await parts_of(source, client_of(source, server))).values()
    return part


async def items_of(server: Any, api: str, **options: Any) -> list[Any]:
    part = await part_of(server, api, **options)
    if part.error:
        raise part.error
    return list(part.items)


# -- alarms ------------------------------------------------------------------------------------------------------------


async def test_an_alarm_is_an_incident() -> None:
    first, second, third = await items_of(Server(), "cloudwatch")
    assert first == Incident(
        key="aws:incident:eu-west-1/cloudwatch/till-latency",
        source="aws",
        title="till-latency",
        description="The till is slow.",
        state="open",
        raw_state="ALARM",
        reason="Threshold Crossed: 1 datapoint [612.5 (02/01/26 02:05:00)] was greater than 500.0.",
        target="eu-west-1",
        fingerprint=ARN.format("cloudwatch", "alarm:till-latency"),
        url="https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#alarmsV2:alarm/till-latency",
        labels={
            "namespace": "AWS/ApplicationELB",
            "metric": "TargetResponseTime",
            "LoadBalancer": "app/till/1",
        },
        started_at=at(T2),
        updated_at=at(T2),
    )
    assert (second.title, second.state, second.suppressed_by) == ("till-down", "suppressed", "deploy-window")
    assert second.labels == {"rule": "ALARM(a) AND ALARM(b)"}
    assert (third.title, third.state, third.raw_state) == ("disk", "unknown", "INSUFFICIENT_DATA")


@pytest.mark.parametrize(
    "fields,state,why",
    [
        ({}, "open", ""),
        ({"StateValue": "alarm"}, "open", ""),
        ({"StateValue": "NEXT_YEARS_WORD"}, "unknown", ""),
        ({"ActionsEnabled": False}, "suppressed", "its actions are disabled"),
        ({"ActionsEnabled": False, "StateValue": "INSUFFICIENT_DATA"}, "unknown", ""),
        ({"ActionsSuppressedBy": "Alarm"}, "suppressed", "suppressed by Alarm"),
        ({"ActionsSuppressedBy": "ExtensionPeriod"}, "suppressed", "suppressed by ExtensionPeriod"),
        ({"ActionsSuppressedBy": "WaitPeriod"}, "pending", ""),
        ({"ActionsSuppressedBy": "NextYearsWord"}, "open", ""),
    ],
)
async def test_states_of_alarms(fields: dict[str, Any], state: str, why: str) -> None:
    server = Server()
    row = composite("x", **fields)

    def answer(call: Call) -> Answer:
        asked = json.loads(call.body).get("StateValue") == "ALARM"
        return Answer.of({"MetricAlarms": [], "CompositeAlarms": [row] if asked else []})

    del server
    (found,) = await items_of(answer, "cloudwatch")
    assert (found.state, found.suppressed_by) == (state, why)


@pytest.mark.parametrize("word", ["unknown", "open", "pending"])
async def test_what_insufficient_data_means_is_for_the_options_to_say(word: str) -> None:
    found = await items_of(Server(), "cloudwatch", no_data=word)
    assert [item.state for item in found if item.title == "disk"] == [word]


async def test_an_alarm_whose_values_move_says_nothing_new() -> None:
    server = Server()
    source = aws(apis=["cloudwatch"])
    client = client_of(source, server)
    (before,) = (await parts_of(source, client)).values()
    server.alarms[0]["StateReason"] = server.alarms[0]["StateReason"].replace("612.5", "650.25")
    server.alarms[0]["StateUpdatedTimestamp"] = T3 + 60
    (after,) = (await parts_of(source, client)).values()
    assert after.items == before.items


async def test_alarms_of_logs_where_there_are_any() -> None:
    server = Server()
    source = aws(apis=["cloudwatch"])
    client = client_of(source, server)
    for _ in range(2):
        (part,) = (await parts_of(source, client)).values()
        assert part.error is None
    assert [body["AlarmTypes"] for body in server.bodies] == [
        ["MetricAlarm", "CompositeAlarm", "LogAlarm"],  # refused
        *[["MetricAlarm", "CompositeAlarm"]] * 4,
    ]
    server = Server()
    server.logs = [alarm("errors-in-log")]
    assert "errors-in-log" in [item.title for item in await items_of(server, "cloudwatch")]


async def test_no_alarms_is_not_always_good_news() -> None:
    server = Server()
    server.alarms, server.composites = [alarm("fine", "OK")], []
    part = await part_of(server, "cloudwatch")
    assert (part.items, part.notes, part.error) == ((), (), None)
    part = await part_of(server, "cloudwatch", alarms=["fi", "prod-"])
    assert isinstance(part.error, NotFound)
    assert str(part.error) == "no alarm in eu-west-1 has a name that begins with prod-"
    server.alarms = []
    part = await part_of(server, "cloudwatch")
    assert (part.notes, part.error) == (("there is no alarm at all in eu-west-1",), None)


async def test_that_there_are_alarms_is_looked_at_now_and_then() -> None:
    clock, server = FakeClock(), Server()
    server.alarms, server.composites, server.logs = [alarm("fine", "OK")], [], []
    source = aws(clock, apis=["cloudwatch"])
    client = client_of(source, server)
    for requests in (3, 2):
        server.asked.clear()
        await parts_of(source, client)
        assert len(server.asked) == requests
    clock.advance(301)
    server.asked.clear()
    await parts_of(source, client)
    assert len(server.asked) == 3


async def test_endless_pages_end() -> None:
    def answer(call: Call) -> Answer:
        return Answer.of({"MetricAlarms": [], "CompositeAlarms": [], "NextToken": "again"})

    part = await part_of(answer, "cloudwatch")
    assert isinstance(part.error, TooLarge)


# -- builds ------------------------------------------------------------------------------------------------------------


async def test_a_build() -> None:
    queued, failed, good = await items_of(Server(), "codebuild", default_branch="main")
    assert failed == Build(
        key="aws:build:eu-west-1/codebuild/checkout:uuid-2",
        source="aws",
        title="checkout",
        state="failed",
        raw_state="FAILED",
        reason="BUILD: make: exit 2",
        pipeline="checkout",
        run_number=2,
        branch="main",
        default_branch="main",
        revision="a" * 40,
        repository="acme/checkout",
        target="eu-west-1",
        url="https://eu-west-1.console.aws.amazon.com/codesuite/codebuild/123456789012/projects/checkout/build/"
        "checkout%3Auuid-2/?region=eu-west-1",
        links={"log": "https://console.aws.amazon.com/cloudwatch/log"},
        actor="ann",
        started_at=at(T1),
        updated_at=at(T3),
        ended_at=at(T3),
    )
    assert (queued.state, queued.raw_state, queued.ended_at) == ("queued", "IN_PROGRESS/QUEUED", None)
    assert (good.state, good.reason) == ("success", "")


@pytest.mark.parametrize(
    "word,state",
    [
        ("SUCCEEDED", "success"),
        ("succeeded", "success"),
        ("FAILED", "failed"),
        ("FAULT", "failed"),
        ("TIMED_OUT", "failed"),
        ("IN_PROGRESS", "running"),
        ("STOPPED", "cancelled"),
        ("NEXT_YEARS_WORD", "unknown"),
    ],
)
async def test_states_of_builds(word: str, state: str) -> None:
    server = Server()
    server.builds = [build(1, word, currentPhase="BUILD")]
    (found,) = await items_of(server, "codebuild")
    assert found.state == state


@pytest.mark.parametrize(
    "fields,branch,change,repository",
    [
        ({"sourceVersion": "refs/heads/feature/x^{" + "a" * 40 + "}"}, "feature/x", "", "acme/checkout"),
        ({"sourceVersion": "refs/heads/main"}, "main", "", "acme/checkout"),
        ({"sourceVersion": "main"}, "main", "", "acme/checkout"),
        ({"sourceVersion": "pr/12"}, "", "12", "acme/checkout"),
        ({"sourceVersion": "refs/pull/12/head^{" + "a" * 40 + "}"}, "", "12", "acme/checkout"),
        ({"sourceVersion": "a" * 40}, "", "", "acme/checkout"),
        ({"sourceVersion": "refs/tags/v1"}, "", "", "acme/checkout"),
        ({"sourceVersion": "arn:aws:s3:::x/y", "source": {"type": "CODEPIPELINE"}}, "", "", ""),
        ({"sourceVersion": "x.zip", "source": {"type": "S3", "location": "bucket/x.zip"}}, "", "", ""),
        ({"source": {"type": "CODECOMMIT", "location": "https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/till"}},
         "main", "", "till"),
    ],
)  # fmt: skip
async def test_what_a_build_is_of(fields: dict[str, Any], branch: str, change: str, repository: str) -> None:
    server = Server()
    server.builds = [build(1, **fields)]
    (found,) = await items_of(server, "codebuild")
    assert (found.branch, found.change, found.repository) == (branch, change, repository)


async def test_who_started_a_build() -> None:
    server = Server()
    server.builds = [build(2, initiator="codepipeline/checkout"), build(1, initiator="ann")]
    assert [(item.actor, item.trigger) for item in await items_of(server, "codebuild")] == [
        ("", "codepipeline/checkout"),
        ("ann", ""),
    ]


async def test_builds_that_ended_are_asked_for_once() -> None:
    server = Server()
    source = aws(apis=["codebuild"], builds=2)
    client = client_of(source, server)
    await parts_of(source, client)
    assert server.bodies[-1] == {"ids": ["checkout:uuid-3", "checkout:uuid-2"]}
    server.asked.clear()
    await parts_of(source, client)
    assert server.asked == ["ListBuildsForProject", "BatchGetBuilds"]
    assert server.bodies[-1] == {"ids": ["checkout:uuid-3"]}  # it is on its way
    server.builds[0] = build(3)
    await parts_of(source, client)
    server.asked.clear()
    (part,) = (await parts_of(source, client)).values()
    assert server.asked == ["ListBuildsForProject"]
    assert {item.state for item in part.items} == {"success", "failed"}


async def test_projects_by_name() -> None:
    server = Server()
    server.page = 1
    server.builds = [build(1, project=name) for name in ("checkout", "search", "search-nightly")]
    found = await items_of(server, "codebuild", projects=["search*"])
    assert [item.pipeline for item in found] == ["search", "search-nightly"]
    part = await part_of(server, "codebuild", projects=["till"])
    assert isinstance(part.error, NotFound)


async def test_of_too_many_projects_some_are_read_and_the_part_says_so() -> None:
    server = Server()
    server.builds = [build(1, project=f"p{n:03}") for n in range(MOST + 3)]
    part = await part_of(server, "codebuild")
    assert len(part.items) == MOST
    assert isinstance(part.error, TooLarge)
    assert "53 projects in eu-west-1, 50 are read" in str(part.error)


async def test_one_project_that_fails_harms_no_other() -> None:
    server = Server()
    server.builds = [build(1, project="a"), build(1, project="b")]
    source = aws(apis=["codebuild"])
    client = client_of(source, server)
    await parts_of(source, client)
    server.builds = server.builds[1:]  # the other project was deleted
    (part,) = (await parts_of(source, client)).values()
    assert [item.title for item in part.items] == ["b"]
    assert isinstance(part.error, NotFound)
    assert str(part.error).startswith("a: ListBuildsForProject in eu-west-1: ResourceNotFoundException: Project")


async def test_builds_that_do_not_come_are_missed() -> None:
    server = Server()

    def answer(call: Call) -> Answer:
        if "BatchGetBuilds" in call.headers["x-amz-target"]:
            return Answer.of({"builds": server.builds[:1]})
        return server(call)

    part = await part_of(answer, "codebuild")
    assert isinstance(part.error, BadAnswer)


# -- pipelines ---------------------------------------------------------------------------------------------------------


async def test_an_execution_is_a_build() -> None:
    waiting, failed, good = await items_of(Server(), "codepipeline")
    assert failed == Build(
        key="aws:build:eu-west-1/codepipeline/checkout/exec-2",
        source="aws",
        title="checkout: Fix the till",
        state="failed",
        raw_state="Failed",
        reason="Production: deploy: health",
        pipeline="checkout",
        revision="b" * 40,
        target="eu-west-1",
        url="https://eu-west-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/checkout/executions/exec-2/"
        "timeline?region=eu-west-1",
        links={"commit": "https://github.com/acme/checkout/commit/b", "failed action": "https://x.example/run"},
        actor="ann",
        trigger="StartPipelineExecution",
        started_at=at(T1),
        updated_at=at(T3),
        ended_at=at(T3),
    )
    assert (waiting.state, waiting.reason) == ("blocked", "waits for approval in Production")
    assert (waiting.updated_at, waiting.ended_at) == (None, None)
    assert good.state == "success"


@pytest.mark.parametrize(
    "word,state,reason",
    [
        ("InProgress", "running", ""),
        ("INPROGRESS", "running", ""),
        ("Stopping", "running", ""),
        ("Succeeded", "success", ""),
        ("Failed", "failed", ""),
        ("Stopped", "cancelled", "wrong version"),
        ("Cancelled", "cancelled", "wrong version"),
        ("Superseded", "cancelled", "wrong version"),
        ("NextYearsWord", "unknown", "wrong version"),
    ],
)
async def test_states_of_executions(word: str, state: str, reason: str) -> None:
    server = Server()
    server.pipelines = {"x": [execution(1, word, stopTrigger={"reason": "wrong version"})]}
    (found,) = await items_of(server, "codepipeline")
    assert (found.state, found.reason) == (state, reason)


async def test_why_a_pipeline_failed_is_asked_once() -> None:
    server = Server()
    source = aws(apis=["codepipeline"])
    client = client_of(source, server)
    for asked in (2, 1):  # the one on its way is asked again
        server.asked.clear()
        await parts_of(source, client)
        assert server.asked.count("ListActionExecutions") == asked
    server.pipelines["checkout"][1]["lastUpdateTime"] = T3 + 60  # its stage was tried again
    server.asked.clear()
    await parts_of(source, client)
    assert server.asked.count("ListActionExecutions") == 2


async def test_who_may_not_know_why_sees_the_pipelines_all_the_same() -> None:
    server = Server()
    server.ListActionExecutions = lambda body: error("AccessDeniedException", "no")  # type: ignore[method-assign]
    found = await items_of(server, "codepipeline")
    assert [item.state for item in found] == ["running", "failed", "success"]


async def test_what_is_read_again_by_id() -> None:
    server = Server()
    source = aws()
    http = client_of(source, server).factory("lookup")
    for kind, name, state in (
        ("build", "eu-west-1/codebuild/checkout:uuid-2", "failed"),
        ("build", "eu-west-1/codepipeline/checkout/exec-3", "blocked"),
        ("release", "eu-west-1/codedeploy/d-2", "running"),
    ):
        found = await source.lookup(kind, name, http)  # type: ignore[arg-type]
        assert found is not None
        assert (found.key, found.state) == (f"aws:{kind}:{name}", state)
    for kind, name in (
        ("build", "eu-west-1/codebuild/checkout:uuid-9"),
        ("build", "eu-west-1/codepipeline/checkout/exec-9"),
        ("release", "eu-west-1/codedeploy/d-9"),
        ("build", "us-east-1/codebuild/checkout:uuid-2"),
        ("build", "odd"),
    ):
        assert await source.lookup(kind, name, http) is None  # type: ignore[arg-type]


# -- deployments -------------------------------------------------------------------------------------------------------


async def test_a_deployment_is_a_release() -> None:
    running, done = await items_of(Server(), "codedeploy", environments={"*-prod": "production"})
    assert done == Release(
        key="aws:release:eu-west-1/codedeploy/d-1",
        source="aws",
        title="checkout cccccccccccc",
        description="by hand",
        state="success",
        raw_state="Succeeded",
        services=("checkout",),
        environment="production",
        target="eu-west-1/checkout-prod",
        version="c" * 40,
        revision="c" * 40,
        previous_version="checkout-1.4.1.zip",
        repository="acme/checkout",
        url="https://eu-west-1.console.aws.amazon.com/codesuite/codedeploy/deployments/d-1?region=eu-west-1",
        labels={"deployment_group": "checkout-prod", "platform": "Server"},
        trigger="user",
        started_at=at(T1),
        updated_at=at(T2),
        ended_at=at(T2),
    )
    assert (running.state, running.ended_at) == ("running", None)


@pytest.mark.parametrize(
    "word,more,state,reason",
    [
        ("Created", {}, "queued", ""),
        ("Queued", {}, "queued", ""),
        ("InProgress", {}, "running", ""),
        ("INPROGRESS", {}, "running", ""),
        ("Baking", {}, "running", ""),
        ("Ready", {}, "blocked", ""),
        ("Succeeded", {}, "success", ""),
        ("Stopped", {}, "cancelled", ""),
        ("NextYearsWord", {}, "unknown", ""),
        ("Failed", {"errorInformation": {"code": "HEALTH_CONSTRAINTS", "message": "too few"}}, "failed",
         "HEALTH_CONSTRAINTS: too few"),
        ("Failed", {"rollbackInfo": {"rollbackDeploymentId": "d-9"}}, "failed", "rolled back by d-9"),
        ("Succeeded", {"creator": "codeDeployRollback"}, "rolled_back", ""),
        ("Succeeded", {"rollbackInfo": {"rollbackTriggeringDeploymentId": "d-0"}}, "rolled_back", ""),
        ("Failed", {"creator": "codeDeployRollback"}, "failed", ""),
    ],
)  # fmt: skip
async def test_states_of_deployments(word: str, more: dict[str, Any], state: str, reason: str) -> None:
    server = Server()
    server.deployments = [deployment(1, word, **more)]
    (found,) = await items_of(server, "codedeploy")
    assert (found.state, found.reason) == (state, reason)


@pytest.mark.parametrize(
    "revision,version",
    [
        ({"s3Location": {"key": "builds/checkout-1.5.zip", "version": "v9"}}, "checkout-1.5.zip@v9"),
        ({"appSpecContent": {"content": "{}", "sha256": "ab" * 32}}, "abababababab"),
        ({"string": {"content": "{}", "sha256": "cd" * 32}}, "cdcdcdcdcdcd"),
        ({}, ""),
        (None, ""),
    ],
)
async def test_what_is_deployed(revision: Any, version: str) -> None:
    server = Server()
    server.deployments = [deployment(1, revision=revision)]
    (found,) = await items_of(server, "codedeploy")
    assert found.version == version


async def test_deployments_that_are_long_over_are_asked_for_once() -> None:
    clock, server = FakeClock(at(T3)), Server()
    server.deployments = [deployment(n) for n in range(30)]
    source = aws(clock, apis=["codedeploy"])
    client = client_of(source, server)
    for asked in (2, 2):
        server.asked.clear()
        await parts_of(source, client)
        assert server.asked.count("BatchGetDeployments") == asked  # they may yet be rolled back
    clock.advance(3600)
    await parts_of(source, client)
    server.asked.clear()
    (part,) = (await parts_of(source, client)).values()
    assert (server.asked, len(part.items)) == (["ListDeployments"], 30)


async def test_deployments_of_some_days_and_applications() -> None:
    server = Server()
    clock = FakeClock(at(T1) + timedelta(days=3))
    server.deployments = [deployment(2), deployment(1, createTime=T1 - 86_400), deployment(3, applicationName="x")]
    part = await part_of(server, "codedeploy", clock, days=3, applications=["check*"])
    assert [item.key.rpartition("/")[2] for item in part.items] == ["d-2"]


# -- where and as whom -------------------------------------------------------------------------------------------------


def signature(request: httpx.Request, secret: str) -> str:
    """The signature that a request should have (docs.aws.amazon.com, IAM user guide, SigV4)."""
    scheme, _, rest = request.headers["authorization"].partition(" ")
    fields = dict(field.strip().split("=", 1) for field in rest.split(","))
    _, date, region, service, end = fields["Credential"].split("/")
    names = fields["SignedHeaders"].split(";")
    headers = "".join(f"{name}:{request.headers[name]}\n" for name in names)
    body = hashlib.sha256(request.content).hexdigest()
    canonical = "\n".join([request.method, request.url.path, "", headers, ";".join(names), body])
    scope = "/".join((date, region, service, end))
    when, digest = request.headers["x-amz-date"], hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, end):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    assert scheme == "AWS4-HMAC-SHA256"
    return hmac.new(key, "\n".join([scheme, when, scope, digest]).encode(), hashlib.sha256).hexdigest()


async def test_each_request_is_signed_for_its_service_and_region() -> None:
    seen: list[httpx.Request] = []
    source = aws(region=["eu-west-1", "us-east-1"], token="env:AWS_TEST_SESSION")
    await parts_of(source, client_of(source, Server(), seen))
    scopes = set()
    for request in seen:
        given = dict(f.strip().split("=", 1) for f in request.headers["authorization"].partition(" ")[2].split(","))
        key_id, _, region, service, _ = given["Credential"].split("/")
        assert key_id == KEY_ID
        assert request.url.host == f"{service}.{region}.amazonaws.com"
        assert given["SignedHeaders"].split(";") == [
            "content-type", "host", "x-amz-date", "x-amz-security-token", "x-amz-target",
        ]  # fmt: skip
        assert given["Signature"] == signature(request, SECRET)
        assert request.headers["x-amz-security-token"] == SESSION
        scopes.add((service, region))
    assert len(scopes) == 8


async def test_parts_and_kinds() -> None:
    source = aws(region=["eu-west-1", "us-east-1", "eu-west-1"])
    parts = await parts_of(source, client_of(source, Server()))
    assert sorted(parts) == [
        f"{region} {name}"
        for region in ("eu-west-1", "us-east-1")
        for name in ("CodeBuild", "CodeDeploy", "CodePipeline", "alarms")
    ]
    assert {part.reach for part in parts.values() if part.kind == "incident"} == {"complete"}
    assert {part.reach for part in parts.values() if part.kind != "incident"} == {"window"}
    source = aws(kinds=["release"])
    assert list(await parts_of(source, client_of(source, Server()))) == ["eu-west-1 CodeDeploy"]


@pytest.mark.parametrize(
    "region,url,host",
    [
        ("eu-west-1", "", "monitoring.eu-west-1.amazonaws.com"),
        ("cn-north-1", "", "monitoring.cn-north-1.amazonaws.com.cn"),
        ("eusc-de-east-1", "", "monitoring.eusc-de-east-1.amazonaws.eu"),
        ("us-gov-west-1", "", "monitoring.us-gov-west-1.amazonaws.com"),
        ("us-iso-east-1", "https://c2s.ic.gov", "monitoring.us-iso-east-1.c2s.ic.gov"),
        ("eu-west-1", "http://127.0.0.1:4566", "127.0.0.1"),
    ],
)
async def test_hosts(region: str, url: str, host: str) -> None:
    seen: list[httpx.Request] = []
    source = aws(region=region, url=url or "https://amazonaws.com", apis=["cloudwatch"])
    (part,) = (await parts_of(source, client_of(source, Server(), seen))).values()
    assert part.error is None
    assert {request.url.host for request in seen} == {host}


@pytest.mark.parametrize(
    "options,says",
    [
        ({"region": ""}, "`region` is empty"),
        ({"region": "ireland"}, "is none; regions look like"),
        ({"region": ["eu-west-1", "x.example/"]}, "is none"),
        ({"password": None}, "go together"),
        ({"profile": "p"}, "two ways"),
        ({"username": None, "password": None, "token": "env:X"}, "needs `username`"),
        ({"apis": ["s3"]}, "apis"),
        # What this machine has for AWS goes to AWS alone.
        ({"username": None, "password": None, "url": "https://aws.example"}, "`url` is none of AWS"),
    ],
)
def test_options_are_checked(options: dict[str, Any], says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        aws(**options)


@pytest.mark.parametrize(
    "answer,kind,says",
    [
        (error("ThrottlingException", "Rate exceeded"), RateLimited, "ThrottlingException: Rate exceeded"),
        (error("com.amazon.coral.availability#ThrottlingException", "Rate exceeded"), RateLimited, "^[^#]*$"),
        (error("TooManyRequestsException", "x", 429), RateLimited, "TooMany"),
        (error("AccessDeniedException", "User: x is not authorized to perform: y"), AuthError, "to perform: y"),
        (error("ExpiredTokenException", "expired", 403), AuthError, "ExpiredToken"),
        (error("InvalidSignatureException", "x", 403), AuthError, "is this machine's clock right"),
        (error("UnrecognizedClientException", "The security token is invalid"), AuthError, "token is invalid"),
        (error("ResourceNotFoundException", "x"), NotFound, "ResourceNotFound"),
        (error("InternalFailure", "x", 500), SourceError, "InternalFailure: x"),
        (error("NextYearsException", "odd"), BadAnswer, "NextYearsException: odd"),
        (Answer(status=400, body=b"no json"), BadAnswer, "400"),
        (Answer.of([1], status=400), BadAnswer, "400"),
        (Answer.of({"__type": 5}, status=400), BadAnswer, "5"),
    ],
)
async def test_errors_are_told_by_their_type(answer: Answer, kind: type[SourceError], says: str) -> None:
    part = await part_of(lambda call: answer, "cloudwatch")
    assert type(part.error) is kind or (kind is SourceError and isinstance(part.error, kind))
    with pytest.raises(kind, match=says):
        raise part.error
    assert str(part.error).startswith("DescribeAlarms in eu-west-1: ")


async def test_one_throttled_request_ends_a_part_for_now() -> None:
    server = Server()
    server.builds = [build(1, project=name) for name in ("a", "b", "c")]
    asked: list[str] = []

    def answer(call: Call) -> Answer:
        asked.append(call.headers["x-amz-target"])
        if json.loads(call.body).get("projectName") == "b":
            return error("ThrottlingException", "Rate exceeded")
        return server(call)

    part = await part_of(answer, "codebuild")
    assert [item.title for item in part.items] == ["a"]
    assert isinstance(part.error, RateLimited)
    assert sum("ListBuildsForProject" in target for target in asked) == 2


async def test_credentials_as_the_cli_finds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def key_id(**options: Any) -> str:
        seen: list[httpx.Request] = []
        source = aws(username=None, password=None, apis=["cloudwatch"], **options)
        (part,) = (await parts_of(source, client_of(source, Server(), seen))).values()
        if part.error:
            raise part.error
        return seen[0].headers["authorization"].partition("Credential=")[2].partition("/")[0]

    with pytest.raises(AuthError, match="no AWS credentials in the environment, a profile or this machine's role"):
        await key_id()
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id=AKDEFAULT\naws_secret_access_key=x\n")
    assert await key_id() == "AKDEFAULT"
    (tmp_path / "config").write_text("[profile ro]\naws_access_key_id=AKPROFILE\naws_secret_access_key=x\n")
    assert await key_id(profile="ro") == "AKPROFILE"
    with pytest.raises(AuthError, match=r"AWS credentials: The config profile \(none\) could not be found"):
        await key_id(profile="none")
    (tmp_path / "config").write_text("[profile half]\naws_access_key_id=AKPROFILE\n")
    with pytest.raises(AuthError, match="AWS credentials: Partial credentials"):
        await key_id(profile="half")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert await key_id() == "AKENV"


async def test_all_parts_share_one_search_for_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    searches: list[str] = []

    def find(found: Any, profile: str) -> tuple[Any, _aws_auth.Keys]:
        searches.append(profile)
        return None, _aws_auth.Keys("AKFOUND", "x")

    monkeypatch.setattr(_aws_auth, "_find", find)
    clock = FakeClock()
    source = aws(clock, username=None, password=None, profile="p")
    client = client_of(source, Server())
    for count in (1, 1, 2):
        assert not any(part.error for part in (await parts_of(source, client)).values())
        assert searches == ["p"] * count
        clock.advance(31)


async def test_refused_credentials_are_found_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKOLD")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")

    def vendor(call: Call) -> Answer:
        return server(call) if "AKNEW" in call.headers["authorization"] else error("InvalidClientTokenId", "x", 403)

    source = aws(username=None, password=None, apis=["cloudwatch"])
    client = client_of(source, vendor)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKOLD")
    (part,) = (await parts_of(source, client)).values()
    assert isinstance(part.error, AuthError)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKNEW")
    (part,) = (await parts_of(source, client)).values()
    assert part.error is None


async def test_a_search_for_credentials_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    done = threading.Event()
    monkeypatch.setattr(_aws_auth, "LIMIT", 0.01)
    monkeypatch.setattr(_aws_auth, "_find", lambda found, profile: (None, done.wait() and None))
    source = aws(username=None, password=None, apis=["cloudwatch"])
    client = client_of(source, Server())
    for says in ("were not found within 0.01 s", "still hangs"):
        (part,) = (await parts_of(source, client)).values()
        assert isinstance(part.error, AuthError)
        assert says in str(part.error)
    done.set()


async def test_without_botocore_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.auth", None)
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    monkeypatch.setitem(sys.modules, "botocore.exceptions", None)
    for options in ({}, {"username": None, "password": None}):
        part = await part_of(Server(), "cloudwatch", **options)
        assert isinstance(part.error, Refused)
        assert "pip install 'statusboard[aws]'" in str(part.error)


def test_keys_are_never_shown() -> None:
    keys = _aws_auth.Keys(KEY_ID, SECRET, SESSION)
    assert SECRET not in f"{keys!r} {keys}" and KEY_ID not in repr(keys)
