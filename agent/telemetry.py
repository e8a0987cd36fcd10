"""Which readings are worth keeping: numbers at most every so often, everything else on each change."""

from dataclasses import dataclass, field

from drivers.base import Card, Keys, PointRef, Quality, Reading, Value

COMMIT_EVERY_S = 5.0
"""Readings wait so long for a commit that they share: an SD card must last. A power cut takes no more of them."""


@dataclass(slots=True)
class Thinning:
    """Says of each reading, in order, whether it is kept. Cards and keys are no telemetry and never are."""

    every_s: float
    _kept: dict[PointRef, tuple[Value, Quality, float]] = field(default_factory=dict, init=False)

    def keep(self, reading: Reading) -> bool:
        if isinstance(reading.value, (Card, Keys)):
            return False
        last = self._kept.get(reading.ref)
        if last is not None and not self._says_more(reading, *last):
            return False
        self._kept[reading.ref] = (reading.value, reading.quality, reading.mono_s)
        return True

    def _says_more(self, reading: Reading, value: Value, quality: Quality, kept_s: float) -> bool:
        if reading.quality is not quality:
            return True
        if isinstance(reading.value, (bool, str)):
            return reading.value != value
        return reading.mono_s - kept_s >= self.every_s
