"""When to try again, with which version of MQTT, and which message the broker cannot bear. Pure: time is passed in."""

import random
from collections import Counter
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from agent.events import Lane
from agent.settings import Protocol
from agent.uplink.dial import Cause
from drivers.base import Backoff

FIRST_MINUTE_S: Final = 60.0
SOON_CEILING_S: Final = 4.0
LATE_CEILING_S: Final = 60.0
FIRST_S: Final = 0.25
RETRY_MQTT5_S: Final = 24 * 3600.0
RETURN_S: Final = 300.0
"""On another broker, the preferred one is looked for so often."""
RETURN_CEILING_S: Final = 3600.0
CLOSES_BEFORE_DOWNGRADE: Final = 2
STRIKES: Final = 2

Jitter: TypeAlias = Callable[[float, float], float]


class Reconnect:
    """Full jitter under a doubling ceiling: 4 s in the first minute after the loss, then 60 s.

    What only a human can cure waits 30 to 60 s at once.
    """

    def __init__(self, jitter: Jitter = random.uniform) -> None:
        self._jitter = jitter
        self._lost_mono_s: float | None = None
        self._ceiling_s = 0.0

    def next_s(self, now: float, *, slow: bool) -> float:
        if self._lost_mono_s is None:
            self._lost_mono_s = now
        if slow:
            return self._jitter(LATE_CEILING_S / 2, LATE_CEILING_S)
        most = SOON_CEILING_S if now - self._lost_mono_s < FIRST_MINUTE_S else LATE_CEILING_S
        self._ceiling_s = min(most, self._ceiling_s * 2 or FIRST_S)
        return self._jitter(0.0, self._ceiling_s)

    def proven(self) -> None:
        """The broker has acknowledged something: the next loss starts afresh."""
        self._lost_mono_s = None
        self._ceiling_s = 0.0


class Versions:
    """MQTT 5 first; 3.1.1 after the broker refused 5 or twice closed right after CONNECT; 5 again a day later."""

    def __init__(self, wanted: Protocol) -> None:
        self._auto = wanted is Protocol.AUTO
        self._now: Protocol = Protocol.MQTT5 if self._auto else wanted
        self._retry_mono_s = 0.0
        self._closes = 0

    def choose(self, now: float) -> Protocol:
        if self.due(now):
            self._now, self._closes = Protocol.MQTT5, 0
        return self._now

    def due(self, now: float) -> bool:
        """Whether it is time to leave 3.1.1 and try 5 again."""
        return self._auto and self._now is Protocol.MQTT311 and now >= self._retry_mono_s

    def failed(self, cause: Cause, now: float) -> None:
        """The connection did not come up."""
        if not self._auto:
            return
        if cause is Cause.CLOSED:
            self._closes += 1
        else:
            self._closes = 0
        if cause is Cause.VERSION or self._closes >= CLOSES_BEFORE_DOWNGRADE:
            self._closes = 0
            self._now = Protocol.MQTT311 if self._now is Protocol.MQTT5 else Protocol.MQTT5
            self._retry_mono_s = now + RETRY_MQTT5_S

    def succeeded(self) -> None:
        self._closes = 0


class Brokers:
    """Which of `count` brokers to dial, in order of preference, and when to look whether the first is back.

    Every failure leads to the next; a link that has proven itself and is lost, to the first. Whoever has gone back to
    the first and lost it before it was proven waits twice as long before going back again.
    """

    def __init__(self, count: int) -> None:
        self.at = 0
        self._count = count
        self._wait_s = RETURN_S
        self._return_mono_s = 0.0
        self._proven = self._returned = False

    def up(self, now: float) -> None:
        self._proven = False
        self._return_mono_s = now + self._wait_s

    def proven(self) -> None:
        self._proven = True
        if self.at == 0:
            self._wait_s = RETURN_S

    def failed(self) -> None:
        """Not reached, or lost."""
        if self.at == 0 and not self._proven and self._returned:
            self._wait_s = min(self._wait_s * 2, RETURN_CEILING_S)
        self._returned = False
        self.at = 0 if self._proven else (self.at + 1) % self._count
        self._proven = False

    def due(self, now: float) -> bool:
        """Whether to see if the preferred one is there."""
        return self.at != 0 and now >= self._return_mono_s

    def away(self, now: float) -> None:
        """It was not."""
        self._return_mono_s = now + self._wait_s

    def back(self) -> None:
        """It is there: dial it next."""
        self.at, self._returned, self._proven = 0, True, False


Mark: TypeAlias = tuple[Lane, int]
"""A message by its lane and first sequence."""


PACKET_IDENTIFIER_IN_USE: Final = 0x91
OF_THE_MESSAGE: Final = frozenset({0x83, 0x90, 0x95, 0x99})
"""Reason codes of MQTT 5 that speak of one message: implementation specific error, topic name invalid, packet too
large, payload format invalid. Others (not authorized, quota exceeded) speak of a right or a time."""
DENIED_STRIKES: Final = 6
"""A message denied so often, over about two minutes, while others of its lane pass, is what is wrong."""
DENIED_FIRST_S: Final = 5.0
DENIED_CEILING_S: Final = 60.0


@dataclass(slots=True)
class _Refusing:
    """Of one lane: how often each message was refused, and whether others have passed meanwhile."""

    backoff: Backoff
    strikes: Counter[int] = field(default_factory=Counter)
    passed: bool = False


class Refusals:
    """What to do with a PUBACK that says no: let the lane rest and try again, or set the message aside."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, _Refusing] = {}

    def __bool__(self) -> bool:
        return bool(self._lanes)

    def __contains__(self, lane: Lane) -> bool:
        return lane in self._lanes

    def refused(self, mark: Mark, code: int, now: float) -> float | None:
        """Until when the lane rests before it is sent again from there; None: the message is to be set aside."""
        if code == PACKET_IDENTIFIER_IN_USE:
            return now
        lane, first = mark
        refusing = self._lanes.setdefault(lane, _Refusing(Backoff(DENIED_FIRST_S, DENIED_CEILING_S)))
        refusing.strikes[first] += 1
        strikes = refusing.strikes[first]
        if (code in OF_THE_MESSAGE and strikes >= STRIKES) or (refusing.passed and strikes >= DENIED_STRIKES):
            self.accepted(lane, first, first)
            return None
        return now + refusing.backoff.next_s()

    def accepted(self, lane: Lane, first: int, last: int) -> None:
        """The lane is well when everything that was refused has been accepted or set aside."""
        refusing = self._lanes.get(lane)
        if refusing is None:
            return
        refusing.passed = True
        for refused in [refused for refused in refusing.strikes if first <= refused <= last]:
            del refusing.strikes[refused]
        if not refusing.strikes:
            del self._lanes[lane]

    def begin_anew(self) -> None:
        """Another epoch: the numbers mean other messages now."""
        self._lanes.clear()


@dataclass(slots=True)
class Suspects:
    """Finds the message that makes the broker close the connection.

    After two closes in a row, in which the same messages were in flight, messages are sent one at a time
    (`careful`); one that is alone in flight when the broker closes twice is to be set aside. A broker that says that it
    closes for a message (`accused`) needs to close but once for each of the two.
    """

    careful: bool = False
    aside: set[Mark] = field(default_factory=set)
    _suspected: frozenset[Mark] = frozenset()
    _strikes: dict[Mark, int] = field(default_factory=dict)

    def begin_anew(self) -> None:
        """Another epoch: the marks mean other messages now."""
        self.aside.clear()
        self._strikes.clear()
        self._suspected, self.careful = frozenset(), False

    def acknowledged(self, mark: Mark) -> None:
        if self._suspected:
            self._suspected -= {mark}
            self._strikes.pop(mark, None)
            self.careful = self.careful and bool(self._suspected)

    def closed(self, in_flight: AbstractSet[Mark], *, prompt: bool, accused: bool = False) -> Mark | None:
        """The connection was closed; the message to set aside, if it is found.

        `prompt`: soon after the last message was sent. A close long after says nothing about a message.
        """
        if not in_flight or not (prompt or accused):
            return None
        if (self.careful or accused) and len(in_flight) == 1:
            (mark,) = in_flight
            self._strikes[mark] = self._strikes.get(mark, 0) + 1
            if accused or self._strikes[mark] >= STRIKES:
                self.acknowledged(mark)
                return mark
            return None
        again = self._suspected & in_flight
        self._suspected = frozenset(in_flight)
        self.careful = self.careful or accused or bool(again)
        return None
