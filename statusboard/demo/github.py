"""GitHub's REST API for the repositories of the pretend company: runs, jobs, deployments, releases, issues.

As in the original: pages by ``Link`` whose addresses name the repository by its id, a weak ``ETag`` on every answer, a
304 that costs nothing, a budget in ``x-ratelimit-*``, pull requests among the issues, and 404 for what one may not see.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import TypeVar
from urllib.parse import quote

from statusboard.demo import github_format as form
from statusboard.demo.names import ORGANISATION
from statusboard.demo.records import Build, Deployment, Publication, Service, Ticket
from statusboard.demo.servers import Pages, Request, Response, encode
from statusboard.demo.state import State

T = TypeVar("T")

LIMIT = 5_000
"""Requests an hour for each repository; the administrator of this server is generous."""

HOUR = 3600.0
LARGEST_PAGE = 100
MOST_RUNS = 1_000
"""A filtered list of runs holds no more, however many there are."""

_ENTERPRISE = "/api/v3"
_REPO = re.compile(r"/repos/([^/]+)/([^/]+)(/.*)?")
_REPO_ID = re.compile(r"/repositories/(\d+)(/.*)?")


class _Missing(Exception):
    """There is nothing at this address, or nothing that one may see."""


class GitHub:
    """Answers requests that carry ``token``, ``limit`` in an hour, about the hosted services of ``state``."""

    def __init__(self, state: State, token: str, *, limit: int | None = None) -> None:
        self._state = state
        self._token = token
        self._pages = Pages()
        self._by_name = {service.repo.lower(): service for service in state.hosted}
        self._by_id = {service.repo_id: service for service in state.hosted}
        self._limit = limit or LIMIT * len(self._by_name)
        self._used = 0
        self._reset = state.now + HOUR
        self._requests = 0
        self.url = ""
        """``http://127.0.0.1:PORT``, as it says in links; set once the server listens."""

    def answer(self, request: Request) -> Response:
        """The answer to one request; nothing here can be written to."""
        self._requests += 1
        if self._state.now >= self._reset:
            self._used, self._reset = 0, self._state.now + HOUR
        if not self._authorized(request):
            return self._finish(_error(401, "Bad credentials"))
        path = request.path.removeprefix(_ENTERPRISE)
        if path == "/rate_limit":
            return self._finish(self._rate_limit())
        if self._used >= self._limit:
            return self._finish(_error(403, "API rate limit exceeded for user ID 1."))
        try:
            if request.method not in ("GET", "HEAD"):
                raise _Missing
            response = self._resource(path, request)
        except _Missing:
            response = _error(404, "Not Found")
        except ValueError as error:
            response = _error(422, f"Validation Failed: {error}")
        tag = response.headers.get("ETag")
        if tag and tag in (given.strip() for given in request.headers.get("if-none-match", "").split(",")):
            response = Response(304, headers=response.headers)
        else:
            self._used += 1
        return self._finish(response)

    def _authorized(self, request: Request) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() in ("bearer", "token") and token == self._token

    def _finish(self, response: Response) -> Response:
        """The headers that every answer carries."""
        number = blake2b(str(self._requests).encode(), digest_size=10).hexdigest().upper()
        headers = {
            "X-GitHub-Request-Id": f"{number[:4]}:{number[4:10]}:{number[10:]}",
            "X-GitHub-Media-Type": "github.v3; format=json",
            "x-github-api-version-selected": "2022-11-28",
            "Cache-Control": "private, max-age=60, s-maxage=60",
            "Vary": "Accept, Authorization, Cookie, X-GitHub-OTP",
            "x-ratelimit-limit": str(self._limit),
            "x-ratelimit-remaining": str(self._limit - self._used),
            "x-ratelimit-used": str(self._used),
            "x-ratelimit-reset": str(int(self._reset)),
            "x-ratelimit-resource": "core",
        }
        return Response(
            response.status, response.body, "application/json; charset=utf-8", {**headers, **response.headers}
        )

    def _rate_limit(self) -> Response:
        core = {
            "limit": self._limit,
            "used": self._used,
            "remaining": self._limit - self._used,
            "reset": int(self._reset),
        }
        return Response(200, encode({"resources": {"core": core}, "rate": core}))

    # ------------------------------------------------------------------------------------------------------ resources

    def _resource(self, path: str, request: Request) -> Response:
        service, rest = self._find(path)
        view = form.View(service, self.url)
        parts = [part for part in rest.split("/") if part]
        match parts:
            case []:
                return self._page(request, service, "issues", lambda: form.repository(view))
            case ["actions", "runs"]:
                return self._runs(request, view)
            case ["actions", "runs", number]:
                return self._page(request, service, "builds", lambda: form.run(view, _one(service.builds, number)))
            case ["actions", "runs", number, "jobs"]:
                return self._page(request, service, "builds", lambda: form.jobs(view, _one(service.builds, number)))
            case ["deployments"]:
                return self._deployments(request, view)
            case ["deployments", number]:
                found = _one(service.deployments, number)
                return self._page(request, service, "deployments", lambda: form.deployment(view, found))
            case ["deployments", number, "statuses"]:
                return self._statuses(request, view, number)
            case ["releases"]:
                return self._list(request, view, "publications", lambda: service.publications[::-1], form.release)
            case ["releases", "latest"]:
                return self._page(request, service, "publications", lambda: form.release(view, _latest(service)))
            case ["issues"]:
                return self._issues(request, view)
            case ["issues", number]:
                return self._page(request, service, "issues", lambda: form.issue(view, _numbered(service, number)))
            case _:
                raise _Missing

    def _find(self, path: str) -> tuple[Service, str]:
        if found := _REPO.fullmatch(path):
            service = self._by_name.get(f"{found[1]}/{found[2]}".lower())
        elif found := _REPO_ID.fullmatch(path):
            service = self._by_id.get(int(found[1]))
        else:
            raise _Missing
        if service is None:
            raise _Missing
        return service, found[found.re.groups] or ""

    def _page(self, request: Request, service: Service, kind: str, make: Callable[[], object]) -> Response:
        """One object, rendered unless the same was rendered since ``kind`` last changed in the repository."""
        return self._kept(request, service, kind, lambda: _tagged(make()))

    def _kept(self, request: Request, service: Service, kind: str, make: Callable[[], Response]) -> Response:
        return self._pages.get(request.target, self._state.revisions[f"{kind}:{service.name}"], make)

    def _list(
        self,
        request: Request,
        view: form.View,
        kind: str,
        find: Callable[[], Sequence[T]],
        shape: Callable[[form.View, T], object],
        envelope: Callable[[list[object], int], object] = lambda rows, _: rows,
    ) -> Response:
        """One page of a list, with the addresses of its neighbours."""

        def make() -> Response:
            items = find()
            size = _number(request, "per_page", 30, LARGEST_PAGE)
            page = _number(request, "page", 1, 1_000_000)
            rows = [shape(view, item) for item in items[(page - 1) * size : page * size]]
            return _tagged(envelope(rows, len(items)), self._links(request, view, page, -(-len(items) // size)))

        return self._kept(request, view.service, kind, make)

    def _links(self, request: Request, view: form.View, page: int, last: int) -> dict[str, str]:
        pages: dict[str, int] = {}
        if page > 1:
            pages |= {"prev": page - 1, "first": 1}
        if page < last:
            pages |= {"next": page + 1, "last": last}
        _, rest = self._find(request.path.removeprefix(_ENTERPRISE))
        others = [f"{quote(name)}={quote(value)}" for name, value in request.query if name != "page"]
        base = f"{self.url}/repositories/{view.service.repo_id}{rest}"
        links = [f'<{base}?{"&".join([*others, f"page={number}"])}>; rel="{rel}"' for rel, number in pages.items()]
        return {"Link": ", ".join(links)} if links else {}

    def _runs(self, request: Request, view: form.View) -> Response:
        wanted = {name: request.first(name) for name in ("branch", "event", "status", "actor", "head_sha", "created")}
        bare = request.first("exclude_pull_requests") == "true"

        def find() -> list[Build]:
            runs = [run for run in reversed(view.service.builds) if _run_matches(run, wanted)]
            return runs[:MOST_RUNS] if any(wanted.values()) else runs

        def shape(view: form.View, run: Build) -> object:
            return form.run(view, run, pulls=not bare)

        def envelope(rows: list[object], total: int) -> object:
            return {"total_count": total, "workflow_runs": rows}

        return self._list(request, view, "builds", find, shape, envelope)

    def _deployments(self, request: Request, view: form.View) -> Response:
        environment, ref, task = (request.first(name) for name in ("environment", "ref", "task"))

        def find() -> list[Deployment]:
            return [
                deployment
                for deployment in reversed(view.service.deployments)
                if environment in ("", "none", deployment.environment)
                and ref in ("", "none", deployment.version)
                and task in ("", "none", deployment.task)
            ]

        return self._list(request, view, "deployments", find, form.deployment)

    def _statuses(self, request: Request, view: form.View, number: str) -> Response:
        deployment = _one(view.service.deployments, number)

        def shape(view: form.View, status: tuple[float, str, int]) -> object:
            return form.deployment_status(view, deployment, status)

        return self._list(request, view, "deployments", lambda: deployment.states[::-1], shape)

    def _issues(self, request: Request, view: form.View) -> Response:
        state, since = request.first("state", "open"), request.first("since")
        labels = {label for label in request.first("labels").split(",") if label}
        field = "updated" if request.first("sort") == "updated" else "created"
        down = request.first("direction") != "asc"

        def find() -> list[Ticket]:
            found = [
                ticket
                for ticket in view.service.issues
                if state in ("all", ticket.status)
                and labels <= set(ticket.labels)
                and (not since or form.time(ticket.updated) >= since)
            ]
            return sorted(found, key=lambda ticket: (getattr(ticket, field), ticket.number), reverse=down)

        return self._list(request, view, "issues", find, form.issue)


_Numbered = TypeVar("_Numbered", Build, Deployment, Publication)


def _one(items: Sequence[_Numbered], number: str) -> _Numbered:
    for item in items:
        if str(item.id) == number:
            return item
    raise _Missing


def _numbered(service: Service, number: str) -> Ticket:
    for ticket in service.issues:
        if str(ticket.number) == number:
            return ticket
    raise _Missing


def _latest(service: Service) -> Publication:
    """The newest release that is neither a draft nor a prerelease."""
    for publication in reversed(service.publications):
        if not publication.draft and not publication.prerelease:
            return publication
    raise _Missing


def _run_matches(run: Build, wanted: dict[str, str]) -> bool:
    status, conclusion = form.RUN_STATES[run.state]
    created = wanted["created"].removeprefix(">").removeprefix("=")
    return (
        wanted["branch"] in ("", run.branch)
        and wanted["event"] in ("", run.event)
        and wanted["actor"] in ("", run.actor)
        and wanted["head_sha"] in ("", run.sha)
        and wanted["status"] in ("", status, conclusion)
        and (not created or form.time(run.created) >= created)
    )


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.first(name)
    return min(max(1, int(text)), most) if text.isdigit() else default


def _tagged(value: object, headers: dict[str, str] | None = None) -> Response:
    body = encode(value)
    tag = f'W/"{blake2b(body, digest_size=32).hexdigest()}"'
    return Response(200, body, headers={"ETag": tag, **(headers or {})})


def _error(status: int, message: str) -> Response:
    guide = f"https://docs.github.example/rest?org={ORGANISATION}"
    return Response(status, encode({"message": message, "documentation_url": guide, "status": str(status)}))
