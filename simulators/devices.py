"""The far end of every device a compound's file names: each simulator, and the device's table with its address."""

import asyncio
import logging
import secrets
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path

from agent.settings import Camera, DeviceConfig, Door, Settings
from drivers.base import Clock, ConfigError
from drivers.gpio import Active, GpioChip
from drivers.modbus import ModbusBus
from drivers.osdp.config import OsdpBus, SecureChannel
from drivers.wiegand.config import FormatName, WiegandBus
from simulators.camera import RtspServer
from simulators.clips import fetch_bikes
from simulators.door import SimDoor
from simulators.gpio_lines import SimGpioLines
from simulators.mjpeg import STAGE, SimCamera, looking_at
from simulators.modbus_sensors import SimModbusBus
from simulators.osdp_reader import SimOsdpBus
from simulators.wiegand_reader import SimWiegandReader
from simulators.wire import Wire

_log = logging.getLogger(__name__)

_ROOM_TEMPERATURE = 20.0


class SimDevices:
    """Wires, sockets and keys are in `folder`; the cameras of `stages` look at a stage, the others play their clip."""

    def __init__(self, settings: Settings, folder: Path, clock: Clock, stages: Iterable[str] = ()) -> None:
        self._settings = settings
        self._folder = folder
        self._clock = clock
        self._stages = frozenset(stages)
        self.osdp: dict[str, SimOsdpBus] = {}
        self.modbus: dict[str, SimModbusBus] = {}
        self.gpio: dict[str, SimGpioLines] = {}
        """Chips, those of Wiegand readers too, by their device."""
        self.wiegand: dict[str, SimWiegandReader] = {}
        self.doors: dict[str, SimDoor] = {}
        """Doors whose lock and contact are lines of a chip: the leaf hangs on both."""
        self.cameras: dict[str, SimCamera] = {}

    async def start(self, stack: AsyncExitStack) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
        """Start them all; the tables of devices and of cameras with their simulated addresses."""
        devices = [await self._device(stack, config) for config in self._settings.devices]
        cameras = [await self._camera(stack, config) for config in self._settings.cameras]
        for door in self._settings.doors:
            await self._hang(stack, door)
        return devices, cameras

    def set_point(self, point: str, value: float) -> None:
        """Put a sensor's or an input's point to a value, in the unit of the compound's file."""
        device, name = point.split("/")
        for config in self._settings.devices:
            if isinstance(config, GpioChip) and config.id == device:
                line = next(i for i in config.inputs if i.id == name)
                self.gpio[device].drive(line.line, bool(value) == (line.active is Active.HIGH))
                return
            if isinstance(config, ModbusBus) and any(unit.id == device for unit in config.units):
                self.modbus[config.id].set(device, name, value)
                return
        raise ConfigError(f"there is no point {point}", hint="points are named device/point, as in the compound's file")

    async def _device(self, stack: AsyncExitStack, config: DeviceConfig) -> dict[str, object]:
        table = config.model_dump(mode="json", by_alias=True, exclude_none=True)
        if isinstance(config, GpioChip):
            return table | {"chip": await self._chip(stack, config)}
        if isinstance(config, WiegandBus):
            return table | {"chip": await self._wiegand(stack, config)}
        wire = Wire(self._folder / f"{config.id}.tty")
        if isinstance(config, ModbusBus):
            await self._modbus(stack, config, wire)
            return table | {"port": str(wire.path), "parity": "none"}  # a pty refuses parity
        keys = await self._osdp(stack, config, wire)
        rows = [row | keys.get(row["id"], {}) for row in table["readers"]]
        return table | {"port": str(wire.path), "readers": rows}

    async def _chip(self, stack: AsyncExitStack, config: GpioChip) -> str:
        address = await self._lines(stack, config.id)
        for line in config.inputs:
            self.gpio[config.id].drive(line.line, line.active is not Active.HIGH)
        return address

    async def _wiegand(self, stack: AsyncExitStack, config: WiegandBus) -> str:
        address = await self._lines(stack, config.id)
        for reader in config.readers:
            bits = 8 if FormatName.KEYS_8 in reader.formats else 4
            found = SimWiegandReader(self.gpio[config.id], reader.data0, reader.data1, self._clock, key_bits=bits)
            self.wiegand[reader.id] = await stack.enter_async_context(found)
        return address

    async def _lines(self, stack: AsyncExitStack, device: str) -> str:
        path = self._folder / f"{device}.gpio"
        self.gpio[device] = await stack.enter_async_context(SimGpioLines(path))
        return f"unix:{path}"

    async def _modbus(self, stack: AsyncExitStack, config: ModbusBus, wire: Wire) -> None:
        bus = self.modbus[config.id] = await stack.enter_async_context(SimModbusBus(wire, config))
        for unit in config.units:
            for point in unit.points:
                if point.unit == "°C":
                    bus.set(unit.id, point.id, _ROOM_TEMPERATURE)

    async def _osdp(self, stack: AsyncExitStack, config: OsdpBus, wire: Wire) -> dict[str, dict[str, str]]:
        """What the tables of its readers say of their keys."""
        readers: dict[str, tuple[int, bytes | None]] = {}
        files: dict[str, dict[str, str]] = {}
        for reader in config.readers:
            key = None
            if reader.secure_channel is not SecureChannel.OFF:
                key = secrets.token_bytes(16)
                files[reader.id] = {"key_file": str(self._write_key(reader.id, key))}
            readers[reader.id] = (reader.address, key)
        self.osdp[config.id] = await stack.enter_async_context(SimOsdpBus(wire, readers, baud=config.baud))
        return files

    def _write_key(self, reader: str, key: bytes) -> Path:
        path = self._folder / f"{reader}.key"
        path.touch(mode=0o600)
        path.write_text(key.hex())
        return path

    async def _hang(self, stack: AsyncExitStack, door: Door) -> None:
        """Give the door a leaf, where its lock and its contact are lines of a chip."""
        chip, _, output = door.lock.partition("/")
        contact = door.contact
        config = next((d for d in self._settings.devices if d.id == chip and isinstance(d, GpioChip)), None)
        if config is None or contact is None or contact.partition("/")[0] not in self.gpio:
            return
        line = next(entry for entry in config.outputs if entry.id == output)

        def unlocked() -> bool:
            return self.gpio[chip].level(line.line) is (line.active is Active.HIGH)

        leaf = SimDoor(door.id, unlocked, lambda is_open: self.set_point(contact, is_open), self._clock)
        self.doors[door.id] = await stack.enter_async_context(leaf)

    async def _camera(self, stack: AsyncExitStack, config: Camera) -> dict[str, object]:
        clip = Path(config.source.removeprefix("file:"))
        if not (config.source.startswith("file:") and clip.is_file()):
            clip = await asyncio.to_thread(fetch_bikes)
        scene, size = STAGE if config.id in self._stages else "clip", (config.picture.width, config.picture.height)
        looked_at = await asyncio.to_thread(looking_at, scene, clip, size)
        camera = self.cameras[config.id] = await stack.enter_async_context(SimCamera(looked_at, self._clock))
        table = config.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"password_file"})
        return table | {"source": await self._address(stack, config, camera)}

    async def _address(self, stack: AsyncExitStack, config: Camera, camera: SimCamera) -> str:
        """RTSP where the file says so and GStreamer is there, else MJPEG over HTTP."""
        if config.source.startswith(("rtsp://", "rtsps://")):
            try:
                return (await stack.enter_async_context(RtspServer(camera.url, self._clock))).url
            except (ConfigError, OSError) as err:
                _log.warning("%s: over HTTP instead of RTSP: %s", config.id, err)
        return camera.url
