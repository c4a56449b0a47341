"""Everything that changes the database, each in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from statusboard.clock import from_us, to_us
from statusboard.model import Change, Status, Validator
from statusboard.store._database import Database
from statusboard.store._keeping import remember
from statusboard.store._reads import live_seqs, packed
from statusboard.store._rules import REQUESTS_KEPT, Standstill, changed_sources, lost, numbered, watched_row
from statusboard.store.base import Backfilled, Batch, Coverage, Lease, Registration, Watched

_HEADS = msgspec.json.Decoder(list[tuple[str, int, int | None]])
_COVERAGE = msgspec.json.Decoder(list[tuple[int, str, str, int, int, int]])
#: What an append must know.  In one query: each statement hands the interpreter's lock over, see `Database.many`.
_STATE = (
    "SELECT (SELECT value FROM meta WHERE name = 'next_seq'), (SELECT value FROM meta WHERE name = 'last_at'), "
    "(SELECT coalesce(max(id), 0) FROM keys), (SELECT coalesce(max(seq), 0) FROM folds)"
)


def set_meta(connection: sqlite3.Connection, **values: int) -> None:
    """Set numbers of the table ``meta``."""
    connection.execute(
        f"INSERT INTO meta(name, value) VALUES {','.join(['(?, ?)'] * len(values))} "  # noqa: S608 - question marks only
        "ON CONFLICT(name) DO UPDATE SET value = excluded.value",
        [part for pair in values.items() for part in pair],
    )


# -- changes -------------------------------------------------------------------------------------------------------


def append(database: Database, batch: Batch, lease: Lease | None) -> list[Change]:
    """Store a batch.  `LeaseLost` where the lease is not held any more."""
    return append_all(database, (batch,), lease)


def append_all(database: Database, batches: Sequence[Batch], lease: Lease | None) -> list[Change]:
    """Store batches one after the other, as `append` would, in one transaction: all of them or none.

    Many small ones cost little more than one that holds as much.
    """
    with database.writing() as connection:
        if lease is not None:
            check_lease(connection, lease)
        changes = _append_drafts(database, batches) if any(batch.drafts for batch in batches) else []
        _extend(database, [w for batch in batches for w in batch.watched], lease.token if lease is not None else 0)
        for batch in batches:
            connection.executemany("DELETE FROM validators WHERE source = ? AND part = ?", batch.void)
            _put_validators(database, batch.validators)
            _put_statuses(database, batch.statuses)
            _put_backfilled(database, batch.backfilled)
    return changes


def _append_drafts(database: Database, batches: Sequence[Batch]) -> list[Change]:
    connection = database.connection
    first, at, last_key, last_fold = connection.execute(_STATE).fetchone()
    ids, heads = _known(database, list({draft.key for batch in batches for draft in batch.drafts}), last_key)
    before = dict(heads)
    changes: list[Change] = []
    for batch in batches:
        if not batch.drafts:
            continue
        at = max(to_us(batch.observed_at), at)
        changes += numbered(batch.drafts, first + len(changes), from_us(at), heads)

    database.many("INSERT INTO changes", [_row(change, ids[change.key]) for change in changes])
    newest = {change.key: change for change in changes if change.origin != "backfill"}
    replaced = [before[key] for key in newest if before[key] is not None]
    if replaced:
        listed = msgspec.json.encode(replaced).decode()
        connection.execute("DELETE FROM live WHERE seq IN (SELECT value FROM json_each(?))", (listed,))
    database.many("INSERT INTO live", [(change.seq,) for change in newest.values() if change.body is not None])
    database.many(
        "INSERT INTO keys(id, key, head)",
        [(number, key, heads[key]) for key, number in ids.items()],
        "ON CONFLICT(id) DO UPDATE SET head = excluded.head",
    )
    remember(connection, changes, ids)
    newest_seq = first + len(changes) - 1
    set_meta(connection, next_seq=newest_seq + 1, last_at=at)
    if newest_seq - last_fold >= database.fold_every:
        connection.execute("INSERT INTO folds VALUES (?, ?)", (newest_seq, packed(live_seqs(connection))))
    return changes


def _known(database: Database, keys: Sequence[str], number: int) -> tuple[dict[str, int], dict[str, int | None]]:
    """The number and the head of each key; a key that was never seen gets a new number, above ``number``."""
    connection = database.connection
    ids: dict[str, int] = {}
    heads: dict[str, int | None] = dict.fromkeys(keys)
    for piece in database.portions(keys):
        query = (
            "SELECT json_group_array(json_array(key, id, head)) FROM keys "  # noqa: S608 - question marks only
            f"WHERE key IN ({','.join('?' * len(piece))})"
        )
        for key, known, head in _HEADS.decode(connection.execute(query, piece).fetchone()[0]):
            ids[key] = known
            heads[key] = head
    for key in keys:
        if key not in ids:
            number += 1
            ids[key] = number
    return ids, heads


def _row(change: Change, key_id: int) -> tuple[object, ...]:
    return (
        change.seq,
        key_id,
        to_us(change.observed_at),
        change.kind,
        change.source,
        change.type,
        change.origin,
        change.part,
        None if change.time is None else to_us(change.time),
        change.prev_seq,
        change.body_hash,
        change.body,
    )


def _extend(database: Database, successes: Sequence[Watched], epoch: int) -> None:
    """Extend what was watched, or begin a new stretch."""
    if not successes:
        return
    newest = _newest_coverage(database, list({(watched.source, watched.part) for watched in successes}))
    rows: list[tuple[int | None, Coverage]] = []
    places: dict[tuple[str, str], int] = {}
    for watched in successes:
        where = (watched.source, watched.part)
        number, last = newest.get(where, (None, None))
        now, prolongs = watched_row(last, watched, epoch)
        if prolongs and where in places:
            rows[places[where]] = (number, now)
        else:
            number = number if prolongs else None
            places[where] = len(rows)
            rows.append((number, now))
        newest[where] = (number, now)
    database.many(
        "INSERT INTO coverage(id, source, part, since, last_success, epoch)",
        [(number, c.source, c.part, to_us(c.since), to_us(c.last_success), c.epoch) for number, c in rows],
        "ON CONFLICT(id) DO UPDATE SET last_success = excluded.last_success",
    )


def _newest_coverage(
    database: Database, parts: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[int | None, Coverage | None]]:
    """The newest stretch of each of these parts (source, part) that has one, with its row's number."""
    found: dict[tuple[str, str], tuple[int | None, Coverage | None]] = {}
    for piece in database.portions(parts, 2):
        query = (
            "SELECT json_group_array(json_array("  # noqa: S608 - question marks only
            "id, source, part, since, last_success, epoch)) FROM coverage "
            "WHERE id IN (SELECT max(id) FROM coverage WHERE (source, part) IN "
            f"(VALUES {','.join(['(?, ?)'] * len(piece))}) GROUP BY source, part)"
        )
        rows = database.connection.execute(query, [text for where in piece for text in where]).fetchone()[0]
        for number, source, part, since, last, epoch in _COVERAGE.decode(rows):
            found[source, part] = (
                number,
                Coverage(source=source, part=part, since=from_us(since), last_success=from_us(last), epoch=epoch),
            )
    return found


def _put_validators(database: Database, validators: Sequence[Validator]) -> None:
    database.many(
        "INSERT OR REPLACE INTO validators(source, part, request, etag, last_modified)",
        [(v.source, v.part, v.request, v.etag, v.last_modified) for v in validators],
    )


def _put_statuses(database: Database, statuses: Sequence[Status]) -> None:
    database.many(
        "INSERT OR REPLACE INTO statuses(source, body)",
        [(status.source, msgspec.json.encode(status)) for status in statuses],
    )


def _put_backfilled(database: Database, stretches: Sequence[Backfilled]) -> None:
    database.many(
        "INSERT OR REPLACE INTO backfilled(source, part, until, since, cursor, done)",
        [(b.source, b.part, to_us(b.until), to_us(b.since), b.cursor, b.done) for b in stretches],
    )


# -- the lease -----------------------------------------------------------------------------------------------------


def check_lease(connection: sqlite3.Connection, lease: Lease) -> None:
    """Raises `LeaseLost` unless the lease is the one that holds."""
    query = "SELECT 1 FROM lease WHERE name = ? AND holder = ? AND token = ?"
    if connection.execute(query, (lease.name, lease.holder, lease.token)).fetchone() is None:
        raise lost(lease)


def renew(database: Database, lease: Lease) -> bool:
    """Move the holder's counter; False where the lease is not held any more."""
    with database.writing() as connection:
        moved = connection.execute(
            "UPDATE lease SET counter = counter + 1 WHERE name = ? AND holder = ? AND token = ?",
            (lease.name, lease.holder, lease.token),
        )
        return moved.rowcount == 1


def take(
    database: Database, name: str, holder: str, standstill: Standstill, monotonic: Callable[[], float]
) -> Lease | None:
    """Take a lease that is free, or whose holder is taken for dead; ``None`` while another holds it."""
    database.check_in_place()
    query = "SELECT holder, token, counter FROM lease WHERE name = ?"
    before = monotonic()
    row = database.connection.execute(query, (name,)).fetchone()
    if row is not None and row[0] and not standstill.over(name, row[1:], before, monotonic()):
        return None
    with database.writing() as connection:
        if connection.execute(query, (name,)).fetchone() != row:
            return None  # somebody was quicker, or the holder came back to life
        lease = Lease(name=name, holder=holder, token=row[1] + 1 if row is not None else 1)
        connection.execute(
            "INSERT INTO lease(name, holder, token, counter) VALUES (?, ?, ?, 0) ON CONFLICT(name) DO UPDATE SET "
            "holder = excluded.holder, token = excluded.token, counter = counter + 1",
            (name, holder, lease.token),
        )
    return lease


def release(database: Database, leases: Collection[Lease]) -> None:
    """Give leases back, as far as they are held; their tokens stay used."""
    with database.writing() as connection:
        connection.executemany(
            "UPDATE lease SET holder = '', counter = counter + 1 WHERE name = ? AND holder = ? AND token = ?",
            [(lease.name, lease.holder, lease.token) for lease in leases],
        )


# -- sources -------------------------------------------------------------------------------------------------------


def register(database: Database, sources: Sequence[Registration], lease: Lease) -> list[str]:
    """Make these the configured sources; returns those that are new or changed.

    Theirs and the removed ones' validators are void, and the removed ones have no status and no backfill any more.
    """
    with database.writing() as connection:
        check_lease(connection, lease)
        rows = connection.execute("SELECT source, type, identity FROM sources")
        before: Mapping[str, tuple[str, str]] = {name: (type_, identity) for name, type_, identity in rows}
        after = {source.source: (source.type, source.identity) for source in sources}
        changed = changed_sources(before, after)
        removed = [name for name in before if name not in after]
        for name in (*changed, *removed):
            connection.execute("DELETE FROM validators WHERE source = ?", (name,))
        for name in removed:
            connection.execute("DELETE FROM statuses WHERE source = ?", (name,))
            connection.execute("DELETE FROM backfilled WHERE source = ?", (name,))
            connection.execute("DELETE FROM sources WHERE source = ?", (name,))
        database.many("INSERT OR REPLACE INTO sources", [(name, *after[name]) for name in changed])
    return changed


def forget_validators(database: Database, source: str, part: str | None) -> None:
    """Void the validators of a source or of one of its parts."""
    with database.writing() as connection:
        query = "DELETE FROM validators WHERE source = ? AND (? IS NULL OR part = ?)"
        connection.execute(query, (source, part, part))


def forget_backfilled(database: Database, source: str, part: str | None) -> None:
    """Forget how far backfill has come with a source or with one of its parts."""
    with database.writing() as connection:
        query = "DELETE FROM backfilled WHERE source = ? AND (? IS NULL OR part = ?)"
        connection.execute(query, (source, part, part))


def keep(database: Database, what: str, parts: Mapping[str, bytes | None]) -> None:
    """Keep what was worked out of the rest; ``None`` lets go of a part."""
    with database.writing() as connection:
        gone = msgspec.json.encode(list(parts)).decode()
        connection.execute("DELETE FROM kept WHERE what = ? AND part IN (SELECT value FROM json_each(?))", (what, gone))
        rows = [(what, part, value) for part, value in parts.items() if value is not None]
        database.many("INSERT INTO kept(what, part, value)", rows)


def request_poll(database: Database, source: str | None) -> int:
    """Leave a request to poll; returns its number."""
    with database.writing() as connection:
        number = connection.execute("INSERT INTO requests(source) VALUES (?)", (source,)).lastrowid
        assert number is not None
        # The newest always stays, so that its number is not given again.
        connection.execute("DELETE FROM requests WHERE number <= ?", (number - REQUESTS_KEPT,))
    return number
