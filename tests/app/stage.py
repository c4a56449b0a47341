"""The app with sources that say what a test tells them to, in a terminal that a test can read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from statusboard.app import BoardApp
from statusboard.clock import Clock
from statusboard.engine import Engine
from statusboard.ingest import Resolver
from statusboard.model import Item, ItemKind
from statusboard.noticing.options import NoticesOptions
from statusboard.poller import Budgeted
from statusboard.screens.board import BoardScreen
from statusboard.screens.settings import Settings
from statusboard.screens.views import BUILT_IN, arranged
from statusboard.source import Scope, Source, SourceOptions
from statusboard.store.base import Store
from statusboard.themes import Look
from statusboard.view import ViewSpec
from tests.scripted import NoClient, Scripted

DARK = Look("dark", ascii_only=False, no_color=False)


class Told:
    """A configured source; ``items`` is what the next poll reads, an exception what it raises."""

    def __init__(self, name: str, kind: ItemKind, items: list[Item] | Exception, *, optional: bool = False) -> None:
        self.name = name
        self.kind = kind
        self.items = items
        self.type = "scripted"
        self.identity = "1"
        self.interval = 60.0
        self.optional = optional
        self.resolver: Resolver = lambda item: item

    async def build(self, clock: Clock, store: Store) -> tuple[Source[SourceOptions], Budgeted]:
        scope = Scope(name=self.kind, kind=self.kind, reach="complete")
        source = Scripted(self.name, [scope], {self.kind: self._answer}, clock)
        return source, NoClient()

    def _answer(self) -> Any:
        return self.items


@asynccontextmanager
async def board(
    *sources: Told,
    size: tuple[int, int] = (120, 40),
    look: Look = DARK,
    keys: Mapping[str, str] | None = None,
    views: tuple[ViewSpec, ...] = (),
    title: str = "Payments",
    app_type: type[BoardApp] = BoardApp,
    clock: Clock | None = None,
    views_file: Path | None = None,
    notices: NoticesOptions | None = None,
    store_path: Path | None = None,
    visits_file: Path | None = None,
) -> AsyncIterator[tuple[BoardApp, Pilot[None]]]:
    """A running board of these sources, read once; it ends with the block."""
    engine = Engine(sources, store_path=store_path, clock=clock)
    settings = Settings(
        title=title,
        timezone="UTC",
        keys=dict(keys or {}),
        views=arranged(BUILT_IN, views),
        given=arranged(BUILT_IN, views),
        views_file=views_file,
        visits_file=visits_file,
        reads={source.name: (source.kind,) for source in sources},
        notices=notices or NoticesOptions(),
    )
    app = app_type(lambda: (settings, engine), look=look, title=title)
    try:
        async with app.run_test(size=size, notifications=True) as pilot:
            await until(pilot, lambda: isinstance(app.screen, BoardScreen))
            await until(pilot, engine.ready.is_set)
            await until(pilot, lambda: all(engine.board.state_of(s.name) != "starting" for s in sources))
            await settled(app, pilot)
            yield app, pilot
    finally:
        await app.close()


async def until(pilot: Pilot[Any], condition: Callable[[], object]) -> None:
    """Let the app run until this holds; AssertionError after some seconds."""
    for _ in range(500):
        if condition():
            return
        await pilot.pause(0.01)
    raise AssertionError("this never came true, the screen shows:\n" + text_of(pilot.app))


async def settled(app: BoardApp, pilot: Pilot[None]) -> None:
    """Until what the engine said is on the screen."""
    await until(pilot, lambda: screen_of(app).settled and not app._changed and not app._due)
    await pilot.pause()


async def show(app: BoardApp, pilot: Pilot[None], name: str) -> None:
    """Show the view of this name, whatever its number is."""
    assert app.live is not None
    screen_of(app).choose_view([view.name for view in app.live.settings.views].index(name))
    await settled(app, pilot)


async def poll(app: BoardApp, pilot: Pilot[None]) -> None:
    """Have all sources read, and what they say shown."""
    assert app.live is not None
    engine = app.live.engine
    before = {name: status.last_attempt for name, status in engine.statuses.items()}
    await engine.refresh()
    await until(pilot, lambda: all(engine.statuses[name].last_attempt != at for name, at in before.items()))
    assert engine.ingest is not None
    await engine.settled(engine.ingest.mark)
    await settled(app, pilot)


def screen_of(app: BoardApp) -> BoardScreen:
    """The board's own screen, whatever is on top of it."""
    return next(screen for screen in app.screen_stack if isinstance(screen, BoardScreen))


def text_of(app: Any) -> str:
    """What the terminal shows, line by line."""
    width, height = app.size
    lines = app.screen._compositor.render_strips()
    return "\n".join(strip.text.ljust(width) for strip in lines[:height])


def line_with(app: Any, words: str) -> str:
    """The first line that holds these words; AssertionError without one."""
    for line in text_of(app).splitlines():
        if words in line:
            return line
    raise AssertionError(f"{words!r} is not on the screen:\n{text_of(app)}")
