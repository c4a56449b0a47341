"""What a hand-over tells: which incidents, whose releases, what was not seen; and that what it quotes is only text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from statusboard.board import Board
from statusboard.catalog import Catalog, Service
from statusboard.clock import FakeClock
from statusboard.handover import Facts, Goals, Handover, Unread, as_json, as_markdown, as_text, compose, gather
from statusboard.handover.compose import DAYS
from statusboard.handover.reading import GOAL_DAYS
from statusboard.measuring import Measure
from statusboard.metrics import goals_of
from statusboard.model import Annotation, Build, Fact, Incident, Release, SourceHealth, health_key
from statusboard.presenting import ASCII
from statusboard.store.base import Batch, Watched
from statusboard.store.memory import MemoryStore
from tests.test_rewind import drafted

NOW = datetime(2026, 3, 4, 16, 0, tzinfo=UTC)
SINCE = NOW - timedelta(hours=8)


def at(hours: float) -> datetime:
    """So many hours before the end."""
    return NOW - timedelta(hours=hours)


def incident(number: object, began: float, ended: float | None = None, **more: Any) -> Incident:
    values: dict[str, Any] = {
        "title": f"alert {number}",
        "state": "open" if ended is None else "resolved",
        "severity": "critical",
        "services": ("checkout",),
        "team": "payments",
        "environment": "production",
        "started_at": at(began),
        "ended_at": None if ended is None else at(ended),
    }
    return Incident(key=f"am:incident:{number}", source="am", **(values | more))


def release(number: object, began: float, **more: Any) -> Release:
    values: dict[str, Any] = {
        "state": "success",
        "version": f"v1.0.{number}",
        "services": ("checkout",),
        "team": "payments",
        "environment": "production",
        "started_at": at(began),
        "ended_at": at(began - 0.05),
    }
    return Release(key=f"cd:release:{number}", source="cd", **(values | more))


def build(number: int, began: float, state: Any, revision: str = "", **more: Any) -> Build:
    return Build(
        key=f"ci:build:{number}",
        source="ci",
        state=state,
        pipeline="e2e",
        branch="main",
        default_branch="main",
        repository="acme/checkout",
        services=("checkout",),
        team="payments",
        revision=revision or f"{number:040x}",
        started_at=at(began),
        ended_at=at(began - 0.1),
        **more,
    )


def told(**facts: Any) -> Handover:
    options: dict[str, Any] = {"team": facts.pop("team", ""), "goals": facts.pop("goals", None)}
    return compose(
        Facts(**facts),
        since=SINCE,
        until=NOW,
        production=lambda environment: environment == "production",
        depends_on={},
        **options,
    )


def keys(episodes: Sequence[Any]) -> list[str]:
    return [episode.incident.key.rpartition(":")[2] for episode in episodes]


# ------------------------------------------------------------------------------------------------------------ incidents


def test_each_incident_stands_where_it_belongs() -> None:
    open_before, open_new = incident("old", 30), incident("new", 2, severity="low")
    past = [
        (incident("old", 30), at(30)),
        (open_new, at(2)),
        (incident("over", 10, 1), at(10)),
        (incident("both", 3, 2), at(3)),
        (incident("long over", 20, 9), at(20)),
        (incident("vanished", 4), at(4)),
        (incident("once", 40), at(40)),
        (incident("pending", 1, state="pending"), at(1)),
    ]
    made = told(live=[open_before, open_new, incident("soon", 1, state="pending")], past=past)
    assert keys(made.still_open) == ["old", "new"]
    assert keys(made.resolved) == ["both", "over"]
    assert keys(made.lost) == ["vanished"]
    assert [episode.new for episode in made.still_open] == [False, True]
    assert made.opened == 3


def test_what_is_suppressed_comes_last_and_is_counted_apart() -> None:
    quiet = incident("quiet", 2, state="suppressed", suppressed_by="sven: known")
    made = told(live=[quiet, incident("loud", 1, severity="info")])
    assert keys(made.still_open) == ["loud", "quiet"]
    text = as_text(made)
    assert "1 still open, 1 suppressed" in text and "Still open: 1, 1 suppressed" in text


def test_twins_of_one_cluster_are_one_incident() -> None:
    same: dict[str, Any] = {"cluster": "eu", "fingerprint": "f"}
    twins = [incident("a", 2, state="suppressed", **same), incident("b", 2, **same)]
    over = [
        (incident("c", 3, 1, cluster="eu", fingerprint="g"), at(3)),
        (incident("d", 3, 1, cluster="eu", fingerprint="g"), at(3)),
    ]
    made = told(live=twins, past=over)
    assert keys(made.still_open) == ["b"]
    assert len(made.resolved) == 1


def test_another_episode_of_an_alert_that_fires_again_is_told_too() -> None:
    again = incident("a", 1)
    made = told(live=[again], past=[(incident("a", 5, 4), at(5)), (again, at(1))])
    assert (keys(made.still_open), keys(made.resolved)) == (["a"], ["a"])
    assert made.opened == 2


def test_suspects_stand_with_their_points_and_what_people_said() -> None:
    opened = incident("a", 2)
    dismissed = Annotation(
        key="n1", source="people", state="set", target=opened.key, episode=opened.started_at,
        what="suspect_dismissed", author="mira", text="cd:release:2", updated_at=at(1),
    )  # fmt: skip
    said = Annotation(
        key="n2", source="people", state="set", target=opened.key, episode=opened.started_at,
        what="note", author="aiko", text="looking *now*", updated_at=at(1),
    )  # fmt: skip
    releases = [release(1, 2.5), release(2, 2.2)]
    made = told(live=[opened], releases=releases, said=[said])
    (episode,) = made.still_open
    assert episode.suspects and episode.suspects[0].release.version == "v1.0.2"
    text = as_text(made, width=300)
    points = re.search(r"suspect checkout v1\.0\.2 +(\d+) points: (.*)", text)
    assert points and sum(int(number) for number in re.findall(r"[+-]\d+(?=,|$)", points[2])) == int(points[1])
    assert "aiko says: looking *now*" in text
    (episode,) = told(live=[opened], releases=releases, said=[dismissed]).still_open
    assert episode.suspects and [s.release.version for s in episode.suspects] == ["v1.0.1"]


def test_no_suspect_is_said_and_an_unknown_beginning_too() -> None:
    text = as_text(told(live=[incident("a", 2), incident("b", 2, started_at=None)]))
    assert "no suspect" in text
    assert "nothing can be said of suspects" in text
    assert "since when is not known" in text


# ------------------------------------------------------------------------------------ releases, pipelines, goals, teams


def test_releases_are_told_by_rollout_and_those_elsewhere_are_counted() -> None:
    made = told(
        releases=[
            release(1, 12),
            release(2, 5, target="eu"),
            release("2b", 4.9, target="us", version="v1.0.2"),
            release(3, 3, environment="staging"),
            release(4, 2, state="failed"),
            release(5, 1, type="publication"),
        ]
    )
    assert [[r.key for r in shipped.releases] for shipped in made.releases] == [
        ["cd:release:2", "cd:release:2b"],
        ["cd:release:4"],
    ]
    assert made.elsewhere == 1
    text = as_text(made)
    assert "2 targets" in text and "✗ failed" in text


def test_a_roll_back_and_what_it_undid_are_told_so() -> None:
    made = told(releases=[release(1, 30), release(2, 5), release(3, 4, version="v1.0.1")])
    assert [(shipped.undone, shipped.back) for shipped in made.releases] == [(True, False), (False, True)]
    text = as_text(made)
    assert "↺ rolled back" in text and "a roll-back" in text


def test_only_pipelines_that_are_red_or_flaky_are_told() -> None:
    flaky = [build(1, 30, "failed", "a" * 40), build(2, 29, "success", "a" * 40)]
    red = [build(4, 2, "failed", actor="mira")]
    assert [line.red is not None for line in told(builds=flaky).pipelines] == [False]
    made = told(builds=[*flaky, *red])
    assert "✗ red" in as_text(made) and "by mira" in as_text(made)
    assert told(builds=[build(5, 2, "success")]).pipelines == ()


def test_a_team_is_told_of_its_own_alone() -> None:
    facts: dict[str, Any] = {
        "live": [incident("a", 2), incident("b", 2, team="other")],
        "past": [(incident("c", 3, 1), at(3)), (incident("d", 3, 1, team="other"), at(3))],
        "releases": [release(1, 2), release(2, 2, team="other", services=("x",))],
        "builds": [build(1, 2, "failed")],
        "unread": [Unread(source="am", since=at(2), until=at(1), why="503")],
    }
    made = told(team="Payments", **facts)
    assert (keys(made.still_open), keys(made.resolved), len(made.releases)) == (["a"], ["c"], 1)
    assert len(made.unread) == 1, "what nobody saw may have been anybody's"
    assert told(team="nobody", **facts).pipelines == ()


async def test_goals_are_judged_and_no_data_is_neither() -> None:
    store = MemoryStore(clock=FakeClock(NOW))
    await store.open()
    catalog = Catalog(services=[Service(name="checkout", team="payments")])
    measure = Measure(store, catalog, goals=goals_of({"payments": {"change_fail_rate": "<= 15%"}}))
    made = await gather(store, Board("", 0), catalog, since=SINCE, until=NOW, measure=measure)
    assert made.goals is not None
    (judged,) = made.goals.judged
    assert judged.met is None
    text = as_text(made)
    assert "? no data" in text and "0 of 1 missed, 1 without data" in text
    assert as_json(made)["goals"][0]["met"] is None


# ---------------------------------------------------------------------------------------------------- what was not seen


def health(source: str, state: Any, **more: Any) -> SourceHealth:
    return SourceHealth(key=health_key(source), source=source, state=state, interval=60.0, **more)


async def lived(
    *steps: tuple[float, Sequence[Fact]], watched: dict[str, Sequence[tuple[float, float]]]
) -> tuple[MemoryStore, Board]:
    """A store in which these facts came in so many hours ago, and what was watched from when to when."""
    store = MemoryStore(clock=FakeClock(NOW))
    await store.open()
    lease = await store.lease("poll", "test")
    for hours, facts in steps:
        await store.append(Batch(observed_at=at(hours), drafts=tuple(drafted(fact, "poll") for fact in facts)), lease)
    for source, stretches in watched.items():
        for begin, end in stretches:
            for hours, gap in ((begin, 0.0), (end, 1e9)):
                seen = Watched(source=source, part="all", at=at(hours), gap=gap)
                await store.append(Batch(observed_at=NOW, watched=(seen,)), lease)
    board = Board("", 0)
    board.load((await store.snapshot()).rows)
    return store, board


async def test_faults_and_gaps_are_told_with_their_times_and_reasons() -> None:
    store, board = await lived(
        (30, [health("am", "fresh"), health("ci", "fresh")]),
        (5, [health("am", "stale", error="503 Service Unavailable")]),
        (4, [health("am", "fresh")]),
        watched={"am": [(30, 5), (4, 0)], "ci": [(30, 6.5), (6, 0)]},
    )
    made = await gather(store, board, Catalog(), since=SINCE, until=NOW)
    assert [(each.source, each.why) for each in made.unread] == [
        ("ci", "not watched"),
        ("am", "503 Service Unavailable"),
    ]
    text = as_text(made)
    assert "Not everything was seen (ci, am)" in text
    assert "am  from 11:00 to 12:00 (1h): 503 Service Unavailable" in text


async def test_where_no_source_was_watched_no_board_ran() -> None:
    sources = ("am", "ci", "cd")
    store, board = await lived(
        (30, [health(name, "fresh") for name in sources]),
        watched={name: [(30, 7), (3, 0)] for name in sources},
    )
    made = await gather(store, board, Catalog(), since=SINCE, until=NOW)
    assert [(each.source, each.why) for each in made.unread] == [("", "no board ran")]
    assert "all sources  from 09:02 to 13:00" in as_text(made)


async def test_what_is_still_blind_has_no_end() -> None:
    store, board = await lived(
        (30, [health("am", "fresh")]),
        (20, [health("am", "down", error="401")]),
        watched={"am": [(30, 20)]},
    )
    made = await gather(store, board, Catalog(), since=SINCE, until=NOW)
    assert [(each.source, each.since, each.until, each.why) for each in made.unread] == [("am", SINCE, None, "401")]
    assert as_json(made)["not_seen"][0]["until"] is None


async def test_nothing_known_is_never_called_fine() -> None:
    store, board = await lived(watched={})
    text = as_text(await gather(store, board, Catalog(), since=SINCE, until=NOW))
    assert text.count("none that is known") == 3
    assert "ok" not in text.lower().split()


# ---------------------------------------------------------------------------------------------------------------- words

HOSTILE = "<!channel> [x](http://evil) **b** `c` @here | ~~s~~ ![i](u) #1\n- l"


def hostile() -> Handover:
    return told(
        live=[incident("a", 2, title=HOSTILE, assignee=HOSTILE, services=(HOSTILE,), url="https://ok.example/a")],
        past=[(incident("b", 3, 1, title=HOSTILE, url="javascript:alert(1)"), at(3))],
        releases=[release(1, 2.1, version=HOSTILE, actor=HOSTILE, services=(HOSTILE,))],
        builds=[build(1, 2, "failed", HOSTILE, actor=HOSTILE)],
        unread=[Unread(source=HOSTILE, since=at(2), until=None, why=HOSTILE)],
    )


def test_foreign_text_does_nothing_in_markdown() -> None:
    text = as_markdown(hostile())
    tokens = MarkdownIt("commonmark").enable("strikethrough").enable("table").parse(text)
    inline = [child for token in tokens for child in token.children or ()]
    assert {
        token.type for token in tokens if token.type.startswith(("html", "table", "heading", "code", "fence"))
    } == set()
    assert {child.type for child in inline} <= {
        "text",
        "strong_open",
        "strong_close",
        "softbreak",
        "link_open",
        "link_close",
    }
    links = [child.attrs["href"] for child in inline if child.type == "link_open"]
    assert links == ["https://ok.example/a"]
    strong = [inline[n + 1].content for n, child in enumerate(inline) if child.type == "strong_open"]
    assert all(text != "b" for text in strong)
    assert "@here" not in text


def test_lines_are_lines_whatever_they_quote() -> None:
    made = hostile()
    for width in (40, 80, 200):
        lines = as_text(made, width=width).splitlines()
        assert all(len(line) <= width for line in lines)
    assert not any(line.startswith("- l") for line in as_text(made).splitlines())


def test_it_reads_without_anything_but_ascii() -> None:
    text = as_text(told(live=[incident("a", 2)], releases=[release(1, 3)]), glyphs=ASCII)
    assert text.isascii()
    assert "! open critical  checkout" in text and "+ success" in text


def test_a_stretch_over_midnight_names_its_days() -> None:
    made = told(live=[incident("a", 20)])
    assert "since 2026-03-03 20:00 (20h)" in as_text(made)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.floats(0.1, 40),
            st.none() | st.floats(-1, 40),
            st.sampled_from(["open", "suppressed"]),
        ),
        max_size=8,
    )
)
def test_no_incident_is_told_twice_or_forgotten(given: list[tuple[int, float, float | None, Any]]) -> None:
    past: dict[tuple[int, datetime], Incident] = {}
    for number, began, ended, state in given:
        item = incident(number, began, ended) if ended is not None else incident(number, began, state=state)
        past[number, at(began)] = item
    live = {item.key: item for item in past.values() if item.state != "resolved"}
    made = told(live=list(live.values()), past=[(item, began) for (_, began), item in past.items()])
    shown = [(e.incident.key, e.began) for group in (made.still_open, made.resolved, made.lost) for e in group]
    assert len(shown) == len(set(shown))
    due = {(i.key, i.started_at) for i in live.values()}
    due |= {(i.key, began) for (_, began), i in past.items() if i.state == "resolved" and SINCE <= i.ended_at < NOW}  # type: ignore[operator]
    assert due <= set(shown)


def test_goals_are_left_out_where_nobody_has_any() -> None:
    assert "Goals" not in as_text(told())
    assert "goals" not in as_json(told())
    assert "Goals, over 30 days: 0 of 0 missed" in as_text(told(goals=Goals(days=30, judged=())))


# -------------------------------------------------------------------------------------------------------- the document

DOCUMENT = (Path(__file__).parents[1] / "docs" / "handover.md").read_text(encoding="utf-8")


def test_the_example_in_the_documents_is_what_is_printed() -> None:
    errors = incident(1, 1.5, title="HighErrorRate: 7 % fail", started_at=at(1.5), assignee="aiko")
    slow = incident(2, 6, 5.5, title="LatencyP99High", severity="low", services=("search",))
    made = told(
        live=[errors],
        past=[(errors, at(1.5)), (slow, at(6))],
        releases=[
            release(1, 20),
            release(2, 1.7, previous_version="v1.0.1", actor="mira"),
            release(3, 4, environment="qa"),
        ],
        builds=[build(1, 30, "failed", "a" * 40), build(2, 29, "success", "a" * 40)],
        unread=[Unread(source="github", since=at(4), until=at(3.5), why="503 Service Unavailable")],
    )
    assert f"```\n{as_text(made)}```\n" in DOCUMENT


def test_the_numbers_in_the_documents() -> None:
    assert f"the last {DAYS} days" in DOCUMENT
    assert f"the last {GOAL_DAYS} days" in DOCUMENT
    assert all(f"`{key}`" in DOCUMENT for key in as_json(told(goals=Goals(days=30, judged=()))))
