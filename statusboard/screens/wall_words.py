"""What a wall says beside its tiles: the verdict, the counts, what is hidden, how fresh it is.  Pure."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, tzinfo
from typing import Final, NamedTuple

from statusboard import presenting
from statusboard.board import Board, Row, Summary
from statusboard.clock import age
from statusboard.current import moment_of
from statusboard.model import SEVERITIES, Build, Incident, Release, Ticket
from statusboard.presenting import Glyphs
from statusboard.text import cell_len, clip, fit
from statusboard.wall import Faults, Freshness
from widgets.bigtype import big, largest, spelled, width_of_big
from widgets.wallcanvas import Line
from widgets.words import Word, width_of

HIDDEN: Final = "Hidden by filter"
"""The page of the critical incidents that no view of the wall shows."""
_KINDS: Final = ("build", "release", "incident", "ticket")
_LOOKED_AT: Final = 400
"""Of so many of the newest items the latest of a view are chosen."""


class Verdict(NamedTuple):
    """``big`` is for the largest type; ``band``: its whole field is coloured, as an alarm's is."""

    big: str
    style: str
    band: bool


def verdict_of(faults: Faults, view: int, summary: Summary, fresh: Freshness) -> Verdict:
    """The verdict of one view.  Only where everything was read and nothing is hidden is all OK."""
    failing = faults.failing(view)
    if failing:
        return Verdict(f"FAILING {failing}", "verdict-failed", True)
    if fresh.level in ("dead", "unread") or (summary.verdict == "blind" and not summary.unknown):
        return Verdict("BLIND", "verdict-blind", True)
    if faults.hidden:
        return Verdict(f"{faults.hidden} HIDDEN", "verdict-failed", True)
    if summary.failing:
        return Verdict(f"{summary.failing} ELSEWHERE", "verdict-failed", True)
    if summary.unknown:
        return Verdict(f"UNKNOWN {summary.unknown}", "verdict-blind", True)
    if fresh.level != "fresh" or summary.fresh < summary.sources:
        return Verdict("OK, BUT OLD", "verdict-blind", True)
    return Verdict("ALL OK", "success", False)


def counts_of(rows: Iterable[Row], summary: Summary) -> list[Word]:
    """What is wrong, by severity and kind, the worst first; and how much more there is elsewhere."""
    severities: dict[str, int] = {}
    builds = releases = unknown = shown = 0
    for row in rows:
        fact = row.fact
        shown += row.failing
        if row.unknown:
            unknown += 1
        elif isinstance(fact, Incident):
            severities[fact.severity] = severities.get(fact.severity, 0) + 1
        elif isinstance(fact, Build):
            builds += 1
        else:
            releases += 1
    words: list[Word] = []
    for severity in SEVERITIES:
        if count := severities.get(severity):
            name = "of unknown severity" if severity == "unknown" else severity
            words.append((f" {count} {name} ", severity))
    if releases:
        words.append((f" {_many(releases, 'release')} failed ", "failed"))
    if builds:
        words.append((f" {_many(builds, 'build')} failed ", "failed"))
    if unknown:
        words.append((f" {unknown} unknown ", "unknown"))
    if summary.failing > shown:
        words.append((f" of {summary.failing} failing on the board ", "muted"))
    return words


def read_words(rows: Iterable[Row], kinds: Collection[str], zone: tzinfo, read_at: datetime | None) -> list[Word]:
    """``40 builds  9 releases  0 incidents``, and when they were read: of what it is said that all is well."""
    counts: dict[str, int] = dict.fromkeys((kind for kind in _KINDS if kind in kinds), 0)
    services: set[str] = set()
    suppressed = 0
    for row in rows:
        if row.current:
            fact = row.fact
            counts[fact.kind] += 1
            services.update(fact.services)  # type: ignore[union-attr]  # items have them
            suppressed += isinstance(fact, Incident) and fact.state == "suppressed"
    words = [(f" {_many(count, kind)} ", "strong") for kind, count in counts.items()]
    if read_at is not None:
        words.append((f" read at {read_at.astimezone(zone):%H:%M} ", ""))
    if services:
        words.append((f" {_many(len(services), 'service')} ", ""))
    if suppressed:
        words.append((f" {suppressed} suppressed ", "muted"))
    return words


def hidden_lines(faults: Faults, board: Board, now: datetime, width: int, room: int, filter: str) -> list[Line]:
    """How many faults the wall does not show, and the critical incidents among them by name, in at most ``room`` lines,
    and one that is blank.

    Those whose names find no room here stand on a page of their own (`Walk`), as all of them do.
    """
    count = faults.hidden
    if not count:
        return []
    why = f"the wall's filter {filter}" if filter else "the filters of this wall's views"
    lines = [f" {_many(count, 'FAULT')} HIDDEN by {why}"]
    named = [_named(board.rows[key], now) for key in faults.hidden_critical if key in board.rows]
    shown = len(named) if len(named) < room else max(0, room - 2)
    lines += [f" HIDDEN CRITICAL: {name}" for name in named[:shown]]
    if shown < len(named):
        lines.append(f" {len(named) - shown} {'more ' if shown else ''}CRITICAL HIDDEN, each on the page {HIDDEN}")
    return [*(bar(line, "critical", width) for line in lines), ()]


def _named(row: Row, now: datetime) -> str:
    fact = row.fact
    assert isinstance(fact, Incident)
    began = moment_of(fact)
    since = f" {age(now, began)}" if began is not None else ""
    return f"{fact.service or fact.team or fact.source}{since}: {fact.title}"


def bar(text: str, style: str, width: int) -> Line:
    """One line, coloured from edge to edge."""
    return ((fit(text, width), style),)


def centred(lines: Sequence[str], style: str, width: int, *, band: bool) -> list[Line]:
    """Rows of large type in the middle; a band is coloured from edge to edge."""
    made: list[Line] = []
    for text in lines:
        left = max(0, (width - cell_len(text)) // 2)
        if band:
            made.append(((fit(" " * left + text, width), style),))
        else:
            made.append(((" " * left, ""), (text, style)))
    return made


def large(text: str, width: int, height: int, style: str, *, band: bool, ascii_only: bool, most: int = 4) -> list[Line]:
    """``text`` as large as it fits; in plain letters where nothing larger does."""
    scale = largest(text, width, height, most=most, ascii_only=ascii_only)
    rows = big(text, scale, ascii_only=ascii_only) if scale else (text,)
    return centred(rows, style, width, band=band)


def large_words(words: Sequence[Word], width: int, *, ascii_only: bool) -> list[Line]:
    """Words in the smallest large type, each in its style; nothing where not all of them fit or can be spelled."""
    spelt = [(spelled(text.strip().removesuffix(" failed")), style) for text, style in words if style != "muted"]
    texts = [(text, style) for text, style in spelt if text]
    used = sum(width_of_big(text) + 4 for text, _ in texts)
    if len(texts) < len(spelt) or used > width:
        return []
    left = " " * ((width - used) // 2)
    styles = [style for _, style in texts]
    rows = zip(*(big(text, 1, ascii_only=ascii_only) for text, _ in texts), strict=True)
    return [((left, ""), *((f"  {line}  ", style) for line, style in zip(row, styles, strict=True))) for row in rows]


def freshness_lines(fresh: Freshness, width: int, height: int, glyphs: Glyphs, *, ascii_only: bool) -> list[Line]:
    """A quiet line while all is read; else a band that nobody overlooks, at most ``height`` lines high."""
    if fresh.level == "fresh":
        return [((clip(f" {glyphs.of('source', 'fresh')} {fresh.told}", width), "success"),)]
    style = "verdict-failed" if fresh.level == "dead" else "verdict-blind"
    lines = large(fresh.headline, width - 2, height - 1, style, band=False, ascii_only=ascii_only)
    told = centred([clip(fresh.told, width - 2)], style, width, band=True)
    return [*centred([_text(line) for line in lines], style, width, band=True), *told]


def _text(line: Line) -> str:
    return "".join(text for text, _ in line).strip("\n")


def latest_lines(
    faults: Faults, view: int, board: Board, now: datetime, width: int, room: int, glyphs: Glyphs, zone: tzinfo
) -> list[Line]:
    """What began or changed last in a view in which nothing is wrong, a line each."""
    if room < 2:
        return []
    dated = ((moment, row) for row in board.items() if (moment := _moment(row)) is not None and moment <= now)
    newest = [row for _, row in heapq.nlargest(_LOOKED_AT, dated, key=lambda pair: (pair[0], pair[1].key))]
    lines: list[Line] = []
    for row in faults.matching(view, newest, board, now):
        if len(lines) >= room - 1:
            break
        lines.append(_latest(row, board, now, width, glyphs, zone))
    return [((" Latest", "muted"),), *lines] if lines else []


def _moment(row: Row) -> datetime | None:
    fact = row.fact
    return moment_of(fact) if isinstance(fact, Build | Incident | Release | Ticket) else None


def _latest(row: Row, board: Board, now: datetime, width: int, glyphs: Glyphs, zone: tzinfo) -> Line:
    made = presenting.cells(row, now, glyphs=glyphs, source_state=board.state_of(row.fact.source), zone=zone)
    cells = made.cells

    def cell(name: str, cells_wide: int) -> Word:
        text, style = cells.get(name, ("", ""))
        return (f" {fit(text, cells_wide)}", style or made.style)

    words = [cell("age", 4), (f" {fit(row.fact.kind, 8)}", "muted"), cell("state", 13), cell("service", 16)]
    version, _ = cells.get("version", ("", ""))
    title, style = cells.get("title", ("", ""))
    text = f" {version or title}"
    if environment := cells.get("environment", ("", ""))[0]:
        text += f" ({environment})"
    words.append((clip(text, max(0, width - width_of(words))), style or made.style))
    return tuple(words)


def _many(count: int, word: str) -> str:
    plural = "S" if word.isupper() else "s"
    return f"{count} {word}" + (plural if count != 1 else "")
