"""Bodies within their caps, and what is in them."""

from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import AsyncIterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusboard.client._reading import Answer, Headers, read_body
from statusboard.errors import AuthError, BadAnswer, SourceError, TooLarge


class Thing(msgspec.Struct):
    id: int
    name: str = ""


async def in_chunks(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def read(body: bytes, encoding: str = "", *, limit: int = 1_000_000, size: int = 1000, **headers: str) -> bytes:
    known = {name.replace("_", "-"): value for name, value in headers.items()}
    if encoding:
        known["content-encoding"] = encoding
    return await read_body(in_chunks(body, size), known, "GET /x", limit)


def answer(
    body: bytes, content_type: str = "application/json", *, status: int = 200, redirected: bool = False
) -> Answer:
    headers = Headers([(b"Content-Type", content_type.encode())])
    return Answer(status, "https://ci.example/x", headers, body, where="GET /x", redirected=redirected)


# --- bodies ---------------------------------------------------------------------------------------------------------

BODY = b"some words, and some words again; " * 3000


def bare_deflate(body: bytes) -> bytes:
    compress = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compress.compress(body) + compress.flush()


@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
@pytest.mark.parametrize(
    "encoding,sent",
    [
        ("", BODY),
        ("identity", BODY),
        ("gzip", gzip.compress(BODY)),
        ("x-gzip", gzip.compress(BODY)),
        ("GZIP", gzip.compress(BODY)),
        ("gzip", gzip.compress(BODY[:5000]) + gzip.compress(BODY[5000:]) + b"\0" * 100),
        ("deflate", zlib.compress(BODY)),
        ("deflate", bare_deflate(BODY)),
    ],
)
async def test_every_coding_in_every_cut(encoding: str, sent: bytes, size: int):
    assert await read(sent, encoding, size=size) == BODY


async def test_an_empty_body_is_empty_whatever_its_coding():
    assert await read(b"", "gzip") == b""


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress", "\x1b[31m"])
async def test_codings_that_were_not_asked_for(encoding: str):
    with pytest.raises(BadAnswer, match="not asked for") as caught:
        await read(b"x", encoding)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    "sent,reason", [(gzip.compress(BODY)[:-9], "in the middle"), (b"nothing of the kind", "broken")]
)
async def test_broken_compression(sent: bytes, reason: str):
    with pytest.raises(BadAnswer, match=reason):
        await read(sent, "gzip")


async def test_a_bomb_is_stopped_at_the_cap():
    bomb = gzip.compress(b"\0" * 50_000_000)
    assert len(bomb) < 100_000
    with pytest.raises(TooLarge, match="1 MB"):
        await read(bomb, "gzip")
    with pytest.raises(TooLarge):
        await read(gzip.compress(b"\0" * 600_000) * 2, "gzip")


async def test_a_long_body_is_stopped_at_the_cap():
    with pytest.raises(TooLarge):
        await read(b"x" * 1_000_001)
    assert len(await read(b"x" * 1_000_000)) == 1_000_000


async def test_a_body_announced_as_too_long_is_not_read_at_all():
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("it was read")
        yield b""

    with pytest.raises(TooLarge):
        await read_body(never(), {"content-length": "1000001"}, "GET /x", 1_000_000)
    assert await read(b"x", content_length="²") == b"x"


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate"]), st.integers(1, 50))
async def test_no_body_is_another_kind_of_error(sent: bytes, encoding: str, size: int):
    with contextlib.suppress(SourceError):
        await read(sent, encoding, size=size, limit=1000)


# --- contents -------------------------------------------------------------------------------------------------------


def test_json_into_types():
    things = answer(b'[{"id": 1, "name": "a", "more": [1]}]').decode(list[Thing])
    assert things == [Thing(id=1, name="a")]
    assert answer(b"\xef\xbb\xbf{}").json() == {}
    assert answer(b'"only a string"').json() == "only a string"


def test_half_a_surrogate_pair_costs_one_character_only():
    body = rb'[{"id": 1, "name": "\ud83d broken \\ud800 \ud83d\ude00 \udc00"}]'
    (thing,) = answer(body).decode(list[Thing])
    assert thing.name == "\ufffd broken \\ud800 \U0001f600 \ufffd"


def test_what_does_not_fit_names_the_field():
    with pytest.raises(BadAnswer, match=r"GET /x: Expected `int`, got `str` - at `\$\[0\]\.id`"):
        answer(b'[{"id": "one"}]').decode(list[Thing])


@pytest.mark.parametrize(
    "body,reason",
    [
        (b"", "empty answer"),
        (b'[{"id": 1', "ends in the middle"),
        (b"[1,,]", "not JSON"),
        (b"[] trailing", "not JSON"),
        ('["größer"]'.encode("latin-1"), "UTF-8"),
        ('["x"]'.encode("utf-16"), "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_not_json(body: bytes, reason: str):
    with pytest.raises(BadAnswer, match=reason) as caught:
        answer(body).json()
    assert str(caught.value).startswith("GET /x: ")
    assert caught.value.__suppress_context__


PAGE = b"  <!DOCTYPE html><html><title>Sign in</title></html>"


def test_html_instead_of_json():
    with pytest.raises(BadAnswer, match="HTML came instead of JSON"):
        answer(PAGE, "text/html; charset=utf-8").json()
    with pytest.raises(BadAnswer, match="HTML"):
        answer(PAGE, "application/json").json()


def test_a_sign_in_page_means_the_credential_is_refused():
    with pytest.raises(AuthError, match="sign-in page"):
        answer(PAGE, "text/html", status=203).json()
    with pytest.raises(AuthError, match="sign-in page"):
        answer(PAGE, "text/html", redirected=True).json()


@given(st.binary())
def test_no_answer_is_another_kind_of_error(body: bytes):
    with contextlib.suppress(SourceError):
        answer(body).decode(list[Thing])


# --- headers --------------------------------------------------------------------------------------------------------


def test_headers_by_any_case_and_joined():
    headers = Headers([(b"Link", b"<a>; rel=next"), (b"LINK", b"<b>"), (b"X-\xe4", b"\xff"), (b"Set-Cookie", b"s=1")])
    assert headers["link"] == headers["LINK"] == "<a>; rel=next, <b>"
    assert headers.get("absent") is None
    assert "Link" in headers
    assert "absent" not in headers
    assert len(headers) == len(list(headers)) == 3
    assert "s=1" not in repr(headers)
