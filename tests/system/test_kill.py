"""The agent is killed with -9 again and again in a stream of events: what the journal has committed arrives, once."""

import asyncio
import random
import shutil
import signal
import sqlite3
from contextlib import closing
from itertools import cycle
from pathlib import Path

from agent.events import Lane
from agent.settings import Settings
from drivers.base import SystemClock
from simulators.compound import SimCompound
from tests.system.conftest import compound, everything_confirmed, gatehouse

KILLS = 10


def committed(state: Path, copy: Path) -> dict[str, tuple[int, bytes]]:
    """Last sequence and digest of each lane, as they stand on disk; read from a copy, to leave all as it is."""
    shutil.copytree(state, copy)
    with closing(sqlite3.connect(copy / "journal.db")) as database:
        rows = database.execute("SELECT lane, last, digest FROM lane").fetchall()
    shutil.rmtree(copy)
    return {lane: (last, digest) for lane, last, digest in rows}


async def stream(running: SimCompound) -> None:
    """Alarms, restores and readings without end."""
    clock = SystemClock()
    for on in cycle((True, False)):
        for point in ("gpio/cabinet", "gpio/mains-lost", "gpio/south-contact"):
            running.set_point(point, on)
            await clock.sleep(0.06)


async def arrived(running: SimCompound, some: int) -> None:
    """So many more events are at the centre."""
    begun = running.centre.mark()
    await running.centre.wait_until(lambda: len(running.centre.since(begun)) >= some)


async def test_every_committed_event_reaches_the_centre_after_ten_kills(doors_only: Settings, folder: Path) -> None:
    chance, clock = random.Random(20260302), SystemClock()
    async with compound(doors_only, folder) as running:
        proven: dict[str, int] = {}
        streaming = asyncio.create_task(stream(running), name="stream")
        for _ in range(KILLS):
            await arrived(running, chance.randint(1, 12))
            await clock.sleep(chance.uniform(0.0, 0.05))
            assert await running.agent.kill() == -signal.SIGKILL
            for lane, (last, _) in committed(folder / "state", folder / "copy").items():
                assert last >= proven.get(lane, 0)
                proven[lane] = last
            await running.agent.start()
        streaming.cancel()
        await running.all_devices_up()
        await everything_confirmed(running)
        verified = await gatehouse("journal", "verify", "--file", running.file, "--lang", "en")
        assert (verified.code, verified.err) == (0, ""), verified.out
        assert "Nothing is missing" in verified.out

        (book,) = running.centre.gateways.values()
        assert {epoch for epoch, _ in book.lanes} == {book.epoch}
        for lane in (Lane.ALARM, Lane.FAULT, Lane.LEDGER, Lane.ACCESS, Lane.TELEMETRY):
            assert book.lane(book.epoch, lane).upto >= proven[lane]
        proof = running.centre.proof()
        assert (proof.gaps, proof.broken, proof.dropped) == (0, 0, 0)
        # What was sent twice was known by its number: each event is stored once.
        seen = [(e.lane, e.sequence) for e in running.centre.received if e.lane is not Lane.TELEMETRY]
        assert len(seen) == len(set(seen))
