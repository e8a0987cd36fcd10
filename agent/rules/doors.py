"""A door: who may pass, for how long it stays unlocked, and whether it was forced or held open.

Precedence: a request to exit goes before everything and nothing inhibits it; a person's order goes before the
clock; a card only ever unlocks. The lock's output is on while the door is unlocked. An alarm belongs to one run
of the rule: started afresh, it raises again what it finds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf
from typing import Protocol, assert_never

from agent.events import Event, JsonValue, Kind
from agent.rules.step import Group, Input, Moment, Order, Step, Verb
from agent.settings import Door
from drivers.base import (
    Card,
    Cue,
    DeviceId,
    DeviceState,
    Output,
    PointId,
    PointRef,
    Quality,
    Reading,
    Signal,
    Status,
    Switch,
    point_ref,
)

GRACE_S = 0.75
"""After relocking the door may still open unforced: it was moving, or its contact is polled or debounced."""
RELOCK_S = 0.5
"""From the door's closing to relocking: the latch must have fallen in."""
RENEW = 0.5
"""A held request to exit renews the unlocking when this part of the unlock time is left."""


class Verdict(Protocol):
    """What the card list says; `reference` stands for the card wherever its number must not."""

    @property
    def granted(self) -> bool: ...

    @property
    def reason(self) -> str | None:
        """Why not; None when granted."""
        ...

    @property
    def reference(self) -> str: ...


class Access(Protocol):
    """Who may pass where. Answers from memory, at once, and to the same question the same."""

    def decide(self, card: Card, door: str, now_utc: datetime | None) -> Verdict: ...


@dataclass(frozen=True, slots=True)
class DoorState:
    """`None` in `open` is a contact not heard of yet; `held_at` is when an open door becomes a held one."""

    unlocked_until: float | None = None
    passed: bool = False
    """It was opened since it was last unlocked."""
    may_open_until: float = -inf
    rex: bool = False
    open: bool | None = None
    opened_at: float = 0.0
    held_at: float | None = None
    forced: bool = False
    held: bool = False
    tampered: bool = False


@dataclass(frozen=True, slots=True)
class DoorRule:
    door: Door
    access: Access
    cameras: frozenset[DeviceId] = frozenset()
    group: Group = Group.DOOR

    @property
    def id(self) -> str:
        return self.door.id

    @property
    def points(self) -> frozenset[PointRef]:
        named = {self.door.contact, self.door.rex, self._reader("card"), self._reader("tamper")}
        return frozenset(PointRef(point) for point in named if point is not None)

    @property
    def devices(self) -> frozenset[DeviceId]:
        """The lock's: what comes back after a failure is put in order again."""
        return frozenset({self._lock[0]})

    @property
    def doors(self) -> frozenset[str]:
        return frozenset({self.door.id})

    @property
    def safe(self) -> tuple[Output, ...]:
        return (Switch(*self._lock, on=False),)

    def start(self, now: Moment) -> Step[DoorState]:  # noqa: ARG002 - part of the protocol
        return Step(DoorState(), actions=self.safe)

    def step(self, state: DoorState, given: Input, now: Moment) -> Step[DoorState]:
        turn = _Turn(self.door, self._lock, state, now.mono_s)
        turn.note_held()
        match given:
            case Reading():
                self._reading(turn, given, now)
            case Order():
                if given.door == self.door.id:
                    turn.order(given)
            case Status():
                if given.device == self._lock[0] and given.state is DeviceState.OK:
                    turn.assert_lock()
            case _:
                pass  # a Tick, or an Observation: only the time matters
        turn.let_time_pass()
        return Step(turn.state, tuple(turn.events), tuple(turn.actions), turn.wake_at())

    def describe(self, state: DoorState) -> Mapping[str, JsonValue]:
        return {
            "unlocked": state.unlocked_until is not None,
            "open": state.open,
            "forced": state.forced,
            "held": state.held,
            "reader_tampered": state.tampered,
        }

    @property
    def _lock(self) -> tuple[DeviceId, PointId]:
        device, _, point = self.door.lock.partition("/")
        return DeviceId(device), PointId(point)

    def _reader(self, point: str) -> PointRef | None:
        return None if self.door.reader is None else point_ref(DeviceId(self.door.reader), PointId(point))

    def _reading(self, turn: "_Turn", reading: Reading, now: Moment) -> None:
        if reading.quality is Quality.BAD:
            return
        at_s = min(reading.mono_s, now.mono_s)
        if isinstance(reading.value, Card):
            if reading.ref == self._reader("card"):
                turn.card(reading.value, self.access.decide(reading.value, self.door.id, now.utc), at_s)
        elif isinstance(reading.value, bool):
            if reading.ref == self.door.rex:
                turn.request_to_exit(reading.value, at_s)
            elif reading.ref == self.door.contact:
                turn.contact(reading.value, at_s)
            elif reading.ref == self._reader("tamper"):
                turn.tamper(reading.value, at_s)


class _Turn:
    """One step in the making: the state so far, and what it brings about."""

    def __init__(self, door: Door, lock: tuple[DeviceId, PointId], state: DoorState, now_s: float) -> None:
        self.door = door
        self.state = state
        self.events: list[Event] = []
        self.actions: list[Output] = []
        self._lock = lock
        self._now_s = now_s

    def card(self, card: Card, verdict: Verdict, at_s: float) -> None:
        assert self.door.reader is not None, "a card comes by a reader"
        facts: dict[str, JsonValue] = {"card": verdict.reference, "bits": card.bits, "reader": self.door.reader}
        if verdict.granted:
            self._unlock()
            self._say(Kind.ACCESS_GRANTED, at_s, {"by": "card", **facts})
        else:
            self._say(Kind.ACCESS_DENIED, at_s, {"reason": verdict.reason, **facts})
        cue = Cue.GRANTED if verdict.granted else Cue.DENIED
        self.actions.append(Signal(DeviceId(self.door.reader), cue))

    def order(self, order: Order) -> None:
        match order.verb:
            case Verb.UNLOCK:
                self._unlock()
                self._say(Kind.ACCESS_GRANTED, self._now_s, {"by": "order", "origin": order.origin})
            case Verb.LOCK:
                if not self.state.rex:
                    self._relock()
            case _:
                assert_never(order.verb)

    def request_to_exit(self, wanted: bool, at_s: float) -> None:
        before, self.state = self.state, replace(self.state, rex=wanted)
        if wanted:
            self._unlock()
            if not before.rex:
                self._say(Kind.EGRESS, at_s, {})
        elif before.rex:
            self.state = replace(self.state, may_open_until=max(before.may_open_until, self._now_s + GRACE_S))
            self._relock_soon_after_passage()

    def contact(self, is_open: bool, at_s: float) -> None:
        before = self.state
        if is_open == before.open:
            return
        self.state = replace(before, open=is_open)
        if is_open:
            self._opened(before, at_s)
        elif before.open:
            self._closed(before, at_s)

    def tamper(self, tampered: bool, at_s: float) -> None:
        if tampered != self.state.tampered:
            self.state = replace(self.state, tampered=tampered)
            kind = Kind.READER_TAMPER if tampered else Kind.READER_TAMPER_RESTORED
            self._say(kind, at_s, {"reader": self.door.reader})

    def assert_lock(self) -> None:
        until = self.state.unlocked_until
        if until is None or until <= self._now_s:
            self._switch_off()
        else:
            self.actions.append(Switch(*self._lock, on=True, for_s=until - self._now_s))

    def note_held(self) -> None:
        held_at = self.state.held_at
        if held_at is not None and held_at <= self._now_s:
            self.state = replace(self.state, held=True, held_at=None)
            self._say(Kind.DOOR_HELD, held_at, {"open_s": round(held_at - self.state.opened_at, 3)})

    def let_time_pass(self) -> None:
        """Renew or end the unlocking where its time has come."""
        if self.state.unlocked_until is None:
            return
        if self.state.rex and self._renew_at(self.state.unlocked_until) <= self._now_s:
            self._unlock()
        elif self.state.unlocked_until <= self._now_s:
            self._relock()

    def wake_at(self) -> float | None:
        state, wishes = self.state, []
        if state.unlocked_until is not None:
            wishes.append(self._renew_at(state.unlocked_until) if state.rex else state.unlocked_until)
        if state.held_at is not None:
            wishes.append(state.held_at)
        return min(wishes, default=None)

    def _opened(self, before: DoorState, at_s: float) -> None:
        allowed = before.rex or at_s <= before.may_open_until or before.open is None
        self.state = replace(
            self.state,
            opened_at=self._now_s,
            held_at=self._now_s + self.door.held_s,
            forced=not allowed,
            passed=before.unlocked_until is not None,
        )
        if before.open is not None:
            self._say(Kind.DOOR_OPENED, at_s, {})
        if not allowed:
            self._say(Kind.DOOR_FORCED, at_s, {})

    def _closed(self, before: DoorState, at_s: float) -> None:
        open_s = round(self._now_s - before.opened_at, 3)
        self.state = replace(self.state, held_at=None, forced=False, held=False)
        self._say(Kind.DOOR_CLOSED, at_s, {"open_s": open_s})
        if before.forced:
            self._say(Kind.DOOR_FORCED_RESTORED, at_s, {"open_s": open_s})
        if before.held:
            self._say(Kind.DOOR_HELD_RESTORED, at_s, {"open_s": open_s})
        self._relock_soon_after_passage()

    def _unlock(self) -> None:
        until = max(self.state.unlocked_until or 0.0, self._now_s + self.door.unlock_s)
        self.state = replace(self.state, unlocked_until=until, may_open_until=until + GRACE_S, passed=False)
        self.actions.append(Switch(*self._lock, on=True, for_s=until - self._now_s))

    def _relock_soon_after_passage(self) -> None:
        """Whoever was let in has come and gone; a second grant while the door stood open still counts."""
        state = self.state
        if state.unlocked_until is not None and state.passed and not state.open and not state.rex:
            until = min(state.unlocked_until, self._now_s + RELOCK_S)
            self.state = replace(state, unlocked_until=until, may_open_until=until + GRACE_S)

    def _relock(self) -> None:
        self.state = replace(
            self.state,
            unlocked_until=None,
            passed=False,
            may_open_until=min(self.state.may_open_until, self._now_s + GRACE_S),
        )
        self._switch_off()

    def _switch_off(self) -> None:
        self.actions.append(Switch(*self._lock, on=False))

    def _renew_at(self, until_s: float) -> float:
        return until_s - self.door.unlock_s * RENEW

    def _say(self, kind: Kind, at_s: float, data: Mapping[str, JsonValue]) -> None:
        self.events.append(Event(kind, self.door.id, at_s, data))
