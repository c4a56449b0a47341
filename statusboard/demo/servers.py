"""A small HTTP/1.1 server on loopback, for answers that are ready at once.

It keeps connections alive, answers HEAD with the headers of GET, and can play a server that is in trouble:
`Server.fault`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from statusboard.demo.records import Fault

log = logging.getLogger(__name__)

BIGGEST_BODY = 1_000_000
"""Bytes.  Nothing that is posted here is longer."""

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks for.  Header names are in lower case; the path is decoded, ``target`` is as it was sent."""

    method: str
    target: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes = b""

    def all(self, name: str) -> list[str]:
        """Every value of a query parameter."""
        return [value for key, value in self.query if key == name]

    def first(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return next((value for key, value in self.query if key == name), default)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; ``Date``, ``Content-Length`` and ``Connection`` are added on the way out."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Response]

UNAVAILABLE = Response(503, b"<html><body><h1>503 Service Unavailable</h1></body></html>", "text/html")
"""What a proxy answers for a server that it cannot reach."""


class Pages:
    """Rendered answers, kept until what they show has changed."""

    def __init__(self, keep: int = 4096) -> None:
        self._keep = keep
        self._pages: dict[Hashable, tuple[Hashable, Response]] = {}

    def get(self, key: Hashable, revision: Hashable, make: Callable[[], Response]) -> Response:
        """What ``make`` returned for ``key``; it is called anew only if ``revision`` is another than then."""
        page = self._pages.get(key)
        if page is None or page[0] != revision:
            page = (revision, make())
            if len(self._pages) >= self._keep:
                self._pages.clear()
            self._pages[key] = page
        return page[1]


def encode(value: object) -> bytes:
    """``value`` as JSON."""
    return _encoder.encode(value)


class _BadRequest(Exception):
    """The client does not speak HTTP as this server does; the argument is the status to answer with."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Server:
    """Serves ``handler`` on a free port of 127.0.0.1."""

    before: Callable[[], None]
    """Called ahead of every request: the owner lets the world catch up there and sets `fault`."""

    def __init__(self, handler: Handler) -> None:
        self.before = lambda: None
        self._handler = handler
        self._fault: Fault | None = None
        self._changed = asyncio.Event()
        self._closing = False
        self._listener: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``, once it listens."""
        if self._listener is None:
            raise RuntimeError("the server has not been started")
        port = self._listener.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    @property
    def fault(self) -> Fault | None:
        """What ails the server: it answers 503 (``unavailable``), never answers (``hang``), drops the connection
        (``drop``) or breaks off in the middle of an answer (``cut``)."""
        return self._fault

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        if fault != self._fault:
            self._fault = fault
            self._changed.set()  # who hangs now is let go
            self._changed = asyncio.Event()

    async def start(self) -> None:
        """Begin to listen."""
        self._listener = await asyncio.start_server(self._connected, "127.0.0.1", 0)

    async def close(self) -> None:
        """Stop listening, drop every connection and wait until all is gone."""
        self._closing = True
        self._changed.set()
        if self._listener is not None:
            self._listener.close()
        for writer in self._connections.values():
            writer.transport.abort()
        await asyncio.gather(*self._connections)
        if self._listener is not None:
            await self._listener.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = writer
        try:
            while not self._closing and await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone, which is its right
        except asyncio.CancelledError:
            pass  # the loop is being closed; asyncio's streams report a cancelled connection as an error
        finally:
            del self._connections[task]
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer.  Returns whether the connection stays open."""
        try:
            request, keep = await _read(reader)
        except _BadRequest as bad:
            writer.write(_wire(Response(bad.status, content_type="text/plain"), head=False, keep=False))
            await writer.drain()
            return False
        self.before()
        fault, changed = self._fault, self._changed
        if fault == "hang":
            await changed.wait()
        if fault in ("hang", "drop") or self._closing:
            writer.transport.abort()
            return False
        head = request.method == "HEAD"
        if fault == "unavailable":
            writer.write(_wire(UNAVAILABLE, head=head, keep=keep))
        else:
            answer = _wire(self._answer(request), head=head, keep=keep)
            writer.write(answer[: len(answer) // 2] if fault == "cut" else answer)
        await writer.drain()
        return keep and fault != "cut"

    def _answer(self, request: Request) -> Response:
        try:
            return self._handler(request)
        except Exception:  # the boundary of the server: a fault of ours is a 500, as everywhere
            log.exception("no answer to %s %s", request.method, request.target)
            return Response(500, b"{}")


async def _read(reader: asyncio.StreamReader) -> tuple[Request, bool]:
    """The next request of a connection, and whether the client wants to keep it open."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise _BadRequest(431) from None
    lines = head.decode("latin-1").split("\r\n")
    try:
        method, target, version = lines[0].split(" ")
        headers = {name.strip().lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:-2])}
        length = int(headers.get("content-length", "0"))
        parts = urlsplit(target)
    except ValueError:
        raise _BadRequest(400) from None
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise _BadRequest(505)
    if "transfer-encoding" in headers:
        raise _BadRequest(411)
    if length < 0 or length > BIGGEST_BODY:
        raise _BadRequest(400 if length < 0 else 413)
    body = await reader.readexactly(length)
    query = tuple(parse_qsl(parts.query, keep_blank_values=True))
    connection = headers.get("connection", "").lower()
    keep = connection != "close" if version == "HTTP/1.1" else connection == "keep-alive"
    return Request(method, target, unquote(parts.path), query, headers, body), keep


def _wire(response: Response, *, head: bool, keep: bool) -> bytes:
    lines = [
        f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
        f"Date: {formatdate(usegmt=True)}",
    ]
    if response.status != HTTPStatus.NOT_MODIFIED:
        lines += [f"Content-Type: {response.content_type}", f"Content-Length: {len(response.body)}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    if not keep:
        lines.append("Connection: close")
    text = "\r\n".join(lines) + "\r\n\r\n"
    bare = head or response.status == HTTPStatus.NOT_MODIFIED
    return text.encode("latin-1") + (b"" if bare else response.body)
