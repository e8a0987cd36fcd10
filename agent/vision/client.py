"""The main process's side of the vision process: starts it, tells it its cameras, believes nothing it says unchecked.

It loads no OpenCV, numpy or runtime. Everything here runs on the loop.
"""

import asyncio
import contextlib
import itertools
import logging
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

from agent.observations import Observation, View
from agent.settings import Camera, Settings
from agent.vision.allowance import Allowance
from agent.vision.rates import Rates
from agent.vision.suspicion import Suspicion
from agent.vision.wire import (
    Failed,
    NoSnapshot,
    Snapshot,
    SnapshotWanted,
    Stats,
    WatchedCamera,
    WorkerConfig,
    decode,
    encode,
)
from drivers.base import Backoff, Clock, DeviceId, DeviceState, Emit, FrameError, LinkError, Status
from drivers.camera import CameraSource

_log = logging.getLogger(__name__)

_START_S = 30.0
"""A cold start of numpy, OpenCV and the model on a Pi takes some seconds."""
_TERM_S = 0.5
_CHUNK = 65536
_WORDS = 200
"""Characters of what the process says in words."""
SNAPSHOT_S = 8.0
"""A picture that takes longer is given up: an inference and a face model that is loaded first, on a busy Pi."""

_ON_TRIAL = (
    "left out for a trial: the vision process keeps dying",
    "which camera does it shows within minutes; the others are watched meanwhile",
)

Observe: TypeAlias = Callable[[Observation | View], None]
_Asked: TypeAlias = tuple[SnapshotWanted, "asyncio.Future[Snapshot]"]
_Connection: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class VisionClient:
    """`observe` and `emit` take at once, on the loop. `run` ends only by cancellation, the child ended within a second.

    Without cameras no process is started. `stats` is the worker's latest word about its work, `pid` the child's.
    """

    def __init__(self, settings: Settings, clock: Clock, observe: Observe, emit: Emit) -> None:
        self._cameras = settings.cameras
        self._config = settings.vision
        self._models = settings.storage.models_folder
        self._path = settings.run.folder / "vision.sock"
        self._clock = clock
        self._observe = observe
        self._emit = emit
        self._said: dict[DeviceId, tuple[DeviceState, str]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._asked: dict[int, _Asked] = {}
        self._numbers = itertools.count(1)
        self._rates = Rates()
        self._suspicion = Suspicion([DeviceId(camera.id) for camera in settings.cameras])
        self._left_out: frozenset[DeviceId] = frozenset()
        self._opened = False
        """Whether this life has said anything of a camera: before that no camera can have ended it."""
        self.stats: Stats | None = None
        self.pid: int | None = None

    @property
    def serves(self) -> frozenset[DeviceId]:
        return frozenset(DeviceId(camera.id) for camera in self._cameras)

    async def run(self) -> None:
        if not self._cameras:
            await asyncio.get_running_loop().create_future()
        backoff = Backoff(first_s=0.5, ceiling_s=30.0)
        self._say_of_all(DeviceState.STARTING)
        while True:
            self._opened, self._left_out = False, self._suspicion.begin(self._clock.mono_s())
            try:
                await self._session(backoff)
                continue
            except (LinkError, FrameError) as err:
                if self._opened:
                    self._suspicion.died(self._clock.mono_s())
                self._say_of_all(DeviceState.FAULT, err.reason, err.hint)
            except OSError as err:
                reason = f"the vision process cannot be started: {err.strerror or err}"
                self._say_of_all(DeviceState.FAULT, reason, f"check the folder {self._path.parent} and free memory")
            await self._clock.sleep(backoff.next_s())

    async def snapshot(self, camera: DeviceId, mono_s: float, max_bytes: int) -> Snapshot:
        """A picture taken near `mono_s`, checked for its size and its form. Raises: LinkError when there is none."""
        if self._writer is None:
            raise LinkError(camera, "the vision process is not running", hint="it is started again by itself")
        wanted = SnapshotWanted(next(self._numbers), camera, mono_s, max_bytes)
        answer: asyncio.Future[Snapshot] = asyncio.get_running_loop().create_future()
        self._asked[wanted.number] = (wanted, answer)
        try:
            self._writer.write(encode(wanted))
            async with self._clock.timeout(SNAPSHOT_S):
                return await answer
        except TimeoutError as err:
            raise LinkError(camera, f"no picture came for {SNAPSHOT_S:g} s", hint="see gatehouse status") from err
        finally:
            del self._asked[wanted.number]

    async def _session(self, backoff: Backoff) -> None:
        """One life of the child, until a camera is to come back. Raises: LinkError, FrameError or OSError."""
        connected: asyncio.Future[_Connection] = asyncio.get_running_loop().create_future()
        async with contextlib.AsyncExitStack() as stack:
            server = await self._listen(connected)
            stack.callback(self._path.unlink, missing_ok=True)
            stack.callback(server.close)
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "agent.vision.worker", str(self._path),
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            self.pid = child.pid
            log = asyncio.create_task(_log_lines(child), name="vision:log")
            stack.push_async_callback(self._end, child, log)
            reader, writer = await self._connection(child, connected)
            stack.callback(writer.close)
            writer.write(encode(self._worker_config()))
            self._writer = writer
            stack.callback(self._give_up_asking)
            self._say_who_is_left_out()
            if await self._listen_to(reader, backoff):
                return
            # The stream has ended; a child that is ending by itself gets time to say how.
            with contextlib.suppress(TimeoutError):
                async with self._clock.timeout(_TERM_S):
                    await child.wait()
            raise LinkError("vision", f"the vision process {_how(child.returncode)}", hint="it is started again")

    async def _listen(self, connected: "asyncio.Future[_Connection]") -> asyncio.Server:
        def on_connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if connected.done():
                writer.close()
            else:
                connected.set_result((reader, writer))

        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(on_connect, self._path)
        self._path.chmod(0o600)
        return server

    async def _connection(
        self, child: asyncio.subprocess.Process, connected: "asyncio.Future[_Connection]"
    ) -> _Connection:
        exited = asyncio.create_task(child.wait(), name="vision:exit")
        try:
            async with self._clock.timeout(_START_S):
                ends: set[asyncio.Future[Any]] = {exited, connected}
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError as err:
            raise LinkError("vision", f"the vision process is silent for {_START_S:g} s", hint="see the log") from err
        finally:
            exited.cancel()
        if not connected.done():
            raise LinkError("vision", f"the vision process {_how(child.returncode)}", hint="see the log")
        return connected.result()

    async def _listen_to(self, reader: asyncio.StreamReader, backoff: Backoff) -> bool:
        """Until the stream ends, or True: the child is to be ended, for a camera to come back.

        Raises: FrameError for nonsense, LinkError when the worker cannot work.
        """
        buffer, allowance = bytearray(), Allowance(len(self._cameras), self._clock.mono_s())
        while chunk := await _read(reader):
            buffer += chunk
            used = 1
            while used:
                used, message = decode(buffer)
                del buffer[:used]
                now_s, state = self._clock.mono_s(), isinstance(message, Status | View | Stats)
                if used and not allowance.spend(used, now_s, state=state):
                    raise FrameError("vision", "the vision process says more than its cameras can show")
                if isinstance(message, Failed):
                    raise LinkError("vision", message.reason[:_WORDS], hint=message.hint[:_WORDS])
                if isinstance(message, Observation | View):
                    self._demand_ours(message.camera)
                    self._observe(message)
                    backoff.reset()
                elif isinstance(message, Status):
                    self._demand_ours(message.device)
                    self._opened = True
                    self._say(replace(message, reason=message.reason[:_WORDS], hint=message.hint[:_WORDS]))
                elif isinstance(message, Stats):
                    self._account(message)
                    if self._suspicion.lives(now_s):
                        self._say_who_is_left_out()
                    if self._suspicion.over(now_s):
                        return True
                elif isinstance(message, Snapshot | NoSnapshot):
                    self._answered(message)
                elif message is not None:
                    raise FrameError("vision", "the vision process says what only the main process may say")
        return False

    def _answered(self, message: Snapshot | NoSnapshot) -> None:
        """Raises: FrameError when it is no answer to what was asked."""
        wanted, answer = self._asked.get(message.number, (None, None))
        if wanted is None or answer is None or answer.done():
            return  # too late
        if isinstance(message, NoSnapshot):
            answer.set_exception(LinkError(wanted.camera, message.reason[:_WORDS], hint="see gatehouse status"))
        elif message.camera != wanted.camera or not is_jpeg(message.jpeg, wanted.max_bytes):
            raise FrameError("vision", "the vision process answers with something else than the picture")
        else:
            answer.set_result(message)

    def _give_up_asking(self) -> None:
        self._writer = None
        for wanted, answer in self._asked.values():
            if not answer.done():
                answer.set_exception(LinkError(wanted.camera, "the vision process ended", hint="it is started again"))

    async def _end(self, child: asyncio.subprocess.Process, log: "asyncio.Task[None]") -> None:
        """SIGTERM, then SIGKILL; the child is gone afterwards."""
        if child.returncode is None:
            child.terminate()
            try:
                async with self._clock.timeout(_TERM_S):
                    await child.wait()
            except TimeoutError:
                child.kill()
                await child.wait()
        self.pid = None
        await log

    def _worker_config(self) -> WorkerConfig:
        return WorkerConfig(
            cameras=tuple(_watched(camera) for camera in self._cameras if camera.id not in self._left_out),
            model=self._config.chosen,
            models=str(self._models),
            runtime=self._config.runtime.value,
            threads=self._config.threads,
            min_score=self._config.min_score,
            profile=self._config.profile.value,
            cpu_cores=self._config.cpu_cores,
        )

    def _account(self, stats: Stats) -> None:
        """Keep the sums, and say as readings at which rate each camera is watched."""
        for camera in stats.cameras:
            self._demand_ours(camera.camera)
        if len({camera.camera for camera in stats.cameras}) < len(stats.cameras):
            raise FrameError("vision", "the vision process speaks of a camera twice")
        self.stats = stats
        for reading in self._rates.readings(stats, self._clock.mono_s()):
            self._emit(reading)

    def _demand_ours(self, camera: DeviceId) -> None:
        if camera not in self.serves:
            raise FrameError("vision", f"the vision process speaks of the unknown camera {camera[:40]}")

    def _say_of_all(self, state: DeviceState, reason: str = "", hint: str = "") -> None:
        for camera in self._cameras:
            self._say(Status(DeviceId(camera.id), state, self._clock.mono_s(), reason, hint))

    def _say_who_is_left_out(self) -> None:
        now_s = self._clock.mono_s()
        for camera in self._left_out:
            back_s = self._suspicion.back_s(camera)
            reason, hint = _ON_TRIAL
            if back_s is not None:
                reason = f"kept out for {(back_s - now_s) / 60:.0f} min: the vision process dies of it"
                hint = "check its stream and its firmware; the other cameras are watched meanwhile"
            self._say(Status(camera, DeviceState.FAULT, now_s, reason, hint))

    def _say(self, status: Status) -> None:
        if self._said.get(status.device) != (status.state, status.reason):
            self._said[status.device] = (status.state, status.reason)
            self._emit(status)


def is_jpeg(content: bytes, max_bytes: int) -> bool:
    """By its size, beginning and end; nothing of it is decoded here."""
    return len(content) <= max_bytes and content.startswith(b"\xff\xd8\xff") and content.endswith(b"\xff\xd9")


async def _read(reader: asyncio.StreamReader) -> bytes:
    """Empty when the stream has ended, cleanly or not: a killed child may leave a reset connection."""
    try:
        return await reader.read(_CHUNK)
    except ConnectionError:
        return b""


async def _log_lines(child: asyncio.subprocess.Process) -> None:
    """The child's stderr into our log; a line without end is cut where the buffer ends."""
    assert child.stderr is not None
    rest = b""
    while chunk := await child.stderr.read(4096):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            _log.info("worker: %s", line.decode("utf-8", "replace"))
        rest = rest[:4096]


def _how(code: int | None) -> str:
    if code is None:
        return "closed its connection"
    return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"


def _watched(camera: Camera) -> WatchedCamera:
    source = CameraSource.model_validate({name: getattr(camera, name) for name in CameraSource.model_fields})
    return WatchedCamera(source=source, privacy=camera.privacy, snapshots=camera.snapshots)
