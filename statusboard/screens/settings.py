"""What the screen needs of a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from statusboard.model import ItemKind
from statusboard.palettes import Palette
from statusboard.view import LANES, OVERVIEW, ViewSpec

if TYPE_CHECKING:
    from statusboard.config import Config

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
    """``palettes`` are the config's own themes, ``keys`` is action -> keys, ``reads`` which kinds a source is asked for
    (by its name)."""

    title: str = "statusboard"
    timezone: str = ""
    theme: str = ""
    palettes: tuple[Palette, ...] = ()
    glyphs: str = ""
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
        title=config.board.title or config.board.id or "statusboard",
        timezone=config.board.timezone,
        theme=config.theme,
        palettes=config.themes,
        glyphs=config.glyphs,
        keys=dict(config.keys),
        views=(*BUILT_IN, *views),
        reads=reads,
        demo=demo,
    )
