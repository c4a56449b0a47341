"""What notices say."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusboard.model import Fact
from statusboard.noticing import words
from statusboard.noticing.options import PLACEHOLDERS, What
from statusboard.text import cell_len, clean
from tests.boards import FACTS, build, health, incident, release
from tests.noticing.kit import transition

OWNED: dict[str, Any] = {"services": ("shop",), "environment": "production"}


@pytest.mark.parametrize(
    "fact, what, text",
    [
        (incident(severity="critical", **OWNED), "opened", "critical incident opened: Down (shop, production)"),
        (incident(reason="5 of 9"), "opened", "incident opened: Down: 5 of 9"),
        (incident(severity="high"), "worsened", "incident worsened to high: Down"),
        (incident(state="resolved", severity="low"), "resolved", "low incident resolved: Down"),
        (build(state="failed"), "failed", "build failed: test on main: Fix it"),
        (build(pipeline="", title="CI"), "recovered", "build recovered: CI"),
        (release(), "released", "released: shop 1.0 to production"),
        (release(state="failed", target="eu"), "failed", "release failed: shop 1.0 to production eu"),
        (health("am", "down", error="timeout"), "blind", "source cannot be read: am: timeout"),
        (health("am", "stale"), "blind", "source cannot be read: am"),
        (health("am"), "readable", "source is read again: am"),
    ],
)
def test_a_notice_is_one_line(fact: Fact, what: What, text: str):
    assert words.of(transition(fact, what), what).text == text


def test_counts_are_told_in_one_order():
    counts = Counter({("build", "failed"): 3, ("incident", "opened"): 9})
    assert words.more(counts).text == "12 more: 9 incidents opened, 3 builds failed"
    assert words.quiet(Counter({("source", "blind"): 1})).text == "during quiet hours: 1 source not readable"
    assert set(words.COUNTED) >= {("release", "released"), ("any", "flips")}


def test_a_command_is_given_everything_by_name():
    told = words.of(transition(incident(severity="high", url="https://x.example/1", **OWNED), "opened"), "opened")
    assert told.fields.keys() == set(PLACEHOLDERS)
    known = {name: text for name, text in told.fields.items() if text and name != "text"}
    assert known == {
        "title": "Down",
        "what": "opened",
        "kind": "incident",
        "state": "open",
        "severity": "high",
        "service": "shop",
        "environment": "production",
        "source": "am",
        "key": "am:incident:1",
        "url": "https://x.example/1",
        "count": "1",
    }
    assert words.more(Counter()).fields.keys() == set(PLACEHOLDERS)
    assert words.more(Counter({("build", "failed"): 2})).fields["title"] == "2 more: 2 builds failed"


def test_no_link_but_a_safe_one():
    assert words.of(transition(incident(url="javascript:alert(1)"), "opened"), "opened").fields["url"] == ""


@given(FACTS, st.text(max_size=400))
def test_whatever_a_vendor_writes_a_notice_is_clean_and_short(fact: Fact, title: str):
    told = words.of(transition(msgspec.structs.replace(fact, title=title), "opened"), "opened")
    for text in (told.text, *told.fields.values()):
        assert text == clean(text, 400) and cell_len(text) <= words.TITLE_CELLS + words.BODY_CELLS + 2
