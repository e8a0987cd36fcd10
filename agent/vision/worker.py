"""The vision process: `python -m agent.vision.worker SOCKET`.

It connects to the socket, is told its cameras by the first frame, and sends observations, camera states and sums. It
ends when the socket closes or on SIGTERM. It knows no door, no key and no journal, and loads nothing that does.

Threads: the main thread runs motion, detector, trackers and snapshots (one interpreter, one user); a thread per camera
captures; one reads the socket: pictures that are asked for, and that it has closed. Sending is serialised by a lock. An
exception in any thread ends the process, and the client starts another.
"""

import logging
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType as StackFrame
from typing import TYPE_CHECKING

from agent.vision.budget import Budget
from agent.vision.peer import Peer
from agent.vision.profile import PROFILES
from agent.vision.wire import CameraStats, Failed, Stats, WorkerConfig
from drivers.base import Clock, ConfigError, FrameError, LinkError, Report, Status, SystemClock
from drivers.camera import Capture, Frame

if TYPE_CHECKING:
    from agent.vision.snapshots import Snapshots
    from agent.vision.watch import CameraWatch
    from models.detector import Detector

_log = logging.getLogger(__name__)

_NICE = 5
_TURN_S = 0.25
"""How soon a signal or a stale camera is noticed while no picture comes."""
_STATS_S = 5.0
_END_S = 0.3
_DATA_BYTES, _DATA_BYTES_CAMERA = 384 << 20, 48 << 20
"""What may be allocated, twice what is needed and more. A picture that claims to be huge meets this limit, and costs
its camera a fault or this process its life, but never the board its memory."""
_RESIDENT_KIB = 448 << 10
"""Memory in use at which the process ends itself: twice what four cameras take, and below the unit's own limit."""
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


@dataclass(slots=True, eq=False)
class _Camera:
    """One camera's way through the process, and what it got since `begun_s`, when its sums were last told."""

    capture: Capture
    watch: "CameraWatch"
    begun_s: float
    told: tuple[int, int, int] = (0, 0, 0)
    missed: int = 0

    def stats(self, now_s: float) -> CameraStats:
        """Since the last time."""
        sums = (self.capture.frames, self.watch.looks, self.missed)
        frames, looks, missed = (now - before for now, before in zip(sums, self.told, strict=True))
        passed_s, self.told, self.begun_s = max(now_s - self.begun_s, 1e-3), sums, now_s
        return CameraStats(
            camera=self.watch.id,
            fps=round(frames / passed_s, 2),
            wanted_fps=self.capture.config.fps,
            looked=round(min(1.0, looks / max(frames, 1)), 3),
            missed=round(min(1.0, missed / max(frames, 1)), 3),
        )


class Worker:
    """Takes the newest pictures of all cameras; one inference at a time, the camera whose look is due longest first."""

    def __init__(self, config: WorkerConfig, peer: Peer, clock: Clock) -> None:
        self._peer = peer
        self._clock = clock
        self._wake = threading.Event()
        self._stopping = False
        self._detector = _detector(config)
        now_s = clock.mono_s()
        self._cameras = [
            _Camera(Capture(camera.source, clock, self._report, self._wake.set), watch, now_s)
            for camera, watch in zip(config.cameras, _watches(config, self._detector), strict=True)
        ]
        self._snapshots = _snapshots(config, self._detector)
        self._budget = Budget(config.cpu_cores, mono_s=now_s, cpu_s=time.process_time())
        self._waiting: dict[int, Frame] = {}
        self._motion_cpu_s = 0.0
        self._inference_cpu_s = 0.0

    def wake(self) -> None:
        """From another thread: there is something to do."""
        self._wake.set()

    def stop(self) -> None:
        """For a signal handler: takes no lock; noticed within _TURN_S."""
        self._stopping = True

    def run(self) -> None:
        """Until told to stop or the peer has gone."""
        for camera in self._cameras:
            camera.capture.start()
        stats_due_s = self._clock.mono_s() + _STATS_S
        busy_s = 0.0
        while not (self._stopping or self._peer.gone):
            if not self._waiting:
                self._wake.wait(_TURN_S)
            began_s = self._clock.mono_s()
            self._wake.clear()
            self._consider()
            self._look()
            self._answer()
            now_s = self._clock.mono_s()
            busy_s += now_s - began_s
            if self._budget.account(now_s, time.process_time(), busy_s):
                self._keep_pace(self._budget.pace)
            if now_s >= stats_due_s:
                stats_due_s = now_s + _STATS_S
                self._snapshots.forget(now_s)
                stats = self._stats(now_s)
                self._peer.send(stats)
                _demand_memory(stats.rss_kib)
        for camera in self._cameras:
            camera.capture.stop()

    def ended(self) -> bool:
        """Whether every capture has let go of its camera."""
        by = self._clock.mono_s() + _END_S
        return all(camera.capture.join(max(0.0, by - self._clock.mono_s())) for camera in self._cameras)

    def _report(self, report: Report) -> None:
        assert isinstance(report, Status), "a camera has no readings"
        self._peer.send(report)

    def _keep_pace(self, pace: float) -> None:
        for camera in self._cameras:
            camera.capture.pace = pace
            camera.watch.pace = pace

    def _consider(self) -> None:
        """Every camera's newest picture goes through its motion gate; what is worth a look waits for it."""
        began = time.thread_time()
        for number, camera in enumerate(self._cameras):
            camera.capture.check()
            frame = camera.capture.take()
            if frame is None:
                continue
            worth_a_look = camera.watch.consider(frame)
            self._snapshots.keep(camera.watch.id, frame)
            if (view := camera.watch.view(frame)) is not None:
                self._peer.send(view)
            if worth_a_look or number in self._waiting:
                camera.missed += number in self._waiting
                self._waiting[number] = frame
            elif (seen := camera.watch.follow(frame)) is not None:
                self._peer.send(seen)
        self._motion_cpu_s += time.thread_time() - began

    def _look(self) -> None:
        if not self._waiting:
            return
        number = min(self._waiting, key=lambda waiter: self._cameras[waiter].watch.due_s)
        began = time.thread_time()
        seen = self._cameras[number].watch.look(self._waiting.pop(number), self._detector.detect)
        self._inference_cpu_s += time.thread_time() - began
        self._peer.send(seen)

    def _answer(self) -> None:
        """One picture at a time: cameras are not to wait for many."""
        if self._peer.wanted:
            self._peer.send(self._snapshots.answer(self._peer.wanted.popleft(), self._clock.mono_s()))
            self._wake.set()

    def _stats(self, now_s: float) -> Stats:
        return Stats(
            frames=sum(camera.capture.frames for camera in self._cameras),
            dropped=sum(camera.capture.dropped for camera in self._cameras),
            moving=sum(camera.watch.moving for camera in self._cameras),
            inferences=sum(camera.watch.runs for camera in self._cameras),
            cpu_s=round(time.process_time(), 3),
            motion_cpu_s=round(self._motion_cpu_s, 3),
            inference_cpu_s=round(self._inference_cpu_s, 3),
            rss_kib=_resident_kib(),
            runtime=self._detector.runtime,
            pace=round(self._budget.pace, 3),
            cameras=tuple(camera.stats(now_s) for camera in self._cameras),
        )


def _detector(config: WorkerConfig) -> "Detector":
    import cv2

    from models.card import find
    from models.detector import Detector

    cv2.setNumThreads(1)
    pictures = [(c.source.picture.height, c.source.picture.width) for c in config.cameras]
    model = find(config.model, Path(config.models))
    if model.card.finds_faces:
        reason = f"the model {model.card.name} finds faces to hide them, and nobody to watch"
        raise ConfigError(reason, hint="name a model that finds people, vehicles or animals in vision.model")
    return Detector(
        model.card,
        pictures=pictures,
        runtime=config.runtime,
        threads=config.threads,
        folder=model.folder,
        side=PROFILES[config.profile].side,
    )


def _snapshots(config: WorkerConfig, detector: "Detector") -> "Snapshots":
    from agent.vision.snapshots import Snapshots, faces_of

    people = "person" in detector.labels
    return Snapshots(config, detector.detect, lambda: faces_of(config), knows_people=people)


def _watches(config: WorkerConfig, detector: "Detector") -> "Iterator[CameraWatch]":
    from agent.vision.watch import CameraWatch

    profile = PROFILES[config.profile]
    for camera in config.cameras:
        yield CameraWatch(camera, profile, min_score=config.min_score, confident=detector.confident)


def _resident_kib() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() // 1024


def _demand_memory(rss_kib: int) -> None:
    """Raises: LinkError when this process has grown beyond what it may take; the next one begins small."""
    if rss_kib > _RESIDENT_KIB:
        reason = f"the vision process takes {rss_kib // 1024} MB of memory"
        raise LinkError("vision", reason, hint="it is started again; give cameras a smaller sub-stream")


def _limit_memory(cameras: int) -> None:
    most = _DATA_BYTES + cameras * _DATA_BYTES_CAMERA
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


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
        _limit_memory(len(config.cameras))
        worker = Worker(config, peer, SystemClock())
    except ConfigError as err:
        peer.send(Failed(str(err), err.hint))
        return _EX_CONFIG

    def on_term(_number: int, _frame: StackFrame | None) -> None:
        worker.stop()

    signal.signal(signal.SIGTERM, on_term)
    threading.Thread(target=peer.watch, args=[worker.wake], name="socket", daemon=True).start()
    try:
        worker.run()
    except LinkError as err:
        peer.send(Failed(err.reason, err.hint))
        os._exit(_EX_SOFTWARE)
    if not worker.ended():
        logging.shutdown()
        os._exit(0)  # a thread is inside native code, which cannot be interrupted and must not meet a dying interpreter
    return 0


if __name__ == "__main__":
    sys.exit(main())
