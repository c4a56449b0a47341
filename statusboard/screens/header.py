"""The words of the header.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from typing import Final

from statusboard import presenting
from statusboard.board import Board, Summary
from statusboard.presenting import Glyphs
from widgets.words import Word

_WORST: Final = ("unwatched", "down", "stale", "partial", "aging and failing", "starting", "paused", "aging")
"""Health states that a person must know of, the worst first."""
_NAMES = 3
_OF_NOW: Final[Mapping[str, str]] = {"success": "muted", "critical": "failed"}
"""What of a past moment must not stand out as what is so now."""


def live_words(
    summary: Summary,
    board: Board,
    glyphs: Glyphs,
    *,
    title: str,
    demo: bool,
    hidden_faults: int,
    filtered: bool,
    moment: str = "",
) -> tuple[list[Word], list[Word]]:
    """The header of a board in two parts, each with the most important first: verdict and board; the numbers.

    Of a past ``moment`` the verdict begins with it, says that it *was* so, and has the colour of the past.
    """
    verdict, *rest = presenting.header_words(summary)
    words: list[Word] = [_verdict(verdict, summary, glyphs)]
    if hidden_faults:
        where = "hidden by the filter" if filtered else "outside this view"
        words.append((f" {hidden_faults} {'fault' if hidden_faults == 1 else 'faults'} {where} ", "critical"))
    fresh = f"{summary.fresh} of {summary.sources} fresh"
    reading = [word for word in rest if word[0] == fresh or word[0].startswith("BLIND")]
    counts = [(f" {text} ", style) if style == "critical" else (text, style) for text, style in rest]
    counts = [word for word in counts if word not in reading]
    words += _identity(title, demo)
    more = [*reading, *unread_words(board), *counts]
    if not moment:
        return words, more
    sign, _, told = words[0][0].strip().partition(" ")
    return [(f" {moment} {sign} WAS {told} ", "past"), *_dulled(words[1:])], list(_dulled(more))


def _dulled(words: Iterable[Word]) -> Iterable[Word]:
    return ((text.strip(), _OF_NOW[style]) if style in _OF_NOW else (text, style) for text, style in words)


def moment_words(at: datetime, now: datetime, zone: tzinfo) -> str:
    """A moment as people tell it: ``Fri 14:23:05``, with the date where that is a week ago or more."""
    local, today = at.astimezone(zone), now.astimezone(zone)
    if abs((today.date() - local.date()).days) < 7:
        return f"{local:%a %H:%M:%S}"
    return f"{local:%a %d %b %H:%M:%S}" if local.year == today.year else f"{local:%a %Y-%m-%d %H:%M:%S}"


def unread_words(board: Board) -> list[Word]:
    """``1 stale: am``: which sources are not fresh, the worst first."""
    by_state: dict[str, list[str]] = {}
    for name in sorted(board.health):
        by_state.setdefault(board.read_as(name), []).append(name)
    words: list[Word] = []
    for state in _WORST:
        names = by_state.get(state)
        if names:
            more = f" +{len(names) - _NAMES}" if len(names) > _NAMES else ""
            words.append(
                (
                    f"{len(names)} {presenting.word_of(state)}: {', '.join(names[:_NAMES])}{more}",
                    "warning" if state == "aging" else "unknown",
                )
            )
    return words


def role_words(role: str, overlay: Mapping[str, str]) -> list[Word]:
    """Who polls, where it is not this process."""
    if role in ("following", "reading"):
        return [(f"{role}, nobody polls" if overlay else role, "warning" if overlay else "muted")]
    return []


def _verdict(word: Word, summary: Summary, glyphs: Glyphs) -> Word:
    text, style = word
    if summary.failing:
        return (f" {glyphs.of('build', 'failed')} {text} ", "verdict-failed")
    if style == "success":
        return (f" {glyphs.of('build', 'success')} {text} ", "verdict-ok")
    if summary.verdict == "blind" or summary.unknown:
        return (f" {glyphs.of('build', 'unknown')} {text} ", "verdict-blind")
    return (f" {glyphs.of('build', 'warning')} {text} ", "verdict-warning")


def _identity(title: str, demo: bool) -> list[Word]:
    words: list[Word] = [(" DEMO ", "demo")] if demo else []
    return [*words, (title, "strong")] if title else words
