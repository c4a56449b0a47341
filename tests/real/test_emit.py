"""``emit`` at the end of an ssh key that may do nothing else, as docs/emit.md has it."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.ssh import Sshd

DOCUMENT = Path(__file__).parents[2] / "docs" / "emit.md"


@pytest.fixture(scope="module")
def sshd(open_folder: Path) -> Iterator[Sshd]:
    with Sshd(open_folder / "sshd") as server:
        yield server


@pytest.fixture
def log(sshd: Sshd, tmp_path: Path) -> Path:
    """A deploy log that the key may add to: the document's own line, with this machine's program, log and key."""
    log = tmp_path / "deploys.jsonl"
    (line,) = re.findall(r"^ +(restrict,.*) ssh-ed25519 AAAA", DOCUMENT.read_text(), re.MULTILINE)
    line = line.replace("statusboard emit", f"{shlex.quote(sys.executable)} -m statusboard emit")
    line = line.replace("/var/log/deploys.jsonl", str(log))
    root = Path(__file__).parents[2]
    line = line.replace('command="', f'command="cd {shlex.quote(str(root))} && ')
    sshd.authorized_keys.write_text(f"{line} {sshd.public_key}\n")
    return log


def test_lines_come_in_over_ssh_and_nothing_else_does(sshd: Sshd, log: Path) -> None:
    done = sshd.call(data=b'{"service": "checkout", "version": "1.4.2", "state": "success"}\n')
    assert done.returncode == 0, done.stderr
    # What the other side asks to run is not run: the key has its own command.
    done = sshd.call("touch", str(log.with_name("taken")), data=b'{"service": "checkout", "state": "failed"}')
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(row["service"], row["state"]) for row in rows] == [("checkout", "success"), ("checkout", "failed")]
    assert not log.with_name("taken").exists()


def test_what_is_wrong_is_told_to_the_other_side(sshd: Sshd, log: Path) -> None:
    done = sshd.call(data=b'{"service": "checkout", "state": "fine"}')
    assert done.returncode == 2
    assert b"line 1: `fine` is no state of a release" in done.stderr
    assert not log.exists()
