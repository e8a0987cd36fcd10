"""Fills the schedule from the journal: what is next in each lane, and what the centre asks for again."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

from pydantic import ValidationError

from agent.contract import Request, event_body, tombstone, wall_time
from agent.events import Lane
from agent.journal import Draft, Entry, Journal
from agent.journal.database import StorageError
from agent.uplink.policy import Mark
from agent.uplink.schedule import Schedule
from drivers.base import Clock

_log = logging.getLogger(__name__)

READ_ENTRIES: Final = 400
READ_READINGS: Final = 2000
READ_BYTES: Final = 256 * 1024
MAX_REQUESTS: Final = 8
"""Ranges asked for and not yet sent; a further one is passed over, the centre asks again."""
RETRY_S: Final = 1.0


class Reader:
    """Sets `wake` when the schedule has more."""

    def __init__(self, schedule: Schedule, journal: Journal, clock: Clock, boot: str, wake: asyncio.Event) -> None:
        self._schedule = schedule
        self._journal = journal
        self._clock = clock
        self._boot = boot
        self._wake = wake
        self._need = asyncio.Event()
        self._requests: deque[Request] = deque()
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
        try:
            request = Request.model_validate_json(payload)
        except ValidationError:
            _log.warning("a request from the centre cannot be read (%d bytes)", len(payload))
            return
        if len(self._requests) < MAX_REQUESTS:
            self._requests.append(request)
            self.look()

    def declare(self, mark: Mark, reason: str) -> None:
        """An entry that cannot travel: the ledger will say so."""
        self._aside.append((mark, reason))
        self.look()

    async def run(self) -> None:
        while True:
            self._need.clear()
            try:
                found = await self._next() or await self._declare() or await self._again()
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
        entries = await self._journal.peek(lane, sequence - 1, 1)
        self._aside.popleft()
        if entries and entries[0].sequence == sequence:
            now = self._clock.mono_s()
            event = tombstone(
                epoch=self._journal.epoch,
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

    async def _again(self) -> bool:
        if not self._requests:
            return False
        request = self._requests[0]
        if not self._schedule.wants_again(request.lane):
            return False
        sent, _ = self._schedule.place(request.lane)
        last = min(request.last, sent)
        entries = await self._journal.peek(request.lane, request.first - 1, READ_ENTRIES)
        wanted = [entry for entry in entries if entry.sequence <= last]
        self._schedule.offer_again(request.lane, wanted)
        self._wake.set()
        self._requests.popleft()
        if wanted and wanted[-1].sequence < last:
            self._requests.appendleft(Request(lane=request.lane, first=wanted[-1].sequence + 1, last=last))
        elif not wanted:
            _log.info("%s/%d..%d is not here any more", request.lane, request.first, request.last)
        return True
