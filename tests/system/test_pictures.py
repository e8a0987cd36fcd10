"""An alarm's picture in a whole compound: from the camera to the centre, without a face."""

import hashlib
import shutil
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from agent.settings import Settings
from drivers.base import DeviceState
from models.card import FACES, find
from simulators.centre import Received
from simulators.compound import SimCompound
from tests.agent.vision.test_blur import faces
from tests.models.fetched import with_faces
from tests.system.conftest import compound, gatehouse

TRIES = 4
"""A busy machine may give no picture in time: then another alarm is raised."""


def with_snapshots(settings: Settings) -> Settings:
    """Its camera opts in and sees the stairwell."""
    cameras = tuple(camera.model_copy(update={"snapshots": True}) for camera in settings.cameras)
    sensors = tuple(
        sensor.model_copy(update={"camera": "cam-lane"} if sensor.id == "stairwell-1-smoke" else {})
        for sensor in settings.sensors
    )
    return settings.model_copy(update={"cameras": cameras, "sensors": sensors})


def camera_is_up(running: SimCompound) -> bool:
    devices = [book.devices.get("cam-lane") for book in running.centre.gateways.values()]
    return any(device is not None and device.state is DeviceState.OK for device in devices)


async def pictured_alarm(running: SimCompound) -> Received:
    """The word that an alarm's picture was taken."""
    await running.centre.wait_until(lambda: camera_is_up(running), timeout_s=60)
    for _ in range(TRIES):
        begun = len(running.centre.received)
        running.set_point("stairwell-1/smoke", True)
        alarm = await running.centre.wait_for(lambda got: got.kind == "smoke", since=begun, timeout_s=30)
        name = alarm.data["snapshot"]
        with suppress(TimeoutError):
            return await running.centre.wait_for(
                lambda got, name=name: got.kind == "snapshot.taken" and got.data["snapshot"] == name,  # type: ignore[misc]  # a default binds the loop's name
                timeout_s=12,
            )
        begun = len(running.centre.received)
        running.set_point("stairwell-1/smoke", False)
        await running.centre.wait_for(lambda got: got.kind == "smoke.restored", since=begun, timeout_s=30)
    raise AssertionError("no picture came")


async def jpeg_of(running: SimCompound, snapshot: object) -> bytes:
    def arrived() -> bool:
        return any(snapshot in book.pictures for book in running.centre.gateways.values())

    await running.centre.wait_until(arrived, timeout_s=30)
    return next(book.pictures[str(snapshot)] for book in running.centre.gateways.values() if snapshot in book.pictures)


async def test_an_alarms_picture_reaches_the_centre_masked(settings: Settings, folder: Path) -> None:
    model = find(FACES, with_faces())
    async with compound(with_snapshots(settings), folder) as running:
        storage = folder / "state"
        (storage / "models").mkdir(parents=True, exist_ok=True)
        shutil.copy(model.path, storage / "models")
        taken = await pictured_alarm(running)
        snapshot = taken.data["snapshot"]
        jpeg = await jpeg_of(running, snapshot)
        assert taken.data["jpeg_sha256"] == hashlib.sha256(jpeg).hexdigest()
        assert taken.data["size"] == len(jpeg) <= 64 * 1024
        assert not taken.data["whole"]
        shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert shown is not None
        assert not faces().detect(np.asarray(shown, np.uint8), 0.6)
        on_disk = [path.read_bytes() for path in storage.rglob("*") if path.is_file() and path.name != model.card.file]
        assert not any(jpeg[100:200] in content for content in on_disk), "nothing of it lies open on the gateway"
        listed = await gatehouse("snapshots", "list", "--file", running.file)
        assert str(snapshot) in listed.out
