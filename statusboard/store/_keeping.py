"""The table of facts: kept as changes are appended, and built anew from them.  Inside others' transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from typing import Final

import msgspec

from statusboard.clock import to_us
from statusboard.model import Change, Kind, Origin
from statusboard.store._facts import KINDS, Facts, Kept, Word, word_of

#: Changes read at a time when all is built anew: bounds the memory it takes.
_AT_ONCE = 1_000

#: The kinds whose facts have their bodies beside them.
BODIED: Final[frozenset[Kind]] = frozenset({"release", "incident"})


def _listed(kinds: Iterable[Kind]) -> str:
    return ", ".join(f"'{kind}'" for kind in sorted(kinds))


_COLUMNS = "seq, key_id, episode, kind, at, first_seen, held, over, live, what"
_FACTS = msgspec.json.Decoder(list[tuple[int, int, int, Kind, int, int, int | None, int, int, str]])
_ROWS = msgspec.json.Decoder(list[tuple[int, int, Kind, int, Origin, int | None, int | None, int | None]])
_INSERT = (
    f"INSERT INTO facts({_COLUMNS}, observed_at, source, part, origin, body) SELECT "
    + ", ".join(f"json_extract(f.value, '$[{n}]')" for n in range(len(Kept._fields)))
    + f", c.observed_at, c.source, c.part, c.origin, CASE WHEN c.kind IN ({_listed(BODIED)}) THEN c.body END "
    "FROM json_each(?) f CROSS JOIN changes c ON c.seq = json_extract(f.value, '$[0]')"
)
_KINDS = _listed(KINDS)


def remember(connection: sqlite3.Connection, changes: Sequence[Change], ids: dict[str, int]) -> None:
    """Bring the facts up to date with changes that were just stored; ``ids`` are the numbers of their keys."""
    _hear(connection, [_word(change, ids[change.key]) for change in changes if _counts(change)])
    _note_backfill(connection, ((change.seq, change.origin == "backfill") for change in changes))


def _counts(change: Change) -> bool:
    return change.body is not None and change.kind in KINDS


def _word(change: Change, key_id: int) -> Word[int]:
    assert change.body is not None
    time = None if change.time is None else to_us(change.time)
    return word_of(
        change.seq, key_id, change.kind, to_us(change.observed_at), change.origin, time, change.prev_seq, change.body
    )


def _hear(connection: sqlite3.Connection, words: Sequence[Word[int]]) -> None:
    if not words:
        return
    facts = Facts(_concerned(connection, words))
    before = set(facts.by_seq)
    for word in words:
        facts.hear(word)
    forget(connection, before - facts.by_seq.keys())
    new = [tuple(fact) for seq, fact in facts.by_seq.items() if seq not in before]
    connection.execute(_INSERT, (msgspec.json.encode(new).decode(),))


def _concerned(connection: sqlite3.Connection, words: Sequence[Word[int]]) -> Iterable[Kept[int]]:
    """The facts that these words are about, and those of the changes before them."""
    wanted = {(word.key, word.episode) for word in words}
    # The start of an incident may be told otherwise, and then it is known by the change before.
    before = {word.prev_seq for word in words if word.kind == "incident"}
    found = connection.execute(
        f"SELECT json_group_array(json_array({_COLUMNS})) FROM facts WHERE seq IN ("  # noqa: S608 - columns only
        "SELECT value FROM json_each(?) UNION SELECT f.seq FROM json_each(?) w CROSS JOIN facts f "
        "ON f.key_id = json_extract(w.value, '$[0]') AND f.episode = json_extract(w.value, '$[1]'))",
        (msgspec.json.encode(before).decode(), msgspec.json.encode(wanted).decode()),
    ).fetchone()[0]
    return [_kept(row) for row in _FACTS.decode(found)]


def _kept(row: tuple[int, int, int, Kind, int, int, int | None, int, int, str]) -> Kept[int]:
    seq, key_id, episode, kind, at, first_seen, held, over, live, what = row
    return Kept(seq, key_id, episode, kind, at, first_seen, held, bool(over), bool(live), what)


def forget(connection: sqlite3.Connection, seqs: Collection[int]) -> None:
    """Forget what these changes hold the last word on."""
    if seqs:
        connection.execute(
            "DELETE FROM facts WHERE seq IN (SELECT value FROM json_each(?))",
            (msgspec.json.encode(sorted(seqs)).decode(),),
        )


def _note_backfill(connection: sqlite3.Connection, changes: Iterable[tuple[int, bool]]) -> None:
    """Note which numbers were backfilled one after the other, so that a step through time can leap over them.

    ``changes``: the number of each, and whether it was backfilled.
    """
    newest: tuple[int, int] | None = None
    asked = False
    for backfilled, run in groupby(changes, key=lambda change: change[1]):
        if not backfilled:
            continue
        seqs = [seq for seq, _ in run]
        if not asked:
            newest = connection.execute("SELECT first, last FROM backfills ORDER BY first DESC LIMIT 1").fetchone()
            asked = True
        if newest is not None and newest[1] == seqs[0] - 1:
            connection.execute("UPDATE backfills SET last = ? WHERE first = ?", (seqs[-1], newest[0]))
        else:
            connection.execute("INSERT INTO backfills VALUES (?, ?)", (seqs[0], seqs[-1]))


def rebuild(connection: sqlite3.Connection) -> None:
    """Build the facts anew from the changes that are kept, some at a time, inside a transaction.

    What comes out is what `remember` kept, but for what was first said by a change that retention has taken since.
    """
    connection.execute("DELETE FROM facts")
    connection.execute("DELETE FROM backfills")
    after = 0
    while True:
        rows, bodies, last = connection.execute(
            "SELECT json_group_array(json_array("  # noqa: S608 - our own words only
            "seq, key_id, kind, observed_at, origin, time, prev_seq, "
            f"CASE WHEN kind IN ({_KINDS}) THEN length(body) END)), "
            f"cast(group_concat(CASE WHEN kind IN ({_KINDS}) THEN body END, '') AS BLOB), max(seq) FROM "
            "(SELECT * FROM changes WHERE seq > ? ORDER BY seq LIMIT ?)",
            (after, _AT_ONCE),
        ).fetchone()
        if last is None:
            return
        words: list[Word[int]] = []
        changes: list[tuple[int, bool]] = []
        start = 0
        for seq, key_id, kind, observed_at, origin, time, prev_seq, size in _ROWS.decode(rows):  # in the bodies' order
            changes.append((seq, origin == "backfill"))
            if size is not None:
                body = bodies[start : start + size]
                start += size
                words.append(word_of(seq, key_id, kind, observed_at, origin, time, prev_seq, body))
        _hear(connection, sorted(words))
        _note_backfill(connection, sorted(changes))
        after = last
