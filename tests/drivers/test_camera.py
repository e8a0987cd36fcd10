"""Captures of real clips and of cameras that fail in every way a camera can."""

import itertools
import queue
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from drivers import camera
from drivers.base import Backoff, DeviceState, LinkError, Report, Status, SystemClock
from drivers.camera import CameraSource, Capture, Edges, Frame, Picture, Timing, with_password

PICTURE = Picture(width=96, height=72)
WAIT_S = 15.0


class Watched:
    """A capture with what it says and a bell for each picture."""

    def __init__(self, config: CameraSource, clock: SystemClock | None = None) -> None:
        self.statuses: queue.Queue[Status] = queue.Queue()
        self.bell = threading.Semaphore(0)
        self.capture = Capture(config, clock or SystemClock(), self._emit, self.bell.release)

    def _emit(self, report: Report) -> None:
        assert isinstance(report, Status)
        assert report.device == self.capture.config.id
        self.statuses.put(report)

    def status(self) -> Status:
        return self.statuses.get(timeout=WAIT_S)

    def until(self, state: DeviceState) -> Status:
        while (status := self.status()).state is not state:
            pass
        return status

    def picture(self) -> Frame:
        assert self.bell.acquire(timeout=WAIT_S)
        frame = self.capture.take()
        assert frame is not None
        return frame


@contextmanager
def capturing(config: CameraSource) -> Iterator[Watched]:
    watched = Watched(config)
    watched.capture.start()
    try:
        yield watched
    finally:
        watched.capture.stop()
        assert watched.capture.join(WAIT_S)


def source(address: str, **more: object) -> CameraSource:
    return CameraSource.model_validate({"id": "cam", "source": address, "picture": PICTURE, "fps": 15} | more)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pictures of 128x96 at 25 a second, each brighter than the one before."""
    path = tmp_path_factory.mktemp("clip") / "ten.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (128, 96))
    for level in range(10):
        writer.write(np.full((96, 128, 3), 20 + 20 * level, np.uint8))
    writer.release()
    return path


def test_a_clip_plays_in_a_loop_at_its_own_pace_and_the_declared_size(clip: Path) -> None:
    with capturing(source(f"file:{clip}")) as watched:
        frames = [watched.picture() for _ in range(12)]
        assert watched.status().state is DeviceState.STARTING
        assert watched.status().state is DeviceState.OK
        assert watched.statuses.empty()
    assert all(frame.picture.shape == (72, 96, 3) and frame.picture.dtype == np.uint8 for frame in frames)
    levels = [float(frame.picture.mean()) for frame in frames]
    assert any(later < earlier for earlier, later in itertools.pairwise(levels))
    assert frames[-1].mono_s - frames[0].mono_s > 11 / 15 - 0.2, "faster than the clip"


def test_who_takes_late_gets_the_newest_and_the_others_count_as_dropped(clip: Path) -> None:
    with capturing(source(f"file:{clip}")) as watched:
        for _ in range(4):
            assert watched.bell.acquire(timeout=WAIT_S)
        newest = watched.capture.take()
        assert watched.capture.take() is None or watched.capture.frames > 4
        assert newest is not None
        assert watched.capture.dropped >= 3


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("file:/nowhere/clip.mp4", "there is no file /nowhere/clip.mp4"),
        ("file:{text}", "is no clip"),
        ("/dev/video-nowhere", "/dev/video-nowhere is not there"),
        ("{text}", "no address of a camera"),
        ("rtsp://", "no address of a camera"),
        ("rtsp://cam..local/s", "cam..local:554 cannot be reached"),
        ("rtsp://127.0.0.1:x/s", "no address of a camera"),
        ("rtsp://127.0.0.1:99999/s", "no address of a camera"),
        ("rtsp://viewer@127.0.0.1:{closed}/stream", "127.0.0.1:{closed} cannot be reached (Connection refused)"),
    ],
)
def test_each_failure_to_open_has_its_own_reason(address: str, reason: str, tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no clip")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        known = {"text": str(text), "closed": unused.getsockname()[1]}
        with capturing(source(address.format(**known))) as watched:
            fault = watched.until(DeviceState.FAULT)
    assert fault.reason.startswith("cannot open: ")
    assert reason.format(**known) in fault.reason
    assert fault.hint


def test_a_host_that_takes_the_connection_and_is_silent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(camera, "_OPEN_S", 0.5)
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"rtsp://viewer@127.0.0.1:{server.getsockname()[1]}/stream"
        with capturing(source(address, password_file=str(secret))) as watched:
            fault = watched.until(DeviceState.FAULT)
    assert "does not answer" in fault.reason
    assert "hunter2" not in str(fault)
    assert "viewer" not in str(fault)


def test_a_password_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with capturing(source("rtsp://viewer@127.0.0.1/s", password_file=str(tmp_path / "none"))) as watched:
        assert f"the password file {tmp_path / 'none'} cannot be read" in watched.until(DeviceState.FAULT).reason


def test_a_password_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"\xff\xfe12345")
    with capturing(source("rtsp://viewer@127.0.0.1/s", password_file=str(secret))) as watched:
        fault = watched.until(DeviceState.FAULT)
    assert f"the password file {secret} cannot be read (no text)" in fault.reason


def test_a_camera_that_comes_back_is_ok_again(clip: Path, tmp_path: Path) -> None:
    late = tmp_path / "late.mp4"
    with capturing(source(f"file:{late}")) as watched:
        watched.until(DeviceState.FAULT)
        late.write_bytes(clip.read_bytes())
        watched.until(DeviceState.OK)


@pytest.mark.parametrize(
    ("address", "secret", "expected"),
    [
        ("rtsp://viewer@10.0.0.5:554/s?x=1", "p@ss:w/rd\n", "rtsp://viewer:p%40ss%3Aw%2Frd@10.0.0.5:554/s?x=1"),
        ("rtsp://10.0.0.5/s", "viewer:pass:word", "rtsp://viewer:pass%3Aword@10.0.0.5/s"),
        ("rtsp://viewer@[fd00::5]:8554/s", "x", "rtsp://viewer:x@[fd00::5]:8554/s"),
    ],
)
def test_the_password_joins_the_address(address: str, secret: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(secret)
    path.chmod(stat.S_IRUSR)
    assert with_password(urlsplit(address), str(path)) == expected
    assert with_password(urlsplit(address), None) == address


class HandClock(SystemClock):
    now_s = 100.0

    def mono_s(self) -> float:
        return self.now_s


def test_a_capture_that_hangs_is_judged_by_the_age_of_its_picture() -> None:
    clock = HandClock()
    watched = Watched(source("file:x"), clock)
    put: Callable[[Frame, float], None] = watched.capture._put
    put(Frame(np.zeros((72, 96, 3), np.uint8), clock.now_s), clock.now_s)
    assert watched.status().state is DeviceState.OK
    watched.capture._bright_s = float("inf")
    clock.now_s += camera.STALL_S - 0.1
    watched.capture.check()
    assert watched.statuses.empty()
    clock.now_s += 0.2
    watched.capture.check()
    watched.capture.check()
    fault = watched.status()
    assert (fault.state, fault.reason) == (DeviceState.FAULT, "no pictures for 3 s")
    assert watched.statuses.empty()
    put(Frame(np.zeros((72, 96, 3), np.uint8), clock.now_s), clock.now_s)
    assert watched.status().state is DeviceState.OK


class Stream:
    """An opened camera that gives 25 pictures a second, for `lasts_s`; each moves the clock on.

    They are noise as bright as `light`; None: they cannot be made.
    """

    def __init__(self, clock: HandClock, capture: Capture, *, lasts_s: float, light: int | None) -> None:
        self._clock = clock
        self._capture = capture
        self._end_s = clock.now_s + lasts_s
        self._light = light
        self._random = np.random.default_rng(7)

    def grab(self) -> bool:
        self._clock.now_s += 1 / 25
        self._capture.check()
        return self._clock.now_s < self._end_s

    def retrieve(self) -> tuple[bool, npt.NDArray[np.uint8] | None]:
        if self._light is None:
            return False, None
        return True, self._random.integers(0, self._light, (72, 96, 3), np.uint8)

    def get(self, _: int) -> float:
        return 0.0


def read(watched: Watched, clock: HandClock, lasts_s: float, light: int | None, backoff: Backoff | None = None) -> str:
    """Why the stream was given up."""
    stream = Stream(clock, watched.capture, lasts_s=lasts_s, light=light)
    with pytest.raises(LinkError) as raised:
        watched.capture._read(stream, None, backoff or Backoff())
    return raised.value.reason


def test_a_camera_that_is_slowed_to_a_picture_in_ten_seconds_is_not_stalled() -> None:
    clock = HandClock()
    watched = Watched(source("rtsp://x/y", fps=1), clock)
    watched.capture.pace = 0.1
    assert read(watched, clock, 60, 90) == "the stream ended"
    assert watched.capture.frames == 6
    assert (watched.status().state, watched.statuses.empty()) == (DeviceState.OK, True)


def test_pictures_that_come_and_cannot_be_made_are_none() -> None:
    clock = HandClock()
    watched = Watched(source("rtsp://x/y"), clock)
    assert read(watched, clock, 60, None) == "no pictures for 3 s"
    assert clock.now_s < 100 + camera.STALL_S + 0.1


def test_a_camera_that_comes_back_is_black_only_after_a_while() -> None:
    clock = HandClock()
    watched = Watched(source("rtsp://x/y"), clock)
    clock.now_s += 600  # until it could be opened
    read(watched, clock, 2, 10)
    assert (watched.status().state, watched.statuses.empty()) == (DeviceState.OK, True)


def test_a_stream_that_keeps_ending_is_opened_ever_later_and_one_that_has_lasted_at_once() -> None:
    clock = HandClock()
    watched = Watched(source("rtsp://x/y"), clock)
    backoff = Backoff(first_s=0.5, ceiling_s=10.0)
    waits = []
    for _ in range(8):
        read(watched, clock, 1, 90, backoff)
        waits.append(backoff.next_s())
    assert waits[-1] >= 5
    read(watched, clock, 10, 90, backoff)
    assert backoff.next_s() <= 0.5


def clip_of(path: Path, picture: npt.NDArray[np.uint8]) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (picture.shape[1], picture.shape[0]))
    for _ in range(25):
        writer.write(picture)
    writer.release()
    return path


def test_pictures_of_another_shape_are_a_fault_and_still_come(tmp_path: Path) -> None:
    path = clip_of(tmp_path / "wide.mp4", np.full((72, 160, 3), 120, np.uint8))
    with capturing(source(f"file:{path}")) as watched:
        fault = watched.until(DeviceState.FAULT)
        assert fault.reason == "the pictures are 160x72, not of the shape 96x72"
        assert "draw zones and masks anew" in fault.hint
        assert watched.picture().picture.shape == (72, 96, 3)


def test_a_black_picture_is_a_fault_after_a_while_and_ends_with_light(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera, "_BLACK_S", 0.3)
    path = clip_of(tmp_path / "black.mp4", np.zeros((72, 96, 3), np.uint8))
    with capturing(source(f"file:{path}")) as watched:
        watched.until(DeviceState.OK)
        assert watched.until(DeviceState.FAULT).reason == "the pictures are black"
        watched.picture()
        clip_of(tmp_path / "light.mp4", np.full((72, 96, 3), 90, np.uint8)).replace(path)
    with capturing(source(f"file:{path}")) as watched:
        watched.until(DeviceState.OK)


def test_an_edge_that_stands_still_has_a_stream_opened_anew_and_in_vain_ever_more_seldom() -> None:
    random = np.random.default_rng(7)

    def anew(seconds: range, *, still_rows: int, height: int = 72) -> list[int]:
        """When; at one picture a second, whose lowest rows are black."""
        asked = []
        for now_s in seconds:
            picture = random.integers(0, 255, (height, 96, 3), np.uint8)
            picture[height - still_rows :] = 0
            if edges.stuck(picture, now_s):
                asked.append(now_s)
        return asked

    edges = Edges()
    assert anew(range(60), still_rows=0) == []
    assert anew(range(60, 600), still_rows=8) == [66], "a black bar that is still there was meant"
    assert anew(range(600, 603), still_rows=0) == []
    assert anew(range(603, 700), still_rows=72) == [609], "a picture that is given again and again"
    nights = [now_s for begun_s in range(700, 8700, 20) for now_s in _night(anew, begun_s)]
    assert nights == [849, 1329, *range(1929, 8700, 600)]
    assert anew(range(8700, 8703), still_rows=0, height=96) == [], "it had changed its size"
    assert anew(range(8703, 8710), still_rows=8, height=96) == [8709]
    assert anew(range(8710, 8712), still_rows=0, height=96) == []
    assert anew(range(8712, 8900), still_rows=8, height=96) == [8829]


def _night(anew: Callable[..., list[int]], begun_s: int) -> list[int]:
    """Of 20 s in which only the first picture is whole, and of the others what has changed."""
    return [*anew(range(begun_s, begun_s + 1), still_rows=0), *anew(range(begun_s + 1, begun_s + 20), still_rows=72)]


def test_pictures_are_timed_by_the_stream_not_by_the_network() -> None:
    timing = Timing()
    delays = [0.05, 0.0, 0.19, 0.02, 0.11, 0.0, 0.15]
    taken = [timing.taken_s(0.2 * n, 500 + 0.2 * n + delay) for n, delay in enumerate(delays)]
    steps = [later - earlier for earlier, later in itertools.pairwise(taken[1:])]
    assert all(abs(step - 0.2) < 0.01 for step in steps)
    assert all(at_s <= 500 + 0.2 * n + delay for n, (at_s, delay) in enumerate(zip(taken, delays, strict=True)))
    assert timing.taken_s(0.0, 510.0) == 510.0, "a stream that begins anew"
    assert Timing().taken_s(0.0, 7.0) == 7.0


@pytest.mark.parametrize("stamp", [-(2.0**63) / 1e6 / 25, 0.0])
def test_pictures_without_time_stamps_are_taken_when_they_come(stamp: float) -> None:
    timing = Timing()
    assert [timing.taken_s(stamp, 500 + 0.2 * n) for n in range(20)] == [500 + 0.2 * n for n in range(20)]
