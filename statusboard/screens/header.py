"""The words of the header.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from statusboard import presenting
from statusboard.board import Board, Summary
from statusboard.presenting import Glyphs
from widgets.words import Word

_WORST: Final = ("unwatched", "down", "stale", "partial", "starting", "paused", "aging")
"""Health states that a person must know of, the worst first."""
_NAMES = 3


def live_words(
    summary: Summary,
    board: Board,
    glyphs: Glyphs,
    *,
    title: str,
    demo: bool,
    hidden_faults: int,
    filtered: bool,
) -> tuple[list[Word], list[Word]]:
    """The header of a live board in two parts, each with the most important first: verdict and board; the numbers."""
    verdict, *rest = presenting.header_words(summary)
    words: list[Word] = [_verdict(verdict, summary, glyphs)]
    if hidden_faults:
        where = "hidden by the filter" if filtered else "outside this view"
        words.append((f" {hidden_faults} {'fault' if hidden_faults == 1 else 'faults'} {where} ", "critical"))
    fresh = f"{summary.fresh} of {summary.sources} fresh"
    reading = [word for word in rest if word[0] == fresh or word[0].startswith("BLIND")]
    counts = [(f" {text} ", style) if style == "critical" else (text, style) for text, style in rest]
    counts = [word for word in counts if word not in reading]
    return [*words, *_identity(title, demo)], [*reading, *unread_words(board), *counts]


def unread_words(board: Board) -> list[Word]:
    """``1 stale: am``: which sources are not fresh, the worst first."""
    by_state: dict[str, list[str]] = {}
    for name in sorted(board.health):
        by_state.setdefault(board.state_of(name), []).append(name)
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
