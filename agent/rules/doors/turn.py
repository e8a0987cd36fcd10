"""One step of a door in the making: the parts of its state so far, and what they bring about."""

from collections.abc import Mapping

from agent.events import Event, JsonValue, Kind
from agent.rules.doors.state import DoorState
from agent.rules.passage import Fact, fact_ref
from agent.rules.step import Moment
from agent.settings import Door
from drivers.base import Cue, DeviceId, Output, PointId, PointRef, Reading, Signal, Switch, point_ref


class Turn:
    """`assert_lock` tells the relay again what it should be: a fresh grant, or a lock that has come back."""

    def __init__(self, door: Door, state: DoorState, now: Moment) -> None:
        self.door = door
        self.now_s = now.mono_s
        self.utc = now.utc
        self.release = state.release
        self.lock = state.lock
        self.contact = state.contact
        self.entry = state.entry
        self.partner_busy = state.partner_busy
        self.busy = state.busy
        self.told_open = state.told_open
        self.told_free = state.told_free
        self.reader_offline = state.reader_offline
        self.assert_lock = False
        self.look_again_s: float | None = None
        self.events: list[Event] = []
        self.tells: list[Reading] = []
        self._lock_moves: list[Output] = []
        self._other_moves: list[Output] = []

    @property
    def state(self) -> DoorState:
        return DoorState(
            self.release,
            self.lock,
            self.contact,
            self.entry,
            partner_busy=self.partner_busy,
            busy=self.busy,
            told_open=self.told_open,
            told_free=self.told_free,
            why=self.release.why(self.now_s),
            reader_offline=self.reader_offline,
        )

    @property
    def actions(self) -> tuple[Output, ...]:
        """The lock first: nobody waits for a light."""
        return (*self._lock_moves, *self._other_moves)

    def say(self, kind: Kind, at_s: float, data: Mapping[str, JsonValue]) -> None:
        self.events.append(Event(kind, self.door.id, at_s, data))

    def tell(self, ref: PointRef, value: bool | str) -> None:
        device, _, point = ref.rpartition("/")
        self.tells.append(Reading(DeviceId(device), PointId(point), value, self.now_s))

    def tell_passage(self, fact: Fact, value: bool | str) -> None:
        """For the rule that counts who passes, where there is one."""
        if self.door.tailgating is not None:
            self.tell(fact_ref(self.door.id, fact), value)

    def switch_lock(self, *, on: bool, for_s: float | None = None) -> None:
        self._lock_moves.append(switch(self.door.lock, on=on, for_s=for_s))

    def sound(self, *, on: bool, for_s: float | None = None) -> None:
        if self.door.sounder is not None:
            self._other_moves.append(switch(self.door.sounder, on=on, for_s=for_s))

    def cue(self, cue: Cue) -> None:
        if self.door.reader is not None:
            self._other_moves.append(Signal(DeviceId(self.door.reader), cue))


def switch(point: str, *, on: bool, for_s: float | None = None) -> Switch:
    device, _, output = point.partition("/")
    return Switch(DeviceId(device), PointId(output), on=on, for_s=for_s)


def busy_ref(door: str) -> PointRef:
    """Where a door tells its interlock partner that it is open or unlocked."""
    return fact_ref(door, Fact.BUSY)


def passed_ref(door: Door) -> PointRef:
    """Where the doors of an area tell one another whose card has passed."""
    return point_ref(DeviceId(f"area:{door.area}" if door.area else f"door:{door.id}"), PointId("passed"))
