"""``statusboard timeline``: what happened before and during an incident, for its post-mortem."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Final, NamedTuple

import click
from msgspec import Struct

from statusboard.cli.common import DURATION, columns, config_option, emit, log_level, read_config, read_only, start_log
from statusboard.clock import EPOCH, Duration

if TYPE_CHECKING:
    from statusboard.config import Config
    from statusboard.model import Annotation, Fact, Incident, Kind
    from statusboard.presenting.postmortem import Blind, Told
    from statusboard.store.base import Remembered, Store
    from statusboard.suspects import Suspect
    from statusboard.timeline import Entry

#: Changes around an incident that are told: those nearest to its beginning.
MOST: Final = 200
#: Incidents listed where several are meant.
_LISTED: Final = 10
#: What people say of it is told up to so long after its end.
_AFTERMATH: Final = timedelta(days=1)
#: What a source has told of since so long before the end says what it tells of.
_KNOWN_FROM: Final = timedelta(days=30)
_INSTANT: Final = timedelta(microseconds=1)


@click.command("timeline")
@click.argument("incident", metavar="[INCIDENT]", required=False, default="")
@click.option("--markdown", "as_markdown", is_flag=True, help="As Markdown, to be put into a document.")
@click.option("--before", type=DURATION, default="1h", show_default=True, help="Begin so long before the incident.")
@click.option("--at", metavar="TIME", help="The one of several with this key that was going on then, or was the last.")
@click.pass_context
def command(ctx: click.Context, incident: str, as_markdown: bool, before: Duration, at: str | None) -> int:
    """Write the timeline of an incident: what changed before it began, and what happened until its end.

    INCIDENT is its key or a part of it; on the board `Y` copies a key. Where no key has it, it is looked for in the
    titles. Without it the newest incidents are listed, with their keys.

    Told are the releases and builds of its services and of those that they depend on, each of its own transitions, what
    people said of it, and the sources that were blind meanwhile; in Markdown also the releases that may have caused it.
    What comes from elsewhere is escaped there: it shows as it is.

    \b
    Examples:
      statusboard timeline prod-alerts:incident:7f3a --markdown > post-mortem.md
      statusboard timeline "disk full" --before 6h --markdown
      statusboard timeline
    """
    start_log(log_level(ctx))
    config = read_config(config_option(ctx), quiet=True)
    asked = _Asked(incident, timedelta(seconds=before), at, as_markdown)
    return asyncio.run(_timeline(config, asked, follow_only=read_only(ctx)))


class _Asked(NamedTuple):
    incident: str
    before: timedelta
    at: str | None
    as_markdown: bool


async def _timeline(config: Config, asked: _Asked, *, follow_only: bool) -> int:
    from statusboard.cli import history
    from statusboard.cli._past import history_of, moment_of, told
    from statusboard.clock import SystemClock, zone_of
    from statusboard.presenting.postmortem import document

    zone, now = zone_of(config.board.timezone), SystemClock().now()
    moment = moment_of("--at", asked.at, now, zone) if asked.at is not None else None
    async with history_of(config, follow_only=follow_only) as store:
        if not asked.incident:
            emit("\n".join(_newest(await _incidents(store), zone) or ["no incident is kept"]))
            return 0
        episodes = await _found(store, asked.incident, zone)
        made = await _gathered(store, config, _chosen(episodes, moment, zone), asked.before, now)
    if asked.as_markdown:
        emit(document(made, now, zone), nl=False)
        return 0
    head = f"{made.incident.key}: {made.incident.title}"
    emit("\n".join([head, *history.lines(made.entries, zone, columns())]))
    for blind in made.blind:
        until = f"to {told(blind.until, zone)}" if blind.until is not None else "and still"
        click.echo(f"not watched: {blind.source} from {told(blind.since, zone)} {until}", err=True)
    return 0


# --- which incident --------------------------------------------------------------------------------------------------


class _Episode(NamedTuple):
    """One of several times that an alert began; ``following`` is the next one."""

    word: Remembered
    following: Remembered | None
    others: Sequence[Remembered]


async def _incidents(store: Store) -> dict[str, list[Remembered]]:
    """All that is remembered of each incident, by its key, oldest first."""
    by_key: dict[str, list[Remembered]] = {}
    for word in await store.remembered("incident", since=EPOCH):
        by_key.setdefault(word.key, []).append(word)
    return by_key


async def _found(store: Store, text: str, zone: tzinfo) -> list[Remembered]:
    """All that is remembered of the incident that is meant, oldest first.  UsageError where it is none, or several."""
    by_key = await _incidents(store)
    if text in by_key:
        return by_key[text]
    wanted = text.casefold()
    place, keys = "key", [key for key in by_key if wanted in key.casefold()]
    if not keys:
        titles = {key: {_title(word).casefold() for word in words} for key, words in by_key.items()}
        place, keys = "title", [key for key, told in titles.items() if any(wanted in title for title in told)]
        named = [key for key in keys if wanted in titles[key]]
        keys = named if len(named) == 1 else keys
    if len(keys) == 1:
        return by_key[keys[0]]
    if not keys:
        lists = "`statusboard timeline` alone lists the newest"
        raise click.UsageError(f"no incident that is kept has `{_shown(text)}` in its key or title: {lists}")
    told = f"{len(keys)} incidents have `{_shown(text)}` in their {place}s; name one by its key:"
    raise click.UsageError("\n".join([told, *_newest({key: by_key[key] for key in keys}, zone)]))


def _newest(by_key: Mapping[str, Sequence[Remembered]], zone: tzinfo) -> list[str]:
    """Incidents as lines, the newest first."""
    keys = sorted(by_key, key=lambda key: by_key[key][-1].at, reverse=True)
    more = [f"  and {len(keys) - _LISTED} more"] if len(keys) > _LISTED else []
    return [*(_listed(by_key[key][-1], zone) for key in keys[:_LISTED]), *more]


def _listed(word: Remembered, zone: tzinfo) -> str:
    from statusboard.cli._past import told

    return f"  {word.key}  {told(word.at, zone)}  {_title(word)}"


def _title(word: Remembered) -> str:
    from statusboard.model import decode

    return decode(word.body).title


def _shown(text: str) -> str:
    from statusboard.text import clean

    return clean(text, 60)


def _chosen(episodes: Sequence[Remembered], at: datetime | None, zone: tzinfo) -> _Episode:
    from statusboard.cli._past import told

    place = len(episodes) - 1
    if at is not None:
        place = max((n for n, word in enumerate(episodes) if word.at <= at), default=-1)
        if place < 0:
            raise click.UsageError(f"--at: it began for the first time on {told(episodes[0].at, zone)}")
    following = episodes[place + 1] if place + 1 < len(episodes) else None
    return _Episode(episodes[place], following, [*episodes[:place], *episodes[place + 1 :]])


# --- what is told of it ----------------------------------------------------------------------------------------------


async def _gathered(store: Store, config: Config, episode: _Episode, before: timedelta, now: datetime) -> Told:
    from statusboard.model import Annotation, Incident, decode
    from statusboard.presenting.postmortem import Told
    from statusboard.retelling import retold

    word = episode.word
    incident = decode(word.body)
    assert isinstance(incident, Incident)
    until = await _ended(store, incident, episode)
    end = min(until, now) if until is not None else now
    since = word.at - before
    related = _related(incident.services, config.catalog().depends_on)
    elsewhere = await _elsewhere(store, incident, related, end)

    def shows(fact: Fact) -> bool:
        if fact.kind == "source":
            return fact.source not in elsewhere
        return fact.key == incident.key or _concerns(fact, incident, related)

    found = await retold(store, since, min(end + _AFTERMATH, now) + _INSTANT, shows)
    own = [entry for entry in found if entry.key == incident.key]
    around = [entry for entry in found if entry.key != incident.key and entry.at <= end and _tells(entry)]
    near = sorted(around, key=lambda entry: abs(entry.at - word.at))[:MOST]
    picture = await store.snapshot()
    facts = [decode(row.body) for row in picture.rows if row.kind == "annotation"]
    said = [fact for fact in facts if isinstance(fact, Annotation) and fact.target == incident.key]
    suspects, dismissed = await _suspects(store, config, incident, said, now)
    return Told(
        incident=incident,
        since=since,
        until=until,
        entries=sorted([*own, *near], key=lambda entry: (entry.at, entry.seq)),
        services=related,
        blind=[blind for blind in await _blind(store, since, end, now, found) if blind.source not in elsewhere],
        left_out=len(around) - len(near),
        suspects=suspects,
        dismissed=dismissed,
        others=[other.at for other in episode.others[-_LISTED:]],
    )


async def _ended(store: Store, incident: Incident, episode: _Episode) -> datetime | None:
    """When it was over: resolved, begun anew, or no longer told of.  None while it goes on."""
    word = episode.word
    if incident.state == "resolved":
        ended = incident.ended_at or word.observed_at
        return max(ended, word.at)  # one that ends before it begins
    if episode.following is not None:
        return max(episode.following.at, word.at)
    newest = await store.history(incident.key, 1)
    gone = newest and newest[0].body is None and newest[0].seq > word.seq
    return newest[0].observed_at if gone else None


def _related(services: Sequence[str], depends_on: Mapping[str, Collection[str]]) -> list[str]:
    """These services, those that they depend on, and those that those depend on."""
    found = dict.fromkeys(services)
    nearest = list(services)
    for _ in range(2):
        nearest = [below for service in nearest for below in depends_on.get(service, ()) if below not in found]
        found |= dict.fromkeys(nearest)
    return list(found)


class _Item(Struct):
    """Whose an item is."""

    source: str
    services: tuple[str, ...] = ()


async def _elsewhere(store: Store, incident: Incident, services: Collection[str], end: datetime) -> set[str]:
    """The sources that have told of things, and never of one of these services: that they were blind hides nothing.

    One that has told of nothing at all yet might have; so might all, where the incident names no service.
    """
    import msgspec

    if not services:
        return set()
    decoder = msgspec.json.Decoder(_Item)
    bodies = [row.body for row in (await store.snapshot()).rows if row.kind not in ("source", "annotation")]
    kinds: tuple[Kind, ...] = ("incident", "release", "build")
    for kind in kinds:
        bodies += [word.body for word in await store.remembered(kind, since=end - _KNOWN_FROM)]
    items = [decoder.decode(body) for body in bodies]
    could = {item.source for item in items if not item.services or any(name in services for name in item.services)}
    return {item.source for item in items} - could - {incident.source}


def _concerns(fact: Fact, incident: Incident, services: Collection[str]) -> bool:
    """Whether this is a release or build of these services; of an incident of no service, any release to its place."""
    from statusboard.model import Build, Release

    if not isinstance(fact, Build | Release):
        return False
    if services:
        return any(service in services for service in fact.services)
    if incident.repository and fact.repository == incident.repository:
        return True
    same_place = not fact.environment or not incident.environment or fact.environment == incident.environment
    return isinstance(fact, Release) and same_place


def _tells(entry: Entry) -> bool:
    """Whether an entry around an incident is worth a line: of a build its outcome, of a source that it was blind."""
    from statusboard.current import VERDICTS

    if entry.kind == "source":
        return entry.event in ("lost", "found")
    return entry.kind != "build" or entry.state in VERDICTS


async def _blind(store: Store, since: datetime, end: datetime, now: datetime, found: Sequence[Entry]) -> list[Blind]:
    """The stretches in which nobody watched a source."""
    from statusboard.cli._past import blanks
    from statusboard.presenting.postmortem import Blind, merged

    why = {entry.source: entry.about for entry in found if entry.kind == "source" and entry.event == "lost"}
    gaps = await blanks(store, since, end)
    return merged(
        Blind(source=source, since=begin, until=stop if stop < now else None, why=why.get(source, ""))
        for source, begin, stop in gaps
    )


async def _suspects(
    store: Store, config: Config, incident: Incident, said: Sequence[Annotation], now: datetime
) -> tuple[Sequence[Suspect] | None, list[str]]:
    """The releases that may have caused it, as known now, and the names of those that people dismissed."""
    from statusboard.model import Incident, Release, decode
    from statusboard.notes import standing
    from statusboard.suspects import Candidates

    began = incident.started_at
    if began is None:
        return None, []
    catalog, weights = config.catalog(), config.suspects
    # One that took long began earlier still; one that went back behind another came later.
    words = await store.remembered("release", since=began - 2 * timedelta(seconds=float(weights.window)), until=now)
    releases = [fact for word in words if isinstance(fact := decode(word.body), Release)]
    candidates = Candidates(
        releases,
        weights=weights,
        depends_on=catalog.depends_on,
        production=lambda environment: not environment or catalog.tier_of(environment) == "production",
    )
    at_once = timedelta(seconds=float(weights.at_once))
    for word in await store.remembered("incident", since=began - at_once, until=min(now, began + at_once)):
        if isinstance(other := decode(word.body), Incident):
            candidates.put_incident((word.key, word.episode), other)
    names = {fact.key: " ".join(filter(None, (fact.service, fact.version))) for fact in releases}
    passed = [note.text for note in standing(said, incident) if note.what == "suspect_dismissed"]
    return candidates.of(incident, said), [names.get(key, key) for key in passed]
