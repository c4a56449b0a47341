"""Lines of our own schema: what they tell of, which are of one thing, and words."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from sources._shared.lines import ON_ITS_WAY, STATES, Lines, entry_of
from sources.deploy_log import DeployLog
from statusboard.current import is_failing
from statusboard.errors import BadAnswer
from statusboard.model import STATES as MODEL_STATES
from statusboard.model import Build, Incident, Item, Release, Ticket
from statusboard.testing import make_source

SOURCE = make_source(DeployLog, {"path": "/nowhere"})


def told(*rows: dict[str, Any], limit: int = 10) -> list[Item]:
    lines = Lines(SOURCE, limit=limit)
    for row in rows:
        lines.add(entry_of(json.dumps(row).encode()))
    lines.trim()
    return [item for items in lines.items.values() for item in items.values()]


def at(second: int) -> datetime:
    return datetime(2026, 1, 2, 3, 4, second, tzinfo=UTC)


def when(second: int) -> str:
    return f"2026-01-02T03:04:{second:02}Z"


@pytest.mark.parametrize("branch", ["main", "refs/heads/main", "origin/main", "refs/remotes/origin/main"])
def test_a_branch_by_any_of_its_names_is_the_default_one(branch: str) -> None:
    """Else a failed build of it would not count as failing."""
    (item,) = told({"kind": "build", "pipeline": "unit", "state": "failed", "ref": branch, "default_branch": "main"})
    assert is_failing(item)


def test_a_build() -> None:
    row = {"kind": "Build", "pipeline": "unit", "number": 7, "branch": "main", "default_branch": "main"}
    row |= {"state": "failed", "time": when(9), "started": when(1), "commit": "abc", "user": "ann", "runner": "r1"}
    row |= {"pull_request": 12, "service": "till", "repo": "acme/till", "url": "https://ci.example/7"}
    (item,) = told(row)
    assert item == Build(
        key=item.key,
        source="deploy-log",
        title="unit",
        state="failed",
        raw_state="failed",
        services=("till",),
        repository="acme/till",
        url="https://ci.example/7",
        labels={"runner": "r1"},
        actor="ann",
        pipeline="unit",
        run_number=7,
        branch="main",
        default_branch="main",
        change="12",
        revision="abc",
        started_at=at(1),
        updated_at=at(9),
        ended_at=at(9),
    )
    assert item.key.startswith("deploy-log:build:")


def test_an_incident_goes_on_until_it_is_resolved_and_then_begins_anew() -> None:
    row = {"kind": "incident", "title": "Till is slow", "service": "till", "severity": "HIGH"}
    opened, acked = {**row, "state": "firing", "time": when(1)}, {**row, "state": "acked", "time": when(2)}
    over = {**row, "state": "resolved", "time": when(3)}
    (item,) = told(opened, acked, over)
    assert isinstance(item, Incident)
    assert (item.state, item.severity, item.started_at, item.ended_at) == ("resolved", "high", at(1), at(3))
    first, second = told(opened, over, {**opened, "time": when(5)})
    assert first.key != second.key and (second.state, second.started_at) == ("open", at(5))


def test_a_later_line_with_the_id_alone_keeps_what_was_said_before() -> None:
    first = {"kind": "incident", "id": "db-1", "title": "Disk full", "severity": "critical", "time": when(1)}
    first |= {"state": "open", "service": "ledger", "env": "production"}
    (item,) = told(first, {"kind": "incident", "id": "db-1", "state": "resolved", "time": when(4)})
    assert isinstance(item, Incident)
    assert (item.key, item.title, item.severity) == ("deploy-log:incident:db-1", "Disk full", "critical")
    assert (item.services, item.environment, item.state) == (("ledger",), "production", "resolved")


def test_what_ends_by_its_id_is_still_what_it_was() -> None:
    """A build that lost its pipeline would end in a slot of its own, and one before it would stay failing."""
    first = {"kind": "build", "id": "b1", "pipeline": "unit", "title": "Unit tests", "number": 7, "state": "running"}
    (build,) = told(first, {"kind": "build", "id": "b1", "state": "ok", "time": when(4)})
    assert isinstance(build, Build)
    assert (build.pipeline, build.title, build.run_number, build.state) == ("unit", "Unit tests", 7, "success")
    first = {"id": "r1", "service": "till", "version": "1.2", "env": "production", "state": "running"}
    (release,) = told(first, {"id": "r1", "service": "till", "state": "ok", "time": when(4)})
    assert isinstance(release, Release)
    assert (release.version, release.title) == ("1.2", "till 1.2 to production")
    first = {"kind": "ticket", "id": "t1", "ticket": "OPS-7", "title": "Renew", "state": "open"}
    (ticket,) = told(first, {"kind": "ticket", "id": "t1", "state": "done"})
    assert isinstance(ticket, Ticket)
    assert (ticket.ticket_id, ticket.title) == ("OPS-7", "Renew")


def test_an_incident_that_is_back_by_its_id_begins_anew() -> None:
    row = {"kind": "incident", "id": "db-1", "title": "Disk full"}
    over = {**row, "state": "resolved", "time": when(3)}
    (item,) = told({**row, "state": "open", "time": when(1)}, over, {**row, "state": "open", "time": when(5)})
    assert (item.state, item.started_at, item.ended_at) == ("open", at(5), None)


def test_a_severity_of_ones_own_is_left_to_the_catalog() -> None:
    (item,) = told({"kind": "incident", "title": "x", "level": "wakeup", "state": "open"})
    assert isinstance(item, Incident)
    assert item.severity == "unknown" and item.labels == {"severity": "wakeup"}


def test_a_ticket() -> None:
    row = {"kind": "ticket", "ticket": "OPS-7", "title": "Renew", "state": "doing", "priority": "high", "owner": "bo"}
    (item,) = told({**row, "time": when(1)}, {**row, "state": "fixed", "time": when(2)})
    assert item == Ticket(
        key=item.key,
        source="deploy-log",
        title="Renew",
        state="done",
        raw_state="fixed",
        ticket_id="OPS-7",
        priority="high",
        assignee="bo",
        started_at=at(1),
        updated_at=at(2),
        ended_at=at(2),
    )


def test_a_kind_that_is_none_of_ours_is_a_label_of_a_release() -> None:
    (item,) = told({"service": "till", "version": "1", "kind": "canary", "state": "ok"})
    assert item.kind == "release" and item.labels == {"kind": "canary"}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{", "not JSON"),
        (b"[1]", "not an object"),
        (b'{"version": ""}', "names neither a service nor a version"),
        (b'{"kind": "build", "service": "till"}', "names neither a pipeline nor a title"),
        (b'{"kind": "incident"}', "names neither a title nor a service"),
        (b'{"kind": "ticket", "state": "open"}', "names neither a ticket nor a title"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_a_line_that_says_nothing(line: bytes, why: str) -> None:
    with pytest.raises(BadAnswer, match=why):
        entry_of(line)


@pytest.mark.parametrize("kind", sorted(STATES))
def test_every_word_means_a_state_that_there_is_and_ours_are_known(kind: Any) -> None:
    assert set(STATES[kind].values()) <= MODEL_STATES[kind]
    assert all(STATES[kind].get(state) == state for state in MODEL_STATES[kind] - {"unknown"})
    assert ON_ITS_WAY[kind] < MODEL_STATES[kind]


def test_only_the_newest_of_each_kind_are_kept() -> None:
    builds = [{"kind": "build", "pipeline": "unit", "number": n, "state": "ok"} for n in range(9)]
    items = told(*builds, {"kind": "ticket", "title": "x", "state": "open"}, limit=3)
    assert [item.run_number for item in items if isinstance(item, Build)] == [6, 7, 8]
    assert len(items) == 4
