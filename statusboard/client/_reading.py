"""Reading an answer: its body within the caps, and what is in it."""

from __future__ import annotations

import re
import zlib
from collections.abc import AsyncIterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from statusboard.client._urls import next_link
from statusboard.client._vendors import LOOKED_AT, Seen, named
from statusboard.errors import AuthError, BadAnswer, SourceError, TooLarge
from statusboard.text import clean

T = TypeVar("T")
E = TypeVar("E", bound=SourceError)

MAX_BYTES = 20_000_000
"""The longest body that is read, in bytes, both as sent and as decompressed."""

_BOM = b"\xef\xbb\xbf"
_LONE_SURROGATE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


class Headers(Mapping[str, str]):
    """An answer's headers; names in any case, repeated ones joined by commas."""

    __slots__ = ("_lower",)

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        lower: dict[str, str] = {}
        for name, value in raw:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            lower[key] = f"{lower[key]}, {text}" if key in lower else text
        self._lower = lower

    @property
    def lower(self) -> dict[str, str]:
        """The same as a dict by lower-case name."""
        return self._lower

    def __getitem__(self, name: str) -> str:
        return self._lower[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lower)

    def __len__(self) -> int:
        return len(self._lower)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._lower

    def __repr__(self) -> str:
        return f"<Headers: {', '.join(self._lower)}>"  # a Set-Cookie or an echoed credential is nobody's business


class Answer:
    """A whole answer: what `statusboard.source.Reply` promises.

    ``where`` names the request in messages, ``asker`` is the type of the source that made it, ``home`` says whether it
    came from one of that source's own origins.
    """

    __slots__ = ("asker", "body", "headers", "home", "redirected", "status", "url", "where")

    def __init__(
        self,
        status: int,
        url: str,
        headers: Headers,
        body: bytes,
        *,
        where: str = "",
        redirected: bool = False,
        asker: str = "",
        home: bool = True,
    ) -> None:
        self.status = status
        self.url = url
        self.headers: Mapping[str, str] = headers
        self.body = body
        self.where = where or "the answer"
        self.redirected = redirected
        self.asker = asker
        self.home = home

    def __repr__(self) -> str:
        return f"<Answer {self.status}, {len(self.body)} bytes>"

    @property
    def next_url(self) -> str:
        """The ``rel="next"`` of a ``Link`` header, absolute, or ``""``."""
        link = self.headers.get("link")
        return next_link(link, self.url) if link else ""

    def decode(self, type: type[T]) -> T:
        """The JSON body as ``type``; `BadAnswer` says which field is off, `AuthError` that a sign-in page came."""
        decoder: msgspec.json.Decoder[T] = _decoder(type)  # type: ignore[arg-type]  # a type is hashable
        body = self.body.removeprefix(_BOM)
        try:
            try:
                return decoder.decode(body)
            except msgspec.ValidationError:
                raise
            except msgspec.DecodeError:
                # Half a surrogate pair is legal to write in JSON and no reason to lose all the rest.
                mended = _LONE_SURROGATE.sub(lambda match: rb"\ufffd" if match[1] else match[0], body)
                if mended == body:
                    raise
                return decoder.decode(mended)
        except msgspec.ValidationError as exc:
            raise self.explained(BadAnswer(f"{self.where}: {clean(exc, 200)}", status=self.status)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise self.explained(self._not_json(exc)) from None

    def explained(self, error: E) -> E:
        """``error``, which came of this answer, with whose answer it seems to be where that is not the right one's."""
        seen = Seen(
            status=self.status,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.body[:LOOKED_AT],
            url=self.url,
            meant=self.home or self.redirected,
        )
        return named(error, self.asker, seen)

    def json(self) -> Any:
        """The JSON body as plain Python; raises as `decode` does."""
        return self.decode(object)

    def _not_json(self, exc: Exception) -> BadAnswer | AuthError:
        content_type = clean(self.headers.get("content-type", ""), 60)
        if "html" in content_type.lower() or self.body.lstrip()[:1] == b"<":
            if self.redirected or self.status == 203:
                return AuthError(f"{self.where}: a sign-in page came instead of JSON", status=self.status)
            return BadAnswer(f"{self.where}: HTML came instead of JSON; is the url right?", status=self.status)
        if not self.body:
            reason = "an empty answer"
        elif isinstance(exc, UnicodeDecodeError):
            reason = "the answer is not in UTF-8, as JSON must be"
        elif isinstance(exc, RecursionError):
            reason = "the answer is nested too deeply"
        elif "truncated" in str(exc):
            reason = "the answer ends in the middle"
        else:
            reason = f"the answer is not JSON{f' but {content_type}' if 'json' not in content_type else ''}"
        return BadAnswer(f"{self.where}: {reason}", status=self.status)


@lru_cache(maxsize=256)
def _decoder(type: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(type)


async def read_body(chunks: AsyncIterable[bytes], headers: Mapping[str, str], where: str, limit: int) -> bytes:
    """The body, decompressed, of at most ``limit`` bytes on the wire and in memory; `TooLarge` for more.

    A compressed body is inflated piece by piece, so that a bomb costs no more than the limit.
    """
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:18]) > limit:
        raise _too_large(where, limit)
    encoding = headers.get("content-encoding", "").strip().lower()
    inflate = None if encoding in ("", "identity") else _Inflater(encoding, where, limit)
    parts: list[bytes] = []
    received = 0
    async for chunk in chunks:
        received += len(chunk)
        if received > limit:
            raise _too_large(where, limit)
        parts.append(chunk if inflate is None else inflate.feed(chunk))
    if inflate is not None and received:
        inflate.check_end()
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large(where: str, limit: int) -> TooLarge:
    return TooLarge(f"{where}: the answer is larger than {limit / 1_000_000:g} MB")


class _Inflater:
    """gzip (also of several members), zlib and bare deflate, to at most ``limit`` bytes in all."""

    def __init__(self, encoding: str, where: str, limit: int) -> None:
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise BadAnswer(f"{where}: the answer is compressed as {clean(encoding, 40)}, which was not asked for")
        self._gzip = encoding != "deflate"
        self._where = where
        self._limit = limit
        self._left = limit
        self._inflate: Any = None

    def feed(self, chunk: bytes) -> bytes:
        parts = []
        try:
            while chunk:
                if self._inflate is None or self._inflate.eof:
                    if self._inflate is not None and not chunk.strip(b"\0"):
                        break  # padding behind the last member
                    self._inflate = zlib.decompressobj(self._window(chunk))
                part = self._inflate.decompress(chunk, self._left + 1)
                self._left -= len(part)
                if self._left < 0:
                    raise _too_large(self._where, self._limit)
                parts.append(part)
                chunk = self._inflate.unconsumed_tail or (self._inflate.unused_data if self._inflate.eof else b"")
        except zlib.error:
            raise BadAnswer(f"{self._where}: the answer's compression is broken") from None
        return b"".join(parts)

    def check_end(self) -> None:
        if self._inflate is None or not self._inflate.eof:
            raise BadAnswer(f"{self._where}: the compressed answer ends in the middle")

    def _window(self, chunk: bytes) -> int:
        if self._gzip:
            return 16 + zlib.MAX_WBITS
        # "deflate" should be zlib's form, whose first byte's low half is 8; some servers send it bare.
        return zlib.MAX_WBITS if chunk[0] & 0x0F == 8 else -zlib.MAX_WBITS
