"""The journal's promises while the disk behaves: order, durability, cursor, bounds in memory, and its end."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.events import Kind, Lane
from agent.journal import (
    ClosedError,
    ConfirmError,
    Draft,
    Entry,
    Health,
    Journal,
    Limits,
    Origin,
    Storing,
    first_digest,
    next_digest,
)
from agent.journal.store import Store
from drivers.base import SystemClock
from tests.clock import ManualClock
from tests.journal import draft, everything, opened, prove_whole, until


async def test_an_entry_is_there_with_its_number_and_digest_when_append_returns(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        first = await journal.append(draft(Lane.ALARM, 1))
        second = await journal.append(draft(Lane.ALARM, 2))
        other = await journal.append(draft(Lane.ACCESS, 1))
        assert (first.sequence, second.sequence, other.sequence) == (1, 2, 1)
        assert first.digest == next_digest(first_digest(journal.epoch, Lane.ALARM), first.body)
        assert second.digest == next_digest(first.digest, second.body)
        assert await journal.peek(Lane.ALARM, 0, 10) == (first, second)
        assert await journal.peek(Lane.ALARM, 1, 10) == (second,)
        state = journal.lanes[Lane.ALARM]
        assert (state.last, state.confirmed, state.oldest, state.waiting) == (2, 0, 1, 2)
        assert state.digest == second.digest


async def test_the_first_entry_of_an_epoch_tells_how_it_began(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        assert journal.birth.origin is Origin.NEW
        (entry,) = await journal.peek(Lane.LEDGER, 0, 10)
        assert entry.kind is Kind.EPOCH_STARTED
        assert journal.epoch.encode() in entry.body


async def test_a_restart_continues_sequence_chain_and_cursor(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        epoch = journal.epoch
        entries = [await journal.append(draft(Lane.FAULT, n)) for n in range(5)]
        await journal.confirm(Lane.FAULT, 3, entries[2].digest)
        before = dict(journal.lanes)
    async with opened(tmp_path) as journal:
        assert (journal.birth.origin, journal.epoch) == (Origin.CONTINUED, epoch)
        assert dict(journal.lanes) == before
        entry = await journal.append(draft(Lane.FAULT, 5))
        assert entry.sequence == 6
        assert entry.digest == next_digest(entries[-1].digest, entry.body)
        await prove_whole(journal)


async def test_many_appends_share_a_commit_and_stay_in_order(tmp_path: Path) -> None:
    commits: list[Sequence[Entry]] = []
    async with opened(tmp_path) as journal:
        journal.on_commit(commits.append)
        entries = await asyncio.gather(*(journal.append(draft(Lane.ACCESS, n)) for n in range(500)))
        assert [entry.sequence for entry in entries] == list(range(1, 501))
        assert [entry.body for entry in entries] == [draft(Lane.ACCESS, n).body for n in range(500)]
        assert len(commits) < 50
        assert [entry for written in commits for entry in written] == entries
        await prove_whole(journal)


async def test_peek_keeps_to_its_bytes_but_gives_at_least_one(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        for n in range(4):
            await journal.append(draft(Lane.ALARM, n, size=1000))
        assert [e.sequence for e in await journal.peek(Lane.ALARM, 0, 10, max_bytes=2500)] == [1, 2]
        assert [e.sequence for e in await journal.peek(Lane.ALARM, 2, 10, max_bytes=1)] == [3]
        assert await journal.peek(Lane.ALARM, 4, 10) == ()


async def test_a_receipt_that_does_not_fit_releases_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        entries = [await journal.append(draft(Lane.ALARM, n)) for n in range(3)]
        with pytest.raises(ConfirmError, match="our last is 3"):
            await journal.confirm(Lane.ALARM, 4, None)
        with pytest.raises(ConfirmError, match="digest"):
            await journal.confirm(Lane.ALARM, 2, entries[2].digest)
        assert journal.lanes[Lane.ALARM].confirmed == 0
        await journal.confirm(Lane.ALARM, 2, entries[1].digest)
        await journal.confirm(Lane.ALARM, 1, entries[0].digest)
        assert (journal.lanes[Lane.ALARM].confirmed, journal.lanes[Lane.ALARM].waiting) == (2, 1)
        with pytest.raises(ConfirmError, match="digest"):
            await journal.confirm(Lane.ALARM, 1, entries[2].digest)
        await journal.confirm(Lane.ALARM, 3, None)
        assert journal.lanes[Lane.ALARM].waiting == 0


async def test_confirmed_entries_are_kept_only_up_to_their_number(tmp_path: Path) -> None:
    async with opened(tmp_path, Limits(keep_confirmed=50, chunk=20)) as journal:
        await asyncio.gather(*(journal.append(draft(Lane.ACCESS, n)) for n in range(200)))
        await journal.confirm(Lane.ACCESS, 190, None)
        await until(journal, lambda: journal.lanes[Lane.ACCESS].oldest > 140)
        assert [e.sequence for e in await everything(journal, Lane.ACCESS)][-10:] == list(range(191, 201))
        await prove_whole(journal)


async def test_over_the_queue_the_new_draft_is_refused_counted_and_alarms_have_a_reserve(tmp_path: Path) -> None:
    heard: list[Health] = []
    async with opened(tmp_path, Limits(queue=10, queue_reserve=5)) as journal:
        journal.on_health(heard.append)
        for n in range(30):
            journal.append_nowait(draft(Lane.TELEMETRY, n))
        for n in range(8):
            journal.append_nowait(draft(Lane.ALARM, n))
        await until(journal, lambda: journal.pending == 0 and bool(heard))
        assert journal.lanes[Lane.TELEMETRY].last == 10
        assert journal.lanes[Lane.ALARM].last == 5
        assert heard[-1].refused == journal.health.refused == 20 + 3
        assert len(heard) == 1
        await prove_whole(journal)


async def test_a_cancelled_append_is_stored_all_the_same(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        task = asyncio.create_task(journal.append(draft(Lane.ALARM, 7)))
        await ManualClock().sleep(0)  # some turns of the loop: the draft is handed over
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        entry = await journal.append(draft(Lane.ALARM, 8))
        assert entry.sequence == 2
        assert (await journal.peek(Lane.ALARM, 0, 1))[0].body == draft(Lane.ALARM, 7).body


async def test_close_writes_what_waits_and_then_takes_nothing(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path, Limits(), SystemClock())
    for n in range(5000):
        journal.append_nowait(draft(Lane.TELEMETRY, n))
    watch = asyncio.create_task(journal.run_until_failed())
    await journal.close()
    await watch
    with pytest.raises(ClosedError):
        await journal.append(draft(Lane.ALARM))
    journal.append_nowait(draft(Lane.ALARM))
    await ManualClock().sleep(0)
    assert journal.health.refused == 1
    assert "journal" not in {thread.name for thread in threading.enumerate()}
    async with opened(tmp_path) as again:
        assert again.lanes[Lane.TELEMETRY].last == 5000


async def test_a_bug_in_the_thread_is_raised_to_whoever_watches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    journal = await Journal.open(tmp_path, Limits(), SystemClock())
    watch = asyncio.create_task(journal.run_until_failed())
    monkeypatch.setattr(Store, "write", broken)
    with pytest.raises(ClosedError):
        await journal.append(draft(Lane.ALARM))
    with pytest.raises(ZeroDivisionError):
        await watch
    with pytest.raises(ClosedError):
        await journal.peek(Lane.ALARM, 0, 1)
    await journal.close()


async def test_a_disk_that_does_not_answer_is_a_fault_until_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, hung, answers = ManualClock(), threading.Event(), threading.Event()
    write = Store.write

    def hang(store: Store, drafts: list[Draft]) -> list[Entry | None]:
        hung.set()
        assert answers.wait(20)
        return write(store, drafts)

    journal = await Journal.open(tmp_path, Limits(), clock)
    watch = asyncio.create_task(journal.run_until_failed())
    monkeypatch.setattr(Store, "write", hang)
    task = asyncio.create_task(journal.append(draft(Lane.ALARM)))
    assert await asyncio.to_thread(hung.wait, 20)
    assert journal.health == Health()
    await clock.advance(7)
    assert journal.health.state is Storing.FAILING
    assert not task.done()
    answers.set()
    assert (await task).sequence == 1
    await until(journal, lambda: journal.health == Health())
    await journal.close()
    await watch


def test_a_process_that_never_closes_its_journal_ends_all_the_same(tmp_path: Path) -> None:
    code = f"""
import asyncio
from pathlib import Path
from agent.journal import Journal, Limits
from drivers.base import SystemClock
asyncio.run(Journal.open(Path({str(tmp_path)!r}), Limits(), SystemClock()))
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2], timeout=30)


def test_sqlalchemy_is_loaded_only_when_a_journal_opens() -> None:
    code = "import sys, agent.journal; sys.exit('sqlalchemy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


async def test_telemetry_waits_for_a_commit_that_it_shares_and_nothing_else_does(tmp_path: Path) -> None:
    commits: list[list[Lane]] = []
    clock = ManualClock()
    journal = await Journal.open(tmp_path, Limits(telemetry_wait_s=5), clock)
    journal.on_commit(lambda written: commits.append([entry.lane for entry in written]) if written else None)
    for number in range(3):
        journal.append_nowait(draft(Lane.TELEMETRY, number))
    assert await journal.peek(Lane.TELEMETRY, 0, 1) == (), "a question is answered meanwhile"
    await journal.append(draft(Lane.ALARM))
    assert commits == [[*[Lane.TELEMETRY] * 3, Lane.ALARM]]
    for number in range(1000):
        journal.append_nowait(draft(Lane.TELEMETRY, number))
    await until(journal, lambda: journal.pending == 0)
    assert len(commits) == 2, "many wait for nothing"
    journal.append_nowait(draft(Lane.TELEMETRY))
    await journal.close()
    assert commits[2] == [Lane.TELEMETRY], "and the last at the end"


async def test_a_confirmation_waits_for_a_commit_that_it_shares_and_holds_up_none(tmp_path: Path) -> None:
    commits: list[tuple[int, int]] = []
    clock = ManualClock()
    async with opened(tmp_path, Limits(confirmation_wait_s=5), clock) as journal:
        first = await journal.append(draft(Lane.ALARM))
        journal.on_commit(lambda written: commits.append((len(written), journal.lanes[Lane.ALARM].confirmed)))
        confirming = asyncio.create_task(journal.confirm(Lane.ALARM, 1, first.digest))
        await clock.settle()
        assert await journal.peek(Lane.ALARM, 0, 1) == (first,), "a question is answered meanwhile"
        assert not confirming.done()
        await journal.append(draft(Lane.ACCESS))
        await confirming
        assert [commit for commit in commits if commit[1]] == [(1, 1)], "the entry and the confirmation"
        last = asyncio.create_task(journal.confirm(Lane.ACCESS, 1, None))
        await clock.settle()
    await last
    async with opened(tmp_path) as journal:
        assert journal.lanes[Lane.ACCESS].confirmed == 1, "and the last at the end"


async def test_a_confirmation_is_written_when_its_time_is_up(tmp_path: Path) -> None:
    clock = ManualClock()
    async with opened(tmp_path, Limits(confirmation_wait_s=5, telemetry_wait_s=60), clock) as journal:
        await journal.append(draft(Lane.ALARM))
        journal.append_nowait(draft(Lane.TELEMETRY))
        confirming = asyncio.create_task(journal.confirm(Lane.ALARM, 1, None))
        await clock.settle()
        for seconds in (0.0, 4.5):
            await clock.advance(seconds)
            await journal.peek(Lane.ALARM, 0, 1)  # the thread looks at the clock
            assert not confirming.done()
        await clock.advance(0.5)
        await journal.peek(Lane.ALARM, 0, 1)
        await confirming
        assert journal.lanes[Lane.TELEMETRY].last == 1, "it takes along what waits for longer"


async def test_telemetry_is_written_when_its_time_is_up(tmp_path: Path) -> None:
    async with opened(tmp_path, Limits(telemetry_wait_s=0.05)) as journal:
        journal.append_nowait(draft(Lane.TELEMETRY))
        await until(journal, lambda: journal.pending == 0)
        assert journal.lanes[Lane.TELEMETRY].last == 1
