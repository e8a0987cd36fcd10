"""Says when a camera no longer sees what it was put there for: covered, out of focus, turned away, frozen.

Works on the small brightness plane of the motion gate, once a second, for about half a millisecond. What is compared
is where a picture has edges and how sharp they are, in blocks and free of contrast and brightness, so that lights, an
infrared switch, people and daylight that wanders change little. The first pictures seed the reference; it follows
slowly, and only while nothing is wrong. A picture that is all black is not judged: lights out look the same. Nor are
private areas and their edges, which stay whatever is held before the lens.
"""

import math
from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from agent.observations import Flaw

Plane: TypeAlias = npt.NDArray[np.uint8]
Blocks: TypeAlias = npt.NDArray[np.float32]
"""(ROWS, COLUMNS)"""

EVERY_S: Final = 1.0
FROZEN_S: Final = 5.0
"""Identical planes for this long: a live picture has noise."""
RESEED_S: Final = 3600.0
"""A view that stays turned for this long was meant; it becomes the reference."""

_ROWS, _COLUMNS = 6, 10
_FOLLOW_S = 300.0
_AGREE = 3
"""Judgements in a row that must say the same."""
_BLACK = 12.0
"""Mean and four deviations below this: nothing is lit."""
_TEXTURE = 3.0
"""Deviation of the edges, in levels, from which on a block can be compared."""
_LEAST_BLOCKS = 6
_LEAST_SHARE = 0.25
"""Share of a block that must be seen beside what is private."""
_MARGIN = np.ones((5, 5), np.uint8)
"""So far an edge of what is private reaches into what is made of the plane."""
_LIKE = 0.5
"""Correlation of edges from which on a block shows the same as its reference."""
_SAME_SHARE = 0.3
_FLAT = 0.3
"""Edges so weak, as a share of the reference's, are those of something held before the lens."""
_VEILED = 0.15
"""Edges so weak for the brightness, as a share of the reference's, shine through what hangs before the lens."""
_SOFT = 0.5
"""Fine detail against coarse, as a share of the reference's."""


@dataclass(frozen=True, slots=True)
class _Look:
    """Edges of a plane, float32 of its size; by block the strength of edges, of fine detail, and the brightness."""

    edges: npt.NDArray[np.float32]
    strength: Blocks
    fine: Blocks
    light: Blocks


class _Grid:
    """Means by block, of a plane of which only that part counts where `visible` is 1; None: all of it."""

    def __init__(self, visible: Plane | None) -> None:
        self.visible = visible
        self.seen: npt.NDArray[np.bool_] | None = None
        """By block, whether enough of it is seen."""
        if visible is not None:
            self._weights = visible.astype(np.float32)
            share = _blocks(self._weights)
            self.seen, self._share = share >= _LEAST_SHARE, np.maximum(share, np.float32(1e-3))

    def means(self, values: npt.NDArray[np.float32] | Plane) -> Blocks:
        """Of a plane of bytes rounded, which is enough for its brightness and detail."""
        if self.visible is None:
            return _blocks(values)
        return np.asarray(_blocks(self._weights * values) / self._share, np.float32)

    def product(self, one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> Blocks:
        return self.means(np.asarray(cv2.multiply(one, other), np.float32))

    def deviation(self, values: npt.NDArray[np.float32], means: Blocks) -> Blocks:
        return np.asarray(np.sqrt(np.maximum(self.product(values, values) - means * means, 0)), np.float32)

    def look(self, plane: Plane) -> _Look:
        smooth = cv2.GaussianBlur(plane, (3, 3), 0)
        across = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=0.125)
        down = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=0.125)
        edges = np.asarray(cv2.magnitude(across, down), np.float32)
        detail = cv2.absdiff(plane, cv2.blur(plane, (5, 5)))
        return _Look(edges, self.means(edges), self.means(detail.astype(np.float32)), self.means(plane))

    def brightest(self, plane: Plane) -> float:
        """Mean and four deviations."""
        mean, deviation = cv2.meanStdDev(plane, mask=self.visible)
        return float(mean.item() + 4 * deviation.item())


class Tamper:
    """Of one camera; planes of one size, in order. `reference_s` is when the pictures began that it compares with."""

    def __init__(self) -> None:
        self._grid: _Grid | None = None
        self.flaw: Flaw | None = None
        self.reference_s = 0.0
        self._reference: _Look | None = None
        self._seeded = 0
        self._judged_s = -math.inf
        self._last: Plane | None = None
        self._still_since_s = 0.0
        self._flaw_since_s = 0.0
        self._candidate: Flaw | None = None
        self._agreed = 0

    def look(self, plane: Plane, mono_s: float, visible: Plane | None) -> bool:
        """Judge a picture, if one is due; whether there is news: a flaw has come or gone, or the reference is new.

        `visible` is 1 where nothing private is, and the same for all pictures.
        """
        passed_s = mono_s - self._judged_s
        if passed_s < EVERY_S:
            return False
        self._judged_s = mono_s
        frozen = self._frozen(plane, mono_s)
        if self._grid is None:
            self._grid = _Grid(None if visible is None else np.asarray(cv2.erode(visible, _MARGIN), np.uint8))
        if self._grid.brightest(plane) < _BLACK:
            return False
        now = self._grid.look(plane)
        if self._reference is None:
            self._seed(now, mono_s)
            return True
        found = Flaw.FROZEN if frozen else _compare(now, self._reference, self._grid)
        if found is None:
            self._follow(now, passed_s)
        if self.flaw is Flaw.TURNED and found is Flaw.TURNED and mono_s - self._flaw_since_s >= RESEED_S:
            self._seed(now, mono_s)
            self.flaw = self._candidate = None
            return True
        return self._settle(found, mono_s)

    def _frozen(self, plane: Plane, mono_s: float) -> bool:
        if self._last is None or not np.array_equal(plane, self._last):
            self._last, self._still_since_s = plane.copy(), mono_s
        return mono_s - self._still_since_s >= FROZEN_S

    def _seed(self, now: _Look, mono_s: float) -> None:
        self._reference, self._seeded, self.reference_s = now, 1, mono_s

    def _follow(self, now: _Look, passed_s: float) -> None:
        """At first the mean of all pictures, so that what walks through the first one does not stay."""
        assert self._reference is not None, "seeded before"
        self._seeded += 1
        weight = max(1 / self._seeded, 1 - math.exp(-passed_s / _FOLLOW_S))
        old = self._reference
        self._reference = _Look(
            *(
                np.asarray(cv2.addWeighted(before, 1 - weight, after, weight, 0), np.float32)
                for before, after in (
                    (old.edges, now.edges),
                    (old.strength, now.strength),
                    (old.fine, now.fine),
                    (old.light, now.light),
                )
            )
        )

    def _settle(self, found: Flaw | None, mono_s: float) -> bool:
        self._agreed = self._agreed + 1 if found is self._candidate else 1
        self._candidate = found
        if found is self.flaw or self._agreed < _AGREE:
            return False
        self.flaw, self._flaw_since_s = found, mono_s
        return True


def _compare(now: _Look, reference: _Look, grid: _Grid) -> Flaw | None:
    spread = grid.deviation(reference.edges, reference.strength)
    telling = spread >= _TEXTURE
    if grid.seen is not None:
        telling &= grid.seen
    if int(telling.sum()) < _LEAST_BLOCKS:
        return None
    like = grid.product(now.edges, reference.edges) - now.strength * reference.strength
    like /= np.maximum(spread * grid.deviation(now.edges, now.strength), 1e-3)
    same = float((like[telling] >= _LIKE).mean())
    strength = _median(now.strength[telling] / reference.strength[telling])
    lit = _median(now.light[telling]) / max(_median(reference.light[telling]), 1.0)
    if strength < _VEILED * lit or (same < _SAME_SHARE and strength < _FLAT):
        return Flaw.COVERED
    sharp = now.fine[telling] / np.maximum(now.strength[telling], 1e-3)
    was_sharp = reference.fine[telling] / np.maximum(reference.strength[telling], 1e-3)
    if _median(sharp / was_sharp) < _SOFT:
        return Flaw.DEFOCUSED
    return Flaw.TURNED if same < _SAME_SHARE else None


def _median(values: npt.NDArray[np.float32]) -> float:
    """NumPy's costs ten times as much for so few."""
    ordered = np.sort(values)
    return float(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _blocks(values: npt.NDArray[np.float32] | Plane) -> Blocks:
    return np.asarray(cv2.resize(values, (_COLUMNS, _ROWS), interpolation=cv2.INTER_AREA), np.float32)
