"""The bounded queue in front of the rules."""

import asyncio
import logging
from collections import deque

from agent.observations import Observation
from agent.rules.step import Input
from drivers.base import Reading, Status

_log = logging.getLogger(__name__)


class Inbox:
    """Keeps the order of arrival. Over `limit` the oldest spare input goes first; all that go are counted.

    Spare are numeric readings and observations: a newer one says the same better. Where none is left, a truth value
    or a state takes the place of the one before it of the same point or device, or waits beyond the limit when there
    is none: a line that flickers costs no other its last word. Anything else that is new is let go then. Used on the
    loop's thread only.
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
            if not self._makes_room(given):
                self.dropped += 1
                return
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

    def _makes_room(self, given: Input) -> bool:
        if self._spare:
            self._spare.popleft()
            self.dropped += 1
            return True
        source = _source(given)
        if source is None:
            return False
        for back, (_, waiting) in enumerate(reversed(self._firm), start=1):
            if _source(waiting) == source:
                del self._firm[-back]
                self.dropped += 1
                break
        return True

    def _overflow(self) -> None:
        if not self._overflowing:
            _log.warning("inputs arrive faster than the rules take them: %d waiting, dropping readings", len(self))
        self._overflowing = True


def _is_spare(given: Input) -> bool:
    if isinstance(given, Reading):
        return isinstance(given.value, (int, float)) and not isinstance(given.value, bool)
    return isinstance(given, Observation)


def _source(given: Input) -> tuple[type, str] | None:
    """Whose newest word counts alone: a point that is true or false, or a device."""
    if isinstance(given, Status):
        return Status, given.device
    if isinstance(given, Reading) and isinstance(given.value, bool):
        return Reading, given.ref
    return None
