"""The five numbers: their names, their units, and which way is better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, get_args

from msgspec import Struct

from statusboard.model import ItemKind

Metric: TypeAlias = Literal["lead_time", "deployment_frequency", "recovery_time", "change_fail_rate", "rework_rate"]
Unit: TypeAlias = Literal["seconds", "per day", "share"]
"""``share`` runs from 0 to 1."""
Better: TypeAlias = Literal["lower", "higher"]

METRICS: Final[tuple[Metric, ...]] = get_args(Metric)
"""In the order in which they are shown: how fast changes come out, then how well."""


class Definition(Struct, frozen=True):
    """What one of the numbers is.  ``needs``: a stretch must be covered by the sources of these kinds."""

    metric: Metric
    title: str
    unit: Unit
    better: Better
    needs: tuple[ItemKind, ...]
    counts: str
    """What ``n`` counts, in the plural."""


_LIST = (
    Definition("lead_time", "change lead time", "seconds", "lower", ("release",), "deployments"),
    Definition("deployment_frequency", "deployment frequency", "per day", "higher", ("release",), "deployments"),
    Definition(
        "recovery_time",
        "failed deployment recovery time",
        "seconds",
        "lower",
        ("release", "incident"),
        "failed deployments",
    ),
    Definition("change_fail_rate", "change fail rate", "share", "lower", ("release", "incident"), "deployments"),
    Definition("rework_rate", "deployment rework rate", "share", "lower", ("release", "incident"), "deployments"),
)
DEFINITIONS: Final[Mapping[Metric, Definition]] = {definition.metric: definition for definition in _LIST}
