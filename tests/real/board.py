"""The board in tests: a config in a folder of its own, its processes, and followers that tell digests."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from statusboard.model import Change
from statusboard.store.sqlite import SQLiteStore
from tests.real.process import wait_until

T = TypeVar("T")
STATUSBOARD = (sys.executable, "-m", "statusboard")


class Bench:
    """A folder with a config and the data of one board; every process started here is ended with it."""

    def __init__(self, folder: Path, config: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.config = folder / "config.yaml"
        self.config.write_text(config)
        self.processes: list[subprocess.Popen[str]] = []

    @property
    def environment(self) -> dict[str, str]:
        """What each process is started with."""
        places = {name: str(self.folder / name.lower()) for name in ("DATA", "CACHE", "STATE")}
        mine = {f"STATUSBOARD_{name}": place for name, place in places.items()}
        log = {"STATUSBOARD_LOG": str(self.folder / "log" / "statusboard.log")}
        return {**os.environ, **mine, **log, "STATUSBOARD_CONFIG": str(self.config)}

    @property
    def log(self) -> str:
        """What the log says so far."""
        path = self.folder / "log" / "statusboard.log"
        return path.read_text() if path.exists() else ""

    def show(self, *options: str) -> tuple[int, dict[str, Any]]:
        """``show --json``: its exit code and what it printed."""
        done = subprocess.run(
            [*STATUSBOARD, "show", "--json", *options],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout, f"nothing shown, exit {done.returncode}: {done.stderr}"
        return done.returncode, json.loads(done.stdout)

    def until(
        self, what: str, probe: Callable[[int, dict[str, Any]], T | None], *options: str, timeout: float = 30
    ) -> T:
        """Show again and again until ``probe`` (exit code, picture) finds what it looks for."""
        return wait_until(what, lambda: probe(*self.show(*options)), timeout=timeout, every=0.3)

    def start(self, *arguments: str, output: str = "") -> subprocess.Popen[str]:
        """A process of the board that goes on."""
        with open(self.folder / (output or "stdout.txt"), "w") as out, open(self.folder / "stderr.txt", "a") as err:
            process = subprocess.Popen(
                [*STATUSBOARD, *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                text=True,
            )
        self.processes.append(process)
        return process

    def lines(self, output: str) -> list[dict[str, Any]]:
        """The whole JSON lines that a process has written so far."""
        text = (self.folder / output).read_text()
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def stored(self, read: Callable[[SQLiteStore], Awaitable[T]]) -> T:
        """Read the board's history as a follower would."""

        async def run() -> T:
            (database,) = (self.folder / "data").glob("*.sqlite")
            store = SQLiteStore(database, read_only=True)
            await store.open()
            try:
                return await read(store)
            finally:
                await store.close()

        return asyncio.run(run())

    def changes(self) -> list[Change]:
        """Everything that was stored, in order."""

        async def read(store: SQLiteStore) -> list[Change]:
            last = (await store.health()).seq
            found: list[Change] = []
            async for changes in store.changes(0):
                found += changes
                if found[-1].seq >= last:
                    break
            return found

        return self.stored(read)

    def close(self) -> None:
        for process in self.processes:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def bench(folder: Path, config: str) -> Iterator[Bench]:
    """A `Bench` that ends its processes."""
    made = Bench(folder, config)
    try:
        yield made
    finally:
        made.close()


def by_title(picture: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The items by the first word of their title."""
    return {item["title"].split(":")[0]: item for item in picture["items"]}
