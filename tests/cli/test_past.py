"""What the commands tell of the past: ``show --at``, ``history``, ``timeline``."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from markdown_it import MarkdownIt
from msgspec import structs

from statusboard.clock import rfc3339
from statusboard.model import Fact
from statusboard.store.base import Batch, Lease, Watched
from statusboard.store.sqlite import SQLiteStore
from tests.boards import build, health, incident, note, release
from tests.cli.kit import Home, deploy
from tests.store.old import write
from tests.test_rewind import drafted

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands ask the clock: what a test calls now must not be the moment when this file was read."""
    monkeypatch.setitem(globals(), "NOW", datetime.now(UTC).replace(microsecond=0))


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def lived(
    home: Home,
    *steps: tuple[float, Sequence[Fact | str]],
    watched: Sequence[str] = ("am",),
    blind: Mapping[str, tuple[float, float]] | None = None,
) -> None:
    """A board that ran: what it stored so many minutes ago, each time a success of what it ``watched``.

    ``blind`` says of a source from when to when it could not be read.
    """
    dark = blind or {}
    if not home.config.exists():
        home.config.write_text("board: {timezone: UTC}\nsources: [{type: deploy-log, name: deploys, path: /nowhere}]\n")

    async def write() -> None:
        store = SQLiteStore(home.database)
        await store.open()
        lease = await store.lease("poll", "test")
        assert isinstance(lease, Lease)
        for minutes, facts in steps:
            drafts = tuple(drafted(fact, "person" if _said(fact) else "poll") for fact in facts)
            names = [name for name in watched if name not in dark or not dark[name][0] >= minutes >= dark[name][1]]
            gaps = {"ci": 1200.0}
            seen = tuple(Watched(source=n, part="all", at=ago(minutes), gap=gaps.get(n, 7200.0)) for n in names)
            await store.append(Batch(observed_at=ago(minutes), drafts=drafts, watched=seen), lease)
        await store.release(lease)
        await store.close()

    asyncio.run(write())


def _said(fact: Fact | str) -> bool:
    return not isinstance(fact, str) and fact.kind == "annotation"


def fresh(name: str, **more: Any) -> Any:
    return health(name, **{"interval": 3600.0, "last_success": ago(600), **more})


def test_the_history_of_a_service_that_nobody_knows_is_refused(home: Home) -> None:
    lived(home, (60, [fresh("am"), incident(1, services=("till",), started_at=ago(60))]))
    assert home.run("history", "--service", "TILL").code == 0
    wrong = home.run("history", "--service", "tilt")
    assert wrong.code == 2 and not wrong.out
    assert "--service: there is no service `tilt`; did you mean `till`?" in wrong.err


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


# --- history --------------------------------------------------------------------------------------------------------


def test_what_changed_one_line_a_change(home: Home) -> None:
    red, green = build(1, "failed", services=("shop",), started_at=ago(49)), build(2, started_at=ago(29))
    lived(home, (60, [fresh("am"), release(9, started_at=ago(61))]), (50, [red]), (30, [green]), (1, []))
    result = home.run("history", "--since", "-55m")
    assert result.code == 0 and not result.err
    first, second = result.out.splitlines()
    assert first.startswith(f"{ago(50):%Y-%m-%d %H:%M:%S}") and "✗ build failed on main" in first and "shop" in first
    assert "✓ build succeeded on main (was failed)" in second, "what stood before it has passed by"
    lines = [json.loads(line) for line in home.run("history", "--json", "--service", "Shop").out.splitlines()]
    assert [(line["event"], line["kind"], line["service"]) for line in lines] == [
        ("released", "release", "shop"),
        ("failed", "build", "shop"),
    ]
    assert lines[1]["at"] == rfc3339(ago(50)) and lines[1]["late"] is False and lines[1]["seq"] == 3


LONG = "a title that is told in full " * 8 + "to its very end"


def test_into_a_pipe_texts_are_whole_and_into_a_terminal_they_fit(home: Home) -> None:
    service = "a-service-with-a-name-of-its-own-that-never-ends"
    alerts = [incident(n, title=LONG, services=("till" if n else service,), started_at=ago(9 - n)) for n in range(6)]
    lived(home, (60, [fresh("am")]), (3, alerts), (1, []))
    commands = (("history",), ("show", "--at", "-1m"), ("timeline", "incident:0"))
    for command in commands:
        whole = home.run(*command).out
        assert LONG in whole and service in whole, command
        home.env["COLUMNS"] = "110"
        lines = home.run(*command).out.splitlines()[1:]
        assert lines and all(len(line) <= 110 for line in lines) and LONG not in "".join(lines), command
        del home.env["COLUMNS"]
    home.env["COLUMNS"] = "110"
    for command in commands[:2]:  # the one long name is cut, and not the titles of all others
        assert home.run(*command).out.count(LONG[:40]) >= 6, command


def test_history_says_when_nobody_watched(home: Home) -> None:
    lived(home, (2000, [fresh("am")]), (1000, []), (10, []))
    since, until = (f"{ago(minutes):%Y-%m-%dT%H:%M:%SZ}" for minutes in (1440, 60))
    result = home.run("history", "--since", since, "--until", until)
    assert result.code == 0 and result.out.startswith("nothing changed between")
    assert f"not watched: am from {ago(880):%Y-%m-%d %H:%M:%S} UTC to {ago(60):%Y-%m-%d %H:%M}" in result.err


def test_many_stretches_are_told_as_one_line(home: Home) -> None:
    lived(home, *((minutes, [fresh("am")] if minutes == 3000 else []) for minutes in range(3000, 0, -300)))
    result = home.run("history", "--since", "-3d")
    (line,) = result.err.splitlines()
    assert line.startswith("not watched: am for 1d6h in 10 stretches, the longest from")


def test_what_was_backfilled_stands_when_it_happened(home: Home) -> None:
    lived(home, (60, [fresh("am")]), (1, []))
    late = incident(7, "resolved", started_at=ago(5000), ended_at=ago(4990), services=("shop",))

    async def fill() -> None:
        store = SQLiteStore(home.database)
        await store.open()
        await store.append(Batch(observed_at=ago(2), drafts=(drafted(late, "backfill"),)))
        await store.close()

    asyncio.run(fill())
    assert "resolved" not in home.run("history").out
    result = home.run("history", "--since", rfc3339(ago(5001)), "--until", rfc3339(ago(4000)))
    assert "‹" in result.out and "incident resolved after 10m" in result.out


@pytest.mark.parametrize(
    "arguments, told",
    [(("--since", "soon"), "--since: `soon` is no moment"), (("--since", "now", "--until", "-1h"), "is not after")],
)
def test_a_stretch_that_is_none(home: Home, arguments: tuple[str, ...], told: str) -> None:
    lived(home, (60, [fresh("am")]))
    result = home.run("history", *arguments)
    assert result.code == 2 and told in result.err


# --- timeline -------------------------------------------------------------------------------------------------------

HOSTILE = "<b>5xx</b> | [x](http://evil.example) `id` @here *now*"


def story(home: Home) -> None:
    """A release, then an incident that somebody takes on, a source that dies, a rollback, the end."""
    home.config.write_text(
        "board: {timezone: UTC}\nservices:\n  shop: {depends_on: [pay]}\n  pay: {}\n  mail: {}\n"
        "sources: [{type: deploy-log, name: deploys, path: /nowhere}]\n"
    )
    out = release(1, started_at=ago(66), ended_at=ago(64), version="1.4.2", services=("pay",), actor="ada")
    other = release(2, started_at=ago(66), ended_at=ago(65), version="9.9", services=("mail",))
    back = release(3, started_at=ago(40), ended_at=ago(39), version="1.4.1", services=("pay",), title="back")
    alert = incident(
        7, severity="critical", title=HOSTILE, services=("shop",), started_at=ago(60), environment="production",
        url="https://am.example/7", links={"runbook": "javascript:alert(1)"},
    )  # fmt: skip
    over = structs.replace(alert, state="resolved", ended_at=ago(30))
    said = note(alert, HOSTILE, what="note", author="ann", episode=ago(60), updated_at=ago(50))
    lived(
        home,
        (90, [fresh("am"), fresh("ci", interval=600.0)]),
        (64, [out, other]),
        (60, [alert, incident(8, title="Another", started_at=ago(60))]),
        (50, [said]),
        (48, [health("ci", "stale", interval=600.0, last_success=ago(90), error="no connection")]),
        (39, [back]),
        (35, [fresh("ci", interval=600.0)]),
        (30, [over]),
        (1, []),
        watched=("am", "ci"),
        blind={"ci": (89, 36)},
    )


def test_the_timeline_of_an_incident(home: Home) -> None:
    story(home)
    result = home.run("timeline", "incident:7", "--markdown")
    assert result.code == 0 and not result.err
    told = result.out
    assert "Critical incident, resolved, over after 30m." in told and "- Depends on: pay" in told
    rows = [line for line in told.splitlines() if line.startswith("| 2")]
    words = [row.split(" | ")[1] for row in rows]
    assert words == [
        "release 1.4.2 to production succeeded",
        "**critical incident opened**",
        "**ann noted**",
        "ci is stale (was fresh)",
        "release 1.4.1 to production succeeded",
        "ci is read again (was stale)",
        "**critical incident resolved after 30m**",
    ]
    assert not any("9.9" in row for row in rows), "mail is none of its services"
    suspects = told[told.index("## Suspects") : told.index("## Not watched")]
    assert "1. release 1.4.2 of pay" in suspects and "shop depends on pay +" in suspects
    for points, reasons in re.findall(r": (\d+) points \((.*)\)", suspects):
        assert int(points) == sum(int(n) for n in re.findall(r" ([+-]\d+)(?:,|$)", reasons)), "it is what is shown"
    assert "<https://am.example/7>" in told and "javascript" not in told
    assert f"- ci from {ago(70):%Y-%m-%d %H:%M:%S} UTC to {ago(35):%Y-%m-%d %H:%M:%S} UTC: no connection" in told


def test_what_comes_from_elsewhere_is_escaped(home: Home) -> None:
    story(home)
    told = home.run("timeline", "incident:7", "--markdown").out
    assert "<b>" not in told and "@here" not in told
    html = MarkdownIt("commonmark").enable("table").render(told)
    assert html.count("<h1>") == 1 and html.count("<h2>") == 3 and "<em>" not in html
    assert "&lt;b&gt;5xx&lt;/b&gt; | [x](http://evil.example) `id` @\u2060here *now*</h1>" in html
    assert html.count("<code>") == 1, "ours"
    assert set(re.findall(r'href="([^"]*)"', html)) == {"https://am.example/7"}
    assert all(row.count("<td") == 5 for row in html.split("<tr>")[2:])


def test_several_incidents_are_listed(home: Home) -> None:
    story(home)
    result = home.run("timeline", "incident", "--markdown")
    assert result.code == 2 and "2 incidents have `incident` in their keys; name one by its key:" in result.err
    assert "am:incident:7" in result.err and "am:incident:8" in result.err and "Another" in result.err
    none = home.run("timeline", "xyz", "--markdown")
    assert none.code == 2 and "no incident that is kept has `xyz` in its key or title" in none.err
    assert "`statusboard timeline` alone lists the newest" in none.err
    listed = home.run("timeline")
    assert listed.code == 0
    assert {line.split()[0] for line in listed.out.splitlines()} == {"am:incident:7", "am:incident:8"}


def test_an_incident_is_found_by_its_title_where_no_key_has_it(home: Home) -> None:
    titles = ("Disk full", "Disk full on db-2", "Slow", "shop:2 is slow")
    alerts = [incident(n, title=title, started_at=ago(60 - n)) for n, title in enumerate(titles)]
    lived(home, (65, [fresh("am")]), (50, alerts), (1, []))
    assert home.run("timeline", "DISK FULL").out.startswith("am:incident:0: Disk full\n"), "the one that is called so"
    assert home.run("timeline", "db-2").out.startswith("am:incident:1: ")
    several = home.run("timeline", "disk")
    assert several.code == 2 and "2 incidents have `disk` in their titles; name one by its key:" in several.err
    assert "am:incident:0" in several.err and "Disk full on db-2" in several.err and "Slow" not in several.err
    assert home.run("timeline", "2").out.startswith("am:incident:2: Slow"), "a key comes first"


def test_sources_that_tell_of_other_services_are_left_out_of_the_timeline(home: Home) -> None:
    alert = incident(7, services=("shop",), started_at=ago(60))
    mail = release(2, source="mails", services=("mail",), started_at=ago(80))
    shop = release(1, services=("shop",), started_at=ago(80))
    names = ("am", "cd", "mails", "silent")
    dead = [health(name, "stale", interval=3600.0, last_success=ago(40)) for name in names]
    lived(
        home,
        (90, [fresh(name) for name in names]),
        (80, [mail, shop]),
        (60, [alert]),
        (30, dead),
        (20, [fresh(name) for name in names]),
        (1, []),
        watched=names,
        blind=dict.fromkeys(names, (59, 21)),
    )
    told = home.run("timeline", "incident:7")
    for name in names:
        lines = [line for line in told.out.splitlines() if f"{name} is " in line]
        assert len(lines) == (0 if name == "mails" else 2), name
    assert "mails" not in home.run("timeline", "incident:7", "--markdown").out


def test_as_lines_for_a_terminal(home: Home) -> None:
    story(home)
    result = home.run("timeline", "am:incident:7")
    assert result.code == 0 and result.out.startswith("am:incident:7: ") and "critical incident opened" in result.out


def test_one_of_several_times_that_an_alert_began(home: Home) -> None:
    first = incident(7, started_at=ago(300))
    again = incident(7, started_at=ago(60))
    over = structs.replace(first, state="resolved", ended_at=ago(250))
    ends_early = structs.replace(again, state="resolved", ended_at=ago(70))
    lived(home, (300, [fresh("am"), first]), (250, [over]), (60, [again]), (20, [ends_early]))
    newest = home.run("timeline", "incident:7", "--markdown").out
    assert f"- Began: {ago(60):%Y-%m-%d %H:%M:%S} UTC" in newest and "The same alert also began:" in newest
    assert f"- Ended: {ago(60):%Y-%m-%d %H:%M:%S} UTC" in newest, "it cannot end before it began"
    before = home.run("timeline", "incident:7", "--markdown", "--at", rfc3339(ago(200))).out
    assert f"- Began: {ago(300):%Y-%m-%d %H:%M:%S} UTC" in before and "over after 50m" in before
    never = home.run("timeline", "incident:7", "--markdown", "--at", rfc3339(ago(301)))
    assert never.code == 2 and "it began for the first time on" in never.err


# --- a history of an older version ----------------------------------------------------------------------------------


def test_a_history_of_an_older_version_is_migrated_unless_it_is_only_to_be_read(home: Home) -> None:
    lived(home, (60, [fresh("am"), release(1, started_at=ago(61))]), (1, []))
    path = home.database

    async def read() -> list[Any]:
        store = SQLiteStore(path, read_only=True)
        await store.open()
        found = await store.past(limit=100)
        await store.close()
        return found

    changes = sorted(asyncio.run(read()), key=lambda change: change.seq)
    for left in path.parent.glob(f"{path.name}*"):
        left.unlink()
    write(path, changes)
    refused = home.run("--read-only", "show", "--at", "-10m")
    assert refused.code == 2 and "is of an older version" in refused.err
    assert home.run("show", "--at", "-10m", "--json").json["items"][0]["key"] == "cd:release:1"
    assert home.run("--read-only", "show", "--at", "-10m", "--json").json["items"][0]["key"] == "cd:release:1"
