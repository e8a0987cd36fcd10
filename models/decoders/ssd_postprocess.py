"""SSD whose graph ends in TFLite_Detection_PostProcess: boxes, classes and scores are ready."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.card import SsdPostprocess
from models.decoders.found import Found, Outputs, Shape

_SHAPES: dict[str, Shape] = {"boxes": (1, 0, 4), "classes": (1, 0), "scores": (1, 0), "count": (1,)}


class SsdPostprocessDecoder:
    def __init__(self, spec: SsdPostprocess, height: int, width: int, classes: npt.NDArray[np.int_]) -> None:
        self._order = spec.outputs
        self._size = np.array([width, height, width, height], np.float32)
        self._classes = classes

    @property
    def shapes(self) -> Sequence[Shape]:
        return [_SHAPES[output] for output in self._order]

    def decode(self, outputs: Outputs, min_score: float) -> Found:
        named = dict(zip(self._order, outputs, strict=True))
        scores, classes = named["scores"][0], named["classes"][0].astype(np.int_)
        real = np.arange(len(scores)) < named["count"].item()  # what follows is left over from other pictures
        kept = np.flatnonzero(real & (scores >= min_score) & np.isin(classes, self._classes))
        boxes = named["boxes"][0][kept][:, [1, 0, 3, 2]] * self._size
        return Found(boxes, scores[kept], np.searchsorted(self._classes, classes[kept]))
