"""What the guide to the screen says is so: its keys, filters, columns, views, words and numbers."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from statusboard.away import AWAY
from statusboard.board import Summary, Verdict
from statusboard.chatter import EBB, FLIPS, FLIPS_WITHIN, FLOOD, FLOOD_WITHIN
from statusboard.columns import COLUMN_IDS, GROUPS
from statusboard.keys import DEFAULTS, key_named
from statusboard.presenting import header_words
from statusboard.query import ALIASES, KEYS, parse
from statusboard.query.language import IS
from statusboard.screens.lanes import NAMES
from statusboard.screens.views import BUILT_IN
from widgets.layout import LEAST_HEIGHT, LEAST_WIDTH, LOW, TWO_COLUMNS

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
PROSE = re.sub(r"\s+", " ", GUIDE)
SPANS = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", GUIDE)
BOUND = {key for place in DEFAULTS.values() for keys in place.values() for key in keys.split(",")}
SHORT = {"esc": "escape", "↓": "down", "↑": "up"}
A_KEY = re.compile(r"[A-Za-z0-9/?:\[\]+↑↓-]|(ctrl|shift|alt)\+.+|tab|enter|esc|space")
A_FILTER = re.compile(rf"-?({'|'.join([*KEYS, *ALIASES])}):\S.*")


@pytest.mark.parametrize("document", ["docs/guide.md", "docs/walls.md", "docs/themes.md", "README.md"])
def test_every_key_that_is_named_is_bound(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8").partition("\n## Signs")[0]
    named = [span for span in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text) if A_KEY.fullmatch(span)]
    assert named
    assert {span for span in named if key_named(SHORT.get(span, span)) not in BOUND} == set()


def test_every_filter_means_something() -> None:
    filters = [span for span in SPANS if A_FILTER.fullmatch(span)]
    assert len(filters) >= 12
    for text in [*filters, *re.findall(r'filter: "([^"]+)"', GUIDE)]:
        assert not parse(text).matches_all, text


def test_the_words_of_filters_are_all_there() -> None:
    section = GUIDE.partition("\nKeys are ")[2].partition("Case does not matter")[0]
    assert sorted(re.findall(r"`(\w+)`", section)) == sorted(KEYS)
    told = next(line for line in GUIDE.splitlines() if line.startswith("| `is:failing`"))
    assert set(re.findall(r"`(?:is:)?(\w+)`", told)) == set(IS)


def test_the_columns_of_each_lane_are_all_there() -> None:
    for kind, ids in COLUMN_IDS.items():
        line = next(line for line in GUIDE.splitlines() if line.startswith(f"| {NAMES[kind].lower()} | `"))
        assert re.findall(r"`(\w+)`", line) == list(ids)
    line = next(line for line in GUIDE.splitlines() if line.startswith("| `group` |"))
    assert re.findall(r"`(\w+)`", line)[1:] == list(GROUPS)


def test_the_built_in_views_have_the_numbers_that_it_says() -> None:
    section = GUIDE.partition("## Views\n")[2].partition("\n## ")[0]
    told = {int(number): name for number, name in re.findall(r"`(\d)` ([A-Z]\w+)", section)}
    assert told == dict(enumerate((view.name for view in BUILT_IN[:9]), 1))


@pytest.mark.parametrize(
    ("verdict", "failing", "blind", "unknown", "fresh"),
    [("failing", 4, 0, 0, 5), ("blind", 0, 1, 0, 4), ("blind", 0, 0, 2, 5), ("ok", 0, 0, 0, 4), ("ok", 0, 0, 0, 5)],
)
def test_the_first_word_is_one_of_those_that_it_explains(
    verdict: Verdict, failing: int, blind: int, unknown: int, fresh: int
) -> None:
    summary = Summary(
        verdict=verdict,
        failing=failing,
        blind=blind,
        unknown=unknown,
        suppressed=0,
        severities={},
        fresh=fresh,
        sources=5,
        optional_blind=0,
    )
    assert f"| `{header_words(summary)[0][0]}` |" in GUIDE


def test_its_numbers_are_those_of_the_program() -> None:
    def minutes(length: timedelta) -> int:
        return length // timedelta(minutes=1)

    assert f"From {FLOOD} new incidents within {minutes(FLOOD_WITHIN)} minutes on" in PROSE
    assert "fewer than 5 are new" in PROSE and EBB == 5
    assert f"{FLIPS} times within half an hour" in PROSE and minutes(FLIPS_WITHIN) == 30
    assert "no key for five minutes" in PROSE and minutes(AWAY) == 5
    assert f"From {LEAST_WIDTH}x{LEAST_HEIGHT} on" in PROSE and f"less than {LOW} lines" in PROSE
    assert f"From {TWO_COLUMNS} columns on" in PROSE
