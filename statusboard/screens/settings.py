"""What the screen needs of a configuration, kept from run to run: reading it takes a millisecond, YAML and the sources
that it names take a hundred."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from statusboard.model import ItemKind
from statusboard.paths import cache_dir, private_dir
from statusboard.view import LANES, OVERVIEW, ViewSpec

if TYPE_CHECKING:
    from statusboard.config import Config

VERSION: Final = 1
MAX_SIZE: Final = 1_000_000
BUILT_IN: Final = (
    OVERVIEW,
    ViewSpec("Incidents", lanes=("incident",)),
    ViewSpec("Builds", lanes=("build",)),
    ViewSpec("Releases", lanes=("release",)),
    ViewSpec("Tickets", lanes=("ticket",)),
)
"""Views that every board has, before those of its config."""

_KINDS: Final[Mapping[str, ItemKind]] = {
    "incidents": "incident",
    "builds": "build",
    "releases": "release",
    "tickets": "ticket",
}


class Settings(Struct, frozen=True, kw_only=True):
    """``keys`` is action -> keys, ``reads`` which kinds a source is asked for (by its name)."""

    version: int = VERSION
    title: str = "statusboard"
    timezone: str = ""
    theme: str = ""
    keys: dict[str, str] = {}
    views: tuple[ViewSpec, ...] = BUILT_IN
    reads: dict[str, tuple[ItemKind, ...]] = {}
    demo: bool = False


def settings_of(config: Config, *, demo: bool = False) -> Settings:
    """What the screen needs of this config."""
    views = [
        ViewSpec(view.name, view.filter, tuple(_KINDS[lane] for lane in view.lanes) or LANES) for view in config.views
    ]
    reads = {
        source.name: tuple(sorted(kind for kind in (source.options.kinds or source.cls.kinds)))
        for source in config.sources
    }
    return Settings(
        title=config.board.title or (config.board.id if config.board.id != "default" else "statusboard"),
        timezone=config.board.timezone,
        theme=config.theme,
        keys=dict(config.keys),
        views=(*BUILT_IN, *views),
        reads=reads,
        demo=demo,
    )


def kept_at(config_path: Path) -> tuple[Path, Path]:
    """Where the settings and the first screen of this config are kept."""
    name = hashlib.blake2b(os.fsencode(os.path.abspath(config_path)), digest_size=12).hexdigest()
    folder = cache_dir() / "first"
    return folder / f"{name}.settings.json", folder / f"{name}.front.json"


def load(path: Path) -> Settings | None:
    """The settings kept there, or None where there are none that can be used."""
    try:
        data = path.read_bytes()
        if len(data) > MAX_SIZE:
            return None
        settings = msgspec.json.decode(data, type=Settings)
    except (OSError, ValueError):
        return None
    return settings if settings.version == VERSION else None


def save(path: Path, settings: Settings) -> None:
    """Keep the settings (0600) for the next start, if that is possible and they are others than before."""
    data = msgspec.json.encode(settings)
    temporary = ""
    with contextlib.suppress(OSError):
        if path.exists() and path.read_bytes() == data:
            return
        private_dir(path.parent)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
        return
    if temporary:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
