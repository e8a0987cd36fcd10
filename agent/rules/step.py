"""What every rule is: a pure step `(state, input, now) -> (state, events, actions, wake_at)`.

Rules hold no clock, no device and no journal. `compound` alone calls them, applies their actions and asks again
at `wake_at`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Protocol, TypeAlias, TypeVar

from agent.events import Event
from agent.observations import Observation
from drivers.base import DeviceId, Output, PointRef, Reading, Status

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has reached the rule's `wake_at`."""


class Verb(StrEnum):
    UNLOCK = "unlock"
    LOCK = "lock"


@dataclass(frozen=True, slots=True)
class Order:
    """A person's decision about a door, by the page or a signed command; `origin` says whose."""

    door: str
    verb: Verb
    origin: str


Input: TypeAlias = Reading | Status | Observation | Order | Tick


@dataclass(frozen=True, slots=True)
class Step(Generic[State]):
    """`wake_at` is monotonic seconds: the rule wants a Tick then; None means no wish."""

    state: State
    events: tuple[Event, ...] = ()
    actions: tuple[Output, ...] = ()
    wake_at: float | None = None


class Rule(Protocol[State]):
    """`points`, `devices`, `cameras` and `doors` say which inputs reach the rule."""

    @property
    def id(self) -> str:
        """What the rule is about: its door, sensor, device or zone."""
        ...

    @property
    def points(self) -> frozenset[PointRef]: ...

    @property
    def devices(self) -> frozenset[DeviceId]: ...

    @property
    def cameras(self) -> frozenset[DeviceId]: ...

    @property
    def doors(self) -> frozenset[str]: ...

    def start(self, now: float) -> Step[State]:
        """First state, and the actions that put its outputs in order."""
        ...

    def step(self, state: State, given: Input, now: float) -> Step[State]: ...
