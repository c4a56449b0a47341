"""Every theme on every screen: whatever text is drawn can be read, and without colours nothing is lost.

What is looked at are the very cells that go to the terminal, so that no style of ours or of Textual's is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import pytest
from msgspec import structs
from rich.style import Style
from textual.command import CommandList
from textual.geometry import Region
from textual.pilot import Pilot

from statusboard.app import BoardApp
from statusboard.commands import ThemePalette
from statusboard.model import ITEM_KINDS, SEVERITIES, STATES, Item
from statusboard.palettes import DARK, HIGH_CONTRAST_LIGHT, LIGHT, derived, pairs
from statusboard.presenting import ASCII, UNICODE, word_of
from statusboard.screens.asking import AskScreen
from statusboard.screens.board import BoardScreen
from statusboard.screens.terminal import TerminalApp
from statusboard.screens.wall import WallScreen
from statusboard.screens.welcome import WelcomeScreen
from statusboard.screens.welcome_types import TypesScreen
from statusboard.themes import Look
from tests.app.stage import Told, board, settled, text_of, until
from tests.app.welcoming import lamp_form, on, welcomed
from tests.boards import NOW, build, incident, release, ticket
from tests.pictures.company import StillClock

SIZE = (120, 70)


class Then(StillClock):
    """The moment of the items of `tests.boards`."""

    def now(self) -> datetime:
        return NOW


class Painted(NamedTuple):
    """Text in two colours."""

    text: str
    front: str
    ground: str


def everything() -> list[Told]:
    """Items of all kinds in all states, one source that cannot be read, and one that is read in part."""
    incidents: list[Item] = [incident(n, state) for n, state in enumerate(sorted(STATES["incident"]))]
    incidents += [incident(20 + n, severity=level) for n, level in enumerate(SEVERITIES)]
    builds: list[Item] = [build(n, state, pipeline=f"p{n}") for n, state in enumerate(sorted(STATES["build"]))]
    builds.append(build(30, "failed", branch="dev", pipeline="side"))
    releases: list[Item] = [release(n, state, services=(f"s{n}",)) for n, state in enumerate(sorted(STATES["release"]))]
    tickets: list[Item] = [ticket(n, state) for n, state in enumerate(sorted(STATES["ticket"]))]
    return [
        Told("am", "incident", incidents),
        Told("ci", "build", builds),
        Told("cd", "release", releases),
        Told("tr", "ticket", tickets),
        Told("off", "build", OSError("no route")),
    ]


def painted(app: TerminalApp[Any], region: Region) -> Iterator[Painted]:
    """What the terminal shows in a part of the screen: every run of characters that is no blank."""
    for strip in app.screen._compositor.render_strips()[region.y : region.bottom]:
        for segment in strip.crop(region.x, region.right):
            style = segment.style or Style()
            if segment.text.isspace() or style.color is None or style.bgcolor is None:
                continue
            front, ground = (color.get_truecolor().hex for color in (style.color, style.bgcolor))
            if style.reverse:
                front, ground = ground, front
            assert not style.dim, f"{segment.text!r} is made fainter than its colour"
            yield Painted(segment.text, front, ground)


_FRAMES = frozenset("─━│┃▌▏▊▎▕▔ ")
"""No text: parts of frames, and the bar beside the cursor's row."""


async def looked_at(app: TerminalApp[Any], pilot: Pilot[Any], where: str, *selectors: str) -> None:
    """Every text here (in what ``selectors`` name, where they are given) is a pair of colours that palettes check.

    Two themes tell: what is mixed of a theme's colours, or of none, would be in neither.
    """
    for palette in (DARK, HIGH_CONTRAST_LIGHT):
        app.use_theme(palette.name)
        await pilot.pause()
        await pilot.pause()
        checked = {tuple(sorted((palette.colors[pair.front], palette.colors[pair.ground]))) for pair in pairs(palette)}
        for selector in selectors or ("Screen",):
            found = list(painted(app, app.screen.query_one(selector).region if selectors else app.screen.region))
            assert found, f"{where}: nothing in {selector}"
            for text, *colors in found:
                if not set(text) <= _FRAMES:
                    assert tuple(sorted(colors)) in checked, f"{palette.name}, {where}: {text!r} in {colors}"


async def test_every_text_on_every_screen_can_be_read():
    async with board(*everything(), size=SIZE) as (app, pilot):

        async def press(*keys: str) -> None:
            await pilot.press(*keys)
            await settled(app, pilot)

        await looked_at(app, pilot, "the board")
        await press("j")
        await looked_at(app, pilot, "the board with a cursor")
        await press("tab", "j", "p")
        await looked_at(app, pilot, "the details and a cursor elsewhere")
        await press("p", "slash", *"state:fa")
        await looked_at(app, pilot, "a filter with suggestions")
        await press(*"x y")
        await looked_at(app, pilot, "a filter that is wrong")
        await press("escape")
        for severity in ("information", "warning", "error"):
            app.show_notice("something happened", severity=severity)
        await until(pilot, lambda: text_of(app).count("something happened") == 3)
        await looked_at(app, pilot, "notices")
        await pilot.press("question_mark")
        await until(pilot, lambda: "esc closes" in text_of(app))
        await looked_at(app, pilot, "the keys", "#help")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, BoardScreen))
        await pilot.press("colon")
        await until(pilot, lambda: chosen(app) == "View: Overview")
        await looked_at(app, pilot, "the palette", "#--input", "CommandList")
        await pilot.press(*"the")
        await until(pilot, lambda: chosen(app) not in ("", "View: Overview"))
        await looked_at(app, pilot, "the palette with something typed", "#--input", "CommandList")
        await press("escape")


async def test_every_text_in_every_view_can_be_read():
    async with board(*everything(), size=SIZE, clock=Then()) as (app, pilot):
        assert app.live is not None
        for number, view in enumerate(app.live.settings.views[1:], start=2):
            await pilot.press(str(number), "j")
            await settled(app, pilot)
            await looked_at(app, pilot, f"the view {view.name}")
        await pilot.press("1", "v")
        await settled(app, pilot)
        await looked_at(app, pilot, "groups")
        await pilot.press("left_square_bracket")
        await settled(app, pilot)
        await looked_at(app, pilot, "a past moment")
        await pilot.press("0")
        await settled(app, pilot)
        await pilot.press("j", "j", "N")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        await looked_at(app, pilot, "a question", "#ask")
        await pilot.press("escape", "f")
        await until(pilot, lambda: isinstance(app.screen, WallScreen))
        await looked_at(app, pilot, "the wall")


async def test_every_text_of_the_first_run_can_be_read(tmp_path):
    async with welcomed(tmp_path, size=(100, 40)) as (app, pilot):
        await looked_at(app, pilot, "the welcome")
        await pilot.press("s")
        await on(pilot, TypesScreen)
        await looked_at(app, pilot, "the types of sources")
        await pilot.press("escape")
        await on(pilot, WelcomeScreen)
        await lamp_form(app, pilot, rooms="")
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "rooms is needed" in text_of(app))
        await looked_at(app, pilot, "the form of a source")


# -- without colours


@pytest.mark.parametrize("ascii_only", [False, True], ids=["unicode", "ascii"])
async def test_without_colour_every_state_is_told_apart(monkeypatch, ascii_only):
    monkeypatch.setenv("NO_COLOR", "1")
    look = Look("ansi", ascii_only=ascii_only, no_color=True, few_signs=ascii_only)
    glyphs = ASCII if ascii_only else UNICODE
    async with board(*everything(), size=(120, 100), look=look, clock=Then()) as (app, _):
        lines = text_of(app).splitlines()
        for kind in ITEM_KINDS:
            told = {f"{glyphs.of(kind, state)} {word_of(state)} " for state in STATES[kind]}
            assert len(told) == len(STATES[kind])
            assert {words for words in told if not any(words in line for line in lines)} == set()
        for level in SEVERITIES:
            assert any(f" {level} " in line for line in lines), level
        assert all(line.isascii() for line in lines) or not ascii_only
        for strip in app.screen._compositor.render_strips():
            for segment in strip:
                style = segment.style or Style()
                assert style.color is None or style.color.is_default, segment
                assert style.bgcolor is None or style.bgcolor.is_default, segment


async def test_without_colour_what_is_chosen_stands_out(monkeypatch):
    """The row under the cursor, the view, the lane that has the focus, and the verdict: by what is no colour."""
    monkeypatch.setenv("NO_COLOR", "1")
    look = Look("ansi", ascii_only=False, no_color=True)
    async with board(*everything(), size=SIZE, look=look) as (app, pilot):
        await pilot.press("j")
        await settled(app, pilot)
        strong = emphasized(app, "reverse")
        assert any(text.startswith("▌") for text in strong), "the row under the cursor"
        assert "1 Overview" in strong, "the view"
        assert any(text.startswith("Incidents") for text in strong), "the lane"
        assert any("FAILING" in text for text in strong), "the verdict"
        assert "1 critical" in strong, "what is worst"
        assert not any(text.startswith(("Builds", "2 ")) for text in strong)
        assert any(text.startswith("Builds") for text in emphasized(app, "underline")), "other lanes"
        await pilot.press("colon")
        await until(pilot, lambda: emphasized(app, "underline"))
        assert emphasized(app, "underline")[0] == "View: Overview", "the command"
        assert "View: Builds" not in emphasized(app, "underline")


def emphasized(app: BoardApp, attribute: str) -> list[str]:
    """What is drawn with this attribute."""
    strips = app.screen._compositor.render_strips()
    segments = [segment for strip in strips for segment in strip if not segment.text.isspace()]
    return [segment.text.strip() for segment in segments if getattr(segment.style or Style(), attribute)]


# -- choosing


def chosen(app: BoardApp) -> str:
    """The name of the command under the cursor of the palette."""
    found = list(app.screen.query(CommandList))
    place = found[0].highlighted if found else None
    hit = getattr(found[0].get_option_at_index(place), "hit", None) if place is not None else None
    return hit.text or "" if hit is not None else ""


async def test_a_theme_is_tried_on_in_the_palette():
    async with board(*everything(), size=(100, 30)) as (app, pilot):

        async def open_palette() -> None:
            await pilot.press("colon", *"themes")
            await until(pilot, lambda: chosen(app) == "Themes")
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, ThemePalette))
            await until(pilot, lambda: app.screen.query_one(CommandList).option_count == len(app.own_themes))

        await open_palette()
        assert app.theme == "dark", "nobody has asked for another yet"
        worn = set()
        for _ in app.own_themes:
            await pilot.press("down")
            await pilot.pause()
            worn.add(app.theme)
        assert worn == {theme.name for theme in app.own_themes}
        await pilot.press("escape")
        await pilot.pause()
        assert app.theme == "dark", "as it was"
        await open_palette()
        await pilot.press(*"high")
        await until(pilot, lambda: chosen(app).startswith("high-contrast"))
        await pilot.press("enter")
        await until(pilot, lambda: app.theme.startswith("high-contrast"))


async def test_a_terminal_of_sixteen_colours_is_offered_its_own():
    look = Look("ansi", ascii_only=False, no_color=False, few_colors=True)
    async with board(*everything(), look=look) as (app, pilot):
        assert [theme.name for theme in app.own_themes] == ["ansi", "ansi-light"]
        app.use_theme("dark")
        await pilot.pause()
        assert app.theme == "ansi", "dark would be rounded to sixteen colours"


async def test_a_config_brings_its_own_theme_and_signs(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    mine = derived("mine", DARK, {"background": "#000011"})
    async with board(*everything(), size=(100, 30)) as (app, pilot):
        assert app.live is not None
        settings = structs.replace(app.live.settings, theme="mine", palettes=(mine,), glyphs="ascii")
        app.dress(settings)
        await pilot.pause()
        assert app.theme == "mine"
        assert app.look.ascii_only
        assert any(ground == "#000011" for _, _, ground in painted(app, app.screen.region))
        app.use_theme("light")
        app.dress(settings)
        await pilot.pause()
        assert app.theme == "light", "what was picked stays until the config says something else"
        again = derived("light2", DARK, {"background": "#000022"})
        app.dress(structs.replace(settings, theme="light2", palettes=(again,)))
        await pilot.pause()
        assert app.theme == "light2"
        app.dress(structs.replace(settings, theme="light2", palettes=(again._replace(colors=LIGHT.colors),)))
        await pilot.pause()
        await pilot.pause()
        assert any(ground == LIGHT.colors["background"] for _, _, ground in painted(app, app.screen.region))
