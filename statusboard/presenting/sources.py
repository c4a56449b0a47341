"""How well a source is read, as labelled lines."""

from __future__ import annotations

from datetime import datetime

from statusboard import clock
from statusboard.clock import Duration
from statusboard.model import ShownHealth, SourceHealth, Status
from statusboard.presenting.glyphs import UNICODE, Glyphs, state_cell
from statusboard.presenting.lines import Line


def source_lines(
    name: str,
    state: ShownHealth,
    health: SourceHealth | None,
    status: Status | None,
    now: datetime,
    *,
    glyphs: Glyphs = UNICODE,
) -> list[Line]:
    """How well a source is read: its state and since when, its last success and next poll, what could not be read."""
    text, style = state_cell("source", state, glyphs)
    read = (status.last_success if status else None) or (health.last_success if health else None)
    lines: list[Line] = [("name", name, ""), ("state", text, style)]
    if health is not None:
        lines.append(("type", health.type, ""))
        if health.state == state and health.started_at:
            lines.append(("since", f"{clock.age(now, health.started_at)} ago", ""))
    lines.append(("last read", f"{clock.age(now, read)} ago" if read else never_read(state), "" if read else "unknown"))
    if status is not None and status.next_poll is not None:
        seconds = (status.next_poll - now).total_seconds()
        lines.append(("next poll", f"in {Duration(round(seconds))}" if seconds >= 1 else "now", ""))
    if health is not None:
        lines.append(("error", health.error, "warning"))
        lines += [(error.part, error.error, "warning") for error in health.errors]
    return lines


def never_read(state: ShownHealth) -> str:
    """What is said of a source that was not read with the options that it has now."""
    return "not yet" if state == "starting" else "never"
