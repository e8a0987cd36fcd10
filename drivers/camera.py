"""Cameras: file, RTSP and USB through OpenCV, opened in the vision process only.

A Capture owns one native reader in one thread, named after the camera, and a slot that holds the newest picture only:
who takes slowly misses pictures and never sees old ones. OpenCV is imported by that thread, so that the main process,
which reads the configuration, never loads it.

What is wrong with a camera is told apart: it cannot be reached, refuses the password, has no such stream, sends a codec
that is not understood (`drivers.streams` asks), cannot be decoded, is too large, ended, stalled, black, or of another
shape than declared. In the last two pictures still come, and are still looked at. The age of the newest picture is the
only sign of life.

A stream that changes its size while it is open is known by edges that stand still, and is opened anew.

A read in native code cannot be interrupted; it ends by its own time-out of STALL_S, and after it the reader is opened
anew, because FFmpeg hands out stale buffered pictures once it has stalled.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from pydantic import Field

from drivers.base import Backoff, Clock, Confined, DeviceId, DeviceState, Emit, LinkError, Slug, Status
from drivers.streams import PORTS, demand_stream

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_log = logging.getLogger(__name__)

STALL_S: Final = 3.0
"""Without a picture for this long a camera is in fault and is opened anew."""

_OPEN_S = 5.0
_PROVEN_S = 5.0
"""A stream that has lasted for so long is opened anew at once when it ends; one that keeps ending waits longer."""
_DEFAULT_RATE = 25.0
_MOST_PIXELS = 4096 * 4096
_SHAPE = 0.03
"""Relative difference in shape from which zones would lie elsewhere."""
_BLACK, _BLACK_S, _SPARSE = 20, 3.0, 16
"""A picture is black when no channel of every sixteenth pixel of every sixteenth row is brighter, and for so long."""
_STUCK_S, _RENEW_S, _SELDOM_S = 5.0, 60.0, 600.0
"""A stream whose edge has stood still for so long is opened anew; at most so often, and in vain ever more seldom."""
_JUMP_S, _DRIFT = 1.0, 1e-3
"""A stream's time that is off by more has begun anew; clocks of cameras run slow by no more than that share."""


class Picture(Confined):
    width: Annotated[int, Field(ge=64, le=4096)]
    height: Annotated[int, Field(ge=64, le=4096)]


class CameraSource(Confined):
    """Where a camera's pictures come from, at which size they are judged, and how often."""

    id: Slug
    source: str
    """rtsp://… (the sub-stream), http://… (MJPEG), /dev/video… (USB), or file:… (a clip in a loop at its own speed)."""
    password_file: str | None = None
    picture: Picture
    fps: Annotated[float, Field(gt=0, le=15)] = 5.0


@dataclass(frozen=True, slots=True)
class Frame:
    """`picture` is (height, width, 3) uint8 BGR of the declared size; `mono_s` is when it was taken.

    Where the stream says when (its PTS), the time is that of the camera, not of the network.
    """

    picture: "npt.NDArray[np.uint8]"
    mono_s: float


class Capture:
    """`emit` and `wake` are called in the capture's thread, never with a lock held."""

    def __init__(self, config: CameraSource, clock: Clock, emit: Emit, wake: Callable[[], None]) -> None:
        self.config = config
        self._clock = clock
        self._emit = emit
        self._wake = wake
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"camera:{config.id}", daemon=True)
        self._slot: Frame | None = None
        self._lock = threading.Lock()
        self._said: tuple[DeviceState, str] | None = None
        self._last_s = self._bright_s = clock.mono_s()
        self._flowing = False
        self._shape: tuple[str, str] | None = None
        self._edges = Edges()
        self.pace = 1.0
        """Share of the configured rate at which pictures are made; whoever takes them may change it at any time."""
        self.frames = 0
        self.dropped = 0
        """Pictures that were overwritten before they were taken."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; `join` waits for it."""
        self._stopping.set()

    def join(self, timeout_s: float) -> bool:
        """Whether the thread has ended within the time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def take(self) -> Frame | None:
        """The newest picture, once."""
        with self._lock:
            frame, self._slot = self._slot, None
        return frame

    def check(self) -> None:
        """Judge the camera by the age of its newest picture, even while its thread hangs in native code."""
        with self._lock:
            stale = self._flowing and self._clock.mono_s() - self._last_s > STALL_S
            self._flowing = self._flowing and not stale
        if stale:
            self._say(DeviceState.FAULT, *_stalled())

    # ------------------------------------------------------------ in the thread

    def _run(self) -> None:
        import cv2

        backoff = Backoff(first_s=0.5, ceiling_s=10.0)
        self._say(DeviceState.STARTING)
        while not self._stopping.is_set():
            try:
                reader, rate = self._open()
                try:
                    self._read(reader, rate, backoff)
                finally:
                    reader.release()
            except LinkError as err:
                self._fail(err)
            except (cv2.error, MemoryError) as err:
                reason = f"the stream cannot be decoded ({'memory' if isinstance(err, MemoryError) else err.code})"
                self._fail(LinkError(self.config.id, reason, hint="set the sub-stream to H.264, at most 1280x720"))
            if not self._stopping.is_set():
                self._stopping.wait(backoff.next_s())

    def _fail(self, err: LinkError) -> None:
        with self._lock:
            self._flowing = False
        self._say(DeviceState.FAULT, err.reason, err.hint)

    def _open(self) -> tuple[Any, float | None]:
        """The reader, and the pace of a clip. Raises: LinkError with what an operator can do."""
        import cv2

        source = self.config.source
        threads = [cv2.CAP_PROP_N_THREADS, 1]
        if source.startswith("file:"):
            path = Path(source.removeprefix("file:"))
            if not path.is_file():
                raise self._cannot_open(f"there is no file {path}", "correct the camera's source")
            reader = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, threads)
            self._demand_open(reader, f"{path} is no clip that FFmpeg reads", "give another file")
            return reader, reader.get(cv2.CAP_PROP_FPS) or _DEFAULT_RATE
        if source.startswith("/dev/"):
            if not Path(source).exists():
                raise self._cannot_open(f"{source} is not there", "plug the camera in, or correct its source")
            picture = self.config.picture
            size = [cv2.CAP_PROP_FRAME_WIDTH, picture.width, cv2.CAP_PROP_FRAME_HEIGHT, picture.height]
            reader = cv2.VideoCapture(source, cv2.CAP_V4L2, size)
            self._demand_open(reader, f"{source} is in use or is no camera", "end what uses it, or correct the source")
            return reader, None
        address = self._address()
        demand_stream(self.config.id, address, _OPEN_S, self._clock)
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, int(_OPEN_S * 1000)]
        limits += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, int(STALL_S * 1000) + 200]
        reader = cv2.VideoCapture(urlunsplit(address), cv2.CAP_FFMPEG, limits + threads)
        host = f"{address.hostname}:{address.port or PORTS[address.scheme]}"
        self._demand_open(
            reader,
            f"{host} answers and gives no stream",
            "check the path of the stream, and that no other viewer takes its place",
        )
        return reader, None

    def _demand_open(self, reader: Any, reason: str, hint: str) -> None:
        if not reader.isOpened():
            reader.release()
            raise self._cannot_open(reason, hint)
        import cv2

        width, height = int(reader.get(cv2.CAP_PROP_FRAME_WIDTH)), int(reader.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if width * height > _MOST_PIXELS:
            reader.release()
            raise self._cannot_open(f"its pictures are {width}x{height}", "choose the camera's sub-stream")

    def _cannot_open(self, reason: str, hint: str) -> LinkError:
        return LinkError(self.config.id, f"cannot open: {reason}", hint=hint)

    def _address(self) -> SplitResult:
        """With its credentials: never to be logged or shown. Raises: LinkError."""
        parts = _parts(self.config.source)
        if parts is None:
            hint = "write rtsp://…, http://…, /dev/video… or file:…"
            raise self._cannot_open("the source is no address of a camera", hint)
        try:
            return urlsplit(with_password(parts, self.config.password_file))
        except (OSError, UnicodeDecodeError) as err:
            why = err.strerror if isinstance(err, OSError) else "no text"
            reason = f"the password file {self.config.password_file} cannot be read ({why})"
            raise self._cannot_open(reason, "write the camera's password into it, readable for Gatehouse") from err

    def _read(self, reader: Any, rate: float | None, backoff: Backoff) -> None:
        """Until told to stop, or better opened anew. Raises: LinkError when no more pictures come."""
        import cv2

        due = begun = last = good_s = opened_s = self._bright_s = self._clock.mono_s()
        number, timing = 0, Timing()
        while not self._stopping.is_set():
            got = reader.grab()
            now = self._clock.mono_s()
            if now - last > STALL_S:
                raise LinkError(self.config.id, _stalled()[0], hint=_stalled()[1])
            if not got:
                if rate and number:
                    number, begun = 0, now
                    self._rewind(reader)
                    continue
                raise LinkError(self.config.id, "the stream ended", hint="the camera closed it; it is opened anew")
            number += 1
            if rate and self._stopping.wait(max(0.0, begun + number / rate - now)):
                return
            last = now = self._clock.mono_s()
            if now < due:
                self._pass_over(now)
                continue
            good, picture = reader.retrieve()
            if good:
                due, good_s = max(due + 1 / (self.config.fps * self.pace), now), now
                taken_s = now if rate else timing.taken_s(reader.get(cv2.CAP_PROP_POS_MSEC) / 1000, now)
                self._judge(picture, now)
                stuck = not rate and self._edges.stuck(picture, now)  # before others have it, and paint on it
                self._put(Frame(self._sized(picture), taken_s), now)
                if now - opened_s >= _PROVEN_S:
                    backoff.reset()
                if stuck:
                    _log.info("camera %s: an edge of its pictures stands still; it is opened anew", self.config.id)
                    return
            elif now - good_s > STALL_S:
                raise LinkError(self.config.id, _stalled()[0], hint=_stalled()[1])

    def _rewind(self, reader: Any) -> None:
        import cv2

        reader.set(cv2.CAP_PROP_POS_FRAMES, 0)

    def _judge(self, picture: Any, now_s: float) -> None:
        """What is wrong with a picture that came: another shape than declared, or nothing but black."""
        if int(picture[::_SPARSE, ::_SPARSE].max()) > _BLACK:
            self._bright_s = now_s
        height, width = picture.shape[:2]
        wanted = self.config.picture
        differs = abs(width * wanted.height / (height * wanted.width) - 1) > _SHAPE
        reason = f"the pictures are {width}x{height}, not of the shape {wanted.width}x{wanted.height}"
        hint = "set the camera's sub-stream back, or correct `picture` and draw zones and masks anew"
        self._shape = (reason, hint) if differs else None

    def _flaw(self, now_s: float) -> tuple[str, str] | None:
        if now_s - self._bright_s > _BLACK_S:
            return "the pictures are black", "uncover the lens; check the camera's infrared light and its exposure"
        return self._shape

    def _sized(self, picture: Any) -> "npt.NDArray[np.uint8]":
        """Zones and masks are drawn on the declared picture, so every picture is made that size."""
        import cv2

        wanted = (self.config.picture.width, self.config.picture.height)
        if (picture.shape[1], picture.shape[0]) == wanted:
            return picture  # type: ignore[no-any-return]  # OpenCV's reader is untyped here
        scaled: npt.NDArray[np.uint8] = cv2.resize(picture, wanted, interpolation=cv2.INTER_AREA)
        return scaled

    def _pass_over(self, now_s: float) -> None:
        """A picture that nobody wants is a sign of life like any other."""
        with self._lock:
            self._last_s = now_s

    def _put(self, frame: Frame, now_s: float) -> None:
        with self._lock:
            self.dropped += self._slot is not None
            self.frames += 1
            self._slot, self._last_s, self._flowing = frame, now_s, True
        flaw = self._flaw(now_s)
        if flaw is None:
            self._say(DeviceState.OK)
        else:
            self._say(DeviceState.FAULT, *flaw)
        self._wake()

    def _say(self, state: DeviceState, reason: str = "", hint: str = "") -> None:
        with self._lock:
            if self._said == (state, reason):
                return
            self._said = (state, reason)
        self._emit(Status(DeviceId(self.config.id), state, self._clock.mono_s(), reason, hint))


class Edges:
    """Whether the lower and the right edge of a stream's pictures still change.

    OpenCV keeps the size with which a stream began and tells nobody: where it goes on larger the last picture is given
    again and again, where it goes on smaller a part of that stays beside the new one. A live edge is never still for
    long; one that looks the same once opened anew (a black bar) is left alone until it changes. At night an encoder may
    leave out all that has not changed: where pictures come back in the size they had, the next time is put off.
    """

    def __init__(self) -> None:
        self._seen = [b"", b""]
        self._since_s = [0.0, 0.0]
        self._known = [True, True]
        self._renewed_s = float("-inf")
        self._wait_s = _RENEW_S
        self._shape: tuple[int, ...] = ()

    def stuck(self, picture: "npt.NDArray[np.uint8]", now_s: float) -> bool:
        """Whether the stream should be opened anew."""
        if picture.shape != self._shape:
            self._shape, self._wait_s = picture.shape, _RENEW_S
        for edge, pixels in enumerate((picture[-1].tobytes(), picture[:, -1].tobytes())):
            if pixels != self._seen[edge]:
                self._seen[edge], self._since_s[edge], self._known[edge] = pixels, now_s, False
        still = [now_s - since_s > _STUCK_S for since_s in self._since_s]
        news = any(there and not known for there, known in zip(still, self._known, strict=True))
        if not news or now_s - self._renewed_s < self._wait_s:
            return False
        self._known, self._renewed_s, self._wait_s = still, now_s, min(2 * self._wait_s, _SELDOM_S)
        return True


class Timing:
    """When pictures were taken, by the stream's own time: the network delays some and bunches others.

    A stream without time stamps (many MJPEG cameras) has each picture taken when it comes; FFmpeg gives all of them the
    same stamp, its smallest number.
    """

    def __init__(self) -> None:
        self._pts_s = self._offset_s = self._came_s = self._taken_s = float("-inf")

    def taken_s(self, pts_s: float, now_s: float) -> float:
        """Never later than now, never before the picture before; the smallest delay seen is taken for none."""
        if pts_s < 0:
            return now_s
        offset_s, goes_on, self._pts_s = now_s - pts_s, pts_s > self._pts_s, pts_s
        if not goes_on or abs(offset_s - self._offset_s) > _JUMP_S:
            self._offset_s = offset_s
        else:
            self._offset_s = min(offset_s, self._offset_s + _DRIFT * (now_s - self._came_s))
        self._came_s = now_s
        self._taken_s = min(max(self._taken_s, pts_s + self._offset_s), now_s)
        return self._taken_s


def _parts(source: str) -> SplitResult | None:
    """None for what is no address: of another kind, without a host, with a port that is none."""
    try:
        parts = urlsplit(source)
        known = parts.scheme in PORTS and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if known else None


def with_password(parts: SplitResult, password_file: str | None) -> str:
    """The address with the password of the file; a file `user:password` serves an address without a user.

    The result is never to be logged or shown. Raises: OSError or UnicodeDecodeError when the file cannot be read.
    """
    if password_file is None:
        return urlunsplit(parts)
    secret = Path(password_file).read_text("utf-8").strip()
    user, place = parts.username, parts.netloc.rpartition("@")[2]
    if user is None:
        user, _, secret = secret.partition(":")
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='%')}:{quote(secret, safe='')}@{place}"))


def _stalled() -> tuple[str, str]:
    return f"no pictures for {STALL_S:g} s", "check the camera and its network; it is opened anew by itself"
