"""`gatehouse journal`: what a technician sees, what nobody sees, and an export that a centre can take in."""

import asyncio
import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent import contract
from agent.cli import main
from agent.events import CATALOGUE, Event, Kind, Lane
from agent.journal import Draft, Limits
from agent.settings import Name
from drivers.base import DeviceId, PointId, Reading
from simulators.registry import Registry
from tests.journal import opened

GATEWAY = "gh-0001"
TOPICS = contract.Topics(f"610200/610202/610202001/610202001001/{GATEWAY}")
BOOT = "b" * 32
AT = datetime(2026, 11, 25, 8, 0, 1, tzinfo=UTC)
SILENT = [kind for kind, info in CATALOGUE.items() if info.silent]


def event(kind: Kind) -> Draft:
    name = Name(zh="北门", en="North gate")
    body = contract.event_body(Event(kind, "north-gate", 12.5), boot=BOOT, at=AT, name=name, grid=None)
    return Draft(CATALOGUE[kind].lane, kind, body)


def reading(level_mm: int) -> Draft:
    taken = Reading(DeviceId("pump"), PointId("level"), level_mm, 20.0)
    return Draft(Lane.TELEMETRY, Kind.READINGS, contract.reading_body(taken, "mm", boot=BOOT, at=None))


@pytest.fixture(autouse=True)
def _core_dumps_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.cli.forbid_core_dumps", lambda: None)  # it would hold for every test after this one


def journal(do: str, folder: Path, *more: str) -> int:
    return main(["journal", do, "--journal", str(folder), "--lang", "en", *more])


async def test_status_and_tail_say_what_happened_beside_a_running_agent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with opened(tmp_path) as running:
        await running.append(event(Kind.DOOR_FORCED))
        for _ in range(3):
            granted = await running.append(event(Kind.ACCESS_GRANTED))
        await running.append(reading(1250))
        await running.confirm(Lane.ACCESS, granted.sequence - 1, None)
        assert await asyncio.to_thread(journal, "status", tmp_path) == 0
        assert await asyncio.to_thread(journal, "tail", tmp_path) == 0
        assert await asyncio.to_thread(journal, "tail", tmp_path, "--lang", "zh", "--lane", "access", "-n", "1") == 0
    said = capsys.readouterr().out
    assert running.epoch in said
    assert "access: 3 written, confirmed up to 2, 3 kept, 1 waiting" in said
    assert "alarm: 1 kept, 1 waiting" in said
    assert "… 2026-11-25T08:00:01.000Z  Door forced  north-gate North gate" in said
    assert "2 ✓ 2026-11-25T08:00:01.000Z  Access granted" in said
    assert "1 … +20.000 s  pump/level = 1250 mm" in said
    assert said.count("准许通行  north-gate 北门") == 1


async def test_nothing_silent_is_shown_and_no_number_tells_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {}
    for name, silent in {"without": [], "with": SILENT}.items():
        async with opened(tmp_path / name) as running:
            for kind in (Kind.DOOR_FORCED, *silent, Kind.SMOKE, *silent, Kind.SMOKE_RESTORED):
                last = await running.append(event(kind))
            await running.append(Draft(Lane.ALARM, Kind.SMOKE, b'{"type":"gatehouse.smoke"}'))
            await running.confirm(Lane.ALARM, last.sequence, None)
        for do in ("status", "tail"):
            assert journal(do, tmp_path / name) == 0
        said[name] = capsys.readouterr().out.replace(running.epoch, "").replace(str(tmp_path / name), "")
    assert said["with"] == said["without"]
    assert "4 kept, 1 waiting" in said["with"]


async def test_verify_proves_a_sound_journal_and_names_what_was_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with opened(tmp_path, Limits(max_entries=60, chunk=8)) as running:
        for number in range(100):
            await running.append(reading(number))
        await running.append(event(Kind.DOOR_FORCED))
        waiting = running.lanes[Lane.TELEMETRY].waiting
    assert waiting < 60
    assert journal("verify", tmp_path) == 0
    said = capsys.readouterr().out
    assert f"1–100 = confirmed up to 0, {waiting} waiting, {100 - waiting} declared dropped" in said
    assert "Nothing is missing" in said
    file = tmp_path / "journal.db"
    file.write_bytes(file.read_bytes().replace(b"Door forced", b"Door opened"))
    assert journal("verify", tmp_path) == 1
    assert "✗ alarm/1: is not what was written" in capsys.readouterr().out


async def test_a_centre_takes_an_export_in_and_misses_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, Limits(max_entries=60, chunk=8)) as running:
        running.hold(Lane.TELEMETRY, 20)  # so that the gap is in the middle
        for number in range(100):
            await running.append(reading(number))
        for kind in (Kind.DOOR_FORCED, *SILENT, Kind.ACCESS_GRANTED):
            await running.append(event(kind))
        await running.confirm(Lane.ACCESS, 1, None)
        lanes = running.lanes
    waiting, everything = tmp_path / "waiting.jsonl", tmp_path / "everything.jsonl"
    assert journal("export", tmp_path, str(waiting), "--gateway", GATEWAY) == 0
    assert journal("export", tmp_path, str(everything), "--gateway", GATEWAY, "--all") == 0
    assert journal("export", tmp_path, str(waiting), "--gateway", GATEWAY) == 2, "never over another file"
    assert stat.S_IMODE(waiting.stat().st_mode) == 0o600
    assert len(everything.read_bytes().splitlines()) == len(waiting.read_bytes().splitlines()) + 1

    centre = Registry()
    for payload in everything.read_bytes().splitlines():
        said = json.loads(payload)
        lane = Lane(said["id"].partition("/")[0])
        centre.take(TOPICS.event(lane, said["type"].removeprefix("gatehouse.")), payload, 0.0)
    proof = centre.proof()
    assert (proof.gaps, proof.broken, proof.conflicts, centre.unreadable) == (0, 0, 0, 0)
    assert proof.dropped > 0
    assert proof.confirmed + proof.dropped == sum(state.last for state in lanes.values())


@pytest.mark.parametrize("do", ["status", "tail", "verify"])
def test_what_cannot_be_read_is_named_with_its_cure(
    do: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert journal(do, tmp_path / "nothing") == 1
    (tmp_path / "journal.db").write_bytes(b"no database at all" * 1000)
    assert journal(do, tmp_path) == 1
    missing, damaged = capsys.readouterr().err.splitlines()
    assert (
        "nothing: No such file or directory → the service makes it at its first start; name one elsewhere by --journal"
        in missing
    )
    assert "journal.db: file is not a database" in damaged
