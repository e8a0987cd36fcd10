"""What a door tells the rule that counts who passes it: on points that no device has."""

from enum import StrEnum
from typing import Final

from drivers.base import DeviceId, PointId, PointRef, point_ref


class Fact(StrEnum):
    LET_IN = "let-in"  # GRANTED for each card, ORDERED once a person opens it from afar
    FREE = "free"  # True while it stands unlocked to all: fire, order, schedule
    OPEN = "open"
    BUSY = "busy"  # open or unlocked


GRANTED: Final = "granted"
ORDERED: Final = "ordered"
FREE: Final = "free"


def fact_ref(door: str, fact: Fact) -> PointRef:
    return point_ref(DeviceId(f"door:{door}"), PointId(fact.value))
