"""The far end of a paced OSDP wire, as a process of its own so that neither side takes the other's CPU.

    python -m tests.bench.osdp_wire PORT BAUD KEYS…      (one key, hexadecimal, for each reader r0, r1, …)

Orders on stdin: `card READER NUMBER`, `off READER`, `on READER`, `frames`. Answers on stdout: `presented NUMBER AT`,
`sent NUMBER AT` when the last byte of its reply was handed over, `on AT`, `frames {…}`; AT is monotonic seconds.
select() keeps its time-outs to microseconds where epoll rounds up to a millisecond: the pace is the wire's.
"""

import asyncio
import json
import selectors
import sys
from collections import Counter
from pathlib import Path

from drivers.base import Card, SystemClock
from simulators.osdp_reader import SimOsdpBus
from simulators.wire import Pace, Wire

CLOCK = SystemClock()
_PLAIN = 16  # frames with a MAC and no data are shorter, replies with a card longer


class FarEnd:
    def __init__(self, bus: SimOsdpBus, baud: int) -> None:
        self._bus = bus
        self._byte_s = 10 / baud
        self._frames: Counter[str] = Counter()
        self._waiting: list[int] = []
        self._done = asyncio.Event()
        bus.traffic = self._traffic

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(0, self._order)
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
            case ["frames"]:
                print("frames", json.dumps({**self._frames, "collisions": self._bus.collisions}), flush=True)
                self._frames.clear()
            case _:
                self._done.set()

    def _traffic(self, command: bytes, reply: bytes) -> None:
        if len(command) < _PLAIN and len(reply) < _PLAIN:
            self._frames["polls"] += 1
            self._frames["poll"], self._frames["ack"] = len(command), len(reply)
        elif self._waiting and len(command) < _PLAIN:
            self._frames["card"] = len(reply)
            number = self._waiting.pop(0)
            last_s = asyncio.get_running_loop().time() + Pace().turnaround_s + len(reply) * self._byte_s
            print("sent", number, last_s, flush=True)


async def main(port: str, baud: int, keys: list[str]) -> None:
    readers = {f"r{number}": (number, bytes.fromhex(key)) for number, key in enumerate(keys)}
    async with SimOsdpBus(Wire(Path(port)), readers, baud, Pace()) as bus:
        await FarEnd(bus, baud).run()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
