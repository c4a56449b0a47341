"""Grafana: alerts of its own rules, rules without data and with errors, and Alertmanagers behind it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import pytest

from sources.grafana import Grafana
from statusboard.model import Incident, Part
from statusboard.source import Credentials, Source
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all

URL = "https://example.com/grafana"
NOW = "Fri, 02 Jan 2026 03:04:05 GMT"
SINCE = "2026-01-02T01:00:00Z"
EVALUATED = "2026-01-02T03:03:40Z"
UID = "aeu5x"


def instance(state: str = "Alerting", **more: Any) -> dict[str, Any]:
    """An alert as Grafana's rules list it."""
    labels = {"alertname": "Latency", "grafana_folder": "Shop", "severity": "critical", **more.pop("labels", {})}
    return {
        "labels": {"__alert_rule_uid__": UID, "__alert_rule_namespace_uid__": "f1", **labels},
        "annotations": {
            "__dashboardUid__": "d1",
            "__orgId__": "1",
            "__panelId__": "4",
            "description": "p99 over 2 s.",
            "runbook_url": "https://run.example/1",
            "summary": "checkout is slow",
        },
        "state": state,
        "activeAt": SINCE,
        "value": "B=2.1",
        **more,
    }


def rule(name: str = "Latency", *alerts: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A rule; its state is what Grafana makes of the worst of its alerts."""
    words = {alert["state"].partition(" ")[0] for alert in alerts}
    state = "firing" if "Alerting" in words else "pending" if "Pending" in words else "inactive"
    listed = {"alerts": list(alerts)} if alerts else {}
    health = "error" if "Error" in words else "nodata" if "NoData" in words else "ok"
    return {
        "state": state,
        "name": name,
        "query": "histogram_quantile(0.99, x)",
        "queriedDatasourceUIDs": ["prom"],
        "duration": 300,
        "annotations": {"summary": "checkout is slow"},
        **listed,
        "totals": {},
        "uid": UID,
        "folderUid": "f1",
        "labels": {"severity": "critical"},
        "health": health,
        "isPaused": False,
        "type": "alerting",
        "lastEvaluation": EVALUATED,
        "evaluationTime": 0.01,
        **more,
    }


def group(*rules: dict[str, Any], folder: str = "Shop", **more: Any) -> dict[str, Any]:
    times = {"interval": 60, "lastEvaluation": EVALUATED, "evaluationTime": 0.01}
    return {"name": "checkout", "file": folder, "folderUid": "f1", "rules": list(rules), "totals": {}, **times, **more}


def sent(state: str = "suppressed", silenced_by: tuple[str, ...] = ("s1",), **more: Any) -> dict[str, Any]:
    """An alert as an Alertmanager lists it."""
    listed = instance(**{"labels": {}, **more})
    return {
        "annotations": listed["annotations"],
        "endsAt": "2026-01-02T03:08:00.000Z",
        "fingerprint": "57c6d9296de2ad39",
        "receivers": [{"active": None, "integrations": None, "name": "ops"}],
        "startsAt": SINCE,
        "status": {"inhibitedBy": [], "mutedBy": [], "silencedBy": list(silenced_by), "state": state},
        "updatedAt": EVALUATED,
        "generatorURL": f"{URL}/alerting/grafana/{UID}/view",
        "labels": listed["labels"],
    }


class Server:
    """A Grafana as its code describes it, with the Alertmanager data source ``am1``."""

    def __init__(self, *groups: dict[str, Any]) -> None:
        self.groups = list(groups)
        self.alerts: dict[str, list[dict[str, Any]]] = {"grafana": [], "am1": []}
        self.silences = [
            {
                "id": "s1",
                "createdBy": "ann",
                "comment": "planned work",
                "endsAt": "2026-01-02T05:00:00.000Z",
                "matchers": [],
                "status": {"state": "active"},
            }
        ]
        self.refuse: dict[str, int] = {}
        self.calls: list[Call] = []

    def __call__(self, call: Call) -> Answer:
        self.calls.append(call)
        path = call.path.removeprefix("/grafana")
        if status := self.refuse.get(path):
            return Answer.of({"message": "no"}, status)
        if path == "/api/prometheus/grafana/api/v1/rules":
            assert call.query == {"includeInternalLabels": ["true"]}
            return Answer.of({"status": "success", "data": {"groups": self.groups, "totals": {}}}, date=NOW)
        uid, _, what = path.removeprefix("/api/alertmanager/").partition("/api/v2/")
        if uid not in self.alerts:
            return Answer.of({"message": "Unable to find datasource"}, 404)
        answers: dict[str, Any] = {
            "alerts": self.alerts[uid],
            "silences": self.silences,
            "status": {"uptime": "2025-12-01T00:00:00.000Z"},
        }
        return Answer.of(answers[what], date=NOW)

    @property
    def paths(self) -> list[str]:
        return [call.path.removeprefix("/grafana/api/") for call in self.calls]


class TestContract(SourceContract):
    source = Grafana
    options: ClassVar = {"url": URL}
    state_fields = ("state", "health")
    time_fields = ("activeAt", "lastEvaluation", "endsAt", "startsAt", "updatedAt")
    id_fields = ("labels", "host", "uid")

    def vendor(self, call: Call) -> Answer:
        server = Server(
            group(
                rule("Latency", instance(labels={"host": "a"}), instance("Pending", labels={"host": "b"})),
                rule("Empty", instance("NoData", labels={"alertname": "Empty"}), uid="r2"),
                rule("Fine", instance("Normal", labels={"alertname": "Fine"}), uid="r3"),
                rule("Quiet", instance("Recovering", labels={"alertname": "Quiet"}), uid="r4"),
            )
        )
        server.alerts["grafana"] = [sent(labels={"alertname": "Quiet"})]
        return server(call)


class TestContractBehindIt(SourceContract):
    source = Grafana
    options: ClassVar = {"url": URL, "alertmanagers": ["am1"]}
    state_fields = ("state",)
    time_fields = ("startsAt", "endsAt", "updatedAt", "uptime")
    id_fields = ("fingerprint",)

    def vendor(self, call: Call) -> Answer:
        server = Server()
        server.alerts["am1"] = [sent("active", ()), {**sent(), "fingerprint": "b2"}]
        return server(call)


async def poll(source: Source[Any], server: Server) -> dict[str, Part]:
    return {part.scope: part for part in (await read_all(source, FakeHttp(server, URL))).parts}


async def read(server: Server, **options: Any) -> dict[str, Part]:
    return await poll(make_source(Grafana, {"url": URL, **options}), server)


async def one(server: Server, **options: Any) -> Incident:
    parts = await read(server, **options)
    assert parts["alerts"].error is None
    (incident,) = parts["alerts"].items
    assert isinstance(incident, Incident)
    return incident


# --- Grafana's own --------------------------------------------------------------------------------------------------


async def test_an_alert_is_an_open_incident() -> None:
    server = Server(group(rule("Latency", instance(), instance("Normal", labels={"host": "b"}))))
    parts = await read(server)
    (incident,) = parts["alerts"].items
    assert isinstance(incident, Incident)
    assert incident == Incident(
        key=f"grafana:incident:{incident.fingerprint}",
        source="grafana",
        title="Latency: checkout is slow",
        description="p99 over 2 s.",
        state="open",
        raw_state="Alerting",
        severity="critical",
        fingerprint=incident.fingerprint,
        started_at=datetime(2026, 1, 2, 1, tzinfo=UTC),
        url=f"{URL}/alerting/grafana/{UID}/view",
        links={
            "runbook": "https://run.example/1",
            "dashboard": f"{URL}/d/d1",
            "panel": f"{URL}/d/d1?viewPanel=4",
            "folder": f"{URL}/dashboards/f/f1",
        },
        labels={"alertname": "Latency", "grafana_folder": "Shop", "severity": "critical"},
    )
    assert parts["alerts"].reach == "complete" and parts["alerts"].retire_only is None
    assert (parts["rules"].items, parts["rules"].error) == ((), None)


@pytest.mark.parametrize(
    "word, state, reason",
    [
        ("Alerting", "open", ""),
        ("ALERTING", "open", ""),
        ("alerting", "open", ""),
        ("Alerting (NoData)", "open", "no data"),
        ("Alerting (Error)", "open", "its rule cannot be evaluated: dial tcp: refused"),
        ("Alerting (Error, KeepLast)", "open", "its rule cannot be evaluated: kept as it was: dial tcp: refused"),
        ("Alerting (KeepLast)", "open", "kept as it was"),
        ("Pending", "pending", ""),
        ("Recovering", "open", "no longer true, and kept for a while"),
        ("NoData", "unknown", "no data"),
        ("nodata", "unknown", "no data"),
        ("Error", "unknown", "its rule cannot be evaluated: dial tcp: refused"),
        ("Normal (Error)", "unknown", "its rule cannot be evaluated: dial tcp: refused"),
        ("Normal (Error, KeepLast)", "unknown", "its rule cannot be evaluated: kept as it was: dial tcp: refused"),
        ("Sic", "unknown", ""),
        ("", "unknown", ""),
    ],
)
async def test_every_state_and_reason(word: str, state: str, reason: str) -> None:
    error = "dial tcp: refused" if "error" in word.lower() else ""
    incident = await one(Server(group(rule("Latency", instance(word), lastError=error))))
    assert (incident.state, incident.raw_state, incident.reason) == (state, word, reason)


@pytest.mark.parametrize("word", ["Normal", "normal", "Normal (MissingSeries)", "Normal (Updated)", "Normal (NoData)"])
async def test_what_is_well(word: str) -> None:
    """A rule's owner may have chosen that no data is well: nothing is counted where nothing went wrong."""
    server = Server(group(rule("Latency", instance(word))))
    parts = await read(server)
    assert [(part.items, part.error) for part in parts.values()] == [((), None), ((), None)]
    assert server.paths == ["prometheus/grafana/api/v1/rules"], "silences matter only while something is amiss"


async def test_no_data_and_errors_may_be_faults() -> None:
    server = Server(group(rule("Latency", instance("NoData"), instance("Error", labels={"host": "b"}))))

    async def states(**options: Any) -> list[str]:
        parts = await read(server, **options)
        return sorted(item.state for item in parts["alerts"].items)

    assert await states() == ["unknown", "unknown"]
    assert await states(no_data="open") == ["open", "unknown"]
    assert await states(no_data="open", error="open") == ["open", "open"]
    server.groups = [group(rule("Latency", instance("Normal (Error)")))]
    assert await states(error="open") == ["open"]


async def test_a_rule_is_told_apart_by_its_uid_not_by_what_grafana_does_with_it() -> None:
    plain = await one(Server(group(rule("Latency", instance()))))
    routed = instance(labels={"__grafana_route_settings_hash__": "9a8b"})
    assert (await one(Server(group(rule("Latency", routed))))).key == plain.key
    other = rule("Latency", instance(labels={"__alert_rule_uid__": "zz"}), uid="zz")
    assert (await one(Server(group(other)))).key != plain.key


async def test_older_grafana_tells_the_uid_in_a_label_only() -> None:
    old = rule("Latency", instance())
    for field in ("uid", "folderUid", "isPaused"):
        del old[field]
    incident = await one(Server({**group(old), "folderUid": ""}))
    assert incident.url == f"{URL}/alerting/grafana/{UID}/view" and "folder" not in incident.links


async def test_of_alerts_with_the_same_labels_the_worst_counts() -> None:
    server = Server(group(rule("Latency", instance("Pending"), instance("Alerting"), instance("NoData"))))
    assert (await one(server)).state == "open"


async def test_new_values_are_no_news() -> None:
    source = make_source(Grafana, {"url": URL})
    server = Server(group(rule("Latency", instance(annotations={"summary": "2.1 s"}))))
    before = (await poll(source, server))["alerts"]
    moved = instance(annotations={"summary": "2.3 s"}, value="B=2.3")
    server.groups = [group(rule("Latency", moved, lastEvaluation="2026-01-02T03:04:00Z", evaluationTime=7))]
    assert (await poll(source, server))["alerts"].items == before.items


# --- silences -------------------------------------------------------------------------------------------------------


async def test_silenced_alerts_say_by_whom_and_until_when() -> None:
    server = Server(group(rule("Latency", instance(), instance(labels={"host": "b"}))))
    server.alerts["grafana"] = [sent(), sent("active", (), labels={"host": "b"})]
    parts = await read(server)
    quiet, loud = sorted(parts["alerts"].items, key=lambda item: "host" in item.labels)
    assert isinstance(quiet, Incident)
    assert (quiet.state, quiet.suppressed_by) == ("suppressed", "ann: planned work")
    assert quiet.suppressed_until == datetime(2026, 1, 2, 5, tzinfo=UTC)
    assert loud.state == "open"
    assert server.paths[1:] == ["alertmanager/grafana/api/v2/alerts", "alertmanager/grafana/api/v2/silences"]


@pytest.mark.parametrize("state, name", [("NoData", "DatasourceNoData"), ("Error", "DatasourceError")])
async def test_no_data_and_errors_are_silenced_by_another_name(state: str, name: str) -> None:
    server = Server(group(rule("Latency", instance(state))))
    server.alerts["grafana"] = [sent()]  # the silence of the alert itself
    assert (await one(server)).state == "unknown"
    server.alerts["grafana"] = [sent(labels={"alertname": name, "rulename": "Latency"})]
    assert (await one(server)).state == "suppressed"


async def test_a_silence_is_for_one_rule() -> None:
    server = Server(group(rule("Latency", instance(labels={"__alert_rule_uid__": "zz"}), uid="zz")))
    server.alerts["grafana"] = [sent()]
    assert (await one(server)).state == "open"


async def test_muted_and_inhibited_alerts_are_suppressed() -> None:
    server = Server(group(rule("Latency", instance())))
    muted = sent(silenced_by=())
    muted["status"]["mutedBy"] = ["weekends"]
    server.alerts["grafana"] = [muted]
    incident = await one(server)
    assert (incident.state, incident.suppressed_by, incident.suppressed_until) == (
        "suppressed",
        "muted by weekends",
        None,
    )


@pytest.mark.parametrize("status", [403, 404])
async def test_a_token_that_may_not_see_alerts_shows_them_as_open(status: int) -> None:
    server = Server(group(rule("Latency", instance())))
    server.refuse["/api/alertmanager/grafana/api/v2/alerts"] = status
    parts = await read(server)
    assert parts["alerts"].items[0].state == "open" and parts["alerts"].error is None
    assert "what is silenced shows as open" in parts["alerts"].notes[0]


async def test_a_token_that_may_not_see_silences_knows_what_is_silenced() -> None:
    server = Server(group(rule("Latency", instance())))
    server.alerts["grafana"] = [sent()]
    server.refuse["/api/alertmanager/grafana/api/v2/silences"] = 403
    incident = await one(server)
    assert (incident.state, incident.suppressed_by) == ("suppressed", "silence s1")


async def test_what_cannot_be_read_of_silences_is_an_error() -> None:
    server = Server(group(rule("Latency", instance())))
    server.alerts["grafana"] = [{**sent(), "labels": 5}]
    assert "1 of 1 alerts could not be read" in str((await read(server))["alerts"].error)
    server.refuse["/api/alertmanager/grafana/api/v2/alerts"] = 500
    assert (await read(server))["alerts"].error is not None, "else what is silenced would be open for one poll"


# --- heartbeats, filters, folders -----------------------------------------------------------------------------------


async def test_heartbeats_and_machinery_are_no_incidents() -> None:
    server = Server(
        group(
            rule("Watchdog", instance(labels={"alertname": "Watchdog"})),
            rule("Dead", instance("NoData", labels={"alertname": "Dead"})),
            rule("Info", instance(labels={"alertname": "Info", "severity": "None"})),
        )
    )
    source = make_source(Grafana, {"url": URL, "expect": ["Watchdog", "Dead"]})
    part = (await poll(source, server))["alerts"]
    assert part.items == () and part.beats == {"Watchdog"}
    assert source.expected_beats() == {"Watchdog", "Dead"}


async def test_a_heartbeat_that_is_not_evaluated_beats_no_more() -> None:
    stale = rule("Watchdog", instance(labels={"alertname": "Watchdog"}), lastEvaluation="2026-01-02T02:00:00Z")
    assert (await read(Server(group(stale))))["alerts"].beats == frozenset()


async def test_a_filter_narrows() -> None:
    server = Server(
        group(rule("Latency", instance(labels={"team": "core"}), instance(labels={"team": "web"})), rule("Other"))
    )
    assert (await one(server, filter=["team=~core|ops", "alertname=Latency"])).labels["team"] == "core"
    with_none = await read(server, filter="alertname=Nothing")
    assert "can give alerts that match `filter`" in str(with_none["alerts"].error)


async def test_folders_by_title_or_path() -> None:
    server = Server(
        group(rule("A", instance(labels={"alertname": "A"})), folder="Shop"),
        group(rule("B", instance(labels={"alertname": "B"}), health="error"), folder="Ops/Shop"),
        group(rule("C", instance(labels={"alertname": "C"})), folder="Web"),
    )

    async def names(*folders: str) -> list[str]:
        parts = await read(server, folders=folders)
        assert parts["alerts"].error is None
        return sorted(item.labels["alertname"] for item in parts["alerts"].items)

    assert await names("Shop") == ["A", "B"]
    assert await names("Ops/Shop", "Web") == ["B", "C"]
    parts = await read(server, folders=["Web", "Shops"])
    assert "may see in the folder Shops" in str(parts["alerts"].error)
    assert (await read(server, folders=["Web"]))["rules"].error is None, "B is not asked for"


# --- what proves nothing --------------------------------------------------------------------------------------------


async def test_a_token_that_sees_no_rule_is_not_green() -> None:
    parts = await read(Server())
    assert all("the token sees no alert rule" in str(part.error) for part in parts.values())


@pytest.mark.parametrize(
    "more, why",
    [
        ({"lastEvaluation": "2026-01-02T02:50:00Z"}, "it was evaluated last at 2026-01-02 02:50:00 UTC"),
        ({"lastEvaluation": "0001-01-01T00:00:00Z"}, "it was not evaluated yet"),
        ({"health": "error", "lastError": "no such data source"}, "it cannot be evaluated: no such data source"),
        ({"health": "nodata"}, "it has no data"),
        ({"health": "unknown"}, "it was not evaluated yet"),
        ({"health": "sic"}, "its health is sic"),
    ],
)
async def test_a_rule_that_is_not_evaluated_is_not_green(more: dict[str, Any], why: str) -> None:
    fine = rule("Fine", instance("Normal"))
    parts = await read(Server(group(fine, rule("Broken", instance("Normal"), **more))))
    assert parts["alerts"].error is None
    assert str(parts["rules"].error) == f"1 of 2 rules prove nothing: Broken (checkout): {why}"


@pytest.mark.parametrize("more", [{"isPaused": True}, {"isPaused": None}])
async def test_a_paused_rule_is_nobodys_fault(more: dict[str, Any]) -> None:
    """Before Grafana 12 nothing tells a paused rule from one that was not evaluated yet."""
    paused = rule("Paused", lastEvaluation="0001-01-01T00:00:00Z", **more)
    assert (await read(Server(group(paused))))["rules"].error is None


async def test_what_an_incident_says_is_not_said_twice() -> None:
    parts = await read(Server(group(rule("Latency", instance("Error"), lastError="refused"))))
    assert parts["alerts"].items[0].state == "unknown" and parts["rules"].error is None


async def test_what_a_rule_that_fails_no_longer_shows_is_not_over() -> None:
    source = make_source(Grafana, {"url": URL})
    server = Server(group(rule("Latency", instance()), rule("Other", instance(labels={"alertname": "Other"}))))
    keys = {item.labels["alertname"]: item.key for item in (await poll(source, server))["alerts"].items}
    server.groups = [group(rule("Latency", instance("Error", labels={"datasource_uid": "prom"})), rule("Other"))]
    part = (await poll(source, server))["alerts"]
    assert part.retire_only is not None
    assert keys["Latency"] not in part.retire_only and keys["Other"] in part.retire_only
    server.groups = [group(rule("Latency"), rule("Other"))]
    assert (await poll(source, server))["alerts"].retire_only is None


async def test_unreadable_rows_cost_the_others_nothing() -> None:
    server = Server(group(rule("Latency", instance(), {**instance(), "labels": [5]})))
    part = (await read(server))["alerts"]
    assert len(part.items) == 1 and "1 of 2 alerts could not be read" in str(part.error)
    server.groups = [group(rule("Latency", {**instance(), "labels": None}))]
    assert "an alert of the rule Latency could not be read: no labels" in str((await read(server))["alerts"].error)


# --- Alertmanagers behind it ----------------------------------------------------------------------------------------


async def test_alertmanagers_behind_grafana() -> None:
    server = Server(group(rule("Latency", instance())))
    server.alerts["am1"] = [sent(), {**sent("active", ()), "fingerprint": "b2"}]
    parts = await read(server, alertmanagers=["grafana", "am1"], filter="severity=critical")
    assert list(parts) == ["alertmanager am1", "alerts", "rules"]
    quiet, loud = parts["alertmanager am1"].items
    assert isinstance(quiet, Incident)
    assert (quiet.key, quiet.state) == ("grafana:incident:am1/57c6d9296de2ad39", "suppressed")
    assert (quiet.suppressed_by, quiet.suppressed_until) == (
        "ann: planned work",
        datetime(2026, 1, 2, 5, tzinfo=UTC),
    )
    assert (loud.key, loud.state) == ("grafana:incident:am1/b2", "open")
    asked = [call for call in server.calls if call.path.endswith("am1/api/v2/alerts")]
    assert [call.query["filter"] for call in asked] == [["severity=critical"]]


async def test_one_that_is_not_there_harms_no_other() -> None:
    server = Server(group(rule("Latency", instance())))
    parts = await read(server, alertmanagers=["grafana", "gone", "am1"])
    assert {name: part.error is None for name, part in parts.items()} == {
        "alertmanager am1": True,
        "alertmanager gone": False,
        "alerts": True,
        "rules": True,
    }
    server.refuse["/api/prometheus/grafana/api/v1/rules"] = 500
    parts = await read(server, alertmanagers=["grafana", "am1"])
    assert {name: part.error is None for name, part in parts.items()} == {
        "alertmanager am1": True,
        "alerts": False,
        "rules": False,
    }


async def test_only_an_alertmanager_behind_it() -> None:
    server = Server()
    parts = await read(server, alertmanagers=["am1"])
    assert list(parts) == ["alertmanager am1"]
    assert not any("prometheus" in path for path in server.paths)


def test_the_token_is_a_bearers() -> None:
    source = make_source(Grafana, {"url": URL})
    assert source.sign(Credentials(token="glsa_x")) == {"Authorization": "Bearer glsa_x"}


@pytest.mark.parametrize(
    "options, message",
    [
        ({"alertmanagers": []}, "nothing would be read"),
        ({"alertmanagers": ["a/b"]}, "'a/b' is no UID"),
        ({"filter": "payments"}, "`filter`: 'payments' is no matcher"),
        ({"no_data": "fine"}, "no_data"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        make_source(Grafana, {"url": URL, **options})
