"""One run of backfill over some sources."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from msgspec import structs

from statusboard.backfill._progress import PartProgress, SourceProgress, State, verdict_of
from statusboard.backfill._reader import Asker, Reader, Troubles
from statusboard.backfill._way import Stalls, Way
from statusboard.clock import Clock
from statusboard.current import is_timeless
from statusboard.errors import BadAnswer, NotFound, SourceError, StoreError
from statusboard.health import describe
from statusboard.ingest import Ingest, Resolver
from statusboard.model import Item, Part
from statusboard.source import HistoryUnsupported, Http, Past, Scope, Source, SourceOptions, history_of, scopes_of
from statusboard.store.base import Lease, Store

log = logging.getLogger("statusboard.backfill")

#: Where an earlier run began, its newest pages are read once more: what was on its way then has ended since.
OVERLAP = timedelta(days=1)
#: What is newer than an earlier run by less than this is left to the polls and to the next run.
YOUNG = timedelta(hours=1)
#: How long one page may take, in seconds: some take many requests, each of which has a limit of its own.
PAGE_LIMIT = 300.0
#: What is said of a type that does not say why it has no past.
NOT_TOLD = "it tells only how things stand now"


class Setup(Protocol):
    """One configured source (`statusboard.wiring.SourceSetup`)."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def identity(self) -> str: ...
    @property
    def resolver(self) -> Resolver: ...
    def make(self, clock: Clock) -> tuple[Source[SourceOptions], Asker]: ...


class Backfill:
    """One run.  ``progress`` has each source's, ``tell`` is called whenever one of them has moved.

    ``anew``: read all pages again, whatever was read before.
    """

    def __init__(
        self,
        setups: Iterable[Setup],
        store: Store,
        clock: Clock,
        *,
        since: datetime,
        anew: bool = False,
        lease: Lease | None = None,
        tell: Callable[[SourceProgress], None] = lambda progress: None,
    ) -> None:
        self.since = since
        self.begun = clock.now()
        self.progress: Mapping[str, SourceProgress] = {}
        self._setups = list(setups)
        self._ingest = Ingest(store, clock)
        self._store = store
        self._clock = clock
        self._anew = anew
        self._lease = lease
        self._tell = tell
        self._began = clock.monotonic()
        self.progress = {setup.name: SourceProgress(name=setup.name, type=setup.type) for setup in self._setups}

    async def run(self) -> None:
        """Read all sources side by side.  Raises `StoreError` where what was read could not be stored."""
        tasks = [asyncio.ensure_future(self._source(setup, self.progress[setup.name])) for setup in self._setups]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for progress in self.progress.values():
                if progress.state in ("waiting", "reading"):
                    progress.state, progress.until, progress.now = "stopped", None, ""

    @property
    def fraction(self) -> float:
        """How much is behind us, from 0 to 1."""
        return sum(p.fraction for p in self.progress.values()) / len(self.progress) if self.progress else 1.0

    def seconds_left(self) -> float | None:
        """How long it may still take: what was slowest so far decides.  None while nothing can be said."""
        took = self._clock.monotonic() - self._began
        left: list[float] = []
        for progress in self.progress.values():
            if progress.state not in ("waiting", "reading"):
                continue
            if progress.fraction <= 0.0 or took <= 0.0:
                return None
            wait = (progress.until - self._clock.now()).total_seconds() if progress.until else 0.0
            left.append(max(wait, took * (1 - progress.fraction) / progress.fraction))
        return max(left, default=0.0)

    # -- one source ----------------------------------------------------------------------------------------------

    async def _source(self, setup: Setup, progress: SourceProgress) -> None:
        source, client = setup.make(self._clock)
        progress.limits = source.no_history
        if not can_tell(type(source)):
            self._ended(progress, "unsupported", source.no_history or NOT_TOLD)
            return
        self._ingest.use_resolver(setup.name, setup.resolver)
        progress.state = "reading"
        reader = Reader(client, self._clock, progress, self._tell)
        try:
            scopes = await reader.patiently("", lambda http: scopes_of(source, http))
        except SourceError as error:
            log.warning("source %s cannot be read back: %s", setup.name, describe(error))
            self._ended(progress, "failed", describe(error))
            return
        ways = await self._ways(setup)
        for scope in scopes:
            progress.parts[scope.name] = PartProgress(part=scope.name, kind=scope.kind)
        troubles = Troubles()
        for scope in scopes:
            part = progress.parts[scope.name]
            if troubles.enough is not None:
                part.state, part.why, part.fraction = "failed", f"not asked any more: {troubles.enough}", 1.0
                continue
            progress.now = part.part
            try:
                if scope.kind not in source.history_kinds:
                    raise HistoryUnsupported(source.no_history or f"nothing tells of past {scope.kind}s")
                part.state = "reading"
                self._tell(progress)
                await self._walk(setup, source, reader, scope, part, ways.get(scope.name))
            except HistoryUnsupported as error:
                part.state, part.why = "unsupported", str(error) or source.no_history or NOT_TOLD
            except StoreError:
                raise
            except SourceError as error:
                log.warning("source %s: %s cannot be read back: %s", setup.name, part.part, describe(error))
                part.state, part.why = "failed", describe(error)
                troubles.note(error)
            except Exception as error:  # boundary: a source may have put anything at all into its items
                log.error("source %s: the past of %s cannot be taken in", setup.name, part.part, exc_info=error)
                part.state, part.why = "failed", f"the {source.type} source failed: {type(error).__name__}"
            else:
                part.state = "done"
                troubles.clear()
            part.fraction = 1.0
            self._tell(progress)
        self._ended(progress, *verdict_of(progress))

    def _ended(self, progress: SourceProgress, state: State, why: str = "") -> None:
        progress.state, progress.why, progress.now, progress.until = state, why, "", None
        self._tell(progress)

    # -- one part ------------------------------------------------------------------------------------------------

    async def _ways(self, setup: Setup) -> dict[str, Way]:
        """How far the parts of a source have been read back, by its options as they are now."""
        if self._anew:
            await self._store.forget_backfilled(setup.name)
        deepest: dict[str, Way] = {}
        for stretch in await self._store.backfilled(setup.name):
            way = Way.told(stretch, setup.identity)
            before = deepest.get(stretch.part)
            if way is not None and (before is None or way.goes_before(before)):
                deepest[stretch.part] = way
        return deepest

    async def _walk(
        self,
        setup: Setup,
        source: Source[SourceOptions],
        reader: Reader,
        scope: Scope,
        part: PartProgress,
        way: Way | None,
    ) -> None:
        """Read a part back to the horizon: on from where the last run came to, then what is newer than that run."""
        if way is None or not way.leads_to(self.since):
            way = Way.new(self.begun, self.since)
        else:
            part.resumed = True
        self._note(part, way)
        stalls = Stalls()
        while not way.covers(self.since):
            at = way
            try:
                past = await self._page(setup, source, reader, scope, part, at.cursor, at.after)
            except (BadAnswer, NotFound) as error:
                if not part.resumed or part.pages:
                    raise
                # Some vendors' cursors are good for some days only.
                log.info("source %s: %s begins anew: %s", setup.name, part.part, describe(error))
                part.resumed, way = False, Way.new(self.begun, self.since)
                continue
            way = at.after(past)
            self._note(part, way, past.share)
            self._tell(reader.progress)
            stalls.look(past)
        if self.begun - way.begun < YOUNG:
            return
        top, stalls = Way.new(self.begun, way.begun - OVERLAP), Stalls()
        joined = structs.replace(way, begun=self.begun)
        while True:
            at = top

            def meets(past: Past, at: Way = at) -> Way | None:
                return joined if at.after(past).covers(at.asked) else None

            past = await self._page(setup, source, reader, scope, part, at.cursor, meets)
            self._tell(reader.progress)
            top = at.after(past)
            if top.covers(top.asked):
                return
            stalls.look(past)

    def _note(self, part: PartProgress, way: Way, share: float = 0.0) -> None:
        part.reached = way.reached if way.reached < way.begun else None
        part.ended = way.ended and way.reached > self.since
        behind = (self.begun - way.deepest) / max(self.begun - self.since, timedelta(seconds=1))
        part.fraction = min(max(behind, share, 0.0), 1.0)

    async def _page(
        self,
        setup: Setup,
        source: Source[SourceOptions],
        reader: Reader,
        scope: Scope,
        part: PartProgress,
        cursor: str,
        come_to: Callable[[Past], Way | None],
    ) -> Past:
        """Read one page and store what it tells, and how far that leads where ``come_to`` says so.

        What has no time at all has no place in history.
        """

        async def ask(http: Http) -> Past:
            return await history_of(source, scope, http, since=self.since, cursor=cursor, timeout=PAGE_LIMIT)

        past = await reader.patiently(scope.name, ask)
        given: tuple[Any, ...] = past.items  # whatever a source really gave; ingest says what is wrong with it
        items = tuple(item for item in given if not (isinstance(item, Item) and is_timeless(item)))
        way = come_to(past)
        taken = await self._ingest.bygone(
            setup.name,
            Part(scope=scope.name, kind=scope.kind, reach="delta", started_at=self._clock.now(), items=items),
            stretch=way.stretch(setup.name, setup.identity, scope.name) if way is not None else None,
            lease=self._lease,
        )
        part.pages += 1
        part.items += len(items)
        part.changes += len(taken.changes)
        faults = [*([describe(past.error)] if past.error is not None else []), *taken.faults]
        part.left_out += len(faults)
        for note in (*past.notes, *faults[:1]):
            if note not in part.notes and len(part.notes) < 5:
                part.notes.append(note)
        return past


def can_tell(cls: type[Source[Any]]) -> bool:
    """Whether this type of source can tell of the past at all."""
    return cls.history is not Source.history and bool(cls.history_kinds)
