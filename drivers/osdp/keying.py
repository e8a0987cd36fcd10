"""Keys given to readers by hand, on site and with the service stopped: one reader at a time, within a time limit.

A reader fresh from its box knows only the default key (SCBK-D), which everybody knows; whoever listens to the cable
while it gets its own key learns that too. So this is the one place that speaks SCBK-D, and it does so for one named
reader and not for long. The key is on disk before it is sent, and is in force once the reader has proved it.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from drivers.base import Clock, ConfigError, DeviceFault, DeviceId, DeviceState, Report, Status
from drivers.osdp.bus import Bus, OpenLine, open_serial
from drivers.osdp.config import OsdpBus, OsdpReader, SecureChannel
from drivers.osdp.keys import pending_key, promote, propose, read_keys
from drivers.osdp.messages import Identity
from drivers.osdp.reader import ReaderLink
from drivers.osdp.secure import SCBK_D

INSTALL_S = 120.0
"""How long the default key is spoken at most, unless the installer says otherwise."""

ROTATE_S = 20.0
_SCAN_S = 0.05  # for the first byte of an answer: a bus takes some 8 s
_ADDRESSES = range(127)


@dataclass(frozen=True, slots=True)
class Found:
    address: int
    baud: int
    identity: Identity


async def scan(
    config: OsdpBus, clock: Clock, bauds: Sequence[int], open_line: OpenLine = open_serial
) -> AsyncIterator[Found]:
    """Ask every address who it is, in the clear. Raises: LinkError when the port is missing or taken."""
    for baud in bauds:
        at_baud = config.model_copy(update={"baud": baud})
        async with _bus(at_baud, clock, open_line) as bus:
            for address in _ADDRESSES:
                identity = await _ask(bus, address, clock, _SCAN_S)
                if identity is not None:
                    yield Found(address, baud, identity)


class Keying:
    """Opens the bus for one of its readers. Raises, in every action: LinkError, DeviceFault, both with the cure."""

    def __init__(self, config: OsdpBus, reader: OsdpReader, clock: Clock, open_line: OpenLine = open_serial) -> None:
        if reader.secure_channel is SecureChannel.OFF or reader.key_file is None:
            raise ConfigError(
                f"{reader.id} has no secure channel and no key",
                hint='set its key_file, and secure_channel = "required"',
            )
        self._id = DeviceId(reader.id)
        self._path: Path = reader.key_file
        self._config = config
        self._reader = reader.model_copy(update={"identity": None})
        self._clock = clock
        self._open_line = open_line
        self._proved: list[bytes] = []
        self._last_fault = ""

    async def identify(self) -> Identity:
        """Ask the reader who it is, in the clear."""
        async with _bus(self._config, self._clock, self._open_line) as bus:
            for _ in range(3):
                identity = await _ask(bus, self._reader.address, self._clock)
                if identity is not None:
                    return identity
        raise DeviceFault(
            self._id,
            f"no answer at address {self._reader.address}",
            hint=f"check its power, wires, address and baud rate; gatehouse reader scan FILE {self._config.id} looks "
            "for it",
        )

    async def install(self, expected: Identity, limit_s: float = INSTALL_S) -> Identity:
        """Give a reader on the default key a key of its own; `expected` is who the installer has confirmed."""
        pending = pending_key(self._id, self._path)
        keys = (SCBK_D,) if pending is None else (pending, SCBK_D)
        hint = (
            "put it in install mode, as its manual says, and try again; a reader that has a key gets another one by: "
            "gatehouse reader rotate"
        )
        return await self._within(limit_s, keys, hint, expected)

    async def rotate(self) -> Identity:
        """Give a reader another key, in a channel secured by the one it has."""
        keys = read_keys(self._id, self._path)
        return await self._within(ROTATE_S, keys, "check its power, and that key_file holds its key", None)

    async def _within(self, limit_s: float, keys: tuple[bytes, ...], hint: str, expected: Identity | None) -> Identity:
        try:
            async with self._clock.timeout(limit_s), _bus(self._config, self._clock, self._open_line) as bus:
                return await self._give_key(bus, keys, expected)
        except TimeoutError:
            raise DeviceFault(
                self._id, f"got no key within {limit_s:.0f} s: {self._last_fault or 'no answer'}", hint=hint
            ) from None

    async def _give_key(self, bus: Bus, keys: tuple[bytes, ...], expected: Identity | None) -> Identity:
        link = ReaderLink(self._reader, self._note)
        link.start(keys, self._clock.mono_s(), self._proved.append)
        identity = await self._connected(bus, link)
        if expected is not None and identity != expected:
            raise DeviceFault(self._id, f"is another device: {identity}", hint="somebody else may be on the cable")
        pending = pending_key(self._id, self._path)
        if self._proved[-1] != pending:
            key = propose(self._id, self._path)
            await bus.exchange(link, link.keyset(key))
            while link.unanswered:
                await bus.turn(link)
            if link.refusal:
                raise DeviceFault(self._id, f"refuses a new key: {link.refusal}", hint="see its manual")
            await self._connected(bus, link)
            if self._proved[-1] != key:
                raise DeviceFault(self._id, "did not take its new key, the old one is in force", hint="try again")
        promote(self._id, self._path, self._proved[-1])
        return identity

    async def _connected(self, bus: Bus, link: ReaderLink) -> Identity:
        """Go on until the secure channel is up and the reader has said in it who it is."""
        link.trust.forget_identity()
        while not (link.online and link.trust.identity is not None):
            now = self._clock.mono_s()
            if not link.online and link.retry_s > now:
                await self._clock.sleep(link.retry_s - now)
            wire = link.next_feedback(now)
            await bus.exchange(link, link.outgoing() if wire is None else wire)
        return link.trust.identity

    def _note(self, report: Report) -> None:
        if isinstance(report, Status) and report.state is DeviceState.FAULT:
            self._last_fault = report.reason


async def _ask(bus: Bus, address: int, clock: Clock, wait_s: float = 0.2) -> Identity | None:
    config = OsdpReader(id=f"address-{address}", address=address, secure_channel=SecureChannel.OFF)
    link = ReaderLink(config, _nobody)
    link.start((), clock.mono_s())
    await bus.exchange(link, link.outgoing(), wait_s)
    return link.trust.identity


@asynccontextmanager
async def _bus(config: OsdpBus, clock: Clock, open_line: OpenLine) -> AsyncIterator[Bus]:
    line = open_line(config, clock)
    try:
        yield Bus(line, config.baud, clock)
    finally:
        line.close()


def _nobody(_report: Report) -> None:
    """Whoever asks has the link itself."""
