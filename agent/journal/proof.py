"""Proof that 1..N of every lane is confirmed, waiting or declared dropped, and that each entry is what was written.

    released up to R, noted  |  R+1 …   every number is an entry or in a range   … N  |  the lane's cursor
                                chain recomputed over entries; a range brings its
                                digest: the next entry and the tombstone bear it out

Everything is read at one moment, so nothing that the agent does meanwhile can be taken for damage. Memory grows with
the number of dropped ranges alone (a range stands for hundreds of entries).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.events import Kind, Lane
from agent.journal.chain import first_digest, next_digest
from agent.journal.database import DamagedError
from agent.journal.reading import Cursor, Moment, Row, Span, moment
from agent.journal.spool import name_of, named_in
from agent.words import Words

_TYPE = b'{"type":"gatehouse.'


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is not as it must be, and where: `alarm/17`."""

    place: str
    what: Words


@dataclass(frozen=True, slots=True)
class LaneProof:
    """A lane that holds. `unproven` is an entry without known predecessor: of its content nothing can be said."""

    lane: Lane
    last: int
    confirmed: int
    released: int
    waiting: int
    dropped: int
    unproven: int = 0


@dataclass(frozen=True, slots=True)
class Proof:
    """`lanes` are those that hold; of the others the first flaw is named. `pictures` of waiting entries are whole."""

    epoch: str
    lanes: tuple[LaneProof, ...]
    flaws: tuple[Flaw, ...]
    pictures: int


class _FlawError(Exception):
    def __init__(self, place: str, en: str, zh: str) -> None:
        super().__init__(en)
        self.flaw = Flaw(place, Words(en, zh))


def prove(path: Path) -> Proof:
    """Look at everything; the pictures in `media` beside the file too, where that is.

    Raises: DamagedError when the file cannot even be opened, StorageError when it cannot be read.
    """
    with moment(path) as now:
        lanes, flaws = _prove(now)
        waiting = _pictured(now)
    folder = path.parent / "media"
    if not folder.is_dir():
        return Proof(now.epoch, lanes, flaws, 0)
    lost = {sequence: what for sequence, name in waiting.items() if (what := _wrong(folder / name, name)) is not None}
    if lost:
        with moment(path) as later:  # a picture goes when its entry is confirmed or dropped
            still = _pictured(later) if later.epoch == now.epoch else {}
        flaws += tuple(Flaw(f"{Lane.MEDIA}/{sequence}", what) for sequence, what in lost.items() if sequence in still)
    return Proof(now.epoch, lanes, flaws, len(waiting) - len(lost))


def _prove(now: Moment) -> tuple[tuple[LaneProof, ...], tuple[Flaw, ...]]:
    lanes = []
    flaws = [Flaw("SQLite", Words(said, said)) for said in _unsound(now)]
    for lane in Lane:
        try:
            lanes.append(_Walk(now, lane).to_the_end())
        except _FlawError as err:
            flaws.append(err.flaw)
        except DamagedError as err:
            flaws.append(_unreadable(lane.value, err))
    try:
        _check_declarations(now)
    except _FlawError as err:
        flaws.append(err.flaw)
    except DamagedError as err:
        flaws.append(_unreadable("dropped", err))
    return tuple(lanes), tuple(flaws)


def _unsound(now: Moment) -> list[str]:
    try:
        return now.unsound()
    except DamagedError as err:
        return [str(err)]


def _unreadable(place: str, err: DamagedError) -> Flaw:
    return Flaw(place, Words(f"cannot be read: {err}", f"无法读取：{err}"))


# ---------------------------------------------------------------- a lane


class _Walk:
    """Everything up to `place` is proven; `digest` is the chain there, None where nobody knows it."""

    def __init__(self, now: Moment, lane: Lane) -> None:
        self._now = now
        self._lane = lane
        self._cursor = now.cursor(lane)
        self._first_digest = first_digest(now.epoch, lane)
        self._place = 0
        self._digest: bytes | None = self._first_digest
        self._waiting = self._dropped = self._unproven = 0

    def to_the_end(self) -> LaneProof:
        """Raises: _FlawError, DamagedError."""
        lane, cursor = self._lane, self._cursor
        self._check_cursor(cursor, self._now.floor(lane))
        self._begin()
        released = self._place
        for thing in self._now.things(lane, self._place):
            if isinstance(thing, Span):
                self._take_span(thing)
            else:
                self._take_row(thing)
        if self._place < cursor.last:
            raise self._gap(self._place + 1, cursor.last)
        if self._place > cursor.last:
            raise self._flaw(
                cursor.last + 1, f"lies beyond the last number, {cursor.last}", f"超出末条编号 {cursor.last}"
            )
        if self._digest not in (None, cursor.digest):
            raise self._flaw(cursor.last, "the lane's digest is another one", "与通道摘要不符")
        return LaneProof(lane, cursor.last, cursor.confirmed, released, self._waiting, self._dropped, self._unproven)

    def _check_cursor(self, cursor: Cursor, floor: Span | None) -> None:
        last, confirmed = cursor.last, cursor.confirmed
        if not 0 <= confirmed <= last:
            raise self._flaw(confirmed, f"confirmed, though the last is {last}", f"已确认，但末条为 {last}")
        if floor is None:
            return
        if not 0 <= floor.last <= confirmed:
            what = f"released, though confirmed only up to {confirmed}", f"已清除，但只确认到 {confirmed}"
            raise self._flaw(floor.last, *what)
        oldest = self._now.oldest(self._lane)
        if oldest is not None and oldest <= floor.last:
            what = f"is there, though all up to {floor.last} was released", f"仍存在，但到 {floor.last} 为止均已清除"
            raise self._flaw(oldest, *what)
        if floor.last == 0 and floor.digest != self._first_digest:
            raise self._flaw(0, "the chain does not begin with this epoch", "摘要链与本纪元不符")

    def _begin(self) -> None:
        """Where the lane was released; where an older version did not note that, at what there is first."""
        floor, cursor = self._now.floor(self._lane), self._cursor
        if floor is not None:
            self._reach(floor.last, floor.digest)
            return
        first = next((thing[0] for thing in self._now.things(self._lane, 0)), cursor.last + 1)
        place = min(first - 1, cursor.confirmed)
        if place == 0:
            self._reach(0, self._first_digest)
        elif place == cursor.confirmed:
            self._reach(place, cursor.confirmed_digest)
        else:
            self._place, self._digest, self._unproven = place, None, first

    def _take_span(self, span: Span) -> None:
        if span.first > self._place + 1:
            raise self._gap(self._place + 1, span.first - 1)
        if span.last < span.first or span.first <= self._place:
            what = f"dropped up to {span.last}, and overlaps what is before it", f"丢弃到 {span.last}，与前面的内容重叠"
            raise self._flaw(span.first, *what)
        if span.first <= self._cursor.confirmed < span.last:
            what = "confirmed up to the middle of a dropped range", "确认位置落在丢弃区间之内"
            raise self._flaw(self._cursor.confirmed, *what)
        self._dropped += span.last - span.first + 1
        self._reach(span.last, span.digest)

    def _take_row(self, row: Row) -> None:
        if row.sequence > self._place + 1:
            raise self._gap(self._place + 1, row.sequence - 1)
        if row.sequence <= self._place:
            raise self._flaw(row.sequence, "is there, though it was noted as dropped", "仍存在，但已记为丢弃")
        if self._digest is not None and next_digest(self._digest, row.body) != row.digest:
            raise self._flaw(
                row.sequence, "is not what was written: the chain breaks here", "与写入时不符：摘要链在此断开"
            )
        if row.body.startswith(_TYPE) and not row.body.startswith(b'%s%s"' % (_TYPE, row.kind.encode())):
            raise self._flaw(row.sequence, f"is filed as {row.kind}, and says otherwise", "登记类型与内容不符")
        self._waiting += row.sequence > self._cursor.confirmed
        self._reach(row.sequence, row.digest)

    def _reach(self, place: int, digest: bytes) -> None:
        if place == self._cursor.confirmed and digest != self._cursor.confirmed_digest:
            raise self._flaw(place, "was confirmed with another digest", "确认时的摘要与此不同")
        self._place, self._digest = place, digest

    def _gap(self, first: int, last: int) -> _FlawError:
        span = f"{first}–{last}" if last > first else f"{first}"
        return self._flaw(first, f"{span} missing, and not declared", f"缺少 {span}，且未申报丢弃")

    def _flaw(self, sequence: int, en: str, zh: str) -> _FlawError:
        return _FlawError(f"{self._lane}/{sequence}", en, zh)


# ---------------------------------------------------------------- what was dropped, against what the ledger declares


def _check_declarations(now: Moment) -> None:
    """Each range has its tombstone and each tombstone its range, unless confirmed and released since.

    Raises: _FlawError, DamagedError.
    """
    noted = {(lane, span.first): span for lane in Lane for span in now.spans(lane)}
    undeclared = dict(noted)
    for row in now.rows(Lane.LEDGER, kind=Kind.ENTRIES_DROPPED.value):
        name = f"{Lane.LEDGER}/{row.sequence}"
        try:
            data = json.loads(row.body)["data"]
            epoch, lane, count = str(data["epoch"]), Lane(data["lane"]), int(data["count"])
            span = Span(int(data["from"]), int(data["to"]), bytes.fromhex(data["digest"]))
        except (ValueError, KeyError, TypeError):
            raise _FlawError(name, "a declaration that cannot be read", "丢弃申报无法读取") from None
        if epoch != now.epoch:
            continue  # entered again after a renewal: it speaks of the numbers of an epoch that has ended
        found = noted.get((lane, span.first))
        if found == span and count == span.last - span.first + 1:
            undeclared.pop((lane, span.first), None)
            continue
        released = found is None and _is_released(now, lane, span)
        if not released and not (count == 1 and _is_set_aside(now, lane, span)):
            where = f"{lane}/{span.first}–{span.last}"
            what = f"declares {where} dropped, and the file notes otherwise", f"申报丢弃 {where}，与文件记录不符"
            raise _FlawError(name, *what)
    ledger = now.oldest(Lane.LEDGER)
    if undeclared and ledger == 1:  # else its tombstone may be among what was confirmed and released
        (lane, first), span = next(iter(undeclared.items()))
        raise _FlawError(
            f"{lane}/{first}", f"dropped up to {span.last}, and not declared", f"丢弃到 {span.last}，未在台账申报"
        )


def _is_released(now: Moment, lane: Lane, span: Span) -> bool:
    floor = now.floor(lane)
    if floor is not None:
        return span.last <= floor.last
    oldest = now.oldest(lane)
    return span.last <= now.cursor(lane).confirmed and (oldest is None or span.last < oldest)


def _is_set_aside(now: Moment, lane: Lane, span: Span) -> bool:
    """One entry that no broker bears: declared, and kept here, or dropped for room with others since."""
    if span.first != span.last:
        return False
    if any(row.digest == span.digest for row in now.rows(lane, span.first - 1, span.last)):
        return True
    return any(dropped.first <= span.first <= dropped.last != dropped.first for dropped in now.spans(lane))


# ---------------------------------------------------------------- pictures


def _pictured(now: Moment) -> dict[int, str]:
    """The picture each waiting entry of the media lane names."""
    try:
        return dict(_names(now.rows(Lane.MEDIA, after=now.cursor(Lane.MEDIA).confirmed)))
    except DamagedError:
        return {}


def _names(rows: Iterator[Row]) -> Iterator[tuple[int, str]]:
    for row in rows:
        name = named_in(row.body)
        if name is not None:
            yield row.sequence, name


def _wrong(path: Path, name: str) -> Words | None:
    try:
        return None if name_of(path.read_bytes()) == name else Words("its picture is damaged", "图片已损坏")
    except FileNotFoundError:
        return Words("its picture is missing", "图片缺失")
    except OSError as err:
        return Words(f"its picture cannot be read: {err.strerror}", f"图片无法读取：{err.strerror}")
