"""A demo whose clock is turned by hand, and clients that may read it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from statusboard.demo import Demo, start

START = 1_790_000_000.0


NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Shared, since to load the authorities for each client takes longer than a test."""


def client(url: str = "", **options: Any) -> httpx.AsyncClient:
    """A client that is quickly made."""
    return httpx.AsyncClient(base_url=url, verify=NO_TLS, trust_env=False, **options)


class HandClock:
    """Unix time that stands still until it is turned."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now

    def turn(self, seconds: float) -> None:
        self.now += seconds


class Play:
    """A demo, its clock, its configuration, and a client for each vendor with the right credentials."""

    def __init__(self, demo: Demo, clock: HandClock) -> None:
        self.demo = demo
        self.clock = clock
        self.config: dict[str, Any] = yaml.safe_load(demo.config_yaml)
        self.sources: dict[str, dict[str, Any]] = {source["type"]: source for source in self.config["sources"]}
        token = f"Bearer {self.secret('github', 'token')}"
        login = (self.secret("roundup", "username"), self.secret("roundup", "password"))
        self.github = client(demo.urls["github"], headers={"Authorization": token})
        self.alertmanager = client(demo.urls["alertmanager"])
        self.buildbot = client(demo.urls["buildbot"])
        self.roundup = client(demo.urls["roundup"], auth=login)

    @property
    def clients(self) -> dict[str, httpx.AsyncClient]:
        return {name: getattr(self, name) for name in ("github", "alertmanager", "buildbot", "roundup")}

    def secret(self, type: str, kind: str) -> str:
        return Path(self.sources[type][kind].removeprefix("file:")).read_text().strip()

    def turn(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.turn(seconds)
        self.demo.advance()

    async def close(self) -> None:
        for client in self.clients.values():
            await client.aclose()
        await self.demo.close()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def still(tmp_path: Path, clock: HandClock) -> AsyncIterator[Play]:
    """A demo in which nothing happens by itself."""
    play = Play(await start(folder=tmp_path / "still", clock=clock, story=False), clock)
    yield play
    await play.close()


@pytest.fixture
async def play(tmp_path: Path, clock: HandClock) -> AsyncIterator[Play]:
    play = Play(await start(folder=tmp_path / "demo", clock=clock), clock)
    yield play
    await play.close()
