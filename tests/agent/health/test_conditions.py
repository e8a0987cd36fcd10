"""The board's own events: once each, after they have held, and restored once."""

from hypothesis import given
from hypothesis import strategies as st

from agent.contract.health import BoardHealth, DiskHealth
from agent.events import CATALOGUE, Kind
from agent.health.conditions import HOLD_S, Conditions, measure
from agent.settings import HealthSettings
from tests.declared import check_event

LIMITS = HealthSettings()


def looks(*temperatures: float | None, every_s: float = HOLD_S) -> list[str]:
    """The kinds of events that follow one another."""
    conditions, said = Conditions(), list[str]()
    for number, celsius in enumerate(temperatures):
        measured = measure(BoardHealth(cores=4, temperature_c=celsius), DiskHealth(), LIMITS)
        for event in conditions.step(measured, number * every_s):
            check_event(event)
            said.append(f"{event.kind} {event.data['value']}")
    return said


def test_heat_is_an_event_once_it_has_held_and_is_restored_well_below() -> None:
    assert looks(70, 81, 82, 83, 79, 78, 76, 75, 74) == ["gateway.hot 82.0", "gateway.hot.restored 74.0"]


def test_a_short_peak_and_a_reading_that_fails_change_nothing() -> None:
    assert looks(70, 85, 70, 85, None, 85, 70) == []
    assert looks(85, 85, None, 70, None, 70, 70) == ["gateway.hot 85.0", "gateway.hot.restored 70.0"]


def test_every_condition_can_stand_and_end() -> None:
    conditions = Conditions()
    bad = (
        BoardHealth(
            cores=4, temperature_c=90, undervoltage=True, throttled=True, memory_total_kib=100, memory_available_kib=1
        ),
        DiskHealth(total_kib=100, free_kib=5, worn_percent=90),
    )
    good = (
        BoardHealth(
            cores=4,
            temperature_c=40,
            undervoltage=False,
            throttled=False,
            memory_total_kib=100,
            memory_available_kib=50,
        ),
        DiskHealth(total_kib=100, free_kib=50, worn_percent=10),
    )
    raised = [e for at_s in (0, HOLD_S) for e in conditions.step(measure(*bad, LIMITS), at_s)]
    assert {event.kind for event in raised} == set(conditions.standing)
    restored = [e for at_s in (200, 300) for e in conditions.step(measure(*good, LIMITS), at_s)]
    assert [event.kind for event in restored] == [CATALOGUE[event.kind].restored_by for event in raised]
    assert len(raised) == 6
    assert conditions.standing == ()
    for event in (*raised, *restored):
        check_event(event)


@given(st.lists(st.none() | st.floats(0, 120), max_size=30), st.floats(1, 200))
def test_raised_and_restored_take_turns(temperatures: list[float | None], every_s: float) -> None:
    kinds = [said.split(" ")[0] for said in looks(*temperatures, every_s=every_s)]
    assert kinds[::2] == [Kind.GATEWAY_HOT] * len(kinds[::2])
    assert kinds[1::2] == [Kind.GATEWAY_HOT_RESTORED] * len(kinds[1::2])
