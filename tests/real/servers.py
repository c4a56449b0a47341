"""The real servers: Alertmanager, Prometheus, Buildbot and Roundup, booted on loopback and fed through their own APIs.

Each class is a `Server` (see process.py): a context manager with `url`, `start`, `stop`, `kill` and `restart`. What
changes a server returns only once the server's own answer shows the change, so that a test may look at the board next.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import httpx

from tests.real.needs import program
from tests.real.process import Server, wait_until
from tests.real.venvs import as_user, environment, unprivileged

HERE = Path(__file__).parent


class Refused(Exception):
    """A server answered with an error; the message holds its words."""


def answer(reply: httpx.Response) -> Any:
    """The decoded JSON of a successful reply, None for an empty one; `Refused` otherwise."""
    if reply.is_error:
        raise Refused(f"{reply.request.method} {reply.request.url} answered {reply.status_code}: {reply.text[:500]}")
    return reply.json() if reply.content else None


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC, as Alertmanager reads it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Alertmanager(Server):
    """Prometheus Alertmanager. A critical alert inhibits the warnings with the same `service` label.

    Alerts live in memory: a restarted Alertmanager knows none until they are fired again.
    """

    name: ClassVar[str] = "alertmanager"

    def prepare(self) -> None:
        shutil.copy(HERE / "alertmanager.yml", self.folder / "alertmanager.yml")

    def command(self) -> Sequence[str]:
        return [
            program("prometheus-alertmanager", "alertmanager", package="prometheus-alertmanager"),
            "--config.file=alertmanager.yml",
            "--storage.path=data",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
        ]

    def ready(self) -> bool:
        return self.http.get("/-/ready").is_success

    def alerts(self) -> list[dict[str, Any]]:
        """Every alert it knows, suppressed ones too, as its API gives them."""
        found: list[dict[str, Any]] = answer(self.http.get("/api/v2/alerts"))
        return found

    def fire(
        self,
        labels: Mapping[str, str],
        annotations: Mapping[str, str] | None = None,
        ends_at: datetime | None = None,
    ) -> dict[str, Any]:
        """Fire the alert of these labels (`alertname` among them) until `ends_at`, an hour from now by default.

        Returns it as the API shows it, once Alertmanager has decided whether it is active or suppressed.
        """
        ends = ends_at or datetime.now(UTC) + timedelta(hours=1)
        alert = {"labels": dict(labels), "annotations": dict(annotations or {}), "endsAt": stamp(ends)}
        answer(self.http.post("/api/v2/alerts", json=[alert]))

        def decided() -> dict[str, Any] | None:
            found = self._with(labels)
            return found if found and found["status"]["state"] != "unprocessed" else None

        return wait_until(f"the alert {dict(labels)} fires", decided)

    def resolve(self, labels: Mapping[str, str]) -> None:
        """End the alert of these labels; a resolved alert is no longer listed, so returns when it is gone."""
        answer(self.http.post("/api/v2/alerts", json=[{"labels": dict(labels), "endsAt": stamp(datetime.now(UTC))}]))
        wait_until(f"the alert {dict(labels)} is gone", lambda: self._with(labels) is None)

    def silence(
        self, matchers: Mapping[str, str], minutes: float, author: str = "ops", comment: str = "planned"
    ) -> str:
        """Silence what has all these labels, from now on for `minutes`. Returns the silence's id once it is active."""
        now = datetime.now(UTC)
        wanted = {
            "matchers": [
                {"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in matchers.items()
            ],
            "startsAt": stamp(now),
            "endsAt": stamp(now + timedelta(minutes=minutes)),
            "createdBy": author,
            "comment": comment,
        }
        silence: str = answer(self.http.post("/api/v2/silences", json=wanted))["silenceID"]
        wait_until(f"the silence {silence} is active", lambda: self._silence_state(silence) == "active")
        return silence

    def expire(self, silence_id: str) -> None:
        """End a silence early."""
        answer(self.http.delete(f"/api/v2/silence/{silence_id}"))
        wait_until(f"the silence {silence_id} is expired", lambda: self._silence_state(silence_id) == "expired")

    def clear(self) -> None:
        """Forget every alert and silence, for the next test."""
        for silence in answer(self.http.get("/api/v2/silences")):
            if silence["status"]["state"] != "expired":
                self.expire(silence["id"])
        for alert in self.alerts():
            self.resolve(alert["labels"])

    def _with(self, labels: Mapping[str, str]) -> dict[str, Any] | None:
        return next((alert for alert in self.alerts() if alert["labels"] == dict(labels)), None)

    def _silence_state(self, silence_id: str) -> str:
        state: str = answer(self.http.get(f"/api/v2/silence/{silence_id}"))["status"]["state"]
        return state


class Prometheus(Server):
    """Prometheus with the rules of rules.yml, evaluated each second and sent to `alertmanager`.

    InstanceDown fires after some seconds, DiskFillsUp stays pending, Watchdog always fires. Each alert that is sent
    lives 4 s, so a stopped Prometheus takes its alerts, Watchdog among them, out of Alertmanager soon.
    """

    name: ClassVar[str] = "prometheus"

    def __init__(self, folder: Path, alertmanager: Alertmanager, *, port: int | None = None) -> None:
        super().__init__(folder, port=port)
        self.alertmanager = alertmanager

    def prepare(self) -> None:
        shutil.copy(HERE / "rules.yml", self.folder / "rules.yml")
        (self.folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
            "rule_files: [rules.yml]\n"
            "alerting:\n"
            f"  alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{self.alertmanager.port}']}}]}}]\n"
            "scrape_configs:\n"
            f"- {{job_name: self, static_configs: [{{targets: ['127.0.0.1:{self.port}']}}]}}\n"
            "- {job_name: absent, static_configs: [{targets: ['127.0.0.1:1']}]}\n"
        )

    def command(self) -> Sequence[str]:
        return [
            program("prometheus", package="prometheus"),
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            f"--web.listen-address=127.0.0.1:{self.port}",
            # What fires before Prometheus has found its Alertmanager is lost; the next minute's repetition is too late.
            "--rules.alert.resend-delay=1s",
        ]

    def ready(self) -> bool:
        return self.http.get("/-/ready").is_success

    def alerts(self) -> list[dict[str, Any]]:
        """Pending and firing alerts of its rules, as its API gives them."""
        found: list[dict[str, Any]] = answer(self.http.get("/api/v1/alerts"))["data"]["alerts"]
        return found

    def wait_for(self, alertname: str, state: str) -> dict[str, Any]:
        """The alert of that rule once it is in that state (pending, firing)."""

        def found() -> dict[str, Any] | None:
            wanted = (a for a in self.alerts() if a["labels"]["alertname"] == alertname and a["state"] == state)
            return next(wanted, None)

        return wait_until(f"{alertname} is {state}", found)


class Buildbot(Server):
    """A Buildbot master with its own worker and the builders passes, fails, warns, turns and slow.

    `slow` runs until `open_gate`; `close_gate` makes the next one wait. `turns` fails while `break_turns` says so.
    """

    name: ClassVar[str] = "buildbot"
    BUILDERS: ClassVar[tuple[str, ...]] = ("passes", "fails", "warns", "turns", "slow")

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        super().__init__(folder, port=port)
        self._gate = folder / "gate"
        self._fault = folder / "fault"
        self._master = folder / "master"
        self._bin = Path()

    def prepare(self) -> None:
        self._bin = environment("buildbot", "buildbot[bundle]==4.3.0", "buildbot-worker==4.3.0") / "bin"
        self.run(str(self._bin / "buildbot"), "create-master", "--quiet", str(self._master))
        shutil.copy(HERE / "master.cfg", self._master / "master.cfg")

    def command(self) -> Sequence[str]:
        # twistd itself, not `buildbot start`, which would leave our process group.
        options = ["--nodaemon", "--no_save", "--pidfile=", f"--rundir={self._master}", "--logfile=-"]
        return [str(self._bin / "twistd"), *options, "-y", str(self._master / "buildbot.tac")]

    def environment(self) -> Mapping[str, str]:
        return {"BOARD_PORT": str(self.port), "BOARD_GATE": str(self._gate), "BOARD_FAULT": str(self._fault)}

    def ready(self) -> bool:
        builders = self.http.get("/api/v2/builders", params={"field": "name"})
        workers = self.http.get("/api/v2/workers")
        if builders.is_error or workers.is_error:
            return False
        configured = {builder["name"] for builder in builders.json()["builders"]}
        return configured >= set(self.BUILDERS) and all(one["connected_to"] for one in workers.json()["workers"])

    def open_gate(self) -> None:
        """Let builds of `slow` end."""
        self._gate.touch()

    def close_gate(self) -> None:
        """Let the next builds of `slow` run until `open_gate`."""
        self._gate.unlink(missing_ok=True)

    def break_turns(self, broken: bool) -> None:
        """Whether the next builds of `turns` fail."""
        if broken:
            self._fault.touch()
        else:
            self._fault.unlink(missing_ok=True)

    def force(self, builder: str, *, reason: str = "asked for by a test") -> int:
        """Ask for a build; returns the id of the build request, for `build_of` and `finished`."""
        parameters = {"builderNames": [builder], "username": "Ada <ada@example.com>", "reason": reason}
        call = {"jsonrpc": "2.0", "id": 1, "method": "force", "params": parameters}
        reply = answer(self.http.post("/api/v2/forceschedulers/force", json=call))
        if "error" in reply:
            raise Refused(f"{builder} was not forced: {reply['error']}")
        requests: list[int] = list(reply["result"][1].values())
        return requests[0]

    def build_of(self, request: int) -> dict[str, Any]:
        """The newest build of that request, once it has begun, as the API gives it."""

        def begun() -> dict[str, Any] | None:
            query: dict[str, str | int] = {"buildrequestid__eq": request, "order": "-buildid", "limit": 1}
            builds: list[dict[str, Any]] = answer(self.http.get("/api/v2/builds", params=query))["builds"]
            return builds[0] if builds else None

        return wait_until(f"build request {request} begins", begun)

    def finished(self, request: int, *, timeout: float = 60.0) -> dict[str, Any]:
        """That request's build, once it is complete; `results` is 0 success, 1 warnings, 2 failure."""

        def complete() -> dict[str, Any] | None:
            build = self.build_of(request)
            return build if build["complete"] else None

        return wait_until(f"build request {request} completes", complete, timeout=timeout)

    def wait_idle(self, *, timeout: float = 60.0) -> None:
        """Return when nothing is queued or running."""

        def idle() -> bool:
            waiting = answer(self.http.get("/api/v2/buildrequests", params={"complete": "false"}))["buildrequests"]
            running = answer(self.http.get("/api/v2/builds", params={"complete": "false"}))["builds"]
            return not waiting and not running

        wait_until("Buildbot is idle", idle, timeout=timeout)


class Roundup(Server):
    """A Roundup issue tracker of the classic template, named `board`, with its REST API under `api`.

    Roundup refuses to run as root, so root runs it as `nobody`.
    """

    name: ClassVar[str] = "roundup"
    username: ClassVar[str] = "admin"
    password: ClassVar[str] = "adminpw"

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        super().__init__(folder, port=port)
        self._home = folder / "home"
        self._bin = Path()

    @property
    def tracker(self) -> str:
        """The tracker's own URL, without a trailing slash."""
        return f"{self.url}/board"

    @property
    def api(self) -> str:
        """The REST API's URL, without a trailing slash."""
        return f"{self.tracker}/rest"

    def user(self) -> str | None:
        return unprivileged()

    def environment(self) -> Mapping[str, str]:
        return {"HOME": str(self._home), "TMPDIR": str(self._home)}

    def prepare(self) -> None:
        self._bin = environment("roundup", "roundup==2.6.0", user=self.user()) / "bin"
        self._home.mkdir()
        if user := self.user():
            shutil.chown(self._home, user, as_user(user)["group"])
        tracker = str(self._home / "tracker")
        settings = (
            f"tracker_web={self.tracker}/,mail_domain=example.com,mail_host=localhost,mail_debug={self._home}/mail"
        )
        admin = str(self._bin / "roundup-admin")
        self.run(admin, "-i", tracker, "install", "classic", "sqlite", settings)
        self.run(admin, "-i", tracker, "initialise", self.password)

    def command(self) -> Sequence[str]:
        tracker = f"board={self._home / 'tracker'}"
        return [str(self._bin / "roundup-server"), "-n", "127.0.0.1", "-p", str(self.port), tracker]

    def ready(self) -> bool:
        return self.http.get("/board/").is_success

    def create_issue(self, title: str, *, priority: str = "bug", status: str = "unread") -> str:
        """Open an issue (priority: critical urgent bug feature wish); returns its id."""
        made = self._call("POST", "issue", json={"title": title, "priority": priority, "status": status})
        issue: str = made["id"]
        return issue

    def set_status(self, issue: str, status: str) -> None:
        """Move an issue (unread deferred chatting need-eg in-progress testing done-cbb resolved)."""
        etag: str = self._call("GET", f"issue/{issue}")["@etag"]
        self._call("PATCH", f"issue/{issue}", json={"status": status}, headers={"If-Match": etag})

    def close_issue(self, issue: str) -> None:
        """Resolve an issue."""
        self.set_status(issue, "resolved")

    def issues(self) -> list[dict[str, Any]]:
        """All issues with id, title and the names of status and priority."""
        query = {"@fields": "title,status,priority", "@verbose": "2"}
        found: list[dict[str, Any]] = self._call("GET", "issue", params=query)["collection"]
        return [
            {"id": one["id"], "title": one["title"], **{name: one[name]["name"] for name in ("status", "priority")}}
            for one in found
        ]

    def _call(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any) -> Any:
        # Its protection against forged requests asks for all three of these headers.
        fixed = {"X-Requested-With": "rest", "Origin": self.url, "Referer": f"{self.tracker}/"}
        reply = self.http.request(
            method,
            f"/board/rest/data/{path}",
            headers={**fixed, **(headers or {})},
            auth=(self.username, self.password),
            **options,
        )
        return answer(reply)["data"]
