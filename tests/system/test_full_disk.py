"""The journal's disk fills up while the agent runs: a real, small file system."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from agent.events import Kind
from agent.settings import Settings
from agent.words import Lang
from simulators.compound import SimCompound
from tests.conftest import need
from tests.system.conftest import about, compound, everything_confirmed, gatehouse, until

CHUNK = 4096


@pytest.fixture
def disk(folder: Path) -> Iterator[Path]:
    """The journal's folder, a file system of 4 MB."""
    need(os.geteuid() == 0, "root, to mount a small file system")
    state = folder / "state"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "gatehouse-test", state], check=True)
    yield state
    subprocess.run(["umount", state], check=True)


def fill(disk: Path) -> Path:
    """Take all the room there is."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(CHUNK))
    return filler


async def test_full_disk_is_named_doors_work_and_nothing_promised_is_lost(
    doors_only: Settings, folder: Path, disk: Path
) -> None:
    async with compound(doors_only, folder) as running:
        await running.centre.wait_for(about(Kind.AGENT_STARTED, "gateway"))
        mark, on = running.centre.mark(), False

        async def is_full() -> bool:
            nonlocal on
            fill(disk)  # also what the database has freed meanwhile
            on = not on
            running.set_point("gpio/cabinet", on)
            return await state(running) == "full"

        async def is_well() -> bool:
            return await state(running) == "ok"

        await until(is_full, 30)
        for _ in range(2):
            await running.walk_through("north-gate", "resident")
            await running.lock_is("north-gate", unlocked=False)
        status, chinese = [await gatehouse("status", running.file, "--lang", lang) for lang in Lang]
        assert "✗ journal: database or disk is full" in status.out
        assert "Free space" in status.out
        assert "请清理" in chinese.out
        assert running.agent.log().count("ERROR agent.app: journal") == 1

        (disk / "filler").unlink()
        await until(is_well, 20)
        for kind in (Kind.JOURNAL_FAULT, Kind.JOURNAL_RESTORED):
            await running.centre.wait_for(about(kind, "journal"), since=mark)
        await everything_confirmed(running)
        granted = about(Kind.ACCESS_GRANTED, "north-gate")
        assert sum(map(granted, running.centre.since(mark))) == 2
        assert running.centre.proof().dropped == 0


async def state(running: SimCompound) -> str:
    return str((await running.snapshot())["journal"]["state"])
