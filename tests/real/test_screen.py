"""The board in a terminal, fed by real servers: a build breaks, a server dies, a title is hostile."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from statusboard.palettes import DARK
from tests.real.board import Bench, bench
from tests.real.process import wait_until
from tests.real.screens import (
    PYTHON,
    Items,
    build,
    ended,
    open_board,
    restored,
    rgb,
    serving,
    style_of,
)
from tests.real.servers import Alertmanager, Buildbot
from tests.real.tmux import Tmux

TOKEN = "hunter2-of-the-crash"
FAULTS = re.compile(r"Traceback| ERROR ")


@pytest.fixture
def items() -> Iterator[Items]:
    with serving() as server:
        yield server


def all_of(*patterns: str) -> Callable[[str], bool]:
    """A screen that shows all of these, wherever."""

    def shown(screen: str) -> bool:
        return all(re.search(pattern, screen) for pattern in patterns)

    shown.__name__ = " and ".join(patterns)
    return shown


def lines(screen: str, pattern: str) -> list[str]:
    """The lines of a screen that match."""
    return [line for line in screen.splitlines() if re.search(pattern, line)]


# -- real servers


@pytest.fixture
def board(buildbot: Buildbot, quiet_alertmanager: Alertmanager, tmp_path: Path) -> Iterator[Bench]:
    """A board of a Buildbot and an Alertmanager, read each second."""
    buildbot.wait_idle()
    config = f"""
board: {{id: screen, title: Screen}}
sources:
  - {{type: buildbot, name: bb, url: "{buildbot.url}", interval: 1s, builders: [turns, passes, slow]}}
  - {{type: alertmanager, name: am, url: "{quiet_alertmanager.url}", interval: 1s, hold: 0s}}
"""
    with bench(tmp_path / "board", config) as made:
        yield made


def test_a_build_breaks_and_is_mended(board: Bench, buildbot: Buildbot, terminal: Tmux) -> None:
    buildbot.break_turns(False)
    buildbot.finished(buildbot.force("passes"))
    buildbot.finished(buildbot.force("turns"))
    open_board(terminal, board)
    calm = terminal.wait_for(all_of("ALL OK", "2 of 2 fresh"))
    assert not lines(calm, "✗|failed|FAILING")

    buildbot.break_turns(True)
    buildbot.finished(buildbot.force("turns"))
    screen = terminal.wait_for("✗ failed")
    (failed,) = lines(screen, r"✗ failed")
    assert re.search(r"✗ failed .*\bturns\b", failed), "glyph and word, on the row of that builder"
    terminal.wait_for(re.compile(r"^ *✗ FAILING 1 ", re.MULTILINE))
    alarm = style_of(terminal, failed.strip()[:40], "✗ failed")
    (passed,) = lines(terminal.capture(), r"✓ success .*\bpasses\b")
    calm_style = style_of(terminal, passed.strip()[:40], "✓ success")
    assert alarm.foreground == rgb(DARK.colors["failed"]) and "bold" in alarm.attributes
    assert calm_style.foreground == rgb(DARK.colors["success"]) and "bold" not in calm_style.attributes
    assert style_of(terminal, "FAILING 1", "FAILING").foreground == rgb(DARK.colors["failed"])

    buildbot.break_turns(False)
    buildbot.finished(buildbot.force("turns"))
    mended = terminal.wait_for("ALL OK")
    assert not lines(mended, "FAILING"), mended
    terminal.send("q")
    assert ended(terminal)[0] == 0
    assert not FAULTS.search(board.log)


def test_a_server_dies_under_a_running_board(
    board: Bench, buildbot: Buildbot, quiet_alertmanager: Alertmanager, terminal: Tmux
) -> None:
    am = quiet_alertmanager
    for name in ("DiskFull", "Errors"):
        am.fire({"alertname": name, "severity": "critical"})
    open_board(terminal, board)
    live = terminal.wait_for(all_of("2 of 2 fresh", "DiskFull", "Errors"))
    assert len(lines(live, "◉ open .*critical .*(DiskFull|Errors)")) == 2
    terminal.wait_for(lambda screen: screen.count("DiskFull") == screen.count("Errors") == 1)  # no notice of them
    terminal.send("G")  # the row under the cursor has the cursor's colours: look at the other one
    (first, _) = (line.split()[-1] for line in lines(live, "◉ open .*(DiskFull|Errors)"))
    wait_until("an alarm's colour", lambda: "reverse" in style_of(terminal, first, "critical").attributes)

    am.kill()
    terminal.wait_for(re.compile(r"1 aging and failing: am"))
    screen = terminal.wait_for(all_of("BLIND: 1 of 2 sources unread", "1 stale: am"))
    assert lines(screen, "FAILING 2"), "what was red is not forgotten"
    assert lines(screen, r"Incidents .*am is stale")
    assert lines(screen, rf"\? was open .*{first}"), "nor shown as if it were known"
    without = style_of(terminal, first, "critical")
    assert without.attributes == {"italic"} and without.foreground == style_of(terminal, first, first).foreground

    buildbot.close_gate()
    try:
        request = buildbot.force("slow", reason="while the other is dead")
        terminal.wait_for(re.compile(r"► running .*\bslow\b"))
    finally:
        buildbot.open_gate()
    buildbot.finished(request)
    screen = terminal.wait_for(re.compile(r"✓ success .*\bslow\b"))
    assert lines(screen, "1 stale: am"), "still dead, and the other lane lives"
    assert not lines(screen, "bb is ")

    am.start()
    am.fire({"alertname": first, "severity": "critical"})
    healed = terminal.wait_for("2 of 2 fresh", timeout=60)
    assert not lines(healed, "stale|BLIND")
    terminal.wait_for(re.compile(f"◉ open .*critical .*{first}"))


# -- foreign text is never code

HOSTILE = "[/x] [@click=app.quit]boom \x1b]52;c;aGk=\x07 \u202e\u009b31m\u200b\r\n[red]end"
SHOWN = "[/x] [@click=app.quit]boom"
LINKS = {
    "script": "javascript:alert(1)",
    "file": "file:///etc/passwd",
    "escape": "https://ci.example/\x1b]8;;https://evil.example\x07",
    "c1": "https://ci.example/\u009d8;;https://evil.example\u009c",
    "good": "https://ci.example/good",
}


def test_a_hostile_title_is_plain_text(items: Items, terminal: Tmux, tmp_path: Path) -> None:
    items.items = [
        build("h", "failed", title=HOSTILE, url="javascript:alert(1)", links=LINKS),
        build("fine"),
    ]
    record = tmp_path / "bytes"
    with bench(tmp_path / "board", f'board: {{title: "{SHOWN}"}}\nsources: [{items.source()}]\n') as board:
        open_board(terminal, board, record=record)
        screen = terminal.wait_for("build fine")
        assert len(lines(screen, rf"✗ failed .*{re.escape(SHOWN)}")) == 1

        _click(terminal, SHOWN)
        terminal.send("Tab", "Enter")
        details = terminal.wait_for("https://ci.example/good")
        assert f"{SHOWN} ]52;c;aGk= 31m [red]end" in details, "as it was written, without its controls"
        assert not lines(details, r"javascript|/etc/passwd|evil\.example")
        terminal.send("o")
        terminal.wait_for("no link")
        terminal.send("Y")
        terminal.wait_for(re.compile(r"copied ci:build:h"))

        items.items = [*items.items, build("later")]
        terminal.wait_for("build later")
        terminal.send("q")
        assert ended(terminal)[0] == 0
        assert not FAULTS.search(board.log)
    wait_until("the end is recorded", lambda: b"icanon" in record.read_bytes())
    told = record.read_bytes().decode("utf-8")  # strictly: raw C1 bytes are no UTF-8
    assert not re.search("[\u0080-\u009f\u202a-\u202e\u2066-\u2069\u200b]", told), "no C1, no bidirectional control"
    assert "]52;c;aGk=" in told.replace("\x1b]52;c;aGk=", ""), "its letters are there, without the escape"
    commands = re.findall("\x1b\\](.*?)(?:\x07|\x1b\\\\)", told, re.DOTALL)
    assert {command.split(";")[0] for command in commands} <= {"2", "8", "22", "52"}
    copied = [command for command in commands if command.startswith("52;")]
    assert copied == ["52;c;Y2k6YnVpbGQ6aA=="], "only the key that a person copied"
    assert told.count("\x07") <= len(commands), "no bell but what ends a command of ours"
    targets = {command.split(";", 2)[2] for command in commands if command.startswith("8;")} - {""}
    assert targets <= {"https://ci.example/good", "https://ci.example/fine", "https://ci.example/later"}


def _click(terminal: Tmux, words: str) -> None:
    """Press and release the left button on the first of the words below the header."""
    rows = terminal.capture().splitlines()
    y = next(n for n, line in enumerate(rows, start=1) if n > 3 and words in line)
    x = rows[y - 1].index(words) + words.index("boom") + 1
    terminal.write(f"\x1b[<0;{x};{y}M\x1b[<0;{x};{y}m")


# -- a fault of ours

CRASHING = """
import asyncio, logging, os, sys, threading
from pathlib import Path
from textual.binding import Binding
from statusboard.app import BoardApp
from statusboard.cli.board import reloader_of, show
from statusboard.cli.common import start_log

class Crashing(BoardApp):
    BINDINGS = [Binding("F", "crash", show=False), Binding("W", "crash_later", show=False)]

    def action_crash(self):
        token = os.environ["CI_TOKEN"]
        logging.getLogger("statusboard.test").warning("about to use %s", token)
        threading.Thread(target=self.fail, args=(token,), name="other").start()
        self.fail(token)

    def action_crash_later(self):
        self.run_worker(self.later(os.environ["CI_TOKEN"]))

    async def later(self, token):
        await asyncio.sleep(0)
        self.fail(token)

    def fail(self, token):
        raise RuntimeError(f"Authorization: Bearer {token}")

start_log("DEBUG")
path = Path(os.environ["STATUSBOARD_CONFIG"])
sys.exit(show(Crashing(reloader_of(path).load)))
"""


def test_a_crash_shows_no_token_and_restores_the_terminal(items: Items, terminal: Tmux, tmp_path: Path) -> None:
    items.items = [build("one")]
    source = items.source().removesuffix("}") + ', "token": "env:CI_TOKEN"}'
    driver = tmp_path / "driver.py"
    driver.write_text(CRASHING)
    record = tmp_path / "bytes"
    with bench(tmp_path / "board", f"sources: [{source}]\n") as board:
        open_board(terminal, board, command=[PYTHON, str(driver)], env={"CI_TOKEN": TOKEN}, record=record)
        terminal.wait_for("build one")
        terminal.send("W")  # in work beside it: the board lives on
        terminal.wait_for("this failed (RuntimeError), the log has it")
        assert "Traceback" in board.log and TOKEN not in board.log
        terminal.send("F")
        code, shown = ended(terminal)
        assert code == 70
        told = " ".join(shown.split())
        assert "an unexpected fault of ours (RuntimeError)" in told
        assert str(board.folder / "log" / "statusboard.log") in "".join(shown.split())
        assert "Traceback" not in shown
        assert "Traceback" in board.log and "in fail" in board.log, "what a developer needs is in the log"
        assert TOKEN not in board.log
    wait_until("the end is recorded", lambda: b"icanon" in record.read_bytes())
    restored(record.read_bytes())
    assert TOKEN.encode() not in record.read_bytes() and b"Traceback" not in record.read_bytes()
