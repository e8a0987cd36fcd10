"""The polls of a bus on which nothing happens: timers make them, and no task wakes for a reply that says nothing.

Almost every poll of a compound's life is one of these, so what they cost is what the panel costs.
"""

import asyncio
from collections.abc import Sequence

from drivers.base import Alarm, Clock, LinkError
from drivers.osdp.bus import Bus
from drivers.osdp.reader import ReaderLink


class Rest:
    """Belongs to the panel's task. `news` is set by a reply that is no ACK or not there, or by who has a command."""

    def __init__(
        self, bus: Bus, links: Sequence[ReaderLink], interval_s: float, clock: Clock, news: asyncio.Event
    ) -> None:
        self.begun_s = clock.mono_s()
        """When the cycle began in which there was news."""
        self.due = list(links)
        """Who is still to be polled in it."""
        self._bus = bus
        self._links = links
        self._interval_s = interval_s
        self._clock = clock
        self._news = news
        self._until_s = self.begun_s
        self._alarm: Alarm | None = None

    async def until_news(self, until_s: float) -> None:
        """Poll the readers in turn until there is news, or that time; `Bus.finish` takes what is still on its way."""
        self._news.clear()
        self._until_s = until_s
        self._cycle()
        try:
            await self._news.wait()
        finally:
            if self._alarm is not None:
                self._alarm.cancel()

    def _cycle(self) -> None:
        self.begun_s, self.due = self._clock.mono_s(), list(self._links)
        if self.begun_s < self._until_s:
            self._next()
        else:
            self._news.set()

    def _next(self) -> None:
        if not self.due:
            self._alarm = self._clock.alarm(self.begun_s + self._interval_s, self._cycle)
            return
        try:
            look_s = self._bus.poll(self.due.pop(0))
        except LinkError:
            self._news.set()  # and whoever uses the bus next hears it
        else:
            self._alarm = self._clock.alarm(look_s, self._look)

    def _look(self) -> None:
        if self._bus.acknowledged():
            self._next()
        else:
            self._news.set()
