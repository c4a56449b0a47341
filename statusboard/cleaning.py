"""Foreign items become ours here: every string is made safe to show, every URL safe to open, every size bounded."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from statusboard.model import Build, Incident, Item, Release, Ticket, decode, encode
from statusboard.text import clean, safe_url

I = TypeVar("I", bound=Build | Incident | Release | Ticket)  # noqa: E741

#: Cells that a text may take; what is longer is clipped with an ellipsis.
LIMITS = {"title": 300, "description": 2_000, "reason": 300}
DEFAULT_LIMIT = 200
MAX_LABELS = 64
MAX_LINKS = 16
MAX_SERVICES = 16
#: A longer key is refused: it is stored with every change.
MAX_KEY = 400

# An encoded item that is plain ASCII without escapes, of modest size: nothing in it can need cleaning but URLs.
_PLAIN = re.compile(rb"[ !#-\[\]-~\"]*")
_PLAIN_SIZE = 1_200
_TIMES = ("started_at", "updated_at", "ended_at", "acknowledged_at", "suppressed_until", "queued_at", "committed_at")


def unstorable(item: Item) -> str:
    """Why an item cannot be stored, ``""`` for one that can: a key that is too long or not printable, a field that
    holds what its type does not allow (sources are not checked when they make an item)."""
    if len(item.key) > MAX_KEY or not item.key.isprintable():
        return f"a key is not printable or longer than {MAX_KEY} characters"
    try:
        decode(encode(item))
    except UnicodeEncodeError:
        return ""  # lone surrogates in a text, which `scrub` replaces
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as error:
        return f"an item is not valid: {clean(error, 120)}"
    return ""


def scrub(item: I) -> I:
    """The same item, safe: texts cleaned and clipped, URLs that are not plain http(s) dropped, times in UTC."""
    if _is_plain(item):
        return _scrub_urls(item)
    changes: dict[str, Any] = {}
    for name in item.__struct_fields__:
        value = getattr(item, name)
        if name in ("key", "source", "state", "verdict") or not value:
            continue
        match value:
            case str():
                after: Any = safe_url(value) if name == "url" else clean(value, LIMITS.get(name, DEFAULT_LIMIT))
            case tuple():
                after = tuple(clean(v) for v in value[:MAX_SERVICES])
            case dict():
                after = _links(value) if name == "links" else _labels(value)
            case datetime():
                after = _utc(value)
            case _:
                continue
        if after != value:
            changes[name] = after
    return msgspec.structs.replace(item, **changes) if changes else item


def _is_plain(item: Item) -> bool:
    """Whether nothing but URLs can need cleaning: short, plain ASCII, without escapes and stray spaces."""
    try:
        body = encode(item)
    except UnicodeEncodeError:
        return False
    if len(body) > _PLAIN_SIZE or not _PLAIN.fullmatch(body):
        return False
    return b"  " not in body and b'" ' not in body and b' "' not in body


def _scrub_urls(item: I) -> I:
    changes: dict[str, Any] = {}
    if item.url and not (url := safe_url(item.url)):
        changes["url"] = url
    if item.links and (links := _links(item.links)) != item.links:
        changes["links"] = links
    if len(item.labels) > MAX_LABELS:
        changes["labels"] = _labels(item.labels)
    for name in _TIMES:
        value = getattr(item, name, None)
        if value is not None and value.tzinfo is not UTC:
            changes[name] = _utc(value)
    return msgspec.structs.replace(item, **changes) if changes else item


def _labels(labels: dict[str, str]) -> dict[str, str]:
    pairs = list(labels.items())[:MAX_LABELS]
    return {k: v for k, v in ((clean(k, 80), clean(v, DEFAULT_LIMIT)) for k, v in pairs) if k}


def _links(links: dict[str, str]) -> dict[str, str]:
    pairs = list(links.items())[:MAX_LINKS]
    return {k: v for k, v in ((clean(k, 40), safe_url(v)) for k, v in pairs) if k and v}


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def scrub_any(item: Item) -> Item:
    """`scrub` for the union of items."""
    return scrub(item)
