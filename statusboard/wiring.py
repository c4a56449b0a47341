"""From a configuration to an engine: sources, their clients and catalog, and where the history is kept."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path

from statusboard.client import ClientPool, SourceClient
from statusboard.clock import Clock, SystemClock
from statusboard.config import Config, ConfiguredSource
from statusboard.credentials import Keychain, load_salt
from statusboard.engine import Engine
from statusboard.ingest import Resolver
from statusboard.paths import data_dir, private_dir, store_path
from statusboard.source import Context, Source, SourceOptions
from statusboard.store.base import Store

log = logging.getLogger("statusboard.source")


class SourceSetup:
    """One configured source, ready to be built when this process becomes the one that polls."""

    def __init__(self, configured: ConfiguredSource, resolver: Resolver, pool: ClientPool, keychain: Keychain) -> None:
        self.configured = configured
        self.name = configured.name
        self.type = configured.type
        self.identity = f"{Config.identity(configured)}.{configured.cls.version}"
        self.interval = configured.interval
        self.optional = configured.options.optional
        self.resolver = resolver
        self._pool = pool
        self._keychain = keychain

    def make(self, clock: Clock) -> Source[SourceOptions]:
        """The source itself."""
        context = Context(name=self.name, clock=clock, log=log)
        source: Source[SourceOptions] = self.configured.cls(self.configured.options, context)
        return source

    async def build(self, clock: Clock, store: Store) -> tuple[Source[SourceOptions], SourceClient]:
        """The source and its client, with the validators that the store has for it."""
        source = self.make(clock)
        validators = await store.validators(self.name)
        return source, self._pool.for_source(source, self.configured.options, self._keychain, validators)


def make_setups(config: Config, pool: ClientPool, keychain: Keychain) -> list[SourceSetup]:
    """The config's sources, each with its way to services and teams."""
    catalog = config.catalog()
    return [SourceSetup(s, catalog.resolver(s.defaults), pool, keychain) for s in config.sources]


def store_of(config: Config) -> tuple[Path, bool]:
    """The database of this board, and whether it is somebody else's, to be followed only."""
    if config.board.store:
        return Path(config.board.store), not config.sources
    return store_path(config.board.id), False


def make_engine(
    config: Config,
    *,
    read_only: bool = False,
    clock: Clock | None = None,
    pool: ClientPool | None = None,
    keychain: Keychain | None = None,
) -> Engine:
    """An engine for this config; closing it closes the connections as well."""
    clock = clock or SystemClock()
    path, foreign = store_of(config)
    read_only = read_only or foreign
    if pool is None:
        salt = None if read_only else load_salt(private_dir(data_dir()) / "salt")
        pool = ClientPool(clock, salt=salt)
    keychain = keychain or Keychain(folder=config.path.parent)
    return Engine(
        [] if read_only else make_setups(config, pool, keychain),
        store_path=path,
        read_only=read_only,
        keep=timedelta(seconds=config.board.keep),
        clock=clock,
        close=pool.aclose,
    )
