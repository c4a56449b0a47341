"""``metrics``: five numbers out of what is stored, for people and for scripts."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from statusboard.diff import draft
from statusboard.model import Build, Incident, Item, Release
from statusboard.store.base import Batch, Lease, Watched
from statusboard.store.sqlite import SQLiteStore
from tests.cli.kit import Home

NOW = datetime.now(UTC).replace(microsecond=0)
CONFIG = """
board: {timezone: Europe/Berlin}
services: {checkout: {team: payments}, web: {team: storefront}}
goals: {payments: {change_fail_rate: "<= 15%", deployment_frequency: ">= 1/month", rework_rate: "<= 90%"}}
sources:
  - {type: deploy-log, name: cd, path: /nowhere/deploys.jsonl, kinds: [release]}
  - {type: deploy-log, name: am, path: /nowhere/incidents.jsonl, kinds: [incident]}
"""


def release(number: int, days_ago: float, **more: Any) -> Release:
    at = NOW - timedelta(days=days_ago)
    common: dict[str, Any] = {
        "key": f"cd:release:{number}",
        "source": "cd",
        "state": "success",
        "version": f"1.{number}.0",
        "services": ("checkout",),
        "team": "payments",
        "environment": "production",
        "started_at": at - timedelta(minutes=10),
        "ended_at": at,
    }
    return Release(**{**common, **more})


def incident(number: int, days_ago: float, hours: float, **more: Any) -> Incident:
    began = NOW - timedelta(days=days_ago)
    common: dict[str, Any] = {
        "key": f"am:incident:{number}",
        "source": "am",
        "state": "resolved",
        "severity": "critical",
        "services": ("checkout",),
        "team": "payments",
        "environment": "production",
        "started_at": began,
        "ended_at": began + timedelta(hours=hours),
    }
    return Incident(**{**common, **more})


def stored(home: Home, *items: Item, watched: tuple[str, ...] = ("cd", "am"), days: float = 100) -> None:
    """A board that watched its sources for so long and has read these."""
    home.config.write_text(CONFIG)

    async def write() -> None:
        store = SQLiteStore(home.database)
        await store.open()
        lease = await store.lease("poll", "test")
        assert isinstance(lease, Lease)
        for at in (NOW - timedelta(days=days), NOW):
            seen = tuple(Watched(source=name, part="all", at=at, gap=1e9) for name in watched)
            drafts = tuple(draft(None, item, part="all") for item in items) if at == NOW else ()
            await store.append(Batch(observed_at=at, drafts=drafts, watched=seen), lease)
        await store.release(lease)
        await store.close()

    asyncio.run(write())


@pytest.fixture
def told(home: Home) -> Home:
    """Three deployments in a month, of which one failed; one incident that nobody can be blamed for."""
    stored(
        home,
        release(1, 20, committed_at=NOW - timedelta(days=21)),
        release(2, 10),
        release(3, 5),
        release(4, 3, environment=""),
        incident(1, 9.99, 2),
        incident(2, 1, 1, services=("web",), team="storefront"),
    )
    return home


def number(report: dict[str, Any], metric: str) -> dict[str, Any]:
    return next(found for found in report["numbers"] if found["metric"] == metric)


def test_the_numbers_of_a_team_with_their_evidence(told: Home) -> None:
    result = told.run("metrics", "--team", "payments", "--since", "30d", "--json")
    assert result.code == 0 and result.err == ""
    assert (result.json["schema"], result.json["timezone"]) == (1, "Europe/Berlin")
    (report,) = result.json["reports"]
    assert report["scope"] == {"service": "", "team": "payments", "environment": "production"}
    rate = number(report, "change_fail_rate")
    assert (rate["value"], rate["n"], rate["unit"]) == (pytest.approx(1 / 3), 3, "share")
    assert rate["evidence"] == ["cd:release:2", "am:incident:1"]
    assert rate["linked"] == {"confirmed": 0, "declared": 0, "suspected": 1, "told": 0}
    assert rate["goal"] == {"text": "<= 15%", "met": False}
    lead = number(report, "lead_time")
    assert (lead["value"], lead["n"], lead["missing"], lead["silent"]) == (86_400, 1, 2, ["cd"])
    recovery = number(report, "recovery_time")
    assert (recovery["value"], recovery["n"], recovery["before"]["value"]) == (7_200, 1, None)
    assert "1 release without an environment is in no number" in report["notes"]


def test_the_table_says_all_of_it(told: Home) -> None:
    out = told.run("metrics", "--team", "payments").out
    assert [line.rpartition("(")[2] for line in out.splitlines() if line.startswith("team")] == [
        "7 days)",
        "30 days)",
        "90 days)",
    ]
    assert "33.3%" in out and "<= 15% MISSED" in out and "1 suspected" in out and "nothing before" in out
    assert "2 deployments say nothing of their commits: cd cannot tell" in out


def test_markdown_and_csv(told: Home) -> None:
    markdown = told.run("metrics", "--since", "30d", "--markdown").out
    assert markdown.startswith("### everything in production, ") and "| change fail rate | 33.3% |" in markdown
    assert "- 1 incident without a release: in neither fail rate nor recovery time" in markdown
    rows = list(csv.DictReader(io.StringIO(told.run("metrics", "--by", "service", "--csv").out)))
    assert {row["service"] for row in rows} == {"checkout", "web"} and len(rows) == 10
    failed = next(row for row in rows if row["service"] == "checkout" and row["metric"] == "change_fail_rate")
    assert (failed["n"], failed["evidence"], failed["goal"]) == ("3", "cd:release:2 am:incident:1", "")


def test_a_check_ends_as_the_goals_are_met(told: Home) -> None:
    assert told.run("metrics", "--by", "team").code == 0
    assert told.run("metrics", "--by", "team", "--check").code == 1
    assert told.run("metrics", "--team", "payments", "--since", "1d", "--check").code == 3  # no number to judge
    without = told.run("metrics", "--team", "storefront", "--check")
    assert without.code == 0 and "there is no goal for this, so none is missed" in without.err
    assert "no goal" not in told.run("metrics", "--by", "team", "--check").err


def test_what_nobody_watched_is_no_data(home: Home) -> None:
    stored(home, release(1, 5), watched=("cd",))
    report = home.run("metrics", "--since", "30d", "--json").json["reports"][0]
    assert number(report, "deployment_frequency")["value"] > 0
    rate = number(report, "change_fail_rate")
    assert (rate["value"], rate["why"]) == (None, "nothing of this window was watched")
    assert "no data: nothing of this window was watched" in home.run("metrics", "--since", "30d").out


def test_without_anything_there_is_no_data_and_no_zero(home: Home) -> None:
    stored(home)
    report = home.run("metrics", "--since", "30d", "--json").json["reports"][0]
    assert {found["value"] for found in report["numbers"]} == {None}
    assert "backfill" in home.run("metrics", "--by", "service").out
    assert home.run("metrics", "--by", "service", "--json").json["reports"] == []


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--json", "--csv"), "choose one"),
        (("--since", "500d"), "1 to 200 days"),
        (("--since", "soon"), "--since"),
        (("--team", "paymenst"), "there is no team `paymenst`; did you mean `payments`?"),
        (("--service", "chekout"), "did you mean `checkout`?"),
        (("--team", "nosuch"), "--team: there is no team `nosuch`; known are: payments, storefront"),
        (("--service", "nosuch", "--by", "team"), "there is no service `nosuch`; known are: checkout, web"),
        (("--builds", "--team", "nosuch"), "there is no team `nosuch`"),
        (("--environment", "prodution"), "there is no environment `prodution`; did you mean `production`?"),
        (("--since", "1h"), "--since 1h: a window has whole days: write 1d"),
        (("--since", "-90m"), "--since -90m: a window has whole days"),
        (("--since", "0h"), "a window has whole days"),
        (("--builds", "--check"), "--builds"),
    ],
)
def test_what_cannot_be_asked(home: Home, args: tuple[str, ...], told: str) -> None:
    stored(home, release(1, 5))
    result = home.run("metrics", *args)
    assert result.code == 2 and told in result.err


def test_a_name_is_known_from_what_is_remembered_and_in_any_case(home: Home) -> None:
    stored(home, release(1, 5, services=("ghost",), team="Night Shift"))
    home.config.write_text("board: {timezone: Europe/Berlin}\n" + CONFIG[CONFIG.index("sources:") :])
    (report,) = home.run("metrics", "--service", "ghost", "--since", "30d", "--json").json["reports"]
    assert number(report, "deployment_frequency")["n"] == 1
    (report,) = home.run("metrics", "--team", "night shift", "--since", "30d", "--json").json["reports"]
    assert report["scope"]["team"] == "Night Shift" and number(report, "deployment_frequency")["n"] == 1


def test_a_date_counts_the_days_until_today(told: Home) -> None:
    day = (NOW - timedelta(days=12)).date()
    window = told.run("metrics", "--since", f"{day}", "--json").json["reports"][0]["window"]
    assert window["days"] in (13, 14)  # by the clock of Berlin


def test_builds_tell_how_pipelines_do(home: Home) -> None:
    runs = [
        Build(
            key=f"cd:build:{n}",
            source="cd",
            state=state,  # type: ignore[arg-type]
            pipeline="test",
            branch="main",
            default_branch="main",
            revision=revision,
            team="payments",
            started_at=NOW - timedelta(days=9 - n),
            ended_at=NOW - timedelta(days=9 - n) + timedelta(minutes=5),
        )
        for n, (state, revision) in enumerate([("success", "a" * 40), ("failed", "b" * 40), ("success", "b" * 40)])
    ]
    stored(home, *runs)
    (line,) = home.run("metrics", "--builds", "--json").json["pipelines"]
    assert (line["pipeline"], line["flaky"], line["failed"]) == ("test", True, 1)
    assert "1 of 1 twice" in home.run("metrics", "--builds").out
    assert home.run("metrics", "--builds", "--csv").out.splitlines()[0].startswith("pipeline,")
    others = home.run("metrics", "--builds", "--markdown", "--team", "storefront")
    assert others.out.startswith("### Builds of the last 30")


def test_a_past_moment_is_told_of_by_what_was_known_then(home: Home) -> None:
    home.config.write_text(CONFIG)
    fired = incident(1, 9.99, 300, state="open", ended_at=None)

    async def write() -> None:
        store = SQLiteStore(home.database)
        await store.open()
        lease = await store.lease("poll", "test")
        for days, items in ((100, ()), (2, (release(1, 20), release(2, 10), fired)), (0, (incident(1, 9.99, 200),))):
            at = NOW - timedelta(days=days)
            seen = tuple(Watched(source=name, part="all", at=at, gap=1e9) for name in ("cd", "am"))
            drafts = tuple(draft(None, item, part="all") for item in items)
            await store.append(Batch(observed_at=at, drafts=drafts, watched=seen), lease)
        await store.close()

    asyncio.run(write())
    args = ("metrics", "--since", "30d", "--json")
    now, then = home.run(*args), home.run(*args, "--at", "-1d")
    assert number(now.json["reports"][0], "recovery_time")["value"] == 200 * 3_600
    assert number(then.json["reports"][0], "recovery_time")["why"] == "none of the failed deployments has recovered"
    assert number(then.json["reports"][0], "change_fail_rate")["value"] == 0.5
    assert "by what was known on " in then.err and "read back" not in then.err and not now.err
    before = home.run("metrics", "--since", "30d", "--json", "--at", "-200d")
    assert before.code == 2 and "the earliest is" in before.err
    assert home.run("metrics", "--builds", "--json", "--at", "-1d").json["pipelines"] == []
