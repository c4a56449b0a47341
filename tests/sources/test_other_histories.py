"""The past of TeamCity, Jira, PagerDuty, Sentry and Datadog."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, ClassVar

from sources._jira_history import done
from sources.datadog import Datadog
from sources.jira import Jira
from sources.pagerduty import PagerDuty
from sources.sentry import Sentry
from sources.teamcity import TeamCity
from statusboard.clock import parse_time
from statusboard.model import Incident
from statusboard.testing import Answer, Call, HistoryContract
from tests.sources import test_datadog, test_jira, test_pagerduty, test_sentry, test_teamcity
from tests.sources.pasts import NOW, at, within


def compact(hours: float) -> str:
    return at(hours).replace("-", "").replace(":", "").replace("Z", "+0000")


class TestTeamCity(HistoryContract):
    source = TeamCity
    options: ClassVar = {"url": test_teamcity.URL, "projects": ("Shop",)}
    expected = 360
    builds: ClassVar = [
        test_teamcity.build(
            900 - n, queuedDate=compact(2 * n + 1.5), startDate=compact(2 * n + 1), finishDate=compact(2 * n + 0.5)
        )
        for n in range(600)
    ]

    def vendor(self, call: Call) -> Answer:
        locator = call.param("locator")
        assert "state:finished" in locator and "lookupLimit" in locator and "defaultFilter:false" in locator
        after = re.search(r"startDate:\(date:([^,]+),condition:after\)", locator)
        before = re.search(r"startDate:\(date:([^,]+),condition:before\)", locator)
        assert after is not None
        rows = [
            row for row in self.builds if after[1] < row["startDate"] and (not before or row["startDate"] < before[1])
        ]
        start, count = (int(re.search(rf"{word}:(\d+)", locator)[1]) for word in ("start", "count"))  # type: ignore[index]
        some = rows[start : start + count]
        return Answer.of({"count": len(some), "build": some})


class JiraPast(HistoryContract):
    source = Jira
    cloud = True
    issues: ClassVar = [
        test_jira.issue(
            900 - n,
            "done",
            kind="Incident" if n % 3 == 0 else "Bug",
            created=at(8 * n + 30),
            updated=at(8 * n + 1),
            resolutiondate=at(8 * n + 1),
        )
        for n in range(300)
    ]

    def vendor(self, call: Call) -> Answer:
        if call.path.endswith("/serverInfo"):
            kind = "Cloud" if self.cloud else "Server"
            return Answer.of({"baseUrl": test_jira.CLOUD, "deploymentType": kind})
        jql = call.param("jql")
        rows = self.issues
        if jql.startswith("(id in ("):
            ids = re.search(r"id in \(([\d, ]+)\)", jql)
            assert ids is not None
            some = [row for row in rows if row["id"] in ids[1].split(", ")]
            return Answer.of({"issues": [row for row in some if row["fields"]["issuetype"]["name"] == "Incident"]})
        assert "statusCategory = Done" in jql and "!=" not in jql and jql.endswith("ORDER BY updated DESC")
        days = re.search(r"updated >= -(\d+)d", jql)
        assert days is not None
        rows = [row for row in rows if row["fields"]["updated"] >= at(24 * int(days[1]))]
        if "Incident" in jql:
            rows = [row for row in rows if row["fields"]["issuetype"]["name"] == "Incident"]
        first = int(call.param("nextPageToken" if self.cloud else "startAt", "0") or 0)
        some, more = rows[first : first + 100], first + 100 < len(rows)
        if not self.cloud:
            return Answer.of({"issues": some, "total": len(rows)})
        return Answer.of({"issues": some, "isLast": not more, **({"nextPageToken": str(first + 100)} if more else {})})


class TestJiraCloud(JiraPast):
    options: ClassVar = {"url": test_jira.CLOUD, "incident_jql": "issuetype = Incident"}
    expected = 90


class TestJiraDataCenter(JiraPast):
    options: ClassVar = {"url": test_jira.SITE, "projects": ("SHOP",)}
    expected = 90
    cloud = False


def test_what_a_query_means_once_it_is_done():
    assert done("statusCategory != Done AND updated >= -30d") == (
        "(statusCategory = Done AND updated IS NOT EMPTY) AND statusCategory = Done"
    )
    assert done("project = A AND resolution = Unresolved") == (
        "(project = A AND statusCategory = Done) AND statusCategory = Done"
    )
    assert done('labels = "x"') == '(labels = "x") AND statusCategory = Done'


class TestPagerDuty(HistoryContract):
    source = PagerDuty
    options: ClassVar = {"token": "env:HOME"}
    expected = 180
    days = 30
    incidents: ClassVar = [
        test_pagerduty.incident(
            900 - n,
            "resolved",
            created_at=at(4 * n + 2),
            resolved_at=at(4 * n + 1),
            last_status_change_at=at(4 * n + 1),
        )
        for n in range(1400)
    ]

    def vendor(self, call: Call) -> Answer:
        low, high = call.param("since"), call.param("until")
        span = parse_time(high), parse_time(low)
        assert span[0] and span[1] and timedelta(0) < span[0] - span[1] <= timedelta(days=180)
        first, limit = int(call.param("offset")), int(call.param("limit"))
        assert first + limit <= 10_000
        if call.path == "/log_entries":
            rows: list[dict[str, Any]] = [
                {
                    "type": "acknowledge_log_entry",
                    "created_at": row["created_at"],
                    "agent": {"id": "PANN", "summary": "Ann"},
                    "incident": {"id": row["id"]},
                }
                for row in within(self.incidents, "created_at", low, high)
            ]
            return Answer.of({"log_entries": rows[first : first + limit], "more": first + limit < len(rows)})
        assert call.param("statuses[]") == "resolved" and call.param("sort_by") == "created_at:desc"
        rows = [row for row in within(self.incidents, "created_at", low) if row["created_at"] < high]
        return Answer.of({"incidents": rows[first : first + limit], "more": first + limit < len(rows)})

    def test_half_a_year_is_the_most_at_once(self) -> None:
        walk = self.walk(days=220)
        assert len([item for item in walk.items.values() if item.started_at and item.started_at > NOW]) == 0
        assert len(walk.items) == 220 * 6

    def test_a_quiet_half_year_is_not_the_end(self) -> None:
        class Quiet(TestPagerDuty):
            incidents: ClassVar = [row for row in TestPagerDuty.incidents if row["created_at"] < at(200 * 24)]

        assert len(Quiet().walk(days=220).items) == 20 * 6

    def test_who_answered_is_told_by_the_log(self) -> None:
        incident = self.walk(days=1).items["pagerduty:incident:Q900"]
        assert isinstance(incident, Incident) and incident.acknowledged_by == "Ann"
        assert incident.acknowledged_at == incident.started_at


class SentryPast(HistoryContract):
    source = Sentry
    beyond = 400
    issues: ClassVar = [
        test_sentry.issue(
            900 - n,
            "resolved",
            firstSeen=at(8 * n + 9),
            lastSeen=at(8 * n + 2),
            activity=[{"type": "set_resolved", "dateCreated": at(8 * n + 1), "user": {"name": "Ann"}}],
        )
        for n in range(150)
    ]
    releases: ClassVar = [
        test_sentry.release(
            f"web@{500 - n}",
            test_sentry.deploy(2 * n + 1, "qa", dateStarted=at(12 * n + 2), dateFinished=at(12 * n + 1.5)),
            test_sentry.deploy(2 * n, "prod", dateStarted=at(12 * n + 1), dateFinished=at(12 * n + 0.5)),
            dateCreated=at(12 * n + 3),
            dateReleased=at(12 * n + 3),
        )
        for n in range(220)
    ]

    def vendor(self, call: Call) -> Answer:
        match call.path.removeprefix(test_sentry.ROOT).strip("/").split("/"):
            case ["api", "0", "projects", *_]:
                return Answer.of({"id": "2"})
            case ["issues"]:
                assert "is:resolved" in call.param("query") and "is:unresolved" not in call.param("query")
                return self.cursors(within(self.issues, "lastSeen", call.param("start")), call, "limit")
            case ["issues", key]:
                return Answer.of(next(row for row in self.issues if row["id"] == key))
            case ["releases"]:
                return self.cursors(self.releases, call, "per_page")
            case _:
                number = int(call.path.removesuffix("/deploys/").rpartition("@")[2].rpartition("%40")[2])
                n = 500 - number
                return Answer.of(
                    [
                        test_sentry.deploy(2 * n + 1, "qa", dateStarted=at(12 * n + 2), dateFinished=at(12 * n + 1.5)),
                        test_sentry.deploy(2 * n, "prod", dateStarted=at(12 * n + 1), dateFinished=at(12 * n + 0.5)),
                    ]
                )

    @staticmethod
    def cursors(rows: list[Any], call: Call, size: str) -> Answer:
        count, page = int(call.param(size)), int((call.param("cursor") or "0:0:0").split(":")[1])
        more = "true" if (page + 1) * count < len(rows) else "false"
        url = f"{test_sentry.API}{call.path}?cursor=0:{page + 1}:0"
        link = f'<{url}>; rel="next"; results="{more}"; cursor="0:{page + 1}:0"'
        return Answer.of(rows[page * count : (page + 1) * count], link=link)


class TestSentryIssues(SentryPast):
    options: ClassVar = {**test_sentry.OPTIONS, "kinds": ("incident",)}
    expected = 90

    def test_an_issue_says_when_it_was_resolved_and_by_whom(self) -> None:
        incident = self.walk(days=1).items["sentry:incident:900"]
        assert isinstance(incident, Incident) and incident.actor == "Ann"
        assert incident.ended_at is not None and f"{incident.ended_at:%Y-%m-%dT%H:%M:%SZ}" == at(1)


class TestSentryReleases(SentryPast):
    options: ClassVar = {**test_sentry.OPTIONS, "kinds": ("release",)}
    expected = 60 + 120


class TestDatadog(HistoryContract):
    source = Datadog
    options: ClassVar = {"token": "env:HOME", "password": "env:HOME", "incidents": True}
    expected = 120
    incidents: ClassVar = [
        test_datadog.declared(900 - n, "resolved", created=at(6 * n + 1), detected=None, resolved=at(6 * n + 0.5))
        for n in range(300)
    ]

    def vendor(self, call: Call) -> Answer:
        assert call.path == "/api/v2/incidents/search" and call.param("query") == "state:resolved"
        first, size = int(call.param("page[offset]")), int(call.param("page[size]"))
        return Answer.of({"data": {"attributes": {"incidents": self.incidents[first : first + size]}}})

    def test_monitors_have_none_and_say_why(self) -> None:
        walk = self.walk()
        assert "only how it stands now" in walk.unsupported["monitors"]
