"""A vendor's words as ours: compared without regard to case, and a word that nobody knows is ``unknown``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeVar

S = TypeVar("S", bound=str)


def meaning(table: Mapping[str, S], word: object) -> S | Literal["unknown"]:
    """What ``table`` (with keys in lower case) says of a vendor's word; ``unknown`` for what it does not know.

    Vendors add words and change their case; neither may turn into success or failure.
    """
    return table.get(word.strip().lower(), "unknown") if isinstance(word, str) else "unknown"
