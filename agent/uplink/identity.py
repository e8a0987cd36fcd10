"""The gateway's certificate as in force: what is renewed on disk takes its place once it is sound and works."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from agent.blocking import in_thread
from agent.uplink.dial import Cause, LinkDownError, Target
from agent.uplink.papers import Papers, PapersError, Stamp, read, stamp_of
from agent.uplink.receipts import Trouble, TroubleCode
from drivers.base import Clock, GatehouseError

WARN_DAYS: Final = (0, 1, 7, 30)
"""Told when no more than so many days are left."""
REFUSED_AGAIN_S: Final = 3600.0
"""A certificate that the broker refused is tried again so much later, unless the files change."""
_REFUSALS: Final = frozenset({Cause.DENIED, Cause.CONFIGURED, Cause.CLOSED})


class Identity:
    """`look` reads the disk, in a thread; dialling uses what is in memory.

    Files that are wrong, half written or refused by the broker change nothing: the old ones stay in force, and the
    reason is told, of files once they have been so for two looks.
    """

    def __init__(self, target: Target, clock: Clock, on_trouble: Callable[[Trouble], None]) -> None:
        self._target = target
        self._clock = clock
        self._on_trouble = on_trouble
        self._in_force: Papers | None = None
        self._renewed: Papers | None = None
        self._seen: Stamp = ()
        self._refused: Stamp = ()
        self._refused_mono_s = -math.inf
        self._wrong: GatehouseError | None = None
        self._refusal: GatehouseError | None = None
        self._told = ""

    @property
    def renewed(self) -> bool:
        """Whether there are sound papers that no link has used yet."""
        return self._renewed is not None and self._in_force is not None

    @property
    def papers(self) -> Papers | None:
        """What to dial with."""
        return self._renewed or self._in_force

    async def look(self) -> None:
        """Raises: PapersError when there is nothing to dial with."""
        now = self._clock.utc()
        stamp, found = await in_thread("uplink-papers", lambda: self._look(now))
        stood, self._seen = stamp == self._seen, stamp
        if isinstance(found, PapersError):
            if self.papers is None:
                raise found
            self._wrong = found if stood else self._wrong
        else:
            self._wrong = None
            self._renewed = found or self._renewed
        self._tell(now)

    def used(self, papers: Papers) -> None:
        """A link is up with them."""
        if papers is self._renewed:
            self._in_force, self._renewed, self._refusal = papers, None, None
            self._tell(self._clock.utc())

    def gave_way(self, papers: Papers, error: LinkDownError) -> bool:
        """No link with them: renewed ones that are refused give way to those before them, if there are any."""
        if papers is not self._renewed or self._in_force is None or error.cause not in _REFUSALS:
            return False
        self._renewed, self._refused, self._refused_mono_s = None, papers.stamp, self._clock.mono_s()
        reason = f"the broker refuses the new certificate, the old one is used: {error.reason}"
        self._refusal = GatehouseError(reason, hint="have the centre check that the broker knows who signed it")
        self._tell(self._clock.utc())
        return True

    def _look(self, now: datetime | None) -> tuple[Stamp, Papers | PapersError | None]:
        """In the thread. None when there is nothing new."""
        stamp, known = stamp_of(self._target), self.papers
        resting = self._clock.mono_s() - self._refused_mono_s < REFUSED_AGAIN_S
        if (known is not None and stamp == known.stamp) or (stamp == self._refused and resting):
            return stamp, None
        try:
            return stamp, read(self._target, now)
        except PapersError as error:
            return stamp, error

    def _tell(self, now: datetime | None) -> None:
        """What is wrong, once each; and when all is well again."""
        trouble = self._wrong or self._refusal or self._ending(now)
        said = "" if trouble is None else str(trouble)
        if said == self._told:
            return
        self._told = said
        if trouble is None:
            self._on_trouble(Trouble(TroubleCode.CERTIFICATE_WELL, "the gateway's certificate is good"))
        else:
            self._on_trouble(Trouble(TroubleCode.CERTIFICATE, said, hint=trouble.hint))

    def _ending(self, now: datetime | None) -> GatehouseError | None:
        ends = None if self._in_force is None else self._in_force.ends
        if ends is None or now is None:
            return None
        left = next((days for days in WARN_DAYS if ends - now <= timedelta(days=days)), None)
        if left is None:
            return None
        soon = f"ends on {ends:%Y-%m-%d}, within {left} days" if left else f"has ended on {ends:%Y-%m-%d}"
        return GatehouseError(f"the gateway's certificate {soon}", hint="ask the centre for a new one")
