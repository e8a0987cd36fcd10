"""Notices that something moves where nothing is followed, so that who enters is looked at before the next look is due.

Not the picture in which it begins, where a person is a sliver at the edge and a look would find nobody, but the second.
What was looked at then and is still nobody (a branch, a shadow) is not looked at again for this reason while it moves.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from models.detector import Boxes

_PICTURES: Final = 2
_APART = 20.0
"""Pixels: what moves nearer than this to something followed belongs to it, its shadow or its door; and the same thing
moves by less from picture to picture.
"""


class Newcomers:
    """Of one camera; every picture's motion in order."""

    def __init__(self) -> None:
        self._areas: Boxes = np.empty((0, 4), np.float32)
        self._ages: npt.NDArray[np.int64] = np.empty(0, np.int64)
        """Pictures for which each of those areas has moved."""

    def look(self, moving: Boxes, followed: Boxes) -> bool:
        """Whether an area of `moving` that is near nothing `followed` moves in its second picture."""
        areas = moving[~_near(moving, followed).any(axis=1)]
        same = _near(areas, self._areas)
        self._ages = 1 + np.where(same, self._ages, 0).max(axis=1, initial=0)
        self._areas = areas
        return bool((self._ages == _PICTURES).any())


def _near(boxes: Boxes, others: Boxes) -> npt.NDArray[np.bool_]:
    """(n, m)"""
    one, other = boxes[:, np.newaxis], others[np.newaxis]
    apart = np.maximum(other[..., :2] - one[..., 2:], one[..., :2] - other[..., 2:])
    return np.asarray((apart < _APART).all(axis=2), np.bool_)
