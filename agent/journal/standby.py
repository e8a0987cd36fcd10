"""Which file is written: the one on disk or, when the disk has refused for long, one in memory.

Without it no alarm would leave a gateway whose SD card has made itself read-only. The journal in memory is an epoch of
its own, said by its first entry; it is lost with the power. Once the disk takes entries again, what is not confirmed is
entered there, and the memory's epoch has ended. Only the journal's thread calls this.
"""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from agent.events import Kind, Lane
from agent.journal.database import MEMORY, StorageError
from agent.journal.disk import Disk
from agent.journal.entry import Birth, Bodies, Draft, Health, Limits, Origin, Storing
from agent.journal.opening import FILE, FolderLock, Opened, begin, open_store
from agent.journal.store import Store
from drivers.base import Clock

_LOG = logging.getLogger(__name__)

AFTER_S = 60.0
"""So long a disk may refuse before memory is used."""
RETRY_S = 60.0
"""In memory, how often the disk is tried again."""
MAX_BYTES = 16 << 20
MAX_ENTRIES = 50_000
_ALL = 1 << 30


@dataclass(frozen=True, slots=True)
class Ready:
    """To be served; without a lock it is in memory, until `until_s` by the monotonic clock.

    `refused` counts what was in memory and found no room on the disk.
    """

    found: Opened
    lock: FolderLock | None
    until_s: float | None = None
    refused: int = 0


class Standby:
    def __init__(
        self, folder: Path, limits: Limits, bodies: Bodies, clock: Clock, disk: Disk, now: Callable[[], str]
    ) -> None:
        self.former: Store | None = None
        """What was last opened on disk, or renewed there."""
        self.memory: Opened | None = None
        self.is_strange = False
        """The file came back in another state than it went."""
        self._folder = folder
        self._limits = limits
        self._bodies = bodies
        self._clock = clock
        self._disk = disk
        self._now = now
        self._reason = ""

    def is_wanted(self, *, closing: bool = False) -> bool:
        """The disk has refused for so long that it is not waited for; at the end it is tried once more."""
        return not closing and self._disk.refusal is not None and self._disk.refused_s() >= AFTER_S

    def open(self) -> Ready:
        """Raises: StorageError while the disk refuses and it is too early for memory."""
        if self.memory is not None:
            return self._back_to_disk(self.memory) or self._in_memory(self.memory)
        if not self.is_wanted():
            return self._from_disk()
        self._reason = f"{self._disk.refusal}; events are kept in memory and lost with the power"
        self._disk.forget()
        limits = replace(self._limits, max_bytes=MAX_BYTES, max_entries=MAX_ENTRIES, alarm_reserve_bytes=MAX_BYTES // 4)
        birth = Birth(Origin.IN_MEMORY, uuid4().hex, reason=self._reason)
        self.memory = begin(MEMORY, limits, self._bodies, birth)
        _LOG.error("journal: %s", self._reason)
        return self._in_memory(self.memory)

    def renewed(self, store: Store) -> None:
        """The epoch of what is open has been renewed."""
        if self.memory is None:
            self.former = store
        else:
            self.memory = replace(self.memory, store=store)

    def health(self, refused: int) -> Health | None:
        """None where the disk has the word."""
        if self.memory is None:
            return None
        return Health(Storing.FAILING, self._reason, "Check the journal's disk, or replace it.", refused)

    def end(self) -> None:
        """Closed while in memory: the disk is tried once more, or what is not confirmed is lost."""
        if self.memory is None:
            return
        ready = self._back_to_disk(self.memory)
        if ready is not None and ready.lock is not None:
            ready.found.database.close()
            ready.lock.release(clean=False)
            return
        lost = sum(state.waiting for state in self.memory.store.states().values())
        _LOG.error("journal: %d entries that were in memory only are lost", lost)
        self.memory.database.close()

    # ------------------------------------------------------------ private

    def _in_memory(self, memory: Opened) -> Ready:
        return Ready(memory, None, self._clock.mono_s() + RETRY_S)

    def _from_disk(self) -> Ready:
        former = self.former
        if former is not None and not (self._folder / FILE).exists():
            hint = "Bring the disk back; a restart begins a new journal."
            raise StorageError(f"journal {self._folder / FILE} is gone", hint=hint)
        lock = FolderLock(self._folder)
        with ExitStack() as on_failure:
            on_failure.callback(lock.release, clean=False)
            if not lock.fresh:
                lock.opened()
            found = open_store(self._folder, self._limits, self._bodies, self._now, clean=lock.clean, fresh=lock.fresh)
            on_failure.callback(found.database.close)
            if lock.fresh:
                lock.opened()
            on_failure.pop_all()
        same = former is not None and former.epoch == found.store.epoch
        self.is_strange = same and former is not None and former.states() != found.store.states()
        self.former = found.store
        return Ready(found, lock)

    def _back_to_disk(self, memory: Opened) -> Ready | None:
        """None where the disk still refuses."""
        former = self.former
        try:
            ready = self._from_disk()
        except StorageError:
            return None
        with ExitStack() as on_failure:
            assert ready.lock is not None
            on_failure.callback(ready.lock.release, clean=False)
            on_failure.callback(ready.found.database.close)
            try:
                refused = carry_over(memory.store, ready.found.store, self._bodies)
            except StorageError:
                self.former = former
                return None
            on_failure.pop_all()
        memory.database.close()
        self.memory = None
        _LOG.info("journal: the disk takes entries again; what was in memory is there")
        if refused:
            _LOG.error("journal: %d entries that were in memory found no room on the disk", refused)
        return replace(ready, refused=refused)


def carry_over(memory: Store, disk: Store, bodies: Bodies) -> int:
    """What is not confirmed, in one transaction; its first entry says that the memory's epoch has ended.

    How many found no room.
    """
    refused = 0
    birth = Birth(Origin.CONTINUED, disk.epoch, reason="the disk takes entries again", previous=memory.epoch)
    with disk.transaction():
        disk.write([Draft(Lane.LEDGER, Kind.EPOCH_STARTED, bodies.epoch_started(birth))])
        for lane, state in memory.states().items():
            waiting = memory.peek(lane, state.confirmed, _ALL, _ALL)
            refused += disk.write([Draft(lane, Kind(entry.kind), entry.body) for entry in waiting]).count(None)
    return refused
