"""What the commands tell of the past: ``show --at``, ``history``, ``timeline``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from statusboard.clock import rfc3339
from statusboard.model import Fact
from statusboard.store.base import Batch, Lease, Watched
from statusboard.store.sqlite import SQLiteStore
from tests.boards import build, health, incident
from tests.cli.kit import Home, deploy
from tests.test_rewind import drafted

NOW = datetime.now(UTC).replace(microsecond=0)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def lived(home: Home, *steps: tuple[float, Sequence[Fact | str]], watched: Sequence[str] = ("am",)) -> None:
    """A board that ran: what it stored so many minutes ago, each time a success of what it ``watched``."""
    if not home.config.exists():
        home.config.write_text("board: {timezone: UTC}\nsources: [{type: deploy-log, name: deploys, path: /nowhere}]\n")

    async def write() -> None:
        store = SQLiteStore(home.database)
        await store.open()
        lease = await store.lease("poll", "test")
        assert isinstance(lease, Lease)
        for minutes, facts in steps:
            drafts = tuple(drafted(fact, "person" if _said(fact) else "poll") for fact in facts)
            seen = tuple(Watched(source=name, part="all", at=ago(minutes), gap=7200) for name in watched)
            await store.append(Batch(observed_at=ago(minutes), drafts=drafts, watched=seen), lease)
        await store.release(lease)
        await store.close()

    asyncio.run(write())


def _said(fact: Fact | str) -> bool:
    return not isinstance(fact, str) and fact.kind == "annotation"


def fresh(name: str, **more: Any) -> Any:
    return health(name, interval=3600.0, last_success=ago(600), **more)


# --- show --at ------------------------------------------------------------------------------------------------------


def test_a_past_moment_is_what_was_shown_then(home: Home) -> None:
    home.deploys(deploy("1.1", "failed"))
    before = home.run("show", "--json")
    home.deploys(deploy("1.1", "failed"), deploy("1.2"))
    after = home.run("show", "--json", "--poll")
    assert (before.code, after.code) == (1, 0) and after.json["digest"] != before.json["digest"]
    then = before.json["sources"][0]["last_success"]
    past = home.run("show", "--json", "--at", before.json["items"][0]["updated_at"])
    assert past.code == 2 and "the earliest is" in past.err
    past = home.run("show", "--json", "--at", _moment(home, before.json["revision"]))
    assert past.code == 1 and not past.err
    for name in ("schema", "store_id", "revision", "digest", "summary", "items", "filter"):
        assert past.json[name] == before.json[name], name
    for name in ("name", "type", "state", "error", "errors", "items", "optional", "interval"):
        assert past.json["sources"][0][name] == before.json["sources"][0][name], name
    assert past.json["sources"][0]["last_success"] >= then and past.json["sources"][0]["next_poll"] is None
    assert past.json["at"] == _moment(home, before.json["revision"])
    now = home.run("show", "--json", "--at", "now")
    assert now.code == 0 and (now.json["digest"], now.json["items"]) == (after.json["digest"], after.json["items"])


def _moment(home: Home, seq: int) -> str:
    """When a change was observed."""

    async def read() -> datetime:
        store = SQLiteStore(home.database, read_only=True)
        await store.open()
        try:
            (change,) = await store.recorded([seq])
            return change.observed_at
        finally:
            await store.close()

    return rfc3339(asyncio.run(read()))


def test_what_nobody_watched_is_never_fine(home: Home) -> None:
    lived(home, (600, [fresh("am"), build(1)]), (599, []), (60, []))
    assert home.run("show", "--at", rfc3339(ago(590))).code == 0
    night = home.run("show", "--at", rfc3339(ago(300)), "--json")
    assert night.code == 3 and night.json["summary"]["verdict"] == "blind"
    assert night.json["sources"][0]["state"] == "unwatched"
    table = home.run("show", "--at", rfc3339(ago(300)))
    assert table.out.startswith(f"AS IT WAS on {ago(300):%Y-%m-%d %H:%M:%S} UTC (5h ago)\nBLIND: 0 of 1 sources fresh")
    assert "? was success" in table.out and "not watched am" in table.out


def test_it_narrows_and_counts_as_ever(home: Home) -> None:
    lived(home, (60, [fresh("am"), incident(1, severity="high"), build(1, "failed")]), (1, []))
    at = ("--at", "-30m")
    assert home.run("show", *at).code == 1 and home.run("show", *at, "--fail-on", "state:running").code == 0
    only = home.run("show", *at, "--json", "--filter", "kind:build")
    assert only.code == 1 and [item["kind"] for item in only.json["items"]] == ["build"]
    assert only.json["filter"]["hidden_failing"] == 1
    assert home.run("show", *at, "--filter", "kind:ticket").code == 0
    assert home.run("show", *at, "--filter", "kind:ticket", "--require", "deploys").code == 3, "nobody had heard of it"


@pytest.mark.parametrize(
    "arguments, told",
    [
        (("--at", "soon"), "`soon` is no moment"),
        (("--at", "-2h", "--poll"), "neither --watch nor --poll"),
        (("--at", "-2h", "--watch"), "neither --watch nor --poll"),
        (("--at", "-30d"), "nothing is kept of that time: the earliest is"),
        (("--at", "2199-01-01"), "lies ahead: it is"),
    ],
)
def test_what_cannot_be_shown_is_told(home: Home, arguments: tuple[str, ...], told: str) -> None:
    lived(home, (60, [fresh("am")]))
    result = home.run("show", *arguments)
    assert result.code == 2 and told in result.err and not result.out


def test_without_a_history_there_is_no_past(home: Home) -> None:
    home.deploys(deploy("1.0"))
    result = home.run("show", "--at", "-1h")
    assert result.code == 2 and "no board has stored one" in result.err
    assert not home.database.exists(), "looking back leaves nothing behind"


def test_a_time_that_the_clocks_skipped_is_told(home: Home) -> None:
    lived(home, (60, [fresh("am")]))
    home.config.write_text(home.config.read_text().replace("UTC", "Europe/Berlin"))
    result = home.run("show", "--at", "2026-03-29 02:30")
    assert result.code == 2 and "--at 2026-03-29 02:30: 02:30 was skipped on 2026-03-29" in result.err
