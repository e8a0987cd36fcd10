"""When a camera looks: not at rest, at once for something new, and until a thing has provably left."""

import itertools
from collections.abc import Sequence

import numpy as np

from agent.vision.watch import IDLE_S, RECHECK_S, CameraWatch
from agent.vision.wire import WatchedCamera
from drivers.camera import CameraSource, Frame
from drivers.camera import Picture as PictureSize
from models.detector import Detection, Picture

FRAME_S = 0.2
NOTHING: Sequence[Detection] = ()


class Street:
    """A grey picture with a bright person at `at`, seen by a detector that never errs."""

    def __init__(
        self, *, privacy: tuple[tuple[tuple[float, float], ...], ...] = (), infer_every_s: float = 0.4
    ) -> None:
        source = CameraSource(id="cam", source="file:x", picture=PictureSize(width=640, height=272))
        camera = WatchedCamera(source=source, privacy=privacy)
        self.watch = CameraWatch(camera, min_score=0.4, confident=0.6, infer_every_s=infer_every_s)
        self.at: float | None = None
        self.looked_at: list[Picture] = []
        self.now_s = 100.0
        self._detector_score = 0.8

    def detect(self, picture: Picture, min_score: float) -> Sequence[Detection]:
        self.looked_at.append(picture)
        if self.at is None:
            return NOTHING
        return [Detection("person", self._detector_score, (self.at, 100, self.at + 30, 180))]

    def frame(self) -> tuple[bool, list[int]]:
        """One frame later: whether it was looked at, and the tracks shown."""
        self.now_s += FRAME_S
        picture = np.full((272, 640, 3), 90, np.uint8)
        if self.at is not None:
            picture[100:180, int(self.at) : int(self.at) + 30] = 230
        frame = Frame(picture, self.now_s)
        if not self.watch.consider(frame):
            return False, []
        seen = self.watch.look(frame, self.detect)
        assert seen.looked
        assert seen.mono_s == self.now_s
        return True, [track.id for track in seen.tracks]


def test_an_empty_street_is_looked_at_once_a_minute() -> None:
    street = Street()
    looks = sum(street.frame()[0] for _ in range(int(3 * IDLE_S / FRAME_S)))
    assert looks == 3


def test_a_new_person_is_confirmed_in_consecutive_frames_then_followed_at_the_set_pace() -> None:
    street = Street()
    for _ in range(3):
        street.frame()
    looked = []
    for left in range(100, 500, 20):
        street.at = left
        looked.append(street.frame())
    first = next(i for i, (_, tracks) in enumerate(looked) if tracks)
    assert first <= 3
    following = [look for look, _ in looked[first + 1 :]]
    assert following[:6] in ([False, True] * 3, [True, False] * 3)


def test_who_stands_still_is_looked_at_again_and_stays() -> None:
    street = Street()
    street.frame()
    for left in range(100, 200, 20):
        street.at = left
        street.frame()
    standing = [(street.now_s, *street.frame()) for _ in range(200)]
    times = [at_s for at_s, looked, tracks in standing if looked and tracks]
    assert all(tracks == [1] for _, looked, tracks in standing if looked)
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) <= RECHECK_S + FRAME_S + 1e-6
    assert len(times) < len(standing) / 3


def test_having_left_is_proven_beyond_the_grace_of_a_zone() -> None:
    street = Street()
    street.frame()
    for left in range(100, 300, 20):
        street.at = left
        street.frame()
    left_s, street.at = street.now_s, None
    empty_looks = []
    for _ in range(100):
        looked, tracks = street.frame()
        if looked and not tracks:
            empty_looks.append(street.now_s - left_s)
    assert any(2.0 < after_s <= 4.0 for after_s in empty_looks)
    assert max(empty_looks) < 12.0


def test_privacy_is_black_before_the_detector_looks_and_hides_motion() -> None:
    street = Street(privacy=(((0, 0), (320, 0), (320, 272), (0, 272)),))
    street.frame()
    for left in range(20, 260, 20):
        street.at = left
        assert not street.frame()[0]
    street.at = 400
    assert street.frame()[0]
    for picture in street.looked_at:
        assert not picture[:, :320].any()
        assert picture[:, 330:].any()
