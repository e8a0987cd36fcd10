"""OSDP readers on one wire: libosdp peripherals (PDs), an implementation independent of our control panel.

libosdp's own Python class refreshes its PD every 20 ms in a thread; here `refresh` runs when bytes arrive, in the
loop. One duty of a PD that libosdp 3.2.9 leaves out is done here: a command repeated with its sequence number gets
the same reply again (libosdp would carry it out twice, and lose the card it had answered with).
"""

import asyncio
import ctypes
import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeAlias

import osdp
import osdp_sys

from drivers.base import Card, Cue
from simulators.wire import Wire

Manipulator: TypeAlias = Callable[[bytes], bytes]
"""What a bad cable does to one transmission: returns the bytes that arrive, none if it is lost."""

_WAIT_S = 10.0
_REFRESHES = 3  # refreshes in which libosdp takes a command and answers it
_GREEN = 2
_SOM = 0x53
_HEADER = 5
_CAPABILITIES = (
    (osdp_sys.CAP_OUTPUT_CONTROL, 1, 2),
    (osdp_sys.CAP_CARD_DATA_FORMAT, 1, 0),
    (osdp_sys.CAP_READER_LED_CONTROL, 1, 1),
    (osdp_sys.CAP_READER_AUDIBLE_OUTPUT, 1, 1),
)
_Result: TypeAlias = tuple[int, Mapping[str, int] | None]
_DONE: _Result = (0, None)
_REFUSED: _Result = (-1, None)
_QUIET: _Result = (
    0,
    {"command": osdp_sys.CMD_STATUS, "type": osdp_sys.STATUS_REPORT_LOCAL, "nr_entries": 2, "mask": 0},
)
_NAMES = {osdp_sys.CMD_LED: "led", osdp_sys.CMD_BUZZER: "buzzer", osdp_sys.CMD_OUTPUT: "output"}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a reader was told to do: `led`, `buzzer` or `output`, with libosdp's names for the values."""

    reader: str
    what: str
    values: Mapping[str, int]

    @property
    def cue(self) -> Cue | None:
        """The cue an LED command shows to the person."""
        if self.what != "led":
            return None
        if not self.values["temporary"]:
            return Cue.IDLE
        return Cue.GRANTED if self.values["on_color"] == _GREEN else Cue.DENIED


class SimOsdpBus:
    """`readers` maps a reader's id to its address and SCBK (None: install mode, the default key).

    `to_readers` and `to_agent` are the cable's faults in each direction; `echo` sends the agent its own bytes back.
    Replies take the time the wire would at `baud`. Belongs to one event loop.
    """

    def __init__(self, wire: Wire, readers: Mapping[str, tuple[int, bytes | None]], baud: int = 115200) -> None:
        self.cues: list[Seen] = []
        self.to_readers: Manipulator = bytes
        self.to_agent: Manipulator = bytes
        self.echo = False
        self._wire = wire
        self._byte_s = 10 / baud
        self._seen = asyncio.Event()
        self._plugs = 0
        self._readers = {name: _Reader(name, address, scbk, self._note) for name, (address, scbk) in readers.items()}

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
        self._readers[reader].set_tamper(on)

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

    def _note(self, seen: Seen) -> None:
        self.cues.append(seen)
        self._seen.set()

    def _readable(self) -> None:
        try:
            sent = os.read(self._wire.fd, 4096)
        except OSError:
            return
        if self.echo:
            self.noise(sent)
        for command in _commands(self.to_readers(sent)):
            for reader in self._readers.values():
                reply = reader.hear(command)
                if reply:
                    delay_s = (len(command) + len(reply)) * self._byte_s
                    asyncio.get_running_loop().call_later(delay_s, self._answer, reply, self._plugs)

    def _answer(self, reply: bytes, plug: int) -> None:
        if self._wire.plugged and plug == self._plugs:
            self.noise(self.to_agent(reply))


class _Reader:
    """One PD and its half of the wire."""

    _ids = itertools.count(1)

    def __init__(self, name: str, address: int, scbk: bytes | None, note: Callable[[Seen], None]) -> None:
        self._name = name
        self._address = address
        self._scbk = scbk
        self._note = note
        self._tampered = False
        self._channel = _Channel(next(self._ids))
        self._last: tuple[bytes, bytes] = (b"", b"")
        self._pd: Any = None

    def power_on(self) -> None:
        flags = [] if self._scbk is None else [osdp_sys.FLAG_ENFORCE_SECURE]
        info = osdp.PDInfo(self._address, self._channel, scbk=self._scbk, name=self._name, flags=flags)
        self._pd = osdp_sys.PeripheralDevice(info.get(), capabilities=osdp.PDCapabilities(_CAPABILITIES).get())
        self._pd.set_command_callback(self._command)
        self._last = (b"", b"")

    def power_off(self) -> None:
        self._pd = None

    def forget(self) -> None:
        """Drop what was to be told to the agent: the wire is gone."""
        if self._pd is not None:
            self._pd.flush_events()

    def submit(self, **event: object) -> None:
        if self._pd is not None:
            self._pd.submit_event({"reader_no": 0, **event})

    def set_tamper(self, on: bool) -> None:
        self._tampered = on
        report = bytes((on, 0))
        kind = osdp_sys.STATUS_REPORT_LOCAL
        self.submit(event=osdp_sys.EVENT_STATUS, type=kind, nr_entries=2, mask=3, report=report)

    def hear(self, sent: bytes) -> bytes:
        """Take what is on the bus and return the reply, if it asks for one."""
        if self._pd is None:
            return b""
        command, reply = self._last
        if sent == command:
            return reply
        self._channel.waiting += sent
        for _ in range(_REFRESHES):
            self._pd.refresh()
            if self._channel.answer:
                break
        reply, self._channel.answer = self._channel.answer, b""
        if reply:
            self._last = (sent, reply)
        return reply

    def _command(self, command: Mapping[str, int]) -> _Result:
        """Carry out a command; called by libosdp, which takes no exception."""
        if command["command"] == osdp_sys.CMD_STATUS:
            if not self._tampered:
                return _lent(_QUIET)
            self.set_tamper(True)  # libosdp's binding cannot answer with it: refuse, and tell it at the next poll
            return _lent(_REFUSED)
        if command["command"] in _NAMES:
            self._note(Seen(self._name, _NAMES[command["command"]], dict(command)))
        return _lent(_DONE)


def _commands(data: bytes) -> Iterator[bytes]:
    """Cut commands that arrived together: libosdp forgets what stands behind one that is not for it."""
    while data:
        length = data[2] | data[3] << 8 if len(data) > _HEADER and data[0] == _SOM else 0
        cut = length if _HEADER < length <= len(data) else len(data)
        yield data[:cut]
        data = data[cut:]


def _lent(result: _Result) -> _Result:
    """Make good for libosdp 3.2.9, which drops a reference to the second item that it does not own."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(result[1]))
    return result


class _Channel(osdp.Channel):  # type: ignore[misc] # libosdp publishes no types
    """Bytes between the wire and one PD."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.id = number
        self.waiting = b""
        self.answer = b""

    def read(self, max_bytes: int) -> bytes:
        data, self.waiting = self.waiting[:max_bytes], self.waiting[max_bytes:]
        return data

    def write(self, buf: bytes) -> int:
        self.answer += bytes(buf)
        return len(buf)

    def flush(self) -> None:
        self.waiting = b""
