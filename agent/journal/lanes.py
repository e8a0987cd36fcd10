"""The lanes as rows: numbered, chained, read and deleted, and a cursor for each in memory.

The cursors mirror what is committed: `undone_on_failure` puts them back when the database undoes its part, so an
aborted transaction leaves no gap. Only the journal's thread calls it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeAlias

from agent.events import Kind, Lane
from agent.journal.chain import first_digest, next_digest
from agent.journal.database import Cell, DamagedError, Database
from agent.journal.entry import Draft, Entry

ROWS_AT_ONCE = (256, 64, 16, 4, 1)
"""Rows of one INSERT, the most that fit: SQLite gives up the interpreter lock at every step, and a busy loop is slow
to return it. Few sizes, because each is a prepared statement that keeps its memory: 128 of all sizes took 15 MB.
"""

Place: TypeAlias = tuple[int, bytes]
_KINDS = {kind.value: kind for kind in Kind}


@dataclass(slots=True)
class Cursor:
    """`stored` counts the rows there are, `waiting` those above `confirmed`; `noted`: where it was released is."""

    last: int
    digest: bytes
    confirmed: int
    confirmed_digest: bytes
    oldest: int
    stored: int
    waiting: int
    noted: bool


class Lanes:
    def __init__(self, database: Database, epoch: str) -> None:
        self.epoch = epoch
        self._database = database
        self._cursors: dict[Lane, Cursor] = {}
        self._changed: set[Lane] = set()
        self._load()

    def __getitem__(self, lane: Lane) -> Cursor:
        return self._cursors[lane]

    def items(self) -> Iterator[tuple[Lane, Cursor]]:
        yield from self._cursors.items()

    @contextmanager
    def undone_on_failure(self) -> Iterator[None]:
        before = {lane: replace(cursor) for lane, cursor in self._cursors.items()}
        done = False
        try:
            yield
            done = True
        finally:
            if not done:
                self._cursors = before
                self._changed.clear()

    def insert(self, drafts: Sequence[Draft]) -> list[Entry]:
        """Number, chain and write them."""
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
            begin = 0
            for size in ROWS_AT_ONCE:
                while rows - begin >= size:
                    part = tuple(flat[4 * begin : 4 * (begin + size)])
                    self._database.execute(f"INSERT INTO entry_{lane} VALUES {_marks(size)}", part)  # noqa: S608 - closed list
                    begin += size
        return entries

    def confirm(self, lane: Lane, upto: int, digest: bytes) -> None:
        cursor = self._cursors[lane]
        cursor.waiting -= upto - cursor.confirmed - self._missing(lane, cursor.confirmed, upto)
        cursor.confirmed, cursor.confirmed_digest = upto, digest
        self._changed.add(lane)

    def release(self, lane: Lane, upto: int) -> None:
        """Delete confirmed entries up to `upto`, and what is remembered of ranges dropped before them."""
        cursor = self._cursors[lane]
        oldest = self._oldest(lane, cursor.last, after=upto)
        released = min(cursor.confirmed, oldest - 1)
        digest = self.digest_at(lane, released)
        cursor.stored -= self._database.execute(f"DELETE FROM entry_{lane} WHERE sequence <= ?", (upto,))  # noqa: S608 - closed list
        cursor.oldest = oldest
        self._database.execute(
            "DELETE FROM dropped WHERE lane = ? AND last < ? AND last <= ?",
            (lane.value, cursor.oldest, cursor.confirmed),
        )
        if digest is not None:
            self._note_released(lane, released, digest)
        self._changed.add(lane)

    def drop(self, lane: Lane, first: int, last: int, digest: bytes) -> None:
        """Delete a range that waits, and remember it with the chain after it."""
        cursor = self._cursors[lane]
        gone = self._database.execute(
            f"DELETE FROM entry_{lane} WHERE sequence BETWEEN ? AND ?",  # noqa: S608 - closed list
            (first, last),
        )
        cursor.stored -= gone
        cursor.waiting -= gone
        cursor.oldest = self._oldest(lane, cursor.last)
        self._database.execute("INSERT INTO dropped VALUES (?, ?, ?, ?)", (lane.value, first, last, digest))
        self._changed.add(lane)

    def save(self) -> None:
        """To be the last thing within the transaction."""
        for lane in self._changed:
            c = self._cursors[lane]
            self._database.execute(
                "REPLACE INTO lane (lane, last, digest, confirmed, confirmed_digest) VALUES (?, ?, ?, ?, ?)",
                (lane.value, c.last, c.digest, c.confirmed, c.confirmed_digest),
            )
            if not c.noted:
                self._note_released(lane, 0, first_digest(self.epoch, lane))
        self._changed.clear()

    # ------------------------------------------------------------ reading

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

    def unbroken(self, lane: Lane, after: int, most: int) -> list[Place]:
        """The first range of numbers above `after`, with the chain at each."""
        found = self._database.rows(
            f"SELECT sequence, digest FROM entry_{lane} WHERE sequence > ? ORDER BY sequence LIMIT ?",  # noqa: S608 - closed list
            (after, most),
        )
        return [
            (as_int(sequence), _bytes(digest))
            for place, (sequence, digest) in enumerate(found)
            if sequence == as_int(found[0][0]) + place
        ]

    def bodies(self, lane: Lane, after: int, upto: int) -> list[bytes]:
        sql = f"SELECT body FROM entry_{lane} WHERE sequence > ? AND sequence <= ?"  # noqa: S608 - closed list
        return [_bytes(row[0]) for row in self._database.rows(sql, (after, upto))]

    def digest_at(self, lane: Lane, sequence: int) -> bytes | None:
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

    # ------------------------------------------------------------ private

    def _load(self) -> None:
        columns = "lane, last, digest, confirmed, confirmed_digest"
        kept = {str(row[0]): row[1:] for row in self._database.rows(f"SELECT {columns} FROM lane")}  # noqa: S608 - ours
        noted = {str(row[0]) for row in self._database.rows("SELECT lane FROM dropped WHERE first = 0")}
        for lane in Lane:
            first = first_digest(self.epoch, lane)
            last, digest, confirmed, confirmed_digest = kept.get(lane, (0, first, 0, first))
            cursor = Cursor(as_int(last), _bytes(digest), as_int(confirmed), _bytes(confirmed_digest), 0, 0, 0, False)
            cursor.oldest = self._oldest(lane, cursor.last)
            cursor.noted = lane in noted or cursor.oldest > 1  # where an older version released, nobody knows
            cursor.stored = cursor.last - cursor.oldest + 1 - self._missing(lane, cursor.oldest - 1, cursor.last)
            cursor.waiting = cursor.last - cursor.confirmed - self._missing(lane, cursor.confirmed, cursor.last)
            self._cursors[lane] = cursor

    def _oldest(self, lane: Lane, last: int, after: int = 0) -> int:
        sql = f"SELECT min(sequence) FROM entry_{lane} WHERE sequence > ?"  # noqa: S608 - closed list
        return self._database.number(sql, (after,)) or last + 1

    def _missing(self, lane: Lane, after: int, upto: int) -> int:
        """How many of (after, upto] were dropped; neither end lies inside a dropped range."""
        return self._database.number(
            "SELECT sum(last - first + 1) FROM dropped WHERE lane = ? AND first > ? AND last <= ?",
            (lane.value, after, upto),
        )

    def _note_released(self, lane: Lane, upto: int, digest: bytes) -> None:
        """Nothing is kept up to there: with this, whoever reads the file can prove the rest."""
        self._database.execute("REPLACE INTO dropped VALUES (?, 0, ?, ?)", (lane.value, upto, digest))
        self._cursors[lane].noted = True


def _marks(rows: int) -> str:
    return ", ".join(["(?, ?, ?, ?)"] * rows)


def _entry(lane: Lane, sequence: Cell, kind: Cell, body: Cell, digest: Cell) -> Entry:
    known = _KINDS.get(str(kind))
    return Entry(lane, as_int(sequence), str(kind) if known is None else known, _bytes(body), _bytes(digest))


def as_int(cell: Cell) -> int:
    """Raises: DamagedError."""
    if not isinstance(cell, int):
        raise DamagedError("a cell that is no number")
    return cell


def _bytes(cell: Cell) -> bytes:
    if not isinstance(cell, bytes):
        raise DamagedError("a cell that holds no bytes")
    return cell
