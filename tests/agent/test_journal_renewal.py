"""A new epoch while the journal runs: what is not confirmed begins it, in order; a crash leaves the old or the new."""

import asyncio
import json
import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.events import Kind, Lane
from agent.journal import ConfirmError, Draft, Entry, Journal, Limits, Origin, renewal
from agent.journal.database import Cell, Database, StorageError
from tests.clock import ManualClock
from tests.journal import declared, draft, everything, opened, prove_whole, until

NUMBERED = (Lane.ALARM, Lane.ACCESS, Lane.TELEMETRY, Lane.MEDIA)


def numbers(entries: list[Entry]) -> list[int]:
    return [json.loads(entry.body)["n"] for entry in entries if b'"n":' in entry.body]


async def fill(journal: Journal, each: int = 10, confirmed: int = 4) -> None:
    """In every lane `each` entries, the first `confirmed` of them confirmed; alarms not at all."""
    for lane in (*NUMBERED, Lane.LEDGER):
        entries = [await journal.append(draft(lane, number)) for number in range(1, each + 1)]
        if lane is not Lane.ALARM:
            await journal.confirm(lane, entries[confirmed - 1].sequence, entries[confirmed - 1].digest)


async def test_what_is_not_confirmed_begins_the_new_epoch_in_order(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await fill(journal)
        old = journal.epoch
        told: list[str] = []
        journal.on_epoch(lambda birth: told.append(birth.epoch))
        birth = await journal.renew("another digest than ours", {Lane.ACCESS: 14})
        assert (birth.origin, birth.previous, journal.epoch) == (Origin.RENEWED, old, birth.epoch)
        assert told == [journal.epoch] != [old]
        assert numbers(await everything(journal, Lane.ALARM)) == list(range(1, 11))
        for lane in (Lane.ACCESS, Lane.TELEMETRY, Lane.MEDIA):
            assert numbers(await everything(journal, lane)) == list(range(5, 11))
            assert (journal.lanes[lane].last, journal.lanes[lane].confirmed) == (6, 0)
        first, *ledger = await everything(journal, Lane.LEDGER)
        assert (first.sequence, first.kind) == (1, Kind.EPOCH_STARTED)
        assert numbers(ledger) == list(range(5, 11))
        said = json.loads(first.body)["data"]
        assert (said["previous"], said["epoch"], said["reason"]) == (old, journal.epoch, "another digest than ours")
        assert said["tails"]["access"] == {"last": 10, "confirmed": 4, "centre": 14, "entered": 6}
        assert said["tails"]["alarm"] == {"last": 10, "confirmed": 0, "centre": None, "entered": 10}
        await prove_whole(journal)
        entry = await journal.append(draft(Lane.ACCESS, 11))
        assert entry.sequence == 7
        new = journal.epoch
    async with opened(tmp_path) as journal:
        assert (journal.epoch, journal.birth.origin) == (new, Origin.CONTINUED)
        assert numbers(await everything(journal, Lane.ACCESS)) == list(range(5, 12))
        await prove_whole(journal)


async def test_what_was_dropped_in_the_old_epoch_stays_declared_under_its_name(tmp_path: Path) -> None:
    async with opened(tmp_path, Limits(max_entries=60, chunk=10)) as journal:
        for number in range(100):
            await journal.append(draft(Lane.TELEMETRY, number))
        old, gone = journal.epoch, await declared(journal)
        assert gone[Lane.TELEMETRY]
        kept = numbers(await everything(journal, Lane.TELEMETRY))
        await journal.renew("restored")
        assert numbers(await everything(journal, Lane.TELEMETRY)) == kept
        assert journal.lanes[Lane.TELEMETRY].last == len(kept), "numbered without a gap"
        stones = [e for e in await everything(journal, Lane.LEDGER) if e.kind is Kind.ENTRIES_DROPPED]
        assert {json.loads(stone.body)["data"]["epoch"] for stone in stones} == {old}
        for number in range(100):
            await journal.append(draft(Lane.TELEMETRY, number))
        assert (await declared(journal))[Lane.TELEMETRY]
        await prove_whole(journal)


async def test_news_of_an_ended_epoch_confirms_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await fill(journal)
        renewing = asyncio.create_task(journal.renew("restored"))
        await asyncio.sleep(0)  # noqa: TID251 - a turn of the loop: the renewal is asked for
        await journal.confirm(Lane.ALARM, 10, None)  # the loop still lives in the old epoch
        await renewing
        assert journal.lanes[Lane.ALARM].confirmed == 0


async def test_a_receipt_releases_all_that_it_names_or_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await fill(journal)
        (alarm,) = await journal.peek(Lane.ALARM, 9, 1)
        with pytest.raises(ConfirmError, match="another digest"):
            await journal.confirm_all([(Lane.ALARM, 10, alarm.digest), (Lane.ACCESS, 9, b"\0" * 32)])
        assert journal.lanes[Lane.ALARM].confirmed == 0


# ---------------------------------------------------------------- crashes and refusals


async def test_a_crash_at_any_step_leaves_the_old_epoch_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images: list[Path] = []
    execute = Database.execute
    snapping = threading.Event()

    def snapped(self: Database, sql: str, cells: tuple[Cell, ...] = ()) -> int:
        changed = execute(self, sql, cells)
        if snapping.is_set():
            image = tmp_path / f"image-{len(images)}"
            image.mkdir()
            for name in ("journal.db", "journal.db-wal"):
                shutil.copy(tmp_path / "journal" / name, image)
            images.append(image)
        return changed

    monkeypatch.setattr(Database, "execute", snapped)
    monkeypatch.setattr(renewal, "ROWS_AT_ONCE", 4)
    async with opened(tmp_path / "journal") as journal:
        await fill(journal)
        old = journal.epoch
        snapping.set()
        await journal.renew("restored")
        snapping.clear()
        new = journal.epoch
    epochs = []
    for image in images:
        async with opened(image) as journal:
            epochs.append(journal.epoch)
            offset = 0 if journal.epoch == old else 4
            assert numbers(await everything(journal, Lane.ACCESS)) == list(range(offset + 1, 11))
            assert numbers(await everything(journal, Lane.ALARM)) == list(range(1, 11))
            await prove_whole(journal)
    assert len(images) > 30
    assert set(epochs) == {old, new}
    assert epochs == sorted(epochs, key=[old, new].index), "there is no way back"


async def test_a_disk_that_refuses_at_any_step_leaves_the_old_epoch_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = Database.execute
    left = 0

    def refusing(self: Database, sql: str, cells: tuple[Cell, ...] = ()) -> int:
        nonlocal left
        left -= 1
        if left == 0:
            raise StorageError("the plug was pulled")
        return execute(self, sql, cells)

    async with opened(tmp_path) as journal:
        await fill(journal)
        old, number = journal.epoch, 10
        monkeypatch.setattr(Database, "execute", refusing)
        for step in range(1, 25, 4):
            left = step
            with pytest.raises(StorageError):
                await journal.renew("restored")
            number += 1
            entry = await journal.append(draft(Lane.ALARM, number))
            assert (entry.sequence, journal.epoch) == (number, old)
        left = 0
        await journal.renew("restored")
        assert numbers(await everything(journal, Lane.ALARM)) == list(range(1, number + 1))
        await prove_whole(journal)


async def test_drafts_wait_in_memory_meanwhile_and_the_loop_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go_on = threading.Event(), threading.Event()
    enter_again = renewal._Chain.enter_again

    def slowly(self: renewal._Chain, confirmed: int) -> None:
        reached.set()
        assert go_on.wait(20)
        enter_again(self, confirmed)

    monkeypatch.setattr(renewal._Chain, "enter_again", slowly)
    async with opened(tmp_path) as journal:
        await fill(journal)
        renewing = asyncio.create_task(journal.renew("restored"))
        await asyncio.to_thread(reached.wait, 20)
        for number in range(11, 2011):
            journal.append_nowait(draft(Lane.ALARM, number))
        assert (journal.pending, journal.health.refused) == (2000, 0)
        go_on.set()
        await renewing
        await until(journal, lambda: journal.pending == 0)
        assert numbers(await everything(journal, Lane.ALARM)) == list(range(1, 2011))
        await prove_whole(journal)


# ---------------------------------------------------------------- the calendar


async def test_a_clock_that_jumps_a_year_releases_nothing_confirmed_today(tmp_path: Path) -> None:
    clock = ManualClock()
    today = clock.utc()
    assert today is not None

    async def some_day(at: datetime | None, number: int) -> int:
        """Open, confirm an alarm, close; how many entries are kept."""
        clock.set_utc(at)
        journal = await Journal.open(tmp_path, Limits(), clock)
        entry = await journal.append(draft(Lane.ALARM, number))
        await journal.confirm(Lane.ALARM, entry.sequence, entry.digest)
        await until(journal, lambda: journal.pending == 0)
        await journal.append(Draft(Lane.FAULT, Kind.DEVICE_FAULT, b'{"type":"x"}'))
        kept = len(await everything(journal, Lane.ALARM))
        await journal.close()
        return kept

    year = timedelta(days=365)
    for number, at in enumerate((today, today + year, today - year, None, today, datetime(1970, 1, 1, tzinfo=UTC)), 1):
        assert await some_day(at, number) == number
    for day in range(1, 9):
        kept = await some_day(today + timedelta(days=day), 10 + day)
    assert kept < 14, "after a week of days the first are released"
