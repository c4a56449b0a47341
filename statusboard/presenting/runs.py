"""The last runs of a pipeline (or releases of a service) as a strip, how long they took, and since when it is red.

✓✓✓✗✗[✗]►   oldest to newest, in brackets the one that is looked at
⣀⣤⣀⣤⣶ ⣿     how long each took
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Final

from msgspec import Struct

from statusboard import clock
from statusboard.board import Board, Row
from statusboard.current import UNREAD, moment_of, order_of, verdict_of
from statusboard.model import UNFINISHED, Build, Release
from statusboard.presenting.glyphs import Cell, Glyphs
from statusboard.presenting.lines import Line, length, short_revision, time_of_day
from statusboard.presenting.rows import age_cell, status_cell

STRIP: Final = 20
"""How many runs the strip shows."""
LISTED: Final = 5
"""How many runs are listed one by one."""
_BARS: Final = "⣀⣤⣶⣿"  # braille takes one cell everywhere, block elements two in some terminals
_ASCII_BARS: Final = ".-=#"
_MOST_NAMES: Final = 4

KIND_OF_RUNS: Final[Mapping[str, str]] = {"build": "Runs of this pipeline", "release": "Releases of this service here"}
"""What the section is called, by kind."""

#: Verdicts after which a line is no longer red.
_GOOD: Final = frozenset({"success", "warning", "inactive"})
_BAD: Final = frozenset({"failed", "rolled_back"})


class Red(Struct, frozen=True):
    """Since when a line is red: its oldest failed run since the last good one.

    ``good`` is that last good one; without it nobody knows whether it began even earlier.  ``runs`` counts the failed
    ones, ``people`` are their authors, whoever broke it first.
    """

    first: Build | Release
    good: Build | Release | None
    runs: int
    people: tuple[str, ...]


def red_since(facts: Iterable[Build | Release]) -> Red | None:
    """Since when the line of these runs (newest first) is red; None where its newest verdict is not a failure."""
    failed: list[Build | Release] = []
    good: Build | Release | None = None
    for fact in facts:
        verdict = verdict_of(fact)
        if verdict in _BAD:
            failed.append(fact)
        elif verdict in _GOOD:
            good = fact
            break
        elif verdict and not failed:
            return None  # its newest verdict is that nobody knows
    if not failed:
        return None
    people = dict.fromkeys(fact.actor for fact in reversed(failed))
    return Red(failed[-1], good, len(failed), tuple(name for name in people if name))


def run_lines(
    row: Row, board: Board, now: datetime, *, glyphs: Glyphs, zone: tzinfo, older: Iterable[Build] = ()
) -> list[Line]:
    """The strip, the durations, since when it is red and by whom, and the newest runs one by one.

    ``older`` are runs that may have left the board: it may be red for longer than is seen there.
    """
    rows = board.neighbours(row)
    red = red_since(_facts(rows, older))
    lines = _red_lines(red, row, now, zone) if red is not None else []
    if len(rows) > 1:
        shown = rows[:STRIP][::-1]
        lines += [("runs", _strip(shown, row, board, glyphs), ""), ("took", _took(shown, row, now, glyphs), "")]
    if red is not None:
        lines += _concerned(red)
    return lines + (_listed(rows, row, board, now, glyphs) if len(rows) > 1 else [])


def _facts(rows: Iterable[Row], older: Iterable[Build]) -> list[Build | Release]:
    """The runs of a line, newest first: each once, in its last attempt, as the board has it if it does."""
    found: dict[str, Build | Release] = {}
    for run in older:
        before = found.get(run.key)
        if not isinstance(before, Build) or before.attempt <= run.attempt:
            found[run.key] = run
    found.update({row.key: row.fact for row in rows if isinstance(row.fact, Build | Release)})
    return sorted(found.values(), key=order_of, reverse=True)


def _red_lines(red: Red, row: Row, now: datetime, zone: tzinfo) -> list[Line]:
    first = red.first
    since = moment_of(first)
    told: list[Cell] = []
    if since is not None:
        told.append((f"{time_of_day(since, now, zone)}, {clock.age(now, since)} ago", "failed"))
    told.append((f"{', ' if told else ''}{red.runs} {'run' if red.runs == 1 else 'runs'}", "failed"))
    if red.good is None:
        told.append((" or longer: no good one is known", "unknown"))
    lines: list[Line] = [("red since", tuple(told), "")]
    if red.runs > 1 or first is not row.fact:
        lines.append(("first bad", _which(first, first is row.fact), ""))
    return lines


def _concerned(red: Red) -> list[Line]:
    """Whom to ask, and what to compare with."""
    names = red.people[:_MOST_NAMES]
    more = len(red.people) - len(names)
    lines: list[Line] = [("ask", ", ".join(names) + (f" and {more} more" if more else ""), "strong")] if names else []
    if red.good is not None:
        lines.append(("last good", _which(red.good, False), "muted"))
    return lines


def _which(fact: Build | Release, here: bool) -> tuple[Cell, ...]:
    """Which run it is and who made it."""
    number = f"#{fact.run_number}" if isinstance(fact, Build) and fact.run_number is not None else ""
    version = fact.version if isinstance(fact, Release) else ""
    name = " ".join(filter(None, (number, version, short_revision(fact.revision)))) or fact.title
    words: list[Cell] = [(name, "strong")]
    if fact.actor:
        words.append((f" by {fact.actor}", ""))
    if here:
        words.append((" (this one)", "muted"))
    elif fact.title and fact.title != name:
        words.append((f" {fact.title}", ""))
    return tuple(words)


def _strip(rows: Sequence[Row], here: Row, board: Board, glyphs: Glyphs) -> tuple[Cell, ...]:
    words: list[Cell] = []
    for row in rows:
        fact = row.fact
        assert isinstance(fact, Build | Release)
        unread = board.state_of(fact.source) in UNREAD
        text, style = status_cell(row, fact, glyphs, unread)
        if not unread and verdict_of(fact) == "failed":
            style = "failed"  # what has failed before is no alarm, yet the strip is about nothing else
        words += [("[", "strong"), (text[0], style), ("]", "strong")] if row is here else [(text[0], style)]
    words.append(("  oldest to newest", "muted"))
    return tuple(words)


def _took(rows: Sequence[Row], here: Row, now: datetime, glyphs: Glyphs) -> tuple[Cell, ...]:
    lengths = [_seconds(row, now) for row in rows]
    known = [seconds for seconds in lengths if seconds is not None]
    ended = [
        seconds for row, seconds in zip(rows, lengths, strict=True) if seconds is not None and not _unfinished(row)
    ]
    if not known or not max(known):
        return ()
    bars = _ASCII_BARS if glyphs.dash == "-" else _BARS
    signs = [
        " " if seconds is None else bars[min(len(bars) - 1, int(seconds / max(known) * len(bars)))]
        for seconds in lengths
    ]
    text = "".join(f" {sign} " if row is here else sign for row, sign in zip(rows, signs, strict=True))
    words: list[Cell] = [(text, "muted")]
    if _unfinished(rows[-1]) and lengths[-1] is not None:
        words.append((f"  running for {length(lengths[-1])}", "running"))
    if ended:
        words.append((f"  last {length(ended[-1])}, median {length(_median(ended))}", ""))
    return tuple(words)


def _median(lengths: Sequence[float]) -> float:
    """The middle one, or the mean of the two in the middle (`statistics` takes 5 ms to import)."""
    ordered, middle = sorted(lengths), len(lengths) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _unfinished(row: Row) -> bool:
    fact = row.fact
    assert isinstance(fact, Build | Release)
    return fact.state in UNFINISHED[fact.kind]


def _seconds(row: Row, now: datetime) -> float | None:
    """How long a run took, or has taken until now; None where that is not known."""
    fact = row.fact
    assert isinstance(fact, Build | Release)
    end = fact.ended_at or (now if fact.state == "running" else None)
    if fact.started_at is None or end is None or fact.approximate:
        return None
    seconds = (end - fact.started_at).total_seconds()
    return seconds if seconds >= 0 else None


def _listed(rows: Sequence[Row], here: Row, board: Board, now: datetime, glyphs: Glyphs) -> list[Line]:
    lines: list[Line] = []
    for row in rows[:LISTED]:
        fact = row.fact
        assert isinstance(fact, Build | Release)
        unread = board.state_of(fact.source) in UNREAD
        text, style = status_cell(row, fact, glyphs, unread)
        words: list[Cell] = [(text, "stale" if unread else style)]
        words += [(f" {word}", other) for word, other in _what_run(fact, row is here, row.current) if word]
        lines.append((age_cell(fact, now, glyphs), tuple(words), ""))
    if len(rows) > LISTED:
        lines.append(("", f"and {len(rows) - LISTED} more", "muted"))
    return lines


def _what_run(fact: Build | Release, here: bool, current: bool) -> list[Cell]:
    number = f"#{fact.run_number}" if isinstance(fact, Build) and fact.run_number is not None else ""
    return [
        (number or (fact.version if isinstance(fact, Release) else ""), ""),
        (f"by {fact.actor}" if fact.actor else "", "muted"),
        (fact.title if not isinstance(fact, Release) or not fact.version else "", ""),
        ("(this one)" if here else "(current)" if current else "", "muted"),
    ]
