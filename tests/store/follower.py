"""A process of another user: ``python -m tests.store.follower PATH USER follow|open|write``, started by root.

It loads everything while it may, gives up its rights, and then tries.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from statusboard.errors import StoreUnusable
from statusboard.store.sqlite import SQLiteStore
from tests.store.kit import read_all


async def main(path: Path, what: str) -> None:
    """Print what came of it, a line at a time."""
    store = SQLiteStore(path, read_only=what != "write")
    try:
        await store.open()
        picture = await store.snapshot()
        print("rows", len(picture.rows), flush=True)
        if what == "follow":
            for change in await read_all(store, picture.seq + 1, after=picture.seq):
                print("change", change.seq, flush=True)
            print("lease", await store.lease("poll", "nobody"), flush=True)
            await store.request_poll()
        await store.close()
    except StoreUnusable as error:
        print("unusable", error.reason, flush=True)


if __name__ == "__main__":
    user = int(sys.argv[2])
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    asyncio.run(main(Path(sys.argv[1]), sys.argv[3]))
