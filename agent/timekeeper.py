"""Says when uptime was zero: once the clock is trusted, and again whenever it has been set.

Events are stamped with boot and uptime, and with a time only while the clock is trusted. By `clock.offset` the centre
places those that have none, and sees that those around a step of the clock are told by two clocks. The wall clock is
compared with the monotonic one every `LOOK_S`; both are slewed alike, so a difference is a step, never a drift.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from agent.contract import clock_offset
from agent.events import Event
from drivers.base import Clock

_log = logging.getLogger(__name__)
LOOK_S: Final = 1.0
STEP_S: Final = 1.0
"""A smaller difference is not worth an event."""


def boot_id() -> str:
    """The kernel's, because uptime is the kernel's monotonic clock: both outlive a restart of the agent."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class Timekeeper:
    """`record` returns when the event is durable. What was said is noted in `note` for the next start in this boot.

    `note` belongs on a RAM disk; `life` is what its word is good for: this boot and this epoch.
    """

    def __init__(
        self, clock: Clock, note: Path, life: Callable[[], str], record: Callable[[Event], Awaitable[None]]
    ) -> None:
        self._clock = clock
        self._note = note
        self._life = life
        self._record = record
        self._began: datetime | None = None

    async def run(self) -> None:
        self._began = self._noted()
        while True:
            await self.look()
            await self._clock.sleep(LOOK_S)

    async def look(self) -> None:
        """Compare, and say what there is to say."""
        utc, now_s = self._clock.utc(), self._clock.mono_s()
        if utc is None:
            return
        began = utc - timedelta(seconds=now_s)
        step_s = None if self._began is None else (began - self._began).total_seconds()
        if step_s is not None and abs(step_s) < STEP_S:
            return
        if step_s is not None:
            _log.warning("the clock was set by %+.3f s", step_s)
        await self._record(clock_offset(began=began, mono_s=now_s, step_s=step_s))
        self._began = began
        with suppress(OSError):  # then it is said once more after a restart
            self._note.write_text(f"{self._life()} {began.isoformat()}", encoding="ascii")

    def _noted(self) -> datetime | None:
        with suppress(OSError, ValueError):
            life, began = self._note.read_text(encoding="ascii").rsplit(" ", 1)
            if life == self._life():
                return datetime.fromisoformat(began)
        return None
