"""Everything the rules on cameras promise, from the pixels and the card to the centre, with the real detector."""

from pathlib import Path

import pytest

from agent.settings import load as load_settings
from drivers.base import SystemClock
from simulators.compound import SimCompound
from simulators.player import Player
from simulators.scenario import find, load

YARD = Path(__file__).parents[2] / "config" / "simulated-cameras.toml"


@pytest.mark.timeout(600)
async def test_the_scenario_of_the_cameras_passes(folder: Path) -> None:
    scenario, clock = load(find("cameras")), SystemClock()
    running = SimCompound(load_settings(YARD), folder, clock, cards=scenario.cards, stages=scenario.stages)
    async with running:
        outcome = await Player(running, scenario, clock).play()
        told = running.centre.received
    assert outcome.passed, (outcome.missing, outcome.failed)
    # One passage, one alarm; infrared and darkness raised nothing.
    kinds = [event.kind.value for event in told]
    assert kinds.count("door.tailgating") == 1
    assert {kind for kind in kinds if kind.startswith("camera.") and "restored" not in kind} == {
        "camera.covered",
        "camera.turned",
        "camera.frozen",
    }
