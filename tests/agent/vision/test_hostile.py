"""Cameras that mean harm, over real sockets: each is a fault of its own, the others go on, nothing else notices."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import cv2
import numpy as np

from drivers.base import DeviceState
from simulators.camera import clip_source
from simulators.clips import fetch_bikes
from tests.agent.vision.test_client import WAIT_S, running, settings

GOOD = "cam-good"
PART = b"--x\r\nContent-Type: image/jpeg\r\n\r\n"
HTTP = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=x\r\n\r\n"
MOST_MB = 480


def jpeg(width: int = 640, height: int = 272) -> bytes:
    good, data = cv2.imencode(".jpg", np.full((272, 640, 3), 90, np.uint8))
    assert good
    encoded = bytearray(data.tobytes())
    frame = encoded.index(b"\xff\xc0")  # height and width stand five bytes after the frame header's marker
    encoded[frame + 5 : frame + 9] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(encoded)


def truncated() -> Iterator[bytes]:
    yield HTTP
    while True:
        yield PART + jpeg()[:300] + b"\r\n"


def nonsense() -> Iterator[bytes]:
    dice = random.Random(4)
    yield HTTP
    while True:
        yield PART + dice.randbytes(3000) + b"\r\n"


def bomb() -> Iterator[bytes]:
    """Real pictures first, then some that claim four thousand million pixels, then some that claim a hundred."""
    yield HTTP
    yield from (PART + jpeg() + b"\r\n" for _ in range(8))
    while True:
        yield PART + jpeg(65500, 65500) + b"\r\n"
        yield PART + jpeg(12000, 9000) + b"\r\n"


def endless_headers() -> Iterator[bytes]:
    yield b"HTTP/1.0 200 OK\r\n"
    while True:
        yield b"X-More: " + b"a" * 4000 + b"\r\n"


def endless_rtsp() -> Iterator[bytes]:
    yield b"RTSP/1.0 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
    while True:
        yield b"v=0\r\n" * 800


HOSTILE: dict[str, Callable[[], Iterator[bytes]]] = {
    "cam-truncated": truncated,
    "cam-nonsense": nonsense,
    "cam-bomb": bomb,
    "cam-headers": endless_headers,
    "cam-rtsp": endless_rtsp,
}


@asynccontextmanager
async def serving(says: Callable[[], Iterator[bytes]]) -> AsyncIterator[int]:
    viewers: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        viewers.add(task)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            for chunk in says():
                writer.write(chunk)
                await writer.drain()
                await asyncio.sleep(0.02)  # noqa: TID251 - the pace of a camera
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for viewer in viewers:
            viewer.cancel()
        await asyncio.gather(*viewers, return_exceptions=True)


async def test_hostile_streams_are_faults_of_their_cameras_and_the_others_go_on(tmp_path: Path) -> None:
    base = settings(tmp_path, source=clip_source(fetch_bikes()), ids=(GOOD,))
    async with contextlib.AsyncExitStack() as stack:
        cameras = list(base.cameras)
        for camera, says in HOSTILE.items():
            port = await stack.enter_async_context(serving(says))
            source = f"{'rtsp' if camera == 'cam-rtsp' else 'http'}://127.0.0.1:{port}/stream"
            cameras.append(base.cameras[0].model_copy(update={"id": camera, "source": source}))
        config = base.model_copy(update={"cameras": tuple(cameras)})
        client, heard = await stack.enter_async_context(running(config))
        faulty: dict[str, str] = {}
        async with asyncio.timeout(2 * WAIT_S):
            while faulty.keys() < HOSTILE.keys():
                status = await heard.statuses.get()
                if status.state is DeviceState.FAULT and status.device != GOOD:
                    faulty[status.device] = status.reason
                    assert status.hint
        while not heard.seen.empty():
            heard.seen.get_nowait()
        for _ in range(5):
            await heard.observation(lambda seen: seen.camera == GOOD)
        assert client.pid is not None
        assert most_memory_mb(client.pid) < MOST_MB


def most_memory_mb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024
