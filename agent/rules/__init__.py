"""All rules of a compound, made from its settings."""

from collections.abc import Callable

from agent.rules.cameras import camera_rules
from agent.rules.devices import DeviceRule
from agent.rules.doors import Access, DoorRule, Standing
from agent.rules.readers import ReaderRule
from agent.rules.sensors import SensorRule
from agent.rules.step import AnyRule
from agent.rules.switches import SwitchRule
from agent.schedules import Schedules
from agent.settings import Settings
from agent.settings.inventory import readers
from drivers.base import DeviceId, PointRef
from drivers.modbus import ModbusBus
from drivers.osdp.config import OsdpBus
from drivers.wiegand.config import WiegandBus


def build_rules(settings: Settings, access: Access, standing: Callable[[str], Standing]) -> tuple[AnyRule, ...]:
    """Doors first: where one reading reaches several rules, they act before the others decide.

    `standing` says what of a door no restart may end.
    """
    calendar = Schedules.of(settings)
    doors = (DoorRule(door, access, calendar, standing) for door in settings.doors)
    sensors = (SensorRule(sensor) for sensor in settings.sensors)
    devices = (DeviceRule(device) for device in device_ids(settings))
    outputs = dict.fromkeys((*settings.commands.outputs, settings.handling.output))
    switches = (SwitchRule(output) for output in outputs if output is not None)
    return (*doors, *_readers(settings), *sensors, *camera_rules(settings, calendar), *devices, *switches)


def _readers(settings: Settings) -> tuple[ReaderRule, ...]:
    watched = frozenset(PointRef(sensor.point) for sensor in settings.sensors)
    serves = {door.reader: door.id for door in reversed(settings.doors)}
    return tuple(ReaderRule(DeviceId(name), serves.get(name, name), watched) for name in readers(settings))


def device_ids(settings: Settings) -> tuple[DeviceId, ...]:
    """Every device that has a state of its own: buses, their readers and units, chips, cameras."""
    found: list[str] = []
    for device in settings.devices:
        found.append(device.id)
        if isinstance(device, OsdpBus | WiegandBus):
            found += [reader.id for reader in device.readers]
        elif isinstance(device, ModbusBus):
            found += [unit.id for unit in device.units]
    return tuple(DeviceId(name) for name in (*found, *(camera.id for camera in settings.cameras)))
