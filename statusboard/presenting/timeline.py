"""What an entry of the timeline says, and in which columns.  Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo

from statusboard import clock
from statusboard.columns import ColumnSpec, Times
from statusboard.presenting.glyphs import ASCII, STYLES, UNICODE, Cell, Glyphs
from statusboard.presenting.rows import RowText
from statusboard.timeline import Entry

COLUMNS = (
    ColumnSpec("at", "Time ", 6, 6, 100, "right"),
    ColumnSpec("what", "What happened", 50, 26, 100),
    ColumnSpec("service", "Service", 16, 9, 60),
    ColumnSpec("environment", "Env", 12, 12, 20),
    ColumnSpec("by", "By", 12, 10, 15, wide=True),
    ColumnSpec("source", "Source", 12, 8, 10, wide=True),
    ColumnSpec("about", "To what", None, 24, 100),
)
LATE = "learned later"
LATE_SIGN = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}"
LATE_SIGN_ASCII = "<"


def entry_cells(
    entry: Entry, now: datetime, *, glyphs: Glyphs = UNICODE, zone: tzinfo = UTC, times: Times = "ago"
) -> RowText:
    """The cells of an entry.  ``ago`` tells the age of what happened today; everything else has its time of day."""
    local, today = entry.at.astimezone(zone), now.astimezone(zone).date()
    at = clock.age(now, entry.at) if times == "ago" and local.date() == today else f"{local:%H:%M}"
    sign, style = sign_of(entry, glyphs)
    found: dict[str, Cell] = {
        "at": (at + (late_sign(glyphs) if entry.late else " "), "muted"),
        "what": (f"{sign} {entry.words}", style),
        "service": (entry.service, ""),
        "about": (entry.about, ""),
        "environment": (entry.environment, ""),
        "by": (entry.by, ""),
        "source": (entry.source, ""),
    }
    return RowText({name: cell for name, cell in found.items() if cell[0]})


def late_sign(glyphs: Glyphs = UNICODE) -> str:
    """What stands beside the time of what was learned later."""
    return LATE_SIGN_ASCII if glyphs is ASCII else LATE_SIGN


def sign_of(entry: Entry, glyphs: Glyphs = UNICODE) -> Cell:
    """The sign of what it became, and the style of the words beside it."""
    if entry.event == "said":
        return glyphs.of("annotation", "withdrawn" if " took back " in entry.words else "set"), "plain"
    if entry.gone:
        return glyphs.nothing, "muted"
    style = STYLES.get(entry.state, "plain")
    if entry.fault and entry.kind == "incident" and entry.state == "open":
        style = entry.severity
    elif entry.fault and entry.state in ("failed", "down"):
        style = "failed"
    elif entry.event in ("closed", "mended", "found"):
        style = "success"
    return glyphs.of(entry.kind, entry.state), style


def day_cells(day: date, now: datetime, zone: tzinfo = UTC) -> RowText:
    """The row that stands above a day: ``Today``, ``Yesterday``, ``Fri 20 Nov 2026``."""
    today = now.astimezone(zone).date()
    name = f"{day:%a} {day.day} {day:%b %Y}"
    if day in (today, today - timedelta(days=1)):
        name = ("Today, " if day == today else "Yesterday, ") + name
    return RowText({"what": (name, "marker")})
