"""Nine weeks of the made-up company's releases and incidents, and the goals of its teams: for delivery metrics."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from typing import Final

from statusboard.catalog import Catalog
from statusboard.diff import draft
from statusboard.engine import Engine
from statusboard.measuring import Knowledge, Measure
from statusboard.metrics import goals_of
from statusboard.model import Incident, Item, Release
from statusboard.screens.settings import Settings
from statusboard.store.base import Backfilled, Batch
from tests.pictures.company import NOW

DAYS: Final = 63
WATCHED: Final = timedelta(days=70)
GOALS: Final = {
    "payments": {"change_fail_rate": "<= 15%", "deployment_frequency": ">= 1/day", "recovery_time": "<= 1h"},
    "discovery": {"change_fail_rate": "<= 20%", "lead_time": "<= 2d"},
    "logistics": {"deployment_frequency": ">= 2/week"},
}
#: Service, its team, how many days lie between two releases, after every how many of them something broke (0: never).
_SERVICES: Final = (
    ("cart", "payments", 1, 11),
    ("checkout", "payments", 2, 5),
    ("ledger", "payments", 4, 0),
    ("search", "discovery", 3, 6),
    ("warehouse", "logistics", 5, 0),
)


class Aiming(Settings, frozen=True, kw_only=True):
    """Settings of a config with these goals."""

    def measure(self, store: Knowledge, zone: tzinfo) -> Measure:
        """As configured."""
        return Measure(store, Catalog(), goals=goals_of(GOALS), zone=zone)


def aiming(settings: Settings) -> Aiming:
    """The same settings, with the goals."""
    return Aiming(**{name: getattr(settings, name) for name in settings.__struct_fields__})


async def remember_weeks(engine: Engine) -> None:
    """Have all of it in the store, as backfill brings it: nothing on the board changes."""
    drafts = tuple(draft(None, item, part=item.kind, origin="backfill") for item in _items())
    done = tuple(
        Backfilled(source=source, part=part, until=NOW, since=NOW - WATCHED, done=True)
        for source, part in (("deploys", "release"), ("alerts", "incident"))
    )
    await engine.store.append(Batch(observed_at=NOW, drafts=drafts, backfilled=done), engine._lease)


def _items() -> Iterator[Item]:
    number = 10_000
    for service, team, every, breaks in _SERVICES:
        for count in range(DAYS // every):
            number += 1
            out = NOW - timedelta(days=DAYS - count * every - 1, hours=number % 7)
            yield _release(number, service, team, f"v1.{count}.0", out)
            if breaks and count % breaks == breaks - 1:
                yield _incident(number, service, team, out + timedelta(minutes=4 + number % 23), 20 + number * 7 % 90)


def _release(number: int, service: str, team: str, version: str, out: datetime) -> Release:
    return Release(
        key=f"deploys:release:{number}",
        source="deploys",
        title=f"{service} {version}",
        state="success",
        version=version,
        services=(service,),
        team=team,
        environment="production",
        actor="jonas",
        started_at=out - timedelta(minutes=3),
        ended_at=out,
    )


def _incident(number: int, service: str, team: str, began: datetime, minutes: float) -> Incident:
    return Incident(
        key=f"alerts:incident:{number}",
        source="alerts",
        title=f"ErrorRateHigh: {service} fails",
        state="resolved",
        severity="high",
        services=(service,),
        team=team,
        environment="production",
        started_at=began,
        ended_at=began + timedelta(minutes=minutes),
    )
