"""One and the same thing that stays in a zone: the core of loitering and of the fire lane."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import hypot

from agent.events import Event, JsonValue, Kind
from agent.observations import Box, Observation
from agent.rules.cameras.base import GRACE_S, ZoneRule
from agent.rules.cameras.follow import Followed, Patience, Thing, follow
from agent.rules.cameras.sight import Sight
from agent.rules.step import Input, Moment, Step

_STILL = 0.3
"""What has not left its place by more than this share of its size stands still."""
_SHUFFLE_S = 5.0
"""What is half hidden seems to move, and is back at its place within this time."""


@dataclass(frozen=True, slots=True)
class Stay:
    """`seen_s` is when it was last seen inside and at its `anchor`, where it was at `since_s`."""

    since_s: float
    seen_s: float
    anchor: Box
    proven_s: float = 0.0
    raised: bool = False


@dataclass(frozen=True, slots=True)
class StayState:
    """Stays by the key of the thing followed."""

    sight: Sight = field(default_factory=Sight)
    followed: Followed = field(default_factory=Followed)
    stays: Mapping[int, Stay] = field(default_factory=dict)

    @property
    def raised(self) -> tuple[Stay, ...]:
        return tuple(stay for stay in self.stays.values() if stay.raised)


@dataclass(frozen=True, slots=True, kw_only=True)
class StayRule(ZoneRule):
    """`credit_s` is what a gap between two looks may prove; with `still`, only standing counts."""

    kind: Kind
    patience: Patience
    credit_s: float = GRACE_S
    still: bool = False

    def start(self, now: Moment) -> Step[StayState]:  # noqa: ARG002 - part of the protocol
        return Step(StayState())

    def step(self, state: StayState, given: Input, now: Moment) -> Step[StayState]:
        state = replace(state, sight=state.sight.after(given))
        if state.sight.lost:
            return Step(replace(state, followed=state.followed.unnumbered()))
        if not isinstance(given, Observation) or not given.looked:
            return Step(state)
        at_s, before = min(given.mono_s, now.mono_s), state.raised
        if self.armed(now):
            tracks = [track for track in given.tracks if track.label in self.zone.wanted]
            followed = follow(state.followed, tracks, at_s, self.patience)
            after = replace(state, followed=followed, stays=self._stays(state.stays, followed, at_s))
            if state.sight.blind and (not tracks or (before and not after.raised)):
                return Step(state)
            state = after
        else:
            state = StayState(state.sight)
        if state.raised and not before:
            longest = max(state.raised, key=lambda stay: stay.proven_s)
            data: dict[str, JsonValue] = {"count": len(state.raised), "since_s": round(at_s - longest.since_s, 3)}
            return Step(state, (self.raised(self.kind, at_s, data),))
        if before and not state.raised:
            event: Event = self.restored(self.kind, at_s, max(stay.seen_s - stay.since_s for stay in before))
            return Step(state, (event,))
        return Step(state)

    def describe(self, state: StayState) -> Mapping[str, JsonValue]:
        raised: dict[str, JsonValue] = {self.kind.value: len(state.raised)} if state.raised else {}
        return {"raised": raised, "blind": state.sight.blind}

    def _stays(self, before: Mapping[int, Stay], followed: Followed, at_s: float) -> dict[int, Stay]:
        """A thing that is only missed keeps its stay; one that is seen outside for longer than the grace loses it."""
        kept = {}
        for thing in followed.things:
            stay = before.get(thing.key)
            if thing.missed:
                if stay is not None:
                    kept[thing.key] = stay
            elif self.holds(thing.box):
                kept[thing.key] = self._goes_on(stay, thing, at_s)
            elif stay is not None and at_s - stay.seen_s <= GRACE_S:
                kept[thing.key] = stay
        return kept

    def _goes_on(self, stay: Stay | None, thing: Thing, at_s: float) -> Stay:
        if stay is None:
            return Stay(at_s, at_s, thing.box)
        if self.still and not stay.raised and _moved(stay.anchor, thing.box):
            return stay if at_s - stay.seen_s <= _SHUFFLE_S else Stay(at_s, at_s, thing.box)
        proven_s = stay.proven_s + min(max(at_s - stay.seen_s, 0.0), self.credit_s)
        return replace(stay, seen_s=at_s, proven_s=proven_s, raised=stay.raised or proven_s >= self.zone.lasts_s)


def _moved(anchor: Box, box: Box) -> bool:
    size = max(anchor.right - anchor.left, anchor.bottom - anchor.top, 1.0)
    dx = (box.left + box.right - anchor.left - anchor.right) / 2
    dy = (box.top + box.bottom - anchor.top - anchor.bottom) / 2
    return hypot(dx, dy) > _STILL * size
