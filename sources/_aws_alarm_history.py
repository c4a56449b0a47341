"""CloudWatch's past: each change of an alarm's state, and what of them makes an incident.

An incident is what lies between ALARM and the next OK, whatever came between.  What an alarm is about is told as it is
now.  Each change has a time of its own, and is kept for 30 days, also when the alarm is deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from sources._aws import Alarm, Place, incident_of
from sources._aws_asking import Ask
from sources._aws_reading import AlarmReader
from sources._shared.backwards import Until
from sources._shared.rows import Rows, need
from statusboard.api import BadAnswer, Incident, Past, parse_time

PAGE: Final = 100


class AlarmHistory(msgspec.Struct, frozen=True, rename="pascal"):
    alarm_history_items: list[Any]
    next_token: str | None = None


class HistoryItem(msgspec.Struct, frozen=True, rename="pascal"):
    """A change of an alarm's state; ``history_data`` is JSON."""

    alarm_name: str | None = None
    timestamp: Any = None
    history_data: str | None = None


class State(msgspec.Struct, frozen=True, rename="camel"):
    state_value: str = ""
    state_reason: str | None = None


class HistoryData(msgspec.Struct, frozen=True, rename="camel"):
    new_state: State
    old_state: State = State()


class Turn(msgspec.Struct, frozen=True):
    """The state that an alarm came to at a moment, in lower case, and the one before it."""

    alarm: str
    at: datetime
    state: str
    before: str
    reason: str


class Turns(msgspec.Struct, frozen=True):
    """A page of them, newest first, and why some are missing."""

    good: list[Turn]
    error: BadAnswer | None
    more: bool


async def incidents(reader: AlarmReader, ask: Ask, since: datetime, cursor: str) -> Past:
    """What ended within a page of changes; what began before that page is looked for alarm by alarm."""
    until = Until.of(cursor)
    if until.at is None:
        until = Until(at=reader.clock.now().replace(microsecond=0))
    page = await _turns(reader, ask, until, StartDate=int(since.timestamp()))
    older, reached = until.older([turn.at for turn in page.good], more=page.more)
    faulty = frozenset({"alarm", *(("insufficient_data",) if reader.place.no_data == "open" else ())})
    spans: list[tuple[Turn, Turn]] = []
    for name in dict.fromkeys(turn.alarm for turn in page.good):
        if reader.wanted and not name.startswith(tuple(reader.wanted)):
            continue
        own = [turn for turn in page.good if turn.alarm == name]
        found, end = spans_of(own, faulty)
        if end is not None:
            before = await _turns(reader, ask, Until(at=own[-1].at), AlarmName=name)
            earlier = [turn for turn in before.good if turn.at < own[-1].at]
            found, _ = spans_of([*own, *earlier], faulty, to_the_end=True)
        spans += [span for span in found if end is None or span[1].at >= end.at]
    alarms = await _described(reader, ask, {end.alarm for _, end in spans})
    told = (_bygone(reader.place, alarms.get(end.alarm) or Alarm(end.alarm), begin, end) for begin, end in spans)
    return Past(items=tuple(item for item in told if item), older=older, reached=reached, error=page.error)


def spans_of(
    turns: Iterable[Turn], faulty: frozenset[str], *, to_the_end: bool = False
) -> tuple[list[tuple[Turn, Turn]], Turn | None]:
    """From when to when an alarm was faulty, of its turns from the newest on; and the end of what began before them.

    ``to_the_end``: nothing is known before them.
    """
    spans: list[tuple[Turn, Turn]] = []
    begin: Turn | None = None
    end: Turn | None = None
    for turn in turns:
        if turn.state == "ok":
            if begin and end:
                spans.append((begin, end))
            begin, end = None, turn
        elif end and turn.state in faulty:
            begin = turn
        if turn.before == "ok":
            if begin and end:
                spans.append((begin, end))
            begin = end = None
    if to_the_end and begin and end:
        spans.append((begin, end))
    return spans, end


async def _turns(reader: AlarmReader, ask: Ask, until: Until, **body: object) -> Turns:
    assert until.at is not None
    end = int((until.at + timedelta(seconds=1)).timestamp())  # it may be meant without that moment itself
    asked: dict[str, object] = {
        "HistoryItemType": "StateUpdate", "ScanBy": "TimestampDescending", "MaxRecords": PAGE, "EndDate": end, **body
    }  # fmt: skip
    pages = await reader.of_all_types(ask, "DescribeAlarmHistory", asked, AlarmHistory, pages=until.page)
    rows = Rows("change of an alarm", HistoryItem, pages[-1].alarm_history_items)
    good: list[Turn] = []
    error = rows.error
    for row in rows.good:
        try:
            good.append(_turn_of(row))
        except BadAnswer as exc:
            error = error or BadAnswer(f"a change of an alarm could not be read: {exc}")
    good.sort(key=lambda turn: turn.at, reverse=True)
    return Turns(good=good, error=error, more=bool(pages[-1].next_token))


def _turn_of(row: HistoryItem) -> Turn:
    try:
        data = msgspec.json.decode(need(row.history_data, "HistoryData"), type=HistoryData, strict=False)
    except (msgspec.MsgspecError, RecursionError):
        raise BadAnswer("HistoryData of a form that CloudWatch does not document") from None
    return Turn(
        alarm=need(row.alarm_name, "AlarmName"),
        at=need(parse_time(row.timestamp), "Timestamp"),
        state=need(data.new_state.state_value.lower(), "stateValue"),
        before=data.old_state.state_value.lower(),
        reason=data.new_state.state_reason or "",
    )


async def _described(reader: AlarmReader, ask: Ask, names: Iterable[str]) -> dict[str, Alarm]:
    """The alarms with these names, as they are now; of a page there are no more than one request may name."""
    wanted = sorted(names)
    rows = await reader.alarms(ask, {"AlarmNames": wanted, "MaxRecords": PAGE}) if wanted else []
    return {alarm.alarm_name: alarm for alarm in Rows("alarm", Alarm, rows).good if alarm.alarm_name}


def _bygone(place: Place, alarm: Alarm, begin: Turn, end: Turn) -> Incident | None:
    then = msgspec.structs.replace(
        alarm, state_value=begin.state, actions_enabled=None, actions_suppressed_by=None, evaluation_state=None
    )
    incident = incident_of(place, then, begin.reason)
    return incident and msgspec.structs.replace(
        incident, state="resolved", raw_state="OK", started_at=begin.at, updated_at=end.at, ended_at=end.at
    )
