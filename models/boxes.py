"""Boxes and pictures as arrays.

Pictures are (height, width, 3) uint8 BGR. Boxes are float32 rows of left, top, right, bottom.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.float32]
Sides = tuple[float, float, float, float]
"""One box by itself."""
Scores = npt.NDArray[np.float32]


def boxes_of(sides: Sequence[Sides]) -> Boxes:
    """(n, 4), also of none."""
    return np.array(sides, np.float32).reshape(-1, 4)


def overlap(one: Boxes, other: Boxes) -> npt.NDArray[np.float32]:
    """(n, m) intersection over union."""
    both = shared(one, other)
    union = _areas(one)[:, np.newaxis] + _areas(other) - both
    return np.asarray(both / np.maximum(union, 1e-6), np.float32)


def shared(one: Boxes, other: Boxes) -> npt.NDArray[np.float32]:
    """(n, m) areas of the intersections."""
    (low, high), (other_low, other_high) = corners(one), corners(other)
    sides = np.minimum(high[:, :, np.newaxis], other_high[:, np.newaxis])
    sides -= np.maximum(low[:, :, np.newaxis], other_low[:, np.newaxis])
    np.maximum(sides, 0, out=sides)
    return np.asarray(sides[0] * sides[1], np.float32)


def corners(boxes: Boxes) -> npt.NDArray[np.float32]:
    """(2, 2, n): upper left, lower right; all x and then all y, as an axis of two numbers is slow to walk along."""
    return np.ascontiguousarray(boxes.T).reshape(2, 2, -1)


def suppress(boxes: Boxes, scores: Scores, classes: npt.NDArray[np.intp], iou: float) -> list[int]:
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


def cell_centres(height: int, width: int, stride: int) -> Boxes:
    """(cells, 4) float32: x, y, x, y of each cell's centre, row by row; a cell that is cut off at the edge is one."""
    y, x = np.mgrid[0 : -(-height // stride), 0 : -(-width // stride)].astype(np.float32)
    centres = np.stack([(x + 0.5) * stride, (y + 0.5) * stride] * 2, axis=-1)
    return np.asarray(centres.reshape(-1, 4), np.float32)


def around(x: Scores, y: Scores, width: Scores, height: Scores) -> Boxes:
    """(n, 4) boxes from their centres and sizes."""
    half_width, half_height = width / 2, height / 2
    return np.stack([x - half_width, y - half_height, x + half_width, y + half_height], axis=1).astype(np.float32)


def sigmoid(logits: Scores) -> Scores:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -50, 50))), np.float32)


def _areas(boxes: Boxes) -> Scores:
    left, top, right, bottom = boxes.T
    return np.asarray(np.maximum(right - left, 0) * np.maximum(bottom - top, 0), np.float32)
