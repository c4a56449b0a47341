"""The details of an item: the head, its past, its runs, what happened around it, what people said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from statusboard.board import Board
from statusboard.model import Build, Change, Fact, PartError, Status
from statusboard.notes import acknowledge, write
from statusboard.presenting import ASCII, UNICODE, Line, Section, details, source_lines
from statusboard.presenting.lines import length, short_revision
from statusboard.presenting.past import MOST_STEPS, past, steps_of
from statusboard.presenting.runs import LISTED, red_since, run_lines
from tests.boards import NOW, STEPS, ago, board_of, build, change, fold, health, incident, note, release, ticket
from widgets.words import STYLES

HASH = "0123456789abcdef0123456789abcdef01234567"


def text_of(line: Line) -> str:
    value = line[1]
    return value if isinstance(value, str) else "".join(text for text, _ in value)


def told(board: Board, fact: Fact, **more: Any) -> dict[str, list[tuple[str, str]]]:
    """Heading -> (label, text) of each line."""
    sections: list[Section] = details(board.rows[fact.key], board, NOW, **more)
    assert len({heading for heading, _ in sections}) == len(sections)
    return {heading: [(line[0], text_of(line)) for line in found] for heading, found in sections}


def texts(board: Board, fact: Fact, heading: str = "", **more: Any) -> list[str]:
    return [text for _, text in told(board, fact, **more).get(heading, [])]


def style_of(board: Board, fact: Fact, text: str) -> str:
    """The style of the first word that holds this text."""
    for _, found in details(board.rows[fact.key], board, NOW):
        for _, value, style in found:
            for word, name in ((value, style),) if isinstance(value, str) else value:
                if text in word:
                    return name
    raise AssertionError(text)


# -- the head


def test_a_build_says_what_since_when_whose_and_why():
    failed = build(
        4,
        "failed",
        run_number=44,
        attempt=2,
        reason="2 of 14 jobs: lint",
        services=("shop",),
        team="web",
        started_at=ago(10),
        ended_at=ago(8),
        actor="ann",
        revision=HASH,
    )
    head = texts(board_of(failed, health("ci")), failed)
    assert head == [
        "Fix it",
        "✗ failed ∙ test #44 attempt 2 ∙ on main ∙ 11:50, 10m ago ∙ took 2m",
        "shop ∙ team web ∙ by ann ∙ 0123456789",
        "2 of 14 jobs: lint",
    ]


def test_a_suppressed_incident_says_until_when_and_who_is_on_call():
    silenced = incident(
        1,
        "suppressed",
        severity="critical",
        suppressed_by="ann",
        suppressed_until=NOW + timedelta(hours=2),
        labels={"on_call": "bob"},
    )
    board = board_of(silenced, health("am"))
    head = texts(board, silenced)
    assert head[1:] == [
        "⊖ suppressed ∙ critical ∙ 11:50, 10m ago ∙ until 14:00",
        "unowned ∙ suppressed: ann ∙ on call: bob",
    ]
    assert style_of(board, silenced, "unowned") == "unknown"
    assert style_of(board, silenced, "critical") == "", "nobody need be alarmed"


def test_times_that_are_not_known_are_not_made_up():
    bare = ticket(1, updated_at=None)
    found = told(board_of(bare), bare)
    assert found[""][1] == ("", "? last known: open (source starting) ∙ T-1 ∙ its source tells no time")
    assert set(found) == {"", "What happened", "Known of it", "Source", "Record"}
    assert all(text for lines in found.values() for _, text in lines)


def test_inferred_times_are_marked():
    gone = incident(1, "resolved", ended_at=ago(3), approximate=True)
    assert "~11:57, 3m ago ∙ lasted ~7m" in texts(board_of(gone, health("am")), gone)[1]


def test_a_source_gone_blind_tells_what_was_known_last():
    broken = build(1, "failed")
    board = board_of(broken, health("ci", "stale", error="heartbeat is missing"))
    assert texts(board, broken)[1].startswith("? last known: failed (source stale)")
    assert ("error", "heartbeat is missing") in told(board, broken)["Source"]
    assert style_of(board, broken, "last known") == "stale"


def test_history_and_side_branches_say_that_they_do_not_count():
    old, new, side = build(1, "failed", started_at=ago(60)), build(2), build(3, "failed", branch="dev")
    board = board_of(old, new, side, health("ci"))
    assert "history: something newer took its place" in texts(board, old)
    assert "not counted as failing: not the default branch" in texts(board, side)
    assert not any("history" in text or "counted" in text for text in texts(board, new))


def test_what_is_too_long_for_the_head_is_told_in_full_below():
    title, reason = "word " * 60, "because " * 30
    long = incident(1, title=title.strip(), reason=reason.strip())
    found = told(board_of(long), long)
    assert all(len(text) <= 160 for _, text in found[""])
    assert ("title", title.strip()) in found["Known of it"]
    assert ("reason", reason.strip()) in found["Known of it"]


# -- the rest


def test_links_are_only_such_as_are_safe_to_open():
    linked = incident(
        1,
        url="https://am.example/1",
        links={"run": "https://run.example", "bad": "javascript:alert(1)", "same": "https://am.example/1"},
    )
    sections = dict(details(board_of(linked).rows[linked.key], board_of(linked), NOW))
    assert sections["Links"] == [("page", "https://am.example/1", "link"), ("run", "https://run.example", "link")]


def test_every_field_and_label_is_told():
    full = release(
        1,
        commits=3,
        previous_version="0.9",
        prerelease=True,
        target="eu",
        labels={"b": "2", "a": "1"},
        raw_state="DONE",
        description="what is in it",
    )
    found = told(board_of(full, health("cd")), full)
    known = dict(found["Known of it"])
    assert known["was"] == "0.9" and known["commits"] == "3" and known["target"] == "eu"
    assert known["its state"] == "DONE" and known["started"] == "2026-01-02 11:50:00 (10m ago)"
    assert found["Labels"] == [("a", "1"), ("b", "2")]
    assert found["Description"] == [("", "what is in it")]
    assert ("key", "cd:release:1") in found["Record"]
    assert "1.0 ∙ was 0.9 ∙ prerelease" in found[""][1][1]


def test_reports_of_the_same_alert_elsewhere():
    here = incident(1, cluster="eu", fingerprint="f", source="am1")
    there = incident(2, "suppressed", cluster="eu", fingerprint="f", source="am2")
    board = board_of(here, there, health("am1"), health("am2"))
    assert texts(board, here, "The same alert elsewhere") == ["⊖ suppressed am2"]
    assert texts(board, there, "The same alert elsewhere") == ["◉ open am1 (current)"]


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_any_row_has_details_in_known_styles(steps):
    board = Board("s")
    for batch in steps:
        fold(board, *batch)
    for row in board.items():
        sections = details(row, board, NOW, glyphs=ASCII)
        assert sections[0][0] == ""
        for _, found in sections:
            assert found
            for line in found:
                assert text_of(line)
                words = [(line[1], line[2])] if isinstance(line[1], str) else line[1]
                assert {style for _, style in words} <= {"", *STYLES}
                assert line[2] in {"", *STYLES}


def test_a_source_tells_its_age_its_errors_and_its_next_poll():
    sick = health(
        "gh", "partial", type="github", started_at=ago(5), errors=(PartError(part="acme/x", error="404: not found"),)
    )
    status = Status(source="gh", last_success=ago(3), next_poll=NOW + timedelta(seconds=42))
    found = {label: (text, style) for label, text, style in source_lines("gh", "partial", sick, status, NOW)}
    assert found["state"] == ("◒ partial", "warning")
    assert found["since"] == ("5m ago", "")
    assert found["last read"] == ("3m ago", "")
    assert found["next poll"] == ("in 42s", "")
    assert found["acme/x"] == ("404: not found", "warning")
    found = {label: (text, style) for label, text, style in source_lines("new", "starting", None, None, NOW)}
    assert found["last read"] == ("not yet", "unknown")
    found = {label: (text, style) for label, text, style in source_lines("new", "down", None, None, NOW)}
    assert found["last read"] == ("never", "unknown")


@pytest.mark.parametrize(
    "seconds, words",
    [
        (0, "0s"),
        (42.4, "42s"),
        (60, "1m"),
        (250, "4m10s"),
        (3_600, "1h"),
        (3_725, "1h2m"),
        (273_600, "3d4h"),
        (-5, "0s"),
    ],
)
def test_lengths_in_two_units(seconds, words):
    assert length(seconds) == words


def test_only_hashes_are_shortened():
    assert short_revision(HASH) == "0123456789"
    assert short_revision("release-2026-01-02-candidate-final") == "release-2026-01-02-candidate-final"


# -- the past


def stored(*steps: tuple[float, Fact | str]) -> list[Change]:
    """Changes of one key, each seen so many minutes ago; newest first, as a store gives them."""
    return [_seen(change(seq, fact), ago(minutes)) for seq, (minutes, fact) in enumerate(steps, 1)][::-1]


def _seen(made: Change, at: datetime) -> Change:
    return msgspec.structs.replace(made, observed_at=at)


def flow(changes: list[Change], **more: Any) -> str:
    lines = past(changes, NOW, **{"glyphs": UNICODE, "zone": NOW.tzinfo, **more})
    return "".join(text_of(line) for line in lines)


def test_the_past_of_an_incident():
    acked = incident(1, "acknowledged", started_at=ago(58), acknowledged_at=ago(55), acknowledged_by="ann")
    changes = stored(
        (58, incident(1, started_at=ago(58))),
        (55, acked),
        (29, incident(1, "resolved", started_at=ago(58), ended_at=ago(29))),
    )
    assert flow(changes) == "11:02 ◉ open › 11:05 ◒ acked by ann › 11:31 ✓ resolved (29m)"
    assert flow(changes, glyphs=ASCII) == "11:02 ! open > 11:05 * acked by ann > 11:31 + resolved (29m)"


def test_silent_changes_tell_only_what_a_person_cares_about():
    first = incident(1, severity="low", started_at=ago(30))
    changes = stored(
        (30, first),
        (20, incident(1, severity="low", started_at=ago(30), description="other", labels={"a": "b"})),
        (10, incident(1, severity="critical", started_at=ago(30), assignee="bob")),
    )
    assert flow(changes) == "11:30 ◉ open › ~11:50 now critical, was low given to bob"


def test_a_rerun_and_what_was_taken_off():
    changes = stored(
        (30, build(1, "failed", started_at=ago(31), ended_at=ago(30))),
        (20, build(1, "running", attempt=2, started_at=ago(20), verdict="failed")),
        (15, build(1, "success", attempt=2, started_at=ago(20), ended_at=ago(15))),
        (5, "ci:build:1"),
    )
    assert flow(changes) == (
        "11:30 ✗ failed (1m) › 11:40 ► running attempt 2 › 11:45 ✓ success (5m) › 11:55 taken off the board"
    )


def test_a_new_episode_and_a_lapsed_silence_are_open_again():
    changes = stored(
        (50, incident(1, started_at=ago(50))),
        (40, incident(1, "resolved", started_at=ago(50), ended_at=ago(40))),
        (30, incident(1, started_at=ago(30))),
        (20, incident(1, "suppressed", started_at=ago(30), suppressed_by="ann")),
        (10, incident(1, started_at=ago(30), reason="no longer suppressed")),
    )
    assert [text for step in steps_of(changes, UNICODE) for text, _ in step.words if " " in text and len(text) > 3] == [
        "◉ open",
        "✓ resolved",
        " (10m)",
        "◉ open",
        "⊖ suppressed",
        ": ann",
        "◉ open",
    ]
    assert flow(changes).endswith("~11:50 ◉ open"), "not when the incident began"


def test_a_long_past_is_counted_and_days_are_told():
    states = ("resolved", "open")
    changes = stored(*((60 * (40 - n), incident(1, states[n % 2], started_at=ago(3000))) for n in range(40)))
    words = flow(changes)
    assert words.startswith(f"{40 - MOST_STEPS} earlier › ~")
    assert words.count("›") == MOST_STEPS
    day = stored((1500, ticket(1, started_at=ago(1500))))
    assert flow(day) == "2026-01-01 11:00 ☐ open"
    assert flow([]) == ""


def test_until_it_is_read_and_where_it_cannot_be():
    row = incident(1)
    assert texts(board_of(row), row, "What happened") == ["being read"]
    assert texts(board_of(row), row, "What happened", unreadable="the disk is gone") == ["the disk is gone"]
    assert texts(board_of(row), row, "What happened", history=stored((10, row))) == ["11:50 ◉ open"]


# -- runs


def runs(states: str, **more: Any) -> list[Any]:
    """One build a letter, oldest first: s(uccess) f(ailed) c(ancelled) r(unning) u(nknown) w(arning)."""
    names = {
        "s": "success",
        "f": "failed",
        "c": "cancelled",
        "r": "running",
        "u": "unknown",
        "w": "warning",
        "k": "skipped",
    }
    people = ("ann", "bob", "eve")
    made = []
    for n, letter in enumerate(states):
        began = ago(10 * (len(states) - n))
        ended = None if letter == "r" else began + timedelta(minutes=2 + n % 3)
        made.append(
            build(
                n,
                names[letter],
                run_number=n,
                started_at=began,
                ended_at=ended,
                actor=people[n % 3],
                revision=f"r{n}",
                **more,
            )
        )
    return made


RUNS = "Runs of this pipeline"


def test_the_strip_reads_without_colour_and_in_ascii():
    made = runs("sfckuwr")
    board = board_of(*made, health("ci"))
    lines = dict(told(board, made[1])[RUNS])
    assert lines["runs"] == "✓[✗]⊘↷?▴►  oldest to newest"
    lines = dict(told(board, made[1], glyphs=ASCII)[RUNS])
    assert lines["runs"] == "+[X]-~?!>  oldest to newest"
    assert lines["took"].startswith(". # ") or lines["took"].isascii()


def test_durations_stand_under_their_runs():
    made = runs("sssr")
    board = board_of(*made, health("ci"))
    lines = dict(told(board, made[1])[RUNS])
    assert lines["runs"].index("[") == 1
    bars = lines["took"].split("  ")[0]
    assert len(bars) >= 5 and bars[1] == " " and bars[3] == " "
    assert "running for 10m" in lines["took"] and "last 4m, median 3m" in lines["took"]


def test_only_the_last_twenty_runs():
    made = runs("s" * 30)
    strip = dict(told(board_of(*made, health("ci")), made[0])[RUNS])["runs"]
    assert strip.count("✓") == 20
    assert texts(board_of(*made, health("ci")), made[0], RUNS)[-1] == f"and {30 - LISTED} more"


def test_red_since_the_oldest_failure_after_the_last_good_run():
    made = runs("sfsfcfrr")
    board = board_of(*made, health("ci"))
    lines = dict(told(board, made[-1])[RUNS])
    assert lines["red since"] == "11:10, 50m ago, 2 runs"
    assert lines["first bad"] == "#3 r3 by ann Fix it"
    assert lines["last good"] == "#2 r2 by eve Fix it"
    assert lines["ask"] == "ann, eve"


def test_a_line_that_was_never_seen_green_is_red_for_longer_perhaps():
    made = runs("fff")
    lines = dict(told(board_of(*made, health("ci")), made[0])[RUNS])
    assert lines["red since"] == "11:30, 30m ago, 3 runs or longer: no good one is known"
    assert "(this one)" in lines["first bad"]
    assert "last good" not in lines


def test_runs_that_left_the_board_tell_since_when_it_is_red():
    made = runs("ff")
    older = [
        build(7, "success", run_number=7, revision="r7", started_at=ago(5000)),
        build(8, "failed", run_number=8, revision="r8", started_at=ago(4000), actor="dan"),
        build(8, "failed", run_number=8, revision="r8", started_at=ago(3900), actor="fay", attempt=2),
        made[0],  # which is on the board as well
    ]
    board = board_of(*made, health("ci"))
    row = board.rows[made[1].key]
    told = run_lines(row, board, NOW, glyphs=UNICODE, zone=UTC, older=older)
    lines = {line[0]: text_of(line) for line in told}
    assert lines["red since"].endswith("3 runs")
    assert lines["first bad"] == "#8 r8 by fay Fix it"
    assert lines["last good"] == "#7 r7 Fix it"
    assert lines["ask"] == "fay, ann, bob"
    assert len(lines["runs"].split("  ")[0]) == 4  # the strip is of the board


@pytest.mark.parametrize("states", ["s", "fs", "fw", "fu", "c", "r"])
def test_what_is_not_red_is_not_called_so(states):
    made = runs(states)
    board = board_of(*made, health("ci"))
    facts = [row.fact for row in board.neighbours(board.rows[made[0].key])]
    assert red_since(fact for fact in facts if isinstance(fact, Build)) is None
    assert "red since" not in dict(told(board, made[0]).get(RUNS, []))


def test_many_authors_are_counted():
    made = [build(n, "failed", started_at=ago(n), actor=f"p{n}") for n in range(9, 0, -1)]
    assert dict(told(board_of(*made), made[0])[RUNS])["ask"] == "p9, p8, p7, p6 and 5 more"


def test_releases_have_a_strip_too():
    made = [release(n, state, started_at=ago(50 - n)) for n, state in enumerate(("success", "inactive", "failed"))]
    lines = dict(told(board_of(*made, health("cd")), made[2])["Releases of this service here"])
    assert lines["runs"] == "✓∙[✗]  oldest to newest"


# -- around it


BEFORE, AFTER = "Changed before it", "Incidents after it"


def test_what_changed_before_an_incident_nearest_first():
    down = incident(1, services=("shop",), environment="production", started_at=ago(10))
    board = board_of(
        down,
        release(1, services=("shop",), version="2.0", actor="ann", started_at=ago(14)),
        release(2, services=("shop",), version="1.9", environment="staging", started_at=ago(70)),
        release(3, services=("cart",), started_at=ago(12)),
        release(4, services=("shop",), target="x", started_at=ago(5)),
        release(5, "cancelled", services=("shop",), target="y", started_at=ago(12)),
        build(1, "failed", services=("shop",), started_at=ago(90), ended_at=ago(80), run_number=1),
        build(2, services=("shop",), started_at=ago(40), ended_at=ago(30), run_number=2),
        build(3, services=("shop",), started_at=ago(22), ended_at=ago(20), run_number=3),
        build(4, "failed", services=("shop",), branch="dev", started_at=ago(22)),
        build(5, "failed", services=("shop",), started_at=ago(70), ended_at=ago(60)),
        *(health(name) for name in ("am", "cd", "ci")),
    )
    assert told(board, down)[BEFORE] == [
        ("4m before", "✓ success release 2.0 production by ann"),
        ("20m before", "✓ mended test #2 Fix it"),
        ("1h before", "✓ success release 1.9 staging"),
        ("1h before", "✗ broke test #1 Fix it"),
    ]
    assert style_of(board, down, "staging") == "muted", "elsewhere"


def test_where_nothing_is_known_it_says_so():
    down = incident(1, services=("shop",))
    assert texts(board_of(down, health("am")), down, BEFORE) == [
        "no release and no broken or mended build of shop is known from before it"
    ]
    board = board_of(down, health("am"), health("cd", "down"), health("ci", "partial"), build(1, services=("shop",)))
    assert texts(board, down, BEFORE)[-1] == "there may be more: cd is down, ci is partial"
    nobodys = incident(2)
    assert texts(board_of(nobodys), nobodys, BEFORE) == ["nobody owns it: what changed before is not known"]
    timeless = incident(3, services=("shop",), started_at=None)
    assert texts(board_of(timeless), timeless, BEFORE) == ["its source does not say when it began"]


def test_incidents_after_a_release_nearest_first():
    out = release(1, services=("shop",), started_at=ago(30))
    board = board_of(
        out,
        incident(1, services=("shop",), severity="high", started_at=ago(20)),
        incident(2, services=("shop",), started_at=ago(40)),
        incident(3, "resolved", services=("shop",), severity="low", started_at=ago(26), ended_at=ago(25)),
        health("cd"),
        health("am"),
    )
    assert told(board, out)[AFTER] == [("4m after", "✓ resolved low Down"), ("10m after", "◉ open high Down")]
    alone = release(1, services=("shop",))
    assert texts(board_of(alone, health("cd")), alone, AFTER) == ["no incident of shop is known since"]


def test_a_setting_that_was_changed_before_an_incident():
    flag = release(1, type="configuration", setting="new-basket", version="on", services=("shop",), started_at=ago(3))
    down = incident(1, services=("shop",), started_at=ago(1))
    board = board_of(flag, down, health("cd"), health("am"))
    assert told(board, down)[BEFORE] == [("2m before", "✓ success setting new-basket = on production")]


def test_the_release_that_a_build_became():
    made = build(1, revision=HASH, started_at=ago(40), ended_at=ago(35))
    out = release(1, revision=HASH[:8], version="2.0", started_at=ago(30))
    board = board_of(made, out, health("ci"), health("cd"))
    assert told(board, made)["Released"] == [("5m after", "✓ success release 2.0 production")]
    assert told(board, out)["Built by"] == [("5m before", "✓ success test Fix it")]
    other = board_of(made, release(1, revision="ffffffff"), health("ci"), health("cd"))
    assert texts(other, made, "Released") == ["no release of 0123456789 is known"]
    unknown = build(2)
    assert "its revision is not known" in texts(board_of(unknown), unknown, "Released")[0]
    failed = build(3, "failed", revision=HASH)
    assert "Released" not in told(board_of(failed), failed)


def test_revisions_that_are_no_hashes_must_share_a_repository_or_service():
    made = build(1, revision="123", services=("shop",))
    near, far = release(1, revision="123"), release(2, revision="123", services=("cart",), repository="x")
    assert "production" in texts(board_of(made, near, health("ci")), made, "Released")[0]
    assert texts(board_of(made, far, health("ci")), made, "Released") == ["no release of 123 is known"]


def test_old_tickets_are_not_told_that_nothing_is_known():
    old = ticket(1, services=("shop",), started_at=ago(99_999))
    assert BEFORE not in told(board_of(old), old)


# -- what people said


def test_what_people_said_and_of_which_episode():
    down = incident(1)
    board = board_of(down, acknowledge(down, "ann", ago(5)), write(down, "bob", "rolling back", ago(2)))
    assert texts(board, down)[-2:] == ["ann: on it 5m ago", "bob: rolling back 2m ago"]
    again = incident(1, started_at=ago(1))
    fold(board, again)
    assert texts(board, again)[-2:] == [
        "ann: on it 5m ago of an earlier episode",
        "bob: rolling back 2m ago of an earlier episode",
    ]


def test_what_was_withdrawn_is_not_told():
    down = incident(1)
    assert "never mind" not in str(told(board_of(down, note(down, "never mind", state="withdrawn")), down))
