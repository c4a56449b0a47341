"""Releases as rollouts: several targets as one, and who went back behind whom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from statusboard.model import Release
from statusboard.rollouts import Rollout, is_older, rollouts_of

START = datetime(2026, 3, 2, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def deployed(version: str, began: float, **more: Any) -> Release:
    known: dict[str, Any] = {"services": ("shop",), "environment": "production", "state": "success"}
    key = f"cd:release:{version}-{began}-{more.get('target', '')}"
    times = {"started_at": at(began), "ended_at": at(began + 5)}
    return Release(**{**known, **times, "key": key, "source": "cd", "version": version, **more})


def shape(found: list[Rollout]) -> list[str]:
    """Each rollout as ``version x targets``, marked ``<`` where it is a rollback and ``-`` where it was undone."""
    return [
        f"{one.releases[0].version}x{len(one.releases)}{'<' if one.undoes else ''}{'-' if one.undone else ''}"
        for one in found
    ]


@pytest.mark.parametrize(
    "version, than, older",
    [
        ("1.9.0", "1.10.0", True),
        ("v1.9", "1.9.1", True),
        ("1.9", "1.9.0", False),
        ("1.10.0", "1.9.0", False),
        ("1.9.0", "1.9.0", False),
        ("", "1.9.0", False),
        ("1.9.0", "main", False),
        ("abc", "abd", False),
        ("12", "13", False),  # may be a revision
        ("9" * 40 + ".1", "1.1", False),
    ],
)
def test_older_numbers(version: str, than: str, older: bool):
    assert is_older(version, than) is older


def test_targets_of_one_version_are_one_rollout_while_they_follow_each_other():
    targets = [deployed("2.0", n * 60, target=name) for n, name in enumerate(("eu", "us", "asia"))]
    assert shape(rollouts_of(targets)) == ["2.0x3"]
    assert shape(rollouts_of([targets[0], deployed("2.0", 200, target="us")])) == ["2.0x1", "2.0x1"]
    assert shape(rollouts_of([*targets, deployed("2.0", 130, target="eu")])) == ["2.0x3", "2.0x1"]
    assert shape(rollouts_of([targets[0], deployed("2.0", 60, target="us", services=("cart",))])) == ["2.0x1", "2.0x1"]


def test_a_version_that_stood_there_before_is_a_rollback_of_all_in_between():
    line = [deployed(name, n * 60) for n, name in enumerate(("a", "b", "c", "a", "d"))]
    found = rollouts_of(reversed(line))
    assert shape(found) == ["ax1", "bx1-", "cx1-", "ax1<", "dx1"]
    assert [one.undone_at for one in found] == [None, at(180).timestamp(), at(180).timestamp(), None, None]


def test_a_setting_is_rolled_back_by_its_former_value():
    def flag(value: str, began: float, **more: Any) -> Release:
        return deployed(value, began, type="configuration", **{"setting": "basket", **more})

    assert shape(rollouts_of([flag("on", 0), flag("off", 60), flag("on", 90)])) == ["onx1", "offx1-", "onx1<"]
    assert shape(rollouts_of([flag("on", 0, previous_version="off"), flag("off", 60)])) == ["onx1-", "offx1<"]
    assert shape(rollouts_of([flag("1.5", 0), flag("0.5", 60)])) == ["1.5x1", "0.5x1"], "no version is older"
    others = [flag("on", 0, setting="till"), deployed("on", 10), flag("off", 60), flag("on", 90)]
    assert shape(rollouts_of(others)) == ["onx1", "onx1", "offx1", "onx1"], "each setting by itself, and no version"


def test_going_back_is_told_target_by_target():
    canary = [deployed("1.0", 0, target="eu"), deployed("1.0", 5, target="us"), deployed("1.1", 60, target="eu")]
    assert shape(rollouts_of([*canary, deployed("1.0", 300, target="us")])) == ["1.0x2", "1.1x1", "1.0x1"]
    assert shape(rollouts_of([*canary, deployed("1.0", 300, target="eu")])) == ["1.0x2", "1.1x1-", "1.0x1<"]


def test_the_same_once_more_is_no_rollback():
    assert shape(rollouts_of([deployed("1.0", 0), deployed("1.0", 60), deployed("1.1", 90)])) == [
        "1.0x1",
        "1.0x1",
        "1.1x1",
    ]


def test_what_goes_forward_again_undoes_nothing():
    line = [deployed(name, n * 60) for n, name in enumerate(("1.0", "1.1", "1.0", "1.1"))]
    assert shape(rollouts_of(line)) == ["1.0x1", "1.1x1-", "1.0x1<", "1.1x1"]


def test_a_lower_number_is_a_rollback_though_nobody_saw_it_before():
    assert shape(rollouts_of([deployed("1.4.0", 0), deployed("1.3.9", 60)])) == ["1.4.0x1-", "1.3.9x1<"]
    assert shape(rollouts_of([deployed("1.3.9", 60, previous_version="1.4.0")])) == ["1.3.9x1<"]


def test_what_its_vendor_calls_rolled_back_has_the_moment_of_its_last_word():
    told = deployed("1.0", 0, state="rolled_back", updated_at=at(40))
    (found,) = rollouts_of([told])
    assert (found.undone, found.undone_at) == (True, at(40).timestamp())
    (found,) = rollouts_of([deployed("1.0", 0, state="rolled_back", ended_at=None)])
    assert (found.undone, found.undone_at) == (True, None)


def test_of_what_names_no_service_nobody_can_tell():
    assert shape(rollouts_of([deployed("2.0", 0, services=()), deployed("1.0", 60, services=())])) == ["2.0x1", "1.0x1"]


def test_what_is_no_rollout():
    others = [
        deployed("1.0", 0, type="publication"),
        deployed("1.1", 0, state="queued"),
        deployed("1.2", 0, started_at=None, ended_at=None),
        deployed("1.3", 0, state="cancelled", started_at=None),
        deployed("1.4", 0, environment="staging"),
    ]
    assert rollouts_of(others, lambda name: name == "production") == []
    assert shape(rollouts_of([deployed("1.0", 0, environment="")], lambda name: False)) == ["1.0x1"]
