"""The private areas of a camera's picture: black before anything looks at it, and again before one leaves."""

from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt

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

    def visible(self, height: int, width: int, rows: int, columns: int) -> npt.NDArray[np.uint8] | None:
        """Of a picture of `height` x `width` made `rows` x `columns`: 1 where nothing private is; None: everywhere."""
        if not self._areas:
            return None
        picture = np.full((height, width, 3), 255, np.uint8)
        self.black_out(picture)
        smaller = cv2.resize(picture[:, :, 0], (columns, rows), interpolation=cv2.INTER_AREA)
        return np.asarray(smaller == 255, np.uint8)
