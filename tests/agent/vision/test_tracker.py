"""Tracks: born by motion or conviction, confirmed by evidence, kept through short misses, never invented."""

from collections.abc import Sequence

import numpy as np
import pytest

from agent.observations import Label, Track
from agent.vision.pairing import COLOURS
from agent.vision.patches import Luma
from agent.vision.tracker import Tracker
from models.detector import Boxes, Detection

NOWHERE = np.empty((0, 4), np.float32)
BLANK = np.zeros((136, 320), np.uint8)
EVERYWHERE = np.array([[0, 0, 640, 272]], np.float32)


def person(left: float, *, score: float = 0.5, top: float = 100, label: str = "person") -> Detection:
    return Detection(label, score, (left, top, left + 30, top + 80))


class Looks:
    """A tracker and the time of its looks, 0.4 s apart."""

    def __init__(self) -> None:
        self.tracker = Tracker(width=640, height=272, birth_score=0.4, confident=0.6)
        self.now_s = 100.0

    def look(
        self, *seen: Detection, motion: Boxes = EVERYWHERE, colours: Sequence[Sequence[float]] | None = None
    ) -> tuple[Track, ...]:
        self.now_s += 0.4
        worn = np.zeros((len(seen), COLOURS), np.float32) if colours is None else np.array(colours, np.float32)
        return self.tracker.update(seen, worn, motion, self.now_s, BLANK, whole=True)

    def walk(self, lefts: Sequence[float]) -> list[tuple[Track, ...]]:
        return [self.look(person(left)) for left in lefts]


def test_a_walker_is_confirmed_once_seen_to_move_and_keeps_one_number() -> None:
    looks = Looks()
    shown = looks.walk(range(100, 400, 20))
    assert [len(tracks) for tracks in shown[:3]] == [0, 0, 1]
    assert {track.id for tracks in shown for track in tracks} == {1}
    assert all(tracks[0].label is Label.PERSON for tracks in shown[2:])
    assert abs(shown[-1][0].box.left - 380) < 8


def test_a_cone_that_neither_moves_nor_convinces_is_never_shown() -> None:
    looks = Looks()
    assert not any(looks.look(person(100, score=0.5)) for _ in range(40))


def test_a_post_that_goes_on_looking_a_little_like_who_walked_behind_it_is_given_up() -> None:
    looks = Looks()
    assert looks.walk(range(100, 220, 20))[-1]
    shown = [looks.look(person(220, score=0.3)) for _ in range(20)]
    assert shown[0]
    assert not any(shown[10:])


def test_somebody_who_waits_is_kept_as_long_as_he_is_seen_well() -> None:
    looks = Looks()
    looks.walk(range(100, 220, 20))
    assert all(looks.look(person(220, score=0.45 if turn % 4 else 0.3)) for turn in range(40))


def test_who_moves_a_little_and_nearly_convinces_is_shown_at_the_second_look() -> None:
    looks = Looks()
    assert [len(looks.look(person(left, score=0.55))) for left in (600, 585)] == [0, 1]


def test_a_cone_that_trembles_as_somebody_passes_it_is_never_shown() -> None:
    looks = Looks()
    assert not any(looks.look(person(left, score=0.49)) for left in [100, 112, 100, 90, 105] * 6)


def test_a_still_person_who_convinces_is_shown() -> None:
    looks = Looks()
    assert [len(looks.look(person(100, score=0.8), motion=NOWHERE)) for _ in range(4)] == [0, 1, 1, 1]


def test_without_motion_a_weak_detection_gives_no_birth() -> None:
    looks = Looks()
    for left in range(100, 400, 20):
        looks.look(person(left, score=0.5), motion=NOWHERE)
    assert not looks.tracker.alive
    assert not looks.tracker.curious


def test_one_flash_is_not_a_track() -> None:
    looks = Looks()
    looks.look(person(100, score=0.9))
    assert looks.tracker.curious
    assert not any(looks.look() for _ in range(10))
    assert not looks.tracker.curious


def test_a_short_miss_keeps_the_number_and_hides_the_box() -> None:
    looks = Looks()
    looks.walk(range(100, 200, 20))
    assert looks.look() == ()
    assert looks.look() == ()
    assert looks.tracker.alive
    shown = looks.look(person(260))
    assert [track.id for track in shown] == [1]


def test_who_has_left_is_forgotten_after_two_seconds() -> None:
    looks = Looks()
    looks.walk(range(100, 200, 20))
    for _ in range(6):
        looks.look()
    assert not looks.tracker.alive


def test_two_who_cross_in_different_clothes_keep_their_numbers() -> None:
    looks = Looks()
    shown: tuple[Track, ...] = ()
    for step in range(15):
        shown = looks.look(
            person(100 + 20 * step), person(400 - 20 * step, top=110), colours=[[20] * COLOURS, [200] * COLOURS]
        )
    assert len(shown) == 2
    upper = next(track for track in shown if track.box.top < 105)
    assert upper.id == 1


def test_who_was_hidden_by_another_keeps_his_own_colours_and_so_his_number() -> None:
    looks = Looks()
    shown: tuple[Track, ...] = ()
    for step in range(36):
        together = 8 <= step < 32  # side by side, both seen in the colours of the nearer
        lefts = [100 + 10 * step, (112 if together else 145) + 10 * step]
        if step >= 32:
            lefts.reverse()  # and then they have changed sides
        worn = [[20] * COLOURS, [20 if together else 90] * COLOURS]
        shown = looks.look(*(person(left) for left in lefts), colours=worn)
    assert max(shown, key=lambda track: track.box.left).id == 1


def test_who_walks_on_behind_a_sign_and_shows_its_colours_keeps_his_number_and_is_shown() -> None:
    looks = Looks()
    shown: list[tuple[Track, ...]] = []
    for step in range(12):
        behind = 5 <= step < 7
        worn = [[220 if behind else 40] * COLOURS]
        shown.append(looks.look(person(100 + 12 * step, score=0.35 if behind else 0.7), colours=worn))
    assert all([track.id for track in tracks] == [1] for tracks in shown[2:])


def test_a_vehicle_does_not_become_a_person() -> None:
    looks = Looks()
    looks.walk(range(100, 200, 20))
    shown = [looks.look(person(200 + 20 * i, label="vehicle")) for i in range(4)]
    assert {track.label for tracks in shown for track in tracks} == {Label.VEHICLE}
    assert {track.id for tracks in shown for track in tracks} == {2}


@pytest.mark.parametrize(("speed", "other"), [(6, -3), (8, 0)])
def test_two_who_are_seen_as_one_while_they_pass_stay_who_they_are(speed: float, other: float) -> None:
    looks = Looks()
    one, two = 200.0, 280.0
    for _ in range(16):
        apart = two - one
        if abs(apart) >= 30:
            seen = [person(one, score=0.7), person(two, score=0.7, top=110)]
        else:
            seen = [Detection("person", 0.7, (min(one, two), 100, max(one, two) + 30, 190))]
        shown = {track.id: track.box.left for track in looks.look(*seen)}
        one, two = one + speed, two + other
    assert shown == {1: pytest.approx(one - speed, abs=5), 2: pytest.approx(two - other, abs=5)}


def test_of_two_detections_on_one_person_the_surer_is_the_track() -> None:
    looks = Looks()
    looks.walk(range(100, 200, 20))
    (track,) = looks.look(person(201, score=0.8), person(200, score=0.3))
    assert track.score == 0.8


def test_who_walks_faster_is_expected_further_on_though_patches_found_him_between_looks() -> None:
    street = np.random.default_rng(1).integers(0, 60, (136, 320), np.uint8)
    coat = np.random.default_rng(2).integers(120, 255, (40, 15), np.uint8)

    def plane(left: int) -> Luma:
        shown = street.copy()
        shown[50:90, left // 2 : left // 2 + 15] = coat
        return shown

    tracker = Tracker(width=640, height=272, birth_score=0.4, confident=0.6)
    worn, left, now_s = np.zeros((1, COLOURS), np.float32), 100, 100.0
    for step in [20, 20, 20, 40, 40, 40, 40]:
        tracker.update([person(left)], worn, EVERYWHERE, now_s, plane(left), whole=True)
        tracker.follow(plane(left + step // 2), now_s + 0.2)
        left, now_s = left + step, now_s + 0.4
    assert abs(tracker.predict(now_s + 0.2)[0].box.left - (left + 20)) < 5


def test_boxes_stay_in_the_picture() -> None:
    looks = Looks()
    for left in (560, 585, 605, 620, 634):
        for track in looks.look(Detection("person", 0.8, (left, 200, 640, 272))):
            assert 0 <= track.box.left <= track.box.right <= 640
            assert track.box.bottom <= 272
