"""The journal's file as a technician reads it: read-only, at one moment, beside a running agent or on a copied card.

A moment is one read transaction: whatever is asked of it belongs together. A running agent writes on meanwhile; its
write-ahead log only grows until the moment is over.

    a log stands beside the file       mode=ro: SQLite's own locks; -shm is made where there is none, so it needs the
                                       right to write to the folder (root, gatehouse)
    no log, so nobody writes to it     immutable=1: leaves no trace, works on a read-only disk; a file that changes
                                       meanwhile all the same is found out at the end

Never open the file by `open`: closing it would drop the locks of an agent in the same process (POSIX).
"""

import heapq
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

from agent.events import Lane
from agent.journal.chain import first_digest
from agent.journal.database import DamagedError, StorageError
from drivers.base import GatehouseError

_NO_END = (1 << 63) - 1

Cells: TypeAlias = tuple[object, ...]
Selected: TypeAlias = Generator[Cells, None, None]
Stamp: TypeAlias = tuple[int, int, int, int]


class Row(NamedTuple):
    """An entry as it stands in the file; its kind may be one that only a newer version knows."""

    sequence: int
    kind: str
    body: bytes
    digest: bytes


class Span(NamedTuple):
    """A range that was given up; `digest` is the chain after `last`."""

    first: int
    last: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Cursor:
    last: int
    digest: bytes
    confirmed: int
    confirmed_digest: bytes


@contextmanager
def moment(path: Path) -> Iterator["Moment"]:
    """The file as it is now. Raises: StorageError when it cannot be read, DamagedError when it is no journal."""
    before = _stamp(path)
    alone = not _log_bytes(path)
    where = f"{path.absolute().as_uri()}?{'immutable=1' if alone else 'mode=ro'}"
    try:
        with _in_our_words(path):
            connection = sqlite3.connect(where, uri=True, isolation_level=None)
        with closing(connection):
            yield Moment(path, connection)
    finally:
        if alone and (_stamp(path) != before or _log_bytes(path)):
            raise StorageError(f"{path} has changed while it was read", hint="run it again")


class Moment:
    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Raises: StorageError, DamagedError, as everything here does."""
        self._path = path
        self._connection = connection
        with _in_our_words(path):
            connection.execute("PRAGMA cache_size=-1024")
            connection.execute("BEGIN")
        epochs = list(self._select("SELECT epoch FROM about"))
        if len(epochs) != 1:
            raise DamagedError(f"{path}: the file has no epoch")
        self.epoch = str(epochs[0][0])

    def cursor(self, lane: Lane) -> Cursor:
        found = self._one("SELECT last, digest, confirmed, confirmed_digest FROM lane WHERE lane = ?", lane.value)
        if found is None:
            begin = first_digest(self.epoch, lane)
            return Cursor(0, begin, 0, begin)
        return Cursor(_int(found[0]), _bytes(found[1]), _int(found[2]), _bytes(found[3]))

    def floor(self, lane: Lane) -> Span | None:
        """Up to where the lane was confirmed and released; None where an older version did not note it."""
        found = self._one("SELECT first, last, digest FROM dropped WHERE lane = ? AND first = 0", lane.value)
        return None if found is None else _span(found)

    def oldest(self, lane: Lane) -> int | None:
        """Number of the first entry there is."""
        found = self._one(f"SELECT min(sequence) FROM entry_{lane}")  # noqa: S608 - closed list
        return None if found is None or found[0] is None else _int(found[0])

    def rows(self, lane: Lane, after: int = 0, upto: int = _NO_END, kind: str | None = None) -> Iterator[Row]:
        """Entries of (after, upto] in order, of one kind or of all."""
        sql = f"SELECT sequence, kind, body, digest FROM entry_{lane} WHERE sequence > ? AND sequence <= ?"  # noqa: S608 - closed list
        of_kind = "" if kind is None else " AND kind = ?"
        cells = (after, upto) if kind is None else (after, upto, kind)
        return map(_row, self._select(f"{sql}{of_kind} ORDER BY sequence", *cells))

    def spans(self, lane: Lane, after: int = 0) -> Iterator[Span]:
        """Dropped ranges that reach above `after`, in order."""
        sql = "SELECT first, last, digest FROM dropped WHERE lane = ? AND first > 0 AND last > ? ORDER BY first"
        return map(_span, self._select(sql, lane.value, after))

    def things(self, lane: Lane, after: int) -> Iterator[Row | Span]:
        """Entries and dropped ranges that reach above `after`, in order."""
        return heapq.merge(self.rows(lane, after), self.spans(lane, after), key=_number)

    def newest(self, lane: Lane, limit: int, *, kinds: frozenset[str] | None = None) -> list[Row]:
        """The last entries of these kinds or of all, oldest of them first."""
        only, named = _only(kinds)
        sql = f"SELECT sequence, kind, body, digest FROM entry_{lane} WHERE {only} ORDER BY sequence DESC LIMIT ?"  # noqa: S608 - closed list
        return [_row(cells) for cells in self._select(sql, *named, limit)][::-1]

    def count(self, lane: Lane, *, above: int = 0, kinds: frozenset[str] | None = None) -> int:
        """Entries above a number, of these kinds or of all; reads every one of them."""
        only, named = _only(kinds)
        found = self._one(f"SELECT count(*) FROM entry_{lane} WHERE {only} AND sequence > ?", *named, above)  # noqa: S608 - closed list
        return 0 if found is None else _int(found[0])

    def unsound(self) -> list[str]:
        """What SQLite's integrity check finds; it reads the whole file."""
        return [str(row[0]) for row in self._select("PRAGMA integrity_check(10)") if row[0] != "ok"]

    def _one(self, sql: str, *cells: int | str) -> Cells | None:
        with closing(self._select(sql, *cells)) as found:
            return next(found, None)

    def _select(self, sql: str, *cells: int | str) -> Selected:
        with _in_our_words(self._path), closing(self._connection.execute(sql, cells)) as found:
            yield from found


@contextmanager
def _in_our_words(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as err:
        raise _translated(err, path) from err


def _translated(err: sqlite3.Error, path: Path) -> GatehouseError:
    match getattr(err, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_ERROR:
            return DamagedError(f"{path}: {err}")
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            hint = f"run it as root, or copy {path.name} and {path.name}-wal to a folder you may write to"
            return StorageError(f"{path} cannot be read: {err}", hint=hint)
        case _:
            return StorageError(f"{path} cannot be read: {err}", hint="check the disk: dmesg | tail")


def _stamp(path: Path) -> Stamp:
    try:
        now = path.stat()
    except FileNotFoundError as err:
        hint = "the service makes it at its first start; name one elsewhere by --journal"
        raise StorageError(f"{path}: {err.strerror}", hint=hint) from err
    except OSError as err:
        raise StorageError(f"{path}: {err.strerror}", hint="run it as root or as gatehouse") from err
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns


def _log_bytes(path: Path) -> int:
    try:
        return path.with_name(path.name + "-wal").stat().st_size
    except OSError:
        return 0


def _only(kinds: frozenset[str] | None) -> tuple[str, tuple[str, ...]]:
    """A condition, and what goes into its places."""
    if kinds is None:
        return "true", ()
    return f"kind IN ({', '.join('?' * len(kinds))})", tuple(sorted(kinds))


def _number(thing: Row | Span) -> int:
    return thing[0]


def _row(cells: Cells) -> Row:
    sequence, kind, body, digest = cells
    return Row(_int(sequence), str(kind), _bytes(body), _bytes(digest))


def _span(cells: Cells) -> Span:
    first, last, digest = cells
    return Span(_int(first), _int(last), _bytes(digest))


def _int(cell: object) -> int:
    if not isinstance(cell, int):
        raise DamagedError("a cell that is no number")
    return cell


def _bytes(cell: object) -> bytes:
    if not isinstance(cell, bytes):
        raise DamagedError("a cell that holds no bytes")
    return cell
