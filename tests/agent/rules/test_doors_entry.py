"""Card and PIN, wrong tries, duress, anti-passback."""

import pytest

from agent.events import Event, Kind
from agent.rules.step import Verb
from drivers.base import Cue, DeviceId, Keys, PointId, Reading, Signal, Switch
from tests.agent.rules.door import (
    DENIED,
    DURESS_PIN,
    EXEMPT,
    GRANTED,
    KNOWN,
    NO_PIN,
    PIN,
    READER,
    SLOW,
    STRANGER,
    UNLOCK_S,
    Run,
    unlock,
)

WITH_PIN = {"pin": "card-and-pin", "pin_timeout_s": 10.0, "max_wrong": 3, "lockout_s": 60.0}
ASKED = Signal(READER, Cue.PIN)


@pytest.fixture
def run() -> Run:
    return Run.of(**WITH_PIN)


def enter(run: Run, pin: str) -> None:
    run.present(KNOWN)
    run.press(f"{pin}#")


# ---------------------------------------------------------------- card and PIN


def test_card_and_pin_open(run: Run) -> None:
    run.present(KNOWN)
    assert run.take() == ([], [ASKED])
    for key in PIN:
        run.press(key)
    assert run.take() == ([], [])
    run.press("#")
    assert run.events[0].data == {"by": "card+pin", "card": "aa11", "bits": 26, "reader": "reader-1"}
    assert run.take() == ([Kind.ACCESS_GRANTED], [unlock(), GRANTED])


def test_a_pin_without_a_card_means_nothing(run: Run) -> None:
    run.press(f"{PIN}#")
    assert run.take() == ([], [])


def test_a_mistyped_pin_can_be_cleared(run: Run) -> None:
    run.present(KNOWN)
    run.press("99*#25")
    run.press("80#")
    assert run.take()[0] == [Kind.ACCESS_GRANTED]


def test_a_wrong_pin_is_refused_and_needs_the_card_again(run: Run) -> None:
    enter(run, "1111")
    assert run.reason() == "wrong_pin"
    assert run.take() == ([Kind.ACCESS_DENIED], [ASKED, DENIED])
    run.press(f"{PIN}#")
    assert run.take() == ([], [])


def test_a_pin_that_does_not_come_is_a_refusal(run: Run) -> None:
    run.present(KNOWN)
    run.press("25")
    run.wait(10.0)
    assert run.reason() == "pin_timeout"
    assert run.take() == ([Kind.ACCESS_DENIED], [ASKED, DENIED])
    run.press("80#")
    assert run.take() == ([], [])


def test_who_needs_more_time_has_twice_as_long_for_the_pin(run: Run) -> None:
    run.present(SLOW)
    run.wait(19.9)
    run.press(f"{PIN}#")
    assert run.take()[0] == [Kind.ACCESS_GRANTED]


def test_a_holder_without_a_pin_does_not_pass_where_one_is_asked(run: Run) -> None:
    run.present(NO_PIN)
    assert run.reason() == "no_pin"
    assert not run.is_unlocked()


def test_a_stranger_is_not_asked_for_a_pin(run: Run) -> None:
    run.present(STRANGER)
    assert run.reason() == "unknown_card"
    assert run.take() == ([Kind.ACCESS_DENIED], [DENIED])


def test_another_card_begins_anew(run: Run) -> None:
    run.present(KNOWN)
    run.press("25")
    run.present(SLOW)
    run.press("80#")
    assert run.events[-1].data["card"] == "cc33"
    assert run.reason() == "wrong_pin"


def test_a_door_that_does_not_ask_takes_the_card_alone() -> None:
    run = Run.of()
    run.present(KNOWN)
    run.press("1#")
    assert run.take()[0] == [Kind.ACCESS_GRANTED]


def test_endless_keys_are_a_wrong_pin_and_not_kept(run: Run) -> None:
    run.present(KNOWN)
    for _ in range(100):
        run.press(PIN)
    assert run.state.entry.waiting is not None
    assert len(run.state.entry.waiting.digits) == 32
    assert PIN not in repr(run.state)
    run.press("#")
    assert run.reason() == "wrong_pin"


# ---------------------------------------------------------------- too many tries


def test_too_many_wrong_pins_lock_the_reader_for_a_time(run: Run) -> None:
    for _ in range(3):
        enter(run, "0000")
    assert run.take()[0] == [Kind.ACCESS_DENIED] * 3 + [Kind.READER_LOCKED_OUT]
    enter(run, PIN)
    assert run.reason() == "too_many_tries"
    assert run.take() == ([Kind.ACCESS_DENIED], [DENIED])
    assert run.rule.describe(run.state)["reader_locked_out"] is True
    run.rex(True)
    assert run.is_unlocked(), "egress is not the reader's business"
    run.rex(False)
    run.wait(60.0)
    assert Kind.READER_LOCKED_OUT_RESTORED in run.take()[0]
    enter(run, PIN)
    assert run.take()[0] == [Kind.ACCESS_GRANTED]


def test_a_right_pin_forgives_wrong_ones(run: Run) -> None:
    for pin in ("0000", "0000", PIN, "0000", "0000", PIN):
        enter(run, pin)
    assert Kind.READER_LOCKED_OUT not in run.take()[0]


def test_wrong_pins_far_apart_do_not_add_up(run: Run) -> None:
    for _ in range(5):
        enter(run, "0000")
        run.wait(61.0)
    assert Kind.READER_LOCKED_OUT not in run.take()[0]


# ---------------------------------------------------------------- duress


def test_a_duress_pin_opens_and_tells_the_centre_only() -> None:
    runs = [Run.of(**WITH_PIN, interlock="south"), Run.of(**WITH_PIN, interlock="south")]
    for run, pin in zip(runs, (PIN, DURESS_PIN), strict=True):
        enter(run, pin)
        run.wait(1.0)
        run.pass_through()
        run.wait(30.0)
    plain, duress = runs
    assert duress.history == plain.history
    assert duress.told == plain.told
    assert duress.rule.describe(duress.state) == plain.rule.describe(plain.state)
    assert [event for event in duress.events if not event.info.silent] == plain.events
    assert [event.kind for event in duress.events if event.info.silent] == [Kind.DURESS, Kind.DURESS_ENTRY]
    assert duress.events[0].data == {"card": "aa11", "bits": 26, "reader": "reader-1"}


def test_duress_is_told_even_where_the_door_stays_shut(run: Run) -> None:
    run.present(KNOWN)
    run.order(Verb.LOCKDOWN)
    run.take()
    run.press(f"{DURESS_PIN}#")
    assert run.reason() == "locked_down"
    assert run.take() == ([Kind.DURESS, Kind.ACCESS_DENIED], [DENIED])


def test_duress_without_a_contact_counts_as_opened() -> None:
    run = Run.of(**WITH_PIN, contact=None)
    enter(run, DURESS_PIN)
    assert run.take()[0] == [Kind.DURESS, Kind.ACCESS_GRANTED, Kind.DURESS_ENTRY]


def test_duress_that_did_not_open_is_forgotten(run: Run) -> None:
    enter(run, DURESS_PIN)
    run.wait(UNLOCK_S + 60.0)
    run.take()
    run.rex(True)
    run.contact(True)
    assert run.take()[0] == [Kind.EGRESS, Kind.DOOR_OPENED]


# ---------------------------------------------------------------- anti-passback


@pytest.fixture
def once() -> Run:
    return Run.of(anti_passback_s=300.0)


def test_a_card_that_has_passed_is_refused_for_a_time(once: Run) -> None:
    once.present(KNOWN)
    once.pass_through()
    once.take()
    once.present(KNOWN)
    assert once.reason() == "anti_passback"
    assert once.take() == ([Kind.ACCESS_DENIED], [DENIED])
    once.present(SLOW)
    assert once.take()[0] == [Kind.ACCESS_GRANTED]
    once.wait(300.0)
    once.present(KNOWN)
    assert once.take()[0] == [Kind.ACCESS_GRANTED]


def test_who_did_not_pass_may_try_again(once: Run) -> None:
    once.present(KNOWN)
    once.wait(60.0)
    once.present(KNOWN)
    assert once.take()[0] == [Kind.ACCESS_GRANTED, Kind.ACCESS_GRANTED]


def test_somebody_exempt_passes_again(once: Run) -> None:
    for _ in range(2):
        once.present(EXEMPT)
        once.pass_through()
    assert Kind.ACCESS_DENIED not in once.take()[0]


def test_doors_of_one_area_tell_one_another() -> None:
    here, there = Run.of(anti_passback_s=300.0, area="yard"), Run.of(anti_passback_s=300.0, area="yard")
    here.present(KNOWN)
    here.pass_through()
    assert [(fact.ref, fact.value) for fact in here.told] == [("area:yard/passed", "aa11")]
    assert "area:yard/passed" in there.rule.points
    there.give(here.told[0])
    there.present(KNOWN)
    assert there.reason() == "anti_passback"


def test_several_who_enter_at_once_have_all_passed(once: Run) -> None:
    once.present(KNOWN)
    once.present(SLOW)
    once.pass_through()
    for card in (KNOWN, SLOW):
        once.present(card)
        assert once.reason() == "anti_passback"


def test_passages_of_long_ago_are_forgotten(once: Run) -> None:
    for number in range(50):
        once.give(Reading(DeviceId("door:north"), PointId("passed"), f"ref-{number}", once.now_s))
        once.wait(10.0)
    assert len(once.state.entry.passages) == 30


# ---------------------------------------------------------------- nothing personal


def test_no_key_and_no_number_is_in_any_output(run: Run) -> None:
    enter(run, DURESS_PIN)
    enter(run, "0000")
    said: list[Event | Switch | object] = [*run.events, *run.actions, run.rule.describe(run.state), Keys(PIN)]
    for secret in ("4711", PIN, DURESS_PIN, "0000"):
        assert secret not in repr(said)
