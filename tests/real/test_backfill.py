"""What the real Buildbot and Roundup, a clone and a deploy log still have of the past, beside a board that polls."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sources.buildbot import Buildbot as BuildbotSource
from statusboard.client import ClientPool
from statusboard.clock import SystemClock
from statusboard.source import history_of, scopes_of
from statusboard.store.sqlite import SQLiteStore
from statusboard.testing import make_source
from tests.real.board import STATUSBOARD, Bench, bench
from tests.real.servers import Buildbot, Roundup
from tests.sources.test_git import Clone


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A clone with three tags and a log with three deployments."""
    clone = Clone(tmp_path / "shop")
    log = []
    for number in range(3):
        clone.minutes = round((datetime.now(UTC).timestamp() - 1_767_323_045) / 60) - 1440 * (9 - number)
        clone.commit(f"Change {number}")
        clone.git("tag", f"v1.{number}")
        time = datetime.now(UTC) - timedelta(days=60 - number)
        log.append({"time": time.isoformat(), "service": "shop", "version": f"1.{number}", "state": "success"})
    (tmp_path / "deploys.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
    return tmp_path


def config(place: Path, buildbot: Buildbot, roundup: Roundup) -> str:
    for name, secret in (("user", roundup.username), ("password", roundup.password)):
        (place / name).write_text(secret)
        (place / name).chmod(0o600)
    return f"""
sources:
  - {{type: buildbot, name: bb, url: "{buildbot.url}", interval: 1s}}
  - {{type: roundup, name: tracker, url: "{roundup.tracker}", interval: 1s,
      username: "file:{place}/user", password: "file:{place}/password"}}
  - {{type: git, name: shop, path: {place}/shop, tags: ["v*"], environment: production}}
  - {{type: deploy-log, name: deploys, path: {place}/deploys.jsonl}}
"""


def backfill(board: Bench, *options: str) -> dict[str, Any]:
    """A run of the command: each source's part of what it printed."""
    done = subprocess.run(
        [*STATUSBOARD, "backfill", "--json", *options],
        env=board.environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {source["name"]: source for source in json.loads(done.stdout)["sources"]}


def origins(board: Bench) -> Counter[tuple[str, str]]:
    """How many facts each source has by origin."""

    async def read(store: SQLiteStore) -> Counter[tuple[str, str]]:
        since = datetime.now(UTC) - timedelta(days=90)
        facts = [fact for kind in ("build", "release") for fact in await store.remembered(kind, since=since)]
        return Counter((fact.source, fact.origin) for fact in facts)

    return board.stored(read)


def test_before_beside_and_after_a_board(buildbot: Buildbot, roundup: Roundup, place: Path) -> None:
    for builder in ("passes", "fails", "warns"):
        buildbot.finished(buildbot.force(builder))
    issue = roundup.create_issue("It was slow")
    roundup.close_issue(issue)
    with bench(place / "board", config(place, buildbot, roundup)) as board:
        first = backfill(board)
        assert {name: source["state"] for name, source in first.items()} == dict.fromkeys(first, "done")
        assert first["bb"]["changes"] >= 3 and first["shop"]["changes"] == 3 and first["deploys"]["changes"] == 3
        assert first["tracker"]["changes"] >= 2, "made and closed"
        assert all(origin == "backfill" for _, origin in origins(board))
        assert sum(source["changes"] for source in backfill(board, "--anew").values()) == 0

        board.start("poll")
        code, picture = board.until("all is read", lambda c, p: (c, p) if _fresh(p) else None)
        assert code == 1, "the builder `fails` has failed"
        before = {(item["key"], item["state"]) for item in picture["items"]}
        buildbot.finished(buildbot.force("passes"))
        assert sum(source["changes"] for source in backfill(board, "--anew").values()) <= 1
        code, picture = board.until("still fresh", lambda c, p: (c, p) if _fresh(p) else None)
        assert code == 1 and before <= {(item["key"], item["state"]) for item in picture["items"]}
        assert origins(board)["bb", "poll"] >= 3, "what was seen live stands above what was fetched"


def _fresh(picture: dict[str, Any]) -> bool:
    return bool(picture["sources"]) and all(source["state"] == "fresh" for source in picture["sources"])


async def test_a_cursor_leads_to_what_was_built_before(buildbot: Buildbot) -> None:
    numbers = [buildbot.finished(buildbot.force("passes"))["buildid"] for _ in range(2)]
    source = make_source(BuildbotSource, {"url": buildbot.url}, SystemClock())
    since = datetime.now(UTC) - timedelta(days=1)
    async with ClientPool() as pool:
        client = pool.for_source(source)
        (scope,) = await scopes_of(source, client.factory(""))
        all_of_it = await history_of(source, scope, client.factory("builds"), since=since, cursor="")
        before = await history_of(source, scope, client.factory("builds"), since=since, cursor=str(numbers[1]))
    assert len(before.items) == len(all_of_it.items) - 1 >= 1
    assert before.items[0] == all_of_it.items[1]
    assert all(item.ended_at is not None for item in all_of_it.items)
