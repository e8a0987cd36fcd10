"""Whatever happens in whatever order, at a pair of interlocked doors.

Two worlds live through the same; they differ only in that one's holders type their duress PIN.
"""

from datetime import datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agent.events import RESTORES, Event, Kind
from agent.rules.doors import DoorRule
from agent.rules.step import Input, Order, Tick, Verb
from drivers.base import Card, DeviceId, DeviceState, Keys, Output, PointId, Quality, Reading, Status, Switch
from tests.agent.rules.door import (
    DURESS_PIN,
    EXEMPT,
    KNOWN,
    MORNING,
    NO_PIN,
    NOON,
    PIN,
    SLOW,
    STRANGER,
    Cards,
    Noon,
    Run,
    door,
)

DOORS = ("north", "south")
_doors = st.sampled_from(DOORS)
_cards = st.sampled_from([KNOWN, KNOWN, SLOW, EXEMPT, NO_PIN, STRANGER])
_truths = st.booleans()


def _rule(name: str, partner: str, pin: str, *, relock: str) -> DoorRule:
    made = door(
        id=name,
        reader=f"reader-{name}",
        lock=f"{name}/lock",
        contact=f"{name}/contact",
        rex=f"{name}/rex",
        fire="shared/fire",
        fire_reset="shared/key",
        sounder=f"{name}/sounder",
        pre_alarm_s=2.0,
        free_access="noon",
        interlock=partner,
        area="yard",
        anti_passback_s=20.0,
        pin=pin,
        max_wrong=2,
        lockout_s=30.0,
        relock=relock,
    )
    return DoorRule(made, Cards(), Noon())


class World:
    """Both doors, told of one another as compound does."""

    def __init__(self, pin: str, utc: datetime) -> None:
        self.pin = pin
        self.runs: dict[str, Run] = {}
        self.facts: dict[str, Reading] = {}
        rules = (
            _rule("north", "south", "card-and-pin", relock="close"),
            _rule("south", "north", "none", relock="open"),
        )
        for made in rules:
            run = self.runs[made.id] = Run(made, utc=utc)
            self._pass_on()
            for fact in [fact for ref, fact in self.facts.items() if ref in made.points]:
                run.give(fact)
                self._pass_on()

    def give(self, given: Input) -> None:
        for run in self.runs.values():
            if isinstance(given, Order):
                wanted = given.door in run.rule.doors
            elif isinstance(given, Status):
                wanted = given.device in run.rule.devices
            else:
                wanted = isinstance(given, Reading) and given.ref in run.rule.points
            if wanted:
                run.give(given)
                self._pass_on()

    def read(self, device: str, point: str, value: bool | str | Card | Keys, quality: Quality = Quality.GOOD) -> None:
        now_s = self.runs["north"].now_s
        self.give(Reading(DeviceId(device), PointId(point), value, now_s, quality))

    def wait(self, seconds: float) -> None:
        target = self.runs["north"].now_s + seconds
        while True:
            wishes = [run.last.wake_at for run in self.runs.values() if run.last.wake_at is not None]
            due_s = min(wishes, default=target)
            if due_s > target:
                break
            for run in self.runs.values():
                run.now_s = max(run.now_s, due_s)
            for run in self.runs.values():
                if run.last.wake_at is not None and run.last.wake_at <= due_s:
                    run.give(Tick())
                    self._pass_on()
            if not wishes:
                break
        for run in self.runs.values():
            run.now_s = target

    def set_utc(self, utc: datetime | None) -> None:
        for run in self.runs.values():
            run.set_utc(utc)

    def _pass_on(self) -> None:
        for _ in range(20):
            told = [fact for run in self.runs.values() for fact in run.told]
            if not told:
                return
            for run in self.runs.values():
                run.told.clear()
            for fact in told:
                self.facts[fact.ref] = fact
                for run in self.runs.values():
                    if fact.ref in run.rule.points:
                        run.give(fact)
        raise AssertionError("the doors talk to one another without end")

    def why(self, name: str) -> object:
        return self.runs[name].rule.describe(self.runs[name].state)["why"]


def _relay(history: list[tuple[float, Output]], name: str, now_s: float) -> bool:
    """Whether a relay that was told all this is on; it ends a pulse by itself."""
    until_s = 0.0
    for at_s, action in history:
        if isinstance(action, Switch) and (action.device, action.point) == (name, "lock"):
            assert not action.on or action.for_s is not None, "a pulse always has an end"
            until_s = at_s + (action.for_s or 0.0) if action.on else 0.0
    return until_s > now_s


class Doors(RuleBasedStateMachine):
    @initialize(utc=st.sampled_from([MORNING, NOON]))
    def begin(self, utc: datetime) -> None:
        self.worlds = World(PIN, utc), World(DURESS_PIN, utc)
        self.seen = dict.fromkeys(DOORS, 0)
        self.standing: dict[str, set[Kind]] = {name: set() for name in DOORS}
        for name in DOORS:
            self._both(name, "contact", False)
            self._both(name, "rex", False)

    def _both(self, device: str, point: str, value: bool | Card | Keys) -> None:
        for world in self.worlds:
            world.read(device, point, value)

    # ------------------------------------------------------------ what happens

    @rule(name=_doors, card=_cards)
    def card(self, name: str, card: Card) -> None:
        for world in self.worlds:
            before = {door: run.is_unlocked() for door, run in world.runs.items()}
            lockdown = world.runs[name].state.release.lockdown
            world.read(f"reader-{name}", "card", card)
            opened = world.runs[name].is_unlocked() and not before[name]
            assert not (opened and lockdown), "a card never opens in lockdown"

    @rule()
    def pin(self) -> None:
        for world in self.worlds:
            world.read("reader-north", "keys", Keys(f"{world.pin}#"))

    @rule(card=_cards)
    def card_and_pin(self, card: Card) -> None:
        self.card("north", card)
        self.pin()

    @rule(digits=st.sampled_from(["0000#", "25", "*", "#", "", "1" * 40]))
    def keys(self, digits: str) -> None:
        self._both("reader-north", "keys", Keys(digits))

    @rule(name=_doors, is_open=_truths)
    def contact(self, name: str, is_open: bool) -> None:
        run = self.worlds[0].runs[name]
        unlocked, marked = run.is_unlocked(), len(run.events)
        self._both(name, "contact", is_open)
        if unlocked:
            kinds = [event.kind for event in run.events[marked:]]
            assert Kind.DOOR_FORCED not in kinds, "no opening of an unlocked door is forcing"

    @rule(name=_doors, wanted=_truths)
    def rex(self, name: str, wanted: bool) -> None:
        self._both(name, "rex", wanted)

    @rule(on=_truths)
    def fire(self, on: bool) -> None:
        self._both("shared", "fire", on)

    @rule(on=_truths)
    def fire_key(self, on: bool) -> None:
        self._both("shared", "key", on)

    @rule(
        name=_doors,
        verb=st.sampled_from(Verb),
        for_s=st.sampled_from([None, 1.0, 25.0, 0.0, float("nan")]),
        local=_truths,
    )
    def order(self, name: str, verb: Verb, for_s: float | None, local: bool) -> None:
        for world in self.worlds:
            world.give(Order(name, verb, "guard", for_s, local))

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.4, 0.5, 1.0, 3.0, 8.0, 31.0, 400.0]))
    def wait(self, seconds: float) -> None:
        for world in self.worlds:
            world.wait(seconds)

    @rule(utc=st.sampled_from([None, MORNING, NOON, NOON.replace(minute=59, second=50)]))
    def clock(self, utc: datetime | None) -> None:
        for world in self.worlds:
            world.set_utc(utc)

    @rule(device=st.sampled_from([*DOORS, "reader-north"]), state=st.sampled_from(DeviceState))
    def status(self, device: str, state: DeviceState) -> None:
        for world in self.worlds:
            world.give(Status(DeviceId(device), state, 1.0))

    @rule(
        name=_doors,
        point=st.sampled_from(["contact", "rex", "card"]),
        value=st.sampled_from([True, "text", KNOWN, Keys("1")]),
    )
    def nonsense(self, name: str, point: str, value: bool | str | Card | Keys) -> None:
        """A reading of bad quality, and a value of a kind the point does not have."""
        for world in self.worlds:
            world.read(name, point, value, Quality.BAD)
            if not isinstance(value, bool):
                world.read(name, point, value)

    # ------------------------------------------------------------ what always holds

    @invariant()
    def fire_and_egress_unlock(self) -> None:
        for run in self._runs():
            if run.state.release.fire or run.state.release.rex:
                assert run.is_unlocked()

    @invariant()
    def lockdown_locks_but_for_fire_and_egress(self) -> None:
        for world in self.worlds:
            for name, run in world.runs.items():
                if run.state.release.lockdown:
                    assert world.why(name) in (None, "fire", "egress")

    @invariant()
    def while_one_is_open_or_unlocked_only_fire_and_egress_unlock_the_other(self) -> None:
        for world in self.worlds:
            for name, partner in (DOORS, DOORS[::-1]):
                if world.runs[partner].is_unlocked() or world.runs[partner].state.contact.open:
                    assert world.why(name) in (None, "fire", "egress")

    @invariant()
    def the_relay_is_on_exactly_while_the_rule_says_so(self) -> None:
        for run in self._runs():
            assert _relay(run.history, run.rule.id, run.now_s) is run.is_unlocked()

    @invariant()
    def every_alarm_stands_at_most_once(self) -> None:
        for name, run in self.worlds[0].runs.items():
            events, self.seen[name] = run.events[self.seen[name] :], len(run.events)
            for event in events:
                self._account(name, event)

    @invariant()
    def duress_cannot_be_told_from_without(self) -> None:
        plain, duress = self.worlds
        for name in DOORS:
            mine, theirs = plain.runs[name], duress.runs[name]
            assert mine.history == theirs.history
            assert mine.last.wake_at == theirs.last.wake_at
            assert mine.rule.describe(mine.state) == theirs.rule.describe(theirs.state)
            shown = [repr(event) for event in theirs.events if not event.info.silent]
            assert [repr(event) for event in mine.events] == shown

    def teardown(self) -> None:
        """Everything put in order, nothing is left standing."""
        if not hasattr(self, "worlds"):
            return
        self.clock(MORNING)
        for point in ("contact", "rex"):
            for name in DOORS:
                self._both(name, point, False)
        self.fire(False)
        for name in DOORS:
            for verb in (Verb.RESET_FIRE, Verb.END_LOCKDOWN, Verb.LOCK):
                self.order(name, verb, None, local=True)
        self.wait(100.0)
        self.every_alarm_stands_at_most_once()
        assert all(not run.is_unlocked() for run in self._runs())
        assert self.standing == {name: set() for name in DOORS}

    def _runs(self) -> list[Run]:
        return [run for world in self.worlds for run in world.runs.values()]

    def _account(self, name: str, event: Event) -> None:
        if event.info.restored_by is not None:
            assert event.kind not in self.standing[name], "raised twice"
            self.standing[name].add(event.kind)
        elif event.kind in RESTORES:
            self.standing[name].remove(RESTORES[event.kind])


Doors.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_whatever_happens = Doors.TestCase
