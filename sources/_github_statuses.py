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


_ALL_QUERY: Final = (
    "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Deployment "
    "{ id statuses(first: 30) { nodes { state description logUrl environmentUrl createdAt } } } } }"
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


class _Statuses(msgspec.Struct, frozen=True):
    nodes: list[_Status | None]


class _Whole(msgspec.Struct, frozen=True):
    """A Deployment with all its statuses."""

    id: str | None = None
    statuses: _Statuses | None = None


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
        statuses = await self._rest(repo, deployment, 1, http)
        if statuses is None:  # deleted since the list was made
            return DeploymentStatus()
        return statuses[0] if statuses else DeploymentStatus(state="pending")

    @property
    def in_one_request(self) -> bool:
        """Whether those of many deployments can be asked for at once."""
        return bool(self._graphql) and self._clock.monotonic() >= self._off_until

    async def of_all(
        self, repo: str, deployments: Sequence[Deployment], http: Http
    ) -> dict[int, list[DeploymentStatus]]:
        """All statuses of each deployment, the newest first, by id; of one that is deleted none."""
        answer = await self._ask(_ALL_QUERY, deployments, http) if self.in_one_request else None
        whole = {
            node.id: sorted(
                (_of_graphql(status) for status in node.statuses.nodes if status is not None),
                key=lambda status: status.created_at or "",
                reverse=True,
            )
            for node in Rows("deployment", _Whole, answer.nodes if answer else ()).good
            if node.id and node.statuses is not None
        }
        found: dict[int, list[DeploymentStatus]] = {}
        for deployment in deployments:
            if deployment.id is None:
                continue
            statuses = whole.get(deployment.node_id or "")
            if statuses is None:
                statuses = await self._rest(repo, deployment, 100, http)
            found[deployment.id] = statuses or []
        return found

    async def _rest(self, repo: str, deployment: Deployment, limit: int, http: Http) -> list[DeploymentStatus] | None:
        path = f"/repos/{repo}/deployments/{need(deployment.id, 'id')}/statuses"
        try:
            return (await http.get(path, params={"per_page": limit})).decode(list[DeploymentStatus])
        except NotFound:
            return None

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
        data = await self._ask(_QUERY, deployments, http)
        return {} if data is None else _told(data.nodes)

    async def _ask(self, query: str, deployments: Collection[Deployment], http: Http) -> _Data | None:
        """What GraphQL says of these deployments; None where it says nothing, and for a while after that."""
        now = self._clock.monotonic()
        ids = list(dict.fromkeys(d.node_id for d in deployments if d.node_id))
        if not self._graphql or not ids or now < self._off_until:
            return None
        try:
            reply = await http.post(self._graphql, json={"query": query, "variables": {"ids": ids}})
            answer = reply.decode(_Answer)
        except RateLimited:
            return None  # the client knows until when, and REST has a quota of its own
        except (Timeout, TransportError, ServerError):
            self._off_until = now + UNREACHED_FOR
            return None
        except SourceError:
            self._off_until = now + REFUSED_FOR
            return None
        told = answer.data is not None and any(isinstance(node, dict) and "id" in node for node in answer.data.nodes)
        if not told and not _is_limit(answer, reply.headers):
            self._off_until = now + REFUSED_FOR
        return answer.data if told else None


def _of_graphql(status: _Status) -> DeploymentStatus:
    return DeploymentStatus(
        state=None if status.state is None else status.state.lower(),
        description=status.description,
        log_url=status.log_url,
        environment_url=status.environment_url,
        created_at=status.created_at,
    )


def _told(nodes: list[Any]) -> dict[str, DeploymentStatus]:
    told: dict[str, DeploymentStatus] = {}
    for node in Rows("deployment", _Node, nodes).good:
        if node.id is None or node.latest_status is msgspec.UNSET:
            continue
        latest = node.latest_status
        told[node.id] = DeploymentStatus(state="pending") if latest is None else _of_graphql(latest)
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
