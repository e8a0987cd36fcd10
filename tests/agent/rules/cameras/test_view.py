"""A camera's own alarms: they last before they count, and the camera's going away ends none."""

import pytest

from agent.events import CATALOGUE, Kind
from agent.observations import Flaw, View
from agent.rules.cameras.view import ViewRule, ViewState
from agent.settings import Tampering
from tests.agent.rules.cameras.street import CAMERA, Run


def camera(**more: object) -> Run[ViewState]:
    return Run(ViewRule(camera=CAMERA, tampering=Tampering.model_validate({"after_s": 10, "frozen_s": 60} | more)))


def say(run: Run[ViewState], flaw: Flaw | None, reference_s: float = 1.0) -> None:
    run.give(View(CAMERA, run.now_s, reference_s, flaw))


@pytest.mark.parametrize("flaw", list(Flaw))
def test_each_flaw_is_an_alarm_once_it_lasts_and_restored_when_it_ends(flaw: Flaw) -> None:
    run = camera()
    say(run, flaw)
    run.wait(59.9 if flaw is Flaw.FROZEN else 9.9)
    assert run.take() == []
    run.wait(0.2)
    (kind,) = run.take()
    assert kind == f"camera.{flaw}"
    run.wait(1000)
    assert run.take() == []
    say(run, None)
    assert run.take() == [CATALOGUE[kind].restored_by]


def test_what_passes_quickly_is_no_tampering_and_what_is_not_watched_neither() -> None:
    run = camera(watch=["covered", "frozen"])
    for _ in range(20):
        say(run, Flaw.COVERED)
        run.wait(5)
        say(run, None)
        run.wait(1)
    say(run, Flaw.TURNED)
    run.wait(100)
    assert run.take() == []


def test_an_alarm_is_held_while_the_camera_is_away_and_time_away_proves_nothing() -> None:
    run = camera()
    say(run, Flaw.COVERED)
    run.wait(5)
    run.fail()
    run.wait(1000)
    assert run.take() == []
    run.recover()
    run.wait(9)
    assert run.take() == []
    run.wait(2)
    assert run.take() == [Kind.CAMERA_COVERED]
    run.fail()
    run.wait(1000)
    run.recover()
    assert run.take() == []
    assert run.described["raised"] == ["covered"]


def test_one_flaw_in_place_of_another_is_told_and_a_new_reference_is_said() -> None:
    run = camera()
    say(run, Flaw.COVERED)
    run.wait(11)
    say(run, Flaw.TURNED)
    run.wait(11)
    assert run.take() == [Kind.CAMERA_COVERED, Kind.CAMERA_COVERED_RESTORED, Kind.CAMERA_TURNED]
    say(run, None, reference_s=30.0)
    assert run.events[0].data == {"lasted_s": 1.0, "reason": "compared with a new picture"}
