"""The journal's rules, over its lanes: what is taken, what a receipt moves, what goes first when room is needed.

Only the journal's thread calls it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from agent.events import Kind, Lane
from agent.journal.database import PAGE_BYTES, Database
from agent.journal.entry import Bodies, ConfirmError, Draft, Dropped, Entry, LaneState, Limits
from agent.journal.lanes import Lanes, Place, as_int

LOWEST_FIRST = (Lane.MEDIA, Lane.TELEMETRY, Lane.ACCESS, Lane.LEDGER, Lane.FAULT, Lane.ALARM)
DROPPABLE = (Lane.MEDIA, Lane.TELEMETRY, Lane.ACCESS)
RESERVED = frozenset({Lane.ALARM, Lane.FAULT})
"""Lanes that may use the alarm reserve."""

ROW_BYTES = 64
"""What a row takes beside its body: digest, kind, header."""
MEDIA_WEIGHT = 64
"""How many telemetry entries a picture weighs, roughly."""


class Store:
    def __init__(self, database: Database, epoch: str, limits: Limits, bodies: Bodies) -> None:
        self.epoch = epoch
        self.in_flight: Mapping[Lane, int] = {}
        """Up to where each lane may be on its way to the centre; nothing up to there is dropped."""
        self.refused_for = ""
        """Why drafts of the last `write` were refused, or nothing."""
        self.let_go: list[bytes] = []
        """Bodies of the media entries that the last transaction confirmed or dropped: their pictures may go."""
        self._database = database
        self._limits = limits
        self._bodies = bodies
        self._lanes = Lanes(database, epoch)
        self._tidy_on: int | None = None
        self._spare_bytes = 0
        """So much may be written before the size of the file is looked at again."""

    def states(self) -> dict[Lane, LaneState]:
        return {lane: LaneState(c.last, c.confirmed, c.oldest, c.digest, c.waiting) for lane, c in self._lanes.items()}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.let_go = []
        with self._lanes.undone_on_failure(), self._database.transaction():
            yield
            self._lanes.save()

    # ------------------------------------------------------------ within a transaction

    def begin(self, first: Draft) -> None:
        """The first entry, within the transaction that lays out the file."""
        self._lanes.insert([first])
        self._lanes.save()

    def write(self, drafts: Sequence[Draft]) -> list[Entry | None]:
        """Number, chain and insert; None stands for a draft refused for want of room."""
        self.refused_for = ""
        admitted = self._admit(drafts)
        written = iter(self._lanes.insert([draft for draft, admit in zip(drafts, admitted, strict=True) if admit]))
        return [next(written) if admit else None for admit in admitted]

    def check(self, lane: Lane, upto: int, digest: bytes | None) -> bytes | None:
        """Our chain at `upto`, None where it is not known any more.

        Raises: ConfirmError beyond our last entry, or when `digest` is not our chain at `upto`.
        """
        cursor = self._lanes[lane]
        if upto > cursor.last:
            raise ConfirmError(lane, upto, f"our last is {cursor.last}")
        known = self._lanes.digest_at(lane, upto)
        if digest is not None and known is not None and digest != known:
            raise ConfirmError(lane, upto, "another digest than ours")
        return known

    def confirm(self, lane: Lane, upto: int, digest: bytes | None) -> None:
        """Move the cursor forward. A place inside a dropped range cannot be verified and moves nothing.

        Raises: ConfirmError as `check` does.
        """
        known = self.check(lane, upto, digest)
        confirmed = self._lanes[lane].confirmed
        if known is not None and upto > confirmed:
            self._let_go(lane, confirmed, upto)
            self._lanes.confirm(lane, upto, known)

    def tidy(self, today: int | None) -> None:
        """Release a chunk of the confirmed entries that are too old or too many; `today` is the date's ordinal."""
        if self._too_many():
            self._release_lowest()
        elif today is not None:
            self._mark(today)
            if not self._release_old():
                self._tidy_on = today

    def make_room(self, reason: str) -> bool:
        """Give up one chunk: confirmed entries first, then the lowest lane's oldest; False when nothing may go."""
        return self._release_lowest() or any(self._drop(lane, reason) for lane in DROPPABLE)

    def give_up_pictures(self, size: Callable[[bytes], int], wanted: int) -> bool:
        """Drop the oldest media entries until their pictures make up `wanted` bytes, as far as one range goes."""
        rows, freed = self._droppable(Lane.MEDIA, self._limits.chunk), 0
        for count, (sequence, _) in enumerate(rows, start=1):
            freed += sum(map(size, self._lanes.bodies(Lane.MEDIA, sequence - 1, sequence)))
            if freed >= wanted:
                rows = rows[:count]
                break
        if rows:
            self._give_up(Lane.MEDIA, rows, "media bytes")
        return bool(rows)

    # ------------------------------------------------------------ reading

    def pictured(self) -> list[bytes]:
        """Bodies of all that waits in the media lane."""
        media = self._lanes[Lane.MEDIA]
        return self._lanes.bodies(Lane.MEDIA, media.confirmed, media.last)

    def untidy(self, today: int | None) -> bool:
        """Whether `tidy` has something to do; no I/O."""
        return self._too_many() or today not in (None, self._tidy_on)

    def peek(self, lane: Lane, after: int, limit: int, max_bytes: int) -> tuple[Entry, ...]:
        """Entries above `after` in order, at least one where there is one."""
        return self._lanes.peek(lane, after, limit, max_bytes)

    # ------------------------------------------------------------ private: state

    def _too_many(self) -> bool:
        confirmed = sum(cursor.stored - cursor.waiting for _, cursor in self._lanes.items())
        return confirmed > self._limits.keep_confirmed

    # ------------------------------------------------------------ private: room

    def _admit(self, drafts: Sequence[Draft]) -> list[bool]:
        """Make room for all, and where that is not enough, choose: the reserve is for alarms and faults."""
        limits = self._limits
        need = sum(len(draft.body) + ROW_BYTES for draft in drafts)
        if need <= self._spare_bytes and self._rows() + len(drafts) <= limits.max_entries:
            self._spare_bytes -= need + PAGE_BYTES
            return [True] * len(drafts)
        soft_bytes = limits.max_bytes - limits.alarm_reserve_bytes
        used, rows = self._database.used_bytes(), self._rows()
        while used + need > soft_bytes or rows + len(drafts) > limits.max_entries:
            self._spare_bytes = 0
            if not self.make_room("bytes" if used + need > soft_bytes else "entries"):
                break
            used, rows = self._database.used_bytes(), self._rows()
        else:
            self._spare_bytes = (soft_bytes - used - need) // 4
            return [True] * len(drafts)
        admitted = []
        for draft in drafts:
            size = len(draft.body) + ROW_BYTES
            if draft.lane in RESERVED:
                admit = used + size <= limits.max_bytes
            else:
                admit = used + size <= soft_bytes and rows < limits.max_entries
            admitted.append(admit)
            used, rows = used + size * admit, rows + admit
        if not all(admitted):
            self.refused_for = "only alarms, faults and the ledger are left, and none of them may be dropped"
        return admitted

    def _rows(self) -> int:
        return sum(cursor.stored for _, cursor in self._lanes.items())

    def _release_lowest(self) -> bool:
        for lane in LOWEST_FIRST:
            cursor = self._lanes[lane]
            if cursor.stored > cursor.waiting:
                self._lanes.release(lane, min(cursor.confirmed, cursor.oldest + self._limits.chunk - 1))
                return True
        return False

    def _drop(self, lane: Lane, reason: str) -> bool:
        """Give up the oldest unbroken range above cursor and flight, and declare it in the ledger."""
        cursor = self._lanes[lane]
        if not cursor.waiting:
            return False
        chunk = max(1, self._limits.chunk // (MEDIA_WEIGHT if lane is Lane.MEDIA else 1))
        rows = self._droppable(lane, chunk)
        if not rows or (len(rows) < chunk // 8 and not self.peek(lane, rows[-1][0], 1, 0)):
            return False  # all there is; its tombstones would soon weigh as much
        self._give_up(lane, rows, reason)
        return True

    def _droppable(self, lane: Lane, most: int) -> list[Place]:
        """The oldest unbroken range above cursor and flight."""
        return self._lanes.unbroken(lane, max(self._lanes[lane].confirmed, self.in_flight.get(lane, 0)), most)

    def _give_up(self, lane: Lane, places: Sequence[Place], reason: str) -> None:
        first, (last, digest) = places[0][0], places[-1]
        self._let_go(lane, first - 1, last)
        self._lanes.drop(lane, first, last, digest)
        body = self._bodies.entries_dropped(Dropped(self.epoch, lane, first, last, reason, digest))
        self._lanes.insert([Draft(Lane.LEDGER, Kind.ENTRIES_DROPPED, body)])

    def _let_go(self, lane: Lane, after: int, upto: int) -> None:
        if lane is Lane.MEDIA:
            self.let_go += self._lanes.bodies(lane, after, upto)

    # ------------------------------------------------------------ private: age

    def _mark(self, today: int) -> None:
        """Note how far each lane was confirmed when the day was first seen."""
        for lane, cursor in self._lanes.items():
            self._database.execute("INSERT OR IGNORE INTO mark VALUES (?, ?, ?)", (today, lane.value, cursor.confirmed))

    def _release_old(self) -> bool:
        """A mark is due when `keep_days` whole days were seen after it: a jump of the clock is one day, however far."""
        days = self._database.number("SELECT count(DISTINCT day) FROM mark")
        if days <= self._limits.keep_days + 1:
            return False
        due = self._database.rows("SELECT day, lane, confirmed FROM mark ORDER BY rowid LIMIT 1")
        day, lane, confirmed = as_int(due[0][0]), Lane(str(due[0][1])), as_int(due[0][2])
        cursor = self._lanes[lane]
        if cursor.oldest <= min(confirmed, cursor.confirmed):
            self._lanes.release(lane, min(confirmed, cursor.oldest + self._limits.chunk - 1))
        else:
            self._database.execute("DELETE FROM mark WHERE day = ? AND lane = ?", (day, lane.value))
        return True
