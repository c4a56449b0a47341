"""What 200 sources cost whose servers all answer 304, beside a bare httpx loop that makes the same requests.

Three processes: a server on loopback, the bare loop, and the board's engine with an SQLite store.  Both clients run at
the same time, so that what else the machine does falls on both alike.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.table import Row, percentile

SOURCES = 200
ITEMS = 50
INTERVAL = 30.0
AT_ONCE = 4
PACED_ROUNDS = 2
UNPACED_ROUNDS = 9


def rows() -> list[Row]:
    """The two rows of the table."""
    server = _start("serve")
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    try:
        results = {}
        for mode in ("paced", "unpaced"):
            clients = {name: _start(name, url, mode) for name in ("bare", "engine")}
            for client in clients.values():
                assert client.stdout is not None
                assert client.stdout.readline() == "ready\n"
            if mode == "paced":
                for client in clients.values():
                    _go(client)
                results[mode] = {name: _answer(client) for name, client in clients.items()}
            else:  # in turns: each has the machine for itself
                taken: dict[str, list[float]] = {name: [] for name in clients}
                for _ in range(UNPACED_ROUNDS):
                    for name, client in clients.items():
                        _go(client)
                        taken[name].append(_answer(client))
                results[mode] = {name: percentile(values, 0.5) for name, values in taken.items()}
            for client in clients.values():
                client.terminate()
                client.wait()
    finally:
        server.terminate()
        server.wait()
    paced, unpaced = results["paced"], results["unpaced"]
    return [
        Row(
            "200 sources answering 304 at 30 s, CPU beside bare httpx",
            paced["engine"] / paced["bare"],
            1.7,
            "x",
            f"{paced['engine'] * 1000:.0f} ms beside {paced['bare'] * 1000:.0f} ms in {PACED_ROUNDS} rounds",
        ),
        Row(
            "one round of them unpaced, wall beside bare httpx",
            unpaced["engine"] / unpaced["bare"],
            1.3,
            "x",
            f"{unpaced['engine'] * 1000:.0f} ms beside {unpaced['bare'] * 1000:.0f} ms",
        ),
    ]


def _start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bench.polling", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )


def _go(client: subprocess.Popen[str]) -> None:
    assert client.stdin is not None
    client.stdin.write("go\n")
    client.stdin.flush()


def _answer(client: subprocess.Popen[str]) -> float:
    assert client.stdout is not None
    return float(client.stdout.readline())


async def _told() -> bool:
    return await asyncio.to_thread(sys.stdin.readline) == "go\n"


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


# -- the server ----------------------------------------------------------------------------------------------------


async def _serve() -> None:
    body = json.dumps([{"id": n, "state": "success", "title": f"build {n}"} for n in range(ITEMS)]).encode()
    head = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: "v1"\r\nContent-Length: %d\r\n\r\n' % len(body)
    unchanged = b'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\n\r\n'

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                writer.write(unchanged if b"if-none-match" in request.lower() else head + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=1 << 16)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


# -- the bare loop -------------------------------------------------------------------------------------------------


async def _bare(url: str, mode: str) -> None:
    import httpx

    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=AT_ONCE)) as client:
        urls = [f"{url}/s{n}" for n in range(SOURCES)]
        tags = {}
        for address in urls:
            tags[address] = {"If-None-Match": (await client.get(address)).headers["ETag"]}

        async def ask(address: str) -> None:
            assert (await client.get(address, headers=tags[address])).status_code == 304

        async def paced(address: str, delay: float, until: float) -> None:
            await asyncio.sleep(delay)
            while time.monotonic() < until:
                await ask(address)
                await asyncio.sleep(INTERVAL)

        async def worker(queue: list[str]) -> None:
            while queue:
                await ask(queue.pop())

        print("ready", flush=True)
        while await _told():
            began, cpu = time.monotonic(), _cpu()
            if mode == "paced":
                until = began + INTERVAL * PACED_ROUNDS
                spread = [INTERVAL * n / SOURCES for n in range(SOURCES)]
                await asyncio.gather(*(paced(u, d, until) for u, d in zip(urls, spread, strict=True)))
                print(_cpu() - cpu, flush=True)
            else:
                queue = list(urls)
                await asyncio.gather(*(worker(queue) for _ in range(AT_ONCE)))
                print(time.monotonic() - began, flush=True)


# -- the board's engine --------------------------------------------------------------------------------------------


async def _engine(url: str, mode: str) -> None:
    from statusboard.client import ClientPool
    from statusboard.config import load_config
    from statusboard.credentials import Keychain
    from statusboard.engine import Engine
    from statusboard.registry import Registry
    from statusboard.wiring import make_setups

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        sources = [
            {
                "type": "http-json",
                "name": f"s{n}",
                "url": url,
                "path": f"/s{n}",
                "kind": "build",
                "id": "id",
                "interval": f"{INTERVAL:g}s",
                "fields": {"title": "title", "state": "state"},
            }
            for n in range(SOURCES)
        ]
        path.write_text(json.dumps({"sources": sources}))
        config = load_config(path, registry=Registry.installed())
        pool = ClientPool()
        engine = Engine(
            make_setups(config, pool, Keychain()), store_path=Path(folder) / "board.sqlite", close=pool.aclose
        )
        engine.keep_polling = False
        await engine.start()
        await engine.poll_once()
        await engine.poll_once()
        summary = engine.board.summary()
        assert (summary.fresh, len(list(engine.board.items()))) == (SOURCES, SOURCES * ITEMS)
        before = engine.board.seq
        print("ready", flush=True)
        while await _told():
            began, cpu = time.monotonic(), _cpu()
            if mode == "paced":
                engine.go_on()
                await asyncio.sleep(INTERVAL * PACED_ROUNDS)
                print(_cpu() - cpu, flush=True)
            else:
                await engine.poll_once()
                print(time.monotonic() - began, flush=True)
        assert engine.board.seq == before, "a 304 writes nothing"
        await engine.stop()


def main(arguments: Sequence[str]) -> None:
    """Be one of the three processes."""
    match arguments:
        case ["serve"]:
            asyncio.run(_serve())
        case ["bare", url, mode]:
            asyncio.run(_bare(url, mode))
        case ["engine", url, mode]:
            asyncio.run(_engine(url, mode))
        case _:
            from tests.bench.table import printed

            print(printed(rows()))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
