"""The contract kit itself: a source that breaks the contract fails the test that is about it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any, ClassVar

import msgspec
import pytest

from statusboard.api import Http, Part, Scope, Source, SourceError, Ticket, parse_time
from statusboard.errors import AuthError, BadAnswer, NotFound, RateLimited, ServerError, TooLarge
from statusboard.source import NotModified
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_one

ROWS = [
    {"id": "1", "title": "One", "state": "open", "at": "2026-01-02T03:04:05Z", "votes": 3},
    {"id": "2", "title": "Two", "state": "done", "at": "2026-01-02T03:04:05Z", "votes": 0},
]


class Careful(Source[Any]):
    """What a good source does, in few lines."""

    type = "careful"
    kinds = frozenset({"ticket"})
    states: ClassVar[dict[str, Any]] = {"open": "open", "done": "done"}

    async def read(self, scope: Scope, http: Http) -> Part:
        reply = await http.get("/tickets", conditional=True)
        return scope.part({item.key: item for item in map(self.ticket, reply.decode(list[Any]))}.values())

    def ticket(self, row: Any) -> Ticket:
        if (
            not isinstance(row, dict)
            or not isinstance(row.get("id"), str)
            or not row["id"].isalnum()
            or len(row["id"]) > 99
        ):
            raise BadAnswer("a row has no id that can be used")
        return Ticket(
            key=self.key("ticket", row["id"]),
            source=self.name,
            title=str(row.get("title") or ""),
            state=self.states.get(str(row.get("state")).lower(), "unknown"),
            started_at=parse_time(row.get("at")),
        )


class Kit(SourceContract):
    """The contract as its author would write it; a subclass names the source."""

    __test__ = False
    source = Careful
    options: ClassVar = {}
    state_fields = ("state",)
    time_fields = ("at",)

    def vendor(self, call: Call) -> Answer:
        if call.path != "/tickets":
            return Answer.of({"message": "no such path"}, 404)
        return Answer.of(ROWS)


class TestCareful(Kit):
    """A good source passes every test."""

    __test__ = True


class Optimist(Careful):
    """Takes a word that it does not know for a good one."""

    def ticket(self, row: Any) -> Ticket:
        good = super().ticket(row)
        return good if good.state != "unknown" else Ticket(key=good.key, source=self.name, state="done")


class Strict(Careful):
    """Compares words as they are written."""

    def ticket(self, row: Any) -> Ticket:
        good = super().ticket(row)
        word = row.get("state") if isinstance(row.get("state"), str) else ""
        return Ticket(key=good.key, source=self.name, state=self.states.get(word, "unknown"))


class Restless(Careful):
    """Puts the time of the poll into its items."""

    def ticket(self, row: Any) -> Ticket:
        good = super().ticket(row)
        return Ticket(key=good.key, source=self.name, state=good.state, description=f"at {self.clock.now()}")


class Trusting(Careful):
    """Takes what it needs without looking."""

    def ticket(self, row: Any) -> Ticket:
        return Ticket(key=self.key("ticket", row["id"]), source=self.name, title=row["title"], state=row["state"])


class Silent(Careful):
    """Takes every failure for an empty list."""

    async def read(self, scope: Scope, http: Http) -> Part:
        try:
            return await super().read(scope, http)
        except SourceError:
            return scope.part([])


class Forgetful(Careful):
    """Leaves out what it cannot read, and says nothing."""

    async def read(self, scope: Scope, http: Http) -> Part:
        rows = (await http.get("/tickets")).decode(list[Any])
        return scope.part(
            [self.ticket(row) for row in rows if isinstance(row, dict) and row.get("id") and row.get("title")]
        )


class Exact(Forgetful):
    """Leaves out what has another type than it should, and says nothing."""

    async def read(self, scope: Scope, http: Http) -> Part:
        rows = (await http.get("/tickets")).decode(list[Any])
        return scope.part([self.ticket(row) for row in rows if self.fits(row)])

    def fits(self, row: Any) -> bool:
        return isinstance(row, dict) and isinstance(row["votes"], int) and isinstance(row["title"], str)


class Brief(Exact):
    """Leaves out what is too long for it, and says nothing."""

    def fits(self, row: Any) -> bool:
        return isinstance(row, dict) and sum(map(len, map(str, row.values()))) < 1_000_000


class Deep(Careful):
    """Decodes by itself, and does not know how that can fail."""

    async def read(self, scope: Scope, http: Http) -> Part:
        return scope.part([self.ticket(row) for row in json.loads((await http.get("/tickets")).body)])


class Repeating(Careful):
    """Gives an item as often as it comes."""

    async def read(self, scope: Scope, http: Http) -> Part:
        tickets = map(self.ticket, (await http.get("/tickets")).decode(list[Any]))
        return msgspec.structs.replace(scope.part([]), items=tuple(tickets))


class Endless(Careful):
    """Follows links for ever."""

    async def read(self, scope: Scope, http: Http) -> Part:
        url = "/tickets"
        while url:
            url = (await http.get(url)).next_url
        return scope.part([])


class Timeless(Careful):
    """Reads every time as a number of seconds."""

    def ticket(self, row: Any) -> Ticket:
        good = super().ticket(row)
        moment = row.get("at")
        time = parse_time(moment + 3_600) if isinstance(moment, int) else None
        return Ticket(key=good.key, source=self.name, state=good.state, started_at=time)


class Deaf(Careful):
    """Asks for the details of an item once, and takes a 304 for the list as one for them."""

    async def read(self, scope: Scope, http: Http) -> Part:
        kept: dict[str, Part] = self.__dict__.setdefault("kept", {})
        if scope.name not in kept:
            kept[scope.name] = await super().read(scope, http)
        return kept[scope.name]


class Renaming(Careful):
    """Gives an item that is read again another key."""

    async def lookup(self, kind: Any, remote_id: str, http: Http) -> Ticket:
        return Ticket(key=self.key("ticket", f"again-{remote_id}"), source=self.name, state="open")


class Careless(Careful):
    """Makes keys of whatever comes."""

    def ticket(self, row: Any) -> Ticket:
        identity = row.get("id") if isinstance(row, dict) else None
        if not isinstance(identity, str):
            raise BadAnswer("a row has no id")
        return Ticket(key=self.key("ticket", identity), source=self.name, state="unknown")


class Babbling(Careful):
    """Puts a vendor's words into its errors as they are."""

    def ticket(self, row: Any) -> Ticket:
        try:
            return super().ticket(row)
        except BadAnswer:
            raise BadAnswer(f"what is this: {row.get('id') if isinstance(row, dict) else ''}") from None


@pytest.mark.parametrize(
    "bad,test",
    [
        (Optimist, SourceContract.test_unknown_words_are_unknown),
        (Optimist, SourceContract.test_missing_fields),
        (Optimist, SourceContract.test_null_fields),
        (Strict, SourceContract.test_words_are_compared_in_any_case),
        (Restless, SourceContract.test_the_same_answer_is_the_same_items),
        (Trusting, SourceContract.test_missing_fields),
        (Trusting, SourceContract.test_wrong_types),
        (Silent, SourceContract.test_refusals_and_failures),
        (Silent, SourceContract.test_no_answers),
        (Silent, SourceContract.test_truncated_answers),
        (Silent, SourceContract.test_large_answers),
        (Silent, SourceContract.test_gzip_bomb),
        (Silent, SourceContract.test_a_hanging_server),
        (Silent, SourceContract.test_not_modified_unasked),
        (Silent, SourceContract.test_one_path_failing),
        (Forgetful, SourceContract.test_missing_fields),
        (Exact, SourceContract.test_numbers_as_text),
        (Exact, SourceContract.test_text_as_numbers),
        (Brief, SourceContract.test_huge_labels),
        (Deep, SourceContract.test_a_deep_field_among_good_ones),
        (Repeating, SourceContract.test_duplicates),
        (Endless, SourceContract.test_pages_without_end),
        (Endless, SourceContract.test_pages_that_run_in_a_circle),
        (Endless, SourceContract.test_good_answers_are_read),
        (Timeless, SourceContract.test_times),
        (Deaf, SourceContract.test_not_modified),
        (Renaming, SourceContract.test_lookup),
        (Careless, SourceContract.test_hostile_text),
        (Babbling, SourceContract.test_hostile_text),
    ],
)
def test_a_bad_source_fails(
    bad: type[Source[Any]], test: Callable[[SourceContract], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "statusboard")
    kit = type("Bad", (Kit,), {"source": bad})()
    with pytest.raises(AssertionError):
        test(kit)


# -- FakeHttp ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status,kind",
    [
        (401, AuthError),
        (403, AuthError),
        (404, NotFound),
        (410, NotFound),
        (429, RateLimited),
        (400, BadAnswer),
        (502, ServerError),
    ],
)
async def test_fake_http_raises_what_the_client_raises(status: int, kind: type[SourceError]) -> None:
    with pytest.raises(kind) as caught:
        await FakeHttp(lambda call: Answer(status=status)).get("/x")
    assert caught.value.status == status


async def test_fake_http_asks_conditionally() -> None:
    def vendor(call: Call) -> Answer:
        return Answer(status=304) if call.headers.get("if-none-match") else Answer.of([], etag='"1"')

    http = FakeHttp(vendor)
    await http.get("/x", conditional=True)
    await http.get("/x")
    with pytest.raises(NotModified):
        await http.get("/x", conditional=True)
    assert [validator.etag for validator in http.validators] == ['"1"']


async def test_fake_http_follows_pages() -> None:
    def vendor(call: Call) -> Answer:
        page = int(call.param("page", "1"))
        return Answer.of(page, link=f'<?page={page + 1}>; rel="next"') if page < 3 else Answer.of(page)

    http = FakeHttp(vendor, "https://a.example/base/")
    assert [reply.json() async for reply in http.pages("x", params={"q": ["a", "b"]})] == [1, 2, 3]
    assert http.calls[0].url == "https://a.example/base/x?q=a&q=b"
    assert http.calls[0].query == {"q": ["a", "b"]}
    with pytest.raises(TooLarge):
        [reply async for reply in http.pages("x", limit=2)]


@pytest.mark.parametrize(
    "link,following",
    [
        ('<https://a.example/x?cursor=1>; rel="next"; results="true"', "https://a.example/x?cursor=1"),
        ('<https://a.example/x?cursor=1>; rel="next"; results="false"', ""),  # Sentry's, at the end
        ('<https://a.example/x?a=1,2>; rel="prev", <?a=3,4>; rel=next', "https://a.example/x?a=3,4"),
    ],
)
async def test_fake_http_reads_links_as_the_client_does(link: str, following: str) -> None:
    reply = await FakeHttp(lambda call: Answer.of([], link=link), "https://a.example").get("/x")
    assert reply.next_url == following


async def test_fake_http_notices_a_circle() -> None:
    http = FakeHttp(lambda call: Answer.of([], link='</x>; rel="next"'))
    with pytest.raises(BadAnswer):
        [reply async for reply in http.pages("x")]


async def test_a_fake_reply_that_is_not_json() -> None:
    reply = await FakeHttp(lambda call: Answer(body=b"<html>")).post("/x", json={})
    with pytest.raises(BadAnswer):
        reply.json()


async def test_read_one_raises_the_error_of_the_part() -> None:
    source = make_source(Careful, {})
    with pytest.raises(ServerError):
        await read_one(source, FakeHttp(lambda call: Answer(status=500)))
    assert source.options.url == "https://vendor.example"
