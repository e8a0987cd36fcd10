"""Says where something moves, for a third of a millisecond a frame, so that the detector need not look all the time.

A quarter-size luma plane is compared with a background that follows it slowly. The first picture seeds the background,
so a start is quiet. A change of most of the picture (infrared switch, exposure, a loop's seam) seeds it anew: that one
frame counts as moving everywhere, and the next is judged as usual. What is private is left out of all this: it stays
black whatever the light does.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from agent.vision.private import PrivateAreas
from models.detector import Boxes, Picture

Luma = npt.NDArray[np.uint8]
"""(height / 4, width / 4): brightness at a quarter of the picture's size."""

QUARTER = 4
_FOLLOW_S = 4.0
"""Time constant of the background: what has stood still for a few of these belongs to it."""
_CONTRAST = 14.0
"""Levels; sensor noise of 8 levels leaves 2 in the mean of sixteen pixels."""
_LEAST_CELLS = 10
"""Smallest area of quarter-size pixels: a person of about 10 by 30 pixels with room for holes."""
_GLOBAL_SHARE = 0.25
_GLOBAL_SHIFT = 25.0
_SAMPLE = 4
"""Every fourth row and column is enough to find how much the light has changed."""
_NEIGHBOURS = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Motion:
    """`areas` are (n, 4) float32 left, top, right, bottom in pixels of the picture."""

    areas: Boxes
    everywhere: bool = False

    @property
    def any(self) -> bool:
        return self.everywhere or len(self.areas) > 0


STILL = Motion(np.empty((0, 4), np.float32))


class MotionGate:
    """Of one camera; pictures of one size, in order, black where `private` has blackened them."""

    def __init__(self, private: PrivateAreas | None = None) -> None:
        self._private = private
        self.visible: Luma | None = None
        """1 where the scene is to be seen; None: everywhere."""
        self._background: npt.NDArray[np.float32] | None = None
        self._at_s = 0.0
        self.half: Luma = np.empty((0, 0), np.uint8)
        self.luma: Luma = np.empty((0, 0), np.uint8)
        """Of the last picture."""

    def look(self, picture: Picture, mono_s: float) -> Motion:
        # Halved before it is made grey: the pixels are read once, and three quarters of the conversion is saved.
        self.half = np.asarray(cv2.cvtColor(_halved(picture), cv2.COLOR_BGR2GRAY), np.uint8)
        self.luma = luma = _halved(self.half)
        background, passed_s, self._at_s = self._background, mono_s - self._at_s, mono_s
        if background is None:
            self._background = luma.astype(np.float32)
            if self._private is not None:
                self.visible = self._private.visible(*picture.shape[:2], *luma.shape)
            return STILL
        visible = self.visible
        differences = luma[::_SAMPLE, ::_SAMPLE] - background[::_SAMPLE, ::_SAMPLE]
        shift = _middle(differences.ravel() if visible is None else differences[visible[::_SAMPLE, ::_SAMPLE] > 0])
        lit = background if shift > -1 else np.maximum(background, -shift)  # nothing is darker than black
        mask = _changed(luma, cv2.convertScaleAbs(lit, alpha=1, beta=shift))
        seen = mask.size
        if visible is not None:
            cv2.bitwise_and(mask, visible, dst=mask)
            seen = cv2.countNonZero(visible)
        cells = cv2.countNonZero(mask)
        if cells > _GLOBAL_SHARE * seen or abs(shift) > _GLOBAL_SHIFT:
            self._background = luma.astype(np.float32)
            return Motion(STILL.areas, everywhere=True)
        cv2.accumulateWeighted(luma, background, 1 - math.exp(-max(passed_s, 0.0) / _FOLLOW_S))
        return Motion(_areas(mask)) if cells >= _LEAST_CELLS else STILL


def alike(one: Luma, other: Luma) -> bool:
    """Whether two pictures of one camera show the same: a thing that has left may reveal what the gate calls still."""
    return cv2.countNonZero(_changed(one, other)) < _LEAST_CELLS


def _changed(one: Luma, other: cv2.typing.MatLike) -> Luma:
    """1 where the two differ, 0 elsewhere."""
    return np.asarray(cv2.threshold(cv2.absdiff(one, other), _CONTRAST, 1, cv2.THRESH_BINARY)[1], np.uint8)


def _middle(values: npt.NDArray[np.float32]) -> float:
    """The median, to within one of its neighbours, for a tenth of what NumPy's costs; `values` are put out of order."""
    if not len(values):
        return 0.0
    middle = len(values) // 2
    values.partition(middle)
    return float(values[middle])


def _halved(plane: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Twice is an eighth of the cost of one resize to a quarter."""
    return np.asarray(cv2.resize(plane, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)


def _areas(mask: Luma) -> Boxes:
    """Bounding boxes of what hangs together; specks are left out."""
    outlines, _ = cv2.findContours(cv2.dilate(mask, _NEIGHBOURS), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for outline in outlines:
        left, top, width, height = cv2.boundingRect(outline)
        right, bottom = left + width, top + height
        if cv2.countNonZero(mask[top:bottom, left:right]) >= _LEAST_CELLS:
            found.append((left * QUARTER, top * QUARTER, right * QUARTER, bottom * QUARTER))
    return np.array(found, np.float32) if found else STILL.areas
