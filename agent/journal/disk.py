"""Whether the disk takes what it is given, and when it is worth asking again. Only the journal's thread calls it."""

import logging

from agent.journal.database import StorageError, StorageFullError
from agent.journal.entry import Health, Storing
from drivers.base import Backoff, Clock

_LOG = logging.getLogger(__name__)


class Disk:
    def __init__(self, clock: Clock) -> None:
        self.refusal: StorageError | None = None
        """What it said last, while it refuses."""
        self._clock = clock
        self._backoff = Backoff(first_s=0.25, ceiling_s=5.0)
        self._retry_at = 0.0
        self._since_s = 0.0

    def refuses(self, err: StorageError) -> None:
        if self.refusal is None:
            self._since_s = self._clock.mono_s()
            _LOG.error("journal: the disk refuses, events wait in memory: %s", err)
        self.refusal = err
        self._retry_at = self._clock.mono_s() + self._backoff.next_s()

    def takes(self) -> None:
        if self.refusal is not None:
            _LOG.info("journal: the disk takes entries again")
            self.forget()

    def forget(self) -> None:
        """Nothing is known of it any more."""
        self.refusal = None
        self._backoff.reset()

    def refused_s(self) -> float:
        """How long it has refused, while it does."""
        return self._clock.mono_s() - self._since_s

    def wait_s(self) -> float:
        """How long until it may be tried again."""
        return 0.0 if self.refusal is None else max(0.0, self._retry_at - self._clock.mono_s())

    def health(self, refused: int) -> Health | None:
        """None while it takes everything."""
        if self.refusal is None:
            return None
        state = Storing.FULL if isinstance(self.refusal, StorageFullError) else Storing.FAILING
        return Health(state, str(self.refusal), self.refusal.hint, refused)
