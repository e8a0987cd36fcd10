"""SSD without its post-process: boxes relative to anchors, and logits."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from models.boxes import Boxes, around, cell_centres, sigmoid
from models.card import SsdAnchors
from models.decoders.found import Found, Outputs, Shape, best_of


class SsdAnchorsDecoder:
    def __init__(self, spec: SsdAnchors, height: int, width: int, classes: npt.NDArray[np.int_]) -> None:
        self._spec = spec
        self._classes = classes
        self._anchors = anchors(spec, height, width)

    @property
    def shapes(self) -> Sequence[Shape]:
        return [(1, len(self._anchors), 4), (1, len(self._anchors), self._spec.classes)]

    def decode(self, outputs: Outputs, min_score: float) -> Found:
        logits = outputs[1][0][:, self._classes]
        rows, places = best_of(logits, _logit(min_score))
        y, x, height, width = (outputs[0][0][rows] / np.array(self._spec.coder, np.float32)).T
        centre_x, centre_y, wide, high = self._anchors[rows].T
        boxes = around(x * wide + centre_x, y * high + centre_y, np.exp(width) * wide, np.exp(height) * high)
        return Found(boxes, sigmoid(logits[rows, places]), places)


def anchors(spec: SsdAnchors, height: int, width: int) -> Boxes:
    """(n, 4) float32: centre x, centre y, width, height in pixels; layer by layer, cell by cell, shape by shape."""
    layers = []
    first, last = spec.scales
    scales = [first + (last - first) * n / (len(spec.strides) - 1) for n in range(len(spec.strides))]
    for layer, (stride, (scale, following)) in enumerate(zip(spec.strides, pairwise([*scales, 1.0]), strict=True)):
        if layer == 0 and spec.lowest_reduced:
            shapes = [(0.1, 1.0), (scale, 2.0), (scale, 0.5)]
        else:
            shapes = [*((scale, ratio) for ratio in spec.ratios), ((scale * following) ** 0.5, 1.0)]
        sizes = np.array([(size * ratio**0.5 * width, size / ratio**0.5 * height) for size, ratio in shapes])
        rows, columns = -(-height // stride), -(-width // stride)
        # The centres of a layer divide the whole input evenly, even where its stride does not.
        centres = cell_centres(rows, columns, 1)[:, :2] / (columns, rows) * (width, height)
        each = np.concatenate([np.repeat(centres, len(sizes), axis=0), np.tile(sizes, (len(centres), 1))], axis=1)
        layers.append(each)
    return np.asarray(np.concatenate(layers), np.float32)


def _logit(score: float) -> float:
    return float(np.log(score / (1 - score)))
