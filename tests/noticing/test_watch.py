"""What a fold of changes means."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given

from statusboard.board import Board, Delta
from statusboard.chatter import Chatter
from statusboard.current import slot_of
from statusboard.model import Fact
from statusboard.noticing.watch import Transition, Watch
from tests.boards import NOW, STEPS, ago, board_of, build, fold, health, incident, release, ticket


class Seen:
    """A board that is watched from now on."""

    def __init__(self, *facts: Fact, fresh: bool = True) -> None:
        sources = sorted({fact.source for fact in facts} | {"am", "ci", "cd", "tr"})
        self.board = board_of(*facts, *(health(name) for name in sources if fresh))
        self.chatter = Chatter()
        self.watch = Watch(self.chatter)
        self.watch.begin(self.board, NOW)

    def after(self, *facts: Fact | str) -> list[Transition]:
        found = self.watch.follow(self.board, fold(self.board, *facts), NOW)
        self.chatter.age(NOW)
        return found

    def whats(self, *facts: Fact | str) -> list[str]:
        return sorted("+".join(t.whats) for t in self.after(*facts))

    def flips(self, fact: Fact) -> int:
        return self.chatter.flips(slot_of(fact))


# -- incidents


def test_an_incident_opens_worsens_and_resolves_once_each():
    seen = Seen()
    assert seen.whats(incident(1, severity="low")) == ["opened"]
    assert seen.whats(incident(1, severity="low", reason="more of it")) == []
    assert seen.whats(incident(1, severity="critical")) == ["worsened"]
    assert seen.whats(incident(1, severity="medium")) == []
    assert seen.whats(incident(1, "acknowledged", severity="medium")) == []
    assert seen.whats(incident(1, "resolved")) == ["resolved"]
    assert seen.whats(incident(1, "resolved", reason="said again")) == []


def test_what_is_told_is_the_item_as_it_is_now():
    (told,) = Seen().after(incident(1, severity="critical"))
    assert told.fact.key == "am:incident:1" and told.current and told.failing and told.at == NOW


def test_what_was_there_when_the_board_started_is_no_news():
    seen = Seen(incident(1), build(1, "failed"), release(1), health("x", "down"))
    assert seen.whats(incident(1, reason="x"), build(1, "failed", title="x"), release(1, title="x")) == []
    assert seen.whats(
        incident(1, "resolved"), build(2, "success", started_at=ago(1)), release(2, started_at=ago(1))
    ) == [
        "recovered",
        "released",
        "resolved",
    ]


def test_what_leaves_the_board_is_no_news():
    seen = Seen(incident(1), build(1, "failed"), release(1, "failed"))
    gone = ["am:incident:1", "ci:build:1", "cd:release:1"]
    assert seen.whats(*gone) == []
    assert not any(seen.watch.fails(slot) for slot in [("incident", "am:incident:1")])
    assert seen.watch._slots == {}


def test_what_stands_in_place_of_what_left_is_no_news():
    runs = [build(1, "failed", started_at=ago(9)), build(2, started_at=ago(8)), build(3, "failed", started_at=ago(7))]
    seen = Seen(*runs, release(1, started_at=ago(9)), release(2, started_at=ago(8)))
    assert seen.whats("ci:build:3") == [], "the success behind it is older than the failure"
    assert seen.whats("ci:build:2") == [], "and so is the failure behind that"
    assert seen.whats("cd:release:2") == []
    assert seen.whats(build(4, started_at=ago(1))) == ["recovered"], "of what is known to fail since"


def test_a_pending_or_suppressed_incident_is_not_open():
    seen = Seen()
    assert seen.whats(incident(1, "pending"), incident(2, "suppressed")) == []
    assert seen.whats(incident(1)) == ["opened"]
    assert seen.whats(incident(1, "pending")) == ["resolved"]
    assert seen.whats(incident(2, "resolved")) == []


def test_a_silence_hushes_and_when_it_lapses_that_is_told():
    seen = Seen(incident(1))
    assert seen.whats(incident(1, "suppressed")) == []
    assert not seen.watch.fails(("incident", "am:incident:1"))
    assert seen.whats(incident(1)) == ["opened"]
    assert seen.whats(incident(1, "suppressed")) == []
    assert seen.whats(incident(1, "resolved")) == []


def test_what_could_not_be_read_for_a_while_did_not_heal():
    seen = Seen(incident(1), build(1, "failed"), release(1, "failed"))
    assert seen.whats(incident(1, "unknown"), build(1, "unknown"), release(1, "unknown")) == []
    assert seen.whats(incident(1), build(1, "failed"), release(1, "failed")) == []
    assert seen.whats(incident(1, "unknown"), build(1, "unknown")) == []
    assert seen.whats(incident(1, "resolved"), build(1, "success")) == ["recovered", "resolved"]


def test_another_episode_under_the_same_key_is_news_and_two_flips():
    seen = Seen(incident(1, started_at=ago(60)))
    assert seen.whats(incident(1, started_at=ago(1))) == ["opened"]
    seen.after(incident(1, "resolved", started_at=ago(1), ended_at=ago(0)))
    assert seen.flips(incident(1)) == 3


def test_twins_of_one_alert_speak_once():
    twin: dict[str, Any] = {"cluster": "eu", "fingerprint": "f"}
    one, two = incident(1, source="am", **twin), incident(1, source="am2", started_at=ago(3), **twin)
    seen = Seen(health("am2"))
    assert seen.whats(one, two) == ["opened"]
    assert seen.whats(incident(1, "resolved", source="am", **twin)) == []
    assert seen.whats("am:incident:1") == []
    assert seen.whats(incident(1, "resolved", source="am2", **twin)) == ["resolved"]


# -- builds and releases


def test_a_pipeline_fails_and_recovers_however_many_runs_it_takes():
    seen = Seen(build(1, started_at=ago(9)))
    assert seen.whats(build(2, "running", started_at=ago(8))) == []
    assert seen.whats(build(2, "failed", started_at=ago(8))) == ["failed"]
    assert seen.whats(build(3, "failed", started_at=ago(7))) == []
    assert seen.whats(build(4, "cancelled", started_at=ago(6))) == []
    assert seen.whats(build(5, "running", started_at=ago(5))) == []
    assert seen.whats(build(5, "success", started_at=ago(5))) == ["recovered"]
    assert seen.whats(build(6, "success", started_at=ago(4))) == []


def test_only_the_default_branch_fails():
    seen = Seen()
    assert seen.whats(build(1, "failed", branch="topic"), build(2, "failed", change="7")) == []
    assert seen.whats(build(3, "failed")) == ["failed"]


def test_an_older_run_that_comes_late_is_no_news():
    seen = Seen(build(5, started_at=ago(5)))
    assert seen.whats(build(4, "failed", started_at=ago(9))) == []
    assert seen.whats(build(5, started_at=ago(5), title="x")) == []


def test_a_release_is_told_when_it_is_done_and_again_when_it_is_done_again():
    seen = Seen(release(1, started_at=ago(9)))
    assert seen.whats(release(2, "running", started_at=ago(8))) == []
    assert seen.whats(release(2, started_at=ago(8))) == ["released"]
    assert seen.whats(release(1, "inactive", started_at=ago(9)), release(2, started_at=ago(8), title="x")) == []
    assert seen.whats(release(2, "running", started_at=ago(8), verdict="success")) == []
    assert seen.whats(release(2, started_at=ago(8))) == ["released"]


def test_a_release_that_mends_is_both():
    seen = Seen(release(1, "failed", started_at=ago(9)))
    assert seen.whats(release(2, "rolled_back", started_at=ago(8))) == [], "going back is not yet well"
    assert seen.whats(release(3, started_at=ago(7))) == ["recovered+released"]


def test_what_is_forgotten_leaves_nothing_behind():
    seen = Seen(release(1, started_at=ago(9)))
    for number in range(2, 30):
        seen.after(release(number, started_at=ago(9 - number / 10)))
    assert len(seen.watch._slots) == 1
    assert seen.whats("cd:release:1", "cd:release:2") == []
    assert seen.whats(release(29, started_at=ago(9 - 2.9), title="x")) == [], "it was told"


def test_what_comes_to_belong_to_another_service_is_no_news():
    seen = Seen(release(1), build(1, "failed"))
    assert seen.whats(release(1, services=("cart",)), build(1, "failed", branch="m", default_branch="m")) == []
    assert seen.whats(release(1, services=("cart",), title="x")) == []
    assert seen.whats("cd:release:1", "ci:build:1") == []
    assert not seen.watch._held and not seen.watch._released and not seen.watch._slots


def test_tickets_are_not_told():
    assert Seen().after(ticket(1), ticket(2, "done")) == []


# -- what was not read before


def test_the_first_answer_of_a_source_is_no_news_unless_it_happened_since():
    seen = Seen(fresh=False)
    after = NOW + timedelta(seconds=1)
    assert seen.whats(incident(1), build(1, "failed"), release(1)) == []
    assert seen.whats(incident(2, started_at=after)) == ["opened"]
    assert seen.whats(incident(1, "resolved", ended_at=after, approximate=True)) == [], "only seen to be gone"
    seen.watch.read.add("am")
    assert seen.whats(incident(3)) == ["opened"]


def test_a_source_without_times_tells_no_news_at_first():
    seen = Seen(fresh=False)
    assert seen.whats(incident(1, started_at=None)) == []
    seen.watch.read.add("am")
    assert seen.whats(incident(1, "resolved", started_at=None), incident(2, started_at=None)) == ["opened", "resolved"]


# -- sources


def test_a_source_goes_blind_and_is_read_again():
    seen = Seen(health("x"))
    assert seen.whats(health("x", "aging")) == []
    assert seen.whats(health("x", "aging", error="timeout")) == ["blind"]
    assert seen.whats(health("x", "down", error="timeout")) == []
    assert seen.whats(health("x")) == ["readable"]


def test_a_pause_is_a_persons_wish_and_no_news():
    seen = Seen(health("x", "down"))
    assert seen.whats(health("x", "paused")) == []
    assert seen.whats(health("x", "starting")) == []
    assert seen.whats(health("x")) == []
    assert seen.whats("x:source:x") == []


def test_a_source_that_nobody_polls_any_more_is_blind():
    seen = Seen(health("x"))
    seen.board.overlay = {"x": "stale"}
    (told,) = seen.watch.follow(seen.board, Delta(frozenset({"x:source:x"}), frozenset()), NOW)
    assert told.whats == ("blind",) and told.failing


# -- flips


def test_an_alert_that_comes_and_goes_flips():
    seen = Seen()
    for state in ("open", "resolved", "open"):
        assert seen.flips(incident(1)) == 0
        seen.after(incident(1, state))
    assert seen.flips(incident(1)) == 3


def test_a_flaky_pipeline_flips_though_each_run_is_another_item():
    seen = Seen(build(1, started_at=ago(9)))
    seen.after(build(2, "failed", started_at=ago(8)))
    seen.after(build(3, "success", started_at=ago(7)))
    assert seen.flips(build(1)) == 0
    seen.after(build(4, "failed", started_at=ago(6)))
    assert seen.flips(build(1)) == 3


def test_runs_that_come_in_one_answer_flip_as_often():
    seen = Seen(build(1, started_at=ago(9)))
    states = {2: "failed", 3: "success", 4: "failed", 5: "cancelled", 6: "success"}
    assert seen.whats(*(build(n, state, started_at=ago(9 - n)) for n, state in states.items())) == []
    assert seen.flips(build(1)) == 4


@pytest.mark.parametrize("counted", [True, False])
def test_a_rerun_flips_too(counted: bool):
    seen = Seen(build(1, started_at=ago(9)))
    verdict = ""
    for attempt, state in enumerate(("failed", "success", "failed"), 1):
        number = attempt if counted else 1
        # While it runs, it keeps the verdict of the attempt before.
        seen.after(build(2, "running", started_at=ago(8), attempt=number, verdict=verdict))
        seen.after(build(2, state, started_at=ago(8), attempt=number))
        verdict = state
    assert seen.flips(build(1)) == 3


def test_what_flipped_before_a_rerun_still_counts_when_that_ends_otherwise():
    seen = Seen()
    seen.after(*(build(n, ("failed", "success")[n % 2], started_at=ago(9 - n)) for n in range(1, 5)))
    assert seen.flips(build(1)) == 3
    seen.after(build(4, "success", started_at=ago(5), attempt=2))
    assert seen.flips(build(1)) == 4


def test_runs_of_long_ago_do_not_flip():
    seen = Seen()
    seen.after(
        *(build(n, ("failed", "success")[n % 2], started_at=ago(90 - n), ended_at=ago(89 - n)) for n in range(20))
    )
    assert seen.flips(build(1)) == 0


def test_a_board_that_starts_knows_what_its_runs_tell():
    runs = [build(n, ("failed", "success")[n % 2], started_at=ago(9 - n), ended_at=ago(9 - n)) for n in range(4)]
    seen = Seen(*runs)
    seen.chatter.age(NOW)
    assert seen.flips(build(1)) == 3


def test_a_silence_is_no_flip():
    seen = Seen(incident(1))
    for state in ("suppressed", "open") * 3:
        seen.after(incident(1, state))
    assert seen.flips(incident(1)) == 0


def test_incidents_that_open_are_counted_for_the_flood():
    seen = Seen()
    seen.after(*(incident(n) for n in range(9)))
    assert seen.chatter.flood is None
    seen.after(incident(9), incident(10, "suppressed"), incident(11, "pending"))
    assert seen.chatter.flood is not None and seen.chatter.flood.count == 10


def test_a_first_answer_is_a_flood_only_if_it_just_began():
    seen = Seen(fresh=False)
    seen.after(
        *(incident(n, started_at=ago(60)) for n in range(20)), *(incident(n, started_at=None) for n in range(20, 40))
    )
    assert seen.chatter.flood is None
    seen.after(*(incident(n, started_at=ago(3)) for n in range(40, 50)))
    assert seen.chatter.flood is not None


# -- whatever comes


@given(STEPS)
def test_what_fails_is_what_the_board_says(steps: list[list[Fact | str]]):
    seen = Seen(health("a"), health("b"))
    counts: Counter[tuple[str, ...]] = Counter()
    for step in steps:
        for told in seen.after(*step):
            assert told.fact.key in seen.board.rows
            counts[told.slot] += ("opened" in told.whats or "failed" in told.whats) - ("recovered" in told.whats)
            counts[told.slot] -= "resolved" in told.whats
    failing = {row.slot for row in seen.board.failing()}
    held = {slot for slot, held in seen.watch._held.items() if not held.silenced}
    assert failing <= held, "nothing that fails is unknown to the watch"
    assert set(seen.watch._slots.values()) == {*seen.watch._held, *seen.watch._released}
    assert seen.watch._slots.keys() <= seen.board.rows.keys(), "what has left is forgotten"


@given(STEPS)
def test_following_in_one_go_or_step_by_step_remembers_the_same(steps: list[list[Fact | str]]):
    slow, quick = Seen(health("a"), health("b")), Seen(health("a"), health("b"))
    for step in steps:
        slow.after(*step)
    started: Board = quick.board
    quick.after(*(fact for step in steps for fact in step))
    assert started.digest == slow.board.digest
    fails = {slot for slot in slow.watch._held if slow.watch.fails(slot)}
    assert {row.slot for row in started.failing()} <= fails
