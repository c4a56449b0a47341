"""What changed, in words, and the feed of it: in order, whole, bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusboard.clock import to_us
from statusboard.diff import draft, removal
from statusboard.model import SEVERITIES, STATES, Change, Draft, Fact, PartError, Release
from statusboard.presenting import ASCII, UNICODE
from statusboard.presenting.timeline import day_cells, entry_cells, sign_of
from statusboard.query import parse
from statusboard.screens.feed import PAGE, BoardAround, Feed, entries_since
from statusboard.store.base import Batch, digest_of
from statusboard.store.memory import MemoryStore
from statusboard.timeline import Around, Entry, entry_of
from tests.boards import FACTS, NOW, ago, board_of, build, health, incident, note, release, ticket


def flag(state: str = "success", **more: Any) -> Release:
    return release(1, state, **{"type": "configuration", "setting": "new-basket", "version": "on", **more})


def changed(
    before: Fact | None, after: Fact | None, *, seen: float = 0, before_seen: float = 30, origin: Any = "poll"
) -> tuple[Change, Change | None]:
    """The change from one fact to the next, seen so many minutes ago, and the one before it."""
    previous = None
    if before is not None:
        previous = _change(1, draft(None, before), before_seen, None)
    made = draft(before, after, origin=origin) if after is not None else removal(before, "withdrawn")  # type: ignore[arg-type]
    return _change(2, made, seen, 1 if before is not None else None), previous


def _change(seq: int, made: Draft, minutes: float, prev: int | None) -> Change:
    return Change(
        seq=seq,
        observed_at=ago(minutes),
        key=made.key,
        kind=made.kind,
        source=made.source,
        type=made.type,
        origin=made.origin,
        body=made.body,
        body_hash=b"" if made.body is None else digest_of(made.key, made.body),
        time=made.time,
        prev_seq=prev,
    )


def words(before: Fact | None, after: Fact | None, around: Around | None = None) -> str | None:
    entry = entry_of(*changed(before, after), around or Around())
    return entry.words if entry is not None else None


RUN = build(7, "running")


@pytest.mark.parametrize(
    "before,after,told",
    [
        (None, build(7, "queued"), "build queued on main"),
        (build(7, "queued"), RUN, "build started on main"),
        (build(7, "blocked"), RUN, "build resumed on main"),
        (RUN, build(7, "success"), "build succeeded on main"),
        (RUN, build(7, "failed", change="12"), "build failed on #12"),
        (RUN, build(7, "failed", fork="eve"), "build failed on eve:main"),
        (RUN, build(7, "failed", fork="eve", change="unknown"), "build failed on eve:main"),
        (build(7, "failed"), build(7, "running", attempt=2, verdict="failed"), "build started again on main"),
        (
            build(7, "running", attempt=2, verdict="failed"),
            build(7, "success", attempt=2),
            "build succeeded on main (was failed)",
        ),
        (None, build(7, "cancelled", branch="", default_branch=""), "build was cancelled"),
        (RUN, build(7, "unknown"), "build on main cannot be read any more"),
        (None, incident(1, severity="critical"), "critical incident opened"),
        (None, incident(1), "incident opened"),
        (incident(1, "pending"), incident(1), "incident opened"),
        (incident(1), incident(1, "acknowledged", acknowledged_by="ann"), "incident acknowledged by ann"),
        (incident(1), incident(1, "suppressed", suppressed_by="silence 7"), "incident suppressed by silence 7"),
        (incident(1, "suppressed"), incident(1), "incident no longer suppressed"),
        (incident(1, "acknowledged"), incident(1), "incident no longer acknowledged"),
        (incident(1), incident(1, "resolved", ended_at=ago(2)), "incident resolved after 8m"),
        (
            incident(1),
            incident(1, "resolved", ended_at=ago(0), approximate=True),
            "incident resolved after 10m (seen gone)",
        ),
        (incident(1, "resolved"), incident(1, started_at=ago(1)), "incident opened again"),
        (incident(1), incident(1, started_at=ago(1)), "incident opened again"),
        (incident(1, severity="low"), incident(1, severity="high"), "incident now high (was low)"),
        (incident(1), incident(1, assignee="bob"), "incident assigned to bob"),
        (release(1, "running"), release(1), "release 1.0 to production succeeded"),
        (release(1, "running"), release(1, previous_version="0.9"), "release 1.0 to production succeeded (was 0.9)"),
        (None, release(1, "failed"), "release 1.0 to production failed"),
        (release(1), release(1, "rolled_back"), "release 1.0 to production was rolled back"),
        (None, release(1, type="publication"), "1.0 published"),
        (None, flag(), "setting new-basket in production is on"),
        (flag("running"), flag(previous_version="off"), "setting new-basket in production is on (was off)"),
        (None, flag(version="", environment=""), "setting new-basket has changed"),
        (None, flag("failed"), "setting new-basket in production failed"),
        (None, ticket(5), "ticket T-5 opened"),
        (ticket(5), ticket(5, "in_progress", assignee="ann"), "ticket T-5 taken up by ann"),
        (ticket(5), ticket(5, "done"), "ticket T-5 done"),
        (ticket(5, "done"), ticket(5), "ticket T-5 opened again"),
        (ticket(5, "in_progress"), ticket(5), "ticket T-5 put back"),
        (ticket(5, priority="low"), ticket(5, priority="high"), "ticket T-5 priority low -> high"),
        (ticket(5), ticket(5, assignee="ann"), "ticket T-5 assigned to ann"),
        (health("ci"), health("ci", "stale"), "ci is stale (was fresh)"),
        (health("ci", "aging"), health("ci", "stale"), "ci is stale"),
        (None, health("ci", "down"), "ci is down"),
        (health("ci", "down"), health("ci"), "ci is read again (was down)"),
        (health("ci"), health("ci", "paused"), "ci is paused (was fresh)"),
        (health("ci"), None, "ci is no longer configured"),
        (None, note(RUN, "flaky", author="ann"), "ann noted"),
        (None, note(RUN, "", author="ann", what="ack"), "ann acknowledged"),
        (note(RUN, "x", author="ann"), note(RUN, "x", author="ann", state="withdrawn"), "ann took back a note"),
        (RUN, None, "build no longer there (was running)"),
    ],
)
def test_what_happened_in_words(before: Fact | None, after: Fact | None, told: str):
    assert words(before, after) == told


@pytest.mark.parametrize(
    "before,after",
    [
        (RUN, build(7, "running", title="Fix it better", labels={"a": "b"})),
        (incident(1), incident(1, labels={"pod": "x"}, updated_at=ago(1))),
        (incident(1, "resolved"), incident(1, "resolved", ended_at=ago(1))),
        (release(1), release(1, commits=4)),
        (release(1), release(1, "inactive")),
        (ticket(5), ticket(5, updated_at=ago(1))),
        (None, health("ci", "starting")),
        (health("ci", "starting"), health("ci")),
        (health("ci"), health("ci", "aging")),
        (health("ci", "aging"), health("ci")),
        (health("ci", "partial"), health("ci", "partial", error="x")),
        (note(RUN, "x"), note(RUN, "x", updated_at=ago(1))),
        (incident(1, "resolved"), None),
        (note(RUN, "x"), None),
    ],
)
def test_what_is_no_news(before: Fact | None, after: Fact | None):
    assert words(before, after) is None


def test_what_expires_is_no_news():
    change, previous = changed(build(7, "failed"), None)
    expired = msgspec.structs.replace(change, type="build.expired")
    assert entry_of(change, previous) is not None and entry_of(expired, previous) is None


def test_a_build_is_compared_with_the_run_before_it():
    older = build(6, "success", started_at=ago(30))
    board = board_of(build(5, "failed", started_at=ago(60)), older, build(8, "failed", started_at=ago(1)), RUN)
    around = BoardAround(board)
    assert words(RUN, build(7, "failed"), around) == "build failed on main (was success)"
    assert words(RUN, build(7, "success"), around) == "build succeeded on main"
    entry = entry_of(*changed(RUN, build(7, "failed")), around)
    assert entry is not None and entry.event == "failed" and entry.fault
    mended = entry_of(*changed(build(6, "running", started_at=ago(30)), older), around)
    assert mended is not None and mended.event == "mended" and mended.words.endswith("(was failed)")


def test_what_people_said_is_told_of_its_item():
    target = incident(3, title="Disk full", services=("shop",))
    entry = entry_of(*changed(None, note(target, "on it", author="ann")), BoardAround(board_of(target)))
    assert entry is not None
    assert (entry.key, entry.about, entry.service, entry.by) == (target.key, "on it (Disk full)", "shop", "ann")


def test_why_a_source_is_not_read():
    entry = entry_of(*changed(health("ci"), health("ci", "partial", errors=(PartError(part="a/b", error="404"),))))
    assert entry is not None and entry.about == "a/b: 404" and entry.event == "lost" and entry.fault


# -- when


@pytest.mark.parametrize(
    "before,after,minutes",
    [
        (RUN, build(7, "failed", ended_at=ago(4)), 4),
        (None, incident(1, started_at=ago(8)), 8),
        (incident(1), incident(1, "acknowledged", acknowledged_at=ago(6)), 6),
        (incident(1), incident(1, "acknowledged"), 3),  # when it began is not when it was taken on
        (RUN, build(7, "failed", ended_at=ago(-5)), 3),  # ahead of us
        (RUN, build(7, "failed", ended_at=ago(90)), 3),  # before it ran
        (None, build(7, "failed", ended_at=ago(90)), 90),
        (None, incident(1, started_at=None), 3),
    ],
)
def test_when_it_happened(before: Fact | None, after: Fact, minutes: float):
    entry = entry_of(*changed(before, after, seen=3))
    assert entry is not None and entry.at == ago(minutes) and entry.seen_at == ago(3)
    assert entry.late is (minutes > 60)


def test_what_was_backfilled_was_learned_later():
    entry = entry_of(*changed(None, build(7, "failed", ended_at=ago(4)), seen=3, origin="backfill"))
    assert entry is not None and entry.late
    assert [entry_cells(entry, NOW, glyphs=glyphs).cells["at"][0] for glyphs in (UNICODE, ASCII)] == ["4m‹", "4m<"]


def test_without_what_it_replaced_an_update_is_no_news():
    change, _ = changed(RUN, build(7, "running", title="x"))
    assert change.type.endswith(".updated") and entry_of(change, None) is None
    change, _ = changed(RUN, build(7, "failed"))
    assert entry_of(change, None) is not None


@pytest.mark.parametrize("body", [b"", b"{}", b'{"kind":"weather","key":"a:b:c","source":"a"}'])
def test_what_this_version_cannot_read_is_no_news(body: bytes):
    change, previous = changed(RUN, build(7, "failed"))
    assert previous is not None
    assert entry_of(msgspec.structs.replace(change, body=body), previous) is None
    entry = entry_of(change, msgspec.structs.replace(previous, body=body))
    assert entry is not None and entry.words == "build failed on main"


@given(st.none() | FACTS, FACTS, st.sampled_from(("poll", "backfill")), st.booleans())
def test_any_change_can_be_told(before: Fact | None, after: Fact, origin: str, leaves: bool):
    if before is not None:
        before = msgspec.structs.replace(before, key=after.key)
    if leaves:
        before, last = after, None
    else:
        last = after
    change, previous = changed(before, last, origin=origin)
    entry = entry_of(change, previous, BoardAround(board_of(after)))
    if entry is not None:
        assert entry.at <= entry.seen_at and entry.words and "  " not in entry.words
        for glyphs in (UNICODE, ASCII):
            text = entry_cells(entry, NOW, glyphs=glyphs)
            assert all(cell for cell, _ in text.cells.values())


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_states_read_without_colour(glyphs):
    makers: dict[str, Callable[..., Fact]] = {
        "build": build,
        "incident": incident,
        "release": release,
        "ticket": ticket,
    }
    for kind, make in makers.items():
        told = set()
        for state in STATES[kind] - {"inactive"}:
            entry = entry_of(*changed(None, make(1, state)))
            assert entry is not None
            told.add((sign_of(entry, glyphs)[0], entry.words))
        assert len(told) == len(STATES[kind] - {"inactive"}) or kind == "ticket"
    for severity in SEVERITIES:
        entry = entry_of(*changed(None, incident(1, severity=severity)))
        assert entry is not None and (severity == "unknown" or severity in entry.words)


def test_times_of_today_are_ages_and_others_times_of_day():
    zone = ZoneInfo("Asia/Tokyo")
    today = entry_of(*changed(None, incident(1, started_at=ago(8))))
    before = entry_of(*changed(None, incident(1, started_at=ago(60 * 30))))
    assert today is not None and before is not None
    assert entry_cells(today, NOW, zone=zone).cells["at"][0] == "8m "
    assert entry_cells(today, NOW, zone=zone, times="local").cells["at"][0] == "20:52 "
    assert entry_cells(before, NOW, zone=zone).cells["at"][0] == "15:00‹"


def test_days_have_names():
    assert [day_cells(date(2026, 1, day), NOW).cells["what"][0] for day in (2, 1)] == [
        "Today, Fri 2 Jan 2026",
        "Yesterday, Thu 1 Jan 2026",
    ]
    assert day_cells(date(2025, 12, 31), NOW).cells["what"][0] == "Wed 31 Dec 2025"
    assert day_cells(date(2026, 1, 3), NOW, ZoneInfo("Pacific/Kiritimati")).cells["what"][0].startswith("Today")


# -- the feed


async def stored(*batches: tuple[float, Sequence[Fact | Draft]], store: MemoryStore | None = None) -> MemoryStore:
    """A store of these facts, each batch seen so many minutes ago, oldest first."""
    store = store or MemoryStore()
    known: dict[str, Fact] = {}
    lease = await store.lease("poll", "me")
    for minutes, facts in batches:
        drafts = []
        for fact in facts:
            if isinstance(fact, Draft):
                drafts.append(fact)
                continue
            drafts.append(draft(known.get(fact.key), fact))
            known[fact.key] = fact
        await store.append(Batch(observed_at=ago(minutes), drafts=tuple(drafts)), lease)
    return store


def told(feed: Feed) -> list[str]:
    return [feed.entries[int(key)].words if not key.startswith("d") else key for key in feed.rows(UTC)]


def started(number: int, minutes: float, **more: Any) -> Fact:
    return build(number, "running", started_at=ago(minutes), branch=f"b{number}", **more)


async def test_the_newest_comes_first_by_when_it_happened():
    store = await stored((50, [started(1, 52), started(2, 900)]), (40, [started(3, 41), health("ci", "down")]))
    feed = Feed(store, Around())
    await feed.fill(10)
    assert told(feed) == [
        "d2026-01-02",
        "ci is down",
        "build started on b3",
        "build started on b1",
        "d2026-01-01",
        "build started on b2",
    ]
    assert feed.done and feed.reaches is None
    assert [row for row in feed.rows(ZoneInfo("Asia/Tokyo")) if row.startswith("d")] == ["d2026-01-02"]


async def test_what_older_pages_may_still_come_between_is_kept_back():
    old = [started(n, 2_000 + n) for n in range(PAGE)]
    store = await stored((100, [started(9_000, 110)]), (90, [*old[:-1], started(9_001, 300)]))
    feed = Feed(store, Around())
    await feed._read_older()
    assert feed.shown == 0 and feed.reaches == ago(90) and not feed.done
    await feed.fill(1)
    assert told(feed)[1:3] == ["build started on b9000", "build started on b9001"] and feed.done
    assert feed.shown == PAGE + 1


async def test_a_backfill_does_not_hide_what_was_seen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("statusboard.screens.feed.PATIENCE", 2)
    past = [draft(None, build(n, "failed", ended_at=ago(50_000 + n)), origin="backfill") for n in range(5 * PAGE)]
    store = await stored((100, [started(9_000, 110)]), (90, past))
    feed = Feed(store, Around())
    assert await feed.fill(1)
    assert told(feed)[:2] == ["d2026-01-02", "build started on b9000"]


async def test_what_was_seen_since_is_not_what_was_backfilled():
    past = [draft(None, build(n, "failed", ended_at=ago(50)), origin="backfill") for n in range(9)]
    store = await stored((60, [started(8_999, 61)]), (50, [started(9_000, 51)]), (40, past), (30, [started(9_001, 31)]))
    entries = await entries_since(store, Around(), ago(55), most=5)
    assert [entry.words for entry in entries] == ["build started on b9001", "build started on b9000"]


async def test_what_is_new_comes_on_top():
    store = await stored((50, [started(1, 52)]))
    feed = Feed(store, Around())
    assert not await feed.catch_up()
    await feed.fill(10)
    assert not await feed.catch_up()
    await stored((10, [started(2, 11), started(3, 200)]), store=store)
    assert await feed.catch_up()
    assert told(feed)[1:] == ["build started on b2", "build started on b1", "build started on b3"]


async def test_an_empty_store():
    feed = Feed(MemoryStore(), Around())
    await feed.fill(10)
    assert feed.done and feed.rows(UTC) == [] and feed.reaches is None


async def test_the_filter_is_asked_about_the_item_as_it_was_then():
    store = await stored(
        (50, [build(1, "running"), build(2, "running", title="Cart")]),
        (40, [build(1, "failed", ended_at=ago(41)), build(2, "success", ended_at=ago(42))]),
    )
    query = parse("state:failed OR cart")
    feed = Feed(store, Around(), lambda fact: query.matches(fact, current=True, failing=False, now=NOW))
    await feed.fill(10)
    assert [feed.entries[int(key)].key for key in feed.rows(UTC)[1:]] == ["ci:build:1", "ci:build:2"]
    faults = Feed(store, Around(), faults_only=True)
    await faults.fill(10)
    assert told(faults)[1:] == ["build failed on main"]


async def test_it_holds_no_more_than_it_may_and_says_so():
    count = 3 * PAGE
    store = await stored(*((count - n, [started(n, count - n)]) for n in range(count)))
    feed = Feed(store, Around(), most=PAGE)
    await feed.fill(10)
    assert PAGE // 2 < feed.shown <= PAGE and not feed.full
    await feed.fill(10 * PAGE)
    assert feed.done and feed.full and feed.shown == len(feed.entries) == PAGE
    assert feed.reaches == ago(PAGE + 1)
    await stored((0, [started(count, 0)]), store=store)
    assert await feed.catch_up() and feed.shown == PAGE
    assert f"build started on b{count}" in told(feed)


async def test_many_of_one_moment_are_bounded_too():
    store = await stored((5, [msgspec.structs.replace(started(n, 5), started_at=None) for n in range(3 * PAGE)]))
    feed = Feed(store, Around(), most=PAGE)
    await feed.fill(10)
    assert feed.done and feed.shown == PAGE and told(feed)[1] == f"build started on b{3 * PAGE - 1}"


async def test_after_very_much_it_must_be_read_anew():
    store = await stored((50, [started(1, 52)]))
    feed = Feed(store, Around(), most=PAGE)
    await feed.fill(10)
    await stored((10, [started(n, 11) for n in range(2, 2 * PAGE + 2)]), store=store)
    assert not await feed.catch_up() and feed.missed


async def test_a_filter_that_finds_nothing_does_not_read_for_ever(monkeypatch):
    monkeypatch.setattr("statusboard.screens.feed.PATIENCE", 2)
    store = await stored((50, [started(n, 52) for n in range(3 * PAGE)]), (5, [started(9_999, 6)]))
    feed = Feed(store, Around(), lambda fact: False)
    await feed.fill(10)
    assert not feed.done and feed.shown == 0 and feed.reaches == ago(50)
    await feed.fill(10)
    assert feed.done


BATCHES = st.lists(
    st.tuples(st.integers(0, 30), st.lists(st.tuples(st.integers(0, 12), st.integers(0, 60)), min_size=1, max_size=8)),
    max_size=12,
)
"""Batches: minutes after the one before, and builds of so many numbers that ended so many minutes before it."""


@given(BATCHES, st.integers(1, 9), st.integers(1, 9), st.integers(5, 60))
@settings(deadline=None, max_examples=150)
def test_however_it_is_read_the_list_is_the_same(batches, page: int, few: int, most: int):
    async def check() -> None:
        store, minutes, seen = MemoryStore(), 2_000, 0.0
        lease = await store.lease("poll", "me")
        expected: dict[int, tuple[int, int]] = {}
        follower = Feed(store, Around(), most=10_000)
        for gap, ended in batches:
            minutes -= gap
            drafts = []
            for number, before in ended:
                made = build(f"{seen}-{number}", "failed", ended_at=ago(minutes + before))
                drafts.append(draft(None, made))
            seen += 1
            for change in await store.append(Batch(observed_at=ago(minutes), drafts=tuple(drafts)), lease):
                previous = await store.recorded([change.prev_seq or 0])
                entry = entry_of(change, previous[0] if previous else None)
                if entry is not None:
                    expected[entry.seq] = (-to_us(entry.at), -entry.seq)
            await follower.catch_up() if follower._newest is not None else await follower.fill(1)
        order = [str(-seq) for _, seq in sorted(expected.values())]
        reader = Feed(store, Around(), most=10_000)
        earlier: list[str] = []
        while not reader.done:
            await reader._read_older()
            rows = [row for row in reader.rows(UTC) if row.isdecimal()]
            assert rows[: len(earlier)] == earlier, "it only grows at its end"
            earlier = rows
        assert earlier == order
        await follower.fill(100_000)
        assert [row for row in follower.rows(UTC) if row.isdecimal()] == order
        bounded = Feed(store, Around(), most=most)
        await bounded.fill(100_000)
        assert [row for row in bounded.rows(UTC) if row.isdecimal()] == order[:most] and len(bounded.entries) <= most

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("statusboard.screens.feed.PAGE", page)
        patch.setattr("statusboard.screens.feed.FEW", few)
        patch.setattr("statusboard.screens.feed.PATIENCE", 10_000)
        asyncio.run(check())


async def test_what_was_seen_since_a_moment():
    store = await stored((50, [started(1, 52)]), (40, [started(2, 300)]), (30, [started(3, 31)]))
    found: list[Entry] = await entries_since(store, Around(), ago(50))
    assert [entry.words for entry in found] == ["build started on b3", "build started on b2"]
    assert await entries_since(store, Around(), ago(30)) == []


async def test_a_zone_without_midnight():
    zone = ZoneInfo("America/Sao_Paulo")  # its summer time began at midnight
    moment = datetime(2018, 11, 4, 3, 0, 0, tzinfo=UTC)
    store = MemoryStore()
    facts = [build(n, "running", started_at=moment + timedelta(minutes=n - 5), branch=f"b{n}") for n in range(10)]
    await store.append(
        Batch(observed_at=moment + timedelta(hours=1), drafts=tuple(draft(None, f, origin="person") for f in facts))
    )
    feed = Feed(store, Around())
    await feed.fill(10)
    rows = feed.rows(zone)
    assert [row for row in rows if row.startswith("d")] == ["d2018-11-04", "d2018-11-03"] and len(rows) == 12
