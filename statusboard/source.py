"""The contract between the board and a source.

A source reads one vendor and knows nothing of boards.  It names its `Scope`s (a repository and kind, a query, a file),
and reads one at a time; the framework reads them side by side, sets a time limit on each, and turns whatever one of
them raises into a failed part that harms no other:

    class Pager(Source[PagerOptions]):
        type = "pager"
        kinds = frozenset({"incident"})
        Options = PagerOptions

        async def read(self, scope: Scope, http: Http) -> Part:
            reply = await http.get("/incidents", conditional=True)
            return scope.part(self.incident(x) for x in reply.decode(list[PagerIncident]))
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from statusboard.clock import Clock, Duration
from statusboard.errors import NotFound, SourceBug, SourceError, Timeout
from statusboard.model import Item, ItemKind, Kind, Part, Reach, Snapshot, Validator, key_of

T = TypeVar("T")


class TLSOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``tls:`` of a source: a private certificate authority, a client certificate, or no verification at all."""

    ca: str = ""
    cert: str = ""
    key: str = ""
    verify: bool = True


class TLSData(Struct, frozen=True, kw_only=True):
    """`TLSOptions` as text in PEM form in place of paths, for sources that find it elsewhere (`Source.tls`)."""

    ca: str = ""
    cert: str = ""
    key: str = ""
    verify: bool = True

    def __repr__(self) -> str:
        return "TLSData(***)"

    __str__ = __repr__

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []


class SourceOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options every source takes.  A source adds its own by subclassing; field docs come from `option`.

    ``token``, ``username``, ``password`` and the values of ``headers`` that look like credentials are references
    (``env:``, ``file:``, ``keyring:``), never secrets.
    """

    type: str
    name: str
    url: str = ""
    token: str = ""
    username: str = ""
    password: str = ""
    interval: Duration | None = None
    timeout: Duration = Duration(10)
    kinds: tuple[ItemKind, ...] = ()
    service: str = ""
    team: str = ""
    environment: str = ""
    optional: bool = False
    tls: TLSOptions = TLSOptions()
    headers: dict[str, str] = {}

    def asked(self, able: frozenset[ItemKind]) -> frozenset[ItemKind]:
        """What is read with these options, of the kinds that the source is able to read.

        By default ``kinds:``, else all of them.  Options that say otherwise what is read override this: where a lane
        names who is not read, only those count that could fill it.
        """
        return frozenset(self.kinds) or able


OptionsType: TypeAlias = type[SourceOptions]


class Credentials(Struct, frozen=True, kw_only=True):
    """The resolved secrets of one source, in clear, for `Source.sign` and `Source.sign_request` alone."""

    token: str = ""
    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return "Credentials(***)"

    __str__ = __repr__

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []


class NotModified(Exception):
    """The server says that nothing changed since the validators we sent.  The framework handles it."""


class Reply(Protocol):
    """One answer, already read within the caps, with a 2xx status."""

    status: int
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def next_url(self) -> str:
        """The ``rel="next"`` of a ``Link`` header, absolute, or ``""``."""

    def decode(self, type: type[T]) -> T:
        """The JSON body as ``type`` (lenient: unknown fields are ignored).  `BadAnswer` says which field is off."""

    def json(self) -> Any:
        """The JSON body as plain Python.  `BadAnswer` where it is not JSON."""


class Http(Protocol):
    """What a source asks the network with.  Paths are relative to the source's ``url``; every fault is a `SourceError`.

    The client signs requests to the source's own origins, holds the caps, the queue and the budget, and follows no
    redirect that would carry credentials elsewhere.
    """

    async def get(
        self,
        url: str,
        *,
        params: Mapping[str, str | int | Sequence[str]] | None = None,
        headers: Mapping[str, str] | None = None,
        conditional: bool = False,
    ) -> Reply:
        """GET.  ``conditional`` sends the stored validators and raises `NotModified` on a 304."""

    async def post(self, url: str, *, json: object = None, headers: Mapping[str, str] | None = None) -> Reply:
        """POST a JSON body (for vendors whose reads are POSTs, such as GraphQL)."""

    def pages(
        self,
        url: str,
        *,
        params: Mapping[str, str | int | Sequence[str]] | None = None,
        headers: Mapping[str, str] | None = None,
        conditional: bool = False,
        limit: int = 10,
    ) -> AsyncIterator[Reply]:
        """GET and follow ``Link: rel=next``; more than ``limit`` pages or a loop raise `TooLarge`/`BadAnswer`."""

    @property
    def validators(self) -> tuple[Validator, ...]:
        """The validators that the answers so far gave, for the part being read."""


class Scope(Struct, frozen=True, kw_only=True):
    """One thing a source reads by itself: its ``name`` is shown to people (``acme/checkout builds``) and stored."""

    name: str
    kind: ItemKind
    reach: Reach
    data: Any = None
    started_at: datetime | None = None

    def part(
        self,
        items: Iterable[Item],
        *,
        reach: Reach | None = None,
        retire_only: frozenset[str] | None = None,
        beats: Iterable[str] = (),
        notes: Iterable[str] = (),
    ) -> Part:
        """What was read, as a `Part`; of items with the same key the first counts, as on pages that overlap."""
        assert self.started_at is not None, "the framework sets started_at before it calls read"
        return Part(
            scope=self.name,
            kind=self.kind,
            reach=reach or self.reach,
            started_at=self.started_at,
            items=_told_apart(items),
            retire_only=retire_only,
            beats=frozenset(beats),
            notes=tuple(notes),
        )


def _told_apart(items: Iterable[Item]) -> tuple[Item, ...]:
    kept: dict[object, Item] = {}
    for item in items:
        # What a source really gave may be anything at all; ingest says what is wrong with it.
        kept.setdefault(getattr(item, "key", None) or id(item), item)
    return tuple(kept.values())


class Past(Struct, frozen=True, kw_only=True):
    """One page of what a scope held before, as `Source.history` reads it; pages run from the newest to the oldest.

    ``items``    what happened, as it stands now; an incident may come once for each of its episodes
    ``older``    where the next page begins, in words of the source's own, ``""`` where nothing older is left, as far
                 back as was asked for.  It is stored, and may be given back days later, when there is more in front
    ``reached``  back to which moment the scope is read with this page; None where the vendor's order does not tell
    ``share``    how much of the whole is read with this page (0 to 1), where ``reached`` cannot tell yet
    ``error``    why some rows of the page are missing; the pages behind it are read all the same
    ``notes``    what else a person should know
    """

    items: tuple[Item, ...] = ()
    older: str = ""
    reached: datetime | None = None
    share: float = 0.0
    error: SourceError | None = None
    notes: tuple[str, ...] = ()


class Context(Struct, frozen=True, kw_only=True):
    """What the board gives every source."""

    name: str
    clock: Clock
    log: logging.Logger


class HttpFactory(Protocol):
    """Makes the `Http` that one scope is read with."""

    def __call__(self, scope: str) -> Http: ...


O = TypeVar("O", bound=SourceOptions)  # noqa: E741 - the options' own letter, as in docs/plugins


class Source(Generic[O]):
    """One configured source.  Subclass it, set the class attributes, write `read` (and `scopes` where there are many).

    ``type``            the word in the config and in the entry point
    ``kinds``           what it can read
    ``Options``         a frozen msgspec struct, subclass of `SourceOptions`
    ``summary``         one line for ``statusboard sources``
    ``version``         raise it when the meaning of keys or items changes: stored validators are void then
    ``default_url``     the vendor's documented base, or "" where there is none
    ``default_interval``seconds
    ``concurrency``     requests at once per origin and credential
    ``scopes_needed``   the least privileges a credential needs, for the docs
    ``requests``        how many requests a quiet poll makes, and for each of what: ``(1, "repository and kind")``
    ``example``         its options in a working configuration, as YAML without ``type`` and ``name``
    ``setup``           where a person makes the credential and what else they should know; Markdown, for the docs
    ``verified``        what its reading was tried against: the vendor's ``real`` server, answers ``recorded`` from one,
                        or only a server that answers as ``documented``
    ``history_kinds``   the kinds whose past `history` can read; without that method none
    ``no_history``      why the past of the other kinds cannot be had, or not in full: a sentence without a stop
    """

    type: ClassVar[str]
    kinds: ClassVar[frozenset[ItemKind]]
    Options: ClassVar[OptionsType] = SourceOptions
    summary: ClassVar[str] = ""
    version: ClassVar[int] = 1
    default_url: ClassVar[str] = ""
    default_interval: ClassVar[float] = 30.0
    concurrency: ClassVar[int] = 4
    scopes_needed: ClassVar[str] = ""
    requests: ClassVar[tuple[int, str]] = (1, "source")
    example: ClassVar[str] = ""
    setup: ClassVar[str] = ""
    verified: ClassVar[Literal["real", "recorded", "documented", ""]] = ""
    needs_url: ClassVar[bool] = True
    history_kinds: ClassVar[frozenset[ItemKind]] = frozenset()
    no_history: ClassVar[str] = ""

    def __init__(self, options: O, context: Context) -> None:
        self.options: O = options
        self.context = context
        self.name = context.name
        self.clock = context.clock
        self.log = context.log

    # -- what a source writes ------------------------------------------------------------------------------------

    async def scopes(self, http: Http) -> Sequence[Scope]:
        """What to read.  By default one scope, named as the type, that is the whole of its only kind."""
        (kind,) = self.kinds
        return [Scope(name=self.type, kind=kind, reach="complete")]

    async def read(self, scope: Scope, http: Http) -> Part:
        """Read one scope.  Raise any `SourceError`; whatever else escapes is shown as this source's own fault."""
        raise NotImplementedError

    async def lookup(self, kind: ItemKind, remote_id: str, http: Http) -> Item | None:
        """Read one unfinished item that fell out of its window.  ``None`` or `NotFound`: it is no longer there.

        Left as it is, such items become ``unknown``.
        """
        raise LookupUnsupported

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        """Read one page of what the scope held before, for ``statusboard backfill``: the newest, or that at ``cursor``.

        ``cursor`` is the ``older`` of the page before.  ``since`` is how far back anybody wants to know: what is older
        need not be asked for, and does no harm.  Asked for the scopes whose kind is among ``history_kinds``.  Raises
        any `SourceError`, or `HistoryUnsupported` where this one scope has no past.
        """
        raise HistoryUnsupported(self.no_history)

    def sign(self, credentials: Credentials) -> Mapping[str, str]:
        """The headers that carry the credentials.  By default a bearer token, else basic authentication."""
        if credentials.token:
            return {"Authorization": f"Bearer {credentials.token}"}
        if credentials.username or credentials.password:
            return {"Authorization": basic(credentials.username, credentials.password)}
        return {}

    async def sign_request(
        self, credentials: Credentials, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Mapping[str, str]:
        """Headers that sign this one request, for vendors whose signature covers it or whose tokens live for minutes.

        Asked for when the request is about to be sent to one of the source's own origins, and for nothing else;
        ``headers`` (names in lower case) are what it is sent with so far, ``Host`` apart.  `sign` is asked again after
        the vendor has refused a credential: whatever was remembered here is to be forgotten there.
        """
        return {}

    def fault(self, reply: Reply, error: SourceError) -> SourceError:
        """The error for an answer that is not 2xx; ``error`` is what its status says.

        For vendors whose status says too little: a 400 may mean that they ask us to come back later.  At most the first
        64 kB of the body are there.
        """
        return error

    def base_url(self) -> str:
        """The URL that paths are below.  Asked for at the first request, once; ``""`` where there is none."""
        return self.options.url or self.default_url

    def tls(self) -> TLSOptions | TLSData:
        """Whom to trust, and as whom to connect, at the source's own origins.  Asked for at each request."""
        return self.options.tls

    def request_headers(self) -> Mapping[str, str]:
        """Headers of every request (``Accept`` and the like); no secrets."""
        return {"Accept": "application/json"}

    def expected_beats(self) -> frozenset[str]:
        """Heartbeats that must be in every answer, from the options (``expect: Watchdog``)."""
        return frozenset()

    def origins(self) -> tuple[str, ...]:
        """Further origins (``https://host[:port]``) that credentials may go to, beside that of ``url``."""
        return ()

    @classmethod
    def ambient(cls, options: O) -> str:
        """What these options use of this machine's own credentials without naming them (``your kubeconfig``), or "".

        An included file may not: it is somebody else's, and would act with the rights of whoever runs the board.
        """
        return ""

    # -- what a source may use -----------------------------------------------------------------------------------

    def key(self, kind: Kind, remote_id: object) -> str:
        """The key of a remote thing of this source."""
        return key_of(self.name, kind, remote_id)

    def wants(self, kind: ItemKind) -> bool:
        """Whether the options ask for this kind: ``kinds:`` in the config, or its absence."""
        return kind in self.options.asked(self.kinds)

    # -- what the framework does ---------------------------------------------------------------------------------

    async def stream(
        self, http: HttpFactory, *, timeout: float = 60.0, held: Mapping[str, SourceError] = MappingProxyType({})
    ) -> AsyncGenerator[Part, None]:
        """Read every scope side by side and yield each part as it comes; a failed one carries its error.

        ``timeout`` is the limit of one part, in seconds.  ``held`` names scopes that are not to be asked just now:
        their parts come with these errors.  Raises the `SourceError` that `scopes` raises: then nothing was read.
        """
        scopes: list[Scope] = []
        part: Part | None = None
        try:
            async with asyncio.timeout(timeout):
                scopes = await _scopes_of(self, http(""))
                if len(scopes) == 1:  # one limit does for both
                    part = await _part_of(self, scopes[0], http, held)
        except TimeoutError:
            if not scopes:
                raise Timeout(f"what to read was not known within {timeout:g} s") from None
            part = _late(scopes[0], self.clock.now(), timeout)
        if part is not None:
            yield part
            return
        tasks = [asyncio.create_task(_part_within(self, scope, http, timeout, held)) for scope in scopes]
        try:
            for done in asyncio.as_completed(tasks):
                yield await done
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def poll(self, http: HttpFactory, *, timeout: float = 60.0) -> Snapshot:
        """All parts at once, sorted by scope; what tests and ``check`` use."""
        parts = [part async for part in self.stream(http, timeout=timeout)]
        return Snapshot(source=self.name, parts=tuple(sorted(parts, key=lambda p: p.scope)))


# These are no methods: a plug-in may call its own whatever it likes.


async def _scopes_of(source: Source[Any], http: Http) -> list[Scope]:
    try:
        given: object = await contained(source, "scopes", lambda: source.scopes(http))
    except SourceError as exc:
        _explain(http, exc)
        raise
    if not isinstance(given, list | tuple) or not all(isinstance(scope, Scope) for scope in given):
        raise SourceBug(f"the {source.type} source failed: its scopes are none")
    scopes: dict[str, Scope] = {}
    for scope in given:
        if scopes.setdefault(scope.name, scope) != scope:  # each would retire what the other reads
            raise SourceBug(f"the {source.type} source failed: two scopes have the name {scope.name}")
    return list(scopes.values())


async def _part_within(
    source: Source[Any], scope: Scope, http: HttpFactory, timeout: float, held: Mapping[str, SourceError]
) -> Part:
    started_at = source.clock.now()
    try:
        async with asyncio.timeout(timeout):
            return await _part_of(source, scope, http, held)
    except TimeoutError:
        return _late(scope, started_at, timeout)


def _late(scope: Scope, started_at: datetime, timeout: float) -> Part:
    error = Timeout(f"not read within {timeout:g} s")
    return Part(scope=scope.name, kind=scope.kind, reach=scope.reach, started_at=started_at, error=error)


async def _part_of(source: Source[Any], scope: Scope, http: HttpFactory, held: Mapping[str, SourceError]) -> Part:
    started_at = source.clock.now()
    scope = msgspec.structs.replace(scope, started_at=started_at)
    error: SourceError | None = held.get(scope.name)
    try:
        if error is None:
            return await _read(source, scope, http(scope.name))
    except NotModified:
        return Part(scope=scope.name, kind=scope.kind, reach=scope.reach, started_at=started_at, unchanged=True)
    except SourceError as exc:
        error = exc
    return Part(scope=scope.name, kind=scope.kind, reach=scope.reach, started_at=started_at, error=error)


async def _read(source: Source[Any], scope: Scope, http: Http) -> Part:
    try:
        part: object = await contained(source, scope.name, lambda: source.read(scope, http), NotModified)
    except SourceError as exc:
        _explain(http, exc)
        raise
    if not isinstance(part, Part):
        raise SourceBug(f"the {source.type} source failed: what it read is no part")
    if isinstance(part.error, SourceError):
        _explain(http, part.error)
    # What was not read in full must not be vouched for by a 304 next time.
    validators = http.validators if part.error is None else ()
    return msgspec.structs.replace(part, scope=scope.name, validators=validators)


def _explain(http: Http, error: SourceError) -> None:
    """Have the client add what it can tell of the answer that an error came of; the doubles of tests tell nothing."""
    if (explain := getattr(http, "explain", None)) is not None:
        explain(error)


async def contained(source: Source[Any], what: str, work: Callable[[], Awaitable[T]], *signals: type[Exception]) -> T:
    """Await what a source does, which may raise anything at all (SystemExit too): it comes out as a `SourceError`.

    Only being cancelled by us, and the framework's own ``signals``, pass through.
    """
    passes: tuple[type[Exception], ...] = (SourceError, *signals)
    try:
        return await work()
    except passes:
        raise
    except TimeoutError as exc:
        raise Timeout(f"the {source.type} source got no answer in time") from exc
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        name = "CancelledError"
    except BaseException as exc:
        source.log.error("source %s: %s raised", source.name, what, exc_info=exc)
        name = type(exc).__name__
    raise SourceBug(f"the {source.type} source failed: {name}")


class LookupUnsupported(Exception):
    """This source cannot read one item by its id."""


class HistoryUnsupported(Exception):
    """What this scope held before cannot be had; the message says why, for a person to read."""


async def history_of(
    source: Source[Any], scope: Scope, http: Http, *, since: datetime, cursor: str, timeout: float = 60.0
) -> Past:
    """One page of a scope's past (`Source.history`), within ``timeout`` seconds.

    Raises `SourceError` or `HistoryUnsupported` and nothing else, whatever the source does.
    """
    scope = msgspec.structs.replace(scope, started_at=source.clock.now())
    try:
        async with asyncio.timeout(timeout):
            past: object = await contained(
                source,
                f"{scope.name} (history)",
                lambda: source.history(scope, http, since=since, cursor=cursor),
                HistoryUnsupported,
            )
    except TimeoutError:
        raise Timeout(f"a page of the past was not read within {timeout:g} s") from None
    except SourceError as exc:
        _explain(http, exc)
        raise
    if not isinstance(past, Past) or not isinstance(past.older, str):
        raise SourceBug(f"the {source.type} source failed: what it read is no page of the past")
    return past


async def scopes_of(source: Source[Any], http: Http, *, timeout: float = 60.0) -> list[Scope]:
    """What a source reads (`Source.scopes`), within ``timeout`` seconds.  Raises `SourceError` and nothing else."""
    try:
        async with asyncio.timeout(timeout):
            return await _scopes_of(source, http)
    except TimeoutError:
        raise Timeout(f"what to read was not known within {timeout:g} s") from None


def basic(username: str, password: str) -> str:
    """The value of an ``Authorization`` header for basic authentication (UTF-8, RFC 7617)."""
    import base64

    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")


def option(description: str, *, path: bool = False) -> msgspec.Meta:
    """The one-line description of an option, for ``Annotated[str, option("…")]``; shown in help, docs and schema.

    ``path`` marks a file: a relative one is meant from the folder of the config, and ``~`` is expanded.
    """
    return msgspec.Meta(description=description, extra={"path": True} if path else None)


__all__ = [
    "Context",
    "Credentials",
    "HistoryUnsupported",
    "Http",
    "HttpFactory",
    "LookupUnsupported",
    "NotFound",
    "NotModified",
    "Past",
    "Reply",
    "Scope",
    "Source",
    "SourceOptions",
    "TLSData",
    "TLSOptions",
    "basic",
    "history_of",
    "option",
    "scopes_of",
]
