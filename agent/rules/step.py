"""What every rule is: a pure step `(state, input, now) -> (state, events, actions, wake_at)`.

Rules hold no clock, no device and no journal. `compound` alone calls them, applies their actions and asks again
at `wake_at`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from agent.events import Event, JsonValue
from agent.observations import Observation, View
from drivers.base import DeviceId, Output, PointRef, Reading, Status

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class Moment:
    """When a step is taken: monotonic seconds for every duration, and aware UTC, None while it is not trusted."""

    mono_s: float
    utc: datetime | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has reached the rule's `wake_at`."""


class Verb(StrEnum):
    UNLOCK = "unlock"  # for a time
    KEEP_UNLOCKED = "keep-unlocked"  # until it is locked
    LOCK = "lock"
    LOCKDOWN = "lockdown"
    END_LOCKDOWN = "end-lockdown"
    RESET_FIRE = "reset-fire"
    ON = "on"  # an output that belongs to no door
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Order:
    """A person's decision about a door, by the page or a signed command; `origin` says whose.

    `for_s` is for UNLOCK, None the door's own time, and for ON, None until OFF, where `door` is an output,
    `device/point`. `local` is an order given on site.
    """

    door: str
    verb: Verb
    origin: str
    for_s: float | None = None
    local: bool = False


Input: TypeAlias = Reading | Status | Observation | View | Order | Tick


@dataclass(frozen=True, slots=True)
class Step(Generic[State]):
    """`wake_at` is monotonic seconds: the rule wants a Tick then; None means no wish. It replaces the wish before.

    `tells` are facts for the other rules that name their points, given to them before any other input; `readings` are
    what the rule itself has measured, for the record.
    """

    state: State
    events: tuple[Event, ...] = ()
    actions: tuple[Output, ...] = ()
    wake_at: float | None = None
    tells: tuple[Reading, ...] = ()
    readings: tuple[Reading, ...] = ()


class Group(StrEnum):
    """What a rule is about."""

    DOOR = "door"
    READER = "reader"
    SENSOR = "sensor"
    ZONE = "zone"
    LINE = "line"
    PASSAGE = "passage"  # who passes a door, counted by a camera
    VERDICT = "verdict"  # of a camera on a sensor's alarm
    VIEW = "view"  # what keeps a camera from seeing
    SWITCH = "switch"
    DEVICE = "device"


class Rule(Protocol[State]):
    """`points`, `devices`, `cameras` and `doors` say which inputs reach the rule."""

    @property
    def id(self) -> str:
        """What the rule is about: its door, sensor, device or zone."""
        ...

    @property
    def group(self) -> Group: ...

    @property
    def points(self) -> frozenset[PointRef]: ...

    @property
    def devices(self) -> frozenset[DeviceId]: ...

    @property
    def cameras(self) -> frozenset[DeviceId]: ...

    @property
    def doors(self) -> frozenset[str]: ...

    @property
    def safe(self) -> tuple[Output, ...]:
        """Leaves its outputs safe when the rule itself has failed."""
        ...

    def start(self, now: Moment) -> Step[State]:
        """First state, and the actions that put its outputs in order."""
        ...

    def step(self, state: State, given: Input, now: Moment) -> Step[State]: ...

    def describe(self, state: State) -> Mapping[str, JsonValue]:
        """Its state in plain words, for `gatehouse status`; nothing about persons."""
        ...


AnyRule: TypeAlias = Rule[Any]
"""A rule whose state only the rule itself looks into: what a collection of different rules holds."""
