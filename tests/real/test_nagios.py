"""The real Nagios Core through one board: soft and hard, planned and in hand, and a core that has died."""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.real.board import Bench, bench
from tests.real.nagios import Nagios


@pytest.fixture
def nagios(booted_nagios: Nagios) -> Nagios:
    server = booted_nagios.sound()
    server.all_well()
    return server


def board_of(
    folder: Path, nagios: Nagios, user: str = "board", password: str = "", **options: object
) -> AbstractContextManager[Bench]:
    """A board with this one source."""
    folder.mkdir(exist_ok=True)
    for name, text in (("user", user), ("password", password or nagios.password)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    more = {
        "type": "nagios",
        "name": "na",
        "url": nagios.root,
        "username": f"file:{folder / 'user'}",
        "password": f"file:{folder / 'password'}",
        "interval": "1s",
        **options,
    }
    return bench(folder / "board", f"sources:\n  - {{{', '.join(f'{k}: {v!r}' for k, v in more.items())}}}\n")


def items(picture: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What is shown, by the name of the host or service."""
    return {item["key"].removeprefix("na:incident:"): item for item in picture["items"]}


def problems(picture: dict[str, Any]) -> dict[str, str]:
    """The states of what is not over."""
    return {name: item["state"] for name, item in items(picture).items() if item["state"] != "resolved"}


def test_a_service_fails_softly_then_hard_and_recovers(nagios: Nagios, tmp_path: Path) -> None:
    with board_of(tmp_path, nagios) as board:
        code, picture = board.show("--poll")
        assert (code, picture["items"], picture["sources"][0]["state"]) == (0, [], "fresh")
        board.start("poll")
        nagios.result("web01", "disk", code=2, output="DISK CRITICAL - 97% used|/=97%")
        soft = board.until("it is pending", lambda c, p: items(p).get("web01!disk"))
        assert (soft["state"], soft["raw_state"]) == ("pending", "CRITICAL (soft)")
        nagios.result("web01", "disk", code=2, output="DISK CRITICAL - 98% used|/=98%")
        hard = board.until("it is open", lambda c, p: items(p) if problems(p) == {"web01!disk": "open"} else None)
        disk = hard["web01!disk"]
        assert (disk["title"], disk["severity"], disk["raw_state"]) == ("web01: disk", "critical", "CRITICAL")
        assert (disk["reason"][:17], disk["target"]) == ("DISK CRITICAL - 9", "web01")
        assert disk["labels"] == {"host": "web01", "check": "disk"}
        page = nagios.http.get(disk["url"])
        assert page.is_success
        assert "DISK CRITICAL" in page.text
        assert disk["started_at"] == soft["started_at"]
        nagios.result("web01", "disk", code=0)
        board.until("it is over", lambda c, p: items(p)["web01!disk"]["state"] == "resolved")


def test_a_host_goes_down_with_what_is_behind_it(nagios: Nagios, tmp_path: Path) -> None:
    end = int(time.time()) + 7200
    nagios.result("switch", code=1, output="PING CRITICAL", times=2)
    nagios.result("web01", code=2, output="no route", times=2)
    nagios.result("web01", "load", code=3, output=b"caf\xe9", times=2)
    nagios.result("db01", "backup", code=1, output='old "backup" <b>', times=2)
    nagios.acknowledge("switch", author="ann", comment="on it")
    nagios.downtime("db01", author="bob", comment="new disks", until=end)
    with board_of(tmp_path, nagios) as board:
        board.start("poll")
        wanted = {"switch": "acknowledged", "web01": "open", "web01!load": "open", "db01!backup": "suppressed"}
        shown = board.until("all of it", lambda c, p: items(p) if problems(p) == wanted else None)
        assert (shown["switch"]["raw_state"], shown["switch"]["acknowledged_by"]) == ("DOWN", "ann")
        assert shown["switch"]["acknowledged_at"]
        assert (shown["web01"]["raw_state"], shown["web01"]["severity"]) == ("UNREACHABLE", "medium")
        assert shown["web01!load"]["raw_state"] == "UNKNOWN"
        assert shown["web01!load"]["reason"].startswith("its host web01 is unreachable")
        assert shown["db01!backup"]["reason"] == 'old "backup" <b>'
        assert shown["db01!backup"]["suppressed_by"] == "downtime by bob: new disks"
        assert datetime.fromisoformat(shown["db01!backup"]["suppressed_until"]).timestamp() == end
    with board_of(tmp_path / "group", nagios, hostgroups=["web"]) as board:
        _, picture = board.show("--poll")
        assert problems(picture) == {"web01": "open", "web01!load": "open"}


@pytest.mark.parametrize(
    "user,password,options,said",
    [
        ("board", "wrong", {}, "401"),
        ("blind", "", {}, "no host is visible"),
        ("board", "", {"hostgroups": ["wbe"]}, "could not be found"),
    ],
)
def test_who_sees_nothing_is_never_green(
    nagios: Nagios, tmp_path: Path, user: str, password: str, options: dict[str, Any], said: str
) -> None:
    with board_of(tmp_path, nagios, user, password, **options) as board:
        code, picture = board.show("--poll")
        (source,) = picture["sources"]
        assert (code, picture["items"]) == (3, [])
        assert said in f"{source['error']} {source['errors']}"


def test_a_core_that_has_died_is_noticed(nagios: Nagios, tmp_path: Path) -> None:
    with board_of(tmp_path, nagios) as board:
        assert board.show("--poll")[0] == 0
        nagios.kill()
        try:
            hour_ago = time.time() - 3600
            os.utime(nagios.status_file, (hour_ago, hour_ago))
            code, picture = board.show("--poll")
            assert code == 3
            assert "written no data since" in f"{picture['sources'][0]['error']} {picture['sources'][0]['errors']}"
        finally:
            nagios.start()
        assert board.show("--poll")[0] == 0
