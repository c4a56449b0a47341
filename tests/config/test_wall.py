"""``wall:`` of a config, and every mistake in it with its place."""

from __future__ import annotations

from datetime import time

import pytest

from statusboard.errors import ConfigError
from statusboard.query import parse
from statusboard.screens.settings import wall_of
from statusboard.screens.views import BUILT_IN, view_of
from statusboard.wall import Night, WallSpec
from tests.config.sources import Home

HEAD = """
board: {store: /somewhere/acme.sqlite}
views:
  - {name: Payments, filter: "team:payments"}
  - {name: Matrix, layout: services}
"""


def spec(home: Home, text: str = "") -> WallSpec:
    config = home.load(HEAD + text, check_filter=parse)
    views = [*BUILT_IN, *(view_of(view) for view in config.views)]
    return wall_of(config.wall, views, [view.name for view in config.views])


@pytest.mark.parametrize("text", ["", "wall:\n", "wall: {}\n"])
def test_without_a_word_it_shows_the_overview_and_the_configs_own_lanes(home: Home, text: str):
    found = spec(home, text)
    assert [view.name for view in found.views] == ["Overview", "Payments"]
    assert (found.every, found.night, found.filter) == (30, None, "")


def test_a_whole_section(home: Home):
    text = 'views: [Payments, Builds, Payments], every: 1m, night: {from: "21:30", to: 5:00}, filter: "is:failing"'
    found = spec(home, f"wall: {{{text}}}\n")
    assert [view.name for view in found.views] == ["Payments", "Builds"]
    assert (found.every, found.filter) == (60, "is:failing")
    assert found.night == Night(time(21, 30), time(5))


def test_the_usual_night(home: Home):
    assert spec(home, "wall: {night: {}}\n").night == Night(time(22), time(6))


@pytest.mark.parametrize(
    ("text", "place", "told"),
    [
        ("wall: {views: [Overview, Paiments]}", "wall.views[1]", "there is no view `Paiments`"),
        ("wall: {views: [Matrix]}", "wall.views[0]", "there is no view `Matrix`"),
        ("wall: {every: 1s}", "wall.every", "nobody can read that fast"),
        ("wall: {every: often}", "wall.every", "not a duration"),
        ('wall: {night: {from: "25:00"}}', "wall.night.from", "`25:00` is no time of day"),
        ('wall: {night: {to: "6"}}', "wall.night.to", "`6` is no time of day"),
        ('wall: {filter: "team:("}', "wall.filter", "the filter does not parse"),
        ("wall: {colour: red}", "wall", "unknown key"),
        ("wall: [Overview]", "wall", "a list"),
    ],
)
def test_a_mistake_is_told_with_its_place(home: Home, text: str, place: str, told: str):
    with pytest.raises(ConfigError) as caught:
        spec(home, text + "\n")
    (problem,) = caught.value.problems
    assert problem.path.startswith(place) and told in problem.message
    assert problem.line == 6


def test_an_include_sets_no_wall(home: Home):
    home.write("wall: {every: 5s}\n", "team.yaml")
    with pytest.raises(ConfigError, match="an included file cannot hold `wall`"):
        spec(home, "include: team.yaml\n")
