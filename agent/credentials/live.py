"""The card list the running agent asks: always the one on the disk, a few seconds later at most.

A list is looked at and read in a short-lived thread, never on the loop; the new one takes the old one's place
between two decisions. A list that cannot be read leaves the last good one in force, and is reported.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from agent.blocking import in_thread
from agent.credentials.cardlist import CardList
from agent.credentials.credential import Holds, Times
from agent.credentials.floor import TimeFloor
from agent.credentials.verdict import PinResult, Verdict
from drivers.base import Card, Clock, ConfigError

_log = logging.getLogger(__name__)
LOOK_EVERY_S = 2.0
DENY = "deny"
"""What a door writes for `no_clock` when a schedule that cannot be judged denies."""
TOLERANCE = timedelta(minutes=5)
"""A clock this much behind the newest time ever verified is merely slow; behind more than this it is wrong."""


def never(schedule: str, utc: datetime) -> bool:
    """No schedule holds."""
    del schedule, utc
    return False


class Cards:
    """Implements the doors' `Access`. `on_change` is called on the loop after every new list and every new problem.

    A list that cannot be read is tried again at every look.
    """

    def __init__(
        self,
        cards: CardList,
        *,
        path: Path | None = None,
        holds: Holds = never,
        floor: TimeFloor | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._cards = cards
        self._path = path
        self._holds = holds
        self._floor = floor
        self._stamp: tuple[int, ...] | None = None
        self.on_change = on_change
        self.problem: ConfigError | None = None

    @classmethod
    def open(cls, path: Path | None, *, holds: Holds, floor: TimeFloor | None) -> "Cards":
        """With the list at `path`; one that cannot be read denies every card until it can (`problem`)."""
        opened = cls(CardList.empty(), path=path, holds=holds, floor=floor)
        opened._take(opened._read())
        return opened

    def __len__(self) -> int:
        return len(self._cards)

    @property
    def version(self) -> int:
        return self._cards.version

    @property
    def digest(self) -> str | None:
        return self._cards.digest

    def decide(self, card: Card, door: str, now_utc: datetime | None, no_clock: str = "") -> Verdict:
        """From memory, at once. A clock behind the newest time ever verified is not trusted with schedules."""
        floor = None if self._floor is None else self._floor.at
        if now_utc is not None and floor is not None and now_utc < floor - TOLERANCE:
            now_utc = None
        return self._cards.decide(card, door, Times(now_utc, floor, lenient=no_clock != DENY), self._holds)

    def check_pin(self, reference: str, digits: str) -> PinResult:
        return self._cards.check_pin(reference, digits)

    async def run(self, clock: Clock) -> None:
        """Look at the list every few seconds, until cancelled."""
        while True:
            if self._take(await in_thread("cards", self._look)):
                self.on_change()
            await clock.sleep(LOOK_EVERY_S)

    def _look(self) -> "CardList | ConfigError | None":
        """Everything that touches the disk: the floor is kept, and what is new at the path returned."""
        if self._floor is not None:
            try:
                self._floor.sync()
            except ConfigError as error:
                _log.warning("%s; %s", error, error.hint)
        return self._read()

    def _read(self) -> "CardList | ConfigError | None":
        if self._path is None:
            return None
        stamp: tuple[int, ...] = ()
        with suppress(OSError):
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        try:
            return CardList.load(self._path)
        except ConfigError as error:
            self._stamp = None  # what ails it may be mended elsewhere: its key, its owner
            return None if str(error) == str(self.problem) else error

    def _take(self, found: "CardList | ConfigError | None") -> bool:
        """Whether anything is other than before."""
        if found is None:
            return False
        if isinstance(found, ConfigError):
            self.problem = found
            _log.error("%s; %d cards known before stay in force; %s", found, len(self), found.hint)
            return True
        self._cards, self.problem = found, None
        _log.info("card list: version %d, %d cards", found.version, len(found))
        return True
