"""A gateway for tests: who it is, and its upper half, a real journal and a real uplink, told what to report."""

import asyncio
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from agent.contract import LaneStatus, StatusMessage, Topics, event_body, reading_body, uptime
from agent.events import CATALOGUE, Event, Kind, Lane
from agent.journal import Draft, Journal, Limits
from agent.journal.spool import named_in
from agent.settings import Centre, Gateway
from agent.uplink import LinkPhase, LinkState, Trouble, Uplink
from drivers.base import Clock, DeviceId, PointId, Reading, SystemClock

TABLE = """
[gateway]
id = "gh-test01"
city = "610200"
county = "610202"
street = "610202001"
community = "610202001001"
name = { zh = "测试", en = "Test" }
"""
"""As a compound's file begins."""
GATEWAY = Gateway.model_validate(tomllib.loads(TABLE)["gateway"])
TOPICS = Topics.of(GATEWAY)
BOOT = "0b7b6f1e-2222-4c6e-9f6c-222222222222"
AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


class House:
    def __init__(
        self,
        journal: Journal,
        centre: Centre,
        clock: Clock,
        on_link: Callable[[LinkState], None] = lambda _: None,
    ) -> None:
        self.journal = journal
        self.clock = clock
        self.links: list[LinkState] = []
        self._on_news = on_link
        self.troubles: list[Trouble] = []
        self._changed = asyncio.Event()
        self.uplink = Uplink(
            centre,
            TOPICS,
            journal,
            clock,
            BOOT,
            status=self.status,
            on_link=self._on_link,
            on_trouble=self._on_trouble,
            picture=self._picture,
        )
        journal.on_commit(lambda _: self._changed.set())

    async def _picture(self, body: bytes) -> tuple[str, bytes] | None:
        name = named_in(body)
        jpeg = None if name is None else await self.journal.picture(name)
        return None if name is None or jpeg is None else (name[:16], jpeg)

    def status(self) -> bytes:
        lanes = {
            lane: LaneStatus(last=s.last, confirmed=s.confirmed, oldest=s.oldest, digest=s.digest.hex())
            for lane, s in self.journal.lanes.items()
        }
        return StatusMessage(
            gateway=GATEWAY.id,
            version="0",
            boot=BOOT,
            epoch=self.journal.epoch,
            uptime=uptime(self.clock.mono_s()),
            configuration="0" * 64,
            name=GATEWAY.name,
            lanes=lanes,
            receipt_counter=self.uplink.receipt_counter,
        ).payload()

    def report(self, kind: Kind, subject: str = "north-gate", **data: str | int | bool) -> None:
        event = Event(kind, subject, self.clock.mono_s(), data)
        body = event_body(event, boot=BOOT, at=AT, name=None, grid=None)
        self.journal.append_nowait(Draft(CATALOGUE[kind].lane, kind, body))

    def read(self, value: float) -> None:
        reading = Reading(DeviceId("pump-room"), PointId("temperature"), value, self.clock.mono_s())
        body = reading_body(reading, "°C", boot=BOOT, at=AT)
        self.journal.append_nowait(Draft(Lane.TELEMETRY, Kind.READINGS, body))

    def waiting(self) -> int:
        return sum(state.waiting for state in self.journal.lanes.values())

    async def confirmed(self, timeout_s: float = 10.0) -> None:
        """Everything reported so far has been released."""
        await self.until(lambda: self.journal.pending == 0 and self.waiting() == 0, timeout_s)

    async def linked(self, timeout_s: float = 10.0) -> None:
        await self.until(lambda: self.uplink.link.phase is LinkPhase.UP, timeout_s)

    async def until(self, holds: Callable[[], bool], timeout_s: float = 10.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def _on_link(self, link: LinkState) -> None:
        self.links.append(link)
        self._on_news(link)
        self._changed.set()

    def _on_trouble(self, trouble: Trouble) -> None:
        self.troubles.append(trouble)
        self._changed.set()


@asynccontextmanager
async def house(
    folder: Path,
    centre: Centre,
    *,
    clock: Clock | None = None,
    limits: Limits | None = None,
    running: bool = True,
) -> AsyncIterator[House]:
    clock = clock or SystemClock()
    journal = await Journal.open(folder, limits or Limits(), clock)
    try:
        made = House(journal, centre, clock)
        if not running:
            yield made
            return
        task = asyncio.create_task(made.uplink.run(), name="uplink")
        try:
            yield made
        finally:
            await made.uplink.stop()
            await task
    finally:
        await journal.close()
