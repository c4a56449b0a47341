"""``check``: what each source gives, and what is wrong, in words and as JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from statusboard.binding import told_whole
from statusboard.cli.check import text
from statusboard.client import ClientPool
from statusboard.config import Config, load_config
from statusboard.credentials import Keychain
from statusboard.registry import Registry
from statusboard.setup.checking import Findings, check
from tests.cli.kit import Home, deploy

INSTALLED = Registry.installed()
ALERT = {
    "fingerprint": "f1",
    "labels": {"alertname": "HighLatency", "severity": "page", "namespace": "web", "instance": "10.0.0.1"},
    "annotations": {"summary": "slow"},
    "startsAt": "2026-01-02T03:04:05Z",
    "status": {"state": "active"},
}


def dog(name: str = "Watchdog") -> dict[str, Any]:
    return {**ALERT, "fingerprint": name, "labels": {"alertname": name, "severity": "none"}}


def configured(folder: Path, body: str) -> Config:
    file = folder / "config.yaml"
    file.write_text(body)
    return load_config(file, registry=INSTALLED, env={})


async def found(config: Config, answers: Mapping[str, Any], *names: str, **options: Any) -> Findings:
    """Check with a server that answers each path with JSON, a response, or what a function gives."""

    async def handle(request: httpx.Request) -> httpx.Response:
        answer = answers.get(request.url.path)
        if callable(answer):
            answer = await answer(request)
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            return httpx.Response(404, json={"message": "Not Found"})
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    pool = ClientPool(transport=httpx.MockTransport(handle))
    return await check(config, names, pool=pool, keychain=Keychain(environ={"TOKEN": "t0ken-value"}), **options)


AM = "sources: [{type: alertmanager, name: am, url: 'http://127.0.0.1:9', token: 'env:TOKEN', expect: Watchdog}]\n"
ALERTS = {"/api/v2/alerts": [ALERT, dog()], "/api/v2/status": {"uptime": "2026-01-01T00:00:00Z"}}


async def test_a_source_that_is_well(tmp_path: Path) -> None:
    findings = await found(configured(tmp_path, AM), ALERTS)
    (am,) = findings.sources
    assert findings.ok and am.verdict == "ok" and am.reachable
    assert am.items == {"incident": 1} and am.beats == ("Watchdog",) and not am.missing_beats
    assert [(c.option, c.reference, c.error) for c in am.credentials] == [("token", "env:TOKEN", "")]
    assert am.requests == 2 and am.requests_per_hour == 480
    told = text(findings)
    assert "ok       am (alertmanager, http://127.0.0.1:9)" in told
    assert "env:TOKEN: found" in told and "1 incident\n" in told and "Watchdog seen" in told
    assert "2 in a first poll, later ones may need fewer; at most 480 an hour, every 15s\n" in told
    assert "t0ken-value" not in told + msgspec.json.encode(findings).decode()


def test_a_line_that_cannot_be_read_is_not_well(home: Home) -> None:
    log = home.deploys(deploy("1"))
    assert home.run("check").out.endswith("All well: 1 source read in full.\n")
    with log.open("a") as file:
        file.write("incident!\n")
    checked = home.run("check")
    assert checked.code == 3 and checked.out.startswith("PARTIAL  deploys (deploy-log)")
    assert "bad lines: 1 line could not be read, the last is line 2 of deploys.jsonl: not JSON" in checked.out
    assert checked.out.endswith("NOT everything could be read: deploys\n") and "All well" not in checked.out
    shown = home.run("show", "--poll")
    assert shown.code == 3 and "deploys" in shown.out and "1 line could not be read" in shown.out
    (source,) = home.run("show", "--json").json["sources"]
    assert source["state"] == "partial" and source["items"] == 1


def test_all_mistakes_of_a_configuration_are_told(home: Home) -> None:
    home.config.write_text("sources:\n" + "".join(f"  - {{type: git, name: g{n}, wrong: 1}}\n" for n in range(30)))
    shown, checked = home.run("show"), home.run("check")
    told = [line for line in checked.err.splitlines() if "unknown key `wrong`" in line]
    assert checked.code == shown.code == 2 and len(told) == 30
    assert shown.err.splitlines()[-1].endswith("more; `statusboard check` prints all of them")
    assert len(shown.err.splitlines()) < len(checked.err.splitlines())


def test_no_name_in_a_list_of_names_is_cut_and_the_nearest_come_first(home: Home) -> None:
    api = "type: http-json, url: 'http://127.0.0.1:9', id: id, name"
    rest = (
        "a, kind: build, fields: {verson: x}",
        "b, kind: ticket, fields: {prio: x}",
        "c, kind: release, fields: {x: y}",
    )
    sources = "".join(f"  - {{{api}: {more}}}\n" for more in rest)
    home.config.write_text(f"sources:\n{sources}views: [{{name: v, filter: 'zzz:1'}}]\n")
    build, ticket, _, view = home.run("check").err.splitlines()
    assert "the fields are" in build and build.endswith(", url")
    assert "no ticket has 'prio'; the fields are priority, actor" in ticket and ticket.count("priority") == 1
    assert "…" not in build + ticket + view and "unknown key `zzz`: use one of" in view
    long = told_whole("the names are " + ", ".join(f"a-name-of-{n}" for n in range(400)))
    names = long.removesuffix(" …").removeprefix("the names are ").split(", ")
    assert names == [f"a-name-of-{n}" for n in range(len(names))] and long.endswith(" …")


def test_what_is_noted_is_not_read_in_full(home: Home) -> None:
    home.deploys(deploy("1", time=f"{datetime.now(UTC):%Y-%m-%d %H:%M}"))
    checked = home.run("check")
    assert checked.code == 0 and "1 line has times without a zone: taken as UTC" in checked.out
    assert checked.out.endswith("All well, but see the notes: 1 source read.\n")


async def test_a_heartbeat_that_is_missing_is_not_well(tmp_path: Path) -> None:
    findings = await found(configured(tmp_path, AM), {**ALERTS, "/api/v2/alerts": []})
    assert not findings.ok and findings.sources[0].verdict == "partial"
    assert "Watchdog MISSING" in text(findings) and "NOT everything could be read: am" in text(findings)


async def test_unowned_items_with_the_rule_that_would_own_them(tmp_path: Path) -> None:
    web = [{**ALERT, "fingerprint": f"w{n}"} for n in range(3)]
    odd = {**ALERT, "fingerprint": "o", "labels": {"alertname": "Odd", "namespace": "db"}}
    findings = await found(configured(tmp_path, AM), {**ALERTS, "/api/v2/alerts": [*web, odd, dog()]})
    assert (findings.unowned, findings.items) == (4, 4)
    assert (findings.hints[0].rule, findings.hints[0].items) == ("label: {namespace: web}", 3)
    assert not any("instance" in hint.rule or "severity" in hint.rule for hint in findings.hints)
    told = text(findings)
    assert "4 of 4 items have no owner" in told and "3  label: {namespace: web}" in told
    rule = told.splitlines()[-3].strip()
    owned = configured(tmp_path, f"{AM}{rule.replace('NAME', 'storefront')}\n")
    again = await found(owned, {**ALERTS, "/api/v2/alerts": [*web, odd, dog()]})
    assert again.unowned == 1, "what it proposes does what it says"


async def test_what_a_source_files_its_items_under_owns_them(tmp_path: Path) -> None:
    findings = await found(configured(tmp_path, AM.replace("expect:", "team: payments, expect:")), ALERTS)
    assert findings.unowned == 0 and "Every item has an owner (1)." in text(findings)


@pytest.mark.parametrize(
    "answer, error, reachable",
    [
        (httpx.Response(401, json={}), "401", True),
        (httpx.Response(404, text="<html>"), "404", True),
        (httpx.Response(503), "503", True),
        (httpx.Response(200, text="<html>no"), "", True),
        (httpx.ConnectError("refused"), "", False),
    ],
    ids=["401", "404", "503", "html", "refused"],
)
async def test_a_source_that_cannot_be_read(answer: Any, error: str, reachable: bool, tmp_path: Path) -> None:
    findings = await found(configured(tmp_path, AM), {"/api/v2/alerts": answer})
    (am,) = findings.sources
    assert am.verdict == "failed" and not findings.ok and am.reachable is reachable
    assert am.error and error in am.error
    told = text(findings)
    assert "FAILED   am" in told and ("reachable    NO" in told) is not reachable


async def test_a_missing_credential_says_what_to_do_and_is_not_sent_anywhere(tmp_path: Path) -> None:
    config = configured(tmp_path, AM.replace("env:TOKEN", "env:OTHER"))
    findings = await found(config, {"/api/v2/alerts": AssertionError("nothing may be asked")})
    (am,) = findings.sources
    assert am.verdict == "failed" and am.reachable is None and am.requests == 0
    assert "export it before" in am.credentials[0].error
    told = text(findings)
    assert told.count("export it before") == 2, "once as a warning of the config, once beside the source"
    assert "not asked: a credential is missing" in told


BARE = "sources: [{type: github, name: gh, repos: [a/x], url: 'http://127.0.0.1:9', kinds: [ticket]}]\n"
SIGNED = BARE.replace("kinds:", "token: 'env:TOKEN', kinds:")


@pytest.mark.parametrize(
    "body, answer, hint",
    [
        (SIGNED, httpx.Response(401, json={}), "does not take env:TOKEN: wrong, expired"),
        (SIGNED, httpx.Response(403, json={}), "a right is missing, or the server wants more than env:TOKEN"),
        (SIGNED, httpx.Response(404, json={}), "no such thing at this url, or env:TOKEN may not see it"),
        (BARE, httpx.Response(401, json={}), "this source has no credential"),
        (BARE, httpx.Response(404, json={}), "or it is not public: this source has no credential"),
        (BARE, httpx.Response(400, json={}), "this source has no credential"),
    ],
    ids=["401", "403", "404", "401-none", "404-none", "400-none"],
)
async def test_a_refusal_says_what_may_be_behind_it(
    body: str, answer: httpx.Response, hint: str, tmp_path: Path
) -> None:
    findings = await found(configured(tmp_path, body), {"/repos/a/x/issues": answer})
    (gh,) = findings.sources
    assert hint in gh.hint and "a fine-grained token" in gh.needs
    told = text(findings)
    assert " in a first poll\n" in told, "what broke off tells nothing of the cost of an hour"
    assert f"hint         {gh.hint}\n" in told and "see `statusboard sources github`\n" in told


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(200, json=[]), httpx.Response(503), httpx.Response(429), httpx.ConnectError("refused")],
    ids=["200", "503", "429", "refused"],
)
async def test_what_is_no_refusal_blames_no_credential(answer: Any, tmp_path: Path) -> None:
    for body in (BARE, SIGNED):
        findings = await found(configured(tmp_path, body), {"/repos/a/x/issues": answer})
        assert findings.sources[0].hint == findings.sources[0].needs == ""
        assert "hint " not in text(findings)


async def test_what_was_read_beside_a_fault_is_told(tmp_path: Path) -> None:
    async def services(request: httpx.Request) -> httpx.Response:
        known = request.url.params["query"] == "Till"
        return httpx.Response(200, json={"services": [{"id": "P1", "name": "Till"}] if known else [], "more": False})

    incident = {"id": "Q1", "title": "Till is slow", "status": "triggered", "created_at": "2026-01-02T03:04:05Z"}
    config = configured(
        tmp_path,
        "sources: [{type: pagerduty, name: pd, token: 'env:TOKEN', services: [Till, Tlil]}]\n",
    )
    told = text(await found(config, {"/services": services, "/incidents": {"incidents": [incident], "more": False}}))
    assert "FAILED   pd" in told and "PagerDuty knows no Tlil" in told and "items        1 incident\n" in told


async def test_one_part_of_several(tmp_path: Path) -> None:
    config = configured(tmp_path, "sources: [{type: github, name: gh, repos: [a/x, a/gone], kinds: [ticket]}]\n")
    rate = {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "57", "x-ratelimit-reset": "1999999999"}
    findings = await found(config, {"/repos/a/x/issues": httpx.Response(200, json=[], headers=rate)})
    (gh,) = findings.sources
    assert gh.verdict == "partial" and gh.reachable and not gh.error
    assert [(p.part, bool(p.error)) for p in gh.parts] == [("a/gone tickets", True), ("a/x tickets", False)]
    assert gh.budget is not None and (gh.budget.left, gh.budget.limit) == (57, 60)
    told = text(findings)
    assert "PARTIAL  gh" in told and "a/gone tickets: " in told and "404" in told and "57 of 60 left" in told


async def test_a_clock_that_is_off(tmp_path: Path) -> None:
    date = format_datetime(datetime.fromtimestamp(datetime.now(UTC).timestamp() + 600, UTC), usegmt=True)
    answer = httpx.Response(200, json=[dog()], headers={"date": date})
    findings = await found(configured(tmp_path, AM), {**ALERTS, "/api/v2/alerts": answer})
    offset = findings.sources[0].clock_offset
    assert offset is not None and 590 < offset < 610
    assert "ahead of ours: ages will look wrong" in text(findings)


async def test_one_that_hangs_costs_its_own_time_only(tmp_path: Path) -> None:
    async def hang(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    config = configured(
        tmp_path,
        "sources:\n  - {type: alertmanager, name: slow, url: 'http://127.0.0.1:9/slow'}\n"
        "  - {type: alertmanager, name: am, url: 'http://127.0.0.1:9'}\n",
    )
    findings = await found(config, {**ALERTS, "/slow/api/v2/alerts": hang}, timeout=0.3)
    by_name = {source.name: source for source in findings.sources}
    assert by_name["am"].verdict == "ok"
    assert by_name["slow"].verdict == "failed" and "0.3 s" in by_name["slow"].error and not by_name["slow"].reachable


async def test_only_those_that_are_named(tmp_path: Path) -> None:
    config = configured(tmp_path, AM.replace("sources: [", "sources: [{type: deploy-log, name: d, path: /none}, "))
    assert [s.name for s in (await found(config, ALERTS, "am")).sources] == ["am"]


async def test_hostile_text_is_plain_text(tmp_path: Path) -> None:
    evil = {**ALERT, "labels": {"alertname": "\x1b[2J", "team\x1b": "x", "ns": "\x1b]52;c;AAAA\x07\u202e"}}
    told = text(await found(configured(tmp_path, AM), {**ALERTS, "/api/v2/alerts": [evil, dog()]}))
    assert "\x1b" not in told and "\x07" not in told and "\u202e" not in told


# --- the command ----------------------------------------------------------------------------------------------------


def test_exit_codes_and_nothing_stored(home: Home) -> None:
    home.deploys(deploy("1.0"))
    good = home.run("check")
    assert good.code == 0 and "1 release" in good.out and "All well" in good.out
    assert "Reading 1 source" in good.err, "what takes a while is announced, apart from the answer"
    assert not home.database.exists()
    home.config.write_text(f"{home.config.read_text()}  - {{type: deploy-log, name: gone, path: /nonexistent}}\n")
    bad = home.run("check")
    assert bad.code == 3 and "FAILED   gone" in bad.out and "ok       deploys" in bad.out
    assert home.run("check", "deploys").code == 0
    unknown = home.run("check", "deplois")
    assert unknown.code == 2 and "did you mean `deploys`?" in unknown.err


def test_json(home: Home) -> None:
    home.deploys(deploy("1.0"))
    result = home.run("check", "--json")
    assert result.code == 0 and not result.err
    (source,) = result.json["sources"]
    assert (source["name"], source["verdict"], source["items"]) == ("deploys", "ok", {"release": 1})
    assert result.json["ok"] is True and result.json["schema"] == 1 and result.json["unowned"] == 1


def test_a_broken_configuration_tells_all_its_problems(home: Home) -> None:
    home.config.write_text("sources:\n  - {type: nope, name: a}\n  - {type: github, name: b, token: hunter22}\n")
    result = home.run("check")
    assert result.code == 2 and result.err.count("config: ") >= 3 and "hunter22" not in result.err
    assert f"{home.config}:2" in result.err and f"{home.config}:3" in result.err


def test_a_board_that_follows_another(home: Home) -> None:
    home.deploys(deploy("1.0"))
    assert home.run("show").code == 0
    follower = home.folder / "follower.yaml"
    follower.write_text(f"board: {{store: {home.database}}}\n")
    result = home.run("--config", str(follower), "check")
    assert result.code == 0 and "follows" in result.out
    follower.write_text("board: {store: nowhere.sqlite}\n")
    missing = home.run("--config", str(follower), "check")
    assert missing.code == 3 and "failed" in missing.out
