"""A centre's books: what has arrived of each lane, what is missing, and whether the hash chain holds. Pure."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from agent.contract import LaneReceipt, Rejected
from agent.events import Lane

MAX_REJECTED = 100


@dataclass(frozen=True, slots=True)
class Proof:
    """Sums over lanes: entries complete without a break, declared dropped, arrived again, missing, chains broken."""

    confirmed: int = 0
    dropped: int = 0
    duplicates: int = 0
    gaps: int = 0
    broken: int = 0

    def __add__(self, other: "Proof") -> "Proof":
        return Proof(
            self.confirmed + other.confirmed,
            self.dropped + other.dropped,
            self.duplicates + other.duplicates,
            self.gaps + other.gaps,
            self.broken + other.broken,
        )


@dataclass(slots=True)
class LaneBook:
    """One lane of one epoch. everything up to `upto` has arrived or was declared dropped."""

    epoch: str
    lane: Lane
    upto: int = 0
    known: int = 0
    """The highest sequence seen or heard of."""
    dropped: int = 0
    duplicates: int = 0
    broken: int = 0
    before: int = 0
    """Entries below the first that the gateway still has: confirmed to an earlier centre."""
    rejected: list[Rejected] = field(default_factory=list)
    _above: set[int] = field(default_factory=set)
    _digests: dict[int, bytes] = field(default_factory=dict)
    _unproven: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._digests[0] = hashlib.sha256(f"{self.epoch}/{self.lane}".encode()).digest()

    def enter(self, first: int, last: int, digest: bytes, body: bytes | None) -> int:
        """`first..last` have arrived; how many of them are news. The chain is proven over `body` where there is one."""
        news = [n for n in range(first, last + 1) if n > self.upto and n not in self._above]
        self.duplicates += last - first + 1 - len(news)
        if not news:
            self.broken += self._digests.get(last, digest) != digest
            return 0
        self._add(news, last, digest)
        if body is not None:
            self._unproven[last] = body
        self._prove(last)
        self._prove(last + 1)
        self._advance()
        return len(news)

    def declare(self, first: int, last: int, digest: bytes) -> None:
        """The gateway says that `first..last` are gone."""
        news = [n for n in range(first, last + 1) if n > self.upto and n not in self._above]
        self.dropped += len(news)
        self._add(news, last, digest)
        self._prove(last + 1)
        self._advance()

    def begin(self, oldest: int) -> None:
        """Everything below `oldest` was confirmed to an earlier centre and is not there any more."""
        if oldest - 1 > self.upto:
            self.before += oldest - 1 - self.upto
            self.upto = oldest - 1
            self._above = {n for n in self._above if n > self.upto}
            self._digests = {n: digest for n, digest in self._digests.items() if n > self.upto}
            self._advance()

    def hear_of(self, last: int) -> None:
        self.known = max(self.known, last)

    def missing(self) -> Iterator[tuple[int, int]]:
        """Ranges up to `known` that have not arrived."""
        first = self.upto + 1
        for there in sorted(self._above):
            if there > first:
                yield first, there - 1
            first = there + 1
        if first <= self.known:
            yield first, self.known

    def reject(self, sequence: int, reason: str) -> None:
        self.rejected = [*self.rejected[1 - MAX_REJECTED :], Rejected(sequence=sequence, reason=reason)]

    def receipt(self) -> LaneReceipt | None:
        """None while there is nothing to say, or the chain at `upto` is not known."""
        digest = self._digests.get(self.upto)
        if self.upto == self.before or digest is None:
            return None
        return LaneReceipt(upto=self.upto, digest=digest.hex(), rejected=tuple(self.rejected))

    def proof(self) -> Proof:
        gaps = sum(last - first + 1 for first, last in self.missing())
        return Proof(self.upto - self.before - self.dropped, self.dropped, self.duplicates, gaps, self.broken)

    def _add(self, news: list[int], last: int, digest: bytes) -> None:
        self._above.update(news)
        self._digests[last] = digest
        self.known = max(self.known, last)

    def _prove(self, sequence: int) -> None:
        """As soon as an entry and the chain before it are both known."""
        before, after = self._digests.get(sequence - 1), self._digests.get(sequence)
        if before is None or after is None or sequence not in self._unproven:
            return
        body = self._unproven.pop(sequence)
        self.broken += hashlib.sha256(before + body).digest() != after

    def _advance(self) -> None:
        while self.upto + 1 in self._above:
            self.upto += 1
            self._above.discard(self.upto)
        self._digests = {n: digest for n, digest in self._digests.items() if n >= self.upto - 1}
        self._unproven = {n: body for n, body in self._unproven.items() if n > self.upto}
