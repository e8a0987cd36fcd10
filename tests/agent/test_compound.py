"""Inputs meet rules: actions before events, timers, failing rules and devices, overflow, snapshot."""

import asyncio
import json
import statistics
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from agent.compound import BATCH, QUEUE, RESTART_S, WELL_AFTER_S, Compound
from agent.credentials import CardList, Cards, Credential, card_digest
from agent.events import Event, JsonValue, Kind
from agent.observations import Box, Label, Observation, Track
from agent.rules import build_rules
from agent.rules.doors import Standing
from agent.rules.step import AnyRule, Group, Input, Moment, Order, Step, Tick, Verb
from agent.settings import Settings
from drivers.base import (
    Card,
    Clock,
    ClockTrust,
    Cue,
    DeviceFault,
    DeviceId,
    DeviceState,
    Emit,
    Output,
    PointId,
    PointRef,
    Reading,
    Signal,
    Status,
    Switch,
    SystemClock,
    Value,
)
from tests.clock import ManualClock

KEY = b"k" * 32
CARD = Card(26, 4711)
CARDS = Cards(CardList.of(KEY, (Credential(card_digest(KEY, CARD), "3-2-502"),)))
GPIO, READER = DeviceId("gpio"), DeviceId("reader-1")
LOCK = Switch(GPIO, PointId("lock"), on=False)
UNLOCK = Switch(GPIO, PointId("lock"), on=True, for_s=3.0)
NAME = {"zh": "北门", "en": "North"}

SETTINGS = Settings.model_validate(
    {
        "gateway": {
            "id": "gh-test1",
            "city": "610200",
            "county": "610202",
            "street": "610202001",
            "community": "610202001001",
            "name": NAME,
        },
        "devices": [
            {"driver": "osdp", "id": "osdp-1", "port": "/dev/null", "readers": [
                {"id": "reader-1", "address": 0, "secure_channel": "off"}]},
            {"driver": "modbus", "id": "modbus-1", "port": "/dev/null", "units": [
                {"id": "pump", "unit": 1, "points": [{"id": "t", "register": "input", "address": 0}]}]},
            {"driver": "gpio", "id": "gpio", "chip": "chip", "inputs": [
                {"id": "contact", "line": 1}, {"id": "rex", "line": 2}, {"id": "smoke", "line": 3}],
             "outputs": [{"id": "lock", "line": 4}]},
        ],
        "doors": [{"id": "north", "name": NAME, "reader": "reader-1", "lock": "gpio/lock",
                   "contact": "gpio/contact", "rex": "gpio/rex", "unlock_s": 3, "held_s": 8}],
        "sensors": [{"id": "smoke-1", "name": NAME, "point": "gpio/smoke", "kind": "smoke"}],
        "cameras": [{"id": "cam", "name": NAME, "source": "file:x.mp4", "picture": {"width": 640, "height": 480},
                     "purpose": "p", "owner": "o", "sign": "s",
                     "zones": [{"id": "lane", "name": NAME, "at_least_s": 0,
                                "polygon": [[0, 0], [640, 0], [640, 480], [0, 480]]}]}],
        "centre": {"broker": "mqtt://127.0.0.1:1883"},
        "storage": {"telemetry_every_s": 10},
    }
)  # fmt: skip


@dataclass
class FakeDevice:
    """Takes outputs, or refuses them as told."""

    id: DeviceId
    trace: list[object]
    refuses: Exception | None = None
    applied: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def serves(self) -> frozenset[DeviceId]:
        return frozenset({self.id, READER}) if self.id == "osdp-1" else frozenset({self.id})

    async def run(self, emit: Emit) -> None:
        raise AssertionError("not run here")

    def apply(self, output: Output) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.trace.append(output)
        self.applied.set()


class House:
    """A compound, its devices, and one list of everything it did, in order."""

    def __init__(
        self,
        clock: Clock,
        rules: Iterable[AnyRule] | None = None,
        extra: Iterable[AnyRule] = (),
        settings: Settings = SETTINGS,
    ) -> None:
        self.clock = clock
        self.trace: list[object] = []
        self.statuses: list[Status] = []
        self.readings: list[Reading] = []
        self.gpio = FakeDevice(GPIO, self.trace)
        self.osdp = FakeDevice(DeviceId("osdp-1"), self.trace)
        self.compound = Compound(
            settings,
            [*extra, *(build_rules(settings, CARDS, lambda _: Standing()) if rules is None else rules)],
            [self.gpio, self.osdp],
            clock,
            record=self.trace.append,
            on_status=self.statuses.append,
            on_reading=self.readings.append,
        )

    def read(self, ref: str, value: Value) -> None:
        device, point = ref.split("/")
        self.compound.emit(Reading(DeviceId(device), PointId(point), value, self.clock.mono_s()))

    def say(self, device: str, state: DeviceState, reason: str = "") -> None:
        self.compound.emit(Status(DeviceId(device), state, self.clock.mono_s(), reason))

    def take(self) -> list[object]:
        taken = [item.kind if isinstance(item, Event) else item for item in self.trace]
        self.trace.clear()
        return taken


@asynccontextmanager
async def running(house: House, clock: ManualClock) -> AsyncIterator[House]:
    task = asyncio.create_task(house.compound.run())
    await clock.settle()
    for device in ("gpio", "reader-1", "osdp-1"):
        house.say(device, DeviceState.OK)
    house.read("gpio/contact", False)
    house.read("gpio/rex", False)
    await clock.settle()
    house.take()
    yield house
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def house(clock: ManualClock) -> AsyncIterator[House]:
    async with running(House(clock), clock) as house:
        yield house


# ---------------------------------------------------------------- the flow


async def test_a_card_moves_lock_and_reader_before_it_is_recorded(house: House, clock: ManualClock) -> None:
    house.read("reader-1/card", CARD)
    await clock.settle()
    assert house.take() == [UNLOCK, Signal(READER, Cue.GRANTED), Kind.ACCESS_GRANTED]
    await clock.advance(3.0)
    assert house.take() == [LOCK]


async def test_a_stuck_journal_delays_no_door(clock: ManualClock) -> None:
    """`record` may do nothing but queue; were it stuck all the same, the lock has moved before."""
    house = House(clock)
    moved_before: list[bool] = []
    house.compound._record = lambda _: moved_before.append(UNLOCK in house.trace)
    async with running(house, clock):
        house.read("reader-1/card", CARD)
        await clock.settle()
        assert moved_before == [True]


async def test_orders_observations_sensors_and_devices_reach_their_rules(house: House, clock: ManualClock) -> None:
    house.compound.order(Order("north", Verb.UNLOCK, "guard"))
    await clock.settle()
    assert house.take() == [UNLOCK, Kind.ACCESS_GRANTED]
    with pytest.raises(KeyError):
        house.compound.order(Order("nowhere", Verb.UNLOCK, "guard"))
    box = Track(1, Label.PERSON, Box(1, 1, 9, 9), 0.9)
    house.compound.observe(Observation(DeviceId("cam"), clock.mono_s(), True, (box,)))
    house.read("gpio/smoke", True)
    house.say("reader-1", DeviceState.FAULT, "silent")
    house.say("reader-1", DeviceState.OK)
    await clock.settle()
    assert house.take() == [Kind.ZONE_PERSON, Kind.SMOKE, Kind.DEVICE_FAULT, Kind.DEVICE_RESTORED]


async def test_reports_before_the_start_are_not_lost(clock: ManualClock) -> None:
    house = House(clock)
    house.read("gpio/smoke", True)
    async with running(house, clock):
        assert house.compound.snapshot()["sensors"] == {"smoke-1": {"raised": True, "value": True}}


async def test_numbers_are_thinned_and_truth_values_kept_on_change(house: House, clock: ManualClock) -> None:
    house.readings.clear()
    for value in (20.0, 21.0, 22.0):
        house.read("pump/t", value)
        house.read("gpio/smoke", value > 20.5)
        house.read("reader-1/card", CARD)
        await clock.advance(5.0)
    assert [(r.point, r.value) for r in house.readings] == [
        ("t", 20.0), ("smoke", False), ("smoke", True), ("t", 22.0),
    ]  # fmt: skip


async def test_states_are_passed_on(house: House, clock: ManualClock) -> None:
    house.statuses.clear()
    house.say("pump", DeviceState.FAULT, "silent")
    await clock.settle()
    assert [(s.device, s.state, s.reason) for s in house.statuses] == [("pump", DeviceState.FAULT, "silent")]


async def test_the_snapshot_is_plain_and_knows_no_cards(house: House, clock: ManualClock) -> None:
    house.read("reader-1/card", CARD)
    house.read("pump/t", float("nan"))
    house.read("gpio/contact", True)
    await clock.advance(1.0)
    snapshot = house.compound.snapshot()
    text = json.dumps(snapshot, allow_nan=False)
    assert "4711" not in text
    assert "reader-1/card" not in text
    doors = snapshot["doors"]
    assert isinstance(doors, Mapping)
    assert isinstance(doors["north"], Mapping)
    said = {"unlocked": True, "why": "passage", "open": True, "forced": False, "held": False}
    assert said.items() <= doors["north"].items()
    devices, readings = snapshot["devices"], snapshot["readings"]
    assert isinstance(devices, Mapping)
    assert devices["gpio"] == {"state": "ok", "reason": "", "hint": "", "for_s": 1.0}
    assert isinstance(readings, Mapping)
    assert readings["gpio/contact"] == {"value": True, "quality": "good", "age_s": 1.0}
    assert snapshot["zones"] == {"cam/lane": {"raised": {}, "blind": "starting"}}
    assert snapshot["queue"] == {"waiting": 0, "dropped": 0}


async def test_after_the_end_nothing_moves_but_what_waits_is_recorded(clock: ManualClock) -> None:
    house = House(clock)
    async with running(house, clock):
        house.compound.stop_acting()
    house.read("reader-1/card", CARD)
    house.compound.drain()
    assert house.take() == [Kind.ACCESS_GRANTED]


async def test_an_order_that_comes_after_the_end_is_not_said_to_be_done(house: House, clock: ManualClock) -> None:
    house.compound.stop_acting()
    for verb in (Verb.UNLOCK, Verb.LOCKDOWN):
        house.compound.order(Order("north", verb, "command/a-1"))
        await clock.settle()
    assert house.take() == [Kind.LOCKDOWN, Kind.ORDER_DONE], "a lockdown holds after the restart"


# ---------------------------------------------------------------- refusing devices


async def test_a_refused_output_is_one_fault_and_no_failed_rule(house: House, clock: ManualClock) -> None:
    house.gpio.refuses = DeviceFault("gpio", "line is taken", hint="stop the other program")
    for _ in range(3):
        house.read("reader-1/card", CARD)
        await clock.settle()
    granted = [Signal(READER, Cue.GRANTED), Kind.ACCESS_GRANTED]
    assert house.take() == [*granted, Kind.DEVICE_FAULT, *granted, *granted]
    assert house.statuses[-1].reason == "line is taken"
    assert house.compound.snapshot()["rules_failed"] == []
    house.gpio.refuses = None
    house.read("reader-1/card", CARD)
    await clock.settle()
    assert house.take() == [UNLOCK, *granted, UNLOCK, Kind.DEVICE_RESTORED]


async def test_a_driver_bug_on_apply_faults_the_device_only(house: House, clock: ManualClock) -> None:
    house.gpio.refuses = ZeroDivisionError("oops")
    house.read("reader-1/card", CARD)
    await clock.settle()
    assert house.take() == [Signal(READER, Cue.GRANTED), Kind.ACCESS_GRANTED, Kind.DEVICE_FAULT]
    assert house.statuses[-1].reason == "bug: ZeroDivisionError: oops"


async def test_outputs_refused_before_the_device_is_up_are_no_fault(clock: ManualClock) -> None:
    house = House(clock)
    house.gpio.refuses = DeviceFault("gpio", "not open yet")
    task = asyncio.create_task(house.compound.run())
    await clock.settle()
    house.gpio.refuses = None
    house.say("gpio", DeviceState.OK)
    await clock.settle()
    assert house.take() == [LOCK]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# ---------------------------------------------------------------- failing rules


@dataclass(frozen=True)
class Touchy:
    """Counts its inputs and fails at a text; holds a lock of its own."""

    id: str = "touchy"
    group: Group = Group.DOOR
    points: frozenset[PointRef] = frozenset({PointRef("gpio/smoke"), PointRef("x/text")})
    devices: frozenset[DeviceId] = frozenset()
    cameras: frozenset[DeviceId] = frozenset()
    doors: frozenset[str] = frozenset()
    safe: tuple[Output, ...] = (Switch(GPIO, PointId("other"), on=False),)
    wake_in_s: float | None = None

    def start(self, now: Moment) -> Step[int]:
        return Step(0, wake_at=None if self.wake_in_s is None else now.mono_s + self.wake_in_s)

    def step(self, state: int, given: Input, now: Moment) -> Step[int]:
        if isinstance(given, Tick):
            return Step(state, (Event(Kind.TAMPER, self.id, now.mono_s),))
        if isinstance(given, Reading) and isinstance(given.value, str):
            raise ValueError(given.value)  # noqa: TRY004 - any bug will do
        return Step(state + 1)

    def describe(self, state: int) -> Mapping[str, JsonValue]:
        return {"seen": state}


async def test_a_rules_bug_fails_that_rule_alone_and_it_starts_afresh(clock: ManualClock) -> None:
    async with running(House(clock, extra=[Touchy()]), clock) as house:
        house.read("gpio/smoke", True)
        await clock.settle()
        house.take()
        house.read("x/text", "boom")
        await clock.settle()
        (fault,) = [item for item in house.trace if isinstance(item, Event)]
        assert (fault.subject, fault.data) == ("touchy", {"rule": "door", "reason": "bug: ValueError: boom"})
        assert house.take() == [*Touchy().safe, Kind.RULE_FAULT]
        assert house.compound.snapshot()["rules_failed"] == ["touchy"]

        house.read("gpio/smoke", False)
        house.read("reader-1/card", CARD)
        await clock.settle()
        assert house.take() == [Kind.SMOKE_RESTORED, UNLOCK, Signal(READER, Cue.GRANTED), Kind.ACCESS_GRANTED]
        assert house.compound.snapshot()["doors"]["touchy"] == {"failed": True}  # type: ignore[index,call-overload] # JSON of a known shape

        house.read("x/text", 1)
        await clock.advance(RESTART_S)
        assert house.compound.snapshot()["rules_failed"] == []
        assert house.compound.snapshot()["doors"]["touchy"] == {"seen": 2}  # type: ignore[index,call-overload] # JSON of a known shape


async def test_a_rule_that_fails_again_and_again_is_one_event(clock: ManualClock) -> None:
    async with running(House(clock, extra=[Touchy()]), clock) as house:
        house.read("x/text", "boom")
        await clock.advance(10 * RESTART_S)
        assert house.take().count(Kind.RULE_FAULT) == 1
        house.read("x/text", 0)
        await clock.advance(RESTART_S + WELL_AFTER_S)
        house.read("x/text", "boom")
        await clock.settle()
        assert house.take().count(Kind.RULE_FAULT) == 1


async def test_timers_ring_in_order_and_a_wish_taken_back_never(clock: ManualClock) -> None:
    rules = [Touchy(id="late", wake_in_s=3.0), Touchy(id="early", wake_in_s=1.0), Touchy(id="off", wake_in_s=2.0)]
    rules[2] = Touchy(id="off", wake_in_s=2.0, points=frozenset({PointRef("off/wish")}))
    async with running(House(clock, rules=rules), clock) as house:
        house.read("off/wish", True)
        await clock.advance(10.0)
        assert [item.subject for item in house.trace if isinstance(item, Event)] == ["early", "late"]


# ---------------------------------------------------------------- many inputs


async def test_a_flood_of_numbers_pushes_out_numbers_only(clock: ManualClock) -> None:
    house = House(clock)
    house.read("reader-1/card", CARD)
    for number in range(QUEUE + 100):
        house.read("pump/t", float(number))
    house.read("gpio/smoke", True)
    assert house.compound.snapshot()["queue"] == {"waiting": QUEUE, "dropped": 102}
    task = asyncio.create_task(house.compound.run())
    for _ in range(QUEUE // BATCH):
        await clock.settle()
    assert {Kind.ACCESS_GRANTED, Kind.SMOKE} <= set(house.take())
    assert house.readings[0].value == 102.0, "the oldest went"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_when_nothing_can_be_dropped_the_new_one_is(clock: ManualClock) -> None:
    house = House(clock)
    for number in range(QUEUE + 10):
        house.read("gpio/smoke", number % 2 == 0)
    assert house.compound.snapshot()["queue"] == {"waiting": QUEUE, "dropped": 10}
    house.read("pump/t", 1.0)
    assert house.compound.snapshot()["queue"] == {"waiting": QUEUE, "dropped": 11}


async def test_a_flood_lets_timers_and_other_tasks_have_their_turn(clock: ManualClock) -> None:
    async with running(House(clock), clock) as house:
        turns = 0

        async def neighbour() -> None:
            nonlocal turns
            while True:
                turns += 1
                await clock.sleep(0)

        task = asyncio.create_task(neighbour())
        for number in range(10 * BATCH):
            house.read("pump/t", float(number))
        await clock.settle()
        assert turns >= 10
        task.cancel()


async def test_from_card_to_lock_takes_less_than_a_millisecond() -> None:
    clock = SystemClock(ClockTrust.ALWAYS)
    house = House(clock)
    task = asyncio.create_task(house.compound.run())
    took_s: list[float] = []
    async with asyncio.timeout(20):
        for _ in range(300):
            house.osdp.applied.clear()
            begun_s = clock.mono_s()
            house.read("reader-1/card", CARD)
            await house.osdp.applied.wait()
            took_s.append(clock.mono_s() - begun_s)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert statistics.median(took_s) < 0.001
