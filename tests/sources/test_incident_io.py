"""incident.io: what is not over, severities by rank, roles, and how what left the list ended."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sources.incident_io import IncidentIo
from statusboard.errors import AuthError, BadAnswer, TooLarge
from statusboard.model import Incident
from statusboard.source import Credentials, LookupUnsupported, Source
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all, read_one

API = "https://api.incident.io"


def severity(rank: int) -> dict[str, Any]:
    names = {0: "Minor", 1: "Major", 2: "Critical"}
    return {"id": f"SEV{rank}", "name": names.get(rank, f"Level {rank}"), "rank": rank}


def role(kind: str, name: str, person: str | None) -> dict[str, Any]:
    role = {"id": name, "name": name, "role_type": kind}
    return {"role": role, "assignee": {"id": person, "name": person}} if person else {"role": role}


def happened(what: str, at: str | None) -> dict[str, Any]:
    return {"incident_timestamp": {"id": what, "name": what, "rank": 1}, "value": {"value": at} if at else None}


def incident(number: int, category: str = "live", **more: Any) -> dict[str, Any]:
    return {
        "id": f"01INC{number}",
        "reference": f"INC-{number}",
        "name": "The database is sad",
        "summary": "Writes are slow.",
        "mode": "standard",
        "visibility": "public",
        "permalink": f"https://app.incident.io/acme/incidents/{number}",
        "call_url": "https://meet.example/x",
        "slack_channel_name": f"inc-{number}",
        "created_at": "2026-01-02T02:00:00.123456Z",
        "updated_at": "2026-01-02T03:03:03Z",
        "incident_status": {"id": "S", "category": category, "name": "Fixing", "rank": 2},
        "severity": severity(1),
        "incident_type": {"id": "T", "name": "Production"},
        "creator": {"user": {"id": "U", "name": "Eve"}},
        "external_issue_reference": {"issue_name": "OPS-1", "issue_permalink": "https://jira.example/OPS-1"},
        "incident_role_assignments": [
            role("lead", "Incident Lead", "Ann"),
            role("reporter", "Reporter", "Eve"),
            role("custom", "Scribe", None),
        ],
        "incident_timestamp_values": [
            happened("Reported at", "2026-01-02T02:00:00Z"),
            happened("Accepted at", "2026-01-02T02:20:00Z"),
            happened("Resolved at", None),
        ],
        "custom_field_entries": [
            {
                "custom_field": {"id": "F1", "name": "Service", "field_type": "single_select"},
                "values": [{"value_catalog_entry": {"id": "C", "name": "Checkout"}}],
            },
            {
                "custom_field": {"id": "F2", "name": "Regions", "field_type": "multi_select"},
                "values": [{"value_option": {"id": "O", "value": "eu"}}, {"value_text": "us"}],
            },
        ],
        **more,
    }


class Server:
    """incident.io's API, with the filter and the paging that the source uses."""

    def __init__(self) -> None:
        self.incidents = [incident(3), incident(2, "triage", severity=None), incident(1, "closed")]
        self.severities = [severity(0), severity(1), severity(2)]
        self.severities_status = 200

    def __call__(self, call: Call) -> Answer:
        match call.path.split("/")[1:]:
            case ["v2", "incidents"]:
                wanted = call.query.get("status_category[one_of]")
                rows = [i for i in self.incidents if not wanted or i["incident_status"]["category"].lower() in wanted]
                size, after = int(call.param("page_size")), call.param("after")
                start = next((n + 1 for n, row in enumerate(rows) if row["id"] == after), 0)
                shown = rows[start : start + size]
                meta: dict[str, Any] = {"page_size": size, "total_record_count": len(rows)}
                if start + size < len(rows):
                    meta["after"] = shown[-1]["id"]
                return Answer.of({"incidents": shown, "pagination_meta": meta})
            case ["v2", "incidents", id]:
                found = [i for i in self.incidents if i["id"] == id]
                return Answer.of({"incident": found[0]}) if found else self.missing()
            case ["v1", "severities"]:
                return Answer.of({"severities": self.severities}, self.severities_status)
        return self.missing()

    def missing(self) -> Answer:
        return Answer.of({"type": "not_found", "status": 404, "errors": [{"message": "Not found"}]}, 404)


class TestContract(SourceContract):
    source = IncidentIo
    state_fields = ("category",)
    time_fields = ("created_at",)

    def vendor(self, call: Call) -> Answer:
        server = Server()
        server.incidents = [incident(3, incident_timestamp_values=[happened("Resolved at", None)])]
        return server(call)


def source() -> Source[Any]:
    return make_source(IncidentIo, {})


async def incidents(server: Server) -> list[Incident]:
    part = await read_one(source(), FakeHttp(server, API))
    return [item for item in part.items if isinstance(item, Incident)]


async def looked_up(**fields: Any) -> Incident:
    server = Server()
    server.incidents = [incident(1, **fields)]
    found = await source().lookup("incident", "01INC1", FakeHttp(server, API))
    assert isinstance(found, Incident)
    return found


async def test_what_is_not_over() -> None:
    http = FakeHttp(Server(), API)
    part = await read_one(source(), http)
    assert [item.key for item in part.items] == ["incident-io:incident:01INC3", "incident-io:incident:01INC2"]
    assert part.items[0] == Incident(
        key="incident-io:incident:01INC3",
        source="incident-io",
        title="INC-3: The database is sad",
        description="Writes are slow.",
        state="open",
        raw_state="live",
        reason="Fixing",
        severity="high",
        url="https://app.incident.io/acme/incidents/3",
        links={"call": "https://meet.example/x", "issue": "https://jira.example/OPS-1"},
        labels={
            "service": "Checkout",
            "regions": "eu, us",
            "incident lead": "Ann",
            "reporter": "Eve",
            "severity": "Major",
            "incident_type": "Production",
            "slack_channel": "inc-3",
        },
        actor="Eve",
        assignee="Ann",
        started_at=datetime(2026, 1, 2, 2, 0, 0, 123456, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 2, 20, tzinfo=UTC),
    )
    assert part.reach == "window"  # what has left is read by its id
    assert http.calls[0].query["status_category[one_of]"] == ["triage", "live", "paused"]


@pytest.mark.parametrize(
    "category,state",
    [
        ("triage", "open"),
        ("live", "open"),
        ("Active", "open"),
        ("paused", "open"),
        ("learning", "resolved"),
        ("Post-incident", "resolved"),
        ("closed", "resolved"),
        ("declined", "resolved"),
        ("merged", "resolved"),
        ("canceled", "resolved"),
        ("of next year", "unknown"),
        (None, "unknown"),
    ],
)
async def test_states_in_both_vocabularies(category: Any, state: str) -> None:
    assert (await looked_up(category=category)).state == state
    server = Server()
    server.incidents = [incident(1, category)]
    # As if the server minded no filter: what is over is left out.
    http = FakeHttp(lambda call: Answer.of({"incidents": server.incidents}), API)
    part = await read_one(source(), http)
    assert [item.state for item in part.items] == ([] if state == "resolved" else [state])


async def test_an_update_that_says_nothing_new() -> None:
    server = Server()
    before = await incidents(server)
    server.incidents[0]["updated_at"] = "2026-01-02T03:04:04Z"
    assert await incidents(server) == before


@pytest.mark.parametrize("mode", ["test", "Tutorial"])
async def test_what_is_not_real(mode: str) -> None:
    server = Server()
    server.incidents = [incident(1, mode=mode), incident(2, mode="retrospective")]
    assert [item.key for item in await incidents(server)] == ["incident-io:incident:01INC2"]


@pytest.mark.parametrize(
    "creator,actor",
    [
        ({"workflow": {"name": "Auto-declare"}}, "Auto-declare"),
        ({"api_key": {"name": "ci"}}, "ci"),
        ({"alert": {"id": "A", "title": "CPU is high"}}, "CPU is high"),
        ({}, ""),
        (None, ""),
    ],
)
async def test_who_declared_it(creator: Any, actor: str) -> None:
    assert (await looked_up(creator=creator)).actor == actor


async def test_several_leads() -> None:
    leads = [role("lead", "Incident Lead", "Ann"), role("LEAD", "Lead", "Bob"), role("lead", "Incident Lead", "Ann")]
    assert (await looked_up(incident_role_assignments=leads)).assignee == "Ann, Bob"


# -- severities --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ranks,expected",
    [
        ([0, 1, 2], {2: "critical", 1: "high", 0: "medium"}),
        ([10, 30], {30: "critical", 10: "high"}),
        ([1, 2, 3, 4, 5, 6], {6: "critical", 5: "high", 4: "medium", 3: "low", 2: "info", 1: "info"}),
    ],
)
async def test_severities_go_by_rank(ranks: list[int], expected: dict[int, str]) -> None:
    server = Server()
    server.severities = [severity(rank) for rank in ranks]
    server.incidents = [incident(rank, severity=severity(rank)) for rank in ranks]
    assert {int(item.key.rpartition("INC")[2]): item.severity for item in await incidents(server)} == expected


async def test_severities_are_read_hourly_and_for_a_new_one() -> None:
    server = Server()
    the_source, http = source(), FakeHttp(server, API)

    async def asked() -> int:
        await read_one(the_source, http)
        return sum(call.path == "/v1/severities" for call in http.calls)

    assert [await asked(), await asked()] == [1, 1]
    server.severities.append(severity(3))
    server.incidents[0] = incident(3, severity=severity(3))
    assert await asked() == 1
    the_source.clock.advance(301)  # type: ignore[attr-defined]
    assert [await asked(), await asked()] == [2, 2]
    the_source.clock.advance(3601)  # type: ignore[attr-defined]
    assert await asked() == 3


async def test_no_severities_are_asked_for_while_nothing_is_open() -> None:
    server = Server()
    server.incidents = []
    http = FakeHttp(server, API)
    assert (await read_one(source(), http)).items == ()
    assert len(http.calls) == 1


async def test_without_the_right_to_see_severities() -> None:
    server = Server()
    server.severities_status = 403
    part = await read_one(source(), FakeHttp(server, API))
    item = part.items[0]
    assert isinstance(item, Incident)
    assert (item.severity, item.labels["severity"]) == ("unknown", "Major")  # left to the catalog
    assert part.notes == ("severities cannot be read: the server answered 403",)


# -- paging, what has left, access -------------------------------------------------------------------------------------


async def test_pages() -> None:
    server = Server()
    server.incidents = [incident(n) for n in range(600)]
    http = FakeHttp(server, API)
    assert len((await read_one(source(), http)).items) == 600
    assert [call.param("after") for call in http.calls if call.path == "/v2/incidents"] == ["", "01INC249", "01INC499"]


async def test_more_than_are_read_is_said() -> None:
    server = Server()
    server.incidents = [incident(n) for n in range(1001)]
    (part,) = (await read_all(source(), FakeHttp(server, API))).parts
    assert len(part.items) == 1000
    assert isinstance(part.error, TooLarge)


async def test_how_it_ended() -> None:
    times = [happened("Closed at", "2026-01-02T03:02:00Z"), happened("Resolved at", "2026-01-02T03:00:00Z")]
    found = await looked_up(category="closed", incident_timestamp_values=times)
    assert (found.state, found.severity) == ("resolved", "high")
    assert found.ended_at == datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
    assert found.updated_at == datetime(2026, 1, 2, 3, 2, tzinfo=UTC)
    assert (await looked_up(category="closed", incident_timestamp_values=None)).ended_at is None


async def test_what_cannot_be_looked_up() -> None:
    with pytest.raises(LookupUnsupported):  # it was made private: unknown, and not resolved
        await source().lookup("incident", "01INC99", FakeHttp(Server(), API))
    with pytest.raises(BadAnswer):
        await source().lookup("incident", "01INC1", FakeHttp(lambda call: Answer.of({"incident": []}), API))


async def test_access() -> None:
    assert source().sign(Credentials(token="k")) == {"Authorization": "Bearer k"}
    refusal = {"type": "authentication_error", "status": 401, "errors": [{"message": "No authorization"}]}
    with pytest.raises(AuthError):
        await read_one(source(), FakeHttp(lambda call: Answer.of(refusal, 401), API))
