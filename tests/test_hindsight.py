"""Metrics at past moments: what was told then is told of then."""

from __future__ import annotations

from datetime import datetime, timedelta

from statusboard.catalog import Catalog
from statusboard.clock import FakeClock
from statusboard.diff import draft, removal
from statusboard.hindsight import Hindsight
from statusboard.measuring import Measure
from statusboard.metrics import Report, Scope
from statusboard.model import Release
from statusboard.rewind import Past
from statusboard.store.base import Backfilled, Batch
from tests.metrics.kit import DAYS, NOW, at, incident, release, verdict
from tests.test_measuring import AM, CD, Board, board  # noqa: F401 - a fixture

SCOPES = (Scope(), Scope(service="checkout"), Scope(team="payments"))


async def told(measure: Measure, now: datetime) -> list[Report]:
    return [await measure.report(scope, days, now) for scope in SCOPES for days in (DAYS, 7)]


async def known(board: Board, now: datetime) -> Hindsight:  # noqa: F811
    past = await Past.open(board.store, now, clock=FakeClock(NOW + timedelta(days=9)))
    return Hindsight(board.store, past.seq, now, past.board.rows)


async def reread(board: Board, now: datetime) -> list[Report]:  # noqa: F811
    return await told(Measure(await known(board, now), Catalog(), inputs=(CD, AM)), now)


async def test_the_numbers_of_a_past_moment_are_those_that_were_told_then(board: Board) -> None:  # noqa: F811
    then: dict[datetime, list[Report]] = {}
    for source in ("cd", "am"):
        await board.watch(source, -24 * 120, 0)
    for n in range(1, 13):
        hours = n * 24.0
        shipped = release(n, f"1.{n % 5}", hours, state="running" if n % 2 else "success")
        fired = incident(n, hours + 0.2, None)
        await board.put(hours + 1, shipped, fired)
        if n % 2:  # its end comes later, and with it another word
            await board.put(hours + 2, release(n, f"1.{n % 5}", hours, state="failed" if n % 3 else "success"))
        if n % 3 == 0:
            said = verdict(fired, shipped, "suspect_dismissed")
            await board.store.append(Batch(observed_at=at(hours + 3), drafts=(draft(None, said, origin="person"),)))
        if n % 4 == 0:
            await board.put(hours + 4, incident(n - 1, hours - 24 + 0.2, 20))
            gone = (removal(incident(n, hours + 0.2, None), "withdrawn"),)
            await board.store.append(Batch(observed_at=at(hours + 5), drafts=gone), board.lease)
        for source in ("cd", "am"):
            await board.watch(source, hours - 24, hours + 6)
        then[at(hours + 6)] = await told(board.anew(), at(hours + 6))
    filled = Backfilled(source="cd", part="all", until=at(24 * 20), since=at(-24 * 300), done=True)
    old = draft(None, release(99, "0.9", -24 * 2), part="all", origin="backfill")
    await board.store.append(Batch(observed_at=at(24 * 20), drafts=(old,), backfilled=(filled,)), board.lease)
    assert any(report["change_fail_rate"].value for reports in then.values() for report in reports)
    for now, reports in then.items():
        assert await reread(board, now) == reports
        assert await (await known(board, now)).filled_later()
    assert not await (await known(board, NOW)).filled_later()


async def test_what_was_read_back_later_covers_no_time_of_before(board: Board) -> None:  # noqa: F811
    for source in ("cd", "am"):
        await board.watch(source, 24 * 10, 24 * DAYS)

    def page(number: int, day: float, observed: float) -> Batch:
        item: Release = release(number, f"0.{number}", 24 * day)
        stretch = Backfilled(source="cd", part="all", until=at(24 * 11), since=at(24 * day))
        drafts = (draft(None, item, part="all", origin="backfill"),)
        return Batch(observed_at=at(observed), drafts=drafts, backfilled=(stretch,))

    await board.put(24 * 10, release(1, "1.0", 24 * 10))
    await board.store.append(page(2, 8, 24 * 11 + 1), board.lease)
    await board.store.append(page(3, 2, 24 * 11 + 2), board.lease)
    days = [
        report["deployment_frequency"].covered.days
        for hours in (0.5, 1.5, 2.5)
        for report in [(await reread(board, at(24 * 11 + hours)))[0]]
    ]
    assert [round(found, 1) for found in days] == [1.0, 3.1, 9.1]
