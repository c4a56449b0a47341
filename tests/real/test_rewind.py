"""A recorded stretch on the real servers, rewound: each random moment is what `show --json` printed at that time."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from statusboard.clock import SystemClock, rfc3339
from statusboard.health import AGING
from statusboard.ingest import Ingest
from statusboard.model import Annotation, key_of
from statusboard.rewind import Past
from statusboard.store.sqlite import SQLiteStore
from tests.cli.kit import Home
from tests.real.board import Bench, bench
from tests.real.process import wait_until
from tests.real.servers import Alertmanager, Buildbot

ROOT = Path(__file__).parents[2]
MOMENTS = 50
CONFIG = """
board: {{id: recorded, timezone: UTC}}
services:
  checkout: {{match: {{label: {{service: checkout}}}}}}
sources:
  - {{type: alertmanager, name: am, url: "{am}", interval: 3s, hold: 0s}}
  - {{type: buildbot, name: bb, url: "{bb}", interval: 3s}}
  - {{type: deploy-log, name: deploys, path: "{log}", interval: 3s}}
"""
#: Seconds for which a server is down: over four intervals, so that its source becomes aging and then stale.
DOWN = 14.0
INSTANT = timedelta(microseconds=1)


class Taken(NamedTuple):
    """What ``show --json`` printed, and between which moments it ran."""

    before: datetime
    after: datetime
    code: int
    picture: dict[str, Any]


@pytest.fixture
def board(quiet_alertmanager: Alertmanager, buildbot: Buildbot, tmp_path: Path) -> Iterator[Bench]:
    log = tmp_path / "deploys.jsonl"
    log.touch()
    with bench(tmp_path / "board", CONFIG.format(am=quiet_alertmanager.url, bb=buildbot.url, log=log)) as made:
        yield made


def test_random_moments_are_what_was_printed_then(
    board: Bench, quiet_alertmanager: Alertmanager, buildbot: Buildbot
) -> None:
    """``STATUSBOARD_RECORD`` is how many seconds are recorded (of many, with ``-o faulthandler_timeout=0``)."""
    _rewound(board, quiet_alertmanager, buildbot, seconds=float(os.environ.get("STATUSBOARD_RECORD", "45")))


@pytest.mark.soak
def test_a_recorded_hour(board: Bench, quiet_alertmanager: Alertmanager, buildbot: Buildbot) -> None:
    _rewound(board, quiet_alertmanager, buildbot, seconds=3600)


def _rewound(board: Bench, am: Alertmanager, bb: Buildbot, *, seconds: float) -> None:
    chance = random.Random()
    pause = 0.6 if seconds < 300 else 8.0
    poller = board.start("poll")
    board.until("all is read", lambda code, p: all(s["state"] == "fresh" for s in p["sources"]) or None)
    story = Story(board, am, bb, chance)
    with recording(board, pause) as taken:
        story.goes_on(seconds)
    assert len(taken) >= MOMENTS / 2, "there must be something to choose from"
    poller.terminate()
    poller.wait(20)

    home = Home(board.folder)
    home.env |= {name: value for name, value in board.environment.items() if name.startswith("STATUSBOARD")}
    observed = {change.seq: change.observed_at for change in board.changes()}
    chosen = chance.sample(taken, MOMENTS) if len(taken) >= MOMENTS else chance.choices(taken, k=MOMENTS)
    late: list[str] = []
    wrong = [told for one in chosen if (told := difference(home, one, observed, chance, late))]
    assert len(late) <= 2, late
    assert not wrong, f"{len(wrong)} of {MOMENTS} moments differ:\n" + "\n".join(wrong)
    asyncio.run(stepped(board, taken))

    digests = {one.picture["digest"] for one in taken}
    compared = f"{MOMENTS} were compared, {len(late)} of them printed late"
    print(f"{len(observed)} changes, {len(taken)} pictures, {len(digests)} of them different; {compared}")
    states = {source["state"] for one in taken for source in one.picture["sources"]}
    kinds = {item["kind"] for one in taken for item in one.picture["items"]}
    assert states >= {"fresh", "aging", "stale"} and kinds == {"build", "incident", "release"}, "it was worth rewinding"
    assert len(digests) > 10
    now = home.run("show", "--json", "--at", rfc3339(max(observed.values()) + timedelta(seconds=3 * 4)))
    if now.code != 2:  # that moment has come already
        assert {source["state"] for source in now.json["sources"]} == {"unwatched"} and now.code in (1, 3)


# --- what is compared -----------------------------------------------------------------------------------------------

OF_THE_WHOLE = ("schema", "store_id", "revision", "digest", "summary", "items", "filter")
OF_A_SOURCE = ("name", "type", "state", "optional", "error", "errors", "items", "interval")


def seen(code: int, picture: dict[str, Any]) -> dict[str, Any]:
    """What a past picture must have in common with the one that was printed then."""
    found = {name: picture[name] for name in OF_THE_WHOLE} | {"exit code": code}
    for source in picture["sources"]:
        found |= {f"{source['name']} {name}": source[name] for name in OF_A_SOURCE}
    return found


def difference(home: Home, one: Taken, observed: dict[int, datetime], chance: random.Random, late: list[str]) -> str:
    """How the rewound moment differs from what was printed; ``""`` where it does not.

    When exactly it was printed is told by the second in it and by its revision.  Where a source's age met a limit
    within that second, the moment before or the one after is meant.  ``late`` gets what a follower alone thought: on a
    machine that is too busy it may call a source aging whose success was read already and not yet written.
    """
    second, revision = datetime.fromisoformat(one.picture["at"]), one.picture["revision"]
    low = max(one.before, second, observed[revision])
    high = min(one.after, second + timedelta(seconds=1) - INSTANT)
    high = min(high, observed.get(revision + 1, high + INSTANT) - INSTANT)
    low = min(low, high)  # what was observed by then was not written yet
    expected, told = seen(one.code, one.picture), ""
    for at in (low + chance.random() * (high - low), low, high):
        result = home.run("show", "--json", "--at", rfc3339(at))
        assert result.out, result.err
        past = seen(result.code, result.json)
        if past == expected:
            return ""
        differing = {
            name: (expected.get(name), past.get(name)) for name in expected if expected[name] != past.get(name)
        }
        told = told or f"{at}: {json.dumps(differing)[:2000]}"
        if not all(name.endswith(" state") or name in ("summary", "exit code") for name in differing):
            break
        if all(_was_late(one, name, *states) for name, states in differing.items()):
            late.append(told)
            return ""
    return told


def _was_late(one: Taken, name: str, printed: Any, past: Any) -> bool:
    """Whether this is a source that was printed as aging, by a success that was only some seconds too old."""
    if not name.endswith(" state") or (printed, past) != ("aging", "fresh"):
        return False
    source = next(source for source in one.picture["sources"] if source["name"] == name.removesuffix(" state"))
    age = one.after - datetime.fromisoformat(source["last_success"])
    return age <= timedelta(seconds=AGING * source["interval"] + 5)


async def stepped(board: Bench, taken: list[Taken]) -> None:
    """From the end back to the beginning, step by step, and on again: at each revision the digest that was printed."""
    printed = {one.picture["revision"]: one.picture["digest"] for one in taken}
    (database,) = (board.folder / "data").glob("*.sqlite")
    store = SQLiteStore(database, read_only=True)
    await store.open()
    try:
        past = await Past.open(store, SystemClock().now())
        there: dict[int, str] = {past.seq: past.board.digest}
        while await past.step(-1) is not None:
            there[past.seq] = past.board.digest
        back: dict[int, str] = {past.seq: past.board.digest}
        while await past.step(1) is not None:
            back[past.seq] = past.board.digest
    finally:
        await store.close()
    assert there == back and printed.items() <= there.items()


# --- what happens meanwhile -----------------------------------------------------------------------------------------


@contextmanager
def recording(board: Bench, pause: float) -> Iterator[list[Taken]]:
    """Keeps what ``show --json`` prints at random moments; what was kept is there at the end."""
    file, taken = board.folder / "recorded.jsonl", list[Taken]()
    file.touch()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.real.recorder", str(file), str(pause)],
        cwd=ROOT,
        env=board.environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until("it records", lambda: file.stat().st_size or process.poll() is not None, timeout=30)
        yield taken
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
    finally:
        process.kill()
        process.communicate()
    for line in board.lines(file.name):
        before, after = (datetime.fromisoformat(line[name]) for name in ("before", "after"))
        taken.append(Taken(before, after, line["code"], line["picture"]))


class Story:
    """Alerts are fired and silenced, builds forced, deploys written, things said; a server dies, a log goes away."""

    def __init__(self, board: Bench, am: Alertmanager, bb: Buildbot, chance: random.Random) -> None:
        self._board = board
        self._am = am
        self._bb = bb
        self._chance = chance
        self._log = board.folder.parent / "deploys.jsonl"
        self._firing: list[dict[str, str]] = []
        self._silences: list[str] = []
        self._deploys = 0
        self._said = 0

    def goes_on(self, seconds: float) -> None:
        """Something happens again and again, and three times what is worse."""
        began = time.monotonic()
        worse = {0.15: self._server_dies, 0.7: self._log_goes}
        if seconds > 300:
            worse |= {0.4: self._server_dies, 0.5: self._server_dies, 0.9: self._log_goes}
        while (gone := (time.monotonic() - began) / seconds) < 1:
            due = next((at for at in worse if at <= gone), None)
            happens = worse.pop(due) if due is not None else self._chance.choice(self._ordinary)
            happens()
            time.sleep(self._chance.uniform(0.1, 1.2))

    @property
    def _ordinary(self) -> list[Callable[[], None]]:
        return [
            self._fire,
            self._fire,
            self._resolve,
            self._silence,
            self._build,
            self._deploy,
            self._deploy,
            self._say,
        ]

    def _fire(self) -> None:
        if len(self._firing) > 12:
            return self._resolve()
        name = f"Alert{self._chance.randrange(1000)}"
        labels = {"alertname": name, "severity": self._chance.choice(("critical", "warning", "page"))}
        labels["service"] = self._chance.choice(("checkout", "search", "mail"))
        self._am.fire(labels, {"summary": f"{name} is <b>high</b> | `now`"})
        self._firing.append(labels)
        return None

    def _resolve(self) -> None:
        if self._firing:
            self._am.resolve(self._firing.pop(self._chance.randrange(len(self._firing))))

    def _silence(self) -> None:
        if self._silences and self._chance.random() < 0.4:
            self._am.expire(self._silences.pop())
        elif self._firing:
            alert = self._chance.choice(self._firing)
            self._silences.append(self._am.silence({"alertname": alert["alertname"]}, 60, "ada@example.com"))

    def _build(self) -> None:
        self._bb.break_turns(self._chance.random() < 0.5)
        self._bb.force(self._chance.choice(("passes", "fails", "warns", "turns")))

    def _deploy(self) -> None:
        if not self._deploys or self._chance.random() < 0.6:
            self._deploys += 1
        entry = {
            "id": f"d{self._deploys}",
            "time": rfc3339(datetime.now(UTC).replace(microsecond=0)),
            "service": self._chance.choice(("checkout", "search")),
            "environment": "production",
            "version": f"1.{self._deploys}",
            "state": self._chance.choice(("running", "success", "success", "failed", "rolled_back")),
        }
        with self._log.open("a") as log:
            log.write(json.dumps(entry) + "\n")

    def _say(self) -> None:
        """A person says something of an item, or takes it back."""
        _, picture = self._board.show()
        if not picture["items"]:
            return
        self._said += 1
        said = Annotation(
            key=key_of("people", "annotation", self._chance.randrange(1, 5)),
            source="people",
            state=self._chance.choice(("set", "set", "withdrawn")),
            target=self._chance.choice(picture["items"])["key"],
            text=f"said {self._said}",
            author="ada",
            updated_at=datetime.now(UTC),
        )

        async def say() -> None:
            (database,) = (self._board.folder / "data").glob("*.sqlite")
            store = SQLiteStore(database)
            await store.open()
            try:
                await Ingest(store, SystemClock()).annotate(said)
            finally:
                await store.close()

        asyncio.run(say())

    def _server_dies(self) -> None:
        """Alerts live in the server's memory: when it is back, they are gone."""
        self._am.kill()
        until = time.monotonic() + DOWN
        while time.monotonic() < until:
            self._chance.choice((self._build, self._deploy, self._say))()
            time.sleep(self._chance.uniform(0.1, 1.2))
        self._am.start()
        self._firing.clear()
        self._silences.clear()

    def _log_goes(self) -> None:
        away = self._log.with_suffix(".away")
        self._log.rename(away)
        time.sleep(4)
        away.rename(self._log)
