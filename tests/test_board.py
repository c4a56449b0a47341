"""Folding: whatever the road, the same changes give the same picture."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusboard.board import Board, Delta
from statusboard.current import competes, is_failing, is_unknown, order_of, slot_of
from statusboard.model import ITEM_KINDS, Fact, Incident, encode
from statusboard.store.base import digest_of, digest_sum
from tests.boards import NOW, STEPS, ago, board_of, build, change, fold, health, incident, live, note, release, ticket


def picture(board: Board) -> dict[str, tuple[object, ...]]:
    return {k: (r.fact, r.seq, r.current, r.failing, r.newest) for k, r in board.rows.items()}


def replay(steps) -> tuple[Board, dict[str, Fact]]:
    """The board after these batches, and the facts that must be on it."""
    board = Board("s")
    facts: dict[str, Fact] = {}
    for batch in steps:
        fold(board, *batch)
        for fact in batch:
            if isinstance(fact, str):
                facts.pop(fact, None)
            else:
                facts[fact.key] = fact
    return board, facts


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_a_folded_board_equals_one_worked_out_from_scratch(steps):
    board, facts = replay(steps)
    assert {key: row.fact for key, row in board.rows.items()} == facts
    for key, row in board.rows.items():
        fact = facts[key]
        slot = slot_of(fact)
        rivals = [f for f in facts.values() if slot is not None and slot_of(f) == slot]
        newest = bool(rivals) and max(rivals, key=order_of) is fact
        contenders = [f for f in rivals if competes(f)]
        current = bool(contenders) and max(contenders, key=order_of) is fact
        assert (row.current, row.newest, row.failing) == (current, newest, current and is_failing(fact))
    assert {row.key for row in board.failing()} == {k for k, row in board.rows.items() if row.failing}
    summary = board.summary()
    assert summary.failing == sum(row.failing for row in board.rows.values())
    assert summary.unknown == sum(row.current and is_unknown(row.fact) for row in board.rows.values())
    assert summary.suppressed == sum(
        row.current and isinstance(row.fact, Incident) and row.fact.state == "suppressed" for row in board.rows.values()
    )


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_the_digest_is_the_sum_over_what_is_live(steps):
    board, facts = replay(steps)
    assert board.digest == digest_sum([digest_of(key, encode(fact)) for key, fact in facts.items()])


@settings(max_examples=150, deadline=None)
@given(STEPS, st.randoms(use_true_random=False))
def test_how_changes_are_batched_and_repeated_makes_no_difference(steps, random):
    board, _ = replay(steps)
    changes = [change(seq, fact) for seq, fact in enumerate((f for batch in steps for f in batch), 1)]
    other = Board("s")
    at = 0
    while at < len(changes):
        size = random.randint(1, 5)
        other.fold(changes[max(0, at - 2) : at + size])  # the feed may tell again what we know
        at += size
    assert picture(other) == picture(board)
    assert (other.digest, other.revision) == (board.digest, board.revision)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.randoms(use_true_random=False))
def test_a_snapshot_in_any_order_and_in_chunks_gives_the_same_board(steps, random):
    board, _ = replay(steps)
    rows = [live(row.fact, row.seq) for row in board.rows.values()]
    random.shuffle(rows)
    other = Board("s")
    cut = random.randint(0, len(rows))
    other.load(rows[:cut])
    other.load(rows[cut:])
    other.seq = board.seq
    assert picture(other) == picture(board)
    assert other.digest == board.digest
    assert other.health == board.health


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_a_delta_names_every_row_that_looks_different(steps):
    board = Board("s")
    for batch in steps:
        before = picture(board)
        delta = fold(board, *batch)
        after = picture(board)
        assert {key for key in after if before.get(key) != after[key]} <= delta.changed
        assert before.keys() - after.keys() <= delta.gone
        assert delta.changed <= after.keys()
        assert not delta.gone & after.keys()


def test_a_newer_run_makes_the_failed_one_history():
    board = board_of(build(1, "failed", started_at=ago(9)))
    assert board.rows["ci:build:1"].failing
    delta = fold(board, build(2, "success", started_at=ago(1)))
    assert delta.changed == {"ci:build:1", "ci:build:2"}
    assert not board.rows["ci:build:1"].current
    assert board.summary().failing == 0


@pytest.mark.parametrize("state", ["queued", "running", "blocked", "cancelled", "skipped"])
def test_what_says_nothing_does_not_replace_a_verdict(state):
    board = board_of(build(1, "failed", started_at=ago(9)), build(2, state, started_at=ago(1)))
    assert board.rows["ci:build:1"].failing
    assert not board.rows["ci:build:2"].current
    assert board.rows["ci:build:2"].newest


def test_what_has_not_begun_by_our_clock_does_not_run_yet():
    board = board_of(release(1, version="1.3"), release(2, version="9.9", started_at=ago(-82)))
    first, second = board.rows["cd:release:1"], board.rows["cd:release:2"]
    assert first.current and second.ahead and second.newest and not second.current
    assert board.reach(ago(-60)) == frozenset()
    assert board.reach(ago(-80)) == {first.key, second.key}, "clocks differ by some minutes"
    assert second.current and not second.ahead and not first.current
    assert board.reach(ago(-60)) == {first.key, second.key}, "as at a moment before"
    assert first.current and second.ahead
    fold(board, release(2, version="9.9", started_at=ago(1)))
    assert board.rows["cd:release:2"].current and board.reach(NOW) == frozenset()


@pytest.mark.parametrize("state", ["failed", "unknown"])
def test_a_fault_that_lies_ahead_of_our_clock_is_one_all_the_same(state):
    board = board_of(release(1), release(2, state, started_at=ago(-82)))
    row = board.rows["cd:release:2"]
    assert row.current and not row.ahead and (row.failing or row.unknown)


def test_some_minutes_ahead_is_a_clock_that_differs():
    board = board_of(release(1), release(2, started_at=ago(-4)))
    assert board.rows["cd:release:2"].current


def test_when_a_rows_slot_changes_the_rows_it_leaves_are_judged_anew():
    board = board_of(build(1, "failed", started_at=ago(9)), build(2, "success", started_at=ago(1)))
    fold(board, build(2, "success", started_at=ago(1), branch="dev"))
    assert board.rows["ci:build:1"].failing


def test_what_left_gives_its_place_back():
    board = board_of(build(1, "failed", started_at=ago(9)), build(2, "success", started_at=ago(1)))
    delta = fold(board, "ci:build:2")
    assert (set(delta.gone), set(delta.changed)) == ({"ci:build:2"}, {"ci:build:1"})
    assert board.rows["ci:build:1"].failing


def test_backfill_never_changes_what_is_live():
    board = board_of(build(1, "success"))
    before = board.digest
    delta = board.fold([change(2, build(1, "failed"), origin="backfill"), change(3, build(7), origin="backfill")])
    assert not delta
    assert (board.digest, board.seq, len(board)) == (before, 3, 1)


def test_twins_of_one_alert_count_once_and_the_loudest_counts():
    twin = {"cluster": "eu", "fingerprint": "f", "severity": "critical"}
    board = board_of(incident(1, "open", source="am1", **twin), incident(2, "suppressed", source="am2", **twin))
    assert (board.summary().failing, board.summary().suppressed) == (1, 0)
    assert board.summary().severities == {"critical": 1}
    fold(board, incident(1, "resolved", source="am1", **twin))
    assert (board.summary().failing, board.summary().suppressed) == (0, 1)
    fold(board, incident(3, "suppressed", source="am3", **twin))
    assert board.summary().suppressed == 1


def test_the_verdict_is_red_before_blind_before_ok():
    assert Board().summary().verdict == "blind"
    board = board_of(build(1), health("ci"), health("am", "stale"), health("extra", "down", optional=True))
    summary = board.summary()
    assert (summary.verdict, summary.blind, summary.fresh, summary.sources) == ("blind", 1, 1, 2)
    assert summary.optional_blind == 1
    fold(board, build(1, "failed"))
    assert board.summary().verdict == "failing"
    assert board.summary(keys=()).verdict == "blind"
    fold(board, build(1), health("am"))
    assert board.summary().verdict == "ok"
    fold(board, build(2, "unknown", started_at=ago(1)))
    assert board.summary().verdict == "blind"


@pytest.mark.parametrize("state", ["starting", "partial", "stale", "down", "paused"])
def test_a_source_that_is_not_read_is_never_ok(state):
    assert board_of(health("ci", state)).summary().verdict == "blind"


def test_what_only_this_process_sees_is_shown_but_is_no_part_of_the_digest():
    board = board_of(health("ci"))
    digest = board.digest
    board.overlay = {"ci": "stale"}
    assert board.state_of("ci") == "stale"
    assert board.summary().verdict == "blind"
    assert board.digest == digest
    assert board.state_of("nobody") == "starting"


def test_annotations_are_told_oldest_first_and_not_once_withdrawn():
    target = incident(1)
    late = note(target, "fixed", number=2, updated_at=ago(1))
    board = board_of(target, late, note(target, "looking", number=1, updated_at=ago(5)))
    assert [said.text for said in board.annotations(target.key)] == ["looking", "fixed"]
    fold(board, note(target, "fixed", number=2, state="withdrawn"))
    assert [said.text for said in board.annotations(target.key)] == ["looking"]
    fold(board, "people:annotation:1")
    assert board.annotations(target.key) == []


def test_neighbours_are_the_runs_of_the_same_slot_newest_first():
    runs = [build(n, started_at=ago(n)) for n in (3, 1, 2)]
    board = board_of(*runs, build(9, branch="dev"), health("ci"))
    assert [row.key for row in board.neighbours(board.rows["ci:build:2"])] == [f"ci:build:{n}" for n in (1, 2, 3)]
    assert [row.key for row in board.neighbours(board.rows["ci:source:ci"])] == ["ci:source:ci"]


def test_items_are_what_lanes_show():
    board = board_of(build(1), incident(1), release(1), ticket(1), health("ci"), note(build(1), "hm"))
    assert {row.fact.kind for row in board.items()} == set(ITEM_KINDS)
    assert len(board) == 6


def test_leaving_names_what_is_over_for_long_enough():
    board = board_of(incident(1, "resolved", ended_at=ago(120)), incident(2, "open", started_at=ago(120)))
    assert board.leaving(NOW, timedelta(hours=1)) == ["am:incident:1"]
    assert board.leaving(NOW, timedelta(hours=3)) == []


def test_a_source_that_ages_because_it_fails_is_blind_one_that_only_ages_is_not():
    assert board_of(health("am", "aging")).summary().verdict == "ok"
    assert board_of(health("am", "aging", error="no connection")).summary().blind == 1
    assert board_of(health("am", "aging", errors=[{"part": "a", "error": "404"}])).summary().verdict == "blind"
    board = board_of(health("am", "partial", errors=[{"part": "a", "error": "404"}]))
    board.overlay = {"am": "aging"}
    assert board.summary().verdict == "blind", "its age does not hide what could not be read"


def test_optional_sources_alone_prove_nothing_unless_one_is_read():
    board = board_of(health("am", "down", optional=True), health("ci", "stale", optional=True))
    assert (board.summary().verdict, board.summary().blind) == ("blind", 0)
    fold(board, health("ci", optional=True))
    assert board.summary().verdict == "ok"


def test_who_names_an_optional_source_requires_it():
    board = board_of(health("ci"), health("am", "down", optional=True))
    assert board.summary().verdict == "ok"
    assert board.summary(sources={"am"}).verdict == "blind"
    assert board.summary(sources={"ci"}).verdict == "ok"


def test_an_annotation_that_moves_to_another_target_leaves_the_first():
    board = board_of(incident(1), incident(2), note(incident(1), "on it"))
    fold(board, note(incident(2), "on it"))
    assert board.annotations(incident(1).key) == []
    assert [said.text for said in board.annotations(incident(2).key)] == ["on it"]


def test_what_is_said_of_a_row_changes_how_it_looks():
    target = incident(1)
    board = board_of(target)
    said = note(target, "on it")
    assert fold(board, said).changed == {target.key, said.key}
    assert fold(board, said.key) == Delta(frozenset({target.key}), frozenset({said.key}))
    assert fold(board, note(incident(9), "nobody's")).changed == {said.key}, "of what is not on the board"


def test_what_is_said_of_one_report_of_an_alert_is_said_of_all():
    here = incident(1, cluster="eu", fingerprint="f", source="am1")
    there = incident(2, cluster="eu", fingerprint="f", source="am2")
    board = board_of(here, there, incident(3))
    said = note(here, "on it", episode=here.started_at)
    assert fold(board, said).changed == {said.key, here.key, there.key}
    assert board.annotations(there.key) == board.annotations(here.key) == [said]
    assert board.annotations("am:incident:3") == []


def test_what_was_said_of_what_is_gone_may_go_too():
    target, keep = incident(1), timedelta(hours=48)
    board = board_of(
        target,
        note(target, "old", number=1, updated_at=ago(9_999)),
        note(incident(2), "old", number=2, updated_at=ago(9_999)),
        note(incident(3), "new", number=3, updated_at=ago(5)),
        note(incident(4), "withdrawn", number=4, state="withdrawn", updated_at=ago(9_999)),
    )
    assert {said.text for said in board.unattached(NOW, keep)} == {"old", "withdrawn"}
    fold(board, target.key)
    assert len(board.unattached(NOW, keep)) == 3
