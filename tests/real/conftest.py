"""The real servers as fixtures: each boots once a run, on first use, in a folder that other users may read."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from tests.real.icinga2 import Icinga2
from tests.real.nagios import Nagios
from tests.real.redmine import Redmine
from tests.real.servers import Alertmanager, Buildbot, Prometheus, Roundup
from tests.real.tmux import Tmux

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.real)


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A temporary folder that other users may enter; pytest's own are closed to them."""
    folder = Path(tempfile.mkdtemp(prefix="statusboard-real-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session", autouse=True)
def end_cleanly() -> Iterator[None]:
    """Let SIGTERM end the run as Ctrl-C does, so that no server outlives it."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def alertmanager(open_folder: Path) -> Iterator[Alertmanager]:
    """An Alertmanager that only tests feed. For an empty one, use `quiet_alertmanager`."""
    with Alertmanager(open_folder / "alertmanager") as server:
        yield server


@pytest.fixture
def quiet_alertmanager(alertmanager: Alertmanager) -> Alertmanager:
    """The same Alertmanager, running and without any alert or silence."""
    alertmanager.sound()
    alertmanager.clear()
    return alertmanager


@pytest.fixture(scope="session")
def prometheus(open_folder: Path) -> Iterator[Prometheus]:
    """A Prometheus with an Alertmanager of its own (`prometheus.alertmanager`): its alerts never stop firing."""
    with (
        Alertmanager(open_folder / "prometheus-alertmanager") as alertmanager,
        Prometheus(open_folder / "prometheus", alertmanager) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def booted_buildbot(open_folder: Path) -> Iterator[Buildbot]:
    with Buildbot(open_folder / "buildbot") as server:
        yield server


@pytest.fixture
def buildbot(booted_buildbot: Buildbot) -> Buildbot:
    return booted_buildbot.sound()


@pytest.fixture(scope="session")
def booted_roundup(open_folder: Path) -> Iterator[Roundup]:
    with Roundup(open_folder / "roundup") as server:
        yield server


@pytest.fixture
def roundup(booted_roundup: Roundup) -> Roundup:
    return booted_roundup.sound()


@pytest.fixture(scope="session")
def booted_redmine(open_folder: Path) -> Iterator[Redmine]:
    with Redmine(open_folder / "redmine") as server:
        yield server


@pytest.fixture(scope="session")
def booted_nagios(open_folder: Path) -> Iterator[Nagios]:
    with Nagios(open_folder / "nagios") as server:
        yield server


@pytest.fixture(scope="session")
def booted_icinga2(open_folder: Path) -> Iterator[Icinga2]:
    with Icinga2(open_folder / "icinga2") as server:
        yield server


@pytest.fixture
def terminal() -> Iterator[Tmux]:
    """A terminal for one program; ended after the test."""
    with Tmux() as tmux:
        yield tmux
