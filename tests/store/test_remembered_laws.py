"""Laws of what is remembered: built anew it is what append kept, stores agree, and an old file is made to know it."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from statusboard.clock import EPOCH
from statusboard.diff import draft
from statusboard.model import Build, Change, Draft, Incident, IncidentState, Item, Kind, Origin, Release, ReleaseState
from statusboard.store._keeping import rebuild
from statusboard.store.base import Batch, Remembered, Store
from statusboard.store.memory import MemoryStore
from statusboard.store.sqlite import SQLiteStore
from tests.store import old
from tests.store.kit import T0, at, folded, read_all, same_rows

KINDS: tuple[Kind, ...] = ("release", "build", "incident")
RELEASES: tuple[ReleaseState, ...] = ("running", "success", "failed")
INCIDENTS: tuple[IncidentState, ...] = ("pending", "open", "open", "resolved", "resolved", "unknown")


@st.composite
def items(draw: st.DrawFn) -> Item:
    number = draw(st.integers(0, 2))
    started = draw(st.none() | st.integers(-20, 20).map(at))
    ended = draw(st.none() | st.integers(-20, 20).map(at))
    match draw(st.sampled_from(KINDS)):
        case "release":
            went = draw(st.sampled_from(RELEASES))
            return Release(key=f"s:release:{number}", source="s", state=went, started_at=started, ended_at=ended)
        case "build":
            return Build(
                key=f"s:build:{number}",
                source="s",
                state=draw(st.sampled_from(("running", "failed"))),
                started_at=started,
                ended_at=ended,
                attempt=draw(st.integers(0, 2)),
            )
        case _:
            state = draw(st.sampled_from(INCIDENTS))
            return Incident(key=f"s:incident:{number}", source="s", state=state, started_at=started, ended_at=ended)


@st.composite
def drafts(draw: st.DrawFn) -> Draft:
    item = draw(items())
    origin: Origin = draw(st.sampled_from(("person", "person", "backfill")))
    if draw(st.integers(0, 5)) == 0:
        return Draft(key=item.key, kind=item.kind, source="s", type="gone", origin=origin, body=None)
    return draft(None, item, origin=origin)


@st.composite
def batches(draw: st.DrawFn) -> list[Batch]:
    found, seconds = [], 0
    for some in draw(st.lists(st.lists(drafts(), min_size=1, max_size=6), min_size=1, max_size=12)):
        seconds += draw(st.integers(-2, 9))  # clocks may go back
        found.append(Batch(observed_at=at(seconds), drafts=tuple(some)))
    return found


async def _all(store: Store) -> list[Remembered]:
    return [fact for kind in KINDS for fact in await store.remembered(kind, since=EPOCH)]


def _tables(path: Path) -> list[list[tuple[object, ...]]]:
    connection = sqlite3.connect(path)
    try:
        facts = connection.execute("SELECT k.key, f.* FROM facts f JOIN keys k ON k.id = f.key_id ORDER BY f.seq")
        # The numbers of keys are nobody's business.
        return [
            [(key, seq, *rest) for key, seq, _, *rest in facts],
            connection.execute("SELECT * FROM backfills ORDER BY 1").fetchall(),
        ]
    finally:
        connection.close()


def _rebuild(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN")
    rebuild(connection)
    connection.execute("COMMIT")
    connection.close()


async def _filled(path: Path, written: list[Batch]) -> tuple[list[Remembered], list[Change]]:
    """Write to a database and to memory, which must agree; returns what they remember, and the changes."""
    store, memory = SQLiteStore(path), MemoryStore()
    await store.open()
    for batch in written:
        assert await store.append(batch) == await memory.append(batch)
    facts = await _all(store)
    assert facts == await _all(memory)
    seq = (await store.health()).seq
    for beside in range(seq + 2):
        for step in (-1, 1):
            for incidents in (False, True):
                found = await store.neighbour(beside, step, incidents=incidents)
                assert found == await memory.neighbour(beside, step, incidents=incidents)
    span = (T0 - timedelta(days=1), T0 + timedelta(days=1))
    for length in (timedelta(0), timedelta(seconds=7)):
        assert await store.marks(*span, step=length) == await memory.marks(*span, step=length)
    changes = await read_all(store, seq)
    await store.close()
    return facts, changes


async def _check(written: list[Batch]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, older = Path(folder, "board.db"), Path(folder, "older.db")
        facts, changes = await _filled(path, written)
        _check_facts(facts, changes)
        kept = _tables(path)
        _rebuild(path)
        assert _tables(path) == kept

        old.write(older, changes)
        migrated = SQLiteStore(older)
        await migrated.open()
        assert await _all(migrated) == facts
        await migrated.close()
        assert _tables(older) == kept


def _check_facts(facts: list[Remembered], changes: list[Change]) -> None:
    """What holds whatever was said."""
    assert len({(fact.key, fact.episode) for fact in facts}) == len({fact.seq for fact in facts}) == len(facts)
    by_seq = {change.seq: change for change in changes}
    for fact in facts:
        change = by_seq[fact.seq]
        assert (fact.key, fact.body, fact.observed_at) == (change.key, change.body, change.observed_at)
        assert fact.first_seen <= fact.observed_at
    said = [change for change in changes if change.body is not None]
    live = {change.key: change.seq for change in said if change.origin != "backfill"}
    # The last that was seen of a key always has the last word on something, whatever was backfilled.
    assert {fact.seq for fact in facts} >= set(live.values())
    assert {fact.key for fact in facts} == {change.key for change in said}


@given(batches())
@settings(max_examples=20, deadline=None)
def test_facts_are_the_same_however_they_are_come_by(written: list[Batch]):
    asyncio.run(_check(written))


async def test_a_long_history_is_built_anew_piece_by_piece(path: Path):
    store = SQLiteStore(path)
    await store.open()
    for n in range(60):
        more: list[Item] = [
            Build(key=f"s:build:{n}-{i}", source="s", state="running", started_at=at(n)) for i in range(40)
        ]
        origin: Origin = "backfill" if n % 7 in (3, 4) else "person"
        more.append(Incident(key="s:incident:1", source="s", state="open", started_at=at(n * 10 - n % 3)))
        await store.append(
            Batch(observed_at=at(n * 10), drafts=tuple(draft(None, item, origin=origin) for item in more))
        )
    await store.close()
    kept = _tables(path)
    assert len(kept[0]) == 60 * 40 + 60
    assert len(kept[1]) == 9
    _rebuild(path)
    assert _tables(path) == kept


# -- an older file -------------------------------------------------------------------------------------------------


def _released(n: int) -> Batch:
    release = Release(key=f"s:release:{n % 2}", source="s", state="success", started_at=at(n), title=f"r {n}")
    return Batch(observed_at=at(n), drafts=(draft(None, release, origin="person"),))


async def test_a_file_of_version_1_is_migrated_and_kept_beside(path: Path):
    source = MemoryStore()
    for n in range(3):
        await source.append(_released(n))
    changes = await read_all(source, 3)
    old.write(path, changes)
    before = path.read_bytes()

    store = SQLiteStore(path)
    await store.open()
    assert store.store_id == old.STORE_ID
    assert [fact.seq for fact in await store.remembered("release", since=EPOCH)] == [2, 3]
    same_rows(await store.snapshot(), folded(changes))
    (change,) = await store.append(_released(4))
    assert change.seq == 4
    assert [fact.seq for fact in await store.remembered("release", since=EPOCH)] == [2, 4]
    assert await store.backfilled() == []
    assert await store.kept("suspects") == {}
    await store.keep("suspects", {"1": b"one"})
    await store.close()

    kept = path.with_name("board.db.v1.bak")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    connection = sqlite3.connect(kept)
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert connection.execute("SELECT count(*) FROM changes").fetchone() == (3,)
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'facts'").fetchone() == (0,)
    connection.close()
    assert len(kept.read_bytes()) == len(before)
