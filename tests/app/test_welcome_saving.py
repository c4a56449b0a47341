"""The welcome screen: what is written of its form, and where."""

from __future__ import annotations

import os

import pytest

from statusboard.screens.welcome_form import FormScreen
from statusboard.screens.welcome_save import SaveScreen
from statusboard.screens.welcome_types import TypesScreen
from statusboard.setup.answers import check_text
from statusboard.setup.writing import NotWritten, write_new
from tests.app.stage import text_of, until
from tests.app.welcoming import KNOWN, LampOptions, box, lamp_form, on, welcomed


async def test_it_is_shown_written_for_its_owner_only_and_opened(tmp_path):
    async with welcomed(tmp_path) as (app, pilot):
        await lamp_form(app, pilot)
        await pilot.press("ctrl+s")
        await on(pilot, SaveScreen)
        shown = text_of(app)
        assert "new/config.yaml" in shown.replace("\n", "").replace(" ", "") and "not read in full yet" in shown
        assert "title: Status" in shown
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.return_value is not None)
    written = tmp_path / "new" / "config.yaml"
    assert app.return_value == written
    assert written.stat().st_mode & 0o777 == 0o600 and written.parent.stat().st_mode & 0o777 == 0o700
    config = check_text(written.read_text(), KNOWN)
    assert config.sources[0].options == LampOptions(
        type="lamp", name="lamp", rooms=("hall",), interval=config.sources[0].options.interval
    )


async def test_another_file_is_not_overwritten(tmp_path):
    target = tmp_path / "config.yaml"
    async with welcomed(tmp_path, target=target) as (app, pilot):
        await lamp_form(app, pilot)
        await pilot.press("ctrl+s")
        await on(pilot, SaveScreen)
        target.write_text("mine")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "is not overwritten" in " ".join(text_of(app).split()))
        assert isinstance(app.screen, SaveScreen)
    assert target.read_text() == "mine" and [*tmp_path.iterdir()] == [target]


async def test_what_cannot_be_written_is_told_with_the_place(tmp_path):
    (tmp_path / "file").write_text("")
    async with welcomed(tmp_path, target=tmp_path / "file" / "config.yaml", made=False, size=(120, 30)) as (app, pilot):
        await lamp_form(app, pilot)
        await pilot.press("ctrl+s")
        await on(pilot, SaveScreen)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "cannot be written: Not a directory" in " ".join(text_of(app).split()))


async def test_several_sources_are_written_into_one_file(tmp_path):
    async with welcomed(tmp_path) as (app, pilot):
        await lamp_form(app, pilot)
        await pilot.press("ctrl+s")
        await on(pilot, SaveScreen)
        await pilot.press("ctrl+n")
        await on(pilot, TypesScreen)
        assert "So far: lamp" in text_of(app)
        await pilot.press("l", "enter")
        await on(pilot, FormScreen)
        assert box(app, "name").line.value == "lamp-2"
        box(app, "rooms").line.value = "attic"
        await pilot.press("ctrl+s")
        await on(pilot, SaveScreen)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.return_value is not None)
    config = check_text(app.beginning.target.read_text(), KNOWN)
    assert [source.name for source in config.sources] == ["lamp", "lamp-2"]


def test_nothing_is_left_where_writing_fails(tmp_path, monkeypatch):
    text = "sources: [{type: other, name: x}]\n"

    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    write_new(tmp_path / "a.yaml", text, KNOWN, made=False)
    assert (tmp_path / "a.yaml").read_text() == text, "a file system without links will do"
    with pytest.raises(NotWritten, match="is not overwritten"):
        write_new(tmp_path / "a.yaml", text, KNOWN, made=False)
    (tmp_path / "a.yaml").unlink()
    assert list(tmp_path.iterdir()) == []
