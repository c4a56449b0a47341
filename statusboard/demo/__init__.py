"""The demo: a pretend company whose vendors answer over real HTTP on loopback, in the vendors' own formats.

`start` gives a `Demo`: servers, a deploy log and a configuration that reads them.  Nothing of it knows the board, and
the board reads it as it reads real vendors.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from statusboard.demo.alertmanager import Alertmanager
from statusboard.demo.buildbot import Buildbot
from statusboard.demo.deploylog import DeployLog
from statusboard.demo.github import GitHub
from statusboard.demo.records import Vendor
from statusboard.demo.roundup import TRACKER, USER, Roundup
from statusboard.demo.servers import Server
from statusboard.demo.settings import config_yaml
from statusboard.demo.world import World

__all__ = ["Demo", "World", "start"]

TICK = 1.0
"""Seconds between two advances of the world while nobody asks it anything."""


class Demo:
    """A running demo.  Close it, or use it with ``async with``."""

    def __init__(
        self,
        world: World,
        servers: Mapping[Vendor, Server],
        log: DeployLog,
        config_yaml: str,
        clock: Callable[[], float],
    ) -> None:
        self.world = world
        """The company; `World.act` lets something happen at once."""
        self.config_yaml = config_yaml
        """A complete configuration for the board."""
        self.urls = _urls(servers) | {"deploy-log": log.path.as_uri()}
        """The address of each vendor, as the configuration names it, and that of the deploy log."""
        self.log_path = log.path
        self._servers = servers
        self._log = log
        self._clock = clock
        self._ticking = asyncio.create_task(self._tick(), name="demo")
        for server in servers.values():
            server.before = self.advance
        self.advance()

    def advance(self) -> None:
        """Let the world catch up with the clock, and the servers and the log with the world."""
        self.world.advance(self._clock())
        for vendor, server in self._servers.items():
            server.fault = self.world.faults.get(vendor)
        self._log.write()

    async def close(self) -> None:
        """Stop the story and the servers.  The folder stays: it is the caller's."""
        self._ticking.cancel()
        with suppress(asyncio.CancelledError):
            await self._ticking
        for server in self._servers.values():
            await server.close()

    async def __aenter__(self) -> Demo:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self.advance()


async def start(
    *,
    size: int = 1,
    seed: int = 7,
    speed: float = 1.0,
    folder: Path,
    clock: Callable[[], float] = time.time,
    story: bool = True,
) -> Demo:
    """Start the pretend vendors, with their files (secrets, the deploy log) in ``folder``.

    ``size``: 1 is a small company, 90 one of 10,000 items.  ``seed``: the same gives the same story.  ``speed``: how
    many seconds of the story pass in one of ``clock`` (Unix seconds).  Without
    a ``story`` only what `World.act` asks for happens.  `ValueError` for a size or speed that cannot be.
    """
    world = World(seed=seed, size=size, speed=speed, start=clock(), story=story)
    secrets = {kind: f"demo-{kind}-{world.rng.getrandbits(64):016x}" for kind in ("token", "password")}
    files = _files(folder, {**secrets, "username": USER})
    github, roundup = GitHub(world, secrets["token"]), Roundup(world, secrets["password"])
    servers: dict[Vendor, Server] = {
        "github": Server(github.answer),
        "alertmanager": Server(Alertmanager(world).answer),
        "buildbot": Server(Buildbot(world).answer),
        "roundup": Server(roundup.answer),
    }
    try:
        for server in servers.values():
            await server.start()
    except OSError:
        for server in servers.values():
            await server.close()
        raise
    urls = _urls(servers)
    github.url, roundup.url = urls["github"], urls["roundup"]
    return Demo(world, servers, DeployLog(world, files["log"]), config_yaml(world, urls=urls, files=files), clock)


def _urls(servers: Mapping[Vendor, Server]) -> dict[str, str]:
    return {vendor: server.url + (TRACKER if vendor == "roundup" else "") for vendor, server in servers.items()}


def _files(folder: Path, secrets: Mapping[str, str]) -> dict[str, Path]:
    """Write the secrets to files that only their owner reads; also the path of an empty deploy log."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = {"log": folder / "deploys.jsonl"}
    files["log"].unlink(missing_ok=True)
    for kind, secret in secrets.items():
        files[kind] = folder / kind
        files[kind].unlink(missing_ok=True)
        handle = os.open(files[kind], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(secret + "\n")
    return files
