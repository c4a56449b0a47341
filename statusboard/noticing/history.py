"""What a board that starts must know of the last half hour, from the store: a restart forgets no flood and no flips."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final

from statusboard.chatter import FLIPS_WITHIN, Chatter
from statusboard.current import slot_of
from statusboard.model import Change, Incident, decode
from statusboard.store.base import Store

PAGE: Final = 500
MOST: Final = 10_000
"""Changes read at most; more within half an hour are a flood anyway."""


async def recall(store: Store, chatter: Chatter, *, upto: int, now: datetime) -> None:
    """Tell ``chatter`` of the incidents in the store's changes of the last half hour, up to the change ``upto``.

    Builds and releases need none of it: their runs stand on the board.  Raises `StoreError`.
    """
    pages: list[list[Change]] = []
    before = upto + 1
    while len(pages) * PAGE < MOST:
        page = await store.past(before=before, since=now - FLIPS_WITHIN, limit=PAGE)
        pages.append([change for change in page if change.kind == "incident" and change.origin != "backfill"])
        if len(page) < PAGE:
            break
        before = page[-1].seq
    failing: dict[str, bool] = {}
    for page in reversed(pages):
        for change in reversed(page):
            _tell(change, failing, chatter)
        await asyncio.sleep(0)
    chatter.age(now)


def _tell(change: Change, failing: dict[str, bool], chatter: Chatter) -> None:
    if change.body is None:
        failing.pop(change.key, None)
        return
    fact = decode(change.body)
    slot = slot_of(fact)
    if not isinstance(fact, Incident) or slot is None or fact.state in ("unknown", "suppressed"):
        return
    now = fact.state in ("open", "acknowledged")
    # Of a key's first change within this time it is the type that says whether it was failing before.
    was = failing.get(change.key, change.type == "incident.resolved" or (now and change.type != "incident.detected"))
    failing[change.key] = now
    if now == was:
        return
    # What a source's first answer told of may have begun long ago.
    at = change.observed_at if change.time is None or fact.approximate else min(change.time, change.observed_at)
    chatter.flip(slot, at)
    if now:
        chatter.opened(slot, at)
