"""One TOML file describes a compound; parsed once into frozen models that refuse unknown keys."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field

from agent.events import Kind
from agent.settings.cameras import Camera, Privacy, Vision
from agent.settings.gateway import Gateway
from agent.settings.names import Name
from drivers.base import ClockTrust, Confined, Slug
from drivers.gpio import GpioChip
from drivers.modbus import ModbusBus
from drivers.osdp.config import OsdpBus
from drivers.wiegand.config import WiegandBus

LoopbackAddress = Annotated[
    str, Field(pattern=r"^(127(\.[0-9]{1,3}){3}|\[::1\]):([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3})$")
]
"""Address and port; ports up to 64999."""
TimeOfDay = Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]
Date = Annotated[str, Field(pattern=r"^2[0-9]{3}-[01][0-9]-[0-3][0-9]$")]


DeviceConfig = Annotated[OsdpBus | WiegandBus | ModbusBus | GpioChip, Field(discriminator="driver")]


class FailMode(StrEnum):
    SECURE = "secure"  # locked without power
    SAFE = "safe"  # unlocked without power


class Relock(StrEnum):
    OPEN = "open"  # as soon as somebody opens the door
    CLOSE = "close"  # once the door has closed behind somebody


class PinMode(StrEnum):
    NONE = "none"
    CARD_AND_PIN = "card-and-pin"


class NoClock(StrEnum):
    """What holds for a card that is bound to a schedule while the time is not trusted."""

    IGNORE_SCHEDULE = "ignore_schedule"
    DENY = "deny"


class Door(Confined):
    """Points are named `device/point`; `lock` is an output that is on while the door is unlocked."""

    id: Slug
    name: Name
    reader: str | None = None
    lock: str
    contact: str | None = None
    """Input that is True while the door is open."""
    rex: str | None = None
    """Input that is True while somebody requests to exit."""
    rex_unlocks: bool = True
    """False where a handle opens the door from within: the request then only keeps opening from being forcing."""
    fire: str | None = None
    """Input that is True while the fire alarm panel asks for release; latched."""
    fire_reset: str | None = None
    """Input of the key switch that ends the fire latch once the alarm has cleared."""
    sounder: str | None = None
    """Output that sounds before and while the door is held open."""
    unlock_s: Annotated[float, Field(ge=1, le=300)] = 5.0
    extended_s: Annotated[float, Field(ge=1, le=300)] = 15.0
    """Unlocked this long for holders who need more time; added to `held_s` for them."""
    relock: Relock = Relock.CLOSE
    held_s: Annotated[float, Field(ge=1, le=3600)] = 30.0
    pre_alarm_s: Annotated[float, Field(ge=0, le=600)] = 0.0
    """Warned this long before the door counts as held; 0: no warning."""
    fail: FailMode = FailMode.SECURE
    free_access: str | None = None
    """Schedule in which the door stays unlocked; without effect while the time is not trusted."""
    no_clock: NoClock = NoClock.IGNORE_SCHEDULE
    interlock: str | None = None
    """Door that must be closed and locked before this one is unlocked; it names this one too. Never hinders egress."""
    area: Slug | None = None
    """Doors of one area share their anti-passback; left out, the door is an area of its own."""
    anti_passback_s: Annotated[float, Field(ge=0, le=86400)] = 0.0
    """A card that has passed is refused for this long; 0: never."""
    camera: Slug | None = None
    """Camera that sees the door."""
    tailgating: Slug | None = None
    """Line of that camera which everybody who enters crosses: more persons than cards are an alarm."""
    pin: PinMode = PinMode.NONE
    pin_timeout_s: Annotated[float, Field(ge=3, le=60)] = 15.0
    max_wrong: Annotated[int, Field(ge=1, le=20)] = 5
    """So many wrong PINs, each within `lockout_s` of the one before, lock the reader."""
    lockout_s: Annotated[float, Field(ge=5, le=3600)] = 60.0
    grid: str | None = None


class Day(StrEnum):
    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class Window(Confined):
    """From a time of day to another; one that ends no later than it begins ends on the following day."""

    days: Annotated[tuple[Day, ...], Field(min_length=1)]
    begins: Annotated[TimeOfDay, Field(alias="from")]
    ends: Annotated[TimeOfDay, Field(alias="to")]


class Schedule(Confined):
    """When something holds: in any of its windows, by the compound's wall clock."""

    id: Slug
    name: Name
    windows: Annotated[tuple[Window, ...], Field(min_length=1)]


class Holiday(Confined):
    """A date on which the windows of `schedule_as` hold instead of its own day's; left out: no window begins."""

    date: Date
    name: Name
    schedule_as: Day | None = None


class SensorKind(StrEnum):
    """What a sensor's alarm means; each raises the event kind of the same name."""

    SMOKE = Kind.SMOKE
    FIRE = Kind.FIRE
    WATER = Kind.WATER
    TEMPERATURE_HIGH = Kind.TEMPERATURE_HIGH
    TEMPERATURE_LOW = Kind.TEMPERATURE_LOW
    TAMPER = Kind.TAMPER
    READER_TAMPER = Kind.READER_TAMPER
    PERIMETER = Kind.PERIMETER
    POWER_LOST = Kind.POWER_LOST


class Sensor(Confined):
    """A point that raises an alarm: a truth value when it is True, a number when it passes `above` or `below`.

    It restores when the value has come back by `hysteresis`; both only after `for_s` without a break.
    """

    id: Slug
    name: Name
    point: str
    kind: SensorKind
    above: float | None = None
    below: float | None = None
    hysteresis: Annotated[float, Field(ge=0)] = 0.0
    for_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    camera: Slug | None = None
    """Camera that sees what the sensor watches; a perimeter alarm is verified by its picture."""
    zone: Slug | None = None
    """Zone of that camera in which somebody must be seen; left out: a person anywhere."""
    verify_s: Annotated[float, Field(ge=1, le=60)] = 5.0
    """The verdict comes within so long after the alarm."""
    grid: str | None = None


class Confirm(StrEnum):
    CENTRE = "centre"  # an event is kept until the centre's receipt
    BROKER = "broker"  # until a successful PUBACK; MQTT 5 only


class Protocol(StrEnum):
    AUTO = "auto"  # 5 first, 3.1.1 only after the broker refuses 5
    MQTT5 = "5"
    MQTT311 = "3.1.1"


class Centre(Confined):
    broker: Annotated[str, Field(pattern=r"^mqtts?://")]
    """mqtts://host[:8883], or mqtt://host[:1883], which is accepted for loopback addresses only."""
    fallback: tuple[Annotated[str, Field(pattern=r"^mqtts?://")], ...] = ()
    """Further brokers of the same centre, tried in this order while `broker` is away."""
    protocol: Protocol = Protocol.AUTO
    confirm: Confirm = Confirm.CENTRE
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    username: str | None = None
    password_file: Path | None = None
    window: Annotated[int, Field(ge=5, le=100)] = 50
    """Messages in flight at once; two of them are kept for alarms."""
    keepalive_s: Annotated[int, Field(ge=5, le=600)] = 30
    media_kbit_s: Annotated[int, Field(ge=16, le=100_000)] = 512
    """Pictures take no more of the line than this."""
    heartbeat_s: Annotated[float, Field(ge=5, le=3600)] = 60.0


class Storage(Confined):
    folder: Path = Path("/var/lib/gatehouse")
    max_mb: Annotated[int, Field(ge=8, le=1_000_000)] = 512
    max_entries: Annotated[int, Field(ge=1000)] = 2_000_000
    alarm_reserve_mb: Annotated[int, Field(ge=1)] = 16
    media_mb: Annotated[int, Field(ge=1, le=1_000_000)] = 256
    """For pictures that wait for the centre, beside `max_mb`, and as much again for those that are kept here."""
    telemetry_every_s: Annotated[float, Field(ge=0, le=3600)] = 10.0
    """A point's numeric reading is kept at most this often; a truth value on every change."""

    @property
    def models_folder(self) -> Path:
        """Files of models that `gatehouse models fetch` has brought."""
        return self.folder / "models"


class Access(Confined):
    credentials_file: Path | None = None
    """List written by `gatehouse card`; without it every card is denied."""


class HealthSettings(Confined):
    """When the board's state is told, and when it is an event."""

    every_s: Annotated[float, Field(ge=10, le=86400)] = 300.0
    """Told to the centre this often, and whenever a state changes."""
    hot_c: Annotated[float, Field(ge=40, le=110)] = 80.0
    """Hotter is an event; a Raspberry Pi slows itself down from 80 °C on."""
    disk_percent: Annotated[float, Field(ge=10, le=99)] = 90.0
    """A file system fuller than this is an event."""
    memory_percent: Annotated[float, Field(ge=10, le=99)] = 95.0
    """More memory in use than this is an event."""
    metrics: LoopbackAddress | None = None
    """Prometheus text at http://ADDRESS/metrics, for this machine only; left out, there is none."""


class Run(Confined):
    folder: Path = Path("/run/gatehouse")
    """Sockets of the running agent; on a RAM disk."""


class Commands(Confined):
    """Orders of the centre. Without a root the gateway takes none, and receipts need no signature."""

    roots: Annotated[tuple[Path, ...], Field(max_length=2)] = ()
    """Public halves of the two offline root keys, made by `gatehouse keys new`; either may sign key sets."""
    signed_receipts: bool | None = None
    """Whether a receipt counts only under a signature; left out: as soon as roots are named."""
    outputs: tuple[str, ...] = ()
    """Outputs that may be switched by order, `device/point`; none that belongs to a door."""
    per_minute: Annotated[int, Field(ge=1, le=600)] = 60
    """Orders of one key within a minute; more are refused."""

    @property
    def receipts_are_signed(self) -> bool:
        return bool(self.roots) if self.signed_receipts is None else self.signed_receipts


class Handling(Confined):
    """An alarm whose handling state (事件处置) the centre has not sent is told again."""

    remind_after_s: Annotated[float, Field(ge=0, le=86400)] = 300.0
    """Told again when nobody has acknowledged it for so long; 0: never."""
    remind_times: Annotated[int, Field(ge=1, le=20)] = 3
    output: str | None = None
    """Output that is on while an alarm is overdue, `device/point`; never for silent alarms."""


class Settings(Confined):
    gateway: Gateway
    clock_trust: ClockTrust = ClockTrust.KERNEL
    devices: tuple[DeviceConfig, ...] = ()
    doors: tuple[Door, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    holidays: tuple[Holiday, ...] = ()
    sensors: tuple[Sensor, ...] = ()
    cameras: tuple[Camera, ...] = ()
    vision: Vision = Vision()
    access: Access = Access()
    centre: Centre
    commands: Commands = Commands()
    handling: Handling = Handling()
    storage: Storage = Storage()
    privacy: Privacy = Privacy()
    health: HealthSettings = HealthSettings()
    run: Run = Run()
