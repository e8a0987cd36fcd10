"""What happens to readers and their cable, as the centre is told of it."""

from pathlib import Path

from agent.settings import Settings
from drivers.base import SystemClock
from simulators.compound import SimCompound
from simulators.player import Player
from simulators.scenario import find, load


async def test_the_scenario_of_troubled_readers_passes(doors_only: Settings, folder: Path) -> None:
    scenario = load(find("readers"))
    async with SimCompound(doors_only, folder, SystemClock(), cards=scenario.cards) as running:
        outcome = await Player(running, scenario, SystemClock()).play()
    assert outcome.passed, outcome
