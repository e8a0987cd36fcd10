"""The main process as the camera process sees it: the other end of one Unix socket."""

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from agent.vision.wire import Message, SnapshotWanted, WorkerConfig, decode, encode
from drivers.base import FrameError

WANTED: Final = 16


class Peer:
    """`send` may be called from any thread; `watch` has one of its own; `gone` says that nobody listens any more."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(str(path))
        self._lock = threading.Lock()
        self._rest = b""
        self.gone = False
        self.wanted: deque[SnapshotWanted] = deque(maxlen=WANTED)
        """Pictures that are asked for; too many at once, and the oldest is not answered."""

    def config(self) -> WorkerConfig:
        """The first message. Raises: FrameError when it is none, or the peer leaves."""
        buffer = bytearray()
        while True:
            used, message = decode(buffer)
            if isinstance(message, WorkerConfig):
                self._rest = bytes(buffer[used:])
                return message
            if used:
                raise FrameError("vision", "the first message is no configuration")
            chunk = self._socket.recv(65536)
            if not chunk:
                raise FrameError("vision", "the main process left before it said what to do")
            buffer += chunk

    def send(self, message: Message) -> None:
        """A peer that has gone is noted, not raised."""
        data = encode(message)
        try:
            with self._lock:
                self._socket.sendall(data)
        except OSError:
            self.gone = True

    def watch(self, wake: Callable[[], None]) -> None:
        """Return when the peer has gone, or says something that it may not; `wake` when a picture is wanted."""
        buffer = bytearray(self._rest)
        with contextlib.suppress(OSError, FrameError):
            while self._asked(buffer, wake) and (chunk := self._socket.recv(4096)):
                buffer += chunk
        self.gone = True
        wake()

    def _asked(self, buffer: bytearray, wake: Callable[[], None]) -> bool:
        """Take whole messages from the front; False after one that is none of a main process."""
        while True:
            used, message = decode(buffer)
            del buffer[:used]
            if isinstance(message, SnapshotWanted):
                self.wanted.append(message)
                wake()
            else:
                return not used
