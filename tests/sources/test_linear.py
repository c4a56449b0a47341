"""Linear: open issues by team, paging, GraphQL's own ways to fail, and limits of requests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import httpx
import msgspec
import pytest

from sources._linear import STATES
from sources.linear import Linear
from statusboard.client import ClientPool
from statusboard.clock import FakeClock
from statusboard.errors import AuthError, BadAnswer, NotFound, RateLimited, ServerError, SourceError
from statusboard.model import Ticket
from statusboard.source import Credentials
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all, read_one

URL = "https://api.linear.app/graphql"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def issue(number: int, type: str = "unstarted", *, team: str = "ENG", **more: Any) -> dict[str, Any]:
    return {
        "id": f"uuid-{number}",
        "identifier": f"{team}-{number}",
        "title": f"Title {number}",
        "url": f"https://linear.app/acme/issue/{team}-{number}/title",
        "priority": 2,
        "trashed": None,
        "createdAt": "2026-01-02T03:04:05.000Z",
        "updatedAt": "2026-01-02T04:00:00.000Z",
        "completedAt": "2026-01-02T05:00:00.000Z" if type == "completed" else None,
        "canceledAt": "2026-01-02T06:00:00.000Z" if type in ("canceled", "duplicate") else None,
        "dueDate": "2026-01-09",
        "state": {"name": f"our {type}", "type": type},
        "team": {"name": "Engineering"},
        "project": {"name": "Checkout"},
        "assignee": {"displayName": "ann"},
        "creator": {"displayName": "bob"},
        "labels": {"nodes": [{"name": "bug"}, {"name": "customer"}]},
        **more,
    }


class Server:
    """Linear's endpoint, as far as the two questions of the source go."""

    def __init__(self, *issues: dict[str, Any], teams: tuple[str, ...] = ("ENG", "OPS"), page: int = 250) -> None:
        self.issues = list(issues) or [issue(1), issue(2, "started"), issue(3, "completed")]
        self.teams = teams
        self.page = page
        self.faults: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}

    def __call__(self, call: Call) -> Answer:
        if call.method != "POST" or call.path != "/graphql":
            return Answer(status=404)
        if self.faults:
            answer = Answer.of({"data": None, "errors": self.faults})
            return msgspec.structs.replace(answer, headers={**answer.headers, **self.headers})
        asked = msgspec.json.decode(call.body)
        data = self.answer(**asked["variables"]) if "OpenIssues" in asked["query"] else self.one(asked["variables"])
        return Answer.of({"data": data})

    def answer(self, team: Any, issues: Any, first: int, after: str | None) -> dict[str, Any]:
        wanted = team.get("key", {}).get("eqIgnoreCase", "").upper()
        teams = [{"key": key} for key in self.teams if wanted in ("", key)]
        unwanted = issues["state"]["type"]["nin"]
        found = [one for one in self.issues if one["state"]["type"] not in unwanted]
        if "team" in issues:
            key = issues["team"]["key"]["eqIgnoreCase"].upper()
            found = [one for one in found if one["identifier"].startswith(f"{key}-")]
        start, size = int(after or 0), min(first, self.page)
        more = start + size < len(found)
        page = {"hasNextPage": more, "endCursor": str(start + size) if more else None}
        return {"teams": {"nodes": teams[:1]}, "issues": {"nodes": found[start : start + size], "pageInfo": page}}

    def one(self, variables: Any) -> dict[str, Any]:
        wanted = variables["issues"]["id"]["eq"]
        return {"issues": {"nodes": [one for one in self.issues if one["id"] == wanted]}}


class TestContract(SourceContract):
    source = Linear
    options: ClassVar = {"teams": ["ENG", "OPS"]}
    state_fields = ("type",)
    time_fields = ("createdAt", "updatedAt", "completedAt", "canceledAt", "dueDate")

    def vendor(self, call: Call) -> Answer:
        return Server(issue(1), issue(2, "started"), issue(4, "backlog", team="OPS"))(call)


async def read(server: Server, **options: Any) -> Any:
    source = make_source(Linear, options)
    http = FakeHttp(server, URL)
    return source, http, await read_one(source, http)


def variables(http: FakeHttp) -> list[Any]:
    return [msgspec.json.decode(call.body)["variables"] for call in http.calls]


async def test_open_issues_are_tickets() -> None:
    _, http, part = await read(Server())
    assert [(item.ticket_id, item.state) for item in part.items] == [("ENG-1", "open"), ("ENG-2", "in_progress")]
    assert part.items[0] == Ticket(
        key="linear:ticket:uuid-1",
        source="linear",
        title="Title 1",
        state="open",
        raw_state="our unstarted",
        ticket_id="ENG-1",
        priority="High",
        assignee="ann",
        actor="bob",
        team="Engineering",
        url="https://linear.app/acme/issue/ENG-1/title",
        labels={"bug": "", "customer": "", "project": "Checkout", "due": "2026-01-09"},
        started_at=NOW,
        updated_at=datetime(2026, 1, 2, 4, tzinfo=UTC),
    )
    assert (part.reach, part.notes) == ("window", ())
    assert [call.url for call in http.calls] == [URL]


@pytest.mark.parametrize("word", sorted(STATES))
@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
async def test_states(word: str, case: Any) -> None:
    server = Server(issue(1, word))
    server.issues[0]["state"]["type"] = case(word)
    source, http, part = await read(server)
    found = part.items[0] if part.items else await source.lookup("ticket", "uuid-1", http)
    assert found.state == STATES[word]
    assert (found.ended_at is not None) == (found.state in ("done", "cancelled"))


async def test_a_state_of_next_year_is_read_and_unknown() -> None:
    _, _, part = await read(Server(issue(1, "paused")))
    assert [(item.state, item.raw_state) for item in part.items] == [("unknown", "our paused")]


@pytest.mark.parametrize("number,word", [(0, ""), (1, "Urgent"), (2.0, "High"), (3, "Medium"), (4, "Low"), (9, "")])
async def test_priorities(number: float, word: str) -> None:
    _, _, part = await read(Server(issue(1, priority=number)))
    assert [item.priority for item in part.items] == [word]


async def test_the_backlog_may_be_left_out() -> None:
    server = Server(issue(1), issue(2, "backlog"), issue(3, "triage"))
    assert len((await read(server))[2].items) == 3
    assert [item.ticket_id for item in (await read(server, backlog=False))[2].items] == ["ENG-1"]


async def test_each_team_is_a_part_and_a_wrong_one_harms_no_other() -> None:
    source = make_source(Linear, {"teams": ["eng", "OPS", "EGN"]})
    server = Server(issue(1), issue(2, team="OPS"))
    parts = {part.scope: part for part in (await read_all(source, FakeHttp(server, URL))).parts}
    assert {name: [item.key for item in part.items] for name, part in parts.items()} == {
        "eng issues": ["linear:ticket:uuid-1"],
        "OPS issues": ["linear:ticket:uuid-2"],
        "EGN issues": [],
    }
    assert isinstance(parts["EGN issues"].error, NotFound)
    assert "EGN" in str(parts["EGN issues"].error)


async def test_a_key_that_sees_no_team_sees_nothing() -> None:
    with pytest.raises(NotFound, match="no team$"):
        await read(Server(teams=()))


async def test_pages() -> None:
    _, http, part = await read(Server(*[issue(n) for n in range(1, 8)], page=3))
    assert len(part.items) == 7
    assert [asked["after"] for asked in variables(http)] == [None, "3", "6"]
    assert part.notes == ()


async def test_no_more_than_the_limit_is_read_and_that_is_said() -> None:
    _, http, part = await read(Server(*[issue(n) for n in range(1, 300)]), limit=120)
    assert len(part.items) == 120
    assert [asked["first"] for asked in variables(http)] == [100, 20]
    assert part.notes == ("issues: only the 120 that changed last are read",)


async def test_small_pages_end() -> None:
    _, http, part = await read(Server(*[issue(n) for n in range(1, 200)], page=1))
    assert len(http.calls) == len(part.items) == 20
    assert part.notes


@pytest.mark.parametrize("cursor", ["x", None])
async def test_a_cursor_that_comes_again(cursor: str | None) -> None:
    page = {"nodes": [issue(1)], "pageInfo": {"hasNextPage": True, "endCursor": cursor}}
    answer = Answer.of({"data": {"teams": {"nodes": [{"key": "ENG"}]}, "issues": page}})
    with pytest.raises(BadAnswer, match="circle"):
        await read_one(make_source(Linear, {}), FakeHttp(lambda call: answer, URL))


# -- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault,kind",
    [
        ({"message": "no", "extensions": {"type": "authentication error", "code": "AUTHENTICATION_ERROR"}}, AuthError),
        ({"message": "no", "extensions": {"code": "AUTHENTICATION_ERROR"}}, AuthError),
        ({"message": "no", "extensions": {"type": "Forbidden"}}, AuthError),
        ({"message": "no", "extensions": {"type": "feature not accessible"}}, AuthError),
        ({"message": "no", "extensions": {"code": "RATELIMITED"}}, RateLimited),
        ({"message": "no", "extensions": {"type": "internal error"}}, ServerError),
        ({"message": "no", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}, ServerError),
        ({"message": "no", "extensions": {"type": "lock timeout"}}, ServerError),
        ({"message": "no", "extensions": {"type": "graphql error"}}, BadAnswer),
        ({"message": "no", "extensions": {"type": "something new"}}, BadAnswer),
        ({"message": "no"}, BadAnswer),
        ({}, BadAnswer),
        ("no", BadAnswer),
    ],
)
async def test_errors_that_come_with_200(fault: Any, kind: type[SourceError]) -> None:
    server = Server()
    server.faults = [fault]
    source = make_source(Linear, {})
    (part,) = (await read_all(source, FakeHttp(server, URL))).parts
    assert type(part.error) is kind
    assert part.items == ()


async def test_data_beside_errors_is_not_the_whole() -> None:
    good = msgspec.json.decode(Server()(Call(method="POST", url=URL, body=asked())).body)
    answer = Answer.of({**good, "errors": [{"message": "one field failed"}]})
    with pytest.raises(BadAnswer, match="one field failed"):
        await read_one(make_source(Linear, {}), FakeHttp(lambda call: answer, URL))


def asked() -> bytes:
    issues: dict[str, Any] = {"state": {"type": {"nin": []}}}
    return msgspec.json.encode(
        {"query": "OpenIssues", "variables": {"team": {}, "issues": issues, "first": 50, "after": None}}
    )


async def test_the_words_for_people_are_shown() -> None:
    server = Server()
    words = {"type": "invalid input", "userPresentableMessage": "The team is\narchived."}
    server.faults = [{"message": "Argument Validation Error", "extensions": words}]
    with pytest.raises(BadAnswer, match=r"Linear: The team is archived\."):
        await read(server)


@pytest.mark.parametrize(
    "headers,wait",
    [
        ({"x-ratelimit-requests-remaining": "0", "x-ratelimit-requests-reset": "1767323105000"}, 60.0),
        (
            {
                "x-ratelimit-requests-remaining": "7",
                "x-ratelimit-requests-reset": "1767323105000",
                "x-ratelimit-complexity-remaining": "0",
                "x-ratelimit-complexity-reset": "1767323075000",
            },
            30.0,
        ),
        ({"x-ratelimit-endpoint-requests-reset": "1767323050000"}, 5.0),
        ({"x-ratelimit-requests-remaining": "0", "x-ratelimit-requests-reset": "1767000000000"}, 0.0),
        ({}, None),
    ],
)
async def test_a_limit_says_when_it_ends(headers: dict[str, str], wait: float | None) -> None:
    server = Server()
    server.faults = [{"message": "Rate limit exceeded", "extensions": {"code": "RATELIMITED"}}]
    server.headers = headers
    (part,) = (await read_all(make_source(Linear, {}, FakeClock(NOW)), FakeHttp(server, URL))).parts
    assert isinstance(part.error, RateLimited)
    assert part.error.retry_after == wait


async def test_after_a_limit_with_400_nothing_is_sent_until_it_ends() -> None:
    """The real client reads the quota from the headers of whatever answer."""
    body = {"errors": [{"message": "Rate limit exceeded", "extensions": {"code": "RATELIMITED"}}]}
    headers = {"x-ratelimit-requests-remaining": "0", "x-ratelimit-requests-reset": "1767323105000"}
    calls = 0

    def limited(request: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        return httpx.Response(400, json=body, headers=headers)

    clock = FakeClock(NOW)
    source = make_source(Linear, {}, clock)
    async with ClientPool(clock, transport=httpx.MockTransport(limited), salt=b"test", trust_env=False) as pool:
        client = pool.for_source(source)
        (first,) = (await source.poll(client.factory)).parts
        (second,) = (await source.poll(client.factory)).parts
        assert isinstance(first.error, SourceError)
        assert isinstance(second.error, RateLimited)
        assert (calls, second.error.retry_after) == (1, 60.0)
        clock.advance(61)
        await source.poll(client.factory)
        assert calls == 2


@pytest.mark.parametrize(
    "token,header",
    [
        ("lin_api_0123456789", "lin_api_0123456789"),
        ("0123456789abcdefghijklmnopqrstuvwxyzABCD", "0123456789abcdefghijklmnopqrstuvwxyzABCD"),
        ("lin_oauth_0123456789", "Bearer lin_oauth_0123456789"),
        ("0123456789abcdef" * 4, "Bearer " + "0123456789abcdef" * 4),
    ],
)
def test_signing(token: str, header: str) -> None:
    assert make_source(Linear, {}).sign(Credentials(token=token)) == {"Authorization": header}
    assert make_source(Linear, {}).sign(Credentials()) == {}


# -- what left the list ----------------------------------------------------------------------------------------------


async def test_what_is_over_is_read_by_its_id() -> None:
    server = Server(issue(1), issue(2))
    source, http, _ = await read(server)
    server.issues = [issue(1, "completed"), issue(2, "duplicate")]
    await read_one(source, http)
    done, duplicate = [await source.lookup("ticket", f"uuid-{n}", http) for n in (1, 2)]
    assert (done.state, done.ended_at) == ("done", datetime(2026, 1, 2, 5, tzinfo=UTC))
    assert (duplicate.state, duplicate.ended_at) == ("cancelled", datetime(2026, 1, 2, 6, tzinfo=UTC))
    assert await source.lookup("ticket", "uuid-9", http) is None


async def test_what_moved_elsewhere_or_to_the_bin_is_gone() -> None:
    server = Server(issue(1), issue(2), issue(3))
    source, http, _ = await read(server, teams=["ENG"])
    server.issues = [issue(1, team="OPS"), issue(2, "completed", trashed=True), issue(3)]
    await read_one(source, http)
    assert [await source.lookup("ticket", f"uuid-{n}", http) for n in (1, 2)] == [None, None]


async def test_a_ticket_beyond_the_limit_is_let_go() -> None:
    """Else each that was ever changed would be kept and asked for again and again."""
    source, http, _ = await read(Server(issue(1), issue(2)), limit=1)
    assert await source.lookup("ticket", "uuid-2", http) is None


@pytest.mark.parametrize("teams", [["ENG-1"], [""], ["A\nB"]])
def test_teams_that_are_none(teams: list[str]) -> None:
    with pytest.raises(msgspec.ValidationError, match="`teams`"):
        make_source(Linear, {"teams": teams})
