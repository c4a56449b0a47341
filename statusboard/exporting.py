"""What a view shows, for files and for `show`: as aligned text, as CSV, as the items of the JSON contract.  Pure.

Nothing here is read off a screen: it is what the view, its filter and its lanes let through, all of it, in the order of
the lanes.  What is saved may leave this machine, so a link that is not safe to open, one that holds a password among
them, is left out.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

from statusboard import report
from statusboard.board import Board, Row, Summary
from statusboard.clock import age
from statusboard.columns import Times, columns
from statusboard.model import Annotation, Build, Incident, ItemKind, ShownHealth, Status
from statusboard.presenting import UNICODE, Glyphs, cells, word_of
from statusboard.query import Query
from statusboard.text import cell_len, clip, fit, safe_url
from statusboard.view import LANES, Lane, ViewSpec

Format: TypeAlias = Literal["svg", "txt", "csv", "json"]
"""The forms, named as files end."""

TITLES: Final[Mapping[ItemKind, str]] = {
    "incident": "INCIDENTS",
    "build": "BUILDS",
    "release": "RELEASES",
    "ticket": "TICKETS",
}
GAP: Final = "  "
#: Cells beyond which a title is cut off in a file of text.
LONGEST: Final = 120
#: The columns of a CSV file, in their order: fields of the JSON contract that are one value each.
FIELDS: Final = (
    *("kind", "state", "failing", "current", "severity", "title", "reason", "service", "services", "team"),
    *("environment", "target", "assignee", "actor", "priority", "ticket_id", "pipeline", "run_number", "attempt"),
    *("repository", "branch", "change", "setting", "version", "previous_version", "revision"),
    *("started_at", "updated_at", "ended_at", "acknowledged_at", "acknowledged_by"),
    *("suppressed_until", "suppressed_by", "raw_state", "trigger"),
    *("description", "url", "source", "source_state", "key"),
)
#: What a spreadsheet takes for the beginning of a formula; the wide ones in some languages.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class Shown(Struct, frozen=True, kw_only=True):
    """What a view shows of a board: the rows of each lane in their order, and how its sources were read.

    ``query`` is the view's filter and the typed one together.  ``hidden`` rows are left out by it, by
    ``faults_only`` or for want of a lane; ``hidden_failing`` of them are failing.
    """

    view: ViewSpec
    query: Query
    faults_only: bool
    lanes: dict[ItemKind, tuple[Row, ...]]
    sources: dict[str, ShownHealth]
    said: dict[str, Sequence[Annotation]]
    hidden: int = 0
    hidden_failing: int = 0

    @property
    def rows(self) -> list[Row]:
        """All of them, lane by lane."""
        return [row for lane in self.lanes.values() for row in lane]

    @property
    def narrowed(self) -> bool:
        """Whether it is not everything that has a place on the board."""
        return bool(not self.query.matches_all or self.faults_only or self.hidden)

    @property
    def asked(self) -> str:
        """What was asked for, in words: ``Payments, filter team:payments, faults only``."""
        text = self.query.text.strip()
        filtered = f"filter {text}" if text else ""
        return ", ".join(filter(None, (self.view.name, filtered, "faults only" if self.faults_only else "")))


def shown(board: Board, view: ViewSpec, query: Query, now: datetime, *, faults_only: bool = False) -> Shown:
    """What ``view`` shows under ``query`` (its filter and any other together)."""
    lanes: dict[ItemKind, tuple[Row, ...]] = {}
    hidden = hidden_failing = 0
    for kind in (*view.lanes, *(kind for kind in LANES if kind not in view.lanes)):
        lane = Lane(kind, query, faults_only=faults_only, sort=view.sort)
        lane.rebuild(board, now)
        has_lane = kind in view.lanes
        if has_lane:
            lanes[kind] = tuple(board.rows[key] for key in lane.keys)
        hidden += lane.hidden if has_lane else lane.total
        hidden_failing += lane.hidden_faults + (0 if has_lane else lane.faults)
    rows = [row for lane in lanes.values() for row in lane]
    return Shown(
        view=view,
        query=query,
        faults_only=faults_only,
        lanes=lanes,
        sources={name: board.state_of(name) for name in {*board.health, *(row.fact.source for row in rows)}},
        said={row.key: said for row in rows if (said := board.annotations(row.key))},
        hidden=hidden,
        hidden_failing=hidden_failing,
    )


def left_out(made: Shown) -> str:
    """What is not shown, in words; ``""`` where all is."""
    if not made.hidden:
        return ""
    failing = f", {made.hidden_failing} of them FAILING" if made.hidden_failing else ", none of them failing"
    return f"{made.hidden} more {'item is' if made.hidden == 1 else 'items are'} not shown{failing}"


# --- text -----------------------------------------------------------------------------------------------------------


def as_text(
    made: Shown,
    now: datetime,
    *,
    title: str,
    glyphs: Glyphs = UNICODE,
    zone: tzinfo = UTC,
    times: Times = "ago",
) -> str:
    """Each lane as a table, its columns as wide as what stands in them."""
    lines = [f"{title}: {made.asked}", f"{now.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"]
    lines += [told] if (told := left_out(made)) else []
    told_in = UTC if times == "utc" else zone
    for kind, rows in made.lanes.items():
        lines += ["", f"{TITLES[kind]} {len(rows) or 'none'}"]
        specs = columns(kind, made.view.columns, wide=made.view.wide, times=times)
        texts = [
            cells(
                row,
                now,
                glyphs=glyphs,
                source_state=made.sources[row.fact.source],
                zone=told_in,
                absolute=times != "ago",
                said=made.said.get(row.key, ()),
            ).cells
            for row in rows
        ]
        table = [[spec.title for spec in specs]]
        table += [[clip(text.get(spec.id, ("", ""))[0], LONGEST) for spec in specs] for text in texts]
        lines += aligned(table, {n for n, spec in enumerate(specs) if spec.align == "right"}) if rows else []
    unread = sorted(f"{name} is {state}" for name, state in made.sources.items() if state != "fresh")
    lines += ["", f"Not read in full: {', '.join(unread)}"] if unread else []
    return "\n".join(lines) + "\n"


def aligned(table: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """Rows of cells as lines, every column as wide as its widest cell; columns in which nothing stands are left out.

    The first row is the head, which alone fills no column.
    """
    count = len(table[0])
    kept = [n for n in range(count) if any(row[n] for row in table[1:])]
    widths = {n: max(cell_len(row[n]) for row in table) for n in kept}
    made = []
    for row in table:
        padded = [" " * (widths[n] - cell_len(row[n])) + row[n] if n in right else fit(row[n], widths[n]) for n in kept]
        made.append(("  " + GAP.join(padded)).rstrip())
    return made


def snug(lengths: Sequence[int], most: int) -> int:
    """As wide as four of five cells need it: the few that are longer do not take the room of other columns."""
    ordered = sorted(lengths)
    if not ordered or ordered[-1] <= _SNUG:
        return ordered[-1] if ordered else 0
    return min(most, max(_SNUG, ordered[(len(ordered) - 1) * 4 // 5]))


# --- the table of `show` ---------------------------------------------------------------------------------------------


def table(
    made: Shown,
    board: Board,
    statuses: Mapping[str, Status],
    now: datetime,
    width: int | None,
    *,
    required: Collection[str] | None = None,
) -> str:
    """The board as plain lines of at most ``width`` cells: what is wrong first, then what cannot be read.

    Without a width every text is whole, as a search through the lines needs it.
    The head counts the ``required`` sources, and one that the board has never heard of as blind; without them, all
    that are not optional.
    """
    keys = {row.key for row in made.rows} if made.narrowed else None
    lines = [_head(board.summary(keys=keys, sources=required), made)]
    lines += [f"{left_out(made) or 'nothing is left out'} ({made.asked})"] if made.narrowed else []
    failing = [row for row in made.rows if row.failing]
    unknown = [row for row in made.rows if row.unknown]
    sections = {"FAILING": failing, "UNKNOWN": unknown}
    for kind, rows in made.lanes.items():
        sections[TITLES[kind]] = [row for row in rows if not row.failing and not row.unknown]
    lines += ["", *_sections({title: rows for title, rows in sections.items() if rows}, made, now, width), "SOURCES"]
    names = sorted({*board.health, *(required or ())})
    states = max((9, *(cell_len(word_of(board.state_of(name))) + 1 for name in names)))
    widest = max((20, *map(cell_len, names))) if width is None else 20
    for name in names:
        row = report.source_row(board, name, statuses.get(name), 0)
        errors = row["errors"] if width is None else row["errors"][:3]
        told = "; ".join(filter(None, (row["error"], *(f"{e['part']}: {e['error']}" for e in errors))))
        last = report.last_read(board, name, statuses.get(name))
        read = f"read {age(now, last)} ago" if last else "never read"
        state = fit(word_of(row["state"]), states)
        lines.append(f"  {state}{fit(name, widest)} {fit(read, 16)} {told}".rstrip())
    return "\n".join(line if width is None else clip(line, width) for line in lines) + "\n"


def _head(s: Summary, made: Shown) -> str:
    fine = "OK HERE" if made.hidden else "ALL OK"
    word = {"failing": f"FAILING {s.failing}", "blind": "BLIND", "ok": fine}[s.verdict]
    counts = ", ".join(f"{n} {severity}" for severity, n in s.severities.items())
    told = [f"{s.fresh} of {s.sources} sources fresh"]
    if s.blind:
        told.append(f"{s.blind} cannot be read in full")
    if s.unknown:
        told.append(f"{s.unknown} unknown")
    if s.suppressed:
        told.append(f"{s.suppressed} suppressed")
    return f"{word}{f' ({counts})' if counts else ''}: " + ", ".join(told)


def _sections(sections: Mapping[str, Sequence[Row]], made: Shown, now: datetime, width: int | None) -> Iterable[str]:
    """Rows of all kinds in the same columns; what is least needed gives way to the title."""
    table = {title: [_texts(row, made, now) for row in rows] for title, rows in sections.items()}
    everything = [texts for rows in table.values() for texts in rows]
    lengths = [[cell_len(texts[n]) for texts in everything] for n in range(len(_MOST))]
    widths = [max(column, default=0) for column in lengths]
    if width is not None:
        widths = [min(most, widest) for most, widest in zip(_MOST, widths, strict=True)]
        widths[_WHERE] = min(snug(lengths[_WHERE], _MOST[_WHERE]), max(8, width // 3))
        for column in _GIVING_WAY:
            if sum(widths) + len(widths) * len(GAP) > width - _TITLE:
                widths[column] = 0
    for title, rows in table.items():
        yield title
        for *texts, last in rows:
            padded = [fit(text, n) for text, n in zip(texts, widths, strict=True) if n]
            yield "  " + GAP.join([*padded, last])
        yield ""


#: So wide a column may be for one cell alone.
_SNUG: Final = 16
#: Age, state, where, team, who: as many cells each at most; and which go first where there is no room for a title.
_MOST: Final = (5, 20, 34, 16, 16)
_WHERE: Final = 2
_GIVING_WAY: Final = (4, 3)
_TITLE: Final = 24


def _texts(row: Row, made: Shown, now: datetime) -> tuple[str, ...]:
    fact = row.fact
    found = cells(row, now, source_state=made.sources[fact.source], said=made.said.get(row.key, ())).cells
    texts = {name: text for name, (text, _) in found.items()}
    sign, _, word = texts["state"].partition(" ")
    state = texts["state"] if sign == "?" else word
    if isinstance(fact, Incident):
        state = f"{state} {fact.severity}"
    pipeline = fact.pipeline if isinstance(fact, Build) and fact.pipeline != fact.title else ""
    where = " ".join(filter(None, (texts.get("service", ""), pipeline, texts.get("environment", ""))))
    who = texts.get("assignee") or texts.get("actor", "")
    return texts["age"], state, where, texts.get("team", ""), who, texts.get("title", "")


# --- CSV and JSON ---------------------------------------------------------------------------------------------------


def as_csv(made: Shown) -> str:
    """One line an item (RFC 4180), with a head; what a spreadsheet would take for a formula begins with ``'``."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(FIELDS)
    for row in made.rows:
        values = _linked_safely(report.item_row(row)) | {"source_state": made.sources[row.fact.source]}
        writer.writerow([spreadsheet_cell(values.get(field)) for field in FIELDS])
    return out.getvalue()


def spreadsheet_cell(value: Any) -> str:
    """A value as text that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = ", ".join(value) if isinstance(value, list) else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def as_json(made: Shown, head: Mapping[str, Any]) -> str:
    """The contract of ``show --json`` (schema 1) with these rows as its items; ``head`` is `head_of` them."""
    items = (_linked_safely(report.item_row(row)) for row in sorted(made.rows, key=lambda row: row.key))
    return msgspec.json.format(msgspec.json.encode({**head, "items": list(items)})).decode() + "\n"


def head_of(made: Shown, board: Board, statuses: Mapping[str, Status], now: datetime) -> dict[str, Any]:
    """What the JSON contract says before its items: quick, so that the board does not go on meanwhile."""
    keys = {row.key for row in made.rows}
    return report.head(board, statuses, now, only=keys, asked=asked_for(made.view, made.query))


def asked_for(view: ViewSpec, query: Query) -> dict[str, Any]:
    """What was asked for, in the JSON contract."""
    return {"view": view.name, "query": query.text.strip(), "kinds": list(view.lanes)}


def _linked_safely(item: dict[str, Any]) -> dict[str, Any]:
    links = {name: url for name, url in item.get("links", {}).items() if safe_url(url)}
    return item | {"url": safe_url(item.get("url")), "links": links}


# --- files ----------------------------------------------------------------------------------------------------------


def proposed_name(view: str, at: datetime, form: Format) -> str:
    """A file name for what was seen then: ``statusboard-payments-20260102-120405.csv``."""
    words = re.sub(r"\W+", "-", view.casefold()).strip("-")[:40]
    return "-".join(filter(None, ("statusboard", words, f"{at:%Y%m%d-%H%M%S}"))) + f".{form}"


_FONT_FACE = re.compile(r"@font-face\s*\{[^}]*\}\s*")


def picture_for_files(svg: str) -> str:
    """A picture of a terminal that fetches nothing, and in which runs of blanks stay as wide as they are."""
    return _FONT_FACE.sub("", svg.replace("<text class", '<text xml:space="preserve" class'))


def lines_of(strips: Iterable[str]) -> str:
    """What a terminal shows, without the blanks at the ends."""
    return "\n".join(line.rstrip() for line in strips).rstrip() + "\n"
