"""A network camera: MJPEG over HTTP, at rest on a clip's last picture until something walks through it."""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

from drivers.base import Clock

_BOUNDARY = b"gatehouse"


class SimCamera:
    """Serves `url`; `walk` plays the clip once; `stall` keeps connections open and sends nothing."""

    def __init__(self, clip: Path, clock: Clock, *, fps: float = 10.0) -> None:
        self._clock = clock
        self._fps = fps
        self._frames = _jpegs(clip, fps)
        self._rest = self._frames[-1]
        self._playing: Iterator[bytes] = iter(())
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._viewers: set[asyncio.Task[None]] = set()
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/stream.mjpg"

    async def __aenter__(self) -> Self:
        await self.plug()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.unplug()

    def walk(self) -> None:
        self._playing = iter(self._frames)

    def stall(self, on: bool) -> None:
        if on:
            self._flowing.clear()
        else:
            self._flowing.set()

    async def plug(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def unplug(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        viewers = list(self._viewers)
        for viewer in viewers:
            viewer.cancel()
        await asyncio.gather(*viewers, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._viewers.add(task)
        task.add_done_callback(self._viewers.discard)
        with suppress(ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(
                b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=" + _BOUNDARY + b"\r\n\r\n"
            )
            while True:
                await self._flowing.wait()
                picture = next(self._playing, self._rest)
                head = b"--%s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % (_BOUNDARY, len(picture))
                writer.write(head + picture + b"\r\n")
                await writer.drain()
                await self._clock.sleep(1 / self._fps)
        writer.transport.abort()


def _pictures(clip: Path) -> Iterator[tuple[float, npt.NDArray[np.uint8]]]:
    """(seconds into the clip, (height, width, 3) uint8 BGR)."""
    capture = cv2.VideoCapture(str(clip))
    rate = capture.get(cv2.CAP_PROP_FPS) or 25.0
    try:
        for number in itertools.count():
            good, picture = capture.read()
            if not good:
                return
            yield number / rate, np.asarray(picture, np.uint8)
    finally:
        capture.release()


def _jpegs(clip: Path, fps: float) -> list[bytes]:
    chosen, due = [], 0.0
    for at_s, picture in _pictures(clip):
        if at_s >= due:
            chosen.append(_jpeg(picture))
            due += 1 / fps
    return chosen


def _jpeg(picture: npt.NDArray[np.uint8]) -> bytes:
    good, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert good
    return encoded.tobytes()
