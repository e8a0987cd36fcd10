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


def best_of(scores: Scores, min_score: float) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """For `(n, wanted classes)`: the rows whose best class reaches `min_score`, and the place of that class."""
    rows = np.flatnonzero(scores.max(axis=1) >= min_score)
    return rows, scores[rows].argmax(axis=1)
