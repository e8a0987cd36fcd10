"""What is done to a camera, as it shows in its picture."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""(height, width, 3) uint8 BGR"""

_NOISE_LEVELS: Final = 3.0
_NOISES: Final = 8
_VIGNETTE: Final = 1.2
"""An infrared lamp lights the middle of the picture."""


class Trouble(StrEnum):
    COVERED = "covered"
    DEFOCUSED = "defocused"
    TURNED = "turned"
    INFRARED = "infrared"
    DARK = "dark"


class Noise:
    """A sensor's noise, from a few patterns in turn: no two pictures that follow one another are the same."""

    def __init__(self, height: int, width: int) -> None:
        rng = np.random.default_rng(1)
        patterns = [np.rint(rng.normal(0, _NOISE_LEVELS, (height, width, 3))) for _ in range(_NOISES)]
        self._patterns = [(_lighter(pattern), _lighter(-pattern)) for pattern in patterns]
        self._next = 0

    def on(self, picture: Picture) -> Picture:
        self._next = (self._next + 1) % _NOISES
        lighter, darker = self._patterns[self._next]
        return np.asarray(cv2.subtract(cv2.add(picture, lighter), darker), np.uint8)


def _lighter(pattern: npt.NDArray[np.float64]) -> Picture:
    return np.clip(pattern, 0, 255).astype(np.uint8)


def through(picture: Picture, trouble: Trouble) -> Picture:
    """The picture as the lens shows it, without noise."""
    return _EFFECTS[trouble](picture)


def _covered(picture: Picture) -> Picture:
    """A cloth before the lens: a little light, no shapes."""
    return (cv2.GaussianBlur(picture, (0, 0), picture.shape[1] / 12) * 0.4 + 12).astype(np.uint8)


def _defocused(picture: Picture) -> Picture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 8), np.uint8)


def _turned(picture: Picture) -> Picture:
    """Pushed aside: what was at the right is now at the left, and upside down is what was not in the picture."""
    width = picture.shape[1]
    return np.ascontiguousarray(np.concatenate([picture[:, width * 2 // 5 :], picture[::-1, : width * 2 // 5]], axis=1))


def _infrared(picture: Picture) -> Picture:
    """Grey, other contrast, bright in the middle."""
    height, width = picture.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    away = np.hypot((columns - width / 2) / (width / 2), (rows - height / 2) / (height / 2))
    grey = (cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) / 255.0) ** 0.6 * np.exp(-_VIGNETTE * away**2) * 230 + 6
    return np.repeat(grey[..., np.newaxis], 3, axis=2).astype(np.uint8)


def _dark(picture: Picture) -> Picture:
    return (picture * 0.2).astype(np.uint8)


_EFFECTS: Mapping[Trouble, Callable[[Picture], Picture]] = {
    Trouble.COVERED: _covered,
    Trouble.DEFOCUSED: _defocused,
    Trouble.TURNED: _turned,
    Trouble.INFRARED: _infrared,
    Trouble.DARK: _dark,
}
