"""What was told of owners that are gone is withdrawn, once, and by whole answers only."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from sources._shared.owners import Owners
from statusboard.errors import BadAnswer
from statusboard.model import Part

PART = Part(scope="releases", kind="release", reach="window", started_at=datetime(2026, 1, 2, tzinfo=UTC))


def test_what_an_owner_had_goes_with_it_once() -> None:
    owners = Owners()
    assert owners.part(PART, {"k1": "shop", "k2": "shop", "k3": "till"}, {"shop", "till"}) is PART
    assert owners.part(PART, {"k4": "shop", "k3": "till"}, {"shop", "till"}) is PART  # k1 and k2 are only older
    part = owners.part(PART, {"k3": "till"}, {"till"})
    assert (part.reach, part.retire_only) == ("complete", frozenset({"k4"}))
    assert owners.part(PART, {"k3": "till"}, {"till"}) is PART


def test_an_answer_with_a_fault_proves_nothing() -> None:
    owners = Owners()
    owners.part(PART, {"k1": "shop"}, {"shop"})
    faulty = msgspec.structs.replace(PART, error=BadAnswer("half of it"))
    assert owners.part(faulty, {}, set()) is faulty
    assert owners.part(PART, {}, set()).retire_only == frozenset({"k1"})


def test_what_is_still_told_stays() -> None:
    owners = Owners()
    owners.part(PART, {"k1": "shop"}, {"shop"})
    assert owners.part(PART, {"k1": "store"}, {"store"}) is PART  # it was renamed
