"""How GitHub's deployments went: the one thing that a list of them does not say.

REST tells it of one deployment at a time.  GraphQL tells it of all in one request, which costs one of the 5,000 points
an hour that it has apart from REST, but answers to a credential only; where it refuses, REST goes on alone.  It takes
the ids that REST gives as ``node_id`` (docs.github.com/graphql/guides/using-global-node-ids), at most 100 at once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from sources._github import DEPLOYMENT_STATES, Deployment, DeploymentStatus
from sources._shared.rows import Rows, need
from statusboard.api import (
    Clock,
    Http,
    NotFound,
    RateLimited,
    ServerError,
    SourceError,
    Timeout,
    TransportError,
    parse_time,
)

#: How seldom the status of a deployment is read again that is not expected to move (seconds) ...
STATUS_KEPT: Final = 900.0
#: ... and after what time an unfinished one is no longer expected to.
ABANDONED: Final = timedelta(days=1)
#: For how long GraphQL is left alone after it refused, and after it could not be reached (seconds).
REFUSED_FOR: Final = 3600.0
UNREACHED_FOR: Final = 300.0
_SECONDARY_LIMIT: Final = 60.0  # GitHub asks for a minute where it names no other time
_UNFINISHED: Final = frozenset({"queued", "running", "blocked", "unknown"})
_QUERY: Final = (
    "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Deployment "
    "{ id latestStatus { state description logUrl environmentUrl createdAt } } } }"
)


class Known(msgspec.Struct, frozen=True):
    """A deployment's status as last read, and what may have been different then."""

    status: DeploymentStatus
    updated_at: str | None
    newest: bool
    at: float


class _Status(msgspec.Struct, frozen=True, rename="camel"):
    """DeploymentStatus, whose state is one of REST's words in capitals."""

    state: str | None = None
    description: str | None = None
    log_url: str | None = None
    environment_url: str | None = None
    created_at: str | None = None


class _Node(msgspec.Struct, frozen=True, rename="camel"):
    """A Deployment; its latest status is null where it has none yet."""

    id: str | None = None
    latest_status: _Status | msgspec.UnsetType | None = msgspec.UNSET


class _Data(msgspec.Struct, frozen=True):
    nodes: list[Any]


class _Error(msgspec.Struct, frozen=True):
    type: str | None = None
    message: str | None = None


class _Answer(msgspec.Struct, frozen=True):
    data: _Data | None = None
    errors: list[_Error] | None = None


class Statuses:
    """Reads them, and only those that may have changed.  ``graphql`` is its address, ``""`` for REST alone."""

    def __init__(self, clock: Clock, graphql: str) -> None:
        self._clock = clock
        self._graphql = graphql
        self._off_until = float("-inf")

    async def read(
        self, repo: str, deployments: Sequence[Deployment], known: Mapping[int, Known], http: Http
    ) -> dict[int, Known]:
        """How each deployment went, by id; they come newest first, so the first of an environment is its newest."""
        newest: dict[str, int | None] = {}
        for deployment in deployments:
            newest.setdefault(deployment.environment or "", deployment.id)
        heads = frozenset(newest.values())
        due = {d.id for d in deployments if d.id is not None and self._due(d, known.get(d.id), d.id in heads)}
        told = await self._all(deployments, http) if due else {}
        read: dict[int, Known] = {}
        for deployment in deployments:
            number = deployment.id
            if number is None:
                continue
            status = told.get(deployment.node_id or "")
            if status is None and number in due:
                status = await self.one(repo, deployment, http)
            if status is None:
                read[number] = known[number]
            else:
                now = self._clock.monotonic()
                read[number] = Known(status=status, updated_at=deployment.updated_at, newest=number in heads, at=now)
        return read

    async def one(self, repo: str, deployment: Deployment, http: Http) -> DeploymentStatus:
        """How one deployment went, as REST tells it."""
        path = f"/repos/{repo}/deployments/{need(deployment.id, 'id')}/statuses"
        try:
            statuses = (await http.get(path, params={"per_page": 1})).decode(list[DeploymentStatus])
        except NotFound:  # deleted since the list was made
            return DeploymentStatus()
        return statuses[0] if statuses else DeploymentStatus(state="pending")

    def _due(self, deployment: Deployment, before: Known | None, newest: bool) -> bool:
        """Whether a deployment's status may have changed since it was read."""
        if before is None or before.updated_at != deployment.updated_at or before.newest != newest:
            return True
        unfinished = DEPLOYMENT_STATES.get((before.status.state or "pending").lower(), "unknown") in _UNFINISHED
        created_at = parse_time(deployment.created_at)
        if unfinished and created_at is not None and self._clock.now() - created_at < ABANDONED:
            return True
        return (unfinished or newest) and self._clock.monotonic() - before.at >= STATUS_KEPT

    async def _all(self, deployments: Collection[Deployment], http: Http) -> dict[str, DeploymentStatus]:
        """How they went, by node id, as GraphQL tells it; it may leave some out, or all."""
        now = self._clock.monotonic()
        ids = list(dict.fromkeys(d.node_id for d in deployments if d.node_id))
        if not self._graphql or not ids or now < self._off_until:
            return {}
        try:
            reply = await http.post(self._graphql, json={"query": _QUERY, "variables": {"ids": ids}})
            answer = reply.decode(_Answer)
        except RateLimited:
            return {}  # the client knows until when, and REST has a quota of its own
        except (Timeout, TransportError, ServerError):
            self._off_until = now + UNREACHED_FOR
            return {}
        except SourceError:
            self._off_until = now + REFUSED_FOR
            return {}
        told = {} if answer.data is None else _told(answer.data.nodes)
        if not told and not _is_limit(answer, reply.headers):
            self._off_until = now + REFUSED_FOR
        return told


def _told(nodes: list[Any]) -> dict[str, DeploymentStatus]:
    told: dict[str, DeploymentStatus] = {}
    for node in Rows("deployment", _Node, nodes).good:
        if node.id is None or node.latest_status is msgspec.UNSET:
            continue
        latest = node.latest_status
        told[node.id] = (
            DeploymentStatus(state="pending")
            if latest is None
            else DeploymentStatus(
                state=None if latest.state is None else latest.state.lower(),
                description=latest.description,
                log_url=latest.log_url,
                environment_url=latest.environment_url,
                created_at=latest.created_at,
            )
        )
    return told


def _is_limit(answer: _Answer, headers: Mapping[str, str]) -> bool:
    """Whether this 200 says that a limit was met.  Of a secondary one REST must be spared as well: `RateLimited`."""
    for error in answer.errors or ():
        message = (error.message or "").lower()
        if "secondary rate limit" in message:
            asked = headers.get("retry-after", "")
            after = float(asked) if asked.isascii() and asked.isdigit() else _SECONDARY_LIMIT
            raise RateLimited("POST /graphql: GitHub's secondary rate limit is met", retry_after=after)
        if (error.type or "").upper() == "RATE_LIMITED" or "rate limit" in message:
            return True
    return False
