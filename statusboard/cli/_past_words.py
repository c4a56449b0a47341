"""What ``statusboard backfill`` says: its bar, its lines, and its JSON.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from statusboard.backfill import Backfill, PartProgress, SourceProgress

#: Cells of the bar itself.
WIDTH = 20
#: Parts of a source that are named in the last lines; of more their number is told.
MOST_PARTS = 8


def bar(run: Backfill, columns: int) -> str:
    """One line of at most so many columns: how much is done, how long it may take, and what is being read."""
    filled = round(run.fraction * WIDTH)
    changes = sum(progress.changes for progress in run.progress.values())
    line = f"[{'#' * filled}{'-' * (WIDTH - filled)}] {run.fraction:4.0%}  {changes:,} new, {_left(run.seconds_left())}"
    at_work = [progress for progress in run.progress.values() if progress.state == "reading"]
    if at_work:
        slowest = min(at_work, key=lambda progress: progress.fraction)
        words = (_doing(slowest), f"{slowest.name}{_waits(slowest) or _back(slowest)}", slowest.name)
        line += "  " + next((some for some in words if len(line) + 2 + len(some) <= columns), words[0])
    return line if len(line) <= columns else line[: max(columns - 1, 0)] + "~"


def line_of(progress: SourceProgress, since: datetime) -> str:
    """A source under way, as a plain line."""
    told = f"{progress.fraction:.0%} of the way to {since:%Y-%m-%d}, {progress.changes:,} new"
    return f"{_doing(progress)} ({told})" if progress.parts else _doing(progress)


def lines_at_end(run: Backfill, *, stopped: bool) -> Iterator[str]:
    """What came of a run, source by source."""
    for progress in run.progress.values():
        yield f"{progress.name}: {_outcome(progress, run.since)}"
        parts = list(progress.parts.values())
        telling = [part for part in parts if part.state in ("failed", "unsupported") or part.notes]
        whole = len(telling) == len(parts) and all(part.why == progress.why for part in telling)
        for part in telling[:MOST_PARTS] if not whole else ():
            yield f"  {part.part}: {'; '.join(filter(None, (part.why, *part.notes)))}"
        if len(telling) > MOST_PARTS and not whole:
            yield f"  and {len(telling) - MOST_PARTS} more parts"
    if stopped:
        yield "Stopped. What was read is stored; the same command goes on from here."


def summary(run: Backfill, *, stopped: bool) -> dict[str, Any]:
    """The same as plain data (a stable contract, like `show --json`)."""
    return {
        "schema": 1,
        "since": run.since,
        "until": run.begun,
        "stopped": stopped,
        "sources": [_source(progress) for progress in run.progress.values()],
    }


def _source(progress: SourceProgress) -> dict[str, Any]:
    return {
        "name": progress.name,
        "type": progress.type,
        "state": progress.state,
        "why": progress.why,
        "limits": progress.limits,
        "reached": progress.reached,
        "changes": progress.changes,
        "requests": progress.requests,
        "parts": [_part(part) for part in progress.parts.values()],
    }


def _part(part: PartProgress) -> dict[str, Any]:
    return {
        "part": part.part,
        "kind": part.kind,
        "state": part.state,
        "why": part.why,
        "reached": part.reached,
        "nothing_older": part.ended,
        "resumed": part.resumed,
        "pages": part.pages,
        "items": part.items,
        "changes": part.changes,
        "left_out": part.left_out,
        "notes": part.notes,
    }


def _doing(progress: SourceProgress) -> str:
    if progress.until is not None:
        return f"{progress.name}{_waits(progress)} UTC, {progress.waits}"
    if progress.now not in progress.parts:
        return f"{progress.name}: looks what there is"
    return f"{progress.name}: {progress.now}{_back(progress)}"


def _waits(progress: SourceProgress) -> str:
    return "" if progress.until is None else f": waits until {progress.until:%H:%M:%S}"


def _back(progress: SourceProgress) -> str:
    part = progress.parts.get(progress.now)
    return f", back to {part.reached:%Y-%m-%d}" if part is not None and part.reached is not None else ""


def _outcome(progress: SourceProgress, since: datetime) -> str:
    told = f"{progress.changes:,} new, {progress.requests:,} request{'' if progress.requests == 1 else 's'}"
    if progress.state == "unsupported":
        return f"has no past to read: {progress.why}"
    if progress.state == "stopped":
        reached = progress.reached
        return f"stopped{f' at {reached:%Y-%m-%d}' if reached is not None else ''} ({told})"
    if progress.state == "failed":
        return f"failed: {progress.why} ({told})"
    parts = [part for part in progress.parts.values() if part.state == "done"]
    far = "all that is still there" if parts and all(part.ended for part in parts) else f"back to {since:%Y-%m-%d}"
    if progress.state == "partial":
        return f"not all of it, {far}: {progress.why} ({told})"
    return f"{far} ({told})"


def _left(seconds: float | None) -> str:
    if seconds is None:
        return "no estimate yet"
    if seconds < 60:
        return "<1 min left"
    minutes = round(seconds / 60)
    return f"{minutes} min left" if minutes < 100 else f"{round(minutes / 60)} h left"
