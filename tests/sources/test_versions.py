"""Which version came before which."""

from __future__ import annotations

import pytest

from sources._shared.versions import before, is_prerelease


@pytest.mark.parametrize(
    "version,others,expected",
    [
        ("v1.10.0", ["v1.9.0", "v1.2.0", "v1.11.0"], "v1.9.0"),
        ("v1.9.9", ["v2.0.0", "v1.9.8"], "v1.9.8"),  # an old line is still mended
        ("v2.0.0", ["v2.0.0-rc.2", "v1.9.9"], "v1.9.9"),
        ("v2.0.0-rc.2", ["v2.0.0-rc.1", "v1.9.9"], "v2.0.0-rc.1"),
        ("v2.0.0-beta.1", ["v2.0.0-alpha.2", "v2.0.0-rc.1"], "v2.0.0-alpha.2"),
        ("v2.0.0-rc.1", ["v2.0.0", "v1.9.9"], "v1.9.9"),
        ("ledger-v1.3", ["web-v1.2", "ledger-v1.2"], "ledger-v1.2"),
        ("1.2.1", ["v1.2.0"], "v1.2.0"),  # somebody took to another way of writing
        ("v1.2.0", ["v1.2"], ""),  # the same
        ("2026.01.02", ["2025.12.31"], "2025.12.31"),
        ("v1", [], ""),
        ("latest", ["stable"], ""),
        ("1." * 10_000, ["1"], ""),
        ("9" * 150, ["1"], "1"),
    ],
)
def test_the_version_before(version: str, others: list[str], expected: str) -> None:
    assert before(version, others) == expected


@pytest.mark.parametrize(
    "version", ["1.2.0-rc.1", "v1.2-beta", "2.0.0a1", "v3.0.0-alpha.2", "1.0-SNAPSHOT", "1.0.dev3"]
)
def test_prereleases(version: str) -> None:
    assert is_prerelease(version)


@pytest.mark.parametrize("version", ["1.2.0", "v1.2-final", "1.2.0+rc.1", "release", "", "1.2.0-1"])
def test_no_prereleases(version: str) -> None:
    assert not is_prerelease(version)
