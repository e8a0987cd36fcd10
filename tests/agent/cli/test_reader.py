"""`gatehouse reader` at the command line, against simulated readers."""

import asyncio
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import tomli_w

from agent.cli import main
from agent.cli.reader import install_key
from agent.words import Lang
from drivers.base import SystemClock
from simulators.osdp_reader import SimOsdpBus
from simulators.wire import Wire

SIMULATED = Path(__file__).parents[3] / "config" / "simulated.toml"
BUS, NORTH, SOUTH = "osdp-1", "reader-north", "reader-south"


@pytest.fixture
async def sim(tmp_path: Path) -> AsyncIterator[SimOsdpBus]:
    wire = Wire(tmp_path / "tty")
    async with SimOsdpBus(wire, {NORTH: (0, None), SOUTH: (1, b"s" * 16)}) as made:
        yield made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    table = tomllib.loads(SIMULATED.read_text(encoding="utf-8"))
    bus = next(device for device in table["devices"] if device["driver"] == "osdp")
    bus |= {"id": BUS, "port": str(tmp_path / "tty"), "baud": 115200}
    for row, name in zip(bus["readers"], (NORTH, SOUTH), strict=True):
        row |= {"id": name, "key_file": f"keys/{name}.key"}
    path = tmp_path / "compound.toml"
    path.write_text(tomli_w.dumps(table), encoding="utf-8")
    return path


async def gatehouse(*words: str | Path) -> int:
    return await asyncio.to_thread(main, [str(word) for word in words])


async def test_installed_rotated_and_printed(sim: SimOsdpBus, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = file.parent / "keys" / f"{NORTH}.key"
    assert await gatehouse("reader", "install", file, NORTH, "--yes") == 0
    said = capsys.readouterr().out
    first = path.read_text().strip()
    assert sim.key_of(NORTH) == bytes.fromhex(first)
    assert 'identity = "feca00-10-00001000"' in said
    assert first not in said
    assert await gatehouse("reader", "rotate", file, NORTH, "--lang", "zh") == 0
    assert sim.key_of(NORTH) == bytes.fromhex(path.read_text()) != bytes.fromhex(first)
    assert "请重新启动服务" in capsys.readouterr().out
    assert await gatehouse("reader", "scan", file, BUS) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines] == [["115200", "0", NORTH], ["115200", "1", SOUTH]]


async def test_without_a_person_to_confirm_nothing_happens(
    sim: SimOsdpBus, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await gatehouse("reader", "install", file, NORTH) == 2
    assert "--yes" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)

    def install(answer: str) -> int:
        return install_key(
            file, NORTH, SystemClock(), Lang.EN, limit_s=10, confirmed=False, ask=lambda _question: answer
        )

    assert await asyncio.to_thread(install, "no") == 1
    assert sim.key_of(NORTH) is None
    assert await asyncio.to_thread(install, "yes") == 0
    assert sim.key_of(NORTH) is not None


async def test_a_name_that_is_not_there_is_told_with_those_that_are(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await gatehouse("reader", "rotate", file, "reader-east") == 2
    assert NORTH in capsys.readouterr().err
    assert await gatehouse("reader", "scan", file, "osdp-9") == 2
    assert BUS in capsys.readouterr().err


async def test_a_missing_port_is_one_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await gatehouse("reader", "install", file, NORTH) == 1
    assert "is missing" in capsys.readouterr().err
