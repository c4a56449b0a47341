"""From files to typed data, and every mistake with its place and what would be right."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusboard.clock import Duration
from statusboard.config import BoardOptions, Config, load_config
from statusboard.errors import ConfigError, QueryError
from statusboard.yamlfile import Mark
from tests.config.sources import REGISTRY, Ci, CiOptions, Home

GOOD = """
    board: {id: pay, title: Payments, timezone: Europe/Berlin, keep: 24h}
    environments: {production: {aliases: [prod], tier: production}, staging: }
    services:
      checkout: {team: payments, match: {repo: acme/checkout, label: {service: [a, b]}}}
      web:
    severities: {wakeup: critical}
    sources:
      - {type: ci, name: gh, repos: [acme/checkout], token: "keyring:gh", interval: 15s}
      - {type: alerts, name: am, url: "https://am.example/", environment: prod, optional: true}
    views:
      - {name: All, filter: "team:payments", lanes: [incidents, builds]}
    keys: {quit: q, refresh: [r, f5], comma: ","}
    theme: nord
    """


def test_a_whole_config(home: Home):
    config = home.load(GOOD)
    assert config.board == BoardOptions(id="pay", title="Payments", timezone="Europe/Berlin", keep=Duration(86_400))
    assert [(e.name, e.aliases, e.tier) for e in config.environments] == [
        ("production", ("prod",), "production"),
        ("staging", ("stage", "stg"), "staging"),
    ]
    assert [(s.name, s.team, s.match.repo) for s in config.services] == [
        ("checkout", "payments", ("acme/checkout",)),
        ("web", "", ()),
    ]
    assert config.services[0].match.label == ({"service": ("a", "b")},)
    assert config.severities == {"wakeup": "critical"}
    gh, am = config.sources
    assert (gh.type, gh.cls, gh.name, gh.interval) == ("ci", Ci, "gh", 15.0)
    assert isinstance(gh.options, CiOptions)
    assert gh.options.url == "https://ci.example"
    assert gh.at == Mark(str(home.main), 9, 5)
    assert (am.interval, am.options.optional, am.defaults.environment) == (30.0, True, "prod")
    assert config.views[0].lanes == ("incidents", "builds")
    assert config.keys == {"quit": "q", "refresh": "r,f5", "comma": "comma"}
    assert config.theme == "nord"
    assert config.teams == ("payments",)
    assert config.files == (home.main,)
    assert config.warnings == ()
    assert config.catalog().environment("PROD") == "production"


def test_the_least_config(home: Home):
    config = home.load("sources: [{type: ci, name: gh, repos: acme/x}]")
    assert config.board == BoardOptions()
    assert config.board.keep == Duration(48 * 3600)
    options = config.sources[0].options
    assert isinstance(options, CiOptions)
    assert options.repos == ("acme/x",)
    assert options.interval == Duration(20)


def test_a_follower_needs_no_sources(home: Home):
    config = home.load("board: {store: data/board.sqlite}")
    assert config.sources == ()
    assert config.board.store == str(home.folder / "data" / "board.sqlite")


def test_without_sources_or_a_store_there_is_nothing_to_show(home: Home):
    problem = home.problem("board: {title: x}\nsources:\n")
    assert "no sources" in problem.message
    assert "store" in problem.hint


SOURCES = "sources: [{type: ci, name: gh, repos: acme/x}]\n"


@pytest.mark.parametrize(
    "text, path, message, hint",
    [
        ("sorces: []", "", "unknown key `sorces`", "did you mean `sources`?"),
        ("title: x", "", "unknown key `title`", "under `board:`"),
        ("board: {titel: x}", "board", "unknown key `titel`", "did you mean `title`?"),
        ("board: []", "board", "a list, where a mapping is wanted", ""),
        ("board: {id: ../x}", "board.id", "no board id", "letters"),
        ("board: {keep: soon}", "board.keep", "not a duration", "15s, 2m"),
        ("board: {keep: -3}", "board.keep", "cannot be negative", ""),
        ("board: {keep: 1s}", "board.keep", "too short", "at least 1m"),
        ("board: {timezone: Europe/Berlim}", "board.timezone", "no time zone", "Europe/Berlin"),
        ("board: {timezone: ../../etc/passwd}", "board.timezone", "no time zone", "Europe/Berlin"),
        ("environments: [a]", "environments", "a list, where a mapping is wanted", "name:"),
        ("environments: {a: {tier: prod}}", "environments.a.tier", "`prod` is not one of", "production"),
        ("environments: {a: {aliases: [x]}, b: {aliases: [X]}}", "environments.b.aliases", "already a name of", ""),
        ("environments: {a: {aliases: [b]}, b: }", "environments.a.aliases", "already a name of", ""),
        ("services: {a: {match: {repos: x}}}", "services.a.match", "unknown key `repos`", "did you mean `repo`?"),
        ("services: {a: {match: {label: x}}}", "services.a.match.label", "text, where a mapping is wanted", ""),
        ("services: {a: {team: [x]}}", "services.a.team", "a list, where text is wanted", ""),
        ("services: {a: {team: true}}", "services.a.team", "true, where text is wanted", "quotes"),
        ("services: {'a*': }", "services.a*", "no pattern", "match"),
        ("services: {a: {match: {source: ghh}}}", "services.a.match.source", "no source `ghh`", "`gh`"),
        ("services: {A: , a: }", "services.a", "is taken", "config.yaml:2"),
        ("services: {a: {depends_on: [a]}}", "services.a.depends_on", "does not depend on itself", ""),
        ("services: {a: {depends_on: ledgr}, ledger: }", "services.a.depends_on", "no service `ledgr`", "`ledger`"),
        ("services: {a: {depends_on: [x]}}", "services.a.depends_on", "no service `x`", "`x: {}`"),
        ("suspects: []", "suspects", "a list, where a mapping is wanted", ""),
        ("suspects: {same_servce: 3}", "suspects", "unknown key `same_servce`", "`same_service`"),
        ("suspects: {same_service: many}", "suspects.same_service", "text, where a whole number is wanted", ""),
        ("suspects: {same_service: -1}", "suspects.same_service", "must be >= 0", ""),
        ("suspects: {rollback: 5}", "suspects.rollback", "must be <= 0", ""),
        ("suspects: {half_life: soon}", "suspects.half_life", "not a duration", "15s, 2m"),
        ("suspects: {half_life: 0s}", "suspects.half_life", "between 1s and 7d", ""),
        ("suspects: {window: 99d}", "suspects.window", "between 1m and 14d", ""),
        ("suspects: {floor: 0}", "suspects.floor", "must be >= 1", ""),
        ("severities: {page: urgent}", "severities.page", "`urgent` is not one of critical", ""),
        ("severities: {critical: [page]}", "severities.critical", "one severity", "`page: critical`"),
        ("views: {a: b}", "views", "a mapping, where a list is wanted", "- "),
        ("views: [{filter: x}]", "views[0]", "`name` is missing", "text"),
        ("views: [{name: a}, {name: A}]", "views[1].name", "is taken", ""),
        ("views: [{name: a, lanes: [build]}]", "views[0].lanes[0]", "`build` is not one of", "`builds`"),
        ("views: [{name: a, lanes: [builds, builds]}]", "views[0].lanes", "twice", ""),
        ("views: [{name: a, layout: tiles}]", "views[0].layout", "`tiles` is not one of", "services"),
        ("views: [{name: a, columns: [age, stat]}]", "views[0].columns[1]", "no column `stat`", "`state`"),
        ("views: [{name: a, lanes: [builds], columns: [severity]}]", "views[0].columns[0]", "no column", ""),
        ("views: [{name: a, columns: [age, age]}]", "views[0].columns", "listed twice", ""),
        ("views: [{name: a, sort: -agee}]", "views[0].sort", "no column `agee`", "`age`"),
        ("views: [{name: a, group: repo}]", "views[0].group", "`repo` is not one of", "team"),
        ("views: [{name: a, layout: sources, lanes: [builds]}]", "views[0].lanes", "has no `lanes`", "leave it out"),
        ("views: [{name: ' '}]", "views[0].name", "no good name", ""),
        ("keys: [q]", "keys", "a list, where a mapping is wanted", ""),
        ("keys: {a: q, b: 'x,q'}", "keys.b", "`q` is already that of `a`", "in line 2"),
        ("keys: {open: p}", "keys.open", "`p` is already that of `details`", "by default; give `details`"),
        ("keys: {help: '/'}", "keys.help", "`slash` is already that of `filter`", "by default"),
        ("keys: {open: [f9, f9]}", "keys.open", "`f9` is given twice", ""),
        ("keys: {open: []}", "keys.open", "name is empty", "keep"),
        ("theme: [x]", "theme", "a list, where text is wanted", ""),
        ("secrets: [plain]", "secrets[0]", "never written here", ""),
        ("secrets: {a: b}", "secrets", "a mapping, where a list is wanted", ""),
        ("include: 3", "include", "a number, where the path", ""),
        ("include: [{a: b}]", "include", "a mapping, where the path", ""),
    ],
)
def test_mistakes_in_sections(home: Home, text: str, path: str, message: str, hint: str):
    problem = home.problem(SOURCES + text)
    assert problem.path == path
    assert message in str(problem)
    assert hint in problem.hint or hint in problem.message
    assert (problem.file, problem.line) == (str(home.main), 2)
    assert problem.column > 0


@pytest.mark.parametrize(
    "source, path, message, hint",
    [
        ("x", "", "text, where a source", "type"),
        ("{name: a}", "", "`type` is missing", "alerts, ci"),
        ("{type: [ci], name: a}", ".type", "no type", "alerts, ci"),
        ("{type: cii, name: a}", ".type", "no source type `cii`", "did you mean `ci`?"),
        ("{type: Alertmanager, name: a}", ".type", "no source type", "alerts"),
        ("{type: ci, repos: x}", "", "`name` is missing", "unique"),
        ("{type: ci, name: a b, repos: x}", ".name", "no good name", "letters"),
        ("{type: ci, name: 'a:b', repos: x}", ".name", "no good name", "letters"),
        ("{type: ci, name: gh, repos: x}", ".name", "is taken", ":2"),
        ("{type: ci, name: a}", "", "`repos` is missing", "owner/name"),
        ("{type: ci, name: a, repos: bad}", ".repos", "holds what is bad", ""),
        ("{type: ci, name: a, repos: x, limit: 13}", "", "not on a Friday", ""),
        ("{type: ci, name: a, repos: x, limit: many}", ".limit", "text, where a whole number is wanted", ""),
        ("{type: ci, name: a, repos: x, limit: 1.5}", ".limit", "a number, where a whole number is wanted", ""),
        ("{type: ci, name: a, repos: x, limit: 0}", ".limit", "must be >= 1", ""),
        ("{type: ci, name: a, repos: x, limit: }", ".limit", "nothing here", ""),
        ("{type: ci, name: a, repos: {x: y}}", ".repos", "a mapping, where a list is wanted", ""),
        ("{type: ci, name: a, repos: [[x]]}", ".repos[0]", "a list, where text is wanted", ""),
        ("{type: ci, name: a, repos: x, repo: y}", "", "unknown key `repo`", "did you mean `repos`?"),
        ("{type: ci, name: a, repos: x, optional: yes}", ".optional", "text, where true or false", "without quotes"),
        ("{type: ci, name: a, repos: x, optional: 1}", ".optional", "a number, where true or false", ""),
        ("{type: ci, name: a, repos: x, kinds: [bild]}", ".kinds[0]", "`bild` is not one of", "`build`"),
        ("{type: ci, name: a, repos: x, kinds: [ticket]}", ".kinds", "reads no tickets", "build, release"),
        ("{type: ci, name: a, repos: x, interval: 500ms}", ".interval", "at least 1 second", ""),
        ("{type: ci, name: a, repos: x, interval: 0}", ".interval", "at least 1 second", ""),
        ("{type: ci, name: a, repos: x, interval: often}", ".interval", "not a duration", "15s"),
        ("{type: ci, name: a, repos: x, interval: [1]}", ".interval", "a list, where a duration", ""),
        ("{type: ci, name: a, repos: x, timeout: 1h}", ".timeout", "between", ""),
        ("{type: ci, name: a, repos: x, hold: x}", ".hold", "not a duration", "15s"),
        ("{type: ci, name: a, repos: x, words: [x]}", ".words", "a list, where a mapping", "key: value"),
        ("{type: ci, name: a, repos: x, words: {a: [b]}}", ".words.a", "a list, where text", ""),
        ("{type: ci, name: a, repos: x, mappings: [{depth: 1}]}", ".mappings[0]", "`field` is missing", ""),
        ("{type: ci, name: a, repos: x, mappings: [{field: x, grace: y}]}", ".mappings[0].grace", "duration", ""),
        ("{type: ci, name: a, repos: x, tls: {verfy: true}}", ".tls", "unknown key", "`verify`"),
        ("{type: ci, name: a, repos: x, headers: {A: [b]}}", ".headers.A", "a list, where text", ""),
        ("{type: alerts, name: a}", "", "`url` is missing", "https://"),
        ("{type: alerts, name: a, url: ''}", ".url", "URL is empty", ""),
        ("{type: alerts, name: a, url: am.example}", ".url", "no http or https URL", "https://am.example"),
        ("{type: alerts, name: a, url: 'ftp://am'}", ".url", "no http or https URL", "https://"),
        ("{type: alerts, name: a, url: 'file:///etc/passwd'}", ".url", "no http or https URL", "https://"),
        ("{type: alerts, name: a, url: 'https://'}", ".url", "no valid URL", ""),
        ("{type: alerts, name: a, url: 'https://a b/'}", ".url", "no valid URL", ""),
        ("{type: alerts, name: a, url: 'https://a:99999/'}", ".url", "cannot be read", ""),
        ("{type: alerts, name: a, url: 'https://[::1/'}", ".url", "cannot be read", ""),
    ],
)
def test_mistakes_in_sources(home: Home, source: str, path: str, message: str, hint: str):
    problem = home.problem(f"sources:\n  - {{type: ci, name: gh, repos: acme/x}}\n  - {source}\n")
    assert problem.path == "sources[1]" + path
    assert message in problem.message
    assert hint in problem.hint
    assert (problem.file, problem.line) == (str(home.main), 3)


def test_a_problem_names_the_line_of_the_very_value(home: Home):
    problem = home.problem(
        """
        sources:
          - type: ci
            name: gh
            repos:
              - acme/x
              - {a: b}
            limit: 3
        """
    )
    assert (problem.line, problem.column) == (7, 9)
    assert problem.path == "sources[0].repos[1]"
    assert str(problem).startswith(f"{home.main}:7: sources[0].repos[1]: ")


def test_all_problems_are_found_at_once_in_the_order_of_the_file(home: Home):
    problems = home.problems(
        """
        board: {keep: x, colour: red}
        sources:
          - {type: ci, name: a, limit: x, interval: 1ms, kinds: [ticket], url: "ftp://x"}
          - {type: nothing, name: a}
        views: [{name: x, lanes: [y]}]
        themed: x
        """
    )
    assert [p.path or p.message for p in problems] == [
        "board.keep",
        "board",
        "sources[0]",
        "sources[0].limit",
        "sources[0].interval",
        "sources[0].kinds",
        "sources[0].url",
        "sources[1].type",
        "sources[1].name",
        "views[0].lanes[0]",
        "unknown key `themed`",
    ]


def test_endless_problems_are_not_all_listed(home: Home):
    problems = home.problems("sources:\n" + "  - {}\n" * 500)
    assert len(problems) == 101
    assert "400 more" in problems[-1].message


def test_an_unknown_environment_of_a_source(home: Home):
    text = "environments: {production: , staging: }\nsources: [{type: ci, name: a, repos: x, environment: prodd}]"
    problem = home.problem(text)
    assert (problem.path, problem.hint) == ("sources[0].environment", "did you mean `prod`?")
    assert home.load(text.replace("prodd", "PRD")).sources[0].options.environment == "PRD"
    assert home.load(text.replace("environments: {production: , staging: }", "")).sources


def test_filters_are_checked_where_they_stand(home: Home):
    def check(text: str) -> None:
        if "color" in text:
            start = text.index("color")
            raise QueryError("there is no field `color`", start, start + 5)

    text = SOURCES + "views:\n  - {name: a, filter: 'state:failed color:red'}\n"
    problem = home.problem(text, check_filter=check)
    assert (problem.line, problem.path) == (3, "views[0].filter")
    assert text.splitlines()[2][problem.column - 1 :].startswith("color")
    assert "no field `color`" in problem.message
    assert home.load(text).views[0].filter == "state:failed color:red"


def test_known_actions_and_themes(home: Home):
    assert "quit" in home.problem(SOURCES + "keys: {quitt: q}", actions=["quit", "help"]).hint
    assert "nord" in home.problem(SOURCES + "theme: nordd", themes=["nord", "gruvbox"]).hint
    assert home.load(SOURCES + "theme: nord\nkeys: {quit: q}", themes=["nord"], actions=["quit"]).theme == "nord"


def test_numbers_are_text_where_text_is_wanted(home: Home):
    config = home.load("sources: [{type: ci, name: a, repos: x, words: {version: 1.10, id: 007}}]")
    options = config.sources[0].options
    assert isinstance(options, CiOptions)
    assert options.words == {"version": "1.10", "id": "007"}


def test_paths_are_meant_from_the_folder_of_their_file(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/me")
    config = home.load(
        """
        sources:
          - {type: log, name: a, path: deploys.jsonl, tls: {ca: certs/ca.pem}}
          - {type: log, name: b, path: ~/deploys.jsonl}
          - {type: log, name: c, path: /var/log/deploys.jsonl}
        """
    )
    a, b, c = (source.options for source in config.sources)
    assert [getattr(o, "path") for o in (a, b, c)] == [  # noqa: B009 - the options' class is not the point
        str(home.folder / "deploys.jsonl"),
        "/home/me/deploys.jsonl",
        "/var/log/deploys.jsonl",
    ]
    assert a.tls.ca == str(home.folder / "certs/ca.pem")


@pytest.mark.parametrize("text", ["", "- a\n", "{", "a: 1\na: 2\n", "\tx: y", "a: !!python/name:os.system", "%"])
def test_what_is_no_config_at_all(home: Home, text: str):
    assert home.problems(text)[0].file == str(home.main)


def test_a_config_that_is_not_there(home: Home):
    assert "no such file" in home.problem().message


def test_messages_do_not_repeat_what_controls_a_terminal(home: Home):
    problems = home.problems('sources: [{type: "x\\u202e\\u200b", name: "a\\u2028b"}]\n"k\\u202e": 1\n')
    assert problems
    assert all(str(p).isprintable() for p in problems)


# -- identities -------------------------------------------------------------------------------------------------------


def identities(home: Home, source: str) -> tuple[str, str]:
    configured = home.load(f"sources: [{{type: ci, name: a, repos: x, {source}}}]").sources[0]
    return Config.identity(configured), Config.credential_identity(configured)


def test_an_identity_is_what_is_read(home: Home):
    same = identities(home, "url: https://ci.example")
    for text in (
        "url: https://ci.example/",
        "interval: 5m",
        "timeout: 1s",
        "optional: true",
        "service: x",
        "team: x",
        "environment: x",
        "limit: 30",
        "hold: 5m",
        "tls: {verify: false}",
    ):
        assert identities(home, text) == same
    for text in ("url: https://other.example", "limit: 31", "kinds: build", "headers: {X-Scope-OrgID: b}", "hold: 6m"):
        identity, credentials = identities(home, text)
        assert identity != same[0]
        assert credentials == same[1]
    for text in ("token: env:A", "headers: {Authorization: env:A}", "username: env:A"):
        identity, credentials = identities(home, text)
        assert identity == same[0]
        assert credentials != same[1]


def test_identities_do_not_depend_on_the_process(home: Home):
    assert identities(home, "words: {b: c, a: d}") == identities(home, "words: {a: d, b: c}")


# -- whatever is in the file ------------------------------------------------------------------------------------------

_KEYS = ["board", "environments", "services", "severities", "sources", "views", "include", "keys", "theme", "secrets"]
_INNER = ["name", "type", "url", "token", "interval", "match", "label", "repo", "tls", "headers", "filter", "aliases"]
_LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.sampled_from(["ci", "alerts", "log"])
)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(_INNER), st.text(max_size=10)), inner, max_size=4),
    ),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(_KEYS), _VALUES, max_size=5))
def test_any_content_is_loaded_or_refused(tmp_path_factory: pytest.TempPathFactory, content: dict[str, object]):
    import yaml

    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8", errors="surrogatepass")
    with contextlib.suppress(ConfigError):
        assert load_config(path, registry=REGISTRY, env={}).files == (path,)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))))
def test_any_bytes_are_loaded_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes):
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError):
        load_config(path, registry=REGISTRY, env={})


def test_importing_the_config_is_cheap():
    code = (
        "import sys, statusboard.config, statusboard.trust; "
        "print([m for m in ('yaml', 'textual', 'httpx', 'keyring', 'platformdirs', 'sources', 'difflib', 'zoneinfo') "
        "if m in sys.modules])"
    )
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("key", "meant"),
    [("pat", "token"), ("email", "username"), ("base_url", "url"), ("Projects", "repos"), ("every", "interval")],
)
def test_what_other_tools_call_it_is_understood(home: Home, key: str, meant: str):
    problem = home.problem(f"sources: [{{type: ci, name: a, repos: x, {key}: y}}]")
    assert problem.message == f"unknown key `{key}`" and problem.hint == f"did you mean `{meant}`?"


def test_all_mistakes_that_do_not_follow_from_each_other_are_told_at_once(home: Home):
    def check(text: str) -> None:
        if "colour" in text:
            raise QueryError("there is no field `colour`", 0, 6)

    problems = home.problems(
        """
        environments: {live: }
        keys: {open: [1, [2]], quitt: q, details: o, close_help: z, refresh: [x, x]}
        theme: nope
        sources:
          - {type: no-such-type, name: a, token: s3cr3t-in-clear, environment: nowhere}
          - {type: ci, name: b, interval: 1ms, url: x, environment: nowhere}
          - {type: ci, environment: nowhere}
        views:
          - {name: Mine, lanes: [no], filter: colour}
          - {name: Mine, filter: colour}
          - {filter: colour}
        """,
        actions=["open", "quit", "details", "close_help", "refresh"],
        themes=["dark"],
        check_filter=check,
    )
    told = [(p.line, p.path) for p in problems]
    assert told == sorted(told, key=lambda each: each[0])
    assert {path for _, path in told} >= {
        *("keys.open[1]", "keys", "keys.details", "keys.refresh", "theme"),
        *("sources[0].type", "sources[0].token", "sources[0].environment"),
        *("sources[1].interval", "sources[1].url", "sources[1].environment"),
        *("sources[2]", "sources[2].environment"),
        *("views[0].lanes[0]", "views[0].filter", "views[1].name", "views[1].filter", "views[2]", "views[2].filter"),
    }


def test_what_only_follows_from_another_mistake_is_not_told(home: Home):
    problems = home.problems(
        "environments: {live: {tier: prod}, test: }\nsources: [{type: ci, name: a, repos: x, environment: live}]\n"
    )
    assert [p.path for p in problems] == ["environments.live.tier"], "`live` is known, whatever is wrong with it"
    assert [p.path for p in home.problems("theme: nope\nsources: []\n", themes=["dark"])] == ["sources", "theme"]
    assert [p.path for p in home.problems("sources: {a: b}\n")] == ["sources"]
    assert [p.path for p in home.problems("include: missing.yaml\n")] == ["include"], "it may hold the sources"
