"""What a compound has: every id with its place in the file, and every point with its nature."""

from collections.abc import Iterator
from enum import StrEnum

from agent.settings.models import DeviceConfig, Settings
from agent.settings.problems import KeyPath
from drivers.gpio import GpioChip
from drivers.modbus import Encoding, ModbusBus
from drivers.osdp.config import OsdpBus
from drivers.wiegand.config import WiegandBus


class Nature(StrEnum):
    TRUTH = "input"  # an input that is on or off
    NUMBER = "number"
    OUTPUT = "output"


READER_POINTS = ("tamper", "power", "default-key", "identity-changed", "auth-failed")
"""What every OSDP reader reports about itself, True while there is trouble."""


def ids(settings: Settings) -> Iterator[tuple[str, KeyPath]]:
    """Everything an event can be about shares one set of names, and schedules with it."""
    for index, device in enumerate(settings.devices):
        place: KeyPath = ("devices", index)
        yield device.id, place
        yield from ((reader, (*place, "readers", n)) for n, reader in enumerate(_readers_of(device)))
        if isinstance(device, ModbusBus):
            yield from ((unit.id, (*place, "units", n)) for n, unit in enumerate(device.units))
    yield from ((door.id, ("doors", index)) for index, door in enumerate(settings.doors))
    yield from ((schedule.id, ("schedules", index)) for index, schedule in enumerate(settings.schedules))
    yield from ((sensor.id, ("sensors", index)) for index, sensor in enumerate(settings.sensors))
    for index, camera in enumerate(settings.cameras):
        yield camera.id, ("cameras", index)
        yield from ((zone.id, ("cameras", index, "zones", n)) for n, zone in enumerate(camera.zones))
        yield from ((line.id, ("cameras", index, "lines", n)) for n, line in enumerate(camera.lines))


def point_ids(settings: Settings) -> Iterator[tuple[str, str, KeyPath]]:
    """Owner, point and place of every point that the file names."""
    for index, device in enumerate(settings.devices):
        place: KeyPath = ("devices", index)
        if isinstance(device, ModbusBus):
            for n, unit in enumerate(device.units):
                yield from ((unit.id, p.id, (*place, "units", n, "points", m)) for m, p in enumerate(unit.points))
        elif isinstance(device, GpioChip):
            yield from ((device.id, line.id, (*place, "inputs", n)) for n, line in enumerate(device.inputs))
            yield from ((device.id, line.id, (*place, "outputs", n)) for n, line in enumerate(device.outputs))


def readers(settings: Settings) -> tuple[str, ...]:
    return tuple(reader for device in settings.devices for reader in _readers_of(device))


def _readers_of(device: DeviceConfig) -> tuple[str, ...]:
    if isinstance(device, OsdpBus):
        return tuple(reader.id for reader in device.readers)
    return tuple(reader.id for reader in device.readers) if isinstance(device, WiegandBus) else ()


def points(settings: Settings) -> dict[str, Nature]:
    """`device/point` of everything that can be read or switched."""
    found: dict[str, Nature] = {}
    for device in settings.devices:
        if isinstance(device, OsdpBus):
            for reader in device.readers:
                found |= {f"{reader.id}/{point}": Nature.TRUTH for point in READER_POINTS}
                found |= {f"{reader.id}/input-{number}": Nature.TRUTH for number in range(reader.inputs)}
                found |= {f"{reader.id}/output-{number}": Nature.OUTPUT for number in range(reader.outputs)}
        elif isinstance(device, WiegandBus):
            found |= {f"{reader.id}/rejected": Nature.NUMBER for reader in device.readers}
        elif isinstance(device, ModbusBus):
            for unit in device.units:
                for point in unit.points:
                    bit = point.encoding is Encoding.BIT
                    found[f"{unit.id}/{point.id}"] = Nature.TRUTH if bit else Nature.NUMBER
        elif isinstance(device, GpioChip):
            found |= {f"{device.id}/{line.id}": Nature.TRUTH for line in device.inputs}
            found |= {f"{device.id}/{line.id}": Nature.OUTPUT for line in device.outputs}
    return found
