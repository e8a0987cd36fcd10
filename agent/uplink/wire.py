"""The socket under paho, with both directions buffered.

paho makes a system call for each packet it sends and several for each it reads; here a burst of either is one. PUBACKs
never reach paho: they answer messages that it has not sent (`packets`).
Only one thread at a time touches it: the connecting one until the link is up, then the loop.
"""

import logging
import socket
import ssl
from contextlib import suppress
from typing import Final

from agent.uplink.packets import MOST_BYTES, Ack, Acks

_log = logging.getLogger(__name__)
_CHUNK: Final = 65536
_NOT_NOW: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Wire:
    """What paho sends is kept until `flush`; what it reads has been brought by `fill`."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._out = bytearray()
        self._in = b""
        self._at = 0
        self._split = Acks()
        self.acks: list[Ack] = []
        """PUBACKs that have arrived, for the session to take."""
        self.ended = False
        """Nothing more comes: paho is told so when it has read what is left."""

    # ------------------------------------------------------------ for paho

    def send(self, data: bytes | bytearray) -> int:
        self._out += data
        return len(data)

    def recv(self, most: int) -> bytes:
        data = self._in[self._at : self._at + most]
        if not data and not self.ended:
            raise BlockingIOError
        self._at += len(data)
        return data

    def fileno(self) -> int:
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:
        self._sock.setblocking(flag)

    def close(self) -> None:
        self.flush()
        self._sock.close()

    # ------------------------------------------------------------ for the session

    @property
    def unread(self) -> bool:
        """Whether paho has something to read, be it the end."""
        return self.ended or self._at < len(self._in)

    @property
    def unsent(self) -> bool:
        return bool(self._out)

    def fill(self) -> None:
        """Take what has arrived."""
        came: list[bytes] = []
        try:
            while data := self._sock.recv(_CHUNK):
                came.append(data)
                if not (isinstance(self._sock, ssl.SSLSocket) and self._sock.pending()):
                    break  # decrypted bytes do not make the descriptor readable; others do
            else:
                self.ended = True
        except OSError as error:
            # A descriptor may be readable for less than a record of TLS.
            self.ended = self.ended or not isinstance(error, _NOT_NOW)
        skipped = self._split.skipped
        acks, others = self._split.feed(b"".join(came))
        if self._split.skipped > skipped:
            _log.warning("uplink: a message of more than %d bytes is passed over", MOST_BYTES)
        self.acks += acks
        self._in, self._at = self._in[self._at :] + others, 0

    def flush(self) -> None:
        """Send what is kept, as far as the socket takes it now."""
        try:
            while self._out:
                del self._out[: self._sock.send(self._out)]
        except _NOT_NOW:
            return
        except OSError:
            self._out.clear()
            self.fill()  # the broker may have said why it hangs up
            self.ended = True

    def hang_up(self) -> None:
        self.ended = True
        with suppress(OSError):  # the other end may have been quicker
            self._sock.shutdown(socket.SHUT_RDWR)
