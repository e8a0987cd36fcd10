"""A small city through everything a large one goes through."""

import io
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from agent.words import Lang
from drivers.base import SystemClock
from simulators.broker import Broker
from simulators.fleet import places
from simulators.fleet.report import Report
from simulators.fleet.run import Fleet, Pace, busiest

QUICK = Pace(groups=2, steady_s=1.0, outage_s=1.0, storm_s=2.0, dark_s=0.1)


async def test_a_city_loses_nothing_to_a_broken_broker_and_to_power_cuts(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=160)
    fleet = Fleet(4, tmp_path, Broker.iotcore(tmp_path / "broker"), SystemClock(), QUICK)
    await Report(Lang.ZH, console).play(fleet)
    told = console.file
    assert isinstance(told, io.StringIO)
    said = told.getvalue()
    for line in ("中心已存储", "缺口、断链"):
        (row,) = [row for row in said.splitlines() if line in row]
        assert "✓" in row, said


@given(st.lists(st.floats(0, 10), max_size=40).map(sorted))
def test_the_busiest_moment_is_the_one_a_count_of_every_window_finds(moments: list[float]) -> None:
    assert busiest(moments, 0.5) == max((sum(0 <= at - begin <= 0.5 for at in moments) for begin in moments), default=0)


def test_every_compound_of_the_city_has_a_place_of_its_own() -> None:
    found = [places.gateway(number) for number in range(500)]
    assert len({(g.county, g.street, g.community) for g in found}) == len({g.id for g in found}) == 500
    assert all(g.community.startswith(g.street) and g.street.startswith(g.county) for g in found)
