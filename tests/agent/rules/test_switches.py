"""Outputs that orders may switch: on, off, for a time; and nothing that only a door can do."""

from agent.events import Kind
from agent.rules.step import Moment, Order, Step, Tick, Verb
from agent.rules.switches import SwitchRule, SwitchState
from drivers.base import DeviceId, DeviceState, Output, PointId, Status, Switch

RULE = SwitchRule("gpio/beacon")


def switch(*, on: bool) -> tuple[Output, ...]:
    return (Switch(DeviceId("gpio"), PointId("beacon"), on),)


def order(state: SwitchState, verb: Verb, now_s: float, for_s: float | None = None) -> Step[SwitchState]:
    return RULE.step(state, Order("gpio/beacon", verb, "command/a-1", for_s), Moment(now_s))


def test_it_starts_off_and_follows_orders() -> None:
    begun = RULE.start(Moment(0))
    assert begun.actions == RULE.safe == switch(on=False)
    on = order(begun.state, Verb.ON, 1)
    assert (on.actions, on.wake_at, on.events[0].kind) == (switch(on=True), None, Kind.ORDER_DONE)
    assert on.events[0].data == {"verb": "on", "origin": "command/a-1"}
    assert order(on.state, Verb.OFF, 2).actions == switch(on=False)


def test_a_time_ends_by_itself_and_a_later_order_replaces_it() -> None:
    on = order(SwitchState(), Verb.ON, 1, for_s=10)
    assert on.wake_at == 11
    assert RULE.step(on.state, Tick(), Moment(10.9)).actions == ()
    assert RULE.step(on.state, Tick(), Moment(11)).actions == switch(on=False)
    longer = order(on.state, Verb.ON, 5)
    assert (longer.wake_at, RULE.step(longer.state, Tick(), Moment(99)).actions) == (None, ())


def test_a_device_that_comes_back_is_put_in_order_again() -> None:
    on = order(SwitchState(), Verb.ON, 1).state
    back = Status(DeviceId("gpio"), DeviceState.OK, 2)
    assert RULE.step(on, back, Moment(2)).actions == switch(on=True)
    assert RULE.step(on, Status(DeviceId("gpio"), DeviceState.FAULT, 3), Moment(3)).actions == ()


def test_what_only_a_door_can_do_is_refused() -> None:
    for verb in set(Verb) - {Verb.ON, Verb.OFF}:
        step = order(SwitchState(), verb, 1)
        assert (step.actions, step.events[0].kind, step.events[0].data["reason"]) == ((), Kind.ORDER_REFUSED, "no_door")
