"""Alerts and incidents: what each vendor answers when it is asked for what is open, in its documented shape."""

from __future__ import annotations

from typing import Any

from tests.real.vendors.shape import ITEMS, Place, Request, Vendor, login, person

FAULTS = (
    "Errors above 5% for ten minutes",
    "The disk is full in four hours",
    "p99 above 2 s",
    "No replica is ready",
    "The certificate ends in three days",
)


def _fault(place: Place, n: int) -> str:
    return f"{FAULTS[n % len(FAULTS)]}: {place.name} {n}"


# -- Alertmanager: its api/v2/openapi.yaml


def _alertmanager(place: Place, ask: Request) -> Any:
    match ask.parts:
        case ["api", "v2", "alerts"]:
            return [_alert(place, n) for n in range(ITEMS)]
        case ["api", "v2", "status"]:
            return {"uptime": place.iso(ITEMS), "cluster": {"status": "ready", "peers": []}}
    return None


def _alert(place: Place, n: int) -> dict[str, Any]:
    return {
        "annotations": {
            "summary": _fault(place, n),
            "description": f"On host {n}: look at the graph first.",
            "runbook_url": "https://runbooks.example/errors",
        },
        "endsAt": place.iso(n, 60),
        "fingerprint": f"{place.id(n):016x}",
        "receivers": [{"name": "pager"}],
        "startsAt": place.iso(n),
        "status": {"inhibitedBy": [], "mutedBy": [], "silencedBy": [], "state": "active"},
        "updatedAt": place.iso(n, 30),
        "generatorURL": f"https://prometheus.example/graph?g0.expr=errors&g0.tab={n}",
        "labels": {
            "alertname": f"Errors{n}",
            "severity": ("critical", "warning")[n % 2],
            "service": place.name,
            "namespace": "production",
            "instance": f"10.0.0.{n}:9100",
            "job": "node",
        },
    }


# -- PagerDuty: developer.pagerduty.com/api-reference


def _pagerduty(place: Place, ask: Request) -> Any:
    policy = _reference("escalation_policy", f"PPOL{place.number:03}", "By day")
    match ask.parts:
        case ["incidents"]:
            rows = [_page(place, n, policy) for n in range(ITEMS)]
            return {"incidents": rows, "limit": 100, "offset": 0, "more": False, "total": None}
        case ["oncalls"]:
            row = {"escalation_policy": policy, "escalation_level": 1, "user": _reference("user", "PUSER1", "Ann")}
            return {"oncalls": [row], "limit": 100, "offset": 0, "more": False, "total": None}
    return None


def _reference(kind: str, id: str, summary: str) -> dict[str, Any]:
    site, name = "https://acme.pagerduty.example", f"{kind}_reference"
    return {"id": id, "type": name, "summary": summary, "self": f"{site}/{kind}/{id}", "html_url": f"{site}/{id}"}


def _page(place: Place, n: int, policy: dict[str, Any]) -> dict[str, Any]:
    number = place.id(n)
    return {
        "id": f"Q{number}",
        "type": "incident",
        "summary": f"[#{number}] {_fault(place, n)}",
        "self": f"https://api.pagerduty.example/incidents/Q{number}",
        "html_url": f"https://acme.pagerduty.example/incidents/Q{number}",
        "incident_number": number,
        "title": _fault(place, n),
        "created_at": place.iso(n),
        "updated_at": place.iso(n, 5),
        "status": "triggered",
        "incident_key": f"key-{number}",
        "service": _reference("service", f"PSVC{place.number}", place.name),
        "assignments": [{"at": place.iso(n, 2), "assignee": _reference("user", f"PU{n % 6}", person(n))}],
        "assigned_via": "escalation_policy",
        "last_status_change_at": place.iso(n, 3),
        "resolved_at": None,
        "first_trigger_log_entry": _reference("trigger_log_entry", f"R{number}", "Triggered through the API"),
        "alert_counts": {"all": 1, "triggered": 1, "resolved": 0},
        "is_mergeable": True,
        "escalation_policy": policy,
        "teams": [_reference("team", "PTEAM1", "Payments")],
        "pending_actions": [],
        "acknowledgements": [],
        "basic_alert_grouping": None,
        "last_status_change_by": _reference("service", f"PSVC{place.number}", place.name),
        "priority": None,
        "incidents_responders": [],
        "responder_requests": [],
        "urgency": "high",
    }


# -- incident.io: api-docs.incident.io


def _incident_io(place: Place, ask: Request) -> Any:
    match ask.parts:
        case ["v2", "incidents"]:
            rows = [_declared(place, n) for n in range(ITEMS)]
            return {"incidents": rows, "pagination_meta": {"page_size": 250, "total_record_count": len(rows)}}
        case ["v1", "severities"]:
            return {"severities": [{"id": f"SEV{n}", "name": f"Level {n}", "rank": n} for n in range(3)]}
    return None


def _declared(place: Place, n: int) -> dict[str, Any]:
    lead = {"id": f"U{n % 6}", "name": person(n), "email": f"{login(n)}@acme.example", "role": "responder"}
    return {
        "id": f"01INC{place.id(n)}",
        "reference": f"INC-{place.id(n)}",
        "name": _fault(place, n),
        "summary": "Writes are slow.",
        "mode": "standard",
        "visibility": "public",
        "permalink": f"https://app.incident.example/acme/incidents/{place.id(n)}",
        "slack_channel_name": f"inc-{place.id(n)}",
        "slack_channel_id": f"C{n}",
        "slack_team_id": "T1",
        "created_at": place.iso(n),
        "updated_at": place.iso(n, 30),
        "incident_status": {"id": "S", "category": "live", "name": "Fixing", "rank": 2, "description": "at it"},
        "severity": {"id": f"SEV{n % 3}", "name": f"Level {n % 3}", "rank": n % 3, "description": "what it means"},
        "incident_type": {"id": "T", "name": "Production", "description": "in production"},
        "creator": {"user": lead},
        "incident_role_assignments": [
            {"role": {"id": "lead", "name": "Incident Lead", "role_type": "lead"}, "assignee": lead}
        ],
        "incident_timestamp_values": [
            {
                "incident_timestamp": {"id": "R", "name": "Reported at", "rank": 1},
                "value": {"value": place.iso(n)},
            }
        ],
        "custom_field_entries": [
            {
                "custom_field": {"id": "F1", "name": "Service", "field_type": "single_select", "options": []},
                "values": [{"value_catalog_entry": {"id": "C", "name": place.name}}],
            }
        ],
    }


# -- Sentry: docs.sentry.io/api/events


def _sentry(place: Place, ask: Request) -> Any:
    match ask.parts:
        case ["api", "0", "organizations", "acme", "issues"]:
            return [_issue(place, n) for n in range(ITEMS)]
    return None


def _issue(place: Place, n: int) -> dict[str, Any]:
    number = place.id(n)
    return {
        "id": str(number),
        "shareId": None,
        "shortId": f"WEB-{number}",
        "title": f"TypeError: {_fault(place, n)}",
        "culprit": "till.open",
        "permalink": f"https://acme.sentry.example/issues/{number}/",
        "logger": None,
        "level": "error",
        "status": "unresolved",
        "statusDetails": {},
        "substatus": "ongoing",
        "isPublic": False,
        "platform": "python",
        "project": {"id": "2", "name": place.name, "slug": place.name, "platform": "python"},
        "type": "error",
        "metadata": {"value": "the till is none", "type": "TypeError", "filename": "till.py", "function": "open"},
        "numComments": 0,
        "assignedTo": {"type": "user", "id": "1", "name": person(n), "email": f"{login(n)}@acme.example"},
        "isBookmarked": False,
        "isSubscribed": True,
        "hasSeen": True,
        "annotations": [],
        "issueType": "error",
        "issueCategory": "error",
        "priority": "medium",
        "isUnhandled": True,
        "count": "17",
        "userCount": 3,
        "firstSeen": place.iso(n),
        "lastSeen": place.began.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "stats": {"24h": [[place.unix(hour), hour] for hour in range(24)]},
        "lifetime": {"count": "1500", "userCount": 12, "firstSeen": place.iso(n)},
    }


# -- Datadog: docs.datadoghq.com/api/latest/monitors


def _datadog(place: Place, ask: Request) -> Any:
    match ask.parts:
        case ["api", "v1", "monitor"]:
            return [_monitor(place, n) for n in range(ITEMS)]
        case ["api", "v2", "downtime"]:
            return {"data": [], "meta": {"page": {"total_filtered_count": 0}}}
    return None


def _monitor(place: Place, n: int) -> dict[str, Any]:
    at = place.unix(n)
    group = {"status": "Alert", "name": "*", "last_triggered_ts": at, "last_nodata_ts": 0, "last_notified_ts": at}
    return {
        "id": place.id(n),
        "org_id": 1,
        "name": _fault(place, n),
        "message": "p95 is over 2 s. Look at the dashboard first. @slack-payments",
        "type": "query alert",
        "query": "avg(last_5m):p95:till.seconds{env:prod} by {host} > 2",
        "tags": [f"service:{place.name}", "team:payments", "env:prod"],
        "priority": 1 + n % 4,
        "multi": False,
        "created": place.iso(n),
        "modified": place.iso(n),
        "creator": {"name": person(n), "handle": f"{login(n)}@acme.example", "email": f"{login(n)}@acme.example"},
        "overall_state": "Alert",
        "overall_state_modified": place.iso(n),
        "options": {"notify_no_data": False, "silenced": {}, "thresholds": {"critical": 2.0, "warning": 1.5}},
        "state": {"groups": {"*": group}},
        "matching_downtimes": [],
        "restricted_roles": None,
        "deleted": None,
    }


# -- Statuspage: <page>/api/v2


def _statuspage(place: Place, ask: Request) -> Any:
    match ask.parts:
        case ["api", "v2", "summary.json"]:
            return {
                "page": {"id": "p", "name": place.name, "url": "https://status.example", "time_zone": "Etc/UTC"},
                "status": {"indicator": "major", "description": "Partial System Outage"},
                "components": [],
                "incidents": [_outage(place, n) for n in range(ITEMS)],
                "scheduled_maintenances": [],
            }
    return None


def _outage(place: Place, n: int) -> dict[str, Any]:
    id = f"i{place.id(n)}"
    update = {"id": f"u{n}", "incident_id": id, "body": "We are looking.", "status": "investigating"}
    times = {"created_at": place.iso(n), "updated_at": place.iso(n, 5)}
    return {
        "id": id,
        "name": _fault(place, n),
        "status": "investigating",
        "impact": ("major", "minor", "critical")[n % 3],
        "shortlink": f"https://stspg.example/{id}",
        "page_id": "p",
        "started_at": place.iso(n),
        "monitoring_at": None,
        "resolved_at": None,
        **times,
        "incident_updates": [{**update, **times, "display_at": place.iso(n, 5), "affected_components": []}],
        "components": [],
    }


# -- Icinga 2: icinga.com/docs/icinga-2/latest/doc/12-icinga2-api; 50 hosts with a service each


def _icinga2(place: Place, ask: Request) -> Any:
    what = ask.parts[-1]
    rows = {"hosts": [_checked(place, n) for n in range(50)], "services": [_checked(place, n) for n in range(50, 100)]}
    results = []
    for row in rows.get(what, []):
        attrs = {**row, **({"host_name": row["name"], "name": "disk", "state": 2} if what == "services" else {})}
        joins = {"host": {"display_name": row["name"].title(), "problem": False, "groups": ["web"]}}
        results.append({"attrs": attrs, "joins": joins, "meta": {}, "name": row["name"], "type": "Host"})
    return {"results": results}


def _checked(place: Place, n: int) -> dict[str, Any]:
    return {
        "name": f"{place.name}-{n}",
        "display_name": f"{place.name}-{n}",
        "problem": True,
        "state": 1,
        "state_type": 1,
        "last_reachable": True,
        "acknowledgement": 0,
        "acknowledgement_last_change": 0,
        "downtime_depth": 0,
        "flapping": False,
        "last_state_up": place.unix(n) + 0.25,
        "last_state_ok": place.unix(n) + 0.25,
        "last_state_change": place.unix(n, 1) + 0.5,
        "last_hard_state_change": place.unix(n, 3) + 0.5,
        "last_check_result": {"output": f"CRITICAL - {_fault(place, n)}|rta=5ms"},
        "notes_url": "https://wiki.example/web",
        "groups": ["web"],
    }


# -- Checkmk: its REST API, domain-types/host and service; 50 hosts with a service each


def _checkmk(place: Place, ask: Request) -> Any:
    kind = ask.parts[-3]
    shape = {"host": _checkmk_host, "service": _checkmk_service}[kind]
    members = [
        {"domainType": kind, "id": str(n), "title": str(n), "links": [], "members": {}, "extensions": shape(place, n)}
        for n in range(50)
    ]
    return {"id": kind, "domainType": kind, "links": [], "value": members, "extensions": {}}


def _checkmk_host(place: Place, n: int) -> dict[str, Any]:
    return {**_checkmk_row(place, n), "name": f"{place.name}-{n}", "alias": f"Host {n}", "groups": ["web"], "state": 1}


def _checkmk_service(place: Place, n: int) -> dict[str, Any]:
    of_host = {"host_name": f"{place.name}-{50 + n}", "host_alias": f"Host {n}", "host_groups": ["web"]}
    well = {"host_state": 0, "host_has_been_checked": 1}
    planned = {"host_scheduled_downtime_depth": 0, "host_downtimes_with_extra_info": []}
    return {**_checkmk_row(place, 50 + n), **of_host, **well, **planned, "description": "Disk /"}


def _checkmk_row(place: Place, n: int) -> dict[str, Any]:
    return {
        "state": 2,
        "state_type": 1,
        "has_been_checked": 1,
        "plugin_output": _fault(place, n),
        "long_plugin_output": "",
        "last_time_ok": place.unix(n),
        "last_time_up": place.unix(n),
        "last_state_change": place.unix(n, 1),
        "last_hard_state_change": place.unix(n, 3),
        "acknowledged": 0,
        "comments_with_extra_info": [],
        "scheduled_downtime_depth": 0,
        "downtimes_with_extra_info": [],
        "is_flapping": 0,
        "notifications_enabled": 1,
    }


def _only(**options: Any) -> Any:
    return lambda place: options


VENDORS = (
    Vendor("alertmanager", _only(), _alertmanager),
    Vendor("pagerduty", _only(), _pagerduty),
    Vendor("incident-io", _only(), _incident_io),
    Vendor("sentry", _only(organization="acme", kinds=["incident"]), _sentry),
    Vendor("datadog", _only(), _datadog),
    Vendor("statuspage", _only(), _statuspage),
    Vendor("icinga2", _only(), _icinga2),
    Vendor("checkmk", _only(), _checkmk),
)
