"""Pictures are files beside the journal: durable before their entry, bounded, and gone with it."""

import asyncio
import os
from pathlib import Path

import pytest

from agent.events import Kind, Lane
from agent.journal import Draft, Journal, Limits, RefusedError
from agent.journal.spool import MediaSpool, name_of
from tests.journal import declared, draft, opened, prove_whole, until

KB = 1 << 10
SMALL = Limits(media_bytes=10 * KB)


def jpeg(number: int, size: int = KB) -> bytes:
    return b"\xff\xd8" + number.to_bytes(4, "big") + bytes(size - 6)


def entry_of(name: str) -> Draft:
    return Draft(Lane.MEDIA, Kind.READINGS, b'{"type":"test","data":{"event":"alarm/1","sha256":"%s"}}' % name.encode())


def files(folder: Path) -> set[str]:
    return {path.name for path in (folder / "media").iterdir()}


def names(*numbers: int) -> set[str]:
    return {name_of(jpeg(number)) for number in numbers}


async def put(journal: Journal, *numbers: int) -> None:
    for number in numbers:
        await journal.append_picture(jpeg(number), entry_of)


async def test_a_picture_is_on_disk_with_its_entry_and_is_found_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        entry = await journal.append_picture(jpeg(1), entry_of)
        assert (entry.lane, entry.sequence) == (Lane.MEDIA, 1)
        assert name_of(jpeg(1)).encode() in entry.body
        assert await journal.picture(name_of(jpeg(1))) == jpeg(1)
        assert await journal.picture("../journal.db") is None
        assert files(tmp_path) == names(1)
    async with opened(tmp_path) as journal:
        assert await journal.picture(name_of(jpeg(1))) == jpeg(1)


async def test_a_confirmed_entry_takes_its_picture_with_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await put(journal, 1, 2, 3)
        await journal.confirm(Lane.MEDIA, 2, None)
        assert files(tmp_path) == names(3)
        assert await journal.picture(name_of(jpeg(1))) is None
        assert journal.lanes[Lane.MEDIA].oldest == 1


async def test_two_entries_may_show_the_same_picture(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await put(journal, 1, 1)
    async with opened(tmp_path) as journal:
        await journal.confirm(Lane.MEDIA, 1, None)
        assert files(tmp_path) == names(1)
        await journal.confirm(Lane.MEDIA, 2, None)
        assert files(tmp_path) == set()


async def test_over_the_budget_the_oldest_go_and_are_declared(tmp_path: Path) -> None:
    async with opened(tmp_path, SMALL) as journal:
        await put(journal, *range(15))
        assert files(tmp_path) == names(*range(5, 15))
        assert (await declared(journal))[Lane.MEDIA] == {1, 2, 3, 4, 5}
        await prove_whole(journal)


async def test_what_is_in_flight_stays_and_a_picture_without_room_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path, SMALL) as journal:
        await put(journal, *range(10))
        journal.hold(Lane.MEDIA, 10)
        with pytest.raises(RefusedError, match="no older one"):
            await put(journal, 10)
        assert (journal.health.refused, journal.pending) == (1, 0)
        assert files(tmp_path) == names(*range(10))
        journal.hold(Lane.MEDIA, 0)
        with pytest.raises(RefusedError):
            await journal.append_picture(jpeg(11, 11 * KB), entry_of)
        await put(journal, 10)
        await prove_whole(journal)


async def test_a_crash_between_file_and_entry_leaves_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await put(journal, 1)
    spool = MediaSpool(tmp_path / "media", KB * 10)
    spool.sweep(names(1))
    spool.put(jpeg(2))
    (tmp_path / "media" / (name_of(jpeg(3)) + ".part")).write_bytes(b"half")
    async with opened(tmp_path) as journal:
        assert files(tmp_path) == names(1)
        assert await journal.picture(name_of(jpeg(1))) == jpeg(1)


async def test_a_damaged_picture_is_none_and_its_entry_is_whole(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await put(journal, 1)
        (tmp_path / "media" / name_of(jpeg(1))).write_bytes(jpeg(7))
        assert await journal.picture(name_of(jpeg(1))) is None
        await prove_whole(journal)


async def test_a_picture_the_disk_refuses_is_refused_at_once_and_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as journal:
        with monkeypatch.context() as patch:

            def refuse(_: object, __: object) -> None:
                raise OSError(5, os.strerror(5))

            patch.setattr(Path, "replace", refuse)
            with pytest.raises(RefusedError, match="Input/output error"):
                await put(journal, 1)
        assert files(tmp_path) == set()
        await journal.append(draft(Lane.ALARM))
        await put(journal, 1)
        assert journal.lanes[Lane.MEDIA].last == 1


async def test_a_media_folder_that_cannot_be_used_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "media").write_text("in the way")
    async with opened(tmp_path) as journal:
        with pytest.raises(RefusedError):
            await put(journal, 1)
        (tmp_path / "media").unlink()
        await put(journal, 1)
        assert files(tmp_path) == names(1)


async def test_pictures_in_memory_are_bounded(tmp_path: Path) -> None:
    async with opened(tmp_path, Limits(pictures=3)) as journal:
        puts = await asyncio.gather(*(put(journal, n) for n in range(20)), return_exceptions=True)
        refused = sum(isinstance(found, RefusedError) for found in puts)
        assert 0 < refused <= 17
        await until(journal, lambda: journal.pending == 0)
        assert journal.lanes[Lane.MEDIA].last == 20 - refused
        assert journal.health.refused == refused


async def test_a_draft_that_does_not_name_its_picture_is_a_bug_of_the_caller(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        with pytest.raises(ValueError, match="sha256"):
            await journal.append_picture(jpeg(1), lambda _: draft(Lane.MEDIA))
        assert files(tmp_path) == set()
