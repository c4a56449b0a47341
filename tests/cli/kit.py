"""A home of its own for each test, and the command line run in it: in this process, or as a real one."""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from statusboard import cli, log
from statusboard.config import load_config
from statusboard.registry import Registry
from statusboard.wiring import store_of

ROOT = Path(__file__).parents[2]


class Result(NamedTuple):
    """What a run left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Home:
    """A folder with configuration, data and log of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.yaml"
        self.log = folder / "statusboard.log"
        self.env = {
            "HOME": str(folder),
            "STATUSBOARD_CONFIG": str(self.config),
            "STATUSBOARD_DATA": str(folder / "data"),
            "STATUSBOARD_STATE": str(folder / "state"),
            "STATUSBOARD_CACHE": str(folder / "cache"),
            "STATUSBOARD_LOG": str(self.log),
            "XDG_CONFIG_HOME": str(folder / "xdg"),
            "PYTHONPATH": str(ROOT),
        }

    @property
    def database(self) -> Path:
        return self.folder / "data" / store_of(load_config(self.config, registry=Registry.installed()))[0].name

    def deploys(self, *entries: Mapping[str, Any], name: str = "deploys") -> Path:
        """Write a deploy log, and the configuration that reads it if there is none."""
        file = self.folder / f"{name}.jsonl"
        file.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
        if not self.config.exists():
            self.config.write_text(f"sources:\n  - {{type: deploy-log, name: {name}, path: {file}, interval: 60s}}\n")
        return file

    def run(self, *args: str) -> Result:
        """Run the program in this process."""
        before = dict(os.environ)
        os.environ.pop("COLUMNS", None)  # what runs the tests may have set it
        os.environ.update(self.env)
        out, err = io.StringIO(), io.StringIO()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.chdir(self.folder):
                cli.main(list(args))
        except SystemExit as end:
            return Result(int(end.code or 0), out.getvalue(), err.getvalue())
        finally:
            log.shutdown()
            os.environ.clear()
            os.environ.update(before)
        raise AssertionError("the program always ends with an exit code")

    def start(self, *args: str, env: Mapping[str, str] | None = None, **options: Any) -> subprocess.Popen[str]:
        """Start the program as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "statusboard", *args],
            cwd=self.folder,
            env={**os.environ, **self.env, **(env or {})},
            text=True,
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )

    def process(self, *args: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Result:
        """Run the program as a process of its own, to its end."""
        with self.start(*args, env=env, stdin=subprocess.PIPE) as process:
            out, err = process.communicate(stdin, timeout=60)
        return Result(process.returncode, out, err)


def deploy(version: str, state: str = "success", service: str = "checkout", **more: Any) -> dict[str, Any]:
    """A line of a deploy log."""
    return {
        "id": f"{service}-{version}",
        "time": f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:00:00Z}",
        "service": service,
        "environment": "production",
        "version": version,
        "state": state,
        **more,
    }


def read_until(
    terminal: int,
    words: bytes,
    seen: bytes = b"",
    *,
    again: Callable[[], object] = lambda: None,
) -> bytes:
    """What is written to a terminal up to these words, behind what was ``seen``; after each quiet second ``again``."""
    end = time.monotonic() + 60
    while words not in seen:
        assert time.monotonic() < end, f"{words!r} was not written, only {seen[-400:]!r}"
        if select.select([terminal], [], [], 1.0)[0]:
            seen += os.read(terminal, 65_536)
        else:
            again()
    return seen
