"""What the centre asks for again: what is kept goes to the schedule, what is gone is answered as gone.

Nothing of it is stored: a request or its reply that is lost with the link is asked again by the centre. Requests wait
in a short queue; a range that waits already, and whatever comes faster than `MAX_A_MINUTE`, is passed over.
"""

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import ValidationError

from agent.contract import Outcome, Request, RequestReply, Span
from agent.events import Lane
from agent.journal import Entry, Journal
from agent.uplink.schedule import Schedule
from drivers.base import Clock

_log = logging.getLogger(__name__)

READ_ENTRIES: Final = 400
MAX_WAITING: Final = 8
MAX_A_MINUTE: Final = 300
MAX_REPLIES: Final = 32
MAX_GONE: Final = 100
"""Ranges in one reply; a lane with more of them is answered in parts."""


@dataclass(slots=True)
class _Job:
    """A request on its way: everything below `next` has been looked at."""

    id: str
    lane: Lane
    first: int
    next: int
    last: int
    gone: list[Span] = field(default_factory=list)


class Requests:
    """`replies` are the answers not yet sent, each with its request's id; the oldest goes first for want of room."""

    def __init__(self, gateway: str, schedule: Schedule, journal: Journal, clock: Clock) -> None:
        self.replies: deque[tuple[str, bytes]] = deque(maxlen=MAX_REPLIES)
        self._gateway = gateway
        self._schedule = schedule
        self._journal = journal
        self._clock = clock
        self._jobs: deque[_Job] = deque()
        self._minute_s = clock.mono_s()
        self._in_minute = 0

    def received(self, payload: bytes) -> bool:
        """Whether there is something new to serve."""
        try:
            request = Request.model_validate_json(payload)
        except ValidationError:
            _log.warning("a request from the centre cannot be read (%d bytes)", len(payload))
            return False
        lane, first, last = request.lane, request.first, request.last
        if any(job.lane is lane and job.first <= first and last <= job.last for job in self._jobs):
            return False
        if len(self._jobs) >= MAX_WAITING or self._too_many():
            _log.info("request %s is passed over: too many at once", request.id)
            return False
        if request.epoch != self._journal.epoch:
            self._answer(request.id, Outcome.UNKNOWN_EPOCH, lane, first, last)
            return False
        self._jobs.append(_Job(request.id, lane, first, first, last))
        return True

    def begin_anew(self) -> None:
        """Another epoch has begun."""
        for job in self._jobs:
            self._answer(job.id, Outcome.UNKNOWN_EPOCH, job.lane, job.first, job.last)
        self._jobs.clear()

    async def serve(self) -> bool:
        """Do the next piece of the oldest request; False when there is nothing to do now. Raises: StorageError."""
        if not self._jobs or not self._schedule.wants_again(self._jobs[0].lane):
            return False
        job = self._jobs[0]
        last = min(job.last, self._schedule.place(job.lane)[0])  # what lies beyond is sent anyway
        entries: Sequence[Entry] = ()
        if job.next <= last:
            epoch = self._journal.epoch
            entries = await self._journal.peek(job.lane, job.next - 1, READ_ENTRIES)
            if self._journal.epoch != epoch:
                return True
        wanted = [entry for entry in entries if entry.sequence <= last]
        for entry in wanted:
            self._missed(job, entry.sequence - 1)
            job.next = entry.sequence + 1
        self._schedule.offer_again(job.lane, wanted)
        if done := not entries or entries[-1].sequence >= last:
            self._missed(job, last)
        if done or len(job.gone) >= MAX_GONE:
            self._jobs.popleft()
            upto = job.last if done else job.next - 1
            self._answer(job.id, Outcome.ANSWERED, job.lane, job.first, upto, job.gone)
        return True

    def _missed(self, job: _Job, upto: int) -> None:
        if job.next <= upto:
            job.gone.append(Span(first=job.next, last=upto))
            job.next = upto + 1

    def _too_many(self) -> bool:
        now = self._clock.mono_s()
        if now - self._minute_s >= 60.0:
            self._minute_s, self._in_minute = now, 0
        self._in_minute += 1
        return self._in_minute > MAX_A_MINUTE

    def _answer(
        self, request_id: str, outcome: Outcome, lane: Lane, first: int, last: int, gone: Sequence[Span] = ()
    ) -> None:
        reply = RequestReply(
            id=request_id,
            gateway=self._gateway,
            epoch=self._journal.epoch,
            outcome=outcome,
            lane=lane,
            first=first,
            last=last,
            gone=tuple(gone),
        )
        self.replies.append((request_id, reply.payload()))
