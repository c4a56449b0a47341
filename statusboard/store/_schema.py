"""What the database file holds, and how an older file becomes a newer one."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping
from typing import NamedTuple

from statusboard.store._keeping import rebuild

#: Marks our files, so that another program's database is never touched ("stbd").
APPLICATION_ID = 0x73746264

# A change's row is written once and never touched again.  `keys` keeps the text of each key once and the newest
# change that counts for it (its head, which may be a removal); `live` is the set of heads that are on the board.  The
# body stands in `changes` only: reading 10,000 live rows through `live` takes 8 ms longer than from copies, and
# copies would cost 60 bytes a change.  `folds` holds the content of `live` at every 2,500th change, for `as_of`.
# `facts` says which change holds the last word on each release, attempt of a build and episode of an incident, kept as
# changes come in (`_keeping`).  Of releases and incidents it has the body too, 50 bytes a change: delivery metrics read
# 80,000 of them, which lie on every page of `changes`.  `backfills` says which runs of numbers were backfilled;
# `backfilled` is backfill's own book.
REMEMBERED = """
CREATE TABLE facts(
    seq INTEGER PRIMARY KEY,
    key_id INTEGER NOT NULL,
    episode INTEGER NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    held INTEGER,
    over INTEGER NOT NULL,
    live INTEGER NOT NULL,
    what TEXT NOT NULL,
    observed_at INTEGER NOT NULL,
    source TEXT NOT NULL,
    part TEXT NOT NULL,
    origin TEXT NOT NULL,
    body BLOB
);
CREATE UNIQUE INDEX facts_by_key ON facts(key_id, episode);
CREATE INDEX facts_by_time ON facts(kind, at, what);
CREATE INDEX facts_opened ON facts(first_seen) WHERE kind = 'incident' AND live AND what <> '';
CREATE TABLE backfills(first INTEGER PRIMARY KEY, last INTEGER NOT NULL);
CREATE TABLE backfilled(
    source TEXT NOT NULL,
    part TEXT NOT NULL,
    until INTEGER NOT NULL,
    since INTEGER NOT NULL,
    cursor TEXT NOT NULL,
    done INTEGER NOT NULL,
    PRIMARY KEY(source, part, until)
) WITHOUT ROWID
"""
#: What was worked out of the rest, and can be again; `statusboard.metrics.finds` tells what still holds.
KEPT = "CREATE TABLE kept(what TEXT, part TEXT, value BLOB NOT NULL, PRIMARY KEY(what, part)) WITHOUT ROWID"
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

#: ``next_seq``: what the next change gets, so that no number is used again after retention took the newest.
#: ``last_at``: the newest ``observed_at``.  ``gone``: the highest change that was retired.  ``whole_from``: the
#: earliest revision whose picture can still be shown, and ``whole_at``, when it was observed.  ``aged_*``: up to where
#: each `Retention` has come.
FIRST_META: Mapping[str, int] = {
    "next_seq": 1,
    "last_at": 0,
    "gone": 0,
    "whole_from": 0,
    "whole_at": -(1 << 62),
    "aged_long": 0,
    "aged_short": 0,
}


class Schema(NamedTuple):
    """A version of the file's layout.  ``migrations[n]`` makes version ``n`` into ``n + 1``, inside a transaction."""

    version: int
    create: Callable[[sqlite3.Connection], None]
    migrations: Mapping[int, Callable[[sqlite3.Connection], None]]


def create(connection: sqlite3.Connection) -> None:
    """Fill an empty database, inside a transaction.  It gets a new store id."""
    for statement in (*TABLES.split(";"), *REMEMBERED.split(";"), KEPT):
        connection.execute(statement)
    rows = [("store_id", os.urandom(16).hex()), *FIRST_META.items()]
    connection.executemany("INSERT INTO meta VALUES (?, ?)", rows)


def remembering(connection: sqlite3.Connection) -> None:
    """From version 1, which knew what is live and what changed, and nothing of what had left the board."""
    for statement in REMEMBERED.split(";"):
        connection.execute(statement)
    rebuild(connection)


def keeping(connection: sqlite3.Connection) -> None:
    """From version 2, which kept nothing that was worked out."""
    connection.execute(KEPT)


SCHEMA = Schema(version=3, create=create, migrations={1: remembering, 2: keeping})
