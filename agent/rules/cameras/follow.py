"""Follows things over many looks, also when the tracker loses one and finds it again under another number.

A track's number holds within one run of the camera process only; a thing's key is the rule's own. Nothing is kept of a
thing but where it was and when.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import hypot

from agent.observations import Box, Label, Track

_MISSES = 3
"""Looks in a row that must have missed a thing before it is gone."""
_REACH = 0.5
"""A new track continues a lost thing that it appears within so many heights of."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long after it was last seen a thing may go on under another number, and when it is gone for good.

    `speed` is in heights a second. What `stands` goes on at its place for as long as no look has missed it.
    """

    heir_s: float
    gone_s: float
    speed: float = 0.0
    stands: bool = False


@dataclass(frozen=True, slots=True)
class Thing:
    """`missed` looks since `missed_s` did not see it; both are of the looks after the last that did."""

    key: int
    track: int | None
    label: Label
    box: Box
    seen_s: float
    missed: int = 0
    missed_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Followed:
    things: tuple[Thing, ...] = ()
    next_key: int = 1

    def unnumbered(self) -> "Followed":
        """The camera begins anew: its numbers mean other things from now on."""
        return replace(self, things=tuple(replace(thing, track=None) for thing in self.things))


def follow(before: Followed, tracks: Sequence[Track], at_s: float, patience: Patience) -> Followed:
    """Take in one look."""
    heirs = _continued(before.things, tracks, at_s, patience)
    kept = []
    for thing in before.things:
        track = heirs.get(thing.key)
        if track is not None:
            kept.append(replace(thing, track=track.id, box=track.box, seen_s=at_s, missed=0))
            continue
        missed = replace(thing, missed=thing.missed + 1, missed_s=thing.missed_s if thing.missed else at_s)
        if missed.missed < _MISSES or at_s - missed.missed_s < patience.gone_s:
            kept.append(missed)
    key = before.next_key
    known = {id(track) for track in heirs.values()}
    for track in tracks:
        if id(track) not in known:
            kept.append(Thing(key, track.id, track.label, track.box, at_s))
            key += 1
    return Followed(tuple(kept), key)


def _continued(things: Sequence[Thing], tracks: Sequence[Track], at_s: float, patience: Patience) -> dict[int, Track]:
    """Which track each thing goes on as: its own number first, then the nearest new one."""
    numbers = {(track.id, track.label): track for track in tracks}
    found = {
        thing.key: numbers[thing.track, thing.label]
        for thing in things
        if thing.track is not None and (thing.track, thing.label) in numbers
    }
    taken = {id(track) for track in found.values()}
    pairs = []
    for thing in things:
        reach = _reach(thing, at_s, patience)
        for number, track in enumerate(tracks):
            if thing.key in found or id(track) in taken or track.label is not thing.label:
                continue
            apart = _apart(thing.box, track.box)
            if reach is not None and apart <= reach:
                pairs.append((apart, thing.key, number))
    for _, key, number in sorted(pairs):
        track = tracks[number]
        if key not in found and id(track) not in taken:
            found[key] = track
            taken.add(id(track))
    return found


def _reach(thing: Thing, at_s: float, patience: Patience) -> float | None:
    """How near, in heights, a new track must be to a lost thing; None: it is too late."""
    lost_s = at_s - thing.seen_s
    if patience.stands:
        lost_s = at_s - thing.missed_s if thing.missed else 0.0
    return _REACH + patience.speed * lost_s if lost_s <= patience.heir_s else None


def _apart(one: Box, other: Box) -> float:
    """Distance of the middles, in heights of the larger."""
    height = max(one.bottom - one.top, other.bottom - other.top, 1.0)
    dx = (one.left + one.right - other.left - other.right) / 2
    dy = (one.top + one.bottom - other.top - other.bottom) / 2
    return hypot(dx, dy) / height
