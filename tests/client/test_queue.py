"""Whose turn it is: limits, fairness, and what a hanging request may cost."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusboard.client import OUTSIDE, PATIENCE, FairQueue
from statusboard.client._queue import Slot
from statusboard.clock import FakeClock
from tests.client.kit import turns


class Users:
    """Requests that end when the test says so."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self.started: list[str] = []
        self.slots: dict[str, Slot] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.ends: dict[str, asyncio.Event] = {}

    def ask(self, *names: str) -> None:
        for name in names:
            self.ends[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._one(name))

    async def _one(self, name: str) -> None:
        source, _, scope = name.partition("/")
        scope = scope.partition("#")[0]
        slot = self.queue.enter(source, scope) or await self.queue.wait(source, scope)
        self.slots[name] = slot
        self.started.append(name)
        try:
            await self.ends[name].wait()
        finally:
            self.queue.leave(slot)

    async def end(self, *names: str) -> None:
        for name in names:
            self.ends[name].set()
            await turns()

    async def cancel_all(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        self.queue.close()


async def test_so_many_at_once_and_no_more():
    users = Users(FairQueue(2, FakeClock()))
    users.ask("a/1", "a/2", "a/3")
    await turns()
    assert users.started == ["a/1", "a/2"]
    await users.end("a/1")
    assert users.started == ["a/1", "a/2", "a/3"]
    await users.cancel_all()
    assert users.queue.busy == 0


async def test_sources_take_turns_then_their_scopes():
    users = Users(FairQueue(1, FakeClock()))
    users.ask("a/x#1", "a/x#2", "a/x#3", "a/y#1", "b/x#1", "b/x#2")
    await turns()
    for _ in range(6):
        await users.end(users.started[-1])
    assert users.started == ["a/x#1", "a/x#2", "b/x#1", "a/y#1", "b/x#2", "a/x#3"]
    await users.cancel_all()


async def test_a_hanging_request_gives_its_slot_back():
    clock = FakeClock()
    users = Users(FairQueue(1, clock))
    users.ask("a/hangs", "a/1", "a/2")
    await turns()
    await clock.run_for(PATIENCE - 0.1)
    assert users.started == ["a/hangs"]
    await clock.run_for(0.2)
    assert users.started == ["a/hangs", "a/1"]
    assert (users.queue.busy, users.queue.outside) == (1, 1)
    await users.end("a/1")
    await users.end("a/2")
    await users.end("a/hangs")
    assert (users.queue.busy, users.queue.outside) == (0, 0)
    await users.cancel_all()


async def test_who_keeps_nobody_waiting_keeps_the_slot():
    clock = FakeClock()
    users = Users(FairQueue(1, clock))
    users.ask("a/slow")
    await turns()
    await clock.run_for(10 * PATIENCE)
    assert (users.queue.busy, users.queue.outside) == (1, 0)
    users.ask("a/1")
    await turns()
    assert (users.queue.busy, users.queue.outside) == (1, 1)
    await users.cancel_all()


async def test_a_scope_that_was_slow_comes_last_until_it_answers_in_time():
    clock = FakeClock()
    users = Users(FairQueue(1, clock))
    users.ask("a/hangs#1", "a/1#1")
    await clock.run_for(PATIENCE)
    await users.end("a/1#1", "a/hangs#1")
    users.ask("a/hangs#2", "a/1#2", "b/2#2")
    await turns()
    await users.end("a/1#2", "b/2#2", "a/hangs#2")
    assert users.started[2:] == ["a/1#2", "b/2#2", "a/hangs#2"]
    users.ask("a/hangs#3", "a/1#3")
    await turns()
    assert users.started[-1] == "a/hangs#3"
    await users.cancel_all()


async def test_a_slow_scope_is_not_passed_over_for_ever():
    clock = FakeClock()
    users = Users(FairQueue(1, clock))
    users.ask("a/hangs#1", "a/1#1")
    await clock.run_for(PATIENCE)
    users.ask("a/hangs#2", *(f"b/{n}" for n in range(300)))
    await turns()
    while "a/hangs#2" not in users.started:
        users.ends[users.started[-1]].set()
        await turns(5)
    assert len(users.started) < 150
    await users.cancel_all()


async def test_an_answer_that_began_gets_the_same_patience_again():
    clock = FakeClock()
    users = Users(FairQueue(1, clock))
    users.ask("a/1", "a/2")
    await clock.run_for(PATIENCE - 0.1)
    users.queue.heard(users.slots["a/1"])
    await clock.run_for(PATIENCE - 0.1)
    assert users.started == ["a/1"]
    await clock.run_for(0.2)
    assert users.started == ["a/1", "a/2"]
    await users.cancel_all()


async def test_only_so_many_hang_beside_the_queue():
    clock = FakeClock()
    users = Users(FairQueue(2, clock))
    names = [f"a/{n}" for n in range(20)]
    users.ask(*names)
    await clock.run_for(20 * PATIENCE)
    assert len(users.started) == 2 + OUTSIDE
    await users.end("a/0")
    await clock.run_for(20 * PATIENCE)
    assert len(users.started) == 3 + OUTSIDE
    await users.cancel_all()
    assert (users.queue.busy, users.queue.outside) == (0, 0)


async def test_a_cancelled_waiter_takes_no_slot():
    users = Users(FairQueue(1, FakeClock()))
    users.ask("a/1", "a/2", "a/3")
    await turns()
    users.tasks["a/2"].cancel()
    await users.end("a/1")
    assert users.started == ["a/1", "a/3"]
    await users.cancel_all()


async def test_a_waiter_cancelled_as_its_turn_comes_passes_it_on():
    queue = FairQueue(1, FakeClock())
    slot = queue.enter("a", "1")
    assert slot is not None
    second, third = (asyncio.create_task(queue.wait("a", scope)) for scope in "23")
    await turns()
    queue.leave(slot)  # the second has its slot now, and has not run since
    second.cancel()
    queue.leave(await third)
    assert second.cancelled()
    assert queue.busy == 0
    queue.close()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["ask", "end", "cancel", "wait"]), max_size=60), st.integers(1, 4))
def test_whatever_happens_no_slot_is_lost(steps: list[str], limit: int):
    async def run() -> None:
        clock = FakeClock()
        users = Users(FairQueue(limit, clock))
        for number, step in enumerate(steps):
            running = [name for name in users.started if not users.tasks[name].done()]
            if step == "ask":
                users.ask(f"{number % 3}/{number % 5}#{number}")
            elif step == "end" and running:
                users.ends[running[0]].set()
            elif step == "cancel" and users.tasks:
                list(users.tasks.values())[-1].cancel()
            elif step == "wait":
                await clock.run_for(PATIENCE)
            await turns(5)
            assert users.queue.busy <= limit
            assert users.queue.outside <= OUTSIDE
        while not all(task.done() for task in users.tasks.values()):
            for event in users.ends.values():
                event.set()
            await turns(5)
        assert (users.queue.busy, users.queue.outside) == (0, 0)
        users.queue.close()

    asyncio.run(run())


@pytest.mark.parametrize("limit", [1, 4])
async def test_one_hanging_among_fifty(limit: int):
    clock = FakeClock()
    users = Users(FairQueue(limit, clock))
    users.ask("gh/hangs", *(f"gh/{n}" for n in range(49)))
    await turns()
    while len(users.started) < 50:
        waiting = [name for name in users.started if name != "gh/hangs" and not users.tasks[name].done()]
        for name in waiting:
            users.ends[name].set()
        await turns(5)
        if not waiting:
            await clock.run_for(0.1)
    assert clock.monotonic() <= PATIENCE + 0.2
    await users.cancel_all()
