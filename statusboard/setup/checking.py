"""What ``check`` finds out: every source read once, side by side, into plain data.  Nothing is stored."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Literal

from msgspec import Struct

from statusboard.cleaning import scrub_any, unstorable
from statusboard.client import ClientPool, SourceClient
from statusboard.clock import Clock, SystemClock
from statusboard.config import Config
from statusboard.credentials import Keychain, is_reference
from statusboard.diff import sane
from statusboard.errors import AuthError, CredentialError, NotFound, RateLimited, SourceError, Timeout, TransportError
from statusboard.health import describe
from statusboard.model import Item, Part
from statusboard.source import Source, SourceOptions
from statusboard.wiring import SourceSetup, make_setups

#: The commonest rules that are proposed for what nobody owns.
MAX_HINTS = 10
#: From this difference of clocks on, ages on the board are visibly wrong (seconds).
CLOCK_OFF = 30.0


class CredentialFinding(Struct, frozen=True, kw_only=True):
    """One reference of a source: where it says the secret is, and what keeps it from being had (``""``: nothing)."""

    option: str
    reference: str
    error: str = ""


class PartFinding(Struct, frozen=True, kw_only=True):
    """One part of a source."""

    part: str
    kind: str
    items: int = 0
    error: str = ""
    notes: tuple[str, ...] = ()


class BudgetFinding(Struct, frozen=True, kw_only=True):
    """The vendor's quota, as far as its answers tell: requests left, of how many, and when it is full again."""

    left: int | None
    limit: int | None
    reset: datetime | None


class SourceFinding(Struct, frozen=True, kw_only=True):
    """One source.  ``seconds`` is how long it took; ``clock_offset`` is by how many seconds its clock is ahead.

    ``reachable`` is None where it was not asked at all, since a credential is missing.  ``hint`` is what a person
    should look at where the server refuses, and ``needs`` what the type's credential must be allowed to do; else "".
    """

    name: str
    type: str
    url: str
    verdict: Literal["ok", "partial", "failed"]
    reachable: bool | None
    error: str
    seconds: float
    interval: float
    credentials: tuple[CredentialFinding, ...]
    parts: tuple[PartFinding, ...]
    items: dict[str, int]
    left_out: tuple[str, ...]
    budget: BudgetFinding | None
    requests: int
    requests_per_hour: int
    clock_offset: float | None
    beats: tuple[str, ...]
    missing_beats: tuple[str, ...]
    hint: str = ""
    needs: str = ""


class Hint(Struct, frozen=True, kw_only=True):
    """A rule that would give unowned items an owner, and how many."""

    rule: str
    items: int


class Findings(Struct, frozen=True, kw_only=True):
    """All that was found.  ``unowned`` of ``items`` have neither a configured service nor a team."""

    schema: int = 1
    ok: bool
    config: str
    warnings: tuple[str, ...]
    sources: tuple[SourceFinding, ...]
    items: int
    unowned: int
    hints: tuple[Hint, ...]


async def check(
    config: Config,
    names: Collection[str] = (),
    *,
    timeout: float = 30.0,
    pool: ClientPool | None = None,
    keychain: Keychain | None = None,
    clock: Clock | None = None,
) -> Findings:
    """Read the sources ``names`` (all, if empty) once; none gets longer than ``timeout`` seconds.  Never raises for
    what a source does."""
    clock = clock or SystemClock()
    keychain = keychain or Keychain(folder=config.path.parent, timeout=timeout)
    async with pool or ClientPool(clock) as pool:
        setups = [s for s in make_setups(config, pool, keychain) if not names or s.name in names]
        found = await asyncio.gather(*(_source(setup, keychain, clock, timeout) for setup in setups))
    items = [item for _, more in found for item in more]
    catalog = config.catalog()
    unowned = [item for item in items if not catalog.owned(item)]
    hints = catalog.unowned(unowned).most_common(MAX_HINTS)
    sources = tuple(finding for finding, _ in found)
    return Findings(
        ok=all(source.verdict == "ok" for source in sources),
        config=str(config.path),
        warnings=tuple(map(str, config.warnings)),
        sources=sources,
        items=len(items),
        unowned=len(unowned),
        hints=tuple(Hint(rule=rule, items=count) for rule, count in hints),
    )


async def _source(
    setup: SourceSetup, keychain: Keychain, clock: Clock, timeout: float
) -> tuple[SourceFinding, list[Item]]:
    source, client = setup.make(clock)
    credentials, (parts, error, seconds) = await asyncio.gather(
        _credentials(setup.configured.options, keychain), _read(source, client, clock, timeout)
    )
    items, left_out = _admitted(setup, parts)
    expected = frozenset(source.expected_beats())
    beats = frozenset().union(*(part.beats for part in parts))
    missing = expected - beats if parts else expected
    failed = [part for part in parts if part.error is not None]
    nothing = error is not None or not parts or len(failed) == len(parts)
    errors = [e for e in (error, *(part.error for part in failed)) if e is not None]
    if not errors and not parts:
        errors = [SourceError("it names nothing to read")]
    left, limit, reset = client.budget_view()
    budget = None
    if left is not None or limit is not None:
        at = datetime.fromtimestamp(clock.now().timestamp() + reset, clock.now().tzinfo) if reset is not None else None
        budget = BudgetFinding(left=left, limit=limit, reset=at)
    options = setup.configured.options
    hint = _hint(errors, credentials) if client.requests else ""
    finding = SourceFinding(
        name=setup.name,
        type=setup.type,
        url=options.url or setup.configured.cls.default_url,
        verdict="failed" if nothing else "partial" if failed or error or missing else "ok",
        reachable=_reachable(client.requests, len(failed) < len(parts), errors),
        error=describe(errors[0]) if nothing and errors else "",
        seconds=round(seconds, 3),
        interval=setup.interval,
        credentials=credentials,
        parts=tuple(_part(part) for part in sorted(parts, key=lambda part: part.scope)),
        items=dict(sorted(Counter(item.kind for item in items).items())),
        left_out=tuple(left_out),
        budget=budget,
        requests=client.requests,
        requests_per_hour=round(client.requests * 3600 / setup.interval),
        clock_offset=round(client.clock_offset, 1) if client.clock_offset is not None else None,
        beats=tuple(sorted(beats)),
        missing_beats=tuple(sorted(missing)),
        hint=hint,
        needs=source.scopes_needed if hint else "",
    )
    return finding, items


async def _read(
    source: Source[SourceOptions], client: SourceClient, clock: Clock, timeout: float
) -> tuple[list[Part], SourceError | None, float]:
    """The parts that came in time, what kept the rest from coming, and the seconds it took."""
    parts: list[Part] = []
    error: SourceError | None = None
    began = clock.monotonic()
    try:
        async with asyncio.timeout(timeout):
            async for part in source.stream(client.factory, timeout=timeout):
                parts.append(part)  # noqa: PERF401 - what came before the limit counts
    except TimeoutError:
        error = Timeout(f"not read within {timeout:g} s")
    except SourceError as exc:
        error = exc
    return parts, error, clock.monotonic() - began


async def _credentials(options: SourceOptions, keychain: Keychain) -> tuple[CredentialFinding, ...]:
    fields = [("token", options.token), ("username", options.username), ("password", options.password)]
    fields += [(f"headers.{name}", value) for name, value in options.headers.items()]
    found: list[CredentialFinding] = []
    for option, reference in fields:
        if not is_reference(reference):
            continue
        try:
            await keychain.resolve(reference)
        except CredentialError as exc:
            found.append(CredentialFinding(option=option, reference=reference, error=_without(reference, exc)))
        else:
            found.append(CredentialFinding(option=option, reference=reference))
    return tuple(found)


def _without(reference: str, error: CredentialError) -> str:
    """The message; the reference stands beside it already."""
    return str(error).removeprefix(f"{reference}: ")


def _hint(errors: Sequence[Exception], credentials: Sequence[CredentialFinding]) -> str:
    """What may be behind a refusal; ``""`` where the server refused nothing.

    Vendors say *not found* of what they will not show, and their words for a bad credential rarely say that it is one.
    """
    refused = next((error for error in errors if isinstance(error, AuthError)), None)
    unseen = any(isinstance(error, NotFound) for error in errors)
    told = ", ".join(finding.reference for finding in credentials if not finding.error)
    if not told:
        if unseen and refused is None:
            return "there is no such thing at this url, or it is not public: this source has no credential"
        asked = refused is not None or any(_is_clients_fault(error) for error in errors)
        return "this source has no credential: only what is public can be read" if asked else ""
    if refused is not None and refused.status == HTTPStatus.FORBIDDEN:
        return f"a right is missing, or the server wants more than {told}"
    if refused is not None:
        return f"the server does not take {told}: wrong, expired, revoked, or meant for another server"
    return f"there is no such thing at this url, or {told} may not see it" if unseen else ""


def _is_clients_fault(error: Exception) -> bool:
    """Whether the server says so, of what is more than a matter of time."""
    if not isinstance(error, SourceError) or isinstance(error, RateLimited):
        return False
    return error.status is not None and error.status // 100 == 4


def _admitted(setup: SourceSetup, parts: Sequence[Part]) -> tuple[list[Item], list[str]]:
    """The items as the board would have them, and what is wrong with those that it would leave out."""
    items: dict[str, Item] = {}
    faults: list[str] = []
    for part in parts:
        for item in part.items:
            if fault := sane(item, setup.name, part) or unstorable(item):
                faults.append(f"{part.scope}: {fault}")
            else:
                items[item.key] = setup.resolver(scrub_any(item))
    return list(items.values()), faults


def _part(part: Part) -> PartFinding:
    error = describe(part.error) if part.error is not None else ""
    return PartFinding(part=part.scope, kind=part.kind, items=len(part.items), error=error, notes=part.notes)


def _reachable(requests: int, read: bool, errors: Sequence[Exception]) -> bool | None:
    """Whether the server answers, well or not."""
    if read or any(isinstance(e, SourceError) and e.status is not None for e in errors):
        return True
    if not requests and any(isinstance(e, AuthError) for e in errors):
        return None
    return requests > 0 and not any(isinstance(e, Timeout | TransportError) for e in errors)
