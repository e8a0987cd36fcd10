"""The half-duplex wire: one exchange at a time, with the pause the standard wants before each command."""

from collections.abc import Callable
from typing import TypeAlias

from drivers.base import Clock
from drivers.line import Line, SerialLine
from drivers.osdp.config import OsdpBus
from drivers.osdp.frames import MAX_LENGTH, Deframer, Frame
from drivers.osdp.reader import ReaderLink

TIMEOUT_S = 0.2
"""The standard's longest time to the first byte of a reply."""

_GAP_BYTES = 2  # the line is idle so long before each command, for converters to notice
_SLACK_S = 0.02  # between bytes that arrive in clumps

OpenLine: TypeAlias = Callable[[OsdpBus, Clock], Line]


def open_serial(config: OsdpBus, clock: Clock) -> Line:
    """Raises: LinkError."""
    return SerialLine(config.id, config.port, config.baud, clock)


class Bus:
    """Belongs to one task. `overheard` is told of frames that answer nobody."""

    def __init__(
        self, line: Line, baud: int, clock: Clock, overheard: Callable[[Frame], None] = lambda _: None
    ) -> None:
        self._line = line
        self._clock = clock
        self._byte_s = 10 / baud
        self._overheard = overheard
        self._deframer = Deframer()
        self._idle_s = float("-inf")

    async def turn(self, link: ReaderLink) -> None:
        """Send what the reader is due, and wait for its reply. Raises: LinkError."""
        await self.exchange(link, link.outgoing())

    async def exchange(self, link: ReaderLink, wire: bytes, wait_s: float = TIMEOUT_S) -> None:
        """Send, and tell the reader's state what came of it. `wait_s` is for the first byte of the reply.

        Raises: LinkError.
        """
        gap_s = self._idle_s + _GAP_BYTES * self._byte_s - self._clock.mono_s()
        if gap_s > 0:
            await self._clock.sleep(gap_s)
        self._line.clear()
        self._deframer.clear()
        self._line.write(wire)
        sent_s = self._clock.mono_s() + len(wire) * self._byte_s
        frame, first_s = await self._reply(link, sent_s + wait_s)
        now = self._clock.mono_s()
        self._idle_s = max(sent_s, self._line.read_mono_s)
        if frame is None:
            link.missed(now)
        else:
            link.outage.heard_after(first_s - sent_s)
            link.received(frame, self._line.read_mono_s)

    async def _reply(self, link: ReaderLink, deadline_s: float) -> tuple[Frame | None, float]:
        """Wait for a frame the reader's state accepts; while one is arriving, as long as the rest of it takes.

        Returns it and when its first bytes came.
        """
        limit_s = deadline_s + MAX_LENGTH * self._byte_s
        first_s = 0.0
        while (left_s := deadline_s - self._clock.mono_s()) > 0:
            try:
                async with self._clock.timeout(left_s):
                    data = await self._line.read()
            except TimeoutError:
                break
            first_s = first_s or self._line.read_mono_s
            for frame in self._deframer.feed(data):
                if link.accepts(frame):
                    return frame, first_s
                self._overheard(frame)
            if self._deframer.missing:
                rest_s = self._deframer.missing * self._byte_s + _SLACK_S
                deadline_s = min(limit_s, max(deadline_s, self._clock.mono_s() + rest_s))
        return next(filter(link.accepts, self._deframer.flush()), None), first_s
