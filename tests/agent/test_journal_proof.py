"""The proof: whole journals are proven whatever has happened to them, and every single change is found."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from agent.events import Kind, Lane
from agent.journal import Draft, Journal, Limits
from agent.journal.database import StorageError
from agent.journal.proof import LaneProof, prove
from agent.journal.reading import moment
from drivers.base import SystemClock
from tests.journal import opened, until

FILE = "journal.db"
KIND_OF = {
    Lane.ALARM: Kind.SMOKE,
    Lane.FAULT: Kind.DEVICE_FAULT,
    Lane.LEDGER: Kind.AGENT_STARTED,
    Lane.ACCESS: Kind.ACCESS_GRANTED,
    Lane.TELEMETRY: Kind.READINGS,
    Lane.MEDIA: Kind.ACCESS_DENIED,
}
TINY = Limits(max_entries=120, chunk=16, keep_confirmed=30)


def draft(lane: Lane, number: int, size: int = 0) -> Draft:
    kind = KIND_OF[lane]
    return Draft(lane, kind, b'{"type":"gatehouse.%s","n":%d,"x":"%s"}' % (kind.encode(), number, b"x" * size))


# ---------------------------------------------------------------- any history, and any single change of it

Step = tuple[str, Lane, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "write", "confirm", "hold", "renew", "restart"]),
        st.sampled_from(list(Lane)),
        st.integers(1, 60),
    ),
    min_size=3,
    max_size=14,
)


async def settled(journal: Journal) -> None:
    await until(journal, lambda: journal.pending == 0)


async def grown(journal: Journal, upto: int) -> None:
    await until(journal, lambda: journal.lanes[Lane.TELEMETRY].last > upto)


async def live(folder: Path, steps: list[Step]) -> None:
    journal = await Journal.open(folder, TINY, SystemClock())
    number = 0
    try:
        for what, lane, amount in [("write", Lane.TELEMETRY, 60), *steps, ("write", Lane.ALARM, 1)]:
            state = journal.lanes[lane]
            match what:
                case "write":
                    for _ in range(amount):
                        number += 1
                        journal.append_nowait(draft(lane, number))
                    await settled(journal)
                case "confirm":
                    await journal.confirm(lane, min(state.last, state.confirmed + amount), None)
                case "hold":
                    journal.hold(lane, state.confirmed + amount)
                case "renew":
                    await journal.renew("as asked")
                case "restart":
                    await journal.close()
                    journal = await Journal.open(folder, TINY, SystemClock())
    finally:
        await journal.close()


Change = Callable[[sqlite3.Connection, Random], bool]
"""Changes one thing; False when there is nothing of the kind to change."""


def pick(connection: sqlite3.Connection, dice: Random, sql: str) -> tuple[object, ...] | None:
    found = connection.execute(sql).fetchall()
    return dice.choice(found) if found else None


def some_entry(connection: sqlite3.Connection, dice: Random, where: str = "1") -> tuple[object, ...] | None:
    every = " UNION ALL ".join(f"SELECT '{lane}', sequence, kind, body, digest FROM entry_{lane}" for lane in Lane)
    return pick(connection, dice, f"SELECT * FROM ({every}) WHERE {where}")


def flipped(content: object, dice: Random) -> bytes:
    assert isinstance(content, bytes)
    place = dice.randint(0, len(content) - 1)
    return content[:place] + bytes([content[place] ^ 1 << dice.randint(0, 7)]) + content[place + 1 :]


def flip_body(connection: sqlite3.Connection, dice: Random) -> bool:
    lane, sequence, _, body, _ = some_entry(connection, dice) or (None,) * 5
    connection.execute(f"UPDATE entry_{lane} SET body = ? WHERE sequence = ?", (flipped(body, dice), sequence))
    return True


def flip_digest(connection: sqlite3.Connection, dice: Random) -> bool:
    lane, sequence, _, _, digest = some_entry(connection, dice) or (None,) * 5
    connection.execute(f"UPDATE entry_{lane} SET digest = ? WHERE sequence = ?", (flipped(digest, dice), sequence))
    return True


def delete_entry(connection: sqlite3.Connection, dice: Random) -> bool:
    lane, sequence, *_ = some_entry(connection, dice) or (None,) * 5
    connection.execute(f"DELETE FROM entry_{lane} WHERE sequence = ?", (sequence,))
    return True


def add_entry(connection: sqlite3.Connection, dice: Random) -> bool:
    lane, _, kind, body, digest = some_entry(connection, dice) or (None,) * 5
    taken = {row[0] for row in connection.execute(f"SELECT sequence FROM entry_{lane}")}
    sequence = dice.choice([n for n in range(1, max(taken) + 3) if n not in taken])
    connection.execute(f"INSERT INTO entry_{lane} VALUES (?, ?, ?, ?)", (sequence, kind, body, digest))
    return True


def refile_entry(connection: sqlite3.Connection, dice: Random) -> bool:
    found = some_entry(connection, dice, 'CAST(body AS TEXT) LIKE \'{"type":"gatehouse.%\'')
    lane, sequence, *_ = found or (None,) * 5
    connection.execute(f"UPDATE entry_{lane} SET kind = 'fire' WHERE sequence = ?", (sequence,))
    return True


def remove_tombstone(connection: sqlite3.Connection, dice: Random) -> bool:
    found = some_entry(connection, dice, f"kind = '{Kind.ENTRIES_DROPPED}'")
    if found is not None:
        connection.execute("DELETE FROM entry_ledger WHERE sequence = ?", (found[1],))
    return found is not None


def move_cursor(connection: sqlite3.Connection, dice: Random) -> bool:
    found = pick(connection, dice, "SELECT lane, last, confirmed FROM lane")
    assert found is not None
    column = dice.choice(["last", "confirmed"])
    by = dice.choice([-7, -1, 1, 7])
    connection.execute(f"UPDATE lane SET {column} = {column} + ? WHERE lane = ?", (by, found[0]))
    return True


def flip_cursor(connection: sqlite3.Connection, dice: Random) -> bool:
    column = dice.choice(["digest", "confirmed_digest"])
    found = pick(connection, dice, f"SELECT lane, {column} FROM lane")
    assert found is not None
    connection.execute(f"UPDATE lane SET {column} = ? WHERE lane = ?", (flipped(found[1], dice), found[0]))
    return True


def change_range(connection: sqlite3.Connection, dice: Random) -> bool:
    """The digest between two ranges is borne out by the tombstone alone, while the ledger keeps it."""
    found = pick(connection, dice, "SELECT lane, first, last, digest FROM dropped WHERE first > 0")
    if found is None:
        return False
    lane, first, last, digest = found
    where = (lane, first)
    assert isinstance(last, int)
    borne_out = (
        connection.execute("SELECT 1 FROM dropped WHERE lane = ? AND first = ?", (lane, last + 1)).fetchone() is None
    )
    match dice.choice(["delete", "first", "last", *["digest"] * borne_out]):
        case "delete":
            connection.execute("DELETE FROM dropped WHERE lane = ? AND first = ?", where)
        case "digest":
            connection.execute(
                "UPDATE dropped SET digest = ? WHERE lane = ? AND first = ?", (flipped(digest, dice), *where)
            )
        case column:
            by = dice.choice([-1, 1])
            sql = f"UPDATE OR IGNORE dropped SET {column} = {column} + ? WHERE lane = ? AND first = ?"
            return connection.execute(sql, (by, *where)).rowcount == 1
    return True


def change_released(connection: sqlite3.Connection, dice: Random) -> bool:
    found = pick(connection, dice, "SELECT lane, last, digest FROM dropped WHERE first = 0")
    if found is None:
        return False
    if dice.random() < 0.5:
        by = dice.choice([-1, 1])
        connection.execute("UPDATE dropped SET last = last + ? WHERE lane = ? AND first = 0", (by, found[0]))
    else:
        changed = flipped(found[2], dice)
        connection.execute("UPDATE dropped SET digest = ? WHERE lane = ? AND first = 0", (changed, found[0]))
    return True


CHANGES: list[Change] = [
    flip_body,
    flip_digest,
    delete_entry,
    add_entry,
    refile_entry,
    remove_tombstone,
    move_cursor,
    flip_cursor,
    change_range,
    change_released,
]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.generate])
@given(STEPS, st.integers(0, 1 << 30))
def test_any_history_is_proven_and_any_single_change_of_it_is_found(steps: list[Step], seed: int) -> None:
    dice = Random(seed)
    with TemporaryDirectory() as name:
        path = Path(name) / FILE
        asyncio.run(live(Path(name), steps))
        before = sorted(entry.name for entry in path.parent.iterdir())
        found = prove(path)
        assert not found.flaws
        assert sorted(entry.name for entry in path.parent.iterdir()) == before, "leaves no trace"
        for change in CHANGES * 2:
            copy = Path(name) / "copy.db"
            shutil.copyfile(path, copy)
            with closing(sqlite3.connect(copy)) as connection, connection:
                changed = change(connection, dice)
            if changed:
                assert prove(copy).flaws, change.__name__


# ---------------------------------------------------------------- beside a running agent, and on a copied card


def lanes_of(path: Path) -> dict[Lane, LaneProof]:
    found = prove(path)
    assert not found.flaws
    return {lane.lane: lane for lane in found.lanes}


async def test_a_journal_is_proven_while_it_is_written_confirmed_and_dropped(tmp_path: Path) -> None:
    async with opened(tmp_path, TINY) as journal:
        busy = True

        async def write() -> None:
            number = 0
            while busy:
                for _ in range(20):
                    number += 1
                    journal.append_nowait(draft(Lane.TELEMETRY, number, size=300))
                entry = await journal.append(draft(Lane.ACCESS, number))
                await journal.confirm(Lane.ACCESS, entry.sequence, entry.digest)

        writing = asyncio.create_task(write())
        await grown(journal, 200)
        for _ in range(5):
            before = journal.lanes[Lane.TELEMETRY].last
            found = await asyncio.to_thread(lanes_of, tmp_path / FILE)
            assert found[Lane.TELEMETRY].last >= before
            await grown(journal, before + 100)
        busy = False
        await writing
        assert found[Lane.TELEMETRY].dropped


async def test_a_card_taken_out_while_the_agent_ran_is_proven_with_its_log(tmp_path: Path) -> None:
    card = tmp_path / "card"
    async with opened(tmp_path / "journal") as journal:
        for number in range(50):
            await journal.append(draft(Lane.ALARM, number))
        shutil.copytree(tmp_path / "journal", card)
    assert (card / f"{FILE}-wal").stat().st_size
    assert lanes_of(card / FILE)[Lane.ALARM].waiting == 50


def pictured(name: str) -> Draft:
    return Draft(Lane.MEDIA, Kind.READINGS, b'{"type":"test","sha256":"%s"}' % name.encode())


async def test_a_picture_that_waits_and_is_not_whole_is_found(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        for shown in (b"one", b"two", b"three"):
            await journal.append_picture(shown, pictured)
    assert prove(tmp_path / FILE).pictures == 3
    one, two, _ = sorted((tmp_path / "media").iterdir())
    one.unlink()
    two.write_bytes(b"another")
    found = prove(tmp_path / FILE)
    assert {str(flaw.what) for flaw in found.flaws} == {"its picture is missing", "its picture is damaged"}
    assert found.pictures == 1


async def test_a_file_that_changes_under_a_reader_who_cannot_see_it_is_no_damage(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await journal.append(draft(Lane.ALARM, 1))
    with pytest.raises(StorageError, match="has changed while it was read"), moment(tmp_path / FILE):
        async with opened(tmp_path) as journal:
            await journal.append(draft(Lane.ALARM, 2))
