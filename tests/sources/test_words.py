"""A vendor's words as ours."""

from __future__ import annotations

import pytest

from sources._shared.words import meaning

TABLE = {"passed": "success", "not_run": "skipped"}


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("passed", "success"),
        ("PASSED", "success"),
        (" Not_Run ", "skipped"),
        ("exploded", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
        (7, "unknown"),
    ],
)
def test_a_word_is_known_in_every_case_and_an_unknown_one_is_unknown(word: object, state: str) -> None:
    assert meaning(TABLE, word) == state
