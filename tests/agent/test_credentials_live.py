"""The running agent's list: a new one is taken without a restart, a bad one never."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.credentials import Cards, TimeFloor, add_card, key_path, remove_card
from agent.credentials.live import LOOK_EVERY_S, never
from drivers.base import Card
from tests.clock import ManualClock

CARD = Card(26, 12345678)
NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cards.json"


class Watched:
    """A list that looks at its file whenever the test says so."""

    def __init__(self, path: Path, floor: TimeFloor | None = None) -> None:
        self.cards = Cards.open(path, holds=never, floor=floor)
        self.clock = ManualClock()
        self.changes = 0
        self.cards.on_change = self._changed

    def _changed(self) -> None:
        self.changes += 1

    async def look(self) -> None:
        """One look from its beginning to its end: it is over when the list sleeps again."""
        await self.clock.advance(LOOK_EVERY_S)
        async with asyncio.timeout(10):
            while self.clock.next_alarm_s is None:
                await self.clock.settle()

    def granted(self) -> bool:
        return self.cards.decide(CARD, "north", NOW).granted


@asynccontextmanager
async def watched(path: Path, floor: TimeFloor | None = None) -> AsyncIterator[Watched]:
    made = Watched(path, floor)
    task = asyncio.create_task(made.cards.run(made.clock), name="cards")
    try:
        await made.look()
        yield made
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_new_list_is_taken_without_a_restart(path: Path) -> None:
    add_card(path, Card(26, 1), "somebody")
    async with watched(path) as house:
        assert not house.granted()
        add_card(path, CARD, "3-502")
        assert not house.granted(), "not before it was looked at"
        await house.look()
        assert house.granted()
        remove_card(path, CARD)
        await house.look()
        assert not house.granted()
        assert (house.changes, house.cards.version, len(house.cards)) == (2, 3, 1)


@pytest.mark.parametrize("at_start", [True, False])
async def test_a_list_is_taken_once_its_key_is_back(path: Path, at_start: bool) -> None:
    if not at_start:
        add_card(path, Card(26, 1), "somebody")
    async with watched(path) as house:
        house.changes = 0
        add_card(path, CARD, "3-502")
        key = key_path(path).rename(path.with_name("elsewhere"))
        for _ in range(3):
            await house.look()
        assert house.cards.problem is not None
        assert house.changes == 1, "said once"
        key.rename(key_path(path))
        await house.look()
        assert house.granted()
        assert house.cards.problem is None


async def test_nothing_new_is_nothing_said(path: Path) -> None:
    add_card(path, CARD, "3-502")
    async with watched(path) as house:
        for _ in range(3):
            await house.look()
        assert house.changes == 0


async def test_a_bad_list_leaves_the_good_one_in_force_and_is_reported_once(path: Path) -> None:
    add_card(path, CARD, "3-502")
    good = path.read_bytes()
    async with watched(path) as house:
        path.write_bytes(good[:-5])
        for _ in range(3):
            await house.look()
        assert house.granted()
        assert house.changes == 1
        assert house.cards.problem is not None
        assert "damaged" in str(house.cards.problem)
        path.write_bytes(good)
        await house.look()
        assert house.changes == 2
        assert str(house.cards.problem) == "None"


async def test_a_list_that_is_gone_stays_in_force_and_is_reported(path: Path) -> None:
    add_card(path, CARD, "3-502")
    async with watched(path) as house:
        path.unlink()
        await house.look()
        assert house.granted()
        assert "no such card list" in str(house.cards.problem)


async def test_a_list_that_comes_later_ends_the_refusals(path: Path) -> None:
    async with watched(path) as house:
        assert "no such card list" in str(house.cards.problem)
        assert not house.granted()
        add_card(path, CARD, "3-502")
        await house.look()
        assert house.granted()
        assert house.cards.problem is None


async def test_the_floor_is_kept_beside_it(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "floor"
    floor = TimeFloor(file, ManualClock())
    floor.verify(NOW)
    async with watched(path, floor):
        assert file.read_text() == "2026-03-01T08:00:00+00:00\n"


async def test_a_floor_that_cannot_be_kept_is_said_and_stops_nothing(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    floor = TimeFloor(tmp_path / "file" / "floor", ManualClock())
    floor.verify(NOW)
    async with watched(path, floor) as house:
        assert "cannot be written" in caplog.text
        add_card(path, CARD, "3-502")
        await house.look()
        assert house.granted()


async def test_a_disk_that_hangs_holds_up_neither_decisions_nor_the_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_card(path, CARD, "3-502")
    hung, answers = threading.Event(), threading.Event()
    async with watched(path) as house:

        def hang(*_: object) -> bytes:
            hung.set()
            answers.wait(30)
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(Path, "read_bytes", hang)
        touch(path)
        await house.clock.advance(LOOK_EVERY_S)
        assert await asyncio.to_thread(hung.wait, 10)
        assert house.granted()
    answers.set()
    for thread in threading.enumerate():
        if thread.name == "cards":
            thread.join(10)


def touch(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\n")
