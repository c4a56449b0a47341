"""All that there is to begin with: the types that can be used, what was found here, whether secrets can be kept."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from statusboard.errors import ConfigError
from statusboard.registry import Registry
from statusboard.setup.answers import keyring_problem
from statusboard.setup.detecting import NoRemotes, Surroundings, git_remotes, look
from statusboard.setup.proposing import Proposal, SourceDraft, propose


class Type(Struct, frozen=True, kw_only=True):
    """A type of source, for a list: ``error`` says why it cannot be used."""

    name: str
    summary: str = ""
    error: str = ""


class Around(Struct, frozen=True, kw_only=True):
    """What was found.  ``no_keyring`` says why secrets cannot be kept here, ``""`` where they can."""

    types: tuple[Type, ...] = ()
    seen: Surroundings = Surroundings()
    proposal: Proposal = Proposal(sources=())
    no_keyring: str = ""

    @property
    def found(self) -> tuple[SourceDraft, ...]:
        """What is proposed, the likeliest first."""
        return (*self.proposal.sources, *self.proposal.suggestions)


def look_around(known: Registry, folder: Path, environ: Mapping[str, str] = os.environ) -> Around:
    """Look at this folder and environment.  It takes a while (imports, git): not for a thread that draws."""
    types = tuple(_types(known))
    usable = [type.name for type in types if not type.error]
    try:
        listing = git_remotes(folder)
    except NoRemotes:
        listing = ""
    seen = look(folder, environ, usable, listing)
    no_keyring = keyring_problem()
    return Around(types=types, seen=seen, proposal=propose(seen, usable, keyring=not no_keyring), no_keyring=no_keyring)


def _types(known: Registry) -> Iterable[Type]:
    for name in known.names():
        try:
            yield Type(name=name, summary=known.load(name).summary)
        except ConfigError as error:
            yield Type(name=name, error=str(error))


def matching(types: Iterable[Type], typed: str) -> list[Type]:
    """The types in whose name or summary every typed word is; those whose name begins so come first."""
    words = typed.casefold().split()
    found = [t for t in types if all(word in f"{t.name} {t.summary}".casefold() for word in words)]
    return sorted(found, key=lambda t: (not (words and t.name.startswith(words[0])), bool(t.error)))
