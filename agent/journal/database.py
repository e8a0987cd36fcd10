"""The SQLite file, by SQLAlchemy Core: pragmas, transactions, schema, and its errors in our words.

Only the journal's thread touches it; SQLAlchemy is imported there, when the file is opened.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from agent.journal.schema import FIRST, MARK, STEPS, Step, first
from drivers.base import GatehouseError

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult, Engine
    from sqlalchemy.exc import DBAPIError

PAGE_BYTES = 4096
MEMORY = Path(":memory:")
"""The name of a database without a file."""

READ_ONLY_HINT = "The disk is read-only, as a worn SD card makes itself: check it (fsck), or replace it."

Cell: TypeAlias = int | str | bytes


class StorageError(GatehouseError):
    """The disk refuses; the transaction is undone, and it may be tried again."""


class StorageFullError(StorageError):
    """No room on the disk."""


class DamagedError(GatehouseError):
    """The file is no sound database."""


class Database:
    """One connection in autocommit mode; `transaction` brackets what belongs together."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        from sqlalchemy import NullPool, create_engine

        self.path = path
        self._engine: Engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with _in_our_words():
            self._connection: Connection = self._engine.connect()
        try:
            # The hard bound is looser than the limits, which count pages in use: the file never grows past it.
            pages = max_bytes // PAGE_BYTES + 1024
            for pragma in (
                f"page_size={PAGE_BYTES}",
                "journal_mode=WAL",
                "synchronous=FULL",
                "temp_store=MEMORY",
                "cache_size=-2048",
                f"journal_size_limit={8 << 20}",
                f"max_page_count={pages}",
            ):
                self.execute(f"PRAGMA {pragma}")
            self._identity = None if path == MEMORY else _identity(path)
        except GatehouseError:
            self.close()
            raise

    def blank(self) -> bool:
        """Nothing was ever committed to it."""
        return self.readable_by() == 0 and self.number("SELECT count(*) FROM sqlite_master") == 0

    def readable_by(self) -> int:
        """The oldest schema whose program can go on with this file; 0 where no program of ours has written it."""
        return self.number("PRAGMA user_version")

    def level(self) -> int:
        """The schema of the file itself."""
        said = self.number("PRAGMA application_id")
        return said - MARK if said > MARK else self.readable_by()

    def create(self, epoch: str) -> None:
        """Lay out an empty file, within a transaction: as schema 1 that has been through every step since."""
        with _in_our_words():
            first().create_all(self._connection, checkfirst=False)
        self.execute("INSERT INTO about (epoch) VALUES (?)", (epoch,))
        self.execute(f"PRAGMA user_version={FIRST}")
        self.migrate()

    def migrate(self, steps: tuple[Step, ...] = STEPS) -> None:
        """Take the steps that are missing, within a transaction. A newer file stays as it is."""
        for step in steps:
            if step.schema > self.level():
                for statement in step.statements:
                    self.execute(statement)
                self.execute(f"PRAGMA user_version={step.readable_by}")
                self.execute(f"PRAGMA application_id={MARK + step.schema}")

    def moved(self) -> bool:
        """Another file stands under this name, or none: what is written here is not found again."""
        try:
            return self._identity is not None and _identity(self.path) != self._identity
        except StorageError:
            return True

    def sound(self) -> str:
        """What SQLite's quick check finds wrong, or nothing."""
        found = str(self.rows("PRAGMA quick_check(1)")[0][0])
        return "" if found == "ok" else found

    def used_bytes(self) -> int:
        pages = self.number("PRAGMA page_count") - self.number("PRAGMA freelist_count")
        return pages * PAGE_BYTES

    def rows(self, sql: str, cells: tuple[Cell, ...] = ()) -> Sequence[tuple[Cell, ...]]:
        with _in_our_words():
            return self._run(sql, cells).tuples().all()

    def number(self, sql: str, cells: tuple[Cell, ...] = ()) -> int:
        """First cell of the first row; 0 where it is NULL."""
        return int(self.rows(sql, cells)[0][0] or 0)

    def execute(self, sql: str, cells: tuple[Cell, ...] = ()) -> int:
        """Number of rows changed."""
        with _in_our_words():
            result = self._run(sql, cells)
            changed = result.rowcount
            result.close()
            return changed

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end, or undo everything."""
        self.execute("BEGIN IMMEDIATE")
        done = False
        try:
            yield
            self.execute("COMMIT")
            done = True
        finally:
            if not done and self._in_transaction():
                self.execute("ROLLBACK")

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()

    def _run(self, sql: str, cells: tuple[Cell, ...]) -> "CursorResult[tuple[Cell, ...]]":
        return self._connection.exec_driver_sql(sql, cells)

    def _in_transaction(self) -> bool:
        """SQLite undoes the transaction by itself on some errors, a full disk among them."""
        return bool(self._connection.connection.in_transaction)


def _identity(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as err:
        raise StorageError(f"{path}: {err.strerror}") from err
    return status.st_dev, status.st_ino


@contextmanager
def _in_our_words() -> Iterator[None]:
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except DBAPIError as err:
        translated = _translated(err)
        if translated is None:
            raise
        raise translated from err


def _translated(err: "DBAPIError") -> GatehouseError | None:
    """By SQLite's primary result code; None for what is not the disk's doing: a bug."""
    code = getattr(err.orig, "sqlite_errorcode", 0) & 0xFF
    said = str(err.orig)
    match code:
        case sqlite3.SQLITE_FULL:
            return StorageFullError(said, hint="Free space on the journal's disk, or restore the link to the centre.")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return DamagedError(said)
        case sqlite3.SQLITE_READONLY:
            return StorageError(said, hint=READ_ONLY_HINT)
        case (
            sqlite3.SQLITE_IOERR
            | sqlite3.SQLITE_CANTOPEN
            | sqlite3.SQLITE_BUSY
            | sqlite3.SQLITE_LOCKED
            | sqlite3.SQLITE_PERM
            | sqlite3.SQLITE_NOMEM
        ):
            return StorageError(said, hint="Check the journal's disk and the rights of its folder.")
        case _:
            return None
