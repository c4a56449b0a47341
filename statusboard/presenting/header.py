"""The whole picture in a few words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from statusboard import clock
from statusboard.board import Summary
from statusboard.model import (
    SEVERITIES,
)
from statusboard.presenting.glyphs import Cell


def header_words(summary: Summary, *, hidden_faults: int = 0) -> list[Cell]:
    """The picture in words, the most important first, so that a narrow header may leave out the last ones.

    ``ALL OK`` in the style of success is said only where everything required is fresh and no fault is hidden.
    """
    unread = f"BLIND: {summary.blind} of {summary.sources} sources {summary.unread_words}" if summary.blind else ""
    words: list[Cell] = []
    if summary.failing:
        words.append((f"FAILING {summary.failing}", "failed"))
    if unread:
        words.append((unread, "unknown"))
    elif not summary.failing:
        words.append(_calm(summary, hidden_faults))
    words += _counts(summary)
    if hidden_faults:
        words.append((f"{_many(hidden_faults, 'fault')} hidden by filter", "failed"))
    if summary.sources:
        all_fresh = summary.fresh == summary.sources
        words.append((f"{summary.fresh} of {summary.sources} fresh", "success" if all_fresh else "warning"))
    if summary.optional_blind:
        words.append((f"{_many(summary.optional_blind, 'optional source')} unread", "muted"))
    return words


def last_known_words(summary: Summary, saved_at: datetime, now: datetime) -> list[Cell]:
    """The header of what was saved when the last board ran: never in the colours of what we know now."""
    words = [f"LAST KNOWN, {clock.age(now, saved_at)} ago"]
    if summary.failing:
        words.append(f"was failing {summary.failing}")
    words += [text for text, _ in _counts(summary)]
    return [(text, "stale") for text in words]


def _calm(summary: Summary, hidden_faults: int) -> Cell:
    """Nothing is failing and every source is read: is all well?"""
    if summary.unknown:
        return (f"UNKNOWN {summary.unknown}", "unknown")
    if summary.verdict == "blind":
        return ("BLIND: no source is read", "unknown")
    if hidden_faults:
        return ("NOTHING FAILING IN THIS VIEW", "warning")
    aging = summary.sources - summary.fresh
    if aging:
        return (f"OK, BUT {_many(aging, 'SOURCE')} AGING", "warning")
    return ("ALL OK", "success")


def _counts(summary: Summary) -> Iterable[Cell]:
    for severity in SEVERITIES:
        count = summary.severities.get(severity, 0)
        if count:
            yield (f"{count} {'of unknown severity' if severity == 'unknown' else severity}", severity)
    if summary.unknown and (summary.failing or summary.blind):
        yield (f"{summary.unknown} unknown", "unknown")
    if summary.suppressed:
        yield (f"{summary.suppressed} suppressed", "muted")


def _many(count: int, word: str) -> str:
    plural = "S" if word.isupper() else "s"
    return f"{count} {word}" + (plural if count != 1 else "")
