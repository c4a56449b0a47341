"""Themes: every text can be read, in 256 colours too; what a terminal is shown; what a config may say."""

from __future__ import annotations

import colorsys
import re
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import Color as RichColor
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.color import Color
from textual.style import Style
from textual.theme import Theme

from statusboard.model import STATES
from statusboard.palettes import (
    GROUNDS,
    NAMES,
    NIGHT,
    PALETTES,
    SHAPE,
    TEXT,
    TEXT_HIGH,
    WORDS,
    Palette,
    contrast,
    derived,
    is_color,
    pairs,
    unreadable,
)
from statusboard.presenting import ASCII, UNICODE, word_of
from statusboard.themes import ANSI, ANSI_LIGHT, THEMES, Look, NoColors, PlainSigns, look_of, theme_of
from tests.colors import FORMS, difference, nearest, seen_by
from widgets.table import STYLE_NAMES
from widgets.words import FAINT, STYLES, Word, styled

ROOT = Path(__file__).parents[1]
EACH = pytest.mark.parametrize("palette", [*PALETTES.values(), NIGHT], ids=lambda palette: palette.name)
TELLING = ("failed", "warning", "success", "running", "unknown")


# -- contrast


def test_contrast_is_what_wcag_says():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)
    assert contrast("#ff0000", "#0000ff") == contrast("#0000ff", "#ff0000") == pytest.approx(2.15, abs=0.005)


@EACH
def test_every_pair_of_every_theme_can_be_read(palette: Palette):
    assert palette.colors.keys() == set(NAMES)
    assert palette.least == (TEXT_HIGH if "contrast" in palette.name else TEXT)
    assert unreadable(palette) == []
    checked = {(pair.front, pair.ground) for pair in pairs(palette)}
    assert checked >= {(word, ground) for word in WORDS for ground in GROUNDS} | {("cursor-text", "cursor")}


@EACH
def test_every_pair_can_be_read_in_256_colours(palette: Palette):
    for pair in pairs(palette):
        ratio = contrast(nearest(palette.colors[pair.front]), nearest(palette.colors[pair.ground]))
        assert ratio >= min(TEXT, pair.least), (pair, ratio)


@EACH
def test_greys_stay_grey_in_256_colours(palette: Palette):
    for name in ("background", "surface", "panel", "text", "muted"):
        red, green, blue = Color.parse(nearest(palette.colors[name])).rgb
        assert max(red, green, blue) - min(red, green, blue) <= 5, name


def variables(theme: Theme) -> dict[str, str]:
    made = {**theme.to_color_system().generate(), **theme.variables}
    return {name: value.lower() for name, value in made.items()}


@EACH
def test_every_style_is_a_pair_that_was_checked(palette: Palette):
    """Not by a list: whatever `STYLES` names must be a colour of words of the palette, and those are all checked."""
    words = {palette.colors[name] for name in WORDS}
    known = variables(theme_of(palette))
    assert set(STYLE_NAMES) <= set(STYLES)
    for name, style in STYLES.items():
        used = re.findall(r"\$([\w-]+)", style)
        assert len(used) == 1, name
        assert known[used[0]] in words, f"{name} is drawn in ${used[0]}, which nobody has looked at"
        assert " on " not in style, "a ground of its own"


SHEETS = sorted([*ROOT.glob("widgets/*.tcss"), *ROOT.glob("statusboard/**/*.tcss")], key=str)


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_style_sheets_use_what_was_checked(sheet: Path):
    palette = PALETTES["dark"]
    known = variables(theme_of(palette))
    fronts = {palette.colors[name] for name in (*WORDS, "cursor-text")}
    grounds = {palette.colors[name] for name in (*GROUNDS, "cursor")}
    text = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
    for name, value in re.findall(r"(?<![\w-])(color|background):\s*([^;}]+)", text):
        if re.fullmatch(r"(ansi_\w+|transparent|initial)", value.strip()):
            continue
        found = re.fullmatch(r"\$([\w-]+)( \d+%)?", value.strip())
        assert found, f"{name}: {value} is no colour of a theme"
        assert known[found[1]] in (fronts if name == "color" else grounds), f"{name}: {value}"
        assert found[2] is None or name == "background", "half a colour has half the contrast"


def test_the_cursor_and_scrollbars_can_be_seen():
    for palette in PALETTES.values():
        for shape in ("cursor", "scrollbar"):
            assert contrast(palette.colors[shape], palette.colors["background"]) >= SHAPE


def red(color: str) -> bool:
    """Whether people with full colour vision would call it red."""
    r, g, b = (part / 255 for part in Color.parse(color).rgb)
    hue, _, saturation = colorsys.rgb_to_hls(r, g, b)
    return saturation > 0.3 and (hue < 0.06 or hue > 0.94)


@EACH
def test_only_what_fails_is_red(palette: Palette):
    assert [name for name in WORDS if red(palette.colors[name])] == ["failed"]


# -- colour blindness


def test_the_difference_of_two_colours_is_that_of_ciede2000():
    """Some of the pairs that Sharma, Wu and Dalal (2005) published for whoever writes the formula."""
    published = [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 2.5, 0.0), (50.0, 0.0, -2.5), 4.3065),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
    ]
    for one, other, expected in published:
        assert difference(one, other) == pytest.approx(expected, abs=1e-4)


def test_the_simulation_keeps_greys_and_loses_what_it_should():
    for form in FORMS:
        assert seen_by(form, "#808080") == pytest.approx(seen_by("normal", "#808080"), abs=0.1)
    unlike = difference(seen_by("normal", "#c05050"), seen_by("normal", "#787020"))
    alike = difference(seen_by("deuteranopia", "#c05050"), seen_by("deuteranopia", "#787020"))
    assert unlike > 2.5 * alike


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["color-blind", "color-blind-light"])
def test_states_differ_for_the_colour_blind(name: str, form: str):
    """A difference of 2 is just noticed between large fields; glyphs are small."""
    colors = PALETTES[name].colors
    for one, other in [*combinations(TELLING, 2), *((state, "text") for state in TELLING)]:
        apart = difference(seen_by(form, colors[one]), seen_by(form, colors[other]))
        assert apart >= 12, f"{one} and {other}: {apart:.1f}"


@EACH
def test_the_past_has_a_colour_that_nothing_else_has(palette: Palette):
    """It is seen on a whole line, so that less is enough than states need; of the night nobody rewinds a wall."""
    for form in FORMS if "blind" in palette.name else ("normal",):
        for word in set(WORDS) - {"past"}:
            apart = difference(seen_by(form, palette.colors["past"]), seen_by(form, palette.colors[word]))
            assert apart >= 13 or palette is NIGHT, f"{word}: {apart:.1f}"


@pytest.mark.parametrize("theme", [ANSI, ANSI_LIGHT], ids=lambda theme: theme.name)
def test_of_sixteen_colours_the_past_has_one_of_its_own(theme: Theme):
    others = {getattr(theme, name) for name in ("primary", "secondary", "accent", "warning", "error", "success")}
    assert theme.variables["text-past"] not in {*others, "ansi_default"}


# -- the terminal's own colours, and none


@pytest.mark.parametrize("theme", [ANSI, ANSI_LIGHT], ids=lambda theme: theme.name)
def test_the_terminals_own_colours_stand_on_its_own_ground(theme: Theme):
    known = variables(theme)
    for name in ("background", "surface", "panel", "foreground", "text", "text-muted"):
        assert Color.parse(known[name]).ansi == -1 or known[name] == "transparent", name
    for style in STYLES.values():
        assert Style.parse(style.replace("$text-", "$").split("$")[0].strip() or "bold") is not None


@pytest.mark.parametrize("theme", [ANSI, ANSI_LIGHT], ids=lambda theme: theme.name)
def test_sixteen_colours_are_those_that_can_be_read_there(theme: Theme):
    """A terminal's blue mostly cannot be read on black, nor its yellow and its cyan on white."""
    used = {getattr(theme, name) for name in ("primary", "secondary", "accent", "warning", "error", "success")}
    assert not used & ({"ansi_blue", "ansi_black"} if theme.dark else {"ansi_yellow", "ansi_cyan", "ansi_white"})


def attributes(word: Word) -> frozenset[str]:
    """What is left of a style without colours: bold, dim, italic, underline, reverse."""
    style = FAINT.get(word[1], STYLES[word[1]])
    return frozenset(re.findall(r"bold|dim|italic|underline|reverse", style))


def test_without_colour_what_is_chosen_or_alarming_stands_out():
    """Words differ anyhow; what is said by emphasis alone must have one that is not a colour."""
    plain = attributes(("x", "plain"))
    verdicts = ("verdict-failed", "verdict-blind", "verdict-warning", "verdict-ok")
    for name in ("chosen", "demo", "past", "critical", *verdicts):
        assert attributes(("x", name)) >= {"bold", "reverse"}, name
    for name in ("marker", "heading", "strong", "failed", "link"):
        assert attributes(("x", name)) != plain, name
    assert "dim" in attributes(("x", "muted")), "what is over is fainter"


def test_faint_styles_replace_those_of_the_same_name():
    assert FAINT.keys() <= STYLES.keys()
    assert styled([("x", "muted")], ansi=True).spans != styled([("x", "muted")]).spans


# -- palettes of one's own


def test_a_palette_of_ones_own():
    mine = derived("mine", PALETTES["dark"], {"failed": "#F88", "background": "#ffffff"})
    assert (mine.name, mine.dark, mine.colors["failed"]) == ("mine", False, "#ff8888")
    worst = unreadable(mine)[0]
    assert worst.ground == "background"
    assert worst.contrast < worst.least == TEXT
    assert derived("mine", PALETTES["high-contrast"], {}).least == TEXT_HIGH


def test_a_pair_that_falls_short_by_a_hair_is_not_rounded_up():
    mine = derived("mine", PALETTES["light"], {"background": "#ffffff", "muted": "#777777"})
    told = [str(pair) for pair in unreadable(mine) if pair.ground == "background"]
    assert told == ["`muted` on `background` has a contrast of 4.4:1, where 4.5:1 is needed"]


@given(st.text(max_size=8))
def test_only_hexadecimal_colours_are_colours(text: str):
    assert is_color(text) == bool(re.fullmatch(r"#([0-9a-fA-F]{3}){1,2}", text))


def test_the_documentation_names_every_theme_colour_and_sign():
    text = (ROOT / "docs" / "themes.md").read_text(encoding="utf-8")
    for name in (*(theme.name for theme in THEMES), *NAMES):
        assert f"`{name}`" in text, name
    told = {row.split("|")[1].strip(): row.replace("\\|", "|") for row in text.splitlines() if row.startswith("| ")}
    for kind in ("build", "incident", "ticket", "source"):
        for glyphs, more in ((UNICODE, ""), (ASCII, ", ASCII")):
            row = told[f"{kind}s{more}"]
            assert all(f"`{glyphs.of(kind, state)}` {word_of(state)}" in row for state in STATES[kind]), row
    for glyphs, more in ((UNICODE, ""), (ASCII, ", ASCII")):
        others = STATES["release"] - STATES["build"]
        assert all(f"`{glyphs.of('release', state)}` {word_of(state)}" in told[f"releases{more}"] for state in others)
        assert all(glyphs.of("release", state) == glyphs.of("build", state) for state in STATES["release"] - others)


def test_theme_names_are_unique():
    assert len({theme.name for theme in THEMES}) == len(THEMES)


# -- what a terminal is shown


@pytest.mark.parametrize(
    "env, encoding, wanted, look",
    [
        ({"TERM": "xterm-256color"}, "utf-8", "", Look("dark", False, False)),
        ({"TERM": "xterm-kitty"}, "utf-8", "", Look("dark", False, False)),
        ({"TERM": "foot", "COLORTERM": "truecolor"}, "utf-8", "", Look("dark", False, False)),
        ({"TERM": "xterm-256color", "COLORFGBG": "0;15"}, "utf-8", "", Look("light", False, False)),
        ({"TERM": "xterm-256color", "COLORFGBG": "0;15"}, "utf-8", "mine", Look("mine", False, False)),
        ({"TERM": "xterm"}, "utf-8", "light", Look("ansi", False, False, few_colors=True)),
        ({"TERM": "xterm", "COLORFGBG": "0;15"}, "utf-8", "", Look("ansi-light", False, False, few_colors=True)),
        ({"TERM": "xterm", "TEXTUAL_COLOR_SYSTEM": "256"}, "utf-8", "light", Look("light", False, False)),
        ({"TERM": "linux"}, "utf-8", "light", Look("ansi", True, False, few_colors=True, few_signs=True)),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, "utf-8", "light", Look("ansi", False, True)),
        ({"TERM": "vt100"}, "utf-8", "", Look("ansi", True, True, few_colors=True, few_signs=True)),
        ({"TERM": "vt100", "COLORTERM": "truecolor"}, "utf-8", "", Look("dark", True, False, few_signs=True)),
        (
            {"TERM": "xterm-256color"},
            "ISO-8859-1",
            "",
            Look("dark", True, False, encoding="ISO-8859-1", few_signs=True),
        ),
        ({"TERM": "xterm-256color"}, "", "", Look("dark", True, False, encoding="", few_signs=True)),
    ],
)
def test_the_look_of_a_terminal(env, encoding, wanted, look):
    assert look_of(env, encoding, wanted) == look


@pytest.mark.parametrize(
    "term, encoding, glyphs, ascii_only, few_signs",
    [
        ("xterm-256color", "utf-8", "ascii", True, False),
        ("xterm-256color", "utf-8", "unicode", False, False),
        ("linux", "utf-8", "unicode", False, False),
        ("linux", "utf-8", "ascii", True, True),
        ("xterm-256color", "ascii", "unicode", True, True),
    ],
)
def test_signs_are_chosen_as_far_as_they_can_be_said(term, encoding, glyphs, ascii_only, few_signs):
    look = look_of({"TERM": term}, encoding, "", glyphs)
    assert (look.ascii_only, look.few_signs) == (ascii_only, few_signs)


@pytest.mark.parametrize(
    "env, ascii_only",
    [
        ({"LC_ALL": "C"}, True),
        ({"LC_ALL": "POSIX", "LANG": "de_DE.UTF-8"}, True),
        ({"LC_ALL": "C.UTF-8", "LANG": "C"}, False),
        ({"LC_ALL": "", "LC_CTYPE": "C.UTF-8", "LANG": "C"}, False),  # what Python makes of LANG=C, and of nothing
        ({"LC_CTYPE": "C"}, True),
        ({"LANG": "C"}, True),
        ({}, False),
        ({"LC_ALL": "C", "PYTHONUTF8": "1"}, False),
    ],
)
def test_a_locale_that_is_c_is_not_utf_8_whatever_python_writes(env, ascii_only):
    look = look_of({"TERM": "xterm-256color", **env}, "utf-8")
    assert (look.ascii_only, look.few_signs) == (ascii_only, ascii_only)


def test_without_colours_not_even_the_code_of_the_terminals_own_is_written():
    bold = RichStyle(color="default", bgcolor="red", bold=True, reverse=True)
    (plain,) = NoColors().apply([Segment("x", bold)], Color(0, 0, 0))
    assert plain.style == RichStyle(bold=True, reverse=True)


def test_colours_are_counted_as_rich_counts_them():
    """It is Rich that writes them; ``256color`` is told by the end of ``TERM``."""
    from rich.console import _TERM_COLORS

    from statusboard.themes import look as module

    rich = {term for term, system in _TERM_COLORS.items() if system is ColorSystem.EIGHT_BIT}
    assert set(module._COLOURS_OF_TERM) == rich
    assert RichColor.parse("#101215").downgrade(ColorSystem.EIGHT_BIT).number == 233


def test_signs_that_cannot_be_shown_are_replaced_cell_for_cell():
    assert PlainSigns("utf-8")._plain("größe 漢 ✓ …") == "größe ?? ? ~"
    assert PlainSigns("utf-8")._plain("↑ ↓ ← → ─│▌▆") == "^ v < > -|> "
    assert PlainSigns("ascii")._plain("größe …") == "gr??e ~"
    assert PlainSigns("iso-8859-1")._plain("größe Łódź") == "größe ?ód?"


def test_a_terminal_that_has_all_signs_keeps_foreign_text():
    assert PlainSigns("utf-8", few_signs=False)._plain("größe 漢 … ─▌") == "größe 漢 ~ ->"
