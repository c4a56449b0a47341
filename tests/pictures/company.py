"""A made-up company on a made-up morning, the same at every run.

At 09:31 a release of checkout reaches production, six minutes later checkouts fail.  Somebody has broken the build of
payments, and one build server has not answered for a while.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from statusboard.clock import Clock
from statusboard.diff import draft
from statusboard.errors import Timeout
from statusboard.model import (
    Build,
    Draft,
    Fact,
    HealthState,
    Incident,
    Item,
    ItemKind,
    PartError,
    Release,
    SourceHealth,
    Status,
    Ticket,
    health_key,
)
from statusboard.poller import Budgeted
from statusboard.source import Source, SourceOptions
from statusboard.store.base import Batch, Registration, Store, Watched
from statusboard.store.sqlite import SQLiteStore
from tests.app.stage import Told
from tests.scripted import NoClient

NOW = datetime(2026, 3, 12, 9, 41, 7, tzinfo=UTC)
SINCE = 26 * 60.0
"""Minutes ago that anything was read first."""
UNREAD = 14.0
"""Minutes ago that `jenkins` was read last."""


class StillClock:
    """A clock on which it is the same moment until it is set, though waiting takes its time."""

    def __init__(self, moment: datetime = NOW) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Steady(NoClient):
    """A client with which the next poll comes when it is said to, without chance."""

    def __init__(self, pause: float, budget: tuple[int, int, float] | None) -> None:
        super().__init__()
        self._pause = pause
        self._budget = budget

    def budget_view(self) -> tuple[int | None, int | None, float | None]:
        return self._budget or super().budget_view()

    def pause_for(self, requests_per_poll: int) -> float:
        return self._pause


class Vendor(Told):
    """A source of some type; ``pause`` seconds until its next poll are more than chance could make it."""

    def __init__(
        self, name: str, kind: ItemKind, type: str, interval: float, pause: float, events: Iterable[Event]
    ) -> None:
        items = {event.item.key: event.item for event in sorted(events, key=lambda event: -event.minutes)}
        super().__init__(name, kind, list(items.values()))
        self.type = type
        self.interval = interval
        self.pause = pause
        self.budget: tuple[int, int, float] | None = None

    async def build(self, clock: Clock, store: Store) -> tuple[Source[SourceOptions], Budgeted]:
        source, _ = await super().build(clock, store)
        return source, Steady(self.pause, self.budget)


class Event(NamedTuple):
    """How an item was from so many minutes ago on."""

    minutes: float
    item: Item


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def sources() -> list[Vendor]:
    """All of them, as they answer now."""
    github = Vendor("github", "build", "github", 60, 68, builds())
    github.budget = (4_870, 5_000, 1_100)
    jenkins = Vendor("jenkins", "build", "jenkins", 30, 40, firmware())
    jenkins.items = Timeout("no answer within 10 s", retry_after=41)
    return [
        Vendor("alerts", "incident", "alertmanager", 15, 17, alerts()),
        github,
        Vendor("deploys", "release", "deploy-log", 10, 12, releases()),
        Vendor("tracker", "ticket", "linear", 60, 70, tickets()),
        jenkins,
    ]


async def remember(path: Path) -> str:
    """Write what happened until now into a new store; returns its id."""
    clock = StillClock()
    store = SQLiteStore(path, clock=clock)
    await store.open()
    lease = await store.lease("poll", "pictures")
    assert lease is not None
    told = sources()
    await store.register([Registration(source=s.name, type=s.type, identity=s.identity) for s in told], lease)

    async def put(minutes: float, *drafts: Draft, **more: Any) -> None:
        clock.moment = ago(minutes)
        await store.append(Batch(observed_at=clock.moment, drafts=drafts, **more), lease)

    facts: list[tuple[float, str, Fact]] = [(SINCE + 1, source.name, _health(source, SINCE)) for source in told]
    facts += [(UNREAD - 1, "jenkins", _unread(told[-1], "aging", UNREAD - 1))]
    facts += [(UNREAD - 2, "jenkins", _unread(told[-1], "stale", UNREAD - 2))]
    for source, events in zip(told, (alerts(), builds(), releases(), tickets(), firmware()), strict=True):
        facts += [(min(event.minutes, SINCE) - 0.1, source.kind, event.item) for event in events]
    known: dict[str, Fact] = {}
    for minutes, part, fact in sorted(facts, key=lambda each: (-each[0], each[2].key)):
        await put(minutes, draft(known.get(fact.key), fact, part="" if isinstance(fact, SourceHealth) else part))
        known[fact.key] = fact
    read = {source.name: ago(UNREAD if source.name == "jenkins" else 0.2) for source in told}
    watched = [
        Watched(source=source.name, part=source.kind, at=at, gap=SINCE * 60)
        for source in told
        for at in (ago(SINCE), read[source.name])
    ]
    await put(0, watched=tuple(watched), statuses=tuple(_status(source, read[source.name]) for source in told))
    await store.release(lease)
    await store.close()
    return store.store_id


def _health(source: Told, minutes: float) -> SourceHealth:
    """Read well since so many minutes ago."""
    return SourceHealth(
        key=health_key(source.name),
        source=source.name,
        title=source.name,
        state="fresh",
        type=source.type,
        interval=source.interval,
        started_at=ago(minutes),
        updated_at=ago(minutes),
        last_success=ago(minutes),
    )


def _unread(source: Told, state: HealthState, minutes: float) -> SourceHealth:
    """No longer read, and thought of so for so many minutes."""
    error = str(source.items)
    return replace(
        _health(source, minutes),
        state=state,
        error=error,
        errors=(PartError(part=source.kind, error=error),),
        last_success=ago(UNREAD),
    )


def _status(source: Told, at: datetime) -> Status:
    return Status(source=source.name, type=source.type, interval=source.interval, last_attempt=at, last_success=at)


# -- incidents


def _incident(n: int, title: str, service: str, team: str, minutes: float, **more: Any) -> Incident:
    known: dict[str, Any] = {"state": "open", "severity": "critical", "environment": "production"}
    return Incident(
        key=f"alerts:incident:{n}",
        source="alerts",
        title=title,
        services=(service,),
        team=team,
        started_at=ago(minutes),
        updated_at=ago(minutes),
        url=f"https://alerts.example/{n}",
        links={"runbook": f"https://runbooks.example/{service}"},
        labels={"alertname": title.partition(":")[0], "region": "eu-central"},
        **{**known, **more},
    )


def alerts() -> Iterator[Event]:
    errors = _incident(1, "ErrorRateHigh: 7.1 % of the checkouts fail", "checkout", "payments", 4)
    yield Event(6, replace(errors, state="pending", started_at=ago(6)))
    yield Event(4, errors)
    carts = "LatencyP99High: carts take 2.4 s to open"
    yield Event(3, _incident(2, carts, "cart", "payments", 3, severity="high"))
    expires = _incident(3, "CertificateExpiresSoon: 6 days left", "web", "storefront", 300, severity="low")
    yield Event(300, expires)
    yield Event(212, replace(expires, state="acknowledged", acknowledged_by="mira", acknowledged_at=ago(212)))
    filling = "DiskFillingUp: full within 4 hours"
    yield Event(1, _incident(5, filling, "search", "discovery", 1, severity="medium", state="pending"))
    slow = _incident(6, "SearchSlow: results take 1.9 s", "search", "discovery", 166, severity="medium")
    yield Event(166, slow)
    yield Event(149, replace(slow, state="resolved", ended_at=ago(149), updated_at=ago(149)))
    moved = "NodeDown: rack 7 is being moved"
    down = _incident(4, moved, "warehouse", "logistics", 95, state="suppressed")
    yield Event(95, replace(down, suppressed_by="sven", suppressed_until=NOW + timedelta(hours=2)))


# -- builds


def _build(n: int, title: str, service: str, team: str, state: str, minutes: float, **more: Any) -> Iterator[Event]:
    """Done so many minutes ago, or begun then."""
    took = more.pop("took", 4)
    known: dict[str, Any] = {"source": "github", "branch": "main", "pipeline": "CI", "actor": "priya", **more}
    made = Build(
        key=f"{known['source']}:build:{n}",
        title=title,
        state=state,  # type: ignore[arg-type]
        services=(service,),
        team=team,
        repository=f"acme/{service}",
        default_branch="main",
        run_number=n,
        revision=f"{n * 0x9E3779B1 % 0xFFFFFFFF:08x}{n:032x}",
        started_at=ago(minutes),
        updated_at=ago(minutes),
        url=f"https://{known['source']}.example/acme/{service}/{n}",
        **known,
    )
    if state in ("running", "queued"):
        yield Event(minutes, made)
        return
    since = ago(minutes + took)
    yield Event(minutes + took, replace(made, state="running", started_at=since, updated_at=since, reason=""))
    yield Event(minutes, replace(made, started_at=since, ended_at=ago(minutes)))


def firmware() -> Iterator[Event]:
    by = {"source": "jenkins", "pipeline": "firmware", "actor": "sven", "took": 9}
    yield from _build(88, "Label printers feed slower when cold", "warehouse", "logistics", "success", 1_000, **by)
    yield from _build(89, "Print labels twice on request", "warehouse", "logistics", "success", 41, **by)


def builds() -> Iterator[Event]:
    earlier = (
        (711, "Ask the bank once", "success", 1_310, "leila", 4),
        (716, "Log what the bank says", "success", 1_190, "bruno", 4),
        (722, "Round up cents", "failed", 1_120, "priya", 3),
        (724, "Round cents as the bank does", "success", 1_090, "priya", 4),
        (731, "Currency beside each sum", "success", 290, "leila", 5),
        (738, "Time-outs are no refusals", "success", 180, "bruno", 5),
        (744, "Retry payments that time out", "failed", 38, "priya", 3),
    )
    for n, title, state, minutes, actor, took in earlier:
        yield from _build(n, title, "payments", "payments", state, minutes, actor=actor, took=took)
    retry = {"reason": "2 of 14 jobs: lint, test", "took": 4}
    yield from _build(752, "Retry payments only once", "payments", "payments", "failed", 12, **retry)
    yield from _build(749, "VAT by line, not by order", "checkout", "payments", "success", 16, actor="jonas")
    yield from _build(756, "Revert: VAT by line, not by order", "checkout", "payments", "running", 1, actor="mira")
    yield from _build(755, "Index the new categories", "search", "discovery", "running", 2, actor="oyelaran")
    yield from _build(757, "Größe der Vorschaubilder", "web", "storefront", "queued", 0.5, actor="dafne")
    yield from _build(753, "Carts open without images", "cart", "payments", "success", 9, actor="bruno")
    sort = {"branch": "", "change": "421"}
    yield from _build(747, "Sort Łódź and Århus where they belong", "search", "discovery", "failed", 26, **sort)
    nightly = {"pipeline": "nightly", "actor": "schedule", "took": 31}
    yield from _build(736, "Nightly", "ledger", "payments", "success", 220, **nightly)
    yield from _build(734, "Docs: how to rotate the signing key", "accounts", "identity", "success", 260, actor="leila")
    address = {"pipeline": "e2e", "actor": "leila"}
    yield from _build(730, "Remember the last delivery address", "accounts", "identity", "cancelled", 300, **address)


# -- releases


def releases() -> Iterator[Event]:
    def release(n: int, service: str, team: str, version: str, state: str, minutes: float, **more: Any) -> Release:
        known: dict[str, Any] = {"environment": "production", "actor": "jonas"}
        return Release(
            key=f"deploys:release:{n}",
            source="deploys",
            title=f"{service} {version}",
            state=state,  # type: ignore[arg-type]
            version=version,
            services=(service,),
            team=team,
            started_at=ago(minutes),
            updated_at=ago(minutes),
            url=f"https://deploys.example/{n}",
            **{**known, **more},
        )

    def done(n: int, service: str, team: str, version: str, minutes: float, **more: Any) -> Iterator[Event]:
        after = release(n, service, team, version, "success", minutes, ended_at=ago(minutes - 1), **more)
        yield Event(minutes, replace(after, state="running", ended_at=None))
        yield Event(minutes - 1, replace(after, updated_at=ago(minutes - 1)))

    staging = {"environment": "staging"}
    yield from done(80, "checkout", "payments", "v3.31.0", 1_180)
    yield from done(91, "checkout", "payments", "v3.32.0", 14, **staging)
    yield from done(92, "checkout", "payments", "v3.32.0", 10, previous_version="v3.31.0")
    yield from done(86, "cart", "payments", "v2.17.2", 205)
    yield from done(93, "cart", "payments", "v2.17.3", 7, **staging)
    yield from done(81, "search", "discovery", "v1.29.4", 1_020)
    yield from done(90, "search", "discovery", "v1.29.5", 25, **staging)
    yield Event(1, release(94, "search", "discovery", "v1.29.5", "running", 1, actor="oyelaran"))
    yield from done(87, "ledger", "payments", "v5.2.0", 190)
    yield from done(85, "ledger", "payments", "v5.2.0", 230, **staging)
    yield from done(83, "web", "storefront", "v8.0.0", 700)
    yield from done(84, "web", "storefront", "v8.0.1", 262, actor="dafne", **staging)
    yield from done(82, "warehouse", "logistics", "v4.13.1", 400)
    yield from done(88, "warehouse", "logistics", "v4.13.1", 420, **staging)


# -- tickets


def tickets() -> Iterator[Event]:
    def ticket(n: int, title: str, service: str, minutes: float, **more: Any) -> Event:
        known: dict[str, Any] = {"state": "open", "priority": "normal"}
        made = Ticket(
            key=f"tracker:ticket:{n}",
            source="tracker",
            title=title,
            ticket_id=f"#{n}",
            services=(service,),
            started_at=ago(minutes),
            updated_at=ago(minutes),
            url=f"https://tracker.example/{n}",
            **{**known, **more},
        )
        return Event(minutes, made)

    yield ticket(619, "Checkout fails with a saved card", "checkout", 3, priority="urgent", assignee="mira")
    yield ticket(606, "Push notifications come twice after a time-out", "notifications", 40, state="in_progress")
    yield ticket(605, "Export stops after 10,000 rows", "ledger", 130, assignee="aiko")
    yield ticket(598, "Prices show three decimals in Tunisia", "web", 500)
    yield ticket(577, "Address form loses [unit] and <floor>", "accounts", 2_000, assignee="leila")
