"""One TOML file describes a compound; `load` gives frozen models, or every reason why not."""

from agent.settings.load import Inspection, inspect, load
from agent.settings.models import (
    Access,
    AreaCode,
    Camera,
    Centre,
    Confirm,
    Day,
    DeviceConfig,
    Door,
    FailMode,
    Gateway,
    GatewayId,
    Holiday,
    Name,
    Privacy,
    Protocol,
    Run,
    Runtime,
    Schedule,
    Sensor,
    SensorKind,
    Settings,
    Storage,
    Vision,
    Window,
    Zone,
)
from agent.settings.problems import Problem, SettingsError
from agent.settings.report import check_report
from agent.settings.schema import schema_text
from drivers.gpio import GpioChip
from drivers.modbus import ModbusBus
from drivers.osdp.config import OsdpBus

__all__ = [
    "Access",
    "AreaCode",
    "Camera",
    "Centre",
    "Confirm",
    "Day",
    "DeviceConfig",
    "Door",
    "FailMode",
    "Gateway",
    "GatewayId",
    "GpioChip",
    "Holiday",
    "Inspection",
    "ModbusBus",
    "Name",
    "OsdpBus",
    "Privacy",
    "Problem",
    "Protocol",
    "Run",
    "Runtime",
    "Schedule",
    "Sensor",
    "SensorKind",
    "Settings",
    "SettingsError",
    "Storage",
    "Vision",
    "Window",
    "Zone",
    "check_report",
    "inspect",
    "load",
    "schema_text",
]
