"""The board's screen: what it shows, and that it never looks better than it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from textual.widgets import Input

from statusboard.errors import ServerError
from statusboard.model import Change, Item, Release, Ticket
from statusboard.themes import Look
from statusboard.view import ViewSpec
from tests.app.stage import Told, board, line_with, poll, screen_of, settled, show, text_of, until
from tests.scripted import alert, build
from widgets.details import DetailsPane
from widgets.filterbar import FilterBar
from widgets.table import BoardTable

NOW = datetime.now(UTC)
HOSTILE = "[/x] [@click=app.quit]boom \x1b]52;c;ZXZpbA==\x07 \u202e evil"


def ci(*states: str) -> list[Item]:
    return [build(n, state, pipeline=f"p{n}", started_at=NOW - timedelta(minutes=n)) for n, state in enumerate(states)]


def alerts(count: int, **more: Any) -> list[Item]:
    fields: dict[str, Any] = {"severity": "high", "url": "https://am.example/1", **more}
    return [alert(n, started_at=NOW - timedelta(minutes=n), **fields) for n in range(count)]


def cursor(app) -> str | None:
    focused = app.focused
    assert isinstance(focused, BoardTable)
    return focused.cursor_key


# -- the header


async def test_all_is_well_only_where_everything_was_read():
    async with board(Told("ci", "build", ci("success")), Told("am", "incident", [])) as (app, _):
        assert "✓ ALL OK" in line_with(app, "Payments")
        assert "2 of 2 fresh" in text_of(app)
        assert "no incidents" in text_of(app)


async def test_a_source_that_fails_takes_the_green_away():
    am = Told("am", "incident", [])
    async with board(Told("ci", "build", ci("success")), am) as (app, pilot):
        am.items = ServerError("500")
        await poll(app, pilot)
        shown = text_of(app)
        assert "ALL OK" not in shown and "BLIND" in shown and "no incidents" not in shown
        assert "nothing known: am is " in line_with(app, "Incidents")


async def test_blind_from_the_beginning():
    async with board(Told("am", "incident", ServerError("500"))) as (app, _):
        shown = text_of(app)
        assert "BLIND" in shown and "ALL OK" not in shown and "0 of 1 fresh" in shown
        assert "1 down: am" in shown


async def test_an_empty_board_is_not_fine():
    async with board() as (app, _):
        assert "BLIND: no source is read" in text_of(app)
        assert "no source reads incidents" in text_of(app)


async def test_failing_says_how_much_and_how_bad():
    async with board(Told("am", "incident", alerts(3)), Told("ci", "build", ci("failed", "success"))) as (app, _):
        assert "✗ FAILING 4" in text_of(app)
        assert "3 high" in text_of(app)
        assert "3 failing" in line_with(app, "Incidents")
        assert "1 failing" in line_with(app, "Builds")


async def test_a_store_notice_is_on_the_screen():
    async with board(Told("am", "incident", [])) as (app, pilot):
        assert app.live is not None
        app.live.engine.notice = "nothing is stored: [disk] full"
        screen_of(app).tick()
        await pilot.pause()
        assert "nothing is stored: [disk] full" in text_of(app)


async def test_who_only_follows_says_so():
    async with board(Told("am", "incident", [])) as (app, pilot):
        assert app.live is not None
        app.live.engine.role = "following"
        screen_of(app).tick()
        await pilot.pause()
        assert "following" in text_of(app)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60), (300, 100), (40, 8)])
async def test_it_can_be_read_at(size):
    async with board(Told("am", "incident", alerts(30)), Told("ci", "build", ci("failed")), size=size) as (app, _):
        lines = text_of(app).splitlines()
        assert len(lines) == size[1] and all(len(line) == size[0] for line in lines)
        assert "✗ FAILING 31" in lines[0]
        assert "◉ open" in text_of(app)


async def test_too_small_says_what_it_needs_and_how_things_are():
    async with board(Told("am", "incident", alerts(2)), size=(20, 5)) as (app, pilot):
        shown = " ".join(text_of(app).split())
        assert "FAILING 2" in shown
        assert "Needs 40x8, this" in shown and "20x5" in shown
        await pilot.resize_terminal(100, 30)
        await pilot.pause()
        assert "Needs" not in text_of(app) and "◉ open" in text_of(app)


async def test_a_storm_of_resizes():
    am = Told("am", "incident", alerts(40))
    async with board(am, Told("ci", "build", ci("failed"))) as (app, pilot):
        await pilot.press("enter")
        for width, height in [(20, 5), (300, 100), (41, 9), (1, 1), (140, 12), (80, 24), (39, 7), (200, 60), (120, 40)]:
            await pilot.resize_terminal(width, height)
            am.items = alerts(40 - width % 7)
        await poll(app, pilot)
        assert "FAILING" in text_of(app)
        assert len(text_of(app).splitlines()) == 40


async def test_lanes_stand_in_two_columns_where_there_is_room():
    async with board(Told("am", "incident", alerts(2)), Told("ci", "build", ci("failed")), size=(200, 40)) as (app, _):
        line = line_with(app, "Incidents ")
        assert "Builds " in line
    async with board(Told("am", "incident", alerts(2)), Told("ci", "build", ci("failed")), size=(120, 40)) as (app, _):
        assert "Builds " not in line_with(app, "Incidents ")


async def test_in_ascii_everything_has_a_sign_that_any_font_has():
    look = Look("ansi", ascii_only=True, no_color=False)
    long = alert(1, title="much longer than there is room for " * 9, services=("größe",))
    async with board(Told("am", "incident", [long]), Told("ci", "build", ci("success")), look=look) as (app, _):
        shown = text_of(app)
        assert "größe" in shown
        shown = shown.replace("größe", "")
        assert "X FAILING 1" in shown and "! open" in shown and "+ success" in shown
        assert shown.isascii()


# -- foreign text


async def test_foreign_text_is_only_text():
    items: list[Item] = [
        alert(1, title=HOSTILE, services=(HOSTILE,), team="[b]team", description=HOSTILE, url="javascript:alert(1)"),
        alert(2, title="list[int] [/prod] failed"),
    ]
    async with board(Told("am", "incident", items), title="[/red]Payments") as (app, pilot):
        await pilot.press("enter")
        await pilot.pause()
        shown = text_of(app)
        assert "[/x] [@click=app.quit]boom" in shown
        assert "list[int] [/prod] failed" in shown
        assert "[/red]Payments" in shown
        assert not any(char in shown for char in "\x1b\x07\u202e\x9b")
        await pilot.press("Y", "o", "y")
        await pilot.click(BoardTable)
        await pilot.pause()
        assert app.is_running, "nothing in it was run"
        assert "javascript" not in text_of(app), "no link was made of it"


async def test_a_source_named_like_markup_is_only_a_name():
    error = ServerError("[/b] [@click=app.quit]no")
    async with board(Told("am[x]", "incident", error)) as (app, pilot):
        await pilot.press("S")
        await settled(app, pilot)
        assert "am[x]" in text_of(app)
        assert "[/b] [@click=app.quit" in text_of(app)


# -- moving about


async def test_the_cursor_and_the_lanes():
    async with board(Told("am", "incident", alerts(5)), Told("ci", "build", ci("failed", "success"))) as (app, pilot):
        assert "▌" not in text_of(app), "until somebody asks for it, each row has its own colours"
        await pilot.press("j")
        assert cursor(app) == "am:incident:0"
        assert line_with(app, "alert 0").startswith("▌")
        await pilot.press("j", "down")
        assert cursor(app) == "am:incident:2"
        await pilot.press("k", "up", "G")
        assert cursor(app) == "am:incident:4"
        await pilot.press("g", "tab")
        assert cursor(app) == "ci:build:0"
        await pilot.press("tab")
        assert cursor(app) == "am:incident:0", "empty lanes are passed over"
        await pilot.press("shift+tab")
        assert cursor(app) == "ci:build:0"


async def test_the_cursor_stays_on_its_row_while_things_change():
    am = Told("am", "incident", alerts(5))
    async with board(am) as (app, pilot):
        await pilot.press("j", "j", "j")
        assert cursor(app) == "am:incident:2"
        am.items = [*alerts(5), alert("new", severity="critical", started_at=NOW + timedelta(minutes=1))]
        await poll(app, pilot)
        assert "am:incident:new" in text_of(app) or "alert new" in text_of(app)
        assert cursor(app) == "am:incident:2"
        am.items = [item for item in alerts(5) if item.key != "am:incident:2"]
        await poll(app, pilot)
        assert cursor(app) == "am:incident:2", "what is over is still there"
        assert "✓ resolved" in line_with(app, "alert 2")


async def test_a_lane_that_empties_gives_the_focus_away():
    am = Told("am", "incident", alerts(1))
    async with board(am, Told("ci", "build", ci("failed"))) as (app, pilot):
        assert cursor(app) == "am:incident:0"
        am.items = []
        await poll(app, pilot)
        await pilot.press("tab")
        assert cursor(app) == "ci:build:0"


async def test_the_line_of_the_filter_tells_how_to_ask_for_a_state():
    async with board(Told("ci", "build", ci("failed"))) as (app, pilot):
        await pilot.press("slash")
        assert "for instance state:failed" in text_of(app)
        await pilot.press(*"failed")
        await until(pilot, lambda: "Tab: state:failed" in text_of(app))
        await pilot.press("tab", "enter")
        await settled(app, pilot)
        assert "✗ failed" in text_of(app) and "state:failed" in text_of(app)


async def test_until_somebody_moves_the_first_lane_has_the_focus():
    am = Told("am", "incident", [])
    async with board(am, Told("ci", "build", ci("failed"))) as (app, pilot):
        assert cursor(app) == "ci:build:0"
        am.items = alerts(1)
        await poll(app, pilot)
        assert cursor(app) == "am:incident:0", "whichever source answered first"
        await pilot.press("tab")
        assert line_with(app, " p0 ").startswith("▌"), "the key shows where it led"
        assert "▏" not in text_of(app)
        am.items = alerts(2)
        await poll(app, pilot)
        assert cursor(app) == "ci:build:0", "a person chose it"


async def test_next_fault_goes_through_all_lanes():
    builds = ci("success", "failed", "success", "failed")
    async with board(Told("am", "incident", alerts(1)), Told("ci", "build", builds)) as (app, pilot):
        seen = []
        for _ in range(3):
            await pilot.press("n")
            seen.append(cursor(app))
        assert seen == ["am:incident:0", "ci:build:1", "ci:build:3"]
        await pilot.press("n", "P")
        assert cursor(app) == "ci:build:3"


async def test_nothing_to_go_to():
    async with board(Told("ci", "build", ci("success"))) as (app, pilot):
        await pilot.press("n")
        await pilot.pause()
        assert "no fault here" in text_of(app)


async def test_a_row_that_is_gone_can_still_be_drawn():
    am = Told("am", "incident", alerts(3))
    async with board(am) as (app, pilot):
        assert app.live is not None
        before = app.live.cells("am:incident:1")
        board_ = app.live.cells.board
        gone = Change(
            seq=board_.seq + 1,
            observed_at=NOW,
            key="am:incident:1",
            kind="incident",
            source="am",
            type="gone",
            origin="poll",
            body=None,
            body_hash=b"",
        )
        board_.fold([gone])
        assert app.live.cells("am:incident:1") == before
        await pilot.resize_terminal(100, 30)
        await pilot.pause()
        assert "alert 1" in text_of(app)


# -- views


async def test_views_by_number_and_by_step():
    views = (ViewSpec("Core", "team:core", ("build", "incident")),)
    items: list[Item] = [alert(1, team="core"), alert(2, team="shop")]
    async with board(Told("am", "incident", items), views=views) as (app, pilot):
        await show(app, pilot, "Core")
        shown = text_of(app)
        assert "alert 1" in shown and "alert 2" not in shown and "Releases " not in shown.replace("5 Releases", "")
        assert shown.index("Builds ") < shown.index("Incidents  1"), "in the order of the view"
        assert "1 fault outside this view" in shown
        await pilot.press("l")
        await settled(app, pilot)
        assert "alert 2" in text_of(app), "after the last comes the first"
        await pilot.press("h", "1")
        await settled(app, pilot)
        assert "outside" not in text_of(app)
        await pilot.press("4")
        await settled(app, pilot)
        assert screen_of(app).view.name == "Builds"


async def test_faults_only():
    async with board(Told("ci", "build", ci("success", "failed"))) as (app, pilot):
        await pilot.press("z")
        await settled(app, pilot)
        assert "run 1" in text_of(app) and "run 0" not in text_of(app)
        assert "faults only" in text_of(app)
        await pilot.press("z")
        await settled(app, pilot)
        assert "run 0" in text_of(app)


# -- the filter


async def test_a_filter_works_letter_by_letter_and_says_what_it_hides():
    items: list[Item] = [alert(1, team="core", title="disk"), alert(2, team="shop", title="latency")]
    async with board(Told("am", "incident", items)) as (app, pilot):
        await pilot.press("slash", *"team:core")
        await settled(app, pilot)
        assert "disk" in text_of(app) and "latency" not in text_of(app)
        assert "1 fault hidden by the filter" in text_of(app)
        assert "1 failing hidden" in line_with(app, "Incidents")
        await pilot.press("enter")
        await pilot.pause()
        assert "team:core" in text_of(app), "what is in force stays on the screen"
        assert isinstance(app.focused, BoardTable)
        await pilot.press("escape")
        await settled(app, pilot)
        assert "latency" in text_of(app) and "team:core" not in text_of(app)


async def test_a_filter_that_is_wrong_is_shown_where_it_is_and_changes_nothing():
    items: list[Item] = [alert(1, team="core", title="disk"), alert(2, team="shop", title="latency")]
    async with board(Told("am", "incident", items)) as (app, pilot):
        await pilot.press("slash", *"disk stat:x")
        await settled(app, pilot)
        lines = text_of(app).splitlines()
        row = next(n for n, line in enumerate(lines) if "disk stat:x" in line)
        column = lines[row].index("stat:x")
        assert lines[row + 1][column : column + 4] == "^^^^"
        assert "did you mean `state`?" in lines[row + 1]
        assert "latency" not in text_of(app), "the last good one, `disk`, stays"
        await pilot.press("enter")
        assert isinstance(app.focused, Input), "what is wrong cannot be kept"
        await pilot.press("escape")
        await settled(app, pilot)
        assert "latency" in text_of(app)


async def test_a_key_that_is_not_finished_hides_nothing():
    async with board(Told("am", "incident", alerts(2))) as (app, pilot):
        await pilot.press("slash", *"state:op")
        await settled(app, pilot)
        assert "alert 1" in text_of(app)
        assert "Tab: state:open" in text_of(app)
        await pilot.press("tab")
        await settled(app, pilot)
        assert app.screen.query_one(FilterBar).value == "state:open "
        assert "alert 1" in text_of(app)


async def test_known_teams_are_suggested():
    async with board(Told("am", "incident", [alert(1, team="core")])) as (app, pilot):
        await pilot.press("slash", *"team:c")
        await pilot.pause()
        assert "Tab: team:core" in text_of(app)


async def test_a_filter_is_narrowed_by_next_match():
    items: list[Item] = [*alerts(2, team="core"), alert(9, team="shop")]
    builds: list[Item] = [build(1, team="core"), build(2, team="shop", pipeline="q")]
    async with board(Told("am", "incident", items), Told("ci", "build", builds)) as (app, pilot):
        await pilot.press("slash", *"team:core", "enter")
        await settled(app, pilot)
        seen = []
        for _ in range(3):
            await pilot.press("n")
            seen.append(cursor(app))
        assert seen == ["am:incident:0", "am:incident:1", "ci:build:1"]


async def test_pasted_controls_do_not_get_into_the_line():
    async with board(Told("am", "incident", alerts(1))) as (app, pilot):
        await pilot.press("slash")
        line = app.screen.query_one("FilterLine", Input)
        line.insert("a\x1b]52;c;x\x07b", 0)
        await pilot.pause()
        assert line.value == "a]52;c;xb"


# -- details


async def test_details_follow_the_cursor():
    items: list[Item] = [alert(1, description="the disk is full"), alert(2, description="it is slow")]
    async with board(Told("am", "incident", items)) as (app, pilot):
        pane = app.screen.query_one(DetailsPane)
        assert not pane.display
        await pilot.press("enter")
        await pilot.pause()
        first, second = ("the disk is full", "it is slow")[:: 1 if cursor(app) == "am:incident:1" else -1]
        assert first in text_of(app)
        await pilot.press("j")
        await pilot.pause()
        assert second in text_of(app) and first not in text_of(app)
        await pilot.press("enter")
        assert app.focused is pane, "a second time goes into it, to scroll"
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.focused, BoardTable)
        assert "Record" not in text_of(app)


async def test_details_tell_what_has_just_changed():
    am = Told("am", "incident", [alert(1, description="as it was")])
    async with board(am) as (app, pilot):
        await pilot.press("p")
        await pilot.pause()
        assert "as it was" in text_of(app)
        am.items = [alert(1, description="as it is")]
        await poll(app, pilot)
        assert "as it is" in text_of(app) and "as it was" not in text_of(app)


# -- what can be done with a row


async def test_copying():
    async with board(Told("am", "incident", alerts(1))) as (app, pilot):
        await pilot.press("y")
        assert app.clipboard == "https://am.example/1"
        await pilot.press("Y")
        assert app.clipboard == "am:incident:0"
        await pilot.pause()
        assert "copied am:incident:0" in text_of(app)


async def test_a_link_is_opened_or_copied_and_it_says_which(monkeypatch):
    monkeypatch.setenv("SSH_CONNECTION", "1")
    async with board(Told("am", "incident", alerts(1))) as (app, pilot):
        await pilot.press("o")
        await pilot.pause()
        assert app.clipboard == "https://am.example/1"
        assert "copied: over SSH" in text_of(app)


async def test_a_row_without_a_link():
    async with board(Told("ci", "build", ci("success"))) as (app, pilot):
        await pilot.press("o")
        await pilot.pause()
        assert "this row has no link" in text_of(app)
        assert app.clipboard == ""


async def test_reading_now():
    am, tickets = (
        Told("am", "incident", alerts(1)),
        Told("bugs", "ticket", [Ticket(key="bugs:ticket:1", source="bugs", state="open")]),
    )
    async with board(am, tickets) as (app, pilot):
        am.items = alerts(2)
        await pilot.press("r")
        await until(pilot, lambda: "alert 1" in text_of(app))
        assert "reading am" in text_of(app), "the sources of this lane only"
        await pilot.press("R")
        await pilot.pause()
        assert "reading all sources" in text_of(app)


async def test_keys_can_be_bound_anew():
    async with board(Told("am", "incident", alerts(1)), keys={"details": "d", "quit": "full_stop"}) as (app, pilot):
        await pilot.press("p")
        assert not app.screen.query_one(DetailsPane).display
        await pilot.press("d")
        pane = app.screen.query_one(DetailsPane)
        assert bool(pane.display) is True
        await pilot.press("q")
        await pilot.pause()
        assert app.is_running
        await pilot.press("full_stop")
        await pilot.pause()
        assert app.return_code == 0


@pytest.mark.parametrize("key", ["q", "ctrl+c", "ctrl+q"])
async def test_quitting(key):
    async with board(Told("am", "incident", alerts(1))) as (app, pilot):
        await pilot.press(key)
        await pilot.pause()
        assert app.return_code == 0
        assert app.farewell == ""


async def test_all_kinds_have_a_lane():
    release = Release(
        key="cd:release:1", source="cd", state="running", title="v2", version="2.0", environment="production"
    )
    ticket = Ticket(key="bugs:ticket:7", source="bugs", state="open", title="Refunds", ticket_id="#7")
    async with board(Told("cd", "release", [release]), Told("bugs", "ticket", [ticket])) as (app, _):
        assert "► running" in text_of(app) and "production" in text_of(app)
        assert "#7" in line_with(app, "Refunds")
