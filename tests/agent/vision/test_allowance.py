"""A camera process that was taken over can say only so much: no door waits behind it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.observations import Box, Flaw, Label, Observation, Track, View
from agent.vision.client import VisionClient
from agent.vision.wire import CameraStats, Message, Stats, encode
from drivers.base import Backoff, DeviceId, DeviceState, FrameError, Reading, Report, Status
from tests.agent.vision.test_client import settings
from tests.clock import ManualClock

CAM = DeviceId("cam-lane")
CROWD = tuple(Track(n, Label.PERSON, Box(0.0, 0.0, 9.0, 9.0), 0.5) for n in range(100))


class Talk:
    """What the client hands on of what a process says."""

    def __init__(self, tmp_path: Path) -> None:
        self.clock = ManualClock()
        self.told: list[Status | Reading | Observation | View] = []
        self.client = VisionClient(settings(tmp_path, source="file:none"), self.clock, self.told.append, self.emit)
        self.reader = asyncio.StreamReader(limit=1 << 26)
        self.task = asyncio.create_task(self.client._listen_to(self.reader, Backoff()))

    def emit(self, report: Report) -> None:
        self.told.append(report)

    async def say(self, message: Message) -> None:
        self.reader.feed_data(encode(message))
        await self.clock.settle()


def state(number: int) -> Status:
    return Status(CAM, DeviceState.FAULT if number % 2 else DeviceState.OK, 1.0, f"reason {number}")


def view(number: int) -> View:
    return View(CAM, 1.0, 1.0, Flaw.COVERED if number % 2 else None)


def nobody(_: int) -> Observation:
    return Observation(CAM, 1.0, looked=True)


@pytest.mark.parametrize(("said", "most"), [(state, 20), (view, 20), (nobody, 600)])
async def test_a_flood_ends_the_process_before_it_fills_the_queue(
    tmp_path: Path, said: Callable[[int], Message], most: int
) -> None:
    talk = Talk(tmp_path)
    talk.reader.feed_data(b"".join(encode(said(number)) for number in range(5000)))
    with pytest.raises(FrameError, match="says more"):
        await talk.task
    assert len(talk.told) == most


async def test_a_crowd_at_fifteen_pictures_a_second_and_a_camera_that_flickers_are_heard(tmp_path: Path) -> None:
    talk = Talk(tmp_path)
    for number in range(900):
        await talk.say(Observation(CAM, 1.0 + number / 15, looked=True, tracks=CROWD))
        if number % 15 == 0:
            await talk.say(state(number))
        await talk.clock.advance(1 / 15)
    assert len(talk.told) == 960
    talk.reader.feed_eof()
    assert await talk.task is False


async def test_a_camera_is_counted_once_in_the_sums(tmp_path: Path) -> None:
    talk = Talk(tmp_path)
    camera = CameraStats(CAM, 5.0, 5.0, 1.0, 0.0)
    await talk.say(Stats(1, 0, 0, 0, 0.0, 0.0, 0.0, 1, "litert", cameras=(camera, camera)))
    with pytest.raises(FrameError, match="twice"):
        await talk.task


async def test_words_are_of_bounded_length(tmp_path: Path) -> None:
    talk = Talk(tmp_path)
    await talk.say(Status(CAM, DeviceState.FAULT, 1.0, "x" * 9999, "y" * 9999))
    talk.reader.feed_eof()
    await talk.task
    [status] = talk.told
    assert isinstance(status, Status)
    assert (len(status.reason), len(status.hint)) == (200, 200)
