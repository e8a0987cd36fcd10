"""The simulated chip behaves as a chip of the kernel does, seen raw at its socket."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from simulators.gpio_lines import SimGpioLines

WAIT_S = 5.0


class Client:
    """One connection, spoken to in packets."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        self._socket.connect(str(path))

    async def ask(self, *lines: str) -> list[str]:
        await asyncio.get_running_loop().sock_sendall(self._socket, "\n".join(lines).encode())
        return await self.packet()

    async def packet(self) -> list[str]:
        async with asyncio.timeout(WAIT_S):
            packet = await asyncio.get_running_loop().sock_recv(self._socket, 65536)
        return packet.decode().split("\n")

    def tell(self, *lines: str) -> None:
        self._socket.send("\n".join(lines).encode())

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
async def sim(tmp_path: Path) -> AsyncIterator[SimGpioLines]:
    async with SimGpioLines(tmp_path / "lines", {"GPIO4": 4, "GPIO5": 5}) as lines:
        yield lines


@pytest.fixture
async def client(sim: SimGpioLines, tmp_path: Path) -> AsyncIterator[Client]:
    found = Client(tmp_path / "lines")
    yield found
    found.close()


@pytest.mark.parametrize(
    ("bias", "driven", "level"),
    [
        ("pull-up", None, 1),
        ("pull-down", None, 0),
        ("disabled", None, 0),
        ("pull-up", False, 0),
        ("pull-down", True, 1),
    ],
)
async def test_bias_decides_the_level_of_a_line_nobody_drives(
    sim: SimGpioLines, client: Client, bias: str, driven: bool | None, level: int
) -> None:
    sim.drive(4, driven)
    assert await client.ask("request\ttest", f"4\tin\thigh\t{bias}\t0\tboth") == ["ok", f"4\t{level}"]


async def test_edges_are_numbered_per_request_and_per_line(sim: SimGpioLines, client: Client) -> None:
    await client.ask("request\ttest", "GPIO4\tin\thigh\tpull-down\t0\tboth", "5\tin\tlow\tpull-down\t0\tboth")
    sim.drive(4, True)
    sim.drive(5, True)
    sim.drive(4, False)
    edges = [(await client.packet())[0].split("\t") for _ in range(3)]
    assert [[edge[i] for i in (1, 2, 4, 5)] for edge in edges] == [
        ["4", "1", "1", "1"],
        ["5", "0", "2", "1"],
        ["4", "0", "3", "2"],
    ]
    times = [int(edge[3]) for edge in edges]
    assert times == sorted(times)


async def test_a_line_that_comes_back_within_the_period_has_not_moved(sim: SimGpioLines, client: Client) -> None:
    await client.ask("request\ttest", "4\tin\thigh\tpull-down\t5000\tboth", "5\tin\thigh\tpull-down\t20000\tboth")
    sim.drive(4, True)
    sim.drive(4, False)
    sim.drive(5, True)
    assert (await client.packet())[0].startswith("edge\t5\t1\t")


async def test_held_lines_are_refused_all_or_none(sim: SimGpioLines, client: Client, tmp_path: Path) -> None:
    sim.hold("GPIO5", "other")
    refused = await client.ask("request\ttest", "4\tin\thigh\tas-is\t0\tboth", "5\tout\thigh\t0")
    assert refused == [f"error\t{errno.EBUSY}\tline 5 by other"]
    sim.let_go(5)
    assert (await client.ask("request\ttest", "4\tin\thigh\tas-is\t0\tboth", "5\tout\thigh\t0"))[0] == "ok"
    second = Client(tmp_path / "lines")
    assert (await second.ask("request\tsecond", "4\tin\thigh\tas-is\t0\tboth"))[0].startswith(f"error\t{errno.EBUSY}")
    second.close()


async def test_a_line_that_is_not_there_is_refused(client: Client) -> None:
    assert (await client.ask("request\ttest", "7\tin\thigh\tas-is\t0\tboth"))[0].startswith(f"error\t{errno.EINVAL}\t")


async def test_an_output_keeps_its_level_when_its_holder_dies(
    sim: SimGpioLines, client: Client, tmp_path: Path
) -> None:
    await client.ask("request\ttest", "5\tout\tlow\t1")
    assert sim.level(5) is False
    client.tell("set", "5\t0")
    async with asyncio.timeout(WAIT_S):
        await sim.wait_level(5, level=True)
    client.close()
    other = Client(tmp_path / "lines")
    assert (await other.ask("held"))[0] == "ok"
    other.close()
    assert sim.level(5) is True


async def test_a_board_without_names_has_every_line_one_asks_for(tmp_path: Path) -> None:
    async with SimGpioLines(tmp_path / "any") as sim:
        sim.drive("ID_SDA", level=True)
        assert sim.level("ID_SDA") is True
        sim.drive(17, level=True)
        assert sim.level("GPIO17") is True


async def test_edges_beyond_the_buffer_push_out_the_oldest(sim: SimGpioLines, client: Client) -> None:
    await client.ask("request\ttest", "4\tin\thigh\tpull-down\t0\tboth")
    for n in range(4000):
        sim.drive(4, n % 2 == 0)
    numbers: list[int] = []
    while not numbers or numbers[-1] < 4000:
        numbers.append(int((await client.packet())[0].split("\t")[4]))
    assert len(numbers) < 4000
    assert numbers == sorted(numbers)
    assert numbers[-256:] == list(range(3745, 4001))


async def test_pulses_shorter_than_a_turn_of_the_loop_are_edges_with_their_own_time(
    sim: SimGpioLines, client: Client
) -> None:
    sim.drive(4, True)
    await client.ask("request\ttest", "4\tin\tlow\tpull-up\t0\trising")
    sim.drive(4, False, 12.5)
    sim.drive(4, True, 12.50005)
    sim.drive(4, False, 12.5015)
    assert await client.packet() == ["edge\t4\t1\t12500000000\t1\t1"]
    assert await client.packet() == ["edge\t4\t1\t12501500000\t2\t2"]
