"""The vision process: `python -m agent.vision.worker SOCKET`.

It connects to the socket, is told its cameras by the first frame, and sends observations, camera states and sums. It
ends when the socket closes or on SIGTERM. It knows no door, no key and no journal, and loads nothing that does.

Threads: the main thread runs motion, detector and trackers (one interpreter, one user); a thread per camera captures;
one reads the socket only to learn that it has closed. Sending is serialised by a lock. An exception in any thread ends
the process, and the client starts another.
"""

import contextlib
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from types import FrameType as StackFrame
from typing import TYPE_CHECKING

from agent.vision.wire import Failed, Message, Stats, WorkerConfig, decode, encode
from drivers.base import Clock, ConfigError, FrameError, Report, Status, SystemClock
from drivers.camera import Capture, Frame

if TYPE_CHECKING:
    from agent.vision.watch import CameraWatch
    from models.detector import Detector

_log = logging.getLogger(__name__)

_NICE = 5
_TURN_S = 0.25
"""How soon a signal or a stale camera is noticed while no picture comes."""
_STATS_S = 5.0
_END_S = 0.3
_EX_SOFTWARE, _EX_CONFIG, _EX_USAGE = 70, 78, 64

# One thread for each library: theirs fight each other. FFmpeg's and OpenCV's own messages may hold an address with
# its password, so they say nothing; a Capture says what matters.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
    "OPENCV_LOG_LEVEL": "SILENT",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}


class Peer:
    """The main process at the other end of the socket."""

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
        """From any thread; a peer that has gone is noted, not raised."""
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


class Worker:
    """Takes the newest pictures of all cameras; one inference at a time, the camera that waited longest first."""

    def __init__(self, config: WorkerConfig, peer: Peer, clock: Clock) -> None:
        self._config = config
        self._peer = peer
        self._clock = clock
        self._wake = threading.Event()
        self._stopping = False
        self._detector = _detector(config)
        self._captures = [Capture(c.source, clock, self._report, self._wake.set) for c in config.cameras]
        self._watches = [_watch(config, number, self._detector) for number in range(len(config.cameras))]
        self._motion_cpu_s = 0.0
        self._inference_cpu_s = 0.0

    def stop(self) -> None:
        """For a signal handler: takes no lock; noticed within _TURN_S."""
        self._stopping = True

    def run(self) -> None:
        """Until told to stop or the peer has gone."""
        for capture in self._captures:
            capture.start()
        waiting: dict[int, Frame] = {}
        stats_due = self._clock.mono_s() + _STATS_S
        while not (self._stopping or self._peer.gone):
            if not waiting:
                self._wake.wait(_TURN_S)
            self._wake.clear()
            self._consider(waiting)
            self._look(waiting)
            if self._clock.mono_s() >= stats_due:
                stats_due = self._clock.mono_s() + _STATS_S
                self._peer.send(self._stats())
        for capture in self._captures:
            capture.stop()

    def ended(self) -> bool:
        """Whether every capture has let go of its camera."""
        by = self._clock.mono_s() + _END_S
        return all(capture.join(max(0.0, by - self._clock.mono_s())) for capture in self._captures)

    def _report(self, report: Report) -> None:
        assert isinstance(report, Status), "a camera has no readings"
        self._peer.send(report)

    def _consider(self, waiting: dict[int, Frame]) -> None:
        began = time.thread_time()
        for number, (capture, watch) in enumerate(zip(self._captures, self._watches, strict=True)):
            capture.check()
            frame = capture.take()
            if frame is not None and (watch.consider(frame) or number in waiting):
                waiting[number] = frame
        self._motion_cpu_s += time.thread_time() - began

    def _look(self, waiting: dict[int, Frame]) -> None:
        if not waiting:
            return
        number = min(waiting, key=lambda waiter: self._watches[waiter].looked_s)
        began = time.thread_time()
        seen = self._watches[number].look(waiting.pop(number), self._detector.detect)
        self._inference_cpu_s += time.thread_time() - began
        self._peer.send(seen)

    def _stats(self) -> Stats:
        return Stats(
            frames=sum(capture.frames for capture in self._captures),
            dropped=sum(capture.dropped for capture in self._captures),
            moving=sum(watch.moving for watch in self._watches),
            inferences=sum(watch.looks for watch in self._watches),
            cpu_s=round(time.process_time(), 3),
            motion_cpu_s=round(self._motion_cpu_s, 3),
            inference_cpu_s=round(self._inference_cpu_s, 3),
            rss_kib=_resident_kib(),
            runtime=self._detector.runtime,
        )


def _detector(config: WorkerConfig) -> "Detector":
    import cv2

    from models.card import load
    from models.detector import Detector

    cv2.setNumThreads(1)
    pictures = [(c.source.picture.height, c.source.picture.width) for c in config.cameras]
    return Detector(load(config.model), pictures=pictures, runtime=config.runtime, threads=config.threads)


def _watch(config: WorkerConfig, number: int, detector: "Detector") -> "CameraWatch":
    from agent.vision.watch import CameraWatch

    return CameraWatch(
        config.cameras[number],
        min_score=config.min_score,
        confident=detector.confident,
        infer_every_s=config.infer_every_s,
    )


def _resident_kib() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() // 1024


def _end_at_once(args: threading.ExceptHookArgs) -> None:
    """A thread's exception is a bug: end the process, so that the client reports it and starts another."""
    _log.critical("bug in thread %s", args.thread.name if args.thread else "?", exc_info=args.exc_value)
    os._exit(_EX_SOFTWARE)


def main() -> int:
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m agent.vision.worker SOCKET\n")
        return _EX_USAGE
    os.environ.update(_ENVIRONMENT)
    os.nice(_NICE)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    threading.excepthook = _end_at_once
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the agent decides
    try:
        peer = Peer(Path(sys.argv[1]))
        config = peer.config()
    except (OSError, FrameError) as err:
        _log.error("the main process cannot be reached: %s", err)
        return _EX_USAGE
    try:
        worker = Worker(config, peer, SystemClock())
    except ConfigError as err:
        peer.send(Failed(str(err), err.hint))
        return _EX_CONFIG

    def on_term(_number: int, _frame: StackFrame | None) -> None:
        worker.stop()

    signal.signal(signal.SIGTERM, on_term)
    threading.Thread(target=peer.watch, name="socket", daemon=True).start()
    worker.run()
    if not worker.ended():
        logging.shutdown()
        os._exit(0)  # a thread is inside native code, which cannot be interrupted and must not meet a dying interpreter
    return 0


if __name__ == "__main__":
    sys.exit(main())
