"""Makes a hand-over of facts.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from statusboard.current import SEVERITY_RANK
from statusboard.handover.told import Episode, Facts, Goals, Handover, Shipped, Unread
from statusboard.model import Annotation, Incident
from statusboard.notes import standing
from statusboard.pipelines import health
from statusboard.rollouts import rollouts_of
from statusboard.suspects import Candidates, Weights

DAYS: Final = 7
"""Days over which a pipeline is flaky: a shift is too short to tell."""

_NOT_YET: Final = frozenset({"pending", "resolved"})
_VERDICTS: Final = frozenset({"suspect_confirmed", "suspect_dismissed"})


def compose(
    facts: Facts,
    *,
    since: datetime,
    until: datetime,
    team: str = "",
    production: Callable[[str], bool],
    depends_on: Mapping[str, Collection[str]],
    weights: Weights | None = None,
    goals: Goals | None = None,
) -> Handover:
    """The hand-over of ``[since, until)``, narrowed to a ``team`` where one is named."""
    asked = team.casefold()

    def ours(of: str) -> bool:
        return not asked or of.casefold() == asked

    candidates = Candidates(facts.releases, weights=weights, depends_on=depends_on, production=production)
    for other in (*facts.around, *(incident for incident, _ in facts.past), *facts.live):
        candidates.put_incident((other.key, other.started_at), other)
    said: dict[str, list[Annotation]] = {}
    for note in sorted(facts.said, key=lambda note: (str(note.updated_at), note.key)):
        if note.state == "set":
            said.setdefault(note.target, []).append(note)

    def episode(incident: Incident, began: datetime | None) -> Episode:
        notes = standing(said.get(incident.key, ()), incident)
        ended = (incident.ended_at or incident.updated_at) if incident.state == "resolved" else None
        return Episode(
            incident=incident,
            began=began,
            ended=ended,
            new=began is not None and since <= began < until,
            suspects=tuple(candidates.of(incident, notes)) if incident.started_at is not None else None,
            said=tuple(note for note in notes if note.what not in _VERDICTS),
        )

    live = {incident.key: incident for incident in facts.live}
    still_open = [
        episode(incident, incident.started_at)
        for incident in _apart(live.values())
        if incident.state not in _NOT_YET and ours(incident.team)
    ]
    resolved, lost = [], []
    for incident, began in facts.past:
        if not ours(incident.team):
            continue
        if incident.state == "resolved":
            ended = incident.ended_at or incident.updated_at
            if ended is not None and since <= ended < until:
                resolved.append(episode(incident, began))
        elif since <= began < until and incident.state != "pending":
            now = live.get(incident.key)
            if now is None or now.started_at != incident.started_at:
                lost.append(episode(incident, began))
    shipped = [rollout for rollout in rollouts_of(facts.releases) if ours(rollout.releases[0].team)]
    here = [
        (rollout, began)
        for rollout in shipped
        if since <= (began := datetime.fromtimestamp(rollout.began, UTC)) < until
    ]
    known = {release.key for rollout in rollouts_of(facts.releases, production) for release in rollout.releases}
    releases = [Shipped.of(rollout, began) for rollout, began in here if rollout.releases[0].key in known]
    return Handover(
        since=since,
        until=until,
        team=team,
        still_open=tuple(sorted(still_open, key=_urgency)),
        resolved=tuple(sorted(_one_each(resolved), key=lambda each: (each.ended or until, each.incident.key))),
        lost=tuple(sorted(_one_each(lost), key=lambda each: (each.began or since, each.incident.key))),
        releases=tuple(releases),
        elsewhere=len(here) - len(releases),
        pipelines=tuple(
            line
            for line in health(facts.builds, since=until - timedelta(days=DAYS), until=until)
            if ours(line.newest.team) and (line.red is not None or line.flaky)
        ),
        days=DAYS,
        unread=tuple(_told_once(facts.unread)),
        goals=goals,
    )


def first_release(
    facts_since: datetime, open_since: Iterable[datetime | None], weights: Weights | None = None
) -> datetime:
    """From when on releases may have to do with these incidents: as far back as a suspect may lie."""
    window = timedelta(seconds=(weights or Weights()).window)
    return min([facts_since, *(at for at in open_since if at is not None)]) - window - timedelta(hours=1)


def _apart(incidents: Iterable[Incident]) -> list[Incident]:
    """One report of each alert: of those of one cluster the one that says the worst speaks for it."""
    order = ("open", "acknowledged", "unknown", "suppressed", "pending", "resolved")
    found: dict[tuple[str, str], Incident] = {}
    for incident in incidents:
        twin = (
            (incident.cluster, incident.fingerprint)
            if incident.cluster and incident.fingerprint
            else ("", incident.key)
        )
        other = found.get(twin)
        if other is None or order.index(incident.state) < order.index(other.state):
            found[twin] = incident
    return list(found.values())


def _one_each(episodes: Iterable[Episode]) -> list[Episode]:
    """One report of each episode."""
    found: dict[tuple[str, str, object], Episode] = {}
    for each in episodes:
        incident = each.incident
        if incident.cluster and incident.fingerprint:
            found.setdefault((incident.cluster, incident.fingerprint, each.began), each)
        else:
            found[("", incident.key, each.began)] = each
    return list(found.values())


def _urgency(episode: Episode) -> tuple[bool, int, datetime, str]:
    incident = episode.incident
    quiet = incident.state == "suppressed"
    return quiet, SEVERITY_RANK[incident.severity], episode.began or datetime.max.replace(tzinfo=UTC), incident.key


def _told_once(stretches: Iterable[Unread]) -> list[Unread]:
    """Stretches in order; those of one source that touch are one, which keeps the first reason that is known."""
    found: list[Unread] = []
    newest: dict[str, int] = {}
    for each in sorted(stretches, key=lambda each: (each.since, each.source)):
        place = newest.get(each.source)
        last = found[place] if place is not None else None
        if place is None or last is None or (last.until is not None and each.since > last.until + _CLOSE):
            newest[each.source] = len(found)
            found.append(each)
            continue
        ends = [last.until, each.until]
        until = None if None in ends else max(end for end in ends if end is not None)
        found[place] = Unread(source=last.source, since=last.since, until=until, why=last.why or each.why)
    return found


_CLOSE: Final = timedelta(seconds=5)
"""What lies no further apart is one stretch."""
