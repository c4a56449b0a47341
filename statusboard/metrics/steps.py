"""Work that is done in steps of a few milliseconds, so that others get their turn in between."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, Final, TypeVar

R = TypeVar("R")
T = TypeVar("T")
#: Things that are put in order at one step.
_AT_ONCE: Final = 4_000


def done(steps: Generator[None, None, R]) -> R:
    """What comes of it, at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: R = end.value
            return found


def ordered(parts: Iterable[Sequence[T]], key: Callable[[T], Any]) -> Generator[None, None, list[T]]:
    """All that is in these parts, in order; what comes to the same stays in the order in which it came."""
    found: list[T] = []
    some: list[T] = []
    for part in parts:
        some += part
        if len(some) >= _AT_ONCE:
            some.sort(key=key)
            found += some
            some = []
            yield
    found += some
    found.sort(key=key)  # little is left to do
    return found
