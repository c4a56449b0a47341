"""What the word that is being typed into a filter may become."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from statusboard.query.language import ALIASES, ENUMS, KEYS, quote

_SAYS_SOMETHING: Final = 3
"""Letters from which on a word is looked for among the values."""
_TIMES: Final = ("15m", "1h", "4h", "1d", "1w")


def word_at(text: str, cursor: int) -> tuple[int, int]:
    """The span of the word that ends at ``cursor``: what a suggestion of `complete` takes the place of."""
    cursor = max(0, min(cursor, len(text)))
    start = 0
    quoted = False
    for at, char in enumerate(text[:cursor]):
        if char == '"':
            quoted = not quoted
        elif not quoted and (char.isspace() or char in "()"):
            start = at + 1
    return start, cursor


def complete(text: str, cursor: int, values: Mapping[str, Iterable[str]] | None = None) -> list[str]:
    """What the word before the cursor may become: keys (``sta`` -> ``state:``), then their values.

    A word that is read in a row may be meant as a value: ``fail`` -> ``state:failed``, ``shop`` -> ``service:shop``.
    Each suggestion stands for the whole word at `word_at`.  ``values`` offers known teams, services and so on by key.
    """
    start, end = word_at(text, cursor)
    word = text[start:end]
    dash = "-" if word.startswith("-") else ""
    name, colon, rest = word.removeprefix("-").partition(":")
    name = name.lower()
    if not colon:
        if '"' in name:
            return []
        keys = [f"{dash}{key}:" for key in KEYS if key.startswith(name)]
        if keys or len(name) < _SAYS_SOMETHING:
            return keys
        return [
            f"{dash}{key}:{quote(value)}"
            for key, known in {**ENUMS, **(values or {})}.items()
            for value in known
            if value.lower().startswith(name)
        ]
    key = ALIASES.get(name, name)
    offered: Iterable[str] = ENUMS.get(key) or (values or {}).get(key, ())
    if key in ("since", "before"):
        offered = _TIMES
    typed = rest.rpartition(",")[2]
    if key == "severity":
        typed = typed.lstrip("<>=")
    head = word[: len(word) - len(typed)]
    begun = typed.strip('"').lower()
    return [head + quote(v) for v in offered if v.lower().startswith(begun) and v.lower() != begun]
