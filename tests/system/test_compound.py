"""The agent as a process in a whole compound, judged at the centre."""

import asyncio
from pathlib import Path

from agent.settings import Settings
from drivers.base import SystemClock
from simulators.compound import SimCompound
from simulators.player import Player
from simulators.scenario import find, load
from tests.system.conftest import compound, play


async def test_the_demo_s_scenario_passes(settings: Settings, folder: Path) -> None:
    scenario = load(find("demo"))
    async with SimCompound(settings, folder, SystemClock(), cards=scenario.cards) as running:
        outcome = await Player(running, scenario, SystemClock()).play()
    assert outcome.passed, (outcome.missing, outcome.failed)


async def test_killed_agent_comes_back_with_every_event(doors_only: Settings, folder: Path) -> None:
    async with compound(doors_only, folder) as running:
        outcome = await play(
            running,
            [
                {"do": "cut-network"},
                {"do": "set", "point": "stairwell-1/smoke", "value": True, "after_s": 0.5},
                {"do": "walk-through", "door": "north-gate", "card": "resident"},
                {"do": "kill-agent", "after_s": 0.5},
                {
                    "do": "mend-network",
                    "expect": [
                        {"kind": "smoke", "subject": "stairwell-1-smoke"},
                        {"kind": "access.granted", "subject": "north-gate"},
                    ],
                },
            ],
        )
        assert outcome.passed, (outcome.missing, outcome.failed)


async def test_sigterm_ends_in_order_with_outputs_safe(doors_only: Settings, folder: Path) -> None:
    async with compound(doors_only, folder) as running:
        await running.centre.wait_for(lambda event: event.kind == "agent.started", timeout_s=30)
        running.present_card("reader-north", "resident")
        await running.lock_is("north-gate", unlocked=True)
        begun = SystemClock().mono_s()
        assert await running.agent.stop() == 0
        assert SystemClock().mono_s() - begun < 4
        await running.lock_is("north-gate", unlocked=False)
        await running.centre.wait_for(lambda event: event.kind == "agent.stopped", timeout_s=10)
        await running.agent.start()


async def test_doors_work_while_the_centre_is_gone(doors_only: Settings, folder: Path) -> None:
    async with compound(doors_only, folder) as running:
        outcome = await play(
            running,
            [
                {"do": "stop-broker"},
                {"do": "walk-through", "door": "north-gate", "card": "resident"},
                {"do": "request-exit", "door": "south-gate"},
                {
                    "do": "start-broker",
                    "expect": [
                        {"kind": "access.granted", "subject": "north-gate"},
                        {"kind": "door.egress", "subject": "south-gate"},
                    ],
                },
            ],
        )
        assert outcome.passed, (outcome.missing, outcome.failed)


async def test_doors_work_while_the_camera_process_is_killed(settings: Settings, folder: Path) -> None:
    async with compound(settings, folder) as running:
        steps: list[dict[str, object]] = [
            {"do": "kill-vision", "expect": [{"kind": "device.fault", "subject": "cam-lane"}]},
            {
                "do": "walk-through",
                "door": "north-gate",
                "card": "resident",
                "expect": [{"kind": "device.restored", "subject": "cam-lane"}],
            },
        ]
        # The worker has to be up before it can be killed.
        await running.centre.wait_for(lambda event: event.kind == "agent.started", timeout_s=20)
        outcome = await play(running, steps)
        assert outcome.passed, (outcome.missing, outcome.failed)
        await asyncio.wait_for(running.lock_is("north-gate", unlocked=False), 10)
