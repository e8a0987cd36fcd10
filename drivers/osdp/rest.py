"""The polls of a bus on which nothing happens: timers make them, and no task wakes for a reply that says nothing.

Almost every poll of a compound's life is one of these, so what they cost is what the panel costs.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

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
        self._go_on(self.begun_s < self._until_s)

    def _look(self) -> None:
        acknowledged = False
        try:
            acknowledged = self._bus.acknowledged()
        finally:
            self._go_on(acknowledged)

    def _go_on(self, at_rest: bool) -> None:
        """Set the next alarm; without one, be it for a bug, the task is woken, or nobody would poll this bus again."""
        self._alarm = None
        try:
            if at_rest:
                with suppress(LinkError):  # whoever uses the bus next hears it
                    self._next()
        finally:
            if self._alarm is None:
                self._news.set()

    def _next(self) -> None:
        """Raises: LinkError."""
        if self.due:
            self._alarm = self._clock.alarm(self._bus.poll(self.due.pop(0)), self._look)
        else:
            self._alarm = self._clock.alarm(self.begun_s + self._interval_s, self._cycle)
