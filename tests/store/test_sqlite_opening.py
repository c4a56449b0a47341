"""Files that cannot be used as they are, and what a board does about each."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from statusboard.clock import FakeClock
from statusboard.errors import NewerSchema, StoreUnusable
from statusboard.store import open_store, replacement, set_aside
from statusboard.store._database import NETWORK_FILE_SYSTEMS, Setup, file_system
from statusboard.store._schema import SCHEMA, Schema
from statusboard.store.memory import MemoryStore
from statusboard.store.sqlite import SQLiteStore
from tests.store.kit import batch, draft, folded, read_all, same_rows


async def filled(path: Path, rows: int = 3) -> str:
    """Make a database with some rows; returns its id."""
    store = SQLiteStore(path)
    await store.open()
    await store.append(batch(*(draft(i, b"x" * 500) for i in range(rows))))
    await store.close()
    return store.store_id


async def reason_of(setup: Setup) -> str:
    """Why a store cannot be opened."""
    with pytest.raises(StoreUnusable) as caught:
        await SQLiteStore.set_up(setup).open()
    assert str(setup.path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value.reason


# -- a good file ---------------------------------------------------------------------------------------------------


async def test_the_file_and_its_folder_are_private(path: Path):
    store = SQLiteStore(path)
    await store.open()
    await store.append(batch(draft(1)))
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    for name in os.listdir(path.parent):
        assert stat.S_IMODE((path.parent / name).stat().st_mode) == 0o600
    await store.close()


async def test_the_file_is_set_up_as_planned(path: Path):
    await filled(path)
    connection = sqlite3.connect(path)
    pragmas = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "auto_vacuum")}
    connection.close()
    assert pragmas == {"journal_mode": "wal", "auto_vacuum": 2}


async def test_a_history_goes_on_where_it_ended(path: Path):
    store_id = await filled(path)
    store, notice = await open_store(path)
    assert (store.store_id, notice) == (store_id, "")
    (change,) = await store.append(batch(draft(0)))
    assert (change.seq, change.prev_seq) == (4, 1)
    await store.close()


@pytest.mark.parametrize("name", ["with space", "100%25", "a?mode=memory", "a#b", "ünï", "a&b=c"])
async def test_any_file_name_will_do(tmp_path: Path, name: str):
    await filled(tmp_path / name)
    assert os.listdir(tmp_path) == [name]
    store = SQLiteStore(tmp_path / name, read_only=True)
    await store.open()
    assert (await store.snapshot()).seq == 3
    await store.close()


async def test_a_change_takes_little_room(path: Path):
    store = SQLiteStore(path)
    await store.open()
    for seconds in range(10):
        await store.append(batch(*(draft(i, os.urandom(250).hex().encode()) for i in range(1_000)), seconds=seconds))
    await store.close()
    assert path.stat().st_size / 10_000 <= 700


async def test_a_file_that_kept_nothing_of_what_was_worked_out_keeps_it_now(path: Path):
    store = SQLiteStore(path)
    await store.open()
    await store.append(batch(draft(1)))
    await store.close()
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE kept")
    connection.execute("PRAGMA user_version=2")
    connection.close()
    await store.open()
    await store.keep("suspects", {"1": b"one"})
    assert (await store.kept("suspects"), (await store.health()).seq) == ({"1": b"one"}, 1)
    await store.close()
    assert path.with_name("board.db.v2.bak").exists()


async def test_retired_changes_give_their_room_back(path: Path):
    store = SQLiteStore(path)
    await store.open()
    for seconds in range(4):
        await store.append(batch(*(draft(i, b"x" * 500) for i in range(1_000)), seconds=seconds))
    assert await store.retain(datetime(2030, 1, 1, tzinfo=UTC)) == 3_000
    await store.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA freelist_count").fetchone() == (0,)
    connection.close()
    assert path.stat().st_size < 1_310 * 760


async def test_old_lists_of_live_rows_go_with_what_they_are_for(path: Path):
    store = SQLiteStore.set_up(Setup(path=path, fold_every=10))
    await store.open()
    for seconds in range(10):
        await store.append(batch(*(draft(i, b"%d" % seconds) for i in range(10)), seconds=seconds * 86_400))
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM folds").fetchone() == (10,)
    await store.retain(datetime(2026, 4, 7, 12, tzinfo=UTC))  # the sixth is older than 90 days
    assert connection.execute("SELECT min(seq) FROM folds").fetchone() == (60,)
    connection.close()
    await store.close()


# -- another version -----------------------------------------------------------------------------------------------


def add_column(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE sources ADD COLUMN note TEXT NOT NULL DEFAULT 'migrated'")


def add_table(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE extra AS SELECT count(*) AS n FROM changes")


def fail(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM changes")
    raise sqlite3.OperationalError("this step is broken")


NOW = SCHEMA.version


def later(steps: int) -> Schema:
    """A schema that is some versions ahead of ours."""
    return Schema(NOW + steps, SCHEMA.create, {NOW: add_column, NOW + 1: add_table})


async def test_an_older_file_is_migrated_and_kept_beside(path: Path):
    store_id = await filled(path)
    newer = SQLiteStore.set_up(Setup(path=path, schema=later(2)))
    await newer.open()
    assert newer.store_id == store_id
    same_rows(await newer.snapshot(), folded(await read_all(newer, 3)))
    assert len(await newer.append(batch(draft(9)))) == 1
    await newer.close()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT n FROM extra").fetchone() == (3,)
    assert connection.execute("PRAGMA user_version").fetchone() == (NOW + 2,)
    connection.close()

    backup = path.with_name(f"board.db.v{NOW}.bak")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    old = SQLiteStore(backup)
    await old.open()
    assert (old.store_id, (await old.snapshot()).seq) == (store_id, 3)
    await old.close()


async def test_the_copy_beside_holds_what_is_only_in_the_log(path: Path):
    board = SQLiteStore(path)
    await board.open()
    await board.append(batch(draft(1)))
    newer = SQLiteStore.set_up(Setup(path=path, schema=later(1)))
    await newer.open()
    with pytest.raises(NewerSchema):
        await board.append(batch(draft(2)))
    await newer.close()
    await board.close()
    old = SQLiteStore(path.with_name(f"board.db.v{NOW}.bak"))
    await old.open()
    assert len((await old.snapshot()).rows) == 1
    await old.close()


async def test_a_migration_that_fails_changes_nothing(path: Path):
    await filled(path)
    broken = Setup(path=path, schema=Schema(NOW + 2, SCHEMA.create, {NOW: add_column, NOW + 1: fail}))
    with pytest.raises(sqlite3.OperationalError):
        await SQLiteStore.set_up(broken).open()
    store = SQLiteStore(path)
    await store.open()
    assert len((await store.snapshot()).rows) == 3
    await store.close()


async def test_a_newer_file_is_refused_untouched(path: Path):
    newer = SQLiteStore.set_up(Setup(path=path, schema=later(1)))
    await newer.open()
    await newer.append(batch(draft(1)))
    await newer.close()
    before = path.read_bytes()
    with pytest.raises(NewerSchema) as caught:
        await open_store(path)
    assert "use that version or a newer one" in str(caught.value)
    assert os.listdir(path.parent) == [path.name]
    with pytest.raises(NewerSchema):
        await open_store(path, read_only=True)
    assert path.read_bytes() == before


async def test_a_follower_does_not_migrate(path: Path):
    await filled(path)
    assert await reason_of(Setup(path=path, read_only=True, schema=later(1))) == "older"


# -- damage --------------------------------------------------------------------------------------------------------


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database, " * 500)


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def overwritten(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xa5" * 20_000)


@pytest.mark.parametrize("damage", [garbage, truncated, overwritten])
async def test_a_damaged_file_is_set_aside_and_a_new_history_begins(path: Path, damage):
    store_id = await filled(path, 100)
    damage(path)
    before = path.read_bytes()
    assert await reason_of(Setup(path=path)) == "damaged"
    assert path.read_bytes() == before

    store, notice = await open_store(path)
    assert isinstance(store, SQLiteStore)
    assert store.store_id != store_id
    (aside,) = path.parent.glob("board.db.damaged-*Z")
    assert str(aside) in notice
    assert aside.read_bytes() == before
    assert len(await store.append(batch(draft(1)))) == 1
    await store.close()


def damage_inside(path: Path) -> None:
    """Overwrite pages in the middle, where only reading the rows finds out."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xa5" * (size // 4))


async def test_damage_is_found_when_the_rows_are_read(path: Path):
    await filled(path, 2_000)
    damage_inside(path)
    store = SQLiteStore(path)
    await store.open()
    with pytest.raises(StoreUnusable) as caught:
        await store.snapshot()
    assert caught.value.reason == "damaged"
    await store.close()

    instead, notice = await replacement(path, caught.value)
    assert isinstance(instead, SQLiteStore)
    assert "damaged-" in notice
    assert (await instead.snapshot()).rows == ()
    await instead.close()


async def test_a_log_goes_aside_with_its_file(path: Path):
    await filled(path)
    truncated(path)
    log = path.with_name("board.db-wal")
    log.write_bytes(b"")
    aside = set_aside(path, lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert aside == path.with_name("board.db.damaged-20260102T030405Z")
    assert {aside.name, f"{aside.name}-wal"} <= set(os.listdir(path.parent))
    assert list(path.parent.glob("board.db")) == list(path.parent.glob("board.db-*")) == []


async def test_two_damaged_files_in_one_second_are_both_kept(path: Path):
    names = []
    for _ in range(2):
        path.parent.mkdir(exist_ok=True)
        garbage(path)
        aside = set_aside(path, lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
        assert aside is not None
        names.append(aside.name)
    assert names == ["board.db.damaged-20260102T030405Z", "board.db.damaged-20260102T030405Z-2"]


async def test_a_sound_file_is_not_set_aside(path: Path):
    # The other board has been here already: what is there now is the new history.
    store_id = await filled(path)
    assert set_aside(path) is None
    store, notice = await replacement(path, StoreUnusable("it was damaged", reason="damaged"))
    assert (store.store_id, notice) == (store_id, "")
    await store.close()


async def test_another_programs_database_is_left_alone(path: Path):
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs(a)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    assert await reason_of(Setup(path=path)) == "foreign"
    store, notice = await open_store(path)
    assert isinstance(store, MemoryStore)
    assert "another program" in notice
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


# -- no room, no right, no lock, no such place ---------------------------------------------------------------------


def at_most(pages: int, connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA max_page_count={pages}")


async def test_a_full_disk_at_the_start(path: Path):
    assert await reason_of(Setup(path=path, on_connect=lambda connection: at_most(5, connection))) == "full"
    await filled(path)  # there is room again: nothing half made is in the way


async def test_a_full_disk_while_appending_loses_nothing(path: Path):
    await filled(path)
    pages = path.stat().st_size // 8192 + 2
    store = SQLiteStore.set_up(Setup(path=path, on_connect=lambda connection: at_most(pages, connection)))
    await store.open()
    before = await store.snapshot()
    big = batch(*(draft(i, b"y" * 500) for i in range(200)))
    with pytest.raises(StoreUnusable) as caught:
        await store.append(big)
    assert caught.value.reason == "full"
    assert (await store.health()).problem == str(caught.value)
    assert await store.snapshot() == before
    assert (await store.append(batch(draft("small"))))[0].seq == 4
    assert (await store.health()).problem == ""
    await store.close()

    roomy = SQLiteStore(path)
    await roomy.open()
    assert [change.seq for change in await roomy.append(big)] == list(range(5, 205))
    await roomy.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB, where this machine lets us mount one."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a file system, and not everywhere")
    yield place
    subprocess.run(["umount", str(place)], check=True)


async def test_a_disk_that_is_really_full(small_disk: Path):
    path = small_disk / "board.db"
    store = SQLiteStore(path)
    await store.open()
    stored = 0

    async def fill() -> None:
        nonlocal stored
        while True:
            stored += len(await store.append(batch(*(draft(stored + i, b"z" * 500) for i in range(50)))))

    with pytest.raises(StoreUnusable) as caught:
        await fill()
    assert caught.value.reason == "full"
    assert stored > 0
    picture = await store.snapshot()
    assert picture.seq == len(picture.rows) == stored
    await store.close()

    instead, notice = await replacement(path, caught.value)
    assert isinstance(instead, MemoryStore)
    assert "no room" in notice


async def test_a_full_disk_from_the_start(small_disk: Path):
    (small_disk / "filler").write_bytes(b"\0" * (512 << 10))
    store, notice = await open_store(small_disk / "data" / "board.db")
    assert isinstance(store, MemoryStore)
    assert notice


async def test_a_lock_that_stays(path: Path):
    await filled(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert await reason_of(Setup(path=path, patience=0.05)) == "locked"
    other.execute("ROLLBACK")
    other.close()


async def test_a_lock_while_appending_is_an_error_and_nothing_is_written(path: Path):
    store = SQLiteStore.set_up(Setup(path=path, patience=0.05))
    await store.open()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnusable) as caught:
        await store.append(batch(draft(1)))
    assert caught.value.reason == "locked"
    other.execute("ROLLBACK")
    other.close()
    assert (await store.append(batch(draft(1))))[0].seq == 1
    await store.close()


async def test_a_file_that_was_deleted_under_us(path: Path):
    store = SQLiteStore(path)
    await store.open()
    path.unlink()
    for attempt in (store.append(batch(draft(1))), store.lease("poll", "me")):
        with pytest.raises(StoreUnusable) as caught:
            await attempt
        assert caught.value.reason == "moved"
    await store.close()


async def test_a_place_where_no_file_can_be(tmp_path: Path):
    tmp_path.joinpath("file").touch()
    for path in (tmp_path / "file" / "board.db", tmp_path):
        store, notice = await open_store(path)
        assert isinstance(store, MemoryStore)
        assert str(path) in notice
        assert (await store.health()).problem == notice
        assert not (await store.health()).durable


async def test_there_is_nothing_to_follow(path: Path):
    assert await reason_of(Setup(path=path, read_only=True)) == "missing"
    path.parent.mkdir()
    path.touch()
    assert await reason_of(Setup(path=path, read_only=True)) == "missing"
    with pytest.raises(StoreUnusable):
        await open_store(path, read_only=True)


@pytest.mark.parametrize("reason", ["locked", "full", "readonly", "network", "io", "moved"])
async def test_a_board_goes_on_from_memory(path: Path, reason: str):
    store, notice = await replacement(path, StoreUnusable("the reason", reason=reason), clock=FakeClock())
    assert isinstance(store, MemoryStore)
    assert "the reason" in notice
    assert not path.exists()


async def test_stores_in_memory_are_histories_of_their_own():
    assert MemoryStore().store_id != MemoryStore().store_id


async def test_memory_is_bounded():
    store = MemoryStore(most_changes=100)
    for seconds in range(1_000):
        await store.append(batch(draft(seconds % 7, b"%d" % seconds), draft("gone", b"1"), seconds=seconds))
        await store.append(batch(draft("gone", None), seconds=seconds))
    health = await store.health()
    assert health.seq == 3_000
    kept = await read_all(store, 3_000, after=health.oldest_seq - 1)
    assert 50 < len(kept) <= 120
    assert len((await store.snapshot()).rows) == 7


# -- network file systems ------------------------------------------------------------------------------------------

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
tmpfs /home/me/local tmpfs rw 0 0
//nas/share /mnt/my\\040share cifs rw 0 0
sshfs /srv fuse.sshfs rw 0 0
/dev/sdb1 /srv ext4 rw 0 0
broken line
"""


@pytest.mark.parametrize(
    "path,kind",
    [
        ("/var/lib/board.db", "ext4"),
        ("/home/me/board.db", "nfs4"),
        ("/homestead/board.db", "ext4"),
        ("/home/me/local/board.db", "tmpfs"),
        ("/mnt/my share/a/board.db", "cifs"),
        ("/srv/board.db", "ext4"),  # mounted over the other
    ],
)
def test_the_file_system_of_a_path(path: str, kind: str):
    assert file_system(Path(path), MOUNTS) == kind


def test_without_a_list_of_mounts_nothing_is_known():
    assert file_system(Path("/x"), "") == ""


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"])
async def test_a_network_file_system_is_refused(path: Path, kind: str):
    assert kind in NETWORK_FILE_SYSTEMS
    mounts = f"/dev/sda1 / ext4 rw 0 0\nserver {path.parent.parent} {kind} rw 0 0\n"
    for read_only in (False, True):
        assert await reason_of(Setup(path=path, read_only=read_only, mounts=lambda: mounts)) == "network"
    assert not path.parent.exists()
