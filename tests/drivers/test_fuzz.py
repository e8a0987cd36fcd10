"""Bounded runs of the fuzzers that `make bench` runs by the million."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.drivers import modbus_fuzz, wiegand_fuzz


@pytest.mark.parametrize("seed", range(3))
def test_mutated_pulse_trains_never_hide_the_next_card(seed: int) -> None:
    assert wiegand_fuzz.fuzz(2000, random.Random(seed)) == 2000


@pytest.mark.parametrize("seed", range(3))
def test_mutated_answers_never_hide_the_next_good_one(seed: int) -> None:
    assert modbus_fuzz.fuzz(2000, random.Random(seed)) == 2000


@given(seed=st.integers())
@settings(max_examples=50, deadline=None)
def test_any_seed(seed: int) -> None:
    wiegand_fuzz.fuzz(20, random.Random(seed))
    modbus_fuzz.fuzz(20, random.Random(seed))
