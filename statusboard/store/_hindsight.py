"""What was remembered at an earlier revision: the facts of what has moved on since, folded again up to there.

What nothing was said of since is in the table as it was.  Of the other keys all changes are kept for as long as their
facts are, and few of them are older than the revision.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, TypeAlias

import msgspec

from statusboard.clock import from_us
from statusboard.model import Kind, Origin
from statusboard.store._facts import Facts, Kept, word_of
from statusboard.store._reads import Times, numbers, pieces
from statusboard.store.base import Backfilled, Remembered

ToldRow: TypeAlias = tuple[int, str, str, str, int, Origin, int, int, int, int]
"""Of what is remembered: its change's number, key, source, part, moment and origin, its episode, when it began, when it
was seen first (microseconds), and the size of its body."""

#: Bodies that an aggregate holds at most.
_AT_ONCE: Final = 500

_WORDS = msgspec.json.Decoder(list[tuple[int, int, Kind, int, Origin, int | None, int | None, int]])
_ROWS = msgspec.json.Decoder(list[tuple[int, str, str, str, int, Origin, int]])
_READ = msgspec.json.Decoder(list[tuple[str, str, int | None, int]])
_NEWEST_FILLED = "SELECT coalesce(max(last), 0) FROM backfills"


def same_since(connection: sqlite3.Connection, kind: Kind, since: int, until: int, after: int, upto: int) -> list[int]:
    """The facts that began in [since, until) of which nothing was said after revision ``upto``."""
    return numbers(
        connection,
        "SELECT seq AS n FROM facts INDEXED BY facts_by_time WHERE kind = ?1 AND at >= ?2 AND at < ?3 AND seq > ?4 "
        "AND seq <= ?5 AND key_id NOT IN (SELECT key_id FROM facts NOT INDEXED WHERE seq > ?5 AND kind = ?1)",
        (kind, since, until, after, upto),
    )


def changed_since(
    connection: sqlite3.Connection, kind: Kind, since: int, until: int, after: int, upto: int
) -> list[Remembered]:
    """What was remembered at revision ``upto`` of what something was said of later, in no particular order."""
    keys = numbers(
        connection, "SELECT DISTINCT key_id AS n FROM facts NOT INDEXED WHERE seq > ? AND kind = ?", (upto, kind)
    )
    seqs = numbers(
        connection,
        "SELECT c.seq AS n FROM json_each(?) l CROSS JOIN changes c INDEXED BY changes_by_key "
        "ON c.key_id = l.value AND c.seq <= ? WHERE c.body IS NOT NULL",
        (msgspec.json.encode(keys).decode(), upto),
    )
    facts: Facts[int] = Facts()
    for piece in pieces(sorted(seqs), _AT_ONCE):
        rows, bodies = connection.execute(
            "SELECT json_group_array(json_array(c.seq, c.key_id, c.kind, c.observed_at, c.origin, c.time, c.prev_seq, "
            "length(c.body))), cast(group_concat(c.body, '') AS BLOB) FROM json_each(?) l CROSS JOIN changes c "
            "ON c.seq = l.value",
            (msgspec.json.encode(piece).decode(),),
        ).fetchone()
        words = []
        start = 0
        for seq, key_id, of, observed_at, origin, time, prev_seq, size in _WORDS.decode(rows):
            body = bodies[start : start + size]
            words.append(word_of(seq, key_id, of, observed_at, origin, time, prev_seq, body))
            start += size
        for word in sorted(words):
            facts.hear(word)
    found = {seq: fact for seq, fact in facts.by_seq.items() if since <= fact.at < until and seq > after}
    return [
        told
        for piece in pieces(sorted(found), _AT_ONCE)
        for told in _remembered(connection, kind, [found[seq] for seq in piece])
    ]


def _remembered(connection: sqlite3.Connection, kind: Kind, facts: Sequence[Kept[int]]) -> list[Remembered]:
    by_seq = {fact.seq: fact for fact in facts}
    rows, bodies = connection.execute(
        "SELECT json_group_array(json_array(c.seq, k.key, c.source, c.part, c.observed_at, c.origin, length(c.body))), "
        "cast(group_concat(c.body, '') AS BLOB) FROM json_each(?) l CROSS JOIN changes c ON c.seq = l.value "
        "CROSS JOIN keys k ON k.id = c.key_id",
        (msgspec.json.encode(list(by_seq)).decode(),),
    ).fetchone()
    told = (
        (seq, key, source, part, observed_at, origin, fact.episode, fact.at, fact.first_seen, size)
        for seq, key, source, part, observed_at, origin, size in _ROWS.decode(rows)
        for fact in (by_seq[seq],)
    )
    return told_of(kind, told, bodies)


def told_of(kind: Kind, rows: Iterable[ToldRow], bodies: bytes) -> list[Remembered]:
    """What is remembered of a kind, of rows and their bodies one after the other."""
    times = Times()
    found = []
    start = 0
    for seq, key, source, part, observed_at, origin, episode, at, first_seen, size in rows:
        found.append(
            Remembered(
                key=key,
                kind=kind,
                source=source,
                part=part,
                episode=episode,
                at=from_us(at),
                first_seen=times[first_seen],
                seq=seq,
                observed_at=times[observed_at],
                origin=origin,
                body=bodies[start : start + size],
            )
        )
        start += size
    return found


def filled_by(connection: sqlite3.Connection, stretches: Sequence[Backfilled], upto: int) -> list[Backfilled]:
    """What of backfilled stretches had been read at revision ``upto``, as far as that can be told."""
    if connection.execute(_NEWEST_FILLED).fetchone()[0] <= upto:
        return list(stretches)
    rows = connection.execute(
        "SELECT json_group_array(json_array(source, part, known, last)) FROM (SELECT c.source, c.part, "
        "min(CASE WHEN c.seq <= ? THEN c.time END) AS known, max(c.seq) AS last "
        "FROM backfills b CROSS JOIN changes c ON c.seq BETWEEN b.first AND b.last GROUP BY 1, 2)",
        (upto,),
    ).fetchone()[0]
    read = {
        (source, part): (None if known is None else from_us(known), last)
        for source, part, known, last in _READ.decode(rows)
    }
    return still_known(stretches, read, upto)


def still_known(
    stretches: Sequence[Backfilled], read: dict[tuple[str, str], tuple[datetime | None, int]], upto: int
) -> list[Backfilled]:
    """The stretches as far as they were known at revision ``upto``.

    ``read``: when the oldest thing happened that had been read back by then, and the last change of all that was.
    Where more was read later, nobody noted how far it had come: to the oldest thing at least.
    """
    found = []
    for stretch in stretches:
        oldest, last = read.get((stretch.source, stretch.part), (None, 0))
        if last <= upto:
            found.append(stretch)
        elif oldest is not None and oldest < stretch.until:
            found.append(
                Backfilled(
                    source=stretch.source,
                    part=stretch.part,
                    until=stretch.until,
                    since=max(oldest, stretch.since),
                )
            )
    return found
