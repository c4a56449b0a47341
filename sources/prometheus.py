"""Prometheus without Alertmanager: the alerts of its rules, firing and pending, as incidents.

``/api/v1/rules`` is asked rather than ``/api/v1/alerts``: it alone tells which rules cannot be evaluated.  Those make a
part of their own (``rules``), so that one that is broken leaves the source partly read, and others may still resolve.
Prometheus itself neither silences nor acknowledges.  An alert is told apart by its labels, as Alertmanager does.

After a restart an alert may be missing until its rule has data again, so what is gone stays open for a while.
Docs: prometheus.io/docs/prometheus/latest/querying/api (Rules); code: web/api/v1/api.go and rules/alerting.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final
from urllib.parse import quote_plus

import msgspec

from sources._shared.alerts import WATCHDOG, ServerMemory, SteadyTexts, served_at, words
from sources._shared.matchers import Matchers
from sources._shared.rows import need
from sources._shared.rules import (
    EvaluationErrors,
    Found,
    Owners,
    RuleId,
    RuleList,
    asked_for,
    both,
    digest_of,
)
from sources._shared.words import meaning
from statusboard.api import (
    AuthError,
    BadAnswer,
    Context,
    Duration,
    Http,
    Incident,
    IncidentState,
    NotFound,
    Part,
    Scope,
    Source,
    SourceOptions,
    clean,
    option,
    parse_time,
)

#: alert.state; ``inactive`` and ``unknown`` are those of rules, and of no alert that Prometheus itself lists.
STATES: Mapping[str, IncidentState] = {
    "firing": "open",
    "pending": "pending",
    "inactive": "resolved",
    "unknown": "unknown",
}
#: Of alerts with the same labels, the first of these counts.
ORDER: Mapping[str, int] = {"open": 0, "unknown": 1, "pending": 2, "resolved": 3}
ALERTS, RULES = "alerts", "rules"
#: Expressions that are longer than this have no page of their own: servers and browsers refuse such addresses.
LONGEST_EXPRESSION: Final = 4_000


class PrometheusOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: prometheus``."""

    filter: Annotated[
        str | tuple[str, ...], option('only alerts whose labels match all of these: ["team=payments"]; =~ != !~ too')
    ] = ()
    cluster: Annotated[str, option("replicas with the same cluster name show each alert once")] = ""
    expect: Annotated[
        str | tuple[str, ...], option("alerts that always fire (Watchdog); without one the source is stale")
    ] = ()
    late: Annotated[
        Duration, option("how far beyond its interval a rule may be evaluated; after that it is unread (0: whenever)")
    ] = Duration(300)
    hold: Annotated[Duration, option("how long after its restart the server's forgotten alerts stay open")] = Duration(
        300
    )
    page: Annotated[
        str, option("the page of an expression, with {expr} in it, where Prometheus' own pages are not at url")
    ] = ""

    def __post_init__(self) -> None:
        try:
            Matchers(words(self.filter))
        except ValueError as exc:
            raise ValueError(f"`filter`: {exc}") from None
        if self.page and ("{expr}" not in self.page or not self.page.startswith(("https://", "http://"))):
            raise ValueError("`page` is an http(s) address with {expr} in it, for the expression")


class _Started(msgspec.Struct, frozen=True, rename="camel"):
    start_time: str | int | float | None = None


class _RuntimeInfo(msgspec.Struct, frozen=True):
    data: _Started | None = None


class Prometheus(Source[PrometheusOptions]):
    """Firing and pending alerts as incidents."""

    type = "prometheus"
    kinds = frozenset({"incident"})
    Options = PrometheusOptions
    summary = "Firing and pending alerts of Prometheus' own rules as incidents, where there is no Alertmanager"
    default_interval = 15.0
    scopes_needed = "none of its own; behind a proxy, read access to /api/v1"
    requests = (1, "source")
    example = """
        url: http://prometheus.example.com:9090
        expect: Watchdog
    """
    setup = """
        `url` is the address without `/api/v1`, with its prefix if it has one. Prometheus itself asks for no credential;
        behind a proxy, `username` and `password` or a bearer `token` are sent.

        - With an Alertmanager, read that instead (`type: alertmanager`): only it knows what is silenced.
        - Mimir: `url: https://mimir.example.com/prometheus` and `headers: {X-Scope-OrgID: TENANT}`. Thanos: the address
          of its Querier or Ruler. vmalert: its own address. Where none of them has a page for an expression, name one
          under `page`, such as that of another Prometheus: `https://prometheus.example.com/graph?g0.expr={expr}`.
        - Name an alert that always fires under `expect` (most setups have `Watchdog`).
        - A rule that cannot be evaluated, or was not for a while (`late`), leaves the source partly read: it proves
          nothing. Alerts with the label `severity: none` are left out.
    """
    verified = "real"
    no_history = "Prometheus tells which rules fire now; what fired before is a metric, not a list"

    def __init__(self, options: PrometheusOptions, context: Context) -> None:
        super().__init__(options, context)
        self._expect = words(options.expect)
        self._matchers = Matchers(words(options.filter))
        self._page = options.page or f"{options.url.rstrip('/')}/graph?g0.expr={{expr}}&g0.tab=1"
        self._memory = ServerMemory(options.hold)
        self._owners = Owners()
        self._errors = EvaluationErrors()
        self._texts = SteadyTexts()
        self._list: RuleList
        self._asked_at: datetime
        self._total = 0
        self._unproven: dict[RuleId, str] = {}

    def expected_beats(self) -> frozenset[str]:
        return frozenset(self._expect)

    async def scopes(self, http: Http) -> Sequence[Scope]:
        self._asked_at = self.clock.now()
        reply = await http.get("/api/v1/rules", params={"type": "alert"})
        self._list = rules = RuleList(reply)
        if not rules.rules and rules.error is None:
            raise NotFound("there are no alerting rules at this address, so nothing is watched; is it the right one?")
        wanted = asked_for(rules.rules, self._matchers)
        if rules.rules and not wanted:
            raise NotFound("no alerting rule can give alerts that match `filter`")
        self._total = len(wanted)
        self._unproven = rules.unproven(wanted, served_at(reply, self.clock), self.options.late)
        return [_scope(ALERTS), _scope(RULES)]

    async def read(self, scope: Scope, http: Http) -> Part:
        scope = msgspec.structs.replace(scope, started_at=self._asked_at)
        if scope.name == RULES:
            return msgspec.structs.replace(scope.part(()), error=self._errors.of(self._unproven, self._total))
        heartbeats = {WATCHDOG, *self._expect}
        beats: set[str] = set()
        items: dict[str, Incident] = {}
        present: dict[str, RuleId] = {}
        error = self._list.error
        for found in sorted(self._list.alerts, key=_order):
            alert, rule_id = found.alert, found.rule_id
            name = alert.label("alertname") or found.rule.name or ""
            if name in heartbeats:
                if meaning(STATES, alert.state) == "open" and rule_id not in self._unproven:
                    beats.add(name)
            elif not alert.is_machinery and self._matchers.match(alert.labels or {}):
                try:
                    incident = self._incident(found, name)
                except BadAnswer as exc:
                    error = error or BadAnswer(f"an alert of the rule {clean(name, 80)} could not be read: {exc}")
                    continue
                items.setdefault(incident.key, incident)
                present.setdefault(incident.key, rule_id)
        keys = frozenset(items)
        self._texts.keep(keys)
        notes = await self._ask_for_start(http) if self._memory.must_ask(keys) else ()
        retire_only = both(
            self._memory.remember(keys, self.clock.monotonic()), self._owners.retire_only(present, self._unproven)
        )
        part = scope.part(items.values(), beats=beats, notes=notes, retire_only=retire_only)
        return msgspec.structs.replace(part, error=error)

    async def _ask_for_start(self, http: Http) -> tuple[str, ...]:
        try:
            reply = await http.get("/api/v1/status/runtimeinfo")
        except (NotFound, AuthError):  # Mimir and others, where rules move between servers anyway
            return ("the server does not say when it started: after a restart its alerts may look resolved",)
        started = reply.decode(_RuntimeInfo).data or _Started()
        self._memory.restarted(parse_time(started.start_time), served_at(reply, self.clock), self.clock.monotonic())
        return ()

    def _incident(self, found: Found, name: str) -> Incident:
        alert = found.alert
        need(alert.labels, "labels")
        labels = alert.shown_labels
        fingerprint = digest_of(labels)
        key = self.key("incident", fingerprint)
        text = self._texts.steady(
            key, alert.title(name) or fingerprint, alert.annotation("description"), self.clock.monotonic()
        )
        kept = parse_time(alert.keep_firing_since) is not None
        return Incident(
            key=key,
            source=self.name,
            title=text.title,
            description=text.description,
            reason="no longer true, and kept by keep_firing_for" if kept else "",
            state=meaning(STATES, alert.state),
            raw_state=alert.state or "",
            severity=alert.severity,
            fingerprint=fingerprint,
            cluster=self.options.cluster,
            started_at=parse_time(alert.active_at),
            url=self._expression_page(found.rule.query or ""),
            links=alert.links,
            labels=labels,
        )

    def _expression_page(self, expression: str) -> str:
        if not 0 < len(expression) <= LONGEST_EXPRESSION:
            return ""
        return self._page.replace("{expr}", quote_plus(expression))


def _scope(name: str) -> Scope:
    return Scope(name=name, kind="incident", reach="complete")


def _order(found: Found) -> int:
    return ORDER[meaning(STATES, found.alert.state)]
