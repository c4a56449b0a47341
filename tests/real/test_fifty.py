"""Fifty repositories over real HTTP, one answering 404 and one hanging: the others are read in time."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.real.board import bench
from tests.real.process import wait_until

MISSING, HANGING = "acme/r7", "acme/r8"
REPOSITORIES = [f"acme/r{n}" for n in range(50)]


class GitHub(ThreadingHTTPServer):
    """As little of GitHub as builds need: runs of each repository, in GitHub's shape."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.broken = False
        self.released = threading.Event()
        self.served: dict[str, list[float]] = {name: [] for name in REPOSITORIES}

    def read_since(self, name: str, moment: float) -> bool:
        """Whether a repository's runs were asked for after that moment."""
        return any(at > moment for at in self.served[name])

    def handle_error(self, request: object, client_address: object) -> None:
        """The board gave up waiting and closed the connection: that is what this is about."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Answers(BaseHTTPRequestHandler):
    server: GitHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        found = re.match(r"/repos/(acme/r\d+)(/actions/runs)?(\?|$)", self.path)
        assert found is not None, self.path
        name = found[1]
        if self.server.broken and name == HANGING:
            self.server.released.wait(120)
        if self.server.broken and name == MISSING:
            self._send(404, {"message": "Not Found"})
            return
        if found[2]:
            self.server.served[name].append(time.monotonic())
            self._send(200, {"total_count": 1, "workflow_runs": [_run(name)]})
        else:
            self._send(200, {"full_name": name, "default_branch": "main"})

    def _send(self, status: int, body: object) -> None:
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def _run(name: str) -> dict[str, object]:
    failed = name in (MISSING, HANGING)
    return {
        "id": int(name.removeprefix("acme/r")) + 1,
        "name": "CI",
        "display_title": f"change in {name}",
        "run_number": 5,
        "run_attempt": 1,
        "workflow_id": 9,
        "event": "push",
        "status": "completed",
        "conclusion": "failure" if failed else "success",
        "head_branch": "main",
        "head_sha": "0" * 40,
        "html_url": f"https://github.example/{name}/actions/runs/1",
        "created_at": "2026-01-02T03:04:05Z",
        "run_started_at": "2026-01-02T03:04:05Z",
        "updated_at": "2026-01-02T03:06:05Z",
        "actor": {"login": "ada"},
        "repository": {"full_name": name},
        "head_repository": {"full_name": name},
    }


@pytest.fixture
def github() -> Iterator[GitHub]:
    with GitHub() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


def test_one_missing_and_one_hanging_of_fifty(github: GitHub, tmp_path: Path) -> None:
    config = f"""
board: {{id: fifty}}
sources:
  - type: github
    name: gh
    url: "{github.url}"
    kinds: [build]
    interval: 15s
    timeout: 5s
    repos: {json.dumps(REPOSITORIES)}
"""
    with bench(tmp_path, config) as board:
        code, whole = board.show("--poll")
        assert code == 1 and whole["summary"] == {
            "verdict": "failing", "failing": 2, "blind": 0, "suppressed": 0, "unknown": 0
        }  # fmt: skip
        github.broken = True
        asked = time.monotonic()
        board.start("poll")
        others = [name for name in REPOSITORIES if name not in (MISSING, HANGING)]
        for name in others:
            wait_until(f"{name} is read", partial(github.read_since, name, asked), timeout=15)
        code, seen = board.until(
            "both are told", lambda c, p: (c, p) if len(p["sources"][0]["errors"]) == 2 else None, timeout=30
        )
        assert seen["sources"][0]["state"] == "partial"
        assert code == 1 and seen["summary"]["failing"] == 2 and seen["summary"]["blind"] == 1
        assert {e["part"].split()[0] for e in seen["sources"][0]["errors"]} == {MISSING, HANGING}
        assert [i["key"] for i in seen["items"]] == [i["key"] for i in whole["items"]], "nothing is retired"
        states = {i["repository"]: (i["state"], i["failing"]) for i in seen["items"]}
        assert states[MISSING] == states[HANGING] == ("failed", True), "nor green"
