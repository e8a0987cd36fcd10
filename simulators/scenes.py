"""What a simulated camera looks at: a clip that plays when asked, or a stage on which figures walk along given paths.

The figures are cut from the clip's own people and cars, so that the real detector sees them; the outlines below are
drawn by hand on the frames they name.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import hypot
from pathlib import Path
from typing import Final, Protocol

import cv2
import numpy as np

from simulators.lens import Noise, Picture

Point = tuple[float, float]


class Figure(StrEnum):
    PERSON = "person"
    CAR = "car"


@dataclass(frozen=True, slots=True)
class _Outline:
    frame: int
    corners: tuple[tuple[int, int], ...]


_OUTLINES: Final = {
    Figure.PERSON: _Outline(132, (
        (425, 0), (412, 2), (406, 12), (412, 30), (415, 41), (392, 54), (382, 80), (351, 96), (354, 106), (388, 102),
        (395, 95), (400, 125), (388, 145), (395, 162), (406, 165), (412, 181), (412, 210), (415, 250), (412, 265),
        (420, 271), (438, 271), (436, 264), (428, 250), (432, 210), (435, 180), (444, 156), (459, 168), (469, 182),
        (462, 200), (449, 219), (451, 228), (465, 228), (471, 210), (489, 168), (485, 150), (481, 140), (481, 125),
        (482, 100), (470, 68), (452, 45), (440, 42), (441, 31), (442, 10),
    )),
    Figure.CAR: _Outline(180, (
        (534, 102), (542, 99), (583, 99), (591, 103), (597, 123), (598, 153), (594, 157), (531, 159), (526, 157),
        (523, 149), (524, 135), (529, 123), (531, 111),
    )),
}  # fmt: skip


class Scene(Protocol):
    def picture(self) -> Picture:
        """The next picture; asked for at the camera's frame rate."""
        ...

    def walk(self) -> None:
        """Something passes by itself."""
        ...


_CLIP_FPS: Final = 25
_SHOTS: Final = ((range(105, 137), 3), (range(138, 183), 2))
"""Frames of the clip, a cyclist who waits and cars that pass, and how often each is played, to and fro: for some
seconds, so that a detector sees them that looks but once a second.
"""


class Film:
    """A clip at rest on its last picture until it is told to play its shots once."""

    def __init__(self, clip: Path, fps: float) -> None:
        frames = [encoded(picture) for picture in _pictures(clip)]
        step = max(1, round(_CLIP_FPS / fps))
        self._frames: list[bytes] = []
        for shot, times in _SHOTS:
            there = frames[shot.start : shot.stop : step]
            for turn in range(times):
                self._frames += reversed(there) if turn % 2 else there
        self._rest = _decoded(frames[-1])
        self._noise = Noise(*self._rest.shape[:2])
        self._playing: Iterator[bytes] = iter(())

    def walk(self) -> None:
        self._playing = iter(self._frames)

    def picture(self) -> Picture:
        frame = next(self._playing, None)
        return self._noise.on(self._rest) if frame is None else _decoded(frame)


@dataclass(frozen=True, slots=True)
class Walker:
    """`path` in pixels of the picture is where its feet go; it appears after `after` pictures, and then stays for ever
    at the path's end, or leaves.
    """

    figure: Figure
    path: tuple[Point, ...]
    height: int
    step: float
    """Pixels a picture."""
    after: int = 0
    stays: bool = False


class Stage:
    """A quiet yard with a door. Figures are drawn the farthest first."""

    def __init__(self, clip: Path, width: int, height: int, fps: float) -> None:
        self._fps = fps
        self._yard = _yard(width, height)
        self._noise = Noise(height, width)
        self._figures = {figure: _cut(clip, outline) for figure, outline in _OUTLINES.items()}
        self._walkers: list[tuple[Walker, int]] = []
        self._shown = 0

    def walk(self) -> None:
        """One person passes from left to right."""
        height, width = self._yard.shape[:2]
        self.enter(Figure.PERSON, ((0.0, height * 0.9), (float(width), height * 0.9)), height=height * 4 // 10)

    def enter(
        self,
        figure: Figure,
        path: Sequence[Point],
        *,
        height: int,
        speed: float = 90.0,
        count: int = 1,
        gap_s: float = 1.5,
        spread: float = 0.0,
        stays: bool = False,
    ) -> None:
        """`count` figures follow the path at `speed` pixels a second, each so much later and farther to the right."""
        for number in range(count):
            after = round(number * gap_s * self._fps)
            beside = tuple((x + number * spread, y) for x, y in path)
            walker = Walker(figure, beside, height, speed / self._fps, after, stays)
            self._walkers.append((walker, self._shown))

    def clear(self) -> None:
        self._walkers.clear()

    def picture(self) -> Picture:
        self._shown += 1
        places = [(walker, _place(walker, self._shown - begun)) for walker, begun in self._walkers]
        self._walkers = [entry for entry, (_, place) in zip(self._walkers, places, strict=True) if place is not _GONE]
        picture = self._yard.copy()
        for walker, place in sorted(places, key=lambda entry: entry[1][1]):
            if place not in (_GONE, _NOT_YET):
                _draw(picture, self._figures[walker.figure], place, walker.height)
        return self._noise.on(picture)


_NOT_YET: Final[Point] = (-1.0, -1.0)
_GONE: Final[Point] = (-2.0, -2.0)


def _place(walker: Walker, shown: int) -> Point:
    """Where the walker's feet are in the picture of this number."""
    if shown <= walker.after:
        return _NOT_YET
    left = (shown - walker.after - 1) * walker.step
    for (ax, ay), (bx, by) in pairwise(walker.path):
        length = hypot(bx - ax, by - ay)
        if left <= length:
            share = left / length if length else 0.0
            return ax + share * (bx - ax), ay + share * (by - ay)
        left -= length
    return walker.path[-1] if walker.stays else _GONE


def _cut(clip: Path, outline: _Outline) -> tuple[Picture, Picture]:
    """The figure's picture, and how much of each pixel is it: (height, width) uint8."""
    frame = next(itertools.islice(_pictures(clip), outline.frame, None))
    corners = np.array(outline.corners, np.int32)
    mask = np.zeros(frame.shape[:2], np.uint8)
    cv2.fillPoly(mask, [corners], (255.0,))
    mask = np.asarray(cv2.GaussianBlur(mask, (3, 3), 0), np.uint8)
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0) + 1
    return frame[top:bottom, left:right], mask[top:bottom, left:right]


def _draw(picture: Picture, figure: tuple[Picture, Picture], feet: Point, height: int) -> None:
    size = max(1, round(figure[0].shape[1] * height / figure[0].shape[0])), height
    body, mask = (np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8) for part in figure)
    top, left = round(feet[1]) - body.shape[0], round(feet[0] - body.shape[1] / 2)
    rows = slice(max(top, 0), min(top + body.shape[0], picture.shape[0]))
    columns = slice(max(left, 0), min(left + body.shape[1], picture.shape[1]))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    seen = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
    opaque = mask[seen].astype(np.float32)[..., np.newaxis] / 255
    picture[rows, columns] = (picture[rows, columns] * (1 - opaque) + body[seen] * opaque).astype(np.uint8)


def _yard(width: int, height: int) -> Picture:
    """Paving, a wall with windows and a door; nothing that a detector takes for a thing."""
    rng = np.random.default_rng(7)
    ground = height * 2 // 5
    yard = np.empty((height, width, 3), np.float32)
    yard[:ground], yard[ground:] = (120, 130, 140), (105, 108, 112)
    coarse = rng.normal(0, 14, (height // 4 + 1, width // 4 + 1)).astype(np.float32)
    yard += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)[..., np.newaxis]
    picture = np.clip(yard, 0, 255).astype(np.uint8)
    for x in range(0, width, width // 8):
        cv2.line(picture, (x, ground), (x - ground // 2, height), (90.0, 92.0, 96.0), 1)
    for y in range(ground, height, max(height // 9, 1)):
        cv2.line(picture, (0, y), (width, y), (94.0, 96.0, 100.0), 1)
    door = width * 7 // 16, width * 9 // 16
    cv2.rectangle(picture, (door[0], height // 12), (door[1], ground), (60.0, 65.0, 75.0), -1)
    for x in (width // 8, width * 3 // 4):
        cv2.rectangle(picture, (x, height // 12), (x + width // 8, ground * 3 // 5), (150.0, 140.0, 120.0), -1)
    return picture


def _pictures(clip: Path) -> Iterator[Picture]:
    capture = cv2.VideoCapture(str(clip))
    try:
        while (read := capture.read())[0]:
            yield np.asarray(read[1], np.uint8)
    finally:
        capture.release()


def encoded(picture: Picture) -> bytes:
    """As a JPEG."""
    good, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert good
    return encoded.tobytes()


def _decoded(jpeg: bytes) -> Picture:
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)
