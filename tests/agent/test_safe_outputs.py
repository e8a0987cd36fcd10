"""Outputs go to their safe state without an agent, whatever else is wrong."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.cli import main
from agent.safe_outputs import put_all_safe
from agent.settings import SettingsError
from simulators.gpio_lines import SimGpioLines
from tests.agent.house import TABLE

HEAD = f"""{TABLE}
[centre]
broker = "mqtt://127.0.0.1"
"""
CHIP = """
[[devices]]
driver = "gpio"
id = "%s"
chip = "unix:%s"
outputs = [{ id = "lock", line = 5 }, { id = "magnet", line = 6, active = "low", safe = true }]
"""
READERS = """
[[devices]]
driver = "wiegand"
id = "wiegand"
chip = "unix:%s"
readers = [{ id = "reader", data0 = 1, data1 = 2, formats = ["wiegand-26"], buzzer = { line = 7 } }]
"""


@pytest.fixture
async def lines(tmp_path: Path) -> AsyncIterator[SimGpioLines]:
    """Everything is on: the lock and the buzzer of a killed agent, and a magnet that holds."""
    async with SimGpioLines(tmp_path / "lines") as found:
        for line, level in ((5, True), (6, True), (7, False)):
            found.drive(line, level)
        yield found


def levels(lines: SimGpioLines) -> tuple[bool, ...]:
    return tuple(lines.level(line) for line in (5, 6, 7))


def write(folder: Path, text: str) -> Path:
    path = folder / "compound.toml"
    path.write_text(text)
    return path


async def test_outputs_of_chips_and_readers_are_put_safe(tmp_path: Path, lines: SimGpioLines) -> None:
    address = tmp_path / "lines"
    file = write(tmp_path, HEAD + CHIP % ("gpio", address) + READERS % address)
    assert await asyncio.to_thread(put_all_safe, file)
    assert levels(lines) == (False, False, True)


async def test_a_chip_that_is_gone_does_not_keep_the_others_on(tmp_path: Path, lines: SimGpioLines) -> None:
    other = CHIP % ("gone", tmp_path / "nothing")
    file = write(tmp_path, HEAD + other + CHIP % ("gpio", tmp_path / "lines"))
    assert not await asyncio.to_thread(put_all_safe, file)
    assert levels(lines)[:2] == (False, False)


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", "gatehouse: gone: outputs not put safe: "),
        ("zh", "gatehouse: gone：输出未能置于安全状态：没有 GPIO 芯片 "),
    ],
)
def test_an_output_that_cannot_be_reached_is_named_in_the_language_of_the_terminal(
    tmp_path: Path,
    lang: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("agent.cli.forbid_core_dumps", lambda: None)  # it would hold for every test after this one
    file = write(tmp_path, HEAD + CHIP % ("gone", tmp_path / "nothing") + "[unknown]\n")
    assert main(["safe-outputs", str(file), "--lang", lang]) == 2
    first, *rest = capsys.readouterr().err.splitlines()
    assert first.startswith(said)
    assert len(rest) == 1, "the mistake in the file"


@pytest.mark.parametrize("mistake", ["[[doors]]\nid = 'a'\n", "[[devices]]\ndriver = 'osdp'\n", "[unknown]\n"])
async def test_a_file_that_has_become_wrong_is_read_as_far_as_it_goes(
    tmp_path: Path, lines: SimGpioLines, mistake: str
) -> None:
    file = write(tmp_path, HEAD + CHIP % ("gpio", tmp_path / "lines") + mistake)
    with pytest.raises(SettingsError):
        await asyncio.to_thread(put_all_safe, file)
    assert levels(lines)[:2] == (False, False)


@pytest.mark.parametrize("text", ["not = [toml", "devices = 3\n"])
def test_a_file_that_says_nothing_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError):
        put_all_safe(write(tmp_path, text))
