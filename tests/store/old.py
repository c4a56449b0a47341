"""A database of version 1, as statusboard wrote it before it remembered anything: a frozen copy of that layout."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from statusboard.clock import to_us
from statusboard.model import Change

TABLES = """
CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE keys(id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, head INTEGER);
CREATE TABLE changes(
    seq INTEGER PRIMARY KEY,
    key_id INTEGER NOT NULL,
    observed_at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    type TEXT NOT NULL,
    origin TEXT NOT NULL,
    part TEXT NOT NULL,
    time INTEGER,
    prev_seq INTEGER,
    body_hash BLOB NOT NULL,
    body BLOB
);
CREATE INDEX changes_by_key ON changes(key_id);
CREATE TABLE live(seq INTEGER PRIMARY KEY);
CREATE TABLE folds(seq INTEGER PRIMARY KEY, live BLOB NOT NULL);
CREATE TABLE coverage(
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    part TEXT NOT NULL,
    since INTEGER NOT NULL,
    last_success INTEGER NOT NULL,
    epoch INTEGER NOT NULL
);
CREATE INDEX coverage_by_part ON coverage(source, part);
CREATE TABLE validators(
    source TEXT NOT NULL,
    part TEXT NOT NULL,
    request TEXT NOT NULL,
    etag TEXT NOT NULL,
    last_modified TEXT NOT NULL,
    PRIMARY KEY(source, part, request)
) WITHOUT ROWID;
CREATE TABLE lease(name TEXT PRIMARY KEY, holder TEXT NOT NULL, token INTEGER NOT NULL, counter INTEGER NOT NULL);
CREATE TABLE sources(source TEXT PRIMARY KEY, type TEXT NOT NULL, identity TEXT NOT NULL);
CREATE TABLE statuses(source TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE requests(number INTEGER PRIMARY KEY, source TEXT)
"""
STORE_ID = "0123456789abcdef0123456789abcdef"


def write(path: Path, changes: Iterable[Change]) -> None:
    """Make the file that version 1 would have left after these changes, which count from 1 on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA page_size=8192")
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    for statement in TABLES.split(";"):
        connection.execute(statement)
    ids: dict[str, int] = {}
    heads: dict[str, int] = {}
    last, last_at = 0, 0
    for change in changes:
        ids.setdefault(change.key, len(ids) + 1)
        last, last_at = change.seq, to_us(change.observed_at)
        connection.execute(
            "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                change.seq,
                ids[change.key],
                last_at,
                change.kind,
                change.source,
                change.type,
                change.origin,
                change.part,
                None if change.time is None else to_us(change.time),
                change.prev_seq,
                change.body_hash,
                change.body,
            ),
        )
        if change.origin != "backfill":
            connection.execute("DELETE FROM live WHERE seq = ?", (change.prev_seq,))
            heads[change.key] = change.seq
            if change.body is not None:
                connection.execute("INSERT INTO live VALUES (?)", (change.seq,))
    for key, number in ids.items():
        connection.execute("INSERT INTO keys VALUES (?, ?, ?)", (number, key, heads.get(key)))
    meta = {
        "store_id": STORE_ID,
        "program": "0.1.0",
        "next_seq": last + 1,
        "last_at": last_at,
        "gone": 0,
        "whole_from": 0,
        "whole_at": -(1 << 62),
        "aged_long": 0,
        "aged_short": 0,
    }
    connection.executemany("INSERT INTO meta VALUES (?, ?)", list(meta.items()))
    connection.execute("PRAGMA application_id=0x73746264")
    connection.execute("PRAGMA user_version=1")
    connection.commit()
    connection.close()
