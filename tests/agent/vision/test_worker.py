"""The worker alone: it lives as long as its socket, and ends when told."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent.observations import Observation
from agent.vision.wire import Failed, Message, Stats, WatchedCamera, WorkerConfig, decode, encode
from drivers.camera import CameraSource, Picture
from simulators.camera import clip_source
from simulators.clips import fetch_bikes

WAIT_S = 40.0


def config(runtime: str = "auto") -> WorkerConfig:
    source = CameraSource(id="cam", source=clip_source(fetch_bikes()), picture=Picture(width=640, height=272))
    return WorkerConfig(
        cameras=(WatchedCamera(source=source),),
        model="nanodet-416-fp16",
        models="/var/lib/gatehouse/models",
        runtime=runtime,
        threads=1,
        min_score=0.4,
        profile="economical",
        cpu_cores=1.0,
    )


class Agent:
    """The main process's end of the socket."""

    def __init__(self, child: asyncio.subprocess.Process, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]):
        self.child = child
        self.reader, self.writer = streams
        self._buffer = bytearray()

    async def until(self, kind: type[Message]) -> Message:
        async with asyncio.timeout(WAIT_S):
            while True:
                used, message = decode(self._buffer)
                del self._buffer[:used]
                if isinstance(message, kind):
                    return message
                if not used:
                    chunk = await self.reader.read(65536)
                    assert chunk, "the worker has left"
                    self._buffer += chunk

    async def ended(self) -> int:
        async with asyncio.timeout(WAIT_S):
            return await self.child.wait()


@asynccontextmanager
async def worker(folder: Path) -> AsyncIterator[Agent]:
    path = folder / "vision.sock"
    arrived: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = (
        asyncio.get_running_loop().create_future()
    )
    server = await asyncio.start_unix_server(lambda r, w: arrived.set_result((r, w)), path)
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "agent.vision.worker", str(path))
    try:
        async with asyncio.timeout(WAIT_S):
            agent = Agent(child, await arrived)
        yield agent
        agent.writer.close()
    finally:
        server.close()
        if child.returncode is None:
            child.kill()
        await child.wait()


async def test_it_ends_when_the_socket_closes(tmp_path: Path) -> None:
    async with worker(tmp_path) as agent:
        agent.writer.write(encode(config()))
        await agent.until(Observation)
        agent.writer.close()
        assert await agent.ended() == 0


async def test_it_ends_on_sigterm_with_success(tmp_path: Path) -> None:
    async with worker(tmp_path) as agent:
        agent.writer.write(encode(config()))
        await agent.until(Observation)
        agent.child.send_signal(signal.SIGTERM)
        assert await agent.ended() == 0


@pytest.mark.parametrize("runtime", ["litert", "tflite-runtime"])
async def test_it_reports_its_work_with_the_runtime_it_was_told_to_use(tmp_path: Path, runtime: str) -> None:
    if runtime == "tflite-runtime" and sys.version_info >= (3, 12):
        pytest.skip("tflite-runtime ends at Python 3.11")
    async with worker(tmp_path) as agent:
        agent.writer.write(encode(config(runtime)))
        stats = await agent.until(Stats)
    assert isinstance(stats, Stats)
    assert stats.runtime == runtime
    assert stats.inferences > 0
    assert stats.frames >= stats.moving >= stats.inferences / 2
    assert stats.inference_cpu_s < stats.cpu_s
    assert 50_000 < stats.rss_kib < 400_000


async def test_it_says_what_it_lacks_and_leaves(tmp_path: Path) -> None:
    async with worker(tmp_path) as agent:
        agent.writer.write(encode(config("no-such-runtime")))
        failed = await agent.until(Failed)
        assert isinstance(failed, Failed)
        assert "no-such-runtime" in failed.reason
        assert await agent.ended() == 78


async def test_it_does_nothing_before_it_is_told_and_refuses_nonsense(tmp_path: Path) -> None:
    async with worker(tmp_path) as agent:
        agent.writer.write(encode(Failed("a message in the wrong direction", "")))
        assert await agent.ended() == 64
