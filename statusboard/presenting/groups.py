"""What the line of a group says: its name, how many of its rows are fine, and the worst of them."""

from __future__ import annotations

from statusboard.board import Row
from statusboard.current import UNREAD
from statusboard.grouping import Group
from statusboard.model import Build, HealthState, Incident, ItemKind, Release, Ticket
from statusboard.presenting.glyphs import ASCII, Cell, Glyphs
from statusboard.presenting.rows import status_cell

_NONE = {"team": "no team", "service": "no service", "environment": "no environment", "source": "no source"}


def group_line(
    group: Group, kind: ItemKind, by: str, worst: Row | None, state: HealthState, *, folded: bool, glyphs: Glyphs
) -> tuple[Cell, ...]:
    """The words of a group's line.  ``state`` is that of the source of its ``worst`` row, named where it is folded."""
    opened, closed = "-+" if glyphs is ASCII else "▾▸"
    sign = closed if folded else opened
    count = len(group.keys)
    words: list[Cell] = [(f"{sign} ", "muted"), (group.name or _NONE[by], "strong" if group.name else "unknown")]
    if kind in ("build", "release"):
        words.append((f"  {group.healthy}/{count} healthy", "success" if group.healthy == count else ""))
    else:
        words.append((f"  {count} {kind}{'s' if count != 1 else ''}", ""))
    if group.failing:
        words.append((f"  {glyphs.of('build', 'failed')} {group.failing} failing", "failed"))
    if group.unknown:
        words.append((f"  {glyphs.of('build', 'unknown')} {group.unknown} unknown", "unknown"))
    if group.unread:
        words.append((f"  {glyphs.of('build', 'unknown')} {group.unread} not read", "unknown"))
    if folded and worst is not None and (group.healthy < count or kind not in ("build", "release")):
        words += _worst(worst, state, glyphs)
    return tuple(words)


def _worst(row: Row, state: HealthState, glyphs: Glyphs) -> list[Cell]:
    """What the worst row counts as, and its title."""
    fact = row.fact
    assert isinstance(fact, Build | Incident | Release | Ticket)
    status = status_cell(row, fact, glyphs, state in UNREAD)
    severity = f" {fact.severity}" if isinstance(fact, Incident) and row.failing else ""
    return [("  worst: ", "muted"), (status[0] + severity, status[1]), (f"  {fact.title}", "")]
