"""What a configuration is once it is read: typed, valid, frozen."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Struct, structs

from statusboard import __version__
from statusboard._config.secrets import REFERENCES, is_secret_header
from statusboard._config.views import ViewOptions
from statusboard._config.wall import WallOptions
from statusboard.catalog import Catalog, Environment, Service, SourceDefaults
from statusboard.clock import Duration, duration_enc_hook
from statusboard.errors import Problem
from statusboard.model import Severity
from statusboard.noticing.options import NoticesOptions
from statusboard.palettes import Palette
from statusboard.source import Source, SourceOptions, option
from statusboard.weights import Weights
from statusboard.yamlfile import Mark

SourceClass: TypeAlias = type[Source[Any]]


class BoardOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``board:``.  ``keep`` in seconds; ``store`` is absolute, or "" for the board's own database.

    Without an ``id`` each config file has a database of its own: two boards must not meet in one by accident.
    """

    id: Annotated[str, option("names the board's database; without one this file has its own")] = ""
    title: Annotated[str, option("shown in the header")] = ""
    timezone: Annotated[str, option("such as Europe/Berlin; without one that of this machine")] = ""
    keep: Annotated[Duration, option("how long what is over stays on the board")] = Duration(48 * 3600)
    store: Annotated[str, option("another board's database, to follow it")] = ""


class ConfiguredSource(Struct, frozen=True, kw_only=True):
    """One source as configured: its class, its bound options, and where it stands."""

    cls: SourceClass
    options: SourceOptions
    at: Mark

    @property
    def type(self) -> str:
        """The word in the config."""
        return self.options.type

    @property
    def name(self) -> str:
        """The source's name, unique on this board."""
        return self.options.name

    @property
    def interval(self) -> float:
        """Seconds between two polls."""
        return float(self.options.interval or self.cls.default_interval)

    @property
    def defaults(self) -> SourceDefaults:
        """What the catalog assumes of items that tell nothing themselves."""
        options = self.options
        return SourceDefaults(service=options.service, team=options.team, environment=options.environment)


class Config(Struct, frozen=True, kw_only=True):
    """A whole configuration, valid.

    ``path`` is the main file, ``files`` are all of them (absolute; to watch for changes), ``digest`` is that of their
    contents.  ``secret_variables`` are the environment variables that references to secrets name.  ``goals`` are those
    of each team, as they were written: `statusboard.metrics.goals_of` reads them.  ``warnings`` are problems that keep
    nothing from running (an environment variable that is not set).
    """

    path: Path
    files: tuple[Path, ...]
    digest: str
    board: BoardOptions = BoardOptions()
    environments: tuple[Environment, ...] = ()
    services: tuple[Service, ...] = ()
    severities: dict[str, Severity] = {}
    sources: tuple[ConfiguredSource, ...] = ()
    views: tuple[ViewOptions, ...] = ()
    keys: dict[str, str] = {}
    theme: str = ""
    themes: tuple[Palette, ...] = ()
    glyphs: str = ""
    wall: WallOptions = WallOptions()
    notices: NoticesOptions = NoticesOptions()
    goals: dict[str, dict[str, str]] = {}
    suspects: Weights = Weights()
    secret_variables: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def teams(self) -> tuple[str, ...]:
        """All teams that services or sources name, sorted."""
        named = {s.team for s in self.services} | {s.options.team for s in self.sources}
        return tuple(sorted(named - {""}))

    def catalog(self) -> Catalog:
        """The catalog of this config."""
        return Catalog(self.services, self.environments, self.severities)

    @staticmethod
    def identity(source: ConfiguredSource) -> str:
        """What a source reads, as 32 hexadecimal digits: its type, URL and options, without credentials.

        Its name, how often and how patiently it is read, and what its items are filed under do not count: changing
        them makes no other source of it.  Options left at their default do not count either, so that a new option in
        a newer version changes nothing.
        """
        options = source.options
        body: dict[str, Any] = {"type": source.type, "url": options.url.rstrip("/"), "kinds": sorted(options.kinds)}
        body["headers"] = {k.lower(): v for k, v in options.headers.items() if not is_secret_header(k)}
        common = {field.name for field in structs.fields(SourceOptions)}
        for field in structs.fields(options):
            value = getattr(options, field.name)
            if field.name not in common and (field.required or value != _default(field)):
                body[field.encode_name] = value
        return _hash(body)

    def filing(self, source: ConfiguredSource) -> str:
        """What decides under which service, team, environment and severity a source's items are filed, as `identity`.

        When it changes, every item must be had in full once more: a 304 would leave it where it is.
        """
        services = [structs.replace(service, depends_on=()) for service in self.services]
        body: dict[str, Any] = {"services": services, "environments": self.environments}
        return _hash(body | {"severities": self.severities, "defaults": source.defaults, "program": __version__})

    @staticmethod
    def credential_identity(source: ConfiguredSource) -> str:
        """Which references a source signs its requests with, as 32 hexadecimal digits."""
        options = source.options
        body: dict[str, Any] = {name: getattr(options, name) for name in REFERENCES}
        body["headers"] = {k.lower(): v for k, v in options.headers.items() if is_secret_header(k)}
        body["cert"] = options.tls.cert
        return _hash(body)


def _default(field: structs.FieldInfo) -> object:
    if field.default is not msgspec.NODEFAULT:
        return field.default
    return field.default_factory()


def _hash(body: Mapping[str, Any]) -> str:
    encoded = msgspec.json.encode(body, enc_hook=duration_enc_hook, order="sorted")
    return hashlib.blake2b(encoded, digest_size=16).hexdigest()
