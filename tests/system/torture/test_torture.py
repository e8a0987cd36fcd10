"""Nothing that was promised is lost, whatever breaks: each test ends with the centre's proof.

Bounded here; `make torture` runs the same for as long as GATEHOUSE_TORTURE_S says, an hour by default.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from agent.contract import MAX_BATCH_READINGS
from simulators.broker import Broker
from simulators.network import Line
from tests.conftest import need
from tests.system.torture.dying import STEPS
from tests.system.torture.powercut import PowerCut
from tests.system.torture.rig import rig

LONG = "GATEHOUSE_TORTURE_S" in os.environ
KILLS = 200 if LONG else 20
WINDOW = 50
ROUNDS = 20 if LONG else 1
"""Of each fault of network and disk."""
pytestmark = pytest.mark.timeout(4 * 3600 if LONG else 600)


async def test_the_gateway_is_killed_again_and_again(folder: Path) -> None:
    """Every fourth time while it starts."""
    async with rig(folder) as rigged:
        for kill in range(KILLS):
            await rigged.start(wait=kill % 4 != 3)
            if kill % 4 == 3:
                await rigged.clock.sleep(rigged.chance.uniform(0, 0.8))
            else:
                await rigged.promises(rigged.chance.randint(1, 1500))
            assert await rigged.kill() == -signal.SIGKILL
        print(f"\n{KILLS} kills of the gateway: {await rigged.prove()}")


async def test_the_gateway_dies_between_any_two_steps_from_publishing_to_releasing(folder: Path) -> None:
    async with rig(folder) as rigged:
        for step in STEPS:
            for before in (True, False) * (5 if LONG else 1):
                await rigged.start(wait=False, dies=(step, before, rigged.chance.randint(1, 40)))
                assert await rigged.death() == -signal.SIGKILL
        print(f"\ndeaths between two steps: {await rigged.prove()}")


async def test_what_arrives_twice_after_a_kill_is_bounded(folder: Path) -> None:
    """No more than the window and what the centre has received and not yet confirmed: a second of events is ample."""
    async with rig(folder) as rigged:
        await rigged.start()
        begun = rigged.clock.mono_s()
        await rigged.arrivals(10_000)
        a_second = 10_000 / (rigged.clock.mono_s() - begun)
        await rigged.kill()
        result = await rigged.prove()
        assert result.again <= WINDOW + MAX_BATCH_READINGS + a_second, str(result)


@pytest.mark.parametrize("made", [Broker.iotcore, Broker.mosquitto])
async def test_the_broker_is_killed_again_and_again(folder: Path, made: Callable[[Path], Broker]) -> None:
    """So soon after each other that the gateway takes up to a minute to come back: no link of it is proven."""
    if made == Broker.mosquitto:
        need(shutil.which("mosquitto"), "mosquitto")
    async with rig(folder, broker=made) as rigged:
        await rigged.start()
        for _ in range(KILLS // 10):
            await rigged.arrivals(rigged.chance.randint(1, 2000), timeout_s=180)
            await rigged.broker.kill()
            await rigged.promises(500)
            await rigged.broker.start()
        print(f"\n{KILLS // 10} kills of the broker: {await rigged.prove()}")


@pytest.mark.parametrize("how", [Line.REFUSED, Line.BLACK_HOLE, Line.HALF_OPEN, Line.SLOW])
async def test_the_line_fails_under_full_rate(folder: Path, how: Line) -> None:
    async with rig(folder) as rigged:
        await rigged.start()
        for _ in range(ROUNDS):
            await rigged.arrivals(500)
            downs = rigged.told["link down"]
            await rigged.network.cut(how=how)
            if how is Line.SLOW:
                await rigged.promises(3000)
            else:
                await rigged.hears("link down", downs + 1)
            await rigged.network.mend()
            await rigged.arrivals(500)
        print(f"\n{how}: {await rigged.prove()}")


async def test_the_wall_clock_is_turned_a_year_forward_and_back(folder: Path) -> None:
    async with rig(folder) as rigged:
        await rigged.start()
        for turn in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR2, signal.SIGUSR1) * ROUNDS:
            await rigged.arrivals(300)
            rigged.send(turn)
        await rigged.arrivals(300)
        print(f"\nclock turned: {await rigged.prove()}")


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    need(os.geteuid() == 0, "root, to mount a small file system")
    state = folder / "state"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "gatehouse-test", state], check=True)
    yield state
    subprocess.run(["umount", state], check=True)


async def test_the_disk_fills_up_under_full_rate(folder: Path, small_disk: Path) -> None:
    async with rig(folder, state=small_disk) as rigged:
        await rigged.start()
        for _ in range(ROUNDS):
            await rigged.arrivals(500)
            filler = small_disk / "filler"
            with filler.open("ab", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(bytes(65536))
            with suppress(TimeoutError):
                await rigged.promises(20_000, timeout_s=3)
            filler.unlink()
            await rigged.promises(100)
        print(f"\ndisk full: {await rigged.prove()}")


FAULTY = "enable_random name=posix/io/{},probability={}"
"""libfiu lets so many calls of this kind fail, with an error of the call's manual page."""


@pytest.mark.parametrize("call", ["rw/pwrite", "sync/fdatasync"])
async def test_the_disk_fails_now_and_then_to_write(folder: Path, call: str) -> None:
    need(shutil.which("fiu-run"), "fiu-run (Debian: fiu-utils)")
    async with rig(folder, libfiu=True) as rigged:
        for _ in range(ROUNDS):
            await rigged.start()
            await rigged.arrivals(100)
            failures = rigged.told["journal failing"]
            await rigged.inject(FAULTY.format(call, 0.1))
            await rigged.hears("journal failing", failures + 1)
            await rigged.inject(f"disable name=posix/io/{call}")
            await rigged.promises(100)
            await rigged.kill()
        assert not rigged.deaths
        print(f"\n{call} fails: {await rigged.prove()}; {dict(rigged.told)}")


async def test_the_power_is_cut(folder: Path) -> None:
    """A loop-mounted ext4 is shut down without flushing its log: all that was not synchronised is gone."""
    need(os.geteuid() == 0, "root, to mount a file system")
    disk = PowerCut(folder / "disk.img", folder / "state")
    async with rig(folder, state=disk.mounted) as rigged:
        for _ in range(5 * ROUNDS):
            with disk.powered():
                await rigged.start()
                await rigged.promises(rigged.chance.randint(50, 1500))
                disk.cut()
                await rigged.kill()
        with disk.powered():
            print(f"\n{5 * ROUNDS} power cuts: {await rigged.prove()}")
