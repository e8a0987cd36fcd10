"""The half-duplex wire: one exchange at a time, with the pause the standard wants before each command."""

from collections.abc import Callable
from typing import TypeAlias

from drivers.base import Clock
from drivers.line import Line, SerialLine
from drivers.osdp.config import OsdpBus
from drivers.osdp.frames import MAX_LENGTH, Deframer, Frame, missing
from drivers.osdp.outage import TIMEOUT_S, light_s
from drivers.osdp.reader import ReaderLink

_FULL_TRIES = 2  # of a command, that wait for the whole time-out
_GAP_BYTES = 2  # the line is idle so long before each command, for converters to notice
_WAY_S = 0.0001  # of that: the least that a reply's way in and a command's way out take, which no timer can keep
_SHORTEST = 8  # bytes of a frame without data
_SECURED = 6  # bytes more of one with a MAC
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
        self._gap_s = _GAP_BYTES * self._byte_s - _WAY_S
        self.light_s = light_s(self._byte_s)
        """For a try at a silent reader that must not cost the others a time-out."""
        self._overheard = overheard
        self._deframer = Deframer()
        self._idle_s = float("-inf")
        self._rest = 0
        """Bytes still to come of the frame that has begun to arrive."""
        self._asked: tuple[ReaderLink, float, float] | None = None
        """Who was sent a command, until when, and how long its reply may take to begin."""

    async def turn(self, link: ReaderLink) -> None:
        """Send what the reader is due, and wait for its reply; later repeats wait for a prompt reader only.

        Raises: LinkError.
        """
        wire = link.outgoing()
        light = link.tries > _FULL_TRIES and link.outage.prompt
        await self.exchange(link, wire, self.light_s if light else TIMEOUT_S)

    async def exchange(self, link: ReaderLink, wire: bytes, wait_s: float = TIMEOUT_S) -> None:
        """Send, and tell the reader's state what came of it. `wait_s` is for the first byte of the reply.

        Raises: LinkError.
        """
        for late in self._deframer.feed(self._line.take()):
            self._overheard(late)
        self._send(link, wire, wait_s)
        await self.finish()

    def poll(self, link: ReaderLink) -> float:
        """Send what the reader is due, and return when its ACK will be there, to be `acknowledged`.

        Raises: LinkError.
        """
        sent_s = self._send(link, link.outgoing(), TIMEOUT_S)
        return sent_s + self._ack_s(link)

    def acknowledged(self) -> bool:
        """Whether an ACK has answered the poll; else `finish` is to wait for whatever comes."""
        assert self._asked is not None
        link, sent_s, _ = self._asked
        if not self._line.take_if(link.acknowledged):
            return False
        self._asked = None
        self._idle_s = max(sent_s, self._line.read_mono_s)
        link.usual.was_there()
        return True

    async def finish(self) -> None:
        """Wait for the reply that is on its way, if one is: nobody may speak into it. Raises: LinkError."""
        if self._asked is None:
            return
        link, sent_s, wait_s = self._asked
        frame = await self._reply(link, sent_s + wait_s, sent_s + self._ack_s(link))
        self._asked = None
        received_s = self._line.read_mono_s
        self._idle_s = max(sent_s, received_s)
        if frame is None:
            link.missed(self._clock.mono_s())
        else:
            took_s = received_s - sent_s - (_SHORTEST + _SECURED * frame.secured + len(frame.data)) * self._byte_s
            link.outage.answered(prompt=took_s < self.light_s)
            if self._line.watched:
                link.usual.took(took_s)
            else:
                link.usual.was_there()
            link.received(frame, received_s)

    def _send(self, link: ReaderLink, wire: bytes, wait_s: float) -> float:
        """Return when its last byte will be out; the line has rested before its first."""
        self._deframer.clear()
        begun_s = max(self._clock.mono_s(), self._idle_s + self._gap_s)
        self._line.write(wire, begun_s)
        sent_s = begun_s + len(wire) * self._byte_s
        self._asked = (link, sent_s, wait_s)
        return sent_s

    def _ack_s(self, link: ReaderLink) -> float:
        """From the end of a command to that of an ACK, as long as this reader usually takes."""
        return link.usual.first_byte_s + (_SHORTEST + _SECURED * link.secured) * self._byte_s

    async def _reply(self, link: ReaderLink, deadline_s: float, look_s: float) -> Frame | None:
        """Wait for a frame the reader's state accepts; while one is arriving, as long as the rest of it takes."""
        limit_s = deadline_s + MAX_LENGTH * self._byte_s
        self._rest = self._deframer.missing
        while (left_s := deadline_s - self._clock.mono_s()) > 0:
            try:
                async with self._clock.timeout(left_s):
                    data = await self._line.read(self._complete, look_s)
            except TimeoutError:
                data = self._line.take()
                if not data:
                    break
            for frame in self._deframer.feed(data):
                if link.accepts(frame):
                    return frame
                self._overheard(frame)
            self._rest = self._deframer.missing
            if self._rest:
                rest_s = self._rest * self._byte_s + _SLACK_S
                deadline_s = min(limit_s, max(deadline_s, self._clock.mono_s() + rest_s))
        return next(filter(link.accepts, self._deframer.flush()), None)

    def _complete(self, arrived: bytearray) -> bool:
        """Whether the frame that is arriving is there; bytes that begin none are looked at, too."""
        return len(arrived) >= self._rest if self._rest else not missing(arrived)
