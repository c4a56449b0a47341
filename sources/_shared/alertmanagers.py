"""Alertmanager's API v2, at Alertmanager itself and wherever else it is spoken: Mimir, Grafana.

The list of alerts is whole: an alert that is gone is resolved.  Two things keep that honest.  Alertmanager forgets its
alerts when it restarts, so while it is young only alerts that it has shown *since* may be resolved.  And an empty list
proves nothing when Prometheus itself is down, hence heartbeats: an alert that always fires (``Watchdog``).

The API is described in prometheus/alertmanager, api/v2/openapi.yaml.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from sources._shared.alerts import WATCHDOG, Labelled, ServerMemory, SteadyTexts, served_at
from sources._shared.rows import Rows, need, remote_id
from statusboard.api import AuthError, Http, Incident, IncidentState, NotFound, Part, Scope, Source, parse_time

#: alertStatus.state; an alert that is not routed yet fires all the same.
STATES: Mapping[str, IncidentState] = {
    "unprocessed": "open",
    "active": "open",
    "suppressed": "suppressed",
}


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """alertStatus."""

    state: str | None = None
    silenced_by: list[str] | None = None
    inhibited_by: list[str] | None = None
    muted_by: list[str] | None = None


class Alert(Labelled, frozen=True, rename="camel"):
    """gettableAlert.  ``endsAt`` and ``updatedAt`` move whenever Prometheus repeats itself, and mean nothing here."""

    fingerprint: str | None = None
    starts_at: str | int | float | None = None
    status: Status | None = None
    generator_url: str | None = msgspec.field(default=None, name="generatorURL")


class Silence(msgspec.Struct, frozen=True, rename="camel"):
    """gettableSilence."""

    id: str | None = None
    created_by: str | None = None
    comment: str | None = None
    ends_at: str | int | float | None = None


class ServerStatus(msgspec.Struct, frozen=True):
    """alertmanagerStatus; ``uptime`` is the moment at which the server started."""

    uptime: str | int | float | None = None


class AlertmanagerReader:
    """Reads one Alertmanager for ``source``.

    ``path`` is what stands before ``/api/v2``; ``within`` begins the ids of its alerts where a source reads several;
    ``filter`` are matchers as the server takes them, ``expect`` heartbeats, ``hold`` seconds.
    """

    def __init__(
        self,
        source: Source[Any],
        *,
        path: str = "",
        within: str = "",
        cluster: str = "",
        filter: tuple[str, ...] = (),
        expect: tuple[str, ...] = (),
        hold: float,
    ) -> None:
        self._source = source
        self._path = path
        self._within = within
        self._cluster = cluster
        self._filter = filter
        self._expect = expect
        self._memory = ServerMemory(hold)
        self._texts = SteadyTexts()

    async def read(self, scope: Scope, http: Http) -> Part:
        """All its alerts as incidents."""
        rows = Rows("alert", Alert, await alerts_at(self._path, http, self._filter))
        heartbeats = {WATCHDOG, *self._expect}
        beats = {name for alert in rows.good if (name := alert.label("alertname")) in heartbeats}
        if self._filter:  # which may well hide the heartbeats
            for name in self._expect:
                if await alerts_at(self._path, http, (f"alertname={_quoted(name)}",)):
                    beats.add(name)
        quiet = await Quiet.of(self._path, rows.good, http)

        def convert(alert: Alert) -> Incident | None:
            if alert.label("alertname") in heartbeats or alert.is_machinery:
                return None
            return self._incident(alert, quiet)

        part = rows.part(scope, convert, beats=beats)
        present = frozenset(item.key for item in part.items)
        self._texts.keep(present)
        notes: tuple[str, ...] = ()
        clock = self._source.clock
        if self._memory.must_ask(present):
            try:
                reply = await http.get(f"{self._path}/api/v2/status")
            except (NotFound, AuthError):  # a proxy that lets only the alerts through
                notes = ("the server does not say when it started: after a restart its alerts may look resolved",)
            else:
                uptime = parse_time(reply.decode(ServerStatus).uptime)
                self._memory.restarted(uptime, served_at(reply, clock), clock.monotonic())
        retire_only = self._memory.remember(present, clock.monotonic())
        return msgspec.structs.replace(part, retire_only=retire_only, notes=part.notes + notes)

    def _incident(self, alert: Alert, quiet: Quiet) -> Incident:
        fingerprint = need(alert.fingerprint, "fingerprint")
        key = self._source.key("incident", remote_id(self._within + fingerprint))
        raw_state = (alert.status or Status()).state or ""
        why, until = quiet.why(alert)
        title = alert.title() or fingerprint
        text = self._texts.steady(key, title, alert.annotation("description"), self._source.clock.monotonic())
        links = alert.links
        if alert.generator_url:
            links["generator"] = alert.generator_url
        return Incident(
            key=key,
            source=self._source.name,
            title=text.title,
            description=text.description,
            state=STATES.get(raw_state.lower(), "unknown"),
            raw_state=raw_state,
            severity=alert.severity,
            fingerprint=fingerprint,
            cluster=self._cluster,
            started_at=parse_time(alert.starts_at),
            suppressed_by=why,
            suppressed_until=until,
            url=alert.generator_url or "",
            links=links,
            labels=alert.shown_labels,
        )


class Quiet:
    """Who or what keeps alerts quiet, and until when (as far as silences tell)."""

    def __init__(self, silences: Iterable[Silence], alerts: Iterable[Alert]) -> None:
        self._silences = {silence.id: silence for silence in silences if silence.id}
        self._names = {alert.fingerprint: alert.label("alertname") for alert in alerts}

    @classmethod
    async def of(cls, path: str, alerts: list[Alert], http: Http) -> Quiet:
        """The silences are asked for only when one of the alerts is silenced."""
        if not any(alert.status and alert.status.silenced_by for alert in alerts):
            return cls((), alerts)
        reply = await http.get(f"{path}/api/v2/silences")
        return cls(Rows("silence", Silence, reply.decode(list[Any])).good, alerts)

    def why(self, alert: Alert) -> tuple[str, datetime | None]:
        """Why this alert is quiet, ``""`` where it is not, and until when."""
        status = alert.status or Status()
        why: list[str] = []
        ends: list[datetime] = []
        for silence_id in status.silenced_by or ():
            silence = self._silences.get(silence_id, Silence())
            why.append(": ".join(filter(None, (silence.created_by, silence.comment))) or f"silence {silence_id}")
            if end := parse_time(silence.ends_at):
                ends.append(end)
        why += [f"inhibited by {self._names.get(inhibitor) or inhibitor}" for inhibitor in status.inhibited_by or ()]
        why += [f"muted by {interval}" for interval in status.muted_by or ()]
        # A silence's id is part of no order: sort, so that the same silences read the same at each poll.
        return "; ".join(sorted(set(why))), max(ends, default=None)


async def alerts_at(path: str, http: Http, matchers: tuple[str, ...] = ()) -> list[Any]:
    """The rows of every alert that matches, suppressed ones too."""
    shown = dict.fromkeys(("active", "silenced", "inhibited", "unprocessed"), "true")
    reply = await http.get(f"{path}/api/v2/alerts", params={**shown, "filter": matchers})
    return reply.decode(list[Any])


def _quoted(value: str) -> str:
    """``value`` as the right-hand side of a matcher."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
