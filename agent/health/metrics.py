"""The same health as Prometheus text, for the local port.

A duress alarm moves no figure here: lanes that carry silent kinds are left out, and nothing counts events. Nothing is
about people.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from agent.contract.health import HealthMessage
from agent.events import CATALOGUE, Lane
from drivers.base import DeviceState

_SILENT: Final[frozenset[Lane]] = frozenset(info.lane for info in CATALOGUE.values() if info.silent)
"""Lanes whose length could tell of a silent event."""
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Sample(NamedTuple):
    labels: Mapping[str, str]
    value: float | None


class Metric(NamedTuple):
    name: str
    help: str
    samples: tuple[Sample, ...]


def text(health: HealthMessage) -> str:
    return "".join(_lines(metric) for metric in _metrics(health) if any(s.value is not None for s in metric.samples))


def _metrics(health: HealthMessage) -> Iterator[Metric]:
    board, disk, journal = health.board, health.disk, health.journal
    yield _one("up_seconds", "Uptime of the board.", float(health.uptime))
    yield _one("clock_trusted", "1 while the wall clock is synchronised.", health.clock_trusted)
    yield _one("certificate_days", "Days for which the gateway's certificate is good.", health.certificate_days)
    yield _one("board_temperature_celsius", "The hottest thermal zone.", board.temperature_c)
    yield _one("board_undervoltage", "1 while the supply voltage is too low.", board.undervoltage)
    yield _one("board_throttled", "1 while the board is slowed down.", board.throttled)
    yield _one("board_load1", "Load average of one minute.", board.load_1m)
    yield _one("board_memory_bytes", "Memory of the board.", _bytes(board.memory_total_kib))
    yield _one("board_memory_available_bytes", "Memory that is available.", _bytes(board.memory_available_kib))
    yield _one("agent_memory_bytes", "Resident memory of the main process.", _bytes(board.agent_memory_kib))
    yield _one("disk_bytes", "Size of the file system of the journal.", _bytes(disk.total_kib))
    yield _one("disk_free_bytes", "Free there.", _bytes(disk.free_kib))
    yield _one("disk_written_bytes", "Written to the medium since the boot.", _bytes(disk.written_kib))
    yield _one("disk_lifetime_written_bytes", "Written there in its life.", _bytes(disk.lifetime_written_kib))
    yield _one("disk_worn_percent", "Share of the medium's life that is used up.", disk.worn_percent)
    yield _one("journal_ok", "1 while events can be stored.", journal.state == "ok")
    waiting = _by("lane", _waiting(journal.waiting))
    yield Metric("journal_waiting", "Entries not confirmed yet, of lanes without silent kinds.", waiting)
    yield _one("queue_waiting", "Inputs that wait for the rules.", health.queue.waiting)
    yield _one("queue_dropped", "Inputs dropped since the start.", health.queue.dropped)
    yield _one("uplink_up", "1 while linked to the centre.", health.link.phase in {"up", "limited"})
    yield Metric("device_ok", "1 while the device works.", _by("device", _devices(health)))
    seen = {name: one.seen_s for name, one in health.devices.items()}
    yield Metric("device_seen_seconds", "Age of the device's latest reading.", _by("device", seen))
    rates = {name: one.fps for name, one in health.cameras.items()}
    yield Metric("camera_fps", "Pictures a second that came.", _by("camera", rates))
    looked = {name: one.looked for name, one in health.cameras.items()}
    yield Metric("camera_looked_ratio", "Share of pictures the detector saw.", _by("camera", looked))
    standing = _by("kind", dict.fromkeys(health.conditions, 1.0))
    yield Metric("condition", "Conditions of the board that stand.", standing)


def _waiting(lanes: Mapping[Lane, int]) -> Mapping[str, float]:
    return {lane.value: count for lane, count in lanes.items() if lane not in _SILENT}


def _devices(health: HealthMessage) -> Mapping[str, float]:
    return {name: float(one.state is DeviceState.OK) for name, one in health.devices.items()}


def _one(name: str, words: str, value: float | None) -> Metric:
    return Metric(name, words, (Sample({}, value),))


def _by(label: str, values: Mapping[str, float | None] | Mapping[str, float]) -> tuple[Sample, ...]:
    return tuple(Sample({label: name}, value) for name, value in values.items())


def _bytes(kib: int | None) -> float | None:
    return None if kib is None else kib * 1024.0


def _lines(metric: Metric) -> str:
    name = f"gatehouse_{metric.name}"
    lines = [f"# HELP {name} {metric.help}", f"# TYPE {name} gauge"]
    lines += [f"{name}{_labels(s.labels)} {float(s.value)!r}" for s in metric.samples if s.value is not None]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    pairs: Iterable[str] = (f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{','.join(pairs)}}}" if labels else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
