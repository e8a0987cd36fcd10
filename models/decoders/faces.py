"""MediaPipe's faces: where they are, and nothing else of them is read."""

from collections.abc import Sequence

import numpy as np

from models.boxes import around, cell_centres, sigmoid
from models.card import Faces
from models.decoders.found import Found, Outputs, Shape

_NUMBERS = 16
"""Of a row; centre and size of the box come first, the rest is left alone."""


class FacesDecoder:
    def __init__(self, spec: Faces, height: int, width: int) -> None:
        self._centres = cell_centres(height, width, spec.stride)

    @property
    def shapes(self) -> Sequence[Shape]:
        return [(1, len(self._centres), _NUMBERS), (1, len(self._centres), 1)]

    def decode(self, outputs: Outputs, min_score: float) -> Found:
        scores = sigmoid(outputs[1][0, :, 0])
        rows = np.flatnonzero(scores >= min_score)
        x, y, width, height = outputs[0][0][rows, :4].T
        centres = self._centres[rows]
        boxes = around(x + centres[:, 0], y + centres[:, 1], width, height)
        return Found(boxes, scores[rows], np.zeros(len(rows), np.intp))
