"""Mutated pulse trains for the Wiegand decoder; the bench runs a million, the tests some."""

import random
from contextlib import suppress

from drivers.base import Card, FrameError, Keys
from drivers.wiegand.config import FormatName
from drivers.wiegand.formats import FORMATS, read
from drivers.wiegand.frames import MAX_BITS, Assembler, Burst

FORMATS_DECLARED = (FormatName.WIEGAND_26, FormatName.KEYS_4)
GAP_S = 0.03
_GOOD = Card(26, 0b1_10111100_0110000101001110_0)
_LENGTHS = tuple(form.bits for form in FORMATS.values())
_INTERVALS = (0.0, 20e-6, 0.0002, 0.001, 0.0015, 0.002, 0.005, 0.019, 0.029, 0.031, -0.01)


def fuzz(count: int, source: random.Random) -> int:
    """Feed so many mutated trains, each followed by silence and a good card; returns how many.

    Raises: AssertionError when the good card is not read or the burst grows, and whatever the decoder lets escape.
    """
    reader, now_s = _Reader(), 0.0
    for _ in range(count):
        now_s = reader.train(mutate(source), now_s + GAP_S * 2, source)
        reader.end(now_s + GAP_S * 2)
        now_s = reader.good(now_s + GAP_S * 4)
        assert reader.assembler._number.bit_length() <= MAX_BITS
    return count


def mutate(source: random.Random) -> list[tuple[int, float]]:
    """Bits with the intervals before them: a frame of some format, disturbed here and there."""
    length = source.choice((*_LENGTHS, source.randrange(1, 60)))
    if source.random() < 0.01:
        length = source.randrange(200, 600)
    pace, bits = source.choice(_INTERVALS[2:7]), source.getrandbits(length)
    train = [(bits >> place & 1, pace) for place in range(length)]
    for _ in range(source.randrange(3)):
        at = source.randrange(length)
        train[at] = (source.getrandbits(1), source.choice(_INTERVALS))
    return train


class _Reader:
    """The decoder as the device feeds it; what comes out must be a card, keys or a refusal."""

    def __init__(self) -> None:
        self.assembler = Assembler([FORMATS[name].bits for name in FORMATS_DECLARED], GAP_S)

    def train(self, train: list[tuple[int, float]], now_s: float, source: random.Random) -> float:
        for bit, interval_s in train:
            now_s += interval_s
            if source.random() < 0.1:
                self._take(self.assembler.expire(now_s))
            self._take(self.assembler.bit(bit, now_s, after_gap=source.random() < 0.002))
        return now_s

    def end(self, now_s: float) -> None:
        self._take(self.assembler.expire(now_s))
        assert self.assembler.due_s is None, "a burst did not end"

    def good(self, now_s: float) -> float:
        for place in reversed(range(_GOOD.bits)):
            assert self.assembler.bit(_GOOD.number >> place & 1, now_s) is None
            now_s += 0.0015
        burst = self.assembler.expire(now_s + 0.003)
        assert burst is not None, "a good card was not read"
        assert self._take(burst) == _GOOD, "a good card was read wrongly"
        return now_s

    def _take(self, burst: Burst | None) -> Card | Keys | None:
        if burst is None or burst.spoilt is not None:
            return None
        with suppress(FrameError):
            return read("reader", burst.bits, burst.number, FORMATS_DECLARED)
        return None
