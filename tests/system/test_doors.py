"""Everything a door can do, from the wire to the centre."""

from pathlib import Path

from agent.latches import Latches
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


async def test_a_fire_release_outlives_a_kill_and_ends_at_the_key(folder: Path) -> None:
    clock, settings = SystemClock(), load_settings(LOBBY)
    async with SimCompound(settings, folder, clock, cards={}) as running:
        running.set_point("gpio/fire", True)
        await running.lock_is("outer", unlocked=True)
        running.set_point("gpio/fire", False)
        kept = Latches(folder / "state" / "latches", clock)
        async with clock.timeout(5):
            while not all(kept.of(door.id).fire for door in settings.doors):
                await clock.sleep(0.01)
                kept = Latches(folder / "state" / "latches", clock)
        await running.agent.kill()
        await running.agent.start()
        await running.all_devices_up()
        doors = (await running.snapshot())["doors"]
        assert all(doors[door.id]["fire"] and doors[door.id]["unlocked"] for door in settings.doors)
        running.set_point("gpio/fire-key", True)
        for door in settings.doors:
            await running.lock_is(door.id, unlocked=False)
