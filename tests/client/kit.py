"""What the tests of the client share: a plain source, a vendor that records what it is asked, loopback servers."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar, TypeAlias

import httpx
import msgspec

from statusboard.client import ClientPool, SourceClient, mock
from statusboard.clock import Clock, FakeClock, SystemClock, duration_dec_hook
from statusboard.model import ItemKind
from statusboard.source import Context, Source

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


def make_source(cls: type[Source[Any]], options: Mapping[str, object], clock: Clock | None = None) -> Source[Any]:
    """A source as the board makes it."""
    bound = msgspec.convert({"type": cls.type, "name": cls.type, **options}, cls.Options, dec_hook=duration_dec_hook)
    return cls(bound, Context(name=bound.name, clock=clock or FakeClock(), log=logging.getLogger("statusboard.source")))


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
        self.scheme = "http"
        self.tasks: set[asyncio.Task[None]] = set()
        self._open: set[Writer] = set()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def handle(self, reader: Reader, writer: Writer) -> None:
        self.connections += 1
        self._open.add(writer)
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
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
async def serving(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A running `Server`."""
    server = Server(behaviour)
    listening = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=tls)
    server.scheme = "https" if tls else "http"
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        server.hang_up()
        await asyncio.wait_for(asyncio.gather(*server.tasks, return_exceptions=True), 10)


@asynccontextmanager
async def real_client(
    url: str,
    cls: type[Source[Any]] = Plain,
    *,
    clock: Clock | None = None,
    **options: object,
) -> AsyncIterator[SourceClient]:
    """A client with real connections."""
    clock = clock or SystemClock()
    async with ClientPool(clock, trust_env=False, max_bytes=1_000_000) as pool:
        yield pool.for_source(make_source(cls, {"url": url, "name": "plain", **options}, clock=clock))


def answer(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """An HTTP/1.1 answer as it goes over the wire."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def saying(*pieces: bytes, then_close: bool = False) -> Behaviour:
    """To write these to whoever asks."""

    async def behave(reader: Reader, writer: Writer, head: bytes) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if then_close:
            writer.close()

    return behave


async def turns(count: int = 60) -> None:
    """Let other tasks come to rest."""
    for _ in range(count):
        await asyncio.sleep(0)
