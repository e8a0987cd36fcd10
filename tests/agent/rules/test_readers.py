"""What a reader promises to report about itself."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.events import RESTORES, Event, Kind
from agent.rules.readers import ReaderRule
from agent.rules.step import Moment, Tick
from drivers.base import DeviceId, PointId, PointRef, Quality, Reading

READER = DeviceId("reader-1")
RULE = ReaderRule(READER, "north")
KINDS = {
    "tamper": Kind.READER_TAMPER,
    "power": Kind.READER_POWER,
    "default-key": Kind.READER_DEFAULT_KEY,
    "identity-changed": Kind.READER_IDENTITY,
    "auth-failed": Kind.READER_AUTHENTICATION,
}


def play(*readings: tuple[str, object, Quality]) -> list[Event]:
    now, events = Moment(10.0), list[Event]()
    state = RULE.start(now).state
    for point, value, quality in readings:
        step = RULE.step(state, Reading(READER, PointId(point), value, 9.0, quality), now)  # type: ignore[arg-type] # any value a driver could send
        state, events = step.state, [*events, *step.events]
    return events


@pytest.mark.parametrize(("point", "kind"), KINDS.items())
def test_each_trouble_is_raised_once_and_restored(point: str, kind: Kind) -> None:
    good = Quality.GOOD
    events = play((point, False, good), (point, True, good), (point, True, good), (point, False, good))
    assert [event.kind for event in events] == [kind, Kind(f"{kind}.restored")]
    assert {event.subject for event in events} == {"north"}
    assert events[0].data == {"reader": "reader-1"}


def test_what_a_sensor_reports_is_not_reported_twice() -> None:
    rule = ReaderRule(READER, "north", frozenset({PointRef("reader-1/tamper")}))
    assert "reader-1/tamper" not in rule.points
    step = rule.step(frozenset(), Reading(READER, PointId("tamper"), True, 1.0), Moment(1.0))
    assert step.events == ()


def test_it_shows_what_stands() -> None:
    step = RULE.step(frozenset(), Reading(READER, PointId("tamper"), True, 1.0), Moment(1.0))
    assert RULE.describe(step.state) == {"raised": ["reader-1/tamper"]}
    assert RULE.step(step.state, Tick(), Moment(2.0)).state == step.state


_readings = st.tuples(
    st.sampled_from([*KINDS, "card", "other"]),
    st.one_of(st.booleans(), st.integers(), st.floats(), st.text(max_size=2)),
    st.sampled_from(Quality),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(_readings, max_size=30))
def test_every_alarm_stands_once_and_is_restored(readings: list[tuple[str, object, Quality]]) -> None:
    standing: set[Kind] = set()
    for event in play(*readings, *((point, False, Quality.GOOD) for point in KINDS)):
        if event.kind in RESTORES:
            standing.remove(RESTORES[event.kind])
        else:
            assert event.kind not in standing
            standing.add(event.kind)
    assert not standing
