"""Rewinding: a past board is what a live one showed then, whatever the road to it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from statusboard import rewind
from statusboard.board import Board
from statusboard.clock import FakeClock
from statusboard.errors import MomentError
from statusboard.model import Draft, Fact, Origin, encode
from statusboard.rewind import Past, Since, Watching, Way, earliest
from statusboard.store._database import Setup
from statusboard.store.base import Batch, Coverage, Lease, Store, Stored, Watched
from statusboard.store.memory import MemoryStore
from statusboard.store.sqlite import SQLiteStore
from tests.boards import FACTS, NOW, STEPS, ago, build, health, incident, note, release, removals
from tests.store.kit import poll_lease

Sort = Literal["sqlite", "memory"]


@asynccontextmanager
async def opened(sort: Sort, folder: str | Path, clock: FakeClock) -> AsyncIterator[Store]:
    setup = Setup(path=Path(folder, "board.db"), fold_every=5)
    store: Store = SQLiteStore.set_up(setup) if sort == "sqlite" else MemoryStore(clock=clock)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture(params=["sqlite", "memory"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path, clock) as made:
        yield made


def drafted(fact: Fact | str, origin: Origin = "person") -> Draft:
    key = fact if isinstance(fact, str) else fact.key
    source, kind, _ = key.split(":", 2)
    body = None if isinstance(fact, str) else encode(fact)
    return Draft(key=key, kind=kind, source=source, type="test", origin=origin, body=body)  # type: ignore[arg-type]


async def put(store: Store, at: datetime, *facts: Fact | str, origin: Origin = "person") -> None:
    """What comes in at one moment."""
    await store.append(Batch(observed_at=at, drafts=tuple(drafted(fact, origin) for fact in facts)))


def looks(board: Board) -> dict[str, tuple[object, ...]]:
    rows = board.rows.items()
    return {k: (r.fact, r.seq, r.observed_at, r.current, r.failing, r.unknown, r.newest, r.ahead) for k, r in rows}


async def shown_at(store: Store, at: datetime) -> Board:
    """The board of a moment, read as a whole."""
    picture = await store.snapshot(at)
    board = Board(picture.store_id)
    board.load(picture.rows)
    board.seq = picture.seq
    board.reach(at)
    return board


async def same(past: Past, store: Store) -> None:
    """Asserts that the board of a past moment is the one that is read as a whole."""
    whole = await shown_at(store, past.at)
    assert looks(past.board) == looks(whole)
    assert (past.board.digest, past.board.revision, past.seq) == (whole.digest, whole.revision, whole.seq)
    assert (past.board.health == whole.health and past.board.summary() == whole.summary()) or past.board.overlay
    for key in whole.rows:
        assert past.board.annotations(key) == whole.annotations(key)


# --- the same, by every road ----------------------------------------------------------------------------------------

NOTES = st.builds(note, FACTS, st.sampled_from(("mine", "ours")), number=st.integers(0, 3))
TOLD: st.SearchStrategy[Fact | str] = FACTS | NOTES | removals(FACTS | NOTES)
#: (minutes since the batch before, negative where the clock was set back; where from; what).
BATCHES = st.lists(
    st.tuples(
        st.sampled_from((-30, 0, 0, 1, 1, 7, 60)),
        st.sampled_from(("person", "person", "person", "backfill")),
        st.lists(TOLD, min_size=1, max_size=5),
    ),
    min_size=1,
    max_size=10,
)


@st.composite
def walks(draw: DrawFn) -> list[int | str]:
    """Where to go: a minute after the first, a step, or the next incident."""
    ways = st.integers(-2, 120) | st.sampled_from(("back", "back", "on", "on", "{", "}"))
    return draw(st.lists(ways, min_size=1, max_size=12))


async def _walk(sort: Sort, batches: list[Any], walk: list[int | str], near: int, like: bool) -> None:
    clock = FakeClock(NOW + timedelta(days=1))
    with tempfile.TemporaryDirectory() as folder:
        async with opened(sort, folder, clock) as store:
            now = NOW
            for minutes, origin, facts in batches:
                now += timedelta(minutes=minutes)
                await put(store, now, *facts, origin=origin)
            first = await earliest(store)
            if first is None:
                with pytest.raises(MomentError, match="nothing has been stored yet"):
                    await Past.open(store, now, clock=clock)
                return
            present = await shown_at(store, clock.now())
            shown = looks(present)
            to = max(first, now) if like else clock.now()
            past = await Past.open(store, to, clock=clock, near=near, like=present if like else None)
            await same(past, store)
            assert looks(present) == shown, "what is like it is left as it is"
            for way in walk:
                await _one_way(past, store, way)
                await same(past, store)


async def _one_way(past: Past, store: Store, way: int | str) -> None:
    was = past.at, past.seq, past.board.digest
    if isinstance(way, int):
        to, first = NOW + timedelta(minutes=way), await earliest(store)
        assert first is not None
        if to >= first:
            before = looks(past.board)
            delta = await past.go(to)
            after = looks(past.board)
            assert {key for key in after if before.get(key) != after[key]} <= delta.changed <= after.keys()
            assert before.keys() - after.keys() == delta.gone
            return
        with pytest.raises(MomentError) as early:
            await past.go(to)
        assert early.value.earliest == first and (past.at, past.seq, past.board.digest) == was, "it shows what it did"
    elif way in "{}":
        await past.to_incident(-1 if way == "{" else 1)
    else:
        there: Way = -1 if way == "back" else 1
        if await past.step(there) is None:
            assert (past.at, past.seq, past.board.digest) == was
            return
        assert past.at < was[0] if there == -1 else past.at > was[0]
        await same(past, store)
        landed = past.at, past.seq, past.board.digest
        if await past.step(1 if there == -1 else -1) is not None:
            await past.step(there)
            assert (past.at, past.seq, past.board.digest) == landed, "there and back again"


@pytest.mark.parametrize("sort", ["memory", "sqlite"])
@settings(max_examples=60, deadline=None)
@given(batches=BATCHES, walk=walks(), near=st.sampled_from((0, 3, rewind.NEAR)), like=st.booleans())
def test_every_road_to_a_moment_shows_what_was_shown_then(sort, batches, walk, near, like):
    asyncio.run(_walk(sort, batches, walk, near, like))


@settings(max_examples=150, deadline=None)
@given(STEPS, st.randoms(use_true_random=False))
def test_folding_back_undoes_folding(steps, random):
    store = MemoryStore()

    async def check() -> None:
        for number, facts in enumerate(steps):
            await put(store, NOW + timedelta(minutes=number), *facts)
        seq = (await store.health()).seq
        boards = {at: board async for at, board in _every(store, seq)}
        board = await shown_at(store, NOW + timedelta(days=1))
        at = seq
        while at > 0:
            to = random.randint(0, at - 1)
            changes = await store.recorded(range(to + 1, at + 1))
            before = await store.recorded([c.prev_seq for c in changes if c.prev_seq is not None])
            was = looks(board)
            delta = board.revert(changes, before)
            now = looks(board)
            assert now == looks(boards[to]) and board.digest == boards[to].digest and board.seq == to
            assert {key for key in now if was.get(key) != now[key]} <= delta.changed <= now.keys()
            assert was.keys() - now.keys() <= delta.gone and not delta.gone & now.keys()
            at = to

    asyncio.run(check())


async def _every(store: Store, seq: int) -> AsyncIterator[tuple[int, Board]]:
    """The board at every revision, folded forwards."""
    for upto in range(seq + 1):
        board = Board(store.store_id)
        board.fold(reversed(await store.recorded(range(1, upto + 1))))
        yield upto, board


# --- steps ----------------------------------------------------------------------------------------------------------


async def test_a_step_is_what_came_in_at_one_moment(store: Store, clock: FakeClock) -> None:
    await put(store, ago(30), incident(1), build(1, "failed"))
    await put(store, ago(20), release(9), origin="backfill")
    await put(store, ago(10), incident(1, "resolved"))
    past = await Past.open(store, NOW, clock=clock)
    assert past.seq == 4 and past.board.rows["am:incident:1"].fact.state == "resolved"
    assert await past.step(-1) is not None and past.at == ago(10) and past.seq == 4, "first to the change itself"
    delta = await past.step(-1)
    assert delta is not None and delta.changed == {"am:incident:1"} and past.at == ago(30)
    assert past.board.rows["am:incident:1"].failing and "cd:release:9" not in past.board.rows
    assert await past.step(-1) is None and past.at == ago(30), "before the first there is nothing"
    assert await past.step(1) is not None and past.at == ago(10) and past.seq == 4
    assert await past.step(1) is None and past.at == ago(10)


async def test_a_step_from_a_moment_that_was_asked_for_and_is_one_of_a_change(store: Store, clock: FakeClock) -> None:
    await put(store, ago(30), incident(1))
    await put(store, ago(20), incident(2))
    past = await Past.open(store, ago(20), clock=clock)
    assert await past.step(-1) is not None and past.at == ago(30)
    await past.go(ago(20))
    assert await past.to_incident(-1) is not None and past.at == ago(30)


async def test_from_one_incident_to_the_next(store: Store, clock: FakeClock) -> None:
    await put(store, ago(50), incident(1))
    await put(store, ago(40), build(1))
    await put(store, ago(30), incident(1, "resolved"), incident(2))
    await put(store, ago(20), build(2))
    past = await Past.open(store, NOW, clock=clock)
    seen = []
    while await past.to_incident(-1) is not None:
        seen.append(past.at)
    assert seen == [ago(30), ago(50)] and await past.to_incident(-1) is None
    assert await past.to_incident(1) is not None and past.at == ago(30)
    assert await past.to_incident(1) is None
    await past.go(ago(25))
    assert await past.to_incident(-1) is not None and past.at == ago(30), "the one that we stand after"


async def test_what_has_happened_since(store: Store, clock: FakeClock) -> None:
    await put(store, ago(50), incident(1, started_at=ago(51)))
    await put(store, ago(40), build(1, "failed", started_at=ago(41)), build(2, started_at=ago(41)))
    await put(store, ago(30), release(1, started_at=ago(31)), incident(2, started_at=ago(31)))
    past = await Past.open(store, ago(45), clock=clock)
    assert await past.since() == Since(changes=4, incidents=1, releases=1, failed_builds=1)
    await past.go(NOW)
    assert await past.since() == Since(changes=0, incidents=0, releases=0, failed_builds=0)


# --- moments that cannot be shown -----------------------------------------------------------------------------------


async def test_nothing_was_stored(store: Store, clock: FakeClock) -> None:
    with pytest.raises(MomentError, match="nothing has been stored yet"):
        await Past.open(store, ago(1), clock=clock)


async def test_before_the_first_change_and_in_the_future(store: Store, clock: FakeClock) -> None:
    await put(store, ago(30), build(1))
    with pytest.raises(MomentError, match="earliest is 2026-01-02 12:30:00 CET") as early:
        await Past.open(store, ago(31), clock=clock, zone=ZoneInfo("Europe/Berlin"))
    assert early.value.earliest == ago(30)
    with pytest.raises(MomentError, match="12:01:00 UTC lies ahead: it is 2026-01-02 12:00:00 UTC now"):
        await Past.open(store, NOW + timedelta(minutes=1), clock=clock)
    past = await Past.open(store, ago(30), clock=clock)
    assert len(past.board) == 1


async def test_what_was_told_by_a_clock_that_was_set_back_can_be_shown(store: Store, clock: FakeClock) -> None:
    await put(store, NOW + timedelta(hours=1), build(1))
    await put(store, NOW - timedelta(hours=1), build(2))
    past = await Past.open(store, NOW + timedelta(hours=1), clock=clock)
    assert past.board.rows.keys() == {"ci:build:1", "ci:build:2"}


async def test_what_was_retired_is_not_shown_with_holes(store: Store, clock: FakeClock) -> None:
    await put(store, NOW - timedelta(days=120), build(1, "failed"), incident(1))
    await put(store, NOW - timedelta(days=100), build(1), incident(1, "resolved"))
    await put(store, NOW - timedelta(days=1), build(2))
    await store.retain(NOW)
    with pytest.raises(MomentError, match="earliest is 2025-09-24 12:00:00 UTC") as early:
        await Past.open(store, NOW - timedelta(days=110), clock=clock)
    assert early.value.earliest == NOW - timedelta(days=100)
    past = await Past.open(store, NOW, clock=clock)
    assert await past.step(-1) is not None and await past.step(-1) is not None
    assert past.at == NOW - timedelta(days=100) and await past.step(-1) is None
    await same(past, store)
    with pytest.raises(MomentError):
        await past.go(NOW - timedelta(days=119))
    assert past.at == NOW - timedelta(days=100)


class Hurried(MemoryStore):
    """One in which something becomes too old as soon as one has begun to read."""

    hurried = False

    async def stored(self, seqs: Sequence[int]) -> list[Stored]:
        found = await super().stored(seqs)
        return found[1:] if self.hurried else found


@pytest.mark.parametrize("near", [0, rewind.NEAR])
async def test_what_goes_while_it_is_read_leaves_no_hole(clock: FakeClock, near: int) -> None:
    store = Hurried(clock=clock)
    await put(store, ago(30), build(1), build(2))
    await put(store, ago(20), build(1, "failed"), build(3))
    past = await Past.open(store, NOW, clock=clock, near=near)
    was = looks(past.board)
    store.hurried = True
    with pytest.raises(MomentError, match="the earliest is"):
        await past.go(ago(25))
    assert past.at == NOW and looks(past.board) == was
    store.hurried = False
    await past.go(ago(25))
    await same(past, store)


async def test_what_is_known_is_not_read_again(clock: FakeClock) -> None:
    class Counting(MemoryStore):
        async def stored(self, seqs: Sequence[int]) -> list[Stored]:
            asked.extend(seqs)
            return await super().stored(seqs)

    asked: list[int] = []
    store = Counting(clock=clock)
    await put(store, ago(30), build(1), build(2))
    await put(store, ago(20), build(1, "failed"), build(3))
    present = await shown_at(store, NOW)
    past = await Past.open(store, ago(25), clock=clock, like=present)
    assert asked == [1] and past.board.rows["ci:build:2"] is not present.rows["ci:build:2"]
    assert past.board.rows["ci:build:2"].fact is present.rows["ci:build:2"].fact
    await past.go(NOW)
    assert asked == [1, 3, 4]
    await same(past, store)


async def test_what_came_back_after_its_end_was_retired_can_be_taken_back(store: Store, clock: FakeClock) -> None:
    await put(store, NOW - timedelta(days=120), build(1), build(2))
    await put(store, NOW - timedelta(days=100), "ci:build:1")
    await put(store, NOW - timedelta(days=1), build(1, "failed"))
    await store.retain(NOW)
    past = await Past.open(store, NOW, clock=clock)
    await past.go(NOW - timedelta(days=2))
    assert past.board.rows.keys() == {"ci:build:2"}
    await same(past, store)


# --- what was watched -----------------------------------------------------------------------------------------------


def stretch(source: str, first: float, last: float) -> Coverage:
    """Watched from so many minutes ago to so many."""
    return Coverage(source=source, part="all", since=ago(first), last_success=ago(last))


def read(source: str, state: str = "fresh", **more: Any) -> Any:
    return health(source, state, **{"interval": 60.0, "last_success": ago(600), **more})


def overlay(at: float, *stretches: Coverage, **states: str) -> dict[str, str]:
    return dict(Watching(stretches).overlay({name: read(name, state) for name, state in states.items()}, ago(at)))


def test_within_the_tolerance_after_the_last_success_it_counts_as_watched():
    night = (stretch("ci", 600, 500), stretch("ci", 100, 0))
    assert overlay(550, *night, ci="fresh") == overlay(498, *night, ci="fresh") == {}
    assert overlay(497.9, *night, ci="fresh") == overlay(101, *night, ci="fresh") == {"ci": "unwatched"}
    assert overlay(100, *night, ci="fresh") == {}


def test_while_others_are_read_age_says_what_every_board_said_then():
    made = (stretch("ci", 600, 500), stretch("am", 600, 0))
    assert overlay(497.95, *made, ci="fresh", am="fresh") == {"ci": "aging"}, "nobody had written it down yet"
    assert overlay(497, *made, ci="aging", am="fresh") == {}, "now it was noticed"
    assert overlay(495.95, *made, ci="aging", am="fresh") == {"ci": "stale"}
    assert overlay(400, *made, ci="stale", am="fresh") == {}
    assert overlay(400, *made, ci="fresh", am="fresh") == {"ci": "unwatched"}, "nobody judged it"


def test_when_no_board_ran_what_was_down_before_was_not_watched_either():
    made = (stretch("ci", 600, 500), stretch("am", 700, 610))
    everything = {"ci": "fresh", "am": "stale", "never": "down", "off": "paused"}
    assert overlay(490, *made, **everything) == dict.fromkeys(everything, "unwatched")
    assert overlay(499, *made, **everything) == {}, "a board may still have run"
    assert overlay(550, *made, **everything) == {}


def test_the_newest_success_of_any_part_counts():
    parts = (stretch("ci", 600, 300), stretch("ci", 590, 400), stretch("ci", 200, 100))
    watching = Watching(parts)
    assert watching.read("ci", ago(601)) is None and watching.read("am", ago(1)) is None
    assert watching.read("ci", ago(350)) == ago(350) and watching.read("ci", ago(250)) == ago(300)
    assert watching.read("ci", ago(50)) == ago(100)


async def test_a_night_without_a_board_is_never_fine(store: Store, clock: FakeClock) -> None:
    lease = await poll_lease(store)
    for minutes in (600, 599, 598, 60, 59):
        await polled(store, lease, ago(minutes), health("ci", interval=60.0, last_success=ago(600)), build(1))
    past = await Past.open(store, ago(598), clock=clock)
    assert past.board.summary().verdict == "ok" and not past.unwatched
    assert past.statuses["ci"].last_success == ago(598)
    await past.go(ago(300))
    assert past.unwatched == {"ci"} and past.board.state_of("ci") == "unwatched" and past.board.is_blind("ci")
    assert past.board.summary().verdict == "blind"
    assert past.statuses["ci"].last_success == ago(598), "when it was read last is known"
    digest = past.board.digest
    await past.go(ago(59))
    assert past.board.summary().verdict == "ok" and past.board.digest == digest
    assert await past.step(-1) is not None


async def test_a_delta_names_what_is_no_longer_watched(store: Store, clock: FakeClock) -> None:
    lease = await poll_lease(store)
    await polled(store, lease, ago(600), health("ci", interval=60.0, last_success=ago(600)), build(1))
    await put(store, ago(300), note(build(1), "who looks at this?"))
    past = await Past.open(store, ago(600), clock=clock)
    delta = await past.step(1)
    assert delta is not None and {"ci:build:1", "ci:source:ci"} <= delta.changed


async def polled(store: Store, lease: Lease, at: datetime, *facts: Fact) -> None:
    """A poll of every source named, as the one that holds the lease stores it."""
    stored = {row.key: row.body for row in await store.get([fact.key for fact in facts])}
    drafts = tuple(drafted(fact, "poll") for fact in facts if stored.get(fact.key) != encode(fact))
    watched = tuple(Watched(source=s, part="all", at=at, gap=120.0) for s in {fact.source for fact in facts})
    await store.append(Batch(observed_at=at, drafts=drafts, watched=watched), lease)
