"""YOLO-style heads: one tensor of boxes and class scores, already between 0 and 1."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.boxes import around
from models.card import Yolo
from models.decoders.found import Found, Outputs, Shape, best_of


class YoloDecoder:
    def __init__(self, spec: Yolo, height: int, width: int, classes: npt.NDArray[np.int_]) -> None:
        self._spec = spec
        self._classes = classes
        self._unit = np.array([width, height, width, height] if spec.unit == "share" else [1] * 4, np.float32)

    @property
    def shapes(self) -> Sequence[Shape]:
        classes = self._spec.classes
        return [(1, 4 + classes, 0) if self._spec.layout == "v8" else (1, 0, 5 + classes)]

    def decode(self, outputs: Outputs, min_score: float) -> Found:
        rows = outputs[0][0].T if self._spec.layout == "v8" else outputs[0][0]
        scores = rows[:, 4 + self._classes] if self._spec.layout == "v8" else rows[:, 5 + self._classes] * rows[:, 4:5]
        kept, places = best_of(scores, min_score)
        x, y, width, height = (rows[kept, :4] * self._unit).T
        return Found(around(x, y, width, height), scores[kept, places], places)
