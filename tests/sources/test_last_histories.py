"""The past of Argo CD, status pages, incident.io and Roundup; and of what lies on this machine: clones and logs."""

from __future__ import annotations

import gzip
import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from sources.argocd import ArgoCD
from sources.deploy_log import DeployLog
from sources.git import Git
from sources.incident_io import IncidentIo
from sources.roundup import Roundup
from sources.statuspage import Statuspage
from statusboard.clock import FakeClock
from statusboard.model import Release
from statusboard.source import Past, history_of, scopes_of
from statusboard.testing import Answer, Call, FakeHttp, HistoryContract, make_source
from tests.sources import test_argocd, test_incident_io, test_roundup, test_statuspage
from tests.sources.pasts import NOW, at, within
from tests.sources.test_git import Clone

HTTP = FakeHttp(lambda call: Answer(status=500))


def applications() -> test_argocd.Server:
    """Some with three syncs each, and one with none."""
    server = test_argocd.Server()
    server.apps = [test_argocd.app(f"app-{n:02}", operationState=None, history=[]) for n in range(23)]
    for app in server.apps[1:]:
        app["status"]["history"] = [
            test_argocd.past(k, deployStartedAt=at(24 * (9 - k) + 2), deployedAt=at(24 * (9 - k) + 1))
            for k in (7, 8, 9)
        ]
    return server


class TestArgoCD(HistoryContract):
    source = ArgoCD
    options: ClassVar = {"url": test_argocd.URL}
    expected = 22 * 3
    server: ClassVar = applications()

    def vendor(self, call: Call) -> Answer:
        return self.server(call)


class TestStatuspage(HistoryContract):
    source = Statuspage
    options: ClassVar = {"url": test_statuspage.URL}
    expected = 30

    def vendor(self, call: Call) -> Answer:
        if call.path == "/api/v2/summary.json":
            return Answer.of({"page": {"name": "Acme"}, "status": {"indicator": "none"}, "incidents": []})
        rows = [
            test_statuspage.incident(
                f"i{n}", "resolved", created_at=at(24 * n + 3), started_at=at(24 * n + 3), resolved_at=at(24 * n + 1)
            )
            for n in range(50)
        ]
        return Answer.of({"incidents": rows})


class TestIncidentIo(HistoryContract):
    source = IncidentIo
    expected = 360
    incidents: ClassVar = [
        test_incident_io.incident(
            900 - n,
            "closed",
            created_at=at(2 * n + 1),
            incident_timestamp_values=[test_incident_io.happened("Resolved at", at(2 * n + 0.5))],
        )
        for n in range(600)
    ]

    def vendor(self, call: Call) -> Answer:
        if call.path == "/v1/severities":
            return Answer.of({"severities": [test_incident_io.severity(1)]})
        assert call.query["status_category[one_of]"] == ["learning", "closed"]
        rows = within(self.incidents, "created_at", call.param("created_at[gte]"))
        after = call.param("after")
        first = next((n + 1 for n, row in enumerate(rows) if row["id"] == after), 0)
        some = rows[first : first + 250]
        following = some[-1]["id"] if first + 250 < len(rows) else None
        return Answer.of({"incidents": some, "pagination_meta": {"after": following}})


class TestRoundup(HistoryContract):
    source = Roundup
    options: ClassVar = {"url": test_roundup.URL}
    expected = 180
    issues: ClassVar = [
        test_roundup.issue(
            900 - n,
            8,
            creation=at(4 * n + 9).replace("T", ".").rstrip("Z"),
            activity=at(4 * n + 1).replace("T", ".").rstrip("Z"),
        )
        for n in range(400)
    ]

    def vendor(self, call: Call) -> Answer:
        if call.path.endswith("/status"):
            return test_roundup.Server()(call)
        assert call.param("status") == "7,8" and call.param("@sort") == "-activity"
        size, page = int(call.param("@page_size")), int(call.param("@page_index"))
        some = self.issues[size * (page - 1) : size * page]
        return Answer.of({"data": {"collection": some, "@total_size": len(self.issues)}})


# -- on this machine -------------------------------------------------------------------------------------------------


async def pages(source: Any, since: datetime) -> list[Past]:
    """All pages of all scopes."""
    found: list[Past] = []
    for scope in await scopes_of(source, HTTP):
        cursor = ""
        while True:
            page = await history_of(source, scope, HTTP, since=since, cursor=cursor)
            found.append(page)
            if not page.older:
                break
            cursor = page.older
    return found


def releases(found: list[Past]) -> list[Release]:
    return [item for page in found for item in page.items if isinstance(item, Release)]


async def test_all_tags_of_a_clone(tmp_path: Path):
    clone = Clone(tmp_path / "shop")
    for number in range(6):
        clone.commit(f"Change {number}")
        clone.git("tag", f"v1.{number}")
    source = make_source(Git, {"path": str(clone.path), "limit": 2, "environment": "production"})
    (page,) = await pages(source, datetime.fromtimestamp(0, NOW.tzinfo))
    assert [(item.version, item.previous_version) for item in releases([page])] == [
        ("v1.5", "v1.4"), ("v1.4", "v1.3"), ("v1.3", "v1.2"), ("v1.2", "v1.1"), ("v1.1", "v1.0"), ("v1.0", "")
    ]  # fmt: skip
    newest = releases([page])[0].started_at
    assert newest is not None
    (some,) = await pages(source, newest)
    assert [item.version for item in releases([some])] == ["v1.5"]


async def test_all_merges_of_a_clone(tmp_path: Path):
    clone = Clone(tmp_path / "shop")
    clone.commit("Begin")
    for number in range(5):
        clone.merge(f"Merge branch 'b{number}'")
    source = make_source(Git, {"path": str(clone.path), "limit": 1, "merges": "main"})
    (page,) = await pages(source, datetime.fromtimestamp(0, NOW.tzinfo))
    found = releases([page])
    assert len(found) == 5 and found[0].previous_version == found[1].version
    third = found[2].started_at
    assert third is not None
    (some,) = await pages(source, third)
    assert [item.version for item in releases([some])] == [item.version for item in found[:3]]
    assert releases([some])[-1].previous_version == found[3].version


def line(number: int, hours: float, **more: Any) -> str:
    told = {"id": f"r{number}", "time": at(hours), "service": "shop", "version": f"1.{number}", "state": "success"}
    return json.dumps({**told, **more}) + "\n"


async def test_a_log_with_all_that_was_rotated(tmp_path: Path):
    log = tmp_path / "deploys.jsonl"
    log.write_text("".join(line(n, 2000 - n) for n in range(1500, 2000)) + "nonsense\n")
    for week in range(5):
        text = "".join(line(n, 2000 - n) for n in range(300 * week, 300 * (week + 1)))
        file = tmp_path / f"deploys.jsonl.{5 - week}.gz"
        file.write_bytes(gzip.compress(text.encode()))
        stamp = (NOW - timedelta(hours=2000 - 300 * (week + 1))).timestamp()
        os.utime(file, (stamp, stamp))
    source = make_source(DeployLog, {"path": str(log), "limit": 10}, FakeClock(NOW))
    found = await pages(source, NOW - timedelta(days=60))
    since = NOW - timedelta(days=60)
    keys = [item.key for item in releases(found)]
    assert len({item.key for item in releases(found) if item.ended_at and item.ended_at >= since}) == 60 * 24
    assert max(len(page.items) for page in found) <= 500
    assert found[0].notes == ("1 bad line skipped",) and found[-1].reached == NOW - timedelta(days=60)
    # What the board reads goes by the same key.
    scope = (await scopes_of(source, HTTP))[0]
    part = await source.read(scope_started(scope), HTTP)
    assert {item.key for item in part.items} <= set(keys)


def scope_started(scope: Any) -> Any:
    import msgspec

    return msgspec.structs.replace(scope, started_at=NOW)


async def test_many_lines_of_one_second(tmp_path: Path):
    log = tmp_path / "deploys.jsonl"
    log.write_text("".join(line(n, 5) for n in range(1200)))
    source = make_source(DeployLog, {"path": str(log)}, FakeClock(NOW))
    assert len({item.key for item in releases(await pages(source, NOW - timedelta(days=1)))}) == 1200
