"""A real Nagios Core 4: Debian's package with its own configuration and data, and its CGIs behind a tiny web server.

Nothing runs as root. The core is the server's process; the CGIs are run by a thread of the test, for users with a
password, so that they go on answering when the core has died, as they do behind any web server. Every host and service
is passive: tests say what their checks found. The first start takes about 2 s.
"""

from __future__ import annotations

import base64
import grp
import os
import pwd
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

import httpx

from tests.real.needs import Unavailable, program
from tests.real.process import Server, wait_until
from tests.real.venvs import as_user, unprivileged

PACKAGE = "nagios4-core nagios4-cgi"
CGI = Path("/usr/lib/cgi-bin/nagios4")
CORE = """
log_file={folder}/core.log
cfg_file={folder}/objects.cfg
object_cache_file={folder}/objects.cache
status_file={folder}/status.dat
status_update_interval=2
nagios_user={user}
nagios_group={group}
check_external_commands=1
command_file={folder}/rw/nagios.cmd
lock_file={folder}/nagios.pid
temp_file={folder}/nagios.tmp
temp_path={folder}/tmp
check_result_path={folder}/spool
query_socket={folder}/rw/nagios.qh
use_syslog=0
check_for_updates=0
retain_state_information=0
execute_service_checks=0
execute_host_checks=0
enable_flap_detection=0
enable_environment_macros=0
date_format=iso8601
illegal_object_name_chars=`~!$%^&*|'"<>?,()=
"""
CGIS = """
main_config_file={folder}/nagios.cfg
physical_html_path=/usr/share/nagios4/htdocs
url_html_path=/nagios
use_authentication=1
authorized_for_all_hosts=board
authorized_for_all_services=board
authorized_for_read_only=board
escape_html_tags=1
"""
OBJECTS = """
define timeperiod {
  timeperiod_name always
  alias always
  monday 00:00-24:00
  tuesday 00:00-24:00
  wednesday 00:00-24:00
  thursday 00:00-24:00
  friday 00:00-24:00
  saturday 00:00-24:00
  sunday 00:00-24:00
}
define command {
  command_name none
  command_line /bin/true
}
define contact {
  contact_name eve
  host_notifications_enabled 0
  service_notifications_enabled 0
  host_notification_period always
  service_notification_period always
  host_notification_options n
  service_notification_options n
  host_notification_commands none
  service_notification_commands none
}
define host {
  name passive
  register 0
  check_command none
  check_period always
  notification_period always
  contacts eve
  max_check_attempts 2
  active_checks_enabled 0
}
define service {
  name passive
  register 0
  check_command none
  check_period always
  notification_period always
  contacts eve
  max_check_attempts 2
  check_interval 5
  retry_interval 1
  active_checks_enabled 0
}
define host {
  use passive
  host_name switch
  address 127.0.0.1
}
define host {
  use passive
  host_name web01
  alias Web 1
  address 127.0.0.1
  parents switch
}
define host {
  use passive
  host_name db01
  address 127.0.0.1
}
define hostgroup {
  hostgroup_name web
  members web01
}
define service {
  use passive
  host_name web01
  service_description disk
}
define service {
  use passive
  host_name web01
  service_description load
}
define service {
  use passive
  host_name db01
  service_description backup
}
"""
HOSTS = ("switch", "web01", "db01")
SERVICES = (("web01", "disk"), ("web01", "load"), ("db01", "backup"))


class Nagios(Server):
    """Nagios with `switch`, behind it `web01` (group `web`; `disk`, `load`), and `db01` (`backup`).

    The second bad result of a host or service makes it hard. Users of the CGIs: `board` may see all, `blind` nothing.
    """

    name: ClassVar[str] = "nagios"
    password: ClassVar[str] = "p" * 20

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        super().__init__(folder, port=port)
        self._web: ThreadingHTTPServer | None = None

    @property
    def root(self) -> str:
        """The web interface's root."""
        return f"{self.url}/nagios"

    @property
    def status_file(self) -> Path:
        return self.folder / "status.dat"

    def user(self) -> str | None:
        return unprivileged()

    def prepare(self) -> None:
        program("nagios4", package=PACKAGE)
        if not (CGI / "statusjson.cgi").exists():
            raise Unavailable(f"the CGIs of Nagios are not installed; on Debian: apt-get install {PACKAGE}")
        me = pwd.getpwnam(self.user() or pwd.getpwuid(os.geteuid()).pw_name)
        values = {"folder": self.folder, "user": me.pw_name, "group": grp.getgrgid(me.pw_gid).gr_name}
        for folder in ("rw", "tmp", "spool"):
            (self.folder / folder).mkdir()
        (self.folder / "nagios.cfg").write_text(CORE.format(**values))
        (self.folder / "cgi.cfg").write_text(CGIS.format(**values))
        (self.folder / "objects.cfg").write_text(OBJECTS)
        if user := self.user():
            for path in (self.folder, *self.folder.iterdir()):
                shutil.chown(path, user, as_user(user)["group"])

    def command(self) -> Sequence[str]:
        return [program("nagios4", package=PACKAGE), str(self.folder / "nagios.cfg")]

    def start(self) -> Self:
        if self._web is None:
            self._web = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
            threading.Thread(target=self._web.serve_forever, daemon=True).start()
        return super().start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if self._web is not None:
            self._web.shutdown()
            self._web.server_close()
            self._web = None

    def ready(self) -> bool:
        return (self.folder / "rw" / "nagios.cmd").exists() and "down" in self.ask("hostcount").get("count", {})

    def ask(self, query: str, **params: str) -> dict[str, Any]:
        """The data of a query as its CGI gives it, nothing while the core is still writing it."""
        asked = {"query": query, "formatoptions": "enumerate", **params}
        reply = self.http.get("/nagios/cgi-bin/statusjson.cgi", params=asked)
        try:
            answer: dict[str, Any] = reply.json()
        except ValueError:  # the CGI ended without an answer
            return {}
        data: dict[str, Any] = answer.get("data", {})
        return data

    def result(self, host: str, service: str = "", *, code: int, output: str | bytes = "", times: int = 1) -> None:
        """What a check of the host (0 up, 1 down) or service (0 to 3) found, as often as said; waits until it shows."""
        said = output if isinstance(output, bytes) else output.encode()
        place = f"{host};{service}" if service else host
        word = "SERVICE" if service else "HOST"
        for _ in range(times):
            self._command(f"PROCESS_{word}_CHECK_RESULT;{place};{code};".encode() + said)

    def acknowledge(self, host: str, service: str = "", *, author: str, comment: str) -> None:
        word, place = ("SVC", f"{host};{service}") if service else ("HOST", host)
        self._command(f"ACKNOWLEDGE_{word}_PROBLEM;{place};1;0;0;{author};{comment}".encode())

    def downtime(self, host: str, service: str = "", *, author: str, comment: str, until: int) -> None:
        """A fixed downtime from now on."""
        word, place = ("SVC", f"{host};{service}") if service else ("HOST", host)
        span = f"{int(time.time()) - 1};{until};1;0;0"
        self._command(f"SCHEDULE_{word}_DOWNTIME;{place};{span};{author};{comment}".encode())

    def all_well(self) -> None:
        """Every check is fine again, without a downtime; waits until it shows."""
        for number in self.ask("downtimelist", details="true").get("downtimelist", {}).values():
            word = "SVC" if number.get("service_description") else "HOST"
            self._command(f"DEL_{word}_DOWNTIME;{number['downtime_id']}".encode())
        for host in HOSTS:
            self.result(host, code=0)
        for host, service in SERVICES:
            self.result(host, service, code=0)

        def well() -> bool:
            up = self.ask("hostcount").get("count", {}).get("up")
            ok = self.ask("servicecount").get("count", {}).get("ok")
            return (up, ok) == (len(HOSTS), len(SERVICES)) and not self.ask("downtimelist").get("downtimelist")

        wait_until("all is well", well)

    def _command(self, command: bytes) -> None:
        with (self.folder / "rw" / "nagios.cmd").open("wb", buffering=0) as pipe:
            pipe.write(b"[%d] %s\n" % (time.time(), command))

    def _client(self) -> httpx.Client:
        client = super()._client()
        client.auth = httpx.BasicAuth("board", self.password)
        return client

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        """A web server that runs the CGIs for who knows the password."""
        server = self
        known = {
            "Basic " + base64.b64encode(f"{user}:{self.password}".encode()).decode(): user
            for user in ("board", "blind")
        }

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                program = CGI / url.path.removeprefix("/nagios/cgi-bin/")
                user = known.get(self.headers.get("Authorization", ""))
                if user is None:
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="Nagios"')
                    self.end_headers()
                    return
                if program.parent != CGI or not program.exists():
                    self.send_error(404)
                    return
                done = subprocess.run(
                    [program],
                    env={
                        "GATEWAY_INTERFACE": "CGI/1.1",
                        "NAGIOS_CGI_CONFIG": str(server.folder / "cgi.cfg"),
                        "QUERY_STRING": url.query,
                        "REMOTE_USER": user,
                        "REQUEST_METHOD": "GET",
                    },
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    check=False,
                    **as_user(server.user()),
                )
                head, _, body = done.stdout.replace(b"\r\n", b"\n", 20).partition(b"\n\n")
                self.send_response(200)
                for line in head.decode("latin-1").splitlines():
                    name, _, value = line.partition(":")
                    self.send_header(name, value.strip())
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                with server.log.open("a") as log:
                    print(format % args, file=log)

        return Handler
