"""What ``show --json`` prints (schema 1, a promise to scripts), and what the exit code of ``show`` is.

Exit codes: 1 something is failing, even where we are partly blind; 3 blind in part, or something current is unknown;
0 nothing failing and everything read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from statusboard.board import Board, Row
from statusboard.clock import rfc3339
from statusboard.model import Change, Incident, SourceHealth, Status, decode, health_key

if TYPE_CHECKING:
    from statusboard.suspicion import Suspicion

SCHEMA = 1
EXIT_OK = 0
EXIT_FAILING = 1
EXIT_BLIND = 3


def picture(
    board: Board,
    statuses: Mapping[str, Status],
    now: datetime,
    *,
    counts: Collection[str] | None = None,
    required: Collection[str] | None = None,
    only: Collection[str] | None = None,
    asked: Mapping[str, Any] | None = None,
    suspicion: Suspicion | None = None,
) -> dict[str, Any]:
    """The board in the shape of the JSON contract.  ``counts`` and ``required`` narrow what `summary` counts.

    A required source that the board has never heard of is listed as well, as ``starting``.  With ``only`` these items
    alone are listed and counted; ``filter`` says then what was ``asked`` for and how much of the board that leaves out.
    With ``suspicion`` (settled) failing incidents have ``suspects``.
    """
    told = head(board, statuses, now, counts=counts, required=required, only=only, asked=asked)
    rows = (row for row in board.items() if only is None or row.key in only)
    items = [item_row(row) | _suspects(row, suspicion) for row in sorted(rows, key=lambda row: row.key)]
    return told | {"items": items}


def _suspects(row: Row, suspicion: Suspicion | None) -> dict[str, Any]:
    if suspicion is None or not row.failing or not isinstance(row.fact, Incident):
        return {}
    return {
        "suspects": [
            {
                "key": suspect.release.key,
                "service": suspect.release.service,
                "setting": suspect.release.setting,
                "version": suspect.release.version,
                "points": suspect.points,
                "reasons": [{"words": reason.words, "points": reason.points} for reason in suspect.reasons],
                "confirmed_by": suspect.confirmed_by or None,
            }
            for suspect in suspicion.of(row)
        ]
    }


def head(
    board: Board,
    statuses: Mapping[str, Status],
    now: datetime,
    *,
    counts: Collection[str] | None = None,
    required: Collection[str] | None = None,
    only: Collection[str] | None = None,
    asked: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A `picture` without its items."""
    if only is not None:
        counts = set(only) if counts is None else {key for key in counts if key in only}
    summary = board.summary(keys=counts, sources=required)
    items = Counter(row.fact.source for row in board.items())
    names = sorted({*board.health, *(required or ())})
    return {
        "schema": SCHEMA,
        "store_id": board.store_id,
        "revision": board.seq,
        "digest": board.digest,
        "at": rfc3339(now.replace(microsecond=0)),
        "summary": {
            "verdict": summary.verdict,
            "failing": summary.failing,
            "blind": summary.blind,
            "suppressed": summary.suppressed,
            "unknown": summary.unknown,
        },
        "sources": [source_row(board, name, statuses.get(name), items[name]) for name in names],
        "filter": None if only is None else {**(asked or {}), **_left_out(board, only)},
    }


def _left_out(board: Board, only: Collection[str]) -> dict[str, int]:
    hidden = [row for row in board.items() if row.key not in only]
    return {"hidden": len(hidden), "hidden_failing": sum(row.failing for row in hidden)}


def source_row(board: Board, name: str, status: Status | None, items: int) -> dict[str, Any]:
    """One source, with its number of items, in the JSON contract."""
    health = board.health.get(name) or _unheard(name)
    return {
        "name": name,
        "type": health.type or (status.type if status is not None else ""),
        "state": board.state_of(name),
        "optional": health.optional,
        "error": health.error or None,
        "errors": [{"part": e.part, "error": e.error} for e in health.errors],
        "items": items,
        "interval": health.interval,
        "last_success": _time(last_read(board, name, status)),
        "budget_left": status.budget_left if status is not None else None,
        "next_poll": _time(status.next_poll if status is not None else None),
        "notes": list(status.notes) if status is not None else [],
    }


def last_read(board: Board, name: str, status: Status | None) -> datetime | None:
    """When a source was last read."""
    if status is not None:
        return status.last_success
    health = board.health.get(name)
    return health.last_success if health is not None else None


def item_row(row: Row) -> dict[str, Any]:
    """One item in the JSON contract: every field of its kind, whether set or not, with what follows from its slot."""
    fact: Any = row.fact
    values = {name: _plain(getattr(fact, name)) for name in fact.__struct_fields__}
    return {
        "key": row.key,
        "source": fact.source,
        "kind": fact.kind,
        "state": fact.state,
        "raw_state": fact.raw_state,
        "current": row.current,
        "failing": row.failing,
        "title": fact.title,
        "service": fact.service,
        **{name: value for name, value in values.items() if name not in ("key", "source", "state", "title")},
    }


def change_row(change: Change, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """One line of ``--watch``."""
    after = msgspec.to_builtins(decode(change.body)) if change.body is not None else None
    return {
        "seq": change.seq,
        "at": rfc3339(change.observed_at),
        "type": change.type,
        "key": change.key,
        "before": before,
        "after": after,
    }


def exit_code(board: Board, *, counts: Collection[str] | None = None, required: Collection[str] | None = None) -> int:
    """The exit code of ``show`` for this picture."""
    summary = board.summary(keys=counts, sources=required)
    if summary.failing:
        return EXIT_FAILING
    return EXIT_BLIND if summary.verdict != "ok" else EXIT_OK


def _unheard(source: str) -> SourceHealth:
    return SourceHealth(key=health_key(source), source=source, state="starting")


def _time(moment: datetime | None) -> str | None:
    return rfc3339(moment) if moment is not None else None


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return rfc3339(value)
    return list(value) if isinstance(value, tuple) else value
