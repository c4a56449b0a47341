"""What is shipped, and what a light command must not load."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import statusboard

ROOT = Path(__file__).parents[1]
PACKAGES = ("statusboard", "widgets", "sources")


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_exactly_our_three_packages(wheel: Path) -> None:
    information = f"statusboard-{statusboard.__version__}.dist-info"
    assert {name.split("/")[0] for name in names(wheel)} == {*PACKAGES, information}


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    """Code, styles, type marker and the demo's data alike: what the tree has, an installation has."""
    files = (
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )
    assert {name for name in names(wheel) if not name.split("/")[0].endswith(".dist-info")} == set(files)


def test_each_package_says_that_it_is_typed(wheel: Path) -> None:
    assert {f"{package}/py.typed" for package in PACKAGES} <= names(wheel)


def test_the_wheel_names_its_command_and_its_sources(wheel: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt"))
        written = archive.read(path).decode()
    assert "statusboard = statusboard.cli:main" in written
    for name, target in project["entry-points"]["statusboard.sources"].items():
        assert f"{name} = {target}" in written


def test_every_built_in_source_exists_where_its_entry_point_says() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for target in project["entry-points"]["statusboard.sources"].values():
        module, _, attribute = target.partition(":")
        lines = (ROOT / f"{module.replace('.', '/')}.py").read_text().splitlines()
        assert any(line.startswith((f"class {attribute}(", f"class {attribute}:")) for line in lines), target


def run_and_list(statement: str, **environment: str) -> tuple[str, set[str]]:
    """What a fresh interpreter prints for `statement`, and the top-level modules that it has loaded afterwards."""
    program = "\n".join(
        [
            "import atexit, sys",
            "loaded = lambda: sorted({name.partition('.')[0] for name in sys.modules})",
            "atexit.register(lambda: print(*loaded(), file=sys.stderr))",
            statement,
        ]
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout, set(done.stderr.splitlines()[-1].split())


def test_the_command_line_loads_no_heavy_library() -> None:
    """`--help` and shell completion answer at once; what needs a library loads it."""
    _, loaded = run_and_list("import statusboard.cli")
    assert "statusboard" in loaded
    assert loaded.isdisjoint({"textual", "rich", "httpx", "httpcore", "keyring"})


@pytest.mark.parametrize(
    "command, printed",
    [
        (["show", "--json"], '"schema"'),
        (["check"], "deploys"),
        (["sources"], "deploy-log"),
        (["schema"], "{"),
        (["--help"], "show"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_commands_without_a_screen_never_load_textual(command: list[str], printed: str, tmp_path: Path) -> None:
    log = tmp_path / "deploys.jsonl"
    log.write_text('{"service": "checkout", "environment": "production", "version": "1.2", "state": "success"}\n')
    config = tmp_path / "statusboard.yaml"
    config.write_text(f"sources:\n  - {{type: deploy-log, name: deploys, path: {log}}}\n")
    folders = {f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("CONFIG", "DATA", "CACHE", "STATE")}
    output, loaded = run_and_list(
        f"import statusboard.cli; sys.argv[1:] = {command!r}; statusboard.cli.main()",
        STATUSBOARD_CONFIG=str(config),
        HOME=str(tmp_path),
        **folders,
    )
    assert printed in output
    assert loaded.isdisjoint({"textual", "widgets"})
