"""Finds again, in a picture the detector does not look at, the patch of brightness it saw a thing in at the last look.

A patch is a few hundred pixels at half the picture's size; it lives until the next look and is kept nowhere else.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

Luma = npt.NDArray[np.uint8]
Place = complex
"""x + y·1j in pixels of the picture, y downwards; a size is its width + height·1j."""

HALF: Final = 2
"""Patches are cut from a luma plane of this fraction of the picture's size."""
_ACROSS, _DOWN = 0.6, 0.8
"""Share of a box, across and down, that the thing covers whatever it does with its legs."""
_SEARCH = 8
"""Pixels at half size around the expected place."""
_LEAST_SIDE = 4
_CONTRAST = 24
_ALIKE = 0.65
"""Correlation from which a patch is found again."""


@dataclass(frozen=True, slots=True)
class Patch:
    """`pixels` around a thing's centre."""

    pixels: Luma

    @classmethod
    def cut(cls, plane: Luma, centre: Place, size: Place) -> "Patch | None":
        """None where too little of the thing is in the picture, or nothing can be told apart on it."""
        left, top, across, down = _window(centre, size)
        if left < 0 or top < 0 or left + across > plane.shape[1] or top + down > plane.shape[0]:
            return None
        if min(across, down) < _LEAST_SIDE:
            return None
        pixels = plane[top : top + down, left : left + across].copy()
        darkest, brightest, *_ = cv2.minMaxLoc(pixels)
        return cls(pixels) if brightest - darkest >= _CONTRAST else None

    def find(self, plane: Luma, centre: Place) -> Place | None:
        """Where it is now, near the centre at which it is expected; None if it is not seen."""
        down, across = self.pixels.shape
        left, top = round(centre.real / HALF - across / 2), round(centre.imag / HALF - down / 2)
        x, y = max(0, left - _SEARCH), max(0, top - _SEARCH)
        field = plane[y : max(0, top + down + _SEARCH), x : max(0, left + across + _SEARCH)]
        if field.shape[0] < down or field.shape[1] < across:
            return None
        likeness = cv2.matchTemplate(field, self.pixels, cv2.TM_CCOEFF_NORMED)
        _, best, _, (column, row) = cv2.minMaxLoc(likeness)
        if best < _ALIKE:
            return None
        return complex(x + column + across / 2, y + row + down / 2) * HALF


def _window(centre: Place, size: Place) -> tuple[int, int, int, int]:
    """left, top, width and height of a patch at half size."""
    across, down = round(size.real * _ACROSS / HALF), round(size.imag * _DOWN / HALF)
    return round(centre.real / HALF - across / 2), round(centre.imag / HALF - down / 2), across, down
