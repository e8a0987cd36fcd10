"""How the agent ends: in order, by force, and what it leaves behind."""

import signal
from pathlib import Path

from agent.events import Kind
from agent.settings import Settings
from drivers.base import SystemClock
from simulators.compound import SimCompound
from simulators.network import Line
from tests.system.conftest import about, compound, everything_confirmed, gatehouse, until

END_S = 4.0


def alive(pid: int) -> bool:
    """Whether the process runs; one that nobody has waited for yet has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def gone(pid: int, within_s: float) -> None:
    async def look() -> bool:
        return not alive(pid)

    await until(look, within_s)


async def unlock(running: SimCompound) -> None:
    running.present_card("reader-north", "resident")
    await running.lock_is("north-gate", unlocked=True)


async def ended_in_order(running: SimCompound, folder: Path) -> None:
    """SIGTERM: exit code 0 within 4 s, the door's lock safe, no child and no socket left."""
    clock = SystemClock()
    worker = (await running.snapshot())["vision"]["pid"]
    begun = clock.mono_s()
    assert await running.agent.stop() == 0
    assert clock.mono_s() - begun < END_S
    await running.lock_is("north-gate", unlocked=False)
    assert worker is None or not alive(worker)
    assert [path.name for path in (folder / "run").iterdir()] == ["agent.lock"]


async def test_sigterm_ends_in_order_whatever_state_the_link_is_in(settings: Settings, folder: Path) -> None:
    async with compound(settings, folder) as running:
        await unlock(running)
        await ended_in_order(running, folder)
        await running.centre.wait_for(about(Kind.AGENT_STOPPED, "gateway"))

        for how in (Line.REFUSED, Line.BLACK_HOLE):
            await running.agent.start()
            await running.all_devices_up()
            await running.network.cut(how=how)
            await unlock(running)
            await ended_in_order(running, folder)
            await running.network.mend()

        await running.agent.start()
        await everything_confirmed(running)


async def test_second_sigterm_ends_at_once(doors_only: Settings, folder: Path) -> None:
    async with compound(doors_only, folder) as running:
        await running.network.cut(how=Line.BLACK_HOLE)
        await unlock(running)
        running.agent.send(signal.SIGTERM)
        await running.lock_is("north-gate", unlocked=False)  # outputs are safe first; then the last is published
        clock = SystemClock()
        begun = clock.mono_s()
        assert await running.agent.stop() == 128 + signal.SIGTERM
        assert clock.mono_s() - begun < 1.0


async def test_after_sigkill_no_camera_process_is_left_and_outputs_can_be_made_safe(
    settings: Settings, folder: Path
) -> None:
    async with compound(settings, folder) as running:
        worker = await running.vision_pid()
        await unlock(running)
        assert await running.agent.kill() == -signal.SIGKILL
        await gone(worker, 2.0)
        await running.lock_is("north-gate", unlocked=True)  # as on a Raspberry Pi: the level stays
        said = await gatehouse("safe-outputs", running.file)
        assert said.code == 0, said.err
        await running.lock_is("north-gate", unlocked=False)
        await running.agent.start()
        await running.all_devices_up()
        await everything_confirmed(running)
