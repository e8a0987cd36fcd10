"""Which part of a picture a look needs: where things move or are followed, or where somebody is missed, and no more, so
that they are larger.
"""

from typing import Final

import numpy as np

from models.detector import Boxes

Region = tuple[int, int, int, int]
"""left, top, right, bottom in whole pixels."""

_MARGIN = 24.0
"""Pixels around what moves: a person moves legs before the head, and the detector wants to see what is around."""
_LEAST: Final = 0.4
"""A part is never smaller than this share of the picture's width: beyond it people are as large as they need to be."""
_WHOLE = 0.6
"""A part wider than this share of the picture is not worth the trouble."""
_CLOSER = 0.5
"""Width of a part that is looked at closer, as a share of the picture's."""


def around(areas: Boxes, width: int, height: int) -> Region | None:
    """The smallest part of the picture, in the picture's own shape, that holds all areas; None: the whole."""
    if not len(areas):
        return None
    left, top = areas[:, :2].min(axis=0) - _MARGIN
    right, bottom = areas[:, 2:].max(axis=0) + _MARGIN
    share = max((right - left) / width, (bottom - top) / height, _LEAST)
    if share > _WHOLE:
        return None
    return _part((left + right) / 2, (top + bottom) / 2, share, width, height)


def closer(places: Boxes, width: int, height: int) -> Region:
    """The part of the picture about that one of `places` (at least one) which has most of the others near it."""
    centres = (places[:, :2] + places[:, 2:]) / 2
    apart = np.abs(centres[:, np.newaxis] - centres)
    near = (apart < np.array([width, height]) * _CLOSER / 2).all(axis=2)
    x, y = centres[near.sum(axis=1).argmax()].tolist()
    return _part(x, y, _CLOSER, width, height)


def _part(x: float, y: float, share: float, width: int, height: int) -> Region:
    """That share of the picture about a place, or as near to it as the picture's edges let it."""
    across, down = round(share * width), round(share * height)
    left = int(np.clip(x - across / 2, 0, width - across))
    top = int(np.clip(y - down / 2, 0, height - down))
    return left, top, left + across, top + down
