"""One exchange after another with a reader: the bytes of a command, and which reply answers it."""

from dataclasses import dataclass, replace
from functools import lru_cache

from drivers.osdp import messages
from drivers.osdp.frames import MARK, Block, Frame, encode
from drivers.osdp.messages import Cmd, Command, Reply
from drivers.osdp.secure import SecureSession


@dataclass(slots=True)
class Sent:
    """The command on its way, repeated as it is until it is answered."""

    command: Command
    sequence: int
    wire: bytes
    tries: int = 0
    busy_since_s: float | None = None


class Exchange:
    """Belongs to one reader's state, which says when a command has its answer (`sent` is None) and what it means."""

    def __init__(self, address: int) -> None:
        self.sent: Sent | None = None
        self.session: SecureSession | None = None
        self.secured = False
        """Whether the session is proven: from then on every frame carries a MAC."""
        self._address = address
        self._sequence = 0

    def clear(self) -> None:
        """Contact is lost, and with it the session."""
        self.sent, self.session, self.secured = None, None, False

    def begin(self) -> None:
        """The next command has the number zero: it makes the reader begin anew."""
        self._sequence = 0

    def prepare(self, command: Command, *, default_key: bool) -> Sent:
        """Make the bytes of a new command; a handshake says in them whether it is about the default key."""
        if self.secured and self.session is not None:
            wire = self.session.seal(self._address, self._sequence, command.code, command.data)
        else:
            wire = encode(self._in_the_clear(command, b"\x00" if default_key else b"\x01"))
        self.sent = Sent(command, self._sequence, wire)
        self._sequence = self._sequence % 3 + 1
        return self.sent

    def acknowledged(self, arrived: bytes) -> bool:
        """Whether this is an ACK to a poll and nothing else; then the exchange is over.

        So ends almost every one, and what is known beforehand need not be taken apart. An adapter's echo and a mark
        byte may stand before it.
        """
        sent = self.sent
        if sent is None or sent.command is not messages.POLL:
            return False
        reply = arrived.removeprefix(sent.wire).removeprefix(MARK)
        if self.secured and self.session is not None:
            known = self.session.acknowledged(reply, self._address, sent.sequence)
        else:
            known = reply == _bare_ack(self._address, sent.sequence)
        if known:
            self.sent = None
        return known

    def accepts(self, frame: Frame) -> bool:
        """Whether a frame answers the command on its way; echoes, strangers and late replies do not."""
        if self.sent is None or not frame.reply or frame.address != self._address:
            return False
        if frame.code in (Reply.BUSY, Reply.NAK) and not frame.secured:
            return True
        return frame.sequence == self.sent.sequence and frame.secured == self.secured

    def open(self, frame: Frame) -> Frame:
        """Return a reply in plain bytes. Raises: FrameError when it is not the reader's own."""
        return self.session.open(frame) if frame.secured and self.session is not None else frame

    def _in_the_clear(self, command: Command, key: bytes) -> Frame:
        frame = Frame(self._address, self._sequence, command.code, command.data)
        if command.code is Cmd.CHLNG:
            return replace(frame, block=Block.CHALLENGE, block_data=key)
        if command.code is Cmd.SCRYPT:
            return replace(frame, block=Block.CRYPTOGRAM, block_data=key)
        return frame


@lru_cache(maxsize=512)
def _bare_ack(address: int, sequence: int) -> bytes:
    return encode(Frame(address, sequence, Reply.ACK, reply=True))
