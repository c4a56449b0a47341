"""Virtual environments for the servers that come from a package index, kept between runs.

The first run pays for the installation (about a minute); later ones find the environment in the cache folder:
`$STATUSBOARD_TEST_CACHE`, else `/var/cache/statusboard-tests` for root (root's home is closed to the users that servers
run as), else `~/.cache/statusboard-tests`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.real.needs import Unavailable

PINS = Path(__file__).with_name("pins.txt")


def unprivileged() -> str | None:
    """The user for servers that refuse to run as root: `nobody` when we are root, else None (ourselves)."""
    return "nobody" if os.geteuid() == 0 else None


def as_user(user: str | None) -> dict[str, Any]:
    """Arguments of `subprocess` that make a child run as `user`; none for None."""
    return {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def environment(name: str, *requirements: str, user: str | None = None) -> Path:
    """The folder of a venv that holds `requirements` (pinned by pins.txt) and that `user` can run; made when missing.

    Raises `Unavailable` when this machine cannot make it: no usable interpreter, or no package index in reach.
    """
    python = _interpreter(user)
    wanted = "\n".join([*requirements, str(python), PINS.read_text()])
    home = _cache() / f"{name}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    with (home.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once install once
        ready = home / ".ready"
        if not ready.exists():
            shutil.rmtree(home, ignore_errors=True)
            _run("making a venv", str(python), "-m", "venv", str(home))
            pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _run(f"installing {', '.join(requirements)}", *pip, "-c", str(PINS), *requirements)
            ready.touch()
    if not _can_run(home / "bin" / "python", user):
        raise Unavailable(f"{user} cannot run {home}/bin/python: set STATUSBOARD_TEST_CACHE to a folder open to others")
    return home


def _cache() -> Path:
    if chosen := os.environ.get("STATUSBOARD_TEST_CACHE"):
        folder = Path(chosen).resolve()
    elif os.geteuid() == 0:
        folder = Path("/var/cache/statusboard-tests")
    else:
        folder = Path.home() / ".cache" / "statusboard-tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _interpreter(user: str | None) -> Path:
    """The first interpreter that `user` may run and that can make venvs: ours if it is open to others."""
    candidates = [Path(sys.base_prefix) / "bin" / "python3", Path("/usr/bin/python3"), Path("/usr/local/bin/python3")]
    for candidate in candidates:
        if candidate.exists() and _can_run(candidate, user, "-c", "import ensurepip, venv"):
            return candidate.resolve()
    raise Unavailable(
        f"no Python that {user or 'this user'} can run and that can make a venv among "
        f"{', '.join(map(str, candidates))}; on Debian: apt-get install python3-venv"
    )


def _can_run(python: Path, user: str | None, *arguments: str) -> bool:
    try:
        done = subprocess.run(
            [python, *(arguments or ("-c", ""))],
            cwd="/",
            env={"PATH": os.defpath},
            capture_output=True,
            check=False,
            **as_user(user),
        )
    except PermissionError:
        return False
    return done.returncode == 0


def _run(what: str, *command: str) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        umask=0o022,
        check=False,
    )
    if done.returncode:
        raise Unavailable(
            f"{what} failed (is a package index in reach?): {(done.stderr or done.stdout).strip()[-2000:]}"
        )
