"""One number over time: in each of several stretches, as far as that was watched.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Final

from statusboard.metrics.kinds import Metric
from statusboard.metrics.numbers import tally
from statusboard.metrics.record import Record
from statusboard.metrics.report import Inputs, covered_in
from statusboard.metrics.windows import Stretch, Window

LEAST: Final = 0.5
"""The part of a stretch that must have been watched before a frequency is told of it."""


def values_over(
    metric: Metric,
    spans: Sequence[Stretch],
    record: Record,
    inputs: Inputs,
    zone: tzinfo = UTC,
) -> tuple[float | None, ...]:
    """The value of a number in each of the ``spans``; None where there is no data.  ``record`` is all of a scope."""
    watched = inputs.of(metric)
    values: list[float | None] = []
    for span in spans:
        stretches, covered = covered_in(Window(1, span.since, span.until), watched, zone)
        found = record.within(stretches)
        if metric != "deployment_frequency":
            values.append(tally(metric, found, covered).value)
        elif covered.days < LEAST * covered.of or not covered.days:
            values.append(None)
        else:  # of single days too, of which the number itself is not told
            values.append(len(found.out) / covered.days)
    return tuple(values)
