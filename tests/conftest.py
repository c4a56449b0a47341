"""What all tests share: what happens where this machine lacks something that a test needs."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import pytest

from statusboard.log import redactor
from tests.real.needs import Unavailable, required


@contextmanager
def _skip_or_fail() -> Generator[None]:
    """Missing servers skip a test with the reason on a developer's machine, and fail it where they are required."""
    try:
        yield
    except Unavailable as missing:
        if required():
            pytest.fail(
                f"{missing} (servers are required here: CI or STATUSBOARD_REQUIRE_SERVERS is set)", pytrace=False
            )
        pytest.skip(str(missing))


@pytest.fixture(autouse=True)
def forgotten_secrets() -> Generator[None]:
    """What one test makes the log hide is not hidden in the next."""
    yield
    redactor.forget()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None]:
    with _skip_or_fail():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    with _skip_or_fail():
        yield
