"""That something holds for a time, proven by looks alone."""

from dataclasses import dataclass, replace

from agent.rules.cameras.base import GRACE_S


@dataclass(frozen=True, slots=True)
class Presence:
    """`proven_s` is the time that looks have proven, `count` how many the last look saw."""

    since_s: float
    seen_s: float
    proven_s: float = 0.0
    raised: bool = False
    count: int = 0

    @property
    def stayed_s(self) -> float:
        return self.seen_s - self.since_s


def look(before: Presence | None, count: int, at_s: float) -> Presence | None:
    """What is known after a look that saw `count` things; None when nothing holds any more."""
    if before is None:
        return Presence(at_s, at_s, count=count) if count else None
    gap_s = max(0.0, at_s - before.seen_s)
    if count:
        seen_s = max(at_s, before.seen_s)
        return replace(before, seen_s=seen_s, proven_s=before.proven_s + min(gap_s, GRACE_S), count=count)
    return None if gap_s > GRACE_S else replace(before, count=0)
