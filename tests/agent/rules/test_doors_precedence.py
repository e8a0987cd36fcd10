"""Fire before egress before lockdown before interlock before schedule before cards and orders."""

from datetime import timedelta

import pytest

from agent.events import CATALOGUE, Kind
from agent.rules.doors import PULSE_S, RENEW_S, DoorRule, Standing
from agent.rules.step import Verb
from drivers.base import DeviceId, PointId, Quality, Reading
from tests.agent.rules.door import (
    DENIED,
    GRANTED,
    HELD_S,
    KNOWN,
    LOCK,
    MORNING,
    NOON,
    UNLOCK_S,
    Cards,
    Noon,
    Run,
    door,
    unlock,
)

FIRE = {"fire": "gpio/fire", "fire_reset": "gpio/fire-key"}
FREE = {"free_access": "working-hours"}


def busy(run: Run, on: bool) -> None:
    run.give(Reading(DeviceId("door:south"), PointId("busy"), on, run.now_s))


# ---------------------------------------------------------------- fire


def test_fire_unlocks_until_it_has_cleared_and_was_reset_on_site() -> None:
    run = Run.of(**FIRE)
    run.fire(True)
    assert run.take() == ([Kind.FIRE_RELEASE], [unlock(PULSE_S)])
    run.order(Verb.RESET_FIRE, local=True)
    assert run.reason() == "fire_input"
    run.fire(False)
    run.wait(3600.0)
    assert run.is_unlocked()
    run.take()
    run.order(Verb.RESET_FIRE)
    assert run.reason() == "not_local"
    assert run.is_unlocked()
    run.order(Verb.RESET_FIRE, local=True)
    assert run.take() == ([Kind.ORDER_REFUSED, Kind.FIRE_RELEASE_RESTORED, Kind.ORDER_DONE], [LOCK])


def test_the_key_switch_resets_fire_only_once_it_has_cleared() -> None:
    run = Run.of(**FIRE)
    run.fire(True)
    run.read("gpio/fire-key", True)
    assert run.is_unlocked()
    run.read("gpio/fire-key", False)
    run.fire(False)
    run.read("gpio/fire-key", True)
    assert not run.is_unlocked()


@pytest.mark.parametrize("verb", [Verb.LOCK, Verb.LOCKDOWN])
def test_nothing_locks_in_a_fire(verb: Verb) -> None:
    run = Run.of(**FIRE, interlock="south")
    run.fire(True)
    busy(run, True)
    run.order(verb)
    run.pass_through()
    run.wait(60.0)
    assert run.is_unlocked()
    assert LOCK not in run.actions


def test_an_alarm_that_comes_and_goes_is_one_alarm() -> None:
    run = Run.of(**FIRE)
    for on in (True, False, True, True, False):
        run.fire(on)
    assert run.take()[0] == [Kind.FIRE_RELEASE]


def test_lockdown_holds_again_after_the_fire() -> None:
    run = Run.of(**FIRE)
    run.order(Verb.LOCKDOWN)
    run.fire(True)
    run.fire(False)
    assert run.is_unlocked()
    run.order(Verb.RESET_FIRE, local=True)
    assert not run.is_unlocked()
    run.present(KNOWN)
    assert run.reason() == "locked_down"


def after_a_restart(standing: Standing, **changes: object) -> Run:
    run = Run(DoorRule(door(**changes), Cards(), Noon(), lambda _: standing))
    run.contact(False)
    run.rex(False)
    return run


def test_after_a_restart_a_fire_input_that_is_not_known_counts_as_an_alarm() -> None:
    run = after_a_restart(Standing(fire=True), fire="gpio/fire", fire_reset="gpio/fire-key")
    run.read("gpio/fire-key", True)
    run.order(Verb.RESET_FIRE, local=True)
    assert run.is_unlocked()
    assert run.reason() == "fire_input"
    run.fire(False)
    assert run.is_unlocked()
    run.order(Verb.RESET_FIRE, local=True)
    assert not run.is_unlocked()


def test_no_restart_ends_a_fire_release_whose_input_has_cleared() -> None:
    run = after_a_restart(Standing(fire=True), fire="gpio/fire", fire_reset="gpio/fire-key")
    kinds, _ = run.take()
    assert Kind.FIRE_RELEASE in kinds
    run.fire(False)
    run.wait(400)
    assert run.is_unlocked()
    run.read("gpio/fire-key", True)
    assert not run.is_unlocked()
    assert run.take()[0] == [Kind.FIRE_RELEASE_RESTORED]


def test_a_fire_release_that_nothing_could_end_is_not_taken_up() -> None:
    assert not after_a_restart(Standing(fire=True)).is_unlocked()


def test_no_restart_ends_a_lockdown() -> None:
    run = after_a_restart(Standing(lockdown=True))
    assert Kind.LOCKDOWN in run.take()[0]
    run.present(KNOWN)
    assert not run.is_unlocked()
    run.rex(True)
    assert run.is_unlocked()
    run.rex(False)
    run.wait(30)
    run.order(Verb.END_LOCKDOWN)
    run.present(KNOWN)
    assert run.is_unlocked()


def test_a_door_open_in_a_fire_is_not_held_until_the_fire_is_over() -> None:
    run = Run.of(**FIRE)
    run.fire(True)
    run.contact(True)
    run.wait(100.0)
    assert run.take()[0] == [Kind.FIRE_RELEASE, Kind.DOOR_OPENED]
    run.fire(False)
    run.read("gpio/fire-key", True)
    run.take()
    run.wait(HELD_S)
    assert run.take()[0] == [Kind.DOOR_HELD]


# ---------------------------------------------------------------- lockdown


def test_in_lockdown_cards_and_orders_are_refused_and_say_so() -> None:
    run = Run.of()
    run.order(Verb.LOCKDOWN)
    assert run.take()[0] == [Kind.LOCKDOWN, Kind.ORDER_DONE]
    run.present(KNOWN)
    assert run.reason() == "locked_down"
    assert run.take() == ([Kind.ACCESS_DENIED], [DENIED])
    for verb in (Verb.UNLOCK, Verb.KEEP_UNLOCKED):
        run.order(verb)
        assert run.reason() == "locked_down"
        assert run.take() == ([Kind.ORDER_REFUSED], [])
    run.order(Verb.END_LOCKDOWN)
    assert run.take()[0] == [Kind.LOCKDOWN_RESTORED, Kind.ORDER_DONE]
    run.present(KNOWN)
    assert run.take() == ([Kind.ACCESS_GRANTED], [unlock(), GRANTED])


def test_lockdown_ends_a_grant_at_once_but_not_a_request_to_exit() -> None:
    run = Run.of()
    run.present(KNOWN)
    run.order(Verb.LOCKDOWN)
    assert not run.is_unlocked()
    run.rex(True)
    run.rex(False)
    run.order(Verb.END_LOCKDOWN)
    run.order(Verb.LOCKDOWN)
    run.wait(UNLOCK_S - 0.01)
    assert run.is_unlocked()
    run.contact(True)
    run.wait(0.01)
    assert not run.is_unlocked()
    assert Kind.DOOR_FORCED not in run.take()[0]


def test_lockdown_lasts_until_it_is_ended() -> None:
    run = Run.of()
    run.order(Verb.KEEP_UNLOCKED)
    run.order(Verb.LOCKDOWN)
    run.wait(1e5)
    assert not run.is_unlocked()
    run.order(Verb.END_LOCKDOWN)
    assert not run.is_unlocked()


# ---------------------------------------------------------------- interlock


def test_a_door_refuses_while_its_partner_is_busy() -> None:
    run = Run.of(interlock="south")
    assert [(r.ref, r.value) for r in run.told] == [("door:north/busy", False)]
    busy(run, True)
    run.present(KNOWN)
    assert run.events[0].data["reason"] == "interlock"
    assert run.events[0].data["partner"] == "south"
    run.order(Verb.UNLOCK)
    assert run.reason() == "interlock"
    assert not run.is_unlocked()
    busy(run, False)
    run.present(KNOWN)
    assert run.is_unlocked()


def test_the_interlock_never_inhibits_egress() -> None:
    run = Run.of(interlock="south")
    busy(run, True)
    run.rex(True)
    assert run.is_unlocked()


@pytest.mark.parametrize("verb", [None, Verb.UNLOCK, Verb.KEEP_UNLOCKED])
def test_a_partner_that_opens_ends_what_a_card_or_an_order_asked_for(verb: Verb | None) -> None:
    run = Run.of(interlock="south")
    if verb is None:
        run.present(KNOWN)
    else:
        run.order(verb)
    assert run.is_unlocked()
    busy(run, True)
    assert not run.is_unlocked()
    assert run.actions[-1] == LOCK
    ended = run.events[-1]
    assert (ended.kind, ended.data["partner"]) == (Kind.ACCESS_ENDED, "south")
    assert ended.data["kept"] is (verb is Verb.KEEP_UNLOCKED)
    busy(run, False)
    run.wait(1.0)
    assert not run.is_unlocked()
    run.take()
    busy(run, True)
    assert run.take()[0] == [], "there was nothing to end"


def test_whoever_could_not_pass_for_the_interlock_has_not_passed() -> None:
    run = Run.of(interlock="south", anti_passback_s=300.0)
    run.present(KNOWN)
    busy(run, True)
    busy(run, False)
    run.wait(1.0)
    run.rex(True)
    run.pass_through()
    run.rex(False)
    run.wait(UNLOCK_S)
    run.present(KNOWN)
    assert run.is_unlocked()


def test_a_door_is_busy_from_unlocking_until_it_is_closed_and_locked() -> None:
    run = Run.of(interlock="south")
    run.told.clear()
    run.present(KNOWN)
    run.contact(True)
    run.wait(UNLOCK_S)
    assert [r.value for r in run.told] == [True]
    run.contact(False)
    assert [r.value for r in run.told] == [True, False]


# ---------------------------------------------------------------- schedule


def test_free_access_follows_the_schedule() -> None:
    run = Run.of(**FREE)
    run.set_utc(NOON - timedelta(seconds=60))
    run.wait(30.0)
    run.take()
    run.wait(30.01)
    assert run.events[0].data == {"schedule": "working-hours"}
    assert run.take() == ([Kind.FREE_ACCESS], [unlock(PULSE_S)])
    run.wait(3600.0)
    assert run.events[-1].data == {"schedule": "working-hours", "reason": "schedule"}
    kinds, actions = run.take()
    assert kinds == [Kind.FREE_ACCESS_ENDED]
    assert actions[-1] == LOCK


def test_free_access_at_the_start() -> None:
    run = Run(Run.of(**FREE).rule, utc=NOON)
    assert run.take() == ([Kind.FREE_ACCESS], [unlock(PULSE_S)])


def test_without_a_trusted_clock_there_is_no_free_access() -> None:
    run = Run(Run.of(**FREE).rule, utc=NOON)
    run.take()
    run.set_utc(None)
    run.wait(PULSE_S)
    assert run.events[-1].data["reason"] == "no_clock"
    assert not run.is_unlocked()
    run.set_utc(NOON)
    run.wait(30.0)
    assert run.is_unlocked()


def test_passing_and_standing_open_in_free_access_is_neither_forcing_nor_holding() -> None:
    run = Run(Run.of(**FREE).rule, utc=NOON)
    run.contact(False)
    run.take()
    run.contact(True)
    run.wait(1000.0)
    run.contact(False)
    run.contact(True)
    assert run.take()[0] == [Kind.DOOR_OPENED, Kind.DOOR_CLOSED, Kind.DOOR_OPENED]
    assert run.is_unlocked()


def test_a_guard_may_lock_until_the_schedule_begins_anew() -> None:
    run = Run(Run.of(**FREE).rule, utc=NOON)
    run.take()
    run.order(Verb.LOCK)
    assert run.take()[0] == [Kind.ORDER_DONE, Kind.FREE_ACCESS_ENDED]
    run.wait(3000.0)
    assert not run.is_unlocked()
    run.wait(24 * 3600.0 - 2000.0)
    assert run.is_unlocked()


def test_no_loss_of_the_clock_ends_a_guards_lock() -> None:
    run = Run(Run.of(**FREE).rule, utc=NOON)
    run.order(Verb.LOCK)
    run.set_utc(None)
    run.wait(60.0)
    run.set_utc(NOON + timedelta(seconds=60))
    run.wait(60.0)
    assert not run.is_unlocked()
    run.wait(24 * 3600.0)
    assert run.is_unlocked()


@pytest.mark.parametrize("stopped", ["lockdown", "no clock"])
def test_a_guards_lock_holds_when_what_stopped_the_schedule_is_over(stopped: str) -> None:
    run = Run(Run.of(**FREE).rule, utc=NOON)
    if stopped == "lockdown":
        run.order(Verb.LOCKDOWN)
    else:
        run.set_utc(None)
        run.wait(60.0)
    run.order(Verb.LOCK)
    run.order(Verb.END_LOCKDOWN)
    run.set_utc(NOON)
    run.wait(60.0)
    assert not run.is_unlocked()


def test_an_order_to_lock_before_the_schedule_does_not_stop_it() -> None:
    run = Run.of(**FREE)
    run.order(Verb.LOCK)
    run.set_utc(NOON)
    run.wait(60.0)
    assert run.is_unlocked()


def test_lockdown_and_interlock_go_before_the_schedule() -> None:
    run = Run(Run.of(**FREE, interlock="south").rule, utc=NOON)
    assert not run.is_unlocked(), "the partner has not told yet"
    busy(run, False)
    run.take()
    busy(run, True)
    assert not run.is_unlocked()
    busy(run, False)
    assert run.is_unlocked()
    run.order(Verb.LOCKDOWN)
    assert not run.is_unlocked()
    run.order(Verb.END_LOCKDOWN)
    assert run.is_unlocked()
    reasons = [event.data["reason"] for event in run.events if event.kind is Kind.FREE_ACCESS_ENDED]
    assert reasons == ["interlock", "locked_down"]


@pytest.mark.parametrize(("no_clock", "opens"), [("ignore_schedule", True), ("deny", False)])
def test_each_door_says_what_holds_without_a_clock(no_clock: str, opens: bool) -> None:
    run = Run.of(no_clock=no_clock)
    run.set_utc(None)
    run.present(KNOWN)
    assert run.is_unlocked() is opens
    if not opens:
        assert run.reason() == "no_clock"


# ---------------------------------------------------------------- orders


def test_an_order_unlocks_for_its_own_time() -> None:
    run = Run.of()
    run.order(Verb.UNLOCK, for_s=60.0)
    assert run.take()[1] == [unlock(PULSE_S)]
    run.wait(59.9)
    assert run.is_unlocked()
    run.wait(0.1)
    assert not run.is_unlocked()


@pytest.mark.parametrize("for_s", [0.0, -1.0, float("nan"), float("inf"), 1e6])
def test_a_time_that_is_none_is_refused(for_s: float) -> None:
    run = Run.of()
    run.order(Verb.UNLOCK, for_s=for_s)
    assert run.reason() == "bad_time"
    assert not run.is_unlocked()


def test_kept_unlocked_until_it_is_locked() -> None:
    run = Run.of()
    run.order(Verb.KEEP_UNLOCKED)
    run.history.clear()
    run.pass_through()
    run.wait(1000.0)
    assert run.is_unlocked()
    assert len(run.history) == 1000 / (PULSE_S - RENEW_S)
    run.order(Verb.LOCK)
    assert not run.is_unlocked()


def test_locking_leaves_a_request_to_exit_its_time() -> None:
    run = Run.of()
    run.rex(True)
    run.rex(False)
    run.order(Verb.LOCK)
    assert run.is_unlocked()
    run.wait(UNLOCK_S)
    assert not run.is_unlocked()


def test_a_bad_reading_of_the_fire_input_changes_nothing() -> None:
    run = Run.of(**FIRE)
    run.read("gpio/fire", True, Quality.BAD)
    assert not run.is_unlocked()


def test_what_the_door_shows_of_itself() -> None:
    run = Run(Run.of(**FIRE, **FREE).rule, utc=MORNING)
    shown = [run.rule.describe(run.state)["why"]]
    run.present(KNOWN)
    shown.append(run.rule.describe(run.state)["why"])
    run.set_utc(NOON)
    run.wait(30.0)
    shown.append(run.rule.describe(run.state)["why"])
    run.order(Verb.KEEP_UNLOCKED)
    shown.append(run.rule.describe(run.state)["why"])
    run.rex(True)
    shown.append(run.rule.describe(run.state)["why"])
    run.fire(True)
    shown.append(run.rule.describe(run.state)["why"])
    assert shown == [None, "passage", "schedule", "order", "egress", "fire"]


def test_contact_id_of_what_doors_report() -> None:
    codes = {kind: CATALOGUE[kind].contact_id for kind in (Kind.DURESS, Kind.DURESS_ENTRY, Kind.LOCKDOWN)}
    assert codes == {Kind.DURESS: 121, Kind.DURESS_ENTRY: 124, Kind.LOCKDOWN: 431}
    # A picture or a reminder that nothing explains would give a duress away.
    about_them = {Kind.SNAPSHOT_TAKEN, Kind.SNAPSHOT_FAILED, Kind.UNACKNOWLEDGED_SILENT}
    assert {kind for kind, info in CATALOGUE.items() if info.silent} == {Kind.DURESS, Kind.DURESS_ENTRY, *about_them}
