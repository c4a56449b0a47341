"""One request: its turn in the queue, the sending, redirects, reading the answer, and what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

import httpx
import msgspec
from msgspec import Struct

from statusboard.client._budget import http_date
from statusboard.client._faults import ERROR_BYTES, fault_of, transport_fault
from statusboard.client._reading import Answer, Headers, read_body
from statusboard.client._shared import USER_AGENT, Lane, Shared
from statusboard.client._signing import Signature, Signer, lowered
from statusboard.client._urls import Target, Targets, checked
from statusboard.errors import AuthError, BadAnswer, RateLimited, Refused, Timeout, TooLarge
from statusboard.model import Validator
from statusboard.source import Source, SourceOptions

MAX_REDIRECTS = 5
WHOLE_REQUEST = 3.0
"""How many times ``timeout`` (which bounds connecting and each silence) one request may last in all."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_UNEXPLAINED_PAUSE = 10.0  # seconds without requests after a 429 that names no time
_OFFSET_SMOOTHING = 0.2

_Encoded = dict[str, tuple[bytes, bytes]]


class Call(Struct, frozen=True, kw_only=True):
    """What is asked on behalf of ``scope``, wherever it leads."""

    method: str = "GET"
    scope: str
    headers: Mapping[str, str] | None = None
    body: bytes | None = None
    validator: Validator | None = None
    redirected: bool = False


class Exchange:
    """Sends the requests of one source."""

    def __init__(
        self, shared: Shared, source: Source[Any], options: SourceOptions, targets: Targets, signer: Signer
    ) -> None:
        self.requests = 0
        self.clock_offset: float | None = None
        self._name = source.name
        self._concurrency = source.concurrency
        self._shared = shared
        self._clock = shared.clock
        self._source = source
        self._explains = type(source).fault is not Source.fault
        self._targets = targets
        self._signer = signer
        self._timeout = float(options.timeout)
        self._extensions = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), self._timeout)}
        self._common = {"user-agent": USER_AGENT, **lowered(source.request_headers())}
        self._signed: tuple[Signature, _Encoded] | None = None

    async def aclose(self) -> None:
        """Close the connections that nobody else uses."""
        await self._shared.let_go(self)

    def lane(self, target: Target, signature: Signature) -> Lane:
        """The queue and quotas that a request falls under."""
        if target.home:
            return self._shared.lane(target.origin, signature.fingerprint, self._concurrency)
        # Foreign origins may be many and short-lived: one lane for all that this source is led to.
        return self._shared.lane(f"where {self._name} leads", "", self._concurrency)

    async def ask(self, call: Call, target: Target) -> Answer:
        """Send, follow redirects, and read a 2xx answer (or a 304, where the call has a validator).

        Everything else is raised as a `SourceError`.
        """
        signature = self._signer.ready or await self._signer.signature()
        if not target.home and (signature.headers or self._signer.each):
            _refuse_downgrade(self._targets.base, target)
        answer = await self._turn(call, target, signature)
        if answer.status not in _REDIRECTS:
            return answer
        call = msgspec.structs.replace(call, validator=None, redirected=True)
        for _ in range(MAX_REDIRECTS):
            target = self._follow(call, target, answer)
            answer = await self._turn(call, target, signature)
            if answer.status not in _REDIRECTS:
                return answer
        raise BadAnswer(f"{call.method} {target.where}: more than {MAX_REDIRECTS} redirects", status=answer.status)

    def _follow(self, call: Call, target: Target, answer: Answer) -> Target:
        where = f"{answer.where}: {answer.status}"
        location = answer.headers.get("location", "")
        if not location:
            raise BadAnswer(f"{where} without a place to go to", status=answer.status)
        try:
            url = checked(target.url.join(location))
        except (httpx.InvalidURL, ValueError):
            raise BadAnswer(f"{where} to what is no URL", status=answer.status) from None
        following = self._targets.at(url)
        _refuse_downgrade(target.url, following)
        if call.method != "GET":
            answer.url = following.text  # who is sent to a sign-in page should learn whose it is
            message = f"{where} to {following.where}, where a {call.method} is not sent again"
            raise answer.explained(BadAnswer(message, status=answer.status))
        return following

    async def _turn(self, call: Call, target: Target, signature: Signature) -> Answer:
        """One request, when it is its turn."""
        lane = self.lane(target, signature)
        where = f"{call.method} {target.where}"
        slot = lane.queue.enter(self._name, call.scope)
        if slot is None:
            slot = await lane.queue.wait(self._name, call.scope)
        try:
            if target.home and (wait := lane.ledger.refused_for(target.area)):
                raise RateLimited(f"{where}: not sent, the quota is used up for {wait:.0f} s more", retry_after=wait)
            headers = self._headers(call, target, signature)
            async with asyncio.timeout(self._timeout * WHOLE_REQUEST):
                if self._signer.each and target.home:
                    headers = await self._sign(call, target, signature, headers)
                request = httpx.Request(
                    call.method, target.url, headers=headers, content=call.body, extensions=self._extensions
                )
                tls = self._source.tls()
                transports = await self._shared.transports(target.url, target.origin, tls, home=target.home, user=self)
                transport = transports.lend()
                try:
                    response = await self._send(transport, request)
                    lane.queue.heard(slot)
                    try:
                        return await self._read(response, call, target, signature, lane, where)
                    finally:
                        await response.aclose()
                finally:
                    await transports.take_back(transport)
        except TimeoutError:
            limit = self._timeout * WHOLE_REQUEST
            raise Timeout(f"{where}: not answered in full within {limit:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError) as exc:
            raise transport_fault(exc, where, self._timeout) from None
        finally:
            lane.queue.leave(slot)

    async def _send(self, transport: httpx.AsyncBaseTransport, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        try:
            return await transport.handle_async_request(request)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            if request.method != "GET":
                raise
        # A server may close a kept connection at the very moment at which it is used again.
        self.requests += 1
        return await transport.handle_async_request(request)

    def _headers(self, call: Call, target: Target, signature: Signature) -> list[tuple[bytes, bytes]]:
        more = lowered(call.headers) if call.headers else {}
        if not target.home:
            # What was meant for the source's own server may tell who we are.
            accept = {**self._common, **more}.get("accept", "*/*")
            known = _encoded({"user-agent": USER_AGENT, "accept": accept, "accept-encoding": "gzip"})
        elif not more and self._signed is not None and self._signed[0] is signature:
            known = self._signed[1]
        else:
            known = _encoded({**self._common, **more, **signature.headers, "accept-encoding": "gzip"})
            if not more:
                self._signed = (signature, known)
        raw = list(known.values())
        if call.body is not None and "content-type" not in known:
            raw.append((b"content-type", b"application/json"))
        if call.validator is not None and call.validator.etag:
            raw.append((b"if-none-match", call.validator.etag.encode("latin-1", "replace")))
        if call.validator is not None and call.validator.last_modified:
            raw.append((b"if-modified-since", call.validator.last_modified.encode("latin-1", "replace")))
        return raw

    async def _sign(
        self, call: Call, target: Target, signature: Signature, raw: list[tuple[bytes, bytes]]
    ) -> list[tuple[bytes, bytes]]:
        """The headers of a request with those that sign it, which win."""
        headers = {name.decode("ascii"): value.decode("latin-1") for name, value in raw}
        signed = await self._signer.sign_each(signature, call.method, target.text, headers, call.body or b"")
        return list(_encoded({**headers, **signed}).values())

    async def _read(
        self, response: httpx.Response, call: Call, target: Target, signature: Signature, lane: Lane, where: str
    ) -> Answer:
        status = response.status_code
        headers = Headers(response.headers.raw)
        now = self._clock.now()
        if target.home:
            lane.ledger.learn(self._name, target.area, headers.lower, status)
            self._compare_clocks(headers.lower, now)
        body = b""
        if 200 <= status < 300 and status != 206:
            body = await _body(response, headers, where, self._shared.max_bytes)
            if (call.redirected or status == 203) and "html" in headers.lower.get("content-type", ""):
                self._signer.refused()
        elif status in _REDIRECTS or (status == 304 and call.validator is not None):
            await _drain(response)
        else:
            error_body = await _error_body(response, headers, where)
            fault = fault_of(status, headers.lower, error_body, where, now)
            answer = self._answer(status, target, headers, error_body, call, where)
            if self._explains and target.home:
                fault = self._source.fault(answer, fault)
            fault = answer.explained(fault)
            if isinstance(fault, RateLimited) and target.home:
                lane.ledger.block(_UNEXPLAINED_PAUSE if fault.retry_after is None else fault.retry_after)
            raise self._advised(fault, call, target, signature) if isinstance(fault, AuthError) else fault
        return self._answer(status, target, headers, body, call, where)

    def _answer(self, status: int, target: Target, headers: Headers, body: bytes, call: Call, where: str) -> Answer:
        return Answer(
            status,
            target.text,
            headers,
            body,
            where=where,
            redirected=call.redirected,
            asker=self._source.type,
            home=target.home,
        )

    def _advised(self, fault: AuthError, call: Call, target: Target, signature: Signature) -> AuthError:
        """What a person should know of a refusal, beside the vendor's words."""
        if target.home:
            self._signer.refused()
            advice = "" if signature.headers or self._signer.each else "no credential is configured for this source"
        elif signature.headers or self._signer.each:
            way = "redirected to" if call.redirected else "it lies at"
            advice = f"{way} {target.origin}, where the credential is not sent; is url: right?"
        else:
            advice = ""
        return AuthError(f"{fault}; {advice}", status=fault.status) if advice else fault

    def _compare_clocks(self, headers: Mapping[str, str], now: datetime) -> None:
        theirs = http_date(headers.get("date", ""))
        if theirs is None:
            return
        offset = (theirs - now).total_seconds() + 0.5  # a Date is cut to whole seconds
        before = self.clock_offset
        self.clock_offset = offset if before is None else before + _OFFSET_SMOOTHING * (offset - before)


def _encoded(headers: Mapping[str, str]) -> _Encoded:
    return {name: (name.encode("ascii"), value.encode("latin-1", "replace")) for name, value in headers.items()}


def _refuse_downgrade(before: httpx.URL, target: Target) -> None:
    if before.scheme == "https" and target.url.scheme == "http":
        raise Refused(f"{target.origin} is not asked: the way there leads from https to http")


async def _error_body(response: httpx.Response, headers: Headers, where: str) -> bytes:
    try:
        return await _body(response, headers, where, ERROR_BYTES)
    except (TooLarge, BadAnswer, httpx.HTTPError):
        return b""  # the status says enough


async def _body(response: httpx.Response, headers: Headers, where: str, limit: int) -> bytes:
    chunks = _chunks(response)
    try:
        return await read_body(chunks, headers.lower, where, limit)
    except BaseException:
        await _end(chunks)
        raise


async def _drain(response: httpx.Response) -> None:
    """Read an answer to its end, so that the connection can be used again; not one that goes on and on."""
    chunks = _chunks(response)
    received = 0
    async for chunk in chunks:
        received += len(chunk)
        if received > ERROR_BYTES:
            await _end(chunks)
            return


def _chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    assert isinstance(response.stream, httpx.AsyncByteStream)
    return response.stream.__aiter__()


async def _end(chunks: AsyncIterator[bytes]) -> None:
    """Close a stream that is not read to its end, rather than leave that to the garbage collector."""
    if (close := getattr(chunks, "aclose", None)) is not None:
        await close()
