"""The picture that is painted first: what was known last, and never as if it were so now."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from statusboard.app import BoardApp
from statusboard.engine import Engine
from statusboard.palettes import PALETTES, derived
from statusboard.screens import first
from statusboard.screens.settings import Settings
from statusboard.text import cell_len
from tests.app.stage import DARK, Told, board, text_of, until
from tests.scripted import alert, build
from widgets.glance import GlanceLane, Picture, draw
from widgets.layout import Column

NOW = datetime.now(UTC)


async def saved(path, *sources: Told) -> bytes:
    """What a board of these sources leaves behind."""
    async with board(*sources) as (app, _):
        app._keep_at = path
    return path.read_bytes()


async def test_a_board_leaves_a_picture_behind(tmp_path):
    path = tmp_path / "cache" / "first.json"
    await saved(path, Told("am", "incident", [alert(1, severity="high")]), Told("ci", "build", [build(1)]))
    assert path.stat().st_mode & 0o777 == 0o600
    last = first.load(path, datetime.now(UTC) + timedelta(hours=3))
    assert last is not None
    text = "\n".join("".join(text for text, _ in line) for line in draw(last.picture, 100, 30))
    assert "? LAST KNOWN, 3h ago" in text and "Payments" in text
    assert "was failing 1" in text
    assert "? was open" in text and "? was success" in text
    assert "last known 3h ago" in text
    assert "ALL OK" not in text and "✓" not in text and "◉" not in text


async def test_it_is_painted_in_the_theme_that_a_config_brought(tmp_path):
    mine = derived("mine", PALETTES["light"], {"background": "#fffff0"})
    path = tmp_path / "first.json"
    async with board(Told("am", "incident", [alert(1)])) as (app, _):
        assert app.live is not None
        app._keep_at = path
        app.live.settings = structs.replace(app.live.settings, theme="mine", palettes=(mine,))
    last = first.load(path, NOW)
    assert last is not None
    assert (last.theme, last.palettes) == ("mine", (mine,))
    engine = Engine([], store_path=None)
    app = BoardApp(lambda: (Settings(), engine), last=last, look=DARK._replace(theme="mine"))
    assert app.theme == "mine"
    assert app.current_theme.background == "#fffff0"
    path.write_bytes(path.read_bytes().replace(b"#fffff0", b"#x"))
    assert first.load(path, NOW) is None


async def test_it_is_painted_before_anything_is_loaded(tmp_path):
    path = tmp_path / "first.json"
    await saved(path, Told("am", "incident", [alert(1)]))
    last = first.load(path, datetime.now(UTC))
    assert last is not None
    engine = Engine([Told("am", "incident", [alert(1)])], store_path=None)
    shown: list[str] = []

    class Watched(BoardApp):
        def _load_all(self) -> tuple[Settings, Engine]:
            shown.append(text_of(self))
            return super()._load_all()

    app = Watched(lambda: (Settings(), engine), last=last, look=DARK)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: app.live is not None)
    await app.close()
    assert "LAST KNOWN" in shown[0] and "? was open" in shown[0]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"version": 99}',
        b'{"version": 1}',
        b'{"version":1,"saved_at":"x","title":1,"theme":"","unknown":"?","counts":[],"lanes":[]}',
        b'{"version":1,"saved_at":1e99,"title":"","theme":"","unknown":"?","counts":[],"lanes":[]}',
        b'{"version":1,"saved_at":0,"title":"","theme":"","unknown":"?","counts":[],"lanes":[[]]}',
        b'{"version":1,"saved_at":0,"title":"","theme":"","unknown":"?","counts":[],'
        b'"lanes":[{"name":"x","count":1,"columns":[["a"]],"rows":[]}]}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_file_that_is_not_ours_is_passed_over(tmp_path, content):
    path = tmp_path / "first.json"
    path.write_bytes(content)
    assert first.load(path, NOW) is None


def test_no_file_or_a_huge_one(tmp_path):
    assert first.load(tmp_path / "none.json", NOW) is None
    (tmp_path / "huge.json").write_bytes(b" " * (first.MAX_SIZE + 1))
    assert first.load(tmp_path / "huge.json", NOW) is None


async def test_what_was_changed_in_the_file_is_still_only_text(tmp_path):
    path = tmp_path / "first.json"
    body = json.loads(await saved(path, Told("am", "incident", [alert(1)])))
    body["title"] = "[/x]\x1b]52;c;x\x07"
    body["lanes"][0]["rows"][0]["title"] = "[@click=app.quit]\x1b[2J\u202e"
    path.write_text(json.dumps(body))
    last = first.load(path, NOW)
    assert last is not None
    text = "".join(text for line in draw(last.picture, 100, 30) for text, _ in line)
    assert "[@click=app.quit][2J" in text and "\x1b" not in text and "\u202e" not in text and "\x07" not in text


def test_a_folder_that_cannot_be_written_costs_only_the_picture(tmp_path):
    (tmp_path / "file").write_text("")
    first.save(tmp_path / "file" / "first.json", b"{}")


COLUMNS = (Column("age", "Age", 5, 4, 85, "right"), Column("title", "Title", None, 10, 100))
lanes = st.lists(
    st.builds(
        GlanceLane,
        st.text("abc", min_size=1, max_size=8),
        st.just("2, last known"),
        st.just(COLUMNS),
        st.lists(st.fixed_dictionaries({"age": st.just("5m"), "title": st.text("ab漢é ", max_size=40)}), max_size=30),
    ),
    max_size=4,
)


@given(lanes, st.integers(1, 320), st.integers(1, 110))
def test_every_line_is_as_wide_as_the_terminal(lanes, width, height):
    picture = Picture(" ? LAST KNOWN, 5m ago ", "Payments", ("was failing 2",), lanes)
    lines = draw(picture, width, height)
    assert len(lines) <= height
    for line in lines:
        assert sum(cell_len(text) for text, _ in line) <= width
