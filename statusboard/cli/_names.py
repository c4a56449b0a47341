"""Names of services, teams and environments on a command line: one that nothing knows is a slip, not an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Final, Literal

import click
from msgspec import Struct

if TYPE_CHECKING:
    from statusboard.config import Config
    from statusboard.model import Kind
    from statusboard.store.base import Store

#: So many names are listed at most where none is like the one that was given.
MOST: Final = 10


class _Names(Struct):
    """The names in an item's body."""

    services: tuple[str, ...] = ()
    team: str = ""
    environment: str = ""
    repository: str = ""


async def known_name(store: Store, config: Config, option: str, name: str, *, repositories: bool = False) -> str:
    """``name`` as it is spelt, whatever its case; ``option`` is ``--service``, ``--team`` or ``--environment``.

    It is known if the configuration, an item on the board or one that is remembered has it; with ``repositories`` also
    one that is a repository's.  UsageError with the names like it, since an answer about nothing would look well.
    """
    if not name:
        return ""
    kind: Literal["service", "team", "environment"] = option.removeprefix("--")  # type: ignore[assignment]
    known = _configured(config, kind)
    if name in known:
        return name
    async for names in _stored(store, kind, repositories=repositories):
        if name in names:
            return name
        known |= names
    alike = [each for each in known if each.casefold() == name.casefold()]
    if len(alike) == 1:
        return alike[0]
    from statusboard.binding import closest

    hint = closest(name, {_clean(each) for each in known}, list_all=len(known) <= MOST)
    told = hint or (f"none of {len(known)} is like it" if known else "none is known yet")
    raise click.UsageError(f"{option}: there is no {kind} `{_clean(name)}`; {told}")


def _configured(config: Config, kind: str) -> set[str]:
    match kind:
        case "team":
            return {*config.teams, *config.goals} - {""}
        case "service":
            return {service.name for service in config.services} | {s.options.service for s in config.sources} - {""}
        case _:
            named = {name for entry in config.environments for name in (entry.name, *entry.aliases)}
            return named | {source.options.environment for source in config.sources} - {""}


async def _stored(store: Store, kind: str, *, repositories: bool) -> AsyncIterator[set[str]]:
    """The names that items have: those on the board, then those that are remembered."""
    from statusboard.clock import EPOCH

    rows = (await store.snapshot()).rows
    yield _names_in((row.body for row in rows if row.kind not in ("source", "annotation")), kind, repositories)
    kinds: tuple[Kind, ...] = ("release", "incident", "build")
    for of in kinds:
        yield _names_in((word.body for word in await store.remembered(of, since=EPOCH)), kind, repositories)


def _names_in(bodies: Iterable[bytes], kind: str, repositories: bool) -> set[str]:
    import msgspec

    decoder = msgspec.json.Decoder(_Names)
    found: set[str] = set()
    for body in bodies:
        try:
            item = decoder.decode(body)
        except msgspec.MsgspecError:
            continue
        if kind == "service":
            found.update(item.services)
            if repositories:
                found.add(item.repository)
        else:
            found.add(item.team if kind == "team" else item.environment)
    return found - {""}


def _clean(name: str) -> str:
    from statusboard.text import clean

    return clean(name, 60)
