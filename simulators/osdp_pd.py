"""One OSDP reader: libosdp's peripheral (PD), an implementation independent of our control panel.

libosdp's own Python class refreshes its PD every 20 ms in a thread; here `refresh` runs when bytes arrive, in the
loop. One duty of a PD that libosdp 3.2.9 leaves out is done here: a command repeated with its sequence number gets
the same reply again (libosdp would carry it out twice, and lose the card it had answered with).
"""

import ctypes
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import osdp
import osdp_sys

from drivers.base import Cue

INPUTS = 2
OUTPUTS = 2
_VENDOR, _MODEL, _FIRMWARE = 0x00CAFE, 0x10, 0x00010203
_REFRESHES = 3  # refreshes in which libosdp takes a command and answers it
_GREEN, _AMBER = 2, 3
_CAPABILITIES = (
    (osdp_sys.CAP_CONTACT_STATUS_MONITORING, 1, INPUTS),
    (osdp_sys.CAP_OUTPUT_CONTROL, 1, OUTPUTS),
    (osdp_sys.CAP_CARD_DATA_FORMAT, 1, 0),
    (osdp_sys.CAP_READER_LED_CONTROL, 1, 1),
    (osdp_sys.CAP_READER_AUDIBLE_OUTPUT, 1, 1),
    (osdp_sys.CAP_READER_TEXT_OUTPUT, 1, 1),
)
_Result: TypeAlias = tuple[int, Mapping[str, int] | None]
_DONE: _Result = (0, None)
_REFUSED: _Result = (-1, None)
_LENGTHS = {osdp_sys.STATUS_REPORT_LOCAL: 2, osdp_sys.STATUS_REPORT_INPUT: INPUTS}
_QUIET: _Result = (
    0,
    {"command": osdp_sys.CMD_STATUS, "type": osdp_sys.STATUS_REPORT_LOCAL, "nr_entries": 2, "mask": 0},
)
_NAMES = {
    osdp_sys.CMD_LED: "led",
    osdp_sys.CMD_BUZZER: "buzzer",
    osdp_sys.CMD_OUTPUT: "output",
    osdp_sys.CMD_TEXT: "text",
    osdp_sys.CMD_KEYSET: "keyset",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a reader was told to do: `led`, `buzzer`, `output`, `text` or `keyset`; libosdp names the values."""

    reader: str
    what: str
    values: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Seen({self.reader}, {self.what})"

    @property
    def cue(self) -> Cue | None:
        """The cue an LED command shows to the person."""
        if self.what != "led":
            return None
        if not self.values["temporary"]:
            return Cue.IDLE
        return {_GREEN: Cue.GRANTED, _AMBER: Cue.PIN}.get(self.values["on_color"], Cue.DENIED)


class SimReader:
    """One PD and its half of the wire. `scbk` is its key, None while it is in install mode on the default key."""

    _ids = itertools.count(1)

    def __init__(self, name: str, address: int, scbk: bytes | None, note: Callable[[Seen], None]) -> None:
        self.scbk = scbk
        self.serial = 0x1000 + address
        self._name = name
        self._address = address
        self._note = note
        self._facts = {kind: bytearray(length) for kind, length in _LENGTHS.items()}
        self._channel = _Channel(next(self._ids))
        self._last: tuple[bytes, bytes] = (b"", b"")
        self._pd: Any = None

    @property
    def powered(self) -> bool:
        return self._pd is not None

    def power_on(self) -> None:
        flags = [] if self.scbk is None else [osdp_sys.FLAG_ENFORCE_SECURE]
        who = osdp.PdId(1, _MODEL, _VENDOR, self.serial, _FIRMWARE)
        info = osdp.PDInfo(self._address, self._channel, scbk=self.scbk, name=self._name, flags=flags, id=who)
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

    def set_fact(self, kind: int, place: int, on: bool) -> None:
        """Change one byte of a status report and tell it at the next poll."""
        self._facts[kind][place] = on
        self._tell(kind)

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

    def _tell(self, kind: int) -> None:
        report = bytes(self._facts[kind])
        mask = (1 << len(report)) - 1
        self.submit(event=osdp_sys.EVENT_STATUS, type=kind, nr_entries=len(report), mask=mask, report=report)

    def _command(self, command: Mapping[str, Any]) -> _Result:
        """Carry out a command; called by libosdp, which takes no exception."""
        if command["command"] == osdp_sys.CMD_STATUS:
            kind = command["type"]
            if kind == osdp_sys.STATUS_REPORT_LOCAL and not any(self._facts[kind]):
                return _lent(_QUIET)
            if kind in self._facts:
                self._tell(kind)  # libosdp's binding cannot answer with it: refuse, and tell it at the next poll
            return _lent(_REFUSED)
        if command["command"] == osdp_sys.CMD_KEYSET:
            self.scbk = bytes(command["data"])
        if command["command"] in _NAMES:
            self._note(Seen(self._name, _NAMES[command["command"]], dict(command)))
        return _lent(_DONE)


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
