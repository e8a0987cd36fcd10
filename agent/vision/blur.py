"""Hides people on a picture before it leaves this process; it errs on the side of hiding too much.

Every face is blurred, and of every person the upper third, whether or not a face was found there. Without a model for
faces every person is blurred whole. Nothing is measured of a face but where it is.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2

from models.detector import Detection, Picture

Detect = Callable[[Picture, float], Sequence[Detection]]
Box = tuple[float, float, float, float]

PERSON_SCORE: Final = 0.2
"""Far below what raises an alarm: a bush that is blurred harms nobody."""
FACE_SCORE: Final = 0.3
PEOPLE: Final = frozenset({"person", "bicycle"})
"""Who rides is sometimes found as the bicycle only."""

_FACE_MARGIN = 0.4
_PERSON_MARGIN = 0.1
_UPPER = 1 / 3
_CLOSER_LOOKS = 12
"""Persons, the largest first, at whose upper half the model for faces looks separately: a small face is found so."""
_CLOSER_PX = 24
"""A person must be so high for it."""
_CELLS = 4
"""What is blurred keeps so many cells across."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """The picture without people's features, and how much was hidden; `whole`: persons, not faces, were blurred."""

    picture: Picture
    faces: int
    persons: int
    whole: bool


def hide_people(picture: Picture, detect: Detect, faces: Detect | None) -> Hidden:
    """A new picture; the one that is given is left alone. `faces` is None where there is no model for them."""
    persons = [seen.box for seen in detect(picture, PERSON_SCORE) if seen.label in PEOPLE]
    if faces is None:
        found, areas = [], [_grown(person, _PERSON_MARGIN) for person in persons]
    else:
        found = _faces(picture, persons, faces)
        areas = [_grown(face, _FACE_MARGIN) for face in found]
        areas += [_upper(person) for person in persons]
    hidden = picture.copy()
    for area in areas:
        _blur(hidden, area)
    return Hidden(hidden, len(found), len(persons), whole=faces is None)


def _faces(picture: Picture, persons: Iterable[Box], faces: Detect) -> list[Box]:
    """In the whole picture, in its left and right half, and at each large person."""
    height, width = picture.shape[:2]
    half = width // 2
    looks: list[Box] = [
        (0, 0, width, height),
        (0, 0, half + height // 4, height),
        (half - height // 4, 0, width, height),
    ]
    large = sorted((p for p in persons if p[3] - p[1] >= _CLOSER_PX), key=lambda p: p[1] - p[3])
    for left, top, right, bottom in large[:_CLOSER_LOOKS]:
        looks.append(_grown((left, top, right, top + (bottom - top) / 2), _PERSON_MARGIN * 2))
    found: list[Box] = []
    for look in looks:
        left, top, right, bottom = _whole_pixels(look, height, width)
        if right - left < 1 or bottom - top < 1:
            continue
        part = picture[top:bottom, left:right]
        for seen in faces(part, FACE_SCORE):
            x1, y1, x2, y2 = seen.box
            found.append((x1 + left, y1 + top, x2 + left, y2 + top))
    return found


def _upper(person: Box) -> Box:
    left, top, right, bottom = _grown(person, _PERSON_MARGIN)
    return left, top, right, top + (bottom - top) * _UPPER


def _grown(box: Box, share: float) -> Box:
    left, top, right, bottom = box
    x, y = (right - left) * share, (bottom - top) * share
    return left - x, top - y, right + x, bottom + y


def _blur(picture: Picture, box: Box) -> None:
    """In place: averages over a few cells, drawn smoothly; what was averaged away is not in the picture any more."""
    left, top, right, bottom = _whole_pixels(box, *picture.shape[:2])
    if right <= left or bottom <= top:
        return
    patch = picture[top:bottom, left:right]
    across, down = min(_CELLS, right - left), min(_CELLS * 2, max(1, round(_CELLS * (bottom - top) / (right - left))))
    cells = cv2.resize(patch, (across, min(down, bottom - top)), interpolation=cv2.INTER_AREA)
    picture[top:bottom, left:right] = cv2.resize(cells, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)


def _whole_pixels(box: Box, height: int, width: int) -> tuple[int, int, int, int]:
    left, top, right, bottom = box
    return max(0, int(left)), max(0, int(top)), min(width, round(right + 0.5)), min(height, round(bottom + 0.5))
