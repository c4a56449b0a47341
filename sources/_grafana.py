"""Grafana's words and pages.  Pure; `sources.grafana` does the reading.

State words from grafana/grafana: pkg/services/ngalert/eval (State) and models/alert_rule.go (StateReason...); what a
rule sends to an Alertmanager from state/compat.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote

import msgspec

from sources._shared.alerts import Labelled, SteadyTexts
from sources._shared.rows import need
from sources._shared.rules import Found, digest_of
from sources._shared.words import meaning
from statusboard.api import Incident, IncidentState, Source, parse_time

InstanceState: TypeAlias = Literal["normal", "alerting", "pending", "recovering", "no data", "error", "unknown"]

#: The state of an alert instance, without the reason that may follow it in brackets: ``Normal (MissingSeries)``.
STATES: Mapping[str, InstanceState] = {
    "normal": "normal",
    "pending": "pending",
    "alerting": "alerting",
    "recovering": "recovering",
    "nodata": "no data",
    "error": "error",
}
#: What each is on the board; ``no data`` and ``error`` are as the options say.
INCIDENT_STATES: Mapping[InstanceState, IncidentState] = {
    "normal": "resolved",
    "pending": "pending",
    "alerting": "open",
    "recovering": "open",
    "unknown": "unknown",
}
#: Why an instance is in a state that its last evaluation did not give, or gave only so.
REASONS: Mapping[str, str] = {
    "nodata": "no data",
    "error": "its rule cannot be evaluated",
    "keeplast": "kept as it was",
    "missingseries": "its series is missing",
    "paused": "its rule is paused",
    "updated": "its rule was changed",
    "ruledeleted": "its rule was deleted",
}
#: What such an alert is called where it is sent to; its own name is the label ``rulename`` there.
SENT_AS: Mapping[InstanceState, str] = {"no data": "DatasourceNoData", "error": "DatasourceError"}

RULE_UID: Final = "__alert_rule_uid__"
DASHBOARD: Final = "__dashboardUid__"
PANEL: Final = "__panelId__"

#: What an alert is known by wherever it is told of: its rule, and its labels.
Identity: TypeAlias = tuple[str, frozenset[tuple[str, str]]]
#: Who or what keeps an alert quiet, and until when.
Silence: TypeAlias = tuple[str, datetime | None]


class Instance(msgspec.Struct, frozen=True):
    """What an alert's state says: the state, and the reasons beside it."""

    state: InstanceState
    reasons: tuple[str, ...] = ()

    @property
    def is_failing(self) -> bool:
        """Whether its rule could not be evaluated, whatever its owner wants to be told then."""
        return self.state == "error" or (self.state == "normal" and "error" in self.reasons)

    @property
    def tells_of_rule(self) -> bool:
        """Whether it says that its rule has no data or cannot be evaluated."""
        return self.state in ("no data", "error") or not {"nodata", "error"}.isdisjoint(self.reasons)

    @property
    def is_well(self) -> bool:
        return self.state == "normal" and not self.is_failing

    def why(self, last_error: str) -> str:
        """For people; ``""`` where the state says it all."""
        own = {"no data": "nodata", "error": "error"}.get(self.state, "")
        known = dict.fromkeys(filter(None, (own, *self.reasons)))
        said = ["no longer true, and kept for a while"] if self.state == "recovering" else []
        said += [REASONS.get(reason, reason) for reason in known]
        if "error" in known and last_error:
            said.append(last_error)
        return ": ".join(said)


def instance_of(word: str | None) -> Instance:
    """What ``Alerting (NoData, KeepLast)`` means, in any case."""
    state, _, reasons = (word or "").partition(" (")
    split = (reason.strip().lower() for reason in reasons.rstrip(")").split(","))
    return Instance(meaning(STATES, state), tuple(filter(None, split)))


def is_internal(label: str) -> bool:
    """Whether Grafana uses a label for itself."""
    return label.startswith("__")


def visible(alert: Labelled) -> dict[str, str]:
    """The labels that are for people."""
    return {name: value for name, value in alert.shown_labels.items() if not is_internal(name)}


def rule_uid(found: Found) -> str:
    """The rule's own id: a field since Grafana 11, before that a label."""
    return found.rule.uid or found.alert.label(RULE_UID) or found.rule.label(RULE_UID)


def identity(uid: str, labels: Mapping[str, str]) -> Identity:
    return uid, frozenset(labels.items())


def sent_identity(found: Found, instance: Instance) -> Identity:
    """By what an Alertmanager knows this alert."""
    labels = visible(found.alert)
    if name := SENT_AS.get(instance.state):
        labels = {**labels, "rulename": labels.get("alertname", ""), "alertname": name}
    return identity(rule_uid(found), labels)


def pages_of(root: str, found: Found) -> tuple[str, dict[str, str]]:
    """The page of an alert's rule, and links to its dashboard, panel and folder."""
    uid = rule_uid(found)
    page = f"{root}/alerting/grafana/{quote(uid, safe='')}/view" if uid else f"{root}/alerting/list"
    links = found.alert.links
    dashboard, panel = (found.alert.annotation(name) or found.rule.annotation(name) for name in (DASHBOARD, PANEL))
    if dashboard:
        links.setdefault("dashboard", f"{root}/d/{quote(dashboard, safe='')}")
        if panel:
            links["panel"] = f"{root}/d/{quote(dashboard, safe='')}?viewPanel={quote(panel, safe='')}"
    if folder := found.group.folder_uid or found.rule.folder_uid:
        links["folder"] = f"{root}/dashboards/f/{quote(folder, safe='')}"
    return page, links


def incident_of(
    source: Source[Any],
    root: str,
    found: Found,
    instance: Instance,
    *,
    state: IncidentState,
    silenced: Silence | None,
    texts: SteadyTexts,
) -> Incident:
    """What an alert of Grafana's own is; ``root`` is the address of its pages.  `BadAnswer` without labels."""
    alert, uid = found.alert, rule_uid(found)
    need(alert.labels, "labels")
    labels = visible(alert)
    fingerprint = digest_of(labels, *((uid,) if uid else found.rule_id))
    key = source.key("incident", fingerprint)
    now = source.clock.monotonic()
    text = texts.steady(key, alert.title(name_of(found)) or fingerprint, alert.annotation("description"), now)
    reason = texts.steady(reason_key(key), instance.why(found.rule.last_error or ""), "", now)
    quiet = silenced if state in ("open", "unknown") else None
    page, links = pages_of(root, found)
    return Incident(
        key=key,
        source=source.name,
        title=text.title,
        description=text.description,
        reason=reason.title,
        state="suppressed" if quiet else state,
        raw_state=alert.state or "",
        severity=alert.severity,
        fingerprint=fingerprint,
        started_at=parse_time(alert.active_at),
        suppressed_by=quiet[0] if quiet else "",
        suppressed_until=quiet[1] if quiet else None,
        url=page,
        links=links,
        labels=labels,
    )


def name_of(found: Found) -> str:
    """What an alert is called."""
    return found.alert.label("alertname") or found.rule.name or ""


def reason_key(key: str) -> str:
    """The key of an incident's reason among texts."""
    return f"{key} reason"
