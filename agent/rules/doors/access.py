"""What a door asks of the card list and of the schedules, and why it refuses."""

from datetime import datetime
from enum import StrEnum
from typing import Protocol

from drivers.base import Card


class Denial(StrEnum):
    """Why the door itself refuses; the card list has reasons of its own."""

    LOCKED_DOWN = "locked_down"
    INTERLOCK = "interlock"
    ANTI_PASSBACK = "anti_passback"
    WRONG_PIN = "wrong_pin"
    PIN_TIMEOUT = "pin_timeout"
    NO_PIN = "no_pin"  # the door asks for a PIN, and the holder has none
    TOO_MANY_TRIES = "too_many_tries"
    FIRE = "fire"
    FIRE_INPUT = "fire_input"
    NOT_LOCAL = "not_local"
    BAD_TIME = "bad_time"
    NO_SWITCH = "no_switch"  # it is a door
    NO_DOOR = "no_door"  # it is an output that belongs to none


class Verdict(Protocol):
    """What the card list says; `reference` stands for the card wherever its number must not."""

    @property
    def granted(self) -> bool: ...

    @property
    def reason(self) -> str | None:
        """Why not; None when granted."""
        ...

    @property
    def reference(self) -> str: ...

    @property
    def extended(self) -> bool:
        """The holder gets the door's longer time."""
        ...

    @property
    def exempt(self) -> bool:
        """Anti-passback does not concern the holder."""
        ...

    @property
    def pin(self) -> str:
        """`required` when the holder has a PIN, else `none`."""
        ...


class Access(Protocol):
    """Who may pass where. Answers from memory, at once, and to the same question the same."""

    def decide(self, card: Card, door: str, now_utc: datetime | None, no_clock: str) -> Verdict: ...

    def check_pin(self, reference: str, digits: str) -> str:
        """`ok`, `wrong` or `duress`."""
        ...


class Calendar(Protocol):
    """When schedules hold; `agent.schedules` is one."""

    def active(self, schedule_id: str, utc: datetime) -> bool: ...

    def next_change(self, schedule_id: str, utc: datetime) -> datetime: ...
