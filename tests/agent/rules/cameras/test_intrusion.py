"""What a zone against intrusion promises."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.events import RESTORES, Kind
from agent.observations import Label, Track
from agent.rules.cameras.base import GRACE_S
from agent.rules.cameras.geometry import contains
from agent.rules.cameras.intrusion import IntrusionRule, IntrusionState
from agent.rules.step import Tick
from drivers.base import DeviceState, Status
from tests.agent.rules.cameras.street import CAMERA, INSIDE, OUTSIDE, Always, Run, track, zone


def lane(**more: object) -> IntrusionRule:
    settings = zone(**({"labels": ["person", "vehicle", "bicycle"], "at_least_s": 2.0} | more))
    return IntrusionRule(camera=CAMERA, zone=settings, picture=(320, 100), calendar=Always("night"))


def street(**more: object) -> Run[IntrusionState]:
    return Run(lane(**more))


def raised() -> Run[IntrusionState]:
    run = street()
    for _ in range(5):
        run.look(track(INSIDE))
    return run


def test_a_person_who_stays_raises_once() -> None:
    run = street()
    for _ in range(4):
        run.look(track(INSIDE), track(OUTSIDE))
    assert run.take() == []
    run.look(track(INSIDE), track(OUTSIDE), track(INSIDE, score=0.91234))
    assert run.events[0].subject == "cam/lane"
    assert run.events[0].data == {"camera": "cam", "count": 2, "since_s": 2.0, "score": 0.912}
    run.look(track(INSIDE))
    assert run.take() == [Kind.ZONE_PERSON]


def test_somebody_who_only_passes_raises_nothing() -> None:
    run = street()
    run.look(track(INSIDE))
    run.look(track(INSIDE))
    for _ in range(10):
        run.look(track(OUTSIDE))
    run.look(track(INSIDE))
    assert run.take() == []


def test_a_missed_detection_is_no_absence() -> None:
    run = street()
    for _ in range(3):
        run.look(track(INSIDE))
        run.look()
    assert run.take() == [Kind.ZONE_PERSON]


def test_an_empty_zone_is_restored_after_the_grace() -> None:
    run = raised()
    run.take()
    run.look(after_s=GRACE_S)
    assert run.take() == []
    run.look(after_s=0.1)
    assert run.take() == [Kind.ZONE_PERSON_RESTORED]


@pytest.mark.parametrize("how", ["covered", "black"])
def test_a_camera_that_comes_to_see_nothing_ends_no_alarm(how: str) -> None:
    run = raised()
    run.take()
    run.blinded(how)
    for _ in range(20):
        run.look()
    assert run.take() == []
    run.look(track(INSIDE), track(INSIDE, Label.VEHICLE))
    for _ in range(5):
        run.look(track(INSIDE, Label.VEHICLE))
    assert run.take() == [Kind.ZONE_VEHICLE], "what it does see is there"
    run.sees_again()
    run.look()
    run.look(after_s=GRACE_S)
    assert run.take() == [Kind.ZONE_PERSON_RESTORED, Kind.ZONE_VEHICLE_RESTORED]


def test_frames_nobody_looked_at_prove_nothing() -> None:
    run = raised()
    run.take()
    for _ in range(20):
        run.look(looked=False)
    assert run.take() == []
    run = street()
    run.look(track(INSIDE))
    for _ in range(20):
        run.look(track(INSIDE), looked=False)
    assert run.take() == []


def test_a_camera_that_fails_clears_nothing() -> None:
    run = raised()
    run.take()
    run.now_s += 60.0
    run.give(Status(CAMERA, DeviceState.FAULT, run.now_s))
    run.give(Tick())
    run.look(track(INSIDE))
    assert run.take() == []


def test_a_gap_in_which_nobody_looked_counts_no_more_than_the_grace() -> None:
    run = street(at_least_s=5.0)
    run.look(track(INSIDE))
    run.look(track(INSIDE), after_s=600.0)
    assert run.take() == []
    run.look(track(INSIDE), after_s=1.5)
    run.look(track(INSIDE), after_s=1.5)
    assert run.take() == [Kind.ZONE_PERSON]


def test_a_schedule_that_does_not_hold_disarms_and_restores() -> None:
    run = street(schedule="day")
    for _ in range(5):
        run.look(track(INSIDE))
    assert run.take() == [Kind.ZONE_PERSON]
    run.rule.calendar.off.add("day")  # type: ignore[attr-defined]  # a calendar that a test turns
    run.look(track(INSIDE))
    assert run.take() == [Kind.ZONE_PERSON_RESTORED]
    for _ in range(5):
        run.look(track(INSIDE))
    assert run.take() == []


def test_without_a_trusted_time_a_zone_is_armed() -> None:
    run = Run(lane(schedule="night"), utc=None)
    for _ in range(5):
        run.look(track(INSIDE))
    assert run.take() == [Kind.ZONE_PERSON]


def test_kinds_are_counted_apart_and_unwanted_labels_not_at_all() -> None:
    run = street(labels=["bicycle", "vehicle", "animal"], at_least_s=0)
    run.look(track(INSIDE, Label.BICYCLE), track(INSIDE, Label.VEHICLE), track(INSIDE))
    assert run.events[0].data["count"] == 2
    assert run.take() == [Kind.ZONE_VEHICLE]
    run.look(track(INSIDE, Label.ANIMAL))
    assert run.take() == [Kind.ZONE_ANIMAL]
    assert run.described["raised"] == {"zone.vehicle": 0, "zone.animal": 1}


def test_feet_on_the_edge_and_below_the_picture_count() -> None:
    for foot in ((50.0, 100.0), (50.0, 130.0), (0.0, 50.0), (-3.0, 50.0), (100.0, 100.0)):
        run = street(at_least_s=0)
        run.look(track(foot))
        assert run.take() == [Kind.ZONE_PERSON], foot


def test_a_hollow_of_the_polygon_is_outside() -> None:
    hollow = ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (5.0, 4.0), (0.0, 10.0))
    assert contains(hollow, (5.0, 3.0))
    assert contains(hollow, (1.0, 7.0))
    assert not contains(hollow, (5.0, 6.0))
    assert not contains(hollow, (-1.0, 4.0))
    assert not contains(hollow, (11.0, 0.0))


_coordinate = st.floats(-400, 400)
_tracks = st.builds(lambda x, y, label: track((x, y), label), _coordinate, _coordinate, st.sampled_from(Label))
_frames = st.lists(
    st.tuples(st.lists(_tracks, max_size=3), st.booleans(), st.sampled_from([0.0, 0.4, 1.0, 5.0])), max_size=30
)


@settings(max_examples=100, deadline=None)
@given(_frames)
def test_every_zone_alarm_is_raised_once_and_restored_when_the_zone_empties(
    frames: list[tuple[list[Track], bool, float]],
) -> None:
    run = street(labels=[label.value for label in Label])
    for tracks, looked, after_s in frames:
        run.look(*tracks, after_s=after_s, looked=looked)
    run.look(after_s=GRACE_S + 0.1)
    standing: set[Kind] = set()
    for kind in run.take():
        if kind in RESTORES:
            standing.remove(RESTORES[kind])
        else:
            assert kind not in standing
            standing.add(kind)
    assert not standing
