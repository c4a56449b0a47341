"""The welcome screen: secrets that are typed into its form."""

from __future__ import annotations

import pytest
import yaml

from statusboard import demo
from statusboard.registry import Registry
from statusboard.screens.welcome_form import FormScreen
from statusboard.screens.welcome_keep import KeepScreen
from statusboard.screens.welcome_save import SaveScreen
from statusboard.setup.forming import is_hidden
from tests.app.stage import text_of, until
from tests.app.welcoming import SECRET, Memory, box, lamp_form, on, pasted, welcomed


async def test_a_secret_is_never_shown_and_kept_only_with_consent(tmp_path):
    keyring = Memory()
    async with welcomed(tmp_path, keyring=keyring) as (app, pilot):
        await lamp_form(app, pilot)
        line = box(app, "token").line
        await pasted(pilot, line, SECRET)
        assert line.value == SECRET and SECRET not in text_of(app) and "hunter" not in text_of(app)
        line.select_all()
        await pilot.press("ctrl+x")
        assert app.clipboard == "" and line.value == SECRET
        line.action_copy()
        assert app.clipboard == ""

        await pilot.press("ctrl+s")
        await on(pilot, KeepScreen)
        assert "keyring:lamp" in text_of(app) and SECRET not in text_of(app)
        await pilot.press("escape")
        await on(pilot, FormScreen)
        await pilot.pause()
        assert keyring.kept == {} and isinstance(app.screen, FormScreen), "nothing goes on without consent"

        await pilot.press("ctrl+s")
        await on(pilot, KeepScreen)
        await pilot.press("y")
        await on(pilot, SaveScreen)
        assert keyring.kept == {"lamp": SECRET}
        assert line.value == "keyring:lamp" and not line.password
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.return_value is not None)
    text = app.beginning.target.read_text()
    assert "keyring:lamp" in text and SECRET not in text


async def test_a_server_is_tried_with_the_secret_that_was_typed(tmp_path):
    """The demo's GitHub answers over HTTP, and only to its token."""
    keyring = Memory()
    async with await demo.start(folder=tmp_path / "vendors", story=False) as vendors:
        repository = yaml.safe_load(vendors.config_yaml)["sources"][0]["repos"][0]
        token = (tmp_path / "vendors" / "token").read_text().strip()
        async with welcomed(tmp_path, keyring=keyring, known=Registry.installed()) as (app, pilot):
            app.set_up("github")
            await on(pilot, FormScreen)
            box(app, "url").line.value = vendors.urls["github"]
            box(app, "repos").line.value = repository
            await pasted(pilot, box(app, "token").line, "wrong" + token)
            await pilot.press("ctrl+t")
            await on(pilot, KeepScreen)
            await pilot.press("y")
            await until(pilot, lambda: "FAILED: " in text_of(app))
            assert "keyring:github" in " ".join(text_of(app).split())
            line = box(app, "token").line
            line.select_all()
            await pasted(pilot, line, token)
            await pilot.press("ctrl+t")
            await on(pilot, KeepScreen)
            await pilot.press("y")
            await until(pilot, lambda: "OK: read " in text_of(app))
            assert token not in text_of(app)
    assert keyring.kept == {"github": token}


async def test_where_no_secret_can_be_kept_it_says_what_to_do(tmp_path):
    keyring = Memory()
    async with welcomed(tmp_path, keyring=keyring, no_keyring="no keyring runs here", size=(60, 20)) as (app, pilot):
        await lamp_form(app, pilot)
        await pasted(pilot, box(app, "token").line, SECRET)
        await pilot.press("ctrl+t")
        await on(pilot, KeepScreen)
        shown = " ".join(text_of(app).split())
        assert "no keyring runs here" in shown and "export LAMP_TOKEN=" in shown and "env:LAMP_TOKEN" in shown
        await pilot.press("y")
        await on(pilot, FormScreen)
    assert keyring.kept == {}


@pytest.mark.parametrize("answer", ["ghp_x", "e", "env", "keyring", "http://x", " ghp", "\u202eenv:X"])
def test_what_is_no_reference_is_hidden(answer):
    assert is_hidden(answer)


@pytest.mark.parametrize("answer", ["", "env:X", "keyring:github", "file:~/x", "env:"])
def test_a_reference_is_shown(answer):
    assert not is_hidden(answer)


async def test_a_secret_line_hides_at_once(tmp_path):
    async with welcomed(tmp_path) as (app, pilot):
        await lamp_form(app, pilot)
        line = box(app, "token").line
        line.value = "env:X"
        assert str(line._value) == "env:X"
        line.value = SECRET  # nothing is drawn between these two lines
        assert str(line._value) == "\N{BULLET}" * len(SECRET)
