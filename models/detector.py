"""From a picture to boxes: letterbox, normalise, run, decode NanoDet's heads, suppress doubles.

Pictures are (height, width, 3) uint8 BGR. Boxes are float32 rows of left, top, right, bottom.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from models.card import Card, read_model
from models.runtime import Network

Picture = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.float32]

_STEP = 32
_GREY = 114


@dataclass(frozen=True, slots=True)
class Detection:
    """One thing seen; `box` is left, top, right, bottom in pixels of the picture."""

    label: str
    score: float
    box: tuple[float, float, float, float]


class Detector:
    """One interpreter for every picture that fits into `pictures` (each (height, width)); not for two threads at once.

    The input is cut to the shape they share: a flat picture costs what it covers, not a square.
    """

    def __init__(
        self, card: Card, *, pictures: Iterable[tuple[int, int]], runtime: str = "auto", threads: int = 1
    ) -> None:
        self._card = card
        self.height, self.width = input_shape(card.input.size, pictures)
        self._network = Network(
            read_model(card),
            size=card.input.size,
            strides=card.output.strides,
            height=self.height,
            width=self.width,
            runtime=runtime,
            threads=threads,
        )
        self.runtime = self._network.runtime
        self._table = np.ascontiguousarray(self._network.quantise(normalise_table(card.input.mean, card.input.scale)))
        self._centres = [cell_centres(self.height, self.width, stride) for stride in card.output.strides]
        self._classes = np.array(sorted(card.labels))
        self._names = [card.labels[int(number)] for number in self._classes]
        self.confident = card.confident

    def detect(self, picture: Picture, min_score: float) -> list[Detection]:
        """Things at least `min_score` sure, the surest first."""
        canvas, scale = letterbox(picture, self.height, self.width)
        outputs = self._network.run(normalise(canvas, self._table)[np.newaxis])
        boxes, scores, classes = decode(
            outputs, self._centres, self._card.output.strides, self._card.output.bins, self._classes, min_score
        )
        height, width = picture.shape[:2]
        boxes = np.clip(boxes / scale, 0, np.array([width, height, width, height], np.float32))
        kept = suppress(boxes, scores, classes, self._card.output.nms_iou)
        return [
            Detection(self._names[classes[i]], float(scores[i]), tuple(boxes[i].tolist()))
            for i in kept
            if boxes[i, 2] > boxes[i, 0] and boxes[i, 3] > boxes[i, 1]
        ]


def input_shape(size: int, pictures: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Smallest (height, width), in multiples of 32 and at most `size`, that holds every picture scaled to `size`."""
    scaled = [(height * size / max(height, width), width * size / max(height, width)) for height, width in pictures]
    rows, columns = max(height for height, _ in scaled), max(width for _, width in scaled)
    return _steps(rows), _steps(columns)


def letterbox(picture: Picture, height: int, width: int) -> tuple[Picture, float]:
    """The picture scaled into the top left of a grey canvas, and the scale."""
    scale = min(height / picture.shape[0], width / picture.shape[1])
    rows, columns = round(picture.shape[0] * scale), round(picture.shape[1] * scale)
    canvas = np.full((height, width, 3), _GREY, np.uint8)
    cv2.resize(picture, (columns, rows), dst=canvas[:rows, :columns], interpolation=cv2.INTER_LINEAR)
    return canvas, scale


def normalise_table(mean: Iterable[float], scale: Iterable[float]) -> npt.NDArray[np.float32]:
    """(1, 256, 3) float32: what each value of each channel becomes."""
    values = np.arange(256, dtype=np.float32)[:, np.newaxis]
    table = (values - np.array(list(mean), np.float32)) / np.array(list(scale), np.float32)
    return np.asarray(table[np.newaxis], np.float32)


def normalise(picture: Picture, table: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A table look-up, twenty times as cheap as the arithmetic."""
    return cv2.LUT(picture, table)


def cell_centres(height: int, width: int, stride: int) -> Boxes:
    """(cells, 4) float32: x, y, x, y of each cell's centre, row by row."""
    y, x = np.mgrid[0 : height // stride, 0 : width // stride].astype(np.float32)
    centres = np.stack([(x + 0.5) * stride, (y + 0.5) * stride] * 2, axis=-1)
    return np.asarray(centres.reshape(-1, 4), np.float32)


def decode(
    outputs: list[npt.NDArray[np.float32]],
    centres: list[Boxes],
    strides: Iterable[int],
    bins: int,
    classes: npt.NDArray[np.int_],
    min_score: float,
) -> tuple[Boxes, npt.NDArray[np.float32], npt.NDArray[np.intp]]:
    """Boxes in canvas pixels, their scores, and for each its place in `classes`; only cells that reach `min_score`.

    A side's distance is the expectation of a softmax over `bins`, in strides from the cell's centre.
    """
    heads = len(centres)
    found: list[tuple[Boxes, npt.NDArray[np.float32], npt.NDArray[np.intp]]] = []
    signs = np.array([-1, -1, 1, 1], np.float32)
    for scores, distances, centre, stride in zip(outputs[:heads], outputs[heads:], centres, strides, strict=True):
        wanted = scores[0][:, classes]
        best = wanted.argmax(axis=1)
        score = wanted[np.arange(len(best)), best]
        cells = np.flatnonzero(score >= min_score)
        logits = distances[0][cells].reshape(-1, 4, bins)
        weights = np.exp(logits - logits.max(axis=2, keepdims=True))
        sides = (weights @ np.arange(bins, dtype=np.float32)) / weights.sum(axis=2) * stride
        found.append((centre[cells] + sides * signs, score[cells], best[cells]))
    boxes, scores, places = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return boxes, scores, places


def overlap(one: Boxes, other: Boxes) -> npt.NDArray[np.float32]:
    """(n, m) intersection over union."""
    low = np.maximum(one[:, np.newaxis, :2], other[np.newaxis, :, :2])
    high = np.minimum(one[:, np.newaxis, 2:], other[np.newaxis, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    areas = [np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1) for boxes in (one, other)]
    union = areas[0][:, np.newaxis] + areas[1][np.newaxis] - shared
    return np.asarray(shared / np.maximum(union, 1e-6), np.float32)


def suppress(boxes: Boxes, scores: npt.NDArray[np.float32], classes: npt.NDArray[np.intp], iou: float) -> list[int]:
    """Indices that are left, best score first, once boxes of one class that overlap by more than `iou` are one."""
    order = np.argsort(-scores, kind="stable")
    doubles = (overlap(boxes, boxes) > iou) & (classes[:, np.newaxis] == classes[np.newaxis])
    gone = np.zeros(len(boxes), bool)
    kept: list[int] = []
    for index in order.tolist():
        if not gone[index]:
            kept.append(index)
            gone |= doubles[index]
    return kept


def _steps(side: float) -> int:
    return -(-round(side) // _STEP) * _STEP
