"""Everything a door can do, from the wire to the centre."""

from pathlib import Path

from agent.settings import load as load_settings
from drivers.base import SystemClock
from simulators.compound import SimCompound
from simulators.player import Player
from simulators.scenario import find, load

LOBBY = Path(__file__).parents[2] / "config" / "simulated-doors.toml"


async def test_the_scenario_of_the_doors_passes(folder: Path) -> None:
    scenario = load(find("doors"))
    async with SimCompound(load_settings(LOBBY), folder, SystemClock(), cards=scenario.cards) as running:
        outcome = await Player(running, scenario, SystemClock()).play()
    assert outcome.passed, (outcome.missing, outcome.failed)
    for secret in ("2580", "2589", "12345678"):
        assert secret not in running.agent.log_tail()
