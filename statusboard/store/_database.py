"""A connection to the database file: opened, checked, migrated, its errors named.  Everything here blocks."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote_from_bytes

from msgspec import Struct

import statusboard
from statusboard.errors import NewerSchema, StoreUnusable
from statusboard.store._errors import not_followed, primary_code, translated
from statusboard.store._schema import APPLICATION_ID, SCHEMA, Schema

T = TypeVar("T")

#: File systems that several machines may write to: SQLite's shared memory does not work across them.
# fmt: off
NETWORK_FILE_SYSTEMS = frozenset({
    "9p", "acfs", "afpfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "fuse.ceph", "fuse.curlftpfs",
    "fuse.davfs2", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "gfs2", "glusterfs", "gpfs",
    "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "prl_fs", "smb", "smb2", "smb3", "smbfs", "vboxsf",
    "webdav",
})
# fmt: on

# 13 rows with bodies of 500 bytes fill a page of 8 KiB by 97 %; one of 4 KiB by 90 %.
_PAGE_SIZE = 8192
_PORTIONS = (1_000, 100, *range(12, 0, -1))
_WAL_PAGES = 500
_WAL_KEPT = 4 << 20
#: KiB of pages that a connection keeps.  By default it is twice as much, and hardly faster: the system keeps them too.
_CACHE = 1_000


def mounts() -> str:
    """The machine's mounts in the form of ``/proc/mounts``; empty where there is no such file."""
    try:
        return Path("/proc/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def file_system(path: Path, mounted: str) -> str:
    """The type of the file system that holds ``path``, or ``""`` when ``mounted`` does not say."""
    real = Path(os.path.realpath(path))
    best, found = -1, ""
    for line in mounted.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(fields[1].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\"))
        # Of several mounts on one point the last one is seen.
        if len(point.parts) >= best and real.is_relative_to(point):
            best, found = len(point.parts), fields[2]
    return found


class Setup(Struct, frozen=True, kw_only=True):
    """How to open a database.  All but the first two are for tests.

    ``patience``: seconds to wait for another's lock.  ``fold_every``: a list of the live rows is kept each time this
    many changes were stored, so that ``as_of`` replays at most so many.  ``on_connect``: called with each new
    connection.
    """

    path: Path
    read_only: bool = False
    schema: Schema = SCHEMA
    patience: float = 5.0
    fold_every: int = 2_500
    on_connect: Callable[[sqlite3.Connection], None] = lambda connection: None
    mounts: Callable[[], str] = mounts


class Database:
    """An open database.  Belongs to the thread that opened it."""

    def __init__(self, connection: sqlite3.Connection, setup: Setup, store_id: str) -> None:
        self.connection = connection
        self.path = setup.path
        self.store_id = store_id
        self.fold_every = setup.fold_every
        self._version = setup.schema.version
        self._inode = _inode(setup.path)
        self._most_parameters = connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)

    def close(self) -> None:
        """Close the connection; the last one to close folds the log into the file."""
        self.connection.close()

    def data_version(self) -> int:
        """A number that changes when another connection commits.  Reads no page when none did."""
        version: int = self.connection.execute("PRAGMA data_version").fetchone()[0]
        return version

    def check_in_place(self) -> None:
        """Raises `StoreUnusable` when the file was moved or deleted: what we write would be lost with us."""
        if _inode(self.path) != self._inode:
            raise StoreUnusable(f"{self.path} was moved or deleted while the board was using it", reason="moved")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Several reads of one state.  Holds nobody up."""
        self.connection.execute("BEGIN")
        try:
            yield self.connection
        finally:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all or nothing.  `NewerSchema` where a newer program migrated the file under us."""
        self.check_in_place()
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            if _pragma(self.connection, "user_version") != self._version:
                raise _newer(self.connection, self.path, self._version)
            yield self.connection
            self.connection.execute("COMMIT")
        except BaseException:
            # SQLite itself has rolled back after some errors (a full disk).
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    def many(self, head: str, rows: Sequence[Sequence[object]], tail: str = "") -> None:
        """``head VALUES (row), (row), … tail`` for all rows, up to a thousand at a time.

        ``executemany`` would hand the interpreter's lock over at each row: beside a busy event loop that takes 5 ms
        a row.  The same is why rows are read as aggregates.
        """
        if not rows:
            return
        row = f"({','.join('?' * len(rows[0]))})"
        for some in self.portions(rows, len(rows[0])):
            statement = f"{head} VALUES {','.join([row] * len(some))} {tail}"
            self.connection.execute(statement, [value for values in some for value in values])

    def portions(self, values: Sequence[T], width: int = 1) -> Iterator[Sequence[T]]:
        """``values`` in portions of few sizes, for statements with ``width`` parameters a value.

        Few sizes make few statements, which are kept compiled: at any other size the compiled ones would take 100 MB.
        The few changes of most batches are one portion.
        """
        start = 0
        while start < len(values):
            left = len(values) - start
            size = next((size for size in _PORTIONS if size <= left and size * width <= self._most_parameters), left)
            yield values[start : start + size]
            start += size


def connect(setup: Setup) -> Database:
    """Open the database, creating or migrating it unless ``read_only``.  `NewerSchema`, `StoreUnusable`."""
    path = setup.path
    kind = file_system(path, setup.mounts())
    if kind in NETWORK_FILE_SYSTEMS:
        message = f"{path} is on a network file system ({kind}), where boards cannot share a database safely"
        raise StoreUnusable(message, reason="network")
    try:
        if setup.read_only:
            if not path.exists():
                raise _missing(path)
        else:
            _create_file(path)
        connection = _open(setup)
        try:
            return Database(connection, setup, _prepare(connection, setup))
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise (not_followed if setup.read_only else translated)(error, path) from error
    except OSError as error:
        raise translated(error, path) from error


def _missing(path: Path) -> StoreUnusable:
    return StoreUnusable(f"there is no history at {path} yet: no board has stored one", reason="missing")


def _create_file(path: Path) -> None:
    """An empty file that nobody else may read, in a folder that nobody else may enter; existing ones stay."""
    missing = []
    folder = path.parent
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
    # SQLite gives the files beside it (-wal, -shm) the same mode.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _open(setup: Setup) -> sqlite3.Connection:
    name = quote_from_bytes(os.fsencode(setup.path.absolute()))
    uri = f"file:{name}?mode={'ro' if setup.read_only else 'rw'}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=setup.patience)
    setup.on_connect(connection)
    return connection


def _prepare(connection: sqlite3.Connection, setup: Setup) -> str:
    """Bring the file to our schema and the connection to our settings; returns the store id."""
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute(f"PRAGMA cache_size=-{_CACHE}")
    connection.execute(f"PRAGMA wal_autocheckpoint={_WAL_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit={_WAL_KEPT}")
    with _once(connection):
        version = _version(connection, setup.path)
    if version > setup.schema.version:
        raise _newer(connection, setup.path, setup.schema.version)
    if setup.read_only:
        if version == 0:
            raise _missing(setup.path)
        if version < setup.schema.version:
            message = f"{setup.path} is of an older version: a board that may write it must open it first"
            raise StoreUnusable(message, reason="older")
    else:
        if version == 0:
            _create(connection, setup)
        _use_log(connection, setup)
        if 0 < version < setup.schema.version:
            _migrate(connection, setup)
        # The first write must not be where a person learns that nothing can be stored.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    with _once(connection):
        row = connection.execute("SELECT value FROM meta WHERE name = 'store_id'").fetchone()
        connection.execute("SELECT count(*) FROM live").fetchone()
    if row is None:
        raise StoreUnusable(f"{setup.path} is damaged: it has lost its id", reason="damaged")
    return str(row[0])


@contextmanager
def _once(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """The file's schema version, 0 for an empty file.  `StoreUnusable` for another program's database."""
    version = _pragma(connection, "user_version")
    ours = _pragma(connection, "application_id") == APPLICATION_ID
    if not ours and (version or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]):
        raise StoreUnusable(f"{path} is the database of another program", reason="foreign")
    return version


def _create(connection: sqlite3.Connection, setup: Setup) -> None:
    # Both count only before the first page is written, and do nothing afterwards.
    connection.execute(f"PRAGMA page_size={_PAGE_SIZE}")
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    with _changing(connection):
        if _version(connection, setup.path) == 0:  # else another board was quicker
            setup.schema.create(connection)
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            _stamp(connection, setup.schema.version)


def _use_log(connection: sqlite3.Connection, setup: Setup) -> None:
    """Switch to a write-ahead log.  SQLite does not wait for locks here, so we do."""
    deadline = time.monotonic() + setup.patience
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            if primary_code(error) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
            continue
        if mode != "wal":
            message = f"the file system of {setup.path} does not let programs share memory, which boards need"
            raise StoreUnusable(message, reason="network")
        return


def _migrate(connection: sqlite3.Connection, setup: Setup) -> None:
    with _changing(connection):
        version = _version(connection, setup.path)
        if version == setup.schema.version:
            return  # another board was quicker
        if version > setup.schema.version:
            raise _newer(connection, setup.path, setup.schema.version)
        _keep_aside(setup, version)
        for step in range(version, setup.schema.version):
            setup.schema.migrations[step](connection)
        _stamp(connection, setup.schema.version)


def _keep_aside(setup: Setup, version: int) -> None:
    """Copy the file, with what its log holds, to ``name.v<version>.bak``.  Its lock must be held for writing."""
    target = setup.path.with_name(f"{setup.path.name}.v{version}.bak")
    unfinished = target.with_name(target.name + ".part")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    original = _open(setup)
    copy = sqlite3.connect(unfinished, isolation_level=None)
    try:
        original.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, whole by itself
    finally:
        copy.close()
        original.close()
    unfinished.replace(target)


@contextmanager
def _changing(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _stamp(connection: sqlite3.Connection, version: int) -> None:
    connection.execute(f"PRAGMA user_version={version}")
    program = ("program", statusboard.__version__)
    connection.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value", program)


def _newer(connection: sqlite3.Connection, path: Path, known: int) -> NewerSchema:
    """The error for a file of a newer program.  `meta` and its row `program` are the same in every version."""
    found = _pragma(connection, "user_version")
    row = connection.execute("SELECT value FROM meta WHERE name = 'program'").fetchone()
    program = f"statusboard {row[0]}" if row is not None else "a newer statusboard"
    return NewerSchema(
        f"{path} was written by {program} (schema {found}); this is {statusboard.__version__}, which knows schema "
        f"{known}: use that version or a newer one"
    )


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
