"""Notices of a running board: from a poll to what is on the screen and what is written to the terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from statusboard.app import BoardApp
from statusboard.model import Incident, Item
from statusboard.noticing.options import NoticesOptions
from tests.app.stage import Told, board, poll, text_of, until
from tests.boards import build, incident


class Written(BoardApp):
    """Remembers what it would write to its terminal."""

    written = ""

    def write_to_terminal(self, data: str) -> None:
        self.written += data


def rules(*by: str, **more: Any) -> NoticesOptions:
    told = ["opened", "worsened", "resolved", "failed", "recovered"]
    return msgspec.convert({"rules": [{"on": told, "by": by}], **more}, NoticesOptions)


def alert(number: int, state: str = "open", **more: Any) -> Incident:
    return incident(number, state, title=f"no. {number} is down", **more)


async def known(app: BoardApp, pilot: Pilot[None]) -> None:
    """Until the sources' first answers are behind us: what they say from now on is news."""
    assert app.live is not None
    names = set(app.live.engine.setups)
    herald = app._herald
    assert herald is not None

    def all_known() -> bool:
        herald.tick()
        return names <= herald._watch.read

    await until(pilot, all_known)


async def told(app: BoardApp, pilot: Pilot[None], source: Told, *items: Item) -> list[str]:
    """What is told when the source says this."""
    before = len(app._notifications)
    source.items = list(items)
    await poll(app, pilot)
    return [notice.message for notice in app._notifications][before:]


async def test_a_new_incident_is_told_and_what_was_there_is_not():
    am = Told("am", "incident", [alert(1)])
    async with board(am) as (app, pilot):
        assert not app._notifications
        await known(app, pilot)
        assert await told(app, pilot, am, alert(1, reason="as before")) == []
        assert await told(app, pilot, am, alert(1), alert(2, severity="critical")) == [
            "critical incident opened: no. 2 is down"
        ]
        await until(pilot, lambda: "critical incident opened: no. 2 is down" in text_of(app))
        assert await told(app, pilot, am) == [], "that they are over is not asked for"


async def test_what_began_while_the_first_answer_was_on_its_way_is_news():
    am = Told("am", "incident", [alert(1)])
    async with board(am) as (app, pilot):
        later = datetime.now(UTC) + timedelta(seconds=1)
        assert await told(app, pilot, am, alert(1), alert(2)) == []
        assert await told(app, pilot, am, alert(1), alert(2), alert(3, started_at=later)) == [
            "incident opened: no. 3 is down"
        ]


async def test_markup_and_controls_in_a_title_are_only_text():
    am = Told("am", "incident", [])
    async with board(am, app_type=Written, notices=rules("visual", "bell")) as (app, pilot):
        assert isinstance(app, Written)
        await known(app, pilot)
        await told(app, pilot, am, incident(1, title="[/b] [@click=app.quit]x[/]\x1b]52;c;x\x07\nnext"))
        await until(pilot, lambda: "[/b] [@click=app.quit]x[/]]52;c;x next" in text_of(app))
        assert app.written == "\a"


@pytest.mark.parametrize("width", [60, 80, 120, 200])
async def test_a_notice_takes_two_lines_at_the_most_whatever_the_width(width: int):
    am = Told("am", "incident", [])
    async with board(am, size=(width, 24)) as (app, pilot):
        await known(app, pilot)
        await told(app, pilot, am, *(alert(number, reason="many words " * 20) for number in (1, 2, 3)))
        await until(pilot, lambda: len(app.screen.query("Toast")) == 3)
        await pilot.pause()
        assert [toast.size.height for toast in app.screen.query("Toast")] == [2, 2, 2]


async def test_the_bell_rings_for_what_the_rules_ask():
    ci = Told("ci", "build", [build(1)])
    async with board(ci, app_type=Written, notices=rules("bell")) as (app, pilot):
        assert isinstance(app, Written)
        await known(app, pilot)
        assert await told(app, pilot, ci, build(1), build(2, "failed")) == []
        assert app.written == "\a"
        await told(app, pilot, ci, build(1), build(2, "failed"), build(3, "failed"))
        assert app.written == "\a"


async def test_another_config_is_gone_by_at_once():
    am = Told("am", "incident", [])
    async with board(am, app_type=Written) as (app, pilot):
        assert isinstance(app, Written) and app.live is not None
        await known(app, pilot)
        app.use_settings(msgspec.structs.replace(app.live.settings, notices=rules("bell")))
        assert await told(app, pilot, am, alert(1)) == []
        assert app.written == "\a"


async def test_a_headless_app_writes_nothing():
    am = Told("am", "incident", [])
    async with board(am, notices=rules("bell", "terminal", terminal="osc9")) as (app, pilot):
        await known(app, pilot)
        assert await told(app, pilot, am, alert(1)) == []


async def test_while_a_wall_is_on_top_it_shows_by_itself_what_is_new():
    am = Told("am", "incident", [])
    async with board(am, app_type=Written, notices=rules("visual", "bell")) as (app, pilot):
        assert isinstance(app, Written)
        await known(app, pilot)
        app.action_wall()
        await until(pilot, lambda: app.shows_wall and len(app._notifications) == 1)  # how one leaves it
        app.clear_notifications()
        assert await told(app, pilot, am, alert(1)) == []
        assert app.written == ""
        app.pop_screen()
        await until(pilot, lambda: not app.shows_wall)
        assert await told(app, pilot, am, alert(1), alert(2)) == ["incident opened: no. 2 is down"]


async def test_a_key_tells_what_quiet_hours_held_back():
    now = datetime.now(UTC)
    hours = {"from": f"{now - timedelta(hours=1):%H:%M}", "to": f"{now + timedelta(hours=1):%H:%M}"}
    am = Told("am", "incident", [])
    async with board(am, notices=rules("visual", quiet=hours)) as (app, pilot):
        await known(app, pilot)
        assert await told(app, pilot, am, alert(1), alert(2)) == []
        await pilot.press("j")
        await until(pilot, lambda: "during quiet hours: 2 incidents opened" in text_of(app))
        await pilot.press("j")
        await pilot.pause()
        assert len(app._notifications) == 1


async def test_what_floods_and_what_flips_is_known_to_the_screen():
    am = Told("am", "incident", [alert(1)])
    async with board(am, notices=rules("visual")) as (app, pilot):
        await known(app, pilot)
        assert app.live is not None
        for items in ([], [alert(1)], []):
            await told(app, pilot, am, *items)
        assert app.live.chatter.flips(("incident", "am:incident:1")) == 3
        assert app.live.chatter.flood is None
        notices = await told(app, pilot, am, *(alert(number) for number in range(2, 14)))
        assert notices == ["flood of incidents: 13 new in 10 minutes; from now on only how many"]
        flood = app.live.chatter.flood
        assert flood is not None and flood.count == 13


async def test_what_a_narrow_terminal_would_cut_goes_on_in_a_second_line():
    async with board(Told("am", "incident", [alert(1)]), size=(80, 24)) as (app, pilot):
        app.show_notice("flood of incidents: 13 new in 10 minutes; from now on only how many")
        await until(pilot, lambda: "from now on only" in text_of(app))
        assert "▌ how many" in text_of(app)


async def test_a_command_that_is_not_there_is_told_on_the_board_once():
    am = Told("am", "incident", [])
    notices = msgspec.convert(
        {"rules": [{"on": ["opened"], "by": ["command"], "command": ["/nonexistent/tell", "{title}"]}]}, NoticesOptions
    )
    async with board(am, notices=notices) as (app, pilot):
        await known(app, pilot)
        await told(app, pilot, am, alert(1))
        said = "a notice could not be given: tell cannot be run: no such file or directory"
        await until(pilot, lambda: said in text_of(app))
        assert await told(app, pilot, am, alert(1), alert(2)) == []
