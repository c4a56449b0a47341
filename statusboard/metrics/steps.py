"""Work that is done in steps of a few milliseconds, so that others get their turn in between."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

R = TypeVar("R")


def done(steps: Generator[None, None, R]) -> R:
    """What comes of it, at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: R = end.value
            return found
