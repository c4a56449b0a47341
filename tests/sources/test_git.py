"""A local clone: real ones made with git, odd data in git's place, and configuration that wants to run commands."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from sources._git import COMMIT_FIELDS, TAG_FIELDS, Remote, commits_of, remote_of, tags_of
from sources._shared.commands import run
from sources.git import Git
from statusboard.errors import AuthError, BadAnswer, NotFound, Refused, SourceError, Timeout, TooLarge
from statusboard.model import Part, Release, Snapshot
from statusboard.source import Source
from statusboard.testing import Answer, DataContract, FakeHttp, make_source, read_all, read_one
from statusboard.testing._mutations import Mutate, unchanged

HTTP = FakeHttp(lambda call: Answer(status=500))
MOMENT = 1_767_323_045  # 2026-01-02T03:04:05Z


# -- odd data ----------------------------------------------------------------------------------------------------------


def sha(number: int) -> str:
    return f"{number:040x}"


TAGS: list[dict[str, Any]] = [
    {
        "name": "v1.1",
        "type": "tag",
        "sha": sha(3),
        "date": MOMENT,
        "tagger": "ann",
        "author": "",
        "subject": "The first",
        "tagged_type": "commit",
        "tagged_sha": sha(2),
        "tagged_author": "bob",
    },
    {"name": "v1.0", "type": "commit", "sha": sha(1), "date": MOMENT, "author": "bob", "subject": "Begin"},
]
COMMITS: list[dict[str, Any]] = [
    {
        "sha": sha(9),
        "parents": f"{sha(8)} {sha(7)}",
        "date": MOMENT,
        "author": "ann",
        "subject": "Mend the till (#7)",
        "body": "More of it",
    }
]


class Told(Git):
    """Reads what it is told in place of a clone."""

    tags: Any = TAGS
    commits: Any = COMMITS

    async def git(self, *arguments: str) -> bytes:
        match arguments[0]:
            case "rev-parse":
                return b"false\n\n"
            case "config":
                return b"https://github.com/acme/shop.git\n"
            case "rev-list" if "--timestamp" in arguments:
                return f"{MOMENT} {sha(1)}\n".encode()
            case "rev-list":
                return b"".join(commit(row) for row in rows(self.commits))
        if "refs/heads/main" in arguments:
            return b"refs/heads/main\n"
        return b"".join(tag(row) for row in rows(self.tags))


def rows(value: object) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def printed(value: object) -> str:
    """A field as git prints it: there is no line's end and no NUL in it."""
    return "" if value is None else str(value).replace("\0", "").replace("\n", " ")


def tag(row: dict[str, Any]) -> bytes:
    return "\0".join(printed(row.get(name)) for name in TAG_FIELDS).encode(errors="replace") + b"\n"


def commit(row: dict[str, Any]) -> bytes:
    fields = [printed(row.get(name)) for name in COMMIT_FIELDS]
    return f"commit {sha(1)}\n\0{chr(0).join(fields)}\0\n".encode(errors="replace")


class TestContract(DataContract):
    source = Told
    options: ClassVar = {"path": "/srv/clones/shop.git", "tags": ["v*"], "merges": "main"}
    time_fields = ("date",)
    id_fields = ("name", "sha")

    def documents(self) -> list[Any]:
        return [TAGS, COMMITS]

    async def poll(self, mutate: Mutate = unchanged, *, source: Source[Any] | None = None) -> Snapshot:
        source = source or self.make()
        assert isinstance(source, Told)
        source.tags, source.commits = mutate(TAGS), mutate(COMMITS)
        return await source.poll(lambda scope: HTTP)


# -- clones ------------------------------------------------------------------------------------------------------------


class Clone:
    """A clone in a folder, made with git itself; each commit is a minute later than the one before."""

    def __init__(self, path: Path, *more: str) -> None:
        self.path = path
        self.home = path.parent
        self.minutes = 0
        path.mkdir(parents=True)
        self.git("init", "-q", "-b", "main", *more)
        self.git("config", "commit.gpgSign", "false")

    def git(self, *arguments: str, text: str = "") -> str:
        when = f"{MOMENT + 60 * self.minutes} +0200"
        who = {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "Ann"), ("EMAIL", "ann@acme.example"), ("DATE", when))
        }
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.home), "GIT_CONFIG_NOSYSTEM": "1", **who}
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, env=environ, input=text, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        self.minutes += 1
        self.git("commit", "-q", "--allow-empty", "-F", "-", text=message)
        return self.git("rev-parse", "HEAD")

    def merge(self, message: str) -> str:
        """Commit to a branch and merge it."""
        self.git("checkout", "-q", "-b", "topic")
        self.commit("on the branch")
        self.git("checkout", "-q", "-")
        self.minutes += 1
        self.git("merge", "-q", "--no-ff", "--no-commit", "topic")
        self.git("commit", "-q", "-F", "-", text=message)
        self.git("branch", "-q", "-D", "topic")
        return self.git("rev-parse", "HEAD")

    def source(self, **options: Any) -> Source[Any]:
        return make_source(Git, {"path": str(self.path), **options})


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "shop")


def at(minutes: int) -> datetime:
    return datetime.fromtimestamp(MOMENT + 60 * minutes, UTC)


async def releases(source: Source[Any]) -> list[Release]:
    part = await read_one(source, HTTP)
    return [item for item in part.items if isinstance(item, Release)]


async def test_tags_are_releases(clone: Clone) -> None:
    first = clone.commit("Begin")
    clone.git("tag", "v1.0")
    clone.minutes += 1
    second = clone.commit("Go on\n\nMore of it")
    clone.minutes += 5
    clone.git("tag", "-a", "v1.1-rc.1", "-m", "Try the till\n\nIt is new")
    clone.git("remote", "add", "origin", "git@github.com:acme/shop.git")
    assert await releases(clone.source()) == [
        Release(
            key="git:release:tag/v1.1-rc.1",
            source="git",
            title="v1.1-rc.1",
            description="Try the till",
            state="success",
            raw_state="tagged",
            type="publication",
            version="v1.1-rc.1",
            previous_version="v1.0",
            revision=second,
            prerelease=True,
            repository="acme/shop",
            url="https://github.com/acme/shop/releases/tag/v1.1-rc.1",
            actor="Ann",
            trigger="tag",
            started_at=at(8),
            ended_at=at(8),
            commits=1,
            committed_at=at(3),
        ),
        Release(
            key="git:release:tag/v1.0",
            source="git",
            title="v1.0",
            description="Begin",
            state="success",
            raw_state="tagged",
            type="publication",
            version="v1.0",
            revision=first,
            repository="acme/shop",
            url="https://github.com/acme/shop/releases/tag/v1.0",
            actor="Ann",
            trigger="tag",
            started_at=at(1),
            ended_at=at(1),
        ),
    ]


async def test_with_an_environment_they_are_deployments(clone: Clone) -> None:
    clone.commit("Begin")
    clone.git("tag", "v1")
    (item,) = await releases(clone.source(environment="production"))
    assert (item.type, item.environment, item.repository) == ("deployment", "production", "shop")


async def test_a_release_tells_what_it_brought(clone: Clone) -> None:
    clone.commit("Begin")
    clone.git("tag", "v1")
    for n in range(4):
        clone.commit(f"Change {n}")
    clone.git("tag", "v2")
    clone.git("tag", "v3")
    tree = clone.git("rev-parse", "HEAD^{tree}")
    clone.git("tag", "v4", tree)
    found = {item.version: (item.commits, item.committed_at) for item in await releases(clone.source())}
    # The middle one of 2, 3, 4 and 5: half of them are older.
    assert found == {"v1": (None, None), "v2": (4, at(3)), "v3": (0, None)}


async def test_merges_are_releases(clone: Clone) -> None:
    clone.commit("Begin")
    first = clone.merge("Merge branch 'topic' into 'main'\n\nMend the till\n\nSee merge request acme/shop!7")
    clone.commit("Straight to main")
    squashed = clone.commit("Paint the till (#12)\n\nGreen")
    last = clone.merge("Merge branch 'main' of ssh://x")
    source = clone.source(merges="main")
    items = await releases(source)
    assert [(item.title, item.labels) for item in items] == [
        ("Merge branch 'main' of ssh://x", {"branch": "main"}),
        ("Paint the till (#12)", {"branch": "main", "change": "12"}),
        ("Mend the till", {"branch": "main", "change": "7"}),
    ]
    assert items[1] == Release(
        key=f"git:release:merge/{squashed}",
        source="git",
        title="Paint the till (#12)",
        state="success",
        raw_state="merged",
        type="publication",
        version=squashed[:12],
        previous_version=first[:12],
        revision=squashed,
        repository="shop",
        labels={"branch": "main", "change": "12"},
        actor="Ann",
        trigger="merge",
        started_at=at(5),
        ended_at=at(5),
        commits=2,
        committed_at=at(4),
    )
    assert items[0].revision == last
    assert [scope.name for scope in await source.scopes(HTTP)] == ["shop merges to main"]


async def test_tags_and_merges_are_two_parts(clone: Clone) -> None:
    clone.commit("Begin")
    clone.git("tag", "v1")
    snapshot = await read_all(clone.source(tags=["v*"], merges="gone"), HTTP)
    parts = {part.scope: part for part in snapshot.parts}
    assert isinstance(parts["shop merges to gone"].error, NotFound)
    assert len(parts["shop tags"].items) == 1


async def test_only_tags_that_fit(clone: Clone) -> None:
    clone.commit("Begin")
    for name in ("v1.0", "nightly", "release/2", "release/3/rc"):
        clone.git("tag", name)
    names = [item.version for item in await releases(clone.source(tags=["v*", "release/*"]))]
    assert sorted(names) == ["release/2", "v1.0"]
    assert len(await releases(clone.source())) == 4
    with pytest.raises(NotFound, match=r"no tag of the clone fits x\*, y"):
        await releases(clone.source(tags=["x*", "y"]))


async def test_a_clone_without_tags_is_told_of(clone: Clone) -> None:
    clone.commit("Begin")
    part = await read_one(clone.source(tags=["v*"]), HTTP)
    assert (part.items, part.reach, part.notes) == ((), "window", ("shop: the clone has no tags",))


async def test_the_newest_tags_are_read_and_only_all_of_them_are_complete(clone: Clone) -> None:
    for number in range(5):
        clone.commit(f"{number}")
        clone.git("tag", f"v{number}")
    part = await read_one(clone.source(limit=2), HTTP)
    newest = [(item.version, item.previous_version) for item in part.items if isinstance(item, Release)]
    assert newest == [("v4", "v3"), ("v3", "v2")]
    assert part.reach == "window"
    assert (await read_one(clone.source(limit=5), HTTP)).reach == "complete"


async def test_a_moved_tag_is_the_same_release_elsewhere(clone: Clone) -> None:
    clone.commit("Begin")
    clone.git("tag", "v1")
    source = clone.source()
    (before,) = await releases(source)
    now = clone.commit("Go on")
    clone.git("tag", "-f", "v1")
    (after,) = await releases(source)
    assert after.key == before.key
    assert after.revision == now


async def test_what_names_no_commit_is_no_release(clone: Clone) -> None:
    clone.commit("Begin")
    clone.git("tag", "v1")
    blob = clone.git("hash-object", "-w", "--stdin", text="a key")
    clone.git("tag", "public-key", blob)
    clone.git("tag", "-a", "-m", "a key", "signed-key", blob)
    assert [item.version for item in await releases(clone.source())] == ["v1"]


async def test_origin_s_branch_comes_before_that_of_the_clone(clone: Clone, tmp_path: Path) -> None:
    clone.commit("Begin")
    clone.merge("Merge branch 'a'")
    theirs = Clone(tmp_path / "theirs")
    theirs.git("remote", "add", "origin", str(clone.path))
    theirs.git("fetch", "-q", "origin")
    theirs.git("reset", "-q", "--hard", "origin/main~1")
    for branch in ("main", "origin/main"):
        assert len(await releases(theirs.source(merges=branch))) == 1
    theirs.git("update-ref", "-d", "refs/remotes/origin/main")
    part = await read_one(theirs.source(merges="main"), HTTP)
    assert part.notes == ("theirs: none of the 1 newest commits of main is a merge",)


async def test_bare_and_shallow_clones(clone: Clone, tmp_path: Path) -> None:
    clone.commit("Begin")
    clone.merge("Merge branch 'a'")
    clone.git("tag", "v1")
    clone.git("clone", "-q", "--mirror", str(clone.path), str(tmp_path / "mirror.git"))
    bare = make_source(Git, {"path": str(tmp_path / "mirror.git"), "merges": "main", "tags": ["v*"]})
    assert [part.scope for part in (await read_all(bare, HTTP)).parts] == ["mirror merges to main", "mirror tags"]
    clone.git("clone", "-q", "--depth=1", f"file://{clone.path}", str(tmp_path / "flat"))
    part = await read_one(make_source(Git, {"path": str(tmp_path / "flat"), "tags": ["v1"]}), HTTP)
    assert len(part.items) == 1
    assert part.notes == ("flat: the clone is shallow; what is older than that is not seen",)


async def test_what_is_no_clone(clone: Clone, tmp_path: Path) -> None:
    clone.commit("Begin")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("no clone")
    (clone.path / "inside").mkdir()
    for path in ("empty", "file", "nowhere", "shop/inside"):
        with pytest.raises(NotFound):
            await read_all(make_source(Git, {"path": str(tmp_path / path)}), HTTP)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
async def test_a_clone_of_somebody_else_is_refused(clone: Clone) -> None:
    clone.commit("Begin")
    for path in (clone.path, clone.path / ".git"):
        os.chown(path, 12_345, 12_345)
    with pytest.raises(AuthError, match=r"safe\.directory"):
        await read_all(clone.source(), HTTP)


async def test_a_damaged_clone_is_an_error(clone: Clone) -> None:
    first = clone.commit("Begin")
    clone.commit("Go on (#1)")
    clone.git("tag", "v1")
    (clone.path / ".git/objects" / first[:2] / first[2:]).unlink()
    (part,) = (await read_all(clone.source(merges="main"), HTTP)).parts
    assert isinstance(part.error, BadAnswer)
    assert "exit code 128" in str(part.error)


# -- hostile configuration ---------------------------------------------------------------------------------------------


@pytest.fixture
def hostile(clone: Clone, tmp_path: Path) -> Clone:
    """A clone whose configuration runs a command wherever git lets it; ``ran`` in its parent tells that one did."""
    missing = clone.commit("Begin")
    clone.merge("Merge branch 'a'")
    clone.git("tag", "-a", "v1", "-m", "first")
    ran = tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {ran}\n")
    script.chmod(0o755)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for hook in ("post-index-change", "reference-transaction", "post-checkout", "fsmonitor-watchman"):
        shutil.copy(script, hooks / hook)
    for name, value in {
        "core.fsmonitor": script,
        "core.hooksPath": hooks,
        "core.pager": script,
        "core.editor": script,
        "core.sshCommand": script,
        "core.askPass": script,
        "core.gitProxy": script,
        "core.alternateRefsCommand": script,
        "pager.for-each-ref": script,
        "pager.rev-list": script,
        "credential.helper": script,
        "diff.external": script,
        "gpg.program": script,
        "log.showSignature": "true",
        "alias.for-each-ref": f"!{script}",
        "alias.rev-list": f"!{script}",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": f"ext::{script}",
        "remote.origin.uploadpack": script,
        "protocol.allow": "always",
        "protocol.ext.allow": "always",
    }.items():
        clone.git("config", name, str(value))
    # The configuration of a partial clone counts from this version on.
    clone.git("config", "core.repositoryFormatVersion", "1")
    (clone.path / ".git/objects" / missing[:2] / missing[2:]).unlink()
    (clone.path / ".gitattributes").write_text("* diff=x filter=x\n")
    return clone


async def test_nothing_in_the_clone_runs_a_command(hostile: Clone, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    snapshot = await read_all(hostile.source(tags=["v*"], merges="main"), HTTP)
    parts = {part.scope: part for part in snapshot.parts}
    assert len(parts["shop tags"].items) == 1
    assert isinstance(parts["shop merges to main"].error, BadAnswer), "a commit is missing"
    assert not ran.exists()
    # And it would have, had git been run as it is.
    subprocess.run(["git", "rev-list", "main"], cwd=hostile.path, capture_output=True, check=False)
    assert ran.exists(), "this clone is harmless, and the test proves nothing"


async def test_what_is_set_for_the_board_is_not_about_the_clone(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone.commit("Begin")
    clone.git("tag", "v1")
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    assert len(await releases(clone.source())) == 1


async def test_hostile_names_and_messages(clone: Clone) -> None:
    clone.commit("[/x][@click=app.quit]boom\x1b]52;c;aGk=\x07\u202e (#1)\n\nbody\x1b[2J")
    clone.git("tag", "v1\u202e<bold>")
    clone.git("remote", "add", "origin", "https://user:s3cret@git.example/acme/shop.git")
    snapshot = await read_all(clone.source(tags=["v*"], merges="main"), HTTP)
    items = [item for part in snapshot.parts for item in part.items]
    assert len(items) == 2
    assert all(item.key.isprintable() for item in items)
    assert "s3cret" not in repr(snapshot)


async def test_a_message_of_megabytes_costs_little(clone: Clone) -> None:
    clone.commit("x" * 3_000_000 + " (#1)\n\n" + "y" * 3_000_000)
    clone.merge("Merge pull request #2 from acme/topic\n\n" + "z" * 3_000_000)
    (item,) = await releases(clone.source(merges="main"))
    assert item.labels["change"] == "2"
    assert len(item.title) < 1000


async def test_more_than_we_are_willing_to_read(clone: Clone) -> None:
    clone.commit("Begin")
    for number in range(3):
        clone.git("tag", "-a", "-F", "-", f"v{number}", text="x" * 3_000_000)
    (part,) = (await read_all(clone.source(), HTTP)).parts
    assert isinstance(part.error, TooLarge)


# -- options, and what git prints --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options,message",
    [
        ({"path": ""}, "`path`"),
        ({"path": "x", "tags": ["--all"]}, "`tags`"),
        ({"path": "x", "tags": ["v 1"]}, "`tags`"),
        ({"path": "x", "merges": "--all"}, "`merges`"),
        ({"path": "x", "merges": "main..next"}, "`merges`"),
        ({"path": "x", "merges": "ma*n"}, "`merges`"),
        ({"path": "x", "merges": "main/"}, "`merges`"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        make_source(Git, options)


@pytest.mark.parametrize(
    "address,remote",
    [
        ("git@github.com:acme/shop.git", ("acme/shop", "https://github.com/acme/shop/releases/tag/")),
        ("https://ann:token@github.com/acme/shop", ("acme/shop", "https://github.com/acme/shop/releases/tag/")),
        ("ssh://git@gitlab.acme.example:2222/a/b/c.git", ("a/b/c", "https://gitlab.acme.example/a/b/c/-/tags/")),
        ("https://codeberg.org/acme/shop/", ("acme/shop", "https://codeberg.org/acme/shop/releases/tag/")),
        ("https://git.example/acme/shop.git", ("acme/shop", "")),
        ("/srv/git/shop.git", ("here", "")),
        ("file:///srv/git/shop.git", ("here", "")),
        ("ext::sh -c evil", ("here", "")),
        ("https://[", ("here", "")),
        ("https://github.com/a\x1bb/c", ("here", "")),
        ("", ("here", "")),
    ],
)
def test_where_a_clone_came_from(address: str, remote: tuple[str, str]) -> None:
    found = remote_of(address, "here")
    assert (found.repository, found.tags) == remote


def test_pages_of_tags_and_commits() -> None:
    remote = remote_of("git@github.com:acme/shop.git", "")
    assert remote.tag("web/v1 #2") == "https://github.com/acme/shop/releases/tag/web/v1%20%232"
    assert remote.commit("abc") == "https://github.com/acme/shop/commit/abc"
    assert (Remote("x").tag("v1"), Remote("x").commit("abc")) == ("", "")


def test_what_git_was_not_asked_for() -> None:
    assert tags_of(b"") == []
    assert commits_of(b"") == []
    with pytest.raises(BadAnswer):
        tags_of(b"hint: use --force\n")
    with pytest.raises(BadAnswer):
        commits_of(b"commit 1\n\0a\0b")


# -- running a program -------------------------------------------------------------------------------------------------


def python(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


async def test_a_program_s_output_and_end() -> None:
    code = "import os, sys; print(os.environ, sys.stdin.read()); print('no\\x1b[2J', file=sys.stderr); sys.exit(3)"
    output = await run(python(code), limit=10, most=1000, environ={"LC_ALL": "C"})
    assert b"'LC_ALL': 'C'" in output.out
    assert b"PATH" not in output.out
    assert (output.code, output.said()) == (3, "exit code 3: no[2J")


async def test_programs_that_cannot_be_run(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a program")
    wrong: list[tuple[list[str], str, type[SourceError]]] = [
        (["no-such-program"], "", NotFound),
        (["git"], str(tmp_path / "nowhere"), NotFound),
        ([str(tmp_path / "text")], "", Refused),
        (["git", "a\0b"], "", Refused),
    ]
    for command, directory, error in wrong:
        with pytest.raises(error):
            await run(command, limit=10, most=1000, directory=directory)


async def test_a_program_that_does_not_end_is_ended_with_what_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = f"""
        import os, subprocess, time
        child = subprocess.Popen(["sleep", "600"])
        open({str(pids)!r}, "w").write(f"{{os.getpid()}} {{child.pid}}")
        time.sleep(600)
    """
    with pytest.raises(Timeout, match="did not end within 1 s"):
        await run(python(code), limit=1, most=1000)
    for pid in map(int, pids.read_text().split()):
        while _runs(pid):
            await asyncio.sleep(0.01)


def _runs(pid: int) -> bool:
    """Whether a process is there and is no zombie, which its new parent has yet to bury."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_a_program_that_prints_too_much_is_ended() -> None:
    with pytest.raises(TooLarge):
        await run(["yes"], limit=60, most=100_000)


def test_parts_are_named_after_the_clone() -> None:
    async def names(path: str) -> list[str]:
        source = make_source(Told, {"path": path, "tags": ["v*"]})
        return [scope.name for scope in await source.scopes(HTTP)]

    assert asyncio.run(names("/srv/clones/shop.git")) == ["shop tags"]
    assert asyncio.run(names("/srv/clones/shop/")) == ["shop tags"]


def test_a_part_of_tags_is_what_they_say() -> None:
    part: Part = asyncio.run(read_one(make_source(Told, {"path": "/x", "tags": ["v*"]}), HTTP))
    assert [(item.actor, item.description) for item in part.items] == [("ann", "The first"), ("bob", "Begin")]
