"""Pretend vendors on loopback: as many types as the board knows, each with a hundred items in its documented shape.

with Vendors(30) as vendors:
    config = f"sources: {vendors.sources(interval='1s')}"
    vendors.cut()       # nobody listens any more
    vendors.hang()      # connections are taken, and nothing is ever answered
    vendors.answer()    # as before

Each source has a vendor, a port and items of its own. Nothing is conditional: every answer is a 200 with its body.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar
from urllib.parse import parse_qs, urlsplit

from tests.real.vendors import builds, incidents, releases, tickets
from tests.real.vendors.shape import ITEMS, Place, Request, Vendor

__all__ = ["ITEMS", "VENDORS", "Asked", "Vendors"]

T = TypeVar("T")

VENDORS: tuple[Vendor, ...] = (*builds.VENDORS, *incidents.VENDORS, *releases.VENDORS, *tickets.VENDORS)


class Asked(NamedTuple):
    """A request as it came; ``headers`` by names as they were written."""

    url: str
    method: str
    headers: dict[str, str]
    body: str


class Vendors:
    """The vendors of ``count`` sources: one of each type in turn.  Use it as a context manager."""

    def __init__(self, count: int) -> None:
        began = datetime.now(UTC).replace(microsecond=0)
        self._counters = [_Counter(VENDORS[n % len(VENDORS)], Place(n, began)) for n in range(count)]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="vendors", daemon=True)

    @property
    def types(self) -> list[str]:
        """The type of each source."""
        return [counter.vendor.type for counter in self._counters]

    @property
    def names(self) -> list[str]:
        """The name of each source."""
        return [counter.name for counter in self._counters]

    def sources(self, **more: Any) -> str:
        """``sources:`` of the config, in JSON, which is YAML; ``more`` options go to each."""
        return json.dumps([counter.source(more) for counter in self._counters])

    def asked(self) -> list[Asked]:
        """What was asked since this was called last."""
        return self._do(self._take())

    def cut(self) -> None:
        """End every connection and listen no more: who asks is refused at once."""
        self._each(_Counter.close)

    def hang(self) -> None:
        """End every connection; those that are made from now on are never answered."""
        self._each(_Counter.hang)

    def answer(self) -> None:
        """Answer, at the same addresses as before."""
        self._each(_Counter.open)

    def __enter__(self) -> Self:
        self._thread.start()
        self.answer()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._each(_Counter.end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _each(self, what: Any) -> None:
        async def run() -> None:
            for counter in self._counters:
                await what(counter)

        self._do(run())

    async def _take(self) -> list[Asked]:
        asked = [asked for counter in self._counters for asked in counter.asked]
        for counter in self._counters:
            counter.asked.clear()
        return asked

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)


class _Counter:
    """One vendor at its port, which stays its own while nobody listens there."""

    def __init__(self, vendor: Vendor, place: Place) -> None:
        self.vendor = vendor
        self.place = place
        self.asked: list[Asked] = []
        self._held = _bound(0)
        self._port: int = self._held.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._answers: dict[tuple[str, str, bytes], bytes] = {}

    @property
    def name(self) -> str:
        return f"{self.vendor.type}-{self.place.number}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def source(self, more: dict[str, Any]) -> dict[str, Any]:
        options = self.vendor.options(self.place)
        return {"type": self.vendor.type, "name": self.name, "url": self.url, **options, **more}

    async def open(self) -> None:
        await self.close()
        self._held.listen(100)
        self._server = await asyncio.start_server(self._serve, sock=self._held)

    async def hang(self) -> None:
        await self.close()
        self._held.listen(100)  # the system takes connections, and nobody ever looks at them

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        self._held.close()
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()
        # Bound without listening: connections are refused, and nobody else gets the port meanwhile.
        self._held = _bound(self._port)

    async def end(self) -> None:
        await self.close()
        self._held.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").rstrip().split("\r\n")
                headers = dict(line.split(": ", 1) for line in lines)
                size = next((value for name, value in headers.items() if name.lower() == "content-length"), "0")
                body = await reader.readexactly(int(size))
                method, target, _ = first.split(" ")
                self.asked.append(Asked(self.url + target, method, headers, body.decode()))
                writer.write(self._answer(method, target, body))
                await writer.drain()
        self._open.discard(writer)
        writer.close()

    def _answer(self, method: str, target: str, body: bytes) -> bytes:
        """The whole answer; made once, since nothing ever changes."""
        known = self._answers.get((method, target, body))
        if known is None:
            parts = urlsplit(target)
            ask = Request(method, parts.path, parse_qs(parts.query), body)
            known = self._answers[method, target, body] = _message(self.vendor.answer(self.place, ask))
        return known


def _message(told: Any) -> bytes:
    status, kind = "200 OK", "application/json"
    if isinstance(told, bytes):
        payload, kind = told, "application/xml"
    elif told is None:
        status, payload = "404 Not Found", b'{"message": "Not Found"}'
    else:
        payload = json.dumps(told, separators=(",", ":")).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(payload)}\r\n\r\n"
    return head.encode() + payload


def _bound(port: int) -> socket.socket:
    """A socket at that port of loopback, or at any that is free."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", port))
    held.setblocking(False)
    return held
