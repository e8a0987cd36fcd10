"""A simulated network camera: what befalls it shows in its stream, and its figures are real to the real detector."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from drivers.base import ConfigError, SystemClock
from models.card import load
from models.detector import Detector
from simulators.clips import fetch_bikes
from simulators.lens import Picture
from simulators.mjpeg import SimCamera, looking_at
from simulators.scenes import Figure, Stage

SIZE = (640, 272)


@pytest.fixture
async def camera() -> AsyncIterator[SimCamera]:
    async with SimCamera(looking_at("stage", fetch_bikes(), SIZE), SystemClock()) as camera:
        yield camera


class Viewer:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def jpeg(self) -> bytes:
        async with asyncio.timeout(20):
            head = await self._reader.readuntil(b"\r\n\r\n")
            return await self._reader.readexactly(int(head.rpartition(b": ")[2]) + 2)

    async def picture(self) -> Picture:
        decoded = cv2.imdecode(np.frombuffer(await self.jpeg(), np.uint8), cv2.IMREAD_COLOR)
        return np.asarray(decoded, np.uint8)

    async def raw(self, size: int) -> bytes:
        async with asyncio.timeout(20):
            return await self._reader.readexactly(size)

    def leave(self) -> None:
        self._writer.close()


async def viewer(camera: SimCamera) -> Viewer:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(camera.url.split(":")[2].split("/")[0]))
    writer.write(b"GET /stream.mjpg HTTP/1.0\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    return Viewer(reader, writer)


async def test_a_quiet_camera_has_noise_and_a_frozen_one_has_none(camera: SimCamera) -> None:
    seen = await viewer(camera)
    assert len({await seen.jpeg() for _ in range(4)}) == 4
    camera.trouble("frozen")
    await seen.jpeg()
    assert len({await seen.jpeg() for _ in range(4)}) == 1
    seen.leave()


async def test_size_light_and_focus_change_and_come_back(camera: SimCamera) -> None:
    seen = await viewer(camera)
    clear = await seen.picture()

    async def with_trouble(name: str) -> Picture:
        camera.trouble(name)
        await seen.picture()
        return await seen.picture()

    assert (await with_trouble("resized")).shape == (SIZE[1] // 2, SIZE[0] // 2, 3)
    assert (await with_trouble("dark")).mean() < clear.mean() / 2
    infrared = await with_trouble("infrared")
    assert np.ptp(infrared.astype(int).mean(axis=(0, 1))) < 3
    assert cv2.Laplacian(await with_trouble("defocused"), cv2.CV_64F).std() < cv2.Laplacian(clear, cv2.CV_64F).std()
    assert (await with_trouble("covered")).std() < clear.std()
    again = await with_trouble("clear")
    assert np.abs(again.astype(int) - clear).mean() < 10
    seen.leave()


async def test_a_corrupt_stream_is_no_stream(camera: SimCamera) -> None:
    seen = await viewer(camera)
    await seen.jpeg()
    camera.trouble("corrupt")
    assert b"gatehouse" not in (await seen.raw(60_000))[-20_000:]
    seen.leave()


def test_figures_cross_where_they_are_told_and_the_real_detector_sees_them() -> None:
    stage = Stage(fetch_bikes(), *SIZE, fps=10)
    detector = Detector(load("nanodet-416-fp16"), pictures=[(SIZE[1], SIZE[0])], runtime="auto", threads=1)
    assert detector.detect(stage.picture(), 0.3) == []
    stage.enter(Figure.PERSON, ((250, 150), (250, 260)), height=110, speed=110, count=2, gap_s=0, spread=140)
    for wanted in (150.0, 161.0, 172.0, 183.0):
        found = [d for d in detector.detect(stage.picture(), 0.4) if d.label == "person"]
        feet = sorted((d.box[0] + d.box[2]) / 2 for d in found)
        assert feet == pytest.approx([250, 390], abs=20)
        assert all(abs(d.box[3] - wanted) < 15 for d in found)
    stage.clear()
    assert detector.detect(stage.picture(), 0.3) == []
    stage.enter(Figure.CAR, ((320, 250), (320, 250)), height=100, stays=True)
    assert [d.label for d in detector.detect(stage.picture(), 0.35)][:1] == ["vehicle"]


def test_who_has_reached_the_end_of_the_path_leaves_unless_told_to_stay() -> None:
    stage = Stage(fetch_bikes(), *SIZE, fps=10)
    empty = stage.picture()

    def changed() -> float:
        return float(np.abs(stage.picture().astype(int) - empty).mean())

    quiet = changed()
    stage.enter(Figure.PERSON, ((100, 200), (120, 200)), height=110, speed=100)
    assert changed() > quiet + 0.5
    for _ in range(4):
        stage.picture()
    assert changed() < quiet + 0.5
    stage.enter(Figure.PERSON, ((100, 200), (120, 200)), height=110, speed=100, stays=True)
    for _ in range(20):
        stage.picture()
    assert changed() > quiet + 0.5


def test_a_clip_has_no_stage() -> None:
    camera = SimCamera(looking_at("clip", Path(fetch_bikes()), SIZE), SystemClock())
    with pytest.raises(ConfigError, match="plays a clip"):
        _ = camera.stage
