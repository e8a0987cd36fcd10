"""Loitering and the fire lane: one and the same thing that stays."""

import pytest

from agent.events import Kind
from agent.observations import Label, Track
from agent.rules.cameras.fire_lane import FireLaneRule
from agent.rules.cameras.loitering import LoiteringRule
from agent.rules.cameras.stay import StayState
from tests.agent.rules.cameras.street import CAMERA, INSIDE, OUTSIDE, PICTURE, Always, Run, straight, track, zone

NEAR = (54.0, 52.0)


def loitering(at_least_s: float = 20.0) -> Run[StayState]:
    settings = zone(kind="loitering", at_least_s=at_least_s)
    return Run(LoiteringRule(camera=CAMERA, zone=settings, picture=PICTURE, calendar=Always()))


def fire_lane(at_least_s: float = 60.0) -> Run[StayState]:
    settings = zone(kind="fire-lane", at_least_s=at_least_s)
    return Run(FireLaneRule(camera=CAMERA, zone=settings, picture=PICTURE, calendar=Always()))


def car(where: tuple[float, float] = INSIDE, number: int = 1, height: float = 30) -> Track:
    return track(where, Label.VEHICLE, number=number, height=height)


# ---------------------------------------------------------------- loitering


def test_one_person_who_stays_is_loitering_once_and_restored_on_leaving() -> None:
    run = loitering()
    for _ in range(41):
        run.look(track(INSIDE))
    assert run.take() == [Kind.LOITERING]
    for _ in range(10):
        run.look(track(OUTSIDE))
    assert run.take() == [Kind.LOITERING_RESTORED]


def test_many_who_pass_one_after_the_other_are_not_loitering() -> None:
    run = loitering()
    for number in range(1, 40):
        for where in straight((2, 50), (98, 50), 8):
            run.look(track(where, number=number))
    assert run.take() == []


def test_a_number_that_changes_while_somebody_stands_there_changes_nothing() -> None:
    run = loitering()
    for number in range(1, 12):
        for _ in range(4):
            run.look(track(INSIDE if number % 2 else NEAR, number=number))
    assert run.take() == [Kind.LOITERING]


def test_whoever_is_hidden_for_a_moment_goes_on_staying() -> None:
    run = loitering()
    for number in range(1, 10):
        for _ in range(8):
            run.look(track(INSIDE, number=number))
        run.look()
        run.look()
    assert run.take() == [Kind.LOITERING]


def test_one_who_leaves_and_another_who_comes_later_are_two() -> None:
    run = loitering()
    for number in (1, 2, 3):
        for _ in range(30):
            run.look(track(INSIDE, number=number))
        for _ in range(20):
            run.look()
    assert run.take() == []


# ---------------------------------------------------------------- fire lane


def test_a_vehicle_that_stands_blocks_the_lane_until_it_has_gone() -> None:
    run = fire_lane()
    for _ in range(121):
        run.look(car())
    assert run.take() == [Kind.FIRE_LANE]
    assert run.described == {"raised": {"zone.fire-lane": 1}, "blind": ""}
    for _ in range(20):
        run.look()
    assert run.take() == []
    for _ in range(5):
        run.look()
    assert run.take() == [Kind.FIRE_LANE_RESTORED]


def test_vehicles_that_pass_or_crawl_do_not_block() -> None:
    run = fire_lane(at_least_s=20)
    for number, steps in enumerate((4, 20, 60), start=1):
        for where in straight((1, 50), (99, 50), steps):
            run.look(car(where, number=number))
    assert run.take() == []


def test_vehicles_that_pass_in_a_row_are_not_one_that_stands() -> None:
    run = fire_lane(at_least_s=20)
    for number in range(1, 40):
        for where in straight((1, 50), (99, 50), 5):
            run.look(car(where, number=number))
    assert run.take() == []


def test_what_hides_a_standing_vehicle_does_not_end_its_time() -> None:
    run = fire_lane()
    for number in range(1, 9):
        for _ in range(15):
            run.look(car(number=number))
        for _ in range(8):
            run.look()
        run.look(car((56.0, 50.0), number=number, height=14))
    assert run.take() == [Kind.FIRE_LANE]


def test_looks_half_a_minute_apart_prove_that_a_vehicle_stands() -> None:
    run = fire_lane()
    for _ in range(4):
        run.look(car(), after_s=30)
    assert run.take() == [Kind.FIRE_LANE]


@pytest.mark.parametrize("outage_s", [30, 3600])
def test_the_alarm_is_held_while_the_camera_is_away_and_goes_on_under_a_new_number(outage_s: float) -> None:
    run = fire_lane()
    for _ in range(121):
        run.look(car())
    run.take()
    run.fail()
    assert run.described["blind"] == "no pictures for 3 s"
    run.wait(outage_s)
    run.recover()
    for _ in range(30):
        run.look(car(NEAR, number=9))
    assert run.take() == []
    for _ in range(30):
        run.look(looked=False)
    assert run.take() == []
    for _ in range(25):
        run.look()
    assert run.take() == [Kind.FIRE_LANE_RESTORED]


def test_people_and_bicycles_do_not_block_a_fire_lane() -> None:
    run = fire_lane(at_least_s=5)
    for _ in range(60):
        run.look(track(INSIDE), track(NEAR, Label.BICYCLE, number=2))
    assert run.take() == []


@pytest.mark.parametrize("how", ["covered", "black"])
def test_a_camera_that_comes_to_see_nothing_ends_no_stay(how: str) -> None:
    run = fire_lane(at_least_s=20)
    for _ in range(41):
        run.look(car())
    run.blinded(how)
    for step in range(80):
        run.look(*[car(OUTSIDE, number=7)] * (step % 2))
    assert run.take() == [Kind.FIRE_LANE]
    run.sees_again()
    for _ in range(30):
        run.look()
    assert run.take() == [Kind.FIRE_LANE_RESTORED]
