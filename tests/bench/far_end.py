"""Starts and speaks to the processes beside a bench: a paced wire with its readers, and an echo."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from simulators.children import ENDS_WITH_US
from simulators.wire import Pace
from tests.bench.table import Row

_ANSWER_S = 20.0
_GAP_BYTES = 2  # the panel keeps the line idle so long before each command


@dataclass(frozen=True, slots=True)
class Frames:
    """Lengths in bytes of what was on the wire, and what the wire allows two readers because of them."""

    poll: int
    ack: int
    card: int
    polls: int
    collisions: int

    def cycle_s(self, baud: int, poll_interval_s: float = 0.05) -> float:
        exchange_s = (self.poll + self.ack + _GAP_BYTES) * 10 / baud + Pace().turnaround_s
        return max(poll_interval_s, 2 * exchange_s)

    def collisions_row(self, baud: int) -> Row:
        """Also met by a far end that the machine held up for longer than a time-out."""
        what = f"OSDP at {baud}: commands sent into a reply"
        return Row(what, f"{self.collisions}", "", "0", self.collisions == 0)

    def worst_s(self, baud: int) -> float:
        """From a card that has just missed its poll to the last byte of the reply."""
        return self.cycle_s(baud) + Pace().turnaround_s + self.card * 10 / baud


class FarEnd:
    """`tests.bench.osdp_wire`: its orders and answers are described there."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._into, self._out = process.stdin, process.stdout
        self._passed_over: list[str] = []

    def order(self, *words: object) -> None:
        self._into.write((" ".join(map(str, words)) + "\n").encode())

    async def answer(self, *wanted: str) -> str:
        """The rest of the first answer that begins so; others are kept for whoever asks for them."""
        start = " ".join(wanted) + " "
        for line in self._passed_over:
            if line.startswith(start):
                self._passed_over.remove(line)
                return line.removeprefix(start)
        async with asyncio.timeout(_ANSWER_S):
            while True:
                line = (await self._out.readline()).decode().rstrip("\n")
                assert line, "the far end has died"
                if line.startswith(start):
                    return line.removeprefix(start)
                self._passed_over.append(line)

    async def frames(self) -> Frames:
        """What was seen since this was asked last."""
        self.order("frames")
        found = json.loads(await self.answer("frames"))
        return Frames(**{name: found.get(name, 0) for name in Frames.__dataclass_fields__})

    async def card(self, reader: str, number: int) -> tuple[float, float]:
        """Present a card: when, and when the last byte of the reply that tells it is there."""
        self.order("card", reader, number)
        return float(await self.answer("presented", str(number))), float(await self.answer("sent", str(number)))


@asynccontextmanager
async def far_end(port: Path, baud: int, keys: list[bytes], *options: str) -> AsyncIterator[FarEnd]:
    async with _process("tests.bench.osdp_wire", *options, port, baud, *(key.hex() for key in keys)) as process:
        yield FarEnd(process)


@asynccontextmanager
async def echo(port: Path) -> AsyncIterator[None]:
    async with _process("tests.bench.echo", port):
        yield


@asynccontextmanager
async def _process(module: str, *words: object) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *ENDS_WITH_US, sys.executable, "-m", module, *map(str, words), stdin=PIPE, stdout=PIPE
    )
    assert process.stdout is not None
    try:
        await process.stdout.readline()
        yield process
    finally:
        process.kill()
        await process.communicate()
