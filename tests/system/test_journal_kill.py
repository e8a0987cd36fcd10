"""A process that is killed at any moment keeps everything it acknowledged."""

import random
import signal
import subprocess
import sys
from pathlib import Path

from agent.events import Lane
from agent.journal import Origin
from tests.journal import everything, opened, prove_whole

KILLS = 10

# Appends in two lanes, confirms now and then, and prints every sequence once it is durable.
WRITER = """
import asyncio, sys
from pathlib import Path
from agent.events import Kind, Lane
from agent.journal import Draft, Journal, Limits
from drivers.base import SystemClock

async def write(journal, lane, kind):
    while True:
        entry = await journal.append(Draft(lane, kind, b'{"type":"test"}'))
        sys.stdout.write(f"{lane} {entry.sequence} {entry.digest.hex()}\\n")
        sys.stdout.flush()
        if entry.sequence % 7 == 0:
            await journal.confirm(lane, entry.sequence, entry.digest)

async def main():
    journal = await Journal.open(Path(sys.argv[1]), Limits(keep_confirmed=1_000_000), SystemClock())
    sys.stdout.write("open\\n")
    sys.stdout.flush()
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(write(journal, Lane.ALARM, Kind.SMOKE))
            group.create_task(write(journal, Lane.ACCESS, Kind.ACCESS_GRANTED))

asyncio.run(main())
"""


def _run_and_kill(folder: Path, lines: int) -> list[str]:
    """What the writer acknowledged before it was killed, after at least so many lines."""
    command = [sys.executable, "-c", WRITER, str(folder)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(lines)]
        writer.send_signal(signal.SIGKILL)
        said += writer.stdout.readlines()
    return [line for line in said if line.count(" ") == 2 and line.endswith("\n")]


async def test_everything_acknowledged_survives_kill_9_at_any_moment(tmp_path: Path) -> None:
    chance = random.Random(20260301)
    acknowledged: dict[tuple[Lane, int], str] = {}
    for _ in range(KILLS):
        for line in _run_and_kill(tmp_path, chance.randint(1, 400)):
            lane, sequence, digest = line.split()
            assert (Lane(lane), int(sequence)) not in acknowledged
            acknowledged[Lane(lane), int(sequence)] = digest
    assert len(acknowledged) > 100
    async with opened(tmp_path) as journal:
        assert journal.birth.origin is Origin.CONTINUED
        await prove_whole(journal)
        stored = {
            (lane, entry.sequence): entry.digest.hex()
            for lane in (Lane.ALARM, Lane.ACCESS)
            for entry in await everything(journal, lane)
        }
        assert acknowledged.items() <= stored.items()
