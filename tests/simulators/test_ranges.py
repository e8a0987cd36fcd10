"""Ranges are sets of numbers."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from simulators.ranges import Ranges

LAST = 30
_numbers = st.integers(1, LAST)
_steps = st.lists(st.tuples(st.booleans(), _numbers, _numbers), max_size=30)


@given(steps=_steps, first=_numbers, last=_numbers)
def test_ranges_hold_what_a_set_would(steps: list[tuple[bool, int, int]], first: int, last: int) -> None:
    ranges, numbers = Ranges(), set[int]()
    for adds, *ends in steps:
        span = range(min(ends), max(ends) + 1)
        if adds:
            ranges.add(span[0], span[-1])
            numbers.update(span)
        else:
            ranges.remove(span[0], span[-1])
            numbers.difference_update(span)
        assert {n for n in range(LAST + 2) if n in ranges} == numbers
    holes = list(ranges.holes(first, last))
    assert [n for begin, end in holes for n in range(begin, end + 1)] == [
        n for n in range(first, last + 1) if n not in numbers
    ]
    assert all(after[0] > before[1] + 1 for before, after in pairwise(holes)), "none touch"
