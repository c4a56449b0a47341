"""A config that merely lies in the current folder is used only as it was when a person trusted it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from statusboard.config import load_config
from statusboard.errors import ConfigError
from statusboard.trust import Found, TrustList, find_config
from tests.config.sources import REGISTRY

GOOD = "sources: [{type: ci, name: gh, repos: x}]\n"


class Place:
    """A current folder, a config folder, a list of trusted files."""

    def __init__(self, folder: Path) -> None:
        self.cwd = folder / "clone"
        self.cwd.mkdir()
        self.local = self.cwd / "statusboard.yaml"
        self.platform = folder / "home" / "config.yaml"
        self.platform.parent.mkdir()
        self.list = folder / "state" / "trusted.json"
        self.trusted = TrustList(self.list)

    def find(self, explicit: str | None = None, env: dict[str, str] | None = None) -> Found:
        return find_config(explicit, env or {}, self.cwd, trusted=self.trusted, platform=self.platform)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_what_is_named_is_used_even_where_it_is_missing(place: Place):
    place.local.write_text(GOOD)
    place.platform.write_text(GOOD)
    place.trusted.trust(place.local)
    found = place.find("there.yaml", {"STATUSBOARD_CONFIG": "other.yaml"})
    assert (found.path, found.notice) == (Path("there.yaml"), "")
    found = place.find(env={"STATUSBOARD_CONFIG": "other.yaml"})
    assert found.path == place.cwd / "other.yaml"
    assert "STATUSBOARD_CONFIG" in found.why


def test_naming_the_local_file_needs_no_trust(place: Place):
    place.local.write_text(GOOD)
    found = place.find(str(place.local))
    assert (found.path, found.digest, found.notice) == (place.local, "", "")


def test_an_untrusted_local_file_is_passed_over_with_a_notice(place: Place):
    place.local.write_text(GOOD)
    place.platform.write_text(GOOD)
    found = place.find()
    assert found.path == place.platform
    assert "not trusted yet" in found.notice
    assert "`statusboard trust`" in found.notice


def test_a_trusted_local_file_comes_before_the_config_folder(place: Place):
    place.local.write_text(GOOD)
    place.platform.write_text(GOOD)
    assert place.trusted.trust(place.local) == (place.local,)
    found = place.find()
    assert found.path == place.local
    assert found.notice == ""
    assert load_config(place.local, registry=REGISTRY, env={}, digest=found.digest).sources


def test_a_changed_file_is_no_longer_trusted(place: Place):
    place.local.write_text(GOOD)
    place.trusted.trust(place.local)
    place.local.write_text(GOOD + "# more\n")
    found = place.find()
    assert found.path is None
    assert "has changed since it was trusted" in found.notice
    place.local.write_text(GOOD)
    assert place.find().path == place.local


def test_a_changed_include_is_no_longer_trusted(place: Place):
    place.local.write_text(GOOD + "include: ['team-*.yaml']\n")
    team = place.cwd / "team-a.yaml"
    team.write_text("services: {a: }\n")
    assert place.trusted.trust(place.local) == (place.local, team)
    assert place.find().path == place.local
    team.write_text("services: {b: }\n")
    assert "has changed" in place.find().notice
    team.write_text("services: {a: }\n")
    assert place.find().path == place.local
    (place.cwd / "team-b.yaml").write_text("services: {b: }\n")
    assert "has changed" in place.find().notice


def test_what_changes_between_looking_and_loading_is_not_loaded(place: Place):
    place.local.write_text(GOOD)
    place.trusted.trust(place.local)
    digest = place.find().digest
    place.local.write_text(GOOD.replace("gh", "evil"))
    with pytest.raises(ConfigError, match="changed since it was trusted"):
        load_config(place.local, registry=REGISTRY, env={}, digest=digest)


def test_trust_does_not_travel_with_a_copy(place: Place):
    place.local.write_text(GOOD)
    place.trusted.trust(place.local)
    other = place.cwd / "sub"
    other.mkdir()
    (other / "statusboard.yaml").write_text(GOOD)
    found = find_config(None, {}, other, trusted=place.trusted, platform=place.platform)
    assert found.path is None
    assert "not trusted yet" in found.notice


def test_the_includes_of_an_untrusted_file_are_not_looked_for(place: Place, monkeypatch: pytest.MonkeyPatch):
    place.local.write_text(GOOD)
    place.trusted.trust(place.local)
    place.local.write_text("include: /*/*/*/*/*/*\n")
    monkeypatch.setattr("glob.glob", lambda *_, **__: pytest.fail("an untrusted file made us search the disk"))
    assert "has changed" in place.find().notice


def test_without_any_config(place: Place):
    found = place.find()
    assert found.path is None
    assert str(place.platform) in found.why
    assert found.notice == ""


def test_a_broken_file_is_not_trusted(place: Place):
    place.local.write_text("a: b: c")
    with pytest.raises(ConfigError, match="second `:`"):
        place.trusted.trust(place.local)
    with pytest.raises(ConfigError, match="no such file"):
        place.trusted.trust(place.cwd / "missing.yaml")
    assert not place.list.exists()


def test_trust_can_be_taken_back(place: Place):
    place.local.write_text(GOOD)
    assert not place.trusted.forget(place.local)
    place.trusted.trust(place.local)
    assert place.trusted.forget(place.local)
    assert "not trusted yet" in place.find().notice


def test_the_list_is_private_and_replaced_as_a_whole(place: Place):
    place.local.write_text(GOOD)
    place.trusted.trust(place.local)
    assert place.list.stat().st_mode & 0o777 == 0o600
    assert place.list.parent.stat().st_mode & 0o777 == 0o700
    assert list(json.loads(place.list.read_text())) == [str(place.local)]
    assert [p.name for p in place.list.parent.iterdir()] == ["trusted.json"]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1}', '{"a": {"own": "", "whole": ""}}'])
def test_a_damaged_list_trusts_nothing(place: Place, content: str):
    place.local.write_text(GOOD)
    place.list.parent.mkdir()
    place.list.write_text(content)
    assert place.find().path is None


def test_a_list_that_cannot_be_written(place: Place):
    place.local.write_text(GOOD)
    place.list.parent.write_text("a file where the folder should be")
    with pytest.raises(ConfigError, match="cannot be written"):
        place.trusted.trust(place.local)


def test_a_file_that_grew_beyond_all_bounds(place: Place):
    place.local.write_text(GOOD)
    place.trusted.trust(place.local)
    place.local.write_text("#" * 2_000_000)
    assert "has changed" in place.find().notice
