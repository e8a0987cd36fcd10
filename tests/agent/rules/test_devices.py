"""When a device's state is an event."""

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.events import Event, Kind
from agent.rules.devices import SETTLE_S, DeviceRule, DeviceRuleState
from agent.rules.step import Moment, Step, Tick
from drivers.base import DeviceId, DeviceState, Status

STARTING, OK, FAULT = DeviceState.STARTING, DeviceState.OK, DeviceState.FAULT


class Run:
    def __init__(self) -> None:
        self.rule = DeviceRule(DeviceId("bus"))
        self.now_s = 5.0
        self.last: Step[DeviceRuleState] = self.rule.start(Moment(self.now_s))
        self.events: list[Event] = []

    def give(self, given: Status | Tick) -> None:
        self.last = self.rule.step(self.last.state, given, Moment(self.now_s))
        self.events += self.last.events
        assert self.last.wake_at is None or self.last.wake_at > self.now_s

    def say(self, state: DeviceState, reason: str = "") -> None:
        self.give(Status(DeviceId("bus"), state, self.now_s, reason, "look at the cable"))

    def wait(self, seconds: float) -> None:
        target = self.now_s + seconds
        while self.last.wake_at is not None and self.last.wake_at <= target:
            self.now_s = self.last.wake_at
            self.give(Tick())
        self.now_s = target

    def take(self) -> list[Kind]:
        kinds, self.events = [event.kind for event in self.events], []
        return kinds


def test_a_device_that_comes_up_says_nothing() -> None:
    run = Run()
    run.say(STARTING)
    run.say(FAULT, "silent")
    run.wait(SETTLE_S - 0.1)
    run.say(OK)
    run.wait(60.0)
    assert run.take() == []


def test_a_device_that_fails_is_reported_at_once_and_restored() -> None:
    run = Run()
    run.say(OK)
    run.say(FAULT, "unplugged")
    assert run.events[0].data == {"reason": "unplugged", "hint": "look at the cable"}
    assert run.take() == [Kind.DEVICE_FAULT]
    run.say(STARTING)
    run.say(FAULT, "still unplugged")
    assert run.take() == []
    run.say(OK)
    assert run.take() == [Kind.DEVICE_RESTORED]


def test_a_device_that_never_comes_up_is_reported_with_its_last_reason() -> None:
    run = Run()
    run.say(FAULT, "no such port")
    run.say(FAULT, "permission denied")
    run.wait(SETTLE_S)
    assert run.events[0].data["reason"] == "permission denied"
    assert run.take() == [Kind.DEVICE_FAULT]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(DeviceState), st.sampled_from([0.0, 1.0, SETTLE_S])), max_size=30))
def test_faults_and_recoveries_take_turns(moves: list[tuple[DeviceState, float]]) -> None:
    run = Run()
    for state, pause_s in moves:
        run.say(state)
        run.wait(pause_s)
    run.say(OK)
    kinds = run.take()
    assert kinds == [Kind.DEVICE_FAULT, Kind.DEVICE_RESTORED] * (len(kinds) // 2)
