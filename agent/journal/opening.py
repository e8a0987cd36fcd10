"""Opening the journal's folder: one owner, a known schema, a sound file; a damaged file is set aside.

`journal.lock` is held while the journal is open and says `closed` after a clean end: then the long check of the
whole file is left out. `journal.damaged` says that SQLite met damage while it ran, and why.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

from agent.events import Kind, Lane
from agent.journal.chain import first_digest, next_digest
from agent.journal.database import SCHEMA_VERSION, DamagedError, Database, StorageError
from agent.journal.entry import Birth, Bodies, Draft, Limits, Origin
from agent.journal.store import Store
from drivers.base import ConfigError

FILE = "journal.db"
TAIL = 100
"""Entries at the end of each lane whose chain is recomputed."""


@dataclass(frozen=True, slots=True)
class Opened:
    database: Database
    store: Store
    birth: Birth


class FolderLock:
    """Keeps a second process out of the folder; remembers whether the last owner ended cleanly.

    Raises: ConfigError when another process has it, StorageError when the disk or its rights refuse.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(folder / "journal.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as err:
            hint = "Name a folder this user may write to (storage.folder), or give it the rights."
            raise StorageError(f"journal folder {folder}: {err.strerror}", hint=hint) from err
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as err:
            os.close(self._fd)
            hint = "Stop the other gatehouse (systemctl stop gatehouse), or name another storage.folder."
            raise ConfigError(f"journal folder {folder}: another process has it open", hint=hint) from err
        self.clean = os.read(self._fd, 16) == b"closed\n"
        os.ftruncate(self._fd, 0)

    def release(self, *, clean: bool) -> None:
        """On a full disk the word is not written, and the next opening checks more than it need."""
        if clean:
            with suppress(OSError):
                os.pwrite(self._fd, b"closed\n", 0)
        os.close(self._fd)


def open_store(folder: Path, limits: Limits, bodies: Bodies, now: Callable[[], str], *, clean: bool) -> Opened:
    """Continue what is there, or begin a new epoch; `now` names a file set aside.

    Raises: ConfigError for a schema we cannot use, StorageError while the disk refuses.
    """
    path = folder / FILE
    marker = folder / "journal.damaged"
    try:
        if not path.exists():
            return _begin(path, limits, bodies, Origin.NEW)
        try:
            _check_marker(marker)
            return _continue(path, limits, bodies, clean=clean)
        except DamagedError as err:
            aside = _set_aside(path, now())
            marker.unlink(missing_ok=True)
            return _begin(path, limits, bodies, Origin.AFTER_CORRUPTION, set_aside=aside, reason=str(err))
    except (StorageError, OSError) as err:
        hint = "Check the disk, its free space and the rights of the folder (storage.folder)."
        raise StorageError(f"journal {path}: {err}", hint=hint) from err


def mark_damaged(folder: Path, reason: str) -> None:
    """The next opening sets the file aside; where this cannot be written, it checks the whole file."""
    with suppress(OSError):
        (folder / "journal.damaged").write_text(reason)


def _begin(
    path: Path, limits: Limits, bodies: Bodies, origin: Origin, *, set_aside: str = "", reason: str = ""
) -> Opened:
    birth = Birth(origin, uuid4().hex, set_aside, reason)
    with _closed_on_failure(Database(path, limits.max_bytes)) as database:
        with database.transaction():
            database.create(birth.epoch)
        store = Store(database, birth.epoch, limits, bodies)
        with store.transaction():
            store.write([Draft(Lane.LEDGER, Kind.EPOCH_STARTED, bodies.epoch_started(birth))])
    return Opened(database, store, birth)


def _continue(path: Path, limits: Limits, bodies: Bodies, *, clean: bool) -> Opened:
    with _closed_on_failure(Database(path, limits.max_bytes)) as database:
        version = database.version()
        if version > SCHEMA_VERSION:
            hint = "Install the newer gatehouse again, or move the file away to begin a new journal."
            raise ConfigError(f"journal {path}: written by a newer version (schema {version})", hint=hint)
        if version == 0:
            raise DamagedError("the file has no schema")
        if not clean and (wrong := database.sound()):
            raise DamagedError(wrong)
        epochs = database.rows("SELECT epoch FROM about")
        if len(epochs) != 1:
            raise DamagedError("the file has no epoch")
        store = Store(database, str(epochs[0][0]), limits, bodies)
        for lane in Lane:
            _check_tail(store, lane)
    return Opened(database, store, Birth(Origin.CONTINUED, store.epoch))


@contextmanager
def _closed_on_failure(database: Database) -> Iterator[Database]:
    with ExitStack() as stack:
        stack.callback(database.close)
        yield database
        stack.pop_all()


def _check_marker(marker: Path) -> None:
    if marker.exists():
        raise DamagedError(marker.read_text() or "damage was met while running")


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


def _set_aside(path: Path, now: str) -> str:
    """Rename the file with its WAL; the name it has now."""
    name, number = f"{path.name}.damaged-{now}", 1
    while (path.parent / name).exists():
        number += 1
        name = f"{path.name}.damaged-{now}-{number}"
    for suffix in ("-wal", "-shm"):
        side = path.with_name(path.name + suffix)
        if side.exists():
            side.rename(path.with_name(name + suffix))
    path.rename(path.with_name(name))
    return name
