"""The cores of many gateways in one process: the agent's own journal and uplink for each, fed by simulated devices.

`python -m simulators.fleet.gateways ORDERS.json` writes one JSON object a line: `dial` and `up` for each try to reach
the broker and each link that came up. At SIGTERM the devices rest, the last entries are confirmed, and `end` says how
many entries each journal has ever taken, and how many wait. It may be killed at any moment and started again.
"""

import asyncio
import json
import random
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from agent.contract import LaneStatus, StatusMessage, Topics, uptime
from agent.events import Event, JsonValue, Kind
from agent.journal import Journal, Limits
from agent.recorder import Recorder
from agent.settings import Centre, Settings
from agent.telemetry import COMMIT_EVERY_S
from agent.uplink import CONFIRM_WITHIN_S, LinkPhase, LinkState, Uplink
from drivers.base import Clock, ClockTrust, DeviceId, PointId, Reading, SystemClock
from simulators.fleet import places

BOOT: Final = "00000000-0000-4000-8000-000000000000"
SENSORS: Final = 6
READING_EVERY_S: Final = 10.0
"""Of each sensor, as `storage.telemetry_every_s` is by default."""
PASSAGE_EVERY_S: Final = 20.0
"""A card at a door, three entries: granted, opened, closed."""
ALARM_EVERY_S: Final = 15.0
"""Far more often than any compound, so that a quantile of their latency means something."""
LAST_S: Final = 30.0
"""So long the last entries may take to be confirmed."""
_PASSAGE: Final = (Kind.ACCESS_GRANTED, Kind.DOOR_OPENED, Kind.DOOR_CLOSED)


@dataclass(frozen=True, slots=True)
class Orders:
    """Compounds `first` to `first + count - 1`, each with a journal of its own below `folder`."""

    folder: str
    broker: str
    first: int
    count: int

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))


class FleetGateway:
    """One gateway without wires."""

    def __init__(self, number: int, folder: Path, broker: str, clock: Clock) -> None:
        self._clock = clock
        self._settings = Settings(gateway=places.gateway(number), centre=Centre(broker=broker))
        self._gateway = self._settings.gateway
        self._recorder = Recorder(self._settings, BOOT, clock)
        self._dice = random.Random(number)
        limits = Limits(telemetry_wait_s=COMMIT_EVERY_S, confirmation_wait_s=CONFIRM_WITHIN_S)
        self._journal = Journal.start(folder, limits, clock, self._recorder.bodies)
        self._uplink = Uplink(
            self._settings.centre, Topics.of(self._gateway), self._journal, clock, BOOT,
            status=self._status, on_link=self._on_link, jitter=self._wait,
        )  # fmt: skip

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop; a journal that fails ends the process."""
        await self._journal.opened
        async with asyncio.TaskGroup() as group:
            uplink = group.create_task(self._uplink.run())
            life = [
                group.create_task(self._journal.run_until_failed()),
                group.create_task(self._sense()),
                group.create_task(self._pass()),
                group.create_task(self._alarm()),
            ]
            await stop.wait()
            for task in life:
                task.cancel()
            await self._confirmed()
            await self._uplink.stop()
            await uplink
        last = sum(lane.last for lane in self._journal.lanes.values())
        say("end", self._gateway.id, last=last, waiting=self._waiting)
        await self._journal.close()

    async def _confirmed(self) -> None:
        with suppress(TimeoutError):
            async with self._clock.timeout(LAST_S):
                while self._journal.pending or self._waiting:
                    await self._clock.sleep(0.1)

    @property
    def _waiting(self) -> int:
        return sum(lane.waiting for lane in self._journal.lanes.values())

    async def _sense(self) -> None:
        sensor = 0
        while True:
            await self._clock.sleep(READING_EVERY_S / SENSORS)
            sensor = (sensor + 1) % SENSORS
            value = round(self._dice.uniform(18.0, 26.0), 1)
            now = self._clock.mono_s()
            self._journal.append_nowait(
                self._recorder.reading(Reading(DeviceId(f"sensor-{sensor}"), PointId("temperature"), value, now))
            )

    async def _pass(self) -> None:
        while True:
            await self._clock.sleep(self._dice.expovariate(1 / PASSAGE_EVERY_S))
            for kind in _PASSAGE:
                self._say(kind, "north-gate", {})

    async def _alarm(self) -> None:
        while True:
            await self._clock.sleep(self._dice.expovariate(1 / ALARM_EVERY_S))
            self._say(Kind.DOOR_FORCED, "north-gate", {})

    def _say(self, kind: Kind, subject: str, data: Mapping[str, JsonValue]) -> None:
        event = Event(kind, subject, self._clock.mono_s(), data)
        self._journal.append_nowait(self._recorder.event(event))

    def _wait(self, least_s: float, most_s: float) -> float:
        """The uplink's jitter, and a note of when it will dial."""
        wait_s = self._dice.uniform(least_s, most_s)
        say("dial", self._gateway.id, at=self._clock.mono_s() + wait_s)
        return wait_s

    def _on_link(self, link: LinkState) -> None:
        if link.phase is LinkPhase.UP:
            say("up", self._gateway.id, at=self._clock.mono_s())

    def _status(self) -> bytes:
        lanes = {
            lane: LaneStatus(last=s.last, confirmed=s.confirmed, oldest=s.oldest, digest=s.digest.hex())
            for lane, s in self._journal.lanes.items()
        }
        return StatusMessage(
            gateway=self._gateway.id,
            version="fleet",
            boot=BOOT,
            epoch=self._journal.epoch,
            uptime=uptime(self._clock.mono_s()),
            configuration="0" * 64,
            name=self._gateway.name,
            lanes=lanes,
            receipt_counter=self._uplink.receipt_counter,
        ).payload()


def say(what: str, gateway: str, **facts: float) -> None:
    sys.stdout.write(json.dumps({"what": what, "gateway": gateway, **facts}) + "\n")
    sys.stdout.flush()


async def main(orders: Orders) -> None:
    clock, stop = SystemClock(ClockTrust.ALWAYS), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with asyncio.TaskGroup() as group:
        for number in range(orders.first, orders.first + orders.count):
            folder = Path(orders.folder) / str(number)
            gateway = FleetGateway(number, folder, orders.broker, clock)
            group.create_task(gateway.run(stop), name=f"gateway:{number}")


if __name__ == "__main__":
    asyncio.run(main(Orders(**json.loads(Path(sys.argv[1]).read_text()))))
