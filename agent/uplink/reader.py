"""Fills the schedule from the journal: what is next in each lane, what is set aside, what is asked for again."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

from agent.contract import event_body, tombstone, wall_time
from agent.events import Lane
from agent.journal import Draft, Entry, Journal
from agent.journal.database import StorageError
from agent.uplink.media import Media
from agent.uplink.policy import Mark
from agent.uplink.requests import Requests
from agent.uplink.schedule import Schedule
from drivers.base import Clock

_log = logging.getLogger(__name__)

READ_ENTRIES: Final = 400
READ_READINGS: Final = 2000
READ_BYTES: Final = 256 * 1024
RETRY_S: Final = 1.0


class Reader:
    """Sets `wake` when the schedule has more, or a reply is to be sent."""

    def __init__(
        self,
        schedule: Schedule,
        journal: Journal,
        clock: Clock,
        gateway: str,
        boot: str,
        wake: asyncio.Event,
        media: Media,
    ) -> None:
        self._schedule = schedule
        self._journal = journal
        self._clock = clock
        self._boot = boot
        self._wake = wake
        self._media = media
        self._need = asyncio.Event()
        self._requests = Requests(gateway, schedule, journal, clock)
        self.replies = self._requests.replies
        self._aside: deque[tuple[Mark, str]] = deque()

    def look(self) -> None:
        """There may be something to read."""
        self._need.set()

    def committed(self, entries: Sequence[Entry]) -> None:
        """What has just been written goes straight on, where its lane has sent or holds everything before it."""
        now = self._clock.mono_s()
        for lane, run in groupby(entries, key=attrgetter("lane")):
            self._schedule.offer_fresh(lane, tuple(run), now)
        self._wake.set()
        self.look()

    def last(self, lane: Lane) -> int:
        return self._journal.lanes[lane].last

    def requested(self, payload: bytes) -> None:
        """The centre asks for a range again."""
        if self._requests.received(payload):
            self.look()
        self._wake.set()

    def begin_anew(self) -> None:
        """Another epoch: marks and ranges of the old one mean nothing."""
        self._aside.clear()
        self._requests.begin_anew()
        self.look()

    def declare(self, mark: Mark, reason: str) -> None:
        """An entry that cannot travel: the ledger will say so."""
        self._aside.append((mark, reason))
        self.look()

    async def run(self) -> None:
        while True:
            self._need.clear()
            try:
                found = await self._next() or await self._declare() or await self._again() or await self._picture()
            except StorageError as error:
                _log.warning("the journal cannot be read: %s", error)
                await self._clock.sleep(RETRY_S)
                continue
            if not found:
                await self._need.wait()

    async def _next(self) -> bool:
        lane = self._schedule.want(self.last)
        if lane is None:
            return False
        upto = self.last(lane)
        after, generation = self._schedule.place(lane)
        limit = READ_READINGS if lane is Lane.TELEMETRY else READ_ENTRIES
        entries = await self._journal.peek(lane, after, limit, READ_BYTES)
        self._schedule.offer(lane, generation, upto, entries, self._clock.mono_s())
        self._wake.set()
        return True

    async def _declare(self) -> bool:
        if not self._aside:
            return False
        (lane, sequence), reason = self._aside[0]
        epoch = self._journal.epoch
        entries = await self._journal.peek(lane, sequence - 1, 1)
        if self._journal.epoch != epoch:
            return True
        self._aside.popleft()
        if entries and entries[0].sequence == sequence:
            now = self._clock.mono_s()
            event = tombstone(
                epoch=epoch,
                lane=lane,
                first=sequence,
                last=sequence,
                count=1,
                reason=reason,
                digest=entries[0].digest,
                mono_s=now,
            )
            at = wall_time(self._clock, now)
            body = event_body(event, boot=self._boot, at=at, name=None, grid=None)
            self._journal.append_nowait(Draft(event.info.lane, event.kind, body))
        return True

    async def _picture(self) -> bool:
        found = await self._media.fetch()
        if found:
            self._wake.set()
        return found

    async def _again(self) -> bool:
        found = await self._requests.serve()
        if found:
            self._wake.set()
        return found
