"""Cameras from the other side of the wire: a clip as a file, and a clip behind a real RTSP server."""

import asyncio
import contextlib
from pathlib import Path
from types import TracebackType
from typing import Self

from drivers.base import Clock, ConfigError

SYSTEM_PYTHON = Path("/usr/bin/python3")
"""GStreamer's `gi` imports only there."""

_SCRIPT = Path(__file__).with_name("rtsp_server.py")
_START_S = 20.0
_HINT = "on Debian: apt-get install python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-{base,good,bad}"


def clip_source(clip: Path) -> str:
    """A camera's `source` that plays the clip in a loop."""
    return f"file:{clip}"


class RtspServer:
    """Serves a clip without end, or what a simulated MJPEG camera sends, at `url`.

    `stall` keeps connections to a clip open and sends nothing (a camera stalls by itself);
    `kill` cuts the camera off; entering again brings it back at the same address.
    """

    def __init__(self, source: Path | str, clock: Clock, *, user: str = "", password: str = "") -> None:
        self._source = str(source)
        self._clock = clock
        self._credentials = [user, password] if user else []
        self._child: asyncio.subprocess.Process | None = None
        self._port = 0

    @property
    def url(self) -> str:
        user = f"{self._credentials[0]}@" if self._credentials else ""
        return f"rtsp://{user}127.0.0.1:{self._port}/clip"

    async def __aenter__(self) -> Self:
        """Raises: ConfigError when the server does not come up."""
        child = await asyncio.create_subprocess_exec(
            SYSTEM_PYTHON, _SCRIPT, self._source, str(self._port), *self._credentials,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self._child = child
        assert child.stdout is not None
        line = b""
        with contextlib.suppress(TimeoutError):
            async with self._clock.timeout(_START_S):
                line = await child.stdout.readline()
        if not line.startswith(b"port "):
            last = (await self.kill()).decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise ConfigError(f"the RTSP server does not start: {last or 'it is silent'}", hint=_HINT)
        self._port = int(line.split()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()

    async def stall(self, on: bool) -> None:
        assert self._child is not None
        assert self._child.stdin is not None
        self._child.stdin.write(b"stall\n" if on else b"resume\n")
        await self._child.stdin.drain()

    async def kill(self) -> bytes:
        """End it as a power cut would; returns what it wrote to its standard error."""
        child, self._child = self._child, None
        if child is None:
            return b""
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        return (await child.communicate())[1]
