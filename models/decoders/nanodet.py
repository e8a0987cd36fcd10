"""NanoDet: scores between 0 and 1, each side of a box as a distribution over distances from the cell's centre."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.boxes import cell_centres
from models.card import NanoDet
from models.decoders.found import Found, Outputs, Shape, best_of

_SIGNS = np.array([-1, -1, 1, 1], np.float32)


class NanoDetDecoder:
    def __init__(self, spec: NanoDet, height: int, width: int, classes: npt.NDArray[np.int_]) -> None:
        self._spec = spec
        self._classes = classes
        self._centres = [cell_centres(height, width, stride) for stride in spec.strides]

    @property
    def shapes(self) -> Sequence[Shape]:
        cells = [len(centres) for centres in self._centres]
        return [*((1, n, self._spec.classes) for n in cells), *((1, n, 4 * self._spec.bins) for n in cells)]

    def decode(self, outputs: Outputs, min_score: float) -> Found:
        """A side's distance is the expectation of a softmax over `bins`, in strides."""
        heads, bins = len(self._centres), self._spec.bins
        parts = []
        for scores, distances, centres, stride in zip(
            outputs[:heads], outputs[heads:], self._centres, self._spec.strides, strict=True
        ):
            cells, places = best_of(scores[0], self._classes, min_score)
            logits = distances[0][cells].reshape(-1, 4, bins)
            weights = np.exp(logits - logits.max(axis=2, keepdims=True))
            sides = (weights @ np.arange(bins, dtype=np.float32)) / weights.sum(axis=2) * stride
            parts.append((centres[cells] + sides * _SIGNS, scores[0][cells, self._classes[places]], places))
        boxes, best, places = (np.concatenate(part) for part in zip(*parts, strict=True))
        return Found(boxes, best, places)
