"""Grafana alerting: the alerts of its own rules, and those of Alertmanagers that it has as data sources.

Grafana's own alerts are read from its rules (``/api/prometheus/grafana/api/v1/rules``): these alone tell of pending
ones, of rules without data or with errors, and of alerts that are sent to another Alertmanager.  Who silenced them, and
until when, stands in its Alertmanager, which is asked while anything is amiss.  Rules that are not evaluated make a
part of their own (``rules``).  Folders that the token may not see are left out of the answer without a word.

Words and pages are in `sources._grafana`.  Docs: grafana.com/docs/grafana/latest/alerting (nodata-and-error-states,
state-and-health); code: grafana/grafana, pkg/services/ngalert/api (tooling/definitions, prometheus, lotex_am.go).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final, Literal, TypeAlias
from urllib.parse import quote

import msgspec

from sources._grafana import (
    INCIDENT_STATES,
    RULE_UID,
    Identity,
    Instance,
    Silence,
    identity,
    incident_of,
    instance_of,
    name_of,
    reason_key,
    sent_identity,
    visible,
)
from sources._shared.alertmanagers import STATES as SENT_STATES
from sources._shared.alertmanagers import Alert as SentAlert
from sources._shared.alertmanagers import AlertmanagerReader, Quiet, alerts_at
from sources._shared.alerts import WATCHDOG, SteadyTexts, served_at, words
from sources._shared.matchers import Matchers
from sources._shared.rows import Rows
from sources._shared.rules import (
    EvaluationErrors,
    Found,
    Group,
    Owners,
    RuleId,
    RuleList,
    asked_for,
)
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
    SourceError,
    SourceOptions,
    clean,
    option,
)

OWN: Final = "grafana"
ALERTS, RULES = "alerts", "rules"
_UID: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")
#: Of alerts with the same labels, the first of these counts.
ORDER: Mapping[IncidentState, int] = {"open": 0, "unknown": 1, "pending": 2, "resolved": 3}
#: Who keeps alerts quiet, by what they are known by.
Silenced: TypeAlias = Mapping[Identity, Silence]


class GrafanaOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: grafana``."""

    alertmanagers: Annotated[
        tuple[str, ...], option("grafana for Grafana's own alerts; the UID of an Alertmanager data source for its")
    ] = (OWN,)
    filter: Annotated[
        str | tuple[str, ...], option('only alerts whose labels match all of these: ["team=payments"]; =~ != !~ too')
    ] = ()
    folders: Annotated[tuple[str, ...], option("of Grafana's own, only rules in these folders (title or path)")] = ()
    no_data: Annotated[Literal["unknown", "open"], option("what a rule without data is")] = "unknown"
    error: Annotated[Literal["unknown", "open"], option("what a rule is that cannot be evaluated")] = "unknown"
    expect: Annotated[
        str | tuple[str, ...], option("alerts that always fire (Watchdog); without one the source is stale")
    ] = ()
    late: Annotated[
        Duration, option("how far beyond its interval a rule may be evaluated; after that it is unread (0: whenever)")
    ] = Duration(300)
    hold: Annotated[
        Duration, option("how long after the restart of an Alertmanager its forgotten alerts stay open")
    ] = Duration(300)

    def __post_init__(self) -> None:
        if not self.alertmanagers:
            raise ValueError("`alertmanagers` is empty: nothing would be read; leave it out for Grafana's own alerts")
        for uid in self.alertmanagers:
            if not _UID.fullmatch(uid):
                raise ValueError(f"`alertmanagers`: {uid[:80]!r} is no UID; it is the end of the data source's address")
        try:
            Matchers(words(self.filter))
        except ValueError as exc:
            raise ValueError(f"`filter`: {exc}") from None


class Grafana(Source[GrafanaOptions]):
    """Grafana-managed alerts, and those of Alertmanagers behind it, as incidents."""

    type = "grafana"
    kinds = frozenset({"incident"})
    Options = GrafanaOptions
    summary = "Alerts of Grafana's own rules, and of Alertmanagers that are its data sources, as incidents"
    default_interval = 30.0
    scopes_needed = "a token of a service account with the basic role Viewer (alert.rules:read, alert.instances:read)"
    requests = (1, "Alertmanager")
    example = """
        url: https://grafana.example.com
        token: "keyring:grafana"
    """
    setup = """
        `url` is Grafana's address in the browser, with its path if it has one (`https://example.com/grafana`).

        - An administrator: *Administration > Users and access > Service accounts > Add service account*, role *Viewer*,
          then *Add service account token*. It is shown once; `statusboard login grafana` stores it.
        - It reads one organization, and only folders that it may view: others are left out without a word. Roles of
          your own need *alert.rules:read* and *folders:read* for the folders, and *alert.instances:read*.
        - Alerts of another Alertmanager: its UID (the end of the data source's address in Grafana) in
          `alertmanagers: [grafana, UID]`. Leave out `grafana` to read only that one.
        - A rule without data, or that cannot be evaluated, is an incident of unknown state; `no_data: open` and
          `error: open` make it a fault. Where a rule's owner chose *Normal* for no data, it is well.
        - Rules of Mimir, Loki or Prometheus that Grafana only shows: read them with `type: prometheus`.
    """
    verified = "documented"
    no_history = "of Grafana's alerts only how they stand now is read"

    def __init__(self, options: GrafanaOptions, context: Context) -> None:
        super().__init__(options, context)
        self._root = options.url.rstrip("/")
        self._expect = words(options.expect)
        self._heartbeats = frozenset({WATCHDOG, *self._expect})
        self._matchers = Matchers(words(options.filter))
        self._readers = {
            uid: AlertmanagerReader(
                self,
                path=_path(uid),
                within=f"{uid}/",
                filter=words(options.filter),
                expect=self._expect,
                hold=options.hold,
            )
            for uid in options.alertmanagers
            if uid != OWN
        }
        self._owners = Owners()
        self._errors = EvaluationErrors()
        self._texts = SteadyTexts()
        self._asked_at: datetime
        self._reading: _Reading | SourceError

    def expected_beats(self) -> frozenset[str]:
        return frozenset(self._expect)

    async def scopes(self, http: Http) -> Sequence[Scope]:
        names = [f"alertmanager {uid}" for uid in self._readers]
        if OWN in self.options.alertmanagers:
            names = [ALERTS, RULES, *names]
            self._asked_at = self.clock.now()
            try:
                self._reading = await self._read_rules(http)
            except SourceError as exc:  # which must not harm what other Alertmanagers tell
                self._reading = exc
        return [Scope(name=name, kind="incident", reach="complete") for name in names]

    async def read(self, scope: Scope, http: Http) -> Part:
        if scope.name not in (ALERTS, RULES):
            return await self._readers[scope.name.removeprefix("alertmanager ")].read(scope, http)
        if isinstance(self._reading, SourceError):
            raise self._reading
        scope = msgspec.structs.replace(scope, started_at=self._asked_at)
        if scope.name == RULES:
            part = scope.part(())
            return msgspec.structs.replace(part, error=self._errors.of(self._reading.untold, self._reading.total))
        return await self._alerts(scope, self._reading, http)

    # -- Grafana's own -------------------------------------------------------------------------------------------

    async def _read_rules(self, http: Http) -> _Reading:
        params = {"includeInternalLabels": "true"}
        reply = await http.get(f"/api/prometheus/{OWN}/api/v1/rules", params=params)
        rules = RuleList(reply)
        if not rules.rules and rules.error is None:
            raise NotFound("the token sees no alert rule: has its account a role in this organization and its folders?")
        missing = [name for name in self.options.folders if not any(_is_in(group, name) for group, _ in rules.rules)]
        if missing:
            raise NotFound(f"there is no rule that this token may see in the folder {clean(missing[0], 100)}")
        wanted = asked_for([pair for pair in rules.rules if self._in_folders(pair[0])], self._matchers)
        if rules.rules and not wanted:
            raise NotFound("no alert rule can give alerts that match `filter`")
        unproven = rules.unproven(wanted, served_at(reply, self.clock), self.options.late)
        beats: set[str] = set()
        amiss: list[tuple[Found, Instance]] = []
        for found in rules.alerts:
            name, instance = name_of(found), instance_of(found.alert.state)
            if name in self._heartbeats:
                if instance.state == "alerting" and found.rule_id not in unproven:
                    beats.add(name)
            elif not instance.is_well and not found.alert.is_machinery and self._is_asked_for(found):
                amiss.append((found, instance))
        # What an incident says of a rule need not be said twice.
        told = {found.rule_id for found, instance in amiss if instance.tells_of_rule}
        return _Reading(
            amiss=sorted(amiss, key=lambda pair: ORDER[self._state(pair[1])]),
            beats=frozenset(beats),
            error=rules.error,
            total=len(wanted),
            unproven=unproven,
            untold={rule: why for rule, why in unproven.items() if rule not in told},
        )

    async def _alerts(self, scope: Scope, reading: _Reading, http: Http) -> Part:
        silenced, fault, notes = await self._silenced(http) if reading.amiss else ({}, None, ())
        error = reading.error or fault
        items: dict[str, Incident] = {}
        present: dict[str, RuleId] = {}
        for found, instance in reading.amiss:
            try:
                incident = incident_of(
                    self,
                    self._root,
                    found,
                    instance,
                    state=self._state(instance),
                    silenced=silenced.get(sent_identity(found, instance)),
                    texts=self._texts,
                )
            except BadAnswer as exc:
                error = error or BadAnswer(f"an alert of the rule {clean(name_of(found), 80)} could not be read: {exc}")
                continue
            items.setdefault(incident.key, incident)
            present.setdefault(incident.key, found.rule_id)
        self._texts.keep(frozenset(key for item in items for key in (item, reason_key(item))))
        retire_only = self._owners.retire_only(present, reading.unproven)
        part = scope.part(items.values(), beats=reading.beats, notes=notes, retire_only=retire_only)
        return msgspec.structs.replace(part, error=error)

    async def _silenced(self, http: Http) -> tuple[Silenced, BadAnswer | None, tuple[str, ...]]:
        """Who keeps which alerts quiet, and until when; what of that could not be read; notes."""
        try:
            rows = Rows("alert", SentAlert, await alerts_at(_path(OWN), http))
        except (AuthError, NotFound):
            return {}, None, ("the token may not read alert.instances: what is silenced shows as open",)
        try:
            quiet = await Quiet.of(_path(OWN), rows.good, http)
        except (AuthError, NotFound):  # silences have a permission of their own; what is silenced is known all the same
            quiet = Quiet((), rows.good)
        found = {
            identity(alert.label(RULE_UID), visible(alert)): quiet.why(alert)
            for alert in rows.good
            if alert.status and SENT_STATES.get((alert.status.state or "").lower()) == "suppressed"
        }
        return found, rows.error, ()

    def _state(self, instance: Instance) -> IncidentState:
        if instance.is_failing:
            return self.options.error
        if instance.state == "no data":
            return self.options.no_data
        return INCIDENT_STATES[instance.state]

    def _is_asked_for(self, found: Found) -> bool:
        return self._in_folders(found.group) and self._matchers.match(found.alert.labels or {})

    def _in_folders(self, group: Group) -> bool:
        return not self.options.folders or any(_is_in(group, name) for name in self.options.folders)


class _Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer told of Grafana's own rules.

    ``amiss`` are alerts that are not well, the worst first.  ``unproven`` are the rules that prove nothing, ``untold``
    those of them whose alerts do not say so.
    """

    amiss: list[tuple[Found, Instance]]
    beats: frozenset[str]
    error: BadAnswer | None
    total: int
    unproven: dict[RuleId, str]
    untold: dict[RuleId, str]


def _path(uid: str) -> str:
    return f"/api/alertmanager/{quote(uid, safe='')}"


def _is_in(group: Group, folder: str) -> bool:
    """Whether a folder, named by title or by path, is the group's."""
    path = group.file or ""
    return path == folder or path.endswith(f"/{folder}")
