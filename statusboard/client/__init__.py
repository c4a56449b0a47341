"""The HTTP client of all sources: conditional requests, paging, quotas, a fair queue, caps, and typed errors.

    pool = ClientPool()                                     one a process
    client = pool.for_source(source, source.options, keychain, validators)
    async for part in source.stream(client.factory): ...    each scope is read with an `Http` of its own
    client.commit(part.validators)                          once the part's changes are stored
    await pool.aclose()

Credentials go to the origin of the source's ``url`` and to those of `Source.origins` only, however a URL was learned
(redirect, ``Link``, body), and never from https to http.  Every fault is a `statusboard.errors.SourceError`; none of
the library's own exceptions escapes or is chained, since those hold requests and so headers.
"""

from statusboard.client import _library  # noqa: F401 - before anything imports httpx
from statusboard.client._budget import Budget
from statusboard.client._double import mock
from statusboard.client._exchange import MAX_REDIRECTS, WHOLE_REQUEST
from statusboard.client._pool import ClientPool
from statusboard.client._queue import OUTSIDE, PATIENCE, FairQueue
from statusboard.client._reading import MAX_BYTES
from statusboard.client._shared import KEEP_ALIVE
from statusboard.client._source import MAX_PAGES, ScopedHttp, SourceClient
from statusboard.client._urls import next_link
from statusboard.client._validators import ValidatorCache

__all__ = [
    "KEEP_ALIVE",
    "MAX_BYTES",
    "MAX_PAGES",
    "MAX_REDIRECTS",
    "OUTSIDE",
    "PATIENCE",
    "WHOLE_REQUEST",
    "Budget",
    "ClientPool",
    "FairQueue",
    "ScopedHttp",
    "SourceClient",
    "ValidatorCache",
    "mock",
    "next_link",
]
