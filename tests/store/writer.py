"""A process that writes until it is told to stop, or is killed: ``python -m tests.store.writer PATH NAME BATCHES``.

Each batch changes some keys and removes others; its last number is printed as soon as it is stored.
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

from statusboard.clock import SystemClock
from statusboard.store.base import Batch
from statusboard.store.sqlite import SQLiteStore
from tests.store.kit import draft


async def main(path: Path, name: str, batches: int) -> None:
    """Write so many batches; 0 for no end."""
    store = SQLiteStore(path)
    await store.open()
    chance = random.Random(name)
    count = 0
    while count < batches or not batches:
        count += 1
        drafts = [
            draft(chance.randrange(300), None if chance.random() < 0.2 else f"{name} {count} {i}".encode() + b"." * 400)
            for i in range(chance.choice((1, 5, 60)))
        ]
        changes = await store.append(Batch(observed_at=SystemClock().now(), drafts=tuple(drafts)))
        print(changes[-1].seq, flush=True)
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
