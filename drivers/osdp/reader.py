"""One reader as its control panel sees it: a state machine without I/O or clock.

    OFFLINE ─ID─► IDENTIFIED ─CAP─► [CHALLENGE ─CHLNG─► PROOF ─SCRYPT─►] STATUS ─LSTAT─► ONLINE ─POLL, LED, BUZ, OUT…
       ▲                                                                                    │
       └────────────────── no answer, refusal, or the session is in doubt ──────────────────┘

The panel asks `outgoing` or `feedback` for bytes and says what came of them: `received` or `missed`. A command
without an acceptable reply is sent again, the same bytes with the same sequence number, so that nothing is lost or
doubled. What PDCAP says about security is never believed: without `secure_channel = "off"` nothing but ID, CAP and
the handshake is ever sent in the clear.
"""

import logging
from dataclasses import dataclass, replace
from enum import StrEnum

from drivers.base import DeviceId, DeviceState, Emit, FrameError, PointId, Reading, Status, Value
from drivers.osdp import messages
from drivers.osdp.config import OsdpReader, SecureChannel
from drivers.osdp.feedback import Feedback
from drivers.osdp.frames import Block, Frame, encode
from drivers.osdp.messages import Capability, Cmd, Command, LocalStatus, Nak, Reply
from drivers.osdp.secure import Mismatch, SecureSession

TRIES = 3
"""A command is sent so often before the reader counts as gone."""

_QUICK_S = 0.5  # between tries in the first seconds of an outage
_FIRST_S = 3.0
_PROBE_S = 0.9  # between tries later: a reader that returns is served within about a second
_FULL_PROBE_S = 5.0  # so rarely may a try then cost a full time-out; the others listen for a moment only
_REFUSED_S = 5.0  # between tries while the reader answers but refuses
_BUSY_S = 5.0
_BREAKS = 3  # sessions lost within _STEADY_S that are mended in silence
_STEADY_S = 10.0

_SILENT = "check its power and the bus wires, its address and the baud rate"
_WRONG_KEY = "put the reader's own SCBK into its key_file, or key the reader anew"
_REFUSES = 'give it a key and switch its secure channel on; a reader without one needs secure_channel = "off"'
_WIRING = "check the bus wires, termination and the baud rate"
_DEVICE = "check that this is an OSDP 2 reader, and its firmware"

_log = logging.getLogger(__name__)


class Phase(StrEnum):
    OFFLINE = "offline"
    IDENTIFIED = "identified"
    CHALLENGE = "challenge"
    PROOF = "proof"
    STATUS = "status"
    ONLINE = "online"


@dataclass(slots=True)
class _Sent:
    """The command on its way, repeated as it is until it is answered."""

    command: Command
    sequence: int
    wire: bytes
    tries: int = 0
    busy_since_s: float | None = None


class ReaderLink:
    """Belongs to the panel's task. `retry_s` is when an offline reader is tried next."""

    def __init__(self, config: OsdpReader, emit: Emit) -> None:
        self.id = DeviceId(config.id)
        self.phase = Phase.OFFLINE
        self.retry_s = 0.0
        self.feedback = Feedback(self.id)
        self._config = config
        self._emit = emit
        self._key: bytes | None = None
        self._session: SecureSession | None = None
        self._proof = b""
        self._secured = False
        self._sequence = 0
        self._sent: _Sent | None = None
        self._misses = 0
        self._mismatches = 0
        self._silent_since_s: float | None = None
        self._full_probe_s = float("-inf")
        self._breaks: list[float] = []
        self._status: Status | None = None
        self._local: LocalStatus | None = None

    # ------------------------------------------------------------ what the panel asks

    def start(self, key: bytes | None, now: float) -> None:
        """Begin afresh, as after the port has opened; `key` is None where the channel is off."""
        self._key = key
        self._restart(now)
        self._misses = self._mismatches = 0
        self._silent_since_s = None
        self._breaks.clear()

    @property
    def online(self) -> bool:
        return self.phase is Phase.ONLINE

    @property
    def silent(self) -> bool:
        """Whether it is being looked for, after it did not answer."""
        return self.phase is Phase.OFFLINE and self._misses > 0

    @property
    def unanswered(self) -> bool:
        """Whether a command is on its way."""
        return self._sent is not None

    def full_wait(self, now: float) -> bool:
        """Whether this try may cost a full time-out; asked once for each try."""
        if self._silent_since_s is not None and now - self._silent_since_s > _FIRST_S:
            if now - self._full_probe_s < _FULL_PROBE_S:
                return False
            self._full_probe_s = now
        return True

    def outgoing(self) -> bytes:
        """Return the bytes of this turn: the unanswered command again, the next step, or a poll."""
        return self._send(self._sent or self._prepare(self._next_step()))

    def next_feedback(self, now: float) -> bytes | None:
        """Return the bytes of the oldest command from above, or None when there is none to send now."""
        if not self.online or self._sent is not None:
            return None
        command = self.feedback.take(now)
        return None if command is None else self._send(self._prepare(command))

    def accepts(self, frame: Frame) -> bool:
        """Whether a frame answers the command on its way; echoes, strangers and late replies do not."""
        if self._sent is None or not frame.reply or frame.address != self._config.address:
            return False
        if frame.code in (Reply.BUSY, Reply.NAK) and not frame.secured:
            return True
        return frame.sequence == self._sent.sequence and frame.secured == self._secured

    def received(self, frame: Frame, now: float) -> None:
        """Take a frame that `accepts` has passed."""
        sent = self._sent
        if sent is None:
            return
        self._misses, self._silent_since_s = 0, None
        if frame.code == Reply.BUSY and not frame.secured:
            self._busy(sent, now)
            return
        try:
            if frame.secured and self._session is not None:
                frame = self._session.open(frame)
        except FrameError as error:
            self._broken(error.reason, now)
            return
        if frame.code == Reply.NAK:
            self._refused(sent, frame.data, now)
            return
        self._sent = None
        try:
            self._answered(sent.command, frame, now)
        except FrameError as error:
            _log.warning("%s: a reply makes no sense: %s", self.id, error.reason)
            if not self.online:
                self._give_up("its replies make no sense", _DEVICE, now)

    def missed(self, now: float) -> None:
        """Nothing acceptable came in time."""
        self._misses += 1
        given_up = self.phase is Phase.OFFLINE or (self._sent is not None and self._sent.tries >= TRIES)
        if not given_up:
            return
        self._silent_since_s = now if self._silent_since_s is None else self._silent_since_s
        self._restart(now + (_QUICK_S if now - self._silent_since_s < _FIRST_S else _PROBE_S))
        if self._misses >= TRIES:
            self.report(DeviceState.FAULT, now, "no answer", _SILENT)

    def fault(self, reason: str, hint: str, now: float) -> None:
        """Go offline for a reason outside the reader: its port or its key."""
        self._restart(now)
        self._misses = 0
        self.report(DeviceState.FAULT, now, reason, hint)

    def report(self, state: DeviceState, now: float, reason: str = "", hint: str = "") -> None:
        """Emit the state if it says something new."""
        old = self._status
        if old is None or (old.state, old.reason) != (state, reason):
            self._status = Status(self.id, state, now, reason, hint)
            self._emit(self._status)

    # ------------------------------------------------------------ sending

    def _next_step(self) -> Command:
        if self.phase is Phase.ONLINE:
            return messages.POLL
        if self.phase is Phase.OFFLINE:
            self._sequence = 0
            return messages.IDENTIFY
        if self.phase is Phase.IDENTIFIED:
            return messages.CAPABILITIES
        if self.phase is Phase.CHALLENGE and self._key is not None:
            self._session = SecureSession(self._key)
            return Command(Cmd.CHLNG, self._session.random)
        if self.phase is Phase.PROOF:
            return Command(Cmd.SCRYPT, self._proof)
        return messages.LOCAL_STATUS

    def _prepare(self, command: Command) -> _Sent:
        frame = Frame(self._config.address, self._sequence, command.code, command.data)
        if command.code is Cmd.CHLNG:
            frame = replace(frame, block=Block.CHALLENGE, block_data=b"\x01")
        elif command.code is Cmd.SCRYPT:
            frame = replace(frame, block=Block.CRYPTOGRAM, block_data=b"\x01")
        elif self._secured and self._session is not None:
            frame = self._session.seal(frame)
        self._sent = _Sent(command, self._sequence, encode(frame))
        self._sequence = self._sequence % 3 + 1
        return self._sent

    def _send(self, sent: _Sent) -> bytes:
        sent.tries += 1
        return sent.wire

    # ------------------------------------------------------------ answers

    def _answered(self, command: Command, frame: Frame, now: float) -> None:
        """Take the step that an answer allows. Raises: FrameError when it is none to this command."""
        if self.online:
            self._told(frame, now)
        elif command.code is Cmd.ID and frame.code == Reply.PDID:
            _log.info("%s: %s", self.id, messages.parse_identity(frame.data))
            self.phase = Phase.IDENTIFIED
        elif command.code is Cmd.CAP and frame.code == Reply.PDCAP:
            self.feedback.outputs = messages.parse_capabilities(frame.data).get(Capability.OUTPUTS, (0, 0))[1]
            self._after_capabilities()
        elif command.code is Cmd.CHLNG and frame.code == Reply.CCRYPT:
            self._challenged(frame, now)
        elif command.code is Cmd.SCRYPT and frame.code == Reply.RMAC_I:
            self._proved(frame, now)
        elif command.code is Cmd.LSTAT:
            self._go_online(now)
            self._told(frame, now)
        else:
            raise FrameError(self.id, f"0x{frame.code:02x} in reply to {command.code.name}")

    def _after_capabilities(self) -> None:
        off = self._config.secure_channel is SecureChannel.OFF
        self.phase = Phase.STATUS if off else Phase.CHALLENGE

    def _challenged(self, frame: Frame, now: float) -> None:
        found = messages.parse_challenged(frame.data)
        if frame.block != Block.CHALLENGE_REPLY or self._session is None:
            raise FrameError(self.id, "CCRYPT without its security block")
        if frame.block_data[:1] != b"\x01":
            self._give_up("it uses the default key, which everybody knows", _WRONG_KEY, now)
            return
        try:
            self._proof = self._session.verify_reader(found.random, found.cryptogram)
        except Mismatch:
            self._mismatched(now)
            return
        self.phase = Phase.PROOF

    def _proved(self, frame: Frame, now: float) -> None:
        if frame.block != Block.CRYPTOGRAM_REPLY or self._session is None:
            raise FrameError(self.id, "RMAC_I without its security block")
        accepted = frame.block_data[:1] == b"\x01"
        try:
            self._session.verify_start(frame.data[:16] if accepted else b"")
        except Mismatch:
            self._mismatched(now)
            return
        self._mismatches = 0
        self._secured = True
        self.phase = Phase.STATUS

    def _go_online(self, now: float) -> None:
        self.phase = Phase.ONLINE
        self.feedback.restore(now)
        self.report(DeviceState.OK, now)

    def _told(self, frame: Frame, now: float) -> None:
        """Take what a reader has to say; ACK and whatever is unknown say nothing."""
        if frame.code == Reply.RAW:
            self._read("card", messages.parse_raw(frame.data), now)
        elif frame.code == Reply.FMT:
            self._read("card", messages.parse_formatted(frame.data), now)
        elif frame.code == Reply.KEYPAD:
            self._read("keys", messages.parse_keys(frame.data), now)
        elif frame.code == Reply.LSTATR:
            local = messages.parse_local_status(frame.data)
            if self._local is None or local.tamper != self._local.tamper:
                self._read("tamper", local.tamper, now)
            if self._local is None or local.power != self._local.power:
                self._read("power", local.power, now)
            self._local = local

    def _read(self, point: str, value: Value, now: float) -> None:
        self._emit(Reading(self.id, PointId(point), value, now))

    # ------------------------------------------------------------ refusals

    def _refused(self, sent: _Sent, data: bytes, now: float) -> None:
        code, words = data[0] if data else 0, messages.nak_words(data)
        if code == Nak.CHECK and sent.tries < TRIES:
            return
        self._sent = None
        if sent.command.code in (Cmd.CHLNG, Cmd.SCRYPT):
            self._give_up(f"it refuses the secure channel: {words}", _REFUSES, now)
        elif code in (Nak.SECURITY_NEEDED, Nak.SECURITY_UNSUPPORTED) and not self._secured:
            self._give_up(f"it refuses to talk: {words}", _REFUSES, now)
        elif code in (Nak.CHECK, Nak.SEQUENCE, Nak.SECURITY_NEEDED, Nak.SECURITY_UNSUPPORTED):
            self._broken(f"refused: {words}", now)
        elif sent.command.code is Cmd.CAP:
            self._after_capabilities()
        elif sent.command.code is Cmd.LSTAT and not self.online:
            self._go_online(now)
        elif sent.command.code in (Cmd.ID, Cmd.POLL):
            self._give_up(f"it refuses {sent.command.code.name}: {words}", _DEVICE, now)
        else:
            _log.warning("%s: %s refused: %s", self.id, sent.command.code.name, words)

    def _busy(self, sent: _Sent, now: float) -> None:
        """Keep the command for the next turn; a reader may be busy for a while, not for ever."""
        sent.tries = 0
        sent.busy_since_s = now if sent.busy_since_s is None else sent.busy_since_s
        if now - sent.busy_since_s > _BUSY_S:
            self._give_up("it is busy and takes no command", _DEVICE, now)

    def _mismatched(self, now: float) -> None:
        """Try a first mismatch again: a late reply to an older challenge looks the same."""
        self._mismatches += 1
        if self._mismatches == 1:
            self._restart(now)
        else:
            self._give_up("wrong key: reader and key_file do not hold the same", _WRONG_KEY, now)

    def _broken(self, reason: str, now: float) -> None:
        """The session is in doubt: begin again at once, and say so when that happens often."""
        _log.warning("%s: connection lost: %s", self.id, reason)
        self._breaks = [*(at for at in self._breaks if now - at < _STEADY_S), now]
        if len(self._breaks) > _BREAKS:
            self._give_up(f"the connection keeps breaking: {reason}", _WIRING, now)
        else:
            self._restart(now)

    def _give_up(self, reason: str, hint: str, now: float) -> None:
        self._restart(now + _REFUSED_S)
        self.report(DeviceState.FAULT, now, reason, hint)

    def _restart(self, retry_s: float) -> None:
        self.phase = Phase.OFFLINE
        self.retry_s = retry_s
        self.feedback.clear()
        self._session, self._secured, self._proof = None, False, b""
        self._sent = None
        self._local = None
