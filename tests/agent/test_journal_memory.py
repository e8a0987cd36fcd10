"""The whole agent on a disk that has made itself read-only: the centre hears of it, and of everything else."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.events import Kind
from agent.journal import standby, thread
from drivers.base import SystemClock
from simulators.broker import Broker
from simulators.centre import Centre, Received
from tests.agent.whole import agent
from tests.conftest import need


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
    monkeypatch.setattr(thread, "AFTER_S", 0.5)
    monkeypatch.setattr(standby, "AFTER_S", 0.5)
    monkeypatch.setattr(standby, "RETRY_S", 1.0)
    broker, clock = Broker.iotcore(tmp_path), SystemClock()

    def told(kind: Kind, said: str = "") -> Received:
        return next(event for event in centre.received if event.kind is kind and said in str(event.data))

    async with broker, Centre(broker.url, clock=clock) as centre, agent(tmp_path, broker, clock):
        await centre.wait_for(lambda event: "kept in memory" in str(event.data.get("reason")), timeout_s=30)
        assert "Read-only" in str(told(Kind.JOURNAL_FAULT).data)
        memory = told(Kind.AGENT_STARTED)
        subprocess.run(["mount", "-o", "remount,rw", read_only], check=True)
        await centre.wait_for(lambda event: event.kind is Kind.JOURNAL_RESTORED, timeout_s=30)
        restored = told(Kind.JOURNAL_RESTORED)
        assert restored.epoch != memory.epoch
        assert told(Kind.EPOCH_STARTED, memory.epoch).epoch == memory.epoch
        proof = centre.proof()
    assert (proof.gaps, proof.broken, proof.conflicts, centre.unreadable) == (0, 0, 0, 0)
