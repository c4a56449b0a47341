"""Over real connections: servers that hang, cut, trickle, bomb and reset, and connections that are kept."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from statusboard.client import KEEP_ALIVE, ClientPool
from statusboard.clock import SystemClock
from statusboard.credentials import Keychain
from statusboard.errors import (
    AuthError,
    BadAnswer,
    ServerError,
    SourceError,
    Timeout,
    TooLarge,
    TransportError,
)
from statusboard.model import Part
from statusboard.source import NotModified, Scope
from tests.client.kit import (
    ENVIRON,
    Behaviour,
    OneAtATime,
    Plain,
    Reader,
    Writer,
    answer,
    make_source,
    real_client,
    saying,
    serving,
)


async def hang(reader: Reader, writer: Writer, head: bytes) -> None:
    await reader.read()


async def reset(reader: Reader, writer: Writer, head: bytes) -> None:
    writer.transport.abort()


async def trickle(reader: Reader, writer: Writer, head: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while not writer.transport.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def endless(reader: Reader, writer: Writer, head: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not writer.transport.is_closing():
        writer.write(b"2710\r\n" + b" " * 10_000 + b"\r\n")
        await writer.drain()


GZIP = "Content-Encoding: gzip"
BOMB = gzip.compress(b"[" + b" " * 30_000_000 + b"]")


@pytest.mark.parametrize(
    "behaviour,kind,says",
    [
        (hang, Timeout, "no answer within"),
        (trickle, Timeout, "not answered in full within"),
        (reset, TransportError, "connection"),
        (endless, TooLarge, "larger than 1 MB"),
        (saying(answer(BOMB, GZIP)), TooLarge, "larger than 1 MB"),
        (saying(answer(b" " * 1_000_001)), TooLarge, "larger than 1 MB"),
        (saying(answer(b"", length=50_000_000)), TooLarge, "larger than 1 MB"),
        (saying(answer(b"[1, 2", length=100), then_close=True), TransportError, "in the middle"),
        (saying(b"HTTP/1.1 200 OK\r\n\r\n[1, 2", then_close=True), BadAnswer, "ends in the middle"),
        (saying(answer(gzip.compress(b"[1]")[:-4], GZIP)), BadAnswer, "in the middle"),
        (saying(answer(b"[1]", GZIP)), BadAnswer, "compression is broken"),
        (saying(answer(b"[1]", "Content-Encoding: br")), BadAnswer, "not asked for"),
        (saying(b"SSH-2.0-OpenSSH_9.2\r\n", then_close=True), TransportError, "does not speak HTTP"),
        (saying(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n", then_close=True), TransportError, "HTTP"),
        (saying(answer(b"<html>", "Content-Type: text/html")), BadAnswer, "HTML came instead of JSON"),
        (saying(answer(b"<html>" * 100_000, status="502 Bad Gateway")), ServerError, "502 Bad Gateway"),
        (saying(answer(b"", "Location: /x", status="302 Found")), BadAnswer, "more than 5 redirects"),
        (saying(answer(BOMB, GZIP, "Location: /x", status="302 Found")), BadAnswer, "more than 5 redirects"),
    ],
)
async def test_bad_servers(behaviour: Behaviour, kind: type[SourceError], says: str):
    async with serving(behaviour) as server, real_client(server.url, timeout=0.2) as client:
        with pytest.raises(kind, match=says) as caught:
            (await client.factory("part").get("/x")).json()
        assert str(caught.value).startswith("GET /x")
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None or caught.value.__suppress_context__
        assert asyncio.all_tasks() - server.tasks == {asyncio.current_task()}


async def test_nobody_there():
    async with serving(hang) as server:
        url = server.url
    async with real_client(url) as client:
        with pytest.raises(TransportError, match=r"GET /x: no connection: .*(refused|connect)"):
            await client.factory("part").get("/x")


async def test_a_host_without_an_address():
    async with real_client("http://no-such-host.invalid") as client:
        with pytest.raises(TransportError, match="no connection"):
            await client.factory("part").get("/x")
    async with real_client(f"http://{'a' * 70}.example") as client:
        with pytest.raises(SourceError):
            await client.factory("part").get("/x")


async def test_compressed_answers_are_read():
    async with (
        serving(saying(answer(gzip.compress(b"[1]"), GZIP))) as server,
        real_client(server.url) as client,
    ):
        assert (await client.factory("part").get("/x")).json() == [1]
        assert b"accept-encoding: gzip\r\n" in server.heads[0].lower()


async def test_connections_are_kept_whatever_the_answer():
    statuses = iter(["200 OK", "404 Not Found", "500 Oh", "302 Found", "200 OK", "304 Not Modified", "200 OK"])

    async def behave(reader: Reader, writer: Writer, head: bytes) -> None:
        status = next(statuses)
        if status.startswith("304"):
            writer.write(b'HTTP/1.1 304 Not Modified\r\nContent-Length: 99999999\r\nETag: "a"\r\n\r\n')
        else:
            writer.write(answer(b'["a body"]', 'ETag: "a"', "Location: /y", status=status))

    async with serving(behave) as server, real_client(server.url) as client:
        http = client.factory("part")
        await http.get("/x", conditional=True)
        client.commit(http.validators)
        for _ in range(2):
            with pytest.raises(SourceError):
                await client.factory("part").get("/x")
        await client.factory("part").get("/x")
        with pytest.raises(NotModified):
            await client.factory("part").get("/x", conditional=True)
        await client.factory("part").get("/x")
        assert server.connections == 1
        assert len(server.heads) == 7


async def test_a_source_that_goes_closes_what_no_other_one_uses():
    async with serving(saying(answer(b"[1]"))) as server, ClientPool(SystemClock(), trust_env=False) as pool:
        one, two = (pool.for_source(make_source(Plain, {"url": server.url, "name": name})) for name in ("one", "two"))
        await one.factory("part").get("/x")
        await two.factory("part").get("/x")
        await one.aclose()
        await two.factory("part").get("/x")
        assert server.connections == 1, "the other one still uses it"
        await two.aclose()
        async with asyncio.timeout(10):
            await asyncio.gather(*server.tasks)  # their connections have ended
        three = pool.for_source(make_source(Plain, {"url": server.url, "name": "three"}))
        await three.factory("part").get("/x")
        assert server.connections == 2


async def test_a_kept_connection_that_the_server_closed_is_replaced():
    async with serving(saying(answer(b"[1]"))) as server, real_client(server.url) as client:
        await client.factory("part").get("/x")
        server.hang_up()
        assert (await client.factory("part").get("/x")).json() == [1]
        assert server.connections == 2


async def test_a_connection_closed_as_it_is_used_again_is_tried_once_more():
    async def once_each(reader: Reader, writer: Writer, head: bytes) -> None:
        if len(server.heads) == 2:
            writer.close()  # without an answer, as a server whose keep-alive time ran out just now
        else:
            writer.write(answer(b"[1]"))

    async with serving(once_each) as server, real_client(server.url) as client:
        for _ in range(2):
            assert (await client.factory("part").get("/x")).json() == [1]
        assert len(server.heads) == client.requests == 3


async def test_a_post_is_not_sent_twice():
    async with serving(reset) as server, real_client(server.url) as client:
        with pytest.raises(TransportError):
            await client.factory("part").post("/x", json={})
        assert len(server.heads) == 1


class Repositories(OneAtATime):
    async def scopes(self, http: object) -> list[Scope]:
        return [Scope(name=f"repo{n}", kind="incident", reach="complete") for n in range(12)]

    async def read(self, scope: Scope, http: object) -> Part:
        (await http.get(f"/{scope.name}")).json()  # type: ignore[attr-defined]
        return scope.part(())


async def test_one_hanging_part_does_not_hold_up_the_rest():
    async def behave(reader: Reader, writer: Writer, head: bytes) -> None:
        if b"/repo0 " in head:
            await hang(reader, writer, head)
        writer.write(answer(b"[]"))

    clock = SystemClock()
    async with serving(behave) as server, ClientPool(clock, trust_env=False, patience=0.05) as pool:
        source = make_source(Repositories, {"url": server.url, "timeout": 1}, clock=clock)
        client = pool.for_source(source)
        parts = [part async for part in source.stream(client.factory)]
        assert [part.scope for part in parts][-1] == "repo0"
        assert isinstance(parts[-1].error, Timeout)
        assert not [part for part in parts[:-1] if part.error]


async def test_a_cancelled_request_frees_its_place():
    arrived = asyncio.Event()

    async def behave(reader: Reader, writer: Writer, head: bytes) -> None:
        if b"/hangs " in head:
            arrived.set()
            await hang(reader, writer, head)
        writer.write(answer(b"[]"))

    async with serving(behave) as server, real_client(server.url, OneAtATime) as client:
        hanging = asyncio.create_task(client.factory("a").get("/hangs"))
        await arrived.wait()
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
        assert (await client.factory("b").get("/x")).json() == []


# --- proxies ----------------------------------------------------------------------------------------------------------


async def test_the_environments_proxy_is_used_and_no_netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async with serving(saying(answer(b"[1]"))) as proxy:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine ci.example login me password from-netrc\n")
        for name in ("HTTP_PROXY", "ALL_PROXY", "all_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "direct.example")
        monkeypatch.setenv("NETRC", str(netrc))
        async with ClientPool() as pool:
            source = make_source(Plain, {"url": "http://ci.example"})
            assert (await pool.for_source(source).factory("part").get("/x")).json() == [1]
            assert proxy.heads[0].startswith(b"GET http://ci.example/x HTTP/1.1\r\n")
            assert b"authorization" not in proxy.heads[0].lower()
            direct = make_source(Plain, {"url": "http://direct.example"})
            with pytest.raises(TransportError):
                await pool.for_source(direct).factory("part").get("/x")
        monkeypatch.setenv("http_proxy", "gopher://x")
        async with ClientPool() as pool:
            with pytest.raises(TransportError, match="proxy"):
                await pool.for_source(make_source(Plain, {"url": "http://ci.example"})).factory("part").get("/x")


# --- the pool ---------------------------------------------------------------------------------------------------------


async def test_sources_share_the_queue_of_an_origin_and_credential_only():
    async with serving(saying(answer(b"[1]"))) as server, ClientPool(trust_env=False) as pool:
        sources = [
            make_source(Plain, {"url": server.url, "name": name, "token": token})
            for name, token in [("a", "env:TOKEN"), ("b", "env:TOKEN"), ("c", "env:USER"), ("d", "")]
        ]
        for source in sources:
            client = pool.for_source(source, source.options, Keychain(environ=ENVIRON))
            await client.factory("part").get("/x")
        assert pool.lanes == 3
        assert server.connections == 1
    assert pool.lanes == 0


async def test_a_closed_pool_leaves_nothing_behind():
    async with serving(saying(answer(b"[1]"))) as server:
        async with real_client(server.url) as client:
            await client.factory("part").get("/x")
        assert asyncio.all_tasks() - server.tasks == {asyncio.current_task()}
    assert KEEP_ALIVE > 60


async def test_a_wrong_credential_over_the_wire():
    async with (
        serving(saying(answer(b'{"message": "Bad credentials"}', status="401 Unauthorized"))) as server,
        real_client(server.url) as client,
    ):
        with pytest.raises(AuthError, match="GET /x: 401 Unauthorized: Bad credentials"):
            await client.factory("part").get("/x")


def test_the_library_comes_without_its_command_line():
    code = (
        "import sys, statusboard.client; print([m for m in ('httpx._main', 'pygments') if m in sys.modules]);"
        "import httpx._main"  # who wants it can still have it
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout == "[]\n"
