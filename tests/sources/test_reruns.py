"""Which runs newer ones have followed."""

from __future__ import annotations

from sources._shared.reruns import overtaken


def test_all_but_the_newest_of_a_line() -> None:
    assert overtaken([(3, "main"), (5, "main"), (4, "side"), (1, "main"), (None, "side")]) == {1, 3}


def test_nothing_is_overtaken_alone() -> None:
    assert overtaken([]) == overtaken([(1, "main"), (2, "side")]) == frozenset()
