"""A second agent on the same gateway: it ends with a reason and a cure, and the first goes on as if nothing were."""

from pathlib import Path

import pytest

from agent.settings import Settings
from simulators.agent_process import AgentProcess, AgentTrouble
from tests.system.conftest import compound, everything_confirmed, gatehouse

UNIT = Path(__file__).parents[2] / "systemd/gatehouse.service"


def final_codes() -> set[int]:
    """The exit codes after which systemd leaves the service down."""
    (line,) = (line for line in UNIT.read_text().splitlines() if line.startswith("RestartPreventExitStatus="))
    return {int(code) for code in line.partition("=")[2].split()}


async def test_second_agent_ends_and_the_first_goes_on_undisturbed(settings: Settings, folder: Path) -> None:
    async with compound(settings, folder) as running:
        worker, log = await running.vision_pid(), running.agent.log()
        sockets = {path: path.stat().st_ino for path in (folder / "run").glob("*.sock")}
        said = await gatehouse("run", running.file)
        assert said.code == 1, said.err
        assert f"process {running.agent.pid}" in said.err
        assert "systemctl stop gatehouse" in said.err

        assert await running.vision_pid() == worker
        assert {path: path.stat().st_ino for path in (folder / "run").glob("*.sock")} == sockets
        assert all(device["state"] == "ok" for device in (await running.snapshot())["devices"].values())
        await running.walk_through("north-gate", "resident")
        await everything_confirmed(running)
        assert running.agent.log() == log  # no device, camera process or link was lost
        assert running.centre.proof().duplicates == 0


async def test_service_comes_up_by_itself_once_the_one_started_by_hand_has_ended(
    doors_only: Settings, folder: Path
) -> None:
    async with compound(doors_only, folder) as by_hand:
        service = AgentProcess(by_hand.file, folder / "service.log")
        for _ in range(2):
            with pytest.raises(AgentTrouble, match="ended with 1"):
                await service.start()
        assert 1 not in final_codes()
        await by_hand.walk_through("north-gate", "resident")
        assert await by_hand.agent.stop() == 0
        async with service:
            await by_hand.all_devices_up()
            await by_hand.walk_through("north-gate", "resident")
            await everything_confirmed(by_hand)
        await by_hand.agent.start()
