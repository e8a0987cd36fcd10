"""Real disks that are read-only, turn so, fail and come back under the journal; and a large file that is damaged."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from agent.events import Kind, Lane
from agent.journal import Draft, Journal, Limits, Origin, RefusedError, Storing, opening, standby
from agent.journal.check import Check
from agent.journal.database import DamagedError
from agent.journal.proof import prove
from drivers.base import SystemClock
from tests.conftest import need
from tests.journal import draft, everything, opened, until
from tests.system.torture.powercut import cut_power

FILE = "journal.db"


def mount(*how: str | Path) -> bool:
    return subprocess.run(["mount", *how], check=False, capture_output=True).returncode == 0


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where a disk is to be mounted, once or several times."""
    need(os.geteuid() == 0 and shutil.which("mkfs.ext4"), "root, to mount a small disk")
    where = tmp_path / "disk"
    where.mkdir()
    yield where
    while where.is_mount():
        subprocess.run(["umount", "--lazy", where], check=True)


@pytest.fixture
def image(tmp_path: Path, folder: Path) -> Path:
    """An ext4 image, mounted at `folder`."""
    file = tmp_path / "disk.img"
    with file.open("wb") as made:
        made.truncate(8 << 20)
    subprocess.run(["mkfs.ext4", "-q", file], check=True)
    need(mount("-o", "loop,errors=remount-ro", file, folder), "a loop device")
    return file


async def is_failing(journal: Journal) -> None:
    await until(journal, lambda: journal.health.state is Storing.FAILING)
    assert journal.health.hint


async def is_well(journal: Journal) -> None:
    await until(journal, lambda: journal.pending == 0 and journal.health.state is Storing.OK)


async def test_on_a_disk_that_is_read_only_events_wait_in_memory_until_it_is_not(folder: Path) -> None:
    need(mount("-t", "tmpfs", "-o", "size=4m,ro", "tmpfs", folder), "the right to mount a small disk")
    journal = Journal.start(folder / "journal", Limits(), SystemClock())
    try:
        for number in range(3):
            journal.append_nowait(draft(Lane.ALARM, number))
        await is_failing(journal)
        assert "Read-only file system" in journal.health.reason
        assert "read-only" in journal.health.hint
        assert journal.pending == 3
        assert mount("-o", "remount,rw", folder)
        await is_well(journal)
        assert [entry.body for entry in await everything(journal, Lane.ALARM)] == [
            draft(Lane.ALARM, number).body for number in range(3)
        ]
    finally:
        await journal.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is used after half a second."""
    monkeypatch.setattr(standby, "AFTER_S", 0.5)
    monkeypatch.setattr(standby, "RETRY_S", 0.5)


async def is_of_another_epoch(journal: Journal, epoch: str) -> int:
    """How many alarms came meanwhile."""
    count = 0
    async with asyncio.timeout(20):
        while journal.epoch == epoch:
            journal.append_nowait(draft(Lane.ALARM, count))
            count += 1
            await SystemClock().sleep(0.05)
    return count


@pytest.mark.usefixtures("impatient")
async def test_on_a_disk_that_stays_read_only_alarms_leave_by_a_journal_in_memory(folder: Path) -> None:
    need(mount("-t", "tmpfs", "-o", "size=4m,ro", "tmpfs", folder), "the right to mount a small disk")
    journal = Journal.start(folder / "journal", Limits(), SystemClock())
    try:
        journal.append_nowait(draft(Lane.ALARM, 1000))
        memory = await journal.opened
        assert memory.origin is Origin.IN_MEMORY
        await until(journal, lambda: journal.pending == 0)
        assert journal.health.state is Storing.FAILING
        assert "Read-only file system; events are kept in memory" in journal.health.reason
        (alarm,) = await everything(journal, Lane.ALARM)
        assert alarm.body == draft(Lane.ALARM, 1000).body, "the uplink can send it"
        await journal.confirm(Lane.ALARM, alarm.sequence, alarm.digest)
        with pytest.raises(RefusedError):
            await journal.append_picture(
                b"jpeg", lambda name: Draft(Lane.MEDIA, Kind.READINGS, b'"sha256":"%s"' % name.encode())
            )

        assert mount("-o", "remount,rw", folder)
        count = await is_of_another_epoch(journal, memory.epoch)
        await is_well(journal)
        carried = [entry.body for entry in await everything(journal, Lane.ALARM)]
        assert carried == [draft(Lane.ALARM, number).body for number in range(count)], "all but what was confirmed"
        ledger = [entry.body for entry in await everything(journal, Lane.LEDGER)]
        assert any(b'"previous":"%s"' % memory.epoch.encode() in body for body in ledger), "and the epoch has ended"
    finally:
        await journal.close()
    assert not prove(folder / "journal" / FILE).flaws


@pytest.mark.usefixtures("image", "impatient")
async def test_a_disk_that_turns_read_only_is_a_loud_fault_and_the_journal_goes_on_in_memory(folder: Path) -> None:
    """As a worn SD card does: the kernel finds the file system damaged."""
    journal = await Journal.open(folder, Limits(), SystemClock())
    try:
        entry = await journal.append(draft(Lane.ALARM, 1))
        (device,) = [line.split()[0] for line in Path("/proc/mounts").read_text().splitlines() if str(folder) in line]
        trigger = Path("/sys/fs/ext4") / Path(device).name / "trigger_fs_error"
        need(os.access(trigger, os.W_OK), "a kernel that makes faults of ext4 on purpose")
        trigger.write_text("worn")
        epoch = journal.epoch
        journal.append_nowait(draft(Lane.ALARM, 2))
        await is_failing(journal)
        assert await journal.peek(Lane.ALARM, 0, 10) == (entry,), "what was written is still delivered"
        await is_of_another_epoch(journal, epoch)
        await until(journal, lambda: journal.pending == 0)
        assert journal.birth.origin is Origin.IN_MEMORY
        assert (await everything(journal, Lane.ALARM))[0].body == draft(Lane.ALARM, 2).body
        assert journal.health.state is Storing.FAILING
    finally:
        await journal.close()
    assert prove(folder / FILE).lanes[0].waiting == 1, "what was on the disk is still there"


@pytest.mark.parametrize("older", [False, True])
async def test_a_disk_that_fails_and_comes_back_is_opened_anew(folder: Path, image: Path, *, older: bool) -> None:
    """Where it comes back in an older state, what we have said under this epoch must not be said again."""
    async with opened(folder) as journal:
        epoch = journal.epoch
        await journal.append(draft(Lane.ALARM, 1))
        before = shutil.copy(image, image.with_name("before.img"))
        await journal.append(draft(Lane.ALARM, 2))
        cut_power(folder)
        after = shutil.copy(image, image.with_name("after.img"))
        journal.append_nowait(draft(Lane.ALARM, 3))
        await is_failing(journal)
        subprocess.run(["umount", "--lazy", folder], check=True)
        assert mount("-o", "loop", before if older else after, folder)
        await is_well(journal)
        if older:
            await until(journal, lambda: journal.epoch != epoch)
        bodies = [entry.body for entry in await everything(journal, Lane.ALARM)]
        assert bodies == [draft(Lane.ALARM, number).body for number in ((1, 3) if older else (1, 2, 3))]
        assert (journal.epoch == epoch) is not older
    assert not prove(folder / FILE).flaws


# ---------------------------------------------------------------- a file too large to be checked before the start


@pytest.fixture
async def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal that passes for a large one, whose process was killed."""
    async with opened(tmp_path) as journal:
        for number in range(500):
            journal.append_nowait(draft(Lane.ACCESS, number, size=500))
        await journal.append(draft(Lane.ALARM))
    monkeypatch.setattr(opening, "CHECKED_AT_ONCE", 0)
    (tmp_path / "journal.lock").write_bytes(b"open\n")
    return tmp_path


async def test_a_large_file_is_checked_beside_the_journal_that_runs(
    large: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        async with opened(large) as journal:
            entry = await journal.append(draft(Lane.ALARM))
            while "the whole file is sound" not in caplog.text:
                await journal.append(draft(Lane.ALARM))
            assert journal.birth.origin is Origin.CONTINUED
            assert entry.sequence == 2
    assert (large / "journal.lock").read_bytes() == b"closed\n"


class Unasked(sqlite3.Connection):
    """As SQLite 3.40 is: within a check it asks nobody whether to go on. This one takes for ever."""

    def set_progress_handler(self, *_: object) -> None:
        pass

    def execute(self, *_: object) -> sqlite3.Cursor:
        return super().execute("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n")


def test_the_end_waits_for_no_check_however_long_it_would_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / FILE
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
    monkeypatch.setattr("agent.journal.check.sqlite3.connect", partial(sqlite3.connect, factory=Unasked))
    found: list[str] = []
    check = Check(path, found.append)
    check.start()
    stopper = threading.Thread(target=check.stop, daemon=True)
    stopper.start()
    stopper.join(20)
    assert (stopper.is_alive(), check.passed, found) == (False, False, [])


async def test_damage_found_beside_the_running_journal_ends_it_and_the_file_is_set_aside(large: Path) -> None:
    with (large / FILE).open("r+b") as file:
        file.seek(4096 * 40)
        file.write(b"\xa5" * 4096)
    journal = await Journal.open(large, Limits(), SystemClock())
    epoch = journal.epoch
    with pytest.raises(DamagedError):
        await journal.run_until_failed()
    await journal.close()
    async with opened(large) as journal:
        assert (journal.birth.origin, journal.epoch == epoch) == (Origin.AFTER_CORRUPTION, False)
        assert (large / journal.birth.set_aside).exists()
