"""The filter language: what it means, what is wrong with it, and what comes next while one types."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusboard.errors import QueryError
from statusboard.model import ITEM_KINDS, SEVERITIES, Fact
from statusboard.query import ALIASES, KEYS, complete, parse, word_at
from statusboard.query.language import IS
from tests.boards import ITEMS, NOW, ago, board_of, build, health, incident, release, ticket

FACTS: dict[str, Fact] = {
    "red": build(
        1,
        "failed",
        title="Fix: login (again)",
        team="payments",
        services=("checkout", "cart"),
        branch="main",
        actor="Ann",
    ),
    "green": build(
        2, "success", repository="acme/api", pipeline="Build and test", change="41", revision="abcdef123456"
    ),
    "alert": incident(
        7, "open", severity="critical", labels={"team": "Site Reliability", "flaky": ""}, url="https://x.example/1"
    ),
    "odd": incident(8, "suppressed", severity="unknown", environment="production", team="site reliability"),
    "low": incident(9, "acknowledged", severity="low", started_at=ago(600), assignee="bob"),
    "live": release(1, "running", verdict="failed", version="2.10.0", environment="staging", reason="pod OOM"),
    "issue": ticket(5, "in_progress", ticket_id="SHOP-12", priority="urgent", updated_at=None, title='say "hi" 50%*'),
}


def found(text: str, **more) -> set[str]:
    board = board_of(*FACTS.values())
    query = parse(text)
    return {
        name
        for name, fact in FACTS.items()
        if query.matches(
            fact,
            current=board.rows[fact.key].current,
            failing=board.rows[fact.key].failing,
            now=more.get("now", NOW),
            health=more.get("health", "fresh"),
        )
    }


EVERYTHING = set(FACTS)
ASKED: dict[str, Any] = {"current": True, "failing": False, "now": NOW, "health": "stale"}


@pytest.mark.parametrize(
    "text, names",
    [
        ("", EVERYTHING),
        ("   ", EVERYTHING),
        ("state:failed", {"red"}),
        ("STATE:Failed", {"red"}),
        ("status:failed", {"red"}),
        ("state:failed,running", {"red", "live"}),
        ("state:in-progress", {"issue"}),
        ("state:*ed", {"red", "odd", "low"}),
        ("-state:failed,running", EVERYTHING - {"red", "live"}),
        ("kind:build", {"red", "green"}),
        ("kind:builds -state:success", {"red"}),
        ("kind:incident,ticket", {"alert", "odd", "low", "issue"}),
        ("severity:critical", {"alert"}),
        ("severity:>=high", {"alert", "odd"}),
        ("severity:>high", {"alert"}),
        ("severity:<high", {"low"}),
        ("severity:<=high", {"odd", "low"}),
        ("severity:=low", {"low"}),
        ("severity:low,>=critical", {"alert", "low"}),
        ("severity:unknown", {"odd"}),
        ("-severity:>=high", EVERYTHING - {"alert", "odd"}),
        ("source:ci", {"red", "green"}),
        ("service:cart", {"red"}),
        ("service:car", set()),
        ("service:c*", {"red"}),
        ('service:""', {"green", "alert", "odd", "low", "issue"}),
        ("team:*", {"red", "odd"}),
        ('team:"site reliability"', {"odd"}),
        ("team:site*", {"odd"}),
        ('team:"site*"', set()),
        ('team:"SITE "rel*', {"odd"}),
        ("env:production", {"odd"}),
        ("environment:prod*,staging", {"odd", "live"}),
        ("repo:acme/api", {"green"}),
        ("repo:api", {"green"}),
        ("repository:acme/*", {"red", "green"}),
        ("pipeline:build*", {"green"}),
        ("branch:main", {"red", "green"}),
        ("pr:41", {"green"}),
        ("change:#41", {"green"}),
        ("revision:ABCDEF1", {"green"}),
        ("version:2.*", {"live"}),
        ("actor:ann", {"red"}),
        ("assignee:bob", {"low"}),
        ("priority:urgent", {"issue"}),
        ("label:flaky", {"alert"}),
        ("label:fla*", {"alert"}),
        ("label:team", {"alert"}),
        ('label:team="site reliability"', {"alert"}),
        ("label:team=site*", {"alert"}),
        ('label:flaky=""', {"alert"}),
        ("label:team=other", set()),
        ("-label:flaky kind:incident", {"odd", "low"}),
        ("id:SHOP-12", {"issue"}),
        ("ticket:shop-*", {"issue"}),
        ("id:9", {"low"}),
        ("id:am:incident:9", {"low"}),
        ("title:login", {"red"}),
        ("title:fix*again", {"red"}),
        ("since:15m", EVERYTHING - {"low", "issue"}),
        ("since:5m", set()),
        ("before:5h", {"low"}),
        ("since:2026-01-02", EVERYTHING - {"issue"}),
        ("before:2026-01-02T11:00Z", {"low"}),
        ("is:failing", {"red", "alert", "low", "live"}),
        ("is:current -is:failing", {"green", "odd", "issue"}),
        ("is:unowned", {"green", "alert", "low", "issue"}),
        ("is:suppressed", {"odd"}),
        ("is:running", {"live"}),
        ("is:stale", set()),
        ("has:url", {"alert"}),
        ("has:assignee,version", {"low", "live"}),
        ("-has:team -has:service", {"green", "alert", "low", "issue"}),
        ("has:label", {"alert"}),
        ("login", {"red"}),
        ("LOGIN", {"red"}),
        ("log*again", {"red"}),
        ("checkout", {"red"}),
        ('"build and test"', {"green"}),
        ('"reliability"', {"alert", "odd"}),
        ("oom", {"live"}),
        ("incident", set()),
        ('"am:incident:7"', {"alert"}),
        ('"50%*"', {"issue"}),
        (r'"say \"hi\""', {"issue"}),
        ('"login (again)"', {"red"}),
        ("-login", EVERYTHING - {"red"}),
        ("kind:build OR kind:ticket", {"red", "green", "issue"}),
        ("kind:build state:failed OR kind:ticket", {"red", "issue"}),
        ("kind:build (state:failed OR pr:41)", {"red", "green"}),
        ("-(kind:build OR kind:incident)", {"live", "issue"}),
        ("(kind:build)", {"red", "green"}),
        ('title:"fix:"', {"red"}),
        ('kind:"build"', {"red", "green"}),
    ],
)
def test_what_it_finds(text, names):
    assert found(text) == names


def test_stale_asks_for_the_state_of_the_source():
    for state in ("stale", "down", "starting", "paused"):
        assert found("is:stale", health=state) == EVERYTHING
    for state in ("fresh", "partial", "aging"):
        assert found("is:stale", health=state) == set()
    assert parse("kind:build -is:stale").needs_health
    assert not parse("kind:build is:failing").needs_health


def test_only_lengths_of_time_move_with_the_clock():
    assert found("since:15m", now=NOW + timedelta(hours=1)) == set()
    assert parse("kind:build (-since:2h OR x)").needs_clock
    assert parse("before:2h").needs_clock
    assert not parse("since:2026-01-02").needs_clock
    assert not parse("state:failed").needs_clock


def test_what_matches_everything_says_so():
    assert parse("  ").matches_all
    assert not parse("*").matches_all


def test_other_facts_than_items_are_matched_too():
    sick = health("ci", "stale", title="ci")
    assert parse("ci").matches(sick, current=False, failing=False, now=NOW)
    for text in ('team:"" -has:url', "-kind:build", "-label:x", "-is:unowned", "-since:1h", "-nothing", "-id:5"):
        assert parse(text).matches(sick, current=False, failing=False, now=NOW), text


@pytest.mark.parametrize(
    "text, wrong, words",
    [
        ("sate:failed", "sate", "unknown key `sate`: did you mean `state`?"),
        ("x teem:a", "teem", "did you mean `team`?"),
        ("zzzz:a", "zzzz", "unknown key `zzzz`: use one of state, kind"),
        ("https://x.example", "https", "put quotes around text that has a colon"),
        ("state:faild", "faild", "did you mean `state:failed`?"),
        ("state:failed,faild", "faild", "did you mean"),
        ("state:purple", "purple", "use one of blocked, cancelled"),
        ("kind:incidnet", "incidnet", "did you mean `kind:incident`?"),
        ("severity:hihg", "hihg", "did you mean `severity:high`?"),
        ("severity:>=hihg", "hihg", "did you mean"),
        ("severity:>=", ">=", "a severity must follow"),
        ("severity:=>high", "=>", "is no comparison"),
        ("severity:>h*", ">h*", "without *"),
        ("is:fialing", "fialing", "did you mean `is:failing`?"),
        ("has:urls", "urls", "did you mean `has:url`?"),
        ("state:*zz", "*zz", "use one of"),
        ("team:", "team:", "needs a value"),
        ("branch:", "branch:", "like `branch:main`"),
        ("team:a,,b", ",", "a value is missing"),
        ("team:a,", ",", "a value is missing"),
        ("team:,a", ",", "a value is missing"),
        (":a", ":", "a key must stand before this colon"),
        ('"a":b', '"a":', "a key must stand before this colon"),
        ("since:soon", "soon", "write `since:15m`"),
        ("since:5", "5", "is no length of time"),
        ("since:2h,3h", "2h,3h", "takes one value"),
        ("before:-5m", "-5m", "is no length of time"),
        ("label:=x", "=x", "a label's name must stand before"),
        ('"open', '"open', "never closed"),
        ('team:"open', '"open', "never closed"),
        ('""', '""', "nothing between these quotes"),
        ("(a", "(", "never closed"),
        ("(a OR (b)", "(", "never closed"),
        ("a)", ")", "nothing is open"),
        (")", ")", "nothing is open"),
        ("()", "()", "nothing between these brackets"),
        ("-", "-", "must follow the -"),
        ("a - b", "-", "must follow the -"),
        ("--a", "-", "must follow the -"),
        ("OR", "OR", "either side"),
        ("a OR", "OR", "either side"),
        ("OR a", "OR", "either side"),
        ("a OR OR b", "OR", "either side"),
        ("(a OR )", "OR", "either side"),
        ("(" * 30, "(", "at most 20 deep"),
        ("a" * 3000, "a" * 1000, "at most 2000 characters"),
    ],
)
def test_what_is_wrong_and_where(text, wrong, words):
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert words in str(caught.value)
    assert text[caught.value.start : caught.value.end] == wrong


WORDS = st.sampled_from(
    [
        *(
            "state:",
            "kind:",
            "severity:",
            "team:",
            "label:",
            "since:",
            "before:",
            "is:",
            "has:",
            "title:",
            "id:",
            "xx:",
        ),
        *(
            "failed",
            "build",
            "high",
            ">=",
            "a b",
            "*",
            ",",
            '"',
            "\\",
            "(",
            ")",
            "-",
            " ",
            "OR",
            "=",
            "2h",
            "2026-01-02",
        ),
        *("#", "x", "é", "İ", "ß", "\u2003", "\x1f"),
    ]
)
TEXTS = st.lists(WORDS, max_size=14).map("".join) | st.text(max_size=30)


@settings(max_examples=600, deadline=None)
@given(TEXTS)
def test_any_text_is_a_filter_or_an_error_within_it(text):
    span: tuple[int, int] | None = None
    try:
        query = parse(text)
    except QueryError as error:
        span = (error.start, error.end)
    else:
        again = parse(str(query))
        assert (query.text, again.root, str(again)) == (text, query.root, str(query))
    assert span is None or 0 <= span[0] < span[1] <= len(text)


@settings(max_examples=300, deadline=None)
@given(TEXTS, ITEMS)
def test_whatever_parses_can_be_asked_of_any_item(text, fact):
    try:
        query = parse(text)
    except QueryError:
        return
    assert query.matches(fact, **ASKED) is parse(str(query)).matches(fact, **ASKED)
    if text.strip() and not query.matches_all:
        assert parse(f"-({text})").matches(fact, **ASKED) is not query.matches(fact, **ASKED)


@settings(max_examples=200, deadline=None)
@given(st.text(min_size=1, max_size=12).filter(str.strip))
def test_any_text_can_be_looked_for_in_quotes(needle):
    quoted = '"' + needle.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert parse(quoted).matches(build(1, title=f"x{needle}y"), current=True, failing=False, now=NOW)
    assert parse(f"team:{quoted}").matches(build(1, team=needle), current=True, failing=False, now=NOW)


@settings(max_examples=300, deadline=None)
@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_a_star_stands_for_anything(pattern, text):
    expected = bool(text) and re.fullmatch(pattern.replace("*", ".*"), text) is not None
    if pattern:
        assert parse(f"team:{pattern}").matches(build(1, team=text), **ASKED) is expected
        inside = re.search(pattern.replace("*", ".*"), text) is not None
        assert parse(f"title:{pattern}").matches(build(1, title=text), **ASKED) is inside


def test_many_stars_take_no_time():
    query = parse("*" + "a*" * 200 + "b")
    assert not query.matches(build(1, title="a" * 5_000), **ASKED)


# -- completion


@pytest.mark.parametrize(
    "text, offered",
    [
        ("sta", ["state:"]),
        ("x -sta", ["-state:"]),
        ("(sta", ["state:"]),
        ("state:fa", ["state:failed"]),
        ("state:failed,ru", ["state:failed,running"]),
        ("-is:un", ["-is:unowned", "-is:unknown"]),
        ("severity:>=h", ["severity:>=high"]),
        ("since:", ["since:15m", "since:1h", "since:4h", "since:1d", "since:1w"]),
        ("team:", ["team:payments", 'team:"site reliability"']),
        ("team:s", ['team:"site reliability"']),
        ('team:"site r', ['team:"site reliability"']),
        ("state:failed", []),
        ("nothing", []),
        ("fail", ["state:failed", "is:failing"]),
        ("-failed", ["-state:failed"]),
        ("site", ['team:"site reliability"']),
        ("fa", []),
        ('"sta', []),
        ("zzz:", []),
    ],
)
def test_completion(text, offered):
    teams = {"team": ["payments", "site reliability"]}
    assert complete(text, len(text), teams) == offered


def test_completion_looks_at_the_word_before_the_cursor_only():
    text = "kind:bu state:failed"
    assert complete(text, 7) == ["kind:build"]
    assert word_at(text, 7) == (0, 7)
    assert word_at('team:"a b', 9) == (0, 9)
    assert complete("", 0) == [f"{key}:" for key in KEYS]


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.integers(-2, 40))
def test_completion_never_fails(text, cursor):
    start, end = word_at(text, cursor)
    assert 0 <= start <= end <= len(text)
    for offer in complete(text, cursor):
        assert offer != text[start:end]


def test_every_value_that_is_offered_is_right():
    for key in ("state", "kind", "severity", "is", "has", "since", "before"):
        offers = complete(f"{key}:", len(key) + 1)
        assert offers
        for offer in offers:
            assert str(parse(offer)) == offer
    assert complete("kind:", 5) == [f"kind:{kind}" for kind in ITEM_KINDS]
    assert complete("severity:", 9) == [f"severity:{word}" for word in SEVERITIES]
    assert complete("is:", 3) == [f"is:{word}" for word in IS]


def test_other_names_of_keys_lead_to_keys():
    assert set(ALIASES.values()) <= set(KEYS)
    assert not set(ALIASES) & set(KEYS)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["", " ", "a OR b", "-a", "state:failed a", "(a b) OR c"]), st.sampled_from(["", "b", "a OR c"]))
def test_both_of_two(one: str, two: str):
    both, plain = parse(one) & parse(two), parse(" ".join(f"({each})" for each in (one, two) if each.strip()))
    assert str(both) == str(plain)
    assert parse(both.text).root == both.root
