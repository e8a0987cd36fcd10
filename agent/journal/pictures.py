"""Which pictures wait, and room for the next one: the spool under the rules of the journal.

Only the journal's thread calls it. What the disk refuses is refused: no picture ever holds up an alarm.
"""

import logging
from collections import Counter
from collections.abc import Iterable

from agent.journal.database import StorageError, StorageFullError
from agent.journal.entry import RefusedError
from agent.journal.spool import MediaSpool, name_of, named_in
from agent.journal.store import Store

_LOG = logging.getLogger(__name__)
_HINT = "Restore the link to the centre, or raise storage.media_mb."


class Pictures:
    """The spool, and how many waiting entries name each picture of it: two may show the same."""

    def __init__(self, spool: MediaSpool) -> None:
        self._spool = spool
        self._named: Counter[str] = Counter()
        self._swept = False

    def begin(self, bodies: Iterable[bytes]) -> None:
        """With what waits in the media lane; a folder that cannot be used is tried again with the next picture."""
        self._named = Counter(name for body in bodies if (name := named_in(body)) is not None)
        self._swept = False
        try:
            self._sweep()
        except StorageError as err:
            _LOG.warning("pictures cannot be kept: %s", err)

    def read(self, name: str) -> bytes | None:
        return self._spool.read(name)

    def keep(self, store: Store, jpeg: bytes) -> None:
        """On disk, for one entry that will be written or let go: within the budget, on a full disk for the oldest.

        Raises: StorageError, RefusedError.
        """
        if not self._swept:
            self._sweep()
        if not self._spool.size(name_of(jpeg)):
            self._make_room(store, self._spool.used_bytes + len(jpeg) - self._spool.max_bytes)
        try:
            name = self._spool.put(jpeg)
        except StorageFullError:
            self._make_room(store, len(jpeg))
            name = self._spool.put(jpeg)
        self._named[name] += 1

    def let_go(self, bodies: Iterable[bytes]) -> None:
        """Of entries that a commit has confirmed or dropped, or that were refused."""
        for name in filter(None, map(named_in, bodies)):
            self._named[name] -= 1
            if self._named[name] <= 0:
                del self._named[name]
                self._spool.remove(name)

    def _make_room(self, store: Store, wanted: int) -> None:
        """By chunks, for each is a tombstone; files go only after the commit that declares them given up."""
        spool = self._spool
        if wanted <= 0:
            return
        need, aim = spool.used_bytes - wanted, spool.used_bytes - max(wanted, spool.max_bytes // 32)
        while spool.used_bytes > max(0, aim):
            with store.transaction():
                found = store.give_up_pictures(self._size_of, spool.used_bytes - aim)
            self.let_go(store.let_go)
            if not found:
                break
        if spool.used_bytes > need:
            raise RefusedError("no older one may be dropped for it", hint=_HINT)

    def _size_of(self, body: bytes) -> int:
        return self._spool.size(named_in(body) or "")

    def _sweep(self) -> None:
        self._spool.sweep(self._named)
        self._swept = True
