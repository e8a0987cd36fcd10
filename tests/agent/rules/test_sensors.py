"""What a sensor promises."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.events import Event, Kind
from agent.rules.sensors import SensorRule, SensorState
from agent.rules.step import Moment, Step, Tick
from agent.settings import Sensor
from drivers.base import DeviceId, PointId, Quality, Reading, Value


def sensor(**more: object) -> SensorRule:
    shape = {"id": "hot", "name": {"zh": "温度", "en": "Heat"}, "point": "unit/t", "kind": "temperature.high"}
    return SensorRule(Sensor.model_validate(shape | more))


class Run:
    """Steps the rule as compound does: a Tick whenever the rule asked for one."""

    def __init__(self, rule: SensorRule) -> None:
        self.rule = rule
        self.now_s = 10.0
        self.last: Step[SensorState] = rule.start(Moment(self.now_s))
        self.events: list[Event] = []

    def give(self, given: Reading | Tick) -> None:
        self.last = self.rule.step(self.last.state, given, Moment(self.now_s))
        self.events += self.last.events
        assert self.last.wake_at is None or self.last.wake_at > self.now_s

    def read(self, value: Value, quality: Quality = Quality.GOOD) -> None:
        self.give(Reading(DeviceId("unit"), PointId("t"), value, self.now_s, quality))

    def wait(self, seconds: float) -> None:
        target = self.now_s + seconds
        while self.last.wake_at is not None and self.last.wake_at <= target:
            self.now_s = self.last.wake_at
            self.give(Tick())
        self.now_s = target

    def take(self) -> list[Kind]:
        kinds, self.events = [event.kind for event in self.events], []
        return kinds


def test_a_truth_value_raises_and_restores() -> None:
    run = Run(sensor(id="smoke", kind="smoke"))
    run.read(False)
    assert run.take() == []
    run.read(True)
    run.read(True)
    assert run.take() == [Kind.SMOKE]
    run.read(False)
    assert run.take() == [Kind.SMOKE_RESTORED]


def test_lost_power_is_restored_by_its_own_kind() -> None:
    run = Run(sensor(kind="power.lost"))
    run.read(True)
    run.read(False)
    assert run.take() == [Kind.POWER_LOST, Kind.POWER_RESTORED]


def test_a_value_must_come_back_by_the_hysteresis() -> None:
    run = Run(sensor(above=45.0, hysteresis=3.0))
    run.read(45.0)
    assert run.take() == []
    run.read(45.1)
    assert run.events[0].data == {"point": "unit/t", "value": 45.1, "above": 45.0}
    assert run.take() == [Kind.TEMPERATURE_HIGH]
    for value in (44.0, 46.0, 42.1):
        run.read(value)
    assert run.take() == []
    run.read(42.0)
    assert run.take() == [Kind.TEMPERATURE_HIGH_RESTORED]


def test_below_is_the_mirror_of_above() -> None:
    run = Run(sensor(kind="temperature.low", below=4.0, hysteresis=1.0))
    for value in (4.0, 3.9, 4.5, 5.0):
        run.read(value)
    assert run.take() == [Kind.TEMPERATURE_LOW, Kind.TEMPERATURE_LOW_RESTORED]


def test_both_turns_need_for_s_without_a_break() -> None:
    run = Run(sensor(above=45, for_s=2.0))
    run.read(50)
    run.wait(1.9)
    run.read(40)
    run.read(50)
    run.wait(1.9)
    assert run.take() == []
    run.wait(0.1)
    assert run.take() == [Kind.TEMPERATURE_HIGH]
    run.read(40)
    run.wait(1.9)
    assert run.take() == []
    run.wait(0.1)
    assert run.take() == [Kind.TEMPERATURE_HIGH_RESTORED]


def test_a_bad_reading_changes_nothing() -> None:
    run = Run(sensor(kind="smoke", for_s=1.0))
    run.read(True, Quality.BAD)
    run.wait(5.0)
    assert run.take() == []
    run.read(True)
    run.read(False, Quality.BAD)
    run.wait(1.0)
    assert run.take() == [Kind.SMOKE]


def test_no_number_and_no_value_of_another_kind_is_an_alarm() -> None:
    run = Run(sensor(above=45.0))
    run.read(math.nan)
    run.read("hot")
    assert run.take() == []
    run = Run(sensor(kind="smoke"))
    run.read(1.0)
    assert run.take() == []


_values = st.one_of(st.booleans(), st.floats(), st.integers(-100, 100), st.text(max_size=2))
_moves = st.lists(
    st.tuples(_values, st.sampled_from(Quality), st.sampled_from([0.0, 0.5, 1.0, 2.0])),
    max_size=30,
)


@settings(max_examples=100, deadline=None)
@given(_moves, st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 5.0]))
def test_alarms_and_restores_take_turns(
    moves: list[tuple[Value, Quality, float]], for_s: float, hysteresis: float
) -> None:
    run = Run(sensor(above=20.0, below=-20.0, for_s=for_s, hysteresis=hysteresis))
    for value, quality, pause_s in moves:
        run.read(value, quality)
        run.wait(pause_s)
    run.read(0.0)
    run.wait(for_s)
    kinds = run.take()
    assert kinds == [Kind.TEMPERATURE_HIGH, Kind.TEMPERATURE_HIGH_RESTORED] * (len(kinds) // 2)
