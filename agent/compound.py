"""The one place where inputs meet rules and rules move outputs.

Readings, states, observations and orders come in by a bounded queue; each is given to the rules it concerns; what
they decide is applied to the devices first and only then recorded, so that no journal ever delays a door. Runs on
the loop's thread, without locks; `record` and the other hooks take what they are given at once.
"""

import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from agent.events import Event, JsonValue, Kind
from agent.inbox import Inbox
from agent.observations import Observation, View
from agent.outputs import Outputs
from agent.rules.step import AnyRule, Group, Input, Moment, Order, Step, Tick, Verb
from agent.settings import Settings
from agent.supervisor import Boundary
from agent.telemetry import Thinning
from drivers.base import (
    Card,
    Clock,
    Device,
    DeviceId,
    Keys,
    Output,
    PointRef,
    Reading,
    Report,
    Status,
)

QUEUE = 4096
"""Inputs that may wait: seconds of everything a compound can say."""
BATCH = 64
"""Inputs taken before the timers and the rest of the loop have their turn."""
RESTART_S = 5.0
"""A rule that failed starts afresh after this."""
_SHOWN = tuple(group for group in Group if group not in (Group.READER, Group.DEVICE))
"""Rules that describe themselves in a snapshot; of readers and devices it shows their own state."""
_OUTLIVES = frozenset({Verb.LOCKDOWN, Verb.END_LOCKDOWN, Verb.RESET_FIRE})
"""Orders that count beyond the end of the process; others only move outputs."""
WELL_AFTER_S = 60.0
"""A rule that ran this long was well: its next failure is an event again."""


@dataclass(slots=True, eq=False)
class _Slot:
    """A rule, its state, and what was asked of it once, before it could fail."""

    rule: AnyRule
    id: str
    group: Group
    safe: tuple[Output, ...]
    state: Any = None  # known to the rule alone; None before its start
    wake_at: float | None = None
    begun_s: float = 0.0
    failed: bool = False
    reported: bool = False


class Compound:
    """Steps the rules of one compound. `record` gets every event, `on_status` every change of a device's state,
    `on_reading` the readings worth keeping; all three must return at once.
    """

    def __init__(
        self,
        settings: Settings,
        rules: Iterable[AnyRule],
        devices: Iterable[Device],
        clock: Clock,
        *,
        record: Callable[[Event], object],
        on_status: Callable[[Status], object] = lambda _: None,
        on_reading: Callable[[Reading], object] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._record = record
        self._on_status = on_status
        self._on_reading = on_reading
        self._thinning = Thinning(settings.storage.telemetry_every_s)
        self._inbox = Inbox(QUEUE)
        self._slots = [_Slot(rule, rule.id, rule.group, rule.safe) for rule in rules]
        self._routes = _routes(self._slots)
        self._outputs = Outputs(devices, clock, self._inbox.put)
        self._timers: list[tuple[float, int, _Slot]] = []
        self._timer_order = itertools.count()
        self._latest: dict[PointRef, Reading] = {}
        self._states: dict[DeviceId, Status] = {}
        self._told: deque[Reading] = deque()
        self._facts: dict[PointRef, Reading] = {}
        """What rules last told one another, truth values only: a name that was told is not kept."""
        self._decided: list[Event] = []
        self._measured: list[Reading] = []

    # ------------------------------------------------------------ in

    def emit(self, report: Report) -> None:
        """Takes a device's report; what happens when the queue is full says `Inbox`."""
        self._inbox.put(report)

    def observe(self, seen: Observation | View) -> None:
        self._inbox.put(seen)

    def order(self, order: Order) -> None:
        """Raises: KeyError when there is no such door."""
        if _address(order) not in self._routes:
            raise KeyError(order.door)
        self._inbox.put(order)

    # ------------------------------------------------------------ life

    async def run(self) -> None:
        """Starts the rules and steps them until cancelled."""
        now = self._now()
        for slot in self._slots:
            self._begin(slot, now)
        self._flush()
        while True:
            self._take(BATCH)
            self._wake()
            if len(self._inbox):
                await self._clock.sleep(0)
            else:
                await self._rest()

    def stop_acting(self) -> None:
        """From now on no output is moved: devices are about to put theirs in their safe state."""
        self._outputs.stop()

    def drain(self) -> None:
        """Once `run` has ended: steps the rules through what still waits, so that it is recorded."""
        self._take(QUEUE)

    def snapshot(self) -> Mapping[str, JsonValue]:
        """What is known now, as plain data."""
        now_s = self._clock.mono_s()
        rules: dict[str, dict[str, JsonValue]] = {group: {} for group in _SHOWN}
        for slot in self._slots:
            if slot.group in rules:
                rules[slot.group][slot.id] = self._describe(slot)
        return {
            "devices": {
                device: {"state": s.state.value, "reason": s.reason, "hint": s.hint, "for_s": _ago(now_s, s.mono_s)}
                for device, s in self._states.items()
            },
            "readings": {
                ref: {"value": _plain(r), "quality": r.quality.value, "age_s": _ago(now_s, r.mono_s)}
                for ref, r in self._latest.items()
            },
            **{f"{group}s": found for group, found in rules.items()},
            "rules_failed": [slot.id for slot in self._slots if slot.failed],
            "queue": {"waiting": len(self._inbox), "dropped": self._inbox.dropped},
        }

    # ------------------------------------------------------------ steps

    def _take(self, most: int) -> None:
        for _ in range(most):
            given = self._inbox.take()
            if given is None:
                return
            self._handle(given)

    def _handle(self, given: Input) -> None:
        if isinstance(given, Order) and self._outputs.stopped and given.verb not in _OUTLIVES:
            return  # nobody may hear that it was done
        now = self._now()
        self._remember(given)
        for slot in self._routes.get(_address(given), ()):
            self._step(slot, given, now)
            self._pass_on(now)
        self._flush()
        if isinstance(given, Status):
            self._on_status(given)
        elif isinstance(given, Reading) and self._thinning.keep(given):
            self._on_reading(given)

    def _now(self) -> Moment:
        return Moment(self._clock.mono_s(), self._clock.utc())

    def _step(self, slot: _Slot, given: Input, now: Moment) -> None:
        if not slot.failed and slot.state is not None:
            self._carry_out(slot, lambda: slot.rule.step(slot.state, given, now), now)

    def _begin(self, slot: _Slot, now: Moment) -> None:
        """Start a rule, and tell it what is known already; others hear of each of its steps before the next."""
        slot.failed, slot.begun_s = False, now.mono_s
        self._carry_out(slot, lambda: slot.rule.start(now), now)
        self._pass_on(now)
        known: list[Input] = [s for device, s in self._states.items() if device in slot.rule.devices]
        known += [r for facts in (self._latest, self._facts) for ref, r in facts.items() if ref in slot.rule.points]
        for given in known:
            self._step(slot, given, now)
            self._pass_on(now)

    def _carry_out(self, slot: _Slot, ask: Callable[[], Step[Any]], now: Moment) -> None:
        """Move the outputs at once; what is to be told or recorded waits for `_pass_on` and `_flush`."""
        step: Step[Any] | None = None
        with Boundary(f"rule {slot.id}", lambda problem: self._fail(slot, problem, now)):
            step = ask()
        if step is None:
            return
        slot.state = step.state
        self._plan(slot, step.wake_at)
        for action in step.actions:
            self._outputs.apply(action)
        self._decided += step.events
        self._told += step.tells
        self._measured += step.readings

    def _fail(self, slot: _Slot, problem: str, now: Moment) -> None:
        if now.mono_s - slot.begun_s >= WELL_AFTER_S:
            slot.reported = False
        slot.failed = True
        self._plan(slot, now.mono_s + RESTART_S)
        for action in slot.safe:
            self._outputs.apply(action)
        if not slot.reported:
            slot.reported = True
            data = {"rule": slot.group.value, "reason": problem}
            self._decided.append(Event(Kind.RULE_FAULT, slot.id, now.mono_s, data))

    def _pass_on(self, now: Moment) -> None:
        """Give the rules what others told, at once: no other rule decides before it knows."""
        while self._told:
            fact = self._told.popleft()
            if isinstance(fact.value, bool):
                self._facts[fact.ref] = fact
            for slot in self._routes.get(fact.ref, ()):
                self._step(slot, fact, now)

    def _flush(self) -> None:
        """Record what was decided, after everything it moved has been moved."""
        decided, self._decided = self._decided, []
        for event in decided:
            self._record(event)
        measured, self._measured = self._measured, []
        for reading in measured:
            self._remember(reading)
            self._on_reading(reading)

    def _remember(self, given: Input) -> None:
        if isinstance(given, Reading) and not isinstance(given.value, (Card, Keys)):
            self._latest[given.ref] = given
        elif isinstance(given, Status):
            self._states[given.device] = given
            self._outputs.heard(given)

    # ------------------------------------------------------------ time

    def _plan(self, slot: _Slot, wake_at: float | None) -> None:
        if wake_at is not None and wake_at != slot.wake_at:
            heapq.heappush(self._timers, (wake_at, next(self._timer_order), slot))
        slot.wake_at = wake_at
        if len(self._timers) > 64 + 4 * len(self._slots):  # mostly wishes taken back
            self._timers = [timer for timer in self._timers if timer[2].wake_at == timer[0]]
            heapq.heapify(self._timers)

    def _wake(self) -> None:
        """Give a Tick to every rule whose time has come, once."""
        if not self._timers or self._timers[0][0] > self._clock.mono_s():
            return
        now, due = self._now(), list[_Slot]()
        while self._timers and self._timers[0][0] <= now.mono_s:
            wake_at, _, slot = heapq.heappop(self._timers)
            if slot.wake_at == wake_at:
                slot.wake_at = None
                due.append(slot)
        for slot in due:
            if slot.failed:
                self._begin(slot, now)
            else:
                self._step(slot, Tick(), now)
                self._pass_on(now)
        self._flush()

    async def _rest(self) -> None:
        """Until an input arrives or the next timer is due."""
        if not self._timers:
            await self._inbox.wait()
            return
        with suppress(TimeoutError):
            async with self._clock.timeout(self._timers[0][0] - self._clock.mono_s()):
                await self._inbox.wait()

    def _describe(self, slot: _Slot) -> Mapping[str, JsonValue]:
        found: Mapping[str, JsonValue] = {"failed": True}
        if not slot.failed and slot.state is not None:
            found = slot.rule.describe(slot.state)
        return found


def _routes(slots: Iterable[_Slot]) -> Mapping[str, tuple[_Slot, ...]]:
    """Which rules an input concerns, by its address; points hold a `/`, doors are marked."""
    routes: dict[str, list[_Slot]] = {}
    for slot in slots:
        rule = slot.rule
        doors = {f"door:{door}" for door in rule.doors}
        cameras = {f"camera:{camera}" for camera in rule.cameras}
        for address in (*rule.points, *rule.devices, *doors, *cameras):
            routes.setdefault(address, []).append(slot)
    return {address: tuple(found) for address, found in routes.items()}


def _address(given: Input) -> str:
    match given:
        case Reading():
            return given.ref
        case Status():
            return given.device
        case Observation() | View():
            return f"camera:{given.camera}"
        case Order():
            return f"door:{given.door}"
        case Tick():
            return ""


def _plain(reading: Reading) -> JsonValue:
    value = reading.value
    if isinstance(value, (Card, Keys)) or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value


def _ago(now_s: float, then_s: float) -> float:
    return round(max(0.0, now_s - then_s), 3)
