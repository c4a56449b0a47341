"""Which sources are polled: set up for whoever polls, and put in the place of others while it does.

Everything here is done by the one that holds the lease, while nobody else may change roles (`statusboard.engine`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

from statusboard.clock import Clock
from statusboard.health import Tracker, afresh
from statusboard.ingest import Ingest, Resolver
from statusboard.model import SourceHealth, Status
from statusboard.poller import Budgeted, Polled, Poller
from statusboard.source import Source, SourceOptions
from statusboard.store.base import Lease, Registration, Store


class Setup(Protocol):
    """One configured source, ready to be built (`statusboard.wiring` makes them from the config).

    Equal ones read the same in the same way, under whatever services their items are filed.
    """

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def identity(self) -> str:
        """What is read and, after a ``+``, what decides under which services its items are filed."""

    @property
    def interval(self) -> float: ...
    @property
    def optional(self) -> bool: ...
    @property
    def resolver(self) -> Resolver: ...
    def build(self, clock: Clock, store: Store) -> Awaitable[tuple[Source[SourceOptions], Budgeted]]:
        """The source and its client, with the validators that the store has for it.

        Raises `StoreError` alone: what cannot be made comes as a source that fails at every poll, and says why.
        """


class Changed(NamedTuple):
    """The names that are to be set up anew, and those that are to leave."""

    anew: tuple[str, ...]
    removed: tuple[str, ...]


class Dispute:
    """Whether whoever polls reads with other options than ours, for longer than boards of one config need to agree."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._since: float | None = None

    def judge(self, other: Collection[str], now: float) -> str:
        """What a person must know of it; ``other`` are the sources that are read otherwise, ``now`` is monotonic."""
        if not other:
            self._since = None
        elif self._since is None:
            self._since = now
        elif now - self._since >= self._patience:
            return (
                f"another board polls this store and reads {', '.join(other)} with other options, which is what is "
                "shown; give one of the two another board.id"
            )
        return ""


def late(status: Status | None, since: datetime) -> bool:
    """Whether the newest poll that has ended began before then."""
    return status is None or status.last_attempt is None or status.last_attempt < since


def changes(before: Mapping[str, Setup], after: Mapping[str, Setup]) -> Changed:
    """What differs between two sets of sources."""
    return Changed(
        tuple(name for name, setup in after.items() if not _same(before.get(name), setup)),
        tuple(name for name in before if name not in after),
    )


def registrations(setups: Iterable[Setup]) -> list[Registration]:
    """The sources as the store keeps them."""
    return [Registration(source=s.name, type=s.type, identity=s.identity) for s in setups]


async def read_now(store: Store) -> dict[str, str]:
    """What the sources read that whoever polls has registered, by name."""
    return {r.source: _what(r.identity) for r in await store.registered()}


def read_otherwise(setups: Iterable[Setup], read: Mapping[str, str]) -> list[str]:
    """The names of the sources that are `read_now` with other options than these."""
    return sorted(s.name for s in setups if read.get(s.name, _what(s.identity)) != _what(s.identity))


async def set_up(
    setup: Setup,
    ingest: Ingest,
    *,
    read: Mapping[str, str],
    health: SourceHealth | None,
    status: Status | None,
) -> Polled:
    """A source ready to be polled.

    ``read`` is what was `read_now` before, ``health`` and ``status`` what is known of it: they prove nothing where
    other options gave them.
    """
    clock, store = ingest.clock, ingest.store
    source, client = await setup.build(clock, store)
    ingest.renew(setup.name, setup.resolver)
    if read.get(setup.name) != _what(setup.identity):
        health, status = afresh(health), None
    tracker = Tracker(
        setup.name,
        setup.type,
        setup.interval,
        optional=setup.optional,
        expected=source.expected_beats(),
        before=health,
        last_success=status.last_success if status is not None else None,
    )
    if health is None:
        # From the very beginning: a source that nobody has heard of yet must not be missed by nobody.
        await ingest.health(tracker.judge(clock.now()))
    return Polled(source, client, tracker, interval=setup.interval, clock=clock)


async def set_up_all(setups: Mapping[str, Setup], ingest: Ingest, lease: Lease) -> tuple[list[Polled], frozenset[str]]:
    """All of these, for a poller that begins; what else is on the board leaves.

    Also the names of those that are new in this store, or were read with other options before.
    """
    store = ingest.store
    read = await read_now(store)
    renewed = frozenset(await store.register(registrations(setups.values()), lease))
    healths = ingest.healths()
    for name in healths.keys() - setups.keys():
        await ingest.leave(name)
    statuses = {status.source: status for status in await store.statuses()}
    polled = [
        await set_up(setup, ingest, read=read, health=healths.get(name), status=statuses.get(name))
        for name, setup in setups.items()
    ]
    return polled, renewed


async def replace(
    poller: Poller, lease: Lease, before: Mapping[str, Setup], after: Mapping[str, Setup], changed: Changed
) -> frozenset[str]:
    """Have ``after`` polled in the place of ``before``; returns the names that `set_up_all` returns.

    What is as before is left alone.  Where this raises, the poller is half-way between the two: it must be ended.
    """
    ingest = poller.ingest
    await poller.halt([*changed.anew, *changed.removed])
    await ingest.flush()  # what waits to be written is not written of a source that is gone by then
    read = await read_now(ingest.store)
    renewed = frozenset(await ingest.store.register(registrations(after.values()), lease))
    for name in changed.removed:
        await ingest.leave(name)
    healths, old = ingest.healths(), poller.polled
    polled = dict(old)
    for name in changed.anew:
        status = old[name].status if name in old else None
        polled[name] = new = await set_up(after[name], ingest, read=read, health=healths.get(name), status=status)
        if name in old and _reads_the_same(before[name], after[name]):
            new.go_on_from(old[name])
    poller.go_on(polled[name] for name in after)
    for name in old.keys() & {*changed.anew, *changed.removed}:
        await old[name].client.aclose()
    return renewed


def _same(one: Setup | None, two: Setup) -> bool:
    return one is not None and _reads_the_same(one, two) and one.identity == two.identity


def _reads_the_same(one: Setup, two: Setup) -> bool:
    """Whether they differ in nothing but what their items are filed under."""
    return one == two and _what(one.identity) == _what(two.identity)


def _what(identity: str) -> str:
    """What is read, of an identity: type, URL and options."""
    return identity.partition("+")[0]
