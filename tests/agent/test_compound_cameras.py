"""Cameras, doors and sensors together in the compound: facts reach the rules, counts reach the record."""

from collections.abc import AsyncIterator

import pytest

from agent.events import Event, Kind
from agent.observations import Box, Flaw, Label, Observation, Track, View
from agent.settings import Settings
from drivers.base import DeviceId, DeviceState
from tests.agent.test_compound import CARD, NAME, SETTINGS, House, running
from tests.clock import ManualClock

CAMERA = DeviceId("cam")


def watched() -> Settings:
    table = SETTINGS.model_dump(by_alias=True)
    (camera,), (door,), (sensor,) = table["cameras"], table["doors"], table["sensors"]
    line = {"id": "gate-line", "name": NAME, "ends": [[320, 100], [320, 400]], "inside": [500, 240]}
    camera |= {"lines": [line], "zones": []}
    door |= {"camera": "cam", "tailgating": "gate-line"}
    fence = sensor | {"id": "fence", "point": "gpio/smoke", "kind": "perimeter", "camera": "cam", "verify_s": 5.0}
    return Settings.model_validate(table | {"sensors": [fence]})


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def gate(clock: ManualClock) -> AsyncIterator[House]:
    house = House(clock, settings=watched())
    async with running(house, clock):
        house.say("cam", DeviceState.OK)
        await clock.settle()
        house.take()
        yield house


async def look(house: House, clock: ManualClock, *people: float) -> None:
    await clock.advance(0.4)
    tracks = tuple(
        Track(number, Label.PERSON, Box(x - 20, 120 + 60 * number, x + 20, 200 + 60 * number), 0.8)
        for number, x in enumerate(people)
    )
    house.compound.observe(Observation(CAMERA, clock.mono_s(), looked=True, tracks=tracks))
    await clock.settle()


async def test_two_persons_on_one_card_are_tailgating_and_counted(gate: House, clock: ManualClock) -> None:
    gate.read("reader-1/card", CARD)
    gate.read("gpio/contact", False)
    gate.read("gpio/contact", True)
    for x in (250, 280, 310, 340, 370):
        await look(gate, clock, x, x + 10)
    events = [found for found in gate.trace if isinstance(found, Event)]
    assert events[-1].kind is Kind.TAILGATING
    assert events[-1].data["entered"] == 2
    counted = {reading.ref: reading.value for reading in gate.readings if reading.device == CAMERA}
    assert counted == {"cam/gate-line-in": 2, "cam/gate-line-out": 0}
    readings = gate.compound.snapshot()["readings"]
    assert "cam/gate-line-in" in str(readings)


async def test_a_perimeter_alarm_is_recorded_at_once_and_its_verdict_follows(gate: House, clock: ManualClock) -> None:
    gate.read("gpio/smoke", True)
    await clock.settle()
    assert gate.take() == [Kind.PERIMETER]
    await look(gate, clock, 100)
    assert gate.take() == [Kind.PERIMETER_VERIFIED]
    gate.read("gpio/smoke", False)
    await clock.advance(30)
    gate.take()
    gate.read("gpio/smoke", True)
    gate.say("cam", DeviceState.FAULT, "no pictures")
    await clock.advance(6)
    assert gate.take() == [Kind.PERIMETER, Kind.DEVICE_FAULT, Kind.PERIMETER_UNKNOWN]


async def test_a_camera_s_view_reaches_its_rule(gate: House, clock: ManualClock) -> None:
    gate.compound.observe(View(CAMERA, clock.mono_s(), 0.0, Flaw.COVERED))
    await clock.advance(11)
    assert gate.take() == [Kind.CAMERA_COVERED]
    views = gate.compound.snapshot()["views"]
    assert "covered" in str(views)
