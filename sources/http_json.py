"""Any JSON API, without code: JMESPath expressions (jmespath.org) say where the list is and what each field is.

    - type: http-json
      name: pager
      url: https://pager.example
      path: /api/incidents?status=open
      kind: incident
      items: data.incidents
      id: id
      complete: true
      states: {triggered: open, acked: acknowledged}
      fields:
        title: summary
        state: status
        severity: urgency
        started_at: created_at
        services: "[service.name]"
        labels: "{region: meta.region}"

A constant is written as "'open'".  An item's state is looked up in ``states``, then among the board's own words; any
other is unknown.  ``complete: true`` says that the list holds all there is, so that what is absent is over.
"""

from __future__ import annotations

import difflib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, get_args
from urllib.parse import urljoin

import jmespath
import jmespath.exceptions
import msgspec

from sources._shared.rows import Rows, remote_id, zone_notes
from statusboard.api import (
    BadAnswer,
    Build,
    BuildState,
    Context,
    Http,
    Incident,
    IncidentState,
    Item,
    ItemKind,
    Part,
    Release,
    ReleaseState,
    ReleaseType,
    Reply,
    Scope,
    Severity,
    Source,
    SourceOptions,
    Ticket,
    TicketState,
    TooLarge,
    clean,
    option,
    parse_time_exact,
)

MODELS: Mapping[str, tuple[type[Build | Incident | Release | Ticket], tuple[str, ...]]] = {
    "build": (Build, get_args(BuildState)),
    "incident": (Incident, get_args(IncidentState)),
    "release": (Release, get_args(ReleaseState)),
    "ticket": (Ticket, get_args(TicketState)),
}
TIMES: Final = frozenset({
    "started_at", "updated_at", "ended_at", "acknowledged_at", "suppressed_until", "queued_at", "committed_at",
})  # fmt: skip
_TYPES: Final = get_args(ReleaseType)
NUMBERS: Final = frozenset({"run_number", "attempt", "commits"})
MAPPINGS: Final = frozenset({"links", "labels"})
#: What the board itself decides.
_OURS: Final = frozenset({"key", "source", "kind", "approximate", "raw_state", "verdict"})


class HttpJsonOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: http-json``."""

    kind: Annotated[ItemKind, option("what the items are: build, incident, release or ticket")]
    id: Annotated[str, option("expression: what tells an item from the others, for ever")]
    path: Annotated[str, option("path and query below `url`")] = ""
    items: Annotated[str, option("expression: the list in the answer; without it the answer is the list")] = "@"
    fields: Annotated[dict[str, str], option("our field: expression on an item")] = msgspec.field(default_factory=dict)
    states: Annotated[dict[str, str], option("the API's word for a state: ours")] = msgspec.field(default_factory=dict)
    complete: Annotated[bool, option("whether the list holds everything, so that what is absent is over")] = False
    next: Annotated[str, option("expression: the next page's URL; without it the Link header is followed")] = ""
    error: Annotated[str, option("expression: an error in an answer with status 200; where it finds something")] = ""
    method: Annotated[Literal["GET", "POST"], option("GET, or POST for APIs that are asked so")] = "GET"
    body: Annotated[Any, option("the JSON to post")] = None
    pages: Annotated[int, msgspec.Meta(ge=1, le=100), option("how many pages to read at the most")] = 10

    def asked(self, able: frozenset[ItemKind]) -> frozenset[ItemKind]:
        """The one kind that the items are of."""
        return frozenset({self.kind})

    def __post_init__(self) -> None:
        model, states = MODELS[self.kind]
        settable = sorted(set(model.__struct_fields__) - _OURS)
        for name, expression in self.fields.items():
            if name not in settable:
                raise ValueError(
                    f"`fields`: no {self.kind} has {name[:40]!r}; the fields are {_listed(name, settable)}"
                )
            _compiled("fields", expression, name)
        for word, state in self.states.items():
            if state not in states:
                raise ValueError(
                    f"`states`: {word[:40]!r} cannot be {state[:40]!r}; the states are {', '.join(states)}"
                )
        for name in ("id", "items", "next", "error"):
            if expression := getattr(self, name):
                _compiled(name, expression)
        if not self.id:
            raise ValueError("`id` is empty; without it an item could not be told from the others")
        if self.method == "POST" and self.next:
            raise ValueError("`next` goes with GET only; a POST is one request")
        if self.method == "GET" and self.body is not None:
            raise ValueError("`body` goes with method: POST only")


Search = Callable[[object], Any]


class HttpJson(Source[HttpJsonOptions]):
    """Items of one kind from any JSON API."""

    type = "http-json"
    kinds = frozenset({"build", "incident", "release", "ticket"})
    Options = HttpJsonOptions
    summary = "Any JSON API, mapped with JMESPath expressions"
    scopes_needed = "read access to what is asked for"
    requests = (1, "source")
    example = """
        url: https://pager.example.com
        path: /api/alarms?open=true
        kind: incident
        items: alarms
        id: id
        fields: {title: summary, state: status, severity: level, url: link, started_at: since}
        states: {firing: open, acked: acknowledged}
    """
    setup = """
        Maps any JSON API to the board, so that a tool that is not in this list needs no code. `path` is added to `url`;
        `items` finds the list in the answer, `id` and the values of `fields` are JMESPath expressions on each of its
        elements, and `states` says what the tool's words mean.

        - A `token` is sent as a bearer token; other schemes go into `headers`, whose values may be references too.
        - Times may be in any common form; one without a zone is taken as UTC and shown with `~`.
        - Say `complete: true` when the answer holds all that is open: what is absent is then over.
    """
    verified = "documented"
    no_history = "a mapped answer says what is now"

    def __init__(self, options: HttpJsonOptions, context: Context) -> None:
        super().__init__(options, context)
        self._model, self._known_states = MODELS[options.kind]
        self._states = {word.lower(): state for word, state in options.states.items()}
        self._id = _compiled("id", options.id)
        self._items = _compiled("items", options.items or "@")
        self._next = _compiled("next", options.next) if options.next else None
        self._error = _compiled("error", options.error) if options.error else None
        self._fields = {name: _compiled("fields", text, name) for name, text in options.fields.items()}

    async def scopes(self, http: Http) -> Sequence[Scope]:
        reach: Literal["complete", "window"] = "complete" if self.options.complete else "window"
        return [Scope(name=self.options.path or self.options.kind, kind=self.options.kind, reach=reach)]

    async def read(self, scope: Scope, http: Http) -> Part:
        rows: Rows[Any] = Rows(scope.kind, Any)
        notes: list[str] = []
        pages = 0
        try:
            async for reply in self._pages(http):
                rows.add(self._list(reply.json()))
                pages += 1
        except TooLarge:
            # Of a window the newest pages are enough; a list that should be whole is not.
            if self.options.complete or pages < self.options.pages:
                raise
            notes.append(f"only the first {pages} pages are read")
        part = rows.part(scope, self._item)
        zoneless = sum(1 for item in part.items if item.approximate)
        return msgspec.structs.replace(part, notes=(*notes, *zone_notes(zoneless, scope.kind)))

    async def _pages(self, http: Http) -> AsyncIterator[Reply]:
        """The answers, page by page; `TooLarge` after as many as the option ``pages`` says, if there are more."""
        options = self.options
        if options.method == "POST":
            yield await http.post(options.path, json=options.body)
        elif self._next is None:
            async for reply in http.pages(options.path, conditional=True, limit=options.pages):
                yield reply
        else:
            url = options.path
            seen: set[str] = set()
            while url:
                if url in seen:
                    raise BadAnswer("the pages run in a circle")
                if len(seen) >= options.pages:
                    raise TooLarge(f"more than {options.pages} pages")
                seen.add(url)
                reply = await http.get(url)
                yield reply
                url = self._next_url(self._next, reply.json(), reply)

    def _next_url(self, following: Search, answer: object, reply: Reply) -> str:
        found = _search(following, answer, "next")
        return urljoin(reply.url, found) if isinstance(found, str) else ""

    def _list(self, answer: object) -> list[Any]:
        if self._error is not None and (found := _search(self._error, answer, "error")):
            raise BadAnswer(f"the server says: {clean(found, 200)}")
        found = _search(self._items, answer, "items")
        if not isinstance(found, list):
            what = "nothing" if found is None else "something that is not a list"
            raise BadAnswer(f"`items` finds {what} in the answer")
        return found

    def _item(self, row: Any) -> Item:
        identity = _text(_search(self._id, row, "id"))
        if not identity:
            raise BadAnswer("`id` finds nothing in it")
        values: dict[str, Any] = {}
        for name, search in self._fields.items():
            found = _search(search, row, f"fields.{name}")
            if found is None or found == "":
                continue
            if name == "state":
                values["raw_state"] = _text(found)
            elif name in TIMES:
                values[name], rough = parse_time_exact(found)
                values["approximate"] = values.get("approximate", False) or rough
            elif name in NUMBERS:
                values[name] = _number(found, name)
            elif name in MAPPINGS:
                values[name] = _texts(found)
            elif name == "services":
                values[name] = tuple(filter(None, map(_text, found if isinstance(found, list) else [found])))
            elif name == "prerelease":
                values[name] = found is True or _text(found).lower() == "true"
            else:
                values[name] = _text(found)
        word = values.get("raw_state", "").lower()
        state = self._states.get(word, word)
        values["state"] = state if state in self._known_states else "unknown"
        _settle_severity(values)
        if values.get("type") not in (None, *_TYPES):
            raise BadAnswer(f"`fields.type` is none of {', '.join(_TYPES)}")
        key = self.key(self.options.kind, remote_id(identity))
        values.setdefault("title", identity)
        return self._model(key=key, source=self.name, **values)


def _listed(word: str, known: Sequence[str]) -> str:
    """All known words, those that are most like this one first."""
    near = difflib.get_close_matches(word[:100].casefold(), known, n=3, cutoff=0.6)
    return ", ".join(dict.fromkeys([*near, *known]))


def _compiled(name: str, expression: str, field: str = "") -> Search:
    try:
        return jmespath.compile(expression).search
    except jmespath.exceptions.JMESPathError as exc:
        where = f"of {field} " if field else ""
        reason = clean(str(exc).partition("\n")[0], 160)
        raise ValueError(
            f"`{name}`: the expression {where}{clean(expression, 80)!r} is not JMESPath: {reason}"
        ) from None


def _search(search: Search, value: object, name: str) -> Any:
    """What an expression finds.  Functions in it may not bear what a vendor sends."""
    try:
        return search(value)
    except (jmespath.exceptions.JMESPathError, TypeError, ValueError, RecursionError):
        raise BadAnswer(f"`{name}` cannot be applied to it") from None


def _settle_severity(values: dict[str, Any]) -> None:
    """A severity in the API's own word goes to the labels, where the catalog finds it."""
    word = values.get("severity")
    if word is None:
        return
    if word.lower() in get_args(Severity):
        values["severity"] = word.lower()
    else:
        del values["severity"]
        values["labels"] = {"severity": word, **values.get("labels", {})}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(filter(None, map(_text, value)))
    return str(value) if isinstance(value, str | int | float) else ""


def _texts(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise BadAnswer("`fields.labels` and `fields.links` want an object, as {name: expression}")
    return {name: text for name, found in value.items() if (text := _text(found))}


def _number(value: object, name: str) -> int:
    try:
        number = int(_text(value))
    except ValueError:
        number = -1
    if not 0 <= number < 1 << 63:
        raise BadAnswer(f"`fields.{name}` is not a whole number")
    return number
