"""What is to be sent to one reader besides polls: cues, texts and outputs, the newest of each kind."""

import logging
from collections.abc import Mapping

from drivers.base import Cue, DeviceFault, DeviceId
from drivers.osdp import messages
from drivers.osdp.messages import Cmd, Command

PENDING_S = 2.0
"""Feedback older than this is dropped: nobody stands there any more, and no door opens late."""

TEXT_S = 3
"""A text that comes with a cue stands so long; the one of `idle` stands always."""

_log = logging.getLogger(__name__)


class Feedback:
    """A queue in which a newer command replaces an older one to the same LED, buzzer, display or output: bounded.

    `texts` is what its display shows with a cue.
    """

    def __init__(self, reader: DeviceId, texts: Mapping[Cue, str]) -> None:
        self.outputs: int | None = None
        """How many outputs the reader says it has; None while that is unknown."""
        self._reader = reader
        self._pending: dict[str, tuple[float, Command]] = {}
        self._held: dict[int, bool] = {}
        self._texts = texts
        self._left_out: set[Cmd] = set()

    def __bool__(self) -> bool:
        return bool(self._pending)

    def show(self, cue: Cue, now: float) -> None:
        self._pending.pop("buzzer", None)
        for command in messages.cue_commands(cue):
            self._queue("led" if command.code is Cmd.LED else "buzzer", command, now)
        if self._texts:
            shown = self._texts.get(cue, self._texts.get(Cue.IDLE, " "))
            self._queue("text", messages.text(shown, for_s=0 if cue is Cue.IDLE else TEXT_S), now)

    def switch(self, number: int, *, on: bool, for_s: float | None, now: float) -> None:
        """Raises: DeviceFault when the reader has no such output or cannot time so long."""
        self._check(number, for_s)
        self._held[number] = on and for_s is None
        self._queue(_name(number), messages.output(number, on=on, for_s=for_s), now)

    def hold(self, number: int, *, on: bool) -> None:
        """Remember a state for good that cannot be sent now; `restore` sends it."""
        self._check(number, None)
        self._held[number] = on

    def restore(self, now: float) -> None:
        """Put LED and known outputs in order: contact is new, the reader may have started afresh."""
        self._pending.clear()
        self.show(Cue.IDLE, now)
        for number, on in self._held.items():
            self._queue(_name(number), messages.output(number, on=on), now)

    def release(self, now: float) -> None:
        """Every output ever switched goes off, and nothing else is sent: the safe state at the end."""
        self._pending.clear()
        for number in self._held:
            self._held[number] = False
            self._queue(_name(number), messages.output(number, on=False), now)

    def clear(self) -> None:
        self._pending.clear()
        self._left_out.clear()

    def leave_out(self, code: Cmd) -> None:
        """The reader does not know this command: ask no more while this contact lasts."""
        self._left_out.add(code)

    def take(self, now: float) -> Command | None:
        """Return the oldest command that is not too old."""
        while self._pending:
            name = next(iter(self._pending))
            queued_s, command = self._pending.pop(name)
            if now - queued_s <= PENDING_S:
                return command
            _log.warning("%s: dropped a command that waited over %.0f s: %s", self._reader, PENDING_S, name)
        return None

    def _queue(self, name: str, command: Command, now: float) -> None:
        self._pending.pop(name, None)
        if command.code not in self._left_out:
            self._pending[name] = (now, command)

    def _check(self, number: int, for_s: float | None) -> None:
        if self.outputs is not None and number >= self.outputs:
            raise DeviceFault(
                self._reader, f"has no output-{number}", hint=f"it has {self.outputs} outputs, from output-0 on"
            )
        if for_s is not None and not 0 < for_s <= messages.MAX_PULSE_S:
            raise DeviceFault(
                self._reader, f"cannot switch for {for_s} s", hint=f"more than 0 s, at most {messages.MAX_PULSE_S} s"
            )


def _name(number: int) -> str:
    return f"output-{number}"
