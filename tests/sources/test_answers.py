"""What sources share to read whole answers and the lists of what a group holds."""

from __future__ import annotations

import msgspec
import pytest

from sources._shared.answers import every, one, shaped
from sources._shared.listing import Listings
from statusboard.clock import FakeClock
from statusboard.errors import BadAnswer, NotFound, ServerError, SourceError, TooLarge
from statusboard.testing import Answer, FakeReply


class Thing(msgspec.Struct, frozen=True):
    number: int | None = None


def reply(value: object) -> FakeReply:
    return FakeReply("https://vendor.example", Answer.of(value))


def test_numbers_may_come_as_text() -> None:
    assert one(reply({"number": "7", "more": []}), Thing) == Thing(7)
    assert every(reply([{"number": "7"}, {}]), Thing) == [Thing(7), Thing()]
    assert shaped({"number": 7}, Thing) == Thing(7)


def test_what_is_odd_is_a_bad_answer() -> None:
    odd: tuple[object, ...] = ([], "text", None, {"number": []})
    for value in odd:
        with pytest.raises(BadAnswer, match="not as documented"):
            one(reply(value), Thing)
    no_lists: tuple[object, ...] = ({}, None, [{"number": 1}, {"number": "x"}])
    for value in no_lists:
        with pytest.raises(BadAnswer):
            every(reply(value), Thing)


class Vendor:
    """A group's members, and what asking for them raises."""

    def __init__(self) -> None:
        self.members = {"a": 1}
        self.too_many: TooLarge | None = None
        self.error: SourceError | None = None
        self.asked = 0

    async def __call__(self) -> tuple[dict[str, int], TooLarge | None]:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return dict(self.members), self.too_many


async def test_a_list_is_kept_for_its_time() -> None:
    clock, vendor = FakeClock(), Vendor()
    listings: Listings[int] = Listings(clock, 600)
    assert (await listings.of("acme", vendor)).members == {"a": 1}
    vendor.members["b"] = 2
    clock.advance(599)
    assert (await listings.of("acme", vendor)).members == {"a": 1}
    clock.advance(1)
    assert (await listings.of("acme", vendor)).members == {"a": 1, "b": 2}
    assert vendor.asked == 2
    assert listings["acme"] == {"a": 1, "b": 2}


async def test_a_list_that_cannot_be_renewed_stays_and_says_why() -> None:
    clock, vendor = FakeClock(), Vendor()
    listings: Listings[int] = Listings(clock, 600)
    await listings.of("acme", vendor)
    clock.advance(600)
    vendor.error = ServerError("502")
    for _ in range(2):  # it is tried each time
        stale = await listings.of("acme", vendor)
        assert (stale.members, stale.error) == ({"a": 1}, vendor.error)
    assert vendor.asked == 3
    vendor.error = None
    assert (await listings.of("acme", vendor)).error is None


async def test_a_group_that_was_never_listed_has_no_members_to_go_on_with() -> None:
    vendor = Vendor()
    vendor.error = NotFound("404")
    with pytest.raises(NotFound):
        await Listings[int](FakeClock(), 600).of("acme", vendor)


async def test_a_list_that_is_not_whole_says_so_while_it_is_kept() -> None:
    vendor = Vendor()
    vendor.too_many = TooLarge("more than 200")
    listings: Listings[int] = Listings(FakeClock(), 600)
    for _ in range(2):
        assert (await listings.of("acme", vendor)).error is vendor.too_many
    assert vendor.asked == 1
