"""What the journal writes to its disk, and how long an SD card takes that.

Counted at the block device of a file system of its own (ext4 on a loop device, its metadata and log included) where
root may mount one; elsewhere by what the process has written, as the kernel counts it.
"""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from agent.events import Lane
from agent.journal import Journal, Limits
from agent.telemetry import COMMIT_EVERY_S
from tests.bench.gateway import ALARM, CLOCK, READING
from tests.bench.table import Row

EVENTS: Final = 1000
BATCHES: Final = 500
POINTS: Final = 60
"""Numeric points of a large compound, each kept every 10 s (storage.telemetry_every_s)."""
READINGS_S: Final = POINTS / 10
EVENTS_A_DAY: Final = 20_000
A_DAY_S: Final = 86_400
CARD_BYTES: Final = 32e9
CYCLES: Final = 1000
"""Of erasing a block of a high-endurance card (3D TLC); industrial cards (pSLC) state 20,000 and more."""
AMPLIFIED: Final = 4.0
"""What the card itself writes for each byte of small synchronous writes: an assumption on the safe side of 2 to 4."""

Written = Callable[[], int]


async def rows() -> list[Row]:
    with (
        tempfile.TemporaryDirectory(prefix="gh-bench-", dir=Path.cwd()) as name,
        _disk(Path(name)) as (folder, written),
    ):
        event = await _events(folder / "events", written)
        reading = await _readings(folder / "readings", round(READINGS_S * COMMIT_EVERY_S), written)
        alone = await _readings(folder / "alone", 1, written)
    readings = READINGS_S * A_DAY_S
    a_day = EVENTS_A_DAY * event + readings * reading
    years = CARD_BYTES * CYCLES / AMPLIFIED / a_day / 365
    return [
        Row("bytes written for an event by itself, with its receipt", f"{event:,.0f}", f"{len(ALARM.body)} of body"),
        Row(f"bytes written for a reading, {READINGS_S:.0f}/s", f"{reading:,.0f}", f"each by itself {alone:,.0f}"),
        Row(f"bytes a day, {EVENTS_A_DAY:,} events and {readings:,.0f} readings", f"{a_day / 1e6:,.0f} MB",
            f"card of {CARD_BYTES / 1e9:.0f} GB, {CYCLES} cycles", f"≥ 10 years: {years:.0f}", years >= 10),
    ]  # fmt: skip


async def _events(folder: Path, written: Written) -> float:
    """Each is committed, published and confirmed before the next."""
    journal = await Journal.open(folder, Limits(), CLOCK)
    before = written()
    for _ in range(EVENTS):
        entry = await journal.append(ALARM)
        await journal.confirm(Lane.ALARM, entry.sequence, entry.digest)
    await journal.close()
    return (written() - before) / EVENTS


async def _readings(folder: Path, together: int, written: Written) -> float:
    """So many share a commit, and a receipt confirms them."""
    journal = await Journal.open(folder, Limits(), CLOCK)
    before = written()
    for _ in range(BATCHES):
        entries = await asyncio.gather(*(journal.append(READING) for _ in range(together)))
        await journal.confirm(Lane.TELEMETRY, entries[-1].sequence, entries[-1].digest)
    await journal.close()
    return (written() - before) / (BATCHES * together)


@contextmanager
def _disk(folder: Path) -> Iterator[tuple[Path, Written]]:
    where, image = folder / "disk", folder / "disk.img"
    where.mkdir()
    with image.open("wb") as file:
        file.truncate(256 << 20)
    mounted = os.geteuid() == 0 and _done("mkfs.ext4", "-q", image) and _done("mount", "-o", "loop", image, where)
    try:
        yield where, _by_block_device(where) if mounted else _by_process
    finally:
        if mounted:
            subprocess.run(["umount", where], check=True)


def _done(*command: str | Path) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _by_block_device(mounted: Path) -> Written:
    device = next(line.split()[0] for line in Path("/proc/mounts").read_text().splitlines() if str(mounted) in line)
    counters = Path("/sys/block") / Path(device).name / "stat"

    def written() -> int:
        os.sync()
        return int(counters.read_text().split()[6]) * 512

    return written


def _by_process() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))
