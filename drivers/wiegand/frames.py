"""From edges on two lines to bursts of bits. Pure: time is the edges' own stamps and what is passed in.

A burst ends by silence (`gap_s`), or sooner once it has as many bits as the longest declared format and nothing has
followed for two of its own intervals: so no burst is ever cut short, a 34-bit card is never taken for 26 bits. Bits
are not trusted to be in order when they come closer together than any reader sends them, or when the kernel has lost
some.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

MAX_BITS = 256
"""Longer than any card; what follows is only counted."""
MIN_INTERVAL_S = 100e-6
"""Readers keep at least 200 µs between pulses; closer edges are noise, or were stamped too late."""
MAX_SETTLE_S = 0.006
"""The longest wait for one bit more: a slow reader's burst ends by silence."""
_INTERVALS = 2.0


class Spoilt(StrEnum):
    LOST = "pulses were lost"
    NOISE = "pulses too close together"
    LONG = "more bits than any card has"
    LATE = "more bits after the frame was complete"


@dataclass(frozen=True, slots=True)
class Burst:
    """`mono_s` is the stamp of the last bit. Number and length mean nothing when it is spoilt."""

    bits: int
    number: int
    mono_s: float
    spoilt: Spoilt | None = None

    def __repr__(self) -> str:
        return f"Burst({self.bits} bits, {self.spoilt or 'masked'})"


class Assembler:
    """Takes the bits of one reader; `lengths` are those of its declared formats."""

    def __init__(self, lengths: Iterable[int], gap_s: float) -> None:
        self._complete = max(lengths)
        self._gap_s = gap_s
        self._bits = self._number = 0
        self._spoilt: Spoilt | None = None
        self._last_s: float | None = None
        """Stamp of the last edge of this burst, or of the one that was complete."""
        self._longest_s = 0.0

    @property
    def due_s(self) -> float | None:
        """When the burst under way will have ended if nothing follows; None at rest."""
        if self._last_s is None or not self._bits:
            return None
        settle_s = _INTERVALS * self._longest_s
        if self._bits == self._complete and not self._spoilt and settle_s <= min(MAX_SETTLE_S, self._gap_s):
            return self._last_s + settle_s
        return self._last_s + self._gap_s

    def bit(self, value: int, mono_s: float, *, after_gap: bool = False) -> Burst | None:
        """Take an edge; returns the burst before it if it had ended by then."""
        ended = self.expire(mono_s)
        if self._last_s is not None:
            interval_s = mono_s - self._last_s
            if interval_s < MIN_INTERVAL_S:
                self._spoil(Spoilt.NOISE)
            elif interval_s < self._gap_s:
                if not self._bits:
                    self._spoil(Spoilt.LATE)
                self._longest_s = max(self._longest_s, interval_s)
        if after_gap:
            self._spoil(Spoilt.LOST)
        if self._bits < MAX_BITS:
            self._number = self._number << 1 | value
            self._bits += 1
        else:
            self._spoil(Spoilt.LONG)
        self._last_s = mono_s if self._last_s is None else max(self._last_s, mono_s)
        return ended

    def expire(self, now_s: float) -> Burst | None:
        """Return the burst if it has ended by now."""
        due_s = self.due_s
        if due_s is None or now_s < due_s:
            return None
        assert self._last_s is not None
        ended = Burst(self._bits, self._number, self._last_s, self._spoilt)
        self._bits = self._number = 0
        self._longest_s, self._spoilt = 0.0, None
        return ended

    def _spoil(self, how: Spoilt) -> None:
        self._spoilt = self._spoilt or how
