"""The private areas of a camera's picture: black before anything looks at it, and again before one leaves."""

from collections.abc import Iterable

import cv2
import numpy as np

from agent.vision.wire import Polygon
from models.detector import Picture


class PrivateAreas:
    """Of one camera, in pixels of its declared picture."""

    def __init__(self, polygons: Iterable[Polygon]) -> None:
        self._areas = [np.rint(np.array(polygon)).astype(np.int32) for polygon in polygons]

    def black_out(self, picture: Picture) -> None:
        """In place, one area after the other: filling several at once, OpenCV leaves out what two of them share."""
        for area in self._areas:
            cv2.fillPoly(picture, [area], (0, 0, 0))
