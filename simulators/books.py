"""A centre's books: what has arrived of each lane, what is missing, and whether the hash chain holds. Pure.

A gateway may lie: what is kept here grows with what it sends, never with the numbers it names.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields

from agent.contract import LaneReceipt, Rejected
from agent.events import Lane
from simulators.ranges import Ranges

MAX_REJECTED = 100
MARK_BYTES = 8
"""Of each entry's body so much of a hash is kept for ever: enough to tell a repetition from another entry."""
MAX_LEAP = 1_000_000
"""A sequence so far above all that are known is nonsense."""
MAX_SEQUENCE = (1 << 63) - 1
"""The contract knows no higher one."""
MAX_WAITING_BYTES = 64 << 20
"""Of bodies above a gap, whose chain cannot be computed yet. What comes beyond is not taken, and asked for again."""
_BLOCK = 256
"""Entries whose marks stand together."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Sums over lanes.

    `confirmed` entries are complete without a break, `dropped` were declared dropped, `gone` answered as gone,
    `duplicates` arrived again, `gaps` are missing; `broken` counts broken chains, `conflicts` entries of another
    history: with the identity of one we have, and so refused, or whose chain broke in an epoch that has ended since.
    `unknown` were missing when their epoch ended.
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


@dataclass(frozen=True, slots=True)
class _Piece:
    """`first..last` as they came in one message; without bodies they were dropped or are gone.

    `digest` is the chain at `last` as the gateway says, None where nobody says.
    """

    first: int
    last: int
    digest: bytes | None
    bodies: Sequence[bytes] = ()

    @property
    def size(self) -> int:
        return sum(map(len, self.bodies))


class _Marks:
    """One of each entry that is kept, of none where it is empty."""

    def __init__(self) -> None:
        self._blocks: dict[int, bytearray] = {}

    def __getitem__(self, sequence: int) -> bytes:
        block, at = self._blocks.get(sequence // _BLOCK, b""), sequence % _BLOCK * MARK_BYTES
        found = bytes(block[at : at + MARK_BYTES])
        return found if any(found) else b""

    def __setitem__(self, sequence: int, mark: bytes) -> None:
        block = self._blocks.setdefault(sequence // _BLOCK, bytearray(_BLOCK * MARK_BYTES))
        at = sequence % _BLOCK * MARK_BYTES
        block[at : at + MARK_BYTES] = mark


@dataclass(slots=True)
class LaneBook:
    """One lane of one epoch. Everything up to `upto` has arrived, was declared dropped or answered as gone.

    `upto` moves along the hash chain only, so the digest that a receipt quotes stands for all that is below it.
    """

    epoch: str
    lane: Lane
    upto: int = 0
    confirmed: int = 0
    dropped: int = 0
    gone: int = 0
    duplicates: int = 0
    broken: int = 0
    conflicts: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    _digest: bytes | None = None
    _seen: int = 0
    _heard: tuple[int, bytes] = (0, b"")
    _above: Ranges = field(default_factory=Ranges)
    _pieces: dict[int, _Piece] = field(default_factory=dict)
    _waiting_bytes: int = 0
    _marks: _Marks = field(default_factory=_Marks)
    _broke_at: int = -1

    def __post_init__(self) -> None:
        self._digest = hashlib.sha256(f"{self.epoch}/{self.lane}".encode()).digest()

    @property
    def known(self) -> int:
        """The highest sequence that has arrived, or that was last heard of."""
        return max(self._seen, self._heard[0])

    def enter(self, first: int, last: int, digest: bytes, bodies: Sequence[bytes]) -> int:
        """`first..last` have arrived; how many of them are news.

        None is where too much waits above a gap. One whose identity another entry has already, or that does not follow
        from what we have, is a conflict: nothing of the message is taken, and the receipt goes on quoting the digest we
        have.
        Raises: ValueError for what cannot be.
        """
        self._check(first, last)
        if len(bodies) != last - first + 1:
            raise ValueError("numbers do not fit the entries")
        marks = [hashlib.sha256(body).digest()[:MARK_BYTES] for body in bodies]
        others = sum(self._marks[n] not in (b"", mark) for n, mark in enumerate(marks, first))
        if others or (last == self.upto and self._digest not in (None, digest)):
            self.conflicts += max(1, others)
            return 0
        news = self._news(first, last)
        if first > self.upto + 1 and self._waiting_bytes >= MAX_WAITING_BYTES:
            return 0
        self.duplicates += len(bodies) - news
        piece = _Piece(first, last, digest, bodies)
        if not news:
            return 0
        if first <= self.upto + 1 and not self._follows(piece):
            self.broken += 1
            return 0
        for n, mark in enumerate(marks, first):
            self._marks[n] = mark
        self._add(piece)
        return news

    def declare(self, first: int, last: int, digest: bytes) -> None:
        """The gateway says that `first..last` were dropped. Raises: ValueError for what cannot be."""
        self._check(first, last)
        if news := self._news(first, last):
            self.dropped += news
            self._add(_Piece(first, last, digest))

    def forgo(self, first: int, last: int) -> None:
        """The gateway answers that `first..last` are gone."""
        last = min(last, self.known)
        if news := self._news(first, last):
            self.gone += news
            self._add(_Piece(first, last, self._heard[1] if last == self._heard[0] else None))

    def hear_of(self, last: int, digest: bytes) -> bool:
        """The gateway's last entry, with its digest in case it is gone; False when it said a higher one before."""
        fits = last >= self._heard[0]
        self._heard = (last, digest)
        return fits

    def missing(self) -> Iterator[tuple[int, int]]:
        """Ranges up to `known` that have not arrived."""
        return self._above.holes(self.upto + 1, self.known)

    def reject(self, sequence: int, reason: str) -> None:
        self.rejected = [*self.rejected[1 - MAX_REJECTED :], Rejected(sequence=sequence, reason=reason)]

    def receipt(self) -> LaneReceipt | None:
        """None while there is nothing to say, or the chain at `upto` is not known."""
        if self.upto == 0 or self._digest is None:
            return None
        return LaneReceipt(upto=self.upto, digest=self._digest.hex(), rejected=tuple(self.rejected))

    def proof(self, *, ended: bool = False) -> Proof:
        """`ended`: what is missing of an epoch that has ended will not come any more."""
        missing = _count(self.missing())
        return Proof(
            confirmed=self.confirmed,
            dropped=self.dropped,
            duplicates=self.duplicates,
            gaps=0 if ended else missing,
            broken=0 if ended else self.broken,
            gone=self.gone,
            conflicts=self.conflicts + (self.broken if ended else 0),
            unknown=missing if ended else 0,
        )

    # ------------------------------------------------------------ private

    def _check(self, first: int, last: int) -> None:
        if not 1 <= first <= last <= min(self.known + MAX_LEAP, MAX_SEQUENCE) or {type(first), type(last)} != {int}:
            raise ValueError("no range of this lane")

    def _news(self, first: int, last: int) -> int:
        """How many of them have not arrived yet."""
        return _count(self._above.holes(max(first, self.upto + 1), last))

    def _follows(self, piece: _Piece) -> bool:
        """Whether its chain goes on from `upto`; what cannot be computed is believed."""
        if self._digest is None or not piece.bodies:
            return True
        digest = self._digest
        for body in piece.bodies[self.upto + 1 - piece.first :]:
            digest = hashlib.sha256(digest + body).digest()
        return digest == piece.digest

    def _add(self, piece: _Piece) -> None:
        self._above.add(max(piece.first, self.upto + 1), piece.last)
        self._forget(piece.first)
        self._pieces[piece.first] = piece
        self._waiting_bytes += piece.size
        self._seen = max(self._seen, piece.last)
        while (found := self._next()) is not None:
            if not self._follows(found):
                self.broken += 1
                if self._broke_at == self.upto:
                    self._evict(found)
                    return
                self._broke_at = found.last
            taken = found.last - self.upto
            self.confirmed += taken if found.bodies else 0
            self._above.remove(self.upto + 1, found.last)
            self.upto, self._digest = found.last, found.digest
        if not self._above:  # pieces that were cut in two ways may be left
            self._pieces.clear()
            self._waiting_bytes = 0

    def _next(self) -> _Piece | None:
        """The piece that goes on from `upto`; those that bring nothing more are forgotten."""
        found = self._forget(self.upto + 1)
        if found is None and self.upto + 1 in self._above:
            begun = [self._forget(first) for first in [first for first in self._pieces if first <= self.upto]]
            found = max(filter(None, begun), key=lambda piece: piece.last)
        return found

    def _forget(self, first: int) -> _Piece | None:
        """The piece that begins there, no longer kept."""
        found = self._pieces.pop(first, None)
        self._waiting_bytes -= 0 if found is None else found.size
        return found

    def _evict(self, piece: _Piece) -> None:
        """A second piece in a row that does not follow: it belongs to neither history, and is asked for again."""
        self.conflicts += piece.last - self.upto
        self._above.remove(self.upto + 1, piece.last)
        for n in range(self.upto + 1, piece.last + 1):
            self._marks[n] = bytes(MARK_BYTES)


def _count(ranges: Iterable[tuple[int, int]]) -> int:
    return sum(last - first + 1 for first, last in ranges)
