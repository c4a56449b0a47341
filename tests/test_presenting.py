"""Rows, details and the header as words: they tell the truth in monochrome, in 60 columns and of sources gone blind."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusboard.board import Board, Summary
from statusboard.columns import COLUMN_IDS, columns
from statusboard.model import ITEM_KINDS, SEVERITIES, STATES, ItemKind
from statusboard.notes import acknowledge, write
from statusboard.presenting import (
    ASCII,
    UNICODE,
    Glyphs,
    RowText,
    cells,
    header_words,
    last_known_words,
    state_cell,
    state_words,
    word_of,
)
from statusboard.text import cell_len
from tests.boards import (
    ITEMS,
    NOW,
    STEPS,
    ago,
    board_of,
    build,
    fold,
    incident,
    release,
    ticket,
)
from widgets.table import STYLE_NAMES, Column, lay_out

MAKERS: dict[ItemKind, Any] = {"build": build, "incident": incident, "release": release, "ticket": ticket}
SETS = {"unicode": UNICODE, "ascii": ASCII}
EMOJI = frozenset("©®‼⁉™↔↕↖↗↘↙↩↪⌚⌛⏏⏸⏹⏺▪▫▶◀◻◼☀☁☎☑☔✂✈✉✊✋✌✏✒✔✖✝✡✨✳✴❄❇❌❎❓❗❣❤➕➖➗➡➰⬅⬆⬇⬛⬜⭐⭕⚠⚡⚪⚫⛔")
"""Those of Unicode's emoji that one might take for plain signs (emoji-data.txt, property Emoji)."""


def row_text(fact: Any, *others: Any, **more: Any) -> RowText:
    return cells(board_of(*others, fact).rows[fact.key], NOW, **more)


def shown(text: RowText, column: str) -> str:
    return text.cells[column][0]


# -- states


@pytest.mark.parametrize("glyphs", SETS.values(), ids=SETS)
@pytest.mark.parametrize("kind", [*ITEM_KINDS, "source", "annotation"])
def test_every_state_has_a_word_and_a_sign_of_its_own(kind, glyphs: Glyphs):
    shown = [*STATES[kind], *(("unwatched",) if kind == "source" else ())]
    told = [state_cell(kind, state, glyphs)[0] for state in shown]
    assert len({text[0] for text in told}) == len(told), "signs"
    assert len({text[2:] for text in told}) == len(told), "words"
    assert {cell_len(text[0]) for text in told} == {1}
    assert {sign for (of, _), sign in glyphs.states.items() if of == kind} == {text[0] for text in told}
    if glyphs is ASCII:
        assert all(text.isascii() for text in told)


@pytest.mark.parametrize("glyphs", SETS.values(), ids=SETS)
def test_every_sign_takes_one_cell_in_every_terminal(glyphs: Glyphs):
    """Signs of ambiguous width are two cells wide in terminals set up for East Asia, and so are emoji in some."""
    for sign in {*glyphs.states.values(), glyphs.nothing, glyphs.dash}:
        assert unicodedata.east_asian_width(sign) in ("N", "Na"), unicodedata.name(sign)
        assert sign not in EMOJI, unicodedata.name(sign)


@pytest.mark.parametrize("glyphs", SETS.values(), ids=SETS)
def test_every_severity_has_a_word_of_its_own(glyphs: Glyphs):
    told = {level: shown(row_text(incident(1, severity=level), glyphs=glyphs), "severity") for level in SEVERITIES}
    assert list(told.values()) == list(SEVERITIES), "whatever the signs are"


@pytest.mark.parametrize("glyphs", SETS.values(), ids=SETS)
@pytest.mark.parametrize("kind", ITEM_KINDS)
def test_rows_of_different_states_differ_without_colour(kind, glyphs):
    told = {state: shown(row_text(MAKERS[kind](1, state), glyphs=glyphs), "state") for state in STATES[kind]}
    assert len(set(told.values())) == len(told)
    for state, text in told.items():
        assert text == f"{glyphs.of(kind, state)} {word_of(state)}"
        assert cell_len(text) <= (columns(kind)[1].width or 0)


def test_a_state_without_a_sign_is_unknown():
    assert UNICODE.of("build", "purple") == "?"


def test_only_what_is_failing_is_red():
    assert row_text(build(1, "failed")).cells["state"] == ("✗ failed", "failed")
    assert row_text(build(1, "failed", branch="dev")).cells["state"] == ("✗ failed", "muted")
    assert row_text(incident(1, "pending", severity="critical")).cells["severity"] == ("critical", "")
    for severity in SEVERITIES:
        text = row_text(incident(1, severity=severity))
        assert text.cells["severity"] == (severity, severity)
        assert text.cells["state"] == ("◉ open", "failed" if severity == "critical" else severity), "once in a row"


def test_a_rerun_says_what_it_was_and_keeps_the_sign_of_its_verdict():
    again = build(1, "running", verdict="failed", attempt=2)
    text = row_text(again)
    assert text.cells["state"] == ("✗ running", "failed")
    assert shown(text, "title") == "(was failed) Fix it"
    assert state_words(again) == "running (was failed)"
    assert row_text(build(1, "running")).cells["state"] == ("► running", "running")
    healthy = row_text(build(1, "running", verdict="success"))
    assert healthy.cells["state"] == ("► running", "running")
    assert shown(healthy, "title") == "Fix it"
    cancelled = row_text(build(1, "cancelled", verdict="failed"))
    assert (cancelled.cells["state"], cancelled.style) == (("✗ cancelled", "failed"), "")


def test_what_is_over_or_suppressed_is_dim():
    assert row_text(incident(1, "resolved")).style == "muted"
    assert row_text(ticket(1, "done")).style == "muted"
    assert row_text(incident(1, "suppressed")).style == "muted"
    assert row_text(build(1, "failed")).style == ""


# -- rows


@pytest.mark.parametrize("state", ["stale", "down", "starting", "paused"])
@pytest.mark.parametrize("fact", [build(1), build(1, "failed"), incident(1, severity="critical")], ids=repr)
def test_what_is_no_longer_read_loses_its_colour_and_says_it_was(state, fact):
    text = row_text(fact, source_state=state)
    assert text.style == "stale"
    assert shown(text, "state") == f"? was {word_of(fact.state)}"
    assert {style for _, style in text.cells.values()} == {""}


@pytest.mark.parametrize("state", ["fresh", "partial", "aging"])
def test_what_is_read_keeps_its_colour(state):
    assert row_text(build(1), source_state=state).cells["state"] == ("✓ success", "success")


def test_what_was_unknown_stays_unknown():
    assert shown(row_text(build(1, "unknown"), source_state="stale"), "state") == "? unknown"


def test_ages_are_coarse_marked_where_inferred_and_never_made_up():
    assert shown(row_text(build(1, started_at=ago(7))), "age") == "7m"
    assert shown(row_text(incident(1, "resolved", ended_at=ago(125), approximate=True)), "age") == "~2h"
    assert shown(row_text(build(1, started_at=None)), "age") == UNICODE.nothing
    assert shown(row_text(build(1, started_at=None), glyphs=ASCII), "age") == "-"


def test_an_incident_that_tells_no_time_is_as_old_as_it_stands_on_the_board():
    undated = incident(1, started_at=None)
    row = board_of(undated).rows[undated.key]
    later = NOW + timedelta(minutes=5)
    assert cells(row, later).cells["age"] == ("~5m", "")
    assert cells(row, later, absolute=True).cells["age"] == ("~12:00", "")


def test_a_person_goes_by_one_name():
    assert shown(row_text(release(1, actor="mira <mira@acme.example>")), "actor") == "mira"
    assert shown(row_text(incident(1, assignee="mira <mira@acme.ex")), "assignee") == "mira"
    assert shown(row_text(release(1, actor="<mira@acme.example>")), "actor") == "<mira@acme.example>"


@pytest.mark.parametrize(("minutes", "told"), [(4, "now"), (6, "in 6m"), (82, "in 1h"), (45, "ahead")])
def test_what_lies_ahead_of_our_clock_is_not_now(minutes: float, told: str):
    made = row_text(release(1, version="9.9", started_at=ago(-minutes)))
    assert shown(made, "age") == told
    assert ("(ahead of our clock)" in shown(made, "title")) is (told != "now")
    assert made.cells["state"][1] == ("success" if told == "now" else "muted")
    assert shown(row_text(incident(1, started_at=ago(-minutes))), "age") == told


def test_a_suppressed_incident_says_by_whom_and_until_when():
    until = NOW + timedelta(hours=2)
    silenced: dict[str, Any] = {"suppressed_by": "ann", "suppressed_until": until}
    assert shown(row_text(incident(1, "suppressed", **silenced)), "title") == "(until 14:00) Down ‒ ann"
    berlin = ZoneInfo("Europe/Berlin")
    assert shown(row_text(incident(1, "suppressed", **silenced), zone=berlin), "title").startswith("(until 15:00)")
    for days, told in ((2, "Sun 12:00"), (20, "22 Jan 12:00"), (400, "2027-02-06 12:00"), (-10, "2025-12-23 12:00")):
        late: dict[str, Any] = {"suppressed_by": "ann", "suppressed_until": NOW + timedelta(days=days)}
        assert f"(until {told})" in shown(row_text(incident(1, "suppressed", **late)), "title")
    assert shown(row_text(incident(1, "suppressed")), "title") == "(no end known) Down"
    assert shown(row_text(incident(1, "open", **silenced)), "title") == "Down"


def test_what_nobody_owns_says_so():
    assert row_text(incident(1)).cells["service"] == ("unowned", "unknown")
    assert row_text(incident(1, "suppressed")).cells["service"] == ("unowned", "")
    assert shown(row_text(build(1)), "service") == "unowned acme/shop"
    assert shown(row_text(build(1, services=("shop", "cart"))), "service") == "shop"
    assert shown(row_text(incident(1, team="sre")), "service") == "sre"


def test_what_each_kind_tells():
    nameless = row_text(build(1, change="unknown", fork="them", branch="mend"))
    assert shown(nameless, "branch") == "them:mend", "the number is not told, the branch is"
    told = row_text(build(1, change="41", fork="them", actor="ann"))
    assert (shown(told, "branch"), shown(told, "pipeline"), shown(told, "actor")) == ("them:#41", "test", "ann")
    told = row_text(release(1, version="", revision="0123456789abcdef", target="eu"))
    assert (shown(told, "version"), shown(told, "title")) == ("0123456789", "(eu) v1")
    assert shown(told, "environment") == "production"
    assert shown(row_text(release(1, type="publication", environment="")), "environment") == "published"
    told = row_text(ticket(1, priority="urgent", assignee="bob"))
    assert [shown(told, column) for column in ("priority", "id", "assignee")] == ["urgent", "T-1", "bob"]
    told = row_text(incident(1, acknowledged_by="eve", environment="staging", team="sre"))
    assert [shown(told, column) for column in ("assignee", "environment", "team")] == ["eve", "staging", "sre"]


def test_the_reason_of_a_fault_is_told_and_stands_in_for_a_title():
    assert shown(row_text(build(1, "failed", reason="2 of 14 jobs")), "title") == "Fix it ‒ 2 of 14 jobs"
    assert shown(row_text(build(1, "failed", reason="2 of 14 jobs"), glyphs=ASCII), "title") == "Fix it - 2 of 14 jobs"
    assert shown(row_text(build(1, reason="all 14 jobs")), "title") == "Fix it"
    assert shown(row_text(incident(1, title="", reason="disk full")), "title") == "disk full"
    assert shown(row_text(build(1, title="")), "title") == "test"


@settings(max_examples=200, deadline=None)
@given(ITEMS, st.sampled_from(sorted(STATES["source"])), st.sampled_from([UNICODE, ASCII]))
def test_any_row_has_known_columns_and_styles(fact, source_state, glyphs):
    text = row_text(fact, source_state=source_state, glyphs=glyphs)
    assert text.cells.keys() >= {"age", "state", "service"}
    assert {style for _, style in text.cells.values()} | {text.style} <= {"", *STYLE_NAMES}
    assert all(words for words, _ in text.cells.values())


@pytest.mark.parametrize("kind", ITEM_KINDS)
def test_columns_fit_into_60_cells_and_change_most_at_the_left(kind):
    specs = columns(kind)
    assert [spec.id for spec in specs][:2] == ["age", "state"]
    made = [Column(s.id, s.title, s.width, s.min_width, s.priority, s.align) for s in specs]
    narrow = lay_out(made, 60)
    widths = dict(zip((column.id for column in narrow.columns), narrow.widths, strict=True))
    assert len(widths) >= 5
    assert widths["title"] >= 15
    assert widths["age"] >= 4
    assert cell_len("✗ running") <= widths["state"]
    assert len(lay_out(made, 160).columns) == len(specs)


@pytest.mark.parametrize("kind", ITEM_KINDS)
def test_every_column_is_filled_by_some_item(kind):
    everything = {
        "services": ("shop",),
        "team": "sre",
        "environment": "production",
        "actor": "ann",
        "assignee": "bob",
        "priority": "urgent",
        "severity": "high",
        "repository": "acme/shop",
        "target": "eu",
        "revision": "abc",
        "run_number": 7,
        "previous_version": "0.9",
        "ended_at": ago(5),
    }
    fields = MAKERS[kind]().__struct_fields__
    fact = MAKERS[kind](1, **{name: value for name, value in everything.items() if name in fields})
    assert row_text(fact, suspect=("1.4.2, 4 min", "")).cells.keys() >= set(COLUMN_IDS[kind])


def test_chosen_columns_stand_in_their_order_and_wide_adds_the_others():
    assert [spec.id for spec in columns("build", ["title", "age", "no such"])] == ["title", "age"]
    assert [spec.id for spec in columns("build", ["title", "age"], wide=True)][:2] == ["title", "age"]
    assert {spec.id for spec in columns("build", ["title", "age"], wide=True)} == set(COLUMN_IDS["build"])
    assert {spec.id for spec in columns("build", wide=True)} == set(COLUMN_IDS["build"])
    assert [spec.id for spec in columns("build", ["no such"])] == [spec.id for spec in columns("build")]


def test_times_can_be_told_by_the_clock():
    berlin = ZoneInfo("Europe/Berlin")
    assert row_text(build(started_at=ago(90)), zone=berlin, absolute=True).cells["age"][0] == "11:30"
    assert row_text(build(started_at=ago(60 * 24)), absolute=True).cells["age"][0] == "01-01 12:00"
    assert row_text(build(started_at=ago(60 * 72)), absolute=True).cells["age"][0] == "2025-12-30"
    assert row_text(build(started_at=None), absolute=True).cells["age"][0] == UNICODE.nothing
    titles = [columns("build", times=times)[0].title for times in ("ago", "local", "utc")]
    assert titles == ["Age", "Time", "Time UTC"]


def test_what_people_said_stands_before_the_title_of_the_episode_it_was_said_of():
    down = incident(1)
    said = [
        acknowledge(down, "ann", ago(9)),
        write(down, "eve", "hm", ago(8)),
        write(down, "bob", "rolling back", ago(7)),
    ]
    assert shown(row_text(down, said=said), "title") == "(ann: on it) (bob: rolling back) Down"
    assert shown(row_text(incident(1, started_at=ago(1)), said=said), "title") == "Down"
    mine = [acknowledge(down, "ann", ago(9)), write(down, "ann", "disk grown", ago(8))]
    assert shown(row_text(down, said=mine), "title") == "(ann: on it, disk grown) Down"
    long = [acknowledge(down, "x" * 40, ago(1)), write(down, "漢" * 20, "y" * 200, ago(1))]
    title = shown(row_text(down, said=long), "title")
    assert cell_len(title) <= 2 * 14 + 8 + 34 + 6 and "Down" in title


# -- the header


def summary(**more: Any) -> Summary:
    known: dict[str, Any] = {
        "verdict": "ok",
        "failing": 0,
        "blind": 0,
        "unknown": 0,
        "suppressed": 0,
        "severities": {},
        "fresh": 6,
        "sources": 6,
        "optional_blind": 0,
    }
    return Summary(**{**known, **more})


@pytest.mark.parametrize(
    "picture, hidden, first, style",
    [
        ({}, 0, "ALL OK", "success"),
        ({}, 2, "NOTHING FAILING IN THIS VIEW", "warning"),
        ({"fresh": 5}, 0, "OK, BUT 1 SOURCE AGING", "warning"),
        ({"verdict": "failing", "failing": 3}, 0, "FAILING 3", "failed"),
        ({"verdict": "failing", "failing": 3, "blind": 2, "fresh": 4}, 0, "FAILING 3", "failed"),
        ({"verdict": "blind", "blind": 2, "fresh": 4}, 0, "BLIND: 2 of 6 sources unread", "unknown"),
        ({"verdict": "blind", "blind": 2, "in_part": 1}, 0, "BLIND: 2 of 6 sources not read in full", "unknown"),
        ({"verdict": "blind", "unknown": 4}, 0, "UNKNOWN 4", "unknown"),
        ({"verdict": "blind", "fresh": 0, "sources": 0}, 0, "BLIND: no source is read", "unknown"),
    ],
)
def test_the_verdict_comes_first(picture, hidden, first, style):
    words = header_words(summary(**picture), hidden_faults=hidden)
    assert words[0] == (first, style)
    assert (("ALL OK", "success") in words) is (first == "ALL OK")


def test_the_header_counts():
    words = header_words(
        summary(
            verdict="failing",
            failing=5,
            blind=1,
            unknown=2,
            suppressed=3,
            severities={"high": 1, "critical": 2, "unknown": 1},
            fresh=5,
            optional_blind=1,
        ),
        hidden_faults=1,
    )
    assert [text for text, _ in words] == [
        "FAILING 5",
        "BLIND: 1 of 6 sources unread",
        "2 critical",
        "1 high",
        "1 of unknown severity",
        "2 unknown",
        "3 suppressed",
        "1 fault hidden by filter",
        "5 of 6 fresh",
        "1 optional source unread",
    ]
    assert {style for _, style in words} <= set(STYLE_NAMES)


@settings(max_examples=200, deadline=None)
@given(STEPS, st.integers(0, 2))
def test_the_header_is_never_green_while_anything_is_unread_unknown_failing_or_hidden(steps, hidden):
    board = Board("s")
    for batch in steps:
        fold(board, *batch)
    picture = board.summary()
    words = header_words(picture, hidden_faults=hidden)
    required = [h for h in board.health.values() if not h.optional]
    well = not picture.failing and not picture.unknown and not hidden and all(h.state == "fresh" for h in required)
    read = any(not board.is_blind(name) for name in board.health)
    assert (words[0][1] == "success") is (well and read)


def test_what_was_saved_is_last_known_and_never_green():
    words = last_known_words(summary(), ago(5), NOW)
    assert words == [("LAST KNOWN, 5m ago", "stale")]
    words = last_known_words(summary(failing=2, severities={"critical": 2}), ago(5), NOW)
    assert [text for text, _ in words] == ["LAST KNOWN, 5m ago", "was failing 2", "2 critical"]
    assert {style for _, style in words} == {"stale"}
