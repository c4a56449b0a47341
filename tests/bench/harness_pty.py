"""Runs a program in a terminal of a given size and counts what it costs.

Linux only: it reads `/proc` and starts through util-linux's `setsid`.

    with PtyProgram([sys.executable, "board.py"], columns=120, rows=40) as program:
        program.wait_for("3 of 3 fresh")
        program.settle()
        cost = program.gesture("j")          # bytes, cpu, wall of one key press until it is painted
        idle = program.watch(5.0)            # what five seconds of doing nothing cost
        print(cost, idle, program.memory())

Bytes are exact: everything the program wrote to the terminal is read and kept. Processor time is the kernel's count for
all threads of the program (not of its children), in nanoseconds where the kernel keeps them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

KEYS: Mapping[str, str] = {
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
    "enter": "\r",
    "tab": "\t",
    "escape": "\x1b",
    "backspace": "\x7f",
    "ctrl+c": "\x03",
    "ctrl+d": "\x04",
    "ctrl+u": "\x15",
    "ctrl+p": "\x10",
}
"""Names of keys -> what a terminal sends for them."""


class PtyTimeout(AssertionError):
    """The program did not do in time what was waited for; the message ends with what it wrote last."""


class Cost(NamedTuple):
    """What something cost: `bytes` to the terminal, `cpu` seconds, and how many seconds after the start the `first`
    and the `last` byte came (None: nothing was written)."""

    bytes: int
    cpu: float
    first: float | None
    last: float | None


class Memory(NamedTuple):
    """Resident memory in KiB: now, and at its highest."""

    resident: int
    peak: int


class PtyProgram:
    """A running program whose terminal is ours. Use as a context manager: leaving it ends the program."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        columns: int = 120,
        rows: int = 40,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
    ) -> None:
        """Starts `argv`. `env` is laid over this process's own, with a 24 bit colour xterm as the terminal."""
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **(env or {})}
        self._master, terminal = os.openpty()
        _set_size(terminal, columns, rows)
        self.started = time.monotonic()
        try:
            # setsid makes the pty the controlling terminal (else no signal tells of a new size) and becomes `argv`.
            self._process = subprocess.Popen(
                ["setsid", "--ctty", *argv], stdin=terminal, stdout=terminal, stderr=terminal, env=environment, cwd=cwd
            )
        finally:
            os.close(terminal)
        self.pid = self._process.pid
        self._output = bytearray()
        self._arrivals: list[tuple[float, int]] = []  # (when, bytes so far)
        self._changed = threading.Condition()
        self._closed = False
        self._reader = threading.Thread(target=self._read, name="pty", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- what it wrote

    @property
    def output(self) -> bytes:
        """Every byte written to the terminal so far."""
        with self._changed:
            return bytes(self._output)

    @property
    def bytes_written(self) -> int:
        """How many those are."""
        with self._changed:
            return len(self._output)

    def first_byte(self, after: int = 0) -> float | None:
        """Seconds from the start of the program to the first byte past `after` bytes."""
        with self._changed:
            return next((when - self.started for when, total in self._arrivals if total > after), None)

    def wait_for(self, text: str | bytes, timeout: float = 15.0, after: int = 0) -> float:
        """Waits until `text` was written past the first `after` bytes; seconds since the start of the program."""
        wanted = text.encode() if isinstance(text, str) else text
        deadline = time.monotonic() + timeout
        with self._changed:
            while self._output.find(wanted, after) < 0:
                if self._closed or not self._changed.wait(deadline - time.monotonic()):
                    raise PtyTimeout(
                        f"{wanted!r} was not written; the end of the output: {bytes(self._output[-400:])!r}"
                    )
            end = self._output.find(wanted, after) + len(wanted)
            return next(when - self.started for when, total in self._arrivals if total >= end)

    def settle(self, quiet: float = 0.3, timeout: float = 15.0) -> None:
        """Waits until nothing was written for `quiet` seconds."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not self._closed:
                if not self._changed.wait(quiet):
                    return
                if time.monotonic() > deadline:
                    raise PtyTimeout(f"still writing after {timeout} s")

    # -- what it is told

    def send(self, *keys: str) -> None:
        """Types keys: names of `KEYS`, or text as it is."""
        os.write(self._master, "".join(KEYS.get(key, key) for key in keys).encode())

    def resize(self, columns: int, rows: int) -> None:
        """Gives the terminal another size; the kernel tells the program."""
        _set_size(self._master, columns, rows)

    def signal(self, number: int) -> None:
        """Sends a signal to the program."""
        self._process.send_signal(number)

    # -- what it cost

    def gesture(self, *keys: str, quiet: float = 0.3, timeout: float = 15.0) -> Cost:
        """Types keys and waits until the program has written nothing for `quiet` seconds: the cost of all that."""
        before, cpu, start = self.bytes_written, self.cpu(), time.monotonic()
        self.send(*keys)
        self.settle(quiet, timeout)
        return self._cost(before, cpu, start)

    def watch(self, seconds: float) -> Cost:
        """What `seconds` of leaving it alone cost."""
        before, cpu, start = self.bytes_written, self.cpu(), time.monotonic()
        time.sleep(seconds)
        return self._cost(before, cpu, start)

    def _cost(self, before: int, cpu: float, start: float) -> Cost:
        spent = self.cpu() - cpu
        with self._changed:
            times = [when - start for when, total in self._arrivals if total > before]
            return Cost(len(self._output) - before, spent, times[0] if times else None, times[-1] if times else None)

    def cpu(self) -> float:
        """Processor seconds of all living threads; 0 once the program has ended."""
        try:
            tasks = [task / "schedstat" for task in Path(f"/proc/{self.pid}/task").iterdir()]
            return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9
        except FileNotFoundError:
            return self._cpu_in_ticks()

    def _cpu_in_ticks(self) -> float:
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> Memory:
        """Resident memory of the program, without its children."""
        found = dict(line.split(":", 1) for line in Path(f"/proc/{self.pid}/status").read_text().splitlines())
        return Memory(int(found["VmRSS"].split()[0]), int(found["VmHWM"].split()[0]))

    # -- its end

    def wait(self, timeout: float = 10.0) -> int:
        """Waits for the program to end by itself: its exit code, or the negative number of the signal."""
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise PtyTimeout(f"still running after {timeout} s") from None
        self._reader.join(timeout)
        return status

    def close(self) -> None:
        """Ends the program (TERM, then KILL) and gives back the terminal."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                self.signal(number)
                with contextlib.suppress(PtyTimeout):
                    self.wait(3.0)
        with self._changed:
            self._closed = True
        self._reader.join(1.0)
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def _read(self) -> None:
        while not self._closed:
            ready, _, _ = select.select([self._master], [], [], 0.2)
            if not ready:
                continue
            try:
                data = os.read(self._master, 65_536)
            except OSError:  # Linux says EIO once the last program on the terminal has ended
                data = b""
            with self._changed:
                if data:
                    self._output += data
                    self._arrivals.append((time.monotonic(), len(self._output)))
                else:
                    self._closed = True
                self._changed.notify_all()


def _set_size(terminal: int, columns: int, rows: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
