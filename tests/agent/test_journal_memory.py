"""The whole agent on a disk that has made itself read-only: the centre hears of it, and of everything else."""

import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from agent.events import Kind, Lane
from agent.journal import Birth, Bodies, Limits, Origin, standby
from agent.journal.database import MEMORY
from agent.journal.opening import begin
from agent.journal.store import Store
from drivers.base import SystemClock
from simulators.broker import Broker
from simulators.centre import Centre, Received
from tests.agent.whole import agent
from tests.conftest import need
from tests.journal import draft


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """The folder of the agent's state."""
    state = tmp_path / "state"
    state.mkdir()
    need(os.geteuid() == 0, "root, to mount a small disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,ro", "gatehouse-test", state], check=True)
    yield state
    subprocess.run(["umount", state], check=True)


async def test_the_centre_hears_of_a_read_only_disk_and_of_everything_that_happens_meanwhile(
    tmp_path: Path, read_only: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standby, "AFTER_S", 0.5)
    monkeypatch.setattr(standby, "RETRY_S", 1.0)
    broker, clock = Broker.iotcore(tmp_path), SystemClock()

    async with broker, Centre(broker.url, clock=clock) as centre, agent(tmp_path, broker, clock):

        async def told(kind: Kind, said: str = "") -> Received:
            return await centre.wait_for(lambda event: event.kind is kind and said in str(event.data), timeout_s=30)

        assert "Read-only" in str((await told(Kind.JOURNAL_FAULT, "kept in memory")).data)
        memory = await told(Kind.AGENT_STARTED)
        subprocess.run(["mount", "-o", "remount,rw", read_only], check=True)
        restored = await told(Kind.JOURNAL_RESTORED)
        assert restored.epoch != memory.epoch
        ended = await told(Kind.EPOCH_STARTED, f"'previous': '{memory.epoch}'")
        assert ended.epoch == restored.epoch
        await centre.wait_until(lambda: not centre.proof().gaps)
        proof = centre.proof()
    assert (proof.broken, proof.conflicts, centre.unreadable) == (0, 0, 0)


def test_what_was_in_memory_and_finds_no_room_on_the_disk_is_counted() -> None:
    def begun(epoch: str, limits: Limits, lanes: Iterable[Lane]) -> Store:
        found = begin(MEMORY, limits, Bodies(), Birth(Origin.NEW, epoch))
        with found.store.transaction():
            assert None not in found.store.write([draft(lane, number) for number, lane in enumerate(lanes)])
        return found.store

    memory = begun("memory", Limits(), [Lane.ALARM] * 5 + [Lane.LEDGER] * 7)
    disk = begun("disk", Limits(max_entries=10), [Lane.LEDGER] * 7)
    refused = standby.carry_over(memory, disk, Bodies())
    assert disk.states()[Lane.ALARM].last == 5
    assert disk.states()[Lane.LEDGER].last + refused == 8 + 1 + 8, "its own, the word of the end, and those of memory"
    assert refused == 8
