"""Frames between the main process and the vision process, over one Unix socket.

    +--------------------+----------+------------------+
    | length, 4 bytes BE | type, 1  | JSON, `length`   |
    +--------------------+----------+------------------+

Pure: bytes in, `(used, message)` out. The vision process decodes hostile pictures, so the main process believes
nothing it says: what is no message raises FrameError, and the client ends that process.
"""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Base64Bytes, Field, TypeAdapter, ValidationError

from agent.observations import Observation, View
from drivers.base import Confined, DeviceId, FrameError, Status
from drivers.camera import CameraSource

MAX_BODY: Final = 1 << 20
"""Far above the largest message (an observation of a crowd is some 20 KB), far below what would hurt."""

MAX_TRACKS: Final = 500
_LATEST_S: Final = 1e10
"""Uptimes beyond, some three centuries, are none."""

_HEAD = struct.Struct(">IB")

_Count = Annotated[int, Field(ge=0, le=10_000)]
_Sum = Annotated[float, Field(ge=0, le=1e12)]
Polygon = Annotated[tuple[tuple[float, float], ...], Field(min_length=3)]


class WatchedCamera(Confined):
    """What the vision process knows of a camera: no names, no zones."""

    source: CameraSource
    privacy: tuple[Polygon, ...] = ()
    snapshots: bool = False


class WorkerConfig(Confined):
    """The first frame, from the main process; the worker says nothing before it."""

    cameras: Annotated[tuple[WatchedCamera, ...], Field(min_length=1)]
    model: str
    """A name, or the path of an installer's card."""
    models: str
    """Folder of fetched models."""
    runtime: str
    threads: int
    min_score: float
    profile: Literal["economical", "thorough"]
    cpu_cores: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The worker cannot work at all (model, runtime) and ends."""

    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class CameraStats:
    """What a camera got of the work since the last Stats.

    `fps` came of the `wanted_fps` that its settings ask for; `looked` is the share of them that the detector saw, and
    `missed` the share that should have been looked at and was not, because a newer one came first.
    """

    camera: DeviceId
    fps: _Sum
    wanted_fps: _Sum
    looked: _Sum
    missed: _Sum


@dataclass(frozen=True, slots=True)
class Stats:
    """Sums since the worker started; CPU seconds, resident memory in KiB.

    `pace` is the share of their frame rate that all cameras are held to, so that the CPU budget holds; 1: all of it.
    """

    frames: int
    dropped: int
    moving: int
    inferences: int
    cpu_s: _Sum
    motion_cpu_s: _Sum
    inference_cpu_s: _Sum
    rss_kib: int
    runtime: str
    pace: _Sum = 1.0
    cameras: tuple[CameraStats, ...] = ()


@dataclass(frozen=True, slots=True)
class SnapshotWanted:
    """From the main process: the picture of a camera nearest to `mono_s`; `number` comes back with the answer."""

    number: int
    camera: DeviceId
    mono_s: float
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A JPEG taken at `mono_s`, private areas black and people's features blurred; `whole`: persons, not faces."""

    number: int
    camera: DeviceId
    mono_s: Annotated[float, Field(allow_inf_nan=False)]
    jpeg: Base64Bytes
    faces: _Count
    persons: _Count
    whole: bool


@dataclass(frozen=True, slots=True)
class NoSnapshot:
    number: int
    reason: str


Message: TypeAlias = (
    WorkerConfig | Observation | View | Status | Stats | Failed | SnapshotWanted | Snapshot | NoSnapshot
)


class FrameType(IntEnum):
    CONFIG = 1
    OBSERVATION = 2
    STATUS = 3
    STATS = 4
    FAILED = 5
    SNAPSHOT_WANTED = 6
    SNAPSHOT = 7
    NO_SNAPSHOT = 8
    VIEW = 9


_TYPES: Mapping[FrameType, type[Message]] = {
    FrameType.CONFIG: WorkerConfig,
    FrameType.OBSERVATION: Observation,
    FrameType.STATUS: Status,
    FrameType.STATS: Stats,
    FrameType.FAILED: Failed,
    FrameType.SNAPSHOT_WANTED: SnapshotWanted,
    FrameType.SNAPSHOT: Snapshot,
    FrameType.NO_SNAPSHOT: NoSnapshot,
    FrameType.VIEW: View,
}
_NUMBERS = {kind: number for number, kind in _TYPES.items()}
_ADAPTERS: Mapping[FrameType, TypeAdapter[Message]] = {
    number: TypeAdapter[Message](kind) for number, kind in _TYPES.items()
}


def encode(message: Message) -> bytes:
    number = _NUMBERS[type(message)]
    body = _ADAPTERS[number].dump_json(message)
    if len(body) > MAX_BODY:
        raise FrameError("vision", f"a message of {len(body)} bytes is longer than {MAX_BODY}")
    return _HEAD.pack(len(body), number) + body


def decode(buffer: bytes | bytearray) -> tuple[int, Message | None]:
    """Take one message from the front: bytes used (0 = need more) and the message.

    Raises: FrameError; the stream cannot be resynchronised and is to be closed.
    """
    if len(buffer) < _HEAD.size:
        return 0, None
    length, number = _HEAD.unpack_from(buffer)
    if length > MAX_BODY:
        raise FrameError("vision", f"a frame claims {length} bytes, more than {MAX_BODY}")
    if number not in _ADAPTERS:
        raise FrameError("vision", f"a frame has the unknown type {number}")
    used = _HEAD.size + length
    if len(buffer) < used:
        return 0, None
    kind = FrameType(number)
    try:
        message = _ADAPTERS[kind].validate_json(bytes(buffer[_HEAD.size : used]))
    except ValidationError as err:
        raise FrameError("vision", f"a frame is no {_TYPES[kind].__name__}: {err.error_count()} errors") from err
    if isinstance(message, Observation | View | Status | Snapshot) and not _possible(message):
        raise FrameError("vision", f"a {_TYPES[kind].__name__} holds numbers that are none")
    return used, message


def _possible(said: Observation | View | Status | Snapshot) -> bool:
    """Whether its times can be converted into a date, and its other numbers are some."""
    if not 0 <= said.mono_s < _LATEST_S:
        return False
    if isinstance(said, View):
        return 0 <= said.reference_s < _LATEST_S
    if not isinstance(said, Observation):
        return True
    numbers: list[float] = []
    for track in said.tracks:
        numbers += [track.score, track.box.left, track.box.top, track.box.right, track.box.bottom]
    return len(said.tracks) <= MAX_TRACKS and all(map(math.isfinite, numbers))
