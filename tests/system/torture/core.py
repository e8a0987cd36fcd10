"""The gateway's core in a process of its own, to be tortured: journal and uplink, fed as fast as the journal takes it.

`python -m tests.system.torture.core ORDERS.json` prints `up` once the journal is open, then `+ N` for each event that
is durable; `N` is in the event's data, so the centre's books can be compared with what was promised here. `link …`
and `journal …` tell of every change of theirs. SIGTERM ends it in order; SIGUSR1 and SIGUSR2 turn its wall clock a year
forward and back.
"""

import asyncio
import itertools
import json
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from agent.events import Event, Kind
from agent.journal import Draft, Journal, Limits, RefusedError
from agent.recorder import Recorder
from agent.settings import Centre, load
from agent.uplink import CONFIRM_WITHIN_S
from drivers.base import ClockTrust, DeviceId, PointId, Reading, SystemClock
from tests.agent.house import BOOT, House
from tests.system.torture.dying import die_at

SIMULATED: Final = Path(__file__).parents[3] / "config" / "simulated.toml"
YEAR: Final = timedelta(days=365)
KINDS: Final = (Kind.SMOKE, Kind.DEVICE_FAULT, Kind.ACCESS_GRANTED, Kind.AGENT_STARTED)


@dataclass(frozen=True, slots=True)
class Orders:
    """`first` is the first number given to an event; `at_once` so many appends wait for the disk at a time."""

    folder: str
    broker: str
    first: int
    at_once: int
    max_bytes: int
    dies: tuple[str, bool, int] | None = None
    """A step of `dying`, whether before or after it, and how often it is taken."""

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))


class TurnedClock(SystemClock):
    """A wall clock somebody turns; the monotonic one knows nothing of it."""

    def __init__(self) -> None:
        super().__init__(ClockTrust.ALWAYS)
        self._turned = timedelta()

    def turn(self, by: timedelta) -> None:
        self._turned += by

    def utc(self) -> datetime | None:
        now = super().utc()
        return now and now + self._turned


class Feed:
    """Appends without end, one event of each kind in turn and readings between them."""

    def __init__(self, journal: Journal, recorder: Recorder, clock: SystemClock, first: int) -> None:
        self._journal = journal
        self._recorder = recorder
        self._clock = clock
        self._numbers = itertools.count(first)
        self._kinds: Iterator[Kind] = itertools.cycle((*KINDS, Kind.READINGS))

    async def run(self) -> None:
        while True:
            number = next(self._numbers)
            try:
                await self._journal.append(self._draft(next(self._kinds), number))
            except RefusedError:  # nothing was promised
                await self._clock.sleep(0.01)
                continue
            say(f"+ {number}")

    def _draft(self, kind: Kind, number: int) -> Draft:
        now = self._clock.mono_s()
        if kind is Kind.READINGS:
            return self._recorder.reading(Reading(DeviceId("pump-room"), PointId("temperature"), float(number), now))
        return self._recorder.event(Event(kind, "north-gate", now, {"n": number}))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(orders: Orders) -> None:
    if orders.dies is not None:
        step, before, times = orders.dies
        die_at(step, before=before, times=times)
    clock, loop = TurnedClock(), asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.add_signal_handler(signal.SIGUSR1, clock.turn, YEAR)
    loop.add_signal_handler(signal.SIGUSR2, clock.turn, -YEAR)
    limits = Limits(max_bytes=orders.max_bytes, confirmation_wait_s=CONFIRM_WITHIN_S)
    recorder = Recorder(load(SIMULATED), BOOT, clock)
    journal = Journal.start(Path(orders.folder), limits, clock, recorder.bodies)
    journal.on_health(lambda health: say(f"journal {health.state}"))
    await journal.opened
    house = House(journal, Centre(broker=orders.broker), clock, lambda link: say(f"link {link.phase}"))
    feed = Feed(journal, recorder, clock, orders.first)
    feeding = [asyncio.create_task(feed.run(), name="feed") for _ in range(orders.at_once)]
    uplink = asyncio.create_task(house.uplink.run(), name="uplink")
    watch = asyncio.create_task(journal.run_until_failed(), name="journal")
    stopping = asyncio.create_task(ended.wait(), name="stop")
    say("up")
    parts = [watch, uplink, *feeding]
    await asyncio.wait({stopping, *parts}, return_when=asyncio.FIRST_COMPLETED)
    for part in parts:
        if part.done():
            part.result()
    for task in feeding:
        task.cancel()
    await house.uplink.stop()
    await journal.close()
    await asyncio.gather(*parts, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(Orders(**json.loads(Path(sys.argv[1]).read_text()))))
