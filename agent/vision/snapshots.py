"""Pictures for the main process, in the camera process: the last seconds in memory, and one of them without people.

Only cameras that opt in are kept, and only in memory. The model for faces is loaded with the first picture that is
asked for. Everything here runs on the worker's main thread.
"""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import cv2

from agent.vision.blur import Detect, Hidden, hide_people
from agent.vision.private import PrivateAreas
from agent.vision.wire import NoSnapshot, Snapshot, SnapshotWanted, WatchedCamera, WorkerConfig
from drivers.base import ConfigError, DeviceId
from drivers.camera import Frame
from models.card import FACES, find
from models.detector import Detector, Picture

_log = logging.getLogger(__name__)

KEPT: Final = 4
"""Pictures of a camera in memory beside the newest, EVERY_S apart; of large ones fewer, one at least."""
KEPT_BYTES: Final = 8 << 20
"""What those of one camera may take: four cameras of three megapixels would otherwise take all the process has."""
EVERY_S: Final = 1.0
STALE_S: Final = 10.0
"""An older picture is no answer."""

_ENCODINGS = ((1.0, 80), (1.0, 60), (1.0, 40), (0.7, 50), (0.5, 50), (0.35, 40))
"""Scale and quality, tried until the picture is small enough."""


class Snapshots:
    """`detect` finds persons if it `knows_people`, `load_faces` gives what finds faces, or None."""

    def __init__(
        self,
        config: WorkerConfig,
        detect: Detect,
        load_faces: Callable[[], Detect | None],
        *,
        knows_people: bool = True,
    ) -> None:
        self._rings: Mapping[DeviceId, deque[Frame]] = {
            DeviceId(camera.source.id): deque(maxlen=_kept(camera) + 1) for camera in config.cameras if camera.snapshots
        }
        self._private = {DeviceId(camera.source.id): PrivateAreas(camera.privacy) for camera in config.cameras}
        self._detect = detect
        self._load_faces = load_faces
        self._knows_people = knows_people
        self._faces: Detect | None = None
        self._asked_for_faces = False

    def keep(self, camera: DeviceId, frame: Frame) -> None:
        """A picture whose private areas are black; of those in memory the last second has only the newest."""
        ring = self._rings.get(camera)
        if ring is None:
            return
        if len(ring) > 1 and ring[-1].mono_s - ring[-2].mono_s < EVERY_S:
            ring.pop()
        ring.append(frame)

    def forget(self, now_s: float) -> None:
        """What is too old for an answer: a camera that has gone away leaves no people in memory."""
        for ring in self._rings.values():
            while ring and now_s - ring[0].mono_s > STALE_S:
                ring.popleft()

    def answer(self, wanted: SnapshotWanted, now_s: float) -> Snapshot | NoSnapshot:
        """The picture nearest to the moment that is asked for, without people's features."""
        ring = self._rings.get(wanted.camera)
        if ring is None:
            return NoSnapshot(wanted.number, "the camera does not opt in to snapshots")
        if not ring or now_s - ring[-1].mono_s > STALE_S:
            return NoSnapshot(wanted.number, "the camera gives no pictures")
        if not self._knows_people:
            return NoSnapshot(wanted.number, "the detection model knows no persons, so they cannot be blurred")
        frame = min(ring, key=lambda kept: abs(kept.mono_s - wanted.mono_s))
        hidden = self._hide(frame.picture)
        self._private[wanted.camera].black_out(hidden.picture)  # again: a blur must carry nothing outside
        jpeg = encode_within(hidden.picture, wanted.max_bytes)
        if jpeg is None:
            return NoSnapshot(wanted.number, f"no picture fits into {wanted.max_bytes} bytes")
        return Snapshot(
            wanted.number, wanted.camera, frame.mono_s, jpeg, hidden.faces, hidden.persons, whole=hidden.whole
        )

    def _hide(self, picture: Picture) -> Hidden:
        if not self._asked_for_faces:
            self._asked_for_faces, self._faces = True, self._load_faces()
        try:
            return hide_people(picture, self._detect, self._faces)
        except (RuntimeError, ValueError) as err:
            if self._faces is None:
                raise
            _log.warning("the model for faces fails, people are blurred whole from now on: %s", err)
            self._faces = None
            return hide_people(picture, self._detect, None)


def _kept(camera: WatchedCamera) -> int:
    size = camera.source.picture
    return max(1, min(KEPT, KEPT_BYTES // (size.width * size.height * 3)))


def encode_within(picture: Picture, max_bytes: int) -> bytes | None:
    """A JPEG of at most so many bytes, as good as it gets."""
    for scale, quality in _ENCODINGS:
        smaller = picture if scale == 1 else cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        good, jpeg = cv2.imencode(".jpg", smaller, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if good and len(jpeg) <= max_bytes:
            return jpeg.tobytes()
    return None


def faces_of(config: WorkerConfig) -> Detect | None:
    """None when the model is not here, is not the one of its card, or cannot run."""
    model = find(FACES, Path(config.models))
    try:
        detector = Detector(model.card, pictures=[], runtime=config.runtime, folder=model.folder)
    except ConfigError as err:
        _log.warning("people are blurred whole on snapshots: %s; %s", err, err.hint)
        return None
    return detector.detect
