"""Roundup: open issues, statuses of the classic template and of others."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from sources.roundup import Roundup
from statusboard.errors import BadAnswer
from statusboard.model import Ticket
from statusboard.source import Credentials
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all, read_one

URL = "https://bugs.example/tracker/"
STATUSES = ("unread", "deferred", "chatting", "need-eg", "in-progress", "testing", "done-cbb", "resolved")


def linked(number: int | None, **names: str) -> dict[str, Any] | None:
    return None if number is None else {"id": str(number), "link": f"{URL}rest/data/x/{number}", **names}


def issue(number: int, status: int | None = 1, **more: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "link": f"{URL}rest/data/issue/{number}",
        "title": f"Issue {number}",
        "status": linked(status, name=STATUSES[status - 1]) if status else None,
        "priority": linked(2, name="urgent"),
        "assignedto": linked(3, username="ann"),
        "creator": linked(1, username="admin"),
        "creation": "2026-01-02.03:04:05",
        "activity": "2026-01-02.03:30:00",
        **more,
    }


class Server:
    def __init__(self) -> None:
        self.statuses: list[Any] = [{"id": str(n), "name": name} for n, name in enumerate(STATUSES, 1)]
        self.issues = [issue(1), issue(2, 5), issue(3, 8), issue(4, None, assignedto=None)]
        self.total: int | None = None

    def __call__(self, call: Call) -> Answer:
        match call.path.removeprefix("/tracker/rest/data/").split("/"):
            case ["status"]:
                return Answer.of({"data": {"collection": self.statuses, "@total_size": len(self.statuses)}})
            case ["issue"]:
                wanted = call.param("status").split(",")
                shown = [i for i in self.issues if (i["status"]["id"] if i["status"] else "-1") in wanted]
                return Answer.of({"data": {"collection": shown, "@total_size": self.total or len(shown)}})
            case ["issue", number]:
                for found in self.issues:
                    if found["id"] == number:
                        fields = {name: value for name, value in found.items() if name not in ("id", "link")}
                        return Answer.of({"data": {"id": number, "type": "issue", "attributes": fields}})
        return Answer.of({"error": {"status": 404, "msg": "no such thing"}}, 404)


class TestContract(SourceContract):
    source = Roundup
    options: ClassVar = {"url": URL}
    state_fields = ("name",)
    time_fields = ("creation", "activity")

    def vendor(self, call: Call) -> Answer:
        return Server()(call)


async def read(server: Server, **options: Any) -> Any:
    source = make_source(Roundup, {"url": URL, **options})
    http = FakeHttp(server, URL)
    return source, http, await read_one(source, http)


async def test_open_issues_are_tickets() -> None:
    _, http, part = await read(Server())
    assert [(item.ticket_id, item.state) for item in part.items] == [
        ("issue1", "open"),
        ("issue2", "in_progress"),
        ("issue4", "unknown"),
    ]
    assert part.items[0] == Ticket(
        key="roundup:ticket:1",
        source="roundup",
        title="Issue 1",
        state="open",
        raw_state="unread",
        ticket_id="issue1",
        priority="urgent",
        assignee="ann",
        actor="admin",
        url="https://bugs.example/tracker/issue1",
        started_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 3, 30, tzinfo=UTC),
    )
    assert part.reach == "window"
    assert http.calls[-1].param("status") == "-1,1,2,3,4,5,6"
    assert http.calls[-1].param("@sort") == "-activity"


@pytest.mark.parametrize(
    "word,state",
    [("unread", "open"), ("deferred", "open"), ("chatting", "open"), ("need-eg", "open"), ("testing", "in_progress"),
     ("In-Progress", "in_progress"), ("done-cbb", "done"), ("RESOLVED", "done"), ("closed", "done"),
     ("wontfix", "cancelled"), ("waiting for moon", "unknown"), ("", "unknown")],
)  # fmt: skip
async def test_statuses(word: str, state: str) -> None:
    server = Server()
    server.issues = [issue(1, status=None) | {"status": {"id": "1", "name": word}}]
    source = make_source(Roundup, {"url": URL})
    found = await source.lookup("ticket", "1", FakeHttp(server, URL))
    assert found is not None
    assert found.state == state


async def test_a_trackers_own_statuses() -> None:
    server = Server()
    server.statuses.append({"id": "9", "name": "Shipped"})
    server.issues = [issue(1, status=None) | {"status": {"id": "9", "name": "Shipped"}}]
    _, http, part = await read(server)
    assert [item.state for item in part.items] == ["unknown"]
    _, http, part = await read(server, states={"shipped": "done"})
    assert part.items == ()
    assert "9" not in http.calls[-1].param("status").split(",")


@pytest.mark.parametrize("row", [{"id": "9", "name": 9}, {"name": "Shipped"}, {"id": "", "name": "Shipped"}, None])
async def test_a_status_that_cannot_be_read_hides_no_issue(row: object) -> None:
    """Its issues would not even be asked for, and so nobody would miss them."""
    server = Server()
    server.statuses.append(row)
    part = (await read_all(make_source(Roundup, {"url": URL}), FakeHttp(server, URL))).parts[0]
    assert isinstance(part.error, BadAnswer)


async def test_ids_of_statuses_may_be_numbers() -> None:
    server = Server()
    server.statuses.append({"id": 9, "name": "Shipped"})
    _, http, part = await read(server)
    assert "9" in http.calls[-1].param("status").split(",")
    assert part.error is None


async def test_an_issue_that_was_closed_is_read_by_id() -> None:
    source, http, _ = await read(Server())
    closed = await source.lookup("ticket", "3", http)
    assert (closed.key, closed.state) == ("roundup:ticket:3", "done")
    assert await source.lookup("ticket", "../user/1", http) is None


async def test_more_issues_than_are_read_are_noted() -> None:
    server = Server()
    server.total = 950
    _, http, part = await read(server, limit=3)
    assert http.calls[-1].param("@page_size") == "3"
    assert part.notes == ("only the 3 open issues that changed last are read, of 950",)


async def test_further_conditions_are_sent() -> None:
    _, http, _ = await read(Server(), filter={"keyword": "3"})
    assert http.calls[-1].param("keyword") == "3"


def test_the_headers_that_roundup_wants() -> None:
    source = make_source(Roundup, {"url": URL})
    headers = source.request_headers()
    assert headers["X-Requested-With"] == "rest"
    assert headers["Origin"] == "https://bugs.example"
    assert headers["Referer"] == URL
    assert source.sign(Credentials(username="a", password="b")) == {"Authorization": "Basic YTpi"}
