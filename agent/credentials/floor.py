"""The newest time that somebody other than a time server has vouched for; dates of cards are never judged by less.

Whoever holds a proof calls `verify`: a signed message of the centre, or a clock that the settings trust always. A
time server alone never does, so a forged one can neither bring back a card that has run out nor, by moving the
floor ahead, shut out those that are valid. Verified once, the floor rises by itself with the monotonic clock until
the next boot. It is kept in a file, at most an hour behind.
"""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Self

from agent.files import locked, write_whole
from agent.settings import Settings
from drivers.base import Clock, ClockTrust

_log = logging.getLogger(__name__)
SAVE_EVERY = timedelta(hours=1)


class TimeFloor:
    """`sync` alone touches the file, in whichever thread; everything else is memory and belongs to any."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = Lock()
        self._verified: tuple[datetime, float] | None = None
        self._saved: datetime | None = None
        self._read = False

    @classmethod
    def of(cls, settings: Settings, clock: Clock) -> Self:
        """In the storage folder; a clock that is always trusted vouches for its time at once."""
        floor = cls(settings.storage.folder / "time-floor", clock)
        if settings.clock_trust is ClockTrust.ALWAYS and (now := clock.utc()) is not None:
            floor.verify(now)
        return floor

    @property
    def at(self) -> datetime | None:
        """It is at least this late; None while nothing was ever verified."""
        if self._verified is None:
            return None
        verified, mono_s = self._verified
        return verified + timedelta(seconds=self._clock.mono_s() - mono_s)

    def verify(self, at: datetime) -> None:
        """It is proven to be at least `at`; an earlier time than is known changes nothing."""
        with self._lock:
            floor = self.at
            if floor is None or at > floor:
                self._verified = (at.astimezone(UTC), self._clock.mono_s())

    def sync(self) -> None:
        """Read what was kept, once, and keep what has risen by an hour.

        A file that cannot be read counts as none, and is named in the log.
        Raises: ConfigError when it cannot be written; the floor holds in memory.
        """
        if not self._read:
            self._read = True
            self._saved = _kept(self._path)
            if self._saved is not None:
                self.verify(self._saved)
        at = self.at
        if at is None or (self._saved is not None and at < self._saved + SAVE_EVERY):
            return
        self._saved = at
        with locked(self._path.parent):
            write_whole(self._path, (at.isoformat(timespec="seconds") + "\n").encode())


def _kept(path: Path) -> datetime | None:
    try:
        return datetime.fromisoformat(path.read_text(encoding="ascii").strip()).astimezone(UTC)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, OverflowError):
        _log.error("%s is no time; the newest time ever verified is not known; remove the file", path)
        return None
