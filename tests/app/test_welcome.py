"""The welcome screen: what it offers, the form of a first source, and what is written."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from keyring.backend import KeyringBackend
from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import Button

from statusboard import cli, demo
from statusboard.credentials import Keychain
from statusboard.errors import AuthError
from statusboard.model import Item, Part
from statusboard.registry import Registry
from statusboard.screens.menu import Menu
from statusboard.screens.welcome import Beginning, WelcomeApp, WelcomeScreen
from statusboard.screens.welcome_docs import COMMANDS, DOCS, DocsScreen
from statusboard.screens.welcome_fields import FieldBox, Line
from statusboard.screens.welcome_form import FormScreen
from statusboard.screens.welcome_keep import KeepScreen
from statusboard.screens.welcome_save import SaveScreen
from statusboard.screens.welcome_types import TypesScreen
from statusboard.setup.answers import check_text
from statusboard.setup.around import Around, Type, matching
from statusboard.setup.checking import CredentialFinding, PartFinding, SourceFinding
from statusboard.setup.detecting import Surroundings
from statusboard.setup.forming import Form, is_hidden
from statusboard.setup.proposing import Proposal, SourceDraft
from statusboard.setup.telling import told
from statusboard.setup.writing import NotWritten, write_new
from statusboard.source import Http, Scope, Source, SourceOptions, option
from statusboard.themes import Look
from tests.app.stage import DARK, text_of, until
from tests.scripted import alert

SECRET = "hunter2-is-no-good"


class LampOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    rooms: Annotated[tuple[str, ...], option("the rooms, by name")]
    floor: Annotated[int, option("which floor")] = 0
    file: Annotated[str, option("a list of rooms", path=True)] = ""


class Lamp(Source[LampOptions]):
    """Reads what a test wants: ``answer`` is the items, an exception, or an event that is waited for."""

    type = "lamp"
    kinds = frozenset({"incident"})
    Options = LampOptions
    needs_url = False
    summary = "Lamps [/that] are off"
    setup = "- Ask the janitor for a token."
    example = 'rooms: [hall]\nfile: lamps.txt\ntoken: "keyring:lamp"'
    answer: Any = ()

    async def scopes(self, http: Http) -> Sequence[Scope]:
        return [Scope(name=room, kind="incident", reach="complete") for room in self.options.rooms]

    async def read(self, scope: Scope, http: Http) -> Part:
        answer = self.answer
        if isinstance(answer, asyncio.Event):
            await answer.wait()
        if isinstance(answer, Exception):
            raise answer
        items: tuple[Item, ...] = () if isinstance(answer, asyncio.Event) else tuple(answer)
        return scope.part(items)


class Other(Source[SourceOptions]):
    type = "other"
    kinds = frozenset({"build"})
    needs_url = False
    summary = "Anything else"


class Memory(KeyringBackend):
    """A keyring of this test's own."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[username]


KNOWN = Registry.of({"lamp": Lamp, "other": Other})
TYPES = (Type(name="lamp", summary=Lamp.summary), Type(name="other", summary=Other.summary))
FOUND = SourceDraft(
    type="lamp",
    name="lamp",
    options={"rooms": ["hall"], "token": "env:LAMP_TOKEN"},
    found=("[b]lamps.cfg", "LAMP_TOKEN in the environment"),
)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lamp, "answer", ())


@asynccontextmanager
async def welcomed(
    tmp_path: Path,
    *,
    found: Sequence[SourceDraft] = (),
    size: tuple[int, int] = (80, 24),
    look: Look = DARK,
    keyring: Memory | None = None,
    no_keyring: str = "",
    target: Path | None = None,
    known: Registry = KNOWN,
    **more: Any,
) -> AsyncIterator[tuple[WelcomeApp, Pilot[Any]]]:
    around = Around(
        types=TYPES,
        seen=Surroundings(variables={"lamp": {"token": "LAMP_TOKEN"}} if found else {}),
        proposal=Proposal(sources=tuple(found)),
        no_keyring=no_keyring,
    )
    backend = keyring or Memory()
    beginning = Beginning(
        known=known,
        target=target or tmp_path / "new" / "config.yaml",
        look=lambda: around,
        keychain=lambda: Keychain(keyring=lambda: backend, environ={"LAMP_TOKEN": "t"}, timeout=20),
        folder=tmp_path,
        looked=(("$STATUSBOARD_CONFIG", "not set"), (str(tmp_path / "config.yaml"), "no such file")),
        log=tmp_path / "board.log",
        docs="/usr/share/doc",
        **more,
    )
    app = WelcomeApp(beginning, look=look)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: app.around is not None and isinstance(app.screen, WelcomeScreen))
        await pilot.pause()
        yield app, pilot


async def pasted(pilot: Pilot[Any], line: Line, text: str) -> None:
    """Go there and paste it, as a terminal does."""
    line.focus()
    await until(pilot, lambda: line.has_focus)
    line.post_message(Paste(text))
    await pilot.pause()


def box(app: WelcomeApp, name: str) -> FieldBox:
    return next(box for box in app.screen.query(FieldBox) if box.field.name == name)


async def on(pilot: Pilot[Any], screen: type[Any]) -> None:
    await until(pilot, lambda: isinstance(pilot.app.screen, screen))
    await pilot.pause()


async def lamp_form(app: WelcomeApp, pilot: Pilot[Any], *, rooms: str = "hall") -> None:
    """The form of a lamp, with its rooms filled in."""
    app.set_up("lamp")
    await on(pilot, FormScreen)
    await pasted(pilot, box(app, "rooms").line, rooms)


# -- what there is to choose


@pytest.mark.parametrize("keys", ["d", "enter", "k j enter", "down up enter"])
async def test_the_demo_is_one_key_away(tmp_path, keys):
    async with welcomed(tmp_path) as (app, pilot):
        await pilot.press(*keys.split())
        await pilot.pause()
    assert app.return_value == "demo"


async def test_the_mouse_chooses_as_well(tmp_path):
    async with welcomed(tmp_path) as (_, pilot):
        await pilot.click(Menu, offset=(6, 1))
        await on(pilot, TypesScreen)


@pytest.mark.parametrize("key", ["q", "escape", "ctrl+c"])
async def test_leaving_chooses_nothing(tmp_path, key):
    async with welcomed(tmp_path) as (app, pilot):
        await pilot.press(key)
        await pilot.pause()
    assert app.return_value is None and app.return_code == 0


@pytest.mark.parametrize("size", [(60, 20), (80, 24)])
async def test_what_was_found_is_proposed_by_name_only(tmp_path, size):
    async with welcomed(tmp_path, found=[FOUND], size=size, notices=("./statusboard.yaml is not trusted yet",)) as (
        app,
        pilot,
    ):
        shown = text_of(app)
        assert "There is no configuration yet" in shown and "! ./statusboard.yaml is not trusted yet" in shown
        assert "1  lamp" in shown and "[b]lamps.cfg, LAMP_TOKEN in" in shown
        await pilot.press("1")
        await on(pilot, FormScreen)
        assert box(app, "rooms").line.value == "hall"
        assert box(app, "token").line.value == "env:LAMP_TOKEN"
        assert isinstance(app.focused, Button), "all is there: nothing is left but to try it"


async def test_where_the_docs_are(tmp_path):
    async with welcomed(tmp_path, size=(60, 80)) as (app, pilot):
        await pilot.press("w")
        await on(pilot, DocsScreen)
        shown = text_of(app)
        for words in ("statusboard init", "statusboard sources", "docs/sources.md", "/usr/share/doc", "board.log"):
            assert words in shown
        assert "$STATUSBOARD_CONFIG" in shown and "no such file" in shown
        assert str(tmp_path / "config.yaml") in shown.replace("\n", "").replace(" ", "")
        await pilot.press("escape")
        await on(pilot, WelcomeScreen)


def test_every_document_that_is_named_is_there_and_every_command_too():
    root = Path(__file__).parents[2]
    assert [name for name, _ in DOCS if not (root / name).is_file()] == []
    written = {f"docs/{file.name}" for file in (root / "docs").glob("*.md")} - {"docs/architecture.md"}
    assert written - {name for name, _ in DOCS} == set(), "that of the code is for who changes it"
    assert {name.split()[1] for name, _ in COMMANDS} <= {*cli.COMMANDS, "--help"}


async def test_types_are_found_by_typing(tmp_path):
    async with welcomed(tmp_path) as (app, pilot):
        await pilot.press("s")
        await on(pilot, TypesScreen)
        assert "Lamps [/that] are off" in text_of(app) and "Anything else" in text_of(app)
        await pilot.press(*"else")
        assert "Lamps" not in text_of(app)
        await pilot.press("z")
        assert "no type of that name" in text_of(app)
        await pilot.press("enter")
        assert isinstance(app.screen, TypesScreen)
        await pilot.press("ctrl+u", *"lam", "enter")
        await on(pilot, FormScreen)
        assert "lamp" in text_of(app)


def test_a_type_whose_name_begins_as_typed_comes_first():
    types = [Type(name="argocd", summary="for git"), Type(name="git", summary=""), Type(name="gitx", error="broken")]
    assert [t.name for t in matching(types, "git")] == ["git", "gitx", "argocd"]
    assert [t.name for t in matching(types, "GIT for")] == ["argocd"]
    assert matching(types, "nothing") == []


# -- the form


async def test_what_is_needed_is_said_at_its_field(tmp_path):
    async with welcomed(tmp_path) as (app, pilot):
        await lamp_form(app, pilot, rooms="")
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "rooms is needed" in text_of(app))
        assert app.focused is box(app, "rooms").line
        await pilot.press("x")
        assert "rooms is needed" not in text_of(app)


async def test_what_is_pasted_is_cleaned_also_over_a_selection(tmp_path):
    async with welcomed(tmp_path) as (app, pilot):
        await lamp_form(app, pilot)
        line = box(app, "rooms").line
        for _ in range(2):
            line.select_all()
            await pasted(pilot, line, "\x1b]52;c;eA\x07att\u202eic")
            assert line.value == "]52;c;eAattic"


async def test_a_wrong_option_is_told_by_the_configurations_own_checks(tmp_path):
    async with welcomed(tmp_path, size=(80, 40)) as (app, pilot):
        await lamp_form(app, pilot)
        box(app, "name").line.value = "two words"
        await pilot.press("ctrl+t")
        await until(pilot, lambda: box(app, "name").has_class("-wrong"))


async def test_a_trial_says_what_was_read_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(Lamp, "answer", [alert(1, source="lamp"), alert(2, source="lamp")])
    async with welcomed(tmp_path) as (app, pilot):
        await lamp_form(app, pilot)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "OK: read 2 incidents" in text_of(app))
        assert app.focused is app.screen.query_one("#save"), "the way on is one key"
    assert list(tmp_path.iterdir()) == []


async def test_a_trial_that_reads_nothing_does_not_sound_as_if_it_had(tmp_path):
    async with welcomed(tmp_path) as (app, pilot):
        await lamp_form(app, pilot)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "there is nothing to show now" in text_of(app))


async def test_a_refusal_is_told_with_the_way_on(tmp_path, monkeypatch):
    monkeypatch.setattr(Lamp, "answer", AuthError("401 who are you [/b] \x1b[31m?", status=401))
    async with welcomed(tmp_path) as (app, pilot):
        await lamp_form(app, pilot)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "FAILED: " in text_of(app))
        assert "who are you [/b]" in text_of(app) and "statusboard sources lamp" in text_of(app)


async def test_escape_stops_a_trial_and_only_then_leaves(tmp_path, monkeypatch):
    monkeypatch.setattr(Lamp, "answer", asyncio.Event())
    async with welcomed(tmp_path) as (app, pilot):
        await lamp_form(app, pilot)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "esc stops" in text_of(app))
        await pilot.press("escape")
        await until(pilot, lambda: "Stopped." in text_of(app))
        assert isinstance(app.screen, FormScreen)
        await pilot.press("escape")
        await on(pilot, WelcomeScreen)


async def test_what_was_typed_is_there_again_but_no_secret(tmp_path):
    async with welcomed(tmp_path) as (app, pilot):
        await lamp_form(app, pilot, rooms="hall, cellar")
        await pasted(pilot, box(app, "token").line, SECRET)
        await pilot.press("escape")
        await on(pilot, WelcomeScreen)
        assert SECRET not in repr(app.typed)
        app.set_up("lamp")
        await on(pilot, FormScreen)
        assert box(app, "rooms").line.value == "hall, cellar" and box(app, "token").line.value == ""


@pytest.mark.parametrize("size", [(60, 20), (80, 24)])
async def test_every_field_and_button_can_be_reached_by_keyboard_and_is_seen(tmp_path, size):
    async with welcomed(tmp_path, size=size) as (app, pilot):
        await lamp_form(app, pilot)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "nothing to show" in text_of(app))
        seen = []
        for _ in range(8):
            await pilot.press("down")
            await pilot.pause()
            focused = app.focused
            assert focused is not None
            seen.append(focused)
            region = app.screen.find_widget(focused).visible_region
            assert region.height >= 1, f"{focused} has the focus and is not seen"
        assert {*app.screen.query(Button), *(box.line for box in app.screen.query(FieldBox))} == set(seen)


# -- secrets


async def test_a_secret_is_never_shown_and_kept_only_with_consent(tmp_path):
    keyring = Memory()
    async with welcomed(tmp_path, keyring=keyring) as (app, pilot):
        await lamp_form(app, pilot)
        line = box(app, "token").line
        await pasted(pilot, line, SECRET)
        assert line.value == SECRET and SECRET not in text_of(app) and "hunter" not in text_of(app)
        line.select_all()
        await pilot.press("ctrl+x")
        assert app.clipboard == "" and line.value == SECRET
        line.action_copy()
        assert app.clipboard == ""

        await pilot.press("ctrl+s")
        await on(pilot, KeepScreen)
        assert "keyring:lamp" in text_of(app) and SECRET not in text_of(app)
        await pilot.press("escape")
        await on(pilot, FormScreen)
        await pilot.pause()
        assert keyring.kept == {} and isinstance(app.screen, FormScreen), "nothing goes on without consent"

        await pilot.press("ctrl+s")
        await on(pilot, KeepScreen)
        await pilot.press("y")
        await on(pilot, SaveScreen)
        assert keyring.kept == {"lamp": SECRET}
        assert line.value == "keyring:lamp" and not line.password
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.return_value is not None)
    text = app.beginning.target.read_text()
    assert "keyring:lamp" in text and SECRET not in text


async def test_a_server_is_tried_with_the_secret_that_was_typed(tmp_path):
    """The demo's GitHub answers over HTTP, and only to its token."""
    keyring = Memory()
    async with await demo.start(folder=tmp_path / "vendors", story=False) as vendors:
        repository = yaml.safe_load(vendors.config_yaml)["sources"][0]["repos"][0]
        token = (tmp_path / "vendors" / "token").read_text().strip()
        async with welcomed(tmp_path, keyring=keyring, known=Registry.installed()) as (app, pilot):
            app.set_up("github")
            await on(pilot, FormScreen)
            box(app, "url").line.value = vendors.urls["github"]
            box(app, "repos").line.value = repository
            await pasted(pilot, box(app, "token").line, "wrong" + token)
            await pilot.press("ctrl+t")
            await on(pilot, KeepScreen)
            await pilot.press("y")
            await until(pilot, lambda: "FAILED: " in text_of(app))
            assert "keyring:github" in " ".join(text_of(app).split())
            line = box(app, "token").line
            line.select_all()
            await pasted(pilot, line, token)
            await pilot.press("ctrl+t")
            await on(pilot, KeepScreen)
            await pilot.press("y")
            await until(pilot, lambda: "OK: read " in text_of(app))
            assert token not in text_of(app)
    assert keyring.kept == {"github": token}


async def test_where_no_secret_can_be_kept_it_says_what_to_do(tmp_path):
    keyring = Memory()
    async with welcomed(tmp_path, keyring=keyring, no_keyring="no keyring runs here", size=(60, 20)) as (app, pilot):
        await lamp_form(app, pilot)
        await pasted(pilot, box(app, "token").line, SECRET)
        await pilot.press("ctrl+t")
        await on(pilot, KeepScreen)
        shown = " ".join(text_of(app).split())
        assert "no keyring runs here" in shown and "export LAMP_TOKEN=" in shown and "env:LAMP_TOKEN" in shown
        await pilot.press("y")
        await on(pilot, FormScreen)
    assert keyring.kept == {}


@pytest.mark.parametrize("answer", ["ghp_x", "e", "env", "keyring", "http://x", " ghp", "\u202eenv:X"])
def test_what_is_no_reference_is_hidden(answer):
    assert is_hidden(answer)


@pytest.mark.parametrize("answer", ["", "env:X", "keyring:github", "file:~/x", "env:"])
def test_a_reference_is_shown(answer):
    assert not is_hidden(answer)


async def test_a_secret_line_hides_at_once(tmp_path):
    async with welcomed(tmp_path) as (app, pilot):
        await lamp_form(app, pilot)
        line = box(app, "token").line
        line.value = "env:X"
        assert str(line._value) == "env:X"
        line.value = SECRET  # nothing is drawn between these two lines
        assert str(line._value) == "\N{BULLET}" * len(SECRET)


# -- saving


async def test_it_is_shown_written_for_its_owner_only_and_opened(tmp_path):
    async with welcomed(tmp_path) as (app, pilot):
        await lamp_form(app, pilot)
        await pilot.press("ctrl+s")
        await on(pilot, SaveScreen)
        shown = text_of(app)
        assert "new/config.yaml" in shown.replace("\n", "").replace(" ", "") and "not read in full yet" in shown
        assert "title: Status" in shown
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.return_value is not None)
    written = tmp_path / "new" / "config.yaml"
    assert app.return_value == written
    assert written.stat().st_mode & 0o777 == 0o600 and written.parent.stat().st_mode & 0o777 == 0o700
    config = check_text(written.read_text(), KNOWN)
    assert config.sources[0].options == LampOptions(
        type="lamp", name="lamp", rooms=("hall",), interval=config.sources[0].options.interval
    )


async def test_another_file_is_not_overwritten(tmp_path):
    target = tmp_path / "config.yaml"
    async with welcomed(tmp_path, target=target) as (app, pilot):
        await lamp_form(app, pilot)
        await pilot.press("ctrl+s")
        await on(pilot, SaveScreen)
        target.write_text("mine")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "is not overwritten" in " ".join(text_of(app).split()))
        assert isinstance(app.screen, SaveScreen)
    assert target.read_text() == "mine" and [*tmp_path.iterdir()] == [target]


async def test_what_cannot_be_written_is_told_with_the_place(tmp_path):
    (tmp_path / "file").write_text("")
    async with welcomed(tmp_path, target=tmp_path / "file" / "config.yaml", made=False, size=(120, 30)) as (app, pilot):
        await lamp_form(app, pilot)
        await pilot.press("ctrl+s")
        await on(pilot, SaveScreen)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "cannot be written: Not a directory" in " ".join(text_of(app).split()))


async def test_several_sources_are_written_into_one_file(tmp_path):
    async with welcomed(tmp_path) as (app, pilot):
        await lamp_form(app, pilot)
        await pilot.press("ctrl+s")
        await on(pilot, SaveScreen)
        await pilot.press("ctrl+n")
        await on(pilot, TypesScreen)
        assert "So far: lamp" in text_of(app)
        await pilot.press("l", "enter")
        await on(pilot, FormScreen)
        assert box(app, "name").line.value == "lamp-2"
        box(app, "rooms").line.value = "attic"
        await pilot.press("ctrl+s")
        await on(pilot, SaveScreen)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.return_value is not None)
    config = check_text(app.beginning.target.read_text(), KNOWN)
    assert [source.name for source in config.sources] == ["lamp", "lamp-2"]


def test_nothing_is_left_where_writing_fails(tmp_path, monkeypatch):
    text = "sources: [{type: other, name: x}]\n"

    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    write_new(tmp_path / "a.yaml", text, KNOWN, made=False)
    assert (tmp_path / "a.yaml").read_text() == text, "a file system without links will do"
    with pytest.raises(NotWritten, match="is not overwritten"):
        write_new(tmp_path / "a.yaml", text, KNOWN, made=False)
    (tmp_path / "a.yaml").unlink()
    assert list(tmp_path.iterdir()) == []


# -- the form without a screen


def form(tmp_path: Path, like: SourceDraft | None = None, **more: Any) -> Form:
    return Form(KNOWN, "lamp", Surroundings(), like=like, folder=tmp_path, **more)


def test_answers_become_a_draft(tmp_path):
    one = form(tmp_path, taken=["lamp"])
    assert [field.name for field in one.fields] == ["name", "rooms", "file", "token"]
    assert one.fields[0].value == "lamp-2" and one.fields[1].needed and one.fields[3].secret
    draft, complaints = one.draft(
        {"name": "x", "rooms": "hall, attic", "file": "lamps.txt", "token": "file:secrets/lamp"}
    )
    assert complaints == []
    assert draft == SourceDraft(
        type="lamp",
        name="x",
        options={
            "rooms": ["hall", "attic"],
            "file": str(tmp_path / "lamps.txt"),
            "token": f"file:{tmp_path / 'secrets/lamp'}",
        },
    )


@pytest.mark.parametrize(
    "answers, wrong",
    [
        ({"rooms": "hall"}, "name"),
        ({"name": "x"}, "rooms"),
        ({"name": "x", "rooms": "hall", "token": SECRET}, "token"),
        ({"name": "x", "rooms": "hall", "token": "env:not a name"}, "token"),
        ({"name": "two words", "rooms": "hall"}, "name"),
    ],
)
def test_wrong_answers_are_told_at_their_field(tmp_path, answers, wrong):
    draft, complaints = form(tmp_path).draft(answers)
    assert [complaint.field for complaint in complaints] == [wrong]
    assert SECRET not in repr((draft, complaints))


def test_what_was_found_stands_there_and_a_variable_only_if_it_is_set(tmp_path):
    seen = Surroundings(variables={"lamp": {"token": "LAMP_TOKEN"}})
    found = Form(KNOWN, "lamp", seen, like=FOUND, folder=tmp_path)
    assert {field.name: field.value for field in found.fields}["token"] == "env:LAMP_TOKEN"
    unset = form(tmp_path, like=FOUND)
    assert {field.name: field.value for field in unset.fields}["token"] == ""


# -- a trial in words


def finding(**more: Any) -> SourceFinding:
    values: dict[str, Any] = {
        "name": "gh",
        "type": "github",
        "url": "https://api.example",
        "verdict": "ok",
        "reachable": True,
        "error": "",
        "seconds": 0.84,
        "interval": 30.0,
        "credentials": (),
        "parts": (),
        "items": {"build": 12, "release": 1},
        "left_out": (),
        "budget": None,
        "requests": 4,
        "requests_per_hour": 480,
        "clock_offset": None,
        "beats": (),
        "missing_beats": (),
        **more,
    }
    return SourceFinding(**values)


def test_what_was_read_and_what_it_costs():
    assert told(finding()) == [
        ("OK: read 12 builds, 1 release in 0.8 s", "success"),
        ("4 requests; at most 480 an hour, every 30s", "muted"),
    ]


def test_what_was_read_in_part_names_the_parts_and_is_no_success():
    parts = [PartFinding(part=f"acme/{n}", kind="build", error=f"404 [/x] {n}") for n in range(7)]
    lines = told(finding(verdict="partial", parts=tuple(parts), hint="a right is missing", needs="Actions: read"))
    assert lines[0] == ("PARTIAL: read 12 builds, 1 release in 0.8 s, but not all", "warning")
    assert ("acme/0: 404 [/x] 0", "warning") in lines and ("and 2 more parts that were not read", "warning") in lines
    assert ("It may be: a right is missing", "") in lines and ("It needs: Actions: read", "") in lines
    assert not any(style == "success" for _, style in lines)


def test_a_failure_is_told_once_with_the_way_on():
    missing = CredentialFinding(option="token", reference="env:X", error="this environment variable is not set")
    lines = told(
        finding(
            verdict="failed",
            items={},
            error="env:X: this environment variable is not set",
            credentials=(missing,),
            reachable=None,
        )
    )
    assert [text for text, _ in lines] == [
        "FAILED: env:X: this environment variable is not set",
        "How to set it up: statusboard sources github",
    ]
    unreachable = told(finding(verdict="failed", items={}, error="no connection", reachable=False))
    assert any("Nothing answers there" in text for text, _ in unreachable)


def test_what_would_look_wrong_later_is_told_now():
    lines = told(finding(clock_offset=-120.0, left_out=("acme: no title",), missing_beats=("Watchdog",)))
    assert ("its clock is 120 s behind ours: ages will look wrong", "warning") in lines
    assert ("1 item left out: acme: no title", "warning") in lines
    assert ("heartbeat Watchdog is missing", "warning") in lines


@pytest.mark.parametrize("size", [(20, 5), (40, 10)])
async def test_in_a_terminal_of_a_few_lines_it_can_still_be_chosen(tmp_path, size):
    async with welcomed(tmp_path, size=size) as (app, pilot):
        assert "See the demo" in text_of(app) and "Set it up" in text_of(app)
        await pilot.press("enter")
        await pilot.pause()
    assert app.return_value == "demo"
