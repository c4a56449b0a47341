"""What all sources of a process share: connections, TLS, queues and quotas."""

from __future__ import annotations

import asyncio
import os
import ssl
import tempfile
import urllib.request
from collections import deque
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import TypeAlias

import httpx

from statusboard import __version__
from statusboard.client._budget import Ledger
from statusboard.client._queue import OUTSIDE, FairQueue
from statusboard.clock import Clock
from statusboard.errors import TransportError
from statusboard.source import TLSData, TLSOptions
from statusboard.text import clean

KEEP_ALIVE = 120.0
"""Seconds a connection is kept between polls; a server that closes it earlier is asked over a new one."""

PROXIES_KEPT = 60.0
"""Seconds for which the environment's (on some systems: the settings') proxies are not asked for again."""

USER_AGENT = f"statusboard/{__version__}"

TLS: TypeAlias = TLSOptions | TLSData

_PLAIN = TLSOptions()
_MOST_LANES = 512


class Lane:
    """The queue and the quotas of one origin and credential."""

    __slots__ = ("ledger", "queue")

    def __init__(self, queue: FairQueue, clock: Clock) -> None:
        self.queue = queue
        self.ledger = Ledger(clock)


class Transports:
    """What reaches one place: each transport has one connection, and is lent to one request at a time.

    The library's own pools look at every idle connection at every request, and hand the same one to two requests that
    start together; many sources that poll one origin would pay for that with a quarter of a request each.
    """

    __slots__ = ("_clock", "_idle", "_keep", "_make", "closed")

    def __init__(self, make: Callable[[], httpx.AsyncBaseTransport], keep: float, clock: Clock) -> None:
        self._make = make
        self._keep = keep
        self._clock = clock
        self._idle: deque[tuple[float, httpx.AsyncBaseTransport]] = deque()
        self.closed = False

    def lend(self) -> httpx.AsyncBaseTransport:
        """The one that was used last, so that few connections are kept alive."""
        return self._idle.pop()[1] if self._idle else self._make()

    async def take_back(self, transport: httpx.AsyncBaseTransport) -> None:
        """It can be lent again; those that nobody needed for long are closed."""
        now = self._clock.monotonic()
        self._idle.append((now, transport))
        while self._idle and (self.closed or self._idle[0][0] < now - self._keep):
            await self._idle.popleft()[1].aclose()

    async def aclose(self) -> None:
        """Close those that are not lent now, and the others when they come back."""
        self.closed = True
        while self._idle:
            await self._idle.popleft()[1].aclose()


class Shared:
    """Connections and lanes.  ``transport`` stands in for the network."""

    def __init__(
        self,
        clock: Clock,
        *,
        transport: httpx.AsyncBaseTransport | None,
        trust_env: bool,
        patience: float,
        max_bytes: int,
        salt: bytes,
    ) -> None:
        self.clock = clock
        self.max_bytes = max_bytes
        self.salt = salt
        self._fixed = None if transport is None else Transports(lambda: transport, inf, clock)
        self._trust_env = trust_env
        self._proxies: dict[tuple[str, bytes], str | None] = {}
        self._proxies_until = 0.0
        self._patience = patience
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._transports: dict[tuple[str, TLS], Transports] = {}
        self._users: dict[tuple[str, TLS], set[object]] = {}
        self._contexts: dict[TLS, asyncio.Task[ssl.SSLContext]] = {}
        self._no_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # for plain http: making one by default takes long

    @property
    def lanes(self) -> int:
        """How many lanes there are."""
        return len(self._lanes)

    async def aclose(self) -> None:
        """Close every connection."""
        for lane in self._lanes.values():
            lane.queue.close()
        self._lanes.clear()
        for context in self._contexts.values():
            context.cancel()
        self._contexts.clear()
        transports = list(self._transports.values())
        self._transports.clear()
        for transport in transports:
            await transport.aclose()

    def lane(self, origin: str, fingerprint: str, concurrency: int) -> Lane:
        """The lane of an origin and credential; several sources that share it keep to the least ``concurrency``."""
        lane = self._lanes.get((origin, fingerprint))
        if lane is None:
            if len(self._lanes) >= _MOST_LANES:  # credentials that change by the hour leave one behind each
                self._lanes = {key: lane for key, lane in self._lanes.items() if lane.queue.busy or lane.queue.outside}
            queue = FairQueue(concurrency, self.clock, patience=self._patience, outside=OUTSIDE)
            lane = Lane(queue, self.clock)
            self._lanes[origin, fingerprint] = lane
        else:
            lane.queue.limit = min(lane.queue.limit, concurrency)
        return lane

    async def transports(self, url: httpx.URL, origin: str, tls: TLS, *, home: bool, user: object = None) -> Transports:
        """The connections to use.  Each configured origin has its own; all others share some per TLS option and proxy.

        Those of a configured origin stay until every ``user`` has let go of them.

        Foreign origins get no client certificate, and theirs is verified whatever ``tls:`` says of the source's own
        server.
        """
        if self._fixed is not None:
            return self._fixed
        if not home:
            tls = type(tls)(ca=tls.ca)
        proxy = self._proxy(url)
        key = (origin if home else f"proxy {proxy}", tls if url.scheme == "https" or not home else _PLAIN)
        transports = self._transports.get(key)
        if transports is None:
            encrypted = url.scheme == "https" or (proxy or "").startswith("https:") or not home
            context = await self._context(tls) if encrypted else self._no_tls
            keep = KEEP_ALIVE if home else 5.0
            transports = self._transports.setdefault(
                key, Transports(lambda: _connect(context, proxy, keep), keep, self.clock)
            )
        if home:
            self._users.setdefault(key, set()).add(user)
        return transports

    async def let_go(self, user: object) -> None:
        """Close what only this user had in use."""
        for key in [key for key, users in self._users.items() if user in users]:
            self._users[key].discard(user)
            if not self._users[key]:
                del self._users[key]
                if (transports := self._transports.pop(key, None)) is not None:
                    await transports.aclose()

    def _proxy(self, url: httpx.URL) -> str | None:
        if not self._trust_env:
            return None
        now = self.clock.monotonic()
        if now >= self._proxies_until:  # asking costs as much as a tenth of a request
            self._proxies.clear()
            self._proxies_until = now + PROXIES_KEPT
        place = (url.scheme, url.netloc)
        if place not in self._proxies:
            self._proxies[place] = _proxy_for(*place)
        return self._proxies[place]

    async def _context(self, tls: TLS) -> ssl.SSLContext:
        # In a thread: loading the authorities takes tens of milliseconds.  In a task: who asks first may be cancelled.
        task = self._contexts.get(tls)
        if task is None:
            task = asyncio.create_task(asyncio.to_thread(_context, tls, self._trust_env), name="statusboard-tls")
            self._contexts[tls] = task
        try:
            return await asyncio.shield(task)
        except TransportError:
            self._contexts.pop(tls, None)  # the file may be mended meanwhile
            raise


def _connect(context: ssl.SSLContext, proxy: str | None, keep: float) -> httpx.AsyncBaseTransport:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=1, keepalive_expiry=keep)
    try:
        return httpx.AsyncHTTPTransport(verify=context, limits=limits, proxy=proxy, trust_env=False)
    except (ImportError, ValueError, httpx.InvalidURL):
        raise TransportError("the proxy that the environment names cannot be used (http and https can)") from None


def _proxy_for(scheme: str, netloc: bytes) -> str | None:
    """The proxy that the environment (or the system) names for a place."""
    proxies = urllib.request.getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    if not proxy or urllib.request.proxy_bypass(netloc.decode("ascii")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _context(tls: TLS, trust_env: bool) -> ssl.SSLContext:
    """Raises `TransportError` where a file of ``tls:``, or the text in its place, cannot be used."""
    context = _trusting(tls, trust_env)
    if isinstance(tls, TLSData):
        if tls.cert:
            _identify_by_text(context, tls)
    else:
        cert, key = _readable("cert", tls.cert), _readable("key", tls.key)
        if cert:
            _identify(context, cert, key, "tls.cert, tls.key")
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _trusting(tls: TLS, trust_env: bool) -> ssl.SSLContext:
    place = "the certificate authority"
    try:
        if isinstance(tls, TLSData):
            if tls.ca:
                return ssl.create_default_context(cadata=tls.ca)
        elif ca := _readable("ca", tls.ca):
            place = f"tls.ca: {clean(ca)}"
            return ssl.create_default_context(cafile=ca)
        # The authorities that come with the library, and those of the system: companies add their own there.
        context = httpx.create_ssl_context(trust_env=trust_env)
        context.load_default_certs()
        return context
    except (OSError, TypeError, ValueError):  # ssl.SSLError is an OSError; what is not ASCII is a TypeError
        raise TransportError(f"{place} holds no certificates in PEM form") from None


def _identify(context: ssl.SSLContext, cert: str, key: str, what: str) -> None:
    try:
        # An encrypted key would ask for its password on the terminal; with an empty one it fails instead.
        context.load_cert_chain(cert, key or None, password=lambda: "")
    except (OSError, ValueError):
        raise TransportError(f"{what}: not a certificate and its unencrypted key in PEM form") from None


def _identify_by_text(context: ssl.SSLContext, tls: TLSData) -> None:
    """The library takes a client certificate from a file only: from one that nobody else may read, gone at once."""
    try:
        handle, path = tempfile.mkstemp(prefix="statusboard-")
        try:
            with open(handle, "w", encoding="utf-8", errors="replace") as file:
                file.write(f"{tls.cert}\n{tls.key}\n")
            _identify(context, path, "", "the client certificate and its key")
        finally:
            os.unlink(path)
    except OSError as exc:
        reason = (exc.strerror or "it cannot be written").lower()
        raise TransportError(f"the client certificate needs a temporary file: {reason}") from None


def _readable(name: str, path: str) -> str:
    if not path:
        return ""
    try:
        expanded = Path(path).expanduser()
        with expanded.open("rb"):
            return str(expanded)
    except (OSError, RuntimeError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else "not a path"
        raise TransportError(f"tls.{name}: {clean(path)} cannot be read: {reason.lower()}") from None
