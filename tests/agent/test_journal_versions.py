"""Files of other versions: every schema there was is taken over with all it holds, and goes back to the one before."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agent.events import Lane
from agent.journal import Bodies, Limits, Origin, first_digest, next_digest, opening
from agent.journal.proof import prove
from agent.journal.schema import FIRST, STEPS, Step, newest
from tests.journal import draft, everything, opened, prove_whole

SCHEMAS = Path(__file__).parent / "journal_schemas"
SHAPE = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"


def lay_out(folder: Path, schema: int) -> Path:
    """A file as that schema's program left it."""
    path = folder / opening.FILE
    with closing(sqlite3.connect(path)) as database:
        database.executescript((SCHEMAS / f"schema-{schema}.sql").read_text())
    return path


def ask(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(sql).fetchall()


def test_there_is_a_file_of_every_schema() -> None:
    older = {FIRST, *(step.schema for step in STEPS)} - {newest()}
    assert {int(file.stem.removeprefix("schema-")) for file in SCHEMAS.iterdir()} >= older


@pytest.mark.parametrize("schema", sorted(int(file.stem.removeprefix("schema-")) for file in SCHEMAS.iterdir()))
async def test_a_file_of_an_older_schema_goes_on_with_all_it_holds(tmp_path: Path, schema: int) -> None:
    path = lay_out(tmp_path, schema)
    ((epoch,),) = ask(path, "SELECT epoch FROM about")
    held = {lane: ask(path, f"SELECT sequence, kind, body, digest FROM entry_{lane}") for lane in Lane}
    assert all(held[lane] for lane in (Lane.ALARM, Lane.LEDGER, Lane.ACCESS, Lane.TELEMETRY))
    assert not prove(path).flaws, "a technician reads it as it is"
    async with opened(tmp_path) as journal:
        assert (journal.birth.origin, journal.epoch) == (Origin.CONTINUED, epoch)
        for lane in Lane:
            entries = await everything(journal, lane)
            assert [(e.sequence, e.kind, e.body, e.digest) for e in entries] == held[lane]
        await journal.append(draft(Lane.ALARM))
        await journal.append(draft(Lane.TELEMETRY))
    assert not prove(path).flaws
    assert ask(path, "PRAGMA application_id") != [(0,)]


async def test_the_previous_release_goes_on_with_a_file_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes no step it does not know, and writes by position what it has always written."""
    path = lay_out(tmp_path, FIRST)
    shape = ask(path, SHAPE)
    async with opened(tmp_path) as journal:
        await journal.append(draft(Lane.ALARM))
    assert set(shape) <= set(ask(path, SHAPE)), "a step only adds"
    previous = STEPS[-2].schema if len(STEPS) > 1 else FIRST
    assert STEPS[-1].readable_by <= previous
    assert ask(path, "PRAGMA user_version") == [(STEPS[-1].readable_by,)]
    with monkeypatch.context() as patch:
        patch.setattr(opening, "newest", lambda: previous)
        async with opened(tmp_path) as journal:
            assert journal.birth.origin is Origin.CONTINUED
            entry = await journal.append(draft(Lane.ALARM))
            await journal.confirm(Lane.ALARM, entry.sequence, entry.digest)
    async with opened(tmp_path) as journal:
        assert journal.birth.origin is Origin.CONTINUED
        assert journal.lanes[Lane.ALARM].confirmed == entry.sequence
    assert not prove(path).flaws


async def test_a_file_of_the_next_release_goes_on_here_where_that_release_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        epoch = journal.epoch
    path = tmp_path / opening.FILE
    found = opening.open_store(tmp_path, Limits(), Bodies(), lambda: "", clean=True)
    with closing(found.database), found.database.transaction():
        found.database.migrate((*STEPS, Step(newest() + 1, newest(), ("CREATE TABLE more (what TEXT)",))))
    ((level,),) = ask(path, "PRAGMA application_id")
    with closing(sqlite3.connect(path)) as database, database:
        kind = "a.kind.of.tomorrow"
        body = b'{"type":"gatehouse.%s"}' % kind.encode()
        digest = next_digest(first_digest(epoch, Lane.FAULT), body)
        database.execute("INSERT INTO entry_fault VALUES (1, ?, ?, ?)", (kind, body, digest))
        first = first_digest(epoch, Lane.FAULT)
        database.execute("REPLACE INTO lane VALUES ('fault', 1, ?, 0, ?)", (digest, first))
        database.execute("REPLACE INTO dropped VALUES ('fault', 0, 0, ?)", (first,))
    async with opened(tmp_path) as journal:
        assert (journal.birth.origin, journal.epoch) == (Origin.CONTINUED, epoch)
        (entry,) = await everything(journal, Lane.FAULT)
        assert (entry.kind, entry.body) == (kind, body), "it is sent like any other"
        await journal.append(draft(Lane.FAULT))
        await prove_whole(journal)
    assert ask(path, "PRAGMA application_id") == [(level,)], "and stays a file of that release"
    assert not prove(path).flaws
