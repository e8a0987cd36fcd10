"""Orders already given, on disk: the table that a replayed one is found in, and the answer it got.

A table of its own beside the journal, whose file may be set aside or renewed while an order must still be known.
Blocking; every call is one transaction that is on disk on return.

    command(id, digest, verb, signer, answer)    answer NULL: begun, and not ended
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from drivers.base import GatehouseError

FILE: Final = "commands.sqlite"
KEPT: Final = 20_000
"""Orders remembered. One that moves something is stale long before that many could come at the rate allowed."""
_LAYOUT: Final = (
    "CREATE TABLE IF NOT EXISTS command (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, digest BLOB NOT NULL,"
    " verb TEXT NOT NULL, signer TEXT NOT NULL, answer BLOB)"
)


class InboxError(GatehouseError):
    """It cannot be read or written; an order that cannot be noted down is not carried out."""


@dataclass(frozen=True, slots=True)
class Given:
    """An order that came before; `answer` is None while it is being carried out, or was when the gateway stopped."""

    id: str
    digest: bytes
    verb: str
    signer: str
    answer: bytes | None


class Inbox:
    """At `folder`; a file that is no database is renamed and kept."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def find(self, order_id: str) -> Given | None:
        """Raises: InboxError."""
        with self._open() as db:
            row = db.execute(
                "SELECT id, digest, verb, signer, answer FROM command WHERE id = ?", (order_id,)
            ).fetchone()
        return None if row is None else Given(*row)

    def begin(self, given: Given) -> bool:
        """From now on it is known; False when it was already. Raises: InboxError."""
        with self._open() as db:
            cells = (given.id, given.digest, given.verb, given.signer, given.answer)
            sql = "INSERT OR IGNORE INTO command (id, digest, verb, signer, answer) VALUES (?, ?, ?, ?, ?)"
            begun = db.execute(sql, cells).rowcount == 1
            db.execute("DELETE FROM command WHERE number <= (SELECT max(number) FROM command) - ?", (KEPT,))
        return begun

    def end(self, order_id: str, answer: bytes) -> None:
        """Raises: InboxError."""
        with self._open() as db:
            db.execute("UPDATE command SET answer = ? WHERE id = ?", (answer, order_id))

    def unfinished(self) -> Sequence[Given]:
        """What was begun and has no answer, the oldest first. Raises: InboxError."""
        with self._open() as db:
            sql = "SELECT id, digest, verb, signer, answer FROM command WHERE answer IS NULL ORDER BY number"
            return [Given(*row) for row in db.execute(sql)]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._connect()) as db, db:
                yield db
        except (sqlite3.Error, OSError) as err:
            hint = f"see that {self._path} belongs to the user gatehouse and that its disk has room"
            raise InboxError(f"{self._path}: {err}", hint=hint) from err

    def _connect(self) -> sqlite3.Connection:
        try:
            return self._laid_out()
        except sqlite3.DatabaseError as err:
            if (err.sqlite_errorcode & 0xFF) not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise
        self._path.rename(self._path.with_suffix(".damaged"))
        return self._laid_out()

    def _laid_out(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=2.0)
        try:
            db.execute("PRAGMA synchronous=FULL")
            db.execute(_LAYOUT)
        except sqlite3.Error:
            db.close()
            raise
        return db
