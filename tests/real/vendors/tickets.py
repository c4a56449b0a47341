"""Trackers: what each answers when it is asked for open issues, in its documented shape."""

from __future__ import annotations

from typing import Any

from tests.real.vendors.shape import ITEMS, Place, Request, Vendor, deed, login, person

# -- Jira Cloud: developer.atlassian.com/cloud/jira/platform/rest/v3


def _jira(place: Place, ask: Request) -> Any:
    match ask.parts:
        case ["rest", "api", "2", "serverInfo"]:
            return {"baseUrl": "https://acme.atlassian.example", "deploymentType": "Cloud", "version": "1001.0.0"}
        case ["rest", "api", "3", "search", "jql"]:
            return {"issues": [_jira_issue(place, n) for n in range(ITEMS)], "isLast": True}
    return None


def _jira_issue(place: Place, n: int) -> dict[str, Any]:
    site = "https://acme.atlassian.example/rest/api/3"
    category = {"id": 2, "key": "new", "colorName": "blue-gray", "name": "To Do", "self": f"{site}/statuscategory/2"}

    def who(number: int) -> dict[str, Any]:
        return {
            "self": f"{site}/user?accountId=a{number % 6}",
            "accountId": f"a{number % 6}",
            "emailAddress": f"{login(number)}@acme.example",
            "avatarUrls": dict.fromkeys(("48x48", "24x24", "16x16", "32x32"), "https://avatars.example/x"),
            "displayName": person(number),
            "active": True,
            "timeZone": "Etc/UTC",
        }

    fields = {
        "summary": deed(n),
        "status": {"self": f"{site}/status/1", "name": "To Do", "id": "1", "statusCategory": category},
        "priority": {"self": f"{site}/priority/2", "iconUrl": "x", "name": "High", "id": "2"},
        "assignee": who(n),
        "reporter": who(n + 1),
        "resolution": None,
        "issuetype": {"self": f"{site}/issuetype/1", "id": "1", "name": "Bug", "subtask": False, "iconUrl": "x"},
        "project": {"self": f"{site}/project/1", "id": "1", "key": f"S{place.number}", "name": place.name},
        "labels": [place.name],
        "components": [{"self": f"{site}/component/1", "id": "1", "name": "cart"}],
        "created": place.iso(n),
        "updated": place.iso(n, 9),
        "resolutiondate": None,
        "duedate": None,
        "statuscategorychangedate": place.iso(n),
    }
    id = str(place.id(n))
    return {"expand": "", "id": id, "self": f"{site}/issue/{id}", "key": f"S{place.number}-{ITEMS - n}"} | {
        "fields": fields
    }


# -- Linear: its GraphQL schema


def _linear(place: Place, ask: Request) -> Any:
    if ask.method != "POST":
        return None
    nodes = [_linear_issue(place, n) for n in range(ITEMS)]
    page = {"hasNextPage": False, "endCursor": None}
    return {"data": {"teams": {"nodes": [{"key": "ENG"}]}, "issues": {"nodes": nodes, "pageInfo": page}}}


def _linear_issue(place: Place, n: int) -> dict[str, Any]:
    name = f"S{place.number}-{ITEMS - n}"
    return {
        "id": f"uuid-{place.id(n)}",
        "identifier": name,
        "title": deed(n),
        "url": f"https://linear.example/acme/issue/{name}/title",
        "priority": 1 + n % 4,
        "trashed": None,
        "createdAt": place.iso(n),
        "updatedAt": place.iso(n, 9),
        "completedAt": None,
        "canceledAt": None,
        "dueDate": None,
        "state": {"name": "Todo", "type": "unstarted"},
        "team": {"name": place.name},
        "project": {"name": "Checkout"},
        "assignee": {"displayName": login(n)},
        "creator": {"displayName": login(n + 1)},
        "labels": {"nodes": [{"name": "bug"}, {"name": "customer"}]},
    }


# -- Redmine: redmine.org/projects/redmine/wiki/Rest_Issues


def _redmine(place: Place, ask: Request) -> Any:
    match ask.parts:
        case ["issues.json"]:
            rows = [_redmine_issue(place, n) for n in range(ITEMS)]
            return {"issues": rows, "total_count": len(rows), "offset": 0, "limit": 100}
    return None


def _redmine_issue(place: Place, n: int) -> dict[str, Any]:
    return {
        "id": place.id(n),
        "project": {"id": place.number, "name": place.name},
        "tracker": {"id": 1, "name": "Bug"},
        "status": {"id": 1, "name": "New", "is_closed": False},
        "priority": {"id": 3, "name": "High"},
        "author": {"id": 1, "name": person(n)},
        "assigned_to": {"id": 5, "name": person(n + 1)},
        "category": {"id": 1, "name": "Cart"},
        "subject": deed(n),
        "description": "What is to be done, and why.\n" * 5,
        "start_date": place.iso(n)[:10],
        "due_date": None,
        "done_ratio": 0,
        "is_private": False,
        "estimated_hours": None,
        "custom_fields": [{"id": 1, "name": "Affected version", "value": "1.4"}],
        "created_on": place.iso(n),
        "updated_on": place.iso(n, 9),
        "closed_on": None,
    }


# -- Roundup: roundup-tracker.org/docs/rest


def _roundup(place: Place, ask: Request) -> Any:
    match ask.parts:
        case ["rest", "data", "status"]:
            rows = [{"id": "1", "name": "unread"}, {"id": "8", "name": "resolved"}]
            return {"data": {"collection": rows, "@total_size": len(rows)}}
        case ["rest", "data", "issue"]:
            rows = [_roundup_issue(place, n) for n in range(ITEMS)]
            return {"data": {"collection": rows, "@total_size": len(rows)}}
    return None


def _roundup_issue(place: Place, n: int) -> dict[str, Any]:
    def linked(kind: str, id: int, **name: str) -> dict[str, Any]:
        return {"id": str(id), "link": f"https://bugs.example/rest/data/{kind}/{id}", **name}

    number = place.id(n)
    return {
        **linked("issue", number),
        "title": deed(n),
        "status": linked("status", 1, name="unread"),
        "priority": linked("priority", 2, name="urgent"),
        "assignedto": linked("user", 3, username=login(n)),
        "creator": linked("user", 1, username=login(n + 1)),
        "creation": place.at(n).strftime("%Y-%m-%d.%H:%M:%S"),
        "activity": place.at(n, 9).strftime("%Y-%m-%d.%H:%M:%S"),
    }


def _nothing(place: Place) -> dict[str, Any]:
    return {}


VENDORS = (
    Vendor("jira", _nothing, _jira),
    Vendor("linear", _nothing, _linear),
    Vendor("redmine", _nothing, _redmine),
    Vendor("roundup", _nothing, _roundup),
)
