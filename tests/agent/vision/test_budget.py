"""The CPU budget moves all cameras alike, down and up again, and every camera's rate is told."""

from agent.vision.budget import LEAST_PACE, Budget
from agent.vision.rates import EVERY_S, Rates
from agent.vision.wire import CameraStats, Stats
from drivers.base import DeviceId


def settled(cores: float, wanted: float, seconds: int = 60, busy: float = 0.1) -> Budget:
    """A process whose CPU follows the pace, at `wanted` cores for the whole of it."""
    budget, cpu_s, busy_s = Budget(cores, mono_s=0.0, cpu_s=0.0), 0.0, 0.0
    for second in range(1, seconds + 1):
        cpu_s += wanted * budget.pace
        busy_s += busy * budget.pace
        assert budget.account(float(second), cpu_s, busy_s)
    return budget


def test_what_fits_is_never_slowed() -> None:
    assert settled(1.0, 0.8).pace == 1.0


def test_twice_the_budget_settles_at_about_half_the_pace() -> None:
    assert 0.38 < settled(1.0, 2.0).pace <= 0.56


def test_however_much_is_wanted_a_tenth_is_left() -> None:
    assert settled(0.1, 8.0).pace == LEAST_PACE


def test_a_main_thread_at_its_end_slows_cameras_even_within_the_budget() -> None:
    assert settled(4.0, 1.0, busy=1.5).pace < 0.75


def test_the_pace_recovers_once_the_load_has_gone() -> None:
    budget = settled(1.0, 2.0)
    for second in range(61, 90):
        budget.account(float(second), 120.0, 6.0)
    assert budget.pace == 1.0


def stats(pace: float, missed: float = 0.0) -> Stats:
    cameras = tuple(CameraStats(DeviceId(name), 5.0 * pace, 5.0, 0.5, missed) for name in ("cam-a", "cam-b"))
    return Stats(0, 0, 0, 0, 0.0, 0.0, 0.0, 0, "litert", pace, cameras)


def test_rates_are_told_once_a_minute_and_at_once_when_cameras_are_slowed() -> None:
    rates = Rates()
    first = list(rates.readings(stats(1.0), 0.0))
    assert {(reading.ref, reading.value) for reading in first} >= {("cam-a/fps", 5.0), ("cam-b/slowed", False)}
    assert not list(rates.readings(stats(1.0), 5.0))
    slow = {str(reading.ref): reading.value for reading in rates.readings(stats(0.6), 10.0)}
    assert slow["cam-b/slowed"] is True
    assert slow["cam-a/fps"] == 3.0
    assert not list(rates.readings(stats(0.6), 15.0))
    assert list(rates.readings(stats(0.6), 10.0 + EVERY_S))
    assert {reading.value for reading in rates.readings(stats(1.0, missed=0.5), 80.0) if reading.point == "slowed"} <= {
        True
    }
