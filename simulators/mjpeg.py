"""A network camera: MJPEG over HTTP, whatever it looks at, with what can befall a lens, a sensor and a stream."""

import asyncio
import random
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import cv2

from drivers.base import Clock, ConfigError
from simulators.lens import Picture, Trouble, through
from simulators.scenes import Film, Scene, Stage, encoded

FPS: Final = 10.0
STAGE: Final = "stage"
"""A scene that is a stage, where others are a clip."""

_BOUNDARY = b"gatehouse"


class SimCamera:
    """Serves `url`. `trouble` names what befalls it, one thing at a time; `clear` ends it.

    Beside what `lens.Trouble` knows: `frozen` shows one picture for ever, `stalled` keeps connections open and sends
    nothing, `corrupt` sends bytes that are no stream, `resized` halves the picture.
    """

    def __init__(self, scene: Scene, clock: Clock, *, fps: float = FPS) -> None:
        self.scene = scene
        self._clock = clock
        self._fps = fps
        self._trouble = "clear"
        self._jpeg = b""
        self._made_s = float("-inf")
        self._making = threading.Lock()
        self._random = random.Random(3)
        self._server: asyncio.Server | None = None
        self._viewers: set[asyncio.Task[None]] = set()
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/stream.mjpg"

    @property
    def stage(self) -> Stage:
        """Raises: ConfigError when the camera looks at a clip."""
        if not isinstance(self.scene, Stage):
            raise ConfigError("this camera plays a clip", hint="list it under `stages` in the scenario")
        return self.scene

    async def __aenter__(self) -> Self:
        await self.plug()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.unplug()

    def walk(self) -> None:
        self.scene.walk()

    def trouble(self, what: str) -> None:
        self._trouble = what

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
                if self._trouble == "corrupt":
                    writer.write(self._random.randbytes(8192))
                elif self._trouble != "stalled":
                    picture = await asyncio.to_thread(self._newest)
                    head = b"--%s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % (_BOUNDARY, len(picture))
                    writer.write(head + picture + b"\r\n")
                await writer.drain()
                await self._clock.sleep(1 / self._fps)
        writer.transport.abort()

    def _newest(self) -> bytes:
        """All viewers see the same: a picture is made when its time has come, in a thread, away from other wires."""
        with self._making:
            now_s = self._clock.mono_s()
            if now_s - self._made_s >= 0.5 / self._fps and not (self._trouble == "frozen" and self._jpeg):
                self._jpeg, self._made_s = encoded(self._seen(self.scene.picture())), now_s
            return self._jpeg

    def _seen(self, picture: Picture) -> Picture:
        if self._trouble == "resized":
            return cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]  # uint8 as given
        return through(picture, Trouble(self._trouble)) if self._trouble in set(Trouble) else picture


def looking_at(scene: str, clip: Path, size: tuple[int, int], fps: float = FPS) -> Scene:
    """The scene of a name: `stage`, or the clip."""
    return Stage(clip, *size, fps) if scene == STAGE else Film(clip, fps)
