"""One TOML file describes a compound; `load` gives frozen models, or every reason why not."""

from agent.settings.cameras import (
    Camera,
    Line,
    Privacy,
    Profile,
    Runtime,
    Tampering,
    Vision,
    Way,
    Zone,
    ZoneKind,
)
from agent.settings.gateway import AreaCode, AreaNames, Gateway, GatewayId, Level
from agent.settings.load import Inspection, inspect, load
from agent.settings.models import (
    Access,
    Centre,
    Commands,
    Confirm,
    Day,
    DeviceConfig,
    Door,
    FailMode,
    HealthSettings,
    Holiday,
    NoClock,
    PinMode,
    Protocol,
    Relock,
    Run,
    Schedule,
    Sensor,
    SensorKind,
    Settings,
    Storage,
    Window,
)
from agent.settings.names import Name
from agent.settings.problems import Problem, SettingsError
from agent.settings.report import check_report
from agent.settings.schema import schema_text
from drivers.gpio import GpioChip
from drivers.modbus import ModbusBus
from drivers.osdp.config import OsdpBus
from drivers.wiegand.config import WiegandBus

__all__ = [
    "Access",
    "AreaCode",
    "AreaNames",
    "Camera",
    "Centre",
    "Commands",
    "Confirm",
    "Day",
    "DeviceConfig",
    "Door",
    "FailMode",
    "Gateway",
    "GatewayId",
    "GpioChip",
    "HealthSettings",
    "Holiday",
    "Inspection",
    "Level",
    "Line",
    "ModbusBus",
    "Name",
    "NoClock",
    "OsdpBus",
    "PinMode",
    "Privacy",
    "Problem",
    "Profile",
    "Protocol",
    "Relock",
    "Run",
    "Runtime",
    "Schedule",
    "Sensor",
    "SensorKind",
    "Settings",
    "SettingsError",
    "Storage",
    "Tampering",
    "Vision",
    "Way",
    "WiegandBus",
    "Window",
    "Zone",
    "ZoneKind",
    "check_report",
    "inspect",
    "load",
    "schema_text",
]
