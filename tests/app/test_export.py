"""What is shown, saved to a file: the form, the name, and what is said of it."""

from __future__ import annotations

import csv
import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from statusboard.app import BoardApp
from statusboard.model import Item
from statusboard.screens.board import BoardScreen
from statusboard.screens.export import ExportScreen, folder, save_new, why
from tests.app.stage import Told, board, settled, text_of, until
from tests.scripted import alert, build

ITEMS: list[Item] = [
    build(1, "failed", title="Fix [b] <script>login"),
    build(2, "success", title="Add cart", pipeline="other"),
]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def asked(app: BoardApp, pilot: Pilot[Any], *keys: str) -> None:
    """Ask for a file, and press what the form wants."""
    await pilot.press("ctrl+s")
    await until(pilot, lambda: isinstance(app.screen, ExportScreen))
    await pilot.pause()
    await pilot.press(*keys)
    await pilot.pause()


async def saved(app: BoardApp, pilot: Pilot[Any], folder: Path) -> Path:
    """The one file, once the board says that it is saved."""
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, BoardScreen))
    await until(pilot, lambda: "saved to" in text_of(app))
    (file,) = folder.iterdir()
    return file


async def test_a_picture_is_two_keys_away_and_shows_the_board_not_the_form(tmp_path):
    async with board(Told("ci", "build", ITEMS)) as (app, pilot):
        await asked(app, pilot)
        file = await saved(app, pilot, tmp_path)
    assert file.name.startswith("statusboard-overview-") and file.suffix == ".svg"
    text = file.read_text()
    assert text.startswith("<svg") and "Add&#160;cart" in text and "Save&#160;what" not in text
    assert "<script" not in text and "&lt;script&gt;login" in text
    assert "@font-face" not in text and "url(" not in text.replace("url(#", ""), "it fetches nothing"


async def test_text_has_all_rows_that_the_filter_lets_through(tmp_path):
    items: list[Item] = [build(n, title=f"number {n}", pipeline=f"p{n}") for n in range(200)]
    async with board(Told("ci", "build", items), size=(80, 24)) as (app, pilot):
        await pilot.press("slash", *"-p7", "enter")
        await settled(app, pilot)
        await asked(app, pilot, "2")
        file = await saved(app, pilot, tmp_path)
    lines = file.read_text().splitlines()
    assert lines[0] == "Payments: Overview, filter -p7"
    rows = [line for line in lines if "number" in line]
    assert len(rows) > 180 and not any("p7" in line for line in rows)
    assert f"{200 - len(rows)} more items are not shown, none of them failing" in lines


async def test_csv_is_of_the_view(tmp_path):
    async with board(Told("ci", "build", ITEMS), Told("am", "incident", [alert(1)])) as (app, pilot):
        await pilot.press("4")
        await settled(app, pilot)
        await asked(app, pilot, "3")
        file = await saved(app, pilot, tmp_path)
    with file.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert [(row["kind"], row["title"]) for row in rows] == [("build", "Fix [b] <script>login"), ("build", "Add cart")]


async def test_json_has_the_contracts_form_and_says_what_is_hidden(tmp_path):
    async with board(Told("ci", "build", ITEMS), Told("am", "incident", [alert(1)])) as (app, pilot):
        await pilot.press("4")
        await settled(app, pilot)
        await asked(app, pilot, "4")
        file = await saved(app, pilot, tmp_path)
    picture = json.loads(file.read_text())
    assert picture["schema"] == 1 and [item["title"] for item in picture["items"]] == [
        "Fix [b] <script>login",
        "Add cart",
    ]
    assert picture["filter"] == {
        "view": "Builds",
        "query": "",
        "kinds": ["build"],
        "hidden": 1,
        "hidden_failing": 1,
    }


async def test_the_text_of_a_view_without_lanes_is_what_is_seen(tmp_path):
    async with board(Told("ci", "build", ITEMS)) as (app, pilot):
        await pilot.press("8")  # the sources
        await settled(app, pilot)
        await asked(app, pilot, "2")
        file = await saved(app, pilot, tmp_path)
    text = file.read_text()
    assert "scripted" in text and "ci" in text and "Save what is shown" not in text


@pytest.mark.parametrize("size", [(60, 20), (80, 24)])
async def test_nothing_is_overwritten_and_another_name_can_be_typed(tmp_path, size):
    async with board(Told("ci", "build", ITEMS), size=size) as (app, pilot):
        await asked(app, pilot, "3")
        name = app.screen.query_one("#export-name").value  # type: ignore[attr-defined]
        assert name.endswith(".csv") and name in text_of(app)
        (tmp_path / name).write_text("mine")
        await pilot.press("enter")
        await until(pilot, lambda: "none is overwritten" in " ".join(text_of(app).split()))
        await pilot.press("tab")
        await until(pilot, lambda: app.focused is app.screen.query_one("#export-name"))
        await pilot.press("home", *"my", "enter")
        await until(pilot, lambda: isinstance(app.screen, BoardScreen))
    assert (tmp_path / name).read_text() == "mine"
    assert (tmp_path / f"my{name}").read_text().startswith("kind,state")


async def test_what_goes_wrong_is_told_in_words_and_escape_saves_nothing(tmp_path):
    async with board(Told("ci", "build", ITEMS)) as (app, pilot):
        await asked(app, pilot, "tab")
        line = app.screen.query_one("#export-name")
        line.value = "no/such/place.svg"  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until(pilot, lambda: "there is no such folder" in text_of(app))
        line.value = ""  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until(pilot, lambda: "type a name" in text_of(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, BoardScreen))
    assert list(tmp_path.iterdir()) == []


def test_a_file_gets_the_rights_that_the_umask_leaves_and_is_whole_or_not_there(tmp_path, monkeypatch):
    before = os.umask(0o027)
    try:
        save_new(tmp_path / "a", "x\r\ny")
    finally:
        os.umask(before)
    assert (tmp_path / "a").read_bytes() == b"x\r\ny" and (tmp_path / "a").stat().st_mode & 0o777 == 0o640
    with pytest.raises(FileExistsError):
        save_new(tmp_path / "a", "z")
    save_new(tmp_path / "b", "\ud800")
    assert (tmp_path / "b").read_text() == "?"

    real = os.open  # a file that cannot be written to stands for a disk that is full
    monkeypatch.setattr(os, "open", lambda path, *rest: real(path, os.O_CREAT | os.O_RDONLY))
    with pytest.raises(OSError, match="not writable|Bad file"):
        save_new(tmp_path / "c", "z")
    monkeypatch.undo()
    assert not (tmp_path / "c").exists()


def test_words_for_what_goes_wrong():
    assert why(OSError(errno.ENOSPC, "No space left on device")) == "No space left on device"
    assert why(RuntimeError("Could not determine home directory.")) == "Could not determine home directory."


def test_a_folder_that_is_gone_is_no_end(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert folder() == Path.home()
