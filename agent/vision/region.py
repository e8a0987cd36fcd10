"""Which part of a picture a look needs: where things move or are followed, and no more, so that they are larger."""

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


def around(areas: Boxes, width: int, height: int) -> Region | None:
    """The smallest part of the picture, in the picture's own shape, that holds all areas; None: the whole."""
    if not len(areas):
        return None
    left, top = areas[:, :2].min(axis=0) - _MARGIN
    right, bottom = areas[:, 2:].max(axis=0) + _MARGIN
    share = max((right - left) / width, (bottom - top) / height, _LEAST)
    if share > _WHOLE:
        return None
    across, down = round(share * width), round(share * height)
    x = int(np.clip((left + right - across) / 2, 0, width - across))
    y = int(np.clip((top + bottom - down) / 2, 0, height - down))
    return x, y, x + across, y + down
