"""The journal's thread: it alone owns the database. The loop hands over and asks; the thread reports back.

Everything shared stands in `Inbox`, under one condition. Each round serves the questions first, then writes all
that waits, drafts and confirmations, in one transaction with one fsync; telemetry and confirmations may wait for that
of others. A round the disk refuses is kept and tried again; the drafts behind it wait in memory. Reports go to the
loop by one `call_soon_threadsafe` a round.
"""

import logging
import sys
import threading
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agent.events import Lane
from agent.journal.answers import Answer, Carried, answer
from agent.journal.check import Check
from agent.journal.database import DamagedError, Database, StorageError, StorageFullError
from agent.journal.disk import Disk
from agent.journal.entry import (
    Birth,
    Bodies,
    ConfirmError,
    Entry,
    Health,
    LaneState,
    Limits,
    RefusedError,
    Storing,
)
from agent.journal.inbox import Confirmation, Inbox, Picture, PictureQuestion, Question, Report, Waiting
from agent.journal.pictures import Pictures
from agent.journal.quarantine import mark_damaged
from agent.journal.renewal import Renewal, renew
from agent.journal.spool import MediaSpool
from agent.journal.standby import Ready, Standby
from agent.journal.store import RESERVED, Store
from drivers.base import Clock, ConfigError

_LOG = logging.getLogger(__name__)

BATCH_ROWS = 2000
BATCH_BYTES = 4 << 20
IDLE_S = 60.0
"""How often an idle thread looks whether entries have become too old."""
POLL_S = 0.25
"""While the disk refuses, how often the thread looks whether it is time to try again."""

SWITCH_S = 0.0001
"""Interpreter's switch interval, for the whole process. With the default of 5 ms a loop that is busy with callbacks of
1 to 5 ms never grants the lock to the thread, which gives it up at every step of SQLite: 40 s for one commit, measured.
"""

_FULL_HINT = "Restore the link to the centre, or give the journal more room (storage.max_mb)."


class JournalThread:
    def __init__(
        self, folder: Path, limits: Limits, clock: Clock, bodies: Bodies, report: Callable[[Report], None]
    ) -> None:
        self.in_flight: dict[Lane, int] = {}
        self.round_began_s: float | None = None
        """When the round that is going on began; a disk that does not answer shows here."""
        self._folder = folder
        self._limits = limits
        self._clock = clock
        self._bodies = bodies
        self._report = report
        self.inbox = Inbox()
        self._disk = Disk(clock)
        self._no_room = ""
        self._refused = 0
        self._telemetry_due: float | None = None
        self._confirmations_due: float | None = None
        self._drafts: list[Waiting] = []
        self._confirmations: list[Confirmation] = []
        self._questions: list[Question | PictureQuestion] = []
        self._pictures = Pictures(MediaSpool(folder / "media", limits.media_bytes))
        self._standby = Standby(folder, limits, bodies, clock, self._disk, self._name_of_now)
        self._epoch = ""
        """What the loop knows of, if anything."""
        self._until_s: float | None = None
        """When a journal in memory is left to try the disk again."""
        self._check: Check | None = None
        self._thread: threading.Thread

    # ------------------------------------------------------------ called by the loop

    def abandoned(self) -> "tuple[int, list[Future[Any]]]":
        """What the thread left undone, only after its end: number of drafts, and who still waits."""
        inbox = self.inbox
        waiting: list[Future[Any]] = [done for _, done in self._drafts if done is not None]
        waiting += [asked.done for asked in self._confirmations]
        waiting += [asked.done for asked in self._questions]
        return len(self._drafts) + len(inbox.drafts) + len(inbox.pictures), waiting + inbox.waiting()

    def start(self, loop: AbstractEventLoop, opened: "Future[Birth]", ended: "Future[None]", *, patient: bool) -> None:
        """`ended` carries what ends the thread; a `patient` one waits for a disk that refuses to be opened.

        A daemon: a process that ends without `close` is not held up, and loses no more than by kill -9.
        """
        sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_S))
        given = (loop, opened, ended, patient)
        self._thread = threading.Thread(target=self._main, args=given, name="journal", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Only after `ended`: what is left is to return."""
        self._thread.join()

    # ------------------------------------------------------------ the thread

    def _main(self, loop: AbstractEventLoop, opened: "Future[Birth]", ended: "Future[None]", patient: bool) -> None:
        with Carried(loop, ended):
            self._live(loop, opened, patient)

    def _live(self, loop: AbstractEventLoop, opened: "Future[Birth]", patient: bool) -> None:
        """Raises: ConfigError or AlreadyRunningError when it cannot open; anything else later is a bug or damage."""
        while (ready := self._open(loop, patient or opened.done())) is not None:
            clean = False
            try:
                self._begin(loop, opened, ready)
                if self._serve(loop, ready.found.database, ready.found.store):
                    clean = self._check is None or self._check.passed
                    self._standby.end()
                    return
            except DamagedError as err:
                mark_damaged(self._folder, str(err))
                raise
            finally:
                if self._check is not None:
                    self._check.stop()
                if ready.lock is not None:
                    ready.found.database.close()
                    ready.lock.release(clean=clean)

    def _open(self, loop: AbstractEventLoop, patient: bool) -> Ready | None:
        """None when it was closed before the disk let us. Raises: ConfigError, AlreadyRunningError."""
        while True:
            try:
                return self._standby.open()
            except StorageError as err:
                if not patient:
                    raise ConfigError(str(err), hint=err.hint) from err
                self._fail(loop, err)
            with self.inbox.changed:
                if self.inbox.changed.wait_for(lambda: self.inbox.closing, self._disk.wait_s()):
                    return None

    def _begin(self, loop: AbstractEventLoop, opened: "Future[Birth]", ready: Ready) -> None:
        """With a store just opened: for the first time, or because another file is written from now on."""
        found, store = ready.found, ready.found.store
        store.in_flight = self.in_flight
        self._until_s, self._check = ready.until_s, None
        self._refused += ready.refused
        if ready.lock is not None:
            media = (draft.body for draft, _ in self._drafts if draft.lane is Lane.MEDIA)
            self._pictures.begin([*store.pictured(), *media])
            self._disk.takes()
            if found.unchecked:
                self._check = Check(found.database.path, self.inbox.found_damage)
                self._check.start()
        if not self._epoch:
            self._send(loop, store.states())
            loop.call_soon_threadsafe(answer(opened, found.birth))
        elif self._epoch != store.epoch:
            self._send(loop, store.states(), birth=found.birth)
        self._epoch = store.epoch
        if self._standby.is_strange:
            self._standby.is_strange = False
            self.inbox.renew(Renewal("the file came back in another state than it went", {}, Future(loop=loop)))

    def _serve(self, loop: AbstractEventLoop, database: Database, store: Store) -> bool:
        """Until it is closed, or False: another file is to be written from now on."""
        while True:
            self._take(idle=not store.untidy(self._today()))
            closing = self.inbox.closing
            if self.inbox.damage:
                raise DamagedError(self.inbox.damage)
            due = closing or not self._disk.wait_s()
            if (
                self._disk.refusal is not None
                and due
                and (database.moved() or self._standby.is_wanted(closing=closing))
            ):
                return closing
            if self._until_s is not None and self._clock.mono_s() >= self._until_s and not closing:
                return False
            if self.inbox.renewals:
                store = self._renew(loop, database, store)
                self._standby.renewed(store)
            if self._questions:
                self._answer_questions(loop, store)
            while self.inbox.pictures:
                self._take_picture(loop, store, self.inbox.pictures.popleft())
            if due:
                if self._drafts or self._confirmations:
                    self._round(loop, store)
                elif not closing and store.untidy(today := self._today()):
                    self._tidy(loop, store, today)
            if closing and (self._disk.refusal is not None or not (self._drafts or self.inbox.holds_work())):
                return True

    def _take(self, *, idle: bool) -> None:
        """Wait for work; fill the round with what waits, up to a batch, and take the questions.

        Telemetry and confirmations may wait for company: they go with the next round of anything else, or when the time
        of either is up.
        """
        inbox = self.inbox
        with inbox.changed:
            if self._disk.refusal is not None:
                inbox.changed.wait_for(lambda: inbox.questions or inbox.closing, POLL_S)
            elif idle and not self._drafts:
                now_s = self._clock.mono_s()
                dues = (self._telemetry_due, self._confirmations_due, self._until_s, now_s + IDLE_S)
                wait_s = max(0.0, min(due for due in dues if due is not None) - now_s)
                inbox.changed.wait_for(lambda: inbox.presses() or self._begins_to_wait(), wait_s)
            if self._drafts or not self._lingers():
                self._drafts = self._drafts or inbox.take(BATCH_ROWS, BATCH_BYTES)
                self._confirmations.extend(inbox.confirmations)
                inbox.confirmations.clear()
                self._telemetry_due = self._confirmations_due = None
            self._questions.extend(inbox.questions)
            inbox.questions.clear()

    def _begins_to_wait(self) -> bool:
        """Something whose time is not yet noted."""
        inbox = self.inbox
        return bool(
            (inbox.drafts and self._telemetry_due is None) or (inbox.confirmations and self._confirmations_due is None)
        )

    def _lingers(self) -> bool:
        """Nothing has to be written yet: what is there waits for company, each kind for its own time at most."""
        inbox, now_s = self.inbox, self._clock.mono_s()
        if inbox.drafts and self._telemetry_due is None:
            self._telemetry_due = now_s + self._limits.telemetry_wait_s
        if inbox.confirmations and self._confirmations_due is None:
            self._confirmations_due = now_s + self._limits.confirmation_wait_s
        dues = (self._telemetry_due, self._confirmations_due)
        return not inbox.commits() and all(now_s < due for due in dues if due is not None)

    def _answer_questions(self, loop: AbstractEventLoop, store: Store) -> None:
        self.round_began_s = self._clock.mono_s()
        answers = []
        try:
            for question in self._questions:
                if isinstance(question, PictureQuestion):
                    answers.append(answer(question.done, self._pictures.read(question.name)))
                else:
                    found = store.peek(question.lane, question.after, question.limit, question.max_bytes)
                    answers.append(answer(question.done, found))
        except StorageError as err:
            self._fail(loop, err)
            return
        self._questions.clear()
        self._send(loop, None, answers)

    def _take_picture(self, loop: AbstractEventLoop, store: Store, picture: Picture) -> None:
        """The file first, then its entry among the drafts. What the disk refuses is refused at once."""
        self.round_began_s = self._clock.mono_s()
        refusal: StorageError | RefusedError | None = self._disk.refusal
        if self._until_s is not None:
            refusal = RefusedError("the disk refuses", hint="Check the journal's disk, or replace it.")
        try:
            if refusal is not None:
                raise refusal
            self._pictures.keep(store, picture.jpeg)
        except (StorageError, RefusedError) as err:
            self._refused += 1
            refusal = RefusedError(f"a picture is not kept: {err}", hint=err.hint)
            self._send(loop, store.states(), [answer(picture.done, refusal)], settled=1)
            return
        self._drafts.append((picture.draft, picture.done))

    def _round(self, loop: AbstractEventLoop, store: Store) -> None:
        """One transaction; when the disk is full, once more with a chunk given up for it."""
        self.round_began_s = self._clock.mono_s()
        try:
            try:
                answers, written = self._commit(store, "")
            except StorageFullError:
                answers, written = self._commit(store, "disk full")
        except StorageError as err:
            self._fail(loop, err)
            return
        settled = len(self._drafts)
        self._drafts.clear()
        self._confirmations.clear()
        self._disk.takes()
        self._send(loop, store.states(), answers, settled, written)

    def _commit(self, store: Store, room_for: str) -> tuple[list[Answer], tuple[Entry, ...]]:
        answers: list[Answer] = []
        with store.transaction():
            answers.extend(_confirm(store, confirmation) for confirmation in self._confirmations)
            if room_for:
                store.make_room(room_for)
            entries = store.write([draft for draft, _ in self._drafts])
        for (_, done), entry in zip(self._drafts, entries, strict=True):
            if done is not None:
                answers.append(answer(done, entry or RefusedError(store.refused_for, hint=_FULL_HINT)))
        self._pictures.let_go(store.let_go)
        refused = [draft for (draft, _), entry in zip(self._drafts, entries, strict=True) if entry is None]
        self._pictures.let_go(draft.body for draft in refused if draft.lane is Lane.MEDIA)
        self._refused += len(refused)
        if store.refused_for or any(draft.lane not in RESERVED for draft, _ in self._drafts):
            self._no_room = store.refused_for
        return answers, tuple(entry for entry in entries if entry is not None)

    def _renew(self, loop: AbstractEventLoop, database: Database, store: Store) -> Store:
        asked = self.inbox.renewals[0]

        def progress() -> None:
            self.round_began_s = self._clock.mono_s()

        progress()
        try:
            fresh, birth = renew(database, store, self._limits, self._bodies, asked, progress)
        except StorageError as err:
            self.inbox.renewals.popleft()
            self._fail(loop, err, [answer(asked.done, err)])
            return store
        self.inbox.renewals.popleft()
        fresh.in_flight = self.in_flight
        self._epoch = fresh.epoch
        self._disk.takes()
        self._send(loop, fresh.states(), [answer(asked.done, birth)], birth=birth)
        return fresh

    def _tidy(self, loop: AbstractEventLoop, store: Store, today: int | None) -> None:
        self.round_began_s = self._clock.mono_s()
        try:
            with store.transaction():
                store.tidy(today)
        except StorageError as err:
            self._fail(loop, err)
            return
        self._disk.takes()
        self._send(loop, store.states())

    def _fail(self, loop: AbstractEventLoop, err: StorageError, answers: Sequence[Answer] = ()) -> None:
        """Keep everything and try again later."""
        self._disk.refuses(err)
        self._send(loop, None, answers)

    def _health(self) -> Health:
        troubled = self._standby.health(self._refused) or self._disk.health(self._refused)
        if troubled is None and self._no_room:
            return Health(Storing.FULL, self._no_room, _FULL_HINT, self._refused)
        return troubled or Health(refused=self._refused)

    def _send(
        self,
        loop: AbstractEventLoop,
        states: dict[Lane, LaneState] | None,
        answers: Sequence[Answer] = (),
        settled: int = 0,
        written: tuple[Entry, ...] = (),
        birth: Birth | None = None,
    ) -> None:
        self.round_began_s = None
        report = Report(states, self._health(), tuple(answers), settled, written, birth)
        loop.call_soon_threadsafe(self._report, report)

    def _today(self) -> int | None:
        now = self._clock.utc()
        return None if now is None else now.toordinal()

    def _name_of_now(self) -> str:
        now = self._clock.utc()
        return "undated" if now is None else now.strftime("%Y%m%dT%H%M%SZ")


def _confirm(store: Store, confirmation: Confirmation) -> Answer:
    try:
        if confirmation.epoch == store.epoch:
            for lane, upto, digest in confirmation.places:
                store.check(lane, upto, digest)
            for lane, upto, digest in confirmation.places:
                store.confirm(lane, upto, digest)
    except ConfirmError as err:
        return answer(confirmation.done, err)
    return answer(confirmation.done, None)
