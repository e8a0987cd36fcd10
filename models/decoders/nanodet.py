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
        centres = [cell_centres(height, width, stride) for stride in spec.strides]
        self._cells = [len(each) for each in centres]
        self._centres = np.concatenate(centres)
        self._outwards = np.repeat(np.outer(spec.strides, _SIGNS).astype(np.float32), self._cells, axis=0)
        """What a distance of one is in pixels, for each side of each cell."""

    @property
    def shapes(self) -> Sequence[Shape]:
        cells = self._cells
        return [*((1, n, self._spec.classes) for n in cells), *((1, n, 4 * self._spec.bins) for n in cells)]

    def decode(self, outputs: Outputs, min_score: float) -> Found:
        """A side's distance is the expectation of a softmax over `bins`, in strides."""
        heads, bins = len(self._cells), self._spec.bins
        scores = np.concatenate([head[0][:, self._classes] for head in outputs[:heads]])
        cells, places = best_of(scores, min_score)
        logits = np.concatenate([head[0] for head in outputs[heads:]])[cells].reshape(-1, 4, bins)
        weights = np.exp(logits - logits.max(axis=2, keepdims=True))
        sides = (weights @ np.arange(bins, dtype=np.float32)) / weights.sum(axis=2)
        return Found(self._centres[cells] + sides * self._outwards[cells], scores[cells, places], places)
