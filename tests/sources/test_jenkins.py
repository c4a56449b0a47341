"""Jenkins: folders, multibranch projects, the queue, and what says which branch and commit was built."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import unquote

import httpx
import msgspec
import pytest

from sources.jenkins import Jenkins
from statusboard.client import mock
from statusboard.errors import AuthError, BadAnswer, NotFound, ServerError, TooLarge
from statusboard.model import Build, Part
from statusboard.source import Source
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all

URL = "https://ci.example/jenkins"
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ENDED = datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC)
SHA = "a" * 40
MULTIBRANCH = "org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject"
FOLDER = "com.cloudbees.hudson.plugins.folder.Folder"
PRIMARY = {"_class": "jenkins.scm.api.metadata.PrimaryInstanceMetadataAction"}


def cause(kind: str, **more: Any) -> dict[str, Any]:
    return {"_class": "hudson.model.CauseAction", "causes": [{"_class": kind, "shortDescription": "Started", **more}]}


def git(branch: str = "refs/remotes/origin/main", sha: str = SHA, url: str = "git@host.example:acme/till.git") -> Any:
    revision = {"SHA1": sha, "branch": [{"SHA1": sha, "name": branch}]}
    return {"_class": "hudson.plugins.git.util.BuildData", "lastBuiltRevision": revision, "remoteUrls": [url]}


def build(number: int, result: str | None = "SUCCESS", **more: Any) -> dict[str, Any]:
    return {
        "_class": "org.jenkinsci.plugins.workflow.job.WorkflowRun",
        "number": number,
        "result": result,
        "building": result is None,
        "timestamp": 1767323045000,
        "duration": 0 if result is None else 500,
        "displayName": f"#{number}",
        "description": None,
        "actions": [cause("hudson.model.Cause$UserIdCause", userId="ann", userName="Ann"), {}, git()],
        **more,
    }


def job(name: str, *builds: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "_class": "org.jenkinsci.plugins.workflow.job.WorkflowJob",
        "name": name,
        "color": "blue",
        "buildable": True,
        "disabled": False,
        "queueItem": None,
        "actions": [{}],
        "builds": list(builds),
        **more,
    }


def group(name: str, *jobs: dict[str, Any], kind: str = FOLDER, **more: Any) -> dict[str, Any]:
    return {"_class": kind, "name": name, "actions": [], "jobs": list(jobs), **more}


def project(name: str, *jobs: dict[str, Any]) -> dict[str, Any]:
    return group(name, *jobs, kind=MULTIBRANCH, buildable=True)


def waiting(number: int, **more: Any) -> dict[str, Any]:
    item = {"id": number, "why": "Waiting", "inQueueSince": 1767323045000, "blocked": False, "buildable": False}
    return {"_class": "hudson.model.Queue$WaitingItem", **item, "stuck": False, "actions": [], **more}


class Server:
    """A Jenkins that holds what it is given, and answers the fields and ranges that ``tree`` names."""

    def __init__(self, *jobs: dict[str, Any]) -> None:
        self.root: dict[str, Any] = {"_class": "hudson.model.Hudson", "jobs": list(jobs)}
        self.calls: list[Call] = []
        self.broken: dict[str, int] = {}

    def __call__(self, call: Call) -> Answer:
        self.calls.append(call)
        path = call.path.removeprefix("/jenkins").removesuffix("/api/json")
        if status := self.broken.get(path):
            return Answer(status=status, body=b"<html>Oops</html>", headers={"content-type": "text/html"})
        found, names = self.root, []
        for name in re.findall(r"/job/([^/]+)", path):
            names.append(unquote(name))
            inner = [one for one in found.get("jobs", ()) if one["name"] == names[-1]]
            if not inner:
                return Answer(status=404, body=b"<html>Not Found</html>", headers={"content-type": "text/html"})
            found = inner[0]
        if number := re.search(r"/(\d+)$", path):
            (found,) = [one for one in found["builds"] if one["number"] == int(number[1])] or [{}]
            if not found:
                return Answer(status=404, body=b"<html>Not Found</html>", headers={"content-type": "text/html"})
        return Answer.of(prune(self.named(found, names), parsed(call.param("tree"))[0]), x_jenkins="2.462.3")

    def named(self, thing: Any, names: list[str]) -> Any:
        """With full names and addresses, as they follow from where it lies."""
        if "number" in thing or not isinstance(thing, dict):
            return thing
        path = "".join(f"/job/{name}" for name in names)
        told = {"fullName": "/".join(names), "url": f"{URL}{path}/", **thing}
        if "builds" in thing:
            told["builds"] = [{"url": f"{URL}{path}/{one['number']}/", **one} for one in thing["builds"]]
        if "jobs" in thing:
            told["jobs"] = [self.named(one, [*names, one["name"]]) for one in thing["jobs"]]
        return told


def parsed(tree: str, at: int = 0) -> tuple[dict[str, Any], int]:
    """The fields that a ``tree`` names: by name, what of them, and from where to where."""
    fields: dict[str, Any] = {}
    while at < len(tree) and tree[at] != "]":
        name = re.compile(r"[^,\[\]{}]+").match(tree, at)
        assert name, f"a name is missing in {tree!r} at {at}"
        inner: dict[str, Any] = {}
        at = name.end()
        if tree[at : at + 1] == "[":
            inner, at = parsed(tree, at + 1)
            assert tree[at] == "]"
            at += 1
        if span := re.compile(r"\{(\d+),(\d+)\}").match(tree, at):
            at = span.end()
        fields[name[0]] = (inner, slice(int(span[1]), int(span[2])) if span else slice(None))
        at += tree[at : at + 1] == ","
    return fields, at


def prune(thing: Any, fields: dict[str, Any]) -> Any:
    if not isinstance(thing, dict):
        return thing
    told = {"_class": thing["_class"]} if "_class" in thing else {}
    for name, (inner, span) in fields.items():
        if name in thing:
            value = thing[name]
            told[name] = [prune(one, inner) for one in value[span]] if isinstance(value, list) else prune(value, inner)
    return told


def example() -> Server:
    return Server(
        job("till", build(7, None), build(6, "FAILURE"), queueItem=waiting(90, buildable=True)),
        group(
            "acme",
            project(
                "checkout",
                job("main", build(2, "UNSTABLE"), build(1), actions=[PRIMARY]),
                job("PR-12", build(1, "ABORTED"), actions=[{"contributor": "bob", "objectDisplayName": "Fix it"}]),
            ),
        ),
    )


class TestContract(SourceContract):
    source = Jenkins
    options: ClassVar = {"url": URL, "parameters": ["STAGE"]}
    state_fields = ("result", "building")
    time_fields = ("timestamp", "inQueueSince")
    # The class says what the jobs in a project are; and where no item of the queue is told of, none waits.
    id_fields = ("number", "fullName", "id", "name", "_class", "queueItem")

    def vendor(self, call: Call) -> Answer:
        branch = job("main", build(2, "ABORTED"), actions=[PRIMARY])
        till = job("till", build(7, None), build(6, "FAILURE"), queueItem=waiting(90, buildable=True))
        return Server(till, project("checkout", branch))(call)


def jenkins(**options: Any) -> Source[Any]:
    return make_source(Jenkins, {"url": URL, **options})


async def parts(server: Server, source: Source[Any] | None = None, **options: Any) -> dict[str, Part]:
    snapshot = await read_all(source or jenkins(**options), FakeHttp(server, URL))
    return {part.scope: part for part in snapshot.parts}


async def items(server: Server, source: Source[Any] | None = None, **options: Any) -> dict[str, Build]:
    """Every item by the end of its key; any error is raised."""
    found = await parts(server, source, **options)
    for part in found.values():
        if part.error:
            raise part.error
    return {item.key.removeprefix("jenkins:build:"): item for part in found.values() for item in part.items}  # type: ignore[misc]


async def one(*builds: dict[str, Any], number: int = 1, **options: Any) -> Build:
    """The build of a job that stands alone, among others."""
    return (await items(Server(job("till", *builds)), **options))[f"till#{number}"]


# -- builds ------------------------------------------------------------------------------------------------------------


async def test_a_build() -> None:
    assert (await one(build(1, "FAILURE", description='see <a href="x">the log</a>'))) == Build(
        key="jenkins:build:till#1",
        source="jenkins",
        title="till",
        description="see  the log",
        state="failed",
        raw_state="FAILURE",
        pipeline="till",
        run_number=1,
        branch="main",
        revision=SHA,
        repository="acme/till",
        url=f"{URL}/job/till/1/",
        links={"log": f"{URL}/job/till/1/console"},
        actor="Ann",
        trigger="user",
        started_at=WHEN,
        updated_at=ENDED,
        ended_at=ENDED,
    )


@pytest.mark.parametrize(
    "result,building,state",
    [("SUCCESS", False, "success"), ("Success", False, "success"), ("UNSTABLE", False, "warning"),
     ("unstable", False, "warning"), ("FAILURE", False, "failed"), ("failure", False, "failed"),
     ("NOT_BUILT", False, "skipped"), ("Not_Built", False, "skipped"), ("ABORTED", False, "cancelled"),
     ("aborted", False, "cancelled"), (None, True, "running"), ("FAILURE", True, "running"),
     (None, False, "unknown"), ("SPLENDID", False, "unknown"), ("SUCCESS", None, "unknown")],
)  # fmt: skip
async def test_results(result: str | None, building: bool | None, state: str) -> None:
    assert (await one(build(1, result, building=building))).state == state


async def test_a_running_build_has_no_end() -> None:
    item = await one(build(1, None, duration=0))
    assert (item.started_at, item.updated_at, item.ended_at, item.raw_state) == (WHEN, None, None, "building")


async def test_a_duration_that_is_none() -> None:
    for duration in (0, -5, 10**15, None):
        assert (await one(build(1, duration=duration))).ended_at is None


@pytest.mark.parametrize(
    "kind,more,trigger,actor",
    [
        ("hudson.model.Cause$UserIdCause", {"userId": "ann", "userName": None}, "user", "ann"),
        ("hudson.triggers.TimerTrigger$TimerTriggerCause", {}, "schedule", ""),
        ("hudson.triggers.SCMTrigger$SCMTriggerCause", {}, "poll", ""),
        ("jenkins.branch.BranchIndexingCause", {}, "branch indexing", ""),
        ("jenkins.branch.BranchEventCause", {}, "push", ""),
        ("com.cloudbees.jenkins.GitHubPushCause", {"shortDescription": "Started by GitHub push by eve"}, "push", "eve"),
        ("org.example.SirenCause", {"shortDescription": "Started by a siren"}, "siren", ""),
        (None, {}, "", ""),
    ],
)
async def test_triggers_and_actors(kind: Any, more: dict[str, Any], trigger: str, actor: str) -> None:
    item = await one(build(1, actions=[None, cause(kind, **more)]))
    assert (item.trigger, item.actor) == (trigger, actor)


async def test_what_was_started_by_another_build() -> None:
    upstream = cause("hudson.model.Cause$UpstreamCause", upstreamProject="acme/lib", upstreamBuild=3)
    item = await one(build(1, actions=[upstream]))
    assert (item.trigger, item.labels) == ("upstream", {"upstream": "acme/lib#3"})


async def test_a_build_with_a_name_of_its_own() -> None:
    assert (await one(build(1, displayName="1.4.2 to eu"))).title == "1.4.2 to eu"


async def test_parameters_are_asked_for_and_shown_by_name_only() -> None:
    given = [{"name": "STAGE", "value": "prod"}, {"name": "SKIP", "value": True}, {"name": "SECRET", "value": "s3cret"}]
    server = Server(job("till", build(1, actions=[{"parameters": given}])))
    assert (await items(server))["till#1"].labels == {}
    assert not any("parameters" in call.param("tree") for call in server.calls)
    assert (await items(server, parameters=["STAGE", "SKIP"]))["till#1"].labels == {"STAGE": "prod", "SKIP": "true"}


# -- branches and commits ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name,branch",
    [("refs/remotes/origin/main", "main"), ("origin/main", "main"), ("main", "main"), ("refs/heads/main", "main"),
     ("origin/release/1.4", "release/1.4"), ("release/1.4", "release/1.4"), ("detached", ""), ("HEAD", "")],
)  # fmt: skip
async def test_the_branch_of_a_job_that_stands_alone(name: str, branch: str) -> None:
    assert (await one(build(1, actions=[git(name)]))).branch == branch


@pytest.mark.parametrize(
    "url,repository",
    [("git@host.example:acme/till.git", "acme/till"), ("https://host.example/acme/till.git", "acme/till"),
     ("https://ann:s3cret@host.example:8443/acme/sub/till", "acme/sub/till"), ("ssh://git@host.example/till", "till"),
     ("https://bb.example/scm/acme/till.git", "acme/till"), ("https://[bad", ""), ("", "")],
)  # fmt: skip
async def test_the_repository(url: str, repository: str) -> None:
    assert (await one(build(1, actions=[git(url=url)]))).repository == repository


async def test_a_build_that_failed_before_its_checkout_is_of_the_same_line() -> None:
    """Else its failure would stay for ever: nothing would follow it in a line of its own."""
    found = await items(Server(job("till", build(2), build(1, "FAILURE", actions=[]))))
    assert {(item.branch, item.repository, item.pipeline) for item in found.values()} == {("main", "acme/till", "till")}
    assert found["till#1"].revision == ""


async def test_a_job_of_many_branches_is_one_line() -> None:
    """In Jenkins a job stands as its last build does: a branch that was merged is never built again."""
    server = Server(job("till", build(2), build(1, "FAILURE", actions=[git("origin/topic", url="x:y/z")])))
    found = await items(server)
    assert {(item.branch, item.default_branch, item.repository) for item in found.values()} == {("", "", "")}
    assert [item.labels for item in found.values()] == [{"branch": "main"}, {"branch": "topic"}]


async def test_with_a_default_branch_a_job_of_many_branches_has_many_lines() -> None:
    rows = [build(3, "FAILURE", actions=[]), build(2), build(1, "FAILURE", actions=[git("origin/topic")])]
    found = await items(Server(job("till", *rows)), default_branch="main")
    assert [(item.branch, item.default_branch) for item in found.values()] == [
        ("main", "main"),  # it might have been of it
        ("main", "main"),
        ("topic", "main"),
    ]


async def test_pull_requests_in_a_single_job() -> None:
    for text in (
        "GitHub pull request #17 of commit abc, no merge conflicts.",
        "Triggered by GitLab Merge Request #17: x",
    ):
        action = cause("org.jenkinsci.plugins.ghprb.GhprbCause", shortDescription=text)
        assert (await one(build(1, actions=[action]))).change == "17"


async def multibranch(*jobs: dict[str, Any], **options: Any) -> dict[str, Build]:
    return await items(Server(project("checkout", *jobs)), **options)


async def test_branches_of_a_multibranch_project() -> None:
    found = await multibranch(
        job("main", build(2, "FAILURE"), actions=[PRIMARY, {"objectUrl": "https://host.example/acme/till/tree/main"}]),
        job("feature%2Flogin", build(1)),
    )
    main, topic = found["checkout/main#2"], found["checkout/feature%2Flogin#1"]
    assert (main.title, main.pipeline, main.branch, main.default_branch) == ("checkout", "checkout", "main", "main")
    assert main.links["branch"] == "https://host.example/acme/till/tree/main"
    assert (topic.branch, topic.default_branch, topic.change) == ("feature/login", "main", "")


async def test_the_default_branch_of_the_host_comes_before_that_of_the_options() -> None:
    plain, told = job("trunk", build(1)), job("trunk", build(1), actions=[PRIMARY])
    assert (await multibranch(plain))["checkout/trunk#1"].default_branch == ""
    assert (await multibranch(plain, default_branch="main"))["checkout/trunk#1"].default_branch == "main"
    assert (await multibranch(told, default_branch="main"))["checkout/trunk#1"].default_branch == "trunk"


@pytest.mark.parametrize(
    "name,metadata,change",
    [
        ("PR-12", {}, "12"),
        ("PR-12-merge", {}, "12"),
        ("MR-7-head", {}, "7"),
        ("mr-7", {}, "7"),
        ("topic", {"contributor": "eve", "objectUrl": "https://host.example/acme/till/pull/9"}, "9"),
        ("topic", {"contributor": "eve", "objectUrl": "https://host.example/r/-/merge_requests/9"}, "9"),
        ("topic", {"contributor": "eve"}, "topic"),
        ("topic", {"objectUrl": "https://host.example/acme/till/pull/9"}, ""),
        ("PR-x", {}, ""),
    ],
)
async def test_pull_requests_of_a_multibranch_project(name: str, metadata: dict[str, Any], change: str) -> None:
    assert (await multibranch(job(name, build(1), actions=[metadata])))[f"checkout/{name}#1"].change == change


async def test_who_opened_a_pull_request_and_what_for() -> None:
    page = "https://host.example/acme/till/pull/12"
    told = {"contributor": "eve", "contributorDisplayName": "Eve", "objectDisplayName": "Fix it", "objectUrl": page}
    found = await multibranch(
        job("PR-12", build(1, actions=[cause("jenkins.branch.BranchEventCause")]), actions=[told])
    )
    item = found["checkout/PR-12#1"]
    assert (item.title, item.actor, item.links["change"]) == ("Fix it", "Eve", page)


async def test_the_commit_is_that_of_the_project_not_of_its_libraries() -> None:
    library = git("main", "b" * 40, "https://host.example/acme/library")
    own = git("main", "c" * 40, "https://host.example/acme/checkout")
    by_branch = [library, own]
    by_hash = [{"revision": {"hash": "c" * 40}}, own, library]
    for actions in (by_branch, by_hash):
        item = (await multibranch(job("main", build(1, actions=actions))))["checkout/main#1"]
        assert (item.revision, item.repository) == ("c" * 40, "acme/checkout")
    neither = [git("x", "b" * 40), git("y", "c" * 40)]
    item = (await multibranch(job("main", build(1, actions=neither))))["checkout/main#1"]
    assert (item.revision, item.repository) == ("", "")


# -- the queue ---------------------------------------------------------------------------------------------------------


async def test_a_build_that_waits() -> None:
    item = waiting(90, buildable=True, why="Waiting for an executor on ‘linux’", actions=[cause("x.TimerTriggerCause")])
    found = await items(Server(job("till", build(1), queueItem=item)))
    assert found["queue/90"] == Build(
        key="jenkins:build:queue/90",
        source="jenkins",
        title="till",
        state="queued",
        raw_state="buildable",
        reason="Waiting for an executor on ‘linux’",
        pipeline="till",
        branch="main",
        repository="acme/till",
        url=f"{URL}/job/till/",
        trigger="schedule",
        started_at=WHEN,
    )


@pytest.mark.parametrize(
    "more,word,reason",
    [
        ({"why": "In the quiet period. Expires in 4.8 sec"}, "waiting", ""),
        ({"blocked": True, "why": "Build #5 is already in progress (ETA: 3 min 2 sec)"}, "blocked",
         "Build #5 is already in progress"),
        ({"buildable": True, "stuck": True, "why": "‘linux’ is offline"}, "stuck", "‘linux’ is offline"),
    ],
)  # fmt: skip
async def test_why_it_waits_without_what_moves(more: dict[str, Any], word: str, reason: str) -> None:
    item = (await items(Server(job("till", queueItem=waiting(90, **more)))))["queue/90"]
    assert (item.raw_state, item.reason) == (word, reason)


# -- folders and jobs --------------------------------------------------------------------------------------------------


async def test_a_part_for_each_folder_with_one_request_each() -> None:
    server = example()
    found = await parts(server)
    assert {name: len(part.items) for name, part in found.items()} == {"top level builds": 3, "acme builds": 3}
    assert {part.reach for part in found.values()} == {"complete"}
    assert [call.path for call in server.calls] == [
        "/jenkins/api/json",  # which folders there are
        "/jenkins/api/json",
        "/jenkins/job/acme/api/json",
    ]
    assert all("builds[" in call.param("tree") and "{0,5}" in call.param("tree") for call in server.calls[1:])


async def test_folders_are_looked_for_every_five_minutes() -> None:
    server, source = example(), jenkins()
    await parts(server, source)
    await parts(server, source)
    assert len(server.calls) == 5
    source.clock.advance(301)  # type: ignore[attr-defined]
    await parts(server, source)
    assert len(server.calls) == 8


async def test_a_new_folder_is_read_by_the_next_poll_but_one() -> None:
    server, source = Server(job("till", build(1))), jenkins()
    await parts(server, source)
    server.root["jobs"].append(group("acme", job("web", build(1))))
    await parts(server, source)
    assert set(await parts(server, source)) == {"top level builds", "acme builds"}


async def test_empty_folders_are_not_looked_for_again_and_again() -> None:
    server, source = Server(job("till", build(1)), group("old", group("older"))), jenkins()
    for _ in range(3):
        await parts(server, source)
    assert len(server.calls) == 4


async def test_folders_of_both_kinds_have_parts_of_their_own() -> None:
    server = Server(group("acme", group("tools", job("lint", build(1))), project("checkout", job("main", build(1)))))
    found = await parts(server)
    assert set(found) == {"acme/tools builds", "acme/checkout builds"}
    (item,) = found["acme/checkout builds"].items
    assert (item.key, item.pipeline, item.branch) == ("jenkins:build:acme/checkout/main#1", "acme/checkout", "main")  # type: ignore[union-attr]


async def test_a_project_with_very_many_branches_is_read_by_itself() -> None:
    server = Server(group("acme", project("checkout", *(job(f"b{number}", build(1)) for number in range(301)))))
    found = await parts(server)
    assert {name: len(part.items) for name, part in found.items()} == {"acme/checkout builds": 301}
    assert {item.pipeline for item in found["acme/checkout builds"].items} == {"acme/checkout"}  # type: ignore[union-attr]


async def test_folders_of_any_depth() -> None:
    inner = group("f9", job("deep", build(1)), group("f10", job("deeper", build(1))))
    for number in range(8, 0, -1):
        inner = group(f"f{number}", inner)
    path = "/".join(f"f{number}" for number in range(1, 10))
    assert set(await items(Server(inner))) == {f"{path}/deep#1", f"{path}/f10/deeper#1"}


async def test_too_many_folders() -> None:
    with pytest.raises(TooLarge, match="folders"):
        await parts(Server(*(group(f"f{number}", job("x")) for number in range(201))))


async def test_only_the_folders_that_are_named() -> None:
    server = Server(job("till"), group("a", job("x", build(1)), group("b", job("y", build(1)))), group("c", job("z")))
    assert set(await parts(server, folders=["/a/"])) == {"a builds", "a/b builds"}
    assert "/jenkins/api/json" not in {call.path for call in server.calls}


async def test_a_folder_that_is_not_there_harms_no_other() -> None:
    found = await parts(Server(group("a", job("x", build(1)))), folders=["a", "b"])
    assert [len(found["a builds"].items), found["a builds"].error] == [1, None]
    assert isinstance(found["b builds"].error, NotFound)


async def test_only_the_jobs_that_are_named() -> None:
    server = example()
    found = await parts(server, jobs=["till", "acme/checkout", "acme/nothing"])
    assert {name: len(part.items) for name, part in found.items()} == {
        "till builds": 3,
        "acme/checkout builds": 3,
        "acme/nothing builds": 0,
    }
    assert isinstance(found["acme/nothing builds"].error, NotFound)
    assert [call.path for call in server.calls] == [
        "/jenkins/job/till/api/json",
        "/jenkins/job/acme/job/checkout/api/json",
        "/jenkins/job/acme/job/nothing/api/json",
    ]
    assert found["acme/checkout builds"].items[0].branch == "main"  # type: ignore[union-attr]


async def test_the_name_of_a_branch_is_encoded_once_more_in_a_path() -> None:
    server = Server(project("checkout", job("feature%2Flogin", build(1))))
    assert set(await items(server, jobs=["checkout/feature%2Flogin"])) == {"checkout/feature%2Flogin#1"}
    assert server.calls[0].path == "/jenkins/job/checkout/job/feature%252Flogin/api/json"


async def test_a_folder_under_jobs_and_a_job_under_folders_are_said_to_be() -> None:
    found = await parts(example(), jobs=["acme"])
    assert "name it under `folders`" in str(found["acme builds"].error)
    with pytest.raises(BadAnswer, match="name jobs under `jobs`"):
        await parts(example(), folders=["till"])


async def test_disabled_jobs_and_dead_branches_are_left_out() -> None:
    off = [job("a", build(1), disabled=True), job("b", build(1), color="disabled_anime", disabled=None)]
    external = job("c", build(1), buildable=False)  # never built by Jenkins, only told to it
    dead = project("d", job("gone", build(1), buildable=False), job("main", build(1)))
    assert set(await items(Server(*off, external, dead))) == {"c#1", "d/main#1"}


async def test_what_is_no_job_is_no_fault() -> None:
    assert set(await items(Server(job("till", build(1)), {"_class": "x.Thing", "name": "thing"}))) == {"till#1"}


async def test_a_job_that_cannot_be_read_costs_only_itself() -> None:
    odd = [job("a", build(1), color=7), job("b", build(1), build(2, timestamp=[]), build(3))]
    found = await parts(Server(job("till", build(1)), *odd))
    part = found["top level builds"]
    assert [item.key.removeprefix("jenkins:build:") for item in part.items] == ["till#1", "b#1", "b#3"]
    assert isinstance(part.error, BadAnswer)


async def test_a_server_without_any_job_is_a_fault() -> None:
    for server in (Server(), Server(group("acme"))):
        with pytest.raises(NotFound, match="no job that this credential may see"):
            await parts(server)


async def test_what_vanishes_from_view_is_a_fault() -> None:
    server, source = Server(job("till", build(1))), jenkins()
    await parts(server, source)
    server.root["jobs"] = []
    assert isinstance((await parts(server, source))["top level builds"].error, NotFound)


async def test_when_folders_cannot_be_looked_for_the_known_ones_are_read() -> None:
    server, source = example(), jenkins()
    await parts(server, source)
    source.clock.advance(301)  # type: ignore[attr-defined]
    server.broken[""] = 500
    found = await parts(server, source)
    assert isinstance(found["top level builds"].error, ServerError)
    assert found["acme builds"].error is None


async def test_running_builds_that_newer_ones_push_out_are_read_to_their_end() -> None:
    till = job("till", build(2, None), build(1, None))
    server, source = Server(till), jenkins(builds=2)
    await parts(server, source)
    till["builds"] = [build(4), build(3), build(2, None), build(1, "FAILURE")]
    found = await items(server, source)
    assert [found[f"till#{number}"].state for number in (4, 3, 2, 1)] == ["success", "success", "running", "failed"]
    till["builds"][2:] = [build(2)]
    found = await items(server, source)
    assert set(found) == {"till#4", "till#3", "till#2"}
    del till["builds"][2:]
    assert set(await items(server, source)) == {"till#4", "till#3"}


async def test_a_running_build_that_was_deleted_is_gone() -> None:
    till = job("till", build(1, None))
    server, source = Server(till), jenkins(builds=1)
    await parts(server, source)
    till["builds"] = [build(2)]
    assert set(await items(server, source)) == {"till#2"}


# -- addresses, credentials, options -----------------------------------------------------------------------------------


async def test_no_jenkins_at_the_address() -> None:
    with pytest.raises(NotFound, match="root of a Jenkins"):
        await jenkins().scopes(FakeHttp(lambda call: Answer(status=404), URL))
    with pytest.raises(BadAnswer, match="not what Jenkins answers"):
        await jenkins().scopes(FakeHttp(lambda call: Answer.of({"message": "hello"}), URL))


@pytest.mark.parametrize(
    "first",
    [
        httpx.Response(
            403, html="<html><meta http-equiv='refresh' content='1;url=/login'/>Authentication required</html>"
        ),
        httpx.Response(401),
        httpx.Response(302, headers={"location": "/login"}),
        httpx.Response(302, headers={"location": "https://sso.example/authorize"}),
    ],
)
async def test_sign_in_pages_and_refusals_are_auth_failures(first: httpx.Response) -> None:
    def server(request: httpx.Request) -> httpx.Response:
        return first if request.url.path.endswith("/api/json") else httpx.Response(200, html="<html>Sign in</html>")

    source = jenkins(username="env:NAME", token="env:SECRET")
    client = mock(source, server, environ={"NAME": "ann", "SECRET": "s3cret"})
    with pytest.raises(AuthError):
        await source.poll(client.factory)


@pytest.mark.parametrize(
    "options,header",
    [
        ({"username": "env:NAME", "token": "env:SECRET"}, "Basic YW5uOnMzY3JldA=="),
        ({"username": "env:NAME", "password": "env:SECRET"}, "Basic YW5uOnMzY3JldA=="),
        ({}, None),
    ],
)
async def test_credentials(options: dict[str, str], header: str | None) -> None:
    seen: list[httpx.Request] = []
    server = example()

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        answer = server(Call(method=request.method, url=str(request.url)))
        return httpx.Response(answer.status, content=answer.body, headers=answer.headers)

    source = jenkins(**options)
    client = mock(source, handle, environ={"NAME": "ann", "SECRET": "s3cret"})
    snapshot = await source.poll(client.factory)
    assert [part.error for part in snapshot.parts] == [None, None]
    assert {request.headers.get("authorization") for request in seen} == {header}
    assert {str(request.url).partition("?")[0] for request in seen} == {f"{URL}/api/json", f"{URL}/job/acme/api/json"}


@pytest.mark.parametrize(
    "options,field",
    [
        ({"jobs": ["https://ci.example/job/till"]}, "jobs"),
        ({"jobs": ["job/till"]}, "jobs"),
        ({"folders": ["acme/job/checkout"]}, "folders"),
        ({"folders": [" "]}, "folders"),
        ({"token": "env:SECRET"}, "username"),
        ({"username": "env:NAME"}, "token"),
        ({"builds": 0}, "builds"),
        ({"builds": 51}, "builds"),
    ],
)
def test_options_are_checked(options: dict[str, Any], field: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=field):
        jenkins(**options)


# -- the last verdict --------------------------------------------------------------------------------------------------


async def test_a_failure_stays_while_only_aborted_and_running_builds_follow() -> None:
    aborted = [build(number, "ABORTED") for number in range(9, 3, -1)]
    till = job("till", build(10, None), *aborted, build(3, "FAILURE"), build(2))
    server, source = Server(till), jenkins(builds=2)
    for _ in range(2):
        part = (await parts(server, source))["top level builds"]
        assert part.reach == "complete"
        assert {item.key: item.state for item in part.items} == {
            "jenkins:build:till#10": "running",
            "jenkins:build:till#9": "cancelled",
            "jenkins:build:till#3": "failed",
        }
    assert sum("/job/till/" in call.path for call in server.calls) == 1
    till["builds"].insert(0, build(11))
    assert set(await items(server, source)) == {"till#11", "till#10"}


async def test_a_verdict_that_running_builds_have_pushed_out_need_not_be_looked_for() -> None:
    till = job("till", build(3, "FAILURE"), build(2))
    server, source = Server(till), jenkins(builds=1)
    assert set(await items(server, source)) == {"till#3"}
    till["builds"].insert(0, build(4, None))
    assert set(await items(server, source)) == {"till#4", "till#3"}
    assert not any("/job/till/" in call.path for call in server.calls)


async def test_the_default_branch_is_not_lost_behind_others_of_the_same_job() -> None:
    others = [build(number, actions=[git("origin/feature")]) for number in range(9, 3, -1)]
    requested = build(10, actions=[cause("org.Cause", shortDescription="GitHub pull request #7 of commit x"), git()])
    server = Server(job("till", requested, *others, build(3, "FAILURE"), build(2)))
    found = await items(server, builds=3, default_branch="main")
    assert {name: item.state for name, item in found.items()} == {
        "till#10": "success", "till#9": "success", "till#8": "success", "till#3": "failed"}  # fmt: skip


async def test_while_not_every_job_was_looked_at_nothing_leaves_the_board() -> None:
    jobs = [job(f"job{n}", build(3, "ABORTED"), build(2, "ABORTED"), build(1, "FAILURE")) for n in range(25)]
    server, source = Server(*jobs), jenkins(builds=1)
    first = (await parts(server, source))["top level builds"]
    assert (first.reach, sum(item.state == "failed" for item in first.items)) == ("window", 20)
    second = (await parts(server, source))["top level builds"]
    assert (second.reach, sum(item.state == "failed" for item in second.items)) == ("complete", 25)
