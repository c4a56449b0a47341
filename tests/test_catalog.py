"""Which service, team and environment an item belongs to, and what a severity word means."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusboard.catalog import (
    BUILT_IN_ENVIRONMENTS,
    Catalog,
    Environment,
    Match,
    Service,
    SourceDefaults,
    make_environment,
)
from statusboard.model import Build, Incident, Item, Release, Severity, Ticket


def build(**fields: Any) -> Build:
    return Build(**{"key": "gh:build:1", "source": "gh", "state": "success", **fields})


def incident(**fields: Any) -> Incident:
    return Incident(**{"key": "am:incident:1", "source": "am", "state": "open", **fields})


def release(**fields: Any) -> Release:
    return Release(**{"key": "gh:release:1", "source": "gh", "state": "success", **fields})


def service(name: str, team: str = "", /, **match: Any) -> Service:
    return Service(name=name, team=team, match=Match(**match))


# -- services ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "match, item",
    [
        ({"repo": ("acme/web",)}, build(repository="acme/web")),
        ({"repo": ("acme/web",)}, build(repository="Acme/Web")),
        ({"repo": ("acme/api", "acme/w*")}, build(repository="acme/web")),
        ({"repo": ("*",)}, build(repository="any/thing")),
        ({"workflow": ("deploy ?",)}, build(pipeline="Deploy 7")),
        ({"tag": ("web-v",)}, release(version="web-v1.2")),
        ({"path": ("services/web/",)}, build(labels={"path": "services/web/src"})),
        ({"path": ("services/web",)}, build(labels={"directory": "/services/web"})),
        ({"label": ({"job": ("web",)},)}, incident(labels={"job": "WEB"})),
        ({"label": ({"job": ("x", "w*b")},)}, incident(labels={"job": "web"})),
        ({"label": ({"x": ("y",)}, {"job": ("web",)})}, incident(labels={"job": "web"})),
        ({"label": ({"ns": ("a",), "job": ("web",)},)}, incident(labels={"job": "web", "ns": "a"})),
        ({"name": ("Storefront *",)}, incident(title="Storefront is down")),
        ({"name": ("shop-?",)}, incident(services=("shop-1",))),
        ({"name": ("shop",)}, incident(labels={"app": "shop"})),
        ({"name": ("a[b]c",)}, incident(title="a[b]c")),
        ({"source": ("am",)}, incident()),
        ({}, incident(services=("Storefront",))),
        ({}, incident(labels={"service": "storefront"})),
        ({}, build(repository="acme/storefront")),
    ],
)
def test_a_rule_matches(match: dict[str, Any], item: Build):
    catalog = Catalog([service("other", repo=("acme/other",)), service("storefront", "shop", **match)])
    found = catalog.resolve(item)
    assert (found.services, found.team) == (("storefront",), "shop")
    assert catalog.owned(item)


@pytest.mark.parametrize(
    "match, item",
    [
        ({"repo": ("acme/web",)}, build(repository="acme/web2")),
        ({"repo": ("acme/w",)}, build(repository="acme/web")),
        ({"repo": ("",)}, build()),
        ({"repo": ("*",)}, build()),
        ({"tag": ("",)}, release(version="x")),
        ({"path": ("services/web",)}, build(labels={"path": "services/website"})),
        ({"path": ("/",)}, build(labels={"path": "services/website"})),
        ({"label": ({"ns": ("a",), "job": ("web",)},)}, incident(labels={"job": "web"})),
        ({"label": ({"ns": ("*",)},)}, incident(labels={"job": "web"})),
        ({"label": ({},)}, incident(labels={"job": "web"})),
        ({"name": ("web",)}, incident(title="web is down")),
        ({"name": ("[a-z]",)}, incident(title="b")),
        ({"workflow": ("ci",), "repo": ("acme/web",)}, build(repository="acme/api", pipeline="ci")),
        ({}, incident(title="storefront")),
    ],
)
def test_a_rule_does_not_match(match: dict[str, Any], item: Build):
    catalog = Catalog([service("storefront", "shop", **match)])
    found = catalog.resolve(item)
    assert "storefront" not in found.services
    assert found.team == ""
    assert not catalog.owned(item)


def test_a_workflow_counts_where_the_repository_is_not_known():
    catalog = Catalog([service("web", workflow=("ci",), repo=("acme/web",))])
    assert catalog.resolve(build(pipeline="ci")).services == ("web",)


def best(item: Any, *services: Service) -> tuple[str, ...]:
    forwards = Catalog(services).resolve(item).services
    assert set(Catalog(reversed(services)).resolve(item).services) == set(forwards)
    return forwards


def test_the_most_specific_match_wins():
    item = build(
        repository="acme/mono",
        pipeline="ci",
        labels={"path": "services/web/src", "ns": "shop", "job": "web"},
        services=("w",),
        title="t",
    )
    ranked = [
        service("by-name", name=("w",)),
        service("by-two-labels", label=({"ns": ("shop",), "job": ("web",)},)),
        service("by-label", label=({"ns": ("shop",)},)),
        service("by-label-pattern", label=({"ns": ("sho*",)},)),
        service("by-long-path", path=("services/web",)),
        service("by-path", path=("services",)),
        service("by-workflow-and-repo", workflow=("ci",), repo=("acme/*",)),
        service("by-workflow", workflow=("ci",)),
        service("by-repo-and-source", repo=("acme/mono",), source=("gh",)),
        service("by-repo", repo=("acme/mono",)),
        service("by-long-pattern", repo=("acme/mon*",)),
        service("by-pattern", repo=("acme/*",)),
        service("by-source", source=("gh",)),
    ]
    for index in range(len(ranked)):
        assert best(item, *ranked[index:]) == (ranked[index].name,)


def test_the_longest_tag_prefix_wins():
    services = (service("a", tag=("v",)), service("b", tag=("v1.",)))
    assert best(release(version="v1.2"), *services) == ("b",)


def test_services_that_match_equally_are_all_listed_in_order():
    services = [service(n, team, repo=("acme/mono",)) for n, team in (("b", ""), ("a", "core"), ("c", "edge"))]
    found = Catalog(services).resolve(build(repository="acme/mono"))
    assert found.services == ("b", "a", "c")
    assert found.service == "b"
    assert found.team == "core"


def test_an_explicit_service_beats_a_broad_label():
    services = (service("checkout", "payments"), service("platform", "core", label=({"namespace": ("shop",)},)))
    item = incident(labels={"namespace": "shop", "service": "checkout"})
    assert best(item, *services) == ("checkout",)


def test_without_a_rule_the_service_is_a_guess_that_nobody_owns():
    catalog = Catalog([service("web", repo=("acme/web",))])
    assert catalog.resolve(incident(labels={"app": "b", "service": "a"})).services == ("a",)
    assert catalog.resolve(build(repository="acme/api")).services == ("api",)
    assert catalog.resolve(build(repository="group/sub/api/")).services == ("api",)
    assert catalog.resolve(build(services=("x", "y"))).services == ("x", "y")
    assert catalog.resolve(incident()).services == ()
    assert not catalog.owned(build(repository="acme/api"))


def test_defaults_of_the_source():
    catalog = Catalog([service("web", "shop", repo=("acme/web",)), service("api", "core")])
    defaults = SourceDefaults(service="api", team="ops", environment="prd")
    found = catalog.resolve(build(repository="acme/other"), defaults)
    assert (found.services, found.team, found.environment) == (("api",), "core", "production")
    found = catalog.resolve(build(repository="acme/web", environment="qa"), defaults)
    assert (found.services, found.team, found.environment) == (("web",), "shop", "test")
    found = catalog.resolve(incident(labels={"service": "db"}), defaults)
    assert (found.services, found.team) == (("db",), "ops")
    assert catalog.resolver(defaults)(build()).services == ("api",)
    assert catalog.resolve(build()).services == ()


def test_teams():
    catalog = Catalog([service("web", "shop"), service("api")])
    assert catalog.resolve(incident(services=("web",), team="x", labels={"team": "y"})).team == "shop"
    assert catalog.resolve(incident(services=("api",), team="x", labels={"team": "y"})).team == "x"
    assert catalog.resolve(incident(labels={"team": "y"}), SourceDefaults(team="z")).team == "y"
    assert catalog.resolve(incident(), SourceDefaults(team="z")).team == "z"
    assert catalog.team_of("WEB") == "shop"
    assert catalog.team_of("nobody") == ""
    assert catalog.owned(incident(labels={"team": "y"}))


def test_many_stars_take_no_endless_time():
    catalog = Catalog([service("a", name=("*a" * 30 + "b",))])
    assert catalog.resolve(incident(title="a" * 500)).services == ()


# -- environments and severities --------------------------------------------------------------------------------------


def test_environments_without_a_config():
    catalog = Catalog()
    assert [catalog.environment(n) for n in ("prod", " PRD ", "Live", "stg", "qa", "dev")] == [
        "production",
        "production",
        "production",
        "staging",
        "test",
        "development",
    ]
    assert catalog.environment(" Eu-West ") == "Eu-West"
    assert catalog.environment("") == ""
    assert (catalog.tier_of("PROD"), catalog.tier_of("eu-west")) == ("production", "other")
    assert catalog.order_of("prod") < catalog.order_of("staging") < catalog.order_of("unheard of")


def test_configured_environments_replace_the_built_in_ones():
    catalog = Catalog(environments=[Environment(name="Live", aliases=("main",), tier="production")])
    assert catalog.environment("MAIN") == "Live"
    assert catalog.environment("prod") == "prod"
    assert catalog.tier_of("prod") == "other"
    assert catalog.environments != BUILT_IN_ENVIRONMENTS


def test_a_well_known_name_inherits_what_is_not_said():
    assert make_environment("staging") == Environment(name="staging", aliases=("stage", "stg"), tier="staging")
    assert make_environment("prod").aliases == ("production", "prd", "live")
    assert make_environment("prod").tier == "production"
    assert make_environment("staging", ()).aliases == ()
    assert make_environment("production", tier="other").tier == "other"
    assert make_environment("blue") == Environment(name="blue")


def test_an_environment_from_the_labels():
    catalog = Catalog()
    assert catalog.resolve(incident(labels={"env": "prd"})).environment == "production"
    assert catalog.resolve(incident(environment="stg", labels={"env": "prd"})).environment == "staging"


@pytest.mark.parametrize(
    "word, severity",
    [
        ("critical", "critical"),
        ("Page", "critical"),
        ("P1", "critical"),
        ("disaster", "critical"),
        (" error ", "high"),
        ("sev2", "high"),
        ("warning", "medium"),
        ("average", "medium"),
        ("minor", "low"),
        ("notice", "info"),
        ("none", "info"),
        ("wakeup", "critical"),
        ("major", "low"),
        ("whatever", "unknown"),
        ("", "unknown"),
    ],
)
def test_severity_words(word: str, severity: Severity):
    catalog = Catalog(severities={"WakeUp": "critical", "major": "low"})
    assert catalog.severity(word) == severity
    assert catalog.resolve(incident(labels={"severity": word})).severity == severity  # type: ignore[union-attr]


def test_a_severity_that_the_source_knows_is_left_alone():
    item = incident(severity="low", labels={"severity": "critical"})
    assert Catalog().resolve(item) is item


# -- as a whole -------------------------------------------------------------------------------------------------------


def test_nothing_changes_nothing():
    item = build(repository="acme/web", services=("web",), team="shop", environment="production")
    assert Catalog([service("web", "shop", repo=("acme/web",))]).resolve(item) is item


def test_every_kind_is_resolved():
    catalog = Catalog([service("web", "shop", repo=("acme/web",))])
    ticket = Ticket(key="t:ticket:1", source="t", state="open", repository="acme/web")
    items: tuple[Item, ...] = (build(repository="acme/web"), release(repository="acme/web"), ticket)
    for item in items:
        found: Item = catalog.resolve(item)
        assert type(found) is type(item)
        assert found.team == "shop"


def test_items_that_differ_in_what_rules_look_at_are_not_mixed_up():
    catalog = Catalog([service("a", tag=("a-",)), service("b", name=("B *",)), service("c", workflow=("c",))])
    assert catalog.resolve(release(version="a-1")).services == ("a",)
    assert catalog.resolve(release(version="z-1")).services == ()
    assert catalog.resolve(incident(title="b is down")).services == ("b",)
    assert catalog.resolve(incident(title="x is down")).services == ()
    assert catalog.resolve(build(pipeline="c")).services == ("c",)
    assert catalog.resolve(build(pipeline="d")).services == ()


def test_unowned_items_tell_how_to_own_them():
    catalog = Catalog([service("web", "shop", repo=("acme/web",))])
    items: list[Item] = [
        build(repository="acme/web"),
        build(repository="acme/api"),
        build(repository="acme/api", labels={"job": "x", "severity": "page", "instance": "10.0.0.1:80"}),
        incident(labels={"team": "core", "job": "y"}),
        incident(labels={"evil": "\x1b[31m"}),
        incident(),
    ]
    counts = catalog.unowned(catalog.resolve(item) for item in items)
    assert counts == {"repo: acme/api": 2, "label: {job: x}": 1, "label: {evil: [31m}": 1, "source: am": 1}
    assert counts.most_common(1)[0][0] == "repo: acme/api"


_WORDS = st.sampled_from(["", "web", "api", "acme/web", "acme/api", "prod", "a*", "Web", "x y"])
_ITEMS = st.builds(
    incident,
    repository=_WORDS,
    services=st.lists(_WORDS.filter(bool), max_size=2).map(tuple),
    team=_WORDS,
    environment=_WORDS,
    title=_WORDS,
    labels=st.dictionaries(st.sampled_from(["service", "env", "team", "severity", "job", "path"]), _WORDS),
)
_SERVICES = st.lists(
    st.builds(
        service,
        st.sampled_from(["web", "api", "db"]),
        _WORDS,
        repo=st.lists(_WORDS, max_size=2).map(tuple),
        name=st.lists(_WORDS, max_size=2).map(tuple),
        path=st.lists(_WORDS, max_size=1).map(tuple),
        label=st.lists(st.dictionaries(st.just("job"), st.tuples(_WORDS)), max_size=2).map(tuple),
    ),
    max_size=3,
    unique_by=lambda s: s.name,
)
_DEFAULTS = st.builds(SourceDefaults, service=_WORDS, team=_WORDS, environment=_WORDS)


@settings(max_examples=300, deadline=None)
@given(st.lists(_ITEMS, max_size=6), _SERVICES, _DEFAULTS)
def test_the_cache_changes_no_answer(items: list[Incident], services: list[Service], defaults: SourceDefaults):
    catalog = Catalog(services)
    together = [catalog.resolve(item, defaults) for item in items]
    alone = [Catalog(services).resolve(item, defaults) for item in items]
    assert together == alone


@settings(max_examples=300, deadline=None)
@given(_ITEMS, _SERVICES, _DEFAULTS)
def test_whoever_owns_an_item_owns_it_once_it_is_resolved(
    item: Incident, services: list[Service], defaults: SourceDefaults
):
    catalog = Catalog(services)
    assert catalog.owned(catalog.resolve(item)) >= catalog.owned(item)
    once = catalog.resolve(item, defaults)
    assert catalog.owned(once) or not once.team
