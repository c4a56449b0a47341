"""Alertmanager's API v2, as 0.25 answers it: ``/api/v2/alerts``, ``/silences`` and ``/status``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from statusboard.demo.names import PROMETHEUS
from statusboard.demo.records import Alert, Silence
from statusboard.demo.servers import Pages, Request, Response, encode
from statusboard.demo.state import State

RESEND = 60.0
"""Prometheus sends what still fires once in so many seconds; an alert that it forgets ends after four of them."""

RECEIVER = "team-chat"
UPTIME = 19 * 86_400.0

CONFIG = """route:
  receiver: team-chat
  group_by: [alertname, service]
inhibit_rules:
- source_matchers: [severity="critical"]
  target_matchers: [severity=~"warning|info"]
  equal: [service, environment, instance]
receivers:
- name: team-chat
"""

_MATCHER = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^"]*?))\s*')


def milliseconds(when: float) -> str:
    """A Unix time as Alertmanager writes it: RFC 3339 with three digits and ``Z``."""
    text = datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


class Alertmanager:
    """Answers requests about the alerts of ``state``."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._pages = Pages()

    def answer(self, request: Request) -> Response:
        """The answer to one request; nothing here can be written to."""
        if request.path in ("/-/ready", "/-/healthy"):
            return Response(200, b"OK", "text/plain; charset=utf-8")
        answers = {"/api/v2/alerts": self._alerts, "/api/v2/silences": self._silences, "/api/v2/status": self._status}
        answer = answers.get(request.path)
        if answer is None:
            return Response(404, encode({"code": 404, "message": f"path {request.path} was not found"}))
        if request.method != "GET":
            message = f"method {request.method} is not allowed, but [GET] are"
            return Response(405, encode({"code": 405, "message": message}), headers={"Allow": "GET"})
        return answer(request)

    def _alerts(self, request: Request) -> Response:
        flags = {name: request.first(name, "true") == "true" for name in ("active", "silenced", "inhibited")}
        receiver = request.first("receiver", ".*")
        try:
            matchers = [_Matcher(text) for text in request.all("filter")]
            wanted = re.compile(receiver).fullmatch(RECEIVER)
        except ValueError as error:
            return Response(400, encode(str(error)))
        except re.error as error:
            return Response(400, encode(f"failed to parse receiver param: {error}"))
        state = self._state

        def make() -> Response:
            if not wanted:
                return Response(200, b"[]\n")
            loud = inhibitors(state.alerts)
            silences: dict[str, list[Silence]] = {}
            for silence in state.silences:
                if silence.ends > state.now:
                    silences.setdefault(silence.labels["service"], []).append(silence)
            found = []
            for alert in state.alerts:
                silenced = [s.id for s in silences.get(alert.labels.get("service", ""), ()) if s.covers(alert.labels)]
                inhibited = inhibited_by(alert, loud)
                shown = (
                    (flags["active"] or silenced or inhibited)
                    and (flags["silenced"] or not silenced)
                    and (flags["inhibited"] or not inhibited)
                )
                if shown and all(matches(alert.labels) for matches in matchers):
                    found.append(_alert(alert, silenced, inhibited, state.now))
            found.sort(key=lambda item: str(item["fingerprint"]))
            return Response(200, encode(found), headers={"Vary": "Origin"})

        revision = (state.revisions["alerts"], int(state.now // RESEND))
        return self._pages.get(request.query, revision, make)

    def _silences(self, request: Request) -> Response:
        try:
            matchers = [_Matcher(text) for text in request.all("filter")]
        except ValueError as error:
            return Response(400, encode(str(error)))
        found = [
            _silence(silence, self._state.now)
            for silence in self._state.silences
            if all(matches(silence.labels) for matches in matchers)
        ]
        return Response(200, encode(found), headers={"Vary": "Origin"})

    def _status(self, _: Request) -> Response:
        body = {
            "cluster": {"peers": [], "status": "disabled"},
            "config": {"original": CONFIG},
            "uptime": milliseconds(self._state.start - UPTIME),
            "versionInfo": {
                "branch": "HEAD",
                "buildDate": "20230409-09:50:43",
                "buildUser": "demo",
                "goVersion": "go1.19.8",
                "revision": "demo",
                "version": "0.25.0",
            },
        }
        return Response(200, encode(body), headers={"Vary": "Origin"})


class _Matcher:
    """One ``filter=``: ``name="value"`` with ``=``, ``!=``, ``=~`` or ``!~``.  `ValueError` where it is none."""

    def __init__(self, text: str) -> None:
        found = _MATCHER.fullmatch(text)
        if found is None:
            raise ValueError(f"bad matcher format: {text}")
        self._name, operator, quoted, bare = found.groups()
        value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else bare
        try:
            self._pattern = re.compile(value if "~" in operator else re.escape(value))
        except re.error as error:
            raise ValueError(f"bad matcher format: {text}: {error}") from None
        self._wanted = not operator.startswith("!")

    def __call__(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels match; a label that is not there counts as empty."""
        return (self._pattern.fullmatch(labels.get(self._name, "")) is not None) is self._wanted


def _place(alert: Alert) -> tuple[str, ...]:
    return tuple(alert.labels.get(name, "") for name in ("service", "environment", "instance"))


def inhibitors(alerts: list[Alert]) -> dict[tuple[str, ...], str]:
    """The fingerprints of the alerts that keep lesser ones quiet, by what these have in common with them."""
    return {_place(alert): alert.fingerprint for alert in alerts if alert.labels["severity"] == "critical"}


def inhibited_by(alert: Alert, loud: Mapping[tuple[str, ...], str]) -> list[str]:
    """The fingerprints of those of the ``loud`` alerts that keep this one quiet."""
    by = loud.get(_place(alert)) if alert.labels["severity"] in ("warning", "info") else None
    return [by] if by else []


def _alert(alert: Alert, silenced: list[str], inhibited: list[str], now: float) -> dict[str, object]:
    updated = max(alert.starts, now // RESEND * RESEND)
    return {
        "annotations": alert.annotations,
        "endsAt": milliseconds(updated + 4 * RESEND),
        "fingerprint": alert.fingerprint,
        "receivers": [{"name": RECEIVER}],
        "startsAt": milliseconds(alert.starts),
        "status": {
            "inhibitedBy": inhibited,
            "silencedBy": silenced,
            "state": "suppressed" if silenced or inhibited else "active",
        },
        "updatedAt": milliseconds(updated),
        "generatorURL": f"{PROMETHEUS}/graph?g0.expr={quote(alert.expression, safe='')}&g0.tab=1",
        "labels": alert.labels,
    }


def _silence(silence: Silence, now: float) -> dict[str, object]:
    return {
        "id": silence.id,
        "status": {"state": "active" if now < silence.ends else "expired"},
        "updatedAt": milliseconds(silence.starts),
        "comment": silence.comment,
        "createdBy": silence.by,
        "endsAt": milliseconds(silence.ends),
        "matchers": [
            {"isEqual": True, "isRegex": False, "name": name, "value": value} for name, value in silence.labels.items()
        ],
        "startsAt": milliseconds(silence.starts),
    }
