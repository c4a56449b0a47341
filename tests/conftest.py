"""What all tests share: what happens where this machine lacks something that a test needs."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from statusboard.crash import FAULT
from statusboard.log import redactor
from tests.real.needs import Unavailable, required


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test logged may be as hostile as what it was given; between workers only whole characters can go."""
    report = yield
    report.sections = [(name, text.encode(errors="replace").decode()) for name, text in report.sections]
    return report


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


def build_wheel(project: Path, out: Path) -> Path:
    """A project's wheel, built with what this environment has: nothing is fetched."""
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(project)],
        cwd=project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our wheel, built from a copy so that nothing is left in the tree."""
    root, copy = Path(__file__).parents[1], tmp_path_factory.mktemp("project")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, copy)
    for name in ("statusboard", "widgets", "sources", "tests"):
        shutil.copytree(root / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    return build_wheel(copy, copy / "out")


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


class _Faults(logging.Handler):
    """Gathers what `statusboard.crash` logs."""

    def __init__(self) -> None:
        super().__init__()
        self.met: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg == FAULT and record.exc_info and record.exc_info[1] is not None:
            self.met.append(record.exc_info[1])


@pytest.fixture(autouse=True)
def _no_faults(request: pytest.FixtureRequest) -> Generator[list[BaseException]]:
    """A fault of ours that a board outlives fails the test all the same, unless that asks for ``faults``."""
    gathered = _Faults()
    log = logging.getLogger("statusboard")
    log.addHandler(gathered)
    yield gathered.met
    log.removeHandler(gathered)
    if gathered.met and "faults" not in request.fixturenames:
        raise gathered.met[0]


@pytest.fixture
def faults(_no_faults: list[BaseException]) -> list[BaseException]:
    """The faults of ours that are met in this test, which it expects."""
    return _no_faults
