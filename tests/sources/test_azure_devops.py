"""Azure DevOps: runs of pipelines, deployments of both sorts, work items, and its ways to refuse."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import httpx
import msgspec
import pytest

from sources.azure_devops import AzureDevOps
from statusboard.current import slot_of
from statusboard.errors import AuthError, BadAnswer, NotFound, SourceError, TooLarge
from statusboard.model import Build, Release, Ticket
from statusboard.source import Credentials, Source, basic
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all

URL = "https://dev.azure.com"
PAGE = f"{URL}/acme/Shop"
ANN = {"displayName": "Ann", "uniqueName": "ann@acme.example"}


def run(number: int, status: str = "completed", result: str | None = "succeeded", **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "buildNumber": f"20260102.{number}",
        "status": status,
        "result": result,
        "queueTime": "2026-01-02T02:29:58.1234567Z",
        "startTime": "2026-01-02T02:30:00.0000000Z",
        "finishTime": "2026-01-02T02:40:00.0000000Z" if status == "completed" else None,
        "reason": "individualCI",
        "sourceBranch": "refs/heads/main",
        "sourceVersion": "a" * 40,
        "definition": {"id": 7, "name": "checkout-ci", "path": "\\web"},
        "repository": {"id": "8f1a", "type": "TfsGit", "name": "checkout"},
        "requestedFor": ANN,
        "triggerInfo": {"ci.message": "Fix the till"},
        "_links": {"web": {"href": f"{PAGE}/_build/results?buildId={number}"}},
        **more,
    }


def deployment(number: int, status: str, operation: str, stage: str = "PROD", **more: Any) -> dict[str, Any]:
    artifact = {
        "alias": "_checkout",
        "isPrimary": True,
        "definitionReference": {
            "version": {"id": "11", "name": "20260102.11"},
            "branch": {"id": "refs/heads/main", "name": "refs/heads/main"},
            "sourceVersion": {"id": "b" * 40, "name": ""},
            "repository": {"id": "8f1a", "name": "checkout"},
            "pullRequestId": None,
        },
    }
    release = {
        "id": 55,
        "name": "Release-55",
        "artifacts": [{"isPrimary": False, "definitionReference": None}, artifact],
        "_links": {"web": {"href": f"{PAGE}/_release?releaseId=55"}},
    }
    return {
        "id": number,
        "attempt": 1,
        "reason": "automated",
        "deploymentStatus": status,
        "operationStatus": operation,
        "release": release,
        "releaseDefinition": {"id": 38, "name": "checkout-cd", "path": "\\shop"},
        "releaseEnvironment": {"id": 118, "name": stage},
        "requestedFor": ANN,
        "queuedOn": "0001-01-01T00:00:00",
        "startedOn": "2026-01-02T02:50:00.09Z",
        "completedOn": "2026-01-02T02:55:00.133Z",
        **more,
    }


def record(number: int, result: str | None = "succeeded", **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "environmentId": 3,
        "definition": {"id": 7, "name": "checkout-ci"},
        "owner": {"id": 12, "name": "20260102.12", "_links": {"web": {"href": f"{PAGE}/_build/results?buildId=12"}}},
        "stageName": "Production",
        "stageAttempt": 1,
        "jobName": "deploy_eu",
        "jobAttempt": 1,
        "queueTime": "2026-01-02T02:49:00.1Z",
        "startTime": "2026-01-02T02:50:00.1Z",
        "finishTime": "2026-01-02T02:55:00.1Z" if result else None,
        "result": result,
        **more,
    }


def item(number: int, state: str = "New", kind: str = "Bug", **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "rev": 3,
        "fields": {
            "System.Title": f"Item {number}",
            "System.State": state,
            "System.Reason": "Fixed",
            "System.WorkItemType": kind,
            "System.AssignedTo": ANN,
            "System.CreatedBy": {"displayName": "Bob"},
            "System.CreatedDate": "2026-01-01T00:00:00.123Z",
            "System.ChangedDate": "2026-01-02T00:00:00.1234567Z",
            "System.AreaPath": "Shop\\Web",
            "System.IterationPath": "Shop\\1",
            "System.Tags": "urgent; web",
            "Microsoft.VSTS.Common.Priority": 2,
            "Microsoft.VSTS.Common.ClosedDate": "2026-01-02T00:00:00Z",
            **fields,
        },
    }


def states(**categories: str) -> list[dict[str, str]]:
    return [{"name": name.replace("_", " "), "category": category} for name, category in categories.items()]


class Server:
    """Azure DevOps Services with one organization; classic releases answer on their own host only."""

    def __init__(self) -> None:
        self.builds = [run(13, "inProgress", None), run(12, result="failed"), run(11)]
        self.rare = [run(2, result="failed", definition={"id": 8, "name": "nightly", "path": "\\"})]
        self.deployments = [deployment(79, "notDeployed", "PhaseFailed"), deployment(78, "succeeded", "Approved", "QA")]
        self.environments = [{"id": 3, "name": "shop-prod"}, {"id": 4, "name": "shop-test"}]
        self.records = {3: [record(31, None), record(30)], 4: [record(29, "failed", environmentId=4)]}
        self.items = [item(41), item(42, "Active"), item(43, "Closed")]
        self.types: list[dict[str, Any]] = [
            {"name": "Bug", "states": states(New="Proposed", Active="InProgress", Resolved="Resolved",
                                             Closed="Completed", Removed="Removed")},
            {"name": "Epic", "states": states(New="Proposed", Resolved="Completed", Closed="Completed")},
        ]  # fmt: skip
        self.queries: list[str] = []

    def __call__(self, call: Call) -> Answer:
        assert call.param("api-version"), "every request names its version"
        host, path = call.url.split("/")[2], call.path.removeprefix("/acme/")
        project, _, path = path.partition("/_apis/")
        if project != "Shop":
            return Answer.of({"message": f"VS800075: The project with id '{project}' does not exist"}, 404)
        if (host == "vsrm.dev.azure.com") != path.startswith("release/"):
            return Answer(status=404)
        match path.split("/"):
            case ["build", "builds"]:
                return listed(self.rare if call.param("maxBuildsPerDefinition") else self.builds, call)
            case ["build", "builds", number]:
                return one(b for b in self.builds if str(b["id"]) == number)
            case ["build", "definitions"]:
                wanted = call.param("definitionIds").split(",")
                assert call.param("includeAllProperties") == "true"
                branches = {"8": "master"}
                return listed(
                    [{"id": int(n), "repository": {"defaultBranch": f"refs/heads/{branches.get(n, 'main')}"}}
                     for n in wanted], call
                )  # fmt: skip
            case ["release", "deployments"]:
                at, most = int(call.param("continuationToken", "0")), int(call.param("$top"))
                more = str(at + most) if at + most < len(self.deployments) else ""
                return Answer.of({"value": self.deployments[at : at + most]}, x_ms_continuationtoken=more)
            case ["release", "releases", number]:
                steps = [
                    {"deploymentId": d["id"], "attempt": 1, "status": d["deploymentStatus"],
                     "operationStatus": d["operationStatus"], "queuedOn": d["startedOn"],
                     "lastModifiedOn": d["completedOn"], "requestedFor": ANN, "reason": "automated"}
                    for d in self.deployments
                ]  # fmt: skip
                stage = {"id": 118, "name": "PROD", "deploySteps": steps}
                release = {**self.deployments[0]["release"], "environments": [stage, {"id": 1}]}
                return one(
                    [{**release, "releaseDefinition": {"name": "checkout-cd", "path": "\\shop"}}]
                    if number == "55"
                    else []
                )
            case ["distributedtask", "environments"]:
                at = int(call.param("continuationToken", "0"))
                more = str(at + 1) if at + 1 < len(self.environments) else ""
                return Answer.of({"count": 1, "value": self.environments[at : at + 1]}, x_ms_continuationtoken=more)
            case ["distributedtask", "environments", number, "environmentdeploymentrecords"]:
                found = self.records.get(int(number))
                return Answer.of({"value": found[: int(call.param("top"))]}) if found else Answer(status=404)
            case ["wit", "workitemtypes"]:
                return listed(self.types, call)
            case ["wit", "wiql"]:
                self.queries.append(msgspec.json.decode(call.body)["query"])
                found = self.items[: int(call.param("$top"))]
                return Answer.of({"queryType": "flat", "workItems": [{"id": i["id"], "url": "x"} for i in found]})
            case ["wit", "workitemsbatch"]:
                asked = msgspec.json.decode(call.body)
                assert asked["errorPolicy"] == "omit"
                if len(asked["ids"]) > 200:
                    return Answer.of({"message": "VS403474: You requested too many work items"}, 400)
                return listed([next((i for i in self.items if i["id"] == n), None) for n in asked["ids"]], call)
            case ["wit", "workitems", number]:
                return one(i for i in self.items if str(i["id"]) == number)
        return Answer.of({"message": "not found"}, 404)


def listed(rows: list[Any], call: Call) -> Answer:
    rows = rows[: int(call.param("$top", "1000"))]
    return Answer.of({"count": len(rows), "value": rows})


def one(found: Any) -> Answer:
    row = next(iter(found), None)
    return Answer.of(row) if row else Answer(status=404)


class TestReleaseContract(SourceContract):
    source = AzureDevOps
    options: ClassVar = {"organization": "acme", "projects": ["Shop"], "kinds": ["release"], "environments": ["shop-*"]}
    state_fields = ("result", "deploymentStatus", "operationStatus")
    time_fields = ("queueTime", "startTime", "finishTime", "queuedOn", "startedOn", "completedOn")
    id_fields = ("id", "name", "value", "release")

    def vendor(self, call: Call) -> Answer:
        return Server()(call)


class TestContract(SourceContract):
    source = AzureDevOps
    options: ClassVar = {"organization": "acme", "projects": ["Shop"], "kinds": ["build", "ticket"]}
    state_fields = ("status", "result", "category", "System.State")
    time_fields = ("queueTime", "startTime", "finishTime", "System.CreatedDate", "System.ChangedDate",
                   "Microsoft.VSTS.Common.ClosedDate")  # fmt: skip
    id_fields = ("id", "workItems", "value")

    def vendor(self, call: Call) -> Answer:
        return Server()(call)

    def test_the_sign_in_page_is_a_refusal(self) -> None:
        """203 with a page, 302 to one: for a GET the client follows, a POST is not sent again."""
        page = {"content-type": "text/html; charset=utf-8"}
        sign_in = "https://spsprodeus1.vssps.visualstudio.com/_signin"

        def page_at_once(request: httpx.Request) -> httpx.Response:
            return httpx.Response(203, content=b"<html>Sign In</html>", headers=page)

        def redirect(request: httpx.Request) -> httpx.Response:
            if request.url.host == "spsprodeus1.vssps.visualstudio.com":
                assert "authorization" not in request.headers
                return httpx.Response(200, content=b"<html>Sign In</html>", headers=page)
            if b"workitemtypes" in request.url.raw_path:  # so that the POST behind it is reached
                return httpx.Response(200, json={"value": Server().types})
            return httpx.Response(302, headers={"location": sign_in})

        for what, server in (("a page", page_at_once), ("a redirect", redirect)):
            self._all_failed(self._run(server), what, AuthError)


def azure(**options: Any) -> Source[Any]:
    return make_source(AzureDevOps, {"organization": "acme", "projects": ["Shop"], **options})


async def part_of(server: Any, kind: str, source: Source[Any] | None = None, http: FakeHttp | None = None) -> Any:
    source = source or azure(kinds=[kind])
    parts = [part for part in (await read_all(source, http or FakeHttp(server, URL))).parts if part.kind == kind]
    (part,) = parts
    if part.error:
        raise part.error
    return part


# -- scopes, origins, credentials --------------------------------------------------------------------------------------


async def test_one_part_a_project_and_kind() -> None:
    http = FakeHttp(Server(), URL)
    names = [scope.name for scope in await azure(projects=["A", "B", "A"]).scopes(http)]
    assert names == ["A builds", "A releases", "A tickets", "B builds", "B releases", "B tickets"]
    more = azure(kinds=["release"], environments=["*"])
    assert [scope.name for scope in await more.scopes(http)] == ["Shop releases", "Shop environments"]
    less = azure(kinds=["release"], environments=["*"], classic_releases=False)
    assert [scope.name for scope in await less.scopes(http)] == ["Shop environments"]


@pytest.mark.parametrize(
    "options,origin,url",
    [
        ({}, "https://vsrm.dev.azure.com", "https://vsrm.dev.azure.com/acme/Shop/_apis/release/deployments"),
        ({"release_url": "https://rm.example/x/"}, "https://rm.example",
         "https://rm.example/x/acme/Shop/_apis/release/deployments"),
        ({"url": "https://tfs.example/tfs/Default", "organization": ""}, "https://tfs.example",
         "https://tfs.example/tfs/Default/Shop/_apis/release/deployments"),
    ],
)  # fmt: skip
async def test_where_releases_are_and_that_the_credential_may_go_there(
    options: dict[str, Any], origin: str, url: str
) -> None:
    source = azure(kinds=["release"], **options)
    http = FakeHttp(lambda call: Answer.of({"value": []}), options.get("url", URL))
    await read_all(source, http)
    assert source.origins() == (origin,)
    assert [call.url.partition("?")[0] for call in http.calls] == [url]
    assert http.calls[0].param("api-version") == "7.1"


async def test_a_server_of_ones_own_and_names_with_spaces() -> None:
    source = azure(url="https://tfs.example/tfs/Default/", organization="", projects=["My Shop"], kinds=["build"],
                   api_version="7.0")  # fmt: skip
    http = FakeHttp(lambda call: Answer.of({"value": [run(1, _links=None)]}), "https://tfs.example/tfs/Default")
    part = await part_of(None, "build", source, http)
    assert http.calls[0].path == "/tfs/Default/My%20Shop/_apis/build/builds"
    assert http.calls[0].param("api-version") == "7.0"
    assert part.items[0].url == "https://tfs.example/tfs/Default/My%20Shop/_build/results?buildId=1"


def test_how_the_token_is_sent() -> None:
    source = azure()
    assert source.sign(Credentials(token="pat")) == {"Authorization": basic("", "pat")}
    assert source.sign(Credentials(token="eyJ0.e30.x")) == {"Authorization": "Bearer eyJ0.e30.x"}
    assert source.sign(Credentials(username="u", password="p")) == {"Authorization": basic("u", "p")}
    assert source.request_headers()["X-TFS-FedAuthRedirect"] == "Suppress"


@pytest.mark.parametrize(
    "options,message",
    [({"projects": []}, "`projects`"), ({"projects": [""]}, "`projects`"), ({"organization": ""}, "`organization`"),
     ({"organization": "", "url": URL + "/"}, "`organization`"), ({"release_url": "vsrm.x"}, "`release_url`")],
)  # fmt: skip
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        azure(**options)


async def test_a_wrong_project_is_a_fault_and_the_other_is_read() -> None:
    parts = (await read_all(azure(projects=["Shop", "Shpo"]), FakeHttp(Server(), URL))).parts
    assert {part.scope for part in parts if isinstance(part.error, NotFound)} == {
        "Shpo builds", "Shpo releases", "Shpo tickets"}  # fmt: skip
    assert all(part.error is None and part.items for part in parts if part.scope.startswith("Shop "))


# -- builds ------------------------------------------------------------------------------------------------------------


async def build(**fields: Any) -> Build:
    server = Server()
    server.builds = [run(11, **fields)]
    found: Build = (await part_of(server, "build")).items[0]
    return found


async def test_a_run_is_a_build() -> None:
    assert await build(result="failed") == Build(
        key="azure-devops:build:Shop/build/11",
        source="azure-devops",
        title="Fix the till",
        state="failed",
        raw_state="completed/failed",
        pipeline="web/checkout-ci",
        branch="main",
        default_branch="main",
        revision="a" * 40,
        repository="Shop/checkout",
        url=f"{PAGE}/_build/results?buildId=11",
        labels={"build_number": "20260102.11", "folder": "web"},
        actor="Ann",
        trigger="individualCI",
        started_at=datetime(2026, 1, 2, 2, 30, tzinfo=UTC),
        queued_at=datetime(2026, 1, 2, 2, 29, 58, 123456, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 2, 40, tzinfo=UTC),
        ended_at=datetime(2026, 1, 2, 2, 40, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "status,result,state",
    [("notStarted", None, "queued"), ("postponed", "none", "queued"), ("inProgress", None, "running"),
     ("cancelling", None, "running"), ("none", None, "unknown"), ("completed", "succeeded", "success"),
     ("Completed", "PartiallySucceeded", "warning"), ("completed", "failed", "failed"),
     ("COMPLETED", "CANCELED", "cancelled"), ("completed", "none", "unknown"), ("completed", None, "unknown"),
     ("inProgress", "succeeded", "running"), ("archived", "succeeded", "unknown")],
)  # fmt: skip
async def test_states_of_runs(status: str, result: str | None, state: str) -> None:
    assert (await build(status=status, result=result)).state == state


async def test_a_pull_request_is_told_apart_from_the_branch() -> None:
    info = {"pr.number": "17", "pr.title": "Add tips", "pr.sourceBranch": "refs/heads/tips", "pr.sourceSha": "c" * 40}
    pull = await build(sourceBranch="refs/pull/17/merge", triggerInfo=info, reason="pullRequest")
    assert (pull.change, pull.branch, pull.revision) == ("17", "tips", "c" * 40)
    assert pull.title == "Add tips"
    plain = await build(sourceBranch="refs/pull/18/merge", triggerInfo=None)
    assert (plain.change, plain.branch) == ("18", "pull/18/merge")
    assert (await build(sourceBranch="refs/tags/v1")).branch == "tags/v1"


@pytest.mark.parametrize(
    "repository,name",
    [({"type": "GitHub", "id": "acme/checkout"}, "acme/checkout"), ({"type": "TfsGit", "id": "8f1a"}, ""), (None, "")],
)
async def test_repositories(repository: Any, name: str) -> None:
    assert (await build(repository=repository)).repository == name


async def test_why_a_pipeline_could_not_even_start() -> None:
    faults = [{"result": "warning", "message": "old syntax"}, {"result": "error", "message": "no such template"}]
    assert (await build(result="failed", validationResults=faults)).reason == "no such template"


async def test_default_branches_are_asked_for_hourly() -> None:
    source, http = azure(kinds=["build"]), FakeHttp(Server(), URL)
    for _ in range(2):
        await part_of(None, "build", source, http)
    assert sum(call.path.endswith("/definitions") for call in http.calls) == 1
    source.clock.advance(3601)  # type: ignore[attr-defined]
    await part_of(None, "build", source, http)
    assert sum(call.path.endswith("/definitions") for call in http.calls) == 2


async def test_pipelines_of_one_name_in_two_folders_do_not_speak_for_each_other() -> None:
    server = Server()
    other = {"id": 9, "name": "checkout-ci", "path": "\\app\\ios"}
    server.builds = [run(12), run(11, result="failed", definition=other)]
    fine, failed = (await part_of(server, "build")).items
    assert (fine.pipeline, failed.pipeline) == ("web/checkout-ci", "app/ios/checkout-ci")
    assert slot_of(fine) != slot_of(failed)


async def test_every_default_branch_is_read_further_back() -> None:
    server = Server()
    old = run(12, definition={"id": 8, "name": "till"}, sourceBranch="refs/heads/master")
    server.builds = [run(13), old, run(11)]
    http = FakeHttp(server, URL)
    await part_of(None, "build", azure(kinds=["build"], builds=3), http)
    asked = [call.param("branchName") for call in http.calls if call.param("maxBuildsPerDefinition")]
    assert asked == ["refs/heads/main", "refs/heads/master"]


async def test_after_a_gap_the_newest_run_of_each_pipeline_is_read() -> None:
    server = Server()
    source, http = azure(kinds=["build"], builds=3), FakeHttp(server, URL)
    part = await part_of(None, "build", source, http)
    assert "azure-devops:build:Shop/build/2" in {found.key for found in part.items}
    (gap,) = [call for call in http.calls if call.param("maxBuildsPerDefinition")]
    assert gap.param("branchName") == "refs/heads/main"
    http.calls.clear()
    part = await part_of(None, "build", source, http)
    assert [call.path.rpartition("/")[2] for call in http.calls] == ["builds"]
    server.builds = [run(23), run(22), run(21)]  # none of the runs that were known
    await part_of(None, "build", source, http)
    assert [bool(call.param("maxBuildsPerDefinition")) for call in http.calls] == [False, False, True]


# -- classic releases --------------------------------------------------------------------------------------------------


async def release(**fields: Any) -> Release:
    server = Server()
    server.deployments = [{**deployment(79, "succeeded", "Approved"), **fields}]
    found: Release = (await part_of(server, "release")).items[0]
    return found


async def test_a_deployment_is_a_release() -> None:
    assert await release() == Release(
        key="azure-devops:release:Shop/deployment/55/79",
        source="azure-devops",
        title="checkout-cd Release-55 to PROD",
        state="success",
        raw_state="succeeded/Approved",
        environment="PROD",
        target="shop/checkout-cd",
        version="Release-55",
        revision="b" * 40,
        repository="Shop/checkout",
        url=f"{PAGE}/_release?releaseId=55",
        labels={"application": "checkout-cd", "project": "Shop", "build": "20260102.11", "branch": "main"},
        actor="Ann",
        trigger="automated",
        started_at=datetime(2026, 1, 2, 2, 50, 0, 90_000, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 2, 55, 0, 133_000, tzinfo=UTC),
        ended_at=datetime(2026, 1, 2, 2, 55, 0, 133_000, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "status,operation,state",
    [
        ("succeeded", "Approved", "success"),
        ("Succeeded", "pending", "success"),
        ("partiallySucceeded", "approved", "warning"),
        ("failed", "phaseFailed", "failed"),
        ("failed", "canceled", "failed"),
        ("notDeployed", "PhaseFailed", "failed"),
        ("notDeployed", "gateFailed", "failed"),
        ("notDeployed", "pending", "blocked"),
        ("notDeployed", "manualInterventionPending", "blocked"),
        ("notDeployed", "evaluatingGates", "blocked"),
        ("notDeployed", "rejected", "cancelled"),
        ("notDeployed", "canceled", "cancelled"),
        ("notDeployed", "phaseCanceled", "cancelled"),
        ("notDeployed", "queued", "queued"),
        ("notDeployed", "scheduled", "queued"),
        ("notDeployed", "deferred", "queued"),
        ("notDeployed", "approved", "queued"),
        ("notDeployed", "queuedForAgent", "queued"),
        ("NOTDEPLOYED", "QUEUEDFORPIPELINE", "queued"),
        ("undefined", "phaseInProgress", "running"),
        ("undefined", "undefined", "unknown"),
        ("inProgress", "phaseInProgress", "running"),
        ("inProgress", "queuedForAgent", "running"),
        ("inProgress", "phaseSucceeded", "running"),
        ("inProgress", "phasePartiallySucceeded", "running"),
        ("inProgress", "phaseFailed", "running"),
        ("inProgress", "cancelling", "running"),
        ("inProgress", "manualInterventionPending", "blocked"),
        ("inProgress", "dreaming", "unknown"),
        ("notDeployed", "", "unknown"),
        ("postponed", "approved", "unknown"),
        (None, "approved", "unknown"),
    ],
)
async def test_states_of_deployments(status: str | None, operation: str, state: str) -> None:
    assert (await release(deploymentStatus=status, operationStatus=operation)).state == state


async def test_stages_of_one_name_do_not_speak_for_each_other() -> None:
    server = Server()
    other = {"id": 39, "name": "ledger-cd", "path": "\\"}
    server.deployments = [
        deployment(80, "succeeded", "approved"),
        deployment(79, "failed", "phaseFailed", releaseDefinition=other),
    ]
    fine, failed = (await part_of(server, "release")).items
    assert (fine.target, failed.target) == ("shop/checkout-cd", "ledger-cd")
    assert slot_of(fine) != slot_of(failed)


async def test_deployments_are_read_further_back_at_first_and_after_a_gap() -> None:
    server = Server()
    server.deployments = [deployment(number, "succeeded", "approved") for number in range(130, 0, -1)]
    source, http = azure(kinds=["release"], deployments=20), FakeHttp(server, URL)
    assert len((await part_of(None, "release", source, http)).items) == 130
    assert len(http.calls) == 3
    assert len((await part_of(None, "release", source, http)).items) == 20
    assert len(http.calls) == 4
    server.deployments = [deployment(number, "succeeded", "approved") for number in range(160, 0, -1)]
    assert len((await part_of(None, "release", source, http)).items) == 120


# -- environments of YAML pipelines ------------------------------------------------------------------------------------


def yaml(*names: str, **options: Any) -> Source[Any]:
    return azure(kinds=["release"], classic_releases=False, environments=list(names), **options)


async def test_a_job_that_deploys_to_an_environment_is_a_release() -> None:
    part = await part_of(Server(), "release", yaml("*"))
    assert [(found.key.rpartition(":")[2], found.state) for found in part.items] == [
        ("Shop/environment/3/31", "running"),
        ("Shop/environment/3/30", "success"),
        ("Shop/environment/4/29", "failed"),
    ]
    assert part.items[1] == Release(
        key="azure-devops:release:Shop/environment/3/30",
        source="azure-devops",
        title="checkout-ci 20260102.12 to shop-prod",
        state="success",
        raw_state="succeeded",
        environment="shop-prod",
        target="checkout-ci/Production/deploy_eu",
        version="20260102.12",
        url=f"{PAGE}/_build/results?buildId=12",
        labels={"application": "checkout-ci", "project": "Shop", "stage": "Production"},
        started_at=datetime(2026, 1, 2, 2, 50, 0, 100_000, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 2, 55, 0, 100_000, tzinfo=UTC),
        ended_at=datetime(2026, 1, 2, 2, 55, 0, 100_000, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "result,state",
    [("succeeded", "success"), ("SucceededWithIssues", "warning"), ("FAILED", "failed"), ("canceled", "cancelled"),
     ("skipped", "cancelled"), ("abandoned", "failed"), ("vanished", "unknown"), ("", "unknown")],
)  # fmt: skip
async def test_results_of_records(result: str, state: str) -> None:
    server = Server()
    server.records = {3: [{**record(30), "result": result}]}
    part = await part_of(server, "release", yaml("shop-prod"))
    assert part.items[0].state == state
    server.records = {3: [record(30, None, startTime=None)]}
    assert (await part_of(server, "release", yaml("shop-prod"))).items[0].state == "queued"


async def test_jobs_of_one_name_do_not_speak_for_each_other() -> None:
    server = Server()
    us, ledger = {"stageName": "us"}, {"definition": {"id": 8, "name": "ledger-ci"}}
    server.records[3] = [record(33, jobName="deploy"), record(32, "failed", jobName="deploy", **us),
                         record(31, "failed", jobName="__default", stageName="__default", **ledger)]  # fmt: skip
    items = (await part_of(server, "release", yaml("shop-prod"))).items
    assert [item.target for item in items] == ["checkout-ci/Production/deploy", "checkout-ci/us/deploy", "ledger-ci"]
    assert len(set(map(slot_of, items))) == 3


async def test_environments_are_chosen_by_name_and_listed_hourly() -> None:
    source, http = yaml("shop-t*"), FakeHttp(Server(), URL)
    await part_of(None, "release", source, http)
    part = await part_of(None, "release", source, http)
    assert {found.environment for found in part.items} == {"shop-test"}
    asked = [call.path.rpartition("/_apis/")[2] for call in http.calls]
    listing, records = "distributedtask/environments", "distributedtask/environments/4/environmentdeploymentrecords"
    assert asked == [listing, listing, records, records]  # two pages of environments, once


async def test_an_environment_that_is_not_there_is_a_fault_and_the_others_are_read() -> None:
    (part,) = (await read_all(yaml("shop-prod", "shop-pord"), FakeHttp(Server(), URL))).parts
    assert isinstance(part.error, NotFound)
    assert "shop-pord" in str(part.error)
    assert len(part.items) == 2


async def test_environments_are_bounded() -> None:
    server = Server()
    server.environments = [{"id": n, "name": f"e{n}"} for n in range(1, 5)]
    many = {"value": [{"id": n, "name": f"e{n}"} for n in range(1, 30)]}
    with pytest.raises(TooLarge, match="name at most 20"):
        await part_of(lambda call: Answer.of(many), "release", yaml("*"))
    with pytest.raises(TooLarge, match="more than 500 environments"):
        await part_of(lambda call: Answer.of(many, x_ms_continuationtoken="x"), "release", yaml("*"))


async def test_records_in_another_order_are_not_taken_for_the_newest() -> None:
    server = Server()

    def vendor(call: Call) -> Answer:
        if call.path.endswith("/environmentdeploymentrecords"):
            return Answer.of({"value": [record(1), record(2)]}, x_ms_continuationtoken="2")
        return server(call)

    with pytest.raises(BadAnswer, match="newest first"):
        await part_of(vendor, "release", yaml("shop-prod"))


# -- tickets -----------------------------------------------------------------------------------------------------------


async def test_a_work_item_is_a_ticket() -> None:
    server = Server()
    part = await part_of(server, "ticket")
    assert part.items[0] == Ticket(
        key="azure-devops:ticket:Shop/41",
        source="azure-devops",
        title="Item 41",
        state="open",
        raw_state="New",
        priority="2",
        assignee="Ann",
        ticket_id="#41",
        url=f"{PAGE}/_workitems/edit/41",
        labels={"urgent": "", "web": "", "type": "Bug", "area": "Shop\\Web", "iteration": "Shop\\1", "project": "Shop"},
        actor="Bob",
        started_at=datetime(2026, 1, 1, 0, 0, 0, 123_000, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 0, 0, 0, 123_456, tzinfo=UTC),
    )
    assert [found.state for found in part.items] == ["open", "in_progress", "done"]
    assert (part.items[2].reason, part.items[2].ended_at) == ("Fixed", datetime(2026, 1, 2, tzinfo=UTC))


@pytest.mark.parametrize(
    "category,state",
    [("Proposed", "open"), ("InProgress", "in_progress"), ("RESOLVED", "in_progress"), ("completed", "done"),
     ("Removed", "cancelled"), ("Dreamt", "unknown"), (None, "unknown")],
)  # fmt: skip
async def test_a_state_is_told_by_its_category(category: str | None, state: str) -> None:
    server = Server()
    server.items = [item(41, "Klärung")]
    server.types = [{"name": "bug", "states": [{"name": "klärung", "category": category}]}]
    assert (await part_of(server, "ticket")).items[0].state == state


async def test_only_states_that_are_over_for_all_types_are_left_out_of_the_query() -> None:
    server = Server()
    server.types[0]["states"].append({"name": "Won't do", "category": "Removed"})
    await part_of(server, "ticket")
    (query,) = server.queries
    assert "NOT IN ('Closed', 'Removed', 'Won''t do')" in query  # not Resolved: a Bug goes on from there
    assert "[System.TeamProject] = @project" in query
    await part_of(server, "ticket", azure(kinds=["ticket"], query="[System.State] = 'New' OR 1 = 1"))
    assert "@project AND ([System.State] = 'New' OR 1 = 1) ORDER BY" in server.queries[1]


async def test_many_work_items_come_in_batches_of_200_and_the_end_is_told() -> None:
    server = Server()
    server.items = [item(n) for n in range(1, 460)]
    http = FakeHttp(server, URL)
    part = await part_of(None, "ticket", azure(kinds=["ticket"], tickets=450), http)
    assert len(part.items) == 450
    assert sum(call.path.endswith("/workitemsbatch") for call in http.calls) == 3
    assert part.notes == ("Shop: only the 450 work items that changed last are read",)


async def test_work_items_deleted_meanwhile_are_no_fault_unless_all_are() -> None:
    server = Server()
    answers = {"wiql": {"workItems": [{"id": 41}, {"id": 99}]}}

    def vendor(call: Call) -> Answer:
        name = call.path.rpartition("/")[2]
        return Answer.of(answers[name]) if name in answers else server(call)

    assert [found.ticket_id for found in (await part_of(vendor, "ticket")).items] == ["#41"]
    answers["wiql"] = {"workItems": [{"id": 99}]}
    with pytest.raises(BadAnswer, match="none could be read"):
        await part_of(vendor, "ticket")


async def test_states_are_asked_for_hourly_and_sooner_when_one_is_new() -> None:
    server = Server()
    source, http = azure(kinds=["ticket"]), FakeHttp(server, URL)

    async def asked_after(seconds: float) -> int:
        source.clock.advance(seconds)  # type: ignore[attr-defined]
        http.calls.clear()
        await part_of(None, "ticket", source, http)
        return sum(call.path.endswith("/workitemtypes") for call in http.calls)

    assert [await asked_after(0), await asked_after(600)] == [1, 0]
    server.items.append(item(44, "Klärung"))
    assert [await asked_after(0), await asked_after(100), await asked_after(300)] == [1, 0, 1]


async def test_a_failing_query_is_no_sign_in() -> None:
    def vendor(call: Call) -> Answer:
        if call.path.endswith("/wiql"):
            return Answer.of({"message": "TF51005: The query references a field that does not exist"}, 400)
        return Server()(call)

    with pytest.raises(SourceError) as caught:
        await part_of(vendor, "ticket")
    assert not isinstance(caught.value, AuthError)


# -- by id -------------------------------------------------------------------------------------------------------------


async def test_items_are_read_again_by_id() -> None:
    server, source = Server(), azure(environments=["shop-prod"])
    http = FakeHttp(server, URL)
    known = {found.key: found for part in (await read_all(source, http)).parts for found in part.items}
    assert len(known) == 10
    for key, before in known.items():
        _, kind, remote_id = key.split(":", 2)
        after: Any = await source.lookup(kind, remote_id, http)  # type: ignore[arg-type]
        assert (after.key, after.state) == (before.key, before.state)
    again: Any = await source.lookup("release", "Shop/deployment/55/79", http)
    assert (again.ended_at, again.revision) == (datetime(2026, 1, 2, 2, 55, 0, 133_000, tzinfo=UTC), "b" * 40)


async def test_what_is_gone_is_gone() -> None:
    source, http = azure(environments=["shop-prod"]), FakeHttp(Server(), URL)
    for kind, remote_id in (("release", "Shop/deployment/55/1"), ("release", "Shop/environment/3/1"),
                            ("build", "Elsewhere/build/1")):  # fmt: skip
        assert await source.lookup(kind, remote_id, http) is None  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        await source.lookup("build", "Shop/build/999", http)
