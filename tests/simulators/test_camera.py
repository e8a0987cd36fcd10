"""The driver against real servers, RTSP and MJPEG: pictures, a stall, a cut, a password, another shape."""

import asyncio
import queue
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from drivers import camera
from drivers.base import ConfigError, DeviceState, Report, Status, SystemClock
from drivers.camera import CameraSource, Capture, Picture
from simulators.camera import SYSTEM_PYTHON, RtspServer
from simulators.clips import fetch_bikes
from simulators.lens import Picture as Pixels
from simulators.mjpeg import SimCamera, looking_at
from tests.conftest import need

WAIT_S = 30.0
_PROBE = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"


@pytest.fixture(scope="module")
def clip() -> Path:
    present = SYSTEM_PYTHON.exists() and shutil.which("gst-inspect-1.0")
    found = present and subprocess.run([SYSTEM_PYTHON, "-c", _PROBE], capture_output=True, check=False).returncode == 0
    need(found, "GStreamer's RTSP server for the system's Python")
    return fetch_bikes()


class Viewer:
    """A capture whose statuses and pictures a test awaits without blocking the loop."""

    def __init__(self, url: str, **more: object) -> None:
        config = {"id": "cam", "source": url, "picture": Picture(width=640, height=272), "fps": 10}
        self.statuses: queue.Queue[Status] = queue.Queue()
        self.bell = threading.Semaphore(0)
        self.capture = Capture(CameraSource.model_validate(config | more), SystemClock(), self._emit, self.bell.release)

    def _emit(self, report: Report) -> None:
        assert isinstance(report, Status)
        self.statuses.put(report)

    async def until(self, state: DeviceState) -> Status:
        while (status := await asyncio.to_thread(self.statuses.get, timeout=WAIT_S)).state is not state:
            pass
        return status

    async def pictures(self, count: int) -> None:
        for _ in range(count):
            assert await asyncio.to_thread(self.bell.acquire, timeout=WAIT_S)
        while (frame := self.capture.take()) is None:
            assert await asyncio.to_thread(self.bell.acquire, timeout=WAIT_S)
        self.newest = frame.picture
        assert frame.picture.shape == (272, 640, 3)
        assert frame.picture.std() > 10, "a grey picture is none"


@asynccontextmanager
async def viewing(url: str, **more: object) -> AsyncIterator[Viewer]:
    viewer = Viewer(url, **more)
    viewer.capture.start()
    try:
        yield viewer
    finally:
        viewer.capture.stop()
        assert await asyncio.to_thread(viewer.capture.join, WAIT_S)


async def test_a_stream_that_stalls_or_is_cut_is_a_fault_and_comes_back(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera, "STALL_S", 1.0)
    server = RtspServer(clip, SystemClock())
    async with server, viewing(server.url) as viewer:
        await viewer.until(DeviceState.OK)
        await viewer.pictures(15)

        await server.stall(True)
        stalled = await viewer.until(DeviceState.FAULT)
        assert stalled.reason == "no pictures for 1 s"
        await server.stall(False)
        await viewer.until(DeviceState.OK)

        url = server.url
        await server.kill()
        gone = await viewer.until(DeviceState.FAULT)
        assert gone.reason in {"the stream ended", "no pictures for 1 s"}
        refused = await viewer.until(DeviceState.FAULT)
        assert "cannot be reached (Connection refused)" in refused.reason
        async with server:
            assert server.url == url
            await viewer.until(DeviceState.OK)
            await viewer.pictures(3)


async def test_the_password_opens_the_stream_and_is_never_said(
    clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("wrong-Pa55")
    async with RtspServer(clip, SystemClock(), user="viewer", password="right-Pa55") as server:
        async with viewing(server.url, password_file=str(secret)) as viewer:
            refused = await viewer.until(DeviceState.FAULT)
            assert "refuses the user name or the password" in refused.reason
            assert "password" in refused.hint
            secret.write_text("right-Pa55\n")
            await viewer.until(DeviceState.OK)
        said = str(refused) + "".join(capfd.readouterr()) + caplog.text
    assert "Pa55" not in said


async def test_a_server_that_cannot_start_says_why(clip: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no clip")
    with pytest.raises(ConfigError, match=r"the RTSP server does not start: .*no H\.264 pictures"):
        async with RtspServer(text, SystemClock()):
            pass


async def test_a_simulated_camera_is_seen_over_rtsp_with_whatever_befalls_it(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera, "STALL_S", 1.5)
    clock = SystemClock()
    async with (
        SimCamera(looking_at("stage", clip, (640, 272)), clock) as source,
        RtspServer(source.url, clock) as server,
        viewing(server.url) as viewer,
    ):
        await viewer.until(DeviceState.OK)
        await viewer.pictures(5)
        for trouble in ("stalled", "corrupt"):
            source.trouble(trouble)
            await viewer.until(DeviceState.FAULT)
            source.trouble("clear")
            await viewer.until(DeviceState.OK)
            await viewer.pictures(5)


class Screen:
    """A scene whose pictures have the size that a test gives them."""

    def __init__(self, width: int, height: int) -> None:
        self.size = (width, height)
        self._random = np.random.default_rng(11)

    def picture(self) -> Pixels:
        width, height = self.size
        return self._random.integers(0, 255, (height, width, 3), np.uint8)

    def walk(self) -> None:
        raise NotImplementedError


async def test_a_stream_that_changes_its_shape_while_it_is_open_says_so_and_is_ok_once_set_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(camera, "_STUCK_S", 1.0)
    monkeypatch.setattr(camera, "_RENEW_S", 0.0)
    screen = Screen(640, 272)
    async with SimCamera(screen, SystemClock()) as source, viewing(source.url) as viewer:
        await viewer.until(DeviceState.OK)
        screen.size = (640, 480)
        fault = await viewer.until(DeviceState.FAULT)
        assert fault.reason == "the pictures are 640x480, not of the shape 640x272"
        assert "draw zones and masks anew" in fault.hint
        await viewer.pictures(10)
        assert viewer.statuses.empty(), "it is told once"
        screen.size = (640, 272)
        await viewer.until(DeviceState.OK)
        source.trouble("resized")
        await viewer.pictures(10)
        corners: set[bytes] = set()
        while len(corners) < 20:
            await viewer.pictures(1)
            corners.add(viewer.newest[-32:, -32:].tobytes())
        assert viewer.statuses.empty(), "half the size shows the same, and is made the declared size"
