"""What ``show`` prints: the board as JSON (schema 1, a promise to scripts), as a table, and what its exit code is.

Exit codes: 1 something is failing, even where we are partly blind; 3 blind in part, or something current is unknown;
0 nothing failing and everything read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from statusboard.board import Board, Row, Summary
from statusboard.clock import age, rfc3339
from statusboard.model import Build, Change, Incident, Item, SourceHealth, Status, decode, health_key
from statusboard.text import clip, fit

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
) -> dict[str, Any]:
    """The whole board in the shape of the JSON contract.  ``counts`` and ``required`` narrow what `summary` counts.

    A required source that the board has never heard of is listed as well, as ``starting``.
    """
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
        "items": [item_row(row) for row in sorted(board.items(), key=lambda row: row.key)],
    }


def source_row(board: Board, name: str, status: Status | None, items: int) -> dict[str, Any]:
    """One source, with its number of items, in the JSON contract."""
    health = board.health.get(name) or _unheard(name)
    last = status.last_success if status is not None else health.last_success
    return {
        "name": name,
        "type": health.type or (status.type if status is not None else ""),
        "state": board.state_of(name),
        "optional": health.optional,
        "error": health.error or None,
        "errors": [{"part": e.part, "error": e.error} for e in health.errors],
        "items": items,
        "interval": health.interval,
        "last_success": _time(last),
        "budget_left": status.budget_left if status is not None else None,
        "next_poll": _time(status.next_poll if status is not None else None),
        "notes": list(status.notes) if status is not None else [],
    }


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


def table(
    board: Board,
    statuses: Mapping[str, Status],
    now: datetime,
    width: int,
    *,
    required: Collection[str] | None = None,
) -> str:
    """The board as plain lines of at most ``width`` cells: what is wrong first, then what cannot be read.

    The head counts the ``required`` sources, and one that the board has never heard of as blind; without them, all
    that are not optional.
    """
    names = sorted({*board.health, *(required or ())})
    lines = [clip(_head(board.summary(sources=required)), width), ""]
    failing = sorted(board.failing(), key=lambda row: (row.fact.kind, row.key))
    unknown = [row for row in board.items() if row.unknown]
    rest = [row for row in board.items() if row.current and not row.failing and not row.unknown]
    lines += _section("FAILING", failing, now, width)
    lines += _section("UNKNOWN", sorted(unknown, key=lambda row: row.key), now, width)
    for kind, title in (("incident", "INCIDENTS"), ("build", "BUILDS"), ("release", "RELEASES"), ("ticket", "TICKETS")):
        rows = sorted((row for row in rest if row.fact.kind == kind), key=lambda row: row.key)
        lines += _section(title, rows, now, width)
    lines.append("SOURCES")
    for name in names:
        health = board.health.get(name) or _unheard(name)
        status = statuses.get(name)
        last = status.last_success if status is not None else health.last_success
        told = "; ".join(filter(None, (health.error, *(f"{e.part}: {e.error}" for e in health.errors[:3]))))
        read = f"read {age(now, last)} ago" if last else "never read"
        lines.append(clip(f"  {fit(board.state_of(name), 9)}{fit(name, 20)} {fit(read, 16)} {told}".rstrip(), width))
    return "\n".join(lines) + "\n"


def _head(s: Summary) -> str:
    word = {"failing": f"FAILING {s.failing}", "blind": "BLIND", "ok": "ALL OK"}[s.verdict]
    counts = ", ".join(f"{n} {severity}" for severity, n in s.severities.items())
    told = [f"{s.fresh} of {s.sources} sources fresh"]
    if s.blind:
        told.append(f"{s.blind} cannot be read in full")
    if s.unknown:
        told.append(f"{s.unknown} unknown")
    if s.suppressed:
        told.append(f"{s.suppressed} suppressed")
    return f"{word}{f' ({counts})' if counts else ''}: " + ", ".join(told)


def _section(title: str, rows: list[Row], now: datetime, width: int) -> Iterable[str]:
    if not rows:
        return []
    return [title, *(clip("  " + _line(row, now), width) for row in rows), ""]


def _line(row: Row, now: datetime) -> str:
    fact = row.fact
    assert isinstance(fact, Item)
    began = fact.ended_at or fact.started_at or fact.updated_at
    state = f"{fact.state} {fact.severity}" if isinstance(fact, Incident) else fact.state
    pipeline = fact.pipeline if isinstance(fact, Build) and fact.pipeline != fact.title else ""
    where = " ".join(filter(None, (fact.service, pipeline, fact.environment)))
    return f"{fit(age(now, began) if began else '', 4)} {fit(state, 18)} {fit(where, 24)} {fact.title}"


def _unheard(source: str) -> SourceHealth:
    return SourceHealth(key=health_key(source), source=source, state="starting")


def _time(moment: datetime | None) -> str | None:
    return rfc3339(moment) if moment is not None else None


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return rfc3339(value)
    return list(value) if isinstance(value, tuple) else value
