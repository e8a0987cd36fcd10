"""A whole compound on simulated wires: every device a compound's file names, the line to the centre, the centre.

The agent is given a copy of the file in which only addresses, keys and folders are changed.
"""

import os
import signal
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import tomli_w

from agent.contract.commands import CommandReply, Verb
from agent.credentials import add_card
from agent.events import JsonValue
from agent.settings import Door, Protocol, Settings
from agent.status import fetch
from drivers.base import Card, Clock, ConfigError, DeviceState
from drivers.gpio import Active, GpioChip
from drivers.modbus import ModbusBus
from drivers.osdp.config import OsdpBus
from simulators.agent_process import AgentProcess, AgentTrouble
from simulators.broker import Broker
from simulators.centre import Centre, Received
from simulators.devices import SimDevices
from simulators.gpio_lines import SimGpioLines
from simulators.mjpeg import SimCamera
from simulators.modbus_sensors import SimModbusBus
from simulators.network import Network
from simulators.office import Office
from simulators.osdp_reader import SimOsdpBus
from simulators.scenario import ScenarioCard

DEVICES_OK_S = 30.0
_LOCK_S = 10.0
_REX_S = 0.3


class SimCompound:
    """Brings up everything on entry, the agent last, and takes it down in reverse.

    `settings` is the compound as its file describes it; `folder` holds the copy, the agent's state and its log
    and must have a short path (Unix sockets). `mistakes` may change the agent's file before it is written, as a
    bad hand on site would; `faulty` are the devices that will then be in fault. The cameras of `stages` look at a
    stage, the others play their clip.
    """

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        clock: Clock,
        *,
        cards: Mapping[str, ScenarioCard],
        broker: Callable[[Path], Broker] = Broker.iotcore,
        on_received: Callable[[Received], None] = lambda _: None,
        protocol: Protocol = Protocol.MQTT5,
        mistakes: Callable[[dict[str, Any]], None] = lambda _: None,
        faulty: Iterable[str] = (),
        stages: Iterable[str] = (),
    ) -> None:
        self.settings = settings
        self._folder = folder
        self._clock = clock
        self._cards = cards
        self._on_received = on_received
        self._protocol = protocol
        self._mistakes = mistakes
        self._faulty = frozenset(faulty)
        self.office = Office()
        """The centre's keys; the compound's file pins its roots."""
        self._stack = AsyncExitStack()
        self.broker = broker(folder)
        self._devices = SimDevices(settings, folder, clock, stages)
        self.osdp, self.modbus, self.gpio = self._devices.osdp, self._devices.modbus, self._devices.gpio
        self.wiegand, self.doors, self.cameras = self._devices.wiegand, self._devices.doors, self._devices.cameras
        self.file = folder / "compound.toml"
        self.agent = AgentProcess(self.file, folder / "agent.log")
        self.network: Network
        self.centre: Centre

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.broker)
            self.network = await stack.enter_async_context(Network(self.broker.port))
            self.centre = await stack.enter_async_context(
                Centre(self.broker.url, clock=self._clock, protocol=self._protocol, desk=self.office)
            )
            self.centre.on_received = self._on_received
            self._write_file(*await self._devices.start(stack))
            await stack.enter_async_context(self.agent)
            await self.all_devices_up()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    # ------------------------------------------------------------ what people and things do

    def present_card(self, reader: str, card: str) -> None:
        found = self._cards[card]
        if reader in self.wiegand:
            self.wiegand[reader].present_card(Card(found.bits, found.number))
        else:
            self._reader_bus(reader).present_card(reader, Card(found.bits, found.number))

    def tamper_reader(self, reader: str, on: bool) -> None:
        self._reader_bus(reader).tamper(reader, on)

    def trouble_reader(self, reader: str, what: str) -> None:
        if what == "reader-noise":
            _named(self.wiegand, reader, "Wiegand reader").crosstalk()
        else:
            self._reader_bus(reader).trouble(reader, what)

    def swap_reader(self, reader: str, serial: int) -> None:
        self._reader_bus(reader).swap(reader, serial)

    def trouble_bus(self, bus: str, what: str) -> None:
        _named(self.osdp, bus, "OSDP bus").trouble_cable(what)

    def press(self, reader: str, keys: str) -> None:
        if reader in self.wiegand:
            self.wiegand[reader].press(keys)
        else:
            self._reader_bus(reader).press(reader, keys)

    def move_door(self, door: str, *, opened: bool) -> None:
        """Open a door, by force if need be, and keep it open; or let it fall shut."""
        contact = self._door(door).contact
        if contact is None:
            raise ConfigError(f"door {door} has no contact to move", hint="give it one, or leave out the step")
        if door not in self.doors:
            self.set_point(contact, opened)
        elif opened:
            self.doors[door].hold_open()
        else:
            self.doors[door].let_go()

    def push_door(self, door: str) -> None:
        """Somebody tries the door, and passes if it gives."""
        _named(self.doors, door, "door with lock and contact on lines").push()

    async def request_exit(self, door: str) -> None:
        """A press of the exit button, as long as a person's."""
        rex = self._door(door).rex
        if rex is None:
            raise ConfigError(f"door {door} has no exit button", hint="give it `rex`, or leave out the step")
        self.set_point(rex, True)
        await self._clock.sleep(_REX_S)
        self.set_point(rex, False)

    async def walk_through(self, door: str, card: str) -> None:
        """Present the card, wait for the lock, open, pass, close. Raises: TimeoutError when the lock stays shut."""
        found = self._door(door)
        if found.reader is None:
            raise ConfigError(f"door {door} has no reader", hint="use request-exit there")
        self.present_card(found.reader, card)
        await self.lock_is(door, unlocked=True)
        self.push_door(door)
        async with self._clock.timeout(_LOCK_S):
            await self.doors[door].wait(is_open=True)
            await self.doors[door].wait(is_open=False)

    async def lock_is(self, door: str, *, unlocked: bool) -> None:
        """Wait until the door's lock output has that state."""
        chip, output = self._door(door).lock.split("/")
        config = next(d for d in self.settings.devices if d.id == chip and isinstance(d, GpioChip))
        line = next(o for o in config.outputs if o.id == output)
        async with self._clock.timeout(_LOCK_S):
            await self.gpio[chip].wait_level(line.line, unlocked == (line.active is Active.HIGH))

    def set_point(self, point: str, value: float) -> None:
        """Put a sensor's or an input's point to a value, in the unit of the compound's file."""
        self._devices.set_point(point, value)

    def silence(self, unit: str, on: bool) -> None:
        bus = next(
            (d.id for d in self.settings.devices if isinstance(d, ModbusBus) and any(u.id == unit for u in d.units)), ""
        )
        _named(self.modbus, bus, f"the bus of unit {unit}").silence(unit, on)

    async def snapshot(self) -> dict[str, Any]:
        """What the running agent says of itself."""
        return await fetch(self._folder / "run", self._clock)

    async def order(self, verb: Verb, args: Mapping[str, JsonValue]) -> CommandReply:
        """What the gateway answers to a signed order of the centre. Raises: TimeoutError."""
        await self.centre.keyed(self.settings.gateway.id)
        return await self.centre.order(self.settings.gateway.id, verb, args)

    async def waiting(self) -> int:
        """Entries in the agent's journal that the centre has not confirmed, and what a disk that refuses holds up.

        Readings that wait for a commit they share are not yet entries: there are always some. A journal that is being
        opened waits for that, whatever it holds.
        """
        found = await self.snapshot()
        journal = found["journal"]
        if not journal["epoch"]:
            return int(journal["pending"]) + 1
        held_up = 0 if journal["state"] == "ok" else journal["pending"]
        return int(held_up + sum(lane["waiting"] for lane in found["lanes"].values()))

    async def vision_pid(self) -> int:
        pid = (await self.snapshot())["vision"]["pid"]
        assert isinstance(pid, int), "the camera process is not running"
        return pid

    async def kill_vision(self) -> None:
        """SIGKILL to the camera process."""
        os.kill(await self.vision_pid(), signal.SIGKILL)

    async def unplug(self, device: str) -> None:
        if device in self.cameras:
            await self.cameras[device].unplug()
        else:
            await self._bus(device).unplug()

    async def plug(self, device: str) -> None:
        if device in self.cameras:
            await self.cameras[device].plug()
        else:
            await self._bus(device).plug()

    def walk(self, camera: str) -> None:
        self.camera(camera).walk()

    def camera(self, name: str) -> SimCamera:
        return _named(self.cameras, name, "camera")

    async def all_devices_up(self) -> None:
        """Readers need their secure channel and the camera its model before anything can be played."""
        last = "no device"
        try:
            async with self._clock.timeout(DEVICES_OK_S):
                while True:
                    devices = (await self.snapshot())["devices"]
                    amiss = [
                        f"{name}: {d['reason'] or d['state']}"
                        for name, d in devices.items()
                        if d["state"] != (DeviceState.FAULT if name in self._faulty else DeviceState.OK)
                    ]
                    if devices and devices.keys() >= self._faulty and not amiss:
                        return
                    last = "; ".join(amiss)
                    await self._clock.sleep(0.1)
        except TimeoutError:
            raise AgentTrouble(f"not every device came up: {last}\n{self.agent.log_tail()}") from None

    # ------------------------------------------------------------ building

    def _write_file(self, devices: list[dict[str, object]], cameras: list[dict[str, object]]) -> None:
        credentials = self._folder / "credentials.json"
        for name, card in self._cards.items():
            if card.doors:
                add_card(
                    credentials,
                    Card(card.bits, card.number),
                    holder=name,
                    doors=card.doors,
                    extended=card.extended,
                    exempt=card.exempt,
                    pin=card.pin,
                    duress=card.duress,
                )
        table = self.settings.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)
        table["devices"], table["cameras"] = devices, cameras
        table["access"] = {"credentials_file": str(credentials)} if credentials.exists() else {}
        table["centre"] = {"broker": f"mqtt://127.0.0.1:{self.network.port}", "heartbeat_s": 5.0}
        roots = [str(path) for path in self.office.pin(self._folder / "centre")]
        table.setdefault("commands", {})["roots"] = roots
        table.setdefault("storage", {})["folder"] = str(self._folder / "state")
        table.setdefault("run", {})["folder"] = str(self._folder / "run")
        self._mistakes(table)
        self.file.write_text(tomli_w.dumps(table), encoding="utf-8")

    def _door(self, door: str) -> Door:
        return _named({d.id: d for d in self.settings.doors}, door, "door")

    def _reader_bus(self, reader: str) -> SimOsdpBus:
        for config in self.settings.devices:
            if isinstance(config, OsdpBus) and any(r.id == reader for r in config.readers):
                return self.osdp[config.id]
        raise ConfigError(f"there is no reader {reader}", hint="name a reader of the compound's file")

    def _bus(self, device: str) -> SimOsdpBus | SimModbusBus | SimGpioLines:
        buses: Mapping[str, SimOsdpBus | SimModbusBus | SimGpioLines] = {**self.osdp, **self.modbus, **self.gpio}
        return _named(buses, device, "device")


Named = TypeVar("Named")


def _named(things: Mapping[str, Named], name: str, what: str) -> Named:
    if name not in things:
        raise ConfigError(f"there is no {what} {name}", hint=f"the compound's file has: {', '.join(things) or 'none'}")
    return things[name]
