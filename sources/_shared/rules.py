"""Alerting rules with their alerts, as Prometheus lists them (``/api/v1/rules``): Mimir, Thanos, vmalert, Grafana too.

A rule keeps the alerts of its last good evaluation.  So one that cannot be evaluated, was not yet since the server
started, or was last a while ago proves nothing: neither that all is well, nor that an alert of it that is gone is over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

import msgspec

from sources._shared.alerts import Labelled
from sources._shared.matchers import Matchers
from sources._shared.rows import Rows
from sources._shared.words import meaning
from statusboard.api import BadAnswer, Reply, clean, parse_time

Health: TypeAlias = Literal["ok", "failing", "new", "no data", "unknown"]
RuleId: TypeAlias = tuple[str, str, str]

#: rule.health: Prometheus' words, then Grafana's.
HEALTHS: Mapping[str, Health] = {
    "ok": "ok",
    "err": "failing",
    "unknown": "new",
    "error": "failing",
    "nodata": "no data",
}


class Alert(Labelled, frozen=True, rename="camel"):
    """One alert of a rule.  ``keepFiringSince`` is there while only ``keep_firing_for`` keeps it."""

    state: str | None = None
    active_at: str | int | float | None = None
    keep_firing_since: str | int | float | None = None


class Rule(Labelled, frozen=True, rename="camel"):
    """``uid``, ``folder_uid`` and ``is_paused`` are Grafana's.  ``alerts`` may be left out of a rule that has none."""

    uid: str | None = None
    folder_uid: str | None = None
    name: str | None = None
    query: str | None = None
    type: str | None = None
    state: str | None = None
    health: str | None = None
    last_error: str | None = None
    last_evaluation: str | int | float | None = None
    is_paused: bool | None = None
    alerts: list[Any] | None = None


class Group(msgspec.Struct, frozen=True, rename="camel"):
    """``file`` is the folder in Grafana, the namespace in Mimir."""

    name: str | None = None
    file: str | None = None
    folder_uid: str | None = None
    interval: float | None = None
    rules: list[Any] | None = None


class Found(msgspec.Struct, frozen=True):
    """An alert, and whose it is."""

    alert: Alert
    rule: Rule
    group: Group

    @property
    def rule_id(self) -> RuleId:
        return rule_id(self.group, self.rule)


class _Data(msgspec.Struct, frozen=True, rename="camel"):
    groups: list[Any]
    group_next_token: str | None = None


class _Answer(msgspec.Struct, frozen=True):
    """``warnings``: Thanos could not ask all of its rulers."""

    status: str | None = None
    data: _Data | None = None
    error: str | None = None
    warnings: list[Any] | None = None


class RuleList:
    """What one answer tells.

    ``rules`` with their groups, ``alerts`` of all of them, and the ``error`` of what could not be read.  An answer that
    is none is a `BadAnswer`.
    """

    def __init__(self, reply: Reply) -> None:
        answer = reply.decode(_Answer)
        if (answer.status or "").lower() != "success" or answer.data is None:
            raise BadAnswer(f"the server could not list its rules: {clean(answer.error or 'no data', 200)}")
        groups = Rows("rule group", Group, answer.data.groups)
        rules: Rows[Rule] = Rows("rule", Rule)
        alerts: Rows[Alert] = Rows("alert", Alert)
        self.rules: list[tuple[Group, Rule]] = []
        self.alerts: list[Found] = []
        missing: BadAnswer | None = None
        for group in groups.good:
            if group.rules is None:
                missing = BadAnswer(f"the rule group {clean(group.name or '', 80)} has no list of rules")
            for rule in _more(rules, group.rules or ()):
                if (rule.type or "").lower() == "recording":
                    continue
                self.rules.append((group, rule))
                if rule.alerts is None and not (_is(rule.state, "inactive") and health_of(rule) == "ok"):
                    missing = BadAnswer(f"the rule {clean(rule.name or '', 80)} has no list of alerts")
                self.alerts += [Found(alert, rule, group) for alert in _more(alerts, rule.alerts or ())]
        if answer.warnings:
            missing = BadAnswer(f"some rules are missing: {clean(str(answer.warnings[0]), 200)}")
        if answer.data.group_next_token:
            missing = BadAnswer("some rules are missing: the server gave only the first page of them")
        self.error: BadAnswer | None = groups.error or rules.error or alerts.error or missing

    def unproven(self, rules: Iterable[tuple[Group, Rule]], now: datetime, late: float) -> dict[RuleId, str]:
        """Those of ``rules`` that prove nothing, and why.

        ``now`` is the server's own time.  ``late`` says how many seconds beyond its interval a rule may be evaluated; 0
        for any.
        """
        found: dict[RuleId, str] = {}
        for group, rule in rules:
            if why := _fault(group, rule, now, late):
                found.setdefault(rule_id(group, rule), why)
        return found


class Owners:
    """Whose alerts were seen: those of a rule that proves nothing are not over because they are gone."""

    def __init__(self) -> None:
        self._rules: dict[str, RuleId] = {}

    def retire_only(self, present: Mapping[str, RuleId], unproven: Iterable[RuleId]) -> frozenset[str] | None:
        """Take note of an answer; returns the keys that absence may resolve, None for all of them."""
        doubtful = set(unproven)
        held = {key: rule for key, rule in self._rules.items() if key not in present and rule in doubtful}
        known = {*self._rules, *present}
        self._rules = {**held, **present}
        return frozenset(known - held.keys()) if held else None


class EvaluationErrors:
    """What is to be said of rules that prove nothing, in the same words while it is the same rules.

    What a server says of an error may name series in another order each time.
    """

    def __init__(self) -> None:
        self._told: tuple[dict[RuleId, str], int] = ({}, 0)
        self._error: BadAnswer | None = None

    def of(self, unproven: Mapping[RuleId, str], total: int) -> BadAnswer | None:
        """The error for ``unproven`` (rules, and why) of ``total`` rules; None where there is none."""
        told = {rule: why.partition(": ")[0] for rule, why in unproven.items()}, total
        if told != self._told:
            self._told = told
            self._error = _evaluation_error(unproven, total) if unproven else None
        return self._error


def both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    """The keys that absence may resolve by two reckonings."""
    if one is None or other is None:
        return other if one is None else one
    return one & other


def asked_for(rules: Iterable[tuple[Group, Rule]], matchers: Matchers) -> list[tuple[Group, Rule]]:
    """The rules that may give alerts that match.  A template says nothing of the label that it gives."""
    found: list[tuple[Group, Rule]] = []
    for group, rule in rules:
        fixed = {name: value for name, value in (rule.labels or {}).items() if "{{" not in (value or "")}
        if matchers.may_match({**fixed, "alertname": rule.name} if rule.name else fixed):
            found.append((group, rule))
    return found


def rule_id(group: Group, rule: Rule) -> RuleId:
    """What tells a rule from others, as people call it; rules that share a name are one."""
    return group.file or "", group.name or "", rule.name or ""


def health_of(rule: Rule) -> Health:
    return meaning(HEALTHS, rule.health)


def digest_of(labels: Mapping[str, str], *more: str) -> str:
    """An id for what has these labels."""
    data = msgspec.json.encode([sorted(labels.items()), *more])
    return hashlib.blake2b(data, digest_size=10).hexdigest()


def _evaluation_error(unproven: Mapping[RuleId, str], total: int) -> BadAnswer:
    (_, group, name), why = next(iter(unproven.items()))
    where = clean(f"{name} ({group})" if group else name, 100)
    return BadAnswer(f"{len(unproven)} of {total} rules prove nothing: {where}: {why}")


#: What it means that a rule is not ok; `{}` is what the server says of it.
_FAULTS: Final[Mapping[Health, str]] = {
    "failing": "it cannot be evaluated: {}",
    "new": "it was not evaluated yet",
    "no data": "it has no data",
    "unknown": "its health is {}",
}


def _fault(group: Group, rule: Rule, now: datetime, late: float) -> str:
    """Why a rule proves nothing; ``""`` for one that does, or that somebody paused."""
    if rule.is_paused:
        return ""
    health = health_of(rule)
    if health != "ok":
        said = rule.last_error if health == "failing" else rule.health
        return clean(_FAULTS[health].format(clean(said or "not said", 200)), 250)
    evaluated_at = parse_time(rule.last_evaluation)
    if evaluated_at is None:
        # Who does not say whether a rule is paused (Grafana, before 12) tells no new rule from a paused one.
        return _FAULTS["new"] if rule.is_paused is False else ""
    if late and (now - evaluated_at).total_seconds() > late + (group.interval or 0.0):
        return f"it was evaluated last at {evaluated_at:%Y-%m-%d %H:%M:%S} UTC"
    return ""


def _more(rows: Rows[Any], page: Iterable[object]) -> list[Any]:
    """Add a page to ``rows``; returns the good ones among it."""
    before = len(rows.good)
    rows.add(page)
    return rows.good[before:]


def _is(word: str | None, wanted: str) -> bool:
    return (word or "").strip().lower() == wanted
