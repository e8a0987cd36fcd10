"""The audit record: what was written is proven, and what is not what was written is found."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.audit import WHOLE_S, Anchor, AuditError, AuditLog, Head
from agent.events import Event, Kind, Lane
from tests.clock import ManualClock


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    return AuditLog(tmp_path / "audit.log", ManualClock())


def fill(log: AuditLog, count: int = 5) -> list[Head]:
    return [log.append("guard", "snapshot.shown", snapshot=f"s{n}", reason="看一下") for n in range(count)]


def test_records_come_back_in_order_and_the_head_proves_them(log: AuditLog) -> None:
    heads = fill(log)
    assert log.verify() == heads[-1]
    assert all(log.verify(known=head) == heads[-1] for head in heads)
    assert [(r.number, r.who, r.facts["snapshot"]) for r in log.records()] == [
        (n + 1, "guard", f"s{n}") for n in range(5)
    ]
    assert next(log.records()).at == "2026-03-01T08:00:00.000Z"
    assert log.path.stat().st_mode & 0o777 == 0o600


def test_without_trusted_time_a_record_has_its_uptime(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.log", ManualClock(utc=None))
    log.append("guard", "unlock")
    record = next(log.records())
    assert (record.at, record.uptime) == ("", "1000.000")


def test_every_single_change_is_found(log: AuditLog) -> None:
    """A byte changed anywhere, a record taken out, two exchanged."""
    head = fill(log, 3)[-1]
    good = log.path.read_bytes()
    for place in range(len(good)):
        log.path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        with pytest.raises(AuditError):
            log.verify(known=head)
    lines = good.splitlines(keepends=True)
    for order in ([0, 2], [1, 2], [0, 2, 1]):
        log.path.write_bytes(b"".join(lines[n] for n in order))
        with pytest.raises(AuditError):
            log.verify()


def test_a_record_written_anew_as_a_whole_is_found_by_what_was_told(log: AuditLog) -> None:
    told = fill(log)[2]
    log.path.unlink()
    fill(log, 1)
    log.append("guard", "another")
    log.append("guard", "story")
    log.verify()
    with pytest.raises(AuditError, match="record 3"):
        log.verify(known=told)


def test_a_line_that_a_power_cut_left_half_was_never_promised(log: AuditLog) -> None:
    heads = fill(log)
    whole = log.path.read_bytes()
    half = whole.splitlines(keepends=True)[-1]
    for cut in range(1, len(half)):
        log.path.write_bytes(whole[:-cut])
        assert log.verify() == heads[-2]
    assert log.append("guard", "next").count == 5
    assert log.verify().count == 5


def test_a_damaged_end_is_not_written_on(log: AuditLog) -> None:
    fill(log)
    with log.path.open("ab") as file:
        file.write(b"no record\n")
    with pytest.raises(AuditError) as raised:
        log.append("guard", "next")
    assert "as evidence" in raised.value.hint


def test_a_disk_that_refuses_is_said_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file where the folder should be")
    with pytest.raises(AuditError, match="nothing can be recorded") as raised:
        AuditLog(tmp_path / "folder" / "audit.log", ManualClock()).append("guard", "unlock")
    assert "gatehouse" in raised.value.hint


def test_a_record_that_is_too_long_is_refused(log: AuditLog) -> None:
    with pytest.raises(ValueError, match="longer than"):
        log.append("guard", "unlock", reason="x" * 5000)
    assert log.verify() == Head()


def test_several_write_the_same_record_and_none_is_lost(log: AuditLog) -> None:
    def write(who: str) -> None:
        for _ in range(20):
            AuditLog(log.path, ManualClock()).append(who, "unlock")

    writers = [threading.Thread(target=write, args=(f"writer-{n}",)) for n in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert log.verify().count == 60


async def test_a_look_proves_what_is_new_and_once_a_day_all_of_it(
    log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, said, read = ManualClock(), list[Event](), list[bytes]()
    lines = AuditLog._lines

    def counted(self: AuditLog, start: int = 0) -> Iterator[bytes]:
        for line in lines(self, start):
            read.append(line)
            yield line

    monkeypatch.setattr(AuditLog, "_lines", counted)
    anchor = Anchor(log, clock, said.append)
    for count in (50, 3, 2):
        fill(log, count)
        read.clear()
        await anchor.look()
        assert len(read) == count
    assert [event.data["count"] for event in said] == [50, 53, 55]
    log.path.write_bytes(log.path.read_bytes().replace(b'"s7"', b'"s8"', 1))
    await clock.advance(WHOLE_S)
    await anchor.look()
    assert (said[-1].kind, "record 8" in str(said[-1].data["reason"])) == (Kind.AUDIT_DAMAGED, True)


async def test_the_head_is_told_when_it_grew_and_damage_once(log: AuditLog) -> None:
    clock, said = ManualClock(), list[Event]()
    anchor = Anchor(log, clock, said.append)
    await anchor.look()
    assert not said, "nothing recorded, nothing told"
    head = fill(log)[-1]
    await anchor.look()
    await anchor.look()
    assert [(e.kind, e.info.lane, e.data) for e in said] == [
        (Kind.AUDIT_ANCHORED, Lane.LEDGER, {"count": 5, "chain": head.chain})
    ]
    log.path.write_bytes(b"".join(log.path.read_bytes().splitlines(keepends=True)[:-1]))
    for _ in range(3):
        await anchor.look()
    assert [e.kind for e in said[1:]] == [Kind.AUDIT_DAMAGED]
    assert "record 5" in str(said[-1].data["reason"])
