"""What people say of items: that they are on it, and notes.  Pure.

One acknowledgement an item, whoever gave it, and one note an item and person, so that saying it again replaces it and
two boards that are pressed at once do not say it twice.  Of an incident it holds for one episode: when the same alert
fires anew nobody has seen that one yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from msgspec import structs

from statusboard.model import Annotation, Incident, Item, key_of
from statusboard.text import clean

PEOPLE: Final = "people"
"""The source of what people say."""
USER_VARIABLE: Final = "STATUSBOARD_USER"
"""The environment variable that names a person where the account does not: several people may share one."""
MOST_TEXT: Final = 200
"""Cells that a note may take."""
_MOST_AUTHOR: Final = 40


def author_of(environ: Mapping[str, str]) -> str:
    """Who says it: ``$STATUSBOARD_USER``, else the account, else ``somebody``."""
    import getpass  # which a board that opens can do without

    named = clean(environ.get(USER_VARIABLE, ""), _MOST_AUTHOR)
    if named:
        return named
    try:
        return clean(getpass.getuser(), _MOST_AUTHOR) or "somebody"
    except (OSError, KeyError):  # an account without a name, as in many containers
        return "somebody"


def episode_of(item: Item) -> datetime | None:
    """What an annotation of this item holds for: of an incident when it began, of anything else the item as such."""
    return item.started_at if isinstance(item, Incident) else None


def standing(said: Iterable[Annotation], item: Item) -> list[Annotation]:
    """Of what was said of this item, what holds for its present episode, in the same order."""
    episode = episode_of(item)
    return [note for note in said if note.state == "set" and note.episode == episode]


def acknowledgement(said: Iterable[Annotation], item: Item) -> Annotation | None:
    """Who is on it, if anybody said so."""
    return next((note for note in standing(said, item) if note.what == "ack"), None)


def note_by(author: str, said: Iterable[Annotation], item: Item) -> Annotation | None:
    """This person's note on the item."""
    notes = (note for note in standing(said, item) if note.what == "note")
    return next((note for note in notes if note.author == author), None)


def acknowledge(item: Item, author: str, now: datetime) -> Annotation:
    """``author`` is on it."""
    return Annotation(
        key=_key("ack", item.key),
        source=PEOPLE,
        state="set",
        target=item.key,
        episode=episode_of(item),
        what="ack",
        author=author,
        started_at=now,
        updated_at=now,
    )


def write(item: Item, author: str, text: str, now: datetime) -> Annotation:
    """The note of ``author`` on the item, in place of an earlier one."""
    return Annotation(
        key=_key("note", item.key, author),
        source=PEOPLE,
        state="set",
        target=item.key,
        episode=episode_of(item),
        what="note",
        author=author,
        text=clean(text, MOST_TEXT),
        started_at=now,
        updated_at=now,
    )


def judge(incident: Item, release: Item, author: str, now: datetime, *, guilty: bool) -> Annotation:
    """``author`` says that this release was what caused the incident, or that it was not.

    Of one release and one incident there is one word, that of whoever spoke last.
    """
    return Annotation(
        key=_key("suspect", incident.key, release.key),
        source=PEOPLE,
        state="set",
        target=incident.key,
        episode=episode_of(incident),
        what="suspect_confirmed" if guilty else "suspect_dismissed",
        author=author,
        text=release.key,
        started_at=now,
        updated_at=now,
    )


def last_verdict(said: Iterable[Annotation], incident: Item) -> Annotation | None:
    """What was said last of the suspects of an incident's present episode."""
    words = [note for note in standing(said, incident) if note.what in ("suspect_confirmed", "suspect_dismissed")]
    return max(words, key=lambda note: (str(note.updated_at), note.key), default=None)


def withdraw(said: Annotation, author: str, now: datetime) -> Annotation:
    """The same, no longer said: ``author`` took it back."""
    return structs.replace(said, state="withdrawn", author=author, updated_at=now)


def _key(*parts: str) -> str:
    # Keys are bounded; a target's may be as long as a key can be.
    digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=12).hexdigest()
    return key_of(PEOPLE, "annotation", f"{parts[0]}-{digest}")
