"""What the tests of the client share: a plain source, a vendor that records what it is asked, loopback servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar, TypeAlias

import httpx

from statusboard.client import ClientPool, SourceClient, mock
from statusboard.clock import Clock, FakeClock, SystemClock
from statusboard.model import ItemKind
from statusboard.source import Source
from statusboard.testing import make_source

TOKEN = "tok-0123456789abcdef"
ENVIRON = {"TOKEN": TOKEN, "USER": "ada", "PASSWORD": "lovelace-1815"}
BASE = "https://ci.example"

Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter
Behaviour: TypeAlias = Callable[[Reader, Writer, bytes], Awaitable[None]]


class Plain(Source[Any]):
    """A source that is only asked for its client."""

    type = "plain"
    kinds = frozenset[ItemKind]({"incident"})
    default_url = "https://default.example"
    further: ClassVar[tuple[str, ...]] = ()

    def origins(self) -> tuple[str, ...]:
        return self.further


class OneAtATime(Plain):
    """As GitHub asks for: one request after the other."""

    concurrency = 1


class Vendor:
    """Answers by path, and keeps every request.  A path without an answer is a 404."""

    def __init__(self, answers: Mapping[str, httpx.Response | Callable[[httpx.Request], httpx.Response]]) -> None:
        self.answers = dict(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.get(str(request.url).removeprefix(BASE), httpx.Response(404))
        answer = answer(request) if callable(answer) else answer
        # A response is used up by one reading: hand out copies.
        return httpx.Response(answer.status_code, headers=answer.headers.raw, stream=httpx.ByteStream(answer.content))

    @property
    def urls(self) -> list[str]:
        return [str(request.url).removeprefix(BASE) for request in self.requests]

    @property
    def last(self) -> httpx.Request:
        return self.requests[-1]


def client_of(
    vendor: Callable[[httpx.Request], httpx.Response],
    cls: type[Source[Any]] = Plain,
    *,
    clock: Clock | None = None,
    environ: Mapping[str, str] = ENVIRON,
    **options: object,
) -> SourceClient:
    """The client of a source at BASE over a pretended network."""
    source = make_source(cls, {"url": BASE, **options}, clock=clock or FakeClock())
    return mock(source, vendor, environ=environ)


class Server:
    """A loopback server that behaves as ``behaviour`` says after each request's head; keeps the heads."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.heads: list[bytes] = []
        self.connections = 0
        self.port = 0
        self._open: set[Writer] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, reader: Reader, writer: Writer) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                await self.behaviour(reader, writer, head)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client is gone, as many of these tests want it
        finally:
            self._open.discard(writer)
            writer.close()

    def hang_up(self) -> None:
        """Close every connection that is open now."""
        for writer in list(self._open):
            writer.transport.abort()


@asynccontextmanager
async def serving(behaviour: Behaviour) -> AsyncIterator[Server]:
    """A running `Server`."""
    server = Server(behaviour)
    listening = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        server.hang_up()
        listening.close()


@asynccontextmanager
async def real_client(
    url: str, cls: type[Source[Any]] = Plain, *, clock: Clock | None = None, max_bytes: int = 1_000_000, **options: object
) -> AsyncIterator[SourceClient]:
    """A client with real connections."""
    clock = clock or SystemClock()
    async with ClientPool(clock, trust_env=False, max_bytes=max_bytes) as pool:
        yield pool.for_source(make_source(cls, {"url": url, "name": "plain", **options}, clock=clock))


def answer(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """An HTTP/1.1 answer as it goes over the wire."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def turns(count: int = 60) -> None:
    """Let other tasks come to rest."""
    for _ in range(count):
        await asyncio.sleep(0)
