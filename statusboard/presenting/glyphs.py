"""Signs, words and styles of states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from msgspec import Struct

from statusboard.current import OVER
from statusboard.model import (
    Kind,
)

Cell: TypeAlias = tuple[str, str]
"""(text, style name)."""

_UNICODE = {
    "build": "queued◌ running► blocked❚ success✓ warning▴ failed✗ cancelled⊘ skipped↷ unknown?",
    "incident": "pending◔ open◉ acknowledged◒ suppressed⊖ resolved✓ unknown?",
    "release": "queued◌ blocked❚ running► success✓ warning▴ failed✗ rolled_back↺ cancelled⊘ inactive∙ unknown?",
    "ticket": "open☐ in_progress◒ done✓ cancelled⊘ unknown?",
    "source": "starting◌ fresh✓ partial◒ aging◔ stale? down✗ paused❚ unwatched⊘",
    "annotation": "set◉ withdrawn◦",
}
_ASCII = {
    "build": "queued. running> blocked| success+ warning! failedX cancelled- skipped~ unknown?",
    "incident": "pending. open! acknowledged* suppressed- resolved+ unknown?",
    "release": "queued. blocked| running> success+ warning! failedX rolled_back< cancelled- inactive_ unknown?",
    "ticket": "openo in_progress> done+ cancelled- unknown?",
    "source": "starting. fresh+ partial% aging~ stale? downX paused| unwatched-",
    "annotation": "set* withdrawn-",
}


def _signs(table: Mapping[str, str]) -> dict[tuple[str, str], str]:
    return {(kind, word[:-1]): word[-1] for kind, words in table.items() for word in words.split()}


class Glyphs(Struct, frozen=True):
    """One set of signs, each one cell wide in every terminal: none is an emoji, and none is of ambiguous width, which
    terminals set up for East Asia draw two cells wide.

    ``nothing`` stands where a value is not known, ``above`` before what is out of sight.
    """

    states: Mapping[tuple[str, str], str]
    nothing: str
    dash: str
    above: str

    def of(self, kind: Kind, state: str) -> str:
        """The sign of a state; that of unknown for one we have no sign for."""
        return self.states.get((kind, state), "?")


UNICODE = Glyphs(_signs(_UNICODE), "∙", "‒", "▴")
ASCII = Glyphs(_signs(_ASCII), "-", "-", "^")
"""For terminals and fonts that have no more (``TERM=linux``, no UTF-8 locale)."""

WORDS = {
    "acknowledged": "acked",
    "in_progress": "in progress",
    "rolled_back": "rolled back",
    "unwatched": "not watched",
}
STYLES: Mapping[str, str] = {
    "running": "running",
    "in_progress": "running",
    "blocked": "warning",
    "warning": "warning",
    "rolled_back": "warning",
    "failed": "muted",  # of a side branch, a pull request, a preview: said, but nobody's alarm
    "success": "success",
    "unknown": "unknown",
    "fresh": "success",
    "partial": "warning",
    "aging": "warning",
    "stale": "unknown",
    "unwatched": "unknown",
    "down": "failed",
    **dict.fromkeys((*OVER, "suppressed", "pending", "queued", "starting", "paused", "withdrawn"), "muted"),
}


def word_of(state: str) -> str:
    """The word that is shown for a state."""
    return WORDS.get(state, state)


def state_cell(kind: Kind, state: str, glyphs: Glyphs = UNICODE) -> Cell:
    """Glyph, word and style of a bare state, for instance of a source: ``✓ fresh``."""
    return f"{glyphs.of(kind, state)} {word_of(state)}", STYLES.get(state, "plain")
