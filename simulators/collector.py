"""One of several workers of a centre: takes its share of the events from the broker and keeps them in the archive.

`python -m simulators.collector --broker mqtt://… --database centre.db`, as many as are wanted: they share one
subscription (MQTT 5, `$share/`), so each event comes to one of them, and the broker gives a dead one's share to the
others. What one had not yet written when it died is found missing by the books, and asked for again.
"""

import argparse
import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Final

from agent.settings import Centre as CentreSettings
from agent.settings import Protocol
from agent.uplink import Cause, LinkDownError, Session, Target
from agent.uplink.session import Closed, Message, Subscribed
from drivers.base import Clock, SystemClock
from simulators.archive import Archive, Arrived
from simulators.centre import KEEPALIVE_S, RECONNECT_S, TICK_S, up_filter

GROUP: Final = "gatehouse-centre"


class Collector:
    """Runs until cancelled; `subscribed` is set once it has its share."""

    def __init__(self, target: Target, archive: Archive, clock: Clock, name: str, below: str = "") -> None:
        self.subscribed = asyncio.Event()
        self._target = target
        self._archive = archive
        self._clock = clock
        self._name = name
        self._filter = f"$share/{GROUP}/{up_filter(below, 'event/#')}"
        self._wake = asyncio.Event()

    async def run(self) -> None:
        while True:
            session = Session(self._target, Protocol.MQTT5, self._name, KEEPALIVE_S, self._wake)
            try:
                await session.open(self._clock)
                await self._serve(session)
            except LinkDownError:
                self.subscribed.clear()
            finally:
                session.abort()
            await self._clock.sleep(RECONNECT_S)

    async def _serve(self, session: Session) -> None:
        """Raises: LinkDownError."""
        session.subscribe([self._filter])
        session.flush()
        while True:
            self._wake.clear()
            now, arrived = self._clock.mono_s(), list[Arrived]()
            for happening in session.take():
                match happening:
                    case Message():
                        arrived.append(Arrived(happening.topic, happening.payload, now))
                    case Subscribed():
                        self.subscribed.set()
                    case Closed():
                        raise LinkDownError(Cause.LOST, happening.reason)
                    case _:
                        pass
            if arrived:
                self._archive.add(arrived)
            session.tick()
            with suppress(TimeoutError):
                async with self._clock.timeout(TICK_S):
                    await self._wake.wait()


def add_broker_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--broker", required=True, help="mqtt://host:port or mqtts://host:port")
    parser.add_argument("--ca-file", type=Path)
    parser.add_argument("--cert-file", type=Path, help="for a broker that asks for one; with --key-file")
    parser.add_argument("--key-file", type=Path)
    parser.add_argument("--below", default="", help="only this part of the city: 610200/610202")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m simulators.collector", description="A worker of a centre.")
    add_broker_arguments(parser)
    parser.add_argument("--database", type=Path, required=True, help="the archive that the centre reads")
    parser.add_argument("--name", required=True, help="its client id, another one for each collector")
    options = parser.parse_args()
    with Archive(options.database) as archive, suppress(KeyboardInterrupt):
        settings = CentreSettings(
            broker=options.broker, ca_file=options.ca_file, cert_file=options.cert_file, key_file=options.key_file
        )
        collector = Collector(Target.of(settings), archive, SystemClock(), options.name, options.below)
        asyncio.run(_announce(collector, options.name))


async def _announce(collector: Collector, name: str) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(collector.run(), name=f"collector:{name}")
        await collector.subscribed.wait()
        print(f"{name} collects", flush=True)


if __name__ == "__main__":
    main()
