"""How our kinds may be told in the words of two Chinese standards: a mapping, no claim of conformance.

GB/T 28181-2022 (video networking): an alarm notification has AlarmPriority 1 to 4, AlarmMethod and, for some methods,
AlarmType. Method 2 device alarm: types 1 video lost, 2 tamper, 3 disk full, 4 device too hot, 5 device too cold; none
is an alarm of the device's inputs. Method 5 video alarm: 2 moving object, 5 trip wire, 6 intrusion, 8 loitering,
9 counting, 10 density, 11 picture abnormal, 13 picture covered. Method 6 device fault: 1 disk, 2 fan. Method 7 other.

GB/T 31000-2015 (basic data of public order governance) describes people, houses, disputes and cases; its event types
(事件类型) are those of disputes, and it has no list for alarms of machines. The nearest list is that of hidden dangers
(隐患类型): 01 fire, 02 public order, 99 other. Codes as transcribed by others; compare the standard before use.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from agent.events import CATALOGUE, RESTORES, Kind, Lane, Severity


class Method(IntEnum):
    """AlarmMethod (报警方式)."""

    DEVICE = 2
    VIDEO = 5
    FAULT = 6
    OTHER = 7


class Danger(StrEnum):
    """Class of hidden danger (隐患类型)."""

    FIRE = "01 火灾隐患"
    ORDER = "02 治安隐患"
    OTHER = "99 其他"


@dataclass(frozen=True, slots=True)
class Told:
    """`type` is left out where the standard has none for the method, or none that fits."""

    priority: int
    method: Method
    type: int | None
    danger: Danger


_PRIORITY: Final = {Severity.CRITICAL: 1, Severity.MAJOR: 2, Severity.MINOR: 3, Severity.INFO: 4}

_METHODS: Final[Mapping[Kind, tuple[Method, int | None]]] = {
    Kind.TAMPER: (Method.DEVICE, 2),
    Kind.READER_TAMPER: (Method.DEVICE, 2),
    Kind.ZONE_PERSON: (Method.VIDEO, 6),
    Kind.ZONE_VEHICLE: (Method.VIDEO, 6),
    Kind.ZONE_ANIMAL: (Method.VIDEO, 2),
    Kind.LOITERING: (Method.VIDEO, 8),
    Kind.FIRE_LANE: (Method.VIDEO, 6),
    Kind.CROWD: (Method.VIDEO, 10),
    Kind.LINE_CROSSED: (Method.VIDEO, 5),
    Kind.TAILGATING: (Method.VIDEO, None),
    Kind.PERIMETER_VERIFIED: (Method.VIDEO, 6),
    Kind.CAMERA_COVERED: (Method.VIDEO, 13),
    Kind.CAMERA_DEFOCUSED: (Method.VIDEO, 11),
    Kind.CAMERA_TURNED: (Method.VIDEO, 11),
    Kind.CAMERA_FROZEN: (Method.VIDEO, 11),
    Kind.JOURNAL_FAULT: (Method.FAULT, 1),
    Kind.GATEWAY_HOT: (Method.DEVICE, 4),
    Kind.DISK_LOW: (Method.DEVICE, 3),
    Kind.DISK_WORN: (Method.FAULT, 1),
    Kind.AUDIT_DAMAGED: (Method.OTHER, None),
    Kind.UPLINK_REFUSED: (Method.OTHER, None),
    Kind.RECEIPT_MISMATCH: (Method.OTHER, None),
}
_FIRE: Final = frozenset({Kind.SMOKE, Kind.FIRE, Kind.FIRE_RELEASE, Kind.FIRE_LANE})
_ORDER: Final = frozenset(
    {
        Kind.DOOR_FORCED, Kind.DOOR_HELD, Kind.DURESS, Kind.DURESS_ENTRY, Kind.LOCKDOWN, Kind.READER_LOCKED_OUT,
        Kind.READER_DEFAULT_KEY, Kind.READER_IDENTITY, Kind.READER_AUTHENTICATION, Kind.READER_TAMPER, Kind.TAMPER,
        Kind.LOITERING, Kind.CROWD, Kind.LINE_CROSSED, Kind.TAILGATING, Kind.PERIMETER_VERIFIED,
        Kind.PERIMETER_NOT_SEEN, Kind.PERIMETER_UNKNOWN, Kind.CAMERA_COVERED, Kind.CAMERA_DEFOCUSED,
        Kind.CAMERA_TURNED, Kind.CAMERA_FROZEN, Kind.PERIMETER, Kind.ZONE_PERSON,
        Kind.ZONE_VEHICLE, Kind.RECEIPT_MISMATCH, Kind.AUDIT_DAMAGED,
    }
)  # fmt: skip


def told(kind: Kind) -> Told | None:
    """How an alarm or fault may be told; None for what is neither, and for restores, for which neither has words."""
    info = CATALOGUE[kind]
    if info.lane not in (Lane.ALARM, Lane.FAULT) or kind in RESTORES:
        return None
    method, number = _METHODS.get(kind, (Method.FAULT if info.lane is Lane.FAULT else Method.DEVICE, None))
    danger = Danger.FIRE if kind in _FIRE else Danger.ORDER if kind in _ORDER else Danger.OTHER
    return Told(_PRIORITY[info.severity], method, number, danger)
