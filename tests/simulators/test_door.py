"""A simulated door moves as a real one does: lock, leaf, latch and contact hang together."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from simulators.door import PATIENCE_S, SimDoor
from tests.clock import ManualClock


@dataclass
class Frame:
    """The lock, and what the contact said when."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(0.0))
    unlocked: bool = False
    said: list[tuple[float, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.door = SimDoor("north", lambda: self.unlocked, self._contact, self.clock)

    def _contact(self, is_open: bool) -> None:
        self.said.append((self.clock.mono_s(), is_open))


@pytest.fixture
async def frame() -> AsyncIterator[Frame]:
    frame = Frame()
    async with frame.door:
        yield frame


async def test_a_locked_door_does_not_give(frame: Frame) -> None:
    frame.door.push()
    await frame.clock.advance(10.0)
    assert frame.said == []


async def test_an_unlocked_door_opens_lets_pass_and_falls_shut(frame: Frame) -> None:
    frame.unlocked = True
    frame.door.push()
    await frame.clock.advance(0.4)
    frame.unlocked = False
    await frame.clock.advance(5.0)
    assert [is_open for _, is_open in frame.said] == [True, False]
    (opened_s, _), (closed_s, _) = frame.said
    assert 0.05 < opened_s < 0.3
    assert 0.7 < closed_s - opened_s < 3.0


async def test_who_pulls_already_passes_as_soon_as_it_gives(frame: Frame) -> None:
    frame.door.push()
    await frame.clock.advance(PATIENCE_S / 2)
    assert not frame.door.open
    frame.unlocked = True
    await frame.clock.advance(0.3)
    assert frame.door.open


async def test_force_opens_a_locked_door_and_it_stays_open_until_let_go(frame: Frame) -> None:
    frame.door.hold_open()
    await frame.clock.advance(60.0)
    assert [is_open for _, is_open in frame.said] == [True]
    frame.door.let_go()
    await frame.clock.advance(5.0)
    assert not frame.door.open
    frame.door.push()
    await frame.clock.advance(5.0)
    assert not frame.door.open, "the latch has fallen in"


async def test_a_leaf_bounces_until_the_latch_holds_it(frame: Frame) -> None:
    frame.unlocked = True
    rests: list[float] = []
    for latches in (True, False):
        begun_s = frame.clock.mono_s()
        frame.door.push()
        await frame.clock.advance(1.0)
        frame.unlocked = not latches
        resting = asyncio.create_task(frame.door.wait_rest())
        while not resting.done():
            await frame.clock.advance(0.02)
        rests.append(frame.clock.mono_s() - begun_s)
        frame.unlocked = True
    assert not frame.door.open
    assert rests[1] > rests[0] + 0.1


async def test_a_leaf_let_go_half_way_turns_back(frame: Frame) -> None:
    frame.unlocked = True
    frame.door.push()
    await frame.clock.advance(0.2)
    frame.door.let_go()
    await frame.clock.advance(5.0)
    assert not frame.door.open
