"""Doors tell one another through the compound: an interlock holds whatever arrives in one go."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import pytest

from agent.compound import Compound
from agent.events import Event, Kind
from agent.rules.doors import DoorRule, Standing
from agent.settings import load
from drivers.base import Card, DeviceId, Emit, Output, PointId, Reading, Switch
from tests.agent.rules.door import KNOWN, NOON, SLOW, Answer, Cards, Noon, door
from tests.clock import ManualClock

PAIR = ("north", "south")
SIMULATED = Path(__file__).parents[2] / "config" / "simulated-doors.toml"


class Chip:
    """Knows which locks are on."""

    id = DeviceId("gpio")
    serves = frozenset({DeviceId("gpio"), DeviceId("reader-1"), DeviceId("reader-2")})

    def __init__(self) -> None:
        self.on: dict[str, bool] = {}

    async def run(self, emit: Emit) -> None:
        raise AssertionError("not run here")

    def apply(self, output: Output) -> None:
        if isinstance(output, Switch):
            self.on[output.point] = output.on


class Lobby:
    def __init__(self, clock: ManualClock, standing: Standing = Standing(), **changes: object) -> None:  # noqa: B008 - frozen
        self.clock, self.chip, self.events = clock, Chip(), list[Event]()
        rules = [
            DoorRule(
                door(
                    id=name,
                    lock=f"gpio/{name}",
                    contact=f"gpio/{name}-contact",
                    rex=f"gpio/{name}-rex",
                    interlock=partner,
                    **{"reader": f"reader-{number}", **changes},
                ),
                self,
                Noon(),
                lambda name: standing if name == "north" else Standing(),
            )
            for number, (name, partner) in enumerate((PAIR, PAIR[::-1]), start=1)
        ]
        self.compound = Compound(load(SIMULATED), rules, [self.chip], clock, record=self.events.append)
        self.broken = False

    def decide(self, card: Card, door: str, now_utc: datetime | None, no_clock: str) -> Answer:
        if self.broken:
            raise RuntimeError("the card list is broken")
        return Cards().decide(card, door, now_utc, no_clock)

    def check_pin(self, reference: str, digits: str) -> str:
        return "wrong"

    def read(self, device: str, point: str, value: bool | Card) -> None:
        self.compound.emit(Reading(DeviceId(device), PointId(point), value, self.clock.mono_s()))

    @property
    def unlocked(self) -> list[str]:
        return [name for name in PAIR if self.chip.on.get(name)]

    def kinds(self) -> list[tuple[Kind, str]]:
        return [(event.kind, event.subject) for event in self.events]


@asynccontextmanager
async def lobby(hour: int = 8, standing: Standing = Standing(), **changes: object) -> AsyncIterator[Lobby]:  # noqa: B008
    clock = ManualClock(utc=NOON.replace(hour=hour))
    made = Lobby(clock, standing, **changes)
    task = asyncio.create_task(made.compound.run())
    await clock.settle()
    yield made
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_two_cards_at_once_open_one_door() -> None:
    async with lobby() as here:
        here.read("reader-1", "card", KNOWN)
        here.read("reader-2", "card", SLOW)
        await here.clock.settle()
        assert here.unlocked == ["north"]
        assert here.kinds() == [(Kind.ACCESS_GRANTED, "north"), (Kind.ACCESS_DENIED, "south")]


async def test_a_request_to_exit_ends_what_a_card_was_granted_at_the_other_door() -> None:
    async with lobby() as here:
        here.read("reader-1", "card", KNOWN)
        await here.clock.settle()
        assert here.unlocked == ["north"]
        here.read("gpio", "south-rex", True)
        await here.clock.settle()
        assert here.unlocked == ["south"]


async def test_a_reader_that_serves_both_doors_opens_one() -> None:
    async with lobby(reader="reader-1") as here:
        here.read("reader-1", "card", KNOWN)
        await here.clock.settle()
        assert here.unlocked == ["north"]


async def test_a_schedule_of_both_doors_opens_one() -> None:
    async with lobby(free_access="noon") as here:
        await here.clock.advance(4 * 3600.0 + 1.0)
        assert here.unlocked == ["north"]


async def test_a_schedule_that_holds_at_the_start_opens_one() -> None:
    async with lobby(hour=12, free_access="noon") as here:
        assert here.unlocked == ["north"]
        await here.clock.advance(60.0)
        assert here.unlocked == ["north"]


async def test_a_door_released_since_before_the_start_counts_as_unlocked() -> None:
    async with lobby(standing=Standing(fire=True), fire="gpio/fire") as here:
        here.read("reader-2", "card", KNOWN)
        await here.clock.settle()
        assert here.unlocked == ["north"]
        assert here.events[-1].data["reason"] == "interlock"


async def test_a_rule_started_afresh_in_free_access_opens_one() -> None:
    async with lobby(hour=12, free_access="noon") as here:
        for reader, name in (("reader-1", "north"), ("reader-2", "south")):
            here.broken = True
            here.read(reader, "card", KNOWN)
            await here.clock.settle()
            assert here.events[-1].kind is Kind.RULE_FAULT
            here.broken = False
            await here.clock.advance(6.0)
            assert len(here.unlocked) == 1, name


async def test_the_partner_is_free_once_the_door_is_closed_and_locked() -> None:
    async with lobby() as here:
        here.read("gpio", "north-contact", False)
        here.read("reader-1", "card", KNOWN)
        here.read("gpio", "north-contact", True)
        await here.clock.advance(4.0)
        here.read("reader-2", "card", KNOWN)
        await here.clock.settle()
        assert here.unlocked == []
        here.read("gpio", "north-contact", False)
        here.read("reader-2", "card", KNOWN)
        await here.clock.settle()
        assert here.unlocked == ["south"]


async def test_a_rule_started_afresh_knows_what_its_partner_told() -> None:
    async with lobby() as here:
        here.read("gpio", "north-contact", True)
        await here.clock.settle()
        here.broken = True
        here.read("reader-2", "card", KNOWN)
        await here.clock.settle()
        assert here.kinds()[-1] == (Kind.RULE_FAULT, "south")
        here.broken = False
        await here.clock.advance(6.0)
        here.read("reader-2", "card", KNOWN)
        await here.clock.settle()
        assert here.events[-1].data["reason"] == "interlock"


async def test_what_doors_tell_is_shown_to_nobody() -> None:
    async with lobby(anti_passback_s=60.0, area="yard") as here:
        here.read("gpio", "north-contact", False)
        here.read("reader-1", "card", KNOWN)
        here.read("gpio", "north-contact", True)
        await here.clock.settle()
        snapshot: Mapping[str, object] = here.compound.snapshot()
        assert "aa11" not in repr(snapshot)
        assert "door:north" not in repr(snapshot["readings"])
