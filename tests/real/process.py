"""One server of a test run: its folder, port, process and log, and waiting for it by condition, never by time."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self, TypeVar

import httpx

from tests.real.venvs import as_user

T = TypeVar("T")

BOOT_SECONDS = 60.0
"""How long a server may take to answer: a bound for broken machines, not an expectation."""


class BootError(Exception):
    """A server that did not come up; the message ends with its own log."""


class Late(AssertionError):
    """A condition that did not become true before its deadline."""


def wait_until(what: str, probe: Callable[[], T | None], *, timeout: float = 30.0, every: float = 0.05) -> T:
    """The first truthy answer of `probe`, asked until `timeout` (seconds); then `Late`, naming `what`."""
    deadline = time.monotonic() + timeout
    while True:
        if answer := probe():
            return answer
        if time.monotonic() >= deadline:
            raise Late(f"not seen within {timeout:g} s: {what}")
        time.sleep(every)


def free_port() -> int:
    """A TCP port on loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A server process on loopback. Use it as a context manager, or call `start` and `stop`.

    `folder` holds its configuration, data and log. The port is chosen once, so that a restart answers at the same URL.
    """

    name: ClassVar[str]

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.log = folder / f"{self.name}.log"
        self.http = self._client()
        self._process: subprocess.Popen[bytes] | None = None
        self._prepared = False

    @property
    def url(self) -> str:
        """Where it answers, without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    # What each server says about itself ------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Write configuration and data, once, before the first start."""

    def command(self) -> Sequence[str]:
        """The program and its arguments; it must stay in the foreground."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Whether it can be used; asked repeatedly after the start."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """What its environment holds beside ours."""
        return {}

    def user(self) -> str | None:
        """The user it must run as, or None for ours."""
        return None

    # Life ------------------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Boot and wait until it can be used. `BootError` shows the log of one that does not come up."""
        if self.running:
            return self
        if not self._prepared:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o755)
            self.prepare()
            self._prepared = True
        self.http.close()
        self.http = self._client()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env={**os.environ, **self.environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # its children are stopped with it
                **as_user(self.user()),
            )
        try:
            wait_until(f"{self.name} answers at {self.url}", self._settled, timeout=BOOT_SECONDS)
        except Late:
            self.kill()
            raise BootError(f"{self.name} did not come up at {self.url}; its log:\n{self.tail()}") from None
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self) -> None:
        """Ask it to end, and wait; kill it if it does not. Does nothing when it is not running."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._end(signal.SIGKILL)

    def restart(self) -> Self:
        """Stop and start again: same folder, same port."""
        self.stop()
        return self.start()

    def tail(self, lines: int = 40) -> str:
        """The end of its log."""
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) or "(empty log)"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def run(self, *command: str, seconds: float = 60.0) -> None:
        """Run a preparing command as the server's user; `BootError` shows what it said if it failed."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, **self.environment()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
            **as_user(self.user()),
        )
        if done.returncode:
            said = done.stdout.decode(errors="replace")
            raise BootError(f"{self.name}: {' '.join(command)} ended with {done.returncode}:\n{said}")

    def _client(self) -> httpx.Client:
        # A client of its own without the machine's proxies: loopback is never proxied.
        return httpx.Client(base_url=self.url, trust_env=False, timeout=10.0)

    def _settled(self) -> bool:
        if not self.running:
            raise BootError(f"{self.name} ended by itself; its log:\n{self.tail()}")
        try:
            return self.ready()
        except httpx.TransportError:
            return False

    def _end(self, first: signal.Signals) -> None:
        process, self._process = self._process, None
        self.http.close()
        if process is None:
            return
        for ending, seconds in ((first, 10.0), (signal.SIGKILL, 10.0)):
            # The group outlives its leader while any child lives, so signal it even after the leader has gone.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, ending)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
            break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
