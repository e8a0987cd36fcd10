"""When the board itself is an event: each condition is raised and restored once, and only after it has held."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from agent.contract.health import BoardHealth, DiskHealth
from agent.events import CATALOGUE, Event, JsonValue, Kind
from agent.settings import HealthSettings

HOLD_S: Final = 60.0
"""A condition, or its end, must have held for so long."""
_HOT_BACK_C: Final = 5.0
_PERCENT_BACK: Final = 2.0
_WORN_PERCENT: Final = 90.0


@dataclass(frozen=True, slots=True)
class Measured:
    """`value` above `limit` raises, at or below `back` restores; None is not known and changes nothing."""

    kind: Kind
    value: float | None
    limit: float
    back: float


def measure(board: BoardHealth, disk: DiskHealth, limits: HealthSettings) -> tuple[Measured, ...]:
    disk_used = _used(disk.total_kib, disk.free_kib)
    memory_used = _used(board.memory_total_kib, board.memory_available_kib)
    return (
        Measured(Kind.GATEWAY_HOT, board.temperature_c, limits.hot_c, limits.hot_c - _HOT_BACK_C),
        Measured(Kind.GATEWAY_UNDERVOLTAGE, _truth(board.undervoltage), 0, 0),
        Measured(Kind.GATEWAY_THROTTLED, _truth(board.throttled), 0, 0),
        Measured(Kind.DISK_LOW, disk_used, limits.disk_percent, limits.disk_percent - _PERCENT_BACK),
        Measured(Kind.DISK_WORN, disk.worn_percent, _WORN_PERCENT - 1, _WORN_PERCENT - 1),
        Measured(Kind.MEMORY_LOW, memory_used, limits.memory_percent, limits.memory_percent - _PERCENT_BACK),
    )


class Conditions:
    """Remembers what stands; `step` gives the events of one look."""

    def __init__(self) -> None:
        self._standing: set[Kind] = set()
        self._turning: dict[Kind, float] = {}

    @property
    def standing(self) -> tuple[Kind, ...]:
        return tuple(sorted(self._standing))

    def step(self, measured: tuple[Measured, ...], now_s: float) -> Iterator[Event]:
        for one in measured:
            stands = one.kind in self._standing
            turns = one.value is not None and (one.value <= one.back if stands else one.value > one.limit)
            if not turns:
                self._turning.pop(one.kind, None)
            elif now_s - self._turning.setdefault(one.kind, now_s) >= HOLD_S:
                del self._turning[one.kind]
                self._standing ^= {one.kind}
                yield _event(one, now_s, restored=stands)


def _event(one: Measured, now_s: float, *, restored: bool) -> Event:
    kind = one.kind
    if restored:
        after = CATALOGUE[kind].restored_by
        assert after is not None, "every condition has a kind that restores it"
        kind = after
    figures: Mapping[str, JsonValue] = {}
    if one.limit:
        assert one.value is not None
        figures = {"value": round(one.value, 1), "limit": one.limit}
    return Event(kind, "gateway", now_s, figures)


def _used(total: int | None, free: int | None) -> float | None:
    """Percent; None when either is not known."""
    return None if not total or free is None else 100.0 * (total - free) / total


def _truth(holds: bool | None) -> float | None:
    return None if holds is None else float(holds)
