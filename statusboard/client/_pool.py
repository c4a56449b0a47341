"""The one object that a process makes: it hands out the clients of its sources."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

import httpx

from statusboard.client._queue import PATIENCE
from statusboard.client._reading import MAX_BYTES
from statusboard.client._shared import Shared
from statusboard.client._source import SourceClient
from statusboard.client._validators import ValidatorCache
from statusboard.clock import Clock, SystemClock
from statusboard.credentials import Keychain
from statusboard.model import Validator
from statusboard.source import Source, SourceOptions


class ClientPool:
    """Connections, queues and quotas for all sources of this process.  Close it with `aclose` or ``async with``.

    ``transport`` stands in for the network: a ``httpx.MockTransport`` in tests.  ``trust_env`` lets the environment's
    proxies apply (never its netrc).  ``patience`` is in seconds, ``max_bytes`` caps one answer.  ``salt`` makes the
    validators of one run good for the next (see `statusboard.credentials.load_salt`).
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        trust_env: bool = True,
        patience: float = PATIENCE,
        max_bytes: int = MAX_BYTES,
        salt: bytes | None = None,
    ) -> None:
        self._shared = Shared(
            clock or SystemClock(),
            transport=transport,
            trust_env=trust_env,
            patience=patience,
            max_bytes=max_bytes,
            salt=salt or secrets.token_bytes(32),
        )
        # Their debug lines hold headers.
        for name in ("httpx", "httpcore"):
            logger = logging.getLogger(name)
            logger.setLevel(max(logger.level, logging.WARNING))

    @property
    def lanes(self) -> int:
        """How many queues there are: one for each origin and credential in use."""
        return self._shared.lanes

    def for_source(
        self,
        source: Source[Any],
        options: SourceOptions | None = None,
        keychain: Keychain | None = None,
        validators: ValidatorCache | Iterable[Validator] = (),
    ) -> SourceClient:
        """The client of one source.  ``validators`` are those that the store has for it."""
        cache = validators if isinstance(validators, ValidatorCache) else ValidatorCache(validators)
        return SourceClient(self._shared, source, options or source.options, keychain or Keychain(), cache)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._shared.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
