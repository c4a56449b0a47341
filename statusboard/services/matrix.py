"""The lines of all services under one filter, in order, kept up to date change by change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from statusboard.board import Board, Delta, Row
from statusboard.model import Build, Incident, ItemKind, Release, Ticket, health_key, key_of
from statusboard.query import Query, parse
from statusboard.services.entry import Entry, Seen, bucket_of, counts
from statusboard.services.line import NO_SERVICE, WRONG, Health, Service, Sight, SortKey, fold, sort_key, time_of
from statusboard.text import cell_len

MOST_ENVIRONMENTS: Final = 12
"""Environments that a matrix has columns for; those of previews come by the hundred."""
CHUNK: Final = 1_000
"""Rows looked at in one step of building; of services, which take longer, a quarter as many."""
AT_ONCE: Final = 500
"""Services that an update folds anew; more of them wait for `ServiceMatrix.settle_steps`."""


class MatrixChange(Struct, frozen=True):
    """What an update did: services that are shown and may look different, whether `ServiceMatrix.keys` may have
    changed, and whether other columns may be wanted."""

    changed: frozenset[str] = frozenset()
    order_changed: bool = False
    columns_changed: bool = False

    def __bool__(self) -> bool:
        return self.order_changed or self.columns_changed or bool(self.changed)


class ServiceMatrix:
    """The services that pass a filter.  To filter anew, make a new matrix and build that.

    ``known`` are the configured services with their teams, ``environments`` the configured ones in their order, the
    one where people are served first, ``reads`` which kinds a source is asked for.  ``keys`` is the display order.
    """

    def __init__(
        self,
        known: Mapping[str, str] | None = None,
        environments: Sequence[str] = (),
        reads: Mapping[str, Sequence[ItemKind]] | None = None,
        query: Query | None = None,
        *,
        faults_only: bool = False,
    ) -> None:
        self.query = query if query is not None else parse("")
        self.faults_only = faults_only
        self.keys: list[str] = []
        self.names_width = 0
        """Cells of the longest name."""
        self._built = False
        self._known = known or {}
        self._place = {name: place for place, name in enumerate(environments)}
        self._reads = reads or {}
        self._sight = Sight(self._known, environments[0] if environments else "production")
        self._unread: dict[str, str] = {}  # the states of those that any line may name
        self._seen: dict[str, Seen] = {}
        self._entries: dict[str, Entry] = {}
        self._services: dict[str, Service] = {}
        self._placed: dict[str, SortKey] = {}
        self._late: set[str] = set()  # whose lines are to be folded anew
        self._faults: set[str] = set()
        self._hidden_faults: set[str] = set()
        self._environments: Counter[str] = Counter()  # how many services are in each
        self._teams: Counter[str] = Counter()
        self._healths: Counter[Health] = Counter()
        self._unowned = 0
        self._published = 0
        self._ticketed = 0
        self._columns: object = None

    # -- reading

    def service(self, key: str) -> Service | None:
        """The line of this key; None where it has gone since."""
        return self._services.get(key)

    @property
    def first(self) -> str:
        """The environment where people are served."""
        return self._sight.first

    @property
    def services(self) -> list[Service]:
        """All that is shown, in order."""
        return [self._services[key] for key in self.keys]

    @property
    def counts(self) -> Counter[Health]:
        """How many services that pass the filter are how, also of those that "faults only" leaves out."""
        return self._healths.copy()

    @property
    def unowned(self) -> int:
        """How many services nobody claims."""
        return self._unowned

    @property
    def left_out(self) -> int:
        """How many services the filter, or "faults only", leaves out."""
        return len(self._entries) - len(self.keys)

    @property
    def faults(self) -> int:
        """How many failing items are counted, each once."""
        return len(self._faults)

    @property
    def hidden_faults(self) -> int:
        """How many failing items the filter leaves out."""
        return len(self._hidden_faults)

    @property
    def blind(self) -> tuple[str, ...]:
        """The sources that keep every service from being called well: required ones that may tell of incidents."""
        return self._sight.of_incidents

    @property
    def environments(self) -> list[str]:
        """Those to show: where something is known, in the order of the config, then others by name.

        Of more than `MOST_ENVIRONMENTS` the ones that most services are in.
        """
        place, last = self._place, len(self._place)
        shown = sorted(self._environments, key=lambda name: (name not in place, -self._environments[name], name))
        return sorted(shown[:MOST_ENVIRONMENTS], key=lambda name: (place.get(name, last), not name, name))

    @property
    def more_environments(self) -> int:
        """How many there are beside those."""
        return max(0, len(self._environments) - MOST_ENVIRONMENTS)

    @property
    def teams_width(self) -> int:
        """Cells of the longest name of a team."""
        return max(map(cell_len, self._teams), default=0)

    @property
    def has_published(self) -> bool:
        """Whether any service has a published version."""
        return self._published > 0

    @property
    def has_tickets(self) -> bool:
        """Whether any service has open tickets."""
        return self._ticketed > 0

    def subject(self, key: str, board: Board) -> str | None:
        """The key of the item that a line stands for: what is most wrong, else what was released last (where people
        are served, if it was), else whatever happened last."""
        service, entry = self._services.get(key), self._entries.get(key)
        if service is None or entry is None:
            return None
        if service.worst is not None:
            return service.worst.key
        for place in (service.places.get(self._sight.first), *service.places.values()):
            if place is not None and (row := place.coming or place.row) is not None:
                return row.key
        rows = [row for bucket in entry.items for row in entry.rows(board, bucket)]
        return max(rows, key=lambda row: (time_of(row), row.key)).key if rows else None

    # -- building

    def build(self, board: Board, now: datetime) -> None:
        """Look at everything."""
        for _ in self.build_steps(board, now, chunk=len(board) or 1):
            pass

    def build_steps(self, board: Board, now: datetime, *, chunk: int = CHUNK) -> Iterator[None]:
        """Like `build`, yielding after every ``chunk`` rows so that the caller can let others run.

        `update` may be called in between; ``keys`` are there after the last step.
        """
        keys = list(board.rows)
        for start in range(0, len(keys), chunk):
            for key in keys[start : start + chunk]:
                if key not in self._seen:
                    self._look(key, board, now)
            yield
        for name in self._known:
            self._entries.setdefault(name, Entry())
        self._look_at_sources(board)
        self._late.update(self._entries)
        yield from self.settle_steps(board, now, chunk=max(1, chunk // 4))
        self._built = True

    @property
    def waiting(self) -> bool:
        """Whether so many services look different that `update` left them to `settle_steps`."""
        return bool(self._late)

    def settle_steps(self, board: Board, now: datetime, *, chunk: int = CHUNK // 4) -> Iterator[None]:
        """Fold the lines that wait, yielding after every ``chunk`` of them; ``keys`` are right after the last step."""
        while self._late:
            for name in [self._late.pop() for _ in range(min(chunk, len(self._late)))]:
                self._judge(name, board, now)
            yield
        self._sort()
        self._note_columns()

    # -- change by change

    def update(self, board: Board, delta: Delta, now: datetime) -> MatrixChange:
        """Follow what a fold changed on ``board``.

        Where that is too much to be done at once (a source goes blind that all services are known by), ``waiting`` is
        true afterwards.
        """
        keys = delta.changed | delta.gone
        sources = {name for key in keys if ":source:" in key and key == health_key(name := key.partition(":")[0])}
        if sources and self.query.needs_health:
            keys = keys | {key for key, seen in self._seen.items() if seen.source in sources}
        dirty: set[str] = set()
        for key in keys:
            dirty |= self._look(key, board, now)
        if sources:
            before, was = self._sight, self._unread
            self._look_at_sources(board)
            if (was, before.releases_unread) != (self._unread, self._sight.releases_unread):
                dirty.update(self._entries)
            else:
                dirty.update(
                    name for name, entry in self._entries.items() if any(told in sources for told, _ in entry.sources)
                )
        if not self._built or self._late or len(dirty) > AT_ONCE:
            self._late |= dirty
            return MatrixChange()
        moved = False
        for name in dirty:
            moved |= self._judge(name, board, now)
        if moved:
            self._sort()
        return MatrixChange(frozenset(dirty & self._placed.keys()), moved, self._note_columns())

    def _look(self, key: str, board: Board, now: datetime) -> set[str]:
        """Count an item as what it is now; returns the services whose lines this may change."""
        before = self._seen.pop(key, None)
        row = board.rows.get(key)
        dirty: set[str] = set()
        if before is not None:
            dirty.update(before.services)
            for name in before.services:
                self._entries[name].remove(key, before)
            self._faults.discard(key)
            self._hidden_faults.discard(key)
        if row is not None and counts(row):
            after = self._seen[key] = self._see(row, board, now)
            dirty.update(after.services)
            for name in after.services:
                entry = self._entries.get(name)
                if entry is None:
                    entry = self._entries[name] = Entry()
                entry.add(key, after)
            if after.failing:
                (self._faults if after.shown else self._hidden_faults).add(key)
        return dirty

    def _see(self, row: Row, board: Board, now: datetime) -> Seen:
        fact, query = row.fact, self.query
        assert isinstance(fact, Build | Incident | Release | Ticket)
        shown = query.matches_all or query.matches(
            fact,
            current=row.current,
            failing=row.failing,
            now=now,
            health=board.state_of(fact.source) if query.needs_health else "",
        )
        services = fact.services if len(fact.services) <= 1 else tuple(dict.fromkeys(fact.services))
        return Seen(
            services or (NO_SERVICE,),
            fact.kind,  # type: ignore[arg-type]  # an item's kind is one of items
            fact.source,
            fact.team,
            fact.environment,
            bucket_of(row, fact),
            shown,
            row.failing,
        )

    def _look_at_sources(self, board: Board) -> None:
        blind = frozenset(name for name in {*board.health, *self._reads} if board.is_blind(name))
        self._sight = replace(
            self._sight,
            blind=blind,
            of_incidents=tuple(sorted(name for name in blind if self._must_tell(name, "incident", board))),
            releases_unread=any(self._must_tell(name, "release", board) for name in blind),
        )
        self._unread = {name: board.state_of(name) for name in self._sight.of_incidents}

    def _must_tell(self, source: str, kind: ItemKind, board: Board) -> bool:
        """Whether not all items of this kind are known unless this source is read.  An unfamiliar one may tell any."""
        health = board.health.get(source)
        return kind in self._reads.get(source, (kind,)) and (health is None or not health.optional)

    # -- one service

    def _judge(self, name: str, board: Board, now: datetime) -> bool:
        """Fold a service's items into its line; returns whether a line came, went or moved."""
        entry = self._entries.get(name)
        service = None
        if entry is not None and not entry.known and name not in self._known:
            del self._entries[name]
        elif entry is not None and self._passes(name, entry, now):
            service = fold(name, entry, board, self._sight)
        self._tally(self._services.pop(name, None), -1)
        self._tally(service, 1)
        if service is not None:
            self._services[name] = service
        if service is None or (self.faults_only and service.health not in WRONG):
            return self._placed.pop(name, None) is not None
        before, after = self._placed.get(name), sort_key(service)
        self._placed[name] = after
        return before != after

    def _passes(self, name: str, entry: Entry, now: datetime) -> bool:
        if entry.shown or self.query.matches_all:
            return True
        if entry.known:
            return False
        # Nothing is known of it: what the filter says of its name and team decides.
        stand_in = Release(
            key=key_of("", "release", name), source="", state="unknown", services=(name,), team=self._known[name]
        )
        return self.query.matches(stand_in, current=False, failing=False, now=now)

    def _tally(self, service: Service | None, sign: int) -> None:
        """Count a line, for the title and for the columns that some service must have something for."""
        if service is None:
            return
        for counted, names in ((self._environments, service.places), (self._teams, (service.team,))):
            for name in names:
                counted[name] += sign
                if not counted[name]:
                    del counted[name]
        self._healths[service.health] += sign
        self._unowned += sign * (not service.owned)
        self._published += sign * (service.published is not None)
        self._ticketed += sign * (service.tickets > 0)

    # -- order and columns

    def _sort(self) -> None:
        self.keys = sorted(self._placed, key=self._placed.__getitem__)
        self.names_width = max(map(cell_len, self.keys), default=0)

    def _note_columns(self) -> bool:
        """Whether other columns may be wanted than when this was asked last."""
        columns = (self.environments, self.has_published, self.has_tickets, self.names_width, self.teams_width)
        changed, self._columns = columns != self._columns, columns
        return changed
