"""A relay in an OSDP reader is a lock like any other: rules, panel and libosdp's reader together."""

import asyncio
import secrets
from pathlib import Path

from agent.compound import Compound
from agent.events import Event, Kind
from agent.rules.doors import DoorRule
from agent.settings import load
from drivers.base import Report
from drivers.osdp.cp import OsdpControlPanel
from simulators.osdp_pd import Seen
from tests.agent.rules.door import KNOWN, Cards, Noon, door
from tests.agent.test_compound_doors import SIMULATED
from tests.drivers.test_osdp_cp import CLOCK, NORTH, House

OFF, TIMED = 1, 5


async def test_a_card_moves_a_relay_in_a_reader_for_its_time_and_it_is_off_at_the_end(tmp_path: Path) -> None:
    made, events = House(tmp_path, {NORTH: (0, secrets.token_bytes(16))}), list[Event]()
    wired = door(lock=f"{NORTH}/output-0", reader=NORTH, contact=None, rex=None, unlock_s=2.0, extended_s=2.0)
    panel = OsdpControlPanel(made.config, CLOCK)
    compound = Compound(load(SIMULATED), [DoorRule(wired, Cards(), Noon())], [panel], CLOCK, record=events.append)

    def emit(report: Report) -> None:
        made.emit(report)
        compound.emit(report)

    def moved(control: int, after: int = 0) -> list[Seen]:
        return [s for s in made.sim.cues[after:] if s.what == "output" and s.values["control_code"] == control]

    async with made.sim:
        tasks = [asyncio.create_task(compound.run()), asyncio.create_task(panel.run(emit))]
        await made.online(NORTH)
        await made.sim.wait_seen(lambda _: bool(moved(OFF)))
        made.sim.present_card(NORTH, KNOWN)
        await made.sim.wait_seen(lambda _: bool(moved(TIMED)))
        [seen] = moved(TIMED)
        assert (seen.reader, seen.values["output_no"]) == (NORTH, 0)
        assert seen.values["timer_count"] == 20
        before = len(made.sim.cues)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    assert moved(OFF, before)
    assert [event.kind for event in events] == [Kind.ACCESS_GRANTED]
