"""Freshness without a clock: a random word in `status` that an order quotes, and that is worth nothing soon after.

It lives in memory alone, so an order outlives no restart; it turns by monotonic time, so no time server matters.
"""

import hmac
import secrets
from collections.abc import Callable

from drivers.base import Clock

TURN_S = 60.0
"""A word is offered for so long; it is taken for twice as long."""
WORD_BYTES = 16


class Challenges:
    def __init__(self, clock: Clock, word: Callable[[], str] = lambda: secrets.token_urlsafe(WORD_BYTES)) -> None:
        self._clock = clock
        self._make = word
        self._words = (word(), "")
        self._turned_s = clock.mono_s()

    @property
    def word(self) -> str:
        """The one to offer now."""
        self._turn()
        return self._words[0]

    @property
    def turns_in_s(self) -> float:
        self._turn()
        return max(0.0, self._turned_s + TURN_S - self._clock.mono_s())

    def fits(self, word: str) -> bool:
        """It is the last word or the one before."""
        self._turn()
        fits = [hmac.compare_digest(word.encode(), known.encode()) for known in self._words if known]
        return any(fits)

    def _turn(self) -> None:
        age_s = self._clock.mono_s() - self._turned_s
        if age_s >= 2 * TURN_S:
            self._words, self._turned_s = (self._make(), ""), self._clock.mono_s()
        elif age_s >= TURN_S:
            self._words, self._turned_s = (self._make(), self._words[0]), self._turned_s + TURN_S
