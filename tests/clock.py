"""Clocks that tests move."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from drivers.base import Alarm, ClockTrust, SystemClock

_ROUNDS = 30
"""Turns of the loop in which woken tasks, and those they wake in turn, come to rest."""


@dataclass(frozen=True)
class _Alarm:
    cancel: Callable[[], None]


class ManualClock:
    """Implements `drivers.base.Clock`: time stands still until `advance`.

    `utc` moves along with the monotonic time; None says that it is not synchronised.
    """

    def __init__(self, mono_s: float = 1000.0, utc: datetime | None = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)) -> None:
        self._mono_s = mono_s
        self._utc = utc
        self._utc_set_s = mono_s
        self._alarms: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def mono_s(self) -> float:
        return self._mono_s

    def utc(self) -> datetime | None:
        return None if self._utc is None else self._utc + timedelta(seconds=self._mono_s - self._utc_set_s)

    def set_utc(self, utc: datetime | None) -> None:
        self._utc, self._utc_set_s = utc, self._mono_s

    @property
    def next_alarm_s(self) -> float | None:
        """Monotonic time at which the next sleeper or time-out is due; None when nobody waits."""
        return self._alarms[0][0] if self._alarms else None

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await _turn()
            return
        woken = asyncio.get_running_loop().create_future()
        alarm = self._set_alarm(seconds, lambda: None if woken.done() else woken.set_result(None))
        try:
            await woken
        finally:
            self._drop(alarm)

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        return self._timeout(seconds)

    @asynccontextmanager
    async def _timeout(self, seconds: float) -> AsyncIterator[asyncio.Timeout]:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(0 if seconds <= 0 else None) as scope:
            alarm = self._set_alarm(seconds, lambda: scope.reschedule(loop.time())) if seconds > 0 else None
            try:
                yield scope
            finally:
                self._drop(alarm)

    def alarm(self, at_s: float, ring: Callable[[], None]) -> Alarm:
        return _Alarm(partial(self._drop, self._set_alarm(at_s - self._mono_s, ring)))

    async def advance(self, seconds: float) -> None:
        """Move time on; each sleeper wakes at its own moment, and the tasks it wakes run before the next one."""
        target = self._mono_s + seconds
        await self.settle()
        while self._alarms and self._alarms[0][0] <= target:
            due_s, _, ring = heapq.heappop(self._alarms)
            self._mono_s = max(self._mono_s, due_s)
            ring()
            await self.settle()
        self._mono_s = target
        await self.settle()

    async def settle(self) -> None:
        """Let every task that can run come to rest; time stands still."""
        for _ in range(_ROUNDS):
            await _turn()

    def _set_alarm(self, seconds: float, ring: Callable[[], None]) -> tuple[float, int, Callable[[], None]]:
        alarm = (self._mono_s + seconds, next(self._order), ring)
        heapq.heappush(self._alarms, alarm)
        return alarm

    def _drop(self, alarm: tuple[float, int, Callable[[], None]] | None) -> None:
        if alarm in self._alarms:
            self._alarms.remove(alarm)
            heapq.heapify(self._alarms)


class ShiftedClock(SystemClock):
    """Runs with the machine's, put forward by `shift_s`; the wall clock is off by `wall` besides, or not trusted.

    What waits already waits by the machine's time: only what is compared with a time of before sees the shift.
    """

    def __init__(self) -> None:
        super().__init__(ClockTrust.ALWAYS)
        self.shift_s = 0.0
        self.wall: timedelta | None = timedelta()

    def mono_s(self) -> float:
        return super().mono_s() + self.shift_s

    def alarm(self, at_s: float, ring: Callable[[], None]) -> Alarm:
        return super().alarm(at_s - self.shift_s, ring)

    def utc(self) -> datetime | None:
        now = super().utc()
        return None if now is None or self.wall is None else now + self.wall + timedelta(seconds=self.shift_s)


async def _turn() -> None:
    """Give the loop one turn; no time passes."""
    await asyncio.sleep(0)  # noqa: TID251 - zero seconds: a turn of the loop, not a wait
