"""Retention: what is older than it is kept goes, a few hundred changes at a time.

A change goes when what replaced it has itself become too old: then no moment that can still be shown needs it.  So each
pass walks once over the changes that have aged since the last one, and whatever is on the board stays for ever.  What
is remembered goes with the change that holds its body.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime

import msgspec

from statusboard.clock import to_us
from statusboard.model import Kind
from statusboard.store._database import Database
from statusboard.store._keeping import forget
from statusboard.store._reads import meta, seq_at
from statusboard.store._rules import KEEP_COVERAGE, RETENTION, Retention
from statusboard.store._writes import set_meta

#: Changes looked at in one transaction.  Each takes at most itself and its predecessor along: 500 rows.
_AT_ONCE = 250
#: Pages given back to the file system in one transaction.
_PAGES_AT_ONCE = 128

_AGED = msgspec.json.Decoder(list[tuple[int, int, int, int | None, Kind, int, int]])


def step(database: Database, now: datetime) -> tuple[int, bool]:
    """Retire some changes, then stretches of watched time; returns how many changes, and whether there may be more."""
    with database.writing() as connection:
        for retention in RETENTION:
            aged = meta(connection, f"aged_{retention.name}")
            # Kept for exactly so long: what is as old as that stays for this once.
            end = seq_at(connection, to_us(now - retention.keep) - 1)
            if aged < end:
                upto, retired = _retire(connection, retention, aged, end)
                set_meta(connection, **{f"aged_{retention.name}": upto})
                return retired, True
        stretches = connection.execute(
            "DELETE FROM coverage WHERE id IN (SELECT id FROM coverage WHERE last_success < ? LIMIT ?)",
            (to_us(now - KEEP_COVERAGE), _AT_ONCE),
        ).rowcount
        connection.execute("DELETE FROM backfilled WHERE until < ?", (to_us(now - KEEP_COVERAGE),))
    return 0, stretches == _AT_ONCE


def _retire(connection: sqlite3.Connection, retention: Retention, aged: int, end: int) -> tuple[int, int]:
    """Retire what the next changes after ``aged`` have replaced; returns up to where, and how many rows went."""
    window = connection.execute(
        "SELECT json_group_array(json_array("
        "seq, observed_at, key_id, prev_seq, kind, origin = 'backfill', body IS NULL)) FROM "
        "(SELECT seq, observed_at, key_id, prev_seq, kind, origin, body FROM changes "
        "WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?)",
        (aged, end, _AT_ONCE),
    ).fetchone()[0]
    rows = sorted(_AGED.decode(window))
    doomed: set[int] = set()
    keys: set[int] = set()
    whole = None
    for seq, observed_at, key_id, replaced, kind, backfilled, removal in rows:
        if kind not in retention.kinds or not (backfilled or removal or replaced):
            continue
        keys.add(key_id)
        if backfilled or removal:
            doomed.add(seq)
        if replaced is not None and not backfilled:
            doomed.add(replaced)
        whole = (seq, observed_at)
    if whole is not None and whole[0] > meta(connection, "whole_from"):
        set_meta(connection, whole_from=whole[0], whole_at=whole[1])
    retired = _delete(connection, doomed, keys) if doomed else 0
    return rows[-1][0] if len(rows) == _AT_ONCE else end, retired


def _delete(connection: sqlite3.Connection, doomed: set[int], keys: set[int]) -> int:
    """Delete these changes, the keys of which nothing is left, and the lists that no picture starts from."""
    changes = msgspec.json.encode(sorted(doomed)).decode()
    touched = msgspec.json.encode(sorted(keys)).decode()
    retired = connection.execute(
        "DELETE FROM changes WHERE seq IN (SELECT value FROM json_each(?))", (changes,)
    ).rowcount
    forget(connection, doomed)
    connection.execute(
        "UPDATE keys SET head = NULL WHERE id IN (SELECT value FROM json_each(?)) "
        "AND head IN (SELECT value FROM json_each(?))",
        (touched, changes),
    )
    connection.execute(
        "DELETE FROM keys WHERE id IN (SELECT value FROM json_each(?)) "
        "AND NOT EXISTS (SELECT 1 FROM changes WHERE key_id = keys.id)",
        (touched,),
    )
    connection.execute(
        "DELETE FROM folds WHERE seq < (SELECT max(seq) FROM folds WHERE seq <= "
        "(SELECT value FROM meta WHERE name = 'whole_from'))"
    )
    gone = max(max(doomed), meta(connection, "gone"))
    set_meta(connection, gone=gone)
    connection.execute(
        "DELETE FROM backfills WHERE last <= ? AND NOT EXISTS (SELECT 1 FROM changes WHERE seq BETWEEN first AND last)",
        (gone,),
    )
    return retired


def shrink(database: Database) -> bool:
    """Give some free pages back to the file system; returns whether there are more."""
    connection = database.connection
    database.check_in_place()
    free: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    if free:
        # Each step frees one page, and `execute` takes only one of a statement that has no columns.
        connection.executescript(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})")
    return free > _PAGES_AT_ONCE
