"""Metrics out of a store: on every road that facts take into it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from statusboard.catalog import Catalog
from statusboard.diff import draft, removal
from statusboard.measuring import Input, Measure
from statusboard.metrics import Report, Scope, goals_of, window_of
from statusboard.metrics.windows import days_of
from statusboard.model import Annotation, Incident, Kind, Origin, Release
from statusboard.store.base import Backfilled, Batch, Bundle, Lease, Store, Watched
from statusboard.store.memory import MemoryStore
from statusboard.store.sqlite import SQLiteStore
from tests.metrics.kit import DAYS, NOW, T0, at, incident, release, verdict

CD = Input(source="cd", kinds=frozenset({"release"}))
AM = Input(source="am", kinds=frozenset({"incident"}))


class Board:
    """A store that is fed as by polls, and what measures it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.lease: Lease | None = None
        self.measure = self.anew()

    def anew(self, **more: Any) -> Measure:
        return Measure(self.store, Catalog(), **{"inputs": (CD, AM), **more})

    async def put(self, hours: float, *facts: Release | Incident | Annotation, origin: Origin = "poll") -> None:
        self.lease = await self.store.lease("poll", "test")
        drafts = tuple(draft(None, fact, part="all", origin=origin) for fact in facts)
        await self.store.append(Batch(observed_at=at(hours), drafts=drafts), self.lease)

    async def watch(self, source: str, since: float, until: float, part: str = "all") -> None:
        self.lease = await self.store.lease("poll", "test")
        for hours in (since, until):
            watched = Watched(source=source, part=part, at=at(hours), gap=(until - since) * 3_600 + 1)
            await self.store.append(Batch(observed_at=at(hours), watched=(watched,)), self.lease)

    async def report(self, days: int = DAYS + 1, scope: Scope | None = None, now: datetime = NOW) -> Report:
        return await self.measure.report(scope or Scope(), days, now)


@pytest.fixture(params=["memory", "sqlite"])
async def board(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    store: Store = MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "store.sqlite")
    await store.open()
    yield Board(store)
    await store.close()


async def watched(board: Board) -> None:
    for source in ("cd", "am"):
        await board.watch(source, -24 * 120, 24 * DAYS)


async def test_what_is_new_is_taken_in(board: Board):
    await watched(board)
    await board.put(10, release(1, "1.0", 10))
    assert [(n.value, n.n) for n in (await board.report()).numbers[3:]] == [(0.0, 1), (0.0, 1)]
    await board.put(11, incident(1, 10.2, None))
    assert (await board.report())["change_fail_rate"].value == 1.0
    assert (await board.report())["recovery_time"].value is None
    await board.put(12, incident(1, 10.2, 1))
    assert (await board.report())["recovery_time"].value == 3_600.0
    await board.put(13, release(2, "1.1", 13, state="running", ended_at=None))
    assert (await board.report())["change_fail_rate"].n == 1
    await board.put(14, release(2, "1.1", 14))
    assert (await board.report())["change_fail_rate"].value == 0.5


async def test_kept_up_to_date_is_the_same_as_read_anew(board: Board):
    await watched(board)
    steps: list[Release | Incident | Annotation] = []
    for n in range(40):
        steps.append(release(n, f"1.{n % 7}", 12 * n, state="failed" if n % 9 == 4 else "success"))
        if n % 3 == 0:
            steps.append(incident(n, 12 * n + 0.3, 2))
            if n % 2:
                steps.append(verdict(steps[-1], steps[-2], "suspect_dismissed"))  # type: ignore[arg-type]
    for place, fact in enumerate(steps):
        await board.put(place * 6, fact)
        if place % 5 == 0:
            await board.report()
    assert await board.report() == await board.anew().report(Scope(), DAYS + 1, NOW)


async def test_what_has_left_the_board_counts_still(board: Board):
    await watched(board)
    gone = release(1, "1.0", 10)
    await board.put(10, gone)
    await board.store.append(Batch(observed_at=at(80), drafts=(removal(gone, "expired"),)), board.lease)
    assert (await board.report())["deployment_frequency"].n == 1


async def test_an_incident_that_is_taken_off_the_board_is_withdrawn(board: Board):
    await watched(board)
    fired = incident(1, 10.2, None)
    await board.put(11, release(1, "1.0", 10), fired)
    assert (await board.report())["recovery_time"].why == "none of the failed deployments has recovered"
    await board.store.append(Batch(observed_at=at(12), drafts=(removal(fired, "withdrawn"),)), board.lease)
    (failed,) = (await board.report())["change_fail_rate"].behind
    assert [link.episode.fate for link in failed.links] == ["withdrawn"] and not failed.open


async def test_an_alert_that_fires_anew_leaves_its_first_episode_without_an_end(board: Board):
    await watched(board)
    await board.put(11, release(1, "1.0", 10), incident(1, 10.2, None))
    await board.report()
    await board.put(300, incident(1, 299, None))
    counted = await board.report()
    assert [link.episode.fate for link in counted["change_fail_rate"].behind[0].links] == ["unclear"]
    assert [episode.fate for episode in counted.unlinked.episodes] == ["open"]


async def test_another_start_of_what_is_open_is_the_same_episode(board: Board):
    await watched(board)
    await board.put(11, release(1, "1.0", 10), incident(1, 10.2, None))
    await board.report()
    await board.put(12, incident(1, 10.1, None))
    (failed,) = (await board.report())["change_fail_rate"].behind
    assert [link.episode.began for link in failed.links] == [at(10.1)]


async def test_a_verdict_outlives_the_incidents_place_on_the_board(board: Board):
    await watched(board)
    deployed, fired = release(1, "1.0", 10), incident(1, 200, 1)
    said = verdict(fired, deployed)
    await board.put(11, deployed, fired)
    await board.store.append(Batch(observed_at=at(202), drafts=(draft(None, said, origin="person"),)))
    assert (await board.report())["change_fail_rate"].linked.confirmed == 1
    await board.store.append(Batch(observed_at=at(300), drafts=(removal(said, "expired"),)), board.lease)
    assert (await board.anew().report(Scope(), DAYS + 1, NOW))["change_fail_rate"].linked.confirmed == 1
    back = replace(said, state="withdrawn")
    await board.store.append(Batch(observed_at=at(301), drafts=(draft(None, back, origin="person"),)))
    assert (await board.report())["change_fail_rate"].value == 0.0


async def test_what_was_backfilled_counts_and_what_it_covers_too(board: Board):
    await board.watch("cd", 24 * 20, 24 * DAYS)
    await board.watch("am", 24 * 20, 24 * DAYS)
    await board.put(24 * DAYS, release(1, "1.0", 24 * 25))
    assert (await board.report())["deployment_frequency"].covered.days == pytest.approx(8.0, abs=0.01)
    filled = Backfilled(source="cd", part="all", until=at(24 * 21), since=at(-24 * 90), done=True)
    old = draft(None, release(2, "0.9", 24 * 5), part="all", origin="backfill")
    await board.store.append(Batch(observed_at=at(24 * DAYS), drafts=(old,), backfilled=(filled,)), board.lease)
    counted = await board.report()
    assert counted["deployment_frequency"].n == 2 and counted["deployment_frequency"].covered.whole
    rate = counted["change_fail_rate"]  # nothing was read back of the incidents
    assert rate.n == 1 and rate.covered.days == pytest.approx(8.0, abs=0.01)


async def test_nights_without_a_board_hide_no_release_but_incidents(board: Board):
    for day in range(-60, DAYS):
        for source in ("cd", "am"):
            await board.watch(source, 24 * day + 8, 24 * day + 18)
    await board.put(24 * DAYS - 1, release(1, "1.0", 24 * 10 + 3), release(2, "1.1", 24 * 10 + 12))
    counted = await board.report()
    assert counted["deployment_frequency"].n == 2 and counted["deployment_frequency"].covered.days > DAYS - 1
    assert counted["change_fail_rate"].n == 1
    assert counted["change_fail_rate"].covered.days == pytest.approx(DAYS * 10 / 24, abs=0.5)


async def test_a_part_that_tells_of_nothing_here_does_not_matter(board: Board):
    await watched(board)
    await board.watch("cd", 24 * 20, 24 * 21, part="another repository")
    await board.put(10, release(1, "1.0", 10))
    assert (await board.report())["deployment_frequency"].covered.whole


async def test_sources_of_other_teams_and_optional_ones_are_not_waited_for(board: Board):
    await watched(board)
    await board.put(10, release(1, "1.0", 10))
    others = [Input(source="x", kinds=frozenset({"incident"}), team="storefront")]
    others += [Input(source="y", kinds=frozenset({"incident"}), optional=True)]
    board.measure = board.anew(inputs=(CD, AM, *others))
    assert (await board.report(scope=Scope(team="payments")))["change_fail_rate"].covered.whole
    assert (await board.report())["change_fail_rate"].why == "nothing of this window was watched"
    board.measure = board.anew(inputs=(CD,))
    assert (await board.report())["change_fail_rate"].why == "no source tells of releases or incidents here"


async def test_goals_are_judged_by_the_numbers_of_their_team(board: Board):
    await watched(board)
    await board.put(11, release(1, "1.0", 10), incident(1, 10.2, 1))
    config = {"payments": {"change_fail_rate": "<= 15%", "lead_time": "1d"}, "nobody": {"rework_rate": "5%"}}
    board.measure = board.anew(goals=goals_of(config))
    reports = await board.measure.by_team(DAYS + 1, NOW)
    told = [(r.scope.team, [(j.goal.metric, j.met) for j in r.goals]) for r in reports]
    assert told == [
        ("nobody", [("rework_rate", None)]),
        ("payments", [("change_fail_rate", False), ("lead_time", None)]),
    ]
    assert not (await board.report(scope=Scope(service="checkout"))).goals


async def test_a_new_day_and_another_store_begin_anew(board: Board):
    await watched(board)
    await board.put(10, release(1, "1.0", 10))
    assert (await board.report())["deployment_frequency"].n == 1
    assert (await board.report(days=3, now=T0 + timedelta(days=20)))["deployment_frequency"].n == 0
    other = MemoryStore()
    board.measure.store = other
    assert (await board.report())["deployment_frequency"].value is None


async def test_a_longer_window_than_is_kept_ready(board: Board):
    await watched(board)
    await board.put(10, release(1, "1.0", -24 * 150), release(2, "1.1", 10))
    await board.report()
    assert (await board.report(days=180))["deployment_frequency"].covered.days < 150
    board.measure = board.anew(inputs=())
    assert (await board.report(days=180)).window.days == 180


async def test_a_body_that_cannot_be_read_harms_no_number(board: Board):
    await watched(board)
    good = draft(None, release(1, "1.0", 10), part="all")
    bad = replace(draft(None, release(2, "1.1", 11), part="all"), body=b'{"kind":"release"}')
    board.lease = await board.store.lease("poll", "test")
    await board.store.append(Batch(observed_at=at(11), drafts=(good, bad)), board.lease)
    assert (await board.report())["deployment_frequency"].n == 1


async def test_by_service_leaves_out_what_has_done_nothing(board: Board):
    await watched(board)
    web = release(2, "1.0", 10, services=("web",), team="storefront")
    await board.put(10, release(1, "1.0", 10), web, incident(1, 300, 1, services=("db",)))
    reports = await board.measure.by_service(DAYS + 1, NOW)
    assert [report.scope.service for report in reports] == ["checkout", "db", "web"]
    assert [r.scope.service for r in await board.measure.by_service(2, NOW)] == []


async def test_a_number_over_time_has_gaps_where_nobody_watched(board: Board):
    await board.watch("cd", 24 * 26, 24 * DAYS)
    await board.put(24 * 27, release(1, "1.0", 24 * 26 + 3))
    await board.report(days=5)
    spans = days_of(window_of(5, NOW))
    assert board.measure.over(Scope(), "deployment_frequency", spans) == (None, None, 1.0, 0.0)
    assert board.measure.over(Scope(), "change_fail_rate", spans) == (None, None, None, None)


async def test_two_who_ask_at_once_get_the_same(board: Board):
    await watched(board)
    await board.put(10, *(release(n, f"1.{n}", 10 + n) for n in range(30)))
    one, two = await asyncio.gather(board.report(), board.report())
    assert one == two and one["deployment_frequency"].n == 30


class Growing(MemoryStore):
    """One in which more comes in while somebody reads."""

    def __init__(self, board: list[Batch]) -> None:
        super().__init__()
        self.coming = board
        self.held: Lease | None = None

    async def bundled(self, kind: Kind, **more: Any) -> list[Bundle]:
        found = await super().bundled(kind, **more)
        if found and self.coming:
            await self.append(self.coming.pop(0), self.held)
        return found


async def test_a_word_that_comes_in_while_all_is_read_is_not_missed():
    failed = draft(None, release(1, "1.0", 10, state="failed"), part="all")
    later = draft(None, release(3, "1.2", 24 * 27), part="all")
    store = Growing([Batch(observed_at=NOW, drafts=(failed, later))])
    await store.open()
    board = Board(store)
    await watched(board)
    await board.put(24 * 27, release(1, "1.0", 10), release(2, "1.1", 24 * 20))
    store.held = board.lease
    assert [(n.value, n.n) for n in (await board.report()).numbers[3:4]] == [(0.0, 3)]
    assert [(n.value, n.n) for n in (await board.report()).numbers[3:4]] == [(1 / 3, 3)]
