"""A config file that changes while the board runs: what is read, when, and what is said of what cannot be used."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from statusboard.config import Config, Files, gather, load_files
from statusboard.errors import ConfigError
from statusboard.reloading import ConfigFile, differences
from statusboard.trust import TrustList
from statusboard.wiring import Wiring, store_of
from tests.config.sources import REGISTRY, Home

ONE = "sources: [{type: ci, name: gh, repos: x}]\n"
TWO = ONE + "views: [{name: Mine}]\n"


class Looked:
    """A config file, and what happens while it waits for writers to end."""

    def __init__(self, home: Home, *, trusted: TrustList | None = None, file: Path | None = None) -> None:
        self.home = home
        self.reads = 0
        self.waits = 0
        self.meanwhile: Callable[[], object] = lambda: None
        self.while_reading: Callable[[], object] = lambda: None
        self.file = ConfigFile(file or home.main, self._read, trusted=trusted, sleep=self._sleep, gather=self._gather)

    def _gather(self, path: Path) -> Files:
        self.while_reading()
        return gather(path)

    def _read(self, files: Files) -> Config:
        self.reads += 1
        return load_files(files, registry=REGISTRY, env={})

    async def _sleep(self, seconds: float) -> None:
        self.waits += 1
        self.meanwhile()

    async def look(self, times: int = 1) -> Config | None:
        """What the last of so many looks gives."""
        found = None
        for _ in range(times):
            found = await self.file.look()
        return found


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def looked(home: Home) -> Looked:
    home.write(ONE)
    looked = Looked(home)
    looked.file.load()
    return looked


def views(config: Config | None) -> list[str]:
    assert config is not None
    return [view.name for view in config.views]


# --- what is read ---------------------------------------------------------------------------------------------------


async def test_what_stays_as_it_is_is_not_read_again(looked: Looked) -> None:
    assert await looked.look(5) is None
    assert (looked.reads, looked.waits) == (1, 0)
    os.utime(looked.home.main)
    assert await looked.look(5) is None
    assert looked.reads == 1, "another time, the same contents"


async def test_a_change_is_given_once(looked: Looked) -> None:
    looked.home.write(TWO)
    assert views(await looked.look()) == ["Mine"]
    assert looked.file.config is not None and looked.file.notice == ""
    assert await looked.look(5) is None
    looked.home.write(ONE)
    assert views(await looked.look()) == []


async def test_a_change_of_the_same_size_at_the_same_time_is_seen(looked: Looked) -> None:
    assert await looked.look(2) is None
    before = looked.home.main.stat()
    looked.home.write(ONE.replace("gh", "ci"))
    os.utime(looked.home.main, ns=(before.st_atime_ns, before.st_mtime_ns))
    found = await looked.look()
    assert found is not None and found.sources[0].name == "ci"


async def test_what_changes_within_one_tick_of_the_file_systems_clock_is_seen(looked: Looked) -> None:
    for text, wanted in ((TWO, ["Mine"]), (TWO.replace("Mine", "Ours"), ["Ours"])):
        looked.home.write(text)
        looked.file._mark = looked.file._look()  # what it looks like is what it looked like when it was read
        assert views(await looked.look()) == wanted
        looked.home.write(text + "# changed\n")
        assert await looked.look() is not None, "and once more after each change"


@pytest.mark.parametrize("now", [True, False])
async def test_what_is_written_while_it_is_read_does_not_count(looked: Looked, now: bool) -> None:
    """Also at the first look, which reads once more what looks the same."""

    def begin() -> None:
        looked.home.write("")  # between the look at the file and its reading
        looked.while_reading, looked.meanwhile = lambda: None, end

    def end() -> None:
        looked.home.write(TWO)
        looked.meanwhile = lambda: None

    looked.while_reading = begin
    found = await looked.file.look(now=now)
    assert looked.file.notice == ""
    if now:  # who asks is answered, when the writer is done
        await looked.look()
    else:
        assert found is None
        end()
        await looked.look()
    assert looked.file.notice == "" and views(looked.file.config) == ["Mine"]


async def test_half_a_file_is_not_read(looked: Looked) -> None:
    """Half of this config is a valid one without a second source: its items would leave the board."""
    both = "sources:\n  - {type: ci, name: gh, repos: x}\n  - {type: ci, name: other, repos: x}\n"
    looked.home.write(both)
    assert await looked.look() is not None
    lines = both.splitlines(keepends=True)
    looked.home.write("".join(lines[:2]) + "# changed")
    looked.meanwhile = lambda: looked.home.write(both + "# changed")
    assert await looked.look() is None and looked.reads == 2
    looked.meanwhile = lambda: None
    found = await looked.look()
    assert found is not None and [s.name for s in found.sources] == ["gh", "other"]


@pytest.mark.parametrize("way", ["rename", "backup", "truncate", "link"])
async def test_every_way_in_which_editors_write(looked: Looked, way: str) -> None:
    main = looked.home.main
    if way == "rename":
        looked.home.write(TWO, "new").rename(main)
    elif way == "backup":
        main.rename(main.with_name("config.yaml~"))
        assert await looked.look() is None and looked.file.notice == "", "it is missing for a moment"
        looked.home.write(TWO)
    elif way == "truncate":
        main.write_text("")
        looked.meanwhile = lambda: main.write_text(TWO)
        assert await looked.look() is None and looked.file.notice == ""
        looked.meanwhile = lambda: None
    else:
        main.unlink()
        main.symlink_to(looked.home.write(TWO, "elsewhere/config.yaml"))
    assert views(await looked.look()) == ["Mine"] and looked.file.notice == ""


async def test_a_config_map_that_is_swapped(home: Home) -> None:
    """As Kubernetes does: config.yaml -> ..data/config.yaml, and ..data is made to lead to another folder."""
    home.write(ONE, "..2026_1/config.yaml")
    home.write(TWO, "..2026_2/config.yaml")
    (home.folder / "..data").symlink_to("..2026_1")
    home.main.symlink_to("..data/config.yaml")
    looked = Looked(home)
    looked.file.load()
    assert await looked.look(2) is None
    assert looked.file.config is not None
    before = store_of(looked.file.config)
    (home.folder / "..new").symlink_to("..2026_2")
    (home.folder / "..new").rename(home.folder / "..data")
    shutil.rmtree(home.folder / "..2026_1")
    found = await looked.look()
    assert found is not None and views(found) == ["Mine"]
    assert store_of(found) == before, "it is the same board, with the same database"


async def test_a_link_to_another_file_with_the_same_text_changes_nothing(home: Home) -> None:
    home.write(ONE, "a")
    home.write(ONE, "b")
    home.main.symlink_to("a")
    looked = Looked(home)
    looked.file.load()
    home.main.unlink()
    home.main.symlink_to("b")
    before, found = looked.file.config, await looked.look()
    assert before is not None and found is not None and differences(before, found) == []


async def test_includes_are_looked_at_and_so_are_those_that_come(looked: Looked) -> None:
    home = looked.home
    home.write("sources: [{type: ci, name: b, repos: x}]\n", "more/b.yaml")
    home.write(ONE + "include: more/*.yaml\n")
    found = await looked.look()
    assert found is not None and [s.name for s in found.sources] == ["gh", "b"]
    assert await looked.look(2) is None
    home.write("sources: [{type: ci, name: c, repos: x}]\n", "more/c.yaml")
    found = await looked.look()
    assert found is not None and [s.name for s in found.sources] == ["gh", "b", "c"]
    home.write("sources: [{type: ci, name: d, repos: x}]\n", "more/b.yaml")
    found = await looked.look(3)
    assert looked.file.config is not None
    assert [s.name for s in looked.file.config.sources] == ["gh", "d", "c"]
    (home.folder / "more/c.yaml").unlink()
    await looked.look(3)
    assert [s.name for s in looked.file.config.sources] == ["gh", "d"]


async def test_an_include_that_is_missing_is_waited_for(looked: Looked) -> None:
    home = looked.home
    home.write(ONE + "include: more.yaml\n")
    assert await looked.look() is None
    assert "config.yaml:2: include: cannot include" in looked.file.notice
    await looked.look(2)
    home.write("views: [{name: Mine}]\n", "more.yaml")
    assert views(await looked.look()) == ["Mine"] and looked.file.notice == ""


# --- what is said ---------------------------------------------------------------------------------------------------


async def test_what_is_broken_is_told_and_what_was_before_stays(
    looked: Looked, caplog: pytest.LogCaptureFixture
) -> None:
    before = looked.file.config
    looked.home.write("sources: [{type: ci, name: gh, repos: x, intervall: 3}]\nviews: [{}]\n")
    assert await looked.look(3) is None
    assert looked.file.config is before
    assert looked.file.notice == (
        "config not applied, 2 problems: config.yaml:1: sources[0]: unknown key `intervall` (did you mean `interval`?)"
    )
    assert len(caplog.records) == 1, "once, not at every look"
    looked.home.write(ONE)
    assert await looked.look() is None and looked.file.notice == "", "it is as it was"
    looked.home.write("sources: [")
    await looked.look()
    assert "config.yaml:2: a value is missing" in looked.file.notice
    looked.home.write(TWO)
    assert views(await looked.look()) == ["Mine"] and looked.file.notice == ""


async def test_a_problem_in_an_include_names_it(looked: Looked) -> None:
    looked.home.write("\n\nviews: [{name: a, lanes: [x]}]", "more/views.yaml")
    looked.home.write(ONE + "include: more/views.yaml\n")
    await looked.look()
    assert "more/views.yaml:3: views[0].lanes[0]" in looked.file.notice


async def test_a_file_that_stays_away_is_told_of(looked: Looked) -> None:
    looked.home.main.unlink()
    assert await looked.look() is None and looked.file.notice == ""
    assert await looked.look() is None
    assert "config.yaml" in looked.file.notice and "no such file" in looked.file.notice.lower()
    looked.home.write(ONE)
    assert await looked.look() is None and looked.file.notice == ""


async def test_what_is_written_all_the_time_is_read_when_that_ends(looked: Looked) -> None:
    looked.home.write(TWO)
    looked.meanwhile = lambda: looked.home.write(TWO + "#" * looked.waits)
    assert await looked.look(5) is None and looked.reads == 1
    looked.meanwhile = lambda: None
    assert views(await looked.look()) == ["Mine"]


async def test_who_asks_is_not_made_to_wait(looked: Looked) -> None:
    looked.home.write(TWO)
    assert views(await looked.file.look(now=True)) == ["Mine"] and looked.waits == 0
    assert await looked.file.look(now=True) is None


async def test_whatever_a_source_type_raises_is_only_told(home: Home) -> None:
    home.write(ONE)
    good = True

    def read(files: Files) -> Config:
        if not good:
            raise RuntimeError("boom")
        return load_files(files, registry=REGISTRY, env={})

    file = ConfigFile(home.main, read)
    file.load()
    good = False
    home.write(TWO)
    assert await file.look(now=True) is None
    assert "RuntimeError" in file.notice


async def test_no_escape_of_a_terminal_is_said(looked: Looked) -> None:
    looked.home.write('sources: [{type: ci, name: gh, repos: x, "\\e]52;c;x\\a": 1}]\n')
    await looked.look()
    assert "control character" in looked.file.notice and "\x1b" not in looked.file.notice


# --- trust ----------------------------------------------------------------------------------------------------------


async def test_what_was_trusted_is_not_trusted_any_more_once_it_has_changed(home: Home, tmp_path: Path) -> None:
    trusted = TrustList(tmp_path / "state" / "trusted.json")
    home.write(ONE)
    trusted.trust(home.main)
    looked = Looked(home, trusted=trusted)
    looked.file.load()
    home.write(TWO)
    assert await looked.look(3) is None and looked.reads == 1
    assert "changed since it was trusted" in looked.file.notice and "`statusboard trust`" in looked.file.notice
    trusted.trust(home.main)
    assert views(await looked.look()) == ["Mine"] and looked.file.notice == ""


async def test_what_was_trusted_and_is_as_it_was_again_is_all_right(home: Home, tmp_path: Path) -> None:
    trusted = TrustList(tmp_path / "state" / "trusted.json")
    home.write(ONE)
    trusted.trust(home.main)
    looked = Looked(home, trusted=trusted)
    looked.file.load()
    home.write("include: /etc/passwd\n")
    await looked.look()
    assert looked.file.notice and [path.name for path in looked.file._sought] == ["config.yaml"], "not looked into"
    home.write(ONE)
    assert await looked.look() is None and looked.file.notice == ""


def test_what_is_not_trusted_is_not_loaded(home: Home, tmp_path: Path) -> None:
    home.write(ONE)
    with pytest.raises(ConfigError, match="statusboard trust"):
        Looked(home, trusted=TrustList(tmp_path / "none.json")).file.load()


# --- what has changed -----------------------------------------------------------------------------------------------


def test_differences_name_what_changed_and_no_values(home: Home) -> None:
    before = home.load(
        """
        board: {title: Old}
        sources:
          - {type: ci, name: a, repos: x, token: "env:SECRET_ONE"}
          - {type: ci, name: b, repos: x}
          - {type: ci, name: c, repos: x}
        """
    )
    after = home.load(
        """
        board: {title: New, keep: 1h}
        sources:
          - {type: ci, name: a, repos: y, token: "env:SECRET_TWO", interval: 5s}
          - {type: ci, name: b, repos: x}
          - {type: ci, name: d, repos: x}
          - {type: log, name: c, path: x}
        services: {shop: }
        keys: {quit: K}
        """
    )
    assert differences(before, after) == [
        "source a changed (interval, repos, token)",
        "source d added",
        "source c changed (type)",
        "services",
        "keys",
        "board.keep",
        "board.title",
    ]
    assert differences(after, before)[1:3] == ["source c changed (type)", "source d removed"]
    assert differences(after, after) == []


# --- what has to wait -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (ONE, TWO, ""),
        (ONE, "board: {keep: 1h, title: x}\n" + ONE, ""),
        ("board: {id: a}\n" + ONE, "board: {id: b}\n" + ONE, "board.id has changed: restart"),
        (ONE, "board: {id: b}\n" + ONE, "board.id has changed: restart"),
        (ONE, "board: {store: x.sqlite}\n" + ONE, "board.store has changed: restart"),
        (ONE, "board: {store: x.sqlite}\n", "board.store has changed: restart"),
        ("board: {store: x.sqlite}\n", "board: {store: x.sqlite}\n" + ONE, "restart to read sources"),
        ("board: {store: x.sqlite}\n" + ONE, "board: {store: x.sqlite}\n", "restart to only follow"),
    ],
)
async def test_another_store_waits_for_a_restart(
    home: Home, monkeypatch: pytest.MonkeyPatch, before: str, after: str, told: str
) -> None:
    monkeypatch.setenv("STATUSBOARD_DATA", str(home.folder / "data"))
    wiring = Wiring(home.load(before))
    setups = dict(wiring.engine.setups)
    waits = await wiring.apply(home.load(after))
    assert told in waits and bool(told) == bool(waits)
    if told:
        assert wiring.engine.setups == setups, "what is read into this store stays"
    await wiring.engine.stop()
