"""What every decoder takes and gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.boxes import Boxes, Scores

Outputs = Sequence[npt.NDArray[np.float32]]
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """Boxes in pixels of the model's input, their scores, and for each the place of its class among those wanted."""

    boxes: Boxes
    scores: Scores
    places: npt.NDArray[np.intp]


class Decoder(Protocol):
    @property
    def shapes(self) -> Sequence[Shape]:
        """Of the outputs, in the order of the file; a 0 stands for any number."""
        ...

    def decode(self, outputs: Outputs, min_score: float) -> Found:
        """Things that reach `min_score`, in any order; some may be there more than once."""
        ...


def best_of(scores: Scores, classes: npt.NDArray[np.int_], min_score: float) -> tuple[npt.NDArray[np.intp], ...]:
    """For `(n, all classes)`: the rows whose best wanted class reaches `min_score`, and the place of that class."""
    wanted = scores[:, classes]
    places = wanted.argmax(axis=1)
    rows = np.flatnonzero(wanted[np.arange(len(places)), places] >= min_score)
    return rows, places[rows]
