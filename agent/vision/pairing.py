"""Which detection is which thing: how alike they are, and the best pairs of all."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from models.boxes import corners, shared
from models.detector import Boxes, Detection, Picture

Colours = npt.NDArray[np.float32]
"""(n, COLOURS): mean blue, green and red of the upper and of the lower half of a thing."""
Floats = npt.NDArray[np.float32]

COLOURS: Final = 6
UNLIKE: Final = -1.0
"""Likeness of two that are no pair, whatever else there is; nor are any two below zero."""
_NEAR = 0.9
_REACH = 2.0
_LEAST = 0.1
"""Likeness is the overlap, plus up to _NEAR for centres less than _REACH sizes apart, less what colours differ; two of
whom the first two say less than _LEAST are unlike.
"""
_WIDEN, _FROM_S = 1.0, 0.4
"""That reach grows by so much of itself for each second a thing has not been seen, from _FROM_S on."""
_COLOUR = 1 / 60
"""Weight of one level of mean difference in colour."""
_IN_PLACE = 0.6
"""Overlap from which two are a pair whatever their colours, where neither has a better one: a sign hides who passes."""
_SCORE = 0.2
"""Weight of a score: of two detections on one person the surer is the better one."""
_WEIGHTS = np.full(COLOURS, _COLOUR / COLOURS, np.float32)
_LITTLE = np.float32(1e-6)
"""Added to sizes that are divided by."""
_GAIN = 1e-4
"""Exchanges that gain less are left: they would go on for ever."""


def colours_of(picture: Picture, seen: Sequence[Detection]) -> Colours:
    """Of the middle of each box, where the thing covers what is behind it: torso and legs of a person."""
    found = []
    for detection in seen:
        left, top, right, bottom = detection.box
        across, down = (right - left) / 4, (bottom - top) / 6
        middle = picture[:, max(0, int(left + across)) : int(right - across) + 1]
        upper = cv2.mean(middle[max(0, int(top + down)) : int(top + 3 * down) + 1])
        lower = cv2.mean(middle[max(0, int(top + 3 * down)) : int(top + 5 * down) + 1])
        found.append([*upper[:3], *lower[:3]])
    return np.array(found, np.float32).reshape(-1, COLOURS)


def likeness(
    expected: Boxes, kept: Colours, boxes: Boxes, colours: Colours, scores: Sequence[float], gone_s: Sequence[float]
) -> Floats:
    """(n, m) of n things, where they are expected after they were not seen for `gone_s`, with m detections."""
    (low, high), (to_low, to_high) = corners(expected), corners(boxes)
    sizes, to_sizes = high - low + _LITTLE, to_high - to_low
    both = shared(expected, boxes)
    overlap = both / ((sizes[0] * sizes[1])[:, np.newaxis] + to_sizes[0] * to_sizes[1] - both)
    apart = (low + high)[:, :, np.newaxis] - (to_low + to_high)[:, np.newaxis]  # twice the way, for each axis
    apart *= apart
    widened = [_REACH / 2 / _NEAR * (1 + _WIDEN * max(gone - _FROM_S, 0)) for gone in gone_s]
    reach = (sizes[0] + sizes[1])[:, np.newaxis] + (to_sizes[0] + to_sizes[1])
    reach *= np.array(widened, np.float32)[:, np.newaxis]
    # Boxes that overlap are within reach of each other, so what is taken off for the way never eats up the overlap.
    alike: Floats = overlap + _NEAR - np.sqrt(apart[0] + apart[1]) / reach
    far = alike < _LEAST
    differ = np.abs(np.ascontiguousarray(kept.T)[:, :, np.newaxis] - np.ascontiguousarray(colours.T)[:, np.newaxis])
    alike -= (_WEIGHTS @ differ.reshape(COLOURS, -1)).reshape(alike.shape)
    alike[(alike < 0) & (overlap >= _IN_PLACE)] = 0
    alike[far] = UNLIKE
    alike += np.where(alike >= 0, _SCORE * np.array(scores, np.float32), 0)
    return alike


def pairs(alike: Floats) -> dict[int, int]:
    """Rows and, for each, its column; none that are less than 0 alike.

    The likest pair first, then the next that is left; then partners are exchanged as long as two pairs gain by it.
    """
    likest = zip(alike.argmax(axis=1).tolist(), alike.max(axis=1).tolist(), strict=True)
    favourites = {row: column for row, (column, value) in enumerate(likest) if value >= 0}
    if len(set(favourites.values())) == len(favourites):
        return favourites  # nobody has to give way
    rows, columns = np.nonzero(alike >= 0)
    order = np.argsort(-alike[rows, columns], kind="stable")
    partners: dict[int, int] = {}
    taken: set[int] = set()
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if row not in partners and column not in taken:
            partners[row] = column
            taken.add(column)
    return _exchanged(alike, partners)


def _exchanged(alike: Floats, partners: dict[int, int]) -> dict[int, int]:
    """The pairs after the exchanges that make them more alike in sum, the best first."""
    rows, columns = list(partners), list(partners.values())
    for _ in rows:
        crossed = alike[np.ix_(rows, columns)]
        both = crossed + crossed.T
        own = crossed.diagonal()
        gain = np.where(np.minimum(crossed, crossed.T) >= 0, both - own[:, np.newaxis] - own, 0)
        one, other = divmod(int(gain.argmax()), len(rows))
        if gain[one, other] <= _GAIN:
            break
        columns[one], columns[other] = columns[other], columns[one]
    return dict(zip(rows, columns, strict=True))
