"""The board on a terminal: started from a shell that tells how it ended, its colours read, its modes followed."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from tests.real.board import STATUSBOARD, Bench
from tests.real.process import wait_until
from tests.real.tmux import Tmux

BEFORE = "what stood there before"

# The shell outlives the board: its screen and its terminal's settings show what the board left behind.
_SHELL = f"""
echo '{BEFORE}'
sh -c 'echo $$ >"$PIDFILE"; exec "$@"' sh "$@"
echo "ended $?"
stty -a
read -r end
"""

PYTHON = sys.executable

_CONTROLS = re.compile(r"\x1b\[([?><=]?)([\d;:]*)([ -/]*)([@-~])")


def open_board(
    terminal: Tmux,
    bench: Bench,
    *options: str,
    command: Sequence[str] = STATUSBOARD,
    env: Mapping[str, str] | None = None,
    width: int = 120,
    height: int = 40,
    record: Path | None = None,
    wrapper: Sequence[str] = (),
) -> None:
    """Start the board, or another command, with the places of ``bench``.  ``wrapper`` is a command that runs it."""
    places = {name: value for name, value in bench.environment.items() if name.startswith("STATUSBOARD_")}
    terminal.start(
        ["sh", "-c", _SHELL, "sh", *wrapper, *command, *options],
        env={**places, "PIDFILE": str(_pidfile(bench, terminal)), **(env or {})},
        width=width,
        height=height,
        record=record,
    )


def pid_of(terminal: Tmux, bench: Bench) -> int:
    """The process id of the board on that terminal."""
    file = _pidfile(bench, terminal)
    return int(wait_until("the board has begun", lambda: file.read_text().strip() if file.exists() else None))


def _pidfile(bench: Bench, terminal: Tmux) -> Path:
    return bench.folder / f"{id(terminal)}.pid"


def ended(terminal: Tmux, *, timeout: float = 15) -> tuple[int, str]:
    """Wait for the board's end: its exit code, and what the terminal shows above the shell's own words."""
    screen = terminal.wait_for(re.compile(r"^ended \d+$.*-?icanon", re.MULTILINE | re.DOTALL), timeout=timeout)
    found = re.search(r"^ended (\d+)$", screen, re.MULTILINE)
    assert found is not None
    settings = screen[found.end() :].split()
    for setting in ("icanon", "echo", "isig", "icrnl", "opost", "ixon"):
        assert setting in settings, f"the terminal is left without {setting}"
    return int(found[1]), screen[: found.start()]


def restored(recording: bytes) -> None:
    """Assert that every mode which was switched while the board ran is what it is on a terminal at rest."""
    at_rest = {"25": "h", "7": "h"}  # the cursor is shown, lines wrap; whatever else is off
    modes: dict[str, str] = {}
    keyboards = 0
    for private, parameters, _, final in _CONTROLS.findall(recording.decode("utf-8", "replace")):
        if private == "?" and final in "hl":
            for mode in parameters.split(";"):
                modes[mode] = final
        elif final == "u" and private in (">", "<"):
            keyboards += 1 if private == ">" else -1
    assert "1049" in modes, "the board was never on the screen"
    assert {m: f for m, f in modes.items() if f != at_rest.get(m, "l")} == {}, "modes left switched"
    assert keyboards <= 0, "the keyboard's mode was not given back"


class Style(NamedTuple):
    """How a cell looks: colours as SGR gives them (``2;255;0;0``, ``31``, "" for the terminal's own), attributes."""

    foreground: str = ""
    background: str = ""
    attributes: frozenset[str] = frozenset()


def style_of(terminal: Tmux, line: str, words: str) -> Style:
    """How ``words`` look on the one line of the screen that has ``line``."""
    rows = [(text, styles) for text, styles in _styled(terminal.capture_ansi()) if line in text]
    assert len(rows) == 1, f"{line!r} is on {len(rows)} lines of the screen"
    text, styles = rows[0]
    return styles[text.index(words)]


def rgb(colour: str) -> str:
    """``#ff7b72`` as a capture tells it."""
    return "2;" + ";".join(str(int(colour[n : n + 2], 16)) for n in (1, 3, 5))


def _styled(screen: str) -> Iterator[tuple[str, list[Style]]]:
    style = Style()
    for line in screen.split("\n"):
        text, styles, at = "", list[Style](), 0
        for found in re.finditer(r"\x1b\[([\d;:]*)m|\x1b\]8;[^\x1b]*\x1b\\", line):
            text += line[at : found.start()]
            styles += [style] * (found.start() - at)
            at = found.end()
            if found[1] is not None:
                style = _changed(style, found[1])
        yield text + line[at:], styles + [style] * (len(line) - at)


def _changed(style: Style, parameters: str) -> Style:
    names = {"1": "bold", "2": "dim", "3": "italic", "4": "underline", "7": "reverse"}
    for code, colour in _codes(parameters):
        if code in ("", "0"):
            style = Style()
        elif code in names:
            style = style._replace(attributes=style.attributes | {names[code]})
        elif code == "39" or _FOREGROUND.fullmatch(code):
            style = style._replace(foreground=colour)
        elif code == "49" or _BACKGROUND.fullmatch(code):
            style = style._replace(background=colour)
    return style


_FOREGROUND = re.compile(r"3[0-8]|9[0-7]")
_BACKGROUND = re.compile(r"4[0-8]|10[0-7]")


def _codes(parameters: str) -> Iterator[tuple[str, str]]:
    """Each code of one SGR sequence, with the colour that it sets ("" for the terminal's own)."""
    codes = iter(parameters.split(";"))
    for code in codes:
        if code in ("38", "48"):
            kind = next(codes)
            yield code, ";".join([kind, *(next(codes) for _ in range(3 if kind == "2" else 1))])
        else:
            yield code, "" if code in ("39", "49") else code


def colours(recording: bytes) -> set[str]:
    """The colours that were asked for, each by its form: ``sixteen``, ``256``, ``rgb``."""
    forms = {"2": "rgb", "5": "256"}
    return {
        forms.get(colour.split(";")[0], "") if ";" in colour else "sixteen"
        for private, parameters, _, final in _CONTROLS.findall(recording.decode("utf-8", "replace"))
        if final == "m" and not private
        for code, colour in _codes(parameters)
        if colour and (_FOREGROUND.fullmatch(code) or _BACKGROUND.fullmatch(code))
    }


class Items(ThreadingHTTPServer):
    """A JSON API of builds: ``items`` is what it answers, each with id, title, state, url and links; ``asked``: how
    often it was."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.items: list[dict[str, Any]] = []
        self.asked = 0

    def handle_error(self, request: object, client_address: object) -> None:
        """A board that ends leaves its connection."""

    def source(self, name: str = "ci") -> str:
        """A source of the config that reads it, as one line of YAML."""
        return json.dumps(
            {
                "type": "http-json",
                "name": name,
                "url": f"http://127.0.0.1:{self.server_address[1]}",
                "interval": "1s",
                "kind": "build",
                "id": "id",
                "complete": True,
                "fields": {
                    "title": "title",
                    "state": "state",
                    "url": "url",
                    "links": "links",
                    "pipeline": "id",
                    "branch": "'main'",
                },
            }
        )


class _Answers(BaseHTTPRequestHandler):
    server: Items

    def do_GET(self) -> None:
        self.server.asked += 1
        payload = json.dumps(self.server.items).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def serving() -> Iterator[Items]:
    """An `Items` that answers."""
    with Items() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def build(name: str, state: str = "success", **more: object) -> dict[str, Any]:
    """A build as `Items` serves it."""
    return {"id": name, "title": f"build {name}", "state": state, "url": f"https://ci.example/{name}", **more}


def without_rights(command: Sequence[str] = ()) -> list[str]:
    """``command`` run so that permissions count for root too: without the right to pass over them."""
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--", *command]
