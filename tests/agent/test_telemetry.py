"""Which readings are kept."""

from agent.telemetry import Thinning
from drivers.base import Card, DeviceId, Keys, PointId, Quality, Reading, Value


def kept(thinning: Thinning, value: Value, at_s: float, quality: Quality = Quality.GOOD, point: str = "t") -> bool:
    return thinning.keep(Reading(DeviceId("d"), PointId(point), value, at_s, quality))


def test_numbers_are_kept_every_so_often_per_point() -> None:
    thinning = Thinning(10.0)
    assert [kept(thinning, float(n), n) for n in range(0, 25, 5)] == [True, False, True, False, True]
    assert kept(thinning, 1.0, 21.0, point="other")


def test_truth_values_and_texts_are_kept_on_change() -> None:
    thinning = Thinning(10.0)
    assert [kept(thinning, v, 0.0) for v in (True, True, False, False, True)] == [True, False, True, False, True]
    assert [kept(thinning, v, 0.0, point="s") for v in ("a", "a", "b")] == [True, False, True]
    assert not kept(thinning, True, 100.0)


def test_a_change_of_quality_is_kept() -> None:
    thinning = Thinning(10.0)
    assert kept(thinning, 1.0, 0.0)
    assert kept(thinning, 1.0, 1.0, Quality.BAD)
    assert not kept(thinning, 1.0, 2.0, Quality.BAD)
    assert kept(thinning, 1.0, 3.0)


def test_cards_and_keys_are_never_kept() -> None:
    thinning = Thinning(0.0)
    assert not kept(thinning, Card(26, 1), 0.0)
    assert not kept(thinning, Keys("12"), 0.0)
    assert kept(thinning, 1, 0.0)
    assert kept(thinning, 1, 0.0), "0 s: every one"
