"""Alarms until the centre has them in hand: told again, sounded here unless silent, kept over a restart."""

from pathlib import Path

from agent.cases import FILE, Cases
from agent.contract.commands import Handled
from agent.events import CATALOGUE, Event, Kind, Lane
from agent.journal import Entry
from agent.rules.step import Order, Verb
from agent.settings import Handling
from tests.clock import ManualClock
from tests.journal import draft, opened

EPOCH = "6f1c2f0e-6c5b-4a51-8a34-111111111111"
SETTINGS = Handling(remind_after_s=60, remind_times=2, output="gpio/beacon")


class House:
    def __init__(self, folder: Path, clock: ManualClock, settings: Handling = SETTINGS, boot: str = "b1") -> None:
        self.told: list[Event] = []
        self.orders: list[tuple[str, Verb]] = []
        self.cases = Cases(
            settings, folder, clock, boot, epoch=lambda: EPOCH, record=self.told.append, order=self._order
        )

    def _order(self, order: Order) -> None:
        self.orders.append((order.door, order.verb))

    def raise_(self, kind: Kind, sequence: int) -> str:
        body = b'{"type":"gatehouse.%s","subject":"north-gate"}' % kind.encode()
        self.cases.committed([Entry(CATALOGUE[kind].lane, sequence, kind, body, bytes(32))])
        return f"{EPOCH}/alarm/{sequence}"

    def look(self) -> None:
        self.cases._remind()
        self.cases._sound()


def test_an_alarm_that_nobody_acknowledges_is_told_again_and_sounds_until_somebody_does(tmp_path: Path) -> None:
    clock = ManualClock()
    house = House(tmp_path, clock)
    event = house.raise_(Kind.DOOR_FORCED, 17)
    house.raise_(Kind.DOOR_FORCED_RESTORED, 18)
    house.look()
    clock._mono_s += 59
    house.look()
    assert (house.told, house.orders, house.cases.snapshot()) == ([], [], [])
    for _ in range(4):
        clock._mono_s += 61
        house.look()
    assert [(e.kind, e.subject, e.data["event"], e.data["count"]) for e in house.told] == [
        (Kind.UNACKNOWLEDGED, "north-gate", event, 1), (Kind.UNACKNOWLEDGED, "north-gate", event, 2),
    ]  # fmt: skip
    assert house.orders == [("gpio/beacon", Verb.ON)]
    (shown,) = house.cases.snapshot()
    assert isinstance(shown, dict)
    assert (shown["state"], shown["kind"]) == (None, "door.forced")
    assert house.cases.handle(event, Handled.RECEIVED, "") is Handled.RECEIVED
    house.look()
    assert house.orders[-1] == ("gpio/beacon", Verb.OFF)


def test_a_silent_alarm_is_told_again_to_the_centre_and_shows_nowhere_here(tmp_path: Path) -> None:
    clock = ManualClock()
    house = House(tmp_path, clock)
    event = house.raise_(Kind.DURESS, 3)
    clock._mono_s += 61
    house.look()
    (told,) = house.told
    assert (told.kind, told.data["event"], told.info.silent) == (Kind.UNACKNOWLEDGED_SILENT, event, True)
    house.cases.handle(event, Handled.DISPATCHED, "grid worker 7")
    assert (house.orders, house.cases.snapshot()) == ([], [])


def test_a_state_never_goes_back_and_is_of_alarms_that_are_known(tmp_path: Path) -> None:
    house = House(tmp_path, ManualClock())
    event = house.raise_(Kind.SMOKE, 1)
    assert house.cases.handle(event, Handled.DISPATCHED, "two people") is Handled.DISPATCHED
    assert house.cases.handle(event, Handled.RECEIVED, "") is Handled.DISPATCHED
    assert house.cases.snapshot() == [
        {"event": event, "kind": "smoke", "subject": "north-gate", "note": "two people", "state": "dispatched"}
    ]
    assert house.cases.handle(event, Handled.RESOLVED, "") is Handled.RESOLVED
    assert house.cases.snapshot() == []
    assert house.cases.handle(f"{EPOCH}/alarm/99", Handled.RECEIVED, "") is None


async def test_an_alarm_that_was_entered_again_is_known_under_both_its_numbers(tmp_path: Path) -> None:
    async with opened(tmp_path / "journal") as journal:
        house = House(tmp_path, ManualClock())
        house.cases._epoch = lambda: journal.epoch
        journal.on_commit(house.cases.committed)
        journal.on_epoch(house.cases.renewed)
        first = await journal.append(draft(Lane.ALARM, 1))
        await journal.append(draft(Lane.ALARM, 2))
        await journal.confirm(Lane.ALARM, 1, first.digest)
        epochs = [journal.epoch]
        epochs += [(await journal.renew("a test")).epoch for _ in range(2)]
    handle, old, newer, newest = house.cases.handle, *epochs
    assert handle(f"{old}/alarm/2", Handled.RECEIVED, "") is Handled.RECEIVED
    assert handle(f"{newer}/alarm/1", Handled.DISPATCHED, "") is Handled.DISPATCHED
    assert handle(f"{newest}/alarm/1", Handled.RECEIVED, "") is Handled.DISPATCHED, "it is the same alarm"
    assert handle(f"{old}/alarm/1", Handled.RECEIVED, "") is Handled.RECEIVED, "confirmed, and entered once only"
    assert handle(f"{newest}/alarm/2", Handled.RECEIVED, "") is None


async def test_what_is_open_survives_a_restart_and_another_boot(tmp_path: Path) -> None:
    clock = ManualClock()
    house = House(tmp_path, clock)
    event = house.raise_(Kind.SMOKE, 1)
    await house.cases._keep()
    later = House(tmp_path, ManualClock(mono_s=5), boot="b2")
    later.look()
    assert later.told == []
    assert later.cases.handle(event, Handled.RECEIVED, "") is Handled.RECEIVED
    good = (tmp_path / FILE).read_text()
    for damaged in ("{", good.replace("/alarm/1", "/alarm/one")):
        (tmp_path / FILE).write_text(damaged)
        assert House(tmp_path, clock).cases.handle(event, Handled.RECEIVED, "") is None


def test_old_alarms_make_room_the_resolved_first(tmp_path: Path) -> None:
    house = House(tmp_path, ManualClock(), Handling())
    first = house.raise_(Kind.SMOKE, 1)
    second = house.raise_(Kind.SMOKE, 2)
    house.cases.handle(second, Handled.RESOLVED, "")
    for sequence in range(3, 503):
        house.raise_(Kind.SMOKE, sequence)
    assert house.cases.handle(second, Handled.RECEIVED, "") is None
    for sequence in range(503, 600):
        house.raise_(Kind.SMOKE, sequence)
    assert house.cases.handle(first, Handled.RECEIVED, "") is None
    house.look()
    assert house.told == [], "without remind_after_s nothing is told again"
