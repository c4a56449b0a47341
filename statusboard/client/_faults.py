"""What went wrong, as one of our own errors: one line, no secret, for the person who can mend it."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from datetime import datetime
from http import HTTPStatus

import httpx
import msgspec

from statusboard.client._budget import http_date, quotas, seconds_until
from statusboard.errors import (
    AuthError,
    BadAnswer,
    NotFound,
    RateLimited,
    ServerError,
    SourceError,
    Timeout,
    TransportError,
)
from statusboard.log import redact
from statusboard.text import clean

ERROR_BYTES = 65_536
"""How much of an error's body is read, in bytes."""

_SECONDARY_LIMIT = 60.0  # GitHub asks for a minute where it names no other time
#: Codes, without what is no letter, by which a 400 says that it asks us to come back later: Linear's and other GraphQL,
#: and those that AWS's own clients try again after.  Words for people are no codes: "the rate limit must be a number".
_LIMIT_CODES = frozenset(
    {
        "ratelimited",
        "ratelimitexceeded",
        "requestlimitexceeded",
        "requestthrottled",
        "requestthrottledexception",
        "slowdown",
        "throttledexception",
        "throttling",
        "throttlingexception",
        "toomanyrequests",
        "toomanyrequestsexception",
    }
)
_CODE = ("code", "Code", "type", "__type")
_XML_CODE = re.compile(rb"<Code>([A-Za-z.]{1,80})</Code>")
_NO_LETTER = re.compile(r"[^a-z]")
#: What OpenSSL says where plain HTTP, or something else, answers.
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
_SAID = ("message", "error_description", "error", "detail", "title", "errorMessages", "errors", "reason", "description")


def fault_of(status: int, headers: Mapping[str, str], body: bytes, where: str, now: datetime) -> SourceError:
    """The error for an answer that is not 2xx.  ``headers`` by lower-case name; ``now`` is ours."""
    vendor_now = http_date(headers.get("date", "")) or now
    retry_after = seconds_until(headers.get("retry-after"), vendor_now)
    said = vendors_message(headers, body)
    text = f"{where}: {status} {_phrase(status)}".rstrip() + (f": {said}" if said else "")
    limited = (status == 403 and _limited(headers, said)) or (status == 400 and _asks_to_wait(headers, body))
    if status == 429 or limited:
        if retry_after is None:
            retry_after = _until_reset(headers, vendor_now)
        if retry_after is None and status == 403:
            retry_after = _SECONDARY_LIMIT
        return RateLimited(text, status=status, retry_after=retry_after)
    if status in (401, 403):
        return AuthError(text, status=status)
    if status in (404, 410):
        return NotFound(text, status=status)
    if status == 407:
        return TransportError(f"{where}: the proxy asks for a credential", status=status)
    if status == 408:
        return Timeout(text, status=status)
    if status >= 500:
        return ServerError(text, status=status, retry_after=retry_after)
    return BadAnswer(text, status=status)


def transport_fault(exc: Exception, where: str, timeout: float) -> SourceError:
    """The error for an exception of the transport.  The library's own text is used only where it holds no data."""
    if isinstance(exc, httpx.ConnectTimeout):
        return Timeout(f"{where}: no connection within {timeout:g} s")
    if isinstance(exc, httpx.TimeoutException):
        return Timeout(f"{where}: no answer within {timeout:g} s")
    if isinstance(exc, httpx.ProxyError):
        return TransportError(f"{where}: the proxy refused the connection")
    if isinstance(exc, httpx.ConnectError):
        return TransportError(f"{where}: no connection: {_connect_reason(exc)}")
    if isinstance(exc, httpx.RemoteProtocolError):
        return TransportError(f"{where}: the server closed the connection in the middle, or does not speak HTTP")
    if isinstance(exc, httpx.NetworkError):
        return TransportError(f"{where}: the connection broke")
    return TransportError(f"{where}: the request failed ({type(exc).__name__})")


def vendors_message(headers: Mapping[str, str], body: bytes) -> str:
    """What the vendor says of an error, as one clean line of at most 200 cells, or ``""``."""
    content_type = headers.get("content-type", "").lower()
    start = body[:1]
    if "json" in content_type or start in (b"{", b"[", b'"'):
        try:
            return _line(_said(msgspec.json.decode(body)))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ""
    if "text/plain" in content_type and start != b"<":
        return _line(body[:1_000].decode("utf-8", "replace"))
    return ""


def _said(value: object, depth: int = 0) -> str:
    if isinstance(value, str):
        return value
    if depth < 3 and isinstance(value, list) and value:
        return _said(value[0], depth + 1)
    if depth < 3 and isinstance(value, dict):
        for name in _SAID:
            if said := _said(value.get(name), depth + 1):
                return said
    return ""


def _line(text: str) -> str:
    return redact(clean(text, 200))


def _limited(headers: Mapping[str, str], said: str) -> bool:
    if "retry-after" in headers or "rate limit" in said.lower():
        return True
    return any(headers.get(f"{family}remaining", "").strip() == "0" for family in ("x-ratelimit-", "ratelimit-"))


def _asks_to_wait(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a 400 is none: some vendors have no other status for a limit."""
    if "retry-after" in headers:
        return True
    codes = [headers.get("x-amzn-errortype", "").partition(":")[0], *_codes(body)]
    return any(_NO_LETTER.sub("", code.rpartition("#")[2].lower()) in _LIMIT_CODES for code in codes)


def _codes(body: bytes) -> Iterator[str]:
    """The codes of an error, in JSON (``{"errors": [{"extensions": {"code": …}}]}``, ``{"__type": …}``) or XML."""
    if body[:1] == b"<":
        for match in _XML_CODE.finditer(body[:4_096]):
            yield match[1].decode("ascii")
        return
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if not isinstance(said, dict):
        return
    errors = said.get("errors")
    for error in (said, said.get("error"), *(errors[:20] if isinstance(errors, list) else ())):
        if not isinstance(error, dict):
            continue
        extensions = error.get("extensions")
        for place in (error, extensions if isinstance(extensions, dict) else {}):
            yield from (code for code in map(place.get, _CODE) if isinstance(code, str))


def _until_reset(headers: Mapping[str, str], now: datetime) -> float | None:
    return max((q.reset for q in quotas(headers, now) if q.remaining == 0 and q.reset is not None), default=None)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _connect_reason(exc: BaseException) -> str:
    """Why there is no connection, in our words, from the system error at the bottom of the chain."""
    seen = 0
    found: BaseException | None = exc
    while found is not None and seen < 10:
        if isinstance(found, ssl.SSLCertVerificationError):
            return f"the server's certificate is not trusted ({clean(found.verify_message, 100)}); see tls:"
        if isinstance(found, ssl.SSLError):
            if found.reason in _NO_TLS:
                return "the server does not speak TLS there; is it http: rather than https:, or another port?"
            return f"TLS failed ({clean(found.reason or type(found).__name__, 60)})"
        if isinstance(found, OSError) and found.strerror and found.errno is not None:
            return clean(found.strerror, 120).lower()
        found = found.__cause__ or found.__context__
        seen += 1
    return clean(exc, 120).lower() or "connection failed"
