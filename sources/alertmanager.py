"""Prometheus Alertmanager (API v2), and what speaks it: Mimir, Cortex, Grafana's own.  Alerts become incidents.

How it is read is in `sources._shared.alertmanagers`.  Alerts whose ``severity`` label is ``none`` are machinery by
Prometheus' own convention, and are no incidents.
"""

from __future__ import annotations

from typing import Annotated

from sources._shared.alertmanagers import AlertmanagerReader
from sources._shared.alerts import words
from statusboard.api import Context, Duration, Http, Part, Scope, Source, SourceOptions, option


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
    no_history = "Alertmanager knows only the alerts of now"

    def __init__(self, options: AlertmanagerOptions, context: Context) -> None:
        super().__init__(options, context)
        self._expect = words(options.expect)
        self._reader = AlertmanagerReader(
            self, cluster=options.cluster, filter=words(options.filter), expect=self._expect, hold=options.hold
        )

    def expected_beats(self) -> frozenset[str]:
        return frozenset(self._expect)

    async def read(self, scope: Scope, http: Http) -> Part:
        return await self._reader.read(scope, http)
