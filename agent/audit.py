"""An append-only record of who did what: signed commands, looks at pictures.

A file of lines, each one JSON object that ends with the hash chain:

    {"n":1,"at":"2026-03-01T08:00:00.000Z","uptime":"1000.000","who":"…","what":"…","facts":{…},"chain":"<hex>"}

`chain` is the SHA-256 of the line before's chain (zeros before the first) and of this line up to `,"chain"`. Who may
write the file can write all of it anew; so its head is told to the centre (`Anchor`), which keeps it, and what was
told is looked for again at every later look.

Blocking: in the loop it is called by `agent.blocking.in_thread`. Processes exclude each other by a lock on the file.
"""

import fcntl
import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeAlias

from agent.blocking import in_thread
from agent.contract import rfc3339
from agent.events import Event, JsonValue, Kind
from agent.files import sync_folder, write_all
from drivers.base import Clock, GatehouseError
from drivers.ownership import make_folder, own_as_folder

AUDIT_FILE: Final = "audit.log"
"""In the storage folder."""
LINE_BYTES: Final = 4096
"""A record is never longer: the end of the file is read with as much."""
LOOK_S: Final = 10.0
"""How often `Anchor` looks whether there is more."""
WHOLE_S: Final = 86_400.0
"""How often it proves the whole file anew: 200,000 records take a second on an x86 server, several on a small board."""

_CHAIN: Final = b',"chain":"'
_ZERO: Final = "0" * 64


class AuditError(GatehouseError):
    """The record cannot be written, or is not what was written."""


@dataclass(frozen=True, slots=True)
class Head:
    """How many records there are, and the chain after the last."""

    count: int = 0
    chain: str = _ZERO


Place: TypeAlias = tuple[Head, int]
"""A head, and where its record ends in the file."""


@dataclass(frozen=True, slots=True)
class Record:
    """`at` is RFC 3339, empty while the clock was not trusted; `uptime` is of the boot it was written in."""

    number: int
    at: str
    uptime: str
    who: str
    what: str
    facts: Mapping[str, JsonValue]


class AuditLog:
    """The record at `path`, made with the first entry, mode 0600."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock

    def append(self, who: str, what: str, **facts: JsonValue) -> Head:
        """On disk on return; what was to be recorded may be done only then.

        Raises: AuditError, and nothing is recorded; ValueError for a record longer than LINE_BYTES.
        """
        with self._locked() as file:
            last, end = self._last(file, os.fstat(file).st_size)
            at = self._clock.utc()
            line = _dumps({
                "n": last.count + 1,
                "at": "" if at is None else rfc3339(at),
                "uptime": f"{self._clock.mono_s():.3f}",
                "who": who,
                "what": what,
                "facts": facts,
            })[:-1]  # fmt: skip
            chain = _link(last.chain, line)
            whole = line + _CHAIN + chain.encode() + b'"}\n'
            if len(whole) > LINE_BYTES:
                raise ValueError(f"a record of {len(whole)} bytes is longer than {LINE_BYTES}")
            os.ftruncate(file, end)  # a line that a power cut left half, which nobody was promised
            write_all(file, whole)
            os.fsync(file)
            return Head(last.count + 1, chain)

    def verify(self, known: Head | None = None) -> Head:
        """Prove the whole chain, and that `known` is a part of it. Raises: AuditError."""
        return self.prove(known)[0]

    def prove(self, known: Head | None = None) -> Place:
        """The same, and where the last record ends. Raises: AuditError."""
        place, found = (Head(), 0), known is None or known == Head()
        for place in self._proven(Head(), 0):
            found = found or place[0] == known
        if not found:
            assert known is not None
            raise self._lost(known)
        return place

    def prove_on(self, known: Head, end: int) -> Place:
        """Prove what was written after `known`, which must still end at byte `end`. Raises: AuditError."""
        try:
            with self.path.open("rb") as file:
                there = self._last(file.fileno(), end)
        except FileNotFoundError:
            there = Head(), 0
        except OSError as err:
            raise AuditError(f"{self.path}: {err.strerror}", hint="check the disk") from err
        if there != (known, end):
            raise self._lost(known)
        *_, last = there, *self._proven(known, end)
        return last

    def records(self) -> Iterator[Record]:
        """The oldest first. Raises: AuditError at a line that is none."""
        for number, line in enumerate(self._lines(), start=1):
            try:
                said = json.loads(line)
                yield Record(said["n"], said["at"], said["uptime"], said["who"], said["what"], said["facts"])
            except (ValueError, KeyError, TypeError) as err:
                raise self._damaged(f"line {number} is no record") from err

    def lines(self, first: int, last: int) -> Iterator[str]:
        """Records `first` to `last` as they stand there, so that whoever gets them can compute the chain again.

        Raises: AuditError.
        """
        for line in islice(self._lines(), first - 1, last):
            yield line.decode(errors="replace")

    # ------------------------------------------------------------ the file

    @contextmanager
    def _locked(self) -> Iterator[int]:
        try:
            make_folder(self.path.parent)
            new = not self.path.exists()
            file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                if new:
                    own_as_folder(file, self.path.parent)
                    sync_folder(self.path.parent)
                fcntl.flock(file, fcntl.LOCK_EX)
                yield file
            finally:
                os.close(file)
        except OSError as err:
            hint = f"see that {self.path} belongs to the user gatehouse and that its disk has room"
            raise AuditError(f"{self.path}: nothing can be recorded: {err.strerror}", hint=hint) from err

    def _last(self, file: int, size: int) -> Place:
        """The head within `size` bytes, and where its line ends: what follows it is no whole line."""
        start = max(0, size - 2 * LINE_BYTES)
        tail = os.pread(file, size - start, start)
        whole = tail.rfind(b"\n") + 1
        if not whole:
            if size > LINE_BYTES:
                raise self._damaged("it does not end with a record")
            return Head(), 0
        line = tail[tail.rfind(b"\n", 0, whole - 1) + 1 : whole - 1]
        body, _, chain = line.partition(_CHAIN)
        number = _number(body)
        if number is None or not re.fullmatch(rb'[0-9a-f]{64}"}', chain):
            raise self._damaged("it does not end with a record")
        return Head(number, chain[:-2].decode()), start + whole

    def _proven(self, head: Head, end: int) -> Iterator[Place]:
        """Each record after `head`, which ends at byte `end`."""
        for line in self._lines(end):
            body, _, chain = line.partition(_CHAIN)
            number = head.count + 1
            if chain != _link(head.chain, body).encode() + b'"}' or _number(body) != number:
                raise self._damaged(f"record {number} is not the one that was written")
            head, end = Head(number, chain[:-2].decode()), end + len(line) + 1
            yield head, end

    def _lines(self, start: int = 0) -> Iterator[bytes]:
        """Whole lines from byte `start` on, without their ends."""
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                while line := file.readline(LINE_BYTES + 1):
                    if line.endswith(b"\n"):
                        yield line[:-1]
                    elif len(line) > LINE_BYTES:
                        raise self._damaged("a line is longer than any record")
        except FileNotFoundError:
            return
        except OSError as err:
            raise AuditError(f"{self.path}: {err.strerror}", hint="run this as root or as gatehouse") from err

    def _lost(self, known: Head) -> AuditError:
        return self._damaged(f"record {known.count}, which was told to the centre, is gone or another")

    def _damaged(self, what: str) -> AuditError:
        hint = f"somebody or the disk has changed it: keep a copy as evidence, then move {self.path} away"
        return AuditError(f"{self.path}: {what}", hint=hint)


class Anchor:
    """Tells the centre the head of the record, at the start and whenever it has grown.

    `record` takes an event at once. A record that is damaged, or lacks what was told before, is told once.
    """

    def __init__(self, log: AuditLog, clock: Clock, record: Callable[[Event], object]) -> None:
        self._log = log
        self._clock = clock
        self._record = record
        self._told, self._end = Head(), 0
        self._stamp: tuple[int, int] = (0, 0)
        self._whole_s = -math.inf
        self._problem = ""

    async def run(self) -> None:
        while True:
            await self.look()
            await self._clock.sleep(LOOK_S)

    async def look(self) -> None:
        """Prove what is new, once a day all of it, and tell it."""
        try:
            head, end = await in_thread("audit", self._prove)
        except AuditError as err:
            if str(err) != self._problem:
                self._problem = str(err)
                self._say(Kind.AUDIT_DAMAGED, {"reason": str(err), "hint": err.hint})
            return
        self._problem = ""
        self._end = end
        if head != self._told:
            self._told = head
            self._say(Kind.AUDIT_ANCHORED, {"count": head.count, "chain": head.chain})

    def _prove(self) -> Place:
        try:
            status = self._log.path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
        except FileNotFoundError:
            stamp = (0, 0)
        except OSError as err:
            raise AuditError(f"{self._log.path}: {err.strerror}", hint="check the disk") from err
        now_s = self._clock.mono_s()
        if now_s - self._whole_s >= WHOLE_S:
            self._whole_s = now_s
            found = self._log.prove(self._told)
        elif stamp == self._stamp:
            found = self._told, self._end
        else:
            found = self._log.prove_on(self._told, self._end)
        self._stamp = stamp
        return found

    def _say(self, kind: Kind, data: Mapping[str, JsonValue]) -> None:
        self._record(Event(kind, "audit", self._clock.mono_s(), data))


def _link(chain: str, body: bytes) -> str:
    return hashlib.sha256(bytes.fromhex(chain) + body).hexdigest()


def _number(body: bytes) -> int | None:
    head, _, _ = body.removeprefix(b'{"n":').partition(b",")
    return int(head) if head.isdigit() else None


def _dumps(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(errors="replace")
