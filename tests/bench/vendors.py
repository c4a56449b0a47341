"""What a round over 30 sources of all types costs beside a bare httpx loop, and what 10,000 of their items weigh.

The vendors are those of `tests.real.vendors`, in a process of their own; every answer is a 200 with its whole body, as
from vendors that know no ETags, and says what it said before.  Three processes take turns:

    the vendors      on loopback, a port each; their answers are made beforehand
    the engine       polls all sources once, side by side, with an SQLite store: it asks, decodes, makes items of all
                     rows, compares them with what it knows, and judges the health of each source
    the bare loop    makes the very requests that such a round made (they are recorded), as many of them at once, reads
                     the bodies, and decodes them by ``json.loads``; what is XML it only reads

So both decode whatever comes, and only the engine makes anything of it.  The first rounds are not measured: they ask
for what changes seldom (how finished pipelines went, default branches) and fill the store.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.harness_pty import PtyProgram
from tests.bench.table import Row, percentile
from tests.real.vendors.shape import ITEMS

SOURCES = 30
MANY = 100
INTERVAL = 15
ROUNDS = 31
MOST_WARM_ROUNDS = 100
AT_ONCE = 4
"""Requests at once to one vendor: what sources are allowed unless they say otherwise."""


def rows() -> list[Row]:
    """The rows of the table."""
    return [*_round(), *_memory()]


# -- one round -----------------------------------------------------------------------------------------------------


def _round() -> list[Row]:
    with _process("serve", str(SOURCES)) as vendors, _process("engine") as engine, _process("bare") as bare:
        _say(engine, _heard(vendors))
        assert _heard(engine) == "ready"
        recorded = _settled(engine, vendors)
        _say(bare, json.dumps(recorded))
        assert _heard(bare) == "ready"
        _asked(vendors)
        taken: dict[str, list[tuple[float, float]]] = {"engine": [], "bare": []}
        for _ in range(ROUNDS):
            for name, client in (("engine", engine), ("bare", bare)):
                taken[name].append(_turn(client))
                assert _told_apart(_asked(vendors)) == _told_apart(recorded), "both ask for the same in each round"
    wall = {name: percentile([wall for wall, _ in turns], 0.5) for name, turns in taken.items()}
    cpu = {name: percentile([cpu for _, cpu in turns], 0.5) for name, turns in taken.items()}
    ours, theirs = wall["engine"] * 1000, wall["bare"] * 1000
    cpus = f"CPU {cpu['engine'] * 1000:.0f} ms beside {cpu['bare'] * 1000:.0f} ms"
    return [
        Row(
            f"one round of {SOURCES} sources of all types, wall beside bare httpx",
            ours / theirs,
            1.5,
            "x",
            f"{ours:.0f} ms beside {theirs:.0f} ms for {len(recorded)} requests; {cpus}",
        )
    ]


def _settled(engine: subprocess.Popen[str], vendors: subprocess.Popen[str]) -> list[Any]:
    """The requests of a round like the one before: what is read once only has been read by then."""
    asked, before = list[Any](), None
    for _ in range(MOST_WARM_ROUNDS):
        if before is not None and _told_apart(asked) == _told_apart(before):
            return asked
        before = asked
        _asked(vendors)
        _turn(engine)
        asked = _asked(vendors)
    raise AssertionError(f"each of {MOST_WARM_ROUNDS} rounds asks for something else")


def _told_apart(asked: list[Any]) -> Counter[tuple[str, ...]]:
    return Counter((url, method, body) for url, method, _, body in asked)


@contextmanager
def _process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.vendors", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def _heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _asked(vendors: subprocess.Popen[str]) -> list[Any]:
    """What was asked since this was called last."""
    _say(vendors, "asked")
    found: list[Any] = json.loads(_heard(vendors))
    return found


def _turn(client: subprocess.Popen[str]) -> tuple[float, float]:
    """One round: wall and processor seconds."""
    _say(client, "go")
    wall, cpu = json.loads(_heard(client))
    return wall, cpu


# -- the vendors -----------------------------------------------------------------------------------------------------


def _serve(count: int) -> None:
    from tests.real.vendors import Vendors

    with Vendors(count) as vendors:
        print(vendors.sources(interval="30s"), flush=True)
        for _ in sys.stdin:
            print(json.dumps(vendors.asked()), flush=True)


# -- the two clients -------------------------------------------------------------------------------------------------


async def _told() -> str:
    return (await asyncio.to_thread(sys.stdin.readline)).strip()


async def _rounds(one_round: Any) -> None:
    print("ready", flush=True)
    while await _told() == "go":
        began, cpu = time.monotonic(), time.process_time()
        await one_round()
        print(json.dumps((time.monotonic() - began, time.process_time() - cpu)), flush=True)


async def _bare() -> None:
    import httpx

    asked = json.loads(await _told())
    by_vendor: dict[str, list[httpx.Request]] = defaultdict(list)
    unlimited = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(limits=unlimited, trust_env=False) as client:
        for url, method, headers, body in asked:
            sent = {name: value for name, value in headers.items() if name.lower() not in ("host", "content-length")}
            request = client.build_request(method, url, headers=sent, content=body or None)
            by_vendor[request.url.netloc.decode()].append(request)

        async def ask(request: httpx.Request, gate: asyncio.Semaphore) -> None:
            async with gate:
                response = await client.send(request)
            assert response.status_code == 200
            if "json" in response.headers["content-type"]:
                json.loads(response.content)

        async def one_round() -> None:
            gates = {vendor: asyncio.Semaphore(AT_ONCE) for vendor in by_vendor}
            every = [(request, gates[vendor]) for vendor, requests in by_vendor.items() for request in requests]
            await asyncio.gather(*(ask(request, gate) for request, gate in every))

        for _ in range(3):
            await one_round()
        await _rounds(one_round)


async def _engine() -> None:
    from statusboard.client import ClientPool
    from statusboard.config import load_config
    from statusboard.credentials import Keychain
    from statusboard.engine import Engine
    from statusboard.registry import Registry
    from statusboard.wiring import make_setups

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(f"sources: {await _told()}\n")
        config = load_config(path, registry=Registry.installed())
        pool = ClientPool()
        store = Path(folder) / "board.sqlite"
        engine = Engine(make_setups(config, pool, Keychain()), store_path=store, close=pool.aclose)
        engine.keep_polling = False
        await engine.start()
        await engine.poll_once()
        assert engine.ingest is not None
        await engine.settled(engine.ingest.mark)
        assert (engine.board.summary().fresh, len(list(engine.board.items()))) == (SOURCES, SOURCES * ITEMS)
        before = engine.board.seq
        await _rounds(engine.poll_once)
        assert engine.board.seq == before, "what says the same writes nothing"
        await engine.stop()


# -- memory ----------------------------------------------------------------------------------------------------------


def _memory() -> list[Row]:
    """The real program in a terminal of 120x40: it polls all vendors by itself, and stores and shows what they tell."""
    with _process("serve", str(MANY)) as vendors, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = [{**source, "interval": f"{INTERVAL}s"} for source in json.loads(_heard(vendors))]
        (folder / "config.yaml").write_text(json.dumps({"board": {"id": "bench"}, "sources": sources}))
        places = {f"STATUSBOARD_{name}": str(folder / name.lower()) for name in ("DATA", "CACHE", "STATE")}
        log = {"STATUSBOARD_LOG": str(folder / "log" / "statusboard.log")}
        environment = {**places, **log, "STATUSBOARD_CONFIG": str(folder / "config.yaml"), "PYTHONPATH": os.getcwd()}
        board = [sys.executable, "-m", "statusboard"]
        with PtyProgram(board, env=environment) as program:
            program.wait_for("FAILING")
            time.sleep(3 * INTERVAL)  # some rounds: what vendors are asked once only, and what they are asked again
            memory = program.memory()
            shown = subprocess.run(
                [*board, "show", "--json"], env={**os.environ, **environment}, stdout=subprocess.PIPE
            )
        picture = json.loads(shown.stdout)
        states = {source["state"] for source in picture["sources"]}
        assert (len(picture["items"]), states) == (MANY * ITEMS, {"fresh"}), "that was not all of them"
    many = f"{len(sources)} sources of {len({source['type'] for source in sources})} types"
    return [
        Row(f"{MANY * ITEMS:,} items polled and shown, resident memory", memory.resident / 1024, 100, "MB", many),
        Row("  at its peak", memory.peak / 1024, 120, "MB"),
    ]


def main(arguments: Sequence[str]) -> None:
    """Be one of the processes, or measure."""
    match arguments:
        case ["serve", count]:
            _serve(int(count))
        case ["bare"]:
            asyncio.run(_bare())
        case ["engine"]:
            asyncio.run(_engine())
        case _:
            from tests.bench.table import printed

            print(printed(rows()))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
