"""A welcome screen to try: a source type of lamps, a keyring in memory, and the hands of somebody at the keyboard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from keyring.backend import KeyringBackend
from textual.events import Paste
from textual.pilot import Pilot

from statusboard.credentials import Keychain
from statusboard.model import Item, Part
from statusboard.registry import Registry
from statusboard.screens.welcome import Beginning, WelcomeApp, WelcomeScreen
from statusboard.screens.welcome_fields import FieldBox, Line
from statusboard.screens.welcome_form import FormScreen
from statusboard.setup.around import Around, Type
from statusboard.setup.detecting import Surroundings
from statusboard.setup.proposing import Proposal, SourceDraft
from statusboard.source import Http, Scope, Source, SourceOptions, option
from statusboard.themes import Look
from tests.app.stage import DARK, until

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
