"""A new epoch in a database that runs: what is not confirmed is entered again, in order, under new numbers.

For a database that was restored from an older copy, or of which there is a second one: the centre knows another
history under the same epoch, and nothing of ours may pass for a repetition of it. Everything happens in one
transaction, so a crash leaves the old epoch or the new one. What the centre has confirmed of the old epoch goes with
it. Only the journal's thread calls this.
"""

from asyncio import Future
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import uuid4

from agent.events import Kind, Lane
from agent.journal.chain import first_digest, next_digest
from agent.journal.database import Cell, DamagedError, Database
from agent.journal.entry import Birth, Bodies, Limits, Origin, Tail
from agent.journal.store import Store

ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Renewal:
    """Asked for by the loop; `centre` says up to where the centre has each lane of the epoch that ends."""

    reason: str
    centre: Mapping[Lane, int]
    done: "Future[Birth]"


def renew(
    database: Database, former: Store, limits: Limits, bodies: Bodies, asked: Renewal, progress: Callable[[], None]
) -> tuple[Store, Birth]:
    """End the epoch of `former` and begin another; `progress` is called at every step of a long one.

    The first entry of the ledger names the old epoch and how its lanes stood. Needs room in the write-ahead log for
    everything that is not confirmed. Raises: StorageError, and the old epoch goes on.
    """
    states = former.states()
    tails = {lane: Tail(s.last, s.confirmed, asked.centre.get(lane), s.waiting) for lane, s in states.items()}
    birth = Birth(Origin.RENEWED, uuid4().hex, reason=asked.reason, previous=former.epoch, tails=tails)
    with database.transaction():
        for table in ("dropped", "mark", "lane"):
            database.execute(f"DELETE FROM {table}")  # noqa: S608 - closed list
        database.execute("UPDATE about SET epoch = ?", (birth.epoch,))
        for lane, state in states.items():
            chain = _Chain(database, birth.epoch, lane, progress)
            if lane is Lane.LEDGER:
                chain.enter(Kind.EPOCH_STARTED.value, bodies.epoch_started(birth))
            chain.enter_again(state.confirmed)
            chain.save()
        store = Store(database, birth.epoch, limits, bodies)
    return store, birth


class _Chain:
    """One lane of the new epoch, written in place of the old one's rows.

    Old rows are taken out a chunk at a time, and as many new ones put in as there are numbers free below them.
    """

    def __init__(self, database: Database, epoch: str, lane: Lane, progress: Callable[[], None]) -> None:
        self._database = database
        self._lane = lane
        self._progress = progress
        self._first = self._digest = first_digest(epoch, lane)
        self._last = 0
        self._pending: deque[tuple[Cell, Cell]] = deque()

    def enter(self, kind: Cell, body: Cell) -> None:
        self._pending.append((kind, body))

    def enter_again(self, confirmed: int) -> None:
        """Everything above `confirmed`; what lies below is deleted."""
        self._delete(confirmed)
        place = confirmed
        while rows := self._database.rows(
            f"SELECT sequence, kind, body FROM entry_{self._lane} WHERE sequence > ? ORDER BY sequence LIMIT ?",  # noqa: S608 - closed list
            (place, ROWS_AT_ONCE),
        ):
            place = _number(rows[-1][0])
            self._delete(place, after=_number(rows[0][0]) - 1)
            self._pending.extend((kind, body) for _, kind, body in rows)
            self._insert(place - self._last)
            self._progress()
        while self._pending:
            self._insert(ROWS_AT_ONCE)

    def save(self) -> None:
        self._database.execute(
            "INSERT INTO lane (lane, last, digest, confirmed, confirmed_digest) VALUES (?, ?, ?, 0, ?)",
            (self._lane.value, self._last, self._digest, self._first),
        )

    def _delete(self, upto: int, *, after: int = 0) -> None:
        sql = f"DELETE FROM entry_{self._lane} WHERE sequence > ? AND sequence <= ?"  # noqa: S608 - closed list
        self._database.execute(sql, (after, upto))
        self._progress()

    def _insert(self, most: int) -> None:
        cells: list[Cell] = []
        for _ in range(min(most, ROWS_AT_ONCE, len(self._pending))):
            kind, body = self._pending.popleft()
            if not isinstance(body, bytes):
                raise DamagedError("a body that holds no bytes")
            self._last += 1
            self._digest = next_digest(self._digest, body)
            cells += (self._last, kind, body, self._digest)
        if cells:
            marks = ", ".join(["(?, ?, ?, ?)"] * (len(cells) // 4))
            self._database.execute(f"INSERT INTO entry_{self._lane} VALUES {marks}", tuple(cells))  # noqa: S608 - closed list


def _number(cell: Cell) -> int:
    if not isinstance(cell, int):
        raise DamagedError("a sequence that is no number")
    return cell
