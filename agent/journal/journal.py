"""The journal as the loop sees it. Every method is called in the loop; a thread of its own owns the disk."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from agent.events import Lane
from agent.journal.entry import (
    Birth,
    Bodies,
    ClosedError,
    Draft,
    Entry,
    Health,
    LaneState,
    Limits,
    RefusedError,
    Storing,
)
from agent.journal.inbox import Confirmation, Picture, PictureQuestion, Place, Question, Report
from agent.journal.renewal import Renewal
from agent.journal.spool import name_of, named_in
from agent.journal.thread import JournalThread
from drivers.base import Clock

URGENT = frozenset({Lane.ALARM, Lane.FAULT, Lane.LEDGER})
"""Lanes that may use the reserve of the queue in memory."""

LOOK_S = 1.0
"""How often `run_until_failed` looks whether the disk answers."""
STALLED_S = 5.0
"""A round that takes longer means a disk that does not answer."""


class Journal:
    """The durable record. An entry is written once, numbered without gaps, and kept until it is confirmed.

    Overflow in memory: `append_nowait` gives up the new draft and counts it; `append` waits.
    """

    def __init__(self, folder: Path, limits: Limits, clock: Clock, bodies: Bodies) -> None:
        self.lanes: Mapping[Lane, LaneState] = MappingProxyType({})
        self.health = Health()
        self._limits = limits
        self._clock = clock
        self._thread = JournalThread(folder, limits, clock, bodies, self._apply)
        self._stored = Health()
        self._overflowed = 0
        self._pending = 0
        self._telling = False
        self._closing = False
        self._on_commit: list[Callable[[Sequence[Entry]], None]] = []
        self._on_health: list[Callable[[Health], None]] = []
        self._on_epoch: list[Callable[[Birth], None]] = []
        self._birth: Birth | None = None
        self._life: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._life.add_done_callback(self._ended)
        self.opened: asyncio.Future[Birth] = asyncio.get_running_loop().create_future()
        """How the epoch of the opening came to be, once the disk has let us."""

    @classmethod
    def start(cls, folder: Path, limits: Limits, clock: Clock, bodies: Bodies | None = None) -> "Journal":
        """Take drafts from now on, whatever the disk does: one that refuses is a state of `health`, tried again.

        `run_until_failed` raises AlreadyRunningError when another process has the folder, ConfigError when a newer
        version wrote the file.
        """
        journal = cls(folder, limits, clock, bodies or Bodies())
        journal._thread.start(asyncio.get_running_loop(), journal.opened, journal._life, patient=True)
        return journal

    @classmethod
    async def open(cls, folder: Path, limits: Limits, clock: Clock, bodies: Bodies | None = None) -> "Journal":
        """Continue what is in `folder` or begin a new epoch; `birth` says which.

        Raises: ConfigError when the folder cannot be used, AlreadyRunningError when another process has it.
        """
        journal = cls(folder, limits, clock, bodies or Bodies())
        journal._thread.start(asyncio.get_running_loop(), journal.opened, journal._life, patient=False)
        try:
            either: set[asyncio.Future[Any]] = {journal._life, journal.opened}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not journal.opened.done():
                await journal._life
        except BaseException:
            await journal.close()
            raise
        return journal

    @property
    def birth(self) -> Birth:
        """How this epoch came to be. Only once `opened` is done."""
        return self._birth or self.opened.result()

    @property
    def epoch(self) -> str:
        """Empty while the disk refuses to be opened."""
        return self.birth.epoch if self.opened.done() else ""

    @property
    def pending(self) -> int:
        """Drafts in memory, not yet durable."""
        return self._pending

    def append_nowait(self, draft: Draft) -> None:
        """Hand over and forget; never blocks, never raises. What finds no room in memory is counted as refused."""
        room = self._limits.queue + (self._limits.queue_reserve if draft.lane in URGENT else 0)
        if self._pending >= room or self._closing:
            self._overflowed += 1
            self._tell_soon()
            return
        self._pending += 1
        self._thread.inbox.put(draft, None)

    async def append(self, draft: Draft) -> Entry:
        """Durable on return, however long the disk takes. A cancelled wait does not take the draft back.

        Raises: RefusedError when there is no room that may be made; ClosedError.
        """
        self._check_open()
        done: asyncio.Future[Entry] = asyncio.get_running_loop().create_future()
        self._pending += 1
        self._thread.inbox.put(draft, done)
        return await done

    async def append_picture(self, jpeg: bytes, draft: Callable[[str], Draft]) -> Entry:
        """Both durable on return. `draft` is given the picture's name and makes a media entry whose body says it.

        A picture never waits for a disk that refuses. Raises: RefusedError, and nothing is kept; ClosedError.
        """
        self._check_open()
        name = name_of(jpeg)
        wanted = draft(name)
        if wanted.lane is not Lane.MEDIA or named_in(wanted.body) != name:
            raise ValueError(f'a picture\'s entry goes to {Lane.MEDIA} and says "sha256":"{name}"')
        if len(self._thread.inbox.pictures) >= self._limits.pictures:
            self._overflowed += 1
            self._tell_soon()
            raise RefusedError("too many pictures at once", hint="The journal's disk is slow; ask for fewer pictures.")
        done: asyncio.Future[Entry] = asyncio.get_running_loop().create_future()
        self._pending += 1
        self._thread.inbox.put_picture(Picture(jpeg, wanted, done))
        return await done

    async def picture(self, name: str) -> bytes | None:
        """A JPEG of the spool; None when it has been released or dropped, or cannot be read any more."""
        self._check_open()
        done: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._thread.inbox.ask(PictureQuestion(name, done))
        return await done

    async def peek(self, lane: Lane, after: int, limit: int, max_bytes: int = 131072) -> tuple[Entry, ...]:
        """Entries above `after` in order, bodies of at most `max_bytes` together but at least one entry.

        Waits behind one commit at most. What was dropped is simply not there.
        """
        self._check_open()
        done: asyncio.Future[tuple[Entry, ...]] = asyncio.get_running_loop().create_future()
        self._thread.inbox.ask(Question(lane, after, limit, max_bytes, done))
        return await done

    async def confirm(self, lane: Lane, upto: int, digest: bytes | None) -> None:
        """The centre has everything up to `upto`; older or repeated news changes nothing.

        Raises: ConfirmError when that does not fit our chain; nothing is released then.
        """
        await self.confirm_all(((lane, upto, digest),))

    async def confirm_all(self, places: Iterable[Place]) -> None:
        """The centre has each lane up to there: all fit, or nothing is released. Raises: ConfirmError."""
        self._check_open()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._thread.inbox.confirm(Confirmation(self.epoch, tuple(places), done))
        await done

    async def renew(self, reason: str, centre: Mapping[Lane, int] = MappingProxyType({})) -> Birth:
        """Begin a new epoch with everything that is not confirmed; drafts wait in memory meanwhile.

        `centre` is up to where the centre has the lanes of the epoch that ends, for its successor's first entry.
        Raises: StorageError when the disk refuses, and the old epoch goes on; ClosedError.
        """
        self._check_open()
        done: asyncio.Future[Birth] = asyncio.get_running_loop().create_future()
        self._thread.inbox.renew(Renewal(reason, centre, done))
        return await done

    def hold(self, lane: Lane, upto: int) -> None:
        """Entries up to `upto` may be in flight: they are not dropped for room. 0 lets go."""
        self._thread.in_flight[lane] = upto

    def on_commit(self, callback: Callable[[Sequence[Entry]], None]) -> None:
        """Called after each commit, when `lanes` is up to date, with the drafts that became entries, in order.

        Who wants them need not read them back: SQLite gives up the interpreter lock at every row.
        """
        self._on_commit.append(callback)

    def on_health(self, callback: Callable[[Health], None]) -> None:
        """Called on every change of `health`."""
        self._on_health.append(callback)

    def on_epoch(self, callback: Callable[[Birth], None]) -> None:
        """Called when `renew` has begun a new epoch: every number and place of the old one means nothing now."""
        self._on_epoch.append(callback)

    async def run_until_failed(self) -> None:
        """Watch over the thread. Returns after `close`; raises what ended the thread otherwise: a bug, or damage.

        The process must end then; the next opening sets a damaged file aside.
        """
        while not self._life.done():
            self._tell()
            with suppress(TimeoutError):
                async with self._clock.timeout(LOOK_S):
                    await asyncio.wait({self._life})
        self._life.result()

    async def close(self) -> None:
        """Write what waits, then end the thread. With a disk that refuses, what waits is tried once and lost."""
        self._closing = True
        self._thread.inbox.close()
        await asyncio.wait({self._life})
        self._thread.join()

    def _check_open(self) -> None:
        if self._closing or self._life.done():
            raise ClosedError("the journal is closed")

    def _apply(self, report: Report) -> None:
        self._stored = report.health
        self._pending -= report.settled
        if report.states is not None:
            self.lanes = MappingProxyType(report.states)
        if report.birth is not None:
            self._birth = report.birth
            for began in self._on_epoch:
                began(report.birth)
        for answer in report.answers:
            answer()
        self._tell()
        if report.states is not None:
            for callback in self._on_commit:
                callback(report.written)

    def _tell_soon(self) -> None:
        """One report for a burst of refusals."""
        if not self._telling:
            self._telling = True
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        self._telling = False
        stored, began = self._stored, self._thread.round_began_s
        state, reason, hint = stored.state, stored.reason, stored.hint
        if began is not None and self._clock.mono_s() - began > STALLED_S:
            state, reason = Storing.FAILING, f"the disk has not answered for {STALLED_S:.0f} s"
            hint = "Check the journal's disk; a worn SD card does this."
        health = Health(state, reason, hint, stored.refused + self._overflowed)
        if health != self.health:
            self.health = health
            for callback in self._on_health:
                callback(health)

    def _ended(self, life: "asyncio.Future[None]") -> None:
        lost, waiting = self._thread.abandoned()
        self._overflowed += lost
        for done in waiting:
            if not done.done():
                done.set_exception(ClosedError("the journal ended before this was done"))
        self._pending = 0
        if not life.cancelled() and life.exception() is not None:
            self._closing = True
        self._tell()
