"""Doubles and the contract kit for the authors of sources: what every source must withstand.

    class TestPager(SourceContract):
        source = Pager
        options = {"url": "https://pager.example"}
        state_fields = ("status",)
        time_fields = ("created_at",)

        def vendor(self, call: Call) -> Answer:
            return Answer.of([{"id": "1", "status": "triggered", "created_at": "2026-01-02T03:04:05Z"}])

`SourceContract` runs a source through the real client; its tests are plain methods that pytest and unittest-style
runners collect.  `DataContract` is the half of it for sources that read something else than HTTP; `HistoryContract` is
for those that tell of the past.  In an author's own tests, `FakeHttp` stands in for the client.
"""

from statusboard.testing._contract import DataContract
from statusboard.testing._doubles import (
    Answer,
    Call,
    FakeHttp,
    FakeReply,
    Handler,
    make_source,
    read_all,
    read_one,
)
from statusboard.testing._history_contract import HistoryContract
from statusboard.testing._http_contract import SourceContract

__all__ = [
    "Answer",
    "Call",
    "DataContract",
    "FakeHttp",
    "FakeReply",
    "Handler",
    "HistoryContract",
    "SourceContract",
    "make_source",
    "read_all",
    "read_one",
]
