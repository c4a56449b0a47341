"""The small HTTP server: correct with good and bad clients, blind when told, gone when closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from statusboard.demo.servers import Pages, Request, Response, Server
from tests.demo.conftest import client


def echo(request: Request) -> Response:
    if request.path == "/broken":
        raise RuntimeError("a fault of ours")
    return Response(
        200, f"{request.method} {request.path} {request.query} {request.body.decode()}".encode(), "text/plain"
    )


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server(echo)
    await server.start()
    yield server
    await server.close()


async def talk(server: Server, text: str) -> bytes:
    """What the server answers to these bytes, up to the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
    try:
        writer.write(text.encode())
        writer.write_eof()
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_request_arrives_as_it_was_sent(server):
    async with client() as http:
        answer = await http.post(f"{server.url}/a%20b?x=1&x=2&y=%C3%A9", content=b"hello")
    assert answer.text == "POST /a b (('x', '1'), ('x', '2'), ('y', 'é')) hello"
    assert "date" in answer.headers


async def test_one_connection_serves_many_requests(server):
    request = "GET /one HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = await talk(server, request * 3)
    assert answer.count(b"HTTP/1.1 200 OK") == 3


async def test_a_client_may_ask_to_close(server):
    answer = await talk(server, "GET / HTTP/1.1\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 1
    assert b"Connection: close" in answer


async def test_an_old_client_is_closed_unless_it_asks(server):
    assert (await talk(server, "GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n")).count(b"200 OK") == 1


async def test_head_is_get_without_a_body(server):
    async with client() as http:
        head = await http.head(f"{server.url}/x")
    assert head.content == b""
    assert int(head.headers["content-length"]) == len("HEAD /x () ")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("nonsense\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        ("GET / HTTP/3.0\r\n\r\n", 505),
        ("GET / HTTP/1.1\r\nX: " + "x" * 70_000 + "\r\n\r\n", 431),
    ],
)
async def test_bad_requests_are_answered_and_closed(server, text, status):
    answer = await talk(server, text)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


async def test_half_a_request_is_no_request(server):
    assert await talk(server, "GET / HT") == b""


async def test_a_fault_of_the_handler_is_a_500_and_logged(server, caplog):
    async with client() as http:
        assert (await http.get(f"{server.url}/broken")).status_code == 500
        assert (await http.get(f"{server.url}/fine")).status_code == 200
    assert "GET /broken" in caplog.text


async def test_what_comes_before_a_request_is_called_before_it(server):
    calls: list[str] = []
    server.before = lambda: calls.append("before")
    async with client() as http:
        await http.get(server.url)
        await http.get(server.url)
    assert calls == ["before", "before"]


async def test_unavailable(server):
    server.fault = "unavailable"
    async with client() as http:
        assert (await http.get(server.url)).status_code == 503
        server.fault = None
        assert (await http.get(server.url)).status_code == 200


@pytest.mark.parametrize("fault", ["drop", "cut"])
async def test_dropped_and_cut_connections(server, fault):
    server.fault = fault
    async with client() as http:
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await http.get(server.url)


async def test_a_hanging_server_says_nothing_until_it_is_well_again(server):
    server.fault = "hang"
    async with client(timeout=None) as http:
        request = asyncio.create_task(http.get(server.url))
        done, _ = await asyncio.wait({request}, timeout=0.1)
        assert not done
        server.fault = None
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await request


async def test_closing_ends_every_connection_and_task():
    server = Server(echo)
    await server.start()
    async with client(timeout=None) as http:
        await http.get(server.url)  # stays open
        server.fault = "hang"
        request = asyncio.create_task(http.get(server.url))
        await asyncio.wait({request}, timeout=0.05)
        url = server.url
        await server.close()
        with pytest.raises(httpx.HTTPError):
            await request
        with pytest.raises(httpx.ConnectError):
            await http.get(url)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_a_server_that_was_not_started_has_no_address():
    with pytest.raises(RuntimeError, match="started"):
        _ = Server(echo).url


def test_pages_are_made_once_for_each_revision():
    pages, made = Pages(keep=2), []

    def get(key: str, revision: int) -> bytes:
        def make() -> Response:
            made.append((key, revision))
            return Response(200, f"{key}{revision}".encode())

        return pages.get(key, revision, make).body

    assert [get("a", 1), get("a", 1), get("a", 2), get("b", 2), get("a", 2)] == [b"a1", b"a1", b"a2", b"b2", b"a2"]
    assert made == [("a", 1), ("a", 2), ("b", 2)]
    get("c", 2)
    get("a", 2)
    assert made[3:] == [("c", 2), ("a", 2)], "a full cache is emptied"
