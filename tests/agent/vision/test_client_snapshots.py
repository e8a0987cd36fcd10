"""A picture across the wire: from the real worker and the real model, and from a worker that lies, hangs or dies."""

import asyncio
import os
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.vision.client import SNAPSHOT_S, VisionClient, is_jpeg
from agent.vision.wire import NoSnapshot, Snapshot
from drivers.base import DeviceId, DeviceState, FrameError, LinkError, SystemClock
from simulators.camera import clip_source
from simulators.clips import fetch_bikes
from tests.agent.vision.test_blur import faces
from tests.agent.vision.test_client import running, settings
from tests.clock import ManualClock
from tests.models.fetched import with_faces

CAM = DeviceId("cam-lane")
JPEG = b"\xff\xd8\xff\xe0 a picture \xff\xd9"
MOST = 65536


async def test_a_picture_of_a_real_camera_is_masked_and_small_enough(tmp_path: Path) -> None:
    with_faces()
    private = [[[0, 0], [300, 0], [300, 272], [0, 272]]]
    config = settings(tmp_path, source=clip_source(fetch_bikes()), privacy=private, snapshots=True)
    async with running(config) as (client, heard):
        await heard.until(DeviceState.OK)
        taken = [await client.snapshot(CAM, SystemClock().mono_s(), most) for most in (MOST, 16384)]
    for snapshot, most in zip(taken, (MOST, 16384), strict=True):
        assert is_jpeg(snapshot.jpeg, most)
        assert not snapshot.whole, "the model for faces is there"
        shown = cv2.imdecode(np.frombuffer(snapshot.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert shown is not None
        width = shown.shape[1]
        assert shown[:, : width * 290 // 640].max() < 24, "the private half is black"
        assert shown[:, width // 2 :].max() > 60
        assert not faces().detect(np.asarray(shown, np.uint8), 0.6)


async def test_a_killed_vision_process_costs_the_picture_only(tmp_path: Path) -> None:
    config = settings(tmp_path, source=clip_source(fetch_bikes()), snapshots=True)
    async with running(config) as (client, heard):
        await heard.until(DeviceState.OK)
        assert client.pid is not None
        os.kill(client.pid, signal.SIGSTOP)
        asking = asyncio.create_task(client.snapshot(CAM, SystemClock().mono_s(), MOST))
        await SystemClock().sleep(0)
        os.kill(client.pid, signal.SIGKILL)
        with pytest.raises(LinkError, match="vision process ended"):
            await asking
        await heard.until(DeviceState.FAULT)
        await heard.until(DeviceState.OK)
        assert (await client.snapshot(CAM, SystemClock().mono_s(), MOST)).jpeg


async def test_a_camera_that_does_not_opt_in_gives_none(tmp_path: Path) -> None:
    async with running(settings(tmp_path, source=clip_source(fetch_bikes()))) as (client, heard):
        await heard.until(DeviceState.OK)
        with pytest.raises(LinkError, match="does not opt in"):
            await client.snapshot(CAM, SystemClock().mono_s(), MOST)


async def test_without_a_vision_process_there_is_none_at_once(tmp_path: Path) -> None:
    client = VisionClient(settings(tmp_path, source="file:none"), SystemClock(), print, print)
    with pytest.raises(LinkError, match="not running"):
        await client.snapshot(CAM, 1.0, MOST)


class Deaf:
    """The end of a socket that nobody answers."""

    def write(self, _content: bytes) -> None:
        return


async def asked(tmp_path: Path, clock: ManualClock) -> tuple[VisionClient, "asyncio.Task[Snapshot]"]:
    client = VisionClient(settings(tmp_path, source="file:none", ids=("cam-lane", "cam-b")), clock, print, print)
    client._writer = Deaf()  # type: ignore[assignment]  # all of a writer that is used
    asking = asyncio.create_task(client.snapshot(CAM, 1.0, MOST))
    await clock.settle()
    return client, asking


async def test_a_vision_process_that_hangs_is_waited_for_a_few_seconds(tmp_path: Path) -> None:
    clock = ManualClock()
    client, asking = await asked(tmp_path, clock)
    await clock.advance(SNAPSHOT_S)
    with pytest.raises(LinkError, match="no picture came"):
        await asking
    client._answered(Snapshot(1, CAM, 1.0, JPEG, 0, 0, whole=False))  # too late, and nobody minds


@pytest.mark.parametrize(
    ("camera", "jpeg"),
    [
        ("cam-b", JPEG),
        (CAM, b"\xff\xd8\xff" + b"x" * MOST + b"\xff\xd9"),
        (CAM, b"GIF89a"),
        (CAM, b"\xff\xd8\xff cut off"),
        (CAM, b""),
    ],
    ids=["another camera", "too large", "no JPEG", "half a JPEG", "nothing"],
)
async def test_what_is_not_the_picture_ends_the_vision_process(tmp_path: Path, camera: str, jpeg: bytes) -> None:
    client, asking = await asked(tmp_path, ManualClock())
    with pytest.raises(FrameError, match="something else than the picture"):
        client._answered(Snapshot(1, DeviceId(camera), 1.0, jpeg, 0, 0, whole=False))
    client._give_up_asking()
    with pytest.raises(LinkError, match="ended"):
        await asking


async def test_a_refusal_is_handed_on_in_words_of_bounded_length(tmp_path: Path) -> None:
    client, asking = await asked(tmp_path, ManualClock())
    client._answered(NoSnapshot(1, "x" * 5000))
    with pytest.raises(LinkError) as raised:
        await asking
    assert len(raised.value.reason) <= 200
