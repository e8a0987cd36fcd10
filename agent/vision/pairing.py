"""Which detection is which thing: how alike they are, and the best pairs of all."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from models.boxes import shared
from models.detector import Boxes, Detection, Picture

Colours = npt.NDArray[np.float32]
"""(n, COLOURS): mean blue, green and red of the upper and of the lower half of a thing."""
Floats = npt.NDArray[np.float32]

COLOURS: Final = 6
LEAST_LIKENESS: Final = 0.1
_NEAR = 0.9
_REACH = 2.0
"""Likeness is the overlap, plus up to _NEAR for centres less than _REACH sizes apart, less what colours differ."""
_WIDEN, _FROM_S = 1.0, 0.4
"""That reach grows by so much of itself for each second a thing has not been seen, from _FROM_S on."""
_COLOUR = 1 / 60
"""Weight of one level of mean difference in colour."""
_IN_PLACE = 0.6
"""Overlap from which two are a pair whatever their colours, where neither has a better one: a sign hides who passes."""
_EVEN = np.full(COLOURS, 1 / COLOURS, np.float32)
_LITTLE = np.float32(1e-6)
_GAIN = 1e-4
"""Exchanges that gain less are left: they would go on for ever."""


def colours_of(picture: Picture, seen: Sequence[Detection]) -> Colours:
    """Of the middle of each box, where the thing covers what is behind it: torso and legs of a person."""
    found = np.zeros((len(seen), COLOURS), np.float32)
    height, width = picture.shape[:2]
    for row, detection in zip(found, seen, strict=True):
        left, top, right, bottom = detection.box
        across, down = right - left, bottom - top
        columns = slice(max(0, int(left + across / 4)), min(width, int(right - across / 4) + 1))
        for half, (begin, end) in enumerate(((1 / 6, 1 / 2), (1 / 2, 5 / 6))):
            part = picture[max(0, int(top + begin * down)) : min(height, int(top + end * down) + 1), columns]
            row[3 * half : 3 * half + 3] = cv2.mean(part)[:3]
    return found


def likeness(expected: Boxes, kept: Colours, boxes: Boxes, colours: Colours, gone_s: Floats) -> Floats:
    """(n, m) of n things, where they are expected after they were not seen for `gone_s`, with m detections."""
    (centres, sizes), (to_centres, to_sizes) = _by_axis(expected), _by_axis(boxes)
    both = shared(expected, boxes)
    alike = both / ((sizes[0] * sizes[1])[:, np.newaxis] + to_sizes[0] * to_sizes[1] - both + _LITTLE)
    in_place = alike >= _IN_PLACE
    reach = _REACH / 4 * (1 + _WIDEN * np.maximum(gone_s - _FROM_S, 0))
    reach = reach[:, np.newaxis] * ((sizes[0] + sizes[1])[:, np.newaxis] + (to_sizes[0] + to_sizes[1])) + _LITTLE
    apart = centres[:, :, np.newaxis] - to_centres[:, np.newaxis]
    apart *= apart
    near = 1 - np.sqrt(apart[0] + apart[1]) / reach
    alike += _NEAR * np.maximum(near, 0)
    differ = np.abs(kept[:, np.newaxis] - colours[np.newaxis]) @ _EVEN
    alike = np.where(alike >= LEAST_LIKENESS, alike + LEAST_LIKENESS - _COLOUR * differ, 0)
    return np.asarray(np.maximum(alike, LEAST_LIKENESS * in_place), np.float32)


def _by_axis(boxes: Boxes) -> tuple[Floats, Floats]:
    """Centres and sizes, (2, n) each: all x, then all y."""
    low, high = boxes.T[:2], boxes.T[2:]
    return (low + high) / 2, high - low


def pairs(alike: Floats) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows and, for each, its column; none below LEAST_LIKENESS.

    The likest pair first, then the next that is left; then partners are exchanged as long as two pairs gain by it.
    """
    rows, columns = np.nonzero(alike >= LEAST_LIKENESS)
    if len(set(rows.tolist())) == len(set(columns.tolist())) == len(rows):
        return rows, columns  # nobody has a choice
    order = np.argsort(-alike[rows, columns], kind="stable")
    partner: dict[int, int] = {}
    taken: set[int] = set()
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if row not in partner and column not in taken:
            partner[row] = column
            taken.add(column)
    found = np.array(list(partner), np.intp), np.array(list(partner.values()), np.intp)
    return found[0], _exchanged(alike, *found)


def _exchanged(alike: Floats, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """The columns after the exchanges that make the pairs more alike in sum, the best first."""
    if len(rows) < 2:
        return columns
    columns = columns.copy()
    for _ in range(len(rows)):
        crossed = alike[rows[:, np.newaxis], columns]
        own = crossed.diagonal()
        allowed = (crossed >= LEAST_LIKENESS) & (crossed.T >= LEAST_LIKENESS)
        gain = np.where(allowed, crossed + crossed.T - own[:, np.newaxis] - own, 0)
        one, other = divmod(int(gain.argmax()), len(rows))
        if gain[one, other] <= _GAIN:
            break
        columns[[one, other]] = columns[[other, one]]
    return columns
