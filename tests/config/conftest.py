"""What the tests of the configuration share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.sources import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A folder for config files."""
    return Home(tmp_path)
