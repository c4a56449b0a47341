"""Themes of one's own and signs: what can be read is taken, what cannot is named with its place."""

from __future__ import annotations

import pytest

from statusboard.keys import THEMES
from statusboard.palettes import PALETTES
from tests.config.sources import Home

SOURCES = "sources: [{type: ci, name: gh, repos: acme/x}]\n"


def test_a_theme_of_ones_own(home: Home):
    config = home.load(
        SOURCES
        + 'theme: night\nthemes: {night: {base: color-blind, colors: {background: "#000", text: "#DDDDDD"}}, same: }\n',
        themes=THEMES,
    )
    night, same = config.themes
    assert config.theme == night.name == "night"
    assert night.colors["background"] == "#000000"
    assert night.colors["text"] == "#dddddd"
    assert night.colors["failed"] == PALETTES["color-blind"].colors["failed"]
    assert same.colors == PALETTES["dark"].colors


def test_an_unreadable_theme_names_the_pair_its_contrast_and_what_is_needed(home: Home):
    text = SOURCES + 'themes:\n  mine:\n    base: dark\n    colors:\n      failed: "#8a1f1f"\n'
    assert str(home.problem(text)) == (
        f"{home.main}:6: themes.mine.colors.failed: `failed` on `panel` has a contrast of 1.6:1, where 4.5:1 is needed,"
        " and 2 more pairs are too close (they are #8a1f1f and #22262b; make `failed` lighter)"
    )


def test_a_ground_that_swallows_its_texts_is_named_itself(home: Home):
    text = SOURCES + 'themes: {mine: {base: light, colors: {panel: "#777777"}}}\n'
    problem = home.problem(text)
    assert problem.path == "themes.mine.colors.panel"
    assert "make `panel` lighter" in problem.hint
    assert problem.message.startswith("`muted` on `panel`")
    assert "8 more pairs" in problem.message


def test_a_dark_ground_wants_a_dark_theme_to_begin_with(home: Home):
    text = SOURCES + 'themes: {mine: {base: light, colors: {background: "#000"}}}\n'
    assert home.problem(text).hint.endswith("begin with `base: dark`")


def test_high_contrast_asks_for_more(home: Home):
    text = SOURCES + 'themes: {mine: {base: high-contrast, colors: {muted: "#8f8f8f"}}}\n'
    assert "7:1 is needed" in home.problem(text).message
    assert home.load(text.replace("high-contrast", "dark")).themes


@pytest.mark.parametrize(
    "written, path, message, hint",
    [
        ("{mine: {colors: {faild: '#fff'}}}", "themes.mine.colors", "no colour `faild`", "did you mean `failed`?"),
        ("{mine: {colors: {failed: red}}}", "themes.mine.colors.failed", "`red` is no colour", "#rrggbb"),
        ("{mine: {colors: {failed: }}}", "themes.mine.colors.failed", "no colour here", "in quotes"),
        ("{mine: {base: darkk}}", "themes.mine.base", "no theme `darkk`", "did you mean `dark`?"),
        ("{mine: {base: ansi}}", "themes.mine.base", "no theme `ansi`", "known are: color-blind"),
        ("{mine: {colours: {}}}", "themes.mine", "unknown key `colours`", "did you mean `colors`?"),
        ("{mine: [x]}", "themes.mine", "a list, where a mapping", ""),
        ("{mine: {colors: x}}", "themes.mine.colors", "a mapping is wanted", ""),
        ("{dark: {}}", "themes.dark", "`dark` is a theme of the board", "another name"),
        ("{wall-night: {}}", "themes.wall-night", "`wall-night` is a theme of the board", "another name"),
        ("{ansi: {}}", "themes.ansi", "`ansi` is a theme of the board", "another name"),
        ("{'a b': {}}", "themes.a b", "no good name", "letters"),
        ("[x]", "themes", "`name: {base", ""),
    ],
)
def test_what_is_wrong_with_a_theme_is_named(home: Home, written: str, path: str, message: str, hint: str):
    problem = home.problem(SOURCES + f"themes: {written}\n", themes=THEMES)
    assert problem.line == 2
    assert problem.path == path
    assert message in problem.message
    assert hint in problem.hint


def test_a_colour_without_quotes_is_a_comment(home: Home):
    problem = home.problem(SOURCES + "themes:\n  mine:\n    colors:\n      failed: #ff0000\n")
    assert (problem.line, problem.path) == (5, "themes.mine.colors.failed")
    assert problem.hint == 'write it as "#rrggbb", in quotes'


def test_a_theme_that_is_wrong_is_still_one_that_can_be_named(home: Home):
    problem = home.problem(SOURCES + "theme: mine\nthemes: {mine: {base: x}}\n", themes=THEMES)
    assert problem.path == "themes.mine.base"
    problem = home.problem(SOURCES + "theme: min\nthemes: {mine: {}}\n", themes=THEMES)
    assert problem.hint == "did you mean `mine`?"


def test_signs(home: Home):
    assert home.load(SOURCES + "glyphs: ascii").glyphs == "ascii"
    assert home.load(SOURCES + "glyphs: unicode").glyphs == "unicode"
    assert home.load(SOURCES + "glyphs: auto").glyphs == home.load(SOURCES).glyphs == ""
    problem = home.problem(SOURCES + "glyphs: asci")
    assert (problem.path, problem.hint) == ("glyphs", "did you mean `ascii`?")
