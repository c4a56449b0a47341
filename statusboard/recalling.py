"""The finds of suspects that a store keeps for the metrics, so that not each process has to find them all again."""

from __future__ import annotations

import functools
import logging
from collections.abc import Collection, Mapping
from datetime import datetime
from hashlib import blake2b
from importlib.abc import InspectLoader
from types import ModuleType
from typing import Final, Protocol

import msgspec

from statusboard import broken, model, relations, rollouts, suspects, weights
from statusboard.errors import StoreError
from statusboard.metrics import finds
from statusboard.metrics.finds import DAY, Finds

log = logging.getLogger(__name__)

WHAT: Final = "suspects"
#: Also how facts are read: a word's number stands for what it says, as this program reads it.
_DECIDING: Final = (broken, finds, model, relations, rollouts, suspects, weights)
_OVER: Final = 2
"""Days after which a day's facts are seldom told otherwise."""
_OLDEST: Final = 450
"""Days after which nobody asks for a day any more: the facts themselves are kept for 400."""
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Finds)


class Keeping(Protocol):
    """What is used of a `statusboard.store.base.Store`."""

    async def kept(self, what: str) -> dict[str, bytes]: ...
    async def keep(self, what: str, parts: Mapping[str, bytes | None]) -> None: ...


async def recalled(store: Keeping) -> dict[int, Finds]:
    """The finds that are kept, by day; none of a day whose cannot be read.  Raises `StoreError`."""
    found = {}
    for part, value in (await store.kept(WHAT)).items():
        day = int(part)
        try:
            found[day] = _DECODER.decode(value)
        except msgspec.MsgspecError:
            log.warning("the suspects that were found for day %d cannot be read, and are found anew", day)
            found[day] = Finds(b"", [])
    return found


async def keep(store: Keeping, anew: Mapping[int, Finds], known: Collection[int], now: datetime) -> None:
    """Keep the finds of the days that are over, and of those that are ``known`` let go of the oldest."""
    today = int(now.timestamp() // DAY)
    parts: dict[str, bytes | None] = {str(day): None for day in known if day < today - _OLDEST}
    parts |= {str(day): _ENCODER.encode(found) for day, found in anew.items() if day <= today - _OVER}
    if not parts:
        return
    try:
        await store.keep(WHAT, parts)
    except StoreError as error:
        log.info("the suspects that were found are not kept, and will be found again: %s", error)


@functools.cache
def rules() -> bytes:
    """Stands for all code that decides on suspects; ``b""`` where its source is not at hand to be compared."""
    digest = blake2b(digest_size=16)
    for module in _DECIDING:
        source = _source(module)
        if source is None:
            return b""
        digest.update(source.encode())
    return digest.digest()


def _source(module: ModuleType) -> str | None:
    loader = module.__loader__
    try:
        return loader.get_source(module.__name__) if isinstance(loader, InspectLoader) else None
    except ImportError:  # as it says of a file that is gone
        return None
