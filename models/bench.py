"""How long an inference takes on this machine."""

import resource
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from drivers.base import ConfigError
from models.card import Model
from models.detector import Detector
from models.runtime import installed

ROUNDS = 20
_MIN_SCORE = 0.4


@dataclass(frozen=True, slots=True)
class Pace:
    """Median CPU milliseconds of the whole way from picture to boxes, one thread."""

    model: str
    runtime: str
    height: int
    width: int
    cpu_ms: float


def measure(model: Model, picture: tuple[int, int], rounds: int = ROUNDS, side: int | None = None) -> Iterator[Pace]:
    """With each runtime that is installed, on noise of (height, width), which is scaled to `side` where the model's
    input can be cut; None: to its own size. Raises: ConfigError.
    """
    height, width = picture
    if min(height, width) < 1:
        raise ConfigError(f"{width}x{height} is no size of a picture", hint="write it as 640x480")
    noise = np.random.default_rng(0).integers(0, 255, (*picture, 3), np.uint8)
    for runtime in installed():
        detector = Detector(model.card, pictures=[picture], runtime=runtime, folder=model.folder, side=side)
        detector.detect(noise, _MIN_SCORE)
        took = [_cpu_ms(detector, noise) for _ in range(rounds)]
        yield Pace(model.card.name, runtime, detector.height, detector.width, statistics.median(took))


def _cpu_ms(detector: Detector, noise: "np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]") -> float:
    began = _used_s()
    detector.detect(noise, _MIN_SCORE)
    return (_used_s() - began) * 1000


def _used_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
