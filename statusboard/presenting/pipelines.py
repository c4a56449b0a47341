"""How a pipeline does, in words: in the details of its builds, and as a row of `statusboard metrics --builds`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Final

from statusboard import clock
from statusboard.model import Build
from statusboard.pipelines import Flaky, Growth, PipelineHealth, Red, Waits
from statusboard.presenting.glyphs import UNICODE, Cell, Glyphs
from statusboard.presenting.lines import Line, length, listed, short_revision, time_of_day

COLUMNS: Final[Mapping[str, str]] = {
    "pipeline": "PIPELINE",
    "red": "RED NOW",
    "flaky": "FLAKY",
    "longest": "LONGEST RED",
    "broke": "FIRST BAD",
    "took": "TAKES",
    "waits": "WAITS",
}
"""What `health_words` tells, and the words above it."""


def health_lines(
    line: PipelineHealth | None,
    *,
    days: int,
    reading: bool = False,
    problem: str = "",
    now: datetime,
    zone: tzinfo = UTC,
) -> list[Line]:
    """One pipeline over the last ``days``.  ``reading``: only what is on the board is looked at so far; ``problem``
    says why what is older cannot be read."""
    over = f"{days} days"
    if reading or problem:
        over = "what is on the board; " + (problem or "older runs are being read")
    if line is None:
        return [("over", f"{over}: nothing ran", "muted")]
    style = "warning" if problem else "muted"
    runs = f" {_count(line.runs, 'run')}, {line.failed} of {line.outcomes} failed"
    return [
        ("over", ((f"{over}:", style), (runs, "")), ""),
        ("flaky", _flaky(line.flaky), ""),
        ("longest red", _longest(line, now, zone), ""),
        ("takes", _takes(line.growth, line.took, days), ""),
        ("waits", _waits(line.waits), ""),
    ]


def _flaky(flaky: Flaky) -> tuple[Cell, ...]:
    words: list[Cell] = []
    if flaky.both:
        again = f"{_count(len(flaky.both), 'revision')} of {flaky.again} tested again both failed and passed"
        words += [(again, "warning"), (f"last {short_revision(flaky.both[0].revision)}", "")]
    elif flaky.again:
        words.append((f"none of {_count(flaky.again, 'revision')} tested again both failed and passed", ""))
    elif flaky.of:
        words.append(("no revision was tested twice" if flaky.revisions else "its revisions are not known", "muted"))
    else:
        return (("no run of it said anything", "muted"),)
    alternates = "alternates: " if flaky.alternates else ""
    turned = f"{alternates}turned red {_count(flaky.turns, 'time')} in {_count(flaky.of, 'verdict')}"
    return listed([*words, (turned, _warned(flaky.alternates))])


def _warned(wrong: bool) -> str:
    return "warning" if wrong else ""


def _longest(line: PipelineHealth, now: datetime, zone: tzinfo) -> tuple[Cell, ...]:
    red = line.longest
    if red is None:
        return (("never red" if line.outcomes else "not known", "" if line.outcomes else "muted"),)
    more = "" if red.good is not None else " or longer"
    words: list[Cell] = [(f"{length(red.lasted(now).total_seconds())}{more}", "failed" if red.until is None else "")]
    until = f"to {time_of_day(red.until, red.since, zone)}" if red.until else "and still"
    words.append((f"from {time_of_day(red.since, now, zone)} {until}", ""))
    words.append((f"first bad {_first(red)}", ""))
    return listed([*words, ("which had passed before" if red.same_revision else "", "warning")])


def _first(red: Red) -> str:
    """The revision that was bad first, and who made it."""
    build = red.first
    number = f"#{build.run_number}" if build.run_number is not None else ""
    name = " ".join(filter(None, (number, short_revision(build.revision)))) or build.title
    return f"{name} by {build.actor}" if build.actor else name


def _takes(growth: Growth | None, took: float | None, days: int) -> tuple[Cell, ...]:
    if took is None:
        return (("no good run tells how long it took", "muted"),)
    if growth is None:
        return listed([(f"median {length(took)}", ""), ("too few runs before to compare with", "muted")])
    words: list[Cell] = [(f"median {length(growth.after)} (n {growth.n_after})", _warned(growth.grown))]
    words.append((f"in the {days} days before {length(growth.before)} (n {growth.n_before})", ""))
    return listed([*words, (f"{_percent(growth)}: slower" if growth.grown else "", "warning")])


def _percent(growth: Growth) -> str:
    return f"{(growth.ratio - 1) * 100:+.0f} %" if growth.before else "from nothing"


def _waits(waits: Waits) -> tuple[Cell, ...]:
    if waits.median is None or waits.most is None:
        return (("its source does not tell when a build was asked for", "muted"),)
    told = f"median {length(waits.median)}, nine of ten at most {length(waits.most)} (n {waits.n})"
    return listed([(told, ""), (f"of {waits.untold} it is not known" if waits.untold else "", "muted")])


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


# -- rows


def name_of(line: PipelineHealth) -> str:
    """A pipeline among others: its repository, its name, its branch unless that is known to be the default one."""
    build = line.newest
    branch = "" if build.branch in ("", build.default_branch) else build.branch
    return " ".join(filter(None, (build.repository or build.source, line.name, branch)))


def health_words(line: PipelineHealth, now: datetime, *, glyphs: Glyphs = UNICODE) -> dict[str, Cell]:
    """One row of a table of pipelines: what `COLUMNS` has.  Each cell says it in words; nothing is told by colour."""
    red, longest, flaky, growth, waits = line.red, line.longest, line.flaky, line.growth, line.waits
    bad, good = glyphs.of("build", "failed"), glyphs.of("build", "success")
    unknown = glyphs.of("build", "unknown")
    now_words = (f"{bad} {clock.age(now, red.since)}", "failed") if red else (f"{good} no", "success")
    if not line.outcomes and red is None:
        now_words = (f"{unknown} no verdict", "unknown")
    unsure = f"{len(flaky.both)} of {flaky.again} twice"
    if flaky.alternates:
        unsure = f"{unsure}, {flaky.turns} turns" if flaky.both else f"{flaky.turns} turns"
    took = "no data" if line.took is None else length(line.took)
    if growth is not None and growth.grown:
        took = f"{took} {_percent(growth)}"
    return {
        "pipeline": (name_of(line), ""),
        "red": now_words,
        "flaky": (unsure, "warning") if flaky else ("no" if flaky.again else "no data", "" if flaky.again else "muted"),
        "longest": (length(longest.lasted(now).total_seconds()), "") if longest else ("none", ""),
        "broke": (_first(longest), "") if longest else ("", ""),
        "took": (took, _warned(growth is not None and growth.grown)),
        "waits": (length(waits.median), "") if waits.median is not None else ("no data", "muted"),
    }


def health_row(line: PipelineHealth, now: datetime) -> dict[str, object]:
    """One pipeline for scripts: times as in ``show --json``, lengths in seconds, None where nothing is known."""
    build, flaky, growth, waits = line.newest, line.flaky, line.growth, line.waits
    return {
        "pipeline": line.name,
        "repository": build.repository,
        "branch": build.branch or build.default_branch,
        "source": build.source,
        "service": build.service,
        "team": build.team,
        "runs": line.runs,
        "verdicts": line.outcomes,
        "failed": line.failed,
        "flaky": bool(flaky),
        "flaky_revisions": [
            {"revision": twice.revision, "builds": list(dict.fromkeys(each.build.key for each in twice.outcomes))}
            for twice in flaky.both
        ],
        "revisions": flaky.revisions,
        "revisions_tested_again": flaky.again,
        "turned_red": flaky.turns,
        "turned_red_of": flaky.of,
        "red": _red_row(line.red, now),
        "longest_red": _red_row(line.longest, now),
        "took": line.took,
        "took_n": growth.n_after if growth else None,
        "took_before": growth.before if growth else None,
        "took_before_n": growth.n_before if growth else None,
        "slower": growth.grown if growth else None,
        "waited": waits.median,
        "waited_most": waits.most,
        "waited_n": waits.n,
    }


def _red_row(red: Red | None, now: datetime) -> dict[str, object] | None:
    if red is None:
        return None
    return {
        "since": _iso(red.since),
        "until": _iso(red.until) if red.until is not None else None,
        "seconds": red.lasted(now).total_seconds(),
        "at_least": red.good is None,
        "runs": red.runs,
        "first_bad": _build_row(red.first),
        "last_good": _build_row(red.good) if red.good is not None else None,
        "people": list(red.people),
    }


def _build_row(build: Build) -> dict[str, object]:
    return {"key": build.key, "run_number": build.run_number, "revision": build.revision, "actor": build.actor}


def _iso(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
