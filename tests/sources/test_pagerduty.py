"""PagerDuty: open incidents, names for ids, who is on call, and how what left the list ended."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import pytest

from sources.pagerduty import PagerDuty
from statusboard.catalog import Catalog
from statusboard.errors import AuthError, BadAnswer, NotFound, TooLarge
from statusboard.model import Incident
from statusboard.source import Credentials
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all, read_one

API = "https://api.pagerduty.com"


def reference(id: str, summary: str) -> dict[str, Any]:
    """Whatever an incident refers to; PagerDuty gives addresses with it as well."""
    return {"id": id, "summary": summary}


ANN, BOB = reference("PUSER01", "Ann"), reference("PUSER02", "Bob")
CHECKOUT, LEDGER = reference("PSVC001", "Checkout"), reference("PSVC002", "LEDGERS")
POLICY = reference("PPOL001", "Payments by day")


def incident(number: int, status: str = "triggered", **more: Any) -> dict[str, Any]:
    return {
        "id": f"Q{number}",
        "summary": f"[#{number}] The till is down",
        "html_url": f"https://acme.pagerduty.com/incidents/Q{number}",
        "incident_number": number,
        "title": "The till is down",
        "created_at": "2026-01-02T02:00:00Z",
        "updated_at": "2026-01-02T03:00:00Z",
        "status": status,
        "incident_key": f"till-{number}",
        "service": CHECKOUT,
        "assignments": [{"at": "2026-01-02T02:10:00Z", "assignee": ANN}],
        "assigned_via": "escalation_policy",
        "last_status_change_at": "2026-01-02T02:30:00Z",
        "resolved_at": None,
        "first_trigger_log_entry": reference("R1", "Triggered through the API"),
        "escalation_policy": POLICY,
        "teams": [reference("PTEAM01", "Payments")],
        "pending_actions": [],
        "acknowledgements": [],
        "last_status_change_by": BOB,
        "priority": None,
        "resolve_reason": None,
        "urgency": "high",
        **more,
    }


ACKNOWLEDGED = incident(
    2,
    "acknowledged",
    priority=reference("PPRIO01", "P1"),
    acknowledgements=[{"at": "2026-01-02T02:30:00Z", "acknowledger": BOB}],
    pending_actions=[
        {"type": "unacknowledge", "at": "2026-01-02T06:30:00Z"},
        {"type": "resolve", "at": "2026-01-03T02:00:00Z"},
    ],
)


class Server:
    """PagerDuty's REST API, with the filters and the paging that the source uses."""

    def __init__(self) -> None:
        self.incidents = [incident(1), ACKNOWLEDGED, incident(3, "resolved", resolved_at="2026-01-02T02:30:00Z")]
        self.services = [CHECKOUT, LEDGER]
        self.oncalls: list[dict[str, Any]] = [
            {"escalation_policy": POLICY, "escalation_level": 2, "user": reference("PUSER03", "Boss"), "start": None},
            {"escalation_policy": POLICY, "escalation_level": 1, "user": BOB, "start": "2026-01-02T00:00:00Z"},
            {"escalation_policy": POLICY, "escalation_level": 1, "user": ANN, "start": "2026-01-02T00:00:00Z"},
        ]

    def __call__(self, call: Call) -> Answer:
        match call.path.split("/")[1:]:
            case ["incidents"]:
                rows = [i for i in self.incidents if i["status"].lower() in call.query["statuses[]"]]
                if wanted := call.query.get("service_ids[]"):
                    rows = [i for i in rows if i["service"]["id"] in wanted]
                if wanted := call.query.get("team_ids[]"):
                    rows = [i for i in rows if any(team["id"] in wanted for team in i["teams"])]
                if call.param("date_range") != "all":
                    rows = [i for i in rows if i["created_at"] > "2025-12-02"]
                return self.page("incidents", rows, call)
            case ["incidents", id]:
                found = [i for i in self.incidents if i["id"] == id]
                return Answer.of({"incident": found[0]}) if found else self.missing()
            case ["oncalls"]:
                policies = call.query["escalation_policy_ids[]"]
                return self.page("oncalls", [o for o in self.oncalls if o["escalation_policy"]["id"] in policies], call)
            case ["services"]:
                query = call.param("query").lower()
                return self.page("services", [s for s in self.services if query in s["summary"].lower()], call)
            case ["services", id]:
                found = [s for s in self.services if s["id"] == id]
                return Answer.of({"service": found[0]}) if found else self.missing()
            case ["teams"]:
                return self.page("teams", [{"id": "PTEAM01", "name": "Payments", "type": "team"}], call)
        return self.missing()

    def missing(self) -> Answer:
        return Answer.of({"error": {"message": "Not Found", "code": 2100}}, 404)

    def page(self, what: str, rows: list[Any], call: Call) -> Answer:
        offset, limit = int(call.param("offset", "0")), int(call.param("limit", "25"))
        more = len(rows) > offset + limit
        shown = rows[offset : offset + limit]
        return Answer.of({what: shown, "limit": limit, "offset": offset, "more": more, "total": None})


class TestContract(SourceContract):
    source = PagerDuty
    state_fields = ("status",)
    time_fields = ("created_at", "last_status_change_at", "resolved_at", "at")

    def vendor(self, call: Call) -> Answer:
        return Server()(call)


class TestContractWithNames(TestContract):
    options: ClassVar = {"services": ["Checkout", "PSVC002"], "on_call": False}

    id_fields = ("id", "services", "summary")


def calls(http: FakeHttp, path: str) -> list[Call]:
    return [call for call in http.calls if call.path == path]


async def test_what_is_open() -> None:
    part = await read_one(make_source(PagerDuty, {}), FakeHttp(Server(), API))
    triggered, acknowledged = part.items
    assert triggered == Incident(
        key="pagerduty:incident:Q1",
        source="pagerduty",
        title="The till is down",
        state="open",
        raw_state="triggered",
        severity="high",
        fingerprint="till-1",
        services=("Checkout",),
        team="Payments",
        url="https://acme.pagerduty.com/incidents/Q1",
        labels={"urgency": "high", "escalation_policy": "Payments by day", "on_call": "Ann, Bob"},
        trigger="Triggered through the API",
        assignee="Ann",
        started_at=datetime(2026, 1, 2, 2, 0, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 2, 10, tzinfo=UTC),
    )
    assert acknowledged == Incident(
        key="pagerduty:incident:Q2",
        source="pagerduty",
        title="The till is down",
        state="acknowledged",
        raw_state="acknowledged",
        reason="triggers again at 2026-01-02 06:30 UTC",
        fingerprint="till-2",
        services=("Checkout",),
        team="Payments",
        url="https://acme.pagerduty.com/incidents/Q2",
        labels={
            "severity": "P1",
            "priority": "P1",
            "urgency": "high",
            "escalation_policy": "Payments by day",
            "on_call": "Ann, Bob",
        },
        trigger="Triggered through the API",
        assignee="Ann",
        acknowledged_by="Bob",
        acknowledged_at=datetime(2026, 1, 2, 2, 30, tzinfo=UTC),
        suppressed_until=datetime(2026, 1, 2, 6, 30, tzinfo=UTC),
        started_at=datetime(2026, 1, 2, 2, 0, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 2, 30, tzinfo=UTC),
    )
    assert part.reach == "window"  # what has left is read by its id


@pytest.mark.parametrize(
    "priority,urgency,severity",
    [
        ("P1", "low", "critical"),
        ("p3", "high", "medium"),
        ("SEV2", "low", "high"),
        ("Nuclear", "low", "critical"),
        ("of next year", "low", "unknown"),
        (None, "high", "high"),
        (None, "LOW", "low"),
        (None, None, "unknown"),
    ],
)
async def test_severity_as_the_board_shows_it(priority: str | None, urgency: str | None, severity: str) -> None:
    server = Server()
    server.incidents = [incident(1, priority=priority and {"id": "P1", "summary": priority}, urgency=urgency)]
    part = await read_one(make_source(PagerDuty, {}), FakeHttp(server, API))
    shown = Catalog(severities={"nuclear": "critical"}).resolve(part.items[0])
    assert isinstance(shown, Incident)
    assert shown.severity == severity


async def test_what_was_triggered_long_ago_is_open_all_the_same() -> None:
    server = Server()
    server.incidents = [incident(1, created_at="2025-06-01T00:00:00Z")]
    part = await read_one(make_source(PagerDuty, {}), FakeHttp(server, API))
    assert [item.key for item in part.items] == ["pagerduty:incident:Q1"]


async def test_a_grouped_alert_changes_nothing() -> None:
    server = Server()
    source = make_source(PagerDuty, {})
    before = await read_one(source, FakeHttp(server, API))
    server.incidents[0] = incident(
        1, updated_at="2026-01-02T03:03:03Z", last_status_change_at="2026-01-02T03:03:03Z", alert_counts={"all": 9}
    )
    assert (await read_one(source, FakeHttp(server, API))).items == before.items


async def test_what_has_left_the_list_is_read_by_its_id() -> None:
    server = Server()
    server.incidents[2]["resolve_reason"] = {
        "type": "merge_resolve_reason",
        "incident": reference("Q9", "[#9] Everything is down"),
    }
    source = make_source(PagerDuty, {})
    found = await source.lookup("incident", "Q3", FakeHttp(server, API))
    assert isinstance(found, Incident)
    assert (found.state, found.actor, found.reason) == ("resolved", "Bob", "merged into [#9] Everything is down")
    assert found.ended_at == found.updated_at == datetime(2026, 1, 2, 2, 30, tzinfo=UTC)
    assert "on_call" not in found.labels
    with pytest.raises(NotFound):
        await source.lookup("incident", "Q99", FakeHttp(server, API))


async def test_a_name_that_many_others_hold() -> None:
    server = Server()
    server.services = [reference(f"POTHER{n}", f"A{n} Checkout") for n in range(120)] + [CHECKOUT]
    http = FakeHttp(server, API)
    await read_one(make_source(PagerDuty, {"services": ["checkout"]}), http)
    assert calls(http, "/incidents")[0].query["service_ids[]"] == ["PSVC001"]


async def test_of_many_that_end_at_once_the_list_tells() -> None:
    server = Server()
    server.incidents = [incident(n) for n in range(300)]
    http = FakeHttp(server, API)
    source = make_source(PagerDuty, {"on_call": False})
    await read_one(source, http)
    older = [incident(n, "resolved", resolved_at="2026-01-02T01:00:00Z") for n in range(300, 999)]
    server.incidents = [incident(n, "resolved", resolved_at="2026-01-02T03:00:00Z") for n in range(1, 300)]
    server.incidents += [incident(0), *older]
    http.calls.clear()
    part = await read_one(source, http)
    assert len(http.calls) == 4
    assert http.calls[-1].param("sort_by") == "resolved_at:desc"
    assert sum(item.state == "resolved" for item in part.items) == 299
    assert {item.key for item in part.items} == {f"pagerduty:incident:Q{n}" for n in range(300)}
    http.calls.clear()
    assert len((await read_one(source, http)).items) == 1
    assert len(http.calls) == 1


async def test_how_many_ended_is_asked_in_vain_without_harm() -> None:
    server = Server()
    server.incidents = [incident(n) for n in range(10)]
    source = make_source(PagerDuty, {"on_call": False})
    await read_one(source, FakeHttp(server, API))
    server.incidents = [incident(0)]

    def vendor(call: Call) -> Answer:
        return Answer.of({}, 500) if call.param("statuses[]") == "resolved" else server(call)

    assert [item.key for item in (await read_one(source, FakeHttp(vendor, API))).items] == ["pagerduty:incident:Q0"]


# -- paging ------------------------------------------------------------------------------------------------------------


async def test_pages() -> None:
    server = Server()
    server.incidents = [incident(n) for n in range(250)]
    http = FakeHttp(server, API)
    part = await read_one(make_source(PagerDuty, {}), http)
    assert len(part.items) == 250
    assert [call.param("offset") for call in calls(http, "/incidents")] == ["0", "100", "200"]


async def test_more_than_are_read_is_said() -> None:
    server = Server()
    server.incidents = [incident(n) for n in range(1001)]
    http = FakeHttp(server, API)
    (part,) = (await read_all(make_source(PagerDuty, {}), http)).parts
    assert len(part.items) == 1000
    assert isinstance(part.error, TooLarge)
    assert len(calls(http, "/incidents")) == 10


async def test_a_page_that_only_promises_is_no_answer() -> None:
    http = FakeHttp(lambda call: Answer.of({"incidents": [], "more": True}), API)
    with pytest.raises(BadAnswer):
        await read_one(make_source(PagerDuty, {}), http)


# -- services and teams ------------------------------------------------------------------------------------------------


async def test_names_and_ids() -> None:
    server = Server()
    server.incidents = [incident(1), incident(2, service=LEDGER), incident(3, service=reference("PSVC009", "Other"))]
    http = FakeHttp(server, API)
    source = make_source(PagerDuty, {"services": ["checkout", "PSVC002", "LEDGERS"]})
    await read_one(source, http)
    part = await read_one(source, http)
    assert [item.key for item in part.items] == ["pagerduty:incident:Q1", "pagerduty:incident:Q2"]
    assert len(calls(http, "/services")) == 2  # once for each name
    assert calls(http, "/incidents")[0].query["service_ids[]"] == ["PSVC001", "PSVC002"]


async def test_teams() -> None:
    server = Server()
    server.incidents = [incident(1), incident(2, teams=[])]
    part = await read_one(make_source(PagerDuty, {"teams": ["Payments"]}), FakeHttp(server, API))
    assert [item.key for item in part.items] == ["pagerduty:incident:Q1"]


@pytest.mark.parametrize("name", ["Chekout", "PSVC999", "check"])
async def test_what_pagerduty_does_not_know_is_no_green_board(name: str) -> None:
    with pytest.raises(NotFound, match=name):
        await read_one(make_source(PagerDuty, {"services": [name]}), FakeHttp(Server(), API))


async def test_one_wrong_name_hides_nothing_of_the_others() -> None:
    source = make_source(PagerDuty, {"services": ["Checkout", "Chekout"]})
    (part,) = (await read_all(source, FakeHttp(Server(), API))).parts
    assert len(part.items) == 2
    assert isinstance(part.error, NotFound)


async def test_names_are_read_again_and_kept_where_that_fails() -> None:
    server = Server()
    failing: list[bool] = []

    def vendor(call: Call) -> Answer:
        return Answer(status=500) if failing and call.path == "/services" else server(call)

    http = FakeHttp(vendor, API)
    source = make_source(PagerDuty, {"services": ["Checkout"]})
    await read_one(source, http)
    source.clock.advance(3601)  # type: ignore[attr-defined]
    failing.append(True)
    assert len((await read_one(source, http)).items) == 2
    failing.clear()
    server.services = []
    with pytest.raises(NotFound):
        await read_one(source, http)


@pytest.mark.parametrize("options", [{"services": ["a"], "teams": ["b"]}, {"services": [" "]}, {"teams": [""]}])
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError, match="`services`|`teams`"):
        make_source(PagerDuty, options)


# -- on call -----------------------------------------------------------------------------------------------------------


async def test_who_is_on_call_is_read_every_five_minutes() -> None:
    server = Server()
    http = FakeHttp(server, API)
    source = make_source(PagerDuty, {})
    for _ in range(3):
        await read_one(source, http)
    assert len(calls(http, "/oncalls")) == 1
    server.oncalls = server.oncalls[:1]
    source.clock.advance(301)  # type: ignore[attr-defined]
    part = await read_one(source, http)
    assert len(calls(http, "/oncalls")) == 2
    assert {item.labels["on_call"] for item in part.items} == {"Boss"}  # the first level that anybody is on
    assert {item.assignee for item in part.items if isinstance(item, Incident)} == {"Ann"}


async def test_nobody_is_asked_for_while_nothing_is_open() -> None:
    server = Server()
    server.incidents = []
    http = FakeHttp(server, API)
    await read_one(make_source(PagerDuty, {}), http)
    assert len(http.calls) == 1


async def test_who_is_on_call_can_be_left_out() -> None:
    http = FakeHttp(Server(), API)
    part = await read_one(make_source(PagerDuty, {"on_call": False}), http)
    assert not calls(http, "/oncalls")
    assert "on_call" not in part.items[0].labels


async def test_without_the_right_to_see_who_is_on_call() -> None:
    server = Server()
    refused: list[bool] = []

    def vendor(call: Call) -> Answer:
        return Answer(status=403) if refused and call.path == "/oncalls" else server(call)

    http = FakeHttp(vendor, API)
    source = make_source(PagerDuty, {})
    before = await read_one(source, http)
    refused.append(True)
    source.clock.advance(301)  # type: ignore[attr-defined]
    part = await read_one(source, http)
    assert part.items == before.items
    assert part.notes == ("who is on call cannot be read: the server answered 403",)
    assert (await read_one(source, http)).notes == part.notes
    assert len(calls(http, "/oncalls")) == 2  # it is not asked at every poll
    refused.clear()
    source.clock.advance(301)  # type: ignore[attr-defined]
    assert (await read_one(source, http)).notes == ()


# -- access ------------------------------------------------------------------------------------------------------------


async def test_access() -> None:
    source = make_source(PagerDuty, {})
    assert source.sign(Credentials(token="k")) == {"Authorization": "Token token=k"}
    assert source.request_headers()["Accept"] == "application/vnd.pagerduty+json;version=2"
    with pytest.raises(AuthError):
        await read_one(source, FakeHttp(lambda call: Answer(status=401), API))
