"""When a camera looks: never at rest, at once for something new, and until a thing has provably left."""

import itertools
from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from agent.observations import Observation
from agent.vision.profile import PROFILES
from agent.vision.watch import QUIET_S, RECHECK_S, RELOOK_S, CameraWatch
from agent.vision.wire import WatchedCamera
from drivers.camera import CameraSource, Frame
from drivers.camera import Picture as PictureSize
from models.detector import Detection, Picture

FRAME_S = 0.2
HALF = ((0.0, 0.0), (320.0, 0.0), (320.0, 272.0), (0.0, 272.0))


class Street:
    """A grey picture with a bright person at `at` and maybe a companion, seen by a detector that errs when told to."""

    def __init__(
        self, profile: str = "economical", *, privacy: tuple[tuple[tuple[float, float], ...], ...] = ()
    ) -> None:
        source = CameraSource(id="cam", source="file:x", picture=PictureSize(width=640, height=272))
        camera = WatchedCamera(source=source, privacy=privacy)
        self.watch = CameraWatch(camera, PROFILES[profile], min_score=0.4, confident=0.6)
        self.at: float | None = None
        self.companion: float | None = None
        self.overlooked = False
        """Whether the person at `at` is found only in a part of the picture, where he is larger."""
        self.looked_at: list[Picture] = []
        self.now_s = 100.0
        self.detector_score = 0.8

    def detect(self, picture: Picture, min_score: float) -> Sequence[Detection]:
        self.looked_at.append(picture)
        people = cv2.connectedComponentsWithStats((picture[:, :, 0] == 230).astype(np.uint8))[2][1:].tolist()
        boxes = [(left, top, left + across, top + down) for left, top, across, down, _ in sorted(people)]
        if self.overlooked and picture.shape[1] == 640:
            boxes = boxes[1:]
        return [Detection("person", self.detector_score, box) for box in boxes]

    def frame(self) -> Observation | None:
        """What is said of the next frame."""
        self.now_s += FRAME_S
        picture = np.full((272, 640, 3), 90, np.uint8)
        for left in (self.at, self.companion):
            if left is not None:
                picture[100:180, int(left) : int(left) + 30] = 230
        frame = Frame(picture, self.now_s)
        seen = self.watch.look(frame, self.detect) if self.watch.consider(frame) else self.watch.follow(frame)
        assert seen is None or seen.mono_s == self.now_s
        return seen

    def walk(self, lefts: range) -> list[Observation | None]:
        said = []
        for left in lefts:
            self.at = left
            said.append(self.frame())
        return said


def test_an_empty_street_is_looked_at_once_and_said_to_be_empty_for_nothing() -> None:
    street = Street()
    said = [street.frame() for _ in range(600)]
    assert len(street.looked_at) == 1
    assert said[0] is not None
    assert said[0].looked
    again = [seen for seen in said[1:] if seen is not None]
    assert all(seen.looked and not seen.tracks for seen in again)
    assert all(QUIET_S <= b.mono_s - a.mono_s + 1e-6 < 3.0 for a, b in itertools.pairwise(again))


def test_what_begins_to_move_is_looked_at_in_its_second_picture_too_and_then_as_often_as_the_profile_says() -> None:
    street = Street()
    for _ in range(3):
        street.frame()
    street.detector_score = 0.1  # nobody, as far as anybody can see
    before = len(street.looked_at)
    looks = []
    for left in range(0, 160, 20):
        street.walk(range(left, left + 1))
        looks.append(len(street.looked_at) - before)
    assert looks == [1, 2, 2, 3, 3, 4, 4, 5]


def test_a_new_person_is_confirmed_in_consecutive_frames_then_looked_at_in_every_second() -> None:
    street = Street()
    for _ in range(3):
        street.frame()
    said = street.walk(range(100, 500, 20))
    first = next(i for i, seen in enumerate(said) if seen and seen.tracks)
    assert first <= 3
    following = [seen for seen in said[first + 1 :] if seen is not None]
    assert [seen.looked for seen in following][:6] in ([False, True] * 3, [True, False] * 3)
    for number, seen in enumerate(following):
        (track,) = seen.tracks
        assert abs(track.box.left - (100 + 20 * (first + 1 + number))) < 12, "a prediction follows the walker"


def test_who_stands_still_is_proven_to_stay_and_costs_a_look_in_half_a_minute() -> None:
    street = Street()
    street.frame()
    street.walk(range(100, 200, 20))
    for _ in range(100):  # the background takes the person in
        street.frame()
    looks = street.watch.looks
    said = [seen for seen in (street.frame() for _ in range(int(3 * RELOOK_S / FRAME_S))) if seen is not None]
    assert all(seen.looked and [track.id for track in seen.tracks] == [1] for seen in said)
    gaps = [later.mono_s - earlier.mono_s for earlier, later in itertools.pairwise(said)]
    assert max(gaps) <= RECHECK_S + FRAME_S + 1e-6
    assert street.watch.looks - looks <= 4


def test_having_left_is_proven_beyond_the_grace_of_a_zone() -> None:
    street = Street()
    street.frame()
    street.walk(range(100, 300, 20))
    left_s, street.at = street.now_s, None
    said = [seen for seen in (street.frame() for _ in range(100)) if seen is not None]
    empty = [seen.mono_s - left_s for seen in said if seen.looked and not seen.tracks]
    assert any(2.0 < after_s <= 4.0 for after_s in empty)
    looks = len(street.looked_at)
    for _ in range(100):
        street.frame()
    assert len(street.looked_at) == looks


def test_half_the_pace_is_half_the_looks() -> None:
    looks = []
    for pace in (1.0, 0.5):
        street = Street()
        street.watch.pace = pace
        street.frame()
        street.walk(range(20, 600, 5))
        looks.append(street.watch.looks)
    assert 0.4 * looks[0] < looks[1] < 0.65 * looks[0]


@pytest.mark.parametrize(("profile", "closer"), [("thorough", 2), ("economical", 0)])
def test_who_is_missed_is_looked_for_closer_at_most_twice_a_second_where_the_profile_says_so(
    profile: str, closer: int
) -> None:
    street = Street(profile)
    said: list[Observation | None] = []
    for number in range(16):
        street.overlooked = number >= 10
        street.companion = 590 - 8 * number
        said += street.walk(range(20 + 8 * number, 21 + 8 * number))
    assert street.watch.runs - street.watch.looks == closer
    if closer:
        shown = [[track.id for track in seen.tracks if track.box.left < 320] for seen in said[9:] if seen is not None]
        assert [shown[number] for number in (0, 1, 4)] == [[1], [1], [1]], "before, and where he was looked for"


def test_privacy_is_black_before_the_detector_looks_and_hides_motion() -> None:
    street = Street(privacy=(HALF, HALF))
    street.frame()
    for left in range(20, 260, 20):
        street.at = left
        street.frame()
    assert street.watch.moving == 0
    street.at = 400
    street.frame()
    assert street.watch.moving == 1
    for picture in street.looked_at:
        assert not picture[:, :320].any()
        assert picture[:, 330:].any()
