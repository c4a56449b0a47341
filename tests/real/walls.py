"""A host of walls: an sshd set up as docs/walls.md has it, and displays that log in to it."""

from __future__ import annotations

import getpass
import os
import re
import shlex
import sys
import textwrap
import threading
from pathlib import Path

from tests.bench.harness_pty import PtyProgram
from tests.real.process import Late, wait_until
from tests.real.ssh import Sshd

QUESTION = b"\x1b[6n"
ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "walls.md"


def documented(first: str) -> str:
    """The block of the document that begins with this line, without its indentation."""
    block: list[str] = []
    for line in DOCUMENT.read_text().splitlines():
        if block and line.strip() and not line.startswith("  "):
            break
        if block or line.strip().startswith(first):
            block.append(line)
    assert block, f"docs/walls.md has no {first!r}"
    return textwrap.dedent("\n".join(block[: _end(block)]))


def _end(block: list[str]) -> int:
    """How many lines belong together: up to the first that is indented less than the first one."""
    deep = len(block[0]) - len(block[0].lstrip())
    for index, line in enumerate(block):
        if not line.strip() or len(line) - len(line.lstrip()) < deep:
            return index
    return len(block)


class WallHost:
    """``store`` is followed by every wall; ``quick``: walls ask their terminal often, and wait for it a short time."""

    def __init__(self, folder: Path, store: Path, *, by_key: bool = False, quick: bool = False) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.quick = quick
        self.config = folder / "wall.yaml"
        text = documented("board: {store:").replace("/var/lib/statusboard/acme.sqlite", str(store))
        self.config.write_text(text)
        settings = documented("MaxStartups")
        assert "ClientAliveInterval" in settings and "Match User wall" in settings
        settings = self._here(settings.replace("Match User wall", f"Match User {getpass.getuser()}"))
        # A user of its own has a home of its own: what the shell of whoever tests does at a login is no wall's cost.
        settings += f"\n    SetEnv HOME={folder}"
        (line,) = re.findall(r"^ +(restrict,pty,.*) ssh-ed25519 AAAA", DOCUMENT.read_text(), re.MULTILINE)
        self.sshd = Sshd(folder / "sshd", more="" if by_key else settings)
        self.sshd.start()
        key = self._here(line) if by_key else "restrict,pty"
        self.sshd.authorized_keys.write_text(f"{key} {self.sshd.public_key}\n")
        self.displays: list[PtyProgram] = []
        self._closing = threading.Event()

    def _here(self, text: str) -> str:
        """The document's command, with this machine's program, and with nothing written outside of our folder."""
        places = {name: str(self.folder / name.lower()) for name in ("DATA", "CACHE", "STATE", "LOG")}
        words = [f"STATUSBOARD_{name}={shlex.quote(place)}" for name, place in places.items()]
        command = [sys.executable, "-m", "tests.real.quick_wall" if self.quick else "statusboard"]
        program = f"exec env -C {shlex.quote(str(ROOT))} {' '.join(words)} {shlex.join(command)}"
        assert "exec statusboard --wall --read-only" in text
        return text.replace("exec statusboard", program).replace("/etc/statusboard/wall.yaml", str(self.config))

    def connect(self, *command: str, columns: int = 73, rows: int = 20, verbose: Path | None = None) -> PtyProgram:
        """A display that logs in, and may ask to run something; ``verbose``: where ssh tells what it does."""
        options = ["-tt"] if verbose is None else ["-tt", "-v", "-E", str(verbose)]
        display = PtyProgram([*self.sshd.client(*options), *command], columns=columns, rows=rows)
        self.displays.append(display)
        return display

    def answer_for(self, display: PtyProgram) -> None:
        """Have what a wall asks its terminal answered, as every terminal does."""

        def answer() -> None:
            answered = 0
            while not self._closing.wait(0.05):
                asked = display.output.count(QUESTION)
                if asked > answered:
                    display.send("\x1b[1;1R" * (asked - answered))
                answered = asked

        threading.Thread(target=answer, daemon=True).start()

    def walls(self) -> list[int]:
        """The process ids of the walls that run."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    status = (entry / "status").read_text()
                except OSError:
                    continue
                if b"--wall" in words and os.fsencode(self.config) in words and "State:\tZ" not in status:
                    found.append(int(entry.name))
        return found

    def until(self, count: int, *, timeout: float) -> None:
        """Wait until so many walls run."""
        try:
            wait_until(f"{count} walls", lambda: len(self.walls()) == count, timeout=timeout, every=0.2)
        except Late as late:
            raise Late(f"{late}; there are {len(self.walls())}; {self.sshd.state()}") from None

    def close(self) -> None:
        self._closing.set()
        for display in self.displays:
            display.close()
        try:
            self.until(0, timeout=30)  # they write into our folder
        finally:
            self.sshd.stop()
