"""Commands and the desktop."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from statusboard.errors import DeliveryError
from statusboard.noticing import words
from statusboard.noticing.delivery import Desktop, environment, filled, run
from tests.boards import incident
from tests.noticing.kit import transition

ENV = {"PATH": os.environ["PATH"]}


def script(folder: Path, text: str) -> str:
    path = folder / "tell"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_placeholders_are_filled_within_their_argument():
    fields = {"title": "a; rm -rf / $(x) {url} 'b'", "url": "", "what": "opened"}
    assert filled(["tell", "{what}: {title}", "{url}", "{}", "{'title'}"], fields) == [
        "tell",
        "opened: a; rm -rf / $(x) {url} 'b'",
        "",
        "{}",
        "{'title'}",
    ]


def test_no_title_becomes_an_option():
    fields = {"title": "--config=/etc/passwd", "text": "-x"}
    assert filled(["tell", "{title}", "-m{text}", "--title={title}", "{text}"], fields) == [
        *("tell", " --config=/etc/passwd", "-m-x", "--title=--config=/etc/passwd", " -x")
    ]


def test_the_secrets_of_sources_are_not_in_its_environment():
    env = {"PATH": "/bin", "GITHUB_TOKEN": "x", "MINE": "y"}
    assert environment(env, {"GITHUB_TOKEN", "ABSENT"}) == {"PATH": "/bin", "MINE": "y"}


async def test_a_command_is_run_with_its_arguments_and_no_terminal(tmp_path: Path):
    tell = script(tmp_path, f'printf "%s\\n" "$1" "$MINE" "$(ps -o tty= -p $$)" > {tmp_path}/out; cat; echo noise')
    await run([tell, 'one "two" $(three)'], env={**ENV, "MINE": "1"})
    arguments, mine, tty = (tmp_path / "out").read_text().splitlines()
    assert (arguments, mine, tty.strip()) == ('one "two" $(three)', "1", "?")


@pytest.mark.parametrize(
    "text, why",
    [
        ("echo no such room >&2; exit 3", "tell ended with exit code 3: no such room"),
        ("printf '\\033]52;c;x\\007' >&2; exit 1", "tell ended with exit code 1: ]52;c;x"),
        ("kill -9 $$", "tell was ended by signal 9"),
    ],
)
async def test_what_a_command_says_of_its_failure_is_told(tmp_path: Path, text: str, why: str):
    with pytest.raises(DeliveryError) as caught:
        await run([script(tmp_path, text)], env=ENV)
    assert str(caught.value) == why


async def test_a_command_that_is_not_there():
    with pytest.raises(DeliveryError) as caught:
        await run(["/nonexistent/tell"], env=ENV)
    assert str(caught.value) == "tell cannot be run: no such file or directory"


async def test_a_command_that_does_not_end_is_ended_with_all_it_started(tmp_path: Path):
    tell = script(tmp_path, f"sleep 60 & echo $! > {tmp_path}/pid; echo $$ >> {tmp_path}/pid; wait")
    with pytest.raises(DeliveryError, match="did not end within"):
        await run([tell], env=ENV, limit=1.0)
    for pid in map(int, (tmp_path / "pid").read_text().split()):
        await _gone(pid)


async def test_what_a_command_left_behind_with_its_output_is_ended_too(tmp_path: Path):
    tell = script(tmp_path, f"sleep 60 & echo $! > {tmp_path}/pid")
    with pytest.raises(DeliveryError, match="did not end within"):
        await run([tell], env=ENV, limit=1.0)
    await _gone(int((tmp_path / "pid").read_text()))


async def test_a_command_is_ended_when_the_board_ends(tmp_path: Path):
    tell = script(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60")
    task = asyncio.ensure_future(run([tell], env=ENV))
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _gone(int((tmp_path / "pid").read_text()))


async def test_what_a_command_leaves_running_by_itself_goes_on(tmp_path: Path):
    await run([script(tmp_path, f"sleep 60 2> /dev/null & echo $! > {tmp_path}/pid")], env=ENV)
    os.kill(int((tmp_path / "pid").read_text()), 9)


async def test_a_command_that_says_much_is_heard_to_its_end(tmp_path: Path):
    with pytest.raises(DeliveryError, match="the end$"):
        await run([script(tmp_path, "yes | head -c 3000000 >&2; echo the end >&2; exit 1")], env=ENV)


async def _gone(pid: int) -> None:
    for _ in range(500):
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return
        except (FileNotFoundError, ProcessLookupError):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{pid} is still there")


# -- the desktop

MESSAGE = words.of(transition(incident(severity="critical"), "opened"), "opened")


class Library(types.ModuleType):
    """As much of desktop-notifier as is used."""

    class Urgency:
        Critical = "critical"
        Normal = "normal"

    def __init__(self, works: bool) -> None:
        super().__init__("desktop_notifier")
        self.sent: list[dict[str, Any]] = []
        library = self

        class DesktopNotifier:
            def __init__(self, app_name: str, app_icon: object) -> None:
                self.name = app_name

            async def send(self, *, on_dispatched: Any, **more: Any) -> None:
                library.sent.append({"app": self.name, **more})
                if works:
                    on_dispatched()
                    return
                try:
                    raise OSError("no bus is here\x1b[0m")
                except OSError:
                    logging.getLogger("desktop_notifier.backends").warning("failed", exc_info=True)

        self.DesktopNotifier = DesktopNotifier


async def test_the_desktop_shows_title_and_message(monkeypatch: pytest.MonkeyPatch):
    library = Library(works=True)
    monkeypatch.setitem(sys.modules, "desktop_notifier", library)
    await Desktop().send(MESSAGE)
    assert library.sent == [
        {"app": "statusboard", "title": "critical incident opened", "message": "Down", "urgency": "critical"}
    ]


async def test_what_is_markup_on_a_desktop_is_text(monkeypatch: pytest.MonkeyPatch):
    library = Library(works=True)
    monkeypatch.setitem(sys.modules, "desktop_notifier", library)
    monkeypatch.setattr(sys, "platform", "linux")
    await Desktop().send(words.of(transition(incident(title="<a href='x'>a</a> & b"), "opened"), "opened"))
    monkeypatch.setattr(sys, "platform", "darwin")
    await Desktop().send(words.of(transition(incident(title="<b> & c"), "opened"), "opened"))
    assert [sent["message"] for sent in library.sent] == ["&lt;a href='x'&gt;a&lt;/a&gt; &amp; b", "<b> & c"]


async def test_a_desktop_that_shows_nothing_is_a_failure_and_leaves_no_traceback(monkeypatch: pytest.MonkeyPatch):
    logged: list[logging.LogRecord] = []
    ours = logging.getLogger()
    monkeypatch.setattr(ours, "handlers", [handler := logging.Handler()])
    monkeypatch.setattr(handler, "emit", logged.append)
    monkeypatch.setitem(sys.modules, "desktop_notifier", Library(works=False))
    desktop = Desktop()
    for _ in range(2):
        with pytest.raises(DeliveryError) as caught:
            await desktop.send(MESSAGE)
        assert str(caught.value) == "the desktop takes no notices: no bus is here[0m"
    assert logged == []


async def test_a_desktop_that_does_not_answer_is_waited_for_no_longer(monkeypatch: pytest.MonkeyPatch):
    library = Library(works=True)
    monkeypatch.setattr(library.DesktopNotifier, "send", lambda self, **_: asyncio.sleep(60))
    monkeypatch.setitem(sys.modules, "desktop_notifier", library)
    desktop = Desktop(limit=0.05)
    both = await asyncio.gather(desktop.send(MESSAGE), desktop.send(MESSAGE), return_exceptions=True)
    assert [str(error) for error in both] == ["the desktop did not answer within 0.05 s"] * 2


async def test_without_the_extra_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "desktop_notifier", None)
    with pytest.raises(DeliveryError, match=r"pip install 'statusboard\[desktop\]'"):
        await Desktop().send(MESSAGE)
