"""A real Icinga 2: Debian's package, with its own configuration, certificate authority and data in the test's folder.

It runs as an unprivileged user and reads nothing of the machine's own Icinga but the library of templates. Every host
and service is passive: tests say what their checks found. It answers within a second.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import ssl
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import httpx

from tests.real.needs import program
from tests.real.process import Server, _Client
from tests.real.servers import answer
from tests.real.venvs import as_user, unprivileged

PACKAGE = "icinga2-bin icinga2-common openssl"
#: Two hosts in a group, one of them with nothing on it, and one that nobody but root may see.
CONFIG = """
include <itl>
object Endpoint NodeName {}
object Zone ZoneName { endpoints = [ NodeName ] }
object ApiListener "api" {
  bind_host = "127.0.0.1"
  bind_port = %(port)d
}
object ApiUser "root" {
  password = "%(root)s"
  permissions = [ "*" ]
}
object ApiUser "board" {
  password = "%(password)s"
  permissions = [ "objects/query/Host", "objects/query/Service", "objects/query/Comment", "objects/query/Downtime" ]
}
object ApiUser "narrow" {
  password = "%(password)s"
  permissions = [ "objects/query/Host", "objects/query/Service" ]
}
object ApiUser "blind" {
  password = "%(password)s"
  permissions = [
    { permission = "objects/query/Host", filter = {{ host.name == "nowhere" }} },
    { permission = "objects/query/Service", filter = {{ host.name == "nowhere" }} }
  ]
}
object ApiUser "idle" {
  password = "%(password)s"
  permissions = [ "status/query" ]
}
template CheckCommand "none" { command = [ "/bin/true" ] }
object CheckerComponent "checker" {}
object HostGroup "web" { display_name = "Web servers" }
template Host "passive" {
  check_command = "passive"
  enable_active_checks = false
  max_check_attempts = 1
}
template Service "passive-service" {
  check_command = "passive"
  enable_active_checks = false
  max_check_attempts = 2
}
object Host "web01" {
  import "passive"
  display_name = "Web 1"
  groups = [ "web" ]
  notes_url = "https://wiki.example.com/web01"
}
object Host "db01" { import "passive" }
for (name in [ "disk", "load" ]) {
  object Service name {
    import "passive-service"
    host_name = "web01"
    enable_flapping = true
    notes_url = "https://wiki.example.com/" + name
  }
}
object Service "backup" {
  import "passive-service"
  host_name = "db01"
}
"""


class Icinga2(Server):
    """Icinga with the hosts `web01` (group `web`; services `disk`, `load`) and `db01` (service `backup`).

    A service's first bad result is soft, the second hard; a host's first is hard. The API's users: `root`, `board`,
    `narrow` (may not see comments and downtimes), `blind` (sees no host), `idle` (may ask for none).
    """

    name: ClassVar[str] = "icinga2"
    root: ClassVar[str] = "r" * 20
    password: ClassVar[str] = "p" * 20
    NODE: ClassVar[str] = "localhost"

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        super().__init__(folder, port=port)
        self._data = folder / "data"

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca(self) -> Path:
        """The certificate of the authority that signed the server's."""
        return self.folder / "ca.crt"

    def user(self) -> str | None:
        return unprivileged()

    def environment(self) -> Mapping[str, str]:
        user = pwd.getpwnam(self.user() or pwd.getpwuid(os.geteuid()).pw_name)
        group = grp.getgrgid(user.pw_gid).gr_name
        return {"HOME": str(self._data), "ICINGA2_USER": user.pw_name, "ICINGA2_GROUP": group}

    def prepare(self) -> None:
        program("icinga2", package=PACKAGE)
        certificates = self._data / "certs"
        for folder in ("certs", "cache", "log", "run", "spool", "config"):
            (self._data / folder).mkdir(parents=True)
        values = {"port": self.port, "root": self.root, "password": self.password}
        (self.folder / "icinga2.conf").write_text(CONFIG % values)
        if user := self.user():
            for path in (self.folder, self._data, *self._data.iterdir()):
                shutil.chown(path, user, as_user(user)["group"])
        openssl = program("openssl", package="openssl")
        (self.folder / "san.cnf").write_text(f"subjectAltName=IP:127.0.0.1,DNS:{self.NODE}\n")
        key, request = str(certificates / f"{self.NODE}.key"), str(certificates / "request.csr")
        new = ["req", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        ca, ca_key = str(self.ca), str(self.folder / "ca.key")
        self.run(openssl, *new, "-x509", "-subj", "/CN=Icinga CA", "-keyout", ca_key, "-out", ca)
        self.run(openssl, *new[:4], "-subj", f"/CN={self.NODE}", "-keyout", key, "-out", request)
        signed = ["x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "2"]
        self.run(openssl, *signed, "-extfile", "san.cnf", "-out", str(certificates / f"{self.NODE}.crt"))
        self.run("/bin/cp", ca, str(certificates / "ca.crt"))

    def command(self) -> Sequence[str]:
        data = self._data
        places = {
            "ConfigDir": data / "config",
            "DataDir": data,
            "LogDir": data / "log",
            "CacheDir": data / "cache",
            "SpoolDir": data / "spool",
            "InitRunDir": data / "run",
            "PidPath": data / "run" / "icinga2.pid",
            "NodeName": self.NODE,
            "ZoneName": self.NODE,
        }
        defined = [f"-D{name}={value}" for name, value in places.items()]
        return [program("icinga2", package=PACKAGE), "daemon", "-c", str(self.folder / "icinga2.conf"), *defined]

    def ready(self) -> bool:
        return self.http.get("/v1/status/IcingaApplication").is_success

    def result(self, host: str, service: str = "", *, code: int, output: str = "", times: int = 1) -> None:
        """What a check of the host (0 up, 1 down) or service (0 to 3) found, as often as said."""
        for _ in range(times):
            self._act("process-check-result", host, service, exit_status=code, plugin_output=output)

    def acknowledge(self, host: str, service: str = "", *, author: str, comment: str) -> None:
        self._act("acknowledge-problem", host, service, author=author, comment=comment)

    def downtime(self, host: str, service: str = "", *, author: str, comment: str, until: datetime) -> None:
        """A fixed downtime from now on."""
        span = {"start_time": time.time() - 1, "end_time": until.timestamp(), "fixed": True}
        self._act("schedule-downtime", host, service, author=author, comment=comment, **span)

    def all_well(self) -> None:
        """Every check is fine again, without a downtime."""
        for host in ("web01", "db01"):
            for kind in ("Host", "Service"):
                everything = {"type": kind, "filter": f'host.name=="{host}"'}
                self._post("/v1/actions/remove-downtime", everything)
            self.result(host, code=0)
        for host, service in (("web01", "disk"), ("web01", "load"), ("db01", "backup")):
            self.result(host, service, code=0)

    def _act(self, action: str, host: str, service: str, **values: Any) -> None:
        name = f"{host}!{service}" if service else host
        kind = "Service" if service else "Host"
        done = self._post(f"/v1/actions/{action}", {"type": kind, kind.lower(): name, **values})
        assert all(result["code"] == 200 for result in done["results"]), done

    def _post(self, path: str, json: object) -> Any:
        reply = self.http.post(path, json=json)
        return {} if reply.status_code == 404 and "remove-downtime" in path else answer(reply)

    def _client(self) -> httpx.Client:
        # Before the first start there is no certificate to trust.
        verify = ssl.create_default_context(cafile=str(self.ca)) if self.ca.exists() else False
        return _Client(
            self,
            base_url=self.url,
            trust_env=False,
            timeout=10.0,
            verify=verify,
            auth=("root", self.root),
            headers={"Accept": "application/json"},
        )
