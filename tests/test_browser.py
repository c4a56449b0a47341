"""Links are opened only where a person sits, in a window, and only when they are plain http(s)."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from statusboard.browser import CONSOLE_BROWSERS, Outcome, find_command, open_link

URL = "https://ci.example/run/1?a=b&c=%20d"
DESKTOP = {"DISPLAY": ":0"}


class Machine:
    """Programs by name, and what was started."""

    def __init__(self, *programs: str, broken: bool = False) -> None:
        self.programs = programs
        self.broken = broken
        self.started: list[list[str]] = []

    def which(self, name: str) -> str | None:
        if "/" in name:
            return name
        return f"/usr/bin/{name}" if name in self.programs else None

    def launch(self, command: Sequence[str]) -> None:
        if self.broken:
            raise FileNotFoundError(2, "No such file or directory")
        self.started.append(list(command))

    def open(self, url: str, environ: dict[str, str], platform: str = "linux") -> Outcome:
        return open_link(url, environ=environ, platform=platform, which=self.which, launch=self.launch)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://a.example/\x1b]52;c;x\x07",
        "https://u:p@a.example",
        "",
        "-x",
    ],
)
def test_what_is_no_plain_link_is_refused(url):
    machine = Machine("xdg-open")
    assert machine.open(url, DESKTOP).what == "refused"
    assert machine.started == []


@pytest.mark.parametrize("sign", ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"])
@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_over_ssh_it_is_copied(sign, platform):
    machine = Machine("xdg-open")
    outcome = machine.open(URL, {**DESKTOP, sign: "x"}, platform)
    assert outcome.what == "copied"
    assert "SSH" in outcome.text
    assert machine.started == []


def test_without_a_display_it_is_copied():
    machine = Machine("xdg-open")
    outcome = machine.open(URL, {})
    assert outcome.what == "copied"
    assert "display" in outcome.text
    assert machine.started == []


@pytest.mark.parametrize(
    "platform, environ, programs, command",
    [
        ("linux", DESKTOP, ["xdg-open"], ["/usr/bin/xdg-open", URL]),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, ["gio"], ["/usr/bin/gio", "open", URL]),
        ("freebsd14", DESKTOP, ["x-www-browser"], ["/usr/bin/x-www-browser", URL]),
        ("darwin", {}, [], ["open", URL]),
        ("win32", {}, [], ["rundll32", "url.dll,FileProtocolHandler", URL]),
        ("linux", {"WSL_DISTRO_NAME": "Debian"}, ["wslview"], ["/usr/bin/wslview", URL]),
        ("linux", {**DESKTOP, "BROWSER": "firefox"}, ["firefox", "xdg-open"], ["/usr/bin/firefox", URL]),
        ("linux", {**DESKTOP, "BROWSER": "ff --to=%s -n"}, ["ff"], ["/usr/bin/ff", f"--to={URL}", "-n"]),
        ("linux", {**DESKTOP, "BROWSER": "gone:w3m:firefox"}, ["w3m", "firefox"], ["/usr/bin/firefox", URL]),
        ("linux", {**DESKTOP, "BROWSER": "'open"}, ["xdg-open"], ["/usr/bin/xdg-open", URL]),
    ],
)
def test_what_opens_a_link(platform, environ, programs, command):
    machine = Machine(*programs)
    assert machine.open(URL, environ, platform) == Outcome("opened", "opening in the browser")
    assert machine.started == [command]


@pytest.mark.parametrize("browser", sorted(CONSOLE_BROWSERS))
def test_a_text_browser_never_comes_on_top_of_the_board(browser):
    machine = Machine(browser)
    outcome = machine.open(URL, {**DESKTOP, "BROWSER": browser})
    assert outcome.what == "copied"
    assert machine.started == []


def test_a_text_browser_is_known_behind_a_link(tmp_path: Path):
    (tmp_path / "w3m").touch()
    alternative = tmp_path / "x-www-browser"
    alternative.symlink_to(tmp_path / "w3m")
    assert find_command(URL, {**DESKTOP, "BROWSER": str(alternative)}, "linux", Machine().which) is None


def test_what_does_not_start_is_copied_and_told():
    outcome = Machine("xdg-open", broken=True).open(URL, DESKTOP)
    assert outcome == Outcome("copied", "link copied: xdg-open did not start (No such file or directory)")


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for the browser")
def test_what_is_started_has_no_terminal_and_no_share_in_ours(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    fifo, script = tmp_path / "told", tmp_path / "browser"
    os.mkfifo(fifo)
    script.write_text(
        "#!/bin/sh\n"
        "echo on the screen; echo on the screen >&2\n"
        "if (: >/dev/tty) 2>/dev/null; then tty=yes; else tty=no; fi\n"
        f'echo "$1 tty=$tty input=$(cat)" > {fifo}\n'
    )
    script.chmod(0o700)
    outcome = open_link(URL, environ={**DESKTOP, "BROWSER": str(script)}, platform="linux")
    assert outcome.what == "opened"
    assert fifo.read_text() == f"{URL} tty=no input=\n"
    assert capfd.readouterr() == ("", "")
