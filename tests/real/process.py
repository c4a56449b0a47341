"""One server of a test run: its folder, port, process and log, and waiting for it by condition, never by time."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar

import httpx

from tests.real.venvs import as_user

T = TypeVar("T")

BOOT_SECONDS = 60.0
"""How long a server may take to answer: a bound for broken machines, not an expectation."""

SOUND_TRIES = 3
SOUND_PAUSE = 0.5
"""How often, and how many seconds apart, a running server is asked before it counts as broken."""


class BootError(Exception):
    """A server that did not come up; the message ends with its own log."""


class ServerWarning(UserWarning):
    """A server had to be started again; the message ends with its own log."""


class NoAnswer(Exception):
    """A server that came up, but does not answer a test; the message ends with its own log."""


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

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None, f"{self.name} is not running"
        return self._process.pid

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

    def sound(self) -> Self:
        """The server, in a state to be used: one that died, or answers no more, is started again, with a warning.

        A server that many tests share must not fail all that come after the one that broke it.
        """
        if self.running:
            for _ in range(SOUND_TRIES):
                if self._settled():
                    return self
                time.sleep(SOUND_PAUSE)
        if self._prepared:
            warnings.warn(f"{self.name} is started again; {self.state()}", ServerWarning, stacklevel=2)
            self.kill()
        return self.start()

    def state(self) -> str:
        """What can be said of the process, and the end of its log."""
        if self._process is None:
            said = "it was stopped"
        elif (code := self._process.poll()) is not None:
            said = f"it ended with {code}"
        else:
            said = f"process {self._process.pid} runs"
        return f"{said}; its log:\n{self.tail()}"

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
        return _Client(self, base_url=self.url, trust_env=False, timeout=10.0)

    def _settled(self) -> bool:
        if not self.running:
            raise BootError(f"{self.name} ended by itself; its log:\n{self.tail()}")
        try:
            return self.ready()
        except NoAnswer:
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


class _Client(httpx.Client):
    """Says what became of the server where a request cannot be answered."""

    def __init__(self, server: Server, **options: Any) -> None:
        super().__init__(**options)
        self._server = server

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        try:
            return super().send(request, **options)
        except httpx.TransportError as error:
            name, said = self._server.name, f"{type(error).__name__}: {error}"
            raise NoAnswer(f"{name}: {request.method} {request.url}: {said}; {self._server.state()}") from error
