"""The main process as the camera process sees it: the other end of one Unix socket."""

import contextlib
import socket
import threading
from pathlib import Path

from agent.vision.wire import Message, WorkerConfig, decode, encode
from drivers.base import FrameError


class Peer:
    """`send` may be called from any thread; `watch` has one of its own; `gone` says that nobody listens any more."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(str(path))
        self._lock = threading.Lock()
        self.gone = False

    def config(self) -> WorkerConfig:
        """The first message. Raises: FrameError when it is none, or the peer leaves."""
        buffer = bytearray()
        while True:
            used, message = decode(buffer)
            if isinstance(message, WorkerConfig):
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

    def watch(self) -> None:
        """Return when the peer has gone."""
        with contextlib.suppress(OSError):
            while self._socket.recv(4096):
                pass
        self.gone = True
