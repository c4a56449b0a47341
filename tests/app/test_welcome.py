"""The welcome screen: what it offers, and the form of a first source."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual.widgets import Button

from statusboard import cli
from statusboard.errors import AuthError
from statusboard.screens.menu import Menu
from statusboard.screens.welcome import WelcomeScreen
from statusboard.screens.welcome_docs import COMMANDS, DOCS, DocsScreen
from statusboard.screens.welcome_fields import FieldBox
from statusboard.screens.welcome_form import FormScreen
from statusboard.screens.welcome_types import TypesScreen
from statusboard.setup.around import Type, matching
from tests.app.stage import text_of, until
from tests.app.welcoming import FOUND, SECRET, Lamp, box, lamp_form, on, pasted, welcomed
from tests.scripted import alert

# -- what there is to choose


@pytest.mark.parametrize("keys", ["d", "enter", "k j enter", "down up enter"])
async def test_the_demo_is_one_key_away(tmp_path, keys):
    async with welcomed(tmp_path) as (app, pilot):
        await pilot.press(*keys.split())
        await pilot.pause()
    assert app.return_value == "demo"


async def test_the_mouse_chooses_as_well(tmp_path):
    async with welcomed(tmp_path) as (_, pilot):
        await pilot.click(Menu, offset=(6, 1))
        await on(pilot, TypesScreen)


@pytest.mark.parametrize("key", ["q", "escape", "ctrl+c"])
async def test_leaving_chooses_nothing(tmp_path, key):
    async with welcomed(tmp_path) as (app, pilot):
        await pilot.press(key)
        await pilot.pause()
    assert app.return_value is None and app.return_code == 0


@pytest.mark.parametrize("size", [(60, 20), (80, 24)])
async def test_what_was_found_is_proposed_by_name_only(tmp_path, size):
    async with welcomed(tmp_path, found=[FOUND], size=size, notices=("./statusboard.yaml is not trusted yet",)) as (
        app,
        pilot,
    ):
        shown = text_of(app)
        assert "There is no configuration yet" in shown and "! ./statusboard.yaml is not trusted yet" in shown
        assert "1  lamp" in shown and "[b]lamps.cfg, LAMP_TOKEN in" in shown
        await pilot.press("1")
        await on(pilot, FormScreen)
        assert box(app, "rooms").line.value == "hall"
        assert box(app, "token").line.value == "env:LAMP_TOKEN"
        assert isinstance(app.focused, Button), "all is there: nothing is left but to try it"


async def test_where_the_docs_are(tmp_path):
    async with welcomed(tmp_path, size=(60, 80)) as (app, pilot):
        await pilot.press("w")
        await on(pilot, DocsScreen)
        shown = text_of(app)
        for words in ("statusboard init", "statusboard sources", "docs/sources.md", "/usr/share/doc", "board.log"):
            assert words in shown
        assert "$STATUSBOARD_CONFIG" in shown and "no such file" in shown
        assert str(tmp_path / "config.yaml") in shown.replace("\n", "").replace(" ", "")
        await pilot.press("escape")
        await on(pilot, WelcomeScreen)


def test_every_document_that_is_named_is_there_and_every_command_too():
    root = Path(__file__).parents[2]
    assert [name for name, _ in DOCS if not (root / name).is_file()] == []
    written = {f"docs/{file.name}" for file in (root / "docs").glob("*.md")} - {"docs/architecture.md"}
    assert written - {name for name, _ in DOCS} == set(), "that of the code is for who changes it"
    assert {name.split()[1] for name, _ in COMMANDS} <= {*cli.COMMANDS, "--help"}


async def test_types_are_found_by_typing(tmp_path):
    async with welcomed(tmp_path) as (app, pilot):
        await pilot.press("s")
        await on(pilot, TypesScreen)
        assert "Lamps [/that] are off" in text_of(app) and "Anything else" in text_of(app)
        await pilot.press(*"else")
        assert "Lamps" not in text_of(app)
        await pilot.press("z")
        assert "no type of that name" in text_of(app)
        await pilot.press("enter")
        assert isinstance(app.screen, TypesScreen)
        await pilot.press("ctrl+u", *"lam", "enter")
        await on(pilot, FormScreen)
        assert "lamp" in text_of(app)


def test_a_type_whose_name_begins_as_typed_comes_first():
    types = [Type(name="argocd", summary="for git"), Type(name="git", summary=""), Type(name="gitx", error="broken")]
    assert [t.name for t in matching(types, "git")] == ["git", "gitx", "argocd"]
    assert [t.name for t in matching(types, "GIT for")] == ["argocd"]
    assert matching(types, "nothing") == []


# -- the form


async def test_what_is_needed_is_said_at_its_field(tmp_path):
    async with welcomed(tmp_path) as (app, pilot):
        await lamp_form(app, pilot, rooms="")
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "rooms is needed" in text_of(app))
        assert app.focused is box(app, "rooms").line
        await pilot.press("x")
        assert "rooms is needed" not in text_of(app)


async def test_what_is_pasted_is_cleaned_also_over_a_selection(tmp_path):
    async with welcomed(tmp_path) as (app, pilot):
        await lamp_form(app, pilot)
        line = box(app, "rooms").line
        for _ in range(2):
            line.select_all()
            await pasted(pilot, line, "\x1b]52;c;eA\x07att\u202eic")
            assert line.value == "]52;c;eAattic"


async def test_a_wrong_option_is_told_by_the_configurations_own_checks(tmp_path):
    async with welcomed(tmp_path, size=(80, 40)) as (app, pilot):
        await lamp_form(app, pilot)
        box(app, "name").line.value = "two words"
        await pilot.press("ctrl+t")
        await until(pilot, lambda: box(app, "name").has_class("-wrong"))


async def test_a_trial_says_what_was_read_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(Lamp, "answer", [alert(1, source="lamp"), alert(2, source="lamp")])
    async with welcomed(tmp_path) as (app, pilot):
        await lamp_form(app, pilot)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "OK: read 2 incidents" in text_of(app))
        assert app.focused is app.screen.query_one("#save"), "the way on is one key"
    assert list(tmp_path.iterdir()) == []


async def test_a_trial_that_reads_nothing_does_not_sound_as_if_it_had(tmp_path):
    async with welcomed(tmp_path) as (app, pilot):
        await lamp_form(app, pilot)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "there is nothing to show now" in text_of(app))


async def test_a_refusal_is_told_with_the_way_on(tmp_path, monkeypatch):
    monkeypatch.setattr(Lamp, "answer", AuthError("401 who are you [/b] \x1b[31m?", status=401))
    async with welcomed(tmp_path) as (app, pilot):
        await lamp_form(app, pilot)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "FAILED: " in text_of(app))
        assert "who are you [/b]" in text_of(app) and "statusboard sources lamp" in text_of(app)


async def test_escape_stops_a_trial_and_only_then_leaves(tmp_path, monkeypatch):
    monkeypatch.setattr(Lamp, "answer", asyncio.Event())
    async with welcomed(tmp_path) as (app, pilot):
        await lamp_form(app, pilot)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "esc stops" in text_of(app))
        await pilot.press("escape")
        await until(pilot, lambda: "Stopped." in text_of(app))
        assert isinstance(app.screen, FormScreen)
        await pilot.press("escape")
        await on(pilot, WelcomeScreen)


async def test_what_was_typed_is_there_again_but_no_secret(tmp_path):
    async with welcomed(tmp_path) as (app, pilot):
        await lamp_form(app, pilot, rooms="hall, cellar")
        await pasted(pilot, box(app, "token").line, SECRET)
        await pilot.press("escape")
        await on(pilot, WelcomeScreen)
        assert SECRET not in repr(app.typed)
        app.set_up("lamp")
        await on(pilot, FormScreen)
        assert box(app, "rooms").line.value == "hall, cellar" and box(app, "token").line.value == ""


@pytest.mark.parametrize("size", [(60, 20), (80, 24)])
async def test_every_field_and_button_can_be_reached_by_keyboard_and_is_seen(tmp_path, size):
    async with welcomed(tmp_path, size=size) as (app, pilot):
        await lamp_form(app, pilot)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "nothing to show" in text_of(app))
        seen = []
        for _ in range(8):
            await pilot.press("down")
            await pilot.pause()
            focused = app.focused
            assert focused is not None
            seen.append(focused)
            region = app.screen.find_widget(focused).visible_region
            assert region.height >= 1, f"{focused} has the focus and is not seen"
        assert {*app.screen.query(Button), *(box.line for box in app.screen.query(FieldBox))} == set(seen)


# -- in little room


@pytest.mark.parametrize("size", [(20, 5), (40, 10)])
async def test_in_a_terminal_of_a_few_lines_it_can_still_be_chosen(tmp_path, size):
    async with welcomed(tmp_path, size=size) as (app, pilot):
        assert "See the demo" in text_of(app) and "Set it up" in text_of(app)
        await pilot.press("enter")
        await pilot.pause()
    assert app.return_value == "demo"
