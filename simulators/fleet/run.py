"""A city of gateways against one broker and one centre, through what cities go through.

Steady work, then the broker is killed and everybody reconnects at once (the storm), then one group of gateways after
another loses its power (SIGKILL) and returns. Ends when the centre has every entry that any journal ever took.
"""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from agent.events import Kind
from agent.words import Words
from drivers.base import Clock, GatehouseError
from simulators.books import Proof
from simulators.broker import Broker
from simulators.centre import Centre, Received
from simulators.children import ENDS_WITH_US
from simulators.fleet.gateways import Orders

START_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things last; a group is a process of gateways, and what loses its power together."""

    groups: int = 8
    steady_s: float = 30.0
    outage_s: float = 12.0
    storm_s: float = 30.0
    """Within so long after the broker's return everybody must be back; alarms of that time are the storm's."""
    dark_s: float = 2.0


@dataclass(slots=True)
class Group:
    """One process of gateways, and what it has said; `ends` is what each journal held at the very end."""

    number: int
    orders: Path
    log: Path
    process: Process | None = None
    listener: asyncio.Task[None] | None = None
    dials: list[float] = field(default_factory=list)
    ups: dict[str, list[float]] = field(default_factory=dict)
    ends: dict[str, tuple[int, int]] = field(default_factory=dict)
    _spent_s: float = 0.0

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *ENDS_WITH_US, sys.executable, "-m", "simulators.fleet.gateways", str(self.orders),
                stdin=DEVNULL, stdout=PIPE, stderr=log,
            )  # fmt: skip
        self.listener = asyncio.create_task(self._listen(self.process), name=f"group:{self.number}")

    async def kill(self) -> None:
        """A power cut."""
        assert self.process is not None
        assert self.listener is not None
        self._spent_s = self.cpu_s()
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        await self.listener

    async def stop(self) -> None:
        """SIGTERM, and everything it says last."""
        assert self.process is not None
        assert self.listener is not None
        with suppress(ProcessLookupError):
            self.process.terminate()
        await self.process.wait()
        await self.listener

    def cpu_s(self) -> float:
        """Of all its lives."""
        assert self.process is not None
        return self._spent_s + _cpu_s(str(self.process.pid))

    async def _listen(self, process: Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            said: dict[str, Any] = json.loads(line)
            match said["what"]:
                case "dial":
                    self.dials.append(said["at"])
                case "up":
                    self.ups.setdefault(said["gateway"], []).append(said["at"])
                case "end":
                    self.ends[said["gateway"]] = (said["last"], said["waiting"])


@dataclass(frozen=True, slots=True)
class Load:
    """Shares of one core, over the time of a phase."""

    broker: float
    gateways: float
    centre: float


@dataclass(frozen=True, slots=True)
class Phase:
    """Alarms' latencies in seconds: from the moment they were raised, or their gateway's link came up if that was
    later (`linked`), and from the moment they were raised (`felt`).
    """

    name: Words
    seconds: float
    entries: int
    linked: Sequence[float]
    felt: Sequence[float]
    load: Load


@dataclass(frozen=True, slots=True)
class Storm:
    """`back_s` is when the last gateway was back; so many of all `dials` since the break fell into the same 100 ms."""

    back_s: float
    dials: int
    busiest: int
    busiest_later: int
    """The same without the first second after the break, in which nobody knows yet that it is a long one."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What `gateways` journals have ever `taken` and what is `stored` at the centre, in entries."""

    gateways: int
    taken: int
    waiting: int
    stored: int
    receipts: int
    proof: Proof


class Fleet:
    """A context manager: the broker, the centre and all gateways are up on entry."""

    def __init__(self, count: int, folder: Path, broker: Broker, clock: Clock, pace: Pace = Pace()) -> None:
        self.count = count
        self.pace = pace
        self.tell: Callable[[Words], None] = lambda _: None
        self._folder = folder
        self._clock = clock
        self.broker = broker
        self.centre = Centre(broker.url, clock=clock)
        self.groups = [self._group(number) for number in range(min(pace.groups, count))]
        self._alarms: list[Received] = []
        self._entries = 0

    async def __aenter__(self) -> Self:
        """Raises: GatehouseError when not all of them come up."""
        await self.broker.start()
        self.centre.on_received = self._received
        await self.centre.__aenter__()
        try:
            for group in self.groups:
                await group.start()
            await self._all_back(0.0, START_S)
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for group in self.groups:
            if group.process is not None:
                await group.kill()
        await self.centre.__aexit__(None, None, None)
        await self.broker.stop()

    # ------------------------------------------------------------ what a city goes through

    async def steady(self) -> Phase:
        seconds = self.pace.steady_s
        self.tell(Words(f"{seconds:.0f} s of ordinary work", f"平稳运行 {seconds:.0f} 秒"))
        return await self._phase(Words("steady", "平稳"), self._clock.sleep(seconds))

    async def storm(self) -> tuple[Phase, Storm]:
        """The broker dies, and everybody comes back when it does."""
        outage_s = self.pace.outage_s
        self.tell(Words(f"the broker is killed, for {outage_s:.0f} s", f"消息代理被强制终止，{outage_s:.0f} 秒后恢复"))
        await self.broker.kill()
        broke_s = self._clock.mono_s()
        await self._clock.sleep(outage_s)
        await self.broker.start()
        began_s = self._clock.mono_s()
        phase = await self._phase(Words("storm", "重连风暴"), self._absorb(broke_s, began_s))
        back_s = max(next(at for at in ups if at >= broke_s) for group in self.groups for ups in group.ups.values())
        dials = sorted(at for group in self.groups for at in group.dials if broke_s <= at <= back_s)
        later = [at for at in dials if at >= broke_s + 1.0]
        return phase, Storm(back_s - began_s, len(dials), busiest(dials), busiest(later))

    async def rolling_outage(self) -> Phase:
        """One group after another loses its power and returns."""
        self.tell(Words("groups lose their power in turn", "各组轮流断电"))
        return await self._phase(Words("rolling outage", "轮流断电"), self._roll())

    async def settle(self) -> Ledger:
        """The gateways stop once everything is confirmed; then both sides' books are compared."""
        self.tell(Words("the gateways stop, the books are closed", "网关停止，核对账目"))
        for group in self.groups:
            await group.stop()
            group.process = None
        ends = {name: end for group in self.groups for name, end in group.ends.items()}
        books = self.centre.gateways
        stored = {name: sum(lane.upto for lane in books[name].lanes.values()) for name in ends if name in books}
        return Ledger(
            gateways=len(ends),
            taken=sum(taken for taken, _ in ends.values()),
            waiting=sum(waiting for _, waiting in ends.values()),
            stored=sum(stored.values()),
            receipts=sum(book.counter for book in books.values()),
            proof=self.centre.proof(),
        )

    # ------------------------------------------------------------ private

    def _group(self, number: int) -> Group:
        groups = min(self.pace.groups, self.count)
        first, end = self.count * number // groups, self.count * (number + 1) // groups
        orders = self._folder / f"orders-{number}.json"
        Orders(str(self._folder / "journals"), self.broker.url, first, end - first).write(orders)
        return Group(number, orders, self._folder / f"group-{number}.log")

    def _received(self, received: Received) -> None:
        self._entries += received.readings or 1
        if received.kind is Kind.DOOR_FORCED:
            self._alarms.append(received)

    async def _all_back(self, since_s: float, within_s: float) -> None:
        async with self._clock.timeout(within_s):
            while self._back(since_s) < self.count:
                dead = [g for g in self.groups if g.process is not None and g.process.returncode is not None]
                if dead:
                    raise GatehouseError(f"group {dead[0].number} has ended", hint=f"read {dead[0].log}")
                await self._clock.sleep(0.05)

    def _back(self, since_s: float) -> int:
        return sum(ups[-1] >= since_s for group in self.groups for ups in group.ups.values())

    async def _absorb(self, broke_s: float, began_s: float) -> None:
        await self._all_back(broke_s, START_S)
        await self._clock.sleep(max(0.0, began_s + self.pace.storm_s - self._clock.mono_s()))

    async def _roll(self) -> None:
        for group in self.groups:
            await group.kill()
            killed_s = self._clock.mono_s()
            await self._clock.sleep(self.pace.dark_s)
            await group.start()
            async with self._clock.timeout(START_S):
                while not all(ups[-1] >= killed_s for ups in group.ups.values()):
                    await self._clock.sleep(0.05)

    async def _phase(self, name: Words, work: Awaitable[object]) -> Phase:
        begun_s, entries, self._alarms = self._clock.mono_s(), self._entries, []
        before = self._cpu_s()
        await work
        seconds = self._clock.mono_s() - begun_s
        load = Load(*((after - then) / seconds for then, after in zip(before, self._cpu_s(), strict=True)))
        fresh = [alarm for alarm in self._alarms if alarm.mono_s >= begun_s]
        felt = [alarm.arrived_s - alarm.mono_s for alarm in fresh]
        linked = [alarm.arrived_s - max(alarm.mono_s, self._linked_s(alarm)) for alarm in fresh]
        return Phase(name, seconds, self._entries - entries, sorted(linked), sorted(felt), load)

    def _linked_s(self, alarm: Received) -> float:
        """When the link came up over which it was sent."""
        ups = next(group.ups[alarm.gateway] for group in self.groups if alarm.gateway in group.ups)
        return max(at for at in ups if at <= alarm.arrived_s)

    def _cpu_s(self) -> tuple[float, float, float]:
        gateways = sum(group.cpu_s() for group in self.groups)
        return _cpu_s(str(self.broker.pid)), gateways, _cpu_s("self")


def busiest(moments: Sequence[float], span_s: float = 0.1) -> int:
    """The most of them, which must be in order, that lie within `span_s`."""
    most = begin = 0
    for end, at in enumerate(moments):
        while at - moments[begin] > span_s:
            begin += 1
        most = max(most, end - begin + 1)
    return most


def _cpu_s(pid: str) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100
