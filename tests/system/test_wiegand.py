"""A door with a Wiegand reader and its keypad, from the pulses to the centre."""

from pathlib import Path

from agent.credentials.numbers import card_of
from agent.settings import PinMode, Settings, WiegandBus
from drivers.base import SystemClock
from simulators.compound import SimCompound
from simulators.player import Player
from simulators.scenario import Scenario, ScenarioCard

CARD = card_of("188,24910", 26)
READER = {"id": "reader-yard", "data0": 14, "data1": 15, "formats": ["wiegand-26", "keys-4"], "led": {"line": 20}}
STEPS: list[dict[str, object]] = [
    {"do": "reader-noise", "reader": "reader-yard"},
    {
        "do": "present-card",
        "reader": "reader-yard",
        "card": "stranger",
        "expect": [{"kind": "access.denied", "subject": "north-gate", "data": {"reason": "unknown_card"}}],
    },
    {
        "do": "present-card",
        "reader": "reader-yard",
        "card": "resident",
        "expect": [],
    },
    {
        "do": "press",
        "reader": "reader-yard",
        "keys": "1234#",
        "expect": [{"kind": "access.granted", "subject": "north-gate"}],
    },
    {
        "do": "unplug",
        "device": "wiegand-1",
        "expect": [{"kind": "device.fault", "subject": "reader-yard"}],
    },
    {
        "do": "plug",
        "device": "wiegand-1",
        "expect": [{"kind": "device.restored", "subject": "reader-yard"}],
    },
]


async def test_cards_and_keys_open_a_door_and_noise_does_not(doors_only: Settings, folder: Path) -> None:
    bus = WiegandBus.model_validate({"driver": "wiegand", "id": "wiegand-1", "chip": "simulated", "readers": [READER]})
    doors = tuple(
        door.model_copy(update={"reader": "reader-yard", "pin": PinMode.CARD_AND_PIN})
        if door.id == "north-gate"
        else door
        for door in doors_only.doors
    )
    settings = doors_only.model_copy(update={"devices": (*doors_only.devices, bus), "doors": doors})
    cards = {
        "resident": ScenarioCard(bits=26, number=CARD.number, doors=("north-gate",), pin="1234"),
        "stranger": ScenarioCard(bits=26, number=card_of("1", 26).number),
    }
    scenario = Scenario.model_validate({"title": {"zh": "韦根", "en": "Wiegand"}, "cards": cards, "steps": STEPS})
    async with SimCompound(settings, folder, SystemClock(), cards=cards) as running:
        outcome = await Player(running, scenario, SystemClock()).play()
        readings = (await running.snapshot())["readings"]
    assert outcome.passed, (outcome.missing, outcome.failed)
    assert readings["reader-yard/rejected"]["value"] == 1
    assert "reader-yard/card" not in readings
    for secret in (str(CARD.number), "12345678"):
        assert secret not in running.agent.log()
