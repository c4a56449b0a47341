"""Where things live."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from statusboard import paths

VARIABLES = ("STATUSBOARD_CONFIG", "STATUSBOARD_DATA", "STATUSBOARD_CACHE", "STATUSBOARD_LOG", "STATUSBOARD_STATE")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for each test, with nothing set."""
    for name in (*VARIABLES, *(f"XDG_{kind}_HOME" for kind in ("CONFIG", "DATA", "CACHE", "STATE"))):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_defaults_are_in_the_home_and_nothing_is_created(home: Path) -> None:
    found = [
        paths.config_file(),
        paths.config_dir(),
        paths.data_dir(),
        paths.cache_dir(),
        paths.state_dir(),
        paths.log_file(),
    ]
    assert all(home in path.parents and "statusboard" in path.parts for path in found)
    assert paths.log_file() not in (paths.config_file(), paths.store_path("log"))
    assert list(home.iterdir()) == []
    assert paths.config_file().name == "config.yaml"
    assert paths.config_candidates() == (paths.config_dir() / "config.yaml",)


def test_the_environment_moves_each(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, f"~/{name}")
    assert paths.config_file() == home / "STATUSBOARD_CONFIG"
    assert paths.data_dir() == home / "STATUSBOARD_DATA"
    assert paths.cache_dir() == home / "STATUSBOARD_CACHE"
    assert paths.log_file() == home / "STATUSBOARD_LOG"
    assert paths.state_dir() == home / "STATUSBOARD_STATE"
    assert paths.config_candidates() == (home / "STATUSBOARD_CONFIG", paths.config_dir() / "config.yaml")
    assert paths.store_path("b") == home / "STATUSBOARD_DATA" / "b.sqlite"


def test_a_relative_place_becomes_absolute_and_an_empty_one_is_unset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STATUSBOARD_DATA", "here")
    monkeypatch.setenv("STATUSBOARD_LOG", "")
    assert paths.data_dir() == tmp_path / "here"
    assert paths.log_file().name == "statusboard.log"


@pytest.mark.parametrize("board_id", ["payments", "a", "team-1.eu_west", "_x", "9", "a" * 100])
def test_store_path(board_id: str) -> None:
    assert paths.store_path(board_id) == paths.data_dir() / f"{board_id}.sqlite"


@pytest.mark.parametrize("board_id", ["", ".", "..", "../x", "a/b", "a b", "-x", ".x", "a\n", "é", "a\x00", "a" * 101])
def test_an_unsafe_board_id_is_refused(board_id: str) -> None:
    with pytest.raises(ValueError, match="is no board id"):
        paths.store_path(board_id)


def test_private_dir_makes_all_that_is_missing_private(tmp_path: Path) -> None:
    made = paths.private_dir(tmp_path / "a" / "b")
    assert made == tmp_path / "a" / "b"
    assert (mode(made), mode(made.parent)) == (0o700, 0o700)
    assert paths.private_dir(made) == made


def test_an_existing_folder_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o755)
    before = mode(tmp_path / "a")
    paths.private_dir(tmp_path / "a")
    assert mode(tmp_path / "a") == before


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(NotADirectoryError):
        paths.private_dir(tmp_path / "a")
    with pytest.raises(NotADirectoryError):
        paths.private_dir(tmp_path / "a" / "b")


def test_ones_own_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("real")
    paths.private_dir(tmp_path / "link" / "x")
    assert (tmp_path / "real" / "x").is_dir()


def test_a_folder_open_to_all_is_refused_unless_sticky(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(PermissionError, match="every user"):
        paths.private_dir(folder)
    folder.chmod(0o1777)
    assert paths.private_dir(folder) == folder


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what belongs to another user")


@needs_root
@pytest.mark.parametrize("tail", [".", "below"])
def test_a_link_of_another_user_is_refused(tmp_path: Path, tail: str) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    link = tmp_path / "link"
    link.symlink_to("real")
    os.lchown(link, 12_345, 12_345)
    with pytest.raises(PermissionError, match="symbolic link of another user"):
        paths.private_dir(link / tail)
    assert list((tmp_path / "real").iterdir()) == []


@needs_root
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, 12_345, 12_345)
    with pytest.raises(PermissionError, match="belongs to another user"):
        paths.private_dir(folder)


def test_platformdirs_is_imported_only_when_asked() -> None:
    code = "import sys, statusboard.paths; sys.exit('platformdirs' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b"
    paths.replace_file(file, b"one")
    paths.replace_file(file, b"two")
    assert file.read_bytes() == b"two" and file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    taken = tmp_path / "a" / "folder"
    taken.mkdir()
    with pytest.raises(OSError):
        paths.replace_file(taken, b"three")
    assert sorted(file.parent.iterdir()) == [file, taken]
