"""The last seconds of a camera in memory, and the picture that leaves the process."""

import logging
import weakref
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from agent.vision.blur import Detect
from agent.vision.snapshots import EVERY_S, KEPT, STALE_S, Snapshots, encode_within, faces_of
from agent.vision.wire import NoSnapshot, Snapshot, SnapshotWanted, WatchedCamera, WorkerConfig
from drivers.base import DeviceId
from drivers.camera import CameraSource, Frame
from drivers.camera import Picture as Size
from models.detector import Detection, Picture
from tests.agent.vision.test_worker import config
from tests.models.test_detector import frame

CAM, OTHER = DeviceId("cam"), DeviceId("other")
PRIVATE = ((0.0, 0.0), (200.0, 0.0), (200.0, 100.0), (0.0, 100.0))
OVERLAPPING = ((100.0, 50.0), (250.0, 50.0), (250.0, 150.0), (100.0, 150.0))


def watched(camera: DeviceId, *, snapshots: bool) -> WatchedCamera:
    source = CameraSource(id=camera, source="file:none", picture=Size(width=640, height=272))
    return WatchedCamera(source=source, snapshots=snapshots, privacy=(PRIVATE, OVERLAPPING))


CONFIG: WorkerConfig = config().model_copy(
    update={"cameras": (watched(CAM, snapshots=True), watched(OTHER, snapshots=False))}
)


def nothing(_picture: Picture, _score: float) -> list[Detection]:
    return []


def snapshots(faces: Callable[[], Detect | None] = lambda: nothing) -> Snapshots:
    return Snapshots(CONFIG, nothing, faces)


def wanted(mono_s: float, camera: DeviceId = CAM, max_bytes: int = 65536) -> SnapshotWanted:
    return SnapshotWanted(1, camera, mono_s, max_bytes)


def grey(value: int) -> Picture:
    return np.full((272, 640, 3), value, np.uint8)


def answer(kept: Snapshots, mono_s: float, now_s: float) -> Snapshot:
    found = kept.answer(wanted(mono_s), now_s)
    assert isinstance(found, Snapshot)
    return found


def test_the_picture_nearest_to_the_moment_is_taken_and_memory_is_bounded() -> None:
    kept = snapshots()
    for n in range(100):  # 20 s at 5 fps
        kept.keep(CAM, Frame(grey(n), 50 + n / 5))
    newest_s = 50 + 99 / 5
    assert answer(kept, newest_s + 1, newest_s).mono_s == newest_s
    nearest = answer(kept, newest_s - 2, newest_s)
    assert abs(nearest.mono_s - (newest_s - 2)) <= EVERY_S
    shown = cv2.imdecode(np.frombuffer(nearest.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert abs(float(shown[200, 300].mean()) - round((nearest.mono_s - 50) * 5)) < 3, "it is that picture"
    assert newest_s - answer(kept, 0, newest_s).mono_s <= (KEPT + 1) * EVERY_S


def test_large_pictures_take_no_more_memory_than_small_ones() -> None:
    camera = watched(CAM, snapshots=True)
    large = camera.model_copy(
        update={"source": camera.source.model_copy(update={"picture": Size(width=2304, height=1296)})}
    )
    kept = Snapshots(CONFIG.model_copy(update={"cameras": (large,)}), nothing, lambda: nothing)
    pictures = []
    for n in range(50):
        picture = np.zeros((1296, 2304, 3), np.uint8)
        pictures.append(weakref.ref(picture))
        kept.keep(CAM, Frame(picture, 50 + n / 5))
    del picture
    assert sum(there() is not None for there in pictures) == 2
    assert abs(answer(kept, 58.8, 60).mono_s - 58.8) <= EVERY_S


def test_a_camera_that_has_gone_away_leaves_no_pictures_in_memory() -> None:
    kept = snapshots()
    picture = grey(7)
    there = weakref.ref(picture)
    kept.keep(CAM, Frame(picture, 50.0))
    del picture
    kept.forget(50 + STALE_S)
    assert there() is not None
    kept.forget(50.1 + STALE_S)
    assert there() is None
    assert kept.answer(wanted(50), 61) == NoSnapshot(1, "the camera gives no pictures")


def test_private_areas_are_black_whatever_was_kept() -> None:
    kept = snapshots()
    kept.keep(CAM, Frame(grey(200), 50.0))
    shown = cv2.imdecode(np.frombuffer(answer(kept, 50, 50).jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown[8:88, 8:188].max() < 24
    assert shown[58:142, 108:242].max() < 24, "where two areas lie on one another as well"
    assert shown[150, 400].min() > 180


def test_only_cameras_that_opt_in_are_kept() -> None:
    kept = snapshots()
    kept.keep(OTHER, Frame(grey(1), 50.0))
    refused = kept.answer(wanted(50, OTHER), 50)
    assert isinstance(refused, NoSnapshot)
    assert "opt in" in refused.reason


def test_a_camera_without_fresh_pictures_has_no_snapshot() -> None:
    kept = snapshots()
    assert isinstance(kept.answer(wanted(50), 50), NoSnapshot)
    kept.keep(CAM, Frame(grey(1), 50.0))
    assert isinstance(kept.answer(wanted(50), 50 + STALE_S + 1), NoSnapshot)


def test_a_model_that_knows_no_persons_gives_no_pictures() -> None:
    """An installer's own, for vehicles: nobody could be blurred."""
    kept = Snapshots(CONFIG, nothing, lambda: nothing, knows_people=False)
    kept.keep(CAM, Frame(grey(1), 50.0))
    refused = kept.answer(wanted(50), 50)
    assert isinstance(refused, NoSnapshot)
    assert "cannot be blurred" in refused.reason


@pytest.mark.parametrize("max_bytes", [16, 24, 64])
def test_a_picture_is_made_small_enough(max_bytes: int) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)
    for picture in (noise, frame(120)):
        jpeg = encode_within(picture, max_bytes * 1024)
        assert jpeg is None or len(jpeg) <= max_bytes * 1024
    assert encode_within(frame(120), max_bytes * 1024) is not None
    assert encode_within(noise, 300) is None


def test_the_model_for_faces_is_loaded_with_the_first_picture_only() -> None:
    loads: list[int] = []

    def load() -> Detect | None:
        loads.append(1)
        return nothing

    kept = snapshots(load)
    kept.keep(CAM, Frame(grey(1), 50.0))
    assert not loads
    assert not answer(kept, 50, 50).whole
    answer(kept, 50, 50)
    assert len(loads) == 1


def test_a_model_for_faces_that_fails_means_persons_whole(caplog: pytest.LogCaptureFixture) -> None:
    def fails(_picture: Picture, _score: float) -> list[Detection]:
        raise RuntimeError("tensor 3 is broken")

    kept = snapshots(lambda: fails)
    kept.keep(CAM, Frame(grey(1), 50.0))
    with caplog.at_level(logging.WARNING):
        assert answer(kept, 50, 50).whole
        assert answer(kept, 50, 50).whole
    assert caplog.text.count("tensor 3 is broken") == 1


def test_without_the_models_file_persons_are_blurred_whole(caplog: pytest.LogCaptureFixture) -> None:
    kept = snapshots(lambda: faces_of(CONFIG.model_copy(update={"models": "/nowhere"})))
    kept.keep(CAM, Frame(grey(1), 50.0))
    assert answer(kept, 50, 50).whole
    assert "gatehouse models fetch" in caplog.text
