"""The walk-through of docs/plugins.md, word by word: a package of its own beside ours, in a fresh environment."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import venv
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import build_wheel

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
ALARM = {"id": 7, "text": "Till is slow", "state": "ringing", "level": "wake", "since": "2026-01-02T03:04:05Z"}


def files() -> dict[str, str]:
    """The files that the document gives whole, by name."""
    return dict(re.findall(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))


def block(language: str, holding: str) -> str:
    """The one block of code in this language that holds a text."""
    (found,) = (b for b in re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL) if holding in b)
    return str(found)


class Place:
    """A fresh environment with ours and the plug-in in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.package = folder / "statusboard-pager"
        self.bin = folder / "venv" / "bin"
        self.env = {
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "HOME": str(folder),
            "STATUSBOARD_CONFIG": str(folder / "config.yaml"),
            **{f"STATUSBOARD_{name}": str(folder / name.lower()) for name in ("DATA", "STATE", "CACHE")},
            "STATUSBOARD_LOG": str(folder / "statusboard.log"),
        }

    def run(self, *command: str, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=cwd or self.folder,
            env={**self.env, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def configure(self, url: str) -> None:
        text = block("yaml", "type: pager").replace("http://127.0.0.1:8765", url)
        (self.folder / "config.yaml").write_text(text)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Place:
    place = Place(tmp_path_factory.mktemp("plugin"))
    place.package.mkdir()
    for name, text in files().items():
        (place.package / name).write_text(text)
    # The libraries are those of this environment: what is tried is our wheel and the plug-in's, side by side.
    venv.create(place.folder / "venv", with_pip=False, symlinks=True)
    libraries = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    (site,) = (place.folder / "venv" / "lib").glob("python*/site-packages")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", "--no-index"]
    for made in (wheel, build_wheel(place.package, place.folder / "out")):
        subprocess.run([*pip, "--target", str(site), str(made)], check=True, capture_output=True)
        for script in (site / "bin").glob("*"):
            script.rename(place.bin / script.name)
    for script in place.bin.glob("statusboard"):
        first, _, rest = script.read_text().partition("\n")
        assert first.startswith("#!")
        script.write_text(f"#!{place.bin / 'python'}\n{rest}")
    (site / "libraries.pth").write_text(f"{_without_us(libraries, place.folder)}\n")
    return place


def _without_us(libraries: Path, folder: Path) -> Path:
    """A folder of links to every library, without this project's own installation."""
    beside = folder / "libraries"
    beside.mkdir()
    for entry in libraries.iterdir():
        if not entry.name.lower().startswith(("statusboard", "_statusboard", "__editable__", "_editable")):
            (beside / entry.name).symlink_to(entry)
    return beside


class Alarms(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"alarms": [ALARM]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def pager() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Alarms) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_the_document_gives_three_files() -> None:
    assert sorted(files()) == ["pyproject.toml", "statusboard_pager.py", "test_pager.py"]


def test_ours_is_the_wheel_not_the_tree(place: Place) -> None:
    done = place.run(str(place.bin / "python"), "-c", "import statusboard; print(statusboard.__file__)")
    assert str(place.folder / "venv") in done.stdout, done.stdout + done.stderr


def test_its_own_tests_pass_with_the_contract(place: Place) -> None:
    done = place.run(
        str(place.bin / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto",
        cwd=place.package,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 15  # type: ignore[index]


def test_it_is_a_type_like_any_other(place: Place, pager: str) -> None:
    listed = place.run("statusboard", "sources")
    assert re.search(r"pager +Alarms of the pager \(incidents\) \[statusboard-pager\]", listed.stdout), listed
    (line,) = (line for line in block("sh", "statusboard sources pager").splitlines() if line)
    one = place.run(*line.split())
    assert one.returncode == 0 and "the teams whose alarms to read" in one.stdout

    place.configure(pager)
    checked = place.run("statusboard", "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert re.search(r"items +1\b", checked.stdout), checked.stdout
    shown = place.run("statusboard", "show", "--json")
    (item,) = json.loads(shown.stdout)["items"]
    assert shown.returncode == 1
    assert (item["key"], item["title"], item["severity"]) == ("pager:incident:7", "Till is slow", "critical")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import nothing_of_that_name\n", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("Pager = 7\n", "it is not a subclass of statusboard.api.Source"),
        ("raise SystemExit('bye')\n", "SystemExit: bye"),
    ],
)
def test_one_that_cannot_be_used_harms_nothing(place: Place, pager: str, text: str, told: str) -> None:
    (site,) = (place.folder / "venv" / "lib").glob("python*/site-packages")
    module = site / "statusboard_pager.py"
    good = module.read_text()
    try:
        module.write_text(text)
        place.configure(pager)
        checked = place.run("statusboard", "check")
        assert checked.returncode == 2 and told in checked.stderr and "statusboard-pager" in checked.stderr
        log = place.folder / "deploys.jsonl"
        log.write_text('{"service": "till", "version": "1", "state": "success"}\n')
        (place.folder / "config.yaml").write_text(f"sources: [{{type: deploy-log, name: deploys, path: {log}}}]\n")
        assert place.run("statusboard", "show", "--json").returncode == 0
    finally:
        module.write_text(good)


def test_one_that_raises_while_it_reads_harms_no_other(place: Place, pager: str) -> None:
    (site,) = (place.folder / "venv" / "lib").glob("python*/site-packages")
    module = site / "statusboard_pager.py"
    good = module.read_text()
    try:
        call = 'reply = await http.get("/api/alarms"'
        module.write_text(good.replace(call, f"raise SystemExit(3)\n        {call}", 1))
        place.configure(pager)
        log = place.folder / "deploys.jsonl"
        log.write_text('{"service": "till", "version": "1", "state": "success"}\n')
        config = place.folder / "config.yaml"
        config.write_text(config.read_text() + f"  - {{type: deploy-log, name: deploys, path: {log}}}\n")
        shown = json.loads(place.run("statusboard", "show", "--json", "--poll").stdout)
        states: Mapping[str, str] = {source["name"]: source["state"] for source in shown["sources"]}
        assert states["deploys"] == "fresh" and states["pager"] in ("down", "partial")
        assert [item["version"] for item in shown["items"] if item["source"] == "deploys"] == ["1"]
        assert "SystemExit" in (place.folder / "statusboard.log").read_text()
    finally:
        module.write_text(good)
