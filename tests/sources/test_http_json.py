"""http-json: any API mapped by expressions, and what is said when they are wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import pytest

from sources.http_json import HttpJson
from statusboard.errors import BadAnswer, SourceError, TooLarge
from statusboard.model import Incident
from statusboard.source import Source
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all, read_one

URL = "https://pager.example/api"
PAGER: dict[str, Any] = {
    "url": URL,
    "path": "/incidents?status=open",
    "kind": "incident",
    "items": "data.incidents",
    "id": "id",
    "complete": True,
    "states": {"triggered": "open", "Acked": "acknowledged"},
    "fields": {
        "title": "summary",
        "state": "status",
        "severity": "urgency",
        "started_at": "created_at",
        "services": "[service.name]",
        "labels": "{region: meta.region, nothing: meta.nothing}",
        "links": "{runbook: runbook}",
        "url": "html_url",
    },
}


def incident(number: int, status: str = "triggered", **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "summary": f"Incident {number}",
        "status": status,
        "urgency": "P1",
        "created_at": "2026-01-02T03:04:05Z",
        "service": {"name": "till"},
        "meta": {"region": "eu"},
        "runbook": "https://run.example/1",
        "html_url": "https://pager.example/1",
        **more,
    }


def listed(*rows: Any) -> Answer:
    return Answer.of({"data": {"incidents": list(rows)}})


class TestContract(SourceContract):
    source = HttpJson
    options: ClassVar = PAGER
    state_fields = ("status",)
    time_fields = ("created_at",)

    def vendor(self, call: Call) -> Answer:
        return listed(incident(1), incident(2, "acked"), incident(3, "resolved"))


class TestContractOfBuilds(SourceContract):
    """A list without an envelope, with a number for a state, that is a window."""

    source = HttpJson
    options: ClassVar = {
        "kind": "build",
        "id": "n",
        "fields": {"state": "ok", "run_number": "n", "attempt": "try", "ended_at": "at", "branch": "ref"},
        "states": {"true": "success", "false": "failed"},
    }
    state_fields = ("ok",)
    time_fields = ("at",)
    id_fields = ("n",)

    def vendor(self, call: Call) -> Answer:
        return Answer.of(
            [{"n": 1, "ok": True, "try": 1, "at": 1767323045, "ref": "main"}, {"n": 2, "ok": False, "try": 3}]
        )


def make(**options: Any) -> Source[Any]:
    return make_source(HttpJson, {**PAGER, **options})


async def items(source: Source[Any], *rows: Any) -> Any:
    return (await read_one(source, FakeHttp(lambda call: listed(*rows), URL))).items


async def test_fields_are_found_by_their_expressions() -> None:
    http = FakeHttp(lambda call: listed(incident(7)), URL)
    part = await read_one(make(), http)
    assert part.items == (
        Incident(
            key="http-json:incident:7",
            source="http-json",
            title="Incident 7",
            state="open",
            raw_state="triggered",
            severity="unknown",
            started_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            services=("till",),
            labels={"severity": "P1", "region": "eu"},
            links={"runbook": "https://run.example/1"},
            url="https://pager.example/1",
        ),
    )
    assert (part.scope, part.reach) == ("/incidents?status=open", "complete")
    assert http.calls[0].url == "https://pager.example/api/incidents?status=open"


@pytest.mark.parametrize(
    "word,state",
    [
        ("TRIGGERED", "open"),
        ("acked", "acknowledged"),
        ("Suppressed", "suppressed"),
        ("new word", "unknown"),
        ("", "unknown"),
    ],
)
async def test_states(word: str, state: str) -> None:
    (item,) = await items(make(), incident(1, word))
    assert item.state == state


async def test_a_severity_of_the_board_is_taken_as_it_is() -> None:
    (item,) = await items(make(), incident(1, urgency="HIGH"))
    assert item.severity == "high"


async def test_a_constant_is_a_literal() -> None:
    (item,) = await items(make(fields={"state": "'open'", "environment": "'production'"}), incident(1))
    assert (item.state, item.environment, item.title) == ("open", "production", "1")


async def test_a_time_without_a_zone_is_marked() -> None:
    first, second = await items(make(), incident(1, created_at="2026-01-02T03:04:05"), incident(2))
    assert (first.approximate, second.approximate) == (True, False)


async def test_releases_and_tickets() -> None:
    release = make(kind="release", states={}, complete=False,
                   fields={"type": "t", "prerelease": "pre", "commits": "n", "services": "svc"})  # fmt: skip
    (item,) = await items(release, {"id": "a", "t": "publication", "pre": "TRUE", "n": "12", "svc": "till"})
    assert (item.type, item.prerelease, item.commits, item.services) == ("publication", True, 12, ("till",))
    ticket = make(kind="ticket", states={"todo": "open"}, fields={"state": "s", "assignee": "[a, b]"})
    (item,) = await items(ticket, {"id": "a", "s": "ToDo", "a": "ann", "b": None})
    assert (item.state, item.assignee) == ("open", "ann")


async def failure(source: Source[Any], answer: Answer) -> str:
    with pytest.raises(SourceError) as caught:
        await read_one(source, FakeHttp(lambda call: answer, URL))
    return str(caught.value)


async def test_items_that_cannot_be_read_are_told() -> None:
    assert "`id` finds nothing" in await failure(make(), listed({"summary": "x"}))
    assert "`fields.attempt` is not a whole number" in await failure(
        make(kind="build", states={}, fields={"attempt": "urgency"}), listed(incident(1))
    )
    assert "`fields.title` cannot be applied" in await failure(
        make(fields={"title": "join(', ', summary)"}), listed(incident(1))
    )
    assert "none of deployment, publication, configuration" in await failure(
        make(kind="release", states={}, fields={"type": "summary"}), listed(incident(1))
    )
    assert "want an object" in await failure(make(fields={"labels": "summary"}), listed(incident(1)))


async def test_answers_without_the_list_are_told() -> None:
    assert "`items` finds nothing" in await failure(make(), Answer.of({"data": {}}))
    assert "not a list" in await failure(make(), Answer.of({"data": {"incidents": {"a": 1}}}))


async def test_an_error_with_status_200() -> None:
    source = make(error="errors[0].message")
    assert (
        await failure(source, Answer.of({"errors": [{"message": "no\x1b[2J such"}]})) == "the server says: no[2J such"
    )
    assert len(await items(source, incident(1))) == 1


# -- pages -------------------------------------------------------------------------------------------------------------


def paged(last: int, link: bool) -> Any:
    def vendor(call: Call) -> Answer:
        page = int(call.param("page", "1"))
        following = f"/api/incidents?page={page + 1}" if page < last else None
        answer = {"data": {"incidents": [incident(page)]}, "next": None if link else following}
        return Answer.of(answer, link=f'<{following}>; rel="next"' if link and following else "")

    return FakeHttp(vendor, URL)


@pytest.mark.parametrize("link", [False, True])
async def test_pages_are_followed(link: bool) -> None:
    source = make(next="" if link else "next")
    part = await read_one(source, paged(3, link))
    assert [item.key[-1] for item in part.items] == ["1", "2", "3"]
    assert part.notes == ()


@pytest.mark.parametrize("link", [False, True])
async def test_too_many_pages_of_a_whole_list_are_a_fault(link: bool) -> None:
    with pytest.raises(TooLarge):
        await read_one(make(next="" if link else "next", pages=2), paged(3, link))


@pytest.mark.parametrize("link", [False, True])
async def test_of_a_window_the_first_pages_are_enough(link: bool) -> None:
    source = make(next="" if link else "next", pages=2, complete=False)
    part = await read_one(source, paged(3, link))
    assert len(part.items) == 2
    assert part.notes == ("only the first 2 pages are read",)
    assert (await read_one(source, paged(2, link))).notes == ()


async def test_pages_in_a_circle() -> None:
    http = FakeHttp(lambda call: Answer.of({"data": {"incidents": []}, "next": "/api/incidents?status=open"}), URL)
    with pytest.raises(BadAnswer, match="circle"):
        await read_one(make(next="next"), http)


async def test_a_post() -> None:
    http = FakeHttp(lambda call: listed(incident(1)), URL)
    part = await read_one(make(method="POST", path="/query", body={"q": [1]}), http)
    assert len(part.items) == 1
    assert (http.calls[0].method, http.calls[0].body) == ("POST", b'{"q":[1]}')


async def test_a_window_that_the_poll_asks_for() -> None:
    snapshot = await read_all(make(complete=False, path=""), FakeHttp(lambda call: listed(), URL))
    assert [(part.scope, part.reach) for part in snapshot.parts] == [("incident", "window")]


# -- options -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options,message",
    [
        ({"fields": {"titel": "a"}}, "`fields`: no incident has 'titel'; the fields are .*title"),
        ({"fields": {"key": "a"}}, "`fields`: no incident has 'key'"),
        ({"fields": {"title": "a["}}, r"`fields`: the expression of title 'a\[' is not JMESPath"),
        ({"id": "]"}, "`id`: the expression ']' is not JMESPath"),
        ({"items": "a b"}, "`items`: the expression 'a b'"),
        ({"next": "!"}, "`next`: the expression"),
        ({"id": ""}, "`id` is empty"),
        ({"states": {"a": "success"}}, "`states`: 'a' cannot be 'success'; the states are pending, open"),
        ({"method": "POST", "next": "a"}, "`next` goes with GET only"),
        ({"body": {}}, "`body` goes with method: POST only"),
        ({"kind": "build", "states": {}, "fields": {"severity": "a"}}, "no build has 'severity'"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        make(**options)


async def test_times_without_a_zone_are_counted() -> None:
    rows = [incident(1), incident(2, created_at="2026-01-02 03:04:05"), incident(3, created_at="2026-01-02T03:04")]
    part = await read_one(make_source(HttpJson, PAGER), FakeHttp(lambda call: listed(*rows)))
    assert part.notes == ("2 incidents have times without a zone: taken as UTC",)
    assert [item.approximate for item in part.items] == [False, True, True]
