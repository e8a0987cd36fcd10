"""A crowd: more than so many at once, for a time."""

import pytest

from agent.events import Kind
from agent.observations import Track
from agent.rules.cameras.crowd import CrowdRule, CrowdState
from tests.agent.rules.cameras.street import CAMERA, INSIDE, OUTSIDE, PICTURE, Always, Run, track, zone


def square() -> Run[CrowdState]:
    settings = zone(kind="crowd", more_than=3, at_least_s=10)
    return Run(CrowdRule(camera=CAMERA, zone=settings, picture=PICTURE, calendar=Always()))


def people(count: int, where: tuple[float, float] = INSIDE) -> list[Track]:
    return [track(where, number=number + 1) for number in range(count)]


def test_more_than_so_many_for_the_time_is_a_crowd_and_its_dissolving_is_told() -> None:
    run = square()
    for count in (4, 5, 6, 5) * 5:
        run.look(*people(count))
    assert run.take() == []
    run.look(*people(4))
    assert run.events[0].data == {"camera": "cam", "count": 4, "peak": 6, "more_than": 3}
    assert run.take() == [Kind.CROWD]
    for _ in range(5):
        run.look(*people(3))
    assert run.take() == [Kind.CROWD_RESTORED]


def test_just_as_many_as_allowed_and_those_outside_are_no_crowd() -> None:
    run = square()
    for _ in range(60):
        run.look(*people(3), *people(5, OUTSIDE))
    assert run.take() == []


def test_a_look_that_misses_some_does_not_end_the_time_and_none_that_did_not_look() -> None:
    run = square()
    for _ in range(8):
        run.look(*people(5))
        run.look(*people(5))
        run.look(*people(2))
    assert run.take() == [Kind.CROWD]
    for _ in range(60):
        run.look(looked=False)
    assert run.take() == []


@pytest.mark.parametrize("how", ["covered", "black"])
def test_a_camera_that_comes_to_see_nothing_ends_no_crowd(how: str) -> None:
    run = square()
    for _ in range(21):
        run.look(*people(4))
    run.blinded(how)
    for _ in range(20):
        run.look()
    assert run.take() == [Kind.CROWD]
    run.sees_again()
    run.look()
    assert run.take() == [Kind.CROWD_RESTORED]
