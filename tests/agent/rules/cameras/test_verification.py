"""A perimeter alarm's verdict by picture: never in the alarm's way, and never a guess."""

import pytest

from agent.events import Kind
from agent.observations import Label
from agent.rules.cameras.verification import VerificationRule, VerificationState
from agent.rules.sensors import SensorRule
from agent.rules.step import Moment
from agent.settings import Sensor
from drivers.base import DeviceId, PointId, Reading
from tests.agent.rules.cameras.street import CAMERA, INSIDE, OUTSIDE, PICTURE, Run, track, zone

SENSOR = Sensor.model_validate(
    {
        "id": "fence",
        "name": {"zh": "围墙", "en": "Fence"},
        "point": "gpio/fence",
        "kind": "perimeter",
        "camera": "cam",
        "zone": "lane",
    }
)


def fence() -> Run[VerificationState]:
    return Run(VerificationRule(camera=CAMERA, sensor=SENSOR, zone=zone(), picture=PICTURE))


def alarm(run: Run[VerificationState]) -> None:
    """What the sensor's own rule tells."""
    sensor = SensorRule(SENSOR)
    now = Moment(run.now_s)
    step = sensor.step(sensor.start(now).state, Reading(DeviceId("gpio"), PointId("fence"), True, run.now_s), now)
    assert [event.kind for event in step.events] == [Kind.PERIMETER]
    for told in step.tells:
        assert told.ref in run.rule.points
        run.give(told)


def test_somebody_in_the_zone_verifies_at_once() -> None:
    run = fence()
    alarm(run)
    assert run.take() == []
    run.look(track(OUTSIDE), after_s=1)
    assert run.take() == []
    run.look(track(INSIDE), track(INSIDE, number=2), after_s=1)
    assert run.events[0].data == {"camera": "cam", "zone": "lane", "after_s": 2.0, "count": 2}
    assert (run.events[0].subject, run.take()) == ("fence", [Kind.PERIMETER_VERIFIED])


def test_somebody_seen_shortly_before_verifies_with_the_alarm() -> None:
    run = fence()
    run.look(track(INSIDE))
    run.wait(4)
    alarm(run)
    assert run.take() == [Kind.PERIMETER_VERIFIED]


def test_nobody_in_all_looks_is_not_seen_and_an_animal_is_nobody() -> None:
    run = fence()
    run.look(track(INSIDE))
    run.wait(30)
    alarm(run)
    for _ in range(4):
        run.look(track(INSIDE, Label.ANIMAL), track(OUTSIDE), after_s=1.2)
    assert run.take() == []
    run.wait(0.3)
    assert run.take() == [Kind.PERIMETER_NOT_SEEN]
    run.look(track(INSIDE))
    assert run.take() == []


@pytest.mark.parametrize("blindness", ["no looks", "unlooked", "fault", "covered", "stopped looking", "black"])
def test_a_camera_that_did_not_see_all_of_it_gives_no_verdict(blindness: str) -> None:
    run = fence()
    if blindness in ("covered", "black"):
        run.blinded(blindness)
    alarm(run)
    for step in range(10):
        if blindness == "fault" and step == 5:
            run.fail()
        if blindness == "no looks" or (blindness == "stopped looking" and step > 2):
            run.wait(0.5)
        else:
            run.look(looked=blindness != "unlooked")
    assert [event.kind for event in run.events] == [Kind.PERIMETER_UNKNOWN]
    assert run.events[0].data["reason"]


def test_every_alarm_after_a_verdict_takes_its_own() -> None:
    run = fence()
    for _ in range(3):
        alarm(run)
        run.look(track(INSIDE), after_s=1)
        run.wait(30)
    assert run.take() == [Kind.PERIMETER_VERIFIED] * 3
