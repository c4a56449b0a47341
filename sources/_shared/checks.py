"""What Nagios and its kin have in common: checks of hosts and services, soft states, acknowledgements and downtimes.

A state is *soft* while the system still tries again before it tells anybody. The services of a host that is down fail
with it: they are shown, and say so. What a plug-in prints quotes measured values, so it is renewed now and then only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from sources._shared.alerts import SteadyText
from sources._shared.rows import remote_id
from statusboard.api import Incident, IncidentState, NotFound, Severity, Source

#: A host's state, as Nagios and Livestatus count.
HOST_STATES: Mapping[int, str] = {0: "UP", 1: "DOWN", 2: "UNREACHABLE"}
#: A service's state, which is what its plug-in exits with.
SERVICE_STATES: Mapping[int, str] = {0: "OK", 1: "WARNING", 2: "CRITICAL", 3: "UNKNOWN"}
WELL: Final = frozenset({"UP", "OK"})
#: How bad a state is, where nothing else is said of it.
SEVERITIES: Mapping[str, Severity] = {
    "DOWN": "critical",
    "UNREACHABLE": "medium",  # what lies between us and it is the fault
    "CRITICAL": "critical",
    "WARNING": "medium",
    "UNKNOWN": "medium",
}

PROVEN: Final = 600.0
"""Seconds for which it is believed that an account that was seen to see something sees it still."""


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """An acknowledgement or a downtime: whose, why, when it was made and when it ends."""

    author: str = ""
    text: str = ""
    at: datetime | None = None
    until: datetime | None = None

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.author, self.text)))


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """A host (``service`` is empty) or a service that is not well.

    ``host`` and ``service`` tell it apart; ``host_title`` and ``title`` are what people call it. ``state`` is a word of
    the tables above, ``""`` where the vendor's (``raw``) is not known. ``host_state`` is that of a service's host,
    ``""`` while it is well. ``since`` is when it was last well: this stays the same while a warning becomes critical
    and a soft state hard, for one fault is one incident. ``downtimes`` are those in effect; ``in_downtime`` may be
    known without them.
    """

    host: str
    service: str = ""
    host_title: str = ""
    title: str = ""
    state: str = ""
    raw: str = ""
    soft: bool = False
    output: str = ""
    details: str = ""
    since: datetime | None = None
    changed: datetime | None = None
    acknowledged: bool = False
    acknowledgement: Remark = Remark()
    in_downtime: bool = False
    downtimes: tuple[Remark, ...] = ()
    flapping: bool = False
    host_state: str = ""
    url: str = ""
    links: dict[str, str] = {}
    labels: dict[str, str] = {}

    @property
    def id(self) -> str:
        """``host`` or ``host!service``: neither Nagios nor its kin allow ``!`` in a name."""
        return remote_id(f"{self.host}!{self.service}" if self.service else self.host)


class Texts:
    """What checks last said of themselves, so that new numbers are no news."""

    def __init__(self) -> None:
        self._shown: dict[str, SteadyText] = {}

    def steady(self, key: str, output: str, details: str, now: float) -> SteadyText:
        """The text to show for ``key`` at ``now`` (monotonic)."""
        text = SteadyText(title=output, description=details, at=now)
        text = self._shown[key] = text.steady(self._shown.get(key))
        return text

    def keep(self, keys: frozenset[str]) -> None:
        """Forget all others: they are well."""
        self._shown = {key: text for key, text in self._shown.items() if key in keys}


class Sight:
    """Whether the account sees anything at all: an empty list of problems proves nothing if it does not."""

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}

    def must_ask(self, what: str, found: bool, now: float) -> bool:
        """Whether it must be asked what is visible; ``found`` says that problems were, which is proof enough."""
        if found:
            self._seen[what] = now
        return now - self._seen.get(what, float("-inf")) >= PROVEN

    def told(self, what: str, count: int, now: float, cure: str) -> None:
        """Note how many hosts or services are visible. `NotFound` where none is."""
        if count <= 0:
            self._seen.pop(what, None)
            raise NotFound(f"no {what} is visible to this account, so nothing can be said of them: {cure}")
        self._seen[what] = now


def incident_of(source: Source[Any], check: Check, texts: Texts) -> Incident | None:
    """The incident that a check is, None for one that is well."""
    if check.state in WELL:
        return None
    key = source.key("incident", check.id)
    output = texts.steady(key, check.output, check.details, source.clock.monotonic())
    host_down = bool(check.service and check.host_state)
    secondary = f"its host {check.host} is {check.host_state.lower()}" if host_down else ""
    labels = {
        "host": check.host,
        "check": check.service,
        "state_type": "soft" if check.soft else "",
        "flapping": "yes" if check.flapping else "",
        "host_state": check.host_state.lower() if host_down else "",
        **check.labels,
    }
    ends = [remark.until for remark in check.downtimes]
    state = _state(check)
    return Incident(
        key=key,
        source=source.name,
        title=": ".join(filter(None, (check.host_title or check.host, check.title or check.service))),
        reason="; ".join(filter(None, (secondary, output.title))),
        description=output.description,
        state=state,
        raw_state=f"{check.state or check.raw}{' (soft)' if check.soft else ''}",
        severity=SEVERITIES.get(check.state, "unknown"),
        target=check.host,
        started_at=check.since,
        updated_at=check.changed or check.since,
        acknowledged_at=check.acknowledgement.at if check.acknowledged else None,
        acknowledged_by=check.acknowledgement.author if check.acknowledged else "",
        suppressed_by=_why(check) if state == "suppressed" else "",
        # Nobody knows the end while one of them has none.
        suppressed_until=max(filter(None, ends), default=None) if state == "suppressed" and all(ends) else None,
        url=check.url,
        links=check.links,
        labels={name: value for name, value in labels.items() if value},
    )


def number(value: object) -> int | None:
    """``value`` as a whole number: vendors write 1, 1.0 and "1"; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        count = float(value)
        return int(count) if count == int(count) else None
    except (ValueError, OverflowError):
        return None


def flag(value: object) -> bool:
    """Whether ``value`` says yes: true, "true", or a number that is not 0."""
    if isinstance(value, bool):
        return value
    return bool(number(value)) or (isinstance(value, str) and value.strip().lower() in ("true", "yes"))


def newest(*times: datetime | None) -> datetime | None:
    """The latest of the times that are known."""
    return max((time for time in times if time is not None), default=None)


def _state(check: Check) -> IncidentState:
    """What is planned is no fault, what somebody has in hand is theirs, and what is tried again may come to nothing."""
    if not check.state:
        return "unknown"
    if check.in_downtime or check.downtimes:
        return "suppressed"
    if check.acknowledged:
        return "acknowledged"
    return "pending" if check.soft else "open"


def _why(check: Check) -> str:
    # Their order means nothing: sorted, the same downtimes read the same at each poll.
    return "; ".join(sorted({f"downtime by {remark}" for remark in check.downtimes if str(remark)})) or "downtime"
