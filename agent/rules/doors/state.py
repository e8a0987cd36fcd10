"""What a door's rule remembers from step to step; every part is replaced, never changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

from agent.events import JsonValue


class Why(StrEnum):
    """What keeps the lock open, the highest first."""

    FIRE = "fire"
    EGRESS = "egress"
    ORDER = "order"
    SCHEDULE = "schedule"
    PASSAGE = "passage"


@dataclass(frozen=True, slots=True)
class Release:
    """Everything that asks for the lock to be open, or for it not to be."""

    fire_input: bool = False
    fire: bool = False
    """Latched: holds until the input has cleared and somebody has reset it on site."""
    rex: bool = False
    egress_until_s: float = -inf
    lockdown: bool = False
    keep: bool = False
    """Unlocked by order until it is locked by order."""
    free: bool = False
    free_refused: bool = False
    """Locked by order: the schedule has no say until it is known to have ended."""
    until_s: float = -inf
    """By a card or by an order for a time."""
    passed: bool = False
    """The door was opened since it was last asked to unlock."""
    extended: bool = False

    @property
    def stands(self) -> bool:
        """It has no end of its own."""
        return self.fire or self.rex or self.keep or self.free

    @property
    def ends_s(self) -> float:
        return inf if self.stands else max(self.until_s, self.egress_until_s)

    def why(self, now_s: float) -> Why | None:
        if self.fire:
            return Why.FIRE
        if self.rex or self.egress_until_s > now_s:
            return Why.EGRESS
        if self.keep:
            return Why.ORDER
        if self.free:
            return Why.SCHEDULE
        return Why.PASSAGE if self.until_s > now_s else None


@dataclass(frozen=True, slots=True)
class Standing:
    """What of an earlier run still holds, because nobody has ended it."""

    fire: bool = False
    lockdown: bool = False


@dataclass(frozen=True, slots=True)
class Lock:
    """`on_until_s` is what the relay was told last; None is off."""

    on_until_s: float | None = None
    may_open_until_s: float = -inf
    """Opening until then is not forcing."""


@dataclass(frozen=True, slots=True)
class Contact:
    """`open` None is a contact not heard of yet."""

    open: bool | None = None
    opened_at_s: float = 0.0
    shunted: bool = False
    shunt_until_s: float = -inf
    warn_at_s: float | None = None
    held_at_s: float | None = None
    forced: bool = False
    held: bool = False
    sounding: bool = False


@dataclass(frozen=True, slots=True)
class PinWait:
    """A card was good, now its PIN is awaited."""

    reference: str
    extended: bool
    exempt: bool
    facts: Mapping[str, JsonValue]
    until_s: float
    digits: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """Who is on the way in; `passages` says when each card reference last passed in the door's area."""

    waiting: PinWait | None = None
    wrong: int = 0
    wrong_at_s: float = -inf
    locked_out_until_s: float | None = None
    expected: tuple[str, ...] = ()
    expected_until_s: float = -inf
    duress: bool = False
    """One of those expected acts under duress; nothing that shows or sounds may depend on it."""
    passages: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DoorState:
    release: Release = Release()
    lock: Lock = Lock()
    contact: Contact = Contact()
    entry: Entry = Entry()
    partner_busy: bool = False
    busy: bool | None = None
    """What was told to others last, like the two below; None is nothing yet."""
    told_open: bool | None = None
    told_free: bool | None = None
    why: Why | None = None
    reader_offline: bool = False
