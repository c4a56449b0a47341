"""Prometheus Alertmanager (API v2), and what speaks it: Mimir, Cortex, Grafana's own.  Alerts become incidents.

The list of alerts is whole: an alert that is gone is resolved.  Two things keep that honest.  Alertmanager forgets its
alerts when it restarts, so while it is young only alerts that it has shown *since* may be resolved.  And an empty list
proves nothing when Prometheus itself is down, hence heartbeats: an alert that always fires (``Watchdog``).

Alerts whose ``severity`` label is ``none`` are machinery by Prometheus' own convention, and are no incidents.
The API is described in prometheus/alertmanager, api/v2/openapi.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any

import msgspec

from sources._shared.alerts import ServerMemory, SteadyText
from sources._shared.rows import Rows, need, remote_id
from statusboard.api import (
    AuthError,
    Context,
    Duration,
    Http,
    Incident,
    IncidentState,
    NotFound,
    Part,
    Reply,
    Scope,
    Severity,
    Source,
    SourceOptions,
    option,
    parse_time,
)

WATCHDOG = "Watchdog"

#: alertStatus.state; an alert that is not routed yet fires all the same.
STATES: Mapping[str, IncidentState] = {
    "unprocessed": "open",
    "active": "open",
    "suppressed": "suppressed",
}
#: Severity is only a convention: other words are left for the catalog, which reads them from the labels.
SEVERITIES: Mapping[str, Severity] = {
    "critical": "critical",
    "high": "high",
    "medium": "medium",
    "low": "low",
    "info": "info",
}
LINKS: Mapping[str, tuple[str, ...]] = {
    "runbook": ("runbook_url", "runbook"),
    "dashboard": ("dashboard_url", "dashboard"),
}


class AlertmanagerOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: alertmanager``."""

    filter: Annotated[
        str | tuple[str, ...], option('only alerts that match all of these, as in amtool: ["team=payments"]')
    ] = ()
    cluster: Annotated[str, option("Alertmanagers with the same cluster name show each alert once")] = ""
    expect: Annotated[
        str | tuple[str, ...], option("alerts that always fire (Watchdog); without one the source is stale")
    ] = ()
    hold: Annotated[Duration, option("how long after its restart the server's forgotten alerts stay open")] = Duration(
        300
    )


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """alertStatus."""

    state: str | None = None
    silenced_by: list[str] | None = None
    inhibited_by: list[str] | None = None
    muted_by: list[str] | None = None


class Alert(msgspec.Struct, frozen=True, rename="camel"):
    """gettableAlert.  ``endsAt`` and ``updatedAt`` move whenever Prometheus repeats itself, and mean nothing here."""

    fingerprint: str | None = None
    labels: dict[str, str | None] | None = None
    annotations: dict[str, str | None] | None = None
    starts_at: str | int | float | None = None
    status: Status | None = None
    generator_url: str | None = msgspec.field(default=None, name="generatorURL")

    def label(self, name: str) -> str:
        return (self.labels or {}).get(name) or ""

    def annotation(self, *names: str) -> str:
        annotations = self.annotations or {}
        return next((text for name in names if (text := annotations.get(name))), "")


class Silence(msgspec.Struct, frozen=True, rename="camel"):
    """gettableSilence."""

    id: str | None = None
    created_by: str | None = None
    comment: str | None = None
    ends_at: str | int | float | None = None


class ServerStatus(msgspec.Struct, frozen=True):
    """alertmanagerStatus; ``uptime`` is the moment at which the server started."""

    uptime: str | int | float | None = None


class Alertmanager(Source[AlertmanagerOptions]):
    """Firing, silenced and inhibited alerts as incidents."""

    type = "alertmanager"
    kinds = frozenset({"incident"})
    Options = AlertmanagerOptions
    summary = "Alerts of Prometheus Alertmanager, Mimir or Grafana as incidents"
    default_interval = 15.0
    scopes_needed = "none of its own; behind a proxy, read access to /api/v2"
    requests = (1, "source")
    example = """
        url: http://alertmanager.example.com:9093
        expect: Watchdog
    """
    setup = """
        `url` is the address without `/api/v2`; for Mimir it ends with `/alertmanager`, for the one inside Grafana with
        `/api/alertmanager/grafana`. Behind a proxy, `username` and `password` or a bearer `token` are sent.

        - Name an alert that always fires under `expect` (most setups have `Watchdog`). Without one, an empty list looks
          the same whether all is well or Prometheus is down.
        - `filter` narrows to a team's alerts, as in amtool; two boards may read the same Alertmanager.
    """
    verified = "real"

    def __init__(self, options: AlertmanagerOptions, context: Context) -> None:
        super().__init__(options, context)
        self._filter = _words(options.filter)
        self._expect = _words(options.expect)
        self._memory = ServerMemory(options.hold)
        self._texts: dict[str, SteadyText] = {}

    def expected_beats(self) -> frozenset[str]:
        return frozenset(self._expect)

    async def read(self, scope: Scope, http: Http) -> Part:
        rows = Rows("alert", Alert, await self._alerts(http, self._filter))
        heartbeats = {WATCHDOG, *self._expect}
        beats = {name for alert in rows.good if (name := alert.label("alertname")) in heartbeats}
        if self._filter:  # which may well hide the heartbeats
            for name in self._expect:
                if await self._alerts(http, (f"alertname={_quoted(name)}",)):
                    beats.add(name)
        silences = await self._silences(rows.good, http)
        names = {alert.fingerprint: alert.label("alertname") for alert in rows.good}

        def convert(alert: Alert) -> Incident | None:
            if alert.label("alertname") in heartbeats or alert.label("severity").lower() == "none":
                return None
            return self._incident(alert, silences, names)

        part = rows.part(scope, convert, beats=beats)
        present = frozenset(item.key for item in part.items)
        self._texts = {key: text for key, text in self._texts.items() if key in present}
        notes: tuple[str, ...] = ()
        if self._memory.must_ask(present):
            try:
                reply = await http.get("/api/v2/status")
            except (NotFound, AuthError):  # a proxy that lets only the alerts through
                notes = ("the server does not say when it started: after a restart its alerts may look resolved",)
            else:
                uptime = parse_time(reply.decode(ServerStatus).uptime)
                self._memory.restarted(uptime, self._served_at(reply), self.clock.monotonic())
        retire_only = self._memory.remember(present, self.clock.monotonic())
        return msgspec.structs.replace(part, retire_only=retire_only, notes=part.notes + notes)

    async def _alerts(self, http: Http, matchers: tuple[str, ...]) -> list[Any]:
        shown = dict.fromkeys(("active", "silenced", "inhibited", "unprocessed"), "true")
        reply = await http.get("/api/v2/alerts", params={**shown, "filter": matchers})
        return reply.decode(list[Any])

    async def _silences(self, alerts: list[Alert], http: Http) -> dict[str, Silence]:
        """The silences by id; asked for only when an alert is silenced."""
        if not any(alert.status and alert.status.silenced_by for alert in alerts):
            return {}
        reply = await http.get("/api/v2/silences")
        return {silence.id: silence for silence in Rows("silence", Silence, reply.decode(list[Any])).good if silence.id}

    def _served_at(self, reply: Reply) -> datetime:
        """The server's own time: its start is told by its own clock."""
        try:
            return parsedate_to_datetime(reply.headers.get("date", "")).astimezone(UTC)
        except (TypeError, ValueError):
            return self.clock.now()

    def _incident(self, alert: Alert, silences: Mapping[str, Silence], names: Mapping[str | None, str]) -> Incident:
        fingerprint = need(alert.fingerprint, "fingerprint")
        key = self.key("incident", remote_id(fingerprint))
        status = alert.status or Status()
        raw_state = status.state or ""
        why, until = _suppression(status, silences, names)
        name, summary = alert.label("alertname"), alert.annotation("summary", "message", "title")
        text = SteadyText(
            title=": ".join(filter(None, (name, summary))) or fingerprint,
            description=alert.annotation("description"),
            at=self.clock.monotonic(),
        )
        text = self._texts[key] = text.steady(self._texts.get(key))
        links = {what: url for what, words in LINKS.items() if (url := alert.annotation(*words))}
        if alert.generator_url:
            links["generator"] = alert.generator_url
        return Incident(
            key=key,
            source=self.name,
            title=text.title,
            description=text.description,
            state=STATES.get(raw_state.lower(), "unknown"),
            raw_state=raw_state,
            severity=SEVERITIES.get(alert.label("severity").lower(), "unknown"),
            fingerprint=fingerprint,
            cluster=self.options.cluster,
            started_at=parse_time(alert.starts_at),
            suppressed_by=why,
            suppressed_until=until,
            url=alert.generator_url or "",
            links=links,
            labels={label: value for label, value in (alert.labels or {}).items() if value},
        )


def _suppression(
    status: Status, silences: Mapping[str, Silence], names: Mapping[str | None, str]
) -> tuple[str, datetime | None]:
    """Who or what keeps an alert quiet, and until when (as far as silences tell)."""
    why: list[str] = []
    ends: list[datetime] = []
    for silence_id in status.silenced_by or ():
        silence = silences.get(silence_id, Silence())
        why.append(": ".join(filter(None, (silence.created_by, silence.comment))) or f"silence {silence_id}")
        if end := parse_time(silence.ends_at):
            ends.append(end)
    why += [f"inhibited by {names.get(inhibitor) or inhibitor}" for inhibitor in status.inhibited_by or ()]
    why += [f"muted by {interval}" for interval in status.muted_by or ()]
    # A silence's id is part of no order: sort, so that the same silences read the same at each poll.
    return "; ".join(sorted(set(why))), max(ends, default=None)


def _words(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _quoted(value: str) -> str:
    """``value`` as the right-hand side of a matcher."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
