"""Opening: one owner, a known schema, a sound file; a damaged one is set aside and never deleted."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from agent.events import Lane
from agent.instance import AlreadyRunningError
from agent.journal import Journal, Limits, Origin, Storing
from agent.journal.database import DamagedError
from agent.journal.store import Store
from drivers.base import ConfigError, SystemClock
from tests.journal import draft, everything, opened, prove_whole, until

ROOT = Path(__file__).parents[2]


async def _filled(folder: Path, count: int = 300) -> str:
    async with opened(folder) as journal:
        for n in range(count):
            journal.append_nowait(draft(Lane.ACCESS, n, size=500))
        await journal.append(draft(Lane.ALARM))
        return journal.epoch


def _as_if_killed(folder: Path) -> None:
    (folder / "journal.lock").write_bytes(b"")


async def _begins_anew(folder: Path, epoch: str) -> None:
    async with opened(folder) as journal:
        assert journal.birth.origin is Origin.AFTER_CORRUPTION
        assert journal.epoch != epoch
        assert journal.birth.reason
        assert (folder / journal.birth.set_aside).stat().st_size > 0
        (first,) = await everything(journal, Lane.LEDGER)
        assert journal.birth.set_aside.encode() in first.body
        await journal.append(draft(Lane.ALARM))
        await prove_whole(journal)
    async with opened(folder) as journal:
        assert journal.birth.origin is Origin.CONTINUED


async def test_a_file_that_is_no_database_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"no database at all, but longer than a header" * 100)
    await _begins_anew(tmp_path, "")


async def test_damaged_pages_are_found_after_a_hard_end(tmp_path: Path) -> None:
    epoch = await _filled(tmp_path)
    with (tmp_path / "journal.db").open("r+b") as file:
        file.seek(4096 * 12)
        file.write(b"\xa5" * 4096 * 8)
    _as_if_killed(tmp_path)
    await _begins_anew(tmp_path, epoch)


async def test_a_truncated_file_is_set_aside(tmp_path: Path) -> None:
    epoch = await _filled(tmp_path)
    with (tmp_path / "journal.db").open("r+b") as file:
        file.truncate(4096 * 20)
    _as_if_killed(tmp_path)
    await _begins_anew(tmp_path, epoch)


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE entry_access SET body = 'forged' WHERE sequence = 250",
        "UPDATE entry_access SET digest = zeroblob(32) WHERE sequence = 300",
        "UPDATE lane SET digest = zeroblob(32) WHERE lane = 'access'",
        "UPDATE lane SET last = 299 WHERE lane = 'access'",
        "UPDATE about SET epoch = 'another'",
        "DELETE FROM about",
    ],
)
async def test_a_tail_that_breaks_the_chain_is_set_aside(tmp_path: Path, forgery: str) -> None:
    epoch = await _filled(tmp_path)
    connection = sqlite3.connect(tmp_path / "journal.db")
    connection.execute(forgery)
    connection.commit()
    connection.close()
    await _begins_anew(tmp_path, epoch)


async def test_damage_met_while_running_ends_the_thread_and_the_next_opening_sets_it_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: object) -> None:
        raise DamagedError("database disk image is malformed")

    journal = await Journal.open(tmp_path, Limits(), SystemClock())
    epoch = journal.epoch
    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", damaged)
        journal.append_nowait(draft(Lane.ALARM))
        with pytest.raises(DamagedError):
            await journal.run_until_failed()
    assert journal.health.refused == 1
    await journal.close()
    await _begins_anew(tmp_path, epoch)


async def test_a_newer_schema_is_refused_with_file_and_cure(tmp_path: Path) -> None:
    await _filled(tmp_path, 1)
    connection = sqlite3.connect(tmp_path / "journal.db")
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(ConfigError, match=r"journal\.db.*newer version") as caught:
        await Journal.open(tmp_path, Limits(), SystemClock())
    assert caught.value.hint


async def test_a_folder_that_cannot_be_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="file/journal"):
        await Journal.open(tmp_path / "file" / "journal", Limits(), SystemClock())


async def test_a_second_process_is_kept_out_until_the_first_ends(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from agent.instance import AlreadyRunningError
from agent.journal.opening import FolderLock
try:
    FolderLock(Path(sys.argv[1])).release(clean=False)
except AlreadyRunningError as err:
    sys.exit(3 if "(process {os.getpid()})" in str(err) and err.hint else 1)
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    async with opened(tmp_path):
        assert subprocess.run(command, cwd=ROOT, check=False).returncode == 3
        with pytest.raises(AlreadyRunningError, match=f"process {os.getpid()}"):
            await Journal.open(tmp_path, Limits(), SystemClock())
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0


async def test_drafts_wait_in_memory_until_the_disk_lets_the_journal_be_opened(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    folder.write_text("a file stands where the folder should be")
    journal = Journal.start(folder, Limits(), SystemClock())
    try:
        journal.append_nowait(draft(Lane.ALARM, 7))
        await until(journal, lambda: journal.health.state is Storing.FAILING)
        assert str(folder) in journal.health.reason
        assert journal.health.hint
        assert (journal.epoch, journal.pending) == ("", 1)
        folder.unlink()
        await until(journal, lambda: journal.pending == 0)
        assert journal.health.state is Storing.OK
        assert [entry.body for entry in await everything(journal, Lane.ALARM)] == [draft(Lane.ALARM, 7).body]
    finally:
        await journal.close()


async def test_a_journal_that_never_opened_closes_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    folder.write_text("a file stands where the folder should be")
    journal = Journal.start(folder, Limits(), SystemClock())
    journal.append_nowait(draft(Lane.ALARM))
    await journal.close()
    assert journal.health.refused == 1
