"""What a notice says: one line of clean text, and its parts for a command's arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from statusboard.model import Build, Fact, Incident, Release, SourceHealth
from statusboard.noticing.options import PLACEHOLDERS, What
from statusboard.noticing.watch import Transition
from statusboard.text import clean, clip, safe_url

TITLE_CELLS: Final = 60
BODY_CELLS: Final = 160

#: What is counted, in the order in which it is told: (kind, what) -> of one, of several.
COUNTED: Final[Mapping[tuple[str, str], tuple[str, str]]] = {
    ("incident", "opened"): ("incident opened", "incidents opened"),
    ("incident", "worsened"): ("incident worsened", "incidents worsened"),
    ("incident", "resolved"): ("incident resolved", "incidents resolved"),
    ("build", "failed"): ("build failed", "builds failed"),
    ("build", "recovered"): ("build recovered", "builds recovered"),
    ("release", "failed"): ("release failed", "releases failed"),
    ("release", "recovered"): ("release recovered", "releases recovered"),
    ("release", "released"): ("release", "releases"),
    ("source", "blind"): ("source not readable", "sources not readable"),
    ("source", "readable"): ("source read again", "sources read again"),
    ("any", "flips"): ("item flips", "items flip"),
}


class Message(Struct, frozen=True, kw_only=True):
    """A notice in words.  ``grave``: somebody should look now.  ``fields`` are a command's placeholders."""

    title: str
    body: str
    grave: bool
    fields: dict[str, str]

    @property
    def text(self) -> str:
        """All of it in one line."""
        return _joined(self.title, self.body)


def of(transition: Transition, what: What) -> Message:
    """What is said of one transition."""
    fact = transition.fact
    match fact:
        case Incident():
            title = f"incident {what}"
            if what == "worsened":
                title += f" to {fact.severity}"
            elif fact.severity != "unknown":
                title = f"{fact.severity} {title}"
        case SourceHealth():
            title = "source cannot be read" if what == "blind" else "source is read again"
        case _:
            title = "released" if what == "released" else f"{fact.kind} {what}"
    return _message(title, _named(fact), fact, what, grave=transition.failing)


def flips(transition: Transition, times: int) -> Message:
    """That an item flips, and how it is just now."""
    fact = transition.fact
    state = "not readable" if isinstance(fact, SourceHealth) and transition.failing else fact.state
    body = f"{_named(fact)}, now {state}; held back until it rests"
    return _message(f"flips {times}x in 30 minutes", body, fact, "flips", grave=transition.failing)


def flood(count: int) -> Message:
    """That there are too many new incidents to tell of each."""
    return _summary("flood of incidents", f"{count} new in 10 minutes; from now on only how many", count)


def ebbed() -> Message:
    """That there are fewer again."""
    return _summary("the flood of incidents is over", "", 0)


def more(counts: Mapping[tuple[str, str], int]) -> Message:
    """What was too much to be told one by one: ``12 more: 9 incidents opened, 3 builds failed``."""
    total = sum(counts.values())
    return _summary(f"{total} more", counted(counts), total)


def quiet(counts: Mapping[tuple[str, str], int]) -> Message:
    """What was not told during quiet hours."""
    return _summary("during quiet hours", counted(counts), sum(counts.values()))


def counted(counts: Mapping[tuple[str, str], int]) -> str:
    """``9 incidents opened, 3 builds failed``."""
    return ", ".join(f"{n} {words[n != 1]}" for key, words in COUNTED.items() if (n := counts.get(key, 0)))


def _summary(title: str, body: str, count: int) -> Message:
    text = _joined(title, body)
    fields = dict.fromkeys(PLACEHOLDERS, "") | {"text": text, "title": text, "what": "summary", "count": str(count)}
    return Message(title=title, body=body, grave=False, fields=fields)


def _message(title: str, body: str, fact: Fact, what: str, *, grave: bool) -> Message:
    title, body = clean(title, TITLE_CELLS), clean(body, BODY_CELLS)
    fields = {
        "text": _joined(title, body),
        "title": clean(fact.title, BODY_CELLS) or body,
        "what": what,
        "count": "1",
        "url": safe_url(getattr(fact, "url", "")),
    }
    for name in ("kind", "state", "severity", "reason", "service", "team", "environment", "source", "key"):
        fields[name] = clean(getattr(fact, name, ""), BODY_CELLS)
    return Message(title=title, body=body, grave=grave, fields=fields)


def _joined(title: str, body: str) -> str:
    return f"{title}: {body}" if body else title


def _named(fact: Fact) -> str:
    """What it is about, in the words of its people."""
    match fact:
        case SourceHealth():
            return f"{fact.source}: {fact.error}" if fact.error and fact.state != "fresh" else fact.source
        case Build():
            name = f"{fact.pipeline} on {fact.branch}" if fact.pipeline and fact.branch else fact.pipeline
            parts = [name, fact.title]
        case Release():
            version = fact.version or fact.revision[:10]
            what = " ".join(filter(None, (fact.service or fact.repository or fact.title, version)))
            where = " ".join(filter(None, (fact.environment, fact.target)))
            return f"{what} to {where}" if where else what
        case Incident():
            parts = [fact.title or fact.description, fact.reason]
        case _:
            parts = [fact.title]
    place = ", ".join(filter(None, (getattr(fact, "service", ""), getattr(fact, "environment", ""))))
    said = ": ".join(dict.fromkeys(filter(None, (clean(part, BODY_CELLS) for part in parts)))) or fact.key
    return f"{clip(said, BODY_CELLS - 40)} ({place})" if place else said
