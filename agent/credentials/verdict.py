"""What the card list says at a door."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a card does not open a door."""

    UNKNOWN_CARD = "unknown_card"
    WRONG_DOOR = "wrong_door"
    SCHEDULE = "schedule"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    NO_CLOCK = "no_clock"


class PinDemand(StrEnum):
    NONE = "none"
    REQUIRED = "required"  # the holder has a PIN; whether the door asks for it is the door's to say


class PinResult(StrEnum):
    OK = "ok"
    WRONG = "wrong"
    DURESS = "duress"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reference` stands for the card in events and logs; the number cannot be read from it."""

    reference: str
    reason: Reason | None = None
    extended: bool = False
    """The holder gets the door's longer time."""
    exempt: bool = False
    """Anti-passback does not concern the holder."""
    pin: PinDemand = PinDemand.NONE

    @property
    def granted(self) -> bool:
        return self.reason is None
