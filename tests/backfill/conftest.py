"""A clock that stands still, and stores that go by it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from statusboard.clock import FakeClock
from statusboard.store.base import Store
from statusboard.store.memory import MemoryStore
from statusboard.store.sqlite import SQLiteStore
from tests.backfill.kit import NOW


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: Any, clock: FakeClock, tmp_path: Any) -> AsyncIterator[Store]:
    store: Store = (
        MemoryStore(clock=clock) if request.param == "memory" else SQLiteStore(tmp_path / "b.db", clock=clock)
    )
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def memory(clock: FakeClock) -> AsyncIterator[MemoryStore]:
    store = MemoryStore(clock=clock)
    await store.open()
    yield store
    await store.close()
