"""What every source must bear that tells of the past (`Source.history`), run through the real client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Final

import httpx
import msgspec

from statusboard.client import ClientPool
from statusboard.clock import FakeClock
from statusboard.errors import AuthError, RateLimited, ServerError, SourceBug, SourceError
from statusboard.model import Item, Part
from statusboard.source import HistoryUnsupported, Past, Source, history_of, scopes_of
from statusboard.testing._contract import check_part
from statusboard.testing._doubles import Answer, Call, make_source
from statusboard.testing._mutations import Mutate, always, leaves, lists, paths, setting

NOW: Final = datetime(2026, 3, 1, tzinfo=UTC)
MOST_PAGES: Final = 200
MOST_CALLS: Final = 3_000
LONGEST_CURSOR: Final = 4_000
ODD: Final[tuple[Any, ...]] = (None, [], {}, "text", -1, 10**30, True)


class Walk(msgspec.Struct):
    """What came of reading all scopes back: items by key, pages by scope, and why scopes were given up."""

    items: dict[str, Item] = {}
    pages: dict[str, list[Past]] = {}
    errors: dict[str, SourceError] = {}
    unsupported: dict[str, str] = {}
    calls: list[Call] = []


class HistoryContract:
    """Subclass it, set the attributes, and write `vendor`: a server with a past that ends before `NOW`.

    ``source``    the class under test
    ``options``   its options; ``type`` and ``name`` may be left out
    ``days``      how far back to read
    ``expected``  how many items end within that time, one by one, whatever page they are on
    ``beyond``    how many items the server may give that are older than that: those of the last pages
    """

    source: ClassVar[type[Source[Any]]]
    options: ClassVar[Mapping[str, object]] = {}
    days: ClassVar[int] = 30
    expected: ClassVar[int]
    beyond: ClassVar[int] = 300

    def vendor(self, call: Call) -> Answer:
        """The vendor's good answer to a request."""
        raise NotImplementedError

    # -- the tests -----------------------------------------------------------------------------------------------

    def test_it_says_what_it_can(self) -> None:
        assert self.source.history_kinds
        assert self.source.history_kinds <= self.source.kinds
        missing = self.source.kinds - self.source.history_kinds
        assert self.source.no_history or not missing, f"why does nothing tell of past {missing}?"
        assert not self.source.no_history.endswith(".")

    def test_back_to_the_horizon(self) -> None:
        walk = self.walk()
        assert not walk.errors
        since = NOW - timedelta(days=self.days)
        ended = [item for item in walk.items.values() if _end(item) >= since]
        assert len(ended) == self.expected
        assert len(walk.items) - len(ended) <= self.beyond, "it goes on behind the horizon"

    def test_less_is_read_for_less(self) -> None:
        whole, little = self.walk(), self.walk(days=2)
        assert len(little.calls) <= len(whole.calls)
        since = NOW - timedelta(days=2)
        wanted = {key for key, item in whole.items.items() if _end(item) >= since}
        assert wanted <= little.items.keys()

    def test_another_process_goes_on_with_a_cursor(self) -> None:
        """What a source remembers of the pages before must not be needed: days may lie between two pages."""
        one, many = self.walk(), self.walk(anew=True)
        assert one.items.keys() == many.items.keys()
        assert {key: item.state for key, item in one.items.items()} == {k: i.state for k, i in many.items.items()}

    def test_failures_are_told(self) -> None:
        for status, kind in ((401, AuthError), (429, RateLimited), (500, ServerError), (200, SourceError)):
            walk = self.walk(lambda call, status=status: Answer.of({"message": "no"}, status))  # type: ignore[misc]
            assert walk.errors or not walk.pages, f"{status} passes for an empty past"
            for error in walk.errors.values():
                assert isinstance(error, kind)
                assert not isinstance(error, SourceBug)

    def test_a_server_that_fails_behind_the_first_page(self) -> None:
        """What was read is kept, and what fails says so."""
        calls = len(self.walk().calls)
        for failing in {calls - 1, calls // 2} - {0}:
            count = 0

            def server(call: Call, failing: int = failing) -> Answer:
                nonlocal count
                count += 1
                return Answer.of({"message": "no"}, 500) if count > failing else self.vendor(call)

            walk = self.walk(server)
            told = [page.error or page.notes for pages in walk.pages.values() for page in pages]
            assert walk.errors or any(told)

    def test_odd_rows(self) -> None:
        """A row that is not as documented costs itself, or is said."""
        found: list[Any] = []
        self.walk(lambda call: self._kept(call, found), days=1)
        few = lists(lambda rows: rows[:2])
        for place, path in enumerate(sorted({path for document in found[:6] for path in paths(few(document))})):
            for value in (ODD[place % len(ODD)], ODD[(place + 3) % len(ODD)]):
                self.walk(partial(self._changed, mutate=partial(_then, few, setting(path, always(value)))), days=1)
        self.walk(lambda call: self._changed(call, lists(lambda rows: [None, *rows[:3], "x"])), days=1)
        self.walk(lambda call: self._changed(call, leaves(always(None))), days=1)

    def test_a_past_without_end(self) -> None:
        """Of a server that gives the same page for ever it is not asked for ever."""

        def server(call: Call) -> Answer:
            first = Call(method=call.method, url=call.url, headers=call.headers, body=call.body)
            answer = self.vendor(first)
            following = httpx.URL(call.url).copy_set_param("page", int(call.param("page", "1") or 1) + 1)
            return msgspec.structs.replace(answer, headers={**answer.headers, "link": f'<{following}>; rel="next"'})

        self.walk(server)

    def test_an_empty_past(self) -> None:
        walk = self.walk(lambda call: self._changed(call, lists(lambda rows: [])))
        assert all(not page.items for pages in walk.pages.values() for page in pages)

    # -- inside --------------------------------------------------------------------------------------------------

    def walk(self, server: Callable[[Call], Answer] | None = None, *, days: int = 0, anew: bool = False) -> Walk:
        """All scopes, page by page back to ``days`` ago; with ``anew`` every page by a source of its own."""
        walk = Walk()
        asyncio.run(self._walk(walk, server or self.vendor, NOW - timedelta(days=days or self.days), anew))
        return walk

    def make(self) -> Source[Any]:
        """A new source, with a clock that stands still."""
        return make_source(self.source, self.options, FakeClock(NOW))

    async def _walk(self, walk: Walk, server: Callable[[Call], Answer], since: datetime, anew: bool) -> None:
        def handle(request: httpx.Request) -> httpx.Response:
            headers = {name.lower(): value for name, value in request.headers.items()}
            call = Call(method=request.method, url=str(request.url), headers=headers, body=request.content)
            walk.calls.append(call)
            assert len(walk.calls) < MOST_CALLS, "it never stops asking"
            answer = server(call)
            return httpx.Response(answer.status, content=answer.body, headers=answer.headers)

        async with ClientPool(FakeClock(NOW), transport=httpx.MockTransport(handle), trust_env=False) as pool:
            source = self.make()
            client = pool.for_source(source)
            try:
                scopes = await scopes_of(source, client.factory(""))
            except SourceError as error:
                walk.errors[""] = error
                return
            for scope in scopes:
                if scope.kind not in source.history_kinds:
                    continue
                cursor, seen = "", {""}
                pages = walk.pages.setdefault(scope.name, [])
                while len(pages) < MOST_PAGES:
                    if anew:
                        source = self.make()
                        client = pool.for_source(source)
                        (scope,) = [s for s in await scopes_of(source, client.factory("")) if s.name == scope.name]
                    try:
                        page = await history_of(source, scope, client.factory(scope.name), since=since, cursor=cursor)
                    except HistoryUnsupported as error:
                        walk.unsupported[scope.name] = str(error)
                        break
                    except SourceError as error:
                        walk.errors[scope.name] = error
                        break
                    self._check(page, source, scope.name, scope.kind)
                    pages.append(page)
                    walk.items.update((item.key, item) for item in page.items)
                    over = page.reached is not None and page.reached <= since
                    if over or not page.older or page.older in seen:
                        break
                    cursor = page.older
                    seen.add(cursor)

    def _check(self, page: Past, source: Source[Any], scope: str, kind: Any) -> None:
        assert page.older.isprintable()
        assert len(page.older) <= LONGEST_CURSOR
        assert page.reached is None or page.reached.tzinfo is not None
        part = Part(
            scope=scope,
            kind=kind,
            reach="delta",
            started_at=NOW,
            items=page.items,
            error=page.error,
            notes=page.notes,
        )
        check_part(part, source.name)

    def _kept(self, call: Call, found: list[Any]) -> Answer:
        answer = self.vendor(call)
        if answer.status == 200:
            found.append(msgspec.json.decode(answer.body))
        return answer

    def _changed(self, call: Call, mutate: Callable[[Any], Any]) -> Answer:
        answer = self.vendor(call)
        if answer.status != 200:
            return answer
        return msgspec.structs.replace(answer, body=msgspec.json.encode(mutate(msgspec.json.decode(answer.body))))


def _then(first: Mutate, second: Mutate, document: Any) -> Any:
    return second(first(document))


def _end(item: Item) -> datetime:
    return item.ended_at or item.updated_at or item.started_at or NOW
