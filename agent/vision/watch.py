"""One camera's way from picture to observation: masks, motion gate, when to look, tracker.

A look is one run of the detector, or two where somebody is missed in the first. While something moves, a camera looks
as often as its profile says; a new track is looked at again at once until it is confirmed or given up, and so is, once,
what begins to move where nothing is followed; a track that was missed while nothing moved, every RECHECK_S.

A picture in which nothing has moved since the last look needs none: what that look said still holds, and is said again
every RECHECK_S with `looked` set, so that standing still and having left are both proven for nothing. Between looks in
a moving picture tracks are predicted and said with `looked` unset: there, who is absent proves nothing.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import compress
from typing import Final

import numpy as np

from agent.observations import Observation, Track, View
from agent.vision.motion import STILL, Luma, MotionGate, alike
from agent.vision.newcomers import Newcomers
from agent.vision.pairing import colours_of
from agent.vision.private import PrivateAreas
from agent.vision.profile import Profile
from agent.vision.region import Region, around, closer
from agent.vision.tamper import Tamper
from agent.vision.tracker import Tracker
from agent.vision.wire import WatchedCamera
from drivers.base import DeviceId
from drivers.camera import Frame
from models.boxes import boxes_of, overlap
from models.detector import Boxes, Detection, Picture

RECHECK_S: Final = 1.5
"""Below the two seconds for which a zone believes one look."""
QUIET_S: Final = 1.5
"""That an empty street is still empty is said this often: whoever asks for a verdict waits for seconds only."""
RELOOK_S: Final = 30.0
"""What stands still is believed to stand there for this long before the detector is asked again."""

_LINGER_S = 5.0
"""After the last confirmed track an empty picture is proven for this long, longer than any zone's grace."""
_RECENT_S = 1.0
"""A birth needs motion no older than this."""
_WHOLE_S = 1.0
"""The whole picture is looked at no less often than this while looks go on."""
_HIM, _SAME = 0.3, 0.5
"""What a closer look shows is him who is missed if it lies so far on his place, and nobody new if on what was seen."""
_CONTINUE = 0.66
"""A track goes on at this share of the score that a birth needs."""

Detect = Callable[[Picture, float], Sequence[Detection]]


class CameraWatch:
    """`moving` counts frames with motion, `looks` those that were looked at, `runs` the runs of the detector for them.

    `due_s` is when the next look is due in a moving picture; `pace` stretches the time between looks.
    """

    def __init__(self, camera: WatchedCamera, profile: Profile, *, min_score: float, confident: float) -> None:
        self.id = DeviceId(camera.source.id)
        self._private = PrivateAreas(camera.privacy)
        self._gate = MotionGate(self._private)
        self._tamper = Tamper()
        self._viewed = False
        self._tracker = Tracker(
            width=camera.source.picture.width,
            height=camera.source.picture.height,
            birth_score=min_score,
            confident=max(confident, min_score),
        )
        self._look_score = min_score * _CONTINUE
        self._profile = profile
        self._newcomers = Newcomers()
        self._new = False
        """Whether somebody may have entered in the last picture that was considered."""
        self._recent: deque[tuple[float, Boxes]] = deque()
        self._moved = True
        """Whether anything has moved since the last look, or there was none yet."""
        self._seen_s = float("-inf")
        self._whole_s = float("-inf")
        self._looked_s = float("-inf")
        self._closer_s = float("-inf")
        self._proven_s = float("-inf")
        self._shown: tuple[Track, ...] = ()
        self._looked_at: Luma = self._gate.luma
        self.pace = 1.0
        self.moving = 0
        self.looks = 0
        self.runs = 0

    @property
    def luma(self) -> Luma:
        """The brightness of the last picture that was considered, at a quarter of its size, masks black."""
        return self._gate.luma

    @property
    def due_s(self) -> float:
        at_once = self._new or self._tracker.curious
        return self._looked_s + (0.0 if at_once else self._profile.every_s / self.pace)

    def consider(self, frame: Frame) -> bool:
        """Black out what is private, judge the motion; whether the frame is worth a look."""
        self._private.black_out(frame.picture)
        motion = self._gate.look(frame.picture, frame.mono_s)
        self._viewed = self._tamper.look(self._gate.luma, frame.mono_s, self._gate.visible)
        while self._recent and frame.mono_s - self._recent[0][0] > _RECENT_S:
            self._recent.popleft()
        self._new = motion.any and self._newcomers.look(motion.areas, self._tracker.places(frame.mono_s))
        if motion.any:
            self._moved = True
            self.moving += 1
            self._recent.append((frame.mono_s, motion.areas))
            if motion.everywhere:
                self._whole_s = float("-inf")
        elif not self._moved and self._tracker.alive:
            self._moved = not alike(self._gate.luma, self._looked_at)
        if self._moved or self._tracker.curious:
            return frame.mono_s >= self.due_s
        since_s = frame.mono_s - self._looked_s
        if self._tracker.doubtful:
            return since_s >= RECHECK_S
        return self._tracker.alive and since_s >= RELOOK_S

    def follow(self, frame: Frame) -> Observation | None:
        """What can be said of a considered frame without a look; None if that is nothing new."""
        if self._moved:
            self._tracker.follow(self._gate.half, frame.mono_s)
            tracks = self._tracker.predict(frame.mono_s)
            return Observation(self.id, frame.mono_s, looked=False, tracks=tracks) if tracks else None
        followed = self._tracker.alive or frame.mono_s - self._seen_s <= _LINGER_S
        if frame.mono_s - self._proven_s < (RECHECK_S if followed else QUIET_S):
            return None
        self._proven_s = frame.mono_s
        return Observation(self.id, frame.mono_s, looked=True, tracks=self._shown)

    def view(self, frame: Frame) -> View | None:
        """What is wrong with the camera's view, when a considered frame has changed that."""
        if not self._viewed:
            return None
        return View(self.id, frame.mono_s, self._tamper.reference_s, self._tamper.flaw)

    def look(self, frame: Frame, detect: Detect) -> Observation:
        """Run the detector on a frame that was considered."""
        areas = [areas for _, areas in self._recent]
        motion = np.concatenate(areas) if areas else STILL.areas
        part = self._part(frame, motion)
        seen = self._whole(frame, detect) if part is None else self._within(frame, part, detect)
        colours = colours_of(frame.picture, seen)
        self._shown = self._tracker.update(seen, colours, motion, frame.mono_s, self._gate.half, whole=part is None)
        if self._shown:
            self._seen_s = frame.mono_s
        self._looked_s = self._proven_s = frame.mono_s
        self._moved, self._looked_at = False, self._gate.luma
        self.looks += 1
        return Observation(self.id, frame.mono_s, looked=True, tracks=self._shown)

    def _part(self, frame: Frame, motion: Boxes) -> Region | None:
        """The part of the picture that holds all that moves or is followed; None: the whole, at least now and then."""
        height, width = frame.picture.shape[:2]
        part = around(np.concatenate([motion, self._tracker.places(frame.mono_s)]), width, height)
        if part is None or frame.mono_s - self._whole_s > _WHOLE_S:
            self._whole_s = frame.mono_s
            return None
        return part

    def _whole(self, frame: Frame, detect: Detect) -> Sequence[Detection]:
        """What is in the picture; who is missed in it is looked for once more, where he should be, larger."""
        seen = detect(frame.picture, self._look_score)
        self.runs += 1
        every_s = self._profile.closer_s
        if every_s is None or frame.mono_s - self._closer_s < every_s / self.pace:
            return seen
        boxes = boxes_of([thing.box for thing in seen])
        missing = self._tracker.missing(boxes, frame.mono_s)
        if not len(missing):
            return seen
        self._closer_s = frame.mono_s
        height, width = frame.picture.shape[:2]
        found = self._within(frame, closer(missing, width, height), detect)
        places = boxes_of([thing.box for thing in found])
        new = overlap(places, boxes).max(axis=1, initial=0) < _SAME
        new &= overlap(places, missing).max(axis=1, initial=0) >= _HIM
        return [*seen, *compress(found, new)]

    def _within(self, frame: Frame, part: Region, detect: Detect) -> Sequence[Detection]:
        """What the detector sees in a part of the picture, in pixels of the whole."""
        left, top, right, bottom = part
        self.runs += 1
        return [
            replace(found, box=(found.box[0] + left, found.box[1] + top, found.box[2] + left, found.box[3] + top))
            for found in detect(frame.picture[top:bottom, left:right], self._look_score)
        ]
