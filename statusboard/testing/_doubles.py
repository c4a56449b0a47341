"""Doubles of what the board gives a source, for an author's own tests."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from statusboard.client import next_link
from statusboard.clock import Clock, FakeClock, duration_dec_hook
from statusboard.errors import AuthError, BadAnswer, NotFound, RateLimited, ServerError, SourceError, TooLarge
from statusboard.model import Part, Snapshot, Validator
from statusboard.source import Context, NotModified, Source, SourceOptions

T = TypeVar("T")


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request as a vendor's server sees it; header names are in lower case."""

    method: str
    url: str
    headers: dict[str, str] = {}
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path, still percent-encoded."""
        return urlsplit(self.url).path

    @property
    def query(self) -> dict[str, list[str]]:
        """The decoded query."""
        return parse_qs(urlsplit(self.url).query, keep_blank_values=True)

    def param(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return self.query.get(name, [default])[0]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the vendor's server answers."""

    status: int = 200
    headers: dict[str, str] = {}
    body: bytes = b""

    @classmethod
    def of(cls, value: object, status: int = 200, **headers: str) -> Answer:
        """``value`` as JSON; ``headers`` with ``_`` for ``-``."""
        named = {name.replace("_", "-").lower(): text for name, text in headers.items()}
        return cls(
            status=status, headers={"content-type": "application/json", **named}, body=msgspec.json.encode(value)
        )


Handler: TypeAlias = Callable[[Call], Answer]

_ERRORS: Mapping[int, type[SourceError]] = {
    401: AuthError,
    403: AuthError,
    404: NotFound,
    410: NotFound,
    429: RateLimited,
}


class FakeReply:
    """A `Reply` over an `Answer`."""

    def __init__(self, url: str, answer: Answer) -> None:
        self.status = answer.status
        self.url = url
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in answer.headers.items()}
        self.body = answer.body

    @property
    def next_url(self) -> str:
        return next_link(self.headers.get("link", ""), self.url)

    def decode(self, type: type[T]) -> T:
        try:
            return msgspec.json.decode(self.body, type=type)
        except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
            raise BadAnswer(str(exc)) from exc

    def json(self) -> Any:
        return self.decode(object)


class FakeHttp:
    """An `Http` that asks ``handler`` instead of a network, and keeps its ``calls``.

    Statuses become the errors that the real client raises; a 304 answers `NotModified`.
    """

    def __init__(self, handler: Handler, base: str = "https://vendor.example") -> None:
        self.handler = handler
        self.base = base.rstrip("/")
        self.calls: list[Call] = []
        self._etags: dict[str, str] = {}

    @property
    def validators(self) -> tuple[Validator, ...]:
        return tuple(Validator(source="", part="", request=url, etag=etag) for url, etag in self._etags.items())

    async def get(
        self,
        url: str,
        *,
        params: Mapping[str, str | int | Sequence[str]] | None = None,
        headers: Mapping[str, str] | None = None,
        conditional: bool = False,
    ) -> FakeReply:
        full = self._absolute(url, params)
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        if conditional and full in self._etags:
            sent["if-none-match"] = self._etags[full]
        return self._send(Call(method="GET", url=full, headers=sent), conditional)

    async def post(self, url: str, *, json: object = None, headers: Mapping[str, str] | None = None) -> FakeReply:
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        body = msgspec.json.encode(json)
        return self._send(Call(method="POST", url=self._absolute(url, None), headers=sent, body=body), False)

    async def pages(
        self,
        url: str,
        *,
        params: Mapping[str, str | int | Sequence[str]] | None = None,
        headers: Mapping[str, str] | None = None,
        conditional: bool = False,
        limit: int = 10,
    ) -> AsyncIterator[FakeReply]:
        seen: set[str] = set()
        reply = await self.get(url, params=params, headers=headers, conditional=conditional)
        while True:
            yield reply
            following = reply.next_url
            if not following:
                return
            if following in seen:
                raise BadAnswer("the pages run in a circle")
            seen.add(following)
            if len(seen) >= limit:
                raise TooLarge(f"more than {limit} pages")
            reply = await self.get(following, headers=headers)

    def _absolute(self, url: str, params: Mapping[str, str | int | Sequence[str]] | None) -> str:
        full = url if "://" in url else f"{self.base}/{url.lstrip('/')}"
        query = urlencode(params or {}, doseq=True)
        return f"{full}{'&' if '?' in full else '?'}{query}" if query else full

    def _send(self, call: Call, conditional: bool) -> FakeReply:
        self.calls.append(call)
        answer = self.handler(call)
        reply = FakeReply(call.url, answer)
        if answer.status == 304:
            raise NotModified
        if not 200 <= answer.status < 300:
            kind = ServerError if answer.status >= 500 else _ERRORS.get(answer.status, BadAnswer)
            raise kind(f"the server answered {answer.status}", status=answer.status)
        if conditional and (etag := reply.headers.get("etag")):
            self._etags[call.url] = etag
        return reply


def make_source(
    cls: type[Source[Any]], options: Mapping[str, object], clock: Clock | None = None, **more: object
) -> Source[Any]:
    """A source as the board would make it; ``options`` as in the config file, ``type`` and ``name`` may be left out."""
    place = {"url": "https://vendor.example"} if cls.needs_url and not cls.default_url else {}
    raw = {"type": cls.type, "name": cls.type, **place, **options, **more}
    bound: SourceOptions = msgspec.convert(raw, cls.Options, dec_hook=duration_dec_hook)
    log = logging.getLogger(f"statusboard.source.{bound.name}")
    return cls(bound, Context(name=bound.name, clock=clock or FakeClock(), log=log))


async def read_all(source: Source[Any], http: FakeHttp) -> Snapshot:
    """One poll of a source through a `FakeHttp`."""
    return await source.poll(lambda scope: http)


async def read_one(source: Source[Any], http: FakeHttp) -> Part:
    """One poll of a source that has a single part; its error is raised."""
    (part,) = (await read_all(source, http)).parts
    if part.error is not None:
        raise part.error
    return part
