"""What the line of a group says: its name, how many of its rows are fine, and the worst of them."""

from __future__ import annotations

from collections.abc import Iterable

from statusboard.board import Row
from statusboard.current import UNREAD
from statusboard.grouping import Group
from statusboard.model import Build, Incident, ItemKind, Release, ShownHealth, Ticket
from statusboard.presenting.glyphs import ASCII, Cell, Glyphs
from statusboard.presenting.rows import status_cell
from statusboard.text import cell_len, fit

_NONE = {"team": "no team", "service": "no service", "environment": "no environment", "source": "no source"}


LONGEST = 24
"""Cells of a group's name; longer ones are clipped."""


def names_width(groups: Iterable[Group], by: str) -> int:
    """The cells that these groups' names need, so that what follows stands in one column."""
    return min(LONGEST, max((cell_len(_name(group, by)) for group in groups), default=0))


def group_line(
    group: Group,
    kind: ItemKind,
    by: str,
    worst: Row | None,
    state: ShownHealth,
    *,
    folded: bool,
    glyphs: Glyphs,
    width: int = 0,
) -> tuple[Cell, ...]:
    """The words of a group's line, the name in ``width`` cells.

    ``state`` is that of the source of its ``worst`` row, which is named where the group is folded.
    """
    opened, closed = "-+" if glyphs is ASCII else "▾▸"
    sign = closed if folded else opened
    count = len(group.keys)
    name = fit(_name(group, by), width or cell_len(_name(group, by)))
    words: list[Cell] = [(f"{sign} ", "muted"), (name, "strong" if group.name else "unknown")]
    if kind in ("build", "release"):
        is_well = group.healthy == count and not group.partly
        words.append((f"  {group.healthy}/{count} healthy", "success" if is_well else ""))
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
    if group.partly:
        more = f" and {len(group.partly) - 1} more" if len(group.partly) > 1 else ""
        words.append((f"  {group.partly[0]}{more} read in part", "unknown"))
    return tuple(words)


def _name(group: Group, by: str) -> str:
    return group.name or _NONE[by]


def _worst(row: Row, state: ShownHealth, glyphs: Glyphs) -> list[Cell]:
    """What the worst row counts as, and its title."""
    fact = row.fact
    assert isinstance(fact, Build | Incident | Release | Ticket)
    status = status_cell(row, fact, glyphs, state in UNREAD)
    severity = f" {fact.severity}" if isinstance(fact, Incident) and row.failing else ""
    return [("  worst: ", "muted"), (status[0] + severity, status[1]), (f"  {fact.title}", "")]
