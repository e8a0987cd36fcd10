"""How a gateway says how it is: the retained `health` message.

What a board cannot tell is left out. Nothing here is about persons, and nothing counts events.
"""

from collections.abc import Mapping

from agent.contract.messages import Document
from agent.events import Lane
from drivers.base import DeviceState


class BoardHealth(Document):
    """The board it runs on."""

    temperature_c: float | None = None
    """The hottest of its thermal zones."""
    undervoltage: bool | None = None
    """Now; Raspberry Pi only."""
    throttled: bool | None = None
    """Now, for heat or voltage; Raspberry Pi only."""
    throttled_before: bool | None = None
    """Undervoltage or throttling since it was switched on."""
    load_1m: float | None = None
    cores: int
    memory_total_kib: int | None = None
    memory_available_kib: int | None = None
    agent_memory_kib: int | None = None
    """Resident, main process."""


class DiskHealth(Document):
    """The file system that holds the journal, and the medium below it."""

    total_kib: int | None = None
    free_kib: int | None = None
    written_kib: int | None = None
    """To the medium since the boot, by everybody."""
    agent_written_kib: int | None = None
    """By the main process since it started."""
    written_per_day_kib: int | None = None
    """To the medium, at the pace since the agent started; known after an hour."""
    lifetime_written_kib: int | None = None
    """To the file system since it was made (ext4)."""
    worn_percent: int | None = None
    """Of the life the maker gives the medium (eMMC, in steps of 10); SD cards do not tell."""


class DeviceHealth(Document):
    state: DeviceState
    reason: str = ""
    for_s: float
    """In this state for so long."""
    seen_s: float | None = None
    """Its latest reading is so old."""


class CameraHealth(Document):
    """Rates since the last word of the camera process."""

    fps: float
    wanted_fps: float
    looked: float
    """Share of the pictures that the detector saw."""
    missed: float
    """Share that should have been looked at and was not."""


class LinkHealth(Document):
    phase: str
    protocol: str | None = None


class JournalHealth(Document):
    state: str
    refused: int
    """Given up since the start."""
    pending: int
    """In memory, not yet on disk."""
    waiting: Mapping[Lane, int]
    """On disk, not yet confirmed."""


class QueueHealth(Document):
    """Before the rules."""

    waiting: int
    dropped: int


class HealthMessage(Document):
    """Retained; sent every few minutes, and when something in it changes its state."""

    gateway: str
    boot: str
    uptime: str
    time: str | None = None
    """RFC 3339, UTC; left out while the clock is not trusted."""
    clock_trusted: bool
    certificate_days: int | None = None
    """Whole days that the gateway's certificate is still good for; negative when it has ended."""
    conditions: tuple[str, ...] = ()
    """Kinds of events about the board that stand now."""
    board: BoardHealth
    disk: DiskHealth
    link: LinkHealth
    journal: JournalHealth
    queue: QueueHealth
    devices: Mapping[str, DeviceHealth] = {}
    cameras: Mapping[str, CameraHealth] = {}
    rules_failed: tuple[str, ...] = ()
