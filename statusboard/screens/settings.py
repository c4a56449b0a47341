"""What the screen needs of a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from statusboard.errors import ConfigError
from statusboard.model import ItemKind
from statusboard.noticing.options import NoticesOptions
from statusboard.palettes import Palette
from statusboard.paths import data_dir
from statusboard.screens.views import BUILT_IN, arranged, read_saved, saved_at, view_of
from statusboard.text import clean
from statusboard.view import ViewSpec
from statusboard.wall.spec import Night, WallSpec

if TYPE_CHECKING:
    from datetime import tzinfo

    from statusboard.config import Config, WallOptions
    from statusboard.measuring import Knowledge, Measure


class Settings(Struct, frozen=True, kw_only=True):
    """``palettes`` are the config's own themes, ``keys`` is action -> keys, ``reads`` which kinds a source is asked for
    (by its name).  ``services`` are the configured ones with their teams, ``environments`` the configured ones, those
    where people are served first.  ``views`` are those ``given`` (built in, or in the config) and those ``saved`` in
    ``views_file``; ``told`` is what a person must know of what was read.  ``visits_file`` remembers when a person was
    here last.  ``config`` is what all of it comes from, None without one.
    """

    title: str = "statusboard"
    timezone: str = ""
    theme: str = ""
    palettes: tuple[Palette, ...] = ()
    glyphs: str = ""
    keys: dict[str, str] = {}
    views: tuple[ViewSpec, ...] = BUILT_IN
    given: tuple[ViewSpec, ...] = BUILT_IN
    saved: tuple[ViewSpec, ...] = ()
    told: str = ""
    views_file: Path | None = None
    visits_file: Path | None = None
    reads: dict[str, tuple[ItemKind, ...]] = {}
    services: dict[str, str] = {}
    environments: tuple[str, ...] = ()
    demo: bool = False
    wall: WallSpec = WallSpec()
    notices: NoticesOptions = NoticesOptions()
    secret_variables: tuple[str, ...] = ()
    config: Config | None = None

    def measure(self, store: Knowledge, zone: tzinfo) -> Measure:
        """What makes delivery metrics out of a store, or of what one knew once, as configured; without a config
        everything counts."""
        if self.config is not None:
            from statusboard.wiring import make_measure

            return make_measure(self.config, store, zone)
        from statusboard.catalog import Catalog
        from statusboard.measuring import Measure

        return Measure(store, Catalog(), zone=zone)


def with_saved(settings: Settings, saved: Sequence[ViewSpec]) -> Settings:
    """The same with other saved views."""
    return structs.replace(settings, views=arranged(settings.given, saved), saved=tuple(saved))


def settings_of(config: Config, *, demo: bool = False) -> Settings:
    """What the screen needs of this config."""
    from statusboard.catalog import BUILT_IN_ENVIRONMENTS

    views_file = saved_at(config.path)
    saved, problems = read_saved(views_file)
    given = arranged(BUILT_IN, (view_of(view) for view in config.views))
    reads = {source.name: tuple(sorted(source.options.asked(source.cls.kinds))) for source in config.sources}
    environments = sorted(config.environments or BUILT_IN_ENVIRONMENTS, key=lambda each: each.tier != "production")
    return Settings(
        title=config.board.title or config.board.id or "statusboard",
        timezone=config.board.timezone,
        theme=config.theme,
        palettes=config.themes,
        glyphs=config.glyphs,
        keys=dict(config.keys),
        views=arranged(given, saved),
        given=given,
        saved=saved,
        views_file=views_file,
        visits_file=None if demo else data_dir() / "visits.json",
        told=f"saved views: {problems[0]}" if problems else "",
        reads=reads,
        services={service.name: service.team for service in config.services},
        environments=tuple(environment.name for environment in environments),
        demo=demo,
        wall=wall_of(config.wall, given, [view.name for view in config.views]),
        notices=config.notices,
        secret_variables=config.secret_variables,
        config=config,
    )


def only(settings: Settings, name: str) -> Settings:
    """The same with a wall of this one view.  ConfigError where there is none of that name."""
    views = [view for view in settings.views if view.layout == "lanes"]
    found = next((view for view in views if view.name.casefold() == name.casefold()), None)
    if found is None:
        hint = f"there are {', '.join(view.name for view in views)}"
        raise ConfigError(f"there is no view `{clean(name, 80)}` for a wall", hint=hint)
    return structs.replace(settings, wall=structs.replace(settings.wall, views=(found,)))


def wall_of(options: WallOptions, views: Sequence[ViewSpec], own: Sequence[str]) -> WallSpec:
    """A wall as configured; without a word about its views it shows the first one and the config's ``own`` lanes."""
    from statusboard.config import time_of

    known = {view.name: view for view in views}
    wanted = options.views or (views[0].name, *(name for name in own if known[name].layout == "lanes"))
    night = None
    if options.night is not None:
        usual = Night()
        night = Night(time_of(options.night.begin) or usual.begin, time_of(options.night.end) or usual.end)
    return WallSpec(
        views=tuple(known[name] for name in dict.fromkeys(wanted) if name in known),
        every=float(options.every),
        night=night,
        filter=options.filter,
    )
