"""What a source and the poller see: credentials, redirects, validators, pages, quotas."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest

from statusboard.client import ClientPool, SourceClient, ValidatorCache, mock
from statusboard.clock import FakeClock
from statusboard.credentials import Keychain
from statusboard.errors import (
    AuthError,
    BadAnswer,
    NotFound,
    RateLimited,
    Refused,
    ServerError,
    SourceError,
    TooLarge,
)
from statusboard.model import Part
from statusboard.source import Credentials, NotModified, Scope
from tests.client.kit import BASE, ENVIRON, TOKEN, OneAtATime, Plain, Vendor, client_of, make_source


def ok(value: object = "ok", **headers: str) -> httpx.Response:
    return httpx.Response(200, json=value, headers={name.replace("_", "-"): text for name, text in headers.items()})


def moved(location: str, status: int = 302) -> httpx.Response:
    return httpx.Response(status, headers={"location": location})


async def get(client: SourceClient, url: str = "/x", **more: Any) -> Any:
    return (await client.factory("part").get(url, **more)).json()


# --- what is sent ---------------------------------------------------------------------------------------------------


async def test_a_request_is_signed_and_carries_the_sources_headers():
    vendor = Vendor({"/x?page=2": ok([1])})
    assert await get(client_of(vendor, token="env:TOKEN"), params={"page": 2}) == [1]
    sent = vendor.last.headers
    assert sent["authorization"] == f"Bearer {TOKEN}"
    assert sent["accept"] == "application/json"
    assert sent["accept-encoding"] == "gzip"
    assert sent["user-agent"].startswith("statusboard/")
    assert "cookie" not in sent


async def test_basic_authentication():
    vendor = Vendor({"/x": ok()})
    await get(client_of(vendor, username="env:USER", password="env:PASSWORD"))
    assert vendor.last.headers["authorization"] == "Basic YWRhOmxvdmVsYWNlLTE4MTU="


async def test_configured_headers_win_and_may_be_references():
    vendor = Vendor({"/x": ok()})
    headers = {"X-Api-Key": "env:TOKEN", "ACCEPT": "text/json", "X-Scope-OrgID": "team: a"}
    client = client_of(vendor, headers=headers)
    await get(client, headers={"X-Mine": "1", "Accept": "text/plain"})
    sent = vendor.last.headers
    assert (sent["x-api-key"], sent["accept"], sent["x-scope-orgid"]) == (TOKEN, "text/json", "team: a")
    assert sent["x-mine"] == "1"
    assert len(sent.get_list("accept")) == 1


async def test_post_sends_json():
    vendor = Vendor({"/graphql": ok({"data": 1})})
    client = client_of(vendor, token="env:TOKEN")
    assert (await client.factory("p").post("/graphql", json={"query": "q"})).json() == {"data": 1}
    assert vendor.last.method == "POST"
    assert vendor.last.content == b'{"query":"q"}'
    assert vendor.last.headers["content-type"] == "application/json"
    assert vendor.last.headers["content-length"] == "13"


async def test_the_sources_own_default_url():
    vendor = Vendor({"https://default.example/x": ok([2])})
    assert await get(client_of(vendor, url="")) == [2]


async def test_cookies_are_not_kept():
    vendor = Vendor({"/x": ok(set_cookie="s=1")})
    client = client_of(vendor)
    await get(client)
    await get(client)
    assert "cookie" not in vendor.last.headers


# --- where credentials go ---------------------------------------------------------------------------------------------


class TwoHomes(Plain):
    further = ("https://uploads.example",)


async def test_credentials_go_to_the_sources_further_origins():
    vendor = Vendor({"https://uploads.example/y": ok([3])})
    assert await get(client_of(vendor, TwoHomes, token="env:TOKEN"), "https://uploads.example/y") == [3]
    assert "authorization" in vendor.last.headers


def secrets_in(request: httpx.Request) -> list[str]:
    return [name for name in ("authorization", "x-api-key", "x-mine") if name in request.headers]


async def test_a_foreign_url_gets_no_credentials_and_none_of_our_headers():
    vendor = Vendor({"https://other.example/y": ok([4])})
    client = client_of(vendor, token="env:TOKEN", headers={"X-Api-Key": "env:TOKEN"})
    assert await get(client, "https://other.example/y", headers={"X-Mine": "1", "Accept": "a/b"}) == [4]
    assert secrets_in(vendor.last) == []
    assert vendor.last.headers["accept"] == "a/b"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_elsewhere_drops_the_credentials(status: int):
    vendor = Vendor({"/x": moved("https://other.example/y", status), "https://other.example/y": ok([5])})
    client = client_of(vendor, token="env:TOKEN", headers={"X-Api-Key": "env:TOKEN"})
    assert await get(client, headers={"X-Mine": "1"}) == [5]
    first, second = vendor.requests
    assert secrets_in(first) == ["authorization", "x-api-key", "x-mine"]
    assert secrets_in(second) == []


async def test_a_redirect_within_the_origin_keeps_them():
    vendor = Vendor({"/x": moved("/y?z=1"), "/y?z=1": ok([6])})
    assert await get(client_of(vendor, token="env:TOKEN")) == [6]
    assert secrets_in(vendor.last) == ["authorization"]


@pytest.mark.parametrize(
    "location,kind",
    [
        ("http://ci.example/x", Refused),
        ("http://other.example/x", Refused),
        ("ftp://other.example/x", Refused),
        ("file:///etc/passwd", Refused),
        ("javascript:alert(1)", Refused),
        ("https://me:pw@other.example/", Refused),
        ("http://[::1", BadAnswer),
        ("", BadAnswer),
        ("/x", BadAnswer),
    ],
)
async def test_redirects_that_are_not_followed(location: str, kind: type[SourceError]):
    vendor = Vendor({"/x": moved(location)})
    with pytest.raises(kind):
        await get(client_of(vendor, token="env:TOKEN"))
    assert {str(request.url) for request in vendor.requests} == {f"{BASE}/x"}
    assert len(vendor.requests) <= 6


async def test_never_from_https_to_http_with_credentials():
    vendor = Vendor({"http://ci.example/y": ok()})
    with pytest.raises(Refused, match="from https to http"):
        await get(client_of(vendor, token="env:TOKEN"), "http://ci.example/y")
    assert vendor.requests == []


async def test_a_post_is_not_redirected():
    vendor = Vendor({"/x": moved("https://other.example/y", 307)})
    with pytest.raises(BadAnswer, match="is not sent again"):
        await client_of(vendor, token="env:TOKEN").factory("p").post("/x", json={})
    assert len(vendor.requests) == 1


async def test_a_refusal_behind_a_redirect_says_where_it_came_from():
    vendor = Vendor({"/x": moved("https://www.ci.example/x"), "https://www.ci.example/x": httpx.Response(401)})
    with pytest.raises(AuthError, match=r"redirected to https://www\.ci\.example, where the credential is not sent"):
        await get(client_of(vendor, token="env:TOKEN"))


async def test_a_sign_in_page_behind_a_redirect():
    vendor = Vendor({"/x": moved("/login"), "/login": httpx.Response(200, html="<html>")})
    with pytest.raises(AuthError, match="sign-in page"):
        await get(client_of(vendor, token="env:TOKEN"))


# --- what is told ---------------------------------------------------------------------------------------------------


async def test_errors_name_the_request_without_query_and_secrets(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    vendor = Vendor({"/x?key=geheim": httpx.Response(404, json={"message": f"no {TOKEN} here"})})
    client = client_of(vendor, token="env:TOKEN")
    with pytest.raises(NotFound) as caught:
        await get(client, params={"key": "geheim"})
    assert str(caught.value) == "GET /x: 404 Not Found: no *** here"
    assert caught.value.__cause__ is None
    assert TOKEN not in caplog.text
    assert "geheim" not in caplog.text
    assert TOKEN not in repr(client) + repr(vars(client))


async def test_an_anonymous_refusal_says_that_no_credential_is_configured():
    with pytest.raises(AuthError, match="no credential is configured"):
        await get(client_of(Vendor({"/x": httpx.Response(401)})))


async def test_exceptions_of_the_library_neither_escape_nor_chain():
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError(f"with {request.headers['authorization']}", request=request)

    client = client_of(broken, token="env:TOKEN")
    with pytest.raises(SourceError) as caught:
        await get(client)
    assert TOKEN not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


async def test_a_part_of_an_answer_is_no_answer():
    with pytest.raises(BadAnswer):
        await get(client_of(Vendor({"/x": httpx.Response(206, json=[])})))


async def test_a_304_that_nobody_asked_for_is_no_answer():
    with pytest.raises(BadAnswer):
        await get(client_of(Vendor({"/x": httpx.Response(304)})))


# --- credentials ----------------------------------------------------------------------------------------------------


async def test_a_missing_secret_is_an_auth_error_of_the_part():
    vendor = Vendor({"/x": ok()})
    with pytest.raises(AuthError, match="env:ABSENT: this environment variable is not set"):
        await get(client_of(vendor, token="env:ABSENT"))
    assert vendor.requests == []


@pytest.mark.parametrize("value", ["two\nlines", "naïve", "a\x00b", "tab\r"])
async def test_a_secret_that_no_header_can_hold_is_not_sent(value: str):
    vendor = Vendor({"/x": ok()})
    with pytest.raises(AuthError, match="authorization") as caught:
        await get(client_of(vendor, token="env:TOKEN", environ={"TOKEN": f"x{value}x"}))
    assert value not in str(caught.value)
    assert vendor.requests == []


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding", "a b", "x:y", ""])
async def test_header_names_that_are_not_sent(name: str):
    with pytest.raises(Refused, match="headers:"):
        await get(client_of(Vendor({"/x": ok()}), headers={name: "1"}))


def keeper(environ: Mapping[str, str]) -> Vendor:
    """Lets in whoever bears the token that is in ``environ`` now."""

    def check(request: httpx.Request) -> httpx.Response:
        let_in = request.headers["authorization"] == f"Bearer {environ['RIGHT']}"
        return httpx.Response(200 if let_in else 401, json=[], headers={"etag": '"e"'})

    return Vendor({"/x": check})


async def test_a_refused_secret_is_read_anew_at_the_next_poll():
    environ = {"TOKEN": "old-token", "RIGHT": "new-token"}
    client = client_of(keeper(environ), token="env:TOKEN", environ=environ)
    client.factory("")
    for _ in range(2):
        with pytest.raises(AuthError):
            await get(client)
        environ["TOKEN"] = "new-token"
    client.factory("")
    assert await get(client) == []


async def test_a_person_may_have_the_secret_read_anew_at_once():
    environ = {"TOKEN": "old-token", "RIGHT": "new-token"}
    client = client_of(keeper(environ), token="env:TOKEN", environ=environ)
    with pytest.raises(AuthError):
        await get(client)
    environ["TOKEN"] = "new-token"
    client.retry_credentials()
    assert await get(client) == []


async def test_another_credential_voids_the_validators():
    environ = {"TOKEN": "first", "RIGHT": "first"}
    vendor = keeper(environ)
    client = client_of(vendor, token="env:TOKEN", environ=environ)
    http = client.factory("part")
    await http.get("/x", conditional=True)
    client.commit(http.validators)
    assert not client.credential_changed()
    environ.update(TOKEN="second", RIGHT="second")
    client.retry_credentials()
    await client.factory("part").get("/x", conditional=True)
    assert "if-none-match" not in vendor.last.headers
    assert client.credential_changed()
    assert not client.credential_changed()
    assert len(client.validators) == 0


async def test_the_same_secret_read_anew_changes_nothing():
    environ = {"TOKEN": "first", "RIGHT": "first"}
    client = client_of(keeper(environ), token="env:TOKEN", environ=environ)
    await get(client)
    client.retry_credentials()
    await get(client)
    assert not client.credential_changed()


async def test_fifty_parts_ask_for_the_secret_once():
    class Counting(Keychain):
        asked = 0

        async def resolve(self, reference: Any, *, fresh: bool = False) -> Any:
            self.asked += 1
            await asyncio.sleep(0)
            return await super().resolve(reference, fresh=fresh)

    keychain = Counting(environ=ENVIRON)
    source = make_source(Plain, {"url": BASE, "token": "env:TOKEN"})
    pool = ClientPool(source.clock, transport=httpx.MockTransport(Vendor({"/x": ok([])})))
    client = pool.for_source(source, source.options, keychain)
    await asyncio.gather(*(client.factory(f"part {n}").get("/x") for n in range(50)))
    assert keychain.asked == 1


class Peculiar(Plain):
    def sign(self, credentials: Credentials) -> Mapping[str, str]:
        return {"Private-Token": credentials.token}


async def test_a_source_may_sign_in_its_own_way():
    vendor = Vendor({"/x": ok()})
    await get(client_of(vendor, Peculiar, token="env:TOKEN"))
    assert vendor.last.headers["private-token"] == TOKEN
    assert "authorization" not in vendor.last.headers


# --- conditional requests ---------------------------------------------------------------------------------------------


def versioned(state: dict[str, str]) -> Vendor:
    """Answers every path in ``state`` with its ETag, and 304 to whoever has it."""

    def respond(request: httpx.Request) -> httpx.Response:
        etag = f'W/"{state[request.url.path]}"'
        if request.headers.get("if-none-match") == etag:
            return httpx.Response(304, headers={"etag": etag, "content-length": "999999999"})
        return httpx.Response(200, json=state[request.url.path], headers={"etag": etag})

    return Vendor(dict.fromkeys(state, respond))


async def read(client: SourceClient, url: str = "/x", part: str = "part", *, commit: bool = True) -> Any:
    http = client.factory(part)
    reply = await http.get(url, conditional=True)
    if commit:
        client.commit(http.validators)
    return reply.json()


async def test_what_did_not_change_is_not_sent_again():
    state = {"/x": "1"}
    vendor = versioned(state)
    client = client_of(vendor, token="env:TOKEN")
    assert await read(client) == "1"
    with pytest.raises(NotModified):
        await read(client)
    state["/x"] = "2"
    assert await read(client) == "2"
    with pytest.raises(NotModified):
        await read(client)
    assert vendor.last.headers["if-none-match"] == 'W/"2"'


async def test_a_validator_counts_only_once_its_changes_are_stored():
    client = client_of(versioned({"/x": "1"}))
    await read(client, commit=False)
    assert await read(client) == "1"


async def test_a_validator_is_for_its_part_and_request_only():
    client = client_of(versioned({"/x": "1", "/y": "1"}))
    await read(client)
    assert await read(client, "/x", "other part") == "1"
    assert await read(client, "/y", "third") == "1"
    http = client.factory("part")
    assert (await http.get("/x", headers={"Accept": "text/x"}, conditional=True)).json() == "1"
    assert (await client.factory("part").get("/x")).json() == "1"


async def test_validators_of_the_store_serve_the_next_run_with_the_same_salt_and_credential():
    source = make_source(Plain, {"url": BASE, "token": "env:TOKEN"})

    def run(validators: Any, *, salt: bytes = b"s" * 32, token: str = TOKEN) -> SourceClient:
        pool = ClientPool(source.clock, transport=httpx.MockTransport(versioned({"/x": "1"})), salt=salt)
        return pool.for_source(source, source.options, Keychain(environ={"TOKEN": token}), validators)

    first = run(())
    http = first.factory("part")
    await http.get("/x", conditional=True)
    (stored,) = http.validators
    assert (stored.source, stored.part) == ("plain", "part")
    assert TOKEN not in repr(stored)
    with pytest.raises(NotModified):
        await read(run([stored]))
    with pytest.raises(NotModified):
        await read(run(ValidatorCache([stored])))
    assert await read(run([stored], salt=b"t" * 32)) == "1"
    assert await read(run([stored], token="another")) == "1"


async def test_two_conditional_requests_vouch_for_nothing():
    client = client_of(versioned({"/x": "1", "/y": "1"}))
    for _ in range(2):
        http = client.factory("part")
        assert (await http.get("/x", conditional=True)).json() == "1"
        assert (await http.get("/y", conditional=True)).json() == "1"
        client.commit(http.validators)


async def test_after_a_change_the_rest_of_the_part_is_read_in_full():
    state = {"/x": "1", "/y": "1"}
    client = client_of(versioned(state))
    await read(client, "/x")
    client.commit([*client.factory("part").validators])
    state["/x"] = "2"
    http = client.factory("part")
    assert (await http.get("/x", conditional=True)).json() == "2"
    assert (await http.get("/y", conditional=True)).json() == "1"


@pytest.mark.parametrize(
    "headers,sent",
    [
        ({"etag": '"a"'}, {"if-none-match": '"a"'}),
        (
            {"etag": '"a"', "last-modified": "Fri, 02 Jan 2026 03:04:05 GMT"},
            {"if-none-match": '"a"', "if-modified-since": "Fri, 02 Jan 2026 03:04:05 GMT"},
        ),
        (
            {"last-modified": "Fri, 02 Jan 2026 03:04:05 GMT", "date": "Fri, 02 Jan 2026 03:04:06 GMT"},
            {"if-modified-since": "Fri, 02 Jan 2026 03:04:05 GMT"},
        ),
        # It may have changed again within that second, or at a time that we cannot compare.
        ({"last-modified": "Fri, 02 Jan 2026 03:04:05 GMT", "date": "Fri, 02 Jan 2026 03:04:05 GMT"}, {}),
        ({"last-modified": "Fri, 02 Jan 2026 03:04:05 GMT"}, {}),
        ({"last-modified": "yesterday", "date": "Fri, 02 Jan 2026 03:04:06 GMT"}, {}),
        ({"etag": '"' + "a" * 2000 + '"'}, {}),
        ({}, {}),
    ],
)
async def test_which_validators_are_sent(headers: dict[str, str], sent: dict[str, str]):
    vendor = Vendor({"/x": httpx.Response(200, json=[], headers=headers)})
    client = client_of(vendor)
    await read(client)
    await read(client)
    names = ("if-none-match", "if-modified-since")
    assert {name: vendor.last.headers[name] for name in names if name in vendor.last.headers} == sent


async def test_a_redirected_answer_gives_no_validators():
    vendor = Vendor({"/x": moved("/y"), "/y": ok([], etag='"a"')})
    client = client_of(vendor)
    await read(client)
    await read(client)
    assert all("if-none-match" not in request.headers for request in vendor.requests)


class OnePart(Plain):
    async def read(self, scope: Scope, http: Any) -> Part:
        (await http.get("/x", conditional=True)).json()
        return scope.part(())


async def test_the_way_of_a_part():
    vendor = versioned({"/x": "1"})
    source = make_source(OnePart, {"url": BASE})
    client = mock(source, vendor)
    (part,) = (await source.poll(client.factory)).parts
    assert part.error is None
    assert not part.unchanged
    client.commit(part.validators)
    (part,) = (await source.poll(client.factory)).parts
    assert part.unchanged
    assert client.requests == 2


# --- pages ----------------------------------------------------------------------------------------------------------


def paged(state: dict[str, list[str]], link: str = '<{}>; rel="next"') -> Vendor:
    """``/list`` in pages of one item each; ``state["items"]`` is the list."""

    def respond(request: httpx.Request) -> httpx.Response:
        items = state["items"]
        page = int(request.url.params.get("page", 1))
        etag = f'"{items[page - 1]}"'
        headers = {"etag": etag}
        if page < len(items):
            headers["link"] = link.format(f"{BASE}/list?page={page + 1}")
        if request.headers.get("if-none-match") == etag:
            return httpx.Response(304, headers={"etag": etag})
        return httpx.Response(200, json=items[page - 1], headers=headers)

    return Vendor({"/list": respond, **{f"/list?page={n}": respond for n in range(30)}})


async def pages(client: SourceClient, *, conditional: bool = False, limit: int = 10) -> list[Any]:
    http = client.factory("part")
    found = [reply.json() async for reply in http.pages("/list", conditional=conditional, limit=limit)]
    client.commit(http.validators)
    return found


async def test_pages_are_followed():
    vendor = paged({"items": ["a", "b", "c"]})
    assert await pages(client_of(vendor, token="env:TOKEN")) == ["a", "b", "c"]
    assert vendor.urls == ["/list", "/list?page=2", "/list?page=3"]
    assert all("authorization" in request.headers for request in vendor.requests)


async def test_too_many_pages():
    client = client_of(paged({"items": list("abcdefghijklmnop")}))
    with pytest.raises(TooLarge, match="more than 10 pages"):
        await pages(client)
    assert client.requests == 10
    assert await pages(client_of(paged({"items": list("abc")})), limit=3) == list("abc")


async def test_pages_in_a_circle():
    vendor = Vendor({"/list": ok([1], link=f'<{BASE}/b>; rel="next"'), "/b": ok([2], link='</list>; rel="next"')})
    with pytest.raises(BadAnswer, match="circle"):
        await pages(client_of(vendor))
    assert len(vendor.requests) == 2


async def test_a_next_page_elsewhere_gets_no_credentials():
    other = "https://other.example/list"
    vendor = Vendor({"/list": ok([1], link=f'<{other}>; rel="next"'), other: ok([2])})
    assert await pages(client_of(vendor, token="env:TOKEN")) == [[1], [2]]
    assert [bool(secrets_in(request)) for request in vendor.requests] == [True, False]


async def test_a_next_page_without_encryption_is_refused_but_for_the_same_host():
    vendor = Vendor({"/list": ok([1], link='<http://other.example/list>; rel="next"')})
    with pytest.raises(Refused):
        await pages(client_of(vendor, token="env:TOKEN"))
    vendor = Vendor({"/list": ok([1], link='<http://ci.example/2>; rel="next"'), "/2": ok([2])})
    assert await pages(client_of(vendor, token="env:TOKEN")) == [[1], [2]]


async def test_unchanged_pages_are_asked_each_and_vouch_together():
    state = {"items": ["a", "b", "c"]}
    vendor = paged(state)
    client = client_of(vendor)
    assert await pages(client, conditional=True) == ["a", "b", "c"]
    with pytest.raises(NotModified):
        await pages(client, conditional=True)
    assert [request.headers.get("if-none-match") for request in vendor.requests[3:]] == ['"a"', '"b"', '"c"']


@pytest.mark.parametrize("changed", [0, 1, 2])
async def test_a_change_on_any_page_has_all_read(changed: int):
    state = {"items": ["a", "b", "c"]}
    client = client_of(paged(state))
    await pages(client, conditional=True)
    state["items"][changed] = "new"
    assert await pages(client, conditional=True) == state["items"]
    with pytest.raises(NotModified):
        await pages(client, conditional=True)


@pytest.mark.parametrize("items", [["a", "b"], ["a", "b2", "c", "d"], ["a"]])
async def test_more_or_fewer_pages(items: list[str]):
    state = {"items": ["a", "b", "c"]}
    client = client_of(paged(state))
    await pages(client, conditional=True)
    state["items"] = [item + "'" for item in items]
    assert await pages(client, conditional=True) == state["items"]
    with pytest.raises(NotModified):
        await pages(client, conditional=True)


async def test_pages_that_were_not_stored_do_not_count():
    state = {"items": ["a", "b"]}
    client = client_of(paged(state))
    http = client.factory("part")
    async for _ in http.pages("/list", conditional=True):
        pass
    assert await pages(client, conditional=True) == ["a", "b"]


async def test_pages_left_early_vouch_for_nothing():
    client = client_of(paged({"items": ["a", "b"]}))
    http = client.factory("part")
    async for _ in http.pages("/list", conditional=True):
        break
    assert http.validators == ()


# --- quotas ---------------------------------------------------------------------------------------------------------


def counting_down(remaining: list[int]) -> Vendor:
    """A vendor with an hourly quota; its clock stands still."""

    def respond(request: httpx.Request) -> httpx.Response:
        left = remaining.pop(0)
        headers = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": str(left), "x-ratelimit-reset": "3600"}
        return httpx.Response(200, json=left, headers=headers)

    return Vendor({"/x": respond, "/y": respond})


async def test_the_budget_is_told():
    client = client_of(counting_down([4990, 4989]), token="env:TOKEN")
    assert client.budget_view() == (None, None, None)
    assert client.pause_for(5) == 0
    client.factory("")
    await get(client)
    await get(client)
    assert client.budget_view() == (4989, 5000, 3600)
    assert client.budget.remaining == 4989
    assert client.pause_for(2) == pytest.approx(3600 * 2 / 4989)
    assert client.requests == 2


async def test_a_used_up_quota_is_refused_without_asking():
    clock = FakeClock()
    vendor = counting_down([0, 4999])
    client = client_of(vendor, clock=clock, token="env:TOKEN")
    await get(client)
    clock.advance(1)
    with pytest.raises(RateLimited, match="not sent") as caught:
        await get(client)
    assert caught.value.retry_after == 3599
    assert len(vendor.requests) == client.requests == 1
    clock.advance(3599)
    assert await get(client) == 4999


async def test_a_rate_limit_holds_for_all_who_share_the_credential():
    clock = FakeClock()
    vendor = Vendor({"/x": httpx.Response(429, headers={"retry-after": "30"}), "/y": ok([1])})
    pool = ClientPool(clock, transport=httpx.MockTransport(vendor))

    def source(name: str, token: str) -> SourceClient:
        made = make_source(Plain, {"url": BASE, "name": name, "token": token}, clock=clock)
        return pool.for_source(made, made.options, Keychain(environ={**ENVIRON, "OTHER": "other-token"}))

    one, two, other = source("one", "env:TOKEN"), source("two", "env:TOKEN"), source("other", "env:OTHER")
    with pytest.raises(RateLimited) as caught:
        await get(one)
    assert caught.value.retry_after == 30
    with pytest.raises(RateLimited, match="not sent"):
        await get(two, "/y")
    assert await get(other, "/y") == [1]
    clock.advance(30)
    assert await get(two, "/y") == [1]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(429),
        httpx.Response(400, json={"errors": [{"message": "slow down", "extensions": {"code": "RATELIMITED"}}]}),
    ],
)
async def test_a_rate_limit_without_a_time_gives_the_vendor_a_rest(answer: httpx.Response):
    clock = FakeClock()
    vendor = Vendor({"/x": answer, "/y": ok([1])})
    client = client_of(vendor, clock=clock)
    with pytest.raises(RateLimited):
        await get(client)
    with pytest.raises(RateLimited, match="not sent"):
        await get(client, "/y")
    clock.advance(10)
    assert await get(client, "/y") == [1]


async def test_a_busy_server_says_when():
    with pytest.raises(ServerError) as caught:
        await get(client_of(Vendor({"/x": httpx.Response(503, headers={"retry-after": "20"})})))
    assert caught.value.retry_after == 20


async def test_the_vendors_clock():
    clock = FakeClock()
    ahead = (clock.now() + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    client = client_of(Vendor({"/x": ok(date=ahead)}), clock=clock)
    assert client.clock_offset is None
    for _ in range(3):
        await get(client)
    assert client.clock_offset == pytest.approx(90.5)


# --- the queue ------------------------------------------------------------------------------------------------------


async def test_fifty_repositories_one_missing_and_one_hanging():
    clock = FakeClock()
    gate = asyncio.Event()
    most = running = 0

    async def vendor(request: httpx.Request) -> httpx.Response:
        nonlocal most, running
        running += 1
        most = max(most, running)
        try:
            if request.url.path == "/repo 7":
                await gate.wait()
            await clock.sleep(0.01)
            return httpx.Response(404 if request.url.path == "/repo 3" else 200, json=[])
        finally:
            running -= 1

    class Repositories(OneAtATime):
        async def scopes(self, http: Any) -> list[Scope]:
            return [Scope(name=f"repo {n}", kind="incident", reach="complete") for n in range(50)]

        async def read(self, scope: Scope, http: Any) -> Part:
            (await http.get(f"/{scope.name}")).json()
            return scope.part(())

    source = make_source(Repositories, {"url": BASE}, clock=clock)
    client = mock(source, vendor, clock=clock)
    parts: list[Part] = []

    async def poll() -> None:
        async for part in source.stream(client.factory):
            parts[len(parts) :] = [part]

    polling = asyncio.create_task(poll())
    while len(parts) < 49:
        await clock.run_for(0.1)
        assert clock.monotonic() < 10
    assert [part.scope for part in parts if part.error] == ["repo 3"]
    assert "repo 7" not in {part.scope for part in parts}
    assert most == 2
    gate.set()
    await clock.run_for(1)
    await polling
    assert len(parts) == 50
