"""What every source that speaks HTTP must bear, run through the real client."""

from __future__ import annotations

import asyncio
import functools
import gzip
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, ClassVar, Final, TypeAlias

import httpx
import msgspec

from statusboard.client import ClientPool, ValidatorCache
from statusboard.errors import (
    AuthError,
    NotFound,
    RateLimited,
    ServerError,
    SourceError,
    Timeout,
    TooLarge,
)
from statusboard.model import UNFINISHED, Part, Snapshot
from statusboard.source import LookupUnsupported, Source
from statusboard.testing._contract import NEW_WORD, DataContract, check_part, items_of, result_of
from statusboard.testing._doubles import Answer, Call
from statusboard.testing._mutations import Mutate, always, named, unchanged

Server: TypeAlias = Callable[[httpx.Request], httpx.Response | Awaitable[httpx.Response]]

#: What a status must become in every part.
STATUSES: Final[dict[int, type[SourceError]]] = {
    400: SourceError,
    401: AuthError,
    403: AuthError,
    404: NotFound,
    418: SourceError,
    429: RateLimited,
    500: ServerError,
    502: ServerError,
    503: ServerError,
}
DEEP: Final = b"[" * 100_000 + b"]" * 100_000
#: Bodies that are no answer, with their content type.
NO_ANSWERS: Final[dict[str, tuple[bytes, str]]] = {
    "html": (b"<!doctype html><html><body>Please sign in</body></html>", "text/html; charset=utf-8"),
    "html as json": (b"<html></html>", "application/json"),
    "nothing": (b"", "application/json"),
    "null": (b"null", "application/json"),
    "an empty object": (b"{}", "application/json"),
    "a string": (b'"down for maintenance"', "application/json"),
    "another object": (b'{"status":"error","message":"no"}', "application/json"),
    "utf-16": ("[]".encode("utf-16"), "application/json; charset=utf-16"),
    "latin-1": (b'{"title":"caf\xe9"}', "application/json; charset=latin-1"),
    "binary": (bytes(range(256)), "application/octet-stream"),
    "deep": (b"[" * 100_000, "application/json"),
    "deep and closed": (DEEP, "application/json"),
}
MOST_CALLS: Final = 400


class SourceContract(DataContract):
    """`DataContract`, and what networks and servers do.  Subclass it, set the attributes, and write `vendor`.

    ``gone_is_fine``   statuses that this vendor uses to say something else than that it failed (GitHub: 410)
    ``reread``         whether a poll an hour later sees how an unfinished item went
    """

    gone_is_fine: ClassVar[frozenset[int]] = frozenset()
    reread: ClassVar[bool] = True

    def vendor(self, call: Call) -> Answer:
        """The vendor's good answer to a request."""
        raise NotImplementedError

    # -- for DataContract ----------------------------------------------------------------------------------------

    async def poll(self, mutate: Mutate = unchanged, *, source: Source[Any] | None = None) -> Snapshot:
        source = source or self.make()
        return await self._ask(source, lambda request: self._respond(request, mutate))

    def documents(self) -> list[Any]:
        found: list[Any] = []

        def keep(document: Any) -> Any:
            found.append(document)
            return document

        self.run(keep)
        return found

    # -- the tests -----------------------------------------------------------------------------------------------

    def test_refusals_and_failures(self) -> None:
        for status, kind in STATUSES.items():
            if status in self.gone_is_fine:
                continue
            headers = {"retry-after": "7"} if status in (429, 503) else {}
            snapshot = self._run(_always(status, b'{"message":"no"}', headers))
            self._all_failed(snapshot, f"{status}", kind)
            if status == 429:
                assert {getattr(part.error, "retry_after", None) for part in snapshot.parts} <= {7.0}

    def test_no_answers(self) -> None:
        for what, (body, content_type) in NO_ANSWERS.items():
            snapshot = self._run(_always(200, body, {"content-type": content_type}))
            self._all_failed(snapshot, what)

    def test_truncated_answers(self) -> None:
        def server(request: httpx.Request) -> httpx.Response:
            good = self._respond(request, unchanged)
            return httpx.Response(200, content=good.content[: len(good.content) // 2], headers=good.headers)

        self._all_failed(self._run(server), "an answer cut in half")

    def test_half_a_surrogate_pair(self) -> None:
        def server(request: httpx.Request) -> httpx.Response:
            body = self._respond(request, unchanged).content.replace(b'":"', b'":"\\ud83d')
            return httpx.Response(200, content=body, headers={"content-type": "application/json"})

        self._run(server)

    def test_a_deep_field_among_good_ones(self) -> None:
        """One that is not even read must not be what a poll dies of."""
        good = {part.scope: _keys(part) for part in self.run().parts}

        def server(request: httpx.Request) -> httpx.Response:
            answer = self._respond(request, unchanged)
            body = answer.content.replace(b"{", b'{"deep":' + DEEP + b",", 1)
            return httpx.Response(answer.status_code, content=body, headers=answer.headers)

        for part in self._run(server).parts:
            lost = good.get(part.scope, set()) - _keys(part)
            assert part.error is not None or not lost, f"{part.scope} lost items without an error"

    def test_large_answers(self) -> None:
        async def fifty_megabytes() -> AsyncIterator[bytes]:
            for _ in range(50):
                yield b" " * 1_000_000

        snapshot = self._run(lambda request: httpx.Response(200, content=fifty_megabytes()))
        self._all_failed(snapshot, "50 MB", TooLarge)

    def test_gzip_bomb(self) -> None:
        headers = {"content-encoding": "gzip", "content-type": "application/json"}
        snapshot = self._run(lambda request: httpx.Response(200, stream=_Bytes(_bomb()), headers=headers))
        self._all_failed(snapshot, "a gzip bomb", TooLarge)

    def test_a_hanging_server(self) -> None:
        async def server(request: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            raise AssertionError("nobody wakes it")

        snapshot = self._run(server, self.make(timeout=0.02))
        self._all_failed(snapshot, "no answer", Timeout)

    def test_one_path_failing(self) -> None:
        """Each path of the vendor fails in turn: parts that do not need it are whole, the others say so."""
        good = {part.scope: part for part in self.run().parts}
        asked: set[str] = set()

        def server(request: httpx.Request, failing: str = "") -> httpx.Response:
            asked.add(request.url.path)
            return httpx.Response(500) if request.url.path == failing else self._respond(request, unchanged)

        self._run(server)
        for path in sorted(asked):
            snapshot = self._run(functools.partial(server, failing=path))
            for part in snapshot.parts:
                if part.error is None and part.scope in good:
                    lost = _keys(good[part.scope]) - _keys(part)
                    assert not lost, f"{path} failed, and {part.scope} lost items without an error"

    def test_pages_that_run_in_a_circle(self) -> None:
        def server(request: httpx.Request) -> httpx.Response:
            good = self._respond(request, unchanged)
            return httpx.Response(200, content=good.content, headers={"link": f'<{request.url}>; rel="next"'})

        self._bounded(server)

    def test_pages_without_end(self) -> None:
        def server(request: httpx.Request) -> httpx.Response:
            good = self._respond(request, unchanged)
            page = int(request.url.params.get("page", 1)) + 1
            following = request.url.copy_set_param("page", page)
            return httpx.Response(200, content=good.content, headers={"link": f'<{following}>; rel="next"'})

        self._bounded(server)

    def test_not_modified(self) -> None:
        """A 304 vouches for what it is said of, and for nothing else: whatever is on its way is seen to end."""
        asyncio.run(self._not_modified())

    def test_not_modified_unasked(self) -> None:
        snapshot = self._run(lambda request: httpx.Response(304))
        self._all_failed(snapshot, "a 304 that nobody asked for")

    def test_lookup(self) -> None:
        asyncio.run(self._lookup())

    # -- inside --------------------------------------------------------------------------------------------------

    async def _not_modified(self) -> None:
        cache = ValidatorCache()
        source = self.make()
        first = await self._ask(source, lambda r: self._tagged(r, unchanged), cache)
        source.clock.advance(3_600)  # type: ignore[attr-defined]  # `make` gives it a FakeClock
        second = await self._ask(source, lambda r: self._tagged(r, unchanged), cache)
        after_restart = await self._ask(self.make(), lambda r: self._tagged(r, unchanged), cache)
        for snapshot in (second, after_restart):
            for before, after in zip(first.parts, snapshot.parts, strict=True):
                assert after.error is None
                assert after.unchanged or _keys(after) == _keys(before), f"{after.scope} lost items behind a 304"
        if not self.reread or not self.state_fields:
            return
        source.clock.advance(3_600)  # type: ignore[attr-defined]
        odd = named(self.state_fields, always(NEW_WORD))
        fresh = items_of(await self._ask(self.make(), lambda r: self._tagged(r, odd)))
        third = await self._ask(source, lambda r: self._tagged(r, odd), cache)
        for before, after in zip(first.parts, third.parts, strict=True):
            for item in before.items:
                if item.state in UNFINISHED[item.kind] and item.key in fresh:
                    assert not after.unchanged, f"{after.scope} calls itself unchanged, and is not"
                    assert fresh[item.key] in after.items, f"the new state of {item.key} is not seen"

    async def _lookup(self) -> None:
        source = self.make()
        async with self._pool(source, lambda request: self._respond(request, unchanged)) as pool:
            http = pool.for_source(source).factory("lookup")
            for item in items_of(await self.poll(source=source)).values():
                try:
                    found = await source.lookup(item.kind, item.key.split(":", 2)[2], http)  # type: ignore[arg-type]
                except (LookupUnsupported, NotFound):
                    continue
                assert found is None or found.key == item.key, "an item that is read again is the same item"

    def _bounded(self, server: Server) -> None:
        calls = 0

        def counting(request: httpx.Request) -> httpx.Response | Awaitable[httpx.Response]:
            nonlocal calls
            calls += 1
            assert calls < MOST_CALLS, "it never stops asking"
            return server(request)

        self._run(counting)

    def _all_failed(self, snapshot: Snapshot, what: str, kind: type[SourceError] = SourceError) -> None:
        """Every part says that it could not be read: an answer that is none must never pass for an empty one."""
        assert snapshot.parts, f"with {what} there is no part, and so nothing that says that nothing was read"
        for part in snapshot.parts:
            assert isinstance(part.error, kind), f"with {what}, {part.scope or 'the poll'} has the error {part.error!r}"

    def _run(self, server: Server, source: Source[Any] | None = None) -> Snapshot:
        snapshot = result_of(self._ask(source or self.make(), server))
        for part in snapshot.parts:
            check_part(part, snapshot.source)
        return snapshot

    async def _ask(self, source: Source[Any], server: Server, cache: ValidatorCache | None = None) -> Snapshot:
        """One poll; what `Source.scopes` raises becomes a part of its own."""
        async with self._pool(source, server) as pool:
            cache = ValidatorCache() if cache is None else cache
            client = pool.for_source(source, validators=cache)
            try:
                snapshot = await source.poll(client.factory)
            except SourceError as exc:
                failed = Part(scope="", kind="build", reach="complete", started_at=source.clock.now(), error=exc)
                return Snapshot(source=source.name, parts=(failed,))
            for part in snapshot.parts:
                if part.error is None:
                    client.commit(part.validators)
            return snapshot

    def _pool(self, source: Source[Any], server: Server) -> ClientPool:
        async def handle(request: httpx.Request) -> httpx.Response:
            response = server(request)
            return response if isinstance(response, httpx.Response) else await response

        return ClientPool(source.clock, transport=httpx.MockTransport(handle), salt=b"contract", trust_env=False)

    def _respond(self, request: httpx.Request, mutate: Mutate) -> httpx.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(method=request.method, url=str(request.url), headers=headers, body=request.content)
        answer = self.vendor(call)
        body = answer.body
        if 200 <= answer.status < 300 and mutate is not unchanged:
            body = msgspec.json.encode(mutate(msgspec.json.decode(body)))
        return httpx.Response(answer.status, content=body, headers=answer.headers)

    def _tagged(self, request: httpx.Request, mutate: Mutate) -> httpx.Response:
        """The answer with an ETag, or a 304 to who has it."""
        response = self._respond(request, mutate)
        tag = f'"{hashlib.sha256(response.content).hexdigest()[:16]}"'
        if request.headers.get("if-none-match") == tag:
            return httpx.Response(304, headers={"etag": tag})
        response.headers["etag"] = tag
        return response


def _always(status: int, body: bytes, headers: Mapping[str, str]) -> Server:
    def server(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=body, headers=headers)

    return server


class _Bytes(httpx.AsyncByteStream):
    """A body as it is on the wire (httpx would unpack it otherwise)."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body


@functools.cache
def _bomb() -> bytes:
    return gzip.compress(b" " * 100_000_000, compresslevel=1)


def _keys(part: Part) -> set[str]:
    return {item.key for item in part.items}
