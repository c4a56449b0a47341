"""The real Icinga 2 through one board: soft and hard, planned and in hand, and API users that see less than all."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.real.board import Bench, bench
from tests.real.icinga2 import Icinga2


@pytest.fixture
def icinga(booted_icinga2: Icinga2) -> Icinga2:
    server = booted_icinga2.sound()
    server.all_well()
    return server


def board_of(
    folder: Path, icinga: Icinga2, user: str = "board", password: str = "", **options: object
) -> AbstractContextManager[Bench]:
    """A board with this one source."""
    folder.mkdir(exist_ok=True)
    for name, text in (("user", user), ("password", password or icinga.password)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    more = {
        "type": "icinga2",
        "name": "ic",
        "url": icinga.url,
        "username": f"file:{folder / 'user'}",
        "password": f"file:{folder / 'password'}",
        "tls": {"ca": str(icinga.ca)},
        "interval": "1s",
        **options,
    }
    return bench(folder / "board", f"sources:\n  - {{{', '.join(f'{k}: {v!r}' for k, v in more.items())}}}\n")


def items(picture: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What is shown, by the name of the host or service."""
    return {item["key"].removeprefix("ic:incident:"): item for item in picture["items"]}


def problems(picture: dict[str, Any]) -> dict[str, str]:
    """The states of what is not over."""
    return {name: item["state"] for name, item in items(picture).items() if item["state"] != "resolved"}


def test_a_service_fails_softly_then_hard_and_recovers(icinga: Icinga2, tmp_path: Path) -> None:
    with board_of(tmp_path, icinga, web_url="https://icinga.example.com/icingaweb2") as board:
        code, picture = board.show("--poll")
        assert (code, picture["items"], picture["sources"][0]["state"]) == (0, [], "fresh")
        board.start("poll")
        icinga.result("web01", "disk", code=2, output="DISK CRITICAL - 97% used | /=97%\nand more")
        soft = board.until("it is pending", lambda c, p: items(p).get("web01!disk"))
        assert (soft["state"], soft["raw_state"]) == ("pending", "CRITICAL (soft)")
        icinga.result("web01", "disk", code=2, output="DISK CRITICAL - 98% used | /=98%\nand more")
        hard = board.until("it is open", lambda c, p: items(p) if problems(p) == {"web01!disk": "open"} else None)
        disk = hard["web01!disk"]
        assert (disk["title"], disk["severity"], disk["raw_state"]) == ("Web 1: disk", "critical", "CRITICAL")
        assert (disk["reason"][:17], disk["target"]) == ("DISK CRITICAL - 9", "web01")
        assert disk["labels"] == {"host": "web01", "check": "disk", "hostgroups": "web"}
        assert disk["url"] == "https://icinga.example.com/icingaweb2/icingadb/service?name=disk&host.name=web01"
        assert disk["links"] == {"notes": "https://wiki.example.com/disk"}
        assert disk["started_at"] == soft["started_at"]
        icinga.result("web01", "disk", code=0)
        board.until("it is over", lambda c, p: items(p)["web01!disk"]["state"] == "resolved")
        assert next(change.type for change in board.changes() if change.key == disk["key"]) == "incident.detected"


def test_a_host_goes_down_with_its_services(icinga: Icinga2, tmp_path: Path) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
    icinga.result("db01", code=1, output="PING CRITICAL")
    icinga.result("db01", "backup", code=1, output="no answer", times=2)
    icinga.result("web01", "load", code=3, output="cannot tell", times=2)
    icinga.acknowledge("db01", author="ann", comment="on it")
    icinga.downtime("web01", "load", author="bob", comment="new disks", until=end)
    with board_of(tmp_path, icinga) as board:
        _, picture = board.show("--poll")
        assert problems(picture) == {"db01": "acknowledged", "db01!backup": "open", "web01!load": "suppressed"}
        shown = items(picture)
        assert (shown["db01"]["raw_state"], shown["db01"]["acknowledged_by"]) == ("DOWN", "ann")
        assert shown["db01"]["acknowledged_at"]
        assert shown["db01!backup"]["reason"] == "its host db01 is down; no answer"
        assert shown["web01!load"]["suppressed_by"] == "downtime by bob: new disks"
        assert datetime.fromisoformat(shown["web01!load"]["suppressed_until"]) == end
    with board_of(tmp_path / "narrow", icinga, "narrow") as board:
        _, picture = board.show("--poll")
        assert problems(picture) == {"db01": "acknowledged", "db01!backup": "open", "web01!load": "suppressed"}
        assert items(picture)["db01"]["acknowledged_by"] == ""
        assert "objects/query/Comment" in " ".join(picture["sources"][0]["notes"])
    with board_of(tmp_path / "group", icinga, hostgroups=["web"]) as board:
        _, picture = board.show("--poll")
        assert problems(picture) == {"web01!load": "suppressed"}


@pytest.mark.parametrize(
    "user,password,options,said",
    [
        ("board", "wrong", {}, "401"),
        ("idle", "", {}, "objects/query/Host"),
        ("blind", "", {}, "no host is visible"),
        ("board", "", {"hostgroups": ["wbe"]}, "no host is visible"),
        ("board", "", {"filter": "host."}, "`filter`"),
        ("board", "", {"tls": {}}, "certificate"),
    ],
)
def test_who_sees_nothing_is_never_green(
    icinga: Icinga2, tmp_path: Path, user: str, password: str, options: dict[str, Any], said: str
) -> None:
    with board_of(tmp_path, icinga, user, password, **options) as board:
        code, picture = board.show("--poll")
        (source,) = picture["sources"]
        assert (code, picture["items"]) == (3, [])
        assert said in f"{source['error']} {source['errors']}"
