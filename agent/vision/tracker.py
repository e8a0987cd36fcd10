"""Follows detections from look to look: constant velocity, overlap, distance and colour; evidence makes a track.

Only what the detector looked at is fed in, so a picture that was not looked at never counts as a miss. For each thing
the mean colours of its upper and its lower half are kept in memory while it is followed, and forgotten with it: they
tell apart two people who cross, and are written, sent and compared nowhere else.

What concerns each with each is done in arrays; what concerns one thing alone, in plain numbers: for the few who are in
a picture, calls of an array library cost more than the sums.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from agent.observations import Box, Track
from agent.vision.pairing import UNLIKE, Colours, Floats, likeness, pairs
from agent.vision.patches import Luma
from agent.vision.thing import Sight, Thing
from models.boxes import boxes_of, corners, overlap, shared
from models.detector import Boxes, Detection

_MOVING_SHARE: Final = 0.3
"""Share of a box that motion must cover for a birth, or for a low score to count."""
_WITHIN = 0.6
"""A thing that lies so far within another that is followed is a part of it."""
_CLAIMED = 0.3
"""Share of a box that must lie where others, who are missed, are expected for it to be theirs as well as his."""
_MISSED = 3
"""Looks without a hit for which a track is still worth a closer look."""
_ON = 0.4
"""Overlap from which something may well be what is followed there."""
_CROWDED = 0.15
"""A thing learns no colours where others cover so much of it."""


class Tracker:
    """Of one camera, whose picture is `width` by `height`; a score of `confident` needs no movement to be believed."""

    def __init__(self, *, width: int, height: int, birth_score: float, confident: float) -> None:
        self._limits = np.array([width, height, width, height], np.float32)
        self._birth_score = birth_score
        self._confident = confident
        self._sure_span = max(confident - birth_score, 1e-3)
        self._things: list[Thing] = []
        self._last_id = 0

    @property
    def alive(self) -> bool:
        """Whether a confirmed track is being followed, seen at the last look or not."""
        return any(thing.confirmed for thing in self._things)

    @property
    def curious(self) -> bool:
        """Whether a new track waits for its confirmation, so that another look at once pays."""
        return any(thing.promising for thing in self._things)

    @property
    def doubtful(self) -> bool:
        """Whether a confirmed track was missed at the last look."""
        return any(thing.confirmed and thing.misses > 0 for thing in self._things)

    def places(self, mono_s: float) -> Boxes:
        """(n, 4) where everything that is followed, confirmed or not, should be."""
        return boxes_of([thing.expected(mono_s) for thing in self._things])

    def missing(self, boxes: Boxes, mono_s: float) -> Boxes:
        """(n, 4) where confirmed tracks should be that were seen lately and that none of `boxes` lies on."""
        followed = [thing for thing in self._things if thing.confirmed and thing.misses < _MISSED]
        places = boxes_of([thing.expected(mono_s) for thing in followed])
        return np.asarray(places[overlap(places, boxes).max(axis=1, initial=0) < _ON], np.float32)

    def predict(self, mono_s: float) -> tuple[Track, ...]:
        """Where the tracks that are shown should be by now."""
        shown = [thing for thing in self._things if thing.shown]
        boxes = np.minimum(np.maximum(boxes_of([thing.expected(mono_s) for thing in shown]), 0), self._limits)
        facts = zip(shown, boxes.round(1).tolist(), strict=True)
        return tuple([Track(thing.id, thing.label, Box(*box), round(thing.score, 3)) for thing, box in facts])

    def follow(self, plane: Luma, mono_s: float) -> None:
        """Correct where tracks are by a picture, at half its size, that the detector does not look at."""
        for thing in self._things:
            if thing.confirmed:
                thing.find(plane, mono_s)

    def update(
        self, seen: Sequence[Detection], colours: Colours, motion: Boxes, mono_s: float, plane: Luma, *, whole: bool
    ) -> tuple[Track, ...]:
        """Take in one look: a row of `colours` for each detection, where something moved lately, the picture at half
        its size, and whether the whole of it was looked at. Returns the confirmed tracks that are seen.
        """
        sights = self._believed(seen, colours, motion)
        boxes = boxes_of([sight.found.box for sight in sights])
        partners = self._partners(sights, boxes, mono_s)
        covered = _covered(boxes, boxes.take(list(partners.values()), axis=0)).tolist()
        missed = [thing for row, thing in enumerate(self._things) if row not in partners and thing.confirmed]
        claimed = _covered(boxes, boxes_of([thing.expected(mono_s) for thing in missed])).tolist()
        for thing in self._things:
            thing.miss()
        for row, column in partners.items():
            crowded = covered[column] >= 1 + _CROWDED  # each covers itself
            self._things[row].hit(sights[column], plane, mono_s, crowded=crowded, doubted=claimed[column] >= _CLAIMED)
        self._things = [thing for thing in self._things if not thing.lost(mono_s)]
        for thing in self._things:
            if thing.coasting:
                thing.find(plane, mono_s)
        known = set(partners.values())
        new = [sight for n, sight in enumerate(sights) if n not in known and covered[n] < _WITHIN]
        for sight in self._convincing(new, motion, whole=whole):
            self._last_id += 1
            self._things.append(Thing(self._last_id, sight, plane, mono_s))
        return self.predict(mono_s)

    def _believed(self, seen: Sequence[Detection], colours: Colours, motion: Boxes) -> list[Sight]:
        """What counts in a look: a low score only where something moves."""
        sights = [
            Sight(found, (found.score - self._birth_score) / self._sure_span, worn)
            for found, worn in zip(seen, colours.tolist(), strict=True)
        ]
        weak = [sight for sight in sights if sight.sure < 0]
        return [sight for sight in sights if sight.sure >= 0] + _moving(weak, motion)

    def _partners(self, sights: Sequence[Sight], boxes: Boxes, mono_s: float) -> dict[int, int]:
        """Which thing, by its place in the list, was seen as which of `sights`."""
        things = self._things
        if not things or not sights:
            return {}
        kept = np.array([thing.colours for thing in things], np.float32)
        colours = np.array([sight.colours for sight in sights], np.float32)
        gone_s = [mono_s - thing.seen_s for thing in things]
        scores = [sight.found.score for sight in sights]
        alike = likeness(self.places(mono_s), kept, boxes, colours, scores, gone_s)
        labels, to_labels = [thing.label for thing in things], [sight.found.label for sight in sights]
        if len({*labels, *to_labels}) > 1:
            alike[np.array(labels)[:, np.newaxis] != np.array(to_labels)] = UNLIKE
        return pairs(alike)

    def _convincing(self, new: Sequence[Sight], motion: Boxes, *, whole: bool) -> list[Sight]:
        """What a thing is born of."""
        # In a part of the picture, larger, what stands there looks like anything.
        enough = self._confident if whole else float("inf")
        sure = [sight for sight in new if sight.found.score >= enough]
        return sure + _moving([sight for sight in new if sight.sure >= 0 and sight.found.score < enough], motion)


def _moving(sights: Sequence[Sight], motion: Boxes) -> list[Sight]:
    """Those where something moves."""
    if not sights:
        return []
    covered = _covered(boxes_of([sight.found.box for sight in sights]), motion).tolist()
    return [sight for sight, share in zip(sights, covered, strict=True) if share >= _MOVING_SHARE]


def _covered(boxes: Boxes, others: Boxes) -> Floats:
    """(n,) share of each box that others cover; areas that overlap count twice, which does no harm."""
    low, high = corners(boxes)
    own = np.maximum(high - low, 1)
    return np.asarray(shared(boxes, others).sum(axis=1) / (own[0] * own[1]), np.float32)
