"""Who crosses a line, and which way: the core of line counting and of tailgating.

A thing has a side only once its foot is clearly off the line, so one that dances on it never counts; and it crosses
only where its way passes between the line's ends. One that is first seen on the line has come from nowhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agent.observations import Label, Track
from agent.rules.cameras.base import foot
from agent.rules.cameras.follow import Followed, Patience, Thing, follow
from agent.rules.cameras.geometry import depth, goes_through
from agent.settings.cameras import Line, Point

_CLEAR = 0.12
_CLEAR_PX = 3.0
"""Clearly off the line is this share of a thing's height, and at least so many pixels."""
_PATIENCE = Patience(heir_s=2.0, gone_s=2.0, speed=0.8)


@dataclass(frozen=True, slots=True)
class Walk:
    """`inside` is the side on which the thing last was clearly, None before it was on either.

    `at` is where it was last seen, `through` whether its last step over the endless line was between the ends.
    """

    inside: bool | None
    at: Point
    through: bool = False


@dataclass(frozen=True, slots=True)
class Crossing:
    """`key` is the thing's within this rule."""

    key: int
    label: Label
    inwards: bool


@dataclass(frozen=True, slots=True)
class Walks:
    followed: Followed = field(default_factory=Followed)
    walks: Mapping[int, Walk] = field(default_factory=dict)

    def forgotten(self) -> "Walks":
        """The camera begins anew: nobody is followed any more, and no key comes again."""
        return Walks(Followed(next_key=self.followed.next_key))


def walk(
    before: Walks, line: Line, picture: Point, tracks: Sequence[Track], at_s: float
) -> tuple[Walks, list[Crossing]]:
    """Take in one look: everything that crossed the line since the one before."""
    wanted = [track for track in tracks if track.label in line.labels]
    followed = follow(before.followed, wanted, at_s, _PATIENCE)
    walks: dict[int, Walk] = {}
    crossings = []
    for thing in followed.things:
        last = before.walks.get(thing.key)
        if thing.missed:
            if last is not None:
                walks[thing.key] = last
            continue
        walks[thing.key] = now = _step(last, line, picture, thing)
        if last is not None and last.inside is not None and now.inside is not last.inside and now.through:
            crossings.append(Crossing(thing.key, thing.label, inwards=bool(now.inside)))
    return Walks(followed, walks), crossings


def _step(last: Walk | None, line: Line, picture: Point, thing: Thing) -> Walk:
    at = foot(thing.box, picture)
    deep = depth(line, at)
    clear = abs(deep) >= max(_CLEAR_PX, _CLEAR * (thing.box.bottom - thing.box.top))
    if last is None:
        return Walk(deep > 0 if clear else None, at)
    stepped_over = (depth(line, last.at) > 0) is not (deep > 0)
    through = goes_through(line, last.at, at) if stepped_over else last.through
    return Walk(deep > 0 if clear else last.inside, at, through)
