"""The past of Octopus Deploy and Spinnaker: deployments by when they were made."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

import pytest

from sources.octopus import IDS_AT_ONCE, Octopus
from sources.spinnaker import Spinnaker
from statusboard.clock import FakeClock
from statusboard.errors import BadAnswer, NotFound, ServerError
from statusboard.model import Release
from statusboard.source import Past, Source, history_of, scopes_of
from statusboard.testing import Answer, Call, FakeHttp, HistoryContract, make_source
from tests.sources import test_octopus, test_spinnaker
from tests.sources.pasts import NOW, at, unix


async def pages_of(source: Source[Any], server: Any, url: str, *, days: int = 30, cursor: str = "") -> list[Past]:
    """The pages of the first scope back to the horizon, or from a cursor on."""
    http, since = FakeHttp(server, url), NOW - timedelta(days=days)
    scope = (await scopes_of(source, http))[0]
    pages: list[Past] = []
    while not pages or pages[-1].older:
        cursor = pages[-1].older if pages else cursor
        pages.append(await history_of(source, scope, http, since=since, cursor=cursor))
        if pages[-1].reached is not None and pages[-1].reached <= since:
            break
    return pages


def releases(pages: list[Past]) -> list[Release]:
    return [item for page in pages for item in page.items if isinstance(item, Release)]


# -- Octopus Deploy --------------------------------------------------------------------------------------------------


class OctopusServer(test_octopus.Server):
    """A deployment every eight hours; a page holds ``most`` of them."""

    def __init__(self, count: int = 130, most: int = 100) -> None:
        super().__init__()
        self.most = most
        self.deployments, self.tasks, self.shown = [], {}, []
        for n in range(count):
            self.add(1000 - n, 8 * n + 2)

    def add(self, number: int, hours: float, **task: Any) -> None:
        times = {"QueueTime": at(hours), "StartTime": at(hours), "CompletedTime": at(hours - 1)}
        self.deployments.append(test_octopus.deployment(number, Created=at(hours)))
        self.tasks[number] = {"Id": f"ServerTasks-{number}", **test_octopus.TASK, **times, **task}

    def __call__(self, call: Call) -> Answer:
        if call.path.endswith("/deployments") and not call.param("ids"):
            first, count = int(call.param("skip")), min(int(call.param("take")), self.most)
            some = self.deployments[first : first + count]
            return Answer.of({"Items": some, "TotalResults": len(self.deployments)})
        return super().__call__(call)

    def named(self, what: str, ids: list[str]) -> list[dict[str, Any]]:
        assert len(ids) <= IDS_AT_ONCE
        if what == "releases":
            return [{"Id": id, "Version": id.replace("Releases-", "1.")} for id in ids]
        assert what == "tasks"
        numbers = [int(id.rpartition("-")[2]) for id in ids]
        return [self.tasks[number] for number in numbers if number in self.tasks]


class TestOctopus(HistoryContract):
    source = Octopus
    options: ClassVar = {"url": test_octopus.URL}
    expected = 90
    server: ClassVar = OctopusServer()

    def vendor(self, call: Call) -> Answer:
        return self.server(call)


def octopus(**options: Any) -> Source[Any]:
    return make_source(Octopus, {"url": test_octopus.URL, **options}, FakeClock(NOW))


async def test_octopus_may_give_fewer_at_once() -> None:
    found = await pages_of(octopus(spaces=["payments"]), OctopusServer(most=30), test_octopus.URL, days=90)
    assert [page.older for page in found] == ["30", "60", "90", "120", ""]
    assert len({item.key for item in releases(found)}) == 130


async def test_a_deployment_of_octopus_as_it_went() -> None:
    server = OctopusServer(0)
    server.add(3, 2, State="Failed", ErrorMessage="step 2 failed")
    server.add(2, 5, HasWarningsOrErrors=True)
    (page,) = await pages_of(octopus(), server, test_octopus.URL)
    failed, warned = releases([page])
    assert failed.key == "octopus:release:Spaces-1/Deployments-3"
    assert (failed.state, failed.reason, failed.version) == ("failed", "step 2 failed", "1.3")
    assert (failed.environment, failed.target, warned.state) == ("Production", "Checkout", "warning")
    assert (failed.started_at, failed.ended_at) == (NOW - timedelta(hours=2), NOW - timedelta(hours=1))
    assert (page.reached, page.error, page.notes) == (NOW - timedelta(hours=5), None, ())


async def test_new_deployments_of_octopus_leave_nothing_out() -> None:
    server = OctopusServer(120)
    first = (await pages_of(octopus(), server, test_octopus.URL, days=1))[0]
    assert first.older == "100"
    server.deployments[:0] = [test_octopus.deployment(2000 + n, Created=at(0.5)) for n in range(7, 0, -1)]
    rest = await pages_of(octopus(), server, test_octopus.URL, cursor=first.older)
    told = {item.key.rpartition("-")[2] for item in releases([first, *rest])}
    assert {str(1000 - n) for n in range(120)} <= told


async def test_what_octopus_no_longer_knows_is_said() -> None:
    server = OctopusServer(2)
    del server.tasks[1000]
    server.deployments.append({"Id": "Deployments-1", "Created": {}, "ReleaseId": []})
    (page,) = await pages_of(octopus(), server, test_octopus.URL)
    assert [item.state for item in releases([page])] == ["unknown", "success"]
    assert page.notes == ("how some deployments went is not told: their tasks are gone",)
    assert isinstance(page.error, BadAnswer)


# -- Spinnaker -------------------------------------------------------------------------------------------------------


def ran(number: int, hours: float, status: str = "SUCCEEDED", **more: Any) -> dict[str, Any]:
    """An execution that was asked for so many hours before now, and took half an hour."""
    begin = unix(hours) * 1000
    times = {"buildTime": begin - 1000, "startTime": begin, "endTime": begin + 1_800_000}
    return test_spinnaker.execution(number, status, **{**times, **more})


class SpinnakerServer(test_spinnaker.Server):
    """Executions within a span of times, newest first."""

    def __init__(self, *executions: dict[str, Any]) -> None:
        super().__init__()
        self.executions = list(executions)

    def __call__(self, call: Call) -> Answer:
        if not call.path.endswith("/executions/search"):
            return super().__call__(call)
        assert call.param("expand") == "false"
        low, high = int(call.param("triggerTimeStartBoundary")), int(call.param("triggerTimeEndBoundary") or 2**63 - 1)
        found = [row for row in self.executions if low <= row["buildTime"] <= high]
        found.sort(key=lambda row: -int(row["buildTime"]))
        first, size = int(call.param("startIndex")), int(call.param("size"))
        return Answer.of(found[first : first + size] if "/checkout/" in call.path else [])


class TestSpinnaker(HistoryContract):
    source = Spinnaker
    options: ClassVar = {"url": test_spinnaker.URL, "applications": ["checkout"], "pipelines": ["Deploy*"]}
    expected = 180
    server: ClassVar = SpinnakerServer(
        *[ran(900 - n, 2 * n + 1, pipeline="Nightly" if n % 2 else "Deploy") for n in range(600)]
    )

    def vendor(self, call: Call) -> Answer:
        return self.server(call)


def spinnaker(**options: Any) -> Source[Any]:
    given = {"url": test_spinnaker.URL, "applications": ["checkout"], **options}
    return make_source(Spinnaker, given, FakeClock(NOW))


async def test_an_execution_of_spinnaker_as_it_went() -> None:
    trial = ran(2, 4, trigger={"dryRun": True})
    server = SpinnakerServer(ran(3, 3, "TERMINAL"), trial, ran(1, 5))
    (page,) = await pages_of(spinnaker(), server, test_spinnaker.URL)
    failed, good = releases([page])
    assert (failed.key, failed.state) == ("spinnaker:release:checkout/01KE3", "failed")
    assert (good.state, good.environment, good.version) == ("success", "prod", "1.4.2")
    assert (good.started_at, good.ended_at) == (NOW - timedelta(hours=5), NOW - timedelta(hours=4.5))
    assert (page.reached, page.error) == (NOW - timedelta(hours=5, seconds=1), None)


async def test_more_executions_of_one_second_than_a_page_holds() -> None:
    server = SpinnakerServer(ran(500, 1), *[ran(n, 5) for n in range(1, 221)], ran(501, 9))
    pages = await pages_of(spinnaker(), server, test_spinnaker.URL)
    assert len({item.key for item in releases(pages)}) == 222
    second = "2026-02-28T18:59:59Z"
    assert [page.older for page in pages] == [f"{second} 1", f"{second} 2", f"{second} 3", ""]


async def test_new_executions_of_spinnaker_move_nothing() -> None:
    server = SpinnakerServer(*[ran(n, n) for n in range(1, 151)])
    first = (await pages_of(spinnaker(), server, test_spinnaker.URL, days=9))[0]
    server.executions += [ran(1_000 + n, 0.5) for n in range(20)]
    rest = await pages_of(spinnaker(), server, test_spinnaker.URL, cursor=first.older)
    assert {item.key.rpartition("KE")[2] for item in releases([first, *rest])} == {str(n) for n in range(1, 151)}


async def test_an_application_without_a_past_and_one_that_is_none() -> None:
    (page,) = await pages_of(spinnaker(), SpinnakerServer(), test_spinnaker.URL)
    assert (page.items, page.older) == ((), "")
    with pytest.raises(NotFound):
        await pages_of(spinnaker(applications=["chekcout"]), SpinnakerServer(), test_spinnaker.URL)


async def test_without_where_pipelines_deploy_to_there_is_no_past() -> None:
    def server(call: Call) -> Answer:
        if call.path.endswith("/pipelineConfigs"):
            return Answer(status=500)
        return SpinnakerServer(ran(1, 5))(call)

    with pytest.raises(ServerError):
        await pages_of(spinnaker(), server, test_spinnaker.URL)
