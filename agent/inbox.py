"""The bounded queue in front of the rules."""

import asyncio
import logging
from collections import deque

from agent.observations import Observation
from agent.rules.step import Input
from drivers.base import Reading

_log = logging.getLogger(__name__)


class Inbox:
    """Keeps the order of arrival. Over `limit` the oldest spare input goes first, else the new one; all are counted.

    Spare are numeric readings and observations: a newer one says the same better. A card, a truth value, a state
    and an order are never pushed out. Used on the loop's thread only.
    """

    def __init__(self, limit: int) -> None:
        self.dropped = 0
        self._limit = limit
        self._arrived = 0
        self._firm: deque[tuple[int, Input]] = deque()
        self._spare: deque[tuple[int, Input]] = deque()
        self._filled = asyncio.Event()
        self._overflowing = False

    def __len__(self) -> int:
        return len(self._firm) + len(self._spare)

    def put(self, given: Input) -> None:
        """Takes it at once; never blocks, never raises."""
        if len(self) >= self._limit:
            self._overflow()
            if not self._spare:
                return
            self._spare.popleft()
        self._arrived += 1
        (self._spare if _is_spare(given) else self._firm).append((self._arrived, given))
        self._filled.set()

    def take(self) -> Input | None:
        """The oldest input; None when there is none."""
        if not self:
            self._filled.clear()
            self._overflowing = False
            return None
        from_spare = not self._firm or (bool(self._spare) and self._spare[0][0] < self._firm[0][0])
        return (self._spare if from_spare else self._firm).popleft()[1]

    async def wait(self) -> None:
        """Until there may be something to take."""
        await self._filled.wait()

    def _overflow(self) -> None:
        self.dropped += 1
        if not self._overflowing:
            _log.warning("inputs arrive faster than the rules take them: %d waiting, dropping readings", len(self))
        self._overflowing = True


def _is_spare(given: Input) -> bool:
    if isinstance(given, Reading):
        return isinstance(given.value, (int, float)) and not isinstance(given.value, bool)
    return isinstance(given, Observation)
