"""The first-paint cache: the uppermost rows of each lane as they were when the last board was closed.

Reading and folding a store takes longer than a person wants to look at an empty screen, so the board paints these rows
first.  They are *last known*, not live: they carry `Front.saved_at`, and whoever paints them shows every row as one
whose source has not been read yet (`source_state="starting"`) and the header by `presenting.last_known_words`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct

from statusboard.board import Board, Row, Summary
from statusboard.model import Fact, ItemKind, Kind
from statusboard.paths import private_dir

log = logging.getLogger("statusboard.front")

VERSION = 1
"""Of the file's format; a file of any other is ignored."""
ROWS_PER_LANE = 60
MAX_SIZE = 2_000_000
"""Bytes; a larger file is not ours."""

_Moment: TypeAlias = Annotated[datetime, Meta(tz=True)]


class FrontRow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row: the fact and what the board made of it."""

    fact: Fact
    seq: int
    observed_at: _Moment
    current: bool = False
    failing: bool = False
    newest: bool = False


class Front(Struct, frozen=True, kw_only=True):
    """What was on the screen at ``saved_at``: the first rows of each lane, in their order, and the numbers."""

    version: int
    saved_at: _Moment
    store_id: str
    seq: int
    summary: Summary
    lanes: dict[ItemKind, list[FrontRow]]

    def rows(self) -> dict[ItemKind, list[Row]]:
        """The rows to paint, by lane."""
        return {kind: [_row(row) for row in rows] for kind, rows in self.lanes.items()}


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Front)


def make(board: Board, lanes: Mapping[ItemKind, Sequence[str]], now: datetime, summary: Summary | None = None) -> Front:
    """The front of a board whose lanes show these keys, in this order; ``summary`` is the header's, if narrowed."""
    return Front(
        version=VERSION,
        saved_at=now,
        store_id=board.store_id,
        seq=board.seq,
        summary=board.summary() if summary is None else summary,
        lanes={
            kind: [_front_row(board.rows[key]) for key in keys[:ROWS_PER_LANE] if key in board.rows]
            for kind, keys in lanes.items()
        },
    )


def save(path: Path, front: Front) -> bool:
    """Write the front at once or not at all (0600); whether that worked.  Without it the next start is only slower."""
    temporary = ""
    try:
        private_dir(path.parent)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(_ENCODER.encode(front))
        os.replace(temporary, path)
    except OSError as error:
        log.info("the first screen could not be kept for the next start: %s", error)
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        return False
    return True


def load(path: Path) -> Front | None:
    """The front that was saved, or None: there is none, it cannot be read, or it is not what `save` writes."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SIZE + 1)
        if len(data) > MAX_SIZE:
            raise ValueError(f"larger than {MAX_SIZE} bytes")
        front = _DECODER.decode(data)
        _check(front)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:  # ValueError: msgspec's errors are of that kind
        log.info("the screen of the last run cannot be shown: %s", error)
        return None
    return front


def _check(front: Front) -> None:
    """What types cannot say: our version, keys in their lanes, times with a zone.  ValueError where that fails."""
    if front.version != VERSION:
        raise ValueError(f"version {front.version} instead of {VERSION}")
    for kind, rows in front.lanes.items():
        for row in rows:
            _check_fact(row.fact, kind)


def _check_fact(fact: Fact, kind: Kind) -> None:
    if fact.kind != kind or not fact.key.startswith(f"{fact.source}:{kind}:"):
        raise ValueError(f"{fact.key[:80]!r} stands in the lane of {kind}")
    for name in fact.__struct_fields__:
        value = getattr(fact, name)
        if isinstance(value, datetime) and value.tzinfo is None:
            raise ValueError(f"a time without a zone: {name} of {fact.key[:80]!r}")


def _front_row(row: Row) -> FrontRow:
    return FrontRow(
        fact=row.fact,
        seq=row.seq,
        observed_at=row.observed_at,
        current=row.current,
        failing=row.failing,
        newest=row.newest,
    )


def _row(saved: FrontRow) -> Row:
    row = Row(saved.fact.key, saved.seq, saved.observed_at, saved.fact, b"")
    row.current, row.failing, row.newest = saved.current, saved.failing, saved.newest
    return row
