"""The client over a pretended network, for the tests of sources and of the board."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import httpx

from statusboard.client._pool import ClientPool
from statusboard.client._source import SourceClient
from statusboard.client._validators import ValidatorCache
from statusboard.clock import Clock
from statusboard.credentials import Keychain
from statusboard.model import Validator
from statusboard.source import Source


def mock(
    source: Source[Any],
    handler: Callable[[httpx.Request], httpx.Response] | Callable[[httpx.Request], Awaitable[httpx.Response]],
    *,
    clock: Clock | None = None,
    environ: Mapping[str, str] | None = None,
    validators: ValidatorCache | Iterable[Validator] = (),
) -> SourceClient:
    """The real client of ``source``, with ``handler`` in place of the network and ``environ`` for ``env:`` references.

    client = mock(source, lambda request: httpx.Response(200, json=[]))
    snapshot = await source.poll(client.factory)
    """
    transport = httpx.MockTransport(handler)  # type: ignore[arg-type]  # it takes either kind of handler
    pool = ClientPool(clock or source.clock, transport=transport)
    return pool.for_source(source, keychain=Keychain(environ=environ or {}), validators=validators)
