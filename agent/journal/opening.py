"""Opening the journal's folder: one owner, a known schema, a sound file; a damaged file is set aside.

`journal.lock` is held while the journal is open, and says `open` until it ends cleanly, then `closed`. After another
end the whole file is to be checked: a small one before the start, a large one beside the journal that runs.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

from agent.events import Kind, Lane
from agent.instance import claim
from agent.journal.chain import first_digest, next_digest
from agent.journal.database import READ_ONLY_HINT, DamagedError, Database, StorageError, StorageFullError
from agent.journal.entry import Birth, Bodies, Draft, Limits, Origin
from agent.journal.quarantine import Damage, finished, marked, set_aside, sync
from agent.journal.schema import newest
from agent.journal.store import Store
from drivers.base import ConfigError

FILE = "journal.db"
TAIL = 100
"""Entries at the end of each lane whose chain is recomputed."""
CHECKED_AT_ONCE = 8 << 20
"""A larger file is checked beside the journal that runs: 1,000,000 entries take 4 s, on an SD card a minute."""
_NO_ROOM = 64 << 10
_FULL_HINT = "Free space on the journal's disk."
_LOCK = "journal.lock"
_CLOSED, _OPEN = b"closed\n", b"open\n"


@dataclass(frozen=True, slots=True)
class Opened:
    """`unchecked`: the whole file is still to be checked."""

    database: Database
    store: Store
    birth: Birth
    unchecked: bool = False


class FolderLock:
    """Keeps a second process out of the folder; remembers how the last owner ended.

    Raises: AlreadyRunningError when another process has it, StorageError when the disk or its rights refuse.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            if not folder.is_dir():
                folder.mkdir(parents=True)
                sync(folder.parent)
            self._fd = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as err:
            hint = "Name a folder this user may write to (storage.folder), or give it the rights."
            raise _refusal(folder, f"journal folder {folder}: {err.strerror}", err, hint) from err
        try:
            claim(self._fd, folder / _LOCK)
        except BaseException:
            os.close(self._fd)
            raise
        said = os.read(self._fd, 16)
        self.clean = said == _CLOSED
        self.fresh = said == b""
        """No journal was ever opened here, by this version."""

    def opened(self) -> None:
        """On disk before anything is written, or a power cut would pass for a clean end. Raises: StorageError."""
        try:
            os.pwrite(self._fd, _OPEN, 0)
            os.ftruncate(self._fd, len(_OPEN))
            os.fsync(self._fd)
        except OSError as err:
            raise _refusal(self._folder, f"journal folder {self._folder}: {err.strerror}", err, _FULL_HINT) from err

    def release(self, *, clean: bool) -> None:
        """On a full disk the word is not written, and the next opening checks more than it need."""
        if clean:
            with suppress(OSError):
                os.pwrite(self._fd, _CLOSED, 0)
        os.close(self._fd)


def open_store(
    folder: Path, limits: Limits, bodies: Bodies, now: Callable[[], str], *, clean: bool, fresh: bool = False
) -> Opened:
    """Continue what is there, or begin a new epoch; `now` names a file set aside.

    Raises: ConfigError for a schema we cannot use, StorageError while the disk refuses.
    """
    path = folder / FILE
    try:
        damage = marked(folder)
        if damage is None:
            try:
                if not path.exists():
                    return begin(path, limits, bodies, Birth(Origin.NEW, uuid4().hex))
                return _continue(path, limits, bodies, clean=clean, fresh=fresh)
            except DamagedError as err:
                damage = Damage(str(err))
        return _begin_after(damage, path, limits, bodies, now())
    except (StorageError, OSError) as err:
        hint = "Check the disk, its free space and the rights of the folder (storage.folder)."
        raise _refusal(folder, f"journal {path}: {err}", err, hint) from err


def _begin_after(damage: Damage, path: Path, limits: Limits, bodies: Bodies, now: str) -> Opened:
    """The damaged file is kept under another name; a crash before the end of this is made good by the next opening."""
    damage = set_aside(path, damage, now)
    found = begin(path, limits, bodies, Birth(Origin.AFTER_CORRUPTION, uuid4().hex, damage.aside, damage.reason))
    with _closed_on_failure(found.database):
        finished(path.parent)
    return found


def begin(path: Path, limits: Limits, bodies: Bodies, birth: Birth) -> Opened:
    """In one transaction with the first entry. What a crash has left of an earlier attempt is continued."""
    with _closed_on_failure(Database(path, limits.max_bytes)) as database:
        if not database.blank():
            found = _known(database, path, limits, bodies)
            return Opened(database, found.store, replace(birth, epoch=found.store.epoch))
        with database.transaction():
            database.create(birth.epoch)
            store = Store(database, birth.epoch, limits, bodies)
            store.begin(Draft(Lane.LEDGER, Kind.EPOCH_STARTED, bodies.epoch_started(birth)))
        return Opened(database, store, birth)


def _continue(path: Path, limits: Limits, bodies: Bodies, *, clean: bool, fresh: bool) -> Opened:
    with _closed_on_failure(Database(path, limits.max_bytes)) as database:
        if fresh and database.blank():
            database.close()
            return begin(path, limits, bodies, Birth(Origin.NEW, uuid4().hex))
        at_once = database.used_bytes() <= CHECKED_AT_ONCE
        if not clean and at_once and (wrong := database.sound()):
            raise DamagedError(wrong)
        found = _known(database, path, limits, bodies)
    return Opened(found.database, found.store, found.birth, unchecked=not clean and not at_once)


def _known(database: Database, path: Path, limits: Limits, bodies: Bodies) -> Opened:
    """A file of ours, brought to today's schema; its lanes agree with their chains at the end."""
    readable_by = database.readable_by()
    if readable_by > newest():
        hint = "Install the newer gatehouse again, or move the file away to begin a new journal."
        raise ConfigError(f"journal {path}: written by a newer version (schema {readable_by})", hint=hint)
    if readable_by == 0:
        raise DamagedError("the file has no schema")
    if database.level() < newest():
        with database.transaction():
            database.migrate()
    epochs = database.rows("SELECT epoch FROM about")
    if len(epochs) != 1:
        raise DamagedError("the file has no epoch")
    store = Store(database, str(epochs[0][0]), limits, bodies)
    for lane in Lane:
        _check_tail(store, lane)
    return Opened(database, store, Birth(Origin.CONTINUED, store.epoch))


def _refusal(folder: Path, said: str, err: Exception, hint: str) -> StorageError:
    """By its cause: a full disk, whichever way SQLite words that; a read-only one; or anything else."""
    number = err.errno if isinstance(err, OSError) else None
    if isinstance(err, StorageFullError) or number in (errno.ENOSPC, errno.EDQUOT) or _is_full(folder):
        return StorageFullError(said, hint=_FULL_HINT)
    read_only = number == errno.EROFS or (isinstance(err, StorageError) and err.hint == READ_ONLY_HINT)
    return StorageError(said, hint=READ_ONLY_HINT if read_only else hint)


def _is_full(folder: Path) -> bool:
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < _NO_ROOM


@contextmanager
def _closed_on_failure(database: Database) -> Iterator[Database]:
    with ExitStack() as stack:
        stack.callback(database.close)
        yield database
        stack.pop_all()


def _check_tail(store: Store, lane: Lane) -> None:
    """The lane's row and the last entries agree with the chain.

    Raises: DamagedError.
    """
    state = store.states()[lane]
    tail = store.peek(lane, max(0, state.last - TAIL), TAIL + 1, 1 << 30)
    if tail and tail[-1].sequence > state.last:
        raise DamagedError(f"{lane}: entries beyond the last one")
    if tail and tail[-1].sequence == state.last and tail[-1].digest != state.digest:
        raise DamagedError(f"{lane}: the last digest differs")
    if state.last == 0 and state.digest != first_digest(store.epoch, lane):
        raise DamagedError(f"{lane}: the chain does not begin with this epoch")
    if state.oldest == 1 and state.last > 0:
        (first,) = store.peek(lane, 0, 1, 1)
        if first.digest != next_digest(first_digest(store.epoch, lane), first.body):
            raise DamagedError(f"{lane}/1: the chain does not begin with this epoch")
    for before, entry in pairwise(tail):
        if entry.sequence == before.sequence + 1 and entry.digest != next_digest(before.digest, entry.body):
            raise DamagedError(f"{lane}/{entry.sequence}: the chain is broken")
