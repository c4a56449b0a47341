"""The stores that the contract is tested on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from statusboard.clock import FakeClock
from statusboard.store.base import Store
from statusboard.store.memory import MemoryStore
from statusboard.store.sqlite import SQLiteStore


@pytest.fixture
def clock() -> FakeClock:
    """The clock of `store`."""
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a database may be made; its folder does not exist yet."""
    return tmp_path / "data" / "board.db"


@pytest.fixture(params=["sqlite", "memory"])
async def store(request: pytest.FixtureRequest, path: Path, clock: FakeClock) -> AsyncIterator[Store]:
    """An open, empty store of each sort."""
    made: Store = SQLiteStore(path, clock=clock) if request.param == "sqlite" else MemoryStore(clock=clock)
    await made.open()
    yield made
    await made.close()
