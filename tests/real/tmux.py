"""A terminal to run the board in: one tmux server of our own, read and driven from outside.

with Tmux() as terminal:
    terminal.start(["statusboard", "demo"], width=100, height=30)
    terminal.wait_for("3 of 4 fresh")
    terminal.send("Enter")
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.real.needs import program
from tests.real.process import Late, wait_until

Wanted = str | re.Pattern[str] | Callable[[str], object]
"""What to wait for on the screen: a text, a pattern, or a function of the whole screen's text."""


class Tmux:
    """One program in one pane of a tmux server with a socket of its own and no configuration.

    The pane outlives its program, so that its last screen and its exit status can be read.
    """

    def __init__(self) -> None:
        tmux = program("tmux", package="tmux")
        self._folder = Path(tempfile.mkdtemp(prefix="statusboard-tmux-"))
        self._client = [tmux, "-u", "-S", str(self._folder / "socket"), "-f", os.devnull]

    def start(
        self,
        command: Sequence[str],
        *,
        width: int = 120,
        height: int = 40,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        record: Path | None = None,
    ) -> Self:
        """Run `command` in a pane of `width` x `height` cells.

        `env` is added to our environment; its TERM, by default tmux-256color, is what the program sees. `record` is a
        file that gets every byte the program writes to its terminal, from the first one on, if a moment later than the
        screen: wait for what you look for in it.
        """
        extra = {"COLORTERM": "truecolor", **(env or {})}
        term = extra.pop("TERM", "tmux-256color")
        options: list[str] = []
        # An empty format: its line on a dead pane would scroll the program's first row away.
        for name, value in {"default-terminal": term, "remain-on-exit": "on", "remain-on-exit-format": ""}.items():
            options += ["set-option", "-g", name, value, ";"]
        session = ["new-session", "-d", "-s", "board", "-x", str(width), "-y", str(height)]
        for name, value in extra.items():
            session += ["-e", f"{name}={value}"]
        if cwd is not None:
            session += ["-c", str(cwd)]
        recording = [] if record is None else [";", *self._pipe(record)]
        # In one call: a server without a session would end again, and the recorder must be there before the program.
        self._run("start-server", ";", *options, *session, "--", _line(command), *recording)
        return self

    def send(self, *keys: str) -> None:
        """Press keys by tmux's names: "j", "Enter", "Escape", "C-c", "Up", "F1"."""
        self._run("send-keys", "-t", "board", *keys)

    def write(self, text: str) -> None:
        """Type text as it is."""
        self._run("send-keys", "-t", "board", "-l", "--", text)

    def capture(self) -> str:
        """The screen as text, a line a row."""
        return self._run("capture-pane", "-p", "-t", "board")

    def capture_ansi(self) -> str:
        """The screen with its colours and attributes as escape sequences."""
        return self._run("capture-pane", "-e", "-p", "-t", "board")

    def wait_for(self, wanted: Wanted, *, timeout: float = 30.0) -> str:
        """The screen, as soon as it shows what is wanted; `Late` with the last screen if it does not in time."""
        screen = ""

        def seen() -> bool:
            nonlocal screen
            screen = self.capture()
            if isinstance(wanted, str):
                return wanted in screen
            if isinstance(wanted, re.Pattern):
                return wanted.search(screen) is not None
            return bool(wanted(screen))

        try:
            wait_until(f"{wanted!r} on the screen", seen, timeout=timeout)
        except Late as late:
            raise Late(f"{late}; the screen shows:\n{screen}") from None
        return screen

    def wait_ended(self, *, timeout: float = 30.0) -> int:
        """The exit status of the program, once it has ended (128 + the signal that ended it)."""

        def ending() -> list[str] | None:
            dead, *found = self._about("pane_dead", "pane_dead_status", "pane_dead_signal").split(",")
            if dead == "1" and not any(found):
                # tmux now and then misses that its child has ended; the end of another one makes it look at both.
                self._run("run-shell", "true")
            return found if any(found) else None

        try:
            status, signal = wait_until("the program ends", ending, timeout=timeout)
        except Late as late:
            raise Late(f"{late}; the screen shows:\n{self.capture()}") from None
        return int(status) if status else 128 + int(signal)

    @property
    def pid(self) -> int:
        """The process id of the program."""
        return int(self._about("pane_pid"))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the pane, in cells."""
        width, height = self._about("pane_width", "pane_height").split(",")
        return int(width), int(height)

    @property
    def mouse(self) -> bool:
        """Whether the program has asked to be told of the mouse."""
        return self._about("mouse_any_flag") == "1"

    def resize(self, width: int, height: int) -> None:
        """Give the program a terminal of another size, as a person who drags the window's corner."""
        self._run("resize-window", "-t", "board", "-x", str(width), "-y", str(height))

    def pipe_to(self, file: Path) -> None:
        """Append every byte that the program writes from now on to `file`."""
        self._run(*self._pipe(file))

    def kill(self) -> None:
        """End the tmux server and with it the program (SIGHUP), for good. Does nothing when there is none."""
        # A server that is gone already is what was wanted, so its status does not matter.
        subprocess.run([*self._client, "kill-server"], capture_output=True, check=False)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def _pipe(self, file: Path) -> list[str]:
        return ["pipe-pane", "-t", "board", "-o", f"exec cat >> {shlex.quote(str(file))}"]

    def _about(self, *names: str) -> str:
        return self._run("display-message", "-p", "-t", "board", ",".join(f"#{{{name}}}" for name in names)).strip()

    def _run(self, *arguments: str) -> str:
        # tmux draws box characters and reads keys in the locale of its client; C.UTF-8 is on every Linux.
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        environment.pop("TMUX", None)
        done = subprocess.run(
            [*self._client, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"tmux {arguments[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout


def _line(command: Sequence[str]) -> str:
    # tmux gives one argument to a shell and would take `;` in several as its own; `exec` leaves no shell in between.
    return f"exec {shlex.join(command)}"
