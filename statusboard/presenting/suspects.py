"""The suspects of an incident in words: short in its row, with all reasons in its details."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from statusboard.board import Row
from statusboard.model import Annotation, Incident, Release
from statusboard.presenting.glyphs import Cell, Glyphs
from statusboard.presenting.lines import Line, setting_of, short_revision
from statusboard.presenting.rows import state_words
from statusboard.suspects import Suspect
from statusboard.text import clip

NAME: Final = 24
"""Cells of a service's name beside other words."""
MOST_CHARGED: Final = 6
"""How many incidents are told of a release."""


def suspect_cell(suspects: Sequence[Suspect], incident: Incident) -> Cell:
    """What stood before an incident, for its row: ``1.4.2, 4 min``; the service too where it is another one.

    ``web 2.0, 4 min?``: nothing but the time speaks for it.
    """
    if not suspects:
        return ("", "")
    suspect = suspects[0]
    service = suspect.release.service
    name = _version(suspect.release)
    if service and service not in incident.services:
        name = f"{clip(service, NAME)} {name}"
    if suspect.confirmed_by:
        return (f"{name} confirmed", "warning")
    return (f"{name}, {_when(suspect)}{'' if suspect.related else '?'}", "")


def suspect_lines(
    suspects: Sequence[Suspect],
    dismissed: Sequence[tuple[Annotation, Release | None]],
    incident: Incident,
    *,
    unread: Sequence[str] = (),
    hours: float = 24,
    keys: str = "",
) -> list[Line]:
    """Each suspect with its reasons, what was dismissed and by whom, and what cannot be told.

    ``unread`` are sources of releases that are not read; ``keys`` says by which keys a person has the last word.
    """
    lines: list[Line] = []
    for place, suspect in enumerate(suspects, 1):
        lines.append((str(place), tuple(_named(suspect)), ""))
        if suspect.reasons:
            told = ", ".join(f"{reason.words} {reason.points:+d}" for reason in suspect.reasons)
            lines.append(("", f"{suspect.points} points: {told}", "muted"))
    if not suspects:
        if incident.started_at is None:
            lines.append(("", "its source does not say when it began", "muted"))
        else:
            lines.append(("", f"no suspect: no release of the {hours:g} h before speaks for itself", "muted"))
    for note, release in dismissed:
        name = release_name(release) if release is not None else note.text
        lines.append(("", f"not {name}, says {note.author or 'somebody'}", "muted"))
    if unread:
        lines.append(("", f"not read: {', '.join(unread)}; there may be others", "unknown"))
    if keys and (suspects or dismissed):
        lines.append(("", keys, "muted"))
    return lines


def charged_lines(charged: Sequence[tuple[Row, Suspect]], glyphs: Glyphs) -> list[Line]:
    """The incidents of which a release is a suspect: which place it has among them, and with how many points."""
    lines: list[Line] = []
    for row, suspect in charged[:MOST_CHARGED]:
        incident = row.fact
        assert isinstance(incident, Incident)
        state = f"{glyphs.of('incident', incident.state)} {state_words(incident)}"
        told = f" confirmed by {suspect.confirmed_by}" if suspect.confirmed_by else f" {suspect.points} points"
        style = incident.severity if row.failing else "muted"
        words = ((state, style), (f" {clip(incident.title or incident.key, 60)}", ""), (told, "muted"))
        lines.append((f"{_when(suspect)} later" if (suspect.before or 0) > 0 else "at once", words, ""))
    if len(charged) > MOST_CHARGED:
        lines.append(("", f"and {len(charged) - MOST_CHARGED} more", "muted"))
    return lines


def _named(suspect: Suspect) -> list[Cell]:
    release = suspect.release
    words: list[Cell] = [(release_name(release), "strong")]
    if len(suspect.rollout) > 1:
        words.append((f" ({len(suspect.rollout)} targets)", ""))
    if release.environment:
        words.append((f" {'in' if release.type == 'configuration' else 'to'} {release.environment}", ""))
    if release.actor:
        words.append((f" by {release.actor}", ""))
    if suspect.confirmed_by:
        words.append((f"  confirmed by {suspect.confirmed_by}", "warning"))
    return words


def release_name(release: Release) -> str:
    """``checkout 1.4.2``, ``checkout timeout = 3s``."""
    owner = release.service or release.repository or release.team
    return " ".join(filter(None, (owner, _version(release))))


def _version(release: Release) -> str:
    if release.type == "configuration":
        return setting_of(release)
    return release.version or short_revision(release.revision) or "a release"


def _when(suspect: Suspect) -> str:
    """How long before the incident: ``4 min``; ``during`` it was rolled out."""
    before = suspect.before
    if before is None:
        return "some time"
    if before <= 0:
        return "during" if before == 0 else "just then"
    if before < 59.5:
        return f"{round(before)} s"
    minutes = round(before / 60)
    return f"{minutes} min" if minutes < 100 else f"{round(before / 3600)} h"
