"""What stands in the bars of the board's screen: the views, and what is wrong with a filter.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from statusboard.errors import QueryError
from statusboard.keys import key_name
from statusboard.query import parse
from statusboard.text import cell_len
from widgets.filterbar import Mistake
from widgets.words import Word

_ROOMY: Final = (56, 100)
"""Cells from which on a view gives way to how one comes to what is wrong, and to how its page is opened."""
_MORE: Final = " …"
"""Where there are more views than there is room for."""


def check(text: str) -> Mistake | None:
    """What is wrong with a filter."""
    try:
        parse(text)
    except QueryError as error:
        return Mistake(str(error), error.start, error.end)
    return None


def hints(keys_of: Callable[[str], Sequence[str]], *, filtered: bool) -> tuple[str, ...]:
    """The keys that everybody needs, as they are bound now: the longest text first, for as much room as there is."""

    def told(action: str, what: str) -> str:
        return f"{key_name(keys_of(action)[0])} {what}"

    keys = told("help", "keys")
    jump = told("next_match", "next match" if filtered else "next fault")
    enter, page = told("table.select", "details"), told("open", "open")
    rest = [told("filter", "filter"), told("palette", "commands"), told("quit", "quit")]
    return tuple(
        "  ".join(words)
        for words in ([jump, enter, page, *rest, keys], [jump, enter, page, keys], [jump, page, keys], [jump, keys])
    ) + (keys,)


def row_hints(keys_of: Callable[[str], Sequence[str]], *, page: bool, answers: bool) -> str:
    """What can be done with the row whose details are shown, by the keys as they are bound now.

    ``page``: it has one; ``answers``: one can say to be on it.
    """
    told = [("open", "open its page"), ("copy_url", "copy the link")] if page else []
    if answers:
        told.append(("acknowledge", "on it"))
    return "  ".join(f"{key_name(keys_of(action)[0])} {what}" for action, what in (*told, ("back", "back")))


def view_words(names: Sequence[str], chosen: int, width: int, hints: Sequence[str]) -> list[Word]:
    """The views by number, the chosen one marked, and the longest of ``hints`` that there is room for at the right.

    The last of them has its room before the views; in a roomy line the one before it has, or even that before those.
    """
    labels = [_label(n, name) for n, name in enumerate(names, start=1)]
    kept = hints[-1 - sum(width >= roomy for roomy in _ROOMY)]  # whoever is lost needs that key
    room = width - cell_len(kept) - 2
    left = right = ""

    def used() -> int:
        return sum(map(cell_len, (left, *labels, right)))

    while len(labels) > 1 and used() > room:
        # From the end that is farther from the chosen one; its neighbours stay in sight.
        if chosen >= len(labels) // 2 and chosen > 0:
            labels.pop(0)
            chosen -= 1
            left = _MORE
        else:
            labels.pop()
            right = _MORE
    words: list[Word] = [(label, "chosen" if n == chosen else "muted") for n, label in enumerate(labels)]
    words = [*([(left, "muted")] if left else []), *words, *([(right, "muted")] if right else [])]
    for hint in hints:
        if used() + cell_len(hint) + 2 <= width:
            return [*words, (" " * (width - used() - cell_len(hint)), ""), (hint, "muted")]
    return words


def view_at(words: Sequence[Word], names: Sequence[str], cell: int) -> int | None:
    """The place of the view whose name stands at this cell of the bar; None where none does."""
    labels = {_label(n, name): n - 1 for n, name in enumerate(names, start=1)}
    for text, _ in words:
        if cell < cell_len(text):
            return labels.get(text)
        cell -= cell_len(text)
    return None


def _label(number: int, name: str) -> str:
    return f" {number} {name} " if number < 10 else f" {name} "
