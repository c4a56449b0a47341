"""The shapes of Zabbix' answers, and what is made of a problem's updates, suppressions and dependencies."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from sources._shared.checks import number
from statusboard.api import parse_time

ACKNOWLEDGE: Final = 2  # the bit of an update's ``action``

Number = int | float | str | None


class Fault(msgspec.Struct, frozen=True):
    code: Number = None
    message: str | None = None
    data: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """Exactly one of both is there; ``result`` may be anything, also empty."""

    result: Any = msgspec.UNSET
    error: Fault | None = None


class Tag(msgspec.Struct, frozen=True):
    tag: str | None = None
    value: str | None = None


class Update(msgspec.Struct, frozen=True):
    """What a person did to a problem."""

    userid: Number = None
    clock: Number = None
    action: Number = None


class Suppression(msgspec.Struct, frozen=True):
    """Why a problem is suppressed: by a maintenance, or by a user; ``suppress_until`` 0 has no end."""

    maintenanceid: Number = None
    userid: Number = None
    suppress_until: Number = None


class Problem(msgspec.Struct, frozen=True):
    eventid: Number = None
    objectid: Number = None
    name: str | None = None
    opdata: str | None = None
    severity: Number = None
    clock: Number = None
    r_eventid: Number = None
    cause_eventid: Number = None
    acknowledged: bool | Number = None
    suppressed: bool | Number = None
    tags: list[Tag] | None = None
    acknowledges: list[Update] | None = None
    suppression_data: list[Suppression] | None = None


class Host(msgspec.Struct, frozen=True):
    host: str | None = None
    name: str | None = None


class Dependency(msgspec.Struct, frozen=True):
    triggerid: Number = None


class Trigger(msgspec.Struct, frozen=True):
    triggerid: Number = None
    url: str | None = None
    hosts: list[Host] | None = None
    dependencies: list[Dependency] | None = None


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What a problem is read with: the enabled triggers, the names of problems, users and maintenances by their ids."""

    triggers: Mapping[str, Trigger]
    by_trigger: Mapping[str, str]
    by_event: Mapping[str, str]
    users: Mapping[str, str]
    maintenances: Mapping[str, str]


def text_id(value: Number) -> str:
    """An id as text: they come as text, and as numbers from some proxies."""
    count = number(value)
    return str(count) if count is not None else str(value or "").strip()


def user_name(userid: str, around: Around) -> str:
    return around.users.get(userid) or f"user {userid}"


def acknowledged(row: Problem, around: Around) -> tuple[datetime | None, str]:
    """When, and by whom: the newest update that acknowledges."""
    found = [
        (parse_time(u.clock), text_id(u.userid))
        for u in row.acknowledges or ()
        if (number(u.action) or 0) & ACKNOWLEDGE
    ]
    dated = [(at, user) for at, user in found if at is not None]
    if not dated:
        return None, user_name(found[0][1], around) if found else ""
    at, user = max(dated)
    return at, user_name(user, around)


def suppressed(row: Problem, around: Around) -> tuple[str, datetime | None]:
    """By which maintenances or users, and until when; no end where one of them has none."""
    why: set[str] = set()
    ends: list[datetime | None] = []
    for data in row.suppression_data or ():
        maintenance, user = text_id(data.maintenanceid), text_id(data.userid)
        if maintenance not in ("", "0"):
            why.add(f"maintenance {around.maintenances.get(maintenance) or maintenance}")
        elif user not in ("", "0"):
            why.add(user_name(user, around))
        ends.append(parse_time(data.suppress_until))
    known = [end for end in ends if end is not None]
    return "; ".join(sorted(why)), max(known) if known and len(known) == len(ends) else None


def root_of(row: Problem, trigger: Trigger, around: Around) -> str:
    """What this problem only follows from: its cause as a person ranked it, or a trigger that its own depends on."""
    cause = text_id(row.cause_eventid)
    if cause not in ("", "0"):
        return f"a symptom of {around.by_event.get(cause) or f'event {cause}'}"
    firing = sorted(
        around.by_trigger[other]
        for other in (text_id(one.triggerid) for one in trigger.dependencies or ())
        if other in around.by_trigger
    )
    return f"depends on {firing[0]}" if firing else ""
