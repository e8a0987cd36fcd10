"""One camera's way from picture to observation: masks, motion gate, when to look, tracker.

A look is one run of the detector. While something moves, a camera looks at most every `infer_every_s`; a new track is
looked at again at once until it is confirmed or given up; what is followed or was lately seen is looked at every
RECHECK_S, so that standing still and having left are both proven; an idle camera looks once a minute.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import cv2
import numpy as np

from agent.observations import Observation
from agent.vision.motion import STILL, MotionGate
from agent.vision.tracker import Tracker
from agent.vision.wire import WatchedCamera
from drivers.base import DeviceId
from drivers.camera import Frame
from models.detector import Boxes, Detection, Picture

RECHECK_S: Final = 1.5
"""Below the two seconds for which a zone believes one look."""
IDLE_S: Final = 60.0

_LINGER_S = 5.0
"""After the last confirmed track an empty picture is proven for this long, longer than any zone's grace."""
_RECENT_S = 1.0
"""A birth needs motion no older than this."""
_CONTINUE = 0.7
"""A track goes on at this share of the score that a birth needs."""

Detect = Callable[[Picture, float], Sequence[Detection]]


class CameraWatch:
    """`moving` counts frames with motion, `looks` the runs of the detector; `looked_s` is the time of the last one."""

    def __init__(self, camera: WatchedCamera, *, min_score: float, confident: float, infer_every_s: float) -> None:
        self.id = DeviceId(camera.source.id)
        self._masks = [np.rint(np.array(polygon)).astype(np.int32) for polygon in camera.privacy]
        self._gate = MotionGate()
        self._tracker = Tracker(
            width=camera.source.picture.width,
            height=camera.source.picture.height,
            birth_score=min_score,
            confident=max(confident, min_score),
        )
        self._look_score = min_score * _CONTINUE
        self._infer_every_s = infer_every_s
        self._recent: deque[tuple[float, Boxes]] = deque()
        self._seen_s = float("-inf")
        self.looked_s = float("-inf")
        self.moving = 0
        self.looks = 0

    def consider(self, frame: Frame) -> bool:
        """Black out what is private, judge the motion; whether the frame is worth a look."""
        if self._masks:
            cv2.fillPoly(frame.picture, self._masks, (0, 0, 0))
        motion = self._gate.look(frame.picture, frame.mono_s)
        while self._recent and frame.mono_s - self._recent[0][0] > _RECENT_S:
            self._recent.popleft()
        if motion.any:
            self.moving += 1
            self._recent.append((frame.mono_s, motion.areas))
        since_s = frame.mono_s - self.looked_s
        if self._tracker.curious:
            return True
        if motion.any:
            return since_s >= self._infer_every_s
        followed = self._tracker.alive or frame.mono_s - self._seen_s <= _LINGER_S
        return since_s >= (RECHECK_S if followed else IDLE_S)

    def look(self, frame: Frame, detect: Detect) -> Observation:
        """Run the detector on a frame that was considered."""
        seen = detect(frame.picture, self._look_score)
        areas = [areas for _, areas in self._recent]
        tracks = self._tracker.update(seen, np.concatenate(areas) if areas else STILL.areas, frame.mono_s)
        if tracks:
            self._seen_s = frame.mono_s
        self.looked_s = frame.mono_s
        self.looks += 1
        return Observation(self.id, frame.mono_s, looked=True, tracks=tracks)
