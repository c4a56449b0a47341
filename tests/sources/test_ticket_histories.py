"""The past of Redmine and Linear: issues that are over, by when they changed last."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

import msgspec
import pytest

from sources.linear import Linear
from sources.redmine import Redmine
from statusboard.clock import FakeClock
from statusboard.errors import BadAnswer, NotFound, RateLimited, TooLarge
from statusboard.model import Ticket
from statusboard.source import HistoryUnsupported, Past, Source, history_of, scopes_of
from statusboard.testing import Answer, Call, FakeHttp, HistoryContract, make_source
from tests.sources import test_linear, test_redmine
from tests.sources.pasts import NOW, at


async def pages_of(source: Source[Any], server: Any, url: str, *, days: int = 30, cursor: str = "") -> list[Past]:
    """The pages of the only scope back to the horizon, or from a cursor on."""
    http = FakeHttp(server, url)
    (scope,) = await scopes_of(source, http)
    pages: list[Past] = []
    while not pages or (pages[-1].older and len(pages) < 20):
        cursor = pages[-1].older if pages else cursor
        pages.append(await history_of(source, scope, http, since=NOW - timedelta(days=days), cursor=cursor))
    return pages


# -- Redmine ---------------------------------------------------------------------------------------------------------


def redmine_issue(number: int, hours: float, **more: Any) -> dict[str, Any]:
    """Closed so many hours before now."""
    times = {"created_on": at(hours + 50), "updated_on": at(hours), "closed_on": at(hours)}
    return test_redmine.issue(number, 6 if number % 3 == 0 else 5, **{**times, **more})


class RedmineServer(test_redmine.Server):
    """Closed issues within a span of times, the last to change first."""

    most = 100

    @staticmethod
    def kept(one: dict[str, Any]) -> str:
        """When an issue changed, with the fraction that is not told."""
        return f"{one['updated_on'][:-1]}.5"

    def list(self, call: Call) -> Answer:
        assert (call.param("status_id"), call.param("sort")) == ("closed", "updated_on:desc,id:desc")
        span = call.param("updated_on")
        low, _, high = span.removeprefix("><").removeprefix(">=").partition("|")
        assert span.startswith("><") == bool(high)
        found = [one for one in self.seen() if low <= one["updated_on"] and self.kept(one) <= (high or "9999Z")[:-1]]
        if project := call.param("project_id"):
            found = [one for one in found if one["project"]["id"] == test_redmine.PROJECTS[project]]
        found.sort(key=lambda one: (one["updated_on"], one["id"]), reverse=True)
        offset, limit = int(call.param("offset")), min(int(call.param("limit")), self.most)
        return Answer.of({"issues": found[offset : offset + limit], "total_count": len(found)})


ISSUES = [redmine_issue(900 - n, 2 * n + 1, project="billing" if n % 4 == 0 else "shop") for n in range(600)]


class TestRedmine(HistoryContract):
    source = Redmine
    options: ClassVar = {"url": test_redmine.URL}
    expected = 360
    server: ClassVar = RedmineServer(*ISSUES)

    def vendor(self, call: Call) -> Answer:
        return self.server(call)


class TestRedmineByProject(TestRedmine):
    options: ClassVar = {"url": test_redmine.URL, "projects": ("shop", "billing"), "subprojects": False}


def redmine(**options: Any) -> Source[Any]:
    return make_source(Redmine, {"url": test_redmine.URL, **options}, FakeClock(NOW))


@pytest.mark.parametrize(("old", "most"), [(True, 100), (False, 30), (True, 25)])
async def test_servers_that_tell_nothing_of_statuses_or_give_fewer_at_once(old: bool, most: int) -> None:
    server = RedmineServer(*ISSUES, old=old)
    server.most = most
    items = [item for page in await pages_of(redmine(), server, test_redmine.URL) for item in page.items]
    assert len({item.key for item in items}) == 360 and {item.state for item in items} == {"done", "cancelled"}


async def test_a_closed_issue_of_redmine() -> None:
    server = RedmineServer(redmine_issue(3, 5), redmine_issue(2, 9, updated_on=at(4)), redmine_issue(1, 24 * 40))
    (page,) = await pages_of(redmine(), server, test_redmine.URL)
    second, third = page.items
    assert isinstance(second, Ticket) and (second.ticket_id, second.state) == ("#2", "done")
    assert second.ended_at == NOW - timedelta(hours=9) and second.updated_at == NOW - timedelta(hours=4)
    assert (third.state, page.reached, page.error) == ("cancelled", NOW - timedelta(hours=5), None)


async def test_more_issues_closed_at_once_than_a_page_holds() -> None:
    """As when a version is closed; and one that changes meanwhile is on no page behind."""
    server = RedmineServer(*[redmine_issue(n, 5) for n in range(1, 251)], *[redmine_issue(n, 9) for n in (301, 302)])
    pages = await pages_of(redmine(), server, test_redmine.URL)
    assert len({item.key for page in pages for item in page.items}) == 252
    assert [page.older for page in pages] == [f"{at(5)} 1", f"{at(5)} 2", f"{at(5)} 3", ""]
    server.issues.insert(0, redmine_issue(999, 1))
    (page,) = await pages_of(redmine(), server, test_redmine.URL, cursor=f"{at(9)} 1")
    assert [item.key for item in page.items] == ["redmine:ticket:302", "redmine:ticket:301"]


async def test_a_saved_query_of_redmine_has_no_past() -> None:
    with pytest.raises(HistoryUnsupported, match="`query_id` chooses the issues"):
        await pages_of(redmine(query_id=8), RedmineServer(), test_redmine.URL)


async def test_an_issue_of_redmine_that_cannot_be_read_is_said() -> None:
    server = RedmineServer(redmine_issue(2, 5), {**redmine_issue(1, 6), "subject": {}})
    (page,) = await pages_of(redmine(), server, test_redmine.URL)
    assert [item.key for item in page.items] == ["redmine:ticket:2"]
    assert isinstance(page.error, BadAnswer) and str(page.error).startswith("1 of 2 issues could not be read")


# -- Linear ----------------------------------------------------------------------------------------------------------


def linear_issue(number: int, hours: float, type: str = "completed", **more: Any) -> dict[str, Any]:
    """Over since so many hours before now."""
    ended = {"completedAt" if type == "completed" else "canceledAt": at(hours)}
    return {**test_linear.issue(number, type, **ended), "createdAt": at(hours + 50), "updatedAt": at(hours), **more}


class LinearServer(test_linear.Server):
    """Issues that are over, the archived ones too, within a span of times, the last to change first."""

    def __call__(self, call: Call) -> Answer:
        if self.faults:
            return super().__call__(call)
        asked = msgspec.json.decode(call.body)
        assert "orderBy: updatedAt, includeArchived: true" in asked["query"]
        return Answer.of({"data": self.over(**asked["variables"])})

    def over(self, team: Any, issues: Any, first: int, after: str | None) -> dict[str, Any]:
        assert set(issues["state"]["type"]["in"]) == {"completed", "canceled", "duplicate"}
        low, high = issues["updatedAt"]["gte"], issues["updatedAt"].get("lte", "9999")
        key = team.get("key", {}).get("eqIgnoreCase", "").upper()
        found = [one for one in self.issues if low <= one["updatedAt"] <= high and one["identifier"].startswith(key)]
        found.sort(key=lambda one: str(one["updatedAt"]), reverse=True)
        start, size = int(after or 0), min(first, self.page)
        more = start + size < len(found)
        info = {"hasNextPage": more, "endCursor": str(start + size) if more else None}
        teams = [{"key": one} for one in self.teams if key in ("", one)]
        return {"teams": {"nodes": teams[:1]}, "issues": {"nodes": found[start : start + size], "pageInfo": info}}


class TestLinear(HistoryContract):
    source = Linear
    options: ClassVar = {"teams": ("ENG", "OPS")}
    expected = 360
    server: ClassVar = LinearServer(
        *[linear_issue(900 - n, 2 * n + 1, identifier=f"{'OPS' if n % 3 == 0 else 'ENG'}-{n}") for n in range(600)]
    )

    def vendor(self, call: Call) -> Answer:
        return self.server(call)


def linear(**options: Any) -> Source[Any]:
    return make_source(Linear, options, FakeClock(NOW))


async def test_issues_of_linear_that_are_over() -> None:
    server = LinearServer(
        linear_issue(4, 5), linear_issue(3, 6, "canceled"), linear_issue(2, 7, "duplicate", trashed=True),
        linear_issue(1, 24 * 31, updatedAt=at(8)),
    )  # fmt: skip
    (page,) = await pages_of(linear(), server, test_linear.URL)
    assert [(item.key[-1], item.state) for item in page.items] == [("4", "done"), ("3", "cancelled"), ("1", "done")]
    assert [item.ended_at for item in page.items] == [NOW - timedelta(hours=hours) for hours in (5, 6, 24 * 31)]
    assert (page.reached, page.error) == (NOW - timedelta(hours=8), None)


async def test_more_issues_of_linear_closed_at_once_than_a_page_holds() -> None:
    server = LinearServer(*[linear_issue(n, 5) for n in range(1, 251)], linear_issue(300, 1), linear_issue(301, 9))
    pages = await pages_of(linear(), server, test_linear.URL)
    assert len({item.key for page in pages for item in page.items}) == 252
    assert [page.older for page in pages] == [f"{at(5)} 1", f"{at(5)} 2", f"{at(5)} 3", ""]
    with pytest.raises(TooLarge, match="more than 5000 issues changed in one second"):
        await pages_of(linear(), server, test_linear.URL, cursor=f"{at(5)} 51")


async def test_an_issue_that_changes_meanwhile_leaves_nothing_out() -> None:
    server = LinearServer(*[linear_issue(n, n) for n in range(1, 151)])
    first = (await pages_of(linear(), server, test_linear.URL, days=9))[0]
    assert first.older == f"{at(100)} 1"
    server.issues[99]["updatedAt"] = at(0.5)  # the one that the cursor came from
    rest = await pages_of(linear(), server, test_linear.URL, cursor=first.older)
    assert len({item.key for page in (first, *rest) for item in page.items}) == 150


async def test_linear_refuses_as_ever() -> None:
    server = LinearServer(linear_issue(1, 5))
    with pytest.raises(NotFound, match="no team QA"):
        await pages_of(linear(teams=["QA"]), server, test_linear.URL)
    server.faults = [{"message": "slow down", "extensions": {"type": "ratelimited"}}]
    with pytest.raises(RateLimited):
        await pages_of(linear(), server, test_linear.URL)
