"""Follows detections from look to look: constant velocity, overlap, distance and colour; evidence makes a track.

Only what the detector looked at is fed in, so a picture that was not looked at never counts as a miss. For each thing
the mean colours of its upper and its lower half are kept in memory while it is followed, and forgotten with it: they
tell apart two people who cross, and are written, sent and compared nowhere else.

All things stand in one table, so that thirty cost little more than ten.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from agent.observations import Box, Label, Track
from agent.vision.pairing import COLOURS, Colours, Floats, likeness, pairs
from agent.vision.patches import Luma, Patch
from models.boxes import shared
from models.detector import Boxes, Detection

_LABELS: Final = tuple(Label)
_NUMBERS: Final = {label.value: number for number, label in enumerate(_LABELS)}

_HITS, _LOOKS = 2, 5
"""A track is confirmed by two hits in five looks, and by having convinced, or moved and convinced enough together."""
_WINDOW = (1 << _LOOKS) - 1
_BITS = np.array([looks.bit_count() for looks in range(_WINDOW + 1)])
_TRIES = 10
"""Looks after which an unconfirmed track is given up: it neither moves nor convinces."""
_FAINT, _FAINT_S = 5, 2.0
"""Hits and time after which a confirmed track is given up that neither moves nor scores enough for a birth: a post that
somebody stood behind goes on looking a little like him.
"""
_TENTATIVE_MISSES = 2
_LOST_S = 2.0
"""A confirmed track outlives this long without a hit."""
_LOST_MISSES = 3
_AHEAD_S = 1.0
"""Nobody is expected further along than this would take."""
_COAST = 2
"""Looks for which a track that is missed is shown where its patch is found again."""
_MOVED = 0.5
"""Displacement, in box heights, that proves a thing alive."""
_ENOUGH = 1.1
"""Way, as a share of that displacement, and score, as a share of the way from a birth's to a sure one, must add up to
this: a cone that somebody passes trembles by a fifth of its height and scores half-way; a person who enters has more of
both within two or three looks.
"""
_MOVING_SHARE = 0.3
"""Share of a box that motion must cover for a birth, or for a low score to count."""
_WITHIN = 0.6
"""A thing that lies so far within another that is followed is a part of it."""
_FOLLOW_STEER = np.array([[[0.9]], [[0.4]]], np.float32)
_RESIZE = 0.6
"""How much of what was seen against what was expected moves a box, turns its velocity and changes its size."""
_COLOUR_KEEP, _CROWDED = 0.8, 0.15
"""How much of its colours a thing keeps at a hit; all of them where others cover so much of it, and lend it theirs."""

_THING = np.dtype(
    [
        ("id", "i8"),
        ("label", "i1"),
        ("centre", "f4", 2),
        ("size", "f4", 2),
        ("velocity", "f4", 2),  # pixels a second
        ("born_at", "f4", 2),
        ("colours", "f4", COLOURS),
        ("score", "f4"),
        ("best", "f4"),
        ("at_s", "f8"),  # when it was at its centre
        ("seen_s", "f8"),  # when it was last hit
        ("hit_at", "f4", 2),  # and where
        ("looks", "i1"),  # the last _LOOKS looks, the newest lowest; a bit is set for a hit
        ("age", "i4"),  # looks since birth
        ("lively_s", "f8"),  # when it last scored enough for a birth, or had moved
        ("lively_at", "f4", 2),  # and where
        ("faint", "i4"),  # hits since then
        ("misses", "i4"),  # looks since the last hit
        ("held", "?"),  # its patch was found again since
        ("confirmed", "?"),
    ]
)


class Tracker:
    """Of one camera, whose picture is `width` by `height`; a score of `confident` needs no movement to be believed."""

    def __init__(self, *, width: int, height: int, birth_score: float, confident: float) -> None:
        self._limits = np.array([width, height, width, height], np.float32)
        self._birth_score = birth_score
        self._confident = confident
        self._sure_span = max(confident - birth_score, 1e-3)
        self._things: npt.NDArray[Any] = np.empty(0, _THING)
        self._planes: dict[float, Luma] = {}
        """Of the looks that may have hit what is shown; patches are cut from them."""
        self._last_id = 0

    @property
    def alive(self) -> bool:
        """Whether a confirmed track is being followed, seen at the last look or not."""
        return bool(self._things["confirmed"].any())

    @property
    def curious(self) -> bool:
        """Whether a new track waits for its confirmation, so that another look at once pays."""
        new = ~self._things["confirmed"] & (self._things["age"] <= _HITS)
        return bool((new & (self._things["misses"] == 0)).any())

    @property
    def doubtful(self) -> bool:
        """Whether a confirmed track was missed at the last look."""
        return bool((self._things["confirmed"] & (self._things["misses"] > 0)).any())

    def places(self, mono_s: float) -> Boxes:
        """(n, 4) where everything that is followed, confirmed or not, should be."""
        return _boxes(*_expected(self._things, mono_s))

    def predict(self, mono_s: float) -> tuple[Track, ...]:
        """Where the tracks that were hit at the last look should be by now."""
        return self._tracks(mono_s)

    def follow(self, plane: Luma, mono_s: float) -> None:
        """Correct where tracks are by a picture, at half its size, that the detector does not look at."""
        self._find(np.flatnonzero(self._things["confirmed"]), plane, mono_s)

    def _find(self, rows: npt.NDArray[np.intp], plane: Luma, mono_s: float) -> None:
        """Look for the patches of these things where they are expected."""
        things = self._things
        things["held"] = False
        if not len(rows):
            return
        centres = _expected(things.take(rows), mono_s)[0].tolist()
        for row, centre in zip(rows.tolist(), centres, strict=True):
            seen = self._planes.get(float(things["seen_s"][row]))
            if seen is None:
                continue
            patch = Patch.cut(seen, things["hit_at"][row].tolist(), things["size"][row].tolist())
            found = patch.find(plane, centre) if patch is not None else None
            if found is not None:
                things["centre"][row] = found
                things["at_s"][row] = mono_s
                things["held"][row] = True

    def update(
        self, seen: Sequence[Detection], colours: Colours, motion: Boxes, mono_s: float, plane: Luma, *, whole: bool
    ) -> tuple[Track, ...]:
        """Take in one look: a row of `colours` for each detection, where something moved lately, the picture at half
        its size, and whether the whole of it was looked at. Returns the confirmed tracks that are seen.
        """
        boxes = np.array([found.box for found in seen], np.float32).reshape(-1, 4)
        scores = np.array([found.score for found in seen], np.float32)
        labels = np.array([_NUMBERS[found.label] for found in seen], np.int8)
        moving = _covered(boxes, motion) >= _MOVING_SHARE
        good = moving | (scores >= self._birth_score)
        if not good.all():
            boxes, scores, labels = boxes[good], scores[good], labels[good]
            colours, moving = colours[good], moving[good]
        rows, columns = self._matches(boxes, labels, colours, mono_s)
        self._miss()
        if len(rows):
            self._hit(rows, boxes[columns], scores[columns], colours[columns], mono_s)
        self._lose(mono_s)
        self._find(np.flatnonzero(self._coasting), plane, mono_s)
        if len(columns) < len(boxes):
            convinces = (scores >= self._confident) & whole  # in a part, larger, what stands there looks like anything
            born = convinces | ((scores >= self._birth_score) & moving)
            born[columns] = False
            born &= _covered(boxes, boxes[columns]) < _WITHIN
            self._bear(boxes[born], labels[born], scores[born], colours[born], mono_s)
        self._planes[mono_s] = plane
        for old_s in list(self._planes)[: -_COAST - 1]:
            del self._planes[old_s]
        return self._tracks(mono_s)

    @property
    def _coasting(self) -> npt.NDArray[np.bool_]:
        """Which confirmed tracks were missed so lately that they are still shown if their patches are found."""
        misses = self._things["misses"]
        return np.asarray(self._things["confirmed"] & (misses > 0) & (misses <= _COAST), np.bool_)

    def _matches(
        self, boxes: Boxes, labels: npt.NDArray[np.int8], colours: Colours, mono_s: float
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Rows of things and, for each, the column of its detection."""
        gone = (mono_s - self._things["seen_s"]).astype(np.float32)
        alike = likeness(self.places(mono_s), self._things["colours"], boxes, colours, gone)
        alike[self._things["label"][:, np.newaxis] != labels] = 0
        return pairs(alike)

    def _miss(self) -> None:
        things = self._things
        things["age"] += 1
        things["misses"] += 1
        things["looks"] = (things["looks"] << 1) & _WINDOW

    def _hit(self, rows: npt.NDArray[np.intp], boxes: Boxes, scores: Floats, colours: Colours, mono_s: float) -> None:
        things = self._things.take(rows)  # a fifth of the cost of indexing with rows
        passed = np.maximum(mono_s - things["seen_s"], 1e-3).astype(np.float32)[:, np.newaxis]
        centres, sizes = _halves(boxes)
        ahead = np.maximum(mono_s - things["at_s"], 0).astype(np.float32)[:, np.newaxis]
        expected = things["centre"] + things["velocity"] * ahead
        second = (things["age"] == 2)[:, np.newaxis]  # the first step gives the whole velocity
        follow, steer = np.where(second, np.float32(1), _FOLLOW_STEER)
        # From hit to hit: a patch that was found in between has moved the thing, and said nothing of its velocity.
        turn = (centres - things["hit_at"]) / passed - things["velocity"]
        things["centre"] = things["hit_at"] = expected + follow * (centres - expected)
        things["velocity"] += steer * turn
        things["size"] += _RESIZE * (sizes - things["size"])
        clear = _covered(boxes, boxes) < 1 + _CROWDED  # each covers itself
        things["colours"] += np.where(clear, np.float32(1 - _COLOUR_KEEP), 0)[:, np.newaxis] * (
            colours - things["colours"]
        )
        things["score"], things["best"] = scores, np.maximum(things["best"], scores)
        things["seen_s"], things["at_s"], things["misses"] = mono_s, mono_s, 0
        things["looks"] |= 1
        if not things["confirmed"].all():
            moved = _length(centres - things["born_at"]) / (_MOVED * sizes[:, 1])
            sure = (things["best"] - self._birth_score) / self._sure_span
            proven = (sure >= 1) | (moved + sure >= _ENOUGH)
            things["confirmed"] |= (_BITS[things["looks"]] >= _HITS) & proven
        _enliven(things, scores >= self._birth_score, mono_s)
        self._things[rows] = things

    def _lose(self, mono_s: float) -> None:
        things = self._things
        known = (things["misses"] >= _LOST_MISSES) & (mono_s - things["seen_s"] > _LOST_S)
        known |= (things["faint"] > _FAINT) & (mono_s - things["lively_s"] > _FAINT_S)
        tentative = (things["misses"] >= _TENTATIVE_MISSES) | (things["age"] > _TRIES)
        lost = np.where(things["confirmed"], known, tentative)
        if lost.any():
            self._things = things.compress(~lost)

    def _bear(
        self, boxes: Boxes, labels: npt.NDArray[np.int8], scores: Floats, colours: Colours, mono_s: float
    ) -> None:
        if not len(boxes):
            return
        born = np.zeros(len(boxes), _THING)
        born["id"] = np.arange(self._last_id + 1, self._last_id + 1 + len(boxes))
        self._last_id += len(boxes)
        born["centre"], born["size"] = _halves(boxes)
        born["born_at"] = born["hit_at"] = born["lively_at"] = born["centre"]
        born["label"], born["colours"] = labels, colours
        born["score"] = born["best"] = scores
        born["seen_s"] = born["at_s"] = born["lively_s"] = mono_s
        born["looks"] = born["age"] = 1
        self._things = np.concatenate([self._things, born])

    def _tracks(self, mono_s: float) -> tuple[Track, ...]:
        things = self._things
        misses = things["misses"]
        things = things.compress(things["confirmed"] & ((misses == 0) | (things["held"] & (misses <= _COAST))))
        boxes = np.minimum(np.maximum(_boxes(*_expected(things, mono_s)), 0), self._limits).round(1).tolist()
        facts = zip(things["id"].tolist(), things["label"].tolist(), boxes, things["score"].tolist(), strict=True)
        return tuple(Track(number, _LABELS[label], Box(*box), round(score, 3)) for number, label, box, score in facts)


def _expected(things: npt.NDArray[Any], mono_s: float) -> tuple[Floats, Floats]:
    """Centres and sizes at that time."""
    ahead = np.minimum(mono_s - things["at_s"], _AHEAD_S).astype(np.float32)[:, np.newaxis]
    return things["centre"] + things["velocity"] * ahead, things["size"]


def _enliven(things: npt.NDArray[Any], sure: npt.NDArray[np.bool_], mono_s: float) -> None:
    """Of things that were hit: whether they are more than something that looks a little like it."""
    lively = sure
    if not sure.all():
        lively = sure | (_length(things["centre"] - things["lively_at"]) >= _MOVED * things["size"][:, 1])
    things["faint"] += 1
    np.copyto(things["faint"], 0, where=lively)
    np.copyto(things["lively_s"], mono_s, where=lively)
    np.copyto(things["lively_at"], things["centre"], where=lively[:, np.newaxis])


def _length(ways: Floats) -> Floats:
    return np.asarray(np.hypot(ways[:, 0], ways[:, 1]), np.float32)


def _boxes(centres: Floats, sizes: Floats) -> Boxes:
    return np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)


def _halves(boxes: Boxes) -> tuple[Floats, Floats]:
    """Centres and sizes."""
    return (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]


def _covered(boxes: Boxes, motion: Boxes) -> Floats:
    """(n,) share of each box that motion covers; areas that overlap count twice, which does no harm."""
    own = np.maximum(boxes[:, 2:] - boxes[:, :2], 1)
    return np.asarray(shared(boxes, motion).sum(axis=1) / (own[:, 0] * own[:, 1]), np.float32)
