"""Whether a reader is the one it should be: which key it proves, who it says it is, how often it has failed."""

import logging
from collections.abc import Callable, Sequence

from drivers.base import DeviceId
from drivers.osdp.messages import Identity
from drivers.osdp.points import Points
from drivers.osdp.secure import SCBK_D

AUTH_FAILURES = 3
"""Failed authentications in a row, each with every key there is, after which it is an alarm."""

_log = logging.getLogger(__name__)


class Trust:
    """Keys of one reader, newest first, and the readings `default-key`, `identity-changed`, `auth-failed`.

    `pinned` is the identity the settings demand; without one, the first identity of this run is learned.
    """

    def __init__(self, reader: DeviceId, pinned: str | None, points: Points) -> None:
        self.identity: Identity | None = None
        self._reader = reader
        self._expected = pinned
        self._points = points
        self._keys: tuple[bytes, ...] = ()
        self._at = 0
        self._failures = 0
        self._proved: Callable[[bytes], None] = lambda _: None

    def use(self, keys: Sequence[bytes], proved: Callable[[bytes], None]) -> None:
        """Try these from now on, the first one first; `proved` is told the key at each proof."""
        self._keys, self._at, self._proved = tuple(keys), 0, proved

    def prefer(self, key: bytes) -> None:
        """Try this one first from now on, and the others after it."""
        self._keys, self._at = (key, *(other for other in self._keys if other != key)), 0

    @property
    def key(self) -> bytes | None:
        """The key to try now; None where there is no secure channel."""
        return self._keys[self._at] if self._keys else None

    @property
    def failures(self) -> int:
        return self._failures

    def identified(self, identity: Identity, now: float) -> None:
        if identity != self.identity:
            _log.info("%s: is %s", self._reader, identity)
        self.identity = identity
        if self._expected is None:
            self._expected = identity.pin
        changed = identity.pin != self._expected
        if changed:
            _log.warning("%s: is %s and was to be %s", self._reader, identity.pin, self._expected)
        self._points.fact("identity-changed", changed, now)

    def forget_identity(self) -> None:
        """Whoever wants to know it waits for the next answer."""
        self.identity = None

    def proved(self, now: float) -> None:
        """Both sides hold `key`."""
        key = self._keys[self._at]
        self._keys = (key, *(other for other in self._keys if other != key))
        self._at = self._failures = 0
        self._points.fact("auth-failed", value=False, now=now)
        self._points.fact("default-key", key == SCBK_D, now)
        self._proved(key)

    def failed(self, now: float) -> bool:
        """The key in use is not the reader's; return whether another one is left to try at once."""
        self._at += 1
        if self._at < len(self._keys):
            return True
        self._at = 0
        self.refused(now)
        return False

    def refused(self, now: float) -> None:
        """It refused a proof, or failed it with every key."""
        self._failures += 1
        if self._failures >= AUTH_FAILURES:
            self._points.fact("auth-failed", value=True, now=now)

    def uses_default_key(self, now: float) -> None:
        self._points.fact("default-key", value=True, now=now)
