"""Lists that are decoded at once, and row by row where something in them is odd."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sources._shared.decoding import as_documented
from sources._shared.rows import Rows
from statusboard.errors import BadAnswer
from statusboard.testing import Answer, FakeReply


class Row(msgspec.Struct, frozen=True):
    id: int


def reply(value: object) -> FakeReply:
    return FakeReply("https://vendor.example", Answer.of(value))


def test_a_list_as_documented_is_decoded_at_once() -> None:
    rows = as_documented(reply([{"id": 1, "more": []}, {"id": 2}]), list[Row], list[Any])
    assert rows == [Row(1), Row(2)]
    assert Rows("row", Row, rows).good == [Row(1), Row(2)]


def test_an_odd_row_does_not_cost_the_others() -> None:
    rows = as_documented(reply([{"id": 1}, {"id": "2"}, {"id": []}]), list[Row], list[Any])
    assert rows == [{"id": 1}, {"id": "2"}, {"id": []}]
    assert Rows("row", Row, rows).good == [Row(1), Row(2)]  # a number may come as text


def test_what_is_no_list_at_all_is_no_answer() -> None:
    with pytest.raises(BadAnswer):
        as_documented(reply({"message": "no"}), list[Row], list[Any])
    with pytest.raises(BadAnswer):
        as_documented(FakeReply("https://vendor.example", Answer(body=b"[")), list[Row], list[Any])
