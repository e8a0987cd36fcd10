"""The journal's rules, over its database: sequence, chain, cursor, bounds. Only the journal's thread calls it.

What is in memory mirrors what is committed: `transaction` puts it back when the database undoes its part, so an
aborted transaction leaves no gap.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeAlias

from agent.events import Kind, Lane
from agent.journal.chain import first_digest, next_digest
from agent.journal.database import PAGE_BYTES, Cell, DamagedError, Database
from agent.journal.entry import Bodies, ConfirmError, Draft, Dropped, Entry, LaneState, Limits

LOWEST_FIRST = (Lane.MEDIA, Lane.TELEMETRY, Lane.ACCESS, Lane.LEDGER, Lane.FAULT, Lane.ALARM)
DROPPABLE = (Lane.MEDIA, Lane.TELEMETRY, Lane.ACCESS)
RESERVED = frozenset({Lane.ALARM, Lane.FAULT})
"""Lanes that may use the alarm reserve."""

ROW_BYTES = 64
"""What a row takes beside its body: digest, kind, header."""
MEDIA_WEIGHT = 64
"""How many telemetry entries a picture weighs, roughly."""
ROWS_AT_ONCE = 500
"""Rows of one INSERT: SQLite gives up the interpreter lock at every step, and a busy loop is slow to return it."""

Rows: TypeAlias = Sequence[tuple[Cell, ...]]
_KINDS = frozenset(kind.value for kind in Kind)


@dataclass(slots=True)
class _Cursor:
    """`stored` counts the rows there are, `waiting` those above `confirmed`; `noted`: where it was released is."""

    last: int
    digest: bytes
    confirmed: int
    confirmed_digest: bytes
    oldest: int
    stored: int
    waiting: int
    noted: bool


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
        self._cursors: dict[Lane, _Cursor] = {}
        self._changed: set[Lane] = set()
        self._tidy_on: int | None = None
        self._spare_bytes = 0
        """So much may be written before the size of the file is looked at again."""
        self._load()

    def states(self) -> dict[Lane, LaneState]:
        return {
            lane: LaneState(c.last, c.confirmed, c.oldest, c.digest, c.waiting) for lane, c in self._cursors.items()
        }

    @contextmanager
    def transaction(self) -> Iterator[None]:
        before = {lane: replace(cursor) for lane, cursor in self._cursors.items()}
        self.let_go = []
        done = False
        try:
            with self._database.transaction():
                yield
                self._save()
            done = True
        finally:
            if not done:
                self._cursors = before
                self._changed.clear()
                self.let_go = []

    # ------------------------------------------------------------ within a transaction

    def write(self, drafts: Sequence[Draft]) -> list[Entry | None]:
        """Number, chain and insert; None stands for a draft refused for want of room."""
        self.refused_for = ""
        admitted = self._admit(drafts)
        written = iter(self._insert([draft for draft, admit in zip(drafts, admitted, strict=True) if admit]))
        return [next(written) if admit else None for admit in admitted]

    def check(self, lane: Lane, upto: int, digest: bytes | None) -> bytes | None:
        """Our chain at `upto`, None where it is not known any more.

        Raises: ConfirmError beyond our last entry, or when `digest` is not our chain at `upto`.
        """
        cursor = self._cursors[lane]
        if upto > cursor.last:
            raise ConfirmError(lane, upto, f"our last is {cursor.last}")
        known = self._digest_at(lane, upto)
        if digest is not None and known is not None and digest != known:
            raise ConfirmError(lane, upto, "another digest than ours")
        return known

    def confirm(self, lane: Lane, upto: int, digest: bytes | None) -> None:
        """Move the cursor forward. A place inside a dropped range cannot be verified and moves nothing.

        Raises: ConfirmError as `check` does.
        """
        cursor = self._cursors[lane]
        known = self.check(lane, upto, digest)
        if known is None or upto <= cursor.confirmed:
            return
        cursor.waiting -= upto - cursor.confirmed - self._missing(lane, cursor.confirmed, upto)
        self._let_go(lane, cursor.confirmed, upto)
        cursor.confirmed, cursor.confirmed_digest = upto, known
        self._changed.add(lane)

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
            (entry,) = self.peek(Lane.MEDIA, _int(sequence) - 1, 1, 0)
            freed += size(entry.body)
            if freed >= wanted:
                rows = rows[:count]
                break
        if rows:
            self._give_up(Lane.MEDIA, rows, "media bytes")
        return bool(rows)

    # ------------------------------------------------------------ reading

    def pictured(self) -> list[bytes]:
        """Bodies of all that waits in the media lane."""
        return self._bodies_of(Lane.MEDIA, self._cursors[Lane.MEDIA].confirmed, self._cursors[Lane.MEDIA].last)

    def untidy(self, today: int | None) -> bool:
        """Whether `tidy` has something to do; no I/O."""
        return self._too_many() or today not in (None, self._tidy_on)

    def peek(self, lane: Lane, after: int, limit: int, max_bytes: int) -> tuple[Entry, ...]:
        """Entries above `after` in order, at least one where there is one."""
        sql = f"SELECT sequence, kind, body, digest FROM entry_{lane} WHERE sequence > ? ORDER BY sequence LIMIT ?"  # noqa: S608 - closed list
        found: list[Entry] = []
        size = 0
        for sequence, kind, body, digest in self._database.rows(sql, (after, limit)):
            entry = _entry(lane, sequence, kind, body, digest)
            size += len(entry.body)
            if found and size > max_bytes:
                break
            found.append(entry)
        return tuple(found)

    # ------------------------------------------------------------ private: state

    def _too_many(self) -> bool:
        confirmed = sum(cursor.stored - cursor.waiting for cursor in self._cursors.values())
        return confirmed > self._limits.keep_confirmed

    def _load(self) -> None:
        columns = "lane, last, digest, confirmed, confirmed_digest"
        kept = {str(row[0]): row[1:] for row in self._database.rows(f"SELECT {columns} FROM lane")}  # noqa: S608 - ours
        noted = {str(row[0]) for row in self._database.rows("SELECT lane FROM dropped WHERE first = 0")}
        for lane in Lane:
            first = first_digest(self.epoch, lane)
            last, digest, confirmed, confirmed_digest = kept.get(lane, (0, first, 0, first))
            cursor = _Cursor(_int(last), _bytes(digest), _int(confirmed), _bytes(confirmed_digest), 0, 0, 0, False)
            cursor.oldest = self._oldest(lane, cursor.last)
            cursor.noted = lane in noted or cursor.oldest > 1  # where an older version released, nobody knows
            cursor.stored = cursor.last - cursor.oldest + 1 - self._missing(lane, cursor.oldest - 1, cursor.last)
            cursor.waiting = cursor.last - cursor.confirmed - self._missing(lane, cursor.confirmed, cursor.last)
            self._cursors[lane] = cursor

    def _save(self) -> None:
        for lane in self._changed:
            c = self._cursors[lane]
            self._database.execute(
                "REPLACE INTO lane (lane, last, digest, confirmed, confirmed_digest) VALUES (?, ?, ?, ?, ?)",
                (lane.value, c.last, c.digest, c.confirmed, c.confirmed_digest),
            )
            if not c.noted:
                self._note_released(lane, 0, first_digest(self.epoch, lane))
        self._changed.clear()

    def _oldest(self, lane: Lane, last: int, after: int = 0) -> int:
        sql = f"SELECT min(sequence) FROM entry_{lane} WHERE sequence > ?"  # noqa: S608 - closed list
        return self._database.number(sql, (after,)) or last + 1

    def _missing(self, lane: Lane, after: int, upto: int) -> int:
        """How many of (after, upto] were dropped; neither end lies inside a dropped range."""
        return self._database.number(
            "SELECT sum(last - first + 1) FROM dropped WHERE lane = ? AND first > ? AND last <= ?",
            (lane.value, after, upto),
        )

    def _digest_at(self, lane: Lane, sequence: int) -> bytes | None:
        """The chain at that place, where it is still known."""
        cursor = self._cursors[lane]
        if sequence == cursor.last:
            return cursor.digest
        if sequence == cursor.confirmed:
            return cursor.confirmed_digest
        found = self._database.rows(
            f"SELECT digest FROM entry_{lane} WHERE sequence = ? "  # noqa: S608 - closed list
            "UNION ALL SELECT digest FROM dropped WHERE lane = ? AND last = ?",
            (sequence, lane.value, sequence),
        )
        return _bytes(found[0][0]) if found else None

    def _insert(self, drafts: Sequence[Draft]) -> list[Entry]:
        entries: list[Entry] = []
        cells: dict[Lane, list[Cell]] = {}
        for draft in drafts:
            lane = draft.lane
            cursor = self._cursors[lane]
            cursor.last += 1
            cursor.digest = next_digest(cursor.digest, draft.body)
            entries.append(Entry(lane, cursor.last, draft.kind, draft.body, cursor.digest))
            cells.setdefault(lane, []).extend((cursor.last, draft.kind.value, draft.body, cursor.digest))
        for lane, flat in cells.items():
            rows = len(flat) // 4
            self._cursors[lane].stored += rows
            self._cursors[lane].waiting += rows
            self._changed.add(lane)
            for start in range(0, len(flat), 4 * ROWS_AT_ONCE):
                part = tuple(flat[start : start + 4 * ROWS_AT_ONCE])
                self._database.execute(f"INSERT INTO entry_{lane} VALUES {_marks(len(part) // 4)}", part)  # noqa: S608 - closed list
        return entries

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
        return sum(cursor.stored for cursor in self._cursors.values())

    def _release_lowest(self) -> bool:
        for lane in LOWEST_FIRST:
            cursor = self._cursors[lane]
            if cursor.stored > cursor.waiting:
                self._release(lane, min(cursor.confirmed, cursor.oldest + self._limits.chunk - 1))
                return True
        return False

    def _release(self, lane: Lane, upto: int) -> None:
        """Delete confirmed entries up to `upto`, and what is remembered of ranges dropped before them."""
        cursor = self._cursors[lane]
        oldest = self._oldest(lane, cursor.last, after=upto)
        released = min(cursor.confirmed, oldest - 1)
        digest = self._digest_at(lane, released)
        cursor.stored -= self._database.execute(f"DELETE FROM entry_{lane} WHERE sequence <= ?", (upto,))  # noqa: S608 - closed list
        cursor.oldest = oldest
        self._database.execute(
            "DELETE FROM dropped WHERE lane = ? AND last < ? AND last <= ?",
            (lane.value, cursor.oldest, cursor.confirmed),
        )
        if digest is not None:
            self._note_released(lane, released, digest)
        self._changed.add(lane)

    def _note_released(self, lane: Lane, upto: int, digest: bytes) -> None:
        """Nothing is kept up to there: with this, whoever reads the file can prove the rest."""
        self._database.execute("REPLACE INTO dropped VALUES (?, 0, ?, ?)", (lane.value, upto, digest))
        self._cursors[lane].noted = True

    def _drop(self, lane: Lane, reason: str) -> bool:
        """Give up the oldest unbroken range above cursor and flight, and declare it in the ledger."""
        cursor = self._cursors[lane]
        if not cursor.waiting:
            return False
        chunk = max(1, self._limits.chunk // (MEDIA_WEIGHT if lane is Lane.MEDIA else 1))
        rows = self._droppable(lane, chunk)
        if not rows or (len(rows) < chunk // 8 and not self.peek(lane, _int(rows[-1][0]), 1, 0)):
            return False  # all there is; its tombstones would soon weigh as much
        self._give_up(lane, rows, reason)
        return True

    def _droppable(self, lane: Lane, most: int) -> Rows:
        """The oldest unbroken range above cursor and flight: sequences and digests."""
        found = self._database.rows(
            f"SELECT sequence, digest FROM entry_{lane} WHERE sequence > ? ORDER BY sequence LIMIT ?",  # noqa: S608 - closed list
            (max(self._cursors[lane].confirmed, self.in_flight.get(lane, 0)), most),
        )
        return [row for place, row in enumerate(found) if row[0] == _int(found[0][0]) + place]

    def _give_up(self, lane: Lane, rows: Rows, reason: str) -> None:
        cursor = self._cursors[lane]
        first, last, digest = _int(rows[0][0]), _int(rows[-1][0]), _bytes(rows[-1][1])
        self._let_go(lane, first - 1, last)
        gone = self._database.execute(
            f"DELETE FROM entry_{lane} WHERE sequence BETWEEN ? AND ?",  # noqa: S608 - closed list
            (first, last),
        )
        cursor.stored -= gone
        cursor.waiting -= gone
        cursor.oldest = self._oldest(lane, cursor.last)
        self._database.execute("INSERT INTO dropped VALUES (?, ?, ?, ?)", (lane.value, first, last, digest))
        self._changed.add(lane)
        body = self._bodies.entries_dropped(Dropped(self.epoch, lane, first, last, reason, digest))
        self._insert([Draft(Lane.LEDGER, Kind.ENTRIES_DROPPED, body)])

    def _let_go(self, lane: Lane, after: int, upto: int) -> None:
        if lane is Lane.MEDIA:
            self.let_go += self._bodies_of(lane, after, upto)

    def _bodies_of(self, lane: Lane, after: int, upto: int) -> list[bytes]:
        sql = f"SELECT body FROM entry_{lane} WHERE sequence > ? AND sequence <= ?"  # noqa: S608 - closed list
        return [_bytes(row[0]) for row in self._database.rows(sql, (after, upto))]

    # ------------------------------------------------------------ private: age

    def _mark(self, today: int) -> None:
        """Note how far each lane was confirmed when the day was first seen."""
        for lane, cursor in self._cursors.items():
            self._database.execute("INSERT OR IGNORE INTO mark VALUES (?, ?, ?)", (today, lane.value, cursor.confirmed))

    def _release_old(self) -> bool:
        """A mark is due when `keep_days` whole days were seen after it: a jump of the clock is one day, however far."""
        days = self._database.number("SELECT count(DISTINCT day) FROM mark")
        if days <= self._limits.keep_days + 1:
            return False
        due = self._database.rows("SELECT day, lane, confirmed FROM mark ORDER BY rowid LIMIT 1")
        day, lane, confirmed = _int(due[0][0]), Lane(str(due[0][1])), _int(due[0][2])
        cursor = self._cursors[lane]
        if cursor.oldest <= min(confirmed, cursor.confirmed):
            self._release(lane, min(confirmed, cursor.oldest + self._limits.chunk - 1))
        else:
            self._database.execute("DELETE FROM mark WHERE day = ? AND lane = ?", (day, lane.value))
        return True


def _marks(rows: int) -> str:
    return ", ".join(["(?, ?, ?, ?)"] * rows)


def _entry(lane: Lane, sequence: Cell, kind: Cell, body: Cell, digest: Cell) -> Entry:
    if kind not in _KINDS:
        raise DamagedError(f"{lane}: an entry of unknown kind")
    return Entry(lane, _int(sequence), Kind(kind), _bytes(body), _bytes(digest))


def _int(cell: Cell) -> int:
    if not isinstance(cell, int):
        raise DamagedError("a cell that is no number")
    return cell


def _bytes(cell: Cell) -> bytes:
    if not isinstance(cell, bytes):
        raise DamagedError("a cell that holds no bytes")
    return cell
