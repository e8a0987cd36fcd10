"""A door: who may pass, for how long it stays unlocked, and whether it was forced or held open.

Precedence: fire, then a request to exit, then lockdown, the interlock, the schedule, and last a card or an order;
nothing inhibits egress. The lock's output is on while the door is unlocked. An alarm belongs to one run of the rule:
started afresh, it raises again what it finds, and what `standing` says that nobody has ended.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agent.events import JsonValue
from agent.rules.doors import contact, entry, lock, orders, release
from agent.rules.doors.access import Access, Calendar
from agent.rules.doors.state import DoorState, Standing
from agent.rules.doors.turn import Turn, busy_ref, passed_ref, switch
from agent.rules.passage import Fact
from agent.rules.step import Group, Input, Moment, Order, Step
from agent.settings import Door, PinMode
from drivers.base import (
    Card,
    DeviceId,
    DeviceState,
    Keys,
    Output,
    PointId,
    PointRef,
    Quality,
    Reading,
    Status,
    point_ref,
)


@dataclass(frozen=True, slots=True)
class DoorRule:
    door: Door
    access: Access
    calendar: Calendar
    standing: Callable[[str], Standing] = lambda _: Standing()
    cameras: frozenset[DeviceId] = frozenset()
    group: Group = Group.DOOR

    @property
    def id(self) -> str:
        return self.door.id

    @property
    def points(self) -> frozenset[PointRef]:
        door = self.door
        named = {door.contact, door.rex, door.fire, door.fire_reset, self._reader("card")}
        if door.pin is PinMode.CARD_AND_PIN:
            named.add(self._reader("keys"))
        if door.interlock is not None:
            named.add(busy_ref(door.interlock))
        if door.anti_passback_s:
            named.add(passed_ref(door))
        return frozenset(PointRef(point) for point in named if point is not None)

    @property
    def devices(self) -> frozenset[DeviceId]:
        """The lock's: what comes back after a failure is put in order again. And the reader."""
        reader = () if self.door.reader is None else (DeviceId(self.door.reader),)
        return frozenset({self._lock_device, *reader})

    @property
    def doors(self) -> frozenset[str]:
        return frozenset({self.door.id})

    @property
    def safe(self) -> tuple[Output, ...]:
        outputs = (self.door.lock, self.door.sounder)
        return tuple(switch(output, on=False) for output in outputs if output is not None)

    def start(self, now: Moment) -> Step[DoorState]:
        """An interlock partner counts as unlocked until it has told what it is."""
        turn = Turn(self.door, DoorState(partner_busy=self.door.interlock is not None), now)
        turn.assert_lock = True
        release.resume(turn, self.standing(self.door.id))
        return self._end(turn)

    def step(self, state: DoorState, given: Input, now: Moment) -> Step[DoorState]:
        turn = Turn(self.door, state, now)
        entry.note_time(turn)
        contact.note_time(turn)
        match given:
            case Reading():
                self._reading(turn, given)
            case Order():
                if given.door == self.door.id:
                    orders.carry_out(turn, given)
            case Status():
                self._status(turn, given)
            case _:
                pass  # a Tick, or an Observation: only the time matters
        return self._end(turn)

    def describe(self, state: DoorState) -> Mapping[str, JsonValue]:
        """Who passes and how stays out of it; so does duress."""
        return {
            "unlocked": state.lock.on_until_s is not None,
            "why": None if state.why is None else state.why.value,
            "open": state.contact.open,
            "forced": state.contact.forced,
            "held": state.contact.held,
            "fire": state.release.fire,
            "lockdown": state.release.lockdown,
            "reader_offline": state.reader_offline,
            "reader_locked_out": state.entry.locked_out_until_s is not None,
        }

    def _end(self, turn: Turn) -> Step[DoorState]:
        """Let the schedule have its say, then move the lock, then tell the partner."""
        release.follow_schedule(turn, self.calendar)
        lock.drive(turn)
        contact.set_timers(turn)
        busy = turn.lock.on_until_s is not None or bool(turn.contact.open)
        if busy is not turn.busy and (turn.door.interlock or turn.door.tailgating) is not None:
            turn.tell(busy_ref(self.door.id), busy)
        turn.busy = busy
        opened, free = bool(turn.contact.open), release.is_free(turn)
        if opened is not turn.told_open:
            turn.tell_passage(Fact.OPEN, opened)
        if free is not turn.told_free:
            turn.tell_passage(Fact.FREE, free)
        turn.told_open, turn.told_free = opened, free
        return Step(turn.state, tuple(turn.events), turn.actions, _wake_at(turn), tuple(turn.tells))

    @property
    def _lock_device(self) -> DeviceId:
        return DeviceId(self.door.lock.partition("/")[0])

    def _reader(self, point: str) -> PointRef | None:
        return None if self.door.reader is None else point_ref(DeviceId(self.door.reader), PointId(point))

    def _status(self, turn: Turn, status: Status) -> None:
        if status.device == self._lock_device and status.state is DeviceState.OK:
            turn.assert_lock = True
        if status.device == self.door.reader:
            turn.reader_offline = status.state is DeviceState.FAULT
            if turn.reader_offline:
                entry.forget(turn)

    def _reading(self, turn: Turn, reading: Reading) -> None:
        if reading.quality is Quality.BAD:
            return
        at_s = min(turn.now_s, reading.mono_s)
        match reading.value:
            case Card() as card if reading.ref == self._reader("card"):
                verdict = self.access.decide(card, self.door.id, turn.utc, self.door.no_clock.value)
                entry.card(turn, card, verdict, at_s)
            case Keys(digits) if reading.ref == self._reader("keys"):
                entry.keys(turn, digits, self.access, at_s)
            case bool() as on:
                self._truth(turn, reading.ref, on, at_s)
            case str() as reference if self.door.anti_passback_s and reading.ref == passed_ref(self.door):
                entry.heard(turn, reference, at_s)

    def _truth(self, turn: Turn, ref: PointRef, on: bool, at_s: float) -> None:
        door = self.door
        if ref == door.fire:
            release.fire_input(turn, on, at_s)
        elif ref == door.rex:
            release.request_to_exit(turn, on, at_s)
        elif ref == door.contact:
            _contact(turn, on, at_s)
        elif ref == door.fire_reset:
            if on:
                release.reset_fire(turn, "key switch", at_s)
        elif door.interlock is not None and ref == busy_ref(door.interlock):
            release.partner(turn, busy=on)


def _contact(turn: Turn, is_open: bool, at_s: float) -> None:
    if is_open == turn.contact.open:
        return
    if is_open:
        contact.opened(turn, at_s)
        entry.opened(turn, at_s)
        release.opened(turn)
    else:
        contact.closed(turn, at_s)
        release.relock_after_passage(turn)


def _wake_at(turn: Turn) -> float | None:
    waiting = turn.entry.waiting
    wishes = (
        lock.wake_at(turn),
        turn.contact.warn_at_s,
        turn.contact.held_at_s,
        turn.entry.locked_out_until_s,
        None if waiting is None else waiting.until_s,
        turn.look_again_s,
    )
    return min((wish for wish in wishes if wish is not None), default=None)
