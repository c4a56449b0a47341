"""The real Redmine through one board: issues come, move and go, and a key that no longer counts is noticed."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sources.redmine import Redmine as RedmineSource
from statusboard.client import ClientPool
from statusboard.clock import SystemClock
from statusboard.source import Past, history_of, scopes_of
from statusboard.testing import make_source
from tests.real.board import Bench, bench
from tests.real.redmine import Redmine


@pytest.fixture
def redmine(booted_redmine: Redmine) -> Redmine:
    return booted_redmine.sound()


def board_of(folder: Path, redmine: Redmine, key: str, **options: object) -> AbstractContextManager[Bench]:
    """A board with one source; ``key`` may be empty."""
    folder.mkdir(exist_ok=True)
    secret = folder / "key"
    secret.write_text(key)
    secret.chmod(0o600)
    more = {"type": "redmine", "name": "rm", "url": redmine.url, "interval": "1s", **options}
    if key:
        more["token"] = f"file:{secret}"
    return bench(folder / "board", f"sources:\n  - {{{', '.join(f'{k}: {v!r}' for k, v in more.items())}}}\n")


def ticket(picture: dict[str, Any], number: int) -> dict[str, Any]:
    """That issue as shown, ``{}`` where it is not."""
    return next((item for item in picture["items"] if item["key"] == f"rm:ticket:{number}"), {})


def test_an_issue_is_opened_assigned_and_closed(redmine: Redmine, tmp_path: Path) -> None:
    with board_of(tmp_path, redmine, redmine.key, projects=["shop"]) as board:
        board.start("poll")
        number = redmine.create_issue("the cart loses its last item", priority_id=4, due_date="2036-01-09")
        rejected = redmine.create_issue("paint it blue")
        opened = board.until("the issue", lambda c, p: ticket(p, number) or None)
        assert (opened["state"], opened["raw_state"], opened["assignee"]) == ("open", "New", "")
        assert (opened["title"], opened["ticket_id"]) == ("the cart loses its last item", f"#{number}")
        assert (opened["priority"], opened["actor"]) == ("Urgent", "Redmine Admin")
        assert opened["labels"] == {"project": "Shop", "tracker": "Bug", "due": "2036-01-09"}
        assert redmine.http.get(opened["url"]).is_success

        redmine.change_issue(number, status="In Progress", assigned_to_id=redmine.ann())
        assigned = board.until(
            "it is assigned", lambda c, p: found if (found := ticket(p, number))["assignee"] else None
        )
        assert (assigned["state"], assigned["assignee"]) == ("in_progress", "Ann Ash")

        redmine.change_issue(number, status="Closed")
        redmine.change_issue(rejected, status="Rejected")
        closed = board.until(
            "both are over",
            lambda c, p: (
                p if {ticket(p, n).get("state") for n in (number, rejected)} == {"done", "cancelled"} else None
            ),
        )
        assert ticket(closed, number)["state"] == "done"
        assert ticket(closed, number)["ended_at"]
        assert [c.type for c in board.changes() if c.key == opened["key"]] == [
            "ticket.created",
            "ticket.updated",
            "ticket.closed",
        ]


def test_only_who_may_see_a_private_project_sees_it(redmine: Redmine, tmp_path: Path) -> None:
    number = redmine.create_issue("nobody's business", project="secret")
    public = redmine.create_issue("everybody's business")
    for name, key, sees in (("admin", redmine.admin_key, True), ("ann", redmine.key, False), ("nobody", "", False)):
        with board_of(tmp_path / name, redmine, key) as board:
            _, picture = board.show("--poll")
            assert picture["sources"][0]["state"] == "fresh"
            assert bool(ticket(picture, number)) is sees, name
            assert ticket(picture, public)["title"] == "everybody's business"
    with board_of(tmp_path / "asked", redmine, redmine.key, projects=["shop", "secret", "shpo"]) as board:
        code, picture = board.show("--poll")
        (source,) = picture["sources"]
        errors = {error["part"]: error["error"] for error in source["errors"]}
        assert (code, source["state"]) == (3, "partial")
        assert sorted(errors) == ["secret issues", "shpo issues"]
        assert "403" in errors["secret issues"]
        assert "404" in errors["shpo issues"]
        assert ticket(picture, public)


def test_a_saved_query(redmine: Redmine, tmp_path: Path) -> None:
    number = redmine.create_issue("long since done")
    redmine.change_issue(number, status="Closed")
    (query,) = (q for q in redmine.queries() if q["name"] == "closed")
    with board_of(tmp_path, redmine, redmine.key, query_id=query["id"]) as board:
        _, picture = board.show("--poll")
        assert ticket(picture, number)["state"] == "done"
        assert {item["state"] for item in picture["items"]} <= {"done", "cancelled"}


def test_a_wrong_key_is_a_fault_and_so_is_one_that_no_longer_counts(redmine: Redmine, tmp_path: Path) -> None:
    number = redmine.create_issue("still open")
    assert redmine.http.get("/issues.json", headers={"X-Redmine-API-Key": "wrong"}).is_success
    with board_of(tmp_path / "wrong", redmine, "wrong") as board:
        code, picture = board.show("--poll")
        assert (code, picture["items"]) == (3, [])
        assert "401" in picture["sources"][0]["error"]
    with board_of(tmp_path / "revoked", redmine, redmine.key) as board:
        _, picture = board.show("--poll")
        assert ticket(picture, number)["state"] == "open"
        redmine.lock(True)
        try:
            code, picture = board.show("--poll")
            assert code == 3
            assert "401" in picture["sources"][0]["error"]
            assert ticket(picture, number)["state"] == "open"
        finally:
            redmine.lock(False)
        _, picture = board.show("--poll")
        assert picture["sources"][0]["state"] == "fresh"


def past_of(redmine: Redmine, cursor: str = "") -> Past:
    """A page of what the source tells of the last day."""

    async def read() -> Past:
        source = make_source(RedmineSource, {"url": redmine.url, "projects": ["shop"]}, SystemClock())
        async with ClientPool(SystemClock()) as pool:
            factory = pool.for_source(source).factory
            (scope,) = await scopes_of(source, factory(""))
            since = datetime.now(UTC) - timedelta(days=1)
            return await history_of(source, scope, factory(""), since=since, cursor=cursor)

    return asyncio.run(read())


def test_closed_issues_are_read_back_within_a_span_of_times(redmine: Redmine) -> None:
    closed, still_open = redmine.create_issue("to be closed"), redmine.create_issue("to be left open")
    redmine.change_issue(closed, status="Closed")
    page = past_of(redmine)
    found = {item.key: item for item in page.items}
    assert f"redmine:ticket:{still_open}" not in found
    changed = found[f"redmine:ticket:{closed}"].updated_at
    assert changed and found[f"redmine:ticket:{closed}"].ended_at
    for until, within in ((changed, True), (changed - timedelta(seconds=2), False)):
        older = past_of(redmine, f"{until:%Y-%m-%dT%H:%M:%SZ} 1")
        assert (f"redmine:ticket:{closed}" in {item.key for item in older.items}) is within, "to the second"
        assert older.error is page.error is None
    assert not past_of(redmine, f"{datetime.now(UTC) - timedelta(hours=23):%Y-%m-%dT%H:%M:%SZ} 1").items
