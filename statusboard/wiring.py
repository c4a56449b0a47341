"""From a configuration to an engine: sources, their clients and catalog, and where the history is kept."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from statusboard.clock import Clock, SystemClock
from statusboard.config import Config, ConfiguredSource
from statusboard.credentials import Keychain, load_salt
from statusboard.engine import Engine
from statusboard.errors import SourceBug
from statusboard.health import describe
from statusboard.ingest import Resolver
from statusboard.model import Validator
from statusboard.paths import data_dir, private_dir, store_path
from statusboard.source import Context, Http, Scope, Source, SourceOptions
from statusboard.store.base import Store

if TYPE_CHECKING:
    from statusboard.client import ClientPool, SourceClient
    from statusboard.measuring import Knowledge, Measure
    from statusboard.suspicion import Suspicion

log = logging.getLogger("statusboard.source")


class SourceSetup:
    """One configured source, ready to be built when this process becomes the one that polls."""

    def __init__(
        self,
        configured: ConfiguredSource,
        resolver: Resolver,
        pool: ClientPool,
        keychain: Keychain,
        *,
        filing: str = "",
    ) -> None:
        self.configured = configured
        self.name = configured.name
        self.type = configured.type
        self.identity = f"{Config.identity(configured)}.{configured.cls.version}+{filing}"
        self.interval = configured.interval
        self.optional = configured.options.optional
        self.resolver = resolver
        self._pool = pool
        self._keychain = keychain

    def __eq__(self, other: object) -> bool:
        """Whether both read the same in the same way, under whatever services their items are filed."""
        if not isinstance(other, SourceSetup):
            return NotImplemented
        return (
            self.configured.cls is other.configured.cls
            and _without_filing(self.configured.options) == _without_filing(other.configured.options)
            and self._pool is other._pool
            and self._keychain is other._keychain
        )

    def __hash__(self) -> int:
        return hash((self.type, self.name))

    async def build(self, clock: Clock, store: Store) -> tuple[Source[SourceOptions], SourceClient]:
        """The source and its client, with the validators that the store has for it.

        Raises `StoreError` alone: a source that cannot be made comes as one that fails at every poll, and says why.
        """
        return self.make(clock, await store.validators(self.name))

    def make(self, clock: Clock, validators: Iterable[Validator] = ()) -> tuple[Source[SourceOptions], SourceClient]:
        """The source and its client, as `build` gives them."""
        configured = self.configured
        context = Context(name=self.name, clock=clock, log=log)
        try:
            source: Source[SourceOptions] = configured.cls(configured.options, context)
            if not all(isinstance(beat, str) for beat in source.expected_beats()):  # asked for again where it is needed
                raise TypeError("expected_beats gave what are no names")
            return source, self._pool.for_source(source, configured.options, self._keychain, validators)
        except (Exception, SystemExit) as error:  # boundary: a plug-in may raise anything
            log.error("source %s cannot be set up", self.name, exc_info=error)
            source = _stand_in(configured, context, f"it cannot be set up: {type(error).__name__}: {describe(error)}")
            return source, self._pool.for_source(source, source.options, self._keychain)


def _without_filing(options: SourceOptions) -> SourceOptions:
    return msgspec.structs.replace(options, service="", team="", environment="")


def _stand_in(configured: ConfiguredSource, context: Context, reason: str) -> Source[SourceOptions]:
    """A source that can never be read: what is known of the real one stays on the board, and it shows as failed."""

    class StandIn(Source[SourceOptions]):
        type = configured.type
        kinds = configured.cls.kinds
        needs_url = False

        async def scopes(self, http: Http) -> Sequence[Scope]:
            raise SourceBug(reason)

    # Without URL and credentials: it asks nobody.
    asked = tuple(sorted(configured.options.asked(configured.cls.kinds)))
    return StandIn(SourceOptions(type=configured.type, name=configured.name, kinds=asked), context)


def make_setups(config: Config, pool: ClientPool, keychain: Keychain) -> list[SourceSetup]:
    """The config's sources, each with its way to services and teams."""
    catalog = config.catalog()
    return [
        SourceSetup(s, catalog.resolver(s.defaults), pool, keychain, filing=config.filing(s)) for s in config.sources
    ]


def store_of(config: Config) -> tuple[Path, bool]:
    """The database of this board, and whether it is somebody else's, to be followed only."""
    if config.board.store:
        return Path(config.board.store), not config.sources
    return store_path(config.board.id or _own_id(config.path)), False


def _own_id(path: Path) -> str:
    """The name of the database of a config that names none: told apart by where the config stands.

    Of a symbolic link that is where the link stands: a Kubernetes ConfigMap leads to another folder at every change.
    """
    place = path.parent.resolve() / path.name
    return f"board-{hashlib.blake2b(str(place).encode(), digest_size=6).hexdigest()}"


def _salt() -> bytes | None:
    """What makes validators good for the next run; where the data folder cannot be used, this run has its own."""
    try:
        return load_salt(private_dir(data_dir()) / "salt")
    except OSError as error:
        log.warning("the data folder cannot be used: %s", error)  # the store says so where a person sees it
        return None


def _pool(clock: Clock) -> ClientPool:
    """The way to all vendors.  Who only follows asks none, and does not wait for the HTTP library either."""
    from statusboard.client import ClientPool

    return ClientPool(clock, salt=_salt())


class Wiring:
    """An engine, and what its sources are made with: another config can take the place of the first while it runs."""

    def __init__(
        self,
        config: Config,
        *,
        read_only: bool = False,
        clock: Clock | None = None,
        pool: ClientPool | None = None,
        keychain: Keychain | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self.config = config
        path, foreign = self._store = store_of(config)
        self._read_only = read_only or foreign
        self._pool = pool if pool is not None or self._read_only else _pool(clock)
        self._keychain = keychain or Keychain(folder=config.path.parent)
        self.engine = Engine(
            self._setups(config),
            store_path=path,
            read_only=self._read_only,
            keep=_keep(config),
            clock=clock,
            close=self._pool.aclose if self._pool is not None else None,
        )

    async def apply(self, config: Config) -> str:
        """Have the engine do what this config says.  Returns what of it has to wait for a restart, ``""`` for nothing.

        Where another store is wanted, the sources are those of that store: they stay as they are in this one.
        """
        path, follows = store_of(config)
        if path != self._store[0]:
            before, after = self.config.board, config.board
            key = "board.id" if before.id != after.id and before.store == after.store else "board.store"
            return f"{key} has changed: restart to use another store; until then the sources stay as they were"
        if follows != self._store[1]:
            return "restart to only follow this store" if follows else "restart to read sources into board.store"
        self.config = config
        try:
            await self.engine.reconfigure(self._setups(config), keep=_keep(config))
        except Exception as error:  # boundary: polling begins anew by itself, and a board must not end for its config
            log.error("the changed config was not applied at once", exc_info=error)
            return f"the changed config was not applied at once ({type(error).__name__}); the log has the details"
        return ""

    def _setups(self, config: Config) -> list[SourceSetup]:
        if self._read_only or self._pool is None:
            return []
        return make_setups(config, self._pool, self._keychain)


def make_measure(config: Config, store: Knowledge, zone: tzinfo) -> Measure:
    """What makes delivery metrics out of a store, or of what one knew once, by this config."""
    from statusboard.measuring import Input, Measure
    from statusboard.metrics import goals_of

    inputs = [
        Input(
            source=source.name,
            kinds=source.options.asked(source.cls.kinds),
            team=source.options.team,
            service=source.options.service,
            optional=source.options.optional,
        )
        for source in config.sources
    ]
    return Measure(
        store, config.catalog(), inputs=inputs, goals=goals_of(config.goals), zone=zone, weights=config.suspects
    )


def _keep(config: Config) -> timedelta:
    return timedelta(seconds=config.board.keep)


def make_engine(config: Config, *, read_only: bool = False) -> Engine:
    """An engine for this config; closing it closes the connections as well."""
    return Wiring(config, read_only=read_only).engine


def suspicion_of(config: Config | None) -> Suspicion:
    """What finds the suspects of incidents, as configured."""
    from statusboard.catalog import Catalog
    from statusboard.suspicion import Suspicion
    from statusboard.weights import Weights

    catalog = config.catalog() if config is not None else Catalog()
    weights = config.suspects if config is not None else Weights()
    return Suspicion(weights, catalog.depends_on, lambda environment: catalog.tier_of(environment) == "production")
