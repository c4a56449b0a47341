"""How many points what is worth that may speak for a release as a suspect; docs/suspects.md tells how they count."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from statusboard.clock import Duration

Gain: TypeAlias = Annotated[int, Meta(ge=0, le=100)]
Loss: TypeAlias = Annotated[int, Meta(ge=-100, le=0)]


class Weights(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many points what is worth, and the gates; ``suspects:`` in a config.  Durations in seconds.

    Of ``same_service`` to ``only_team`` the best counts, once.  Raises ValueError for what cannot be measured with.
    """

    same_service: Annotated[Gain, Meta(description="it is a release of the incident's service")] = 40
    dependency: Annotated[Gain, Meta(description="the incident's service depends on it (`depends_on:`)")] = 30
    common: Annotated[Loss, Meta(description="the same, where 16 or more services depend on it; less for fewer")] = -8
    farther: Annotated[Gain, Meta(description="a service that it depends on depends on it")] = 10
    repository: Annotated[Gain, Meta(description="it comes from a repository of the incident's service")] = 15
    team: Annotated[Gain, Meta(description="it is a release of the same team")] = 10
    only_team: Annotated[Gain, Meta(description="the same, of an incident that names no service")] = 20
    by_title: Annotated[
        Loss, Meta(description="it is related so by what a title begins with, where a service should be named")
    ] = -5
    time: Annotated[Gain, Meta(description="it had just finished; half of it after `half_life`")] = 15
    slow_time: Annotated[Gain, Meta(description="the same for what shows late; half after `slow_half_life`")] = 20
    failed: Annotated[Gain, Meta(description="it failed")] = 8
    rolled_back_later: Annotated[Gain, Meta(description="somebody went back behind it after the incident began")] = 20
    rolled_back_before: Annotated[Loss, Meta(description="it was rolled back when the incident began")] = -20
    rollback: Annotated[Loss, Meta(description="it is a rollback itself")] = -10
    beside: Annotated[
        Gain, Meta(description="others broke with it that depend on it: half of it for one, three quarters for two")
    ] = 20
    size: Annotated[Gain, Meta(description="it has 64 commits or more; less for fewer")] = 6
    floor: Annotated[int, Meta(ge=1, le=200, description="points from which on a release is a suspect")] = 24
    at_once: Annotated[Duration, Meta(description="within what time others have broken with it")] = Duration(600)
    half_life: Annotated[Duration, Meta(description="after how long its `time` is worth half")] = Duration(30 * 60)
    slow_half_life: Annotated[Duration, Meta(description="after how long its `slow_time` is worth half")] = Duration(
        6 * 3600
    )
    window: Annotated[Duration, Meta(description="how long before the incident it may have begun")] = Duration(
        24 * 3600
    )
    tolerance: Annotated[Duration, Meta(description="how long after it, since clocks differ")] = Duration(300)

    def __post_init__(self) -> None:
        if not 1 <= self.half_life <= 7 * 86_400:
            raise ValueError("`half_life` must be between 1s and 7d")
        if not 1 <= self.slow_half_life <= 14 * 86_400:
            raise ValueError("`slow_half_life` must be between 1s and 14d")
        if not 60 <= self.window <= 14 * 86_400:
            raise ValueError("`window` must be between 1m and 14d")
        if self.at_once > 3_600:
            raise ValueError("`at_once` must be at most 1h")
        if self.tolerance > 3_600:
            raise ValueError("`tolerance` of clocks must be at most 1h")
