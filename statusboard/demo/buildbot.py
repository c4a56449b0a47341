"""Buildbot's REST API v2, as 4.3 answers it: builders, builds, build requests, steps, masters.

As in the original, a filter on a field that was not selected is refused, properties come only when asked for, a list
that was cut by ``limit`` does not say how long it would be, and the answer calls itself ``text/plain`` unless the
client asks for JSON.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

from statusboard.demo.records import Build, BuildState
from statusboard.demo.servers import Pages, Request, Response, encode
from statusboard.demo.state import State

RESULTS: dict[BuildState, int] = {
    "success": 0, "warning": 1, "failed": 2, "timed_out": 2, "skipped": 3, "exception": 4, "cancelled": 6,
}  # fmt: skip

WORDS: dict[BuildState, str] = {
    "running": "building",
    "success": "build successful",
    "warning": "warnings 'lint'",
    "failed": "failed 'test' (failure)",
    "timed_out": "failed 'test' (timed out)",
    "exception": "exception worker_preparation (exception)",
    "cancelled": "cancelled",
    "skipped": "skipped",
}

Row = dict[str, object]

_CONTROLS = ("field", "order", "limit", "offset", "property")
_DATABASE = ("builds", "buildrequests")
"""Their lists are cut by the database, which does not count what it left out."""


class _Refused(Exception):
    """The request is refused with this status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Buildbot:
    """Answers requests about the builds of the services of ``state`` that build with Buildbot."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._pages = Pages()
        self._tables: dict[str, tuple[int, list[Row]]] = {}
        self._builders = [pipeline for service in state.own for pipeline in service.pipelines]
        self._services = {pipeline: service for service in state.own for pipeline in service.pipelines}

    def answer(self, request: Request) -> Response:
        """The answer to one request; nothing here can be written to."""
        plain = "application/json" not in request.headers.get("accept", "")
        kind = f"{'text/plain' if plain else 'application/json'}; charset=utf-8"
        if request.method not in ("GET", "HEAD"):
            message = "Invalid content-type (use application/json)"
            return Response(400, encode({"jsonrpc": "2.0", "error": {"code": -32600, "message": message}}))
        path = request.path.removeprefix("/api/v2/").strip("/")
        try:
            if not request.path.startswith("/api/v2/"):
                raise _Refused(404, f"Invalid path: {request.path}")
            revision = self._state.revisions["buildbot"]
            key = (path, request.query, kind)
            return self._pages.get(key, revision, lambda: Response(200, encode(self._resource(path, request)), kind))
        except _Refused as refused:
            return Response(refused.status, encode({"error": refused.message}), kind)

    def _resource(self, path: str, request: Request) -> dict[str, object]:
        kind, rows, single = self._find(path)
        rows, total = _Query(request, kind, rows).run()
        if single and not rows:
            raise _Refused(404, f"not found while getting from endpoint for /{path}")
        return {kind: rows, "meta": {} if single else {"total": total}}

    def _find(self, path: str) -> tuple[str, list[Row], bool]:
        """The kind of a resource, its rows, and whether the path names exactly one."""
        if path == "masters":
            return (
                "masters",
                [{"active": True, "last_active": int(self._state.now), "masterid": 1, "name": "master"}],
                False,
            )
        if found := re.fullmatch(r"(builders|builds|buildrequests)(?:/(\d+))?", path):
            kind, number = found[1], found[2]
            rows = self._table(kind)
            if number is None:
                return kind, rows, False
            return kind, [row for row in rows if row[f"{kind[:-1]}id"] == int(number)], True
        if found := re.fullmatch(r"builders/([^/]+)/(builds|buildrequests)(?:/(\d+))?", path):
            builder = self._builder(found[1])
            rows = [row for row in self._table(found[2]) if row["builderid"] == builder]
            if found[3] is None:
                return found[2], rows, False
            return found[2], [row for row in rows if row.get("number") == int(found[3])], True
        if found := re.fullmatch(r"buildrequests/(\d+)/builds", path):
            return "builds", [row for row in self._table("builds") if row["buildrequestid"] == int(found[1])], False
        if found := re.fullmatch(r"builds/(\d+)/steps", path):
            return "steps", self._steps(int(found[1])), False
        raise _Refused(404, f"Invalid path: {path}")

    def _builder(self, name: str) -> int:
        if name.isdigit() and 0 < int(name) <= len(self._builders):
            return int(name)
        if name in self._builders:
            return self._builders.index(name) + 1
        raise _Refused(404, f"Invalid path: builders/{name}")

    def _table(self, kind: str) -> list[Row]:
        """All rows of a kind, made once for each state of things."""
        revision = self._state.revisions["buildbot"]
        if kind not in self._tables or self._tables[kind][0] != revision:
            make = {"builders": self._builder_rows, "builds": self._builds, "buildrequests": self._requests}[kind]
            self._tables[kind] = revision, make()
        return self._tables[kind][1]

    def _all(self) -> list[Build]:
        return [build for service in self._state.own for build in service.builds]

    def _builder_rows(self) -> list[Row]:
        return [
            {
                "builderid": index,
                "description": f"{name} of {self._services[name].repo}",
                "description_format": None,
                "description_html": None,
                "masterids": [1],
                "name": name,
                "projectid": None,
                "tags": [self._services[name].name, self._services[name].team],
            }
            for index, name in enumerate(self._builders, 1)
        ]

    def _builds(self) -> list[Row]:
        rows: list[Row] = [
            {
                "builderid": self._builders.index(build.pipeline) + 1,
                "buildid": build.id,
                "buildrequestid": build.request_id,
                "complete": build.finished,
                "complete_at": None if build.ended is None else int(build.ended),
                "locks_duration_s": 0,
                "masterid": 1,
                "number": build.number,
                "properties": _properties(build),
                "results": RESULTS.get(build.state),
                "started_at": int(build.started or build.created),
                "state_string": WORDS[build.state],
                "workerid": 1 + build.request_id % 3,
            }
            for build in self._all()
            if build.id
        ]
        return sorted(rows, key=lambda row: int(str(row["buildid"])))

    def _requests(self) -> list[Row]:
        rows: list[Row] = [
            {
                "builderid": self._builders.index(build.pipeline) + 1,
                "buildrequestid": build.request_id,
                "buildsetid": build.request_id,
                "claimed": build.id > 0,
                "claimed_at": None if build.started is None else int(build.started),
                "claimed_by_masterid": 1 if build.id else None,
                "complete": build.finished,
                "complete_at": None if build.ended is None else int(build.ended),
                "priority": 0,
                "properties": _properties(build),
                "results": RESULTS.get(build.state, -1),
                "submitted_at": int(build.created),
                "waited_for": False,
            }
            for build in self._all()
        ]
        return sorted(rows, key=lambda row: int(str(row["buildrequestid"])))

    def _steps(self, number: int) -> list[Row]:
        build = next((build for build in self._all() if build.id == number), None)
        if build is None:
            raise _Refused(404, f"not found while getting from endpoint for /builds/{number}/steps")
        result = RESULTS.get(build.state)
        names = ("worker_preparation", "compile", "test")
        return [
            {
                "buildid": number,
                "complete": build.finished,
                "complete_at": None if build.ended is None else int(build.ended),
                "hidden": False,
                "name": name,
                "number": index,
                "results": result if index == len(names) - 1 or result is None else 0,
                "started_at": int(build.started or build.created),
                "state_string": f"'{name}'",
                "stepid": number * 10 + index,
                "urls": [],
            }
            for index, name in enumerate(names)
        ]


def _properties(build: Build) -> dict[str, tuple[object, str]]:
    return {
        "branch": (build.branch, "Build"),
        "buildername": (build.pipeline, "Builder"),
        "owner": (f"{build.actor} <{build.actor}@acme.example>", "Force Build Form"),
        "project": (build.service.repo, "Build"),
        "reason": (build.title, "Force Build Form"),
        "repository": (build.service.url, "Build"),
        "revision": (build.sha, "Build"),
        "scheduler": ("force" if build.event == "push" else "nightly", "Scheduler"),
    }


_OPERATORS: dict[str, Callable[[object, list[object]], bool]] = {
    "eq": lambda value, wanted: value == wanted[0],
    "ne": lambda value, wanted: value != wanted[0],
    "lt": lambda value, wanted: _compare(operator.lt, value, wanted[0]),
    "le": lambda value, wanted: _compare(operator.le, value, wanted[0]),
    "gt": lambda value, wanted: _compare(operator.gt, value, wanted[0]),
    "ge": lambda value, wanted: _compare(operator.ge, value, wanted[0]),
    "in": lambda value, wanted: value in wanted,
    "notin": lambda value, wanted: value not in wanted,
    "contains": lambda value, wanted: str(wanted[0]) in (value if isinstance(value, list) else str(value)),
}


def _compare(how: Callable[[Any, Any], Any], value: object, wanted: object) -> bool:
    return value is not None and bool(how(value, wanted))


class _Query:
    """The query of a request: filters, then order, then offset and limit, then fields."""

    def __init__(self, request: Request, kind: str, rows: list[Row]) -> None:
        self._rows = rows
        self._kind = kind
        self._known = list(rows[0]) if rows else [name.split("__")[0] for name, _ in request.query]  # refuse nothing
        self._fields = request.all("field")
        self._properties = set(request.all("property"))
        self._order = request.all("order")
        self._limit = self._number(request, "limit")
        self._offset = self._number(request, "offset") or 0
        for field in (*self._fields, *(name.lstrip("-") for name in self._order)):
            if field not in self._known:
                raise _Refused(400, f"no such field '{field}'")
        wanted: dict[str, list[str]] = {}
        for name, value in request.query:
            if name not in _CONTROLS:
                wanted.setdefault(name, []).append(value)
        self._filters = [self._filter(name, values) for name, values in wanted.items()]

    @staticmethod
    def _number(request: Request, name: str) -> int | None:
        text = request.first(name)
        if not text:
            return None
        if not text.isdigit():
            raise _Refused(400, f"invalid {name}")
        return int(text)

    def _filter(self, name: str, values: list[str]) -> Callable[[Row], bool]:
        field, _, word = name.partition("__")
        test = _OPERATORS.get(word or "eq")
        if field not in self._known or test is None:
            raise _Refused(400, f"unrecognized query parameter '{name}'")
        if self._fields and field not in self._fields:
            raise _Refused(400, "cannot filter on un-selected fields")
        sample = next((row[field] for row in self._rows if row[field] is not None), None)
        wanted = [self._value(field, value, sample) for value in values]
        return lambda row: test(row[field], wanted)

    @staticmethod
    def _value(field: str, text: str, sample: object) -> object:
        """A value of a filter as the type that the field has."""
        if isinstance(sample, bool):
            words = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
            if text.lower() not in words:
                raise _Refused(400, f"invalid filter value for {field}")
            return words[text.lower()]
        if isinstance(sample, int):
            try:
                return int(text)
            except ValueError:
                raise _Refused(400, f"invalid filter value for {field}") from None
        return text

    def run(self) -> tuple[list[Row], int]:
        """The rows to show and the total to tell."""
        rows = [row for row in self._rows if all(test(row) for test in self._filters)]
        for name in reversed(self._order):
            field, down = name.lstrip("-"), name.startswith("-")
            rows.sort(key=lambda row, field=field: _sortable(row[field]), reverse=down)  # type: ignore[misc]
        total = len(rows)
        rows = rows[self._offset : None if self._limit is None else self._offset + self._limit]
        if self._kind in _DATABASE:
            total = len(rows)
        return [self._select(row) for row in rows], total

    def _select(self, row: Row) -> Row:
        chosen = {field: value for field, value in row.items() if not self._fields or field in self._fields}
        given = chosen.get("properties")
        if isinstance(given, dict):
            everything = "*" in self._properties
            shown = {name: value for name, value in given.items() if everything or name in self._properties}
            chosen["properties"] = None if self._kind == "buildrequests" and not self._properties else shown
        return chosen


def _sortable(value: object) -> tuple[bool, float, str]:
    """Nothing comes first, numbers by size, the rest by its text."""
    number = float(value) if isinstance(value, int) else 0.0
    return value is not None, number, "" if isinstance(value, int) else str(value)
