"""A made-up company on a made-up morning: the same board at every run."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from statusboard.model import Build, Incident, Item, Release, Ticket
from tests.app.stage import Told

NOW = datetime(2026, 3, 12, 9, 41, 7, tzinfo=UTC)


class StillClock:
    """A clock on which it is always the same moment, though waiting takes its time."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def sources() -> list[Told]:
    """All is read, and some of it is bad."""
    return [
        Told("alerts", "incident", incidents()),
        Told("github", "build", builds()),
        Told("deploys", "release", releases()),
        Told("tracker", "ticket", tickets()),
    ]


def incidents() -> list[Item]:
    def alert(n: int, title: str, service: str, team: str, minutes: float, **more: Any) -> Incident:
        known: dict[str, Any] = {"state": "open", "severity": "critical", "environment": "production"}
        return Incident(
            key=f"alerts:incident:{n}",
            source="alerts",
            title=title,
            services=(service,),
            team=team,
            started_at=ago(minutes),
            updated_at=ago(minutes),
            url=f"https://alerts.example/graph?alert={n}",
            links={"runbook": f"https://runbooks.example/{service}"},
            labels={"alertname": title.partition(":")[0], "region": "eu-central"},
            **{**known, **more},
        )

    return [
        alert(1, "ErrorRateHigh: 7.1 % of the checkouts fail", "checkout", "payments", 4),
        alert(2, "LatencyP99High: carts take 2.4 s to open", "cart", "payments", 3, severity="high"),
        alert(
            3,
            "CertificateExpiresSoon: 6 days left",
            "web",
            "storefront",
            300,
            severity="low",
            state="acknowledged",
            acknowledged_by="mira",
        ),
        alert(
            4,
            "NodeDown: rack 7 is being moved",
            "warehouse",
            "logistics",
            95,
            state="suppressed",
            suppressed_by="sven",
            suppressed_until=NOW + timedelta(hours=2),
        ),
        alert(5, "DiskFillingUp: full within 4 hours", "search", "discovery", 1, state="pending", severity="medium"),
    ]


def builds() -> list[Item]:
    def build(n: int, title: str, service: str, team: str, state: str, minutes: float, **more: Any) -> Build:
        known: dict[str, Any] = {"branch": "main", "pipeline": "CI", "actor": "priya", "run_number": 700 + n}
        return Build(
            key=f"github:build:{n}",
            source="github",
            title=title,
            state=state,  # type: ignore[arg-type]
            services=(service,),
            team=team,
            repository=f"acme/{service}",
            default_branch="main",
            started_at=ago(minutes),
            updated_at=ago(minutes),
            url=f"https://ci.example/acme/{service}/{n}",
            **{**known, **more},
        )

    return [
        build(
            1, "Retry payments that time out", "payments", "payments", "failed", 12, reason="2 of 14 jobs: lint, test"
        ),
        build(2, "Roll back to v3.31.0", "checkout", "payments", "running", 1, actor="mira"),
        build(3, "Index the new categories", "search", "discovery", "running", 2, actor="oyelaran"),
        build(4, "Größe der Vorschaubilder", "web", "storefront", "queued", 0.5, actor="dafne"),
        build(5, "Carts open without images", "cart", "payments", "success", 9, actor="bruno"),
        build(6, "Sort Łódź and Århus where they belong", "search", "discovery", "failed", 26, branch="", change="421"),
        build(7, "Print labels twice on request", "warehouse", "logistics", "success", 41, actor="sven"),
        build(8, "Nightly", "ledger", "payments", "success", 220, pipeline="nightly", actor="schedule"),
        build(9, "Docs: how to rotate the signing key", "accounts", "identity", "success", 260, actor="leila"),
        build(10, "Remember the last delivery address", "accounts", "identity", "cancelled", 300, pipeline="e2e"),
    ]


def releases() -> list[Item]:
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

    return [
        release(1, "checkout", "payments", "v3.31.0", "running", 1, actor="mira", previous_version="v3.32.0"),
        release(2, "cart", "payments", "v2.17.2", "success", 8),
        release(3, "search", "discovery", "v1.29.5", "success", 25, environment="staging"),
        release(4, "ledger", "payments", "v5.2.0", "success", 190),
        release(5, "web", "storefront", "v8.0.1", "rolled_back", 260, actor="dafne"),
        release(6, "warehouse", "logistics", "v4.13.1", "success", 400),
    ]


def tickets() -> list[Item]:
    def ticket(n: int, title: str, service: str, minutes: float, **more: Any) -> Ticket:
        known: dict[str, Any] = {"state": "open", "priority": "normal"}
        return Ticket(
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

    return [
        ticket(619, "Checkout fails with a saved card", "checkout", 3, priority="urgent", assignee="mira"),
        ticket(606, "Push notifications come twice after a time-out", "notifications", 40, state="in_progress"),
        ticket(605, "Export stops after 10,000 rows", "ledger", 130, assignee="aiko"),
        ticket(598, "Prices show three decimals in Tunisia", "web", 500),
        ticket(577, "Address form loses [unit] and <floor>", "accounts", 2_000, assignee="leila"),
    ]
