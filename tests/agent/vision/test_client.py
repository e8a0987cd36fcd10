"""The main process's side with the real worker, the real model and a real clip."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent.observations import Label, Observation, View
from agent.settings import Settings
from agent.vision.client import VisionClient
from drivers.base import DeviceState, Reading, Report, Status, SystemClock
from models.card import FACES
from simulators.camera import clip_source
from simulators.clips import cache, fetch_bikes
from tests.models.fetched import SSD, with_ssd
from tests.models.test_decoders import own

WAIT_S = 40.0


def settings(
    folder: Path,
    *,
    source: str,
    model: str = "nanodet-416-fp16",
    privacy: object = (),
    ids: Sequence[str] = ("cam-lane",),
    snapshots: bool = False,
) -> Settings:
    name = {"zh": "通道", "en": "Lane"}
    camera = {
        "source": source, "picture": {"width": 640, "height": 272}, "name": name,
        "purpose": "test", "owner": "test", "sign": "test", "privacy": privacy,
        "snapshots": snapshots,
    }  # fmt: skip
    area = {"city": "610200", "county": "610202", "street": "610202001", "community": "610202001001"}
    return Settings.model_validate(
        {
            "gateway": {"id": "gh-test", "name": name} | area,
            "cameras": [camera | {"id": camera_id} for camera_id in ids],
            "vision": {"model": model},
            "centre": {"broker": "mqtt://127.0.0.1:1883"},
            "run": {"folder": folder},
            "storage": {"folder": cache()},
        }
    )


class Heard:
    """What the client hands on, for a test to await."""

    def __init__(self) -> None:
        self.seen: asyncio.Queue[Observation] = asyncio.Queue()
        self.views: list[View] = []
        self.statuses: asyncio.Queue[Status] = asyncio.Queue()
        self.readings: asyncio.Queue[Reading] = asyncio.Queue()

    def observe(self, said: Observation | View) -> None:
        if isinstance(said, View):
            self.views.append(said)
        else:
            self.seen.put_nowait(said)

    def emit(self, report: Report) -> None:
        if isinstance(report, Status):
            self.statuses.put_nowait(report)
        else:
            self.readings.put_nowait(report)

    async def until(self, state: DeviceState) -> Status:
        async with asyncio.timeout(WAIT_S):
            while (status := await self.statuses.get()).state is not state:
                pass
        return status

    async def observation(self, wanted: Callable[[Observation], bool]) -> Observation:
        async with asyncio.timeout(WAIT_S):
            while not wanted(seen := await self.seen.get()):
                pass
        return seen


@asynccontextmanager
async def running(config: Settings) -> AsyncIterator[tuple[VisionClient, Heard]]:
    heard = Heard()
    client = VisionClient(config, SystemClock(), heard.observe, heard.emit)
    task = asyncio.create_task(client.run(), name="vision")
    try:
        yield client, heard
    finally:
        loop = asyncio.get_running_loop()
        began, pid = loop.time(), client.pid
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert loop.time() - began < 1.0
        assert not (config.run.folder / "vision.sock").exists()
        assert pid is None or not Path(f"/proc/{pid}").exists()


def has(*labels: Label) -> Callable[[Observation], bool]:
    return lambda seen: any(track.label in labels for track in seen.tracks)


async def test_people_or_vehicles_of_a_real_clip_are_observed_and_a_killed_worker_returns(tmp_path: Path) -> None:
    async with running(settings(tmp_path, source=clip_source(fetch_bikes()))) as (client, heard):
        assert (await heard.until(DeviceState.STARTING)).device == "cam-lane"
        await heard.until(DeviceState.OK)
        seen = await heard.observation(has(Label.PERSON, Label.VEHICLE))
        assert seen.looked
        assert seen.camera == "cam-lane"
        assert 0 <= SystemClock().mono_s() - seen.mono_s < 5
        for track in seen.tracks:
            assert 0 <= track.box.left < track.box.right <= 640
            assert 0 <= track.box.top < track.box.bottom <= 272

        assert client.pid is not None
        first = client.pid
        os.kill(first, signal.SIGKILL)
        fault = await heard.until(DeviceState.FAULT)
        assert fault.reason == "the vision process was ended by signal 9"
        await heard.until(DeviceState.OK)
        while not heard.seen.empty():
            heard.seen.get_nowait()
        await heard.observation(lambda _: True)
        assert client.pid not in {None, first}


async def test_cameras_that_share_the_interpreter_are_all_looked_at(tmp_path: Path) -> None:
    ids = ("cam-a", "cam-b", "cam-c")
    async with running(settings(tmp_path, source=clip_source(fetch_bikes()), ids=ids)) as (client, heard):
        assert client.serves == set(ids)
        for camera in ids:
            for _ in range(3):
                await heard.observation(lambda seen, camera=camera: seen.camera == camera)  # type: ignore[misc]  # a default binds the loop's camera


async def test_the_rate_at_which_a_camera_is_watched_is_a_reading(tmp_path: Path) -> None:
    async with running(settings(tmp_path, source=clip_source(fetch_bikes()))) as (_, heard), asyncio.timeout(WAIT_S):
        told = [await heard.readings.get() for _ in range(3)]
    assert [reading.ref for reading in told] == ["cam-lane/fps", "cam-lane/looked", "cam-lane/slowed"]
    assert 0 < float(told[0].value) <= 6  # type: ignore[arg-type]  # a number


async def test_a_worker_that_does_not_answer_is_ended_within_a_second(tmp_path: Path) -> None:
    async with running(settings(tmp_path, source=clip_source(fetch_bikes()))) as (client, heard):
        await heard.until(DeviceState.OK)
        assert client.pid is not None
        os.kill(client.pid, signal.SIGSTOP)


async def test_a_picture_that_is_all_private_shows_nobody(tmp_path: Path) -> None:
    everything = [[0, 0], [640, 0], [640, 272], [0, 272]]
    config = settings(tmp_path, source=clip_source(fetch_bikes()), privacy=[everything, everything])
    async with running(config) as (_, heard):
        for _ in range(3):
            seen = await heard.observation(lambda seen: seen.looked)
            assert seen.tracks == ()


@pytest.mark.parametrize("chosen", ["by name", "an installer's own"])
async def test_another_model_is_chosen_in_the_settings(tmp_path: Path, chosen: str) -> None:
    with_ssd()
    config = settings(tmp_path, source=clip_source(fetch_bikes()), model=SSD)
    if chosen != "by name":
        vision = config.vision.model_copy(update={"model_card": Path(own(tmp_path))})
        config = config.model_copy(update={"vision": vision})
    async with running(config) as (_, heard):
        assert (await heard.observation(has(Label.PERSON, Label.VEHICLE))).looked


async def test_a_model_that_is_not_there_is_a_fault_with_a_cure(tmp_path: Path) -> None:
    config = settings(tmp_path, source=clip_source(fetch_bikes()), model="no-such-model")
    async with running(config) as (_, heard):
        fault = await heard.until(DeviceState.FAULT)
        assert "no-such-model.toml" in fault.reason
        assert "nanodet-416-fp16" in fault.hint


async def test_a_model_that_only_finds_faces_is_a_fault_with_a_cure(tmp_path: Path) -> None:
    config = settings(tmp_path, source=clip_source(fetch_bikes()), model=FACES)
    async with running(config) as (_, heard):
        fault = await heard.until(DeviceState.FAULT)
        assert "finds faces to hide them" in fault.reason


async def test_a_camera_that_is_not_there_is_a_fault_of_the_camera_only(tmp_path: Path) -> None:
    async with running(settings(tmp_path, source="file:/nowhere.mp4")) as (client, heard):
        fault = await heard.until(DeviceState.FAULT)
        assert fault.reason == "cannot open: there is no file /nowhere.mp4"
        assert client.pid is not None


async def test_a_socket_path_that_is_too_long_is_a_fault_not_a_crash(tmp_path: Path) -> None:
    config = settings(tmp_path / ("x" * 120), source="file:/nowhere.mp4")
    async with running(config) as (_, heard):
        fault = await heard.until(DeviceState.FAULT)
        assert "cannot be started" in fault.reason


async def test_the_worker_loads_no_part_that_knows_doors_or_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")  # the worker names each module it loads on its stderr
    async with running(settings(tmp_path, source=clip_source(fetch_bikes()))) as (_, heard):
        await heard.observation(lambda _: True)
    loaded = {line.rpartition("|")[2].strip() for line in caplog.messages if "import time:" in line}
    assert {"cv2", "numpy", "agent.vision.watch", "models.detector"} <= loaded
    tops = {name.partition(".")[0] for name in loaded}
    assert not tops & {"sqlalchemy", "sqlite3", "paho", "cryptography", "serial", "gpiod", "pymodbus", "simulators"}
    assert not {name for name in loaded if name.startswith(("agent.settings", "agent.journal", "agent.credentials"))}


def test_the_main_process_loads_no_picture_library() -> None:
    code = (
        "import sys, agent.vision.client, agent.settings\n"
        "print(sorted({m.partition('.')[0] for m in sys.modules}"
        " & {'cv2', 'numpy', 'ai_edge_litert', 'tflite_runtime', 'models'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
