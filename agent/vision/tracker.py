"""Follows detections from look to look: constant velocity, overlap and distance, three hits before a track counts.

Only the detector looks are fed in, so a frame that was not looked at never counts as a miss. Nothing about a thing's
appearance is kept.
"""

import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from agent.observations import Box, Label, Track
from models.detector import Boxes, Detection, overlap

Row = npt.NDArray[np.float32]
"""left, top, right, bottom"""

_HITS, _LOOKS = 3, 5
"""A track is confirmed by three hits in five looks."""
_TRIES = 10
"""Looks after which an unconfirmed track is given up: it neither moves nor convinces."""
_TENTATIVE_MISSES = 2
_LOST_S = 2.0
"""A confirmed track outlives this long without a hit."""
_LOST_MISSES = 3
_MOVED = 0.3
"""Displacement, in box heights, that proves a thing alive."""
_MOVING_SHARE = 0.1
"""Share of a box that motion must cover for a birth."""
_LEAST_LIKENESS = 0.1
_NEAR = 0.3
_REACH = 1.5
"""Likeness is the overlap, plus up to _NEAR for centres less than _REACH box sizes apart."""
_KEEP = 0.2
"""Weight of the predicted box against the seen one."""


@dataclass(slots=True)
class _Thing:
    id: int
    label: Label
    box: Row
    score: float
    best: float
    born_at: Row
    seen_s: float
    velocity: Row = field(default_factory=lambda: np.zeros(2, np.float32))
    looks: deque[bool] = field(default_factory=lambda: deque([True], maxlen=_LOOKS))
    age: int = 1
    misses: int = 0
    confirmed: bool = False

    def predicted(self, mono_s: float) -> Row:
        shift = self.velocity * np.float32(mono_s - self.seen_s)
        return np.asarray(self.box + np.concatenate([shift, shift]), np.float32)


class Tracker:
    """Of one camera, whose picture is `width` by `height`; a score of `confident` needs no movement to be believed."""

    def __init__(self, *, width: int, height: int, birth_score: float, confident: float) -> None:
        self._limits = np.array([width, height, width, height], np.float32)
        self._birth_score = birth_score
        self._confident = confident
        self._things: list[_Thing] = []
        self._ids = itertools.count(1)

    @property
    def alive(self) -> bool:
        """Whether a confirmed track is being followed, seen at the last look or not."""
        return any(thing.confirmed for thing in self._things)

    @property
    def curious(self) -> bool:
        """Whether a new track waits for its confirmation, so that another look at once pays."""
        return any(not thing.confirmed and thing.age < _LOOKS for thing in self._things)

    @property
    def doubtful(self) -> bool:
        """Whether a confirmed track was missed at the last look."""
        return any(thing.confirmed and thing.misses for thing in self._things)

    def predict(self, mono_s: float) -> tuple[Track, ...]:
        """Where the tracks that were hit at the last look should be by now."""
        return tuple(
            Track(thing.id, thing.label, self._box(thing.predicted(mono_s)), round(thing.score, 3))
            for thing in self._things
            if thing.confirmed and not thing.misses
        )

    def update(self, seen: Sequence[Detection], motion: Boxes, mono_s: float) -> tuple[Track, ...]:
        """Take in one look; returns the confirmed tracks it hit."""
        boxes = np.array([d.box for d in seen], np.float32).reshape(-1, 4)
        unmatched = set(range(len(seen)))
        for thing, number in self._matches(seen, boxes, mono_s):
            if number is None:
                self._miss(thing)
            else:
                unmatched.discard(number)
                self._hit(thing, boxes[number], seen[number].score, mono_s)
        self._things = [thing for thing in self._things if not _lost(thing, mono_s)]
        moving = _covered(boxes, motion) >= _MOVING_SHARE
        for number in sorted(unmatched):
            found = seen[number]
            if found.score >= self._confident or (found.score >= self._birth_score and moving[number]):
                box = boxes[number]
                born = _Thing(next(self._ids), Label(found.label), box, found.score, found.score, _centre(box), mono_s)
                self._things.append(born)
        return tuple(
            Track(thing.id, thing.label, self._box(thing.box), round(thing.score, 3))
            for thing in self._things
            if thing.confirmed and not thing.misses
        )

    def _box(self, row: Row) -> Box:
        return Box(*(round(float(side), 1) for side in np.clip(row, 0, self._limits)))

    def _matches(self, seen: Sequence[Detection], boxes: Boxes, mono_s: float) -> list[tuple[_Thing, int | None]]:
        """Each thing with its detection, the likest pairs first."""
        partner: dict[int, int] = {}
        if self._things and seen:
            expected = np.stack([thing.predicted(mono_s) for thing in self._things])
            likeness = _likeness(expected, boxes)
            labels = np.array([thing.label for thing in self._things])[:, np.newaxis]
            likeness[labels != np.array([d.label for d in seen])[np.newaxis]] = 0
            taken: set[int] = set()
            for flat in np.argsort(-likeness, axis=None, kind="stable").tolist():
                row, column = divmod(flat, len(seen))
                if likeness[row, column] < _LEAST_LIKENESS:
                    break
                if row not in partner and column not in taken:
                    partner[row] = column
                    taken.add(column)
        return [(thing, partner.get(row)) for row, thing in enumerate(self._things)]

    def _miss(self, thing: _Thing) -> None:
        thing.age += 1
        thing.looks.append(False)
        thing.misses += 1

    def _hit(self, thing: _Thing, box: Row, score: float, mono_s: float) -> None:
        thing.age += 1
        thing.looks.append(True)
        passed_s = max(mono_s - thing.seen_s, 1e-3)
        measured = (_centre(box) - _centre(thing.box)) / np.float32(passed_s)
        expected = thing.predicted(mono_s)
        first = not thing.velocity.any()
        thing.velocity = measured if first else (thing.velocity + measured) / 2
        thing.box = box * np.float32(1 - _KEEP) + expected * np.float32(_KEEP) if not first else box
        thing.score, thing.best = score, max(score, thing.best)
        thing.seen_s, thing.misses = mono_s, 0
        height = max(float(box[3] - box[1]), 1.0)
        moved = float(np.hypot(*(_centre(box) - thing.born_at))) >= _MOVED * height
        if sum(thing.looks) >= _HITS and (moved or thing.best >= self._confident):
            thing.confirmed = True


def _lost(thing: _Thing, mono_s: float) -> bool:
    if not thing.confirmed:
        return thing.misses >= _TENTATIVE_MISSES or thing.age > _TRIES
    return thing.misses >= _LOST_MISSES and mono_s - thing.seen_s > _LOST_S


def _centre(box: Row) -> Row:
    return (box[:2] + box[2:]) / 2


def _likeness(expected: Boxes, seen: Boxes) -> npt.NDArray[np.float32]:
    sizes = [(boxes[:, 2:] - boxes[:, :2]).mean(axis=1) for boxes in (expected, seen)]
    reach = _REACH * np.maximum((sizes[0][:, np.newaxis] + sizes[1][np.newaxis]) / 2, 1.0)
    centres = [(boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (expected, seen)]
    apart = np.linalg.norm(centres[0][:, np.newaxis] - centres[1][np.newaxis], axis=2)
    near = _NEAR * np.clip(1 - apart / reach, 0, None)
    return np.asarray(overlap(expected, seen) + near, np.float32)


def _covered(boxes: Boxes, motion: Boxes) -> npt.NDArray[np.float32]:
    """(n,) share of each box that motion covers; areas that overlap count twice, which does no harm."""
    low = np.maximum(boxes[:, np.newaxis, :2], motion[np.newaxis, :, :2])
    high = np.minimum(boxes[:, np.newaxis, 2:], motion[np.newaxis, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2).sum(axis=1)
    own = np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 1, None), axis=1)
    return np.asarray(shared / own, np.float32)
