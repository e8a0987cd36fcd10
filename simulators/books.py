"""A centre's books: what has arrived of each lane, what is missing, and whether the hash chain holds. Pure."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields

from agent.contract import LaneReceipt, Rejected
from agent.events import Lane

MAX_REJECTED = 100
MARK_BYTES = 8
"""Of each entry's body so much of a hash is kept for ever: enough to tell a repetition from another entry."""
MAX_LEAP = 1_000_000
"""A sequence so far above all that are known is nonsense."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Sums over lanes.

    `confirmed` entries are complete without a break, `dropped` were declared dropped, `gone` answered as gone,
    `duplicates` arrived again, `gaps` are missing; `broken` counts broken chains, `conflicts` entries that came with
    the identity of another one and were refused. `unknown` were missing when their epoch ended.
    """

    confirmed: int = 0
    dropped: int = 0
    duplicates: int = 0
    gaps: int = 0
    broken: int = 0
    gone: int = 0
    conflicts: int = 0
    unknown: int = 0

    def __add__(self, other: "Proof") -> "Proof":
        return Proof(*(getattr(self, part.name) + getattr(other, part.name) for part in fields(self)))


@dataclass(slots=True)
class LaneBook:
    """One lane of one epoch. Everything up to `upto` has arrived, was declared dropped or answered as gone."""

    epoch: str
    lane: Lane
    upto: int = 0
    known: int = 0
    """The highest sequence seen or heard of."""
    dropped: int = 0
    gone: int = 0
    duplicates: int = 0
    broken: int = 0
    conflicts: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    _above: set[int] = field(default_factory=set)
    _digests: dict[int, bytes] = field(default_factory=dict)
    _unproven: dict[int, Sequence[bytes]] = field(default_factory=dict)
    _marks: bytearray = field(default_factory=bytearray)
    _heard: tuple[int, bytes] = (0, b"")

    def __post_init__(self) -> None:
        self._digests[0] = hashlib.sha256(f"{self.epoch}/{self.lane}".encode()).digest()

    def enter(self, first: int, last: int, digest: bytes, bodies: Sequence[bytes]) -> int:
        """`first..last` have arrived; how many of them are news.

        One whose identity another entry has already is a conflict: nothing of the message is taken, and the receipt
        goes on quoting the digest we have. Raises: ValueError for what cannot be.
        """
        if len(bodies) != last - first + 1 or not 1 <= first <= last <= self.known + MAX_LEAP:
            raise ValueError("numbers do not fit the entries")
        marks = [hashlib.sha256(body).digest()[:MARK_BYTES] for body in bodies]
        others = sum(self._mark(n) not in (b"", mark) for n, mark in enumerate(marks, first))
        if others or self._digests.get(last, digest) != digest:
            self.conflicts += max(1, others)
            return 0
        news = self._news(first, last)
        self.duplicates += len(bodies) - len(news)
        if news:
            self._keep(first, marks)
            self._unproven[first] = bodies
            self._digests[last] = digest
            self._prove(first)
            self._add(news, last, digest)
        return len(news)

    def declare(self, first: int, last: int, digest: bytes) -> None:
        """The gateway says that `first..last` were dropped."""
        news = self._news(first, last)
        self.dropped += len(news)
        self._add(news, last, digest)

    def forgo(self, first: int, last: int) -> None:
        """The gateway answers that `first..last` are gone."""
        news = self._news(first, min(last, self.known))
        self.gone += len(news)
        self._above.update(news)
        self._advance()

    def hear_of(self, last: int, digest: bytes) -> bool:
        """The gateway's last entry, with its digest in case it is gone; False when it said a higher one before."""
        went_back = last < self._heard[0]
        self.known = max(self.known, last)
        self._heard = (last, digest)
        return not went_back

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
        if digest is None and self._heard[0] == self.upto:
            digest = self._heard[1]
        if self.upto == 0 or digest is None:
            return None
        return LaneReceipt(upto=self.upto, digest=digest.hex(), rejected=tuple(self.rejected))

    def proof(self, *, ended: bool = False) -> Proof:
        """`ended`: what is missing of an epoch that has ended will not come any more."""
        missing = sum(last - first + 1 for first, last in self.missing())
        return Proof(
            confirmed=self.upto - self.gone - self.dropped,
            dropped=self.dropped,
            duplicates=self.duplicates,
            gaps=0 if ended else missing,
            broken=self.broken,
            gone=self.gone,
            conflicts=self.conflicts,
            unknown=missing if ended else 0,
        )

    # ------------------------------------------------------------ private

    def _news(self, first: int, last: int) -> list[int]:
        return [n for n in range(max(first, self.upto + 1), last + 1) if n not in self._above]

    def _mark(self, sequence: int) -> bytes:
        """Empty where the entry is not known."""
        found = bytes(self._marks[(sequence - 1) * MARK_BYTES : sequence * MARK_BYTES])
        return found if any(found) else b""

    def _keep(self, first: int, marks: list[bytes]) -> None:
        start = (first - 1) * MARK_BYTES
        self._marks.extend(bytes(max(0, start - len(self._marks))))
        self._marks[start : start + len(marks) * MARK_BYTES] = b"".join(marks)

    def _add(self, news: list[int], last: int, digest: bytes) -> None:
        self._above.update(news)
        self._digests[last] = digest
        self.known = max(self.known, last)
        self._prove(last + 1)
        self._advance()

    def _prove(self, first: int) -> None:
        """Recompute the chain of the message that begins there, and of those that follow it."""
        while (bodies := self._unproven.get(first)) is not None:
            end = first + len(bodies)
            if not any(n in self._digests for n in range(first - 1, end - 1)):
                return
            del self._unproven[first]
            digest = self._digests.get(first - 1)
            for sequence, body in enumerate(bodies, first):
                computed = None if digest is None else hashlib.sha256(digest + body).digest()
                digest = self._digests.get(sequence, computed)
                self.broken += computed is not None and digest != computed
                if digest is not None:
                    self._digests[sequence] = digest
            first = end

    def _advance(self) -> None:
        before = self.upto
        while self.upto + 1 in self._above:
            self.upto += 1
            self._above.discard(self.upto)
        if self.upto > before:
            for place in range(before - 1, self.upto - 1):
                self._digests.pop(place, None)
            self._unproven = {n: bodies for n, bodies in self._unproven.items() if n + len(bodies) > self.upto}
