"""Schedules: windows of the week, holidays, midnight, and clocks that are put forward and back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.schedules import HORIZON_DAYS, Schedules
from agent.settings import Day, Holiday, Schedule, load

SIMULATED = load(Path(__file__).parents[2] / "config/simulated.toml")
SHANGHAI = ZoneInfo("Asia/Shanghai")
WORKDAYS = ["mon", "tue", "wed", "thu", "fri"]
NAME = {"zh": "时段", "en": "Schedule"}
MINUTE = timedelta(minutes=1)


def schedules(*windows: dict[str, Any], holidays: dict[str, str | None] | None = None, zone: str = "") -> Schedules:
    """One schedule, `s`, of these windows."""
    gateway = SIMULATED.gateway.model_copy(update={"timezone": zone or "Asia/Shanghai"})
    days = [
        Holiday.model_validate({"date": date, "name": NAME, "schedule_as": as_day})
        for date, as_day in (holidays or {}).items()
    ]
    made = Schedule.model_validate({"id": "s", "name": NAME, "windows": windows})
    return Schedules.of(
        SIMULATED.model_copy(update={"gateway": gateway, "schedules": (made,), "holidays": tuple(days)})
    )


def window(days: list[str], begins: str, ends: str) -> dict[str, Any]:
    return {"days": days, "from": begins, "to": ends}


def at(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


@pytest.mark.parametrize(
    ("moment", "holds"),
    [
        ("2026-03-02 07:59:59", False),  # a Monday
        ("2026-03-02 08:00:00", True),
        ("2026-03-02 17:59:59", True),
        ("2026-03-02 18:00:00", False),
        ("2026-03-01 12:00:00", False),  # Sunday
    ],
)
def test_a_window_holds_from_its_first_moment_to_before_its_last(moment: str, holds: bool) -> None:
    assert schedules(window(WORKDAYS, "08:00", "18:00")).active("s", at(moment)) is holds


def test_a_window_past_midnight_belongs_to_the_day_it_begins() -> None:
    night = schedules(window(["fri"], "22:00", "06:00"))
    assert not night.active("s", at("2026-03-06 05:00"))
    assert night.active("s", at("2026-03-06 23:00"))
    assert night.active("s", at("2026-03-07 05:59"))
    assert not night.active("s", at("2026-03-07 06:00"))
    assert not night.active("s", at("2026-03-07 23:00"))


def test_a_holiday_takes_the_windows_of_another_day_or_none() -> None:
    days = {"2026-10-01": "sun", "2026-10-02": None, "2026-10-10": "mon"}  # Thursday, Friday; Saturday worked
    house = schedules(window(WORKDAYS, "08:00", "18:00"), window(["sun"], "10:00", "12:00"), holidays=days)
    assert not house.active("s", at("2026-10-01 09:00"))
    assert house.active("s", at("2026-10-01 11:00"))
    assert not house.active("s", at("2026-10-02 11:00"))
    assert house.active("s", at("2026-10-10 17:00"))


def test_a_window_that_began_before_a_holiday_runs_to_its_end() -> None:
    night = schedules(window(WORKDAYS, "22:00", "06:00"), holidays={"2026-10-01": None})
    assert night.active("s", at("2026-10-01 05:00"))
    assert not night.active("s", at("2026-10-01 23:00"))
    assert not night.active("s", at("2026-10-02 05:00"))


def test_an_unknown_schedule_never_holds() -> None:
    house = schedules(window(WORKDAYS, "00:00", "24:00"))
    assert "s" in house
    assert "t" not in house
    assert not house.active("t", at("2026-03-02 12:00"))


def test_next_change_is_the_end_and_then_the_next_beginning() -> None:
    house = schedules(window(WORKDAYS, "08:00", "18:00"))
    assert house.next_change("s", at("2026-03-06 12:00")) == at("2026-03-06 18:00")
    assert house.next_change("s", at("2026-03-06 18:00")) == at("2026-03-09 08:00")


def test_what_never_changes_is_asked_again_in_a_week() -> None:
    always = schedules(window([*WORKDAYS, "sat", "sun"], "00:00", "24:00"))
    now = at("2026-03-06 12:00")
    assert always.next_change("s", now) == now + timedelta(days=HORIZON_DAYS - 1)


def test_clocks_put_forward_and_back_move_nothing_on_the_wall() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    house = schedules(window(list(Day), "02:30", "04:00"), zone="Europe/Berlin")
    assert house.next_change("s", at("2026-03-29 01:00", berlin)) == at("2026-03-29 03:00", berlin), "02:30 never comes"
    assert house.active("s", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)), "02:30 comes twice: the first"
    assert not house.active("s", datetime(2026, 10, 25, 1, 0, tzinfo=UTC)), "02:00 again"
    assert house.active("s", datetime(2026, 10, 25, 1, 30, tzinfo=UTC))


def test_a_change_just_after_the_day_the_clocks_are_put_forward_is_not_overlooked() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    house = schedules(window(["sun"], "00:00", "24:00"), window(["mon"], "00:00", "00:01"), zone="Europe/Berlin")
    assert house.next_change("s", at("2026-03-29 12:00", berlin)) == at("2026-03-30 00:01", berlin)


TIMES = st.integers(0, 23 * 60 + 59).map(lambda m: f"{m // 60:02}:{m % 60:02}")
WINDOWS = st.builds(
    window, st.lists(st.sampled_from(list(Day)), min_size=1, max_size=7), TIMES, TIMES | st.just("24:00")
).filter(lambda w: w["from"] != w["to"])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(WINDOWS, min_size=1, max_size=3),
    st.dictionaries(
        st.sampled_from(["2026-03-28", "2026-03-29", "2026-03-30"]), st.none() | st.sampled_from(list(Day))
    ),
    st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "Australia/Lord_Howe"]),
    st.integers(0, 10 * 24 * 3600).map(lambda s: datetime(2026, 3, 27, tzinfo=UTC) + timedelta(seconds=s)),
)
def test_nothing_changes_before_next_change_and_then_it_does(
    windows: list[dict[str, Any]], holidays: dict[str, str | None], zone: str, now: datetime
) -> None:
    house = schedules(*windows, holidays=holidays, zone=zone)
    held, until = house.active("s", now), house.next_change("s", now)
    assert now < until <= now + timedelta(days=HORIZON_DAYS)
    moment = now
    while moment < min(until, now + timedelta(days=2)):
        assert house.active("s", moment) is held
        moment += 7 * MINUTE
    assert house.active("s", until - timedelta(microseconds=1)) is held
    if until < now + timedelta(days=HORIZON_DAYS - 1):
        assert house.active("s", until) is not held
