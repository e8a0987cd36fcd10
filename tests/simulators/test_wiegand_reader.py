"""The simulated reader's pulses, seen raw at its chip."""

import asyncio
import itertools
import socket
from pathlib import Path

import pytest

from drivers.base import Card, SystemClock
from simulators.gpio_lines import SimGpioLines
from simulators.wiegand_reader import REST_S, SimWiegandReader


class Pulses:
    """Every pulse of both lines: which, and when."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        self._socket.connect(str(path))
        self._socket.send(b"request\ttest\n4\tin\tlow\tpull-up\t0\trising\n5\tin\tlow\tpull-up\t0\trising")

    async def take(self, count: int) -> list[tuple[int, float]]:
        found: list[tuple[int, float]] = []
        async with asyncio.timeout(5):
            while len(found) < count:
                packet = (await asyncio.get_running_loop().sock_recv(self._socket, 4096)).decode().split("\t")
                if packet[0] == "edge":
                    found.append((int(packet[1]) - 4, int(packet[3]) / 1e9))
        return found

    def close(self) -> None:
        self._socket.close()


@pytest.mark.parametrize("interval_s", [0.001, 0.002])
async def test_a_cards_bits_are_pulses_at_the_readers_pace(tmp_path: Path, interval_s: float) -> None:
    async with (
        SimGpioLines(tmp_path / "lines") as lines,
        SimWiegandReader(lines, 4, 5, SystemClock(), interval_s=interval_s) as reader,
    ):
        pulses = Pulses(tmp_path / "lines")
        reader.present_card(Card(26, 0x2A5A5A5))
        found = await pulses.take(26)
        assert sum(bit << 25 - n for n, (bit, _) in enumerate(found)) == 0x2A5A5A5
        steps = [after - before for (_, before), (_, after) in itertools.pairwise(found)]
        assert min(steps) == pytest.approx(interval_s, abs=1e-6)
        assert max(steps) == pytest.approx(interval_s, abs=1e-6)
        pulses.close()


@pytest.mark.parametrize(("key_bits", "sent"), [(4, [0, 1, 1, 1, 1, 0, 1, 1]), (8, [1, 0, 0, 0, 0, 1, 1, 1])])
async def test_keys_are_bursts_of_their_own(tmp_path: Path, key_bits: int, sent: list[int]) -> None:
    async with (
        SimGpioLines(tmp_path / "lines") as lines,
        SimWiegandReader(lines, 4, 5, SystemClock(), key_bits=key_bits) as reader,
    ):
        pulses = Pulses(tmp_path / "lines")
        reader.press("7#"[: 8 // key_bits])
        found = await pulses.take(8)
        assert [bit for bit, _ in found] == sent
        if key_bits == 4:
            assert found[4][1] - found[3][1] >= REST_S
        await reader.rest()
        pulses.close()


async def test_crosstalk_is_on_both_lines_at_once(tmp_path: Path) -> None:
    async with SimGpioLines(tmp_path / "lines") as lines, SimWiegandReader(lines, 4, 5, SystemClock()) as reader:
        pulses = Pulses(tmp_path / "lines")
        reader.crosstalk(1)
        (one, at_s), (other, same_s) = await pulses.take(2)
        assert {one, other} == {0, 1}
        assert at_s == same_s
        pulses.close()
