"""What stands in the bars of the board's screen: the views, and what is wrong with a filter.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

from statusboard.errors import QueryError
from statusboard.query import parse
from statusboard.text import cell_len
from widgets.filterbar import Mistake
from widgets.words import Word

_HINTS = ("? keys  / filter  : commands  q quit", "? keys  q quit", "? keys")


def check(text: str) -> Mistake | None:
    """What is wrong with a filter."""
    try:
        parse(text)
    except QueryError as error:
        return Mistake(str(error), error.start, error.end)
    return None


def view_words(names: Sequence[str], chosen: int, width: int) -> list[Word]:
    """The views by number, the chosen one marked, with what everybody must know at the right."""
    labels = [f" {n} {name} " if n < 10 else f" {name} " for n, name in enumerate(names, start=1)]
    room = width - cell_len(_HINTS[-1]) - 2  # whoever is lost needs that key
    while len(labels) > 1 and sum(map(cell_len, labels)) > room:
        # From the end that is farther from the chosen one; its neighbours stay in sight.
        if chosen >= len(labels) // 2 and chosen > 0:
            labels.pop(0)
            chosen -= 1
        else:
            labels.pop()
    words: list[Word] = [(label, "chosen" if n == chosen else "muted") for n, label in enumerate(labels)]
    used = sum(map(cell_len, labels))
    for hint in _HINTS:
        if used + cell_len(hint) + 2 <= width:
            return [*words, (" " * (width - used - cell_len(hint)), ""), (hint, "muted")]
    return words
