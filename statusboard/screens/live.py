"""What every screen of a running board looks at."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from statusboard import presenting
from statusboard.chatter import Chatter
from statusboard.clock import Clock, zone_of
from statusboard.engine import Engine
from statusboard.keys import DEFAULTS
from statusboard.model import Change, Status
from statusboard.screens.lanes import Cells
from statusboard.screens.laneset import LaneSet
from statusboard.screens.settings import Settings

if TYPE_CHECKING:
    from statusboard.measuring import Knowledge


class History(Protocol):
    """What screens read of a store (`statusboard.store.base.Store`, which says what these give)."""

    @property
    def store_id(self) -> str: ...
    async def history(self, key: str, limit: int = 100) -> list[Change]: ...
    async def past(
        self, *, before: int | None = None, since: datetime | None = None, limit: int = 200
    ) -> list[Change]: ...
    async def recorded(self, seqs: Collection[int]) -> list[Change]: ...


class Live:
    """An engine, the settings, and the lanes as they stand.  Made once the engine has read its store.

    What a face or the details are given may also be a past moment (`statusboard.screens.then.Then`), of which
    ``newest`` is the last change that is known; of the present it is None.
    """

    newest: int | None = None

    def __init__(self, engine: Engine, settings: Settings, *, ascii_only: bool) -> None:
        self.engine = engine
        self.settings = settings
        #: What is wrong with the config as its files are now.
        self.config_notice = ""
        self.ascii_only = ascii_only
        self.glyphs = presenting.ASCII if ascii_only else presenting.UNICODE
        #: What flips and what floods; whoever looks at the changes for it tells it.
        self.chatter = Chatter()
        self.cells = Cells(engine.board, engine.clock, self.glyphs, zone_of(settings.timezone), self.chatter)
        self.lanes = LaneSet(settings.views[0])

    def use(self, settings: Settings) -> None:
        """Other settings, in the place of those so far."""
        self.settings = settings
        self.cells.zone = zone_of(settings.timezone)
        self.cells.suspicion = None

    @property
    def notice(self) -> str:
        """What a person must know: of the store, and `aside`."""
        return "; ".join(filter(None, (self.engine.notice, self.aside)))

    @property
    def aside(self) -> str:
        """What a person must know of other boards, of the config, of the saved views: no data are lost for that."""
        return "; ".join(filter(None, (self.engine.dispute, self.config_notice, self.settings.told)))

    @property
    def store(self) -> History:
        """What is stored, as far as it was at the moment that is shown."""
        return self.engine.store

    def knowledge(self) -> Knowledge:
        """What metrics are made of."""
        return self.engine.store

    @property
    def statuses(self) -> Mapping[str, Status]:
        """What moved at the last poll of each source: of a past moment nothing is known of it."""
        return self.engine.statuses

    @property
    def clock(self) -> Clock:
        """The engine's."""
        return self.engine.clock

    @property
    def now(self) -> datetime:
        """The time, aware, UTC."""
        return self.clock.now()

    @property
    def local_time(self) -> str:
        """The time of day where the board's people are."""
        return f"{self.now.astimezone(self.cells.zone):%H:%M:%S}"

    def keys_of(self, action: str) -> list[str]:
        """The keys of an action as they are bound now."""
        bound = self.settings.keys.get(action)
        if bound is None:
            bound = next(keys[action] for keys in DEFAULTS.values() if action in keys)
        return bound.split(",")

    def status(self, source: str) -> Status | None:
        """What moved at the last poll of a source."""
        return self.statuses.get(source)

    def known_values(self) -> dict[str, Iterable[str]]:
        """What a filter may ask for, by key, from what is on the board."""
        values: dict[str, set[str]] = {key: set() for key in ("team", "service", "environment", "source", "repository")}
        for row in self.cells.board.items():
            fact = row.fact
            values["source"].add(fact.source)
            for key in ("team", "environment", "repository"):
                values[key].add(getattr(fact, key))
            values["service"].update(getattr(fact, "services", ()))
        return {key: sorted(found - {""}) for key, found in values.items()}
