"""Statuspage: incidents, maintenance, components without an incident, and pages by other makers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import pytest

from sources.statuspage import Statuspage
from statusboard.errors import BadAnswer, NotFound
from statusboard.model import Incident, Part
from statusboard.source import Source
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all, read_one

URL = "https://status.acme.example"


def component(id: str, status: str = "operational", **more: Any) -> dict[str, Any]:
    return {
        "id": id,
        "name": id.title(),
        "status": status,
        "description": None,
        "group": False,
        "group_id": None,
        "updated_at": "2026-01-02T03:04:05.000Z",
        **more,
    }


def incident(id: str, status: str = "investigating", *components: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": id,
        "name": "Webhooks are late",
        "status": status,
        "impact": "major",
        "shortlink": f"https://stspg.example/{id}",
        "created_at": "2026-01-02T02:00:00.000Z",
        "started_at": "2026-01-02T01:50:00.000Z",
        "updated_at": "2026-01-02T03:00:00.000Z",
        "resolved_at": None,
        "incident_updates": [
            {"body": "We found the cause.", "status": status, "display_at": "2026-01-02T02:30:00.000Z"},
            {"body": "We are looking.", "status": "investigating", "display_at": "2026-01-02T02:00:00.000Z"},
        ],
        "components": list(components),
        **more,
    }


def maintenance(id: str, status: str = "in_progress", *components: dict[str, Any], **more: Any) -> dict[str, Any]:
    window = {"scheduled_for": "2026-01-02T03:00:00Z", "scheduled_until": "2026-01-02T05:00:00Z"}
    return incident(id, status, *components, name="New disks", impact="maintenance", **window) | more


class Server:
    """A status page.  It gives an ETag, as Statuspage's network does."""

    def __init__(self) -> None:
        self.components = [component("api"), component("webhooks", "partial_outage"), component("search")]
        self.incidents = [incident("i1", "identified", self.components[1])]
        self.maintenances: list[dict[str, Any]] = []
        self.history: list[dict[str, Any]] = []
        self.indicator = "major"
        self.without: tuple[str, ...] = ()

    def __call__(self, call: Call) -> Answer:
        page = {"id": "p", "name": "Acme", "url": URL, "time_zone": "Etc/UTC", "updated_at": "2026-01-02T03:04:04Z"}
        match call.path:
            case "/api/v2/summary.json":
                summary = {
                    "page": page,
                    "status": {"indicator": self.indicator, "description": "Partial System Outage"},
                    "components": self.components,
                    "incidents": self.incidents,
                    "scheduled_maintenances": self.maintenances,
                }
                return Answer.of({name: value for name, value in summary.items() if name not in self.without})
            case "/api/v2/incidents.json":
                return Answer.of({"page": page, "incidents": [*self.incidents, *self.history]})
        return Answer(status=404, body=b"<html>Not here</html>", headers={"content-type": "text/html"})


class TestContract(SourceContract):
    source = Statuspage
    options: ClassVar = {"url": URL}
    state_fields = ("status",)
    time_fields = ("created_at", "started_at", "updated_at", "display_at", "resolved_at", "scheduled_for")
    # Without these lists, or without what marks a component as gone, there is simply less on a page.
    id_fields = ("id", "components", "scheduled_maintenances")

    def vendor(self, call: Call) -> Answer:
        server = Server()
        server.indicator = "none"  # or an empty page would still tell of something
        server.components.append(component("cdn", "degraded_performance"))
        server.maintenances = [maintenance("m1", "in_progress", component("search"))]
        return server(call)


def page(**options: Any) -> Source[Any]:
    return make_source(Statuspage, {"url": URL, **options})


async def read(server: Server, **options: Any) -> Part:
    return await read_one(page(**options), FakeHttp(server, URL))


async def one(server: Server, **options: Any) -> Incident:
    (found,) = (await read(server, **options)).items
    assert isinstance(found, Incident)
    return found


# -- incidents ---------------------------------------------------------------------------------------------------------


async def test_an_incident_names_the_page() -> None:
    part = await read(Server())
    assert part.items == (
        Incident(
            key="statuspage:incident:incident/i1",
            source="statuspage",
            title="Acme: Webhooks are late",
            description="We found the cause.",
            state="open",
            raw_state="identified",
            reason="Webhooks",
            severity="high",
            services=("Acme",),
            url="https://stspg.example/i1",
            labels={"impact": "major"},
            started_at=datetime(2026, 1, 2, 1, 50, tzinfo=UTC),
            updated_at=datetime(2026, 1, 2, 2, 30, tzinfo=UTC),
        ),
    )
    assert part.reach == "complete"


@pytest.mark.parametrize(
    "word,state",
    [
        ("investigating", "open"),
        ("Identified", "open"),
        ("MONITORING", "open"),
        ("resolved", "resolved"),
        ("postmortem", "resolved"),
        ("of next year", "unknown"),
        (None, "unknown"),
    ],
)
async def test_states_of_incidents(word: str | None, state: str) -> None:
    server = Server()
    server.components, server.incidents = [], [incident("i1") | {"status": word}]
    assert (await one(server)).state == state


@pytest.mark.parametrize(
    "impact,severity",
    [("critical", "critical"), ("Major", "high"), ("minor", "medium"), ("none", "info"), ("maintenance", "info"),
     ("huge", "unknown"), (None, "unknown")],
)  # fmt: skip
async def test_severity(impact: str | None, severity: str) -> None:
    server = Server()
    server.incidents[0]["impact"] = impact
    assert (await one(server)).severity == severity


async def test_how_an_incident_ended() -> None:
    server, source = Server(), page()
    server.components = []
    http = FakeHttp(server, URL)
    await read_one(source, http)
    over = incident("i1", "resolved", resolved_at="2026-01-02T03:03:00Z")
    server.incidents, server.history, server.indicator = [], [over, incident("i0", "resolved")], "none"
    (found,) = (await read_one(source, http)).items
    assert isinstance(found, Incident)
    assert (found.key, found.state) == ("statuspage:incident:incident/i1", "resolved")
    assert found.ended_at == found.updated_at == datetime(2026, 1, 2, 3, 3, tzinfo=UTC)
    assert (await read_one(source, http)).items == ()
    assert [call.path for call in http.calls].count("/api/v2/incidents.json") == 1


async def test_an_incident_that_is_merely_gone() -> None:
    server, source = Server(), page()
    server.components = []
    gone: list[bool] = []
    http = FakeHttp(lambda call: Answer(status=500) if gone and "incidents" in call.path else server(call), URL)
    await read_one(source, http)
    server.incidents, server.indicator = [], "none"
    gone.append(True)
    assert (await read_one(source, http)).items == ()


async def test_a_page_that_did_not_change_costs_nothing() -> None:
    server = Server()

    def vendor(call: Call) -> Answer:
        if call.headers.get("if-none-match") == '"1"':
            return Answer(status=304)
        answer = server(call)
        return Answer(body=answer.body, headers={**answer.headers, "etag": '"1"'})

    source, http = page(), FakeHttp(vendor, URL)
    await read_one(source, http)
    assert (await read_one(source, http)).unchanged


# -- maintenance -------------------------------------------------------------------------------------------------------


async def test_maintenance_needs_nobody() -> None:
    server = Server()
    ill = component("search", "under_maintenance")
    server.components, server.incidents = [ill], []
    server.maintenances = [maintenance("m1", "in_progress", ill), maintenance("m2", "scheduled")]
    found = await one(server)
    assert (found.key, found.title) == ("statuspage:incident:maintenance/m1", "Acme: New disks")
    assert (found.state, found.severity, found.suppressed_by) == ("suppressed", "info", "maintenance")
    assert found.started_at == datetime(2026, 1, 2, 3, tzinfo=UTC)
    assert found.suppressed_until == datetime(2026, 1, 2, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "word,state",
    [
        ("In_Progress", "suppressed"),
        ("verifying", "suppressed"),
        ("maintenance_in_progress", "suppressed"),
        ("scheduled", None),
        ("maintenance_scheduled", None),
        ("completed", None),
        ("maintenance_complete", None),
        ("of next year", "unknown"),
    ],
)
async def test_states_of_maintenance(word: str, state: str | None) -> None:
    server = Server()
    server.components, server.incidents, server.indicator = [], [], "none"
    server.maintenances = [maintenance("m1", word)]
    assert [item.state for item in (await read(server)).items] == ([state] if state else [])


async def test_an_outage_during_maintenance_is_an_outage() -> None:
    server = Server()
    server.components, server.incidents = [component("search", "major_outage")], []
    server.maintenances = [maintenance("m1", "in_progress", component("search"))]
    assert [item.state for item in (await read(server)).items] == ["suppressed", "open"]


# -- components --------------------------------------------------------------------------------------------------------


async def test_a_component_without_an_incident() -> None:
    server = Server()
    server.incidents = []
    assert await one(server) == Incident(
        key="statuspage:incident:component/webhooks",
        source="statuspage",
        title="Acme: Webhooks",
        state="open",
        raw_state="partial_outage",
        reason="partial outage",
        severity="high",
        services=("Acme",),
        url=URL,
        started_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        approximate=True,
    )


@pytest.mark.parametrize(
    "word,state,severity",
    [
        ("Degraded_Performance", "open", "medium"),
        ("partial_outage", "open", "high"),
        ("major_outage", "open", "critical"),
        ("full_outage", "open", "critical"),
        ("under_maintenance", "suppressed", "info"),
        ("of next year", "unknown", "unknown"),
        (None, "unknown", "unknown"),
    ],
)
async def test_states_of_components(word: str | None, state: str, severity: str) -> None:
    server = Server()
    server.incidents, server.components = [], [component("api") | {"status": word}, component("b", "OPERATIONAL")]
    found = await one(server)
    assert (found.state, found.severity) == (state, severity)


async def test_a_component_that_gets_worse_is_ill_since_it_was_well() -> None:
    """Else each turn would be a new episode."""
    server, source = Server(), page()
    server.incidents = []

    async def began(status: str, updated: str) -> Any:
        server.components = [component("api", status, updated_at=updated)]
        return [item.started_at for item in (await read_one(source, FakeHttp(server, URL))).items if "api" in item.key]

    first = await began("degraded_performance", "2026-01-02T03:00:00Z")
    assert await began("major_outage", "2026-01-02T03:02:00Z") == first
    assert await began("operational", "2026-01-02T03:03:00Z") == []
    (again,) = await began("major_outage", "2026-01-02T03:04:00Z")
    assert again == datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


async def test_announced_maintenance_and_old_incidents_excuse_no_component() -> None:
    server = Server()
    ill = server.components[1]
    server.incidents = [incident("i1", "resolved", ill)]
    server.maintenances = [maintenance("m1", "scheduled", ill)]
    assert "statuspage:incident:component/webhooks" in [item.key for item in (await read(server)).items]


async def test_a_group_repeats_its_children() -> None:
    server = Server()
    server.incidents = []
    server.components.append(component("events", "partial_outage", group=True))
    assert (await one(server)).key == "statuspage:incident:component/webhooks"


# -- narrowing ---------------------------------------------------------------------------------------------------------


def wide() -> Server:
    server = Server()
    server.components = [
        component("api"),
        component("hooks", "partial_outage", group_id="events"),
        component("events", "partial_outage", group=True),
        component("search", "major_outage"),
        component("eu 1", "major_outage"),
    ]
    server.incidents = [
        incident("i1", "investigating", server.components[0]),
        incident("i2", "investigating", server.components[4]),
        incident("i3"),
    ]
    server.maintenances = [maintenance("m1", "in_progress", server.components[3])]
    return server


@pytest.mark.parametrize(
    "components,shown",
    [
        (["Api"], ["incident/i1", "incident/i3"]),
        (["events"], ["incident/i3", "component/hooks"]),
        (["SEARCH"], ["incident/i3", "maintenance/m1", "component/search"]),
        (["eu *"], ["incident/i2", "incident/i3"]),
    ],
)
async def test_only_what_concerns_some_components(components: list[str], shown: list[str]) -> None:
    part = await read(wide(), components=components)
    assert [item.key.removeprefix("statuspage:incident:") for item in part.items] == shown


async def test_a_component_that_the_page_does_not_have() -> None:
    with pytest.raises(NotFound, match="none that is called Serach"):
        await read(wide(), components=["Serach"])
    snapshot = await read_all(page(components=["Api", "Serach"]), FakeHttp(wide(), URL))
    (part,) = snapshot.parts
    assert isinstance(part.error, NotFound)
    assert "Serach" in str(part.error)
    assert [item.key.removeprefix("statuspage:incident:") for item in part.items] == ["incident/i1", "incident/i3"]


def test_a_component_without_a_name() -> None:
    with pytest.raises(msgspec.ValidationError, match="`components`"):
        page(components=["Api", " "])


async def test_incidents_that_name_components_without_ids() -> None:
    server = wide()
    server.incidents = [incident("i1", "investigating", {"name": "Api"})]
    assert "incident/i1" in (await read(server, components=["api"])).items[0].key


# -- other makers ------------------------------------------------------------------------------------------------------


async def test_a_page_that_says_little() -> None:
    server = Server()
    server.without = ("page", "components", "scheduled_maintenances")
    server.incidents = [{"id": "i1", "name": "Down", "status": "investigating"}]
    found = await one(server)
    assert found == Incident(
        key="statuspage:incident:incident/i1",
        source="statuspage",
        title="Down",
        state="open",
        raw_state="investigating",
        url=URL,
    )


@pytest.mark.parametrize(
    "indicator,state,severity",
    [("minor", "open", "medium"), ("Major", "open", "high"), ("critical", "open", "critical"),
     ("red", "unknown", "unknown")],
)  # fmt: skip
async def test_a_page_that_is_ill_and_does_not_say_of_what(indicator: str, state: str, severity: str) -> None:
    server = Server()
    server.components, server.incidents, server.indicator = [], [], indicator
    found = await one(server)
    assert (found.key, found.title) == ("statuspage:incident:page", "Acme: Partial System Outage")
    assert (found.state, found.severity, found.raw_state) == (state, severity, indicator)


@pytest.mark.parametrize("indicator", ["none", "maintenance"])
async def test_a_page_that_is_well(indicator: str) -> None:
    server = Server()
    server.components, server.incidents, server.indicator = [component("api")], [], indicator
    assert (await read(server)).items == ()


async def test_what_is_no_status_page() -> None:
    server = Server()
    server.without = ("incidents",)
    for vendor in (server, lambda call: Answer.of({"page": {"name": "Acme", "status": "UP"}, "activeIncidents": []})):
        with pytest.raises(BadAnswer):
            await read_one(page(), FakeHttp(vendor, URL))
    with pytest.raises(NotFound):
        await read_one(page(), FakeHttp(lambda call: Answer(status=404), URL))


async def test_an_odd_row_costs_no_other() -> None:
    server = Server()
    server.incidents.append({"id": ["i2"]})
    (part,) = (await read_all(page(), FakeHttp(server, URL))).parts
    assert len(part.items) == 1
    assert isinstance(part.error, BadAnswer)
