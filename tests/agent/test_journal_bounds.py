"""Bounded disk: what goes first, what never goes, and that everything given up is declared."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.events import Lane
from agent.journal import Bodies, Draft, Entry, Health, Limits, RefusedError, Storing
from agent.journal.database import Database, StorageError
from agent.journal.opening import Opened, open_store
from agent.journal.store import DROPPABLE, Store
from tests.conftest import need
from tests.journal import declared, draft, dropped, everything, opened, prove_whole, until

SMALL = Limits(max_bytes=1 << 20, alarm_reserve_bytes=128 << 10, chunk=50, keep_confirmed=1000)


async def test_over_the_bytes_confirmed_entries_go_before_waiting_ones(tmp_path: Path) -> None:
    async with opened(tmp_path, SMALL) as journal:
        for n in range(300):
            journal.append_nowait(draft(Lane.ACCESS, n, size=1000))
        await until(journal, lambda: journal.pending == 0)
        await journal.confirm(Lane.ACCESS, 250, None)
        for n in range(400):
            await journal.append(draft(Lane.TELEMETRY, n, size=1000))
        assert not any((await declared(journal)).values())
        assert journal.lanes[Lane.ACCESS].oldest > 50
        assert journal.lanes[Lane.ACCESS].waiting == 50
        assert journal.health == Health()
        await prove_whole(journal)


async def test_the_lowest_lane_is_dropped_first_and_declared_in_the_ledger(tmp_path: Path) -> None:
    async with opened(tmp_path, SMALL) as journal:
        for lane in (Lane.ACCESS, Lane.ALARM, Lane.TELEMETRY):
            await asyncio.gather(*(journal.append(draft(lane, n, size=1000)) for n in range(200)))
        await asyncio.gather(*(journal.append(draft(Lane.ACCESS, n, size=1000)) for n in range(150)))
        gone = await declared(journal)
        assert gone[Lane.TELEMETRY] == set(range(1, max(gone[Lane.TELEMETRY]) + 1))
        assert not gone[Lane.ALARM]
        assert not gone[Lane.ACCESS]
        assert journal.lanes[Lane.ALARM].waiting == 200
        await prove_whole(journal)
        before = dict(journal.lanes)
    async with opened(tmp_path, SMALL) as journal:
        assert dict(journal.lanes) == before


async def test_what_is_in_flight_is_not_dropped_and_receipts_pass_over_the_gap(tmp_path: Path) -> None:
    async with opened(tmp_path, SMALL) as journal:
        journal.hold(Lane.TELEMETRY, 30)
        for _ in range(12):
            await asyncio.gather(*(journal.append(draft(Lane.TELEMETRY, n, size=1000)) for n in range(100)))
        gone = (await declared(journal))[Lane.TELEMETRY]
        assert min(gone) == 31
        edge = max(gone)
        assert [e.sequence for e in await journal.peek(Lane.TELEMETRY, 29, 2)] == [30, edge + 1]
        await journal.confirm(Lane.TELEMETRY, 35, None)
        assert journal.lanes[Lane.TELEMETRY].confirmed == 0
        await journal.confirm(Lane.TELEMETRY, edge, None)
        state = journal.lanes[Lane.TELEMETRY]
        assert (state.confirmed, state.waiting) == (edge, state.last - edge)
        await prove_whole(journal)


async def test_when_only_alarms_are_left_the_rest_is_refused_aloud_and_alarms_use_their_reserve(tmp_path: Path) -> None:
    async with opened(tmp_path, SMALL) as journal:
        for _ in range(4):
            await asyncio.gather(*(journal.append(draft(Lane.ALARM, n, size=1000)) for n in range(170)))
        with pytest.raises(RefusedError):
            await journal.append(draft(Lane.TELEMETRY, 1, size=1000))
        assert (journal.health.state, journal.health.refused) == (Storing.FULL, 1)
        assert journal.health.hint
        await journal.append(draft(Lane.ALARM, 1, size=1000))
        await journal.confirm(Lane.ALARM, 680, None)
        await journal.append(draft(Lane.TELEMETRY, 2, size=1000))
        assert journal.health == Health(refused=1)
        await prove_whole(journal)


async def test_over_the_number_of_entries_the_oldest_go(tmp_path: Path) -> None:
    async with opened(tmp_path, Limits(max_entries=500, chunk=50)) as journal:
        for n in range(1200):
            journal.append_nowait(draft(Lane.TELEMETRY, n))
            if n % 100 == 0:
                await journal.append(draft(Lane.ALARM, n))
        await until(journal, lambda: journal.pending == 0)
        assert sum(state.waiting for state in journal.lanes.values()) <= 501
        assert (await everything(journal, Lane.TELEMETRY))[-1].sequence == 1200
        await prove_whole(journal)


# ---------------------------------------------------------------- any history

Step = tuple[str, Lane, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "write", "confirm", "hold", "abort", "tidy", "restart"]),
        st.sampled_from([Lane.ALARM, Lane.LEDGER, Lane.ACCESS, Lane.TELEMETRY, Lane.MEDIA]),
        st.integers(1, 60),
    ),
    max_size=25,
)
TINY = Limits(max_bytes=1 << 30, max_entries=150, chunk=16, keep_confirmed=40)


class History:
    """Drives a store through steps, and remembers what was written, in plain Python."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.held: dict[Lane, int] = {}
        self.bodies: dict[tuple[Lane, int], bytes] = {}
        self.ledger: dict[int, Entry] = {}
        self.numbers = 0
        self.opened = self._open()

    def _open(self) -> Opened:
        found = open_store(self.folder, TINY, Bodies(), lambda: "test", clean=True)
        found.store.in_flight = self.held
        return found

    def take(self, step: Step) -> None:
        what, lane, amount = step
        store = self.opened.store
        state = store.states()[lane]
        match what:
            case "write":
                drafts = [self._draft(lane) for _ in range(amount)]
                with store.transaction():
                    written = store.write(drafts)
                self._remember(drafts, written)
            case "confirm":
                entries = store.peek(lane, state.confirmed, amount, 1 << 30)
                if entries:
                    with store.transaction():
                        store.confirm(lane, entries[-1].sequence, entries[-1].digest)
            case "hold":
                self.held[lane] = state.confirmed + amount
            case "abort":
                with pytest.raises(StorageError):
                    _break_off(store, [self._draft(lane)] * amount)
                assert store.states()[lane] == state
            case "tidy":
                with store.transaction():
                    store.tidy(amount)
            case "restart":
                before = store.states()
                self.opened.database.close()
                self.opened = self._open()
                assert self.opened.store.states() == before

        self.ledger |= {entry.sequence: entry for entry in self.opened.store.peek(Lane.LEDGER, 0, 100_000, 1 << 30)}

    def _draft(self, lane: Lane) -> Draft:
        self.numbers += 1
        return draft(lane, self.numbers)

    def _remember(self, drafts: list[Draft], written: list[Entry | None]) -> None:
        for asked, entry in zip(drafts, written, strict=True):
            if entry is None:
                assert asked.lane is not Lane.ALARM
            else:
                assert entry.body == asked.body
                self.bodies[entry.lane, entry.sequence] = entry.body

    def prove(self, store: Store) -> None:
        for lane, state in store.states().items():
            for entry in store.peek(lane, 0, 100_000, 1 << 30):
                assert self.bodies.get((lane, entry.sequence), entry.body) == entry.body
            if lane not in DROPPABLE:
                waiting = store.peek(lane, state.confirmed, 100_000, 1 << 30)
                assert [e.sequence for e in waiting] == list(range(state.confirmed + 1, state.last + 1))


def _break_off(store: Store, drafts: list[Draft]) -> None:
    with store.transaction():
        store.write(drafts)
        raise StorageError("pulled the plug")


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_after_any_history_every_number_is_confirmed_waiting_or_declared(steps: list[Step]) -> None:
    with TemporaryDirectory() as name:
        history = History(Path(name))
        try:
            for step in steps:
                history.take(step)
            history.prove(history.opened.store)
        finally:
            history.opened.database.close()

        async def prove() -> None:
            untouched = Limits(keep_confirmed=1_000_000, keep_days=1_000_000)
            async with opened(Path(name), untouched) as journal:
                await prove_whole(journal, dropped(history.ledger.values()))

        asyncio.run(prove())


# ---------------------------------------------------------------- a full and a failing disk


async def test_a_database_that_may_not_grow_gives_up_telemetry_for_alarms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Database, "used_bytes", lambda _: 0)  # so that SQLite itself meets the end of the file's room
    async with opened(tmp_path, Limits(max_bytes=2 << 20, alarm_reserve_bytes=0, chunk=100)) as journal:
        while not (await declared(journal))[Lane.TELEMETRY]:
            await asyncio.gather(*(journal.append(draft(Lane.TELEMETRY, n, size=1000)) for n in range(200)))
        for n in range(100):
            await journal.append(draft(Lane.ALARM, n, size=1000))
        assert journal.lanes[Lane.ALARM].waiting == 100
        assert not (await declared(journal))[Lane.ALARM]
        await prove_whole(journal)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    need(os.geteuid() == 0 and shutil.which("mount"), "root, to mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=False, capture_output=True)
    need(done.returncode == 0, "the right to mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def _fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass


async def test_on_a_full_disk_alarms_wait_in_memory_and_are_written_when_there_is_room(small_disk: Path) -> None:
    async with opened(small_disk) as journal:
        for n in range(5):
            await journal.append(draft(Lane.ALARM, n, size=1000))
        ballast = small_disk / "ballast"
        _fill(ballast)
        tasks = [asyncio.create_task(journal.append(draft(Lane.ALARM, n, size=5000))) for n in range(100)]
        await until(journal, lambda: journal.health.state is Storing.FULL)
        assert "full" in journal.health.reason
        assert len(await journal.peek(Lane.ALARM, 0, 10)) == 5
        assert not any(task.done() for task in tasks)
        ballast.unlink()
        assert [(await task).sequence for task in tasks] == list(range(6, 106))
        assert journal.health == Health()
        await prove_whole(journal)
