"""Several boards on one file: other connections, other processes, other users, and processes that are killed."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO

import pytest

from statusboard.clock import FakeClock
from statusboard.errors import LeaseLost, StoreError, StoreUnusable
from statusboard.store._database import Setup, connect
from statusboard.store._rules import Standstill
from statusboard.store._worker import LOOK_EVERY
from statusboard.store._writes import renew, take
from statusboard.store.base import Batch, Watched
from statusboard.store.sqlite import SQLiteStore
from tests.store.kit import PATIENCE, at, batch, draft, folded, poll_lease, read_all, same_rows

NOBODY = 65534


class Peers:
    """Two boards on one file, each with its own clock."""

    def __init__(self, path: Path) -> None:
        self.clocks = FakeClock(), FakeClock()
        self.a, self.b = (SQLiteStore(path, clock=clock) for clock in self.clocks)


@pytest.fixture
async def peers(path: Path) -> AsyncIterator[Peers]:
    made = Peers(path)
    await asyncio.gather(made.a.open(), made.b.open())
    yield made
    await asyncio.gather(made.a.close(), made.b.close())


def module(name: str, *arguments: object, out: int | IO[str] = subprocess.PIPE) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", name, *map(str, arguments)]
    return subprocess.Popen(command, stdout=out, text=True, cwd=Path(__file__).parents[2])


async def whole(path: Path) -> int:
    """Asserts that a file is sound, its numbers have no gaps and its live rows are the fold; returns the revision."""
    store = SQLiteStore(path)
    await store.open()
    picture = await store.snapshot()
    changes = await read_all(store, picture.seq)
    await store.close()
    assert [change.seq for change in changes] == list(range(1, picture.seq + 1))
    same_rows(picture, folded(changes))
    bodies = [change.body for change in changes if change.body is not None]
    assert len(bodies) == len(set(bodies))
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    return picture.seq


async def test_an_append_does_not_wait_for_a_picture_of_the_past(path: Path):
    gate, opened = threading.Event(), list[sqlite3.Connection]()

    def held_up(connection: sqlite3.Connection) -> None:
        opened.append(connection)
        if len(opened) == 2:  # that which reads much
            connection.set_progress_handler(lambda: 0 if gate.wait(PATIENCE) else 1, 1)

    store = SQLiteStore.set_up(Setup(path=path, on_connect=held_up))
    await store.open()
    await store.append(batch(draft(1)))
    picture = asyncio.create_task(store.snapshot(at(5)))
    while len(opened) < 2:
        await asyncio.sleep(0.01)
    (change,) = await store.append(batch(draft(2), seconds=9))
    assert not picture.done()
    gate.set()
    assert (change.seq, (await picture).seq) == (2, 1)
    await store.close()


# -- two boards ----------------------------------------------------------------------------------------------------


async def test_boards_that_start_at_once_share_one_history(peers: Peers):
    assert peers.a.store_id == peers.b.store_id
    (first,) = await peers.a.append(batch(draft(1)))
    (second,) = await peers.b.append(batch(draft(1), seconds=-5))
    assert (first.seq, second.seq, second.prev_seq) == (1, 2, 1)
    assert second.observed_at == first.observed_at


async def test_another_boards_changes_arrive(peers: Peers):
    assert LOOK_EVERY < 0.25
    follower = asyncio.create_task(read_all(peers.b, 2))
    await asyncio.sleep(0.05)
    await peers.a.append(batch(draft(1)))
    await peers.a.append(batch(draft(2)))
    assert [change.seq for change in await follower] == [1, 2]


async def test_another_boards_request_ends_the_wait(peers: Peers):
    waiter = asyncio.create_task(peers.b.wait_activity(1_000))
    await asyncio.sleep(0.05)
    await peers.a.request_poll("ci")
    async with asyncio.timeout(PATIENCE):
        assert await waiter is True
    assert await peers.b.poll_requests(0) == [(1, "ci")]


async def test_what_was_written_before_the_wait_began_is_not_missed(peers: Peers):
    changes = peers.b.changes(0)
    await peers.a.append(batch(draft(1)))
    async with asyncio.timeout(PATIENCE):
        assert [change.seq for change in await anext(changes)] == [1]
        await peers.a.append(batch(draft(2)))
        assert [change.seq for change in await anext(changes)] == [2]


async def test_followers_read_nothing_while_nothing_is_written(path: Path):
    statements: list[str] = []
    setup = Setup(path=path, on_connect=lambda connection: connection.set_trace_callback(statements.append))
    store = SQLiteStore.set_up(setup)
    await store.open()
    follower = asyncio.create_task(read_all(store, 1))
    look = "PRAGMA data_version"
    async with asyncio.timeout(PATIENCE):
        while statements[-2:] != [look, look]:
            await asyncio.sleep(0.01)
        begun = len(statements)
        while len(statements) < begun + 3:
            await asyncio.sleep(0.01)
    assert set(statements[begun:]) == {look}
    follower.cancel()
    await asyncio.sleep(0.05)
    # Nobody waits: one look may still be under way, then there are none.
    ended = len(statements)
    await asyncio.sleep(3 * LOOK_EVERY)
    assert len(statements) <= ended + 1
    await store.close()


async def test_many_rows_take_few_statements(path: Path):
    # Each step of a statement gives up the interpreter's lock, and beside a busy event loop takes 5 ms to get it back.
    statements: list[str] = []
    setup = Setup(path=path, on_connect=lambda connection: connection.set_trace_callback(statements.append))
    store = SQLiteStore.set_up(setup)
    await store.open()
    statements.clear()
    await store.append(batch(*(draft(i) for i in range(1_000))))
    assert len(statements) < 30
    statements.clear()
    assert len((await store.snapshot()).rows) == 1_000
    assert len(statements) < 10
    await store.close()


async def test_a_cancelled_append_that_has_not_begun_is_not_written(path: Path):
    store = SQLiteStore(path)
    await store.open()
    first = asyncio.create_task(store.append(batch(*(draft(i) for i in range(5_000)))))
    second = asyncio.create_task(store.append(batch(draft("cancelled"))))
    await asyncio.sleep(0)
    second.cancel()
    await first
    (third,) = await store.append(batch(draft("next")))
    assert third.seq == 5_001
    assert await store.history("ci:build:cancelled") == []
    await store.close()


async def test_readers_do_not_wait_for_writers(peers: Peers, path: Path):
    await peers.a.append(batch(draft(1)))
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM live")
    assert len((await peers.a.snapshot()).rows) == 1
    assert len(await read_all(peers.b, 1)) == 1
    writer.execute("ROLLBACK")
    writer.close()


async def test_the_counter_is_watched_by_each_boards_own_clock(peers: Peers):
    mine, (_, their_clock) = await poll_lease(peers.a, "a"), peers.clocks
    assert await peers.b.lease("poll", "b") is None
    for _ in range(5):
        their_clock.advance(5)
        assert await peers.a.lease("poll", "a") == mine
        assert await peers.b.lease("poll", "b") is None
    their_clock.advance(5.9)
    assert await peers.b.lease("poll", "b") is None
    their_clock.advance(0.1)
    theirs = await peers.b.lease("poll", "b")
    assert theirs is not None
    assert theirs.token == mine.token + 1
    with pytest.raises(LeaseLost):
        await peers.a.append(batch(draft(origin="poll")), mine)
    assert await peers.a.lease("poll", "a") is None
    assert len(await peers.b.append(batch(draft(origin="poll")), theirs)) == 1


async def test_the_same_name_in_another_process_is_another_holder(peers: Peers):
    await poll_lease(peers.a, "twin")
    assert await peers.b.lease("poll", "twin") is None


async def test_only_one_board_gets_a_free_lease(peers: Peers):
    got = await asyncio.gather(peers.a.lease("poll", "a"), peers.b.lease("poll", "b"))
    assert [lease is None for lease in got].count(True) == 1


def test_a_holder_that_comes_back_to_life_keeps_its_lease(path: Path):
    ours, theirs = connect(Setup(path=path)), connect(Setup(path=path))
    taken = take(theirs, "poll", "them", Standstill(), lambda: 0.0)
    assert taken is not None
    lease = taken

    class RenewsAfterTheLook(Standstill):
        def over(self, name: str, mark: tuple[int, int], before: float, after: float) -> bool:
            assert renew(theirs, lease)
            return True

    assert take(ours, "poll", "us", RenewsAfterTheLook(), lambda: 0.0) is None
    ours.close()
    theirs.close()


async def test_closing_gives_the_lease_back(peers: Peers):
    await poll_lease(peers.a, "a")
    await peers.a.close()
    assert (await poll_lease(peers.b, "b")).token == 2


async def test_watched_time_ends_with_the_board_that_watched(peers: Peers):
    def watched(seconds: float) -> Batch:
        return Batch(observed_at=at(seconds), watched=(Watched(source="ci", part="p", at=at(seconds), gap=60),))

    await peers.a.append(watched(0), await poll_lease(peers.a, "a"))
    await peers.a.close()
    await peers.b.append(watched(20), await poll_lease(peers.b, "b"))
    assert [(row.since, row.last_success) for row in await peers.b.coverage()] == [(at(0), at(0)), (at(20), at(20))]


# -- processes -----------------------------------------------------------------------------------------------------


async def test_processes_that_start_at_once_on_a_fresh_folder(path: Path):
    writers = [module("tests.store.writer", path, f"w{i}", 15) for i in range(3)]
    outputs = [writer.communicate(timeout=60)[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    acknowledged = [int(seq) for output in outputs for seq in output]
    assert len(acknowledged) == len(set(acknowledged)) == 45
    assert await whole(path) == max(acknowledged)


async def test_a_killed_writer_leaves_everything_whole(path: Path):
    for round_, lines in enumerate((1, 3, 7, 12, 23, 31, 40, 55)):
        writer = module("tests.store.writer", path, f"r{round_}", 0)
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(lines)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        writer.wait(timeout=60)
        writer.stdout.close()
        # What was acknowledged is there; what was being written is there whole or not at all.
        assert await whole(path) >= acknowledged[-1]


# -- other users ---------------------------------------------------------------------------------------------------


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that others may enter; pytest's own are private."""
    folder = Path(tempfile.mkdtemp(prefix="statusboard-"))
    folder.chmod(0o755)
    yield folder / "board.db"
    shutil.rmtree(folder)


async def shared(path: Path) -> SQLiteStore:
    """A store with one row that others may read."""
    store = SQLiteStore(path)
    await store.open()
    await store.append(batch(draft(1)))
    await store.close()
    path.chmod(0o644)
    await store.open()
    return store


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@as_root
async def test_another_user_follows_without_any_right_to_write(public: Path):
    store = await shared(public)
    await store.append(batch(draft(2)))
    follower = module("tests.store.follower", public, NOBODY, "follow")
    assert follower.stdout is not None
    assert await asyncio.to_thread(follower.stdout.readline) == "rows 2\n"
    await store.append(batch(draft(3)))
    rest = await asyncio.to_thread(follower.stdout.read)
    assert rest.splitlines() == ["change 3", "lease None", "unusable readonly"]
    assert follower.wait(timeout=60) == 0
    follower.stdout.close()
    await store.close()


@as_root
@pytest.mark.parametrize("what,reason", [("open", "idle"), ("write", "readonly")])
async def test_another_user_is_told_why_not(public: Path, what: str, reason: str):
    store = await shared(public)
    await store.close()
    follower = module("tests.store.follower", public, NOBODY, what)
    output, _ = await asyncio.to_thread(follower.communicate, timeout=60)
    assert output == f"unusable {reason}\n"


@as_root
async def test_a_private_file_is_not_followed(public: Path):
    store = await shared(public)
    public.chmod(0o600)
    follower = module("tests.store.follower", public, NOBODY, "open")
    output, _ = await asyncio.to_thread(follower.communicate, timeout=60)
    assert output == "unusable unreadable\n"
    await store.close()


async def test_a_follower_learns_that_its_file_was_replaced(path: Path):
    writer, follower = SQLiteStore(path), SQLiteStore(path, read_only=True)
    await writer.open()
    await follower.open()
    assert await follower.statuses() == []
    await writer.close()
    path.rename(path.with_name("old.sqlite"))
    with pytest.raises(StoreUnusable) as caught:
        await follower.statuses()
    assert caught.value.reason == "moved"
    await writer.open()
    with pytest.raises(StoreUnusable):
        await follower.statuses()
    await follower.close()
    await follower.open()
    assert await follower.statuses() == []
    await follower.close()
    await writer.close()


async def test_a_follower_never_polls_and_never_writes(path: Path):
    writer, follower = SQLiteStore(path), SQLiteStore(path, read_only=True)
    await writer.open()
    await follower.open()
    assert not follower.writable
    assert await follower.lease("poll", "me") is None
    with pytest.raises(StoreError):
        await follower.append(batch(draft(1)))
    await writer.append(batch(draft(1)))
    assert len(await read_all(follower, 1)) == 1
    await writer.close()
    assert len((await follower.snapshot()).rows) == 1
    await writer.open()
    await writer.append(batch(draft(2)))
    assert len(await read_all(follower, 2)) == 2
    await follower.close()
    await writer.close()


async def test_who_follows_keeps_nothing_and_sees_what_is_kept(path: Path):
    writer, follower = SQLiteStore(path), SQLiteStore(path, read_only=True)
    await writer.open()
    await follower.open()
    await writer.keep("suspects", {"1": b"one"})
    await follower.keep("suspects", {"1": b"other"})
    assert await follower.kept("suspects") == await writer.kept("suspects") == {"1": b"one"}
    await follower.close()
    await writer.close()
