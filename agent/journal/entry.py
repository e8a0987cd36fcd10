"""What the journal takes, keeps and says: plain facts and its errors.

GatehouseError
├── ConfigError       (drivers.base) the folder cannot be used; refuse to start
└── JournalError
    ├── ConfirmError  the centre confirms something else than what stands here; nothing is released
    ├── RefusedError  no room is left for this draft, and it will not be written
    └── ClosedError   the journal is closed, or its thread has died
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import NamedTuple

from agent.events import Kind, Lane
from drivers.base import GatehouseError


class JournalError(GatehouseError):
    """Something the journal cannot do."""


class ConfirmError(JournalError):
    """A receipt that does not fit this journal; `last` and `digest` are what we have."""

    def __init__(self, lane: Lane, upto: int, reason: str) -> None:
        super().__init__(f"receipt for {lane}/{upto}: {reason}", hint="The database was replaced, or the centre's was.")
        self.lane = lane
        self.upto = upto
        self.reason = reason


class RefusedError(JournalError):
    """The journal holds nothing more that may be dropped for this draft."""


class ClosedError(JournalError):
    """The journal takes nothing any more."""


class Draft(NamedTuple):
    """Not yet written. `body` is a JSON object that starts `{"type":`, in the telemetry lane a compact array."""

    lane: Lane
    kind: Kind
    body: bytes


class Entry(NamedTuple):
    """Written and immutable; `digest` (32 bytes) is the lane's chain after this entry.

    `kind` is a `Kind`, or the name of one that only a newer version knows, which has written here before us.
    """

    lane: Lane
    sequence: int
    kind: str
    body: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class LaneState:
    """A lane as committed. `digest` is the chain after `last`; `oldest` is `last + 1` when nothing is kept.

    `waiting` counts the entries that are neither confirmed nor dropped.
    """

    last: int
    confirmed: int
    oldest: int
    digest: bytes
    waiting: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the journal on disk and in memory.

    `alarm_reserve_bytes` of `max_bytes` are for alarms and faults alone. Of what is confirmed, `keep_confirmed`
    entries are kept at most, and for `keep_days`; it goes first when room is needed. `chunk` entries are dropped
    at once. `queue` drafts wait in memory at most, `queue_reserve` more of alarms, faults and the ledger.
    Telemetry may wait `telemetry_wait_s` for a commit that it shares, a confirmation `confirmation_wait_s`; everything
    else is committed at once, and takes along what waits.
    `media_bytes` is for pictures alone, of which `pictures` wait in memory at most.
    """

    max_bytes: int = 512 << 20
    max_entries: int = 2_000_000
    alarm_reserve_bytes: int = 16 << 20
    keep_confirmed: int = 200_000
    keep_days: int = 7
    chunk: int = 1000
    queue: int = 10_000
    queue_reserve: int = 1000
    telemetry_wait_s: float = 0.0
    confirmation_wait_s: float = 0.0
    media_bytes: int = 256 << 20
    pictures: int = 8


class Storing(StrEnum):
    OK = "ok"
    FULL = "full"  # some drafts are refused for want of room
    FAILING = "failing"  # the disk refuses; drafts wait in memory


@dataclass(frozen=True, slots=True)
class Health:
    """`refused` counts the drafts given up since the start."""

    state: Storing = Storing.OK
    reason: str = ""
    hint: str = ""
    refused: int = 0


class Origin(StrEnum):
    NEW = "new"
    CONTINUED = "continued"
    AFTER_CORRUPTION = "after_corruption"
    IN_MEMORY = "in_memory"  # the disk has refused for long; lost with the power
    RENEWED = "renewed"  # the centre knows another history than ours: a restored or a cloned database


@dataclass(frozen=True, slots=True)
class Tail:
    """How a lane of an ended epoch stood: our last entry, what of it was confirmed, what the centre says it has.

    `entered` counts the entries above `confirmed` that the new epoch begins with; `centre` is None where it said
    nothing. Between `last` and `centre` are entries the centre has and this database never knew.
    """

    last: int
    confirmed: int
    centre: int | None
    entered: int


@dataclass(frozen=True, slots=True)
class Birth:
    """How this epoch came to be; `set_aside` names the damaged file that was kept, `reason` what was wrong.

    A renewed epoch names the `previous` one and how its lanes stood; one that is continued after another in memory
    names that.
    """

    origin: Origin
    epoch: str
    set_aside: str = ""
    reason: str = ""
    previous: str = ""
    tails: Mapping[Lane, Tail] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A range of `epoch` given up for room; `digest` is the lane's chain after `last`."""

    epoch: str
    lane: Lane
    first: int
    last: int
    reason: str
    digest: bytes

    @property
    def count(self) -> int:
        return self.last - self.first + 1


def _epoch_started(birth: Birth) -> bytes:
    data = asdict(birth)
    return json.dumps({"type": "gatehouse.epoch.started", "data": data}, separators=(",", ":")).encode()


def _entries_dropped(dropped: Dropped) -> bytes:
    data = {
        "epoch": dropped.epoch,
        "lane": dropped.lane,
        "from": dropped.first,
        "to": dropped.last,
        "count": dropped.count,
        "reason": dropped.reason,
        "digest": dropped.digest.hex(),
    }
    return json.dumps({"type": "gatehouse.entries.dropped", "data": data}, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Bodies:
    """Words for the entries the journal writes itself; called in its thread, so pure and quick."""

    epoch_started: Callable[[Birth], bytes] = _epoch_started
    entries_dropped: Callable[[Dropped], bytes] = _entries_dropped
