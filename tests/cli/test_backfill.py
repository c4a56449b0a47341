"""``backfill``: what it says, on a terminal and elsewhere; that it can be ended, goes on, and harms no board."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from statusboard.cli import backfill
from statusboard.errors import StoreError
from statusboard.store.memory import MemoryStore
from statusboard.store.sqlite import SQLiteStore
from tests.cli.kit import Home, deploy, read_until

HOUR = timedelta(hours=1)


def ago(hours: float) -> str:
    return f"{datetime.now(UTC) - hours * HOUR:%Y-%m-%dT%H:%M:%SZ}"


def deploys(home: Home, count: int = 60) -> None:
    home.deploys(*(deploy(f"1.{n}", time=ago(24 * (count - n))) for n in range(count)))


class Buildbot(BaseHTTPRequestHandler):
    """A Buildbot with a build an hour for ever; each list of them waits for ``gate``."""

    gate: ClassVar[threading.Event] = threading.Event()
    asked: ClassVar[list[int]] = []

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        if parts.path.endswith("/builders"):
            body: Any = {"builders": [{"builderid": 1, "name": "unit", "tags": [], "masterids": [1]}]}
        elif parts.path.endswith("/buildrequests"):
            body = {"buildrequests": []}
        else:
            before = int(query.get("buildid__lt", ["5001"])[0])
            self.asked.append(before)
            if before < 5000:
                self.gate.wait(20)
            now = datetime.now(UTC).timestamp()
            body = {
                "builds": [
                    {
                        "buildid": n,
                        "buildrequestid": n,
                        "builderid": 1,
                        "number": n,
                        "complete": True,
                        "results": 0,
                        "started_at": now - 3600 * (5001 - n),
                        "complete_at": now - 3600 * (5001 - n) + 60,
                    }
                    for n in range(before - 1, before - 101, -1)
                ]
            }
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@contextmanager
def buildbot() -> Iterator[tuple[str, type[Buildbot]]]:
    class Fresh(Buildbot):
        gate: ClassVar[threading.Event] = threading.Event()
        asked: ClassVar[list[int]] = []

    handler = Fresh
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler
    finally:
        handler.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()


def test_it_says_what_it_read_and_reads_it_once(home: Home) -> None:
    deploys(home)
    first = home.run("backfill", "--days", "30")
    assert first.code == 0 and not first.err
    assert first.out.splitlines()[-1].startswith("deploys: back to 20") and "(60 new, 0 requests)" in first.out
    again = home.run("backfill", "--days", "30")
    assert again.code == 0 and "(0 new, 0 requests)" in again.out
    anew = home.run("backfill", "--days", "30", "--anew")
    assert "(0 new, 0 requests)" in anew.out


def test_json_is_one_document_and_the_rest_goes_elsewhere(home: Home) -> None:
    deploys(home)
    result = home.run("backfill", "--json")
    document = result.json
    assert (document["schema"], document["stopped"]) == (1, False)
    (source,) = document["sources"]
    assert (source["name"], source["state"], source["changes"]) == ("deploys", "done", 60)
    assert source["parts"][0]["kind"] == "release" and source["limits"] == "what was rotated away is gone"
    assert "deploys" in result.err


def test_who_has_no_past_says_why_and_who_fails_harms_no_other(home: Home) -> None:
    deploys(home)
    home.config.write_text(
        home.config.read_text()
        + f"""  - {{type: alertmanager, name: alerts, url: "http://127.0.0.1:1"}}
  - {{type: deploy-log, name: other, path: {home.folder}/nowhere.jsonl}}
"""
    )
    result = home.run("backfill")
    assert result.code == 3
    assert "alerts: has no past to read: Alertmanager" in result.out
    assert "other: failed: " in result.out and "no such file" in result.out
    assert "deploys: back to" in result.out and "60 new" in result.out
    only = home.run("backfill", "alerts")
    assert only.code == 0 and "deploys" not in only.out


def test_show_is_as_before(home: Home) -> None:
    deploys(home)
    before = home.run("show", "--json").json
    home.run("backfill")
    after = home.run("show", "--json").json
    assert before["items"] == after["items"] and before["digest"] == after["digest"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("backfill", "deploy"), "there is no source `deploy`"),
        (("backfill", "--days", "0"), "--days"),
        (("backfill", "--days", "500"), "--days"),
        (("--read-only", "backfill"), "it cannot be --read-only"),
    ],
)
def test_bad_usage(home: Home, args: tuple[str, ...], said: str) -> None:
    deploys(home, 1)
    result = home.run(*args)
    assert result.code == 2 and said in result.err


def test_a_board_that_reads_with_other_options_is_another_one(home: Home) -> None:
    deploys(home, 3)
    assert home.run("show").code == 0
    config = home.config.read_text()
    home.config.write_text(config.replace("interval: 60s", "interval: 60s, limit: 7"))
    result = home.run("backfill")
    assert result.code == 2 and "reads deploys with other options" in result.err


def test_it_can_be_ended_and_goes_on(home: Home) -> None:
    with buildbot() as (url, server):
        home.config.write_text(f'sources:\n  - {{type: buildbot, name: ci, url: "{url}"}}\n')
        process = home.start("backfill", "--days", "10")
        assert process.stdout is not None and process.stderr is not None
        while len(server.asked) < 2:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 130 and not err
        assert "ci: stopped at 20" in out and "the same command goes on from here" in out
        server.gate.set()
        server.asked.clear()
        result = home.process("backfill", "--days", "10", "--json")
    assert result.code == 0 and server.asked == [4901, 4801]
    (part,) = result.json["sources"][0]["parts"]
    assert part["resumed"] and part["changes"] == 200
    assert "Traceback" not in home.log.read_text()


def test_a_run_that_was_killed_goes_on(home: Home) -> None:
    with buildbot() as (url, server):
        home.config.write_text(f'sources:\n  - {{type: buildbot, name: ci, url: "{url}"}}\n')
        process = home.start("backfill", "--days", "10")
        while len(server.asked) < 2:
            assert process.poll() is None
        process.kill()
        process.communicate(timeout=30)
        server.gate.set()
        server.asked.clear()
        result = home.process("backfill", "--days", "10", "--json")  # once its lease is over, some seconds later
    assert result.code == 0 and server.asked == [4901, 4801]


def test_a_bar_is_drawn_on_a_terminal(home: Home) -> None:
    with buildbot() as (url, server):
        home.config.write_text(f'sources:\n  - {{type: buildbot, name: ci, url: "{url}"}}\n')
        ours, theirs = pty.openpty()
        process = home.start("backfill", "--days", "10", stdout=theirs, stderr=subprocess.DEVNULL)
        os.close(theirs)
        seen = read_until(ours, b", back to 20").decode()
        server.gate.set()
        try:
            while text := os.read(ours, 10_000).decode():
                seen += text
        except OSError:  # it has closed the terminal
            pass
        os.close(ours)
        assert process.wait(30) == 0
    bars = [part for part in seen.split("\r") if part.startswith("[")]
    assert any("#" in bar.split("]")[0] for bar in bars) and all(len(bar.split("\x1b")[0]) < 80 for bar in bars)
    assert seen.splitlines()[-1].partition("ci: back to 20")[1]


async def test_one_at_a_time() -> None:
    store = MemoryStore()
    await store.open()
    lease, _ = await backfill._take_lease(store)
    with pytest.raises(StoreError, match="another backfill"):
        await backfill._take_lease(store, 0.0)
    await store.release(lease)
    assert (await backfill._take_lease(store, 0.0))[0].token > lease.token


async def test_it_needs_no_lease_to_poll_and_takes_none(home: Home) -> None:
    deploys(home)
    assert home.process("show").code == 0
    store = SQLiteStore(home.database)
    await store.open()
    held = await store.lease("poll", "a board")
    assert held is not None
    assert home.process("backfill").code == 0
    assert await store.lease("poll", "a board") == held
    assert [fact.origin for fact in await store.remembered("release", since=datetime.now(UTC) - 90 * 24 * HOUR)]
    await store.close()
