"""The agent's SD card comes back from an older image: the centre notices, the doors do not, and nothing is lost."""

import shutil
from pathlib import Path

from agent.events import Kind
from agent.settings import Settings
from simulators.compound import SimCompound
from tests.system.conftest import about, compound, everything_confirmed


async def pass_through(running: SimCompound) -> None:
    await running.walk_through("north-gate", "resident")
    await running.lock_is("north-gate", unlocked=False)


async def restarted(running: SimCompound) -> None:
    await running.agent.start()
    await running.all_devices_up()


async def test_a_restored_journal_begins_a_new_epoch_and_every_event_arrives(
    doors_only: Settings, folder: Path
) -> None:
    quick = tuple(door.model_copy(update={"unlock_s": 1.0}) for door in doors_only.doors)
    journal, backup = folder / "state" / "journal.db", folder / "backup.db"
    async with compound(doors_only.model_copy(update={"doors": quick}), folder) as running:
        await pass_through(running)
        await everything_confirmed(running)
        old = (await running.snapshot())["journal"]["epoch"]
        await running.agent.stop()
        shutil.copy(journal, backup)

        await restarted(running)
        for _ in range(2):
            await pass_through(running)
        await everything_confirmed(running)
        await running.agent.stop()
        shutil.copy(backup, journal)

        mark = running.centre.mark()
        await restarted(running)
        await pass_through(running)
        told = await running.centre.wait_for(about(Kind.RECEIPT_MISMATCH, "uplink"), since=mark)
        await pass_through(running)
        await everything_confirmed(running)
        new = (await running.snapshot())["journal"]["epoch"]
        assert told.epoch == new != old
        since = [one for one in running.centre.since(mark) if one.epoch == new]
        (began,) = [one for one in since if one.kind is Kind.EPOCH_STARTED]
        assert (began.sequence, began.data["previous"], began.data["origin"]) == (1, old, "renewed")
        assert began.data["tails"]["access"]["centre"] > began.data["tails"]["access"]["confirmed"]
        granted = [one for one in since if one.kind is Kind.ACCESS_GRANTED]
        assert len(granted) == 2, "each once under the new epoch"
        assert len({(one.lane, one.sequence) for one in since}) == len(since)
