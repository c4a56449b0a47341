"""What one part's answer changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusboard.diff import REOPENED, Known, absent, carry, change_type, compare, lose_sight, sane, vanish
from statusboard.errors import NotFound
from statusboard.model import Build, Incident, Item, Part, Reach, Release, Ticket, decode, encode, remote_id

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def build(n: object = 1, **kw: object) -> Build:
    return Build(**{"key": f"ci:build:{n}", "source": "ci", "state": "success", "title": f"run {n}", **kw})  # type: ignore[arg-type]


def incident(n: object = 1, **kw: object) -> Incident:
    return Incident(**{"key": f"am:incident:{n}", "source": "am", "state": "open", "started_at": NOW, **kw})  # type: ignore[arg-type]


def part(*items: Item, kind: str = "build", reach: Reach = "complete", **kw: object) -> Part:
    return Part(scope="all", kind=kind, reach=reach, started_at=NOW, items=items, **kw)  # type: ignore[arg-type]


def known(item: Item, seq: int = 1, *, unfinished: bool = False, fingerprint: int = 0) -> Known:
    return Known(
        key=item.key,
        kind=item.kind,
        source=item.source,
        part="all",
        seq=seq,
        unfinished=unfinished,
        fingerprint=fingerprint,
    )


def bodies(*items: Item) -> dict[str, bytes]:
    return {item.key: encode(item) for item in items}


def test_a_new_item_is_a_change_and_the_same_again_is_none() -> None:
    item = build()
    drafts, prints = compare(part(item), [item], {}, lambda i: i, stored={}, mark=0)
    assert [(d.key, d.type, d.part) for d in drafts] == [("ci:build:1", "pipelinerun.finished", "all")]
    row = known(item, fingerprint=prints[item.key])

    def prepare(item: Item) -> Item:
        raise AssertionError("an unchanged item is neither prepared nor stored")

    assert compare(part(item), [item], {item.key: row}, prepare, stored=bodies(item), mark=9) == ([], {})


def test_what_only_preparing_makes_equal_is_no_change() -> None:
    item = build(title="x")
    stored = msgspec.structs.replace(item, services=("checkout",))
    drafts, prints = compare(
        part(item),
        [item],
        {item.key: known(stored)},
        lambda i: msgspec.structs.replace(i, services=("checkout",)),
        stored=bodies(stored),
        mark=9,
    )
    assert drafts == [] and item.key in prints


def test_what_was_stored_after_the_poll_began_is_not_reverted() -> None:
    old, newer = build(state="running"), build(state="failed")
    rows = {newer.key: known(newer, seq=10)}
    stored = bodies(newer)
    assert compare(part(old), [old], rows, lambda i: i, stored=stored, mark=9)[0] == []
    (draft,) = compare(part(old), [old], rows, lambda i: i, stored=stored, mark=10)[0]
    assert decode(draft.body or b"") == msgspec.structs.replace(old, verdict="failed")


def test_a_re_run_keeps_the_verdict_until_it_has_one_of_its_own() -> None:
    failed = build(state="failed")
    running = carry(failed, build(state="running", attempt=2))
    assert isinstance(running, Build) and running.verdict == "failed"
    queued_again = carry(running, build(state="queued", attempt=3))
    assert isinstance(queued_again, Build) and queued_again.verdict == "failed"
    passed = carry(queued_again, build(state="success", attempt=3))
    assert isinstance(passed, Build) and passed.verdict == ""


def test_a_lapsed_silence_reopens_marked_and_stays_marked() -> None:
    reopened = carry(incident(state="suppressed"), incident())
    assert isinstance(reopened, Incident) and reopened.reason == REOPENED
    assert carry(reopened, incident()) == reopened
    later = carry(reopened, incident(started_at=NOW + timedelta(hours=1)))
    assert isinstance(later, Incident) and later.reason == "", "another episode is not marked"


@pytest.mark.parametrize(
    ("reach", "kw"),
    [("delta", {}), ("complete", {"error": NotFound("404")}), ("complete", {"unchanged": True})],
)
def test_what_proves_nothing_retires_nothing(reach: Reach, kw: dict[str, object]) -> None:
    rows = [known(incident(), unfinished=True)]
    assert absent(part(kind="incident", reach=reach, **kw), rows, frozenset(), mark=9) == ([], [])


def test_a_complete_answer_resolves_what_is_absent_at_the_time_of_the_poll() -> None:
    rows = [known(incident(), unfinished=True)]
    assert absent(part(kind="incident"), rows, frozenset(), mark=9) == (["am:incident:1"], [])
    gone = vanish(incident(), NOW)
    assert gone is not None and gone.type == "incident.resolved" and gone.body is not None
    fact = decode(gone.body)
    assert isinstance(fact, Incident)
    assert (fact.state, fact.ended_at, fact.approximate) == ("resolved", NOW, True)


def test_absence_counts_only_for_what_the_server_can_remember() -> None:
    rows = [known(incident(1), unfinished=True), known(incident(2), unfinished=True)]
    gone, _ = absent(part(kind="incident", retire_only=frozenset({"am:incident:2"})), rows, frozenset(), mark=9)
    assert gone == ["am:incident:2"]


def test_an_incident_that_is_over_does_not_end_again_and_all_else_that_is_absent_goes() -> None:
    rows = [known(incident(state="resolved"))]
    assert absent(part(kind="incident"), rows, frozenset(), mark=9) == ([], [])
    assert absent(part(), [known(build())], frozenset(), mark=9) == (["ci:build:1"], [])


def test_a_window_asks_again_for_what_is_unfinished_and_keeps_the_rest() -> None:
    rows = [known(build(1, state="running"), unfinished=True), known(build(2))]
    assert absent(part(reach="window"), rows, frozenset(), mark=9) == ([], ["ci:build:1"])


def test_what_came_after_the_poll_began_is_not_retired() -> None:
    rows = [known(incident(), seq=10, unfinished=True)]
    assert absent(part(kind="incident"), rows, frozenset(), mark=9) == ([], [])


def test_a_vanished_build_is_withdrawn_not_recovered() -> None:
    gone = vanish(build(state="failed"), NOW)
    assert gone is not None and gone.body is None and gone.type == "build.withdrawn"


def test_an_item_out_of_sight_is_unknown_once() -> None:
    lost = lose_sight(build(state="running"))
    assert lost is not None and lost.body is not None
    again = decode(lost.body)
    assert isinstance(again, Build) and again.state == "unknown"
    assert lose_sight(again) is None


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (incident(), "came in a part of builds"),
        (build(key="other:build:1"), "not of this source"),
        (build(key="ci:incident:1"), "not of this source"),
        (build(source="other"), "not of this source"),
        (build(state="exploded"), "none of a build's"),
        ("a string", "is a str"),
    ],
)
def test_what_may_not_come_in(item: object, why: str) -> None:
    assert why in sane(item, "ci", part())
    assert sane(build(), "ci", part()) == ""


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        (None, build(state="queued"), "pipelinerun.queued"),
        (build(state="queued"), build(state="running"), "pipelinerun.started"),
        (build(state="running"), build(state="failed"), "pipelinerun.finished"),
        (build(), build(title="renamed"), "build.updated"),
        (None, incident(), "incident.detected"),
        (incident(), incident(state="suppressed"), "incident.reported"),
        (incident(state="resolved"), incident(), "incident.detected"),
        (incident(), incident(started_at=NOW + timedelta(1)), "incident.detected"),
        (incident(), incident(state="resolved"), "incident.resolved"),
        (None, Release(key="d:release:1", source="d", state="success"), "service.deployed"),
        (None, Release(key="d:release:1", source="d", state="failed"), "release.failed"),
        (None, Release(key="d:release:1", source="d", state="rolled_back"), "service.rolledback"),
        (None, Release(key="d:release:1", source="d", state="success", type="publication"), "service.published"),
        (None, Release(key="d:release:1", source="d", state="success", type="configuration"), "release.configured"),
        (None, Release(key="d:release:1", source="d", state="failed", type="configuration"), "release.failed"),
        (None, Ticket(key="t:ticket:1", source="t", state="open"), "ticket.created"),
        (
            Ticket(key="t:ticket:1", source="t", state="open"),
            Ticket(key="t:ticket:1", source="t", state="done"),
            "ticket.closed",
        ),
    ],
)
def test_change_names(before: Item | None, after: Item, name: str) -> None:
    assert change_type(before, after) == name


@given(st.text(min_size=1, max_size=30))
def test_a_key_gives_its_remote_id_back(text: str) -> None:
    assert remote_id(f"ci:build:{text}") == text
