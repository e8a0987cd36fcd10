"""What a door promises."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.events import RESTORES, Kind
from agent.rules.doors import GRACE_S, PULSE_S, RELOCK_S, RENEW_S, DoorRule, DoorState
from agent.rules.step import Order, Tick, Verb
from drivers.base import Card, Cue, DeviceId, DeviceState, PointId, Quality, Reading, Signal, Status, Switch
from tests.agent.rules.door import (
    DENIED,
    DOOR,
    EXTENDED_S,
    GRANTED,
    HELD_S,
    KNOWN,
    LOCK,
    READER,
    SLOW,
    STRANGER,
    UNLOCK_S,
    Cards,
    Noon,
    Run,
    unlock,
)


@pytest.fixture
def run() -> Run:
    return Run.of()


def test_start_locks() -> None:
    assert Run().actions == [LOCK]


def test_a_known_card_unlocks_for_the_unlock_time(run: Run) -> None:
    run.present(KNOWN)
    assert run.events[0].data == {"by": "card", "card": "aa11", "bits": 26, "reader": "reader-1"}
    assert run.take() == ([Kind.ACCESS_GRANTED], [unlock(), GRANTED])
    run.wait(UNLOCK_S - 0.01)
    assert run.take() == ([], [])
    run.wait(0.01)
    assert run.take() == ([], [LOCK])


def test_a_stranger_stays_outside(run: Run) -> None:
    run.present(STRANGER)
    assert run.events[0].data == {"reason": "unknown_card", "card": "bb22", "bits": 26, "reader": "reader-1"}
    assert run.take() == ([Kind.ACCESS_DENIED], [DENIED])


def test_a_stranger_shortens_nobodys_time(run: Run) -> None:
    run.present(KNOWN)
    run.wait(1.0)
    run.take()
    run.present(STRANGER)
    run.wait(UNLOCK_S - 1.01)
    assert LOCK not in run.take()[1]


def test_no_event_carries_the_number(run: Run) -> None:
    run.present(STRANGER)
    run.present(KNOWN)
    assert "4711" not in repr(run.events)
    assert "815" not in repr(run.events)


def test_the_door_relocks_soon_after_the_passage(run: Run) -> None:
    run.present(KNOWN)
    run.wait(0.5)
    run.contact(True)
    run.wait(0.5)
    run.take()
    run.contact(False)
    assert run.take() == ([Kind.DOOR_CLOSED], [unlock(RELOCK_S)])
    run.wait(RELOCK_S)
    assert run.take() == ([], [LOCK])


def test_a_grant_while_the_door_stands_open_outlives_its_closing(run: Run) -> None:
    run.present(KNOWN)
    run.contact(True)
    run.present(KNOWN)
    run.contact(False)
    run.take()
    run.wait(UNLOCK_S - 0.01)
    assert run.take() == ([], [])


def test_opening_after_a_grant_is_no_alarm_even_a_moment_too_late(run: Run) -> None:
    run.present(KNOWN)
    run.wait(UNLOCK_S + GRACE_S)
    run.contact(True)
    assert Kind.DOOR_FORCED not in run.take()[0]


def test_a_late_report_is_judged_by_when_the_door_opened(run: Run) -> None:
    run.present(KNOWN)
    opened_s = run.now_s + UNLOCK_S
    run.wait(UNLOCK_S + 30.0)
    run.give(Reading(DeviceId("gpio"), PointId("contact"), True, opened_s))
    assert run.take()[0] == [Kind.ACCESS_GRANTED, Kind.DOOR_OPENED]


def test_opening_a_locked_door_is_forcing_it(run: Run) -> None:
    run.contact(True)
    assert run.take()[0] == [Kind.DOOR_OPENED, Kind.DOOR_FORCED]
    run.contact(True)
    assert run.take()[0] == []
    run.contact(False)
    assert run.take()[0] == [Kind.DOOR_CLOSED, Kind.DOOR_FORCED_RESTORED]


def test_a_door_open_too_long_is_held_once_and_restored(run: Run) -> None:
    run.present(KNOWN)
    run.contact(True)
    run.wait(HELD_S - 0.01)
    run.take()
    run.wait(100.0)
    assert run.take()[0] == [Kind.DOOR_HELD]
    run.contact(False)
    assert run.take()[0] == [Kind.DOOR_CLOSED, Kind.DOOR_HELD_RESTORED]


def test_a_door_open_at_start_is_not_forced_but_counts_as_held() -> None:
    run = Run()
    run.contact(True)
    assert run.take()[0] == []
    run.wait(HELD_S)
    assert run.take()[0] == [Kind.DOOR_HELD]


def test_a_request_to_exit_unlocks(run: Run) -> None:
    run.rex(True)
    assert run.take() == ([Kind.EGRESS], [unlock(PULSE_S)])
    run.rex(False)
    assert run.take() == ([], [unlock()])
    run.contact(True)
    assert run.take()[0] == [Kind.DOOR_OPENED]


def test_a_held_request_keeps_the_door_unlocked_by_pulses_that_meet(run: Run) -> None:
    run.history.clear()
    run.rex(True)
    begun_s = run.now_s
    run.wait(95.0)
    switches = run.history
    assert [at_s for at_s, _ in switches] == [begun_s + n * (PULSE_S - RENEW_S) for n in range(20)]
    assert {action for _, action in switches} == {unlock(PULSE_S)}
    run.take()
    run.rex(False)
    run.wait(UNLOCK_S)
    assert run.take() == ([], [unlock(), LOCK])


def test_a_request_may_only_shunt_the_contact() -> None:
    run = Run.of(rex_unlocks=False)
    run.rex(True)
    run.rex(False)
    assert run.take() == ([Kind.EGRESS], [])
    run.wait(UNLOCK_S)
    run.contact(True)
    assert run.take()[0] == [Kind.DOOR_OPENED]
    run.contact(False)
    run.wait(1.0)
    run.contact(True)
    assert run.take()[0] == [Kind.DOOR_CLOSED, Kind.DOOR_OPENED, Kind.DOOR_FORCED]


def test_a_handle_held_down_is_no_forcing() -> None:
    run = Run.of(rex_unlocks=False)
    run.rex(True)
    run.wait(60.0)
    run.contact(True)
    assert run.take()[0] == [Kind.EGRESS, Kind.DOOR_OPENED]


def test_relocking_when_the_door_opens() -> None:
    run = Run.of(relock="open")
    run.present(KNOWN)
    run.take()
    run.contact(True)
    run.wait(RELOCK_S)
    assert run.take()[1] == [unlock(RELOCK_S), LOCK]
    run.present(KNOWN)
    run.take()
    run.wait(UNLOCK_S - 0.01)
    assert run.take() == ([], [])


def test_who_needs_more_time_gets_it_for_lock_and_door(run: Run) -> None:
    run.present(SLOW)
    assert run.take()[1] == [unlock(PULSE_S), GRANTED]
    run.wait(EXTENDED_S - 0.01)
    assert run.is_unlocked()
    run.contact(True)
    run.wait(0.01)
    assert not run.is_unlocked()
    run.take()
    run.wait(HELD_S + EXTENDED_S - 0.02)
    assert run.take()[0] == []
    run.wait(0.02)
    assert run.take()[0] == [Kind.DOOR_HELD]


def test_more_time_is_for_one_passage_only(run: Run) -> None:
    run.present(SLOW)
    run.pass_through()
    run.wait(60.0)
    run.rex(True)
    run.contact(True)
    run.take()
    run.wait(HELD_S)
    assert run.take()[0] == [Kind.DOOR_HELD]


def test_a_warning_comes_before_the_alarm_and_sounds_until_the_door_is_closed() -> None:
    run = Run.of(pre_alarm_s=3.0, sounder="gpio/sounder")
    sounder = DeviceId("gpio"), PointId("sounder")
    run.present(KNOWN)
    run.contact(True)
    run.wait(HELD_S - 3.0)
    assert run.take()[0] == [Kind.ACCESS_GRANTED, Kind.DOOR_OPENED, Kind.DOOR_HELD_SOON]
    run.wait(3.0)
    assert run.take()[0] == [Kind.DOOR_HELD]
    run.contact(False)
    assert run.take()[0] == [Kind.DOOR_CLOSED, Kind.DOOR_HELD_RESTORED]
    sounds = [a for _, a in run.history if isinstance(a, Switch) and (a.device, a.point) == sounder]
    assert [(a.on, a.for_s) for a in sounds] == [(True, 180.0), (False, None)]
    assert Switch(*sounder, on=False) in run.rule.safe


def test_a_door_closed_in_time_is_only_warned() -> None:
    run = Run.of(pre_alarm_s=3.0)
    run.present(KNOWN)
    run.contact(True)
    run.wait(HELD_S - 1.0)
    run.contact(False)
    run.take()
    run.wait(100.0)
    assert run.take()[0] == []


def test_nothing_locks_while_somebody_requests_to_exit(run: Run) -> None:
    run.rex(True)
    run.give(Order("north", Verb.LOCK, "guard"))
    run.contact(True)
    run.contact(False)
    run.present(STRANGER)
    run.wait(20.0)
    assert LOCK not in run.take()[1]


def test_orders_unlock_and_lock(run: Run) -> None:
    run.order(Verb.UNLOCK)
    assert run.events[0].data == {"by": "order", "verb": "unlock", "origin": "guard"}
    assert run.take() == ([Kind.ACCESS_GRANTED], [unlock()])
    run.order(Verb.LOCK)
    assert run.take() == ([Kind.ORDER_DONE], [LOCK])
    run.wait(GRACE_S + 0.01)
    run.contact(True)
    assert Kind.DOOR_FORCED in run.take()[0]


def test_a_lock_that_comes_back_is_put_in_order(run: Run) -> None:
    run.present(KNOWN)
    run.wait(1.0)
    run.take()
    run.give(Status(DeviceId("gpio"), DeviceState.OK, run.now_s))
    assert run.take() == ([], [unlock(UNLOCK_S - 1.0)])
    run.wait(UNLOCK_S)
    run.take()
    run.give(Status(DeviceId("gpio"), DeviceState.OK, run.now_s))
    assert run.take() == ([], [LOCK])


def test_a_reader_that_is_gone_is_shown_and_ends_what_was_begun() -> None:
    run = Run.of(pin="card-and-pin")
    run.present(KNOWN)
    assert run.take() == ([], [Signal(READER, Cue.PIN)])
    run.give(Status(READER, DeviceState.FAULT, run.now_s))
    assert run.rule.describe(run.state)["reader_offline"] is True
    run.give(Status(READER, DeviceState.OK, run.now_s))
    run.press("2580#")
    assert run.take() == ([], [])
    assert run.rule.describe(run.state)["reader_offline"] is False


def test_a_bad_reading_changes_nothing(run: Run) -> None:
    before = run.last.state
    run.read("gpio/contact", True, Quality.BAD)
    run.read("reader-1/card", KNOWN, Quality.BAD)
    assert run.last.state == before
    assert run.take() == ([], [])


def test_only_what_it_knows_reaches_it() -> None:
    rule = DoorRule(DOOR, Cards(), Noon())
    assert rule.points == {"reader-1/card", "gpio/contact", "gpio/rex"}
    assert rule.devices == {"gpio", "reader-1"}
    assert rule.doors == {"north"}
    bare = DoorRule(DOOR.model_copy(update={"reader": None, "contact": None, "rex": None}), Cards(), Noon())
    assert bare.points == set()
    assert bare.describe(DoorState())["open"] is None


# ---------------------------------------------------------------- whatever happens

_refs = st.sampled_from(["gpio/contact", "gpio/rex", "reader-1/card", "reader-1/keys", "gpio/other"])
_values = st.one_of(
    st.booleans(), st.sampled_from([KNOWN, STRANGER]), st.integers(-5, 5), st.floats(), st.text(max_size=3)
)
_qualities = st.sampled_from([Quality.GOOD, Quality.GOOD, Quality.BAD])
_lags = st.sampled_from([0.0, 0.0, 0.01, 2.0, -1.0, float("nan")])


@dataclass(frozen=True)
class Wait:
    seconds: float


@dataclass(frozen=True)
class Read:
    ref: str
    value: bool | int | float | str | Card
    quality: Quality
    lag_s: float


_moves = st.lists(
    st.one_of(
        st.builds(Wait, st.sampled_from([0.0, 0.01, 0.4, RELOCK_S, 1.0, UNLOCK_S, 5.0, HELD_S, 60.0])),
        st.builds(Read, _refs, _values, _qualities, _lags),
        st.builds(Order, st.sampled_from(["north", "elsewhere"]), st.sampled_from(Verb), st.just("guard")),
        st.builds(
            Status, st.sampled_from([DeviceId("gpio"), DeviceId("x")]), st.sampled_from(DeviceState), st.just(1.0)
        ),
        st.just(Tick()),
    ),
    max_size=40,
)


def play(run: Run, moves: list[Wait | Read | Order | Status | Tick]) -> None:
    for move in moves:
        if isinstance(move, Wait):
            run.wait(move.seconds)
        elif isinstance(move, Read):
            device, point = move.ref.split("/")
            at_s = run.now_s - move.lag_s
            run.give(Reading(DeviceId(device), PointId(point), move.value, at_s, move.quality))
        else:
            run.give(move)


@settings(max_examples=100, deadline=None)
@given(_moves)
def test_egress_always_unlocks_whatever_went_before(moves: list[Wait | Read | Order | Status | Tick]) -> None:
    run = Run()
    play(run, moves)
    run.take()
    run.rex(True)
    (switch,) = [action for action in run.take()[1] if isinstance(action, Switch)]
    assert switch.for_s == pytest.approx(PULSE_S)  # a difference of two moments
    assert replace(switch, for_s=PULSE_S) == unlock(PULSE_S)
    run.wait(50.0)
    assert LOCK not in run.take()[1]


@settings(max_examples=100, deadline=None)
@given(_moves)
def test_every_alarm_is_raised_once_and_restored_when_its_cause_ends(
    moves: list[Wait | Read | Order | Status | Tick],
) -> None:
    run = Run()
    play(run, moves)
    run.order(Verb.END_LOCKDOWN)
    run.contact(False)
    standing: set[Kind] = set()
    for event in run.events:
        if event.info.restored_by is not None:
            assert event.kind not in standing, "raised twice"
            standing.add(event.kind)
        elif event.kind in RESTORES:
            standing.remove(RESTORES[event.kind])
    assert not standing
    run.order(Verb.LOCK)
    run.wait(100.0)
    assert run.state.release.rex or not run.is_unlocked()


@settings(max_examples=100, deadline=None)
@given(_moves)
def test_no_opening_in_the_unlock_time_is_forced(moves: list[Wait | Read | Order | Status | Tick]) -> None:
    run = Run()
    play(run, moves)
    run.order(Verb.END_LOCKDOWN)
    run.order(Verb.LOCK)
    run.contact(False)
    run.present(KNOWN)
    run.take()
    run.wait(UNLOCK_S / 2)
    run.contact(True)
    assert Kind.DOOR_FORCED not in run.take()[0]
    run.wait(HELD_S)
    assert run.take()[0] == [Kind.DOOR_HELD]


@settings(max_examples=100, deadline=None)
@given(_moves)
def test_the_lock_is_on_exactly_while_the_rule_says_so(moves: list[Wait | Read | Order | Status | Tick]) -> None:
    run = Run()
    play(run, moves)
    switches = [action for action in run.actions if isinstance(action, Switch)]
    assert switches[-1].on is run.is_unlocked()
