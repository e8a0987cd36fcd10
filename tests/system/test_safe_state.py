"""What a killed and a stopped agent leave behind: each lock held or released as declared, within the stated bound.

The test plays systemd's part, with the times of the unit that is installed: a missing sign of life is answered by
SIGABRT, SIGKILL and then ExecStopPost; an end of any kind by ExecStopPost.
"""

import asyncio
import signal
from pathlib import Path

import pytest

from agent.settings import Door, FailMode, Settings
from drivers.base import SystemClock
from drivers.gpio import Active, GpioChip, GpioOutput
from simulators.agent_process import AgentProcess
from simulators.compound import SimCompound
from tests.system.conftest import RESIDENT, gatehouse

UNIT = Path(__file__).parents[2] / "systemd" / "gatehouse.service"
CLOCK = SystemClock()
POST_S = 3.0
"""What ExecStopPost may take; systemd/README.md states the same."""
NORTH, SOUTH = 5, 6


def of_unit(key: str) -> str:
    """Value of a key that stands once in the unit."""
    (found,) = [line.partition("=")[2] for line in UNIT.read_text().splitlines() if line.startswith(f"{key}=")]
    return found


WATCHDOG_S, ABORT_S = float(of_unit("WatchdogSec")), float(of_unit("TimeoutAbortSec"))


class Service(AgentProcess):
    """The agent in systemd's hands."""

    def __init__(self, settings: Path, log: Path) -> None:
        super().__init__(settings, log)
        self.file = settings
        self.ended_by: list[str] = []

    async def until_stopped(self) -> None:
        """Watch it until it ends or gives no sign of life, end it, and run ExecStopPost."""
        assert self._child is not None
        dying = asyncio.create_task(self._child.wait(), name="service")
        watching = asyncio.create_task(self._missing_sign_of_life(), name="watchdog")
        await asyncio.wait({dying, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not dying.done():
            self.ended_by.append("watchdog")
            self.send(signal.SIGABRT)
            await asyncio.wait({dying}, timeout=ABORT_S)
        watching.cancel()
        await self.kill()
        await dying
        said = await gatehouse("safe-outputs", self.file)
        assert said.code == 0, said.err
        self.ended_by.append("ExecStopPost")

    async def _missing_sign_of_life(self) -> None:
        loop, notices = asyncio.get_running_loop(), self._notices
        assert notices is not None
        while True:
            try:
                async with asyncio.timeout(WATCHDOG_S):
                    while b"WATCHDOG=1" not in await loop.sock_recv(notices, 4096):
                        pass
            except TimeoutError:
                return


async def post_s(file: Path) -> float:
    """What ExecStopPost may take here: the stated time, unless this machine is too busy to run it twice in that.

    While the agent holds the lines the program is refused them, and leaves them alone.
    """
    begun = CLOCK.mono_s()
    refused = await gatehouse("safe-outputs", file)
    assert refused.code == 1
    return max(POST_S, 2 * (CLOCK.mono_s() - begun))


@pytest.fixture
def settings_of_both(doors_only: Settings) -> Settings:
    """North: a strike, held while no agent runs. South: a magnet whose relay, energised, holds it: then released."""
    north = GpioOutput(id="north-lock", line=NORTH)
    south = GpioOutput(id="south-lock", line=SOUTH, active=Active.LOW, safe=True)
    given = {north.id: north, south.id: south}
    devices = tuple(
        device.model_copy(update={"outputs": tuple(given.get(output.id, output) for output in device.outputs)})
        if isinstance(device, GpioChip)
        else device
        for device in doors_only.devices
    )
    fails = {"north-gate": FailMode.SECURE, "south-gate": FailMode.SAFE}
    doors: tuple[Door, ...] = tuple(d.model_copy(update={"fail": fails[d.id]}) for d in doors_only.doors)
    return doors_only.model_copy(update={"devices": devices, "doors": doors})


@pytest.mark.parametrize(
    ("how", "until_post_s", "course"),
    [
        (signal.SIGKILL, 0.0, ["ExecStopPost"]),
        (signal.SIGSTOP, WATCHDOG_S + ABORT_S, ["watchdog", "ExecStopPost"]),
    ],
    ids=["killed", "stopped"],
)
async def test_every_lock_is_held_or_released_as_declared(
    settings_of_both: Settings,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: signal.Signals,
    until_post_s: float,
    course: list[str],
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", str(int(WATCHDOG_S * 1e6)))
    running = SimCompound(settings_of_both, folder, CLOCK, cards={"resident": RESIDENT})
    service = running.agent = Service(running.file, folder / "agent.log")
    async with running:
        lines = running.gpio["gpio"]
        await running.lock_is("south-gate", unlocked=False)
        running.present_card("reader-north", "resident")
        await running.lock_is("north-gate", unlocked=True)
        assert (lines.level(NORTH), lines.level(SOUTH)) == (True, True)

        bound_s = until_post_s + await post_s(running.file)
        begun = CLOCK.mono_s()
        service.send(how)
        supervised = asyncio.create_task(service.until_stopped(), name="systemd")
        async with CLOCK.timeout(bound_s):
            await lines.wait_level(NORTH, level=False)
            await lines.wait_level(SOUTH, level=False)
        assert CLOCK.mono_s() - begun <= bound_s
        await supervised
        assert service.ended_by == course
        assert (lines.level(NORTH), lines.level(SOUTH)) == (False, False)  # held, released; relays at rest

        await service.start()
        await running.all_devices_up()
        await running.lock_is("south-gate", unlocked=False)
        assert lines.level(NORTH) is False


def test_the_unit_keeps_the_stated_bound() -> None:
    assert WATCHDOG_S + ABORT_S + POST_S == 15.0
    assert of_unit("ExecStopPost").split()[1:] == ["safe-outputs", "/etc/gatehouse/compound.toml"]
    assert float(of_unit("TimeoutStopSec")) >= POST_S
    readme = (UNIT.parent / "README.md").read_text()
    assert "within 15 s" in readme
    assert "within 3 s" in readme
