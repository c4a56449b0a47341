"""The notices of a running board, from what is folded to what is written."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from statusboard.board import Board
from statusboard.clock import FakeClock
from statusboard.model import Fact, Status
from statusboard.noticing.herald import Herald
from statusboard.noticing.options import NoticesOptions
from statusboard.store.base import Store
from statusboard.store.memory import MemoryStore
from tests.boards import NOW, ago, board_of, build, fold, health, incident

EVERYTHING = ["opened", "worsened", "resolved", "failed", "recovered", "released", "blind", "readable"]


class Followed:
    """An engine that does nothing by itself."""

    def __init__(self, *facts: Fact) -> None:
        self.board: Board = board_of(*facts, health("am"), health("ci"))
        self.clock = FakeClock(NOW)
        self.store: Store = MemoryStore(clock=self.clock)
        self.statuses: dict[str, Status] = {}


class Screen:
    """What was said, and what was written."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []
        self.written = ""
        self.shows_wall = False

    def say(self, text: str, *, severity: str = "information") -> None:
        self.said.append((severity, text))

    show_notice = say

    def write_to_terminal(self, data: str) -> None:
        self.written += data

    def __call__(self) -> tuple[list[str], str]:
        """Both, and nothing from now on."""
        said, written = [text for _, text in self.said], self.written
        self.said, self.written = [], ""
        return said, written


class Running:
    """A herald that has begun."""

    def __init__(self, options: dict[str, Any] | None = None, *facts: Fact, **more: Any) -> None:
        self.engine = Followed(*facts)
        self.screen = Screen()
        env = {"TERM": "xterm-kitty", "PATH": os.environ["PATH"], **more.pop("env", {})}
        made = msgspec.convert(options or {}, NoticesOptions)
        self.herald = Herald(made, self.engine, self.screen, zone=UTC, env=env, **more)

    async def __aenter__(self) -> Running:
        await self.engine.store.open()
        await self.herald.begin()
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.herald.close()
        await self.engine.store.close()

    def after(self, *facts: Fact | str) -> tuple[list[str], str]:
        self.herald.hear(fold(self.engine.board, *facts))
        return self.screen()

    def later(self, seconds: float) -> tuple[list[str], str]:
        self.engine.clock.advance(seconds)
        self.herald.tick()
        return self.screen()

    async def finished(self) -> tuple[list[str], str]:
        while self.herald._tasks:
            await asyncio.wait(set(self.herald._tasks))
        return self.screen()


def rule(*by: str, when: str = "", on: list[str] = EVERYTHING, **more: Any) -> dict[str, Any]:
    return {"rules": [{"when": when, "on": on, "by": list(by), **more}]}


async def test_by_default_new_incidents_are_told_on_the_screen_and_nothing_else():
    async with Running() as running:
        assert running.after(build(1, "failed"), incident(1, severity="low"), health("am", "down")) == (
            ["low incident opened: Down"],
            "",
        )
        assert running.after(incident(1, severity="high")) == (["incident worsened to high: Down"], "")
        assert running.after(incident(1, "resolved", severity="high")) == ([], "")


async def test_what_is_wrong_is_said_in_another_tone_than_what_is_well():
    async with Running(rule("visual")) as running:
        running.herald.hear(fold(running.engine.board, incident(1)))
        running.herald.hear(fold(running.engine.board, incident(1, "resolved")))
        assert [severity for severity, _ in running.screen.said] == ["warning", "information"]


async def test_nothing_is_told_where_the_config_says_so():
    async with Running({"rules": []}, incident(1)) as running:
        assert running.after(incident(2), incident(1, "resolved")) == ([], "")


async def test_the_bell_rings_once_for_what_comes_at_once():
    async with Running(rule("bell"), build(1, "failed")) as running:
        assert running.after(incident(1), incident(2), build(2, started_at=ago(1))) == ([], "\a")
        assert running.after(incident(1, "resolved")) == ([], "\a")
        assert running.after(incident(2, reason="x")) == ([], "")


async def test_a_rule_asks_for_some_of_it():
    async with Running(rule("bell", when="kind:incident severity:>=high", on=["opened"])) as running:
        assert running.after(incident(1, severity="low"), build(1, "failed"))[1] == ""
        assert running.after(incident(2, severity="critical"))[1] == "\a"
        assert running.after(incident(2, "resolved", severity="critical"))[1] == ""


async def test_two_rules_that_name_the_same_way_tell_it_once():
    rules = [{"when": when, "on": EVERYTHING, "by": ["visual"]} for when in ("kind:incident", "severity:high")]
    async with Running({"rules": rules}) as running:
        assert len(running.after(incident(1, severity="high"))[0]) == 1


async def test_rules_can_ask_for_sources():
    async with Running(rule("visual", when="source:am", on=["blind", "readable"])) as running:
        assert running.after(health("am", "down", error="timeout"), health("ci", "down"))[0] == [
            "source cannot be read: am: timeout"
        ]
        assert running.after(health("am"))[0] == ["source is read again: am"]


async def test_a_terminal_notification_is_one_sequence_with_a_number_of_its_own():
    async with Running(rule("terminal", on=["opened"])) as running:
        first = running.after(incident(1, title="a;\x1b]52;c;x\x07b"))[1]
        assert first == (
            "\x1b]99;i=statusboard-1:u=2:d=0;incident opened\x1b\\\x1b]99;i=statusboard-1:u=2:p=body;a;]52;c;xb\x1b\\"
        )
        assert "i=statusboard-2" in running.after(incident(2))[1]


async def test_a_terminal_that_shows_none_is_said_once():
    async with Running(rule("terminal"), env={"TERM": "xterm"}) as running:
        said, written = running.after(incident(1))
        assert len(said) == 1 and "this terminal is not known to show any" in said[0] and written == ""
        assert running.after(incident(2)) == ([], "")


async def test_a_wall_shows_what_is_new_by_itself():
    rules = rule("visual", "bell", "terminal", "command", command=["/nonexistent"])
    async with Running(rules) as running:
        running.screen.shows_wall = True
        assert running.after(incident(1)) == ([], "")
        assert await running.finished() == ([], "")
        running.screen.shows_wall = False
        assert running.after(incident(2))[0] == ["incident opened: Down"], "and the board under it goes on"
    async with Running({**rule("visual", "bell"), "walls": True}) as running:
        running.screen.shows_wall = True
        assert running.after(incident(1)) == ([], "\a")


# -- commands


async def test_a_command_is_given_the_notice_and_none_of_our_secrets(tmp_path: Path):
    command = ["sh", "-c", f'printf "%s|" "$0" "$1" "$TOKEN" "$MINE" >> {tmp_path}/out', "{title}", "{what} {severity}"]
    rules = rule("command", on=["opened"], command=command)
    async with Running(rules, secrets=["TOKEN"], env={"TOKEN": "secret", "MINE": "mine"}) as running:
        running.after(incident(1, title="$(id) `id`; x", severity="high"))
        assert await running.finished() == ([], "")
    assert (tmp_path / "out").read_text() == "$(id) `id`; x|opened high||mine|"


async def test_a_command_that_fails_is_said_once_until_it_works_again(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    flag = tmp_path / "flag"
    async with Running(rule("command", on=["opened"], command=["sh", "-c", f"test -e {flag}"])) as running:
        for number in (1, 2):
            running.after(incident(number))
            said, _ = await running.finished()
            assert said == (["a notice could not be given: sh ended with exit code 1"] if number == 1 else [])
        flag.touch()
        running.after(incident(3))
        assert await running.finished() == ([], "")
        flag.unlink()
        running.after(incident(4))
        assert (await running.finished())[0] == ["a notice could not be given: sh ended with exit code 1"]
    assert caplog.text.count("notices by command fail") == 2


async def test_many_commands_wait_for_each_other(tmp_path: Path):
    count = f"mkdir {tmp_path}/$$; ls {tmp_path} | wc -l >> {tmp_path}.counts; sleep 0.05; rmdir {tmp_path}/$$"
    rules = {"at_most": 20, **rule("command", on=["opened"], command=["sh", "-c", count])}
    async with Running(rules) as running:
        running.after(*(incident(n) for n in range(9)))
        await running.finished()
    counts = [int(line) for line in Path(f"{tmp_path}.counts").read_text().split()]
    assert len(counts) == 9 and max(counts) <= 4


# -- time


async def test_what_is_too_much_comes_in_one_line_with_the_minute():
    async with Running({"at_most": 1, **rule("visual")}) as running:
        assert len(running.after(*(incident(n) for n in range(5)))[0]) == 1
        assert running.later(59)[0] == [] and running.later(1)[0] == ["4 more: 4 incidents opened"]


async def test_a_flood_is_told_as_one_and_so_is_its_end():
    async with Running(rule("visual")) as running:
        assert len(running.after(*(incident(n) for n in range(8)))[0]) == 3
        assert running.later(60)[0] == ["5 more: 5 incidents opened"]
        assert running.after(*(incident(n) for n in range(8, 12)))[0] == [
            "flood of incidents: 12 new in 10 minutes; from now on only how many"
        ]
        assert running.after(*(incident(n) for n in range(12, 20)))[0] == []
        assert running.later(60)[0] == ["11 more: 11 incidents opened"]
        assert running.later(8 * 60)[0] == ["the flood of incidents is over"]
        assert running.herald.chatter.flood is None


async def test_a_flapping_alert_is_held_back():
    async with Running(rule("visual")) as running:
        for state in ("open", "resolved"):
            assert len(running.after(incident(1, state))[0]) == 1
        assert running.after(incident(1)) == (["flips 3x in 30 minutes: Down, now open; held back until it rests"], "")
        assert running.herald.chatter.flips(("incident", "am:incident:1")) == 3
        for state in ("resolved", "open", "resolved"):
            assert running.after(incident(1, state)) == ([], "")
        assert running.later(31 * 60) == (["incident resolved: Down"], "")


async def test_quiet_hours_end_with_one_line_or_with_a_key():
    quiet = {"quiet": {"from": "11:00", "to": "13:00", "except": "severity:critical"}, **rule("visual", "bell")}
    async with Running(quiet) as running:
        assert running.after(incident(1), incident(2)) == ([], "")
        assert running.after(incident(3, severity="critical")) == (["critical incident opened: Down"], "\a")
        running.herald.key_pressed()
        assert running.screen() == (["during quiet hours: 2 incidents opened"], "")
        running.herald.key_pressed()
        assert running.screen() == ([], "")
        running.after(incident(1, "resolved"))
        assert running.later(3600) == (["during quiet hours: 1 incident resolved"], "\a")


async def test_a_source_that_answers_for_the_first_time_is_read_from_then_on():
    async with Running(rule("visual")) as running:
        assert running.after(incident(1, source="x"), health("x"))[0] == []
        running.engine.clock.advance(5)
        running.engine.statuses["x"] = Status(source="x", last_success=running.engine.clock.now())
        assert running.later(1)[0] == [] and running.after(incident(2, source="x"))[0] == []
        assert running.later(1)[0] == [] and running.after(incident(3, source="x"))[0] == ["incident opened: Down"]


async def test_a_source_that_is_read_with_other_options_answers_for_the_first_time():
    async with Running(rule("visual")) as running:
        running.engine.clock.advance(60)
        running.engine.statuses["am"] = Status(source="am", last_success=running.engine.clock.now())
        running.later(1), running.later(1)
        running.engine.statuses["am"] = Status(source="am")
        assert running.after(incident(1))[0] == []
        running.engine.statuses["am"] = Status(source="am", last_success=running.engine.clock.now())
        assert running.after(incident(2))[0] == [] and running.later(1)[0] == []
        assert running.later(1)[0] == [] and running.after(incident(3))[0] == ["incident opened: Down"]


async def test_a_clock_that_is_set_back_harms_nothing():
    async with Running(rule("visual")) as running:
        running.after(*(incident(n) for n in range(20)))
        running.engine.clock._start -= timedelta(days=1)
        assert running.later(60)[0][-1].startswith("1")  # what was too much for the first minute
        assert running.herald.chatter.flood is None
        assert running.after(incident(30))[0] == ["incident opened: Down"]


async def test_another_config_takes_over():
    async with Running(rule("bell")) as running:
        running.herald.use(msgspec.convert(rule("visual"), NoticesOptions), zone=UTC)
        assert running.after(incident(1)) == (["incident opened: Down"], "")


async def test_another_config_loses_nothing_that_was_counted():
    quiet = {"quiet": {"from": "11:00", "to": "13:00"}, **rule("visual")}
    async with Running(quiet) as running:
        running.after(incident(1))
        running.herald.use(msgspec.convert(rule("visual"), NoticesOptions), zone=UTC)
        assert running.later(1)[0] == ["during quiet hours: 1 incident opened"]


async def test_a_way_that_another_config_names_no_more_is_told_nothing_more():
    quiet = {"quiet": {"from": "11:00", "to": "13:00"}, **rule("bell")}
    async with Running(quiet) as running:
        running.after(incident(1))
        running.herald.use(msgspec.convert(rule("visual"), NoticesOptions), zone=UTC)
        assert running.later(1) == ([], "")


async def test_a_fault_of_ours_ends_the_notices_and_nothing_else(caplog: pytest.LogCaptureFixture):
    class Torn(Screen):
        def show_notice(self, text: str, *, severity: str = "information") -> None:
            raise RuntimeError("torn")

    running = Running(rule("visual"))
    running.herald._outlets = screen = Torn()
    async with running:
        running.after(incident(1))
        assert screen()[0] == ["no more notices: an error of statusboard's own, see its log"]
        running.after(incident(2)), running.later(60)
        assert screen()[0] == [] and caplog.text.count("notices end") == 1


async def test_nothing_is_told_before_it_begins_or_after_it_ends():
    running = Running(rule("visual"))
    assert running.after(incident(1)) == ([], "") and running.later(100) == ([], "")
    async with running:
        pass
    assert running.after(incident(2)) == ([], "") and running.later(100) == ([], "")
