"""The far end of a paced OSDP wire, as a process of its own so that neither side takes the other's CPU.

    python -m tests.bench.osdp_wire [--gpio SOCKET] [--echo PORT] PORT BAUD KEYS…      (a key for each reader r0, r1, …)

Orders on stdin: `card READER NUMBER`, `off READER`, `on READER`, `frames`; with a chip `drive LINE 0|1` and
`watch LINE`; with an echo on another port `echo`. Answers on stdout: `presented NUMBER AT`, `sent NUMBER AT` when the
last byte of its reply was handed over, `on AT`, `frames {…}`, `line LINE 0|1 AT`, `echoed SECONDS`; AT is monotonic
seconds. select() keeps its time-outs to microseconds where epoll rounds up to a millisecond: the pace is the wire's.
"""

import argparse
import asyncio
import json
import os
import selectors
import sys
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

from drivers.base import Card, SystemClock
from simulators.gpio_lines import SimGpioLines
from simulators.osdp_reader import SimOsdpBus
from simulators.wire import Pace, Wire

CLOCK = SystemClock()
_PLAIN = 16  # frames with a MAC and no data are shorter, replies with a card longer


class FarEnd:
    def __init__(self, bus: SimOsdpBus, baud: int, lines: SimGpioLines | None, echo: Wire | None) -> None:
        self._bus = bus
        self._lines = lines
        self._echo = echo
        self._echo_s = 0.0
        self._watches: set[asyncio.Task[None]] = set()
        self._byte_s = 10 / baud
        self._frames: Counter[str] = Counter()
        self._waiting: list[int] = []
        self._done = asyncio.Event()
        bus.traffic = self._traffic

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(0, self._order)
        if self._echo is not None:
            loop.add_reader(self._echo.fd, self._echoed)
        print("ready", flush=True)
        await self._done.wait()
        loop.remove_reader(0)

    def _order(self) -> None:
        line = sys.stdin.readline().split()
        match line:
            case ["card", reader, number]:
                self._waiting.append(int(number))
                print("presented", number, CLOCK.mono_s(), flush=True)
                self._bus.present_card(reader, Card(26, int(number)))
            case ["off", reader]:
                self._bus.silence(reader, on=True)
            case ["on", reader]:
                self._bus.silence(reader, on=False)
                print("on", CLOCK.mono_s(), flush=True)
            case ["echo"] if self._echo is not None:
                self._echo_s = CLOCK.mono_s()
                os.write(self._echo.fd, b"x")
            case ["drive", pin, level] if self._lines is not None:
                self._lines.drive(int(pin), level == "1")
            case ["watch", pin] if self._lines is not None:
                self._watches.add(asyncio.create_task(self._watch(self._lines, int(pin))))
            case ["frames"]:
                print("frames", json.dumps({**self._frames, "collisions": self._bus.collisions}), flush=True)
                self._frames.clear()
            case _:
                self._done.set()

    def _echoed(self) -> None:
        if self._echo is not None and os.read(self._echo.fd, 64):
            print("echoed", CLOCK.mono_s() - self._echo_s, flush=True)

    async def _watch(self, lines: SimGpioLines, pin: int) -> None:
        level = lines.level(pin)
        while True:
            level = not level
            await lines.wait_level(pin, level)
            print("line", pin, int(level), CLOCK.mono_s(), flush=True)

    def _traffic(self, command: bytes, reply: bytes) -> None:
        if len(command) < _PLAIN and len(reply) < _PLAIN:
            self._frames["polls"] += 1
            self._frames["poll"], self._frames["ack"] = len(command), len(reply)
        elif self._waiting and len(command) < _PLAIN:
            self._frames["card"] = len(reply)
            number = self._waiting.pop(0)
            last_s = asyncio.get_running_loop().time() + Pace().turnaround_s + len(reply) * self._byte_s
            print("sent", number, last_s, flush=True)


async def main(options: argparse.Namespace) -> None:
    readers = {f"r{number}": (number, bytes.fromhex(key)) for number, key in enumerate(options.keys)}
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(SimOsdpBus(Wire(options.port), readers, options.baud, Pace()))
        lines = None if options.gpio is None else await stack.enter_async_context(SimGpioLines(options.gpio))
        echo = None if options.echo is None else Wire(options.echo)
        if echo is not None:
            echo.plug()
            stack.callback(echo.unplug)
        await FarEnd(bus, options.baud, lines, echo).run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--gpio", type=Path)
    parser.add_argument("--echo", type=Path)
    parser.add_argument("port", type=Path)
    parser.add_argument("baud", type=int)
    parser.add_argument("keys", nargs="*")
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(main(parser.parse_args()))
