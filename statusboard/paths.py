"""Where config, data, cache, state and log live, and how private folders are made.

Each place follows the platform's habit and can be moved by an environment variable. Nothing is created here except by
`private_dir`. platformdirs is imported inside the functions, since start-up time counts.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
from pathlib import Path

APP = "statusboard"

_BOARD_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", re.ASCII)


def config_candidates() -> tuple[Path, ...]:
    """Config files to try when the command line names none, best first: `$STATUSBOARD_CONFIG`, the config folder.

    The first one is meant even if it does not exist, when it comes from the environment.
    """
    named = _from_environment("STATUSBOARD_CONFIG")
    default = config_dir() / "config.yaml"
    return (named, default) if named else (default,)


def config_file() -> Path:
    """The config file that is meant (it need not exist)."""
    return config_candidates()[0]


def config_dir() -> Path:
    """The folder for what a person writes."""
    import platformdirs

    return Path(platformdirs.user_config_dir(APP, appauthor=False))


def data_dir() -> Path:
    """The folder for the stores; `$STATUSBOARD_DATA` moves it."""
    named = _from_environment("STATUSBOARD_DATA")
    if named:
        return named
    import platformdirs

    return Path(platformdirs.user_data_dir(APP, appauthor=False))


def cache_dir() -> Path:
    """The folder for what can be made again; `$STATUSBOARD_CACHE` moves it."""
    named = _from_environment("STATUSBOARD_CACHE")
    if named:
        return named
    import platformdirs

    return Path(platformdirs.user_cache_dir(APP, appauthor=False))


def state_dir() -> Path:
    """The folder for what the program remembers about a person (trusted files, saved views); `$STATUSBOARD_STATE`
    moves it."""
    named = _from_environment("STATUSBOARD_STATE")
    if named:
        return named
    import platformdirs

    return Path(platformdirs.user_state_dir(APP, appauthor=False))


def log_file() -> Path:
    """The log file; `$STATUSBOARD_LOG` moves it."""
    named = _from_environment("STATUSBOARD_LOG")
    if named:
        return named
    import platformdirs

    return Path(platformdirs.user_log_dir(APP, appauthor=False)) / "statusboard.log"


def store_path(board_id: str) -> Path:
    """The database of a board. ValueError unless the id is 1-100 of `A-Z a-z 0-9 . _ -`, not beginning with . or -."""
    if _BOARD_ID.fullmatch(board_id) is None:
        raise ValueError(f"{board_id[:100]!r} is no board id: use letters, digits, '.', '_' and '-', at most 100")
    return data_dir() / f"{board_id}.sqlite"


def private_dir(path: Path) -> Path:
    """Makes `path` and its missing parents, readable by this user only (0700), and returns it.

    A folder that exists keeps its mode. OSError when it cannot be made, and PermissionError when another user (root
    apart) could decide what is in it: it or a symbolic link on the way to it is theirs, or all may rename in it.
    """
    path = Path(os.path.abspath(path))
    for part in (*reversed(path.parents), path):
        _refuse_foreign_link(part)
        if part.is_dir():
            continue
        try:
            part.mkdir(mode=0o700)
        except FileExistsError:
            if not part.is_dir():  # a file, rather than another board that starts at the same moment
                raise NotADirectoryError(f"{part} is not a folder") from None
    _refuse_foreign_folder(path)
    return path


def replace_file(path: Path, data: bytes) -> None:
    """Writes a file of this user's own (0600) at once or not at all, and its folder if need be.

    What stood there before is replaced.  OSError where that fails.
    """
    private_dir(path.parent)
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        os.replace(draft, path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def _from_environment(name: str) -> Path | None:
    value = os.environ.get(name, "")
    return Path(os.path.abspath(os.path.expanduser(value))) if value else None


def _trusted_owners() -> frozenset[int]:
    return frozenset() if sys.platform == "win32" else frozenset((0, os.geteuid()))


def _refuse_foreign_link(path: Path) -> None:
    if sys.platform == "win32":
        return
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISLNK(status.st_mode) and status.st_uid not in _trusted_owners():
        raise PermissionError(f"{path} is a symbolic link of another user")


def _refuse_foreign_folder(path: Path) -> None:
    if sys.platform == "win32":
        return
    status = path.stat()
    if status.st_uid not in _trusted_owners():
        raise PermissionError(f"{path} belongs to another user")
    if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
        raise PermissionError(f"{path} can be changed by every user (chmod o-w would mend it)")
