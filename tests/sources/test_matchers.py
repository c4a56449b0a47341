"""Matchers of labels, as Alertmanager writes them."""

from __future__ import annotations

import pytest

from sources._shared.matchers import Matchers

LABELS = {"team": "payments", "severity": "page", "path": 'C:\\"x"', "empty": "", "none": None}


@pytest.mark.parametrize(
    "text, matches",
    [
        ("team=payments", True),
        ("team = payments ", True),
        ('team="payments"', True),
        ("team=pay", False),
        ("team!=search", True),
        ("team!=payments", False),
        ("severity=~page|critical", True),
        ('severity=~"pag."', True),
        ("severity=~pag", False),  # all of the value, as in Prometheus
        ("severity!~page|critical", False),
        ("severity!~warning", True),
        ("team=payments.", False),  # no regular expression
        (r'path="C:\\\"x\""', True),
        ('path=C:\\"x"', True),
        ("owner=", True),  # what is not there is empty
        ("empty=", True),
        ("none=", True),
        ("owner=ann", False),
        ("owner!=ann", True),
        ('team="', False),
    ],
)
def test_one_matcher(text: str, matches: bool) -> None:
    assert Matchers([text]).match(LABELS) is matches


def test_all_must_match_and_none_matches_all() -> None:
    assert Matchers(["team=payments", "severity=page"]).match(LABELS)
    assert not Matchers(["team=payments", "severity=info"]).match(LABELS)
    assert Matchers([]).match({})


def test_labels_that_are_not_known_yet_may_match() -> None:
    matchers = Matchers(["team=payments", "severity=page"])
    assert matchers.may_match({})
    assert matchers.may_match({"team": "payments", "job": "x"})
    assert not matchers.may_match({"team": "search"})
    assert not matchers.may_match({"team": None})


@pytest.mark.parametrize(
    "text, message", [("payments", "is no matcher"), ("=x", "is no matcher"), ("", "is no"), ("a=~(", "regular")]
)
def test_what_is_no_matcher(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Matchers([text])
