"""The past of Drone and Woodpecker: builds and deployments, page by page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

import pytest

from sources.drone import Drone
from sources.woodpecker import Woodpecker
from statusboard.clock import FakeClock
from statusboard.errors import BadAnswer, NotFound
from statusboard.model import Build, Release
from statusboard.source import Past, history_of, scopes_of
from statusboard.testing import Answer, Call, FakeHttp, HistoryContract, make_source
from tests.sources import test_drone, test_woodpecker
from tests.sources.pasts import NOW, unix


def times(hours: float) -> dict[str, Any]:
    """Made so many hours before now, and done half an hour later."""
    return {"created": unix(hours), "started": unix(hours - 0.1), "finished": unix(hours - 0.5)}


class DroneServer(test_drone.Server):
    """Every tenth build is a promotion."""

    def __init__(self, count: int = 900, every: float = 2) -> None:
        super().__init__()
        self.builds = [
            (test_drone.promotion if n % 10 == 9 else test_drone.build)(count - n, **times(every * n + 1))
            for n in range(count)
        ]

    def __call__(self, call: Call) -> Answer:
        assert int(call.param("per_page", "1")) <= 100, "it would give 25"
        return super().__call__(call)


class WoodpeckerServer(test_woodpecker.Server):
    """Every tenth pipeline is a deployment; ``filters``: these can be asked for alone."""

    def __init__(self, *, filters: bool = True) -> None:
        super().__init__()
        self.filters = filters
        self.pipelines = [
            (test_woodpecker.deployment if n % 10 == 9 else test_woodpecker.pipeline)(900 - n, **times(2 * n + 1))
            for n in range(900)
        ]
        if not filters:
            self.pipelines = [test_woodpecker.old(row) for row in self.pipelines]


class TestDrone(HistoryContract):
    source = Drone
    options: ClassVar = {"url": test_drone.URL, "repos": (test_drone.REPO,)}
    expected = 360
    server: ClassVar = DroneServer()

    def vendor(self, call: Call) -> Answer:
        return self.server(call)


class TestWoodpecker(HistoryContract):
    source = Woodpecker
    options: ClassVar = {"url": test_woodpecker.URL, "repos": (test_woodpecker.REPO,)}
    expected = 360
    server: ClassVar = WoodpeckerServer()

    def vendor(self, call: Call) -> Answer:
        return self.server(call)


async def pages_of(server: Any, kind: str, *, drone: bool = True, cursor: str = "", days: int = 30) -> list[Past]:
    """The pages of a repository's builds or releases back to the horizon, or from a cursor on."""
    of = test_drone if drone else test_woodpecker
    options = {"url": of.URL, "repos": [of.REPO], "kinds": [kind]}
    source = make_source(Drone if drone else Woodpecker, options, FakeClock(NOW))
    http, since = FakeHttp(server, of.URL), NOW - timedelta(days=days)
    (scope,) = await scopes_of(source, http)
    pages: list[Past] = []
    while not pages or pages[-1].older:
        cursor = pages[-1].older if pages else cursor
        pages.append(await history_of(source, scope, http, since=since, cursor=cursor))
        if pages[-1].reached is not None and pages[-1].reached <= since:
            break
    return pages


async def test_what_was_built_and_what_was_deployed() -> None:
    server = DroneServer()
    builds = await pages_of(server, "build")
    assert [page.older for page in builds] == ["2", "3", "4", "5"]
    assert all(isinstance(item, Build) for page in builds for item in page.items)
    assert len(builds[0].items) == 90
    first = builds[0].items[0]
    assert (first.started_at, first.ended_at) == (
        NOW - timedelta(hours=0.9), NOW - timedelta(hours=0.5)
    )  # fmt: skip
    releases = await pages_of(server, "release")
    assert all(isinstance(item, Release) and item.environment == "production" for p in releases for item in p.items)
    assert [len(page.items) for page in releases] == [10] * 4


async def test_builds_between_two_deployments_are_no_end() -> None:
    server = DroneServer(700, every=1)
    server.builds = [row for row in server.builds if row["event"] == "push"][:600]
    server.builds.append(test_drone.promotion(1, **times(701)))
    pages = await pages_of(server, "release")
    assert [len(page.items) for page in pages] == [0] * 6 + [1]
    reached = [page.reached for page in pages]
    assert None not in reached and reached == sorted(reached, reverse=True)  # type: ignore[type-var]


@pytest.mark.parametrize("filters", [True, False])
async def test_deployments_of_woodpecker_are_asked_for_alone_where_it_can_be_done(filters: bool) -> None:
    """Also of servers before 3.0, which list all of them, under other names of times."""
    pages = await pages_of(WoodpeckerServer(filters=filters), "release", drone=False)
    items = {item.key: item for page in pages for item in page.items if (NOW - (item.ended_at or NOW)).days < 30}
    assert len(items) == 36 and all(isinstance(item, Release) for item in items.values())
    assert len(pages) == (1 if filters else 8)


async def test_a_list_that_ends_with_a_full_page() -> None:
    pages = await pages_of(DroneServer(200, every=1), "build")
    assert [(len(page.items), page.older) for page in pages] == [(90, "2"), (90, "3"), (0, "")]


async def test_new_builds_in_front_leave_nothing_out() -> None:
    server = DroneServer(300, every=1)
    first = (await pages_of(server, "build", days=1))[0]
    server.builds[:0] = [test_drone.build(300 + n, **times(0.6)) for n in range(30, 0, -1)]
    rest = await pages_of(server, "build", cursor=first.older)
    keys = {item.key for page in (first, *rest) for item in page.items}
    assert keys >= {f"drone:build:{test_drone.REPO}/{n}" for n in range(1, 301) if (300 - n) % 10 != 9}


async def test_a_restart_is_told_as_one() -> None:
    server = DroneServer(0)
    server.builds = [
        test_drone.build(3, **times(2)),
        test_drone.build(2, parent=1, **times(3)),
        test_drone.build(1, "failure", **times(4)),
    ]
    (page,) = await pages_of(server, "build")
    third, again, failed = page.items
    assert isinstance(again, Build) and (again.attempt, again.state) == (2, "success")
    assert [item.ended_at for item in (third, again, failed)] == [NOW - timedelta(hours=h) for h in (1.5, 2.5, 3.5)]


async def test_rows_and_repositories_that_cannot_be_read_are_said() -> None:
    server = DroneServer(0)
    server.builds = [test_drone.build(2, **times(2)), test_drone.build(1, event="", **times(3)), {"number": {}}]
    (page,) = await pages_of(server, "build")
    assert [item.key for item in page.items] == [f"drone:build:{test_drone.REPO}/2"]
    assert isinstance(page.error, BadAnswer)
    server.repository["active"] = False
    with pytest.raises(NotFound, match="not activated"):
        await pages_of(server, "build")
