"""The board as JSON, and what the exit code says of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from statusboard import report
from statusboard.board import Board
from statusboard.diff import draft
from statusboard.model import (
    Build,
    Change,
    Fact,
    Incident,
    PartError,
    Release,
    SourceHealth,
    Status,
    Ticket,
    encode,
    health_key,
)
from statusboard.store.base import digest_of

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BEFORE = T0 - timedelta(minutes=5)


def change(seq: int, fact: Fact) -> Change:
    made = draft(None, fact)
    assert made.body is not None
    return Change(
        seq=seq,
        observed_at=T0,
        key=made.key,
        kind=made.kind,
        source=made.source,
        type=made.type,
        origin=made.origin,
        body=made.body,
        body_hash=digest_of(made.key, made.body),
    )


def board(*facts: Fact) -> Board:
    made = Board("store")
    made.fold(change(seq, fact) for seq, fact in enumerate(facts, 1))
    return made


def health(name: str, state: str = "fresh", **more: object) -> SourceHealth:
    values = {"type": "github", "interval": 30.0, "last_success": BEFORE, **more}
    return SourceHealth(key=health_key(name), source=name, title=name, state=state, **values)  # type: ignore[arg-type]


BUILD = Build(
    key="ci:build:1",
    source="ci",
    state="failed",
    title="CI: [/x]",
    services=("checkout", "web"),
    team="payments",
    raw_state="completed/failure",
    started_at=BEFORE,
    run_number=7,
    labels={"a": "b"},
)
INCIDENT = Incident(key="am:incident:1", source="am", state="suppressed", title="Slow", severity="critical")
UNKNOWN = Release(key="ci:release:1", source="ci", state="unknown", title="1.0", services=("web",))
TICKET = Ticket(key="tr:ticket:1", source="tr", state="open", title="Typo")


def test_every_field_of_the_contract() -> None:
    errors = (PartError(part="acme/x", error="404"),)
    made = board(health("ci", "partial", errors=errors), health("am"), BUILD, INCIDENT)
    status = Status(source="ci", last_success=T0, next_poll=T0, budget_left=4980, notes=("1 line skipped",))
    picture = report.picture(made, {"ci": status}, T0.replace(microsecond=7))
    assert (picture["schema"], picture["store_id"], picture["revision"]) == (1, "store", 4)
    assert picture["at"] == "2026-01-02T03:04:05Z" and picture["digest"] == made.digest
    assert picture["summary"] == {"verdict": "failing", "failing": 1, "blind": 1, "suppressed": 1, "unknown": 0}
    am, ci = picture["sources"]
    assert ci == {
        "name": "ci",
        "type": "github",
        "state": "partial",
        "optional": False,
        "error": None,
        "errors": [{"part": "acme/x", "error": "404"}],
        "items": 1,
        "interval": 30.0,
        "last_success": "2026-01-02T03:04:05Z",
        "budget_left": 4980,
        "next_poll": "2026-01-02T03:04:05Z",
        "notes": ["1 line skipped"],
    }
    assert am["last_success"] == "2026-01-02T02:59:05Z" and am["next_poll"] is None and am["budget_left"] is None
    incident, build = picture["items"]
    assert [incident["key"], build["key"]] == ["am:incident:1", "ci:build:1"], "sorted by key"
    wanted = {
        "kind": "build",
        "state": "failed",
        "raw_state": "completed/failure",
        "current": True,
        "failing": True,
        "title": "CI: [/x]",
        "service": "checkout",
        "services": ["checkout", "web"],
        "team": "payments",
        "started_at": "2026-01-02T02:59:05Z",
        "ended_at": None,
        "run_number": 7,
        "labels": {"a": "b"},
        "change": "",
    }
    assert {name: build[name] for name in wanted} == wanted
    assert incident["severity"] == "critical" and not incident["failing"] and "run_number" not in incident
    assert msgspec.json.decode(msgspec.json.encode(picture)) == picture


def test_every_field_of_every_kind_is_there_even_if_unset() -> None:
    for fact in (BUILD, INCIDENT, UNKNOWN, TICKET):
        made = board(fact)
        row = report.item_row(made.rows[fact.key])
        assert set(fact.__struct_fields__) | {"kind", "current", "failing", "service"} == row.keys()


def test_a_source_that_nobody_has_heard_of_is_listed_and_blind() -> None:
    made = board(health("ci"))
    picture = report.picture(made, {}, T0, required={"ci", "am"})
    assert [(s["name"], s["state"]) for s in picture["sources"]] == [("am", "starting"), ("ci", "fresh")]
    assert picture["summary"]["verdict"] == "blind"
    assert report.exit_code(made, required={"ci", "am"}) == report.EXIT_BLIND
    assert report.exit_code(made) == report.EXIT_OK


@pytest.mark.parametrize(
    "facts, code",
    [
        ((), 3),
        ((health("ci"),), 0),
        ((health("ci"), BUILD), 1),
        ((health("ci", "stale"), BUILD), 1),
        ((health("ci"), UNKNOWN), 3),
        ((health("ci"), INCIDENT), 0),
        ((health("ci", "aging"),), 0),
        *(((health("ci", state),), 3) for state in ("starting", "partial", "stale", "down", "paused")),
        ((health("ci"), health("am", "down", optional=True)), 0),
        ((health("ci", "down"), health("am")), 3),
    ],
)
def test_exit_codes(facts: tuple[Fact, ...], code: int) -> None:
    assert report.exit_code(board(*facts)) == code


def test_what_narrows() -> None:
    made = board(health("ci"), health("am", "down"), BUILD, UNKNOWN)
    assert report.exit_code(made, counts=set(), required={"ci"}) == 0
    assert report.exit_code(made, counts={UNKNOWN.key}, required={"ci"}) == 3
    assert report.exit_code(made, counts={BUILD.key}, required={"ci"}) == 1
    assert report.exit_code(made, counts=set(), required={"am"}) == 3


def test_a_line_of_watch() -> None:
    before = msgspec.to_builtins(BUILD)
    line = report.change_row(change(9, msgspec.structs.replace(BUILD, state="success")), before)
    assert line["seq"] == 9 and line["key"] == BUILD.key and line["at"] == "2026-01-02T03:04:05Z"
    assert (line["before"]["state"], line["after"]["state"]) == ("failed", "success")
    assert msgspec.json.decode(msgspec.json.encode(line))["after"]["kind"] == "build"
    gone = msgspec.structs.replace(change(10, BUILD), body=None, body_hash=b"")
    assert report.change_row(gone, before)["after"] is None


def test_what_is_asked_for_narrows_items_and_counts_and_says_what_it_leaves_out() -> None:
    made = board(health("ci"), BUILD, INCIDENT, UNKNOWN)
    whole = report.picture(made, {}, T0)
    assert whole["filter"] is None
    asked = {"view": "Tickets", "query": "x", "kinds": ["ticket"]}
    picture = report.picture(made, {}, T0, only={INCIDENT.key}, asked=asked)
    assert [item["key"] for item in picture["items"]] == [INCIDENT.key]
    assert picture["filter"] == {**asked, "hidden": 2, "hidden_failing": 1}
    assert picture["summary"]["failing"] == 0 and picture["summary"]["unknown"] == 0
    assert picture["digest"] == whole["digest"] and picture["sources"] == whole["sources"]
    both = report.picture(made, {}, T0, only={BUILD.key, UNKNOWN.key}, counts={BUILD.key, INCIDENT.key})
    assert (both["summary"]["failing"], both["summary"]["unknown"]) == (1, 0)


def test_bodies_are_what_was_stored() -> None:
    assert change(1, BUILD).body == encode(BUILD)
