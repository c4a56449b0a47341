"""Reading what is remembered, and the moments that one steps through.  Rows come as aggregates, as in `_reads`."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from statusboard.clock import from_us
from statusboard.model import Kind
from statusboard.store._database import Database
from statusboard.store._hindsight import ToldRow, changed_since, filled_by, same_since, told_of
from statusboard.store._keeping import BODIED
from statusboard.store._reads import numbers, pieces, seq_at
from statusboard.store.base import BUNDLED, Backfilled, Bundle, Head, Mark, Moment, Remembered

#: Bodies that an aggregate holds at most: so few that other threads get their turn after a millisecond or two.
_AT_ONCE: Final = 500
_END: Final = (1 << 63) - 1

_WORDS = msgspec.json.Decoder(list[ToldRow])
_AGGREGATES = (
    "SELECT cast(json_group_array(json_array(f.seq, k.key, f.source, f.part, f.observed_at, f.origin, f.episode, f.at, "
    "f.first_seen, length({0}.body))) AS BLOB), cast(group_concat({0}.body, '') AS BLOB) "
    "FROM json_each(?) l CROSS JOIN facts f ON f.seq = l.value CROSS JOIN keys k ON k.id = f.key_id "
)
_WITH_BODIES = _AGGREGATES.format("f")
_WITHOUT = _AGGREGATES.format("c") + "CROSS JOIN changes c ON c.seq = f.seq"
_HEADS = msgspec.json.Decoder(list[Head])
_BUNDLE = (
    "SELECT cast(json_group_array(json_array(f.seq, f.source, f.part, f.episode, f.at, f.observed_at, "
    "length({0}.body))) AS BLOB), cast(group_concat({0}.body, '') AS BLOB) "
    "FROM json_each(?) l CROSS JOIN facts f ON f.seq = l.value "
)
_BUNDLE_WITH_BODIES = _BUNDLE.format("f")
_BUNDLE_WITHOUT = _BUNDLE.format("c") + "CROSS JOIN changes c ON c.seq = f.seq"
_BOUNDS = (
    "SELECT (SELECT value FROM meta WHERE name = 'next_seq') - 1, (SELECT value FROM meta WHERE name = 'whole_at')"
)
_MARKS = msgspec.json.Decoder(list[tuple[int, Kind, str, int]])


# -- what is remembered --------------------------------------------------------------------------------------------


def remembered(
    database: Database, kind: Kind, since: int, until: int | None, after: int, upto: int | None = None
) -> list[Remembered]:
    """The last words on what began between two moments (microseconds), oldest first; ``upto``: those of a revision."""
    end = _END if until is None else until
    found: list[Remembered] = []
    with database.reading() as connection:
        if upto is not None:
            seqs = same_since(connection, kind, since, end, after, upto)
            found += changed_since(connection, kind, since, end, after, upto)
        else:
            seqs = _seqs(connection, kind, since, end, after)
        for piece in pieces(sorted(seqs), _AT_ONCE):  # in that order they lie in the file
            found += _remembered(connection, kind, piece)
    return sorted(found, key=lambda fact: (fact.at, fact.seq))


def _seqs(connection: sqlite3.Connection, kind: Kind, since: int, until: int, after: int) -> list[int]:
    """What began in [since, until), oldest first."""
    # What is new is little, and lies at the table's end.
    by = "NOT INDEXED" if after else "INDEXED BY facts_by_time"
    return numbers(
        connection,
        f"SELECT seq AS n FROM facts {by} "  # noqa: S608
        "WHERE kind = ? AND at >= ? AND at < ? AND seq > ? ORDER BY at, seq",
        (kind, since, until, after),
    )


def _remembered(connection: sqlite3.Connection, kind: Kind, seqs: Sequence[int]) -> list[Remembered]:
    query = _WITH_BODIES if kind in BODIED else _WITHOUT
    rows, bodies = connection.execute(query, (msgspec.json.encode(seqs).decode(),)).fetchone()
    return told_of(kind, _WORDS.decode(rows), bodies)


def bundled(database: Database, kind: Kind, since: int, until: int | None, after: int) -> list[Bundle]:
    """The same as `remembered`, in bundles."""
    query = _BUNDLE_WITH_BODIES if kind in BODIED else _BUNDLE_WITHOUT
    with database.reading() as connection:
        seqs = _seqs(connection, kind, since, _END if until is None else until, after)
        return [
            Bundle(_HEADS.decode(heads), bodies)
            for piece in pieces(seqs, BUNDLED)
            for heads, bodies in (connection.execute(query, (msgspec.json.encode(piece).decode(),)).fetchone(),)
        ]


def marks(database: Database, since: int, until: int, step: int) -> list[Mark]:
    """Incidents, releases and failed builds that began between two moments, by steps of time (microseconds)."""
    found = database.connection.execute(
        "SELECT json_group_array(json_array(at, kind, what, n)) FROM (SELECT "
        "CASE WHEN ?3 THEN ?1 + (at - ?1) / ?3 * ?3 ELSE at END AS at, kind, what, count(*) AS n "
        "FROM facts INDEXED BY facts_by_time WHERE kind IN ('incident', 'release', 'build') AND at >= ?1 AND at < ?2 "
        "AND what <> '' AND (kind <> 'build' OR what = 'failed') GROUP BY 1, 2, 3)",
        (since, until, step),
    ).fetchone()[0]
    return [
        Mark(at=from_us(at), kind=kind, what=what, count=count)
        for at, kind, what, count in sorted(_MARKS.decode(found))
    ]


# -- moments -------------------------------------------------------------------------------------------------------


def neighbour(database: Database, seq: int, step: Literal[-1, 1], incidents: bool) -> Moment | None:
    """The moment beside a revision.  See `Store.neighbour`."""
    with database.reading() as connection:
        newest, whole = connection.execute(_BOUNDS).fetchone()
        beyond = seq > newest
        here = None if beyond else _live_below(connection, seq)
        if here is None:
            least, most = (whole, _END) if beyond or step == 1 else (0, 0)
        elif step == 1:
            least, most = max(here + 1, whole), _END
        else:
            least, most = whole, here
        if beyond and step == 1:
            return None
        at = (_opened if incidents else _came_in)(connection, step, least, most)
        return None if at is None else Moment(seq=seq_at(connection, at), observed_at=from_us(at))


def _came_in(connection: sqlite3.Connection, step: int, least: int, most: int) -> int | None:
    """When the first or last change in [least, most) was observed that was not backfilled."""
    at = (
        _live_above(connection, seq_at(connection, least - 1))
        if step == 1
        else _live_below(connection, seq_at(connection, most - 1))
    )
    return at if at is not None and least <= at < most else None


def _opened(connection: sqlite3.Connection, step: int, least: int, most: int) -> int | None:
    """When the first or last incident in [least, most) was seen for the first time."""
    which = "min" if step == 1 else "max"
    at: int | None = connection.execute(
        f"SELECT {which}(first_seen) FROM facts INDEXED BY facts_opened "  # noqa: S608
        "WHERE kind = 'incident' AND live AND what <> '' AND first_seen >= ? AND first_seen < ?",
        (least, most),
    ).fetchone()[0]
    return at


def _live_below(connection: sqlite3.Connection, seq: int) -> int | None:
    """When the newest change up to a number was observed that was not backfilled."""
    while True:
        row = connection.execute(
            "SELECT seq, observed_at, origin FROM changes WHERE seq <= ? ORDER BY seq DESC LIMIT 1", (seq,)
        ).fetchone()
        if row is None or row[2] != "backfill":
            return None if row is None else int(row[1])
        query = "SELECT first FROM backfills WHERE first <= ? ORDER BY first DESC LIMIT 1"
        seq = connection.execute(query, (row[0],)).fetchone()[0] - 1


def _live_above(connection: sqlite3.Connection, seq: int) -> int | None:
    """When the oldest change above a number was observed that was not backfilled."""
    while True:
        row = connection.execute(
            "SELECT seq, observed_at, origin FROM changes WHERE seq > ? ORDER BY seq LIMIT 1", (seq,)
        ).fetchone()
        if row is None or row[2] != "backfill":
            return None if row is None else int(row[1])
        query = "SELECT last FROM backfills WHERE first <= ? ORDER BY first DESC LIMIT 1"
        seq = connection.execute(query, (row[0],)).fetchone()[0]


def revision_at(database: Database, at: int) -> int:
    """The last change observed at a moment (microseconds) or before."""
    return seq_at(database.connection, at)


def kept(database: Database, what: str) -> dict[str, bytes]:
    """What was worked out of the rest, by part."""
    return dict(database.connection.execute("SELECT part, value FROM kept WHERE what = ?", (what,)).fetchall())


# -- backfill ------------------------------------------------------------------------------------------------------


def backfilled(database: Database, source: str | None, upto: int | None = None) -> list[Backfilled]:
    """The stretches that were paged back through; ``upto``: as far as that was so at a revision."""
    rows = database.connection.execute(
        "SELECT source, part, until, since, cursor, done FROM backfilled WHERE (?1 IS NULL OR source = ?1) "
        "ORDER BY source, part, until",
        (source,),
    ).fetchall()
    found = [
        Backfilled(source=name, part=part, until=from_us(until), since=from_us(since), cursor=cursor, done=bool(done))
        for name, part, until, since, cursor, done in rows
    ]
    return found if upto is None else filled_by(database.connection, found, upto)
