"""Sets of whole numbers by their ranges: what they take grows with the gaps, never with how wide those are."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import islice


class Ranges:
    """Each range is `(first, last)`; they are in order and do not touch."""

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int]] = []

    def __contains__(self, number: int) -> bool:
        at = bisect_left(self._ranges, number, key=_last)
        return at < len(self._ranges) and self._ranges[at][0] <= number

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def holes(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """What of `first..last` is not in it."""
        for begin, end in islice(self._ranges, bisect_left(self._ranges, first, key=_last), None):
            if begin > last:
                break
            if begin > first:
                yield first, begin - 1
            first = end + 1
        if first <= last:
            yield first, last

    def add(self, first: int, last: int) -> None:
        start = bisect_left(self._ranges, first - 1, key=_last)
        stop = bisect_right(self._ranges, last + 1, key=_first)
        if start < stop:
            first, last = min(first, self._ranges[start][0]), max(last, self._ranges[stop - 1][1])
        self._ranges[start:stop] = [(first, last)]

    def remove(self, first: int, last: int) -> None:
        start = bisect_left(self._ranges, first, key=_last)
        stop = bisect_right(self._ranges, last, key=_first)
        touched = self._ranges[start:stop]
        before = [(begin, first - 1) for begin, _ in touched if begin < first]
        after = [(last + 1, end) for _, end in touched if end > last]
        self._ranges[start:stop] = before + after


def _first(numbers: tuple[int, int]) -> int:
    return numbers[0]


def _last(numbers: tuple[int, int]) -> int:
    return numbers[1]
