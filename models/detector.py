"""From a picture to boxes: letterbox, normalise, run, decode as the card says.

Pictures are (height, width, 3) uint8 BGR. Boxes are float32 rows of left, top, right, bottom.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from drivers.base import ConfigError
from models.boxes import Boxes, Picture, Sides, overlap, suppress
from models.card import FOLDER, Card, NanoDet, read_model
from models.decoders import decoder_of
from models.decoders.found import Shape
from models.runtime import Network, cut_to
from models.winograd import fewer_multiplications

__all__ = ["Boxes", "Detection", "Detector", "Picture", "input_shape", "letterbox", "overlap"]

_STEP = 16
"""The graph halves what is odd upwards, so its coarsest map needs no whole number of cells: 640x480 becomes 320x240."""
_GREY = 114


@dataclass(frozen=True, slots=True)
class Detection:
    """One thing seen; `box` is left, top, right, bottom in pixels of the picture."""

    label: str
    score: float
    box: Sides


class Detector:
    """One interpreter for every picture that fits into `pictures` (each (height, width)); not for two threads at once.

    The input of a graph that can be cut is cut to the shape they share: a flat picture costs what it covers, not a
    square, and is smaller than the model's own where `side`, the longer side pictures are scaled to, is less. `folder`
    is that of the model file. Raises: ConfigError when the file is not what its card says.
    """

    def __init__(
        self,
        card: Card,
        *,
        pictures: Iterable[tuple[int, int]],
        runtime: str = "auto",
        threads: int = 1,
        folder: Path = FOLDER,
        side: int | None = None,
    ) -> None:
        size, spec = card.input.size, card.output
        model = read_model(card, folder)
        self.height = self.width = size
        if isinstance(spec, NanoDet):
            self.height, self.width = input_shape(min(side or size, size), pictures)
            model = cut_to(model, size, spec.strides, self.height, self.width)
            model = fewer_multiplications(model, size, self.height, self.width)
        self._network = Network(model, height=self.height, width=self.width, runtime=runtime, threads=threads)
        self.runtime = self._network.runtime
        self._rgb = card.input.order == "RGB"
        self._table = np.ascontiguousarray(self._network.quantise(normalise_table(card.input.mean, card.input.scale)))
        classes = np.array(sorted(card.labels))
        self._names = [card.labels[int(number)] for number in classes]
        # A van that is found as car and as truck is one vehicle.
        self._groups = np.array([self._names.index(name) for name in self._names], np.intp)
        self._nms_iou = spec.nms_iou
        # Kept from look to look: a megabyte that is new each time costs more than what is written into it.
        self._input = np.empty((1, self.height, self.width, 3), self._table.dtype)
        self._decoder = decoder_of(spec, self.height, self.width, classes)
        _demand_shapes(card, folder / card.file, self._decoder.shapes, self._network.shapes)
        self.confident = card.confident
        self.labels = frozenset(self._names)

    def detect(self, picture: Picture, min_score: float) -> list[Detection]:
        """Things at least `min_score` sure, the surest first."""
        canvas, scale = letterbox(picture, self.height, self.width)
        if self._rgb:
            canvas = cv2.cvtColor(canvas, cv2.COLOR_BGR2RGB)  # type: ignore[assignment]  # OpenCV's stubs widen it
        normalise(canvas, self._table, self._input[0])
        found = self._decoder.decode(self._network.run(self._input), min_score)
        height, width = picture.shape[:2]
        boxes = np.clip(found.boxes / scale, 0, np.array([width, height, width, height], np.float32))
        kept = suppress(boxes, found.scores, self._groups[found.places], self._nms_iou)
        return [
            Detection(self._names[found.places[i]], float(found.scores[i]), tuple(boxes[i].tolist()))
            for i in kept
            if boxes[i, 2] > boxes[i, 0] and boxes[i, 3] > boxes[i, 1]
        ]


def input_shape(size: int, pictures: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Smallest (height, width), in multiples of 16 and at most `size`, that holds every picture scaled to `size`."""
    scaled = [(height * size / max(height, width), width * size / max(height, width)) for height, width in pictures]
    rows, columns = max(height for height, _ in scaled), max(width for _, width in scaled)
    return _steps(rows), _steps(columns)


def letterbox(picture: Picture, height: int, width: int) -> tuple[Picture, float]:
    """The picture scaled into the top left of a grey canvas, and the scale."""
    scale = min(height / picture.shape[0], width / picture.shape[1])
    rows, columns = (max(1, round(side * scale)) for side in picture.shape[:2])
    canvas = np.full((height, width, 3), _GREY, np.uint8)
    cv2.resize(picture, (columns, rows), dst=canvas[:rows, :columns], interpolation=cv2.INTER_LINEAR)
    return canvas, scale


def normalise_table(mean: Iterable[float], scale: Iterable[float]) -> npt.NDArray[np.float32]:
    """(1, 256, 3) float32: what each value of each channel becomes."""
    values = np.arange(256, dtype=np.float32)[:, np.newaxis]
    table = (values - np.array(list(mean), np.float32)) / np.array(list(scale), np.float32)
    return np.asarray(table[np.newaxis], np.float32)


def normalise(picture: Picture, table: npt.NDArray[Any], into: npt.NDArray[Any]) -> None:
    """A table look-up, twenty times as cheap as the arithmetic."""
    cv2.LUT(picture, table, dst=into)


def _demand_shapes(card: Card, path: Path, wanted: Sequence[Shape], found: Sequence[Shape]) -> None:
    """Raises: ConfigError when the file's outputs are not those of the card."""
    if len(wanted) == len(found) and all(map(_fits, wanted, found)):
        return
    says = ", ".join("x".join(str(side or "n") for side in shape) for shape in wanted)
    has = ", ".join("x".join(map(str, shape)) for shape in found)
    raise ConfigError(
        f"the outputs of {path} are {has}; its card says {says} ({card.output.decoder})",
        hint="correct [output] of the card: models/README.md says what each decoder expects",
    )


def _fits(wanted: Shape, found: Shape) -> bool:
    return len(wanted) == len(found) and all(side in (0, there) for side, there in zip(wanted, found, strict=True))


def _steps(side: float) -> int:
    return -(-round(side) // _STEP) * _STEP
