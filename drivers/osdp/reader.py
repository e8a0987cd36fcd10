"""One reader as its control panel sees it: a state machine without I/O or clock.

    OFFLINE ─ID─► [CHALLENGE ─CHLNG─► PROOF ─SCRYPT─►] ONLINE ─POLL, questions, LED, BUZ, TEXT, OUT…
       ▲                                                  │
       └──── no answer, refusal, or a session in doubt ───┘

The panel asks `outgoing` or `next_feedback` for bytes and says what came of them: `received` or `missed`. A command
without an acceptable reply is sent again, the same bytes with the same sequence number, so that nothing is lost or
doubled. Without `secure_channel = "off"` nothing but ID and the handshake is ever sent in the clear: whatever a
reader says of itself before its proof is not believed, so identity, capabilities and status are asked for after it,
between the polls, and a reader serves people from its first poll on.
"""

import logging
from collections.abc import Callable, Sequence
from enum import StrEnum

from drivers.base import DeviceFault, DeviceId, DeviceState, Emit, FrameError, Status
from drivers.osdp import messages
from drivers.osdp.config import OsdpReader, SecureChannel
from drivers.osdp.exchange import Exchange, Sent
from drivers.osdp.feedback import Feedback
from drivers.osdp.frames import Block, Frame
from drivers.osdp.messages import Capability, Cmd, Command, Nak, Reply
from drivers.osdp.outage import TRY_S, Outage
from drivers.osdp.points import Points
from drivers.osdp.secure import SCBK_D, Mismatch, SecureSession
from drivers.osdp.trust import Trust
from drivers.osdp.usual import Usual

TRIES = 6
"""A command is sent so often before the reader counts as gone: with it goes whatever it was just telling."""

_SILENT_TRIES = 3  # without contact, before that is reported
_REFUSED_S = 5.0  # between tries while the reader answers but refuses
_BUSY_S = 5.0
_BREAKS = 3  # sessions lost within _STEADY_S that are mended in silence
_STEADY_S = 10.0
_QUESTIONS = (messages.IDENTIFY, messages.CAPABILITIES, messages.LOCAL_STATUS)

_SILENT = "check its power and the bus wires, its address and the baud rate"
_WRONG_KEY = "put the reader's own SCBK into its key_file, or key the reader anew: gatehouse reader install"
_REFUSES = 'give it a key and switch its secure channel on; a reader without one needs secure_channel = "off"'
_WIRING = "check the bus wires, termination and the baud rate"
_DEVICE = "check that this is an OSDP 2 reader, and its firmware"

_log = logging.getLogger(__name__)


class Phase(StrEnum):
    OFFLINE = "offline"
    CHALLENGE = "challenge"
    PROOF = "proof"
    ONLINE = "online"


class ReaderLink:
    """Belongs to the panel's task. `retry_s` is when an offline reader is tried next."""

    def __init__(self, config: OsdpReader, emit: Emit) -> None:
        self.id = DeviceId(config.id)
        self.phase = Phase.OFFLINE
        self.retry_s = 0.0
        self.feedback = Feedback(self.id, config.texts)
        self.points = Points(self.id, emit)
        self.trust = Trust(self.id, config.identity, self.points)
        self.outage = Outage()
        self.usual = Usual()
        self.refusal = ""
        """Why it did not take its new key."""
        self._config = config
        self._emit = emit
        self._exchange = Exchange(config.address)
        self._proof = b""
        self._suspected = False
        """Whether it is asked, after its keys have failed, if it is on the default key."""
        self._questions: list[Command] = []
        self._breaks: list[float] = []
        self._status: Status | None = None

    # ------------------------------------------------------------ what the panel asks

    def start(self, keys: Sequence[bytes], now: float, proved: Callable[[bytes], None] = lambda _: None) -> None:
        """Begin afresh, as after the port has opened; no keys where the channel is off."""
        self.trust.use(keys, proved)
        self._restart(now)
        self.outage.over()
        self._breaks.clear()

    @property
    def address(self) -> int:
        return self._config.address

    @property
    def online(self) -> bool:
        return self.phase is Phase.ONLINE

    @property
    def silent(self) -> bool:
        """Whether it is being looked for, after it did not answer."""
        return self.phase is Phase.OFFLINE and self.outage.misses > 0

    @property
    def unanswered(self) -> bool:
        """Whether a command is on its way."""
        return self._exchange.sent is not None

    @property
    def secured(self) -> bool:
        """Whether its frames carry a MAC."""
        return self._exchange.secured

    @property
    def quiet(self) -> bool:
        """Whether it is in contact and due nothing but polls."""
        return self.phase is Phase.ONLINE and self._exchange.sent is None and not (self.feedback or self._questions)

    @property
    def tries(self) -> int:
        """How often the command on its way was sent."""
        return 0 if self._exchange.sent is None else self._exchange.sent.tries

    def outgoing(self) -> bytes:
        """Return the bytes of this turn: the unanswered command again, the next step, or a poll."""
        return self._send(self._exchange.sent or self._prepare(self._next_step()))

    def next_feedback(self, now: float) -> bytes | None:
        """Return the bytes of the oldest command from above, or else of a question still open; None without one."""
        if not self.online or self._exchange.sent is not None:
            return None
        command = self.feedback.take(now)
        if command is None and self._questions:
            command = self._questions.pop(0)
        return None if command is None else self._send(self._prepare(command))

    def keyset(self, key: bytes) -> bytes:
        """Return the bytes that give it a key, which is tried first from then on; `refusal` says if it refused.

        Raises: DeviceFault outside a secure channel.
        """
        if not (self.online and self._exchange.secured) or self._exchange.sent is not None:
            raise DeviceFault(self.id, "no secure channel is up", hint="a key is sent in nothing else")
        self.refusal = ""
        self.trust.prefer(key)
        return self._send(self._prepare(messages.keyset(key)))

    def acknowledged(self, arrived: bytes) -> bool:
        """Take a reply that only says that a poll has found nothing new; any other is left for `received`."""
        known = self._exchange.acknowledged(arrived)
        if known:
            self.outage.over()
        return known

    def accepts(self, frame: Frame) -> bool:
        """Whether a frame answers the command on its way."""
        return self._exchange.accepts(frame)

    def received(self, frame: Frame, now: float) -> None:
        """Take a frame that `accepts` has passed."""
        sent = self._exchange.sent
        if sent is None:
            return
        self.outage.over()
        if frame.code == Reply.BUSY and not frame.secured:
            self._busy(sent, now)
            return
        try:
            frame = self._exchange.open(frame)
        except FrameError as error:
            self._broken(error.reason, now)
            return
        if frame.code == Reply.NAK:
            self._refused(sent, frame.data, now)
            return
        self._exchange.sent = None
        try:
            self._answered(sent.command, frame, now)
        except FrameError as error:
            _log.warning("%s: a reply makes no sense: %s", self.id, error.reason)
            if not self.online:
                self._give_up("its replies make no sense", _DEVICE, now)

    def missed(self, now: float) -> None:
        """Nothing acceptable came in time."""
        self.outage.missed()
        if self.phase is not Phase.OFFLINE:
            if self._exchange.sent is not None and self._exchange.sent.tries < TRIES:
                return
            self.outage.begins(now)
        self._restart(now + TRY_S)
        if self.outage.misses >= _SILENT_TRIES:
            self.report(DeviceState.FAULT, now, "no answer", _SILENT)

    def overheard(self, frame: Frame, now: float) -> None:
        """Take note of a frame that answers nobody: from a reader being looked for it is an answer that came late."""
        if self.silent and frame.reply and frame.address == self._config.address:
            self.outage.answers_late()
            self.retry_s = now

    def fault(self, reason: str, hint: str, now: float) -> None:
        """Go offline for a reason outside the reader: its port or its key."""
        self._restart(now)
        self.outage.over()
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
        if self.phase is Phase.CHALLENGE and self.trust.key is not None:
            self._exchange.session = SecureSession(SCBK_D if self._suspected else self.trust.key)
            return Command(Cmd.CHLNG, self._exchange.session.random)
        if self.phase is Phase.PROOF:
            return Command(Cmd.SCRYPT, self._proof)
        self._exchange.begin()
        return messages.IDENTIFY

    def _prepare(self, command: Command) -> Sent:
        return self._exchange.prepare(command, default_key=self._suspected or self.trust.key == SCBK_D)

    def _send(self, sent: Sent) -> bytes:
        sent.tries += 1
        return sent.wire

    # ------------------------------------------------------------ answers

    def _answered(self, command: Command, frame: Frame, now: float) -> None:
        """Take the step that an answer allows. Raises: FrameError when it is none to this command."""
        if self.online:
            self._told(command, frame, now)
        elif command.code is Cmd.ID and frame.code == Reply.PDID:
            identity = messages.parse_identity(frame.data)
            if self._config.secure_channel is SecureChannel.OFF:
                self.trust.identified(identity, now)
                self._go_online(_QUESTIONS[1:], now)
            else:
                self.phase = Phase.CHALLENGE
        elif command.code is Cmd.CHLNG and frame.code == Reply.CCRYPT:
            self._challenged(frame, now)
        elif command.code is Cmd.SCRYPT and frame.code == Reply.RMAC_I:
            self._proved(frame, now)
        else:
            raise FrameError(self.id, f"0x{frame.code:02x} in reply to {command.code.name}")

    def _challenged(self, frame: Frame, now: float) -> None:
        found = messages.parse_challenged(frame.data)
        if frame.block != Block.CHALLENGE_REPLY or self._exchange.session is None:
            raise FrameError(self.id, "CCRYPT without its security block")
        installing = self.trust.key == SCBK_D and not self._suspected
        if frame.block_data[:1] != b"\x01" and not (installing or self._suspected):
            self._default_key(now)
            return
        try:
            self._proof = self._exchange.session.verify_reader(found.random, found.cryptogram)
        except Mismatch:
            self._mismatched(now)
            return
        if self._suspected:
            self._default_key(now)
        else:
            self.phase = Phase.PROOF

    def _proved(self, frame: Frame, now: float) -> None:
        if frame.block != Block.CRYPTOGRAM_REPLY or self._exchange.session is None:
            raise FrameError(self.id, "RMAC_I without its security block")
        accepted = frame.block_data[:1] == b"\x01" or self.trust.key == SCBK_D
        try:
            self._exchange.session.verify_start(frame.data[:16] if accepted else b"")
        except Mismatch:
            self._mismatched(now)
            return
        self._exchange.secured = True
        self.trust.proved(now)
        self._go_online(_QUESTIONS, now)

    def _go_online(self, questions: Sequence[Command], now: float) -> None:
        self.phase = Phase.ONLINE
        self._questions = list(questions)
        self.feedback.restore(now)
        self.report(DeviceState.OK, now)

    def _told(self, command: Command, frame: Frame, now: float) -> None:
        if command.code is Cmd.KEYSET and frame.code == Reply.ACK:
            self._restart(now)
        elif frame.code == Reply.PDID:
            self.trust.identified(messages.parse_identity(frame.data), now)
        elif frame.code == Reply.PDCAP:
            found = messages.parse_capabilities(frame.data)
            self.feedback.outputs = found.get(Capability.OUTPUTS, (0, 0))[1]
            if found.get(Capability.INPUTS, (0, 0))[1]:
                self._questions.append(messages.INPUT_STATUS)
        else:
            self.points.told(frame, now)

    # ------------------------------------------------------------ refusals

    def _refused(self, sent: Sent, data: bytes, now: float) -> None:
        code, words = data[0] if data else 0, messages.nak_words(data)
        if code == Nak.CHECK and sent.tries < TRIES:
            return
        self._exchange.sent = None
        if self._suspected:
            self._wrong_key(now)
        elif sent.command.code in (Cmd.CHLNG, Cmd.SCRYPT):
            self.trust.refused(now)
            self._give_up(f"it refuses the secure channel: {words}", _REFUSES, now)
        elif code in (Nak.SECURITY_NEEDED, Nak.SECURITY_UNSUPPORTED) and not self._exchange.secured:
            self._give_up(f"it refuses to talk: {words}", _REFUSES, now)
        elif code in (Nak.CHECK, Nak.SEQUENCE, Nak.SECURITY_NEEDED, Nak.SECURITY_UNSUPPORTED):
            self._broken(f"refused: {words}", now)
        elif not self.online or sent.command.code is Cmd.POLL:
            self._give_up(f"it refuses {sent.command.code.name}: {words}", _DEVICE, now)
        else:
            level = logging.INFO if sent.command in (*_QUESTIONS, messages.INPUT_STATUS) else logging.WARNING
            _log.log(level, "%s: %s refused: %s", self.id, sent.command.code.name, words)
            self.refusal = words
            if code == Nak.UNKNOWN_COMMAND:
                self.feedback.leave_out(sent.command.code)

    def _busy(self, sent: Sent, now: float) -> None:
        """Keep the command for the next turn; a reader may be busy for a while, not for ever."""
        sent.tries = 0
        sent.busy_since_s = now if sent.busy_since_s is None else sent.busy_since_s
        if now - sent.busy_since_s > _BUSY_S:
            self._give_up("it is busy and takes no command", _DEVICE, now)

    def _default_key(self, now: float) -> None:
        self.trust.uses_default_key(now)
        self._give_up("it uses the default key, which everybody knows", _WRONG_KEY, now)

    def _mismatched(self, now: float) -> None:
        """Try the next key, and a first failure of all again: a late reply to an older challenge looks the same.

        Then challenge it once as one on the default key, only to know; the proof that would open such a channel is
        never sent.
        """
        if self._suspected:
            self._wrong_key(now)
        elif self.trust.failed(now) or self.trust.failures == 1:
            self._restart(now)
        elif self.trust.key == SCBK_D:
            self._wrong_key(now)
        else:
            self._suspected = True
            self._exchange.session = None
            self.phase = Phase.CHALLENGE

    def _wrong_key(self, now: float) -> None:
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
        self._exchange.clear()
        self._proof, self._suspected = b"", False
        self._questions.clear()
        self.points.forget()
