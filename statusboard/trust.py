"""Which config is used, and which ``./statusboard.yaml`` may be.

The order is ``--config``, ``$STATUSBOARD_CONFIG``, a *trusted* ``./statusboard.yaml``, the platform's config folder.
What a person names is meant.  What merely lies in the current folder may have come with a cloned repository, and could
run commands or send secrets to its URLs: it is used only after ``statusboard trust``, and only as long as it and all
that it includes are, byte for byte, what was trusted.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from statusboard._config.files import gather
from statusboard.errors import ConfigError
from statusboard.paths import config_dir, private_dir, state_dir
from statusboard.yamlfile import read

LOCAL_NAME = "statusboard.yaml"
"""The config that a folder may bring along."""
VARIABLE = "STATUSBOARD_CONFIG"

Standing: TypeAlias = Literal["trusted", "changed", "unknown"]


class Found(Struct, frozen=True, kw_only=True):
    """Which config to use.

    ``path`` is None where there is none.  ``why`` tells a person where it came from (or where it was looked for);
    ``notice`` says that a ``./statusboard.yaml`` was passed over, and what to do.  ``digest`` is for `load_config`: the
    files must still be those that were trusted.
    """

    path: Path | None
    why: str
    notice: str = ""
    digest: str = ""


class _Entry(Struct, frozen=True):
    """What was trusted: the file itself, and the file with all that it includes."""

    own: str
    whole: str


class TrustList:
    """The trusted configs: absolute path and digests of contents, in a file of mode 0600.

    A list that cannot be read trusts nothing.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file or state_dir() / "trusted.json"

    @property
    def file(self) -> Path:
        """Where the list is kept."""
        return self._file

    def standing(self, path: Path) -> tuple[Standing, str]:
        """Whether a config is trusted as it is now; if so, with the digest of its contents, else ``""``.

        A file that is not the one that was trusted is not even parsed, so its includes are not looked for.
        """
        known = self._read().get(_key(path))
        if known is None:
            return "unknown", ""
        if _own_digest(path) != known.own or (digest := gather(path).digest) != known.whole:
            return "changed", ""
        return "trusted", digest

    def trust(self, path: Path) -> tuple[Path, ...]:
        """Trust a config as it is now; returns all its files.  ConfigError where it or an include cannot be read."""
        files = gather(path)
        if files.problems:
            raise ConfigError(list(files.problems))
        self._write({**self._read(), _key(path): _Entry(own=_own_digest(path), whole=files.digest)})
        return files.paths

    def forget(self, path: Path) -> bool:
        """Trust a config no longer; False where it was not trusted."""
        known = self._read()
        if known.pop(_key(path), None) is None:
            return False
        self._write(known)
        return True

    def _read(self) -> dict[str, _Entry]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, _Entry])
        except (OSError, msgspec.DecodeError):
            return {}

    def _write(self, known: Mapping[str, _Entry]) -> None:
        """Replace the list as a whole: nobody meets half a list, and one that others could write is not kept."""
        part = self._file.with_name(f"{self._file.name}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            private_dir(self._file.parent)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with open(descriptor, "wb") as file:
                    file.write(msgspec.json.format(msgspec.json.encode(known, order="sorted")))
                os.replace(part, self._file)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(part)
        except OSError as error:
            why = error.strerror or str(error)
            raise ConfigError(f"the list of trusted files cannot be written: {why}", file=str(self._file)) from None


def find_config(
    explicit: str | Path | None,
    env: Mapping[str, str],
    cwd: Path,
    *,
    trusted: TrustList | None = None,
    platform: Path | None = None,
) -> Found:
    """The config to use; what is named explicitly or by the environment need not exist, and is not replaced.

    ``trusted`` and ``platform`` (the file in the platform's config folder) stand in for the real ones in tests.
    """
    if explicit:
        return Found(path=Path(explicit), why="named by --config")
    named = env.get(VARIABLE, "")
    if named:
        return Found(path=cwd / Path(os.path.expanduser(named)), why=f"named by ${VARIABLE}")
    local = cwd / LOCAL_NAME
    notice = ""
    if local.is_file():
        standing, digest = (trusted or TrustList()).standing(local)
        if standing == "trusted":
            return Found(path=local, why=f"./{LOCAL_NAME}, which is trusted", digest=digest)
        what = "has changed since it was trusted" if standing == "changed" else "is not trusted yet"
        notice = f"./{LOCAL_NAME} {what} and is not used; read it, then run `statusboard trust`"
    default = platform or config_dir() / "config.yaml"
    if default.is_file():
        return Found(path=default, why="in the config folder", notice=notice)
    return Found(path=None, why=f"neither --config, ${VARIABLE}, ./{LOCAL_NAME} nor {default}", notice=notice)


def _key(path: Path) -> str:
    return str(path.resolve())


def _own_digest(path: Path) -> str:
    try:
        return hashlib.blake2b(read(path).encode("utf-8"), digest_size=32).hexdigest()
    except ConfigError:
        return ""
