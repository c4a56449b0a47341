"""Runs that are done again after newer ones have followed."""

from __future__ import annotations

from collections.abc import Hashable, Iterable


def overtaken(runs: Iterable[tuple[int | None, Hashable]]) -> frozenset[int]:
    """Those of these runs (by id, each with its line) that a newer one of the same line has followed.

    A line is what the newest of it speaks for, such as a workflow on a branch.  A run that is done again begins anew,
    and a board that went by that alone would take what it says of older code for the last word.
    """
    known = [(number, line) for number, line in runs if number]
    newest: dict[Hashable, int] = {}
    for number, line in known:
        newest[line] = max(number, newest.get(line, 0))
    return frozenset(number for number, line in known if number < newest[line])
