"""Reading changes and live rows.  Rows come as aggregates: one JSON array of the small columns, one blob of bodies.

A thread that fetches row by row hands the interpreter's lock over at each row; beside a busy event loop that made a
picture of 10,000 rows take 9 s.  As aggregates it takes 40 ms, and 70 ms beside a busy loop.
"""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from statusboard.clock import from_us
from statusboard.errors import HistoryGone
from statusboard.model import Change, Kind, Origin, Status, Validator
from statusboard.store._database import Database
from statusboard.store._rules import CHUNK
from statusboard.store.base import Coverage, Live, Outline, Picture, Registration, Stored

#: Rows an aggregate holds at most: bounds the memory that a big picture takes while it is read.
_AT_ONCE = 2_000
_HASH_BYTES = 16

_ChangeRow = tuple[int, int, str, Kind, str, str, Origin, str, int | None, int | None, int | None]
_LiveRow = tuple[int, int, str, Kind, str, Origin, str, int]

_CHANGE_ROWS = msgspec.json.Decoder(list[_ChangeRow])
_LIVE_ROWS = msgspec.json.Decoder(list[_LiveRow])
_STORED_ROWS = msgspec.json.Decoder(list[tuple[int, int, int]])
_STEPS = msgspec.json.Decoder(list[tuple[int, int | None, int]])
_NUMBERS = msgspec.json.Decoder(list[int])
_STATUS = msgspec.json.Decoder(Status)

_CHANGE_COLUMNS = (
    "c.seq, c.observed_at, k.key, c.kind, c.source, c.type, c.origin, c.part, c.time, c.prev_seq, length(c.body)"
)
_LIVE_COLUMNS = "c.seq, c.observed_at, k.key, c.kind, c.source, c.origin, c.part, length(c.body)"
_AGGREGATES = (
    "SELECT cast(json_group_array(json_array({})) AS BLOB), cast(group_concat(c.body, '') AS BLOB), "
    "cast(group_concat(c.body_hash, '') AS BLOB) FROM "
)
_SELECT_CHANGES = _AGGREGATES.format(_CHANGE_COLUMNS)
_SELECT_LIVE = _AGGREGATES.format(_LIVE_COLUMNS)
_SELECT_STORED = (
    _AGGREGATES.format("c.seq, c.observed_at, length(c.body)")
    + "json_each(?) l CROSS JOIN changes c ON c.seq = l.value WHERE c.body IS NOT NULL"
)
# CROSS JOIN keeps SQLite to this order of loops.
_OF_CHANGES = "changes c CROSS JOIN keys k ON k.id = c.key_id "
_OF_LIVE = "live l CROSS JOIN changes c ON c.seq = l.seq CROSS JOIN keys k ON k.id = c.key_id "
_OF_LISTED = "json_each(?) l CROSS JOIN changes c ON c.seq = l.value CROSS JOIN keys k ON k.id = c.key_id "

# The change at or below the middle of a stretch tells in which half the moment lies.
_BY_HALVES = """
WITH RECURSIVE stretch(low, high) AS (
    SELECT 0, value - 1 FROM meta WHERE name = 'next_seq'
    UNION ALL
    SELECT
        CASE WHEN c.observed_at > ?1 THEN s.low ELSE (s.low + s.high + 1) / 2 END,
        CASE WHEN c.observed_at > ?1 THEN c.seq - 1 ELSE s.high END
    FROM stretch s LEFT JOIN changes c
        ON c.seq = (SELECT max(seq) FROM changes WHERE seq <= (s.low + s.high + 1) / 2)
    WHERE s.low < s.high
)
SELECT low FROM stretch WHERE low >= high
"""

T = TypeVar("T")


def meta(connection: sqlite3.Connection, name: str) -> int:
    """One number of the table ``meta``."""
    value: int = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()[0]
    return value


def pieces(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """``values`` in pieces of at most ``size``."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def numbers(connection: sqlite3.Connection, query: str, parameters: Sequence[object] = ()) -> list[int]:
    """The one integer column of a query, fetched as an aggregate."""
    row = connection.execute(f"SELECT json_group_array(n) FROM ({query})", parameters).fetchone()  # noqa: S608
    return _NUMBERS.decode(row[0])


class Times(dict[int, datetime]):
    """Microseconds as datetimes; the changes of one batch share theirs."""

    def __missing__(self, microseconds: int) -> datetime:
        moment = self[microseconds] = from_us(microseconds)
        return moment


def _changes(connection: sqlite3.Connection, source: str, parameters: Sequence[object]) -> list[Change]:
    rows, bodies, hashes = connection.execute(_SELECT_CHANGES + source, parameters).fetchone()
    found = []
    times = Times()
    body_at = hash_at = 0
    for seq, observed_at, key, kind, name, type_, origin, part, time, prev_seq, size in _CHANGE_ROWS.decode(rows):
        body, body_hash = None, b""
        if size is not None:
            body = bodies[body_at : body_at + size]
            body_hash = hashes[hash_at : hash_at + _HASH_BYTES]
            body_at += size
            hash_at += _HASH_BYTES
        found.append(
            Change(
                seq=seq,
                observed_at=times[observed_at],
                key=key,
                kind=kind,
                source=name,
                type=type_,
                origin=origin,
                body=body,
                body_hash=body_hash,
                part=part,
                time=None if time is None else from_us(time),
                prev_seq=prev_seq,
            )
        )
    return found


def _live(connection: sqlite3.Connection, source: str, parameters: Sequence[object]) -> list[Live]:
    rows, bodies, hashes = connection.execute(_SELECT_LIVE + source, parameters).fetchone()
    found = []
    times = Times()
    body_at = hash_at = 0
    for seq, observed_at, key, kind, name, origin, part, size in _LIVE_ROWS.decode(rows):
        found.append(
            Live(
                key=key,
                kind=kind,
                source=name,
                part=part,
                seq=seq,
                observed_at=times[observed_at],
                body=bodies[body_at : body_at + size],
                body_hash=hashes[hash_at : hash_at + _HASH_BYTES],
                origin=origin,
            )
        )
        body_at += size
        hash_at += _HASH_BYTES
    return found


def _live_now(connection: sqlite3.Connection) -> list[Live]:
    found: list[Live] = []
    for piece in pieces(live_seqs(connection), _AT_ONCE):
        found += _live(connection, _OF_LIVE + "WHERE l.seq BETWEEN ? AND ?", (piece[0], piece[-1]))
    return found


def _live_among(connection: sqlite3.Connection, seqs: Sequence[int]) -> list[Live]:
    """The changes with these numbers as live rows; those that were retired are left out."""
    found: list[Live] = []
    for piece in pieces(seqs, _AT_ONCE):
        found += _live(connection, _OF_LISTED, (msgspec.json.encode(piece).decode(),))
    return found


# -- pictures ------------------------------------------------------------------------------------------------------


def picture(database: Database) -> Picture:
    """All live rows now."""
    with database.reading() as connection:
        seq = meta(connection, "next_seq") - 1
        rows = _live_now(connection)
    return Picture(store_id=database.store_id, seq=seq, rows=tuple(rows))


def live_seqs(connection: sqlite3.Connection) -> list[int]:
    """The numbers of the live rows, ascending: in that order their pages lie in the file."""
    return sorted(numbers(connection, "SELECT seq AS n FROM live"))


def picture_at(database: Database, at: int) -> Picture:
    """The rows that were live at a moment (microseconds).  `HistoryGone` before the earliest that is whole."""
    with database.reading() as connection:
        seq, live = _live_then(connection, at)
        rows = _live_among(connection, live)
    return Picture(store_id=database.store_id, seq=seq, rows=tuple(rows))


def outline_at(database: Database, at: int) -> Outline:
    """Which rows were live at a moment (microseconds).  `HistoryGone` as of `picture_at`."""
    with database.reading() as connection:
        seq, live = _live_then(connection, at)
    return Outline(store_id=database.store_id, seq=seq, live=live)


def _live_then(connection: sqlite3.Connection, at: int) -> tuple[int, list[int]]:
    """The revision at a moment (microseconds), and the numbers of the rows that were live then, ascending."""
    if at < meta(connection, "whole_at"):
        raise HistoryGone(meta(connection, "whole_from"))
    seq = seq_at(connection, at)
    if seq == meta(connection, "next_seq") - 1:
        return seq, live_seqs(connection)
    return seq, sorted(_folded(connection, seq))


def seq_at(connection: sqlite3.Connection, at: int) -> int:
    """The last change observed at a moment (microseconds) or before, 0 where there is none.

    ``observed_at`` never decreases with ``seq``, so no index is needed to search it by halves.  In one statement: each
    of twenty would have to wait for the interpreter's lock.
    """
    found: int = connection.execute(_BY_HALVES, (at,)).fetchone()[0]
    return found


def _folded(connection: sqlite3.Connection, seq: int) -> set[int]:
    """The numbers of the changes that were live at revision ``seq``."""
    row = connection.execute("SELECT seq, live FROM folds WHERE seq <= ? ORDER BY seq DESC LIMIT 1", (seq,)).fetchone()
    start, live = (row[0], set(unpacked(row[1]))) if row is not None else (0, set())
    later = connection.execute(
        "SELECT json_group_array(json_array(seq, prev_seq, body IS NULL)) FROM "
        "(SELECT seq, prev_seq, body FROM changes WHERE seq > ? AND seq <= ? AND origin <> 'backfill')",
        (start, seq),
    ).fetchone()[0]
    for number, replaced, removed in sorted(_STEPS.decode(later)):
        if replaced is not None:
            live.discard(replaced)
        if not removed:
            live.add(number)
    return live


def packed(seqs: Sequence[int]) -> bytes:
    """Ascending numbers as their differences, compressed: a byte or two each."""
    differences = [b - a for a, b in zip((0, *seqs), seqs, strict=False)]
    return zlib.compress(struct.pack(f"<{len(differences)}Q", *differences), 1)


def unpacked(blob: bytes) -> list[int]:
    """What `packed` was given."""
    raw = zlib.decompress(blob)
    seqs, at = [], 0
    for difference in struct.unpack(f"<{len(raw) // 8}Q", raw):
        at += difference
        seqs.append(at)
    return seqs


# -- changes -------------------------------------------------------------------------------------------------------


def changes_after(database: Database, after: int) -> list[Change]:
    """The next changes after a number, at most `CHUNK`.  `HistoryGone` where one of them was retired."""
    connection = database.connection
    with database.reading():
        gone = meta(connection, "gone")
        if after < gone:
            raise HistoryGone(gone + 1)
        # Above `gone` the numbers have no gaps.
        where = "WHERE c.seq > ? AND c.seq <= ?"
        return sorted(_changes(connection, _OF_CHANGES + where, (after, after + CHUNK)), key=lambda change: change.seq)


def history(database: Database, key: str, limit: int) -> list[Change]:
    """The newest changes of a key, newest first."""
    connection = database.connection
    with database.reading():
        seqs = numbers(
            connection,
            "SELECT c.seq AS n FROM keys k JOIN changes c ON c.key_id = k.id WHERE k.key = ? "
            "ORDER BY c.seq DESC LIMIT ?",
            (key, max(0, limit)),
        )
        return _listed(connection, seqs)


def past(database: Database, before: int | None, since: int | None, limit: int) -> list[Change]:
    """The newest changes below a number and not before a moment (microseconds), newest first."""
    with database.reading() as connection:
        oldest = 0 if since is None else seq_at(connection, since - 1) + 1
        newest = meta(connection, "next_seq") if before is None else before
        seqs = numbers(
            connection,
            "SELECT seq AS n FROM changes WHERE seq >= ? AND seq < ? ORDER BY seq DESC LIMIT ?",
            (oldest, newest, max(0, limit)),
        )
        return _listed(connection, seqs)


def recorded(database: Database, seqs: Collection[int]) -> list[Change]:
    """The changes with these numbers, newest first, as far as they are kept."""
    with database.reading() as connection:
        return _listed(connection, sorted(set(seqs), reverse=True))


def _listed(connection: sqlite3.Connection, seqs: Sequence[int]) -> list[Change]:
    """The changes with these numbers, which descend."""
    found: list[Change] = []
    for piece in pieces(seqs, _AT_ONCE):
        found += _changes(connection, _OF_LISTED, (msgspec.json.encode(piece).decode(),))
    return sorted(found, key=lambda change: change.seq, reverse=True)


def stored(database: Database, seqs: Sequence[int]) -> list[Stored]:
    """What the changes with these ascending numbers wrote, as far as they are kept; not of removals."""
    found: list[Stored] = []
    times = Times()
    with database.reading() as connection:
        for piece in pieces(seqs, _AT_ONCE):
            rows, bodies, hashes = connection.execute(_SELECT_STORED, (msgspec.json.encode(piece).decode(),)).fetchone()
            body_at = hash_at = 0
            for seq, observed_at, size in _STORED_ROWS.decode(rows):
                body = bodies[body_at : body_at + size]
                found.append(Stored(seq, times[observed_at], body, hashes[hash_at : hash_at + _HASH_BYTES]))
                body_at += size
                hash_at += _HASH_BYTES
    return found


def live_of(database: Database, keys: Collection[str]) -> list[Live]:
    """The live rows of these keys."""
    with database.reading() as connection:
        seqs: list[int] = []
        for piece in database.portions(list(set(keys))):
            marks = ",".join("?" * len(piece))
            query = f"SELECT l.seq AS n FROM keys k JOIN live l ON l.seq = k.head WHERE k.key IN ({marks})"  # noqa: S608
            seqs += numbers(connection, query, piece)
        return _live_among(connection, seqs)


# -- the rest ------------------------------------------------------------------------------------------------------


def _rows(database: Database, query: str, parameters: Sequence[object] = ()) -> list[Any]:
    return database.connection.execute(query, parameters).fetchall()


def coverage(database: Database, source: str | None, since: int | None) -> list[Coverage]:
    """The stretches that end at ``since`` (microseconds) or later, oldest first."""
    rows = _rows(
        database,
        "SELECT source, part, since, last_success, epoch FROM coverage WHERE (? IS NULL OR source = ?) "
        "AND (? IS NULL OR last_success >= ?) ORDER BY since, id",
        (source, source, since, since),
    )
    return [
        Coverage(source=name, part=part, since=from_us(first), last_success=from_us(last), epoch=epoch)
        for name, part, first, last, epoch in rows
    ]


def validators(database: Database, source: str) -> list[Validator]:
    """The stored validators of a source."""
    query = "SELECT part, request, etag, last_modified FROM validators WHERE source = ? ORDER BY part, request"
    return [
        Validator(source=source, part=part, request=request, etag=etag, last_modified=modified)
        for part, request, etag, modified in _rows(database, query, (source,))
    ]


def registered(database: Database) -> list[Registration]:
    """The configured sources, by name."""
    rows = _rows(database, "SELECT source, type, identity FROM sources ORDER BY source")
    return [Registration(source=source, type=type_, identity=identity) for source, type_, identity in rows]


def statuses(database: Database) -> list[Status]:
    """The newest status of each source, by name."""
    return [_STATUS.decode(body) for (body,) in _rows(database, "SELECT body FROM statuses ORDER BY source")]


def poll_requests(database: Database, after: int) -> list[tuple[int, str | None]]:
    """The requests to poll with a number above ``after``, in order."""
    query = "SELECT number, source FROM requests WHERE number > ? ORDER BY number"
    return [(number, source) for number, source in _rows(database, query, (after,))]


def health(database: Database) -> tuple[int, int, int]:
    """The newest revision, the oldest change that is kept with all after it, and the size on disk in bytes."""
    with database.reading() as connection:
        seq, oldest = meta(connection, "next_seq") - 1, meta(connection, "gone") + 1
    size = 0
    for suffix in ("", "-wal", "-shm"):
        file = database.path.with_name(database.path.name + suffix)
        if file.exists():
            size += file.stat().st_size
    return seq, oldest, size
