"""Which types of sources there are: listed without importing, loaded one by one, bound field by field."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from statusboard.api import Source
from statusboard.binding import bind_fields
from statusboard.errors import ConfigError, Problem
from statusboard.registry import BUILT_IN, COMMON_OPTIONS, Entry, OptionInfo, Registry, bind
from statusboard.source import SourceOptions
from statusboard.yamlfile import load
from tests.config.sources import REGISTRY, Alerts, Ci, CiOptions

ROOT = Path(__file__).parents[1]


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path into which distributions can be put."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def distribution(folder: Path, name: str, entry_points: dict[str, str], **modules: str) -> None:
    """Install a distribution: its metadata and its modules."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = "".join(f"{type} = {target}\n" for type, target in entry_points.items())
    (info / "entry_points.txt").write_text(f"[statusboard.sources]\n{lines}")
    for module, code in modules.items():
        (folder / f"{module}.py").write_text(code)


GOOD = """
from statusboard.api import Source
class Pager(Source):
    type = "pager"
    kinds = frozenset({"incident"})
"""


def test_the_table_for_a_bare_checkout_is_that_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["statusboard.sources"] == BUILT_IN


def test_listing_imports_nothing():
    code = (
        "import sys\n"
        "from statusboard.registry import Registry\n"
        "r = Registry.installed()\n"
        "r.names(), r.listed()\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('sources', 'textual', 'httpx', 'keyring', 'yaml')])\n"
        "r.load('alertmanager')\n"
        "print(sorted(m for m in sys.modules if m in ('sources.alertmanager', 'sources.github')))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["[]", "['sources.alertmanager']"]


def test_the_built_in_sources_are_all_there():
    registry = Registry.installed()
    assert set(BUILT_IN) <= set(registry.names())
    for name in BUILT_IN:
        cls = registry.load(name)
        assert cls.type == name
        assert cls.summary
        own = [o for o in registry.describe(name) if not o.common]
        assert [o.name for o in own if not o.description] == []


def test_a_plug_in_is_listed_and_loaded(plugins: Path):
    distribution(plugins, "acme-pager", {"pager": "acme_pager:Pager"}, acme_pager=GOOD)
    registry = Registry.installed()
    entry = next(e for e in registry.listed() if e.name == "pager")
    assert entry == Entry(name="pager", target="acme_pager:Pager", distribution="acme-pager")
    assert "acme_pager" not in sys.modules
    assert registry.load("pager").type == "pager"
    assert registry.load("pager") is registry.load("pager")


def test_a_plug_in_cannot_replace_a_built_in_source(plugins: Path):
    distribution(plugins, "acme-evil", {"github": "acme_evil:Pager"}, acme_evil=GOOD)
    registry = Registry.installed()
    assert registry.load("github").__module__ == "sources.github"
    entry = next(e for e in registry.listed() if e.distribution == "acme-evil")
    assert "cannot be replaced" in entry.error
    assert "acme_evil" not in sys.modules


def test_two_plug_ins_of_one_name_are_both_refused(plugins: Path):
    distribution(plugins, "acme-one", {"pager": "acme_one:Pager"}, acme_one=GOOD)
    distribution(plugins, "acme-two", {"pager": "acme_two:Pager"}, acme_two=GOOD)
    registry = Registry.installed()
    with pytest.raises(ConfigError, match="several packages offer it") as caught:
        registry.load("pager")
    assert "acme-one, acme-two" in str(caught.value)
    assert "acme_one" not in sys.modules


@pytest.mark.parametrize(
    "code, part",
    [
        ("import nothing_of_that_name", "nothing_of_that_name"),
        ("raise RuntimeError('it is\\x1b[31m broken')", "RuntimeError: it is"),
        ("import sys; sys.exit(3)", "SystemExit"),
        ("def", "SyntaxError"),
        ("x = 1", "AttributeError"),
        ("Pager = 3", "not a subclass of statusboard.api.Source"),
        (GOOD.replace('{"incident"}', "{'weather'}"), "kinds"),
        (GOOD.replace('    kinds = frozenset({"incident"})', ""), "kinds"),
        (GOOD + "    Options = int\n", "Options"),
    ],
)
def test_a_plug_in_that_cannot_be_used_is_listed_with_its_error(
    plugins: Path, code: str, part: str, monkeypatch: pytest.MonkeyPatch
):
    distribution(plugins, "acme-broken", {"pager": "acme_broken:Pager"}, acme_broken=code)
    monkeypatch.delitem(sys.modules, "acme_broken", raising=False)
    registry = Registry.installed()
    for _ in range(2):
        with pytest.raises(ConfigError, match="acme-broken") as caught:
            registry.load("pager")
        assert part in str(caught.value)
        assert str(caught.value).isprintable()
    entry = next(e for e in registry.listed() if e.name == "pager")
    assert part in entry.error
    assert registry.load("github")


def test_an_unknown_type():
    with pytest.raises(ConfigError) as caught:
        REGISTRY.load("alert")
    assert caught.value.problems[0].hint == "did you mean `alerts`?"
    with pytest.raises(ConfigError) as caught:
        REGISTRY.load("zzz")
    assert caught.value.problems[0].hint == "known are: alerts, ci, exec, log"


def test_options_for_people():
    options = {o.name: o for o in REGISTRY.describe("ci")}
    assert list(options)[:3] == ["repos", "limit", "filter"]
    assert options["repos"] == OptionInfo(
        name="repos", type="a list of text", description="repositories, as owner/name", required=True
    )
    assert (options["limit"].type, options["limit"].default) == ("a whole number", "30")
    assert options["filter"].type == "text or a list of text"
    assert (options["hold"].type, options["hold"].default) == ("a duration", "5m")
    assert options["interval"].default == "20s"
    assert (options["url"].default, options["url"].required) == ("https://ci.example", False)
    assert options["kinds"].type == "a list of build, release"
    assert options["optional"].default == "false"
    assert [n for n, o in options.items() if o.common] == list(COMMON_OPTIONS)
    assert {o.name: o.required for o in REGISTRY.describe("alerts")}["url"] is True


def test_every_common_option_is_described():
    fields = bind_fields(load("type: a\nname: b\n", "f"), SourceOptions, [])
    assert fields == {"type": "a", "name": "b"}
    assert set(COMMON_OPTIONS) == set(SourceOptions.__struct_fields__)


def test_binding():
    problems: list[Problem] = []
    node = load("{type: ci, name: a, repos: x, interval: 90, timeout: 2s, filter: [b, c], tls: {verify: false}}", "f")
    options = bind(node, Ci, problems)
    assert problems == []
    assert isinstance(options, CiOptions)
    assert (options.repos, options.filter, options.interval, options.timeout) == (("x",), ("b", "c"), 90.0, 2.0)
    assert options.url == Ci.default_url
    assert options.tls.verify is False


def test_binding_reports_each_wrong_field_with_its_place():
    problems: list[Problem] = []
    node = load("type: ci\nname: a\nrepos: [x]\nlimit: y\nkinds: [ticket]\ninterval: 1ms\n", "f.yaml")
    assert bind(node, Ci, problems, "sources[4]") is None
    assert [(p.line, p.column, p.path) for p in problems] == [
        (4, 8, "sources[4].limit"),
        (6, 11, "sources[4].interval"),
        (5, 8, "sources[4].kinds"),
    ]


def test_a_source_without_a_default_needs_its_url():
    problems: list[Problem] = []
    assert bind(load("{type: alerts, name: a}", "f"), Alerts, problems) is None
    assert [p.message for p in problems] == ["`url` is missing"]


def test_an_explicit_table_holds_only_what_it_holds():
    class Other(Source[SourceOptions]):
        type = "other"
        kinds = frozenset({"ticket"})

    registry = Registry.of({"other": Other})
    assert registry.names() == ("other",)
    assert registry.load("other") is Other
