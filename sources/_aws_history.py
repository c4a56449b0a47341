"""AWS' past: builds and executions, one project or pipeline after another, and deployments day by day.

Tokens of pages are good for a while only.  The order of CodeDeploy's lists is not documented, so a day is read to its
end before the one before it.  What alarms went through is in `sources._aws_alarm_history`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from urllib.parse import quote, unquote

import msgspec

from sources._aws import BuildRow, Deployment, build_of, run_of
from sources._aws_alarm_history import incidents
from sources._aws_asking import Ask, NamedReader, Reader
from sources._aws_reading import AlarmReader, BuildReader, DeploymentIds, DeploymentReader, PipelineReader, rows_of
from sources._shared.backwards import moment, oldest, past
from sources._shared.rows import Rows
from statusboard.api import BadAnswer, HistoryUnsupported, NotFound, Past, parse_time

PAGE: Final = 100
SPAN: Final = timedelta(days=1)
LONGEST_TOKEN: Final = 2_048


async def past_of(reader: Reader, ask: Ask, since: datetime, cursor: str) -> Past:
    """One page of the past of a service in a region."""
    match reader:
        case AlarmReader():
            return await incidents(reader, ask, since, cursor)
        case BuildReader():
            return await _one_after_another(reader, partial(_builds, reader), ask, since, cursor)
        case PipelineReader():
            return await _one_after_another(reader, partial(_executions, reader), ask, since, cursor)
        case DeploymentReader():
            return await _deployments(reader, ask, since, cursor)
    raise HistoryUnsupported("nothing tells of its past")


async def _one_after_another(
    reader: NamedReader, read: Callable[[Ask, str, str], Awaitable[Past]], ask: Ask, since: datetime, cursor: str
) -> Past:
    """A page of the project or pipeline that is next; a cursor is its name, and the token of the page."""
    names = sorted(await reader.chosen(ask))
    word, _, token = cursor.partition(" ")
    first = unquote(word)
    left = [name for name in names if name >= first]
    if not left:
        return Past(reached=since)
    name = left[0]
    try:
        page = await read(ask, name, token if name == first else "")
    except NotFound:  # deleted since they were listed
        page = Past()
    further = page.older if page.reached is None or page.reached > since else ""
    following = name if further else next(iter(left[1:]), "")
    return msgspec.structs.replace(
        page,
        older=f"{quote(following, safe='')} {further}".strip(),
        reached=None if following else since,
        share=1 - (len(left) - (0 if further else 1)) / len(names),
    )


async def _builds(reader: BuildReader, ask: Ask, project: str, token: str) -> Past:
    listed = await reader.listed(ask, project, token)
    rows = Rows("build", BuildRow, await reader.builds(ask, listed.ids))
    return past(
        rows,
        lambda row: build_of(reader.place, row),
        older=_following(listed.next_token),
        reached=oldest([parse_time(row.start_time) for row in rows.good]),
    )


async def _executions(reader: PipelineReader, ask: Ask, pipeline: str, token: str) -> Past:
    """Without why some of them failed, which takes a request each."""
    listed = await reader.listed(ask, pipeline, PAGE, token)
    rows = rows_of(listed)
    return past(
        rows,
        lambda row: run_of(reader.place, pipeline, row, ()),
        older=_following(listed.next_token),
        reached=oldest([parse_time(row.start_time) for row in rows.good]),
    )


async def _deployments(reader: DeploymentReader, ask: Ask, since: datetime, cursor: str) -> Past:
    """Deployments that were made within a day; a cursor is when that ends, and the token of the page."""
    word, _, token = cursor.partition(" ")
    until = parse_time(word) or reader.clock.now().replace(microsecond=0)
    begin = max(since, until - SPAN)
    end = int((until + timedelta(seconds=1)).timestamp())  # it may be meant without that moment itself
    body: dict[str, object] = {"createTimeRange": {"start": int(begin.timestamp()), "end": end}}
    listed = await ask("ListDeployments", {**body, "nextToken": token} if token else body, DeploymentIds)
    rows = Rows("deployment", Deployment, await reader.deployments(ask, listed.deployments))
    if following := _following(listed.next_token):
        return past(rows, reader.release, older=f"{moment(until)} {following}", reached=None)
    return past(rows, reader.release, older=moment(begin) if begin > since else "", reached=begin)


def _following(token: str | None) -> str:
    if token and (len(token) > LONGEST_TOKEN or not token.isprintable()):
        raise BadAnswer("the token of the next page is none")
    return token or ""
