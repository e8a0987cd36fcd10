"""What a centre keeps on disk: every message that brought something new, as it came, and each event exactly once.

    message   the inbox and then the record: collectors append to it, several at a time; the bookkeeper reads on from
              `read`, and takes out again what brought nothing new
    event     one row for each event, by its identity gateway/epoch/lane/sequence; readings are packed in messages
    receipt   the counter of each gateway's receipts, which must never fall

Everything a receipt speaks of is committed before it is sent. Books are not stored: a centre that starts reads its
messages again, some 30,000 a second. One SQLite file, WAL, `synchronous=FULL`; a connection for each process.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple, Self

from agent.events import Kind
from simulators.registry import Received

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY AUTOINCREMENT, arrived REAL NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS event (
    gateway TEXT NOT NULL, epoch TEXT NOT NULL, lane TEXT NOT NULL, sequence INTEGER NOT NULL,
    kind TEXT NOT NULL, subject TEXT NOT NULL, time TEXT, boot TEXT NOT NULL, uptime REAL NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (gateway, epoch, lane, sequence)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS receipt (gateway TEXT PRIMARY KEY, counter INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS read (one INTEGER PRIMARY KEY CHECK (one = 1), upto INTEGER NOT NULL) STRICT;
INSERT OR IGNORE INTO read VALUES (1, 0);
"""
WAIT_S: Final = 10.0
"""For another process of the centre that is writing."""
PAGE: Final = 2000


class Arrived(NamedTuple):
    """`at_s` is the monotonic time of the machine it arrived at."""

    topic: str
    payload: bytes
    at_s: float


class Kept(NamedTuple):
    """A message of the archive."""

    id: int
    arrived: Arrived


class Archive:
    """One process's connection to the centre's database; a context manager."""

    def __init__(self, path: Path) -> None:
        """Raises: sqlite3.Error when the file cannot be used."""
        self._connection = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None)
        self._connection.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; {_SCHEMA}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    # ------------------------------------------------------------ collectors

    def add(self, arrived: Iterable[Arrived]) -> None:
        """Durable on return."""
        with self._writing():
            self._connection.executemany(
                "INSERT INTO message (topic, payload, arrived) VALUES (?, ?, ?)",
                [(topic, payload, at_s) for topic, payload, at_s in arrived],
            )

    # ------------------------------------------------------------ the bookkeeper

    def read_before(self) -> Iterator[Arrived]:
        """The messages that were entered into the books already, in their order."""
        (upto,) = self._one("SELECT upto FROM read")
        last = 0
        while page := self._page(last, upto):
            yield from (kept.arrived for kept in page)
            last = page[-1].id

    def unread(self) -> Sequence[Kept]:
        """The next messages for the books; empty when there are none."""
        (upto,) = self._one("SELECT upto FROM read")
        return self._page(upto, (1 << 63) - 1)

    def entered(self, upto: int, news: Iterable[Received], idle: Iterable[int]) -> None:
        """Up to message `upto` all are in the books: `news` are the new events, `idle` the messages that brought none.

        Durable on return. Raises: sqlite3.IntegrityError for an event that is there already.
        """
        with self._writing():
            self._connection.executemany(
                "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (e.gateway, e.epoch, e.lane, e.sequence, e.kind, e.subject, e.time, e.boot, e.mono_s, _dumps(e))
                    for e in news
                    if e.kind is not Kind.READINGS
                ],
            )
            self._connection.executemany("DELETE FROM message WHERE id = ?", [(number,) for number in idle])
            self._connection.execute("UPDATE read SET upto = max(upto, ?)", (upto,))

    def counted(self, counters: Iterable[tuple[str, int]]) -> None:
        """These receipts may be sent. Durable on return."""
        with self._writing():
            self._connection.executemany("INSERT OR REPLACE INTO receipt VALUES (?, ?)", counters)

    def counters(self) -> dict[str, int]:
        """Of the last receipt of each gateway."""
        return dict(self._connection.execute("SELECT gateway, counter FROM receipt"))

    # ------------------------------------------------------------ private

    def _page(self, above: int, upto: int) -> Sequence[Kept]:
        sql = "SELECT id, topic, payload, arrived FROM message WHERE id > ? AND id <= ? ORDER BY id LIMIT ?"
        found = self._connection.execute(sql, (above, upto, PAGE))
        return [Kept(number, Arrived(topic, payload, at_s)) for number, topic, payload, at_s in found]

    def _one(self, sql: str) -> tuple[int]:
        with closing(self._connection.execute(sql)) as found:
            row: tuple[int] = found.fetchone()
            return row

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def _dumps(event: Received) -> str:
    return json.dumps(event.data, ensure_ascii=False, separators=(",", ":"))
