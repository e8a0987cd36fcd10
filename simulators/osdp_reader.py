"""OSDP readers on one wire: libosdp peripherals (PDs) with their cable, its pace and its faults."""

import asyncio
import os
import random
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeAlias

import osdp_sys

from drivers.base import Card
from simulators.osdp_pd import Seen, SimReader
from simulators.wire import Pace, Wire

Manipulator: TypeAlias = Callable[[bytes], bytes]
"""What a bad cable does to one transmission: returns the bytes that arrive, none if it is lost."""

_WAIT_S = 10.0
_SOM = 0x53
_HEADER = 5
_TAMPER, _POWER = 0, 1


class SimOsdpBus:
    """`readers` maps a reader's id to its address and SCBK (None: install mode, the default key).

    `to_readers` and `to_agent` are the cable's faults in each direction; `echo` sends the agent its own bytes back.
    A reply is there when its last byte would be at `baud`; with a `pace` the wire is a real one: replies begin after
    the turn-around and come as a UART hands them over, and whoever talks into them spoils them (`collisions`).
    `traffic` is told of each command and its reply. Belongs to one event loop.
    """

    def __init__(
        self,
        wire: Wire,
        readers: Mapping[str, tuple[int, bytes | None]],
        baud: int = 115200,
        pace: Pace | None = None,
    ) -> None:
        self.cues: list[Seen] = []
        self.to_readers: Manipulator = bytes
        self.to_agent: Manipulator = bytes
        self.traffic: Callable[[bytes, bytes], None] = lambda _command, _reply: None
        self.echo = False
        self.collisions = 0
        self._wire = wire
        self._byte_s = 10 / baud
        self._pace = pace
        self._busy_until_s = 0.0
        self._seen = asyncio.Event()
        self._plugs = 0
        self._own = {name: scbk for name, (_, scbk) in readers.items()}
        self._readers = {name: SimReader(name, address, scbk, self._note) for name, (address, scbk) in readers.items()}

    async def __aenter__(self) -> Self:
        osdp_sys.set_loglevel(osdp_sys.LOG_EMERG)
        for reader in self._readers.values():
            reader.power_on()
        await self.plug()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.unplug()
        for reader in self._readers.values():
            reader.power_off()

    # ------------------------------------------------------------ what people do

    def present_card(self, reader: str, card: Card) -> None:
        """Hold a card before the reader; one that is not connected ignores it."""
        if self._wire.plugged:
            length = (card.bits + 7) // 8
            content = (card.number << (8 * length - card.bits)).to_bytes(length, "big")
            self._readers[reader].submit(
                event=osdp_sys.EVENT_CARDREAD, direction=0, format=osdp_sys.CARD_FMT_RAW_WIEGAND,
                length=card.bits, data=content,
            )  # fmt: skip

    def press(self, reader: str, digits: str) -> None:
        if self._wire.plugged:
            keys = digits.replace("*", "\x7f").replace("#", "\r").encode("ascii")
            self._readers[reader].submit(event=osdp_sys.EVENT_KEYPRESS, data=keys)

    def tamper(self, reader: str, on: bool) -> None:
        self._readers[reader].set_fact(osdp_sys.STATUS_REPORT_LOCAL, _TAMPER, on)

    def power_trouble(self, reader: str, on: bool) -> None:
        self._readers[reader].set_fact(osdp_sys.STATUS_REPORT_LOCAL, _POWER, on)

    def drive_input(self, reader: str, number: int, on: bool) -> None:
        self._readers[reader].set_fact(osdp_sys.STATUS_REPORT_INPUT, number, on)

    def rekey(self, reader: str, scbk: bytes | None) -> None:
        """Give it another key behind the agent's back (None: the default key), as a technician would, and restart."""
        self._readers[reader].scbk = scbk
        self._restart(reader)

    def swap(self, reader: str, serial: int) -> None:
        """Put another device with the same key in its place."""
        self._readers[reader].serial = serial
        self._restart(reader)

    def trouble(self, reader: str, what: str) -> None:
        """What a scenario does to a reader; see `simulators.scenario.ReaderTrouble`."""
        if what in ("reader-off", "reader-on"):
            self.silence(reader, what == "reader-off")
        else:
            keys = {"reader-default-key": None, "reader-wrong-key": secrets.token_bytes(16)}
            self.rekey(reader, keys.get(what, self._own[reader]))

    def trouble_cable(self, what: str) -> None:
        """What a scenario does to the cable; see `simulators.scenario.BusTrouble`."""
        self.echo = what == "bus-echo"
        source, share = random.Random(), 0.05 if what == "bus-noise" else 0.0
        self.to_readers, self.to_agent = noisy(share, source, damage=False), noisy(share, source)

    def key_of(self, reader: str) -> bytes | None:
        return self._readers[reader].scbk

    # ------------------------------------------------------------ what cables do

    async def plug(self) -> None:
        self._wire.plug()
        self._plugs += 1
        asyncio.get_running_loop().add_reader(self._wire.fd, self._readable)

    async def unplug(self) -> None:
        if self._wire.plugged:
            asyncio.get_running_loop().remove_reader(self._wire.fd)
            self._wire.unplug()
            for reader in self._readers.values():
                reader.forget()

    def silence(self, reader: str, on: bool) -> None:
        """Take the reader's power away, or give it back: it starts afresh, without a session."""
        if on:
            self._readers[reader].power_off()
        else:
            self._readers[reader].power_on()

    def noise(self, data: bytes) -> None:
        """Put bytes on the agent's end of the wire."""
        with suppress(OSError):
            os.write(self._wire.fd, data)

    async def wait_seen(self, wanted: Callable[[Seen], bool]) -> Seen:
        """Return the first command seen that is wanted, waiting for it. Raises: TimeoutError."""
        async with asyncio.timeout(_WAIT_S):
            while True:
                found = next(filter(wanted, self.cues), None)
                if found is not None:
                    return found
                self._seen.clear()
                await self._seen.wait()

    def _restart(self, reader: str) -> None:
        if self._readers[reader].powered:
            self._readers[reader].power_off()
            self._readers[reader].power_on()

    def _note(self, seen: Seen) -> None:
        self.cues.append(seen)
        self._seen.set()

    def _readable(self) -> None:
        try:
            sent = os.read(self._wire.fd, 4096)
        except OSError:
            return
        loop = asyncio.get_running_loop()
        if self.echo:
            self.noise(sent)
        if loop.time() < self._busy_until_s:
            self.collisions += 1
            self._plugs += 1  # what is still on its way is spoilt, and so is this
            return
        for command in _commands(self.to_readers(sent)):
            if self._pace is None:
                self._hear(command)
            else:
                self._busy_until_s = loop.time() + len(command) * self._byte_s
                loop.call_at(self._busy_until_s, self._hear, command)

    def _hear(self, command: bytes) -> None:
        """Let every reader hear a command whose last byte has arrived."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for reader in self._readers.values():
            reply = reader.hear(command)
            if not reply:
                continue
            self.traffic(command, reply)
            if self._pace is None:
                loop.call_at(now + (len(command) + len(reply)) * self._byte_s, self._answer, reply, self._plugs)
                continue
            begun = now + self._pace.turnaround_s
            arriving = self.to_agent(reply)
            for at in range(0, len(arriving), self._pace.fifo):
                piece = arriving[at : at + self._pace.fifo]
                loop.call_at(begun + (at + len(piece)) * self._byte_s, self._put, piece, self._plugs)
            self._busy_until_s = begun + len(arriving) * self._byte_s

    def _answer(self, reply: bytes, plug: int) -> None:
        self._put(self.to_agent(reply), plug)

    def _put(self, data: bytes, plug: int) -> None:
        if self._wire.plugged and plug == self._plugs:
            self.noise(data)


def noisy(share: float, source: random.Random, *, damage: bool = True) -> Manipulator:
    """A cable that loses or doubles a share of its transmissions, and with `damage` cuts and spoils some, too.

    To the readers damage is another matter: libosdp 3.2.9 throws its session away at a damaged command.
    """

    def spoil(data: bytes) -> bytes:
        if source.random() >= share or not data:
            return data
        at = source.randrange(len(data))
        spoilt = data[:at] + bytes((data[at] ^ 1 << source.randrange(8),)) + data[at + 1 :]
        return source.choice((b"", data * 2, data[:at], spoilt) if damage else (b"", data * 2))

    return spoil


def _commands(data: bytes) -> Iterator[bytes]:
    """Cut commands that arrived together: libosdp forgets what stands behind one that is not for it."""
    while data:
        length = data[2] | data[3] << 8 if len(data) > _HEADER and data[0] == _SOM else 0
        cut = length if _HEADER < length <= len(data) else len(data)
        yield data[:cut]
        data = data[cut:]
