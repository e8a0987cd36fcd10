"""Pictures at rest: sealed, gone when their time is over, and never readable without the key."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.snapshot_store import Kept, SnapshotError, SnapshotStore, lasting
from tests.clock import ManualClock

BOOT, OTHER_BOOT = "boot-1", "boot-2"
HOUR_S = 3600.0
BEGUN = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
JPEG = b"\xff\xd8\xff" + b"a face that is blurred" * 50 + b"\xff\xd9"
CAMERAS = frozenset({"cam"})


def store(folder: Path, clock: ManualClock, boot: str = BOOT, max_bytes: int = 1 << 20) -> SnapshotStore:
    return SnapshotStore(folder / "snapshots", folder / "snapshots.key", clock, boot, max_bytes)


def kept(clock: ManualClock, name: str = "a1", boot: str = BOOT, *, hidden: bool = False, camera: str = "cam") -> Kept:
    return lasting(name, camera, clock, boot, HOUR_S, hidden=hidden)


def test_a_picture_comes_back_and_its_copy_opens_too(tmp_path: Path) -> None:
    clock = ManualClock()
    sealed = store(tmp_path, clock).put(kept(clock), JPEG)
    assert store(tmp_path, clock).open("a1") == JPEG
    assert store(tmp_path, clock).open("a1", sealed) == JPEG
    assert [k.id for k in store(tmp_path, clock).kept()] == ["a1"]


def test_nothing_of_it_can_be_read_on_the_disk(tmp_path: Path) -> None:
    clock = ManualClock()
    sealed = store(tmp_path, clock).put(kept(clock), JPEG)
    on_disk = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()) + sealed
    assert b"blurred" not in on_disk
    assert b"\xff\xd8\xff" not in sealed[:20]
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*") if path.is_file()}
    assert modes == {"a1.snap": 0o600, "snapshots.key": 0o600}


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    clock = ManualClock()
    store(tmp_path, clock).put(kept(clock), JPEG)
    (tmp_path / "snapshots.key").write_text("00" * 32)
    with pytest.raises(SnapshotError, match="cannot be opened"):
        store(tmp_path, clock).open("a1")


@pytest.mark.parametrize("text", ["short", "zz" * 32])
def test_a_key_file_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "snapshots.key").write_text(text)
    (tmp_path / "snapshots.key").chmod(0o600)
    clock = ManualClock()
    with pytest.raises(SnapshotError, match="not a key") as raised:
        store(tmp_path, clock).put(kept(clock), JPEG)
    assert "copy" in raised.value.hint


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    clock = ManualClock()
    store(tmp_path, clock).put(kept(clock), JPEG)
    (tmp_path / "snapshots.key").chmod(0o644)
    with pytest.raises(SnapshotError) as raised:
        store(tmp_path, clock).open("a1")
    assert raised.value.hint.startswith("chmod 600")


def test_a_single_changed_byte_is_found(tmp_path: Path) -> None:
    clock = ManualClock()
    sealed = bytearray(store(tmp_path, clock).put(kept(clock), JPEG))
    sealed[40] ^= 1
    with pytest.raises(SnapshotError, match="cannot be opened"):
        store(tmp_path, clock).open("a1", bytes(sealed))


async def test_when_its_time_is_over_nobody_opens_it_and_it_is_gone(tmp_path: Path) -> None:
    clock = ManualClock()
    here = store(tmp_path, clock)
    sealed = here.put(kept(clock), JPEG)
    file = tmp_path / "snapshots" / "a1.snap"
    other_name = tmp_path / "the-same-blocks"
    os.link(file, other_name)
    await clock.advance(HOUR_S - 1)
    assert here.sweep(HOUR_S, CAMERAS) == 0
    await clock.advance(1)
    for copy in (None, sealed):
        with pytest.raises(SnapshotError, match="is gone"):
            here.open("a1", copy)
    assert list(here.kept()) == []
    assert here.sweep(HOUR_S, CAMERAS) == 1
    assert not file.exists()
    assert not other_name.read_bytes().strip(b"\0"), "overwritten before its name was removed"
    with pytest.raises(SnapshotError, match="is gone"):
        here.open("a1", sealed)


async def test_a_clock_that_is_set_back_keeps_nothing_longer(tmp_path: Path) -> None:
    clock = ManualClock()
    here = store(tmp_path, clock)
    here.put(kept(clock), JPEG)
    clock.set_utc(datetime(2020, 1, 1, tzinfo=UTC))
    await clock.advance(HOUR_S)
    assert here.sweep(HOUR_S, CAMERAS) == 1


async def test_a_picture_of_an_earlier_boot_goes_by_the_trusted_time(tmp_path: Path) -> None:
    clock = ManualClock()
    store(tmp_path, clock).put(kept(clock), JPEG)
    later = ManualClock(mono_s=5.0, utc=BEGUN + timedelta(minutes=59))
    after = store(tmp_path, later, OTHER_BOOT)
    assert after.sweep(HOUR_S, CAMERAS) == 0
    assert after.open("a1") == JPEG
    await later.advance(60)
    assert after.sweep(HOUR_S, CAMERAS) == 1


async def test_without_a_trusted_time_it_lasts_at_most_its_hours_after_the_next_start(tmp_path: Path) -> None:
    clock = ManualClock()
    store(tmp_path, clock).put(kept(clock), JPEG)
    later = ManualClock(mono_s=5.0, utc=None)
    after = store(tmp_path, later, OTHER_BOOT)
    assert after.sweep(HOUR_S, CAMERAS) == 0
    await later.advance(HOUR_S)
    assert after.sweep(HOUR_S, CAMERAS) == 1


def test_what_was_taken_without_any_time_ends_with_its_boot(tmp_path: Path) -> None:
    clock = ManualClock(utc=None)
    store(tmp_path, clock).put(kept(clock), JPEG)
    assert store(tmp_path, clock).sweep(HOUR_S, CAMERAS) == 0
    assert store(tmp_path, clock, OTHER_BOOT).sweep(HOUR_S, CAMERAS) == 1


def test_of_a_camera_that_no_longer_opts_in_nothing_stays(tmp_path: Path) -> None:
    clock = ManualClock()
    here = store(tmp_path, clock)
    here.put(kept(clock), JPEG)
    here.put(kept(clock, "b2", camera="other"), JPEG)
    assert here.sweep(HOUR_S, CAMERAS) == 1
    assert [k.camera for k in here.kept()] == ["cam"]


def test_the_oldest_go_when_there_is_no_room(tmp_path: Path) -> None:
    clock = ManualClock()
    here = store(tmp_path, clock, max_bytes=5 * len(JPEG))
    for n in range(9):
        here.put(kept(clock, f"s{n}"), JPEG)
        os.utime(tmp_path / "snapshots" / f"s{n}.snap", ns=(n, n))
    left = [k.id for k in here.kept()]
    assert 2 <= len(left) <= 4
    assert left[-1] == "s8"
    assert left == sorted(left)


def test_what_belongs_to_something_silent_is_not_listed(tmp_path: Path) -> None:
    clock = ManualClock()
    here = store(tmp_path, clock)
    here.put(kept(clock, hidden=True), JPEG)
    assert list(here.kept()) == []
    assert here.open("a1") == JPEG


def test_rubbish_in_the_folder_is_no_picture_and_goes(tmp_path: Path) -> None:
    clock = ManualClock()
    here = store(tmp_path, clock)
    here.put(kept(clock), JPEG)
    for n, rubbish in enumerate([b"", b"{}", b"[]\n", b"\xff\xfe", b'{"v":1,"id":3}\nx']):
        (tmp_path / "snapshots" / f"r{n}.snap").write_bytes(rubbish)
    assert [k.id for k in here.kept()] == ["a1"]
    assert here.sweep(HOUR_S, CAMERAS) == 5
    with pytest.raises(SnapshotError, match="is no snapshot"):
        here.open("../snapshots")


async def test_a_disk_that_refuses_to_delete_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    here = store(tmp_path, clock)
    here.put(kept(clock), JPEG)
    await clock.advance(HOUR_S)

    def refuse(_path: Path, **_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(SnapshotError, match="cannot be deleted: Read-only file system"):
        here.sweep(HOUR_S, CAMERAS)


async def test_one_that_cannot_be_deleted_keeps_no_other(tmp_path: Path) -> None:
    clock = ManualClock()
    for name in ("a1", "a2", "a3"):
        store(tmp_path, clock).put(kept(clock, name), JPEG)
    folder = tmp_path / "snapshots"
    (folder / "a1.snap").unlink()
    (folder / "a1.snap").mkdir()
    os.utime(folder / "a1.snap", (0, 0))
    await clock.advance(HOUR_S)
    with pytest.raises(SnapshotError, match="cannot be deleted"):
        store(tmp_path, clock).sweep(HOUR_S, CAMERAS)
    assert [path.name for path in folder.iterdir()] == ["a1.snap"]


def test_what_a_power_cut_left_half_written_goes(tmp_path: Path) -> None:
    clock = ManualClock()
    store(tmp_path, clock).put(kept(clock), JPEG)
    picture = tmp_path / "snapshots" / "a1.snap"
    (tmp_path / "snapshots" / ".b2.snap.new").write_bytes(picture.read_bytes())
    assert store(tmp_path, clock).sweep(HOUR_S, CAMERAS) == 1
    assert [path.name for path in picture.parent.iterdir()] == ["a1.snap"]


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        (b'"expires": "20', b'"expires": "xx'),
        (b'"hidden": false', b'"hidden": "yes"'),
        (b'"expires_mono_s": ', b'"x": '),
    ],
)
def test_a_picture_whose_words_are_damaged_goes(tmp_path: Path, said: bytes, instead: bytes) -> None:
    clock = ManualClock()
    store(tmp_path, clock).put(kept(clock), JPEG)
    picture = tmp_path / "snapshots" / "a1.snap"
    assert said in picture.read_bytes()
    picture.write_bytes(picture.read_bytes().replace(said, instead))
    assert list(store(tmp_path, clock).kept()) == []
    assert store(tmp_path, clock).sweep(HOUR_S, CAMERAS) == 1


def test_a_folder_that_cannot_be_listed_is_told(tmp_path: Path) -> None:
    (tmp_path / "snapshots").write_text("no folder")
    with pytest.raises(SnapshotError, match="snapshots"):
        store(tmp_path, ManualClock()).sweep(HOUR_S, CAMERAS)


def test_no_picture_takes_the_place_of_another(tmp_path: Path) -> None:
    clock = ManualClock()
    sealed = store(tmp_path, clock).put(kept(clock), JPEG)
    with pytest.raises(SnapshotError, match="already"):
        store(tmp_path, clock).put(kept(clock), b"\xff\xd8\xff another")
    assert store(tmp_path, clock).open("a1", sealed) == store(tmp_path, clock).open("a1") == JPEG
