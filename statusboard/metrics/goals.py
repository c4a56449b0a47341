"""What a team wants its numbers to be: ``change_fail_rate: <= 15%``.  Pure.

A goal is a comparison and a value with its unit.  Shares are written in per cent, times with their unit, frequencies
as so many in a time.  A comparison that asks for the worse is refused: it was hardly meant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from statusboard.clock import parse_duration
from statusboard.metrics.kinds import DEFINITIONS, METRICS, Metric, Unit
from statusboard.metrics.words import length_text, value_text
from statusboard.text import clean

Comparison: TypeAlias = Literal["<=", "<", ">=", ">"]

NAMES: Final[Mapping[str, Metric]] = {
    **{metric: metric for metric in METRICS},
    "change_lead_time": "lead_time",
    "failed_deployment_recovery_time": "recovery_time",
    "deployment_rework_rate": "rework_rate",
}
"""The names under which a goal may be written, those that DORA uses among them."""
EXAMPLES: Final[Mapping[Metric, str]] = {
    "lead_time": "<= 2d",
    "deployment_frequency": ">= 1/day",
    "recovery_time": "<= 1h",
    "change_fail_rate": "<= 15%",
    "rework_rate": "<= 10%",
}

_GOAL: Final = re.compile(r"\s*(<=|>=|<|>|≤|≥)?\s*(.*?)\s*", re.DOTALL)
_SHARE: Final = re.compile(r"(\d{1,4}(?:\.\d{1,6})?)\s*%")
_FREQUENCY: Final = re.compile(
    r"(\d{1,6}(?:\.\d{1,6})?)\s*(?:/|per|a)\s*(h|hour|d|day|w|week|month|y|year)s?", re.IGNORECASE
)
_DAYS: Final = {"h": 1 / 24, "d": 1.0, "w": 7.0, "m": 30.0, "y": 365.0}
_BARE: Final = re.compile(r"[\d.]+")
_MEANT: Final[Mapping[Unit, str]] = {
    "share": "a share in per cent",
    "seconds": "a length of time with its unit",
    "per day": "so many in a time",
}


class GoalError(ValueError):
    """A goal that cannot be understood; ``hint`` is what would be right."""

    def __init__(self, message: str, hint: str) -> None:
        self.hint = hint
        super().__init__(message)


class Goal(Struct, frozen=True, gc=False):
    """What one number of a team is to be; ``value`` in the unit of the metric."""

    team: str
    metric: Metric
    comparison: Comparison
    value: float

    def met_by(self, value: float | None) -> bool | None:
        """Whether a value meets it; None for no data, which is neither."""
        if value is None:
            return None
        match self.comparison:
            case "<=":
                return value <= self.value
            case "<":
                return value < self.value
            case ">=":
                return value >= self.value
            case _:
                return value > self.value

    @property
    def text(self) -> str:
        """As it may be written in a config: ``<= 15%``."""
        unit = DEFINITIONS[self.metric].unit
        told = length_text(self.value).replace(" ", "") if unit == "seconds" else value_text(self.value, unit)
        return f"{self.comparison} {told}"


def parse_goal(team: str, metric: Metric, text: str) -> Goal:
    """The goal that ``text`` says.  `GoalError` for anything else, with what would be right."""
    definition = DEFINITIONS[metric]
    found = _GOAL.fullmatch(text[:200])
    sign, rest = (found[1] or "", found[2]) if found is not None else ("", "")
    wanted: Comparison = "<=" if definition.better == "lower" else ">="
    comparison: Comparison = wanted
    if sign:
        comparison = {"<=": "<=", "≤": "<=", "<": "<", ">=": ">=", "≥": ">=", ">": ">"}[sign]  # type: ignore[assignment]
    value = _value(rest, definition.unit)
    if value is None:
        raise _wrong(metric, rest, wanted)
    if comparison[0] != wanted[0]:
        raise GoalError(
            f"{metric} is better the {definition.better} it is; this asks for the opposite", f"write `{wanted} {rest}`"
        )
    if definition.unit == "share" and value > 1:
        raise GoalError("a share is at most 100%", f"such as `{EXAMPLES[metric]}`")
    return Goal(team, metric, comparison, value)


def goals_of(config: Mapping[str, Mapping[str, str]]) -> tuple[Goal, ...]:
    """The goals of a valid config: team -> metric -> text."""
    return tuple(parse_goal(team, NAMES[name], text) for team, own in config.items() for name, text in own.items())


def _value(text: str, unit: Unit) -> float | None:
    if unit == "share":
        share = _SHARE.fullmatch(text)
        return float(share[1]) / 100 if share is not None else None
    if unit == "per day":
        frequency = _FREQUENCY.fullmatch(text)
        return float(frequency[1]) / _DAYS[frequency[2][0].lower()] if frequency is not None else None
    if not text or _BARE.fullmatch(text):
        return None
    try:
        return float(parse_duration(text))
    except ValueError:
        return None


def _wrong(metric: Metric, rest: str, sign: str) -> GoalError:
    """What was written, by the unit that it has, and what would be right."""
    unit = DEFINITIONS[metric].unit
    other = next((known for known in _MEANT if known != unit and _value(rest, known) is not None), None)
    said = clean(rest, 40)
    if other is not None:
        message = f"`{said}` is {_MEANT[other]}; {metric} is {_MEANT[unit]}"
    elif _BARE.fullmatch(rest):
        message = f"`{said}` has no unit; {metric} is {_MEANT[unit]}"
    elif not rest:
        message = f"there is no value; {metric} is {_MEANT[unit]}"
    else:
        message = f"`{said}` is not {_MEANT[unit]}"
    example = EXAMPLES[metric]
    if _BARE.fullmatch(rest):
        ending = {"share": "%", "seconds": "h", "per day": "/day"}[unit]
        example = f"{sign} {said}{ending}"
    return GoalError(message, f"such as `{example}`, in quotes")
